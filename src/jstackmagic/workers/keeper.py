"""Workers that come later, where the cluster has no means of its own to bring them in step."""

from __future__ import annotations

import logging
import threading

from ..model.text import readable
from .cargo import Cargo
from .cluster import Cluster, Lost

_POLL = 1.0  # seconds

_keepers: dict[str, Keeper] = {}


class Keeper(threading.Thread):
    """Looks for new workers of a cluster while this process is connected to it."""

    def __init__(self, cluster: Cluster, cargo: Cargo) -> None:
        super().__init__(name=f"jstackmagic {cluster.kind}", daemon=True)
        self._cluster, self._cargo, self._known = cluster, cargo, set(cluster.workers())
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(_POLL):
            try:
                fresh = set(self._cluster.workers()) - self._known
                found = self._cluster.bring(self._cargo, sorted(fresh)) if fresh else {}
            except Exception:  # it is gone, or this process is about to end
                return
            self._known |= fresh
            for name, answer in found.items():
                failed = answer.words if isinstance(answer, Lost) else answer["failed"]
                if failed:
                    logging.getLogger("jstackmagic").warning("%s: %s", name, readable(failed))

    def end(self) -> None:
        """Look no more."""
        self._ended.set()


def keep(cluster: Cluster, cargo: Cargo) -> str:
    """Bring workers that come later to an order, in place of an earlier one; return how."""
    name = f"{cluster.kind} {cluster.name}"
    if name in _keepers:
        _keepers[name].end()
    _keepers[name] = Keeper(cluster, cargo)
    _keepers[name].start()
    return "What joins later gets the same within seconds, while this session is connected."
