"""Archives kept in the home volume: with them a replay needs no network, and nothing is solved.

Beside the history, in ``kept``: ``wheels`` is a folder for pip's ``--find-links``, ``conda`` a
package cache as conda lays it out, archives alone, and ``debian`` has archives for apt-get.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..io.files import write_file
from ..managers import get
from ..managers.apt.engine import archive_name
from ..managers.apt.restore import apt_spec
from ..managers.conda.restore import conda_spec
from ..model.credentials import MASK, mask
from ..model.errors import CommandFailed
from ..model.managers import of_environment, of_system
from ..model.packages import as_on_disk, same
from ..model.sources import Sources
from ..model.spec import Constraint, Requirement, Spec, read_all
from ..where.packages import read_packages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..display.console import Console
    from ..history.file import History
    from ..managers.conda.rattler.engine import Wire
    from ..managers.goal import Goal
    from ..model.environment import Environment
    from ..model.packages import ManagerName, Package, PackageSet
    from ..model.request import Request

_BUILT = ".of"
"""Ends the name of a file beside a wheel that was built: it holds the hash of what it was built
from, which is the one that the history knows, and the wheel's own."""

_HASH = ".sha256"
"""Ends the name of a file beside a Debian archive, with its hash: no history knows that."""


@dataclass(frozen=True)
class Taken:
    """The outcome of keeping packages.

    Attributes:
        files: What is kept now and was not.
        left_out: What cannot be kept, and why, a sentence each.
    """

    files: tuple[Path, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of these files."""
        return sum(file.stat().st_size for file in self.files)


class Store:
    """The packages that are kept.

    Args:
        folder: Where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.wheels = folder / "wheels"
        self.conda = folder / "conda"
        self.debian = folder / "debian"

    @classmethod
    def beside(cls, history: History) -> Store:
        """Return what is kept beside a history."""
        return cls(history.path.parent / "kept")

    def file_of(self, package: Package) -> Path | None:
        """What is kept of a package: of its version and, where that is known, with its hash."""
        if package.manager == "conda":
            path = self.conda / package.url.rpartition("/")[2]
            whole = package.url and path.is_file() and package.sha256 in ("", _sha256(path))
            return path if whole else None
        if package.manager == "apt":
            return _whole(self.debian / archive_name(package))
        if package.manager != "pip":
            return get(package.manager).kept(package, self.folder / package.manager)
        for wheel in _wheels_of(package, self.wheels):
            if package.sha256 in ("", _built_from(wheel)) or package.sha256 == _sha256(wheel):
                return wheel
        return None

    # Serving a replay

    def serve(
        self, requests: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> list[Request] | None:
        """The same requests, made to do with what is kept; None where that is not enough.

        Args:
            requests: Of one manager, the exact packages there were.
            goal: What they come from.
            here: What is there now.
            environment: Where.
        """
        installs = [request for request in requests if request.action == "install"]
        others = [request for request in requests if request.action != "install"]
        if not installs:
            return None
        if installs[0].manager == "apt":
            served = self._apt_request(installs, goal, here)
        elif installs[0].manager == "conda":
            served = self._conda_request(installs, goal, here, environment)
        elif installs[0].manager == "pip":
            served = self._pip_request(installs, goal)
        else:
            manager = installs[0].manager
            served = get(manager).serve(installs, self.folder / manager)
        return None if served is None else [*others, served]

    def _apt_request(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet
    ) -> Request | None:
        """What was asked for, and what came with it and is not here: as files, with no list."""
        known = {name: p for (manager, name), p in goal.there.items() if manager == "apt"}
        specs = [spec for request in installs for spec in request.specs]
        files = [spec for spec in specs if _is_here(spec)]
        named = [known.get(spec.name) for spec in specs if spec not in files]
        needed = [p for name, p in known.items() if here.get("apt", name) is None]
        wanted = {package: package and self.file_of(package) for package in (*named, *needed)}
        if not all(wanted.values()):
            return None
        return replace(
            installs[0],
            specs=tuple(dict.fromkeys((*files, *read_all("apt", map(str, wanted.values()))))),
        )

    def _conda_request(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        """By the archives' addresses, which conda puts in as they are: hence nothing may lack."""
        from ..managers.conda.spec import read_archive
        from .needs import broken_by, lacking

        known = {conda_spec(p, "channel"): p for p in goal.there.values() if p.manager == "conda"}
        packages = [known.get(spec) for request in installs for spec in request.texts]
        files = [package and self.file_of(package) for package in packages]
        if not all(files):
            return None
        after = {package.key: package for package in packages if package}
        depends = {
            archive.name: archive.depends for archive in (read_archive(str(f)) for f in files)
        }
        if broken_by(after, here, environment) or lacking(depends, {**here.by_key, **after}):
            return None
        return replace(
            installs[0],
            specs=read_all("conda", (package.url for package in packages if package)),
            sources=Sources(),
        )

    def _pip_request(self, installs: Sequence[Request], goal: Goal) -> Request | None:
        known = {p.name: p for p in goal.there.values() if p.manager == "pip"}
        asked = [spec for request in installs for spec in request.specs]
        specs = [spec for spec in asked if not isinstance(spec, Constraint)]
        if not all(_is_here(spec) or self._has(spec, known) for spec in specs):
            return None
        alone = [option for each in installs for option in each.options if option == "--no-deps"]
        return replace(
            installs[0],
            specs=tuple(dict.fromkeys(specs)),
            sources=Sources(),
            options=(*alone[:1], "--no-index", "--find-links", str(self.wheels)),
        )

    def _has(self, spec: Spec, known: dict[str, Package]) -> bool:
        package = known.get(spec.name)
        if package is None or not isinstance(spec, Requirement) or spec.place:
            return False
        exact = spec.version.lstrip("= ") == package.version
        return exact and self.file_of(package) is not None

    @contextmanager
    def offered(self, environment: Environment) -> Iterator[None]:
        """Have what is kept looked at by conda, whichever does its work, as one more cache."""
        if not self.conda.is_dir() or not environment.is_conda:
            yield
            return
        from ..managers.conda.spec import configuration

        before = os.environ.get("CONDA_PKGS_DIRS")
        folders = (*configuration(environment).pkgs_dirs, str(self.conda))
        os.environ["CONDA_PKGS_DIRS"] = ",".join(dict.fromkeys(folders))
        try:
            yield
        finally:
            if before is None:
                del os.environ["CONDA_PKGS_DIRS"]
            else:
                os.environ["CONDA_PKGS_DIRS"] = before

    # Keeping

    def take(self, goal: Goal, environment: Environment, console: Console) -> Taken:
        """Keep what a history brought to one place, of what is there; what is kept is left alone.

        Args:
            goal: What the history says of the place.
            environment: The place.
            console: Where words go.

        Raises:
            OSError: The folder cannot be written to.
        """
        managers: tuple[ManagerName, ...] = of_system() if goal.ref is None else of_environment()
        here = read_packages(environment, managers)
        new = [
            package
            for key, package in goal.there.items()
            if same(here.by_key.get(key), package) and self.file_of(package) is None
        ]
        left_out = [_why_not(package, goal) for package in new]
        new = [package for package, reason in zip(new, left_out, strict=True) if not reason]
        files: list[Path] = []
        failed: list[str] = []
        for manager in managers:
            mine = [package for package in new if package.manager == manager]
            if not mine:
                continue
            console.say(f"Keeping {', '.join(package.name for package in mine)}.")
            try:
                if manager == "apt":
                    files += self._fetch_debian(mine, goal)
                elif manager == "conda":
                    files += self._fetch_conda(mine, environment)
                elif manager == "pip":
                    files += self._fetch_pip(mine, goal, environment)
                else:
                    files += get(manager).keep(mine, environment, self.folder / manager)
            except CommandFailed as error:
                failed.append(f"Not all could be kept: {error.problem}")
        return Taken(tuple(files), tuple(dict.fromkeys(filter(None, (*left_out, *failed)))))

    def _fetch_debian(self, packages: Sequence[Package], goal: Goal) -> list[Path]:
        from ..managers.apt.engine import fetch

        self.debian.mkdir(parents=True, exist_ok=True)
        specs = {package: apt_spec(package, goal.origins.request(package)) for package in packages}
        local = {package: spec for package, spec in specs.items() if spec.endswith(".deb")}
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.debian) as folder:
            files = fetch([package for package in packages if package not in local], Path(folder))
            for package, spec in local.items():
                files.append(Path(shutil.copyfile(spec, Path(folder, archive_name(package)))))
            for file in files:
                write_file(Path(self.debian, f"{file.name}{_HASH}"), _sha256(file))
            return [file.replace(self.debian / file.name) for file in files]

    def _fetch_conda(self, packages: Sequence[Package], environment: Environment) -> list[Path]:
        from ..managers.conda.rattler import engine
        from ..managers.conda.rattler.fetch import keep
        from ..managers.conda.spec import configuration
        from .relink import record_of

        records = [record_of(package, environment) for package in packages]
        self.conda.mkdir(parents=True, exist_ok=True)

        async def work(wire: Wire) -> list[str]:
            return await keep(records, str(self.conda), configuration(environment), wire)

        return [Path(path) for path in engine.run(work)]

    def _fetch_pip(
        self, packages: Sequence[Package], goal: Goal, environment: Environment
    ) -> list[Path]:
        self.wheels.mkdir(parents=True, exist_ok=True)
        runs: dict[tuple[str, ...], list[Package]] = {}
        for package in packages:
            runs.setdefault(_index_words(package, goal), []).append(package)
        files: list[Path] = []
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.wheels) as folder:
            for words, mine in runs.items():
                files += self._fetch_wheels(mine, words, Path(folder), environment)
        return files

    def _fetch_wheels(
        self,
        packages: Sequence[Package],
        words: tuple[str, ...],
        folder: Path,
        environment: Environment,
    ) -> Iterator[Path]:
        """Have pip fetch, or build, the wheels; only what the history knows by its hash is kept."""
        from ..io import process
        from ..model.plan import Command

        pip = (environment.executable or sys.executable, "-m", "pip", "wheel", "--no-deps")
        specs = (f"{package.name}=={package.version}" for package in packages)
        argv = (*pip, "--wheel-dir", str(folder), *words, *specs)
        done = process.capture(Command(argv, environ=(("PIP_NO_INPUT", "1"),)))
        if done.exit_status != 0:
            raise CommandFailed(mask(f"pip cannot fetch this.\n{done.stderr.strip()}"))
        for package in packages:
            for wheel in _wheels_of(package, folder):
                built = not package.url.endswith(".whl")
                if not built and package.sha256 not in ("", _sha256(wheel)):
                    raise CommandFailed(f"{wheel.name} is another one now: its hash differs.")
                target = self.wheels / wheel.name
                if built and package.sha256:
                    write_file(f"{target}{_BUILT}", f"{package.sha256} {_sha256(wheel)}")
                yield wheel.replace(target)


def _wheels_of(package: Package, folder: Path) -> Iterator[Path]:
    """The wheels in a folder that are of a package's name and version."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        if (name, str(version)) == (package.name, _plain(package.version)):
            yield path


def _why_not(package: Package, goal: Goal) -> str:
    """Return why a package cannot be kept; empty where it can."""
    if package.manager == "conda" and (not package.url or MASK in package.url):
        return f"{package.name} cannot be kept: where it came from is not known."
    source = as_on_disk(package).source if package.manager == "pip" else ""
    if source:  # a wheel of no index would come back as one of an index
        return f"{package.name} cannot be kept: it came from {mask(source)}, and from no index."
    file = apt_spec(package, goal.origins.request(package)) if package.manager == "apt" else ""
    if file.endswith(".deb") and not os.path.isfile(file):
        return f"{package.name} cannot be kept: it came from {file}, which is gone."
    return ""


def _index_words(package: Package, goal: Goal) -> tuple[str, ...]:
    """Pip's options for the index that the history knows a package came from."""
    came_by = goal.origins.request(package)
    if came_by is None:
        return ()
    given = [("--index-url", url) for url in (came_by.sources.index_url,) if url]
    given += [("--extra-index-url", url) for url in came_by.sources.extra_index_urls]
    options = came_by.options
    given += [pair for pair in pairwise(options) if pair[0] == "--find-links"]
    words = [word for name, url in given if MASK not in url for word in (name, url)]
    return (*words, *(option for option in options if option == "--no-index"))


def _is_here(spec: Spec) -> bool:
    return os.path.isabs(spec.place) and os.path.exists(spec.place)


def _plain(version: str) -> str:
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def _built_from(wheel: Path) -> str | None:
    """The hash of what a wheel was built from; None where it was not, or is not as it was."""
    try:
        source, _, own = Path(f"{wheel}{_BUILT}").read_text().partition(" ")
    except FileNotFoundError:
        return None
    return source if own == _sha256(wheel) else None


def _whole(archive: Path) -> Path | None:
    """A Debian archive, where it is there and is what was kept."""
    try:
        return archive if Path(f"{archive}{_HASH}").read_text() == _sha256(archive) else None
    except FileNotFoundError:
        return None


def _sha256(path: Path) -> str:
    import hashlib

    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
