"""`jstackmagic export FORMAT > FILE`: the file alone on standard output, notes beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dockerfile
import pytest
import yaml
from packaging.requirements import Requirement

from jstackmagic import export
from jstackmagic.model.recipefile import recipe_of
from support.records import remember
from support.verbs import command as in_this_process
from support.wheels import build_wheel

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable

PROGRAM = Path(sys.executable).parent / "jstackmagic"
IMAGE = {
    "dockerfile": ("--from", "registry.example.com/lab/base:1"),
    "devcontainer": ("--from", "registry.example.com/lab/base:1"),
    "jupyterhub": ("--image", "registry.example.com/lab/analysis:1"),
    "pylock": ("--offline",),
}
NEED_AN_ENVIRONMENT = {"conda-explicit", "conda-lock", "pylock"}  # with the archives on this disk


def terminal(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run the program in this process."""
    return in_this_process(*_line(name, *words))


def started(name: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Run it as a process of its own."""
    return subprocess.run([PROGRAM, *_line(name, *words)], capture_output=True, text=True)


def _line(name: str, *words: object) -> list[str]:
    return ["export", name, *IMAGE.get(name, ()), *map(str, words)]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel that has to lie beside the file, so that there is always something to say."""
    wheel = build_wheel(tmp_path / "wheels", "seven", "7.0")
    remember("apt", ("tree",), "tree", "2.1")
    remember("conda", ("numpy>1",), "numpy", "2.0.1")
    remember("pip", ("six",), "six", "1.17.0")
    remember("pip", (str(wheel),), "seven", "7.0")
    return wheel


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("name", sorted(set(export.formats()) - NEED_AN_ENVIRONMENT))
def test_it_is_the_file_to_the_byte(name: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "file"
    assert terminal(name, "--output", path).returncode == 0
    done = (started if name == "conda" else terminal)(name)
    assert done.returncode == 0
    assert done.stdout == path.read_text()
    asked = json.loads(terminal(name, "--json").stdout)
    assert asked["text"] == done.stdout
    for note in asked["notes"]:
        said = re.sub(r"%env(\w+)", r"jstackmagic \1", note)
        assert said in done.stderr
        assert said not in done.stdout


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("name", ["conda", "pip", "binder", "apt"])
def test_there_is_something_to_say(name: str) -> None:
    """Else the test above shows nothing."""
    done = terminal(name)
    assert re.search("Debian packages|beside it|Left out", done.stderr), done


def _conda(text: str) -> bool:
    return "numpy=2.0.1" in str(yaml.safe_load(text)["dependencies"])


def _pip(text: str) -> bool:
    lines = [line for line in text.splitlines() if line and line[0] not in "#-./"]
    return [str(Requirement(line)) for line in lines] == ["six==1.17.0"]


def _shell(text: str) -> bool:
    return subprocess.run(["sh", "-n"], input=text, text=True).returncode == 0


READERS: dict[str, Callable[[str], object]] = {
    "conda": _conda,
    "pip": _pip,
    "dockerfile": lambda text: {"FROM", "RUN"} <= {c.cmd for c in dockerfile.parse_string(text)},
    "pixi": lambda text: "numpy" in tomllib.loads(text)["dependencies"],
    "json": lambda text: recipe_of(text.encode()).steps,
    "sbom": lambda text: json.loads(text)["bomFormat"] == "CycloneDX",
    "devcontainer": lambda text: "build" in json.loads(text),
    "jupyterhub": lambda text: yaml.safe_load(text)["singleuser"]["image"],
    "apt": lambda text: [line for line in text.splitlines() if line[0] != "#"] == ["tree"],
    "script": _shell,
}


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("name", READERS)
def test_its_reader_reads_it(name: str) -> None:
    done = terminal(name)
    assert READERS[name](done.stdout), done


@pytest.mark.parametrize("name", sorted(NEED_AN_ENVIRONMENT))
def test_of_an_error_nothing_is_on_it(name: str) -> None:
    done = terminal(name)
    assert (done.returncode, done.stdout) == (1, "")
    assert "jstackmagic: " in done.stderr


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("place", ["-", "/dev/stdout"])
def test_a_dash_is_standard_output_too(place: str, tmp_path: Path) -> None:
    done = started("conda", "--output", place)
    assert done.stdout == terminal("conda").stdout
    assert "Debian" in done.stderr
    assert not Path("-").exists()


@pytest.mark.usefixtures("wheel")
def test_one_that_is_closed_is_the_shell_s_affair() -> None:
    done = subprocess.run(
        ["sh", "-c", '"$0" export apt >&-', PROGRAM], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Bad file descriptor" in done.stderr
    assert "mistake" not in done.stderr


@pytest.mark.parametrize("words", [[">", "environment.yml"], [">environment.yml"]])
def test_a_cell_s_magic_has_an_option_for_it(words: list[str]) -> None:
    done = in_this_process("export", "conda", *words)
    assert "-o environment.yml" in done.stderr


@pytest.mark.usefixtures("wheel")
def test_a_difference_is_for_patch(tmp_path: Path) -> None:
    path = tmp_path / "apt.txt"
    path.write_text("old\n")
    done = terminal("apt", "--check", path)
    assert done.returncode == 1
    patched = subprocess.run(
        ["git", "apply", "--unsafe-paths", "-p0", "-"],
        input=done.stdout.replace(str(path), "apt.txt").replace("as it should be", "apt.txt"),
        text=True,
        cwd=tmp_path,
    )
    assert patched.returncode == 0
    assert path.read_text() == terminal("apt").stdout
