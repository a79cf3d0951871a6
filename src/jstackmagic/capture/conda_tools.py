"""The requests in calls of conda, mamba and micromamba."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from ..model.buildvariables import FOR_CONDA
from ..model.documents import parse_yaml
from ..model.environment import BASES, prefix_of_name
from ..model.errors import InvalidSpec
from ..model.options import INSTALL
from ..model.shell import Word
from ..model.sources import Sources
from ..model.words import listed
from . import Found
from .argv import Call, Given, ProgramOptions
from .machine import home_as_tilde
from .settings import conda_config, conda_settings, unseen

CONDA = ProgramOptions.of(
    INSTALL["conda"],
    valued="""
    --revision --clone --alt-hint --environment-specifier/--env-spec/--format --cwd --log-level
    --download-threads --extract-threads --category --root-prefix --rc-file --relocate-prefix
    --repodata-ttl --ssl-verify --cacert-path
    """,
    flags="""
    -h/--help -V/--version --update-all/--all -m/--mkdir --pyc --no-pyc --prune
    --no-default-packages --dev --no-show-channel-urls --unknown --features --keep-env
    --no-capture-output/--live-stream -f/--force
    """,
    looks="--help --version",
)

_WITH_FILES = ProgramOptions.of(valued="-f/--file", flags="")
"""``-f`` is ``--force`` to ``conda install`` and ``--file`` to these."""

_ROOT = ProgramOptions.of(valued="-r/--root-prefix", flags="-a/--update-all/--all")

_KEPT = listed(
    """
    --platform --no-deps --only-deps --no-pin --no-py-pin --no-update-deps --update-deps
    --force-reinstall --force --use-local --override-channels --strict-channel-priority
    --no-channel-priority --channel-priority --no-default-packages --clobber --insecure
    """
)

_VERBS = {
    ("install",): "install",
    ("create",): "create",
    ("update",): "update",
    ("upgrade",): "update",
    ("remove",): "remove",
    ("uninstall",): "remove",
    ("rm",): "remove",
    ("env", "create"): "env create",
    ("env", "update"): "env update",
    ("env", "remove"): "env remove",
}


def options(program: str, arguments: tuple[Word, ...]) -> ProgramOptions:
    """Return the options that a program of the family takes in a call."""
    env = bool(arguments) and any(word.text == "env" for word in arguments[:3])
    table = CONDA | _WITH_FILES if env or program != "conda" else CONDA
    return table | _ROOT if program != "conda" else table


def conda(call: Call) -> Iterator[Found]:
    """Read what installs, updates, creates and removes."""
    table = options(call.program, call.arguments)
    given = table.read(call.arguments)
    verbs = [word.text for word in given.words]
    length = next((n for n in (2, 1) if tuple(verbs[:n]) in _VERBS), 0)
    if length and (reason := table.misread(call.arguments)):
        yield call.unread(reason)
        return
    if given.has(*table.looks):
        return
    if verbs[:1] and verbs[0] in ("develop", "rename"):
        yield call.unread(f"No request can say conda {verbs[0]}.")
    elif not length:
        yield from call.unclear(given.words[:1])
        for word in given.words[:1]:
            yield from call.misspelt(word, (verb for verb, *more in _VERBS if not more))
    if not length:
        return
    verb = _VERBS[tuple(verbs[:length])]
    call = aimed(call, given).leaving_out(table.unknown(given))
    if verb.startswith("env ") and not given.has("--name", "--prefix"):
        call = call.elsewhere(interpreter=call.words[0].text)  # the file's name, never the active
    makes = verb in ("create", "env create", "env update") and call.target.name not in BASES
    if makes:
        call.machine.made |= {call.target.prefix or call.target.name} - {""}
    reason = _beyond_packages(verb, given)
    if reason:
        yield call.unread(reason)
        return
    words = given.words[length:]
    call = replace(call, target=replace(call.target, made=makes))
    specs = [("", word) for word in words]
    specs += [("--file", word) for word in given.values("--file")]
    if verb == "env create" and words and words[0].text.endswith((".yml", ".yaml")):
        specs[0] = ("--file", words[0])
    elif verb == "env create" and words and not words[0].holes:
        yield call.unread(f"{words[0].text} is an environment's description on a server.")
        return
    elif verb.startswith("env ") and not given.has("--file"):
        specs = [("--file", Word("environment.yml"))]  # what conda takes where none is named
    url = next((word.text for _, word in specs if "://" in word.text), "")
    if verb.startswith("env ") and url:
        yield call.unread(f"{url} names the environment. The line for it: %envinstall -f {url}")
        return
    for word in (word for flag, word in specs if flag and makes):
        _make(call, word)
    if verb == "create" and not specs:
        return  # an empty environment holds nothing
    yield from _ask(call, verb, given, specs)


def _make(call: Call, file: Word) -> None:
    """Note the environment that an environment.yml makes, and keep its ``variables:``."""
    text = call.machine.text(call.path(file.text))
    if text is None:
        return
    try:
        data = parse_yaml(text, file.text)
    except InvalidSpec:
        return  # its reader says so
    if not isinstance(data, dict):
        return
    kept = data.get("variables")
    place = call.target.prefix or call.target.name or str(data.get("name") or "")
    call.machine.made |= {place} - {"", *BASES}
    if isinstance(kept, dict):
        values = {str(name): Word(str(value)) for name, value in kept.items()}
        call.machine.held.setdefault(place, {}).update(values)


def keeps(call: Call) -> bool:
    """Apply ``conda env config vars set NAME=VALUE``; False if it is another command."""
    given = options(call.program, call.arguments).read(call.arguments)
    if [word.text for word in given.words[:3]] != ["env", "config", "vars"]:
        return False
    target = aimed(call, given).target
    kept = call.machine.held.setdefault(target.prefix or target.name, {})
    for word in given.words[4:]:
        name, equals, _ = word.text.partition("=")
        if equals:
            kept[name] = word.tail(len(name) + 1)
        else:
            kept.pop(name, None)
    return True


def aimed(call: Call, given: Given) -> Call:
    """Return the call with the environment that its options name."""
    root, name = given.last("--root-prefix"), given.last("--name")
    own = home_as_tilde(call.by(call.words[0]).target.prefix)
    own = call.path(own) if own.startswith("~/") else own
    if name and os.path.isabs(own) and not own.startswith("/usr"):  # a name is one of that conda's
        call = replace(call, root=own)
    known = call.variables.get("MAMBA_ROOT_PREFIX")
    if not root and call.program != "conda" and name and known is not None and not known.holes:
        root = known.text
    if root:
        own = prefix_of_name(root, name or "base")
        call = call.elsewhere(interpreter=call.words[0].text, prefix=own)
    for name, hint in (("--name", "name"), ("--prefix", "prefix"))[bool(root) :]:
        value = given.last(name)
        if value in ("$CONDA_PREFIX", "${CONDA_PREFIX}") and (
            call.target.name or call.target.prefix
        ):
            call = replace(call, doubt="")  # the active one
        elif value:
            if hint == "prefix" and not given.values(name)[-1].holes:
                value = call.path(value)
            call = call.elsewhere(interpreter=call.words[0].text, **{hint: value})
            call = replace(call, doubt="")
    return call


def _beyond_packages(verb: str, given: Given) -> str:
    """Return why a call is not a request for packages by name; empty if it is one."""
    where = given.last("--name", "--prefix") or "it is in"
    if verb == "env remove" or (verb == "remove" and given.has("--all")):
        return f"It removes the whole environment {where}."
    if given.has("--all"):
        return "It moves every package to its newest version and names none."
    if given.has("--revision"):
        return f"It goes back to the environment's revision {given.last('--revision')}."
    if given.has("--clone"):
        return f"It makes a copy of the environment {given.last('--clone')}."
    return ""


def _ask(call: Call, verb: str, given: Given, specs: list[tuple[str, Word]]) -> Iterator[Found]:
    kept = given.only(_KEPT)
    channels = given.values("--channel")
    unclear = call.unclear([*channels, *(word for _, word in kept.items)])
    if unclear:
        yield from unclear
        return
    settings, doubts = conda_settings(call)
    if not given.has("--override-channels") and verb != "remove" and (reason := unseen(doubts)):
        yield call.unread(reason)
        return
    settings = () if given.has("--override-channels") else _channels(call, settings)
    unknown = [word for word in settings if word.holes and verb != "remove"]
    if any(word.text != "$CONDA_CHANNELS" for word in unknown):
        yield from call.unclear(unknown)
        return
    if unknown:  # a build's argument, one side of an if: none may be set
        call = call.noting("A channel before it is only known when it runs: $CONDA_CHANNELS.")
    settings = tuple(word for word in settings if not word.holes)
    every = [name for word in (*channels, *settings) for name in word.text.split(",")]
    names = [name for name in every if name != "nodefaults"]  # a word, no channel
    call = call.noting(*doubts)
    builds = [name for name in sorted(call.variables) if FOR_CONDA.fullmatch(name)]
    chosen = [(name, call.variables[name]) for name in builds]
    variables = tuple(f"{name}={word.text}" for name, word in chosen if not word.holes)
    sources = Sources(tuple(dict.fromkeys(names)), variables=variables)
    yield from call.ask(
        "remove" if verb == "remove" else "install",
        "conda",
        specs,
        upgrade=verb == "update",
        sources=Sources() if verb == "remove" else sources,
        options=kept.written(),
    )


def _channels(call: Call, settings: tuple[Word, ...]) -> tuple[Word, ...]:
    """Give the channels of lines before it; a variable counts before a file."""
    variable = call.variables.get("CONDA_CHANNELS")
    if variable is None or variable.holes:
        return settings if variable is None else (variable,)
    return tuple(Word(name) for name in variable.text.split(",") if name)


def configure(call: Call) -> bool:
    """Apply ``conda config`` and ``micromamba config``; False if it is another command."""
    given = options(call.program, call.arguments).read(call.arguments)
    words = [word.text for word in given.words]
    if words[:1] != ["config"]:
        return False
    verbs = list(_CONFIG.read(call.arguments).without_verbs(1).items)
    if len(words) > 2 and f"--{words[1]}" in _WAYS:  # micromamba's and mamba 2's verbs
        verbs = [(f"--{words[1]}", given.words[2]), *(("", word) for word in given.words[3:])]
    changes: list[tuple[str, str, list[Word]]] = []
    where = next((name for name in ("--system", "--env") if given.has(name)), given.last("--file"))
    for name, word in verbs:
        if name in _WAYS and word is not None:
            changes.append((name, word.text, []))
        elif not name and word is not None and changes:
            changes[-1][2].append(word)
    if changes:
        conda_config(call, where, changes)
    return True


_CONFIG = ProgramOptions.of(
    valued="--prepend/--add --append --set --remove --remove-key --file --name --prefix",
    flags="--system --env --show --get --validate --describe --json",
)
_WAYS = ("--add", "--prepend", "--append", "--set", "--remove", "--remove-key")
