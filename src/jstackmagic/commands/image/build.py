"""Build the recipe, the net of the history, on the image that this container runs.

Without a TAG it is called after the history. Nothing is sent anywhere without --push.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ...display import Result, Table, Text, size_text
from ...image.engine.build import Built
from ._building import build_context, build_engine, context_of
from ._how import How, add_how

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ...display import Part
    from ...session import Session
    from ._pushed import Pushed


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str | None
    push: bool
    how: How
    output: str | None = None

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(tag=args.tag, push=args.push, how=How.of(args), output=args.output)


HELP = "build the recipe"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", nargs="?", metavar="TAG", help="what to call it")
    add_how(parser)
    parser.add_argument("--push", action="store_true", help="push it to its registry as well")
    parser.add_argument(
        "--output",
        metavar="FILE.tar|FOLDER",
        help="write a layout of OCI's, without an engine",
    )


def run(options: Options, session: Session) -> BuiltImage | Pushed:
    """Do it."""
    from ._layers import is_layered

    if is_layered(options.how, options.tag, options.output):
        from . import push as pushing

        session.console.say("The image is made of layers from the record, without an engine.")
        asked = pushing.Options(
            str(options.tag), options.how.base_image, options.output, labels=options.how.labels
        )
        return pushing.run(asked, session)
    from ...history.built import note_image
    from ...image.engine.build import push
    from ...model.reference import parse_tag

    tag = parse_tag(options.tag) if options.tag else None
    how = options.how
    how.check()
    with (
        build_engine(session, how, options.tag) as engine,
        context_of(how, engine, session) as context,
    ):
        built = build_context(how, session, engine, context, tag)
        digest = ""
        if options.push:
            digest = push(engine, parse_tag(built.tag), console=session.console)
    if not how.file:
        name = f"{parse_tag(built.tag).name}@{digest}" if digest else built.tag
        note_image(name, session.history, base=context.base)
    return BuiltImage(built=built, base=context.base, digest=digest, notes=context.notes)


@dataclass(frozen=True, repr=False)
class BuiltImage(Result):
    """An image that was built.

    Attributes:
        built: The image.
        base: Its base image; empty for a given Dockerfile.
        digest: Its digest in the registry, if it was pushed.
        notes: Sentences the user should read.
    """

    built: Built
    base: str = ""
    digest: str = ""
    notes: tuple[str, ...] = ()

    def summary(self) -> str:
        """Its name."""
        return self.built.tag

    def parts(self) -> Sequence[Part]:
        """Return the image, and what to do with it."""
        built = self.built
        facts = [
            ("image", built.image_id.rpartition(":")[2][:12]),
            ("built on", self.base),
            ("size", size_text(built.size)),
            ("took", f"{built.seconds:.1f} s with {built.builder}"),
            ("steps", f"{built.steps}, {built.cached} of them from an earlier build"),
            ("pushed as", self.digest),
        ]
        rows = tuple((name, value) for name, value in facts if value)
        return (
            Table(("Built", built.tag), rows, facts=True),
            *(Text(note, "warning") for note in self.notes),
            Text(f"Does it hold what is here? %envimage prove {built.tag}", "quiet"),
        )

    def to_json(self) -> Any:
        """Return the image, its base and the notes."""
        return {
            **msgspec.to_builtins(self.built),
            "base": self.base,
            "digest": self.digest,
            "notes": list(self.notes),
        }
