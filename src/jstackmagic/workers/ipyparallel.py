"""ipyparallel's engines: archives go to one engine of each host, and all of them install."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..model.errors import UsageError
from . import call, worker
from .cargo import Cargo
from .cluster import SentCode, by_host, gathered
from .keeper import keep

SCHEMES = ("ipcontroller",)


def of(value: Any) -> Ipyparallel | None:
    """Return a client, or a view of one, as a cluster."""
    client = getattr(value, "client", value)
    return Ipyparallel(client) if hasattr(client, "direct_view") and not client._closed else None


def at(address: str) -> Ipyparallel:
    """Connect to a controller by its connection file: ``ipcontroller:///path/to/file.json``.

    Raises:
        UsageError: It does not answer.
    """
    import ipyparallel

    try:
        client = ipyparallel.Client(address.partition("://")[2], timeout=10)
    except (OSError, ipyparallel.TimeoutError) as error:
        raise UsageError(
            f"No controller answers at {address}: {error}", kept="Nothing was sent."
        ) from None
    return Ipyparallel(client)


class Ipyparallel:
    """A client of ipyparallel."""

    kind = "ipyparallel"
    own = frozenset({"ipyparallel"})

    def __init__(self, client: Any) -> None:
        self._client = client
        self._call = SentCode("call", call)
        self._source = worker.source()
        self.name = str(client._config["registration"])

    def workers(self) -> Sequence[str]:
        return [str(number) for number in self._client.ids]

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        asked = {
            each: self._client[int(each)].apply_async(self._call, self._source, function, args)
            for each in (self.workers() if on is None else on)
        }
        return gathered(asked, lambda result, seconds: result.get(seconds), function)

    def bring(self, cargo: Cargo, on: Iterable[str]) -> Mapping[str, Any]:
        return by_host(self, cargo, list(on))

    def later(self, cargo: Cargo) -> str:
        return keep(self, cargo)

    def restart(self, workers: Iterable[str]) -> Mapping[str, str]:
        words = "ipyparallel restarts engines all together: cluster.restart_engines()"
        return dict.fromkeys(workers, words)
