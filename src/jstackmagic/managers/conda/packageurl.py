"""The package URL of a conda package."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from ...model.packages import Package
from ...model.spec import CONDA_ARCHIVE
from ...model.words import public
from ..packageurl import package_url

_SUBDIR = re.compile(r"noarch|(?:linux|osx|win|emscripten|wasi|freebsd|zos)-[a-z0-9]+")


def of_package(package: Package, distribution: str) -> str:  # noqa: ARG001
    """Return the package's URL; see `Manager.package_url`."""
    subdir = _SUBDIR.search(urlsplit(package.url).path.rpartition("/")[0].rpartition("/")[2])
    endings = (each for each in CONDA_ARCHIVE if package.url.endswith(each))
    qualifiers = {
        "build": package.build,
        "channel": _channel(package),
        "subdir": subdir[0] if subdir else "",
        "type": next(endings, "").removeprefix("."),
    }
    return package_url("conda", package, qualifiers)


def _channel(package: Package) -> str:
    """Return the channel's name, as conda's canonical names have it: the last part of its URL."""
    source = public(package.source).rstrip("/")
    path = urlsplit(source).path if "://" in source else source
    parts = [part for part in unquote(path).split("/") if part]
    if parts and _SUBDIR.fullmatch(parts[-1]):
        parts.pop()
    return parts[-1] if parts else ""
