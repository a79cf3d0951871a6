"""Find what is already there: the distributions that an environment's Python would import.

The engines for pip's requests share it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from ...io.reading import check_plain, not_plain, read_once
from ...model.environment import Environment
from ...model.packages import Package, normalise
from ...model.request import Request
from ...model.spec import Constraint, Spec, read
from ...where.distributions import Distribution, metadata_in
from ...where.metadata import (
    distributions,
    find_distribution,
    python_markers,
    read_conda,
)
from .pipconf import UNREADABLE, configured
from .spec import installed_from, plain_requirements

if TYPE_CHECKING:
    from packaging.requirements import Requirement
    from packaging.version import Version

_CHANGES_THE_QUESTION = {
    *("editable", "force-reinstall", "ignore-installed", "requirement", "upgrade"),
    UNREADABLE,
}
"""pip's own settings that make it do more than add what is missing."""


def check_metadata(environment: Environment) -> None:
    """Refuse an environment whose packages' metadata pip and uv would wait for without end.

    Raises:
        CommandFailed: There is a pipe or a device among it.
    """
    folders = (path for site in environment.site_packages for path in metadata_in(site))
    found = chain.from_iterable(read_once(folders, not_plain))
    check_plain(found, what="the metadata of a package")


def satisfied(request: Request, environment: Environment) -> tuple[Package, ...] | None:
    """Return the packages that serve every spec already, with all that they require.

    Decided from metadata on disk, for the target's Python. None if only pip can decide: for a
    URL, a path, an upgrade, options, an old-style version.
    """
    settings = configured(environment)
    if request.upgrade or request.options or _CHANGES_THE_QUESTION & settings.keys():
        return None
    capped = [spec for spec in request.specs if isinstance(spec, Constraint)]
    specs = [spec for spec in request.specs if spec not in capped]
    if "constraint" in settings:
        capped += [Constraint(file, place=file) for file in settings["constraint"].words]
    requirements, constraints = _plain(specs), _plain(capped)
    if requirements is None or constraints is None:
        return None
    markers = _markers(environment)
    if not _all_there(requirements, constraints, markers, environment):
        return None
    wanted = (item for item in requirements if item.marker is None or item.marker.evaluate(markers))
    found = (_present(item.name, environment) for item in wanted)
    return tuple(dict.fromkeys(package for package in found if package is not None))


def not_meant(request: Request, environment: Environment) -> tuple[str, ...]:
    """Return a note on the specs whose markers leave this environment out, as pip warns of them."""
    marked = [spec for spec in request.specs if spec.marker]
    if not marked:
        return ()
    from packaging.markers import Marker

    markers = _markers(environment)
    out = [spec.text for spec in marked if not Marker(spec.marker).evaluate(markers)]
    return (f"Not for this environment, by its marker: {', '.join(out)}",) if out else ()


def _plain(specs: Iterable[Spec]) -> list[Requirement] | None:
    found: list[Requirement] = []
    for spec in specs:
        plain = plain_requirements(spec)
        if plain is None:
            return None
        found += plain
    return found


def _present(name: str, environment: Environment) -> Package | None:
    """Return an installed package; only its own metadata is read unless its origin matters."""
    found = find_distribution(name, environment.site_packages)
    if found is None or found.text("direct_url.json"):
        (package,) = serving([read("pip", name)], environment).values()
        return package
    return Package("conda" if found.by_conda else "pip", found.name, found.version)


def _all_there(
    requirements: Iterable[Requirement],
    constraints: Iterable[Requirement],
    markers: dict[str, str],
    environment: Environment,
) -> bool:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion

    caps: dict[str, list[Requirement]] = {}
    for cap in constraints:
        if cap.marker is None or cap.marker.evaluate(markers):
            caps.setdefault(normalise(cap.name), []).append(cap)
    seen: set[tuple[str, str]] = set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, wanted_by = waiting.pop()
        marker = requirement.marker
        if marker is not None and not marker.evaluate({**markers, "extra": wanted_by}):
            continue
        found = find_distribution(requirement.name, environment.site_packages)
        if found is None or requirement.url:
            return False
        try:
            for item in (requirement, *caps.get(normalise(requirement.name), ())):
                # as pip: what is installed may be a pre-release
                if not item.specifier.contains(found.version, prereleases=True):
                    return False
            for extra in ("", *requirement.extras):
                key = (normalise(requirement.name), extra)
                if key not in seen:
                    seen.add(key)
                    waiting += [(Requirement(text), extra) for text in found.requires]
        except (InvalidVersion, InvalidRequirement):
            return False
    return True


def _markers(environment: Environment) -> dict[str, str]:
    """Return the marker variables (PEP 508) of the target's Python, which is on this machine."""
    from packaging.markers import default_environment

    version = environment.python or ""
    own = {key: str(value) for key, value in default_environment().items()}
    if version.startswith("2.") and own["sys_platform"] == "linux":
        own["sys_platform"] = "linux2"
    return {
        **own,
        "extra": "",
        "implementation_version": version,
        **python_markers(version),
    }


def serving(specs: Iterable[Spec], environment: Environment) -> dict[Spec, Package | None]:
    """Return, for each spec, the package that it names, or that was installed from its place."""
    found = distributions(environment)
    own = [item.package for item in found if not item.by_conda]
    by_name = {package.name: package for package in reversed(own)}
    by_conda = {item.name: item.version for item in found if item.by_conda}

    def find(spec: Spec) -> Package | None:
        name, place = spec.name, installed_from(spec)
        if not name:
            return next((each for each in own if place and each.source.startswith(place)), None)
        if name in by_name or name not in by_conda:
            return by_name.get(name)
        records = {package.name: package for package in read_conda(environment.prefix)}
        return records.get(name) or Package("conda", name, by_conda[name])

    return {spec: find(spec) for spec in specs}


# The user site


def shadowed(environment: Environment, names: Iterable[str]) -> tuple[Distribution, ...]:
    """Return the distributions of these names in the user site, which precedes the environment's.

    A virtual environment has no user site.
    """
    folder = user_site(environment)
    if folder is None or not os.path.isdir(folder):
        return ()
    found = (find_distribution(name, [folder]) for name in sorted(set(names)))
    return tuple(item for item in found if item is not None)


def user_site(environment: Environment) -> str | None:
    """Return the folder of the user's own packages (see Python's ``site``); None without it."""
    if environment.kind.startswith("venv") or os.environ.get("PYTHONNOUSERSITE"):
        return None
    base = os.environ.get("PYTHONUSERBASE") or os.path.expanduser("~/.local")
    for path in environment.site_packages:
        python = re.search(r"/((?:python|pypy)\d+\.\d+t?)/(?:site|dist)-packages$", path)
        if python:
            return os.path.join(base, "lib", python[1], "site-packages")
    return None


# pip itself


def version_on_disk(environment: Environment) -> Version | None:
    """Return the version of an environment's own pip; None if it has none that can be read."""
    from packaging.version import InvalidVersion, Version

    pip = find_distribution("pip", environment.site_packages)
    try:
        return Version(pip.version) if pip is not None else None
    except InvalidVersion:
        return None
