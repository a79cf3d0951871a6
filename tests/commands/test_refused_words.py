"""Words that would go to the default, do nothing or mean something else are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands
from jstackmagic.commands._parser import parse
from jstackmagic.managers.conda.spec import read_specs
from jstackmagic.model.errors import InvalidSpec, UsageError
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read_all
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


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


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("install", "--verify --dry-run --pip six"),
        ("install", "--verify --record-only --pip six"),
        ("sync", "--prove --dry-run"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    name: str, words: str, history_file: Path
) -> None:
    with pytest.raises(UsageError, match=r"--dry-run|--record-only"):
        verb(name, *words.split())
    assert not history_file.exists()


def test_several_packages_in_one_word_of_conda() -> None:
    with pytest.raises(InvalidSpec) as raised:
        read_specs(Request("install", "conda", read_all("conda", ["numpy pandas"])))
    assert raised.value.advice == ("Write: numpy pandas",)


def test_an_option_that_may_stand_without_a_value_may() -> None:
    assert parse(commands.parser("install", magic=True), ["--missing"]).missing == ""
