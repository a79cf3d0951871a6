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

    from ..history import Record
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
    from ..recipe import fold

    ours = {"format", "output", "options", "json"}
    options = {key: value for key, value in vars(args).items() if key not in ours}
    records = History().records()
    hints: tuple[str, ...] = ()
    if "base_image" in options:
        options["base_image"], hints = _base_image(options["base_image"], records)
    artifact = export.get(args.format).render(fold(records), **options)
    faults = artifact.check()
    written = artifact.write(Path(args.output).expanduser()) if args.output else ()
    return Exported(
        artifact=replace(artifact, notes=(*artifact.notes, *faults, *hints)),
        written=tuple(str(path) for path in written),
    )


def _base_image(said: str, records: Sequence[Record]) -> tuple[str, tuple[str, ...]]:
    """What to build on where nobody said, and what else the Docker Stacks' table tells."""
    from ..host import look
    from ._suggest import likely_image, suggestions

    image, hints = said or look().image or "", list[str]()
    if not image:
        image = likely_image(records)
        if image:
            hints.append(
                f"Nothing names the base image; by what is in it, it is {image}. Name yours: --from"
            )
    found = suggestions(image, records)
    if found.base and found.best:
        has = ", ".join(found.best.has)
        hints.append(f"{found.best.stack.name} has {has} already: %envimage suggest")
    return image, tuple(hints)


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
