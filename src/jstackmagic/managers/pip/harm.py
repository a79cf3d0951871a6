"""The harm that pip could do to packages of other managers, and names that are likely slips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ... import names
from ...model.spec import Requirement
from ...where.packages import conda_distributions, debian_owners

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ...model.plan import Plan
    from ...model.request import Request


def slips(request: Request) -> dict[str, str]:
    """Return the names asked of an index that are one typing error away from a popular one."""
    asked = (spec for spec in request.specs if isinstance(spec, Requirement) and not spec.place)
    return {spec.name: meant for spec in asked if (meant := names.slip_of(spec.name))}


def harms(plan: Plan, allowed: Container[str]) -> Iterator[str]:
    """Yield the packages of conda and of Debian that pip would replace or remove.

    Args:
        plan: A plan of pip's.
        allowed: The distributions that may be put over conda's.
    """
    if plan.environment.is_conda:
        yield from _over_conda(plan, allowed)
    elif plan.environment.kind == "system":
        yield from _over_debian(plan)


def _over_conda(plan: Plan, allowed: Container[str]) -> Iterator[str]:
    """Pip cannot remove what conda installed: it leaves a mixture of both behind."""
    if plan.change is None:
        return
    owned = conda_distributions(plan.environment)
    touched = [*plan.change.added, *(new for _, new in plan.change.changed)]
    for package in touched:
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
    new = {p.name: p.version for p in (*change.added, *(pair[1] for pair in change.changed))}
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
