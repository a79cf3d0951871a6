"""What a proof and a commit cost, beside what the engine itself needs for the same.

    python benchmarks/prove.py [--from IMAGE]

In one run, on one machine: `image prove` of an image for the first time, when its base is known,
and again, with and without --deep, beside the time the engine takes to send the image's files
alone; and `image commit` beside `docker commit`. The ratios are what counts. The commands are run
in a container of the tests' stand-in for an image of the Docker Stacks, with its page cache warm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from docker.types import Mount

from support import engine as engines

if TYPE_CHECKING:
    from docker.models.containers import Container

TAG = "jstackmagic-tests/proved:1"
_IN_PROCESS = """
import time
from jstackmagic.cli import main
started = time.monotonic()
main({words!r})
import sys
print("took", time.monotonic() - started, file=sys.stderr)
"""


def seconds(container: Container, *words: str) -> float:
    """The seconds of a command, without the start of its interpreter."""
    code = _IN_PROCESS.format(words=list(words))
    command = ["/opt/conda/bin/python", "-c", code]
    _, (_, said) = container.exec_run(command, user="jovyan", workdir="/home/jovyan", demux=True)
    return float(said.decode().split()[-1])


def export(container: Container) -> float:
    """The seconds that the engine takes to send a container's files."""
    started = time.monotonic()
    for _ in container.export(chunk_size=1024 * 1024):
        pass
    return time.monotonic() - started


def row(name: str, took: float, beside: float, of: str) -> None:
    print(f"{name:42}{took:8.2f} s{took / beside:10.2f} times {of}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="image", required=True, help="one with jstackmagic in it")
    options = parser.parse_args()
    with engines.engine() as client:
        socket = engines.host().removeprefix("unix://")
        container = client.containers.run(
            options.image,
            ["start.sh", "sleep", "infinity"],
            entrypoint=["tini", "-g", "--"],
            detach=True,
            user="root",
            environment={"GRANT_SUDO": "yes"},
            mounts=[Mount("/var/run/docker.sock", socket, type="bind")],
        )
        try:
            for words in (["--conda", "pymongo=4.10.1"], ["--pip", "twitter==1.19.6"]):
                seconds(container, "install", *words)
            seconds(container, "image", "build", TAG)
            size = client.images.get(TAG).attrs["Size"] / 1e6
            sent = min(export(container) for _ in range(2))
            print(f"an image of {size:.0f} MB; the engine sends its files in {sent:.2f} s")
            row("prove, nothing known", seconds(container, "image", "prove", TAG), sent, "that")
            seconds(container, "install", "--pip", "toolz==1.0.0")
            seconds(container, "image", "build", TAG)
            row("prove, the base known", seconds(container, "image", "prove", TAG), sent, "that")
            row("prove again", seconds(container, "image", "prove", TAG), sent, "that")
            deep = seconds(container, "image", "prove", TAG, "--deep")
            row("prove --deep", deep, sent, "that")
            plain = []
            for number in range(3):
                started = time.monotonic()
                container.commit("jstackmagic-tests/plain", str(number))
                plain.append(time.monotonic() - started)
            own = min(seconds(container, "image", "commit", f"{TAG}c") for _ in range(3))
            row("commit", own, min(plain), "docker commit's")
        finally:
            container.remove(force=True, v=True)
            for name in ("jstackmagic-tests/proved", "jstackmagic-tests/plain"):
                for image in client.images.list(name=name):
                    client.images.remove(image.id, force=True)


if __name__ == "__main__":
    main()
