"""The options that say how to build, and a build with them."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...export.dockerfile import STYLES, Style
from ...image.engine.build import BUILDERS, Builder
from ...model.errors import ExportError, JStackMagicError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ...image.engine.build import Built
    from ...image.engine.client import Engine
    from ...model.reference import Reference
    from ...session import Session
    from ._context import Context


@dataclass(frozen=True)
class How:
    """What to build, and how.

    Attributes:
        base_image: The image to build on; None for the one that this container runs.
        style: The Dockerfile's pattern; None for the one that suits the base.
        file: A Dockerfile to build as it stands; None for the recipe's.
        builder: Which of the engine's builders; None for BuildKit where it is offered.
        platform: Such as ``linux/arm64``; empty for the engine's own.
        no_cache: Whether to take nothing of earlier builds.
        labels: ``NAME=VALUE`` each.
        secrets: As ``docker build --secret`` takes them.
    """

    base_image: str | None = None
    style: Style | None = None
    file: str | None = None
    builder: Builder | None = None
    platform: str = ""
    no_cache: bool = False
    labels: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: argparse.Namespace) -> How:
        """Read the parsed words."""
        return cls(
            base_image=args.base_image,
            style=args.style,
            file=args.file,
            builder=args.builder,
            platform=args.platform,
            no_cache=args.no_cache,
            labels=tuple(args.label),
            secrets=tuple(args.secret),
        )

    def check(self) -> None:
        """Look for the Dockerfile.

        Raises:
            UsageError: It does not exist.
        """
        if self.file and not os.path.isfile(os.path.expanduser(self.file)):
            raise UsageError(f"There is no file {self.file}.", kept="Nothing was built.")


def add_how(parser: argparse.ArgumentParser) -> None:
    """Declare what is built, and how."""
    parser.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")
    parser.add_argument("--style", choices=STYLES, help="the Dockerfile's pattern")
    parser.add_argument(
        "-f", "--file", metavar="DOCKERFILE", help="build this one, in its folder, as it stands"
    )
    parser.add_argument(
        "--builder", choices=BUILDERS, help="default: BuildKit, where it is offered"
    )
    parser.add_argument("--platform", default="", metavar="OS/ARCH", help="such as linux/arm64")
    parser.add_argument("--no-cache", action="store_true", help="take nothing of earlier builds")
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="to put on the image"
    )
    parser.add_argument(
        "--secret",
        action="append",
        default=[],
        metavar="id=ID,src=FILE|env=NAME",
        help="a build secret: a private index, say",
    )


def context_of(
    how: How, engine: Engine, session: Session
) -> contextlib.AbstractContextManager[Context]:
    """Return what to build: the Dockerfile that the user has, or the recipe's."""
    from ._context import given, rendered

    if how.file:
        return given(how.file, session.history)
    return rendered(how, engine, session.history)


def build_context(
    how: How,
    session: Session,
    engine: Engine,
    context: Context,
    tag: Reference | None,
) -> Built:
    """Build a context.

    Raises:
        BuildFailed: With what to change, where the recipe is to blame.
    """
    from ...image.engine.build import Asked, BuildFailed, blame, build, fetch
    from ...image.secrets import completed, pairs, read

    if context.base and not how.platform:
        fetch(engine, context.base, console=session.console)
    asked = Asked(
        tag=tag or context.default_tag,
        dockerfile=context.dockerfile,
        builder=how.builder,
        platform=how.platform,
        no_cache=how.no_cache,
        labels={**context.labels, **pairs(how.labels)},
        secrets=completed(context.secrets, read(how.secrets)),
    )
    try:
        return build(engine, context.folder, asked, console=session.console)
    except BuildFailed as error:
        advice = blame(context.recipe, error.step) or ()
        raise BuildFailed(error.problem, kept=error.kept, advice=advice) from error


def existing(engine: Engine, context: Context) -> Built | None:
    """Return the image that was built of this very recipe, if there is one."""
    from ...image.engine.build import built_before

    return built_before(engine, context.default_tag, context.labels)


@contextlib.contextmanager
def build_engine(session: Session, how: How, tag: str | None) -> Iterator[Engine]:
    """Yield the engine; where none is in reach, write the folder to build elsewhere instead."""
    from ...image.engine.client import NoEngine, connect

    try:
        engine = connect()
    except NoEngine as error:
        raise _without_engine(session, how, tag or "TAG", error) from None
    with contextlib.closing(engine):
        yield engine


def _without_engine(
    session: Session, how: How, tag: str, error: JStackMagicError
) -> JStackMagicError:
    from ...image.engine.client import NoEngine
    from ._context import FOLDER, write

    if how.file:
        folder = os.path.dirname(how.file) or "."
        elsewhere = f"Build it where an engine is: docker build --tag {tag} -f {how.file} {folder}"
        return NoEngine(error.problem, kept=error.kept, advice=(elsewhere, *error.advice))
    try:
        write(Path(FOLDER), how, session.history)
    except ExportError as reason:
        kept = f"The folder to build elsewhere was not written: {reason.problem}"
        return NoEngine(error.problem, kept=kept, advice=(*reason.advice, *error.advice))
    return NoEngine(
        error.problem,
        kept=f"All that a build needs was written to {Path(FOLDER).resolve()}.",
        advice=(
            f"Take that folder to where an engine is: docker build --tag {tag} {FOLDER}",
            *error.advice,
        ),
    )
