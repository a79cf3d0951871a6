"""Kept conda archives: a package cache as conda lays it out, archives alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ...io.files import sha256_of
from ...io.runtime import variable
from ...model.credentials import MASK
from ...model.environment import Environment
from ...model.packages import Package, PackageSet
from ...model.request import Request
from ...model.sources import Sources
from ...model.spec import read_all
from ..goal import Goal
from ..keep import Archives
from ..needs import broken_by
from .needs import lacking
from .rattler.fetch import keep
from .rattler.loop import Wire
from .restore import conda_spec
from .spec import configuration, read_archive


class CondaArchives(Archives):
    """A folder that conda, with any engine, uses as an extra cache."""

    def of(self, package: Package) -> Path | None:
        path = self.folder / package.url.rpartition("/")[2]
        whole = package.url and path.is_file() and package.sha256 in ("", sha256_of(path))
        return path if whole else None

    def why_not(self, package: Package, goal: Goal) -> str:
        if not package.url or MASK in package.url:
            return f"{package.name} cannot be kept: where it came from is not known."
        return ""

    def keep(self, packages: Sequence[Package], goal: Goal, environment: Environment) -> list[Path]:
        from .rattler import loop
        from .relink import record_of

        records = [record_of(package, environment) for package in packages]
        self.folder.mkdir(parents=True, exist_ok=True)

        async def work(wire: Wire) -> list[str]:
            return await keep(records, str(self.folder), configuration(environment), wire)

        return [Path(path) for path in loop.run(work)]

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        """Serve by the archives' addresses, which conda puts in as they are: nothing may lack."""
        known = {conda_spec(p, "channel"): p for p in goal.there.values() if p.manager == "conda"}
        packages = [known.get(spec) for request in installs for spec in request.texts]
        files = [package and self.of(package) for package in packages]
        if not all(files):
            return None
        after = {package.key: package for package in packages if package}
        depends = {a.name: a.depends for a in (read_archive(str(file)) for file in files)}
        if broken_by(after, here, environment) or lacking(depends, {**here.by_key, **after}):
            return None
        specs = read_all("conda", (package.url for package in packages if package))
        return replace(installs[0], specs=specs, sources=Sources())

    @contextmanager
    def offered(self, environment: Environment) -> Iterator[None]:
        if not self.folder.is_dir() or not environment.is_conda:
            yield
            return
        folders = (*configuration(environment).pkgs_dirs, str(self.folder))
        with variable("CONDA_PKGS_DIRS", ",".join(dict.fromkeys(folders))):
            yield
