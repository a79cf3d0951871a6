"""The state that lines build up before they install: one model for cells, scripts, Dockerfiles.

A `State` says what the next command would find: the working folder, the variables, the
environment that ``pip`` and ``conda`` reach, and, in its `Machine`, the settings and files that
outlast a shell. Where lines branch, what the branches leave different is unknown afterwards, and
said to be: an unknown variable is a word whose text is its own hole (``$NAME``).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..model.documents import parse_yaml
from ..model.errors import InvalidSpec
from . import Target
from .shell import Command, Word, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_SIMPLE = re.compile(r"\$(?:(\w+|[@*])|\{(\w+|[@*])\})")
_ARRAY = re.compile(r"\$\{(\w+)\[[@*]\]\}")
_SPLIT = re.compile(rf"{_ARRAY.pattern}|\$@|\$\{{@\}}")
"""Expansions that become several words, even between quotes."""
_OTHERWISE = re.compile(r"\$\{(\w+)(:?)([-=+])(.*)\}", re.DOTALL)

_ENVIRONMENT = re.compile(
    r"envs/[^/]+|\.?(?:v|virtual)?env(?:[-_.]?\w+)?|[\w.-]*(?:venv|virtualenv)[\w.-]*"
    r"|[\w.-]*(?:conda|mamba|miniforge|micromamba)[\w.-]*",
    re.IGNORECASE,
)
_ROOT = re.compile(r"[\w.-]*(?:conda|mamba|miniforge)\d*", re.IGNORECASE)
_PREFIXES = re.compile(
    r"\$\{?(?:VIRTUAL_ENV|VENV\w*|CONDA_\w+|MAMBA_ROOT_PREFIX|NB_PYTHON_PREFIX|KERNEL_PYTHON_PREFIX)"
    r"\}?(?:/envs/[^/]+)?"
)
_NO_PYTHON = re.compile(
    r"^(?:/usr(?:/local)?|/usr/games|/snap|~|\$\{?HOME\}?|/root|/home/[^/]+)?(?:/\.local)?$"
    r"|cuda|nvidia|cargo|rust|/go\b|golang|node|npm|nvm|yarn|pnpm|deno|bun|java|jvm|jdk|jre|spark"
    r"|hadoop|hive|texlive|TinyTeX|julia|rstudio|/R\b|scala|sbt|maven|gradle|google-cloud|gcloud"
    r"|aws|azure|kube|terraform|dotnet|ruby|perl|cmake|llvm|gcc|mpi|slurm|code-server|quarto"
    r"|pandoc|poetry|pipx|mysql|postgres|ffmpeg|blender",
    re.IGNORECASE,
)
"""Folders of PATH without a pip of an environment."""

BASH_FILES = (".bashrc", ".bash_profile", ".profile", ".bash_login", "bash.bashrc", ".zshrc")
_PIP_FILES = ("pip.conf", "pip.ini")
_CONDA_FILES = (".condarc", "condarc", ".mambarc")


def unknown_value(name: str) -> Word:
    """Return a value known only at run time: the variable itself."""
    hole = f"${name}" if re.fullmatch(r"\w+", name) else name
    return Word(hole, holes=(hole,), quoted=True)


def clone_of(
    path: str, clones: Mapping[str, tuple[str, str | None]]
) -> tuple[str, str | None, str]:
    """Return a path's cloned repository, its revision, and the path in it."""
    for folder, (url, revision) in reversed(list(clones.items())):
        if path == folder or path.startswith(f"{folder}/"):
            return url, revision, path[len(folder) + 1 :]
    return "", "", ""


def expanded(path: str, home: str) -> str:
    """Return a path with the home in the place of its ``~``.

    >>> expanded("~/x", "/home/jovyan"), expanded("y", "")
    ('/home/jovyan/x', 'y')
    """
    if home and (path == "~" or path.startswith("~/")):
        return home + path[1:]
    return os.path.expanduser(path)


def word_of(text: str) -> Word:
    """Return a text as a word, its variables as holes: what ENV holds, for one."""
    words = [
        word for item in parse(f'"{text}"') if isinstance(item, Command) for word in item.words
    ]
    return words[0] if len(words) == 1 and "`" not in text and '"' not in text else Word(text)


def joined(words: Iterable[Word]) -> Word:
    """Put words together into one, their holes kept."""
    text, holes, spans, pattern, quoted = "", [], [], False, False
    for word in words:
        at = len(text)
        for piece, hole, said in word.pieces():
            if hole:
                holes.append(piece)
                spans.append((at, at + len(piece), said))
            at += len(piece)
        text += word.text
        pattern, quoted = pattern or word.pattern, quoted or word.quoted
    return Word(text, tuple(holes), (), pattern, quoted, spans=tuple(spans))


@dataclass
class Machine:
    """State that outlasts a shell: settings, and files that were written.

    Attributes:
        pip: Options by ``pip config`` and ``pip.conf``, by their long names.
        channels: By ``conda config`` and ``.condarc``, the first is strongest.
        files: The text of files that were written; None if unknown.
        made: Prefixes of virtual environments that were made.
        clones: For a folder, the repository cloned there and the revision; None if known
            only at run time.
        doubts: For a manager's name, what cannot be followed and may change its work.
        look: Returns the text of a file that no line wrote; None for an unseen one.
    """

    pip: dict[str, Word] = field(default_factory=dict)
    channels: tuple[Word, ...] = ()
    files: dict[str, str | None] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    clones: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    doubts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    look: Callable[[str], str | None] | None = None

    def copy(self) -> Machine:
        """Return a copy for a branch."""
        own = ("pip", "files", "made", "clones", "doubts")
        return replace(self, **{name: getattr(self, name).copy() for name in own})

    def text(self, path: str) -> str | None:
        """Return a file's text; None if it is not seen."""
        if path in self.files or self.look is None:
            return self.files.get(path)
        return self.look(path)

    def doubt(self, manager: str, sentence: str) -> None:
        """Note what cannot be followed; each later find of that manager says so."""
        known = self.doubts.get(manager, ())
        self.doubts[manager] = tuple(dict.fromkeys((*known, sentence)))


@dataclass
class State:
    """The state of a shell after the lines so far.

    Attributes:
        folder: The working folder; None if known only at run time.
        home: The user's home in an image; empty for the one here.
        target: The environment of ``python`` and ``pip``, by an activation or by PATH.
        conda: The environment of ``conda``, by an activation; empty for its base.
        root: The first conda on PATH, if PATH was set.
        variables: Their values, which may have holes; unset ones are missing.
        exported: The names that programs see.
        closed: Whether a variable that was never set is known to be unset, as in a Dockerfile.
        doubt: What is unknown about ``target``; empty if it is clear.
        python: Returns the value of an expression, if Python fills in ``{expression}``.
        all_exported: Whether ``set -a`` is on.
        outer: What was active before, for each activation.
        origins: For a variable that goes through a file's lines, that file.
        functions: The shell's functions; the values belong to `lines`.
        machine: What outlasts this shell.
    """

    folder: str | None = "."
    home: str = ""
    target: Target = field(default_factory=Target)
    conda: Target = field(default_factory=Target)
    root: Target = field(default_factory=Target)
    variables: dict[str, Word] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    closed: bool = False
    doubt: str = ""
    all_exported: bool = False
    python: Callable[[str], Word | None] | None = None
    outer: tuple[tuple[Target, Target, Word | None], ...] = ()
    origins: dict[str, str] = field(default_factory=dict)
    functions: dict[str, Any] = field(default_factory=dict)
    machine: Machine = field(default_factory=Machine)

    # -- shells and branches

    def subshell(self) -> State:
        """Return the state of a subshell: what it sets is lost, what it writes stays."""
        return replace(
            self,
            variables=dict(self.variables),
            exported=set(self.exported),
            origins=dict(self.origins),
            functions=dict(self.functions),
        )

    def process(self) -> State:
        """Return the state of a new shell: it sees what is exported."""
        seen = {name: value for name, value in self.variables.items() if name in self.exported}
        return replace(
            self,
            variables=seen,
            exported=set(self.exported),
            functions={},
            all_exported=False,
            python=None,
        )

    def snapshot(self) -> State:
        """Return a copy that shares nothing: what a branch begins with."""
        return replace(self.subshell(), machine=self.machine.copy())

    def become(self, other: State) -> None:
        """Take over what another state holds."""
        for name in vars(other):
            if name not in ("python", "machine"):
                setattr(self, name, getattr(other, name))
        for name, value in vars(other.machine.copy()).items():
            setattr(self.machine, name, value)  # others may share it

    def merge(self, ends: Sequence[State]) -> None:
        """Become the state after one of several branches: different values are unknown."""
        if not ends:
            return
        first, *others = [end.snapshot() for end in ends]
        for other in others:
            first._join(other)
        self.become(first)

    def _join(self, other: State) -> None:
        names = dict.fromkeys((*self.variables, *other.variables))
        for name in names:
            if not _same(self.variables.get(name), other.variables.get(name)):
                self.variables[name] = unknown_value(name)
        self.exported |= other.exported
        self.folder = self.folder if self.folder == other.folder else None
        self.functions = {**other.functions, **self.functions}
        if (self.target, self.conda) != (other.target, other.conda):
            self.doubt = "Which environment is active there is only known when it runs."
            self.target = self.conda = Target()
        self.doubt = self.doubt or other.doubt
        mine, theirs = self.machine, other.machine
        for option in dict.fromkeys((*mine.pip, *theirs.pip)):
            if not _same(mine.pip.get(option), theirs.pip.get(option)):
                mine.pip[option] = unknown_value(f"pip config {option[2:]}")
        if [word.text for word in mine.channels] != [word.text for word in theirs.channels]:
            longer = max(mine.channels, theirs.channels, key=len)
            names_ = ", ".join(word.text for word in longer)
            mine.doubt("conda", f"Whether conda's channels are {names_}, only the run can tell.")
            mine.channels = min(mine.channels, theirs.channels, key=len)
        for path in dict.fromkeys((*mine.files, *theirs.files)):
            if mine.files.get(path) != theirs.files.get(path):
                mine.files[path] = None
        mine.made |= theirs.made
        for folder, (url, revision) in theirs.clones.items():
            same = mine.clones.setdefault(folder, (url, revision)) == (url, revision)
            mine.clones[folder] = (url, revision if same else None)
        for manager, sentences in theirs.doubts.items():
            for sentence in sentences:
                mine.doubt(manager, sentence)

    # -- variables

    def define(self, name: str, value: Word, *, export: bool = True) -> None:
        """Set a variable; PATH and similar ones change where the next commands go."""
        value = self.value(value)
        if export or self.all_exported:
            self.exported.add(name)
        if name == "PATH":
            self._path(value)
        self.variables[name] = value

    def put(self, name: str, value: Word | None) -> None:
        """Set a variable of the process, or take it away."""
        if value is None:
            self.unset(name)
        else:
            self.define(name, value)

    def forget(self, *names: str) -> None:
        """Take values for unknown."""
        for name in names:
            self.variables[name] = unknown_value(name)

    def forget_all(self) -> None:
        """Take every value for unknown: something that is not seen may have set it."""
        self.forget(*self.variables)

    def unset(self, *names: str) -> None:
        """Take variables away."""
        for name in names:
            self.variables.pop(name, None)
            self.exported.discard(name)

    def seen(self, own: Mapping[str, Word]) -> dict[str, Word]:
        """Return the variables that a program sees, with those that are set for it alone."""
        outer = {name: word for name, word in self.variables.items() if name in self.exported}
        return {**outer, **own}

    def value(self, word: Word) -> Word:
        """Return a word with known values filled in, as one word."""
        if not word.holes:
            return word
        filled = joined(self._filled(piece, hole, said) for piece, hole, said in word.pieces())
        return replace(
            filled,
            scripts=word.scripts,
            pattern=word.pattern or filled.pattern,
            quoted=word.quoted,
            start=word.start,
            end=word.end,
        )

    def words(self, word: Word) -> list[Word]:
        """Return the words that the shell makes of one: an unquoted value is split at blanks."""
        if not word.holes:
            return [word]
        lists: list[list[Word]] = [[]]
        for piece, hole, said in word.pieces():
            value = self._filled(piece, hole, said)
            if not hole or (said and not _SPLIT.fullmatch(piece)) or value.text == piece:
                lists[-1].append(value)
                continue
            parts = _split(value)
            lists[-1] += parts[:1]
            lists += [[part] for part in parts[1:]]
        if not lists[0] and not word.quoted and len(lists) == 1:
            return []
        made = [joined(parts) for parts in lists]
        return [
            replace(
                each,
                scripts=word.scripts if at == 0 else (),
                pattern=each.pattern or word.pattern,
                quoted=word.quoted,
                start=word.start,
                end=word.end,
            )
            for at, each in enumerate(made)
            if each.text or word.quoted
        ]

    def _filled(self, piece: str, hole: bool, quoted: bool) -> Word:
        if not hole:
            return Word(piece)
        value = self._lookup(piece)
        if value is None:
            return Word(piece, (piece,), spans=((0, len(piece), quoted),))
        return value if quoted else replace(value, pattern=bool(re.search(r"[*?]", value.text)))

    def _lookup(self, hole: str) -> Word | None:
        if self.python is not None and (told := self.python(hole)) is not None:
            return told
        simple = _SIMPLE.fullmatch(hole)
        if simple:
            return self.variables.get(simple[1] or simple[2])
        array = _ARRAY.fullmatch(hole)
        if array:
            return _elements(self.variables.get(array[1]))
        match = _OTHERWISE.fullmatch(hole)
        if match is None:
            return None
        name, colon, operator, other = match.groups()
        value = self.variables.get(name)
        if value is None and not self.closed:
            return None
        if value is not None and value.holes:
            return None
        is_set = value is not None and not (colon and not value.text)
        if operator == "+":
            return self._text(other) if is_set else Word("")
        return value if is_set else self._text(other)

    def _text(self, text: str) -> Word | None:
        """Return the value of the text behind ``:-``."""
        if _SIMPLE.fullmatch(text):
            return self._lookup(text)
        if re.search(r"[$`\\]", text):
            return None
        return Word(re.sub(r"""^(["'])(.*)\1$""", r"\2", text, flags=re.DOTALL))

    # -- where programs go

    def _path(self, value: Word) -> None:
        """Find the environment that PATH now leads to first."""
        self.doubt = ""
        for entry in _entries(value):
            if any("PATH" in hole for hole in entry.holes) and entry.text in entry.holes:
                return  # what it was before comes now
            prefix = _prefix(entry, self.folder)
            if prefix is None:
                continue
            kind = self._kind(prefix)
            if kind == "environment":
                made = prefix in self.machine.made
                self.target = Target(prefix=prefix, made=made)
                if re.fullmatch(_ROOT, os.path.basename(prefix)) or _is_root(prefix):
                    self.root = Target(prefix=prefix)
                return
            if kind == "unknown":
                self.doubt = f"PATH begins with {entry.text}: if a pip lies there, it goes there."
        self.target = Target()  # nothing of the old PATH is left

    def _kind(self, prefix: str) -> str:
        if prefix in self.machine.made or _PREFIXES.fullmatch(prefix):
            return "environment"
        if _NO_PYTHON.search(prefix) and not re.search(r"envs/[^/]+$", prefix):
            return "other"
        last = "/".join(prefix.rsplit("/", 2)[1:])
        names = (last, os.path.basename(prefix))
        return "environment" if any(map(_ENVIRONMENT.fullmatch, names)) else "unknown"

    def activate(self, target: Target, *, conda: bool) -> None:
        """Enter an environment, as its ``activate`` does."""
        self.outer = (*self.outer, (self.target, self.conda, self.variables.get("PATH")))
        self.target, self.doubt = target, ""
        if "PATH" in self.variables:
            self.forget("PATH")
        self.unset("VIRTUAL_ENV")
        if conda:
            self.conda = target
            self.unset("CONDA_DEFAULT_ENV")
        else:
            self.define("VIRTUAL_ENV", Word(target.prefix))

    def deactivate(self) -> None:
        """Leave it; without one that was entered in sight, nothing is known to change."""
        if not self.outer:
            return
        *outer, (self.target, self.conda, path) = self.outer
        self.outer, self.doubt = tuple(outer), ""
        if path is not None:
            self.variables["PATH"] = path
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"):
            self.unset(name)

    def aim(self, program: str, variables: Mapping[str, Word]) -> tuple[Target, str]:
        """Return the environment of a program that is given none, and a note on it.

        Args:
            program: ``pip``, ``conda``, ``uv``.
            variables: The variables it sees.
        """
        if program in ("conda", "mamba", "micromamba"):
            return self._aim_of_conda(variables)
        if program == "uv":
            active = variables.get("VIRTUAL_ENV")
            system = variables.get("UV_SYSTEM_PYTHON")
            if system is not None and system.text.lower() not in ("", "0", "false"):
                return self.target, self.doubt
            if active is not None:
                return Target(prefix=active.text, made=active.text in self.machine.made), ""
            if self.conda != Target():
                return self.conda, ""
            for folder in _upwards(self.folder):
                if f"{folder}/.venv" in self.machine.made:
                    return Target(prefix=f"{folder}/.venv", made=True), ""
        return self.target, self.doubt

    def _aim_of_conda(self, variables: Mapping[str, Word]) -> tuple[Target, str]:
        if self.conda != Target():
            return self.conda, ""
        active, default = variables.get("CONDA_PREFIX"), variables.get("CONDA_DEFAULT_ENV")
        if active is not None and active.text:
            return Target(prefix=active.text), ""
        if default is not None and default.text not in ("", "base", "root"):
            note = (
                "conda goes there by CONDA_DEFAULT_ENV, where no CONDA_PREFIX is set: an activated"
                " shell counts first."
            )
            if "/" in default.text:
                return Target(prefix=default.text), note
            return Target(name=default.text), note
        return self.root, ""

    # -- files and settings

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
        name, files = os.path.basename(path), self.machine.files
        if append and text is not None:
            before = files.get(path, "")
            text = None if before is None else f"{before}{text}"
        files[path] = text
        if name in _PIP_FILES or path.endswith("pip/config"):
            self._pip_file(path, text, by)
        elif name in _CONDA_FILES or path.endswith("/condarc.d"):
            self._conda_file(path, text, by)
        elif name == "uv.toml":
            self.machine.doubt("uv", f"{by} writes {path}, whose settings are not followed.")
        elif name == "pinned" and "conda-meta" in path:
            self.machine.doubt("conda", f"{by} writes {path}, whose pins are not followed.")
        elif name in BASH_FILES and text is None:
            self.machine.doubt("shell", f"{by} changes {path}, in a way that is not followed.")
        elif re.search(r"/apt/(sources\.list|preferences|apt\.conf|trusted|auth)", path):
            return f"It changes what apt installs from ({path}); a request for apt cannot say that."
        return ""

    def _pip_file(self, path: str, text: str | None, by: str) -> None:
        from configparser import ConfigParser, Error

        if text is None:
            self.machine.doubt("pip", f"{by} changes {path}: what pip reads there is not seen.")
            return
        parser = ConfigParser(interpolation=None)
        try:
            parser.read_string(text)
        except Error:
            self.machine.doubt("pip", f"{by} writes {path}, which pip cannot read.")
            return
        for section in ("global", "install"):
            if parser.has_section(section):
                for key, value in parser.items(section):
                    self.pip_setting(key, Word(" ".join(value.split())))

    def pip_setting(self, key: str, value: Word | None) -> None:
        """Apply a setting of pip's by its name; None removes it."""
        option = "--" + key.lower().replace("_", "-").lstrip("-")
        if value is None:
            self.machine.pip.pop(option, None)
        else:
            self.machine.pip[option] = value

    def _conda_file(self, path: str, text: str | None, by: str) -> None:
        try:
            data = None if text is None else parse_yaml(text, path)
        except InvalidSpec:
            data = None
        if data is None and text is not None and not text.strip():
            return
        if not isinstance(data, dict):
            doubt = f"{by} changes {path}: what conda reads there is not seen."
            self.machine.doubt("conda", doubt)
            return
        channels = data.get("channels")
        if isinstance(channels, str):
            channels = [channels]
        if isinstance(channels, list):
            self.machine.channels = tuple(Word(str(channel)) for channel in channels)
        for key, value in data.items():
            self.conda_setting(str(key), str(value), by=path)

    def conda_setting(self, key: str, value: str, *, by: str) -> None:
        """Apply a setting of conda's other than channels, with a note if it changes a result."""
        if key in _CONDA_MATTERS and not (
            key == "channel_priority" and value.lower() in ("flexible", "true")
        ):
            shown = f"{key} {value}".strip()
            self.machine.doubt("conda", f"{by} sets conda's {shown}, which no request holds.")


_CONDA_MATTERS = (
    *("channel_priority", "channel_alias", "custom_channels", "custom_multichannels"),
    *("default_channels", "pinned_packages", "disallowed_packages", "subdir", "subdirs"),
    *("override_channels_enabled", "use_only_tar_bz2", "envs_dirs", "envs_path"),
)


def _same(one: Word | None, other: Word | None) -> bool:
    return (one is None) == (other is None) and (
        one is None or other is None or (one.text, one.holes) == (other.text, other.holes)
    )


def _elements(array: Word | None) -> Word | None:
    """Return an array's elements separated by blanks; None if blanks would not separate them."""
    if array is None or array.holes or not re.fullmatch(r"\(.*\)", array.text, re.DOTALL):
        return None
    words = [
        word for item in parse(array.text[1:-1]) if isinstance(item, Command) for word in item.words
    ]
    if any(word.holes or re.search(r"\s", word.text) for word in words):
        return None
    return Word(" ".join(word.text for word in words))


def _split(value: Word) -> list[Word]:
    """Split a value at the blanks outside of its holes."""
    marks = "".join(("\0" * len(piece)) if hole else piece for piece, hole, _ in value.pieces())
    return [value.part(match.start(), match.end()) for match in re.finditer(r"\S+", marks)]


def _entries(value: Word) -> list[Word]:
    """Return the folders of a PATH."""
    marks = "".join(("\0" * len(piece)) if hole else piece for piece, hole, _ in value.pieces())
    return [value.part(match.start(), match.end()) for match in re.finditer(r"[^:]+", marks)]


def _prefix(entry: Word, folder: str | None) -> str | None:
    """Return the prefix whose ``bin`` an entry of PATH is; None for another folder."""
    prefix, last = os.path.split(entry.text.rstrip("/"))
    if last not in ("bin", "condabin", "Scripts") or not prefix:
        return None
    if entry.holes or os.path.isabs(prefix) or prefix.startswith("~"):
        return prefix
    return None if folder is None else os.path.normpath(os.path.join(folder, prefix))


def _is_root(prefix: str) -> bool:
    return bool(re.fullmatch(r"\$\{?(CONDA_DIR|CONDA_ROOT|MAMBA_ROOT_PREFIX)\}?", prefix))


def _upwards(folder: str | None) -> Iterable[str]:
    while folder:
        yield folder.rstrip("/")
        above = os.path.dirname(folder)
        folder = "" if above == folder else above
