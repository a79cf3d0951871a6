"""A build, and the engine that it runs on."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...model.errors import ExportError, JStackMagicError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...image.context import BuildContext, Rendering
    from ...image.engine.build import Built
    from ...image.engine.dockersdk import ContainerEngine
    from ...model.reference import Reference
    from ...session import Session
    from ._how import How

FOLDER = "jstackmagic-image"
"""The folder for the context, in the working folder, if no engine is available."""


def context_of(
    how: How, engine: ContainerEngine, session: Session
) -> contextlib.AbstractContextManager[BuildContext]:
    """Return what to build: the Dockerfile that the user has, or the recipe's."""
    from ...image.context import given, rendered

    if how.file:
        return contextlib.nullcontext(given(how.file, session.history))
    return rendered(rendering(how, session), engine, session.history, how.builder)


def rendering(how: How, session: Session) -> Rendering:
    """Return how to render the records that count in the image that runs now."""
    from ...export._own import Own
    from ...export.dockerfile import render
    from ...image.context import Rendering
    from ...model.ledger import fold
    from ...restore.homes import at_home

    home = at_home(session.history, "%envimage build --all-images", every=how.all_images)
    recipe = fold(home.records)
    own = Own.of(recipe).step() if how.with_jstackmagic else None
    return Rendering(partial(render, recipe, own=own), how.base_image, how.style, home.notes)


def build_context(
    how: How,
    session: Session,
    engine: ContainerEngine,
    context: BuildContext,
    tag: Reference | None,
) -> Built:
    """Build a context.

    Raises:
        BuildFailed: The build failed; the error says what to change if the recipe is the cause.
    """
    from ...image.engine.build import BuildFailed, BuildOptions, blame, build, fetch
    from ...image.secrets import completed, pairs, read

    if context.base and not how.platform:
        fetch(engine, context.base, console=session.console)
    asked = BuildOptions(
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


@contextlib.contextmanager
def build_engine(session: Session, how: How, tag: str | None) -> Iterator[ContainerEngine]:
    """Yield the engine; if none is available, write the folder to build elsewhere instead."""
    from ...image.engine.dockersdk import NoEngine, connect

    if how.way == "layers":
        raise UsageError("Only %envimage build and push make layers.", kept="Nothing was built.")
    try:
        engine = connect()
    except NoEngine as error:
        raise _without_engine(session, how, tag or "TAG", error) from None
    with contextlib.closing(engine):
        yield engine


def _without_engine(
    session: Session, how: How, tag: str, error: JStackMagicError
) -> JStackMagicError:
    from ...image.context import write
    from ...image.engine.dockersdk import NoEngine

    if how.file:
        folder = os.path.dirname(how.file) or "."
        elsewhere = f"Build it where an engine is: docker build --tag {tag} -f {how.file} {folder}"
        return NoEngine(error.problem, kept=error.kept, advice=(elsewhere, *error.advice))
    try:
        write(Path(FOLDER), rendering(how, session), session.history)
    except ExportError as reason:
        kept = f"The folder to build elsewhere was not written: {reason.problem}"
        return NoEngine(error.problem, kept=kept, advice=(*reason.advice, *error.advice))
    kept = f"All that a build needs was written to {Path(FOLDER).resolve()}."
    elsewhere = f"Take that folder to where an engine is: docker build --tag {tag} {FOLDER}"
    return NoEngine(error.problem, kept=kept, advice=(elsewhere, *error.advice))
