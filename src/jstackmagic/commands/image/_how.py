"""The options that say what to build, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...export._own import FLAG
from ...export.dockerfile import STYLES
from ...image.engine.build import BUILDERS, Builder
from ...managers.page import Style
from ...model.errors import UsageError

if TYPE_CHECKING:
    import argparse

_WAYS = ("engine", "layers")


@dataclass(frozen=True)
class How:
    """The options of a build.

    Attributes:
        base_image: The image to build on; None for this container's image.
        style: The Dockerfile's pattern; None for one that suits the base.
        file: A Dockerfile to build as it is; None for the recipe's.
        builder: The engine's builder; None for BuildKit if available.
        platform: Such as ``linux/arm64``; empty for the engine's own.
        no_cache: Whether to ignore earlier builds.
        labels: ``NAME=VALUE`` each.
        way: ``engine`` or ``layers``; empty for the engine if there is one.
        secrets: As ``docker build --secret`` takes them.
        with_jstackmagic: Whether to add jstackmagic itself.
    """

    base_image: str | None = None
    style: Style | None = None
    file: str | None = None
    builder: Builder | None = None
    platform: str = ""
    no_cache: bool = False
    labels: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    with_jstackmagic: bool = False
    way: str = ""

    @classmethod
    def of(cls, args: argparse.Namespace) -> How:
        """Read the parsed words."""
        return cls(
            base_image=args.base_image,
            style=args.style,
            file=args.file,
            builder=None if args.builder in _WAYS else args.builder,
            way=args.builder if args.builder in _WAYS else "",
            platform=args.platform,
            no_cache=args.no_cache,
            labels=tuple(args.label),
            secrets=tuple(args.secret),
            with_jstackmagic=args.with_jstackmagic,
        )

    def check(self) -> None:
        """Look for the Dockerfile.

        Raises:
            UsageError: It does not exist.
        """
        if self.file and not os.path.isfile(os.path.expanduser(self.file)):
            raise UsageError(f"There is no file {self.file}.", kept="Nothing was built.")


def add_how(parser: argparse.ArgumentParser) -> None:
    """Declare the options of a build."""
    parser.add_argument("--from", dest="base_image", metavar="IMAGE", help="the base image")
    parser.add_argument("--style", choices=STYLES, help="the Dockerfile's pattern")
    parser.add_argument(
        "-f", "--file", metavar="DOCKERFILE", help="build this one, in its folder, as it stands"
    )
    parser.add_argument(
        "--builder",
        choices=(*BUILDERS, *_WAYS),
        help="layers: without an engine (default: BuildKit, where it is offered)",
    )
    parser.add_argument(FLAG, action="store_true", help="put jstackmagic there, too")
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
