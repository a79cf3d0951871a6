"""Who makes a record: user, host, process, kernel and container."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ..model.record import Context
from ..version import __version__


def context(*, notebook: str = "", container: str = "", image: str = "") -> Context:
    """Return who we are: the user, host, process and kernel that a record is made by.

    Args:
        notebook: Its path where the caller knows it (VS Code's ``__vsc_ipynb_file__``); otherwise
            Jupyter Server's ``JPY_SESSION_NAME`` is taken.
        container: The id of the container we run in.
        image: The image of that container.
    """
    pid = os.getpid()
    return Context(
        user=_user(),
        host=os.uname().nodename,
        pid=pid,
        process=_process_identity(pid),
        kernel=_kernel_id(),
        notebook=notebook or os.environ.get("JPY_SESSION_NAME", ""),
        container=container,
        image=image,
        jstackmagic=__version__,
    )


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a uid without an entry in /etc/passwd
        return str(os.getuid())


def _kernel_id() -> str:
    """The id in the name of this kernel's connection file, ``kernel-ID.json``."""
    kernelapp = sys.modules.get("ipykernel.kernelapp")
    if kernelapp is None or not kernelapp.IPKernelApp.initialized():
        return ""
    return Path(kernelapp.IPKernelApp.instance().connection_file).stem.removeprefix("kernel-")


def _process_identity(pid: int) -> str:
    """Boot, pid namespace and start time of a living process (proc(5)); empty where it is dead."""
    try:
        # the command, the only field that may hold spaces, is in parentheses
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return ""
    start_ticks = rest[18]  # field 22, and three are taken off
    return "" if state in "ZX" else f"{boot}/{namespace}/{start_ticks}"


def lives(context: Context) -> bool:
    """Return whether the process that made a record still runs, on this machine."""
    if context.host != os.uname().nodename or not context.process:
        return False
    return context.process == _process_identity(context.pid)
