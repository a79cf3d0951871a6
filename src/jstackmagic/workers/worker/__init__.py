"""The worker's side of a sync, sent there as text: it needs nothing but the standard library.

What the kernel calls takes and returns plain values, so that every cluster can carry them. An
*order* is what the kernel has beyond its image: the Python and platform, a row for each wheel and
conda package, and the names to remove. The worker decides itself what of it is lacking, so that
one that is started later needs no kernel for it.
"""

from __future__ import annotations

import inspect
import re

from ...where import compiled
from . import facts, fulfil, linking, order, rows, wheels
from .facts import fingerprint, identity, in_site, infos, look, rows_of, store
from .order import concerning, named, todo
from .rows import is_kept, keep, locked, path_of, write
from .wheels import archive, pack, record_row

__all__ = [
    "archive", "concerning", "fingerprint", "identity", "in_site", "infos", "is_kept", "keep",
    "locked", "look", "named", "pack", "path_of", "record_row", "rows_of", "source", "store",
    "todo", "write",
]  # fmt: skip


def source() -> str:
    """Return the text of all of it, as one module."""
    return joined(compiled, facts, rows, order, wheels, linking, fulfil)


def joined(*modules: object) -> str:
    """Return modules' text as one module's: what they import of each other is in it."""
    text = "\n".join(inspect.getsource(module) for module in modules)  # type: ignore[arg-type]
    text = text.replace(_FUTURE, "")
    return _FUTURE + _OURS.sub(r"\1pass", text)


_FUTURE = "from __future__ import annotations\n"
_OURS = re.compile(r"^( *)from \.[\w.]* import (?:\([^)]*\)|[^\n(]*)$", re.MULTILINE)
