"""The right to use sudo, for a test's own programs alone."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("sudo") is None,
    reason="needs root, to set up a user who may use sudo, and sudo",
)


def sudoers(folder: Path, user: str) -> list[str]:
    """Return the words before a command, below which a user may do all by sudo.

    The rule lies where only that command's mount namespace has it: tests that run beside it see
    none, and none is left if it is killed.
    """
    rules = folder / "sudoers"
    rules.mkdir(mode=0o755)
    (rules / "rule").write_text(
        f'Defaults env_keep += "APT_CONFIG"\n{user} ALL=(ALL) NOPASSWD: ALL\n'
    )
    (rules / "rule").chmod(0o440)
    mount = 'mount --bind "$0" /etc/sudoers.d && exec "$@"'
    words = ["unshare", "--mount", "sh", "-c", mount, str(rules)]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs a mount namespace of its own")
    return words
