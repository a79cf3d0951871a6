"""Our own lines: magics in a notebook, and ``jstackmagic VERB`` in a shell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from ..model import managers
from ..model.cell import read_cell
from ..model.errors import UsageError
from ..model.parsing import Asked, read_specs, split_words
from ..model.request import Action, Request
from ..model.shell import Word
from ..model.slips import check_words
from ..model.sources import Sources
from ..model.spec import RequirementsFile, read_all
from . import Found, Target
from .argv import Call, Given, ProgramOptions, unknown

_OPTIONS = ProgramOptions.of(
    valued="""
    -n/--name -p/--prefix --kernel -c/--channel -i/--index-url --extra-index-url
    -r/-f/--file/--requirement --constraint -e/--editable --group --engine --cluster
    """,
    flags="""
    --conda --pip --apt --all-kernels -U/--upgrade --dry-run -h/--help --force -y/--yes
    --record-only -q/--quiet --keep-going --workers --repair --missing --verify --json
    """,
)
VERBS = ("install", "remove", "replay", "undo")
"""Those that install or remove."""
MAGICS = tuple(f"{sign}env{verb}" for verb in VERBS for sign in ("", "%", "%%"))
_HOLE = re.compile(r"\{[^{}]+\}|\$\w+")
_ONE_OF = (
    tuple(f"--{name}" for name in managers.names()),
    ("--name", "--prefix", "--kernel", "--all-kernels"),
)
_FLAGS = {"--requirement": "-r", "--constraint": "-c", "--editable": "-e"}


def requests(
    verb: str, line: str, body: str | None, *, command: str, folder: str | None
) -> Iterator[Found]:
    """Read ``%envinstall``, with a body ``%%envinstall``, or another of ``VERBS``."""
    try:
        words = [Word(text, holes=tuple(_HOLE.findall(text))) for text in split_words(line)]
    except UsageError as error:
        yield Found(command, reason=error.problem, ours=True)
        return
    for found in _found(verb, words, body, command=command, folder=folder):
        yield replace(found, ours=True)


def jstackmagic(call: Call) -> Iterator[Found]:
    """Read ``jstackmagic VERB``; a magic's name is no program."""
    if call.program in MAGICS:
        meant = call.program.lstrip("%").removeprefix("env")
        yield call.unread(f"It is a magic, which no shell has. The line: jstackmagic {meant}")
        return
    verb, *words = call.arguments or (Word(""),)
    if verb.text not in VERBS:
        return
    if call.fed:
        yield replace(call.unread(call.fed), ours=True)
        return
    for each in _found(verb.text, words, None, command=call.command, folder=call.folder):
        named, aim = each.target, call
        if named != Target():
            prefix = named.prefix and call.path(named.prefix)
            aim = call.elsewhere(name=named.name, prefix=prefix, kernel=named.kernel)
        found = aim.found(each.request) if each.request else aim.unread(each.reason)
        yield replace(found, ours=True, unsaid=each.unsaid)


def resolved(found: Found, *, conda: bool) -> Iterator[Found]:
    """Yield a find with the specs that name no manager for the one that is asked first.

    Args:
        conda: Whether it goes to a conda environment.
    """
    request, unsaid = found.request, found.unsaid if conda else ()
    if request is None or not found.unsaid:
        yield found
        return
    for manager in managers.names():
        specs = [
            text for text in request.texts if manager == ("conda" if text in unsaid else "pip")
        ]
        if specs:
            sources = request.sources.of(manager)
            one = replace(request, manager=manager, specs=read_all(manager, specs), sources=sources)
            yield replace(found, request=one, unsaid=())


def _found(
    verb: str,
    words: Sequence[Word],
    body: str | None,
    *,
    command: str,
    folder: str | None,
) -> Iterator[Found]:
    cut = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
    try:
        given = _OPTIONS.read(words[:cut])
        if given.has("--dry-run", "--help"):
            return
        action: Action = "remove" if verb == "remove" else "install"
        if reason := _refusal(verb, given, words, body, folder):
            yield Found(command, reason=reason)
            return
        for word in given.values("--group"):
            reason = f"It installs the group {word.text}, which is not read here."
            yield Found(command, reason=reason)
        check_words([word.text for word in given.words], folder=folder)
        asked = _asked(given, body, folder or "/")
        if given.has("--repair") and not asked.specs:
            yield Found(command, reason="It finishes what was cut off where it runs.")
    except UsageError as error:
        yield Found(command, reason=error.problem)
        return
    target = Target(
        name=given.last("--name"), prefix=given.last("--prefix"), kernel=given.last("--kernel")
    )
    for request, unsaid in _requests(action, asked, given, words[cut + 1 :]):
        yield Found(command, request=request, target=target, unsaid=unsaid)


def _refusal(
    verb: str, given: Given, words: Sequence[Word], body: str | None, folder: str | None
) -> str:
    """Return why a request fails, or is known only at run time; empty if it is clear."""
    if verb not in ("install", "remove"):
        return "It follows a history: what it changes is only known where it runs."
    for word in takewhile(lambda word: word.text != "--", words):
        option = word.text.partition("=")[0]
        if option.startswith("--") and option not in _OPTIONS and not word.holes:
            return f"It has no option {option}."
    if misread := _OPTIONS.misread(words):
        return misread
    for options in _ONE_OF:
        if len(both := [option for option in options if given.has(option)]) > 1:
            return f"It takes one of {' and '.join(both)}."
    if given.has("--all-kernels"):
        return "It serves the environments of all kernels there are where it runs."
    if given.has("--missing"):
        return "What is missing is only known when it runs."
    holes = " ".join(unknown(word) for word in words if word.holes)
    if holes or folder is not None:
        return holes
    if _asked(given, body, "/one") == _asked(given, body, "/another"):
        return ""
    return "The folder that a path in it is relative to is only known when it runs."


def _asked(given: Given, body: str | None, folder: str) -> Asked:
    manager = next((name for name in managers.names() if given.has(f"--{name}")), None)
    specs = [word.text for word in given.words]
    specs += [
        f"{_FLAGS[name]} {word.text}" for name, word in given.items if name in _FLAGS and word
    ]
    asked = read_specs(specs, manager=manager, folder=folder)
    if body is not None:
        asked += read_cell(body, manager=manager, folder=folder)
    said = Sources(
        channels=tuple(word.text for word in given.values("--channel")),
        index_url=given.last("--index-url"),
        extra_index_urls=tuple(word.text for word in given.values("--extra-index-url")),
    )
    return replace(asked, sources=said | asked.sources)


def _requests(
    action: Action, asked: Asked, given: Given, options: Sequence[Word]
) -> Iterator[tuple[Request, tuple[str, ...]]]:
    """Yield the requests, each with its specs that name no manager: they stand with pip's."""
    for manager in managers.names():
        specs = tuple(spec for said, spec in asked.specs if (said or "pip") == manager)
        unsaid = tuple(spec for said, spec in asked.specs if not said and manager == "pip")
        if specs:
            read = read_all(manager, dict.fromkeys(specs))
            # a list may ask any manager, and the line's sources are for all
            whole = unsaid or any(isinstance(spec, RequirementsFile) for spec in read)
            request = Request(
                action=action,
                manager=manager,
                specs=read,
                upgrade=given.has("--upgrade"),
                sources=asked.sources if whole else asked.sources.of(manager),
                options=tuple(word.text for word in options),
            )
            yield request, unsaid
