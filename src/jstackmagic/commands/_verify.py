"""The table of ``--verify``: the record, the manager and the disk, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..display import Part, Result, Table, Text
from ..model.record import Record
from ..model.text import counted
from ..restore.verify import NOT_ASKED, Verification, Witnessed, verify
from ..session import Session


def verified(
    session: Session,
    chosen: Sequence[Record],
    records: Sequence[Record] | None = None,
    notes: Sequence[str] = (),
) -> Verified:
    """Hold records against their managers and the disk; see `restore.verify`.

    Args:
        records: The records that count here; None for all.
        notes: A sentence for each thing that is left out of them.
    """
    verification = verify(session.history.records() if records is None else records, chosen)
    found = Verified(replace(verification, notes=(*verification.notes, *notes)))
    session.on_exit_status(found.exit_status)
    return found


@dataclass(frozen=True, repr=False)
class Verified(Result):
    """The words of the three witnesses."""

    verification: Verification

    @property
    def exit_status(self) -> int:  # type: ignore[override]
        return 1 if self.verification.differences else 0

    def summary(self) -> str:
        count, of = len(self.verification.differences), len(self.verification.packages)
        if count:
            return f"{count} of {counted(of, 'package')} differ"
        return f"{counted(of, 'package')} {'agrees' if of == 1 else 'agree'}"

    def parts(self) -> Sequence[Part]:
        rows = sorted(self.verification.packages, key=lambda each: (each.agrees, each.where))
        several = len({each.where for each in rows}) > 1
        where = ("Environment",) if several else ()
        columns = ("", "Package", "Manager", "Record", "Manager says", "On disk", *where)
        cells = tuple(_row(each)[: len(columns)] for each in rows)
        table = Table(columns, cells, caption=f"{self.summary()}.")
        notes = [Text(note, "warning") for note in self.verification.notes]
        if not rows:
            return [Text("No record of these names a package."), *notes]
        return [
            table,
            *map(_hashes, (row for row in rows if row.hashes[0] != row.hashes[1])),
            *notes,
        ]

    def to_json(self) -> Any:
        import msgspec

        return {
            "agree": not self.verification.differences,
            "packages": [
                {**msgspec.to_builtins(each), "agrees": each.agrees}
                for each in self.verification.packages
            ],
            "notes": list(self.verification.notes),
        }


def _row(each: Witnessed) -> tuple[str, ...]:
    says = "not asked" if each.manager_says == NOT_ASKED else each.manager_says or "—"
    mark = "✓" if each.agrees else "≠"
    versions = (each.record or "—", says, each.disk or "—")
    return (mark, each.name, each.manager, *versions, each.where or "system")


def _hashes(each: Witnessed) -> Text:
    return Text(
        f"The archive that {each.name} was installed from has changed since: its SHA-256 is"
        f" {each.hashes[1]}, and was {each.hashes[0]}.",
        "warning",
    )
