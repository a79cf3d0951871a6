"""What no verb has words for: paths that cannot be, files that nest for ever, mistakes of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jstackmagic import cli, commands
from jstackmagic.commands._unexpected import Unexpected, unexpected
from jstackmagic.io.runtime import runtime_folder
from jstackmagic.magics import Magic
from jstackmagic.managers.conda.rattler.repodata import Channels
from jstackmagic.managers.conda.spec import parse
from jstackmagic.model.errors import InvalidSpec
from jstackmagic.session import Session
from jstackmagic.version import __version__
from jstackmagic.where.condarc import CondaConfig
from support.forked import jstackmagic
from support.verbs import command

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

LONG = "a" * 300
NOBODY = "~nosuchuser/x"
SURROGATE = "x\udcff"


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the program, as a process of its own: what it shows is encoded, a stack has its end."""
    return jstackmagic(*words, folder=folder)


@pytest.mark.parametrize("path", [NOBODY, LONG, SURROGATE])
@pytest.mark.parametrize(
    "words",
    [
        ("export", "--recipe", "{}", "dockerfile"),
        ("export", "dockerfile", "--from", "base:1", "--output", "{}"),
        ("export", "dockerfile", "--from", "base:1", "--check", "{}"),
        ("export", "--all", "{}", "--from", "base:1"),
        ("replay", "--dry-run", "--from", "{}"),
        ("replay", "--dry-run", "--log", "{}"),
        ("hook", "install", "--snippet", "{}"),
        ("hook", "install", "--folder", "{}"),
        ("install", "--dry-run", "-f", "{}"),
        ("install", "--dry-run", "--prefix", "{}", "six"),
        ("capture", "--dry-run", "{}"),
        ("info", "--prefix", "{}"),
        ("history", "{}"),
    ],
    ids=" ".join,
)
def test_a_path_that_cannot_be_is_a_short_error(
    words: tuple[str, ...], path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = [word.format(path) for word in words]
    monkeypatch.chdir(tmp_path)
    done = run(*line, folder=tmp_path) if path is SURROGATE else command(*line)
    said = done.stderr
    assert "Traceback" not in said
    assert "bug in jstackmagic" not in said
    assert done.returncode in (0, 1, 2)
    if done.returncode and not done.stdout:  # a difference is no error
        assert said.startswith("jstackmagic: ")


def test_half_a_character_is_no_package_and_no_channel() -> None:
    with pytest.raises(InvalidSpec, match="not a match spec"):
        parse(SURROGATE)
    with pytest.raises(InvalidSpec, match=r"x\\udcff' is not a channel"):
        Channels((), CondaConfig()).and_of(["conda-forge", SURROGATE])
    assert len(Channels((), CondaConfig()).and_of(["caf\xe9"]).urls) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "x = " + "[" * 20_000),
        ("environment.yml", "a: " + "[" * 20_000),
        ("notebook.ipynb", "[" * 20_000),
        ("Pipfile.lock", '{"a":' * 20_000),
    ],
)
def test_a_file_that_nests_for_ever(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    for words in (("install", "--dry-run", "-f", name), ("capture", "--dry-run", name)):
        done = run(*words, folder=tmp_path)
        said = done.stderr + done.stdout
        assert "Traceback" not in said
        assert "RecursionError" not in said
        assert name in said


def test_a_kernelspec_that_nests_for_ever_is_passed_over(home: Path, tmp_path: Path) -> None:
    folder = home / ".local/share/jupyter/kernels/deep"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text("[" * 100_000)
    done = run("info", "--all-kernels", folder=tmp_path)
    assert "Traceback" not in done.stderr


class TestAMistakeOfOurs:
    @pytest.fixture(autouse=True)
    def _mistake(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise ZeroDivisionError("at https://me:pw-secret@example.com")

        monkeypatch.setattr(commands, "execute", fail)

    def test_in_a_terminal(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert cli.main(["info"]) == 1
        said = capsys.readouterr().err
        assert f"This is a bug in jstackmagic {__version__}: ZeroDivisionError" in said
        assert "Report it" in said
        assert "Traceback" not in said
        whole = runtime_folder() / "traceback.txt"
        assert str(whole) in said
        assert "in fail" in whole.read_text()
        assert "pw-secret" not in said + whole.read_text()
        assert whole.stat().st_mode & 0o777 == 0o600

    def test_in_a_notebook(self) -> None:
        magic = Magic(InteractiveShell.instance(), "info", Session())
        with pytest.raises(Unexpected, match="ZeroDivisionError"):
            magic("")

    @pytest.mark.parametrize("where", ["terminal", "notebook"])
    def test_shown_whole_on_request(self, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("JSTACKMAGIC_TRACEBACK", "1")
        magic = Magic(InteractiveShell.instance(), "info", Session())
        with pytest.raises(ZeroDivisionError):
            cli.main(["info"]) if where == "terminal" else magic("")


@pytest.mark.parametrize(
    "error",
    [OSError(36, "File name too long", "x"), PermissionError(13, "Permission denied", "/x")],
)
def test_an_error_of_the_system_is_no_mistake_of_ours(error: OSError) -> None:
    found = unexpected(error)
    assert isinstance(found, Unexpected)
    assert found.problem == f"{error.filename}: {error.strerror}."
    assert not any("Report" in line for line in found.advice)
