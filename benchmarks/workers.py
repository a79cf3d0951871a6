"""%envsync against PipInstall and against restarting with a new image: 1, 4 and 16 workers.

    python benchmarks/workers.py [--workers 1 4 16]

The workers are of one host, each under a nanny in an environment of its own; ten wheels of 200 KB
are sent, and with --conda five conda packages. PipInstall has a warm cache and an index on this
machine. The bytes through the scheduler are counted where it sends them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))

from distributed import Client  # noqa: E402
from distributed.diagnostics.plugin import PipInstall  # noqa: E402

from jstackmagic.workers.dask import Dask  # noqa: E402
from jstackmagic.workers.sync import sync  # noqa: E402
from support.clusters import CONSOLE, cargo_of, processes, until  # noqa: E402
from support.environments import make_venv  # noqa: E402
from support.verbs import verb  # noqa: E402
from support.wheels import WheelIndex  # noqa: E402

if TYPE_CHECKING:
    from jstackmagic.workers.cargo import Cargo

NAMES = tuple(f"package{number}" for number in range(10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 4, 16])
    counts = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as name, WheelIndex(Path(name, "index")) as index:
        folder = Path(name)
        os.environ |= {
            "JSTACKMAGIC_HISTORY": str(folder / "history.jsonl"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PIP_INDEX_URL": index.url,
            "PIP_CACHE_DIR": str(folder / "pip"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        for package in NAMES:
            noise = {
                f"{package}/part{n}.py": f"x = '{os.urandom(10_000).hex()}'\n" for n in range(10)
            }
            index.add(package, "1", modules={f"{package}/__init__.py": "", **noise})
        kernel = make_venv(folder / "kernel")
        verb("install", "--prefix", kernel, "--pip", *NAMES)
        begun = time.monotonic()
        cargo = cargo_of(kernel)
        print(f"packing {len(NAMES)} wheels, {cargo.size / 1e6:.1f} MB: {since(begun):.2f} s, once")
        print("workers  %envsync  again  PipInstall  ratio  new image  bytes/archives")
        for count in counts:
            measure(count, folder / str(count), cargo)


def since(begun: float) -> float:
    return time.monotonic() - begun


def measure(count: int, folder: Path, cargo: Cargo) -> None:
    """One line of the table."""
    times = {}
    for way in ("sync", "pip"):
        with ExitStack() as stack:
            started = stack.enter_context(processes())
            started.environ |= {
                name: os.environ[name] for name in ("PIP_INDEX_URL", "PIP_CACHE_DIR")
            }
            started.environ.pop("PIP_NO_INDEX")
            scheduler, file = borrowing(folder / way / "scheduler"), folder / way / "address.json"
            words = ("--port", "0", "--no-dashboard", "--scheduler-file", file)
            started.start(scheduler / "bin/python", "-m", "distributed.cli.dask_scheduler", *words)
            until(file.exists)
            client = stack.enter_context(Client(scheduler_file=str(file)))
            prefixes = [borrowing(folder / way / str(number)) for number in range(count)]
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
            found = client.run(lambda: __import__("package0.part1").__name__)
            assert set(found.values()) == {"package0"}
    print(
        f"{count:7}  {times['sync']:6.2f} s  {times['again']:.2f} s  {times['pip']:8.2f} s  "
        f"{times['pip'] / times['sync']:5.1f}  {times['start']:7.2f} s  {times['bytes']:.2f}"
    )


def borrowing(prefix: Path) -> Path:
    """An environment with pip, and the libraries of this one."""
    from support.clusters import SITE, site_of

    make_venv(prefix)
    (site_of(prefix) / "zz-borrowed.pth").write_text(f"{SITE}\n")
    return prefix


if __name__ == "__main__":
    main()
