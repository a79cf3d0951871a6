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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..capture import Found, lists, notebooks
from ..capture import files as lists_of_packages
from ..capture.files import pyproject
from ..capture.notebooks import Finding, Reading
from ..capture.targets import Targets
from ..display import Part, Result, Table, Text
from ..model.credentials import mask
from ..model.environment import Environment, EnvironmentRef
from ..model.errors import UsageError
from ..model.managers import is_system
from ..model.record import Context, Record
from ..model.spec import read_all
from ._group import add_group
from ._target import add_target, targets

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..history.file import History
    from ..model.packages import ManagerName
    from ..model.request import Request
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("paths", nargs="*", metavar="FILE_OR_FOLDER", help="what to read")
    add_group(parser)
    add_target(parser)
    parser.add_argument("--dry-run", action="store_true", help="show, and record nothing")


def run(args: argparse.Namespace, session: Session) -> Capture:
    """Read the files, and record what was found as planned."""
    paths = [os.path.expanduser(path) for path in args.paths]
    for path in paths:
        if not os.path.exists(path):
            raise UsageError(
                f"There is no file or folder {path}.",
                kept="Nothing was recorded.",
                advice="Name notebooks or folders: %envcapture analysis.ipynb ~/work",
            )
    if not paths and not args.group:
        raise UsageError(
            "There is nothing to read.",
            kept="Nothing was recorded.",
            advice="Name notebooks, lists or folders: %envcapture analysis.ipynb environment.yml",
        )
    captures, problems, files = read_into(
        session.history,
        paths,
        targets(args),
        session.context(),
        groups=args.group,
        dry_run=args.dry_run,
    )
    return Capture(tuple(captures), tuple(problems), files=files, dry_run=args.dry_run)


def read_into(
    history: History,
    paths: Sequence[str],
    environments: Sequence[Environment],
    context: Context,
    *,
    groups: Sequence[str] = (),
    dry_run: bool = False,
) -> tuple[list[Captured], list[tuple[str, str]], int]:
    """Read files, and record what they ask for as planned.

    Args:
        history: Where to.
        paths: Notebooks, lists of packages, and folders of notebooks.
        environments: Whose they are where they do not say.
        context: Who asks.
        groups: Dependency groups, as ``pyproject.read_group`` takes them.
        dry_run: Whether to record nothing.

    Returns:
        The finds; the files that could not be read, or not whole, with the reason; how many files
        there were.
    """
    planner = _Planner(history, environments, context, dry_run=dry_run)
    unsaid: ManagerName = "conda" if environments[0].is_conda else "pip"
    captures: list[Captured] = []
    problems: list[tuple[str, str]] = []
    files = 0
    for file in _files(paths):
        files += 1
        for reading in _readings(file, unsaid):
            if reading.problem:
                problems.append((file, reading.problem))
            captures += planner.plan(reading)
    for listed in map(pyproject.read_group, groups):
        files += 1
        captures += planner.plan(_as_notebook(listed))
    return captures, problems, files


def _files(paths: Sequence[str]) -> Iterator[str]:
    """What is named, and the notebooks in the folders among it."""
    for path in paths:
        if os.path.isdir(path) and lists_of_packages.reader(Path(path)) is not None:
            yield path
    yield from notebooks.files(paths)


def _readings(file: str, unsaid: ManagerName) -> Iterator[Reading]:
    """What a file is read as: a list of packages, a notebook, or both."""
    module = lists_of_packages.reader(Path(file))
    if module is not None:
        try:
            listed = lists_of_packages.read(Path(file))
        except UsageError as error:
            yield Reading(file, problem=error.problem)
            return
        yield _as_notebook(listed)
    if module is None or file.endswith(notebooks.SUFFIXES):
        yield notebooks.read(file, unsaid=unsaid)


def _as_notebook(listed: lists_of_packages.Reading) -> Reading:
    file = str(listed.path)
    found = tuple(Finding(file, 0, each.line, each) for each in listed.found)
    return Reading(file, found, problem=" ".join(listed.notes))


@dataclass(frozen=True, slots=True)
class Captured:
    """One find, and what came of it.

    Attributes:
        finding: Where it stands, and what it is; its conda lists read.
        environment: Where it is planned for; None where it is not understood.
        notes: What the user should know.
        reason: Why it is not understood, or cannot be planned.
        record: The planned record; None where there is none.
        known: Whether the history, or an earlier find, says the same already.
    """

    finding: Finding
    environment: EnvironmentRef | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""
    record: Record | None = None
    known: bool = False

    @property
    def found(self) -> Found:
        """What was found."""
        return self.finding.found


_Place = tuple[str, str]
"""A prefix, empty for apt, and a manager."""


class _Planner:
    """Plans the finds of file after file, each file as one transaction."""

    def __init__(
        self,
        history: History,
        environments: Sequence[Environment],
        context: Context,
        *,
        dry_run: bool,
    ) -> None:
        self.history = history
        self.targets = [Targets(environment) for environment in environments]
        self.context = context
        self.dry_run = dry_run
        self.standing = _Standing()
        for record in history.records():
            if record.status in ("ok", "planned"):
                self.standing.add(record.request, record.environment)

    def plan(self, reading: Reading) -> Iterator[Captured]:
        """Aim and record the finds of one file."""
        self.standing.mark()
        captures = [
            captured
            for finding in reading.findings
            for found in lists.expand(finding.found)
            for captured in self._aimed(replace(finding, found=found), reading)
        ]
        if self.standing.is_as_marked():  # what it installs, takes away and installs again, too
            captures = [replace(c, known=not c.reason) for c in captures]
        transaction, step = "", 0
        for captured in captures:
            if captured.reason or captured.known or self.dry_run:
                yield captured
                continue
            transaction = transaction or self.history.new_transaction()
            step += 1
            yield replace(captured, record=self._record(captured, transaction, step))

    def _aimed(self, finding: Finding, reading: Reading) -> Iterator[Captured]:
        """The find for each target; a Debian package, and what says where, for one alone."""
        found, seen = finding.found, set()
        if found.request is None:
            yield Captured(finding, reason=found.reason, notes=_sentences(found.note))
            return
        for target in self.targets:
            aim = target.of(found, reading.kernel, reading.display_name)
            where = "" if is_system(found.request.manager) else aim.environment.prefix
            if where in seen:
                continue
            seen.add(where)
            notes = _sentences(found.note, aim.note)
            if found.request.manager == "conda" and not aim.environment.kind.startswith("conda"):
                reason = f"{where} is no conda environment."
                yield Captured(finding, aim.environment, notes, reason)
                continue
            known = not self.standing.add(found.request, aim.environment)
            yield Captured(finding, aim.environment, notes, known=known)

    def _record(self, captured: Captured, transaction: str, step: int) -> Record:
        request, environment = captured.found.request, captured.environment
        assert request is not None
        assert environment is not None
        return self.history.plan(
            request,
            environment,
            transaction=transaction,
            step=step,
            commands=(captured.found.command,),
            context=replace(self.context, notebook=os.path.abspath(captured.finding.file)),
        )


def _sentences(*notes: str) -> tuple[str, ...]:
    return tuple(note for note in notes if note)


class _Standing:
    """The requests that stand so far: what is asked for again adds nothing to a history."""

    def __init__(self) -> None:
        self._requests: dict[_Place, dict[Request, frozenset[str]]] = {}
        self._marked: dict[_Place, dict[Request, frozenset[str]]] = {}

    def mark(self) -> None:
        """Remember what stands now."""
        self._marked = {}

    def is_as_marked(self) -> bool:
        """Whether the same stands as when it was marked."""
        return all(self._requests[place] == marked for place, marked in self._marked.items())

    def add(self, request: Request, environment: EnvironmentRef) -> bool:
        """Take a request in; False where it stands already."""
        place = ("" if is_system(request.manager) else environment.prefix, request.manager)
        masked = _masked(request)
        standing = self._requests.setdefault(place, {})
        self._marked.setdefault(place, dict(standing))
        if masked in standing:
            return False
        names = frozenset(spec.name or spec.text for spec in request.specs)
        for other, named in list(standing.items()):
            if named & names:  # the later request is the one that counts for these
                del standing[other]
        standing[masked] = names
        return True


def _masked(request: Request) -> Request:
    """A request as the history holds it."""
    return replace(
        request,
        specs=read_all(request.manager, map(mask, request.texts)),
        sources=request.sources.masked(),
        options=tuple(map(mask, request.options)),
    )


@dataclass(frozen=True, repr=False)
class Capture(Result):
    """What the files held.

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
        """How much was found."""
        unread = sum(1 for captured in self.captures if captured.reason)
        parts = [
            _counted(len(self.captures) - unread, "install or removal", "installs and removals"),
            f"{unread} not understood" if unread else "",
            f"{len(self.records)} planned" if self.records else "",
        ]
        return f"{', '.join(filter(None, parts))}, in {_counted(self.files, 'file', 'files')}"

    def parts(self) -> Sequence[Part]:
        """What was understood, what to know of it, what was not, and the files' problems."""
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
                        "request": _masked(request) if request else None,
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
