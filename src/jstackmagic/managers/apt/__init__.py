"""Debian packages, of the whole system: with apt-get."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...io import process
from ...model.errors import CommandFailed
from ...model.plan import Command
from .. import Choice, Engine, EngineOptions, Manager, Marks, View
from ..packageurl import package_url
from . import aptget, cutoff, dockerfile, restore
from .keep import DebianArchives
from .wanted import wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ...display.console import Console
    from ...model.environment import Environment
    from ...model.packages import Package
    from ...model.request import Request
    from ..goal import Wish
    from ..keep import Archives


class Apt(Manager):
    """The manager of Debian packages."""

    name = "apt"
    bring_back = staticmethod(restore.bring_back)
    exactness = ("builds", "asked")
    bring = staticmethod(restore.bring)
    write = staticmethod(dockerfile.write)
    note = staticmethod(cutoff.note)
    wanted = staticmethod(wanted)

    def check(self, request: Request, environment: Environment) -> None:
        """Refuse what apt-get could not read, or would read as something else."""
        aptget.check_specs(request)

    def view(self, environment: Environment, files: Sequence[str] = ()) -> View | None:
        """Ask ``dpkg-query``."""
        program = shutil.which("dpkg-query")
        if program is None:
            return None
        form = "${db:Status-Status}\\t${binary:Package}\\t${Version}\\n"
        done = process.capture(Command((program, "--show", f"--showformat={form}")), timeout=60)
        if done.exit_status != 0:
            raise CommandFailed(f"dpkg-query: {done.stderr.strip()}")
        rows = (line.split("\t") for line in done.stdout.splitlines())
        return View({row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"})

    def known(self, name: str, environment: Environment) -> Iterable[str]:
        try:
            done = process.capture(Command(("apt-cache", "pkgnames", name)), timeout=5)
        except CommandFailed:
            return ()
        return sorted(done.stdout.split())

    def check_target(self, request: Request, environment: Environment) -> None:
        """Refuse nothing: the rights are a matter of the plan."""

    def engine(self, choice: Choice, options: EngineOptions) -> Engine:
        return aptget.AptGet()

    def command(self, request: Request, environment: Environment) -> Command:
        return aptget.install_command(request)

    def package_url(self, package: Package, distribution: str) -> str:
        named = replace(package, name=package.name.partition(":")[0])
        return package_url(f"deb/{quote(distribution)}", named, {"arch": package.build})

    def pinned(self, package: Package) -> str:
        return package.name  # Debian's archive holds one version

    def reinstall(self, package: Package, prefix: str, file: str) -> str:
        return f"!sudo apt-get install --yes --reinstall {shlex.quote(package.name)}"

    def half_done(self, environment: Environment, marks: Marks, since: int) -> tuple[str, ...]:
        """Read dpkg's own notes."""
        return cutoff.sentences(marks)

    def finish(self, environment: Environment, marks: Marks, since: int, console: Console) -> None:
        """Have dpkg configure what is unpacked, or remove it again."""
        aptget.finish(marks, console)

    def repair(
        self, environment: Environment, console: Console, *, drop: bool = False
    ) -> bool | None:
        """Finish what any apt-get or dpkg was cut off in."""
        if not cutoff.sentences({}):
            return False
        aptget.finish({}, console)
        return True

    def archives(self, kept: Path) -> Archives | None:
        return DebianArchives(kept / "debian")

    def mark(
        self, there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment
    ) -> None:
        aptget.mark(there, wanted)


MANAGER = Apt()
