"""Text that anybody may have written, made fit to be shown."""

from __future__ import annotations

import re

TURNING = "\u2028\u2029\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Characters that end a line for some reader, or reverse the reading order."""

# ECMA-48: control strings, control sequences, other escapes; then what is left of C0 and C1
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    rf"|[{TURNING}]",
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def readable(text: str) -> str:
    r"""Return text that moves no cursor, changes no colour and holds no credential.

    Escape sequences and control characters are left out, but for tabs and line ends; what no
    encoding has is replaced. All that a console, a notebook or an error shows passes here.

    >>> readable("six\x1b[2J==1\x1b]0;title\x07.0\r")
    'six==1.0'
    """
    from .credentials import Key, mask

    return legible(text) if isinstance(text, Key) else mask(legible(text))


def legible(text: str) -> str:
    """Return text that moves no cursor and changes no colour; a credential in it stays."""
    return _SURROGATE.sub("\ufffd", _ESCAPES.sub("", text))


def for_terminal(text: str) -> str:
    """Return text that speaks of magics for a terminal: ``%envverb`` is a verb there."""
    return re.sub(r"%?%env(\w+)", r"jstackmagic \1", text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "package"), counted(0, "line")
    ('1 package', '0 lines')
    """
    return f"{number} {noun}{'s'[: number != 1]}"
