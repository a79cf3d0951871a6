"""conda packages: with the executable that governs an environment, or with py-rattler."""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ...io import process
from ...io.files import sweep
from ...model.buildvariables import overrides
from ...model.credentials import mask
from ...model.errors import CommandFailed, Stopped
from ...model.extras import is_here, line
from ...model.plan import Command
from ...model.sources import Sources
from ...model.spec import turned
from ...names import conda_name
from .. import Choice, Engine, EngineOptions, Manager, Marks, View
from . import dockerfile, restore
from .layered import layered
from .needs import needs
from .packageurl import of_package
from .present import Installed
from .relink import fetch, owners, relink
from .spec import command_lines, read_specs
from .wanted import of_user, settled, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from ...display.console import Console
    from ...model.environment import Environment, Tool
    from ...model.packages import Package, PackageSet
    from ...model.request import Request
    from ..goal import Wish
    from ..keep import Archives


class Conda(Manager):
    """The manager of conda packages."""

    name = "conda"
    bring_back = staticmethod(restore.bring_back)
    bring = staticmethod(restore.bring)
    bring_new = staticmethod(restore.bring_new)
    alone = staticmethod(restore.alone)
    write = staticmethod(dockerfile.write)
    make = staticmethod(dockerfile.make)
    leaves_more = True
    constrains = False
    layered = staticmethod(layered)
    needs = staticmethod(needs)
    wanted = staticmethod(wanted)
    package_url = staticmethod(of_package)
    name_of = staticmethod(conda_name)
    fetch = staticmethod(fetch)
    relink = staticmethod(relink)

    def check(self, request: Request, environment: Environment) -> None:
        """Refuse what is neither a match spec nor an archive."""
        read_specs(request)

    def effective(self, request: Request, environment: Environment) -> Request:
        """Add what no image has: channels of the user's home, and virtual packages by variables."""
        if request.action != "install":
            return request
        named = {text.partition("=")[0] for text in request.sources.variables}
        variables = tuple(each for each in overrides() if each.partition("=")[0] not in named)
        own = "--override-channels" in request.options
        ours = () if own else tuple(each.channel for each in of_user(environment))
        return replace(request, sources=request.sources | Sources(ours, variables=variables))

    def places(self, sources: Sources, environment: Environment) -> Iterable[str]:
        return settled(sources.channels, environment)

    def view(self, environment: Environment, files: Sequence[str] = ()) -> View | None:
        """Ask ``conda list``, where an executable governs the environment."""
        if environment.conda is None:
            return None
        words = (environment.conda.path, "list", "--json", "--prefix", environment.prefix)
        done = process.capture(Command(words), timeout=120)
        try:
            found = json.loads(done.stdout) if done.exit_status == 0 else None
        except ValueError:
            found = None
        if not isinstance(found, list):
            last = (done.stderr.strip().splitlines() or ["its list cannot be read"])[-1]
            raise CommandFailed(f"{environment.conda.tool} list: {last}")
        of_conda = (item for item in found if item.get("channel") != "pypi")
        return View({str(item["name"]).lower(): str(item["version"]) for item in of_conda})

    def works_in(self, environment: Environment) -> bool:
        return environment.is_conda

    def sweep(self, environment: Environment) -> None:
        """Remove the drafts of records."""
        sweep(os.path.join(environment.prefix, "conda-meta"), "")

    def half_done(self, environment: Environment, marks: Marks, since: int) -> tuple[str, ...]:
        """Read what the journal of a change that was cut off says."""
        from .rattler import journal

        left = journal.read(environment.prefix)
        return tuple(journal.left_as(environment.prefix, left)) if left else ()

    def repair(
        self, environment: Environment, console: Console, *, drop: bool = False
    ) -> bool | None:
        from .rattler import repair

        return repair(environment, console, drop=drop)

    def known(self, name: str, environment: Environment) -> Iterable[str]:
        from .known import known

        return known(environment)

    def check_target(self, request: Request, environment: Environment) -> None:
        self._check_variables(request)
        if environment.is_conda:
            return
        pips = [_as_pips(turned(spec)) for spec in request.texts]
        advice = "Name a conda environment: -n NAME or -p PREFIX"
        raise Stopped(
            f"The {environment.description} is not a conda environment.",
            advice=f"Install with pip: %envinstall --pip {shlex.join(pips)}"
            if all(pips)
            else advice,
        )

    @staticmethod
    def _check_variables(request: Request) -> None:
        """Refuse a channel with a variable that is not set: conda would ask for its name."""
        for channel in request.sources.channels:
            for name in re.findall(r"\$\{?([A-Za-z_]\w*)", channel):
                if name not in os.environ:
                    raise Stopped(
                        f"The channel {mask(channel)} needs the variable {name}, which is not set.",
                        advice=f"Set it: %env {name}=…, or export {name}=… before",
                    )

    def choose(
        self, environment: Environment, wanted: str = "auto", request: Request | None = None
    ) -> Choice:
        """Choose py-rattler if it honours all that conda would, or else the executable."""
        here = is_here("rattler")
        if wanted == "rattler" or (wanted == "auto" and environment.conda is None):
            if request is not None and not here:
                self.check_target(request, environment)  # of no use where conda has no business
            self._need_rattler(environment, asked=wanted == "rattler")
        if wanted == "rattler":
            return Choice(self.name, "rattler", environment, "you chose it", asked=True)
        if wanted != "auto":
            return _executable(environment, wanted)
        if environment.conda is None:
            return Choice(self.name, "rattler", environment, "there is no conda here")
        if why := _why_not_rattler(environment, request):
            tool = environment.conda.tool
            return Choice(self.name, "conda", environment, why, called=tool)
        why = "it honours every setting that conda would use here"
        return Choice(self.name, "rattler", environment, why)

    @staticmethod
    def _need_rattler(environment: Environment, *, asked: bool) -> None:
        if is_here("rattler"):
            return
        alone = f"No conda, mamba or micromamba governs {environment.prefix}, and "
        raise Stopped(
            f"{'' if asked else alone}py-rattler is not installed with jstackmagic.",
            advice=line("fast"),
        )

    def available(
        self,
        specs: Sequence[str],
        environment: Environment,
        channels: Sequence[str] = (),
        output: Console | None = None,
    ) -> dict[str, tuple[str, ...]]:
        if is_here("rattler"):
            from . import rattler

            return rattler.available(specs, environment, channels, output)
        if environment.conda is None:
            self._need_rattler(environment, asked=False)
        from .executable import available

        return available(specs, environment, channels)

    def engine(self, choice: Choice, options: EngineOptions) -> Engine:
        if choice.engine == "rattler":
            from . import rattler

            return rattler.manager(console=options.console, before=choice.before)
        from . import executable

        return executable.manager(thorough=options.thorough, before=choice.before)

    def command(self, request: Request, environment: Environment) -> Command:
        there = Installed(environment).names
        return command_lines(request, environment, read_specs(request), there)[0]

    def overwritten(
        self, gone: Iterable[Package], here: PackageSet, environment: Environment
    ) -> tuple[Package, ...]:
        """Find the records that claim pip's distributions."""
        names = {package.name for package in gone if package.manager == "pip"}
        if not names or not environment.is_conda:
            return ()
        return owners(names, here, environment)

    def pinned(self, package: Package) -> str:
        return f"{package.name}={package.version}"

    def reinstall(self, package: Package, prefix: str, file: str) -> str:
        spec = shlex.quote(f"{package.name}={package.version}")
        return f"!conda install --yes --force-reinstall --prefix {shlex.quote(prefix)} {spec}"

    def archives(self, kept: Path) -> Archives | None:
        from .keep import CondaArchives

        return CondaArchives(kept / "conda")

    def mark(
        self, there: Iterable[Package], wanted: Mapping[str, Wish], environment: Environment
    ) -> None:
        """Note it in the records and, where conda itself looks, in its history."""
        from .marks import mark

        mark(there, wanted, environment)

    def words(self, package: Package, environment: Environment) -> str:
        from .marks import words

        return words(package, environment)


def _why_not_rattler(environment: Environment, request: Request | None) -> str:
    """Return why a conda executable does the work; empty if py-rattler does the same."""
    if not is_here("rattler"):
        return "py-rattler is not installed"
    from .rattler import unhonoured, unserved

    if request is not None and (options := unserved(request)):
        return f"py-rattler does not take {', '.join(options)}"
    settings = unhonoured(environment)
    return f"py-rattler does not honour {', '.join(settings)}" if settings else ""


def _executable(environment: Environment, wanted: str) -> Choice:
    from ...where.detect import executable_of

    found = executable_of(environment, cast("Tool", wanted))
    if found is None:
        raise Stopped(
            f"There is no {wanted} for {environment.prefix}.",
            advice=("Leave the choice to us: --engine auto", "What there is: %envinfo"),
        )
    governed = replace(environment, conda=found)
    return Choice("conda", "conda", governed, "you chose it", asked=True, called=found.tool)


def _as_pips(spec: str) -> str:
    """Return a spec as pip's requirement; empty for what only conda has.

    >>> _as_pips("numpy=1.26"), _as_pips("numpy>=1,<2"), _as_pips("numpy=1.26=py312_0")
    ('numpy==1.26', 'numpy>=1,<2', '')
    """
    plain = re.fullmatch(r"(?!python\b|_)([\w.-]+)\s*((?:[<>=!~]=?\s*[\w.*+!-]+,?)*)", spec)
    # conda's single "=" is the likeliest reason why conda was meant
    return plain[1] + re.sub(r"(?<![=<>!~])=(?!=)", "==", plain[2]) if plain else ""


MANAGER = Conda()
