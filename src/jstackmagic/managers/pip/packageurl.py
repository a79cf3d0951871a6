"""The package URL of a distribution."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ...model.packages import Package
from ...model.spec import is_direct, is_vcs
from ...model.words import public
from ..packageurl import package_url


def of_package(package: Package, distribution: str) -> str:  # noqa: ARG001
    """Return the package's URL; see `Manager.package_url`."""
    return package_url("pypi", package, _origin(package))


def _origin(package: Package) -> dict[str, str]:
    """Return where a distribution came from, if that is not the public index."""
    source = public(package.source)
    if is_vcs(source):
        return {"vcs_url": source}
    if source.startswith("file:"):
        return {"file_name": os.path.basename(urlsplit(source).path)}
    if is_direct(package):
        return {"download_url": source}
    return {"repository_url": source.rstrip("/") if "://" in source else ""}
