"""A change of packages as a table, and in a few words."""

from __future__ import annotations

from ..model.packages import Change, Package
from .parts import Table, channel_text, size_text


def count_text(change: Change) -> str:
    """Return a change in a few words; empty if nothing changed."""
    counts = (
        (len(change.added), "added"),
        (len(change.changed), "changed"),
        (len(change.removed), "removed"),
    )
    return ", ".join(f"{number} {word}" for number, word in counts if number)


def change_table(change: Change, caption: str = "") -> Table:
    """Return a change as a table: what came, what moved from which version, what went."""
    rows = [
        *(_row("+", package, package.version) for package in change.added),
        *(_row("~", new, _moved(old, new)) for old, new in change.changed),
        *(_row("−", package, package.version) for package in change.removed),
    ]
    columns = ("", "Package", "Version", "Build", "From", "Size")
    used = [i for i in range(len(columns)) if i < 3 or any(row[i] for row in rows)]
    return Table(
        columns=tuple(columns[i] for i in used),
        rows=tuple(tuple(row[i] for i in used) for row in rows),
        caption=caption,
    )


def _row(sign: str, package: Package, version: str) -> tuple[str, ...]:
    origin = channel_text(package.source)
    return (sign, package.name, version, package.build, origin, size_text(package.size))


def _moved(old: Package, new: Package) -> str:
    if old.version != new.version:
        return f"{old.version} → {new.version}"
    origin = channel_text(old.source) if old.source != new.source else ""
    return f"{new.version} (was {old.build or origin or 'another archive'})"
