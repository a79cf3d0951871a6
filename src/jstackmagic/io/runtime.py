"""The folder of this container's own state, which dies with it, unlike the home volume.

`%load_ext jstackmagic` imports this module: nothing but the standard library at its head.
"""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def runtime_folder() -> Path:
    """Return the folder, made or not: in ``$XDG_RUNTIME_DIR``, or among temporary files."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime, "jstackmagic")
    import tempfile

    return Path(tempfile.gettempdir(), f"jstackmagic-{os.geteuid()}")


def own_runtime_folder() -> Path:
    """Return the folder, made where it is missing, to write to.

    Raises:
        OSError: It cannot be made, or is not ours: in a folder for all, anybody may have made it.
    """
    path = runtime_folder()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_ours(path):
        raise PermissionError(errno.EPERM, "It belongs to another user", str(path))
    return path


def replay_file(history: Path) -> Path:
    """Return the file with the progress of a history's replay here."""
    return (
        runtime_folder() / f"replay-{zlib.crc32(os.fsencode(os.path.realpath(history))):08x}.json"
    )


def any_replay() -> bool:
    """Return whether a history was replayed here, as in few containers."""
    return any(runtime_folder().glob("replay-*.json"))


def is_ours(path: Path) -> bool:
    """Return True if this user owns a folder, which no other could then have filled."""
    try:
        return path.lstat().st_uid == os.geteuid()
    except OSError:
        return False


def process_identity(pid: int) -> str:
    """Boot, pid namespace and start time of a living process (proc(5)); empty if it is dead."""
    try:
        # the command, the only field that may hold spaces, is in parentheses
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return ""
    start_ticks = rest[18]  # field 22, and three are taken off
    return "" if state in "ZX" else f"{boot}/{namespace}/{start_ticks}"


def is_seen_here(identity: str) -> bool:
    """Return whether a process of that identity would be listed in this process's ``/proc``."""
    own = own_namespace()
    return bool(own) and identity.rpartition("/")[0] == own


def own_namespace() -> str:
    """Boot and pid namespace of this process: the head of `process_identity`."""
    return process_identity(os.getpid()).rpartition("/")[0]


@contextmanager
def variable(name: str, value: str) -> Iterator[None]:
    """Set a variable of this process inside this context; an empty value leaves it as it is."""
    before = os.environ.get(name)
    os.environ |= {name: value} if value else {}
    try:
        yield
    finally:
        os.environ.pop(name, None)
        os.environ |= {} if before is None else {name: before}
