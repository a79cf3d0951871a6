"""Ray's nodes: a task on each, and archives once a host by Ray's own object store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..model.errors import UsageError
from . import call, worker
from .cargo import Cargo
from .cluster import Lost, by_host, gathered, shipped
from .keeper import keep

SCHEMES = ("ray",)


def of(value: Any) -> Nodes | None:
    """Return the module ``ray``, once it is connected, as a cluster."""
    return Nodes(value) if hasattr(value, "is_initialized") and value.is_initialized() else None


def at(address: str) -> Nodes:
    """Connect to a cluster by ``ray://HOST:PORT``.

    Raises:
        UsageError: It does not answer.
    """
    import ray

    try:
        ray.init(address, log_to_driver=False)
    except (ConnectionError, OSError) as error:
        raise UsageError(
            f"No Ray cluster answers at {address}: {error}", kept="Nothing was sent."
        ) from None
    return Nodes(ray)


class Nodes:
    """The nodes of the cluster that this process is connected to."""

    kind = "ray"
    own = frozenset({"ray"})

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._call = ray.remote(shipped(call)["call"])
        self._source = worker.source()
        self.name = str(ray.get_runtime_context().gcs_address)

    def workers(self) -> Sequence[str]:
        return [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        asked = {}
        for node in self.workers() if on is None else on:
            here = NodeAffinitySchedulingStrategy(node, soft=False)
            task = self._call.options(num_cpus=0, max_retries=0, scheduling_strategy=here)
            asked[node] = task.remote(self._source, function, args)
        return gathered(asked, lambda task, left: self._ray.get(task, timeout=left), function)

    def bring(self, cargo: Cargo, on: Iterable[str]) -> Mapping[str, Any]:
        found = dict(by_host(self, cargo, list(on)))
        for name, answer in found.items():
            if not isinstance(answer, Lost) and any(old for _, old, *_ in answer["done"]):
                words = "processes of the node that had imported it keep it until they end"
                found[name] = {**answer, "words": words}
        return found

    def later(self, cargo: Cargo) -> str:
        return keep(self, cargo)

    def restart(self, workers: Iterable[str]) -> Mapping[str, str]:
        words = "Ray restarts no idle process; end actors that use it, or call ray.init() again"
        return dict.fromkeys(workers, words)
