"""A cluster that the notebook is connected to: the shape of all kinds, and the way to find it."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from importlib import import_module
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from ..model.errors import CommandFailed, Interrupted, UsageError
from . import worker
from .cargo import Cargo

P = ParamSpec("P")
T = TypeVar("T")

KINDS = {"distributed": "dask", "ipyparallel": "ipyparallel", "ray": "ray", "pyspark": "spark"}
"""A cluster's library, and the module of this package that knows it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The answer of a worker that gave none."""

    words: str  #: what happened, a sentence without its full stop


class Cluster(Protocol):
    """A connected cluster."""

    kind: str  #: its kind, a name of `KINDS`
    name: str  #: its address, for people and the history
    own: frozenset[str]  #: the distributions that the cluster itself runs on

    def workers(self) -> Sequence[str]:
        """Return the workers that are there now."""

    def call(self, function: str, *args: Any, on: Iterable[str] | None = None) -> Mapping[str, Any]:
        """Call a function of `worker` on workers, all at once.

        Args:
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


ANSWER = 120.0
"""Seconds for a worker to say what it has."""

WORK = 900.0
"""Seconds for it to take archives or to install, a wait for another worker included."""


def patience(function: str) -> float:
    """Return the seconds that a worker has for a function of `worker`."""
    return WORK if function in ("install", "keep") else ANSWER


def gathered(
    asked: Mapping[str, T], get: Callable[[T, float], Any], function: str
) -> dict[str, Any]:
    """Return what workers answer that work at the same time; a `Lost` for each that does not.

    Args:
        asked: What stands for the answer, by worker.
        get: Waits for an answer for so many seconds, and returns it.
        function: The function of `worker` that they work on; all have its `patience` together.
    """
    seconds = patience(function)
    end = time.monotonic() + seconds

    def got(answer: T) -> Any:
        try:
            return get(answer, max(0.0, end - time.monotonic()))
        except Exception as error:  # of the task, of its worker, or of the connection
            kind, words = type(error).__name__, next(iter(str(error).splitlines()), "")[:200]
            late = "Timeout" in kind  # each library has its own
            return Lost(no_answer(seconds) if late else f"it went away ({kind}: {words})")

    return {name: got(answer) for name, answer in asked.items()}


def no_answer(seconds: float) -> str:
    """Return what is said of a worker that was waited for."""
    return f"it gave no answer in {seconds:.0f} seconds"


class SentCode:
    """A function or an object of modules, pickled as their text: any minor Python can read it.

    Args:
        name: The name of the function, or of the class.
        modules: The modules; what they import of ours is among them.
        args: The arguments for the class; None for the function itself.
    """

    def __init__(self, name: str, *modules: Any, args: tuple[Any, ...] | None = None) -> None:
        text = worker.joined(*modules)
        self._names = {"__name__": "__main__", "name": name, "args": args, "text": text}

    def __call__(self, *_: Any) -> None:
        """Pass for a function where a library checks that."""

    def __reduce__(self) -> tuple[Any, ...]:
        got = "globals()[name]" + "(*args)" * (self._names["args"] is not None)
        return eval, (f"exec(text, globals()) or {got}", self._names)


def shipped(module: Any) -> dict[str, Any]:
    """Return a module's content as of ``__main__``, which every pickler sends by value.

    Ray and Spark take a function alone, and have one minor Python everywhere.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
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
        for row in filter(worker.is_kept, rows.values()):
            with open(worker.path_of(row), "rb") as file:
                kept = cluster.call("keep", row, file.read(), on=[name])
            if isinstance(kept.get(name), Lost):
                break  # it hangs: the others are not made to wait for each archive
    return cluster.call("install", cargo.order, on=on)


def find(named: str, namespace: Mapping[str, Any]) -> Cluster:
    """Return the cluster that a name, or the only one that the notebook, is connected to.

    Args:
        named: A variable of the notebook, ``ray``, or in a terminal an address; may be empty.

    Raises:
        UsageError: There is no such cluster, or several are there and none is named.
    """
    if named:
        value = namespace.get(named, sys.modules.get("ray") if named == "ray" else None)
        if value is None and "://" in named:
            return _at(named)
        found = _cluster_of(value)
        if found is None:
            there = "There is no variable" if value is None else "This is not a connected cluster:"
            raise UsageError(f"{there} {named}.", kept="Nothing was sent.", advice=_KNOWN)
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
            "This session is connected to no cluster.", kept="Nothing was sent.", advice=_KNOWN
        )
    if len(found_all) > 1:
        raise UsageError(
            "This session is connected to several clusters.",
            kept="Nothing was sent.",
            advice=tuple(
                f"Name one: {name}  ({cluster.kind} {cluster.name})"
                for name, cluster in found_all.values()
            ),
        )
    return next(iter(found_all.values()))[1]


def connected_to(
    name: str, namespace: Mapping[str, Any], *, by_address: bool = False
) -> Cluster | None:
    """Return the cluster of that kind and address that the notebook is connected to, if any.

    Args:
        name: The kind and the address, as in a record.
        by_address: Connect to it, as for a terminal, if it is not there.
    """
    for value in (*namespace.values(), sys.modules.get("ray")):
        cluster = _cluster_of(value)
        if cluster is not None and f"{cluster.kind} {cluster.name}" == name:
            return cluster
    kind, _, address = name.partition(" ")
    if by_address and address.partition("://")[0] in _module(kind).SCHEMES:
        found: Cluster = _module(kind).at(address)
        return found
    return None


def answering(
    function: Callable[Concatenate[Cluster, P], T],
) -> Callable[Concatenate[Cluster, P], T]:
    """Have what a cluster's library raises be a `CommandFailed`, for what takes a cluster first."""

    @wraps(function)
    def called(cluster: Cluster, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(cluster, *args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted(
                f"The work on {cluster.kind} {cluster.name} was interrupted.",
                kept="What its workers got by then stays there.",
                advice="Go on with: %envsync",
            ) from None
        except Exception as error:
            libraries = {each.__module__.partition(".")[0] for each in type(error).__mro__}
            cut = isinstance(error, ConnectionError | TimeoutError) or type(error) is OSError
            if not (cut or libraries & {*KINDS, "asyncio", "py4j"}):
                raise
            words = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise CommandFailed(
                f"{cluster.kind} {cluster.name} gives no answer: {words}",
                kept="What its workers have by now is not known.",
                advice="Connect to it again, then: %envsync --prove",
            ) from error

    return called


_KNOWN = (
    "Name a variable that holds a dask.distributed Client, an ipyparallel Client or a "
    "SparkSession; or call ray.init() first."
)


def _module(kind: str) -> Any:
    return import_module(f".{kind}", __package__)


def _cluster_of(value: Any) -> Cluster | None:
    """Return a value as a cluster; nothing of a cluster's library is imported for that."""
    if inspect.ismodule(value):
        homes = [value.__name__]
    else:  # a class made by hand may have no module
        homes = [str(each.__module__) for each in type(value).__mro__]
    for library, kind in KINDS.items():
        if any(home.partition(".")[0] == library for home in homes):
            found: Cluster | None = _module(kind).of(value)
            return found
    return None


def _at(address: str) -> Cluster:
    """Connect to a cluster that a terminal's user named by its address."""
    for kind in KINDS.values():
        if address.partition("://")[0] in _module(kind).SCHEMES:
            cluster: Cluster = _module(kind).at(address)
            return cluster
    raise UsageError(f"No kind of cluster has an address like {address}.", kept="Nothing was sent.")
