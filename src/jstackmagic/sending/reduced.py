"""A line of the history without anything private, as it is sent to the hub's service.

It stays a line of the same schema, so that what counts histories counts these as well. Left out are
people, hosts, paths, notebooks, commands, logs, URLs, the names of environments, and packages that
came from a file, a folder or a repository.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from ..history.lines import SCHEMA, decode
from ..model.causes import cause_of
from ..model.packages import Package
from ..model.record import WHY
from ..model.spec import MatchSpec, Spec, of_package
from ..model.written import request_of

MAX_LINE = 64 * 1024
"""Bytes of a line that the service takes; one of 500 packages has half of it."""

_OF_ALL = ("/opt/", "/usr", "/srv/")
"""The beginnings of prefixes that an image has for everybody."""

_OWN = re.compile(r"(?:file:)?/*(?:home|root|tmp|Users|mnt|media)/")
"""The beginning of a file that is one person's; a mirror in /srv is everybody's."""


def reduced(raw: bytes, salt: str, *, details: bool = False) -> dict[str, Any] | None:
    """Return what is sent of a line; None for one that is no record or says nothing.

    An install of more packages than a line may hold goes without those that nobody asked for.

    Args:
        salt: Makes the marks of environments different for each person.
        details: Whether the names of environments and notebooks and the URLs of sources may go,
            which the administrator and the user both have to say.
    """
    try:
        line = decode(raw)
    except ValueError:
        return None
    sent: dict[str, Any] = {"v": SCHEMA, "event": line.event, "id": line.id, "time": line.time}
    if line.outcome is not None:
        sent["outcome"] = _outcome(line.outcome)
        if not _fits(sent):
            sent["outcome"]["change"] = {}
    if line.event == "end":
        return sent if _fits(sent) else None
    if line.event == "seen":
        return None
    request = request_of(line.request)
    sources = request.sources
    where = line.environment
    base = where.kind in ("conda-base", "system") and where.prefix.startswith(_OF_ALL)
    mark = f"#{hashlib.sha256(f'{salt}{where.prefix}'.encode()).hexdigest()[:8]}"
    sent["request"] = {
        "action": request.action,
        "manager": request.manager,
        "specs": [text for spec in request.specs if (text := _text(spec))],
        "channels": [each for each in sources.channels if details or _is_name(each)],
    }
    if details:
        sent["request"]["index_url"] = sources.index_url
        sent["request"]["extra_index_urls"] = list(sources.extra_index_urls)
    sent["environment"] = {
        "kind": where.kind,
        "name": where.name if base or details else None,
        "prefix": where.prefix if base or details else mark,
        "python": where.minor or None,
    }
    sent["context"] = {"image": line.context.image}
    if details:
        sent["context"]["notebook"] = line.context.notebook
    if line.undoes:
        sent["undoes"] = line.undoes
    if why := [note for note in line.notes if note.startswith(WHY)]:
        sent["notes"] = why
    return sent if _fits(sent) else None


def _fits(sent: dict[str, Any]) -> bool:
    return len(json.dumps(sent)) <= MAX_LINE


def _outcome(outcome: Any) -> dict[str, Any]:
    change = outcome.change
    sent: dict[str, Any] = {
        "status": outcome.status,
        "exit_status": outcome.exit_status,
        "seconds": outcome.seconds,
        "change": {
            "added": _packages(change.came),
            "removed": _packages(change.removed),
        },
        "resolved": _packages(outcome.resolved),
    }
    if outcome.status == "failed":
        sent["message"] = cause_of(outcome.message)
    return sent


def _packages(packages: Iterable[Package]) -> list[dict[str, Any]]:
    return [
        {"manager": each.manager, "name": each.name, "version": each.version}
        | ({"size": each.size} if each.size else {})
        for each in packages
        if not (each.editable or of_package(each).place or _OWN.match(each.url or each.source))
    ]


def _text(spec: Spec) -> str:
    """Return a spec by its name and version; empty for one that has a place."""
    if not spec.name or spec.place:
        return ""
    extras = f"[{','.join(spec.extras)}]" if spec.extras else ""
    version = getattr(spec, "version", "")
    mark = "=" if version and not isinstance(spec, MatchSpec) and version[0].isalnum() else ""
    return f"{spec.name}{extras}{mark}{version}"


def _is_name(channel: str) -> bool:
    return not any(mark in channel for mark in ":/\\~.")
