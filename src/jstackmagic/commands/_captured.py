"""The finds of ``%envcapture`` as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..capture.planned import Captured, masked
from ..display import Part, Result, Table, Text
from ..model.credentials import mask
from ..model.managers import is_system
from ..model.record import Record
from ..model.text import counted
from ..model.written import plain


@dataclass(frozen=True, repr=False)
class Capture(Result):
    """The requests in the files."""

    captures: tuple[Captured, ...]  #: every find, in the order they were read
    #: files that could not be read (completely), each with the reason
    problems: tuple[tuple[str, str], ...] = ()
    files: int = 0  #: the number of files read
    dry_run: bool = False

    @property
    def records(self) -> tuple[Record, ...]:
        return tuple(captured.record for captured in self.captures if captured.record)

    def summary(self) -> str:
        unread = sum(1 for captured in self.captures if captured.reason)
        read = len(self.captures) - unread
        parts = [
            f"{read} {'install or removal' if read == 1 else 'installs and removals'}",
            f"{unread} not understood" if unread else "",
            f"{len(self.records)} planned" if self.records else "",
        ]
        files = counted(self.files, "file")
        return f"{', '.join(filter(None, parts))}, in {files}"

    def parts(self) -> Sequence[Part]:
        parts: list[Part] = []
        read = [captured for captured in self.captures if not captured.reason]
        if read:
            columns = ("Where", "What", "Manager", "Environment", "Result")
            parts.append(Table(columns, tuple(map(self._row, read))))
        for captured in read:
            parts += [Text(f"{_place(captured)}: {n}", "warning") for n in captured.notes]
        unread = [captured for captured in self.captures if captured.reason]
        if unread:
            commands = (mask(" ".join(each.found.command.split())) for each in unread)
            rows = tuple(
                (_place(each), command, " ".join((*each.notes, each.reason)))
                for each, command in zip(unread, commands, strict=True)
            )
            names, caption = ("Where", "Command", "Why"), "Not understood, not planned"
            parts.append(Table(names, rows, caption, sentences=("Why",)))
        if self.problems:
            parts.append(Table(("File", "Why"), self.problems, "Not read, or not whole"))
        return [*parts, Text(f"{self.summary()}.{self._advice()}")]

    def _row(self, captured: Captured) -> tuple[str, ...]:
        request, environment = captured.found.request, captured.environment
        assert request is not None
        assert environment is not None
        result = "asked for before" if captured.known else "would be planned"
        return (
            _place(captured),
            mask(f"{request.action} {' '.join(request.texts)}"),
            request.manager,
            "system" if is_system(request.manager) else environment.name or environment.prefix,
            captured.record.id if captured.record else result,
        )

    def _advice(self) -> str:
        if self.records:
            return " Planned is not installed: %envreplay installs it, %envexport writes it down."
        return " Nothing was recorded." if self.dry_run else ""

    def to_json(self) -> Any:
        return {
            "files": self.files,
            "problems": [{"file": file, "reason": reason} for file, reason in self.problems],
            "found": [
                plain(
                    {
                        "file": captured.finding.file,
                        "cell": captured.finding.cell,
                        "line": captured.finding.line,
                        "command": mask(captured.found.command),
                        "request": (r := captured.found.request) and masked(r),
                        "target": captured.found.target,
                        "environment": captured.environment,
                        "reason": captured.reason,
                        "notes": list(captured.notes),
                        "known": captured.known,
                        "record": captured.record.id if captured.record else None,
                    },
                    whole=True,
                )
                for captured in self.captures
            ],
        }


def _place(captured: Captured) -> str:
    finding = captured.finding
    cell = f" cell {finding.cell}" if finding.cell else ""
    return f"{finding.file}{cell}:{finding.line}"
