"""Proving that an image holds what is here: both sides are read from their files."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.environment import Environment
from ...model.errors import UnknownEnvironment
from ...model.ledger import fold
from ...model.managers import of_environment, of_system
from ...where import kernels
from ...where.environment import detect, find, known_names
from ...where.host import look
from ...where.ours import OWN, described, ours_here
from ...where.packages import read_packages
from ..engine.client import speaking
from ..engine.container import this_container
from . import deep as deeply
from .brought import Brought
from .files import Files, Tree, files_of, new_tree
from .proof import Proof, Side, absent, differences, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...display.console import Console
    from ...model.packages import Package
    from ...model.recipe import Recipe
    from ...model.record import Record
    from ..engine.client import Engine

_NAMES = re.compile(r"^Name:[ \t]*\S", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Here:
    """What is compared with an image.

    Attributes:
        environments: Which.
        whole: Whether they are all there is: the image is that of this very container, so that the
            Debian packages count too, and an environment that only the image has is a difference.
        unread: What could not be found out about them, a sentence each.
    """

    environments: tuple[Environment, ...]
    whole: bool
    unread: tuple[str, ...] = ()


def everything_here() -> Here:
    """Every environment of this container; outside of one, that which this process runs in."""
    running = detect()
    if look().runtime is None:
        return Here((running,), whole=False)
    found = {os.path.realpath(running.prefix): running}
    unread = []
    for name in known_names():
        try:
            named = find(name=name)
        except UnknownEnvironment as error:
            unread.append(error.problem)
            continue
        found.setdefault(os.path.realpath(named.prefix), named)
    for environment, _ in kernels.environments():
        found.setdefault(os.path.realpath(environment.prefix), environment)
    return Here(tuple(found.values()), whole=True, unread=tuple(unread))


def prove(
    engine: Engine,
    image: str,
    here: Here,
    records: Sequence[Record],
    *,
    deep: bool,
    console: Console,
) -> Proof:
    """Compare what is here with what an image holds.

    Args:
        engine: Where the image is.
        image: Its reference or id.
        here: What to compare.
        records: The history, to tell what would mend a difference.
        deep: Also compare the content of the files, and import what was added.
        console: Where the progress goes.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    with speaking(f"{image} cannot be looked at"):
        inspected = engine.client.api.inspect_image(image)
    variables = dict(
        variable.partition("=")[::2] for variable in inspected["Config"].get("Env") or ()
    )
    with new_tree() as tree:
        console.say(f"Reading the files of {image} …")
        with files_of(engine, inspected["Id"]) as files:
            sides, unread = _read(here, files, tree, variables, hashes=deep)
        sides = _set_ours_apart(engine, here.environments, sides, fold(records))
        unread += [*here.unread, *tree.unread]
        for side in sides:
            unread += unreadable(side)
        found = [each for side in sides for each in differences(side, records)]
        alone = [*absent(sides), *(_only_there(sides, tree) if here.whole else ())]
        proof = Proof(
            image=image,
            image_id=inspected["Id"],
            compared=tuple((side.name, len(side.here.packages)) for side in sides),
            differences=tuple(found),
            absent=tuple(alone),
            unread=tuple(dict.fromkeys(unread)),
            deep=deep,
            beside=tuple(_beside(side) for side in sides if side.ours),
        )
        if not deep:
            return proof
        console.say("Comparing the content of the files, and importing what was added …")
        contents, missing = deeply.contents(here.environments, sides, tree)
        imports, failed = deeply.imports(engine, inspected["Id"], here.environments, sides, records)
        return replace(
            proof, files=contents, imports=imports, unread=(*proof.unread, *missing, *failed)
        )


def _read(
    here: Here, files: Files, tree: Tree, variables: Mapping[str, str], *, hashes: bool
) -> tuple[list[Side], list[str]]:
    """Both sides of every environment and, in a whole comparison, of the Debian system."""
    unread: list[str] = []
    places = {
        environment.prefix: _place(environment, files, variables)
        for environment in here.environments
    }
    _read_trees(here.environments, places, files, tree, hashes=hashes)
    sides = []
    for environment in here.environments:
        place = places[environment.prefix]
        in_image = place or environment.prefix
        packages = tree.packages(in_image) if _is_there(in_image, tree) else None
        sides.append(
            Side(
                environment.ref,
                in_image,
                read_packages(environment, of_environment()),
                packages,
            )
        )
        unread += _nameless(environment.site_packages, f"in {environment.prefix}", "")
        libraries = [str(tree.path(each)) for each in sorted(tree.libraries.get(in_image, ()))]
        unread += _nameless(libraries, "in the image", str(tree.root))
    if here.whole:
        debian = read_packages(here.environments[0], of_system())
        there = files.read_debian(tree)
        if debian.packages and not there:
            unread.append("The image has no dpkg status file to read its Debian packages from.")
        elif debian.packages or there:
            sides.append(Side(None, "/", debian, tree.debian()))
    return sides, unread


def _set_ours_apart(
    engine: Engine, environments: Sequence[Environment], sides: Sequence[Side], recipe: Recipe
) -> list[Side]:
    """Return the sides, each with those of our own packages that the image does not have."""
    known = {environment.ref: environment for environment in environments}
    found = []
    for side in sides:
        ours: tuple[Package, ...] = ()
        if side.environment is not None and side.image is not None and OWN not in side.image:
            image = partial(_brought, engine)
            ours = ours_here(known[side.environment], side.here, recipe, image)
        missing = tuple(package for package in ours if package.key not in (side.image or ()))
        found.append(replace(side, ours=missing))
    return found


def _brought(engine: Engine) -> Brought | None:
    """Return what the image of this container brought; None outside of one."""
    container = this_container(engine, look())
    return Brought(engine, container) if container else None


def _beside(side: Side) -> str:
    return (
        f"{described(side.ours)}: here in {side.name} beside these. The image does not have them:"
        " --with-jstackmagic puts them there."
    )


def _place(environment: Environment, files: Files, variables: Mapping[str, str]) -> str | None:
    """Where an environment lies in the image; None where it does not.

    That is where it lies here or, seen from outside a container, where the recipe puts it: into the
    image's own conda root.
    """
    root = variables.get("CONDA_DIR")
    candidates = [environment.prefix]
    if root and environment.kind == "conda-base":
        candidates.append(root)
    elif root and environment.kind == "conda-named" and environment.name:
        candidates.append(f"{root}/envs/{environment.name}")
    for candidate in candidates:
        # a system's prefix is there always; what counts is its own library folders
        found = files.resolve(candidate)
        if found is not None:
            return found
    return None


def _read_trees(
    environments: Sequence[Environment],
    places: Mapping[str, str | None],
    files: Files,
    tree: Tree,
    *,
    hashes: bool,
) -> None:
    """Read each folder once: a conda root holds its named environments."""
    folders = set()
    for environment in environments:
        place = places[environment.prefix]
        if place is None:
            continue
        if environment.kind != "system":
            folders.add(place)
            continue
        libraries = (os.path.dirname(library) for library in environment.site_packages)
        folders.update(filter(None, map(files.resolve, libraries)))
    for folder in sorted(folders):
        if not any(folder.startswith(f"{other}/") for other in folders):
            files.read_environments(tree, folder, hashes=hashes)


def _is_there(prefix: str, tree: Tree) -> bool:
    return prefix in tree.prefixes or prefix in tree.libraries


def _only_there(sides: Sequence[Side], tree: Tree) -> Iterator[str]:
    known = {side.in_image for side in sides}
    for prefix in sorted(tree.prefixes - known):
        yield f"The image has an environment {prefix}, which is not here."


def _nameless(libraries: Sequence[str], where: str, root: str) -> Iterator[str]:
    """The ``*.dist-info`` folders that do not say what they are, a sentence each."""
    for library in libraries:
        for folder in sorted(Path(library).glob("[!~]*.dist-info")):
            try:
                named = _NAMES.search((folder / "METADATA").read_text(errors="replace"))
            except OSError:
                named = None
            if not named:
                path = str(folder).removeprefix(root)
                yield f"{path} {where} does not name its distribution."
