"""Writes ``reference.md`` from the verbs themselves: what argparse knows, nobody types again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jstackmagic import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

_HEAD = """\
# The verbs

In a notebook or IPython `%envVERB`, in a terminal `jstackmagic VERB`, with the same words.
`%envVERB?` and `jstackmagic VERB --help` say what this page says: it is made from the same source.
"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Have the page written before the pages are read."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True}


def write(app: Sphinx) -> None:
    """Write the page, unless it says the same already."""
    text = "\n".join(page())
    path = Path(app.srcdir, "reference.md")
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def page() -> Iterator[str]:
    """The page's lines."""
    yield _HEAD
    for name in commands.names():
        yield from verb(name)


def verb(name: str) -> Iterator[str]:
    """What one verb is for, with its examples and its arguments."""
    parser = commands.parser(name, magic=True)
    yield f"## `%env{name}`, `jstackmagic {name}`\n"
    yield from _description(parser.description or "")
    yield from _arguments(parser, level=3)


def _description(text: str) -> Iterator[str]:
    words, _, examples = text.partition("Examples:\n")
    yield f"{words.strip()}\n"
    if examples:
        shown = "\n".join(line.removeprefix("    ") for line in examples.rstrip().splitlines())
        yield f"```{{code-block}} ipython3\n{shown}\n```\n"


def _arguments(parser: argparse.ArgumentParser, *, level: int) -> Iterator[str]:
    yield f"```{{code-block}} text\n{parser.format_usage().strip()}\n```\n"
    rows = list(_rows(parser))
    if rows:
        yield "| argument | what it does |\n|---|---|"
        yield from rows
        yield ""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield f"{'#' * level} `{parser.prog} {name}`\n"
                yield f"{(each.description or '').strip()}\n"
                yield from _arguments(each, level=level + 1)


def _rows(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.dest == "help":
            continue
        shown = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        if action.option_strings and action.nargs != 0:
            value = action.metavar or "|".join(map(str, action.choices or [action.dest.upper()]))
            shown += f" {value}"
        words = (action.help or "").replace("%%", "%").replace("|", "\\|")
        yield f"| `{shown.replace('|', chr(92) + '|')}` | {words} |"
