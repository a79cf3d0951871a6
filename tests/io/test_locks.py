"""Locks with real processes: held, dead, not given, not there, and never answered."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import time
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history.append import HistoryWarning
from jstackmagic.history.file import History
from jstackmagic.history.who import context
from jstackmagic.io import locks
from jstackmagic.io.locks import Held, Lock, take
from jstackmagic.model.errors import HistoryError
from support.kernels import PATIENCE
from support.nolocks import environ
from support.records import append_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.nolocks import Failure


WRITE = """
import os, sys, time, warnings
from pathlib import Path
from jstackmagic.history.file import History
from jstackmagic.history.who import context
from jstackmagic.model.plan import Outcome
from jstackmagic.model.request import Request
from support.records import BASE
name, *others = sys.argv[2].split()
children = []
for other in others:
    if not (child := os.fork()):
        name, children = other, []
        break
    children.append(child)
history = History(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    request = Request("install", "pip", ("x" * (n * 1997 % 9000) + "six",))
    record = history.note("running", request, BASE, transaction=f"{name:>03}{n:05x}", step=1,
                           engine="pip", commands=(), context=context())
    history.end(record, Outcome("ok", 0, 1.0))
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def write(path: Path, names: object, number: int, **more: object) -> subprocess.Popen[str]:
    """A process for each of some names, which records so many installs; the first one's is it."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", WRITE, str(path), str(names), str(number)],
        stderr=subprocess.PIPE,
        text=True,
        **{"env": variables, **more},  # type: ignore[call-overload]
    )


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Has another program hold a lock file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # no process of its own for the wait: the lock would outlive the one that is killed
    holder = subprocess.Popen(["flock", "--no-fork", path, "sleep", "600"])
    command = Path(f"/proc/{holder.pid}/comm")
    end = time.monotonic() + 60
    try:
        while command.read_text() != "sleep\n":  # flock takes the lock first, and then becomes it
            assert time.monotonic() < end, "flock did not get the lock"
            time.sleep(0.01)
        yield holder
    finally:
        holder.kill()
        holder.wait()


class TestTaking:
    def test_it_is_held_until_released(self, tmp_path: Path) -> None:
        first = take(tmp_path / "lock")
        assert isinstance(first, Lock)
        second = take(tmp_path / "lock", seconds=0)
        assert isinstance(second, Held)
        assert second.lives
        assert f"process {os.getpid()} " in second.by
        first.release()
        first.release()
        third = take(tmp_path / "lock", seconds=0)
        assert isinstance(third, Lock)
        third.release()

    def test_a_holder_that_is_killed_gives_it_back(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with held(path) as holder:
            found = take(path, seconds=0)
            assert isinstance(found, Held)
            assert found.by.startswith(f"process {holder.pid} (sleep 600")
            holder.kill()
            assert isinstance(take(path, seconds=60), Lock)

    def test_it_is_waited_for_and_no_longer_than_said(self, tmp_path: Path) -> None:
        with held(tmp_path / "lock"):
            began = time.monotonic()
            assert isinstance(take(tmp_path / "lock", seconds=0.3), Held)
            assert time.monotonic() - began >= 0.3

    def test_a_lock_file_that_was_removed_is_a_new_one(self, tmp_path: Path) -> None:
        """Somebody frees the lock of a pod that is gone, while another waits for it."""
        path = tmp_path / "lock"
        with held(path):
            found: list[object] = []
            thread = threading.Thread(target=lambda: found.append(take(path, seconds=60)))
            thread.start()
            time.sleep(0.2)
            path.unlink()
            assert isinstance(take(path, seconds=0), Lock)
        thread.join(60)
        assert isinstance(found[0], Lock)
        assert os.path.samestat(os.fstat(found[0]._file), path.stat())

    def test_a_note_names_a_holder_that_cannot_be_seen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "lock"
        with path.open("w+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("77 pod-a\n")
            file.flush()
            monkeypatch.setattr(locks, "Path", lambda *parts: Path("/nowhere"))
            found = take(path, seconds=0)
        assert found == Held("process 77 of pod-a, or one after it", lives=False)

    def test_a_link_in_its_place_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "lock").symlink_to(tmp_path / "other")
        with pytest.raises(OSError, match="symbolic links"):
            take(tmp_path / "lock")
        assert not (tmp_path / "other").exists()

    def test_an_interrupt_leaves_no_lock_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> bool:
            time.sleep(0.2)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                take(tmp_path / "lock")
        assert isinstance(take(tmp_path / "lock", seconds=1), Lock)


class TestOtherErrors:
    """They say what they are, and never that another process has the lock."""

    @pytest.mark.parametrize("what", ["folder", "dangling link", "link", "pipe", "no rights"])
    def test_what_cannot_be_a_lock_stops_no_record(self, what: str, tmp_path: Path) -> None:
        path, lock = tmp_path / "history.jsonl", tmp_path / "history.jsonl.lock"
        if what == "folder":
            (lock / "x").mkdir(parents=True)
        elif what == "pipe":
            os.mkfifo(lock)
        elif what == "no rights":
            lock.touch(mode=0o000)
        else:
            lock.symlink_to(tmp_path if what == "link" else tmp_path / "other")
        history = History(path)
        plain = what == "pipe" or (what == "no rights" and os.geteuid() == 0)
        with nullcontext() if plain else pytest.warns(HistoryWarning, match="rm -r"):
            append_only(history, context())
            append_only(History(path), context())
        assert path.read_bytes().count(b"\n") == 2
        assert not (tmp_path / "other").exists()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    @pytest.mark.parametrize("mode", [0o600, 0o644])
    def test_a_lock_of_root_for_another_user(self, tmp_path: Path, mode: int) -> None:
        """Read access is enough to wait for it, as in a group's folder."""
        os.chmod(tmp_path, 0o777)
        path = tmp_path / "lock"
        path.touch(mode=mode)
        # a name without a folder: those above may be closed to others
        code = (
            "import os; from pathlib import Path; from jstackmagic.io.locks import take\n"
            "os.setuid(65534)\n"
            "try: print(type(take(Path('lock'), seconds=0)).__name__)\n"
            "except OSError as error: print(error.errno)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == ("Lock" if mode == 0o644 else str(errno.EACCES))

    def test_a_disk_that_errs(self, tmp_path: Path) -> None:
        done = write(tmp_path / "history.jsonl", 1, 1, env=environ(tmp_path, "EIO"))
        _, said = done.communicate(timeout=PATIENCE)
        assert done.returncode == 1
        assert "cannot be written: Input/output error" in said
        assert "held" not in said


class TestHistory:
    @pytest.mark.parametrize("failure", ["ENOLCK", "ENOSYS", "EOPNOTSUPP"])
    def test_without_locks_lines_are_added_and_it_is_said_once(
        self, tmp_path: Path, failure: Failure
    ) -> None:
        path = tmp_path / "history.jsonl"
        done = write(path, 1, 5, env=environ(tmp_path, failure))
        _, said = done.communicate(timeout=PATIENCE)
        assert done.returncode == 0, said
        assert said.count("has no file locks") == 1
        assert [record.status for record in History(path).records()] == ["ok"] * 5

    def test_a_call_that_never_returns_is_left_after_seconds(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        began = time.monotonic()
        done = write(path, 1, 50, env=environ(tmp_path, "hangs"))
        _, said = done.communicate(timeout=120)
        assert done.returncode == 0, said
        assert time.monotonic() - began < 25 * locks.SECONDS, "waited for each time"
        assert said.count("do not answer") == 1
        assert [record.status for record in History(path).records()] == ["ok"] * 50

    def test_a_lock_that_a_dead_pod_holds(
        self, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jstackmagic.history.append.SECONDS", 0.3)
        history = History(history_file)
        with held(Path(f"{history_file}.lock")) as holder:
            began = time.monotonic()
            with pytest.warns(HistoryWarning, match=f"held for 0 s by process {holder.pid} "):
                name = append_only(history, context()).id
            assert time.monotonic() - began >= 0.3
            monkeypatch.setattr("jstackmagic.history.append.SECONDS", 10_000)
            with pytest.warns(HistoryWarning):
                append_only(history, context())  # it was waited for once
            assert [record.id for record in history.records()] == [name]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            append_only(history, context())

    @pytest.mark.parametrize("failure", ["held", "ENOLCK"])
    def test_twenty_writers_without_the_lock_lose_nothing(
        self, tmp_path: Path, failure: str
    ) -> None:
        path, each = tmp_path / "history.jsonl", 5
        variables = environ(tmp_path, "ENOLCK") if failure == "ENOLCK" else None
        more = {"env": variables} if variables else {}
        with held(Path(f"{path}.lock")):
            writers = write(path, " ".join(map(str, range(20))), each, **more)
            _, said = writers.communicate(timeout=200)
        assert writers.returncode == 0, said
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            records = History(path).records()
        assert {record.id for record in records} == {
            f"{writer:>03}{n:05x}.1" for writer in range(20) for n in range(each)
        }
        assert {record.status for record in records} == {"ok"}

    def test_behind_a_torn_line_the_lock_is_needed_for_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / "history.jsonl"
        path.write_text('{"v":1,"event":"beg')
        done = write(path, 1, 1, env=environ(tmp_path, "ENOLCK"))
        _, said = done.communicate(timeout=PATIENCE)
        assert done.returncode == 0, said
        with pytest.warns(HistoryWarning, match="Line 1 .* is not a record"):
            (record,) = History(path).records()
        assert record.status == "ok"

    def test_reading_never_waits(self, history_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        history = History(history_file)
        name = append_only(history, context()).id
        with history_file.open("ab") as file:
            file.write(b'{"v":1,"event":"beg')
        with held(Path(f"{history_file}.lock")):
            monkeypatch.setattr("jstackmagic.history.append.SECONDS", 10_000)
            assert [record.id for record in history.records()] == [name]
        with pytest.warns(HistoryWarning, match="was torn"):
            assert [record.id for record in history.records()] == [name]

    def test_a_link_in_the_place_of_what_is_set_aside_is_not_followed(
        self, history_file: Path, tmp_path: Path
    ) -> None:
        history = History(history_file)
        name = append_only(history, context()).id
        with history_file.open("ab") as file:
            file.write(b'{"v":1,"event":"beg')
        victim = tmp_path / "victim"
        victim.write_text("precious")
        Path(f"{history_file}.torn").symlink_to(victim)
        with pytest.warns(HistoryWarning, match="torn"):
            assert [record.id for record in history.records()] == [name]
        assert victim.read_text() == "precious"

    def test_a_line_that_cannot_be_flushed_is_taken_back(
        self, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = History(history_file)
        name = append_only(history, context()).id
        before = history_file.read_bytes()

        def refuse(_: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(HistoryError, match="Input/output error") as caught:
                append_only(history, context())
        assert caught.value.kept == "Nothing was started."
        assert history_file.read_bytes() == before
        assert [record.id for record in history.records()] == [name]

    def test_one_that_cannot_be_taken_back_is_said_to_be_there(
        self, history_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = History(history_file)
        append_only(history, context())

        def refuse(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            patch.setattr(os, "ftruncate", refuse)
            with pytest.raises(HistoryError) as caught:
                append_only(history, context())
        assert "The line was written" in caught.value.kept
