"""Installers that are none of ours: listed with the reason, and the line of ours where one is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import notebooks
from support.captured import asked, cells, dockerfile, script
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


class TestR:
    """G1: R's own installs."""

    @pytest.mark.parametrize(
        ("cell", "line"),
        [
            ("!R -e \"install.packages('forecast')\"", "%envinstall conda:r-forecast"),
            ('%%R\ninstall.packages("dplyr")', "%envinstall conda:r-dplyr"),
            ('%R install.packages("dplyr")', "%envinstall conda:r-dplyr"),
            (
                '!Rscript -e \'install.packages(c("a.b", "C"), repos = "https://x")\'',
                "%envinstall conda:r-a.b conda:r-c",
            ),
            ("!Rscript -e 'BiocManager::install(\"edgeR\")'", "conda:bioconductor-edger"),
            ('!Rscript -e \'devtools::install_version("x", "1.2")\'', "conda:r-x"),
        ],
    )
    def test_the_line_with_conda_s_name(self, cell: str, line: str) -> None:
        (find,) = cells(cell)
        assert find.request is None
        assert "R's own library" in find.reason
        assert line in find.reason

    def test_what_is_on_no_channel_for_certain_has_no_line(self) -> None:
        (find,) = cells("!R -e 'remotes::install_github(\"a/b\")'")
        assert "R's own library" in find.reason
        assert "%envinstall" not in find.reason

    def test_in_a_dockerfile(self, tmp_path: Path) -> None:
        finds = dockerfile(
            tmp_path,
            "RUN R -e \"install.packages('forecast')\"\nRUN install2.r --error dplyr\n"
            "RUN Rscript install.R\nRUN R CMD INSTALL x.tar.gz\nRUN Rscript analysis.R",
        )
        assert asked(finds) == ["?"] * 4
        assert "r-dplyr" in finds[1].reason
        assert "install.R" in finds[2].reason

    def test_a_notebook_in_r(self, tmp_path: Path) -> None:
        cell = {"cell_type": "code", "source": 'x <- 1\ninstall.packages("dplyr")', "metadata": {}}
        path = tmp_path / "n.ipynb"
        metadata = {"kernelspec": {"name": "ir", "language": "R"}}
        path.write_text(json.dumps({"metadata": metadata, "cells": [cell]}))
        (finding,) = notebooks.read(str(path)).findings
        assert (finding.cell, finding.line) == (1, 2)
        assert "conda:r-dplyr" in finding.found.reason

    def test_what_only_reads_is_none(self) -> None:
        assert cells("!R -e 'installed.packages()'", "%%R\nlibrary(dplyr)", "!Rscript plot.R") == []


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("!julia -e 'using Pkg; Pkg.add(\"X\")'", "Julia"),
        ("!npm install -g x", "npm"),
        ("!mim install mmcv", "%envinstall --pip mmcv"),
        ("!python -m spacy download en_core_web_sm", "conda:spacy-model-en_core_web_sm"),
        ("import spacy\nspacy.cli.download('de_core_news_sm')", "spacy-model-de_core_news_sm"),
        ("import condacolab\ncondacolab.install()", "conda"),
        ("import condacolab\ncondacolab.install_mambaforge()", "conda"),
        ('import micropip\nawait micropip.install("six")', "%envinstall --pip six"),
        ('import piplite\nawait piplite.install(["six", "idna"])', "--pip six idna"),
        ('dbutils.library.installPyPI("six", "1.2")', "Databricks"),
        ('dbutils.library.install("dbfs:/x.whl")', "Databricks"),
        ('sc.install_pypi_package("six")', "Spark"),
        ('sc.install_pypi_package("six", "https://h.example/s")', "six -i https://h.example/s"),
        (
            'dbutils.library.installPyPI("six", repo="https://h.example/s")',
            "%envinstall --pip six -i https://h.example/s",
        ),
        (
            'import micropip\nawait micropip.install("six", index_urls=["https://h.example/s", "https://i.example"])',
            "--pip six -i https://h.example/s --extra-index-url https://i.example",
        ),
        ("!make -C build install", "make"),
        ("!cd x && ./configure && make && sudo make install", "make"),
        ("!cmake --install build", "cmake"),
        ("!cargo install ripgrep", "cargo"),
        ("!gdown 1a && unzip x.zip -d /usr/local/lib/python3.10/dist-packages", "unpacks"),
        ("!tar xf x.tgz -C $HOME/miniconda3/lib/python3.9/site-packages", "unpacks"),
        ("!pip-sync requirements.txt", "pip-sync"),
        ("!poetry install", "poetry"),
        ("!conda-lock install -n lab", "%envinstall -f conda-lock.yml"),
        ("!pip-sync dev.txt", "%envinstall -f dev.txt"),
        ("!pip-sync a.txt dev.txt", "%envinstall -f a.txt -f dev.txt"),
        ("!pixi install --locked", "%envinstall -f pixi.toml"),
        ("!pixi global install ripgrep", "pixi is not one of them."),
        ("!sudo add-apt-repository -y ppa:a/b", "what apt installs from (ppa:a/b)"),
        ("!apt-add-repository 'deb https://d.example.com x main'", "from (deb https://d."),
        ("!uv pip sync r.txt", "%envinstall --pip -f r.txt"),
        ("!poetry install --no-root", "%envinstall -f pyproject.toml"),
        ("!uv sync", "%envinstall -f pyproject.toml"),
        ("!pipenv sync", "%envinstall -f Pipfile"),
        ("!cp -r a /usr/lib/python3.11/dist-packages/", "copies files into"),
        ("!julia install.jl", "install.jl"),
        ("!dpkg --add-architecture i386", "architecture"),
        ("!apt-mark hold x", "keeps them"),
        (
            "!curl -s https://h.example.com/k | gpg --dearmor -o /usr/share/keyrings/k.gpg",
            "keyrings",
        ),
        ("%%perl\nsystem('pip install six')", "perl"),
        ("exec(open('install.py').read())", "install.py"),
        ("import pexpect\npexpect.run('pip install six')", "run runs it"),
        ("c.sudo('apt-get install -y graphviz')", "sudo runs it"),
        ("lambda: __import__('os').system('pip install six')", "system runs it"),
        ("Thread(target=os.system, args=('pip install six',)).start()", "runs it"),
        ("partial(run, shell=True)('npm install x')", "run runs it"),
        ("import os\nfor c in ['pip install six']:\n    os.system(c)", "os.system(c) may run it"),
        ("!brew install x", "brew"),
        ("!nix-env -iA nixpkgs.x", "nix-env"),
    ],
)
def test_is_listed_with_the_reason(cell: str, reason: str) -> None:
    (find,) = cells(cell)
    assert find.request is None
    assert reason in find.reason


@pytest.mark.parametrize(
    "cell",
    [
        "!make test",
        "print('pip install six')",
        "raise ImportError('pip install six')",
        "parser.add_argument('--x', help='pip install six')",
        "display(Markdown('pip install six'))",
        "log.info('pip install six first')",
        "steps.append('pip install six')",
        "run('the pip install of six')",
        "import os\nx = 'Please pip install six'\nfor c in y:\n    os.system(c)",
        "!make",
        "!npm run build",
        "!npm install --help",
        "!unzip data.zip -d data",
        "!tar xf data.tgz",
        "!gdown 1a",
        "!julia script.jl",
        "!spacy train x",
        "!go version",
        "!cargo build",
        "x = micropip.list()",
        "!echo npm install x",
        "!cat poetry install",
        "!cp -r a /data",
        "!apt-mark showmanual",
        "!module list",
    ],
)
def test_what_installs_nothing_is_not(cell: str) -> None:
    assert cells(cell) == []


def test_a_script_of_r_s_that_is_here_is_read(tmp_path: Path) -> None:
    text = "COPY any.R more.jl /s/\nRUN Rscript /s/any.R && julia /s/more.jl && Rscript /s/gone.R"
    scripts = {"any.R": "install.packages('dplyr')\n", "more.jl": "using Pkg; Pkg.add('CSV')\n"}
    r, julia = dockerfile(tmp_path, text, **scripts)
    assert "conda:r-dplyr" in r.reason
    assert "Julia's own depot" in julia.reason


def test_dpkg_is_one_of_ours() -> None:
    assert asked(script("dpkg -i x.deb\ndpkg -i *.deb")) == ["/w/x.deb", "?"]


def test_each_line_of_a_cell_in_r_is_listed() -> None:
    text = (
        "%%R\ninstall.packages(c(\n  'dplyr',\n  'tidyr'))\nreticulate::py_install('numpy')\n"
        "remotes::install_github('a/b')\nprint('x')"
    )
    finds = cells(text)
    assert [find.line for find in finds] == [2, 5, 6]
    assert "conda:r-dplyr conda:r-tidyr" in finds[0].reason
    assert "%envinstall numpy" in finds[1].reason
    assert "%envinstall" not in finds[2].reason
    assert not cells("%%R\n# renv\nlibrary(dplyr)\n")


@pytest.mark.parametrize("name", ["ir", "julia-1.10"])
def test_a_notebook_that_installs_nothing(name: str, tmp_path: Path) -> None:
    language = "R" if name == "ir" else "julia"
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": "print(1)\nx"}
    metadata = {"kernelspec": {"name": name, "language": language}}
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps({"nbformat": 4, "metadata": metadata, "cells": [cell]}))
    assert not verb("capture", "--dry-run", path).captures


def test_no_line_asks_another_index_than_an_unknown_one() -> None:
    (found,) = cells('dbutils.library.installPyPI("six", repo=REPO)')
    assert "Databricks" in found.reason
    assert "%envinstall" not in found.reason
