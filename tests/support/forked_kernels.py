"""Kernels without the imports that every start would repeat.

An environment's Python that has imported what IPython's kernel imports is forked for each of its
kernels, and started again where any file that it has read has changed since. This file is also
that process' program, and so imports the standard library alone. What a start alone shows is not
seen here: tests/test_frontends.py has servers start kernels.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import site
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_IMPORTED = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "ipykernel.ipkernel", "ipykernel.zmqshell"),
    *("IPython.core.completerlib", "IPython.extensions.storemagic", "pydoc", "sqlite3"),
    *("tornado.platform.asyncio", "tornado.queues", "encodings.idna"),
)
"""What a kernel has imported when it is ready, by the modules that import the rest."""

OURS = (
    *("jstackmagic.capture.cells", "jstackmagic.capture.files.pyproject"),
    *("jstackmagic.capture.recorder", "jstackmagic.capture.observe", "jstackmagic.capture.watcher"),
    *("jstackmagic.commands._parser", "jstackmagic.commands.install", "jstackmagic.commands.undo"),
    *("jstackmagic.display.html", "jstackmagic.display.ipython", "jstackmagic.hint.completion"),
    *("jstackmagic.hint.hints", "jstackmagic.hint.lacking", "jstackmagic.install.transaction"),
    *("jstackmagic.magics", "jstackmagic.managers.conda.rattler.loop"),
    *("jstackmagic.managers.pip.uv.engine", "jstackmagic.restore.undo"),
    *("jstackmagic.where.kernels", "msgspec.json", "packaging.requirements", "rattler", "uv"),
)
"""What the first install in a kernel imports, likewise."""

_AT_START = ("PYTHON", "LANG", "LC_", "LD_", "TMPDIR", "TZ")
"""Beginnings of variables that Python reads when it starts, or once."""

_PARENT_DIED = 1  # prctl(2): PR_SET_PDEATHSIG


class Process:
    """A forked kernel, as `subprocess.Popen` would show it.

    Attributes:
        pid: Its number.
        returncode: None while it runs; -1 afterwards, as only its parent hears its status.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, descriptor: int) -> None:
        self.pid, self._descriptor = pid, descriptor
        self.returncode: int | None = None

    def _ended(self, milliseconds: int | None) -> bool:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        return bool(waiting.poll(milliseconds))

    def poll(self) -> int | None:
        """Return its status if it has ended."""
        if self.returncode is None and self._ended(0):
            self.returncode = -1
            os.close(self._descriptor)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait at most so many seconds until it has ended."""
        if self.returncode is None:
            self._ended(None if timeout is None else round(timeout * 1000))
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired("a forked kernel", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def start(command: Sequence[str], *, environ: Mapping[str, str], folder: Path) -> Process:
    """Start a kernel.

    Args:
        command: That of its kernelspec: ``PYTHON -m ipykernel_launcher …``.
        environ: All its variables.
        folder: To be in.
    """
    chosen = {name: value for name, value in environ.items() if name.startswith(_AT_START)}
    key = json.dumps([command[0], sorted(chosen.items())])
    server = _servers.get(key)
    if server is None or server.is_stale():
        if server is not None:  # its kernels may run on
            _stale.append(server)
        server = _servers[key] = _Server(command[0], environ)
    return server.start(command, environ, folder)


_servers: dict[str, _Server] = {}
_stale: list[_Server] = []


@atexit.register
def _close() -> None:
    for server in (*_servers.values(), *_stale):
        server.close()


class _Server:
    """The process that is forked."""

    def __init__(self, python: str, environ: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            self._process = subprocess.Popen(
                [python, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=environ,
                cwd="/",
                start_new_session=True,
            )
        self._answers = self._socket.makefile("rb")
        self._files: list[str] = json.loads(self._answers.readline())
        self._stamps = self._stamped()

    def _stamped(self) -> list[object]:
        """Return what tells whether a start now would import the same, as Python tells it."""
        files = [Path(name) for name in self._files]
        folders = {path for path in files if path.name.endswith("-packages")}
        started = [each for folder in sorted(folders) for each in sorted(folder.glob("*.pth"))]
        found: list[object] = [*map(str, started)]
        for path in (*started, *(path for path in files if path not in folders)):
            with contextlib.suppress(OSError):
                now = path.stat()
                found.append((str(path), now.st_size, now.st_mtime_ns))
        return found

    def is_stale(self) -> bool:
        """Return whether a start now would import something else, or it has ended."""
        return self._process.poll() is not None or self._stamped() != self._stamps

    def start(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Process:
        job = {"command": [*command], "environ": dict(environ), "folder": str(folder)}
        self._socket.sendall(json.dumps(job).encode() + b"\n")
        pid, descriptors, _, _ = socket.recv_fds(self._socket, 32, 1)
        return Process(int(pid), descriptors[0])

    def close(self) -> None:
        """End it; its kernels end with it."""
        self._answers.close()
        self._socket.close()
        self._process.wait()


def _serve(connection: socket.socket) -> None:
    """Fork a kernel for each job, until the other side is closed."""
    sys.path.remove(str(Path(__file__).parent))
    for name in (*_IMPORTED, *OURS):
        with contextlib.suppress(ImportError):  # another version of IPython's, or none of ours
            importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lose the other threads"
    files = {getattr(module, "__file__", None) or "" for module in [*sys.modules.values()]}
    here = {path for path in sys.path if path.endswith("-packages")}
    connection.sendall(json.dumps(sorted((files | here) - {"", __file__})).encode() + b"\n")
    signal.signal(signal.SIGCHLD, _reap)
    gc.collect()
    for line in connection.makefile("rb"):
        gc.freeze()
        ready, go = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        child = os.fork()
        if not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            os.dup2(0, connection.fileno())
            os.setsid()
            os.write(go, b"x")
            os.close(ready)
            os.close(go)
            _be(json.loads(line))
            return
        os.close(go)
        os.read(ready, 1)
        os.close(ready)
        descriptor = os.pidfd_open(child)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        socket.send_fds(connection, [str(child).encode()], [descriptor])
        os.close(descriptor)


def _reap(*_: object) -> None:
    """Leave no zombie; who started a kernel has a descriptor of it."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _be(job: Mapping[str, Any]) -> None:
    """Be the kernel."""
    ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)
    os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["folder"])
    python, _, name, *words = job["command"]
    sys.orig_argv = [python, "-m", name, *words]
    sys.argv = [name, *words]
    importlib.invalidate_caches()  # another process may have installed something just now
    _move_home()
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def _move_home() -> None:
    """Have what Python and jedi took from the user's home when they were started."""
    here = [path for path in sys.path if path != site.USER_SITE]
    sys.path[:] = here
    site.USER_BASE = site.USER_SITE = None
    if site.ENABLE_USER_SITE:
        site.addusersitepackages(set(here))
        at = next(n for n, path in enumerate(here) if path.endswith("-packages"))
        sys.path[:] = [*here[:at], *sys.path[len(here) :], *here[at:]]
    if "jedi.settings" in sys.modules:
        importlib.reload(sys.modules["jedi.settings"])


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
