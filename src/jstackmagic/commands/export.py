"""Render the recipe, the net of the history, as a file that makes it permanent.

Examples:
    %envexport dockerfile
    %envexport dockerfile --output Dockerfile --from registry.example.com/base-notebook:2026-11-02
    %envexport dockerfile --fragment --pin spec
    %envexport dockerfile --with-jstackmagic     # the image can go on recording
    %envexport dockerfile --check Dockerfile --from registry.example.com/base-notebook:2026-11-02
                                                 # exit status 1, and the difference, if it is old
    %envexport --all FOLDER                      # every format, and a README
    %envexport --check-all FOLDER
    %envexport json --output recipe.json         # the recipe itself
    %envexport --recipe recipe.json dockerfile   # what that file says, not this user's history
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import export
from ..export._source import Source
from ..model.errors import UsageError
from ._exported import Checked, Exported, ExportedAll
from ._options import declare, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..display import Result
    from ..session import Session

FOR_PROGRAMS = True
_STANDARD_OUTPUT = ("-", "/dev/stdout")


_RECIPE = {"metavar": "FILE", "help": "a recipe.json or a history, in place of this user's"}


@dataclass(frozen=True)
class Options:
    """What to export and where to; a format's own options are in ``given``."""

    all: str | None = option("--all", metavar="FOLDER", help="write every format, and a README")
    check_all: str | None = option(
        "--check-all", metavar="FOLDER", help="whether all that is up to date"
    )
    all_from: str | None = option("--from", metavar="IMAGE", help="for all: the base image")
    all_image: str | None = option("--image", metavar="IMAGE", help="for all: that of the recipe")
    recipe: str | None = option("--recipe", **_RECIPE)
    format: str | None = None
    output: str | None = None
    check: str | None = None
    into: str | None = None
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _OfFormat:
    output: str | None = option(
        "-o", "--output", metavar="FILE", help="write it, and what it needs beside it"
    )
    check: str | None = option(
        "--check", metavar="FILE", help="exit with 1, and the difference, if FILE is old"
    )
    recipe: str | None = option("--recipe", default=argparse.SUPPRESS, **_RECIPE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a format; each format declares its own arguments."""
    declare(parser, Options)
    formats = parser.add_subparsers(dest="format", metavar="FORMAT")
    for name, form in export.formats().items():
        one = formats.add_parser(
            name, help=form.summary.replace("%", "%%"), description=form.summary
        )
        declare(one, _OfFormat)
        form.declare(one)


def run(options: Options, session: Session) -> Result:
    """Fold the history and render it."""
    if sum(map(bool, (options.all, options.check_all, options.format))) != 1:
        raise UsageError(
            "One format is needed, or --all FOLDER.",
            kept="Nothing was written.",
            advice=f"The formats: {', '.join(export.formats())}",
        )
    source = Source.of(options.recipe, session.history)
    return _one(source, options) if options.format else _all(source, options)


def _homes(source: Source) -> tuple[str, ...]:
    """What of this user's history is another image's."""
    from ..restore.homes import of_other_images
    from ..where.host import look

    return of_other_images(source.records, look().image or "") if source.here else ()


def _one(source: Source, options: Options) -> Result:
    form = export.get(options.format or "")
    artifact = source.render(form, dict(options.given), _base)
    if options.check:
        path = Path(options.check).expanduser()
        return Checked(form.difference(artifact, path), (str(path),))
    written: tuple[Path, ...] = ()
    if options.into:
        written = form.insert_into(artifact, Path(options.into).expanduser())
    if options.output and options.output not in _STANDARD_OUTPUT:
        written += artifact.write(Path(options.output).expanduser())
    notes = (*artifact.notes, *artifact.check(), *_homes(source), *source.debian_sources())
    return Exported(
        artifact=replace(artifact, notes=notes),
        written=tuple(map(str, written)),
        own=source.own(added=options.given.get("with_jstackmagic")),
    )


def _all(source: Source, options: Options) -> Result:
    from ..export._every import difference_of_all, render_all, write_all

    rendered = render_all(source, _base, base_image=options.all_from, image=options.all_image)
    if options.all:
        written = write_all(Path(options.all).expanduser(), rendered)
        return ExportedAll.of(rendered, written, source.own())
    folder = Path(options.check_all or "").expanduser()
    difference, notes = difference_of_all(folder, rendered)
    checked = tuple(str(folder / each.file) for each in rendered if each.artifact)
    return Checked(difference, checked, notes)


def _base(source: Source, image: str, guess: bool) -> tuple[str, Sequence[str]]:
    from ..image.suggest import base_image

    return base_image(source.recipe, source.records, image, guess=guess)
