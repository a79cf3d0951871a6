"""Stop a change before anything happens, and name the way out."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator

from .. import managers
from ..history.file import History
from ..model.environment import NEW_VENV, Environment
from ..model.errors import Stopped, UsageError
from ..model.managers import is_system, of_environment
from ..model.options import INSTALL
from ..model.packages import Package, normalise
from ..model.plan import Plan
from ..model.policy import Policy, is_listed
from ..model.request import Request
from ..model.variants import accelerator_of, build_text, for_the_cpu_of, is_cpu
from ..where.metadata import distributions, read_packages

KEEPERS = ("ipykernel", "ipython", "jstackmagic")
"""Packages that a kernel needs to keep working."""


def check_target(request: Request, environment: Environment) -> None:
    """Stop a request that its environment does not allow.

    Raises:
        Stopped: The environment is frozen (CEP 22), externally managed (PEP 668), has no place for
            what was asked, or cannot be written to.
    """
    managers.get(request.manager).check_target(request, environment)
    if is_system(request.manager):
        return
    where = f"The {environment.description}"
    if environment.frozen is not None:
        raise Stopped(
            f"{where} is frozen: {environment.frozen or 'its owner wants no changes'}.",
            advice=(
                "Make an environment of your own: conda create --name mine python ipykernel",
                "or go on all the same: --force",
            ),
        )
    if not environment.writable:
        own = "or install for yourself alone: %envinstall --pip … -- --user, with --force"
        if environment.kind.startswith("venv"):  # it does not see the user's own packages
            own = f"or make an environment of your own: {NEW_VENV}"
        raise Stopped(
            f"You may not write to the {environment.description}.",
            advice=(
                "Keep the request for the image: --record-only, then %envexport dockerfile",
                *((own,) if request.action == "install" else ()),
            ),
        )


def check_plan(
    plan: Plan, *, running_prefix: str = sys.prefix, over_conda: Container[str] = ()
) -> None:
    """Stop a plan that would break the kernel or its environment.

    Raises:
        Stopped: It would replace the kernel's Python, remove or downgrade its packages, or
            let pip overwrite conda's packages.
    """
    problems = [
        *_python(plan, running_prefix),
        *_keepers(plan),
        *_needed(plan),
        *_gpu_lost(plan),
    ]
    harms = list(managers.get(plan.request.manager).harms(plan, over_conda))
    advice: tuple[str, ...] = ("To go on all the same, add --force",)
    if harms and plan.environment.kind == "system":
        advice = (
            f"Install it into a virtual environment: {NEW_VENV}",
            *advice,
        )
    if problems or harms:
        raise Stopped("\n".join((*problems, *harms)), advice=advice)


def check_options(request: Request) -> None:
    """Refuse an option with which nothing is installed: the record would say that it was.

    Raises:
        UsageError: There is one.
    """
    table = INSTALL.get(request.manager)
    for option in table.options(request.options) if table else ():
        if table and option.name in table.looks:
            raise UsageError(
                f"With {' '.join(option.words)}, {request.manager} installs nothing: there would be"
                " nothing to record.",
                advice="To see the plan: --dry-run, before the two dashes",
            )


_refused: set[str] = set()
"""The names that were refused in this process: a repeated request is intended."""


def check_names(
    request: Request, environment: Environment, history: History, policy: Policy
) -> None:
    """Stop an install from a public index of a package whose name resembles a popular one.

    A name counts as meant where a package of that name is widely known, is installed, was asked for
    before, is on the administrator's list of what is allowed, or is requested a second time.

    Raises:
        Stopped: It is one typing error away from a popular package, and is not known itself.
    """
    manager = managers.get(request.manager)
    slips = manager.slips(request) if request.action == "install" else {}
    doubtful = {name: meant for name, meant in slips.items() if name not in _refused}
    if not doubtful:
        return
    here = {package.name for package in read_packages(environment, (manager.name,)).packages}
    for name, meant in doubtful.items():
        meant_so = history.ledger().has_named(manager.name, name)
        if name in here or meant_so or is_listed(policy, manager.name, name):
            continue
        _refused.add(name)
        raise Stopped(
            f"{name} is not a package that is widely known, and {meant} is: did you mean that?",
            advice=(
                f"%envinstall {meant}",
                f"If you do mean {name}: add --force, or in a notebook run the same line again",
            ),
        )


def hosts_kernel(environment: Environment) -> bool:
    """Return whether an environment has packages that a kernel needs."""
    return any(item.name in KEEPERS for item in distributions(environment))


def _lost(plan: Plan) -> Iterable[tuple[Package, Package | None]]:
    """Return the packages that the plan removes, each with its replacement."""
    return plan.change.lost if plan.change is not None else ()


def _python(plan: Plan, running_prefix: str) -> Iterator[str]:
    for old, new in _lost(plan):
        if old.name != "python" or is_system(old.manager):
            continue
        whose = "this kernel's" if plan.environment.prefix == running_prefix else "its"
        if new is None:
            yield f"This would remove {whose} Python {old.version}."
        elif new.version != old.version or plan.environment.prefix == running_prefix:
            yield f"This would replace {whose} Python {old.version} by {new.version}."


def _keepers(plan: Plan) -> Iterator[str]:
    from packaging.version import InvalidVersion, Version

    for old, new in _lost(plan):
        if normalise(old.name) not in KEEPERS:
            continue
        if new is None:
            yield f"This would remove {old.name} {old.version}, which the kernel needs."
            continue
        try:
            lower = Version(new.version) < Version(old.version)
        except InvalidVersion:
            lower = new.version != old.version
        if lower:
            yield f"This would downgrade {old.name} {old.version} to {new.version}."


def _needed(plan: Plan) -> Iterator[str]:
    """Yield what a removal would take from under what the kernel needs, and leaves there.

    pip asks of no package who needs it, and conda of none that pip installed.
    """
    from ..where.ours import needs_of, reached

    change, environment = plan.change, plan.environment
    removes = plan.request.action == "remove" and not is_system(plan.request.manager)
    if not (removes and change and change.removed and hosts_kernel(environment)):
        return
    here = read_packages(environment, of_environment())
    needs = needs_of(environment, here, extras=False)
    needs |= {old.key: set() for old, _ in change.changed}  # what they need then is not known
    stays = needs.keys() - {package.key for package in change.removed}
    keepers = sorted(key for key in stays if normalise(key[1]) in KEEPERS)
    below = {key[1]: reached({key}, needs) for key in keepers}
    others = {normalise(name) for _, name in stays}  # also of another manager, put over it
    for package in change.removed:
        whose = [name for name, those in below.items() if package.key in those]
        if whose and normalise(package.name) not in others:
            *first, last = whose
            names = f"{', '.join(first)} and {last} need" if first else f"{last} needs"
            yield f"This would remove {package.name} {package.version}, which {names}."


def _gpu_lost(plan: Plan) -> Iterator[str]:
    """Yield the packages whose build for a GPU would be replaced by one for the CPU."""
    lost = [(old, new, accelerator_of(old)) for old, new in _lost(plan) if new and is_cpu(new)]
    for old, new, accelerator in lost:
        # PyPI's own torch has no label: it is built for CUDA where it brought NVIDIA's libraries
        if gpu := accelerator or (old.manager == "pip" and _nvidia(plan)):
            yield _lost_build(gpu, old, new)
    for new in plan.change.came if plan.change else ():
        if names := for_the_cpu_of(new.name):
            for old in read_packages(plan.environment, (new.manager,)).packages:
                named = names.fullmatch(normalise(old.name))
                if named and (gpu := accelerator_of(old) or _nvidia(plan)):
                    yield _lost_build(gpu, old, new)


def _lost_build(accelerator: str, old: Package, new: Package) -> str:
    names = (f"{old.name} ", f"{new.name} ") if old.name != new.name else ("", "")
    return (
        f"This would replace the {accelerator.split()[0]} build of {new.name}"
        f" ({names[0]}{build_text(old)}) by one for the CPU ({names[1]}{build_text(new)})."
    )


def _nvidia(plan: Plan) -> str:
    """Return the CUDA whose libraries pip installed; empty without them."""
    here = read_packages(plan.environment, ("pip",)).packages
    own = (accelerator_of(each) for each in here if each.name.startswith("nvidia-"))
    return next(filter(None, own), "")
