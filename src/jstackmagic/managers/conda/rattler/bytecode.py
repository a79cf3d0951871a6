"""Byte-compile linked packages as conda does, while the user goes on."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .records import PythonLayout

_LIST = "conda-meta/jstackmagic.bytecode"
"""The modules that are still to be compiled, a line each, relative to the prefix."""

# The list goes when the work is done; "$0" is the list and "$@" the command.
_THEN_FORGET = ("/bin/sh", "-c", '"$@"; rm -f "$0"')


def left(prefix: str, python: PythonLayout | None) -> list[str]:
    """Return the files that a dead process had still to compile."""
    try:
        listed = Path(prefix, _LIST).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [
        source
        for source in listed
        if python is not None
        and os.path.exists(os.path.join(prefix, source))
        and not os.path.exists(os.path.join(prefix, python.bytecode_of(source)))
    ]


def forget(prefix: str) -> None:
    """Remove the list of what is left to compile."""
    Path(prefix, _LIST).unlink(missing_ok=True)


def is_made(prefix: str) -> bool:
    """Return whether nothing is left to compile."""
    return not os.path.exists(os.path.join(prefix, _LIST))


def compile_behind(
    prefix: str, python: PythonLayout, sources: Iterable[str], done: Callable[[], None]
) -> None:
    """Compile modules in a process that outlives this call, and this process if need be.

    conda's own command is used, so that the files are the same. A file that does not compile, as a
    module for another Python, is left, as conda leaves it.

    Args:
        prefix: The environment.
        python: Its Python.
        sources: The modules, relative to the prefix.
        done: Called in a thread when it is done, with any outcome.
    """
    Path(prefix, _LIST).write_text("".join(f"{source}\n" for source in sources))
    process = _start(prefix, python)

    def wait() -> None:
        if process is not None:
            process.wait()
        done()

    # A daemon: a kernel that is restarted meanwhile does not wait.
    threading.Thread(target=wait, name="jstackmagic-bytecode", daemon=True).start()


def _start(prefix: str, python: PythonLayout) -> subprocess.Popen[bytes] | None:
    program = os.path.join(prefix, "bin", f"python{python.minor}")
    if not os.path.exists(program):
        program = os.path.join(prefix, "bin", "python")
    # conda runs it in the prefix on relative paths, which end up in the bytecode
    command = [program, "-Wi", "-m", "compileall", "-q", "-l", "-i", _LIST]
    if tuple(map(int, python.minor.split("."))) > (3, 5):
        command += ["-j", "0"]
    with contextlib.suppress(OSError):
        return subprocess.Popen(
            [*_THEN_FORGET, _LIST, *command],
            cwd=prefix,
            env={name: value for name, value in os.environ.items() if name[:6] != "PYTHON"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the next cell is not meant for it
        )
    return None
