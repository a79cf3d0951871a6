"""The labels of an image: those of OCI, and our own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone

from ...history.built import history_id
from ...model.record import Record
from ...version import __version__

# https://github.com/opencontainers/image-spec/blob/main/annotations.md
CREATED = "org.opencontainers.image.created"
BASE = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"

RECIPE = "jstackmagic.recipe"
"""The hash of the Dockerfile, its base image and the files it copies."""

HISTORY = "jstackmagic.history"
"""The id of the first record of the history it was made from, which names that history."""

VERSION = "jstackmagic.version"
SERVER = "jstackmagic.server"
"""Of a container: the image it serves."""

STARTED_BY = "jstackmagic.started-by"
"""Of a container: the history of whoever started it."""


def labels(
    recipe: str, records: Sequence[Record], base: str, base_digest: str, *, now: str = ""
) -> dict[str, str]:
    """Return the labels of a new image.

    Args:
        now: ISO 8601, UTC; empty for this moment.
    """
    found = {
        CREATED: now or datetime.now(timezone.utc).isoformat(timespec="seconds"),
        BASE: base,
        BASE_DIGEST: base_digest,
        RECIPE: recipe,
        HISTORY: history_id(records),
        VERSION: __version__,
    }
    return {key: value for key, value in found.items() if value}


def recipe_hash(text: str, base: str, files: Sequence[tuple[str, bytes]]) -> str:
    """Return the hash of all that a build starts from.

    Args:
        base: The id of its base image; empty if unknown.
        files: Names and contents of the files it copies, in any order.
    """
    digest = hashlib.sha256()
    for name, content in (("", text.encode()), ("", base.encode()), *sorted(files)):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return digest.hexdigest()
