"""Notes for the next push: files of JSON that may be lost, and cost no more than time then."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...io.files import write_file


def noted(file: Path) -> dict[str, Any]:
    """Return the notes of a file, the oldest first; none if it cannot be read."""
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def note(file: Path, key: str, value: Any, *, most: int = 500) -> None:
    """Write a note, or remove it by None; of too many, the oldest are dropped."""
    known = {each: said for each, said in noted(file).items() if each != key}
    known |= {key: value} if value is not None else {}
    with suppress(OSError):
        write_file(file, json.dumps(dict(list(known.items())[-most:])), mode=0o600)
