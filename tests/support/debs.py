"""Debian packages made on the spot."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from jstackmagic.packages import read_debian

if TYPE_CHECKING:
    from pathlib import Path


def build_deb(folder: Path, name: str, version: str = "1.0", *, depends: str = "") -> Path:
    """Writes a package without files into `folder` and returns its path."""
    control = folder / f"{name}-{version}" / "DEBIAN" / "control"
    control.parent.mkdir(parents=True)
    fields = {"Package": name, "Version": version, "Architecture": "all", "Depends": depends}
    fields |= {"Maintainer": "nobody <nobody@example.org>", "Description": "made for a test"}
    control.write_text("".join(f"{key}: {text}\n" for key, text in fields.items() if text))
    deb = folder / f"{name}_{version}_all.deb"
    command = ["dpkg-deb", "--root-owner-group", "--build", control.parents[1], deb]
    subprocess.run(command, check=True, capture_output=True)
    return deb


def purge(*names: str) -> None:
    """Takes packages away that are installed; waits for others who are at dpkg."""
    there = {package.name for package in read_debian()} & set(names)
    if there:
        root = () if os.geteuid() == 0 else ("sudo", "-n")
        purge = ("apt-get", "purge", "--yes", "-o", "DPkg::Lock::Timeout=120")
        subprocess.run([*root, *purge, *there], check=True, capture_output=True)
