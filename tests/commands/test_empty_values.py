"""A value that is empty, as of a variable that is not set, is no reason to take the default."""

from __future__ import annotations

import pytest

from jstackmagic import commands
from jstackmagic.commands._parser import parse
from jstackmagic.model.errors import UsageError


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("install", ["--prefix", "", "six"]),
        ("install", ["--name=", "six"]),
        ("remove", ["-n", "", "six"]),
        ("export", ["conda", "--prefix", ""]),
        ("install", ["-c", "", "six"]),
    ],
)
def test_an_empty_value_is_refused(name: str, words: list[str]) -> None:
    with pytest.raises(UsageError, match="is empty") as raised:
        parse(commands.parser(name, magic=True), words)
    assert raised.value.kept == "Nothing was started."


def test_an_option_that_may_stand_without_a_value_may() -> None:
    assert parse(commands.parser("install", magic=True), ["--missing"]).missing == ""
