"""conda's packages, linked as they are."""

from __future__ import annotations

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any

from .facts import Plain, conda_records, store
from .rows import is_kept, not_kept, path_of


def link(rows: list[Plain], unlink: list[str], facts: Plain) -> list[list[Any]]:
    """Have conda's own tool, or py-rattler, put packages in as they are, and take others out."""
    if not rows and not unlink:
        return []
    for row in rows:
        if not is_kept(row):
            raise ValueError(not_kept(row))
    bins = [os.path.join(sys.prefix, *up, "bin") for up in ((), ("..", ".."))]
    places = os.pathsep.join([*bins, os.environ.get("PATH", "")])
    found = (shutil.which(name, path=places) for name in ("mamba", "conda", "micromamba"))
    tool = os.environ.get("CONDA_EXE") or next(filter(None, found), None)
    if tool:
        common = ["--yes", "--offline", "--prefix", sys.prefix]
        if unlink:
            _run([tool, "remove", "--force", *common, *unlink])
        if rows:
            _run([tool, "install", "--no-deps", *common, *map(path_of, rows)])
    else:
        _link_with_rattler(rows, unlink)
    now, then = conda_records(), facts["conda"]
    for row in rows:
        if now.get(row["name"]) != [row["version"], row["build"]]:
            raise ValueError(f"{row['name']} is not there after it was linked")
    came = [[r["name"], then.get(r["name"], [""])[0], r["version"], None] for r in rows]
    return [*came, *([name, then[name][0], "", None] for name in unlink)]


def _run(command: list[str]) -> None:
    asked = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if asked.returncode != 0:
        raise ValueError((asked.stderr or asked.stdout).strip()[-500:])


def _link_with_rattler(rows: list[Plain], unlink: list[str]) -> None:
    try:
        import rattler
    except ImportError:
        raise ValueError("there is neither conda nor py-rattler to link conda's packages") from None
    import asyncio
    from pathlib import Path

    goes = {row["name"] for row in rows} | set(unlink)
    paths = glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", "*-*-*.json"))
    there = [rattler.PrefixRecord.from_path(Path(path)) for path in paths]
    with tempfile.TemporaryDirectory(dir=store()) as scratch:
        new = []
        for row in rows:
            url = Path(path_of(row)).as_uri()
            record = {**row["record"], "url": url, "fn": row["file"], "files": []}
            record["paths_data"] = {"paths_version": 1, "paths": []}
            path = Path(scratch, f"{row['sha256']}.json")
            path.write_text(json.dumps(record))
            new.append(rattler.PrefixRecord.from_path(path))

        async def work() -> None:  # rattler wants a running loop already when it is called
            await rattler.install(
                [*(r for r in there if r.name.normalized not in goes), *new],
                target_prefix=sys.prefix,
                installed_packages=there,
                cache_dir=Path(scratch, "cache"),
                show_progress=False,
            )

        tag = Path(sys.prefix, "CACHEDIR.TAG")  # rattler's: backups would leave the prefix out
        tagged = tag.exists()
        asyncio.run(work())
        if not tagged:
            tag.unlink(missing_ok=True)
