"""The append-only history file: one JSON line before an install starts, one when it ends.

The format of a line, and what a reader may rely on, is documented in ``docs/history.md``.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import warnings
import zlib
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..io.files import sync_folder, write_file
from ..io.locks import SECONDS, Held, Lock, NoLocks, take
from ..model.collector import collector_paused
from ..model.environment import EnvironmentRef
from ..model.errors import HistoryError
from ..model.ledger import Ledger
from ..model.managers import names
from ..model.plan import Outcome
from ..model.record import Context, Record, Status
from ..model.request import Request
from ..model.written import plain, request_of, written
from ..version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..model.packages import ManagerName

SCHEMA = 1
"""The version that every line names. Adding an optional field does not raise it."""

IMAGE_HISTORY = Path("/etc/jstackmagic/history.jsonl")
"""Where an image that was made from a history has it: what there was before this container."""

Event = Literal["begin", "end", "planned", "found", "seen"]


class HistoryWarning(UserWarning):
    """Something in the history file was left aside; nothing else was lost.

    Raised through :mod:`warnings`, the one way this module speaks of what it could live with.
    """


class History:
    """One history file.

    Args:
        path: The file.
        before: Another history, which is read while the file does not exist; the first line that
            is written goes behind a copy of it.
    """

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        self.path = path
        self._before = before
        self._read = _Read()
        self._lock = threading.RLock()  # programs are started in other threads as well
        self._stuck = False  # whether the lock file was waited for in vain

    def __repr__(self) -> str:
        return f"History({str(self.path)!r})"

    def new_transaction(self) -> str:
        """A short random id that no record of this file has."""
        import secrets

        known = self.content()
        while True:
            transaction = secrets.token_hex(4)
            if f'"{transaction}.'.encode() not in known:
                return transaction

    @property
    def source(self) -> Path:
        """The file that is read: this one, or, as long as it does not exist, the image's."""
        before = self._before
        return before if before and not self.path.exists() and before.is_file() else self.path

    def content(self) -> bytes:
        """Every line as it stands.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        try:
            return self.source.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(self.path, error, verb="read", kept="") from error

    def begin(
        self,
        request: Request,
        environment: EnvironmentRef,
        *,
        transaction: str,
        step: int,
        engine: str,
        commands: Iterable[str],
        context: Context,
        undoes: str = "",
        notes: Iterable[str] = (),
    ) -> Record:
        """Write down what is about to be done; call it before anything is touched.

        Returns:
            The record as it was written: ``running``, credentials masked.

        Raises:
            HistoryError: The file cannot be written.
        """
        record = Record(
            id=f"{transaction}.{step}",
            time=_now(),
            status="running",
            request=request,
            environment=environment,
            engine=engine,
            commands=tuple(commands),
            context=context,
            undoes=undoes,
            notes=tuple(notes),
        )
        return self._write("begin", record, kept="Nothing was started.")

    def plan(
        self,
        request: Request,
        environment: EnvironmentRef,
        *,
        transaction: str,
        step: int,
        engine: str = "",
        commands: Iterable[str] = (),
        context: Context,
        notes: Iterable[str] = (),
    ) -> Record:
        """Write down what cannot be done here and should reach the exports (``--record-only``).

        Raises:
            HistoryError: The file cannot be written.
        """
        record = Record(
            id=f"{transaction}.{step}",
            time=_now(),
            status="planned",
            request=request,
            environment=environment,
            engine=engine,
            commands=tuple(commands),
            context=context,
            notes=tuple(notes),
        )
        return self._write("planned", record, kept="Nothing was recorded.")

    def note_seen(
        self,
        command: str,
        reason: str,
        environment: EnvironmentRef,
        *,
        transaction: str,
        step: int,
        context: Context,
    ) -> Record:
        """Write down a command that installs and that no request can say, so that exports say so.

        Raises:
            HistoryError: The file cannot be written.
        """
        record = Record(
            id=f"{transaction}.{step}",
            time=_now(),
            status="seen",
            request=Request("install", "pip", ()),
            environment=environment,
            commands=(command,),
            context=context,
            notes=(reason,),
        )
        return self._write("seen", record, kept="Nothing was recorded.")

    def note_found(
        self,
        request: Request,
        environment: EnvironmentRef,
        *,
        transaction: str,
        step: int,
        time: str,
        commands: Iterable[str] = (),
        context: Context,
        outcome: Outcome,
    ) -> Record:
        """Write down a change that was found on disk and that no command is known to have made.

        Args:
            request: What somebody must have asked for.
            environment: Where it was found.
            transaction: What the records of one find share.
            step: Its number among them.
            time: Of the files, ISO 8601, UTC.
            commands: What ran meanwhile and may have made it.
            context: Who found it.
            outcome: What was found.

        Raises:
            HistoryError: The file cannot be written.
        """
        record = Record(
            id=f"{transaction}.{step}",
            time=time,
            status="found",
            request=request,
            environment=environment,
            commands=tuple(commands),
            context=context,
            outcome=outcome,
        )
        return self._write("found", record, kept="Nothing was recorded.")

    def end(self, record: Record, outcome: Outcome) -> Record:
        """Write down how a begun record ended.

        Raises:
            HistoryError: The file cannot be written; the install itself stays as it is.
        """
        line = _encode({"event": "end", "id": record.id, "time": _now(), "outcome": outcome})
        kept = f"The change itself stays; the history will show {record.id} as interrupted."
        self._append(line, kept=kept)
        return replace(record, status=outcome.status, outcome=_decode(line).outcome)

    def records(self) -> list[Record]:
        """Return every record, in the order in which they began.

        A line that cannot be used is left aside with a :class:`HistoryWarning`.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        return list(self.ledger().records)

    def ledger(self) -> Ledger:
        """Return what the records come to.

        The lines that were read before are neither decoded nor folded again, as long as the file
        still begins with them.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        with self._lock:
            try:
                source = self.source
                if source == self.path and self._is_torn():
                    self._set_tail_aside()
                content = source.read_bytes()
            except FileNotFoundError:
                content = b""
            except OSError as error:
                raise _unusable(self.path, error, verb="read", kept="") from error
            if not self._read.is_head_of(content):
                self._read = _Read()
            read = self._read
            with collector_paused():
                read.take(content, self._lines(BytesIO(content[read.size :])))
            if read.doubtful:  # to be warned of at each reading
                self._read = _Read()
            return read.ledger

    def get(self, prefix: str) -> list[Record]:
        """The records of the transaction, or the one record, whose id begins with ``prefix``.

        Args:
            prefix: ``a1b2`` for a transaction, ``a1b2.2`` for its second record.

        Raises:
            HistoryError: None, or more than one transaction, begins with it.
        """
        head, dot, step = prefix.strip().partition(".")
        found: dict[str, list[Record]] = {}
        for record in self.records():
            if head and record.transaction.startswith(head):
                found.setdefault(record.transaction, []).append(record)
        if head in found:
            found = {head: found[head]}
        if len(found) > 1:
            raise HistoryError(
                f"{prefix!r} could be any of {len(found)} entries of the history.",
                advice=(
                    "Type more of the id:",
                    *(f"{t}  {_summary(group[0])}" for t, group in list(found.items())[:10]),
                ),
            )
        chosen = [
            record
            for group in found.values()
            for record in group
            if not dot or record.id.rpartition(".")[2] == step
        ]
        if not chosen:
            raise HistoryError(
                f"No entry of the history begins with {prefix!r}.",
                advice="See what there is: %envhistory",
            )
        return chosen

    # -- writing

    def _write(self, event: Event, record: Record, *, kept: str) -> Record:
        line = _encode(
            {
                "event": event,
                "id": record.id,
                "time": record.time,
                "request": record.request,
                "environment": record.environment,
                "engine": record.engine,
                "commands": record.commands,
                "context": record.context,
                "outcome": record.outcome,
                "undoes": record.undoes,
                "notes": record.notes,
            }
        )
        self._append(line, kept=kept)
        return _record(_decode(line), None, record.status)

    def _append(self, line: bytes, *, kept: str) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as locked:
                if self.source != self.path:
                    self._begin_with(self.source)
                with self._opened() as file:
                    if locked:
                        self._settle_tail(file)
                    # another may be writing just now: an empty line is no harm, two in one are
                    apart = b"\n" if not locked and _lacks_its_end(file) else b""
                    _write_whole(file, apart + line)
        except _Unsettled as error:
            kept = "The line was written, and may be lost if the machine stops now."
            raise _unusable(self.path, error, verb="flushed", kept=kept) from error
        except OSError as error:
            raise _unusable(self.path, error, verb="written", kept=kept) from error

    def _begin_with(self, before: Path) -> None:
        """Begin the file as a copy of another one: all of it, or nothing."""
        draft = Path(f"{self.path}.{os.getpid()}.{threading.get_ident()}")
        write_file(draft, before.read_bytes(), mode=0o600)
        try:
            os.link(draft, self.path)  # unlike a rename it never replaces what another began
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            os.rename(draft, self.path)
        draft.unlink(missing_ok=True)
        sync_folder(self.path.parent)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        is_new = not self.path.exists()
        # opened under the lock: NFS looks for others' writes when a file is opened
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield file
        finally:
            os.close(file)
        if is_new:
            sync_folder(self.path.parent)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock beside the file, or go on without it; yield whether it is held.

        A line is one write at the end of the file, which the kernel keeps apart from others' on
        one machine. The lock is for what is not one write, and for NFS, whose clients each find
        the end for themselves.
        """
        found = take(f"{self.path}.lock", seconds=0 if self._stuck else SECONDS, mode=0o600)
        self._stuck = not isinstance(found, Lock)
        if isinstance(found, NoLocks):
            _warn(
                f"{found.why}: two machines that record at the same instant could lose a line."
                " Keep the history elsewhere: JSTACKMAGIC_HISTORY."
            )
        elif isinstance(found, Held):
            _warn(
                f"{self.path}.lock has been held for {SECONDS:.0f} s by {found.by}; the history is"
                " written without it. If that process is gone for good, remove the lock file."
            )
        try:
            yield not self._stuck
        finally:
            if isinstance(found, Lock):
                found.release()

    # -- a last line that a killed process left half written

    def _set_tail_aside(self) -> None:
        """Set a torn line aside, unless somebody writes just now: reading never waits."""
        try:
            found = take(f"{self.path}.lock", seconds=0, mode=0o600)
            if isinstance(found, Lock):
                with found, self._opened() as file:
                    self._settle_tail(file)
        except OSError:  # of a file that cannot be written to, the tail is only left unread
            found = NoLocks("")
        if isinstance(found, NoLocks):
            _warn(f"The last line of {self.path} is torn and was left aside.")

    def _is_torn(self) -> bool:
        with self.path.open("rb") as file:
            return _lacks_its_end(file.fileno())

    def _settle_tail(self, file: int) -> None:
        while _lacks_its_end(file):
            data = self.content()
            start = data.rfind(b"\n") + 1
            tail = data[start:]
            if _is_line(tail):  # whole but for its end: an editor saved the file
                _write_whole(file, b"\n")
                return
            aside = Path(f"{self.path}.torn")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            try:
                with open(os.open(aside, flags, 0o600), "ab") as torn:
                    torn.write(tail + b"\n")
                    torn.flush()
                    os.fsync(torn.fileno())
            except OSError as error:  # such as somebody's symbolic link in its place
                _write_whole(file, b"\n")
                _warn(f"A torn line stays in {self.path}: {aside}: {error.strerror}.")
                return
            if os.fstat(file).st_size != len(data):
                continue  # somebody who could not have the lock was writing it
            os.ftruncate(file, start)
            os.fsync(file)
            _warn(
                f"The last line of {self.path} was torn: a process ended while it wrote."
                f" It was set aside in {aside}; nothing else is lost."
            )

    # -- reading

    def _lines(self, texts: Iterable[bytes]) -> Iterator[Any]:
        newer = 0
        for number, text in enumerate(texts, start=self._read.lines + 1):
            if not text.endswith(b"\n"):
                break  # it is being written just now, or could not be set aside
            try:
                line = _decode(text)
            except ValueError as error:
                self._read.doubtful = self._read.doubtful or bool(text.strip())
                if _version(text) > SCHEMA:
                    newer += 1
                elif text.strip():
                    _warn(f"Line {number} of {self.path} is no record and was skipped: {error}")
            else:
                yield line
        if newer:
            _warn(
                f"{newer} lines of {self.path} were written by a newer jstackmagic; they stay in"
                " the file and are not shown. Upgrade to read them."
            )


class _Read:
    """What was read of a file, to go on from there.

    Attributes:
        ledger: Its records.
        size: How many bytes of whole lines were read.
        lines: How many lines they are.
        doubtful: Whether a line was left aside.
    """

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.size = 0
        self.lines = 0
        self.doubtful = False
        self._sum = 0
        self._starts: dict[str, Any] = {}
        self._open: dict[str, Any] = {}

    def is_head_of(self, content: bytes) -> bool:
        """Return True where the file still begins with what was read."""
        return (
            len(content) >= self.size and zlib.crc32(memoryview(content)[: self.size]) == self._sum
        )

    def take(self, content: bytes, lines: Iterable[Any]) -> None:
        """Enter the lines that are new."""
        ends: dict[str, Outcome] = {}
        began: dict[str, Any] = {}
        for line in lines:
            if line.event == "end":
                ends[line.id] = line.outcome
            else:
                began[line.id] = line
        self._starts |= began
        for orphan in ends.keys() - self._starts.keys():
            self.doubtful = True
            _warn(f"The end of {orphan} is recorded and its beginning is not; it was left aside.")
        ended = {name: self._starts[name] for name in ends if name in self._starts}
        for name, start in (self._open | began | ended).items():
            record = _record(start, ends.get(name))
            self.ledger.add(record)
            if record.outcome is None and start.event == "begin":
                self._open[name] = start  # it may end, and its process may
            else:
                self._open.pop(name, None)
        self.size = content.rfind(b"\n") + 1
        self.lines = content.count(b"\n")
        self._sum = zlib.crc32(memoryview(content)[: self.size])


def default_path(setting: str = "", *, locked: bool = False) -> Path:
    """Return where the user's history lies.

    ``$JSTACKMAGIC_HISTORY``, the setting, or ``history.jsonl`` in the platform's user data folder,
    which lies in the home volume that outlives a container.

    Args:
        setting: The path that the settings name, if any.
        locked: Take the setting before the variable.
    """
    chosen = os.environ.get("JSTACKMAGIC_HISTORY")
    if setting and (not chosen or locked):
        chosen = os.path.expandvars(setting)
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("jstackmagic")) / "history.jsonl"


def context(*, notebook: str = "", container: str = "", image: str = "") -> Context:
    """Return who we are: the user, host, process and kernel that a record is made by.

    Args:
        notebook: Its path where the caller knows it (VS Code's ``__vsc_ipynb_file__``); otherwise
            Jupyter Server's ``JPY_SESSION_NAME`` is taken.
        container: The id of the container we run in.
        image: The image of that container.
    """
    pid = os.getpid()
    return Context(
        user=_user(),
        host=os.uname().nodename,
        pid=pid,
        process=_process_identity(pid),
        kernel=_kernel_id(),
        notebook=notebook or os.environ.get("JPY_SESSION_NAME", ""),
        container=container,
        image=image,
        jstackmagic=__version__,
    )


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a uid without an entry in /etc/passwd
        return str(os.getuid())


def _kernel_id() -> str:
    """The id in the name of this kernel's connection file, ``kernel-ID.json``."""
    kernelapp = sys.modules.get("ipykernel.kernelapp")
    if kernelapp is None or not kernelapp.IPKernelApp.initialized():
        return ""
    return Path(kernelapp.IPKernelApp.instance().connection_file).stem.removeprefix("kernel-")


def _process_identity(pid: int) -> str:
    """Boot, pid namespace and start time of a living process (proc(5)); empty where it is dead."""
    try:
        # the command, the only field that may hold spaces, is in parentheses
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return ""
    start_ticks = rest[18]  # field 22, and three are taken off
    return "" if state in "ZX" else f"{boot}/{namespace}/{start_ticks}"


def _lives(context: Context) -> bool:
    if context.host != os.uname().nodename or not context.process:
        return False
    return context.process == _process_identity(context.pid)


# -- lines


@lru_cache(maxsize=1)
def _reader() -> Any:
    """A decoder of lines; the parts that repeat from line to line are kept raw."""
    import msgspec

    line = msgspec.defstruct(
        "Line",
        [
            ("v", int),
            ("event", Event),
            ("id", str),
            ("time", str),
            ("request", written(Request) | None, None),
            ("environment", msgspec.Raw, msgspec.Raw()),
            ("engine", str, ""),
            ("commands", tuple[str, ...], ()),
            ("context", msgspec.Raw, msgspec.Raw()),
            ("outcome", Outcome | None, None),
            ("undoes", str, ""),
            ("notes", tuple[str, ...], ()),
        ],
    )
    return msgspec.json.Decoder(line)


@lru_cache(maxsize=1024)
def _environment(raw: bytes) -> EnvironmentRef:
    import msgspec

    return msgspec.json.decode(raw, type=EnvironmentRef)


@lru_cache(maxsize=1024)
def _context(raw: bytes) -> Context:
    import msgspec

    return msgspec.json.decode(raw, type=Context) if raw else Context()


def _decode(text: bytes) -> Any:
    """One line, whole.

    Raises:
        ValueError: It is none of this schema (msgspec's errors are ValueErrors).
    """
    line = _reader().decode(text)
    if line.v > SCHEMA:
        raise ValueError(f"its schema is {line.v}")
    if line.event == "end":
        if line.outcome is None:
            raise ValueError("an end without an outcome")
        change = line.outcome.change
        _check_managers(
            package.manager
            for group in (change.added, change.removed, *change.changed, line.outcome.resolved)
            for package in group
        )
    elif line.request is None:
        raise ValueError("a beginning without a request")
    else:
        _check_managers((line.request.manager,))
        line.environment = _environment(bytes(line.environment))
        line.context = _context(bytes(line.context))
    return line


def _check_managers(found: Iterable[ManagerName]) -> None:
    unknown = set(found).difference(names())
    if unknown:
        raise ValueError(f"this version knows no manager {min(unknown)!r}")


def _record(start: Any, outcome: Outcome | None, status: Status | None = None) -> Record:
    """One record of its two lines.

    Args:
        start: The line that began it.
        outcome: Of the line that ended it.
        status: Where the caller knows it, so that no process need be looked for.
    """
    outcome = outcome or start.outcome
    if status is None:
        if start.event != "begin":
            status = start.event
        elif outcome is not None:
            status = outcome.status
        else:
            status = "running" if _lives(start.context) else "interrupted"
    return Record(
        id=start.id,
        time=start.time,
        status=status,
        request=request_of(start.request),
        environment=start.environment,
        engine=start.engine,
        commands=start.commands,
        context=start.context,
        outcome=outcome,
        undoes=start.undoes,
        notes=start.notes,
    )


def _encode(line: dict[str, object]) -> bytes:
    import msgspec

    lean = {key: plain(value) for key, value in line.items() if value not in ("", (), None)}
    return msgspec.json.encode({"v": SCHEMA, **lean}) + b"\n"


def _is_line(text: bytes) -> bool:
    try:
        _decode(text)
    except ValueError:
        return _version(text) > SCHEMA
    return True


def _version(text: bytes) -> int:
    """The schema version a line names; 0 for what is no line."""
    import msgspec

    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0
    version = value.get("v") if isinstance(value, dict) else None
    return version if isinstance(version, int) else 0


# -- files


def _lacks_its_end(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


class _Unsettled(OSError):
    """The line is in the file and cannot be taken back; whether it is on the disk is not known."""


def _write_whole(file: int, data: bytes) -> None:
    """One write and a flush to the disk, or the file as it was.

    Raises:
        OSError: It cannot be written, and the file is as it was.
        _Unsettled: It was written, and could be neither flushed nor taken back.
    """
    written = 0
    try:
        written = os.write(file, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    except OSError as error:
        if written:
            _take_back(file, data[:written], error)
        raise


def _take_back(file: int, data: bytes, error: OSError) -> None:
    """Cut what was just written off the end again."""
    with contextlib.suppress(OSError):
        start = os.fstat(file).st_size - len(data)
        if start >= 0 and os.pread(file, len(data), start) == data:
            os.ftruncate(file, start)
            return
    raise _Unsettled(error.errno, error.strerror) from error


def _unusable(path: Path, error: OSError, *, verb: str, kept: str) -> HistoryError:
    advice = "Keep the history elsewhere: set JSTACKMAGIC_HISTORY to a file that you own."
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = f"Free some space where {path.parent} lies, then try again."
    said = error.strerror or str(error)
    if error.filename not in (None, path, str(path)):
        said = f"{error.filename}: {said}"
    return HistoryError(f"The history {path} cannot be {verb}: {said}.", kept=kept, advice=advice)


def _summary(record: Record) -> str:
    request = record.request
    return f"{record.time}  {request.action} {' '.join(request.texts)}"


def _now() -> str:
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")


def _warn(message: str) -> None:
    warnings.warn(message, HistoryWarning, stacklevel=3)
