"""Recipes for the tests of exports, and what they are read by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from strategies import BASE, SECOND, VENV

if TYPE_CHECKING:
    from pathlib import Path

    from repo2docker.buildpacks.base import BuildPack

    from jstackmagic.model.environment import EnvironmentRef
    from jstackmagic.model.packages import ManagerName

SECRET = "s3cr3t"  # no export may hold it
HOSTILE = "aa;touch$IFS/tmp/x`id`$(id)&&'\"\\"


def one(
    manager: ManagerName, *install: Item, environment: EnvironmentRef = BASE, **more: object
) -> Recipe:
    """A recipe of one step."""
    step = RecipeStep(manager, None if manager == "apt" else environment, install=install, **more)  # type: ignore[arg-type]
    return Recipe((step,))


def two_environments() -> Recipe:
    """Debian packages, and conda's and pip's in a base environment, a named one and a venv."""
    return Recipe(
        (
            RecipeStep("apt", None, install=(Item("graphviz", "graphviz", "2.42.2-7"),)),
            RecipeStep(
                "conda",
                BASE,
                install=(Item("lab::numpy>1", "numpy", "2.0.1"),),
                sources=Sources(channels=("lab",)),
            ),
            RecipeStep("pip", BASE, install=(Item("dask[array]>2", "dask", "2026.1"),)),
            RecipeStep("conda", SECOND, install=(Item("pandas", "pandas", "2.2"),)),
            RecipeStep("pip", SECOND, install=(Item("twitter", "twitter", "1.19.6"),)),
            RecipeStep("pip", VENV, install=(Item("flake8", "flake8", "7.3.0"),)),
        )
    )


def repo2docker(folder: Path) -> tuple[BuildPack, str]:
    """The build pack that repo2docker picks for a repository, and the Dockerfile it makes of it."""
    from repo2docker.app import Repo2Docker  # a third of a second

    here = os.getcwd()
    os.chdir(folder)
    try:
        app = Repo2Docker()
        packs = [kind(app.base_image) for kind in app.buildpacks]
        default = app.default_buildpack(app.base_image)
        picked = next((pack for pack in packs if pack.detect()), default)
        picked.platform = "linux/amd64"
        return picked, str(picked.render())
    finally:
        os.chdir(here)
