"""Solve an environment for another platform, without installing anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....model.credentials import mask
from ....model.errors import CommandFailed
from ....model.packages import CondaDetail, Package
from ..spec import CondaSpec, name_of, parse
from . import repodata
from .problem import at_url
from .trouble import network_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rattler import GenericVirtualPackage, MatchSpec, RepoDataRecord, Subdir

    from ....model.environment import Environment

_VIRTUAL = {
    "linux": {"__unix": "0", "__linux": "5.10", "__glibc": "2.28"},
    "osx": {"__unix": "0", "__osx": "13.0"},
    "win": {"__win": "0"},
}
"""The assumptions about a machine that is not here; conda-lock's are much the same."""


async def solve_for(
    platform: str, texts: Sequence[str], environment: Environment, extra: Sequence[str]
) -> tuple[tuple[Package, ...], tuple[CondaDetail, ...]]:
    """Solve specs for a platform; see the package's `on_platform`."""
    import rattler
    from rattler.exceptions import FetchRepoDataError, GatewayError, SolverError

    specs = [
        CondaSpec(text=text, name=name_of(match), match=match) for text, match in _parsed(texts)
    ]
    channels = repodata.Channels.of(environment, extra)
    channels = channels.and_of(spec.channel for spec in specs if spec.channel)
    try:
        work = rattler.solve(
            sources=channels.sources(),
            specs=[at_url(spec, channels) for spec in specs],
            gateway=repodata.gateway_of(channels),
            platforms=[_subdir(platform), rattler.Subdir("noarch")],
            virtual_packages=list(_virtual_packages(platform)),
        )
        records = await repodata.answered(work, channels)
    except (GatewayError, FetchRepoDataError) as error:
        raise network_trouble(error, channels) from None
    except SolverError as error:
        reason = str(error).replace("Cannot solve the request because of: ", "").strip()
        raise CommandFailed(
            f"There is no such environment for {platform}:\n{reason}",
            kept="Nothing was written.",
            advice="Leave that platform out, or lock it where such a machine is.",
        ) from None
    records = sorted(records, key=lambda record: str(record.name.normalized))
    return tuple(map(_package, records)), tuple(map(_detail, records))


def _parsed(texts: Sequence[str]) -> Iterator[tuple[str, MatchSpec]]:
    return ((text, parse(text)) for text in texts)


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


def _virtual_packages(platform: str) -> Iterator[GenericVirtualPackage]:
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version

    for name, version in _VIRTUAL.get(platform.partition("-")[0], {}).items():
        yield GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))


def _package(record: RepoDataRecord) -> Package:
    url = mask(record.url)
    return Package(
        "conda",
        str(record.name.normalized),
        str(record.version),
        str(record.build),
        source=url.rsplit("/", 2)[0],
        url=url,
        sha256=record.sha256.hex() if record.sha256 else "",
    )


def _detail(record: RepoDataRecord) -> CondaDetail:
    md5 = record.md5.hex() if record.md5 else ""
    return CondaDetail(str(record.name.normalized), tuple(record.depends), md5)
