"""Byte-compile linked packages as conda does, while the user goes on.

Bytecode is kept with the package that it was made of, in the package cache, for the next
environment with the same Python: it names its source relative to the prefix, with its time and
size.
"""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ....io.files import umask
from .records import PythonLayout

LIST = "conda-meta/jstackmagic.bytecode"
"""The modules that are still to be compiled, a line each, relative to the prefix."""

# The list goes when the work is done; "$0" is the list and "$@" the command.
_THEN_FORGET = ("/bin/sh", "-c", '"$@"; rm -f "$0"')


def left(prefix: str, python: PythonLayout | None) -> list[str]:
    """Return the files that a dead process had still to compile."""
    try:
        listed = Path(prefix, LIST).read_text().splitlines()
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
    Path(prefix, LIST).unlink(missing_ok=True)


def link_kept(prefix: str, python: PythonLayout, folder: str, sources: Sequence[str]) -> list[str]:
    """Link the bytecode that is kept with a package; return the modules without any.

    Args:
        sources: Its modules, relative to the prefix.
    """
    kept = _kept(folder, python)
    if not kept.is_dir():
        return list(sources)
    return [source for source in sources if not _link(kept, prefix, source, python)]


def _kept(folder: str, python: PythonLayout) -> Path:
    return Path(folder, f".bytecode-{python.version}")


def _link(kept: Path, prefix: str, source: str, python: PythonLayout) -> bool:
    compiled = python.bytecode_of(source)
    try:
        with open(kept / compiled, "rb") as file:
            header = file.read(16)
        status = os.stat(os.path.join(prefix, source))
        # PEP 552: no flags, then the source's time and size; anything else is made again
        if header[4:] != struct.pack("<III", 0, int(status.st_mtime), status.st_size):
            return False
        _link_file(kept / compiled, Path(prefix, compiled))
    except (OSError, struct.error):
        return False
    return True


def _link_file(there: Path, here: Path) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    os.link(there, here)


def _keep(prefix: str, python: PythonLayout, packages: Mapping[str, Sequence[str]]) -> None:
    """Keep new bytecode with its packages, as far as their folders take hard links."""
    for folder, sources in packages.items():
        for compiled in map(python.bytecode_of, sources):
            with contextlib.suppress(OSError):
                _link_file(Path(prefix, compiled), _kept(folder, python) / compiled)


def compile_behind(
    prefix: str,
    python: PythonLayout,
    sources: Sequence[str],
    packages: Mapping[str, Sequence[str]],
    done: Callable[[], None],
) -> None:
    """Compile modules in a process that outlives this call, and this process if need be.

    conda's own command is used, so that the files are the same. A file that does not compile, as a
    module for another Python, is left, as conda leaves it.

    Args:
        sources: Modules of no package in the cache, relative to the prefix.
        packages: The modules of each package, by its folder in the cache.
        done: Called in a thread when it is done, with any outcome.
    """
    every = (*sources, *(source for several in packages.values() for source in several))
    Path(prefix, LIST).write_text("".join(f"{source}\n" for source in every))
    process = _start(prefix, python)

    def wait() -> None:
        if process is not None:
            process.wait()
            _keep(prefix, python, packages)
        done()

    # A daemon: a kernel that is restarted meanwhile does not wait.
    threading.Thread(target=wait, name="jstackmagic-bytecode", daemon=True).start()


def _start(prefix: str, python: PythonLayout) -> subprocess.Popen[bytes] | None:
    program = os.path.join(prefix, "bin", f"python{python.minor}")
    if not os.path.exists(program):
        program = os.path.join(prefix, "bin", "python")
    # conda runs it in the prefix on relative paths, which end up in the bytecode
    command = [program, "-Wi", "-m", "compileall", "-q", "-l", "-i", LIST]
    if tuple(map(int, python.minor.split("."))) > (3, 5):
        command += ["-j", "0"]
    with contextlib.suppress(OSError):
        shared = os.stat(prefix).st_mode & 0o055  # who may read the environment may read this
        return subprocess.Popen(
            [*_THEN_FORGET, LIST, *command],
            cwd=prefix,
            env={name: value for name, value in os.environ.items() if name[:6] != "PYTHON"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # an interrupt of the next cell is not meant for it
            umask=umask() & ~shared,
        )
    return None
