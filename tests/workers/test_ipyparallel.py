"""A real ipyparallel cluster: three engines, each in an environment of its own."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.workers import cluster as clusters
from jstackmagic.workers.cluster import Lost
from jstackmagic.workers.ipyparallel import Ipyparallel
from jstackmagic.workers.sync import compare, differences, sync
from support.clusters import CONSOLE, add_spokes, cargo_of, processes, site_of, until, worker_env
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.clusters import Processes
    from support.wheels import WheelIndex

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def started() -> Iterator[Processes]:
    with processes() as made:
        yield made


@pytest.fixture(scope="module")
def start(
    _session_environ: None, started: Processes, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Path], None]:
    """Starts an engine in an environment."""
    folder = tmp_path_factory.mktemp("ipython")
    place = (f"--ipython-dir={folder}", "--profile=default")
    file = folder / "profile_default/security/ipcontroller-engine.json"

    def engine(prefix: Path) -> None:
        started.start(prefix / "bin/python", "-m", "ipyparallel.engine", *place)

    started.start(sys.executable, "-m", "ipyparallel.controller", "--ip=127.0.0.1", *place)
    until(file.exists)
    return engine


@pytest.fixture(scope="module")
def prefixes(start: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made = [worker_env(tmp_path_factory.mktemp("engines") / name) for name in "abc"]
    for prefix in made:
        start(prefix)
    return made


@pytest.fixture(scope="module")
def client(started: Processes, prefixes: list[Path]) -> Iterator[Any]:
    import ipyparallel

    words = next(word for word in started.started[0].args if "--ipython-dir" in word)
    folder = words.partition("=")[2]
    with ipyparallel.Client(
        f"{folder}/profile_default/security/ipcontroller-client.json", timeout=150
    ) as made:
        made.wait_for_engines(3, timeout=150)
        yield made


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "kernel")


def use(name: str, client: Any) -> list[str | None]:
    def version(name: str) -> str | None:
        import importlib

        try:
            return importlib.import_module(name).__version__
        except ModuleNotFoundError:
            return None

    version.__module__ = "__main__"  # sent by value
    return client[:].apply_sync(version, name)


def test_every_engine_gets_it_and_so_does_a_later_one(
    client: Any,
    prefixes: list[Path],
    start: Callable[[Path], None],
    kernel: Path,
    wheel_index: WheelIndex,
    tmp_path: Path,
) -> None:
    wheel_index.add("widget", "1.2", requires=["gear"])
    wheel_index.add("gear", "3.0")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "widget")
    wheel_index.stop()
    assert use("widget", client) == [None] * 3

    cluster, cargo = Ipyparallel(client), cargo_of(kernel)
    done = sync(cluster, cargo, CONSOLE)
    assert [row.failed for row in done.rows] == [""] * 3
    assert use("widget", client) == ["1.2"] * 3

    start(worker_env(tmp_path / "later"))
    until(lambda: use("gear", client) == ["3.0"] * 4)
    assert sync(cluster, cargo, CONSOLE).changes == ()

    (site_of(prefixes[1]) / "gear.py").write_text("evil = True\n")
    (found,) = differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    assert (found.name, found.there) == ("gear", "changed: gear.py")


def test_an_engine_that_is_killed_in_the_middle_is_named_and_its_next_one_is_right(
    client: Any,
    prefixes: list[Path],
    start: Callable[[Path], None],
    kernel: Path,
    wheel_index: WheelIndex,
) -> None:
    names = add_spokes(wheel_index)
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", *names)
    cluster, cargo = Ipyparallel(client), cargo_of(kernel)
    looked = cluster.call("look")
    name, victim = next((n, f) for n, f in looked.items() if f["prefix"] == str(prefixes[2]))

    def kill() -> None:
        until(lambda: list(site_of(prefixes[2]).glob("spoke*/5.py")))
        os.kill(victim["pid"], signal.SIGKILL)
        start(prefixes[2])

    with ThreadPoolExecutor(1) as threads:
        killed = threads.submit(kill)
        done = sync(cluster, cargo, CONSOLE)
        killed.result()
    assert name not in [row.worker for row in done.rows]  # another one is in its place
    assert [row.failed for row in done.rows] == [""] * len(looked)
    assert not isinstance(cluster.call("look")[done.rows[-1].worker], Lost)
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))


def test_an_engine_that_hangs_holds_nobody_up(
    client: Any, started: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Ipyparallel(client)
    pids = client[:].apply_async(os.getpid).get_dict()
    hung = max(pids)
    monkeypatch.setattr(clusters, "ANSWER", 15)
    os.kill(pids[hung], signal.SIGSTOP)
    try:
        found = cluster.call("store")
    finally:
        os.kill(pids[hung], signal.SIGCONT)
    assert found.pop(str(hung)) == Lost("it gave no answer in 15 seconds")
    assert not [each for each in found.values() if isinstance(each, Lost)]
