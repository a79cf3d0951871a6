"""Images with the variables of the Docker Stacks and none of their tools, and the reverse."""

from __future__ import annotations

import argparse
import re
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.export import binder, dockerfile, formats, script
from jstackmagic.history.file import History
from jstackmagic.image import context
from jstackmagic.image.engine.container import ContainerBase
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from jstackmagic.where.image import look_at_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jstackmagic.export._format import Format
    from jstackmagic.where.image import There

    Built = Callable[[ContainerBase, There], str]

PANGEO = {
    "CONDA_DIR": "/srv/conda",
    "NB_UID": "1000",
    "NB_USER": "jovyan",
    "NB_PYTHON_PREFIX": "/srv/conda/envs/notebook",
    "PATH": "/srv/conda/envs/notebook/bin:/usr/bin",
}
STACKS = {"CONDA_DIR": "/opt/conda", "NB_UID": "1000", "PATH": "/opt/conda/bin:/usr/bin"}
TOOLS = (
    "/usr/local/bin/fix-permissions",
    "/usr/local/bin/start.sh",
    "/opt/conda/bin/mamba",
)
NOTEBOOK = EnvironmentRef("conda-named", "notebook", "/srv/conda/envs/notebook", "3.11.9")
CHAPTER = EnvironmentRef("conda-named", "chapter", "/opt/conda/envs/chapter", "3.12.1")
RECIPE = Recipe(
    (
        RecipeStep("apt", None, install=(Item("graphviz", "graphviz"),)),
        RecipeStep("conda", NOTEBOOK, install=(Item("six", "six", "1.17.0"),)),
        RecipeStep("pip", NOTEBOOK, install=(Item("idna", "idna", "3.10"),)),
    )
)


def image(*files: str) -> There:
    """The files of an image; the folders above them are there as well."""
    return lambda path: any(f"{name}/".startswith(f"{path}/") for name in files)


def rendered(
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    there: There,
    *words: str,
    form: Format = dockerfile.FORMAT,
) -> str:
    """Render as the verb does, with all files: the options' defaults are this kind of image's."""
    monkeypatch.setattr(dockerfile, "look_at_image", lambda: look_at_image(environ, there))
    parser = argparse.ArgumentParser()
    form.declare(parser)
    made = form.render(RECIPE, **form.keywords(vars(parser.parse_args(words))))
    files = (file.source for file in made.files)
    return made.text + "".join(each.decode() for each in files if isinstance(each, bytes))


class TestKinds:
    """E5: an image is known by its tools, not by its variables."""

    def test_the_stacks_are_known_by_their_tools(self) -> None:
        assert look_at_image(STACKS, image(*TOOLS)).kind == "stacks"

    @pytest.mark.parametrize(
        "tools",
        [
            (),
            ("/usr/local/bin/fix-permissions", "/usr/local/bin/start.sh"),  # no mamba
            ("/usr/local/bin/start.sh", "/opt/conda/bin/mamba"),  # no fix-permissions
            ("/usr/bin/fix-permissions", "/opt/conda/bin/mamba"),  # somewhere else
        ],
    )
    def test_variables_do_not_make_one(self, tools: tuple[str, ...]) -> None:
        assert look_at_image(STACKS, image(*tools)).kind == "other"

    @pytest.mark.parametrize(
        "environ",
        [
            {"PATH": "/usr/bin:/bin"},  # a login by ssh, or a cron job
            {**STACKS, "PATH": "/opt/conda/envs/chapter/bin:/usr/bin"},
            {**STACKS, "NB_PYTHON_PREFIX": "/srv/conda/envs/notebook"},  # another image's
            {**STACKS, "CONDA_DIR": "/opt/conda/"},
        ],
    )
    def test_nor_does_it_need_them(self, environ: dict[str, str]) -> None:
        assert look_at_image(environ, image(*TOOLS)).kind == "stacks"

    def test_an_environment_is_the_image_s_only_where_it_is(self) -> None:
        assert look_at_image(PANGEO, image("/srv/conda/bin/conda")).prefixes == ()
        there = image("/srv/conda/envs/notebook/bin/python")
        assert look_at_image(PANGEO, there).prefixes == ("/srv/conda/envs/notebook",)

    @pytest.mark.parametrize(
        ("more", "kind"),
        [
            ((), "legacy"),
            (("/usr/local/bin/fix-permissions",), "other"),
            (("/opt/conda/bin/mamba", "/usr/local/bin/fix-permissions"), "stacks"),
        ],
    )
    def test_the_old_stacks_by_theirs(self, more: tuple[str, ...], kind: str) -> None:
        files = ("start.sh", "start-notebook.sh")
        old = (*(f"/usr/local/bin/{name}" for name in files), "/opt/conda/envs/python2/bin/python")
        assert look_at_image(STACKS, image(*old, *more)).kind == kind
        assert look_at_image(STACKS, image(*old[:-1])).kind == "other"

    def test_a_machine_with_neither_is_no_image(self) -> None:
        assert look_at_image({"PATH": "/usr/bin"}, image()).kind == ""

    def test_a_user_s_own_micromamba_makes_none(self) -> None:
        home = {"HOME": "/home/joe", "MAMBA_ROOT_PREFIX": "/home/joe/micromamba"}
        there = image("/home/joe/micromamba/envs", "/home/joe/bin/micromamba")
        assert look_at_image({**home, "PATH": "/home/joe/bin"}, there).kind == ""

    def test_the_conda_that_is_there_is_called(self) -> None:
        there = image("/srv/conda/condabin/conda")
        assert look_at_image(PANGEO, there).conda == '"${CONDA_DIR}/condabin/conda"'
        there = image("/srv/conda/condabin/conda", "/srv/conda/envs/notebook/bin/mamba")
        assert look_at_image(PANGEO, there).conda == '"${CONDA_DIR}/condabin/conda"'


def test_a_dockerfile_for_pangeos_image_builds_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = image("/srv/conda/condabin/conda", "/srv/conda/envs/notebook/bin/python")
    text = rendered(monkeypatch, PANGEO, there, "--from", "pangeo/pangeo-notebook:1")
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
        ({"PATH": "/opt/conda/bin:/usr/bin", "MAMBA_ROOT_PREFIX": "/opt/conda", "MAMBA_USER": "u"},
         ("/usr/bin/micromamba", "/opt/conda/bin/python"), "micromamba"),
        ({"PATH": "/usr/bin"}, ("/opt/conda/condabin/conda",), "/opt/conda/condabin/conda"),
    ],
)  # fmt: skip
def test_no_other_conda_is_called_than_the_one_that_is_there(
    environ: dict[str, str],
    files: tuple[str, ...],
    program: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = rendered(monkeypatch, environ, image(*files), "--from", "x:1")
    called = re.findall(r"(\S+) (?:install|create|clean) --(?:all )?(?:--)?yes", text)
    condas = {each for each in called if "conda" in each or "mamba" in each}
    assert condas == {program}


def test_micromamba_s_base_is_said_by_its_path() -> None:
    base = EnvironmentRef("conda-base", "base", "/opt/conda", "3.12.1")
    recipe = Recipe((RecipeStep("conda", base, install=(Item("six"),)),))
    text = dockerfile.render(
        recipe, style="plain", base_image="x:1", conda_program="micromamba"
    ).text
    assert "micromamba install --yes --prefix '/opt/conda'" in text
    text = dockerfile.render(recipe, style="plain", base_image="x:1", conda_program="conda").text
    assert "conda install --yes --name base" in text


MICROMAMBA = {"MAMBA_ROOT_PREFIX": "/opt/conda", "MAMBA_USER": "mambauser"}


@pytest.mark.parametrize(
    ("environ", "files"),
    [
        (PANGEO, ()),
        (MICROMAMBA, ("/opt/conda/bin/python",)),
        ({}, ("/opt/conda/bin/conda",)),  # Anaconda's image, or a development container's
    ],
)
@pytest.mark.parametrize("name", ["dockerfile", "devcontainer"])
def test_without_a_base_image_it_asks_and_takes_no_other(
    environ: dict[str, str], files: tuple[str, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ExportError, match="not known"):
        rendered(monkeypatch, environ, image(*files), form=formats()[name])


def test_a_development_container_s_dockerfile_suits_the_image_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = image("/srv/conda/condabin/conda", "/srv/conda/envs/notebook/bin/python")
    form = formats()["devcontainer"]
    text = rendered(monkeypatch, PANGEO, there, "--from", "jupyter/x:1", form=form)
    assert "fix-permissions" not in text
    assert '"${CONDA_DIR}/condabin/conda" install' in text


class TestAnImageThatIsBuilt:
    """`%envimage build` looks at the base image's own files."""

    @pytest.fixture
    def built(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Built:
        def build(base: ContainerBase, there: There) -> str:
            monkeypatch.setattr(context, "container_of", lambda *_: nullcontext("id"))
            monkeypatch.setattr(context, "is_there", lambda engine, created, path: there(path))
            looks = context._looks(None, base)  # type: ignore[arg-type]
            rendering = context.Rendering(partial(dockerfile.render, RECIPE))
            context.write(tmp_path, rendering, History(tmp_path / "h.jsonl"), base, looks)
            return (tmp_path / "Dockerfile").read_text()

        return build

    @pytest.mark.parametrize("user", ["jovyan", "1000:100"])
    def test_variables_make_none_of_the_stacks(self, built: Built, user: str) -> None:
        base = ContainerBase("pangeo/x:1", "id", variables=PANGEO, user=user)
        text = built(base, image("/srv/conda/condabin/conda", "/usr/local/bin/start.sh"))
        assert "fix-permissions" not in text
        assert "--name root" not in text
        users = [line for line in text.splitlines() if line.startswith("USER")]
        assert users == ["USER root", f"USER {user}"] * 2  # for apt, and for the kernelspec

    def test_the_tools_do(self, built: Built) -> None:
        base = ContainerBase("lab/x:1", "id", variables=STACKS, user="jovyan")
        assert 'fix-permissions "${CONDA_DIR}"' in built(base, image(*TOOLS))

    def test_another_image_than_this_one_is_not_judged_by_this_one(self, built: Built) -> None:
        text = built(ContainerBase("python:3.12"), image(*TOOLS))
        assert "fix-permissions" not in text


@pytest.mark.parametrize(
    ("prefix", "said"),
    [("/home/joe/lab/.venv", True), ("/workspaces/lab/.venv", True), ("/opt/venv", False)],
)
def test_what_a_mount_will_hide_is_said(prefix: str, said: bool) -> None:
    venv = EnvironmentRef("venv", None, prefix, "3.12.1")
    recipe = Recipe((RecipeStep("pip", venv, install=(Item("six", "six", "1.17.0"),)),))
    notes = " ".join(dockerfile.render(recipe, base_image="x:1").notes)
    assert (f"{prefix} is in a folder that is usually mounted" in notes) is said
    assert "usually mounted" not in " ".join(script.render(recipe).notes)


def test_an_environment_of_the_home_that_the_image_has_elsewhere_needs_no_word() -> None:
    mine = EnvironmentRef("conda-named", "mine", "/home/jovyan/.conda/envs/mine", "3.12.1")
    recipe = Recipe((RecipeStep("conda", mine, install=(Item("six"),)),))
    made = dockerfile.render(recipe, style="stacks")
    assert '"${CONDA_DIR}/envs/mine"' in made.text
    assert "usually mounted" not in " ".join(made.notes)


def test_on_a_stacks_image_named_from_there_the_stacks_style_can_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ("--from", "quay.io/jupyter/base-notebook:1", "--style", "stacks")
    assert "fix-permissions" in rendered(monkeypatch, PANGEO, image(), *words)


def test_a_user_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ExportError, match="not a user"):
        rendered(monkeypatch, PANGEO, image(), "--from", "x:1", "--user", "a\nRUN id")


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

    @pytest.mark.parametrize("user", ["1000", "jovyan", "${NB_UID}"])
    def test_root_writes_it_where_the_images_user_may_not(self, user: str) -> None:
        text = dockerfile.render(self.RECIPE, style="plain", base_image="x:1", user=user).text
        made, written, rest = re.split(r"USER root\n|\nUSER \S+\n(?!.*USER root)", text, flags=re.S)
        assert f"USER {user}\n" in made
        assert "create" in made
        assert re.match(
            r"RUN test -e .*/kernels/\"'chapter' \|\| .*ipykernel install", written, re.S
        )
        assert text.endswith(rest)
        assert "six" in rest
        assert "ipykernel install" not in made + rest

    @pytest.mark.parametrize("user", ["", "root", "0"])
    def test_and_nobody_else_is_asked(self, user: str) -> None:
        text = dockerfile.render(self.RECIPE, style="plain", base_image="x:1", user=user).text
        assert text.count("USER ") == bool(user)
        assert "test -e" not in text

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
