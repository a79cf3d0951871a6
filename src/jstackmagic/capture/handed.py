"""Lists that a shell hands over, such as ``$(cat FILE)``, and what filters leave of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from itertools import repeat
from typing import NamedTuple

from ..model.options import OptionTable
from ..model.shell import ShellCommand, Word, parse
from ..model.words import listed
from .programs import program_name

_PASSING = listed("cat tr sort uniq echo tee dos2unix xargs")
"""Programs that pass all lines on."""
_BLANK = r"(?:(?:\\s|\[?\[:space:\]\]?| )[*+]?)*"
_COMMENTS = rf"(?:\^?{_BLANK}#(?:\.\*)?|\^{_BLANK}\$|\^{_BLANK}\\?\((?:#\\?\|\$|\$\\?\|#)\\?\))"
_LEFT = re.compile(rf"{_COMMENTS}(?:\\?\|{_COMMENTS})*|/{_COMMENTS}/d|s/{_BLANK}#\.\*//g?")
"""What ``grep -v`` and ``sed`` leave out, where it is but comments and empty lines."""


def file_of(script: str, piped: str = "") -> str:
    r"""Return the file whose lines a script passes on, all but comments; empty if it is unclear.

    Args:
        piped: The file whose lines flow into it.

    >>> file_of("grep -v '^#' a.txt | tr -d '\r'"), file_of("cat a.txt | grep -v six")
    ('a.txt', '')
    """
    file = piped
    for item in parse(script):
        if not isinstance(item, ShellCommand):
            continue
        words = item.words[1:]
        name = program_name(item.words[0]) if item.words else "cat"  # $(<FILE)
        if name in FILTERS and name not in _PASSING:
            _, given = FILTERS[name].read(words)
            inverted = name == "sed" or "--invert-match" in given
            patterns = given.get("--regexp", [])
            if not inverted or not all(_LEFT.fullmatch(each.text) for each in patterns):
                return ""
        elif name not in _PASSING:
            return ""
        inputs = [r.target for r in item.redirections if r.operator == "<"]
        last = inputs[-1] if inputs else words[-1] if words else None
        if last is not None and (
            inputs or re.search(r"\.[A-Za-z]{2,5}$|[\w-]+/[\w.-]+$", last.text)
        ):
            if last.holes:
                return ""
            file = last.text
    return file


# Texts

CHANGED = re.compile(r"\$\{(\w+)((?:%%?|##?|//?|\^\^|,,|:(?=\d)).*)\}", re.DOTALL)
"""An expansion that leaves out or replaces a part of a value: ``${NAME%.*}``."""

_QUOTED = re.compile(r"'[^'*?/]*'|\"[^\"*?/]*\"")
_LONGEST = 1000  # characters: each beginning and end is held against the pattern


def shortened(value: str, change: str) -> str | None:
    """Return what a shell makes of a value by ``%``, ``#``, ``/`` and their like; None if unclear.

    >>> shortened("11.8.0", "%.*"), shortened("11.8.0", "%%.*"), shortened("11.8.0", "//'.'/_")
    ('11.8', '11', '11_8_0')
    """
    match = re.match(r"(%%|%|##|#|//|/|\^\^|,,|:)(.*)", change, re.DOTALL)
    if match is None or re.search(r"[$`\\\[]", match[2]):
        return None
    operator, pattern = match[1], _QUOTED.sub(lambda part: part[0][1:-1], match[2])
    if re.search("['\"]", pattern):
        return None
    if operator == ":":
        part = re.fullmatch(r"(\d+)(?::(\d+))?", pattern)
        return part and value[int(part[1]) :][: int(part[2]) if part[2] else None]
    if operator in ("^^", ",,"):
        return None if pattern else value.upper() if operator == "^^" else value.lower()
    if operator in ("/", "//"):
        old, _, new = pattern.partition("/")
        if not old or set(old) & set("*?#%"):
            return None
        return value.replace(old, new, -1 if operator == "//" else 1)
    if len(value) > _LONGEST:
        return None
    parts = [(at, value[at:] if operator[0] == "%" else value[:at]) for at in range(len(value) + 1)]
    ends = [at for at, part in parts if fnmatchcase(part, pattern)]
    if not ends:
        return value
    at = ends[0] if operator in ("%%", "#") else ends[-1]
    return value[:at] if operator[0] == "%" else value[at:]


def unescaped(text: str) -> str:
    """Return a text with what ``echo -e`` and ``printf`` make of its backslashes."""
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0")


def formatted(words: list[str]) -> str | None:
    """Return what ``printf`` prints; None for a format that is not followed."""
    if not words:
        return None
    form, *values = words
    pieces = re.split(r"%[sbdq]", unescaped(form))
    count = len(pieces) - 1
    if any("%" in piece for piece in pieces) or (values and not count):
        return None
    text = "" if count else pieces[0]
    for at in range(0, max(len(values), 1) if count else 0, count or 1):
        given = [*values[at : at + count], *[""] * count][:count]
        text += "".join(map("".join, zip(pieces, [*given, ""], strict=True)))
    return text


_MOST_STEPS = 10**7  # of matching a pattern, which take a second


_GREP = OptionTable.of(
    valued="""
    -e/--regexp -f/--file -m/--max-count -A/--after-context -B/--before-context -C/--context
    -d/--directories -D/--devices --include --exclude --exclude-dir --exclude-from --label
    """,
    flags="""
    -v/--invert-match -i/-y/--ignore-case -E/--extended-regexp -F/--fixed-strings -P/--perl-regexp
    -G/--basic-regexp -w/--word-regexp -x/--line-regexp -h/--no-filename -s/--no-messages -a/--text
    --color/--colour --line-buffered
    """,
)
_KINDS = {"--extended-regexp", "--fixed-strings", "--perl-regexp", "--basic-regexp"}
_FOLLOWED = {
    *("--invert-match", "--ignore-case", "--word-regexp", "--line-regexp", "--text", "--colour"),
    *("--no-filename", "--no-messages", "--line-buffered", *_KINDS),
}
_READ_OTHERWISE = re.compile(  # by Python: escapes, anchors amid a basic pattern, brackets, (?
    r"\\(?![wWsS])[\w<>`']|\[[^]]*(?:\\|--|&&|~~|\|\||\[[.=])|\[\[(?!:)|(?:\A|\])[^[]*\[:|\(\?"
)
_REPEATED_TWICE = re.compile(r"(?<!\\)[*+?}][+?]")


def _matching(pattern: str, flags: set[str]) -> re.Pattern[str] | None:
    """Return a pattern of grep's as Python's; None for one that is not followed."""
    kind = "".join(flags & _KINDS)
    if kind == "--fixed-strings":
        python = re.escape(pattern)
    else:
        if _READ_OTHERWISE.search(pattern):
            return None
        python = pattern.replace("[[:space:]]", r"\s").replace("[:space:]", r"\s")
        if kind in ("", "--basic-regexp"):  # what a backslash makes an operator, and keeps one
            python = re.sub(r"\\?[(){}|+?]", lambda at: at[0][1:] or rf"\{at[0]}", python)
            if re.search(r"(?<=[^(|\[])\^|\$(?=[^)|])", python):
                return None
        if "[:" in python:  # another class of characters
            return None
        if _REPEATED_TWICE.search(python):
            return None
    if "--word-regexp" in flags:
        python = rf"(?<!\w)(?:{python})(?!\w)"
    if "--line-regexp" in flags:
        python = rf"^(?:{python})$"
    try:
        return re.compile(python, re.IGNORECASE if "--ignore-case" in flags else 0)
    except re.error:
        return None


def _searches(said: list[str], flags: set[str], text: str) -> list[re.Pattern[str]] | None:
    """Return patterns as Python's; None for one that is not followed, or takes too long."""
    wanted = [found for each in said if (found := _matching(each, flags))]
    for each in wanted:
        # each repetition multiplies the time by a line's length, and that of a group by far more
        power = len(re.findall(r"(?<!\\)[*+{]", each.pattern)) + (each.pattern[:1] != "^")
        steps = sum(len(line) ** power for line in _lines(text)) << each.pattern.count("?")
        if steps > _MOST_STEPS or re.search(r"(?<!\\)\)[*+{]", each.pattern):
            return None
    return wanted if len(wanted) == len(said) else None


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _grep(text: str, patterns: list[str], flags: set[str]) -> str | None:
    """Return the lines that ``grep`` leaves; None for options or a pattern that is not followed."""
    said = [each for pattern in patterns for each in pattern.split("\n")]
    wanted = _searches(said, flags, text)
    if flags - _FOLLOWED or len(flags & _KINDS) > 1 or wanted is None:
        return None
    left = "--invert-match" in flags
    return _text(line for line in _lines(text) if any(e.search(line) for e in wanted) != left)


def _sed(text: str, commands: list[str], flags: set[str]) -> str | None:
    """Return the text after ``sed`` took lines or parts of them out; None for other commands."""
    left: str | None = None if flags - {"-E", "-r"} else text
    kinds = {"--extended-regexp"} if flags else set()
    for command in (each for said in commands for each in re.split(r";\s*", said)):
        line = re.fullmatch(r"/([^/]+)/d", command)
        part = re.fullmatch(r"s/([^/]+)//(g?)", command)
        if part and left:
            wanted = _searches([part[1]], kinds, left)
            # of several matches from one place, sed takes the longest, and Python the first
            if wanted is None or re.search(r"(?<!\\)[(|]", wanted[0].pattern):
                return None
            left = _text(wanted[0].sub("", each, count=not part[2]) for each in _lines(left))
        else:
            left = _grep(left, [line[1]], {"--invert-match", *kinds}) if left and line else None
    return left


def _translated(text: str, words: list[str], flags: set[str]) -> str | None:
    """Return the text after ``tr`` changed or deleted white space; None for other characters."""
    if not all(re.fullmatch(r"(?:\\[nrt]|\s)+", each) for each in words):
        return None
    sets = [unescaped(each).replace("\\r", "\r") for each in words]
    if len(sets) != 2 - len(flags) or flags - {"-d"}:
        return None
    new = "" if flags else sets[1].ljust(len(sets[0]), sets[1][-1])
    return text.translate(dict(zip(map(ord, sets[0]), new or repeat(None), strict=False)))


class TextFilter(NamedTuple):
    """A program that passes on a text that is known, some of it left out."""

    #: what it makes of a text, its patterns and its other options; None if not followed
    run: Callable[[str, list[str], set[str]], str | None]
    patterns: int = 0  #: how many words are no files, unless an option names the patterns
    options: OptionTable = OptionTable({})

    def read(self, words: Sequence[Word]) -> tuple[list[Word], dict[str, list[Word]]]:
        """Return its files, and the values of each option; patterns are those of ``--regexp``."""
        files: list[Word] = []
        given: dict[str, list[Word]] = {}
        for name, _, at, begin in self.options.walk([word.text for word in words]):
            values = given.setdefault(name, []) if name else files
            values += [] if at is None else [words[at].tail(begin)]
        if not given.keys() & {"--regexp", "--file"}:
            given["--regexp"], files = files[: self.patterns], files[self.patterns :]
        return files, given


FILTERS = {
    **dict.fromkeys(
        ("cat", "xargs", "dos2unix"), TextFilter(lambda text, _, flags: None if flags else text)
    ),
    "tee": TextFilter(lambda text, *_: text),
    "grep": TextFilter(_grep, 1, _GREP),
    "egrep": TextFilter(lambda t, ps, flags: _grep(t, ps, flags | {"--extended-regexp"}), 1, _GREP),
    "fgrep": TextFilter(lambda t, ps, flags: _grep(t, ps, flags | {"--fixed-strings"}), 1, _GREP),
    "sed": TextFilter(_sed, 1, OptionTable.of(valued="-e/--expression/--regexp")),
    "tr": TextFilter(_translated, 2),
    "sort": TextFilter(lambda text, *_: _text(sorted(_lines(text)))),
}


def number_of(node: ast.expr) -> int | float | None:
    """Return the value of a number, or of a sum or product of numbers; None of anything else."""
    if isinstance(node, ast.Constant):
        known = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        return node.value if known else None  # type: ignore[return-value]
    if not isinstance(node, ast.BinOp):
        return None
    left, right = number_of(node.left), number_of(node.right)
    if left is None or right is None:
        return None
    if isinstance(node.op, ast.Add):
        return left + right
    if isinstance(node.op, ast.Sub):
        return left - right
    return left * right if isinstance(node.op, ast.Mult) else None
