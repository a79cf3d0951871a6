"""The files of an image whose origin its Dockerfile shows."""

from __future__ import annotations

import glob
import json
import os
import posixpath
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from ...io.reading import files_below, text_of, text_or_none
from ...model.errors import InvalidSpec
from ..state import Effort

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


MAX_COPIED = 1_000_000
"""The most paths that the stages of a Dockerfile take from each other; a big repository has 100,000
files, and few stages get all of them."""
_LOOK = 10  # paths that take the time of looking for one in another stage


@dataclass
class AllStages:
    """The part of a build that all stages of a Dockerfile share."""

    dockerfile: Path
    hidden: Callable[[str], bool]  #: whether a local path is left out of the build context
    effort: Effort = field(default_factory=Effort)
    copied: int = 0  #: the paths that one stage took from another so far

    def count(self, *, paths: int = 0, looks: int = 0) -> None:
        """Count what is taken from another stage.

        Raises:
            InvalidSpec: It is more than `MAX_COPIED`: each stage can double those before it.
        """
        self.copied += paths + _LOOK * looks
        if self.copied > MAX_COPIED:
            raise InvalidSpec(
                f"The stages of {self.dockerfile} copy more than {MAX_COPIED:,} paths from each"
                " other, which is not followed."
            )


_Files = frozenset[str]
_Origins = tuple[CopyOrigin | None, CopyOrigin | None, CopyOrigin | None]
"""The origin of a path, of the project that it is, and of one that is left out or not here."""

_Answer = TypeVar("_Answer", _Origins, _Files)
_Search = Generator[tuple["ImageFiles", str], _Answer, _Answer]
"""A search in one stage, which asks for paths of others."""


class ImageFiles:
    """Paths of the image and their origins; of two for one path, the later counts.

    They lie over those of ``base``. Those no longer change, nor do those that are copied from: what
    was found there once is not looked for again.
    """

    def __init__(self, shared: AllStages, base: ImageFiles | None = None) -> None:
        self.shared = shared
        self._base: ImageFiles | None = base if base is None or base._entries else base._base
        self._entries: list[tuple[str, CopyOrigin | tuple[ImageFiles, str]]] = []
        self._at: dict[str, list[int]] = {}  # the numbers of a path's entries
        self._origins: dict[str, _Origins] = {}  # what was found since the last entry
        self._below: dict[str, _Files] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, path: str, origin: CopyOrigin | tuple[ImageFiles, str]) -> None:
        """Note the origin of a file or folder of the image."""
        path = _normal(path)
        self._at.setdefault(path, []).append(len(self._entries))
        self._entries.append((path, origin))
        self._origins, self._below = {}, {}

    def add_from(self, path: str, stage: ImageFiles, source: str) -> None:
        """Note that a path is copied from another stage, if anything is known of it there."""
        source = _normal(source)
        found, project, absent = _ended(stage._origin(source), ImageFiles._origin)
        if found or project or stage.below(source):
            self.add(path, (stage, source))
        elif absent:
            self.add(path, absent)

    def origin(self, path: str) -> CopyOrigin | None:
        """Return a path's origin; None if the Dockerfile does not show it."""
        found, project, absent = _ended(self._origin(_normal(path)), ImageFiles._origin)
        return found or project or absent

    def _origin(self, path: str) -> _Search[_Origins]:
        if path not in self._origins:
            self._origins[path] = yield from self._own_origin(path)
        return self._origins[path]

    def _own_origin(self, path: str) -> _Search[_Origins]:
        absent: CopyOrigin | None = None
        for number in sorted(self._numbers(path), reverse=True):
            target, origin = self._entries[number]
            rest = below(path, target) or ""
            if isinstance(origin, tuple):
                stage, source = origin
                found = yield stage, posixpath.join(source, rest) if rest else source
                if not any(found) and rest == posixpath.basename(source):
                    found = yield stage, source
                if any(found):
                    return next(filter(None, found)), None, None
            elif not rest or origin.reason:
                return origin, None, None
            elif origin.url.startswith("git+"):
                return CopyOrigin(url=f"{origin.url}#subdirectory={rest}"), None, None
            elif origin.place:
                place = os.path.join(origin.place, rest)
                if os.path.isfile(origin.place):
                    if rest == os.path.basename(origin.place):
                        return origin, None, None  # the target is a folder of the base image
                elif self.shared.hidden(place):
                    absent = absent or left_out(place)
                elif by := next((r for r in origin.excluded if re.fullmatch(_rule(r), rest)), ""):
                    reason = f"COPY leaves it out by --exclude={by}."
                    absent = absent or CopyOrigin(reason=reason, absent=True)
                elif os.path.exists(place):
                    return CopyOrigin(place=place), None, None
                else:
                    absent = absent or CopyOrigin(place=place)
        under = (yield self._base, path) if self._base is not None else (None, None, None)
        return under[0], self._project(path) or under[1], absent or under[2]

    def _numbers(self, path: str) -> Iterator[int]:
        """Yield the numbers of the entries of a path, and of the folders that it is in."""
        folder, path = path, ""
        while folder != path:
            yield from self._at.get(folder, ())
            folder, path = posixpath.dirname(folder), folder

    def below(self, folder: str, *, since: int | None = None) -> _Files:
        """Return the files in a folder of the image, or the one of that path, as far as they show.

        One that is overwritten or left out is among them; `origin` tells.

        Args:
            since: The number of entries to pass over, with all of the base; by default none.
        """
        folder = _normal(folder)
        search = self._files(folder) if since is None else self._own_files(folder, since)
        return _ended(search, ImageFiles._files)

    def _files(self, folder: str) -> _Search[_Files]:
        if folder not in self._below:
            files = yield from self._own_files(folder, 0)
            under = (yield self._base, folder) if self._base is not None else frozenset()
            self._below[folder] = files | under
        return self._below[folder]

    def _own_files(self, folder: str, since: int) -> _Search[_Files]:
        found: set[str] = set()
        for target, origin in self._entries[since:]:
            rest, inner = below(folder, target), below(target, folder)
            if rest is None and inner is None:
                continue
            top = folder if rest else target
            if isinstance(origin, tuple):
                stage, source = origin
                source = posixpath.join(source, rest) if rest else source
                copied = yield stage, source
                self.shared.count(paths=len(copied))
                files: Iterable[str] = copied
            elif origin.place:
                source = os.path.join(origin.place, rest) if rest else origin.place
                files = files_below(source) if rest or os.path.exists(source) else (source,)
            else:
                source, files = top, () if rest else (top,)
            cut = len(source.rstrip("/"))
            found.update(f"{top.rstrip('/')}{file[cut:]}" or "/" for file in files)
        return frozenset(found)

    def _project(self, folder: str) -> CopyOrigin | None:
        """Return the project whose files were copied into a folder one by one."""
        files = (posixpath.join(folder, name) for name in PROJECT)
        for number in sorted((n for file in files for n in self._at.get(file, ())), reverse=True):
            target, origin = self._entries[number]
            if (
                isinstance(origin, CopyOrigin)
                and origin.place
                and os.path.basename(origin.place) == posixpath.basename(target)
            ):
                return CopyOrigin(place=os.path.dirname(origin.place))
        return None


def _ended(
    search: _Search[_Answer], other: Callable[[ImageFiles, str], _Search[_Answer]]
) -> _Answer:
    """Return what a search finds, after those that it asks for: of stages in any number.

    Args:
        other: Begins the search for a path in another stage.
    """
    running = [search]
    found: _Answer | None = None
    while running:
        try:
            stage, path = next(running[-1]) if found is None else running[-1].send(found)
        except StopIteration as ended:  # noqa: PERF203 - each search ends once
            running.pop()
            found = ended.value
        else:
            stage.shared.count(looks=1)
            running.append(other(stage, path))
            found = None
    assert found is not None
    return found


def _normal(path: str) -> str:
    """Return a path without ``..`` and double slashes.

    >>> _normal("//a/./b/../c/"), _normal("x")
    ('/a/c', 'x')
    """
    return re.sub("^//", "/", posixpath.normpath(path))


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
