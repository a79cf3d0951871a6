"""The packages that code imports and an environment lacks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder

from .. import names
from ..model.environment import Environment
from ..where.metadata import distributions
from .missing import explain_module, imported, optional


@dataclass(frozen=True, slots=True)
class Lacking:
    """The imports of some code that an environment lacks."""

    specs: dict[str, str]  #: import name → what to install, as ``%envinstall`` takes it
    unknown: dict[str, str]  #: import name → the reason why nothing can be installed for it


def wanted_by(
    sources: Iterable[str], environment: Environment, *, conda: bool, folder: str
) -> Lacking:
    """Return the packages that some code imports and an environment lacks."""
    asked: dict[str, None] = {}
    without: set[str] = set()
    for python in sources:
        without |= optional(python)
        asked.update((name, None) for _, _, name in imported(python))
    here = _Importable(environment, folder)
    specs: dict[str, str] = {}
    unknown: dict[str, str] = {}
    for module in _longest(asked):
        shown = module if module.partition(".")[0] in names.names().namespaces else ""
        shown = shown or module.partition(".")[0]
        if here.has(module) or shown in specs or shown in unknown:
            continue
        if module in without:
            unknown[shown] = "The code does without it."
            continue
        hint = explain_module(module, conda=conda, folder=folder)
        if hint is not None and hint.spec:
            specs[shown] = hint.spec
        elif hint is not None:
            unknown[shown] = hint.text
    return Lacking(specs, unknown)


def _longest(asked: Iterable[str]) -> list[str]:
    """Return the dotted names in order; of a namespace package's parts only whole ones."""
    every = list(asked)
    spaces = names.names().namespaces
    return [
        name
        for name in every
        if name.partition(".")[0] not in spaces
        or not any(other.startswith(f"{name}.") for other in every)
    ]


class _Importable:
    """The importable modules of an environment, found without starting its Python."""

    def __init__(self, environment: Environment, folder: str) -> None:
        self._paths = [folder, *environment.site_packages]
        if os.path.realpath(environment.prefix) == os.path.realpath(sys.prefix):
            self._paths = [folder, *sys.path]
        self._packages = {item.name for item in distributions(environment)}

    def has(self, module: str) -> bool:
        """Return whether a module is there; in a namespace, whether its package is."""
        root = module.partition(".")[0]
        if root in sys.builtin_module_names:
            return True
        spec = PathFinder.find_spec(root, self._paths)
        if spec is None and root in sys.stdlib_module_names:
            spec = PathFinder.find_spec(root)
        if spec is None:
            return False
        if root in names.names().namespaces and spec.origin is None:
            package = names.package_of(module)
            return package is None or package in self._packages
        return True
