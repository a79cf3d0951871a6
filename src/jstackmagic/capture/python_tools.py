"""The requests in calls of pip, uv and pipx."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from ..managers.pip.pipconf import Setting
from ..model.buildvariables import FOR_A_BUILD
from ..model.options import INSTALL
from ..model.request import Action
from ..model.shell import Word
from ..model.sources import Sources
from ..model.words import listed
from . import Found
from .argv import Call, Given, ProgramOptions, line_for
from .others import line_of_list
from .settings import pip_settings, unseen, uv_doubts

PIP = ProgramOptions.of(
    INSTALL["pip"],
    valued="""
    --python -d/--download-dir/--download-directory/--download
    --src/--source/--source-dir/--source-directory --build-constraint
    --requirements-from-script --group --install-option --all-releases --only-final
    --refresh-package --allow-external --allow-unverified --allow-insecure -M/--mirrors
    """,
    flags="""
    -h/--help -V/--version --no-install --no-download --no-dependencies/--no-deps
    --only-dependencies/--only-deps --no-user --no-use-pep517 --no-use-wheel
    --process-dependency-links --allow-all-external --egg -Z/--unzip
    """,
    manner_valued="""
    -b/--build-dir/--build-directory/--build --log-file/--local-log/--log
    --default-timeout/--timeout --download-cache
    """,
    manner_flags="""
    --no-require-hashes --use-mirrors --debug --require-venv/--require-virtualenv --no-proxy-env
    """,
    looks="--help --version --download --no-install",
)

_YES = ProgramOptions.of(manner_flags="-y/--yes")

UNINSTALL = PIP | _YES

_ELSEWHERE = ("--target", "--root", "--prefix", "--platform")
"""With one of these pip installs into a folder, not into its interpreter's environment."""

_SPECS = {"": "", "--requirement": "-r", "--constraint": "-c", "--editable": "-e"}

_INDEXES = ("--index-url", "--extra-index-url", "--index", "--default-index")

_SOURCES = (*_INDEXES, "--find-links")

_READ = frozenset((*_SPECS, *PIP.looks, *_ELSEWHERE, *_INDEXES, "--upgrade", "--python"))


def pip(call: Call) -> Iterator[Found]:
    """Read ``pip install`` and ``pip uninstall``; what else pip does installs nothing."""
    given = PIP.read(call.arguments)
    if given.words and given.words[0].text in ("wheel", "download"):
        _fill_with_wheels(call)
        return
    if not given.words or given.has(*PIP.looks):
        return
    python = given.values("--python")
    set_before = call.variables.get("PIP_PYTHON")
    if not python and set_before is not None and set_before.text:
        python = (set_before,)
    call = call.by_python(python[-1]) if python else call
    verb = given.words[0]
    table = PIP if verb.text == "install" else UNINSTALL
    if verb.text in ("install", "uninstall") and (reason := table.misread(call.arguments)):
        yield call.unread(reason)
    elif verb.text == "install":
        call, settings, reason = _of_pip(call, PIP)
        isolated = given.has("--isolated")
        if reason and not isolated:
            yield call.unread(reason)
            return
        given = Given((*(() if isolated else settings), *given.without_verbs(1).items))
        if given.has(*PIP.looks):
            return
        if any(word.text in ("-", "/dev/stdin") for word in given.values("--requirement")):
            yield call.unread("Its list is what flows into it, which is not seen here.")
            return
        wrong = next(filter(is_no_list, given.values("--requirement")), None)
        if wrong is not None:
            yield call.unread(f"pip reads no {wrong.text} with -r; uv does: uv pip install.")
            return
        unknown = PIP.unknown(given)
        kept = given.all_but(_READ | PIP.manner | unknown)
        yield from _install(call.leaving_out(unknown), given, kept)
    elif verb.text == "uninstall":
        yield from call.ask("remove", "pip", _specs(given.without_verbs(1)))
    else:
        yield from call.unclear([verb])
        yield from call.misspelt(verb, ("install", "uninstall"))


def _of_pip(
    call: Call, table: ProgramOptions
) -> tuple[Call, tuple[tuple[str, Word | None], ...], str]:
    """Return the call with notes, pip's settings, and why a source may be unknown."""
    in_files, doubts = pip_settings(call)
    reason = unseen(doubts)
    call = call.noting(*(each for each in doubts if each not in reason), _unexported(call, "PIP_"))
    return (*_settled(call, "PIP_", table, in_files), reason)


_WHEELS = PIP | ProgramOptions.of(valued="-w/--wheel-dir -d/--dest")

_FOR_WHEELS = listed("--wheel-dir --dest --platform --python-version --implementation --abi")


def _fill_with_wheels(call: Call) -> None:
    """Note what ``pip wheel`` and ``pip download`` get into a folder."""
    call, settings, reason = _of_pip(call, _WHEELS)
    given = Given((*settings, *_WHEELS.read(call.arguments).without_verbs(1).items))
    folder = given.values("--wheel-dir", "--dest") or (Word("."),)
    given = Given(tuple(item for item in given.items if item[0] not in _FOR_WHEELS))
    finds = _install(call, given, given.all_but(_READ | PIP.manner))
    call.fills(folder[-1], [call.unread(reason)] if reason else finds)


_BUILDERS = {
    **dict.fromkeys(("build", "pyproject-build"), ("", "--outdir")),
    "uv": ("build", "--out-dir"),
    "rye": ("build", "--out"),
    "pdm": ("build", "--dest"),
    "poetry": ("build", "--output"),
    "flit": ("build", ""),
    "hatch": ("build", ""),
    "setup.py": ("bdist_wheel", "--dist-dir"),
}
"""The programs that build a project's wheel: the verb, and the option with the folder for it."""


def builds(call: Call) -> bool:
    """Note the wheel of a project that a program builds; return False for another program."""
    name = os.path.basename(call.words[0].text)
    if name not in _BUILDERS:
        return False
    verb, into = _BUILDERS[name]
    options = ProgramOptions.of(valued=f"-f/--format -o/-d/{into or '--out'}")
    given = options.read(call.arguments)
    words = [word for word in given.words if word.text != verb]
    if verb and len(words) == len(given.words):
        return False
    project = words[0] if words and name not in ("hatch", "setup.py") else Word(".")
    dist = [*given.values(into), *(words if name == "hatch" else ()), Word(f"{project.text}/dist")]
    call.fills(dist[0], call.ask("install", "pip", [("", project)]))
    return True


_OFF = ("0", "no", "off", "false", "f", "n", "")


def _settings(
    call: Call, tool: str, table: ProgramOptions, in_files: Mapping[str, Word]
) -> Iterator[tuple[str, Word | None]]:
    """Give what files and variables set as options: ``PIP_NO_BINARY=six pip ...``."""
    settings = dict(in_files)
    for variable, value in call.variables.items():
        if variable.startswith(tool):
            name = variable.removeprefix(tool).lower().replace("_", "-")
            settings[_RENAMED.get(variable, f"--{name}")] = value
    for name, value in settings.items():
        takes_value = table.takes(name)
        if takes_value and value.text:
            own = table.names[name][0]
            splits = own in _REPEATED and not value.holes
            words = map(Word, value.text.split()) if splits else [value]
            yield from ((own, word) for word in words)
        elif takes_value is False and (
            Setting(name.lstrip("-"), value.text, "").is_on
            if tool == "PIP_" and not value.holes
            else value.text.lower() not in _OFF
        ):
            yield table.names[name][0], None


def _settled(
    call: Call,
    tool: str,
    table: ProgramOptions,
    in_files: Mapping[str, Word] = MappingProxyType({}),
) -> tuple[Call, tuple[tuple[str, Word | None], ...]]:
    """Return the settings, and the call with a note of those that are unknown and left out.

    An unknown source stays: without it, another index could answer with a project of that name.
    """
    settings = tuple(_settings(call, tool, table, in_files))
    settings = tuple((n, _secret(w) if n in _INDEXES and w else w) for n, w in settings)
    call = call.noting(*(word.assumption for _, word in settings if word))
    unknown = [
        (name, word)
        for name, word in settings
        if word is not None
        and word.holes
        # what may be unset is the default's as well: a build's argument, one side of an if
        and (name not in _SOURCES or word.text == f"${tool}{name[2:].upper().replace('-', '_')}")
    ]
    if not unknown:
        return call, settings
    which = ", ".join(f"{name} {word.text}" for name, word in unknown)
    note = f"A setting before it is only known when it runs, and cannot be recorded: {which}."
    return call.noting(note), tuple(each for each in settings if each not in unknown)


_RENAMED = {"UV_SYSTEM_PYTHON": "--system", "UV_PRERELEASE": "--prerelease"}

_REPEATED = listed(
    "--extra-index-url --index --find-links --trusted-host --constraint --requirement --editable"
)
"""Options that pip and uv split at blanks when a variable or a file sets them."""


def _unexported(call: Call, tool: str) -> str:
    """Return a sentence on variables set for the shell alone; empty without any."""
    names = [name for name in call.unexported if name.startswith(tool)]
    if not names:
        return ""
    return f"{', '.join(names)} was set and not exported: the program does not see it."


def _specs(given: Given) -> list[tuple[str, Word]]:
    return [
        ("--file" if name == "--requirement" and is_no_list(word) else _SPECS[name], word)
        for name, word in given.items
        if name in _SPECS and word is not None
    ]


_NO_LIST = re.compile(r"(?:.*/)?(?:pyproject\.toml|setup\.cfg|pylock[\w.]*\.toml|[^/]+\.py)")


def is_no_list(word: Word) -> bool:
    """Return whether uv reads with ``-r`` what pip does not: a project's file, a script."""
    return not word.holes and _NO_LIST.fullmatch(word.text) is not None


_NO_ENVIRONMENT = "not into an environment."


def is_elsewhere(found: Found) -> bool:
    """Return whether a find is an install into a folder that is no environment."""
    return found.request is None and found.reason.endswith(_NO_ENVIRONMENT)


def _install(call: Call, given: Given, kept: Given, note: str = "") -> Iterator[Found]:
    for name in _ELSEWHERE:
        if given.last(name) not in ("", "{sys.prefix}"):
            where = f"{name} {given.last(name)}"
            yield call.unread(f"It installs with {where}, {_NO_ENVIRONMENT}")
            return
    groups = given.values("--group")
    for word in groups:
        line = f"%envinstall --group {word.text}"
        yield call.unread(f"It installs a group of the project. The line for it: {line}")
    if groups and not _specs(given):
        return
    kept = kept.all_but(frozenset(("--group",)))
    given = Given(tuple((n, _secret(w) if n in _INDEXES and w else w) for n, w in given.items))
    default = given.values("--index-url", "--default-index")[-1:]  # the last one counts
    others = given.values("--extra-index-url", "--index")
    unclear = call.unclear([*default, *others, *(word for _, word in kept.items)])
    if unclear:
        yield from unclear
        return
    indexes = " ".join(word.text for word in given.values(*_INDEXES))
    if unset := ", ".join(dict.fromkeys(re.findall(r"\$\{\w+\}", indexes))):
        call = call.noting(
            f"Its index has {unset}, which pip fills in only in a list: set it where it runs."
        )
    extra = [_url(word.text) for word in given.values("--extra-index-url", "--index")]
    variables, unclear_variables = _build_variables(call)
    base = call.variables.get("PYTHONUSERBASE")
    if base is not None and given.has("--user"):
        call = call.noting(f"It lands below {base.text}, which PYTHONUSERBASE names.")
    sources = Sources(
        index_url=_url(given.last("--index-url", "--default-index")),
        extra_index_urls=tuple(dict.fromkeys(extra)),
        variables=variables,
    )
    yield from call.noting(unclear_variables).ask(
        "install",
        "pip",
        _specs(given),
        note=note,
        upgrade=given.has("--upgrade"),
        sources=sources,
        options=tuple(_options(call, kept)),
    )


_CREDENTIAL = re.compile(r"(?<=[/:])(?:\$(\w+)|\$?\{([A-Za-z_]\w*)(?::\?)?\})(?=[:@])")


def _secret(word: Word) -> Word:
    """Return an index with its unknown credentials as ``${NAME}``, which pip's lists fill in.

    >>> _secret(Word("https://u:$T@h.example/s", holes=("$T",))).text
    'https://u:${T}@h.example/s'
    """
    text = _CREDENTIAL.sub(lambda match: f"${{{match[1] or match[2]}}}", word.text)
    known = "://" in text and len(_CREDENTIAL.findall(word.text)) == len(word.holes)
    return Word(text, assumed=word.assumed) if known else word


def _url(index: str) -> str:
    """Return an index's URL, without uv's optional name (``NAME=URL``)."""
    return re.sub(r"^[\w-]+=(?=\w+://)", "", index)


_IN_PASSING = re.compile(
    r"TMP|TMPDIR|TEMP|\w*PROXY|\w*_proxy|PATH|HOME|USER|SHELL|TERM|LANG|LC_\w+|TZ|PWD|COLUMNS|PS1"
    r"|DEBIAN_FRONTEND|PIP_\w+|UV_\w+|PYTHON(?:USERBASE|PATH|UNBUFFERED|WARNINGS|DONTWRITEBYTECODE|IOENCODING)"
    r"|XDG_\w+|SSL_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_\w+|VIRTUAL_ENV|CONDA_\w+|MAMBA_\w+"
    r"|SUDO_\w+|NEEDRESTART_\w+|LD_LIBRARY_PATH|LD_PRELOAD|MAX_JOBS|MAKEFLAGS"
)
"""Variables that leave the result as it is, or that are read by name."""


def _build_variables(call: Call) -> tuple[tuple[str, ...], str]:
    """Return the variables that a build may use, and a sentence on those that are unknown."""
    names = [
        name
        for name in call.variables
        if not _IN_PASSING.fullmatch(name) and (name in call.own or FOR_A_BUILD.fullmatch(name))
    ]
    clear = [
        name for name in names if FOR_A_BUILD.fullmatch(name) and not call.variables[name].holes
    ]
    carried = tuple(f"{name}={call.variables[name].text}" for name in clear)
    lost = " ".join(f"{n}={call.variables[n].text}" for n in names if n not in clear)
    if not lost:
        return carried, ""
    return carried, f"The build may use these variables, which a request cannot hold: {lost}."


def _options(call: Call, kept: Given) -> Iterator[str]:
    for name, word in kept.items:
        yield name
        if word is not None:
            local = name == "--find-links" and "://" not in word.text
            yield call.path(word.text) if local else word.text


# uv

UV = ProgramOptions.of(
    valued="""
    -r/--requirements/--requirement -c/--constraints/--constraint -e/--editable -i/--index-url
    --extra-index-url --index --default-index -f/--find-links -t/--target --prefix -p/--python
    --no-binary --only-binary --allow-insecure-host/--trusted-host --cert --keyring-provider
    -C/--config-settings/--config-setting -b/--build-constraints/--build-constraint --group
    --python-version --python-platform/--platform --with --with-editable --with-requirements
    --with-executables-from --overrides/--override --excludes --extra --no-editable-package
    --index-strategy --torch-backend -P/--upgrade-package --upgrade-group --resolution
    --prerelease --prerelease-package --fork-strategy --exclude-newer --exclude-newer-package
    --no-sources-package --reinstall-package --config-settings-package
    --no-build-isolation-package --rev --tag --branch -m/--marker
    """,
    flags="""
    -U/--upgrade -h/--help -V/--version --dry-run --no-deps --user --break-system-packages
    --no-index --no-build-isolation --reinstall/--force-reinstall --require-hashes --pre
    --no-build --exact --all-extras --no-sources --no-editable
    """,
    manner_valued="""
    --link-mode --output-format --cache-dir --refresh-package --color --directory --project
    --config-file --script --package --optional
    """,
    manner_flags="""
    --system --compile/--compile-bytecode --strict --check --dev --frozen --locked --no-sync
    --raw --offline --refresh -n/--no-cache-dir/--no-cache -q/--quiet -v/--verbose
    --no-progress --no-config --system-certs/--native-tls --managed-python --no-managed-python
    --no-python-downloads --no-verify-hashes --require-build-hashes --no-break-system-packages
    --preview
    """,
    looks="--help --version --dry-run",
)

UV_PROJECT = UV | ProgramOptions.of(
    valued="-w/--with --no-binary-package --no-build-package --no-install-package",
    flags="--no-binary --lfs --force",
    manner_valued="--bounds",
    manner_flags="""
    --active --workspace --no-workspace --no-install-workspace --no-install-project
    --no-install-local --no-require-build-hashes
    """,
)
"""The options of ``uv add``, ``uv remove`` and ``uv tool``."""

_UV_AS_PIP = listed(
    """
    --find-links --no-index --no-deps --no-binary --only-binary --no-build-isolation --user
    --trusted-host --cert --keyring-provider --break-system-packages --require-hashes --pre
    --force-reinstall --config-setting --build-constraint --group
    """
)
"""Options that pip has by the same name and meaning."""

UV_SYSTEM = "uv --system"
"""The interpreter of what goes into the first Python on PATH that is in no venv."""

_UV_EXTRAS = frozenset(("--extra", "--all-extras"))


def _of_project(call: Call) -> Call:
    """Return the call in the project's environment: uv's project verbs pass VIRTUAL_ENV over."""
    own, active = (call.variables.get(n) for n in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV"))
    if own is not None and not own.holes:
        return call.elsewhere(interpreter=call.words[0].text, prefix=call.path(own.text))
    if active is None or call.target.prefix != active.text:
        return call
    return call.elsewhere(interpreter=call.words[0].text, prefix=call.path(".venv"))


_CHANGING = frozenset(
    (("add",), ("remove",), ("pip", "install"), ("pip", "sync"), ("pip", "uninstall"))
)


def uv(call: Call) -> Iterator[Found]:
    """Read ``uv pip install``, ``uv add``, ``uv tool install`` and what takes them back."""
    first = UV.read(call.arguments, leading=True).words[:1]
    table = UV if first and first[0].text == "pip" else UV_PROJECT
    given = table.read(call.arguments)
    verb = tuple(word.text for word in given.words)
    table = table | _YES if verb[:2] == ("pip", "uninstall") else table
    if not verb or given.has(*table.looks):
        return
    if (_CHANGING & {verb[:1], verb[:2]}) and (reason := table.misread(call.arguments)):
        yield call.unread(reason)
        return
    call, settings = _settled(call, "UV_", UV)
    for word in given.values("--directory"):
        call = replace(call, folder=None if word.holes else call.path(word.text))
    python = given.values("--python") or tuple(w for n, w in settings if n == "--python" and w)
    if python:
        active, version = call.target.name or call.target.prefix, python[-1].text
        if active and re.fullmatch(r"\d+(?:\.\d+)*", version):
            call = call.noting(f"uv takes {active} only if that has Python {version}.")
        call = call.by_python(python[-1])
    elif verb[0] == "pip" and (given.has("--system") or ("--system", None) in settings):
        call = replace(call, target=replace(call.system, interpreter=UV_SYSTEM))
    call = call.noting(*uv_doubts(call), _unexported(call, "UV_"))
    if verb[0] in ("add", "remove") and given.has("--script"):
        yield call.unread(f"It changes what {given.last('--script')} says it needs.")
        return
    if verb[0] in ("add", "remove") and not given.has("--active"):
        call = _of_project(call)
    rest = given.without_verbs(2 if verb[0] == "pip" else 1)
    if verb[0] == "add" or verb[:2] == ("pip", "install"):
        yield from _uv_install(call, Given((*settings, *rest.items)))
    elif verb[0] == "remove" or verb[:2] == ("pip", "uninstall"):
        yield from call.ask("remove", "pip", _specs(rest))
    elif verb[:2] in (("pip", "sync"), ("tool", "upgrade"), ("python", "install")):
        reason = f"uv {' '.join(verb[:2])} is not a request for packages by name."
        lists = verb[2:] if verb[1] == "sync" else ()
        lines = [f" The line for it: {line_for('pip', file)}" for file in lists[:1]]
        yield call.unread(reason + "".join(lines))
    elif verb[0] == "sync":
        reason = "uv sync installs what the project's lock file says."
        yield call.unread(f"{reason}{line_of_list(call, 'uv')}")
    elif verb[0] == "tool" and verb[1:2] in (("install",), ("uninstall",)):
        action, beside = _PIPX[verb[1]], given.values("--with")
        settings = (*settings, *given.only(_SOURCES).items)
        yield from _applications(call, action, given.words[2:], _UV_HOME, settings, beside)


_ORDER = (
    "uv takes a package from the first index that has it, and asks the default one last; pip takes"
    " the best version of all."
)
"""uv's rule for several indexes: https://docs.astral.sh/uv/concepts/indexes/"""


def _uv_install(call: Call, given: Given) -> Iterator[Found]:
    strategy = given.last("--index-strategy")
    is_pips = strategy == "unsafe-best-match"
    known = _READ | UV_PROJECT.manner | _UV_AS_PIP | _UV_EXTRAS
    left = " ".join(given.all_but(known | {"--index-strategy"} if is_pips else known).written())
    note = f"uv's {left} is left out: pip has no option that means the same." if left else ""
    if given.values("--index", "--extra-index-url") and not is_pips:
        note = f"{note} {_ORDER}".strip()
    extras = tuple(word.text for word in given.values("--extra"))
    extras = ("*",) if given.has("--all-extras") else extras
    for found in _install(call, given, given.only(_UV_AS_PIP), note):
        yield replace(found, extras=extras)


# applications, each in an environment of its own

PIPX = ProgramOptions.of(
    valued="""
    --python --spec --suffix -i/--index-url --pip-args --backend --preinstall
    --fetch-missing-python
    """,
    flags="-h/--help --version",
)

_PIPX: dict[str, Action] = {
    "install": "install",
    "inject": "install",
    "uninstall": "remove",
    "uninject": "remove",
}


def pipx(call: Call) -> Iterator[Found]:
    """Read pipx, which gives each application its own environment."""
    given = PIPX.read(call.arguments)
    if not given.words or given.has("--help", "--version"):
        return
    verb, *words = given.words
    action = _PIPX.get(verb.text)
    texts = [word.text for word in words]
    if (
        verb.text in ("run", "runpip")
        and "install" in texts[1:]
        and (verb.text == "runpip" or texts[0] == "pip")
    ):
        yield call.unread("It installs into an environment of pipx's own.")
    call, settings, reason = _of_pip(call, PIP)
    settings = (*settings, *given.only(_INDEXES).items)
    if reason and action == "install":
        yield call.unread(reason)
    elif action and "inject" in verb.text and words:
        call = call.elsewhere(prefix=f"{_PIPX_HOME}/{words[0].text}")
        specs = [("", word) for word in words[1:]]
        yield from _into_own(call, action, (*settings, *specs))
    elif action:
        spec = given.values("--spec") or tuple(words)
        yield from _applications(call, action, spec, _PIPX_HOME, settings)
    elif verb.text in ("upgrade", "upgrade-all", "install-all", "reinstall-all"):
        yield call.unread(f"pipx {verb.text} is not a request for packages by name.")


_PIPX_HOME, _UV_HOME = "~/.local/share/pipx/venvs", "~/.local/share/uv/tools"


def _applications(
    call: Call,
    action: Action,
    words: tuple[Word, ...],
    folder: str,
    settings: tuple[tuple[str, Word | None], ...],
    beside: tuple[Word, ...] = (),
) -> Iterator[Found]:
    if not words:
        yield call.unread("It names no package.")
    for word in words:
        name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", word.text)
        own = call.elsewhere(prefix=f"{folder}/{name[0] if name else word.text}")
        note = f"{call.program} keeps {word.text} in an environment of its own."
        specs = [("", each) for each in (word, *beside)]
        yield from _into_own(own, action, (*settings, *specs), note)


def _into_own(
    call: Call, action: Action, items: tuple[tuple[str, Word | None], ...], note: str = ""
) -> Iterator[Found]:
    given = Given(items)
    if action == "install":
        yield from _install(call, given, given.only(_UV_AS_PIP), note)
    else:
        yield from call.ask(action, "pip", _specs(given.only(("",))), note=note)
