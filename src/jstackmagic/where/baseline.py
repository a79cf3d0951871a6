"""The packages before the first change of an environment, from which a drift is measured."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..io.files import write_file
from ..io.runtime import own_runtime_folder, runtime_folder
from ..model.environment import Environment
from ..model.managers import is_system, of_environment, of_system
from ..model.packages import ManagerName, Package, PackageSet
from .metadata import metadata_of, read_packages
from .reader import reader_of
from .revisions import changing


@dataclass(frozen=True)
class Baseline:
    """The packages that were there at the start."""

    #: the packages of the managers with evidence
    packages: PackageSet = field(default_factory=PackageSet)
    #: the evidence, a phrase for each of these managers
    evidence: Mapping[ManagerName, str] = field(default_factory=dict)


def of(
    environment: Environment,
    here: PackageSet,
    managers: Iterable[ManagerName],
    *,
    begun: float | None = None,
    image: Callable[[], Witness | None] = lambda: None,
) -> Baseline:
    """Return the packages at the beginning, from the best available evidence.

    The evidence is a snapshot, the image's own metadata, conda's history, the files' times.

    Args:
        environment: The environment; apt's packages are the system's.
        begun: The start of this container, in seconds since the epoch; None outside of one.
        image: Returns the evidence from its image; called only without a snapshot.
    """
    packages: list[Package] = []
    evidence: dict[ManagerName, str] = {}
    for manager in managers:
        mine = [package for package in here.packages if package.manager == manager]
        for ask in (read_snapshot, image):
            witness = ask()
            found = witness.of(environment, manager, mine) if witness else None
            if witness is not None and found is not None:
                words = witness.words
                break
        else:
            found, words = _without_witness(environment, mine, manager, begun)
        if words:
            evidence[manager] = words
        packages += found
    return Baseline(PackageSet(tuple(packages)), evidence)


class Witness(Protocol):
    """A witness of the packages that were there at the start."""

    @property
    def words(self) -> str:
        """Return how it is known, a phrase."""

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package]
    ) -> list[Package] | None:
        """Return one manager's packages in the beginning; None if it did not see them."""


def container_start() -> float | None:
    """Return this container's creation time, in seconds since the epoch; None outside of one."""
    from .host import look

    if look().runtime is None:
        return None
    try:
        return os.stat("/.dockerenv").st_mtime  # in the container's own layer
    except OSError:
        return _start_of_first_process()


def _start_of_first_process() -> float | None:
    try:
        after_boot = int(Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19])
        boot = re.search(r"^btime (\d+)$", Path("/proc/stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(boot[1]) + after_boot / os.sysconf("SC_CLK_TCK") if boot else None


# The snapshot


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The packages at a container's start, as its start-up hook saw them."""

    machine: str  #: its container, or the boot of its machine
    time: str  #: its time, ISO 8601, local time
    prefixes: dict[str, tuple[Package, ...]]  #: the conda and pip packages of each environment
    system: tuple[Package, ...]  #: the Debian packages

    @property
    def words(self) -> str:
        """Return how it is known, a phrase."""
        return f"the snapshot of {self.time}"

    def of(
        self, environment: Environment, manager: ManagerName, here: Sequence[Package] = ()
    ) -> list[Package] | None:
        """Return one manager's packages; None of an environment that was not there."""
        if is_system(manager):
            return list(self.system)
        found = self.prefixes.get(environment.prefix)
        return None if found is None else [p for p in found if p.manager == manager]


def take_snapshot(environments: Iterable[Environment]) -> bool:
    """Write down what there is, once a container: a server that starts again changes nothing.

    Returns:
        Whether there was none yet.

    Raises:
        OSError: It cannot be written.
    """
    import msgspec

    from .detect import detect

    if read_snapshot() is not None:
        return False
    taken = Snapshot(
        machine=_machine(),
        time=time.strftime("%Y-%m-%d %H:%M:%S"),
        prefixes={
            environment.prefix: read_packages(environment, of_environment()).packages
            for environment in environments
        },
        system=read_packages(detect(), of_system()).packages,
    )
    own_runtime_folder()
    write_file(_snapshot_file(), msgspec.json.encode(taken))
    return True


def read_snapshot() -> Snapshot | None:
    """Return the snapshot of this container; None without one."""
    import msgspec

    path = _snapshot_file()
    try:
        if path.stat().st_uid != os.geteuid():  # a folder in /tmp may be anybody's
            return None
        snapshot = msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except (OSError, msgspec.MsgspecError):
        return None
    return snapshot if snapshot.machine == _machine() else None


def _snapshot_file() -> Path:
    return runtime_folder() / "baseline.json"


def _machine() -> str:
    """Return the container's id or name; outside of one, the machine's boot."""
    from .host import look

    host = look()
    if host.runtime is not None:
        return host.container_id or os.uname().nodename
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    return f"{os.uname().nodename}/{boot}"


# Without a witness


def _without_witness(
    environment: Environment, mine: Sequence[Package], manager: ManagerName, begun: float | None
) -> tuple[list[Package], str]:
    """Return one manager's packages and their evidence; no words without evidence."""
    first = None
    if not is_system(manager):
        first = reader_of(manager).beginning(environment, mine, begun)
        begun = (
            next((e.time for e in changing(environment.prefix)), None) if begun is None else begun
        )
    if first is not None:
        return first
    if begun is None or (mine and all(time_of(p, environment) is None for p in mine)):
        return [], ""
    old = [p for p in mine if (time_of(p, environment) or 0) <= begun]
    return old, "the times of the files"


def time_of(package: Package, environment: Environment) -> float | None:
    """Return when a package came, by the time of its metadata; None if that cannot be read."""
    path = next(iter(metadata_of(package, environment)), "")
    try:
        return os.stat(path).st_mtime if path else None
    except OSError:
        return None
