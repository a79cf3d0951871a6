"""Compiled Python beside its source: whether Python takes it, and whether it is of that source.

It imports nothing of ours: `%envsync` sends it to workers, and a proof runs it in other Pythons.
"""

from __future__ import annotations

import re
from typing import Any


def is_taken(head: bytes, changed: float, size: int) -> bool:
    """Return whether Python takes a compiled file for a source without a look into it.

    It does by the source's time and size, or by a hash in the file itself (PEP 552).

    Args:
        head: The file's first 16 bytes.
        changed: When the source was changed, in seconds since the epoch.
        size: The source's, in bytes.
    """
    stamp = (int(changed) & 0xFFFFFFFF).to_bytes(4, "little")
    return bool(head[4:5] and head[4] & 1) or head[8:16] == stamp + (size & 0xFFFFFFFF).to_bytes(
        4, "little"
    )


_COMPILED = re.compile(r"(?:.*/)?__pycache__/[^/]+\.pyc")


def is_compiled(path: str) -> bool:
    """Return whether a file is bytecode beside its source, which names the source's time."""
    return _COMPILED.fullmatch(path) is not None


def hides(name: str, data: bytes, source: bytes) -> bool:
    """Return whether a compiled file has other code than its source.

    Args:
        name: The file's, which says how far it is optimised (PEP 488).
    """
    import marshal
    import warnings

    level = re.search(r"\.opt-([12])\.pyc$", name)
    try:
        there = marshal.loads(data[16:])  # noqa: S302 - an import would do the same
        optimize = int(level[1]) if level else 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none
            here = compile(source, there.co_filename, "exec", 0, True, optimize)
    except Exception:
        return True
    return repr(_plain(here)) != repr(_plain(there))


_PARTS = (
    "name", "code", "names", "varnames", "freevars", "cellvars", "flags", "exceptiontable",
    "argcount", "posonlyargcount", "kwonlyargcount",
)  # fmt: skip


def _plain(value: Any) -> Any:
    if hasattr(value, "co_code"):
        parts = [getattr(value, f"co_{part}", None) for part in _PARTS]
        return [*parts, [_plain(each) for each in value.co_consts]]
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, frozenset):
        return sorted(map(repr, map(_plain, value)))
    return repr(value)
