"""A cluster that the notebook is connected to: the shape of all kinds, and the way to find it."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from ..model.errors import UsageError
from . import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from .cargo import Cargo

KINDS = ("dask", "ipyparallel", "ray", "spark")
"""The modules of this package that each know one kind of cluster."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer of a worker that gave none.

    Attributes:
        words: What happened, a sentence without its full stop.
    """

    words: str


class Cluster(Protocol):
    """A connected cluster.

    Attributes:
        kind: Its kind, a name of `KINDS`.
        name: Its address, for people and the history.
        own: The distributions that the cluster itself runs on.
    """

    kind: str
    name: str
    own: frozenset[str]

    def workers(self) -> Sequence[str]:
        """Return the workers that are there now."""

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        """Call a function of ``worker.py`` on workers, all at once.

        Args:
            function: Its name.
            args: Its arguments, plain values.
            on: The workers; None for all.

        Returns:
            What it returned, by worker; a `Lost` for one that gave no answer.
        """

    def bring(self, cargo: Cargo, on: Iterable[str]) -> Mapping[str, Any]:
        """Send archives once a host and install them; return what `worker.install` returned."""

    def later(self, cargo: Cargo) -> str:
        """Have workers that are started later brought to an order; return how, or why not."""

    def restart(self, workers: Iterable[str]) -> Mapping[str, str]:
        """Restart workers after their tasks; return why not, by worker that was not."""


def source() -> str:
    """Return the text of the worker's side."""
    return inspect.getsource(worker)


def shipped(*modules: Any) -> dict[str, Any]:
    """Return modules' content as of ``__main__``, which every pickler sends by value."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for module in modules:
        exec(compile(inspect.getsource(module), module.__file__, "exec"), names)  # noqa: S102
    return names


def by_host(cluster: Cluster, cargo: Cargo, on: Sequence[str]) -> Mapping[str, Any]:
    """Send archives to one worker of each host that lacks them, and have all install them."""
    answers = cluster.call("lacking", cargo.order, on=on)
    hosts: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, answer in answers.items():
        if not isinstance(answer, Lost):
            rows = hosts.setdefault(str(answer[0]), (name, {}))[1]
            rows |= {row["sha256"]: row for row in answer[1]}
    for name, rows in hosts.values():
        for row in rows.values():
            with open(worker.path_of(row), "rb") as file:
                cluster.call("keep", row, file.read(), on=[name])
    return cluster.call("install", cargo.order, on=on)


def find(named: str, namespace: Mapping[str, Any]) -> Cluster:
    """Return the cluster that a name, or the only one that the notebook, is connected to.

    Args:
        named: A variable of the notebook, ``ray``, or in a terminal an address; may be empty.
        namespace: The notebook's variables.

    Raises:
        UsageError: There is no such cluster, or several are there and none is named.
    """
    if named:
        value = namespace.get(named, sys.modules.get("ray") if named == "ray" else None)
        if value is None and "://" in named:
            return _at(named)
        found = _cluster_of(value)
        if found is None:
            there = "There is no variable" if value is None else "This is no connected cluster:"
            raise UsageError(
                f"{there} {named}.",
                kept="Nothing was sent.",
                advice=_KNOWN,
            )
        return found
    # Ray is a module that is connected, imported under any name or by a library alone
    every = {**namespace, **{n: m for n, m in sys.modules.items() if n == "ray"}}
    found_all = {
        (cluster.kind, cluster.name): (name, cluster)
        for name, value in every.items()
        if name[:1] != "_" and (cluster := _cluster_of(value)) is not None
    }
    if not found_all:
        raise UsageError(
            "This notebook is connected to no cluster.", kept="Nothing was sent.", advice=_KNOWN
        )
    if len(found_all) > 1:
        raise UsageError(
            "This notebook is connected to several clusters.",
            kept="Nothing was sent.",
            advice=tuple(
                f"Name one: {name}  ({cluster.kind} {cluster.name})"
                for name, cluster in found_all.values()
            ),
        )
    return next(iter(found_all.values()))[1]


def connected_to(name: str, namespace: Mapping[str, Any]) -> Cluster | None:
    """Return the cluster of that kind and address that the notebook is connected to, if any."""
    for value in (*namespace.values(), sys.modules.get("ray")):
        cluster = _cluster_of(value)
        if cluster is not None and f"{cluster.kind} {cluster.name}" == name:
            return cluster
    return None


_KNOWN = (
    "Name a variable that holds a dask.distributed Client, an ipyparallel Client or a "
    "SparkSession; or call ray.init() first."
)


def _modules() -> list[Any]:
    return [import_module(f".{kind}", __package__) for kind in KINDS]


def _cluster_of(value: Any) -> Cluster | None:
    """Return a value as a cluster; nothing of a cluster's library is imported for that."""
    home = value.__name__ if inspect.ismodule(value) else type(value).__module__
    if not isinstance(home, str):  # of a class that was made by hand
        return None
    of: Callable[[Any], Cluster | None]
    for module in _modules():
        if home.partition(".")[0] == module.LIBRARY:
            of = module.of
            return of(value)
    return None


def _at(address: str) -> Cluster:
    """Connect to a cluster that a terminal's user named by its address."""
    scheme = address.partition("://")[0]
    for module in _modules():
        if scheme in module.SCHEMES:
            cluster: Cluster = module.at(address)
            return cluster
    raise UsageError(f"No kind of cluster has an address like {address}.", kept="Nothing was sent.")
