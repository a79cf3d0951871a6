"""The fast engines beside what people use now, as ratios in one run.

    python benchmarks/engines.py [--runs N] [--records N]

Builds its own channels (one with 200,000 records), wheels and environments in a temporary folder.
Each pair is measured in turn, on the same environment and with warm caches, and the ratio is the
median of the pairs; "ours" is a magic run in this process, as a kernel runs it. The rows about
conda need a conda, mamba or micromamba on the PATH, and say so where there is none.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from IPython.core.interactiveshell import InteractiveShell

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from support import tiers
from support.channel import ChannelBuilder
from support.environments import create_environment
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable

CONDA = next(filter(None, map(shutil.which, ("conda", "mamba", "micromamba"))), None)
FILES = 5000
WHEELS = 10


@dataclass(frozen=True)
class Row:
    """One line of the table; seconds, or megabytes where it says so."""

    what: str
    against: str
    ours: float
    theirs: float
    ratio: float
    target: str
    unit: str = "ms"

    def __str__(self) -> str:
        factor = 1000 if self.unit == "ms" else 1
        numbers = f"{self.ours * factor:,.0f} {self.unit} | {self.theirs * factor:,.0f} {self.unit}"
        return f"| {self.what} | {self.against} | {numbers} | {self.ratio:.1f} | {self.target} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--records", type=int, default=200_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), options.runs)
        print(f"Beside: {_version(CONDA) if CONDA else 'no conda on the PATH'}, {_pip()}\n")
        print("| what | against | ours | theirs | ratio | target |\n|---|---|---|---|---|---|")
        small = tiers.shim().url
        bench.conda(small, "warm", "20")
        large = large_channel(Path(folder, "large"), options.records)
        bench.conda(f"{large} {small}", f"{options.records:,} records", "15")
        bench.memory(large, small, options.records)
        bench.linking()
        bench.wheels()
        bench.satisfied(small)


class Bench:
    """The measurements.

    Args:
        folder: For everything.
        runs: How many pairs.
    """

    def __init__(self, folder: Path, runs: int) -> None:
        self._folder = folder
        self._runs = runs
        self._rc = folder / ".condarc"
        (folder / "home").mkdir()
        os.environ |= {
            "JSTACKMAGIC_HISTORY": str(folder / "history.jsonl"),
            "CONDARC": str(self._rc),
            "CONDA_PKGS_DIRS": str(folder / "pkgs"),
            "RATTLER_CACHE_DIR": str(folder / "rattler"),
            "CONDA_NUMBER_CHANNEL_NOTICES": "0",
        }
        self._shell = InteractiveShell.instance()
        self._shell.run_line_magic("load_ext", "jstackmagic")
        self._shell.run_line_magic("config", "JStackMagic.capture = False")

    # What is compared

    def conda(self, channels: str, name: str, target: str) -> None:
        """``%envinstall pymongo`` beside ``conda install pymongo``, then with the bytecode made."""
        self._rc.write_text(json.dumps({"channels": channels.split()}))
        prefix = self._environment(name.replace(",", ""))
        line = f"--prefix {prefix} --conda --engine rattler pymongo"
        ours: list[float] = []
        compiled: list[float] = []
        first: list[float] = []
        theirs: list[float] = []
        self._install(line, prefix)  # caches are warm from here on
        for _ in range(self._runs):
            seconds, with_bytecode = self._install(line, prefix)
            ours.append(seconds)
            compiled.append(with_bytecode)
            for kept in (self._folder / "pkgs").glob("*/.bytecode-*"):
                shutil.rmtree(kept)
            first.append(self._install(line, prefix)[1])
            if CONDA:
                theirs.append(
                    _seconds([CONDA, "install", "--yes", "--quiet", *_at(prefix)], check=False)
                )
                # a solver of conda's may crash when its work is done
                assert any(prefix.glob("conda-meta/pymongo-*.json"))
                self._remove(prefix)
        what, tool = f"`%envinstall pymongo`, {name}", f"`{Path(CONDA or 'conda').name} install`"
        if CONDA:
            _show(what, tool, ours, theirs, target)
            _show(f"{what}, bytecode counted", tool, compiled, theirs, "20")
            _show(f"{what}, bytecode made for the first time", tool, first, theirs, "8")
        else:
            print(f"| {what} | {tool}: not here | {statistics.median(ours) * 1000:,.0f} ms | | | |")

    def memory(self, large: str, small: str, records: int) -> None:
        """The peak of a new process that solves against the large channel, and conda's.

        Most of it is the channel's file, which is mapped and which the system may take back: what
        a process cannot do without is seen in a control group with a limit.
        """
        self._rc.write_text(json.dumps({"channels": [large, small]}))
        prefix = self._environment("memory")
        words = ["install", "--dry-run", "--prefix", str(prefix), "--conda", "pymongo"]
        command = [sys.executable, "-m", "jstackmagic", *words, "--engine", "rattler"]
        others = [CONDA, "install", "--dry-run", *_at(prefix)] if CONDA else []
        theirs = _peak(others) if CONDA else {}
        for kind, ours in _peak(command).items():
            what = f"{kind} memory of solving at its peak, {records:,} records"
            if theirs:
                ratio = theirs[kind] / ours
                print(Row(what, Path(CONDA or "").name, ours, theirs[kind], ratio, "120 MB", "MB"))
            else:
                print(f"| {what} | conda: not here | {ours:,.0f} MB | | | 120 MB |")
        files = [unquote(urlsplit(url).path) for url in (large, small)]
        cold = [path for folder in files for path in Path(folder).glob("*/repodata.json")]
        for limit in (120, 64):
            try:
                done = "solved" if _within(command, limit, cold) else "killed"
            except PermissionError:
                done = "only root can measure it"
            print(f"| the same in a control group of {limit} MB, files cold | {done} | | | | |")

    def linking(self) -> None:
        """A package of many files beside ``cp -al`` of the same tree."""
        builder = ChannelBuilder(self._folder / "many")
        files = {f"share/many/{n // 100}/{n}.txt": f"{n}\n" * 20 for n in range(FILES)}
        builder.add_package("many", "1.0", files=files)
        builder.index()
        self._rc.write_text(json.dumps({"channels": [builder.url, tiers.shim().url]}))
        prefix = self._environment("linking")
        line = f"--prefix {prefix} --conda --engine rattler many"
        self._magic("envinstall", line)
        tree = next((self._folder / "pkgs").glob("many-1.0-*/share"))
        ours, theirs = [], []
        for number in range(self._runs):
            self._magic("envremove", f"--prefix {prefix} --conda --engine rattler many")
            ours.append(self._magic("envinstall", line))
            theirs.append(_seconds(["cp", "-al", str(tree), str(self._folder / f"copy{number}")]))
        ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
        what = f"installing a package of {FILES:,} files, all of it"
        row = Row(
            what, "`cp -al`", _median(ours), _median(theirs), ratio, "at most 1.5 times as long"
        )
        print(row)

    def wheels(self) -> None:
        """Ten wheels into the environment of this interpreter, beside ``%pip`` and bare uv."""
        from uv import find_uv_bin

        with WheelIndex(self._folder / "wheels") as index:
            names = [f"jstackmagic-benchmark-{n}" for n in range(WHEELS)]
            for name in names:
                module = name.replace("-", "_")
                lines = "".join(f"def function{n}(x):\n    return x + {n}\n" for n in range(60))
                modules = {f"{module}/m{n}.py": lines for n in range(40)}
                index.add(name, "1.0", modules={f"{module}/__init__.py": "", **modules})
            line = f"-i {index.url} {' '.join(names)}"
            uv = [find_uv_bin(), "pip", "install", "--quiet", "--python", sys.executable]
            ways: dict[str, Callable[[], float]] = {
                "ours": lambda: self._magic("envinstall", f"--pip --engine uv {line}"),
                "pip": lambda: self._magic("pip", f"install {line}"),
                "uv": lambda: _seconds([*uv, *line.split()]),
            }
            took: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(self._runs + 1):
                for way, run in ways.items():
                    took[way].append(run())
                    remove = [find_uv_bin(), "pip", "uninstall", "--quiet", "--python"]
                    _seconds([*remove, sys.executable, *names])
        took = {way: seconds[1:] for way, seconds in took.items()}  # the first warms the caches
        what = f"`%envinstall --pip` of {WHEELS} wheels"
        _show(what, "`%pip install`", took["ours"], took["pip"], "15")
        _show(what, "`uv pip install` alone", took["ours"], took["uv"], "0.77 (1.3 times as long)")
        _show("`uv pip install` of the same", "`%pip install`", took["uv"], took["pip"], "10")

    def satisfied(self, channel: str) -> None:
        """Asking for what is there, dependencies checked too."""
        line = "packaging ipython"
        self._magic("envinstall", f"--pip {line}")
        pairs = [
            (self._magic("envinstall", f"--pip {line}"), self._magic("pip", f"install {line}"))
            for _ in range(self._runs)
        ]
        ours, theirs = (list(column) for column in zip(*pairs, strict=True))
        _show("already there, dependencies checked", "`%pip install`", ours, theirs, "30")
        if not CONDA:
            return
        self._rc.write_text(json.dumps({"channels": [channel]}))
        prefix = self._environment("there", "pymongo")
        line = f"--prefix {prefix} --conda pymongo"
        self._magic("envinstall", line)
        ours = [self._magic("envinstall", line) for _ in range(self._runs)]
        theirs = [
            _seconds([CONDA, "install", "--yes", *_at(prefix)], check=False)
            for _ in range(self._runs)
        ]
        _show("the same, of conda", f"`{Path(CONDA).name} install`", ours, theirs, "80")

    # How

    def _environment(self, name: str, *specs: str) -> Path:
        return create_environment(
            self._folder / name.replace(" ", "-"),
            "python",
            *specs,
            channels=[tiers.shim().url],
            packages=self._folder / "made",
        )

    def _magic(self, name: str, line: str) -> float:
        """Seconds that a line magic takes; what it prints is thrown away."""
        start = perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            self._shell.run_line_magic(name, line)
        return perf_counter() - start

    def _install(self, line: str, prefix: Path) -> tuple[float, float]:
        """Seconds of an install, without and with the bytecode made behind it; then undoes it."""
        start = perf_counter()
        seconds = self._magic("envinstall", line)
        pending = prefix / "conda-meta/jstackmagic.bytecode"
        while pending.exists():
            sleep(0.005)
        compiled = perf_counter() - start
        self._remove(prefix)
        return seconds, compiled

    def _remove(self, prefix: Path) -> None:
        self._magic("envremove", f"--prefix {prefix} --conda --engine rattler pymongo")


def large_channel(folder: Path, records: int) -> str:
    """A channel whose repodata has many records, of packages that nobody needs."""
    builder = ChannelBuilder(folder)
    builder.add_package("one", "1.0")
    builder.index()
    path = next(folder.glob("linux-*/repodata.json"), None) or next(folder.glob("*/repodata.json"))
    data = json.loads(path.read_bytes())
    (model,) = data["packages.conda"].values()
    for number in range(records):
        name, version = f"package{number // 20}", f"1.{number % 20}"
        needs = [f"package{number // 40} >=1.0", "python >=3.8"]
        data["packages.conda"][f"{name}-{version}-0.conda"] = {
            **model,
            "name": name,
            "version": version,
            "depends": needs,
            "sha256": f"{number:064x}",
        }
    path.write_text(json.dumps(data))
    for packed in folder.glob("*/repodata.json.zst"):
        packed.unlink()
    return builder.url


def _at(prefix: Path) -> list[str]:
    return ["--prefix", str(prefix), "pymongo"]


def _seconds(command: list[str], *, check: bool = True) -> float:
    start = perf_counter()
    subprocess.run(command, check=check, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


def _peak(command: list[str]) -> dict[str, float]:
    """The peak memory of a process in MB, once its caches are warm; its own, and mapped files'."""
    for _ in range(2):
        peak = {"resident": 0.0, "its own": 0.0}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            while process.poll() is None:
                with contextlib.suppress(OSError, TypeError):  # it ended just now
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    for kind, field in (("resident", "VmHWM"), ("its own", "RssAnon")):
                        found = re.search(rf"{field}:\s+(\d+) kB", status)
                        peak[kind] = max(peak[kind], int(found[1]) * 1024 / 1e6)  # type: ignore[index]
                sleep(0.002)
    return peak


def _within(command: list[str], limit: int, files: list[Path]) -> bool:
    """Return whether a process ends well in a control group of so many MB, with these files cold.

    The page cache of what it reads counts for the group that reads it first. Needs root.
    """
    root = Path("/sys/fs/cgroup")
    old = (root / "memory").is_dir()  # version 1
    group = (root / "memory" if old else root) / f"jstackmagic-{os.getpid()}"
    group.mkdir()
    try:
        name = "memory.limit_in_bytes" if old else "memory.max"
        (group / name).write_text(str(limit * 1_000_000))
        for path in files:
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        enter = ["/bin/sh", "-c", 'echo $$ >"$0"; exec "$@"', str(group / "cgroup.procs")]
        done = subprocess.run([*enter, *command], check=False, capture_output=True)
        return done.returncode == 0
    finally:
        sleep(0.5)  # the last process has to leave it
        group.rmdir()


def _median(seconds: list[float]) -> float:
    return statistics.median(seconds)


def _show(what: str, against: str, ours: list[float], theirs: list[float], target: str) -> None:
    ratio = statistics.median(other / one for one, other in zip(ours, theirs, strict=True))
    print(Row(what, against, _median(ours), _median(theirs), ratio, target))


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    words = said.stdout.strip()
    solver = os.environ.get("CONDA_SOLVER")
    return f"{words} ({solver} solver)" if solver else words


def _pip() -> str:
    said = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=True
    )
    return " ".join(said.stdout.split()[:2])


if __name__ == "__main__":
    main()
