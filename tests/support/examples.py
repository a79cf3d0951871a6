"""The blocks of a page of the documentation: what each one is, and what it promises.

In ``docs/`` a block is a ``{code-block}``, in the README and CONTRIBUTING (which GitHub and PyPI
show) a plain fence, each with a lexer: ``ipython3`` (there ``python``) is a cell, ``console`` is
commands after ``$ `` (and ``> ``, where one goes on) with what they show, if anything, below. A
comment after it says what it promises:

- ``<!-- shows: TEXT -->``: it is run, and TEXT is seen; of ``ONE … TWO`` first one, then the other.
- ``<!-- shows nothing -->``: it is run, and nothing at all is seen.
- ``<!-- fails: ERROR -->``: it is run, and ends with that error (a command: ``failed``), or so with
  ``ERROR … TEXT`` to be seen.
- ``<!-- output -->``: a ``text`` block, and what the block before it shows: numbers, ids and spaces
  apart, where ``…`` stands for anything. That one needs no comment of its own, if it succeeds.
- ``<!-- file: NAME -->``: a file that lies there from now on, for the reader that it is meant for.
- ``<!-- picture -->``: a drawing.
- ``<!-- not run: WHY -->``.

Words before that say where, if not here: ``in a container`` of the Docker Stacks that has the
engine's socket, ``here and in a container``, or ``beside the engine`` in a terminal. Blocks of the
README below ``<!-- NOTEBOOK: CELL -->`` are what the committed notebooks show, which have their own
tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HERE, CONTAINER, BOTH, ENGINE = (
    *("", "in a container", "here and in a container", "beside the engine"),
)

RUN = ("shows", "shows nothing", "fails")
_MARKS = (*RUN, "output", "file", "picture", "not run")
_SHOWN_ELSEWHERE = ("README.md", "CONTRIBUTING.md")
_NO_EXAMPLE = ("{image}", "{toctree}")

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>.*)\n(?P<code>(?:.*\n)*?)(?P=indent)```\n", re.MULTILINE
)
_COMMENT = re.compile(
    rf"<!-- (?:(?P<place>{BOTH}|{CONTAINER}|{ENGINE}), )?"
    rf"(?P<mark>{'|'.join(sorted(_MARKS, key=len, reverse=True))})"
    r"(?:: (?P<words>(?:(?!-->)[\s\S])*?))? -->\n"
)
_NO_COMMENT = re.compile("(?P<place>)(?P<mark>)(?P<words>)").match("")
_NOTEBOOK = re.compile(r"<!-- \w+: \w+ -->\n\Z")
_INDENTED = re.compile(r"(?:\A|\n)\n {4}.*")
_LIST = re.compile(r"^ *(?:[-*]|\d+\.) .*(?:\n(?: {2,}.*)?)*", re.MULTILINE)


class Unclear(Exception):
    """A block that is not in the convention: say what it is."""


@dataclass(frozen=True)
class Example:
    """A block.

    Attributes:
        line: Where it begins in the page.
        kind: Its lexer.
        mark: What its comment begins with; empty where a block of output is its promise.
        place: Where it is run.
        output: What it shows, where the page has that as a block.
    """

    line: int
    kind: str
    code: str
    mark: str
    words: str
    place: str
    output: str | None = None

    @property
    def is_run(self) -> bool:
        return self.mark in ("", *RUN)

    def is_at(self, place: str) -> bool:
        """Whether it is run here, or where there is an engine."""
        here = self.place in (HERE, BOTH) if place == HERE else self.place != HERE
        return self.is_run and here

    @property
    def is_cell(self) -> bool:
        return self.kind in ("ipython3", "python")

    def commands(self) -> str:
        """What bash is given."""
        lines = [line[2:] for line in self.code.splitlines() if line.startswith(("$ ", "> "))]
        return "\n".join(lines)


def examples(page: Path) -> list[Example]:
    """The examples of a page, in their order.

    Raises:
        Unclear: A block does not say what it is.
    """
    text = page.read_text()
    found: list[Example] = []
    prose, end = "", 0
    for fence in _FENCE.finditer(text):
        prose += text[end : fence.start()]
        end = fence.end()
        if fence["info"].startswith(_NO_EXAMPLE) or _NOTEBOOK.search(text, 0, fence.start()):
            continue
        line = text.count("\n", 0, fence.start()) + 1
        directive, _, kind = fence["info"].rpartition(" ")
        if not kind or directive != ("" if page.name in _SHOWN_ELSEWHERE else "{code-block}"):
            raise Unclear(f"{page.name}, line {line}: say what this is, with a lexer")
        code = re.sub(rf"^{fence['indent']}", "", fence["code"], flags=re.MULTILINE)
        said = (_COMMENT.match(text, end) or _NO_COMMENT).groupdict(default="")
        if said["mark"] == "output":
            if not found or found[-1].mark not in ("", "fails") or found[-1].output is not None:
                raise Unclear(f"{page.name}, line {line}: the output of what?")
            found[-1] = replace(found[-1], output=code)
            continue
        output = None
        if kind == "console":
            shown = [each for each in code.splitlines() if not each.startswith(("$ ", "> "))]
            output = "\n".join(shown) if shown else None
        found.append(Example(line, kind, code, output=output, **said))
    for each in found:
        _check(page, each)
    indented = _INDENTED.search(_LIST.sub("", prose + text[end:]))
    if indented:
        raise Unclear(f"{page.name}: make this a block with a lexer: {indented[0].strip()}")
    return found


def _check(page: Path, example: Example) -> None:
    where = f"{page.name}, line {example.line}"
    if not example.mark and example.output is None:
        raise Unclear(f"{where}: say what this shows, or what else it is")
    if example.is_run and not example.is_cell and example.kind != "console":
        raise Unclear(f"{where}: this cannot be run: a cell is ipython3, a command console")
    if example.kind == "console" and not example.commands():
        raise Unclear(f"{where}: a command begins with '$ '")
    if (example.words == "") != (example.mark in ("", "shows nothing", "picture")):
        raise Unclear(f"{where}: say what, after a colon")


# What is seen


def pieces_in(words: str, shown: str) -> bool:
    """Whether the pieces between the dots are seen, in their order."""
    pieces = [re.escape(" ".join(piece.split())) for piece in words.split("…")]
    return re.search(".*?".join(pieces), _narrow(shown), re.DOTALL) is not None


def is_shown(output: str, shown: str) -> bool:
    """Whether a block of output is what is shown."""
    expected = ".*?".join(re.escape(_settled(part)) for part in output.strip().split("…"))
    return re.fullmatch(expected, _settled(shown.strip()), re.DOTALL) is not None


def _settled(text: str) -> str:
    """Without what differs from run to run: numbers and ids."""
    return re.sub(r"\b[0-9a-f]*\d[0-9a-f]*(?:[.:+T-]\d+)*\b", "N", _narrow(text))


def _narrow(text: str) -> str:
    """Without colours, and in lines that are no wider than their words."""
    return re.sub(r"[ ─]+", " ", re.sub(r"\x1b\[[\d;]*m", "", text))
