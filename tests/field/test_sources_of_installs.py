"""Where packages come from and go to: settings of pip's, of the line, of another cell."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture.commandlines import recognise
from jstackmagic.export import conda, dockerfile, pip, pixi, script
from jstackmagic.history.file import History
from jstackmagic.managers.pip.landing import wished
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import Stopped
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support.captured import dockerfile as dockerfile_finds
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jstackmagic.model.request import Request
    from support.environments import Root


def holds(prefix: Path, name: str) -> bool:
    return read_packages(detect(prefix), ("pip",)).get("pip", name) is not None


class TestWhereTo:
    """C1: The environment that is named is where it goes, or it stops and says which setting."""

    @pytest.mark.parametrize(
        ("variable", "engine"),
        [("PIP_USER", "uv"), ("PIP_TARGET", "uv"), ("PIP_PREFIX", "uv"), ("PIP_TARGET", "pip")],
    )
    def test_variables_do_not_lead_it_away(
        self,
        tmp_path: Path,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        engine: str,
        variable: str,
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        monkeypatch.setenv(variable, "yes" if variable == "PIP_USER" else str(tmp_path / "x"))
        verb("install", "--pip", "--prefix", prefix, "--engine", engine, "six")
        assert holds(prefix, "six")
        assert not (tmp_path / "x").exists()
        assert not (home / ".local/lib").exists()

    def test_nor_do_they_in_a_conda_environment(
        self, conda_env: Callable[..., Path], home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = conda_env("python", "pip")
        monkeypatch.setenv("PIP_USER", "yes")
        verb("install", "--pip", "--prefix", prefix, "six")
        assert holds(prefix, "six")
        assert not (home / ".local/lib").exists()

    def test_a_file_that_says_user_does_not_either(self, tmp_path: Path, home: Path) -> None:
        prefix = make_venv(tmp_path / "venv")
        (prefix / "pip.conf").write_text("[install]\nuser = yes\n")
        verb("install", "--pip", "--prefix", prefix, "--engine", "pip", "six")
        assert holds(prefix, "six")
        assert not (home / ".local/lib").exists()

    @pytest.mark.parametrize("engine", ["uv", "pip"])
    def test_a_file_that_names_a_folder_stops_it(
        self, tmp_path: Path, history_file: Path, engine: str
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        (prefix / "pip.conf").write_text(f"[install]\ntarget = {tmp_path}/x\n")
        with pytest.raises(Stopped, match="setting target") as caught:
            verb("install", "--pip", "--prefix", prefix, "--engine", engine, "six")
        assert str(prefix / "pip.conf") in str(caught.value)
        assert not history_file.exists()

    def test_where_only_virtual_environments_are_allowed(
        self, conda_env: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_REQUIRE_VIRTUALENV", "1")
        with pytest.raises(Stopped, match="PIP_REQUIRE_VIRTUALENV"):
            verb("install", "--pip", "--prefix", conda_env("python", "pip"), "six")
        venv = make_venv(tmp_path / "venv")
        verb("install", "--pip", "--prefix", venv, "six")
        assert holds(venv, "six")

    def test_what_the_line_itself_says_holds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = make_venv(tmp_path / "venv")
        monkeypatch.setenv("PIP_TARGET", str(tmp_path / "other"))
        target = tmp_path / "x"
        result = verb("install", "--pip", "--prefix", prefix, "six", "--", "--target", target)
        assert (target / "six.py").exists()
        assert not (tmp_path / "other").exists()
        assert any(str(target) in note for note in result.done[0].notes)
        assert result.done[0].record.request.options == ("--target", str(target))

    def test_an_option_of_another_is_no_place(self) -> None:
        assert wished(("--user-agent", "x", "--root-user-action", "ignore")) == {}
        assert os.path.isabs(wished(("--prefix=/opt/x",))["prefix"])


VENV = EnvironmentRef("venv", None, "/e", "3.12.1")
MINE = "https://pypi.example.com/simple"


def recorded(*words: object) -> Request:
    """The request as the history has it, of an install that is only recorded."""
    result = verb("install", "--record-only", "--pip", *words)
    request: Request = result.done[0].record.request
    return request


class TestSettingsOfAnotherCell:
    """An index that a variable or a file of the home sets is part of the record."""

    @pytest.fixture
    def prefix(self, tmp_path: Path) -> Path:
        return make_venv(tmp_path / "venv")

    def test_the_index_of_a_variable(self, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", MINE)
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example.com https://b.example.com")
        sources = recorded("--prefix", prefix, "mytools").sources
        assert sources.index_url == MINE
        assert sources.extra_index_urls == ("https://a.example.com", "https://b.example.com")
        text = verb("export", "dockerfile", "--from", "base:1").artifact.text
        assert f"--index-url '{MINE}'" in text
        assert "--extra-index-url 'https://b.example.com'" in text

    def test_the_line_wins_over_the_variable(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "https://other.example.com/simple")
        assert recorded("--prefix", prefix, "-i", MINE, "mytools").sources.index_url == MINE

    def test_a_file_of_the_home_is_not_in_an_image(self, prefix: Path, home: Path) -> None:
        (home / ".config/pip").mkdir(parents=True)
        config = f"[global]\nindex-url = {MINE}\nno-binary = six\n[install]\npre = yes\n"
        (home / ".config/pip/pip.conf").write_text(config)
        request = recorded("--prefix", prefix, "mytools")
        assert request.sources.index_url == MINE
        assert request.options == ("--no-binary", "six", "--pre")

    def test_find_links_and_constraints_are_carried(
        self, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "caps.txt").write_text("six<2\n")
        monkeypatch.setenv("PIP_CONSTRAINT", str(tmp_path / "caps.txt"))
        monkeypatch.setenv("PIP_FIND_LINKS", "https://wheels.example.com/index.html")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        request = recorded("--prefix", prefix, "mytools")
        assert request.texts == (f"-c {tmp_path}/caps.txt", "mytools")
        assert request.sources.find_links == ("https://wheels.example.com/index.html",)
        assert request.options == ("--no-index",)

    @pytest.mark.parametrize(
        ("variable", "value", "options"),
        [
            ("PIP_PREFER_BINARY", "1", ("--prefer-binary",)),
            ("PIP_IGNORE_REQUIRES_PYTHON", "yes", ("--ignore-requires-python",)),
            ("PIP_CONFIG_SETTINGS", "a=b", ("--config-settings", "a=b")),
            ("PIP_UPLOADED_PRIOR_TO", "2025-01-01", ("--uploaded-prior-to", "2025-01-01")),
            # pip takes the value for what the option turns off
            ("PIP_NO_BUILD_ISOLATION", "0", ("--no-build-isolation",)),
            ("PIP_NO_BUILD_ISOLATION", "1", ()),
            ("PIP_NO_CACHE_DIR", "1", ()),
        ],
    )
    def test_an_option_of_a_variable(
        self,
        variable: str,
        value: str,
        options: tuple[str, ...],
        prefix: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(variable, value)
        request = recorded("--prefix", prefix, "mytools")
        assert request.options == options
        assert not request.sources.variables
        (found,) = recognise(f"{variable}={value} pip install mytools")
        assert found.request is not None
        assert found.request.options == options

    def test_a_list_that_a_variable_names_is_installed_too(
        self, prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "always.txt").write_text("idna\n")
        monkeypatch.setenv("PIP_REQUIREMENT", str(tmp_path / "always.txt"))
        monkeypatch.setenv("PIP_EDITABLE", f"{tmp_path}/mine git+https://git.example.com/x")
        request = recorded("--prefix", prefix, "mytools")
        assert request.texts == (
            f"-r {tmp_path}/always.txt",
            f"-e {tmp_path}/mine",
            "-e git+https://git.example.com/x",
            "mytools",
        )

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("ARG PIP_INDEX_URL\nRUN pip install mytools", "--index-url $PIP_INDEX_URL"),
            ("ARG UV_INDEX_URL\nRUN uv pip install --system mytools", "$UV_INDEX_URL"),
            ("ARG CONDA_CHANNELS\nRUN conda install -y mytools", "$CONDA_CHANNELS"),
            (
                "ARG CONDA_OVERRIDE_CUDA\nRUN mamba install -y x",
                "CONDA_OVERRIDE_CUDA is only",
            ),
            (
                "ARG V\nENV CONDA_OVERRIDE_CUDA=$V\nRUN mamba install -y x",
                "CONDA_OVERRIDE_CUDA is only",
            ),
            ("ARG CONDA_OVERRIDE_CUDA=12\nRUN mamba install -y x", ""),
            ("ARG CONDA_DIR\nRUN mamba install -y x", ""),
            (
                "ARG PIP_INDEX_URL\nENV PIP_INDEX_URL=$PIP_INDEX_URL\nRUN pip install x",
                "$PIP_INDEX",
            ),
            # nothing that chooses a source
            ("ARG PIP_NO_CACHE_DIR\nRUN pip install mytools", ""),
            ("ARG PIP_VERSION\nRUN pip install pip==${PIP_VERSION:-24}", ""),
            (f"ENV PIP_INDEX_URL={MINE}\nARG PIP_INDEX_URL\nRUN pip install mytools", ""),
        ],
    )
    def test_an_argument_of_a_build_may_say_the_index(
        self, text: str, said: str, tmp_path: Path
    ) -> None:
        """``ARG PIP_INDEX_URL`` alone sets it for what follows, by ``--build-arg``."""
        (found,) = dockerfile_finds(tmp_path, text)
        assert said in found.note if said else not found.note

    @pytest.mark.parametrize(
        ("words", "note"),
        [
            (f"--index {MINE}", "first index that has it"),
            (f"--default-index {MINE} --index x={MINE}", "first index that has it"),
            (f"--extra-index-url {MINE}", "first index that has it"),
            (f"--index {MINE} --index-strategy unsafe-best-match", ""),  # pip's own rule
            (f"--default-index {MINE}", ""),
            (f"--index {MINE} --index-strategy unsafe-first-match", "unsafe-first-match is left"),
        ],
    )
    def test_uv_asks_its_indexes_in_turn(self, words: str, note: str) -> None:
        (found,) = recognise(f"uv pip install --system {words} mytools")
        assert note in found.note if note else not found.note

    def test_a_setting_of_uv_is_not_taken_in_silence(
        self, prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("UV_DEFAULT_INDEX", MINE)
        monkeypatch.setenv("UV_LINK_MODE", "copy")
        said = str(verb("install", "--dry-run", "--prefix", prefix, "--pip", "pip").parts())
        assert "UV_DEFAULT_INDEX is uv's own" in said

    def test_a_credential_stays_out_of_the_file(
        self, prefix: Path, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PIP_INDEX_URL", "https://me:hunter2@pypi.example.com/simple")
        monkeypatch.setenv("CMAKE_ARGS", "-DTOKEN=hunter2")
        recorded("--prefix", prefix, "mytools")
        assert "hunter2" not in history_file.read_text().replace("-DTOKEN=hunter2", "")
        text = verb("export", "dockerfile", "--from", "base:1").artifact.text
        assert "hunter2" not in text.replace("-DTOKEN=hunter2", "")
        assert "secret" in text

    def test_without_settings_nothing_is_added(self, prefix: Path) -> None:
        request = recorded("--prefix", prefix, "mytools")
        assert not request.sources
        assert request.options == ()
        assert request.texts == ("mytools",)

    def test_settings_for_conda_concern_no_pip(self, prefix: Path, home: Path) -> None:
        (home / ".condarc").write_text("channels: [lab]\n")
        assert not recorded("--prefix", prefix, "mytools").sources.channels


class TestBuildVariables:
    """Without CMAKE_ARGS the very same version is another."""

    LINE = 'CMAKE_ARGS="-DLLAMA_CUBLAS=on" FORCE_CMAKE=1 pip install llama-cpp-python==0.2.45'

    def test_those_of_the_line(self) -> None:
        (found,) = recognise(self.LINE, folder="/w")
        assert found.request is not None
        assert found.request.sources.variables == (
            "CMAKE_ARGS=-DLLAMA_CUBLAS=on",
            "FORCE_CMAKE=1",
        )

    def test_those_in_passing_are_left_out(self) -> None:
        line = "TMPDIR=/big HTTPS_PROXY=http://p.example.com PIP_CACHE_DIR=/c pip install six"
        (found,) = recognise(line, folder="/w")
        assert found.request is not None
        assert not found.request.sources.variables
        assert not found.note

    def test_those_that_only_the_run_can_tell_are_said(self) -> None:
        (found,) = recognise("CMAKE_ARGS=$(cat args) pip install x", folder="/w")
        assert found.request is not None
        assert not found.request.sources.variables
        assert "CMAKE_ARGS" in found.note

    def test_those_that_a_cell_set(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CMAKE_ARGS", "-DX=on -DY='a b'")
        monkeypatch.setenv("EDITOR", "vi")
        request = recorded("--prefix", make_venv(tmp_path / "venv"), "x")
        assert request.sources.variables == ("CMAKE_ARGS=-DX=on -DY='a b'",)

    def test_the_dockerfile_and_the_script_set_them_for_that_step_alone(self) -> None:
        built = Sources(variables=("CMAKE_ARGS=-DX=on -DY='a b'", "FORCE_CMAKE=1"))
        recipe = Recipe(
            (
                RecipeStep("pip", VENV, install=(Item("llama-cpp-python"),), sources=built),
                RecipeStep("pip", VENV, install=(Item("six"),)),
            )
        )
        for text in (
            dockerfile.render(recipe, style="plain", base_image="x:1").text,
            script.render(recipe).text,
        ):
            (line,) = [line for line in text.splitlines() if "CMAKE_ARGS" in line]
            words = shlex.split(line.removeprefix("RUN ").rstrip("\\ "))
            assert words[:2] == ["CMAKE_ARGS=-DX=on -DY='a b'", "FORCE_CMAKE=1"]
            assert text.count("FORCE_CMAKE") == 1

    def test_a_list_says_what_it_cannot_hold(self) -> None:
        step = RecipeStep(
            "pip", VENV, install=(Item("x"),), sources=Sources(variables=("FORCE_CMAKE=1",))
        )
        made = pip.render(Recipe((step,)), prefix="/e", hashes=False)
        assert any("FORCE_CMAKE=1" in note for note in made.notes)


class TestTwoIndexes:
    """E7: The default index stays, whatever index another step had."""

    TORCH = RecipeStep(
        "pip", VENV, install=(Item("torch==1.0+cpu"),), sources=Sources(index_url=MINE)
    )
    SIX = RecipeStep("pip", VENV, install=(Item("six"),))

    @pytest.mark.parametrize("steps", [(TORCH, SIX), (SIX, TORCH)])
    def test_a_list_asks_the_default_index_too(self, steps: tuple[RecipeStep, ...]) -> None:
        made = pip.render(Recipe(steps), prefix="/e", hashes=False)
        lines = made.text.splitlines()
        assert f"--extra-index-url {MINE}" in lines
        assert not [line for line in lines if line.startswith("--index-url")]
        assert any("dependency confusion" in note for note in made.notes)

    def test_one_index_for_all_replaces_it(self) -> None:
        made = pip.render(Recipe((self.TORCH,)), prefix="/e", hashes=False)
        assert f"--index-url {MINE}" in made.text.splitlines()
        assert not any("confusion" in note for note in made.notes)

    def test_no_index_of_one_step_holds_for_that_alone(self) -> None:
        offline = RecipeStep("pip", VENV, install=(Item("x"),), options=("--no-index",))
        made = pip.render(Recipe((offline, self.SIX)), prefix="/e", hashes=False)
        assert "--no-index" not in made.text
        assert any("--no-index" in note for note in made.notes)

    def test_a_dockerfile_has_each_with_its_own(self) -> None:
        recipe = Recipe((self.TORCH, self.SIX))
        text = dockerfile.render(recipe, style="plain", base_image="x:1").text
        (six,) = [part for part in text.split(" && ") if "'six'" in part]
        assert MINE not in six.rpartition("pip install")[2]
        assert text.count("--index-url") == 1


class TestOptionsOfOneStep:
    """An option of pip's is its step's; a path of this machine is no image's."""

    A = RecipeStep("pip", VENV, install=(Item("a"),), options=("--pre", "--only-binary", ":all:"))
    B = RecipeStep(
        "pip", VENV, install=(Item("b"),), options=("--upgrade-strategy", "eager", "--cert=/c.pem")
    )

    def test_a_list_says_which_are_for_all_of_it(self) -> None:
        made = pip.render(Recipe((self.A, self.B)), prefix="/e", hashes=False)
        assert made.text.splitlines()[:2] == ["--pre", "--only-binary :all:"]
        notes = "\n".join(made.notes)
        assert (
            "--only-binary :all: holds for all of a requirements file; here it was for a" in notes
        )
        assert "cannot say --upgrade-strategy eager, which pip was given for b" in notes
        assert "holds for all" not in "\n".join(
            pip.render(Recipe((self.A,)), prefix="/e", hashes=False).notes
        )

    def test_those_of_a_requirement_stand_behind_it(self) -> None:
        own = ("--config-settings", "a=b c", "--global-option=--x", "--pre")
        items = (Item("a"), Item("-e /p"), Item("g @ git+https://h.e/g"))
        made = pip.render(
            Recipe((RecipeStep("pip", VENV, install=items, options=own), self.B)), prefix="/e"
        )
        behind = " --config-settings 'a=b c' --global-option=--x"
        assert made.text.splitlines() == [
            "--pre", f"a{behind}", "-e /p", f"g @ git+https://h.e/g{behind}", "b",
        ]  # fmt: skip
        assert "config-settings" not in "".join(made.notes)
        assert "cannot say --config-settings" in "".join(
            conda.render(Recipe((RecipeStep("pip", VENV, install=items, options=own),))).notes
        )

    def test_pixi_s_find_links(self) -> None:
        sources = Sources(find_links=("https://h.example/w", "/w"))
        made = pixi.render(
            Recipe((RecipeStep("pip", VENV, install=(Item("a", "a"),), sources=sources),))
        )
        links = '[\n    {url = "https://h.example/w"},\n    {path = "/w"},\n]'
        assert f"find-links = {links}" in made.text
        assert "find-links" not in "".join(made.notes)

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (("--user",), "--user is left out"),
            (("--cert", "/c.pem"), "--cert /c.pem is left out"),
            (("--client-cert=/k.pem",), "--client-cert=/k.pem is left out"),
            (("--cache-dir", "/c"), ""),
            (("--log", "/l"), ""),
        ],
    )
    def test_a_dockerfile_has_none_of_this_machine(
        self, options: tuple[str, ...], said: str
    ) -> None:
        step = RecipeStep("pip", VENV, install=(Item("six"),), options=(*options, "--pre"))
        made = dockerfile.render(Recipe((step,)), style="plain", base_image="x:1")
        assert "'--pre'" in made.text
        assert options[0].partition("=")[0] not in made.text
        assert said in "\n".join(made.notes)

    def test_a_signed_url_is_written_without_its_signature(self) -> None:
        url = "https://h.example.com/y-1.0-py3-none-any.whl?X-Amz-Signature=s3cret&Expires=5"
        step = RecipeStep("pip", VENV, install=(Item(url, "y"), Item("six")))
        made = pip.render(Recipe((step,)), prefix="/e", hashes=False)
        assert made.text.splitlines() == [f"{url.partition('?')[0]}?Expires=5", "six"]
        assert any("The credential of" in note for note in made.notes)


class TestCondasChannels:
    """Kind 3: channels of the user's home are not an image's; a variable stays one."""

    def exported(self, *words: str) -> str:
        artifact = verb("export", *words).artifact
        return "\n".join((artifact.text, *artifact.notes))

    @pytest.mark.parametrize(
        ("condarc", "environ", "said", "recorded"),
        [
            ("channels: [lab, conda-forge]", {}, (), ("lab", "conda-forge")),
            ("channels: [lab]", {}, ("-c", "first"), ("first", "lab")),
            ("", {"CONDA_CHANNELS": "lab,other"}, (), ("lab", "other")),
            ("channels: [lab]", {}, ("--", "--override-channels"), ()),
            (
                "channels: ['https://me:pw@h.example.com/ch']",
                {},
                (),
                ("https://****@h.example.com/ch",),
            ),
            ("channel_priority: strict", {}, (), ()),
        ],
    )
    def test_of_the_home_are_recorded(
        self,
        condarc: str,
        environ: dict[str, str],
        said: tuple[str, ...],
        recorded: tuple[str, ...],
        conda_root: Root,
        home: Path,
        history_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        (home / ".condarc").write_text(condarc)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        verb("install", "--record-only", "-p", conda_root.prefix, "--conda", "six", *said)
        (record,) = History(history_file).records()
        assert record.request.sources.channels == recorded

    def test_those_of_the_root_are_the_image_s(self, conda_root: Root, history_file: Path) -> None:
        (conda_root.prefix / ".condarc").write_text("channels: [lab]")
        verb("install", "--record-only", "-p", conda_root.prefix, "--conda", "six")
        assert History(history_file).records()[0].request.sources.channels == ()

    @pytest.mark.parametrize(
        "channel",
        ["https://${TOK}@h.example.com/c", "https://h.example.com/t/$TOK/c", "t/$TOK/c"],
    )
    def test_a_variable_is_kept_as_written_and_asked_for(
        self,
        channel: str,
        conda_root: Root,
        history_file: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with pytest.raises(Stopped, match="TOK, which is not set"):
            verb("install", "--dry-run", "-p", conda_root.prefix, "--conda", "-c", channel, "six")
        monkeypatch.setenv("TOK", "tk-1")
        verb("install", "--record-only", "-p", conda_root.prefix, "--conda", "-c", channel, "six")
        assert "tk-1" not in history_file.read_text()
        text = self.exported("dockerfile", "--from", "x:1")
        assert "--mount=type=secret,id=conda_channel" in text
        assert f"{channel}, with its variables filled in" in text
        assert "tk-1" not in text
        assert channel in self.exported("conda")

    def test_an_environment_is_made_from_its_own(self) -> None:
        lab = EnvironmentRef("conda-named", "lab", "/c/envs/lab", "3.12.1")
        sources = Sources(("lab", "https://${TOK}@h.example.com/c"))
        steps = (
            RecipeStep("pip", lab, install=(Item("idna"),)),
            RecipeStep("conda", lab, (Item("six"),), sources=Sources(("lab",))),
        )
        text = dockerfile.render(Recipe(steps), style="plain", base_image="x:1").text
        assert (
            "conda create --yes --prefix '/c/envs/lab' -c 'lab' 'python=3.12' 'ipykernel' 'pip'"
            in text
        )
        secret = (steps[0], replace(steps[1], sources=sources))
        text = dockerfile.render(Recipe(secret), style="plain", base_image="x:1").text
        made = text[: text.index("conda create")].rpartition("RUN")[2]
        assert "--mount=type=secret,id=conda_channel" in made
        assert "CONDA_CHANNELS='lab',\"$(cat /run/secrets/conda_channel)\" " in made
