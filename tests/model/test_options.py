"""The one walk over a command's words, for requests and for the lines of a shell."""

from __future__ import annotations

import pytest

from jstackmagic.capture import conda_tools, debian_tools, python_tools
from jstackmagic.capture.argv import ProgramOptions
from jstackmagic.model.options import INSTALL, OptionTable
from jstackmagic.model.shell import Word

TABLE = OptionTable.of(valued="-f/--find-links --proxy", flags="-U/--upgrade -q/--quiet")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-qf/w"], [("--quiet", "", ("-q",)), ("--find-links", "/w", ("-f", "/w"))]),
        (["-f=/w", "six"], [("--find-links", "/w", ("-f", "/w")), ("", "six", ("six",))]),
        (["--pro=", "six"], [("--proxy", "", ("--pro=",)), ("", "six", ("six",))]),
        (["-f=", "six"], [("--find-links", "", ("-f", "")), ("", "six", ("six",))]),
        (["-q=x"], [("--quiet", "x", ("-q=x",))]),
        (["--", "-q", "--"], [("", "-q", ("--", "-q")), ("", "--", ("--",))]),
        (["--proxy"], [("--proxy", "", ("--proxy",))]),
        (["--color", "six"], [("--color", "", ("--color",)), ("", "six", ("six",))]),
        (["--api-token", "s3"], [("--api-token", "s3", ("--api-token", "s3"))]),
    ],
)
def test_walk(words: list[str], found: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert list(TABLE.options(words)) == found
    given = ProgramOptions.of(TABLE).read(map(Word, words)).items
    assert [(name, word.text if word else "") for name, word in given] == [
        (name, value) for name, value, _ in found
    ]


@pytest.mark.parametrize(
    ("manager", "program"),
    [("apt", debian_tools.APT), ("conda", conda_tools.CONDA), ("pip", python_tools.PIP)],
)
def test_a_line_of_a_shell_may_have_what_a_request_has(
    manager: str, program: ProgramOptions
) -> None:
    table = INSTALL[manager]
    assert table.names.keys() < program.names.keys()
    differ = {name for name in table.names if table.takes(name) != program.takes(name)}
    assert differ == ({"-f"} if manager == "conda" else set()), "conda's -f is --force there"
    assert table.manner <= program.manner


def test_a_table_of_a_shell_lets_nothing_more_pass_a_policy() -> None:
    assert "--rc-file" in conda_tools.CONDA
    assert "--rc-file" not in INSTALL["conda"]
