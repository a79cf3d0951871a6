"""The Debian packages of here as layers: their files, and what says that they are installed."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from ...where.metadata import dpkg_folder
from .. import asroot
from ..root import Root
from . import disk
from .contents import LayerItem
from .disk import Fault
from .normal import accounts, locked, paragraphs

STATUS = "/var/lib/dpkg/status"
MARKS = "/var/lib/apt/extended_states"
CACHE = "/etc/ld.so.cache"
_LISTS = ("/var/lib/dpkg/diversions", "/var/lib/dpkg/statoverride", "/var/lib/dpkg/triggers/File")
ACCOUNTS = (("/etc/passwd", "/etc/shadow", 9), ("/etc/group", "/etc/gshadow", 4))

_LEFT_OUT = re.compile(
    r"/(?:dev|home|media|mnt|proc|root|run|sys|tmp)"
    r"|/var/(?:backups|cache|log|mail|spool|tmp|lib/apt|lib/dpkg/(?!alternatives$).*)"
    # files that the engine, the system or an installer writes for each machine, and backups
    r"|/etc/(?:hosts|hostname|resolv\.conf|mtab|machine-id|\.pwd\.lock|ld\.so\.cache)"
    r"|/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-?"
    r"|/etc/ssh/ssh_host_.*|/etc/ssl/private|/etc/ssl/certs/ssl-cert-snakeoil\.pem"
    r"|/var/lib/dbus/machine-id|/etc/jstackmagic|.*\.dpkg-(?:old|dist|new|tmp)|/\.dockerenv"
)
"""Paths that belong to one machine, one user or one moment."""


class Shipped:
    """Files of a Debian package that this user may not read, as the package brought them.

    Those that were changed since may hold what is for root alone, and are in no image.
    """

    def __init__(self, name: str, architecture: str) -> None:
        self._stem, self._name = _stem(name, architecture), name.partition(":")[0]

    def __call__(self, path: str) -> bytes | None:
        """Return a file's content; None if it cannot be read or was changed."""
        found = asroot.content(path)
        if found is None:
            return None
        digest = hashlib.md5(found, usedforsecurity=False).hexdigest()
        return found if self._sums.get(path) == digest else None

    @cached_property
    def _sums(self) -> dict[str, str]:
        """Return the MD5 of each file, from dpkg's lists."""
        sums = disk.read(f"{self._stem}.md5sums").decode(errors="replace")
        rows = (line.partition("  ") for line in sums.splitlines())
        found = {f"/{path}": digest for digest, _, path in rows}
        status = disk.read(f"{dpkg_folder()}/status").decode(errors="replace")
        for paragraph in status.split("\n\n"):
            if paragraph.startswith(f"Package: {self._name}\n"):
                found |= dict(re.findall(r"^ (/\S+) ([0-9a-f]{32})\b", paragraph, re.MULTILINE))
        return found


def _stem(name: str, architecture: str) -> str:
    plain, _, foreign = name.partition(":")
    folder = str(dpkg_folder())
    stem = f"{folder}/info/{plain}:{foreign or architecture}"
    return stem if os.path.exists(f"{stem}.list") else f"{folder}/info/{plain}"


def owned(name: str, architecture: str) -> tuple[str, ...]:
    """Return the files of an installed Debian package, and dpkg's own about it."""
    stem = _stem(name, architecture)
    lines = disk.read(f"{stem}.list").decode("utf-8", "surrogateescape").splitlines()
    about = glob.glob(f"{glob.escape(stem)}.*")
    return (*(line for line in lines if line not in ("/.", "")), *sorted(about))


def made_by_scripts(
    base: Root, spans: Sequence[tuple[float, float]], known: Collection[str], fault: Fault
) -> Iterator[LayerItem]:
    """Yield what packages' scripts changed: alternatives, links of units, triggers' caches.

    Args:
        spans: The recorded times of Debian installs.
        known: Environments, which are not the system's, and files that are in the layer already.
        fault: Called with the paths that cannot be in an image.
    """

    def skip(path: str) -> bool:
        return path in known or _LEFT_OUT.fullmatch(path) is not None

    for path in disk.changed("/", spans, skip):
        made = disk.item(path, fault)
        if made is None or (made.kind == "folder" and made.path in base.entries):
            continue
        if made.kind == "folder" and not os.access(path, os.R_OK | os.X_OK):
            fault(f"{path} cannot be looked into by this user.")
        elif not disk.holds_secret(made):
            yield made


def state(base: Root, moved: Collection[str]) -> Iterator[LayerItem]:
    """Yield the system's state: dpkg's and apt's lists, the accounts.

    They are the base's own, except for recorded packages: other packages here are not in the
    image, and no list may contain them.

    Args:
        moved: The names of the packages that were installed, changed or removed.
    """
    for path in (STATUS, MARKS):
        was = base.contents.get(path, b"")
        content = paragraphs(was, disk.read(path), moved)
        if content != paragraphs(was, was, ()):
            yield disk.text(path, content)
    for path in (*_LISTS, CACHE):
        made = disk.item(path, lambda _: None)
        if made is not None:
            yield made
    for path, shadow, fields in ACCOUNTS:
        content, new = accounts(base.contents.get(path, b""), disk.read(path))
        if not new:
            continue
        yield disk.text(path, content, _as_in(base, path))
        if shadow in base.contents:
            # this user may not read it, and no password of here is to be in an image
            secret = locked(base.contents[shadow], new, fields)
            yield disk.text(shadow, secret, _as_in(base, shadow))


def _as_in(base: Root, path: str) -> LayerItem:
    entry = base.entries[path]
    return LayerItem(path, mode=entry.mode, uid=entry.uid, gid=entry.gid)
