"""The order for workers: all that this environment has beyond its image, and its archives."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..managers import get
from ..managers.goal import Goal
from ..model.environment import Environment
from ..model.errors import NOTHING_CHANGED, CommandFailed, Stopped
from ..model.packages import Package, PackageSet, normalise, same
from ..model.policy import is_denied
from ..where.ours import OWN, needs_of, reached
from ..where.packages import read_details, read_packages
from . import worker

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping  # noqa: TC004

    from ..history.file import History  # noqa: TC004
    from ..model.ledger import Ledger
    from ..model.policy import Policy

Key = tuple[str, str]

FOLDER_MODULES = "jstackmagic-working-folder"
"""The distribution in which modules of the working folder travel."""


@dataclass(frozen=True)
class Cargo:
    """An order for workers, and a sentence for each thing that cannot be in it.

    Attributes:
        order: See `worker`.
        left_out: The sentences.
    """

    order: dict[str, Any]
    left_out: tuple[str, ...] = ()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The packages to have."""
        return [*self.order["wheels"], *self.order["conda"]]

    @property
    def size(self) -> int:
        """Bytes of all archives."""
        return sum(row["size"] for row in self.rows)


def order(environment: Environment, **more: Any) -> dict[str, Any]:
    """Return an order for nothing but what is said, for workers like an environment."""
    return {
        "python": environment.ref.minor,
        "platform": sysconfig.get_platform(),
        "place": worker.identity(environment.prefix),
        "wheels": [],
        "conda": [],
        "remove": [],
        "via": "cluster",
        "again": False,
        **more,
    }


def wanted(
    ledger: Ledger, environment: Environment, here: PackageSet, own: Collection[str]
) -> tuple[list[Package], set[Key]]:
    """Return the recorded packages with all that they need, and the keys of the recorded ones.

    Args:
        ledger: The history's ledger.
        environment: The kernel's environment.
        here: Its packages now.
        own: The distributions of the cluster itself, which must not change while it runs.
    """
    place = os.path.normpath(environment.prefix)
    moves = ledger.moves()
    recorded = {
        key[1:]
        for key, move in moves.items()
        if key[0] == place and move.left and same(here.by_key.get(key[1:]), move.left)
    }
    recorded |= {p.key for p in here.packages if p.editable and p.key != OWN}
    needs: dict[Key, set[Key]] = {
        key: {one for one in needed if one[1] not in own}
        for key, needed in needs_of(environment, here).items()
    }
    if environment.is_conda:
        for detail in read_details(environment.prefix):
            names = {depend.split()[0] for depend in detail.depends}
            there = {("conda", name) for name in names if ("conda", name) in here}
            needs.setdefault(("conda", detail.name), set()).update(there - {("conda", "python")})
    roots = {key for key in recorded if key[1] not in own}
    found = reached(roots, needs) | roots
    return [here.by_key[key] for key in sorted(found) if key in here], recorded


def load(
    history: History,
    environment: Environment,
    policy: Policy,
    *,
    own: Collection[str] = (),
    modules: bool = False,
    via: str = "cluster",
) -> Cargo:
    """Make the archives of what this environment has beyond its image.

    Wheels are made again from the installed files, so that no index is needed.

    Args:
        history: The history that says what was installed.
        environment: The kernel's environment.
        policy: The administrator's policy here.
        own: The distributions of the cluster itself.
        modules: Whether modules of the working folder that were imported go along.
        via: ``cluster``, or ``index`` where each worker asks its own.

    Raises:
        Stopped: The policy forbids one of the packages.
    """
    here = read_packages(environment, ("conda", "pip"))
    packages, recorded = wanted(history.ledger(), environment, here, own)
    denied = [
        p.name for p in packages if is_denied(policy, p.manager, p.name) and p.key in recorded
    ]
    if denied:
        raise Stopped(
            f"{', '.join(denied)} may not be here, and is sent nowhere.",
            kept=NOTHING_CHANGED,
            advice="The JStackMagic settings of IPython's configuration say so.",
        )
    found = _Loading(environment, history, recorded)
    for package in packages:
        found.add(package, here)
    if modules:
        found.add_modules()
    if debian := sorted(key[2] for key in history.ledger().moves() if not key[0]):
        found.left_out.append(f"Debian packages are not sent to workers: {', '.join(debian)}.")
    made = order(environment, wheels=found.wheels, conda=found.conda, via=via)
    return Cargo(made, tuple(found.left_out))


@dataclass
class _Loading:
    environment: Environment
    history: History
    recorded: Collection[Key]
    wheels: list[dict[str, Any]] = field(default_factory=list)
    conda: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, package: Package, here: PackageSet) -> None:
        asked = {"asked": package.key in self.recorded and package.requested}
        try:
            if package.manager == "conda":
                self.conda.append({**self._conda(package, here), **asked})
            elif package.editable:
                self.wheels.append({**self._project(package), **asked})
            else:
                self.wheels.append({**self._wheel(package), **asked})
        except (ValueError, OSError, CommandFailed) as error:
            reason = error.problem if isinstance(error, CommandFailed) else str(error)
            self.left_out.append(f"{package.name} is not sent: {reason.rstrip('.')}.")

    def _wheel(self, package: Package) -> dict[str, Any]:
        info = self._infos.get(package.name)
        if info is None:
            raise ValueError("it has no *.dist-info with a list of its files")
        return packed(info)

    @property
    def _infos(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for site in self.environment.site_packages:
            for info in worker.infos(site):
                found.setdefault(normalise(os.path.basename(info).split("-")[0]), info)
        return found

    def _project(self, package: Package) -> dict[str, Any]:
        """Build an editable project's wheel, without an index where its back end is here."""
        from ..io import process
        from ..model.plan import Command

        path = package.source.removeprefix("file://")
        pip = (self.environment.executable or sys.executable, "-m", "pip", "wheel", "--no-deps")
        with tempfile.TemporaryDirectory() as folder:
            for more in (("--no-build-isolation",), ()):
                words = (*pip, *more, "--quiet", "--wheel-dir", folder, path)
                made = process.capture(Command(words))
                for wheel in Path(folder).glob("*.whl"):
                    return repacked(wheel)
        raise CommandFailed(f"its project {path} cannot be built: {made.stderr.strip()[-300:]}")

    def _conda(self, package: Package, here: PackageSet) -> dict[str, Any]:
        import json

        archives = get("conda").archives(self.history.path.parent / "kept")
        assert archives is not None
        goal = Goal(None, (), {}, (), self.history.ledger().origins())
        path = archives.of(package)
        if path is None and (reason := archives.why_not(package, goal)):
            raise ValueError(reason)
        if path is None:
            (path,) = archives.keep([package], goal, self.environment)
        meta = Path(self.environment.prefix, "conda-meta", f"{package.stem}.json")
        record = json.loads(meta.read_bytes())
        for name in (
            "files",
            "paths_data",
            "link",
            "extracted_package_dir",
            "package_tarball_full_path",
        ):
            record.pop(name, None)
        row = archive_row(path)
        words = {"name": package.name, "version": package.version, "build": package.build}
        return {**row, **words, "noarch": bool(record.get("noarch")), "record": record}

    def add_modules(self) -> None:
        """Add what this kernel has imported from its working folder."""
        if files := dict(_own_modules(os.getcwd())):
            self.wheels.append(modules_wheel(files))


def packed(info: str) -> dict[str, Any]:
    """Return the row of an installed distribution's wheel, made once.

    Raises:
        ValueError: One of its files was changed, or it has no list of them.
    """
    import json

    made = worker.fingerprint(worker.rows_of(info))
    note = Path(worker.store(), "packed", f"{made}.json")
    if made and note.exists():
        row: dict[str, Any] = json.loads(note.read_bytes())
        if worker.is_kept(row):
            return row
    row = worker.pack(info)
    worker.write(str(note), json.dumps(row).encode())
    return row


def archive_row(path: Path) -> dict[str, Any]:
    """Return the row of an archive, which is kept in this host's store."""
    import hashlib

    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    row = {"file": path.name, "sha256": digest, "size": len(data)}
    if not worker.is_kept(row):
        worker.keep(row, data)
    return row


def row_of(wheel: Path) -> dict[str, Any]:
    """Return the row of a wheel on disk."""
    import csv
    import zipfile

    from packaging.utils import parse_wheel_filename

    name, version, _, tags = parse_wheel_filename(wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        record = next(each for each in archive.namelist() if each.endswith(".dist-info/RECORD"))
        rows = [row for row in csv.reader(archive.read(record).decode().splitlines()) if row]
    return {
        **archive_row(wheel),
        "name": str(name),
        "version": str(version),
        "print": worker.fingerprint(rows),
        "pure": all(tag.platform == "any" and tag.abi == "none" for tag in tags),
    }


def _own_modules(folder: str) -> Iterator[tuple[str, Path]]:
    """Yield the files of the modules that were imported from a folder, by their place in it."""
    root = Path(folder).resolve()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or "." in name or name == "__main__":
            continue
        path = Path(file).resolve()
        if path == root / f"{name}.py":
            yield path.name, path
        elif path == root / name / "__init__.py":
            for each in sorted(path.parent.rglob("*")):
                inside = each.relative_to(root)
                hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
                if each.is_file() and not hidden:
                    yield inside.as_posix(), each


def modules_wheel(files: Mapping[str, Path]) -> dict[str, Any]:
    """Return the row of a wheel made of modules, whose version is the hash of their content."""
    import hashlib

    content = {name: path.read_bytes() for name, path in files.items()}
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    version = f"0+{digest.hexdigest()[:12]}"
    stem = f"{FOLDER_MODULES.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {FOLDER_MODULES}\nVersion: {version}\n"
    wheel = "Wheel-Version: 1.0\nGenerator: jstackmagic\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    content[f"{stem}.dist-info/METADATA"] = metadata.encode()
    content[f"{stem}.dist-info/WHEEL"] = wheel.encode()
    return _made(stem, content)


def repacked(wheel: Path) -> dict[str, Any]:
    """Return the row of a wheel with a whole list of its files, whatever its back end wrote."""
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if not n.endswith(("/", ".dist-info/RECORD"))]
        content = {name: archive.read(name) for name in names}
    info = next(name for name in names if name.endswith(".dist-info/WHEEL"))
    return _made(info.partition(".dist-info/")[0], content)


def _made(stem: str, content: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the row of a wheel made of files."""
    rows = [worker.record_row(name, data, "") for name, data in content.items()]
    members = {name: (data, False) for name, data in content.items()}
    return worker.archive(stem, members, worker.fingerprint(rows))
