"""Scripts that hubs and dev containers run, and lists that the same lines write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import files
from support.captured import asked, dockerfile, where
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


def captured(path: Path, text: str) -> tuple[list[str], list[str], list[str]]:
    """What is asked of a file, where it goes, and what the file's problems are."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    result = verb("capture", "--dry-run", path)
    founds = [each.found for each in result.captures]
    return asked(founds), [where(each) for each in founds], [why for _, why in result.problems]


@pytest.mark.parametrize(
    ("name", "text", "expected", "environments"),
    [
        ("setup.sh", "ENV=lab\nconda create -yn $ENV python=3.11\npip install six\n",
         ["python=3.11", "six"], ["lab", ""]),
        ("postBuild", "#!/bin/bash -e\npip install six\n", ["six"], [""]),
        ("on-start", "#!/usr/bin/env bash\nsudo -u ec2-user -i <<'EOF'\nsource /home/ec2-user/"
         "anaconda3/bin/activate pytorch\nnohup pip install six &\nEOF\n", ["six"], ["pytorch"]),
        ("init.sh", "#!/bin/bash\nset -e\n/databricks/python/bin/pip install six\n",
         ["six"], ["/databricks/python"]),
        ("chain.sh", "bash other.sh\n. ./env.sh\npip install $WHAT\n", ["idna", "six"], ["", ""]),
        ("python.sh", "#!/usr/bin/env python3\nprint('pip install no')\n", ["?"], [""]),
        ("job.scala", "// %pip install six\n", [], []),
        ("n.md", "---\nkernelspec:\n  name: python3\n---\n\n"
         "```{code-cell}\n!pip install six\n```\n", ["six"], [""]),
        ("light.py", "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n"
         "#       format_name: light\n# ---\n\n# !pip install six\n\n# +\nimport six\n",
         ["six"], [""]),
        ("run.ipy", "!pip install six\n", ["six"], [""]),
        ("Pipfile", '[packages]\nsix = "*"\n', ["six"], [""]),
        ("prepare", "import os\nos.system('pip install six')\n", ["six"], [""]),
    ],
)  # fmt: skip
def test_a_script(
    name: str, text: str, expected: list[str], environments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "other.sh").write_text("pip install idna\n")
    (tmp_path / "env.sh").write_text("export WHAT=six\n")
    found, targets, problems = captured(tmp_path / name, text)
    assert (found, targets) == (expected, environments)
    assert found or problems == [
        "It is not a notebook, script or list of packages that can be read."
    ]


class TestDevContainers:
    """devcontainer.json: its commands, in the order they run in."""

    def test_every_form_of_a_command(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.txt").write_text("six\n")
        text = """{
            // with comments, and a comma at the end
            "image": "example.com/python:3.12", /* "postCreateCommand": "pip install no" */
            "features": {"ghcr.io/devcontainers/features/conda:1": {}},
            "remoteEnv": {"PIP_INDEX_URL": "https://pypi.example.com/simple"},
            "postCreateCommand": "cd ${containerWorkspaceFolder}; pip install -r requirements.txt",
            "onCreateCommand": {"a": "pip install a", "b": ["pip", "install", "http://x//b.whl"]},
        }"""
        found, _, problems = captured(tmp_path / ".devcontainer/devcontainer.json", text)
        assert found == ["a", "http://x//b.whl", f"-r {tmp_path}/requirements.txt"]
        assert "example.com/python:3.12" in problems[0]
        assert "features/conda" in problems[0]
        result = verb("capture", "--dry-run", tmp_path / ".devcontainer/devcontainer.json").captures
        assert result[0].found.request.sources.index_url == "https://pypi.example.com/simple"

    @pytest.mark.parametrize(
        ("path", "prefix", "said"),
        [
            ("/opt/venv/bin:${containerEnv:PATH}", "/opt/venv", ""),
            ("/opt/w/bin:${containerEnv:PATH}", "", "PATH begins with /opt/w/bin"),
            ("${containerEnv:PATH}:/opt/v/bin", "", ""),
        ],
    )
    def test_path_in_its_environment(
        self, path: str, prefix: str, said: str, tmp_path: Path
    ) -> None:
        file = tmp_path / ".devcontainer.json"
        run = "pip install six"
        file.write_text(json.dumps({"remoteEnv": {"PATH": path}, "postCreateCommand": run}))
        (found,) = files.read(file).found
        assert found.target.prefix == prefix
        assert said in found.note
        assert bool(said) is bool(found.note)

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            ({"build": {"dockerfile": "Dockerfile"}}, "capture that file as well"),
            ({"dockerFile": "../Dockerfile"}, "../Dockerfile"),
        ],
    )
    def test_its_dockerfile_is_named(self, data: object, said: str, tmp_path: Path) -> None:
        found, _, problems = captured(tmp_path / ".devcontainer.json", json.dumps(data))
        assert not found
        assert said in problems[0]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["%%writefile r.txt\nnumpy\n", "!pip install -r r.txt"], ["numpy"]),
        (["!echo six > r.txt && pip install -r r.txt"], ["six"]),
        (["%%writefile e.yml\ndependencies: [six, {pip: [idna]}]", "!mamba env update -f e.yml"],
         ["six", "idna"]),
        (["%%bash\ncat > r.txt <<EOF\nsix\nidna==3\nEOF\npip install -r r.txt"], ["six idna==3"]),
        (["!echo six >> r.txt", "!pip install -r r.txt"], ["six"]),
        (["!date > r.txt", "!pip install -r r.txt"], ["?"]),
        (["%%writefile r.txt\n-r other.txt", "!pip install -r r.txt"], ["?"]),
        (["!git clone -b v1 https://g.example.com/p", "%cd p\n!pip install -e ."],
         ["git+https://g.example.com/p@v1"]),
        (["!git clone https://g.example.com/p.git && cd p && git checkout 1f2e && pip install ."],
         ["git+https://g.example.com/p.git@1f2e"]),
        (["!git clone https://g.example.com/o/p", "!cd p && pip install -e .[all]"],
         ["p[all] @ git+https://g.example.com/o/p"]),
        (["!git clone -b v1 https://g.example.com/p.git q", "!pip install './q/lib[a,b]'"],
         ["p[a,b] @ git+https://g.example.com/p.git@v1#subdirectory=lib"]),
        (["!git clone https://g.example.com/p", "!pip install ./p/lib"],
         ["git+https://g.example.com/p#subdirectory=lib"]),
        (["!git clone https://g.example.com/p", "!pip install -r p/requirements.txt"], ["?"]),
        (["!git clone $URL p", "!pip install ./p"], ["?"]),
        (["!R CMD INSTALL x.tar.gz"], ["?"]),
    ],
)  # fmt: skip
def test_what_the_cells_before_it_bring(
    cells: list[str], expected: list[str], tmp_path: Path
) -> None:
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook = {"nbformat": 4, "cells": [{**cell, "source": source} for source in cells]}
    assert captured(tmp_path / "n.ipynb", json.dumps(notebook))[0] == expected


class TestWhereAScriptLies:
    """A script that asks where it lies itself, and the words that it is given."""

    @pytest.mark.parametrize(
        "line",
        [
            'pip install "$(dirname "$0")/lib"',
            'pip install "$(dirname "${BASH_SOURCE[0]}")/lib"',
            'cd "$(dirname "$0")" && pip install ./lib',
            'HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" >/dev/null 2>&1 && pwd)"\n'
            'pip install "$HERE/lib"',
            'pip install "$(dirname "$(readlink -f "$0")")/lib"',
        ],
    )
    def test_its_folder_is_known_and_the_rest_is_read(self, line: str, tmp_path: Path) -> None:
        folder = tmp_path / "with blank"
        folder.mkdir()
        (folder / "x.sh").write_text(f"{line}\npip install idna\n")
        assert asked(list(files.read(folder / "x.sh").found)) == [f"{folder}/lib", "idna"]

    @pytest.mark.parametrize(
        ("given", "expected"),
        [("extra", ["extra"]), ("", ["jq"]), ("a b", ["a"])],
    )
    @pytest.mark.parametrize("run", ["bash /opt/x.sh", "/opt/x.sh", ". /dev/null; sh /opt/x.sh"])
    def test_its_words_are_its_own(
        self, run: str, given: str, expected: list[str], tmp_path: Path
    ) -> None:
        text = f"COPY x.sh /opt/\nRUN {run} {given}"
        found = dockerfile(tmp_path, text, **{"x.sh": "apt-get install -y ${1:-jq}"})
        assert asked(found) == expected


@pytest.mark.parametrize(
    "copy",
    [
        "lab.sources /etc/apt/sources.list.d/",
        "--chmod=644 pin /etc/apt/preferences.d/99pin",
        "key.gpg /etc/apt/keyrings/",
    ],
)
def test_a_copy_into_apts_sources_is_listed(copy: str, tmp_path: Path) -> None:
    first, second = dockerfile(tmp_path, f"COPY {copy}\nRUN apt-get install -y tool")
    assert "It changes what apt installs from" in first.reason
    assert asked([second]) == ["tool"]
