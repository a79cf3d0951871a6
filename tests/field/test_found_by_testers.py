"""Lines that were found wrong or passed in silence: each with what is right."""

from __future__ import annotations

import pytest
from tests.support.captured import asked, cells, script, where


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python /usr/bin/pip install a", ["a"]),
        ('flock /tmp/l -c "pip install a"', ["a"]),
        ("printf 'a\\nb\\n' | xargs -I{} pip install {}", ["a b"]),
        ('xargs pip install <<< "a b"', ["a b"]),
        ("echo a | xargs -I{} pip install x{}", ["?"]),
        ("PIP_DRY_RUN=1 pip install a", []),
        ("PIP_DRY_RUN=0 pip install a", ["a"]),
        ("apt-get install -y a=1.0-1 b- c+ g++", ["b", "a=1.0-1 c g++"]),
        ("pip install -r - <<E\na\nE", ["?"]),
        ("pipx runpip app install a", ["?"]),
        ("pipx run black install", []),
        ("shopt -s expand_aliases\nalias ins='sudo apt-get install -y'\nins a", ["a"]),
        ("alias ins='sudo apt-get install -y'\nins a", []),
        ("shopt -s expand_aliases\nalias pip='pip --quiet'\npip install a", ["a"]),
        ('echo "pip install a" | at now', ["?"]),
        ('echo "pip install a" | ssh host bash', ["?"]),
    ],
)
def test_lines(text: str, expected: list[str]) -> None:
    assert asked(script(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('__import__("os").system("pip install a")', ["?"]),
        ('__import__("pip").main(["install", "a"])', ["a"]),
        ("exec(\"import os; os.system('pip install a')\")", ["a"]),
        ('import os\ngetattr(os, "system")("pip install a")', ["a"]),
        ('import subprocess\nsubprocess.run([*"pip install".split(), "a"])', ["a"]),
        ('import subprocess\nsubprocess.run(["pip", "install", *names])', ["?"]),
        ('from IPython.utils.process import system\nsystem("pip install a")', ["a"]),
        ('import sh\nsh.pip("install", "a")', ["a"]),
        (
            'import sys, runpy\nsys.argv = ["pip", "install", "a"]\n'
            'runpy.run_module("pip", run_name="__main__")',
            ["a"],
        ),
        ('import os\nv = "1"\nos.system("pip install a=={}".format(v))', ["a==1"]),
        ('import os\nv = "1"\nos.system("pip install a==%s" % v)', ["a==1"]),
        ('import os\nos.system("pip install a=={v:>3}".format(v=1))', ["?"]),
        ("MAJOR, MINOR = 2, 1\n!pip install a=={MAJOR}.{MINOR}", ["a==2.1"]),
        ("MAJOR, *REST = 2, 1\n!pip install a=={MAJOR}", ["?"]),
        ('%%bash -s "x" "2.0"\npip install a==$2', ["a==2.0"]),
        ('getattr(x, "ystem")("pip install a")', []),
        ('await pyodide_js.loadPackage("a")', ["?"]),
    ],
)
def test_calls_of_python(text: str, expected: list[str]) -> None:
    assert asked(cells(text)) == expected


def test_aliases_of_magics() -> None:
    finds = cells(
        "%alias_magic p pip", "%p install a", "%alias pi pip install %s", "pi b", "%pi c", "%alias"
    )
    assert asked(finds) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("cd /opt/py5/bin && ./pip install a", "/opt/py5"),
        (". venv/Scripts/activate; pip install a", "/w/venv"),
        ("export CONDA_PREFIX=/opt/conda/envs/lab; uv pip install a", "/opt/conda/envs/lab"),
        ("export VIRTUAL_ENV=/v CONDA_PREFIX=/c; uv pip install a", "/v"),
        ("cd /opt/tools && ./pip install a", ""),
    ],
)
def test_environments(text: str, prefix: str) -> None:
    (found,) = script(text)
    assert where(found) == prefix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("ln -s /x /usr/lib/python3/dist-packages/pk", "writes into /usr/lib"),
        ("echo /content/pk > /usr/lib/python3/dist-packages/pk.pth", "pk.pth"),
        ("git clone https://h/r /v/lib/python3/site-packages/r", "site-packages/r"),
        ("patch /x/site-packages/foo.py < p", "foo.py"),
        ("apt-key adv --keyserver k --recv-keys X", "trust another source"),
        ("mim install mmcv==1.7 -f https://h/x.html", "--pip mmcv==1.7."),
        ("python -m spacy download en_core_web_sm-3.7.0 --direct", "en_core_web_sm=3.7.0"),
    ],
)
def test_what_is_listed(text: str, said: str) -> None:
    (found,) = script(text)
    assert found.request is None
    assert said in found.reason


@pytest.mark.parametrize(
    "text", ["ls /v/site-packages", "git log -- x/site-packages/y", "ln -s a b"]
)
def test_what_is_not(text: str) -> None:
    assert script(text) == []


def test_a_link_for_python_is_said() -> None:
    (found,) = script("ln -sf /opt/py3/bin/python /usr/bin/python && python -m pip install a")
    assert "ln -sf" in found.note
