"""The formats that a recipe can be rendered as: one module each.

``dockerfile.py`` is the format ``dockerfile``; adding a module adds a format and touches no other
file. A format's module declares one value, ``FORMAT`` (see `Format`). A module whose name begins
with an underscore is shared, and is not a format.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

from ..model.errors import UsageError
from ._artifact import Artifact, File
from ._format import Format, FormatOption, option

__all__ = ["Artifact", "File", "Format", "FormatOption", "formats", "get", "option"]


def formats() -> dict[str, Format]:
    """Return every format by the name a user types, in alphabetical order."""
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {
        name.replace("_", "-"): import_module(f".{name}", __name__).FORMAT
        for name in modules
        if not name.startswith("_")
    }


def get(name: str) -> Format:
    """Return the format of a name.

    Raises:
        UsageError: No format has that name.
    """
    known = formats()
    if name not in known:
        raise UsageError(
            f"There is no export format {name!r}.",
            kept="Nothing was written.",
            advice=f"Take one of: {', '.join(known)}",
        )
    return known[name]
