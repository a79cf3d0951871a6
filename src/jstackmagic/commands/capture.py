"""Read installs out of notebooks and lists, and plan them: exports and replays honour them.

Reads .ipynb, .py, .md and .qmd files; in a folder, those that are notebooks. Of lists it reads
requirements.txt, environment.yml, pylock.toml, conda-lock.yml, @EXPLICIT, pyproject.toml, the
script block of PEP 723, and what else `%envinstall -f` takes. A find goes to the
environment that its own command names, if that is here; else to that of the notebook's kernel, if
that is here; else to the target. What is not understood is listed with the reason.

Examples:
    %envcapture analysis.ipynb
    %envcapture --dry-run ~/work              # show what is there, and record nothing
    %envcapture notebooks --name other
    %envcapture environment.yml --group dev   # lists of packages, too
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..capture.planned import Captured, masked, read_into
from ..display import Part, Result, Table, Text
from ..model.credentials import mask
from ..model.environment import Environment
from ..model.errors import UsageError
from ..model.managers import is_system
from ._group import add_group
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..model.record import Record
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="FILE_OR_FOLDER", help="what to read")
    add_group(parser)
    add_target(parser)
    parser.add_argument("--dry-run", action="store_true", help="show, and record nothing")


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them.

    Attributes:
        paths: Notebooks, lists, and folders.
        groups: Dependency groups.
        environments: Whose the finds are where nothing in the files says.
        dry_run: Whether to record nothing.
    """

    paths: tuple[str, ...]
    groups: tuple[str, ...]
    environments: tuple[Environment, ...]
    dry_run: bool

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words.

        Raises:
            UsageError: A path does not exist, or nothing was named.
        """
        paths = tuple(os.path.expanduser(path) for path in args.paths)
        _check(paths, args.group)
        return cls(paths, tuple(args.group), targets(args), args.dry_run)


def run(args: argparse.Namespace, session: Session) -> Capture:
    """Read the files, and record what was found as planned."""
    options = Options.of(args)
    captures, problems, files = read_into(
        session.history,
        options.paths,
        options.environments,
        session.context(),
        groups=options.groups,
        dry_run=options.dry_run,
    )
    return Capture(tuple(captures), tuple(problems), files=files, dry_run=options.dry_run)


def _check(paths: Sequence[str], groups: Sequence[str]) -> None:
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(
                f"There is no file or folder {path}.",
                kept="Nothing was recorded.",
                advice="Name notebooks or folders: %envcapture analysis.ipynb ~/work",
            )
    if not paths and not groups:
        raise UsageError(
            "There is nothing to read.",
            kept="Nothing was recorded.",
            advice="Name notebooks, lists or folders: %envcapture analysis.ipynb environment.yml",
        )


@dataclass(frozen=True, repr=False)
class Capture(Result):
    """The requests that the files held.

    Attributes:
        captures: Every find, in the order they were read.
        problems: Files that could not be read, or not whole, each with the reason.
        files: How many were read.
        dry_run: Whether nothing was to be recorded.
    """

    captures: tuple[Captured, ...]
    problems: tuple[tuple[str, str], ...] = ()
    files: int = 0
    dry_run: bool = False

    @property
    def records(self) -> tuple[Record, ...]:
        """The records that were made."""
        return tuple(captured.record for captured in self.captures if captured.record)

    def summary(self) -> str:
        """Return how much was found."""
        unread = sum(1 for captured in self.captures if captured.reason)
        parts = [
            _counted(len(self.captures) - unread, "install or removal", "installs and removals"),
            f"{unread} not understood" if unread else "",
            f"{len(self.records)} planned" if self.records else "",
        ]
        return f"{', '.join(filter(None, parts))}, in {_counted(self.files, 'file', 'files')}"

    def parts(self) -> Sequence[Part]:
        """Return what was understood, what to know of it, what was not, and the files' problems."""
        parts: list[Part] = []
        read = [captured for captured in self.captures if not captured.reason]
        if read:
            columns = ("Where", "What", "Manager", "Environment", "Result")
            parts.append(Table(columns, tuple(self._row(captured) for captured in read)))
        for captured in read:
            parts += [Text(f"{_place(captured)}: {n}", "warning") for n in captured.notes]
        unread = [captured for captured in self.captures if captured.reason]
        if unread:
            rows = tuple(
                (_place(each), _command(each), " ".join((each.reason, *each.notes)))
                for each in unread
            )
            parts.append(Table(("Where", "Command", "Why"), rows, "Not understood, not planned"))
        if self.problems:
            parts.append(Table(("File", "Why"), self.problems, "Not read, or not whole"))
        parts.append(Text(f"{self.summary()}.{self._advice()}"))
        return parts

    def _row(self, captured: Captured) -> tuple[str, ...]:
        request, environment = captured.found.request, captured.environment
        assert request is not None
        assert environment is not None
        where = environment.name or environment.prefix
        result = "asked for before" if captured.known else "would be planned"
        return (
            _place(captured),
            mask(f"{request.action} {' '.join(request.texts)}"),
            request.manager,
            "system" if is_system(request.manager) else where,
            captured.record.id if captured.record else result,
        )

    def _advice(self) -> str:
        if self.records:
            return " Planned is not installed: %envreplay installs it, %envexport writes it down."
        return " Nothing was recorded." if self.dry_run else ""

    def to_json(self) -> Any:
        """The finds, with where they stand and what came of them."""
        from ..model.written import plain

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
                        "request": masked(request) if request else None,
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
                for request in (captured.found.request,)
            ],
        }


def _counted(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _place(captured: Captured) -> str:
    finding = captured.finding
    cell = f" cell {finding.cell}" if finding.cell else ""
    return f"{finding.file}{cell}:{finding.line}"


def _command(captured: Captured) -> str:
    return mask(" ".join(captured.found.command.split()))
