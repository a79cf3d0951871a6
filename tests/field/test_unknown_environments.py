"""Environments that only the run can tell: said, and never another in their place."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.captured import asked, cells, dockerfile, script, where

from jstackmagic.capture import files
from jstackmagic.capture.targets import Targets
from jstackmagic.where.detect import detect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "hole"),
    [
        ("conda activate $ENVNAME\npip install a", "$ENVNAME"),
        ("conda install -n ${ENVNAME} a", "${ENVNAME}"),
        ("$PREFIX/bin/pip install a", "$PREFIX"),
        ('"$PYTHON_BIN" -m pip install a', "$PYTHON_BIN"),
        ("source $(find . -name venv)/bin/activate\npip install a", "$(find . -name venv)"),
    ],
)
def test_an_unknown_one_is_said_and_not_planned(text: str, hole: str) -> None:
    (found,) = script(text)
    aim = Targets(detect()).of(found)
    assert aim.reason == f"Its environment, {hole}, is only known when it runs."


@pytest.mark.parametrize(
    "text",
    [
        "!{sys.executable} -m pip install a",
        "!{sys.prefix}/bin/pip install a",
        "!$(which pip) install a",
        "import sys\nPY = sys.executable\n!{PY} -m pip install a",
        "!$CONDA_EXE install -n base a",
    ],
)
def test_one_that_can_be_told_is_no_unknown_one(text: str) -> None:
    (found,) = cells(text)
    assert "only known" not in Targets(detect()).of(found).reason


def test_the_home_is_known() -> None:
    (found,) = script("$HOME/mf/envs/w/bin/pip install a")
    assert f"There is no environment {os.path.expanduser('~/mf/envs/w')}" in (
        Targets(detect()).of(found).reason
    )


@pytest.mark.parametrize(
    "first",
    ["VENV=${VENV:-/opt/venv}", ": ${VENV:=/opt/venv}", 'export VENV="${VENV-/opt/venv}"'],
)
def test_a_default_is_used_with_a_note(first: str) -> None:
    finds = script(
        f'{first}\npython3 -m venv "$VENV"\n"$VENV/bin/pip" install six\n'
        'source "$VENV"/bin/activate\npip install idna'
    )
    assert [where(each) for each in finds] == ["/opt/venv", "/opt/venv"]
    assert all("`$VENV` is taken as unset" in each.note for each in finds)


def test_in_a_dockerfile_a_default_is_no_guess(tmp_path: Path) -> None:
    (found,) = dockerfile(tmp_path, "RUN ${VENV:-/opt/venv}/bin/pip install six")
    assert (where(found), found.note) == ("/opt/venv", "")


@pytest.mark.parametrize(
    ("line", "own"),
    [
        ("conda run -n lab pip install six", False),
        ("/opt/other/bin/pip install six", False),
        ("conda install -n base six", True),
        ("/usr/local/bin/pip install six", True),
        ("/opt/miniconda3/bin/pip install six", True),
    ],
)
def test_an_image_s_own_environment_is_the_target(line: str, own: bool, tmp_path: Path) -> None:
    (found,) = dockerfile(tmp_path, f"RUN {line}")
    assert found.target.advised is own


def test_the_python_of_an_image_is_not_that_of_this_machine(tmp_path: Path) -> None:
    lines = ("FROM e.com/lib/python:3.7-slim", "RUN pip install six", "RUN pip3.9 install a")
    (tmp_path / "Dockerfile").write_text("\n".join(lines))
    first, second = files.read(tmp_path / "Dockerfile").found
    assert (
        Targets(replace(detect(), python="3.12.1"))
        .of(first)
        .note.startswith("It asks for Python 3.7, and ")
    )
    assert second.target.interpreter == "pip3.9"


def test_uv_passes_over_the_virtual_environment(tmp_path: Path) -> None:
    venv = replace(detect(), kind="venv")
    for text in ("uv pip install --system six", "UV_SYSTEM_PYTHON=1 uv pip install six"):
        (found,) = script(text)
        assert "uv --system passes over" in Targets(venv).of(found).reason
    (found,) = dockerfile(tmp_path, "RUN uv pip install --system six")
    assert Targets(venv).of(found).reason == ""
    (found,) = script("uv pip install six")
    assert Targets(venv).of(found).reason == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("pipx install black", "--pip black"),
        ("/opt/conda/envs/gone/bin/pip install six", "--pip six"),
        ("conda install -n gone -c lab 'six>=1'", "--conda -c lab 'six>=1'"),
        (
            "/no/gone/bin/pip install --pre -i https://a.example/s -f /w six",
            "--pip --index-url https://a.example/s six -- --find-links /w --pre",
        ),
        ("pipx inject black tomli", "--pip tomli"),
        ("uv tool install mkdocs --with 'material<10'", "--pip mkdocs 'material<10'"),
    ],
)
def test_one_that_is_not_here_is_planned_nowhere_else(text: str, line: str) -> None:
    (found,) = script(text)
    assert Targets(detect()).of(found).reason.endswith(f"The line for it here: %envinstall {line}")


class TestShellsThatAToolSetsUp:
    """What a shell reads from a tool's output may set anything."""

    @pytest.mark.parametrize(
        "line",
        [
            'eval "$(pixi shell-hook)"',
            "eval $(poetry env activate)",
            'eval "$(direnv export bash)"',
            ". <(mise activate bash)",
            'X=$(setup)\neval "$X"',
        ],
    )
    def test_it_is_said(self, line: str) -> None:
        (found,) = script(f"export PIP_INDEX_URL=https://x\n{line}\npip install six")
        assert "is not seen here" in found.note
        assert "$PIP_INDEX_URL" in found.note

    @pytest.mark.parametrize(
        "line",
        [
            'eval "$(conda shell.bash hook)"',
            'eval "$(/opt/mf/bin/micromamba shell hook --shell bash)"',
            'eval "$(ssh-agent -s)"',
            "eval `dircolors`",
            "source <(kubectl completion bash)",
            'eval "X=1"',
        ],
    )
    def test_the_harmless_are_not(self, line: str) -> None:
        (found,) = script(f"{line}\npip install six")
        assert found.note == ""

    def test_a_hook_says_which_conda_it_is(self) -> None:
        (found,) = script(
            'eval "$(/mf/bin/conda shell.bash hook)"\nconda activate lab; pip install a'
        )
        assert (found.target.name, found.target.root) == ("lab", "/mf")


@pytest.mark.parametrize(
    ("path", "user", "name"),
    [
        ("/home/$NB_USER/.bashrc", "${NB_UID}", "lab"),
        ("/home/jovyan/.bashrc", "root", "lab"),
        ("/etc/bash.bashrc", "joe", "lab"),
        ("/etc/profile.d/x.sh", "joe", "lab"),
        ("/home/other/.bashrc", "joe", ""),
        ("/home/joe/.bashrc.d/x", "joe", ""),
    ],
)
def test_a_login_shell_reads_the_files_of_its_user(
    tmp_path: Path, path: str, user: str, name: str
) -> None:
    (found,) = dockerfile(
        tmp_path,
        f'USER {user}\nRUN echo "conda activate lab" >> {path}\n'
        'SHELL ["/bin/bash", "-l", "-c"]\nRUN pip install six',
    )
    assert found.target.name == name
    assert bool(found.note) is bool(name)


@pytest.mark.parametrize(
    "line",
    [
        'su - joe -s /bin/bash -c "pip install six"',
        "su joe --shell=/bin/sh -c 'pip install six'",
        "su -s /bin/sh joe -c 'pip install six'",
        "runuser -l joe -c 'pip install six'",
        "runuser -u joe -- pip install six",
        "env -S 'bash -c \"pip install six\"'",
        "env -S 'A=1 pip install' six",
        "cat <<'E' | python3\nimport os\nos.system('pip install six')\nE",
    ],
)
def test_ways_into_another_shell(line: str) -> None:
    assert asked(script(line)) == ["six"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "wget -q https://h/Miniforge3.sh -O mf.sh\nbash mf.sh -b",
            "downloaded from https://h/Mini",
        ),
        ("curl https://h/i.sh -o i.sh && bash i.sh", "What i.sh, downloaded from https://h/i.sh"),
        ("curl -s https://h/i > /tmp/j.sh; chmod +x /tmp/j.sh; /tmp/j.sh -y", "downloaded"),
        (
            "import urllib.request\nurllib.request.urlretrieve('https://h/i','j.sh')\n!sh j.sh",
            "downl",
        ),
        ("ghcup install ghc", "ghcup"),
        ("kubectl krew install y", "kubectl"),
        ("dotnet tool install -g x", "dotnet"),
        ("gh extension install x", "gh"),
        ("echo 'install.packages(\"abc\")' | R --no-save", "conda:r-abc"),
        ("conda develop .", "conda develop"),
    ],
)
def test_installers_by_other_names_are_listed(text: str, said: str) -> None:
    (found,) = cells(text if "!" in text else f"%%bash\n{text}")
    assert found.request is None
    assert said in found.reason


@pytest.mark.parametrize(
    "text",
    ["pre-commit install", "git lfs install", "curl https://h/d -o d.csv\ncat d.csv", "gh pr list",
     "wget https://h/tool -O tool; chmod +x tool; ./tool --all", "x --mode install",
     'useradd -m --shell /bin/bash --uid 1 "$NB_USER"', "chsh -s /bin/sh $USER"],
)  # fmt: skip
def test_what_installs_nothing_is_not(text: str) -> None:
    assert script(text) == []


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("pip install --index-url https://u:${PIP_TOKEN}@h/s a", "https://u:${PIP_TOKEN}@h/s"),
        ("pip install --index-url https://u:$TOKEN@h/s a", "https://u:${TOKEN}@h/s"),
        ("pip install --index-url https://$U:$P@h/s a", "https://${U}:${P}@h/s"),
        ("pip install --index-url https://$HOST/s a", ""),
        ("pip install --index-url $INDEX a", ""),
    ],
)
def test_a_credential_of_an_index_stays_a_variable(text: str, index: str) -> None:
    (found,) = script(text)
    assert (found.request.sources.index_url if found.request else "") == index


@pytest.mark.parametrize(
    "program",
    ["os.path.dirname(sys.executable)}/pip", 'os.path.join(sys.prefix, "bin", "pip")}'],
)
def test_the_kernel_s_own_by_its_folder_is_known(program: str) -> None:
    (find,) = cells(f"import os, sys\n!{{{program} install six")
    assert where(find) == "{sys.prefix}"


def test_a_script_s_own_list_is_no_environment() -> None:
    assert asked(script("uv add --script s.py six")) == ["?"]
