"""What is here that nobody brought, measured from a real beginning."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from jstackmagic.io.runtime import runtime_folder
from jstackmagic.model.ledger import fold
from jstackmagic.session import Session
from jstackmagic.where import baseline
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support.debs import build_deb, purge
from support.dpkg import apt_get
from support.environments import add_packages, make_venv, uv
from support.machine import as_root
from support.tiers import SIX
from support.verbs import verb
from support.warm import warm_conda

if TYPE_CHECKING:
    from pathlib import Path

    from support.tiers import Channel
    from support.wheels import WheelIndex

# what another worker does with apt would show here
pytestmark = pytest.mark.dpkg


@pytest.fixture
def conda(
    tmp_path_factory: pytest.TempPathFactory, home: Path, shim_channel: Channel, tmp_path: Path
) -> Path:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    return warm_conda(tmp_path_factory, tmp_path / "conda", shim_channel, f"six={SIX[0]}")


def differences(prefix: Path) -> dict[str, tuple[str | None, str | None, bool]]:
    """By name: the version before and now, and whether the history explains it."""
    drift = verb("diff", "--prefix", prefix).drifts[0]
    return {
        found.package.name: (
            found.before.version if found.before else None,
            found.now.version if found.now else None,
            bool(found.record),
        )
        for found in drift.differences
    }


def test_what_the_history_explains_and_what_nobody_recorded(
    conda: Path, shim_channel: Channel, wheel_index: WheelIndex
) -> None:
    assert differences(conda) == {}
    wheel_index.add("plain", "1.0")
    verb("install", "--prefix", conda, "--conda", f"six={SIX[1]}")
    add_packages(conda, "pymongo", channels=[shim_channel.url], packages=shim_channel.packages)
    uv("pip", "install", "--index-url", wheel_index.url, "plain", prefix=conda)
    assert differences(conda) == {
        "six": (SIX[0], SIX[1], True),
        "dnspython": (None, "2.7.0", False),
        "pymongo": (None, "4.13.2", False),
        "plain": (None, "1.0", False),
    }
    shown = str(verb("diff", "--prefix", conda))
    assert "conda: conda's first revision, pip: the times of the files" in shown
    assert "Nobody recorded 3 of these. Record them: %envdiff --adopt" in shown
    assert "six" not in str(verb("diff", "--unexplained", "--prefix", conda))


def test_adopting_names_what_was_asked_for_and_not_what_that_brought(
    conda: Path, shim_channel: Channel, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    begun = time.time()
    add_packages(conda, "pymongo", channels=[shim_channel.url], packages=shim_channel.packages)
    uv("pip", "install", "--index-url", wheel_index.url, "two", prefix=conda)
    found = verb("diff", "--prefix", conda).drifts[0].differences
    asked = {each.package.name for each in found if each.package.requested}
    assert asked == {"pymongo", "two"}, "uv itself marks all"
    result = verb("diff", "--adopt", "--prefix", conda)
    assert all(found.record for found in result.drifts[0].differences)
    records = Session().history.records()
    assert [record.status for record in records] == ["found", "found"]
    assert [record.request.texts for record in records] == [("pymongo",), ("two",)]
    steps = fold(records).steps
    assert [(item.name, item.version) for step in steps for item in step.install] == [
        ("pymongo", "4.13.2"),
        ("two", "1.0"),
    ]
    assert begun - 1 <= _seconds(records[0].time) <= time.time()
    verb("diff", "--adopt", "--prefix", conda)
    assert len(Session().history.records()) == 2, "and there is nothing left to adopt"
    verb("undo")
    assert differences(conda) == {}


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_where_no_mark_tells_what_nobody_needs_was_asked_for(
    conda: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    uv("pip", "install", "--index-url", wheel_index.url, "two", "plain", prefix=conda)
    for mark in conda.rglob("REQUESTED"):
        mark.unlink()
    verb("diff", "--adopt", "--prefix", conda)
    assert [record.request.texts for record in Session().history.records()] == [("two",)]


def test_pips_own_marks_are_believed_and_not_uvs(conda: Path, wheel_index: WheelIndex) -> None:
    wheel_index.add("plain", "1.0")
    wheel_index.add("other", "1.0")
    wheel_index.add("two", "1.0", requires=["plain", "other"])
    pip = [conda / "bin" / "python", "-m", "pip", "install", "--index-url", wheel_index.url]
    subprocess.run([*pip, "two", "plain"], check=True, capture_output=True)
    wheel_index.add("low", "1.0")
    wheel_index.add("high", "1.0", requires=["low"])
    uv("pip", "install", "--index-url", wheel_index.url, "high", prefix=conda)
    verb("diff", "--adopt", "--prefix", conda)
    (record,) = Session().history.records()
    assert record.request.texts == ("high", "plain", "two")


def test_pips_marks_of_what_is_recorded_say_nothing_of_the_rest(
    conda: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("low", "1.0")
    wheel_index.add("other", "1.0", requires=["low"])
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    verb("install", "--prefix", conda, "pip:other", "--engine", "pip", "-i", wheel_index.url)
    uv("pip", "install", "--index-url", wheel_index.url, "two", prefix=conda)
    verb("diff", "--adopt", "--prefix", conda)
    assert Session().history.records()[-1].request.texts == ("two",)
    verb("install", "--prefix", conda, "pip:low", "--engine", "pip", "-i", wheel_index.url)
    found = verb("diff", "--prefix", conda).drifts[0].differences
    asked = {each.package.name for each in found if each.package.requested}
    assert asked == {"other", "two", "low"}, "low was there already"


def test_a_removal_nobody_recorded(conda: Path) -> None:
    next(conda.glob("conda-meta/six-*.json")).unlink()
    assert differences(conda) == {"six": (SIX[0], None, False)}
    verb("diff", "--adopt", "--prefix", conda)
    assert Session().history.records()[0].request.action == "remove"
    assert differences(conda) == {"six": (SIX[0], None, True)}


def test_the_snapshot_comes_before_all_else(conda: Path, wheel_index: WheelIndex) -> None:
    wheel_index.add("plain", "1.0")
    uv("pip", "install", "--index-url", wheel_index.url, "plain", prefix=conda)
    assert baseline.take_snapshot([detect(conda)])
    assert differences(conda) == {}
    verb("remove", "--prefix", conda, "six")
    assert differences(conda) == {"six": (SIX[0], None, True)}
    assert not baseline.take_snapshot([detect(conda)]), "once a container"
    assert "the snapshot of" in str(verb("diff", "--prefix", conda))


def test_a_snapshot_of_another_container_tells_nothing(conda: Path) -> None:
    baseline.take_snapshot([detect(conda)])
    path = runtime_folder() / "baseline.json"
    snapshot = json.loads(path.read_text())
    path.write_text(json.dumps(snapshot | {"machine": "another"}))
    assert baseline.read_snapshot() is None
    path.write_text("torn")
    assert baseline.read_snapshot() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_snapshot_that_somebody_else_wrote_is_not_believed(conda: Path) -> None:
    baseline.take_snapshot([detect(conda)])
    os.chown(runtime_folder() / "baseline.json", 65534, 65534)
    assert baseline.read_snapshot() is None


def test_a_virtual_environment_begins_with_pip_alone(
    tmp_path: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    prefix = make_venv(tmp_path / "venv")
    uv("pip", "install", "--index-url", wheel_index.url, "plain", prefix=prefix)
    assert differences(prefix) == {"plain": (None, "1.0", False)}


def test_in_a_container_what_the_images_layers_brought_is_the_beginning(
    conda: Path, shim_channel: Channel, wheel_index: WheelIndex
) -> None:
    """Revisions and files of the image's build are older than the container."""
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0")
    old = time.time() - 3600
    uv("pip", "install", "--index-url", wheel_index.url, "plain", prefix=conda)
    add_packages(conda, "demo-tool", channels=[shim_channel.url], packages=shim_channel.packages)
    history = conda / "conda-meta" / "history"
    then = time.strftime("==> %Y-%m-%d %H:%M:%S <==", time.localtime(old))
    history.write_text(re.sub("==> .* <==", then, history.read_text()))
    for metadata in conda.rglob("plain-*.dist-info"):
        os.utime(metadata, (old, old))
    uv("pip", "install", "--index-url", wheel_index.url, "two", prefix=conda)
    environment = detect(conda)
    here = read_packages(environment, ("conda", "pip"))
    found = baseline.of(environment, here, ("conda", "pip"), begun=old + 1800)
    assert {p.name for p in (here - found.packages).added} == {"two"}
    first = baseline.of(environment, here, ("conda",))
    assert ("conda", "demo-tool") not in first.packages


def test_where_nothing_tells_only_the_history_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = detect("/usr")
    here = read_packages(environment, ("apt",))
    assert baseline.of(environment, here, ("apt",)).evidence == {}
    drift = verb("diff", "--prefix", "/usr").drifts[-1]
    assert drift.differences == ()
    assert drift.where == "the system"


@pytest.mark.apt
def test_apts_own_marks_tell_what_was_asked_for(conda: Path, tmp_path: Path) -> None:
    """A package and what it needs, installed behind our back and marked as apt marks them."""
    name, needs = "jstackmagic-test-adopted", "jstackmagic-test-adopted-needs"
    purge(name, needs)
    baseline.take_snapshot([detect(conda)])
    debs = [build_deb(tmp_path, needs), build_deb(tmp_path, name, depends=needs)]
    try:
        apt_get("install", "-y", *debs)
        subprocess.run([*as_root(), "apt-mark", "auto", needs], check=True, capture_output=True)
        verb("diff", "--adopt", "--prefix", conda)
    finally:
        purge(name, needs)
    (record,) = (r for r in Session().history.records() if name in r.request.texts)
    assert (record.status, record.request.manager) == ("found", "apt")
    assert needs not in record.request.texts
    assert record.outcome is not None
    assert {p.name for p in record.outcome.change.added} >= {name, needs}
