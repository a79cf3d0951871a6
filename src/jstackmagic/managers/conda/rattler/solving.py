"""Solve a request: the packages of a prefix to unlink, to link and to keep."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from ....display.progress import ProgressReport
from ....model.environment import minor_of
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ..present import nearest
from ..spec import CondaSpec, name_of, parse, pinned_where
from . import condahistory, repodata
from .loop import Wire
from .problem import SolverProblem
from .repodata import Channels

if TYPE_CHECKING:
    from rattler import PrefixRecord, RepoDataRecord  # noqa: TC004  # no noun
    from rattler.channel import ChannelPriority


@dataclass(frozen=True, slots=True)
class Solution:
    """A change of a prefix."""

    unlink: tuple[PrefixRecord, ...]  #: records to unlink, also of what is linked again
    link: tuple[RepoDataRecord, ...]  #: records to link, also of what is linked again
    keep: tuple[PrefixRecord, ...]  #: records that stay as they are

    def __bool__(self) -> bool:
        return bool(self.unlink or self.link)

    @property
    def records(self) -> list[RepoDataRecord]:
        """All that the prefix holds in the end."""
        return [*self.keep, *self.link]


# Installing


async def solve(problem: SolverProblem, wire: Wire) -> Solution:
    """Find the change of the prefix.

    Raises:
        CommandFailed: There is no solution; the error says why, and suggests one.
    """
    from rattler.exceptions import SolverError

    wire.show(ProgressReport("Reading the channels"))
    await repodata.read(problem.channels, problem.asked)
    wire.show(ProgressReport("Solving"))
    try:
        records = await _solve(problem)
    except SolverError as error:
        if repodata.is_fresh(problem.channels):
            raise await explain_conflict(problem, error, _solvable) from None
        wire.show(ProgressReport("Reading the channels again"))
        try:
            records = await _solve(problem, refresh=True)
        except SolverError as second:
            raise await explain_conflict(problem, second, _solvable) from None
    return _compare(problem.installed, records)


async def _solve(problem: SolverProblem, *, refresh: bool = False) -> list[RepoDataRecord]:
    from rattler.channel import ChannelPriority
    from rattler.exceptions import SolverError

    gateway = repodata.gateway_of(problem.channels, refresh=refresh)
    before = problem.before.replace("Z", "+00:00")
    newest = datetime.fromisoformat(before) if before else None

    async def attempt(priority: ChannelPriority) -> list[RepoDataRecord]:
        import rattler

        with _kept(problem.locked, newest):
            work = rattler.solve(
                sources=problem.channels.sources(),
                specs=problem.goals,
                gateway=gateway,
                platforms=repodata.platforms(),
                locked_packages=problem.locked,
                virtual_packages=repodata.virtual_packages(problem.variables),
                channel_priority=priority,
                constraints=problem.constraints,
                exclude_newer=newest,
            )
            records = await repodata.answered(work, problem.channels)
        for record in records if newest else ():
            there = problem.installed.get(str(record.name.normalized))
            if there is not None and _same(there, record):
                record.indexed_timestamp = there.indexed_timestamp
        return records

    match problem.channels.config.channel_priority:
        case "strict":
            return await attempt(ChannelPriority.Strict)
        case "disabled":
            return await attempt(ChannelPriority.Disabled)
        case "flexible":  # the weaker channels only where the stronger ones leave no way
            try:
                return await attempt(ChannelPriority.Strict)
            except SolverError:
                return await attempt(ChannelPriority.Disabled)


@contextmanager
def _kept(records: Iterable[RepoDataRecord], newest: datetime | None) -> Iterator[None]:
    """Let what is installed stay while a solver excludes what is newer, which it would also."""
    was = [(each, each.indexed_timestamp) for each in records] if newest else []
    try:
        for each, _ in was:
            each.indexed_timestamp = newest
        yield
    finally:
        for each, when in was:
            each.indexed_timestamp = when


async def _solvable(problem: SolverProblem) -> bool:
    from rattler.exceptions import SolverError

    try:
        await _solve(problem)
    except SolverError:
        return False
    return True


def _compare(installed: Mapping[str, PrefixRecord], records: Iterable[RepoDataRecord]) -> Solution:
    wanted = {str(record.name.normalized): record for record in records}
    same = {
        name for name, record in installed.items() if name in wanted and _same(record, wanted[name])
    }
    same -= _bound_to_python(installed, wanted)
    return Solution(
        unlink=tuple(record for name, record in installed.items() if name not in same),
        link=tuple(record for name, record in wanted.items() if name not in same),
        keep=tuple(record for name, record in installed.items() if name in same),
    )


def _same(one: RepoDataRecord, other: RepoDataRecord) -> bool:
    if one.sha256 is not None and other.sha256 is not None:
        return one.sha256 == other.sha256
    return _identity(one) == _identity(other)


def _identity(record: RepoDataRecord) -> tuple[object, ...]:
    return (record.version, str(record.build), record.build_number, record.subdir)


def _bound_to_python(
    installed: Mapping[str, PrefixRecord], wanted: Mapping[str, RepoDataRecord]
) -> set[str]:
    """Return the packages to link again because Python's library folder moves."""
    before, after = installed.get("python"), wanted.get("python")
    if before is None or after is None:
        return set()
    if minor_of(str(before.version)) == minor_of(str(after.version)):
        return set()
    return {name for name, record in installed.items() if record.noarch.python}


# Archives


def with_archives(
    solution: Solution, archives: Sequence[RepoDataRecord], installed: Mapping[str, PrefixRecord]
) -> Solution:
    """Add archives to a solution, each alone, as conda does: nothing else moves.

    Raises:
        CommandFailed: One is made for other machines.
    """
    own, noarch = map(str, repodata.platforms())
    final = {str(record.name.normalized): record for record in solution.records}
    for record in archives:
        if record.subdir not in (own, noarch):
            raise CommandFailed(
                f"{record.file_name} is made for {record.subdir}, and this machine is {own}.",
                kept=NOTHING_CHANGED,
                advice="Get the archive that was built for this platform.",
            )
        final[str(record.name.normalized)] = record
    return _compare(installed, final.values())


# Removing


def remove(
    specs: Sequence[CondaSpec],
    installed: Mapping[str, PrefixRecord],
    wanted: Mapping[str, str],
    *,
    alone: bool = False,
) -> Solution:
    """Remove packages, what needs them, and what is no longer needed, as conda does.

    conda moves nothing else then, and neither do we: no channel is asked.

    Args:
        specs: The packages to remove; each is installed.
        wanted: The user's specs, by name: those packages stay though nothing needs them.
        alone: Whether to remove only what is named, as with conda's ``--force``.
    """
    needs = {name: set(_needs(record)) for name, record in installed.items()}
    gone = {spec.name for spec in specs}
    while not alone and (more := {name for name in needs.keys() - gone if needs[name] & gone}):
        gone |= more
    stays = wanted.keys() | ({"pip"} if "python" not in gone else set())  # conda's Python needs pip
    while not alone and (lonely := _lonely(gone, needs) - stays):
        gone |= lonely
    return Solution(
        unlink=tuple(record for name, record in installed.items() if name in gone),
        link=(),
        keep=tuple(record for name, record in installed.items() if name not in gone),
    )


def _lonely(gone: set[str], needs: Mapping[str, set[str]]) -> set[str]:
    """Return what something that goes needed, and nothing that stays needs."""
    served = set().union(*(needs[name] for name in gone)) & needs.keys()
    staying = set().union(*(needs[name] - {name} for name in needs.keys() - gone))
    return served - gone - staying


def _needs(record: PrefixRecord) -> Iterator[str]:
    return (name_of(parse(text)) for text in record.depends)


_SHOWN = 6  # versions that are listed


# Where there is no solution


async def explain_conflict(
    problem: SolverProblem, error: Exception, solvable: Callable[[SolverProblem], Awaitable[bool]]
) -> CommandFailed:
    """Explain why the solver found no solution.

    Args:
        solvable: Returns whether another problem has a solution, to find the obstacle.
    """
    held = await repodata.versions(problem.channels, [spec.name for spec in problem.specs])
    unknown = [spec for spec in problem.specs if not held[spec.name]]
    if unknown:
        return await _no_such_package(unknown, problem.channels)
    missing = [
        spec
        for spec in problem.specs
        if not any(_serves(record, spec, problem.channels) for record in held[spec.name])
    ]
    if missing:
        found = _no_such_version(missing, held, problem.channels)
        absent = {spec.name for spec in missing}
        pins = [pin for pin in problem.pins if name_of(parse(pin)) in absent]
        if pins:
            where = pinned_where(problem.prefix, pins)
            found.advice = (*found.advice, f"Also pinned: {', '.join(pins)} ({where}).")
        return found
    words = str(error).replace("Cannot solve the request because of: ", "").strip()
    names = " ".join(spec.text for spec in problem.specs)
    return CommandFailed(
        f"{names} cannot be installed together with what is there:\n{words}",
        kept=NOTHING_CHANGED,
        advice=await _ways_out(problem, solvable),
    )


def _serves(record: RepoDataRecord, spec: CondaSpec, channels: Channels) -> bool:
    return spec.match.matches(record) and repodata.is_from(record, spec, channels)


async def _no_such_package(unknown: Sequence[CondaSpec], channels: Channels) -> CommandFailed:
    names = ", ".join(spec.name for spec in unknown)
    near = nearest(unknown[0].name, await repodata.names(channels))
    return CommandFailed(
        f"No package called {names} in {channels}.",
        kept=NOTHING_CHANGED,
        advice=(
            *([f"Did you mean {' or '.join(near)}?"] if near else []),
            "Another channel may have it: -c CHANNEL",
            f"or the Python Package Index: %envinstall --pip {' '.join(s.name for s in unknown)}",
        ),
    )


def _no_such_version(
    missing: Sequence[CondaSpec], held: Mapping[str, Sequence[RepoDataRecord]], channels: Channels
) -> CommandFailed:
    lines = []
    for spec in missing:
        versions = list(dict.fromkeys(str(record.version) for record in held[spec.name]))
        more = f" and {len(versions) - _SHOWN} older" if len(versions) > _SHOWN else ""
        lines.append(f"{spec.name}: {', '.join(versions[:_SHOWN])}{more}")
    names = ", ".join(spec.text for spec in missing)
    return CommandFailed(
        f"No package matches {names} in {channels}.",
        kept=NOTHING_CHANGED,
        advice=("There is " + "; ".join(lines), "Another channel may have it: -c CHANNEL"),
    )


async def _ways_out(
    problem: SolverProblem, solvable: Callable[[SolverProblem], Awaitable[bool]]
) -> tuple[str, ...]:
    """Return the obstacles: a pin, an earlier spec, or Python's version."""
    names = " ".join(spec.text for spec in problem.specs)
    if problem.pins and await solvable(replace(problem, pins=())):
        guilty = [
            pin
            for pin in problem.pins
            if await solvable(replace(problem, pins=tuple(p for p in problem.pins if p != pin)))
        ]
        pins = ", ".join(guilty or problem.pins)
        where = pinned_where(problem.prefix, guilty or problem.pins)
        return (
            f"A pin stands in the way: {pins} ({where}).",
            "To lift it, take its line out there, then ask again.",
        )
    bound = {
        name: spec
        for name, spec in sorted(problem.earlier.items())
        if name not in problem.asked and spec != name
    }
    if bound and await solvable(replace(problem, earlier={})):
        guilty = [name for name in bound if await solvable(_freed(problem, name))] or list(bound)
        when = condahistory.asked_on(problem.prefix)
        wishes = ", ".join(
            f"{bound[name]} was asked for" + (f" on {when[name]}" if name in when else "")
            for name in guilty
        )
        return (
            f"What you asked for earlier stands in the way: {wishes} (conda-meta/history).",
            f"Let it move, by asking for it again: %envinstall {names} {' '.join(guilty)}",
        )
    if "python" in problem.installed and "python" not in problem.asked:
        python = {**problem.installed}
        del python["python"]
        if await solvable(replace(problem, installed=python)):
            return ("It needs another version of Python: make a new environment for it.",)
    return ()


def _freed(problem: SolverProblem, name: str) -> SolverProblem:
    earlier = {other: spec for other, spec in problem.earlier.items() if other != name}
    return replace(problem, earlier=earlier)
