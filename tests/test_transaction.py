"""Requests of one line for several managers: what waits for what, and what an error says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.environment import detect
from jstackmagic.errors import CommandFailed
from jstackmagic.history import History
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.tiers import Channel
    from support.wheels import WheelIndex


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
