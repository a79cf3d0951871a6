"""What Python hands to the programs it starts: variables, lists built up, folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture.cells import CellReader
from jstackmagic.io.reading import text_or_none
from support.captured import asked, cells, where

if TYPE_CHECKING:
    from pathlib import Path

_CALL = 'subprocess.run([sys.executable, "-m", "pip", "install", "six"], env={})'


class TestVariablesOfACall:
    """``env=`` may name the index: it counts, or it is said to be unknown."""

    @pytest.mark.parametrize(
        "env",
        [
            '{**os.environ, "PIP_INDEX_URL": "https://a.example.com"}',
            '{**os.environ.copy(), "PIP_INDEX_URL": url}',
            'dict(os.environ, PIP_INDEX_URL="https://a.example.com")',
            'os.environ | {"PIP_INDEX_URL": "https://a.example.com"}',
            '{"PIP_INDEX_URL": "https://a.example.com"}',
            "mine",
            "theirs",
        ],
    )
    def test_names_the_index(self, env: str) -> None:
        source = (
            'url = "https://a.example.com"\nmine = os.environ.copy()\n'
            'mine["PIP_INDEX_URL"] = url\ntheirs = {**os.environ}\n'
            "theirs.update(PIP_INDEX_URL=url)\n"
        )
        (find,) = cells(source + _CALL.replace("{}", env))
        assert find.request is not None
        assert find.request.sources.index_url == "https://a.example.com"

    def test_does_not_count_afterwards(self) -> None:
        env = 'dict(os.environ, PIP_INDEX_URL="https://a.example.com")'
        finds = cells(f"{_CALL.replace('{}', env)}\n!pip install idna")
        indexes = [find.request.sources.index_url for find in finds if find.request]
        assert indexes == ["https://a.example.com", ""]

    @pytest.mark.parametrize("env", ["made()", "{**os.environ, name: url}", "{**made()}"])
    def test_is_said_to_be_unknown(self, env: str) -> None:
        (find,) = cells(_CALL.replace("{}", env))
        assert "env=" in find.note

    def test_of_the_process_itself(self) -> None:
        (find,) = cells(
            'os.environ |= {"PIP_INDEX_URL": "https://a.example.com"}\n!pip install six'
        )
        assert find.request is not None
        assert find.request.sources.index_url == "https://a.example.com"


class TestListsBuiltUp:
    """A list that grows is followed, or what it grows by is said to be unknown."""

    @pytest.mark.parametrize(
        ("grown", "expected"),
        [
            ('cmd.append("six")', ["six"]),
            ('cmd.extend(["six", "idna"])', ["six idna"]),
            ('cmd += ["six"]; cmd.append("idna")', ["six idna"]),
            ("if x:\n    cmd.append('six')\nelse:\n    cmd.append('six')", ["six"]),
        ],
    )
    def test_is_followed(self, grown: str, expected: list[str]) -> None:
        assert asked(cells(f'cmd = ["pip", "install"]\n{grown}\nsubprocess.run(cmd)')) == expected

    @pytest.mark.parametrize(
        "grown",
        [
            "for name in names:\n    cmd.append(name)",
            'if x:\n    cmd.append("six")',
            'while x():\n    cmd += ["six"]',
            "cmd.extend(names)",
        ],
    )
    def test_is_not_lost(self, grown: str) -> None:
        finds = cells(f'cmd = ["pip", "install"]\n{grown}\nsubprocess.run(cmd)')
        assert any("only known when it runs" in find.reason for find in finds), finds

    def test_a_text_that_one_branch_makes_longer_is_not_lost(self) -> None:
        (find,) = cells('cmd = "pip install six"\nif x:\n    cmd += " idna"\nos.system(cmd)')
        assert "only known when it runs" in find.reason

    def test_a_list_that_installs_nothing_is_left_alone(self) -> None:
        assert cells('cmd = ["ls"]\nfor p in x:\n    cmd.append(p)\nsubprocess.run(cmd)') == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("f\"/opt/venv/bin{os.pathsep}{os.environ['PATH']}\"", "/opt/venv"),
        ('os.pathsep.join(["/opt/venv/bin", os.environ["PATH"]])', "/opt/venv"),
        ('os.path.join("/opt/venv", "bin") + ":" + os.environ["PATH"]', "/opt/venv"),
    ],
)
def test_a_path_put_together_with_separators_leads_there(path: str, expected: str) -> None:
    (find,) = cells(f'os.environ["PATH"] = {path}\n!pip install six')
    assert where(find) == expected


def test_a_path_that_cannot_be_divided_is_said_to_be_unknown() -> None:
    (find,) = cells(
        "os.environ['PATH'] = f\"/opt/v/bin{mark}{os.environ['PATH']}\"\n!pip install six"
    )
    assert "only known when it runs" in find.note


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("six>={N},<{N + 1}", "six>=3,<4"),
        ("six=={N - 1}", "six==2"),
        ("six=={2 * N}", "six==6"),
    ],
)
def test_numbers_are_added_as_numbers(line: str, expected: str) -> None:
    assert asked(cells(f'N = 3\n%pip install "{line}"')) == [expected]


@pytest.mark.parametrize(
    "call",
    [
        'os.execvp("pip", ["pip", "install", "six"])',
        'os.execlp("pip", "pip", "install", "six")',
        'os.spawnvp(os.P_WAIT, "pip", ["pip", "install", "six"])',
        'os.spawnlpe(os.P_WAIT, "pip", "pip", "install", "six", env)',
        'os.posix_spawnp("pip", ["pip", "install", "six"], os.environ)',
        'pty.spawn(["pip", "install", "six"])',
        'subprocess.run(["bash"], input="pip install six", text=True)',
    ],
)
def test_other_ways_to_start_a_program_are_seen(call: str) -> None:
    (find,) = cells(call)
    assert "six" in asked([find])[0] or find.reason


def test_a_folder_holds_for_its_block_alone() -> None:
    first, second = cells(
        'os.chdir("/y")\nwith contextlib.chdir("/z"):\n    !pip install ./w\n!pip install ./v'
    )
    assert asked([first, second]) == ["/z/w", "/y/v"]


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("x = 'pip install a '\n", "os.system(x)"),
        ("x = ['pip', 'install', 'a']\n", "subprocess.run(x)"),
    ],
)
@pytest.mark.parametrize("more", ["x = x + x\n", "x += x\n", "x = f'{x}{x}'\n"])
def test_a_value_that_doubles_is_not_followed_for_ever(text: str, last: str, more: str) -> None:
    assert not any(each.request for each in cells(text + more * 60 + last))


@pytest.mark.parametrize(
    ("cell", "specs"),
    [
        ("x = f()\ny = 'pip install ' + x\nx = 'six'\nos.system(y)", None),
        ("x = f()\nx = 'six'\ny = 'pip install ' + x\nos.system(y)", ("six",)),
        ("x = 'six'\ny = 'pip install ' + x\nx = f()\nos.system(y)", ("six",)),
        ("y = ['pip', 'install', x]\nx = 'six'\nsubprocess.run(y)", None),
        (
            "def run(x):\n    y = 'pip install ' + x\n    os.system(y)\nx = 'six'\nrun('idna')",
            None,
        ),
    ],
)
def test_a_name_means_what_it_was_when_it_was_read(
    cell: str, specs: tuple[str, ...] | None
) -> None:
    (found,) = cells(f"import os, subprocess\n{cell}")
    assert (found.request and found.request.texts) == specs


class TestFunctionsThatAreNotKnown:
    """What is given an install to run may run it; what is given it to show does not."""

    @pytest.mark.parametrize(
        "call",
        [
            'run_shell("pip install six")',
            'helper.do("pip install six")',
            'Popen("pip install six", shell=True)',
            'check(["pip", "install", "six"])',
            'foo("pip", "install", "six")',
            'do_it(cmd="pip install six")',
            'asyncio.run(go("!pip install six"))',
            "for c in ['pip install six']:\n    get_ipython().run_cell(c)",
            "for c in ['apt-get install -y six']:\n    subprocess.call(['bash', '-c', c])",
            "get_ipython().run_line_magic('pip', six)",
            "for c in ['pip install six']:\n    !{c}",
            "todo = {'a': 'pip install six'}\nos.system(todo[k])",
            "def run(c): os.system(c)\nfor c in ['pip install six', 'ls']:\n    run(c)",
        ],
    )
    def test_are_listed(self, call: str) -> None:
        finds = cells(call)
        assert finds
        assert all(find.reason and "six" in f"{find.command} {find.reason}" for find in finds)

    @pytest.mark.parametrize(
        "call",
        [
            'print("pip install six")',
            'raise SystemExit("pip install six")',
            'logger.warning("pip install six")',
            'parser.add_argument("--x", help="pip install six")',
            'display(Markdown("pip install six"))',
            '"pip install six".replace("six", "idna")',
            'todo.append("pip install six")',
            'pytest.importorskip("six", reason="pip install six")',
            'commands = {"x": "pip install six"}',
            'ask("How do I pip install six?")',
            'ask("make sure to install it")',
            "todo = ['pip install six']\n!{sys.executable} x.py",
            "c = 'ls'\ntodo = ['pip install six']\n!{c}",
            "for c in ['pip install six']:\n    print(c)",
        ],
    )
    def test_text_is_none(self, call: str) -> None:
        assert cells(call) == []

    @pytest.mark.parametrize(
        ("source", "expected"),
        [
            ("import shlex\nsubprocess.run(shlex.split(\"pip install 'a>=1' b\"))", "a>=1 b"),
            ('from plumbum import local\nlocal["pip"]("install", "a")', "a"),
            ('from plumbum import local\npip = local["pip"]\npip["install", "a"]()', "a"),
            ('from plumbum.cmd import pip, sudo\nsudo[pip["install"]["a"]].run()', "a"),
            ('from plumbum import FG\nfrom plumbum.cmd import pip\npip["install", "a"] & FG', "a"),
            ('import sh\nsh.sudo.pip.install("a")', "a"),
            ('import sh\nsh.Command("pip")("install", "a")', "a"),
            ("%alias_magic inst pip -p install\n%inst a", "a"),
        ],
    )
    def test_other_ways_are_followed(self, source: str, expected: str) -> None:
        assert asked(cells(f"import subprocess\n{source}")) == [expected]

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            (
                "import dask.distributed as d\nc.register_plugin(d.PipInstall(packages=['a']))",
                "Dask",
            ),
            ("u = importr('utils')\nu.install_packages('ggplot2')", "conda:r-ggplot2"),
            ("line = 'make -C a install'\nos.system(line)", "It runs: make -C a install"),
        ],
    )
    def test_others_are_said(self, source: str, said: str) -> None:
        (find,) = cells(f"import os\n{source}")
        assert said in find.reason

    def test_a_notebook_that_is_run_is_read(self, tmp_path: Path) -> None:
        cell = {"cell_type": "code", "source": ["!pip install a"]}
        (tmp_path / "common.ipynb").write_text(json.dumps({"cells": [cell, {"cell_type": "raw"}]}))
        reader = CellReader(folder=str(tmp_path))
        reader.state.machine.look = text_or_none
        assert asked(list(reader.read("%run ./common.ipynb"))) == ["a"]

    def test_pip_s_own_command(self) -> None:
        source = "from pip._internal.commands import create_command\n"
        assert asked(cells(f'{source}create_command("install").main(["six"])')) == ["six"]

    @pytest.mark.parametrize(
        "form", ['"%s -m pip install six" % {}', '"{{}} -m pip install six".format({})']
    )
    def test_the_kernel_s_interpreter_is_known_in_a_format(self, form: str) -> None:
        (find,) = cells(f"import os, sys\nos.system({form.format('sys.executable')})")
        assert find.target.interpreter == "{sys.executable}"


@pytest.mark.parametrize(
    "value", ["re.compile(f'{END}$')", "f'{END + x()}'", "[f'{END}' for y in x()]"]
)
def test_a_value_that_python_cannot_write_as_code(value: str) -> None:
    """Before 3.12 no code has a backslash in an f-string's braces, where a value is filled in."""
    found = cells(f"END = r'[\\s]'\nX = {value}\n!pip install six\n!pip install {{X}}")
    assert asked(found) == ["six", "?"]
