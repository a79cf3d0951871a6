"""Wheels: installed, removed, and made again of what is installed."""

from __future__ import annotations

import base64
import contextlib
import csv
import glob
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from .facts import Plain, check, fingerprint, is_content, normal, read, read_text, rows_of, store
from .rows import is_kept, is_plain, keep, not_kept, path_of, write

_SCRIPT = """
import sys
from {} import {}
if __name__ == "__main__":
    sys.exit({}())
"""


def put(row: Plain, order: Plain, facts: Plain) -> list[Any]:
    """Install a wheel in place of what is there; return the change."""
    path = _fetch(row) if order["via"] == "index" else path_of(row)
    if order["via"] != "index" and not is_kept(row):
        raise ValueError(not_kept(row))
    here = facts["packages"].get(row["name"])
    place = os.path.realpath(facts["folder"] or sys.prefix) + os.sep
    # what lies elsewhere on the path, as in a base environment, is hidden and not touched
    mine = here is not None and os.path.realpath(here["info"]).startswith(place)
    if mine and here["owner"] == "conda":
        raise ValueError(f"{row['name']} is conda's there, and is not overwritten")
    change = take_out(row["name"], facts) if mine else [row["name"], "", "", None]
    _unpack(path, row, facts["folder"])
    return [row["name"], here["version"] if here else "", row["version"], change[3]]


def take_out(name: str, facts: Plain) -> list[Any]:
    """Remove a distribution, keeping what brings it back; return the change."""
    here = facts["packages"][name]
    info = here["info"]
    place = os.path.join(os.path.realpath(facts["folder"] or sys.prefix), "")
    if not os.path.realpath(info).startswith(place):
        raise ValueError(f"{name} is in {os.path.dirname(info)}, which cannot be changed")
    rows = rows_of(info)
    ours = here["owner"] == "jstackmagic" or not os.path.exists(os.path.join(info, "METADATA"))
    if not rows and ours:  # it was cut off while it was installed: the metadata comes last
        shutil.rmtree(info)
        return [name, "", "", None]
    if not rows:
        raise ValueError(f"{name} has no list of its files there, and cannot be replaced")
    try:
        back = pack(info)
    except (OSError, ValueError):
        back = None  # it was changed, or half removed before
    # another build from now on: what is cut off here is no whole one for whoever looks
    going = [*rows, [f"{os.path.basename(info)}/going", "sha256=", ""]]
    write(os.path.join(info, "RECORD"), _listing(going))
    site, folders = os.path.dirname(info), set()
    own = [row[0] for row in rows if row[0].startswith(os.path.basename(info) + "/")]
    for file in [row[0] for row in rows if row[0] not in own] + sorted(own, key=_last):
        path = os.path.normpath(os.path.join(site, file))
        if not os.path.join(os.path.realpath(os.path.dirname(path)), "").startswith(place):
            continue
        compiled = os.path.join(os.path.dirname(path), "__pycache__", os.path.basename(path)[:-3])
        for each in (path, *glob.glob(glob.escape(compiled) + ".*.pyc")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(each)
        folders.add(os.path.dirname(path))
    for path in sorted(folders, key=len, reverse=True):
        with contextlib.suppress(OSError):
            while path.startswith(site + os.sep):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(path, "__pycache__"))
                os.rmdir(path)
                path = os.path.dirname(path)
    return [name, here["version"], "", back]


def _last(file: str) -> bool:
    return file.endswith("/RECORD")


def _unpack(path: str, row: Plain, place: str) -> None:
    """Unpack a wheel, each file checked before it is written (PEP 427)."""
    paths = dict(sysconfig.get_paths())
    if place:
        paths.update(purelib=place, platlib=place, scripts=os.path.join(place, "bin"), data=place)
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        info = next(name[:-7] for name in names if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
        rows = list(csv.reader(io.StringIO(archive.read(f"{info}/RECORD").decode())))
        if fingerprint(rows) != row["print"]:
            raise ValueError(f"{row['file']} is another build than the kernel's")
        _check_names(row["file"], names)
        pure = b"root-is-purelib: true" in archive.read(f"{info}/WHEEL").lower()
        site = paths["purelib" if pure else "platlib"]
        installer, written = os.path.join(site, info, "INSTALLER"), []
        write(installer, b"jstackmagic\n")  # first, so that what is cut off is known for ours
        try:
            for target, data, mode in _members(archive, row, info, rows, {**paths, "site": site}):
                written.append(record_row(target, data, site))
                write(target, data, mode)
        except BaseException:
            shutil.rmtree(os.path.dirname(installer))
            raise
    own = [record_row(installer, b"jstackmagic\n", site), [f"{info}/RECORD", "", ""]]
    write(os.path.join(site, info, "RECORD"), _listing([*written, *own]))


def _listing(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _members(
    archive: zipfile.ZipFile, row: Plain, info: str, rows: list[list[str]], paths: dict[str, str]
) -> Iterator[tuple[str, bytes, int]]:
    """Yield a wheel's files and scripts, each with its place and mode; its metadata comes last."""
    digests = {each[0]: each[1] for each in rows if each}
    names = [name for name in archive.namelist() if not name.endswith(("/", f"{info}/RECORD"))]
    for name in sorted(names, key=lambda name: name.startswith(f"{info}/")):
        data = archive.read(name)
        mode = 0o755 if archive.getinfo(name).external_attr >> 16 & 0o111 else 0o644
        check(name, data, digests.get(name, ""))
        kind, _, inside = name.partition(".data/")[2].partition("/")
        base = paths["site"]
        if kind and name.startswith(f"{info[: -len('.dist-info')]}.data/"):
            paths.update(purelib=base, platlib=base)
            base = paths.get(kind) or os.path.join(paths["include"], row["name"])
            name = inside
            if kind == "scripts":
                data, mode = re.sub(rb"\A#!python", _shebang(), data), 0o755
        yield os.path.join(base, *name.split("/")), data, mode
    if f"{info}/entry_points.txt" in names:
        text = archive.read(f"{info}/entry_points.txt").decode()
        for name, module, function in scripts(text):
            first = function.partition(".")[0]
            script = _shebang() + _SCRIPT.format(module, first, function).encode()
            yield os.path.join(paths["scripts"], name), script, 0o755


def _shebang() -> bytes:
    """Return a script's first lines; Linux takes 127 bytes and no space (execve(2))."""
    python = sys.executable.encode()
    if len(python) < 126 and not re.search(rb"\s", python):
        return b"#!" + python
    quoted = re.sub(rb'([\\"$`])', rb"\\\1", python)
    return b"#!/bin/sh\n'''exec' \"" + quoted + b'" "$0" "$@"\n\' \'\'\''


def scripts(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the console scripts of an ``entry_points.txt``: name, module, function."""
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[] \t")
        name, _, target = line.partition("=")
        module, _, function = target.split("[")[0].strip().partition(":")
        words = [*module.split("."), *function.split(".")]
        known = section in ("console_scripts", "gui_scripts") and is_plain(name.strip())
        if known and all(word.isidentifier() for word in words):
            yield name.strip(), module, function


def _check_names(file: str, names: Iterable[str]) -> None:
    """Raise ValueError where one of a wheel's files would lie outside of its folder."""
    for name in names:
        if {"..", ""} & set(name.split("/")) or "\\" in name:
            raise ValueError(f"{file} has a file outside of its folder: {name}")


def record_row(path: str, data: bytes, site: str) -> list[str]:
    """Return a file's row in the list of a distribution's files."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return [os.path.relpath(path, site).replace(os.sep, "/"), f"sha256={digest}", str(len(data))]


def _fetch(row: Plain) -> str:
    """Have pip fetch a wheel from this worker's own index."""
    target = os.path.join(store(), "index")
    os.makedirs(target, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download"]
    words = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", target]
    spec = f"{row['name']}=={row['version']}"
    asked = subprocess.run(
        [*pip, *words, spec], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    for path in sorted(glob.glob(os.path.join(glob.escape(target), "*.whl"))):
        name, version = os.path.basename(path).split("-")[:2]
        if (normal(name), version) == (row["name"], row["version"]):
            return path
    lines = (asked.stderr or asked.stdout).strip().splitlines() or ["pip found no wheel"]
    raise ValueError(f"its index has no {spec}: {lines[-1]}")


def pack(info: str) -> Plain:
    """Make a wheel again of an installed distribution, byte for byte; return its row.

    Raises:
        ValueError: A file is not what its list of files says, or it has no such list.
    """
    site, rows = os.path.dirname(info), rows_of(info)
    stem = os.path.basename(info)[: -len(".dist-info")]
    content = {}
    ours = {
        f"bin/{name}" for name, _, _ in scripts(read_text(os.path.join(info, "entry_points.txt")))
    }
    for row in rows:
        path = os.path.normpath(os.path.join(site, row[0]))
        if row[0].startswith("..") and row[1] and not row[0].endswith(".pyc"):
            inside = os.path.relpath(path, sys.prefix).replace(os.sep, "/")
            if inside.startswith("..") or inside in ours:
                continue
            data = read(path)
            if inside.startswith("bin/"):
                inside = f"scripts/{inside[4:]}"
                data = re.sub(rb"\A#!.*python[\d.]*(?=[\r\n])", b"#!python", data)
            else:
                inside = f"data/{inside}"
            content[f"{stem}.data/{inside}"] = (data, os.access(path, os.X_OK))
        elif is_content(row):
            data = read(path)
            check(row[0], data, row[1])
            content[row[0]] = (data, os.access(path, os.X_OK))
    if not content:
        raise ValueError(f"{stem} has no list of its files (RECORD)")
    made = fingerprint(rows)
    return archive(stem, content, made)


def archive(stem: str, content: dict[str, tuple[bytes, bool]], made: str) -> Plain:
    """Pack files as a wheel, the same bytes each time; keep it, and return its row.

    Raises:
        ValueError: A file would lie outside of its folder.
    """
    _check_names(stem, content)
    wheel = content.get(f"{stem}.dist-info/WHEEL", (b"", False))[0].decode()
    tags = re.findall(r"^Tag:\s*(\S+)\s*$", wheel, re.MULTILINE) or ["py3-none-any"]
    parts = [".".join(dict.fromkeys(part)) for part in zip(*(tag.split("-") for tag in tags))]  # noqa: B905
    rows = [record_row(name, data, "") for name, (data, _) in sorted(content.items())]
    listing = _listing([*rows, [f"{stem}.dist-info/RECORD", "", ""]])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        files = {**content, f"{stem}.dist-info/RECORD": (listing, False)}
        for name, (data, runs) in sorted(files.items()):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    name, version = stem.split("-")[:2]
    data = packed.getvalue()
    metadata = content.get(f"{stem}.dist-info/METADATA", (b"", False))[0].partition(b"\n\n")[0]
    python = re.search(rb"^Requires-Python:\s*(.*?)\s*$", metadata, re.MULTILINE | re.IGNORECASE)
    row = {
        "name": normal(name),
        "version": version,
        "print": made,
        "file": f"{stem}-{'-'.join(parts)}.whl",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "requires_python": python[1].decode() if python else "",
        "pure": b"root-is-purelib: true" in wheel.lower().encode() and tags[0].endswith("none-any"),
    }
    keep(row, data)
    return row
