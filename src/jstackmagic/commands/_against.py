"""An image, held against the recipes of many people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..display import Part, Result, Table, Text
from ..image.root import Root
from ..managers.goal import Exactness, Goal
from ..model.ledger import Ledger
from ..model.managers import of_environment, of_system
from ..model.packages import PackageSet
from ..model.request import Request
from ..model.text import counted
from ..report.folders import Found, records_of
from ..restore.goals import goals as goals_of
from ..restore.goals import requests


def against(image: str, found: Sequence[Found]) -> Against:
    """Hold an image against people's recipes.

    Raises:
        EngineError: There is no such image, or the engine cannot be asked.
    """
    from ..image.engine.dockersdk import connect
    from ..image.prove.sides import target_of

    engine = connect()
    people, exact, versions = 0, 0, 0
    left: Counter[str] = Counter()
    root = target_of(engine, image).view.root
    for home, path in found:
        goals = goals_of(Ledger.of(records_of(home, path)))
        if not goals:
            continue
        people += 1
        exact += not any(_left(goals, root, "builds"))
        names = {
            f"{request.manager}:{spec.name or spec.text}"
            for request in _left(goals, root, "versions")
            for spec in request.specs
        }
        versions += not names
        left.update(names)
    engine.client.close()
    return Against(image, people, exact, versions, tuple(left.most_common()))


def _left(goals: Sequence[Goal], root: Root, exactness: Exactness) -> Iterator[Request]:
    for goal in goals:
        here = _packages(root, goal.ref.prefix if goal.ref else "")
        for manager in of_environment() if goal.ref else of_system():
            yield from requests(goal, manager, here, exactness)


def _packages(root: Root, prefix: str) -> PackageSet:
    from ..image.installed import packages_of, survey

    if not prefix:
        return packages_of(root, "/", of_system())
    known, _ = survey(root)
    return packages_of(root, prefix) if prefix in known else PackageSet()


@dataclass(frozen=True, repr=False)
class Against(Result):
    """An image, held against people's recipes."""

    image: str
    people: int  #: the people whose history asks for anything
    exact: int  #: those of them whose replay has nothing to do
    versions: int  #: those who find each version that they asked for; builds and dependencies apart
    left: tuple[tuple[str, int], ...]  #: what a start still installs, with the number of people

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
