"""Byte-compiling what was linked, as conda does it, while the user goes on."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .records import PythonLayout


def compile_behind(
    prefix: str, python: PythonLayout, sources: Sequence[str], done: Callable[[], None]
) -> None:
    """Compile modules in a thread that outlives this call; the interpreter waits for it at its end.

    conda's own command is used, so that the files are the same. What cannot be compiled, as a
    module for another Python, is left, as conda leaves it.

    Args:
        prefix: The environment.
        python: Its Python.
        sources: The modules, relative to the prefix.
        done: Called when it is done, whatever came of it.
    """

    def work() -> None:
        try:
            _compile(prefix, python, sources)
        finally:
            done()

    threading.Thread(target=work, name="jstackmagic-bytecode").start()


def _compile(prefix: str, python: PythonLayout, sources: Sequence[str]) -> None:
    program = os.path.join(prefix, "bin", f"python{python.minor}")
    if not os.path.exists(program):
        program = os.path.join(prefix, "bin", "python")
    # conda runs it in the prefix on relative paths, which end up in the bytecode
    command = [program, "-Wi", "-m", "compileall", "-q", "-l", "-i", "-"]
    if tuple(map(int, python.minor.split("."))) > (3, 5):
        command += ["-j", "0"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        subprocess.run(
            command,
            input="".join(f"{source}\n" for source in sources),
            cwd=prefix,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            start_new_session=True,  # an interrupt of the next cell is not meant for it
        )
    except OSError:  # no Python that runs here
        return
