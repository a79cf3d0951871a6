"""Push an image from the record, against building and committing it and pushing that.

    python benchmarks/push.py [--megabytes 1000]

needs a Docker engine and Debian's docker-registry. The base is the tests' stand-in for the Docker
Stacks, filled up with what does not compress. All is warm: the managers' downloads, the engine's
layers of the base, what is known of the base's files, and the kernel whose magics are run; one
row is of a terminal's new process.
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

from support import engine, ours, stacks  # noqa: E402
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


_KERNEL = """
import contextlib, io, json, resource, sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jstackmagic")
for line in sys.stdin:
    began, before = time.monotonic(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        found = shell.run_line_magic(*line.strip().partition(" ")[::2])
    seconds, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF)
    said = found.to_json() if hasattr(found, "to_json") else {}
    sent = said.get("sent", sum(each.get("size", 0) for each in said.get("images", ())))
    row = {"ours": seconds, "cpu": time.process_time() - before, "sent": sent}
    print(json.dumps({**row, "memory": used.ru_maxrss}), flush=True)
"""


class Notebook:
    """A kernel's shell in a container, which runs one magic after another."""

    def __init__(self, container: Any, **environ: str) -> None:
        given = [f"--env={name}={value}" for name, value in environ.items()]
        given += ["--user=jovyan", "--workdir=/home/jovyan"]
        docker = ["docker", "--host", engine.host(), "exec", "-i", *given, container.id]
        self._process = subprocess.Popen(
            [*docker, "/opt/conda/bin/python", "-c", _KERNEL],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, line: str) -> dict[str, Any]:
        """Return the seconds of a magic and of the processor, bytes sent, most memory in kB."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, f"%{line} failed"
        return dict(json.loads(said))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


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
        status, output = container.exec_run(list(words), environment=self.environ)
        assert status == 0, output.decode()[-3000:]
        return str(output.decode())

    @property
    def environ(self) -> dict[str, str]:
        return {"HOME": "/home/jovyan", "JUPYTER_IMAGE": self.base}

    def push(self, container: Any, name: str) -> dict[str, Any]:
        """Push from a terminal: a new process, which imports everything."""
        words = ("image", "push", f"{self.address}/{name}", "--share", "team/layers", "--json")
        began = time.monotonic()
        text = self.do(container, "/opt/conda/bin/jstackmagic", *words)
        seconds = time.monotonic() - began
        return {"ours": seconds, "sent": json.loads(text[text.index("{") :])["sent"]}

    def typed(self, notebook: Notebook, container: Any, folder: Path) -> dict[str, Any]:
        """The best of three pushes, each of another new package, and of three builds."""
        rows = []
        for version in ("3.17.0", "3.18.0", "3.19.0"):
            notebook.run(f"envinstall pip:zipp=={version}")
            row = self.push(container, f"me/x:{version}")
            row["build"] = self.build(container, f"me/built:{version}", folder / version)
            rows.append(row)
        return {key: min(row[key] for row in rows) for key in rows[0]}

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
    image = stacks.image_with(client, stacks.image(client), ours.wheel())
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
            notebook, beside = (Notebook(each, **bench.environ) for each in (mine, other))
            to = f"envimage push {served.address}"
            notebook.run("envinstall pip:twitter==1.19.6")
            first = notebook.run(f"{to}/me/x:0 --share team/layers")
            bench.build(mine, "me/built:0", folder / "b0")
            for name, specs in (("one more package", ONE), ("ten packages", TEN)):
                notebook.run(f"envinstall {' '.join(specs)}")
                tag = name.split()[0]
                row = notebook.run(f"{to}/me/x:{tag} --share team/layers")
                row["build"] = bench.build(mine, f"me/built:{tag}", folder / tag)
                row["commit"] = bench.commit(mine, f"me/committed:{tag}")
                rows[name] = row
            beside.run("envinstall pip:twitter==1.19.6 " + " ".join(ONE))
            beside.run(f"envinstall {' '.join(TEN)}")
            beside.run(f"{to}/you/warm:1 --share team/layers")
            rows["the same by a second user"] = beside.run(f"{to}/you/x:1 --share team/layers")
            rows["one more, from a terminal"] = bench.typed(notebook, mine, folder)
            (folder / "fix").mkdir()
            fixed = f"{served.address}/base/notebook:2"
            (folder / "fix/Dockerfile").write_text(
                f"FROM {base}\nUSER root\nRUN echo fixed > /usr/lib/fixed\nUSER 1000\n"
            )
            docker_(["build", "-q", "-t", fixed, str(folder / "fix")])
            docker_(["push", "-q", fixed])
            rebase = f"envimage rebase {served.address}/me/x:ten --onto {fixed}"
            notebook.run(f"{rebase} --dry-run")
            rows["rebase of one image"] = notebook.run(rebase)
            notebook.close()
            beside.close()
            most = max(row.get("memory", 0) for row in rows.values())
            facts = {
                "the first push, which reads the base": f"{first['ours']:.1f} s",
                "memory of the kernel after the first push": f"{first['memory'] // 1024} MB",
                "memory of the kernels in the end": f"{most // 1024} MB",
            }
            return {"rows": rows, "facts": facts}
        finally:
            for container in bench.containers:
                container.remove(force=True)


if __name__ == "__main__":
    main()
