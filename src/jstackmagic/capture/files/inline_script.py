"""The PEP 723 block of a script, that uv, pipx, marimo and others read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...io.reading import MAX_NOTEBOOK, bytes_of
from ...model.documents import parse_toml, table
from ...model.errors import InvalidSpec
from ...model.parsing import Asked
from . import Reading
from ._finds import finds, folder_of, text_of
from ._toolsources import of_tools, requirements

# the regular expression that the standard itself gives
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def recognises(path: Path) -> bool:
    if path.suffix != ".py" or not path.is_file():
        return False
    try:
        return b"# /// script" in bytes_of(path, limit=MAX_NOTEBOOK)
    except (OSError, InvalidSpec):
        return False


def read(path: Path) -> Reading:
    """Read the script's dependencies, and the index set for uv."""
    text = text_of(path) + "\n"
    asked, line, notes = block(text, path)
    return Reading(path, tuple(finds(asked, line=line)), notes)


def block(text: str, path: Path) -> tuple[Asked, int, tuple[str, ...]]:
    """Return the request of a text's block, its line, and notes; nothing without a block.

    Raises:
        InvalidSpec: There is more than one block, or one that is not TOML.
    """
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if len(blocks) > 1:
        raise InvalidSpec(f"{path} has {len(blocks)} script blocks, and one is allowed.")
    if not blocks:
        return Asked(), 0, ()
    (found,) = blocks
    content = "".join(
        each[2:] if each.startswith("# ") else each[1:]
        for each in found["content"].splitlines(keepends=True)
    )
    data = parse_toml(content, str(path))
    asked, notes = of_table(data, path)
    return asked, 1 + text.count("\n", 0, found.start()), notes


def of_table(data: dict[str, Any], path: Path) -> tuple[Asked, tuple[str, ...]]:
    """Return the request in the fields of a block, and notes."""
    folder = folder_of(path)
    asked = requirements(data.get("dependencies"), folder, path, table(data, "tool", "uv"))
    asked += of_tools(data, folder)
    notes = [f"It is for Python {data['requires-python']}."] if "requires-python" in data else []
    return asked, (*notes, *asked.notes)
