"""apt.txt and binder/: written for repo2docker, which reads them here, and read back."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jstackmagic import export
from jstackmagic.capture import files
from jstackmagic.export import apt, binder
from jstackmagic.history.file import History
from jstackmagic.model.errors import ExportError, UsageError
from jstackmagic.model.ledger import fold
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from strategies import BASE, BY_PREFIX, SECOND, SYSTEM, VENV, hostile, recipes
from support import r2d_image
from support.acceptance import PASSWORD
from support.exports import one, repo2docker, two_environments
from support.tiers import DNSPYTHON, SIX
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient

    from jstackmagic.export import Artifact
    from support.acceptance import Acceptance


def contents(artifact: Artifact) -> dict[str, str]:
    return {f.name: f.source.decode() for f in artifact.files if isinstance(f.source, bytes)}


def debian(*specs: str) -> Recipe:
    return one("apt", *(Item(spec, re.split("[=/]", spec)[0]) for spec in specs))


class TestAptTxt:
    def test_bare_names_in_alphabetical_order(self) -> None:
        recipe = debian("libpq-dev=15.3-1", "graphviz", "g++", "tree/stable", "libc6:i386")
        lines = apt.render(recipe).text.splitlines()
        assert lines[1:] == ["g++", "graphviz", "libc6:i386", "libpq-dev", "tree"]
        assert lines[0].startswith("#")

    def test_versions_when_they_are_asked_for(self) -> None:
        recipe = one("apt", Item("tree", "tree", "2.1.0-1"), Item("libpq-dev=15.3-1", "libpq-dev"))
        assert apt.render(recipe, pin="exact").text.splitlines()[1:] == [
            "libpq-dev",
            "tree=2.1.0-1",
        ]
        spec = apt.render(recipe, pin="spec").text.splitlines()[1:]
        assert spec == ["libpq-dev=15.3-1", "tree"]

    @pytest.mark.parametrize("pin", ["none", "exact"])
    def test_repo2docker_installs_what_it_says(self, pin: str, tmp_path: Path) -> None:
        recipe = one("apt", Item("graphviz", "graphviz", "2.42.2-7+deb12u1"), Item("g++", "g++"))
        text = export.get("apt").render(recipe, pin=pin).text
        (tmp_path / "apt.txt").write_text(text)
        _, dockerfile = repo2docker(tmp_path)
        wanted = ["g++", "graphviz=2.42.2-7+deb12u1" if pin == "exact" else "graphviz"]
        assert f"apt-get install --yes --no-install-recommends {' '.join(wanted)} &&" in dockerfile

    @pytest.mark.apt
    def test_apt_get_takes_what_it_says(self) -> None:
        here = read_packages(detect(), ("apt",))
        version = here.by_key["apt", "bash"].version
        text = apt.render(one("apt", Item("bash", "bash", version)), pin="exact").text
        words = [line for line in text.splitlines() if not line.startswith("#")]
        command = ["apt-get", "install", "--simulate", "--yes", *words]
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        assert words == [f"bash={version}"]

    def test_says_what_it_cannot_hold(self) -> None:
        steps = (
            RecipeStep(
                "apt",
                None,
                install=(Item("/w/tool_1.0_amd64.deb", "tool"),),
                remove=("nano",),
                options=("-t", "stable"),
            ),
            *two_environments().steps[1:],
        )
        artifact = apt.render(Recipe(steps))
        notes = " ".join(artifact.notes)
        for word in ("tool_1.0", "nano", "-t stable", "lab::numpy>1", "twitter", "flake8"):
            assert word in notes
        assert artifact.text.count("\n") == 1

    @given(hostile, st.sampled_from(("none", "spec", "exact")))
    def test_no_line_can_be_more_than_a_package(self, text: str, pin: str) -> None:
        """repo2docker puts the lines into a shell's command line as they stand."""
        try:
            artifact = export.get("apt").render(one("apt", Item(text, "x", text)), pin=pin)
        except ExportError:
            return
        for line in artifact.text.splitlines()[1:]:
            assert re.fullmatch(r"[a-z0-9][A-Za-z0-9.+~:/=-]+", line)
            assert shlex.split(line) == [line]

    def test_is_read_back(self, tmp_path: Path) -> None:
        path = tmp_path / "apt.txt"
        path.write_text("# ours\ngraphviz  # dot\n\ng++ tree=2.1.0-1\n--yes\nBad;rm\n")
        reading = files.read(path)
        (request,) = reading.requests
        assert (request.manager, request.texts) == ("apt", ("graphviz", "g++", "tree=2.1.0-1"))
        assert [(each.command, each.line) for each in reading.problems] == [
            ("--yes", 5),
            ("Bad;rm", 6),
        ]

    # not "name-", which asks apt to remove it
    @given(st.sets(st.from_regex(r"[a-z][a-z0-9+-]{0,7}[a-z0-9+]", fullmatch=True), max_size=5))
    def test_there_and_back_is_the_same_file(
        self, tmp_path_factory: pytest.TempPathFactory, names: set[str]
    ) -> None:
        path = tmp_path_factory.mktemp("apt") / "apt.txt"
        text = apt.render(debian(*sorted(names))).text
        path.write_text(text)
        again = [debian(*request.texts) for request in files.read(path).requests] or [Recipe()]
        assert apt.render(again[0]).text == text


class TestBinder:
    def test_one_file_with_pip_in_it_and_a_kernel_for_each_other_environment(self) -> None:
        artifact = binder.render(two_environments())
        there = contents(artifact)
        main = yaml.safe_load(artifact.text)
        assert main["channels"] == ["lab"]
        assert main["dependencies"] == [
            *("python=3.13", "lab::numpy=2.0.1", "pip"),
            {"pip": ["dask[array]==2026.1"]},
        ]
        second = yaml.safe_load(there["environment-python310.yml"])
        assert second["dependencies"][:3] == ["python=3.10", "pandas=2.2", "ipykernel"]
        assert second["dependencies"][-1] == {"pip": ["twitter==1.19.6"]}
        venv = yaml.safe_load(there["environment-venv.yml"])
        assert venv["dependencies"] == [
            "python=3.12",
            "ipykernel",
            "pip",
            {"pip": ["flake8==7.3.0"]},
        ]
        assert there["apt.txt"].splitlines()[1:] == ["graphviz"]
        script = there["postBuild"]
        assert script.count(" env create --yes --prefix ") == 2
        for name in ("python310", "venv"):
            assert (
                f"""--prefix "${{CONDA_DIR}}/envs/{name}" --file 'environment-{name}.yml'"""
                in script
            )
            assert f"""--prefix "${{NB_PYTHON_PREFIX}}" --name '{name}'""" in script
        (postbuild,) = (file for file in artifact.files if file.name == "postBuild")
        assert postbuild.executable

    def test_one_environment_needs_no_postbuild(self) -> None:
        artifact = binder.render(one("conda", Item("numpy", "numpy", "2.0")))
        assert artifact.files == ()

    @pytest.mark.parametrize("environment", [BASE, SECOND, BY_PREFIX, VENV, SYSTEM, None])
    def test_repo2docker_takes_whatever_environment(
        self, environment: object, tmp_path: Path
    ) -> None:
        manager = "apt" if environment is None else "pip"
        recipe = Recipe((RecipeStep(manager, environment, install=(Item("tree", "tree", "1"),)),))  # type: ignore[arg-type]
        binder.render(recipe).write(tmp_path / "binder" / "environment.yml")
        pack, dockerfile = repo2docker(tmp_path)
        assert type(pack).__name__ == "CondaBuildPack"
        python = getattr(environment, "python", None)
        if python:
            assert pack.python_version == ".".join(python.split(".")[:2])
        assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in dockerfile

    def test_repo2docker_renders_all_of_it(self, acceptance: Acceptance, tmp_path: Path) -> None:
        artifact = binder.render(acceptance.recipe())
        artifact.write(tmp_path / "binder" / "environment.yml")
        pack, dockerfile = repo2docker(tmp_path)
        assert type(pack).__name__ == "CondaBuildPack"
        assert "apt-get install --yes --no-install-recommends graphviz libpq-dev &&" in dockerfile
        assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in dockerfile
        assert "RUN chmod +x binder/postBuild\nRUN ./binder/postBuild" in dockerfile
        # a wheel lies beside it, so that the repository must be there first
        assert dockerfile.index("COPY --chown=1000:1000 src/ ") < dockerfile.index("env update -p")
        assert (tmp_path / "binder/jstackmagic/demo_local-1.0-py3-none-any.whl").exists()
        pip = yaml.safe_load(artifact.text)["dependencies"][-1]["pip"]
        assert "./jstackmagic/demo_local-1.0-py3-none-any.whl" in pip
        assert any(acceptance.commit in line for line in pip)
        whole = artifact.text + "".join(contents(artifact).values()) + "".join(artifact.notes)
        assert PASSWORD not in whole
        assert "demo-private==1.0" in whole
        assert "demo-library" not in whole  # undone

    def test_says_what_it_cannot_hold(self) -> None:
        steps = (
            RecipeStep("apt", None, install=(Item("/w/t_1_all.deb", "t"),), remove=("nano",)),
            RecipeStep("conda", BASE, install=(Item("numpy", "numpy", "2"),), remove=("scipy",)),
            RecipeStep("pip", BASE, install=(Item("-e /w/mine", "mine"),), options=("--no-deps",)),
        )
        artifact = binder.render(Recipe(steps))
        notes = " ".join(artifact.notes)
        for word in ("t_1_all.deb", "nano", "scipy", "--no-deps"):
            assert word in notes
        (project,) = (file for file in artifact.files if file.source == "/w/mine")
        assert f"-e ./{project.name}" in artifact.text

    @given(recipes(), hostile)
    @settings(max_examples=20)
    def test_the_script_says_nothing_that_a_user_typed_outside_of_quotes(
        self, recipe: Recipe, text: str
    ) -> None:
        """Hostile names of environments; specs are in YAML alone."""
        other = replace(SECOND, name=text, prefix=f"/opt/envs/{text}")
        recipe = Recipe(
            (*recipe.steps, RecipeStep("conda", other, install=(Item("aa", "aa", "1"),)))
        )
        try:
            artifact = binder.render(recipe)
        except ExportError:
            return
        script = contents(artifact).get("postBuild", "")
        for line in script.splitlines()[4:]:
            for word in shlex.split(line):
                assert re.fullmatch(r"[\w./${}+!=-]+", word), word
        yaml.safe_load(artifact.text)
        assert binder.render(recipe) == artifact


@pytest.mark.docker
@pytest.mark.slow
def test_repo2docker_builds_it(
    docker_engine: DockerClient, stacks_image: str, tmp_path: Path
) -> None:
    """Debian, conda in two environments with a kernel each, a local wheel, all of it installed."""
    wheel = build_wheel(tmp_path / "local", "demo-local", "1.0")
    python = ".".join(map(str, sys.version_info[:3]))
    second = replace(SECOND, name="second", prefix="/opt/conda/envs/second", python=python)
    here = replace(BASE, python=python)
    recipe = Recipe(
        (
            RecipeStep("apt", None, install=(Item("tree", "tree"),)),
            RecipeStep("conda", here, install=(Item("six", "six", SIX[0]),)),
            RecipeStep("pip", here, install=(Item(str(wheel), "demo-local", "1.0"),)),
            RecipeStep("conda", second, install=(Item("dnspython", "dnspython", DNSPYTHON[0]),)),
        )
    )
    repository = tmp_path / "repository"
    binder.render(recipe).write(repository / "binder/environment.yml")
    base = r2d_image.base_image(docker_engine, stacks_image)
    tag = r2d_image.build(base, repository, tmp_path)
    say = (
        "which tree; python -c 'import six, demo_local; print(six.__version__)';"
        " /srv/conda/envs/second/bin/python -c 'import dns.version as v; print(v.version)';"
        " ls /srv/conda/envs/notebook/share/jupyter/kernels"
    )
    try:
        output = docker_engine.containers.run(tag, ["bash", "-c", say], entrypoint=[], remove=True)
    finally:
        docker_engine.images.remove(tag, force=True)
    assert output.decode().split() == ["/usr/bin/tree", SIX[0], DNSPYTHON[0], "python3", "second"]


class TestReadBack:
    def test_a_repository_with_a_binder_folder(self, tmp_path: Path) -> None:
        artifact = binder.render(two_environments())
        artifact.write(tmp_path / "binder" / "environment.yml")
        for path in (tmp_path, tmp_path / "binder"):
            reading = files.read(path)
            asked = [
                (f.target.name, f.request.manager, f.request.texts)
                for f in reading.found
                if f.request
            ]
            assert asked[:3] == [
                ("", "apt", ("graphviz",)),
                ("", "conda", ("python=3.13", "lab::numpy=2.0.1", "pip")),
                ("", "pip", ("dask[array]==2026.1",)),
            ]
            lists = [
                (f.target.name, spec)
                for f in reading.found
                if f.request
                for spec in f.request.texts
                if spec.startswith("--file ")
            ]
            assert lists == [
                ("python310", f"--file {tmp_path}/binder/environment-python310.yml"),
                ("venv", f"--file {tmp_path}/binder/environment-venv.yml"),
            ]
            assert not reading.problems

    def test_captured_it_reaches_both_environments(
        self, tmp_path: Path, history_file: Path
    ) -> None:
        binder.render(two_environments()).write(tmp_path / "binder" / "environment.yml")
        verb("capture", tmp_path, "--prefix", "/usr")
        recipe = fold(History(history_file).records())
        by_name = {
            s.environment.name: s for s in recipe.steps if s.environment and s.manager == "pip"
        }
        assert [i.text for i in by_name["python310"].install] == ["twitter==1.19.6"]

    def test_in_repo2docker_s_order(self, tmp_path: Path) -> None:
        folder = tmp_path / ".binder"
        folder.mkdir()
        (folder / "requirements.txt").write_text("six\n./lib\n")
        (tmp_path / "lib").mkdir()
        (folder / "apt.txt").write_text("tree\n")
        (folder / "runtime.txt").write_text("python-3.11\n")
        (folder / "postBuild").write_text(
            "#!/bin/bash\nset -e\n${NB_PYTHON_PREFIX}/bin/pip install flake8\n"
            "jupyter labextension install thing\n"
        )
        reading = files.read(tmp_path)
        assert [r.texts for r in reading.requests] == [
            ("tree",),
            ("six", f"{tmp_path}/lib"),
            ("flake8",),
        ]
        assert all(not f.target.prefix for f in reading.found)
        assert {each.command for each in reading.problems} == {
            "jupyter labextension install thing",
        }
        assert any("python-3.11" in note for note in reading.notes)
        (folder / "Pipfile").write_text('[packages]\nattrs = "*"\n')  # before requirements.txt
        assert [r.texts for r in files.read(tmp_path).requests][1] == ("attrs",)
        (folder / "environment.yml").write_text("dependencies: [numpy]\n")
        assert [r.texts for r in files.read(tmp_path).requests][1] == ("numpy",)
        (folder / "Dockerfile").write_text("FROM scratch\nRUN pip install idna\n")
        assert [r.texts for r in files.read(tmp_path).requests] == [("idna",)]

    def test_other_folders_are_none(self, tmp_path: Path) -> None:
        (tmp_path / "environment.yml").write_text("dependencies: [numpy]\n")
        with pytest.raises(UsageError):
            files.read(tmp_path)
        for name in ("binder", ".binder"):  # repo2docker refuses both at once
            (tmp_path / name).mkdir()
            (tmp_path / name / "apt.txt").write_text("tree\n")
        with pytest.raises(UsageError):
            files.read(tmp_path)
