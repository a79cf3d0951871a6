"""Build the recipe, the net of the history, on the image that this container runs.

Without a TAG it is called after the history. Nothing is sent anywhere without --push.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from ...model.reference import parse, parse_tag
from .._options import flag, option
from ._building import build_context, build_engine, context_of
from ._how import How

if TYPE_CHECKING:
    from ...session import Session
    from ._built import BuiltImage
    from ._pushed import Pushed


@dataclass(frozen=True)
class Options(How):
    """The image to build, and what to do with it."""

    tag: str | None = option(nargs="?", metavar="TAG", help="what to call it")
    push: bool = flag("--push", help="push it to its registry as well")
    output: str | None = option(
        "--output",
        metavar="FILE.tar|FOLDER",
        help="write a layout of OCI's, without an engine",
    )


def run(options: Options, session: Session) -> BuiltImage | Pushed:
    from ...history.built import note_image
    from ...image.engine.build import push
    from ._built import BuiltImage

    if _is_layered(options):
        return _layered(options, session)
    tag = parse_tag(options.tag) if options.tag else None
    options.check()
    with (
        build_engine(session, options, options.tag) as engine,
        context_of(options, engine, session) as context,
    ):
        built = build_context(options, session, engine, context, tag)
        digest = ""
        if options.push:
            digest = push(engine, parse_tag(built.tag), console=session.console)
    if not options.file:
        name = f"{parse_tag(built.tag).name}@{digest}" if digest else built.tag
        note_image(name, session.history, base=context.base)
    return BuiltImage(built=built, base=context.base, digest=digest, notes=context.notes)


def _layered(options: Options, session: Session) -> Pushed:
    from . import push

    session.console.say("The image is made of layers from the record, without an engine.")
    asked = push.Options(
        tag=str(options.tag),
        base_image=options.base_image,
        output=options.output,
        all_images=options.all_images,
        labels=options.labels,
    )
    return push.run(asked, session)


def _is_layered(how: Options) -> bool:
    """Return whether a build makes layers: on request, or if there is no engine."""
    words = (how.builder, how.file, how.secrets, how.platform, how.no_cache, how.with_jstackmagic)
    engine = how.way == "engine" or any(words)
    named = bool(how.tag) and (bool(how.output) or bool(parse(str(how.tag)).registry))
    asked = how.way == "layers" or bool(how.output)
    if asked and (engine or not named):
        raise UsageError(
            "Layers, as --output has them, are made of what is here: without --file, --secret,"
            " --platform, --no-cache, --with-jstackmagic and another --builder, and with a TAG,"
            " which names a registry or has --output.",
            kept="Nothing was built.",
        )
    return asked or (named and not engine and not _has_engine())


def _has_engine() -> bool:
    from ...image.engine.dockersdk import NoEngine, connect

    try:
        connect().close()
    except NoEngine:
        return False
    return True
