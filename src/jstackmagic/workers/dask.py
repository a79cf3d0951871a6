"""Dask's workers: archives go to the scheduler once, and from there to each host once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..model.errors import UsageError
from . import call, cluster, dask_worker, worker
from .cargo import Cargo
from .cluster import Lost, SentCode

SCHEMES = ("tcp", "tls", "ws", "wss", "inproc")
_SECONDS = 60.0  # for the tasks of a worker that is to be restarted, and for its return


def of(value: Any) -> Dask | None:
    """Return a client, or the cluster it belongs to, as a cluster."""
    status = str(getattr(getattr(value, "status", ""), "name", getattr(value, "status", "")))
    if status != "running":
        return None
    if hasattr(value, "get_client") and hasattr(value, "scheduler_address"):
        value = value.get_client()
    if not hasattr(value, "run_on_scheduler"):
        return None
    if value.asynchronous:
        raise UsageError(
            "This Client is asynchronous: its calls return to no one here.",
            kept="Nothing was sent.",
            advice="Make one that is not: Client(address)",
        )
    return Dask(value)


def at(address: str) -> Dask:
    """Connect to a scheduler.

    Raises:
        UsageError: It does not answer.
    """
    from distributed import Client

    try:
        connect: Any = Client
        return Dask(connect(address, timeout=10, set_as_default=False))
    except OSError as error:
        raise UsageError(
            f"No scheduler answers at {address}: {error}", kept="Nothing was sent."
        ) from None


class _SentPlugin(dask_worker.Plugin):
    """The worker's plugin, which travels as text."""

    def __reduce__(self) -> tuple[Any, ...]:
        args = (self.source, self.order, self.known)
        return SentCode("Plugin", call, dask_worker, args=args).__reduce__()


class Dask:
    """A client of `dask.distributed`."""

    kind = "dask"
    own = frozenset({"dask", "distributed"})

    def __init__(self, client: Any) -> None:
        self._client = client
        self._source = worker.source()
        self.name = str(client.scheduler.address)

    def workers(self) -> Sequence[str]:
        found: list[str] = self._on_scheduler("addresses")
        return found

    def _on_scheduler(self, function: str, *args: Any) -> Any:
        asked = SentCode(function, call, dask_worker)
        seconds = cluster.patience("keep" if function == "serve" else function)
        return self._client.run_on_scheduler(asked, *args, callback_timeout=seconds)

    def _run(self, function: str, *args: Any, on: Iterable[str] | None) -> Mapping[str, Any]:
        workers = list(self.workers() if on is None else on)
        if not workers:
            return {}
        asked = SentCode(function, call, dask_worker)
        seconds = cluster.patience(args[1] if function == "look" else "install")

        async def one(name: str) -> Any:
            run = self._client.run(
                asked, *args, workers=[name], on_error="return", nanny=False, asynchronous=True
            )
            try:
                return (await asyncio.wait_for(run, seconds))[name]
            except asyncio.TimeoutError:
                return Lost(cluster.no_answer(seconds))
            except (KeyError, OSError) as error:
                return error

        async def every() -> list[Any]:
            return await asyncio.gather(*map(one, workers))

        return {
            name: Lost(f"it went away ({type(answer).__name__}: {answer})")
            if isinstance(answer, BaseException)
            else answer
            for name, answer in zip(workers, self._client.sync(every), strict=True)
        }

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        return self._run("look", self._source, function, args, on=on)

    def bring(self, cargo: Cargo, on: Iterable[str]) -> Mapping[str, Any]:
        if cargo.order["via"] == "cluster":
            there = set(self._on_scheduler("serve", {}))
            # what a host put aside itself, for an undo, may be there alone
            lacks = (r for r in cargo.rows if r["sha256"] not in there and worker.is_kept(r))
            fresh = {row["sha256"]: row for row in lacks}
            for sha256, row in fresh.items():  # one at a time: none is in memory twice
                self._on_scheduler("serve", {sha256: Path(worker.path_of(row)).read_bytes()})
        return self._run("bring", self._source, cargo.order, on=on)

    def later(self, cargo: Cargo) -> str:
        self._on_scheduler("forget", [row["sha256"] for row in cargo.rows])
        args = (self._source, cargo.order, list(self.workers()))

        async def register() -> None:  # it waits for the workers, of which one may hang
            made = self._client.register_plugin(_SentPlugin(*args), name=_SentPlugin.name)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(made, min(cluster.ANSWER, 10.0))

        self._client.sync(register)
        return "Workers that are started later get the same."

    def restart(self, workers: Iterable[str]) -> Mapping[str, str]:
        """Restart half of them at a time: the others hold their data meanwhile."""
        every = list(workers)
        count = max(1, len(every) // 2)
        why: dict[str, str] = {}
        for start in range(0, len(every), count):
            why |= self._restart(set(every[start : start + count]))
        return why

    def _restart(self, left: set[str]) -> Mapping[str, str]:
        why: dict[str, str] = {}
        going: set[str] = set()
        count, end = len(self.workers()), time.monotonic() + _SECONDS
        while left and time.monotonic() < end:
            free = left - set(self._on_scheduler("busy"))
            found = self._run("restart", on=free) if free else {}
            why |= {w: a.words if isinstance(a, Lost) else a for w, a in found.items() if a}
            going |= free - why.keys()
            left -= free
            time.sleep(0.1 * bool(left))
        while time.monotonic() < end and (len(now := self.workers()) < count or going & {*now}):
            time.sleep(0.05)
        return why | dict.fromkeys(left, "it is busy, and keeps its modules until it is restarted")

    def sent(self) -> int:
        """Return the bytes of archives that the scheduler has sent to workers."""
        found: int = self._on_scheduler("counted")
        return found
