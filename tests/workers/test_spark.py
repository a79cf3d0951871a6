"""A real Spark of two executors (local-cluster), whose Python has an environment of its own."""

from __future__ import annotations

import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.workers import cluster as clusters
from jstackmagic.workers.cluster import Lost
from jstackmagic.workers.spark import Executors
from jstackmagic.workers.sync import compare, differences, sync
from support.clusters import CONSOLE, add_spokes, cargo_of, until, worker_env
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.wheels import WheelIndex

pytestmark = pytest.mark.cluster

pytest.importorskip("pyspark", reason="pyspark is not installed: jstackmagic[spark]")
if shutil.which("java") is None:
    pytest.skip("there is no java", allow_module_level=True)


@pytest.fixture(scope="module")
def session(_session_environ: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    python = worker_env(folder / "python") / "bin/python"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", str(python))
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.chdir(folder)
        made = (
            SparkSession.builder.master("local-cluster[2,1,512]")
            .config("spark.ui.enabled", "false")
            .config("spark.local.dir", str(folder / "local"))
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.executor.memory", "512m")
            .config("spark.cores.max", "2")
            .getOrCreate()
        )
        made.sparkContext.setLogLevel("OFF")
        yield made
        made.stop()


@pytest.fixture(autouse=True)
def archives(
    session: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One folder of archives, as a session has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "spark-archives"))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "kernel")


def use(name: str, session: Any) -> list[Any]:
    """What tasks on the executors find."""

    def version(_: int) -> tuple[str, str | None]:
        import importlib

        place = os.path.basename(os.getcwd())
        try:
            return place, importlib.import_module(name).__version__
        except ModuleNotFoundError:
            return place, None

    version.__module__ = "__main__"
    found = session.sparkContext.parallelize(range(2), 2).barrier().mapPartitions(
        lambda part: map(version, part)
    )  # fmt: skip
    return sorted(found.collect())


def executors(session: Any) -> list[tuple[str, Path, int]]:
    """The executors: name, folder and process, which is the parent of its Pythons' parent."""

    def place(_: int) -> tuple[str, str, int]:
        with open(f"/proc/{os.getppid()}/stat", encoding="utf-8") as file:
            process = int(file.read().rpartition(")")[2].split()[1])
        return os.path.basename(os.getcwd()), os.getcwd(), process

    place.__module__ = "__main__"
    found = session.sparkContext.parallelize(range(2), 2).barrier().mapPartitions(
        lambda part: map(place, part)
    )  # fmt: skip
    return [(name, Path(folder), process) for name, folder, process in sorted(found.collect())]


def test_every_executor_gets_it(session: Any, kernel: Path, wheel_index: WheelIndex) -> None:
    wheel_index.add("widget", "1.2", requires=["gear"])
    wheel_index.add("gear", "3.0")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "widget")
    cluster, cargo = Executors(session.sparkContext), cargo_of(kernel)
    assert len(cluster.workers()) == 2
    assert use("widget", session) == [("0", None), ("1", None)]

    done = sync(cluster, cargo, CONSOLE)
    assert [row.failed for row in done.rows] == ["", ""]
    assert [row.words for row in done.rows] == [("in a folder on its path",)] * 2
    assert use("widget", session) == [("0", "1.2"), ("1", "1.2")]
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))

    # another version: no Python keeps the one that it had imported
    wheel_index.add("gear", "3.1")
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "gear==3.1")
    wheel_index.stop()
    cargo = cargo_of(kernel)
    assert not sync(cluster, cargo, CONSOLE).failed
    assert [version for _, version in use("gear", session)] == ["3.1", "3.1"]

    # one is changed: it is named, and put back
    name, folder, _ = executors(session)[0]
    (path,) = [p for p in folder.glob("jstackmagic-*/gear.py") if "3.1" in p.read_text()]
    path.write_text("evil = True\n")
    (found,) = differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    assert (found.worker.rpartition("/")[2], found.there) == (name, "changed: gear.py")
    again = replace(cargo, order={**cargo.order, "again": True})
    assert not sync(cluster, again, CONSOLE).failed
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))


def test_an_executor_that_hangs_holds_nobody_up(
    session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Executors(session.sparkContext)
    _, _, process = executors(session)[1]
    monkeypatch.setattr(clusters, "ANSWER", 8)
    session.sparkContext.addJobTag("the-user-s")
    os.kill(process, signal.SIGSTOP)
    try:
        assert cluster.call("store") == {cluster.name: Lost("it gave no answer in 8 seconds")}
    finally:
        os.kill(process, signal.SIGCONT)
    assert set(session.sparkContext.getJobTags()) == {"the-user-s"}
    monkeypatch.setattr(clusters, "ANSWER", 120)
    assert len(cluster.workers()) == 2


def test_an_executor_that_is_killed_in_the_middle_is_replaced_by_one_that_is_right(
    session: Any, kernel: Path, wheel_index: WheelIndex
) -> None:
    names = add_spokes(wheel_index)
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", *names)
    wheel_index.stop()
    cluster, cargo = Executors(session.sparkContext), cargo_of(kernel)
    before = executors(session)
    _, folder, process = before[1]

    def kill() -> None:
        there = set(folder.glob("jstackmagic-*"))
        until(lambda: set(folder.glob("jstackmagic-*")) - there)
        os.kill(process, signal.SIGKILL)

    with ThreadPoolExecutor(1) as threads:
        killed = threads.submit(kill)
        sync(cluster, cargo, CONSOLE)
        killed.result()
    until(lambda: len(cluster.workers()) == 2)
    after = {name for name, _, _ in executors(session)}
    assert len(after - {name for name, _, _ in before}) == 1
    assert [version for _, version in use("spoke00", session)] == ["1", "1"]
    assert not sync(cluster, cargo, CONSOLE).failed
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
