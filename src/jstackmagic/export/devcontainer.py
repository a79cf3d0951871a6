"""devcontainer.json, for VS Code, Codespaces and other tools that work in a container.

By default it builds the Dockerfile that lies beside it. With ``--image`` it takes an image that
holds the recipe already, and with ``--post-create`` the base image, where a script installs the
recipe when the container is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..model.errors import ExportError
from ..model.pins import Pin
from ..model.recipe import Recipe, Style
from ..model.text import as_json
from ..model.words import checked
from . import dockerfile, script
from ._artifact import Artifact, File
from ._format import PIN, Format, option
from ._images import check_image

_SCRIPT = "install.sh"
_FOLDER = ".devcontainer"
"""The folder where the tools look for it, below the one they are started in."""


def render(
    recipe: Recipe,
    *,
    base_image: str = "",
    image: str | None = None,
    post_create: bool = False,
    features: Sequence[str] = (),
    pin: Pin = "exact",
    style: Style | None = None,
    user: str = "",
    in_image: Sequence[str] = (),
    conda_program: str = "",
) -> Artifact:
    """Render a recipe as a development container.

    Args:
        base_image: The image to build on, or to install into.
        image: An image that has the recipe, in place of both.
        post_create: Install in the container rather than build.
        features: The ids of features to add.
        style, user, in_image, conda_program: The Dockerfile's; see `dockerfile.render`.

    Raises:
        ExportError: An image is not known, or something cannot be said safely.
    """
    said: dict[str, Any] = {}
    if image is not None:
        if post_create:
            raise ExportError(
                "--image holds the recipe already; --post-create would install it again."
            )
        check_image(image, advice=("Name it: --image IMAGE",))
        said["image"] = image
        made = Artifact("", notes=(f"{image} must have been built of this recipe.",))
    elif post_create:
        check_image(base_image, advice=("Name it: --from IMAGE",))
        said["image"] = base_image
        said["postCreateCommand"] = ["sh", f"{_FOLDER}/{_SCRIPT}"]
        made = _beside(_SCRIPT, script.render(recipe, pin=pin))
    else:
        made = dockerfile.render(
            recipe,
            style=style,
            base_image=base_image,
            pin=pin,
            user=user,
            in_image=in_image,
            conda_program=conda_program,
        )
        said["build"] = {"dockerfile": "Dockerfile"}
        if made.secrets:
            variables = {key: key.upper() for key in made.secrets}
            said["build"]["options"] = [f"--secret=id={k},env={v}" for k, v in variables.items()]
            note = f"The build reads them from these variables: {', '.join(variables.values())}."
            made = replace(made, notes=(*made.notes, note))
        made = _beside("Dockerfile", made)
    if features:
        said["features"] = {checked(feature): {} for feature in features}
    said["customizations"] = {"vscode": {"extensions": ["ms-toolsai.jupyter"]}}
    text = as_json(said) + "\n"
    return Artifact(text, made.files, made.notes, made.secrets)


def _beside(name: str, other: Artifact) -> Artifact:
    """Return another format's artifact, with its text as a file of that name."""
    file = File(name, other.text.encode(), executable=other.executable)
    return Artifact("", (file, *other.files), other.notes, other.secrets)


FORMAT = Format(
    description=__doc__,
    files={".devcontainer/devcontainer.json": {}},
    render=render,
    options=(
        option("--from", dest="base_image", metavar="IMAGE", default="", help="the base image"),
        option("--image", metavar="IMAGE", help="an image that holds the recipe already"),
        option(
            "--post-create",
            action="store_true",
            help="install when the container is made, on the base image as it is",
        ),
        option(
            "--feature",
            dest="features",
            metavar="ID",
            action="append",
            default=[],
            help="a feature to add to the container; may be given again",
        ),
        *dockerfile.PATTERN,
        PIN,
    ),
    needs={"base image": ""},
)
