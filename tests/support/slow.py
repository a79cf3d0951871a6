"""A conda channel behind a slow line: what it holds takes seconds to fetch, so that it is seen."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from .channel import ChannelBuilder, File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 1_500_000  # bytes, of random data, which nothing compresses


class _Slow(http.server.SimpleHTTPRequestHandler):
    """Sends archives in twelve pieces, with a pause behind each."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, pause: float, **options: object) -> None:
        self._pause = pause
        super().__init__(*arguments, **options)  # type: ignore[arg-type]

    def copyfile(self, source, outputfile) -> None:  # type: ignore[no-untyped-def]
        slow = self.path.endswith(".conda")
        while data := source.read(SIZE // 12):
            outputfile.write(data)
            if slow:
                time.sleep(self._pause)

    def log_message(self, *_arguments: object) -> None:
        """Nothing: a test's output is its own."""


@contextlib.contextmanager
def slow_channel(folder: Path, *, pause: float = 0.2) -> Iterator[str]:
    """Serves a channel with one package, ``large`` 1.0; yields its address.

    The archive comes in twelve pieces, with so many seconds behind each.
    """
    builder = ChannelBuilder(folder)
    builder.add_package("large", "1.0", files={"share/large": File(os.urandom(SIZE))})
    builder.index()
    handler = partial(_Slow, directory=str(builder.folder), pause=pause)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
