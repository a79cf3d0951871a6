"""conda's part of a recipe: its channels in order, and its match specs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..model.packages import Package
from ..model.pins import Pin, pinned
from ..model.recipe import Item
from ..model.spec import Listing
from ..model.variants import cuda_among
from ..model.words import checked, public, published
from ._choice import Chosen


def channels(chosen: Chosen, notes: list[str]) -> list[str]:
    """Return the channels, strongest first: the requested ones, then those of the packages."""
    from ..where.condarc import CondaConfig, channel_name

    asked = [channel for step in chosen.of("conda") for channel in step.sources.channels]
    served = [item.source for item in chosen.items("conda") if item.source]
    served += [p.source for p in chosen.holding.of("conda") if p.source]
    found = []
    for channel in dict.fromkeys((*asked, *served)):
        bare = published(channel, notes, ": conda takes it from .netrc or .condarc")
        name = channel_name(bare, CondaConfig())
        if name.startswith(("file:", "/", "~", ".")):
            notes.append(f"The channel {name} is on this machine.")
        found.append(checked(name))
    if not found and any(chosen.items("conda")):
        notes.append("No channel is on record: whoever reads this file takes its own.")
    if len({step.sources.channels[:1] for step in chosen.of("conda") if step.install}) > 1:
        notes.append(
            f"Not all were taken with the same channel first; in this file {found[0]} is first for"
            " all, and what it has, too, may be taken from it. CHANNEL::NAME holds one to its own."
        )
    return list(dict.fromkeys(found))


def match_specs(chosen: Chosen, pin: Pin, notes: list[str]) -> Iterator[tuple[Item | None, str]]:
    """Yield the specs, Python first, each with the item that it is of."""
    items: list[Item] = []
    for item in chosen.items("conda"):
        is_list = isinstance(item.spec, Listing)
        items += item.brought if is_list else (item,)
        if is_list and not item.brought:
            notes.append(f"What {item.spec.place} asks for was never seen: it is not in this file.")
    python = next((item for item in items if item.name == "python"), None)
    if chosen.python and (python is None or pin == "none"):
        yield python, f"python={chosen.python}"
    elif python is not None:
        yield python, spec_of(python, pin, notes)
    for item in items:
        if item is not python:
            yield item, spec_of(item, pin, notes)
    for step in chosen.of("conda"):
        others = (each for each in step.sources.variables if not _CUDA.match(each))
        if given := (*others, *step.options):
            options = public(" ".join(given))
            notes.append(f"This file cannot say {options}, which was given to conda here.")


_CUDA = re.compile("CONDA_OVERRIDE_CUDA=.")  # which `cuda_for` gives to the formats


def cuda_for(chosen: Chosen) -> str:
    """Return the CUDA that a variable told conda, or that its packages are built for; or empty."""
    steps = chosen.of("conda")
    said = [text.partition("=") for step in steps for text in step.sources.variables]
    told = next((value for name, _, value in said if name == "CONDA_OVERRIDE_CUDA"), None)
    own = (Package("conda", i.name, i.version, i.build) for i in chosen.items("conda"))
    every = (*own, *chosen.holding.packages)
    return told if told is not None else cuda_among(every) if steps else ""


def spec_of(item: Item, pin: Pin, notes: list[str]) -> str:
    """Return one spec; of an archive of this machine, its name, version and build."""
    spec = pinned(item, pin)
    spec = published(spec, notes)
    if not item.spec.place:
        return spec
    url = public(item.spec.place)
    if not item.spec.path:
        return checked(url)
    name, version, build = re.sub(r"\.(?:conda|tar\.bz2)$", "", url.rpartition("/")[2]).rsplit(
        "-", 2
    )
    notes.append(f"{url} is on this machine: its name, version and build are used instead.")
    return checked(f"{name}={version}={build}")
