"""conda's configuration, merged as conda merges it: condarc files and ``CONDA_*`` variables.

The order of the files, the merging of lists and maps, and the flags ``#!final``, ``#!top`` and
``#!bottom`` are those of conda's ``base/constants.py`` and ``common/configuration.py``. Reading
files is at the edge (`load`); their order (`search_path`), parsing (`parse`), merging (`merge`) and
what a channel's name means (`channel_urls`) are pure.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from ..io.reading import read_once
from ..model.documents import yaml_nodes
from ..model.environment import ConfiguredChannel
from ..model.errors import NOTHING_CHANGED, InvalidSpec, JStackMagicError
from ..model.words import listed

ChannelPriority = Literal["strict", "flexible", "disabled"]

DEFAULTS = "defaults"
"""The default multichannel of conda up to 25.9, if no channel was configured."""


@dataclass(frozen=True, slots=True)
class CondaSetting:
    """A setting, and its file or variable."""

    name: str
    source: str


@dataclass(frozen=True, slots=True)
class CondaConfig:
    """The configuration that conda uses for one environment.

    Names and meanings are conda's own; paths and URLs are expanded and hold their credentials.
    """

    channels: tuple[ConfiguredChannel, ...] = ()  #: in priority order; empty if none is configured
    default_channels: tuple[str, ...] = (
        "https://repo.anaconda.com/pkgs/main",
        "https://repo.anaconda.com/pkgs/r",
    )
    channel_alias: str = "https://conda.anaconda.org"
    custom_channels: Mapping[str, str] = field(
        default_factory=lambda: {"pkgs/pro": "https://repo.anaconda.com"}
    )
    custom_multichannels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    channel_priority: ChannelPriority = "flexible"
    pinned_packages: tuple[str, ...] = ()
    aggressive_update_packages: tuple[str, ...] = ("ca-certificates", "certifi", "openssl")
    #: package caches, the preferred one first; by default conda's own
    pkgs_dirs: tuple[str, ...] = ()
    envs_dirs: tuple[str, ...] = ()  #: the folders of named environments, in conda's search order
    offline: bool = False
    #: whether certificates are checked, or the path of a bundle of certificates, or
    #: ``"truststore"`` for the system's
    ssl_verify: bool | str = True
    client_ssl_cert: str | None = None
    #: URL scheme, or scheme and host, to the proxy's URL
    proxy_servers: Mapping[str, str] = field(default_factory=dict)
    add_anaconda_token: bool = True
    allowlist_channels: tuple[str, ...] = ()
    denylist_channels: tuple[str, ...] = ()
    files: tuple[str, ...] = ()  #: the files that were read, the weakest first
    #: settings that would change an install and have no field here: an engine without conda does
    #: not honour them
    unhonoured: tuple[CondaSetting, ...] = ()


# Settings: their names, their shapes, and what is made of them

_ALIASES = {
    "add_binstar_token": "add_anaconda_token",
    "channel": "channels",
    "envs_path": "envs_dirs",
    "verify_ssl": "ssl_verify",
    "client_cert": "client_ssl_cert",
    "client_cert_key": "client_ssl_cert_key",
    "whitelist_channels": "allowlist_channels",
}


_PLAIN_LISTS = listed("""
    default_channels allowlist_channels denylist_channels aggressive_update_packages pinned_packages
""")
_SWITCHES = listed("add_anaconda_token offline")
_TEXTS = listed("channel_alias client_ssl_cert")
_LISTS = {
    **dict.fromkeys((*_PLAIN_LISTS, "channels", "pkgs_dirs"), ","),
    "pinned_packages": "&",
    "envs_dirs": os.pathsep,
}
"""The settings that are lists, and what separates the entries in their ``CONDA_*`` variables."""

_MAPS = listed("custom_channels custom_multichannels proxy_servers")

_SCALARS = _SWITCHES | _TEXTS | {"channel_priority", "ssl_verify"}

_PATHS = listed("envs_dirs pkgs_dirs")

_LITERAL = listed("aggressive_update_packages channel_priority pinned_packages")
"""The settings in which conda does not expand ``$NAME``."""

_HARMLESS = {
    **dict.fromkeys(
        listed("""
            channel_settings cooldown cooldown_exclude disallow disallowed_packages exclude_newer
            exclude_newer_package migrated_channel_aliases migrated_custom_channels
            override_virtual_packages preview root_dir root_prefix shortcuts_only
            signing_metadata_url_base subdir subdirs track_features virtual_packages
        """),
        listed(""),
    ),
    **dict.fromkeys(
        listed("""
            allow_non_channel_urls allow_softlinks always_copy always_softlink copy
            extra_safety_checks force_32bit force_reinstall force_remove ignore_pinned
            pip_interop_enabled prefix_data_interoperability restore_free_channel softlink
            solver_ignore_timestamps use_local use_only_tar_bz2
        """),
        listed("false"),
    ),
    "deps_modifier": listed("not_set"),
    "override_channels_enabled": listed("true yes on"),
    "path_conflict": listed("clobber"),
    "repodata_fns": listed("current_repodata.json repodata.json"),
    "update_modifier": listed("update_specs"),
}
"""conda's settings that change an install and have no field, each with its harmless values."""

# What conda shows and asks; conda itself, its shell and new environments; how it works rather than
# what comes of it; mamba's mirrors, which hold the same packages; conda-build.
_INERT = listed("""
    always_yes changeps1 console debug dev dry_run env_prompt error_upload_url force json
    list_fields notify_outdated_conda number_channel_notices quiet report_errors show_channel_urls
    trace unsatisfiable_hints unsatisfiable_hints_check_depth verbose verbosity yes

    allow_conda_downgrades auto_activate auto_activate_base auto_stack auto_update_conda
    create_default_packages default_activation_env default_python enable_private_envs env_spec
    environment_specifier envvars_force_uppercase export_platforms extra_platforms no_plugins
    non_admin_enabled protect_frozen_envs register_envs self_update shortcuts

    add_pip_as_python_dependency allow_cycles client_ssl_cert_key default_threads execute_threads
    experimental experimental_solver fetch_threads local_repodata_ttl no_lock
    remote_backoff_factor remote_connect_timeout_secs remote_max_retries remote_read_timeout_secs
    repodata_threads repodata_use_shards repodata_use_zst rollback_enabled safety_checks sat_solver
    separate_format_cache solver use_index_cache verify_threads

    mirrored_channels use_lockfiles

    anaconda_upload binstar_upload bld_path conda-build conda_build croot
""")
"""Settings that change nothing about which packages end up in an existing environment."""

_HONOURED = _SCALARS | _MAPS | _INERT | _LISTS.keys() | _ALIASES.keys()

# Where the settings stand

_SYSTEM = ("/etc/conda", "/var/lib/conda")
_USER = ("$XDG_CONFIG_HOME/conda", "~/.config/conda", "~/.conda")
_CONDARC = (".condarc", "condarc", "condarc.d")
_MAMBARC = (".mambarc", "mambarc", "mambarc.d")


def _each(folders: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    names = tuple(names)
    return tuple(f"{folder}/{name}" for folder in folders for name in names)


_CONDA_SEARCH_PATH = (
    *_each((*_SYSTEM, "$CONDA_ROOT", *_USER), _CONDARC),
    "~/.condarc",
    *_each(("$CONDA_PREFIX",), _CONDARC),
    "$CONDARC",
)

_MAMBA_SEARCH_PATH = (
    *_each((*_SYSTEM, "$CONDA_ROOT"), (*_CONDARC, ".mambarc")),
    *_each(_USER, _CONDARC),
    "~/.condarc",
    "$CONDARC",
    *_each(("$XDG_CONFIG_HOME/mamba", "~/.config/mamba", "~/.mamba"), _MAMBARC),
    "~/.mambarc",
    "$MAMBARC",
    *_each(("$CONDA_PREFIX",), (*_CONDARC, ".mambarc")),
)
"""libmamba's, of ``api/configuration.cpp``: mamba and micromamba read conda's files and more."""


def search_path(
    prefix: str, root_prefix: str | None, environ: Mapping[str, str], *, mamba: bool = False
) -> tuple[str, ...]:
    """Return the files and folders that conda (or mamba) reads, the weakest first.

    Args:
        prefix: The target environment; it takes the place of the documentation's
            ``$CONDA_PREFIX``, which in a kernel is the server's environment.
        mamba: Whether mamba or micromamba governs.
    """
    variables = {**environ, "CONDA_PREFIX": prefix}
    if root_prefix is not None:
        variables.setdefault("CONDA_ROOT", root_prefix)
    templates = _MAMBA_SEARCH_PATH if mamba else _CONDA_SEARCH_PATH
    paths = (
        _expand(template, variables)
        for template in templates
        if not template.startswith("$") or variables.get(template[1:].partition("/")[0])
    )
    return tuple(dict.fromkeys(paths))


def load(
    prefix: str,
    root_prefix: str | None,
    environ: Mapping[str, str] = os.environ,
    *,
    mamba: bool = False,
    but: Callable[[str], bool] | None = None,
) -> CondaConfig:
    """Read and merge the configuration of one environment.

    Args:
        root_prefix: The prefix of the conda root that governs it; None without one.
        mamba: Whether mamba or micromamba governs, which also read files of their own.
        but: Returns true for a file or a variable that is to be left out.

    Raises:
        JStackMagicError: A file is not YAML, cannot be read, or has a setting of the wrong shape.
            (conda skips a file that is not YAML, with a warning in its log.)
    """
    files = (
        SettingsSource(path, settings)
        for path in _files(search_path(prefix, root_prefix, environ, mamba=mamba))
        for settings in read_once([path], _settings_of_file)
    )
    sources = (*files, *_variables(environ, "MAMBA_" if mamba else "CONDA_"))
    local = tuple(
        f"file://{_percent_encoded(folder)}"
        for folder in _build_folders(root_prefix, environ)
        if os.path.isdir(folder)
    )
    writable = root_prefix is not None and os.access(f"{root_prefix}/conda-meta/history", os.W_OK)
    return merge(
        [each for each in sources if but is None or not but(each.name)],
        root_prefix=root_prefix,
        root_writable=writable,
        environ=environ,
        local_channels=local,
    )


def _files(paths: Iterable[str]) -> Iterator[str]:
    """Yield the configuration files that exist among `paths` and in the folders among them."""
    for path in paths:
        try:
            entries = os.scandir(path) if stat.S_ISDIR(os.stat(path).st_mode) else None
        except OSError:
            continue
        if entries is None:
            if _is_configuration(path):
                yield path
            continue
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.endswith((".yml", ".yaml")) and entry.is_file():
                yield entry.path


def _is_configuration(path: str) -> bool:
    # conda takes files of these names only, also from $CONDARC.
    name = path.rpartition("/")[2]
    return name.lstrip(".") in {"condarc", "mambarc"} or name.endswith((".yml", ".yaml"))


def _build_folders(root_prefix: str | None, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the output folders of conda-build: the channel called "local"."""
    root = root_prefix and f"{root_prefix}/conda-bld"
    for folder in (environ.get("CONDA_BLD_PATH"), root, "~/conda-bld"):
        if folder:
            yield _expand(folder, environ)


def _settings_of_file(path: str) -> Mapping[str, Value]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise JStackMagicError(
            f"conda's configuration file {path} cannot be read: {error}.",
            kept=NOTHING_CHANGED,
            advice="Fix the file or its permissions, or remove it.",
        ) from error
    return parse(text, path)


# Parsing


@dataclass(frozen=True, slots=True)
class Value:
    """A setting, or a part of one, as written, and the flag in the comment behind it.

    Scalars stay text: what they mean depends on the setting, not on YAML's guess.
    """

    content: str | tuple[Value, ...] | dict[str, Value]
    flag: str = ""

    @property
    def is_null(self) -> bool:
        """Return whether it says nothing, as in ``channels: ~``."""
        return isinstance(self.content, str) and self.content in {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """The settings of one file or one variable."""

    name: str
    settings: Mapping[str, Value]


def parse(text: str, source: str) -> Mapping[str, Value]:
    """Return the settings of a condarc file.

    Raises:
        JStackMagicError: It is not YAML, or not a mapping.
    """
    # Importing PyYAML takes longer than all of detection: what conda itself writes is read without.
    plain = _parse_plain(text)
    return _parse_yaml(text, source) if plain is None else plain


def _comment(group: str) -> str:
    return rf"(?:[ ]+\#(?:!(?P<{group}>final|top|bottom)[ ]*|.*))?[ ]*"


_SCALAR = r"[A-Za-z0-9/~$.](?:[A-Za-z0-9/~$.@%+=_{}-]|:(?=[^ \n]))*"
_PLAIN_LINE = re.compile(
    rf"(?P<blank>[ ]*(?:\#.*)?)"
    rf"|(?P<key>[A-Za-z_][A-Za-z0-9_-]*):(?:[ ]+(?P<value>{_SCALAR}))?{_comment('flag')}"
    rf"|(?P<indent>[ ]*)-[ ]+(?P<item>{_SCALAR}){_comment('item_flag')}"
)


def _parse_plain(text: str) -> Mapping[str, Value] | None:
    """Read a file of plain scalars and lists of them; None for anything that needs real YAML."""
    if re.search(r"[^\n\x20-\x7e]", text):
        return None
    settings: dict[str, Value] = {}
    key, indent = "", None
    for line in text.split("\n"):
        match = _PLAIN_LINE.fullmatch(line)
        if match is None:
            return None
        if match["blank"] is not None:
            continue
        if match["key"] is not None:
            key, indent = match["key"], None
            if key in settings:
                return None
            settings[key] = Value(match["value"] or "", match["flag"] or "")
            continue
        if not key or indent not in (None, match["indent"]):
            return None
        before = settings[key]
        if indent is None and before.content != "":
            return None
        indent = match["indent"]
        items = before.content if isinstance(before.content, tuple) else ()
        item = Value(match["item"], match["item_flag"] or "")
        settings[key] = Value((*items, item), before.flag)
    return settings


def _parse_yaml(text: str, source: str) -> Mapping[str, Value]:
    try:
        node = yaml_nodes(text, "it")
        value = Value("") if node is None else _value_of_node(node, text.splitlines())
    except InvalidSpec as error:
        raise _broken(source, error.problem.rstrip(".")) from error
    except ValueError as error:
        raise _broken(source, str(error)) from error
    if value.is_null:
        return {}
    if not isinstance(value.content, dict):
        raise _broken(source, "it holds no settings (NAME: VALUE)")
    return value.content


def _value_of_node(node: object, lines: Sequence[str]) -> Value:
    from yaml import MappingNode, ScalarNode, SequenceNode

    if isinstance(node, ScalarNode):
        return Value(node.value, _flag_after(node.end_mark, lines))
    if isinstance(node, SequenceNode):
        return Value(tuple(_value_of_node(child, lines) for child in node.value))
    assert isinstance(node, MappingNode)
    content: dict[str, Value] = {}
    for key, child in node.value:
        if not isinstance(key, ScalarNode) or key.value in content:
            raise ValueError(f"{key.value} is not a name, or is in it twice")
        value = _value_of_node(child, lines)
        flag = value.flag or _flag_after(key.end_mark, lines)
        content[key.value] = Value(value.content, flag)
    return Value(content)


def _flag_after(mark: object, lines: Sequence[str]) -> str:
    """Return the flag in the comment that follows a key or a value on its line."""
    line, column = getattr(mark, "line", 0), getattr(mark, "column", 0)
    rest = lines[line][column:] if line < len(lines) else ""
    match = re.fullmatch(r":?\s+#!(final|top|bottom)\s*", rest)
    return match[1] if match else ""


def _broken(source: str, reason: str) -> JStackMagicError:
    reason = " ".join(reason.split())
    return JStackMagicError(
        f"conda's configuration file {source} is broken: {reason}.",
        kept=NOTHING_CHANGED,
        advice="Fix the file, or remove it.",
    )


def _variables(environ: Mapping[str, str], also: str) -> Iterator[SettingsSource]:
    """Yield the variables that are settings: ``CONDA_*``, and mamba's own."""
    for variable in environ:
        if not variable.startswith(("CONDA_", also)):
            continue
        name = variable[len("CONDA_") :].lower()
        setting = _ALIASES.get(name, name)
        text, _, important = environ[variable].partition("!important")
        if setting in _LISTS:
            parts = (part.strip() for part in environ[variable].split(_LISTS[setting]))
            value = Value(tuple(Value(part) for part in parts if part))
        elif setting in _SCALARS or (setting in _HARMLESS and variable.startswith("CONDA_")):
            value = Value(text.strip(), "final" if important else "")
        else:
            continue
        yield SettingsSource(variable, {name: value})


# Merging


def merge(
    sources: Sequence[SettingsSource],
    *,
    root_prefix: str | None,
    root_writable: bool,
    environ: Mapping[str, str],
    local_channels: tuple[str, ...] = (),
) -> CondaConfig:
    """Merge settings as conda does.

    Args:
        sources: The sources, the weakest first.
        root_writable: Whether the root belongs to this user; it decides which folder is searched
            first.
        environ: For ``~``, ``$NAME`` and ``${NAME}`` in values.
        local_channels: URLs of conda-build's output here.

    Raises:
        JStackMagicError: A setting has the wrong shape; the error names it and its source.
    """
    settings = _Settings(sources, environ)
    home_envs, home_pkgs = (_expand(f"~/.conda/{name}", environ) for name in ("envs", "pkgs"))
    envs, pkgs = [home_envs], [home_pkgs]
    if root_prefix is not None:
        envs.insert(0 if root_writable else 1, f"{root_prefix}/envs")
        pkgs.insert(0, f"{root_prefix}/pkgs")
    built_in = CondaConfig()
    plain: dict[str, Any] = {
        **{name: settings.strings(name, getattr(built_in, name)) for name in _PLAIN_LISTS},
        **{name: settings.boolean(name, getattr(built_in, name)) for name in _SWITCHES},
        **{name: settings.text(name) or getattr(built_in, name) for name in _TEXTS},
    }
    return CondaConfig(
        **plain,
        channels=settings.channels(),
        custom_channels={**built_in.custom_channels, **settings.texts("custom_channels")},
        custom_multichannels={**settings.lists("custom_multichannels"), "local": local_channels},
        channel_priority=settings.channel_priority(),
        pkgs_dirs=settings.strings("pkgs_dirs") or tuple(pkgs),
        envs_dirs=tuple(dict.fromkeys((*settings.strings("envs_dirs"), *envs))),
        ssl_verify=settings.ssl_verify(),
        proxy_servers=settings.texts("proxy_servers"),
        files=tuple(source.name for source in sources if "/" in source.name),
        unhonoured=tuple(
            CondaSetting(name, source.name)
            for source in sources
            for name, value in source.settings.items()
            if name not in _HONOURED and not _is_harmless(value, _HARMLESS.get(name, frozenset()))
        ),
    )


@dataclass(frozen=True, slots=True)
class _FileEntry:
    """One setting in one source."""

    name: str
    value: Value
    source: str


class _FileLine(NamedTuple):
    """One line of a list."""

    text: str
    source: str
    flag: str


class _Settings:
    """The settings of all sources, merged one by one as they are requested."""

    def __init__(self, sources: Sequence[SettingsSource], environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._entries: dict[str, list[_FileEntry]] = {}
        for source in sources:
            for written, value in source.settings.items():
                name = _ALIASES.get(written, written)
                if not value.is_null:
                    entry = _FileEntry(written, value, source.name)
                    self._entries.setdefault(name, []).append(entry)

    def text(self, name: str) -> str | None:
        entry = self._strongest(name)
        return None if entry is None else self._expanded(name, _text(entry))

    def boolean(self, name: str, default: bool) -> bool:
        entry = self._strongest(name)
        if entry is None:
            return default
        value = _boolean(_text(entry))
        if value is None:
            raise _wrong(entry, "must be true or false")
        return value

    def ssl_verify(self) -> bool | str:
        text = self.text("ssl_verify")
        if text is None:
            return True
        value = _boolean(text)
        if value is not None:
            return value
        return text if text == "truststore" else _expand(text, self._environ)

    def channel_priority(self) -> ChannelPriority:
        entry = self._strongest("channel_priority")
        match "flexible" if entry is None else _text(entry).lower():
            case "strict":
                return "strict"
            case "flexible" | "true" | "yes" | "on":
                return "flexible"
            case "disabled" | "false" | "no" | "off":
                return "disabled"
        assert entry is not None
        raise _wrong(entry, "must be strict, flexible or disabled")

    def channels(self) -> tuple[ConfiguredChannel, ...]:
        return tuple(
            ConfiguredChannel(self._expanded("channels", line.text), line.source)
            for line in _merged_list(self._entries.get("channels", []))
        )

    def strings(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return a merged list; `default` if no source has one (an empty list counts as one)."""
        if name not in self._entries:
            return default
        return self._texts_of(name, self._entries[name])

    def texts(self, name: str) -> dict[str, str]:
        """Return a merged map to scalars."""
        return {
            key: self._expanded(name, _text(_strongest(entries)))
            for key, entries in self._grouped(name).items()
        }

    def lists(self, name: str) -> dict[str, tuple[str, ...]]:
        """Return a merged map to lists."""
        grouped = self._grouped(name)
        return {key: self._texts_of(name, entries) for key, entries in grouped.items()}

    def _strongest(self, name: str) -> _FileEntry | None:
        entries = self._entries.get(name)
        return _strongest(entries) if entries else None

    def _grouped(self, name: str) -> dict[str, list[_FileEntry]]:
        """Return the entries of a map by their key, the weakest first."""
        grouped: dict[str, list[_FileEntry]] = {}
        for entry in _up_to_final(self._entries.get(name, [])):
            if not isinstance(entry.value.content, dict):
                raise _wrong(entry, "must be a map (NAME: VALUE)")
            for key, value in entry.value.content.items():
                if not value.is_null:
                    part = _FileEntry(f"{entry.name}.{key}", value, entry.source)
                    grouped.setdefault(key, []).append(part)
        return grouped

    def _texts_of(self, name: str, entries: list[_FileEntry]) -> tuple[str, ...]:
        texts = (self._expanded(name, line.text) for line in _merged_list(entries))
        return tuple(dict.fromkeys(texts))

    def _expanded(self, name: str, text: str) -> str:
        if name in _PATHS:
            return _expand(text, self._environ)
        return text if name in _LITERAL else _expand_variables(text, self._environ)


def _up_to_final(entries: list[_FileEntry]) -> list[_FileEntry]:
    """Return the entries up to the first one flagged final: stronger ones do not count."""
    for index, entry in enumerate(entries):
        if entry.value.flag == "final":
            return entries[: index + 1]
    return entries


def _strongest(entries: list[_FileEntry]) -> _FileEntry:
    return _up_to_final(entries)[-1]


def _merged_list(entries: list[_FileEntry]) -> list[_FileLine]:
    """Return the lines of lists, the strongest first; flags move lines to the top or bottom."""
    lines = [_lines(entry) for entry in _up_to_final(entries)]
    stacked = [line for each in lines for line in each if line.flag == "top"]
    stacked += [line for each in reversed(lines) for line in each]
    bottom = [line for each in reversed(lines) for line in each if line.flag == "bottom"]
    first = {line.text: line for line in reversed(stacked)}
    downwards = dict.fromkeys(line.text for line in stacked)
    # Seen from below, what is flagged bottom comes first and so keeps its place.
    upwards = dict.fromkeys([*(line.text for line in reversed(bottom)), *reversed(downwards)])
    return [first[text] for text in reversed(upwards)]


def _lines(entry: _FileEntry) -> list[_FileLine]:
    if not isinstance(entry.value.content, tuple):
        raise _wrong(entry, "must be a list (a line «- VALUE» for each)")
    return [
        _FileLine(_text(_FileEntry(entry.name, value, entry.source)), entry.source, value.flag)
        for value in entry.value.content
        if not value.is_null
    ]


def _text(entry: _FileEntry) -> str:
    if not isinstance(entry.value.content, str):
        raise _wrong(entry, "must be a single value")
    return entry.value.content


def _boolean(text: str) -> bool | None:
    lowered = text.lower()
    if lowered in {"true", "yes", "on", "y", "1"}:
        return True
    return False if lowered in {"false", "no", "off", "n", "0"} else None


def _wrong(entry: _FileEntry, what: str) -> JStackMagicError:
    return JStackMagicError(
        f"conda's setting {entry.name} in {entry.source} {what}.",
        kept=NOTHING_CHANGED,
        advice="Fix it there.",
    )


def _is_harmless(value: Value, harmless: frozenset[str]) -> bool:
    if value.is_null:
        return True
    if isinstance(value.content, str):
        return value.content.lower() in harmless or (
            "false" in harmless and _boolean(value.content) is False
        )
    parts = value.content if isinstance(value.content, tuple) else value.content.values()
    return all(_is_harmless(part, harmless) for part in parts)


# Expansion


def _expand(path: str, environ: Mapping[str, str]) -> str:
    """Return an absolute path: variables, then ``~``, as conda's ``expand`` does it."""
    path = _expand_variables(path, environ)
    if path == "~" or path.startswith("~/"):
        path = environ.get("HOME", os.path.expanduser("~")) + path[1:]
    return os.path.abspath(os.path.expanduser(path))


def _expand_variables(text: str, environ: Mapping[str, str]) -> str:
    if "$" not in text:
        return text
    return re.sub(
        r"\$(?:(\w+)|\{(\w+)\})",
        lambda match: environ.get(match[1] or match[2], match[0]),
        text,
        flags=re.ASCII,
    )


# Channels

_SUBDIR = re.compile(
    r"/(?:noarch|linux-(?:32|64|aarch64|armv6l|armv7l|ppc64|ppc64le|riscv64|s390x)|osx-(?:64|arm64)"
    r"|win-(?:32|64|arm64)|freebsd-64|zos-z|(?:emscripten|wasi)-wasm32)(?=/|$)",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"[a-z][a-z0-9]{0,11}://")
_PATH = re.compile(r"\./|\.\.|~|/")


def channel_urls(channel: str, config: CondaConfig) -> tuple[str, ...]:
    """Return the base URLs of a channel, without a subdir: several for a multichannel.

    A URL stays itself, a path becomes a ``file://`` URL, a name goes through the multichannels, the
    custom channels and the alias, as in conda's ``models/channel.py``. Credentials that the
    configuration has are in the URLs.

    >>> channel_urls("conda-forge", CondaConfig())
    ('https://conda.anaconda.org/conda-forge',)
    >>> channel_urls("defaults", CondaConfig())
    ('https://repo.anaconda.com/pkgs/main', 'https://repo.anaconda.com/pkgs/r')
    """
    if not _SCHEME.match(channel) and _PATH.match(channel):
        channel = f"file://{_percent_encoded(_expand(channel, os.environ))}"
    channel = _SUBDIR.sub("", channel, count=1).rstrip("/")
    if _SCHEME.match(channel):
        return (channel,)
    multichannels = {DEFAULTS: config.default_channels, **config.custom_multichannels}
    if channel in multichannels:
        return tuple(_under_alias(member, config) for member in multichannels[channel])
    name = channel
    locations = {**_locations(multichannels), **config.custom_channels}
    while name not in locations and "/" in name:
        name = name.rpartition("/")[0]
    if name in locations:
        return (f"{_location(locations[name], config)}/{channel}",)
    return (_under_alias(channel, config),)


def channel_name(url: str, config: CondaConfig) -> str:
    """Return the usual name of the channel at `url`: its name, or else its base URL.

    >>> channel_name("https://conda.anaconda.org/conda-forge/linux-64", CondaConfig())
    'conda-forge'
    >>> channel_name("https://repo.anaconda.com/pkgs/main/noarch", CondaConfig())
    'defaults'
    """
    base = _SUBDIR.sub("", url, count=1).rstrip("/")
    for name, members in {DEFAULTS: config.default_channels, **config.custom_multichannels}.items():
        if base in (_under_alias(member, config) for member in members):
            return name
    for name, location in config.custom_channels.items():
        if base == f"{_location(location, config)}/{name}":
            return name
    return base.removeprefix(config.channel_alias.rstrip("/") + "/")


def _location(url: str, config: CondaConfig) -> str:
    """Return the location of a custom channel; if it is not a URL, conda takes the alias."""
    return (url if _SCHEME.match(url) else config.channel_alias).rstrip("/")


def _under_alias(channel: str, config: CondaConfig) -> str:
    if _SCHEME.match(channel):
        return channel.rstrip("/")
    return f"{config.channel_alias.rstrip('/')}/{channel.strip('/')}"


def _locations(multichannels: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the locations of multichannels' members, which are channels: "pkgs/main" is one."""
    found = {}
    for member in (member for members in multichannels.values() for member in members):
        match = re.fullmatch(r"([a-z][a-z0-9]*://[^/]+)/(.+?)/*", member)
        if match:
            found[match[2]] = match[1]
    return found


def _percent_encoded(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
