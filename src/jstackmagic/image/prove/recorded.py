"""Prove an image from a history alone: nothing of the machine that recorded it is needed.

What the base image has, with the records applied to it, is what the image must have. Without the
base, only what was recorded is known.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...history.file import IMAGE_HISTORY, History
from ...io.reading import path_of
from ...model.environment import EnvironmentRef
from ...model.errors import UsageError
from ...model.ledger import Ledger
from ...model.managers import is_system, of_environment, of_system
from ...model.packages import Package, PackageSet, as_on_disk
from ...model.record import Record
from ..installed import packages_of, survey
from ..root import is_below
from . import deep as deeply
from .compare import names_of, only_there, paths_of, place_in
from .deep import IN_LIBRARY, Explained
from .proof import (
    FileDifference,
    FileState,
    Proof,
    ProofFinding,
    Side,
    Ways,
    absent,
    differences,
    unreadable,
)
from .shallow import SideView, facts, prefix_of, unread_in
from .sides import ImageTarget

_LIMITS = (
    "Where it was recorded nothing was looked at. Out of sight are home folders, what scripts and"
    " people wrote without a record, and the content of Debian's own files."
)


def records_of(target: ImageTarget, file: str) -> list[Record]:
    """Return the records of a history.

    Args:
        target: The image, which may carry one.
        file: The history's file; empty for the image's own.

    Raises:
        UsageError: There is no such history, or it has no record.
    """
    kept = "Nothing was compared."
    with tempfile.TemporaryDirectory(prefix="jstackmagic-history-") as folder:
        path = path_of(file) if file else Path(folder, "history.jsonl")
        if not file:
            path.write_bytes(target.view.root.contents.get(str(IMAGE_HISTORY), b""))
        if not path.is_file():
            raise UsageError(f"There is no file {path}.", kept=kept)
        records = History(path).records()
    if not records:
        holder = str(path) if file else target.name
        raise UsageError(
            f"{holder} has no history to compare with.", kept=kept, advice="--history FILE"
        )
    return records


def prove_recorded(
    target: ImageTarget, base: SideView | None, records: Sequence[Record], *, deep: bool
) -> Proof:
    """Compare an image with what its history says.

    Args:
        base: The image it was built on; None if that is not at hand.
        deep: Also compare the files: those of recorded packages with the packages' own lists, the
            others with the base.
    """
    image, ledger = target.view, Ledger.of(records)
    ways = Ways(target.name, base.root if base else None)
    sides = [_side(image, base, ledger, *place) for place in ledger.places().items()]
    sides = [side for side in sides if side.here.packages or side.image]
    unread = [*unread_in(image, "in the image", ways)]
    unread += [words for side in sides for words in unreadable(side, ways)]
    found = tuple(each for side in sides for each in differences(side, records, ways))
    prefixes = {side.name: side.prefix for side in sides}
    explained = {(prefixes[each.where], each.package.key) for each in found}
    explained |= {(prefix, (manager, name)) for prefix, manager, name in ledger.moves()}
    places = {prefix: name for name, prefix in prefixes.items() if prefix}
    # environments without a record count as well: their files are none of those around them
    there = survey(image.root)[0]
    everywhere = {**dict(zip(there, there, strict=True)), **names_of(there), **places}
    files = list(_own_files(image, explained, everywhere, ways)) if deep else []
    rest: list[ProofFinding] = []
    lone: tuple[str, ...] = ()
    if base is not None:
        prefixes_of_base, libraries = survey(base.root)
        known = {*prefixes_of_base, *libraries, *(side.in_image for side in sides)}
        lone = tuple(only_there(image.root, known, ways))
        new = {prefix for prefix in places if base.root.resolve(prefix) is None}
        skipped = paths_of(explained, base, image, everywhere)
        rest = [
            each
            for each in facts(base, image, ways, places=everywhere, skipped=skipped)
            # a new environment brings its own settings, and a kernelspec beside it
            if not (new and each.kind == "kernel") and not is_below(each.name, new)
        ]
        if deep:
            named = {each.name for each in rest}
            files += _of_base(base, image, ways, everywhere, explained, named, new)
    return Proof(
        image=target.name,
        image_id=target.id,
        compared=tuple((side.name, len(side.here.packages)) for side in sides),
        differences=found,
        absent=(*absent(sides, ways), *lone),
        unread=tuple(dict.fromkeys(unread)),
        facts=tuple(rest),
        files=tuple(files),
        deep=deep,
        beside=(
            "Compared with the base image and the records applied to it."
            if base
            else "Compared only with what was recorded: the base image is not here.",
            _LIMITS,
        ),
        reference="what its history says",
    )


def _side(
    image: SideView,
    base: SideView | None,
    ledger: Ledger,
    prefix: str,
    environment: EnvironmentRef | None,
) -> Side:
    """Return what the history says of one place, and what the image has there."""
    managers = of_environment() if environment else of_system()
    in_image = place_in(image, environment) if environment else "/"
    moves = {key[1:]: move for key, move in ledger.moves().items() if key[0] == prefix}
    planned = [
        Package(step.manager, item.name, item.version)
        for step in ledger.recipe().steps
        if (step.environment.prefix if step.environment else "") == prefix
        for item in step.install
        if item.name and (step.manager, item.name) not in moves
    ]
    there = packages_of(image.root, in_image, managers) if image.root.resolve(in_image) else None
    begun = packages_of(base.root, in_image, managers).by_key if base else {}
    expected = {**begun, **{key: as_on_disk(m.left) for key, m in moves.items() if m.left}}
    expected = {key: p for key, p in expected.items() if key not in moves or moves[key].left}
    missing = [p for p in planned if p.key not in expected]
    if there is not None and (base is None or missing):
        # what was planned brings packages that no record has seen
        known = {*expected, *moves, *(p.key for p in missing)}
        there = PackageSet(tuple(p for p in there.packages if p.key in known))
    if there is not None:
        expected |= {p.key: there.by_key.get(p.key, p) for p in missing}
    return Side(environment, in_image, PackageSet(tuple(expected.values())), there)


def _own_files(
    image: SideView, explained: Explained, places: Mapping[str, str], ways: Ways
) -> Iterator[FileDifference]:
    """Yield the files of recorded packages that are not as their packages' own lists have them."""
    wanted = set(explained)
    for path, owned in sorted(deeply.owners_of(image, {name for _, (_, name) in wanted}).items()):
        prefix = prefix_of(path, places)
        if is_system(owned.key[0]) or (prefix, owned.key) not in wanted or path.endswith(".pyc"):
            continue
        entry = image.root.entries.get(path)
        recorded = owned.sha256 if entry and entry.kind == "file" else ""
        if entry and (not recorded or recorded == entry.sha256):
            continue
        state: FileState = "changed in the image" if entry else "not in the image"
        yield FileDifference(
            places[prefix], owned.key[1], path, state, f"Build again: {ways.build}"
        )


def _of_base(
    base: SideView,
    image: SideView,
    ways: Ways,
    places: Mapping[str, str],
    explained: Explained,
    named: set[str],
    lone: set[str],
) -> Iterator[FileDifference]:
    """Yield what the image has otherwise than its base, and no record explains."""
    compared = deeply.Compared(
        base,
        image,
        ways,
        places,
        explained=explained,
        local=False,
        named=named,
        lone=lone,
    )
    for each in deeply.contents(compared):
        if each.state != "not here":
            yield each
        # an installer's script may have made others; in a library, Python would import it
        elif IN_LIBRARY.fullmatch(each.path):
            yield replace(each, state="only in the image")
