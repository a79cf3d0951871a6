"""Watch what a session's commands change in the places they reach, and record it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..history.file import History
from ..history.replays import replays
from ..history.who import context
from ..managers.pip.landing import LANDING
from ..managers.pip.pipconf import configured
from ..model.buildvariables import FOR_A_BUILD
from ..model.credentials import mask
from ..model.environment import TOOLS, Environment
from ..model.managers import is_system
from ..model.packages import Change, PackageSet
from ..model.plan import Outcome, OutcomeStatus
from ..model.record import Context, Record
from ..model.request import Request
from ..model.shell import Word
from ..where.host import look
from . import Found
from .argv import MANAGER_OF, program_name
from .cells import CellReader, mentions_install
from .commandlines import recognise, recognise_argv
from .observe import (
    is_served,
    names_all,
    names_of,
    requests_behind,
    says_all,
    serving,
    share,
    without,
)
from .places import Place, Places, is_said, stamp_of
from .python_tools import is_elsewhere
from .settings import uv_settings
from .state import State
from .taps import Handle, Start

QUIET = 1.0
"""Seconds for which nothing must have moved before a change that no cell made is recorded: another
process may be in the middle of it."""

_A_DAY = 86_400.0  # seconds; no install of another kernel takes longer
_WIDTH = 72  # characters of a command in the line that reports it
_READS_INPUT = re.compile(r"(\S*/)?(ba|z|da|k)?sh( -[a-z]+)*")

Changes = list[tuple[Place, Change]]


@dataclass
class Install:
    """One request of a command that runs."""

    found: Found  #: the find in the command that really runs
    typed: str  #: the command as the user typed it
    folder: str  #: the folder it runs in
    environ: Mapping[str, str]
    place: Place | None = None  #: the place it reaches; None if unknown
    record: Record | None = None  #: its begun record; None until more is known

    @property
    def request(self) -> Request | None:
        """Return its request; None if it is not understood."""
        return self.found.request

    @property
    def engine(self) -> str:
        """The program that does the work."""
        program = os.path.basename(self.found.target.interpreter)
        if program in (*TOOLS, "apt", "apt-get", "aptitude", "dpkg"):
            return program
        if re.search(r"\buv\b", self.found.command):
            return "uv"
        return self.request.manager if self.request else program


@dataclass
class Run:
    """A program that was started and installs something."""

    installs: list[Install]  #: its recognised installs
    alone: bool  #: whether it is nothing but one such command, whose exit status is the program's
    transaction: str  #: the transaction of its records
    started: float  #: the start, in seconds since the epoch
    ended: float | None = None  #: the time its end was seen; None until then
    handle: Handle | None = None  #: its handle, if it was not waited for
    exit_status: int | None = None  #: as `subprocess` gives it; None if unknown
    tapped: bool = True  #: whether its start was seen; otherwise a cell's text and a change show it
    others: tuple[Found, ...] = ()  #: its installs that no request can express

    def is_over(self) -> bool:
        """Return whether the program has ended."""
        if self.ended is None and self.handle is not None:
            over, self.exit_status = self.handle.look()
            self.ended = time.time() if over else None
        return self.ended is not None


class Watcher:
    """Watches the places, knows the commands that run, keeps the records.

    Args:
        notebook: Returns the notebook's path, or "" if unknown.
    """

    def __init__(self, notebook: Callable[[], str], history: Callable[[], History]) -> None:
        self.lines: list[str] = []
        self._notebook = notebook
        self._history = history
        self.places = Places()
        self._runs: list[Run] = []
        self._accounted = False  # whether a command of this cell was
        self._others: list[str] = []
        self._who: Context | None = None
        self._mark()

    # -- looking

    def has_moved(self) -> bool:
        """Return whether any place may have changed since it was read; costs a few microseconds."""
        return stamp_of(self._paths) != self._stamp

    def is_busy(self) -> bool:
        """Return whether a command is still to be accounted for."""
        return bool(self._runs)

    def refresh(self) -> None:
        """Accept the packages now as known."""
        self._changes()

    def _changes(self) -> Changes:
        """Return what has changed since the places were last read."""
        changes = [(place, place.refresh()) for place in self.places if place.has_moved()]
        self._mark()
        return [(place, change) for place, change in changes if change]

    def _mark(self) -> None:
        """Note the times when the places were read."""
        self._paths = self.places.paths
        known = {
            path: time
            for place in self.places
            for path, time in zip(place.paths, place.stamp, strict=True)
        }
        self._stamp = tuple(known[path] for path in self._paths)
        self._since = time.time()

    # -- between cells, in a cell, and after one

    def settle_between(self) -> None:
        """Before a cell: what has changed since the last one, no command of this session did."""
        if (
            not self._runs
            and abs(time.time() - self._newest()) > QUIET
            and not self._is_busy_elsewhere()
        ):
            self._found()

    def settle(self) -> None:
        """Record the changes so far, in the middle of a cell."""
        self._close()
        if not self._runs and self.has_moved():
            self._found()

    def end_cell(self, cell: str) -> None:
        """Record a cell's changes, after it."""
        self._close()
        worth_it = self._accounted or self._others or mentions_install(cell)
        if not self._runs and worth_it and self.has_moved():
            read = [] if self._accounted else [each for each in _read(cell) if each.request]
            if read:  # it was done in a way that is not tapped
                self._account_for_text(read)
            else:
                self._found()
        self._accounted = False
        self._others.clear()

    def _account_for_text(self, read: Sequence[Found]) -> None:
        installs = [Install(found, found.command, os.getcwd(), dict(os.environ)) for found in read]
        for install in installs:
            install.place = self._reached(install)
        now = time.time()
        transaction = self._history().new_transaction()
        run = Run(installs, False, transaction, now, ended=now, tapped=False)
        self._account([run], self._changes())

    # -- commands

    def saw(self, text: str) -> None:
        """Note a program that installs nothing as far as its words show."""
        self._others = [*self._others[-9:], text]

    def begins(self, start: Start, cell: str) -> Run | None:
        """Handle the start of a program; return None if it installs nothing."""
        every = _founds(start, cell, self.places.kernel.environment)
        # what is no business of conda, pip or apt names no interpreter
        founds = [
            found
            for found in every
            if found.request or (found.target.interpreter and not is_elsewhere(found))
        ]
        others = tuple(found for found in every if found not in founds)
        if not every:
            self.saw(start.text)
            return None
        self.settle()
        installs = [
            Install(found, typed, start.folder, start.environ)
            for found, typed in zip(founds, _as_typed(founds, cell), strict=True)
        ]
        for install in installs:
            install.place = self._reached(install)
        self._mark()  # a place may be new
        transaction = self._history().new_transaction()
        run = Run(installs, _is_alone(start, founds), transaction, time.time(), others=others)
        if not all(self._is_idle(install) for install in installs):
            for step, each in enumerate(installs, start=1):
                if each.place is not None and each.request is not None:
                    each.record = self._begin(transaction, step, each, each.request, each.place)
        self._runs.append(run)
        return run

    def went(self, run: Run, result: int | Handle) -> None:
        """Handle that it was started, or has ended."""
        if isinstance(result, Handle):
            run.handle = result
        else:
            run.exit_status, run.ended = result, time.time()
            self._close()

    def _reached(self, install: Install) -> Place | None:
        return self.places.reached(install.found, folder=install.folder, environ=install.environ)

    def _close(self) -> None:
        """Record the commands that have ended, once no running one could change more."""
        if self._runs and all(run.is_over() for run in self._runs):
            runs, self._runs = self._runs, []
            self._accounted = True
            self._account(runs, self._changes())

    def _account(self, runs: Sequence[Run], changes: Changes) -> None:
        """Give every change to the request that made it, and write down how each one ended."""
        everything = [install for run in runs for install in run.installs]
        changes = [*changes, *self._made(everything)]
        lead_home(everything, changes)
        shares: dict[int, Change] = {}
        for place, change in changes:
            here = [install for install in everything if install.place is place]
            requests = [(each, each.request) for each in here if each.request is not None]
            parts = share(change, [request for _, request in requests])
            shares.update({id(each): part for (each, _), part in zip(requests, parts, strict=True)})
            if here and not requests:
                self._seen_only(here[0], place, change)
            elif not here:
                self._found_in(place, change, [f.command for run in runs for f in run.others])
        for run in runs:
            if run.installs or not changes:
                self._note_others(run)
            for step, install in enumerate(run.installs, start=1):
                change = shares.get(id(install), Change())
                if install.request is not None and (run.tapped or change):
                    self._ended(run, step, install, install.request, change)

    def _made(self, installs: Sequence[Install]) -> Iterator[tuple[Place, Change]]:
        """Yield the environments made since the command began; all in them is new."""
        for install in installs:
            if install.place is None:
                install.place = self._reached(install)
                if install.place is not None:
                    self._mark()
                    yield install.place, install.place.packages - PackageSet()

    # -- records

    def _begin(
        self, transaction: str, step: int, install: Install, request: Request, place: Place
    ) -> Record:
        from .. import managers

        if install.engine != "uv":  # which reads none of pip's settings
            request = managers.get(request.manager).effective(request, place.environment)
        return self._history().note(
            "running",
            request,
            place.environment.ref,
            transaction=transaction,
            step=step,
            engine=install.engine,
            commands=(install.typed,),
            context=self._context(),
            notes=tuple(filter(None, (install.found.note,))),
        )

    def _ended(
        self, run: Run, step: int, install: Install, request: Request, change: Change
    ) -> None:
        place = install.place or self.places.kernel
        status = _status(run, install, request, change, place.packages)
        idle = status == "ok" and not change and install.record is None
        if idle and (request.action == "remove" or self._is_recorded(request, place)):
            self._tell_of_another(install, request, place)
            return
        record = install.record
        if record is None or record.environment.prefix != place.environment.prefix:
            record = self._begin(run.transaction, step, install, request, place)
        known = run.alone and run.exit_status is not None
        code = run.exit_status or 0  # below 0 for a signal, which a shell reports above 128
        outcome = Outcome(
            status=status,
            exit_status=(128 - code if code < 0 else code) if known else int(status != "ok"),
            seconds=round(_seconds(run, place), 3),
            change=change,
            resolved=serving(request, place.packages, place.environment) if status == "ok" else (),
            message="" if known or status == "ok" else "What it asks for is not there after it.",
        )
        self._history().end(record, outcome)
        if status == "ok" and self._tell_of_another(install, request, place):
            return
        how = "" if status == "ok" else f" as {status}"
        self._tell(f"recorded {_short(install.typed)}{how} ({place.called})")

    def _note_others(self, run: Run) -> None:
        """Write down what ran and no request can say, once for each command."""
        if not run.others or run.exit_status not in (0, None):
            return
        known = {r.commands for r in self._history().records() if r.status == "seen"}
        for step, found in enumerate(run.others, start=len(run.installs) + 1):
            if (mask(found.command),) not in known:
                self._history().note(
                    "seen",
                    Request("install", "pip", ()),
                    self.places.kernel.environment.ref,
                    commands=(found.command,),
                    notes=(found.reason,),
                    transaction=run.transaction,
                    step=step,
                    context=self._context(),
                )
                self._tell(f"noted {_short(found.command)}: {found.reason}")

    def _seen_only(self, install: Install, place: Place, change: Change) -> None:
        """Record the change of a command that was not understood."""
        transaction = self._history().new_transaction()
        for step, (request, part) in enumerate(requests_behind(change), start=1):
            if request.action == "install" and install.found.sources is not None:
                request = replace(request, sources=install.found.sources.of(request.manager))
            record = self._begin(transaction, step, install, request, place)
            self._history().end(record, _seen(request, place, part))
        self._tell(f"recorded {_short(install.typed)} ({place.called})")

    def _found(self) -> None:
        """Record what changed and no command accounts for."""
        for place, change in self._changes():
            self._found_in(place, change)

    def _found_in(self, place: Place, change: Change, ran: Sequence[str] = ()) -> None:
        commands = ran or self._others
        history = self._history()
        change = without(change, self._recorded_by_others(history, place))
        if not change:
            return
        transaction = history.new_transaction()
        for step, (request, part) in enumerate(requests_behind(change), start=1):
            history.note(
                "found",
                request,
                place.environment.ref,
                transaction=transaction,
                step=step,
                time=_iso(max(place.stamp) / 1e9),
                # of several programs none is known to have done it
                commands=commands if len(commands) == 1 else (),
                context=self._context(),
                outcome=_seen(request, place, part),
            )
        self._tell(f"found {_summary(change)} by another program ({place.called})")

    def _recorded_by_others(self, history: History, place: Place) -> Iterator[Change]:
        """Yield what other kernels, a terminal's jstackmagic or a replay have recorded by now."""
        since, here, us = _iso(self._since - _A_DAY), os.uname().nodename, os.getpid()
        for record in (*history.records(), *replays().records()):
            by_another = record.context.host == here and record.context.pid != us
            if by_another and record.outcome and record.time > since and _is_of(record, place):
                yield record.outcome.change

    def _is_busy_elsewhere(self) -> bool:
        """Return whether a recorded install is going on in a place that has moved."""
        moved = [place for place in self.places if place.has_moved()]
        return any(
            record.status == "running" and any(_is_of(record, place) for place in moved)
            for record in (*self._history().records(), *replays().records())
        )

    def _newest(self) -> float:
        """Return when the places that have moved last did, in seconds since the epoch."""
        moved = (place for place in self.places if place.has_moved())
        return max((place.newest() for place in moved), default=0) / 1e9

    def _context(self) -> Context:
        if self._who is None:
            host = look()
            self._who = context(
                notebook=self._notebook(),
                container=host.container_id or "",
                image=host.image or "",
            )
        return self._who

    # -- judging

    def _is_idle(self, install: Install) -> bool:
        """Return whether a command will probably find everything as it wants it."""
        request, place = install.request, install.place
        if request is None or place is None:
            return False
        if request.upgrade or not says_all(request):  # only the manager knows
            return self._is_recorded(request, place)
        return is_served(request, place.packages)

    def _is_recorded(self, request: Request, place: Place) -> bool:
        """Return whether the history has a successful request for all of it."""
        specs = {
            spec
            for record in self._history().records()
            if record.status == "ok"
            and record.request.action == request.action
            and record.request.manager == request.manager
            and _is_of(record, place)
            for spec in record.request.texts
        }
        return {mask(spec) for spec in request.texts} <= specs

    # -- reporting

    def _tell(self, line: str) -> None:
        self.lines.append(line)

    def _tell_of_another(self, install: Install, request: Request, place: Place) -> bool:
        """Warn if a command without a named environment reached another than the kernel's."""
        kernel = self.places.kernel
        if place is kernel or place.is_system or is_said(install.found):
            return False
        program = os.path.basename(install.found.target.interpreter)
        what = " ".join(request.texts)
        self._tell(
            f"{_short(install.typed)} went to {place.called}: that {program} is not this kernel's "
            f"({kernel.called}); %env{request.action} {_short(what)} reaches it"
        )
        return True


# -- reading


_UV_S = r"UV_(?:DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|FIND_LINKS|NO_INDEX|CONSTRAINT)"
"""Variables from which uv takes what pip takes from its own."""

_SETTING = re.compile(
    r"(?:PIP|UV|CONDA|MAMBA)_(?!PREFIX|DEFAULT_ENV|SHLVL|PROMPT)\w+|CONDARC|MAMBARC"
)
"""Variables that choose what is installed and from where: a call's own belong to its request."""


def _founds(start: Start, cell: str, kernel: Environment) -> list[Found]:
    """Return the installs of a program that is about to start."""
    state = State(folder=start.folder)
    for name, setting in configured(kernel, environ=start.environ).items():
        if name in LANDING:
            state.define(f"PIP_{name.upper()}", Word(setting.value))
    own = {} if start.environ is os.environ else start.environ
    for name, value in own.items():
        set_for_it = value != os.environ.get(name)
        if set_for_it and (_SETTING.fullmatch(name) or FOR_A_BUILD.fullmatch(name)):
            state.define(name, Word(value))
    for name in start.environ:  # uv's settings are not pip's: no request gets them later
        if name == "PIP_PYTHON" or re.fullmatch(_UV_S, name):
            state.define(name, Word(start.environ[name]))
    if re.search(r"\buv\b", start.text) and "--no-config" not in start.text:
        for name, value in uv_settings(start.folder, start.environ).items():
            state.define(name, Word(value))
    if start.words is None:
        founds = list(recognise(start.text, state=state))
    else:
        founds = list(recognise_argv([Word(word) for word in start.words], state=state))
    if not founds and _READS_INPUT.fullmatch(start.text) and cell.lstrip().startswith("%%"):
        founds = list(_read(cell))
    return [found for found in founds if not found.ours]


def _read(cell: str) -> Iterator[Found]:
    """Yield the installs in a cell's text that are not our own."""
    for found in CellReader(folder=os.getcwd()).read(cell):
        if not found.ours:
            yield found


_COMPUTED = re.compile(r"\$(?!\{?sys\.)\w|\{(?!sys\.)\w[^}]*\}")
"""A value of the notebook's in a line, which means nothing to whoever reads the record."""


def _as_typed(founds: Sequence[Found], cell: str) -> Iterator[str]:
    """Yield each command as in the cell, or as it is run if the cell has no equal one."""
    texts = [found for found in _read(cell) if found.request]
    for found in founds:
        typed = next((text for text in texts if text.request == found.request), None)
        if typed is not None:
            texts.remove(typed)
        computed = typed is not None and _COMPUTED.search(typed.command)
        yield (found if typed is None or computed else typed).command


def _is_alone(start: Start, founds: Sequence[Found]) -> bool:
    if len(founds) != 1:
        return False
    if start.words is None:
        return founds[0].command.strip() == start.text.strip()
    return not _READS_INPUT.match(start.words[0])


# -- judging


def lead_home(installs: Sequence[Install], changes: Changes) -> None:
    """Correct a command's place by a change in a place that no command was thought to reach."""
    moved = [place for place, _ in changes]
    for place, change in changes:
        if any(install.place is place for install in installs):
            continue
        managers = {package.manager for package in (*change.came, *change.removed)}
        for install in installs:
            lost = install.place is None or install.place not in moved
            program = program_name(Word(install.found.target.interpreter))
            asked = install.request and install.request.manager
            if lost and (asked or MANAGER_OF.get(program, "pip")) in managers:
                install.place = place


def _status(
    run: Run, install: Install, request: Request, change: Change, packages: PackageSet
) -> OutcomeStatus:
    """Return how one request ended: by its own exit status, or else by what is installed."""
    status = run.exit_status
    if status is not None and (status < 0 or 128 < status < 160):  # a signal, itself or by a shell
        return "interrupted"
    if run.alone and status is not None:
        return "ok" if status == 0 else "failed"
    if install.place is not None and names_all(request) and not _is_undone(install, run):
        return "ok" if is_served(request, packages) else "failed"
    return "ok" if change or status == 0 else "failed"


def _is_undone(install: Install, run: Run) -> bool:
    """Return whether a later command of the same run was there to take it back."""
    later = run.installs[run.installs.index(install) + 1 :]
    requests = [each.request for each in later if each.request and each.place is install.place]
    assert install.request is not None
    return any(
        request.action != install.request.action
        and not names_of(request).isdisjoint(names_of(install.request))
        for request in requests
    )


def _seen(request: Request, place: Place, change: Change) -> Outcome:
    """Return the outcome of a command known only by its change, without a duration."""
    resolved = serving(request, place.packages, place.environment)
    return Outcome(status="ok", exit_status=0, seconds=0.0, change=change, resolved=resolved)


def _seconds(run: Run, place: Place) -> float:
    """Return how long a run took; for one that was not waited for, until its last change."""
    ended = run.ended or run.started
    if run.handle is not None:
        ended = min(ended, max(place.stamp, default=0) / 1e9)
    return max(0.0, ended - run.started)


def _is_of(record: Record, place: Place) -> bool:
    if place.is_system or is_system(record.request.manager):
        return place.is_system and is_system(record.request.manager)
    return record.environment.prefix == place.environment.prefix


# -- words


def _short(command: str) -> str:
    line = mask(" ".join(command.split()))  # first: half a URL shows nothing to mask
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def _summary(change: Change) -> str:
    came = [f"{package.name} {package.version}" for package in change.added]
    came += [f"{new.name} {old.version} → {new.version}" for old, new in change.changed]
    gone = [package.name for package in change.removed]
    parts = [f"{_short(', '.join(came))} installed" if came else ""]
    parts += [f"{_short(', '.join(gone))} removed" if gone else ""]
    return " and ".join(part for part in parts if part)


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
