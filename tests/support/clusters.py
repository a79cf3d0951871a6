"""Workers in environments of their own, and a kernel's environment with something to send."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from jstackmagic.display.console import quiet
from jstackmagic.model.policy import Policy
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.workers.cargo import Cargo, archive_row, load
from jstackmagic.workers.worker import fingerprint, source

from .environments import PYTHON, make_venv
from .kernels import clean_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .wheels import WheelIndex

SITE = sysconfig.get_paths()["purelib"]
"""Where the tests' own libraries are, which the workers' environments borrow."""

CONSOLE = quiet()

DASK = {
    # on a busy machine a worker takes longer to start than Dask waits, and is given up
    "distributed.comm.timeouts.connect": "120s",
    "distributed.comm.timeouts.tcp": "120s",
    # each process looks a hundred times a second at what it does, and fifty whether it lags
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
}
"""Dask's settings, of the clusters' processes and of ours."""


def add_spokes(index: WheelIndex) -> list[str]:
    """Add packages that take long enough to install that a worker is killed in the middle."""
    names = [f"spoke{number:02}" for number in range(40)]
    for name in names:
        modules = {f"{name}/{part}.py": f"x = {part}\n" * 50 for part in range(10)}
        index.add(name, "1", modules={f"{name}/__init__.py": "__version__ = '1'\n", **modules})
    return names


def worker_env(folder: Path) -> Path:
    """A virtual environment that has the clusters' libraries, and nothing of its own."""
    make_venv(folder, pip=False)
    (folder / f"lib/{PYTHON}/site-packages/zz-borrowed.pth").write_text(f"{SITE}\n")
    return folder


def site_of(prefix: Path) -> Path:
    """The library folder of a virtual environment."""
    return prefix / f"lib/{PYTHON}/site-packages"


def cargo_of(prefix: Path, **more: Any) -> Cargo:
    """What the history says of an environment."""
    return load(Session().history, detect(prefix), Policy(), **more)


@dataclass
class Processes:
    """Programs that are ended when a test is done."""

    environ: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str | Path, **variables: str) -> subprocess.Popen[bytes]:
        """Starts a program whose output goes to the log of the test."""
        process = subprocess.Popen(
            [str(word) for word in command],
            env={**self.environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if os.environ.get("SHOW_WORKERS") else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if os.environ.get("SHOW_WORKERS") else subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started.append(process)
        return process


@contextmanager
def processes() -> Iterator[Processes]:
    """Programs with no index to go to; each is ended with all that it started."""
    nowhere = {"PIP_NO_INDEX": "1", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}
    dask = {f"DASK_{name.replace('.', '__').upper()}": str(value) for name, value in DASK.items()}
    made = Processes(clean_environ(**nowhere, **dask))
    try:
        yield made
    finally:
        for process in made.started:  # all at once: some take their time
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in made.started:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and its children, which are its session."""
    for number in (15, 9):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
    process.wait(60)


def until(is_so: Callable[[], Any], seconds: float = 120) -> Any:
    """Waits until something is so, and returns it."""
    end = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
    return found


def row_of(wheel: Path) -> dict[str, Any]:
    """The row of a wheel on disk, as it is."""
    name, version, _, tags = parse_wheel_filename(wheel.name)
    with zipfile.ZipFile(wheel) as archive:
        record = next(each for each in archive.namelist() if each.endswith(".dist-info/RECORD"))
        rows = [row for row in csv.reader(archive.read(record).decode().splitlines()) if row]
    return {
        **archive_row(wheel),
        "name": str(name),
        "version": str(version),
        "print": fingerprint(rows),
        "pure": all(tag.platform == "any" and tag.abi == "none" for tag in tags),
    }


def there(prefix: Path, function: str, *args: Any, **variables: str) -> Any:
    """Calls a function of the worker's side in an environment that has nothing of ours."""
    code = (
        "import json, sys; source, name, args = json.load(sys.stdin); names = {'__name__': 'w'}; "
        "exec(source, names); print(json.dumps(names[name](*args)))"
    )
    done = subprocess.run(
        [prefix / "bin/python", "-c", code],
        input=json.dumps([source(), function, args]),
        env={**os.environ, **variables},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
