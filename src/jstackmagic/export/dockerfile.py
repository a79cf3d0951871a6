"""A Dockerfile that makes the same installs on top of the base image.

Three styles: ``stacks``, the pattern that the Jupyter Docker Stacks document today; ``legacy``, the
pattern of the images whose environments were called ``root`` and ``python2``; ``plain``, for any
other image. The order is apt, conda, pip, so that each finds what it builds on. Nothing needs
BuildKit but the secrets of private indexes and the caches that ``cache_mounts`` asks for, and there
are no heredocs.
"""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Literal, get_args

from ..model.credentials import mask
from ..model.errors import ExportError
from ..model.packages import ManagerName, Package
from ..model.pins import Pin, pinned
from ..model.spec import Constraint, read
from ..model.variants import cuda_of
from ..where.image import is_user, look_at_image
from ._artifact import LEFT_BEHIND, Artifact, File
from ._beside import FOLDER, UNSAFE, Beside, Place, generated, is_conda_archive, place_in
from ._format import PIN, Format, option
from ._images import check_image
from ._own import FLAG
from ._words import checked, holds_credential, quoted, quoted_spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..model.environment import EnvironmentRef
    from ..model.recipe import Item, Recipe, Step

Style = Literal["stacks", "legacy", "plain"]
STYLES: tuple[Style, ...] = get_args(Style)


_STACKS_IMAGE = re.compile(r"(?:[\w.-]+(?::\d+)?/)?jupyter/[\w-]+(?:[:@].*)?", re.ASCII)
_SAFE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]*", re.ASCII)
_SAFE_PATH = re.compile(r"(?:/[\w.+@,-]+)+", re.ASCII)
_SERVER = '$(dirname "$(dirname "$(command -v jupyter || command -v python3)")")'
_CONDA_PROGRAM = re.compile(r'[\w./-]+|"\$\{CONDA_DIR\}/[\w./-]+"', re.ASCII)
_FLAGS = {"-r": "--requirement ", "-c": "--constraint ", "-e": "--editable "}


def render(
    recipe: Recipe,
    *,
    style: Style | None = None,
    base_image: str = "",
    fragment: bool = False,
    pin: Pin = "exact",
    cache_mounts: bool = False,
    user: str = "",
    in_image: Sequence[str] = (),
    conda_program: str = "",
    own: Step | None = None,
) -> Artifact:
    """Render a recipe as a Dockerfile.

    Args:
        recipe: What to install.
        style: The pattern to follow; by default ``plain`` on an image that is none of the stacks.
        base_image: What to build on; ``stacks`` and ``legacy`` have a default.
        fragment: Leave out what comes before the first instruction, to paste the rest.
        pin: How exact to write versions.
        cache_mounts: Have BuildKit keep the managers' downloads between builds. conda and pip must
            be able to write to them: as user 1000 in the stacks, elsewhere as root.
        user: Who the image is left to, and runs conda and pip, in the style ``plain``.
        in_image: The prefixes of the environments that the base image brings.
        conda_program: What runs conda in the style ``plain``, quoted for the shell.
        own: What installs jstackmagic itself, in a layer of its own, the last.

    Raises:
        ExportError: There is no base image, or something cannot be said safely in a Dockerfile.
    """
    if style is None:
        style = "plain" if base_image and not _STACKS_IMAGE.fullmatch(base_image) else "stacks"
    page = _PAGES[style](pin, cache_mounts=cache_mounts)
    page.brought.update(prefix.rstrip("/") for prefix in in_image)
    if style == "plain":
        if user and not is_user(user):
            raise ExportError(f"{user!r} is no user of an image.", kept="Nothing was written.")
        page.user = user or page.user
        if conda_program:
            known = _CONDA_PROGRAM.fullmatch(conda_program)
            page.conda = conda_program if known else quoted(conda_program)
    if cache_mounts:
        who = {(1000, 100): "user 1000 of group 100"}.get(page.owner, "root")
        page.notes.append(f"conda and pip must run as {who} to use the caches that are mounted.")
    if fragment:
        return page.render(recipe, image="", own=own)
    image = base_image or page.default_image
    check_image(
        image, advice=("Name it: --from IMAGE", "Or leave it out, to paste the rest: --fragment")
    )
    if not base_image:
        page.notes.append(
            f"The base image is not known, and {image} stands in its place. Name yours: --from"
        )
    return page.render(recipe, image=image, own=own)


_Command = list[str]
"""The head of a command, and those of its words that get a line of their own."""

# Every Debian has these folders, so that no mount leaves an empty one behind.
_APT_CACHES = tuple(
    f"--mount=type=cache,id=jstackmagic-{name},target={target},sharing=locked"
    for name, target in (("apt", "/var/cache/apt"), ("apt-lists", "/var/lib/apt/lists"))
)
_USER_CACHE = (
    "--mount=type=cache,id=jstackmagic-packages-{uid},target=/mnt,uid={uid},gid={gid}"
    ",sharing=locked"
)
_CACHE_FOLDERS = {"conda": "CONDA_PKGS_DIRS", "pip": "PIP_CACHE_DIR"}
# The images of Debian and Ubuntu empty apt's usual folder after each install (docker-clean).
_KEEP_ARCHIVES = "-o Dir::Cache::Archives=kept"


@dataclass
class _Run:
    """One RUN instruction.

    Attributes:
        commands: Joined by ``&&``.
        secrets: The ids of the build secrets that they read.
        bash: What bash runs before them, in the exec form; empty for the shell form.
        alone: Whether it has no part of its own, so that it can share an instruction.
        kept: The manager whose downloads BuildKit keeps; None where it keeps none.
        caches: What is mounted for it.
    """

    commands: list[_Command]
    secrets: tuple[str, ...] = ()
    bash: str = ""
    alone: bool = False
    kept: ManagerName | None = None
    caches: tuple[str, ...] = ()

    def __str__(self) -> str:
        mounts = [f"--mount=type=secret,id={key},required=true,mode=0444" for key in self.secrets]
        commands = self.commands
        mounts += self.caches
        if self.kept in _CACHE_FOLDERS:
            name = _CACHE_FOLDERS[self.kept]
            commands = [[f"export {name}=/mnt/{self.kept}"], *commands]
        # hadolint knows a cache that is mounted only where root has it
        head = "# hadolint ignore=DL3042\nRUN" if self.kept == "pip" else "RUN"
        if self.bash:
            line = " && ".join((self.bash, *(" ".join(command) for command in commands)))
            return " ".join((head, *mounts, json.dumps(["bash", "-c", line], ensure_ascii=False)))
        lines = " && \\\n    ".join(" \\\n    ".join(command) for command in commands)
        return f"{head} " + " \\\n    ".join((*mounts, lines))


class Page:
    """One Dockerfile being written; its subclasses are the styles.

    Attributes:
        default_image: What to build on where nobody said; empty where that cannot be guessed.
        shell: The SHELL instruction.
        user: Who the image is left to, and who runs conda and pip; empty where that is not known.
        copy: The COPY instruction up to its paths.
        conda: The conda-family executable.
        clean_conda: What empties conda's caches in the layer that filled them.
        clean_apt: What empties apt's.
        permissions: What follows an install by conda or pip in the same layer.
        owner: The numbers of the user and group who run conda and pip: a mount takes no variables.
        apt_get: apt-get, with what makes it ask nothing.
        kernels: Where kernelspecs go: into the server's own environment. A volume that is mounted
            over the home folder hides what the image has there.
        brought: The prefixes of the environments that the base image brings.
        notes: Sentences the user should read.
    """

    default_image = ""
    shell = ""
    user = ""
    copy = "COPY"
    conda = "conda"
    clean_conda: tuple[str, ...] = ("conda clean --all --yes",)
    clean_apt: tuple[str, ...] = ("apt-get clean && rm -rf /var/lib/apt/lists/*",)
    permissions: tuple[str, ...] = ()
    owner = (0, 0)
    apt_get = "DEBIAN_FRONTEND=noninteractive apt-get"
    kernels = f'--prefix "{_SERVER}"'
    _beside: Beside

    def __init__(self, pin: Pin, *, cache_mounts: bool = False) -> None:
        self.notes: list[str] = []
        self._pin = pin
        self._keeps = cache_mounts
        self._blocks: list[_Run | str] = []
        self._files: dict[str, File] = {}
        self._secrets: dict[tuple[str, str], str] = {}
        self._user = ""
        self._ready: set[str] = set()
        self.brought: set[str] = set()
        self._cuda: dict[str, str] = {}

    def render(self, recipe: Recipe, *, image: str, own: Step | None = None) -> Artifact:
        """Write everything; without an image, a fragment."""
        steps = (*recipe.steps, own) if own else recipe.steps
        self._beside = Beside(replace(recipe, steps=steps))
        self.read_variants(recipe)
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

    def read_variants(self, recipe: Recipe) -> None:
        """Note for which CUDA each environment was resolved: a build machine has no GPU."""
        for holding in recipe.holdings:
            known = (cuda_of(package) for package in holding.packages)
            found = next((cuda for cuda in known if cuda[:1].isdigit()), "")
            if holding.environment is not None and found:
                self._cuda.setdefault(holding.environment.prefix, found)

    def _override(self, step: Step, environment: EnvironmentRef) -> str:
        """Return the variable that has conda resolve for the GPU that was there (CEP 26)."""
        own = (cuda_of(Package("conda", i.name, i.version, i.build)) for i in step.install)
        found = next((cuda for cuda in own if cuda[:1].isdigit()), "")
        cuda = found or self._cuda.get(environment.prefix, "")
        if not cuda:
            return ""
        self.notes.append(
            f"A machine without a GPU would resolve to builds for the CPU: CONDA_OVERRIDE_CUDA has"
            f" conda take those for CUDA {cuda}."
        )
        return f"CONDA_OVERRIDE_CUDA={quoted(cuda)} "

    def _step(self, step: Step) -> None:
        if step.environment is None:
            self._become("root")
            self._apt(step)
            return
        self._become(self._user_of(step.environment))
        if step.environment.prefix not in self._ready:
            self._ready.add(step.environment.prefix)
            self._make_ready(step.environment)
        if step.manager == "conda":
            self._conda(step, step.environment)
        elif step.manager == "pip":
            self._pip(step, step.environment)
        else:
            self._other(step, step.environment)

    def _other(self, step: Step, environment: EnvironmentRef) -> None:
        """Write a step in the words that its manager has for it."""
        from ..managers import get

        specs = [quoted_spec(pinned(item, self._pin)) for item in step.install]
        remove = [*map(quoted_spec, step.remove)]
        lines = get(step.manager).shell_lines(self._inside(environment), specs, remove)
        self._run([list(line) for line in lines], step.manager)

    def _artifact(self) -> Artifact:
        if self._secrets:
            options = " ".join(f"--secret id={key},src=FILE" for key in self._secrets.values())
            self.notes.append(
                f"Credentials were left out; BuildKit passes them: docker build {options} ."
            )
        self.notes += [
            f"The FILE of the secret {key} holds {text}, with the credential for ****."
            for (_, text), key in self._secrets.items()
        ]
        text = "\n".join(map(str, self._blocks)) + "\n"
        notes = tuple(dict.fromkeys(map(mask, self.notes)))
        secrets = {key: text for (_, text), key in self._secrets.items()}
        return Artifact(text, tuple(self._files.values()), notes, secrets)

    # -- environments

    def _user_of(self, environment: EnvironmentRef) -> str:  # noqa: ARG002
        return self.user

    def _make_ready(self, environment: EnvironmentRef) -> None:
        """Make the environment, and a kernelspec for it, where the image has none."""
        if self._is_there(environment):
            return
        there, commands = self._making(environment)
        body = " && \\\n        ".join(commands)
        guarded = f"if [ ! -e {there} ]; then \\\n        {body}; \\\n    fi"
        self._run([[guarded]], "conda" if environment.kind.startswith("conda") else "pip")

    def _is_there(self, environment: EnvironmentRef) -> bool:
        """Return whether the base image brings the environment."""
        known = environment.kind in ("conda-base", "system")
        return known or environment.prefix.rstrip("/") in self.brought

    def _making(self, environment: EnvironmentRef) -> tuple[str, list[str]]:
        """What is there once an environment is made, and the commands that make it."""
        interpreter = self._inside(environment, "/bin/python")
        version = re.match(r"\d+\.\d+", environment.python or "")
        commands = []
        if environment.kind.startswith("conda"):
            there = self._inside(environment, "/conda-meta")
            words = f" {quoted(f'python={version[0]}')} 'ipykernel'" if version else ""
            commands.append(f"{self.conda} create --yes {self._target(environment)}{words}")
        else:
            there = interpreter
            commands.append(f"python3 -m venv {self._inside(environment)}")
            commands.append(f"{interpreter} -m pip install{self._no_cache()} 'ipykernel'")
        if version:
            name = UNSAFE.sub("-", environment.name or posixpath.basename(environment.prefix))
            commands.append(
                f"{interpreter} -m ipykernel install {self.kernels} --name={quoted(name)}"
            )
        return there, commands

    def _inside(self, environment: EnvironmentRef, path: str = "") -> str:
        """A path below an environment's prefix, quoted for the shell."""
        return quoted(environment.prefix.rstrip("/") + path)

    def _target(self, environment: EnvironmentRef) -> str:
        """What tells conda which environment is meant."""
        if environment.kind == "conda-base":
            return "--name base"
        return f"--prefix {self._inside(environment)}"

    def _pip_program(self, environment: EnvironmentRef) -> str:
        python = "/bin/python3" if environment.kind == "system" else "/bin/python"
        return f"{self._inside(environment, python)} -m pip"

    # -- apt

    def _apt(self, step: Step) -> None:
        commands = [[f"{self.apt_get} update --yes"]]
        if step.remove:
            commands.append([f"{self.apt_get} remove --yes", *map(quoted_spec, step.remove)])
        if step.install:
            words = [*map(quoted, step.options), *(self._apt_word(item) for item in step.install)]
            keep = f" {_KEEP_ARCHIVES}" if self._keeps else ""
            install = f"{self.apt_get} install --yes --no-install-recommends{keep}"
            commands.append([install, *words])
        seen = [item for item in step.install if item.version and "/" not in item.text]
        if seen and self._pin == "exact":
            self._blocks.append("# Debian's archives keep no old versions to ask for. These were:")
            self._blocks += [f"#   {checked(item.name)} {checked(item.version)}" for item in seen]
        self._run(commands, "apt")

    def _apt_word(self, item: Item) -> str:
        place = place_in("apt", item.text)
        if place is not None:
            return self._local_word(place, item)
        return quoted_spec(pinned(item, self._pin))

    # -- conda

    def _conda(self, step: Step, environment: EnvironmentRef) -> None:
        target, secrets = self._target(environment), list[str]()
        variables = self._conda_channels(step, secrets)
        channels = (
            [f"-c {quoted(channel)}" for channel in step.sources.channels] if not variables else []
        )
        options = [*channels, *map(quoted, step.options)]
        override = self._override(step, environment)
        commands: list[_Command] = []
        if step.remove:
            commands.append(self._conda_removal(target, step.remove))
        # conda takes archives by themselves
        for _, items in groupby(step.install, key=lambda item: is_conda_archive(item.text)):
            words = [self._conda_word(item, secrets) for item in items]
            head = f"{override}{variables}{self.conda} install --yes {target}".rstrip()
            commands.append([head, *options, *words])
        if self._pin != "exact":
            self.notes += [
                f"conda leaves {item.text} as the base image has it; --pin exact moves it."
                for item in step.install
                if item.upgrade
            ]
        self._run(commands, "conda", secrets)

    def _conda_removal(self, target: str, names: Sequence[str]) -> _Command:
        return [f"{self.conda} remove --yes {target}".rstrip(), *map(quoted_spec, names)]

    def _conda_channels(self, step: Step, secrets: list[str]) -> str:
        """The channels as a variable, where one is secret: conda records its command line."""
        for channel in step.sources.channels:
            self._note_local(channel, "channel")
        if not any(map(holds_credential, step.sources.channels)):
            return ""
        values = [
            f'"{self._secret("conda_channel", channel, secrets)}"'
            if holds_credential(channel)
            else quoted(channel)
            for channel in step.sources.channels
        ]
        return f"CONDA_CHANNELS={','.join(values)} "

    def _conda_word(self, item: Item, secrets: list[str]) -> str:
        spec = pinned(item, self._pin)
        if holds_credential(spec):
            content = f"@EXPLICIT and, on a line of its own, {spec}"
            text = content if is_conda_archive(spec) else spec
            return f"--file {self._secret_file('conda_spec', text, secrets)}"
        place = place_in("conda", spec)
        if place is not None:
            return self._local_word(place, item)
        return quoted_spec(spec)

    # -- pip

    def _pip(self, step: Step, environment: EnvironmentRef) -> None:
        program, secrets = self._pip_program(environment), list[str]()
        variables, options = self._pip_indexes(step, secrets)
        commands: list[_Command] = []
        if step.remove:
            commands.append([f"{program} uninstall --yes", *map(quoted_spec, step.remove)])
        limits = [item for item in step.install if isinstance(item.spec, Constraint)]
        shared = [self._pip_word(item, secrets) for item in limits]
        asked = [item for item in step.install if item not in limits]
        words = {item: self._pip_word(item, secrets) for item in asked if not _has_hashes(item)}
        shared += self._versions_of_files(step)
        # pip wants hashes for all that one run installs, or for none
        kinds = groupby(asked, key=lambda item: (self._upgrades(item), item not in words))
        for (upgrade, hashed), items in kinds:
            head = f"{variables}{program} install{self._no_cache(secrets)}"
            head += " --upgrade" if upgrade else ""
            these = self._hashed(items) if hashed else [words[item] for item in items]
            commands.append([head, *options, *shared, *these])
        if commands:  # constraints alone install nothing
            self._pip_run(environment, commands, secrets)

    def _pip_run(
        self,
        environment: EnvironmentRef,  # noqa: ARG002
        commands: list[_Command],
        secrets: list[str],
    ) -> None:
        self._run(commands, "pip", secrets)

    def _no_cache(self, secrets: Sequence[str] = ()) -> str:
        return "" if self._keeps and not secrets else " --no-cache-dir"

    def _upgrades(self, item: Item) -> bool:
        return item.upgrade and self._pin != "exact"

    def _pip_indexes(self, step: Step, secrets: list[str]) -> tuple[str, list[str]]:
        """Indexes and options: what is secret as variables, the rest as words."""
        variables, words = self._build_variables(step, secrets), []
        for url in (step.sources.index_url, *step.sources.extra_index_urls):
            self._note_local(url, "index")
        if holds_credential(step.sources.index_url):
            value = self._secret("pip_index_url", step.sources.index_url, secrets)
            variables += f'PIP_INDEX_URL="{value}" '
        elif step.sources.index_url:
            words.append(f"--index-url {quoted(step.sources.index_url)}")
        private = [url for url in step.sources.extra_index_urls if holds_credential(url)]
        if private:
            values = [self._secret("pip_extra_index_url", url, secrets) for url in private]
            variables += f'PIP_EXTRA_INDEX_URL="{" ".join(values)}" '
        public = [url for url in step.sources.extra_index_urls if url not in private]
        words += [f"--extra-index-url {quoted(url)}" for url in public]
        for word in step.options:
            if holds_credential(word):
                words.append(f'"{self._secret("pip_option", word, secrets)}"')
            else:
                words.append(quoted(word))
        return variables, words

    def _build_variables(self, step: Step, secrets: list[str]) -> str:
        """Return what a build from source is to see, before the command; a secret as a secret."""
        words = ""
        for text in step.sources.variables:
            name, _, value = text.partition("=")
            if holds_credential(text):
                content = self._secret(f"build_{name.lower()}", text, secrets)
                words += f'{name}="{content}" '
            else:
                words += f"{name}={quoted(value)} "
        return words

    def _pip_word(self, item: Item, secrets: list[str]) -> str:
        item = replace(item, spec=item.spec.unhashed)
        spec = pinned(item, self._pin)
        if holds_credential(spec):
            return f"--requirement {self._secret_file('pip_spec', spec, secrets)}"
        place = place_in("pip", spec)
        if place is not None:
            return f"{_FLAGS.get(place.flag, '')}{self._local_word(place, item)}"
        *flag, word = read("pip", spec).words
        return f"{_FLAGS[flag[0]] if flag else ''}{quoted_spec(word)}"

    def _hashed(self, items: Iterable[Item]) -> list[str]:
        """Requirements with hashes, as a file: pip's command line takes none."""
        content = "".join(f"{checked(item.text)}\n" for item in items)
        return [f"--requirement {self._word_of(generated('hashed', content))}"]

    def _project_folder(self, path: str) -> str:
        """Where an editable project goes: where it was, if COPY can say that."""
        self.notes.append(
            f"{path} is copied as it is, without {', '.join(LEFT_BEHIND[:3])} and the like."
        )
        if _SAFE_PATH.fullmatch(path):
            return path
        return f"/opt/{FOLDER}/{UNSAFE.sub('_', posixpath.basename(path))}"

    def _versions_of_files(self, step: Step) -> list[str]:
        """The versions that ``-r FILE`` brought, as constraints: the file may leave them open."""
        brought = {other.name: other for item in step.install for other in item.brought}
        if not brought or self._pin != "exact":
            return []
        lines = sorted(checked(f"{item.name}=={item.version}") for item in brought.values())
        content = "".join(f"{line}\n" for line in lines)
        return [f"--constraint {self._word_of(generated('versions', content))}"]

    # -- instructions

    def _become(self, user: str) -> None:
        if self.user and user != self._user:
            self._user = user
            self._blocks.append(f"USER {user}")

    def _run(
        self, commands: list[_Command], manager: ManagerName, secrets: Sequence[str] = ()
    ) -> None:
        """Add a RUN; one that is a single command joins another such, as hadolint asks (DL3059)."""
        kept = self._kept(manager, secrets)
        tidy = self._tidy(manager, kept=kept is not None)
        run = _Run([*commands, *([each] for each in tidy)], tuple(dict.fromkeys(secrets)))
        run.alone = not (tidy or kept)
        self._mount(run, kept)
        last = self._blocks[-1]
        if isinstance(last, _Run) and last.alone and run.alone:
            last.commands += run.commands
            last.secrets = tuple(dict.fromkeys(last.secrets + run.secrets))
        else:
            self._blocks.append(run)

    def _mount(self, run: _Run, kept: ManagerName | None) -> None:
        uid, gid = self.owner
        own = (_USER_CACHE.format(uid=uid, gid=gid),)
        run.kept, run.caches = kept, {None: (), "apt": _APT_CACHES}.get(kept, own)

    def _kept(self, manager: ManagerName, secrets: Sequence[str]) -> ManagerName | None:
        """Whose downloads are kept: not what a credential gave access to."""
        return manager if self._keeps and not secrets else None

    def _tidy(self, manager: ManagerName, *, kept: bool) -> Sequence[str]:
        if manager == "apt":
            return () if kept else self.clean_apt
        clean = self.clean_conda if manager == "conda" and not kept else ()
        return (*clean, *self.permissions)

    def _local_word(self, place: Place, item: Item) -> str:
        """Bring a local file or folder along; return the word that names it there."""
        to = self._project_folder(place.path) if place.flag == "-e" else ""
        return self._word_of(self._beside.file(place, item), place.before, place.after, to)

    def _word_of(self, file: File, before: str = "", after: str = "", to: str = "") -> str:
        copied = self._copy(file, to=to)
        return quoted(f"{before}file://{copied}{after}" if before else f"{copied}{after}")

    def _copy(self, file: File, *, to: str = "") -> str:
        to = to or f"/tmp/{file.name}"  # noqa: S108
        self._take(file)
        line = f"{self.copy} {file.name} {to}"
        if line not in self._blocks:
            self._blocks.append(line)
        return to

    def _take(self, file: File) -> None:
        self._files.setdefault(file.source if isinstance(file.source, str) else file.name, file)

    def _secret(self, purpose: str, text: str, secrets: list[str]) -> str:
        """What the shell reads a build secret with; to stand in double quotes."""
        return f"$(cat {self._secret_file(purpose, text, secrets)})"

    def _secret_file(self, purpose: str, text: str, secrets: list[str]) -> str:
        known = (purpose, mask(text))
        if known not in self._secrets:
            number = sum(other == purpose for other, _ in self._secrets) + 1
            self._secrets[known] = purpose if number == 1 else f"{purpose}_{number}"
        secrets.append(self._secrets[known])
        return f"/run/secrets/{self._secrets[known]}"

    def _note_local(self, place: str, what: str) -> None:
        if place.startswith(("file:", "/", "~", ".")):
            self.notes.append(f"The {what} {place} is on this machine: a build cannot reach it.")


class _Stacks(Page):
    """The pattern that the Jupyter Docker Stacks document; the variables are their images' own."""

    default_image = "jupyter/base-notebook"
    shell = 'SHELL ["/bin/bash", "-o", "pipefail", "-c"]'
    user = "${NB_UID}"
    copy = "COPY --chown=${NB_UID}:${NB_GID}"
    conda = "mamba"
    clean_conda = ("mamba clean --all -f -y",)
    permissions = ('fix-permissions "${CONDA_DIR}"', 'fix-permissions "/home/${NB_USER}"')
    owner = (1000, 100)  # as documented; NB_UID and NB_GID of an image may be others
    apt_get = "apt-get"
    kernels = '--prefix "${CONDA_DIR}"'

    def _user_of(self, environment: EnvironmentRef) -> str:
        return "root" if environment.kind == "system" else self.user

    def _inside(self, environment: EnvironmentRef, path: str = "") -> str:
        name = environment.name or ""
        if environment.kind == "conda-base":
            return f'"${{CONDA_DIR}}{path}"'
        if environment.kind == "conda-named" and _SAFE_NAME.fullmatch(name):
            return f'"${{CONDA_DIR}}/envs/{name}{path}"'
        return super()._inside(environment, path)

    def _target(self, environment: EnvironmentRef) -> str:
        return "" if environment.kind == "conda-base" else f"-p {self._inside(environment)}"

    def _pip_program(self, environment: EnvironmentRef) -> str:
        if environment.kind == "conda-base":
            return "pip"
        if environment.kind == "conda-named":
            return self._inside(environment, "/bin/pip")
        return super()._pip_program(environment)


class _Legacy(Page):
    """The pattern of the images with environments named root and python2, until about 2017."""

    default_image = "jupyter/scipy-notebook:82b978b3ceeb"
    user = "jovyan"
    clean_conda = ("conda clean -tipsy",)

    def _user_of(self, environment: EnvironmentRef) -> str:  # noqa: ARG002
        return "root"

    def _make_ready(self, environment: EnvironmentRef) -> None:
        if not environment.kind.startswith("conda"):
            super()._make_ready(environment)
        elif environment.kind != "conda-base" and environment.name != "python2":
            known = environment.name or environment.prefix
            self.notes.append(f"The base image must hold the environment {known}.")

    def _target(self, environment: EnvironmentRef) -> str:
        if environment.kind == "conda-named":
            return f"--name {self._name(environment)}"
        return "--name root" if environment.kind == "conda-base" else super()._target(environment)

    def _name(self, environment: EnvironmentRef) -> str:
        name = environment.name or environment.prefix
        return name if _SAFE_NAME.fullmatch(name) else quoted(name)

    def _pip_program(self, environment: EnvironmentRef) -> str:
        return "pip" if environment.kind.startswith("conda") else super()._pip_program(environment)

    def _pip_run(
        self, environment: EnvironmentRef, commands: list[_Command], secrets: list[str]
    ) -> None:
        if environment.kind in ("conda-named", "conda-prefix"):
            activate = f"source activate {self._name(environment)}"
            run = _Run(commands, tuple(dict.fromkeys(secrets)), bash=activate)
            self._mount(run, self._kept("pip", secrets))
            self._blocks.append(run)
        else:
            super()._pip_run(environment, commands, secrets)


class _Plain(Page):
    """For any other image: its user is not known, and stays."""

    def _apt(self, step: Step) -> None:
        if not self.user:
            self.notes.append(
                "apt needs root: where the image's user is another, write USER root above, and that"
                " user below, or name it: --user"
            )
        super()._apt(step)

    def _user_of(self, environment: EnvironmentRef) -> str:
        return "root" if environment.kind == "system" else self.user


def _has_hashes(item: Item) -> bool:
    """Whether pip has to check a hash; of a file that is copied along we check it ourselves."""
    return bool(item.spec.hashes) and place_in("pip", item.text) is None


_PAGES: dict[Style, type[Page]] = {"stacks": _Stacks, "legacy": _Legacy, "plain": _Plain}


def _style_of_this_machine() -> Style | None:
    kinds: dict[str, Style] = {"stacks": "stacks", "other": "plain"}
    return kinds.get(look_at_image().kind)


FORMAT = Format(
    description=__doc__,
    files={"Dockerfile": {}},
    render=render,
    options=(
        option(
            "--style",
            choices=STYLES,
            default=_style_of_this_machine,
            help="the pattern to follow (default: stacks in, or on, a Jupyter Docker Stacks image)",
        ),
        option(
            "--user",
            default=lambda: look_at_image().user,
            help="who the image is left to, in the style plain (default: as this image says)",
        ),
        option(
            "--in-image",
            action="append",
            default=lambda: list(look_at_image().prefixes),
            metavar="PREFIX",
            help="an environment that the base image brings, and that is not made",
        ),
        option(
            "--conda-program",
            default=lambda: look_at_image().conda,
            help="what runs conda in the base image, in the style plain",
        ),
        option(
            "--from",
            dest="base_image",
            metavar="IMAGE",
            default="",
            help="the base image, best with its digest",
        ),
        option(
            FLAG,
            rendered=False,
            action="store_true",
            help="put jstackmagic itself there, in a layer of its own, as it is here",
        ),
        option("--fragment", action="store_true", help="without FROM, to paste it"),
        PIN,
        option(
            "--cache-mounts",
            action="store_true",
            help="let BuildKit keep the managers' downloads between builds; no other builder can",
        ),
    ),
    needs={"base image": "", "jstackmagic": "with_jstackmagic"},
)
