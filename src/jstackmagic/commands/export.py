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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import export
from ..export._own import Own
from ..export._source import Source
from ..model.errors import UsageError
from ._exported import Checked, Exported, ExportedAll

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..display import Result
    from ..session import Session

FOR_PROGRAMS = True
_STANDARD_OUTPUT = ("-", "/dev/stdout")


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        format: The format's name; None where all are meant.
        output: The file to write.
        check: The file to compare.
        into: The file to write the text into.
        recipe: The recipe or history to export; None for this user's history.
        all: The folder to write every format to.
        check_all: The folder to compare.
        base_image: For all of them, the base image.
        image: For all of them, the image that holds the recipe.
        given: The format's own options.
    """

    format: str | None
    output: str | None
    check: str | None
    into: str | None
    recipe: str | None
    all: str | None
    check_all: str | None
    base_image: str | None
    image: str | None
    given: Mapping[str, Any]

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        said = vars(args)
        names = export.get(args.format).defaults() if args.format else ()
        return cls(
            format=args.format,
            output=said.get("output"),
            check=said.get("check"),
            into=said.get("into"),
            recipe=args.recipe,
            all=args.all,
            check_all=args.check_all,
            base_image=args.all_from,
            image=args.all_image,
            given={name: said[name] for name in names},
        )


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command a format; each format declares its own arguments."""
    parser.add_argument("--all", metavar="FOLDER", help="write every format, and a README")
    parser.add_argument("--check-all", metavar="FOLDER", help="whether all that is up to date")
    for option, what in (("from", "the base image"), ("image", "the image of the recipe")):
        parser.add_argument(
            f"--{option}", dest=f"all_{option}", metavar="IMAGE", help=f"for all: {what}"
        )
    recipe = {"metavar": "FILE", "help": "a recipe.json or a history, in place of this user's"}
    parser.add_argument("--recipe", **recipe)  # type: ignore[arg-type]
    formats = parser.add_subparsers(dest="format", metavar="FORMAT")
    for name, form in export.formats().items():
        one = formats.add_parser(
            name, help=form.summary.replace("%", "%%"), description=form.summary
        )
        one.add_argument(
            "-o", "--output", metavar="FILE", help="write it, and what it needs beside it"
        )
        one.add_argument(
            "--check", metavar="FILE", help="exit with 1, and the difference, if FILE is old"
        )
        one.add_argument("--recipe", default=argparse.SUPPRESS, **recipe)  # type: ignore[arg-type]
        form.declare(one)


def run(args: argparse.Namespace, session: Session) -> Result:
    """Fold the history and render it."""
    options = Options.of(args)
    if sum(map(bool, (options.all, options.check_all, options.format))) != 1:
        raise UsageError(
            "One format is needed, or --all FOLDER.",
            kept="Nothing was written.",
            advice=f"The formats: {', '.join(export.formats())}",
        )
    source = Source.of(options.recipe, session.history)
    return _one(source, options) if options.format else _all(source, options)


def _debian(source: Source) -> Iterator[str]:
    """Yield what apt needs beside the names: sources that the base image lacks."""
    from ..model.managers import is_system
    from ..where.debiansources import added_sources

    asked = [
        item.name
        for step in source.recipe.steps
        if is_system(step.manager)
        for item in step.install
    ]
    for each in added_sources() if source.here and asked else ():
        yield (
            f"apt had a source here that the base image lacks: {each}. {', '.join(asked)} may come"
            " from there: copy that file and its keys into the image before apt-get update."
        )


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
    own = Own.of(source.recipe) if source.here else None
    if own is not None and "with_jstackmagic" in options.given:
        line = own.in_image(added=options.given["with_jstackmagic"])
    else:
        line = own.in_file() if own else ""
    written: tuple[Path, ...] = ()
    if options.into:
        written = form.insert_into(artifact, Path(options.into).expanduser())
    if options.output and options.output not in _STANDARD_OUTPUT:
        written += artifact.write(Path(options.output).expanduser())
    return Exported(
        artifact=replace(
            artifact, notes=(*artifact.notes, *artifact.check(), *_homes(source), *_debian(source))
        ),
        written=tuple(map(str, written)),
        own=line,
    )


def _all(source: Source, options: Options) -> Result:
    from ..export._every import difference_of_all, render_all, write_all

    rendered = render_all(source, _base, base_image=options.base_image, image=options.image)
    if options.all:
        written = write_all(Path(options.all).expanduser(), rendered)
        own = Own.of(source.recipe).in_file() if source.here else ""
        return ExportedAll.of(rendered, written, own)
    folder = Path(options.check_all or "").expanduser()
    difference, notes = difference_of_all(folder, rendered)
    checked = tuple(str(folder / each.file) for each in rendered if each.artifact)
    return Checked(difference, checked, notes)


def _base(source: Source, image: str, guess: bool) -> tuple[str, Sequence[str]]:
    from ..image.suggest import base_image

    return base_image(source.recipe, source.records, image, guess=guess)
