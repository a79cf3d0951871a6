"""A history of jstackmagic, such as another user's history.jsonl."""

from __future__ import annotations

import json
from pathlib import Path

from ...history.file import History
from ...model.ledger import fold
from ...model.text import counted
from . import Reading
from ._finds import beginning
from ._recipes import found_in


def recognises(path: Path) -> bool:
    if path.suffix != ".jsonl":
        return False
    try:
        line = json.loads(beginning(path).partition("\n")[0])
    except (ValueError, RecursionError):
        return False
    return isinstance(line, dict) and {"v", "event", "id"} <= line.keys()


def read(path: Path) -> Reading:
    """Read its net, without requests that were undone, removed or replaced."""
    records = History(path).records()
    recipe = fold(records)
    gone = len(records) - sum(len(step.install) for step in recipe.steps)
    notes = (f"It has {counted(len(records), 'record')}; what is left of them is asked for.",)
    return Reading(path, tuple(found_in(recipe)), notes if gone else ())
