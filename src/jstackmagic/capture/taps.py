"""Notice every program that this process starts, in whatever way.

The functions that start one are wrapped while a listener is set. An audit hook (PEP 578) would
need no wrapper, but the interpreter calls it for every ``id()`` as well and never lets go of it: on
CPython 3.11 it makes ``copy.deepcopy`` 1.7 times slower for the rest of the session. A wrapper
costs nothing until a program is started.
"""

from __future__ import annotations

import functools
import os
import shlex
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Protocol

    class Listener(Protocol):
        """The receiver of the events. Neither method may raise."""

        def begins(self, start: Start) -> object | None:
            """Handle the start of a program; return None to ignore its end."""

        def went(self, token: object, result: int | Handle) -> None:
            """Handle its start (a handle), or its end (its exit status, as `subprocess` has it)."""


class Start(NamedTuple):
    """A program that is about to be started."""

    text: str  #: the command line; quoted for a shell if no shell reads it
    words: tuple[str, ...] | None  #: the program and its arguments; None if a shell reads the text
    folder: str  #: its working folder
    environ: Mapping[str, str]


class Handle(NamedTuple):
    """A program that was started and not waited for."""

    pid: int
    popen: Any = None  # a subprocess.Popen: importing that is left to who starts programs

    def look(self) -> tuple[bool, int | None]:
        """Return whether it has ended, and its exit status as `subprocess` gives it, if known.

        Looking does not reap the process: its owner can still wait for it.
        """
        if self.popen is not None and self.popen.returncode is not None:
            return True, int(self.popen.returncode)
        try:
            ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # its owner has waited for it
            return True, None
        if ended is None:
            return False, None
        exited = ended.si_code == os.CLD_EXITED
        return True, ended.si_status if exited else -ended.si_status


class _Tap(NamedTuple):
    """One function that starts programs."""

    owner: Any
    name: str
    read: Callable[..., Start]  #: returns the program it will start, from its arguments
    result: Callable[..., int | Handle]  #: returns the outcome, from its return value and arguments


class Taps:
    """The wrapped functions, from ``open()`` to ``close()``.

    Args:
        listener: Called for every program.
        escapes: The modules that have a ``system(command)`` of their own, which returns the exit
            status as `subprocess` gives it; those that are not loaded are left alone.
    """

    def __init__(self, listener: Listener, *, escapes: Iterable[str] = ()) -> None:
        self._listener = listener
        self._escapes = tuple(escapes)
        self._inside = threading.local()
        self._set: list[tuple[_Tap, Any, Any]] = []

    def open(self) -> None:
        """Wrap the functions."""
        for tap in _taps(self._escapes):
            original = getattr(tap.owner, tap.name)
            wrapper = self._wrapper(tap, original)
            setattr(tap.owner, tap.name, wrapper)
            self._set.append((tap, original, wrapper))

    def close(self) -> None:
        """Restore the functions; one that was wrapped again since stays as it is."""
        for tap, original, wrapper in self._set:
            if getattr(tap.owner, tap.name) is wrapper:
                setattr(tap.owner, tap.name, original)
        self._set.clear()

    def _wrapper(self, tap: _Tap, original: Any) -> Any:
        @functools.wraps(original)
        def starts(*args: Any, **options: Any) -> Any:
            __tracebackhide__ = True  # IPython leaves this frame out of a traceback
            if getattr(self._inside, "now", False) or not self._set:
                return original(*args, **options)
            token = self._begins(tap, original, args, options)
            result: int | Handle = 127  # as a shell says: it could not be started
            self._inside.now = True  # one of these functions may use another
            try:
                value = original(*args, **options)
                result = tap.result(value, *args)
            except KeyboardInterrupt:
                result = 130
                raise
            finally:
                self._inside.now = False
                if token is not None:
                    self._listener.went(token, result)
            return value

        return starts

    def _begins(self, tap: _Tap, original: Any, args: Any, options: Any) -> object | None:
        try:
            start = tap.read(original, *args, **options)
        except Exception:  # arguments that the function itself will refuse
            return None
        return self._listener.begins(start)


def _taps(escapes: Iterable[str]) -> list[_Tap]:
    import pty
    import subprocess

    modules = (sys.modules.get(name) for name in escapes)
    return [
        *(
            _Tap(module, "system", _of_text, lambda status, *_: int(status))
            for module in modules
            if module
        ),
        _Tap(os, "system", _of_text, _of_wait_status),
        _Tap(os, "posix_spawn", _of_spawn, _of_pid),
        _Tap(os, "posix_spawnp", _of_spawn, _of_pid),
        _Tap(pty, "spawn", _of_pty, _of_wait_status),
        _Tap(
            subprocess.Popen, "__init__", _of_popen, lambda _, popen, *__: Handle(popen.pid, popen)
        ),
    ]


def _of_text(_original: Any, command: Any) -> Start:
    return Start(os.fsdecode(command), None, os.getcwd(), os.environ)


def _of_pty(_original: Any, argv: Any, *_rest: Any, **_options: Any) -> Start:
    return _of_words((argv,) if isinstance(argv, str) else argv)


def _of_spawn(_original: Any, _path: Any, argv: Any, env: Any, **_options: Any) -> Start:
    return _of_words(argv, environ=env)


def _of_popen(original: Any, *args: Any, **options: Any) -> Start:
    import inspect

    given = inspect.signature(original).bind(*args, **options).arguments
    command, shell = given["args"], given.get("shell", False)
    folder, environ = given.get("cwd"), given.get("env")
    if isinstance(command, (str, bytes, os.PathLike)):
        if not shell:
            return _of_words((command,), folder=folder, environ=environ)
        return Start(os.fsdecode(command), None, _folder(folder), _environ(environ))
    if shell:  # what follows the text are the shell's own arguments
        return Start(os.fsdecode(command[0]), None, _folder(folder), _environ(environ))
    return _of_words(command, folder=folder, environ=environ)


def _of_words(words: Any, *, folder: Any = None, environ: Any = None) -> Start:
    texts = tuple(os.fsdecode(word) for word in words)
    return Start(shlex.join(texts), texts, _folder(folder), _environ(environ))


def _folder(folder: Any) -> str:
    return os.path.abspath(os.fsdecode(folder)) if folder else os.getcwd()


def _environ(environ: Any) -> Mapping[str, str]:
    if environ is None:
        return os.environ
    return {os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()}


def _of_wait_status(status: int, *_args: Any) -> int:
    return os.waitstatus_to_exitcode(status)


def _of_pid(pid: int, *_args: Any) -> Handle:
    return Handle(pid)
