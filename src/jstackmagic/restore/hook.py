"""The start-up hook, which a server's start runs, so that a new container gets everything back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..history.file import History
from ..history.select import moment_of
from ..io.files import write_file
from ..io.runtime import own_runtime_folder
from ..model.environment import Environment
from ..model.errors import JStackMagicError, Stopped
from ..where import kernels
from ..where.baseline import container_start, read_snapshot, take_snapshot
from ..where.detect import detect, find, known_names

FOLDER = Path("/usr/local/bin/before-notebook.d")
"""The Docker Stacks' folder of scripts that run before the server (``run-hooks.sh``)."""

NAME = "50-jstackmagic"
"""Without ``.sh``, so that the Docker Stacks run it as a program and do not source it."""

_SECONDS = 20
"""Seconds that a server's start may wait for us; it does not wait for the replay itself."""

_MARK = "# Written by jstackmagic hook install; jstackmagic hook remove takes it out."

_SCRIPT = """\
{mark}
# Notes what the image brought, and brings back in the background what the home volume's history
# says. Whatever happens here, the server starts.
(
    set -- {python} -m jstackmagic hook run{options}
    if [ "$(id -u)" = 0 ] && [ "${{NB_USER:-root}}" != root ]; then
        set -- sudo --preserve-env --set-home --user "${{NB_USER}}" "PATH=${{PATH}}" "$@"
    fi
    if command -v timeout; then
        set -- timeout -k 2 {seconds} "$@"
    fi
    "$@"
) </dev/null >/dev/null 2>&1 || true
"""


def script(*, keep: bool = False) -> str:
    """Return the lines for a shell: POSIX, and always successful."""
    return _SCRIPT.format(
        mark=_MARK,
        python=shlex.quote(sys.executable),
        options=" --keep" if keep else "",
        seconds=_SECONDS,
    )


def write(path: Path, text: str, *, mode: int) -> None:
    """Write a hook, or lines for another.

    Raises:
        Stopped: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, text, mode=mode)
    except OSError as error:
        raise Stopped(
            f"{path} cannot be written: {error.strerror}.",
            kept="Nothing was installed.",
            advice=(
                "It belongs in the image. In its Dockerfile, as root:",
                "RUN jstackmagic hook install",
            ),
        ) from None


def remove(path: Path) -> bool:
    """Remove a hook, and return whether there was one.

    Raises:
        Stopped: It is not ours, or cannot be removed.
    """
    try:
        if _MARK not in path.read_text(encoding="utf-8"):
            raise Stopped(f"{path} is not ours.", kept="It was left as it is.")
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Stopped(f"{path} cannot be removed: {error.strerror}.") from None
    return True


def run(history: Callable[[], History], *, keep: bool) -> list[str]:
    """Note the image's packages, then start the replay, which changes them.

    Args:
        history: Returns the history, or raises if the settings that name it are wrong.
        keep: Have the replay keep all packages' archives.

    Returns:
        A sentence for each thing that was done or failed: no error keeps a server from starting.
    """
    said = []
    try:
        if read_snapshot() is None and _was_changed(history):
            said.append("What the image brought is not noted: packages were installed here before.")
        else:
            new = take_snapshot(_environments())
            said.append("What the image brought is noted." if new else "It was noted before.")
    except Exception as error:
        said.append(f"What the image brought cannot be noted: {_reason(error)}")
    try:
        said.append(_start_replay(history(), keep=keep))
    except Exception as error:
        said.append(f"The replay cannot be started: {_reason(error)}")
    return said


def _was_changed(history: Callable[[], History]) -> bool:
    """Return whether packages were installed since this container was made."""
    begun = container_start()
    if begun is None:
        return False
    try:
        records = history().records()
    except JStackMagicError:  # said below
        return False
    return any(
        record.outcome is not None
        and record.outcome.change
        and record.context.host == os.uname().nodename
        and moment_of(record).timestamp() > begun
        for record in records
    )


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, (JStackMagicError, OSError)) else repr(error)


def _environments() -> list[Environment]:
    """Return the environments with a kernel or a conda name, and our own."""
    found = [detect()]
    found += [each.environment for each in kernels.environments()]
    for name in known_names():
        with suppress(JStackMagicError):  # a name of several environments
            found.append(find(name=name))
    return list({each.prefix: each for each in found}.values())


def _start_replay(history: History, *, keep: bool) -> str:
    """Replay in a process that outlives us and that no process waits for."""
    if not history.path.exists():
        return "There is no history to replay yet."
    log = own_runtime_folder() / "replay.log"
    command = [sys.executable, "-m", "jstackmagic", "replay", "--log", str(log)]
    command += ["--keep"] if keep else []
    with log.open("ab") as output:
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=os.path.expanduser("~"),
        )
    return f"The history {history.path} is being replayed; see {log}."
