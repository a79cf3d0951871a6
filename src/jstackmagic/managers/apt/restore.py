"""The specs by which apt-get restores what was installed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...model.ledger import Origins
from ...model.packages import Package, PackageSet
from ...model.request import Request
from ...model.spec import read_all
from .. import Spelling
from ..goal import Exactness, Goal


def bring_back(
    packages: Sequence[Package],
    origins: Origins,
    spelling: Spelling,  # noqa: ARG001
) -> list[Request]:
    """Return the request for exactly these packages."""
    specs = [apt_spec(package, origins.request(package)) for package in packages]
    return [Request("install", "apt", read_all("apt", specs), options=("--allow-downgrades",))]


def bring(goal: Goal, here: PackageSet, exactness: Exactness) -> list[Request]:
    """Return the installs; a newer version will do: Debian's archives drop replaced versions."""
    specs = []
    for _, item in goal.items("apt"):
        there = here.get("apt", item.name)
        if there is not None and "=" not in item.text:
            continue
        archive = item.spec.place and os.path.exists(item.spec.place)
        exact = item.version and exactness != "asked" and not archive
        specs.append(f"{item.name}={item.version}" if exact else item.text)
    return [Request("install", "apt", read_all("apt", specs))] if specs else []


def apt_spec(package: Package, came_by: Request | None) -> str:
    """Return the version, or the file it came from, named ``NAME_VERSION_ARCHITECTURE.deb``."""
    name, version = package.name.partition(":")[0], package.version.rpartition(":")[2]
    for spec in came_by.texts if came_by else ():
        if spec.endswith(".deb") and spec.rpartition("/")[2].startswith(f"{name}_{version}_"):
            return spec
    return f"{package.name}={package.version}"
