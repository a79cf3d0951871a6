"""The administrator's policy: what may be installed here, and the default sources.

The settings are IPython's (``config.py`` reads them), for notebooks and terminals alike. They keep
people from accidents; a user who can run code can run pip, so they are not a security boundary.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta, timezone

from .credentials import mask
from .engines import Engines
from .errors import Stopped
from .managers import names
from .packages import ManagerName, normalise
from .plan import Plan
from .recipe import Recipe
from .sources import Sources
from .wanted import Wanted


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that bind every install."""

    managers: tuple[str, ...] = field(default_factory=names)  #: the allowed package managers
    #: patterns of the only packages that may be requested; empty for all
    allow: tuple[str, ...] = ()
    #: patterns of packages that may not be installed, not even as a dependency
    deny: tuple[str, ...] = ()
    sources: Sources = field(default_factory=Sources)  #: the sources if the line names none
    engines: Engines = field(default_factory=Engines)  #: the engines if the line names none
    history: str = ""  #: the history file; empty for the usual place
    locked: tuple[str, ...] = ()  #: the settings that a notebook cannot change
    set_in: str = ""  #: the administrator's files with any of these settings; for the error's text
    hub_url: str = ""  #: the hub's service, which records are sent to; empty for none
    #: why packages are denied, by the pattern; by ``cooldown_days``, why too new ones
    reasons: tuple[tuple[str, str], ...] = ()
    #: the days that a package has to be public before it may be installed
    cooldown_days: float = 0.0

    @property
    def before(self) -> str:
        """The time, ISO 8601, after which nothing may have been published; empty for no limit.

        It is the beginning of a day in UTC, so that all of a day's installs see the same.
        """
        if self.cooldown_days <= 0:
            return ""
        when = datetime.now(timezone.utc) - timedelta(days=self.cooldown_days)
        return f"{when:%Y-%m-%d}T00:00:00Z"

    def left_out(self) -> str:
        """Return a sentence on what the limit leaves out, with the reason."""
        why = dict(self.reasons).get("cooldown_days", "").rstrip(".")
        return (
            f"Left out is what was published after {self.before[:10]}: less than"
            f" {self.cooldown_days:g} days ago{_in(self.set_in)}{f': {why}' if why else ''}."
        )

    def check_manager(self, manager: ManagerName) -> None:
        """Stop a request to a manager that is not allowed.

        Raises:
            Stopped: It is not allowed.
        """
        if manager not in self.managers:
            allowed = " and ".join(self.managers) or "none"
            raise _stopped(f"{manager} is not allowed here; {allowed} may be used.", self)

    def binds(self, manager: ManagerName) -> bool:
        """Return whether anything but the manager itself is forbidden to it."""
        return bool(self.allow or self.deny or self._locks(manager))

    def check(
        self, manager: ManagerName, wanted: Wanted, allowed: frozenset[str], *, planned: bool
    ) -> None:
        """Stop an install that the settings forbid, even with ``--force``.

        Args:
            allowed: The places of the settings' sources.
            planned: Whether its plan is checked later.

        Raises:
            Stopped: A package is denied or on no list, or its name is unknown where it is
                needed; a place is not the locked one; an option or a list cannot be followed.
        """
        for name, where in (*wanted.names, *wanted.needs):
            if _matches(self.deny, manager, name):
                why = self._reason(manager, name)
                raise _stopped(f"{name} is not allowed here{_in(where)}{why}", self)
        for name, where in wanted.names if self.allow else ():
            if not _matches(self.allow, manager, name):
                raise _stopped(
                    f"{name} is not among the packages that are allowed here{_in(where)}.", self
                )
        for text, where in wanted.nameless if self.allow or (self.deny and not planned) else ():
            raise _stopped(
                f"Only packages of some names are allowed here, and {mask(text)} names"
                f" none{_in(where)}.",
                self,
            )
        for text, where in wanted.computed if self.deny and not planned else ():
            raise _stopped(f"Only its own code says what {mask(text)} needs{_in(where)}.", self)
        locks = self._locks(manager)
        for setting, place, where in wanted.places if locks else ():
            if "index_url" not in locks and setting in ("index_url", "url"):
                continue
            if not any(_is_of(place, each, setting) for each in allowed):
                raise _stopped(
                    f"Packages may not come from {mask(place)} here{_in(where)}: "
                    f"{' and '.join(locks)} {'is' if len(locks) == 1 else 'are'} locked.",
                    self,
                )
        for text, where in wanted.beyond if self.allow or locks or not planned else ():
            raise _stopped(
                f"{mask(text)} could bring in what is not allowed here{_in(where)}.", self
            )

    def _reason(self, manager: ManagerName, name: str) -> str:
        """Return the end of a sentence: the reason if one was given."""
        why = [said for pattern, said in self.reasons if _matches((pattern,), manager, name)]
        return f": {why[0].rstrip('.')}." if why else "."

    def _locks(self, manager: ManagerName) -> tuple[str, ...]:
        own = (each.name for each in fields(Sources) if manager in each.metadata["managers"])
        return tuple(name for name in own if name in self.locked)


# Enforcing


def engines_of(names: Iterable[str], policy: Policy) -> Engines:
    """Return the engines, with these names from ``--engine``.

    Raises:
        Stopped: One of them is not what the settings lock.
    """
    engines = policy.engines.but(names)
    for setting in (each.name for each in fields(Engines)):
        wanted, kept = engines.of(setting), policy.engines.of(setting)
        if wanted != kept and f"{setting}_engine" in policy.locked:
            raise _stopped(f"{wanted} may not do {setting}'s work here; {kept} is locked.", policy)
    return engines


def check_plan(plan: Plan, policy: Policy) -> None:
    """Stop a plan that would bring a denied package along.

    Raises:
        Stopped: It would.
    """
    if not policy.deny or plan.change is None:
        return
    came = plan.change.came
    denied = [item.name for item in came if _matches(policy.deny, item.manager, item.name)]
    if denied:
        raise _stopped(
            f"This would install {', '.join(denied)}, which is not allowed here.", policy
        )


def is_denied(policy: Policy, manager: ManagerName, name: str) -> bool:
    """Return whether a package is denied."""
    allowed = not policy.allow or _matches(policy.allow, manager, name)
    return not allowed or _matches(policy.deny, manager, name) or manager not in policy.managers


def denied_in(recipe: Recipe, policy: Policy) -> list[str]:
    """Return a sentence for each package of a recipe that is forbidden here."""
    found = {
        f"{item.name} ({step.manager})"
        for step in recipe.steps
        for outer in step.install
        for item in (outer, *outer.brought)
        if item.name and is_denied(policy, step.manager, item.name)
    }
    where = policy.set_in or "IPython's configuration"
    return [f"{each} is recorded, and {where} forbids it here." for each in sorted(found)]


def is_listed(policy: Policy, manager: ManagerName, name: str) -> bool:
    """Return whether a package is on the list of allowed ones."""
    return _matches(policy.allow, manager, name)


def _in(where: str) -> str:
    return f" (in {mask(where)})" if where else ""


def _is_of(place: str, allowed: str, setting: str) -> bool:
    """Return whether a place is an allowed one or inside it; for a URL, whether on its host."""
    host = allowed.split("/")[2] if "://" in allowed else ""
    same_host = setting == "url" and bool(host) and place.split("/")[2:3] == [host]
    rest = place.removeprefix(f"{allowed}/")  # an archive of it; a label is another channel
    archive = setting == "channels" or (setting == "url" and place.startswith("file:"))
    below = archive and rest != place and not rest.startswith("label/")
    return place == allowed or below or same_host


def _matches(patterns: Iterable[str], manager: str, name: str) -> bool:
    """Return whether a name fits one of ``NAME``, ``py*`` or ``pip:NAME``."""
    for pattern in patterns:
        whose, colon, rest = pattern.rpartition(":")
        if colon and whose != manager:
            continue
        if fnmatch.fnmatchcase(normalise(name), _normalised(rest)):
            return True
    return False


def _normalised(pattern: str) -> str:
    """Normalise a pattern like a name, except the text in brackets."""
    return re.sub(r"[_.]+", "-", pattern).lower()


def _stopped(problem: str, policy: Policy) -> Stopped:
    where = policy.set_in or "IPython's configuration"
    return Stopped(
        problem,
        advice=f"The JStackMagic settings in {where} say so; --force does not override them.",
    )
