"""Files that were read, recorded as planned: exports and replays honour them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..history.file import History
from ..managers import hold
from ..model.credentials import mask
from ..model.environment import Environment, EnvironmentRef
from ..model.errors import JStackMagicError, UsageError
from ..model.managers import is_system
from ..model.policy import Policy
from ..model.record import Context, Record
from ..model.request import Request
from ..model.spec import read_all
from . import Found, lists, notebooks
from . import files as lists_of_packages
from .files import pyproject
from .notebooks import Finding, NotebookReading
from .own import resolved
from .targets import Targets


def read_into(
    history: History,
    paths: Sequence[str],
    environments: Sequence[Environment],
    context: Context,
    *,
    groups: Sequence[str] = (),
    dry_run: bool = False,
    policy: Policy | None = None,
) -> tuple[list[Captured], list[tuple[str, str]], int]:
    """Read files, and record their requests as planned.

    Args:
        groups: Dependency groups, as ``pyproject.read_group`` takes them.

    Returns:
        The finds; the files that could not be read (completely), with the reason; how many files
        there were.
    """
    planner = _Planner(history, environments, context, policy, dry_run=dry_run)
    captures: list[Captured] = []
    problems: list[tuple[str, str]] = []
    files = 0
    for file in _files(paths):
        files += 1
        for reading in _readings(file):
            if reading.problem:
                problems.append((file, reading.problem))
            captures += planner.plan(reading)
    for listed in map(pyproject.read_group, groups):
        files += 1
        captures += planner.plan(_as_notebook(listed))
    return captures, problems, files


def _files(paths: Sequence[str]) -> Iterator[str]:
    """Yield the named files, and the notebooks in the named folders."""
    for path in paths:
        if os.path.isdir(path) and lists_of_packages.reader(Path(path)) is not None:
            yield path
    yield from notebooks.files(paths)


def _readings(file: str) -> Iterator[NotebookReading]:
    """Yield the readings of a file: as a list of packages, a notebook, or both."""
    module = lists_of_packages.reader(Path(file))
    if module is not None:
        try:
            listed = lists_of_packages.read(Path(file))
        except UsageError as error:
            yield NotebookReading(file, problem=error.reason)
            return
        yield _as_notebook(listed)
    if module is None or file.endswith(notebooks.SUFFIXES):
        yield notebooks.read(file)


def _as_notebook(listed: lists_of_packages.Reading) -> NotebookReading:
    file = str(listed.path)
    found = tuple(Finding(file, 0, each.line, each) for each in listed.found)
    return NotebookReading(file, found, problem=" ".join(listed.notes))


@dataclass(frozen=True, slots=True)
class Captured:
    """One find and its outcome."""

    finding: Finding  #: the find and its place; its conda lists are read
    #: the environment it is planned for; None if it is not understood
    environment: EnvironmentRef | None = None
    notes: tuple[str, ...] = ()
    reason: str = ""  #: why it is not understood, or cannot be planned
    record: Record | None = None  #: the planned record, if there is one
    known: bool = False  #: whether the history or an earlier find already says the same

    @property
    def found(self) -> Found:
        """Return the find."""
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
        policy: Policy | None,
        *,
        dry_run: bool,
    ) -> None:
        self.history = history
        self.policy = policy
        self.targets = [Targets(environment) for environment in environments]
        self.context = context
        self.dry_run = dry_run
        self.standing = _Standing()
        self.seen: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()
        for record in history.records():
            if record.status in ("ok", "planned"):
                self.standing.add(record.request, record.environment)
            elif record.status == "seen":
                self.seen.add((record.commands, record.notes))

    def plan(self, reading: NotebookReading) -> Iterator[Captured]:
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
            said = ((mask(captured.found.command),), (mask(captured.reason),))
            if captured.known or self.dry_run or said in self.seen:
                yield captured
                continue
            transaction = transaction or self.history.new_transaction()
            step += 1
            record = self._note(captured, transaction, step)
            if captured.reason:
                self.seen.add(said)
            yield captured if captured.reason else replace(captured, record=record)

    def _aimed(self, finding: Finding, reading: NotebookReading) -> Iterator[Captured]:
        """Yield the find for each target; a Debian package, or one with a target, only once."""
        found, seen = finding.found, set()
        if found.request is None:
            said = _sentences(found.note, found.when)
            yield Captured(finding, reason=mask(found.reason), notes=said)
            return
        for target in self.targets:
            aim = target.of(found, reading.kernel, reading.display_name)
            if aim.reason:
                said = _sentences(found.note, found.when)
                yield Captured(finding, reason=aim.reason, notes=said)
                return
            where = "" if is_system(found.request.manager) else aim.environment.prefix
            if where in seen:
                continue
            seen.add(where)
            notes = _sentences(found.note, found.when, aim.note)
            is_conda = aim.environment.kind.startswith("conda")
            for each in resolved(found, conda=is_conda):
                assert each.request is not None
                one = replace(finding, found=each)
                reason = self._forbidden(each.request, aim.environment, target.default)
                if each.request.manager == "conda" and not is_conda:
                    reason = f"{where} is not a conda environment."
                known = not reason and not self.standing.add(each.request, aim.environment)
                yield Captured(one, aim.environment, notes, reason, known=known)

    def _forbidden(self, request: Request, ref: EnvironmentRef, default: Environment) -> str:
        """Return why the settings forbid a request; empty if they do not."""
        if self.policy is None:
            return ""
        environment = Environment(ref.kind, ref.name, ref.prefix, ref.python)
        try:
            hold(
                request, default if default.ref == ref else environment, self.policy, planned=False
            )
        except JStackMagicError as error:
            return error.problem
        return ""

    def _note(self, captured: Captured, transaction: str, step: int) -> Record:
        """Write down a find: as planned, or with the reason as seen."""
        request = None if captured.reason else captured.found.request
        assert captured.reason or (request is not None and captured.environment is not None)
        return self.history.note(
            "planned" if request else "seen",
            request or Request("install", "pip", ()),
            captured.environment or self.targets[0].default.ref,
            transaction=transaction,
            step=step,
            commands=(captured.found.command,),
            context=replace(self.context, notebook=os.path.abspath(captured.finding.file)),
            notes=captured.notes if request else (captured.reason,),
        )


def _sentences(*notes: str) -> tuple[str, ...]:
    return tuple(mask(note) for note in notes if note)


class _Standing:
    """The requests that count so far: a repeated one adds nothing to a history."""

    def __init__(self) -> None:
        self._requests: dict[_Place, dict[Request, frozenset[str]]] = {}
        self._marked: dict[_Place, dict[Request, frozenset[str]]] = {}

    def mark(self) -> None:
        """Remember the requests now."""
        self._marked = {}

    def is_as_marked(self) -> bool:
        """Return whether the requests are the same as when they were marked."""
        return all(self._requests[place] == marked for place, marked in self._marked.items())

    def add(self, request: Request, environment: EnvironmentRef) -> bool:
        """Add a request; return False if it is there already."""
        place = ("" if is_system(request.manager) else environment.prefix, request.manager)
        known = masked(request)
        standing = self._requests.setdefault(place, {})
        self._marked.setdefault(place, dict(standing))
        if known in standing:
            return False
        names = frozenset(spec.name or spec.text for spec in request.specs)
        for other, named in list(standing.items()):
            if named & names:  # the later request is the one that counts for these
                del standing[other]
        standing[known] = names
        return True


def masked(request: Request) -> Request:
    """Return a request as the history holds it."""
    return replace(
        request,
        specs=read_all(request.manager, map(mask, request.texts)),
        sources=request.sources.masked(),
        options=tuple(map(mask, request.options)),
    )
