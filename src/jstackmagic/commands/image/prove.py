"""Say whether an image holds exactly what is here: conda's, pip's and Debian's packages.

Without a TAG, the image of this history is built first. The image's files are read; nothing of
ours is needed in it. Inside a container every environment counts, and the system; outside, the
environment of this process, the target, or with --container another container. With --history the
image is compared with what a history says, whatever is here. The exit status is 1 where anything
differs or could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ...model.errors import UsageError
from ...model.reference import parse, parse_tag
from .._options import flag, option
from .._shared import TargetOptions
from ._building import build_context, build_engine, context_of
from ._how import How

if TYPE_CHECKING:
    from ...image.engine.dockersdk import ContainerEngine
    from ...image.prove.sides import ThisSide
    from ...session import Session
    from ._proved import Explained, Proved


@dataclass(frozen=True)
class Options(TargetOptions, How):
    """The image to compare, and what with."""

    tag: str | None = option(nargs="?", metavar="TAG", help="the image (default: this history's)")
    deep: bool = flag("--deep", help="compare every file and import what was added, too")
    explain: bool = flag("--explain", help="say what each depth compares; nothing is compared")
    container: str = option(
        "--container", default="", metavar="NAME", help="compare with this container, from outside"
    )
    recorded: str | None = option(
        "--history",
        nargs="?",
        const="",
        metavar="FILE",
        help="compare with what this history says (without FILE, the one in the image)",
    )


def run(options: Options, session: Session) -> Proved | Explained:
    from ...image.prove.compare import prove
    from ...image.prove.sides import from_registry, is_in_registry, target_of
    from ._proved import Explained, Proved

    if options.explain:
        return Explained()
    if options.tag:
        parse(options.tag)
    options.check()
    if options.recorded is not None:
        return _recorded(options, session, options.recorded)
    compared = partial(
        prove, records=session.history.records(), deep=options.deep, console=session.console
    )
    if options.tag and not (options.file or options.container) and is_in_registry(options.tag):
        target, base = from_registry(options.tag, session.console)
        here = _here(options)
        here = here.on(base.root) if base else here
        return Proved(compared(target, here))
    with build_engine(session, options, options.tag) as engine:
        here = _here(options, engine)
        image = _image(options, engine, session)
        target = target_of(engine, image, base=here.started_from)
        return Proved(compared(target, here))


def _recorded(options: Options, session: Session, file: str) -> Proved:
    from ...image.prove.recorded import prove_recorded, records_of
    from ...image.prove.sides import with_base
    from ._proved import Proved

    if not options.tag or options.container or options.is_said or options.file:
        raise UsageError(
            "--history compares one image with a history, and nothing of here.",
            kept="Nothing was compared.",
            advice="%envimage prove TAG --history, or --history FILE",
        )
    target, base = with_base(options.tag, session.console)
    return Proved(prove_recorded(target, base, records_of(target, file), deep=options.deep))


def _here(options: Options, engine: ContainerEngine | None = None) -> ThisSide:
    from ...image.engine.container import named_container
    from ...image.prove.sides import ThisSide, everything_here, in_container, seen_by

    if engine and options.container:
        return in_container(engine, named_container(engine, options.container))
    if options.is_said:
        return ThisSide(options.environments(), whole=False)
    return seen_by(engine, everything_here()) if engine else everything_here()


def _image(options: Options, engine: ContainerEngine, session: Session) -> str:
    """Return the image to compare with: the one that was named, or one that is built now."""
    from ...image.engine.build import built_before, named_image

    if options.tag and not options.file:
        return named_image(engine, options.tag)
    tag = parse_tag(options.tag) if options.tag else None
    with context_of(options, engine, session) as context:
        # a given Dockerfile may have changed since its image was built
        again = tag or options.file or options.no_cache
        built = None if again else built_before(engine, context.default_tag, context.labels)
        return (built or build_context(options, session, engine, context, tag)).tag
