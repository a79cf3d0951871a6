"""A real Dask cluster: three workers under nannies, each in an environment of its own."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.display.console import PlainConsole
from jstackmagic.export import get
from jstackmagic.model.errors import UsageError
from jstackmagic.model.recipe import Item
from jstackmagic.model.record import Context
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.workers.cluster import find
from jstackmagic.workers.dask import Dask
from jstackmagic.workers.sync import compare, differences, on_record, sync, take_back
from strategies import VENV
from support.clusters import (
    CONSOLE,
    DASK,
    SITE,
    add_spokes,
    cargo_of,
    processes,
    site_of,
    until,
    worker_env,
)
from support.environments import PYTHON, make_venv
from support.exports import one
from support.kernels import clean_environ
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from distributed import Client

    from support.clusters import Processes
    from support.wheels import WheelIndex

pytestmark = pytest.mark.cluster

SOURCES = Path(__file__).resolve().parents[2] / "src"


@pytest.fixture(scope="module")
def started() -> Iterator[Processes]:
    with processes() as made:
        yield made


@contextmanager
def no_workers() -> Iterator[Client]:
    """A client of a scheduler that has no workers yet."""
    import dask.config  # for these tests alone
    from distributed import Client, LocalCluster

    with (
        dask.config.set(DASK),
        LocalCluster(
            n_workers=0, processes=False, dashboard_address=None, protocol="tcp"
        ) as cluster,
        Client(cluster) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def client(_session_environ: None) -> Iterator[Client]:
    with no_workers() as made:
        yield made


@pytest.fixture(scope="module")
def prefixes(
    client: Client, started: Processes, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The environments of three workers, which run."""
    made = [worker_env(tmp_path_factory.mktemp("workers") / name) for name in "abc"]
    for prefix in made:
        start(started, client, prefix)
    client.wait_for_workers(3, timeout=150)
    return made


def start(started: Processes, client: Client, prefix: Path, **variables: str) -> None:
    command = (prefix / "bin/python", "-m", "distributed.cli.dask_worker")
    address = client.scheduler.address
    words = ("--nthreads", "1", "--no-dashboard", "--local-directory", prefix / "tmp")
    started.start(*command, address, *words, **variables)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """The kernel's environment."""
    return make_venv(tmp_path / "kernel")


def install(kernel: Path, index: WheelIndex, *specs: str) -> None:
    verb("install", "--prefix", kernel, "--index-url", index.url, "--pip", *specs)


def use(name: str, client: Client) -> list[Any]:
    """What a task on each worker finds."""

    def version() -> Any:
        import importlib

        try:
            return importlib.import_module(name).__version__
        except ModuleNotFoundError:
            return None

    workers = list(client.nthreads())
    return client.gather([client.submit(version, workers=[w], pure=False) for w in workers])


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

    before = cluster.workers()
    start(started, client, worker_env(tmp_path / "later"))
    client.wait_for_workers(4, timeout=150)
    assert use("gear", client) == ["3.0"] * 4
    assert sync(cluster, cargo, CONSOLE).changes == ()
    client.retire_workers([name for name in cluster.workers() if name not in before])
    until(lambda: len(cluster.workers()) == 3)


def test_a_changed_worker_is_named_and_put_back(
    client: Client, prefixes: list[Path], kernel: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("cog", "1")
    install(kernel, wheel_index, "cog")
    cluster, cargo = Dask(client), cargo_of(kernel)
    sync(cluster, cargo, CONSOLE)
    (site_of(prefixes[1]) / "cog.py").write_text("evil = True\n")

    (found,) = differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    places = {row.worker: row.facts["prefix"] for row in compare(cluster, cargo)}
    assert (places[found.worker], found.there) == (str(prefixes[1]), "changed: cog.py")

    again = replace(cargo, order={**cargo.order, "again": True})
    done = sync(cluster, again, CONSOLE)
    assert [bool(row.brought) for row in done.rows].count(True) == 1
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))


def test_what_was_imported_is_restarted_and_an_undo_brings_back_what_was_there(
    client: Client, prefixes: list[Path], kernel: Path, wheel_index: WheelIndex
) -> None:
    for version in ("1", "2"):
        wheel_index.add("wheelie", version)
    install(kernel, wheel_index, "wheelie==1")
    cluster = Dask(client)
    sync(cluster, cargo_of(kernel), CONSOLE)
    assert use("wheelie", client) == ["1"] * 3

    install(kernel, wheel_index, "wheelie==2")
    history = Session().history
    synced, record = on_record(
        cluster, cargo_of(kernel), CONSOLE, history, Context(), detect(kernel).ref, "%envsync"
    )
    assert all("restarted (wheelie was imported)" in row.words for row in synced.rows)
    until(lambda: len(cluster.workers()) == 3)
    assert use("wheelie", client) == ["2"] * 3

    assert record is not None
    assert record.context.cluster == f"dask {client.scheduler.address}"
    (read,) = history.get(record.id)
    assert [swap.old for on in read.outcome.workers for swap in on.swaps] == ["1"] * 3
    assert list(take_back(cluster, read, CONSOLE, cargo_of(kernel))) == []
    until(lambda: len(cluster.workers()) == 3)
    assert use("wheelie", client) == ["1"] * 3


def test_a_worker_that_is_killed_in_the_middle_comes_back_right(
    client: Client, prefixes: list[Path], kernel: Path, wheel_index: WheelIndex
) -> None:
    names = add_spokes(wheel_index)
    install(kernel, wheel_index, *names)
    cluster, cargo = Dask(client), cargo_of(kernel)
    victim = next(f for f in cluster.call("look").values() if f["prefix"] == str(prefixes[2]))

    def kill() -> None:
        until(lambda: list(site_of(prefixes[2]).glob("spoke*/5.py")))
        os.kill(victim["pid"], signal.SIGKILL)

    with ThreadPoolExecutor(1) as threads:
        killed = threads.submit(kill)
        done = sync(cluster, cargo, CONSOLE)
        killed.result()
    assert [row.failed for row in done.rows] == [""] * 3
    assert victim["pid"] not in [row.facts["pid"] for row in done.rows]
    assert not differences(cargo.order, {"packages": {}}, compare(cluster, cargo))


def test_a_heartbeat_while_it_goes_does_not_keep_a_worker_from_coming_back(
    client: Client, prefixes: list[Path]
) -> None:
    def beat_once_gone(dask_worker: Any) -> None:
        retire = dask_worker.scheduler.retire_workers

        async def retire_and_beat(**how: Any) -> Any:
            found = await retire(**how)
            await dask_worker.heartbeat()  # the scheduler knows it no more
            return found

        dask_worker.scheduler.retire_workers = retire_and_beat

    cluster = Dask(client)
    one, *others = sorted(until(lambda: len(now := cluster.workers()) == 3 and now))
    client.run(beat_once_gone, workers=[one])
    assert cluster.restart([one]) == {}
    until(lambda: len(cluster.workers()) == 3)
    assert set(others) < {*cluster.workers()} - {one}


def test_only_the_worker_that_imported_it_is_restarted_and_after_its_tasks(
    client: Client, prefixes: list[Path], kernel: Path, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    for version in ("1", "2"):
        wheel_index.add("crank", version)
    install(kernel, wheel_index, "crank==1")
    cluster = Dask(client)
    sync(cluster, cargo_of(kernel), CONSOLE)
    before = {f["prefix"]: (name, f["pid"]) for name, f in cluster.call("look").items()}

    def work(begun: str, end: str) -> Any:
        import pathlib
        import time

        import crank

        pathlib.Path(begun).touch()
        for _ in range(2000):
            if pathlib.Path(end).exists():
                break
            time.sleep(0.02)
        return crank.__version__

    begun, end = tmp_path / "begun", tmp_path / "end"
    busy, _ = before[str(prefixes[0])]
    task = client.submit(work, str(begun), str(end), workers=[busy], pure=False)
    until(begun.exists)
    install(kernel, wheel_index, "crank==2")
    cargo = cargo_of(kernel)
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(sync, cluster, cargo, CONSOLE)
        until(lambda: list(site_of(prefixes[0]).glob("crank-2.dist-info/RECORD")))
        end.touch()
        rows = done.result().rows
    assert task.result() == "1"
    restarted = [row.worker for row in rows if "restarted (crank was imported)" in row.words]
    assert restarted == [busy]
    until(lambda: len(cluster.workers()) == 3)
    after = {f["prefix"]: f["pid"] for f in cluster.call("look").values()}
    moved = [prefix for prefix, (_, pid) in before.items() if after[prefix] != pid]
    assert moved == [str(prefixes[0])]
    assert use("crank", client) == ["2"] * 3


def other_python() -> str:
    """A Python of another minor version that can run here."""
    found = [shutil.which(f"python3.{minor}") for minor in range(10, 15)]
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # $HOME is the test's own
    found += map(str, home.glob(".pyenv/versions/3.1[0-9].*/bin/python"))
    for python in filter(None, found):
        code = f"import sys, venv; sys.path.append({SITE!r}); import distributed; "
        words = [python, "-c", f"{code}print(*sys.version_info[:2], sep='.')"]
        asked = subprocess.run(words, capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.strip() != PYTHON.removeprefix("python"):
            return python
    pytest.skip("there is no other Python 3 here")


def test_a_worker_of_another_minor_python_gets_pure_wheels_and_that_is_said_first(
    client: Client,
    prefixes: list[Path],
    started: Processes,
    kernel: Path,
    wheel_index: WheelIndex,
    tmp_path: Path,
) -> None:
    prefix = tmp_path / "other"
    subprocess.run([other_python(), "-m", "venv", "--without-pip", prefix], check=True)
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "zz-borrowed.pth").write_text(f"{SITE}\n")
    wheel_index.add("plain", "1")
    abi = f"cp{PYTHON.removeprefix('python').replace('.', '')}"
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    wheel_index.add("native", "1", tag=f"{abi}-{abi}-{platform}")
    wheel_index.add("modern", "1", requires_python=f"=={PYTHON.removeprefix('python')}.*")
    install(kernel, wheel_index, "plain", "native", "modern")
    cluster, cargo = Dask(client), cargo_of(kernel)
    before = cluster.workers()
    start(started, client, prefix)
    client.wait_for_workers(4, timeout=150)
    (other,) = set(cluster.workers()) - set(before)
    said: list[tuple[str, int]] = []
    sent = cluster.sent()
    done = sync(cluster, cargo, PlainConsole(lambda text: said.append((text, cluster.sent()))))
    words, then = said[0]
    assert (words.count("they get pure wheels alone"), then) == (1, sent)
    (row,) = [row for row in done.rows if row.worker == other]
    assert row.brought == (("plain", "", "1"),)
    assert "native: it is built for Python" in row.failed
    assert "modern: it is not for Python" in row.failed
    found = differences(cargo.order, {"packages": {}}, compare(cluster, cargo))
    assert {(each.worker, each.name) for each in found} == {
        (other, name) for name in ("python", "native", "modern")
    }
    client.retire_workers([other])
    until(lambda: len(cluster.workers()) == 3)


def test_a_scheduler_that_was_restarted_is_told_again(
    started: Processes, kernel: Path, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    wheel_index.add("gauge", "1")
    install(kernel, wheel_index, "gauge")
    cargo = cargo_of(kernel)
    import distributed

    file = tmp_path / "scheduler.json"

    def scheduler(port: str = "0") -> subprocess.Popen[bytes]:
        words = ("--port", port, "--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", file)
        return started.start(sys.executable, "-m", "distributed.cli.dask_scheduler", *words)

    first = scheduler()
    until(file.exists)
    with distributed.Client(scheduler_file=str(file)) as client:
        start(started, client, worker_env(tmp_path / "one"))
        client.wait_for_workers(1, timeout=150)
        assert not sync(Dask(client), cargo, CONSOLE).failed
        address = client.scheduler.address
        first.kill()
        until(lambda: client.status != "running")
        with pytest.raises(UsageError, match="connected to no cluster"):
            find("", {"client": client})
        scheduler(address.rpartition(":")[2])
        until(lambda: client.status == "running")
        sync(Dask(client), cargo, CONSOLE)
        start(started, client, worker_env(tmp_path / "two"))
        until(lambda: "1" in use("gauge", client))
        assert set(use("gauge", client)) == {"1"}


def test_the_exported_plugins_install_on_a_worker(
    started: Processes,
    wheel_index: WheelIndex,
    tmp_path: Path,
) -> None:
    wheel_index.add("lever", "1.5")
    sources = Sources(index_url=wheel_index.url)
    recipe = one("pip", Item("lever", "lever", "1.5"), environment=VENV, sources=sources)
    names: dict[str, Any] = {}
    exec(get("dask").render(recipe).text, names)
    prefix = make_venv(tmp_path / "worker")
    (site_of(prefix) / "zz-borrowed.pth").write_text(f"{SITE}\n")
    with no_workers() as client:
        start(started, client, prefix, PIP_NO_INDEX="0")
        client.wait_for_workers(1, timeout=150)
        for plugin in names["PLUGINS"]:
            client.register_plugin(plugin)
        assert use("lever", client) == ["1.5"]


def test_a_worker_that_hangs_is_named_and_the_others_get_it(
    client: Client,
    prefixes: list[Path],
    kernel: Path,
    wheel_index: WheelIndex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel_index.add("ratchet", "1")
    install(kernel, wheel_index, "ratchet")
    cluster, cargo = Dask(client), cargo_of(kernel)
    name, facts = next(iter(cluster.call("look").items()))
    monkeypatch.setattr("jstackmagic.workers.cluster.ANSWER", 15.0)
    os.kill(facts["pid"], signal.SIGSTOP)
    try:
        rows = sync(cluster, cargo, CONSOLE).rows
    finally:
        os.kill(facts["pid"], signal.SIGCONT)
    assert {row.worker: row.failed for row in rows if row.failed} == {
        name: "it gave no answer in 15 seconds"
    }
    assert [row.brought for row in rows].count((("ratchet", "", "1"),)) == 2
    monkeypatch.undo()
    assert not sync(cluster, cargo, CONSOLE).failed


# From a notebook

KERNEL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
shell = InteractiveShell.instance(colors="NoColor")
for line in sys.stdin:
    with capture_output() as shown:
        done = shell.run_cell(json.loads(line))
    failed = done.error_before_exec or done.error_in_exec
    words = [str(getattr(failed, name, "")) for name in ("problem", "kept", "advice")]
    kind = type(failed).__name__ if failed else ""
    print(json.dumps([kind, (shown.stdout + " ".join(words)).strip()]), flush=True)
"""


@pytest.fixture
def run(client: Client, kernel: Path, started: Processes) -> Callable[[str], tuple[str, str]]:
    """Runs a cell in a kernel that is connected as `client`; gives its error and what it shows."""
    (site_of(kernel) / "zz-borrowed.pth").write_text(f"{SITE}\n{SOURCES}\n")
    process = subprocess.Popen(
        [kernel / "bin/python", "-c", KERNEL],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=clean_environ(),
        text=True,
        start_new_session=True,
    )
    started.started.append(process)  # type: ignore[arg-type]

    def cell(source: str) -> tuple[str, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(source) + "\n")
        process.stdin.flush()
        error, shown = json.loads(process.stdout.readline())
        return error, shown

    begin = "%load_ext jstackmagic\nfrom distributed import Client\nclient = Client"
    assert cell(f"{begin}({client.scheduler.address!r})") == ("", "")
    return cell


def test_here_and_there_is_one_transaction(
    run: Callable[[str], tuple[str, str]],
    client: Client,
    prefixes: list[Path],
    kernel: Path,
    wheel_index: WheelIndex,
) -> None:
    """A worker's administrator forbids it; another worker's environment is read-only."""
    wheel_index.add("sprocket", "1")
    sites = [site_of(prefix) for prefix in (kernel, *prefixes)]
    config = prefixes[2] / "etc/ipython/ipython_config.py"
    frozen = prefixes[1] / "conda-meta/frozen"
    for path in (config, frozen):
        path.parent.mkdir(parents=True)
    config.write_text("c.JStackMagic.deny = ['sprocket']\n")
    line = f"%envinstall --workers --index-url {wheel_index.url} pip:sprocket"

    error, shown = run(line)
    assert error == "CommandFailed"
    named = re.findall(r"(tcp://[\d.:]+): sprocket: the administrator there forbids it", shown)
    facts = Dask(client).call("look")
    assert {facts[name]["prefix"] for name in named} == {str(prefixes[2])}
    assert "Taken back, here and on the workers." in shown
    assert use("sprocket", client) == [None] * 3
    assert not [site for site in sites if (site / "sprocket.py").exists()]

    error, shown = run(f"{line} --keep-going")
    assert (error, "Done here, and left so." in shown) == ("CommandFailed", True)
    assert sorted(map(str, use("sprocket", client))) == ["1", "1", "None"]
    error, shown = run("%envundo")
    assert (error, use("sprocket", client)) == ("", [None] * 3)

    config.unlink()
    frozen.touch()
    error, shown = run(line)
    assert (error, use("sprocket", client)) == ("", ["1"] * 3)
    folder = next(f["folder"] for f in Dask(client).call("look").values() if f["folder"])
    assert f"its environment is read-only: in {folder}" in " ".join(shown.split())
    assert not (sites[2] / "sprocket.py").exists()

    error, shown = run("%envremove --workers sprocket")
    assert (error, use("sprocket", client)) == ("", [None] * 3)
    error, shown = run("%envundo")
    assert (error, use("sprocket", client)) == ("", ["1"] * 3)
    undo = Session().history.records()[-1].transaction
    error, shown = run(f"%envundo {undo}")  # sprocket is away again here
    assert (error, "have it again with: %envsync" in shown) == ("", True)
    frozen.unlink()
    frozen.parent.rmdir()

    error, shown = run("client.close()\n%envsync client")
    assert (error, "This is not a connected cluster: client" in shown) == ("UsageError", True)


def test_the_workers_of_a_local_cluster_have_this_environment_and_are_restarted_for_it(
    run: Callable[[str], tuple[str, str]], wheel_index: WheelIndex
) -> None:
    # of two lengths: to Python, bytecode of a source of the same size and second is current
    for version in ("1", "2.0"):
        wheel_index.add("pulley", version)
    run(
        "client.close()\n"
        "from distributed import LocalCluster\n"
        "local = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)\n"
        "client = Client(local)\n"
        "def version():\n    import pulley\n    return pulley.__version__\n"
        "def ask():\n"
        "    names = client.nthreads()\n"
        "    tasks = [client.submit(version, workers=[n], pure=False) for n in names]\n"
        "    print(client.gather(tasks))\n"
    )
    assert run(f"%envinstall --index-url {wheel_index.url} pip:pulley==1")[0] == ""
    error, shown = run("%envsync")
    same = re.findall(r"\bsame\s*$", shown, re.MULTILINE)
    assert (error, len(same), run("ask()")) == ("", 2, ("", "['1', '1']"))
    line = f"%envinstall --workers --index-url {wheel_index.url} pip:pulley==2.0"
    error, shown = run(line)
    assert (error, shown.count("restarted (pulley was imported)")) == ("", 2)
    assert run("client.wait_for_workers(2, timeout=150)\nask()") == ("", "['2.0', '2.0']")
    assert run("local.close()")[0] == ""
