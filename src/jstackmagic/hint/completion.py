"""Tab, in IPython: the words after ``%envverb``, and those in the body of ``%%envinstall``.

A matcher of IPython's second kind (8.6 and newer), which notebooks, consoles and terminals ask.
``%load_ext jstackmagic`` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell

    Completer = Callable[[str, list[str], str, bool], list[str]]

_LINE = r"\s*(?:[\w, ]+=\s*)?%%?env([a-z]+)\s+(.*)"  # a magic's result may be assigned
_BODY = r"\s*%%envinstall\b(.*)"


def start(shell: InteractiveShell, complete: Completer) -> None:
    """Start to complete in a shell.

    Args:
        complete: Returns the completions, from a verb, the words before, the word so far,
            and True in the body of a cell.
    """
    try:
        from IPython.core.completer import context_matcher
    except ImportError:  # IPython 8.5 and older
        return

    def matcher(context: Any) -> dict[str, Any]:  # no partial: IPython asks for its __qualname__
        return _match(complete, context)

    _matchers(shell).append(context_matcher(priority=100, identifier=_NAME)(matcher))


def stop(shell: InteractiveShell) -> None:
    """End what `start` began."""
    matchers = _matchers(shell)
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", "") != _NAME]


_NAME = "jstackmagic"


def _matchers(shell: InteractiveShell) -> list[Any]:
    found: list[Any] = getattr(shell.Completer, "custom_matchers", [])
    return found


def _match(complete: Completer, context: Any) -> dict[str, Any]:
    """Return IPython's completions for Tab; it must not raise, or the user sees the error."""
    found: list[str] = []
    token = ""
    try:
        asked = _asked(context)
        if asked is not None:
            verb, words, token, body = asked
            found = complete(verb, words, token, body)
    except Exception:  # no help is better than a traceback between two letters
        found = []
    from IPython.core.completer import SimpleCompletion

    return {
        "completions": [SimpleCompletion(text=text, type="param") for text in found],
        "matched_fragment": token if found else context.token,
        "suppress": bool(found),
        "ordered": True,
    }


def _asked(context: Any) -> tuple[str, list[str], str, bool] | None:
    """Return the verb, the words before, the word at the cursor, whether it is a cell's body."""
    before = context.text_until_cursor
    if context.cursor_line > 0:
        head = re.match(_BODY, context.full_text)
        if head:
            words, token = _split(before)
            return "install", [*_split(f"{head[1]} ")[0], *words], token, True
    line = re.fullmatch(_LINE, before, re.DOTALL)
    if line is None:
        return None
    words, token = _split(line[2])
    return line[1], words, token, False


def _split(text: str) -> tuple[list[str], str]:
    """Return the whole words, and the begun one, without the quote that it may begin with."""
    from ..model.errors import UsageError
    from ..model.parsing import split_words

    found = re.search(r"\S*$", text)
    token = found[0] if found else ""
    try:
        words = split_words(text[: len(text) - len(token)])
    except UsageError:  # a quote is open
        words = text.split()[:-1]
    return words, token.lstrip("\"'")
