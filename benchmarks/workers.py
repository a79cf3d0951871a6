"""%envsync against PipInstall and against restarting with a new image: 1, 4 and 16 workers.

    python benchmarks/workers.py [--workers 1 4 16] [--conda | --image]

The workers are of one host, each under a nanny in an environment of its own; ten wheels of 200 KB
are sent. PipInstall has a warm cache and an index on this machine. With --conda five conda packages
are sent instead, to conda environments, where py-rattler links them; there is no CondaInstall
beside it, which needs a conda. With --image a container engine builds an image of the wheels and
starts the workers from it; it is neither pushed nor pulled, and Dask is in the base. The bytes
through the scheduler are counted where it sends them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

import docker  # noqa: E402
from distributed import Client  # noqa: E402
from distributed.diagnostics.plugin import PipInstall  # noqa: E402
from docker.types import Mount  # noqa: E402

from jstackmagic.workers.dask import Dask  # noqa: E402
from jstackmagic.workers.sync import sync  # noqa: E402
from support import engine, stacks  # noqa: E402
from support.clusters import CONSOLE, SITE, cargo_of, processes, site_of, until  # noqa: E402
from support.environments import create_environment, make_venv  # noqa: E402
from support.tiers import shim  # noqa: E402
from support.verbs import verb  # noqa: E402
from support.wheels import WheelIndex  # noqa: E402

if TYPE_CHECKING:
    from jstackmagic.workers.cargo import Cargo
    from support.clusters import Processes

NAMES = tuple(f"package{number}" for number in range(10))


CONDA = ("demo-library", "demo-tool", "dnspython", "pymongo", "setuptools")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 16])
    parser.add_argument("--conda", action="store_true")
    parser.add_argument("--image", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, WheelIndex(Path(name, "index")) as index:
        folder = Path(name)
        os.environ |= {
            "JSTACKMAGIC_HISTORY": str(folder / "history.jsonl"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PIP_INDEX_URL": index.url,
            "PIP_CACHE_DIR": str(folder / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        if wanted.conda:
            kernel = make_conda(folder / "kernel")
            verb("install", "--prefix", kernel, "-c", shim().url, "--conda", *CONDA)
        else:
            kernel = make_venv(folder / "kernel")
            add_packages(index)
            verb("install", "--prefix", kernel, "--pip", *NAMES)
        begun = time.monotonic()
        cargo = cargo_of(kernel)
        size = f"{len(cargo.rows)} packages, {cargo.size / 1e6:.1f} MB"
        print(f"packing {size}: {since(begun):.2f} s, once")
        if wanted.image:
            with engine.engine() as client:
                base = stacks.image(client)
                print("workers  build  start  together")
                for count in wanted.workers:
                    from_image(count, folder / str(count), client, base, index.folder)
            return
        print("workers  %envsync  again  PipInstall  ratio  start  bytes/archives")
        for count in wanted.workers:
            measure(count, folder / str(count), cargo, conda=wanted.conda)


def add_packages(index: WheelIndex) -> None:
    for package in NAMES:
        noise = {f"{package}/part{n}.py": f"x = '{os.urandom(10_000).hex()}'\n" for n in range(10)}
        index.add(package, "1", modules={f"{package}/__init__.py": "", **noise})


def make_conda(prefix: Path) -> Path:
    channel = shim()
    return create_environment(
        prefix, "python", "pip", channels=[channel.url], packages=channel.packages
    )


def since(begun: float) -> float:
    return time.monotonic() - begun


def measure(count: int, folder: Path, cargo: Cargo, *, conda: bool) -> None:
    """One line of the table."""
    times = {"pip": float("nan")}
    make = make_conda if conda else make_venv
    for way in ("sync",) if conda else ("sync", "pip"):
        with ExitStack() as stack:
            started = stack.enter_context(processes())
            started.environ |= {
                name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_CACHE_DIR")
            }
            started.environ.pop("PIP_NO_INDEX")
            client = stack.enter_context(scheduler(started, folder / way))
            prefixes = [borrowing(make(folder / way / str(n))) for n in range(count)]
            begun = time.monotonic()
            for prefix in prefixes:
                command = (prefix / "bin/python", "-m", "distributed.cli.dask_worker")
                words = ("--nthreads", "1", "--no-dashboard", "--local-directory", prefix / "tmp")
                cache = {"XDG_CACHE_HOME": str(folder / way / "cache")}
                started.start(*command, client.scheduler.address, *words, **cache)
            client.wait_for_workers(count, timeout=300)
            times["start"] = since(begun)
            begun = time.monotonic()
            if way == "sync":
                done = sync(Dask(client), cargo, CONSOLE)
                assert not done.failed, done.failed
                times["sync"], begun = since(begun), time.monotonic()
                sync(Dask(client), cargo, CONSOLE)
                times["again"] = since(begun)
                times["bytes"] = Dask(client).sent() / cargo.size
            else:
                warm = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
                words = ["-d", str(folder / "warm"), *NAMES]
                subprocess.run([*warm, *words], check=True, stderr=subprocess.DEVNULL)
                begun = time.monotonic()
                client.register_plugin(PipInstall(list(NAMES), pip_options=["--quiet"]))
                times["pip"] = since(begun)
            found = client.run(importable, "dns.version" if conda else "package0.part1")
            assert set(found.values()) == {True}
    print(
        f"{count:7}  {times['sync']:6.2f} s  {times['again']:.2f} s  {times['pip']:8.2f} s  "
        f"{times['pip'] / times['sync']:5.1f}  {times['start']:7.2f} s  {times['bytes']:.2f}"
    )


def scheduler(started: Processes, folder: Path) -> Client:
    """A client of a scheduler in an environment of its own."""
    python, file = borrowing(make_venv(folder / "scheduler")) / "bin/python", folder / "address"
    words = ("--port", "0", "--no-dashboard", "--scheduler-file", file)
    started.start(python, "-m", "distributed.cli.dask_scheduler", *words)
    until(file.exists)
    return Client(scheduler_file=str(file))


def from_image(
    count: int, folder: Path, engine: docker.DockerClient, base: str, wheels: Path
) -> None:
    """One line of the table with a new image."""
    tag = f"jstackmagic-benchmark/workers:{os.getpid()}"
    with ExitStack() as stack:
        client = stack.enter_context(scheduler(stack.enter_context(processes()), folder))
        begun = time.monotonic()
        shutil.copytree(wheels, folder / "image/wheels")
        lines = f"FROM {base}", "COPY wheels /wheels", "RUN pip install --no-index /wheels/*.whl"
        (folder / "image/Dockerfile").write_text("\n".join((*lines, f"LABEL n={count}\n")))
        stacks.build(engine, tag, folder / "image")
        stack.callback(engine.images.remove, tag, force=True)
        built, begun = since(begun), time.monotonic()
        command = ("python", "-m", "distributed.cli.dask_worker", client.scheduler.address)
        for _ in range(count):
            container = engine.containers.run(
                tag,
                [*command, "--nthreads", "1", "--no-dashboard", "--local-directory", "/tmp"],
                mounts=[Mount(SITE, SITE, "bind", read_only=True)],
                environment={"PYTHONPATH": SITE},
                network_mode="host",
                detach=True,
            )
            stack.callback(container.remove, force=True)
        client.wait_for_workers(count, timeout=300)
        started = since(begun)
        assert set(client.run(importable, "package0.part1").values()) == {True}
    print(f"{count:7}  {built:5.1f} s  {started:5.1f} s  {built + started:5.1f} s", flush=True)


def importable(name: str) -> bool:
    import importlib

    return bool(importlib.import_module(name))


def borrowing(prefix: Path) -> Path:
    """An environment with the libraries of this one."""
    (site_of(prefix) / "zz-borrowed.pth").write_text(f"{SITE}\n")
    return prefix


if __name__ == "__main__":
    main()
