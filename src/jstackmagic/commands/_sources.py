"""The options that name the sources of packages."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from ..model.errors import UsageError
from ..model.packages import ManagerName
from ..model.sources import Sources
from ._options import option


@dataclass(frozen=True)
class FromSources:
    """The sources of packages."""

    channel: tuple[str, ...] = option(
        "-c", "--channel", action="append", help="a conda channel, first is strongest"
    )
    index_url: str = option(
        "-i", "--index-url", default="", metavar="URL", help="in place of pip's"
    )
    extra_index_url: tuple[str, ...] = option(
        "--extra-index-url", action="append", metavar="URL", help="in addition to pip's index"
    )

    def sources(self, usual: Sources, listed: Sources) -> Sources:
        """Return the line's sources before a list's, or if there are none, the usual ones."""
        said = Sources(self.channel, self.index_url, self.extra_index_url)
        return (said | listed).or_else(usual)

    def check_channels(self, asked: Iterable[ManagerName]) -> None:
        """Refuse channels that no manager of a request has: pip's -c is another.

        Raises:
            UsageError: There are some.
        """
        given = Sources(self.channel)
        if not given or any(given.of(manager) for manager in asked):
            return
        raise UsageError(
            f"-c {self.channel[0]} is a channel, and nothing here is asked of one.",
            advice=(
                f"For pip's constraints: --constraint {self.channel[0]}"
                if os.path.isfile(self.channel[0])
                else "Leave it out, or name what it has: conda:NAME"
            ),
        )
