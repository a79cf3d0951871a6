"""Plan a request: solve it, compare it with what is installed, and write it as conda does."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ....model.environment import Environment
from ....model.errors import InvalidSpec
from ....model.packages import Change, PackageSet
from ....model.plan import Plan
from ....model.request import Request
from ....where.metadata import read_packages
from ..present import Installed, lone_archives, records
from ..spec import (
    CondaSpec,
    command_lines,
    configuration,
    loose_pins,
    name_of,
    parse,
    pinned_where,
)
from . import solving
from .fetch import Cache, check_archive
from .honours import unhonoured
from .loop import Wire
from .problem import SolverProblem, earlier
from .records import package_of, spelling
from .solving import Solution

if TYPE_CHECKING:
    from rattler import RepoDataRecord

State = tuple[tuple[str, int, int], ...]
"""The records of a prefix: their file names, modification times and sizes."""


@dataclass(frozen=True, slots=True)
class Detail:
    """The details that `Rattler.run` needs from `Rattler.plan`."""

    solution: Solution
    #: the new specs, spelled as conda does, by the name of the package
    asked: dict[str, tuple[str, ...]]
    earlier: dict[str, tuple[str, ...]]  #: the user's earlier specs, likewise
    #: the records before, to notice whether something else has changed the prefix since
    state: State
    broken: tuple[str, ...] = ()  #: the pins that the installed packages break


async def plan(
    request: Request,
    environment: Environment,
    specs: Sequence[CondaSpec],
    engine: str,
    wire: Wire,
    *,
    before: str = "",
) -> Plan:
    """Plan a request; see `Rattler.plan`."""
    detail = await solve(request, environment, specs, wire, before)
    commands = command_lines(request, environment, specs, Installed(environment).names)
    return Plan(
        request=request,
        environment=environment,
        engine=engine,
        commands=commands if detail.solution else (),
        change=_change(detail.solution, environment),
        notes=(
            *lone_archives(specs, environment),
            *_reservations(environment),
            *_broken(detail, environment),
            *loose_pins(environment),
        ),
        detail=detail,
    )


def _reservations(environment: Environment) -> Iterator[str]:
    ignored = unhonoured(environment)
    if ignored:
        yield f"Without conda, its settings are honoured but for these: {', '.join(ignored)}."


def _broken(detail: Detail, environment: Environment) -> Iterator[str]:
    there = records(environment.prefix)
    for pin in detail.broken:
        record = there[name_of(parse(pin))]
        yield (
            f"{pin} is pinned ({pinned_where(environment.prefix, [pin])}), and"
            f" {record.name.normalized} {record.version} is there: it stays as it is."
        )


async def solve(
    request: Request,
    environment: Environment,
    specs: Sequence[CondaSpec],
    wire: Wire,
    before: str = "",
) -> Detail:
    """Solve a request; the other arguments are those of `plan`.

    Raises:
        CommandFailed: There is no solution.
    """
    prefix = environment.prefix
    state = state_of(prefix)
    there = records(prefix)
    before_now = earlier(prefix, there)
    broken: tuple[str, ...] = ()
    if request.action == "remove":
        solution = solving.remove(specs, there, before_now, alone=bool(request.options))
    else:
        named = [spec for spec in specs if not spec.archive]
        solution = solving.Solution(unlink=(), link=(), keep=tuple(there.values()))
        if named:
            problem = replace(SolverProblem.of(request, environment, named, there), before=before)
            broken = problem.broken
            solution = await solving.solve(problem, wire)
        archives = [spec for spec in specs if spec.archive]
        if archives:
            found = await _archive_records(archives, environment, wire)
            solution = solving.with_archives(solution, found, there)
    final = {str(record.name.normalized): record for record in solution.records} | there
    asked: dict[str, tuple[str, ...]] = {
        spec.name: (spelling(spec, final.get(spec.name)),) for spec in specs
    }
    standing: dict[str, tuple[str, ...]] = {name: (spec,) for name, spec in before_now.items()}
    return Detail(solution=solution, asked=asked, earlier=standing, state=state, broken=broken)


async def _archive_records(
    specs: Sequence[CondaSpec], environment: Environment, wire: Wire
) -> list[RepoDataRecord]:
    found = []
    for spec in specs:
        if os.path.isabs(spec.archive):
            check_archive(spec.archive, spec.text)
            found.append(await _record_of(spec.archive))
        else:
            path = await Cache(configuration(environment)).fetch_url(spec.archive, wire)
            record = await _record_of(path)
            record.url = spec.archive.partition("#")[0]
            found.append(record)
    return found


async def _record_of(path: str) -> RepoDataRecord:
    from rattler import RepoDataRecord
    from rattler.exceptions import ExtractError

    try:
        return await RepoDataRecord.from_package_archive(path)
    except ExtractError as error:
        raise InvalidSpec(f"{path} is not a package archive: {error}") from None


def _change(solution: Solution, environment: Environment) -> Change:
    before = read_packages(environment, ("conda",))
    after = {package.name: package for package in before.packages}
    for record in solution.unlink:
        after.pop(str(record.name.normalized), None)
    for new in solution.link:
        after[str(new.name.normalized)] = package_of(new)
    return PackageSet(tuple(after.values())) - before


def state_of(prefix: str) -> State:
    """Return a prefix's records (names, times and sizes), to notice a change of the prefix."""
    with os.scandir(os.path.join(prefix, "conda-meta")) as entries:
        found = [entry for entry in entries if entry.name.endswith(".json")]
    return tuple(
        sorted((entry.name, entry.stat().st_mtime_ns, entry.stat().st_size) for entry in found)
    )
