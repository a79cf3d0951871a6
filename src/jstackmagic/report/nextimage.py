"""The next image: what to bake in, so that most installs are no longer needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..display import size_text
from ..model.environment import EnvironmentRef
from ..model.managers import is_system, names
from ..model.packages import PackageKey
from ..model.recipe import Item, Recipe, RecipeStep
from ..model.sources import Sources
from ..model.spec import read
from ..model.text import counted
from .shown import duration
from .tally import Tally, Use, Wait, Way

_OF_A_HOME = ("/home/", "/root/")
_SHOWN = 8  # packages of a sentence


@dataclass(frozen=True)
class Suggestion:
    """The next image."""

    recipe: Recipe  #: the packages to bake in
    image: str  #: the image that most people start from; empty if unknown
    baked: Sequence[tuple[PackageKey, Use]]  #: the baked packages, the most installed first
    left: Sequence[tuple[PackageKey, Use]]  #: the packages that are left out, likewise
    unwanted: Sequence[tuple[PackageKey, Use]]  #: the packages of the image that people remove
    #: the system's packages that people wait for, which are baked in
    waits: Sequence[tuple[PackageKey, Wait]]
    covered: float  #: the share of all installs that it makes superfluous, from 0 to 1

    @property
    def in_image(self) -> tuple[str, ...]:
        """The prefixes that the image brings: of its base environments."""
        refs = [step.environment for step in self.recipe.steps if step.environment]
        return tuple(dict.fromkeys(ref.prefix for ref in refs if ref.kind == "conda-base"))

    def sentences(self) -> Iterator[str]:
        """Yield what it covers, saves and weighs, and what it leaves out."""
        seconds = sum(use.seconds for _, use in self.baked)
        size = sum(use.bytes // use.standing for _, use in self.baked)
        weighs = f", and weighs about {size_text(size)}" if size else ""
        yield (
            f"This makes {self.covered:.0%} of all installs superfluous with"
            f" {counted(len(self.baked), 'package')}. It saves"
            f" {duration(seconds) or 'no time that was measured'} when the servers of all these"
            f" people start{weighs}."
        )
        if self.waits:
            texts = [
                ":".join(name) + f" ({'; '.join(wait.why)})" * bool(wait.why)
                for name, wait in self.waits
            ]
            yield f"People wait for: {_some(texts)}."
        if self.left:
            yield f"Left out, installed by few: {_some(_counts(self.left, 'users'))}."
        if self.unwanted:
            yield (
                f"In the image, and removed by people: {_some(_counts(self.unwanted, 'removed'))}."
            )


def suggest(tally: Tally, covers: float, least: int = 1) -> Suggestion:
    """Return the packages that cover a share of all installs, the most installed first.

    Args:
        tally: All counts.
        covers: The share, from 0 to 1.
        least: The fewest people that must have a package for it to be named.
    """
    by_installs = sorted(tally.uses.items(), key=lambda item: (-item[1].installs, item[0]))
    known = [(name, use) for name, use in by_installs if use.installs and use.users >= least]
    everything = sum(use.installs for use in tally.uses.values())
    baked: list[tuple[PackageKey, Use]] = []
    covered = 0
    for name, use in known:
        if covered >= covers * everything:
            break
        if _way(use) is not None:
            baked.append((name, use))
            covered += use.installs
    chosen = {name for name, _ in baked}
    waits = [each for each in tally.waits.items() if each[1].users >= least]
    waits = [each for each in waits if each[0] not in chosen and is_system(each[0][0])]
    unwanted = [(n, use) for n, use in tally.uses.items() if use.removed >= least]
    return Suggestion(
        recipe=_recipe(baked, [name for name, _ in waits]),
        image=next(iter([name for name, _ in tally.images.most_common(1)]), ""),
        baked=baked,
        left=[(name, use) for name, use in known if name not in chosen],
        unwanted=sorted((x for x in unwanted if x[1].removed), key=lambda x: -x[1].removed),
        waits=waits,
        covered=covered / everything if everything else 0.0,
    )


def _way(use: Use) -> Way | None:
    """Return how most people asked for it where an image can have it; None without one."""
    fit = (way for way, _ in use.ways.most_common() if not way[0].prefix.startswith(_OF_A_HOME))
    return next(fit, None)


def _recipe(baked: Sequence[tuple[PackageKey, Use]], waits: Sequence[PackageKey]) -> Recipe:
    votes: Counter[EnvironmentRef] = Counter()
    for _, use in baked:
        for (where, _, _), people in use.ways.items():
            votes[where] += people
    usual: dict[str, EnvironmentRef] = {}
    for where, _ in votes.most_common():
        usual.setdefault(where.prefix, where)
    runs: dict[tuple[str, str, Sources], list[Item]] = {}
    for manager, name in sorted(waits):
        runs.setdefault((manager, "", Sources()), []).append(Item(read(manager, name), name))
    for (manager, name), use in baked:
        way = _way(use)
        assert way is not None
        where, sources, extras = way
        words = f"{name}[{','.join(extras)}]" if extras else name
        version = next(iter(use.got.most_common(1)), ("", 0))[0]
        place, run = ("", Sources()) if is_system(manager) else (where.prefix, sources)
        item = Item(read(manager, words), name, version=version)
        runs.setdefault((manager, place, run), []).append(item)
    order = names()
    steps = [
        RecipeStep(
            manager, usual[prefix] if prefix else None, install=tuple(items), sources=sources
        )
        for (manager, prefix, sources), items in runs.items()
    ]
    places = list(usual)
    steps.sort(
        key=lambda step: (
            places.index(step.environment.prefix) if step.environment else -1,
            order.index(step.manager),
        )
    )
    return Recipe(tuple(steps))


def _counts(items: Sequence[tuple[PackageKey, Use]], what: str) -> list[str]:
    return [f"{':'.join(name)} ({getattr(use, what)})" for name, use in items]


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
