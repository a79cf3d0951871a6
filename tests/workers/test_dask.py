"""A real Dask cluster: three workers under nannies, each in an environment of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from distributed import Client, LocalCluster

from jstackmagic.workers.dask import Dask
from jstackmagic.workers.sync import compare, differences, sync
from support.clusters import CONSOLE, cargo_of, processes, worker_env
from support.verbs import verb
from support.warm import warm_venv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.clusters import Processes
    from support.wheels import WheelIndex

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def started() -> Iterator[Processes]:
    with processes() as made:
        yield made


@pytest.fixture(scope="module")
def client(_session_environ: None) -> Iterator[Client]:
    """A client of a scheduler that has no workers yet."""
    with (
        LocalCluster(
            n_workers=0, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def prefixes(
    client: Client, started: Processes, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The environments of three workers, which run."""
    made = [worker_env(tmp_path_factory.mktemp("workers") / name) for name in "abc"]
    for prefix in made:
        start(started, client, prefix)
    client.wait_for_workers(3, timeout=60)
    return made


def start(started: Processes, client: Client, prefix: Path) -> None:
    command = (prefix / "bin/python", "-m", "distributed.cli.dask_worker")
    address = client.scheduler.address
    words = ("--nthreads", "1", "--no-dashboard", "--local-directory", prefix / "tmp")
    started.start(*command, address, *words)


@pytest.fixture
def kernel(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kernel's environment."""
    return warm_venv(tmp_path_factory, tmp_path / "kernel")


def install(kernel: Path, index: WheelIndex, *specs: str) -> None:
    verb("install", "--prefix", kernel, "--index-url", index.url, "--pip", *specs)


def use(name: str, client: Client, **more: Any) -> list[Any]:
    """What a task on each worker finds."""

    def version() -> Any:
        import importlib

        try:
            return importlib.import_module(name).__version__
        except ModuleNotFoundError:
            return None

    workers = list(client.scheduler_info(n_workers=-1)["workers"])
    return client.gather([client.submit(version, workers=[w], pure=False, **more) for w in workers])


def test_every_worker_gets_it_and_so_does_a_later_one(
    client: Client,
    prefixes: list[Path],
    started: Processes,
    kernel: Path,
    wheel_index: WheelIndex,
    tmp_path: Path,
) -> None:
    wheel_index.add("widget", "1.2", requires=["gear"], scripts={"turn": "widget:main"})
    wheel_index.add("gear", "3.0")
    install(kernel, wheel_index, "widget")
    assert use("widget", client) == [None] * 3

    cluster, cargo = Dask(client), cargo_of(kernel)
    wheel_index.stop()
    done = sync(cluster, cargo, CONSOLE)
    assert [row.failed for row in done.rows] == [""] * 3
    assert [sorted(row.brought) for row in done.rows] == [
        [("gear", "", "3.0"), ("widget", "", "1.2")]
    ] * 3
    assert use("widget", client) == ["1.2"] * 3
    assert (prefixes[0] / "bin/turn").stat().st_mode & 0o111
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    # once a host, however many workers it has
    assert cluster.sent() == cargo.size

    start(started, client, worker_env(tmp_path / "later"))
    client.wait_for_workers(4, timeout=60)
    assert use("gear", client) == ["3.0"] * 4
    assert sync(cluster, cargo, CONSOLE).changes == ()
    client.retire_workers([cluster.workers()[-1]])
