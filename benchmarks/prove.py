"""What a proof and a commit cost, beside what the engine itself needs for the same.

    python benchmarks/prove.py

In one run, on one machine: `image prove` of an image for the first time, when its base is known,
and again, with and without --deep, beside the time the engine takes to send the image's files
alone; and `image commit` beside `docker commit`. The ratios are what counts. The magics are run in
one kernel, in a container of the tests' stand-in for an image of the Docker Stacks, with its page
cache warm.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from docker.types import Mount
from push import Notebook

from support import engine as engines
from support import ours, stacks

if TYPE_CHECKING:
    from docker.models.containers import Container

TAG = "jstackmagic-tests/proved:1"


def export(container: Container) -> float:
    """The seconds that the engine takes to send a container's files."""
    started = time.monotonic()
    for _ in container.export(chunk_size=1024 * 1024):
        pass
    return time.monotonic() - started


def row(name: str, took: dict[str, Any], beside: float, of: str) -> None:
    ratio = f"{took['ours'] / beside:10.2f} times {of}"
    print(f"{name:42}{took['ours']:8.2f} s{took['cpu']:8.2f} s of a processor{ratio}")


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with engines.engine() as client:
        image = stacks.image_with(client, stacks.image(client), ours.wheel())
        socket = engines.host().removeprefix("unix://")
        container = client.containers.run(
            image,
            ["start.sh", "sleep", "infinity"],
            entrypoint=["tini", "-g", "--"],
            detach=True,
            user="root",
            environment={"GRANT_SUDO": "yes"},
            mounts=[Mount("/var/run/docker.sock", socket, type="bind")],
        )
        try:
            notebook = Notebook(container)

            run = notebook.run
            run("envinstall conda:pymongo=4.10.1")
            run("envinstall pip:twitter==1.19.6")
            run(f"envimage build {TAG}")
            size = client.images.get(TAG).attrs["Size"] / 1e6
            sent = min(export(container) for _ in range(2))
            print(f"an image of {size:.0f} MB; the engine sends its files in {sent:.2f} s")
            row("prove, nothing known", run(f"envimage prove {TAG}"), sent, "that")
            run("envinstall pip:toolz==1.0.0")
            run(f"envimage build {TAG}")
            row("prove, the base known", run(f"envimage prove {TAG}"), sent, "that")
            row("prove again", run(f"envimage prove {TAG}"), sent, "that")
            row("prove --deep", run(f"envimage prove {TAG} --deep"), sent, "that")
            plain, own = [], []
            for number in range(8):
                started = time.monotonic()
                container.commit("jstackmagic-tests/plain", str(number))
                plain.append(time.monotonic() - started)
                own.append(run(f"envimage commit {TAG}c"))
            own.sort(key=lambda each: float(each["ours"]))
            row("commit, the best", own[0], min(plain), "docker commit's")
            row("commit, the median", own[len(own) // 2], median(plain), "docker commit's")
            notebook.close()
        finally:
            container.remove(force=True, v=True)
            for name in ("jstackmagic-tests/proved", "jstackmagic-tests/plain"):
                for image in client.images.list(name=name):
                    client.images.remove(image.id, force=True)


if __name__ == "__main__":
    main()
