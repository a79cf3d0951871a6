"""Solve a request: the packages of a prefix to unlink, to link and to keep."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ....display.progress import Progress
from ....model.errors import NOTHING_CHANGED, CommandFailed
from ..spec import CondaSpec, name_of, parse
from . import repodata
from .trouble import explain_conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rattler import PrefixRecord, RepoDataRecord  # noqa: TC004  # no noun
    from rattler.channel import ChannelPriority

    from .engine import Wire
    from .problem import Problem


@dataclass(frozen=True, slots=True)
class Solution:
    """A change of a prefix.

    Attributes:
        unlink: Records to unlink, also of what is linked again.
        link: Records to link, also of what is linked again.
        keep: Records that stay as they are.
    """

    unlink: tuple[PrefixRecord, ...]
    link: tuple[RepoDataRecord, ...]
    keep: tuple[PrefixRecord, ...]

    def __bool__(self) -> bool:
        return bool(self.unlink or self.link)

    @property
    def records(self) -> list[RepoDataRecord]:
        """All that the prefix holds in the end."""
        return [*self.keep, *self.link]


# Installing


async def solve(problem: Problem, wire: Wire) -> Solution:
    """Find the change of the prefix.

    Raises:
        CommandFailed: There is no solution; the error says why, and suggests one.
    """
    from rattler.exceptions import SolverError

    wire.show(Progress("Reading the channels"))
    await repodata.read(problem.channels, problem.asked)
    wire.show(Progress("Solving"))
    try:
        records = await _solve(problem)
    except SolverError as error:
        if repodata.is_fresh(problem.channels):
            raise await explain_conflict(problem, error, _solvable) from None
        wire.show(Progress("Reading the channels again"))
        try:
            records = await _solve(problem, refresh=True)
        except SolverError as second:
            raise await explain_conflict(problem, second, _solvable) from None
    return _compare(problem.installed, records)


async def _solve(problem: Problem, *, refresh: bool = False) -> list[RepoDataRecord]:
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
                virtual_packages=repodata.virtual_packages(),
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


async def _solvable(problem: Problem) -> bool:
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
    if before is None or after is None or _minor(before) == _minor(after):
        return set()
    return {name for name, record in installed.items() if record.noarch.python}


def _minor(python: RepoDataRecord) -> list[str]:
    return str(python.version).split(".")[:2]


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
        installed: The installed packages, by name.
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
