"""A README's blocks, a Pipfile, setup.py, a Windows Dockerfile, and arithmetic in a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.captured import asked, dockerfile, script

from jstackmagic.capture import files, notebooks

if TYPE_CHECKING:
    from pathlib import Path


def readme(folder: Path, text: str) -> list[tuple[int, str]]:
    (folder / "README.md").write_text(text)
    findings = notebooks.read(str(folder / "README.md")).findings
    return [(each.line, *asked([each.found])) for each in findings]  # type: ignore[misc]


def test_blocks_of_a_readme(tmp_path: Path) -> None:
    text = """\
# Setup
```bash
$ pip install tool-a
me@host:~$ sudo apt-get install tool-b
```
```console
(env) $ pip install c \\
    d
Collecting pip install output
```
```sh
# a comment, and no prompt
pip install e
```
1. Then
   ~~~ bash title="x"
   # a comment in a session
   (lab) me@host:~$ pip install f
   ~~~
```
pip install g
```
```text
pip install h
```
"""
    found = readme(tmp_path, text)
    assert [what for _, what in found] == ["tool-a", "tool-b", "c d", "e", "f", "g"]
    lines = text.splitlines()
    said = ("tool-a", "tool-b", " c ", "install e", "install f", "install g")
    assert [line for line, _ in found] == [
        next(n for n, line in enumerate(lines, 1) if word in line) for word in said
    ]


def test_a_comment_is_no_prompt(tmp_path: Path) -> None:
    text = "```bash\n# pip install a\nX=$ pip\npip install b\n```\n"
    assert readme(tmp_path, text) == [(4, "b")]


def test_a_pipfile(tmp_path: Path) -> None:
    (tmp_path / "Pipfile").write_text(
        """\
[[source]]
url = "https://pypi.org/simple"
name = "pypi"
[[source]]
url = "https://lab.example.com/simple"
name = "lab"
[packages]
six = "*"
b = {version = ">=1", extras = ["x"], index = "lab"}
c = {git = "https://git.example.com/c.git", ref = "v1"}
[dev-packages]
pytest = "*"
"""
    )
    reading = files.read(tmp_path / "Pipfile")
    (found,) = reading.found
    assert asked([found]) == ["six b[x]>=1 c @ git+https://git.example.com/c.git@v1"]
    assert found.request is not None
    assert found.request.sources.index_url == ""
    assert found.request.sources.extra_index_urls == ("https://lab.example.com/simple",)
    assert "pytest" in reading.notes[0]


def test_the_first_source_of_a_pipfile_is_the_index(tmp_path: Path) -> None:
    text = '[[source]]\nurl = "https://lab.example.com/simple"\n[packages]\nsix = "==1"\n'
    (tmp_path / "Pipfile").write_text(text)
    (found,) = files.read(tmp_path / "Pipfile").found
    assert found.request is not None
    assert found.request.sources.index_url == "https://lab.example.com/simple"


@pytest.mark.parametrize(
    ("requires", "expected", "note"),
    [
        ("['six', 'idna>=2']", ["six idna>=2"], ""),
        ("NEEDS", ["six"], ""),
        ("open('r.txt').read().split()", [], "worked out when it runs"),
        ("[]", [], "has no install_requires"),
        ("['six', '==1']", ["six", "?"], ""),
    ],
)
def test_a_setup_py(tmp_path: Path, requires: str, expected: list[str], note: str) -> None:
    text = f"from setuptools import setup\nNEEDS = ('six',)\nsetup(install_requires={requires})\n"
    (tmp_path / "setup.py").write_text(text)
    reading = files.read(tmp_path / "setup.py")
    assert asked(list(reading.found)) == expected
    assert note in " ".join(reading.notes)
    assert bool(reading.notes) is bool(note)


def test_a_windows_dockerfile(tmp_path: Path) -> None:
    text = """\
# escape=`
FROM windows.example.com/core
RUN pip install `
  a1
SHELL ["powershell", "-Command"]
RUN python -m pip install a3; if ($?) { pip install a4 }
RUN choco install -y python
RUN Write-Host done
"""
    (tmp_path / "Dockerfile").write_text(text)
    finds = files.read(tmp_path / "Dockerfile").found
    assert asked(list(finds)) == ["a1", "?", "?"]
    assert ["powershell runs it" in found.reason for found in finds[1:]] == [True, False]
    assert finds[2].reason.endswith("choco is not one of them.")
    assert asked(dockerfile(tmp_path, 'SHELL ["cmd", "/S", "/C"]\nRUN pip install b')) == ["b"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("((x = 1 << 2))\npip install a", ["a"]),
        ("(( i++ )); pip install a", ["a"]),
        ("for ((i=0; i<3; i++)); do pip install a; done", ["a"]),
        ("if (( x > 1 && y < 3 )); then pip install a; fi\npip install b", ["a", "b"]),
        ("((pip install a); (pip install b))", ["a", "b"]),
        ("V=1; ((V = 2))\npip install six==$V", ["?"]),
        ("time (pip install a; pip install b)", ["a", "b"]),
        ("time { pip install a; }", ["a"]),
        ("! (pip install a)", ["a"]),
        ("if (grep q f); then pip install a; fi", ["a"]),
        ("pip (install) a", ["?"]),
    ],
)
def test_arithmetic_and_blocks(text: str, expected: list[str]) -> None:
    assert asked(script(text)) == expected
