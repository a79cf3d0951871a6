"""Push an image from the record, against building and committing it and pushing that.

    python benchmarks/push.py [--megabytes 1000]

needs a Docker engine and Debian's docker-registry. The base is the tests' stand-in for the Docker
Stacks, filled up with what does not compress. All is warm: the managers' downloads, the engine's
layers of the base, what is known of the base's files.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from support import engine, stacks  # noqa: E402
from support.registries import registry  # noqa: E402

ONE = ("pip:toolz==0.12.1",)
TEN = (
    "pip:iniconfig==2.0.0", "pip:tabulate==0.9.0", "pip:networkx==3.2.1", "pip:sympy==1.12",
    "pip:mpmath==1.3.0", "pip:pyparsing==3.1.1", "pip:docutils==0.20.1", "pip:colorama==0.4.6",
    "pip:xlrd==2.0.1", "pip:cloudpickle==3.0.0",
)  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--megabytes", type=int, default=1000, help="of the base, compressed")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    with engine.engine() as client, tempfile.TemporaryDirectory() as folder:
        measured = measure(client, Path(folder), args.megabytes)
    if args.json:
        print(json.dumps(measured, indent=1))
        return
    print("| what | ours | build and push | commit and push | ratio | sent |")
    print("|---|---|---|---|---|---|")
    for name, row in measured["rows"].items():
        cells = [
            f"{row.get(key, 0):.2f} s" if key in row else "" for key in ("ours", "build", "commit")
        ]
        ratio = f"{row['build'] / row['ours']:.1f}" if "build" in row else ""
        print(f"| {name} | {' | '.join(cells)} | {ratio} | {row.get('sent', 0):,} bytes |")
    for name, value in measured["facts"].items():
        print(f"- {name}: {value}")


class Bench:
    def __init__(self, client: Any, address: str, base: str) -> None:
        self.client, self.address, self.base = client, address, base
        self.containers: list[Any] = []

    def start(self) -> Any:
        """A container in the host's network, where the registry is, as the images' user."""
        made = self.client.containers.run(
            self.base,
            ["sleep", "7200"],
            detach=True,
            network_mode="host",
            entrypoint=["tini", "--"],
        )
        self.containers.append(made)
        return made

    def do(self, container: Any, *words: str) -> str:
        environ = {"HOME": "/home/jovyan", "JUPYTER_IMAGE": self.base}
        status, output = container.exec_run(list(words), environment=environ)
        assert status == 0, output.decode()[-3000:]
        return str(output.decode())

    def say(self, container: Any, *words: str) -> Any:
        text = self.do(container, "/opt/conda/bin/jstackmagic", *words, "--json")
        return json.loads(text[text.index("{") :])

    def ours(self, container: Any, name: str) -> tuple[float, int, int]:
        """Seconds and bytes of a push, and the most memory it took, in kB."""
        run = (
            "import resource, subprocess, sys, time; t = time.monotonic();"
            "subprocess.run(sys.argv[1:], check=True, stdout=open('/tmp/pushed', 'w'));"
            "print(time.monotonic() - t, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        words = ("/opt/conda/bin/jstackmagic", "image", "push", f"{self.address}/{name}", "--json")
        said = self.do(
            container, "/opt/conda/bin/python", "-c", run, *words, "--share", "team/layers"
        )
        seconds, memory = said.split()[-2:]
        text = self.do(container, "cat", "/tmp/pushed")
        return float(seconds), int(json.loads(text[text.index("{") :])["sent"]), int(memory)

    def build(self, container: Any, name: str, folder: Path) -> float:
        """Seconds of a build of the exported Dockerfile and of its push."""
        folder.mkdir()
        words = ("--from", self.base, "--output", "/tmp/built/Dockerfile")
        self.do(container, "rm", "-rf", "/tmp/built")
        self.do(container, "mkdir", "/tmp/built")
        self.do(container, "/opt/conda/bin/jstackmagic", "export", "dockerfile", *words)
        chunks, _ = container.get_archive("/tmp/built/.")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            archive.extractall(folder)
        began = time.monotonic()
        docker_(["build", "-q", "-t", f"{self.address}/{name}", str(folder)])
        docker_(["push", "-q", f"{self.address}/{name}"])
        return time.monotonic() - began

    def commit(self, container: Any, name: str) -> float:
        began = time.monotonic()
        docker_(["commit", container.id, f"{self.address}/{name}"])
        docker_(["push", "-q", f"{self.address}/{name}"])
        return time.monotonic() - began


def docker_(words: list[str]) -> None:
    done = subprocess.run(
        ["docker", "--host", engine.host(), *words], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def measure(client: Any, folder: Path, megabytes: int) -> dict[str, Any]:
    wheels = folder / "wheels"
    root = Path(__file__).resolve().parents[1]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, root], check=True
    )
    (wheel,) = wheels.glob("*.whl")
    image = stacks.image_with(client, stacks.image(client), wheel)
    rows: dict[str, dict[str, float]] = {}
    # what the engine pushes to has to be of the loopback range, and the containers share it
    with registry(folder) as served:
        base = f"{served.address}/base/notebook:1"
        (folder / "big").mkdir()
        (folder / "big/Dockerfile").write_text(
            f"FROM {image}\nUSER root\n"
            f"RUN head -c {megabytes}000000 /dev/urandom > /opt/ballast\nUSER 1000\n"
        )
        docker_(["build", "-q", "-t", base, str(folder / "big")])
        docker_(["push", "-q", base])
        bench = Bench(client, served.address, base)
        try:
            mine, other = bench.start(), bench.start()
            bench.say(mine, "install", "pip:twitter==1.19.6")
            first, _, reading = bench.ours(mine, "me/x:0")
            bench.build(mine, "me/built:0", folder / "b0")
            for name, specs in (("one more package", ONE), ("ten packages", TEN)):
                bench.say(mine, "install", *specs)
                tag = name.split()[0]
                seconds, sent, memory = bench.ours(mine, f"me/x:{tag}")
                row = {"ours": seconds, "sent": sent, "memory": memory}
                row["build"] = bench.build(mine, f"me/built:{tag}", folder / tag)
                row["commit"] = bench.commit(mine, f"me/committed:{tag}")
                rows[name] = row
            bench.say(other, "install", "pip:twitter==1.19.6", *ONE)
            bench.say(other, "install", *TEN)
            bench.ours(other, "you/warm:1")
            seconds, sent, memory = bench.ours(other, "you/x:1")
            rows["the same by a second user"] = {"ours": seconds, "sent": sent, "memory": memory}
            (folder / "fix").mkdir()
            fixed = f"{served.address}/base/notebook:2"
            (folder / "fix/Dockerfile").write_text(
                f"FROM {base}\nUSER root\nRUN echo fixed > /usr/lib/fixed\nUSER 1000\n"
            )
            docker_(["build", "-q", "-t", fixed, str(folder / "fix")])
            docker_(["push", "-q", fixed])
            rebase = ("image", "rebase", f"{served.address}/me/x:ten", "--onto", fixed)
            bench.say(mine, *rebase, "--dry-run")
            began = time.monotonic()
            sent = bench.say(mine, *rebase)["images"][0]["size"]
            rows["rebase of one image"] = {"ours": time.monotonic() - began, "sent": sent}
            most = max(row.get("memory", 0) for row in rows.values())
            facts = {
                "the first push, which reads the base": f"{first:.1f} s",
                "memory of the first push": f"{reading // 1024} MB",
                "memory of the next": f"{most // 1024:.0f} MB",
            }
            return {"rows": rows, "facts": facts}
        finally:
            for container in bench.containers:
                container.remove(force=True)


if __name__ == "__main__":
    main()
