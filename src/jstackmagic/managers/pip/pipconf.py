"""pip's own configuration, merged as pip merges it: its files, then the ``PIP_*`` variables.

The files, their order and the order of their sections are those of pip's
``_internal/configuration.py`` and ``_internal/cli/parser.py``: within one section a later file
wins, a command's own section wins over ``[global]`` in any file, and a variable
wins over all files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ...io.reading import read_once
from ...model.environment import Environment

UNREADABLE = ""
"""The name of the setting that stands for a file that pip itself cannot read."""


_TURNING_OFF = frozenset(("no-build-isolation", "no-compile", "no-warn-script-location"))


@dataclass(frozen=True, slots=True)
class Setting:
    """One of pip's settings."""

    name: str  #: its long option without the dashes, "index-url"
    value: str
    source: str  #: its file or variable

    @property
    def words(self) -> tuple[str, ...]:
        """The values of an option that may be given several times."""
        return tuple(self.value.split())

    @property
    def is_on(self) -> bool:
        """Return whether a flag is set; pip reads booleans as ``distutils.util.strtobool`` did.

        Of those that turn something off, pip takes the value for that: ``no-compile = false`` sets
        ``--no-compile``, as its page on configuration says.
        """
        value = self.value.strip().lower() in {"y", "yes", "t", "true", "on", "1"}
        return value is not (self.name in _TURNING_OFF)

    def is_ours(self, environment: Environment) -> bool:
        """Return whether it comes from a place that no image has: a variable, the user's home."""
        if self.source.startswith(("/etc/", "/usr/")):
            return False
        inside = self.source.startswith(environment.prefix.rstrip("/") + "/")
        return not (inside and environment.kind in ("conda-base", "system"))


def configured(
    environment: Environment, command: str = "install", environ: Mapping[str, str] | None = None
) -> Mapping[str, Setting]:
    """Return the settings that hold for one of pip's commands in an environment, by name."""
    environ = os.environ if environ is None else environ
    variables = {
        (setting := Setting(_name(key[4:]), value, key)).name: setting
        for key, value in environ.items()
        if key.startswith("PIP_")
    }
    files = places(environment.prefix, environ, os.path.exists)
    found = chain.from_iterable(read_once(filter(os.path.exists, files), _settings))
    return merged(found, command, variables)


def merged(
    found: Iterable[tuple[str, Setting]],
    command: str,
    variables: Mapping[str, Setting] | None = None,
) -> Mapping[str, Setting]:
    """Return the settings that hold for a command, of all in files and variables, by name.

    Args:
        found: Those of the files, the weakest file first, each with its section.
    """
    sections: dict[str, dict[str, Setting]] = {"global": {}, command: {}}
    for section, setting in found:
        if section in sections:
            sections[section][setting.name] = setting
    merged = sections["global"] | sections[command] | dict(variables or {})
    # pip passes over what is empty, and what is stronger does not
    for weaker in (sections[command], sections["global"]):
        for name, setting in weaker.items():
            if not merged[name].value:
                merged[name] = setting
    return {name: setting for name, setting in merged.items() if setting.value}


def _name(key: str) -> str:
    return key.lower().replace("_", "-").removeprefix("--")


def places(prefix: str, environ: Mapping[str, str], exists: Callable[[str], bool]) -> Iterator[str]:
    """Yield where the pip of a prefix looks, the weakest first.

    Args:
        exists: Returns whether a file is there: the user's own do not count beside
            ``PIP_CONFIG_FILE``.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    named = environ.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    folders = [
        f"{folder}/pip" for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    ]
    folders.append("/etc")
    if not (named and exists(named)):
        folders += [f"{home}/.pip", f"{environ.get('XDG_CONFIG_HOME') or f'{home}/.config'}/pip"]
    folders.append(prefix)
    yield from (f"{folder}/pip.conf" for folder in folders)
    if named:
        yield named


def _settings(path: str) -> tuple[tuple[str, Setting], ...]:
    """Return the settings of one file, each with its section."""
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(), path)
    except (OSError, UnicodeDecodeError) as error:
        return (("global", Setting(UNREADABLE, str(error), path)),)


def parse(text: str, path: str) -> tuple[tuple[str, Setting], ...]:
    """Return the settings in a file's text, each with its section."""
    from configparser import Error, RawConfigParser

    parser = RawConfigParser()
    try:
        parser.read_string(text, path)
    except Error as error:
        return (("global", Setting(UNREADABLE, str(error), path)),)
    return tuple(
        (section, Setting(_name(key), value, path))
        for section in parser.sections()
        for key, value in parser.items(section)
    )
