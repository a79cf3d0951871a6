"""A hub's settings: Zero to JupyterHub's schema, and a real DockerSpawner that loads them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jstackmagic.export import jupyterhub
from jstackmagic.history.built import note_image
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Recipe
from jstackmagic.session import Session
from strategies import hostile
from support.exports import two_environments
from support.records import remember
from support.verbs import verb

if TYPE_CHECKING:
    from dockerspawner import DockerSpawner
    from traitlets.config import Config

# github:jupyterhub/zero-to-jupyterhub-k8s, jupyterhub/values.schema.yaml
SCHEMA = json.loads((Path(__file__).parent.parent / "schemas/z2jh.json").read_text())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)

IMAGES = (
    "registry.example.com/lab/analysis:2026-11",
    "registry.example.com:5000/lab/analysis",
    "registry.example.com/lab/analysis:1@sha256:" + "0" * 64,
    "registry.example.com/lab/analysis@sha256:" + "0" * 64,
    "registry.example.com/lab/analysis:1.10",  # YAML's number, if it were not quoted
)


def config(text: str, folder: Path) -> Config:
    """The configuration that JupyterHub itself reads out of the file."""
    from jupyterhub.app import JupyterHub  # two seconds, which each worker would spend on it

    path = folder / "jupyterhub_config.py"
    path.write_text(text)
    hub = JupyterHub()
    hub.load_config_file(str(path))
    return hub.config


def spawner(loaded: Config) -> DockerSpawner:
    """The spawner of one user, set up by a configuration."""
    from dockerspawner import DockerSpawner

    return DockerSpawner(config=loaded, user=SimpleNamespace(name="ada"))


@pytest.mark.parametrize("image", IMAGES)
def test_zero_to_jupyterhub(image: str) -> None:
    values = yaml.safe_load(jupyterhub.render(two_environments(), image=image).text)
    VALIDATOR.validate(values)
    said = values["singleuser"]["image"]
    # as the chart's own jupyterhub_config.py joins them
    pulled = f"{said['name']}:{said['tag']}"
    assert pulled == image if ":" in image.rpartition("/")[2] else f"{image}:latest"


@pytest.mark.parametrize("image", IMAGES)
def test_dockerspawner_takes_it(image: str, tmp_path: Path) -> None:
    from dockerspawner import DockerSpawner
    from jupyterhub.app import JupyterHub

    text = jupyterhub.render(two_environments(), hub="dockerspawner", image=image).text
    loaded = config(text, tmp_path)
    hub = JupyterHub(config=loaded)
    assert hub.spawner_class is DockerSpawner
    assert spawner(loaded).image == image


def test_as_one_that_users_may_choose(tmp_path: Path) -> None:
    image = IMAGES[0]
    name = 'Analysis: "R", #2 \\ é'
    values = yaml.safe_load(jupyterhub.render(Recipe(), image=image, profile=name).text)
    VALIDATOR.validate(values)
    (profile,) = values["singleuser"]["profileList"]
    assert profile["display_name"] == name
    assert profile["kubespawner_override"] == {"image": image}
    text = jupyterhub.render(Recipe(), hub="dockerspawner", image=image, profile=name).text
    assert spawner(config(text, tmp_path)).allowed_images == {name: image}


def test_the_image_must_be_known() -> None:
    with pytest.raises(ExportError) as raised:
        jupyterhub.render(two_environments())
    assert "%envimage build" in raised.value.advice[0]
    with pytest.raises(ExportError):
        jupyterhub.render(two_environments(), image="a b")


def test_an_image_without_a_registry_is_only_here() -> None:
    notes = jupyterhub.render(two_environments(), image="lab/analysis:1").notes
    assert any("no registry" in note for note in notes)
    more = jupyterhub.render(two_environments(), image=IMAGES[0]).notes
    assert not any("no registry" in note for note in more)


@settings(max_examples=20)
@given(hostile, st.sampled_from(("z2jh", "dockerspawner")))
def test_a_profile_s_name_is_a_string_and_no_more(
    tmp_path_factory: pytest.TempPathFactory, name: str, hub: str
) -> None:
    try:
        text = jupyterhub.render(Recipe(), hub=hub, image=IMAGES[0], profile=name).text  # type: ignore[arg-type]
    except ExportError:
        return
    if hub == "z2jh":
        (profile,) = yaml.safe_load(text)["singleuser"]["profileList"]
        assert profile["display_name"] == name
    else:
        loaded = config(text, tmp_path_factory.mktemp("hub"))
        assert list(loaded.DockerSpawner.allowed_images) == [name]


def test_names_the_image_that_was_last_built_of_this_history() -> None:
    """As ``%envimage build`` notes it, which tests/image/test_image_engine.py does for real."""
    remember("pip", ("six",), "six", "1.17.0")
    note_image(IMAGES[0], Session().history)
    values = yaml.safe_load(verb("export", "jupyterhub").text)["singleuser"]["image"]
    assert f"{values['name']}:{values['tag']}" == IMAGES[0]
