"""An ``environment.yml`` as users write it: only a broken item is lost, and reported by line.

Pure. conda's own reader, ``conda.env.env.from_yaml``, stops at the first item that it does
not understand, and names no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from .documents import yaml_nodes, yaml_value
from .errors import InvalidSpec, UsageError
from .listed import filled_in, listed_requirement, listed_spec
from .parsing import Asked, Problem, logical_lines
from .sources import Sources

if TYPE_CHECKING:
    from yaml import Node

_WHAT = "What looks like an environment.yml"
_KNOWN = ("name", "channels", "dependencies")
_CONFLICT = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?: |$)")
_SELECTOR = re.compile(r"\s*-\s+(\S.*?)\s+#\s*\[((?:not )?(?:win|osx|linux|unix)\w*)\]")
"""A selector of conda-build's and conda-lock's, which conda itself takes for a comment."""

_OTHER_SYSTEM = ((re.compile(r"[A-Za-z]:\\"), "Windows"), (re.compile(r"/Users/"), "macOS"))


def read_environment_yml(text: str, *, folder: str = ".") -> Asked:
    """Read an ``environment.yml``; a broken item becomes a problem.

    Raises:
        InvalidSpec: It is not YAML, or not a mapping with lists of channels and dependencies.
    """
    _check_lines(text)
    root = _root(text)
    sections = _sections(root)
    if len(sections) == 1 and "dependencies" not in sections:
        # conda-store keeps what its users write below one key
        sections = _sections(next(iter(sections.values()))) or sections
    meant = {key: near[0] for key in sections if (near := get_close_matches(key, _KNOWN, 1, 0.8))}
    if "dependencies" not in sections and "dependencies" in meant.values():
        raise InvalidSpec(
            "The environment.yml has no dependencies.",
            advice="It has " + ", ".join(f"{k}: write {m}:" for k, m in meant.items() if k != m),
        )
    named = sections.get("name")
    name = named.value if named is not None and isinstance(named.value, str) else ""
    asked = Asked(name="" if filled_in(name) or name in ("~", "null") else name)
    asked += _channels(sections.get("channels"))
    for node in _items(sections.get("dependencies"), "dependencies"):
        asked += _dependency(node, folder)
    selected = [
        f"Line {number}: conda reads over # [{match[2]}], and takes {match[1]} everywhere."
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := _SELECTOR.match(line))
    ]
    return replace(asked, notes=(*asked.notes, *_left_aside(sections, asked), *selected))


def _root(text: str) -> Node | None:
    try:
        return yaml_nodes(text, _WHAT)
    except InvalidSpec as error:
        if re.search(r"\{\{|\{%", text):
            advice = "It is a template: fill its braces in first"
        elif re.search(r"^\s*pip\s*:\s*$", text, re.MULTILINE):
            advice = "pip's part begins with a dash: - pip:"
        elif re.search(r"^\s*(?:- *)?[\w-]+\s*: *- ", text, re.MULTILINE):
            advice = "A list begins on a line of its own, below its key"
        else:
            raise
        raise InvalidSpec(error.problem, advice=advice) from None


def _check_lines(text: str) -> None:
    """Stop at lines that no YAML reader can understand, with a clear error."""
    for number, line in enumerate(text.splitlines(), start=1):
        if _CONFLICT.match(line):
            raise InvalidSpec(
                f"Line {number} of the environment.yml is a mark of a merge conflict: {line}",
                advice="Choose one side, and take the lines with <<<<<<<, ======= and >>>>>>> out.",
            )
        if re.match(r" *\t\s*\S", line) and not line.lstrip().startswith("#"):
            raise InvalidSpec(
                f"Line {number} of the environment.yml is indented by a tab.",
                advice="YAML takes blanks alone: replace the tab by two.",
            )


def _sections(node: Node | None) -> dict[str, Node]:
    from yaml import MappingNode

    if not isinstance(node, MappingNode):
        return {}
    found: dict[str, Node] = {}
    merged: dict[str, Node] = {}
    for key, value in node.value:
        name = str(key.value).strip()
        if name == "<<":
            merged |= _sections(value)
            continue
        if name in found:
            raise InvalidSpec(
                f"Line {_line(key)} of the environment.yml has {name}: a second time.",
                advice="conda refuses that: join the two",
            )
        found[name] = value
    return {**merged, **found}


def _value(node: Node | None) -> Any:
    return None if node is None else yaml_value(node, _WHAT)


def _items(node: Node | None, section: str) -> list[Node]:
    """Return the items of a list; a text counts as a list of one."""
    from yaml import MappingNode, SequenceNode

    if isinstance(node, SequenceNode):
        return list(node.value)
    if isinstance(node, MappingNode):
        raise InvalidSpec(
            f"The {section} of the environment.yml are not a list: line {_line(node)}.",
            advice="Begin each item with a dash: - python=3.12",
        )
    return [] if node is None or _value(node) is None else [node]


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _channels(node: Node | None) -> Asked:
    channels: list[str] = []
    problems: list[Problem] = []
    for item in _items(node, "channels"):
        value = _value(item)
        if isinstance(value, dict | list) or value is None:
            reason = "A channel is one word: - conda-forge"
            problems.append(Problem(str(value), reason, _line(item)))
            continue
        # "channels: a, b", as one text
        words = re.split(r"[,\s]+", str(value)) if item is node else [str(value).strip()]
        for word in words:
            # the variables of a URL hold credentials, and stay as written
            plain = word.replace("$", "") if "://" in word else word
            if reason := filled_in(plain):
                problems.append(Problem(word, reason, _line(item)))
            elif word and word != "nodefaults":
                channels.append(word)
    return Asked(sources=Sources(tuple(channels)), problems=tuple(problems))


def _dependency(node: Node, folder: str) -> Asked:
    from yaml import MappingNode

    line = _line(node)
    if isinstance(node, MappingNode):
        asked = Asked()
        for key, value in node.value:
            if not isinstance(key.value, str):
                return _problem("{{ … }}", "It is a template: fill its braces in first.", line)
            asked += _section(str(key.value).strip(), value, folder, _line(key))
        return asked
    if not hasattr(node, "value") or not isinstance(node.value, str):
        return _problem(str(_value(node)), "Write each package as an item of its own.", line)
    text = node.value.strip()
    if not text or text in ("~", "null"):
        return Asked()
    meant = _NO_TEXT if isinstance(_value(node), bool) else _indented(text)
    if meant:
        return _problem(text, meant, line)
    try:
        return listed_spec(text, folder=folder)
    except UsageError as error:
        return _problem(text, error.problem, line)


_NO_TEXT = "YAML takes it for something else than a text: put it in quotes."


def _indented(text: str) -> str:
    """Return the intended list for a text that YAML folded out of it; empty without one."""
    if not re.search(r"\s-\s", f"{text} "):
        return ""
    first, *rest = (word for word in re.split(r"\s*(?:^|\s)-\s+", text) if word)
    if first.rstrip(":") == "pip":
        return "Write `- pip:` with a colon, and the packages below it."
    return f"Write {len(rest) + 1} items, each on a line of its own: - {first}"


def _section(name: str, node: Node, folder: str, line: int) -> Asked:
    """Return the items below ``- NAME:``, of which pip's are the only ones that conda knows."""
    value = _value(node)
    if name.startswith("sel("):
        return _problem(f"{name}: {value}", f"A selector, which conda cannot read: - {value}", line)
    if name != "pip":
        if isinstance(value, str | int | float):
            version = str(getattr(node, "value", value)).strip()
            joint = "" if version[:1] in "<>=!~" else "="
            return _problem(f"{name}: {version}", f"Write - {name}{joint}{version}", line)
        if value is None:
            return _problem(f"{name}:", f"Write - {name}", line)
        return _problem(f"{name}: …", f"conda knows no section {name}: only - pip:", line)
    asked = Asked()
    for item in _items(node, "pip section"):
        at = _line(item)
        entry = _value(item)
        if entry is None:
            continue
        if isinstance(entry, dict | list):
            pairs = entry.items() if isinstance(entry, dict) else ()
            said = ", ".join(f"{k}: {v}" for k, v in pairs) or ", ".join(map(str, entry))
            asked += _problem(said, "In the pip section each item is a line for pip.", at)
            continue
        if not isinstance(entry, str):
            asked += _problem(item.value, _NO_TEXT, at)
            continue
        # conda writes the items into a file for pip, where a comment is one
        for _, text in logical_lines(entry):
            asked += _of_pip(text, folder, at)
    return asked


def _of_pip(text: str, folder: str, line: int) -> Asked:
    try:
        asked, own = listed_requirement(text, folder=folder)
        if own:
            reason = f"{own[0]} is for a requirements.txt: list that, as - -r requirements.txt"
            raise UsageError(reason)
    except UsageError as error:
        return _problem(text, error.problem, line)
    return asked


def _problem(text: str, reason: str, line: int) -> Asked:
    return Asked(problems=(Problem(text, reason, line),))


def _left_aside(sections: dict[str, Node], asked: Asked) -> Iterator[str]:
    for key, node in sections.items():
        if key in _KNOWN or _value(node) in (None, "", [], {}):
            continue  # conda-store writes out what is not set
        near = get_close_matches(key, _KNOWN, 1, 0.8)
        meant = f": write {near[0]}:" if near else ""
        if key == "pip":
            meant = ": write - pip: among the dependencies"
        yield f"{key}: of the environment.yml is left aside{meant}."
    if "dependencies" not in sections:
        yield "The environment.yml has no dependencies."
    elif not asked.specs and not asked.problems:
        yield "The dependencies of the environment.yml are empty."
    prefix = str(_value(sections.get("prefix")) or "")
    builds = any(manager == "conda" and spec.count("=") == 2 for manager, spec in asked.specs)
    for pattern, system in _OTHER_SYSTEM:
        if pattern.match(prefix) and builds:
            yield (
                f"It was exported on {system} with builds, which are of that system alone:"
                " conda env export --no-builds leaves them out."
            )
