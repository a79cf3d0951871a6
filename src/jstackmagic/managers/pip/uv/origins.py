"""Find the origins and hashes of the archives that uv installs, which uv does not report.

uv locks the same versions, from its cache alone; the lock file (PEP 751) has each
archive's URL and hash. The wheel of a version is found by the tags in the installed metadata,
or before installation, by the order in which the environment's Python prefers them.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ....io import process
from ....model.credentials import mask
from ....model.documents import parse_toml
from ....model.environment import Environment
from ....model.packages import Package, normalise
from ....model.plan import Command
from ....model.request import Request
from ....where.distributions import headers
from ....where.metadata import distributions_of_package
from ..common import index_of

_WORDS = ("--format", "pylock.toml", "--no-deps", "--no-header", "--quiet")


Locked = Mapping[str, dict[str, Any]]
"""The packages of a lock file, by name."""


def lock(packages: Sequence[Package], command: Command) -> Locked:
    """Lock the exact versions of packages; empty if uv cannot.

    Args:
        command: ``uv pip compile`` for the environment, with its indexes.
    """
    if not packages:
        return {}
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
        listing = Path(folder, "requirements.in")
        listing.write_text("".join(f"{_requirement(package)}\n" for package in packages))
        cached = () if dict(command.environ).get("UV_NO_CACHE") else ("--offline",)
        argv = (*command.argv, *_WORDS, *cached, str(listing))
        done = process.capture(replace(command, argv=argv))
    if done.exit_status != 0:
        return {}
    return {
        normalise(item["name"]): item for item in parse_toml(done.stdout, "uv's lock")["packages"]
    }


def origins(
    packages: Sequence[Package], locked: Locked, request: Request, environment: Environment
) -> dict[str, Package]:
    """Return the packages with their URL, hash and index, by name; unknown ones are left out."""
    found = {}
    for package in packages:
        item = locked.get(package.name, {})
        if str(item.get("version", package.version)) != package.version:
            continue
        archive = _archive(item, package, environment)
        if archive:
            url = mask(str(archive.get("url") or _url(str(archive.get("path") or ""))))
            index = mask(str(item.get("index") or "")) or index_of(url, request, environment)
            found[package.name] = replace(
                package,
                source=url if "archive" in item else index,
                url=url,
                sha256=str((archive.get("hashes") or {}).get("sha256", "")),
            )
    return found


def _requirement(package: Package) -> str:
    if package.url:
        return f"{package.name} @ {package.url}"
    return f"{package.name}=={package.version}"


def _url(path: str) -> str:
    return Path(os.path.abspath(path)).as_uri() if path else ""


def _archive(item: dict[str, Any], package: Package, environment: Environment) -> dict[str, Any]:
    """Return the one archive of a locked package that it is; empty if that is not sure."""
    if "archive" in item:
        return dict(item["archive"])
    wheels = list(item.get("wheels") or ())
    tags = _installed_tags(package, environment)
    if tags:
        same = [wheel for wheel in wheels if _tags_of(wheel) == tags]
        if len(same) == 1:
            return dict(same[0])
    elif wheels:
        return dict(_preferred(wheels, environment))
    return dict(item["sdist"]) if not wheels and "sdist" in item else {}


def _preferred(wheels: list[dict[str, Any]], environment: Environment) -> dict[str, Any]:
    """Return the wheel that a CPython on this machine prefers; empty if that is not sure."""
    if len(wheels) == 1:
        return wheels[0]
    from packaging.tags import compatible_tags, cpython_tags

    version = [int(part) for part in (environment.python or "0.0").split(".")[:2]]
    minor = f"cp{''.join(map(str, version))}"
    ranks = {
        str(tag): rank
        for rank, tag in enumerate(
            (*cpython_tags(version, [minor]), *compatible_tags(version, interpreter=minor))
        )
    }
    ranked = {
        min((ranks.get(tag, len(ranks)) for tag in _tags_of(wheel)), default=len(ranks)): wheel
        for wheel in wheels
    }
    best = min(ranked)
    return ranked[best] if best < len(ranks) else {}


def _tags_of(wheel: dict[str, Any]) -> frozenset[str]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    name = str(wheel.get("name") or wheel.get("url") or wheel.get("path") or "")
    try:
        return frozenset(map(str, parse_wheel_filename(_file(name))[3]))
    except InvalidWheelFilename:
        return frozenset()


def _file(place: str) -> str:
    return unquote(place.partition("#")[0].rpartition("/")[2])


def _installed_tags(package: Package, environment: Environment) -> frozenset[str]:
    """Return the tags in the WHEEL file of an installed distribution."""
    from packaging.tags import parse_tag

    found = distributions_of_package(package, environment)
    exact = (item for item in found if item.version == package.version)
    tags = next((headers(item.text("WHEEL"), "Tag") for item in exact), ())
    return frozenset(str(each) for tag in tags for each in parse_tag(tag))
