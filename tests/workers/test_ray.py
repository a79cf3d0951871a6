"""A real Ray cluster: two nodes, each in an environment of its own, and a driver in a third."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jstackmagic.workers.ray import Nodes
from jstackmagic.workers.sync import compare, differences, sync
from support.clusters import CONSOLE, add_spokes, cargo_of, processes, site_of, until, worker_env
from support.environments import make_venv
from support.ports import free_ports
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.wheels import WheelIndex

pytestmark = pytest.mark.cluster

ray = pytest.importorskip("ray", reason="ray is not installed: jstackmagic[ray]")


@pytest.fixture(scope="module")
def prefixes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [worker_env(tmp_path_factory.mktemp("nodes") / name) for name in "ab"]


@pytest.fixture(scope="module")
def start(_session_environ: None, prefixes: list[Path]) -> Iterator[Callable[[Path], None]]:
    """Two nodes; starts one more in an environment."""
    program = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    quiet = ("--disable-usage-stats", "--num-cpus=1", "--block")
    # the path of a socket in it has at most 107 characters
    with tempfile.TemporaryDirectory(prefix="ray") as folder, processes() as started:

        def node(prefix: Path, *words: str) -> None:
            # a port that its agents chose would be waited for, and for 15 seconds at most
            agents = ("dashboard-agent-grpc", "runtime-env-agent", "metrics-export")
            ports = [f"--{a}-port={p}" for a, p in zip(agents, free_ports(3), strict=True)]
            started.start(prefix / "bin/python", "-c", program, "start", *words, *ports, *quiet)

        head = ("--head", "--port=0", "--include-dashboard=false", "--no-monitor")
        node(prefixes[0], *head, f"--temp-dir={folder}")
        note = Path(folder, "ray_current_cluster")  # written once it answers
        address = until(lambda: note.exists() and note.read_text().strip(), 120)
        node(prefixes[1], f"--address={address}")
        ray.init(address, log_to_driver=False, logging_level="ERROR")
        until(lambda: len(Nodes(ray).workers()) == 2, 90)
        yield lambda prefix: node(prefix, f"--address={address}")
        ray.shutdown()


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    return make_venv(tmp_path / "kernel")


def use(name: str) -> list[Any]:
    """What a task on each node finds, in a process of its own."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    def version(name: str) -> str | None:
        import importlib

        try:
            return importlib.import_module(name).__version__
        except ModuleNotFoundError:
            return None

    version.__module__ = "__main__"
    task = ray.remote(max_calls=1, num_cpus=0)(version)
    places = (NodeAffinitySchedulingStrategy(n, soft=False) for n in Nodes(ray).workers())
    asked = [task.options(scheduling_strategy=p).remote(name) for p in places]
    return list(ray.get(asked, timeout=60))


def test_every_node_gets_it_and_a_later_process_has_it(
    start: Callable[[Path], None],
    prefixes: list[Path],
    kernel: Path,
    wheel_index: WheelIndex,
    tmp_path: Path,
) -> None:
    wheel_index.add("widget", "1.2", requires=["gear"])
    wheel_index.add("gear", "3.0")
    wheel_index.add("gear", "3.1")
    verb(
        "install",
        "--prefix",
        kernel,
        "--index-url",
        wheel_index.url,
        "--pip",
        "widget",
        "gear==3.0",
    )
    assert use("widget") == [None] * 2

    cluster, cargo = Nodes(ray), cargo_of(kernel)
    done = sync(cluster, cargo, CONSOLE)
    assert [row.failed for row in done.rows] == [""] * 2
    assert use("widget") == ["1.2"] * 2

    (site_of(prefixes[1]) / "gear.py").write_text("evil = True\n")
    (found,) = differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    assert (found.name, found.there) == ("gear", "changed: gear.py")
    (site_of(prefixes[1]) / "gear.py").write_text('__version__ = "3.0"\n')

    start(worker_env(tmp_path / "later"))
    until(lambda: len(cluster.workers()) == 3, 90)
    until(lambda: use("gear") == ["3.0"] * 3, 90)
    assert sync(cluster, cargo, CONSOLE).changes == ()

    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", "gear==3.1")
    wheel_index.stop()
    done = sync(cluster, cargo_of(kernel), CONSOLE)
    words = "processes of the node that had imported it keep it until they end"
    assert [words in row.words for row in done.rows] == [True] * 3
    assert use("gear") == ["3.1"] * 3


def test_a_process_that_is_killed_in_the_middle_comes_back_right(
    start: Callable[[Path], None],
    prefixes: list[Path],
    kernel: Path,
    wheel_index: WheelIndex,
) -> None:
    names = add_spokes(wheel_index)
    verb("install", "--prefix", kernel, "--index-url", wheel_index.url, "--pip", *names)
    cluster, cargo = Nodes(ray), cargo_of(kernel)
    assert sys.prefix not in [f["prefix"] for f in cluster.call("look").values()]

    def kill() -> None:
        site = site_of(prefixes[1])
        until(lambda: list(site.glob("spoke*/5.py")))
        note = site.parents[2] / ".jstackmagic-workers.lock"
        os.kill(int(note.read_text().split()[1]), signal.SIGKILL)

    with ThreadPoolExecutor(1) as threads:
        killed = threads.submit(kill)
        done = sync(cluster, cargo, CONSOLE)
        killed.result()
    assert [row.failed for row in done.rows] == [""] * len(done.rows)
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))


def test_a_task_runs_in_the_environment_that_is_exported(
    start: Callable[[Path], None], kernel: Path, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    for version in ("1.2", "1.3"):
        wheel_index.add("sprocket", version, requires=["cog"])
    wheel_index.add("cog", "3.0")
    words = ("--index-url", wheel_index.url, "--pip", "sprocket==1.2")
    verb("install", "--prefix", kernel, *words)
    path = tmp_path / "runtime_env.yaml"
    verb("export", "ray", "--prefix", kernel, "-o", path)
    content = yaml.safe_load(path.read_text())
    content["env_vars"] = {"PIP_NO_INDEX": "0"}  # which the nodes of these tests have

    def found() -> tuple[str, ...]:
        import sys

        import cog
        import sprocket

        return sprocket.__version__, cog.__version__, sys.prefix

    found.__module__ = "__main__"
    task = ray.remote(num_cpus=0, runtime_env=content)(found)
    sprocket, cog, prefix = ray.get(task.remote(), timeout=240)
    assert (sprocket, cog) == ("1.2", "3.0")
    assert "runtime_resources" in prefix
    assert use("sprocket") == [None] * len(Nodes(ray).workers())  # in it alone
