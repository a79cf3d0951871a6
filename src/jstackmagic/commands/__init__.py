"""The verbs, one module or folder each: ``install.py`` is ``%envinstall``, ``jstackmagic install``.

A verb module has a docstring (the help text of both surfaces), ``arguments(parser)`` and
``run(args, session)``, which returns a result to display. One whose name begins with an underscore
is no verb.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, Protocol, cast

from ..model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..display import Result
    from ..session import Session


class Verb(Protocol):
    """A module of this package."""

    __doc__: str | None

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments."""

    def run(self, args: argparse.Namespace, session: Session) -> Result:
        """Do it."""


def for_programs(name: str, words: Sequence[str]) -> bool:
    """Return whether standard output is for a program alone, so that words go elsewhere.

    It is where JSON is asked for, and for a verb that says ``FOR_PROGRAMS``: its result is a file.
    """
    head = words[: words.index("--")] if "--" in words else words
    return "--json" in head or getattr(load(name), "FOR_PROGRAMS", False)


class _HelpWantedError(Exception):
    pass


class _Help(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show this help"
        )

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,  # noqa: ARG002
        values: object,  # noqa: ARG002
        option_string: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        raise _HelpWantedError(parser.format_help())


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of leaving the process."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**{**options, "add_help": False, "allow_abbrev": False})  # type: ignore[arg-type]
        if sys.version_info >= (3, 14):
            self.color = False
        self.add_argument("-h", "--help", action=_Help)

    def format_help(self) -> str:
        """The help, its examples written for the surface that ``prog`` names."""
        text = super().format_help()
        return text if self.prog.startswith("%") else for_terminal(text)

    def error(self, message: str) -> NoReturn:
        """Raise the mistake as an error that says what to type instead."""
        advice = [self.format_usage().strip(), f"All of it: {self.prog} --help"]
        _, unknown, words = message.partition("unrecognized arguments: ")
        if unknown and any(action.dest == "specs" for action in self._actions):
            way = f"{self.prog} NAME -- {words}"
            advice.insert(0, f"What is the manager's own comes last, after two dashes: {way}")
        raise UsageError(
            f"{self.prog}: {message}.", kept="Nothing was started.", advice=tuple(advice)
        )


def names() -> tuple[str, ...]:
    """The verbs, found by listing this folder, so that loading the extension imports none."""
    found = (file.removesuffix(".py") for file in os.listdir(os.path.dirname(__file__)))
    return tuple(sorted(name for name in found if name.isidentifier() and name[0] != "_"))


def load(name: str) -> Verb:
    """Import one verb's module."""
    return cast("Verb", import_module(f".{name}", __name__))


def parser(name: str, *, magic: bool) -> Parser:
    """The parser of one verb, as the notebook or the terminal calls it."""
    verb = load(name)
    made = Parser(
        prog=f"%env{name}" if magic else f"jstackmagic {name}",
        description=(verb.__doc__ or "").strip(),
    )
    verb.arguments(made)
    made.add_argument("--json", action="store_true", help="show the result as JSON")
    return made


def for_terminal(text: str) -> str:
    """Text that speaks of magics, for a terminal: ``%envverb`` is ``jstackmagic verb`` there."""
    return re.sub(r"%?%env(\w+)", r"jstackmagic \1", text)


def execute(name: str, words: Sequence[str], session: Session) -> tuple[Result, bool]:
    """Run one verb.

    Args:
        name: The verb.
        words: Its arguments; what follows ``--`` is for the manager.
        session: The surface it was called from.

    Returns:
        What it gave, and whether JSON was asked for.

    Raises:
        JStackMagicError: As the verb does.
    """
    from ._help import HelpText

    head, options = list(words), []
    if "--" in head:
        cut = head.index("--")
        head, options = head[:cut], head[cut + 1 :]
    as_json = "--json" in head  # wherever it stands, before or after a sub-command
    head = [word for word in head if word != "--json"]
    try:
        args = _parse(parser(name, magic=session.magic), head)
    except _HelpWantedError as wanted:
        return HelpText(str(wanted)), as_json
    args.options = tuple(options)
    if getattr(args, "quiet", False):
        session = session.quiet()
    try:
        return load(name).run(args, session), as_json
    except ModuleNotFoundError as error:
        from ..model.extras import missing

        lacking = missing(error)
        if lacking is None:
            raise
        raise lacking from None


def _parse(made: Parser, words: list[str]) -> argparse.Namespace:
    try:
        return made.parse_intermixed_args(words)
    except TypeError:  # argparse cannot mix options into a verb with sub-commands
        return made.parse_args(words)
