"""The shell script: shellcheck, a real shell with recording programs, and an empty container."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from jstackmagic.export import script
from jstackmagic.model.errors import ExportError
from jstackmagic.model.pins import pinned
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from jstackmagic.model.spec import read
from strategies import BASE, BY_PREFIX, SECOND, SYSTEM, VENV, hostile, recipes
from support.acceptance import PASSWORD, Acceptance, repository
from support.exports import HOSTILE, SECRET, one, two_environments
from support.tiers import DNSPYTHON, SIX
from support.wheels import WheelIndex, build_wheel

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

    from jstackmagic.model.packages import ManagerName

SHELLCHECK = Path(sys.executable).parent / "shellcheck"
RECORDER = """#!/bin/sh
printf '%s\\037' "$0" "$@" >> LOG
printf '\\036' >> LOG
"""

EVERYTHING = Recipe(
    (
        RecipeStep(
            "apt",
            None,
            install=(Item("tree", "tree", "2.1"), Item("/w/tool_1.0_amd64.deb", "tool")),
            remove=("nano",),
            options=("-o", "A::B=c d"),
        ),
        RecipeStep(
            "conda", BASE, install=(Item("numpy>1", "numpy", "2.0"),), remove=("scipy", "x y")
        ),
        RecipeStep(
            "conda",
            BASE,
            install=(Item("/w/a-1-0.conda", "a"),),
            sources=Sources(channels=("forge",)),
        ),
        RecipeStep(
            "conda",
            BASE,
            install=(Item("r-base", "r-base"),),
            sources=Sources(channels=(f"https://c.example.com/t/{SECRET}/lab",)),
        ),
        RecipeStep(
            "pip",
            BASE,
            install=(
                Item("-c /w/limits.txt"),
                Item("dask[array]>2", "dask", "2026.1"),
                Item("u[x] @ file:///w/u%20x.zip", "u"),
                Item("-e /w/my project[test]", "mine"),
                Item("-r /w/list.txt", brought=(Item("idna", "idna", "3.1"),)),
                Item("six==1.17.0 --hash=sha256:00", "six", "1.17.0"),
            ),
            sources=Sources(index_url=f"https://me:{SECRET}@pypi.example.com/simple"),
        ),
        RecipeStep("conda", SECOND, install=(Item("pandas", "pandas", "2.2"),)),
        RecipeStep("pip", SECOND, install=(Item("twitter", "twitter", "1.19.6"),)),
        RecipeStep("conda", BY_PREFIX, install=(Item("r-dplyr", "r-dplyr", "1.1"),)),
        RecipeStep("pip", VENV, install=(Item("flake8", "flake8", "7.3.0"),)),
        RecipeStep("pip", SYSTEM, install=(Item("black", "black", "25.1"),)),
    )
)


def shellcheck(*texts: str) -> str:
    """What shellcheck has to say of scripts, whatever its severity."""
    said = ""
    for text in texts:
        done = subprocess.run(
            [SHELLCHECK, "--norc", "--shell=sh", "-"], input=text, capture_output=True, text=True
        )
        assert done.returncode in (0, 1), done.stderr
        said += done.stdout
    return said


class Machine:
    """A machine whose package managers only write down what they are given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.conda = folder / "conda root"
        for program in (
            *("conda root/bin/mamba", "conda root/bin/python"),
            *("conda root/envs/python310/bin/python", "r env/bin/python", "venv/bin/python"),
            *("bin/apt-get", "bin/python3"),
        ):
            self._add(program, RECORDER.replace("LOG", f"'{self.log}'"))
        self._add("bin/sudo", '#!/bin/sh\nexec "$@"\n')  # what a plain user's script calls
        (folder / "bin/mamba").symlink_to(self.conda / "bin/mamba")
        (self.conda / "conda-meta").mkdir()

    def _add(self, program: str, text: str) -> None:
        path = self.folder / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def here(self, recipe: Recipe) -> Recipe:
        """The recipe with its environments on this machine."""
        prefixes = {BY_PREFIX.prefix: "r env", VENV.prefix: "venv"}
        return Recipe(
            tuple(
                replace(
                    step,
                    environment=replace(
                        step.environment,
                        prefix=str(self.folder / prefixes[step.environment.prefix])
                        if step.environment.prefix in prefixes
                        else step.environment.prefix,
                    ),
                )
                if step.environment
                else step
                for step in recipe.steps
            )
        )

    def run(self, text: str, *, secrets: Path | None = None) -> list[list[str]]:
        """The commands that a script comes to, in a real shell."""
        self.log.write_text("")
        program = self.folder / "it's a script.sh"
        program.write_text(text)
        environ = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder)}
        environ |= {"JSTACKMAGIC_SECRETS": str(secrets)} if secrets else {}
        done = subprocess.run(
            ["sh", program],
            capture_output=True,
            text=True,
            env=environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stderr + text
        commands = self.log.read_text().split("\036")[:-1]
        found = [command.split("\037")[:-1] for command in commands]
        root = str(self.folder)
        return [
            [word.replace(root, "") if at == 0 else word for at, word in enumerate(c)]
            for c in found
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


class TestText:
    def test_shellcheck_finds_nothing(self) -> None:
        assert shellcheck("echo $1") != ""
        texts = [script.render(EVERYTHING).text, script.render(two_environments(), pin="none").text]
        texts += [script.render(Recipe((step,))).text for step in EVERYTHING.steps]
        assert shellcheck(*texts, script.render(Recipe()).text) == ""

    @settings(max_examples=8)
    @given(recipes())
    def test_nor_in_any_other(self, recipe: Recipe) -> None:
        assert shellcheck(script.render(recipe).text) == ""

    def test_is_a_program(self, tmp_path: Path) -> None:
        script.render(two_environments()).write(tmp_path / "install.sh")
        assert os.access(tmp_path / "install.sh", os.X_OK)
        assert (tmp_path / "install.sh").read_text().startswith("#!/bin/sh\n")

    def test_no_credential_is_in_it(self, acceptance: Acceptance) -> None:
        artifact = script.render(acceptance.recipe())
        assert PASSWORD not in repr(artifact)
        assert list(artifact.secrets) == ["pip_index_url"]
        assert SECRET not in repr(script.render(EVERYTHING))

    def test_a_build_s_secret_variable_is_read_from_its_file(self) -> None:
        built = Sources(variables=(f"BUILD_TOKEN={SECRET}", "CMAKE_ARGS=-DX=1 -DY=2"))
        made = script.render(one("pip", Item("six", "six"), sources=built))
        assert 'BUILD_TOKEN="$(cat "${secrets}/build_build_token")"' in made.text
        assert list(made.secrets) == ["build_build_token"]

    @pytest.mark.parametrize("text", [f"git+https://u:{SECRET}@g.example.com/r.git", "a\nb"])
    def test_refuses_what_no_line_can_hold(self, text: str) -> None:
        with pytest.raises(ExportError):
            script.render(one("apt", Item(text, "x")))


class TestRun:
    def test_every_command(self, machine: Machine, tmp_path: Path) -> None:
        (tmp_path / "pip_index_url").write_text("https://me:secret@pypi.example.com/simple")
        (tmp_path / "conda_channel").write_text("https://c.example.com/t/secret/lab")
        (machine.conda / "conda-meta/scipy-1.0-py_0.json").touch()
        (machine.conda / "conda-meta/numpy-tests-1.0-py_0.json").touch()
        artifact = script.render(machine.here(EVERYTHING))
        commands = machine.run(artifact.text, secrets=tmp_path)
        root = str(machine.conda)
        files = {file.name: file for file in artifact.files}
        (hashed,) = (name for name in files if "hashed" in name)
        apt = [words for words in commands if words[0].endswith("apt-get")]
        assert [words[1:3] for words in apt] == [
            ["update", "--yes"],
            ["remove", "--yes"],
            ["install", "--yes"],
        ]
        assert apt[2][-4:] == [
            "-o",
            "A::B=c d",
            "tree",
            f"{tmp_path}/jstackmagic/tool_1.0_amd64.deb",
        ]
        conda = [words[1:] for words in commands if words[0].endswith("mamba")]
        assert conda[0] == ["remove", "--yes", "--prefix", root, "scipy"]  # "x y" is not there
        assert conda[1] == ["install", "--yes", "--prefix", root, "numpy=2.0"]
        assert conda[2][-1] == f"{tmp_path}/jstackmagic/a-1-0.conda"
        second = f"{root}/envs/python310"
        assert ["create", "--yes", "--prefix", second, "python=3.10", "ipykernel", "pip"] in conda
        assert ["install", "--yes", "--prefix", second, "pandas=2.2"] in conda
        pip = [words for words in commands if words[1:4] == ["-m", "pip", "install"]]
        assert [words[0] for words in pip] == [
            *["/conda root/bin/python"] * 2,
            "/conda root/envs/python310/bin/python",
            *["/venv/bin/python"],
            "/bin/python3",
        ]
        assert f"{tmp_path}/jstackmagic/u_x.zip[x]" in pip[0]
        assert pip[0][pip[0].index("--editable") + 1] == f"{tmp_path}/jstackmagic/my_project[test]"
        assert pip[1][-1] == f"{tmp_path}/{hashed}"
        assert files[hashed].source == b"six==1.17.0 --hash=sha256:00\n"
        (kernel,) = [c for c in commands if c[1:4] == ["-m", "ipykernel", "install"]]
        assert kernel[4] == "--user" or kernel[4].startswith("--prefix=/")
        assert kernel[5] == "--name=python310"

    def test_what_is_there_is_not_made_again(self, machine: Machine) -> None:
        (machine.conda / "envs/python310/conda-meta").mkdir(parents=True)
        commands = machine.run(script.render(machine.here(two_environments())).text)
        assert not any("create" in words or "venv" in words for words in commands)

    def test_a_failure_ends_it(self, machine: Machine) -> None:
        broken = machine.folder / "conda root/bin/mamba"
        broken.write_text(broken.read_text() + "exit 3\n")
        text = script.render(two_environments()).text
        program = machine.folder / "s.sh"
        program.write_text(text)
        environ = {"PATH": f"{machine.folder}/bin:{os.environ['PATH']}"}
        done = subprocess.run(["sh", program], env=environ, capture_output=True)
        assert done.returncode == 3
        assert b"pip" not in machine.log.read_bytes()

    @pytest.mark.parametrize(
        ("recipe", "missing"),
        [
            (one("conda", Item("numpy")), "mamba, conda or micromamba"),
            (one("apt", Item("tree")), "apt-get"),
            (one("pip", Item("six"), environment=VENV), "python3"),
            (EVERYTHING, "secret"),
        ],
    )
    def test_says_what_it_lacks_before_it_begins(
        self, recipe: Recipe, missing: str, machine: Machine, tmp_path: Path
    ) -> None:
        tools = tmp_path / "tools"
        tools.mkdir()
        for name in ("dirname", "readlink", "id"):
            (tools / name).symlink_to(f"/usr/bin/{name}")
        path = f"{machine.folder}/bin:{tools}" if missing == "secret" else str(tools)
        text = script.render(recipe).text
        done = subprocess.run(
            ["/bin/sh", "-s"], input=text, env={"PATH": path}, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert missing in done.stderr
        assert not machine.log.exists()

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=hostile | st.just(HOSTILE), manager=st.sampled_from(("apt", "conda", "pip")))
    def test_a_spec_reaches_its_manager_as_it_was_typed(
        self, machine: Machine, text: str, manager: ManagerName
    ) -> None:
        item = Item(read(manager, text), "x")
        recipe = one(manager, item, options=(text,), remove=(text,))
        assume(not read(manager, text).path)
        (machine.conda / "conda-meta/x-1-0.json").touch()
        try:
            written = script.render(recipe, pin="spec").text
        except ExportError:
            return
        for words in machine.run(written):
            if "install" in words:
                assert words[-1] == pinned(item, "spec")
                assert text in words[:-1]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(recipe=recipes(), name=hostile)
    def test_so_does_an_environment_s_name(
        self, machine: Machine, recipe: Recipe, name: str
    ) -> None:
        assume("/" not in name and name not in (".", ".."))
        other = replace(SECOND, name=name, prefix=f"/opt/conda/envs/{name}", python=None)
        steps = (*recipe.steps, RecipeStep("conda", other, install=(Item("aa", "aa", "1"),)))
        try:
            written = script.render(machine.here(Recipe(steps))).text
        except ExportError:
            return
        last = machine.run(written)[-1]
        assert last[1:] == ["install", "--yes", "--prefix", f"{machine.conda}/envs/{name}", "aa=1"]


@pytest.fixture
def container(docker_engine: DockerClient, stacks_image: str, tmp_path: Path) -> object:
    """A new container with conda's family alone, as root, without an environment of ours."""
    made = docker_engine.containers.run(
        stacks_image,
        ["sleep", "600"],
        entrypoint=[],
        user="root",
        detach=True,
        network_mode="host",  # the index of the test is on this machine's loopback address
        environment={
            "HOME": "/root",
            "GIT_CONFIG_COUNT": "1",  # a checkout of another user's is safe here
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        },
        volumes={str(tmp_path): {"bind": "/work", "mode": "ro"}},
    )
    yield made
    made.remove(force=True, v=True)


@pytest.mark.docker
@pytest.mark.slow
def test_in_an_empty_container_twice(
    container: Container, tmp_path: Path, wheel_index: WheelIndex
) -> None:
    """All that a history may hold, really installed; the second run changes nothing."""
    wheel = build_wheel(tmp_path / "local", "demo-local", "1.0")
    commit = repository(tmp_path / "repository")
    wheel_index.add("demo-app", "1.0", requires=["demo-base"], extras={"more": ["demo-extra"]})
    for name in ("demo-base", "demo-extra", "demo-url"):
        wheel_index.add(name, "1.0")
    url = wheel_index.url.replace("/simple/", "/files/") + "demo_url-1.0-py3-none-any.whl"
    python = ".".join(map(str, sys.version_info[:3]))
    second = replace(SECOND, name="second", prefix="/opt/conda/envs/second", python=python)
    dnspython = Item("dnspython", "dnspython", DNSPYTHON[0])
    six = Item("file:///opt/channel::six", "six", SIX[0])
    recipe = Recipe(
        (
            RecipeStep("apt", None, install=(Item("tree"), Item("git"))),
            RecipeStep("conda", BASE, install=(six,), remove=("absent",)),
            RecipeStep("conda", second, install=(dnspython, Item("pip"))),
            RecipeStep(
                "pip",
                second,
                install=(
                    Item("demo-app[more]>=1; python_version > '3'", "demo-app", "1.0"),
                    Item("absent; sys_platform == 'win32'", "absent"),
                    Item(f"demo-url @ {url}", "demo-url", "1.0"),
                    Item(f"git+file:///work/repository@{commit}#egg=demo-git", "demo-git", "1.0"),
                    Item(str(wheel), "demo-local", "1.0"),
                ),
                sources=Sources(index_url=wheel_index.url),
            ),
        )
    )
    script.render(recipe).write(tmp_path / "install.sh")

    def do(command: str) -> str:
        status, output = container.exec_run(["bash", "-c", command])
        assert status == 0, output.decode()
        return str(output.decode())

    state = (
        "ls /opt/conda/conda-meta /opt/conda/envs/second/conda-meta; dpkg-query --show;"
        " /opt/conda/envs/second/bin/python -m pip freeze; ls /opt/conda/share/jupyter/kernels"
    )
    do("/work/install.sh")
    first = do(state)
    assert f"six-{SIX[0]}-" in first
    assert f"dnspython-{DNSPYTHON[0]}-" in first
    for line in (
        *("demo-app==1.0", "demo-base==1.0", "demo-extra==1.0", f"demo-url @ {url}"),
        f"demo-git @ git+file:///work/repository@{commit}",
        "demo-local @ file:///work/jstackmagic/demo_local-1.0-py3-none-any.whl",
    ):
        assert re.search(rf"^{re.escape(line)}", first, re.MULTILINE), line
    assert not re.search("^absent", first, re.MULTILINE)
    assert re.search(r"^tree\s", first, re.MULTILINE)
    assert first.split()[-1] == "second"
    do("/work/install.sh")
    assert do(state) == first
