"""The console's gate: what a user or a package wrote moves no cursor and changes no colour."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic import cli
from jstackmagic.display import Code, Fold, Result, Table, Text, as_text, json_text
from jstackmagic.display.console import PlainConsole, Recording, quiet
from jstackmagic.display.log import Log, without_colours
from jstackmagic.model.text import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jstackmagic.display import Part
    from jstackmagic.session import Session

HOSTILE = (
    "\x1b[2J\x1b[H",  # clear the screen
    "\x1b]0;owned\x07",  # a title, ended by BEL
    "\x1b]52;c;cm0gLXJm\x1b\\",  # the clipboard, ended by ST
    "\x1bP+q544e\x1b\\",  # a device control string
    "\x9b31m",  # the same as ESC [ in one character
    "\x9d0;owned\x9c",
    "\x1bc",  # reset
    "\x1b(0",  # another set of letters
    "\r",
    "\b\b\b\b",
    "\x07\x00\x7f\x85",
)
_MOVES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, repr=False)
class Given(Result):
    """A result with one text in every kind of part."""

    text: str

    def summary(self) -> str:
        return self.text

    def parts(self) -> Sequence[Part]:
        table = Table((self.text, "b"), ((self.text, "x"),), self.text)
        return (Text(self.text), Code(self.text), table, Fold(self.text, self.text))

    def to_json(self) -> Any:
        return {"text": self.text}


@dataclass(frozen=True, repr=False)
class GivenDocument(Given):
    """A text for other programs."""

    @property
    def document(self) -> str:
        return self.text


@pytest.mark.parametrize("sequence", HOSTILE)
def test_escapes_are_left_out_and_the_words_stay(sequence: str) -> None:
    text = f"six{sequence}==1.0"
    assert readable(text) == "six==1.0"
    shown = Given(text)
    assert as_text(shown.parts()) == as_text(Given("six==1.0").parts())
    assert str(shown) == str(Given("six==1.0"))
    assert repr(shown) == "<six==1.0>"
    said: list[str] = []
    PlainConsole(said.append).say(text)
    assert said == ["six==1.0\n"]


def test_text_without_escapes_is_left_as_it_is() -> None:
    """For the over-eager: tabs, line ends, brackets, other scripts and emoji are text."""
    text = "a\tb\n[31m] dask[array]>2; python_version>'3' 数据 é 🐍 \u200d"
    assert readable(text) == text


def test_a_string_that_never_ends_hides_nothing_after_it() -> None:
    assert readable("a\x1b]0;title\nThe next line") == "a0;title\nThe next line"


@given(st.text(st.characters(codec=None), max_size=60))
def test_nothing_that_moves_comes_through(text: str) -> None:
    assert not _MOVES.search(readable(text))
    assert not _MOVES.search(as_text(Given(text).parts()).replace("\n", ""))
    readable(text).encode()


@given(st.text(st.characters(codec=None), max_size=60))
def test_json_says_all_of_it_in_letters(text: str) -> None:
    written = json_text(Given(text))
    assert not _MOVES.search(written)
    written.encode()
    assert json.loads(written)["text"] == text


@given(st.text(st.sampled_from("ab\x1b[]0;1mKAC\r\n\x07\x9b\x9c\x7f\x85\t"), max_size=40))
def test_nothing_of_a_log_moves_a_cursor_either(text: str) -> None:
    """A terminal shows the last lines of what a program wrote."""
    log = Log()
    log.write(text)
    assert not _MOVES.search(log.text.replace("\n", ""))
    assert not _MOVES.search(log.tail(5).replace("\n", ""))


def test_an_error_is_shown_without_them() -> None:
    from jstackmagic.model.errors import UsageError

    error = UsageError("no \x1b[2Jspec", kept="kept\x9b2J", advice="type\x1b]0;x\x07 this")
    error.coloured = False
    shown = "\n".join(error._render_traceback_())
    assert shown == "UsageError: no spec\nkept\n  → type this"


def test_a_program_s_words_are_recorded_and_go_on_without_colours() -> None:
    words: list[str] = []
    recording = Recording(PlainConsole(words.append))
    recording.say("$ pip install six")
    recording.write("half\rdone \x1b[32mok\x1b[0m\n")
    assert words == ["$ pip install six\n", "half\rdone ok\n"]
    assert recording.log.text == "done ok"
    assert without_colours("\x1b[1ma\x1b[0m") == "a"


def test_a_result_comes_after_the_words_as_asked_for() -> None:
    seen: list[object] = []
    console = PlainConsole(seen.append, lambda result, as_json: seen.append((result, as_json)))
    result = Given("six")
    console.say("first")
    console.result(result, as_json=True)
    assert seen == ["first\n", (result, True)]
    quiet().result(result)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_result_is_shown_in_any_encoding_and_programs_read_utf_8(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(result: Result, *, as_json: bool = False) -> bytes:
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr("jstackmagic.commands.execute", lambda *_: (result, as_json))
        assert cli.main(["info"]) == 0
        out.flush()
        return out.buffer.getvalue()  # type: ignore[attr-defined]

    shown = written(Given("1 → 2 ≠ 字…"))
    assert b"1 -> 2 != \\u5b57" in shown
    assert b"--" in shown
    assert json.loads(written(Given("1 → 字"), as_json=True)) == {"text": "1 → 字"}
    assert written(GivenDocument("1 → 字")) == "1 → 字".encode()


def test_what_is_no_result_is_on_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def execute(_verb: str, _words: list[str], session: Session) -> tuple[Result, bool]:
        session.console.say("$ uv pip install six")
        session.console.write("\x1b[2mUsing Python\x1b[")
        session.console.write("0m\n")
        return Given("six"), True

    monkeypatch.setattr("jstackmagic.commands.execute", execute)
    assert cli.main(["info"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {"text": "six"}
    assert shown.err == "$ uv pip install six\nUsing Python\n"
