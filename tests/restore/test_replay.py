"""A history made in one environment comes back in another, or in a new container."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jstackmagic.history import replays
from jstackmagic.history.file import IMAGE_HISTORY, default_path
from jstackmagic.io.runtime import replay_file, runtime_folder
from jstackmagic.model.errors import CommandFailed, JStackMagicError, Stopped, UsageError
from jstackmagic.model.ledger import Ledger, fold
from jstackmagic.model.packages import Package, PackageSet
from jstackmagic.restore.goals import goals, requests
from jstackmagic.restore.replay import alone
from jstackmagic.session import Session
from jstackmagic.where import baseline
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from strategies import World, worlds
from support import stacks
from support.debs import build_deb, purge
from support.environments import delete_environment, make_root, make_venv
from support.tiers import DNSPYTHON, PYMONGO, SIX
from support.verbs import contents, packages, verb
from support.warm import warm_conda
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from docker import DockerClient

    from jstackmagic.commands.replay import ReplayResult
    from jstackmagic.model.packages import ManagerName
    from support.tiers import Channel
    from support.wheels import WheelIndex


@pytest.fixture(autouse=True)
def runtime(home: Path) -> Path:
    """This container's own folder, an empty one."""
    return home / "run" / "jstackmagic"


@pytest.fixture(autouse=True)
def channels(home: Path, shim_channel: Channel) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))


@pytest.fixture
def new(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, shim_channel: Channel
) -> Callable[[], Path]:
    """Makes environments as an image brings them."""
    numbers = count(1)
    return lambda: warm_conda(
        tmp_path_factory, tmp_path / f"conda{next(numbers)}", shim_channel, f"six={SIX[0]}"
    )


@pytest.fixture
def new_venv(tmp_path: Path) -> Callable[[], Path]:
    """Makes virtual environments."""
    numbers = count(1)
    return lambda: make_venv(tmp_path / f"venv{next(numbers)}")


def commands(result: ReplayResult) -> list[str]:
    return [str(command) for item in result.done for command in item.plan.commands]


def test_six_ways_of_installing_come_back_in_one_run_each(
    new: Callable[[], Path], wheel_index: WheelIndex, shim_channel: Channel, tmp_path: Path
) -> None:
    first, second = new(), new()
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    wheel_index.add("listed", "1.0")
    wheel = build_wheel(tmp_path / "wheels of mine", "local", "1.0")
    (tmp_path / "list.txt").write_text("listed\n")
    for words in (
        ["--conda", f"pymongo={PYMONGO[0]}", f"dnspython={DNSPYTHON[0]}"],
        [f"{shim_channel.url}/noarch/demo-tool-1.0-py_0.conda"],
        [f"conda:six={SIX[1]}", "pip:two", "-i", wheel_index.url],
        [wheel, "pip:six[extra]"],
        ["--pip", "-r", tmp_path / "list.txt", "-i", wheel_index.url],
        ["demo-library=1.0=0"],
    ):
        verb("install", "--prefix", first, *words)
    wheel_index.add("plain", "2.0")
    shown = verb("replay", "--dry-run", "--prefix", second)
    assert packages(second) != packages(first)
    result = verb("replay", "--prefix", second)
    assert packages(second) == packages(first)
    assert commands(shown) == commands(result)[:1]
    assert sum(note.startswith("Then, with pip: install") for note in shown.notes) == 1
    assert [command.count(" install ") for command in commands(result)] == [1, 1]
    assert result.notes == ()

    was = contents(second)
    again = verb("replay", "--prefix", second)
    assert commands(again) == []
    assert "there already" in str(again)
    assert contents(second) == was


def test_what_was_removed_from_the_base_and_what_was_taken_back(new: Callable[[], Path]) -> None:
    first, second = new(), new()
    verb("remove", "--prefix", first, "six")
    verb("install", "--prefix", first, "--conda", "demo-tool")
    verb("undo")
    verb("replay", "--prefix", second)
    assert packages(second) == packages(first)


def test_what_one_base_had_already_is_brought_to_one_that_lacks_it(
    new: Callable[[], Path],
) -> None:
    first, second = new(), new()
    verb("install", "--prefix", first, "--conda", "six")
    verb("remove", "--prefix", second, "six")
    Session().history.path.write_text(
        "\n".join(Session().history.path.read_text().splitlines()[:2]) + "\n"
    )
    verb("replay", "--prefix", second)
    assert packages(second) == packages(first)


def test_it_goes_on_where_it_was_interrupted(new: Callable[[], Path]) -> None:
    first, second = new(), new()
    verb("install", "--prefix", first, "--conda", "pymongo", "demo-tool")
    verb("replay", "--prefix", second)
    verb("remove", "--prefix", second, "demo-tool")
    Session().history.path.write_text(
        "\n".join(Session().history.path.read_text().splitlines()[:2]) + "\n"
    )
    result = verb("replay", "--prefix", second)
    assert packages(second) == packages(first)
    (command,) = commands(result)
    assert "demo-tool" in command
    assert "pymongo" not in command


def test_the_words_of_the_user_stay_as_they_were(new: Callable[[], Path]) -> None:
    from jstackmagic.managers.conda.rattler import condahistory

    first, second = new(), new()
    verb("install", "--prefix", first, "--conda", "pymongo>=4", "six>=1.17")
    verb("replay", "--prefix", second)
    wishes = condahistory.requested(str(second))
    assert (wishes["pymongo"], wishes["six"]) == ("pymongo>=4", "six>=1.17")
    assert "dnspython" not in wishes
    assert len(Session().history.records()) == 1, "and this history need not be told again"


def test_loose_takes_what_is_newest_now(
    new_venv: Callable[[], Path], wheel_index: WheelIndex
) -> None:
    first, second, third = new_venv(), new_venv(), new_venv()
    wheel_index.add("plain", "1.0")
    verb("install", "--prefix", first, "plain>=1", "-i", wheel_index.url)
    wheel_index.add("plain", "2.0")
    verb("replay", "--prefix", second)
    verb("replay", "--loose", "--prefix", third)
    versions = [read_packages(detect(p), ("pip",)).get("pip", "plain") for p in (second, third)]
    assert [package.version for package in versions if package] == ["1.0", "2.0"]


def test_a_build_that_is_not_to_be_had_is_another_build_of_the_version(
    new: Callable[[], Path],
) -> None:
    first, second = new(), new()
    verb("install", "--prefix", first, "--conda", "demo-tool=1.0")
    history = Session().history.path
    history.write_text(history.read_text().replace("py_0", "py_77"))
    result = verb("replay", "--prefix", second)
    found = read_packages(detect(second), ("conda",)).get("conda", "demo-tool")
    assert found is not None
    assert (found.version, found.build) == ("1.0", "py_0")
    assert "not everything that was there is available" in result.notes[0]


def test_what_came_from_a_file_that_is_gone_is_never_an_index_s_package_of_that_name(
    new_venv: Callable[[], Path], wheel_index: WheelIndex, tmp_path: Path
) -> None:
    first, second = new_venv(), new_venv()
    fork = build_wheel(tmp_path / "forks", "forked", "1.0")
    *_, yanked = [wheel_index.add(n, "1.0") for n in ("forked", "project", "plain", "yanked")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/pyproject.toml").write_text("[project]\nname = 'project'\nversion = '1.0'\n")
    options = ("--prefix", first, "-i", wheel_index.url)
    verb("install", *options, "--pip", "plain", "yanked")
    verb("install", *options, "--pip", fork)
    verb("install", *options, "--record-only", "-e", tmp_path / "mine")
    shutil.rmtree(tmp_path / "forks")
    shutil.rmtree(tmp_path / "mine")
    yanked.unlink()
    with pytest.raises(CommandFailed, match="forked is not put back") as caught:
        verb("replay", "--prefix", second)
    assert "yanked" in caught.value.problem
    assert f"came from {fork}, which is not here" in caught.value.problem
    assert f"came from {tmp_path / 'mine'}, which is not here" in caught.value.problem
    found = {package.name for package in packages(second)}
    assert found & {"forked", "project", "plain", "yanked"} == {"plain"}


@pytest.mark.parametrize("engine", ["uv", "pip"])
def test_a_wheel_that_was_built_again_as_the_same_version(
    engine: str, new_venv: Callable[[], Path], tmp_path: Path
) -> None:
    def build(code: str) -> Path:
        return build_wheel(tmp_path / "forks", "forked", "1.0", modules={"forked.py": code})

    prefix = new_venv()
    words = ("install", "--engine", engine, "--prefix", prefix, "--pip")
    verb(*words, build("one = 1\n"))
    again = verb(*words, build("two = 22\n"), "--", "--force-reinstall")
    ((old, new),) = again.change.changed
    assert len({"", old.sha256, new.sha256}) == 3
    assert "1.0 (was another archive)" in str(again)
    assert not verb(*words, build("two = 22\n"), "--", "--force-reinstall").change
    with pytest.raises(Stopped, match=f"its sha256 is {new.sha256}, and was {old.sha256}"):
        verb("undo", again.done[0].record.transaction)
    build("one = 1\n")
    verb("undo", again.done[0].record.transaction)
    (code,) = prefix.rglob("forked.py")
    assert code.read_text() == "one = 1\n"
    fork = build("three = 333\n")
    result = verb("replay", "--dry-run", "--prefix", new_venv())
    assert result.notes == (f"{fork} has changed since it was installed: what it is now is taken.",)


@pytest.mark.parametrize("spec", ["plain", "no-such"])
def test_newer_versions_are_no_way_out_of_a_network_that_is_gone(
    spec: str, new_venv: Callable[[], Path], wheel_index: WheelIndex
) -> None:
    is_gone = spec == "plain"
    index = "http://127.0.0.1:9/simple" if is_gone else wheel_index.url  # discard: no one listens
    verb("install", "--record-only", "--prefix", new_venv(), "--pip", f"{spec}==1.0", "-i", index)
    with pytest.raises(CommandFailed) as caught:
        verb("replay")
    assert ("--loose" in str(caught.value)) is not is_gone
    assert ("When the network is there" in str(caught.value)) is is_gone


def test_a_place_that_fails_does_not_keep_the_next_from_its_own(
    new: Callable[[], Path], new_venv: Callable[[], Path], wheel_index: WheelIndex
) -> None:
    wheel_index.add("plain", "1.0")
    first, second = new(), new_venv()
    verb("install", "--record-only", "--prefix", first, "--conda", "no-such-package")
    verb("install", "--prefix", second, "plain", "-i", wheel_index.url)
    delete_environment(second)
    with pytest.raises(CommandFailed, match="no-such-package") as caught:
        verb("replay")
    assert str(second) not in str(caught.value)
    assert any(second.rglob("plain.py")), "a virtual environment is made anew"
    status = replays.status(default_path())
    assert status is not None
    assert status.state == "failed"
    assert "To try again: %envreplay" in str(status)


def test_a_conda_environment_that_is_not_here_is_made(
    tmp_path: Path, shim_channel: Channel, wheel_index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel_index.add("plain", "1.0")
    root = make_root(tmp_path / "root", "python", channels=[shim_channel.url])
    prefix = root.create("analysis", "python", "pip")
    verb("install", "--prefix", prefix, "conda:pymongo", "pip:plain", "-i", wheel_index.url)
    was = {package.key for package in packages(prefix)}
    delete_environment(prefix)
    shown = str(verb("replay", "--dry-run"))
    assert f"environment {prefix} would be made." in shown
    assert not prefix.exists()
    verb("replay")
    assert {package.key for package in packages(prefix)} == was
    assert detect(prefix).kind == "conda-named"


def test_the_base_of_another_root_is_the_base(
    tmp_path: Path, shim_channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, here = (
        make_root(tmp_path / name, "python", channels=[shim_channel.url]) for name in ("old", "new")
    )
    verb("install", "--prefix", old.prefix, "--conda", "demo-tool")
    assert Session().history.records()[0].environment.kind == "conda-base"
    delete_environment(old.prefix)
    monkeypatch.setenv("CONDA_EXE", str(here.stand_in().executable))
    result = verb("replay", "--dry-run")
    assert [item.plan.environment.prefix for item in result.done] == [str(here.prefix)]


def test_another_history_is_remembered_as_it_was_asked(
    new: Callable[[], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    wheel_index: WheelIndex,
) -> None:
    wheel_index.add("plain", "1.0")
    wheel_index.add("two", "1.0", requires=["plain"])
    first, second = new(), new()
    line = ["conda:pymongo>=4", "pip:two<2", "conda:six", "-i", wheel_index.url]
    verb("install", "--prefix", first, *line)
    theirs = Session().history.path
    monkeypatch.setenv("JSTACKMAGIC_HISTORY", str(tmp_path / "mine.jsonl"))
    verb("replay", "--from", theirs, "--prefix", second)
    assert packages(second) == packages(first)
    specs = [item.text for step in fold(Session().history.records()).steps for item in step.install]
    assert specs == ["pymongo>=4", "six", "two<2"]
    with pytest.raises(UsageError, match="There is no history"):
        verb("replay", "--from", tmp_path / "nowhere")


def test_a_dockerfile_and_a_list_are_taken_for_what_they_ask(
    new: Callable[[], Path], wheel_index: WheelIndex, tmp_path: Path
) -> None:
    wheel_index.add("plain", "1.0")
    first, second, third = new(), new(), new()
    verb("install", "--prefix", first, f"conda:pymongo={PYMONGO[0]}")
    verb("install", "--prefix", first, "pip:plain==1.0", "-i", wheel_index.url)
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text(
        "FROM base:1\n"
        f"RUN mamba install --yes \\\n    'pymongo={PYMONGO[0]}' && \\\n    mamba clean --all\n"
        f"RUN pip install --no-cache-dir --index-url {wheel_index.url} plain==1.0\n"
    )
    Session().history.path.unlink()
    verb("replay", "--from", dockerfile, "--prefix", second)
    assert packages(second) == packages(first)
    listed = tmp_path / "requirements.txt"
    listed.write_text(f"--index-url {wheel_index.url}\nplain==1.0\n")
    verb("replay", "--from", listed, "--prefix", third)
    assert ("pip", "plain") in {package.key for package in packages(third)}
    specs = [spec for record in Session().history.records() for spec in record.request.texts]
    assert specs == [f"pymongo={PYMONGO[0]}", "plain==1.0", "plain==1.0"]
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match="asks for nothing"):
        verb("replay", "--from", tmp_path / "empty.py", "--prefix", third)


@pytest.mark.docker
def test_an_images_own_history(
    new: Callable[[], Path], docker_host: DockerClient, stacks_image: str, tmp_path: Path
) -> None:
    first, second = new(), new()
    verb("install", "--prefix", first, "--conda", "demo-tool=1.0")
    context = tmp_path / "context"  # of its own: the environments beside it are still compiled
    context.mkdir()
    shutil.copy(Session().history.path, context / "history.jsonl")
    lines = f"FROM {stacks_image}\nCOPY history.jsonl {IMAGE_HISTORY}\n"
    (context / "Dockerfile").write_text(lines)
    Session().history.path.unlink()
    tag = f"jstackmagic-tests/remembers-{os.getpid()}:replay"
    stacks.build(docker_host, tag, context)
    try:
        verb("replay", "--from", tag, "--prefix", second)
    finally:
        docker_host.images.remove(tag, force=True)
    assert packages(second) == packages(first)
    with pytest.raises(UsageError, match="holds no history"):
        verb("replay", "--from", stacks_image)
    with pytest.raises(JStackMagicError, match="no-such-image"):
        verb("replay", "--from", "no-such-image:1")


def test_one_target_for_several_environments_is_a_mistake(new: Callable[[], Path]) -> None:
    for prefix in (new(), new()):
        verb("install", "--prefix", prefix, "--conda", "demo-tool")
    with pytest.raises(UsageError, match="2 environments"):
        verb("replay", "--prefix", new())


def test_two_at_once(
    new: Callable[[], Path], history_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with alone(history_file, dry_run=False), pytest.raises(Stopped, match="already, by process"):
        verb("replay")
    with alone(history_file, dry_run=False):
        monkeypatch.setenv("JSTACKMAGIC_HISTORY", f"{history_file}.other")
        verb("replay")  # another history's is another matter


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_somebody_else_made_is_not_used(
    new: Callable[[], Path], runtime: Path
) -> None:
    verb("install", "--prefix", new(), "--conda", "demo-tool")
    replays.Progress(default_path())
    (runtime / "replays.jsonl").write_text(Session().history.path.read_text())
    assert replays.status(default_path()) is not None
    assert len(replays.replays().records()) == 1
    os.chown(runtime, 65534, 65534)
    assert replays.status(default_path()) is None
    assert replays.replays().records() == []
    with pytest.raises(Stopped, match="another user"):
        verb("replay")
    assert not list(runtime.glob("replay-*.lock"))


def test_how_far_it_is(new: Callable[[], Path], runtime: Path) -> None:
    assert replays.status(default_path()) is None
    reporter = replays.Progress(default_path())
    reporter.at("conda, environment base", 1, 2)
    assert "(step 1 of 2: conda, environment base)" in str(replays.status(default_path()))
    assert "(step 1 of 2: conda, environment base)" in str(verb("info"))
    assert replays.status(default_path().with_name("other.jsonl")) is None
    assert verb("info").to_json()["replay"]["state"] == "running"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = replay_file(default_path())
    path.write_text(path.read_text().replace(str(os.getpid()), str(ended.pid)))
    assert "cut off" in str(replays.status(default_path()))
    reporter.end("done")
    assert "was replayed here" in str(replays.status(default_path()))
    path.write_text("{torn")
    assert replays.status(default_path()) is None


# apt


@pytest.fixture
def deb(tmp_path: Path) -> Iterator[Path]:
    purge("jstackmagic-test-replay")
    yield build_deb(tmp_path, "jstackmagic-test-replay")
    purge("jstackmagic-test-replay")


@pytest.mark.apt
def test_debian_packages(deb: Path) -> None:
    verb("install", f"apt:{deb}")
    purge("jstackmagic-test-replay")
    result = verb("replay")
    assert ("apt", "jstackmagic-test-replay") in read_packages(detect(), ("apt",))
    assert [item.plan.request.manager for item in result.done] == ["apt"]
    assert commands(verb("replay")) == []


# The pure part, by any history


@given(worlds())
def test_any_history_comes_back_from_the_base_it_began_with(world: World) -> None:
    base = world.before[0] if world.before else world.state
    disk = dict(base.disk)
    for goal in goals(Ledger.of(world.records)):
        place = goal.ref.prefix if goal.ref else ""
        for manager, name in goal.gone:
            disk.pop((place, manager, name), None)
        for (manager, name), package in goal.there.items():
            disk[place, manager, name] = package.version
    assert disk == world.state.disk


@given(worlds(), st.sampled_from(("conda", "pip", "apt")))
def test_nothing_is_asked_for_where_all_is_there(world: World, manager: ManagerName) -> None:
    for goal in goals(Ledger.of(world.records)):
        place = goal.ref.prefix if goal.ref else ""
        here = PackageSet(
            tuple(Package(m, n, v) for (p, m, n), v in world.state.disk.items() if p == place)
        )
        asked = [r for r in requests(goal, manager, here, "builds") if manager != "apt"]
        assert asked == []


# The start-up hook


def start(script: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a hook as the Docker Stacks' run-hooks.sh does, in a shell that minds its status."""
    command = ["sh", "-ec", '"$0"; echo the server starts', str(script)]
    return subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, check=False
    )


def ended() -> replays.Status:
    """The status of a replay in the background, once it has ended."""
    deadline = time.monotonic() + 60
    while (status := replays.status(default_path())) is None or status.state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return status


def test_the_hook_notes_the_baseline_and_replays_behind_the_servers_back(
    tmp_path: Path, shim_channel: Channel
) -> None:
    root = make_root(tmp_path / "a root", "python", channels=[shim_channel.url])
    prefix = root.create("analysis", "python")
    verb("install", "--prefix", prefix, "--conda", "pymongo")
    was = packages(prefix)
    delete_environment(prefix)
    root.create("analysis", "python")
    folder = tmp_path / "before notebook.d"
    verb("hook", "install", "--folder", folder)
    script = next(folder.iterdir())
    assert os.access(script, os.X_OK)
    assert "." not in script.name, "run-hooks.sh sources what ends in .sh"
    done = start(script)
    assert (done.returncode, done.stdout) == (0, "the server starts\n")
    assert ended().state == "done"
    assert packages(prefix) == was
    assert "pymongo" in (runtime_folder() / "replay.log").read_text()
    assert baseline.read_snapshot() is not None
    verb("hook", "remove", "--folder", folder)
    assert list(folder.iterdir()) == []
    assert "There is no" in str(verb("hook", "remove", "--folder", folder))


@pytest.mark.parametrize("trouble", ["python is gone", "history is a folder", "no runtime folder"])
def test_the_server_starts_whatever_happens(
    trouble: str, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "hooks"
    if trouble == "python is gone":
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    verb("hook", "install", "--folder", folder)
    environ = {}
    if trouble == "history is a folder":
        environ["JSTACKMAGIC_HISTORY"] = str(home)
    if trouble == "no runtime folder":
        environ["XDG_RUNTIME_DIR"] = "/dev/null"
        Session().history.path.write_text("")
    done = start(next(folder.iterdir()), **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the server starts\n", "")


def test_a_hook_of_another_hand_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "50-jstackmagic").write_text("#!/bin/sh\necho mine\n")
    with pytest.raises(Stopped, match="not ours"):
        verb("hook", "remove", "--folder", tmp_path)


def test_lines_for_other_images(tmp_path: Path) -> None:
    shown = str(verb("hook", "install"))
    if not os.path.isdir("/usr/local/bin/before-notebook.d"):
        assert "-m jstackmagic hook run" in shown
    verb("hook", "install", "--keep", "--snippet", tmp_path / "lines.sh")
    lines = (tmp_path / "lines.sh").read_text()
    assert "-m jstackmagic hook run --keep\n" in lines
    assert subprocess.run(["sh", "-euc", f"{lines}\nexit 7"], check=False).returncode == 7


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_who_may_not_write_there_is_told_where_it_belongs() -> None:
    with pytest.raises(Stopped) as caught:
        verb("hook", "install", "--folder", "/usr/local/bin")
    assert "RUN jstackmagic hook install" in str(caught.value)
