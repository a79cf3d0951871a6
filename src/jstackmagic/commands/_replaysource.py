"""The source of a replay: this user's history, another one, a file of packages, or an image."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..history.file import History
from ..io.reading import path_of
from ..model.credentials import mask
from ..model.environment import Environment
from ..model.errors import JStackMagicError, UsageError
from ..model.record import Context, Record
from ..restore.homes import Home


def home_of(source: str, environments: Sequence[Environment], context: Context) -> Home:
    """Return the records of a history file or an image; of another file, one for each request.

    Args:
        source: A path, or an image's reference.
        environments: The environments for a file that names none.

    Returns:
        The records, and a note on what in a file is not understood, or goes elsewhere.

    Raises:
        UsageError: There is no such file and no such image, or the image has no history.
    """
    path = path_of(source)
    if not path.exists():
        return Home(_of_image(source))
    if path.is_file() and _is_history(path):
        return Home(History(path).records())
    from ..capture.planned import read_into

    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
        history = History(Path(folder, "history.jsonl"))
        captures, problems, _ = read_into(history, [str(path)], environments, context)
        notes = [
            note
            for captured in captures
            for note in (
                [f"Left out: {mask(captured.found.command.strip())} ({captured.reason})"]
                if captured.reason
                else captured.notes
            )
        ]
        notes += [f"{file}: {problem}" for file, problem in problems]
        found = history.records()
    if not found:
        raise UsageError(f"{path} is not a history, and asks for nothing.", advice=tuple(notes))
    return Home(found, tuple(dict.fromkeys(notes)))


def _is_history(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.readline(200)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return head.startswith(b'{"v":') and b'"event":' in head


def _of_image(source: str) -> Sequence[Record]:
    from ..history.file import IMAGE_HISTORY
    from ..image.engine.dockersdk import connect
    from ..image.engine.roots import content_of

    missing = f"There is no history {source}"
    if source.startswith(("/", ".", "~")):
        raise UsageError(f"{missing}.")
    try:
        engine = connect()
    except JStackMagicError as error:
        raise UsageError(
            f"{missing}, and images cannot be looked at: {error.problem}",
            advice=error.advice,
        ) from None
    content = content_of(engine, source, str(IMAGE_HISTORY))
    if content is None:
        raise UsageError(
            f"The image {source} holds no history: %envimage build did not make it.",
            advice="Where there is its Dockerfile: %envreplay --from Dockerfile",
        )
    with tempfile.TemporaryDirectory(prefix="jstackmagic-") as folder:
        path = Path(folder, "history.jsonl")
        path.write_bytes(content)
        return History(path).records()
