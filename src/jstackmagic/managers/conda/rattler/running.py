"""Carry out a plan, one process at a time, and finish an interrupted one."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ....display.console import Console
from ....io.locks import Lock, NoLocks
from ....model.environment import Environment, repair_line
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ....model.plan import Plan
from ....model.text import counted
from ....where.condarc import CondaConfig
from ..spec import configuration, read_specs
from . import journal, linking, loop
from .fetch import fetch
from .journal import Journal
from .loop import Wire
from .planning import Detail, solve, state_of
from .records import stem_of
from .solving import Solution

_COMMITTED = "waiting until the packages are linked, so that nothing is left half done."


async def carry_out(plan: Plan, wire: Wire) -> int:
    """Carry out a plan; see `Rattler.run`."""
    prefix = plan.environment.prefix
    config = configuration(plan.environment)
    async with _locked(prefix, wire) as lock:
        journal.check(prefix, locked=True)
        detail = await _still_true(plan, wire)
        if not detail.solution:
            wire.say("Another process has done it meanwhile.\n")
            lock.release()
            return 0
        draft = await _draft(plan, detail, config, wire)
        wire.commit(_COMMITTED)
        wire.say(f"{_summary(draft)}\n")
        journal.write(prefix, draft)
        failed = await linking.link(prefix, draft, config, lock, wire)
    for name in failed:
        wire.say(f"The link script of {name} failed; its files are linked.\n")
    return 1 if failed else 0


async def _still_true(plan: Plan, wire: Wire) -> Detail:
    """Return the plan's detail, solved again if the prefix has changed since."""
    detail = plan.detail
    assert isinstance(detail, Detail)
    if state_of(plan.environment.prefix) == detail.state:
        return detail
    specs = read_specs(plan.request)
    again = await solve(plan.request, plan.environment, specs, wire)
    if not _touched(again.solution) <= _touched(detail.solution):
        raise CommandFailed(
            f"{plan.environment.prefix} has changed since this was planned.",
            kept=NOTHING_CHANGED,
            advice="Ask again, to see what it takes now.",
        )
    return again


def _summary(draft: Journal) -> str:
    """Return a line on what will happen.

    A package that is replaced is unlinked and linked.
    """
    counts = (("unlinking", len(draft.unlink)), ("linking", len(draft.link)))
    parts = [f"{words} {counted(count, 'package')}" for words, count in counts if count]
    return " and ".join(parts).capitalize()


def _touched(solution: Solution) -> set[str]:
    return {str(record.name.normalized) for record in (*solution.unlink, *solution.link)}


async def _draft(plan: Plan, detail: Detail, config: CondaConfig, wire: Wire) -> Journal:
    """Fetch what is to be linked, and write the journal."""
    solution = detail.solution
    fetched = await fetch(solution.link, config, wire)
    requested = detail.earlier | detail.asked
    spelled = tuple(spec for specs in detail.asked.values() for spec in specs)
    remove = plan.request.action == "remove"
    return journal.Journal(
        argv=_one_line(plan),
        unlink=tuple(stem_of(record) for record in solution.unlink),
        link=tuple(
            journal.Linked(
                record=json.loads(record.to_json()),
                folder=package.folder,
                archive=package.archive,
                requested=requested.get(str(record.name.normalized), ()),
            )
            for record, package in zip(solution.link, fetched, strict=True)
        ),
        requested={} if remove else detail.asked,
        updated=() if remove else spelled,
        removed=spelled if remove else (),
        folders=tuple(
            sorted({os.path.dirname(file) for record in solution.unlink for file in record.files})
        ),
        history_size=journal.history_size(plan.environment.prefix),
    )


def _one_line(plan: Plan) -> tuple[str, ...]:
    """Return the plan's command lines as one, for an entry of conda's history."""
    first, *others = plan.commands
    return (
        *first.argv,
        *(word for word in plan.request.texts if any(word in o.argv for o in others)),
    )


def repair(environment: Environment, console: Console, *, drop: bool = False) -> bool | None:
    """Finish the change in an environment's journal; see `Manager.repair`."""
    if journal.read(environment.prefix) is None:
        return False
    return loop.run(lambda wire: _repair(environment, wire, drop=drop), console)


async def _repair(environment: Environment, wire: Wire, *, drop: bool) -> bool | None:
    prefix = environment.prefix
    config = configuration(environment)
    async with _locked(prefix, wire) as lock:
        left = journal.read(prefix)
        if left is None:
            lock.release()
            return False
        wire.say(f"Finishing: {left.command}\n")
        try:
            cut_off = [journal.as_record(item.record) for item in left.link]
            fetched = await fetch(cut_off, config, wire)
            again = replace(
                left,
                link=tuple(
                    replace(item, folder=package.folder, archive=package.archive)
                    for item, package in zip(left.link, fetched, strict=True)
                ),
            )
            wire.commit(_COMMITTED)
            await linking.link(prefix, again, config, lock, wire)
        except CommandFailed as error:
            if not drop:
                forever = f"If that never works, drop the rest: {repair_line(prefix)} --force"
                error.advice = (*error.advice, forever)
                raise
            state = "\n".join(journal.left_as(prefix, left))
            wire.say(f"{error.problem}\nDropped: {left.command}. It is left like this:\n{state}\n")
            journal.clear(prefix)
            lock.release()
            return None
    return True


@asynccontextmanager
async def _locked(prefix: str, wire: Wire) -> AsyncIterator[Lock | NoLocks]:
    """Lock a prefix, and release it after an error; otherwise that is left to the work."""
    lock = await journal.lock(prefix, wire)
    try:
        yield lock
    except OSError as error:
        lock.release()
        raise _on_disk(prefix, error) from None
    except BaseException:
        lock.release()
        raise


def _on_disk(prefix: str, error: OSError) -> CommandFailed:
    """Return an error of the file system: no space left, no right to write."""
    begun = journal.read(prefix) is not None
    return CommandFailed(
        f"{error.strerror or error}: {error.filename or prefix}",
        kept=f"{prefix} is changed in part." if begun else NOTHING_CHANGED,
        advice=f"When the cause is fixed, finish it: {repair_line(prefix)}" if begun else (),
    )
