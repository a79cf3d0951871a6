"""devcontainer.json against its published schema, and what lies beside it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given

from jstackmagic.export import Artifact, devcontainer, dockerfile, script
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe
from jstackmagic.model.sources import Sources
from strategies import hostile, recipes
from support.acceptance import PASSWORD, Acceptance
from support.exports import SECRET, one, two_environments

IMAGE = "registry.example.com/lab/base:2026-11"
# github:devcontainers/spec, schemas/devContainer.base.schema.json
SCHEMA = json.loads((Path(__file__).parent.parent / "schemas/devcontainer.json").read_text())
VALIDATOR = jsonschema.Draft201909Validator(SCHEMA)


def said(artifact: Artifact) -> dict[str, object]:
    """What the file says, which is valid."""
    value = json.loads(artifact.text)
    VALIDATOR.validate(value)
    return value


def test_the_schema_refuses_what_is_wrong() -> None:
    """The validator would see it if we wrote nonsense."""
    for wrong in ({"build": {}}, {"image": 1}, {"image": "x", "features": []}, {"imagee": "x"}):
        assert not VALIDATOR.is_valid({**wrong, "postCreateCommand": "true"})


def test_builds_the_dockerfile_beside_it(acceptance: Acceptance, tmp_path: Path) -> None:
    recipe = acceptance.recipe()
    artifact = devcontainer.render(recipe, base_image=IMAGE)
    assert said(artifact)["build"]["dockerfile"] == "Dockerfile"
    assert PASSWORD not in artifact.text + " ".join(artifact.notes)
    artifact.write(tmp_path / ".devcontainer/devcontainer.json")
    written = (tmp_path / ".devcontainer/Dockerfile").read_text()
    assert written == dockerfile.render(recipe, base_image=IMAGE).text
    copied = tmp_path / ".devcontainer/jstackmagic/demo_local-1.0-py3-none-any.whl"
    assert copied.is_file()


def test_a_secret_reaches_the_build_from_a_variable() -> None:
    index = f"https://me:{SECRET}@pypi.example.com/simple"
    recipe = one("pip", Item("six", "six", "1"), sources=Sources(index_url=index))
    artifact = devcontainer.render(recipe, base_image=IMAGE)
    options = said(artifact)["build"]["options"]
    assert options == ["--secret=id=pip_index_url,env=PIP_INDEX_URL"]
    assert "id=pip_index_url" in artifact.files[0].source.decode()
    assert any("PIP_INDEX_URL" in note for note in artifact.notes)
    whole = repr(artifact)
    assert SECRET not in whole


def test_with_an_image_that_holds_it_all() -> None:
    artifact = devcontainer.render(two_environments(), image=IMAGE, features=["./mine", "./mine"])
    value = said(artifact)
    assert (value["image"], value["features"]) == (IMAGE, {"./mine": {}})
    assert "build" not in value
    assert artifact.files == ()


def test_installs_when_the_container_is_made(tmp_path: Path) -> None:
    artifact = devcontainer.render(two_environments(), base_image=IMAGE, post_create=True)
    value = said(artifact)
    assert value["image"] == IMAGE
    artifact.write(tmp_path / ".devcontainer/devcontainer.json")
    program, file = value["postCreateCommand"]
    assert program == "sh"
    assert (tmp_path / file).read_text() == script.render(two_environments()).text


@pytest.mark.parametrize(
    "options",
    [
        {"post_create": True},
        {"image": "x y"},
        {"image": ""},
        {"image": IMAGE, "post_create": True},
        {"base_image": IMAGE, "features": ["a\nb"]},
    ],
)
def test_refuses(options: dict[str, object]) -> None:
    with pytest.raises(ExportError):
        devcontainer.render(Recipe(), **options)  # type: ignore[arg-type]


@given(recipes(), hostile)
def test_is_valid_whatever_is_in_it(recipe: Recipe, feature: str) -> None:
    for options in ({}, {"post_create": True}):
        try:
            artifact = devcontainer.render(recipe, base_image=IMAGE, features=[feature], **options)
        except ExportError:
            continue
        assert said(artifact)["features"] == {feature: {}}
