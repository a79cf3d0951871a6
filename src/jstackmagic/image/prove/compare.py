"""Prove that an image has what is here: both sides are read from their files."""

from __future__ import annotations

import json
import os
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from ...display.console import Console
from ...model.environment import Environment, EnvironmentRef
from ...model.errors import UnknownEnvironment
from ...model.ledger import fold
from ...model.managers import of_environment, of_system
from ...model.packages import ManagerName, Package, PackageSet
from ...model.recipe import Recipe
from ...model.record import Record
from ...where.detect import detect
from ...where.metadata import read_packages
from ...where.ours import OWN, dependants, described, ours_here
from ..engine.dockersdk import variables_of
from ..engine.roots import fetch
from ..installed import ImageWitness, packages_of, survey
from ..root import Root
from . import deep as deeply
from .here import disk_root
from .proof import Proof, Side, Ways, absent, differences, unreadable
from .shallow import SideView, facts, kind_of, unread_in
from .sides import ImageTarget, ThisSide


def prove(
    target: ImageTarget,
    here: ThisSide,
    records: Sequence[Record],
    *,
    deep: bool,
    console: Console,
) -> Proof:
    """Compare this side with an image.

    Args:
        deep: Also compare every file, and import the added packages.

    Raises:
        EngineError: The engine cannot be asked.
    """
    console.say(f"Comparing with {target.name} …")
    return _Comparison(target, here, tuple(records), deep=deep).proof(console)


@dataclass
class _Comparison:
    target: ImageTarget
    here: ThisSide
    records: tuple[Record, ...]
    deep: bool
    unread: list[str] = field(default_factory=list)

    def proof(self, console: Console) -> Proof:
        environments = tuple(self._environments())
        sides = self._sides(environments)
        if not self.here.away:
            sides = _set_ours_apart(environments, sides, fold(self.records), self.here.base)
        view, image, moved = self._views(sides)
        # the engine puts files back, and no registry
        can_restore = self.here.whole and not self.here.away and self.target.engine is not None
        ways = Ways(self.target.name, self.here.base, can_restore=can_restore)
        sides = [self._with_needs(side, environments) for side in sides]
        places = {
            side.environment.prefix: side.name
            for side in sides
            if side.environment is not None and side.image is not None
        }
        found = tuple(each for side in sides for each in differences(side, self.records, ways))
        explained = self._explained(sides, [(each.where, each.package.key) for each in found])
        owned_elsewhere = paths_of(explained, view, image, places)
        known = {side.in_image for side in sides}
        there = only_there(image.root, known, ways) if self.here.whole else ()
        proof = Proof(
            image=self.target.name,
            image_id=self.target.id,
            compared=tuple((side.name, len(side.here.packages)) for side in sides),
            differences=found,
            absent=(*absent(sides, ways), *there),
            unread=tuple(dict.fromkeys(self._unread(sides, view, image, ways))),
            facts=tuple(facts(view, image, ways, places=places, skipped=owned_elsewhere)),
            deep=self.deep,
            beside=(*(_beside(side) for side in sides if side.ours), *self._mounted()),
        )
        if not self.deep:
            return proof
        console.say("Comparing every file, and importing what was added …")
        compared = deeply.Compared(
            view,
            image,
            ways,
            places,
            explained=explained,
            moved=moved,
            local=not self.here.away,
            named={fact.name for fact in proof.facts},
            lone=self._lone(sides),
            whole=self.here.whole,
            mounted=self.here.mounted,
            compiled=partial(self._compiled, environments),
        )
        files = deeply.contents(compared)
        imports: tuple[str, ...] = ()
        failed: list[str] = []
        engine = self.target.engine
        if engine is not None and not self.here.away:
            imports, failed = deeply.imports(
                engine, self.target.id, environments, sides, self.records
            )
        else:
            proof = replace(
                proof,
                beside=(*proof.beside, "Nothing was imported: no engine runs the image here."),
            )
        unread = (*proof.unread, *failed, *self.unread)
        broken = tuple(f"{line} Build again: {ways.build}" for line in imports)
        return replace(proof, files=files, imports=broken, unread=unread)

    # -- the environments

    def _environments(self) -> Iterator[Environment]:
        """Yield those that are known here, and in a whole comparison all that either side has."""
        known = {os.path.realpath(each.prefix) for each in self.here.environments}
        yield from self.here.environments
        if not self.here.whole:
            return
        prefixes, libraries = set[str](), dict[str, set[str]]()
        if self.here.view is not None:
            prefixes, libraries = survey(self.here.view.root)
        names = names_of(prefixes)
        for prefix in sorted((prefixes | libraries.keys()) - known):
            inside = any(prefix.startswith(f"{other}/lib") for other in prefixes)
            if inside and prefix not in prefixes:
                continue
            yield self._environment(prefix, names.get(prefix), libraries.get(prefix, ()))

    def _environment(
        self, prefix: str, name: str | None, libraries: set[str] | tuple[str, ...]
    ) -> Environment:
        if not self.here.away:
            try:
                return detect(prefix)
            except UnknownEnvironment:  # a folder of libraries without an interpreter
                pass
        content = self.here.view.root.entries if self.here.view else {}
        is_conda = f"{prefix}/conda-meta" in content
        return Environment(
            kind="conda-named" if is_conda else "system",
            name=name,
            prefix=prefix,
            site_packages=tuple(sorted(libraries)),
        )

    def _sides(self, environments: Sequence[Environment]) -> list[Side]:
        """Return both sides of every environment and, in a whole comparison, of the system."""
        sides, root = [], self.target.view.root
        prefixes, libraries = survey(root)
        for environment in environments:
            in_image = place_in(self.target.view, environment.ref)
            there = in_image in prefixes or in_image in libraries
            packages = packages_of(root, in_image) if there else None
            sides.append(Side(environment.ref, in_image, self._packages(environment), packages))
        if self.here.whole:
            debian = self._packages(Environment(kind="system", name=None, prefix="/"), of_system())
            there = "/var/lib/dpkg/status" in root.contents
            if debian.packages and not there:
                self.unread.append(
                    "The image has no dpkg status file to read its Debian packages from."
                    f" Build again: {Ways(self.target.name).build}"
                )
            elif debian.packages or there:
                sides.append(Side(None, "/", debian, packages_of(root, "/", of_system())))
        return sides

    def _with_needs(self, side: Side, environments: Sequence[Environment]) -> Side:
        """Return a side with what distinguishes a lost dependency from one that is needed."""
        environment = next((e for e in environments if e.ref == side.environment), None)
        if environment is None:
            return side
        normal = os.path.normpath(environment.prefix)
        recorded = any(os.path.normpath(r.environment.prefix) == normal for r in self.records)
        bare = environment.kind == "system" and environment.executable is None
        folders = tuple(environment.site_packages)
        side = replace(
            side, libraries=folders, is_bare=bare, is_recorded=recorded or not self.here.whole
        )
        image = side.image if side.image is not None else PackageSet()
        if self.here.away or all(p.key in image or p.requested for p in side.here.packages):
            return side
        needed_by = dependants(environment, side.here)
        return replace(side, needed_by=needed_by, knows_needs=True)

    def _packages(
        self, environment: Environment, managers: tuple[ManagerName, ...] | None = None
    ) -> PackageSet:
        if self.here.away and self.here.view:
            return packages_of(self.here.view.root, environment.prefix, managers)
        return read_packages(environment, of_environment() if managers is None else managers)

    def _lone(self, sides: Sequence[Side]) -> set[str]:
        """Return the prefixes of the environments that only one side has."""
        known = {side.in_image for side in sides}
        prefixes, libraries = survey(self.target.view.root)
        found = {side.in_image for side in sides if side.image is None}
        return (found | ((prefixes | libraries.keys()) - known)) - {"/", "/usr"}

    # -- their files

    def _views(self, sides: Sequence[Side]) -> tuple[SideView, SideView, frozenset[str]]:
        """Return both sides' files: all, or those of the environments that are compared."""
        image = self.target.view
        if self.here.whole:
            view = self.here.view or self._read("/")
            return view, image, frozenset()
        view = SideView(Root(), on_disk=True)
        there = Root(unread=list(image.root.unread))
        moved = set()
        for side in sides:
            if side.environment is None or side.image is None:
                continue
            prefix = side.environment.prefix
            found = self._read(prefix)
            view.root.entries.update(found.root.entries)
            view.root.unread += found.root.unread
            if prefix != side.in_image:
                moved.add(prefix)
            for path in image.root.below(side.in_image):
                name = prefix + path.removeprefix(side.in_image)
                there.entries[name] = image.root.entries[path]
                if path in image.root.contents:
                    there.contents[name] = image.root.contents[path]
        return view, SideView(there), frozenset(moved)

    def _read(self, folder: str) -> SideView:
        wanted: Callable[[str], bool] = (
            (lambda _: True)
            if self.deep
            else (lambda path: bool(kind_of(path)) or path.startswith("/usr/local/bin/"))
        )
        there = self.target.view.root
        return SideView(disk_root(folder, is_wanted=wanted, like=there), on_disk=True)

    def _unread(
        self, sides: Sequence[Side], view: SideView, image: SideView, ways: Ways
    ) -> Iterator[str]:
        yield from (*self.here.unread, *self.unread)
        yield from unread_in(view, "here", ways)
        yield from unread_in(image, "in the image", ways)
        for side in sides:
            yield from unreadable(side, ways)
        self.unread.clear()

    def _explained(
        self, sides: Sequence[Side], found: Sequence[tuple[str, tuple[str, str]]]
    ) -> set[tuple[str, tuple[str, str]]]:
        prefixes = {side.name: side.prefix for side in sides}
        ours = {(side.prefix, each.key) for side in sides for each in side.ours}
        return {(prefixes[where], key) for where, key in found} | ours

    def _mounted(self) -> Iterator[str]:
        folders = [each for each in self.here.mounted if each != "/var/run/docker.sock"]
        if folders:
            yield f"What is mounted is not a part of an image: {', '.join(sorted(folders))}."

    def _compiled(
        self, environments: Sequence[Environment], paths: Sequence[str]
    ) -> frozenset[str]:
        """Return the compiled files of the image that do not belong to their source."""
        if self.target.engine is None:
            self.unread += [f"{path} of the image could not be compared." for path in paths]
            return frozenset()
        found: set[str] = set()
        with tempfile.TemporaryDirectory(prefix="jstackmagic-compiled-") as folder:
            copies = fetch(self.target.engine, self.target.id, paths, Path(folder))
            for environment in environments:
                mine = [p for p in paths if p.startswith(f"{environment.prefix}/")]
                mine = [p for p in mine if p in copies]
                if not mine or environment.executable is None:
                    continue
                work = [(str(copies[p]), deeply.source_of(p), p) for p in mine]
                for _, _, path in work:
                    del copies[path]
                listing = Path(folder, "work.json")
                listing.write_text(json.dumps(work))
                found |= set(_other_code(environment.executable, listing, mine))
        return frozenset(found)


def _other_code(python: str, listing: Path, paths: Sequence[str]) -> Sequence[str]:
    import inspect

    from ...io import process
    from ...model.plan import Command
    from ...where import compiled

    program = inspect.getsource(compiled) + deeply.SAME_CODE
    captured = process.capture(Command((python, "-I", "-c", program, str(listing))))
    try:
        found: list[str] = json.loads(captured.stdout)
    except ValueError:
        return paths
    return found


def only_there(image: Root, known: set[str], ways: Ways) -> Iterator[str]:
    """Yield the environments of an image that are not among the known ones, a sentence each."""
    prefixes, libraries = survey(image)
    fix = f"Build again: {ways.build}"
    for prefix in sorted(prefixes - known):
        yield f"The image has an environment {prefix}, which is not here. {fix}"
    for prefix in sorted(libraries.keys() - prefixes - known):
        packages = packages_of(image, prefix).packages
        if packages:
            yield (
                f"The image has packages in {prefix}, where none are here:"
                f" {', '.join(each.name for each in packages)}. {fix}"
            )


def place_in(image: SideView, environment: EnvironmentRef) -> str:
    """Return an environment's path in an image.

    It is the path here or, seen from outside a container, the path in the recipe: in the image's
    own conda root.
    """
    root = variables_of(image.config).get("CONDA_DIR")
    candidates = [environment.prefix]
    if root and environment.kind == "conda-base":
        candidates.append(root)
    elif root and environment.kind == "conda-named" and environment.name:
        candidates.append(f"{root}/envs/{environment.name}")
    found = (image.root.resolve(candidate) for candidate in candidates)
    return next((each for each in found if each is not None), environment.prefix)


def names_of(prefixes: set[str]) -> Mapping[str, str]:
    """Return what conda calls the environments at some prefixes."""
    found = {}
    for prefix in prefixes:
        root = posixpath.dirname(posixpath.dirname(prefix))
        if posixpath.basename(posixpath.dirname(prefix)) == "envs" and root in prefixes:
            found[prefix] = posixpath.basename(prefix)
            found[root] = "base"
    if "/opt/conda" in prefixes:
        found["/opt/conda"] = "base"
    return found


def paths_of(
    explained: deeply.Explained, here: SideView, image: SideView, places: Mapping[str, str]
) -> set[str]:
    """Return the files of the packages that differ: no fact of their own."""
    names = {name for _, (_, name) in explained}
    return {
        path
        for view in (here, image)
        if names
        for path, owned in deeply.owners_of(view, names).items()
        if deeply.is_explained(path, owned, explained, places)
    }


def _set_ours_apart(
    environments: Sequence[Environment],
    sides: Sequence[Side],
    recipe: Recipe,
    base: Root | None,
) -> list[Side]:
    """Return the sides, each with those of our own packages that the image does not have."""
    known = {environment.ref: environment for environment in environments}
    witness = ImageWitness(base, "the image of this container") if base is not None else None
    found = []
    for side in sides:
        ours: tuple[Package, ...] = ()
        if side.environment is not None and side.image is not None and OWN not in side.image:
            ours = ours_here(known[side.environment], side.here, recipe, lambda: witness)
        missing = tuple(package for package in ours if package.key not in (side.image or ()))
        found.append(replace(side, ours=missing))
    return found


def _beside(side: Side) -> str:
    return (
        f"{described(side.ours)}: here in {side.name} beside these. The image does not have them:"
        " --with-jstackmagic puts them there."
    )
