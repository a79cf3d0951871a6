"""Kept Debian archives, for apt-get to be given as files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...io.files import sha256_of, write_file
from ...model.environment import Environment
from ...model.packages import Package, PackageSet
from ...model.request import Request
from ...model.spec import read_all
from ..goal import Goal
from ..keep import Archives
from .aptget import archive_name, fetch
from .restore import apt_spec

_HASH = ".sha256"
"""The suffix of the file with an archive's hash, next to it: no history has that hash."""


class DebianArchives(Archives):
    """A folder of archives, each with its hash beside it."""

    def of(self, package: Package) -> Path | None:
        archive = self.folder / archive_name(package)
        try:
            whole = Path(f"{archive}{_HASH}").read_text() == sha256_of(archive)
        except FileNotFoundError:
            return None
        return archive if whole else None

    def why_not(self, package: Package, goal: Goal) -> str:
        file = apt_spec(package, goal.origins.request(package))
        if file.endswith(".deb") and not os.path.isfile(file):
            return f"{package.name} cannot be kept: it came from {file}, which is gone."
        return ""

    def keep(self, packages: Sequence[Package], goal: Goal, environment: Environment) -> list[Path]:
        self.folder.mkdir(parents=True, exist_ok=True)
        specs = {package: apt_spec(package, goal.origins.request(package)) for package in packages}
        local = {package: spec for package, spec in specs.items() if spec.endswith(".deb")}
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=self.folder) as folder:
            files = fetch([package for package in packages if package not in local], Path(folder))
            for package, spec in local.items():
                files.append(Path(shutil.copyfile(spec, Path(folder, archive_name(package)))))
            for file in files:
                write_file(Path(self.folder, f"{file.name}{_HASH}"), sha256_of(file))
            return [file.replace(self.folder / file.name) for file in files]

    def serve(
        self, installs: Sequence[Request], goal: Goal, here: PackageSet, environment: Environment
    ) -> Request | None:
        """Install the requested packages, and their missing dependencies, from files."""
        known = {name: p for (manager, name), p in goal.there.items() if manager == "apt"}
        specs = [spec for request in installs for spec in request.specs]
        files = [spec for spec in specs if spec.path and os.path.exists(spec.path)]
        named = [known.get(spec.name) for spec in specs if spec not in files]
        needed = [p for name, p in known.items() if here.get("apt", name) is None]
        wanted = {package: package and self.of(package) for package in (*named, *needed)}
        if not all(wanted.values()):
            return None
        kept = read_all("apt", map(str, wanted.values()))
        return replace(installs[0], specs=tuple(dict.fromkeys((*files, *kept))))
