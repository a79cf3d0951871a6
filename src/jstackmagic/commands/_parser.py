"""The parser of a verb's words, which raises instead of leaving the process, and the help."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from ..display import Code, Part, Result
from ..model.errors import UsageError
from ..model.slips import check_verb
from ..model.text import for_terminal


@dataclass(frozen=True, repr=False)
class HelpText(Result):
    """The text that ``--help`` shows."""

    text: str

    def parts(self) -> tuple[Part, ...]:
        return (Code(self.text),)

    def to_json(self) -> dict[str, str]:
        return {"help": self.text}


class HelpWantedError(Exception):
    """The user requested the help, which is its text."""


class _Help(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(
            option_strings, dest, nargs=0, default=argparse.SUPPRESS, help="show this help"
        )

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> NoReturn:
        raise HelpWantedError(parser.format_help())


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of leaving the process."""

    def __init__(self, **options: object) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(**{**options, "add_help": False, "allow_abbrev": False})  # type: ignore[arg-type]
        if sys.version_info >= (3, 14):
            self.color = False
        self.add_argument("-h", "--help", action=_Help)

    def format_help(self) -> str:
        """Return the help, its examples written for the surface that ``prog`` names."""
        text = super().format_help()
        return text if self.prog.startswith("%") else for_terminal(text)

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Refuse an empty value, as of a variable that is not set: nothing goes to the default."""
        if action.option_strings and "" in arg_strings:
            flag, what = action.option_strings[0], action.metavar or action.dest.upper()
            raise UsageError(
                f"The value of {flag} is empty.",
                advice=f"Its value comes after it: {flag} {what}",
            )
        return super()._get_values(action, arg_strings)

    def error(self, message: str) -> NoReturn:
        """Raise the mistake as an error that says what to type instead."""
        advice = [self.format_usage().strip(), f"All of it: {self.prog} --help"]
        _, unknown, words = message.partition("unrecognized arguments: ")
        redirected = re.search(r"(?:^|\s)>\s*(?!>)(\S+)", words)
        if redirected and "export" in self.prog:
            advice.insert(0, f"To write it to a file: {self.prog} FORMAT -o {redirected[1]}")
        elif unknown and any(action.dest == "specs" for action in self._actions):
            way = f"{self.prog} NAME -- {words}"
            advice.insert(0, f"The manager's own options come last, after two dashes: {way}")
        raise UsageError(f"{self.prog}: {message}.", advice=tuple(advice))


def parse(made: Parser, words: list[str]) -> argparse.Namespace:
    """Parse words; options may be among the arguments, if argparse can do that."""
    try:
        return made.parse_intermixed_args(words)
    except UsageError:
        if any(action.dest == "specs" for action in made._actions):
            known, rest = made.parse_known_intermixed_args(words)
            check_verb([*known.specs, *rest])  # python -m pip install six
        raise
    except TypeError:  # argparse cannot mix options into a verb with sub-commands
        return made.parse_args(words)
