"""The Dockerfile: its patterns, its quoting, its secrets, its files; read by others' parsers."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import dockerfile as parser
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jstackmagic import export
from jstackmagic.export.dockerfile import FORMAT, STYLES, render
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import ExportError, UsageError
from jstackmagic.model.packages import CondaDetail, Package
from jstackmagic.model.pins import pinned
from jstackmagic.model.recipe import Holding, Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from jstackmagic.model.spec import read
from jstackmagic.model.words import holds_credential
from strategies import BASE, BY_PREFIX, SECOND, SYSTEM, VENV, hostile, recipes
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from jstackmagic.export import Artifact
    from jstackmagic.model.packages import ManagerName
    from jstackmagic.model.recipe import Style

IGNORED_BY_THE_STACKS = ("DL3006", "DL3008", "DL3013", "DL3066")  # their .hadolint.yaml

ROOT = EnvironmentRef("conda-base", "base", "/opt/conda", "3.5.2")
PYTHON2 = EnvironmentRef("conda-named", "python2", "/opt/conda/envs/python2", "2.7.12")

RICH = Recipe(
    (
        RecipeStep(
            "apt",
            None,
            install=(
                Item("libpq-dev", "libpq-dev", "15.3-1"),
                Item("graphviz=2.42.4-2", "graphviz", "2.42.4-2"),
                Item("/w/tool_1.0_amd64.deb", "tool", "1.0"),
            ),
            remove=("nano",),
            options=("-o", "Dpkg::Options::=--force-confold"),
        ),
        RecipeStep(
            "conda",
            BASE,
            install=(
                Item("pymongo>4", "pymongo", "4.13.2"),
                Item("forge::numpy=1.26=py313_0", "numpy", "1.26.4", build="py313_7"),
                Item("/w/my-tool-1.0-py_0.conda", "my-tool", "1.0"),
            ),
            remove=("scipy",),
        ),
        RecipeStep(
            "conda",
            BASE,
            install=(Item("r-base", "r-base"),),
            sources=Sources(channels=("forge", "bio")),
        ),
        RecipeStep(
            "pip",
            BASE,
            install=(
                Item("-c /w/limits.txt"),
                Item("flake8", "flake8", "7.3.0", upgrade=True),
                Item("dask[array]>1; python_version>'3'", "dask", "2026.1"),
                Item("-r /w/a list.txt", brought=(Item("idna", "idna", "3.1"),)),
                Item("-e /home/jovyan/work/mine[test]", "mine", "0.1"),
                Item("/w/six-1.17.0-py3-none-any.whl[z]", "six", "1.17.0", sha256="00"),
                Item("u @ file:///w/u%20x.zip", "u"),
                Item(
                    "git+https://git.example.com/t.git@main#egg=t",
                    "t",
                    "0.1",
                    source="git+https://git.example.com/t.git@0123abcdef",
                ),
                Item("o'neil==1", "o'neil"),
            ),
            sources=Sources(
                index_url="https://pypi.example.com/simple",
                extra_index_urls=("https://more.example.com/simple",),
            ),
            options=("--no-deps",),
        ),
        RecipeStep("conda", SECOND, install=(Item("pandas", "pandas", "2.2"),)),
        RecipeStep("pip", SECOND, install=(Item("twitter", "twitter", "1.19.6"),)),
        RecipeStep("conda", BY_PREFIX, install=(Item("r-dplyr", "r-dplyr", "1.1"),)),
        RecipeStep("pip", VENV, install=(Item("aa", "aa", "1"),)),
        RecipeStep(
            "pip",
            VENV,
            install=(Item("bb", "bb", "1"),),
            sources=Sources(index_url="https://b.example.com/s"),
        ),
        RecipeStep("pip", SYSTEM, install=(Item("cc", "cc", "1"),)),
    ),
    holdings=(
        Holding(
            BASE,
            (
                Package(
                    "conda",
                    "pymongo",
                    "4.13.2",
                    url="https://conda.example.com/lab/linux-64/pymongo-4.13.2-0.conda",
                    sha256="0" * 64,
                ),
                Package(
                    "pip",
                    "flake8",
                    "7.3.0",
                    url="https://pypi.example.com/flake8-7.3.0-py3-none-any.whl",
                    sha256="1" * 64,
                ),
            ),
            details=(CondaDetail("pymongo", ("python",), "2" * 32),),
        ),
    ),
)


def hadolint(*texts: str) -> str:
    """What hadolint has to say, whatever its severity; of several, each by its number."""
    program = shutil.which("hadolint", path=Path(sys.executable).parent) or "hadolint"
    ignored = [word for rule in IGNORED_BY_THE_STACKS for word in ("--ignore", rule)]
    with TemporaryDirectory() as folder:
        for number, text in enumerate(texts):
            Path(folder, str(number)).write_text(text)
        command = [program, "--no-color", *ignored, *map(str, range(len(texts)))]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout + done.stderr


def words(artifact: Artifact) -> list[str]:
    """Every word of every instruction, as the builder and then the shell split them."""
    found: list[str] = []
    for command in parser.parse_string(artifact.text):
        assert command.heredocs == ()
        if command.cmd == "RUN":
            line = command.value[2] if command.json else command.value[0]
            found += shlex.split(line)
        else:
            found += [command.cmd, *command.value]
    return found


def instructions(text: str) -> list[str]:
    return [command.cmd for command in parser.parse_string(text)]


def runs(text: str) -> list[str]:
    return [
        c.value[2] if c.json else c.value[0] for c in parser.parse_string(text) if c.cmd == "RUN"
    ]


def one(
    manager: ManagerName, *install: Item, environment: EnvironmentRef = BASE, **more: object
) -> Recipe:
    step = RecipeStep(manager, None if manager == "apt" else environment, install=install, **more)  # type: ignore[arg-type]
    return Recipe((step,))


class TestPatterns:
    def test_stacks(self) -> None:
        recipe = Recipe(
            (
                RecipeStep("apt", None, install=(Item("libpq-dev", "libpq-dev"),)),
                RecipeStep("conda", BASE, install=(Item("pymongo", "pymongo", "4.13.2"),)),
                RecipeStep("pip", BASE, install=(Item("flake8", "flake8", "7.3.0"),)),
            )
        )
        image = "registry.example.com/jupyter/base-notebook:2026-11-02@sha256:" + "0" * 64
        assert render(recipe, base_image=image).text == (
            f"""\
# Made by jstackmagic from the record of what was installed.
ARG BASE_IMAGE={image}
"""
            """\
FROM $BASE_IMAGE
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER root
RUN apt-get update --yes && \\
    apt-get install --yes --no-install-recommends \\
    'libpq-dev' && \\
    apt-get clean && rm -rf /var/lib/apt/lists/*
USER ${NB_UID}
RUN mamba install --yes \\
    'pymongo=4.13.2' && \\
    mamba clean --all -f -y && \\
    fix-permissions "${CONDA_DIR}" && \\
    fix-permissions "/home/${NB_USER}"
RUN pip install --no-cache-dir \\
    'flake8==7.3.0' && \\
    fix-permissions "${CONDA_DIR}" && \\
    fix-permissions "/home/${NB_USER}"
"""
        )

    def test_stacks_makes_a_second_environment_where_the_image_has_none(self) -> None:
        steps = [step for step in RICH.steps if step.environment == SECOND]
        make, conda, pip = runs(render(Recipe(tuple(steps)), style="stacks").text)
        assert make.startswith('if [ ! -e "${CONDA_DIR}/envs/python310/conda-meta" ]; then')
        assert """ -p "${CONDA_DIR}/envs/python310" 'python=3.10' 'ipykernel' 'pip' &&""" in make
        assert (
            """/bin/python" -m ipykernel install --prefix "${CONDA_DIR}" --name='python310'"""
            in make
        )
        assert conda.startswith("""mamba install --yes -p "${CONDA_DIR}/envs/python310" """)
        assert pip.startswith('"${CONDA_DIR}/envs/python310/bin/pip" install --no-cache-dir ')
        assert all(line.count("fix-permissions") == 2 for line in (make, conda, pip))

    def test_an_environment_without_python_gets_no_kernel(self) -> None:
        text = render(one("conda", Item("r-base"), environment=BY_PREFIX), style="stacks").text
        assert "mamba create --yes -p '/srv/r env'; " in text.replace("\\\n    ", "")
        assert "ipykernel" not in text

    def test_legacy(self) -> None:
        recipe = Recipe(
            (
                RecipeStep("conda", ROOT, install=(Item("pymongo", "pymongo", "3.4.0"),)),
                RecipeStep("pip", ROOT, install=(Item("nltk", "nltk", "3.2"),)),
                RecipeStep("conda", PYTHON2, install=(Item("pymongo", "pymongo", "3.4.0"),)),
                RecipeStep("pip", PYTHON2, install=(Item("twitter", "twitter", "1.17.1"),)),
            )
        )
        artifact = render(recipe, style="legacy", base_image="jupyter/scipy-notebook:82b978b3ceeb")
        assert artifact.text.split("FROM $BASE_IMAGE\n")[1] == (
            """\
USER root
RUN conda install --yes --name root \\
    'pymongo=3.4.0' && \\
    conda clean -tipsy
RUN ["bash", "-c", "source activate root && pip install --no-cache-dir 'nltk==3.2'"]
RUN conda install --yes --name python2 \\
    'pymongo=3.4.0' && \\
    conda clean -tipsy
RUN ["bash", "-c", "source activate python2 && pip install --no-cache-dir 'twitter==1.17.1'"]
USER jovyan
"""
        )
        assert artifact.notes == ()

    def test_plain(self) -> None:
        recipe = Recipe(
            (
                RecipeStep("apt", None, install=(Item("graphviz", "graphviz", "2.42"),)),
                RecipeStep("conda", BASE, install=(Item("pymongo", "pymongo", "4.13.2"),)),
                RecipeStep("pip", BASE, install=(Item("flake8", "flake8", "7.3.0"),)),
                RecipeStep("pip", SYSTEM, install=(Item("six", "six", "1.17.0"),)),
            )
        )
        text = render(recipe, base_image="registry.example.com/lab:1").text
        assert text.split("FROM $BASE_IMAGE\n")[1] == (
            """\
# Debian's archives keep no old versions to ask for. These were:
#   graphviz 2.42
RUN DEBIAN_FRONTEND=noninteractive apt-get update --yes && \\
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \\
    'graphviz' && \\
    apt-get clean && rm -rf /var/lib/apt/lists/*
RUN conda install --yes --name base \\
    'pymongo=4.13.2' && \\
    conda clean --all --yes
RUN '/opt/conda/bin/python' -m pip install --no-cache-dir \\
    'flake8==7.3.0' && \\
    '/usr/bin/python3' -m pip install --no-cache-dir \\
    'six==1.17.0'
"""
        )

    @pytest.mark.parametrize("style", STYLES)
    def test_a_removal_from_the_base(self, style: str) -> None:
        recipe = Recipe(
            (
                RecipeStep("apt", None, remove=("nano",)),
                RecipeStep("conda", BASE, remove=("scipy",)),
                RecipeStep("pip", BASE, remove=("nltk",)),
            )
        )
        text = render(recipe, style=style, base_image="x:1").text  # type: ignore[arg-type]
        flat = text.replace("\\\n    ", "")
        assert re.search(r"apt-get remove --yes 'nano' &&", flat)
        assert re.search(r"(mamba|conda) remove --yes.* 'scipy' &&", flat)
        assert re.search(r"pip uninstall --yes 'nltk'", flat)
        assert not re.search(r"\binstall --", flat)
        assert hadolint(text) == ""

    def test_system_python_needs_root_in_the_stacks(self) -> None:
        text = render(one("pip", Item("six"), environment=SYSTEM), style="stacks").text
        assert [line for line in text.splitlines() if line.startswith("USER")] == [
            "USER root",
            "USER ${NB_UID}",
        ]

    @pytest.mark.parametrize("style", STYLES)
    def test_nothing_installed_says_so(self, style: str) -> None:
        text = render(Recipe(), style=style, base_image="x:1").text  # type: ignore[arg-type]
        assert instructions(text) == ["ARG", "FROM"]
        assert "# Nothing was installed" in text
        assert hadolint(text) == ""


class TestTheWhole:
    @pytest.mark.parametrize("style", STYLES)
    def test_hadolint_has_nothing_to_say(self, style: str) -> None:
        texts = [
            render(
                RICH,
                style=style,  # type: ignore[arg-type]
                base_image="x:1",
                pin=pin,  # type: ignore[arg-type]
                cache_mounts=cache_mounts,
            ).text
            for pin, cache_mounts in (("exact", False), ("spec", True), ("none", False))
        ]
        wrong = texts[0].replace("--no-install-recommends", "")
        looked_at = {line.partition(":")[0] for line in hadolint(*texts, wrong).splitlines()}
        assert looked_at == {str(len(texts))}, "and it did look"

    @settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
    @given(recipes(), st.sampled_from(STYLES), st.sampled_from(("exact", "spec", "none")))
    def test_hadolint_has_nothing_to_say_of_any(self, recipe: Recipe, style: str, pin: str) -> None:
        text = render(recipe, style=style, base_image="x:1", pin=pin).text  # type: ignore[arg-type]
        assert hadolint(text) == ""

    @pytest.mark.parametrize("style", STYLES)
    def test_a_fragment_is_the_rest_of_the_whole(self, style: str) -> None:
        whole = render(RICH, style=style, base_image="x:1").text  # type: ignore[arg-type]
        fragment = render(RICH, style=style, fragment=True).text  # type: ignore[arg-type]
        assert not {"ARG", "FROM", "SHELL"} & set(instructions(f"FROM x:1\n{fragment}")[1:])
        body = fragment.split("\n", 1)[1]
        assert whole.endswith(body)

    def test_the_image(self) -> None:
        assert "ARG BASE_IMAGE=jupyter/base-notebook\n" in render(RICH).text
        assert "--from" in " ".join(render(RICH).notes)
        with pytest.raises(ExportError, match="not known"):
            render(RICH, style="plain")
        for image in ("x y", "x\nRUN id", "$(id)", "x#y", "-x", "me:pw@example.com/x"):
            with pytest.raises(ExportError, match="is not an image"):
                render(RICH, base_image=image)

    @pytest.mark.parametrize(
        ("image", "shell"),
        [
            ("registry.example.com/jupyter/scipy-notebook:2026-11-02", True),
            ("registry.example.com:5000/jupyter/base-notebook", True),
            ("jupyter/datascience-notebook@sha256:00", True),
            ("python:3.13", False),
            ("example.com/lab/jupyter", False),
        ],
    )
    def test_the_style_follows_the_image(self, image: str, shell: bool) -> None:
        assert ("SHELL" in instructions(render(RICH, base_image=image).text)) is shell

    def test_variables_alone_make_no_stacks_image(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def style() -> str | None:
            options = argparse.ArgumentParser()
            FORMAT.declare(options)
            return options.parse_args(["--from", "python:3.13"]).style  # type: ignore[no-any-return]

        assert style() is None
        monkeypatch.setenv("CONDA_DIR", "/opt/conda")
        monkeypatch.setenv("NB_UID", "1000")
        assert style() == "plain"  # tests/field/test_lookalike_images.py has the rest

    def test_the_classic_builder_can_build_it(self) -> None:
        for style in STYLES:
            text = render(RICH, style=style, base_image="x:1").text
            assert "--mount" not in text
            assert "<<" not in text
            assert "syntax=" not in text

    @pytest.mark.parametrize("style", STYLES)
    def test_buildkit_keeps_the_downloads_where_that_is_asked_for(self, style: str) -> None:
        artifact = render(RICH, style=style, base_image="x:1", cache_mounts=True)  # type: ignore[arg-type]
        text = artifact.text
        assert all("--mount=type=cache" in run for run in text.split("\nRUN ")[1:])
        for emptied in ("--no-cache-dir", " clean ", "rm -rf"):
            assert emptied not in text
        owner = "user 1000 of group 100" if style == "stacks" else "root"
        assert f",uid={1000 if style == 'stacks' else 0}," in text
        assert any(f"must run as {owner}" in note for note in artifact.notes)

    def test_what_a_credential_gave_access_to_is_not_kept(self) -> None:
        private = one(
            "pip", Item("a"), sources=Sources(index_url="https://u:p@pypi.example.com/simple")
        )
        text = render(private, base_image="x:1", cache_mounts=True).text
        assert "type=secret" in text
        assert "type=cache" not in text
        assert "--no-cache-dir" in text


class TestPins:
    @pytest.mark.parametrize(
        ("manager", "item", "exact", "none"),
        [
            ("conda", Item("numpy", "numpy", "2.1"), "numpy=2.1", "numpy"),
            ("conda", Item("numpy >=1,<3", "numpy", "2.1"), "numpy=2.1", "numpy"),
            ("conda", Item("numpy>=1|2.*", "numpy", "2.1"), "numpy=2.1", "numpy"),
            ("conda", Item("f::numpy", "numpy", "2.1"), "f::numpy=2.1", "f::numpy"),
            (
                "conda",
                Item("f/linux-64::numpy", "numpy", "2"),
                "f/linux-64::numpy=2",
                "f/linux-64::numpy",
            ),
            (
                "conda",
                Item("numpy=2=py3*", "numpy", "2.1", "py313_1"),
                "numpy=2.1=py313_1",
                "numpy",
            ),
            (
                "conda",
                Item("numpy 2 py3*", "numpy", "2.1", "py313_1"),
                "numpy=2.1=py313_1",
                "numpy",
            ),
            ("conda", Item("numpy=2", "numpy", "2.1", "py313_1"), "numpy=2.1", "numpy"),
            (
                "conda",
                Item("numpy[build='py3*',channel=f]", "numpy", "2", "b1"),
                "f::numpy=2=b1",
                "f::numpy",
            ),
            (
                "conda",
                Item("numpy[sha256=00]", "numpy", "2"),
                "numpy[sha256=00]",
                "numpy[sha256=00]",
            ),
            ("conda", Item("numpy>=1"), "numpy>=1", "numpy"),
            ("pip", Item("Six>1", "six", "1.17"), "Six==1.17", "Six"),
            ("pip", Item("six"), "six", "six"),
            ("pip", Item("torch", "torch", "2.1+cpu"), "torch==2.1+cpu", "torch"),
            ("pip", Item("tz", "tz", "2004-b-x"), "tz===2004-b-x", "tz"),
            (
                "pip",
                Item("d[a,b]~=1.0; os_name=='posix'", "d", "1.2"),
                'd[a,b]==1.2; os_name == "posix"',
                'd[a,b]; os_name == "posix"',
            ),
            (
                "pip",
                Item("t @ https://e.example.com/t.zip", "t", "1"),
                "t @ https://e.example.com/t.zip",
                "t @ https://e.example.com/t.zip",
            ),
            (
                "pip",
                Item(
                    "git+ssh://git@g.example.com/o/t.git@fix/it#subdirectory=s",
                    "t",
                    "1",
                    source="git+ssh://git@g.example.com/o/t.git@0123abc#subdirectory=s",
                ),
                "git+ssh://git@g.example.com/o/t.git@0123abc#subdirectory=s",
                "git+ssh://git@g.example.com/o/t.git@fix/it#subdirectory=s",
            ),
            (
                "pip",
                Item(
                    "t[x] @ git+https://g.example.com/t.git",
                    "t",
                    "1",
                    source="git+https://g.example.com/t.git@0123abc",
                ),
                "t[x] @ git+https://g.example.com/t.git@0123abc",
                "t[x] @ git+https://g.example.com/t.git",
            ),
            (
                "pip",
                Item(
                    "-e git+https://g.example.com/t.git#egg=t",
                    "t",
                    "1",
                    source="git+https://g.example.com/t.git@0123abc",
                ),
                "-e git+https://g.example.com/t.git@0123abc#egg=t",
                "-e git+https://g.example.com/t.git#egg=t",
            ),
            ("pip", Item("-r /w/l.txt"), "-r /w/l.txt", "-r /w/l.txt"),
            ("apt", Item("graphviz", "graphviz", "2.42"), "graphviz", "graphviz"),
            ("apt", Item("graphviz=2.42", "graphviz", "2.42"), "graphviz=2.42", "graphviz"),
        ],
    )
    def test_of_a_spec(self, manager: ManagerName, item: Item, exact: str, none: str) -> None:
        item = replace(item, spec=read(manager, item.spec))
        assert pinned(item, "exact") == exact
        assert pinned(item, "none") == none
        assert pinned(item, "spec") == item.text

    def test_pip_upgrades_what_the_base_has_where_no_version_makes_it(self) -> None:
        recipe = one("pip", Item("aa", "aa", "1"), Item("bb", "bb", "2", upgrade=True))
        (exact,) = runs(render(recipe, style="stacks").text)
        assert "--upgrade" not in exact
        (spec,) = runs(render(recipe, style="stacks", pin="spec").text)
        assert shlex.split(spec.split("&&")[0])[-1] == "aa"
        assert shlex.split(spec.split("&&")[1])[:4] == [
            "pip",
            "install",
            "--no-cache-dir",
            "--upgrade",
        ]
        assert shlex.split(spec.split("&&")[1])[-1] == "bb"

    def test_a_file_s_versions_are_constraints(self) -> None:
        item = Item("-r /w/l.txt", brought=(Item("six", "six", "1"), Item("idna", "idna", "3")))
        exact = render(one("pip", item), style="stacks")
        assert f"--constraint '/tmp/{exact.files[1].name}'" in exact.text
        assert [f.source for f in exact.files] == ["/w/l.txt", b"idna==3\nsix==1\n"]
        assert [f.source for f in render(one("pip", item), pin="spec").files] == ["/w/l.txt"]


# -- quoting


@given(
    recipes(), st.sampled_from(STYLES), st.sampled_from(("exact", "spec", "none")), st.booleans()
)
def test_every_spec_can_be_read_back(
    recipe: Recipe, style: str, pin: str, cache_mounts: bool
) -> None:
    options = {"style": style, "base_image": "x:1", "pin": pin, "cache_mounts": cache_mounts}
    artifact = render(recipe, **options)  # type: ignore[arg-type]
    found = words(artifact)
    for step in recipe.steps:
        for item in step.install:
            assert pinned(item, pin) in found  # type: ignore[arg-type]
        assert set(step.remove) <= set(found)
        assert set(step.sources.channels) <= set(found) or step.manager != "conda"
    again = render(recipe, **options)  # type: ignore[arg-type]
    assert again.text.encode() == artifact.text.encode()


_VARIABLES = {"CONDA_DIR": "/opt/conda", "NB_USER": "jovyan"}


def _argv(text: str, folder: Path) -> list[list[str]]:
    """The command lines that a real shell makes of the RUN instructions.

    Every program is a recording stand-in, which writes its arguments down.
    """
    record = folder / "argv"
    record.unlink(missing_ok=True)
    for command in parser.parse_string(text):
        if command.cmd != "RUN":
            continue
        argv = list(command.value) if command.json else ["/bin/sh", "-c", command.value[0]]
        if argv[0] == "bash":  # "source activate" is no stand-in's business
            argv[2] = re.sub(r"^source activate \w+ && ", "", argv[2])
        subprocess.run(
            argv,
            check=True,
            cwd=folder,
            env={"PATH": str(folder / "bin"), "RECORD": str(record), **_VARIABLES},
        )
    lines = record.read_bytes().decode().split("\0\n") if record.exists() else []
    return [line.split("\0") for line in lines if line]


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `bin` holds a recording stand-in for each program that a RUN calls."""
    folder = tmp_path_factory.mktemp("stand ins")
    (folder / "bin").mkdir()
    script = folder / "bin/record"
    script.write_text(
        '#!/bin/sh\n{ printf "%s\\0" "${0##*/}" "$@"; echo; } >>"$RECORD"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    for name in ("apt-get", "conda", "mamba", "pip", "python", "fix-permissions", "rm"):
        (folder / "bin" / name).symlink_to(script)
    (folder / "bin/bash").symlink_to("/bin/bash")
    return folder


_places = (
    lambda text: one("apt", Item(text)),
    lambda text: one("conda", Item(text)),
    lambda text: one("pip", Item(text)),
    lambda text: one("conda", Item("aa"), sources=Sources(channels=(text,))),
    lambda text: one("pip", Item("aa"), sources=Sources(index_url=text)),
    lambda text: one("pip", Item("aa"), options=(text,)),
    lambda text: one("pip", remove=(text,)),
)


_REFUSED = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]|\s*-"
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile, st.sampled_from(_places), st.sampled_from(STYLES))
def test_whatever_it_says_it_reaches_the_manager_as_one_argument_or_is_refused(
    stand_ins: Path, text: str, place: Callable[[str], Recipe], style: Style
) -> None:
    assume(text.strip() and not holds_credential(text) and not text.startswith("-"))
    environment = PYTHON2 if style == "legacy" else BASE  # there the exec form is taken
    recipe = Recipe(
        tuple(
            replace(step, environment=environment if step.environment else None)
            for step in place(text).steps
        )
    )
    try:
        artifact = render(recipe, style=style, base_image="x:1", pin="spec")
    except ExportError:
        assert _REFUSED.search(text)
        return
    if artifact.files:  # a path: its file is copied, and it is that which is installed
        return
    if artifact.secrets:  # a channel's variable, which no file of ours fills in
        assert re.search(r"\$\{?[A-Za-z_]", text)
        return
    assert len(runs(artifact.text)) == 1
    recorded = _argv(artifact.text.replace("/opt/conda/bin/python", "python"), stand_ins)
    others = {"aa", "install", "update", "clean", "python", "conda", "mamba", "pip", "apt-get"}
    assert sum(line.count(text) for line in recorded) == 1 or text in others
    tidy = {"stacks": {"apt": 2, "conda": 3, "pip": 2}, "plain": {"apt": 2, "conda": 1, "pip": 0}}
    expected = tidy.get(style, {"apt": 2, "conda": 1, "pip": 0})
    assert len(recorded) == 1 + expected[recipe.steps[0].manager] + (place is _places[0])


@pytest.mark.parametrize(
    "text",
    [
        "a\nUSER root",
        "a\r\nb",
        "a\\\n",
        "a\0b",
        "a\u2028b",
        "a\u0085b",
        "a\u202eb",
        "a\udcff",
        "\t",
    ],
)
def test_what_no_quoting_can_hold_is_refused(text: str) -> None:
    for place in _places:
        with pytest.raises(ExportError, match=r"U\+"):
            render(place(text), style="stacks")


@pytest.mark.parametrize("text", ["--index-url=https://evil.example.com", "-rfile", " -e", "-"])
def test_an_option_is_no_spec(text: str) -> None:
    for place in _places[:3]:
        with pytest.raises(ExportError, match="is an option"):
            render(place(text), style="stacks")


@pytest.mark.parametrize("name", ["a b", "$(id)", "a'b", "..", "a/b", "-x"])
def test_an_environment_s_name_and_prefix_are_quoted_too(name: str, stand_ins: Path) -> None:
    there = stand_ins / "prefix"
    prefix = f"{there}/{name}"
    Path(prefix, "conda-meta").mkdir(parents=True, exist_ok=True)
    for kind in ("conda-named", "conda-prefix"):
        environment = EnvironmentRef(kind, name, prefix, None)  # type: ignore[arg-type]
        text = render(one("conda", Item("aa"), environment=environment), style="stacks").text
        assert ["mamba", "install", "--yes", "-p", prefix, "aa"] in _argv(text, stand_ins)
    shutil.rmtree(there)


# -- secrets

SECRETS = Recipe(
    (
        RecipeStep(
            "conda",
            BASE,
            install=(Item("aa", "aa", "1"),),
            sources=Sources(channels=("https://conda.example.com/t/tk-s3cret/lab", "forge")),
        ),
        RecipeStep(
            "conda", BASE, install=(Item("https://me:s3cret@c.example.com/b-1-0.conda", "b"),)
        ),
        RecipeStep(
            "pip",
            BASE,
            install=(
                Item("git+https://s3cret-s3cret@git.example.com/t.git@main", "t"),
                Item("cc", "cc", "1"),
            ),
            sources=Sources(
                index_url="https://me:s3cret@pypi.example.com/simple",
                extra_index_urls=(
                    "https://public.example.com/simple",
                    "https://me:s3cret@one.example.com/simple",
                    "https://me:s3cret@two.example.com/simple",
                ),
            ),
            options=("--find-links", "https://me:s3cret@links.example.com/"),
        ),
    )
)


class TestSecrets:
    @pytest.mark.parametrize("style", STYLES)
    def test_no_credential_is_anywhere_and_each_has_its_mount(self, style: str) -> None:
        artifact = render(SECRETS, style=style, base_image="x:1")  # type: ignore[arg-type]
        assert "s3cret" not in repr(artifact)
        assert "****" not in artifact.text
        mounted = re.findall(r"--mount=type=secret,id=(\w+),required=true,mode=0444", artifact.text)
        read = re.findall(r"/run/secrets/(\w+)", artifact.text)
        assert (
            sorted(mounted)
            == sorted(set(read))
            == [
                "conda_channel",
                "conda_spec",
                "pip_extra_index_url",
                "pip_extra_index_url_2",
                "pip_index_url",
                "pip_option",
                "pip_spec",
            ]
        )
        for name in mounted:
            assert any(f"--secret id={name},src=FILE" in note for note in artifact.notes)
            assert any(
                note.startswith(f"The FILE of the secret {name} holds") for note in artifact.notes
            )
        assert hadolint(artifact.text) == ""

    def test_the_builder_s_shell_gives_them_to_the_managers(
        self, stand_ins: Path, tmp_path: Path
    ) -> None:
        text = render(SECRETS, style="stacks").text.replace(
            "/run/secrets", shlex.quote(str(tmp_path))
        )
        contents = {
            "conda_channel": "CHANNEL",
            "pip_index_url": "INDEX",
            "pip_extra_index_url": "ONE\n",
            "pip_extra_index_url_2": "TWO",
            "pip_option": "a link; $(id)",
        }
        for name, content in contents.items():
            (tmp_path / name).write_text(content)
        (stand_ins / "bin/cat").unlink(missing_ok=True)
        (stand_ins / "bin/cat").symlink_to(shutil.which("cat") or "/bin/cat")
        shutil.copy(stand_ins / "bin/record", stand_ins / "bin/keep")
        try:
            with_variables = (
                '#!/bin/sh\n{ printf "%s\\0" "${0##*/}" "${CONDA_CHANNELS-}${PIP_INDEX_URL-}"'
                ' "${PIP_EXTRA_INDEX_URL-}" "$@"; echo; } >>"$RECORD"\n'
            )
            (stand_ins / "bin/record").write_text(with_variables)
            lines = _argv(text, stand_ins)
        finally:
            shutil.move(stand_ins / "bin/keep", stand_ins / "bin/record")
        assert ["mamba", "CHANNEL,forge", "", "install", "--yes", "aa=1"] in lines
        assert ["mamba", "", "", "install", "--yes", "--file", f"{tmp_path}/conda_spec"] in lines
        assert lines[-3] == [
            *("pip", "INDEX", "ONE TWO", "install", "--no-cache-dir"),
            *("--extra-index-url", "https://public.example.com/simple"),
            *("--find-links", "a link; $(id)"),
            *("--requirement", f"{tmp_path}/pip_spec", "cc==1"),
        ]

    def test_where_none_can_be_passed_nothing_is_written(self) -> None:
        for recipe in (
            one("conda", Item("aa"), options=("-c", "https://me:s3cret@c.example.com/x")),
            one("apt", Item("aa"), options=("https://me:s3cret@c.example.com/x",)),
        ):
            with pytest.raises(ExportError, match="credential") as raised:
                render(recipe, style="stacks")
            assert "s3cret" not in str(raised.value)


# -- files


class TestFiles:
    def test_copied_before_they_are_used_under_names_that_need_no_quoting(self) -> None:
        text = render(RICH, style="stacks").text
        copies = [c for c in parser.parse_string(text) if c.cmd == "COPY"]
        assert all(c.flags == ("--chown=${NB_UID}:${NB_GID}",) for c in copies)
        wheel = "six-1.17.0-py3-none-any.whl"
        pairs = {c.value[0]: c.value[1] for c in copies}
        assert pairs == {
            "jstackmagic/tool_1.0_amd64.deb": "/tmp/jstackmagic/tool_1.0_amd64.deb",
            "jstackmagic/my-tool-1.0-py_0.conda": "/tmp/jstackmagic/my-tool-1.0-py_0.conda",
            "jstackmagic/limits.txt": "/tmp/jstackmagic/limits.txt",
            "jstackmagic/a_list.txt": "/tmp/jstackmagic/a_list.txt",
            "jstackmagic/mine": "/home/jovyan/work/mine",
            f"jstackmagic/{wheel}": f"/tmp/jstackmagic/{wheel}",
            "jstackmagic/u_x.zip": "/tmp/jstackmagic/u_x.zip",
            "jstackmagic/versions-72ea5714.txt": "/tmp/jstackmagic/versions-72ea5714.txt",
        }
        for target in pairs.values():
            assert 0 < text.index(target) < text.rindex(target)
        found = words(render(RICH, style="stacks"))
        assert "/tmp/jstackmagic/six-1.17.0-py3-none-any.whl[z]" in found
        assert found[found.index("--editable") + 1] == "/home/jovyan/work/mine[test]"
        assert "u @ file:///tmp/jstackmagic/u_x.zip" in found
        assert {f.name: f.source for f in render(RICH, style="stacks").files}[
            "jstackmagic/u_x.zip"
        ] == "/w/u x.zip"

    def test_conda_takes_archives_by_themselves(self) -> None:
        text = render(RICH, style="stacks").text
        conda = next(run for run in runs(text) if "mamba install" in run)
        commands = [shlex.split(command) for command in conda.split("&&")]
        assert commands[1:3] == [
            ["mamba", "install", "--yes", "pymongo=4.13.2", "forge::numpy=1.26.4=py313_7"],
            ["mamba", "install", "--yes", "/tmp/jstackmagic/my-tool-1.0-py_0.conda"],
        ]

    def test_two_of_one_name_and_one_asked_for_twice(self) -> None:
        recipe = one(
            "pip", Item("-r /a/l.txt"), Item("-r /b/l.txt"), Item("-r /a/l.txt", upgrade=True)
        )
        artifact = render(recipe, style="plain", base_image="x:1")
        assert [(f.name, f.source) for f in artifact.files] == [
            ("jstackmagic/l.txt", "/a/l.txt"),
            ("jstackmagic/2/l.txt", "/b/l.txt"),
        ]
        assert instructions(artifact.text).count("COPY") == 2

    def test_written_beside_it(self, tmp_path: Path) -> None:
        project = tmp_path / "my project"
        for name in (
            "pyproject.toml",
            "src/mine.py",
            ".git/config",
            "src/__pycache__/m.pyc",
            ".env",
        ):
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(name)
        wheel = tmp_path / "six-1-py3-none-any.whl"
        wheel.write_bytes(b"wheel")
        sha256 = hashlib.sha256(b"wheel").hexdigest()
        recipe = one("pip", Item(f"-e {project}"), Item(str(wheel), "six", "1", sha256=sha256))
        artifact = render(recipe, style="stacks")
        target = tmp_path / "out/Dockerfile"
        for _ in range(2):
            written = artifact.write(target)
            assert written == (
                target,
                tmp_path / "out/jstackmagic/my_project",
                tmp_path / "out/jstackmagic/six-1-py3-none-any.whl",
            )
            copied = {
                str(path.relative_to(target.parent / "jstackmagic/my_project"))
                for path in (target.parent / "jstackmagic/my_project").rglob("*")
                if path.is_file()
            }
            assert copied == {"pyproject.toml", "src/mine.py"}
            (project / "src/gone.py").unlink(missing_ok=True)
        assert target.read_text() == artifact.text
        assert written[2].read_bytes() == b"wheel"
        assert artifact.check() == ()
        wheel.write_bytes(b"another")
        assert artifact.check() == (f"{wheel} has changed since it was installed.",)

    def test_written_into_the_project_that_it_copies(self, tmp_path: Path) -> None:
        (tmp_path / "mine.py").write_text("")
        artifact = render(one("pip", Item(f"-e {tmp_path}")), style="stacks")
        for _ in range(3):
            artifact.write(tmp_path / "Dockerfile")
        copy = tmp_path / "jstackmagic" / tmp_path.name
        assert not (copy / "jstackmagic").exists()
        assert (copy / "mine.py").exists()

    def test_one_that_is_gone_is_never_dropped_in_silence(self, tmp_path: Path) -> None:
        artifact = render(one("pip", Item("/gone/six-1-py3-none-any.whl")), style="stacks")
        assert "COPY" in instructions(artifact.text)
        assert "no longer there" in artifact.check()[0]
        with pytest.raises(ExportError, match="no longer there"):
            artifact.write(tmp_path / "Dockerfile")
        assert list(tmp_path.iterdir()) == []

    def test_what_a_requirements_file_includes_goes_with_it(self, tmp_path: Path) -> None:
        (tmp_path / "more").mkdir()
        (tmp_path / "list.txt").write_text(
            "-r more/base.txt  # the rest\nsix>=1  # why\n-r list.txt\n"
        )
        (tmp_path / "more/base.txt").write_text("idna==3.1 \\\n    --hash=sha256:00\n-r deep.txt\n")
        (tmp_path / "more/deep.txt").write_text(
            "--extra-index-url https://${TOKEN}@e.example.com\n"
        )
        artifact = render(one("pip", Item(f"-r {tmp_path}/list.txt")), style="stacks")
        artifact.write(tmp_path / "out/Dockerfile")
        assert (tmp_path / "out/jstackmagic/list.txt").read_text() == (
            "idna==3.1 \\\n    --hash=sha256:00\n"
            "--extra-index-url https://${TOKEN}@e.example.com\nsix>=1  # why\n"
        )

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("--index-url https://me:s3cret@e.example.com/simple", "credential"),
            ("-e ./here", "local file"),
            ("-e here", "local file"),
            ("-c limits.txt", "local file"),
            ("/w/six-1-py3-none-any.whl", "local file"),
            ("t @ file:///w/t.zip", "local file"),
            ("--find-links wheels", "local file"),
        ],
    )
    def test_what_cannot_go_with_it_is_said(self, tmp_path: Path, line: str, problem: str) -> None:
        (tmp_path / "list.txt").write_text(f"six\n{line}\n")
        artifact = render(one("pip", Item(f"-r {tmp_path}/list.txt")), style="stacks")
        with pytest.raises(ExportError, match=rf"Line 2 .*{problem}") as raised:
            artifact.write(tmp_path / "out/Dockerfile")
        assert "s3cret" not in str(raised.value)
        assert not (tmp_path / "out").exists()

    def test_a_folder_or_an_unwritable_place(self, tmp_path: Path) -> None:
        artifact = render(Recipe(), base_image="x:1")
        with pytest.raises(ExportError, match="is a folder"):
            artifact.write(tmp_path)
        (tmp_path / "file").write_text("")
        with pytest.raises(ExportError, match="cannot be written"):
            artifact.write(tmp_path / "file/Dockerfile")

    def test_a_channel_or_index_of_this_machine_is_pointed_out(self) -> None:
        recipe = Recipe(
            (
                *one(
                    "conda", Item("aa"), sources=Sources(channels=("file:///srv/channel", "forge"))
                ).steps,
                *one("pip", Item("aa"), sources=Sources(index_url="/srv/simple")).steps,
            )
        )
        notes = " ".join(render(recipe, style="stacks").notes)
        assert "file:///srv/channel" in notes
        assert "/srv/simple" in notes
        assert "forge" not in notes


class TestFormats:
    def test_are_the_modules_of_the_folder(self) -> None:
        formats = export.formats()
        files = Path(export.__file__).parent.glob("[!_]*.py")
        assert set(formats) == {file.stem.replace("_", "-") for file in files}
        for form in formats.values():
            assert form.summary
            assert form.files
            options = argparse.ArgumentParser()
            form.declare(options)
            assert vars(options.parse_args([])) == form.defaults()
            # what is declared is what ``render`` takes, and nothing is left to a look at it
            taken = {*form.keywords(form.defaults()), *{"records"} & set(form.needs)}
            taken |= {"own"} if "jstackmagic" in form.needs else set()
            _, *keywords = inspect.signature(form.render).parameters
            assert set(keywords) == taken
            assert set(form.needs.values()) <= {"", *form.defaults()}

    def test_one_more_file_is_one_more_format(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "shout_loud.py").write_text(
            '"""Shouts."""\n'
            "from jstackmagic.export import Artifact, Format\n"
            'FORMAT = Format(__doc__, {"LOUD": {}}, lambda recipe: Artifact("AA\\n"))\n'
        )
        monkeypatch.setattr(export, "__path__", [*export.__path__, str(tmp_path)])
        assert export.get("shout-loud").summary == "Shouts."
        assert verb("export", "shout-loud").text == "AA\n"

    def test_an_unknown_one(self) -> None:
        with pytest.raises(UsageError, match="dockerfiel") as raised:
            export.get("dockerfiel")
        assert "dockerfile" in raised.value.advice[0]

    def test_importing_them_is_cheap(self) -> None:
        code = (
            "import sys, jstackmagic.export as e; e.formats(); "
            "print(*{'packaging', 'msgspec', 'yaml'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert done.stdout.strip() == ""
