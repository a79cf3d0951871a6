"""Real environments: conda's, made from a channel with py-rattler, and virtual ones."""

from __future__ import annotations

import asyncio
import atexit
import base64
import compileall
import csv
import functools
import hashlib
import os
import py_compile
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from uv import find_uv_bin

from . import cache
from .standin_conda import StandIn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from rattler import PrefixRecord, RepoDataRecord

_T = TypeVar("_T")

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
"""The folder below ``lib`` of an environment with the running Python."""


def delete_environment(prefix: Path) -> None:
    """Deletes an environment, when what compiles its modules behind an install has ended."""
    end = time.monotonic() + 120
    while (prefix / "conda-meta/jstackmagic.bytecode").exists():
        assert time.monotonic() < end, f"the modules of {prefix} are still being compiled"
        time.sleep(0.05)
    for thread in threading.enumerate():
        if thread.name == "jstackmagic-bytecode":  # puts it into the cache of packages, too
            thread.join(120)
    shutil.rmtree(prefix)


def create_environment(
    prefix: Path,
    *specs: str,
    channels: Sequence[str],
    packages: Path,
    command: str = "conda",
) -> Path:
    """Creates a conda environment as `COMMAND create --prefix PREFIX SPEC...` would.

    `channels` are URLs, the first preferred; `packages` is the folder of extracted packages
    (`ROOT/pkgs` in conda's own layout). Returns the prefix.
    """
    _apply(prefix, "create", specs, channels=channels, packages=packages, command=command)
    return prefix


def add_packages(
    prefix: Path,
    *specs: str,
    channels: Sequence[str],
    packages: Path,
    command: str = "conda",
) -> None:
    """Changes an environment as `COMMAND install --prefix PREFIX SPEC...` would."""
    _apply(prefix, "install", specs, channels=channels, packages=packages, command=command)


@dataclass(frozen=True)
class Root:
    """A conda root laid out as its installer does, but without conda: no wheel brings that."""

    prefix: Path
    channels: tuple[str, ...]

    @property
    def packages(self) -> Path:
        """The folder of extracted packages."""
        return self.prefix / "pkgs"

    def create(self, name: str, *specs: str) -> Path:
        """Creates a named environment and returns its prefix."""
        prefix = self.prefix / "envs" / name
        return create_environment(prefix, *specs, channels=self.channels, packages=self.packages)

    def stand_in(self, tool: str = "conda") -> StandIn:
        """Puts a recording stand-in where the root's executable would be."""
        stand_in = StandIn(self.prefix / "condabin", tool)
        (self.prefix / "bin" / tool).symlink_to(stand_in.executable)
        return stand_in


def make_root(folder: Path, *specs: str, channels: Sequence[str]) -> Root:
    """Creates a root whose base environment has `specs`; its packages are extracted to its own
    `pkgs`, so that its environments' records lead back to it."""
    root = Root(folder, tuple(channels))
    create_environment(folder, *specs, channels=channels, packages=root.packages)
    for name in ("condabin", "envs"):
        (folder / name).mkdir()
    for listing in ("urls", "urls.txt"):
        (root.packages / listing).touch()
    return root


def make_venv(folder: Path, *, base: Path | None = None, pip: bool = True) -> Path:
    """Creates a virtual environment with the standard library's venv, and returns its prefix.

    `base` is the prefix it stands on: a conda environment with a full Python (a shim's venv would
    stand on what the shim links to), by default the running Python's.
    """
    if base is None:
        # scripts begin with another line where a kernel's limits for a first one are met
        name = "a venv" if " " in str(folder) or len(str(folder)) > 100 else "venv"
        inputs = (name, sys.executable, sys.version, _pip_wheel().name if pip else "")
        kept = cache.kept("venv", inputs, lambda made: _make_first(made / name, pip=pip))
        return _moved(kept / name, Path((kept / "made-as").read_text()), folder)
    python = base / "bin" / "python"
    # Without ensurepip, which takes two seconds; uv puts pip there in a tenth of one.
    _run(python, "-m", "venv", "--without-pip", folder)
    if pip:
        wheels = _pip_wheel().parent
        words = ("--offline", "--no-index", "--find-links", wheels)
        uv("pip", "install", *words, "pip", prefix=folder)
        _share_bytecode_of_pip(folder)
    return folder


def _make_first(prefix: Path, *, pip: bool) -> None:
    """Makes the one that the others are copies of."""
    make_venv(prefix, base=Path(sys.prefix), pip=pip)
    (prefix.parent / "made-as").write_text(str(prefix))


def _moved(template: Path, made_as: Path, folder: Path) -> Path:
    """Copies an environment by hard links, but for the files that say where it is."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _run("/bin/cp", "-alT", template, folder)  # where there is no PATH, and into a folder
    texts = [path for path in folder.glob("bin/*") if not path.is_symlink()]
    site = folder / f"lib/{PYTHON}/site-packages"
    hashes = {}
    for path in (*texts, folder / "pyvenv.cfg"):
        _write_own(path, path.read_bytes().replace(bytes(made_as), bytes(folder)))
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        name = os.path.relpath(path, site)
        hashes[name] = f"{name},sha256={digest.decode().rstrip('=')},{path.stat().st_size}"
    for record in site.glob("pip-*.dist-info/RECORD"):
        lines = record.read_text().splitlines()
        lines = [hashes.get(line.partition(",")[0], line) for line in lines]
        _write_own(record, "\n".join([*lines, ""]).encode())
    return folder


def _write_own(path: Path, content: bytes) -> None:
    """Writes a file that others have by a hard link."""
    mode = path.stat().st_mode
    path.unlink()
    path.write_bytes(content)
    path.chmod(mode)


def _pip_wheel() -> Path:
    return cache.wheels(["--no-deps", "pip"])[0]


def _share_bytecode_of_pip(prefix: Path) -> None:
    """Gives an environment's pip its bytecode: each first run would spend half a second on it.

    It is checked by the hash of the source, so that of another pip it does nothing.
    """

    def compile_it(folder: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
        quiet = {"quiet": 2, "workers": 2, "maxlevels": 20}
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "pip", invalidation_mode=mode, **quiet)

    wheel = _pip_wheel()
    kept = cache.kept("pip-bytecode", (sys.version, wheel.name), compile_it)
    for place in prefix.glob(f"lib/{PYTHON}/site-packages/pip"):
        for cached in kept.rglob("__pycache__"):
            target = place.parent / cached.relative_to(kept)
            if target.parent.is_dir() and not target.exists():
                target.mkdir()
                for file in cached.iterdir():
                    os.link(file, target / file.name)


def share_bytecode(prefix: Path) -> None:
    """Has the modules of an environment compiled once for all environments with the same ones.

    Whoever imports one first compiles it; Python holds it against the source's time and size,
    which installers keep. What is installed later has bytecode of its own.
    """
    site = prefix / f"lib/{PYTHON}/site-packages"
    for record in site.glob("*.dist-info/RECORD"):
        rows = [row for row in csv.reader(record.read_text().splitlines()) if row[0][-3:] == ".py"]
        folders = {os.path.dirname(row[0]) for row in rows} - {""}
        kept = cache.kept("bytecode", (sys.version, rows), lambda _: None) if folders else Path()
        for folder in folders:
            own = site / folder / "__pycache__"
            if own.parent.is_dir() and not own.exists() and not folder.startswith(".."):
                (kept / folder).mkdir(parents=True, exist_ok=True)
                own.symlink_to(kept / folder)


def make_uv_venv(folder: Path, *, base: Path | None = None) -> Path:
    """Creates a virtual environment with uv: it has no pip. Returns its prefix."""
    python = sys.executable if base is None else base / "bin" / "python"
    _run(find_uv_bin(), "venv", "--no-project", "--no-config", "--python", python, folder)
    return folder


def uv(*arguments: str | Path, prefix: Path) -> None:
    """Runs uv on the environment at `prefix`, as in `uv("pip", "install", "six", prefix=...)`."""
    _run(find_uv_bin(), *arguments, "--python", prefix / "bin" / "python")


def _run(*command: str | Path) -> None:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"


def _apply(
    prefix: Path,
    verb: str,
    specs: Sequence[str],
    *,
    channels: Sequence[str],
    packages: Path,
    command: str,
) -> None:
    before = {str(record.name.normalized): record for record in _records(prefix)}
    after = _in_own_loop(
        lambda: _solve_and_install(prefix, specs, list(before.values()), channels, packages)
    )
    _share_bytecode_of_pip(prefix)
    argv = [command, verb, "--prefix", str(prefix), *specs]
    _append_history(prefix, argv, specs, before, {str(r.name.normalized): r for r in after})


def _records(prefix: Path) -> list[PrefixRecord]:
    from rattler import PrefixRecord

    return [PrefixRecord.from_path(path) for path in sorted(prefix.glob("conda-meta/*.json"))]


async def _solve_and_install(
    prefix: Path,
    specs: Sequence[str],
    installed: list[PrefixRecord],
    channels: Sequence[str],
    packages: Path,
) -> list[RepoDataRecord]:
    from rattler import Channel, Gateway, MatchSpec, VirtualPackage, install, solve

    asked = [MatchSpec(spec) for spec in specs]
    kept = [MatchSpec(str(record.name.normalized)) for record in installed]
    solution = await solve(
        sources=[Channel(url) for url in channels],
        specs=[*asked, *kept],
        gateway=Gateway(cache_dir=packages / "cache"),
        locked_packages=installed,
        virtual_packages=VirtualPackage.detect(),
    )
    requested = {str(spec.name.normalized): spec for spec in asked if spec.name is not None}
    for record in installed:
        for spec in record.requested_specs:
            requested.setdefault(str(record.name.normalized), MatchSpec(spec))
    await install(
        solution,
        target_prefix=prefix,
        cache_dir=packages,
        installed_packages=installed,
        # The wrapped objects: rattler 0.28 takes no others, whatever its annotation says.
        requested_specs=[spec._match_spec for spec in requested.values()],
        show_progress=False,
    )
    return solution


@functools.cache
def _installer_thread() -> ThreadPoolExecutor:
    # A process that ends right after rattler's install() can crash in tokio's own threads.
    atexit.register(time.sleep, 0.2)
    return ThreadPoolExecutor(1, "rattler")


def _in_own_loop(work: Callable[[], Awaitable[_T]]) -> _T:
    """Runs `work` in an event loop of its own: the caller may be inside one already."""

    async def main() -> _T:
        return await work()

    return _installer_thread().submit(lambda: asyncio.run(main())).result()


def _append_history(
    prefix: Path,
    argv: Sequence[str],
    specs: Sequence[str],
    before: dict[str, PrefixRecord],
    after: dict[str, RepoDataRecord],
) -> None:
    """Writes what rattler does not: the lines conda finds the user's own specs in."""
    removed = {_distribution(record) for record in before.values()}
    added = {_distribution(record) for record in after.values()}
    lines = [time.strftime("==> %Y-%m-%d %H:%M:%S <=="), f"# cmd: {' '.join(argv)}"]
    lines += sorted(f"-{name}" for name in removed - added)
    lines += sorted(f"+{name}" for name in added - removed)
    lines.append(f"# update specs: {list(specs)!r}")
    with (prefix / "conda-meta" / "history").open("a") as history:
        history.write("\n".join(lines) + "\n")


def _distribution(record: RepoDataRecord) -> str:
    channel = (record.channel or "").rstrip("/")
    return f"{channel}/{record.subdir}::{record.name.normalized}-{record.version}-{record.build}"


def settled(prefix: Path) -> None:
    """Wait until the bytecode of an environment is made, which goes on behind an install."""
    from jstackmagic.managers.conda.rattler import bytecode, journal

    deadline = time.monotonic() + 120
    while Path(prefix, bytecode.LIST).exists() or not journal.is_free(str(prefix)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
