"""Settings and files that outlast a shell, as the lines of a text leave them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ..model.shell import Word
from . import Found, Origin

BASH_FILES = (".bashrc", ".bash_profile", ".profile", ".bash_login", "bash.bashrc", ".zshrc")


_SETTING_FILE = re.compile(
    r"(pip\.conf|pip\.ini|condarc(?:\.d/.*)?|\.mambarc|uv\.toml|/conda-meta/pinned|\.bashrc"
    r"|\.bash_profile|\.bash_login|\.zshrc|\.profile|bash\.bashrc|/etc/profile(?:\.d/.*)?|/keyrings/.*"
    r"|/apt/(?:sources\.list|preferences|apt\.conf|trusted|auth).*"
    r"|\.netrc|_netrc|\.git-credentials|\.gitconfig)$"
)
LONGEST_FILE = 2**20
"""Characters of a file that lines write; ``cat f f > g`` doubles it."""

_LOGINS = re.compile(r"(?:[._]netrc|\.git-credentials|\.gitconfig)$")
"""Files with the logins of hosts."""


def is_setting(path: str) -> bool:
    """Return whether a file of that path sets what is installed, and from where."""
    return _SETTING_FILE.search(path) is not None


def origin_of(path: str, origins: Mapping[str, Origin]) -> tuple[Origin, str] | None:
    """Return the origin of a path, and the path in that; None if no line fetches it."""
    for folder, origin in reversed(list(origins.items())):
        if path == folder or (not origin.is_file and path.startswith(f"{folder}/")):
            return origin, path[len(folder) + 1 :]
    return None


def home_as_tilde(path: str) -> str:
    """Return a path that begins with ``$HOME`` with a ``~`` there."""
    return re.sub(r"^\$\{?HOME\}?(?=/)", "~", path)


def unknown_value(name: str) -> Word:
    """Return a value known only at run time: the variable itself."""
    hole = f"${name}" if re.fullmatch(r"\w+", name) else name
    return Word(hole, holes=(hole,), quoted=True)


def same(one: Word | None, other: Word | None) -> bool:
    """Return whether two values are equal; None is no value."""
    if one is None or other is None:
        return one is other
    return (one.text, one.holes) == (other.text, other.holes)


def host_of(url: str) -> str:
    """Return the host of a URL; empty for a path, or a URL that no one can read.

    >>> host_of("https://u:p@h.example/s"), host_of("https://[x/s"), host_of("/w")
    ('h.example', '', '')
    """
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # of brackets, which are for IPv6
        return ""


OF_APT = "It changes what apt installs from ({}); a request for apt cannot say that."


def changes_apt(path: str) -> str:
    """Return the reason for listing a file that apt's sources or pins are in; empty for others."""
    if re.search(r"/apt/(sources\.list|preferences|apt\.conf|trusted|auth)|/keyrings/", path):
        return OF_APT.format(path)
    return ""


@dataclass
class Machine:
    """State that outlasts a shell: settings, and files that were written."""

    #: the text of files that were written; None if unknown
    files: dict[str, str | None] = field(default_factory=dict)
    #: for such a file, its last writer, for messages: ``COPY, line 2,``
    writers: dict[str, str] = field(default_factory=dict)
    #: variables that conda keeps for an environment, by its name or prefix
    held: dict[str, dict[str, Word]] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)  #: prefixes of virtual environments that were made
    #: the prefixes of the condas that an installer made
    roots: set[str] = field(default_factory=set)
    cell: int = 0  #: the number of the cell that is read; 0 outside of a notebook's file
    above: int = 0  #: the lines above the text that is read, in the cell or file
    chosen: str = ""  #: what changed the Python of a name on PATH; empty if nothing did
    #: the origin of a folder that was cloned, or of a file that was downloaded
    fetched: dict[str, Origin] = field(default_factory=dict)
    #: what the wheels in a folder were built or downloaded of
    wheels: dict[str, tuple[Found, ...]] = field(default_factory=dict)
    #: returns the text of a file that no line wrote; None for an unseen one
    look: Callable[[str], str | None] | None = None
    #: yields the files below a path that no line wrote; None where there is no looking
    names: Callable[[str], Iterable[str]] | None = None

    def at(self, line: int) -> str:
        """Return the words for a line of the text that is read.

        >>> Machine(above=2).at(1), Machine(cell=4).at(1)
        ('line 3', 'cell 4, line 1')
        """
        return f"{f'cell {self.cell}, ' if self.cell else ''}line {line + self.above}"

    def copy(self) -> Machine:
        """Return a copy for a branch."""
        own = ("files", "writers", "held", "made", "roots", "fetched", "wheels")
        return replace(self, **{name: getattr(self, name).copy() for name in own})

    def join(self, other: Machine) -> None:
        """Become the machine after one of two branches: different values are unknown."""
        for path in dict.fromkeys((*self.files, *other.files)):
            # one that only a branch writes has that text, or is not there to be read
            seen = self.look is not None and self.look(path) is not None
            both = (path in self.files and path in other.files) or seen
            self.writers.setdefault(path, other.writers.get(path, ""))
            if (both or is_setting(path)) and self.text(path) != other.text(path):
                texts = (self.text(path) or "", other.text(path) or "")
                lines = [line for line in max(texts, key=len).split("\n") if line.strip()]
                self.files[path] = None
                if lines and not _LOGINS.search(path):
                    self.writers[path] = f"Whether {' '.join(lines[-1:])}"
            self.files.setdefault(path, other.files.get(path))
        self.made |= other.made
        self.roots |= other.roots
        self.chosen = self.chosen or other.chosen
        for folder, finds in other.wheels.items():
            if self.wheels.setdefault(folder, finds) != finds:
                reason = "What they are of is only known when it runs."
                self.wheels[folder] = (Found("", reason=reason),)
        for name in other.held:
            self.held[name] = {**other.held[name], **self.held.get(name, {})}
        for path, origin in other.fetched.items():
            if self.fetched.setdefault(path, origin) != origin:
                self.fetched[path] = origin._replace(revision=None)

    def text(self, path: str) -> str | None:
        """Return a file's text; None if it is not seen."""
        if path in self.files or self.look is None:
            return self.files.get(path)
        return self.look(path)

    def below(self, path: str) -> list[str]:
        """Return the files in a folder and its folders, or all that a pattern names."""
        folder = re.sub(r"(?:/\.)?/*$", "", re.split(r"(?<=/)[^/]*[*?]", path)[0])
        own = [file for file in self.files if f"{file}/".startswith(f"{folder}/")]
        files = sorted({*own, *(self.names(folder) if self.names else ())})
        plain = "*" not in path and "?" not in path
        return [file for file in files if plain or fnmatchcase(file, path)]

    def wrote(
        self, path: str, text: str | None, *, append: bool = False, by: str = "a line"
    ) -> str:
        """Note that a file was written.

        Args:
            text: Its text; None if unknown.
            append: Whether the text is appended.
            by: The writer, for messages: ``COPY``, ``echo``.

        Returns:
            The reason for listing it if it adds a source to apt; otherwise empty.
        """
        if append and text is not None:
            before = self.text(path)
            before = "" if before is None and path not in self.files else before
            text = None if before is None else f"{before}{text}"
        self.files[path] = text if text is None or len(text) <= LONGEST_FILE else None
        self.fetched.pop(path, None)
        self.writers[path] = by
        return changes_apt(path)

    def has_made(self, prefix: str) -> bool:
        """Return whether lines made an environment at a prefix."""
        return not self.made.isdisjoint((prefix, home_as_tilde(prefix)))

    def logins(self, urls: Iterable[str]) -> Iterator[str]:
        """Yield a sentence on each file that has, or may have, a login for the host of a URL."""
        hosts = {host for url in urls if (host := host_of(url.partition("+")[2] or url))}
        for path, text in self.files.items():
            has = [host for host in sorted(hosts) if text is None or host in text]
            if has and _LOGINS.search(path):
                by = self.writers.get(path) or "A line"
                yield f"{by} writes {path}, with a login for {has[0]}, which cannot be recorded."

    def copied(self, source: str, target: str) -> None:
        """Note that wheels are copied: a folder of them, or all that a pattern names."""
        folder, name = posixpath.split(source.rstrip("/"))
        whole = name in ("*", "*.whl", ".")
        if finds := self.wheels.get(folder if whole else source.rstrip("/")):
            # a folder goes into one that is there already, and else gets its name
            into = (target,) if whole else (target, posixpath.join(target, name))
            for path in into:
                every = (*self.wheels.get(path, ()), *finds)
                self.wheels[path] = tuple({id(find): find for find in every}.values())

    def removed(self, path: str) -> None:
        """Note that a file that lines wrote, or a folder of wheels, is gone."""
        self.files.pop(path, None)
        self.wheels.pop(re.sub(r"/\*(?:\.whl)?$", "", path), None)
