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
from typing import Any

from .. import export
from ..display import Result
from ..export._every import difference_of_all, render_all, writable, write_all
from ..export._source import Source
from ..image.stacks import base_image
from ..io.reading import path_of
from ..model.errors import UsageError
from ..model.policy import denied_in
from ..restore.homes import at_home
from ..session import Session
from ._checked import Checked
from ._exported import Exported, ExportedAll
from ._options import declare, flag, option

_STANDARD_OUTPUT = ("-", "/dev/stdout")
_RECIPE = {"metavar": "FILE", "help": "a recipe.json or a history, in place of this user's"}


@dataclass(frozen=True)
class Options:
    """The artifact to export and its place; a format's own options are in ``given``."""

    all: str | None = option("--all", metavar="FOLDER", help="write every format, and a README")
    check_all: str | None = option("--check-all", metavar="FOLDER", help="is that up to date")
    all_from: str | None = option("--from", metavar="IMAGE", help="for all: the base image")
    all_image: str | None = option("--image", metavar="IMAGE", help="for all: that of the recipe")
    recipe: str | None = option("--recipe", **_RECIPE)
    all_images: bool = flag("--all-images", help="also what other images than this had")
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
        "--check",
        metavar="FILE",
        help="exit with 1, and show the difference, if FILE is out of date",
    )
    recipe: str | None = option("--recipe", default=argparse.SUPPRESS, **_RECIPE)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a format; each format declares its own arguments."""
    declare(parser, Options)
    formats = parser.add_subparsers(dest="format", metavar="FORMAT")
    for name, form in export.formats().items():
        summary = form.summary
        one = formats.add_parser(name, help=summary.replace("%", "%%"), description=summary)
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
    how = options.format or "--all FOLDER"
    home = at_home(session.history, f"%envexport --all-images {how}", every=options.all_images)
    source = Source.of(options.recipe, session.history, home.records, home.notes)
    left_out = (*denied_in(source.recipe, session.policy), *source.left_out)
    return (_one if options.format else _all)(replace(source, left_out=left_out), options)


def _one(source: Source, options: Options) -> Result:
    form = export.get(options.format or "")
    artifact = source.render(form, dict(options.given), base_image)
    if options.check:
        return Checked(form.difference(artifact, path := path_of(options.check)), (str(path),))
    written = form.insert_into(artifact, path_of(options.into)) if options.into else ()
    if options.output and options.output not in _STANDARD_OUTPUT:
        written += artifact.write(path_of(options.output))
    notes = (*artifact.notes, *artifact.check(), *source.left_out, *source.debian_sources())
    name, own = next(iter(form.files)), source.own(added=options.given.get("with_jstackmagic"))
    return Exported(replace(artifact, notes=notes), tuple(map(str, written)), own, name)


def _all(source: Source, options: Options) -> Result:
    rendered = render_all(source, base_image, base_image=options.all_from, image=options.all_image)
    if options.all:
        rendered = writable(rendered)
        written = write_all(path_of(options.all), rendered)
        return ExportedAll.of(rendered, written, source.own(), source.left_out)
    folder = path_of(options.check_all or "")
    files = tuple(str(folder / each.file) for each in rendered if each.artifact)
    difference, notes = difference_of_all(folder, rendered)
    return Checked(difference, files, (*notes, *source.left_out))
