"""A text as a program reads it that joins pieces of it, and where each character comes from.

Python joins texts side by side, sums of them, what ``%``, ``format`` and ``join`` put together, and
texts in the braces of an f-string; a shell joins the lines that end with a backslash; and a list of
texts is a command's words.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

_BODY = r"(?:'(?:[^'\\\n]|\\.)*(?<!\{)'|\"(?:[^\"\\\n]|\\.)*(?<!\{)\")"
_TEXT = rf"(?i:[bfru]{{0,2}}){_BODY}"
_TERM = rf"(?<![\w\\])(?:{_TEXT}|(?<![\])])\(\s*{_TEXT}\s*\))"
_GOES_ON = r"(?:\s|\#[^\n'\"]*\n)*(?:[+*]\s*)?"
_INNER = rf"{_BODY}|\([^()'\"]*\)|\[[^\[\]]*\]"  # of a call's arguments
_GIVEN = rf"(?:{_INNER}|[^'\"()\[\]{{}}])*"

_COLOUR = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_CONTINUED = re.compile(r"\\\n")
_IN_BRACES = re.compile(
    rf"(?<!\$)\{{\s*(?P<text>{_TEXT})\s*(?:![rsa])?(?::(?:.?[<>^]\d+)?(?:\.\d+)?s?)?\}}"
)
_SUM = re.compile(rf"(?<![\w\\'\"]){_TEXT}(?:{_GOES_ON}{_TEXT})*")
_CALL = re.compile(
    rf"(?P<text>{_TERM})(?:\s*%\s*(?:(?P<one>{_TEXT})|[({{](?P<values>{_GIVEN})[)}}])"
    rf"|\.format\((?P<given>{_GIVEN})\)|\.join\(\s*[\[(](?P<items>{_GIVEN})[\])]\s*\)"
    rf"|\.replace\(\s*(?P<old>{_TEXT})\s*,\s*(?P<new>{_TEXT})\s*\))"
)
_FUNCTION = re.compile(  # of R, Julia and Python
    rf"\b(?:(?:paste0?|str_c|string)\((?P<items>{_GIVEN})\)"
    rf"|sprintf\(\s*(?P<text>{_TEXT})\s*,(?P<values>{_GIVEN})\)"
    rf"|Template\(\s*(?P<named>{_TEXT})\s*\)\.(?:safe_)?substitute"
    rf"\(\s*\{{?(?P<given>{_GIVEN})\}}?\s*\))"
)
_LIST = re.compile(
    rf"(?:(?<=\[)|(?<=[\w(]\())[^\[\]()'\"]*{_TEXT}(?:\s*,\s*{_TEXT})+(?=[^\[\]()'\"]*[\])])"
)
_TEXTS = re.compile(_TEXT)
_WORD = re.compile(r"[^\s'\"\\;&|<>()$`]+")
_ARGUMENTS = re.compile(rf"(?:{_INNER}|[^,])+")
_ARGUMENT = re.compile(
    rf"\s*(?:(?P<key>\w+)\s*=\s*|['\"](?P<name>\w+)['\"]\s*:\s*)?(?P<text>{_TEXT})\s*"
)
_PERCENT = re.compile(r"%(?:\((?P<key>\w+)\))?[-#0 +.\d]*[sdr]")
_BRACES = re.compile(r"\{(?P<key>\w*)(?:![rsa])?(?::[^{}]*)?\}")
_DOLLAR = re.compile(r"\$\{?(?P<key>\w+)\}?")
_IN_PYTHON = re.compile(r"(?:[(\[{,]\s*|:[ \t]*|\breturn\s+|\s=\s*|=\s+)(?:\(\s*)?\Z")
"""What comes before a text that goes on behind a blank: a shell reads two words there."""

_LOOK = 2_000  # characters before a text in which its bracket may be
_DEPTH = 4  # joins in joins

_Span = tuple[int, int]


def uncoloured(text: str) -> tuple[str, Sequence[int]]:
    """Return a text without a terminal's colours, and the position of each character in `text`."""
    places = range(len(text))
    return _rewritten(text, places, _COLOUR, _nothing) if "\x1b" in text else (text, places)


def joined(text: str) -> tuple[str, Sequence[int]]:
    """Return a text with its pieces joined, and the position of each character in `text`.

    >>> joined("x = 'a' + 'b'")[0], joined("f('{}:%s' % 'c')")[0], joined("git 'a' 'b'")[0]
    ("x = 'ab'", "f('{}:c')", "git 'a' 'b'")
    """
    places: Sequence[int] = range(len(text))
    for _ in range(_DEPTH if re.search(r"['\"]|\\\n", text) else 0):
        before = text
        for pattern, parts in _RULES:
            text, places = _rewritten(text, places, pattern, parts)
        if text == before:
            break
    return text, places


def worded(text: str, places: Sequence[int]) -> tuple[str, Sequence[int]]:
    """Return a text with its lists as the words of commands, and the position of each character.

    >>> worded("run(['npm', '-p', 'a b'])", range(25))[0]
    "run([npm -p 'a b' ])"
    """
    return _rewritten(text, places, _LIST, _list)


def lists(text: str, places: Sequence[int]) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield what stands in each list of texts, and the position of each character."""
    for match in _LIST.finditer(text):
        if text[match.start() - 1] == "[":
            yield match[0], places[match.start() : match.end()]


def _rewritten(
    text: str,
    places: Sequence[int],
    pattern: re.Pattern[str],
    parts: Callable[[re.Match[str]], Sequence[_Span] | None],
) -> tuple[str, Sequence[int]]:
    shown: list[str] = []
    kept: list[int] = []
    end = 0
    for match in pattern.finditer(text):
        spans = parts(match)
        if spans is None:
            continue
        kept += places[end : match.start()]
        shown.append(text[end : match.start()])
        first = len(kept)
        for start, stop in spans:
            shown.append(text[start:stop] if stop else " ")
            kept += places[start : stop or start + 1]
        if pattern in (_SUM, _CALL, _FUNCTION):  # a text, whose quotes stand for all around it
            kept[first], kept[-1] = places[match.start()], places[match.end() - 1]
        end = match.end()
    return (text, places) if not end else ("".join([*shown, text[end:]]), [*kept, *places[end:]])


def _nothing(_match: re.Match[str]) -> Sequence[_Span]:
    return ()


def _inner(match: re.Match[str]) -> Sequence[_Span]:
    return (_body(match.string, match.span("text")),)


def _body(text: str, span: _Span) -> _Span:
    """Return where a text is within its quotes."""
    start, stop = span
    while text[start] not in "'\"":
        start += 1
    return start + 1, text.rindex(text[start], start, stop)


def _quoted(bodies: Sequence[_Span]) -> Sequence[_Span]:
    """Return some pieces within the quotes of the first."""
    quote = bodies[0][0] - 1, bodies[0][0]
    return quote, *bodies, quote


def _sum(match: re.Match[str]) -> Sequence[_Span] | None:
    text, start = match.string, match.start()
    spans = [each.span() for each in _TEXTS.finditer(match[0])]
    between = "".join(match[0][a[1] : b[0]] for a, b in itertools.pairwise(spans))
    said = not between or "+" in between or "*" in between
    if len(spans) < 2 or not (said or _is_python(text, start, between)):
        return None
    return _quoted([_body(text, (start + a, start + b)) for a, b in spans])


def _is_python(text: str, start: int, between: str) -> bool:
    first = max(0, start - _LOOK)
    opened = any(
        text.count(a, first, start) > text.count(b, first, start) for a, b in ("()", "[]", "{}")
    )
    if text[start - 1 : start] == "=" and not text[start - 2 : start - 1].isspace():
        return opened
    said = _IN_PYTHON.search(text, max(0, start - 40), start)
    return said is not None and (opened or "\n" not in between)


def _call(match: re.Match[str]) -> Sequence[_Span] | None:
    text = match.string
    body = _body(text, match.span("text"))
    if match["old"] is not None:
        (first, last), new = (_body(text, match.span(name)) for name in ("old", "new"))
        at = text.find(text[first:last], *body)
        return _quoted([(body[0], at), new, (at + last - first, body[1])]) if at >= 0 else None
    if match["one"] is not None:
        given: list[tuple[str | None, _Span | None]] = [(None, _body(text, match.span("one")))]
    else:
        group = next(name for name in ("values", "given", "items") if match[name] is not None)
        given = [*_given(text, match.span(group))]
    if match["items"] is not None:
        items = [span for _, span in given if span]
        both = [each for item in items for each in (body, item)][1:]
        return _quoted(both) if both and len(items) == len(given) else None
    holes = (_BRACES if match["given"] is not None else _PERCENT).finditer(text, *body)
    return _quoted([*_filled(body, holes, given)])


def _function(match: re.Match[str]) -> Sequence[_Span] | None:
    text = match.string
    if match["items"] is not None:
        items = [span for key, span in _given(text, match.span("items")) if not key]
        pieces = [span for span in items if span]
        return _quoted(pieces) if len(items) == len(pieces) > 1 else None
    named = match["named"] is not None
    body = _body(text, match.span("named" if named else "text"))
    holes = (_DOLLAR if named else _PERCENT).finditer(text, *body)
    given = [*_given(text, match.span("given" if named else "values"))]
    return _quoted([*_filled(body, holes, given)])


def _given(text: str, span: _Span) -> Iterator[tuple[str | None, _Span | None]]:
    """Yield the names and places of what a call is given; no place for what is no text."""
    for each in _ARGUMENTS.finditer(text, *span):
        found = _ARGUMENT.fullmatch(text, *each.span())
        if found:
            yield found["key"] or found["name"], _body(text, found.span("text"))
        elif each[0].strip():
            yield None, None


def _filled(
    body: _Span,
    holes: Iterable[re.Match[str]],
    given: Sequence[tuple[str | None, _Span | None]],
) -> Iterator[_Span]:
    """Yield the pieces of a text with what fills its holes."""
    named = {key: span for key, span in given if key}
    in_order = [span for key, span in given if not key]
    at, count = body[0], 0
    for hole in holes:
        key = hole["key"] or str(count)
        count += not hole["key"]
        number = int(key) if key.isdecimal() else len(in_order)
        span = named.get(key) or (in_order[number] if number < len(in_order) else (at, at))
        if span:
            yield from ((at, hole.start()), span)
            at = hole.end()
    yield at, body[1]


def _list(match: re.Match[str]) -> Sequence[_Span]:
    """Return the words that need no quotes without them, and a blank for each comma."""
    text, end = match.string, match.start()
    spans: list[_Span] = []
    for each in _TEXTS.finditer(text, *match.span()):
        word = _body(text, each.span())
        between = (end, each.start()) if not spans else (end, 0)
        spans += [between, word if _WORD.fullmatch(text, *word) else each.span()]
        end = each.end()
    return [*spans, (end - 1, 0)]


_RULES = (
    (_CONTINUED, _nothing),
    (_IN_BRACES, _inner),
    (_SUM, _sum),
    (_CALL, _call),
    (_FUNCTION, _function),
)
