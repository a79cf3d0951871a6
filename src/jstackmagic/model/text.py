"""Text that anybody may have written, made fit to be shown."""

from __future__ import annotations

import re

UNSEEN = r"\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f"
"""A class of a pattern: what ends a line for some reader, reverses the reading order, or has no
width. The two joiners are no part of it: names in Persian or Hindi have them."""

# ECMA-48: control strings, control sequences, other escapes; then what is left of C0 and C1
_ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    rf"|[{UNSEEN}]",
)
_BEYOND_JSON = re.compile(rf"[\x7f-\x9f\ud800-\udfff{UNSEEN}]")
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


def as_json(value: object) -> str:
    """Return indented JSON that may be printed: what no terminal or encoding allows is escaped."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _BEYOND_JSON.sub(
        lambda match: json.dumps(match[0])[1:-1].replace("\x7f", "\\u007f"), text
    )


def for_terminal(text: str) -> str:
    """Return text that speaks of magics for a terminal: ``%envverb`` is a verb there."""
    return re.sub(r"%?%env(\w+)", r"jstackmagic \1", text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "package"), counted(0, "line")
    ('1 package', '0 lines')
    """
    return f"{number} {noun}{'s'[: number != 1]}"
