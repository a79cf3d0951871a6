"""A notebook that lists its packages itself: in its metadata, or in a PEP 723 block as juv does."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ...io.reading import MAX_NOTEBOOK, bytes_of, decoded
from ...model.documents import parse_json, table
from ...model.environmentfile import read_environment_yml
from ...model.errors import InvalidSpec, UsageError
from ...model.listed import listed_requirement
from ...model.parsing import Asked, Problem
from ...model.sources import Sources
from .. import Found
from ..cellsource import code_cells
from . import Reading
from ._finds import finds, folder_of
from ._toolsources import poetrys
from .inline_script import block, of_table

_SIGNS = (b"# /// script", b'"dependencies"', b'"requirements"')
"""One of them is in every such notebook; most have none, and are not parsed."""


def recognises(path: Path) -> bool:
    """Return whether it has such metadata, or such a cell."""
    if path.suffix != ".ipynb" or not path.is_file():
        return False
    try:
        data = bytes_of(path, limit=MAX_NOTEBOOK)
        if not any(sign in data for sign in _SIGNS):
            return False
        return _SIGNS[0] in data or bool(_listed(table(_notebook(data, path), "metadata")))
    except (OSError, InvalidSpec):
        return False


def read(path: Path) -> Reading:
    """Read the block, then the metadata that juv, uv, nteract, Thoth and Databricks write."""
    notebook = _notebook(bytes_of(path, limit=MAX_NOTEBOOK), path)
    found: list[Found] = []
    notes: list[str] = []
    try:
        sources = code_cells(notebook)
    except (KeyError, TypeError) as error:
        problem = f"{path} is not a notebook: {error}"
        raise InvalidSpec(problem) from None
    text = next((f"{source}\n" for source in sources if _SIGNS[0].decode() in source), "")
    asked, line, said = block(text, path)
    found += finds(asked, line=line)
    notes += said
    for key, value in _listed(table(notebook, "metadata")).items():
        asked, said = _READERS[key](value, path)
        found += finds(asked)
        notes += said
        if asked.specs:
            notes.append(f"Its metadata lists them, under {key!r}.")
    return Reading(path, tuple(found), tuple(notes))


def _notebook(data: bytes, path: Path) -> dict[str, Any]:
    return table(parse_json(decoded(data, str(path)), str(path)))


def _listed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of the metadata that list packages."""
    nested = dict(metadata)
    for key in ("runt", "nteract", "application/vnd.databricks.v1+notebook"):
        nested |= table(metadata, key)
    return {
        key: nested[key]
        for key in _READERS
        if isinstance(nested.get(key), dict)
        and (nested[key].get("dependencies") or nested[key].get("requirements"))
    }


def _of_uv(value: dict[str, Any], path: Path) -> tuple[Asked, tuple[str, ...]]:
    settings = {k: v for k, v in value.items() if k not in ("dependencies", "requires-python")}
    return of_table({**value, "tool": {"uv": settings}}, path)


def _of_conda(value: dict[str, Any], path: Path) -> tuple[Asked, tuple[str, ...]]:
    wanted = {key: value[key] for key in ("channels", "dependencies") if key in value}
    # JSON is YAML, and what conda's file may hold is read in one place
    asked = read_environment_yml(json.dumps(wanted), folder=folder_of(path))
    return asked, asked.notes


def _of_thoth(value: dict[str, Any], path: Path) -> tuple[Asked, tuple[str, ...]]:
    """Read Thoth's metadata, whose requirements are a Pipfile as JSON in a text."""
    listed = value.get("requirements")
    if isinstance(listed, str):
        listed = parse_json(listed, f"The metadata of {path}")
    packages = table(listed, "packages")
    places = listed.get("sources") or listed.get("source") if isinstance(listed, dict) else None
    asked = poetrys(packages, places, folder_of(path))  # a Pipfile's tables are as poetry's
    urls = [str(each["url"]) for each in places or () if isinstance(each, dict) and "url" in each]
    asked += Asked(sources=Sources(index_url="".join(urls[:1]), extra_index_urls=tuple(urls[1:])))
    if not packages:
        reason = "Its metadata lists no packages."
        asked += Asked(problems=(Problem("dependencies", reason),))
    return asked, asked.notes


def _of_databricks(value: dict[str, Any], path: Path) -> tuple[Asked, tuple[str, ...]]:
    """Read the environment of a Databricks notebook, whose items are lines for pip."""
    listed, asked = value.get("dependencies"), Asked()
    for text in listed if isinstance(listed, list) else ():
        try:
            read, own = listed_requirement(str(text).strip(), folder=folder_of(path))
            missing = [
                file
                for _, spec in read.specs
                if spec.startswith(("-r ", "-c ", "/"))
                and not os.path.exists(file := spec.removeprefix("-r ").removeprefix("-c "))
            ]
            if missing:
                raise UsageError(f"There is no {missing[0]} here.")
            if own:
                raise UsageError(f"{own[0]} is for a requirements.txt.")
        except UsageError as error:
            read = Asked(problems=(Problem(str(text), error.problem),))
        asked += read
    base = value.get("base_environment")
    notes = (f"Its base environment {base} is left aside.",) if base else ()
    return asked, (*asked.notes, *notes)


_READERS = {
    "uv": _of_uv,
    "conda": _of_conda,
    "dependencies": _of_thoth,
    "environmentMetadata": _of_databricks,
}
