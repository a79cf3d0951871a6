"""Make the solver's problem: the new specs, what is installed, what holds, and the channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ....model.environment import Environment, minor_of
from ....model.errors import InvalidSpec, Stopped
from ....model.request import Request
from ..present import Installed
from ..spec import CondaSpec, name_of, parse, pinned_where
from . import condahistory, repodata
from .repodata import Channels

if TYPE_CHECKING:
    from rattler import MatchSpec, PrefixRecord  # noqa: TC004  # no noun


@dataclass(frozen=True)
class SolverProblem:
    """The problem for the solver."""

    specs: tuple[CondaSpec, ...]
    upgrade: bool  #: whether to get the newest versions, also if an older one is installed
    moving: frozenset[str]  #: the names of packages that may not stay as they are
    installed: Mapping[str, PrefixRecord]  #: the installed packages, by name
    earlier: Mapping[str, str]  #: the user's earlier specs, by name
    pins: tuple[str, ...]  #: match specs that hold for every request
    channels: Channels  #: the channels that packages may come from
    prefix: str = ""
    #: pins that the installed packages break, and that hold nothing here
    broken: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  #: those that say virtual packages, ``NAME=VALUE`` each
    before: str = ""  #: the time, ISO 8601, after which none of them was published; or empty

    @classmethod
    def of(
        cls,
        request: Request,
        environment: Environment,
        specs: Sequence[CondaSpec],
        installed: Mapping[str, PrefixRecord],
    ) -> SolverProblem:
        channels = repodata.Channels.of(environment, request.sources.channels)
        pins = (*environment.pins, *channels.config.pinned_packages)
        read = [(pin, _pin(pin, environment.prefix)) for pin in pins]
        broken = tuple(pin for pin, match in read if _is_broken(match, installed, specs))
        there = Installed(environment)
        return cls(
            specs=tuple(specs),
            upgrade=request.upgrade,
            moving=frozenset(
                (
                    *(spec.name for spec in specs if request.upgrade or not there.matches(spec)),
                    *channels.config.aggressive_update_packages,  # conda updates them each time
                )
            ),
            installed=installed,
            earlier=earlier(environment.prefix, installed),
            pins=tuple(pin for pin in pins if pin not in broken),
            channels=channels.and_of(spec.channel for spec in specs if spec.channel),
            prefix=environment.prefix,
            broken=broken,
            variables=request.sources.variables,
        )

    @cached_property
    def asked(self) -> set[str]:
        """The names that the new specs are about."""
        return {spec.name for spec in self.specs}

    @property
    def constraints(self) -> list[MatchSpec]:
        """The pins, and Python's minor version, which stays unless Python itself is requested."""
        constraints = [parse(pin) for pin in self.pins]
        python = self.installed.get("python")
        if python is not None and "python" not in self.asked:
            constraints.append(parse(f"python {minor_of(str(python.version))}.*"))
        return constraints

    @property
    def standing(self) -> list[MatchSpec]:
        """Return the installed packages to keep: by the user's earlier spec, or the bare name."""
        found = []
        for name, record in self.installed.items():
            if name not in self.asked:
                match = _anywhere(parse(self.earlier.get(name, name)))
                # an earlier spec that no longer holds (pip, another tool) does not bind
                found.append(match if match.matches(record) else parse(name))
        return found

    @property
    def new(self) -> list[MatchSpec]:
        """The new specs, their channels spelled as URLs."""
        return [at_url(spec, self.channels) for spec in self.specs]

    @property
    def goals(self) -> list[MatchSpec]:
        """All specs in the order in which the solver decides.

        The first ones win: conda too freezes what is installed in its first attempt, unless
        an update is requested.
        """
        return [*self.new, *self.standing] if self.upgrade else [*self.standing, *self.new]

    @property
    def locked(self) -> list[PrefixRecord]:
        """Return the packages that the solver prefers not to change."""
        return [record for name, record in self.installed.items() if name not in self.moving]


def _pin(pin: str, prefix: str) -> MatchSpec:
    """Read a pin; stop where it cannot be read, with its file."""
    try:
        return parse(pin)
    except InvalidSpec as error:
        where = pinned_where(prefix, [pin])
        raise Stopped(
            f"A pin cannot be read: {error.problem} It stands in {where}.",
            advice="Write it as conda reads it: numpy 1.26.*; or take the line out.",
        ) from error


def _is_broken(
    match: MatchSpec, installed: Mapping[str, PrefixRecord], specs: Sequence[CondaSpec]
) -> bool:
    """Return whether an installed package that is not asked to move breaks a pin."""
    name = name_of(match)
    record = installed.get(name)
    if record is None or name in {spec.name for spec in specs}:
        return False
    return not _anywhere(match).matches(record)


def earlier(prefix: str, installed: Mapping[str, PrefixRecord]) -> dict[str, str]:
    """Return the user's earlier specs of what is installed, from conda's history and records."""
    asked = {
        name: record.requested_specs[-1]
        for name, record in installed.items()
        if record.requested_specs
    }
    asked |= condahistory.requested(prefix)
    return {name: spec for name, spec in asked.items() if name in installed}


def _anywhere(match: MatchSpec) -> MatchSpec:
    """Return a spec without its channel, for a package that is installed already."""
    if match.channel is None and match.subdir is None:
        return match
    version, build = match.version or "*", match.build or "*"
    return parse(f"{name_of(match)} {version} {build}")


def at_url(spec: CondaSpec, channels: Channels) -> MatchSpec:
    """Return a spec whose channel's name is spelled as the URL that the configuration gives it."""
    if "::" not in spec.text or not spec.channel:
        return spec.match
    subdir = f"/{spec.match.subdir}" if spec.match.subdir else ""
    rest = spec.text.rpartition("::")[2]
    url = repodata.urls_of(spec.channel, channels.config)[0]
    return parse(f"{url}{subdir}::{rest}")
