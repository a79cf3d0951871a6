"""Ask the channels, without an install: for versions, and for an environment elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ....display.console import Console
from ....display.progress import ProgressReport
from ....model.environment import Environment
from ....model.errors import CommandFailed, InvalidSpec
from ....model.packages import CondaDetail, Package
from ..spec import CondaSpec
from . import loop, repodata
from .loop import Wire
from .problem import at_url
from .records import package_of
from .repodata import Channels

if TYPE_CHECKING:
    from rattler import RepoDataRecord, Subdir

_FEW = 8  # versions

_VIRTUAL = {
    "linux": {"__unix": "0", "__linux": "5.10", "__glibc": "2.28"},
    "osx": {"__unix": "0", "__osx": "13.0"},
    "win": {"__win": "0"},
}
"""The assumptions about a machine that is not here; conda-lock's are much the same."""


def available(
    specs: Sequence[str],
    environment: Environment,
    channels: Sequence[str] = (),
    console: Console | None = None,
) -> dict[str, tuple[str, ...]]:
    """Return, for each spec, the few newest versions that match it; none for an invalid one.

    Raises:
        CommandFailed: The channels cannot be read.
        Interrupted: The user interrupted it.
    """
    readable = list(_readable(specs))
    where = _channels(readable, environment, channels)

    async def ask(wire: Wire) -> dict[str, list[RepoDataRecord]]:
        wire.show(ProgressReport("Reading the channels"))
        return await repodata.versions(where, [spec.name for spec in readable])

    held = loop.run(ask, console)
    found = {
        spec.text: dict.fromkeys(
            str(record.version)
            for record in held[spec.name]
            if spec.match.matches(record) and repodata.is_from(record, spec, where)
        )
        for spec in readable
    }
    return {text: tuple(found.get(text, ()))[:_FEW] for text in specs}


def _readable(texts: Sequence[str]) -> Iterator[CondaSpec]:
    for text in dict.fromkeys(texts):
        with contextlib.suppress(InvalidSpec):
            yield CondaSpec.of(text)


def _channels(
    specs: Sequence[CondaSpec], environment: Environment, channels: Sequence[str]
) -> Channels:
    found = repodata.Channels.of(environment, channels)
    return found.and_of(spec.channel for spec in specs if spec.channel)


def on_platform(
    platform: str, texts: Sequence[str], environment: Environment, channels: Sequence[str] = ()
) -> tuple[tuple[Package, ...], tuple[CondaDetail, ...]]:
    """Return the packages that an environment with some specs would have on another platform.

    Args:
        platform: conda's name of it, such as ``osx-arm64``.

    Raises:
        InvalidSpec: One is not a match spec.
        CommandFailed: There is no such platform or environment, or the channels cannot be read.
        Interrupted: The user interrupted it.
    """
    specs = [CondaSpec.of(text) for text in texts]
    where = _channels(specs, environment, channels)
    found = loop.run(lambda _: _solve_for(platform, specs, where))
    records = sorted(found, key=lambda record: str(record.name.normalized))
    return tuple(map(package_of, records)), tuple(map(_detail, records))


async def _solve_for(
    platform: str, specs: Sequence[CondaSpec], channels: Channels
) -> list[RepoDataRecord]:
    import rattler
    from rattler.exceptions import SolverError

    work = rattler.solve(
        sources=channels.sources(),
        specs=[at_url(spec, channels) for spec in specs],
        gateway=repodata.gateway_of(channels),
        platforms=[_subdir(platform), rattler.Subdir("noarch")],
        virtual_packages=[
            repodata.virtual_package(name, version)
            for name, version in _VIRTUAL.get(platform.partition("-")[0], {}).items()
        ],
    )
    try:
        return await repodata.answered(work, channels)
    except SolverError as error:
        reason = str(error).replace("Cannot solve the request because of: ", "").strip()
        raise CommandFailed(
            f"There is no such environment for {platform}:\n{reason}",
            kept="Nothing was written.",
            advice="Leave that platform out, or lock it where such a machine is.",
        ) from None


def _subdir(platform: str) -> Subdir:
    from rattler import Subdir

    try:
        return Subdir(platform)
    except Exception:
        raise CommandFailed(
            f"{platform!r} is not a platform that conda knows.",
            kept="Nothing was written.",
            advice="It is called as a channel's folder is: linux-aarch64, osx-arm64, win-64",
        ) from None


def _detail(record: RepoDataRecord) -> CondaDetail:
    md5 = record.md5.hex() if record.md5 else ""
    return CondaDetail(str(record.name.normalized), tuple(record.depends), md5)
