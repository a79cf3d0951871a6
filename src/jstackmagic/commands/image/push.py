"""Make an image of what was installed, and send it to its registry: no engine is needed.

Its layers are made of the files that the recorded packages own here, on top of the base image, of
which only what the registry lacks is sent. Nothing else of this container goes into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...io.reading import path_of
from ...model.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from ...session import Session
    from ._pushed import Pushed


@dataclass(frozen=True)
class Options:
    """The options, as the user gave them, under their names."""

    tag: str
    base_image: str | None = None
    output: str | None = None
    dry_run: bool = False
    labels: tuple[str, ...] = ()
    share: str = ""

    @classmethod
    def of(cls, args: argparse.Namespace) -> Options:
        """Read the parsed words."""
        return cls(
            args.tag,
            args.base_image,
            args.output,
            args.dry_run,
            tuple(args.label),
            share=args.share,
        )


HELP = "send an image to a registry, without an engine"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("tag", metavar="REGISTRY/NAME:TAG", help="where to, and what to call it")
    parser.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")
    parser.add_argument(
        "--output", metavar="FILE.tar|FOLDER", help="write it as a layout of OCI's instead"
    )
    parser.add_argument(
        "--share", default="", metavar="NAME",
        help="a repository of that registry that everybody's layers are put into and taken from",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    parser.add_argument(
        "--label", action="append", default=[], metavar="NAME=VALUE", help="to put on the image"
    )


def run(options: Options, session: Session) -> Pushed:
    """Do it."""
    from ...history.built import note_image
    from ...image.layers.send import write_layout
    from ...image.secrets import pairs
    from ...model.reference import parse_tag
    from ._layers import made, prepared, send_to, sending
    from ._pushed import Pushed

    tag, extra = parse_tag(options.tag), pairs(options.labels)
    if not (tag.registry or options.output):
        raise UsageError(
            f"{tag} names no registry.",
            kept="Nothing was sent.",
            advice=f"Say which: REGISTRY/{tag}, or --output FILE.tar",
        )
    with prepared(session, options.base_image) as found:
        if options.dry_run:
            return Pushed(str(tag), found)
        found.check()
        with sending(str(tag)):
            image = made(session, found, extra)
        if options.output:
            path = path_of(options.output)
            with sending(str(path)):
                size = write_layout(
                    image.image, path, tag, found.base.registry, image.packing, image.pack,
                    console=session.console,
                )  # fmt: skip
            return Pushed(str(tag), found, image.image.digest, size, output=str(path))
        sent = send_to(tag, found.base, image, session, share=options.share)
        note_image(f"{tag.name}@{sent.digest}", session.history)
        how = f"{sent.layers} layers sent, {sent.mounted} taken from other repositories"
        return Pushed(str(tag), found, sent.digest, sent.size, how)
