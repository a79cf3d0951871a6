"""What a program wrote to its terminal, as it stands there in the end."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.display.console import PlainConsole, Recording
from jstackmagic.display.log import HEAD, LONGEST, MOST, PLAIN, Log, Style

PARTS = (
    *("one\ntw", "o\n\n\x1b[1mthr", "ee\x1b[0m\n", " 10%\r 20%\r"),
    *("\x1b[2K100%", "\r\n\n", "end"),
)


def test_the_tail_is_the_last_lines_as_plain_text_and_everything_goes_on() -> None:
    words: list[str] = []
    recording = Recording(PlainConsole(words.append))
    for part in PARTS:
        recording.write(part)
    log = recording.log
    assert log.tail(3) == "three\n100%\nend"
    assert log.text == "one\ntwo\n\nthree\n100%\n\nend"
    assert "".join(words) == re.sub(r"\x1b\[\d*[mK]", "", "".join(PARTS))
    assert len(log) == 7


@given(st.lists(st.integers(0, len("".join(PARTS)))))
def test_it_does_not_matter_where_the_words_were_split(cuts: list[int]) -> None:
    whole, log = "".join(PARTS), Log()
    at = [0, *sorted(cuts), len(whole)]
    for start, end in pairwise(at):
        log.write(whole[start:end])
    assert log.text == "one\ntwo\n\nthree\n100%\n\nend"


def test_links_and_titles_are_no_text() -> None:
    log = Log()
    log.write("\x1b]0;title\x07\x1b]8;;https://host.example\x1b\\link\x1b]8;;\x1b\\\n")
    assert log.text == "link"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("12345\rab", "ab345"),
        ("12345\rab\x1b[K", "ab"),
        ("abc\b\bX", "aXc"),
        ("one\ntwo\n\x1b[2A\x1b[2K1\n\x1b[K2\nthree", "1\n2\nthree"),
        ("one\ntwo\nthree\x1b[2A\r\x1b[Jend", "end"),
        ("a\x1b[5Gb", "a   b"),
        ("\x1b[?25l12%\x1b[?25h", "12%"),
    ],
)
def test_what_was_written_over_is_gone(written: str, shown: str) -> None:
    log = Log()
    log.write(written)
    assert log.text == shown


def test_two_bars_below_each_other_stay_two_lines() -> None:
    """As conda draws one a package: up, again, and down."""
    log = Log()
    log.write("first   0%\nsecond  0%\n")
    for percent in range(10, 101, 10):
        log.write(f"\x1b[2A\rfirst  {percent}%\n\rsecond {percent}%\n")
    assert log.text == "first  100%\nsecond 100%"


def test_colours_are_kept_for_who_can_show_them() -> None:
    log = Log()
    log.write("\x1b[31;1mred\x1b[0m plain \x1b[38;5;196mindexed\x1b[38;2;1;2;3mexact\x1b[39m\n")
    assert log.last(5) == (
        [
            (
                ("red", Style("red", bold=True)),
                (" plain ", PLAIN),
                ("indexed", Style("#ff0000")),
                ("exact", Style("#010203")),
            )
        ]
    )


def test_a_line_that_never_ends_does_not_grow() -> None:
    log = Log()
    for number in range(1000):
        log.write(f"\r{number}" + "." * 1000)
    assert log.tail(1).startswith("999.")
    assert len(log.tail(1)) < 2000
    for _ in range(100):
        log.write("x" * 1000)
    assert len(log.text) <= LONGEST


def test_of_a_very_long_log_the_middle_is_left_out_and_that_is_said() -> None:
    log = Log()
    for start in range(0, 20_000, 100):
        log.write("".join(f"line {number}\n" for number in range(start, start + 100)))
    lines = log.text.splitlines()
    assert lines[0] == "line 0"
    assert lines[-1] == "line 19999"
    assert lines[HEAD].startswith("… ")
    assert len(lines) <= MOST + HEAD + 1
    left_out = int(lines[HEAD].split()[1])
    assert len(lines) - 1 + left_out == 20_000 == len(log)
