"""A page being written: the common part of a Dockerfile and a script.

The managers write its steps, through `jstackmagic.managers.page.Page`.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..managers import get
from ..managers.page import NOTHING, Command, Downloads, Making
from ..model.credentials import MASK, mask
from ..model.environment import EnvironmentRef
from ..model.managers import of_environment
from ..model.packages import ManagerName, Package
from ..model.pins import Pin, pinned_spec
from ..model.recipe import Item, Recipe, RecipeStep, Style
from ..model.spec import Spec
from ..model.words import quoted, quoted_spec
from ._artifact import LEFT_BEHIND, Artifact, File
from ._beside import FOLDER, UNSAFE, Beside, generated

_SAFE_PATH = re.compile(r"(?:/[\w.+@,-]+)+", re.ASCII)
_FLAGS = {"-r": "--requirement", "-c": "--constraint", "-e": "--editable"}
_SERVER = '$(dirname "$(dirname "$(command -v jupyter || command -v python3)")")'
_MOUNTED = ("/home/", "/root/", "/Users/", "/workspace/", "/workspaces/", "/work/")
"""Homes and workspaces, over which hubs and development containers mount what outlives them."""
_CACHE = "--mount=type=cache,id=jstackmagic-{}"


@dataclass
class _RunLines:
    """One RUN instruction."""

    commands: list[Command]  #: joined by ``&&``
    mounts: tuple[str, ...] = ()  #: caches
    secrets: tuple[str, ...] = ()  #: the ids of the build secrets that they read
    shell: str = ""  #: the bash line before them, in the exec form; empty for the shell form
    alone: bool = False  #: whether it has no part of its own, so that it can share an instruction
    head: str = ""  #: lines above it

    def __str__(self) -> str:
        mounts = [f"--mount=type=secret,id={key},required=true,mode=0444" for key in self.secrets]
        mounts += self.mounts
        head = f"{self.head}RUN"
        if self.shell:
            line = " && ".join((self.shell, *(" ".join(command) for command in self.commands)))
            return " ".join((head, *mounts, json.dumps(["bash", "-c", line], ensure_ascii=False)))
        lines = " && \\\n    ".join(" \\\n    ".join(command) for command in self.commands)
        return f"{head} " + " \\\n    ".join((*mounts, lines))


class WrittenPage:
    """One page being written; its subclasses are the styles of a Dockerfile, and the script."""

    style: Style | Literal["script"]  #: the pattern to follow
    default_image = ""  #: the default base image; empty if it cannot be guessed
    shell = ""  #: the SHELL instruction
    #: the final user of the image, who also runs what serves one environment; empty if unknown
    user = ""
    copy = "COPY"  #: the COPY instruction up to its paths
    #: the commands after an install into an environment, in the same layer
    permissions: tuple[str, ...] = ()
    owner = (0, 0)  #: the numbers of the user and group who run that: a mount takes no variables
    #: the folder for kernelspecs, in the server's own environment: a volume mounted over the home
    #: folder hides what the image has there
    kernels = f'--prefix "{_SERVER}"'
    _beside: Beside

    def __init__(
        self,
        pin: Pin,
        *,
        cache_mounts: bool = False,
        brought: Iterable[str] = (),
        programs: Mapping[ManagerName, str] | None = None,
    ) -> None:
        self.pin: Pin = pin
        self.notes: list[str] = []
        self.programs = programs or {}
        self.brought = {prefix.rstrip("/") for prefix in brought}
        self._caches = cache_mounts
        self._blocks: list[_RunLines | str] = []
        self._files: dict[str, File] = {}
        self._secrets: dict[tuple[str, str], str] = {}
        self._reads: list[str] = []
        self._user = ""
        self._ready: set[str] = set()
        self._system = False
        self._held: dict[str, tuple[Package, ...]] = {}
        self._steps: tuple[RecipeStep, ...] = ()

    def render(self, recipe: Recipe, *, image: str, own: RecipeStep | None = None) -> Artifact:
        """Write everything; without an image, a fragment."""
        steps = (*recipe.steps, own) if own else recipe.steps
        self.take_in(replace(recipe, steps=steps))
        self._blocks.append("# Made by jstackmagic from the record of what was installed.")
        if image:
            self._blocks += [f"ARG BASE_IMAGE={image}", "FROM $BASE_IMAGE"]
        if not steps:
            self._blocks.append("# Nothing was installed: this is the base image as it is.")
            return self._artifact()
        if image and self.shell:
            self._blocks.append(self.shell)
        for step in recipe.steps:
            self._step(step)
        if own:
            self._blocks.append("# jstackmagic itself, with which this image can be recorded on.")
            self._step(own)
        self._become(self.user)
        return self._artifact()

    def take_in(self, recipe: Recipe) -> None:
        """Read the files next to the page, and its environments' packages."""
        self._beside = Beside(recipe)
        self._steps = recipe.steps
        for holding in recipe.holdings:
            if holding.environment is not None:
                prefix = holding.environment.prefix
                self._held[prefix] = (*self._held.get(prefix, ()), *holding.packages)

    def _step(self, step: RecipeStep) -> None:
        self._become(self._user_of(step.environment))
        self._system = step.environment is None
        if step.environment is not None and step.environment.prefix not in self._ready:
            self._ready.add(step.environment.prefix)
            self._make_ready(step.environment)
        get(step.manager).write(step, self)

    def _artifact(self) -> Artifact:
        if self._secrets:
            options = " ".join(f"--secret id={key},src=FILE" for key in self._secrets.values())
            self.notes.append(
                f"Credentials were left out; BuildKit passes them: docker build {options} ."
            )
        self.notes += [
            f"The FILE of the secret {key} holds {whole(text)}."
            for (_, text), key in self._secrets.items()
        ]
        return self._written(self._blocks)

    def _written(self, blocks: Iterable[object], *, executable: bool = False) -> Artifact:
        return Artifact(
            "\n".join(map(str, blocks)) + "\n",
            tuple(self._files.values()),
            self.notes,
            {key: text for (_, text), key in self._secrets.items()},
            executable=executable,
        )

    # -- environments and users

    def _user_of(self, environment: EnvironmentRef | None) -> str:
        return "root" if environment is None else self.user

    def _become(self, user: str) -> None:
        if self.user and user != self._user:
            self._user = user
            self._blocks.append(f"USER {user}")

    def _make_ready(self, environment: EnvironmentRef) -> None:
        """Make the environment, and a kernelspec for it, if the image has none."""
        for manager in of_environment():
            making = get(manager).make(environment, self)
            if making is not None and environment.prefix.rstrip("/") not in self.brought:
                python = self.inside(environment, "/bin/python")
                name = UNSAFE.sub("-", environment.name or posixpath.basename(environment.prefix))
                kernel = f"{python} -m ipykernel install {self.kernels} --name={quoted(name)}"
                kernel = kernel if environment.minor else ""
                self._note_mounts(environment)
                if not kernel or self._user in ("", "root", "0") or self.style == "stacks":
                    self._guard(making, (*making.commands, *([kernel] if kernel else ())))
                    continue
                self._guard(making, making.commands)
                user = self._user  # who may not write to the server's own environment
                self._become("root")
                self.run(
                    [[f'test -e "{_SERVER}/share/jupyter/kernels/"{quoted(name)} || {kernel}']]
                )
                self._become(user)

    def _note_mounts(self, environment: EnvironmentRef) -> None:
        if self.style != "script" and self.inside(environment).strip("'").startswith(_MOUNTED):
            self.notes.append(
                f"{environment.prefix} is in a folder that is usually mounted: a volume there hides"
                " what the image has in it. Make the environment elsewhere, such as in /opt."
            )

    def _guard(self, making: Making, commands: Sequence[str]) -> None:
        body = " && \\\n        ".join(commands)
        guarded = f"if [ ! -e {making.there} ]; then \\\n        {body}; \\\n    fi"
        self.run([[guarded]], making.downloads)

    # -- for the managers

    @property
    def keeps(self) -> bool:
        return self._caches and not self._reads

    def inside(self, environment: EnvironmentRef, path: str = "") -> str:
        return quoted(environment.prefix.rstrip("/") + path)

    def steps(self, environment: EnvironmentRef) -> Iterable[RecipeStep]:
        own = environment.prefix
        return (step for step in self._steps if step.environment and step.environment.prefix == own)

    def held(self, environment: EnvironmentRef) -> Iterable[Package]:
        return self._held.get(environment.prefix, ())

    def word(self, item: Item) -> str:
        spec = pinned_spec(item, self.pin)
        *flag, word = spec.words
        before = f"{_FLAGS.get(flag[0], flag[0])} " if flag else ""
        if spec.path:
            to = self._project_folder(spec.path) if spec.editable else ""
            return before + self._word_of(self._beside.file(item), spec, to)
        return before + quoted_spec(word)

    def beside(self, name: str, content: str) -> str:
        """Write a file beside the page; return the word that names it, quoted."""
        return self._word_of(generated(name, content))

    def secret(self, purpose: str, text: str) -> str:
        """Return shell text that reads a credential's text from a secret, for double quotes."""
        return f"$(cat {self.secret_file(purpose, text)})"

    def secret_file(self, purpose: str, text: str) -> str:
        known = (purpose, mask(text))
        if known not in self._secrets:
            number = sum(other == purpose for other, _ in self._secrets) + 1
            self._secrets[known] = purpose if number == 1 else f"{purpose}_{number}"
        self._reads.append(self._secrets[known])
        return f"/run/secrets/{self._secrets[known]}"

    def note_local(self, place: str, what: str) -> None:
        if place.startswith(("file:", "/", "~", ".")):
            self.notes.append(f"The {what} {place} is on this machine: a build cannot reach it.")

    def comment(self, *lines: str) -> None:
        self._blocks += [f"# {line}" for line in lines]

    def need(self, text: str) -> None:
        """Have a script begin with a text."""

    def run(
        self, commands: Sequence[Command], downloads: Downloads = NOTHING, *, shell: str = ""
    ) -> None:
        """Add a RUN; one that is a single command joins another such, as hadolint asks (DL3059)."""
        kept = self.keeps and downloads != NOTHING
        tidy = () if kept else downloads.clean
        tidy += () if self._system else self.permissions
        run = _RunLines(
            [*commands, *([each] for each in tidy)],
            secrets=tuple(dict.fromkeys(self._reads)),
            shell=shell,
            alone=not (tidy or kept or shell),
        )
        self._reads.clear()
        if kept:
            self._mount(run, downloads)
        last = self._blocks[-1]
        if isinstance(last, _RunLines) and last.alone and run.alone:
            last.commands += run.commands
            last.secrets = tuple(dict.fromkeys(last.secrets + run.secrets))
        else:
            self._blocks.append(run)

    def _mount(self, run: _RunLines, downloads: Downloads) -> None:
        run.mounts = tuple(
            f"{_CACHE.format(name)},target={target},sharing=locked"
            for name, target in downloads.mounts
        )
        if downloads.variable:
            uid, gid = self.owner
            cache = f"{_CACHE.format(f'packages-{uid}')},target=/mnt,uid={uid},gid={gid}"
            run.mounts += (f"{cache},sharing=locked",)
            folder = downloads.variable.partition("_")[0].lower()
            run.commands.insert(0, [f"export {downloads.variable}=/mnt/{folder}"])
        if downloads.hadolint:  # hadolint knows a cache that is mounted only where root has it
            run.head = f"# hadolint ignore={downloads.hadolint}\n"

    # -- files

    def _word_of(self, file: File, spec: Spec | None = None, to: str = "") -> str:
        copied = self._copy(file, to=to)
        return quoted(spec.elsewhere(copied) if spec else copied)

    def _project_folder(self, path: str) -> str:
        """Return the folder of an editable project: its own path, if COPY can express that."""
        self.notes.append(
            f"{path} is copied as it is, without {', '.join(LEFT_BEHIND[:3])} and the like."
        )
        if _SAFE_PATH.fullmatch(path):
            return path
        return f"/opt/{FOLDER}/{UNSAFE.sub('_', posixpath.basename(path))}"

    def _copy(self, file: File, *, to: str = "") -> str:
        to = to or f"/tmp/{file.name}"  # noqa: S108
        self._take(file)
        line = f"{self.copy} {file.name} {to}"
        if line not in self._blocks:
            self._blocks.append(line)
        return to

    def _take(self, file: File) -> None:
        self._files.setdefault(file.source if isinstance(file.source, str) else file.name, file)


def whole(text: str) -> str:
    """Describe a secret's text, without its credential or variables."""
    left_out = "the credential for ****" if MASK in text else "its variables filled in"
    return f"{text}, with {left_out}"
