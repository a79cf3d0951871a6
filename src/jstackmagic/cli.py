"""The terminal's surface: every verb of ``commands`` as ``jstackmagic <verb>``."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from . import commands
from .model.errors import JStackMagicError, UsageError
from .version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .display import Displayed


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; the exit status is 0, 1 for a failure, 2 for a usage error."""
    words = list(sys.argv[1:] if argv is None else argv)
    if "COMP_LINE" in os.environ and "COMP_POINT" in os.environ:
        return _complete(words)
    from .display.live import take_every_letter

    for stream in (sys.stdout, sys.stderr):
        take_every_letter(stream)
    try:
        return _run(words)
    except JStackMagicError as error:
        _say(error, words)
        return error.exit_status
    except BrokenPipeError:  # the reader of our output has gone; that is its right
        sys.stderr.close()
        return 0
    except (Exception, KeyboardInterrupt) as error:
        from .commands._unexpected import unexpected

        found = unexpected(error)
        if not isinstance(found, JStackMagicError):
            raise
        _say(found, words)
        return found.exit_status


def _run(words: list[str]) -> int:
    verbs = commands.names()
    if not words or words[0] in ("-h", "--help"):
        print(_overview(verbs))
        return 0
    if words[0] in ("-V", "--version"):
        print(f"jstackmagic {__version__}")
        return 0
    verb, *rest = words
    if verb not in verbs:
        from difflib import get_close_matches

        near = get_close_matches(verb, verbs, n=1)
        raise UsageError(
            f"{verb!r} is not a verb.",
            advice=(
                *(f"Did you mean {name}?" for name in near),
                f"jstackmagic {'|'.join(verbs)}, each with --help",
            ),
        )
    from .display.live import stream_console
    from .session import Session

    with closing(stream_console(sys.stderr, _show)) as console:
        result, as_json = commands.execute(verb, rest, Session(shown=console))
        console.result(result, as_json=as_json)
    return result.exit_status


def _show(result: Displayed, as_json: bool) -> None:
    """Print a result: what programs read on standard output, and remarks on it beside that."""
    from .display import as_text, json_text
    from .model.text import for_terminal

    if as_json:
        _write(f"{json_text(result)}\n")
    elif result.document is None:
        print(as_text(result.parts(), words=for_terminal))
    else:
        _write(result.document)
        remarks = as_text(result.remarks(), words=for_terminal)
        print(remarks, end="\n" if remarks else "", file=sys.stderr)


def _write(text: str) -> None:
    """Write what programs read, in UTF-8 whatever the locale, as files are written."""
    if sys.stdout is None:  # it was closed: jstackmagic export conda >&-
        raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    sys.stdout.write(text)
    sys.stdout.flush()


def _complete(words: list[str]) -> int:
    """Print what the word at the cursor can become, as bash asks after ``complete -C jstackmagic``.

    Bash gives the line in two variables, and the word as it sees it, which begins after a colon or
    an equals sign: that much of each answer is left out.
    """
    from .commands._complete import complete
    from .session import Session

    try:
        line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode()
        before, token = line.rsplit(maxsplit=1) if not line[-1:].isspace() else (line, "")
        _, *given = before.split()
        found = complete(given[0], given[1:], token, Session()) if given else list(commands.names())
        seen = words[1] if len(words) > 1 else token
        cut = len(token) - len(seen) if token.endswith(seen) else 0
        for each in found if given else (name for name in found if name.startswith(token)):
            print(each[cut:])
    except Exception:  # nothing may be written between the letters that the user types
        return 1
    return 0


def _overview(verbs: Sequence[str]) -> str:
    width = max(map(len, verbs))
    lines = ["Install into an environment, keep the record, make it permanent.", ""]
    for verb in verbs:
        doc = (commands.load(verb).__doc__ or "").strip().split("\n", 1)[0]
        lines.append(f"  jstackmagic {verb.ljust(width)}  {doc}")
    return "\n".join([*lines, "", "jstackmagic VERB --help says more."])


def _say(error: JStackMagicError, words: Sequence[str]) -> None:
    from .model.text import for_terminal, readable

    error.problem, error.kept = for_terminal(error.problem), for_terminal(error.kept)
    error.advice = tuple(map(for_terminal, error.advice))
    if commands.wants_json(words) and sys.stdout is not None:
        from .display import json_text

        _write(f"{json_text(error)}\n")
    coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    name = "\x1b[31mjstackmagic\x1b[0m" if coloured else "jstackmagic"
    lines = [error.problem.removeprefix("jstackmagic "), *([error.kept] if error.kept else [])]
    lines += [f"  → {line}" for line in error.advice]
    print(f"{name}: {readable(chr(10).join(lines))}", file=sys.stderr)
