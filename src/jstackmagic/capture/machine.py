"""Settings and files that outlast a shell, as the lines of a text leave them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..model.documents import parse_yaml
from ..model.errors import InvalidSpec
from . import Origin
from .shell import Word

if TYPE_CHECKING:
    from collections.abc import Mapping


BASH_FILES = (".bashrc", ".bash_profile", ".profile", ".bash_login", "bash.bashrc", ".zshrc")
_PIP_FILES = ("pip.conf", "pip.ini")
_CONDA_FILES = (".condarc", "condarc", ".mambarc")
_CONDA_MATTERS = (
    *("channel_priority", "channel_alias", "custom_channels", "custom_multichannels"),
    *("default_channels", "pinned_packages", "disallowed_packages", "subdir", "subdirs"),
    *("override_channels_enabled", "use_only_tar_bz2", "envs_dirs", "envs_path"),
)


def origin_of(path: str, origins: Mapping[str, Origin]) -> tuple[Origin, str] | None:
    """Return the origin of a path, and the path in that; None if no line fetches it."""
    for folder, origin in reversed(list(origins.items())):
        if path == folder or (not origin.is_file and path.startswith(f"{folder}/")):
            return origin, path[len(folder) + 1 :]
    return None


def unknown_value(name: str) -> Word:
    """Return a value known only at run time: the variable itself."""
    hole = f"${name}" if re.fullmatch(r"\w+", name) else name
    return Word(hole, holes=(hole,), quoted=True)


def same(one: Word | None, other: Word | None) -> bool:
    """Return whether two values are equal; None is no value."""
    if one is None or other is None:
        return one is other
    return (one.text, one.holes) == (other.text, other.holes)


def changes_apt(path: str) -> str:
    """Return the reason for listing a file that apt's sources or pins are in; empty for others."""
    if re.search(r"/apt/(sources\.list|preferences|apt\.conf|trusted|auth)|/keyrings/", path):
        return f"It changes what apt installs from ({path}); a request for apt cannot say that."
    return ""


@dataclass
class Machine:
    """State that outlasts a shell: settings, and files that were written.

    Attributes:
        pip: Options by ``pip config`` and ``pip.conf``, by their long names.
        channels: By ``conda config`` and ``.condarc``, the first is strongest.
        files: The text of files that were written; None if unknown.
        made: Prefixes of virtual environments that were made.
        fetched: The origin of a folder that was cloned, or of a file that was downloaded.
        doubts: For a manager's name, what cannot be followed and may change its work.
        look: Returns the text of a file that no line wrote; None for an unseen one.
    """

    pip: dict[str, Word] = field(default_factory=dict)
    channels: tuple[Word, ...] = ()
    files: dict[str, str | None] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    fetched: dict[str, Origin] = field(default_factory=dict)
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    look: Callable[[str], str | None] | None = None

    def copy(self) -> Machine:
        """Return a copy for a branch."""
        own = ("pip", "files", "made", "fetched", "doubts")
        return replace(self, **{name: getattr(self, name).copy() for name in own})

    def join(self, other: Machine) -> None:
        """Become the machine after one of two branches: different values are unknown."""
        for option in dict.fromkeys((*self.pip, *other.pip)):
            if not same(self.pip.get(option), other.pip.get(option)):
                self.pip[option] = unknown_value(f"pip config {option[2:]}")
        if [word.text for word in self.channels] != [word.text for word in other.channels]:
            longer = max(self.channels, other.channels, key=len)
            names = ", ".join(word.text for word in longer)
            self.doubt("conda", f"Whether conda's channels are {names}, only the run can tell.")
            self.channels = min(self.channels, other.channels, key=len)
        for path in dict.fromkeys((*self.files, *other.files)):
            # one that only a branch writes has that text, or is not there to be read
            seen = self.look is not None and self.look(path) is not None
            both = (path in self.files and path in other.files) or seen
            if both and self.text(path) != other.text(path):
                self.files[path] = None
            self.files.setdefault(path, other.files.get(path))
        self.made |= other.made
        for path, origin in other.fetched.items():
            if self.fetched.setdefault(path, origin) != origin:
                self.fetched[path] = origin._replace(revision=None)
        for manager, sentences in other.doubts.items():
            for sentence in sentences:
                self.doubt(manager, sentence)

    def text(self, path: str) -> str | None:
        """Return a file's text; None if it is not seen."""
        if path in self.files or self.look is None:
            return self.files.get(path)
        return self.look(path)

    def doubt(self, manager: str, sentence: str) -> None:
        """Note what cannot be followed; each later find of that manager says so."""
        known = self.doubts.get(manager, ())
        self.doubts[manager] = tuple(dict.fromkeys((*known, sentence)))

    def wrote(
        self, path: str, text: str | None, *, append: bool = False, by: str = "a line"
    ) -> str:
        """Note that a file was written, and apply it if it is a settings file.

        Args:
            path: Its path.
            text: Its text; None if unknown.
            append: Whether the text is appended.
            by: The writer, for messages: ``COPY``, ``echo``.

        Returns:
            The reason for listing it if it adds a source to apt; otherwise empty.
        """
        name = os.path.basename(path)
        if append and text is not None:
            before = self.text(path)
            before = "" if before is None and path not in self.files else before
            text = None if before is None else f"{before}{text}"
        self.files[path] = text
        self.fetched.pop(path, None)
        if name in _PIP_FILES or path.endswith("pip/config"):
            self.pip_file(path, text, by)
        elif name in _CONDA_FILES or path.endswith("/condarc.d"):
            self.conda_file(path, text, by)
        elif name == "uv.toml":
            self.doubt("uv", f"{by} writes {path}, whose settings are not followed.")
        elif name == "pinned" and "conda-meta" in path:
            self.doubt("conda", f"{by} writes {path}, whose pins are not followed.")
        elif name in BASH_FILES and text is None:
            self.doubt("shell", f"{by} changes {path}, in a way that is not followed.")
        return changes_apt(path)

    def removed(self, path: str) -> None:
        """Note that a file is gone, and the settings with it that it held."""
        if path not in self.files:
            return
        held = Machine()
        held.wrote(path, self.files.pop(path))
        for option, value in held.pip.items():
            if same(self.pip.get(option), value):
                del self.pip[option]
        if held.channels == self.channels:
            self.channels = ()
        for manager, sentences in self.doubts.items():
            self.doubts[manager] = tuple(each for each in sentences if path not in each)

    def seen_by(self, manager: str, variables: Mapping[str, Word]) -> Machine:
        """Return the machine with the settings that a manager has from variables alone."""
        machine = self.copy()
        read = machine.pip_file if manager == "pip" else machine.conda_file
        for name in ("PIP_CONFIG_FILE",) if manager == "pip" else ("CONDARC", "MAMBARC"):
            path = variables.get(name)
            if path is not None and path.text == os.devnull and manager == "pip":
                machine.pip, machine.doubts = {}, {**machine.doubts, "pip": ()}  # reads no file
            elif path is not None and path.text not in ("", os.devnull):
                read(path.text, None if path.holes else machine.text(path.text), name)
        for name, value in variables.items() if manager == "conda" else ():
            key = name.removeprefix("CONDA_").lower()
            if name.startswith("CONDA_") and not (value.holes and value.text == f"${name}"):
                machine.conda_setting(key, value.text, by=name)
        return machine

    def pip_file(self, path: str, text: str | None, by: str) -> None:
        """Apply a ``pip.conf``."""
        from configparser import ConfigParser, Error

        if text is None:
            self.doubt("pip", f"{by} says what pip reads in {path}, which is not seen.")
            return
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
        except Error:
            self.doubt("pip", f"{by} writes {path}, which pip cannot read.")
            return
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    self.pip_setting(key, Word(" ".join(value.split())))

    def pip_setting(self, key: str, value: Word | None) -> None:
        """Apply a setting of pip's by its name; None removes it."""
        option = "--" + key.lower().replace("_", "-").lstrip("-")
        if value is None:
            self.pip.pop(option, None)
        else:
            self.pip[option] = value

    def conda_file(self, path: str, text: str | None, by: str) -> None:
        """Apply a ``.condarc``."""
        try:
            data = None if text is None else parse_yaml(text, path)
        except InvalidSpec:
            data = None
        if data is None and text is not None and not text.strip():
            return
        if not isinstance(data, dict):
            self.doubt("conda", f"{by} says what conda reads in {path}, which is not seen.")
            return
        channels = data.get("channels")
        if isinstance(channels, str):
            channels = [channels]
        if isinstance(channels, list):
            self.channels = tuple(Word(str(channel)) for channel in channels)
        for key, value in data.items():
            self.conda_setting(str(key), str(value), by=path)

    def conda_setting(self, key: str, value: str, *, by: str) -> None:
        """Apply a setting of conda's other than channels, with a note if it changes a result."""
        if (key in _CONDA_MATTERS or key.startswith("override_")) and not (
            key == "channel_priority" and value.lower() in ("flexible", "true")
        ):
            shown = f"{key} {value}".strip()
            self.doubt("conda", f"{by} sets conda's {shown}, which no request holds.")
