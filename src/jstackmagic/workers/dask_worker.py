"""Dask's side of a sync: what its scheduler and its workers run, sent there by value.

It imports nothing of ours, since the workers may not have it; `call` is sent along.
"""

from __future__ import annotations

from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .call import call  # noqa: TC004 - it is sent along


async def look(source: str, name: str, args: Any) -> Any:
    """Call it in a thread, so that the worker answers its scheduler meanwhile."""
    import asyncio

    return await asyncio.get_running_loop().run_in_executor(None, call, source, name, args)


async def bring(source: str, order: Any, dask_worker: Any) -> Any:
    """Bring a worker to an order: the archives that its host lacks come from the scheduler."""
    import asyncio
    import contextlib

    loop = asyncio.get_running_loop()

    def there(name: str, *args: Any) -> Any:
        return loop.run_in_executor(None, call, source, name, args)

    with contextlib.ExitStack() as stack:
        try:
            place = await there("store")
            turn = call(source, "locked", (place,))
            await loop.run_in_executor(None, stack.enter_context, turn)  # one of a host fetches
            for row in (await there("lacking", order))[1]:
                data = await dask_worker.scheduler.jstackmagic_archive(sha256=row["sha256"])
                if data is None:
                    raise ValueError(f"{row['file']} is no longer with the scheduler")
                await there("keep", row, bytes(data))
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
            facts = await there("look")
            return {"facts": facts, "done": [], "cannot": [], "failed": failed, "waited": ""}
    return await there("install", order)


def serve(archives: Any, dask_scheduler: Any) -> Any:
    """Have the scheduler serve archives by their hash; return the hashes that it has now."""
    kept = dask_scheduler.extensions.setdefault("jstackmagic", {})
    kept.update(archives)

    def archive(sha256: str) -> Any:
        data = kept.get(sha256)
        if data is None:
            return None
        served = dask_scheduler.extensions.setdefault("jstackmagic-served", {"bytes": 0})
        served["bytes"] += len(data)
        return bytes(data)

    dask_scheduler.handlers["jstackmagic_archive"] = archive
    return list(kept)


def forget(others: Any, dask_scheduler: Any) -> None:
    """Have the scheduler drop the archives of orders that no later worker gets."""
    kept = dask_scheduler.extensions.get("jstackmagic", {})
    for sha256 in kept.keys() - set(others):
        del kept[sha256]


def counted(dask_scheduler: Any) -> Any:
    """Return the bytes of archives that the scheduler has sent to workers."""
    return dask_scheduler.extensions.get("jstackmagic-served", {"bytes": 0})["bytes"]


def addresses(dask_scheduler: Any) -> Any:
    """Return the addresses of the workers that take tasks."""
    return [address for address, w in dask_scheduler.workers.items() if w.status.name == "running"]


def busy(dask_scheduler: Any) -> Any:
    """Return the workers that have tasks."""
    return [address for address, worker in dask_scheduler.workers.items() if worker.processing]


async def restart(dask_worker: Any) -> Any:
    """Have a worker go, its data with the others, and its nanny start it again.

    A heartbeat after the scheduler has let it go closes a worker too, and by default its nanny
    with it (distributed's Worker.heartbeat): then nothing would start it again.
    """
    from functools import partial

    if dask_worker.nanny is None:
        return "it has no nanny that would start it again"
    dask_worker.close = partial(dask_worker.close, nanny=False)
    dask_worker.loop.call_later(0.1, dask_worker.close_gracefully, restart=True, reason="envsync")
    return ""


try:
    from distributed.diagnostics.plugin import WorkerPlugin
except ImportError:  # the module is read for its text where Dask is missing
    WorkerPlugin = object  # type: ignore[assignment,misc,unused-ignore]


class Plugin(WorkerPlugin):  # type: ignore[misc,unused-ignore]
    """Brings a worker that is started later to an order, before it takes a task."""

    name = "jstackmagic-sync"

    def __init__(self, source: str, order: Any, known: Any) -> None:
        self.source, self.order, self.known = source, order, known

    async def setup(self, worker: Any) -> None:
        """Bring it there; one that fails says so in its log, and takes tasks all the same."""
        if worker.address in self.known:
            return
        import logging

        found = await bring(self.source, self.order, worker)
        for words in filter(None, (found["failed"], *(": ".join(c) for c in found["cannot"]))):
            logging.getLogger("distributed.worker").warning("jstackmagic: %s", words)
