"""The start-up hook with everything against it: a dead index, a kill, two servers, a stuck lock."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history import replays
from jstackmagic.history.file import History, default_path
from jstackmagic.history.who import context
from jstackmagic.io.locks import Lock, take
from jstackmagic.io.runtime import replay_file, runtime_folder
from jstackmagic.managers.conda.rattler import patience
from jstackmagic.model.errors import CommandFailed
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from jstackmagic.restore import hook
from jstackmagic.where.detect import detect
from support.forked import jstackmagic
from support.verbs import packages, verb
from support.warm import warm_conda

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.tiers import Channel


@pytest.fixture
def new(
    tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, shim_channel: Channel
) -> Callable[[str], Path]:
    """Makes conda environments."""
    return lambda name: warm_conda(tmp_path_factory, tmp_path / name, shim_channel, "python")


def use(home: Path, channel: str) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [channel]}))


@contextmanager
def dead_server() -> Iterator[str]:
    """A server that takes every connection and never says a word."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    kept.append(server.accept()[0])
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for connection in kept:
        connection.close()


def remember(history_file: Path, prefix: Path, *names: str) -> None:
    """Write what an earlier container installed with conda."""
    history = History(history_file)
    for name in names:
        package = Package("conda", name, "1.0", requested=True)
        record = history.note(
            "running",
            Request("install", "conda", (name,)),
            detect(prefix).ref,
            transaction=history.new_transaction(),
            step=1,
            engine="rattler",
            commands=(),
            context=context(),
        )
        history.end(record, Outcome("ok", 0, 0.1, Change(added=(package,)), (package,)))


def run_hook() -> int:
    """Runs the hook as `postStart` does; returns its exit status."""
    return jstackmagic("hook", "run").returncode


def until(state: str, seconds: float = 150) -> replays.Status:
    """Waits for a status of the replay in the background."""
    deadline = time.monotonic() + seconds
    while (status := replays.status(default_path())) is None or status.state != state:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
    return status


def stop(status: replays.Status | None) -> None:
    if status is not None and status.state == "running":
        os.kill(status.pid, signal.SIGKILL)


class TestADeadIndex:
    """F4: the hook returns at once, and the work is given up in bounded time."""

    def test_the_server_does_not_wait_and_the_next_start_goes_on(
        self,
        new: Callable[[str], Path],
        home: Path,
        history_file: Path,
        shim_channel: Channel,
    ) -> None:
        """The pod is killed in the middle; in the next one the channel is back."""
        prefix = new("env")
        use(home, shim_channel.url)
        verb("install", "--prefix", prefix, "--conda", "pymongo")
        was = packages(prefix)
        verb("remove", "--prefix", prefix, "--conda", "pymongo", "dnspython")
        lines = history_file.read_text().splitlines(keepends=True)
        history_file.write_text("".join(lines[:2]))
        with dead_server() as url:
            use(home, url)
            assert run_hook() == 0
            running = until("running")
            assert "conda" in str(until("running")) or running.steps == 0
            assert "is being installed here" in str(verb("info", "--prefix", prefix))
            os.kill(running.pid, signal.SIGKILL)
            assert "was cut off" in str(until("interrupted"))
        use(home, shim_channel.url)
        assert run_hook() == 0
        until("done")
        assert packages(prefix) == was

    def test_it_returns_in_a_moment(
        self, new: Callable[[str], Path], home: Path, history_file: Path
    ) -> None:
        remember(history_file, new("env"), "first", "second", "third")
        with dead_server() as url:
            use(home, url)
            assert run_hook() == 0
            stop(until("running"))

    @pytest.mark.parametrize("which", ["the channel", "a package"])
    def test_what_does_not_answer_is_given_up(
        self,
        which: str,
        new: Callable[[str], Path],
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        shim_channel: Channel,
    ) -> None:
        monkeypatch.setattr(patience, "SILENCE", 0.5)
        prefix = new("env")
        with dead_server() as url:
            use(home, url if which == "the channel" else shim_channel.url)
            spec = "pymongo" if which == "the channel" else f"{url}/noarch/x-1.0-0.conda"
            with pytest.raises(CommandFailed, match=f"{url}.* does not answer"):
                verb("install", "--prefix", prefix, "--conda", spec)
        use(home, shim_channel.url)
        assert verb("install", "--prefix", prefix, "--conda", "demo-tool").change

    def test_a_slow_one_is_waited_for(
        self,
        new: Callable[[str], Path],
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        shim_channel: Channel,
    ) -> None:
        """Silence is what counts, and a channel that says anything is not silent."""
        monkeypatch.setattr(patience, "SILENCE", 0.01)
        prefix = new("env")
        use(home, shim_channel.url)
        assert verb("install", "--prefix", prefix, "--conda", "pymongo").change


def test_two_servers_at_once(new: Callable[[str], Path], home: Path, history_file: Path) -> None:
    remember(history_file, new("env"), "first")
    with dead_server() as url:
        use(home, url)
        command = [sys.executable, "-m", "jstackmagic", "hook", "run"]
        both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]
        running = until("running")
        log = runtime_folder() / "replay.log"
        deadline = time.monotonic() + 150
        while "is being replayed already" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        assert until("running").pid == running.pid
        stop(running)


def test_a_process_that_has_the_number_of_a_dead_replay_is_not_it() -> None:
    """A container that is started again keeps its temporary files, and counts from 1."""
    replays.Progress(default_path())
    path = replay_file(default_path())
    noted = json.loads(path.read_bytes())
    assert until("running").pid == os.getpid()
    path.write_text(json.dumps({**noted, "process": "boot/namespace/1"}))
    assert until("interrupted").pid == os.getpid()


def test_a_lock_that_is_never_given(
    new: Callable[[str], Path], home: Path, history_file: Path, shim_channel: Channel
) -> None:
    """The history's lock is another pod's, which is gone: the replay needs nothing of it."""
    use(home, shim_channel.url)
    prefix = new("env")
    verb("install", "--prefix", prefix, "--conda", "demo-tool")
    verb("remove", "--prefix", prefix, "--conda", "demo-tool")
    lines = history_file.read_text().splitlines(keepends=True)
    history_file.write_text("".join(lines[:2]) + '{"v":1,"event":"be')
    lock = take(f"{history_file}.lock")
    assert isinstance(lock, Lock)
    with lock:
        assert run_hook() == 0
        until("done")
    assert "demo-tool" in {package.name for package in packages(prefix)}


def test_what_a_killed_container_left_half_linked_is_finished_first(
    new: Callable[[str], Path], home: Path, history_file: Path, shim_channel: Channel
) -> None:
    """The environment lies in the home volume too, with the journal of a cut-off install."""
    from jstackmagic.managers.conda.rattler import journal

    use(home, shim_channel.url)
    prefix = new("env")
    kept: list[bytes] = []
    write = journal.write

    def remembered(prefix: str, plan: journal.Journal) -> None:
        write(prefix, plan)
        with open(journal.path_of(prefix), "rb") as file:
            kept.append(file.read())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "write", remembered)
        verb("install", "--prefix", prefix, "--conda", "pymongo")
    was = packages(prefix)
    for path in (prefix / "conda-meta").glob("dnspython-*.json"):
        path.unlink()
    with open(journal.path_of(str(prefix)), "wb") as file:
        file.write(kept[0])
    assert run_hook() == 0
    until("done")
    assert packages(prefix) == was
    assert journal.read(str(prefix)) is None


@pytest.mark.parametrize("what", ["take_snapshot", "environments"])
def test_an_error_that_nobody_thought_of_does_not_stop_the_server(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("unthought of")

    module = "restore.hook" if what == "take_snapshot" else "where.kernels"
    monkeypatch.setattr(f"jstackmagic.{module}.{what}", fail)
    said = str(verb("hook", "run"))
    assert "ZeroDivisionError" in said
    assert "no history" in said


@pytest.mark.parametrize("minutes", [-10, 10])
def test_what_was_installed_since_the_container_was_made_is_no_baseline(
    minutes: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hook by hand, in a container that was begun before or after an install."""
    history, tree = History(home / "h.jsonl"), Request("install", "apt", ("tree",))
    begun = history.note("running", tree, detect().ref, transaction="a", step=1, context=context())
    history.end(begun, Outcome("ok", 0, 1.0, change=Change(added=(Package("apt", "tree", "2"),))))
    monkeypatch.setattr(hook, "container_start", lambda: time.time() + minutes * 60)
    monkeypatch.setattr(hook, "_start_replay", lambda *_, **__: "")
    first, second = (hook.run(lambda: history, keep=False)[0] for _ in range(2))
    if minutes < 0:
        assert first == second
        assert "packages were installed here before" in first
    else:
        assert (first, second) == ("What the image brought is noted.", "It was noted before.")
