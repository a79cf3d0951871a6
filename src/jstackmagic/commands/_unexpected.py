"""An unexpected error: a few lines, all of it in a file, and how to report it."""

from __future__ import annotations

import os
import traceback
from contextlib import suppress

from ..io.files import write_file
from ..io.runtime import own_runtime_folder
from ..model.credentials import mask
from ..model.errors import Interrupted, JStackMagicError
from ..version import __version__

_VARIABLE = "JSTACKMAGIC_TRACEBACK"
_KEPT = "What was done before it stays; see %envhistory."


class Unexpected(JStackMagicError):
    """Something went wrong that no verb has words for."""


def unexpected(error: BaseException) -> BaseException:
    """Return the error to show for one that is not ours; itself, if the user wants it whole."""
    if isinstance(error, KeyboardInterrupt):
        return Interrupted("Interrupted.", kept=_KEPT)
    if os.environ.get(_VARIABLE):
        return error
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename is not None else ""
        return Unexpected(f"{mask(where)}{error.strerror}.", kept=_KEPT, advice=_whole(error))
    said = mask(" ".join(str(error).split()))[:500]
    return Unexpected(
        f"This is a bug in jstackmagic {__version__}:"
        f" {type(error).__name__}{': ' if said else ''}{said}",
        kept=_KEPT,
        advice=(*_whole(error), "Report it, with that, to the project's issues."),
    )


def _whole(error: BaseException) -> tuple[str, ...]:
    """Keep the traceback in this container's own folder, and return where."""
    again = f"To have it shown next time, set {_VARIABLE}=1"
    with suppress(OSError):
        path = own_runtime_folder() / "traceback.txt"
        text = "".join(traceback.format_exception(error))
        write_file(path, mask(text).encode("utf-8", "backslashreplace"), mode=0o600)
        return (f"All of it is in {path}.", again)
    return (again,)
