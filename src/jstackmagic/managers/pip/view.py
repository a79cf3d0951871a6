"""pip's own view of an environment, through pip-api with the environment's interpreter."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from ...io import process
from ...model.environment import Environment
from ...model.errors import CommandFailed
from ...model.packages import normalise
from ...model.plan import Command
from .. import View
from .present import version_on_disk

_SECONDS = 120.0

# In a process of its own: pip-api asks PIPAPI_PYTHON_LOCATION's pip for its version once, when it
# is imported, and would keep that of another interpreter.
_SCRIPT = """
import json, os, sys
import pip_api
found = pip_api.installed_distributions()
hashes = {path: pip_api.hash(path) for path in sys.argv[1:] if os.path.isfile(path)}
print(json.dumps([{name: str(item.version) for name, item in found.items()}, hashes]))
"""


def view(environment: Environment, files: Sequence[str] = ()) -> View | None:
    """Ask the environment's own pip; None if it has no Python or no pip.

    Raises:
        CommandFailed: pip cannot list the packages.
    """
    if environment.executable is None or version_on_disk(environment) is None:
        return None
    command = Command(
        (sys.executable, "-c", _SCRIPT, *files),
        environ=(("PIPAPI_PYTHON_LOCATION", environment.executable),),
        without=("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV"),
    )
    done = process.capture(command, timeout=_SECONDS)
    if done.exit_status != 0:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.exit_status}"])[-1]
        raise CommandFailed(last)
    versions, hashes = json.loads(done.stdout)
    return View(
        {normalise(name): version for name, version in versions.items()},
        {os.path.abspath(path): digest for path, digest in hashes.items()},
    )
