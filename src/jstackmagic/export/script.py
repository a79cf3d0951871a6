"""A plain shell script that makes the same installs: for people with none of the other tools.

It is POSIX, says before it begins what it lacks, and can be run again: what is there stays.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from ..managers.page import NOTHING, Command, Downloads, Making
from ..model.environment import EnvironmentRef
from ..model.pins import Pin
from ..model.recipe import Recipe
from ..model.spec import Spec
from ..model.words import quoted
from ._artifact import Artifact, File
from ._format import PIN, Format
from ._page import WrittenPage, whole

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

_KERNELS = """\
kernels() {  # the server's own environment, or this user's home where that is not ours to write
    server=$(dirname -- "$(dirname -- "$(command -v jupyter || command -v python3)")")
    if [ -w "${server}" ]; then echo "--prefix=${server}"; else echo --user; fi
}"""


def render(recipe: Recipe, *, pin: Pin = "exact") -> Artifact:
    """Render a recipe as a shell script; see `Format.render`."""
    return _Script(pin).script(recipe)


class _Script(WrittenPage):
    style = "script"
    kernels = '"$(kernels)"'

    def script(self, recipe: Recipe) -> Artifact:
        """Write everything: the needed programs first, then the steps."""
        self._needs: dict[str, None] = {}
        self.take_in(recipe)
        for step in recipe.steps:
            self._step(step)
        blocks = [_HEAD]
        if self._files:
            blocks.append(_HERE)
        if self._secrets:
            blocks += [_SECRETS, *(f"need {key}" for key in self._secrets.values())]
        blocks += self._needs
        if any(self.kernels in str(block) for block in self._blocks):
            blocks.append(_KERNELS)
        if not recipe.steps:
            blocks.append("# Nothing was installed.")
        self.notes += [
            f"The file {key}, in the folder that JSTACKMAGIC_SECRETS names, must hold"
            f" {whole(text)}."
            for (_, text), key in self._secrets.items()
        ]
        return self._written([*blocks, *self._blocks], executable=True)

    def need(self, text: str) -> None:
        self._needs[text] = None

    def run(
        self, commands: Sequence[Command], downloads: Downloads = NOTHING, *, shell: str = ""
    ) -> None:
        """Write a line a command: in a chain of ``&&``, ``set -e`` overlooks all but the last."""
        self._reads.clear()
        self._blocks += [" \\\n    ".join(command) for command in commands]

    def _guard(self, making: Making, commands: Sequence[str]) -> None:
        body = "\n    ".join(commands)
        self._blocks.append(f"if [ ! -e {making.there} ]; then\n    {body}\nfi")

    def inside(self, environment: EnvironmentRef, path: str = "") -> str:
        if environment.kind == "conda-base":
            return f'"${{root}}{path}"'
        if environment.kind == "conda-named":
            name = environment.name or posixpath.basename(environment.prefix)
            return f'"${{root}}"{quoted(f"/envs/{name}{path}")}'
        return super().inside(environment, path)

    def _word_of(self, file: File, spec: Spec | None = None, to: str = "") -> str:
        self._take(file)
        tail = spec.tail if spec else ""
        return f'"${{here}}"{quoted(f"/{file.name}{tail}")}'

    def _project_folder(self, path: str) -> str:
        self.notes.append(f"{path} is copied, and installed from the copy beside the script.")
        return ""

    def secret_file(self, purpose: str, text: str) -> str:
        super().secret_file(purpose, text)
        return f'"${{secrets}}/{self._reads[-1]}"'


FORMAT = Format(
    description=__doc__,
    files={"install.sh": {}},
    render=render,
    options=(PIN,),
)
