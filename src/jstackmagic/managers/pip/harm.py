"""The harm that pip could do to packages of other managers, and names that are likely slips."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress

from ... import names
from ...display.console import Console
from ...model.environment import Environment
from ...model.plan import Plan
from ...model.request import Request
from ...model.spec import Requirement
from ...where.metadata import conda_distributions, debian_owners

_PYTHONS = re.compile(r"bin/python[\d.]*|pyvenv\.cfg|conda-meta/.*")


def is_pythons(file: str, prefix: str) -> bool:
    """Return True for a file that an environment runs on, whatever a package's RECORD claims."""
    name = os.path.relpath(file, prefix)
    return bool(_PYTHONS.fullmatch(name))


@contextmanager
def python_kept(environment: Environment, console: Console) -> Iterator[None]:
    """Put the links to the environment's Python back where a package took their place.

    pip lets a script of the name ``python`` do that, and removes with a package what its RECORD
    lists.
    """
    bin_folder = os.path.join(environment.prefix, "bin")
    links: dict[str, str] = {}
    with suppress(OSError), os.scandir(bin_folder) as entries:
        for entry in entries:
            if entry.is_symlink() and is_pythons(entry.path, environment.prefix):
                links[entry.path] = os.readlink(entry.path)
    try:
        yield
    finally:
        for path, to in links.items():
            if os.path.islink(path) and os.readlink(path) == to:
                continue
            with suppress(OSError):
                os.symlink(to, f"{path}.kept")
                os.replace(f"{path}.kept", path)
                console.say(f"{path} is put back: a package replaced or removed it.")


def slips(request: Request) -> dict[str, str]:
    """Return the names asked of an index that are one typing error away from a popular one."""
    asked = (spec for spec in request.specs if isinstance(spec, Requirement) and not spec.place)
    return {spec.name: meant for spec in asked if (meant := names.slip_of(spec.name))}


def harms(plan: Plan, allowed: Container[str]) -> Iterator[str]:
    """Yield the packages of conda and of Debian that pip would replace or remove."""
    if plan.environment.is_conda:
        yield from _over_conda(plan, allowed)
    elif plan.environment.kind == "system":
        yield from _over_debian(plan)


def _over_conda(plan: Plan, allowed: Container[str]) -> Iterator[str]:
    """Pip cannot remove what conda installed: it leaves a mixture of both behind."""
    if plan.change is None:
        return
    owned = conda_distributions(plan.environment)
    for package in plan.change.came:
        version = owned.get(package.name)
        if version is not None and package.name not in allowed:
            yield (
                f"pip would overwrite {package.name} {version}, which conda installed, "
                f"by {package.version}."
            )
    for package in plan.change.removed:
        if package.name in owned:
            yield f"pip would remove {package.name}, which conda installed."


def _over_debian(plan: Plan) -> Iterator[str]:
    """Yield Debian's distributions that pip would replace.

    In a virtual environment pip leaves them alone, and its installs count only there.
    """
    change = plan.change
    if change is None:
        return
    new = {package.name: package.version for package in change.came}
    gone = {package.name for package in change.removed}
    owners = debian_owners({*new, *gone}, plan.environment)
    for name, (version, debian) in owners.items():
        if name in gone:
            yield f"pip would remove {name} {version}, which Debian installed ({debian})."
        elif new[name] != version:
            yield (
                f"pip would replace {name} {version}, which Debian installed ({debian}), "
                f"by {new[name]}."
            )
