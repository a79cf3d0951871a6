"""The cluster that is meant: a variable, or the only one that the notebook is connected to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jstackmagic.model.errors import UsageError
from jstackmagic.workers.cluster import connected_to, find


class Client:
    """What a client of Dask looks like from here."""

    __module__ = "distributed.client"

    def __init__(self, address: str, status: str = "running", *, later: bool = False) -> None:
        self.status, self.asynchronous = status, later
        self.scheduler = SimpleNamespace(address=address)

    def run_on_scheduler(self) -> None:
        """Never called."""


class Deployed:
    """What a LocalCluster looks like, which a closed one gives no client of."""

    __module__ = "distributed.deploy.local"
    scheduler_address = "tcp://a:1"

    def __init__(self, status: str) -> None:
        self.status = SimpleNamespace(name=status)

    def get_client(self) -> None:
        raise RuntimeError("Trying to connect to an already closed or closing Cluster")


class Mine(Client):
    """A client of the user's own making."""

    __module__ = "__main__"


class Odd:
    """A class that was made by hand."""

    __module__ = None  # type: ignore[assignment]


HERE = {"x": 1, "odd": Odd(), "frame": SimpleNamespace(run_on_scheduler=print), "closed": None}


def test_the_only_one_need_not_be_named_whatever_it_is_called_twice() -> None:
    client = Client("tcp://one:1")
    names = {**HERE, "client": client, "c": client, "gone": Client("tcp://two:1", "closed")}
    assert find("", names).name == find("c", names).name == "tcp://one:1"
    assert find("mine", {**names, "mine": Mine("tcp://two:1")}).name == "tcp://two:1"
    found = connected_to("dask tcp://one:1", names)
    assert found is not None
    assert connected_to("dask tcp://two:1", names) is None


@pytest.mark.parametrize(
    ("named", "more", "says"),
    [
        ("", {}, "connected to no cluster"),
        ("client", {}, "There is no variable client"),
        ("x", {}, "This is not a connected cluster: x"),
        ("frame", {}, "This is not a connected cluster: frame"),
        ("gone", {"gone": Client("tcp://a:1", "closed")}, "This is not a connected cluster: gone"),
        ("gone", {"gone": Deployed("closed")}, "This is not a connected cluster: gone"),
        ("", {"gone": Deployed("closed")}, "connected to no cluster"),
        ("", {"a": Client("tcp://a:1"), "b": Client("tcp://b:1")}, "several clusters"),
        ("a", {"a": Client("tcp://a:1", later=True)}, "asynchronous"),
        ("gopher://a:1", {}, "No kind of cluster has an address"),
    ],
)
def test_what_is_no_cluster_is_said_and_nothing_is_sent(
    named: str, more: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says) as raised:
        find(named, {**HERE, **more})
    assert raised.value.kept == "Nothing was sent."
