"""Complete a word of a verb: for Tab in notebooks and terminals.

Nothing here asks a network. Names of packages come from jstackmagic's own list, from
conda's and rattler's caches of their channels, and from the installed packages.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import names as verbs
from . import parser as parser_of
from ._values import installed, packages, values_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..session import Session

    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

LIMIT = 300
"""Names of packages given at once: more than anybody scrolls through."""


def complete(
    verb: str, words: Sequence[str], token: str, session: Session, *, body: bool = False
) -> list[str]:
    """Return the completions of the last word of a verb's line.

    Args:
        words: The whole words before the last.
        token: The last word so far; may be empty.
        body: Whether it is in the body of ``%%envinstall``, where there are no options.

    Returns:
        Whole words, the likeliest first; empty if unknown.
    """
    if verb not in verbs() or "--" in words:
        return []
    if body:
        return _ordered(packages(token, words), token)
    parser, words = _innermost(parser_of(verb, magic=True), list(words))
    if isinstance(parser, argparse._SubParsersAction):
        return _ordered(parser.choices or (), token)
    option, equals, value = token.partition("=")
    if token.startswith("--") and equals:
        action = parser._option_string_actions.get(option)
        found = values_of(action, value, words, session) if action else ()
        return [f"{option}={each}" for each in _ordered(found, value)]
    pending = parser._option_string_actions.get(words[-1]) if words else None
    if pending is not None and pending.nargs != 0:
        values = _ordered(values_of(pending, token, words[:-1], session), token)
        if pending.nargs is None or values:
            return values
    if token.startswith("-"):
        return _ordered(_options(parser), token)
    return _ordered(_positional(parser, token, words, verb, session), token)


def _ordered(found: Iterable[str], token: str) -> list[str]:
    every = dict.fromkeys(found)
    exact = [each for each in every if each.startswith(token)]
    return (exact or [each for each in every if each.lower().startswith(token.lower())])[:LIMIT]


# What stands where


def _innermost(
    parser: argparse.ArgumentParser, words: list[str]
) -> tuple[
    argparse.ArgumentParser | argparse._SubParsersAction[argparse.ArgumentParser], list[str]
]:
    """Return the parser of the named sub-command, or the choice of one without a name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for at, word in enumerate(words):
                if word in action.choices:
                    return _innermost(action.choices[word], words[at + 1 :])
            return action, words
    return parser, words


def _options(parser: argparse.ArgumentParser) -> list[str]:
    long = [name for name in parser._option_string_actions if name.startswith("--")]
    return long + [name for name in parser._option_string_actions if not name.startswith("--")]


def _positional(
    parser: argparse.ArgumentParser, token: str, words: list[str], verb: str, session: Session
) -> Iterable[str]:
    for action in parser._actions:
        if action.option_strings or isinstance(action, argparse._SubParsersAction):
            continue
        if action.dest == "specs":
            return installed(token, words) if verb == "remove" else packages(token, words)
        return values_of(action, token, words, session)
    return ()
