"""apt.txt, the list of Debian packages that repo2docker and many other tools read.

One bare name a line; ``--pin exact`` and ``--pin spec`` write ``NAME=VERSION``, which repo2docker
and apt-get both take, though Debian's archives drop a version when the next one comes.
"""

from __future__ import annotations

import re

from ..model.errors import ExportError
from ..model.pins import PINS, Pin
from ..model.recipe import Item, Recipe
from ..model.words import checked
from ._artifact import Artifact
from ._choice import left_out
from ._format import Format, option

# Debian policy 5.6.1 and 5.6.12, with the architecture and the release that apt-get takes.
# repo2docker puts the lines into a shell's command line as they stand.
_SPEC = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[0-9][A-Za-z0-9.+~:-]*|/[a-z0-9][a-z0-9.+~-]*)?"
)


def render(recipe: Recipe, *, pin: Pin = "none") -> Artifact:
    """Render the Debian packages of a recipe; see `Format.render`."""
    lines, notes = packages(recipe, pin)
    others = [step for step in recipe.steps if step.environment]
    notes += left_out("apt.txt holds Debian packages alone.", others)
    return Artifact(text_of(lines), notes=tuple(notes))


def packages(recipe: Recipe, pin: Pin) -> tuple[list[str], list[str]]:
    """Return a recipe's Debian packages, and sentences on what apt.txt cannot express.

    Raises:
        ExportError: A package's name is not valid in Debian.
    """
    lines: set[str] = set()
    notes: list[str] = []
    for step in recipe.steps:
        if step.environment is not None:
            continue
        for item in step.install:
            if item.spec.path:
                notes.append(f"apt.txt names packages of Debian's archives, not {item.text}.")
            else:
                lines.add(line := _line(item, pin))
                if pin == "none" and line != item.text:
                    notes.append(f"{item.text} is written without what follows the name.")
        notes += [f"apt.txt cannot say that {name} is to be removed." for name in step.remove]
        if step.options:
            notes.append(f"apt.txt holds no options: {' '.join(step.options)}")
    return sorted(lines), notes


def text_of(lines: list[str]) -> str:
    """Return the text of an apt.txt."""
    head = "# Made by jstackmagic from the record of what was installed.\n"
    return head + "".join(f"{line}\n" for line in lines)


def _line(item: Item, pin: Pin) -> str:
    line = item.text
    if pin != "spec":
        line = re.split(r"[=/]", line, maxsplit=1)[0]
    if pin == "exact" and item.version:
        line = f"{line}={item.version}"
    if not _SPEC.fullmatch(line):
        raise ExportError(
            f"{checked(line)!r} is not a Debian package.",
            advice="Take it out of the recipe: %envremove or %envundo",
        )
    return line


FORMAT = Format(
    description=__doc__,
    files={"apt.txt": {}},
    render=render,
    options=(
        option(
            "--pin",
            choices=PINS,
            default="none",
            help="bare names (none, the default), as asked for (spec), or as seen on disk (exact)",
        ),
    ),
)
