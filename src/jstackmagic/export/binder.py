"""A binder/ folder, which repo2docker and BinderHub turn into the same environments.

``environment.yml`` is what the notebook server's own environment is given; it has Python's version,
so that no ``runtime.txt`` is needed. ``apt.txt`` has the Debian packages, and ``postBuild`` makes
the further environments, each with a kernelspec.
"""

from __future__ import annotations

from ..model.environment import EnvironmentRef
from ..model.pins import Pin
from ..model.recipe import Recipe
from ..model.words import quoted
from . import apt
from ._artifact import Artifact, File
from ._beside import Beside
from ._choice import Chosen, choose, file_names
from ._format import ENVIRONMENT, PIN, Format
from ._requirements import Requirements
from .conda import environment_yml

_NO_ENVIRONMENT = "dependencies:\n- python\n"

_HEAD = """\
#!/bin/bash
# Made by jstackmagic from the record of what was installed.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
"""
_TIDY = '"${MAMBA_EXE}" clean --all -f -y\n'


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render a recipe as a folder for repo2docker, with one environment as the server's own."""
    packages, notes = apt.packages(recipe, "none")
    notes += [
        f"The image is repo2docker's own: what was removed from yours stays, {', '.join(removed)}."
        for step in recipe.steps
        if (removed := step.remove) and step.environment is not None
    ]
    requirements = Requirements(pin, Beside(recipe), projects=True)
    text, files = _NO_ENVIRONMENT, list[File]()
    known = {step.environment.prefix: step.environment for step in recipe.steps if step.environment}
    if known or name or prefix:
        main = choose(recipe, name=name, prefix=prefix)
        text, more = environment_yml(main, requirements, pin)
        notes += more
        others = [ref for ref in known.values() if ref != main.environment]
        files += _further(recipe, others, requirements, pin, notes)
    if packages:
        files.append(File("apt.txt", apt.text_of(packages).encode()))
    files += requirements.files
    return Artifact(text, tuple(files), notes)


def _further(
    recipe: Recipe,
    environments: list[EnvironmentRef],
    requirements: Requirements,
    pin: Pin,
    notes: list[str],
) -> list[File]:
    """Return the file of each further environment, and the postBuild that makes them."""
    files: list[File] = []
    script = _HEAD
    for environment, name in file_names(environments).items():
        chosen = choose(recipe, prefix=environment.prefix)
        kernel = ("ipykernel",) if chosen.python else ()
        text, more = environment_yml(chosen, requirements, pin, more=kernel)
        notes += more
        notes += _moved(environment, name)
        files.append(File(f"environment-{name}.yml", text.encode()))
        script += _commands(chosen, name)
    if files:
        files.append(File("postBuild", (script + _TIDY).encode(), executable=True))
    return files


def _moved(environment: EnvironmentRef, name: str) -> list[str]:
    if environment.kind == "conda-named" and environment.name == name:
        return []
    return [f"{environment.prefix} becomes the conda environment {name} there."]


def _commands(chosen: Chosen, name: str) -> str:
    prefix = f'"${{CONDA_DIR}}/envs/{name}"'
    file = quoted(f"environment-{name}.yml")
    lines = [f'"${{MAMBA_EXE}}" env create --yes --prefix {prefix} --file {file}']
    if chosen.python:
        lines.append(
            f'"${{CONDA_DIR}}/envs/{name}/bin/python" -m ipykernel install'
            f' --prefix "${{NB_PYTHON_PREFIX}}" --name {quoted(name)}'
        )
    return "".join(f"{line}\n" for line in lines)


FORMAT = Format(
    description=__doc__,
    files={"binder/environment.yml": {}},
    render=render,
    options=(*ENVIRONMENT, PIN),
)
