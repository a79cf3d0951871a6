"""What was cut off is shown where a user looks, with the line that finishes it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic import commands
from jstackmagic.display.console import PlainConsole
from jstackmagic.history.file import History
from jstackmagic.install.unfinished import at_work, note
from jstackmagic.io.runtime import process_identity
from jstackmagic.managers.apt import cutoff
from jstackmagic.managers.apt.aptget import finish
from jstackmagic.managers.conda.rattler import journal
from jstackmagic.model.errors import Stopped, UsageError
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.plan import Outcome, Plan
from jstackmagic.model.record import Context
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read_all
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_debian
from support.debs import build_deb, make_repository, make_system
from support.environments import make_uv_venv
from support.verbs import contents, verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.wheels import WheelIndex


def info(prefix: Path) -> tuple[str, dict[str, Any]]:
    result, _ = commands.execute("info", ["--prefix", str(prefix)], Session())
    return str(result), result.to_json()


def dead(*, machine: str = "") -> Context:
    """A process that has ended, here or on another machine."""
    here = process_identity(os.getpid()).rpartition("/")[0]
    host = machine or os.uname().nodename
    return Context(host=host, pid=os.getpid(), process=f"{machine or here}/0")


def until(look: Callable[[], bool]) -> None:
    assert any(look() or time.sleep(0.01) for _ in range(6000))


@pytest.fixture(autouse=True)
def _no_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine's own dpkg is at is no matter of these tests."""
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path / "no dpkg"))


def test_a_half_installed_distribution_is_shown_with_its_line(tmp_path: Path) -> None:
    prefix = make_uv_venv(tmp_path / "my env")
    environment = detect(prefix)
    change = Change(added=(Package("pip", "half", "1.0"),))
    plan = Plan(Request("install", "pip", read_all("pip", ["half"])), environment, "uv", (), change)
    note(plan, "a1b2c3d4.1", dead(), PackageSet(), "").leave()
    (site,) = map(type(prefix), environment.site_packages)
    (site / "half-1.0.dist-info").mkdir()
    shown, data = info(prefix)
    assert "Cut off: install half (pip): half: it has no METADATA." in shown
    line = f"%envinstall --repair --prefix '{prefix}'"
    assert f"Finish it: {line}" in shown
    (found,) = data["environments"][0]["half_done"]
    assert found["record"] == "a1b2c3d4.1"
    assert found["line"] == line
    assert found["left"] == ["half: it has no METADATA"]
    there = contents(prefix)
    for words in ((), ("pip:other",), ("--force",)):
        planned = verb("install", "--repair", "--prefix", prefix, "--dry-run", *words)
        assert "Would repair: install half (pip): half: it has no METADATA." in str(planned)
        with pytest.raises(UsageError, match="--record-only changes nothing"):
            verb("install", "--repair", "--prefix", prefix, "--record-only", *words)
    assert contents(prefix) == there
    assert Session().history.records() == []
    verb("install", "--repair", "--prefix", prefix)
    assert "Cut off" not in info(prefix)[0]
    assert "Nothing was cut off" in str(
        verb("install", "--repair", "--prefix", prefix, "--dry-run")
    )


@pytest.mark.parametrize("record", [(), ("3f9a3f9a",)])
@pytest.mark.parametrize("earlier", [True, False])
def test_an_undo_takes_back_what_was_cut_off(
    earlier: bool, record: tuple[str, ...], tmp_path: Path, history_file: Path
) -> None:
    """It changed no whole package, and it was the last one all the same."""
    environment, history = detect(make_uv_venv(tmp_path / "env")), History(history_file)
    asked = Request("install", "pip", read_all("pip", ["half"]))
    if earlier:
        did = replace(asked, specs=read_all("pip", ["whole"]))
        begun = history.note(
            "running", did, environment.ref, transaction="1e1e1e1e", step=1, context=Context()
        )
        history.end(begun, Outcome("ok", 0, 0.0))
    history.note("running", asked, environment.ref, transaction="3f9a3f9a", step=1, context=dead())
    change = Change(added=(Package("pip", "half", "1.0"),))
    plan = Plan(asked, environment, "uv", (), change)
    note(plan, "3f9a3f9a.1", dead(), PackageSet(), "").leave()
    half = Path(environment.site_packages[0], "half-1.0.dist-info")
    half.mkdir()
    count = len(history.records())
    planned = str(verb("undo", "--dry-run", *record))
    assert "Would take back 3f9a3f9a.1: install half (pip)" in planned
    assert "What 3f9a3f9a.1 brought is known, and goes, when it has been cleaned up." in planned
    assert half.is_dir()
    assert len(history.records()) == count
    assert "Took back 3f9a3f9a.1: install half (pip)" in str(verb("undo", *record))
    assert not half.exists()
    assert "interrupted, taken back" in str(verb("history"))
    if not earlier:
        with pytest.raises(UsageError, match="There is nothing to take back"):
            verb("undo")
    else:
        assert "Took back 1e1e1e1e.1: install whole (pip)" in str(verb("undo"))


@pytest.mark.parametrize("lives", [True, False])
def test_a_change_of_another_machine_is_waited_for_while_it_lives(
    lives: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wheel_index: WheelIndex
) -> None:
    """Two pods on one volume see each other's notes and files, not each other's processes."""
    wheel_index.add("half", "1.0")
    prefix = make_uv_venv(tmp_path / "env")
    environment = detect(prefix)
    words = ["--prefix", str(prefix), "--pip", "half", "-i", wheel_index.url]
    change = Change(added=(Package("pip", "half", "1.0"),))
    plan = Plan(Request("install", "pip", read_all("pip", ["half"])), environment, "uv", (), change)
    their = note(plan, "a1b2c3d4.1", dead(machine="pod"), PackageSet(), "")
    their.leave()
    (site,) = map(type(prefix), environment.site_packages)
    (site / "half-1.0.dist-info").mkdir()
    assert "Cut off" not in info(prefix)[0]
    assert at_work(str(prefix), unseen=True).startswith(f"process {os.getpid()} of pod (last seen ")
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        if "waiting" in text:  # it has been silent for long; or it ends well
            assert (site / "half-1.0.dist-info").is_dir()
            (site / "half-1.0.dist-info").rmdir()
            their.drop()

    if not lives:
        monkeypatch.setattr("jstackmagic.install.unfinished.clock", lambda _: time.time() + 60)
        with pytest.raises(Stopped, match="half: it has no METADATA"):
            commands.execute("install", words, Session(shown=PlainConsole(say)))
        assert said == []
        return
    result, _ = commands.execute("install", words, Session(shown=PlainConsole(say)))
    assert "waiting for that to end" in "".join(said)
    assert [package.name for package in result.change.added] == ["half"]
    assert [*prefix.glob(".jstackmagic*")] == []


def test_a_note_is_touched_while_its_change_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jstackmagic.install.unfinished._BEAT", 0.01)
    prefix = make_uv_venv(tmp_path / "env")
    plan = Plan(Request("install", "pip", read_all("pip", ["x"])), detect(prefix), "uv", ())
    ours = note(plan, "a1b2c3d4.1", Context(), PackageSet(), "")
    begun = os.stat(ours.path)
    until(lambda: os.stat(ours.path).st_ctime_ns > begun.st_ctime_ns)
    assert os.stat(ours.path).st_mtime_ns == ours.since == begun.st_mtime_ns
    ours.leave()
    until(lambda: all(each.name != "jstackmagic-note" for each in threading.enumerate()))


def test_a_journal_of_conda_is_shown_without_a_note(conda_env: Callable[..., Path]) -> None:
    prefix = conda_env("python")
    assert info(prefix)[1]["environments"][0]["half_done"] == []
    plan = journal.Journal(argv=("conda", "remove", "python"), unlink=("python-3-0",))
    assert asdict(plan)
    journal.write(str(prefix), plan)
    (found,) = info(prefix)[1]["environments"][0]["half_done"]
    assert found["left"] == ["Removed: python-3-0"]


needs_dpkg = pytest.mark.skipif(shutil.which("dpkg") is None, reason="there is no dpkg")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian system of this test's own, without a package."""
    deb = build_deb(tmp_path, "half", files={"usr/share/half/x": "x"})
    environ = make_system(tmp_path / "system", make_repository(tmp_path / "repository", deb))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "system"


def stanza(state: str, name: str = "half") -> str:
    return (
        f"Package: {name}\nStatus: {state}\nMaintainer: n <n@example.org>\nArchitecture: all\n"
        "Version: 1.0\nDescription: made for a test\n"
    )


@needs_dpkg
@pytest.mark.parametrize(
    ("status", "journal", "said"),
    [
        ("install ok half-configured", "", ("half is half configured",)),
        ("install reinstreq half-installed", "", ("half is half installed",)),
        ("install ok triggers-pending", "", ("half is triggers pending",)),
        ("install reinstreq installed", "", ("half is installed",)),
        ("install ok unpacked", "install ok installed", ("dpkg was interrupted",)),
        ("install ok installed", "install ok unpacked", ("half is unpacked",)),
        # traps: whole, removed with its settings kept, and on hold
        ("install ok installed", "", ()),
        ("deinstall ok config-files", "", ()),
        ("hold ok installed", "", ()),
    ],
)
def test_dpkg_says_what_is_half_there(
    status: str, journal: str, said: tuple[str, ...], system: Path
) -> None:
    dpkg = system / "var/lib/dpkg"
    (dpkg / "status").write_text(stanza(status))
    if journal:
        (dpkg / "updates/0000").write_text(stanza(journal))
    assert cutoff.sentences({}) == said
    assert cutoff.sentences({"known": ("half",)}) == (("dpkg was interrupted",) if journal else ())


@pytest.mark.skipif(os.geteuid() != 0, reason="apt-get needs root")
@needs_dpkg
@pytest.mark.parametrize("planned", [True, False])
@pytest.mark.parametrize("left", ["unpacked", "nothing"])
def test_what_could_not_be_unpacked_comes_in_the_version_of_the_plan(
    left: str, planned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apt would take the newest library, and the change was to bring an older one.

    Where apt's lists are old, its plan is not known beforehand, but the versions asked for are.
    """
    old, new = (build_deb(tmp_path, "library", version) for version in ("1.0", "2.0"))
    app = build_deb(tmp_path, "app", depends="library")
    environ = make_system(tmp_path / "system", make_repository(tmp_path / "repository", old, new))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    pins = ["app=1.0", "library=1.0"][left == "nothing" :]
    coming = tuple(Package("apt", pin.partition("=")[0], "1.0") for pin in pins)
    change = Change(added=coming) if planned else None
    request = Request("install", "apt", read_all("apt", ["app", "library"] if planned else pins))
    marks = cutoff.note(Plan(request, detect(), "apt-get", (), change=change))
    if left == "unpacked":
        subprocess.run(["dpkg", "--unpack", app], check=True, capture_output=True)
    else:
        (tmp_path / "system/var/lib/dpkg/status").write_text(
            "Package: library\nStatus: install reinstreq half-installed\n"
            "Maintainer: n <n@example.org>\nArchitecture: all\nDescription: made for a test\n"
        )
    finish(marks, PlainConsole(print))
    assert {each.name: each.version for each in read_debian()}["library"] == "1.0"


@pytest.mark.skipif(os.geteuid() != 0, reason="apt-get needs root")
@needs_dpkg
def test_what_another_program_is_at_is_not_half_done(system: Path) -> None:
    dpkg = system / "var/lib/dpkg"
    (dpkg / "status").write_text(stanza("install ok unpacked"))
    (dpkg / "updates/0000").write_text(stanza("install ok half-configured"))
    with (dpkg / "lock-frontend").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert cutoff.sentences({}) == ()
        assert not cutoff.is_interrupted()
    assert cutoff.sentences({}) == ("half is half configured",)


@pytest.mark.skipif(os.geteuid() != 0, reason="apt-get asks for root, in any system")
@needs_dpkg
@pytest.mark.parametrize("again", ["install", "repair", "another"])
def test_an_interrupted_dpkg_is_finished_by_the_line_that_is_named(
    again: str, system: Path, tmp_path: Path
) -> None:
    prefix = make_uv_venv(tmp_path / "env")
    subprocess.run(["apt-get", "install", "--yes", "half"], check=True, capture_output=True)
    status = system / "var/lib/dpkg/status"
    status.write_text(status.read_text().replace("ok installed", "ok half-configured"))
    (system / "var/lib/dpkg/updates/0000").write_text(
        stanza("install reinstreq half-installed", "half")
    )
    shown, data = info(prefix)
    assert data["half_done"][0]["left"] == ["half is half installed"]
    line = f"--repair --prefix {prefix}"
    assert line in shown
    if again != "repair":
        words = ["apt:half"] if again == "install" else ["apt:nothing-like-it"]
        with pytest.raises(Exception, match="dpkg was interrupted") as caught:
            verb("install", "--prefix", prefix, *words)
        assert line in str(caught.value)
    result = json.dumps(verb("install", "--repair", "--prefix", prefix).to_json())
    assert "Finished what apt was cut off in" in result
    assert info(prefix)[1]["half_done"] == []
    assert "ok installed" in status.read_text()
