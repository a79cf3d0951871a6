"""Requests of one line for several managers: what waits for what, and what an error says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands
from jstackmagic.display.console import Plain
from jstackmagic.history.file import History
from jstackmagic.model.errors import CommandFailed, UsageError
from jstackmagic.session import Session
from jstackmagic.where.environment import detect
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.tiers import Channel
    from support.wheels import WheelIndex


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "venv", pip=False)


def test_pip_waits_for_the_python_that_conda_brings(
    conda_env: Callable[..., Path], shim_channel: Channel, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    prefix = conda_env("r-base")
    words = ("--prefix", prefix, "-c", shim_channel.url, "-i", wheel_index.url)
    result = verb("install", *words, "conda:python", "pip:plain")
    assert [item.plan.request.manager for item in result.done] == ["conda", "pip"]
    assert "plain" in {package.name for package in result.change.added}


def test_what_was_done_before_an_error_is_said_also_where_pip_had_to_wait(
    conda_env: Callable[..., Path],
    shim_channel: Channel,
    wheel_index: WheelIndex,
    history_file: Path,
) -> None:
    prefix = conda_env("r-base")
    words = ("--prefix", prefix, "-c", shim_channel.url, "-i", wheel_index.url)
    with pytest.raises(CommandFailed) as caught:
        verb("install", *words, "conda:python", "pip:nowhere-to-be-had")
    assert caught.value.kept == "Done before it: conda."
    assert detect(prefix).executable is not None
    outcomes = [record.status for record in History(history_file).records()]
    assert outcomes == ["ok", "failed"]


@pytest.mark.parametrize("habit", ["-q", "--quiet"])
def test_quietly_only_what_came_of_it_is_shown(
    habit: str, venv: Path, wheel_index: WheelIndex, history_file: Path
) -> None:
    wheel_index.add("plain", "1.0")
    said: list[str] = []
    words = ["--prefix", str(venv), "--pip", "plain", habit, "-i", wheel_index.url]
    result, _ = commands.execute("install", words, Session(shown=Plain(said.append)))
    assert said == []
    assert "plain    1.0" in str(result)
    outcome = History(history_file).records()[0].outcome
    assert outcome is not None
    assert outcome.log, "the record has it whole"


def test_an_option_that_is_the_managers_is_shown_its_place(venv: Path) -> None:
    with pytest.raises(UsageError, match="unrecognized arguments: --no-deps") as caught:
        verb("install", "--prefix", venv, "plain", "--no-deps")
    assert caught.value.advice[0].endswith(": jstackmagic install NAME -- --no-deps")
    with pytest.raises(UsageError) as caught:
        verb("history", "--no-deps")
    assert "--no-deps" not in caught.value.advice[0]
