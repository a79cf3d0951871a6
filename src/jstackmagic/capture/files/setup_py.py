"""setup.py: the requirements of a project of setuptools' first kind, where they are written out."""

from __future__ import annotations

import ast
from pathlib import Path

from ..calls import parse
from . import Reading
from ._finds import finds, folder_of, has, text_of
from ._toolsources import requirements


def recognises(path: Path) -> bool:
    return path.name == "setup.py" and has(path, r"\bsetup\(")


def read(path: Path) -> Reading:
    """Read the list ``install_requires``; one that is worked out is noted."""
    tree = parse(text_of(path))
    nodes = list(ast.walk(tree)) if tree else []
    values = {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    said = [k for n in nodes if isinstance(n, ast.Call) for k in n.keywords]
    given = next((k.value for k in said if k.arg == "install_requires"), None)
    line = given.lineno if given is not None else 0
    given = values.get(given.id, given) if isinstance(given, ast.Name) else given
    try:
        listed = [] if given is None else ast.literal_eval(given)
        asked = requirements([*listed], folder_of(path), path, {})
    except (ValueError, TypeError):
        note = "Its dependencies are worked out when it runs: -e . installs them."
        return Reading(path, notes=(note,))
    notes = asked.notes if listed else ("Its setup() has no install_requires.", *asked.notes)
    return Reading(path, tuple(finds(asked, line=line)), tuple(notes))
