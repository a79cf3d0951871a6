"""What holds for every format: nothing is dropped in silence, and the page tells the truth."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from jstackmagic import export
from jstackmagic.model.errors import ExportError
from jstackmagic.model.ledger import fold
from strategies import recipes, worlds
from support import losses

if TYPE_CHECKING:
    from jstackmagic.model.recipe import Recipe
    from strategies import World


@pytest.mark.parametrize("name", losses.IN_THE_IMAGE)
def test_what_names_an_image_says_what_is_to_be_in_it(name: str) -> None:
    (note,) = losses.render(name, losses.TRAITS[0].records).notes
    assert "must have been built of this recipe" in note


@pytest.mark.parametrize("name", export.formats())
def test_no_credential_is_written_or_said(name: str) -> None:
    (trait,) = (trait for trait in losses.TRAITS if trait.name == "a private index")
    artifact = losses.render(name, losses.with_more(trait))
    assert losses.SECRET not in repr(artifact)


def test_nothing_is_dropped_in_silence_and_the_page_has_what_is_measured() -> None:
    """PYTHONPATH=tests python -m support.losses writes it."""
    page = losses.page()
    assert losses.SIGNS["silent"] not in page
    assert losses.PAGE.read_text(encoding="utf-8") == page


def test_the_page_tells_of_every_format_and_its_file() -> None:
    page = losses.PAGE.read_text(encoding="utf-8")
    rows = page.partition("## Which one to take")[2].partition("\n## ")[0]
    for name, form in export.formats().items():
        assert re.search(rf"\| `{name}[ `]", rows), name
        for file in form.files:
            assert name == "pep723" or f"{file}`" in rows or file.rpartition("/")[2] in rows


def test_a_loss_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure fails where an export is silent."""
    from jstackmagic.export import apt

    (trait,) = (trait for trait in losses.TRAITS if trait.name == "pip packages")
    assert losses.verdict("apt", trait) == "said"
    monkeypatch.setattr(apt, "left_out", lambda *_: ())
    assert losses.verdict("apt", trait) == "silent"


@settings(max_examples=10)
@given(recipes())
def test_the_same_recipe_gives_the_same_bytes(recipe: Recipe) -> None:
    for name, form in export.formats().items():
        options = {"image": "lab/x"} if name == "jupyterhub" else {}
        try:
            first = form.render(recipe, **options)
        except ExportError:
            continue
        assert form.render(recipe, **options) == first
        assert "\r" not in first.text
        assert first.text.endswith("\n")
        assert not first.text.endswith("\n\n")


@settings(max_examples=8)
@given(worlds())
def test_the_same_history_too(world: World) -> None:
    """Folded again, not only rendered again."""
    for name, form in export.formats().items():
        options = {"image": "lab/x"} if name == "jupyterhub" else {}
        options |= {"records": world.records} if name == "sbom" else {}
        try:
            first = form.render(fold(world.records), **options)
        except ExportError:
            continue
        assert form.render(fold(list(world.records)), **options) == first
