"""From requests to records: plan everything, then carry it out, one manager after the other."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

from .. import managers
from ..display.console import Console, Recording
from ..display.log import Log, without_colours
from ..history.file import History
from ..io.bombs import Bomb
from ..io.interrupts import Interrupts
from ..managers import Choice, Engine, choose
from ..managers.steps import Done, Planned, Step
from ..model.causes import cause_of
from ..model.credentials import mask
from ..model.engines import Engines
from ..model.environment import Environment, repair_line
from ..model.errors import NOTHING_CHANGED, CommandFailed, Interrupted, JStackMagicError, Stopped
from ..model.managers import is_system, neighbours, of_environment, place, position
from ..model.packages import Change, Package, normalise, trace
from ..model.plan import Outcome, Plan
from ..model.policy import Policy
from ..model.policy import check_plan as check_denied
from ..model.record import Context, Record
from ..model.request import Request
from ..where.detect import detect
from ..where.metadata import read_packages
from . import imports, modes, unfinished
from .guards import check_names, check_options, check_plan, check_target, hosts_kernel
from .turns import turn
from .unfinished import Unfinished

_LAST_WORDS = 12
"""The number of a manager's last lines in an error."""


@dataclass(frozen=True, slots=True)
class Mode:
    """The options of a transaction."""

    dry_run: bool = False
    record_only: bool = False  #: write the request into the history, do nothing else
    force: bool = False  #: go on if a guard would stop
    #: have every manager report its change in advance, also if no guard asks
    thorough: bool = False
    engines: Engines = field(default_factory=Engines)
    notes: tuple[str, ...] = ()  #: notes for what is only recorded


@dataclass
class Transaction:
    """The requests of one line or cell, carried out as one."""

    history: History
    context: Context
    policy: Policy
    console: Console
    on_exit_status: Callable[[int], None]  #: called with the exit status of every manager that ran
    mode: Mode = field(default_factory=Mode)
    #: undoes a transaction, by its id, if a step of it fails. Returns the ids of the records that
    #: it undid, and a sentence for each thing that it could not. Without it the steps before the
    #: one that failed stay done.
    take_back: Callable[[str], tuple[Collection[str], Sequence[str]]] | None = None

    def carry_out(self, steps: Sequence[Step]) -> list[Done]:
        """Plan every step, and carry them out only if all can be done.

        Raises:
            Stopped: A guard stopped it before anything happened.
            CommandFailed: A manager failed; the record says so, later steps were not begun, and
                earlier ones were undone if the transaction can.
            Interrupted: The user interrupted it.
        """
        steps = sorted(steps, key=lambda step: position(step.request.manager))
        if self.mode.record_only:
            return self._record_only(steps)
        done = self._finish_same(steps)
        planned: list[Planned] = []
        for step in map(self._made, steps):
            later = self._waits(step, planned)
            planned.append(self._plan_later(step) if later else self._plan_on_record(step))
        return [*done, *self.run(planned)] if planned or not done else done

    # What was cut off before

    def _finish_same(self, steps: list[Step]) -> list[Done]:
        """Finish the steps that were begun before and cut off, and take them out of the list."""
        done = []
        for where, environment in {_place(step): step.environment for step in steps}.items():
            self._sweep(environment)
            if not self.mode.dry_run and unfinished.at_work(where):
                with turn(where, self.console):  # a plan from half a change would be wrong
                    pass
            for left in unfinished.find(where):
                same = [
                    step for step in steps if _place(step) == where and left.is_of(step.request)
                ]
                if not same or self.mode.dry_run:
                    self._pass(left, environment)
                elif finished := self._finish(left, same[0]):
                    steps.remove(same[0])
                    done.append(finished)
        return done

    def _pass(self, left: Unfinished, environment: Environment) -> None:
        """Stop if what was cut off is half done; otherwise end its record."""
        environment = detect(environment.prefix)
        if half := left.half_done(environment):
            where = place(left.request.manager, environment.prefix) or "the system"
            raise _cut_off(left, where, environment.prefix, half)
        if not self.mode.dry_run:
            self._close(left, environment)

    def repair(self, environment: Environment) -> list[Done]:
        """Finish every change of an environment that was cut off.

        Raises:
            CommandFailed: One cannot be finished.
        """
        done = []
        for left in (*unfinished.find(environment.prefix), *unfinished.find("")):
            known = any(record.id == left.record for record in self.history.records())
            if left.undoes or left.is_masked or not known:
                self._take_away(left, environment)
            elif finished := self._finish(left, Step(left.request, environment)):
                done.append(finished)
        return done

    def settle(self, place: str) -> tuple[str, ...]:
        """Remove what an interrupted change left half done; see `Carrier.settle`."""
        if place and not os.path.isdir(place):
            return ()
        environment = detect(place or None)
        self._sweep(environment)
        found = unfinished.find(place)
        for left in found:
            if self.mode.dry_run:
                self.console.say(f"Would clean up after what was cut off: {left.words}")
            else:
                self._take_away(left, environment)
        return tuple(left.record for left in found)

    def _sweep(self, environment: Environment) -> None:
        for name in () if self.mode.dry_run else of_environment():
            managers.get(name).sweep(environment)

    @contextmanager
    def _taken(self, left: Unfinished, environment: Environment) -> Iterator[Unfinished | None]:
        """Have what was cut off as one's own; None if another process was faster."""
        with turn(place(left.request.manager, environment.prefix), self.console):
            ours = left.taken_over(self.context)
            try:
                yield ours
            finally:
                left.leave()

    def _take_away(self, left: Unfinished, environment: Environment) -> None:
        manager = managers.get(left.request.manager)
        with self._taken(left, environment) as ours:
            if ours:
                self.console.say(f"Cleaning up after what was cut off: {left.words}")
                manager.finish(environment, left.marks, left.since, self.console)
                self._close(left, detect(environment.prefix))

    def _close(self, left: Unfinished, environment: Environment) -> None:
        """End the record of an interrupted change, with the packages now."""
        record = self._record_of(left)
        if record is not None and record.status != "ok":
            owners = neighbours(left.request.manager)
            change = read_packages(environment, owners) - left.before
            outcome = record.outcome or Outcome("interrupted", 130, 0.0, message="It was cut off.")
            self.history.end(record, replace(outcome, change=change))
        left.drop()

    def _finish(self, left: Unfinished, step: Step) -> Done | None:
        """Carry a step through that was cut off; its record then says so.

        Returns:
            None if another process has finished it meanwhile.
        """
        with self._taken(left, step.environment) as ours:
            if ours is None:
                return None
            self.console.say(f"Finishing what was cut off: {left.words}")
            manager = managers.get(left.request.manager)
            manager.finish(step.environment, left.marks, left.since, self.console)
            step = self._made(replace(step, environment=detect(step.environment.prefix)))
            if left.request.action == "remove" and not self._names_here(step):
                plan = Plan(step.request, step.environment, self._choice(step).name, ())
                planned = Planned(step, plan, None)
            else:
                planned = self._plan(step)
            with Interrupts() as interrupts:
                record = self._record_of(left)
                if record is None:
                    record = self._begin(planned, self.history.new_transaction(), 1)
                ours = unfinished.noted_again(ours, planned.plan)
                return self._work(planned, record, ours, interrupts, finishing=True)

    @staticmethod
    def _names_here(step: Step) -> bool:
        """Return whether one of the packages that a step names is there."""
        here = read_packages(step.environment, (step.request.manager,))
        names = {package.name for package in here.packages}
        return any({spec.name, normalise(spec.name)} & names for spec in step.request.specs)

    def _record_of(self, left: Unfinished) -> Record | None:
        return next((r for r in self.history.records() if r.id == left.record), None)

    def guard(self, plan: Plan) -> None:
        """Stop a harmful plan, before its manager runs.

        Raises:
            Stopped: It would do harm.
        """
        check_target(plan.request, plan.environment)
        check_plan(plan)

    def plan(self, steps: Sequence[Step]) -> list[Planned]:
        """Have the managers plan each step; nothing is touched, and nothing recorded.

        Raises:
            Stopped: A guard stopped it.
            CommandFailed: A manager finds no solution.
        """
        return [self._plan(self._made(step)) for step in steps]

    def run(self, planned: Sequence[Planned]) -> list[Done]:
        """Carry out plans, in this order, as one transaction; nothing in a dry run.

        Raises:
            CommandFailed: A manager failed; the record says so, and later steps were not begun.
            Interrupted: The user interrupted it.
        """
        if self.mode.dry_run:
            return [Done(plan=each.plan, running=_running(each.step)) for each in planned]
        transaction = self.history.new_transaction()
        done: list[Done] = []
        for number, each in enumerate(planned, start=1):
            changed = any(earlier.outcome and earlier.outcome.change for earlier in done)
            try:
                if each.waits or (each.engine is not None and changed):
                    step = self._made(_as_it_is_now(each.step, rechoose=each.waits))
                    each = self._plan_on_record(step, transaction, number)
                done.append(self._run(each, transaction, number))
            except JStackMagicError as error:
                rest = [later.plan.request.manager for later in planned[number:]]
                raise self._ended_early(error, transaction, done, rest) from None
        return done

    def _ended_early(
        self, error: JStackMagicError, transaction: str, done: Sequence[Done], rest: Sequence[str]
    ) -> JStackMagicError:
        """Undo the steps before an error; return an error that says so, or what stays done."""
        did = {item.record.id: item for item in done if item.record}
        taken: Collection[str] = ()
        left: Sequence[str] = ()
        if did and self.take_back is not None and not isinstance(error, Interrupted):
            try:
                taken, left = self.take_back(transaction)
            except JStackMagicError as other:
                left = [other.problem, *filter(None, [other.kept])]
            self.on_exit_status(error.exit_status)
        back = [item for id_, item in did.items() if id_ in taken]
        return _with_rest(error, [item for item in done if item not in back], back, rest, left)

    def _check(self, step: Step) -> None:
        """Refuse a step, if that is possible before its manager runs."""
        managers.hold(step.request, step.environment, self.policy)
        check_options(step.request)
        if not self.mode.force:
            check_target(step.request, step.environment)
            check_names(step.request, step.environment, self.history, self.policy)

    def _waits(self, step: Step, planned: Sequence[Planned]) -> bool:
        """Return whether a step's engine needs a package that an earlier step will install."""
        before = [
            each.plan
            for each in planned
            if each.plan.environment.prefix == step.environment.prefix
            and not is_system(each.plan.request.manager)
        ]
        if not before:
            return False
        needed = managers.get(step.request.manager).lacks(self._choice(step))
        # an engine's own plan may not say what comes along
        return bool(needed) and any(
            plan.change is None or any(package.name == needed for package in plan.change.added)
            for plan in before
        )

    def _plan_later(self, step: Step) -> Planned:
        """Return the plan of a step whose engine an earlier step will install."""
        python = step.environment.executable or f"{step.environment.prefix}/bin/python"
        environment = replace(step.environment, executable=python)
        self._check(replace(step, environment=environment))
        manager = managers.get(step.request.manager)
        manager.check(step.request, environment)
        plan = Plan(
            step.request,
            environment,
            engine=self._choice(step).name,
            commands=(manager.command(step.request, environment),),
            notes=(
                f"What {manager.name} would change is known when what it runs on has been "
                "installed.",
            ),
        )
        return Planned(step=step, plan=plan, engine=None, waits=True)

    def _choice(self, step: Step) -> Choice:
        """Return the engine that was chosen when the step was made."""
        assert step.choice is not None
        return step.choice

    def _made(self, step: Step) -> Step:
        """Return the step with its engine, chosen now if it has none."""
        if step.choice is not None:
            return step
        chosen = choose(step.request.manager, step.environment, self.mode.engines, step.request)
        return replace(step, choice=replace(chosen, before=self.policy.before))

    def _plan(self, step: Step) -> Planned:
        self._check(step)
        # a guard needs to know what pip would change wherever that could harm a kernel
        environment = step.environment
        exact = self.mode.thorough or self.mode.dry_run
        thorough = (
            exact
            or bool(self.policy.deny or self.policy.before)
            or environment.kind == "system"  # Debian's own distributions are there
            or imports.is_running(environment)
            or hosts_kernel(environment)
        )
        choice = self._choice(step)
        wished = managers.EngineOptions(thorough=thorough, exact=exact, console=self.console)
        engine = managers.engine(choice, wished)
        try:
            with nullcontext() if engine.shows_progress else self._patience(step.request):
                plan = engine.plan(step.request, choice.environment)
        except CommandFailed as error:
            error.advice = (*error.advice, *_meant(step.request, error.problem))
            if not is_system(step.request.manager):
                error.problem += f"\n(for the {environment.description})"
            error.problem += f"\n{self.policy.left_out()}" if self._holds_back(step) else ""
            raise
        check_denied(plan, self.policy)
        if not self.mode.force:
            check_plan(plan, over_conda=step.over_conda)
        if not is_system(step.request.manager) and step.request.action == "install":
            held = self.policy.left_out() if self._holds_back(step) and plan.commands else ""
            notes = filter(None, (environment.temporary, held))
            plan = replace(plan, notes=(*notes, *plan.notes))
        return Planned(step=step, plan=plan, engine=engine)

    def _holds_back(self, step: Step) -> bool:
        """Return whether packages that are too new are left out of a step."""
        request = step.request
        system = is_system(request.manager)  # its packages are as old as its owner's archive
        return bool(self.policy.before) and request.action == "install" and not system

    def _plan_on_record(self, step: Step, transaction: str = "", number: int = 1) -> Planned:
        started = time.monotonic()
        try:
            return self._plan(step)
        except CommandFailed as error:
            if not self.mode.dry_run:
                transaction = transaction or self.history.new_transaction()
                record = self._record_refusal(step, error, transaction, number, started)
                error.advice = (*error.advice, f"See the record: %envhistory {record.id}")
            raise

    @contextmanager
    def _patience(self, request: Request) -> Iterator[None]:
        """Say so if a manager takes long to plan."""
        waiting = f"Asking {request.manager} what this would change; nothing is changed yet …\n"
        timer = threading.Timer(3, self.console.write, (waiting,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _record_refusal(
        self, step: Step, error: CommandFailed, transaction: str, number: int, started: float
    ) -> Record:
        """Record a failed plan, which fails the install as much as a failed run."""
        plan = Plan(step.request, step.environment, engine=step.request.manager, commands=())
        planned = Planned(step=step, plan=plan, engine=None)
        outcome = Outcome(
            status="failed",
            exit_status=error.exit_status,
            seconds=round(time.monotonic() - started, 3),
            message=mask(without_colours(error.problem)),
        )
        self.on_exit_status(error.exit_status)
        return self._begin_and_end(planned, transaction, number, outcome)

    def _record_only(self, steps: Sequence[Step]) -> list[Done]:
        for step in steps:
            managers.hold(step.request, step.environment, self.policy, planned=False)
            check_options(step.request)
            manager = managers.get(step.request.manager)
            manager.check(step.request, step.environment)
            # what lacks its Python may get it back, and a conda environment what a manager needs;
            # no other becomes one
            fixed = step.environment.executable is not None and not step.environment.is_conda
            if fixed and not self.mode.force and not manager.works_in(step.environment):
                manager.check_target(step.request, step.environment)
        transaction = self.history.new_transaction()
        done = []
        for number, step in enumerate(steps, start=1):
            request = managers.get(step.request.manager).effective(step.request, step.environment)
            record = self.history.note(
                "planned",
                request,
                step.environment.ref,
                transaction=transaction,
                step=number,
                context=self.context,
                notes=self.mode.notes,
            )
            plan = Plan(request=step.request, environment=step.environment, engine="", commands=())
            done.append(Done(plan=plan, record=record))
        return done

    def _run(self, planned: Planned, transaction: str, number: int) -> Done:
        plan, engine = planned.plan, planned.engine
        if engine is None or not plan.commands:
            return self._satisfied(planned, transaction, number)
        where = _place(planned.step)
        while True:
            with turn(where, self.console):
                for cut_off in unfinished.find(where):  # while this waited
                    self._pass(cut_off, plan.environment)
                before = read_packages(plan.environment, neighbours(plan.request.manager))
                name = f"{transaction}.{number}"
                with Interrupts() as interrupts:
                    left = unfinished.note(plan, name, self.context, before, planned.step.undoes)
                    if unfinished.at_work(where, unseen=True, than=left):
                        left.drop()  # two machines began in the same instant
                        continue
                    try:
                        record = self._begin(planned, transaction, number)
                    except BaseException:  # nothing was started
                        left.drop()
                        raise
                    try:
                        return self._work(planned, record, left, interrupts)
                    finally:
                        left.leave()

    def _work(
        self,
        planned: Planned,
        record: Record,
        left: Unfinished,
        interrupts: Interrupts,
        *,
        finishing: bool = False,
    ) -> Done:
        """Have the engine do it, end the record, and drop the note where all is whole."""
        plan, environment, before = planned.plan, planned.plan.environment, left.before
        running = imports.is_running(environment)
        owners = neighbours(plan.request.manager)
        # if the plan does not say whose files may go, all are read
        at_risk = before.packages if plan.change is None else plan.change.went
        files = imports.files_before(at_risk, environment) if running else {}
        path_files = imports.path_files(environment)
        for note in plan.notes:
            self.console.say(f"{note}")
        for command in plan.commands:
            self.console.say(f"$ {command}")
        started = time.monotonic()
        status, interrupted, failure = 1, None, None
        recording = Recording(self.console)
        engine = planned.engine or managers.engine(self._choice(planned.step))
        try:
            with interrupts.heard():
                status = engine.run(plan, recording) if plan.commands else 0
        except (KeyboardInterrupt, Interrupted) as error:
            status, interrupted = 130, error
        except (CommandFailed, Stopped) as error:  # what the engine found out only now
            status, failure = error.exit_status, error
            if isinstance(error, Bomb):  # no repair may ask for it again
                managers.get(plan.request.manager).finish(
                    environment, left.marks, left.since, self.console
                )
        change = engine.explain(plan, read_packages(environment, owners) - before)
        if any(trace(old) == trace(new) for old, new in change.changed):  # but for its hash
            origins = self.history.ledger().origins()
            pairs = ((origins.describe(old), new) for old, new in change.changed)
            change = replace(change, changed=tuple(pairs))
        if status == 0 and interrupts.take():
            status, interrupted = 130, _too_late(plan)
        outcome = Outcome(
            status="interrupted" if interrupted else "ok" if status == 0 else "failed",
            exit_status=status,
            seconds=round(time.monotonic() - started, 3),
            change=change,
            resolved=_resolved(engine, plan, change) if status == 0 else (),
            message="" if status == 0 else mask(_words_of(failure, recording.log)),
            log=mask(recording.log.text),
        )
        half = left.half_done(environment) if status != 0 else ()
        if finishing and status != 0 and not half:  # its halves were removed, and nothing came
            half = (f"Still to be finished: {left.words}",)
        record = self.history.end(record, outcome)
        if not half:
            left.drop()
        self.on_exit_status(status)
        closed = modes.share(change, environment)
        # before new .pth files are obeyed, which may load what was installed just now
        stale = imports.stale_modules(change, environment, files) if running else ()
        if running:
            imports.make_importable(environment, path_files)
        if status == 0 and interrupts.take():
            interrupted = _too_late(plan)
        if interrupted:
            raise _interruption(plan, outcome, record, interrupted, half)
        if status != 0:
            raise _failure(plan, outcome, record, failure, half)
        return Done(
            plan=plan,
            record=record,
            outcome=outcome,
            stale=stale,
            running=running,
            notes=(*engine.advise(plan, change), *closed),
        )

    def _satisfied(self, planned: Planned, transaction: str, number: int) -> Done:
        """Record a step with nothing to do, once, because the user needs it."""
        plan = planned.plan
        outcome = Outcome(status="ok", exit_status=0, seconds=0.0, resolved=plan.satisfied)
        self.on_exit_status(0)
        record = None
        news = plan.request.action == "install" and not self._recorded(planned)
        if news or planned.step.undoes:
            record = self._begin_and_end(planned, transaction, number, outcome)
        return Done(
            plan=plan,
            record=record,
            outcome=outcome,
            running=imports.is_running(plan.environment),
            notes=plan.notes,
        )

    def _recorded(self, planned: Planned) -> bool:
        request = planned.step.asked or planned.plan.request
        return self.history.ledger().asks_for(request, planned.plan.environment.prefix)

    def _begin_and_end(
        self, planned: Planned, transaction: str, number: int, outcome: Outcome
    ) -> Record:
        with Interrupts():  # none leaves it open
            return self.history.end(self._begin(planned, transaction, number), outcome)

    def _begin(self, planned: Planned, transaction: str, number: int) -> Record:
        plan = planned.plan
        asked = planned.step.asked or plan.request
        return self.history.note(
            "running",
            managers.get(asked.manager).effective(asked, plan.environment),
            plan.environment.ref,
            transaction=transaction,
            step=number,
            engine=plan.engine,
            commands=tuple(str(command) for command in plan.commands),
            context=self.context,
            undoes=planned.step.undoes,
        )


def _as_it_is_now(step: Step, *, rechoose: bool) -> Step:
    """Return the step in its environment as an earlier step left it.

    The engine stays, but for a step that waited until its environment had what engines run on.
    """
    assert step.choice is not None
    now = detect(step.environment.prefix)
    if rechoose:
        return replace(step, environment=now, choice=None)
    there = replace(now, conda=step.choice.environment.conda or now.conda)
    return replace(step, environment=now, choice=replace(step.choice, environment=there))


def _place(step: Step) -> str:
    return place(step.request.manager, step.environment.prefix)


def _running(step: Step) -> bool:
    return imports.is_running(step.environment)


def _resolved(engine: Engine, plan: Plan, change: Change) -> tuple[Package, ...]:
    """Return what serves the specs now; a new package knows more about its origin."""
    known = {package.key: package for package in change.came}
    found = engine.resolved(plan.request, plan.environment)
    return tuple(known.get(package.key, package) for package in found)


def _words_of(failure: JStackMagicError | None, log: Log) -> str:
    return without_colours(str(failure)) if failure else log.tail(_LAST_WORDS)


def _cut_off(left: Unfinished, where: str, prefix: str, half: Sequence[str]) -> Stopped:
    return Stopped(
        f"An earlier change of {where} was cut off: {left.words}\n" + "\n".join(half),
        advice=(
            f"Finish it: {repair_line(prefix)}",
            f"or take it back: %envundo {left.record.rpartition('.')[0]}",
        ),
    )


def _state(environment: Environment, change: Change, half: Sequence[str]) -> str:
    if half:
        return f"The {environment.description} is changed in part: {'; '.join(half)}."
    if not change:
        return f"The {environment.description} is as it was."
    names = ", ".join(package.name for package in (*change.came, *change.removed))
    return f"The {environment.description} has changed: {names}."


def _meant(request: Request, message: str) -> Iterator[str]:
    """Yield the line for a package that was asked for by its import name."""
    from ..names import names

    if cause_of(message) != "not found":
        return
    for text in request.texts:
        name = re.split(r"[^\w.]", text, maxsplit=1)[0]
        package = names().imports.get(name, name)
        if normalise(package) != normalise(name):
            known = managers.get(request.manager).name_of(package)
            yield f"{name} is what {known} is imported as: %envinstall {known}"


def _ways(
    plan: Plan,
    outcome: Outcome,
    record: Record,
    half: Sequence[object],
    said: JStackMagicError | None,
) -> tuple[str, ...]:
    """Return the advice after a step that failed: the engine's own, a repair, the record."""
    line = repair_line(plan.environment.prefix)
    own = said.advice if said else tuple(_meant(plan.request, outcome.message))
    ways = [f"Finish it: {line}", f"or take it back: %envundo {record.transaction}"]
    if isinstance(said, Bomb):
        ways = [f"To have back what was there: %envundo {record.transaction}"]
        half = outcome.change.removed
    repair = ways if half and not any(line in each for each in own) else ()
    return (*own, *repair, f"See the record: %envhistory {record.id}")


def _failure(
    plan: Plan,
    outcome: Outcome,
    record: Record,
    failure: JStackMagicError | None,
    half: Sequence[str],
) -> CommandFailed:
    problem = f"{plan.engine} failed (exit status {outcome.exit_status}).\n{outcome.message}"
    return CommandFailed(
        failure.problem if failure else problem,
        kept=_state(plan.environment, outcome.change, half),
        advice=_ways(plan, outcome, record, half, failure),
    )


def _too_late(plan: Plan) -> Interrupted:
    return Interrupted(f"{plan.engine} was interrupted, and had finished its work all the same.")


def _interruption(
    plan: Plan,
    outcome: Outcome,
    record: Record,
    interrupted: BaseException,
    half: Sequence[str],
) -> Interrupted:
    said = interrupted if isinstance(interrupted, Interrupted) else Interrupted("")
    state = _state(plan.environment, outcome.change, half)
    return Interrupted(
        said.problem or f"{plan.engine} was interrupted.",
        kept=f"{said.kept} {state}".strip(),
        advice=_ways(plan, outcome, record, half, said),
    )


def _with_rest(
    error: JStackMagicError,
    stays: Sequence[Done],
    back: Sequence[Done],
    rest: Sequence[str],
    left: Sequence[str],
) -> JStackMagicError:
    """Say what of the transaction stays done, what was undone and what was not begun."""

    def managers_of(items: Sequence[Done]) -> str:
        return ", ".join(item.plan.request.manager for item in items)

    sentences = [] if error.kept == NOTHING_CHANGED and (stays or back) else [error.kept]
    if back:
        sentences.append(f"Taken back: {managers_of(back)}.")
        error.advice = (*error.advice, "To keep what is done before a step fails: --keep-going")
    if stays:
        sentences.append(f"Done before it{', and left so' * bool(back)}: {managers_of(stays)}.")
    sentences += dict.fromkeys(reason.partition("\n")[0] for reason in left)
    if rest:
        sentences.append(f"Not begun: {', '.join(rest)}.")
    error.kept = " ".join(filter(None, sentences))
    if isinstance(error, Interrupted) and any(item.record for item in stays):
        (transaction,) = {item.record.transaction for item in stays if item.record}
        error.advice = (
            *error.advice,
            f"The same line again goes on; to take back what was done: %envundo {transaction}",
        )
    return error
