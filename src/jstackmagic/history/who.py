"""The context of a record: user, host, process, kernel and container."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from pathlib import Path

from ..io.runtime import process_identity
from ..model.record import Context
from ..version import __version__


def context(*, notebook: str = "", container: str = "", image: str = "") -> Context:
    """Return the user, host, process and kernel that make a record.

    Args:
        notebook: Its path if the caller knows it (VS Code's ``__vsc_ipynb_file__``); otherwise
            Jupyter Server's ``JPY_SESSION_NAME`` is taken.
    """
    pid = os.getpid()
    return Context(
        user=_user(),
        host=os.uname().nodename,
        pid=pid,
        process=process_identity(pid),
        kernel=_kernel_id(),
        notebook=notebook or os.environ.get("JPY_SESSION_NAME", ""),
        container=container,
        image=image,
        jstackmagic=__version__,
        virtual=virtual_packages(),
    )


def virtual_packages() -> tuple[str, ...]:
    """Return the virtual packages that decide between builds, as conda names them.

    ``CONDA_OVERRIDE_*`` precedes what is found: the CUDA that the driver serves (the CUDA
    driver API's cuDriverGetVersion, 12040 for 12.4), and the C library's version.
    """
    cuda = os.environ.get("CONDA_OVERRIDE_CUDA")
    glibc = os.environ.get("CONDA_OVERRIDE_GLIBC")
    if cuda is None and os.path.exists("/proc/driver/nvidia/version"):
        cuda = _driver_cuda()
    if glibc is None:
        try:
            glibc = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")[2]
        except (ValueError, OSError):  # another C library
            glibc = ""
    found = {"__cuda": cuda, "__glibc": glibc}
    return tuple(f"{name}={version}" for name, version in found.items() if version)


@lru_cache(maxsize=1)
def _driver_cuda() -> str:
    import ctypes

    number = ctypes.c_int()
    try:
        if ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(number)):
            return ""
    except (OSError, AttributeError):
        return ""
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a uid without an entry in /etc/passwd
        return str(os.getuid())


def _kernel_id() -> str:
    """Return the id in the name of this kernel's connection file, ``kernel-ID.json``."""
    kernelapp = sys.modules.get("ipykernel.kernelapp")
    if kernelapp is None or not kernelapp.IPKernelApp.initialized():
        return ""
    return Path(kernelapp.IPKernelApp.instance().connection_file).stem.removeprefix("kernel-")


def lives(context: Context) -> bool:
    """Return whether the process that made a record still runs, on this machine."""
    if context.host != os.uname().nodename or not context.process:
        return False
    return context.process == process_identity(context.pid)
