"""Kept wheels: a folder for pip's ``--find-links``."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...io import process
from ...io.files import sha256_of, write_file
from ...model.credentials import mask
from ...model.environment import Environment
from ...model.errors import CommandFailed
from ...model.packages import Package, PackageSet, as_on_disk
from ...model.plan import Command
from ...model.request import Request
from ...model.sources import Sources
from ...model.spec import Constraint, Requirement, Spec
from ..goal import Goal
from ..keep import Archives

_BUILT = ".of"
"""The suffix of the file next to a built wheel. It holds the hash of the source, which is the one
in the history, and the wheel's own.
"""


class Wheels(Archives):
    """A folder of wheels."""

    def of(self, package: Package) -> Path | None:
        for wheel in _wheels_of(package, self.folder):
            if package.sha256 in ("", _built_from(wheel)) or package.sha256 == sha256_of(wheel):
                return wheel
        return None

    def why_not(self, package: Package, goal: Goal) -> str:
        source = as_on_disk(package).source
        if source:  # a wheel of no index would come back as one of an index
            return f"{package.name} cannot be kept: it came from {mask(source)}, and from no index."
        return ""

    def keep(self, packages: Sequence[Package], goal: Goal, environment: Environment) -> list[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        runs: dict[tuple[str, ...], list[Package]] = {}
        for package in packages:
            runs.setdefault(_index_words(package, goal), []).append(package)
        files: list[Path] = []
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.folder) as folder:
            for words, mine in runs.items():
                files += self._fetch(mine, words, Path(folder), environment)
        return files

    def _fetch(
        self,
        packages: Sequence[Package],
        words: tuple[str, ...],
        folder: Path,
        environment: Environment,
    ) -> Iterator[Path]:
        """Have pip fetch or build the wheels; only those with a hash in the history are kept."""
        pip = (environment.executable or sys.executable, "-m", "pip", "wheel", "--no-deps")
        specs = (f"{package.name}=={package.version}" for package in packages)
        argv = (*pip, "--wheel-dir", str(folder), *words, *specs)
        done = process.capture(Command(argv, environ=(("PIP_NO_INPUT", "1"),)))
        if done.exit_status != 0:
            raise CommandFailed(mask(f"pip cannot fetch this.\n{done.stderr.strip()}"))
        for package in packages:
            for wheel in _wheels_of(package, folder):
                built = not package.url.endswith(".whl")
                if not built and package.sha256 not in ("", sha256_of(wheel)):
                    raise CommandFailed(f"{wheel.name} is another one now: its hash differs.")
                target = self.folder / wheel.name
                if built and package.sha256:
                    write_file(f"{target}{_BUILT}", f"{package.sha256} {sha256_of(wheel)}")
                yield wheel.replace(target)

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        known = {p.name: p for p in goal.there.values() if p.manager == "pip"}
        asked = [spec for request in installs for spec in request.specs]
        specs = [spec for spec in asked if not isinstance(spec, Constraint)]
        kept = [self._has(spec, known) for spec in specs]
        if not any(kept) or not all(has or _is_here(s) for has, s in zip(kept, specs, strict=True)):
            return None
        alone = [option for each in installs for option in each.options if option == "--no-deps"]
        return replace(
            installs[0],
            specs=tuple(dict.fromkeys(specs)),
            sources=Sources(find_links=(str(self.folder),)),
            options=(*alone[:1], "--no-index"),
        )

    def _has(self, spec: Spec, known: dict[str, Package]) -> bool:
        package = known.get(spec.name)
        if package is None or not isinstance(spec, Requirement) or spec.place:
            return False
        exact = spec.version.lstrip("= ") == package.version
        return exact and self.of(package) is not None


def _is_here(spec: Spec) -> bool:
    return os.path.isabs(spec.place) and os.path.exists(spec.place)


def _wheels_of(package: Package, folder: Path) -> Iterator[Path]:
    """Yield the wheels in a folder that are of a package's name and version."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if (name, str(version)) == (package.name, _plain(package.version)):
            yield path


def _plain(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def _built_from(wheel: Path) -> str | None:
    """Return the hash of a wheel's source; None if it was not built here, or has changed."""
    try:
        source, _, own = Path(f"{wheel}{_BUILT}").read_text().partition(" ")
    except FileNotFoundError:
        return None
    return source if own == sha256_of(wheel) else None


def _index_words(package: Package, goal: Goal) -> tuple[str, ...]:
    """Return pip's options for the index that the history knows a package came from."""
    came_by = goal.origins.request(package)
    if came_by is None:
        return ()
    alone = [option for option in came_by.options if option == "--no-index"]
    return (*came_by.sources.unmasked().words, *alone)
