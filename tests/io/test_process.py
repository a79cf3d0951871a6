"""Running programs: on a terminal, streamed, interruptible; real programs throughout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from jstackmagic.display.console import PlainConsole, Recording
from jstackmagic.display.log import Log
from jstackmagic.io import interrupts, process
from jstackmagic.io.bombs import Bomb
from jstackmagic.io.process import capture, run
from jstackmagic.model.errors import CommandFailed, Interrupted
from jstackmagic.model.plan import Command
from support.interrupts import interrupt_when
from support.kernels import PATIENCE, Kernel
from support.rights import needs_root, sudoers

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.wheels import WheelIndex

SOURCES = str(Path(process.__file__).parents[2])


def shell(script: str, *arguments: str) -> Command:
    return Command(("/bin/sh", "-c", script, "sh", *arguments))


def python(code: str, *arguments: str) -> Command:
    return Command((sys.executable, "-c", textwrap.dedent(code), *arguments))


def shown(command: Command, **keywords: object) -> str:
    words: list[str] = []
    assert run(command, words.append, **keywords) == 0  # type: ignore[arg-type]
    return "".join(words)


class Interrupting:
    """An output that interrupts this process each time one of `cues` is first shown."""

    def __init__(self, *cues: str) -> None:
        self.text = ""
        self._cues = list(cues)

    def __call__(self, text: str) -> None:
        self.text += text
        while self._cues and self._cues[0] in self.text:
            self._cues.pop(0)
            signal.raise_signal(signal.SIGINT)


# What the program finds


def test_the_program_has_a_terminal_of_its_own_and_nothing_to_read() -> None:
    found = shown(
        python(
            """
            import os, sys
            with open("/dev/tty", "wb") as terminal:
                print(terminal.isatty(), sys.stdout.isatty(), sys.stderr.isatty())
            print(os.getsid(0) == os.getpgrp() == os.getpid(), os.tcgetpgrp(1) == os.getpid())
            print(repr(sys.stdin.read()), os.readlink("/proc/self/fd/0"))
            """
        )
    )
    assert found.split("\n") == ["True True True", "True True", "'' /dev/null", ""]


def test_the_terminal_is_as_wide_as_ours_or_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    size = python("import os; print(tuple(os.get_terminal_size(1)))")
    monkeypatch.setenv("COLUMNS", "61")
    monkeypatch.setenv("LINES", "17")
    assert shown(size) == "(61, 17)\n"
    monkeypatch.delenv("COLUMNS")
    monkeypatch.delenv("LINES")
    monkeypatch.setattr(sys, "__stdout__", None)
    assert shown(size) == "(100, 30)\n"


def test_arguments_reach_the_program_as_they_are() -> None:
    arguments = ("a b", "$(id)", "`id`", ";rm -rf x", "numpy>=1.20", "new\nline", "", "'\"\\", "é")
    code = "import sys; print(ascii(sys.argv[1:]))"
    assert shown(python(code, *arguments)) == f"{list(arguments)!a}\n"


def test_the_environment_is_ours_with_the_commands_own_variables() -> None:
    os.environ["OF_OURS"] = "inherited"
    command = Command(("env",), environ=(("PIP_NO_INPUT", "1"), ("OF_OURS", "replaced")))
    lines = shown(command).split("\n")
    assert "PIP_NO_INPUT=1" in lines
    assert "OF_OURS=replaced" in lines
    assert os.environ.pop("OF_OURS") == "inherited"


def test_a_program_that_is_not_there_is_said_so() -> None:
    for attempt in (lambda command: run(command, print), capture):
        with pytest.raises(CommandFailed, match="There is no program no-such-program"):
            attempt(Command(("no-such-program", "--version")))


# What it says


def test_the_exit_status_is_a_shells() -> None:
    assert run(shell("exit 7"), print) == 7
    assert run(shell("kill -TERM $$"), print) == 128 + signal.SIGTERM
    assert run(shell("kill -KILL $$"), print) == 128 + signal.SIGKILL


def test_colours_and_carriage_returns_come_and_line_ends_are_newlines() -> None:
    text = shown(shell(r"printf '\033[31mred\033[0m\n10%%\r20%%\rdone\n'; printf 'dos\r\nend\r'"))
    assert text == "\x1b[31mred\x1b[0m\n10%\r20%\rdone\ndos\nend\r"


def test_words_come_while_the_program_runs(tmp_path: Path) -> None:
    """It goes on when its first word was read here, or gives up."""
    words: list[str] = []
    gate = tmp_path / "gate"

    def read(text: str) -> None:
        words.append(text)
        gate.touch()

    script = 'echo first; for _ in $(seq 600); do [ -e "$1" ] && exec echo last; sleep 0.1; done'
    run(shell(script, str(gate)), read)
    assert words == ["first\n", "last\n"]


def test_characters_and_line_ends_split_between_two_writes_are_whole() -> None:
    code = """
        import os, time
        for part in (b"caf\\xc3", b"\\xa9 \\xe2\\x82", b"\\xac", b" \\xff!\\r", b"\\nnext"):
            os.write(1, part)
            time.sleep(0.05)
    """
    assert shown(python(code)) == "café € \ufffd!\nnext"


def test_secrets_are_masked_even_when_split() -> None:
    code = """
        import os, time
        for part in ("a s3cr", "et, half a s3c", "ond, tok", "en-1 and s3cret", " and tok"):
            os.write(1, part.encode())
            time.sleep(0.05)
    """
    words: list[str] = []
    run(python(code), words.append, secrets=("s3cret", "token-1"))
    assert "".join(words) == "a ****, half a s3cond, **** and **** and tok"
    assert not any("s3cr" in word for word in words)


def test_credentials_that_nobody_gave_are_masked_even_when_split() -> None:
    """As pip shows a line of its configuration: what may be one waits for the line's end."""
    code = """
        import os, time
        for part in ("at once ", "\\nx = https://me:hun", "ter2@h.example/simple\\r", "TOKEN=hun"):
            os.write(1, part.encode())
            time.sleep(0.05)
    """
    words: list[str] = []
    run(python(code), words.append)
    assert words[0] == "at once "
    assert "".join(words) == "at once \nx = https://****@h.example/simple\rTOKEN=****"


@pytest.mark.parametrize(
    ("parts", "seen"),
    [
        (["[sudo] password for me: ", "", "\nok\n"], ["[sudo] password for me: ", "\nok\n"]),
        (["Use https://h? ", "", "[y] ", "", "", "y\n"], ["Use https://h? ", "[y] ", "y\n"]),
        (["token: ", "", "hunter2\n"], ["token: ", "****\n"]),
        (["x = https://me:", "", "hunter2@h.example\n"], ["x = https://me:", "https://****@h"]),
        (["x = https://me:hun", "", "ter2@h.example\n"], ["https://****@h.example\n"]),
        (["the pass is a ", "", "b c\n"], ["the pass is ****\n"]),
    ],
)
def test_what_a_silent_program_asks_is_shown(parts: list[str], seen: list[str]) -> None:
    """Though its line has not ended, and whatever ends it: nothing of a secret before."""
    words: list[str] = []
    screen = process._Screen(words.append, ("a b c",))
    for part in parts:
        screen.write(part.encode())
    shown_words = [word for word in words if word]
    assert len(shown_words) == len(seen)
    assert all(map(str.__contains__, shown_words, seen))
    assert not re.search("hun|ter2|a b", "".join(words))


def test_credentials_among_the_arguments_are_masked_unasked() -> None:
    url = "https://user:hunter22@pypi.example/simple"
    text = shown(Command(("echo", "--index-url", url, "and", "hunter22")))
    assert "hunter22" not in text
    assert "pypi.example/simple" in text


def test_ten_megabytes_come_whole_in_time_that_grows_as_they_do() -> None:
    one, ten = (_processor_seconds(size) for size in (1_000_000, 10_000_000))
    assert ten < 40 * one  # 10 when measured; 100 where each piece looks at all before it


def _processor_seconds(characters: int) -> float:
    size = 0

    def count(text: str) -> None:
        nonlocal size
        size += len(text)

    recording = Recording(PlainConsole(count))
    started = time.process_time()
    run(
        shell(f"yes 0123456789abcdef | head -c {characters}; echo; echo the end"),
        recording.write,
        secrets=("xy",),
    )
    seconds = time.process_time() - started
    assert size == characters + len("\nthe end\n")
    assert recording.log.text.endswith("\nthe end")
    return seconds


# The end of it


def test_neither_descriptors_nor_zombies_are_left() -> None:
    run(shell("true"), print)
    before, children = set(os.listdir("/proc/self/fd")), _children()
    for _ in range(20):
        run(shell("echo words"), str)
        capture(shell("echo words"))
    with pytest.raises(CommandFailed):
        run(Command(("no-such-program",)), str)
    assert set(os.listdir("/proc/self/fd")) == before
    assert set(_children()) <= set(children)


def _children() -> list[int]:
    found = ""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += f"{(task / 'children').read_text()} "
    return [int(pid) for pid in found.split()]


@pytest.mark.parametrize("background", ["sleep 600", "while :; do echo more; sleep 0.01; done"])
def test_a_background_process_that_holds_the_terminal_does_not_hold_us(
    background: str, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    script = f"(trap '' HUP; touch {pid!s}.ready; {background}) & echo $! >\"$1\""
    script += '; while [ ! -e "$1.ready" ]; do sleep 0.01; done; echo done'
    script = script.replace(f"{pid!s}.ready", '"$1.ready"')
    words: list[str] = []
    assert run(shell(script, str(pid)), words.append) == 0
    assert "done\n" in "".join(words)
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_a_program_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    script = 'exec >/dev/null 2>&1; sleep 0.3; touch "$1"; exit 5'
    assert run(shell(script, str(tmp_path / "worked")), print) == 5
    assert (tmp_path / "worked").exists()


def test_an_output_that_fails_does_not_fail_the_program(tmp_path: Path) -> None:
    def broken(text: str) -> None:
        raise ValueError(f"cannot show {text!r}")

    with pytest.raises(ValueError, match="cannot show 'first"):
        run(shell('echo first; sleep 0.2; echo last; touch "$1"', str(tmp_path / "end")), broken)
    assert (tmp_path / "end").exists()


# Interrupts


def test_an_interrupt_is_passed_on_and_the_program_may_finish_what_it_must() -> None:
    command = shell(
        "trap 'echo; sleep 0.3; echo cleaned up; exit 3' INT; echo ready; sleep 30 & wait"
    )
    output = Interrupting("ready")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"sh was interrupted and stopped \(exit status 3\)"):
        run(command, output, risk="A package may be half there.")
    assert "waiting for sh to stop" in output.text
    assert output.text.endswith("cleaned up\n")
    assert signal.getsignal(signal.SIGINT) is handler


def test_an_interrupt_reaches_every_process_of_the_group() -> None:
    output = Interrupting("ready")
    script = "sh -c \"trap 'echo child stopped; exit' INT; echo ready; sleep 30 & wait\"; exit 4"
    with pytest.raises(Interrupted):
        run(shell(f"trap : INT; {script}"), output)
    assert "child stopped" in output.text


def test_a_program_that_finishes_all_the_same_is_reported_as_finished() -> None:
    with pytest.raises(Interrupted, match="had finished its work all the same") as caught:
        run(shell("trap '' INT; echo ready; sleep 0.3"), Interrupting("ready"), risk="None.")
    assert caught.value.kept == ""


def test_a_second_interrupt_says_the_risk_and_terminates_a_third_kills(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupts, "_REPEAT", 0.0)
    stubborn = (
        "trap '' INT; trap 'echo terminated; exit 9' TERM; echo ready; while :; do sleep 0.05; done"
    )
    output = Interrupting("ready", "Interrupt again to end it")
    with pytest.raises(Interrupted, match="exit status 9") as caught:
        run(shell(stubborn), output, risk="A package may be half there.")
    assert "Ending sh now. A package may be half there." in output.text
    assert "terminated" in output.text
    assert caught.value.kept == "A package may be half there."

    output = Interrupting("ready", "Interrupt again to end it", "Interrupt again to kill it")
    with pytest.raises(Interrupted, match="exit status 137"):
        run(shell(stubborn.replace("'echo terminated; exit 9'", "''")), output)
    assert "Killing sh." in output.text


def test_a_key_held_down_is_one_interrupt() -> None:
    script = "trap 'n=$((n+1)); echo caught $n' INT; echo ready; sleep 0.6 & wait; wait; echo whole"
    output = Interrupting("ready", "caught 1", "caught 1")
    with pytest.raises(Interrupted):
        run(shell(script), output)
    assert "Ending" not in output.text
    assert output.text.endswith("whole\n")


def test_in_another_thread_it_runs_and_a_keyboard_interrupt_is_passed_on() -> None:
    results: list[object] = []

    def interrupt(text: str) -> None:
        if "ready" in text:
            raise KeyboardInterrupt

    def work() -> None:
        results.append(run(shell("exit 6"), print))
        try:
            run(shell("trap 'exit 3' INT; echo ready; sleep 30 & wait"), interrupt)
        except Interrupted as error:
            results.append(error.problem)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE)
    assert results == [6, "sh was interrupted and stopped (exit status 3)."]


def test_where_sigint_is_ignored_it_stays_so() -> None:
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(shell("echo ready"), Interrupting("ready")) == 0
    finally:
        signal.signal(signal.SIGINT, previous)


AS_NOBODY = """
    import os, signal, sys
    sys.path.insert(0, sys.argv[1])
    from jstackmagic.io import interrupts, process
    from jstackmagic.model.errors import Interrupted
    from jstackmagic.model.plan import Command

    interrupts._REPEAT = 0.0
    process.shutil.which = lambda name, path=None, which=process.shutil.which: (
        None if name == "sudo" else which(name, path=path)
    )
    cues = sys.argv[3].split("|")

    def output(text):
        print(text, end="", flush=True)
        if "ready" in text:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)  # the child goes on as root: as under sudo
        if cues and cues[0] in text:
            cues.pop(0)
            signal.raise_signal(signal.SIGINT)

    try:
        process.run(Command(("/bin/sh", "-c", sys.argv[2])), output)
    except Interrupted as error:
        print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="starting a program as root needs root")
def test_an_interrupt_reaches_a_program_of_roots_that_may_not_be_signalled() -> None:
    code = textwrap.dedent(AS_NOBODY)
    script = "trap 'echo; id -un; exit 3' INT; echo ready; sleep 30 & wait"
    done = _run([sys.executable, "-c", code, SOURCES, script, "ready"])
    assert "\nroot\n" in done
    assert "sh was interrupted and stopped (exit status 3)" in done

    script = "trap '' INT; echo ready; sleep 1"
    done = _run([sys.executable, "-c", code, SOURCES, script, "ready|again to end"])
    assert "sh runs as another user: nothing but waiting is left." in done
    assert "had finished its work all the same" in done


def _run(command: list[str]) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)
    return done.stdout


@needs_root
def test_a_program_under_sudo_is_ended_through_sudo(tmp_path: Path) -> None:
    command = [*sudoers(tmp_path, "nobody"), sys.executable, "-c"]
    code = textwrap.dedent(AS_NOBODY)
    code = re.sub(r"process\.shutil\.which = .*?\n\)\n", "", code, flags=re.DOTALL)
    code = code.replace('"/bin/sh"', '"sudo", "-n", "sh"')
    become = "os.setgid(65534); os.setuid(65534)"
    code = code.replace("cues = ", f"{become}; cues = ").replace('if "ready" in text:', "if False:")
    stubborn = "trap '' INT; trap 'echo ended; id -un; exit 9' TERM; echo ready; sleep 30 & wait"
    heeding = "trap 'echo; id -un; exit 3' INT; echo ready; sleep 30 & wait"
    ended = _run([*command, code, SOURCES, stubborn, "ready|again to end"])
    stopped = _run([*command, code, SOURCES, heeding, "ready"])
    assert "ended\nroot\n" in ended
    assert "sudo was interrupted and was ended (exit status 9)" in ended
    assert "\nroot\n" in stopped
    assert "sudo was interrupted and stopped (exit status 3)" in stopped


CELL = f"""
    import sys
    sys.path.insert(0, {SOURCES!r})
    from jstackmagic.io import process
    from jstackmagic.model.plan import Command
    script = "trap 'echo; sleep 0.3; echo cleaned up; exit 3' INT; echo rea''dy; sleep 30 & wait"
    process.run(Command(("/bin/sh", "-c", script)), lambda text: print(text, end="", flush=True))
"""


def test_the_stop_button_of_a_notebook_reaches_it() -> None:
    with Kernel(Path(sys.prefix)) as kernel:
        cell = kernel.start(textwrap.dedent(CELL))
        cell.wait_for("ready")
        kernel.interrupt()
        result = cell.wait()
        assert result.error_name == "Interrupted"
        assert "cleaned up" in result.stdout
        assert kernel.run("1 + 1").text == "2"


def test_control_c_in_a_terminal_ipython_reaches_it(tmp_path: Path) -> None:
    file = tmp_path / "cell.py"
    file.write_text(textwrap.dedent(CELL))
    arguments = ["-m", "IPython", "--no-banner", "--simple-prompt", "--no-term-title"]
    terminal = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=PATIENCE)
    terminal.expect(r"In \[1\]")
    terminal.sendline(f"exec(open({str(file)!r}).read())")
    terminal.expect("\r\nready")
    terminal.sendintr()
    terminal.expect("cleaned up")
    terminal.expect(r"sh was interrupted and stopped \(exit status 3\)")
    terminal.expect(r"In \[2\]")
    terminal.sendline("exit")
    terminal.expect(pexpect.EOF)


# Prompts


def test_a_program_that_would_ask_on_the_terminal_fails_at_once(
    tmp_path: Path, wheel_index: WheelIndex
) -> None:
    if shutil.which("git"):
        wheel_index.user, wheel_index.password = "me", "s3cret"
        words = Log()
        clone = Command(("git", "clone", wheel_index.url, str(tmp_path / "clone")))
        assert _within(120, lambda: run(clone, words.write)) != 0
        assert "terminal prompts disabled" in words.text
    if shutil.which("ssh-keygen"):
        key = str(tmp_path / "key")
        make = Command(("ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", key))
        assert run(make, print) == 0
        assert _within(120, lambda: run(Command(("ssh-keygen", "-y", "-f", key)), print)) != 0
    if not (shutil.which("git") or shutil.which("ssh-keygen")):
        pytest.skip("there is neither git nor ssh-keygen")


def _within(seconds: float, work: Callable[[], int]) -> int:
    started = time.monotonic()
    status = work()
    assert time.monotonic() - started < seconds
    return status


# Out of sight


def test_capture_keeps_both_streams_apart_and_the_status() -> None:
    done = capture(shell("echo out; echo err >&2; exit 3"))
    assert (done.exit_status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert capture(shell("kill -9 $$")).exit_status == 137


def test_what_captured_programs_say_is_without_the_credentials_they_got() -> None:
    argv = shell('echo "$1" >&2; echo "$U" >&2', "https://h.example/x?token=hunter2").argv
    done = capture(Command(argv, environ=(("U", "https://me:s3cret@h.example"),)))
    assert done.stderr == "https://h.example/x?token=****\nhttps://****@h.example\n"


def test_capture_does_not_wait_for_a_grandchild() -> None:
    os.kill(int(capture(shell("sleep 600 & echo $!")).stdout), signal.SIGKILL)


def test_capture_ends_the_whole_group_when_time_is_up(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="gave no answer within 3 seconds"):
        capture(shell('sleep 30 & echo $! >"$1"; wait', str(tmp_path / "pid")), timeout=3)
    assert _ended(int((tmp_path / "pid").read_text()))


def test_capture_can_be_interrupted(tmp_path: Path) -> None:
    children = _children()
    interrupt_when((tmp_path / "pid").exists)
    with pytest.raises(Interrupted, match="Nothing was changed"):
        capture(shell("trap '' INT; sleep 30 & echo $! >\"$1\"; wait", str(tmp_path / "pid")))
    assert _ended(int((tmp_path / "pid").read_text()))
    assert set(_children()) <= set(children)


def _ended(pid: int) -> bool:
    for _ in range(3000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # killed; its new parent has yet to notice
            return True
        time.sleep(0.02)
    return False


# Bombs

WRITES = """
    import os, random, sys, time
    what, folder = sys.argv[1:]
    def block():
        return random.randbytes(1 << 20) if what == "noise" else bytes(1 << 20)
    if what == "child" and os.fork():
        os.wait()
        sys.exit()
    for number in range(40 if what == "noise" else 4000):
        with open(f"{folder}/{number if what == 'many' else 0}", "ab") as file:
            file.write(block())
            file.flush()
            time.sleep(0.02)
"""


@pytest.mark.parametrize("what", ["zeros", "many", "child"])
def test_a_program_that_unpacks_a_bomb_is_ended(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JSTACKMAGIC_MAX_UNPACKED", "8M")
    program = python(WRITES, what, str(tmp_path))
    for start in (lambda: run(program, print), lambda: capture(program)):
        with pytest.raises(Bomb, match="more than 8 MB"):
            start()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2000 << 20


def test_what_was_as_big_before_is_no_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSTACKMAGIC_MAX_UNPACKED", "8M")
    assert capture(python(WRITES, "noise", str(tmp_path))).exit_status == 0
