"""Changing a prefix: link, then leave it as conda would have left it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ....display.progress import ProgressReport
from ....io.locks import Lock, NoLocks
from ....model.environment import repair_line
from ....model.errors import CommandFailed
from ....where.condarc import CondaConfig
from ....where.metadata import conda_records
from ..present import records
from . import bytecode, condahistory, journal
from .journal import Journal, Linked
from .loop import Wire
from .records import PythonLayout, all_paths, conform, distribution, note_requested
from .repodata import client_of, network_of

if TYPE_CHECKING:
    from rattler import InstallerReporter, PackageCache, PrefixRecord


async def link(
    prefix: str, plan: Journal, config: CondaConfig, lock: Lock | NoLocks, wire: Wire
) -> Sequence[str]:
    """Carry a journal out, or the rest of it after an earlier attempt.

    Everything it links is in the package cache.

    Args:
        lock: Of the prefix; it is released when the last of the work is done, after this returned.

    Returns:
        The packages whose link script failed.

    Raises:
        CommandFailed: A package cannot be linked; the journal stays, for a repair.
    """
    tag = Path(prefix, "CACHEDIR.TAG")
    tagged = tag.exists()
    try:
        failed = await _install(prefix, plan, config, wire)
    finally:
        if not tagged:  # rattler's mark: backups would leave the environment out
            tag.unlink(missing_ok=True)
    _finish(prefix, plan, config, lock)
    return failed


async def _install(prefix: str, plan: Journal, config: CondaConfig, wire: Wire) -> Sequence[str]:
    import rattler
    from rattler.exceptions import InstallerError, IoError, LinkError, TransactionError

    _drop_empty_records(prefix, plan)
    there = records(prefix)
    new = [journal.as_record(item.record) for item in plan.link]
    names = {str(record.name.normalized) for record in new}
    goes = {name for name, record in there.items() if _stem(record) in plan.unlink or name in names}
    python = PythonLayout.of(there.values())
    reporter = _Reporter(prefix, wire, names or goes, "Linking" if names else "Unlinking")
    with tempfile.TemporaryDirectory() as spare:
        try:
            await rattler.install(
                [*(record for name, record in there.items() if name not in goes), *new],
                target_prefix=prefix,
                installed_packages=[
                    all_paths(record, python) if name in goes else record
                    for name, record in there.items()
                ],
                reinstall_packages=names & there.keys(),
                package_cache=_package_cache(plan.link, spare),
                execute_link_scripts=True,  # as conda does
                show_progress=False,
                client=client_of(network_of(config)),  # a new one would read all certificates
                reporter=cast("InstallerReporter", reporter),
            )
        except (InstallerError, LinkError, TransactionError, IoError) as error:
            raise CommandFailed(
                f"The packages cannot be linked: {error}",
                kept=f"{prefix} is changed in part.",
                advice=f"When the cause is fixed, finish it: {repair_line(prefix)}",
            ) from None
    return reporter.failed


def _drop_empty_records(prefix: str, plan: Journal) -> None:
    """Remove the empty records of what is to be linked: rattler leaves them on a full disk."""
    for item in plan.link:
        path = Path(prefix, "conda-meta", f"{item.stem}.json")
        if path.exists() and path.stat().st_size == 0:
            path.unlink()


def _stem(record: PrefixRecord) -> str:
    return f"{record.name.normalized}-{record.version}-{record.build}"


def _package_cache(link: Sequence[Linked], spare: str) -> PackageCache:
    """Return the caches with the packages, whose content was checked when it was fetched."""
    from rattler import PackageCache, ValidationMode

    folders = dict.fromkeys(os.path.dirname(item.folder) for item in link)
    return PackageCache.new_layered(list(folders) or [spare], False, ValidationMode.skip())


class _Reporter:
    """A reporter for rattler that shows progress, and passes on the messages of link scripts.

    Attributes:
        failed: The packages whose script failed.
    """

    def __init__(self, prefix: str, wire: Wire, names: set[str], doing: str) -> None:
        self.failed: list[str] = []
        self._total, self._done, self._doing = len(names), 0, doing
        self._at_hand: list[str] = []
        self._prefix = prefix
        self._wire = wire
        self._names: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Ignore all other events, which the files on disk show as well."""
        return lambda *_: 0

    def on_link_start(self, _operation: int, package_name: str) -> int:
        """Report the package that is being linked; the number comes back at its end."""
        self._at_hand.append(package_name)
        self._show(package_name)
        return len(self._at_hand) - 1

    def on_link_complete(self, index: int) -> None:
        self._done += 1
        self._show(self._at_hand[index])

    def on_unlink_start(self, operation: int, package_name: str) -> int:
        """Report it only if nothing is to be linked: a replaced package counts once."""
        return self.on_link_start(operation, package_name) if self._doing == "Unlinking" else -1

    def on_unlink_complete(self, index: int) -> None:
        """Count it if `on_unlink_start` reported it."""
        if index >= 0:
            self.on_link_complete(index)

    def _show(self, name: str) -> None:
        self._wire.show(ProgressReport(self._doing, name, self._done, self._total, "packages"))

    def on_post_link_start(self, package_name: str, _script: str) -> int:
        """Remember which script it is; the number comes back at its end."""
        self._names.append(package_name)
        return len(self._names) - 1

    def on_post_link_complete(self, index: int, success: bool) -> None:
        """Hand on the words that a script left for the user, in the file that conda shows."""
        with contextlib.suppress(OSError):
            self._wire.say(Path(self._prefix, ".messages.txt").read_text(errors="replace"))
        if not success:
            self.failed.append(self._names[index])

    on_pre_unlink_start = on_post_link_start
    on_pre_unlink_complete = on_post_link_complete


# As conda leaves it


def _finish(prefix: str, plan: Journal, config: CondaConfig, lock: Lock | NoLocks) -> None:
    _sweep(prefix, plan)
    there = records(prefix)
    python = PythonLayout.of(there.values())
    stale = bytecode.left(prefix, python)
    packages: dict[str, list[str]] = {}
    for item in plan.link:
        record = there[str(item.record["name"]).lower()]
        sources = conform(
            prefix, record, archive=item.archive, requested=item.requested, python=python
        )
        if python is not None:
            packages[item.folder] = bytecode.link_kept(prefix, python, item.folder, sources)
    for name, requested in plan.requested.items():
        if name in there:
            note_requested(prefix, there[name], requested)
    _write_history(prefix, plan, config)
    _register(prefix)
    journal.clear(prefix)
    if python is None or not (stale or any(packages.values())):
        bytecode.forget(prefix)
        lock.release()
    else:
        bytecode.compile_behind(prefix, python, stale, packages, lock.release)


def _sweep(prefix: str, plan: Journal) -> None:
    """Take away what an attempt that was killed left: half-written files, empty folders."""
    metadata = Path(prefix, "conda-meta")
    for partial in (*metadata.glob(".*.partial"), *metadata.glob("prefix_record_??????")):
        partial.unlink()
    for name in (".refprobe-??????", "symtest_*-*-*-*-*"):  # where rattler tries how it can copy
        for probe in Path(prefix).glob(name):
            link = probe.is_symlink()  # also one to a folder
            shutil.rmtree(probe) if probe.is_dir() and not link else probe.unlink()
    for folder in sorted(plan.folders, key=len, reverse=True):
        path = Path(prefix, folder)
        with contextlib.suppress(OSError):
            while path != Path(prefix):
                if path.is_dir():
                    _drop_bytecode(path)
                    path.rmdir()
                path = path.parent


def _drop_bytecode(folder: Path) -> None:
    """Remove the bytecode of a folder that holds nothing else."""
    if [entry.name for entry in folder.iterdir()] == ["__pycache__"]:
        shutil.rmtree(folder / "__pycache__")


def _write_history(prefix: str, plan: Journal, config: CondaConfig) -> None:
    path = os.path.join(prefix, "conda-meta", "history")
    if os.path.exists(path) and os.path.getsize(path) > plan.history_size:
        return  # an attempt that was cut off came this far
    after = {distribution(path, config) for path in conda_records(prefix)}
    condahistory.append(
        prefix,
        condahistory.entry(
            argv=plan.argv,
            before=condahistory.state(prefix),
            after=after,
            removed=plan.removed,
            updated=plan.updated,
        ),
    )


def _register(prefix: str) -> None:
    """Put the prefix on conda's list of environments, as conda does with every change."""
    path = Path.home() / ".conda" / "environments.txt"
    with contextlib.suppress(OSError):
        listed = path.read_text().splitlines() if path.exists() else []
        if prefix not in listed:
            path.parent.mkdir(exist_ok=True)
            with path.open("a") as file:
                file.write(f"{prefix}\n")
