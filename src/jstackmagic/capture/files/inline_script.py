"""The PEP 723 block of a script, or of a notebook's cell, that juv, marimo and uv read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...model.documents import parse_json, parse_toml
from ...model.errors import InvalidSpec
from ...model.parsing import Asked, read_requirement
from ...model.sources import Sources
from . import Reading
from ._finds import finds, folder_of, text_of

if TYPE_CHECKING:
    from pathlib import Path

# the regular expression that the standard itself gives
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def recognises(path: Path) -> bool:
    """Whether it is Python, or a notebook, with such a block."""
    if path.suffix not in (".py", ".ipynb") or not path.is_file():
        return False
    try:
        return b"# /// script" in path.read_bytes()
    except OSError:
        return False


def read(path: Path) -> Reading:
    """Read its dependencies, and the index that uv is told of.

    Raises:
        InvalidSpec: There is more than one block, or one that is no TOML.
        OSError: It cannot be read.
    """
    text, line = _source(path)
    blocks = [match for match in _BLOCK.finditer(text) if match["type"] == "script"]
    if len(blocks) > 1:
        raise InvalidSpec(
            f"{path} has {len(blocks)} script blocks, and one is allowed.",
            kept="Nothing was started.",
        )
    if not blocks:
        return Reading(path)
    (block,) = blocks
    content = "".join(
        each[2:] if each.startswith("# ") else each[1:]
        for each in block["content"].splitlines(keepends=True)
    )
    data = parse_toml(content, str(path))
    asked = requirements(data.get("dependencies"), folder_of(path), path)
    uv = data.get("tool", {}).get("uv", {})
    asked += indexes(uv.get("index"), uv.get("sources"))
    first = line + text.count("\n", 0, block.start())
    notes = [f"It is for Python {data['requires-python']}."] if "requires-python" in data else []
    notes += [f"[tool.uv] {key} is left aside." for key in uv if key not in ("index", "sources")]
    return Reading(path, tuple(finds(asked, line=first)), (*notes, *asked.notes))


def _source(path: Path) -> tuple[str, int]:
    """The text that holds the block, and the line at which it begins in the file."""
    text = text_of(path)
    if path.suffix != ".ipynb":
        return text.replace("\r\n", "\n") + "\n", 1
    try:
        cells = parse_json(text, str(path))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (KeyError, TypeError) as error:
        raise InvalidSpec(f"{path} is no notebook: {error}", kept="Nothing was started.") from None
    return next((f"{source}\n" for source in sources if "# /// script" in source), ""), 1


def requirements(lines: Any, folder: str, path: Path) -> Asked:
    """A list of requirements in a TOML file.

    Raises:
        InvalidSpec: It is no list of texts.
    """
    if not isinstance(lines or [], list) or any(not isinstance(line, str) for line in lines or ()):
        raise InvalidSpec(f"The dependencies of {path} are no list.", kept="Nothing was started.")
    asked = Asked()
    for line in lines or ():
        asked += read_requirement(line.strip(), folder=folder)
    return asked


def indexes(listed: Any, sources: Any) -> Asked:
    """The indexes of ``[[tool.uv.index]]``; a source of a single package is noted."""
    tables = [table for table in listed or () if isinstance(table, dict) and table.get("url")]
    default = next((str(table["url"]) for table in tables if table.get("default")), "")
    extra = tuple(str(table["url"]) for table in tables if not table.get("default"))
    notes = tuple(
        f"[tool.uv.sources] says of {name} where it comes from; pip is not told."
        for name in sources or ()
    )
    return Asked(sources=Sources(index_url=default, extra_index_urls=extra), notes=notes)
