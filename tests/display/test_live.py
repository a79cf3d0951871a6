"""What managers say, shown while they work and folded when they are done."""

from __future__ import annotations

import io
import time
from contextlib import closing

import pytest

from jstackmagic.display.live import stream_console
from jstackmagic.display.log import Log


def show(_result: object, _as_json: bool) -> None:
    raise AssertionError("nobody asked for a result")


class Terminal(io.StringIO):
    """What a terminal would show of what was written to it."""

    def isatty(self) -> bool:
        return True

    @property
    def shown(self) -> str:
        screen = Log()
        screen.write(self.getvalue())
        return screen.text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "40")
    return Terminal()


def wait_for(terminal: Terminal, words: str) -> None:
    deadline = time.monotonic() + 150
    while words not in terminal.shown:
        assert time.monotonic() < deadline, terminal.shown
        time.sleep(0.01)


def test_a_terminal_shows_the_last_lines_and_takes_them_away(terminal: Terminal) -> None:
    with closing(stream_console(terminal, show)) as console:
        console.say("$ pip install one")
        console.write("".join(f"line {number}\n" for number in range(50)))
        console.write("the last one")  # nothing more comes for a while, and it is seen all the same
        wait_for(terminal, "the last one")
        assert terminal.shown.startswith("$ pip install one\n")
        assert "line 49" in terminal.shown
        assert "line 40" not in terminal.shown
        console.say("$ pip install two")
        console.write("wide " * 30 + "字" * 60 + "\n")
        wait_for(terminal, "wide wide")
        assert all(len(line) <= 40 for line in terminal.shown.splitlines())
    assert terminal.shown == "$ pip install one\n$ pip install two"


def test_a_bar_moves_in_its_place(terminal: Terminal) -> None:
    with closing(stream_console(terminal, show)) as console:
        for percent in range(0, 101, 10):
            console.write(f"\r{percent}%")
        wait_for(terminal, "100%")
        assert terminal.shown.strip() == "100%"
    assert terminal.shown == ""


def test_what_is_no_terminal_gets_everything_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    with closing(stream_console(stream, show)) as console:
        console.say("$ pip install one")
        console.write("all\rof \x1b[3")
        console.write("1mit\x1b[0m\n")
        assert stream.getvalue() == "$ pip install one\nall\rof it\n"
    dumb = Terminal()
    monkeypatch.setenv("TERM", "dumb")
    with closing(stream_console(dumb, show)) as console:
        console.write("everything\n")
    assert dumb.getvalue() == "everything\n"


def test_what_was_said_is_kept_where_the_work_fails(terminal: Terminal) -> None:
    def fail() -> None:
        with closing(stream_console(terminal, show)) as console:
            console.say("$ pip install one")
            console.write("half of it\n")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert terminal.shown == "$ pip install one"
