"""The recipe as JSON: its schema, the way there and back, and histories read as lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import given

from jstackmagic.capture import files
from jstackmagic.capture.files import our_recipe
from jstackmagic.export import json as json_format
from jstackmagic.history.file import History
from jstackmagic.model.errors import InvalidSpec, UsageError
from jstackmagic.model.ledger import fold
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.recipefile import recipe_of, text_of
from jstackmagic.model.sources import Sources
from strategies import BASE, SECOND, VENV, hostile, recipes
from support.acceptance import PASSWORD
from support.exports import SECRET, one, two_environments
from support.records import remember
from support.verbs import verb

if TYPE_CHECKING:
    from support.acceptance import Acceptance

SCHEMA = json.loads(
    (Path(__file__).parent.parent.parent / "docs/recipe.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_of_a_real_history(acceptance: Acceptance) -> None:
    artifact = json_format.render(acceptance.recipe())
    VALIDATOR.validate(json.loads(artifact.text))
    assert PASSWORD not in artifact.text
    assert recipe_of(artifact.text).steps == acceptance.recipe().steps
    assert any("demo_local" in note for note in artifact.notes)


@given(recipes(), hostile)
def test_there_and_back_is_the_same(recipe: Recipe, text: str) -> None:
    step = RecipeStep(
        "pip", VENV, install=(Item(text, text, brought=(Item("a", "a", "1"),)),), options=(text,)
    )
    for each in (recipe, Recipe((*recipe.steps, step))):
        written = text_of(each)
        VALIDATOR.validate(json.loads(written))
        again = recipe_of(written)
        assert text_of(again) == written
    assert recipe_of(text_of(recipe)) == recipe


def test_no_credential_is_in_it() -> None:
    url = f"https://me:{SECRET}@p.example.com/s"
    assert SECRET not in text_of(
        one("pip", Item(f"x @ {url}/x.zip", "x"), sources=Sources(index_url=url))
    )


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"v": 2},
        {"steps": [{"manager": "brew", "environment": None}]},
        {"steps": [{"manager": "apt"}]},
        {"steps": [{"manager": "apt", "environment": None, "install": [{}]}]},
        {"steps": 1},
    ],
)
def test_what_is_none_is_refused_by_both(change: dict[str, object], tmp_path: Path) -> None:
    value = {**json.loads(text_of(two_environments())), **change}
    assert not VALIDATOR.is_valid(value)
    with pytest.raises(InvalidSpec):
        recipe_of(json.dumps(value))
    path = tmp_path / "recipe.json"
    path.write_text(json.dumps(value, indent=2))
    with pytest.raises(UsageError):
        files.read(path)


def test_a_field_of_tomorrow_is_left_aside() -> None:
    value = json.loads(text_of(two_environments()))
    value["steps"][0]["colour"] = "red"
    assert recipe_of(json.dumps(value)) == two_environments()


class TestReadBack:
    def test_a_recipe(self, tmp_path: Path) -> None:
        path = tmp_path / "recipe.json"
        removal = RecipeStep("conda", BASE, remove=("scipy",))
        path.write_text(text_of(Recipe((*two_environments().steps, removal))))
        reading = files.read(path)
        asked = [
            (f.target.name or f.target.prefix, f.request.action, f.request.manager, f.request.texts)
            for f in reading.found
            if f.request
        ]
        assert asked == [
            ("", "install", "apt", ("graphviz",)),
            ("base", "install", "conda", ("lab::numpy=2.0.1",)),
            ("base", "install", "pip", ("dask[array]==2026.1",)),
            ("python310", "install", "conda", ("pandas=2.2",)),
            ("python310", "install", "pip", ("twitter==1.19.6",)),
            (VENV.prefix, "install", "pip", ("flake8==7.3.0",)),
            ("base", "remove", "conda", ("scipy",)),
        ]
        assert reading.requests[1].sources.channels == ("lab",)

    def test_somebody_s_history(
        self, acceptance: Acceptance, tmp_path: Path, history_file: Path
    ) -> None:
        copy = tmp_path / "theirs.jsonl"
        copy.write_bytes(acceptance.history.read_bytes())
        reading = files.read(copy)
        specs = [spec for request in reading.requests for spec in request.texts]
        assert "demo-tool=1.0" in specs
        assert not any("demo-library" in spec for spec in specs)  # undone
        captured = verb("capture", copy, "--prefix", acceptance.base)
        assert captured.records
        mine = fold(History(history_file).records())
        theirs = acceptance.recipe()
        assert [(s.manager, s.environment and s.environment.prefix) for s in mine.steps] == [
            (s.manager, s.environment and s.environment.prefix) for s in theirs.steps
        ]

    def test_other_json_is_none(self, tmp_path: Path) -> None:
        (tmp_path / "other.json").write_text('{"name": "x"}')
        (tmp_path / "data.jsonl").write_text('{"a": 1}\n')
        (tmp_path / "empty.jsonl").write_text("")
        for path in tmp_path.iterdir():
            assert files.reader(path) is None


def test_exports_elsewhere(tmp_path: Path, history_file: Path) -> None:
    """A recipe.json, or a history, exports as the history itself does."""
    for name in ("six", "idna"):
        remember("pip", (name,), name, "1.0")
    expected = verb("export", "dockerfile", "--from", "lab/base").text
    path = tmp_path / "recipe.json"
    verb("export", "json", "--output", path)
    kept = tmp_path / "kept.jsonl"
    history_file.rename(kept)
    for source in (path, kept):
        text = verb("export", "dockerfile", "--from", "lab/base", "--recipe", source).text
        assert text == expected
        text = verb("export", "--recipe", source, "dockerfile", "--from", "lab/base").text
        assert text == expected
    assert "1.0" not in verb("export", "dockerfile", "--from", "lab/base").text
    for wrong in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UsageError):
            verb("export", "json", "--recipe", wrong)


def test_the_second_environment_is_made_where_there_is_none() -> None:
    (found,) = our_recipe.found_in(one("pip", Item("six"), environment=SECOND))
    assert found.target.made
