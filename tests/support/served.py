"""A notebook server in a container, and its kernels over HTTP and WebSocket; a served folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import threading
import uuid
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from .kernels import PATIENCE, Cell, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path
    from types import TracebackType


class ServedKernel:
    """A kernel of a notebook server: a context manager that starts and ends it.

    Args:
        url: The server's, with its token, as a user clicks on it.
        name: The kernelspec's.
    """

    def __init__(self, url: str, name: str = "python3") -> None:
        parts = urlsplit(url)
        path = parts.path if parts.path.startswith("/user/") else ""  # of a hub's
        self._base = f"{parts.scheme}://{parts.netloc}{path.rstrip('/')}"
        self._token = parse_qs(parts.query)["token"][0]
        self._name = name
        self._headers = {"Authorization": f"token {self._token}"}

    def __enter__(self) -> ServedKernel:
        answer = requests.post(
            f"{self._base}/api/kernels", json={"name": self._name}, headers=self._headers
        )
        answer.raise_for_status()
        self._id = answer.json()["id"]
        self._channels = _Channels(
            f"{self._base.replace('http', 'ws', 1)}/api/kernels/{self._id}/channels", self._headers
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channels.close()
        requests.delete(f"{self._base}/api/kernels/{self._id}", headers=self._headers)

    def run(self, code: str) -> Result:
        """Runs a cell to its end; one that builds an image waits for others' that build, too."""
        return Cell(self._channels, code).wait(4 * PATIENCE)


class _Channels:
    """The channels of a kernel behind a server."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._session = uuid.uuid4().hex
        self._messages: queue.Queue[dict[str, Any]] = queue.Queue()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._socket = self._wait(self._connect(HTTPRequest(url, headers=headers)))

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _connect(self, request: HTTPRequest) -> Any:
        return await websocket_connect(request, on_message_callback=self._take)

    def _take(self, text: str | bytes | None) -> None:
        if isinstance(text, str):
            message = json.loads(text)
            message["msg_type"] = message["header"]["msg_type"]
            if message["channel"] in ("iopub", "shell"):
                self._messages.put(message)

    def execute(self, code: str, *, allow_stdin: bool) -> str:
        identity = uuid.uuid4().hex
        header = {"msg_id": identity, "msg_type": "execute_request", "session": self._session}
        header |= {"username": "test", "version": "5.3", "date": ""}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        content |= {"allow_stdin": allow_stdin, "stop_on_error": True}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        text = json.dumps({**message, "buffers": [], "channel": "shell"})
        self._wait(self._send(text))
        return identity

    async def _send(self, text: str) -> None:
        await self._socket.write_message(text)

    def receive(self, timeout: float) -> list[dict[str, Any]]:
        with contextlib.suppress(queue.Empty):
            return [self._messages.get(timeout=timeout)]
        return []

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._socket.close)
        self._loop.call_soon_threadsafe(self._loop.stop)


class Folder:
    """The files of a folder over HTTP on the loopback address: a context manager.

    Attributes:
        requests: The paths asked for so far.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(str(folder)))

    def _handler(self, folder: str) -> Callable[..., SimpleHTTPRequestHandler]:
        requests = self.requests

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments, directory=folder)

            def log_message(self, *_: object) -> None:
                requests.append(self.path)

        return Handler

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Folder:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stops serving: from now on connections are refused."""
        self._server.shutdown()
        self._server.server_close()
