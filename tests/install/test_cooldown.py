"""Packages that have not been public for long enough are left out, by whatever engine."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.conda.executable import ByExecutable
from jstackmagic.managers.pip.executable import PipProgram
from jstackmagic.model.errors import CommandFailed, Stopped
from jstackmagic.model.policy import Policy
from jstackmagic.model.request import Request
from jstackmagic.where.detect import detect
from support.channel import ChannelBuilder
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.environments import Root
    from support.wheels import WheelIndex

HELD = Policy(cooldown_days=7, reasons=(("cooldown_days", "Others find out first."),))


def ago(days: int) -> datetime:
    return datetime.now(timezone.utc) - timedelta(days=days)


@pytest.fixture
def index(wheel_index: WheelIndex) -> WheelIndex:
    """Has a version of 30 days and one of 2."""
    for version, days in (("1.0", 30), ("2.0", 2)):
        wheel = wheel_index.add("app", version)
        wheel_index.uploaded[wheel.name] = f"{ago(days):%Y-%m-%dT%H:%M:%SZ}"
    return wheel_index


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_an_index_s_new_files(
    engine: str, index: WheelIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url)
    prefix = make_venv(tmp_path / "env")
    words = ("--engine", engine, "-p", prefix)
    done = verb("install", *words, "pip:app", policy=HELD)
    assert re.search(r"\+ +app +1\.0", str(done))
    assert "less than 7 days ago: Others find out first." in str(done.to_json())
    assert "--uploaded-prior-to" in str(done.to_json())
    with pytest.raises(CommandFailed, match=r"Others find out first\."):
        verb("install", *words, "pip:app==2.0", policy=HELD)
    own = ("--", "--uploaded-prior-to", "P0D")
    with pytest.raises(Stopped, match=r"cannot say it too|is an option for pip"):
        verb("install", *words, "--upgrade", "pip:app", *own, policy=HELD)
    if engine == "pip":
        return
    assert "1.0 → 2.0" in str(verb("install", *words, "--upgrade", "pip:app"))
    # what is there stays, however new
    assert "is already there" in str(verb("install", *words, "pip:app", policy=HELD))


def test_a_pip_that_cannot_leave_out_is_not_asked(tmp_path: Path) -> None:
    prefix = make_venv(tmp_path / "env", pip=False)
    (packages,) = prefix.glob("lib/python3*/site-packages")
    (packages / "pip-25.3.dist-info").mkdir()
    (packages / "pip-25.3.dist-info/METADATA").write_text("Name: pip\nVersion: 25.3\n")
    with pytest.raises(Stopped, match=r"pip 25\.3 cannot leave them out"):
        PipProgram(before=HELD.before).plan(Request("install", "pip", ("app",)), detect(prefix))


def test_a_channel_s_new_records(conda_root: Root, tmp_path: Path) -> None:
    builder = ChannelBuilder(tmp_path / "channel")
    for name, version, days in (
        ("app", "1.0", 30), ("app", "2.0", 2), ("tool", "1.0", 30), ("bare", "1.0", 30)
    ):  # fmt: skip
        builder.add_package(name, version, files={f"share/{name}-{days}": "x"})
    builder.index()
    for repodata in builder.folder.glob("*/repodata.json"):
        content = json.loads(repodata.read_text())
        for record in content["packages.conda"].values():
            days = 2 if record["version"] == "2.0" else 30
            for name in ("timestamp", "indexed_timestamp"):
                record[name] = int(ago(days).timestamp() * 1000)
                if record["name"] == "bare":
                    del record[name]
        repodata.write_text(json.dumps(content))
    words = ("-p", conda_root.prefix, "-c", builder.url)
    done = verb("install", *words, "conda:app", policy=HELD)
    assert re.search(r"\+ +app +1\.0", str(done))
    assert "less than 7 days ago: Others find out first." in str(done.to_json())
    for spec in ("conda:app=2.0", "conda:bare"):  # a record without a time could be of today
        with pytest.raises(CommandFailed, match=r"Others find out first\."):
            verb("install", *words, spec, policy=HELD)
    assert "1.0 → 2.0" in str(verb("install", *words, "conda:app=2.0"))
    assert re.search(r"tool +1\.0", str(verb("install", *words, "conda:tool", policy=HELD)))
    assert list((conda_root.prefix / "conda-meta").glob("app-2.0-*.json"))  # stays, however new


def test_a_conda_that_cannot_leave_out_is_not_asked(
    conda_root: Root, recording_conda: Callable[..., object]
) -> None:
    engine = ByExecutable(before=HELD.before)
    with pytest.raises(Stopped, match="py-rattler can"):
        engine.plan(Request("install", "conda", ("app",)), detect(conda_root.prefix))
