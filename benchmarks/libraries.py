"""Which Debian package brings a shared library: makes src/jstackmagic/names/libraries.json.gz.

    python benchmarks/libraries.py      on Debian, as root: installs apt-file, fetches its lists

Most library packages are named after their library, by a rule (Debian Policy 8.1); the file holds
those that are not. The script ends with how often the rule alone is right.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from datetime import datetime, timezone
from pathlib import Path

import apt_file

from jstackmagic.names import package_by_rule

DATA = Path(__file__).resolve().parent.parent / "src/jstackmagic/names/libraries.json.gz"

_PLACE = re.compile(r"/(?:usr/)?lib/(?:x86_64-linux-gnu/)?(lib[^/]+\.so(?:\.[0-9]+)?)")


def main() -> None:
    packages = _libraries()
    ruled = {name for name, of_name in packages.items() if package_by_rule(name) in of_name}
    others = {
        name: _best(of_name) for name, of_name in sorted(packages.items()) if name not in ruled
    }
    release = Path("/etc/os-release").read_text()
    told = re.search(r'^PRETTY_NAME="(.*)"', release, re.MULTILINE)
    data = {
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "source": told[1] if told else "Debian",
        "libraries": others,
        "ruled": " ".join(sorted(ruled)),
    }
    text = json.dumps(data, separators=(",", ":"))
    DATA.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(
        f"{len(packages)} libraries; the rule names the package of {len(ruled)}, the file that of "
        f"{len(others)}; {DATA.stat().st_size} bytes"
    )


def _libraries() -> dict[str, list[str]]:
    """The packages that hold each library under its soname: ``libNAME.so.N``, or without N."""
    found: dict[str, list[str]] = defaultdict(list)
    for package, paths in apt_file.search(
        r"lib/(x86_64-linux-gnu/)?lib[^/]+\.so(\.[0-9]+)?$"
    ).items():
        for path in paths:
            match = _PLACE.fullmatch(path)
            # without a version it is a link for compilers, unless a runtime package has it
            if match and (
                match[1][-1].isdigit() or (package.startswith("lib") and "dev" not in package)
            ):
                found[match[1]].append(package)
    return found


def _best(packages: list[str]) -> str:
    """Of several, the runtime package: no headers, no debug build, the plainest name."""
    poor = re.compile(r"-(dev|dbg|debug|udeb|tests?|cross)\b|-cross|^lib(32|64|n32|x32)")
    return min(
        packages,
        key=lambda name: (bool(poor.search(name)), not name.startswith("lib"), len(name), name),
    )


if __name__ == "__main__":
    main()
