"""The files of an image whose origin its Dockerfile shows."""

from __future__ import annotations

import glob
import json
import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...io.reading import files_below, text_of, text_or_none
from ...model.errors import InvalidSpec

PROJECT = ("pyproject.toml", "setup.py", "setup.cfg")


@dataclass(frozen=True, slots=True)
class CopyOrigin:
    """The origin of a path in the image: one of the first three, or ``reason`` if it is unknown."""

    place: str = ""  #: a path of the build context, on this machine
    excluded: tuple[str, ...] = ()  #: the rules for what is not copied of it, relative to it
    text: str | None = None  #: the file's text, which the Dockerfile itself holds
    url: str = ""  #: a file's URL, or a repository's as pip takes it (``git+https://…``)
    reason: str = ""  #: why it is not followed
    absent: bool = False  #: whether it is left out of what is copied


def below(path: str, folder: str) -> str | None:
    """Return a path of the image relative to a folder that is it, or holds it; None elsewhere.

    >>> below("/w/x", "/w"), below("/w", "/w/"), below("/w2", "/w"), below("/w", "/")
    ('x', '', None, 'w')
    """
    folder = folder.rstrip("/")
    if folder and path.rstrip("/") != folder and not path.startswith(f"{folder}/"):
        return None
    return path[len(folder) :].lstrip("/")


class ImageFiles:
    """Paths of the image and their origins; of two for one path, the later counts."""

    def __init__(self, hidden: Callable[[str], bool], base: ImageFiles | None = None) -> None:
        self._entries: list[tuple[str, CopyOrigin | tuple[ImageFiles, str]]] = []
        self.hidden = hidden  #: whether a local path is left out of the build context
        if base is not None:
            self._entries += base._entries

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, path: str, origin: CopyOrigin) -> None:
        """Note the origin of a file or folder of the image."""
        self._entries.append((posixpath.normpath(path), origin))

    def add_from(self, path: str, stage: ImageFiles, source: str) -> None:
        """Note that a path is copied from another stage."""
        self._entries.append((posixpath.normpath(path), (stage, posixpath.normpath(source))))

    def origin(self, path: str) -> CopyOrigin | None:
        """Return a path's origin; None if the Dockerfile does not show it."""
        path = posixpath.normpath(path)
        absent: CopyOrigin | None = None
        for target, origin in reversed(self._entries):
            rest = below(path, target)
            if rest is None:
                continue
            if isinstance(origin, tuple):
                stage, source = origin
                inner = stage.origin(posixpath.join(source, rest))
                if inner is None and rest == posixpath.basename(source):
                    inner = stage.origin(source)
                if inner is not None:
                    return inner
            elif not rest or origin.reason:
                return origin
            elif origin.url.startswith("git+"):
                return CopyOrigin(url=f"{origin.url}#subdirectory={rest}")
            elif origin.place:
                place = os.path.join(origin.place, rest)
                if os.path.isfile(origin.place):
                    if rest == os.path.basename(origin.place):
                        return origin  # the target is a folder of the base image
                elif self.hidden(place):
                    absent = absent or left_out(place)
                elif by := next((r for r in origin.excluded if re.fullmatch(_rule(r), rest)), ""):
                    reason = f"COPY leaves it out by --exclude={by}."
                    absent = absent or CopyOrigin(reason=reason, absent=True)
                elif os.path.exists(place):
                    return CopyOrigin(place=place)
                else:
                    absent = absent or CopyOrigin(place=place)
        return self._project(path) or absent

    def below(self, folder: str, *, since: int = 0) -> Iterator[str]:
        """Yield the files in a folder of the image, or the one of that path, as far as they show.

        One that is overwritten or left out is among them; `origin` tells.

        Args:
            since: The number of entries to pass over.
        """
        folder = posixpath.normpath(folder)
        for target, origin in self._entries[since:]:
            rest, inner = below(folder, target), below(target, folder)
            if rest is None and inner is None:
                continue
            top = folder if rest else target
            if isinstance(origin, tuple):
                stage, source = origin
                source = posixpath.join(source, rest or "")
                files: Iterable[str] = stage.below(source)
            elif origin.place:
                source = os.path.join(origin.place, rest or "")
                files = files_below(source) if rest or os.path.exists(source) else (source,)
            else:
                source, files = top, () if rest else (top,)
            for file in files:
                yield posixpath.normpath(posixpath.join(top, below(file, source.rstrip("/")) or ""))

    def _project(self, folder: str) -> CopyOrigin | None:
        """Return the project whose files were copied into a folder one by one."""
        for target, origin in reversed(self._entries):
            if (
                isinstance(origin, CopyOrigin)
                and origin.place
                and posixpath.dirname(target) == folder
                and posixpath.basename(target) in PROJECT
                and os.path.basename(origin.place) == posixpath.basename(target)
            ):
                return CopyOrigin(place=os.path.dirname(origin.place))
        return None


def context_of(dockerfile: Path) -> str:
    """Return the folder that COPY takes from: a dev container's is often its parent."""
    folder = dockerfile.absolute().parent
    if folder.name != ".devcontainer":
        return str(folder)
    try:
        text = text_of(folder / "devcontainer.json")
    except (OSError, InvalidSpec):
        return str(folder.parent)
    said = re.search(r'"context"\s*:\s*("(?:[^"\\]|\\.)*")', text)
    return os.path.normpath(folder / (json.loads(said[1]) if said else "."))


def in_context(context: str, source: str) -> list[str]:
    """Return the local paths of a source of COPY; a pattern may match nothing.

    Nothing above the context can be reached: https://docs.docker.com/reference/dockerfile/#copy
    """
    inside = posixpath.normpath("/" + source).lstrip("/")
    if re.search(r"[*?\[]", inside):
        names = sorted(glob.glob(inside, root_dir=context))
        return [os.path.join(context, name) for name in names]
    return [os.path.normpath(os.path.join(context, inside))]


def left_out(place: str) -> CopyOrigin:
    """Return the origin of what is not sent to the build."""
    reason = f".dockerignore leaves {place} out of what is copied."
    return CopyOrigin(reason=reason, absent=True)


def ignored(dockerfile: Path, context: str) -> Callable[[str], bool]:
    """Return whether a local path is left out by ``.dockerignore``, its last rule for it.

    A ``Dockerfile.dockerignore`` beside the Dockerfile counts instead of the context's. The rules:
    https://docs.docker.com/build/concepts/context/#dockerignore-files
    """
    own = text_or_none(f"{dockerfile}.dockerignore")
    text = text_or_none(os.path.join(context, ".dockerignore")) if own is None else own
    rules: list[tuple[bool, re.Pattern[str]]] = []
    for line in (text or "").splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#"):
            rules.append((not rule.startswith("!"), re.compile(_rule(rule.lstrip("!").strip()))))

    def hidden(place: str) -> bool:
        path = os.path.relpath(place, context).replace(os.sep, "/")
        out = next((out for out, rule in reversed(rules) if rule.fullmatch(path)), False)
        return out and (not os.path.isdir(place) or all(out for out, _ in rules))

    return hidden


def _rule(pattern: str) -> str:
    """Return a rule as a regular expression, which fits what is below a folder, too.

    >>> [bool(re.fullmatch(_rule(rule), "d/a.txt")) for rule in ("**/*.txt", "*.txt", "d")]
    [True, False, True]
    """
    said = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pattern = posixpath.normpath(pattern.lstrip("/"))
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    each = (part if part[:1] == "[" else said.get(part) or re.escape(part) for part in parts)
    return f"{''.join(each)}(?:/.*)?"
