"""pip's words in a Dockerfile and in a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby

from ...model.environment import EnvironmentRef
from ...model.options import INSTALL
from ...model.packages import as_on_disk
from ...model.pins import pinned
from ...model.recipe import Item, RecipeStep
from ...model.spec import Constraint
from ...model.words import checked, holds_credential, is_private, quoted, quoted_spec
from ..page import Command, Downloads, Making, Page, called, set_before

_DOWNLOADS = Downloads(variable="PIP_CACHE_DIR", hadolint="DL3042")
_PYTHON_HERE = """\
command -v python3 >/dev/null || stop "there is no python3 here\""""
_USUAL = ("/usr", "/usr/local")
"""The prefixes of the Pythons that images have: Debian's, and that of the image python."""


def make(environment: EnvironmentRef, page: Page) -> Making | None:
    """Make a virtual environment; None if it is of another kind."""
    if environment.kind.startswith("conda"):
        return None
    page.need(_PYTHON_HERE)
    if environment.kind == "system":
        if environment.prefix not in _USUAL:
            script = page.style == "script"
            page.notes.append(
                f"The Python of {environment.prefix} is not made: "
                + ("the python3 on the PATH is used." if script else "the base image must have it.")
            )
        return None
    python = page.inside(environment, "/bin/python")
    commands = (
        f"python3 -m venv {page.inside(environment)}",
        f"{python} -m pip install{_no_cache(page)} 'ipykernel'",
    )
    return Making(python, commands, _DOWNLOADS)


def write(step: RecipeStep, page: Page) -> None:
    """Write a step."""
    environment = step.environment
    assert environment is not None
    program = _program(environment, page)
    variables, options = _indexes(step, page)
    commands: list[Command] = []
    if step.remove:
        commands.append([f"{program} uninstall --yes", *map(quoted_spec, step.remove)])
    limits = [item for item in step.install if isinstance(item.spec, Constraint)]
    shared = [_word(item, page) for item in limits]
    asked = [item for item in step.install if item not in limits]
    words = {item: _word(item, page) for item in asked if not _has_hashes(item)}
    versions = _versions(step, page)
    # pip wants hashes for all that one run installs, or for none
    kinds = groupby(
        asked, key=lambda item: (item.upgrade and page.pin != "exact", item not in words)
    )
    for (upgrade, hashed), items in kinds:
        head = f"{variables}{program} install{_no_cache(page)}{' --upgrade' if upgrade else ''}"
        these = _hashed(items, page) if hashed else [words[item] for item in items]
        held = versions if not hashed else _versions(step, page, dependencies=False)
        commands.append([head, *options, *shared, *held, *these])
    if not commands:  # constraints alone install nothing
        return
    # the chapter's time called conda's base environment "root"
    name = "root" if environment.kind == "conda-base" else called(environment)
    legacy = page.style == "legacy" and environment.kind.startswith("conda")
    page.run(commands, _DOWNLOADS, shell=f"source activate {name}" if legacy else "")


def _program(environment: EnvironmentRef, page: Page) -> str:
    kind = environment.kind
    if page.style == "script" and kind == "system":
        return "python3 -m pip"
    if page.style == "stacks" and kind == "conda-named":
        return page.inside(environment, "/bin/pip")
    legacy = page.style == "legacy" and kind.startswith("conda")
    if legacy or (page.style == "stacks" and kind == "conda-base"):
        return "pip"
    python = "/bin/python3" if kind == "system" else "/bin/python"
    return f"{page.inside(environment, python)} -m pip"


def _no_cache(page: Page) -> str:
    return "" if page.keeps else " --no-cache-dir"


def _indexes(step: RecipeStep, page: Page) -> tuple[str, list[str]]:
    """Return indexes and options: secret ones as variables, the others as words."""
    sources = step.sources
    variables, words = set_before(sources, page), []
    for url in (sources.index_url, *sources.extra_index_urls):
        page.note_local(url, "index")
    if is_private(sources.index_url):
        variables += f'PIP_INDEX_URL="{page.secret("pip_index_url", sources.index_url)}" '
    elif sources.index_url:
        words.append(f"--index-url {quoted(sources.index_url)}")
    private = [url for url in sources.extra_index_urls if is_private(url)]
    if private:
        values = " ".join(page.secret("pip_extra_index_url", url) for url in private)
        variables += f'PIP_EXTRA_INDEX_URL="{values}" '
    public = [url for url in sources.extra_index_urls if url not in private]
    words += [f"--extra-index-url {quoted(url)}" for url in public]
    for place in sources.find_links:
        secret = is_private(place)
        words.append(
            f'--find-links "{page.secret("pip_option", place)}"'
            if secret
            else f"--find-links {quoted(place)}"
        )
    words += [
        f'"{page.secret("pip_option", word)}"' if holds_credential(word) else quoted(word)
        for word in _of_any_machine(step.options, page)
    ]
    return variables, words


_HERE_ALONE = {
    "--user": "{} is left out: an image has its packages in the environment.",
    "--cert": "{} is left out: a build trusts the certificates of its image.",
    "--client-cert": "{} is left out: a key does not belong in an image.",
} | dict.fromkeys(("--log", "--report", "--cache-dir", "--src"), "")
"""Options that name files and folders of this machine: the sentence on each that is left out."""


def _of_any_machine(options: Iterable[str], page: Page) -> Iterator[str]:
    """Yield the words of the options that another machine understands."""
    for option in INSTALL["pip"].options(options):
        said = _HERE_ALONE.get(option.name)
        if said is None:
            yield from option.words
        elif said:
            page.notes.append(said.format(" ".join(option.words)))


def _word(item: Item, page: Page) -> str:
    item = replace(item, spec=item.spec.unhashed)
    spec = pinned(item, page.pin)
    if holds_credential(spec):
        return f"--requirement {page.secret_file('pip_spec', spec)}"
    return page.word(item)


def _has_hashes(item: Item) -> bool:
    """Return whether pip has to check a hash; of a file that comes along we check it ourselves."""
    return bool(item.spec.hashes) and not item.spec.path


def _hashed(items: Iterable[Item], page: Page) -> list[str]:
    """Return requirements with hashes as a file: pip's command line takes none."""
    content = "".join(f"{checked(item.text)}\n" for item in items)
    return [f"--requirement {page.beside('hashed', content)}"]


def _versions(step: RecipeStep, page: Page, *, dependencies: bool = True) -> list[str]:
    """Return the packages to pin, as constraints (``--pin exact``).

    Those are the packages that ``-r FILE`` brought, and the dependencies that came with what was
    asked for: both may be at another version by the time the image is built.

    Args:
        dependencies: Whether to include dependencies; if hashes are checked, all are listed.
    """
    brought = {other.name: other.version for item in step.install for other in item.brought}
    if dependencies and step.environment is not None:
        asked = {item.name for item in step.install}
        for package in page.held(step.environment):
            known = package.version and not (package.editable or as_on_disk(package).source)
            if known and package.manager == step.manager and package.name not in asked:
                brought.setdefault(package.name, package.version)
    if not brought or page.pin != "exact":
        return []
    lines = sorted(checked(f"{name}=={version}") for name, version in brought.items())
    content = "".join(f"{line}\n" for line in lines)
    return [f"--constraint {page.beside('versions', content)}"]
