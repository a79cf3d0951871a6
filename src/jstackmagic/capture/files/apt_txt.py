"""apt.txt, the list of Debian packages that repo2docker reads."""

from __future__ import annotations

import re
from pathlib import Path

from ...model.request import Request
from ...model.spec import read_all
from .. import Found
from . import Reading
from ._finds import text_of

# what apt-get takes after ``install``: NAME, NAME:ARCHITECTURE, NAME=VERSION, NAME/RELEASE, where
# NAME may be a pattern of apt-patterns(7)'s plainer kinds
_SPEC = re.compile(
    r"[a-z0-9^?*][a-z0-9+.*?^-]*[a-z0-9+.*?^](?::[a-z0-9-]+)?"
    r"(?:=[0-9*][A-Za-z0-9.+~:*-]*|/[a-z0-9][a-z0-9.+~-]*)?"
)
_COMMAND = re.compile(
    r"\s*(?:sudo\s+)?(?:(?:apt|apt-get|aptitude)\s+(?:-\S+\s+)*(?:(?P<install>install)|update|upgrade"
    r"|dist-upgrade|remove|purge|autoremove|clean)\b|add-apt-repository\s|dpkg\s+-|pip3?\s+install\s)"
    r"(?P<rest>[^#]*)"
)
_VALUED = ("-t", "--target-release", "--default-release")
_KEPT = ("--no-install-recommends", "--install-recommends", "--install-suggests")


def recognises(path: Path) -> bool:
    return path.name == "apt.txt" and path.is_file()


def read(path: Path) -> Reading:
    """Read its packages as one request: repo2docker hands all lines to one ``apt-get install``."""
    specs: list[str] = []
    options: list[str] = []
    problems: list[Found] = []
    first = 0
    for number, line in enumerate(text_of(path).splitlines(), start=1):
        words = line.partition("#")[0].split()
        if command := _COMMAND.match(line):
            named = " ".join(word for word in command["rest"].split() if not word.startswith("-"))
            wrote = f": write {named}" if command["install"] else "."
            reason = f"A list holds packages, no commands{wrote}"
            problems.append(Found(line.strip(), number, reason=reason))
            continue
        if "$" in " ".join(words) and not any(word.startswith("^") for word in words):
            reason = "No shell reads apt.txt: write what it stands for."
            problems.append(Found(line.strip(), number, reason=reason))
            continue
        while words:
            word = words.pop(0)
            name, equals, value = word.partition("=")
            if name in _VALUED and (equals or words):
                options += ["-t", value if equals else words.pop(0)]
            elif word in _KEPT:
                options.append(word)
            elif _SPEC.fullmatch(word) and not word.startswith("ppa:"):
                first = first or number
                specs.append(word)
            else:
                problems.append(Found(word, number, reason=_why(word)))
    request = Request(
        "install", "apt", read_all("apt", dict.fromkeys(specs)), options=tuple(options)
    )
    found = [Found(" ".join(request.texts), first, request)] if specs else []
    patterns = [spec for spec in specs if re.search(r"[*?^]", spec)]
    notes = [f"apt chooses the packages of {each} when it runs." for each in patterns]
    if "-t" in options:
        release = options[options.index("-t") + 1]
        notes.append(f"-t {release} is for all its packages: repo2docker calls apt-get once.")
    return Reading(path, (*found, *problems), tuple(notes))


def _why(word: str) -> str:
    if word.startswith("-"):
        return "Options of apt-get's other than -t are not read here."
    if word.endswith(".deb"):
        return f"apt.txt takes names; a .deb is a file: %envinstall apt:{word}"
    if re.fullmatch(r"[a-z0-9][a-z0-9+.-]*-", word):
        return f"To apt it means: remove {word[:-1]}."
    if word.startswith("ppa:"):
        return "It is an archive, which add-apt-repository adds; apt.txt has packages."
    bare = re.match(r"[a-z0-9][a-z0-9+.-]+(?=[,<>])", word)
    if bare:
        exact = (
            "" if word.endswith(",") else f"; apt knows an exact version alone: {bare[0]}=VERSION"
        )
        return f"Write {bare[0]}{exact}"
    if word.lower() != word:
        return f"It is not a Debian package; their names are small: {word.lower()}"
    return "It is not a Debian package."
