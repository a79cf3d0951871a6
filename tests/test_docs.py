"""The documentation: it is built without a warning, and every example in it is run.

An example is a `code-block` of `ipython3` (cells of one kernel a page) or `console` (commands after
`$ `, run by bash), or of `yaml`. A comment after it says what is to be seen, `<!-- shows: … -->` or
`<!-- fails: ERROR -->`, or why it cannot be run here, `<!-- not run: … -->`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from jstackmagic import commands
from jstackmagic.parsing import split_words
from support.kernels import Kernel, write_kernelspec
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.environments import Root
    from support.tiers import Channel

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))

_EXAMPLE = re.compile(
    r"^```\{code-block\} (?P<kind>ipython3|console|yaml)\n(?P<code>.*?)^```\n"
    r"(?:<!-- (?P<mark>shows|fails|not run): (?P<words>.*?) -->)?",
    re.DOTALL | re.MULTILINE,
)


_LINE = re.compile(r"(?:\$ |!)?(?:%?%env(?P<magic>\w+)|jstackmagic (?P<verb>[a-z]+))(?P<rest>.*)")
_NO_MORE = re.compile(r"\s{2,}.*|\s+(?:#|[|>;]|&&) .*")  # what it does, or a shell's business


@dataclass(frozen=True)
class Example:
    kind: str
    code: str
    mark: str
    words: str


def examples(page: str) -> list[Example]:
    found = _EXAMPLE.finditer((DOCS / page).read_text())
    return [
        Example(each["kind"], each["code"], each["mark"] or "", each["words"] or "")
        for each in found
    ]


def test_it_is_built_without_a_warning_and_has_every_verb_in_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", tmp_path / "d"]
    done = subprocess.run(
        [*command, DOCS, tmp_path / "html"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "html/reference.html").read_text()
    for verb in commands.names():
        assert f"%env{verb}" in reference
        for action in commands.parser(verb, magic=True)._actions:
            assert all(option in reference for option in action.option_strings)


@pytest.fixture(scope="module")
def prefix(make_kernel_env: Callable[..., Path]) -> Path:
    return make_kernel_env("documented")


@pytest.fixture(scope="module")
def other(full_root: Root) -> Path:
    return full_root.create("other-documented", "python", "pip")


@pytest.fixture
def user(
    prefix: Path, other: Path, home: Path, full_channel: Channel, tmp_path: Path
) -> Iterator[dict[str, str]]:
    """A user's home, channel, index, another kernel, and a messy notebook; the variables of it."""
    (home / ".condarc").write_text(json.dumps({"channels": [full_channel.url]}))
    write_kernelspec(home / ".local/share/jupyter/kernels/other", other)
    messy = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("!pip install twitter\nimport twitter")]
    )
    nbformat.write(messy, tmp_path / "analysis.ipynb")
    with WheelIndex(tmp_path / "index") as index:
        for name, version in (("twitter", "1.19.6"), ("pymongo", "4.10.1"), ("flake8", "7.3.0")):
            index.add(name, version)
        yield {
            "PIP_INDEX_URL": index.url,
            # as where the environment is activated, or is the image's only one
            "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}",
        }
    pip = [str(prefix / "bin/python"), "-m", "pip", "uninstall", "--yes", "--quiet"]
    subprocess.run([*pip, "twitter", "flake8"], check=True, capture_output=True)


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)])
def test_every_example_does_what_the_page_says(
    page: str, prefix: Path, user: dict[str, str], tmp_path: Path
) -> None:
    with Kernel(prefix, cwd=tmp_path, environ=user) as kernel:
        for example in examples(page):
            if example.mark == "not run":
                continue
            if example.kind == "console":
                failure, shown = run_in_bash(example.code, user, tmp_path)
            else:
                assert example.kind == "ipython3", f"{page}: say why it is not run"
                result = kernel.run(example.code, timeout=120)
                failure, shown = result.error_name, result.shown
            expected = example.words if example.mark == "fails" else ""
            assert failure == expected, f"{page}:\n{example.code}\n{shown}"
            if example.mark == "shows":
                assert example.words in shown, f"{page}:\n{example.code}\n{shown}"
        kernel.run("%envremove --conda pymongo")  # as it was, for the next page


def run_in_bash(code: str, user: dict[str, str], folder: Path) -> tuple[str, str]:
    lines = [line.removeprefix("$ ") for line in code.splitlines() if line.startswith("$ ")]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=folder,
        env={**os.environ, **user},
        capture_output=True,
        text=True,
        check=False,
    )
    return "failed" if done.returncode else "", done.stdout + done.stderr


def command_lines(path: Path) -> Iterator[tuple[str, str]]:
    """The verbs that a page's blocks call, each with the rest of its line."""
    fenced = False
    for line in path.read_text().splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            match = _LINE.fullmatch(line.strip())
            if match:
                yield match["magic"] or match["verb"], _NO_MORE.sub("", match["rest"])


@pytest.mark.parametrize("page", ["../README.md", *PAGES])
def test_every_line_that_a_page_shows_is_one_that_its_verb_takes(page: str) -> None:
    """Of all blocks, those included that need an engine or a hub and are not run."""
    for verb, rest in command_lines(DOCS / page):
        words = split_words(rest)
        words = words[: words.index("--")] if "--" in words else words
        if not {"--help", "-h"} & set(words):
            commands._parse(commands.parser(verb, magic=True), words)


def test_lines_are_found_where_they_are_shown() -> None:
    found = list(command_lines(DOCS / "../README.md"))
    assert ("install", " pymongo") in found
    assert ("undo", " 3f9a") in found
    assert ("hook", " install") in found
    assert len(found) > 30
