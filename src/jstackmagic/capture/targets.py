"""The environment of a find: the one it names, if that is on this machine."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, replace

from ..model.environment import Environment, EnvironmentRef, Kind, prefix_of_name
from ..model.errors import UnknownEnvironment
from ..model.managers import is_system
from ..model.sources import Sources
from ..where import kernels
from ..where.detect import detect, find
from . import Found, Target
from .python_tools import UV_SYSTEM

_HOLE = re.compile(r"\$\([^)]*\)?|\$\{[^}]*\}|\$\w+(?:\.\w+)*|`[^`]*`|\{(?!sys\.)[^{}]*\}")
"""What only the run can fill in: ``$NAME``, ``{expression}``."""


@dataclass(frozen=True, slots=True)
class Aim:
    """An environment, and notes on why it was chosen, or why it is only known when it runs."""

    environment: EnvironmentRef
    note: str = ""
    reason: str = ""


class Targets:
    """Find the environments of finds, including those that earlier finds make.

    Args:
        default: The environment for a find that names none, or one that is not here.
    """

    def __init__(self, default: Environment) -> None:
        self.default = default
        self._made: dict[str, EnvironmentRef] = {}
        self._known: dict[tuple[str, str, str], EnvironmentRef | None] = {}
        self._kernels: dict[str, tuple[Environment, str]] = {}

    def of(self, found: Found, kernel: str = "", display_name: str = "") -> Aim:
        """Return the environment of a find whose request is known."""
        target, request = found.target, found.request
        if request is not None and is_system(request.manager):
            return Aim(self.default.ref)
        home, doubt = self._home(kernel, display_name)
        prefix = re.sub(r"^\$\{?HOME\}?(?=/)", os.path.expanduser("~"), target.prefix)
        target = replace(target, prefix=prefix)
        named = target.name or target.kernel or target.prefix
        unknown = _HOLE.search(named or target.interpreter)
        if unknown and (named or request is None or request.manager == "pip"):
            reason = f"Its environment, {unknown[0]}, is only known when it runs."
            return Aim(home.ref, reason=reason)
        if not named and target.interpreter == UV_SYSTEM and home.kind == "venv":
            reason = f"uv --system passes over virtual environments such as {_shown(home)}."
            return Aim(home.ref, reason=reason)
        if not named or "{sys." in named:
            return Aim(home.ref, " ".join(filter(None, (doubt, _version_note(target, home)))))
        if prefix and not os.path.isabs(os.path.expanduser(prefix)):
            reason = f"The folder that {prefix} is in is only known when it runs."
            return Aim(home.ref, reason=reason)
        if (
            target.name not in self._made
            and target.root.startswith("/")
            and target.name
            and target.root != self.default.root
        ):
            own = prefix_of_name(target.root, target.name)
            found = replace(found, target=replace(target, name="", prefix=own))
            return self.of(found, kernel, display_name)  # another conda's has that name
        here = self._find(target) or self._made.get(named)
        if here is None and target.made:
            here = self._made[named] = self._new(found)
        if here is not None:
            return Aim(here)
        what = "kernel" if target.kernel else "environment"
        reason = f"There is no {what} {named} here"
        if target.advised:
            return Aim(home.ref, f"{reason}: {_shown(home)} is used instead.")
        line = ""
        if request is not None and request.action == "install":
            sources = replace(request.sources, find_links=()).words
            links = Sources(find_links=request.sources.find_links).words
            theirs = [*links, *request.options]  # the manager's own options go last
            words = [f"--{request.manager}", *sources, *request.texts, *(["--"] * bool(theirs))]
            line = f" The line for it here: %envinstall {shlex.join([*words, *theirs])}"
        return Aim(home.ref, reason=f"{reason}.{line}")

    def _home(self, kernel: str, display_name: str) -> tuple[Environment, str]:
        """Return the environment of a notebook's kernel, and why it is another's."""
        if not kernel or kernel == kernels.NATIVE:
            return self.default, ""
        if kernel not in self._kernels:
            try:
                self._kernels[kernel] = (kernels.environment_of(kernel, display_name), "")
            except UnknownEnvironment as error:
                stands = f"{_shown(self.default)} stands in for the notebook's kernel {kernel}."
                self._kernels[kernel] = (self.default, f"{stands} {error.problem}")
        return self._kernels[kernel]

    def _find(self, target: Target) -> EnvironmentRef | None:
        key = (target.name, target.kernel, target.prefix)
        if key not in self._known:
            try:
                self._known[key] = _lookup(target, self.default.root or "").ref
            except UnknownEnvironment:
                self._known[key] = None
        return self._known[key]

    def _new(self, found: Found) -> EnvironmentRef:
        """Return the environment that the command makes, as it will be."""
        target = found.target
        specs = found.request.texts if found.request else ()
        versions = (re.fullmatch(r"python\s*=+\s*(\d+(?:\.\d+)*)(?:[.*=].*)?", s) for s in specs)
        python = next((match[1] for match in versions if match), None)
        if target.prefix:
            is_conda = found.request is not None and found.request.manager == "conda"
            kind: Kind = "conda-prefix" if is_conda else "venv"
            return EnvironmentRef(kind, None, target.prefix, python)
        # ~/.conda is where conda makes one when it may not write to its root
        root = self.default.root or os.path.expanduser("~/.conda")
        return EnvironmentRef("conda-named", target.name, f"{root}/envs/{target.name}", python)


def _lookup(target: Target, root: str) -> Environment:
    if target.kernel:
        return kernels.environment_of(target.kernel)
    if target.name:
        try:
            return find(name=target.name)
        except UnknownEnvironment:
            return detect(prefix_of_name(root, target.name))
    return find(prefix=target.prefix)


def _version_note(target: Target, home: Environment) -> str:
    """Return a note if ``pip2`` or ``python3.8`` needs another Python than is here."""
    match = re.fullmatch(r"(?:python|pip)-?(\d+(?:\.\d+)?)", os.path.basename(target.interpreter))
    if not match or not home.python or f"{home.python}.".startswith(f"{match[1]}."):
        return ""
    return f"It asks for Python {match[1]}, and {_shown(home)} has {home.python}."


def _shown(home: Environment) -> str:
    return home.name or home.prefix
