"""The two surfaces: a terminal's IPython, the command line; and what loading costs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pexpect
import pytest

from jstackmagic import commands
from support.forked import jstackmagic
from support.kernels import PATIENCE
from support.verbs import command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.wheels import WheelIndex

HEAVY = ("docker", "rattler", "rich", "requests", "pandas", "yaml", "msgspec", "packaging.version")


@pytest.fixture(scope="module")
def prefix(make_ipython_env: Callable[[str], Path]) -> Path:
    """A virtual environment with jstackmagic in it."""
    return make_ipython_env(">=9")


@pytest.fixture(scope="module")
def prefix_of_ipython_8(make_ipython_env: Callable[[str], Path]) -> Path:
    """The same with the oldest IPython that we support."""
    return make_ipython_env("<9")


@pytest.fixture(params=["prefix", "prefix_of_ipython_8"])
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[pexpect.spawn]:
    """Terminal IPython on a pseudo-terminal."""
    prefix = request.getfixturevalue(request.param)
    arguments = ["--simple-prompt", "--no-banner", "--colors=NoColor", "--no-confirm-exit"]
    environ = {**os.environ, "PAGER": "cat", "IPYTHONDIR": str(tmp_path / "ipython")}
    child = pexpect.spawn(
        str(prefix / "bin/python"),
        ["-m", "IPython", *arguments],
        encoding="utf-8",
        timeout=PATIENCE,
        env=environ,  # type: ignore[arg-type]
        cwd=str(tmp_path),
        dimensions=(40, 200),
    )
    child.expect(r"In \[1\]:")
    yield child
    child.close(force=True)


def run(terminal: pexpect.spawn, number: int, line: str) -> str:
    """Type a line at the prompt ``In [number]`` and return what comes before the next."""
    terminal.sendline(line)
    terminal.expect(rf"In \[{number + 1}\]:")
    return str(terminal.before).replace("\r\n", "\n")


def test_terminal_ipython(terminal: pexpect.spawn, wheel_index: WheelIndex) -> None:
    wheel_index.add("for-terminals", "1.0")
    run(terminal, 1, "%load_ext jstackmagic")
    assert "virtual environment" in run(terminal, 2, "%envinfo")
    line = f"%envinstall for-terminals --index-url {wheel_index.url}"
    output = run(terminal, 3, line)
    assert "pip install" in output
    assert "for-terminals  1.0" in output
    assert output.count("no restart is needed") == 1
    assert "1" in run(terminal, 4, "import for_terminals; for_terminals.__version__")
    failed = run(terminal, 5, f"%envinstall no-such-thing-here --index-url {wheel_index.url}")
    assert "CommandFailed" in failed
    assert "\x1b[31m" not in failed, "red only where colour is there"
    assert "Traceback" not in failed
    assert "for-terminals" in run(terminal, 6, "%envhistory")
    assert "FROM" in run(terminal, 7, "%envexport dockerfile --from base:1")
    help_text = run(terminal, 8, "%envinstall?")
    assert "--record-only" in help_text


def cli(prefix: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(prefix / "bin/jstackmagic"), *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )


def test_the_command_line_does_the_same(prefix: Path, wheel_index: WheelIndex) -> None:
    """Its history and exports: see test_base_install."""
    wheel_index.add("from-a-shell", "1.0")
    done = cli(prefix, "install", "from-a-shell", "--index-url", wheel_index.url)
    assert done.returncode == 0, done.stderr
    assert "from-a-shell  1.0" in done.stdout
    again = cli(prefix, "install", "from-a-shell", "--json")
    assert json.loads(again.stdout)["changed"] is False
    removed = cli(prefix, "remove", "from-a-shell", "--json")
    assert removed.returncode == 0, removed.stderr
    assert [
        item["name"]
        for item in json.loads(removed.stdout)["steps"][0]["outcome"]["change"]["removed"]
    ] == ["from-a-shell"]
    failed = cli(prefix, "install", "not-there", "--index-url", wheel_index.url, "--json")
    assert failed.returncode == 1
    error = json.loads(failed.stdout)["error"]
    assert (error["kind"], error["cause"]) == ("CommandFailed", "not found")
    assert error["problem"] in failed.stderr


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("info",), 0),
        (("--version",), 0),
        ((), 0),
        (("nonsense",), 2),
        (("install",), 2),
        (("install", "--nonsense"), 2),
        (("install", "$(id)"), 2),
        (("remove", "not-here"), 2),
        (("info", "--name", "no-such-environment"), 2),
        (("history", "ffffffff"), 1),
        (("export", "dockerfile", "--pin", "nonsense"), 2),
        (
            (
                "install",
                "no-such-thing-here",
                "--index-url",
                "http://127.0.0.1:9/simple",
                "--",
                "--retries=0",
            ),
            1,
        ),
    ],
)
def test_exit_status(words: tuple[str, ...], status: int) -> None:
    done = jstackmagic(*words)
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if status:
        assert re.search("(?m)^jstackmagic: ", done.stderr)  # it may have said that it waits
        assert "%env" not in done.stderr, "a terminal's user is told what to type in a terminal"


def test_a_terminal_shows_an_error_in_red_and_a_pipe_without(prefix: Path) -> None:
    words = [str(prefix / "bin/jstackmagic"), "remove", "not-here"]
    environ = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    shown, _ = pexpect.run(shlex.join(words), env=environ, withexitstatus=True)
    assert shown.startswith(b"\x1b[31mjstackmagic\x1b[0m: ")
    assert "\x1b" not in cli(prefix, "remove", "not-here").stderr


@pytest.mark.parametrize("verb", commands.names())
def test_every_verb_has_help_json_and_examples_on_both_surfaces(verb: str) -> None:
    magic = commands.parser(verb, magic=True).format_help()
    terminal = command(verb, "--help").stdout
    assert "Examples:" in magic
    assert f"%env{verb}" in magic
    assert f"jstackmagic {verb}" in terminal
    assert "%env" not in terminal
    assert "--json" in terminal


def test_loading_the_extension_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'jstackmagic')\n"
        "print('\\n'.join(set(sys.modules) - before))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not [name for name in loaded if name.startswith(HEAVY)]
    ours = {name.removeprefix("jstackmagic.") for name in loaded if "jstackmagic" in name}
    surface = {
        *("jstackmagic", "magics", "commands", "config"),
        *("model.managers", "model.packages"),  # which managers a setting may name
        *("model", "model.errors", "model.engines", "model.sources", "model.credentials"),
        "model.text",  # errors are masked as text
        *("model.policy", "hint", "hint.hints", "hint.completion", "session", "version"),
        *("history", "history.progress", "io", "io.runtime"),
    }
    assert ours <= surface | {"capture", "capture.recorder", "capture.taps"}
