"""Debian's lists and accounts in a layer: nothing of one machine, and no password. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

# Debian's lists: the base's paragraphs, and those of the packages that are recorded


def paragraphs(base: bytes, here: bytes, moved: Collection[str]) -> bytes:
    """Return a list of dpkg's or apt's as in the base, except for the packages that moved.

    Args:
        base: The list in the base image.
        here: The list here.
        moved: Names of packages, with ``:ARCHITECTURE`` if it is a foreign one.
    """
    was, now = _paragraphs(base), _paragraphs(here)
    names = {name.partition(":")[0] for name in moved}
    kept = {key: text for key, text in was.items() if key[0] not in names}
    kept |= {key: text for key, text in now.items() if key[0] in names}
    return b"".join(kept[key].strip(b"\n") + b"\n\n" for key in sorted(kept))


def merged(old: bytes, ours: bytes, new: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Carry the changes of a list of dpkg's or apt's from one base image over to another.

    Args:
        old: The list in the base image that ours was made for.
        ours: The list in our layer.
        new: The list in the other base image.

    Returns:
        The list for it, and the packages that the two have changed in different ways.
    """
    was, mine, other = _paragraphs(old), _paragraphs(ours), _paragraphs(new)
    changed = {key for key in was.keys() | mine.keys() if was.get(key) != mine.get(key)}
    clash = tuple(
        sorted(key[0] for key in changed if other.get(key) not in (was.get(key), mine.get(key)))
    )
    found = {key: text for key, text in other.items() if key not in changed}
    found |= {key: mine[key] for key in changed if key in mine}
    return b"".join(found[key].strip(b"\n") + b"\n\n" for key in sorted(found)), clash


def _paragraphs(content: bytes) -> dict[tuple[str, str], bytes]:
    found = {}
    for text in re.split(rb"\n{2,}", content.strip(b"\n")):
        fields = dict(re.findall(rb"^(Package|Architecture):[ \t]*(.*?)[ \t]*$", text, re.M))
        if b"Package" in fields:
            key = (fields[b"Package"].decode(), fields.get(b"Architecture", b"").decode())
            found[key] = text
    return found


# Accounts that packages made


def accounts(base: bytes, here: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Add this system's new users, or groups, to the base's list.

    Users with numbers from 1000 are people, and are left out.

    Returns:
        The list, and the names that are new in it.
    """
    known = {line.partition(b":")[0] for line in base.splitlines()}
    rows = [line.split(b":") for line in here.splitlines()]
    new = [
        row
        for row in rows
        if len(row) > 3 and row[0] not in known and row[2].isdigit() and int(row[2]) < 1000
    ]
    lines = [b":".join([row[0], b"x", *row[2:]]) for row in new]
    text = base if base.endswith(b"\n") or not base else base + b"\n"
    return text + b"".join(line + b"\n" for line in lines), tuple(row[0].decode() for row in new)


def locked(base: bytes, names: Iterable[str], fields: int) -> bytes:
    """Add accounts without a password to the base's ``/etc/shadow`` or ``/etc/gshadow``.

    Args:
        base: The file in the base image.
        fields: The number of fields in a line: 9, or 4.
    """
    known = {line.partition(b":")[0] for line in base.splitlines()}
    lines = [
        name.encode() + b":!" + b":" * (fields - 2) + b"\n"
        for name in names
        if name.encode() not in known
    ]
    return base + b"".join(lines)
