"""Bringing a worker to an order."""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

from .facts import Plain, folder, identity, is_writable, look, reach, store
from .linking import link
from .order import named, planned, todo
from .rows import is_kept, locked, prune
from .wheels import put, take_out


def lacking(order: Plain) -> list[Any]:
    """Return which folder of archives this is, and the rows that this worker needs of it."""
    plan = (
        todo(order, look((), named(order)))
        if order["via"] == "cluster"
        else {"wheels": [], "conda": []}
    )
    rows = [row for row in (*plan["wheels"], *plan["conda"]) if not is_kept(row)]
    return [identity(store()), rows]


def install(order: Plain) -> dict[str, Any]:
    """Bring this worker to an order; a sentence says what failed, and nothing is raised.

    What was cut off before is finished by the same call: a distribution counts from its list of
    files on, which is written last and removed last.

    Returns:
        ``facts`` afterwards, ``done`` (a row for each change: name, old and new version, the row
        of the archive that brings back what was there), ``cannot``, ``failed`` and ``waited``.
    """
    done: list[list[Any]] = []
    cannot: list[list[str]] = []
    failed = waited = ""
    try:
        place = sys.prefix if is_writable() else folder()
        os.makedirs(place, exist_ok=True)
        with locked(place) as waited:
            plan = planned(order)
            facts, cannot = plan["facts"], plan["cannot"]
            # one by one: what came before a failure is known
            done.extend(take_out(name, facts) for name in plan["remove"])
            done.extend(link(plan["conda"], plan["unlink"], facts))
            done.extend(put(row, order, facts) for row in plan["wheels"])
            prune(time.time())
        if place != sys.prefix:
            reach(place)
    except Exception as error:  # it travels to the kernel, in words
        failed = f"{error}" if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    importlib.invalidate_caches()
    return {
        "facts": look((), named(order)),
        "done": done,
        "cannot": cannot,
        "failed": failed,
        "waited": waited,
    }
