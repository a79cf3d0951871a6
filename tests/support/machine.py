"""Install on this machine what the tests need of Debian: all of it, before the first of them.

    python3 tests/support/machine.py

is a step of ``tests/run``: as root, or by sudo where that asks for no password. It needs nothing
but the standard library. The tests only look, by `program`; what cannot be installed is said, and
they skip what needs it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACKAGES = {
    "/usr/include/errno.h": ("libc6-dev",),
    "/usr/lib/python3/dist-packages/pip": ("python3-pip",),  # what Debian installed beside Python
    "cc": ("gcc",),
    "chromium-headless-shell": ("chromium-headless-shell",),
    "docker": ("docker-cli", "docker.io"),  # its own package since Debian 13
    "docker-registry": ("docker-registry",),
    "dockerd": ("docker.io",),
    "git": ("git",),
    "htpasswd": ("apache2-utils",),
    "ip": ("iproute2",),
    "libatomic.so.1": ("libatomic1",),  # of the Node.js that drives Chromium
    "mmdebstrap": ("mmdebstrap",),
    "openssl": ("openssl",),
    "pg_ctlcluster": ("postgresql",),
    "prometheus": ("prometheus",),
    "podman": ("podman",),
    "skopeo": ("skopeo",),
    "ssh-keygen": ("openssh-client",),
    "sudo": ("sudo",),
    "umoci": ("umoci",),
}
"""The Debian packages that have a program, a library or a file; the first that apt knows is
installed."""

_LOCK_SECONDS = 300  # for another program at apt's or dpkg's lock, whom apt-get names in the end
_SECONDS = 1800  # for all of it
_PACE = 5  # seconds between two lines of progress
_ROOM = 6_000_000_000  # bytes: a whole run writes 2.4e9 to the temporary folder, images come to it

# not by $PATH: what a user has put first there may be a client of any kind
_PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """There is no such thing here; the message is a reason to skip a test."""


def program(name: str) -> str:
    """Return the path of a program that the test command installs.

    Raises:
        Unavailable: It is not here.
    """
    path = shutil.which(name, path=_PLACES)
    if path is None:
        raise Unavailable(f"{name} is not installed: python3 tests/support/machine.py as root")
    return path


def as_root(*, environ: bool = False) -> tuple[str, ...]:
    """Return the words before a command that needs root; `environ` keeps the variables."""
    if os.geteuid() == 0:
        return ()
    return ("sudo", "-n", *(["--preserve-env"] if environ else []))


def main() -> None:
    _require_room(Path(tempfile.gettempdir()), Path.home())
    missing = [name for name in _PACKAGES if not _is_here(name)]
    if not missing and (_lists_are_fresh() or not shutil.which("apt-get")):
        print("What the tests need of Debian is installed.")
        return
    if not shutil.which("apt-get"):
        _give_up(missing, "there is no apt-get here")
    elif not has_sudo():
        _give_up(missing, "apt-get needs root, or sudo without a password")
    elif os.geteuid() != 0:
        os.execvp("sudo", [*as_root(), sys.executable, os.path.abspath(__file__)])
    else:
        _install(missing)


def _require_room(*folders: Path) -> None:
    """Stop before the first test where the disk would be full in the middle of them."""
    for folder in filter(Path.exists, folders):
        free = shutil.disk_usage(folder).free
        if free < _ROOM:
            sys.exit(
                f"The tests need {_ROOM / 1e9:.0f} GB of free disk below {folder}, and it has"
                f" {free / 1e9:.1f}. Nothing was run. `du -xh --max-depth=2 {folder} | sort -h`"
                " shows what takes it."
            )


def _is_here(name: str) -> bool:
    if name.startswith("/"):
        return os.path.exists(name)
    if ".so." not in name:
        return shutil.which(name, path=_PLACES) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _lists_are_fresh() -> bool:
    """Whether tests that ask what apt would do are answered: jstackmagic asks no older lists."""
    try:
        fetched = Path("/var/lib/apt/lists/partial").stat().st_mtime
    except OSError:
        return False
    sources = (path.stat().st_mtime for path in Path("/etc/apt").glob("sources.list*"))
    # a day is jstackmagic's limit; the tests that begin now end before it
    return fetched > max([*sources, time.time() - 20 * 3600])


def _give_up(missing: Sequence[str], reason: str) -> None:
    if missing:
        print(f"Not installed, and what needs it is skipped: {', '.join(missing)} ({reason}).")


def has_sudo() -> bool:
    """Whether this user is root, or becomes it by sudo without a password."""
    if os.geteuid() == 0:
        return True
    if not shutil.which("sudo"):
        return False
    asked = subprocess.run(["sudo", "-n", "true"], check=False, capture_output=True)
    return asked.returncode == 0


def _install(missing: Sequence[str]) -> None:
    if missing:
        print(f"To be installed for the tests: {', '.join(missing)}.", flush=True)
    with _no_services(), tempfile.TemporaryFile("w+") as log:
        _apt_get("update", log=log)
        packages = sorted({_package(name) for name in missing})
        if packages and _apt_get("install", *packages, log=log) != 0:
            for package in packages:  # one that cannot be installed keeps no other away
                _apt_get("install", package, log=log)
        left = [name for name in missing if not _is_here(name)]
        if left:
            log.seek(0)
            print(log.read()[-3000:])
            _give_up(left, "apt-get said the above")


def _package(name: str) -> str:
    for package in _PACKAGES[name][:-1]:
        shown = subprocess.run(
            ["apt-cache", "show", package], check=False, capture_output=True, text=True
        )
        if f"Package: {package}\n" in shown.stdout:
            return package
    return _PACKAGES[name][-1]


def _apt_get(verb: str, *packages: str, log: object) -> int:
    """Run apt-get; show every few seconds how far it is.

    Lines of its status say ``dlstatus:N:PERCENT:WORDS`` while it downloads, then
    ``pmstatus:PACKAGE:PERCENT:WORDS`` (apt's README.progress-reporting).
    """
    print(f"apt-get {' '.join((verb, *packages))}", flush=True)
    reader, writer = os.pipe()
    command = ["apt-get", "--quiet", "--yes", "--no-install-recommends"]
    command += ["-o", f"DPkg::Lock::Timeout={_LOCK_SECONDS}", "-o", f"APT::Status-Fd={writer}"]
    process = subprocess.Popen(
        ["timeout", str(_SECONDS), *command, verb, *packages],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=log,  # type: ignore[call-overload]
        stderr=subprocess.STDOUT,
        pass_fds=[writer],
    )
    os.close(writer)
    last = time.monotonic()
    with os.fdopen(reader) as status:
        for line in status:
            kind, _, rest = line.strip().partition(":")
            words = rest.split(":", 2)
            if time.monotonic() - last > _PACE and len(words) == 3:
                step = "download" if kind == "dlstatus" else words[0]
                print(f"  {float(words[1]):3.0f} %  {step}: {words[2]}", flush=True)
                last = time.monotonic()
    return process.wait()


@contextlib.contextmanager
def _no_services() -> Iterator[None]:
    """Debian's own way to install a program without starting its service.

    A dockerd that the package starts would be a second one beside the tests' own.
    """
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
