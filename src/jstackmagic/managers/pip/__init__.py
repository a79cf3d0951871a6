"""Python distributions: with the environment's own pip, or with uv if it does the same."""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from ... import names
from ...model.credentials import mask
from ...model.environment import NEW_VENV
from ...model.errors import Stopped
from ...model.extras import line
from .. import Choice, Engine, EngineOptions, Manager, Marks
from . import common, cutoff, dockerfile, harm, links, present, restore
from .effective import effective
from .keep import Wheels
from .layered import layered
from .marks import mark, unmark
from .needs import needs
from .packageurl import of_package
from .pipconf import configured
from .spec import own_name
from .view import view
from .wanted import wanted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ...display.console import Console
    from ...model.environment import Environment
    from ...model.packages import Package
    from ...model.request import Request
    from ..keep import Archives


class Pip(Manager):
    """The manager of Python distributions."""

    name = "pip"
    leaves_needed = True
    bring_back = staticmethod(restore.bring_back)
    bring = staticmethod(restore.bring)
    write = staticmethod(dockerfile.write)
    make = staticmethod(dockerfile.make)
    portable = staticmethod(links.without_local)
    harms = staticmethod(harm.harms)
    slips = staticmethod(harm.slips)
    own_name = staticmethod(own_name)
    check = staticmethod(common.check)
    command = staticmethod(common.install_command)
    effective = staticmethod(effective)
    view = staticmethod(view)
    note = staticmethod(cutoff.note)
    mark = staticmethod(mark)
    layered = staticmethod(layered)
    needs = staticmethod(needs)
    wanted = staticmethod(wanted)
    package_url = staticmethod(of_package)

    def works_in(self, environment: Environment) -> bool:
        return environment.executable is not None

    def known(self, name: str, environment: Environment) -> Iterable[str]:
        return names.names().known

    def check_target(self, request: Request, environment: Environment) -> None:
        """Refuse an environment without Python, and one that the system manages (PEP 668)."""
        if environment.executable is None:
            raise common.no_python(environment)
        managed = environment.externally_managed is not None and environment.frozen is None
        if managed and not _breaks_system_packages(request, environment):
            raise Stopped(
                f"The {environment.description} is managed by the system (PEP 668).\n"
                f"{environment.externally_managed}",
                advice=(
                    f"Make a virtual environment: {NEW_VENV}",
                    "or go on all the same: --force",
                ),
            )

    def choose(
        self, environment: Environment, wanted: str = "auto", request: Request | None = None
    ) -> Choice:
        """Choose uv if it does the same as pip would, or else pip."""
        if wanted == "pip":
            return Choice(self.name, "pip", environment, "you chose it", asked=True)
        from .uv import engine as uv

        reasons = ", ".join(uv.unserved(environment, request))
        if wanted == "uv":
            if not uv.is_here():
                raise Stopped("There is no uv here.", advice=line("fast"))
            if reasons:
                raise Stopped(
                    f"uv would not do the same as pip here: {reasons}.",
                    advice="Let pip do it: --engine pip",
                )
            return Choice(self.name, "uv", environment, "you chose it", asked=True)
        if reasons:
            why = f"uv would not do the same: {reasons}" if uv.is_here() else reasons
            return Choice(self.name, "pip", environment, why)
        return Choice(self.name, "uv", environment, "it does the same here as pip would")

    def engine(self, choice: Choice, options: EngineOptions) -> Engine:
        """Return pip, or uv with pip to ask where uv finds no way."""
        from . import executable
        from .uv import engine as uv

        if choice.engine == "pip":
            return executable.manager(
                thorough=options.thorough,
                also=lambda environment: not uv.unserved(environment),
                before=choice.before,
            )
        instead = None if choice.asked else executable.manager(thorough=True, before=choice.before)
        return uv.Uv(thorough=options.exact, instead=instead, before=choice.before)

    def lacks(self, choice: Choice) -> str:
        """Return "python", or "pip" where pip itself does the work."""
        if choice.environment.executable is None:
            return "python"
        alone = choice.engine == "pip" and present.version_on_disk(choice.environment) is None
        return "pip" if alone else ""

    def sweep(self, environment: Environment) -> None:
        """Remove what uv was to rename to its lock: an empty file in the prefix."""
        with suppress(OSError), os.scandir(environment.prefix) as entries:
            for entry in entries:
                if re.fullmatch(r"\.tmp\w{6}", entry.name) and not entry.stat().st_size:
                    os.unlink(entry.path)

    def half_done(self, environment: Environment, marks: Marks, since: int) -> tuple[str, ...]:
        """Hold RECORD against the disk, and look for files of no package."""
        return cutoff.sentences(cutoff.left_over(environment, marks, since), environment)

    def finish(self, environment: Environment, marks: Marks, since: int, console: Console) -> None:
        """Take away what is half there."""
        cutoff.clear(cutoff.left_over(environment, marks, since))
        unmark(marks.get("needed", ()), environment)

    def pinned(self, package: Package) -> str:
        return mask(package.source) or f"{package.name}=={package.version}"

    def reinstall(self, package: Package, prefix: str, file: str) -> str:
        """Return pip's line; without its RECORD pip cannot remove what it replaces."""
        python, spec = f"{prefix}/bin/python", f"{package.name}=={package.version}"
        way = "--ignore-installed" if file.endswith("/RECORD") else "--force-reinstall"
        pip = f"!{shlex.quote(python)} -m pip install --quiet {way}"
        return f"{pip} --no-deps {shlex.quote(spec)}"

    def archives(self, kept: Path) -> Archives | None:
        return Wheels(kept / "wheels")


def _breaks_system_packages(request: Request, environment: Environment) -> bool:
    """Return whether the user overrides PEP 668, in pip's own way."""
    setting = configured(environment).get("break-system-packages")
    said = "--break-system-packages" in request.options
    return said or (setting is not None and setting.is_on)


MANAGER = Pip()
