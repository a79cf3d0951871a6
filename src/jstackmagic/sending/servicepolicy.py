"""The service's policy on top of the settings here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec

from ..model.errors import UsageError
from ..model.policy import Policy
from ..model.sources import Sources
from .outbox import Outbox, Unreachable

_SECONDS = 5.0  # that the first verb of all waits for a policy
_first: dict[str, dict[str, Any]] = {}
"""The first answer of each service that this process asked; empty for none in time."""


class Served(msgspec.Struct, omit_defaults=True):
    """A policy as the service gives it; a kernel passes over what a later version adds."""

    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    index_url: str = ""
    locked: tuple[str, ...] = ()
    cooldown_days: Annotated[float, msgspec.Meta(ge=0, le=3_650)] = 0.0
    reasons: dict[str, str] = {}
    details: bool = False


class _Written(Served, forbid_unknown_fields=True):
    """The policy in the administrator's file, in which an unknown name is a slip."""


def read_served(content: bytes) -> Served:
    """Read an administrator's policy.

    Raises:
        UsageError: It is not a policy; the error says where.
    """
    try:
        found = msgspec.json.decode(content, type=_Written)
    except ValueError as error:
        raise UsageError(f"It is no policy: {error}") from None
    loose = set(found.locked) - set(_lockable(found))
    if loose:
        raise UsageError(f"It locks {', '.join(sorted(loose))}, and sets no value of it.")
    return found


def _lockable(served: Served) -> tuple[str, ...]:
    """Return the locks that can be: of what the service names."""
    there = {"channels": served.channels, "index_url": served.index_url}
    found = [name for name in served.locked if there.get(name)]
    return (*found, *(["extra_index_urls"] if "index_url" in found else []))


def with_served(
    policy: Policy, history: Path, say: Callable[[str], None] = lambda _: None
) -> Policy:
    """Return the settings with the policy that the service served last.

    What is denied adds up; managers are those of both; the longer cool-down holds. An allow list,
    channels and an index of the settings here are stronger than the service's. A history that
    never met the service asks it now, once a process; without an answer the settings here hold
    alone, and that is said.

    Args:
        history: The history's path; the last policy is kept beside it.
        say: Says a sentence to the user.
    """
    outbox = Outbox(history, policy.hub_url)
    state = outbox.state()
    known = bool(state.fetched or state.policy)
    if not known and outbox.url not in _first:
        _first[outbox.url] = {}  # the background asks on
        try:
            _first[outbox.url] = outbox.fetch(_SECONDS)
        except Unreachable as error:
            say(f"The hub's policy is not known yet: {error}. Only the settings here apply.")
    try:
        served = msgspec.convert(state.policy if known else _first[outbox.url], Served)
    except ValueError:  # no service sends that
        served = Served()
    if served == Served(details=served.details):
        return policy
    return replace(
        policy,
        deny=(*policy.deny, *served.deny),
        allow=policy.allow or served.allow,
        managers=tuple(m for m in policy.managers if m in (served.managers or policy.managers)),
        sources=policy.sources.or_else(Sources(served.channels, served.index_url)),
        locked=tuple(dict.fromkeys((*policy.locked, *_lockable(served)))),
        reasons=tuple(served.reasons.items()),
        cooldown_days=max(policy.cooldown_days, served.cooldown_days),
        set_in=", ".join(filter(None, (policy.set_in, f"the hub's policy ({policy.hub_url})"))),
    )
