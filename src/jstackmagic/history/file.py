"""The append-only history file: one JSON line before an install starts, one when it ends.

The format of a line, and what a reader may rely on, is documented in ``docs/history.md``.
"""

from __future__ import annotations

import os
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

from ..io.reading import own_bytes, path_of
from ..model.collector import collector_paused
from ..model.environment import EnvironmentRef
from ..model.errors import HistoryError
from ..model.ledger import Ledger
from ..model.plan import Outcome
from ..model.record import Context, Record
from ..model.request import Request
from .append import LinesFile, unusable, warn
from .lines import SCHEMA, decode, encode, line_of, record_of, version_of

IMAGE_HISTORY = Path("/etc/jstackmagic/history.jsonl")
"""The history inside an image that was made from one, from before this container."""


_SHOWN = 3  # of the lines that are skipped


class History:
    """One history file.

    Args:
        before: Another history, which is read while the file does not exist; the first line that
            is written goes behind a copy of it.
    """

    def __init__(self, path: Path, *, before: Path | None = None) -> None:
        self.path = path
        self._file = LinesFile(path, before=before)
        self._read = _Read()
        self._lock = threading.RLock()  # programs are started in other threads as well

    def __repr__(self) -> str:
        return f"History({str(self.path)!r})"

    def new_transaction(self) -> str:
        """Return a short random id that no record of this file has."""
        import secrets

        known = self.content()
        while True:
            transaction = secrets.token_hex(4)
            if f'"{transaction}.'.encode() not in known:
                return transaction

    @property
    def source(self) -> Path:
        """The file that is read: this one, or, as long as it does not exist, the image's."""
        return self._file.source

    def content(self) -> bytes:
        """Return every line, unchanged.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        return self._file.content()

    def note(
        self,
        status: Literal["running", "planned", "found", "seen"],
        request: Request,
        environment: EnvironmentRef,
        *,
        transaction: str,
        step: int,
        context: Context,
        time: str = "",
        **more: Any,
    ) -> Record:
        """Record what begins, is planned, or was found; call it before a change.

        Args:
            status: ``running`` for a start; ``planned`` for a request that cannot be done here but
                should reach the exports; ``found`` for a change on disk that no command is known to
                have made; ``seen`` for a command that no request can express.
            transaction: The id that the records of one cell or one find share.
            time: The time if it is not now: ISO 8601, UTC.

        Returns:
            The record as written, with credentials masked.

        Raises:
            HistoryError: The file cannot be written.
        """
        record = Record(
            id=f"{transaction}.{step}",
            time=time or _now(),
            status=status,
            request=request,
            environment=environment,
            context=context,
            **more,
        )
        line = line_of(record)
        kept = "Nothing was started." if status == "running" else "Nothing was recorded."
        self._file.append(line, kept=kept)
        return record_of(decode(line), None, status)

    def end(self, record: Record, outcome: Outcome) -> Record:
        """Write down how a begun record ended.

        Raises:
            HistoryError: The file cannot be written; the install itself stays as it is.
        """
        line = encode("end", record.id, _now(), outcome=outcome)
        kept = f"The change itself stays; the history will show {record.id} as interrupted."
        self._file.append(line, kept=kept)
        return replace(record, status=outcome.status, outcome=decode(line).outcome)

    def records(self) -> list[Record]:
        """Return every record, in the order in which they began.

        An unusable line is skipped with a :class:`HistoryWarning`.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        return list(self.ledger().records)

    def ledger(self) -> Ledger:
        """Return the ledger of the records.

        The lines that were read before are neither decoded nor folded again, as long as the file
        still begins with them.

        Raises:
            HistoryError: The file is there and cannot be read.
        """
        with self._lock:
            try:
                source = self.source
                if source == self.path and self._file.is_torn():
                    self._file.set_tail_aside()
                content = own_bytes(source)
            except FileNotFoundError:
                content = b""
            except OSError as error:
                raise unusable(self.path, error, verb="read", kept="") from error
            if not self._read.is_head_of(content):
                self._read = _Read()
            read = self._read
            with collector_paused():
                read.take(content, self._lines(BytesIO(content[read.size :])))
            if read.doubtful:  # to be warned of at each reading
                self._read = _Read()
            return read.ledger

    def get(self, prefix: str) -> list[Record]:
        """Return the records of the transaction, or the one record, with the id ``prefix…``.

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

    # -- reading

    def _lines(self, texts: Iterable[bytes]) -> Iterator[Any]:
        newer, skipped = 0, 0
        for number, text in enumerate(texts, start=self._read.lines + 1):
            if not text.endswith(b"\n"):
                break  # it is being written just now, or could not be set aside
            try:
                line = decode(text)
            except ValueError as error:
                self._read.doubtful = self._read.doubtful or bool(text.strip())
                if version_of(text) > SCHEMA:
                    newer += 1
                elif text.strip():
                    skipped += 1
                    if skipped <= _SHOWN:
                        what = f"Line {number} of {self.path}"
                        warn(f"{what} is not a record and was skipped: {error}")
            else:
                yield line
        if skipped > _SHOWN:
            warn(f"So were {skipped - _SHOWN} more lines of {self.path}; is it a history?")
        if newer:
            warn(
                f"{newer} lines of {self.path} were written by a newer jstackmagic; they stay in"
                " the file and are not shown. Upgrade to read them."
            )


class _Read:
    """The part of a file that was read, to continue from there.

    Attributes:
        size: The bytes of the whole lines that were read.
        lines: The number of those lines.
        doubtful: Whether a line was skipped.
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
        """Return True if the file still begins with the part that was read."""
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
            warn(f"The end of {orphan} is recorded and its beginning is not; it was left aside.")
        ended = {name: self._starts[name] for name in ends if name in self._starts}
        for name, start in (self._open | began | ended).items():
            record = record_of(start, ends.get(name))
            self.ledger.add(record)
            if record.outcome is None and start.event == "begin":
                self._open[name] = start  # it may end, and its process may
            else:
                self._open.pop(name, None)
        self.size = content.rfind(b"\n") + 1
        self.lines = content.count(b"\n")
        self._sum = zlib.crc32(memoryview(content)[: self.size])


def default_path(setting: str = "", *, locked: bool = False) -> Path:
    """Return the path of the user's history.

    ``$JSTACKMAGIC_HISTORY``, the setting, or ``history.jsonl`` in the platform's user data folder,
    which is in the home volume that outlives a container.

    Args:
        setting: The path that the settings name, if any.
        locked: Take the setting before the variable.

    Raises:
        UsageError: It names the home of a user that is not there.
    """
    chosen = os.environ.get("JSTACKMAGIC_HISTORY")
    if setting and (not chosen or locked):
        chosen = os.path.expandvars(setting)
    if chosen:
        return path_of(chosen) if chosen.startswith("~") else Path(chosen)
    import platformdirs

    return Path(platformdirs.user_data_dir("jstackmagic")) / "history.jsonl"


def _summary(record: Record) -> str:
    request = record.request
    return f"{record.time}  {request.action} {' '.join(request.texts)}"


def _now() -> str:
    from datetime import datetime, timezone

    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    return now.replace("+00:00", "Z")
