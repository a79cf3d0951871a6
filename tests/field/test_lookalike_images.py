"""Images with the variables of the Docker Stacks and none of their tools, and the reverse."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.export import binder, dockerfile, script
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from jstackmagic.where.image import look_at_image

if TYPE_CHECKING:
    from pathlib import Path

PANGEO = {
    "CONDA_DIR": "/srv/conda",
    "NB_UID": "1000",
    "NB_USER": "jovyan",
    "NB_PYTHON_PREFIX": "/srv/conda/envs/notebook",
    "PATH": "/srv/conda/envs/notebook/bin:/usr/bin",
}
STACKS = {"CONDA_DIR": "/opt/conda", "NB_UID": "1000", "PATH": "/opt/conda/bin:/usr/bin"}
NOTEBOOK = EnvironmentRef("conda-named", "notebook", "/srv/conda/envs/notebook", "3.11.9")
CHAPTER = EnvironmentRef("conda-named", "chapter", "/opt/conda/envs/chapter", "3.12.1")
RECIPE = Recipe(
    (
        RecipeStep("apt", None, install=(Item("graphviz", "graphviz"),)),
        RecipeStep("conda", NOTEBOOK, install=(Item("six", "six", "1.17.0"),)),
        RecipeStep("pip", NOTEBOOK, install=(Item("idna", "idna", "3.10"),)),
    )
)


def image(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    return root


def rendered(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], root: Path, *words: str
) -> str:
    """Render as the verb does: with the options' defaults in an image of this kind."""
    monkeypatch.setattr(dockerfile, "look_at_image", lambda: look_at_image(environ, root))
    parser = argparse.ArgumentParser()
    dockerfile.FORMAT.declare(parser)
    options: dict[str, Any] = dockerfile.FORMAT.keywords(vars(parser.parse_args(words)))
    return dockerfile.render(RECIPE, **options).text


class TestKinds:
    """E5: an image is known by its tools, not by its variables."""

    def test_the_stacks_are_known_by_their_tools(self, tmp_path: Path) -> None:
        tools = (
            "/usr/local/bin/fix-permissions",
            "/usr/local/bin/start.sh",
            "/opt/conda/bin/mamba",
        )
        assert look_at_image(STACKS, image(tmp_path, *tools)).kind == "stacks"

    @pytest.mark.parametrize(
        "tools",
        [
            (),
            ("/usr/local/bin/fix-permissions", "/usr/local/bin/start.sh"),  # no mamba
            ("/usr/local/bin/start.sh", "/opt/conda/bin/mamba"),  # no fix-permissions
            ("/usr/bin/fix-permissions", "/opt/conda/bin/mamba"),  # somewhere else
        ],
    )
    def test_variables_do_not_make_one(self, tmp_path: Path, tools: tuple[str, ...]) -> None:
        assert look_at_image(STACKS, image(tmp_path, *tools)).kind == "other"

    def test_a_machine_with_neither_is_no_image(self, tmp_path: Path) -> None:
        assert look_at_image({"PATH": "/usr/bin"}, tmp_path).kind == ""

    def test_the_conda_that_is_there_is_called(self, tmp_path: Path) -> None:
        root = image(tmp_path, "/srv/conda/condabin/conda")
        assert look_at_image(PANGEO, root).conda == '"${CONDA_DIR}/condabin/conda"'
        root = image(tmp_path, "/srv/conda/envs/notebook/bin/mamba")
        assert look_at_image(PANGEO, root).conda == '"${CONDA_DIR}/condabin/conda"'


def test_a_dockerfile_for_pangeos_image_builds_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = image(tmp_path, "/srv/conda/condabin/conda", "/usr/bin/python3")
    text = rendered(monkeypatch, PANGEO, root, "--from", "pangeo/pangeo-notebook:1")
    assert "fix-permissions" not in text
    assert "mamba" not in text
    assert "create" not in text
    assert (
        """"${CONDA_DIR}/condabin/conda" install --yes --prefix '/srv/conda/envs/notebook'"""
        in text
    )
    assert "'/srv/conda/envs/notebook/bin/python' -m pip install" in text
    users = [line for line in text.splitlines() if line.startswith("USER")]
    assert users == ["USER root", "USER ${NB_UID:-root}"]
    assert text.rindex("apt-get") < text.rindex("USER ${NB_UID:-root}")


@pytest.mark.parametrize(
    ("environ", "files", "program"),
    [
        (STACKS, ("/opt/conda/bin/conda",), "conda"),
        ({**STACKS, "PATH": "/usr/bin"}, ("/opt/conda/bin/conda",), '"${CONDA_DIR}/bin/conda"'),
        (PANGEO, ("/srv/conda/condabin/conda",), '"${CONDA_DIR}/condabin/conda"'),
        ({**STACKS, "PATH": "/opt/bin"}, ("/opt/bin/micromamba",), "micromamba"),
        ({**STACKS, "PATH": "/usr/bin"}, ("/opt/conda/condabin/mamba",),
         '"${CONDA_DIR}/condabin/mamba"'),
        ({**STACKS, "CONDA_DIR": "/opt/conda/"}, ("/opt/conda/bin/conda",), "conda"),
    ],
)  # fmt: skip
def test_no_other_conda_is_called_than_the_one_that_is_there(
    environ: dict[str, str],
    files: tuple[str, ...],
    program: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = rendered(monkeypatch, environ, image(tmp_path, *files), "--from", "x:1")
    called = re.findall(r"(\S+) (?:install|create|clean) --(?:all )?(?:--)?yes", text)
    condas = {each for each in called if "conda" in each or "mamba" in each}
    assert condas == {program}


def test_micromamba_s_base_is_said_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = EnvironmentRef("conda-base", "base", "/opt/conda", "3.12.1")
    recipe = Recipe((RecipeStep("conda", base, install=(Item("six"),)),))
    text = dockerfile.render(
        recipe, style="plain", base_image="x:1", conda_program="micromamba"
    ).text
    assert "micromamba install --yes --prefix '/opt/conda'" in text
    text = dockerfile.render(recipe, style="plain", base_image="x:1", conda_program="conda").text
    assert "conda install --yes --name base" in text


def test_without_a_base_image_it_asks_and_takes_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExportError, match="--from"):
        rendered(monkeypatch, PANGEO, tmp_path)


def test_on_a_stacks_image_named_from_there_the_stacks_style_can_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("--from", "quay.io/jupyter/base-notebook:1", "--style", "stacks")
    assert "fix-permissions" in rendered(monkeypatch, PANGEO, tmp_path, *words)


def test_a_user_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="not a user"):
        rendered(monkeypatch, PANGEO, tmp_path, "--from", "x:1", "--user", "a\nRUN id")


class TestTheKernelspec:
    """E4: A volume over the home folder hides what the image has in it."""

    RECIPE = Recipe((RecipeStep("conda", CHAPTER, install=(Item("six", "six", "1.17.0"),)),))

    @pytest.mark.parametrize("style", ["stacks", "plain"])
    def test_no_dockerfile_puts_it_into_the_home(self, style: Any) -> None:
        text = dockerfile.render(self.RECIPE, style=style, base_image="x:1").text
        line = next(line for line in text.splitlines() if "ipykernel install" in line)
        assert "--user" not in line
        where = (
            '"${CONDA_DIR}"' if style == "stacks" else '"$(dirname "$(dirname "$(command -v jupyter'
        )
        assert f"--prefix {where}" in line

    def test_in_a_virtual_environment_neither(self) -> None:
        venv = EnvironmentRef("venv", None, "/srv/lab", "3.12.1")
        recipe = Recipe((RecipeStep("pip", venv, install=(Item("six", "six", "1.17.0"),)),))
        text = dockerfile.render(recipe, style="stacks").text
        assert 'ipykernel install --prefix "${CONDA_DIR}"' in text

    def test_binder_and_the_script_name_the_servers_environment(self) -> None:
        both = Recipe((RecipeStep("conda", NOTEBOOK, install=(Item("six"),)), *self.RECIPE.steps))
        build = next(f for f in binder.render(both, name="notebook").files if f.name == "postBuild")
        assert isinstance(build.source, bytes)
        assert b'--prefix "${NB_PYTHON_PREFIX}"' in build.source
        assert 'ipykernel install "$(kernels)"' in script.render(self.RECIPE).text

    def test_what_the_image_brings_gets_no_kernelspec(self) -> None:
        text = dockerfile.render(
            self.RECIPE, style="plain", base_image="x:1", in_image=[CHAPTER.prefix]
        ).text
        assert "ipykernel" not in text
        assert "create" not in text


def test_an_index_with_a_variable_for_its_token_is_a_secret_of_the_build() -> None:
    url = "https://me:${TOKEN}@h.example.com/simple"
    venv = EnvironmentRef("venv", None, "/srv/lab", "3.12.1")
    for sources in (Sources(index_url=url), Sources(extra_index_urls=(url,))):
        step = RecipeStep("pip", venv, install=(Item("six", "six", "1.17.0"),), sources=sources)
        text = dockerfile.render(Recipe((step,)), base_image="x:1").text
        assert "index_url" in text
        assert "TOKEN" not in text


@pytest.mark.parametrize(
    ("prefix", "said"), [("/home/joe/.pyenv/versions/3.11.7", True), ("/usr", False)]
)
def test_a_python_of_this_machine_alone_is_named(prefix: str, said: bool) -> None:
    python = EnvironmentRef("system", None, prefix, "3.11.7")
    recipe = Recipe((RecipeStep("pip", python, install=(Item("six", "six", "1.17.0"),)),))
    notes = " ".join(dockerfile.render(recipe, base_image="x:1").notes)
    assert (f"The Python of {prefix} is not made: the base image must have it." in notes) is said
    notes = " ".join(script.render(recipe).notes)
    assert (f"The Python of {prefix} is not made: the python3 on the PATH" in notes) is said
