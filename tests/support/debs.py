"""Debian packages made on the spot."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from jstackmagic.where.metadata import read_debian

from . import dpkg

if TYPE_CHECKING:
    from collections.abc import Mapping


def build_deb(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    depends: str = "",
    files: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """Writes a package into `folder` and returns its path.

    `files` maps paths to content, by default none; `scripts` maps a maintainer script's name to its
    text.
    """
    top = folder / f"{name}-{version}"
    control = top / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    sums = ""
    for path, text in (files or {}).items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
        sums += f"{hashlib.md5(text.encode()).hexdigest()}  {path}\n"
    for script, text in {**(scripts or {}), **({"md5sums": sums} if sums else {})}.items():
        (control.parent / script).write_text(text)
        (control.parent / script).chmod(0o755 if text.startswith("#!") else 0o644)
    fields = {"Package": name, "Version": version, "Architecture": "all", "Depends": depends}
    fields |= {"Maintainer": "nobody <nobody@example.org>", "Description": "made for a test"}
    control.write_text("".join(f"{key}: {text}\n" for key, text in fields.items() if text))
    deb = folder / f"{name}_{version}_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", control.parents[1], deb]
    subprocess.run(command, check=True, capture_output=True)
    return deb


def make_repository(folder: Path, *debs: Path) -> Path:
    """Makes a repository of these packages in `folder`, and returns it."""
    folder.mkdir()
    stanzas = []
    for deb in debs:
        shutil.copy(deb, folder)
        control = subprocess.run(["dpkg-deb", "--field", deb], check=True, capture_output=True)
        digest = hashlib.sha256(deb.read_bytes()).hexdigest()
        found = {"Filename": f"./{deb.name}", "Size": deb.stat().st_size, "SHA256": digest}
        stanzas.append(control.stdout.decode() + "".join(f"{k}: {v}\n" for k, v in found.items()))
    (folder / "Packages").write_text("\n".join(stanzas))
    return folder


def publish(folder: Path, *debs: Path, fetched: bool = True) -> Path:
    """Makes a repository of these packages in `folder`, whose lists are `fetched`, or not yet.

    Returns a configuration of apt's (`APT_CONFIG`) that knows this repository alone, and keeps its
    lists in `lists` beside.
    """
    repository = make_repository(folder / "repository", *debs)
    (folder / "lists/partial").mkdir(parents=True)
    sources = folder / "sources.list"
    sources.write_text(f"deb [trusted=yes] copy:{repository} ./\n")
    config = folder / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{folder / "lists"}";\nDir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\nAPT::Sandbox::User "root";\n'
    )
    if fetched:
        environ = {**os.environ, "APT_CONFIG": str(config)}
        subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=environ)
    return config


def make_system(folder: Path, repository: Path) -> dict[str, str]:
    """Makes a Debian system without a package in `folder`, with the lists of a repository; returns
    the variables with which dpkg and apt see it in place of this machine."""
    for name in ("info", "updates", "triggers", "parts", "alternatives"):
        (folder / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in ("lib/apt/lists/partial", "cache/apt/archives/partial", "log/apt"):
        (folder / "var" / name).mkdir(parents=True)
    for name in ("apt.conf.d", "sources.list.d", "preferences.d", "trusted.gpg.d"):
        (folder / "etc/apt" / name).mkdir(parents=True)
    for name in ("status", "available"):
        (folder / "var/lib/dpkg" / name).touch()
    native = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True)
    (folder / "var/lib/dpkg/arch").write_bytes(native.stdout)
    sources = folder / "etc/apt/sources.list"
    sources.write_text(f"deb [trusted=yes] copy:{repository} ./\n")
    config = folder / "etc/apt/apt.conf"
    config.write_text(
        f'Dir "{folder}/";\nDir::State::status "{folder}/var/lib/dpkg/status";\n'
        f'Dir::Bin::methods "/usr/lib/apt/methods/";\nDir::Bin::dpkg "{folder}/usr/sbin/dpkg";\n'
        'Dir::Cache::pkgcache "";\nDir::Cache::srcpkgcache "";\n'
        'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
    )
    program = folder / "usr/sbin/dpkg"  # the one that is first on PATH
    program.parent.mkdir(parents=True)
    options = f"--root='{folder}' --force-script-chrootless --log=/dev/null"
    program.write_text(f'#!/bin/sh\nexec /usr/bin/dpkg {options} "$@"\n')
    program.chmod(0o755)
    environ = {
        "APT_CONFIG": str(config),
        "DPKG_ADMINDIR": str(folder / "var/lib/dpkg"),
        "PATH": f"{program.parent}:{os.environ['PATH']}",
    }
    every = {**os.environ, **environ}
    subprocess.run(["apt-get", "update"], check=True, capture_output=True, env=every)
    return environ


def without(folder: Path, *names: str) -> dict[str, str]:
    """Returns the variables with which dpkg and apt see this machine as it would be without these
    packages and what needs them. Nothing is removed; a copy of dpkg's status goes to `folder`."""
    there = sorted({package.name for package in read_debian()} & set(names))
    status = dpkg.copied(folder) / "status"
    if not status.exists():
        return {}
    gone = _removed_with(*there, stamp=status.stat().st_mtime_ns) if there else set()
    paragraphs = status.read_text().split("\n\n")
    kept = [each for each in paragraphs if each.split("\n", 1)[0][len("Package: ") :] not in gone]
    status.write_text("\n\n".join(kept))
    config = folder / "apt.conf"
    inherited = Path(os.environ["APT_CONFIG"]).read_text()
    # a copied status has a lock of its own, and what apt fetches beside others needs one as well
    (folder / "archives/partial").mkdir(parents=True)
    settings = f'Dir::State::status "{status}";\nDir::Cache::archives "{folder}/archives";\n'
    config.write_text(f"{inherited}{settings}")
    return {"DPKG_ADMINDIR": str(status.parent), "APT_CONFIG": str(config)}


def purge(*names: str) -> None:
    """Takes packages away that are installed; waits for others who are at dpkg."""
    there = {package.name for package in read_debian()} & set(names)
    if there:
        dpkg.apt_get("purge", "--yes", *there)


@functools.cache
def _removed_with(*names: str, stamp: int) -> set[str]:
    """Returns what apt would remove with these packages, by the state of one time."""
    simulate = ("apt-get", "remove", "--simulate", "--yes", "-o", "Debug::NoLocking=1")
    said = subprocess.run([*simulate, *names], check=True, capture_output=True, text=True)
    return set(re.findall(r"^Remv (\S+)", said.stdout, re.MULTILINE))
