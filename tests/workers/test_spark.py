"""A real Spark of two executors (local-cluster), whose Python has an environment of its own."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.workers.spark import Executors
from jstackmagic.workers.sync import compare, differences, sync
from support.clusters import CONSOLE, cargo_of, worker_env
from support.verbs import verb
from support.warm import warm_venv

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@pytest.fixture
def kernel(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return warm_venv(tmp_path_factory, tmp_path / "kernel")


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


def test_every_executor_gets_it_and_a_later_one_too(
    session: Any, kernel: Path, wheel_index: WheelIndex
) -> None:
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
    assert not sync(cluster, cargo_of(kernel), CONSOLE).failed
    assert [version for _, version in use("gear", session)] == ["3.1", "3.1"]
