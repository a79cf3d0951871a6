"""The outbox: the history itself, of which a file beside it says how much was sent.

While the service is down nothing is lost and nothing grows. All of this runs in a thread of its
own, or where a verb asks for it; a cell never waits for it.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ..io.files import write_file
from ..io.locks import Lock, take

BATCH = 500
"""The most lines of one request."""

_MAX_BYTES = 512 * 1024  # of a request
_HEAD = 4096  # bytes by which the history is known again
_PAUSE = 30.0  # seconds between two looks at the history
_MAX_PAUSE = 900.0  # while the service is down
_PATIENCE = 5.0  # seconds after loading, in which the first cells run
_TIMEOUT = 10.0  # seconds of a request


@dataclass
class Sent:
    """The state of an outbox, as its file has it."""

    at: int = 0  #: the bytes of the history that were sent, or need not be
    head: int = 0  #: the checksum of the history's beginning, by which another history is noticed
    salt: str = ""  #: random; see `jstackmagic.sending.reduced`
    details: bool = False  #: whether the user lets names and URLs go
    #: from which byte on they went, or went no more
    modes: list[tuple[int, bool]] = field(default_factory=list)
    #: the service's policy, as it was last served
    policy: dict[str, Any] = field(default_factory=dict)
    fetched: str = ""  #: the time of that, ISO 8601; empty before the first
    #: the decisions on this user's requests: by ``MANAGER:NAME`` the state and reason
    decisions: dict[str, dict[str, str]] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)  #: those that the user has been shown


class Unreachable(Exception):
    """The service does not answer, or refuses; the text says why."""


class Outbox:
    """One user's outbox.

    Args:
        url: The service's address; empty if there is none.
        token: The token of the user's own server.
    """

    def __init__(self, history: Path, url: str, token: str = "") -> None:
        self.history = history
        self.url = url.rstrip("/")
        self._token = token or os.environ.get("JUPYTERHUB_API_TOKEN", "")
        self._file = Path(f"{history}.hub")

    def state(self) -> Sent:
        """Return the state; that of a new one if the file cannot be read."""
        import msgspec

        try:
            found = msgspec.json.decode(self._file.read_bytes(), type=Sent)
        except (OSError, ValueError):
            import secrets

            return Sent(salt=secrets.token_hex(8))
        if found.at and found.head != self._head(found.at):
            found.at = 0  # another history, of which the service keeps what it knows already
        return found

    def keep(self, **changes: Any) -> None:
        """Write changes of the state; what another kernel or verb has changed meanwhile stays."""
        state = replace(self.state(), **changes)
        state.head = self._head(state.at)
        self._file.parent.mkdir(parents=True, exist_ok=True)  # a new home has no history yet
        write_file(self._file, json.dumps(asdict(state)), mode=0o600)

    def _head(self, at: int) -> int:
        try:
            with self.history.open("rb") as file:
                return zlib.crc32(file.read(min(at, _HEAD)))
        except OSError:
            return 0

    # Sending

    def send(self) -> int:
        """Send the next lines; return how many lines of the history were passed.

        Raises:
            Unreachable: The service does not take them; they stay for the next time.
        """
        held = take(f"{self._file}.lock", seconds=0, mode=0o600)
        if not isinstance(held, Lock):
            return 0  # another kernel is at it
        with held:
            from .reduced import reduced

            state = self.state()
            details = state.details and bool(state.policy.get("details"))
            modes = state.modes
            if details != _mode(state, state.at):
                modes = [*modes, (state.at, details)]
            batch: list[dict[str, Any]] = []
            lines, at, size = 0, state.at, 0
            for raw in self._whole(state.at):
                line = reduced(raw, state.salt, details=details)
                size += len(raw) if line else 0
                if size > _MAX_BYTES and batch:
                    break
                at += len(raw)
                lines += 1
                if line:
                    batch.append(line)
                if len(batch) == BATCH:
                    break
            if batch:
                self._ask("api/records", {"records": batch})
            if at != state.at:
                self.keep(at=at, modes=modes, salt=state.salt)
            return lines

    def _whole(self, start: int, end: int | None = None) -> Iterator[bytes]:
        with suppress(OSError), self.history.open("rb") as file:
            file.seek(start)
            for raw in file:
                start += len(raw)
                if not raw.endswith(b"\n") or (end is not None and start > end):
                    return
                yield raw

    def sent(self) -> list[dict[str, Any]]:
        """Return what has been sent."""
        from .reduced import reduced

        state, at, found = self.state(), 0, []
        for raw in self._whole(0, state.at):
            line = reduced(raw, state.salt, details=_mode(state, at))
            found += [line] if line else []
            at += len(raw)
        return found

    def fetch(self, seconds: float = _TIMEOUT) -> dict[str, Any]:
        """Fetch the policy, and the decisions on this user's requests; return the policy.

        They are kept beside the history, where that can be written to.

        Raises:
            Unreachable: The service does not answer.
        """
        found = self._ask("api/mine", seconds=seconds)
        when = datetime.now(timezone.utc).isoformat(timespec="seconds")
        policy: dict[str, Any] = found["policy"]
        with suppress(OSError):
            self.keep(policy=policy, decisions=found["decisions"], fetched=when)
        return policy

    def push(self, image: str) -> str:
        """Have an image that the user pushed offered at their next start; return a sentence.

        Nothing hangs on it: a service that does not answer is only said.
        """
        if not self.url:
            return ""
        try:
            self._ask("api/images", {"image": image})
        except Unreachable as error:
            return f"The hub does not know of it: {error}."
        return "The hub offers it at your next start."

    def news(self) -> list[str]:
        """Return a sentence for each decision that the user has not been shown, once."""
        state = self.state()
        new = {
            name: said
            for name, said in state.decisions.items()
            if f"{name} {said['state']}" not in state.shown
        }
        if not new:
            return []
        shown = [f"{name} {said['state']}" for name, said in state.decisions.items()]
        with suppress(OSError):
            self.keep(shown=shown)
        return [decided(name, said) for name, said in new.items()]

    def _ask(self, path: str, body: Any = None, seconds: float = _TIMEOUT) -> Any:
        from http.client import HTTPException
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        if not self.url.startswith(("http://", "https://")):
            raise Unreachable(f"{self.url} is not the address of a service")
        data = None if body is None else json.dumps(body).encode()
        asked = Request(f"{self.url}/{path}", data, {"Content-Type": "application/json"})  # noqa: S310
        asked.add_unredirected_header("Authorization", f"token {self._token}")
        try:
            with urlopen(asked, timeout=seconds) as answer:  # noqa: S310
                return json.loads(answer.read(4 * 2**20))
        except HTTPError as error:
            raise Unreachable(f"the service says {error.code}") from None
        except (URLError, OSError, ValueError, HTTPException) as error:
            raise Unreachable(str(getattr(error, "reason", error))) from None


def _mode(state: Sent, at: int) -> bool:
    """Return whether names and URLs went from that byte on."""
    return next((said for start, said in reversed(state.modes) if start <= at), False)


def decided(name: str, said: dict[str, str]) -> str:
    """Return a decision as a sentence."""
    why = f": {said['why']}" if said.get("why") else "."
    return f"Your request for {name} was {said['state']}{why}"


class Sender:
    """Sends in the background, for as long as a kernel runs.

    Args:
        outbox: Returns the outbox, as the settings are now; None where nothing is to be sent.
    """

    def __init__(self, outbox: Callable[[], Outbox | None]) -> None:
        self._outbox = outbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jstackmagic-hub", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a request that is going on is not waited for."""
        self._over.set()

    def _run(self) -> None:
        pause, fetched = _PATIENCE, 0
        while not self._over.wait(pause):
            try:
                outbox = self._outbox()
                if outbox is None:
                    pause = _PAUSE
                    continue
                if fetched <= 0:
                    outbox.fetch()
                    fetched = int(_MAX_PAUSE / _PAUSE)
                fetched -= 1
                pause = 1.0 if outbox.send() else _PAUSE
            except Exception:  # the service, the disk, a setting: the next look may do better
                pause = min(max(pause, _PAUSE) * 2, _MAX_PAUSE)
