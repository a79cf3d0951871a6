"""apt, for the whole system: as root, or through ``sudo`` without a password."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from ...display.console import Console, Recording
from ...io import process
from ...model.environment import Environment, repair_line
from ...model.errors import NOTHING_CHANGED, CommandFailed, Interrupted, InvalidSpec, Stopped
from ...model.packages import Change, Package, PackageSet
from ...model.plan import Command, Plan
from ...model.request import Request
from ...model.spec import read
from ...where.metadata import read_debian
from .. import Engine
from ..goal import Wish
from . import cutoff

LISTS = Path("/var/lib/apt/lists")
"""The folder that ``apt-get update`` fills; images are shipped without its content."""

SOURCES = Path("/etc/apt")
"""The folder of apt's sources and settings."""

LISTS_AGE = 24 * 3600
"""Seconds after which the lists are fetched again: mirrors drop what they replaced."""

LOCK_TIMEOUT = 120
"""Seconds to wait for another program that holds dpkg's lock, or the lists'."""

_SILENT = ("env", "DEBIAN_FRONTEND=noninteractive")  # "env", because sudo resets the environment
_RISK = "A package may be half installed; the same line again finishes it."

# Debian Policy 5.6.1 and 5.6.12. Not a minus at the end: apt-get would take that for "remove it".
_NAME = r"[a-z0-9](?:[a-z0-9+.-]*[a-z0-9+])(?::[a-z0-9-]+)?"
_SPEC = re.compile(
    rf"(?P<name>{_NAME})(?:=(?P<version>[\w.+~:*-]+)|/(?P<release>[\w.+~-]+))?", re.ASCII
)

# The lines of a simulation are documented in apt-get(8), under --simulate.
_INST = re.compile(r"^Inst (\S+)(?: \[[^\]]*\])? \((\S+) [^\n]*?\[(\S+)\]\)", re.MULTILINE)
_REMV = re.compile(r"^(?:Remv|Purg) (\S+) ", re.MULTILINE)
_UNMET = re.compile(r"^The following packages have unmet dependencies:\n(?: .*\n)+", re.MULTILINE)
_LOCKED = re.compile(r"lists/lock\b|is locked by another process")
_PATTERN = re.compile(r"^Note, selecting .* for (?:regex|glob|task) '(.*)'$", re.MULTILINE)


class AptGet(Engine):
    """Runs apt-get; its plan says what would change, where apt's lists allow that."""

    def plan(self, request: Request, environment: Environment) -> Plan:
        check_specs(request)
        if shutil.which("apt-get") is None:
            raise Stopped(
                "There is no apt-get here: this is not Debian or Ubuntu.",
                advice="Ask conda for it: %envinstall --conda …",
            )
        _check_journal(environment)
        if request.action == "remove":
            return _plan_removal(request, environment)
        present = satisfied(request)
        if present is not None:
            return Plan.of_nothing(request, environment, "apt-get", present)
        root = _rights(request)
        install = install_command(request, root)
        if _lists_are_fresh() or _are_enough(request):
            change = _simulate(request, request.texts)
            return Plan(request, environment, "apt-get", (install,), change=change)
        update = Command((*root, "apt-get", "update"))
        return Plan(request, environment, "apt-get", (update, install))

    def run(self, plan: Plan, console: Console) -> int:
        before = {package.name for package in read_debian()}
        try:
            for command in plan.commands:
                if command.argv[-2:] == ("apt-get", "update"):
                    status = patiently(command, console)
                    if status == 0:
                        _simulate(plan.request, plan.request.texts)  # refuses what it cannot do
                else:
                    status = process.run(command, console.write, risk=_RISK)
                if status != 0:
                    return status
            return 0
        finally:
            _mark_automatic(cutoff.automatic(plan.request, before))

    def resolved(self, request: Request, environment: Environment) -> tuple[Package, ...]:
        installed = _system()
        found = (_installed(spec.name, installed) for spec in request.specs)
        return tuple(dict.fromkeys(package for package in found if package is not None))


def _are_enough(request: Request) -> bool:
    """Return whether these are archives that need nothing else, so that no list need be fetched."""
    if not all(spec.place for spec in request.specs):
        return False
    try:
        _simulate(request, request.texts)
    except CommandFailed:
        return False
    return True


def _check_journal(environment: Environment) -> None:
    if cutoff.is_interrupted():
        raise Stopped(
            "dpkg was interrupted, and apt-get refuses all work until that is finished.",
            advice=f"Finish it: {repair_line(environment.prefix)}",
        )


# Specs


def check_specs(request: Request) -> None:
    """Refuse what apt-get could not read, or would read as something else.

    Raises:
        InvalidSpec: A spec is invalid; the error has the nearest valid form, if any.
    """
    for spec in request.texts:
        if spec.endswith(".deb") and "/" in spec and request.action == "install":
            if not Path(spec).is_file():
                raise InvalidSpec(f"There is no file {spec!r}.")
            continue
        match = _SPEC.fullmatch(spec)
        if match is None or (request.action == "remove" and match["name"] != spec):
            raise InvalidSpec(
                f"{spec!r} is not a Debian package.",
                advice=tuple(_nearest(spec, request.action)),
            )


def _nearest(spec: str, action: str) -> Iterator[str]:
    """Yield advice on what was probably meant."""
    if action == "remove":
        name = re.match(_NAME, spec)
        if name:
            yield f"Remove it by its name: %envremove apt:{name[0]}"
    elif re.search(r"[<>~!]", spec):
        yield "apt takes one exact version: apt:NAME=VERSION"
    elif spec.endswith("-") and _SPEC.fullmatch(spec[:-1]):
        yield f"To remove it: %envremove apt:{spec[:-1]}"
    else:
        fixed = spec.lower().replace("_", "-").replace("==", "=")
        if fixed != spec and _SPEC.fullmatch(fixed):
            yield f"Did you mean: %envinstall apt:{fixed}"


# Commands


def apt_get(root: tuple[str, ...], verb: tuple[str, ...], words: tuple[str, ...]) -> Command:
    """Return a command of apt-get that asks nothing and waits for dpkg's lock."""
    lock = ("-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT}")
    return Command((*root, *_SILENT, "apt-get", *verb, *lock, *words))


def install_command(request: Request, root: tuple[str, ...] = ()) -> Command:
    """Return apt-get's command line of an install."""
    verb = ("install", "--yes", "--no-install-recommends")
    return apt_get(root, verb, (*request.texts, *request.options))


def mark(there: Iterable[Package], wanted: Mapping[str, Wish]) -> None:
    """Mark packages as manual or automatic, as far as this user may."""
    root = () if os.geteuid() == 0 or not shutil.which("sudo") else ("sudo", "-n")
    there = list(there)
    for verb, requested in (("manual", True), ("auto", False)):
        names = [
            package.name
            for package in there
            if wanted[package.name].requested is requested is not package.requested
        ]
        if names:
            process.capture(Command((*root, "apt-mark", verb, *names)))


def _mark_automatic(names: Collection[str]) -> None:
    """Mark packages as come along, where apt-get could not: it goes on without an error."""
    there = [each for each in read_debian() if each.requested and each.name in names]
    mark(there, {each.name: Wish("apt", each.name, requested=False) for each in there})


def _plan_removal(request: Request, environment: Environment) -> Plan:
    installed = _system()
    found = {spec: _installed(spec, installed) for spec in request.texts}
    missing = [spec for spec, package in found.items() if package is None]
    names = [spec for spec in request.texts if spec not in missing]
    if not names:
        raise Stopped(f"Not installed: {', '.join(missing)}.", kept="Nothing was removed.")
    words = (*names, *request.options)
    command = apt_get(_rights(request), ("remove", "--yes"), words)
    return Plan(
        request=request,
        environment=environment,
        engine="apt-get",
        commands=(command,),
        change=_simulate(request, tuple(names)),
        notes=tuple(f"{name} is not installed." for name in missing),
    )


def _rights(request: Request) -> tuple[str, ...]:
    """Return what goes before a command that needs root."""
    again = shlex.join([f"apt:{spec}" for spec in request.texts])
    return rights(f"or keep it for the image: %env{request.action} --record-only {again}")


def rights(otherwise: str) -> tuple[str, ...]:
    """Return what goes before a command that needs root.

    Args:
        otherwise: A line of advice for who cannot become root.

    Raises:
        Stopped: This user cannot become root without a password.
    """
    if os.geteuid() == 0:
        return ()
    sudo = ("sudo", "-n")
    if shutil.which("sudo") and process.capture(Command((*sudo, "true"))).exit_status == 0:
        return sudo
    from ...where.host import look

    host = look()
    reason = host.sudo_reason if host.sudo == "no" else "sudo wants a password"
    raise Stopped(
        f"apt needs root, and {host.user} cannot become root: {reason}.",
        advice=(
            "Start the container with the right to: docker run -e GRANT_SUDO=yes --user root …",
            otherwise,
        ),
    )


def patiently(command: Command, console: Console) -> int:
    """Run a command again while another program has a lock for which apt has no timeout.

    Raises:
        Interrupted: While waiting, too.
    """
    deadline = time.monotonic() + LOCK_TIMEOUT
    pause = 1.0
    while True:
        recording = Recording(console)
        status = process.run(command, recording.write)
        held = status != 0 and _LOCKED.search(recording.log.text)
        if not held or time.monotonic() + pause > deadline:
            return status
        what = "fetches apt's lists" if "lists" in held[0] else "is at dpkg"
        console.write(f"Another program {what}: waiting, at most {LOCK_TIMEOUT} seconds.\n")
        try:
            time.sleep(pause)
        except KeyboardInterrupt:
            raise Interrupted(
                "Interrupted while waiting for another program.", kept=NOTHING_CHANGED
            ) from None
        pause = min(2 * pause, 10)


def finish(marks: Mapping[str, tuple[str, ...]], console: Console) -> None:
    """Configure what is unpacked; take away what is new and cannot be finished.

    Raises:
        CommandFailed: Something that was there before cannot be finished.
        Stopped: This user cannot become root.
    """
    if not cutoff.sentences(marks):
        return
    root = rights("To finish it, as root: dpkg --configure -a")
    # no question about a changed configuration file
    dpkg = (*root, *_SILENT, "dpkg", "--force-confdef", "--force-confold")
    configure = Command((*dpkg, "--configure", "-a"))
    fix = ("install", "--reinstall", "--fix-broken", "--no-remove", "--yes")
    archives = {Path(file).name.partition("_")[0]: file for file in marks.get("files", ())}
    patiently(configure, console)
    half = cutoff.half()
    again = [each for each in half if each.again]
    exactly = {each.name: f"{each.name}={each.version}".rstrip("=") for each in again}
    there = {each.name for each in half if each.version}
    there |= {each.name.partition(":")[0] for each in read_debian()}
    for spec in marks.get("versions", ()):  # what dpkg has lost comes back as planned
        name = spec.partition("=")[0]
        if name not in there:
            exactly[name] = spec
    exactly |= {name: file for name, file in archives.items() if name in exactly}
    for words in (exactly.values(), (), [each.name for each in again]):
        if not cutoff.half():
            break
        patiently(apt_get(root, fix, ("--no-install-recommends", *words)), console)
        patiently(configure, console)
    if "there" in marks:
        stay = {*marks["there"], *marks["known"]}
        new = [each.name for each in cutoff.half() if each.name not in stay]
        if new:
            patiently(Command((*dpkg, "--remove", "--force-remove-reinstreq", *new)), console)
    _mark_automatic(marks.get("automatic", ()))
    for draft in cutoff.drafts() if not root else ():
        draft.unlink(missing_ok=True)
    left = cutoff.sentences(marks)
    if left:
        raise CommandFailed(
            f"dpkg cannot finish what was cut off: {'; '.join(left)}.",
            kept="The other packages of the system are as they were.",
            advice="Its own words are above; what is in its way must be fixed as root.",
        )


# Archives


def archive_name(package: Package) -> str:
    """Return apt's name for a package's archive (``pkgAcqArchive`` quotes a version's colon)."""
    name = package.name.partition(":")[0]
    return f"{name}_{package.version.replace(':', '%3a')}_{package.build}.deb"


def fetch(packages: Sequence[Package], folder: Path) -> list[Path]:
    """Have apt-get fetch archives and check the hashes of its lists; this needs no rights.

    Raises:
        CommandFailed: One is unavailable, in that version or at all.
    """
    if not packages:
        return []
    specs = (f"{package.name}={package.version}" for package in packages)
    argv = ("env", "-C", str(folder), "apt-get", "download", *specs)
    done = process.capture(Command(argv, environ=(("LC_ALL", "C"),)))
    files = [folder / archive_name(package) for package in packages]
    if done.exit_status != 0 or not all(file.is_file() for file in files):
        said = "\n".join(line for line in done.stderr.splitlines() if line.startswith("E: "))
        raise CommandFailed(f"apt-get cannot fetch this.\n{said}", kept=NOTHING_CHANGED)
    return files


# What is there, and what would change


def satisfied(request: Request) -> tuple[Package, ...] | None:
    """Return the packages that serve every spec, from dpkg's status; None if apt must look."""
    if request.upgrade or request.options:
        return None
    installed = _system()
    found = []
    for spec in request.texts:
        match = _SPEC.fullmatch(spec)
        package = _installed(match["name"], installed) if match and not match["release"] else None
        if package is None or (match and match["version"] not in (None, package.version)):
            return None
        found.append(package)
    return tuple(dict.fromkeys(found))


def _installed(name: str, installed: PackageSet) -> Package | None:
    package = installed.get("apt", name)
    if package is not None:
        return package
    bare, _, architecture = name.partition(":")
    package = installed.get("apt", bare)
    return package if package and architecture in (package.build, "any") else None


def _system() -> PackageSet:
    return PackageSet(read_debian())


def _lists_are_fresh() -> bool:
    """Return whether apt's lists are there, not old, and not older than the sources they are of."""
    try:
        if not any("_Packages" in name for name in os.listdir(LISTS)):
            return False
        # The lists carry the mirror's times; every update works in this folder, even one that
        # finds nothing new.
        fetched = (LISTS / "partial").stat().st_mtime
    except FileNotFoundError:
        return False
    sources = (
        SOURCES / "sources.list",
        SOURCES / "sources.list.d",
        *SOURCES.glob("sources.list.d/*"),
    )
    changed = max((source.stat().st_mtime for source in sources if source.exists()), default=0)
    return fetched > max(changed, time.time() - LISTS_AGE)


def _simulate(request: Request, specs: tuple[str, ...]) -> Change:
    """Return what apt-get's own simulation would change; it needs no rights."""
    # Its notes report patterns, which our users never mean; they are silent without a terminal.
    loud = ("-o", "quiet=0", "-o", "quiet::NoUpdate=1", "-o", "quiet::NoProgress=1")
    simulate = ("--simulate", "--no-install-recommends", "-o", "Debug::NoLocking=1", *loud)
    argv = ("apt-get", request.action, *simulate, *specs, *request.options)
    done = process.capture(Command(argv, environ=(("LC_ALL", "C"),)))
    pattern = _PATTERN.search(done.stdout)
    if pattern:
        _refuse([f"There is no package {pattern[1]}; apt-get takes it for a pattern."], specs)
    if done.exit_status != 0:
        _refuse(_reasons(done), specs)
    return _change(done.stdout)


def _change(simulation: str) -> Change:
    installed = _system()
    new = [
        Package(manager="apt", name=name, version=version, build=architecture)
        for name, version, architecture in _INST.findall(simulation)
    ]
    old = {package.name: _installed(package.name, installed) for package in new}
    removed = (_installed(name, installed) for name in _REMV.findall(simulation))
    return Change(
        added=tuple(package for package in new if old[package.name] is None),
        changed=tuple(
            (before, package) for package in new if (before := old[package.name]) is not None
        ),
        removed=tuple(package for package in removed if package is not None),
    )


def _reasons(simulation: process.Finished) -> list[str]:
    lines = [line[3:] for line in simulation.stderr.splitlines() if line.startswith("E: ")]
    unmet = _UNMET.search(simulation.stdout)
    return [*lines, *unmet[0].splitlines()] if unmet else lines


def _refuse(reasons: list[str], specs: tuple[str, ...]) -> NoReturn:
    name = shlex.quote(read("apt", specs[0]).name)
    raise CommandFailed(
        "\n".join(["apt-get cannot do this.", *reasons]),
        kept=NOTHING_CHANGED,
        advice=f"Look for the right name: !apt-cache search {name}",
    )
