"""A plain shell script that makes the same installs: for people with none of the other tools.

It is POSIX, says before it begins what it lacks, and can be run again: what is there stays.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from ..model.credentials import mask
from ._artifact import Artifact, File
from ._beside import Beside
from ._format import PIN, Format
from ._words import quoted, quoted_spec
from .dockerfile import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..model.environment import EnvironmentRef
    from ..model.packages import ManagerName
    from ..model.pins import Pin
    from ..model.recipe import Recipe


_HEAD = """\
#!/bin/sh
# Made by jstackmagic from the record of what was installed.
# It can be run again: what is there already stays.
set -eu
stop() {
    echo "$0: $1" >&2
    exit 1
}"""

_HERE = """\
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)"""

_SECRETS = """\
secrets=${JSTACKMAGIC_SECRETS:-/run/secrets}
need() {
    [ -r "${secrets}/$1" ] || stop "there is no secret ${secrets}/$1"
}"""

_ROOT = """\
command -v apt-get >/dev/null || stop "there is no apt-get here"
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}"""

_CONDA = """\
conda=$(command -v mamba || command -v conda || command -v micromamba) ||
    stop "there is no mamba, conda or micromamba here\""""

_CONDA_ROOT = """\
case ${conda} in
    */micromamba) root=${MAMBA_ROOT_PREFIX:?is where micromamba keeps its environments} ;;
    *) root=$(dirname -- "$(dirname -- "$(readlink -f -- "${conda}")")") ;;
esac"""

_CONDA_REMOVE = """\
conda_remove() {
    prefix=$1
    shift
    for package; do  # those that are there: conda fails over others
        if [ -n "$(find "${prefix}/conda-meta" -name "${package}-[0-9]*.json")" ]; then
            "${conda}" remove --yes --prefix "${prefix}" "${package}"
        fi
    done
}"""

_KERNELS = """\
kernels() {  # the server's own environment, or this user's home where that is not ours to write
    server=$(dirname -- "$(dirname -- "$(command -v jupyter || command -v python3)")")
    if [ -w "${server}" ]; then echo "--prefix=${server}"; else echo --user; fi
}"""

_PYTHON = """\
command -v python3 >/dev/null || stop "there is no python3 here\""""


def render(recipe: Recipe, *, pin: Pin = "exact") -> Artifact:
    """Render a recipe as a shell script.

    Args:
        recipe: What to install.
        pin: How exact to write versions.

    Raises:
        ExportError: Something cannot be said safely in a script.
    """
    return _Script(pin).script(recipe)


class _Script(Page):
    conda = '"${conda}"'
    clean_conda = ()
    clean_apt = ()
    kernels = '"$(kernels)"'
    apt_get = "as_root env DEBIAN_FRONTEND=noninteractive apt-get"
    _removes = False

    def script(self, recipe: Recipe) -> Artifact:
        """Write everything: what it needs first, then the steps."""
        self._beside = Beside(recipe)
        self.read_variants(recipe)
        for step in recipe.steps:
            self._step(step)
        kinds = {step.environment.kind for step in recipe.steps if step.environment}
        blocks = [_HEAD]
        if self._files:
            blocks.append(_HERE)
        if self._secrets:
            blocks += [_SECRETS, *(f"need {key}" for key in self._secrets.values())]
        if any(step.environment is None for step in recipe.steps):
            blocks.append(_ROOT)
        if any(kind.startswith("conda") for kind in kinds):
            blocks.append(_CONDA)
            if kinds & {"conda-base", "conda-named"}:
                blocks.append(_CONDA_ROOT)
            if self._removes:
                blocks.append(_CONDA_REMOVE)
        if any(not kind.startswith("conda") for kind in kinds):
            blocks.append(_PYTHON)
        if any(self.kernels in str(block) for block in self._blocks):
            blocks.append(_KERNELS)
        if not recipe.steps:
            blocks.append("# Nothing was installed.")
        blocks += map(str, self._blocks)
        self.notes += [
            f"The file {key}, in the folder that JSTACKMAGIC_SECRETS names, must hold {text}, with"
            " the credential for ****."
            for (_, text), key in self._secrets.items()
        ]
        return Artifact(
            "\n".join(blocks) + "\n",
            tuple(self._files.values()),
            tuple(dict.fromkeys(map(mask, self.notes))),
            {key: text for (_, text), key in self._secrets.items()},
            executable=True,
        )

    def _run(
        self,
        commands: list[list[str]],
        manager: ManagerName,  # noqa: ARG002
        secrets: Sequence[str] = (),  # noqa: ARG002
    ) -> None:
        """A line a command: in a chain of ``&&``, ``set -e`` overlooks all but the last."""
        self._blocks += [" \\\n    ".join(command) for command in commands]

    def _make_ready(self, environment: EnvironmentRef) -> None:
        if self._is_there(environment):
            return
        there, commands = self._making(environment)
        body = "\n    ".join(commands)
        self._blocks.append(f"if [ ! -e {there} ]; then\n    {body}\nfi")

    def _inside(self, environment: EnvironmentRef, path: str = "") -> str:
        if environment.kind == "conda-base":
            return f'"${{root}}{path}"'
        if environment.kind == "conda-named":
            name = environment.name or posixpath.basename(environment.prefix)
            return f'"${{root}}"{quoted(f"/envs/{name}{path}")}'
        return super()._inside(environment, path)

    def _target(self, environment: EnvironmentRef) -> str:
        return f"--prefix {self._inside(environment)}"

    def _pip_program(self, environment: EnvironmentRef) -> str:
        return (
            "python3 -m pip" if environment.kind == "system" else super()._pip_program(environment)
        )

    def _conda_removal(self, target: str, names: Sequence[str]) -> list[str]:
        self._removes = True
        return [f"conda_remove {target.removeprefix('--prefix ')}", *map(quoted_spec, names)]

    def _word_of(self, file: File, before: str = "", after: str = "", to: str = "") -> str:  # noqa: ARG002
        self._take(file)
        extras = "".join(re.findall(r"\[[^\]]*\]", before))
        return f'"${{here}}"{quoted(f"/{file.name}{extras}{after}")}'

    def _project_folder(self, path: str) -> str:
        self.notes.append(f"{path} is copied, and installed from the copy beside the script.")
        return ""

    def _secret_file(self, purpose: str, text: str, secrets: list[str]) -> str:
        super()._secret_file(purpose, text, secrets)
        return f'"${{secrets}}/{secrets[-1]}"'


FORMAT = Format(
    description=__doc__,
    files={"install.sh": {}},
    render=render,
    options=(PIN,),
)
