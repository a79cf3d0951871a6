"""A conda channel behind a slow line: what it holds is fetched for as long as a test wants."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
import time
from functools import partial
from itertools import count
from threading import Semaphore
from typing import TYPE_CHECKING

from .channel import ChannelBuilder, File
from .kernels import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 1_500_000  # bytes, of random data, which nothing compresses
PIECES = 12


class _Slow(http.server.SimpleHTTPRequestHandler):
    """Sends archives in pieces, with a pause behind each; holds where something is to be seen."""

    protocol_version = "HTTP/1.1"

    def __init__(
        self, *arguments: object, pause: float, seen: Semaphore | None, **options: object
    ) -> None:
        self._pause, self._seen = pause, seen
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        slow = self.path.endswith(".conda")
        for number in count():
            if not (data := source.read(SIZE // PIECES)):
                break
            if slow and self._seen and number in (PIECES // 2, PIECES - 1):
                self._seen.acquire(timeout=PATIENCE)
            outputfile.write(data)
            if slow:
                time.sleep(self._pause)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: a test's output is its own."""


@contextlib.contextmanager
def slow_channel(
    folder: Path, *, pause: float = 0.2, seen: Semaphore | None = None
) -> Iterator[str]:
    """Serves a channel with one package, ``large`` 1.0; yields its address.

    The archive comes in twelve pieces, with so many seconds behind each. In the middle, and before
    the last, it waits until `seen` is released by whoever has seen what is to be seen by then.
    """
    builder = ChannelBuilder(folder)
    builder.add_package("large", "1.0", files={"share/large": File(os.urandom(SIZE))})
    builder.index()
    handler = partial(_Slow, directory=str(builder.folder), pause=pause, seen=seen)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        if seen:
            seen.release(2)
        server.shutdown()
        server.server_close()
