"""One way to run a program: on its own terminal, streamed, interruptible, never prompting."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from ..model.credentials import mask, may_hold, secrets_of, without
from ..model.errors import NOTHING_CHANGED, CommandFailed, Interrupted
from ..model.plan import Command
from .bombs import Watch
from .interrupts import Interrupts

COLUMNS, LINES = 100, 30
"""The size of the program's terminal if we have none ourselves, as in a kernel."""

_LINE = 10_000
"""Characters of a line without an end that may hold a secret, and is waited for."""

_PAUSE = 0.1  # seconds between two looks at whether the child has ended or the user interrupted
_LINGER = 0.5  # seconds a grandchild may go on writing after the child's end

# The child has a controlling terminal, so what cannot read stdin could still ask there.
# ssh asks the terminal unless an askpass program is forced on it (OpenSSH 8.4).
_NO_PROMPTS = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS_REQUIRE": "force"}
_NO_ASKPASS = {"SSH_ASKPASS": "false"}

# A session leader without a terminal gets the first one it opens as its controlling terminal
# (tty_ioctl(4)); the shell opens it, because running Python between fork and exec is unsafe in a
# kernel full of threads. What is run is the shell's arguments, none of them is shell text.
_ON_TERMINAL = ("/bin/sh", "-c", 'true <>"$0"; exec "$@"')


def run(
    command: Command,
    output: Callable[[str], None],
    *,
    secrets: tuple[str, ...] = (),
    risk: str = "",
) -> int:
    """Run a program on its own terminal and pass on its output, as it comes.

    Its stdin is the null device. An interrupt (SIGINT if this is the main thread, a
    KeyboardInterrupt anywhere) is passed on as Ctrl-C, and the program is waited for; a second one
    sends SIGTERM, a third SIGKILL. An ``output`` that raises is not called again, and the program
    runs to its end all the same.

    Args:
        output: Called with its output, with carriage returns and colours, line ends as newlines.
        secrets: Texts to mask in its output, besides the credentials of its own arguments.
        risk: A sentence on what ending it early can leave behind.

    Returns:
        The exit status as a shell gives it: 128 plus the signal that ended it.

    Raises:
        CommandFailed: There is no such program.
        Interrupted: The user interrupted it; says how it ended.
        Bomb: It unpacked a bomb, and was ended.
    """
    name = Path(command.argv[0]).name
    screen = _Screen(output, (*secrets, *secrets_of(" ".join(command.argv))))
    with Interrupts() as interrupts:
        with _Child(command) as child, child.watch as watch:
            while True:
                try:
                    data = child.read()
                    if data is None:
                        break
                    screen.write(data)
                except KeyboardInterrupt:
                    interrupts.pending = True
                if interrupts.take():
                    screen.say(_pass_on(interrupts.taken, child, name, risk))
        interrupts.take()  # one that came when it had ended
    failure = screen.close()
    if interrupts.taken:
        raise _interrupted(interrupts.taken, child.exit_status, name, risk) from failure
    watch.check()
    if failure is not None:
        raise failure
    return child.exit_status


@dataclass(frozen=True, slots=True)
class Finished:
    """The output of a hidden program, and its exit status as a shell gives it.

    What is for people, on standard error, is without the credentials that the program was given.
    """

    exit_status: int
    stdout: str
    stderr: str


def capture(command: Command, *, timeout: float | None = None) -> Finished:
    """Run a program out of sight, without a terminal, for what it has to say.

    For programs that change nothing: an interrupted one is ended without further questions.

    Args:
        timeout: Seconds it may take; without one there is no limit.

    Raises:
        CommandFailed: There is no such program, or it took too long.
        Interrupted: The user interrupted it.
    """
    # Files, not pipes: a grandchild that holds them does not keep us waiting.
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        process: subprocess.Popen[bytes] | None = None
        try:
            with Interrupts():  # none between the program's start and its name here
                process = subprocess.Popen(
                    [_find(command), *command.argv[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    env=_environ(command),
                    start_new_session=True,
                )
            with _watch(process) as watch:
                process.wait(timeout)
            watch.check()
        except KeyboardInterrupt:
            _end(process)
            raise Interrupted(f"{command.argv[0]} was interrupted.", kept=NOTHING_CHANGED) from None
        except subprocess.TimeoutExpired:
            _end(process)
            raise CommandFailed(
                f"{command.argv[0]} gave no answer within {timeout:g} seconds.",
                kept=NOTHING_CHANGED,
            ) from None
        words = (*command.argv, *(value for _, value in command.environ))
        said = without(_whole(stderr), secrets_of(" ".join(words)))
        return Finished(_shell_status(process.returncode), _whole(stdout), said)


class _Screen:
    """Decodes a terminal's bytes, folds its line ends, and masks secrets; splits do no harm."""

    def __init__(self, output: Callable[[str], None], secrets: tuple[str, ...]) -> None:
        self._output = output
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        self._held = ""
        self._ahead = ""  # what is shown of it already
        self._failure: Exception | None = None

    def write(self, data: bytes) -> None:
        """Show what can be shown already, and of a silent program what may be a question."""
        text = self._held + self._decode(data)
        text = without(re.sub(r"\r+\n", "\n", text), self._secrets)
        self._held = text[len(text) - self._undecided(text) :]
        self._show_masked(text[: len(text) - len(self._held)])
        if not data and self._held.endswith((" ", ":", "?")) and not self._begun(self._held):
            self._show_masked(self._held, ahead=True)

    def say(self, text: str) -> None:
        """Show words of our own, on a line of their own."""
        self._show(f"\n{text}\n")

    def close(self) -> Exception | None:
        """Show the rest; return what the output raised."""
        self._show_masked(without(self._held + self._decode(b"", True), self._secrets))
        return self._failure

    def _undecided(self, text: str) -> int:
        """Return how many characters at the end may begin a line end or a secret."""
        returns = len(text) - len(text.rstrip("\r"))
        line = re.split(r"[\r\n]", text)[-1]
        unended = len(line) if len(line) < _LINE and may_hold(line) else 0
        return max(returns, unended, self._begun(text))

    def _begun(self, text: str) -> int:
        return max((_overlap(text, secret) for secret in self._secrets), default=0)

    def _show_masked(self, text: str, *, ahead: bool = False) -> None:
        if text:
            masked = mask(text)
            self._show(masked.removeprefix(self._ahead))
            self._ahead = masked if ahead else ""

    def _show(self, text: str) -> None:
        if not text or self._failure is not None:
            return
        try:
            self._output(text)
        except Exception as failure:
            self._failure = failure


def _overlap(text: str, secret: str) -> int:
    """Return how many characters of ``secret``'s beginning, but not all, end ``text``."""
    longest = min(len(secret) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(secret[:n])), 0)


class _Child:
    """A program in a session of its own, with the near end of its terminal."""

    def __init__(self, command: Command) -> None:
        program = _find(command)
        self._terminal, theirs = os.openpty()
        try:
            _set_up(theirs)
            self._process = subprocess.Popen(
                [*_ON_TERMINAL, os.ttyname(theirs), program, *command.argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env=_environ(command),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._terminal)
            raise
        finally:
            os.close(theirs)
        self._poll = select.poll()
        self._poll.register(self._terminal, select.POLLIN)
        self._closed = False
        self._ended = 0.0
        self.watch = _watch(self._process)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)  # hangs up: ends what a program still runs there in front
        self._process.wait()

    @property
    def exit_status(self) -> int:
        """As a shell gives it; only when ``read`` has come to the end."""
        return _shell_status(self._process.returncode)

    def read(self) -> bytes | None:
        """Return what it wrote: empty after a moment of silence, None when it has ended.

        A background process that keeps the terminal open does not count.
        """
        if self._closed:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_PAUSE)
                return None
            return b""
        ended = self._process.poll() is not None
        if ended:
            self._ended = self._ended or time.monotonic()
            if time.monotonic() - self._ended > _LINGER:
                return None
        if not self._poll.poll(_PAUSE * 1000):
            return None if ended else b""
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # Linux says EIO if the other end is closed
            data = b""
        self._closed = not data
        return data

    def interrupt(self) -> bool:
        """Do what Ctrl-C does: the terminal itself signals, also a process that we may not."""
        with contextlib.suppress(termios.error, OSError):
            attributes = termios.tcgetattr(self._terminal)
            if attributes[3] & termios.ISIG:
                os.write(self._terminal, attributes[6][termios.VINTR])
                return True
        return self.send(signal.SIGINT)

    def send(self, number: signal.Signals) -> bool:
        """Signal its process group; say whether that was possible."""
        if self._process.poll() is not None:
            return True
        try:
            os.killpg(self._process.pid, number)
        except PermissionError:
            return self._send_as_root(number)
        return True

    def _send_as_root(self, number: signal.Signals) -> bool:
        sudo = shutil.which("sudo")
        if sudo is None:
            return False
        kill = [sudo, "-n", "kill", "-s", number.name[3:], "--", f"-{self._process.pid}"]
        done = subprocess.run(kill, check=False, capture_output=True, stdin=subprocess.DEVNULL)
        return done.returncode == 0


def _watch(process: subprocess.Popen[bytes]) -> Watch:
    return Watch(process.pid, lambda: _end(process))


def _set_up(terminal: int) -> None:
    """Give a terminal our own one's size, and keep it from repeating what is typed into it."""
    columns, lines = shutil.get_terminal_size((COLUMNS, LINES))
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    attributes = termios.tcgetattr(terminal)
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)


def _pass_on(times: int, child: _Child, name: str, risk: str) -> str:
    """Pass an interrupt on, more forcefully each time; return the message for the user."""
    if times == 1:
        child.interrupt()
        return f"Interrupted: waiting for {name} to stop. Interrupt again to end it now."
    number = signal.SIGTERM if times == 2 else signal.SIGKILL
    if not child.send(number):
        return f"{name} runs as another user: nothing but waiting is left."
    if number == signal.SIGKILL:
        return f"Killing {name}."
    return " ".join(filter(None, (f"Ending {name} now.", risk, "Interrupt again to kill it.")))


def _interrupted(times: int, status: int, name: str, risk: str) -> Interrupted:
    if status == 0:
        return Interrupted(f"{name} was interrupted, and had finished its work all the same.")
    how = "stopped" if times == 1 else "was ended"
    return Interrupted(f"{name} was interrupted and {how} (exit status {status}).", kept=risk)


def _find(command: Command) -> str:
    program = shutil.which(command.argv[0], path=_environ(command).get("PATH"))
    if program is None:
        _not_found(command.argv[0])
    return program


def _not_found(name: str) -> NoReturn:
    raise CommandFailed(
        f"There is no program {name}.",
        kept=NOTHING_CHANGED,
        advice=f"Look for it in a terminal: which {Path(name).name}",
    )


def _environ(command: Command) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in command.without}
    return {**_NO_ASKPASS, **inherited, **_NO_PROMPTS, **dict(command.environ)}


def _shell_status(returncode: int) -> int:
    return returncode if returncode >= 0 else 128 - returncode


def _end(process: subprocess.Popen[bytes] | None) -> None:
    """End a program's whole group, politely first; no zombie is left."""
    if process is None:  # never started
        return
    try:
        with contextlib.suppress(ProcessLookupError, PermissionError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(2)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what did not heed it, grandchildren too
        process.wait()


def _whole(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")
