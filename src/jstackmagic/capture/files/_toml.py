"""TOML that people and tools wrote."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...model.errors import InvalidSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path


def parse(text: str, path: Path) -> dict[str, Any]:
    """A document as a dictionary.

    Raises:
        InvalidSpec: It is no TOML.
    """
    try:
        data: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidSpec(f"{path} is no TOML: {error}", kept="Nothing was started.") from None
    return data


def line_of(text: str, heading: str) -> int:
    """The line of a table or a key, counted from 1; 0 where it is not found as it is written."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip().startswith(heading):
            return number
    return 0
