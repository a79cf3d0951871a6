"""The program as a process of its own, without the imports that every start would repeat.

A process that has imported what the program imports is forked for each command. What a start alone
shows, as which modules it loads, is not seen here: tests/test_surfaces.py starts the program.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TESTS = Path(__file__).resolve().parent.parent


def jstackmagic(
    *words: object,
    environ: Mapping[str, str] = os.environ,
    folder: Path | None = None,
    script: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run ``jstackmagic WORDS`` to its end.

    Args:
        words: Its arguments.
        environ: All variables that it has.
        folder: To be in; this process' own unless given.
        script: To run in its place, with `words` as ``sys.argv[1:]``.
    """
    argv = [os.fspath(word) if isinstance(word, Path) else str(word) for word in words]
    with TemporaryDirectory(prefix="forked-") as output:
        job = {"argv": argv, "environ": dict(environ), "script": script, "output": output}
        status = _server().run({**job, "folder": str(folder or Path.cwd())})
        said = [Path(output, name).read_text(errors="replace") for name in ("1", "2")]
    return subprocess.CompletedProcess(argv, status, *said)


@functools.cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.close)
    return server


class _Server:
    """The process that is forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_TESTS,
        )

    def run(self, job: Mapping[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(job)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def _serve() -> None:
    """Answer jobs until the input ends."""
    importlib.import_module("jstackmagic.cli")
    sys.path.remove(str(_TESTS))
    jobs, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in jobs:
        job = json.loads(line)
        gc.freeze()
        child = os.fork()
        if not child:
            try:
                _run(job)
            except SystemExit as end:
                _end(end)
            raise SystemExit
        _, status = os.waitpid(child, 0)
        _import(Path(job["output"], "modules"))
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


def _run(job: Mapping[str, Any]) -> None:
    """Be the program."""
    from jstackmagic.cli import main

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(os.open(f"{job['output']}/{number}", os.O_CREAT | os.O_WRONLY, 0o600), number)
    os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["folder"])
    sys.argv = ["jstackmagic", *job["argv"]]
    before = set(sys.modules)
    path = Path(job["output"], "modules")
    atexit.register(lambda: path.write_text(json.dumps([*(sys.modules.keys() - before)])))
    exec(job["script"] or "raise SystemExit(main())", {"main": main})


def _end(end: SystemExit) -> None:
    """End as Python does, but leave the modules to the kernel: to free each takes a tenth."""
    if isinstance(end.code, str):
        raise end
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(end.code or 0))


def _import(modules: Path) -> None:
    """Import what the last command imported, for the next."""
    with contextlib.suppress(OSError):  # it was killed
        for name in json.loads(modules.read_text()):
            with contextlib.suppress(Exception):  # of a folder of that test's own
                importlib.import_module(name)


if __name__ == "__main__":
    _serve()
