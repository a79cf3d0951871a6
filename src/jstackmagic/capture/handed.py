"""Lists that a shell hands over, such as ``$(cat FILE)``, and what filters leave of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from ..model.shell import ShellCommand, parse
from ..model.words import listed
from .programs import program_name

_PASSING = listed("cat grep egrep sed awk tr cut head tail sort uniq echo tee dos2unix xargs")
"""Programs that pass a file's lines on."""


def file_of(script: str) -> str:
    """Return the file whose lines a script passes on; empty if there is none or it is unclear."""
    for item in parse(script):
        if not isinstance(item, ShellCommand) or not item.words:
            continue
        name = program_name(item.words[0])
        inputs = [r.target for r in item.redirections if r.operator == "<"]
        if inputs and not inputs[-1].holes:
            return inputs[-1].text
        if name not in _PASSING:
            return ""
        last = item.words[-1] if len(item.words) > 1 else None
        if last is not None and re.search(r"\.[A-Za-z]{2,5}$|[\w-]+/[\w.-]+$", last.text):
            return "" if last.holes else last.text
    return ""


# Texts

CHANGED = re.compile(r"\$\{(\w+)((?:%%?|##?|//?|\^\^|,,|:(?=\d)).*)\}", re.DOTALL)
"""An expansion that leaves out or replaces a part of a value: ``${NAME%.*}``."""


_LONGEST = 1000  # characters: each beginning and end is held against the pattern


def shortened(value: str, change: str) -> str | None:
    """Return what a shell makes of a value by ``%``, ``#``, ``/`` and their like; None if unclear.

    >>> shortened("11.8.0", "%.*"), shortened("11.8.0", "%%.*"), shortened("11.8.0", "//./_")
    ('11.8', '11', '11_8_0')
    """
    match = re.match(r"(%%|%|##|#|//|/|\^\^|,,|:)(.*)", change, re.DOTALL)
    if match is None or re.search(r"[$`\\\[]", match[2]):
        return None
    operator, pattern = match.groups()
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


def _grep(text: str, pattern: str, options: list[str]) -> str | None:
    """Return the lines that ``grep`` leaves; None for options or a pattern that is not followed."""
    letters = "".join(option.lstrip("-") for option in options)
    # Python reads a backslash in brackets otherwise, and marks of words
    if set(letters) - set("vEPiehs") or re.search(r"\\[<>bB]|\[[^]]*\\", pattern):
        return None
    python = pattern.replace("[[:space:]]", r"\s").replace("[:space:]", r"\s")
    if not {"E", "P"} & set(letters):  # what a backslash makes an operator, and what it keeps one
        python = re.sub(r"\\?[(){}|+?]", lambda found: found[0][1:] or rf"\{found[0]}", python)
    if "[:" in python:  # another class of characters
        return None
    try:
        wanted = re.compile(python, re.IGNORECASE if "i" in letters else 0)
    except re.error:
        return None
    lines = text.splitlines(keepends=True)
    # each repetition multiplies the time by a line's length, and that of a group by far more
    power = len(re.findall(r"(?<!\\)[*+{]", python)) + (python[:1] != "^")
    steps = sum(len(line) ** power for line in lines) << python.count("?")
    if steps > _MOST_STEPS or re.search(r"(?<!\\)\)[*+{]", python):
        return None
    return "".join(line for line in lines if bool(wanted.search(line)) != ("v" in letters))


def _without_comments(text: str, pattern: str, options: list[str]) -> str | None:
    """Return the text after ``sed`` took the comments out; None for another command."""
    if options == ["-i"] or not re.fullmatch(r"/\^?(\\s\*)?#/d|s/(\s|\\s)?\*?#\.\*//g?", pattern):
        return None
    return re.sub(r"(?m)[ \t]*#.*$", "", text)


def _translated(text: str, words: str, options: list[str]) -> str | None:
    """Return the text after ``tr`` changed the white space; None for other characters."""
    wanted = re.fullmatch(r"(\\r)?(\\n)? ?(\s|,|\\n)?", words)
    if wanted is None or (options and options != ["-d"]):
        return None
    if options:
        return text.replace("\r", "") if words == "\\r" else None
    return re.sub(r"\s+", " ", text) if not words.endswith(",") else None


FILTERS: dict[str, tuple[Callable[[str, str, list[str]], str | None], int]] = {
    **dict.fromkeys(
        ("cat", "xargs", "dos2unix"), (lambda text, _, given: None if given else text, 0)
    ),
    "tee": (lambda text, _, _options: text, 0),
    "grep": (_grep, 1),
    "egrep": (lambda text, pattern, options: _grep(text, pattern, [*options, "-E"]), 1),
    "sed": (_without_comments, 1),
    "tr": (_translated, 2),
    "sort": (lambda text, _, _options: "".join(sorted(text.splitlines(keepends=True))), 0),
}
"""Programs that pass on a text that is known, some of it left out; how many words are no files."""


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
