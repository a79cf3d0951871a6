"""Attribution: match the changes seen on disk to the commands that made them.

Nothing here touches the disk or starts a process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..model.environment import Environment
from ..model.managers import names
from ..model.packages import Change, ManagerName, Package, PackageSet
from ..model.request import Action, Request
from ..model.spec import of_package, read_all
from ..where.metadata import allows, requirement

_CONDA_VERSION = re.compile(r"[\w.-]+\s*(==?)\s*([^=,|*\s]+)(?:=[^=]*)?$")
_APT_VERSION = re.compile(r"[^=/]+=([^*]+)$")


def names_of(request: Request) -> frozenset[str]:
    """Return the names of the packages that a request names."""
    return frozenset(spec.name for spec in request.specs if spec.name)


def names_all(request: Request) -> bool:
    """Return whether each of its specs names a package: ``-r FILE`` does not."""
    return all(spec.name for spec in request.specs)


def says_all(request: Request) -> bool:
    """Return whether names and versions say it all: a file or URL may be another build."""
    return names_all(request) and not any(spec.place for spec in request.specs)


def is_served(request: Request, packages: PackageSet) -> bool:
    """Return whether the request is met, as far as names and versions show."""
    manager = request.manager
    if request.action == "remove":
        return not any(_of_any(manager, name, packages) for name in names_of(request))
    return all(
        (package := packages.get(manager, spec.name) or _of_any(manager, spec.name, packages))
        is not None
        and _allows(manager, spec.text, package.version)
        for spec in request.specs
        if spec.name
    )


def serving(
    request: Request, packages: PackageSet, environment: Environment
) -> tuple[Package, ...]:
    """For each spec that names a package, also in a list, the package that serves it."""
    from ..managers import asked_names

    asked = asked_names(request, environment)
    found = (_of_any(request.manager, name, packages) for name in asked)
    return tuple(package for package in found if package is not None)


def _of_any(manager: ManagerName, name: str, packages: PackageSet) -> Package | None:
    """Return what pip is content with: also with what conda installed under the same name."""
    package = packages.get(manager, name)
    if package is None and manager == "pip":
        package = packages.get("conda", name)
    return package


def _allows(manager: ManagerName, spec: str, version: str) -> bool:
    """Return whether a version may serve a spec; what cannot be read allows all."""
    if manager == "pip":
        need = requirement(spec)
        return need is None or allows(need.specifier, version, unclear=True)
    match = _CONDA_VERSION.match(spec) if manager == "conda" else _APT_VERSION.match(spec)
    if match is None:
        return True
    wanted = match[match.re.groups]
    fuzzy = manager == "conda" and match[1] == "="
    return version == wanted or (fuzzy and version.startswith(f"{wanted}."))


# Sharing a change out


def share(change: Change, requests: Sequence[Request]) -> list[Change]:
    """Divide what changed in one environment among the requests carried out in it.

    A package goes to the request that names it; one that no request names, such as a dependency, to
    the last request of the same manager that could have added or removed it.

    Returns:
        A change for each request, in their order; nothing is left over if there is a request.
    """
    if not requests:
        return []
    added = [(_taker(requests, package, "install"), package) for package in change.added]
    changed = [(_taker(requests, pair[1], "install"), pair) for pair in change.changed]
    removed = [(_taker(requests, package, "remove"), package) for package in change.removed]
    return [
        Change(
            tuple(package for taker, package in added if taker == at),
            tuple(pair for taker, pair in changed if taker == at),
            tuple(package for taker, package in removed if taker == at),
        )
        for at in range(len(requests))
    ]


def _taker(requests: Sequence[Request], package: Package, action: Action) -> int:
    """Return the number of the request that a package's change goes to."""
    everyone = range(len(requests))
    same = [at for at in everyone if requests[at].manager == package.manager] or list(everyone)
    able = [at for at in same if requests[at].action == action] or same
    named = [at for at in able if package.name in names_of(requests[at])]
    return named[0] if named else able[-1]


# Requests that were not typed


def requests_behind(change: Change) -> Iterator[tuple[Request, Change]]:
    """Yield the requests that must be behind a change, each with its part of the change.

    They name what the manager marked as requested by a user, or everything if nothing is marked.
    """
    for manager in names():
        added = tuple(p for p in change.added if p.manager == manager)
        changed = tuple(pair for pair in change.changed if pair[1].manager == manager)
        removed = tuple(p for p in change.removed if p.manager == manager)
        present = (*added, *(new for _, new in changed))
        if present:
            asked = [p for p in present if p.requested] or present
            specs = tuple(map(of_package, asked))
            yield Request("install", manager, specs), Change(added=added, changed=changed)
        if removed:
            specs = read_all(manager, (p.name for p in removed))
            yield Request("remove", manager, specs), Change(removed=removed)


def without(change: Change, recorded: Iterable[Change]) -> Change:
    """Return the rest of a change, without what other changes report."""
    there: set[tuple[object, ...]] = set()
    gone: set[tuple[object, ...]] = set()
    for each in recorded:
        there |= {(*p.key, p.version) for p in each.came}
        gone |= {(*p.key, p.version) for p in each.removed}
    return Change(
        added=tuple(p for p in change.added if (*p.key, p.version) not in there),
        changed=tuple(
            (old, new) for old, new in change.changed if (*new.key, new.version) not in there
        ),
        removed=tuple(p for p in change.removed if (*p.key, p.version) not in gone),
    )
