"""The service's policy on top of the settings here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..model.sources import Sources
from .outbox import Outbox

if TYPE_CHECKING:
    from pathlib import Path

    from ..model.policy import Policy

_LISTS = ("deny", "allow", "channels", "managers", "locked")


def with_served(policy: Policy, history: Path) -> Policy:
    """Return the settings with the policy that the service served last.

    What is denied adds up; managers are those of both. An allow list, channels and an index of the
    settings here are stronger than the service's.
    """
    served = Outbox(history, policy.hub_url).state().policy
    said = {name: _texts(served.get(name)) for name in _LISTS}
    index = served.get("index_url")
    sources = Sources(said["channels"], index if isinstance(index, str) else "")
    reasons = served.get("reasons")
    if not (any(said.values()) or sources):
        return policy
    set_in = f"the hub's policy ({policy.hub_url})"
    return replace(
        policy,
        deny=(*policy.deny, *said["deny"]),
        allow=policy.allow or said["allow"],
        managers=tuple(m for m in policy.managers if m in (said["managers"] or policy.managers)),
        sources=policy.sources.or_else(sources),
        locked=tuple(dict.fromkeys((*policy.locked, *_lockable(said["locked"], sources)))),
        reasons=tuple((str(p), str(w)) for p, w in reasons.items())
        if isinstance(reasons, dict)
        else (),
        set_in=", ".join(filter(None, (policy.set_in, set_in))),
    )


def _lockable(names: tuple[str, ...], sources: Sources) -> tuple[str, ...]:
    """Return the locks that can be: only of what the service names."""
    there = {"channels": bool(sources.channels), "index_url": bool(sources.index_url)}
    found = [name for name in names if there.get(name)]
    return (*found, *(["extra_index_urls"] if "index_url" in found else []))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()
