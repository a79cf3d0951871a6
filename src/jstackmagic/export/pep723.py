"""The inline metadata of PEP 723, which uv, juv, marimo and pip-run read from a script or notebook.

It holds the PyPI packages of one environment. ``--into FILE`` writes it into a notebook's first
cell, or to the head of a script, in the place of what is there. What PEP 508 cannot say (a local
file, an editable project, an index) is said to uv in ``[tool.uv]``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from ..model.credentials import MASK, mask
from ..model.errors import ExportError
from ..model.pins import Pin, pinned, pinned_spec
from ..model.recipe import Item, Recipe, RecipeStep
from ..model.spec import Constraint, RemoteArchive, RequirementsFile, Spec, VcsReference
from ..model.words import checked, holds_credential, public
from ._artifact import Artifact, File
from ._beside import Beside
from ._choice import choose, left_out
from ._format import ENVIRONMENT, INTO, PIN, Format

BLOCK = re.compile(
    r"^# /// script[^\S\n]*\n(?P<content>(?:#(?:| [^\n]*)\n)+)# ///[^\S\n]*$", re.MULTILINE
)
"""PEP 723's block of the type ``script``."""

_OURS = re.compile(r"\[\[?tool\.uv\.(?:index|sources)\]")


def render(recipe: Recipe, *, name: str = "", prefix: str = "", pin: Pin = "exact") -> Artifact:
    """Render the PyPI packages of one environment as a block; see `Format.render`."""
    chosen = choose(recipe, name=name, prefix=prefix)
    block = _ScriptBlock(Beside(recipe), pin)
    for step in chosen.of("pip"):
        for item in step.install:
            block.add(item)
        block.leave(step)
    block.add_indexes(chosen.of("pip"))
    lines = [f'requires-python = "{_python(chosen.python, pin)}"'] if chosen.python else []
    lines.append("dependencies = [")
    lines += [f"    {_word(dependency)}," for dependency in dict.fromkeys(block.dependencies)]
    lines.append("]")
    lines += [line for each in block.indexes for line in ("", "[[tool.uv.index]]", *each)]
    if block.sources:
        lines += ["", "[tool.uv.sources]"]
        lines += [f"{name} = {source}" for name, source in sorted(block.sources.items())]
    others = [step for step in recipe.steps if step not in chosen.of("pip")]
    notes = (*block.notes, *left_out("PEP 723 holds the PyPI packages of one environment.", others))
    text = "".join(f"# {line}".rstrip() + "\n" for line in ("/// script", *lines, "///"))
    return Artifact(text, tuple(block.files.values()), notes)


def _python(version: str, pin: Pin) -> str:
    return f"=={version}.*" if pin == "exact" else f">={version}"


def _word(text: str) -> str:
    """Return a basic string of TOML; JSON's are these."""
    return json.dumps(checked(text), ensure_ascii=False)


@dataclass
class _ScriptBlock:
    beside: Beside
    pin: Pin
    dependencies: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    indexes: list[list[str]] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, item: Item) -> None:
        """Take one item in, or note why not."""
        if item.spec.hashes:
            self.notes.append(f"PEP 723 holds no hashes: those of {item.name} are left out.")
            item = replace(item, spec=item.spec.unhashed)
        spec = pinned_spec(item, self.pin)
        if isinstance(spec, Constraint):
            self.notes.append(f"The limits of {spec.place} are not kept.")
        elif isinstance(spec, RequirementsFile):
            self._add_brought(item)
        elif spec.path:
            self._add_local(item)
        elif holds_credential(spec.text):
            self._refuse(item, "it needs a credential")
        elif isinstance(spec, (RemoteArchive, VcsReference)):
            self._add_url(item, spec)
        else:
            self._add_requirement(item, spec.text)

    def _refuse(self, item: Item, why: str) -> None:
        self.notes.append(f"PEP 723 cannot hold {item.text}: {why}.")

    def _add_requirement(self, item: Item, spec: str) -> None:
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            Requirement(spec)
        except InvalidRequirement:
            self._refuse(item, "it is not a requirement")
        else:
            self.dependencies.append(spec)

    def _add_brought(self, item: Item) -> None:
        if not item.brought:
            self._refuse(item, "what the file brought was never seen")
        for other in item.brought:
            self._add_requirement(item, pinned(other, self.pin))

    def _add_local(self, item: Item) -> None:
        spec = item.spec
        if not item.name:
            self._refuse(item, "its name was never seen")
            return
        file = self.beside.file(item)
        self.files[file.name] = file
        self.dependencies.append(f"{item.name}{spec.tail}")
        flag = ", editable = true" if spec.editable else ""
        self.sources[item.name] = f"{{ path = {_word(file.name)}{flag} }}"
        self.notes.append(f"Only uv, and what stands on it, finds {spec.path} beside the block.")

    def _add_url(self, item: Item, spec: Spec) -> None:
        """Add a direct reference; a version control URL has its name only in the fragment."""
        if not item.name:
            self._refuse(item, "its name was never seen")
            return
        if spec.editable:
            self.notes.append(f"{item.text} is not an editable project there.")
        url, _, fragment = spec.place.partition("#")
        kept = "&".join(part for part in fragment.split("&") if not part.startswith("egg="))
        url = quote(url, safe="/:@+%?=&~,;!$'()*") + (f"#{kept}" if kept else "")
        self.dependencies.append(spec.named(item.name, url))

    def leave(self, step: RecipeStep) -> None:
        """Note the parts of a step that no block can express."""
        self.notes += [f"PEP 723 cannot say that {name} is to be removed." for name in step.remove]
        if step.sources.variables:
            self.notes.append(
                f"PEP 723 holds no variables, and it was built with"
                f" {public(' '.join(step.sources.variables))}."
            )
        links = [word for place in step.sources.find_links for word in ("--find-links", place)]
        if options := [*links, *step.options]:
            self.notes.append(f"PEP 723 holds no options: {public(' '.join(options))}")

    def add_indexes(self, steps: tuple[RecipeStep, ...]) -> None:
        """Add the indexes, for uv."""
        replacing = list(
            dict.fromkeys(step.sources.index_url for step in steps if step.sources.index_url)
        )
        is_default = len(replacing) == 1 and all(step.sources.index_url for step in steps)
        extra = dict.fromkeys(url for step in steps for url in step.sources.extra_index_urls)
        for url in extra:  # uv asks the default index last
            self._add_index(url, default=False)
        for url in replacing:
            name = "" if is_default else f"index-{len(self.indexes) + 1}"
            name = self._add_index(url, default=is_default, name=name)
            own = [each for step in steps if step.sources.index_url == url for each in step.install]
            for item in own if name and not is_default else ():
                for each in (item, *item.brought):
                    if each.name and not each.spec.place:
                        self.sources[each.name] = f"{{ index = {_word(name)} }}"
        if replacing and not is_default:
            self.notes.append(
                "uv takes from the first of the indexes that has it what the block names none for,"
                " and what the others need."
            )

    def _add_index(self, url: str, *, default: bool, name: str = "") -> str:
        """Add an index; return its name, empty where it has none or cannot be held."""
        lines = []
        if holds_credential(url):
            name = f"private-{len(self.indexes) + 1}"
            bare = mask(url).replace(f"{MASK}@", "")
            if bare != public(url):  # it is in the path or the query
                self.notes.append(f"PEP 723 cannot hold the index {url}: it needs a credential.")
                return ""
            key = f"UV_INDEX_{name.upper().replace('-', '_')}"
            self.notes.append(
                f"uv reads the credential of {bare} from {key}_USERNAME and {key}_PASSWORD."
            )
            url = bare
        lines += [f"name = {_word(name)}"] if name else []
        lines.append(f"url = {_word(url)}")
        lines += ["default = true"] if default else []
        self.indexes.append(lines)
        return name


# Into a notebook or a script


def insert(block: str, text: str, *, suffix: str) -> str:
    """Return the text of a notebook or script with the block, in place of an older one.

    Other tables of the older one are kept.

    Args:
        suffix: The file's, which says what it is.

    Raises:
        ExportError: It is no Python script, and no notebook of format 4.
    """
    if suffix == ".ipynb":
        return _into_notebook(block, text)
    if suffix not in (".py", ".pyw") and (suffix or not re.match(r"#!.*\b(?:python|uv)", text)):
        raise ExportError(
            "It is not a Python script.", advice="Name a .py file or a notebook (.ipynb)."
        )
    return _into_script(block, text)


def _into_script(block: str, text: str) -> str:
    older = BLOCK.search(text)
    if older:
        return text[: older.start()] + _merged(block, older["content"]) + text[older.end() :]
    # a hash-bang and an encoding must stay at the head
    head = re.match(r"(?:#!.*\n)?(?:#.*?coding[:=].*\n)?", text)
    at = head.end() if head else 0
    return f"{text[:at]}{block}{'' if text[at:].startswith(chr(10)) else chr(10)}{text[at:]}"


def _merged(block: str, older: str) -> str:
    """Return the block, without its last line end, with the older block's own tables."""
    kept: list[str] = []
    keeps = False
    for line in older.splitlines():
        if line.startswith("# ["):
            keeps = not _OURS.match(line[2:])
        if keeps:
            kept.append(line)
    while kept and kept[-1] == "#":
        kept.pop()
    lines = block.splitlines()
    return "\n".join([*lines[:-1], *(["#", *kept] if kept else []), lines[-1]])


def _into_notebook(block: str, text: str) -> str:
    try:
        notebook: Any = json.loads(text)
        cells = notebook["cells"]
        minor = (int(notebook["nbformat"]), int(notebook["nbformat_minor"]))
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        sources = ["".join(cell["source"]) for cell in code]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ExportError(
            "It is not a notebook of format 4.",
            advice="Open it in JupyterLab and save it.",
        ) from None
    for cell, source in zip(code, sources, strict=True):
        older = BLOCK.search(source)
        if older:
            new = source[: older.start()] + _merged(block, older["content"]) + source[older.end() :]
            cell["source"] = new.splitlines(keepends=True)
            break
    else:
        # as juv writes it
        cell = {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {"jupyter": {"source_hidden": True}},
            "outputs": [],
            "source": block.rstrip("\n").splitlines(keepends=True),
        }
        if minor >= (4, 5):
            taken = {each.get("id") for each in cells}
            names = ("pep723", *(f"pep723-{n}" for n in range(2, len(cells) + 3)))
            cell["id"] = next(name for name in names if name not in taken)
        cells.insert(0, dict(sorted(cell.items())))
    end = "\n" if text.endswith("\n") else ""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + end  # as nbformat writes it


FORMAT = Format(
    description=__doc__,
    files={"pep723.py": {}},
    render=render,
    options=(*ENVIRONMENT, PIN, INTO),
    insert=insert,
    one_environment=True,
)
