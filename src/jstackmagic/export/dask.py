"""A dask_environment.py: plugins that install on Dask's workers, and what dask-gateway passes on.

The workers' image is better where it can be had: `%envexport dockerfile --from` the image that
they run. To send what is here to a cluster that is connected: `%envsync`.
"""

from __future__ import annotations

from ._artifact import Artifact
from ._for_workers import WorkerList, for_workers

_TEXT = '''\
"""Made by jstackmagic from the record of what was installed.

    for plugin in PLUGINS:
        client.register_plugin(plugin)

ENVIRONMENT is for dask-gateway's option `environment`: Dask's own images install what it names.
It is for workers with Python {python}.
"""

from distributed.diagnostics.plugin import CondaInstall, PipInstall

CONDA = {conda}
CHANNELS = {channels}
PIP = {pip}
PIP_OPTIONS = {options}

PLUGINS = [
    *([CondaInstall(CONDA, conda_options=CHANNELS)] if CONDA else []),
    *([PipInstall(PIP, pip_options=PIP_OPTIONS)] if PIP else []),
]
ENVIRONMENT = {{
    "EXTRA_CONDA_PACKAGES": " ".join([*CHANNELS, *CONDA]),
    "EXTRA_PIP_PACKAGES": " ".join([*PIP_OPTIONS, *PIP]),
}}
'''


def _written(found: WorkerList) -> Artifact:
    import yaml

    content = yaml.safe_load(found.text) if found.is_conda else {}
    conda, pip = [], [] if found.is_conda else found.text.splitlines()
    for each in content.get("dependencies", ()):
        if isinstance(each, dict):
            pip += each["pip"]
        elif each != "pip" and each.partition("=")[0] != "python":
            conda.append(each)
    channels = [word for channel in content.get("channels", ()) for word in ("-c", channel)]
    options = [word for line in pip if line[:1] == "-" for word in line.split(" ", 1)]
    pip = [line for line in pip if line[:1] not in ("-", "")]
    lists = {"conda": conda, "channels": channels, "pip": pip, "options": options}
    written = {key: _list(value) for key, value in lists.items()}
    text = _TEXT.format(python=found.chosen.python or "3", **written)
    local = "Local files must lie at the same paths where the workers start."
    return found.artifact(text, *([local] if found.files else []), beside=False)


def _list(values: list[str]) -> str:
    """Return a list as Python writes it, a line a value."""
    lines = "".join(f"    {value!r},\n" for value in values)
    return f"[\n{lines}]" if values else "[]"


FORMAT = for_workers(__doc__, "dask_environment.py", _written)
