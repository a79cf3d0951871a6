"""Run commands of jstackmagic with a fault at the n-th call that changes a file.

By ptrace(2) and seccomp(2), as strace does it. strace counts the calls of each thread by itself and
knows no folders; this counts those of a whole tree of processes, below given folders alone, so that
"the n-th" names one moment of a run. Linux on x86-64.

``serve`` reads a job a line and answers with a line: a process that has imported everything is
forked for each job, which spares the half second that the imports take.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import pkgutil
import platform
import signal
import struct
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FAULTS = ("kill", "oom", "full", "error", "quota", "readonly")
"""SIGKILL to every process; to the one that calls, where it is no thread of ours (the kernel's out
of memory killer takes a manager); ENOSPC from there on; EIO once; EDQUOT and EROFS from there on.
"""

_ERRORS = {
    "full": errno.ENOSPC,
    "error": errno.EIO,
    "quota": errno.EDQUOT,
    "readonly": errno.EROFS,
}


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        argv: The words behind ``jstackmagic``.
        watched: Folders; a call counts where it changes something below one.
        environ: Variables to set.
        folder: To be in.
        output: The file for all that it says.
        fault: One of `FAULTS`; empty to count alone.
        at: The number of the call that fails, from 1.
    """

    argv: list[str]
    watched: list[str]
    output: str
    environ: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    fault: str = ""
    at: int = 0


@dataclass
class Run:
    """What came of a job.

    Attributes:
        status: The exit status of the command; negative for a signal.
        calls: How many calls counted.
        failed: The call that the fault was in; empty where there was none.
    """

    status: int = 0
    calls: int = 0
    failed: str = ""


# Which calls


@dataclass(frozen=True)
class _Call:
    """Where a system call has its paths: as text, as descriptors, and how it may grow the disk."""

    name: str
    paths: tuple[tuple[int, int], ...] = ()  # (folder's descriptor or -1, path)
    descriptor: int = -1
    grows: bool = True


_CALLS = {
    1: _Call("write", descriptor=0),
    18: _Call("pwrite64", descriptor=0),
    20: _Call("writev", descriptor=0),
    40: _Call("sendfile", descriptor=0),
    74: _Call("fsync", descriptor=0, grows=False),
    75: _Call("fdatasync", descriptor=0, grows=False),
    76: _Call("truncate", ((-1, 0),), grows=False),
    77: _Call("ftruncate", descriptor=0, grows=False),
    82: _Call("rename", ((-1, 1), (-1, 0)), grows=False),
    83: _Call("mkdir", ((-1, 0),)),
    84: _Call("rmdir", ((-1, 0),), grows=False),
    85: _Call("creat", ((-1, 0),)),
    86: _Call("link", ((-1, 1),)),
    87: _Call("unlink", ((-1, 0),), grows=False),
    88: _Call("symlink", ((-1, 1),)),
    90: _Call("chmod", ((-1, 0),), grows=False),
    91: _Call("fchmod", descriptor=0, grows=False),
    257: _Call("openat", ((0, 1),)),
    258: _Call("mkdirat", ((0, 1),)),
    263: _Call("unlinkat", ((0, 1),), grows=False),
    264: _Call("renameat", ((2, 3), (0, 1)), grows=False),
    265: _Call("linkat", ((2, 3),)),
    266: _Call("symlinkat", ((1, 2),)),
    268: _Call("fchmodat", ((0, 1),), grows=False),
    285: _Call("fallocate", descriptor=0),
    296: _Call("pwritev", descriptor=0),
    316: _Call("renameat2", ((2, 3), (0, 1)), grows=False),
    326: _Call("copy_file_range", descriptor=2),
    328: _Call("pwritev2", descriptor=0),
}
"""By number on x86-64; ``openat`` only where it makes or cuts a file."""

_OPENAT, _MAKES = 257, os.O_CREAT | os.O_TRUNC
_FICLONE, _IOCTL = 0x40049409, 16  # a copy that shares blocks

# ptrace(2), seccomp(2)

_SEIZE, _CONT, _LISTEN, _GETREGS, _SETREGS = 0x4206, 7, 0x4208, 12, 13
_OPTIONS = 0x100000 | 0x80 | 0x02 | 0x04 | 0x08  # EXITKILL, seccomp, fork, vfork, clone
_EVENT_SECCOMP, _EVENT_STOP = 7, 128
_WALL = 0x40000000
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_LD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


class _Registers(ctypes.Structure):
    """``user_regs_struct`` of x86-64."""

    _fields_ = [
        (name, ctypes.c_ulonglong)
        for name in (
            *("r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8", "rax", "rcx"),
            *("rdx", "rsi", "rdi", "orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base"),
            *("gs_base", "ds", "es", "fs", "gs"),
        )
    ]

    @property
    def arguments(self) -> tuple[int, ...]:
        return (self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9)


class _Program(ctypes.Structure):
    """``sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def feasible() -> str:
    """Return why this cannot be done here; empty where it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return "faults are put in on Linux on x86-64 only"
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        _ptrace(_SEIZE, child, 0, _OPTIONS)
    except OSError as error:
        return f"ptrace is not allowed here: {error}"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return ""


def _ptrace(request: int, pid: int, address: int = 0, data: Any = 0) -> int:
    ctypes.set_errno(0)
    done = int(_libc.ptrace(request, pid, address, data))
    if done == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def _install_filter() -> None:
    """Have this process, and all it starts, stop at the calls that may change a file."""

    def line(code: int, yes: int, no: int, value: int) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    numbers = sorted(set(_CALLS) - {_OPENAT})
    program = [line(_LD, 0, 0, 0)]  # the number
    tail = len(numbers)
    for position, number in enumerate(numbers):
        program.append(line(_EQUAL, tail - position + 7, 0, number))
    program += [
        line(_EQUAL, 0, 3, _OPENAT),
        line(_LD, 0, 0, 16 + 2 * 8),  # its flags
        line(_ANY_BIT, 5, 0, _MAKES),
        line(_RETURN, 0, 0, _ALLOW),
        line(_EQUAL, 0, 2, _IOCTL),
        line(_LD, 0, 0, 16 + 8),
        line(_EQUAL, 1, 0, _FICLONE),
        line(_RETURN, 0, 0, _ALLOW),
        line(_RETURN, 0, 0, _TRACE),
    ]
    if os.geteuid() != 0:
        _libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    code = b"".join(program)
    if _libc.prctl(22, 2, ctypes.byref(_Program(len(program), code)), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


# One run


def run(job: Job, work: Callable[[], int]) -> Run:
    """Run the work in a process of its own, and put in the fault; returns when all of it ended.

    Who waits for this process ends what hangs: what is traced is killed with its tracer.
    """
    ready, go = os.pipe()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.close(go)
            os.read(ready, 1)
            os.setsid()
            with open(job.output, "wb") as output:
                for number in (1, 2):
                    os.dup2(output.fileno(), number)
            os.environ.update(job.environ)
            os.chdir(job.folder)
            _install_filter()
            status = work()
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    os.close(ready)
    _ptrace(_SEIZE, child, 0, _OPTIONS)
    os.write(go, b"x")
    os.close(go)
    return _Tracer(job, child).follow()


class _Tracer:
    def __init__(self, job: Job, child: int) -> None:
        self._job, self._child = job, child
        self._watched = tuple(f"{os.path.realpath(folder)}/" for folder in job.watched)
        self._tasks = {child}
        self._run = Run()

    def follow(self) -> Run:
        while True:
            try:
                pid, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                return self._run
            if os.WIFSTOPPED(status):
                self._tasks.add(pid)
                try:
                    self._stopped(pid, status)
                except ProcessLookupError:  # killed meanwhile
                    continue
            else:
                self._tasks.discard(pid)
                if pid == self._child:
                    self._run.status = os.waitstatus_to_exitcode(status)

    def _stopped(self, pid: int, status: int) -> None:
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == _EVENT_SECCOMP:
            self._called(pid)
        elif event == _EVENT_STOP and number != signal.SIGTRAP:
            _ptrace(_LISTEN, pid)
            return
        _ptrace(_CONT, pid, 0, 0 if event else number)

    def _called(self, pid: int) -> None:
        registers = _Registers()
        _ptrace(_GETREGS, pid, 0, ctypes.addressof(registers))
        call = _CALLS.get(registers.orig_rax, _Call("ioctl", descriptor=0))
        path = self._path(pid, call, registers.arguments)
        if path is None:
            return
        self._run.calls += 1
        job, now = self._job, self._run.calls
        if not job.fault or now < job.at:
            return
        if now == job.at:
            self._run.failed = f"{call.name} {path}"
        if number := _ERRORS.get(job.fault):
            once, grows = job.fault == "error", job.fault in ("full", "quota")
            if now == job.at if once else call.grows or not grows:
                self._refuse(pid, registers, number)
        elif job.fault == "kill":
            for task in list(self._tasks):
                _kill(task)
        elif job.fault == "oom" and now == job.at:
            _kill(_process_of(pid))

    def _refuse(self, pid: int, registers: _Registers, number: int) -> None:
        """Have the call answer with an error, undone."""
        registers.orig_rax = ctypes.c_ulonglong(-1).value
        registers.rax = ctypes.c_ulonglong(-number).value
        _ptrace(_SETREGS, pid, 0, ctypes.addressof(registers))

    def _path(self, pid: int, call: _Call, arguments: tuple[int, ...]) -> str | None:
        """Return the watched file that a call changes; None where it changes none."""
        try:
            if call.descriptor >= 0:
                found = [os.readlink(f"/proc/{pid}/fd/{arguments[call.descriptor]}")]
            else:
                found = [self._named(pid, arguments, *where) for where in call.paths]
        except OSError:
            return None
        return next((path for path in found if path.startswith(self._watched)), None)

    def _named(self, pid: int, arguments: tuple[int, ...], folder: int, path: int) -> str:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(arguments[path])
            raw = b""
            while b"\0" not in raw and len(raw) < 4096:
                # not across a page that may not be there
                more = memory.read(4096 - (arguments[path] + len(raw)) % 4096)
                if not more:
                    raise ProcessLookupError(pid, "It was killed meanwhile.")
                raw += more
        text = os.fsdecode(raw.partition(b"\0")[0])
        descriptor = ctypes.c_int(arguments[folder] & 0xFFFFFFFF).value if folder >= 0 else -100
        here = "cwd" if descriptor == -100 else f"fd/{descriptor}"
        if not text.startswith("/"):
            text = os.path.join(os.readlink(f"/proc/{pid}/{here}"), text)
        head, name = os.path.split(os.path.normpath(text))
        return os.path.join(os.path.realpath(head), name)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _process_of(task: int) -> int:
    with open(f"/proc/{task}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Tgid:"))


# Many


def serve() -> None:
    """Answer jobs until the input ends."""
    for name in json.loads(sys.stdin.readline()):
        module = importlib.import_module(name)
        if name.startswith("jstackmagic."):
            for each in pkgutil.walk_packages(module.__path__, f"{name}."):
                importlib.import_module(each.name)
    from jstackmagic.cli import main

    gc.freeze()  # a child that looks through all of it for garbage has to copy it
    for line in sys.stdin:
        job = Job(**json.loads(line))
        done = run(job, lambda job=job: main(job.argv))  # type: ignore[misc]
        print(json.dumps(asdict(done)), flush=True)


if __name__ == "__main__":
    serve()
