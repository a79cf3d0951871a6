"""Gather the layers of a history: the recorded packages' files that the base image lacks."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ...history.select import moment_of
from ...managers import get
from ...managers.layered import masked
from ...model.environment import Environment
from ...model.errors import JStackMagicError, Stopped
from ...model.ledger import Ledger, Move
from ...model.managers import is_system, place, position
from ...model.packages import ManagerName, Package, same
from ...where.baseline import time_of
from ...where.compiled import is_compiled
from ...where.detect import detect
from ...where.metadata import files_of, read_packages
from ..owned import files_of as files_in
from ..root import Root
from . import disk, system
from .contents import Contents, LayerItem, Ownership, contents, ownership

HISTORY = "/etc/jstackmagic/history.jsonl"
_KERNELS = "/usr/local/share/jupyter/kernels"
"""A folder where every server looks for kernelspecs, and which no home folder hides."""

_RAN = 0.05  # seconds, which no manager's run is shorter than
_SCRIPTS = 60.0  # seconds that packages' scripts may go on after the last package was unpacked
_SLACK = 2.0  # seconds between a record's times and those of the files
_VENV = re.compile(r"bin/(?:python[\d.]*|activate[^/]*|Activate\.ps1)|pyvenv\.cfg|lib64")
"""Files that ``python -m venv`` makes and no package owns."""


@dataclass
class Gathered:
    """The gathered layers."""

    #: in their order, the lowest first; those without contents are left out
    layers: list[Contents] = field(default_factory=list)
    #: a sentence for each thing that no image can have: nothing may be sent
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  #: a sentence for each thing left out on purpose

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(layer.size for layer in self.layers)


def gather(ledger: Ledger, history: bytes, base: Root, user: tuple[int, int]) -> Gathered:
    """Gather the layers of a history.

    Args:
        history: Its lines, which go into the image.
        user: The numbers of the image's user and group.
    """
    disk.forget_links()
    found = Gathered()
    groups: dict[tuple[str, str], dict[str, Move]] = defaultdict(dict)
    for (prefix, manager, name), move in ledger.moves().items():
        groups[manager, prefix][name] = move
    gathering = _Gathering(ledger, base, user, found)
    for manager, prefix in sorted(groups, key=lambda key: (position(key[0]), key[1])):
        gathering.add(manager, prefix, groups[manager, prefix])
    gathering.add_past(history)
    found.faults = list(dict.fromkeys(found.faults))
    found.notes = list(dict.fromkeys(found.notes))
    return found


class _Gathering:
    def __init__(self, ledger: Ledger, base: Root, user: tuple[int, int], found: Gathered) -> None:
        self._ledger, self._base, self._user, self._found = ledger, base, user, found
        self._asked = {
            (place(p.package.manager, p.brought.environment.prefix), *p.package.key): p.spec
            for p in ledger.present()
            if p.asked is not None
        }
        self._environments: dict[str, Environment] = {}
        self._fault = found.faults.append

    # One manager in one place

    def add(self, manager: str, prefix: str, moves: Mapping[str, Move]) -> None:
        environment = self._environment(prefix)
        if environment is None:
            return
        here = {p.name: p for p in read_packages(environment, (manager,)).packages}
        # a later change that is not recorded is drift, and is not sent
        kept = {n: m for n, m in moves.items() if same(here.get(n), m.left)}
        if not kept:
            return
        had = files_in(self._base, manager, os.path.realpath(prefix) if prefix else "", kept)
        packages = tuple(
            (name, _version(move.before), _version(move.left))
            for name, move in sorted(kept.items())
        )
        python = environment.ref.minor if prefix else ""
        shell = Contents(manager, prefix, packages=packages, python=python)
        owner = ownership(os.path.realpath(prefix), self._base, self._user) if prefix else None
        wanted = [
            one
            for name in sorted(kept)
            if (package := here.get(name)) is not None
            for one in self._items(package, environment, owner)
        ]
        if prefix:
            wanted += self._skeleton(environment, owner)
        if prefix and get(manager).leaves_more:
            known = {one.path for one in wanted}
            wanted += self._made_by_scripts(manager, environment, owner, known)
        if is_system(manager):
            known = {os.path.realpath(place) for place in self._ledger.places() if place}
            known |= {one.path for one in wanted if one.kind != "folder"}
            wanted += system.made_by_scripts(self._base, self._spans(manager), known, self._fault)
        self._keep(shell, wanted, had, owner)
        if is_system(manager):
            self._keep(Contents("dpkg", ""), system.state(self._base, kept), (), None)

    def _keep(self, shell: Contents, wanted: object, had: object, owner: Ownership | None) -> None:
        def is_here(path: str) -> bool:
            # bytecode of the base's version is not to hide ours: it need not name its source's time
            return not is_compiled(path) and os.path.lexists(path)

        def folder(path: str) -> LayerItem:
            # a folder above the environment stays as it is
            whose = owner if path.startswith(os.path.realpath(shell.prefix or "/")) else None
            return disk.item(path, self._fault, whose) or LayerItem(path, "folder", 0o755)

        layer = contents(
            shell, wanted, had, self._base,  # type: ignore[arg-type]
            folder=folder, is_here=is_here, sha256=disk.sha256,
        )  # fmt: skip
        if layer.items or layer.gone:
            self._found.layers.append(layer)

    def _environment(self, prefix: str) -> Environment | None:
        if not prefix:
            return Environment("system", None, "/")
        if prefix not in self._environments:
            home = os.path.realpath(os.path.expanduser("~"))
            if os.path.realpath(prefix).startswith(f"{home.rstrip('/')}/") and home != "/":
                self._fault(f"{prefix} lies in the home folder, of which nothing is in an image.")
                return None
            try:
                self._environments[prefix] = detect(prefix)
            except JStackMagicError as error:
                self._found.notes.append(f"{error.problem} Of it nothing is in the image.")
                return None
        return self._environments[prefix]

    # The files of a package

    def _items(
        self, package: Package, environment: Environment, owner: Ownership | None
    ) -> Iterator[LayerItem]:
        if is_system(package.manager):
            hidden = system.Shipped(package.name, package.build)
            for path in system.owned(package.name, package.build):
                made = disk.item(path, self._fault, hidden=hidden)
                if made:
                    yield made
            return
        assert owner is not None
        spec = self._asked.get((os.path.normpath(environment.prefix), *package.key))
        try:
            for file in get(package.manager).layered(package, environment, spec):
                made = self._inside(file.like or file.path, package, environment, owner)
                if made is not None and file.change is not None:
                    content = file.change(disk.read(file.like or file.path))
                    made = replace(
                        disk.text(made.path, content, made), path=disk.canonical(file.path)
                    )
                if made is not None:
                    yield made
        except ValueError:
            self._fault(f"{file.path} cannot be read.")
        except Stopped as error:
            self._fault(error.problem)

    def _inside(
        self, path: str, package: Package, environment: Environment, owner: Ownership
    ) -> LayerItem | None:
        """Return a package's file inside its environment, except bytecode."""
        path = os.path.normpath(path)
        if is_compiled(path) or not os.path.lexists(path):
            return None
        if not disk.canonical(path).startswith(f"{os.path.realpath(environment.prefix)}/"):
            self._fault(f"{path} of {package.name} lies outside its environment.")
            return None
        return disk.item(path, self._fault, owner)

    # What no package owns

    def _is_new(self, prefix: str) -> bool:
        real = os.path.realpath(prefix)
        return not any(
            f"{real}/{mark}" in self._base.entries for mark in ("conda-meta/history", "pyvenv.cfg")
        ) and real not in ("/", "/usr")

    def _skeleton(self, environment: Environment, owner: Ownership | None) -> Iterator[LayerItem]:
        """Yield the files of a virtual environment itself, if the base image does not have it."""
        if environment.is_conda or not self._is_new(environment.prefix):
            return
        for folder in (environment.prefix, f"{environment.prefix}/bin"):
            for name in sorted(os.listdir(folder)):
                path = f"{folder}/{name}"
                if _VENV.fullmatch(os.path.relpath(path, environment.prefix)):
                    made = disk.item(path, self._fault, owner)
                    if made:
                        yield made
        here = read_packages(environment, ("pip",)).packages
        for package in here:
            if package.name in ("pip", "setuptools", "wheel"):
                yield from self._items(package, environment, owner)

    def _made_by_scripts(
        self,
        manager: ManagerName,
        environment: Environment,
        owner: Ownership | None,
        known: set[str],
    ) -> Iterator[LayerItem]:
        """Yield what packages' scripts made: what belongs to no package, and came with one."""
        prefix = os.path.realpath(environment.prefix)
        skipped = {f"{prefix}/{name}" for name in ("pkgs", "envs", "conda-meta", ".condarc")}
        spans = self._spans(manager, environment.prefix)
        paths = [
            path
            for path in disk.changed(
                prefix, spans, lambda path: path in skipped or path.endswith((".log", ".lock"))
            )
            if path not in known and not os.path.isdir(path)
        ]
        if not paths:
            return
        packages = read_packages(environment).packages
        owned = {disk.canonical(f) for package in packages for f in files_of(package, environment)}
        for path in sorted(set(paths) - owned):
            made = disk.item(path, self._fault, owner)
            if made is None or "/site-packages/" in path:
                continue
            if disk.holds_secret(made):
                self._found.notes.append(f"{path} holds a login or a key, and was left out.")
            else:
                yield made

    def _spans(self, manager: str, prefix: str = "") -> list[tuple[float, float]]:
        """Return when a manager worked in a place, as recorded and not undone."""
        void = self._ledger.taken_back()
        found = []
        for record in self._ledger.records:
            if record.request.manager != manager or record.outcome is None or record.id in void:
                continue
            if prefix and os.path.normpath(record.environment.prefix) != os.path.normpath(prefix):
                continue
            begin = moment_of(record).timestamp()
            end = begin + record.outcome.seconds
            if record.outcome.seconds < _RAN:  # recorded afterwards: the packages know when
                environment = self._environments.get(prefix) or Environment("system", None, "/")
                came = record.outcome.change.came
                times = [time_of(package, environment) or begin for package in came]
                begin, end = min(times, default=begin), max(times, default=end) + _SCRIPTS
            found.append((begin - _SLACK, end + _SLACK))
        return found

    # The past

    def add_past(self, history: bytes) -> None:
        """Add the user's own files: the histories, and the kernelspecs of new environments."""
        items = [disk.text(HISTORY, history)]
        for prefix, environment in sorted(self._environments.items()):
            owner = ownership(os.path.realpath(prefix), self._base, self._user)
            made = None
            if environment.is_conda:
                made = disk.item(f"{prefix}/conda-meta/history", self._fault, owner)
            if made is not None:
                items.append(disk.text(made.path, masked(disk.read(made.path)), made))
            if self._is_new(prefix):
                items += self._kernelspecs(prefix)
        self._keep(Contents("", ""), items, (), None)

    def _kernelspecs(self, prefix: str) -> Iterator[LayerItem]:
        from ...where.kernels import environments, kernelspecs

        known = kernelspecs()
        real = os.path.realpath(prefix)
        for environment, names in environments():
            if os.path.realpath(environment.prefix) != real:
                continue
            for name in names:
                folder = known[name].folder if name in known else ""
                if folder and not os.path.realpath(folder).startswith(f"{real}/"):
                    yield from self._kernelspec(name, folder)

    def _kernelspec(self, name: str, folder: str) -> Iterator[LayerItem]:
        for file in sorted(os.listdir(folder)):
            made = disk.item(f"{folder}/{file}", self._fault)
            if made is None or made.kind != "file":
                continue
            if disk.holds_secret(made):
                self._found.notes.append(f"{made.path} holds a login or a key, and was left out.")
                continue
            yield replace(made, path=f"{_KERNELS}/{name}/{file}", uid=0, gid=0, mode=0o644)


def _version(package: Package | None) -> str:
    if package is None:
        return ""
    return f"{package.version} {package.build}".rstrip()
