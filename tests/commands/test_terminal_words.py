"""A terminal's words: ``jstackmagic VERB`` where a notebook has ``%envVERB``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jstackmagic import cli
from jstackmagic.display import Table, as_text
from jstackmagic.model.errors import CommandFailed
from jstackmagic.model.text import for_terminal

if TYPE_CHECKING:
    import pytest


def test_errors_name_the_terminals_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    error = CommandFailed("a: %envinstall --pip six", kept="See %envhistory.", advice="%envinfo")
    cli._say(error, [])
    assert capsys.readouterr().err == (
        "jstackmagic: a: jstackmagic install --pip six\n"
        "See jstackmagic history.\n  → jstackmagic info\n"
    )


def test_a_tables_sentences_do_and_its_commands_do_not() -> None:
    table = Table(("Command", "Why"), (("%envinstall six", "See %envinfo"),), sentences=("Why",))
    shown = as_text([table], words=for_terminal)
    assert "%envinstall six  See jstackmagic info" in shown


def test_a_misspelt_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["instal", "six"]) == 2
    assert "Did you mean install?" in capsys.readouterr().err
