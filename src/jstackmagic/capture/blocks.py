"""The course of a script: which commands run in turn, which in branches, loops and functions."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import dropwhile
from textwrap import shorten
from typing import NamedTuple, Protocol

from ..model.shell import Operator, ShellCommand, Word
from ..model.words import listed
from . import Found
from .argv import Pipe, program_name
from .debian_tools import is_repair
from .effects import ASSIGNMENT
from .handed import file_of
from .state import State

_LOOPS = ("for", "while", "until", "select")
_KEYWORDS = listed(
    "if then elif else fi while until for select do done case esac { } ! function in time"
)
_CONDITIONS = listed("[ [[ test grep egrep fgrep command which type hash true false : diff cmp")
"""Commands that test something: what follows one by ``&&`` may not run."""
_QUIET = listed("cd export set unset true : shopt pushd popd alias")
_ENDS = listed("exit return false break continue")
NEVER = "never"
"""The condition of a branch that no run takes, such as that of ``if False``."""
_CHOOSING = frozenset(listed("if case [ [[ test continue break"))
"""Words of a loop that passes some of the lines over."""
_NOT_EMPTY = re.compile(r"\[\[? -n \S+ \]\]?")
_WIDTH = 90  # characters of a condition that is shown


class Branch(NamedTuple):
    """One branch of a block, with their numbers."""

    block: int
    number: int
    when: str = ""  #: what it runs under, as ``if this holds: [ -f x ]``; empty if it always runs


Path = tuple[Branch, ...]
"""The place of a find: a branch of each enclosing block."""

_numbers = itertools.count()


class Runner(Protocol):
    """The reader of the commands."""

    def command(
        self,
        command: ShellCommand,
        words: tuple[Word, ...],
        state: State,
        pipe: Pipe | None,
        following: object,
    ) -> Iterator[Found]:
        """Yield the finds of one command, and change the state as it does."""

    def piped(
        self, command: ShellCommand, words: tuple[Word, ...], state: State, pipe: Pipe | None
    ) -> Pipe:
        """Return the pipeline with a command more."""

    def between(self, start: int, end: int) -> str:
        """Return the text from one character to another, on one line."""

    def line_of(self, start: int) -> int:
        """Return the line of a character."""


@dataclass
class _Block:
    """A block that is open: ``if``, ``loop``, ``case``, ``{``, ``(`` or the script itself."""

    kind: str
    state: State  #: the state that its commands use and change
    start: int = 0  #: its first character
    number: int = field(default_factory=_numbers.__next__)
    base: State | None = None  #: the state at the start of each branch
    ends: list[State] = field(default_factory=list)  #: the states after the branches so far
    branch: int = 0  #: the number of the branch
    tests: list[str] = field(default_factory=list)  #: what was tested for its branches so far
    tested_at: int = 0  #: the first character of the test that is open
    list_at: int = -1  #: the first character of the and-or list
    when: str = ""  #: what the list's alternative runs under; empty if it always runs
    covered: bool = False  #: whether one of its branches always runs
    list_number: int = field(default_factory=_numbers.__next__)
    #: the state before the and-or list, if part of it may not run; None if all does
    first: State | None = None
    #: the states after the list's alternatives so far
    others: list[State] = field(default_factory=list)
    alternative: int = 0  #: the number of the list's alternative
    checked: bool = False  #: whether the last command of the list only tests something
    ended: bool = False  #: whether it leaves the script
    pattern: bool = False  #: whether a pattern of ``case`` comes next
    printed: str | None = ""  #: what a group prints; None if only the run can tell
    fetched: bool = False  #: whether a download is among it

    def settle(self) -> None:
        """End the and-or list."""
        if self.first is not None:
            ends = [*self.others, *([] if self.ended else [self.state.snapshot()])]
            self.state.merge(ends or [self.first])
        self.first, self.others, self.alternative = None, [], 0
        self.list_at, self.when = -1, ""
        self.checked = self.ended = False
        self.list_number = next(_numbers)

    def list_operator(self, text: str, before: str) -> None:
        """Go on with the list after ``&&`` or ``||``.

        Args:
            before: The list so far, as typed.
        """
        if text == "&&" and self.checked:
            self.when = f"if this holds: {before}"
            if self.first is None:
                self.first = self.state.snapshot()
                self.others.append(self.first)
        elif text == "||":
            self.when = f"if this fails: {before}"
            self.others.append(self.state.snapshot())
            if self.first is None:
                self.first = self.state.snapshot()
            self.alternative += 1
        self.checked = self.ended = False

    def flow(self, end: int) -> Pipe:
        """Return what a group up to a character hands on."""
        return Pipe(self.start, end, self.fetched, self.printed)

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
    """Walks the commands of a script in the order they run."""

    def __init__(self, runner: Runner, items: Sequence[ShellCommand | Operator]) -> None:
        self.runner = runner
        self.items = items
        self._uncalled: list[tuple[str, Sequence[ShellCommand | Operator]]] = []

    def of(self, items: Sequence[ShellCommand | Operator]) -> Course:
        """Return the course of a function's body."""
        return Course(self.runner, items)

    def called(self, body: Sequence[ShellCommand | Operator]) -> None:
        """Note that a function was called."""
        self._uncalled = [each for each in self._uncalled if each[1] is not body]

    def finds(self, state: State) -> Iterator[Found]:
        """Yield the finds; each alternative names the other."""
        finds = list(self._walk(state))
        for name, body in self._uncalled:  # a later line may call it
            unknown = state.snapshot()
            unknown.forget_all()
            unknown.functions.pop(name, None)
            start, end = body[0].start, body[-1].start
            line = Found(f"{name}()", self.runner.line_of(start))
            inner = Course(self.runner, body).finds(unknown)
            text = self.runner.between(start, end)
            inner = unknown.effort.followed(inner, end - start, line, text)
            finds += [(found, ()) for found in inner]
        yield from alternatives(finds)

    def _walk(self, state: State) -> Iterator[tuple[Found, Path]]:
        self._blocks = [_Block("script", state)]
        self._closed: _Block | None = None
        pipe: Pipe | None = None
        at = 0
        while at < len(self.items):
            item = self.items[at]
            following = self.items[at + 1] if at + 1 < len(self.items) else None
            piped = isinstance(following, Operator) and following.text in ("|", "|&")
            if isinstance(item, ShellCommand):
                if item.defines and item.words and item.words[0].text == "{":
                    at = self._define(item.defines, at)
                    continue
                outer = self._blocks[-1]
                words = self._keywords(item, at, pipe)
                top = self._blocks[-1]
                for block in (outer, top):
                    if block.list_at < 0:
                        block.list_at = words[0].start if block is top and words else item.start
                if self._closed is not None and not words:  # what a group prints flows on
                    words = (Word("cat"),)
                    pipe = self._closed.flow(item.end)
                self._closed = None
                own = top.state.subshell() if pipe is not None or piped else top.state
                for found in self.runner.command(item, words, own, pipe, following):
                    yield found, self._path()
                if words:
                    name = program_name(words[0])
                    top.checked = name in _CONDITIONS or self._negated
                    top.ended = name in _ENDS
                grouped = top.kind in ("(", "{") and bool(words)
                flow = self.runner.piped(item, words, own, pipe) if piped or grouped else None
                if grouped and not piped and flow is not None:
                    quiet = any(">" in each.operator for each in item.redirections)
                    text = "" if quiet or program_name(words[0]) in _QUIET else flow.text
                    known = top.printed is not None and text is not None
                    top.printed = f"{top.printed}{text}" if known else None
                    top.fetched |= flow.fetched
                pipe = flow if piped else None
            else:
                self._operator(item)
                if item.text not in ("|", "|&", "\n"):
                    pipe = None
                if piped and (group := self._closed) is not None:
                    pipe = group.flow(item.start + 1)
            at += 1
        while self._blocks:
            self._blocks.pop().close()

    def _path(self) -> Path:
        path: list[Branch] = []
        for block in self._blocks:
            if block.kind in ("if", "case"):
                path.append(Branch(block.number, block.branch, _under(block)))
            path.append(Branch(block.list_number, block.alternative, block.when))
        return tuple(path)

    # -- operators

    def _operator(self, item: Operator) -> None:
        top = self._blocks[-1]
        if item.text == "(" and top.pattern:
            pass
        elif item.text == "(":
            top.list_at = item.start if top.list_at < 0 else top.list_at
            self._blocks.append(_Block("(", top.state.subshell(), item.start))
        elif item.text == ")" and top.kind == "(":
            self._close()
        elif item.text == ")" and top.kind == "case":
            top.pattern = False
        elif item.text in (";;", ";&", ";;&") and top.kind == "case":
            top.next_branch()
            top.pattern = True
        elif item.text in ("&&", "||"):
            before = self.runner.between(top.list_at, item.start) if top.list_at >= 0 else ""
            top.list_operator(item.text, before)
        elif item.text in (";", "&", "\n"):
            top.settle()

    # -- the shell's own words

    def _keywords(self, command: ShellCommand, at: int, pipe: Pipe | None) -> tuple[Word, ...]:
        """Open and close blocks by the words at a command's head; return the words behind them."""
        words = list(command.words)
        self._negated = False
        while words and words[0].text in _KEYWORDS and not words[0].quoted:
            word, at_word = words[0].text, words[0].start
            top = self._blocks[-1]
            if word == "time" and words[1:] and words[1].text not in _KEYWORDS:
                break
            words.pop(0)
            if word == "!":
                self._negated = True
            elif word in (*_LOOPS, "if", "case", "{"):
                kind = "loop" if word in _LOOPS else word
                block = _Block(kind, top.state, command.start)
                block.base = None if word == "{" else top.state.snapshot()
                block.tested_at, block.pattern = at_word + len(word), word == "case"
                self._blocks.append(block)
                named = word in ("for", "select")
                if kind == "loop":
                    self._loop(words[0].text if words and named else "", at, words, pipe)
                elif kind == "case":
                    subject = itertools.takewhile(lambda each: each.text != "in", words)
                    block.tests = [" ".join(each.text for each in subject)]
                if named or kind == "case":
                    return ()
            elif word in ("elif", "else") and top.kind == "if":
                top.next_branch()
                top.covered, top.tested_at = word == "else", at_word + len(word)
            elif (word, top.kind) in (("fi", "if"), ("done", "loop"), ("esac", "case"), ("}", "{")):
                self._close()
            elif word == "function":
                words = words[1:]
            elif word == "in":
                return ()
            elif word == "then":
                top.settle()
                if top.kind == "if":
                    top.tests.append(self.runner.between(top.tested_at, at_word))
        if self._blocks[-1].pattern and words:
            self._blocks[-1].covered |= words[-1].text == "*"
            return ()
        return tuple(words)

    def _close(self) -> None:
        block = self._blocks.pop()
        block.close()
        outer = self._blocks[-1]
        if block.kind in ("(", "{"):
            self._closed = block
        if outer.kind in ("(", "{"):
            outer.printed = None
            outer.fetched |= block.fetched

    def _loop(self, name: str, at: int, words: Sequence[Word], pipe: Pipe | None) -> None:
        """Treat a variable of a loop as unknown: it changes with each turn."""
        block = self._blocks[-1]
        end = self._end(at, _LOOPS, "done")
        body = [item for item in self.items[at:end] if isinstance(item, ShellCommand)]
        names = {name} if name else set()
        reads: set[str] = set()
        for command in body:
            heads = [*dropwhile(lambda w: w.text in _KEYWORDS and not w.quoted, command.words)]
            while heads and (match := ASSIGNMENT.match(heads[0].text)):
                names.add(match[1])
                del heads[0]
            if heads and heads[0].text == "read":
                reads |= {word.text for word in heads[1:] if not word.text.startswith("-")}
        block.state.forget(*sorted(names | reads))
        scripts = (script for word in words for script in word.scripts)
        listed = next(filter(None, map(file_of, scripts)), "")
        file = listed if name else pipe.file if pipe else ""
        last = self.items[end] if end < len(self.items) else None
        if isinstance(last, ShellCommand):
            inputs = [r.target for r in last.redirections if r.operator == "<"]
            for target in inputs[-1:]:
                file = "".join(map(file_of, target.scripts)) if target.holes else target.text
        texts = (" ".join(word.text for word in command.words) for command in body)
        chosen = any(_CHOOSING & set(_NOT_EMPTY.sub("", text).split()) for text in texts)
        for each in ({name} if name else reads) if file and not chosen else ():
            block.state.origins[f"${each}"] = block.state.origins[f"${{{each}}}"] = file

    def _end(self, at: int, opens: Container[str], closes: str) -> int:
        """Return the number of the item that ends the block which the one at ``at`` begins."""
        depth = 0
        for number in range(at, len(self.items)):
            item = self.items[number]
            if isinstance(item, ShellCommand):
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
        assert isinstance(first, ShellCommand)
        body = [replace(first, words=first.words[1:], defines=""), *self.items[at + 1 : end]]
        self._blocks[-1].state.functions[name] = (self, body)
        self._uncalled.append((name, body))
        return end + 1


def _under(block: _Block) -> str:
    """Return what the branch of a block runs under; empty for a test that is always made."""
    if len(block.tests) == 1 and block.tests[0] in ("true", ":", "false"):
        return NEVER if (block.tests[0] == "false") != bool(block.branch) else ""
    if block.kind == "case":
        return f"in one case of {block.tests[0]}"
    if block.branch < len(block.tests):
        return f"if this holds: {block.tests[-1]}"
    return f"if this does not hold: {'; '.join(block.tests)}" if block.tests else ""


def alternatives(finds: Iterable[tuple[Found, Path]]) -> Iterator[Found]:
    """Say of finds in branches what they run under, and of which others only one runs."""
    finds = list(finds)
    branches: dict[int, dict[int, list[Found]]] = {}
    for found, path in finds:
        never = any(place.when == NEVER for place in path)
        for place in path if not (never or is_repair(found)) else ():
            branches.setdefault(place.block, {}).setdefault(place.number, []).append(found)
    differ = {
        number: by_branch
        for number, by_branch in branches.items()
        if len({tuple((f.request, f.target) for f in each) for each in by_branch.values()}) > 1
    }
    for found, path in finds:
        others = [
            other.command
            for place in path
            for its, each in differ.get(place.block, {}).items()
            if its != place.number and not is_repair(found)
            for other in each
        ]
        if any(place.when == NEVER for place in path):
            yield replace(found, request=None, reason="It never runs: its condition is constant.")
            continue
        alone = [place.when for place in path if len(branches.get(place.block, "")) == 1]
        conditions = [shorten(each, _WIDTH, placeholder="…") for each in filter(None, alone)]
        when = [f"It runs only {each}." for each in dict.fromkeys(conditions)]
        if others:
            shown = "; ".join(" ".join(other.split()) for other in dict.fromkeys(others))
            when.append(f"It is one of alternatives, of which one runs; the other: {shown}")
        yield replace(found, when=" ".join(filter(None, (found.when, *when)))) if when else found
