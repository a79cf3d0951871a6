"""Requests of one line for several managers: what waits for what, and what an error says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands
from jstackmagic.display.console import PlainConsole, quiet
from jstackmagic.history.file import History
from jstackmagic.install.turns import turn
from jstackmagic.model.errors import (
    CommandFailed,
    Interrupted,
    InvalidSpec,
    JStackMagicError,
    Stopped,
    UsageError,
)
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome, Plan
from jstackmagic.model.record import Context
from jstackmagic.model.request import Action, Request
from jstackmagic.model.spec import read_all
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support.debs import build_deb, purge
from support.environments import make_venv
from support.interrupts import interrupt_when
from support.tiers import SIX
from support.verbs import packages, verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.tiers import Channel
    from support.wheels import WheelIndex


SIX_HERE = Package("pip", "six", "1.17.0")


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
        verb("install", *words, "conda:python", "pip:nowhere-to-be-had", "--keep-going")
    assert caught.value.kept == "Done before it: conda."
    assert detect(prefix).executable is not None
    records = History(history_file).records()
    assert [record.status for record in records] == ["ok", "failed"]
    assert len({record.transaction for record in records}) == 1


BACKEND = """
import pathlib

def prepare_metadata_for_build_wheel(folder, settings=None):
    made = pathlib.Path(folder, "broken-1.0.dist-info")
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\\nName: broken\\nVersion: 1.0\\n")
    return made.name

def build_wheel(folder, settings=None, metadata=None):
    raise SystemExit("it does not build")
"""


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A project that can be planned, and fails where it is built."""
    project = tmp_path / "broken"
    project.mkdir()
    (project / "backend.py").write_text(BACKEND)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return project


@pytest.fixture
def prefix(conda_env: Callable[..., Path], shim_channel: Channel, home: Path) -> Path:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    return conda_env("python", "pip", f"six={SIX[0]}")


def test_a_failed_step_takes_back_the_steps_before_it(
    prefix: Path, broken: Path, history_file: Path
) -> None:
    before = packages(prefix)
    exits: list[int] = []
    asked = ("conda:demo-tool", f"conda:six={SIX[1]}", f"pip:{broken}")
    words = ["--prefix", str(prefix), *asked]
    with pytest.raises(CommandFailed) as caught:
        commands.execute("install", words, Session(on_exit_status=exits.append))
    assert "Taken back: conda." in caught.value.kept
    assert packages(prefix) == before
    assert exits[-1] != 0, "what a cell's exit status says is the failure's, not the undo's"
    history = History(history_file)
    did, failed, *undone = history.records()
    assert {did.status, *(record.status for record in undone)} == {"ok"}
    assert failed.status == "failed"
    assert failed.transaction == did.transaction != undone[0].transaction
    assert {record.undoes for record in undone} == {did.id}
    assert not history.ledger().recipe().steps
    assert "taken back" in str(verb("history"))
    shown = " ".join(str(verb("history", did.id)).split())
    assert f"taken back by {undone[0].transaction}" in shown
    with pytest.raises(UsageError, match="nothing to take back"):
        verb("undo")


def two_steps(tmp_path: Path, first: str, broken: Path) -> Path:
    """A list of two steps of pip, of which the second fails."""
    listed = tmp_path / "list.txt"
    listed.write_text(f"{first}\n{broken} --config-settings a=b\n")
    return listed


@pytest.mark.parametrize("engine", [(), ("--engine", "pip")])
def test_of_two_steps_of_pip_the_first_is_taken_back(
    engine: tuple[str, ...],
    tmp_path: Path,
    broken: Path,
    wheel_index: WheelIndex,
    history_file: Path,
) -> None:
    prefix = make_venv(tmp_path / "venv")
    wheel_index.add("plain", "1.0")
    wheel_index.add("plain", "2.0")
    words = ("--prefix", prefix, "-i", wheel_index.url)
    verb("install", *words, "--pip", "plain==1.0")
    before = packages(prefix)
    listed = two_steps(tmp_path, "plain==2.0", broken)
    with pytest.raises(CommandFailed, match="does not build") as caught:
        verb("install", *words, *engine, "-r", listed)
    assert "Taken back: pip." in caught.value.kept
    assert {(p.name, p.version) for p in packages(prefix)} == {(p.name, p.version) for p in before}
    if engine:
        return
    assert packages(prefix) == before
    with pytest.raises(CommandFailed, match="does not build") as caught:
        verb("install", *words, "-r", listed, "--keep-going")
    assert "Done before it: pip." in caught.value.kept
    assert {package.name: package.version for package in packages(prefix)}["plain"] == "2.0"
    recipe = History(history_file).ledger().recipe()
    assert [item.text for step in recipe.steps for item in step.install] == ["plain==2.0"]


def test_what_cannot_be_taken_back_is_left_and_said(
    tmp_path: Path,
    broken: Path,
    wheel_index: WheelIndex,
    history_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version that there was is gone from the index since, and from the cache."""
    venv = make_venv(tmp_path / "venv")
    old = wheel_index.add("plain", "1.0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    words = ("--prefix", venv, "-i", wheel_index.url)
    verb("install", *words, "--pip", "plain")
    old.unlink()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "second-cache"))
    wheel_index.add("plain", "2.0")
    with pytest.raises(CommandFailed, match="does not build") as caught:
        verb("install", *words, "-r", two_steps(tmp_path, "plain==2.0", broken))
    assert "Done before it: pip." in caught.value.kept
    assert "plain 1.0 is not available anywhere" in caught.value.kept
    assert [package.version for package in packages(venv) if package.name == "plain"] == ["2.0"]
    first, did, failed = History(history_file).records()
    assert (first.status, did.status, failed.status) == ("ok", "ok", "failed")


@pytest.mark.apt
def test_debian_packages_are_taken_back_too(
    tmp_path: Path, broken: Path, history_file: Path
) -> None:
    name = "jstackmagic-test-taken-back"
    purge(name)
    deb = build_deb(tmp_path, name)
    prefix = make_venv(tmp_path / "venv")
    try:
        with pytest.raises(CommandFailed, match="does not build") as caught:
            verb("install", "--prefix", prefix, f"apt:{deb}", f"pip:{broken}")
        assert "Taken back: apt." in caught.value.kept
        assert ("apt", name) not in read_packages(detect(prefix), ("apt",))
        assert [record.status for record in History(history_file).records()] == [
            *("ok", "failed", "ok"),
        ]
    finally:
        purge(name)


@pytest.mark.parametrize("habit", ["-q", "--quiet"])
def test_quietly_only_what_came_of_it_is_shown(
    habit: str, venv: Path, wheel_index: WheelIndex, history_file: Path
) -> None:
    wheel_index.add("plain", "1.0")
    said: list[str] = []
    words = ["--prefix", str(venv), "--pip", "plain", habit, "-i", wheel_index.url]
    result, _ = commands.execute("install", words, Session(shown=PlainConsole(said.append)))
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


def test_two_at_once_in_one_prefix_each_record_their_own_change(
    conda_env: Callable[..., Path],
    shim_channel: Channel,
    wheel_index: WheelIndex,
    history_file: Path,
) -> None:
    """One asks conda, one pip; test_manager_rattler has two of conda wait for each other."""
    wheel_index.add("first", "1.0")
    prefix, names = conda_env("python"), ("pymongo", "first")
    both = [
        install(prefix, "--conda", "pymongo", "-c", shim_channel.url),
        install(prefix, "--pip", "first", "-i", wheel_index.url),
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
    with turn(str(other), quiet()):
        assert verb("install", "--prefix", venv, "--pip", "plain", "-i", wheel_index.url).change


def test_a_wait_says_for_whom_and_can_be_interrupted(
    venv: Path, wheel_index: WheelIndex, history_file: Path
) -> None:
    wheel_index.add("plain", "1.0")
    said: list[str] = []
    words = ["--prefix", str(venv), "--pip", "plain", "-i", wheel_index.url]
    with turn(str(venv), quiet()):
        interrupt_when(lambda: "waiting for that to end" in "".join(said))
        with pytest.raises(Interrupted) as caught:
            commands.execute("install", words, Session(shown=PlainConsole(said.append)))
    assert f"{venv} is being changed by process {os.getpid()} (" in "".join(said)
    assert caught.value.kept == "Nothing was changed."
    assert History(history_file).records() == []


def plan_of(prefix: Path) -> Plan:
    return Plan(Request("install", "pip", ("x",)), detect(prefix), engine="pip", commands=())


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("cv2",), "cv2 is what opencv-python is imported as: %envinstall opencv-python"),
        (("PIL>=9",), "PIL is what pillow is imported as: %envinstall pillow"),
        (("no-such-thing",), ""),
        (("-r", ""), "Its value comes after it: -r FILE"),
        (("six;", "import", "six"), "Python goes on in the next line"),
    ],
)
def test_what_was_meant_is_said(
    venv: Path, wheel_index: WheelIndex, history_file: Path, words: tuple[str, ...], advice: str
) -> None:
    with pytest.raises(JStackMagicError) as caught:
        verb("install", "--prefix", venv, "-i", wheel_index.url, "--pip", *words)
    for record in History(history_file).records():  # what the manager refused
        assert record.outcome is not None
        assert record.outcome.seconds > 0
        assert f"{venv}  {venv}" not in str(verb("history", record.id))
    said = [each for each in caught.value.advice if not each.startswith("See the record")]
    assert advice in "".join(said)
    assert bool(said) == bool(advice)


def test_a_folder_is_no_list(venv: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidSpec, match="is a folder, not a list of packages"):
        verb("install", "--prefix", venv, "-r", tmp_path)


@pytest.mark.parametrize("limit", ["-3", "three"])
def test_a_limit_is_a_number_of_rows(limit: str) -> None:
    with pytest.raises(UsageError, match="--limit"):
        verb("history", "--limit", limit)


def test_a_channel_that_nothing_asks_is_refused(
    venv: Path, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    wheel_index.add("plain", "1.0")
    options = ("install", "--prefix", venv, "-i", wheel_index.url)
    limits = tmp_path / "limits.txt"
    limits.write_text("plain<1\n")
    with pytest.raises(UsageError, match="is a channel") as caught:
        verb(*options, "--pip", "plain", "-c", limits)
    assert caught.value.advice == (f"For pip's constraints: --constraint {limits}",)
    with pytest.raises(CommandFailed):
        verb(*options, "--pip", "plain", "--constraint", limits)


@pytest.mark.parametrize(
    ("manager", "option"),
    [("pip", "--dry-run"), ("pip", "--dry"), ("apt", "-s"), ("apt", "-qd"), ("conda", "-d")],
)
def test_an_option_that_only_looks_is_no_install(venv: Path, manager: str, option: str) -> None:
    with pytest.raises(UsageError, match="installs nothing"):
        verb("install", "--prefix", venv, "--record-only", f"{manager}:six", "--", option)
    assert Session().history.records() == []


def test_the_plan_of_what_is_only_to_be_recorded_records_nothing(
    venv: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    words = ("install", "--prefix", venv, "-i", wheel_index.url, "--record-only", "pip:plain")
    assert "Would change" in str(verb(*words, "--dry-run"))
    assert Session().history.records() == []
    verb(*words)
    assert [record.status for record in Session().history.records()] == ["planned"]


@pytest.mark.parametrize("action", ["install", "remove"])
def test_what_is_only_recorded_says_what_was_not_done(venv: Path, action: str) -> None:
    said = str(verb(action, "--prefix", venv, "--record-only", "pip:plain"))
    other = {"install": "remove", "remove": "install"}[action]
    assert f"Recorded, not {action}" in said
    assert other not in said
    assert ("puts it into" if action == "install" else "leaves it out of") in said


@pytest.mark.parametrize("words", [("conda:plain",), ("pip:one", "conda:plain")])
def test_no_record_asks_conda_for_what_is_no_environment_of_its_own(
    venv: Path, words: tuple[str, ...]
) -> None:
    with pytest.raises(Stopped, match="is not a conda environment"):
        verb("install", "--prefix", venv, "--record-only", *words)
    assert Session().history.records() == []


def test_a_record_may_bring_the_python_that_pip_needs(conda_env: Callable[..., Path]) -> None:
    words = ("--prefix", conda_env("r-base"), "--record-only")
    verb("install", *words, "conda:python", "pip:plain")
    assert [record.status for record in Session().history.records()] == ["planned"] * 2


@pytest.mark.parametrize("manager", ["apt", "pip"])
def test_an_environment_is_named_only_for_what_is_in_it(
    manager: str, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoPlan:
        shows_progress = True

        def plan(self, *_: object) -> Plan:
            raise CommandFailed("It cannot be.")

    monkeypatch.setattr("jstackmagic.managers.engine", lambda *_: NoPlan())
    with pytest.raises(CommandFailed) as caught:
        verb("install", "--prefix", venv, "--dry-run", f"{manager}:six")
    assert ("(for the environment " in caught.value.problem) == (manager == "pip")


@pytest.mark.parametrize(
    ("action", "resolved", "change", "shown"),
    [
        ("install", (SIX_HERE,), Change(), "already there"),
        ("install", (), Change(), "no change"),  # one cell installed and removed it
        ("remove", (), Change(), "no change"),
        ("install", (SIX_HERE,), Change(added=(SIX_HERE,)), "1 added"),
    ],
)
def test_the_history_says_there_already_only_of_what_is_there(
    action: Action, resolved: tuple[Package, ...], change: Change, shown: str, venv: Path
) -> None:
    history = Session().history
    asked = Request(action, "pip", read_all("pip", ["six"]))
    begun = history.note(
        "running", asked, detect(venv).ref, transaction="3f9a", step=1, context=Context()
    )
    history.end(begun, Outcome("ok", 0, 0.0, change=change, resolved=resolved))
    (part, *_) = verb("history").parts()
    assert part.rows[0][-1] == shown


def test_what_goes_elsewhere_is_neither_harm_nor_there_already(
    conda_env: Callable[..., Path], wheel_index: WheelIndex, shim_channel: Channel, tmp_path: Path
) -> None:
    prefix = conda_env("python", "pip", f"six={SIX[0]}")
    wheel_index.add("six", "99")
    words = ("--prefix", prefix, "-i", wheel_index.url, "--pip", "six")
    result = verb("install", *words, "--", "--target", tmp_path / "aside")
    assert (tmp_path / "aside/six-99.dist-info").exists()
    assert not result.change
    (record,) = Session().history.records()
    assert record.outcome is not None
    assert record.outcome.resolved == ()
