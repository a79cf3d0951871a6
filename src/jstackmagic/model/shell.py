"""Shell text as words, redirections and operators.

The grammar is that of POSIX's Shell Command Language (XCU 2) with what notebooks use of bash:
``<<<``, ``&>``, ``|&``, ``$'…'``, process substitution, array assignment. Nothing is expanded: what
the shell would fill in at run time stays in the word as a *hole*.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from .words import listed

MAX_DEPTH = 10
"""The depth to which nested commands are followed: people nest two or three."""

SHELLS = ("sh", "bash", "zsh", "dash", "ksh", "ash")

PASSING_ON = listed(
    "command builtin coproc numactl systemd-run chronic retry eatmydata catchsegv proxychains"
    " proxychains4 torify torsocks unshare tsp xvfb-run fakechroot taskset chrt cpulimit runuser"
    " gosu pkexec su-exec s6-setuidgid chpst tini dumb-init catatonit strace ltrace arch setarch"
    " caffeinate nocache firejail setpriv watch flock ionice nice nohup setsid stdbuf time timeout"
    " unbuffer"
)
"""Programs that run the command among their words in the same place."""

_BLANK = " \t\r\f\v"
_ENDS_WORD = frozenset(_BLANK + "\n;&|()<>")
_OPERATORS = ("&&", "||", ";;&", ";;", ";&", "|&", ";", "&", "|", "(", ")", "\n")
_REDIRECTIONS = ("&>>", "&>", "<<<", "<<-", "<<", "<>", "<&", ">>", ">|", ">&", "<", ">")
_BEFORE = ("if", "elif", "then", "else", "while", "until", "do", "for", "!", "{", "time")
"""The shell's own words that a command follows."""
_NAME = re.compile(r"[A-Za-z_]\w*|\d|[@*#?$!-]")
_DOTTED = re.compile(r"[a-z_]\w*(?:\.[A-Za-z_]\w*)+")
"""IPython's ``$sys.executable``: to the shell the name would end at the dot."""
_ANSI_C = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str  #: its text without quotes, holes as typed
    #: the parts known only at run time: ``$HOME``, ``$(nproc)``, ``{sys.executable}``
    holes: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()  #: the commands inside its command and process substitutions
    #: whether it has an unquoted ``*`` or ``?``. ``[`` begins more extras of a requirement than
    #: patterns, and reaches pip if no file fits.
    pattern: bool = False
    quoted: bool = False  #: whether any of it is quoted
    start: int = 0  #: its start in the text that was read
    end: int = 0
    #: for each hole, its start and end in ``text``, and whether it is quoted
    spans: tuple[tuple[int, int, bool], ...] = ()
    #: of its expansions, those like ``${NAME:-text}`` of which it has the text
    assumed: tuple[str, ...] = ()

    @property
    def assumption(self) -> str:
        """A sentence on what it takes for unset; empty without."""
        names = [re.sub(r"\W.*", "", hole[2:], flags=re.DOTALL) for hole in self.assumed]
        pairs = zip(names, self.assumed, strict=True)
        said = (f"`${name}` is taken as unset." for name, _ in pairs)
        return " ".join(dict.fromkeys(said))

    def tail(self, length: int) -> Word:
        """Return the word without its first ``length`` characters."""
        return self.part(length, len(self.text)) if length else self

    def part(self, start: int, end: int) -> Word:
        """Return the characters from ``start`` to ``end``, with their holes."""
        places = self._places()
        first, last = bisect_left(places, (start,)), bisect_left(places, (end,))
        last -= last > first and places[last - 1][1] > end
        return replace(
            self,
            text=self.text[start:end],
            holes=self.holes[first:last],
            spans=tuple((at - start, to - start, said) for at, to, said in places[first:last]),
        )

    def pieces(self) -> Iterator[tuple[str, bool, bool]]:
        """Yield the text in pieces: each with whether it is a hole, and whether it is quoted.

        For a piece that is not a hole the last is unknown, and False.
        """
        at = 0
        for start, end, quoted in self._places():
            if at < start:
                yield self.text[at:start], False, False
            yield self.text[start:end], True, quoted
            at = end
        if at < len(self.text):
            yield self.text[at:], False, False

    def _places(self) -> tuple[tuple[int, int, bool], ...]:
        """Return the spans of the holes; a word that no shell read has them by their texts."""
        if len(self.spans) == len(self.holes):
            return self.spans
        found, at = [], 0
        for hole in self.holes:
            start = max(self.text.find(hole, at), 0)
            at = start + len(hole)
            found.append((start, at, True))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Redirection:
    """One redirection of a command."""

    #: ``>``, ``<<``, …, with the number of a file descriptor before it where one stands
    operator: str
    target: Word  #: the file, or the delimiter of a here-document
    start: int  #: its start in the text that was read
    body: str = ""  #: the here-document


@dataclass(frozen=True, slots=True)
class ShellCommand:
    """A simple command."""

    words: tuple[Word, ...]
    redirections: tuple[Redirection, ...]
    start: int
    end: int
    problem: str = ""  #: why the shell would refuse it; empty if it would not
    defines: str = ""  #: the function whose body it begins; empty without one


@dataclass(frozen=True, slots=True)
class Operator:
    """A token between commands: ``&&``, ``|``, ``(``, a newline."""

    text: str
    start: int


def parse(text: str, *, braces: bool = False) -> tuple[ShellCommand | Operator, ...]:
    """Read a script; every text gives a result.

    Args:
        braces: Whether ``{expression}`` is a hole and ``{{`` a brace, as in IPython's shell escapes
            and in f-strings.
    """
    return tuple(_Reader(text, braces=braces).items())


def words_of(text: str, *, braces: bool = False) -> list[Word]:
    """Return the words of a script's commands, without what is between them; see `parse`."""
    items = parse(text, braces=braces)
    return [word for item in items if isinstance(item, ShellCommand) for word in item.words]


class _Reader:
    def __init__(self, text: str, *, braces: bool, at: int = 0, depth: int = 0) -> None:
        self.text = text
        self.braces = braces
        self.at = at
        self.depth = depth
        self._words: list[Word] = []
        self._redirections: list[Redirection] = []
        self._start = -1
        self._end = at
        self._problem = ""
        self._defines = ""
        self._cases = 0
        self._after_documents = 0  # where to go on when the line of a here-document ends

    # -- commands

    def items(self, *, nested: bool = False) -> Iterator[ShellCommand | Operator]:
        """Commands and operators; where nested, up to the ``)`` that closes a substitution."""
        depth = 0
        while self.at < len(self.text):
            operator = self._next()
            if operator == "(" and self._words and not self._only_keywords():
                self._after_words()
            elif operator:
                if nested and operator == ")" and depth == 0 and not self._open_cases():
                    break
                depth += {"(": 1, ")": -1}.get(operator, 0)
                start = self.at
                self.at += len(operator)
                if operator == "\n":
                    self.at = max(self.at, self._after_documents)
                yield from self._command()
                yield Operator(operator, start)
        yield from self._command()

    def _next(self) -> str:
        """Read one thing of a command, or return the operator that ends it."""
        text, at = self.text, self.at
        if text[at] in _BLANK:
            self.at += 1
        elif text.startswith("\\\n", at):
            self.at += 2
        elif text[at] == "#":
            end = text.find("\n", at)
            self.at = len(text) if end < 0 else end
        elif (
            text.startswith("((", at) and self._only_keywords() and self._arithmetic()
        ) or self._redirection():
            pass
        elif text.startswith(("<(", ">("), at) or text[at] not in _ENDS_WORD:
            self._begin()
            self._words.append(self._word())
            self._end = self.at
        else:
            return next(op for op in (*_OPERATORS, text[at]) if text.startswith(op, at))
        return ""

    def _only_keywords(self) -> bool:
        """Return whether a command may begin here: no word but the shell's own stands before."""
        return all(word.text in _BEFORE and not word.quoted for word in self._words)

    def _arithmetic(self) -> bool:
        """Read ``((expression))`` as ``let`` does; return False for two subshells."""
        if not (self.text.startswith("((", self.at) and self._only_keywords()):
            return False
        at = self._closing(self.at + 1, "()") - 1
        if not self.text.startswith("))", at):
            return False
        said = _said(self.text)
        first = bisect_left(said, self.at)
        if first < len(said) and said[first] < at:
            return False
        self._begin()
        inside = Word(self.text[self.at + 2 : at], quoted=True, start=self.at, end=at + 2)
        if self._words and self._words[-1].text == "for":
            name = re.match(r"\s*(\w*)", inside.text)
            self._words.append(replace(inside, text=name[1] if name else ""))
        else:
            self._words += [replace(inside, text="let"), inside]
        self.at = self._end = at + 2
        return True

    def _begin(self) -> None:
        if self._start < 0:
            self._start = self.at

    def _after_words(self) -> None:
        """Read a ``(`` after words: a function's definition, or a mistake."""
        definition = re.compile(r"\(\s*\)").match(self.text, self.at)
        said = self._words[0].text == "function"
        if definition and len(self._words) == 1 + said:
            self.at = definition.end()
            defined = self._words[-1].text
            self._forget()
            self._defines = defined
        else:
            self._problem = self._problem or "the shell does not expect the ( in it"
            self.at += 1
            self._end = self.at

    def _open_cases(self) -> int:
        """Return how many ``case`` are open, in each of which a ``)`` ends a pattern."""
        words = [word.text for word in self._words[:2]]
        if words and words[0] in ("do", "then", "else", "{"):
            del words[0]
        return self._cases + (words[:1] == ["case"]) - (words[:1] == ["esac"])

    def _command(self) -> Iterator[ShellCommand]:
        self._cases = self._open_cases()
        words = self._words
        if len(words) > 1 and words[0].text == "function" and not words[0].quoted:
            defined, self._words = words[1].text, words[2:]  # function NAME {
            if not self._words:
                self._forget()
            self._defines = defined
        if self._start >= 0:
            yield ShellCommand(
                words=tuple(self._words),
                redirections=tuple(self._redirections),
                start=self._start,
                end=self._end,
                problem=self._problem,
                defines=self._defines,
            )
            self._defines = ""
        self._forget()

    def _forget(self) -> None:
        self._words, self._redirections = [], []
        self._start, self._problem = -1, ""

    # -- redirections

    def _redirection(self) -> bool:
        text, start = self.text, self.at
        at = start
        while text[at : at + 1].isdigit():
            at += 1
        operator = next((op for op in _REDIRECTIONS if text.startswith(op, at)), "")
        if not operator or (at > start and operator[0] == "&"):
            return False
        if text.startswith("(", at + 1) and len(operator) == 1:
            return False  # process substitution
        self._begin()
        self.at = at + len(operator)
        self._skip_blanks()
        target = self._word()
        body = self._here_document(target.text, operator) if operator in ("<<", "<<-") else ""
        self._redirections.append(Redirection(text[start:at] + operator, target, start, body))
        self._end = self.at
        return True

    def _skip_blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK:
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            else:
                return

    def _here_document(self, delimiter: str, operator: str) -> str:
        """Return the lines after this one, up to the delimiter; the reader stays where it is."""
        newline = self.text.find("\n", self.at)
        at = max(self._after_documents, len(self.text) if newline < 0 else newline + 1)
        lines = []
        while at < len(self.text):
            end = self.text.find("\n", at)
            end = len(self.text) if end < 0 else end
            line = self.text[at:end]
            at = end + 1
            if operator == "<<-":
                line = line.lstrip("\t")
            if line.rstrip("\r") == delimiter:
                break
            lines.append(line)
        self._after_documents = at
        return "\n".join(lines)

    # -- words

    def _word(self) -> Word:
        word = _Growing(self.at)
        while self.at < len(self.text):
            char = self.text[self.at]
            if self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text.startswith(("<(", ">("), self.at):
                self._substitution(word)
            elif char == "(" and re.fullmatch(r"\w+\+?=", word.text):
                self._array(word)
            elif char in _ENDS_WORD:
                break
            elif char == "'":
                self._single_quoted(word)
            elif char == '"':
                self._double_quoted(word)
            else:
                self._unquoted(word)
        return word.finished(self.at)

    def _unquoted(self, word: _Growing) -> None:
        char = self.text[self.at]
        following = self.text[self.at + 1 : self.at + 2]
        if char == "\\":
            word.add(following)
            word.quoted = True
            self.at += 2
        elif char == "$" and following == "'":
            self._ansi_c_quoted(word)
        elif char == "$" and following == '"':
            self.at += 1
        elif not self._hole(word):
            word.pattern = word.pattern or char in "*?"
            word.add(char)
            self.at += 1

    def _single_quoted(self, word: _Growing) -> None:
        word.quoted = word.inside = True
        end = self.text.find("'", self.at + 1)
        end = self._unclosed() if end < 0 else end
        self.at += 1
        while self.at < end:
            # IPython's and f-strings' braces know nothing of the shell's quotes
            if not self._brace(word):
                word.add(self.text[self.at])
                self.at += 1
        word.inside = False
        self.at = end + 1

    def _double_quoted(self, word: _Growing) -> None:
        word.inside = True
        self._up_to_double_quote(word)
        word.inside = False

    def _up_to_double_quote(self, word: _Growing) -> None:
        word.quoted = True
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("\\", '"', "$", "`", "\n"):
                escaped = self.text[self.at + 1]
                word.add("" if escaped == "\n" else escaped)
                self.at += 2
            elif not self._hole(word):
                word.add(char)
                self.at += 1
        self._unclosed()

    def _ansi_c_quoted(self, word: _Growing) -> None:
        word.quoted = True
        self.at += 2
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == "'":
                return
            if char == "\\":
                escaped = self.text[self.at : self.at + 1]
                char = _ANSI_C.get(escaped, escaped)
                self.at += 1
            word.add(char)
        self._unclosed()

    def _unclosed(self) -> int:
        self._problem = "a quote in it is not closed"
        return len(self.text)

    def _array(self, word: _Growing) -> None:
        if self.depth == MAX_DEPTH:
            inner = self.text.find(")", self.at)
            end = inner if inner >= 0 else len(self.text)
        else:
            reader = _Reader(self.text, braces=self.braces, at=self.at + 1, depth=self.depth + 1)
            for _ in reader.items(nested=True):
                pass
            end = reader.at
        word.add(self.text[self.at : end + 1])
        self.at = min(end + 1, len(self.text))

    # -- holes

    def _hole(self, word: _Growing) -> bool:
        """Read a hole if one begins here."""
        if self.text[self.at] == "`":
            self._backquoted(word)
            return True
        return self._dollar(word) if self.text[self.at] == "$" else self._brace(word)

    def _dollar(self, word: _Growing) -> bool:
        start = self.at
        if self._is_arithmetic(start):
            self._hole_up_to(word, self._closing(start + 1, "()"))
        elif self.text.startswith("$(", start):
            self._substitution(word)
        elif self.text.startswith("${", start):
            self._hole_up_to(word, self._closing(start + 1, "{}"))
        else:
            name = self.braces and _DOTTED.match(self.text, start + 1)
            name = name or _NAME.match(self.text, start + 1)
            if not name:
                return False
            self._hole_up_to(word, name.end())
        return True

    def _is_arithmetic(self, start: int) -> bool:
        """Return whether ``$((`` ends with ``))``: else bash reads a subshell in a ``$(…)``."""
        if not self.text.startswith("$((", start):
            return False
        return self.text.startswith(")", self._closing(start + 2, "()"))

    def _substitution(self, word: _Growing) -> None:
        if self.depth == MAX_DEPTH:
            self._hole_up_to(word, len(self.text))
            return
        inner = _Reader(self.text, braces=self.braces, at=self.at + 2, depth=self.depth + 1)
        for _ in inner.items(nested=True):
            pass
        word.scripts.append(self.text[self.at + 2 : inner.at])
        self._hole_up_to(word, min(inner.at + 1, len(self.text)))

    def _backquoted(self, word: _Growing) -> None:
        match = re.compile(r"`((?:[^`\\]|\\.)*)(?:`|$)", re.DOTALL).match(self.text, self.at)
        end = match.end() if match else len(self.text)
        word.scripts.append(re.sub(r"\\([`$\\])", r"\1", match[1] if match else ""))
        self._hole_up_to(word, end)

    def _brace(self, word: _Growing) -> bool:
        if not self.braces or self.text[self.at] not in "{}":
            return False
        if self.text[self.at : self.at + 2] in ("{{", "}}"):
            word.add(self.text[self.at])
            self.at += 2
            return True
        end = self._closing(self.at, "{}")
        inner = self.text[self.at + 1 : end - 1]
        # of "{}", "{ a; b; }" and "{" Python's formatter makes nothing: they reach the shell
        if self.text[self.at] == "}" or not inner.strip() or re.search(r"[;\n]", inner):
            return False
        self._hole_up_to(word, end)
        return True

    def _closing(self, opening: int, pair: str) -> int:
        """Return the place after the bracket that closes the one at ``opening``."""
        return _closers(self.text, pair).get(opening, len(self.text) - 1) + 1

    def _hole_up_to(self, word: _Growing, end: int) -> None:
        hole = self.text[self.at : end]
        word.add_hole(hole)
        self.at = end


@lru_cache(maxsize=8)
def _closers(text: str, pair: str) -> dict[int, int]:
    """Map each opening bracket to its closing one, in quotes or not, in one pass."""
    opened, found = [], {}
    for match in re.finditer(f"[{re.escape(pair)}]", text):
        if match[0] == pair[0]:
            opened.append(match.start())
        elif opened:
            found[opened.pop()] = match.start()
    return found


@lru_cache(maxsize=8)
def _said(text: str) -> list[int]:
    """Return the places of quotes and of two words in a row, which no arithmetic has."""
    words = r"(?=(?<![A-Za-z_])[A-Za-z_]\w*\s+-?[A-Za-z_]|[\"'`])"
    return [match.start() for match in re.finditer(words, text)]


class _Growing:
    """A word while it is read."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.parts: list[str] = []
        self.length = 0
        self.holes: list[str] = []
        self.spans: list[tuple[int, int, bool]] = []
        self.inside = False  # double quotes
        self.scripts: list[str] = []
        self.pattern = False
        self.quoted = False

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def add_hole(self, hole: str) -> None:
        self.holes.append(hole)
        self.spans.append((self.length, self.length + len(hole), self.inside))
        self.add(hole)

    def finished(self, end: int) -> Word:
        return Word(
            text=self.text,
            holes=tuple(self.holes),
            scripts=tuple(self.scripts),
            pattern=self.pattern,
            quoted=self.quoted,
            start=self.start,
            end=end,
            spans=tuple(self.spans),
        )
