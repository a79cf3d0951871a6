"""How long does it take to know the environment?

    python benchmarks/detection.py [--packages N]

Lays a conda environment of 400 packages, whose records have the form and the size of conda's, and
times `detect()` on it: warm, and in a new process with every import it needs. Where a conda is in
reach, its own answer is timed beside it: `conda info --json`, which describes that process only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from jstackmagic.where.environment import detect

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_MS = 5.0
FILES_PER_PACKAGE = 60
FILES_OF_PYTHON = 2200


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--packages", type=int, default=400)
    packages = parser.parse_args().packages
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "conda")
        prefix = lay_environment(root, packages)
        size = sum(path.stat().st_size for path in prefix.glob("conda-meta/*.json"))
        print(f"{packages} packages, {size / 1e6:.1f} MB of records in conda-meta")
        warm = milliseconds(lambda: detect(prefix), repeat=50)
        report("detect(), warm", warm, warm)
        report("detect(), in a new process", in_new_process(prefix), warm)
        report("reading every record", milliseconds(lambda: read_all(prefix), repeat=3), warm)
    conda = os.environ.get("CONDA_EXE") or shutil.which("conda")
    if conda:
        command = [conda, "info", "--json"]
        report("conda info --json", milliseconds(lambda: run(command), repeat=3), warm)
    else:
        print("conda info --json           no conda in reach")
    print(f"target: {TARGET_MS:.0f} ms, {'met' if warm < TARGET_MS else 'MISSED'}")
    return 0 if warm < TARGET_MS else 1


def report(what: str, taken: float, unit: float) -> None:
    print(f"{what:<28}{taken:9.2f} ms{taken / unit:9.1f} x")


def milliseconds(work: Callable[[], object], *, repeat: int) -> float:
    """The median time that `work` takes, after one run that is not counted."""
    work()
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def in_new_process(prefix: Path) -> float:
    """The first call with all its imports, in a process that has what every kernel has."""
    code = (
        "import time, dataclasses, json, re, inspect, pathlib, typing\n"
        "started = time.perf_counter()\n"
        "from jstackmagic.where.environment import detect\n"
        f"detect({str(prefix)!r})\n"
        "print((time.perf_counter() - started) * 1000)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
        runs = [float(run([sys.executable, "-c", code], environ)) for _ in range(6)]
    return statistics.median(runs[1:])  # the first compiles


def run(command: list[str], environ: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return done.stdout


def read_all(prefix: Path) -> None:
    for path in prefix.glob("conda-meta/*.json"):
        json.loads(path.read_text())


def lay_environment(root: Path, packages: int) -> Path:
    """A root with a condarc as Miniforge brings it, and a named environment."""
    prefix = root / "envs" / "bench"
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").touch(mode=0o755)
    (prefix / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
    (root / "conda-meta").mkdir()
    (root / "conda-meta" / "history").touch()
    (root / "condabin").mkdir()
    (root / "condabin" / "conda").touch(mode=0o755)
    (root / ".condarc").write_text("channels:\n  - conda-forge\n")
    (prefix / "conda-meta" / "pinned").write_text("python 3.12.*\n")
    names = ["python", *(f"package-{number}" for number in range(packages - 1))]
    history = ["==> 2026-01-01 00:00:00 <==", "# cmd: conda create --name bench python"]
    for name in names:
        record = make_record(root, name, FILES_OF_PYTHON if name == "python" else FILES_PER_PACKAGE)
        stem = f"{name}-{record['version']}-{record['build']}"
        history.append(f"+conda-forge/linux-64::{stem}")
        text = json.dumps(record, indent=2, sort_keys=True)
        (prefix / "conda-meta" / f"{stem}.json").write_text(text)
    (prefix / "conda-meta" / "history").write_text("\n".join(history) + "\n")
    return prefix


def make_record(root: Path, name: str, count: int) -> dict[str, object]:
    """A record with the fields that conda writes."""
    version, build = "3.12.4", "h5ea8b6b_0_cpython"
    files = [f"lib/python3.12/site-packages/{name}/module_{number}.py" for number in range(count)]
    digest = "d3d4d8b5b2f04b0d9a8f6a4d1c1b7e6f5a4c3b2d1e0f9a8b7c6d5e4f3a2b1c0d"
    url = f"https://conda.example.com/conda-forge/linux-64/{name}-{version}-{build}.conda"
    source = str(root / "pkgs" / f"{name}-{version}-{build}")
    return {
        "arch": "x86_64",
        "build": build,
        "build_number": 0,
        "channel": "https://conda.example.com/conda-forge/linux-64",
        "constrains": [],
        "depends": ["libgcc-ng >=12", "libzlib >=1.3.1,<2.0a0", "ncurses >=6.5,<7.0a0"],
        "extracted_package_dir": source,
        "features": "",
        "files": files,
        "fn": f"{name}-{version}-{build}.conda",
        "license": "Python-2.0",
        "link": {"source": source, "type": 1},
        "md5": digest[:32],
        "name": name,
        "package_tarball_full_path": f"{source}.conda",
        "paths_data": {
            "paths": [
                {
                    "_path": path,
                    "path_type": "hardlink",
                    "sha256": digest,
                    "sha256_in_prefix": digest,
                    "size_in_bytes": 12345,
                }
                for path in files
            ],
            "paths_version": 1,
        },
        "platform": "linux",
        "requested_spec": name,
        "sha256": digest,
        "size": 31663253,
        "subdir": "linux-64",
        "timestamp": 1718450000000,
        "track_features": "",
        "url": url,
        "version": version,
    }


if __name__ == "__main__":
    sys.exit(main())
