"""The image that ``%envimage build`` made from a history, for exports that name it.

It is noted next to the history: an export asks no engine.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from ..io.files import write_file
from ..model.record import Record
from .file import History


def history_id(records: Sequence[Record]) -> str:
    """Return what names a history: its first record's id, which is random and never changes."""
    return records[0].id if records else ""


def note_image(name: str, history: History, *, base: str = "") -> None:
    """Note the name of the image built from this history; ignore a failure to write.

    Args:
        name: Its name, with its digest if a registry gave it one.
    """
    noted = {"history": history_id(history.records()), "image": name, "base": base}
    with contextlib.suppress(OSError):
        write_file(_file(history), json.dumps(noted))


def built_image(records: Sequence[Record], history: History) -> str:
    """Return the name of the last image built here from some records; empty without one."""
    return _noted(records, history, "image")


def built_on(records: Sequence[Record], history: History) -> str:
    """Return the base of the last image built from some records; empty if unknown."""
    return _noted(records, history, "base")


def _noted(records: Sequence[Record], history: History, key: str) -> str:
    try:
        noted = json.loads(_file(history).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    own = history_id(records)
    return str(noted.get(key, "")) if own and noted.get("history") == own else ""


def _file(history: History) -> Path:
    return Path(f"{history.path}.image")
