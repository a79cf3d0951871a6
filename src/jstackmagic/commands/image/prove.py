"""Say whether an image holds exactly what is here: conda's, pip's and Debian's packages.

Without a TAG, the image of this history is built first. The image's files are read; nothing of
ours is needed in it. Inside a container every environment counts, and the system; outside, the
environment of this process, the target, or with --container another container. The exit status is
1 where anything differs or could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...model.environment import Environment
from ...model.errors import UsageError
from ...model.reference import parse, parse_tag
from .._options import declare, typed
from .._shared import Target
from ._building import build_context, build_engine, context_of, existing
from ._how import How, add_how
from ._proved import Explained, Proved

if TYPE_CHECKING:
    import argparse

    from ...image.engine.client import Engine
    from ...image.prove.compare import Here
    from ...session import Session


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str | None
    deep: bool
    explain: bool
    container: str
    targets: tuple[Environment, ...]  # empty for everything here
    how: How

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        target = typed(Target, args)
        chosen = target.environments() if target.is_said else ()
        return cls(args.tag, args.deep, args.explain, args.container, chosen, How.of(args))


HELP = "compare an image with what is here"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", nargs="?", metavar="TAG", help="the image (default: this history's)")
    add_how(parser)
    parser.add_argument(
        "--deep", action="store_true", help="compare every file and import what was added, too"
    )
    parser.add_argument(
        "--explain", action="store_true", help="say what each depth compares; nothing is compared"
    )
    parser.add_argument(
        "--container", default="", metavar="NAME", help="compare with this container, from outside"
    )
    declare(parser, Target)


def run(options: Options, session: Session) -> Proved | Explained:
    """Do it."""
    from ...image.prove.brought import brought_here
    from ...image.prove.compare import prove, target_of
    from ._layers import from_registry, is_in_registry

    if options.explain:
        return Explained()
    if options.tag:
        parse(options.tag)
    how = options.how
    how.check()
    records = session.history.records()
    if options.tag and not (how.file or options.container) and is_in_registry(options.tag):
        target, here = from_registry(options.tag, options.targets, session)
        return Proved(prove(target, here, records, deep=options.deep, console=session.console))
    with build_engine(session, how, options.tag) as engine:
        here = _here(options, engine)
        image = _image(options, engine, session)
        target = target_of(engine, image, base=here.started_from)
        proof = prove(
            target,
            here,
            records,
            deep=options.deep,
            console=session.console,
            brought=brought_here,
        )
    return Proved(proof)


def _here(options: Options, engine: Engine) -> Here:
    from ...image.engine.container import named_container
    from ...image.prove.compare import Here, everything_here, in_container, seen_by

    if options.container:
        return in_container(engine, named_container(engine, options.container))
    if options.targets:
        return Here(options.targets, whole=False)
    return seen_by(engine, everything_here())


def _image(options: Options, engine: Engine, session: Session) -> str:
    """Return the image to compare with: the one that was named, or one that is built now."""
    from ...image.engine.build import exists, similar

    how = options.how
    if options.tag and not how.file:
        if not exists(engine, options.tag):
            near = similar(engine, options.tag)
            raise UsageError(
                f"There is no image {options.tag}.",
                kept="Nothing was built.",
                advice=(
                    *(f"Did you mean: %envimage prove {name}" for name in near),
                    f"Build it first: %envimage build {options.tag}",
                ),
            )
        return options.tag
    tag = parse_tag(options.tag) if options.tag else None
    with context_of(how, engine, session) as context:
        # a given Dockerfile may have changed since its image was built
        again = tag or how.file or how.no_cache
        built = None if again else existing(engine, context)
        return (built or build_context(how, session, engine, context, tag)).tag
