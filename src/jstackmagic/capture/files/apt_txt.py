"""apt.txt, the list of Debian packages that repo2docker reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ...model.request import Request
from ...model.spec import read_all
from .. import Found
from . import Reading
from ._finds import text_of

if TYPE_CHECKING:
    from pathlib import Path

# what apt-get takes after ``install``: NAME, NAME:ARCHITECTURE, NAME=VERSION, NAME/RELEASE
_SPEC = re.compile(
    r"[a-z0-9][a-z0-9+.-]+(?::[a-z0-9-]+)?(?:=[0-9][A-Za-z0-9.+~:-]*|/[a-z0-9][a-z0-9.+~-]*)?"
)


def recognises(path: Path) -> bool:
    """Whether it has the name."""
    return path.name == "apt.txt" and path.is_file()


def read(path: Path) -> Reading:
    """Read its packages as one request.

    Raises:
        InvalidSpec: It is no text.
        OSError: It cannot be read.
    """
    specs: list[str] = []
    problems: list[Found] = []
    first = 0
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        for word in line.partition("#")[0].split():
            if _SPEC.fullmatch(word):
                first = first or number
                specs.append(word)
            else:
                problems.append(Found(word, number, reason="It is no Debian package."))
    request = Request("install", "apt", read_all("apt", dict.fromkeys(specs)))
    found = [Found(" ".join(request.texts), first, request)] if specs else []
    return Reading(path, (*found, *problems))
