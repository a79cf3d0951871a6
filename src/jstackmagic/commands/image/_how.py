"""The options that say what to build, and how."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import cast, get_args

from ...image.engine import BUILDERS, Builder
from ...model.errors import UsageError
from ...model.recipe import Style
from .._options import flag, option

_WAYS = ("engine", "layers")


@dataclass(frozen=True)
class How:
    """The options of a build."""

    base_image: str | None = option("--from", metavar="IMAGE", help="the base image")
    style: Style | None = option(
        "--style", choices=get_args(Style), help="the Dockerfile's pattern"
    )
    file: str | None = option(
        *("-f", "--file"), metavar="DOCKERFILE", help="build this one, in its folder, as it stands"
    )
    said_builder: str | None = option(
        "--builder",
        choices=(*BUILDERS, *_WAYS),
        help="layers: without an engine (default: BuildKit, where it is offered)",
    )
    with_jstackmagic: bool = flag("--with-jstackmagic", help="put jstackmagic there, too")
    all_images: bool = flag("--all-images", help="also what other images than this had")
    platform: str = option("--platform", default="", metavar="OS/ARCH", help="such as linux/arm64")
    no_cache: bool = flag("--no-cache", help="take nothing of earlier builds")
    labels: tuple[str, ...] = option(
        "--label", action="append", metavar="NAME=VALUE", help="to put on the image"
    )
    secrets: tuple[str, ...] = option(
        "--secret",
        action="append",
        metavar="id=ID,src=FILE|env=NAME",
        help="a build secret: a private index, say",
    )

    @property
    def builder(self) -> Builder | None:
        """The engine's builder; None for BuildKit if available."""
        return None if self.said_builder in _WAYS else cast("Builder | None", self.said_builder)

    @property
    def way(self) -> str:
        """``engine`` or ``layers``; empty for the engine if there is one."""
        return str(self.said_builder) if self.said_builder in _WAYS else ""

    def check(self) -> None:
        """Look for the Dockerfile.

        Raises:
            UsageError: It does not exist.
        """
        if self.file and not os.path.isfile(os.path.expanduser(self.file)):
            raise UsageError(f"There is no file {self.file}.", kept="Nothing was built.")
