"""What came from a folder that pip was told to look in comes along; the folder does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.pip.links import without_local
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.recipe import Item, RecipeStep
from jstackmagic.model.spec import read
from support.environments import make_venv
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

VENV = EnvironmentRef("venv", None, "/opt/venv", "3.11")


def step(*specs: str, options: tuple[str, ...], **known: str) -> RecipeStep:
    items = tuple(Item(spec := read("pip", text), spec.name, "1.0", **known) for text in specs)
    return RecipeStep("pip", VENV, items, options=options)


def links(one: RecipeStep) -> tuple[list[str], tuple[str, ...], tuple[str, ...]]:
    after, notes = without_local(one, ())
    return [item.text for item in after.install], (*after.sources.words, *after.options), notes


@pytest.mark.parametrize(
    "options",
    [
        ("--find-links={folder}",),
        ("--find-links", "{folder}"),
        ("-f", "{folder}"),
        ("-f{folder}",),
        ("--find-links=file://{folder}",),
        ("--find-links", "/no/such", "--find-links", "{folder}"),
    ],
)
def test_an_archive_there_takes_the_place_of_its_name(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    wheel = build_wheel(tmp_path / "w", "seven", "1.0")
    words = tuple(word.format(folder=wheel.parent) for word in options)
    specs, rest, notes = links(step("seven[more]>=1", options=("--pre", *words)))
    assert (specs, rest) == ([f"{wheel}[more]"], ("--pre",))
    assert len(notes) == ("/no/such" in words)


def test_what_an_index_gave_or_is_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "w", "seven", "1.0")
    option = f"--find-links={wheel.parent}"
    assert links(step("seven", options=(option,), source="https://index.example/seven.whl"))[0] == [
        "seven"
    ]
    assert links(step("other", options=(option,)))[0] == ["other"]
    there = "--find-links=https://wheels.example/"
    assert links(step("seven", options=(there,))) == (["seven"], tuple(there.split("=")), ())


@pytest.mark.parametrize(
    ("spec", "placed"), [("seven", True), ("seven<2", True), ("seven>=2", False), ("other", False)]
)
def test_what_was_never_seen_installed(spec: str, placed: bool, tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "w", "seven", "1.0")
    item = Item(read("pip", spec), read("pip", spec).name)
    one = RecipeStep("pip", VENV, (item,), options=("-f", str(wheel.parent), "--no-index"))
    specs, _, notes = links(one)
    assert specs == [str(wheel) if placed else spec]
    assert f"what {item.name} needs from there was never seen" in notes[0]


def test_a_folder_that_is_gone_is_said() -> None:
    specs, options, notes = links(step("seven", options=("--find-links", "/no/such")))
    assert (specs, options) == (["seven"], ())
    assert "/no/such, which is not here now" in notes[0]


def test_dependencies_from_there_come_along(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "environment")
    folder = tmp_path / "wheels"
    build_wheel(folder, "seven", "1.0")
    build_wheel(folder, "eight", "2.0", requires=["seven"])
    verb("install", "--prefix", prefix, "--pip", "eight", "--", "--no-index", f"-f{folder}")
    text = verb("export", "dockerfile", "--from", "registry.example.com/base:1").text
    assert "seven-1.0-py3-none-any.whl" in text
    assert "eight-2.0-py3-none-any.whl" in text
    assert str(folder) not in text
    build_wheel(folder, "nine", "3.0")
    verb("install", "--prefix", prefix, "--pip", "nine", "--", "--no-index", f"-f{folder}")
    verb("remove", "--prefix", prefix, "pip:eight", "pip:seven")
    text = verb("export", "dockerfile", "--from", "registry.example.com/base:1").text
    assert "nine-3.0-py3-none-any.whl" in text
    assert not [name for name in ("seven", "eight") if name in text], "removed again"
