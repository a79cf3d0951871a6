"""A runtime_env.yaml: what Ray makes on each node for the tasks of a job.

`ray job submit --runtime-env runtime_env.yaml`, or `ray.init(runtime_env=…)` with what it holds.
"""

from __future__ import annotations

from typing import Any

from ._artifact import Artifact
from ._for_workers import WorkerList, for_workers
from .conda import as_yaml


def _written(found: WorkerList) -> Artifact:
    import yaml

    content: dict[str, Any]
    if found.is_conda:
        content = {"conda": yaml.safe_load(found.text)}
    else:
        content = {"pip": {"packages": found.text.splitlines(), "pip_check": False}}
    notes = ["Ray needs conda on each node for it."] if found.is_conda else []
    if found.files:
        notes.append("Local files are found if this folder is the working_dir of the job.")
    return found.artifact(as_yaml(content), *notes, beside=False)


FORMAT = for_workers(__doc__, "runtime_env.yaml", _written)
