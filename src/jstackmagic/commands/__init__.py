"""The verbs, one module or folder each: ``install.py`` is ``%envinstall``, ``jstackmagic install``.

A verb module has a docstring (the help text of both surfaces), a dataclass ``Options`` (see
``_options.py``) and ``run(options, session)``, which returns a result to display. One that has
sub-commands declares them in ``arguments(parser)``. A module whose name begins with an underscore
is not a verb.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..display import Result
    from ..session import Session
    from ._parser import Parser


class Verb(Protocol):
    """A module of this package."""

    __doc__: str | None

    Options: type

    def run(self, options: Any, session: Session) -> Result:
        """Do it."""


def wants_json(words: Sequence[str]) -> bool:
    """Return whether JSON is requested."""
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def takes_options(name: str) -> bool:
    """Return whether the words after ``--`` are for a manager; otherwise they are arguments."""
    return name in ("install", "remove", "replay", "capture")


def names() -> tuple[str, ...]:
    """Return the verbs, by listing this folder, so that loading the extension imports none."""
    found = (file.removesuffix(".py") for file in os.listdir(os.path.dirname(__file__)))
    return tuple(sorted(name for name in found if name.isidentifier() and name[0] != "_"))


def load(name: str) -> Verb:
    """Import one verb's module."""
    return cast("Verb", import_module(f".{name}", __name__))


def parser(name: str, *, magic: bool) -> Parser:
    """Return the parser of one verb, as the notebook or the terminal calls it."""
    from ._options import declare
    from ._parser import Parser

    verb = load(name)
    made = Parser(
        prog=f"%env{name}" if magic else f"jstackmagic {name}",
        description=(verb.__doc__ or "").strip(),
    )
    if hasattr(verb, "arguments"):
        verb.arguments(made)
    else:
        declare(made, verb.Options)
    made.add_argument("--json", action="store_true", help="show the result as JSON")
    return made


def execute(name: str, words: Sequence[str], session: Session) -> tuple[Result, bool]:
    """Run one verb; return its result, and whether JSON was requested.

    Raises:
        JStackMagicError: The verb raised it.
    """
    from ..model.extras import explained
    from ._options import typed
    from ._parser import HelpText, HelpWantedError, parse

    head, options = list(words), []
    if "--" in head:
        cut = head.index("--")
        head, options = head[:cut], head[cut + 1 :]
    as_json = "--json" in head  # wherever it stands, before or after a sub-command
    head = [word for word in head if word != "--json"]
    if options and not takes_options(name):
        head, options = [*head, "--", *options], []
    try:
        args = parse(parser(name, magic=session.magic), head)
    except HelpWantedError as wanted:
        return HelpText(str(wanted)), as_json
    args.options = tuple(options)
    if getattr(args, "quiet", False):
        session = session.quiet()
    with explained():
        verb = load(name)
        return verb.run(typed(verb.Options, args), session), as_json
