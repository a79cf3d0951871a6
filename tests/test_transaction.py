"""Requests of one line for several managers: what waits for what, and what an error says."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands
from jstackmagic.display.console import Plain, quiet
from jstackmagic.history.file import History
from jstackmagic.install.turns import turn
from jstackmagic.model.errors import CommandFailed, Interrupted, UsageError
from jstackmagic.model.plan import Plan
from jstackmagic.model.request import Request
from jstackmagic.session import Session
from jstackmagic.where.environment import detect
from support.environments import make_venv
from support.interrupts import interrupt_when
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


def install(prefix: Path, *words: object) -> subprocess.Popen[str]:
    """Another process that installs into the same history."""
    command = [sys.executable, "-m", "jstackmagic", "install", "--prefix", prefix, *words]
    return subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("managers", ["conda conda", "pip pip", "conda pip"])
def test_two_at_once_in_one_prefix_each_record_their_own_change(
    managers: str,
    conda_env: Callable[..., Path],
    shim_channel: Channel,
    wheel_index: WheelIndex,
    history_file: Path,
) -> None:
    wheel_index.add("first", "1.0")
    wheel_index.add("second", "1.0")
    prefix = conda_env("python")
    asked = {"conda": ["demo-tool", "pymongo"], "pip": ["second", "first"]}
    names = [asked[manager].pop() for manager in managers.split()]
    sources = ("-c", shim_channel.url), ("-i", wheel_index.url)
    both = [
        install(prefix, f"--{manager}", name, *sources[manager == "pip"])
        for manager, name in zip(managers.split(), names, strict=True)
    ]
    for process in both:
        out, _ = process.communicate(timeout=120)
        assert process.returncode == 0, out
    records = History(history_file).records()
    assert {record.request.texts for record in records} == {(name,) for name in names}
    for record in records:
        assert record.outcome is not None
        added = [package.name for package in record.outcome.change.added]
        (other,) = {*names} - {*record.request.texts}
        assert record.request.texts[0] in added
        assert other not in added


def test_another_environment_is_not_waited_for(
    venv: Path, tmp_path: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    other = make_venv(tmp_path / "other", pip=False)
    with turn(plan_of(other), quiet()):
        assert verb("install", "--prefix", venv, "--pip", "plain", "-i", wheel_index.url).change


def test_a_wait_says_for_whom_and_can_be_interrupted(
    venv: Path, wheel_index: WheelIndex, history_file: Path
) -> None:
    wheel_index.add("plain", "1.0")
    said: list[str] = []
    words = ["--prefix", str(venv), "--pip", "plain", "-i", wheel_index.url]
    with turn(plan_of(venv), quiet()):
        interrupt_when(lambda: "waiting for that to end" in "".join(said))
        with pytest.raises(Interrupted) as caught:
            commands.execute("install", words, Session(shown=Plain(said.append)))
    assert f"{venv} is being changed by process {os.getpid()} (" in "".join(said)
    assert caught.value.kept == "Nothing was changed."
    assert History(history_file).records() == []


def plan_of(prefix: Path) -> Plan:
    return Plan(Request("install", "pip", ("x",)), detect(prefix), engine="pip", commands=())
