"""The service behind the handlers: its database, counts, policy and limits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from tornado.web import RequestHandler

from ..model.errors import UsageError
from ..sending.servicepolicy import read_served
from .advisory import Advisory, of_folder
from .counts import LiveReport
from .store import Database

T = TypeVar("T")

LOG = logging.getLogger("jstackmagic.hub")


@dataclass
class Allowance:
    """The records and requests that one user may send: so many at once, refilled each second."""

    most: float
    rate: float
    left: float
    at: float = field(default_factory=time.monotonic)

    def take(self, count: float) -> float:
        """Take some; return 0, or the seconds to wait where there are too few."""
        now = time.monotonic()
        self.left = min(self.most, self.left + (now - self.at) * self.rate)
        self.at = now
        if count <= self.left:
            self.left -= count
            return 0.0
        return max(1.0, (count - self.left) / self.rate)


@dataclass
class Service:
    """The state that the handlers share."""

    store: Database
    live: LiveReport  #: the counts
    #: the policy that kernels are served; a file that is read again when it changes
    policy: Path | None = None
    advisories: Path | None = None  #: a folder of OSV files; None without one
    lines_a_minute: int = 20_000
    #: the registries, or repositories in one, of images that users may push; empty for any
    images_from: tuple[str, ...] = ()
    #: the counts for Prometheus
    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    _served: dict[str, Any] = field(default_factory=dict)
    _allowances: dict[str, Allowance] = field(default_factory=dict)

    async def work(self, call: Callable[..., T], *words: Any) -> T:
        """Do what asks the database, beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, call, *words)

    async def erase(self, name: str) -> None:
        """Erase all that there is of a person, in the database and in the counts."""
        await self.work(self.live.forget, await self.work(self.store.erase, name))

    def wait(self, user: str, count: int) -> float:
        """Return the seconds that a user has to wait before sending so many lines; 0 for none."""
        most = float(self.lines_a_minute)
        allowance = self._allowances.setdefault(user, Allowance(most, most / 60, most))
        return allowance.take(max(count, most / 600))

    def read_policy(self) -> None:
        """Read the policy.

        Raises:
            UsageError: The file has no policy in it.
            OSError: It cannot be read.
        """
        if self.policy is not None:
            self._served = msgspec.to_builtins(read_served(self.policy.read_bytes()))

    def served(self) -> dict[str, Any]:
        """Return the policy; the last good one while the file is being written, or is wrong."""
        try:
            self.read_policy()
        except (OSError, UsageError) as error:
            LOG.error("the policy cannot be read", extra={"said": {"why": str(error)}})
        return self._served

    def may_start(self, image: str) -> bool:
        """Return whether an image's name is of a place that servers may start from."""
        places = tuple(f"{place.rstrip('/')}/" for place in self.images_from)
        return not places or image.startswith(places)

    def known(self) -> tuple[list[Advisory], list[str]]:
        """Return the advisories of the folder, and what could not be read of it."""
        return of_folder(self.advisories) if self.advisories else ([], [])


class Handler(RequestHandler):
    """A request to the service."""

    @property
    def service(self) -> Service:
        """Return what the handlers share."""
        found: Service = self.settings["service"]
        return found
