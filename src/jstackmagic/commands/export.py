"""Render the recipe, the net of the history, as a file that makes it permanent.

Examples:
    %envexport dockerfile
    %envexport dockerfile --output Dockerfile --from registry.example.com/base-notebook:2026-11-02
    %envexport dockerfile --fragment --pin spec
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import export
from ..display import Code, Part, Result, Text
from ..export import Artifact

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ..recipe import Recipe
    from . import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a format; each format declares its own arguments."""
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    for name, module in export.formats().items():
        summary = (module.__doc__ or "").strip().split("\n", 1)[0]
        one = formats.add_parser(name, help=summary, description=summary)
        one.add_argument(
            "-o", "--output", metavar="FILE", help="write it, and what it needs beside it"
        )
        module.arguments(one)


def run(args: argparse.Namespace, session: Session) -> Exported:  # noqa: ARG001
    """Fold the history and render it."""
    from pathlib import Path

    from ..history import History
    from ..host import look
    from ..recipe import fold
    from . import _holdings

    ours = {"format", "output", "options", "json"}
    options = {key: value for key, value in vars(args).items() if key not in ours}
    if options.get("base_image") == "":
        options["base_image"] = look().image or ""
    recipe = _holdings.on_disk(fold(History().records()))
    notes: tuple[str, ...] = ()
    if options.get("name") == options.get("prefix") == "":
        options["prefix"] = _here(recipe)
    which = {"name": options.get("name", ""), "prefix": options.get("prefix", "")}
    if options.get("ask_index") and options.get("hashes", True):
        recipe, notes = _holdings.of_index(recipe, **which)
    if options.get("platforms"):
        recipe = _holdings.of_platforms(recipe, options["platforms"], **which)
    artifact = export.get(args.format).render(recipe, **options)
    faults = artifact.check()
    written = artifact.write(Path(args.output).expanduser()) if args.output else ()
    return Exported(
        artifact=replace(artifact, notes=(*artifact.notes, *notes, *faults)),
        written=tuple(str(path) for path in written),
    )


def _here(recipe: Recipe) -> str:
    """The running environment's prefix, where the recipe has something of it; else empty."""
    import sys

    known = (step.environment.prefix for step in recipe.steps if step.environment)
    return sys.prefix if sys.prefix in known else ""


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """A rendered recipe.

    Attributes:
        artifact: The text, the files it needs, and what could not be kept.
        written: The files that were written; empty where it is only shown.
    """

    artifact: Artifact
    written: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The artifact's own text."""
        return self.artifact.text

    def summary(self) -> str:
        """Where it went, or how long it is."""
        return self.written[0] if self.written else f"{len(self.text.splitlines())} lines"

    def parts(self) -> Sequence[Part]:
        """The text, or where it was written, and the notes."""
        parts: list[Part] = []
        if self.written:
            parts += [Text(f"Wrote {path}") for path in self.written]
        else:
            parts.append(Code(self.text.rstrip("\n")))
            parts += [
                Text(f"It needs {file.name} beside it; --output FILE writes both.", "quiet")
                for file in self.artifact.files
            ]
        return [*parts, *(Text(note, "warning") for note in self.artifact.notes)]

    def to_json(self) -> Any:
        """The text, the files and the notes."""
        return {
            "text": self.text,
            "files": [file.name for file in self.artifact.files],
            "written": list(self.written),
            "notes": list(self.artifact.notes),
        }
