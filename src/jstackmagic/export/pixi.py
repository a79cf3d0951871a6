"""A pixi.toml: the channels in order, conda's part, and pip's part as pypi-dependencies."""

from __future__ import annotations

from typing import Any

from ..managers.conda.spec import parse
from ..model.errors import InvalidSpec
from ..model.pins import Pin
from ..model.recipe import Item, Recipe
from ..model.spec import Listing, Requirement, Spec, checkout
from ..model.words import checked, holds_credential
from ._artifact import Artifact
from ._beside import Beside
from ._choice import Chosen, choose
from ._format import ENVIRONMENT, PIN, Format
from ._locked import platform_of_holding
from ._match_specs import channels, cuda_for, match_specs
from ._requirements import Requirements
from ._toml import as_toml


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render a recipe as a pixi manifest; see `Format.render`."""
    chosen = choose(recipe, name=name, prefix=prefix)
    notes = list(chosen.left_out)
    platform = platform_of_holding(chosen.holding)
    if not platform:
        platform = "linux-64"
        notes.append("Nothing says which platform it is for: the file says linux-64.")
    content: dict[str, Any] = {
        "workspace": {
            "name": checked(chosen.name),
            "channels": channels(chosen, notes),
            "platforms": [platform],
        },
        "dependencies": _conda(chosen, pin, notes),
    }
    writer = Requirements(pin, Beside(recipe))
    pypi = _pypi(chosen, writer)
    options = _options(list(writer.heading(chosen.of("pip"))), writer)
    cuda = cuda_for(chosen)
    content |= {"system-requirements": {"cuda": cuda}} if cuda else {}
    content |= {"pypi-dependencies": pypi} if pypi else {}
    content |= {"pypi-options": options} if options else {}
    notes += writer.notes
    return Artifact(as_toml(content), writer.files, notes)


def _conda(chosen: Chosen, pin: Pin, notes: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _, text in match_specs(chosen, pin, notes):
        if "://" in text and "::" not in text:
            notes.append(f"A pixi manifest names no archive: {text} is not in this file.")
            continue
        try:
            spec = parse(text)
        except InvalidSpec:
            notes.append(f"{text} is not a match spec that pixi can read: it is left out.")
            continue
        version = str(spec.version) if spec.version is not None else "*"
        details = {"build": str(spec.build)} if spec.build is not None else {}
        if "::" in text:
            details["channel"] = text.rpartition("::")[0]
        name = str(spec.name.normalized)
        found[name] = {"version": version, **details} if details else version
    return found


def _pypi(chosen: Chosen, writer: Requirements) -> dict[str, Any]:
    found: dict[str, Any] = {}
    steps = chosen.of("pip")
    indexes = {i.name: step.sources.index_url for step in steps for i in step.install}
    several = len(set(indexes.values())) > 1
    for item in chosen.items("pip"):
        if isinstance(item.spec, Listing):
            writer.notes.append(f"pixi.toml cannot name a list, so {item.spec.place} is left out.")
        for each in (item, *item.brought):
            if isinstance(each.spec, Listing):
                continue
            if not each.name:
                writer.notes.append(
                    f"The name of {each.text} is not known: it is not in this file."
                )
            else:
                index = indexes.get(item.name, "") if several else ""
                found[checked(each.name)] = _requirement(each, writer, index)
    return found


def _requirement(item: Item, writer: Requirements, index: str) -> str | dict[str, Any]:
    from packaging.specifiers import SpecifierSet

    spec = writer.spec(item)
    checked(spec.text)
    if spec.hashes:
        writer.notes.append(f"A pixi manifest holds no hashes: those of {item.name} are left out.")
    version = ""
    if isinstance(spec, Requirement):
        version = str(SpecifierSet(spec.version.strip("()"))) or "*"
    table = _place(spec) if spec.place else {"version": version}
    # pixi asks the first index that has a package, but for one that names its own
    table |= {"index": index} if index and not (spec.place or holds_credential(index)) else {}
    table |= {"editable": True} if spec.editable and "path" in table else {}
    table |= {"extras": sorted(spec.extras)} if spec.extras else {}
    table |= {"env-markers": spec.marker} if spec.marker else {}
    return version if table == {"version": version} else table


def _place(spec: Spec) -> dict[str, Any]:
    if spec.path:
        return {"path": spec.path}
    vcs = checkout(spec.place)
    if vcs is None or vcs.kind != "git":
        return {"url": spec.place}
    table = {"git": vcs.url, **({"rev": vcs.ref} if vcs.ref else {})}
    return table | ({"subdirectory": vcs.subdirectory} if vcs.subdirectory else {})


def _options(lines: list[str], writer: Requirements) -> dict[str, Any]:
    """Return the heading of a requirements file as pixi's options."""
    found: dict[str, Any] = {}
    for line in lines:
        option, _, value = line.partition(" ")
        if option == "--index-url":
            found["index-url"] = value
        elif option == "--extra-index-url":
            found.setdefault("extra-index-urls", []).append(value)
        elif option == "--find-links":
            place = {"url": value} if "://" in value else {"path": value}
            found.setdefault("find-links", []).append(place)
        else:
            writer.notes.append(f"A pixi manifest cannot say {line}.")
    return found


FORMAT = Format(
    description=__doc__,
    files={"pixi.toml": {}},
    render=render,
    options=(*ENVIRONMENT, PIN),
    one_environment=True,
)
