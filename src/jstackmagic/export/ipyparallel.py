"""An ipcluster_config.py: engines that run in this environment, and the list to make it of.

It belongs into the folder of a profile: `ipython profile create --parallel --profile=NAME`.
"""

from __future__ import annotations

from ._artifact import Artifact
from ._for_workers import WorkerList, for_workers

_TEXT = '''\
"""Made by jstackmagic from the record of what was installed.

The environment is made of {name}, which lies beside this file, on each machine of the engines.
"""

c = get_config()  # noqa: F821

ENGINE = [{python!r}, "-m", "ipyparallel.engine"]
for launcher in ("LocalEngineLauncher", "LocalEngineSetLauncher", "SSHEngineSetLauncher"):
    c[launcher].engine_cmd = ENGINE
'''


def _written(found: WorkerList) -> Artifact:
    python = f"{found.chosen.environment.prefix.rstrip('/')}/bin/python"
    note = f"The engines run {python}, and ipyparallel must be in that environment."
    return found.artifact(_TEXT.format(name=found.name, python=python), note)


FORMAT = for_workers(__doc__, "ipcluster_config.py", _written)
