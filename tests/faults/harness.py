"""Put a fault at the n-th call that changes a file, do what the messages say, and hold the result
against a run without faults."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import re
import select
import shlex
import stat
import subprocess
import sys
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import tracer
from .tracer import FAULTS, Job, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scenes import Operation, Scene

_IMPORTS = (
    *("jstackmagic.capture", "jstackmagic.commands", "jstackmagic.display", "jstackmagic.export"),
    *("jstackmagic.history", "jstackmagic.install", "jstackmagic.managers", "jstackmagic.restore"),
    *("asyncio", "csv", "msgspec.json", "packaging.requirements", "packaging.tags", "pickle"),
    *("rattler", "traitlets.config"),
)
"""Modules, and packages of ours with all that is in them: a run need not import them again."""

PATIENCE = 150
"""Seconds to wait for a command that takes one or two, on a machine that has as much else to do."""

_ADVICE = re.compile(r"inish it: jstackmagic ([^\n]*)")


class Bench:
    """The process that runs commands under faults; another one after a command that hung."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def _started(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        program = [sys.executable, tracer.__file__]
        process = subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True)
        print(json.dumps(_IMPORTS), file=process.stdin, flush=True)
        return process

    def run(self, scene: Scene, argv: list[str], fault: str = "", at: int = 0) -> tuple[Run, str]:
        """Run a command, and return what came of it and all that it said."""
        output = scene.root / "output"
        job = Job(
            argv=argv,
            watched=scene.watched,
            output=str(output),
            environ=scene.environ,
            folder=str(scene.root / "work"),
            fault=fault,
            at=at,
        )
        self._process = self._process or self._started()
        print(json.dumps(asdict(job)), file=self._process.stdin, flush=True)
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self.close()
            where = f"{fault} at {at}" if fault else "no fault"
            raise TimeoutError(f"{shlex.join(argv)} has hung for {PATIENCE} s with {where}")
        return Run(**json.loads(self._process.stdout.readline())), output.read_text()

    def close(self) -> None:
        """End the process, and what it traces with it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


# What is there


def signature(scene: Scene) -> dict[str, str]:
    """Return every file and folder of the environment and the user's, with what tells its content.

    Left out: bytecode, locks, conda's own history (its entries have a time), our history (`told`
    reads it), conda's list of environments with its folder, a container's own state, what dpkg
    writes over when it starts again, and what a process was writing when it was killed in the
    user's temporary folder.
    """
    found: dict[str, str] = {}
    for folder in map(Path, scene.watched):
        for path in folder.rglob("*"):
            name = str(path.relative_to(scene.root))
            removed = path.match("dpkg/info/*.list") and not path.with_suffix(".md5sums").exists()
            if not (_IGNORED.search(name) or removed):
                found[name] = _content(path)
    return found


_IGNORED = re.compile(
    r"home/run$|home/run/jstackmagic$|jstackmagic/(?:turn|replay|traceback)|__pycache__|\.pyc$|\.lock$|conda-meta/history$|/history/|jstackmagic\.bytecode$|\.torn$"
    r"|\.conda(?:/environments\.txt)?$|/\.rustup|^system/var/(?:log|cache|lib/apt)/"
    r"|^system/var/lib/dpkg/(?:.*-old$|lock|available|triggers/|status-new$|updates/tmp|tmp\.ci)"
)


def _content(path: Path) -> str:
    found = path.lstat()
    mode = found.st_mode
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"
    if stat.S_ISDIR(mode):
        return "folder"
    if path.match("dpkg/status") or path.name == "RECORD" or path.parent.name == "conda-meta":
        digest = hashlib.sha256(_meant(path)).hexdigest()
    else:
        digest = _sha256(path).hex()
    return f"{stat.S_IMODE(mode):o} {digest[:12]}"


def _meant(path: Path) -> bytes:
    """Return a list of what is installed, without what may differ."""
    data = path.read_bytes()
    if path.match("dpkg/status"):  # with the lists of removed packages, as dpkg may keep them
        stanzas = [each for each in data.strip().split(b"\n\n") if b" config-files" not in each]
        data = b"\n\n".join(sorted(stanzas))
    if path.name == "RECORD":
        data = b"\n".join(line for line in sorted(data.splitlines()) if b".pyc," not in line)
    if path.parent.name == "conda-meta" and path.suffix == ".json" and data:
        entries = json.loads(data)
        # after an undo that was cut off the words may be the exact ones: docs/reliability.md
        entries["requested_specs"] = bool(entries.pop("requested_spec", entries["requested_specs"]))
        entries["files"].sort()
        entries["paths_data"]["paths"].sort(key=lambda entry: entry["_path"])
        data = json.dumps(entries, sort_keys=True).encode()
    return data


def _sha256(path: Path) -> bytes:
    found = path.stat()
    return _read_once(path, found.st_ino, found.st_ctime_ns, found.st_size)


@lru_cache(maxsize=10_000)
def _read_once(path: Path, *_stamp: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def broken(scene: Scene) -> Iterator[str]:
    """Yield what the metadata promises and the disk does not hold."""
    for folder in scene.prefix.glob("lib/python*/site-packages/*.dist-info"):
        if not (folder / "METADATA").exists():
            yield f"{folder.name} has no METADATA"
        if not (folder / "RECORD").exists():
            if (
                folder.joinpath("INSTALLER").exists()
                and "conda" in (folder / "INSTALLER").read_text()
            ):
                continue
            if not any(scene.prefix.glob(f"conda-meta/{folder.name.split('-')[0]}-*.json")):
                yield f"{folder.name} has no RECORD"
            continue
        for row in csv.reader((folder / "RECORD").read_text().splitlines()):
            path = folder.parent / row[0]
            if not path.exists() and not row[0].endswith(".pyc"):
                yield f"{row[0]} is missing"
            elif row[1]:
                raw = base64.urlsafe_b64encode(_sha256(path)).rstrip(b"=").decode()
                if f"sha256={raw}" != row[1]:
                    yield f"{row[0]} has another hash"
    for sums in scene.system.glob("var/lib/dpkg/info/*.md5sums"):
        for line in sums.read_text().splitlines():
            digest, _, name = line.partition("  ")
            path = scene.system / name
            if not path.exists() or hashlib.md5(path.read_bytes()).hexdigest() != digest:
                yield f"{name} is missing, or not as dpkg installed it"
    for record in scene.prefix.glob("conda-meta/*.json"):
        if not record.stat().st_size:
            yield f"{record.name} is empty"
            continue
        for entry in json.loads(record.read_bytes())["paths_data"]["paths"]:
            path = scene.prefix / entry["_path"]
            if entry["path_type"] == "pyc_file":
                continue
            if not os.path.lexists(path):
                yield f"{entry['_path']} is missing"
            digest = entry.get("sha256_in_prefix") or entry.get("sha256")
            if entry["path_type"] == "hardlink" and digest and not _is(path, digest):
                yield f"{entry['_path']} has another hash"


def _is(path: Path, digest: str) -> bool:
    return path.exists() and _sha256(path).hex() == digest


def told(scene: Scene) -> dict[str, object]:
    """Return what the history comes to: the recipe, what is there, and no record left open."""
    from jstackmagic.history.file import History

    path = Path(scene.environ["JSTACKMAGIC_HISTORY"])
    ledger = History(path).ledger()
    recipe = ledger.recipe()
    return {
        "recipe": sorted(str(item.spec) for step in recipe.steps for item in step.install),
        "removals": sorted(str(name) for step in recipe.steps for name in step.remove),
        "present": sorted(f"{p.package.name} {p.package.version}" for p in ledger.present()),
        "running": [record.id for record in ledger.records if record.status == "running"],
        "files": sorted(
            file.name for file in path.parent.iterdir() if file.suffix not in (".lock", ".torn")
        ),
    }


# One point


@dataclass
class Point:
    """One fault, and how it went.

    Attributes:
        fault: One of the tracer's.
        at: The number of the call it was in.
        failed: That call.
        first: "before", "after" or "between": how the fault left the environment.
        lines: The lines that made it right.
        problems: What is not right in the end; empty where all is.
        said: What each line said.
    """

    fault: str
    at: int
    failed: str = ""
    first: str = ""
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Examination:
    """An operation, examined at one call after the other.

    Args:
        scene: Empty.
        operation: What is done in it.
        bench: Runs it.
    """

    def __init__(self, scene: Scene, operation: Operation, bench: Bench) -> None:
        self.scene, scene.bench, self._bench = scene, bench, bench
        self.operation = operation
        self.argv = operation.ready(scene)
        scene.save()
        self._before = signature(scene)
        if operation.engine in ("rattler", "uv"):  # have a cache that is not watched
            self.run(self.argv)
            scene.restore()
        done, said = self.run(self.argv)
        assert done.status == 0, said
        assert not [*broken(scene)], [*broken(scene), said]
        self._after, self._told = signature(scene), told(scene)
        self.calls = done.calls

    def run(self, argv: list[str], fault: str = "", at: int = 0) -> tuple[Run, str]:
        """Run a command in the scene."""
        return self._bench.run(self.scene, argv, fault, at)

    def sample(self, count: int, faults: tuple[str, ...]) -> list[tuple[str, int]]:
        """Return so many points, the same ones each time, spread evenly over calls; all of them
        where `count` is as many.

        An operation's first call, number and fault, comes from its name, so that the operations
        together meet every fault early, late and in between.
        """
        every = [(fault, at) for at in range(1, self.calls + 1) for fault in faults]
        if count >= len(every):
            return every
        start = zlib.crc32(self.operation.id.encode()) % 997 / 997
        step = self.calls / count
        return [
            (faults[(int(start * 997) + n) % len(faults)], 1 + int(step * (n + start)))
            for n in range(count)
        ]

    def point(self, fault: str, at: int) -> Point:
        """Put in a fault, and do as told until it is right."""
        scene = self.scene
        scene.restore()
        found = Point(fault, at)
        done, said = self.run(self.argv, fault, at)
        found.failed = done.failed
        found.said.append(said)
        now = signature(scene)
        states = {"before": self._before, "after": self._after}
        found.first = next((name for name, state in states.items() if state == now), "between")
        if self.operation.whole:
            found.problems += [
                f"{name} was changed in part"
                for name, was in self._before.items()
                if now.get(name) not in (was, self._after.get(name))
            ]
        self._type(self.argv, found)
        wrong = self._wrong()
        if wrong and (named := self._named(found)):
            self._type(shlex.split(named), found)
            if wrong := self._wrong():
                self._type(self.argv, found)
                wrong = self._wrong()
        found.problems += wrong
        if fault in ("error", "oom") and found.failed.startswith("rmdir"):
            # uv takes it for no error that an empty folder stays
            found.problems = [each for each in found.problems if "with env" not in each]
        return found

    def _type(self, argv: list[str], found: Point) -> None:
        found.lines.append(shlex.join(argv))
        found.said.append(self.run(argv)[1])
        if "Traceback (most recent call last)" in found.said[-1]:
            found.problems.append(f"{found.lines[-1]}: a traceback")

    @staticmethod
    def _named(found: Point) -> str:
        """Return the line that the last message names that names one."""
        return next((m[1] for text in reversed(found.said) if (m := _ADVICE.search(text))), "")

    def _wrong(self) -> list[str]:
        now = signature(self.scene)
        problems = [*broken(self.scene)][:3]
        if now != self._after:
            problems.append(_difference(self._after, now))
        history = told(self.scene)
        problems += [
            f"{key}: {history[key]} instead of {value}"
            for key, value in self._told.items()
            if history[key] != value
        ]
        return problems


def _difference(wanted: dict[str, str], found: dict[str, str]) -> str:
    return "; ".join(
        [f"without {name}" for name in sorted(wanted.keys() - found.keys())][:4]
        + [f"with {name}" for name in sorted(found.keys() - wanted.keys())][:4]
        + [
            f"{name} is {found[name]}, not {wanted[name]}"
            for name in sorted(wanted.keys() & found.keys())
            if wanted[name] != found[name]
        ][:4]
    )


def summary(points: list[Point]) -> str:
    """Return the figures of some points in a line."""
    first = Counter(point.first for point in points)
    lines = Counter(len(point.lines) for point in points)
    bad = sum(1 for point in points if point.problems)
    states = ", ".join(f"{count} {name}" for name, count in sorted(first.items()))
    return (
        f"{len(points)} points ({states}); the same line again was enough at {lines[1]}, "
        f"one named line more at {sum(lines.values()) - lines[1]}; not right at {bad}"
    )


def row(name: str, calls: int, points: list[Point]) -> str:
    """Return a line of the table in docs/reliability.md."""
    faults = Counter(point.fault for point in points)
    wrong = Counter(point.fault for point in points if point.problems)
    cells = [
        f"{count - wrong[fault]} of {count}" if (count := faults[fault]) else "" for fault in FAULTS
    ]
    return f"| {' | '.join([name, str(calls), *cells])} |"
