"""What files Debian's packages hold, from the lists that apt-file reads."""

from __future__ import annotations

import subprocess
from collections import defaultdict


def search(pattern: str) -> dict[str, list[str]]:
    """The files whose path matches, by package; as root, since it may install apt-file."""
    if subprocess.run(["which", "apt-file"], check=False, capture_output=True).returncode:
        subprocess.run(["apt-get", "install", "--yes", "apt-file"], check=True)
        subprocess.run(["apt-file", "update"], check=True)
    command = ["apt-file", "--architecture", "amd64", "--regexp", "search", pattern]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[str]] = defaultdict(list)
    for line in listed.splitlines():
        package, _, path = line.partition(": ")
        found[package].append(path)
    return found
