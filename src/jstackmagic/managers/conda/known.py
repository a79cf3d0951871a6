"""The names that conda and rattler have of the channels on this disk, for Tab, with no network."""

from __future__ import annotations

import json
import mmap
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ... import names
from ...model.environment import Environment
from ...where.condarc import channel_name
from .rattler.repodata import Channels, cache_dir, platforms
from .spec import configuration

_BIG = 4 * 1024 * 1024  # bytes of repodata that take noticeable time to look through


def known(environment: Environment) -> Iterator[str]:
    """Yield the names of packages: those of its channels, then those much used."""
    yield from sorted(_of_channels(environment))
    yield from map(names.conda_name, names.names().known)


def channels(environment: Environment) -> list[str]:
    """Return the channels that are configured, and conda-forge."""
    config = configuration(environment)
    configured = [each.channel for each in (*config.channels, *environment.channels)]
    return [*(channel_name(each, config) for each in configured), "conda-forge"]


def _of_channels(environment: Environment) -> set[str]:
    """Return the channels' packages, as far as they are on this disk.

    Big files are read in the background: this Tab is quick, and the next has their names.
    """
    found: set[str] = set()
    for file in _repodata_files(environment):
        try:
            status = file.stat()
        except OSError:
            continue
        key = (str(file), status.st_mtime_ns)
        if key in _known or status.st_size < _BIG:
            found |= _known.get(key) or _learn(key)
        elif key not in _begun:
            _begun.add(key)
            threading.Thread(target=_learn, args=(key,), daemon=True).start()
    return found


_known: dict[tuple[str, int], frozenset[str]] = {}
_begun: set[tuple[str, int]] = set()


def _learn(key: tuple[str, int]) -> frozenset[str]:
    found: set[bytes] = set()
    with (
        suppress(OSError, ValueError),  # gone, or empty
        open(key[0], "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
    ):
        found = {match[1] for match in re.finditer(rb'"name"\s*:\s*"([\w.-]+)"', text)}
    _known[key] = frozenset(name.decode() for name in found)
    return _known[key]


def _repodata_files(environment: Environment) -> Iterator[Path]:
    """Yield the repodata files: of channels on this disk, and in conda's and rattler's caches."""
    urls = [url.rstrip("/") for url in Channels.of(environment, ()).urls]
    subdirs = [str(subdir) for subdir in platforms()]
    remote = {f"{url}/{subdir}" for url in urls for subdir in subdirs if "://" in url}
    for url in urls:
        if url.startswith("file://"):
            for subdir in subdirs:
                yield Path(unquote(urlsplit(url).path), subdir, "repodata.json")
    caches = [cache_dir()]
    if environment.root:
        caches.append(Path(environment.root, "pkgs/cache"))
    for cache in caches:
        for info in cache.glob("*.info.json"):
            try:
                url = str(json.loads(info.read_bytes()).get("url", ""))
            except (OSError, ValueError, AttributeError):
                continue
            if os.path.dirname(url) in remote or url.rstrip("/") in remote:
                yield info.with_name(info.name.replace(".info.json", ".json"))
