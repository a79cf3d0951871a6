"""The contract of an export: one `Format` value a module."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ..io.reading import absolute
from ..model.errors import ExportError
from ..model.pins import PINS
from ._artifact import Artifact, write_text

Need = Literal["records", "base image", "built image", "index", "platforms", "jstackmagic"]
"""An input of rendering besides the recipe, which the caller of ``render`` finds first.

``records``: the history, as the keyword ``records``. ``base image``: the option ``base_image``
if it is not given. ``built image``: the option ``image`` if it is empty. ``index``: in the
recipe's holdings, every archive that the indexes have. ``platforms``: in the holdings, what the
environment would hold on the platforms of the option ``platforms``. ``jstackmagic``: the step that
installs jstackmagic itself, as the keyword ``own``.
"""


@dataclass(frozen=True, slots=True)
class FormatOption:
    """One option of a format."""

    flags: tuple[str, ...]  #: as the user types it: ``("-n", "--name")``
    #: the keywords of `argparse.ArgumentParser.add_argument`; a ``default`` that is called gives
    #: this machine's
    settings: Mapping[str, Any]
    rendered: bool = True  #: whether it is a keyword of ``render``; otherwise it is for its caller

    @property
    def name(self) -> str:
        """The keyword it becomes."""
        return str(self.settings.get("dest") or self.flags[-1].lstrip("-").replace("-", "_"))

    @property
    def default(self) -> Any:
        """The value by default."""
        flag = self.settings.get("action") == "store_true"
        default = self.settings.get("default", False if flag else None)
        return default() if callable(default) else default

    def declare(self, group: argparse._ActionsContainer) -> None:
        """Declare it to a parser or to a group of its arguments."""
        group.add_argument(*self.flags, **{**self.settings, "default": self.default})


def option(*flags: str, rendered: bool = True, **settings: Any) -> FormatOption:
    """Return an option, given as `argparse.ArgumentParser.add_argument` takes it."""
    return FormatOption(flags, settings, rendered)


PIN = option(
    "--pin",
    choices=PINS,
    default="exact",
    help="versions as seen on disk (exact, the default), as asked for (spec), or none",
)

NAME = option("-n", "--name", metavar="ENV", default="", help="by its name")
PREFIX = option("-p", "--prefix", metavar="PATH", type=absolute, default="", help="by its prefix")
ENVIRONMENT = (NAME, PREFIX)
"""The options that choose the one environment of a file; they exclude each other."""

OFFLINE = option(
    "--offline",
    rendered=False,
    action="store_true",
    help="ask no index for the archives of other platforms: lock the installed ones alone",
)

INTO = option(
    "--into",
    rendered=False,
    metavar="FILE",
    default="",
    help="write it into a notebook or a script",
)


@dataclass(frozen=True, slots=True)
class Format:
    """A file that a recipe can be rendered as."""

    description: str | None  #: the module's docstring; its first line describes the format to users
    #: the path that the file usually has in a repository, with the options for it; a format of
    #: several files has several
    files: Mapping[str, Mapping[str, object]]
    #: pure: the same recipe and options give the same bytes. Takes the recipe and each rendered
    #: option as a keyword: ``name``, or ``prefix`` where it has no name, chooses an environment,
    #: and ``pin`` how exact versions are. Raises `ExportError` if there is no such environment,
    #: nothing to write, or something that cannot be said safely.
    render: Callable[..., Artifact]
    options: tuple[FormatOption, ...] = ()
    #: its inputs besides the recipe, each with the option that calls for it; an empty one always
    #: does
    needs: Mapping[Need, str] = field(default_factory=dict)
    #: whether a file has one environment, so that a second needs a file of its own
    one_environment: bool = False
    #: puts the rendered text into the text of a file that exists; the keyword ``notebook`` says
    #: the file's suffix
    insert: Callable[..., str] | None = None

    @property
    def chooses(self) -> bool:
        """Return whether its options choose one environment."""
        return NAME in self.options

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return (self.description or "").strip().split("\n", 1)[0]

    def declare(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options to a parser."""
        chosen = [each for each in self.options if each in ENVIRONMENT]
        if chosen:
            title = "environment (the running kernel's, if not said)"
            one = parser.add_argument_group(title).add_mutually_exclusive_group()
            for each in chosen:
                each.declare(one)
        for each in self.options:
            if each not in ENVIRONMENT:
                each.declare(parser)

    def defaults(self) -> dict[str, Any]:
        """Return the default value of each option."""
        return {each.name: each.default for each in self.options}

    def keywords(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return those options that are keywords of ``render``."""
        names = {each.name for each in self.options if each.rendered}
        return {name: value for name, value in options.items() if name in names}

    def calls_for(self, need: Need, options: Mapping[str, Any]) -> bool:
        """Return whether rendering with these options needs something beside the recipe."""
        called = self.needs.get(need)
        return called is not None and (not called or bool(options.get(called)))

    def insert_into(self, artifact: Artifact, path: Path) -> tuple[Path, ...]:
        """Write the text into an existing file, and the files next to it.

        Raises:
            ExportError: The file cannot be read or written.
        """
        text = self._inserted(artifact, path)
        written = artifact.write_beside(path.parent)
        write_text(path, text)
        return (path, *written)

    def difference(self, artifact: Artifact, path: Path) -> str:
        """Return a file's difference; an inserted text may be anywhere in the file.

        Raises:
            ExportError: The file cannot be read.
        """
        if self.insert is not None and path.is_file():
            artifact = replace(artifact, text=self._inserted(artifact, path))
        return artifact.difference(path)

    def _inserted(self, artifact: Artifact, path: Path) -> str:
        assert self.insert is not None
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = (isinstance(error, OSError) and error.strerror) or error
            raise ExportError(f"{path} cannot be read: {why}.") from None
        return self.insert(artifact.text, text, suffix=path.suffix)
