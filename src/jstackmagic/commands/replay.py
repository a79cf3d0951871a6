"""Make the environments here what the history says: in a new container everything comes back.

Examples:
    %envreplay                     # every environment, the very versions and builds there were
    %envreplay --dry-run           # the plan alone
    %envreplay --loose             # what was asked for, in the versions that are newest now
    %envreplay --from FILE         # what another history says, a Dockerfile, an environment.yml;
                                   # this history remembers it
    %envreplay --from IMAGE        # the history that an image was made from
    %envreplay --name other        # the environment of the history, into that one
    %envreplay --keep              # also keep the archives in the home volume: the next replay
                                   # needs no network then
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ..display import Part, Text, size_text
from ..display.console import Plain
from ..history.progress import Progress, replays
from ..install.transaction import Done, Planned, Step, Transaction
from ..io.runtime import own_runtime_folder
from ..model.environment import Environment
from ..model.errors import (
    CommandFailed,
    Interrupted,
    InvalidSpec,
    JStackMagicError,
    Stopped,
    UsageError,
)
from ..model.ledger import Ledger
from ..model.managers import of_environment, of_system
from ..model.plan import Plan
from ..model.request import Request
from ..model.spec import read_all
from ..restore.keep import Store, Taken
from ..restore.replay import Exactness, Goal, goals
from ._change import ChangeResult
from ._new_environment import located, make

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from ..display.console import Console
    from ..model.packages import ManagerName, PackageSet
    from ..session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--loose", action="store_true", help="the specs as they were asked, not the versions"
    )
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE_OR_IMAGE",
        help="another history; a Dockerfile or another file of packages; an image",
    )
    target = parser.add_argument_group("target (the environments of the history, if not said)")
    one = target.add_mutually_exclusive_group()
    one.add_argument("-n", "--name", metavar="ENV", help="a conda environment, by name")
    one.add_argument("-p", "--prefix", metavar="PATH", help="any environment, by its prefix")
    parser.add_argument(
        "--keep", action="store_true", help="keep all packages' archives for the next time"
    )
    parser.add_argument("--dry-run", action="store_true", help="show the plan and do nothing")
    parser.add_argument("--force", action="store_true", help="go on where a guard would stop")
    parser.add_argument("--log", metavar="FILE", help="where the managers' own words go")
    parser.add_argument(
        "-y", "--yes", action="store_true", help="accepted out of habit: nothing here ever asks"
    )


def run(args: argparse.Namespace, session: Session) -> ReplayResult:
    """Find out what is missing, and bring it, one place after the other."""
    from ..install.transaction import Mode
    from ..where import environment
    from ._source import records_of

    if args.source is None:
        ledger = session.history.ledger()
    else:
        here = environment.find(name=args.name, prefix=args.prefix)
        records = records_of(args.source, [here], session.context(), session.console)
        ledger = Ledger.of(records)
    wanted = goals(ledger)
    with _alone(dry_run=args.dry_run), _words(args.log, session.console) as console:
        transaction = Transaction(
            # what this history says already, it need not be told again
            history=session.history if args.source else replays(),
            context=session.context(),
            policy=session.policy,
            console=console,
            on_exit_status=session.on_exit_status,
            mode=Mode(dry_run=args.dry_run, force=args.force, engines=session.policy.engines),
        )
        places = _places(wanted, args, console)
        return _Replay(transaction, args, places, Store.beside(session.history)).carry_out()


@contextmanager
def _alone(*, dry_run: bool) -> Iterator[None]:
    """One replay at a time in a container.

    Raises:
        Stopped: Another one is at work, or there is no place for its lock.
    """
    from filelock import FileLock, Timeout

    if dry_run:
        yield
        return
    try:
        lock = FileLock(own_runtime_folder() / "replay.lock")
    except OSError as error:
        raise Stopped(
            f"What concerns this container cannot be kept in {error.filename}: {error.strerror}.",
            kept="Nothing was started.",
            advice="Name a folder of yours: set XDG_RUNTIME_DIR",
        ) from None
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Stopped(
            "Your history is being replayed already.",
            kept="Nothing was started.",
            advice="See how far it is: %envinfo",
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _words(log: str | None, console: Console) -> Iterator[Console]:
    """Where the managers' words go: to the user, or to a file as they come."""
    if log is None:
        yield console
        return
    with Path(log).expanduser().open("a", encoding="utf-8") as file:

        def write(text: str) -> None:
            file.write(text)
            file.flush()

        yield Plain(write)


# Places


@dataclass
class _Place:
    """One environment, or the system, and what it is to hold.

    Attributes:
        goal: What it is to hold.
        environment: It, once it is there.
        prefix: Where it is, or is to be made.
    """

    goal: Goal
    environment: Environment | None
    prefix: str

    @property
    def managers(self) -> tuple[ManagerName, ...]:
        return of_system() if self.goal.ref is None else of_environment()

    @property
    def where(self) -> str:
        if self.goal.ref is None:
            return "the system"
        return self.environment.description if self.environment else f"environment {self.prefix}"


def _places(wanted: Sequence[Goal], args: argparse.Namespace, console: Console) -> list[_Place]:
    from ..where import environment

    target = None
    environments = [goal.ref.prefix for goal in wanted if goal.ref is not None]
    if args.name or args.prefix:
        target = environment.find(name=args.name, prefix=args.prefix)
        if len(environments) > 1:
            raise UsageError(
                f"The history is of {len(environments)} environments, and the target is one: "
                f"{', '.join(environments)}.",
                kept="Nothing was started.",
                advice="Leave the target out: each is made where it was.",
            )
    found = []
    for goal in wanted:
        if goal.ref is None:
            found.append(_Place(goal, environment.detect(), ""))
        elif target is not None:
            found.append(_Place(goal, target, target.prefix))
        else:
            here, prefix = located(goal.ref)
            if here is not None and here.prefix != goal.ref.prefix:
                console.say(f"{goal.ref.prefix} is {here.prefix} here.")
            found.append(_Place(goal, here, prefix))
    return found


# Doing it


class _Replay:
    def __init__(
        self,
        transaction: Transaction,
        args: argparse.Namespace,
        places: Sequence[_Place],
        store: Store,
    ) -> None:
        self._transaction = transaction
        self._places = places
        self._loose: bool = args.loose
        self._foreign = args.source is not None
        self._keeps: bool = args.keep and not args.dry_run
        self._store = store
        self._dry_run: bool = args.dry_run
        self._done: list[Done] = []
        self._notes: list[str] = []
        self._failures: list[str] = []
        self._pending: list[_Place] = []
        self._kept = ""
        self._progress = None if args.dry_run else Progress(args.log or "")

    def carry_out(self) -> ReplayResult:
        """Every place, the next also where one fails.

        Raises:
            CommandFailed: Some of it failed; says what.
            Interrupted: The user interrupted it.
        """
        pairs = [(place, manager) for place in self._places for manager in place.managers]
        failed: set[str] = set()
        for number, (place, manager) in enumerate(pairs, start=1):
            if place.prefix in failed:
                continue
            if self._progress:
                self._progress.at(f"{manager}, {place.where}", number, len(pairs))
            try:
                self._bring(place, manager)
            except Interrupted:
                self._end("interrupted")
                raise
            except JStackMagicError as error:
                failed.add(place.prefix)
                self._failures.append(f"{place.where}: {error}")
        if self._keeps:
            self._keep()
        if self._failures:
            self._end("failed", self._failures[0].splitlines()[0])
            raise CommandFailed(
                "\n".join(self._failures),
                kept=f"What came before it was done: {len(self._done)} steps.",
                advice=() if self._loose else "Newer versions may do: %envreplay --loose",
            )
        self._end("done")
        return ReplayResult(done=tuple(self._done), notes=tuple(self._notes), kept=self._kept)

    def _end(self, state: str, message: str = "") -> None:
        if self._progress:
            self._progress.end(state, message)  # type: ignore[arg-type]

    def _bring(self, place: _Place, manager: ManagerName) -> None:
        from ..model.packages import PackageSet
        from ..where.packages import read_packages

        fresh = place.environment is None
        if self._dry_run and (fresh or place in self._pending):
            self._foretell(place, manager)
            return
        if place.environment is None:
            assert place.goal.ref is not None
            place.environment = make(place.goal.ref, place.prefix, self._transaction.console)
        environment = place.environment
        for exactness in self._ways(manager):
            here = PackageSet() if fresh else read_packages(environment, place.managers)
            requests = place.goal.requests(manager, here, exactness)
            if fresh and manager == "conda":
                requests = _with_python(requests, place.goal)
            if exactness == "builds" and self._bring_kept(place, requests, here):
                return
            try:
                planned = [*self._plan(place.goal, manager, requests, environment)]
                self._carry_out(place, planned, exactness)
            except (CommandFailed, InvalidSpec) as error:
                # apt finds out only with its lists what its archive dropped, and then does nothing
                if exactness == self._ways(manager)[-1]:
                    raise
                reason = error.problem.splitlines()[-1]
                self._notes.append(
                    f"{place.where}, {manager}: not all that there was can be had again "
                    f"({reason}); what was asked for is taken."
                )
            else:
                return

    def _bring_kept(self, place: _Place, requests: Sequence[Request], here: PackageSet) -> bool:
        """Whether what is kept in the home volume did."""
        environment = place.environment
        assert environment is not None
        served = self._store.serve(requests, place.goal, here, environment)
        if served is None:
            return False
        try:
            with self._store.offered(environment):
                manager = served[0].manager
                planned = [*self._plan(place.goal, manager, served, environment)]
                self._carry_out(place, planned, "builds")
        except (CommandFailed, InvalidSpec) as error:
            self._transaction.console.say(f"{error.problem}\nWhat is kept does not do.")
            return False
        return True

    def _keep(self) -> None:
        """Have the archives of all that is there in the home volume."""
        if self._progress:
            self._progress.at("keeping what was brought", 1, 1)
        found = []
        for place in self._places:
            if place.environment is not None:
                try:
                    taken = self._store.take(
                        place.goal, place.environment, self._transaction.console
                    )
                except OSError as error:
                    taken = Taken(left_out=(f"Nothing more can be kept: {error}",))
                found.append(taken)
                self._notes += taken.left_out
        files = [file for taken in found for file in taken.files]
        if files:
            size = size_text(sum(taken.size for taken in found))
            self._kept = f"Kept {len(files)} archives ({size}) in {self._store.folder}."
        else:
            self._kept = f"All that can be kept is in {self._store.folder}."

    def _carry_out(self, place: _Place, planned: Sequence[Planned], exactness: Exactness) -> None:
        from ..managers import mark
        from ..where.environment import detect

        self._done += self._transaction.run(planned)
        if self._dry_run and any(each.plan.commands for each in planned):
            self._pending.append(place)
        if self._dry_run or not planned or place.environment is None:
            return
        managers = {each.plan.request.manager for each in planned}
        if place.goal.ref is not None:  # its Python may be another now, or be there only now
            place.environment = detect(place.prefix)
        wishes = (wish for wish in place.goal.wishes(exactness) if wish.manager in managers)
        mark(wishes, place.environment)

    def _ways(self, manager: ManagerName) -> tuple[Exactness, ...]:
        if self._loose:
            return ("asked",)
        return ("builds", "asked") if manager == "apt" else ("builds", "versions")

    def _plan(
        self,
        goal: Goal,
        manager: ManagerName,
        requests: Sequence[Request],
        environment: Environment,
    ) -> Iterator[Planned]:
        """The steps; for another history's, each remembered as it was asked there."""
        installs = [request for request in requests if request.action == "install"]
        removals = [request for request in requests if request.action == "remove"]
        asked = goal.asked(manager) if self._foreign else []
        yield from self._transaction.plan([Step(request, environment) for request in removals])
        for request, said in zip_longest(installs, asked):
            if request is None:
                plan = Plan(said, environment, engine="", commands=())
                yield Planned(Step(said, environment), plan, engine=None)
            else:
                nothing = Request("install", manager, ()) if self._foreign else None
                # where the history has pip's in the place of conda's, that is what there was
                over = frozenset(name for owner, name in goal.there if owner == "pip")
                step = Step(request, environment, asked=said or nothing, over_conda=over)
                yield from self._transaction.plan([step])

    def _foretell(self, place: _Place, manager: ManagerName) -> None:
        """What would be asked when what comes before it is done, which pip cannot be asked yet."""
        from ..model.packages import PackageSet
        from ..where.packages import read_packages

        here = (
            read_packages(place.environment, place.managers) if place.environment else PackageSet()
        )
        there = {package.key: package for package in here.packages}
        there |= {key: p for key, p in place.goal.there.items() if key[0] != manager}
        then = PackageSet(tuple(there.values()))
        requests = place.goal.requests(manager, then, self._ways(manager)[0])
        if place.environment is None and manager == "conda":
            requests = _with_python(requests, place.goal)
            self._notes.append(f"{place.where} would be made.")
        self._notes += [
            f"Then, with {manager}: {request.action} {' '.join(request.texts)}"
            for request in requests
        ]


def _with_python(requests: Sequence[Request], goal: Goal) -> list[Request]:
    """What conda is asked for in a new environment: its Python too, and pip for what pip brings."""
    assert goal.ref is not None
    if not goal.ref.kind.startswith("conda"):
        return list(requests)
    specs = [f"python={goal.ref.python}"] if goal.ref.python else []
    if specs and any(step.manager == "pip" for step in goal.steps):
        specs.append("pip")
    there = [request for request in requests if request.action == "install"]
    first = there[0] if there else Request("install", "conda", ())
    named = {spec.name for spec in first.specs}
    specs = [spec for spec in specs if spec.partition("=")[0] not in named]
    return (
        [replace(first, specs=(*read_all("conda", specs), *first.specs))]
        if specs or first.specs
        else []
    )


@dataclass(frozen=True, repr=False)
class ReplayResult(ChangeResult):
    """What a replay came to.

    Attributes:
        kept: What was kept for the next one, a sentence; empty where that was not asked.
    """

    kept: str = ""

    def parts(self) -> Sequence[Part]:
        """The steps, or that there was nothing to do, and what was kept."""
        moved = tuple(item for item in self.done if item.plan.commands or item.record)
        parts = [*ChangeResult.parts(replace(self, done=moved))]
        if not moved and not self.notes:
            parts.append(Text("Everything that the history says is there already.", "good"))
        return [*parts, *([Text(self.kept, "good")] if self.kept else [])]
