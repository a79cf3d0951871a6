"""conda's words in a Dockerfile and in a script."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from ...model.packages import Package
from ...model.pins import pinned
from ...model.spec import MatchSpec
from ...model.variants import cuda_of
from ...model.words import holds_credential, is_private, quoted, quoted_spec
from ..page import Command, Downloads, Making, Page, called

if TYPE_CHECKING:
    from ...model.environment import EnvironmentRef
    from ...model.recipe import Item, Step

_PROGRAMS = {"stacks": "mamba", "script": '"${conda}"'}
_CLEAN = {"stacks": "mamba clean --all -f -y", "legacy": "conda clean -tipsy"}

_PROGRAM_HERE = """\
conda=$(command -v mamba || command -v conda || command -v micromamba) ||
    stop "there is no mamba, conda or micromamba here\""""
_ROOT_HERE = """\
case ${conda} in
    */micromamba) root=${MAMBA_ROOT_PREFIX:?is where micromamba keeps its environments} ;;
    *) root=$(dirname -- "$(dirname -- "$(readlink -f -- "${conda}")")") ;;
esac"""
_REMOVE_HERE = """\
conda_remove() {
    prefix=$1
    shift
    for package; do  # those that are there: conda fails over others
        if [ -n "$(find "${prefix}/conda-meta" -name "${package}-[0-9]*.json")" ]; then
            "${conda}" remove --yes --prefix "${prefix}" "${package}"
        fi
    done
}"""


def make(environment: EnvironmentRef, page: Page) -> Making | None:
    """Make a conda environment; None if it is of another kind, or exists already."""
    if not environment.kind.startswith("conda"):
        return None
    page.need(_PROGRAM_HERE)
    if environment.kind != "conda-prefix":
        page.need(_ROOT_HERE)
    if environment.kind == "conda-base":
        return None
    if page.style == "legacy":
        if environment.name != "python2":
            known = environment.name or environment.prefix
            page.notes.append(f"The base image must hold the environment {known}.")
        return None
    version = environment.minor
    words = f" {quoted(f'python={version}')} 'ipykernel'" if version else ""
    command = f"{_program(page)} create --yes {_target(environment, page)}{words}"
    return Making(page.inside(environment, "/conda-meta"), (command,), _downloads(page))


def write(step: Step, page: Page) -> None:
    """Write a step."""
    environment = step.environment
    assert environment is not None
    target, program = _target(environment, page), _program(page)
    variables = _channels(step, page)
    channels = () if variables else step.sources.channels
    options = [*(f"-c {quoted(channel)}" for channel in channels), *map(quoted, step.options)]
    override = _override(step, environment, page)
    commands: list[Command] = []
    if step.remove:
        head = f"{program} remove --yes {target}".rstrip()
        if page.style == "script":
            page.need(_REMOVE_HERE)
            head = f"conda_remove {page.inside(environment)}"
        commands.append([head, *map(quoted_spec, step.remove)])
    # conda takes archives by themselves
    for _, items in groupby(step.install, key=lambda item: isinstance(item.spec, MatchSpec)):
        head = f"{override}{variables}{program} install --yes {target}".rstrip()
        commands.append([head, *options, *(_word(item, page) for item in items)])
    if page.pin != "exact":
        page.notes += [
            f"conda leaves {item.text} as the base image has it; --pin exact moves it."
            for item in step.install
            if item.upgrade
        ]
    page.run(commands, _downloads(page))


def _program(page: Page) -> str:
    return page.programs.get("conda", "") or _PROGRAMS.get(page.style, "conda")


def _downloads(page: Page) -> Downloads:
    clean = _CLEAN.get(page.style, f"{_program(page)} clean --all --yes")
    return Downloads(clean=(clean,), variable="CONDA_PKGS_DIRS")


def _target(environment: EnvironmentRef, page: Page) -> str:
    """Return the option that names the environment to conda."""
    is_base = environment.kind == "conda-base"
    if page.style == "stacks":
        return "" if is_base else f"-p {page.inside(environment)}"
    if page.style == "legacy" and environment.kind == "conda-named":
        return f"--name {called(environment)}"
    if is_base and page.style != "script" and _program(page) != "micromamba":
        return "--name root" if page.style == "legacy" else "--name base"
    return f"--prefix {page.inside(environment)}"


def _override(step: Step, environment: EnvironmentRef, page: Page) -> str:
    """Return the variable that has conda resolve for the GPU that was there (CEP 26)."""
    own = [Package("conda", i.name, i.version, i.build) for i in step.install]
    known = (cuda_of(package) for package in (*own, *page.held(environment)))
    cuda = next((each for each in known if each[:1].isdigit()), "")
    if not cuda:
        return ""
    page.notes.append(
        f"A machine without a GPU would resolve to builds for the CPU: CONDA_OVERRIDE_CUDA has"
        f" conda take those for CUDA {cuda}."
    )
    return f"CONDA_OVERRIDE_CUDA={quoted(cuda)} "


def _channels(step: Step, page: Page) -> str:
    """Return the channels as a variable if one is secret: conda records its command line."""
    for channel in step.sources.channels:
        page.note_local(channel, "channel")
    if not any(map(is_private, step.sources.channels)):
        return ""
    values = [
        f'"{page.secret("conda_channel", channel)}"' if is_private(channel) else quoted(channel)
        for channel in step.sources.channels
    ]
    return f"CONDA_CHANNELS={','.join(values)} "


def _word(item: Item, page: Page) -> str:
    spec = pinned(item, page.pin)
    if not holds_credential(spec):
        return page.word(item)
    explicit = "" if isinstance(item.spec, MatchSpec) else "@EXPLICIT and, on a line of its own, "
    return f"--file {page.secret_file('conda_spec', explicit + spec)}"
