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
        ("(crontab -l; echo '@reboot pip install a') | crontab -", ["?"]),
        ("crontab -l | crontab -", []),
        ("pip update a", ["?"]),
        ("pip-compile && pip-sync", ["?"]),
        ("conda env create me/lab", ["?"]),
        ("conda env create lab.yml", ["--file /w/lab.yml"]),
        ("julia -e 'using Pkg; pkg\"add A\"'", ["?"]),
        ("git clone https://g.example.com/x $(python -c 'print(getsitepackages()[0])')", ["?"]),
        ("pip i a", ["?"]),
        ("pip -install a", ["?"]),
        ("apt-get update", []),
        ("dpkg --install a.deb", ["/w/a.deb"]),
        ("pip list --outdated", []),
        ("\\pip install a", ["a"]),
        ("function f { pip install $1; }; f a", ["a"]),
        ("function f\n{\npip install $@\n}\nf a b", ["a b"]),
        ("P=$(cat <<E\na b\nE\n)\npip install $P", ["a b"]),
        ("cd $HOME/x\npip install -r /w/r.txt", ["-r /w/r.txt"]),
        ("cd $X/x\npip install .", ["?"]),
        ("cd x && !pip install .", ["?"]),
        ("if false; then pip install a; else pip install b; fi", ["?", "b"]),
        ("if true; then pip install a; fi", ["a"]),
        ("venv\\Scripts\\pip.exe install a", ["?"]),
        ("'venv\\Scripts\\pip' install a", ["a"]),
        ("pip install 'a\\b'", ["?"]),
        ('echo "pip install a" | ssh host bash', ["?"]),
        ("V=11.8.0; pip install a==1+cu${V//'.'/''}", ["a==1+cu1180"]),
        ('V=v1.2; pip install "a==${V#"v"}" b==${V/\'v\'/0.}', ["a==1.2 b==0.1.2"]),
        ("V=1*; pip install a==${V/'*'/2}", ["?"]),
        ("pip install --$F a", ["a", "?"]),
        ("pip --$F install a", ["?"]),
        ("conda install -$F a", ["a", "?"]),
        ("pip install --index-url=$U a", ["?"]),
        ("pip install a -q! pip install b", ["?"]),
        ("pip install -u a", ["?"]),
        ("uv pip compile r.in -o r.txt", []),
        ("apt-get install -U -y a", ["a"]),
        ("conda install -U a", ["?"]),
        ("apt-get install -y -z a", ["?"]),
        (
            "pip install -f /w/a -c c.txt -r r.txt -e . -U -I -v a",
            ["-c /w/c.txt -r /w/r.txt -e /w a"],
        ),
        ("pip install numpy 1.26.4", ["?"]),
        ("conda install -y numpy 1.26", ["?"]),
        ("pip install numpy==1.26.4 1password", ["numpy==1.26.4 1password"]),
        ("apt-get install -y a 'libicu[0-9][0-9]' '^b(c|d)$'", ["a libicu[0-9][0-9] ^b(c|d)$"]),
        ("conda env create -f $F $A", ["?"]),
        ("pip install a -y", ["?"]),
        ("pip uninstall a -y", ["a"]),
        ("uv pip install -y a", ["?"]),
        ("uv pip uninstall -y a", ["a"]),
        ("pip install --upgarde a", ["?"]),
        ("conda install --chanel c a", ["?"]),
        ("apt-get install -y --no-install-recomends a", ["?"]),
        ("uv pip install --upgarde a", ["?"]),
        ("apt-get install --no-show-upgraded a", ["a"]),
        ("apt-get install --upgrade a", ["a"]),
        ("micromamba install --no-rc --repodata-ttl 60 a", ["a"]),
        ("pip install --global-option --upgarde a", ["a"]),
        ("conda install -y 'numpy pandas'", ["?"]),
        ("conda install -y 'numpy 1.2 py39_0' 'pandas >=1'", ["numpy 1.2 py39_0 pandas >=1"]),
        ("jstackmagic install --repair", ["?"]),
        ("jstackmagic install --repair a", ["a"]),
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
        ("%%bash -s a b\npip install $@", ["a b"]),
        ("%%sh -s -- a b\npip install $2 $#", ["b 2"]),
        ("%%bash\npip install $@", ["?"]),
        ("%%script false --no-raise-error\npip install a", []),
        ("%%script bash -s a\npip install $1", ["a"]),
        ("%%script perl6\npip install a", ["?"]),
        ("%%pip install\na", ["?"]),
        ("if False:\n    !pip install a\nelse:\n    !pip install b", ["?", "b"]),
        ("while 0:\n    !pip install a", ["?"]),
        ("if x: !pip install a", ["?"]),
        ("a = 1; %pip install a", ["?"]),
        ("x = 'a: !pip install a'", []),
        ("p = 'a'\ndef f(p):\n    !pip install {p}\n!pip install {p}", ["?", "a"]),
        ("v = '1'\nmatch x:\n    case 1:\n        v = '2'\n!pip install a=={v}", ["?"]),
        ("v = '1'\nif True:\n    v = '2'\n!pip install a=={v}", ["a==2"]),
        ("v = '1'\nf = lambda v: v\n!pip install a=={v}", ["a==1"]),
        ("a = 1; b = !pip install a", ["a"]),
        ("while os.system('pip install a'):\n    pass", ["a"]),
        ("while True:\n    !pip install a", ["a"]),
        ("p.communicate(b'pip install a')", ["?"]),
        ("p.stdin.write('pip install a')", ["?"]),
        ("f.write('pip install a')", []),
        ("import runpy\nrunpy.run_path('install_deps.py')", ["?"]),
        ("import runpy\nrunpy.run_path('plot.py')", []),
        ('getattr(x, "ystem")("pip install a")', ["?"]),
        ('await pyodide_js.loadPackage("a")', ["?"]),
    ],
)
def test_calls_of_python(text: str, expected: list[str]) -> None:
    assert asked(cells(text)) == expected


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["cd t/", "!pip install ."], ["/w/t"]),
        (["pushd x", "!pip install -r r.txt", "popd", "!pip install -r r.txt"],
         ["-r /w/x/r.txt", "-r /w/r.txt"]),
        (["cd = 1", "cd", "!pip install -r r.txt"], ["-r /w/r.txt"]),
        (["system pip install a", "time !pip install b"], ["a", "b"]),
        (["#@title Install\n#@markdown x\n\n%%bash\npip install a"], ["a"]),
        (["#@title Install\n%%capture\n!pip install a"], ["a"]),
        (["# install\n%%bash\npip install a"], ["?"]),
        (["% pip install a"], ["?"]),
        (["! pip install a"], ["a"]),
        (["F = '--user'\nif x:\n    F = '--pre'\n!pip install {F} a"], ["a", "?"]),
        (["%%R\n# install.packages('a')\nx <- '#'; install.packages('b')"], ["?"]),
    ],
)  # fmt: skip
def test_cells(sources: list[str], expected: list[str]) -> None:
    assert asked(cells(*sources)) == expected


def test_a_variable_that_a_magic_without_its_sign_sets() -> None:
    (found,) = cells("env PIP_INDEX_URL=https://pypi.example.com/simple", "!pip install a")
    assert found.request is not None
    assert found.request.sources.index_url == "https://pypi.example.com/simple"


def test_what_colab_alone_takes_is_said() -> None:
    (found,) = cells("#@title Install\n%%bash\npip install a")
    assert found.note == "Colab alone takes %%bash below #@."


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
        ("mim install mmcv==1.7 -f https://h/x.html", "--pip mmcv==1.7"),
        ("python -m spacy download en_core_web_sm-3.7.0 --direct", "en_core_web_sm=3.7.0"),
    ],
)
def test_what_is_listed(text: str, said: str) -> None:
    (found,) = script(text)
    assert found.request is None
    assert said in found.reason


@pytest.mark.parametrize("program", ["pip", "conda", "apt-get"])
def test_an_option_that_is_not_known_is_said(program: str) -> None:
    (found,) = script(f"{program} install --brand-new a")
    assert asked([found]) == ["a"]
    assert found.request
    assert not found.request.options
    assert found.note == "Not known here, and left out: --brand-new."


@pytest.mark.parametrize(
    "text", ["ls /v/site-packages", "git log -- x/site-packages/y", "ln -s a b"]
)
def test_what_is_not(text: str) -> None:
    assert script(text) == []


def test_a_link_for_python_is_said() -> None:
    (found,) = script("ln -sf /opt/py3/bin/python /usr/bin/python && python -m pip install a")
    assert "ln -sf" in found.note
