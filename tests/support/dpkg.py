"""There is one dpkg on a machine: what looks at it and what changes it take turns."""

from __future__ import annotations

from filelock import FileLock

from . import cache

cache.ROOT.mkdir(parents=True, exist_ok=True)
TURN = FileLock(cache.ROOT / "dpkg.lock", thread_local=False)
"""Held by a test marked ``apt`` or ``dpkg`` while it runs, and by what installs for the tests."""
