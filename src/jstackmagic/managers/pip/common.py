"""Shared by pip and uv: pip's command lines, their outcome, and the plans that need neither.

The command that is shown, recorded and exported is always pip's.
"""

from __future__ import annotations

import os
import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from ...display.console import Console
from ...io.reading import text_or_none
from ...model.credentials import mask, secrets_of
from ...model.environment import Environment
from ...model.errors import Stopped
from ...model.packages import Change, Package, with_origin
from ...model.plan import Command, Plan
from ...model.request import Request
from ...model.spec import Listing, RequirementsFile, read
from ...where.metadata import distributions_of_package
from .. import Engine, asked_names
from .effective import unfollowed
from .harm import python_kept
from .landing import VARIABLES, check_landing, landed, set_off
from .pipconf import configured
from .present import check_metadata, not_meant, satisfied, serving, shadowed, version_on_disk
from .spec import arguments, check_specs
from .wanted import check_archives

if TYPE_CHECKING:
    from packaging.version import Version

_ENVIRON = (("PIP_NO_INPUT", "1"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1"))
_PEP_440_ONLY = "24.1"  # the first pip that refuses versions such as 2004b
_SAYS_WHERE = {"index-url", "extra-index-url", "find-links", "no-index"}


class OfPip(Engine, ABC):
    """The base of pip's and uv's engines: specs, and what is known of packages afterwards.

    Args:
        thorough: Find out in advance all that can be known.
        before: Install nothing that was published later; ISO 8601, empty for no limit.
    """

    engine: ClassVar[str]

    def __init__(self, *, thorough: bool = False, before: str = "") -> None:
        self._thorough = thorough
        self._before = before
        self._reported: dict[str, dict[str, Package]] = {}
        self._old: dict[str, _Built] = {}

    def plan(self, request: Request, environment: Environment) -> Plan:
        if environment.executable is None:
            raise no_python(environment)
        check(request, environment)
        if request.action == "remove":
            check_metadata(environment)
            return self._plan_removal(request, environment)
        check_landing(request, environment)
        present = satisfied(request, environment)
        if present is not None:
            plan = Plan.of_nothing(request, environment, self.engine, present)
        else:
            check_archives(request, environment)
            check_metadata(environment)
            plan = self._plan_install(request, environment)
        own = (*not_meant(request, environment), *unfollowed())
        return replace(plan, notes=(*own, *plan.notes))

    def run(self, plan: Plan, console: Console) -> int:
        pairs = plan.change.changed if plan.change else ()
        again = [old for old, new in pairs if old.version == new.version]
        asked = () if plan.change else self.resolved(plan.request, plan.environment)
        self._old = _built((*again, *asked), plan.environment)
        with python_kept(plan.environment, console):
            return self._run(plan, console)

    @abstractmethod
    def _run(self, plan: Plan, console: Console) -> int: ...

    @abstractmethod
    def _plan_removal(self, request: Request, environment: Environment) -> Plan: ...

    @abstractmethod
    def _plan_install(self, request: Request, environment: Environment) -> Plan: ...

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        if landed(request, environment):
            return ()
        named = (read("pip", name) for name in asked_names(request, environment))
        found = serving((*request.specs, *named), environment).values()
        return tuple(dict.fromkeys(package for package in found if package is not None))

    def explain(self, plan: Plan, change: Change) -> Change:
        """Add to an observed change what only the last run reported: URL and hash.

        A package that was built again as the same version has changed, too.
        """
        if plan.request.action == "install":
            seen = {new.name for _, new in change.changed}
            old = self._old
            now = _built([package for package, _ in old.values()], plan.environment)
            again = tuple(
                (old[name][0], package)
                for name, (package, files) in now.items()
                if name not in seen and files != old[name][1]
            )
            change = replace(change, changed=(*change.changed, *again))
            self._report(plan, change)
        reported = self._reported.get(plan.environment.prefix, {})
        known = {package.key: package for package in reported.values()}
        return replace(
            change,
            added=tuple(with_origin(new, known.get(new.key)) for new in change.added),
            changed=tuple(
                (old, with_origin(new, known.get(new.key))) for old, new in change.changed
            ),
        )

    def _report(self, plan: Plan, change: Change) -> None:
        """Find what the manager does not report of what came."""

    def advise(self, plan: Plan, change: Change) -> tuple[str, ...]:
        """Warn if another package would be imported instead of the requested one."""
        names = {package.name for package in change.came}
        names |= {spec.name for spec in plan.request.specs if spec.name}
        folder = landed(plan.request, plan.environment)
        elsewhere = (
            f"It went into {folder}, as you asked, and not into {plan.environment.prefix}: the"
            " record says so by its options.",
        )
        return (*(elsewhere if folder else ()), *self._shadows(plan, names))

    @staticmethod
    def _shadows(plan: Plan, names: set[str]) -> tuple[str, ...]:
        return tuple(
            f"{item.title} {item.version} in {item.folder}, your user site, comes before the "
            "environment: it is what will be imported. To remove it: "
            f"!{shlex.quote(str(plan.environment.executable))} -m pip uninstall --yes {item.title}"
            for item in shadowed(plan.environment, names)
        )


def check(request: Request, environment: Environment) -> None:
    """Refuse specs that pip could not read.

    Raises:
        InvalidSpec: A spec is invalid; the error says what was probably meant.
    """
    version = version_on_disk(environment)
    check_specs(request, legacy=version is not None and not at_least(version, _PEP_440_ONLY))


def no_python(environment: Environment) -> Stopped:
    """Return the error for pip's requests without Python, as in an image that lacks a venv's."""
    if environment.kind.startswith("venv"):
        prefix = shlex.quote(environment.prefix)
        gone = os.path.realpath(f"{environment.prefix}/bin/python")
        return Stopped(
            f"The Python of the {environment.description} is not here: it was {gone}.",
            advice=(
                f"Make it again with one that is here: python3 -m venv --clear {prefix}",
                f"and bring back what the history has for it: %envreplay --prefix {prefix}",
            ),
        )
    return Stopped(
        f"The {environment.description} has no Python, so pip cannot install into it.",
        advice=(
            "Install with conda: %envinstall --conda …",
            "or have conda bring a Python first: %envinstall --conda python",
        ),
    )


_OWN = ("/INSTALLER", "/REQUESTED", "/RECORD", "/direct_url.json", "/uv_cache.json", ".pyc")
"""Files that tell how a package was installed, not which."""

_Built = tuple[Package, frozenset[tuple[str, str]]]
"""A package and its files with their hashes, without `_OWN`."""


def _built(packages: Iterable[Package], environment: Environment) -> dict[str, _Built]:
    found = {}
    for package in packages:
        for item in distributions_of_package(package, environment)[:1]:
            rows = ((row.path, row.digest) for row in item.record)
            files = frozenset(row for row in rows if not row[0].endswith(_OWN))
            if package.manager == "pip":
                found[package.name] = (item.package, files)
    return found


def at_least(version: Version, least: str) -> bool:
    """Return whether a version is that one or a later one."""
    from packaging.version import Version

    return version >= Version(least)


# Command lines and plans


def install_command(request: Request, environment: Environment, before: str = "") -> Command:
    """Return the command line of pip for an install, of what was published before a time."""
    words = ["--upgrade"] if request.upgrade else []
    words += ["--uploaded-prior-to", before] if before else []
    words += request.sources.of(request.manager).words
    words += arguments(request.specs)
    command = pip_command(environment, "install", *words, *request.options)
    own = set_off(environment, request.options)
    named = tuple(text.partition("=")[::2] for text in request.sources.variables)
    return replace(command, environ=(*command.environ, *named, *own), without=VARIABLES)


def plan_removal(request: Request, environment: Environment) -> Plan:
    """Return the plan of a removal, with pip's command line.

    Raises:
        Stopped: Nothing of it is there.
    """
    files = [spec for spec in request.specs if isinstance(spec, RequirementsFile)]
    found = serving((spec for spec in request.specs if spec not in files), environment)
    missing = [spec.text for spec, package in found.items() if package is None]
    specs = [spec for spec in request.specs if spec.text not in missing]
    if not specs:
        raise Stopped(
            f"Not installed in {environment.prefix}: {', '.join(missing)}.",
            kept="Nothing was removed.",
        )
    removed = tuple(package for package in found.values() if package is not None)
    return Plan(
        request=request,
        environment=environment,
        engine="pip",
        commands=(
            pip_command(environment, "uninstall", "--yes", *arguments(specs), *request.options),
        ),
        change=None if files else Change(removed=removed),
        notes=tuple(f"{name} is not installed." for name in missing),
    )


def pip_command(environment: Environment, *words: str) -> Command:
    """Return a command line of the environment's own pip."""
    assert environment.executable is not None
    return Command((environment.executable, "-m", "pip", *words), environ=_ENVIRON)


def secrets_in_files(request: Request) -> tuple[str, ...]:
    """Return the credentials in the files that a request names."""
    secrets: list[str] = []
    for spec in request.specs:
        if isinstance(spec, Listing):
            secrets += secrets_of(text_or_none(spec.place) or "")  # of a URL pip masks it
    return tuple(secrets)


def index_of(url: str, request: Request, environment: Environment) -> str:
    """Return an archive's index: the default one, or a requested one on the same host.

    pip reports only the archive's URL; if neither is certain, its host has to do.
    """
    host = urlsplit(url).netloc
    asked = [*filter(None, (request.sources.index_url, *request.sources.extra_index_urls))]
    for index in asked:
        if urlsplit(index).netloc.rpartition("@")[2] == host:
            return mask(index)
    said = asked or request.sources.find_links or request.options
    if not (said or _SAYS_WHERE & configured(environment).keys()):
        return "PyPI"
    return f"{urlsplit(url).scheme}://{host}" if host else ""


def foreseen(new: Iterable[Package], environment: Environment) -> Change:
    """Return what would change where these packages came."""
    new = tuple(new)
    old = serving((read("pip", package.name) for package in new), environment)
    pairs = list(zip(old.values(), new, strict=True))
    return Change(
        added=tuple(package for before, package in pairs if before is None),
        changed=tuple((before, package) for before, package in pairs if before is not None),
    )
