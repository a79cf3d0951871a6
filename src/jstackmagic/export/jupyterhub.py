"""A JupyterHub's settings for the image that holds the recipe: Zero to JupyterHub, DockerSpawner.

The packages are in the image, which ``%envimage build`` makes of the same recipe; the hub learns
its name. With ``--profile NAME`` the image is one that users may choose, else it is everybody's.
"""

from __future__ import annotations

from typing import Literal, get_args

from ..model.recipe import Recipe
from ..model.reference import written
from ..model.words import checked
from ._artifact import Artifact
from ._format import Format, option
from ._images import check_image, name_and_tag

Hub = Literal["z2jh", "dockerspawner"]
HUBS: tuple[Hub, ...] = get_args(Hub)


_HEAD = "# Made by jstackmagic from the record of what was installed, which is in the image.\n"


def render(recipe: Recipe, *, hub: Hub = "z2jh", image: str = "", profile: str = "") -> Artifact:
    """Render the settings.

    Args:
        profile: The name under which users choose it; empty if all get it.

    Raises:
        ExportError: The image is not known.
    """
    build = "%envimage build registry.example.com/lab/analysis:1 --push"
    check_image(image, advice=(f"Build it: {build}", "Then name it: --image"))
    checked(profile)
    text = _values(image, profile) if hub == "z2jh" else _config(image, profile)
    notes = [f"{image} must have been built of this recipe: %envimage build"]
    if not written(image).registry:
        notes.append(
            f"{image} names no registry: it is only where it was built. Push it under a name that"
            f" the hub's nodes can pull: {build}"
        )
    if not recipe.steps:
        notes.append("Nothing was installed: it is the base image as it is.")
    return Artifact(_HEAD + text, notes=tuple(notes))


def _values(image: str, profile: str) -> str:
    if profile:
        return (
            "singleuser:\n"
            "  profileList:\n"
            f"    - display_name: {_word(profile)}\n"
            "      kubespawner_override:\n"
            f"        image: {_word(image)}\n"
        )
    name, tag = name_and_tag(image)  # the chart joins them by a colon
    return f"singleuser:\n  image:\n    name: {_word(name)}\n    tag: {_word(tag)}\n"


def _config(image: str, profile: str) -> str:
    setting = f"allowed_images = {{{_word(profile)}: {_word(image)}}}" if profile else None
    return (
        "c = get_config()  # noqa: F821\n"
        'c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"\n'
        f"c.DockerSpawner.{setting or f'image = {_word(image)}'}\n"
    )


def _word(text: str) -> str:
    """Return a string in double quotes, with the escapes that YAML and Python read alike."""
    escaped = (
        f"\\{character}"
        if character in '"\\'
        else character
        if character.isprintable()
        else f"\\U{ord(character):08x}"
        for character in text
    )
    return f'"{"".join(escaped)}"'


FORMAT = Format(
    description=__doc__,
    files={
        "jupyterhub/values.yaml": {"hub": "z2jh"},
        "jupyterhub/jupyterhub_config.py": {"hub": "dockerspawner"},
    },
    render=render,
    options=(
        option(
            "--hub",
            choices=HUBS,
            default="z2jh",
            help="values.yaml for Zero to JupyterHub (z2jh, the default), or jupyterhub_config.py",
        ),
        option(
            "--image",
            metavar="IMAGE",
            default="",
            help="the image; by default the last that %%envimage built of this history",
        ),
        option("--profile", metavar="NAME", default="", help="as one that users may choose"),
    ),
    needs={"built image": ""},
)
