"""The order for workers: all that this environment has beyond its image, and its archives."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..history.file import History
from ..managers import get
from ..managers.goal import Goal
from ..model.environment import Environment
from ..model.errors import CommandFailed, Stopped
from ..model.ledger import Ledger
from ..model.managers import of_environment
from ..model.packages import Package, PackageSet, normalise, same
from ..model.policy import Policy, is_denied
from ..where.metadata import read_packages
from ..where.ours import OWN, needs_of, reached
from . import worker
from .elsewhere import Elsewhere
from .packing import archive_row, modules_wheel, own_modules, packed, repacked

Key = tuple[str, str]


@dataclass(frozen=True)
class Cargo:
    """An order for workers, and a sentence for each thing that cannot be in it."""

    order: dict[str, Any]  #: see `worker`
    left_out: tuple[str, ...] = ()  #: the sentences
    elsewhere: Elsewhere | None = None  #: knows what another Python or platform needs beside it

    def fitted(self, answers: Iterable[Any]) -> Cargo:
        """Return it with what the workers' own Pythons and platforms need.

        Args:
            answers: The results of `worker.look`; any other answer is passed over.
        """
        if self.elsewhere is None:
            return self
        order = {**self.order, "wheels": [*self.order["wheels"]], "lacks": []}
        for where, row in self.elsewhere.every(each for each in answers if isinstance(each, dict)):
            order[where].append(row)
        return replace(self, order=order)

    @property
    def rows(self) -> list[dict[str, Any]]:
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
        "lacks": [],
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
    left = {*own, "python"}
    needs: dict[Key, set[Key]] = {
        key: {one for one in needed if one[1] not in left}
        for key, needed in needs_of(environment, here).items()
    }
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
        modules: Whether modules of the working folder that were imported go along.
        via: ``cluster``, or ``index`` where each worker asks its own.

    Raises:
        Stopped: The policy forbids one of the packages.
    """
    here = read_packages(environment, of_environment())
    packages, recorded = wanted(history.ledger(), environment, here, own)
    denied = [
        p.name for p in packages if is_denied(policy, p.manager, p.name) and p.key in recorded
    ]
    if denied:
        raise Stopped(
            f"Not allowed here, and not sent: {', '.join(denied)}.",
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
    origins = history.ledger().origins()
    elsewhere = Elsewhere(environment, packages, frozenset(own), origins, policy)
    return Cargo(made, tuple(found.left_out), elsewhere)


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
            elif package.manager == "pip":
                row = self._project(package) if package.editable else self._wheel(package)
                self.wheels.append({**row, **_minors(row.get("requires_python")), **asked})
            else:
                raise ValueError(f"{package.manager}'s packages are not")
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
                    return repacked(wheel)[0]
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
        if files := dict(own_modules(os.getcwd())):
            self.wheels.append(modules_wheel(files))


def _minors(requires: str | None) -> dict[str, list[str]]:
    """Return the minor versions of Python that a wheel is for, where it says that."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        those = SpecifierSet(requires or "")
    except InvalidSpecifier:  # pip passes over it as well
        return {}
    minors = [f"3.{number}" for number in range(4, 40)]
    fit = [each for each in minors if any(map(those.contains, (each, f"{each}.99")))]
    return {"minors": fit} if fit != minors else {}
