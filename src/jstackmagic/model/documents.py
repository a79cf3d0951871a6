"""YAML, TOML and JSON from anywhere, parsed within limits: a small file must not stop a kernel.

Pure: text in, plain values out. `io.reading` brings the text from a disk.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .errors import InvalidSpec

if TYPE_CHECKING:
    from yaml import Node

MAX_DEPTH = 100
"""Levels of nesting; conda-lock's files have 6, a notebook's metadata has 10."""

MAX_NODES = 2_000_000
"""Values of one YAML document, each counted as often as aliases repeat it; a lock of 1,000 packages
for 10 platforms has 250,000."""

_TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"


def yaml_nodes(text: str, what: str) -> Node | None:
    """Return a YAML document as nodes, which know their lines; None for an empty one.

    Raises:
        InvalidSpec: It is not YAML, or beyond `MAX_DEPTH` or `MAX_NODES`.
    """
    import yaml

    try:
        node: Node | None = _loader(text).get_single_node()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        if problem.startswith("but "):  # the half of a sentence
            problem = f"{getattr(error, 'context', '')}, {problem}"
        if "nesting depth" in problem:  # libyaml has a limit of its own
            problem = _TOO_DEEP
        raise InvalidSpec(f"{what} is not valid YAML: {where}{problem}.") from None
    return node


def parse_yaml(text: str, what: str) -> Any:
    """Return a YAML document as plain values.

    Raises:
        InvalidSpec: It is not YAML, or beyond `MAX_DEPTH` or `MAX_NODES`.
    """
    node = yaml_nodes(text, what)
    return None if node is None else yaml_value(node, what)


def yaml_value(node: Node, what: str) -> Any:
    """Return the plain value of a node of `yaml_nodes`.

    Raises:
        InvalidSpec: A value is invalid in YAML's safe schema, such as the 31st of February.
    """
    import yaml

    constructor = yaml.constructor.SafeConstructor()
    try:
        return constructor.construct_document(node)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        line = node.start_mark.line + 1
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else line
        problem = getattr(error, "problem", None) or str(error)
        unknown = re.search(r"constructor for the tag '(.+)'", problem)
        problem = f"{unknown[1]} is a tag of another tool's" if unknown else problem
        raise InvalidSpec(f"{what} is not valid YAML: line {line}: {problem}.") from None


def _loader(text: str) -> Any:
    """Return what composes nodes from the events of libyaml, or of PyYAML's own scanner.

    The events come one by one and unnested, so that depth and size are counted before anything is
    built; libyaml is ten times as fast.
    """
    import yaml
    from yaml.composer import Composer
    from yaml.resolver import Resolver

    class Bounded(Composer, Resolver):
        def __init__(self) -> None:
            Composer.__init__(self)
            Resolver.__init__(self)
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            self._events: Iterator[Any] = yaml.parse(text, Loader=loader)
            self._next: Any = None
            self._depth = 0
            self._size = 0
            self._sizes: dict[Node, int] = {}

        def peek_event(self) -> Any:
            if self._next is None:
                self._next = next(self._events, None)
            return self._next

        def get_event(self) -> Any:
            event, self._next = self.peek_event(), None
            return event

        def check_event(self, *choices: type) -> bool:
            event = self.peek_event()
            return event is not None and (not choices or isinstance(event, choices))

        def compose_node(self, parent: Any, index: Any) -> Any:
            before = self._size
            again = self.check_event(yaml.AliasEvent)
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise yaml.YAMLError(_TOO_DEEP)
            node: Any = super().compose_node(parent, index)
            self._depth -= 1
            if again and node not in self._sizes:
                raise yaml.YAMLError("a value holds itself")
            self._size += self._sizes.get(node, 1)  # an alias weighs as much as what it repeats
            if self._size > MAX_NODES:
                raise yaml.YAMLError(f"its aliases stand for more than {MAX_NODES:,} values")
            self._sizes.setdefault(node, self._size - before)
            return node

    return Bounded()


_LONG_KEY = re.compile(r"(?<![\w\"'-])(?:[\w\"'-]+[ \t]*\.[ \t]*){100}")


def parse_toml(text: str, what: str) -> dict[str, Any]:
    """Return a TOML document.

    Raises:
        InvalidSpec: It is not TOML, or nested too deep for the parser.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        if _LONG_KEY.search(text):  # its time grows with the square of the parts
            raise RecursionError
        data: dict[str, Any] = tomllib.loads(text)
    except ValueError as error:  # also a number of thousands of digits
        raise InvalidSpec(f"{what} is no TOML: {error}.") from None
    except RecursionError:
        raise InvalidSpec(f"{what} is not read: it is nested too deep.") from None
    return data


def parse_json(text: str, what: str) -> Any:
    """Return a JSON document.

    Raises:
        InvalidSpec: It is not JSON, or nested too deep for the parser.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise InvalidSpec(f"{what} is no JSON: {error}.") from None
    except RecursionError:
        raise InvalidSpec(f"{what} is not read: it is nested too deep.") from None


def table(data: Any, *keys: str) -> dict[str, Any]:
    """Return a table of a document; empty if it is missing or not a table.

    >>> table({"tool": {"uv": {"index": []}}}, "tool", "uv"), table({"tool": 3}, "tool", "uv")
    ({'index': []}, {})
    """
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}
