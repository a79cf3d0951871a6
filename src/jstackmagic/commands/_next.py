"""The next image of many people: its Dockerfile, and the replays that it leaves."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import export
from ..display import Part, Result, Table, Text
from ..export._source import Source
from ..history.file import History
from ..image.suggest import base_image
from ..io.reading import path_of
from ..model.errors import HistoryError, UsageError
from ..model.ledger import Ledger
from ..model.managers import of_environment, of_system
from ..model.packages import PackageSet
from ..model.text import counted
from ..report.folders import MAX_FILE, opened
from ._exported import Exported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..image.root import Root
    from ..managers.goal import Exactness, Goal
    from ..model.record import Record
    from ..model.request import Request
    from ..report.folders import Found
    from ..report.suggest import Suggestion


def share(text: str) -> float:
    """Read a share, such as ``80%`` or ``0.8``.

    Raises:
        UsageError: It is none.
    """
    try:
        number = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        number = -1.0
    if not 0 < number <= 1:
        raise UsageError(f"{text!r} is no share of the installs.", advice="Write 80% or 0.8")
    return number


def dockerfile(suggestion: Suggestion, image: str, output: str | None) -> Exported:
    """Render a suggestion, and write it where a file is named."""
    form = export.get("dockerfile")
    given = {
        **form.defaults(),
        "base_image": image or suggestion.image,
        "in_image": suggestion.in_image,
    }
    artifact = Source(suggestion.recipe).render(form, given, base_image)
    artifact = replace(artifact, notes=(*suggestion.sentences(), *artifact.notes))
    written = artifact.write(path_of(output)) if output else ()
    return Exported(artifact, tuple(map(str, written)))


def against(image: str, found: Sequence[Found]) -> Against:
    """Hold an image against people's recipes.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    from ..image.engine.client import connect
    from ..image.prove.sides import target_of

    engine = connect()
    people, exact, versions = 0, 0, 0
    left: Counter[str] = Counter()
    there = _There(target_of(engine, image).view.root)
    for home, path in found:
        goals = there.goals(_records(home, path))
        if not goals:
            continue
        people += 1
        exact += not any(there.left(goals, "builds"))
        names = {
            f"{request.manager}:{spec.name or spec.text}"
            for request in there.left(goals, "versions")
            for spec in request.specs
        }
        versions += not names
        left.update(names)
    engine.client.close()
    return Against(image, people, exact, versions, tuple(left.most_common()))


class _There:
    """The packages of an image."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def goals(self, records: Sequence[Record]) -> list[Goal]:
        from ..restore.goals import goals

        return goals(Ledger.of(records))

    def left(self, goals: Sequence[Goal], exactness: Exactness) -> Iterator[Request]:
        from ..restore.goals import requests

        for goal in goals:
            here = self._packages(goal.ref.prefix if goal.ref else "")
            for manager in of_environment() if goal.ref else of_system():
                yield from requests(goal, manager, here, exactness)

    def _packages(self, prefix: str) -> PackageSet:
        from ..image.packages import packages_of, survey

        if not prefix:
            return packages_of(self._root, "/", of_system())
        known, _ = survey(self._root)
        return packages_of(self._root, prefix) if prefix in known else PackageSet()


def _records(home: str, path: str) -> Sequence[Record]:
    """Read a history of another user's: a copy, since reading may set a torn line aside."""
    try:
        with os.fdopen(opened(home, path), "rb") as file:
            content = file.read(MAX_FILE)
    except OSError:
        return ()
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        copy = Path(folder, "history.jsonl")
        copy.write_bytes(content)
        try:
            return History(copy).records()
        except HistoryError:
            return ()


@dataclass(frozen=True, repr=False)
class Against(Result):
    """An image, held against people's recipes.

    Attributes:
        image: The image.
        people: The people whose history asks for anything.
        exact: Those of them whose replay has nothing to do.
        versions: Those who find each version that they asked for; builds and dependencies apart.
        left: What a start still installs, with the number of people.
    """

    image: str
    people: int
    exact: int
    versions: int
    left: tuple[tuple[str, int], ...]

    def summary(self) -> str:
        return f"nothing to do for {self.exact} of {counted(self.people, 'recipe')}"

    def parts(self) -> Sequence[Part]:
        tone = "good" if self.exact == self.people else "plain"
        parts: list[Part] = [
            Text(
                f"With {self.image}, the replay has nothing to do for {self.exact} of"
                f" {counted(self.people, 'recipe')}; {self.versions} find every version that they"
                " asked for.",
                tone,
            )
        ]
        rows = tuple((name, str(people)) for name, people in self.left[:20])
        return [*parts, *([Table(("Still installed", "People"), rows)] if rows else [])]

    def to_json(self) -> Any:
        return {
            "image": self.image,
            "recipes": self.people,
            "nothing_to_do": self.exact,
            "versions_there": self.versions,
            "left": dict(self.left),
        }
