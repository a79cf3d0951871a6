"""Words for a shell's command line, and what no line of text may hold."""

from __future__ import annotations

import re
import unicodedata

from .credentials import MASK, mask
from .errors import ExportError
from .text import UNSEEN


def listed(text: str) -> frozenset[str]:
    """Return names that are written as text, apart by blanks."""
    return frozenset(text.split())


def holds_credential(text: str) -> bool:
    """Return whether a text holds a credential, or the mask that was written in its place."""
    return MASK in mask(text)


def is_private(url: str) -> bool:
    """Return whether a channel or index must stay out of files: it has a token, or one's variable.

    >>> is_private("https://me:${TOKEN}@h.example/simple"), is_private("https://h.example/simple")
    (True, False)
    """
    return holds_credential(url) or re.search(r"\$\{?[A-Za-z_]", url) is not None


def checked(text: str) -> str:
    """Return the text, if one line can hold it and everybody may read it.

    Raises:
        ExportError: It holds a character that no quoting keeps inside a line, or a credential.
    """
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") or re.match(f"[{UNSEEN}]", character):
            raise ExportError(
                f"{text!r} holds U+{ord(character):04X}, which cannot be written on one line.",
                advice="Take it out of the recipe: %envremove or %envundo",
            )
    if holds_credential(text):
        raise ExportError(
            f"{mask(text)!r} holds a credential where none can be passed to a build.",
            advice="Give a channel with --channel and an index with --index-url; those can be.",
        )
    return text


def quoted(text: str) -> str:
    """Return one word for the shell, always in quotes.

    >>> quoted("numpy>=1.20")
    "'numpy>=1.20'"

    Raises:
        ExportError: See `checked`.
    """
    inner = checked(text).replace("'", "'\"'\"'")
    return f"'{inner}'"


def quoted_spec(text: str) -> str:
    """Return one quoted spec, never one that the manager would take for an option.

    Raises:
        ExportError: It is an option; or see `checked`.
    """
    if text.lstrip().startswith("-"):
        raise ExportError(
            f"{text!r} is an option, not a package.",
            advice="Options follow two dashes: %envinstall NAME -- OPTION",
        )
    return quoted(text)


def published(text: str, notes: list[str], reader: str = "") -> str:
    """Return a text as everybody may read it, on one line; a credential that it lost is noted.

    Args:
        text: Such as a URL.
        reader: Who finds the credential elsewhere, and where: a part of a sentence.

    Raises:
        ExportError: See `checked`.
    """
    if public(text) != text:
        notes.append(f"The credential of {public(text)} is not written{reader}.")
    return checked(public(text))


def public(text: str) -> str:
    """A text as everybody may read it: its URLs without their credentials.

    >>> public("https://me:s3cret@pypi.example.com/simple")
    'https://pypi.example.com/simple'
    >>> public("https://conda.example.com/t/****/lab"), public("https://e.example.com/x?token=1&a=b")
    ('https://conda.example.com/lab', 'https://e.example.com/x?a=b')
    >>> public("https://h.example.com/x.whl?X-Sig-Token=abc&Expires=5")
    'https://h.example.com/x.whl?Expires=5'
    >>> public("t/****/lab::tool")  # a channel below conda's alias
    'lab::tool'
    """
    masked = mask(text)
    if MASK not in masked:
        return text
    masked = masked.replace(f"://{MASK}@", "://").replace(f"/t/{MASK}", "")
    masked = re.sub(rf"(?<![\w/])t/{re.escape(MASK)}/", "", masked)
    masked = re.sub(rf"(?<=[?&])[\w.%-]+={re.escape(MASK)}(?:&|(?=$|[#\s'\"]))", "", masked)
    return re.sub(r"[?&](?=$|[#\s'\"])", "", masked)
