"""A file that is replaced is there whole, whatever happens meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from jstackmagic.io.files import _machine, replace_folder, sweep, write_file

if TYPE_CHECKING:
    from pathlib import Path

OLD = b"old " * 50_000


def test_it_keeps_mode_and_link_and_leaves_nothing_beside(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(OLD)
    file.chmod(0o640)
    link.symlink_to("file")
    write_file(link, "new\n")
    assert link.is_symlink()
    assert file.read_text() == "new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(tmp_path.iterdir()) == [file, link]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_new_file_gets_what_the_umask_gives(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~umask


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_it_keeps_the_owner(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    os.chown(file, 1000, 100)
    write_file(file, b"new")
    assert (file.stat().st_uid, file.stat().st_gid) == (1000, 100)


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    write_file(pipe, b"through")
    assert reader.communicate(timeout=60)[0] == b"through"
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_no_room_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    code = (
        "import sys\nfrom jstackmagic.io.files import write_file\n"
        "write_file(sys.argv[1], b'new' * 1000)"
    )
    command = [sys.executable, "-B", "-c", code, str(file)]  # -B: bytecode would be cut short
    done = subprocess.run(
        command, preexec_fn=little_room, capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stderr
    assert file.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "old").touch()

    def fails(path: str) -> None:
        os.mkdir(path)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        replace_folder(folder, fails)
    assert [path.name for path in folder.iterdir()] == ["old"]

    def fills(path: str) -> None:
        os.mkdir(path)
        open(f"{path}/new", "w").close()

    replace_folder(folder, fills)
    replace_folder(tmp_path / "another", fills)
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", "project"]


def test_drafts_of_dead_processes_are_swept_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, dead = _machine(), 2**22 + 1
    stale = [f".a.json.{host}-{dead}.x1.partial", f".b-1.0.json.{host}-{dead}.x2.partial"]
    kept = [
        f".a.json.{host}-{os.getpid()}.x3.partial",
        f".a.json.elsewhere-{dead}.x4.partial",
        *(".partial", "a.json.partial", ".other.partial", "a.json"),
    ]
    for name in (*stale, *kept):
        (tmp_path / name).touch()
    sweep(str(tmp_path), "b-1.0.json.")
    assert {path.name for path in tmp_path.iterdir()} == {stale[0], *kept}
    sweep(str(tmp_path), "")
    assert {path.name for path in tmp_path.iterdir()} == {*kept}
    # of another machine: a minute is no time, an hour is
    for passed, swept in ((60, False), (3600, True)):
        monkeypatch.setattr("jstackmagic.io.files.clock", lambda _, s=passed: time.time() + s)
        sweep(str(tmp_path), "")
        assert (tmp_path / kept[1]).exists() is not swept
