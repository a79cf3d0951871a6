"""The settings of pip and conda in files that lines wrote, merged as each of the two merges them.

A setting is a line of a file: ``pip config set`` and ``conda config`` change the file's text, and a
file that is removed or passed over takes its settings with it. The files' order is that of
`managers.pip.pipconf` and `where.condarc`, which read the same files on this machine.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import islice
from operator import itemgetter
from typing import Any

from ..io.reading import text_or_none
from ..managers.pip import pipconf
from ..model.buildvariables import FOR_CONDA
from ..model.documents import parse_toml, parse_yaml, table
from ..model.errors import InvalidSpec, JStackMagicError
from ..model.shell import Word
from ..where import condarc
from .argv import Call, ProgramOptions
from .state import expanded, is_environment, upwards, word_of

_CONDA_MATTERS = (
    *("channel_priority", "channel_alias", "custom_channels", "custom_multichannels"),
    *("default_channels", "pinned_packages", "disallowed_packages", "subdir", "subdirs"),
    *("override_channels_enabled", "use_only_tar_bz2", "envs_dirs", "envs_path"),
)
_HOME = re.compile(r"(?:~|\$\{?HOME\}?|/root|/home/[^/]+)(?=/)")


def pip_settings(call: Call) -> tuple[dict[str, Word], tuple[str, ...]]:
    """Return the options that files set for ``pip install``, and what in them cannot be followed.

    Args:
        call: The call; of its target's prefix the own file counts.
    """
    environ, doubts = _environ(call, "PIP_CONFIG_FILE")
    there = {_place(path, call) for path in call.machine.files}
    found: list[tuple[str, pipconf.Setting]] = []
    for path, text in _files(
        call, pipconf.places(_prefix(call, "pip.conf"), environ, there.__contains__), environ
    ):
        settings = pipconf.parse(text or "", path)
        if text is None:
            doubts.append(_unseen(call, "pip", path))
        elif any(setting.name == pipconf.UNREADABLE for _, setting in settings):
            doubts.append(f"{_writer(call, path)} writes {path}, which pip cannot read.")
        else:
            found += settings
    values = pipconf.merged(found, "install")
    words = {f"--{name}": word_of(" ".join(each.value.split())) for name, each in values.items()}
    return words, tuple(doubts)


def conda_settings(call: Call) -> tuple[tuple[Word, ...], tuple[str, ...]]:
    """Return the channels that files set for conda, and what no request can hold."""
    environ, doubts = _environ(call, "CONDARC", "MAMBARC")
    paths = condarc.search_path(
        _prefix(call, ".condarc"), _root(call), environ, mamba=call.program != "conda"
    )
    sources: list[condarc.SettingsSource] = []
    for path, text in _files(call, paths, environ):
        try:
            settings = condarc.parse(text, path) if text is not None else {}
            condarc.merge(
                [condarc.SettingsSource(path, settings)],
                root_prefix=None,
                root_writable=True,
                environ={},
            )
        except JStackMagicError:
            doubts.append(f"{_writer(call, path)} writes {path}, which conda cannot read.")
            continue
        sources.append(condarc.SettingsSource(path, settings))
        if text is None:
            doubts.append(_unseen(call, "conda", path))
    for source in sources:
        doubts += (
            _matters(source.name, key, _shown(value)) for key, value in source.settings.items()
        )
    for name, word in call.variables.items():
        if FOR_CONDA.fullmatch(name):
            if word.holes:
                doubts.append(f"{name} is only known when it runs, and cannot be recorded.")
        elif name.startswith("CONDA_") and not (word.holes and word.text == f"${name}"):
            doubts.append(_matters(name, name.removeprefix("CONDA_").lower(), word.text))
    pinned = [p for p in call.machine.files if p.endswith("conda-meta/pinned")]
    doubts += (f"{_writer(call, p)} writes {p}, whose pins are not followed." for p in pinned)
    merged = condarc.merge(sources, root_prefix=None, root_writable=True, environ={})
    channels = tuple(word_of(channel.channel) for channel in merged.channels)
    return channels, tuple(filter(None, doubts))


_UNSEEN = "which is not seen."


def unseen(doubts: Iterable[str]) -> str:
    """Return the doubts on files that may name any source; empty without.

    A file that a variable names may be there where it runs: it is noted.
    """
    named = ("PIP_CONFIG_FILE ", "CONDARC ", "MAMBARC ")
    return " ".join(d for d in doubts if d.endswith(_UNSEEN) and not d.startswith(named))


def uv_doubts(call: Call) -> tuple[str, ...]:
    """Return what may change uv's work, and is not followed."""
    paths = [path for path in call.machine.files if os.path.basename(path) == "uv.toml"]
    return tuple(
        f"{_writer(call, path)} writes {path}, whose settings are not followed." for path in paths
    )


def uv_settings(folder: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what uv's files say of indexes, as the variables that say the same.

    The nearest project's counts before the user's and the system's, and lists are joined:
    https://docs.astral.sh/uv/concepts/configuration-files/
    """
    from .files._toolsources import of_tools

    if environ.get("UV_NO_CONFIG"):
        return {}
    own = environ.get("UV_CONFIG_FILE")
    said = [
        of_tools({"tool": {"uv": settings}}, os.path.dirname(path)).sources
        for path, settings in ([(own, _of_uv(own))] if own else _uv_files(folder, environ))
    ]
    default = next((each.index_url for each in said if each.index_url), "")
    first = environ.get("UV_DEFAULT_INDEX") or environ.get("UV_INDEX_URL") or default
    extra = (environ.get("UV_INDEX", ""), *(url for each in said for url in each.extra_index_urls))
    links = (environ.get("UV_FIND_LINKS", ""), *(at for each in said for at in each.find_links))
    values = ("UV_DEFAULT_INDEX", first), ("UV_INDEX", " ".join(filter(None, extra)))
    return {
        name: value
        for name, value in (*values, ("UV_FIND_LINKS", ",".join(filter(None, links))))
        if value
    }


def _uv_files(folder: str, environ: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield uv's files and their settings: the nearest project's, the user's, the system's."""
    projects = (f"{at}/{name}" for at in upwards(folder) for name in ("uv.toml", "pyproject.toml"))
    home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    system = (*environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":"), "/etc")
    for places in (projects, (f"{home}/uv/uv.toml",), (f"{at}/uv/uv.toml" for at in system)):
        found = ((path, _of_uv(path)) for path in places)
        yield from ((path, settings) for path, settings in islice(filter(itemgetter(1), found), 1))


def _of_uv(path: str) -> dict[str, Any]:
    """Return a file's settings for uv; empty where it has none, or is broken, as uv will say."""
    text = text_or_none(path)
    try:
        data = parse_toml(text or "", path)
    except JStackMagicError:
        return {}
    return table(data, "tool", "uv") if os.path.basename(path) == "pyproject.toml" else data


def _environ(call: Call, *named: str) -> tuple[dict[str, str], list[str]]:
    """Return the variables that say where files are, and a sentence on each that is unknown."""
    words = {name: call.variables.get(name) for name in (*named, "XDG_CONFIG_HOME")}
    known = {name: word.text for name, word in words.items() if word is not None and word.text}
    unknown = [name for name, word in words.items() if word is not None and word.holes]
    tool = "pip" if "PIP_CONFIG_FILE" in named else "conda"
    doubts = [f"{name} says what {tool} reads in {known.pop(name)}, {_UNSEEN}" for name in unknown]
    paths = {name: text if text == os.devnull else call.path(text) for name, text in known.items()}
    return {"HOME": call.home or os.path.expanduser("~"), **paths}, doubts


def _files(
    call: Call, places: Iterable[str], environ: Mapping[str, str]
) -> Iterator[tuple[str, str | None]]:
    """Yield the files that lines wrote among a tool's places, and those that a variable names."""
    machine = call.machine
    written = {_place(path, call): path for path in machine.files}
    named = {
        text: name for name, text in environ.items() if name not in ("HOME", "XDG_CONFIG_HOME")
    }
    for place in places:
        for at, path in written.items():
            if at == place or (place.endswith("rc.d") and os.path.dirname(at) == place):
                yield path, machine.files[path]
        if place in named and place not in written and place != os.devnull:
            machine.writers.setdefault(place, named[place])
            yield place, machine.text(place)


def _place(path: str, call: Call) -> str:
    """Return a path as the tools' own places are written; any home is that of an unknown user."""
    home = call.home or os.path.expanduser("~")
    path = path if call.home and path.startswith(("/root/", "/home/")) else _HOME.sub(home, path)
    path = _HOME.sub(home, path) if "$" in path else path
    return os.path.join("/", expanded(path, home))


def _prefix(call: Call, name: str) -> str:
    """Return the prefix whose own file counts: the target's, or the one that lines wrote into."""
    target = call.target
    if target.prefix:
        return os.path.join("/", expanded(target.prefix, call.home))
    for path in call.machine.files:
        folder, file = os.path.split(path)
        own = folder.endswith(f"/envs/{target.name}") if target.name else is_environment(folder)
        if own and file == name:
            return os.path.join("/", folder)
    return f"/{_OWN}"


_OWN = "{sys.prefix}"


def _root(call: Call) -> str:
    """Return the root of the conda that a call uses, as far as it is known."""
    if call.root:
        return os.path.join("/", call.root)
    written = (os.path.dirname(path) for path in call.machine.files if path.endswith("/.condarc"))
    roots = (folder for folder in written if is_environment(folder) and "/envs/" not in folder)
    return os.path.join("/", next(roots, "$CONDA_ROOT"))


def _writer(call: Call, path: str) -> str:
    return call.machine.writers.get(path) or "A line"


def _unseen(call: Call, tool: str, path: str) -> str:
    by = call.machine.writers.get(path, "")
    if by.startswith("Whether "):
        return f"{by} stands in {path} is only known when it runs."
    return f"{by or 'A line'} says what {tool} reads in {path}, {_UNSEEN}"


def _matters(by: str, key: str, value: str) -> str:
    """Return a sentence on a setting of conda's that changes a result; empty for another."""
    matters = key in _CONDA_MATTERS or key.startswith("override_")
    if not matters or (key == "channel_priority" and value.lower() in ("flexible", "true")):
        return ""
    return f"{by} sets conda's {f'{key} {value}'.strip()}, which cannot be recorded."


def _shown(value: condarc.Value) -> str:
    content = value.content
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, tuple) else content.values()
    return " ".join(map(_shown, parts))


# What the tools' own commands write

_PIP_CONFIG = ProgramOptions.of(valued="--editor", flags="--user --global --site")


def pip_config(call: Call) -> None:
    """Apply ``pip config set NAME VALUE`` and ``unset NAME`` to the file that pip would change."""
    from configparser import ConfigParser, Error

    call = call.by(call.words[0])
    given = _PIP_CONFIG.read(call.arguments)
    verb, name, value = [*given.words[1:], Word(""), Word(""), Word("")][:3]
    if verb.text not in ("set", "unset") or not name.text:
        return
    site = os.path.join(call.target.prefix or _OWN, "pip.conf")
    path = "/etc/pip.conf" if given.has("--global") else "~/.config/pip/pip.conf"
    if given.has("--site") or (site in call.machine.files and not given.has("--global", "--user")):
        path = site
    path = expanded(path, call.home) if call.home else path
    section, dot, key = name.text.partition(".")
    section, key = (section, key) if dot else ("global", section)
    text = call.machine.files.get(path, "")
    if text is not None:
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
        except Error:
            return
        if verb.text == "unset" and parser.has_section(section):
            parser.remove_option(section, key)
        elif verb.text == "set":
            parser.read_dict({section: {key: value.text}})
        changed = StringIO()
        parser.write(changed)
        text = changed.getvalue()
    call.machine.wrote(path, text, by=f"pip config, {call.machine.at(call.line)},")


def conda_config(call: Call, where: str, changes: Sequence[tuple[str, str, list[Word]]]) -> None:
    """Apply ``conda config --add KEY VALUE`` and its like to the file that conda would change.

    Args:
        where: ``--system``, ``--env``, or a file; empty for the user's own.
        changes: For each change, how, the setting, and its values.
    """
    path = where
    if where == "--system":
        path = f"{call.root or '$CONDA_ROOT'}/.condarc"
    elif where == "--env":
        path = f"{call.target.prefix or _OWN}/.condarc"
    elif not where:
        path = expanded("~/.condarc", call.home) if call.home else "~/.condarc"
    text = call.machine.files.get(path, "")
    try:
        data: Any = None if text is None else parse_yaml(text, path) or {}
    except InvalidSpec:
        data = None
    if isinstance(data, dict):
        for way, key, values in changes:
            _change(data, way, key, [word.text for word in values])
    known = isinstance(data, dict)
    text = "".join(f"{key}: {json.dumps(data[key])}\n" for key in data) if known else None
    call.machine.wrote(path, text, by=f"conda config, {call.machine.at(call.line)},")


def _change(data: dict[str, Any], way: str, key: str, values: list[str]) -> None:
    key, dot, inner = key.partition(".")
    if dot and way == "--set":  # custom_channels.NAME
        held = data.get(key)
        data[key] = {**(held if isinstance(held, dict) else {}), inner: " ".join(values)}
        return
    before = data.get(key, [])
    before = before if isinstance(before, list) else [before]
    others = [each for each in before if each not in values]
    if way == "--set":
        data[key] = values if key == "channels" else " ".join(values)
    elif way == "--remove-key":
        data.pop(key, None)
    elif way == "--remove":
        data[key] = others
    else:
        data[key] = [*others, *values] if way == "--append" else [*values, *others]


# What other programs write

_SETTERS = (
    (r"aws codeartifact login\b.*--tool[ =]pip\b", "~/.config/pip/pip.conf"),
    (r"(?:jfrog|jf)\b.*\b(?:pip-config|pipc|setup pip)\b", "~/.config/pip/pip.conf"),
    (r"(?:ana)?conda token (?:set|install|config)\b", "~/.condarc"),
)
"""Programs that set where packages come from, and the file that they write."""


def set_by(call: Call) -> str:
    """Return the settings file that another program's call writes; empty for other calls."""
    line = " ".join([call.program, *(word.text for word in call.arguments)])
    return next((path for pattern, path in _SETTERS if re.match(pattern, line)), "")
