"""The channels' repodata, kept in memory while the kernel lives and on disk beyond it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import ssl
import threading
import time
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, unquote, urlsplit

from ....io.runtime import variable
from ....model.buildvariables import FOR_A_SOLVER
from ....model.credentials import mask
from ....model.environment import Environment
from ....model.errors import NOTHING_CHANGED, CommandFailed, InvalidSpec
from ....where.condarc import (
    CondaConfig,  # no noun: it is never read back
    channel_name,
    channel_urls,
)
from ..spec import CondaSpec, configuration
from .access import with_credentials
from .patience import check_answers, network_trouble, patiently

if TYPE_CHECKING:
    from rattler import Channel, Client, Gateway, GenericVirtualPackage, RepoDataRecord, Subdir

T = TypeVar("T")

_FRESH = 600.0  # seconds for which a remote channel is not asked again; a miss asks it at once


@cache
def platforms() -> tuple[Subdir, Subdir]:
    """Return the subdirs of this machine: its own, and the one for every machine."""
    from rattler import Subdir

    return (Subdir.current(), Subdir("noarch"))


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of one request, and the settings for asking them."""

    urls: tuple[str, ...]  #: base URLs, credentials included, the strongest first
    config: CondaConfig

    @classmethod
    def of(cls, environment: Environment, extra: Sequence[str]) -> Channels:
        """Return the request's channels, then the configured ones, then the installed packages'.

        Raises:
            CommandFailed: The configuration forbids one of them.
        """
        config = configuration(environment)
        configured = config.channels or environment.channels
        names = (*extra, *(each.channel for each in configured))
        return cls((), config).and_of(name for name in names if name != "nodefaults")

    def and_of(self, names: Iterable[str]) -> Channels:
        """Return these channels, followed by those that specs name.

        Raises:
            CommandFailed: The configuration forbids one of them.
            InvalidSpec: One of them is no text.
        """
        more = [url for name in names for url in urls_of(name, self.config)]
        _check_allowed(more, self.config)
        return Channels(tuple(dict.fromkeys((*self.urls, *more))), self.config)

    def sources(self) -> list[Channel]:
        """The channels for rattler."""
        from rattler import Channel

        return [Channel(url) for url in self.urls]

    def __str__(self) -> str:
        return ", ".join(mask(channel_name(url, self.config)) for url in self.urls)


def urls_of(name: str, config: CondaConfig) -> list[str]:
    """Return the URLs of a channel, spelled alike however it was named: a file's path quoted.

    They include the credentials from files.
    """
    return [
        f"file://{quote(unquote(url[7:]))}"
        if url.startswith("file://")
        else with_credentials(url, config)
        for url in channel_urls(name, config)
    ]


def _check_allowed(urls: Iterable[str], config: CondaConfig) -> None:
    """Honour ``allowlist_channels`` and ``denylist_channels``."""

    def of(names: Iterable[str]) -> set[str]:
        return {url for name in names for url in urls_of(name, config)}

    allowed, denied = of(config.allowlist_channels), of(config.denylist_channels)
    for url in urls:
        if not url.isprintable():  # such as half a character of a terminal's line
            raise InvalidSpec(f"{mask(url)!r} is not a channel.")
        if url in denied or (allowed and url not in allowed):
            raise CommandFailed(
                f"conda's configuration does not allow the channel {mask(url)}.",
                kept=NOTHING_CHANGED,
                advice="Leave it out, or ask whoever set allowlist_channels or denylist_channels.",
            )


# Asking them


async def read(channels: Channels, names: Iterable[str]) -> None:
    """Load the channels' records of some names, so that the solver waits less."""
    gateway = gateway_of(channels)
    query = gateway.query(channels.sources(), platforms(), list(names), recursive=False)
    await answered(query, channels)


async def versions(channels: Channels, names: Sequence[str]) -> dict[str, list[RepoDataRecord]]:
    """Return all the channels' records of each name, the newest first.

    With strict channel priority, only the strongest channel that has a name counts.
    """
    gateway = gateway_of(channels)
    found: dict[str, list[RepoDataRecord]] = {name: [] for name in names}
    query = gateway.query(channels.sources(), platforms(), list(found), recursive=False)
    answers = await answered(query, channels)
    strict = channels.config.channel_priority == "strict"
    for record in (record for answer in answers for record in answer):
        several = found[str(record.name.normalized)]
        if not (strict and several and several[0].channel != record.channel):
            several.append(record)
    for several in found.values():
        several.sort(key=lambda record: (record.version, record.build_number), reverse=True)
    return found


async def names(channels: Channels) -> list[str]:
    """Return the names of all packages of the channels."""
    gateway = gateway_of(channels)
    query = gateway.names(channels.sources(), platforms())
    return [str(name.normalized) for name in await answered(query, channels)]


async def answered(work: Awaitable[T], channels: Channels) -> T:
    """Await an answer of channels, as long as they respond at all.

    Raises:
        CommandFailed: One does not, or its answer cannot be read.
        SolverError: The answer is that there is no solution.
    """

    async def look() -> None:
        await check_answers(client_of(network_of(channels.config)), channels.urls)

    from rattler.exceptions import FetchRepoDataError, GatewayError, SolverError

    try:
        return await patiently(work, look)
    except (CommandFailed, asyncio.CancelledError):
        _gateway.cache_clear()  # to one that was left, every later question is the same one
        raise
    except SolverError:
        raise
    except (FetchRepoDataError, GatewayError) as error:
        offline = channels.config.offline
        raise network_trouble(error, str(channels), offline=offline) from None
    except Exception as error:  # a name, a version or a file name that is not one: many classes
        raise CommandFailed(
            f"The packages of {channels} cannot be read: {mask(str(error))}",
            kept=NOTHING_CHANGED,
            advice="Whoever keeps the channel should know; another may do: -c CHANNEL",
        ) from None


def is_from(record: RepoDataRecord, spec: CondaSpec, channels: Channels) -> bool:
    """Return whether a record comes from the channel that a spec names, if it names one."""
    urls = urls_of(spec.channel, channels.config) if spec.channel else ()
    return not urls or any(record.url.startswith(f"{url}/") for url in urls)


# The gateway: one for each way of reaching the network

_lock = threading.Lock()
_seen: dict[tuple[int, str], object] = {}


def gateway_of(channels: Channels, *, refresh: bool = False) -> Gateway:
    """Return the gateway to some channels, which drops stale repodata.

    Args:
        refresh: Ask the remote ones again, even if they were asked a moment ago.
    """
    gateway = _gateway(network_of(channels.config), channels.config.offline, cache_dir())
    with _lock:
        for url in channels.urls:
            key = (id(gateway), url)
            age = _age(url, _seen.get(key), refresh=refresh)
            if key in _seen and age != _seen[key]:
                gateway.clear_repodata_cache(url)
            _seen[key] = age
    return gateway


def is_fresh(channels: Channels) -> bool:
    """Return whether asking the channels again is useless: they are all on this disk."""
    return channels.config.offline or all(url.startswith("file://") for url in channels.urls)


def _age(url: str, seen: object, *, refresh: bool) -> object:
    """Return a value that changes when a channel should be read again."""
    if url.startswith("file://"):
        return tuple(_repodata_state(unquote(urlsplit(url).path)))
    now = time.monotonic()
    return seen if isinstance(seen, float) and now - seen < _FRESH and not refresh else now


def _repodata_state(folder: str) -> Iterator[tuple[int, int]]:
    for subdir in platforms():
        for name in ("repodata.json", "repodata.json.zst"):
            with contextlib.suppress(OSError):
                status = os.stat(f"{folder}/{subdir}/{name}")
                yield status.st_mtime_ns, status.st_size


@dataclass(frozen=True, slots=True)
class _Network:
    """Settings of the network, from conda's configuration and the variables that conda obeys."""

    verify: bool
    bundle: str
    proxies: tuple[tuple[str, str], ...]


def network_of(config: CondaConfig) -> _Network:
    """Return how the network is reached under a configuration."""
    bundle = config.ssl_verify if isinstance(config.ssl_verify, str) else ""
    if bundle == "truststore":  # the system's own certificates
        bundle = ""
    elif not bundle:
        variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
        bundle = next((os.environ[name] for name in variables if os.environ.get(name)), "")
    proxies = sorted(
        (scheme, url) for scheme, url in config.proxy_servers.items() if scheme in _SCHEMES
    )
    return _Network(config.ssl_verify is not False, bundle, tuple(proxies))


_SCHEMES = ("http", "https")


@lru_cache(maxsize=8)
def client_of(network: _Network) -> Client:
    """Return the HTTP client; credentials come from the URLs, netrc, and rattler's own store."""
    from rattler import Client, Config

    system = bool(network.bundle) or ssl.get_default_verify_paths().cafile is not None
    lines = [
        f"tls-no-verify = {json.dumps(not network.verify)}",
        f"tls-root-certs = {json.dumps('system' if system else 'webpki')}",
        "[proxy-config]",
        *(f"{scheme} = {json.dumps(url)}" for scheme, url in network.proxies),
    ]
    config = Config.from_toml("\n".join(lines))
    # rattler takes no path of a bundle, but reads this when a client is made (py-rattler 0.28)
    with variable("SSL_CERT_FILE", network.bundle):
        return Client.from_config(config)


def cache_dir() -> Path:
    """Return where repodata is kept: rattler's own folder, so that its other users have it too."""
    from platformdirs import user_cache_path

    chosen = os.environ.get("RATTLER_CACHE_DIR")
    return (Path(chosen) if chosen else user_cache_path("rattler") / "cache") / "repodata"


@lru_cache(maxsize=8)
def _gateway(network: _Network, offline: bool, cache_dir: Path) -> Gateway:
    from rattler import Gateway, SourceConfig

    action = "force-cache-only" if offline else "cache-or-fetch"
    return Gateway(
        cache_dir=cache_dir,
        default_config=SourceConfig(cache_action=action),  # type: ignore[arg-type]
        per_channel_config={"file://": SourceConfig()},
        client=client_of(network),
    )


# The system


def virtual_packages(variables: Iterable[str] = ()) -> list[GenericVirtualPackage]:
    """Return the system's virtual packages (``__glibc``, ``__cuda``), ``CONDA_OVERRIDE_*`` first.

    rattler knows conda's variables except the one for Linux's version.

    Args:
        variables: Those of a request, ``NAME=VALUE`` each, which precede this process's.
    """
    from rattler import VirtualPackage
    from rattler import VirtualPackageOverrides as Overrides

    found = [package.into_generic() for package in VirtualPackage.detect(Overrides.from_env())]
    linux = {name: os.environ[name] for name in ("CONDA_OVERRIDE_LINUX",) if name in os.environ}
    for said, version in {**linux, **dict(v.partition("=")[::2] for v in variables)}.items():
        if FOR_A_SOLVER.fullmatch(said):
            name = f"__{said.removeprefix('CONDA_OVERRIDE_').lower()}"
            found = [each for each in found if each.name.normalized != name]
            found += [virtual_package(name, version)] if version else []
    return found


def virtual_package(name: str, version: str) -> GenericVirtualPackage:
    """Return one of the virtual packages (``__glibc``) that a solver is given."""
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version

    return GenericVirtualPackage(PackageName(name), Version(version), BuildString("0"))
