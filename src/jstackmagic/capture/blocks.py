"""The course of a script: which commands run in turn, which in branches, loops and functions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from .argv import listed, program_name
from .effects import ASSIGNMENT
from .shell import Command, Operator, Word
from .state import State

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from . import Found


_OPENS = {"if": "if", "while": "loop", "until": "loop", "for": "loop", "select": "loop"}
_KEYWORDS = listed(
    "if then elif else fi while until for select do done case esac { } ! function in time"
)
_CONDITIONS = listed("[ [[ test grep egrep fgrep command which type hash true false : diff cmp")
"""Commands that test something: what follows one by ``&&`` may not run."""
_ENDS = listed("exit return false break continue")

Path = tuple[tuple[int, int], ...]
"""The place of a find: a number for each enclosing block, and the branch of that block."""

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Pipe:
    """A pipeline as far as it is read.

    Attributes:
        start: Its first character.
        end: Its end so far.
        fetched: Whether a download flows in it.
        text: The text that flows in it; None if unknown.
        file: The file whose lines flow in it; empty if there is none.
    """

    start: int
    end: int
    fetched: bool
    text: str | None = None
    file: str = ""


class Runner(Protocol):
    """The reader of the commands."""

    def command(
        self, command: Command, words: tuple[Word, ...], state: State, pipe: Pipe | None, cut: str
    ) -> Iterator[Found]:
        """Yield the finds of one command, and change the state as it does."""

    def piped(
        self, command: Command, words: tuple[Word, ...], state: State, pipe: Pipe | None
    ) -> Pipe:
        """Return the pipeline with a command more."""

    def cut_by_ampersand(self, command: Command, following: object) -> str:
        """Return what an unquoted ``&`` in a URL does; empty without one."""


@dataclass
class _Block:
    """A block that is open: ``if``, ``loop``, ``case``, ``{``, ``(`` or the script itself.

    Attributes:
        state: The state that its commands use and change.
        base: The state at the start of each branch.
        ends: The states after the branches so far.
        branch: The number of the branch.
        covered: Whether one of its branches always runs.
        first: The state before the and-or list, if part of it may not run; None if all does.
        others: The states after the list's alternatives so far.
        alternative: The number of the list's alternative.
        checked: Whether the last command of the list only tests something.
        ended: Whether it leaves the script.
        pattern: Whether a pattern of ``case`` comes next.
    """

    kind: str
    state: State
    number: int = field(default_factory=_numbers.__next__)
    base: State | None = None
    ends: list[State] = field(default_factory=list)
    branch: int = 0
    covered: bool = False
    list_number: int = field(default_factory=_numbers.__next__)
    first: State | None = None
    others: list[State] = field(default_factory=list)
    alternative: int = 0
    checked: bool = False
    ended: bool = False
    pattern: bool = False

    def settle(self) -> None:
        """End the and-or list."""
        if self.first is not None:
            ends = [*self.others, *([] if self.ended else [self.state.snapshot()])]
            self.state.merge(ends or [self.first])
        self.first, self.others, self.alternative = None, [], 0
        self.checked = self.ended = False
        self.list_number = next(_numbers)

    def list_operator(self, text: str) -> None:
        """Go on with the list after ``&&`` or ``||``."""
        if text == "&&" and self.checked and self.first is None:
            self.first = self.state.snapshot()
            self.others.append(self.first)
        elif text == "||":
            self.others.append(self.state.snapshot())
            if self.first is None:
                self.first = self.state.snapshot()
            self.alternative += 1
        self.checked = self.ended = False

    def next_branch(self) -> None:
        """Begin another branch."""
        self.settle()
        assert self.base is not None
        self.ends.append(self.state.snapshot())
        self.state.become(self.base)
        self.branch += 1

    def close(self) -> None:
        """Merge the states that its branches leave."""
        self.settle()
        if self.base is not None:
            ends = [*self.ends, self.state.snapshot()]
            self.state.merge(ends if self.covered else [*ends, self.base])


class Course:
    """Walks the commands of a script in the order they run.

    Args:
        runner: Who reads a command.
        items: The script.
    """

    def __init__(self, runner: Runner, items: Sequence[Command | Operator]) -> None:
        self.runner = runner
        self.items = items
        self._uncalled: list[tuple[str, Sequence[Command | Operator]]] = []

    def of(self, items: Sequence[Command | Operator]) -> Course:
        """Return the course of a function's body."""
        return Course(self.runner, items)

    def called(self, body: Sequence[Command | Operator]) -> None:
        """Note that a function was called."""
        self._uncalled = [each for each in self._uncalled if each[1] is not body]

    def finds(self, state: State) -> Iterator[Found]:
        """Yield the finds; each alternative names the other."""
        finds = list(self._walk(state))
        for name, body in self._uncalled:  # a later line may call it
            unknown = state.snapshot()
            unknown.forget_all()
            unknown.functions.pop(name, None)
            finds += [(found, ()) for found in Course(self.runner, body).finds(unknown)]
        yield from alternatives(finds)

    def _walk(self, state: State) -> Iterator[tuple[Found, Path]]:
        self._blocks = [_Block("script", state)]
        pipe: Pipe | None = None
        at = 0
        while at < len(self.items):
            item = self.items[at]
            following = self.items[at + 1] if at + 1 < len(self.items) else None
            piped = isinstance(following, Operator) and following.text in ("|", "|&")
            if isinstance(item, Command):
                if item.defines and item.words and item.words[0].text == "{":
                    at = self._define(item.defines, at)
                    continue
                words = self._keywords(item, at, pipe)
                top = self._blocks[-1]
                own = top.state.subshell() if pipe is not None or piped else top.state
                path = self._path()
                cut = self.runner.cut_by_ampersand(item, following)
                for found in self.runner.command(item, words, own, pipe, cut):
                    yield found, path
                if words:
                    name = program_name(words[0])
                    top.checked = name in _CONDITIONS or self._negated
                    top.ended = name in _ENDS
                pipe = self.runner.piped(item, words, own, pipe) if piped else None
            else:
                self._operator(item)
                if item.text not in ("|", "|&", "\n"):
                    pipe = None
            at += 1
        while self._blocks:
            self._blocks.pop().close()

    def _path(self) -> Path:
        return tuple(
            pair
            for block in self._blocks
            for pair in (
                *(((block.number, block.branch),) if block.kind in ("if", "case") else ()),
                (block.list_number, block.alternative),
            )
        )

    # -- operators

    def _operator(self, item: Operator) -> None:
        top = self._blocks[-1]
        if item.text == "(" and top.pattern:
            pass
        elif item.text == "(":
            self._blocks.append(_Block("(", top.state.subshell()))
        elif item.text == ")" and top.kind == "(":
            top.close()
            self._blocks.pop()
        elif item.text == ")" and top.kind == "case":
            top.pattern = False
        elif item.text in (";;", ";&", ";;&") and top.kind == "case":
            top.next_branch()
            top.pattern = True
        elif item.text in ("&&", "||"):
            top.list_operator(item.text)
        elif item.text in (";", "&", "\n"):
            top.settle()

    # -- the shell's own words

    def _keywords(self, command: Command, at: int, pipe: Pipe | None) -> tuple[Word, ...]:
        """Open and close blocks by the words at a command's head; return the words behind them."""
        words = list(command.words)
        self._negated = False
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            word = words[0].text
            top = self._blocks[-1]
            if word == "time" and words[1:] and words[1].text not in _KEYWORDS:
                break
            words.pop(0)
            if word == "!":
                self._negated = True
            elif word in _OPENS or word in ("case", "{"):
                self._open(_OPENS.get(word, word))
                if word in ("for", "select", "case"):
                    self._loop(words[0].text if words and word != "case" else "", at, words, pipe)
                    return ()
                if word in ("while", "until"):
                    self._loop("", at, words, pipe)
            elif word in ("elif", "else") and top.kind == "if":
                top.next_branch()
                top.covered = word == "else"
            elif (word, top.kind) in (("fi", "if"), ("done", "loop"), ("esac", "case"), ("}", "{")):
                top.close()
                self._blocks.pop()
            elif word == "function":
                words = words[1:]
            elif word == "in":
                return ()
            elif word == "then":
                top.settle()
        if self._blocks[-1].pattern and words:
            self._blocks[-1].covered |= words[-1].text == "*"
            return ()
        return tuple(words)

    def _open(self, kind: str) -> None:
        state = self._blocks[-1].state
        base = None if kind == "{" else state.snapshot()
        self._blocks.append(_Block(kind, state, base=base, pattern=kind == "case"))

    def _loop(self, name: str, at: int, words: Sequence[Word], pipe: Pipe | None) -> None:
        """Treat a variable of a loop as unknown: it changes with each turn."""
        block = self._blocks[-1]
        if block.kind != "loop":
            return
        end = self._end(at, ("for", "while", "until", "select"), "done")
        body = [item for item in self.items[at:end] if isinstance(item, Command)]
        names = {name} if name else set()
        reads: set[str] = set()
        for command in body:
            heads = _own(command)
            for word in heads:
                match = ASSIGNMENT.match(word.text)
                if match is None:
                    break
                names.add(match[1])
            if heads and heads[0].text == "read":
                reads |= {word.text for word in heads[1:] if not word.text.startswith("-")}
        block.state.forget(*sorted(names | reads))
        file = _read_by(words) if name else pipe.file if pipe else ""
        last = self.items[end] if end < len(self.items) else None
        if isinstance(last, Command):
            inputs = [r.target.text for r in last.redirections if r.operator == "<"]
            file = inputs[-1] if inputs else file
        for each in ({name} if name else reads) if file else ():
            block.state.origins[f"${each}"] = block.state.origins[f"${{{each}}}"] = file

    def _end(self, at: int, opens: Container[str], closes: str) -> int:
        """Return the number of the item that ends the block which the one at ``at`` begins."""
        depth = 0
        for number in range(at, len(self.items)):
            item = self.items[number]
            if isinstance(item, Command):
                for word in item.words:
                    if word.quoted or word.text not in _KEYWORDS:
                        break
                    depth += (word.text in opens) - (word.text == closes)
                if depth <= 0:
                    return number
        return len(self.items)

    def _define(self, name: str, at: int) -> int:
        """Keep a function's body for its call; return the position after it."""
        end = self._end(at, "{", "}")
        first = self.items[at]
        assert isinstance(first, Command)
        body = [replace(first, words=first.words[1:], defines=""), *self.items[at + 1 : end]]
        self._blocks[-1].state.functions[name] = (self, body)
        self._uncalled.append((name, body))
        return end + 1


def _own(command: Command) -> tuple[Word, ...]:
    words = command.words
    while words and words[0].text in _KEYWORDS and not words[0].quoted:
        words = words[1:]
    return words


def _read_by(words: Sequence[Word]) -> str:
    """Return the file whose words a ``for`` goes through; empty if there is no such file."""
    from .handed import file_of

    return next(
        (file for word in words for script in word.scripts if (file := file_of(script))), ""
    )


def alternatives(finds: Iterable[tuple[Found, Path]]) -> Iterator[Found]:
    """Say of finds in different branches of one block that only one of them runs."""
    finds = list(finds)
    branches: dict[int, dict[int, list[Found]]] = {}
    for found, path in finds:
        for number, branch in path:
            branches.setdefault(number, {}).setdefault(branch, []).append(found)
    differ = {
        number: by_branch
        for number, by_branch in branches.items()
        if len({tuple((f.request, f.target) for f in each) for each in by_branch.values()}) > 1
    }
    for found, path in finds:
        others = [
            other.command
            for number, branch in path
            for its, each in differ.get(number, {}).items()
            if its != branch
            for other in each
        ]
        if others:
            shown = "; ".join(" ".join(other.split()) for other in dict.fromkeys(others))
            note = f"It is one of alternatives, of which one runs; the other: {shown}"
            yield replace(found, note=f"{found.note} {note}".strip())
        else:
            yield found
