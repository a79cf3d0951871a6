"""Pictures of what a browser shows; the published ones have a digest of what was to be seen.

A run of the tests keeps them in `.pictures`. Those of the README are made by the same run, which
also finds out whether the published ones still show what is there now; to publish those of a run:

    JSTACKMAGIC_PICTURES=publish python -m pytest tests/test_browser.py
"""

from __future__ import annotations

import hashlib
import re
import shutil
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

REPOSITORY = Path(__file__).resolve().parent.parent.parent
FOLDER = REPOSITORY / ".pictures"
PUBLISHED = REPOSITORY / "docs" / "images"

_KEYWORD = b"jstackmagic-shows"


def take(page: Page, name: str, *, height: float | None = None, shows: Sequence[str] = ()) -> None:
    """Takes a picture of a page from its top, `height` pixels of it; one that is to be published
    has `shows`, the parts of the page that it is about, as text or HTML."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.png"
    size = page.viewport_size
    assert size is not None
    clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"]}
    data = page.screenshot(clip=clip, caret="hide")  # type: ignore[arg-type]
    path.write_bytes(_with_text(data, digest(shows).encode()))
    if shows and cache.ENVIRON.get("JSTACKMAGIC_PICTURES") == "publish":
        PUBLISHED.mkdir(exist_ok=True)
        shutil.copy(path, PUBLISHED)


def digest(parts: Sequence[str]) -> str:
    """What tells parts of a page from others, without what differs from run to run."""
    # numbers, ids, and the places of this run
    text = re.sub(r"\b[0-9a-f]{8}\.\d+|/[\w./-]+|\d+", "N", "\n".join(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def shows(path: Path) -> str:
    """The digest of what was to be seen when a picture was taken; empty where it has none."""
    data = path.read_bytes()
    at = 8  # a signature, then chunks: length, kind, data, checksum (https://www.w3.org/TR/png-3)
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        if kind == b"tEXt" and body.startswith(_KEYWORD):
            return body.partition(b"\0")[2].decode()
        at += 12 + length
    return ""


def _with_text(data: bytes, text: bytes) -> bytes:
    body = b"tEXt" + _KEYWORD + b"\0" + text
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:33] + chunk + data[33:]  # after the first chunk, whose size is fixed
