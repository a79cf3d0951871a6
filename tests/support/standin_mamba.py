"""A stand-in for mamba and conda in the stand-in for the Docker Stacks' image: neither can be had
from the package index. It is built on py-rattler and really installs, with the arguments, the
``--json`` answers and the ``conda-meta`` files of the real ones, as far as the tests need them.

It is one file that needs py-rattler alone: ``stacks.py`` puts it into a conda package as
``bin/mamba`` and ``bin/conda``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rattler import PrefixRecord, RepoDataRecord

TOOL = Path(sys.argv[0]).stem


class Failure(Exception):
    """What the user reads and, as `name`, what a program does."""

    def __init__(self, name: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.answer = {"exception_name": name, "message": message, "success": False, **details}


def main() -> int:
    """Runs one command; the exit status is 1 where it failed."""
    options = parse(sys.argv[1:])
    try:
        answer = VERBS[options.verb](options)
    except Failure as failure:
        answer = failure.answer
        print(f"{TOOL}: {failure}", file=sys.stderr)
    if options.json:
        print(json.dumps({"success": True, **answer}, indent=2))
    return 0 if answer.get("success", True) else 1


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The arguments that the real ones take and the tests use; others are refused."""
    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--yes", "--quiet", "--json", "--dry-run", "--all", "--force-pkgs-dirs"):
        common.add_argument(flag, *({"--yes": ["-y"]}.get(flag, [])), action="store_true")
    common.add_argument("-f", dest="force_pkgs_dirs", action="store_true")
    common.add_argument("-n", "--name")
    common.add_argument("-p", "--prefix", type=Path)
    common.add_argument("-c", "--channel", action="append", default=[])
    common.add_argument("--file", type=Path)
    common.add_argument("specs", nargs="*")
    parser = argparse.ArgumentParser(prog=TOOL, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"{TOOL}, a stand-in")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in VERBS:
        verbs.add_parser(verb, parents=[common])
    return parser.parse_args(words)


def root() -> Path:
    """The conda root: the one this file is installed in, or ``CONDA_ROOT``."""
    return Path(os.environ.get("CONDA_ROOT") or Path(sys.argv[0]).resolve().parent.parent)


def packages() -> Path:
    """The package cache: ``CONDA_PKGS_DIRS``, or the root's own."""
    return Path(os.environ.get("CONDA_PKGS_DIRS") or root() / "pkgs")


def prefix_of(options: argparse.Namespace) -> Path:
    """Which environment is meant; base where nothing says, for nothing is activated here."""
    if options.prefix:
        return Path(options.prefix)
    return root() if options.name in (None, "base", "root") else root() / "envs" / options.name


def clean(options: argparse.Namespace) -> dict[str, object]:
    """Removes the package cache."""
    if options.all or options.force_pkgs_dirs:
        shutil.rmtree(packages(), ignore_errors=True)
    return {}


def remove(options: argparse.Namespace) -> dict[str, object]:
    """Removes packages by name, and what needs them."""
    prefix = prefix_of(options)
    before = records(prefix)
    missing = [name for name in options.specs if name not in before]
    if missing:
        raise Failure("PackagesNotFoundError", f"not installed: {missing}", packages=missing)
    kept = {name: record for name, record in before.items() if name not in options.specs}
    while needy := [
        name
        for name, record in kept.items()
        if any(each.split()[0] in before.keys() - kept.keys() for each in record.depends)
    ]:
        kept = {name: record for name, record in kept.items() if name not in needy}
    return change(options, prefix, before, list(kept.values()), [])


def install(options: argparse.Namespace) -> dict[str, object]:
    """Solves with everything that is installed kept where it can be, and installs."""
    prefix = prefix_of(options)
    specs = [*options.specs, *(options.file.read_text().split() if options.file else ())]
    before = records(prefix)
    after = asyncio.run(solution(prefix, specs, before, options.channel))
    return change(options, prefix, before, after, specs)


def change(
    options: argparse.Namespace,
    prefix: Path,
    before: dict[str, PrefixRecord],
    solved: list[RepoDataRecord],
    specs: Sequence[str],
) -> dict[str, object]:
    """Makes the prefix hold what was solved, or only says what that would change."""
    after = {record.name.normalized: record for record in solved}
    unlink = [old for name, old in before.items() if not same(old, after.get(name))]
    link = [new for name, new in after.items() if not same(new, before.get(name))]
    if not (link or unlink):
        return {"message": "All requested packages already installed."}
    for sign, changed in (("-", unlink), ("+", link)):
        for record in changed:
            print(f"  {sign} {distribution(record)}", file=sys.stderr)
    if not options.dry_run:
        asyncio.run(link_all(prefix, before, solved, specs))
        append_history(prefix, unlink, link, specs)
    actions = {
        "PREFIX": str(prefix),
        "UNLINK": [entry(record) for record in unlink],
        "LINK": [entry(record) for record in link],
    }
    return {"actions": actions, "dry_run": options.dry_run, "prefix": str(prefix)}


VERBS = {"create": install, "install": install, "remove": remove, "clean": clean}


def same(one: RepoDataRecord, other: RepoDataRecord | None) -> bool:
    if other is None:
        return False
    return (str(one.version), str(one.build)) == (str(other.version), str(other.build))


def records(prefix: Path) -> dict[str, PrefixRecord]:
    from rattler import PrefixRecord

    found = [PrefixRecord.from_path(path) for path in sorted(prefix.glob("conda-meta/*.json"))]
    return {record.name.normalized: record for record in found}


def channels(said: Sequence[str]) -> list[str]:
    """Those of the command line, then those of the root's condarc, which is JSON here."""
    condarc = root() / ".condarc"
    configured = json.loads(condarc.read_text())["channels"] if condarc.exists() else []
    return [*said, *configured]


async def solution(
    prefix: Path, specs: Sequence[str], before: dict[str, PrefixRecord], said: Sequence[str]
) -> list[RepoDataRecord]:
    from rattler import Channel, Gateway, MatchSpec, VirtualPackage, solve
    from rattler.exceptions import SolverError

    pinned = prefix / "conda-meta/pinned"
    pins = [MatchSpec(line) for line in pinned.read_text().splitlines()] if pinned.exists() else []
    try:
        return await solve(
            sources=[Channel(channel) for channel in channels(said)],
            specs=[*map(MatchSpec, specs), *map(MatchSpec, before)],
            gateway=Gateway(cache_dir=packages() / "cache"),
            locked_packages=list(before.values()),
            constraints=pins,
            virtual_packages=VirtualPackage.detect(),
        )
    except SolverError as error:
        absent = "No candidates were found" in str(error)
        name = "PackagesNotFoundError" if absent else "UnsatisfiableError"
        missing = {"packages": list(specs), "channel_urls": channels(said)} if absent else {}
        raise Failure(name, str(error), **missing) from None


async def link_all(
    prefix: Path,
    before: dict[str, PrefixRecord],
    solved: list[RepoDataRecord],
    specs: Sequence[str],
) -> None:
    from rattler import MatchSpec, install

    requested = {name: spec for name, old in before.items() for spec in old.requested_specs}
    requested |= {MatchSpec(spec).name.normalized: spec for spec in specs}
    await install(
        solved,
        target_prefix=prefix,
        cache_dir=packages(),
        installed_packages=list(before.values()),
        # the wrapped objects: rattler 0.28 takes no others, whatever its annotation says
        requested_specs=[MatchSpec(spec)._match_spec for spec in requested.values()],
        show_progress=False,
    )


def append_history(
    prefix: Path,
    unlinked: Sequence[RepoDataRecord],
    linked: Sequence[RepoDataRecord],
    specs: Sequence[str],
) -> None:
    """Writes what rattler does not: the lines conda finds the user's own specs in."""
    lines = [time.strftime("==> %Y-%m-%d %H:%M:%S <=="), f"# cmd: {' '.join(sys.argv)}"]
    lines += [f"-{distribution(record)}" for record in unlinked]
    lines += [f"+{distribution(record)}" for record in linked]
    lines.append(f"# update specs: {list(specs)!r}")
    with (prefix / "conda-meta/history").open("a") as history:
        history.write("\n".join(lines) + "\n")


def distribution(record: RepoDataRecord) -> str:
    channel = (record.channel or "").rstrip("/")
    return f"{channel}/{record.subdir}::{record.name.normalized}-{record.version}-{record.build}"


def entry(record: RepoDataRecord) -> dict[str, object]:
    return {
        "base_url": (record.channel or "").rstrip("/"),
        "build_number": record.build_number,
        "build_string": str(record.build),
        "channel": (record.channel or "").rstrip("/"),
        "name": record.name.normalized,
        "platform": record.subdir,
        "version": str(record.version),
        "url": record.url,
    }


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a process that ends right after rattler's install() can crash
