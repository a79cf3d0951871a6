"""Our own magics in a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..model import managers
from ..model.cell import read_cell
from ..model.errors import UsageError
from ..model.packages import ManagerName
from ..model.parsing import Asked, read_specs, split_words
from ..model.request import Action, Request
from ..model.shell import Word
from ..model.slips import check_words
from ..model.sources import Sources
from ..model.spec import RequirementsFile, read_all
from . import Found, Target
from .argv import Given, ProgramOptions, unknown

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
_HOLE = re.compile(r"\{[^{}]+\}|\$\w+")
_FLAGS = {"--requirement": "-r", "--constraint": "-c", "--editable": "-e"}


def requests(
    action: Action,
    line: str,
    body: str | None,
    *,
    command: str,
    folder: str | None,
    unsaid: ManagerName,
) -> Iterator[Found]:
    """Read ``%envinstall``, with a body ``%%envinstall``, or ``%envremove``."""
    try:
        words = [Word(text, holes=tuple(_HOLE.findall(text))) for text in split_words(line)]
        cut = next((at for at, word in enumerate(words) if word.text == "--"), len(words))
        given = _OPTIONS.read(words[:cut])
        if given.has("--dry-run", "--help"):
            return
        reason = _refusal(given, words, body, folder)
        if reason:
            yield Found(command, reason=reason)
            return
        for word in given.values("--group"):
            yield Found(
                command, reason=f"It installs the group {word.text}, which is not read here."
            )
        check_words([word.text for word in given.words])
        asked = _asked(given, body, folder or "/")
    except UsageError as error:
        yield Found(command, reason=error.problem)
        return
    target = Target(
        name=given.last("--name"), prefix=given.last("--prefix"), kernel=given.last("--kernel")
    )
    for request in _requests(action, asked, unsaid, given, words[cut + 1 :]):
        yield Found(command, request=request, target=target)


def _refusal(given: Given, words: Sequence[Word], body: str | None, folder: str | None) -> str:
    """Return why a request is known only at run time; empty if it is clear."""
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
    action: Action, asked: Asked, unsaid: ManagerName, given: Given, options: Sequence[Word]
) -> Iterator[Request]:
    for manager in managers.names():
        specs = tuple(spec for said, spec in asked.specs if (said or unsaid) == manager)
        if specs:
            read = read_all(manager, dict.fromkeys(specs))
            listed = any(isinstance(spec, RequirementsFile) for spec in read)
            yield Request(
                action=action,
                manager=manager,
                specs=read,
                upgrade=given.has("--upgrade"),
                # a list may ask any manager, and the line's sources are for all
                sources=asked.sources if listed else asked.sources.of(manager),
                options=tuple(word.text for word in options),
            )
