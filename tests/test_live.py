"""What managers say, shown while they work and folded when they are done."""

from __future__ import annotations

import io
import time

import pytest

from jstackmagic.display.live import words_on
from jstackmagic.io.log import Log, Said


class Terminal(io.StringIO):
    """What a terminal would show of what was written to it."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        screen = Log()
        screen(self.getvalue())
        return screen.text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def wait_for(terminal: Terminal, words: str) -> None:
    deadline = time.monotonic() + 30
    while words not in terminal.shown:
        assert time.monotonic() < deadline, terminal.shown
        time.sleep(0.01)


def test_a_terminal_shows_the_last_lines_and_takes_them_away(terminal: Terminal) -> None:
    with words_on(terminal) as output:
        output(Said("$ pip install one\n"))
        output("".join(f"line {number}\n" for number in range(50)))
        output("the last one")  # nothing more comes for a while, and it is seen all the same
        wait_for(terminal, "the last one")
        assert terminal.shown.startswith("$ pip install one\n")
        assert "line 49" in terminal.shown
        assert "line 40" not in terminal.shown
        output(Said("$ pip install two\n"))
        output("wide " * 30 + "字" * 60 + "\n")
        wait_for(terminal, "wide wide")
        assert all(len(line) <= 40 for line in terminal.shown.splitlines())
    assert terminal.shown == "$ pip install one\n$ pip install two"


def test_a_bar_moves_in_its_place(terminal: Terminal) -> None:
    with words_on(terminal) as output:
        for percent in range(0, 101, 10):
            output(f"\r{percent}%")
        wait_for(terminal, "100%")
        assert terminal.shown.strip() == "100%"
    assert terminal.shown == ""


def test_what_is_no_terminal_gets_everything_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with words_on(stream) as output:
        output(Said("$ pip install one\n"))
        output("all\rof \x1b[31mit\n")
        assert stream.getvalue() == "$ pip install one\nall\rof \x1b[31mit\n"
    dumb = Terminal()
    monkeypatch.setenv("TERM", "dumb")
    with words_on(dumb) as output:
        output("everything\n")
    assert dumb.getvalue() == "everything\n"


def test_what_was_said_is_kept_where_the_work_fails(terminal: Terminal) -> None:
    def fail() -> None:
        with words_on(terminal) as output:
            output(Said("$ pip install one\n"))
            output("half of it\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert terminal.shown == "$ pip install one"
