"""conda's words in a Dockerfile and in a script."""

from __future__ import annotations

from functools import reduce
from itertools import groupby
from operator import or_

from ...model.environment import EnvironmentRef
from ...model.packages import Package
from ...model.pins import pinned
from ...model.recipe import Item, RecipeStep
from ...model.sources import Sources
from ...model.spec import MatchSpec
from ...model.variants import cuda_among
from ...model.words import holds_credential, is_private, quoted, quoted_spec
from ..page import Command, Downloads, Making, Page, called, set_before

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
    steps = list(page.steps(environment))
    asked = reduce(or_, (step.sources for step in steps if step.manager == "conda"), Sources())
    variables, channels = _channels(asked, page) if version else ("", [])
    variables = set_before(asked, page) + variables
    words = [*channels, quoted(f"python={version}"), "'ipykernel'"] if version else []
    if version and any(step.manager == "pip" for step in steps):
        words.append("'pip'")  # conda-forge's Python of 3.13 and later brings none
    head = f"{variables}{_program(page)} create --yes {_target(environment, page)}"
    command = " ".join((head, *words))
    return Making(page.inside(environment, "/conda-meta"), (command,), _downloads(page))


def write(step: RecipeStep, page: Page) -> None:
    """Write a step."""
    environment = step.environment
    assert environment is not None
    target, program = _target(environment, page), _program(page)
    variables, channels = _channels(step.sources, page)
    options = [*channels, *map(quoted, step.options)]
    variables = set_before(step.sources, page) + _override(step, environment, page) + variables
    commands: list[Command] = []
    if step.remove:
        head = f"{program} remove --yes {target}".rstrip()
        if page.style == "script":
            page.need(_REMOVE_HERE)
            head = f"conda_remove {page.inside(environment)}"
        commands.append([head, *map(quoted_spec, step.remove)])
    # conda takes archives by themselves
    for _, items in groupby(step.install, key=lambda item: isinstance(item.spec, MatchSpec)):
        head = f"{variables}{program} install --yes {target}".rstrip()
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


def _override(step: RecipeStep, environment: EnvironmentRef, page: Page) -> str:
    """Return the variable that has conda resolve for the GPU that was there (CEP 26)."""
    own = [Package("conda", i.name, i.version, i.build) for i in step.install]
    cuda = cuda_among((*own, *page.held(environment)))
    said = any(text.startswith("CONDA_OVERRIDE_CUDA=") for text in step.sources.variables)
    if said or not cuda:
        return ""
    page.notes.append(
        f"A machine without a GPU would resolve to builds for the CPU: CONDA_OVERRIDE_CUDA has"
        f" conda take those for CUDA {cuda}."
    )
    return f"CONDA_OVERRIDE_CUDA={quoted(cuda)} "


def _channels(sources: Sources, page: Page) -> tuple[str, list[str]]:
    """Return the channels as options, or as a variable if one is secret.

    conda records its command line in the environment.
    """
    for channel in sources.channels:
        page.note_local(channel, "channel")
    if not any(map(is_private, sources.channels)):
        return "", [f"-c {quoted(channel)}" for channel in sources.channels]
    values = [
        f'"{page.secret("conda_channel", channel)}"' if is_private(channel) else quoted(channel)
        for channel in sources.channels
    ]
    return f"CONDA_CHANNELS={','.join(values)} ", []


def _word(item: Item, page: Page) -> str:
    spec = pinned(item, page.pin)
    if not holds_credential(spec):
        return page.word(item)
    explicit = "" if isinstance(item.spec, MatchSpec) else "@EXPLICIT and, on a line of its own, "
    return f"--file {page.secret_file('conda_spec', explicit + spec)}"
