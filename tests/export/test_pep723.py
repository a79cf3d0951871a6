"""Inline metadata: uv runs the script that holds it; notebooks and scripts that it is put into."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement
from uv import find_uv_bin

from jstackmagic.capture import files
from jstackmagic.export import pep723
from jstackmagic.export._artifact import Artifact
from jstackmagic.model.errors import ExportError
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.sources import Sources
from strategies import BASE, hostile, recipes
from support.acceptance import PASSWORD, PIP, PIP_BROUGHT, USER, Acceptance
from support.exports import SECRET, one, two_environments
from support.records import remember
from support.verbs import verb

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from jstackmagic.model.environment import EnvironmentRef

# the reference implementation of PEP 723
REFERENCE = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
PRINT = """
import importlib.metadata, json, sys
found = {d.name: d.version for d in importlib.metadata.distributions()}
print(json.dumps({"python": sys.version_info[:2], **found}))
"""


def said(text: str) -> dict[str, Any]:
    """What the block says, as the PEP's own reference reads it."""
    (match,) = [m for m in REFERENCE.finditer(text) if m["type"] == "script"]
    lines = match["content"].splitlines(keepends=True)
    toml = "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)
    return tomllib.loads(toml)


def _urls(text: str) -> list[str]:
    return [index["url"] for index in said(text)["tool"]["uv"]["index"]]


def uv_run(script: Path, **environ: str) -> dict[str, Any]:
    """What a script that prints its distributions finds when uv runs it."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("UV_")}
    cache = {"UV_CACHE_DIR": os.environ["UV_CACHE_DIR"]}
    done = subprocess.run(
        [
            find_uv_bin(),
            "run",
            "--quiet",
            "--no-config",
            "--python-preference",
            "only-system",
            "--script",
            script,
        ],
        capture_output=True,
        text=True,
        env={
            **kept,
            **cache,
            **environ,
            "PATH": f"{os.path.dirname(sys.executable)}:{kept['PATH']}",
        },
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


class TestUv:
    def test_runs_a_script_that_holds_it(self, acceptance: Acceptance, tmp_path: Path) -> None:
        """Extras, a marker, a URL, a commit and a local wheel."""
        artifact = pep723.render(acceptance.recipe(), prefix=str(acceptance.base))
        script = tmp_path / "script.py"
        artifact.write(script)
        script.write_text(artifact.text + PRINT)
        found = uv_run(script)
        assert {**PIP, **PIP_BROUGHT}.items() <= found.items()
        assert tuple(found["python"]) == sys.version_info[:2]
        assert "absent" not in found
        assert acceptance.commit in artifact.text
        notes = " ".join(artifact.notes)
        for left_out in ("graphviz", "pymongo", "demo-private"):
            assert left_out in notes
        assert PASSWORD not in artifact.text + notes

    def test_with_a_private_index(self, acceptance: Acceptance, tmp_path: Path) -> None:
        artifact = pep723.render(acceptance.recipe(), prefix=str(acceptance.second))
        assert PASSWORD not in artifact.text
        script = tmp_path / "script.py"
        script.write_text(artifact.text + PRINT)
        assert any("UV_INDEX_PRIVATE_1_PASSWORD" in note for note in artifact.notes)
        environ = {"UV_INDEX_PRIVATE_1_USERNAME": USER, "UV_INDEX_PRIVATE_1_PASSWORD": PASSWORD}
        assert uv_run(script, **environ)["demo-private"] == "1.0"

    def test_an_editable_project_beside_it(self, tmp_path: Path) -> None:
        project = tmp_path / "my project"
        project.mkdir()
        (project / "pyproject.toml").write_text(
            '[project]\nname = "mine"\nversion = "0.1"\n'
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        (project / "backend.py").write_text(EDITABLE)
        recipe = one("pip", Item(f"-e {project}", "mine", "0.1"), environment=_here())
        artifact = pep723.render(recipe)
        script = tmp_path / "out" / "script.py"
        artifact.write(script)
        script.write_text(artifact.text + PRINT)
        assert uv_run(script)["mine"] == "0.1"
        assert said(artifact.text)["tool"]["uv"]["sources"]["mine"]["editable"] is True


EDITABLE = """
import os, zipfile

def build_editable(folder, *_):
    name, info = "mine-0.1-py3-none-any.whl", "mine-0.1.dist-info"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.1\\n")
        tag = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def _here() -> EnvironmentRef:
    return replace(BASE, python=".".join(map(str, sys.version_info[:3])))


class TestBlock:
    def test_pins(self) -> None:
        item = Item("dask[array]>2; python_version>'3'", "dask", "2026.1")
        exact, spec, none = (
            said(pep723.render(one("pip", item), pin=pin).text)  # type: ignore[arg-type]
            for pin in ("exact", "spec", "none")
        )
        assert exact["requires-python"] == "==3.13.*"
        assert spec["requires-python"] == none["requires-python"] == ">=3.13"
        assert exact["dependencies"] == ['dask[array]==2026.1; python_version > "3"']
        assert spec["dependencies"] == ["dask[array]>2; python_version>'3'"]
        assert none["dependencies"] == ['dask[array]; python_version > "3"']

    def test_chooses_an_environment(self) -> None:
        text = pep723.render(two_environments(), name="python310").text
        assert said(text)["dependencies"] == ["twitter==1.19.6"]

    def test_what_a_list_brought_is_spelled_out(self) -> None:
        item = Item("-r /w/list.txt", brought=(Item("six", "six", "1.17.0"),))
        assert said(pep723.render(one("pip", item)).text)["dependencies"] == ["six==1.17.0"]

    @pytest.mark.parametrize(
        ("item", "step", "word"),
        [
            (Item("-r /w/unseen.txt"), {}, "unseen.txt"),
            (Item("o'neil==1", "o'neil"), {}, "o'neil"),
            (Item("/w/thing.whl"), {}, "thing.whl"),
            (Item("git+https://git.example.com/t.git"), {}, "t.git"),
            (Item(f"t @ https://u:{SECRET}@git.example.com/t.zip", "t"), {}, "credential"),
            (
                Item("six", "six"),
                {"sources": Sources(index_url=f"https://p.example.com/s?token={SECRET}")},
                "credential",
            ),
            (Item("six", "six"), {"remove": ("idna",)}, "idna"),
            (Item("six", "six"), {"options": ("--no-deps",)}, "--no-deps"),
            (Item("six==1 --hash=sha256:00", "six", "1"), {}, "hashes"),
            (Item("-e git+https://git.example.com/t.git#egg=t", "t"), {}, "editable"),
        ],
    )
    def test_says_what_it_cannot_hold(self, item: Item, step: dict[str, Any], word: str) -> None:
        artifact = pep723.render(one("pip", item, **step))
        assert any(word in note for note in artifact.notes)
        assert SECRET not in repr(artifact)
        said(artifact.text)

    @given(recipes(), hostile, hostile)
    def test_is_a_block_whatever_is_in_it(self, recipe: Recipe, spec: str, url: str) -> None:
        step = RecipeStep(
            "pip", BASE, install=(Item(spec, "aa", "1"),), sources=Sources(extra_index_urls=(url,))
        )
        recipe = Recipe((*recipe.steps, step))
        try:
            artifact = pep723.render(recipe, prefix=BASE.prefix)
        except ExportError:
            return
        for dependency in said(artifact.text)["dependencies"]:
            Requirement(dependency)
        for line in artifact.text.splitlines():
            assert line == "#" or line.startswith("# ")
        assert pep723.render(recipe, prefix=BASE.prefix) == artifact

    @given(recipes())
    def test_is_read_back(self, tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
        """Export, read, export: the same file, but for names of indexes, which pip has none of."""
        pip = tuple(
            step for step in recipe.steps if step.environment == BASE and step.manager == "pip"
        )
        if not pip:
            return
        path = tmp_path_factory.mktemp("block") / "script.py"
        path.write_text(text := pep723.render(Recipe(pip)).text)
        read = files.read(path)
        steps = tuple(
            RecipeStep(
                "pip",
                BASE,
                install=tuple(Item(s, Requirement(s).name) for s in r.texts),
                sources=r.sources,
            )
            for r in read.requests
        )
        again = pep723.render(Recipe(steps)).text
        if any("pip asks all" in note for note in read.notes):
            assert said(again)["dependencies"] == said(text)["dependencies"]
            assert _urls(again) == _urls(text)
        else:
            assert again == text


class TestInto:
    def notebook(self, path: Path, *cells: Any, minor: int = 5) -> Path:
        notebook = new_notebook(cells=list(cells))
        notebook.nbformat_minor = minor
        if minor < 5:
            for cell in notebook.cells:
                cell.pop("id", None)
        nbformat.write(notebook, path)
        return path

    @pytest.fixture(autouse=True)
    def _recorded(self) -> None:
        remember("pip", ("six",), "six", "1.17.0")

    @pytest.mark.parametrize("minor", [4, 5])
    def test_becomes_a_notebook_s_first_cell(self, tmp_path: Path, minor: int) -> None:
        path = self.notebook(
            tmp_path / "é.ipynb", new_markdown_cell("# Ünï"), new_code_cell("1+1"), minor=minor
        )
        before = path.read_text()
        verb("export", "pep723", "--into", path)
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert said(notebook.cells[0].source)["dependencies"] == ["six==1.17.0"]
        assert [cell.source for cell in notebook.cells[1:]] == ["# Ünï", "1+1"]
        nbformat.write(notebook, tmp_path / "again.ipynb")
        assert path.read_text() == (tmp_path / "again.ipynb").read_text()  # as nbformat writes it
        for line in before.splitlines():
            assert line in path.read_text().splitlines()

    def test_replaces_the_one_that_is_there(self, tmp_path: Path) -> None:
        old = (
            "import sys\n# /// script\n# dependencies = []\n#\n# [tool.mine]\n# key = 1\n#\n"
            '# [tool.uv.sources]\n# gone = { path = "x" }\n# ///\nprint(sys.path)'
        )
        path = self.notebook(tmp_path / "a.ipynb", new_code_cell("x = 1"), new_code_cell(old))
        verb("export", "pep723", "--into", path)
        first, second = nbformat.read(path, as_version=4).cells
        assert first.source == "x = 1"
        assert second.source.startswith("import sys\n# /// script\n")
        assert second.source.endswith("# ///\nprint(sys.path)")
        value = said(second.source + "\n")
        assert value["dependencies"] == ["six==1.17.0"]
        assert value["tool"] == {"mine": {"key": 1}}
        text = path.read_text()
        verb("export", "pep723", "--into", path)
        assert path.read_text() == text

    def test_stands_below_a_script_s_first_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "tool.py"
        path.write_text("#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nimport six\n")
        verb("export", "pep723", "--into", path)
        lines = path.read_text().splitlines()
        assert lines[:3] == ["#!/usr/bin/env python3", "# -*- coding: utf-8 -*-", "# /// script"]
        assert lines[-1] == "import six"
        text = path.read_text()
        verb("export", "pep723", "--into", path)
        assert path.read_text() == text

    def test_is_checked_in_its_place(self, tmp_path: Path) -> None:
        path = self.notebook(tmp_path / "a.ipynb", new_code_cell("x = 1"))
        old = verb("export", "pep723", "--check", path)
        assert old.exit_status == 1
        assert "six==1.17.0" in old.difference
        verb("export", "pep723", "--into", path)
        assert verb("export", "pep723", "--check", path).exit_status == 0
        remember("pip", ("idna",), "idna", "3.7")
        assert verb("export", "pep723", "--check", path).exit_status == 1

    @pytest.mark.parametrize("text", ["", "{}", "[1]", '{"worksheets": [], "nbformat": 3}'])
    def test_leaves_alone_what_is_no_notebook(self, text: str, tmp_path: Path) -> None:
        path = tmp_path / "a.ipynb"
        path.write_text(text)
        with pytest.raises(ExportError, match="format 4"):
            verb("export", "pep723", "--into", path)
        assert path.read_text() == text

    @given(st.text(max_size=60))
    def test_any_script_keeps_its_lines(self, text: str) -> None:
        block = pep723.render(two_environments()).text
        merged = pep723.insert(block, text, suffix=".py")
        assert merged.replace(block, "", 1).strip("\n") == text.strip("\n")
        assert pep723.insert(block, merged, suffix=".py") == merged

    @pytest.mark.parametrize(
        ("suffix", "head"),
        [(".sh", "#!/bin/sh\n"), ("", "#!/bin/bash\n"), ("", ""), (".md", "# A\n")],
    )
    def test_a_file_of_another_language_is_refused(self, suffix: str, head: str) -> None:
        with pytest.raises(ExportError, match="not a Python script"):
            pep723.insert("# /// script\n# ///\n", head, suffix=suffix)

    def test_a_program_without_a_suffix_says_what_runs_it(self) -> None:
        head = "#!/usr/bin/env python3\n"
        assert pep723.insert("#B\n", head + "\n", suffix="") == head + "#B\n\n"

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        (tmp_path / "s.sh").touch()
        artifact, there = Artifact("x"), tmp_path / "none.ipynb"
        with pytest.raises(
            ExportError, match=r"none.ipynb cannot be read: No such file or directory"
        ):
            pep723.FORMAT.insert_into(artifact, there)
        with pytest.raises(ExportError, match="not a Python script"):
            pep723.FORMAT.insert_into(artifact, tmp_path / "s.sh")
        assert artifact.difference(there).startswith(f"{there} is missing\n")
