"""Which environment a line reaches: one environment under its name and its path, and options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture.lists import expand
from jstackmagic.capture.targets import Targets
from jstackmagic.where.detect import detect
from support.captured import asked, dockerfile, script, where

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conda activate base && conda env create -f environment.yml", ""),
        ("conda run -n base conda env create -f environment.yml", ""),
        ("conda env update -n base -f environment.yml", "base"),
        ("export MAMBA_ROOT_PREFIX=/opt/m\nmicromamba install -n lab six", "/opt/m/envs/lab"),
        ("export MAMBA_ROOT_PREFIX=/opt/m\nmicromamba run -n lab pip install six",
         "/opt/m/envs/lab"),
        ("export MAMBA_ROOT_PREFIX=/opt/m\nconda install -n lab six", "lab"),
        ("export VIRTUAL_ENV=/home/j/.venv\nuv pip install -p /opt/u six", "/opt/u"),
        ("export VIRTUAL_ENV=/home/j/.venv\nuv pip install -p 3.12 six", "/home/j/.venv"),
        ("export VIRTUAL_ENV=/home/j/.venv\nuv add six", "/w/.venv"),
        ("export VIRTUAL_ENV=/home/j/.venv\nuv add --active six", "/home/j/.venv"),
        ("UV_PROJECT_ENVIRONMENT=/opt/p uv add six", "/opt/p"),
        ("uv init p && cd p/src && uv add six", "/w/p/.venv"),
        ("uv init && uv add six", "/w/.venv"),
        ("uv init p && uv add six", ""),
        ("conda activate lab; pip --python .venv install six", "/w/.venv"),
        ("conda activate lab; pip --python=/opt/q install six", "/opt/q"),
        ("conda activate lab; pip --python=/opt/q/bin/python3 install six", "/opt/q"),
        ("conda activate ./env; pip install six", "/w/env"),
        ("cd /v && . bin/activate && pip install six", "/v"),
        ("cd /v; bin/pip install six", "/v"),
        ("cd venv/bin; source ./activate; pip install six", "/w/venv"),
        ("cd $V; bin/pip install six", "$PWD"),
        ("cd $V; source venv/bin/activate; pip install six", "$PWD/venv"),
    ],
)  # fmt: skip
def test_it_is_the_one_that_the_program_takes(text: str, expected: str) -> None:
    (find,) = script(text)
    assert where(find) == expected


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("export VIRTUAL_ENV=/opt/v\nuv pip install -p 3.12 six",
         "uv takes /opt/v only if that has Python 3.12."),
        ("uv pip install -p 3.12 six", ""),
        ("export VIRTUAL_ENV=/opt/v\nuv pip install -p /opt/u six", ""),
    ],
)  # fmt: skip
def test_a_version_chooses_among_environments(text: str, note: str) -> None:
    assert [find.note for find in script(text)] == [note]


def test_a_path_of_windows_is_one() -> None:
    (find,) = script("'C:\\envs\\x\\Scripts\\pip' install six")
    assert where(find) == "C:/envs/x"


@pytest.mark.parametrize(
    "line",
    [
        "source activate gpu && pip install six",
        "/opt/conda/envs/gpu/bin/python -m pip install six",
        "conda install -p /opt/conda/envs/gpu six",
        "PATH=/opt/conda/envs/gpu/bin:$PATH; pip install six",
    ],
)
def test_a_name_and_its_path_are_one_environment(line: str) -> None:
    made, found = script(f"mamba create -y -n gpu python\n{line}")
    assert (where(found), found.target.made) == (where(made), True)


def test_a_path_of_the_same_name_that_no_line_made_is_another() -> None:
    (find,) = script("/opt/conda/envs/gpu/bin/python -m pip install six")
    assert (where(find), find.target.made) == ("/opt/conda/envs/gpu", False)


def test_a_virtual_environment_that_a_line_made_is_made() -> None:
    (find,) = script("python3 -m venv /v && /v/bin/pip install six")
    assert (where(find), find.target.made) == ("/v", True)


def test_base_is_never_made() -> None:
    (find,) = script("conda env update -n base -f environment.yml")
    assert not find.target.made


class TestSettingsThatAreTakenAway:
    """A settings file that is removed, or that PIP_CONFIG_FILE passes over, no longer counts."""

    _CONF = "printf '[global]\\nindex-url = https://a.example.com\\n' > ~/.config/pip/pip.conf\n"

    @pytest.mark.parametrize(
        "line",
        [
            "rm -f ~/.config/pip/pip.conf; pip install six",
            "mv ~/.config/pip/pip.conf /tmp/aside; pip install six",
            "PIP_CONFIG_FILE=/dev/null pip install six",
        ],
    )
    def test_the_index_is_the_default(self, line: str) -> None:
        (find,) = script(self._CONF + line)
        assert find.request is not None
        assert find.request.sources.index_url == ""

    @pytest.mark.parametrize("line", ["rm -f /tmp/pip.conf; pip install six", "pip install six"])
    def test_it_counts_while_it_is_there(self, line: str) -> None:
        (find,) = script(self._CONF + line)
        assert find.request is not None
        assert find.request.sources.index_url == "https://a.example.com"

    def test_channels(self) -> None:
        finds = script(
            "printf 'channels:\\n- lab\\n' > ~/.condarc; conda install six; rm ~/.condarc\n"
            "conda install idna"
        )
        channels = [find.request.sources.channels for find in finds if find.request]
        assert (asked(finds), channels) == (["six", "idna"], [("lab",), ()])


@pytest.mark.parametrize(
    "line",
    [
        "conda create -y -n lab",
        "conda create -y -n lab --clone base",
        "mamba env create -n lab -f https://example.com/environment.yml",
    ],
)
def test_an_environment_that_is_made_without_a_request_is_made(line: str) -> None:
    find = script(f"{line}\nconda activate lab\npip install six")[-1]
    assert (where(find), find.target.made) == ("lab", True)


def test_a_file_that_is_a_url_names_the_environment_and_is_listed() -> None:
    (find,) = script("mamba env create -f https://example.com/environment.yml")
    assert find.reason.endswith("%envinstall -f https://example.com/environment.yml")


class TestNamesOfAnotherConda:
    """A name is a name of the conda that the lines use, and of this machine's without one."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("source /s/mf/etc/profile.d/conda.sh\nconda activate lab\npip install six",
             "/s/mf/envs/lab"),
            ("source /s/mf/etc/profile.d/conda.sh\nconda install -n base six", "/s/mf"),
            ("export PATH=/s/miniforge3/bin:$PATH\nconda install -n lab six",
             "/s/miniforge3/envs/lab"),
        ],
    )  # fmt: skip
    def test_are_not_this_machines(self, text: str, expected: str) -> None:
        default = detect()
        (find,) = script(text)
        aim = Targets(default).of(find)
        assert f"There is no environment {expected} here" in aim.reason
        made = Targets(default).of(replace(find, target=replace(find.target, made=True)))
        assert made.environment.prefix == expected

    def test_without_one_they_are(self) -> None:
        (find,) = script("conda activate lab; pip install six")
        assert "There is no environment lab here" in Targets(detect()).of(find).reason


@pytest.mark.parametrize(
    ("text", "root"),
    [
        ("bash Miniforge3.sh -b -p /scratch/mf\nexport PATH=/scratch/mf/bin:$PATH", "/scratch/mf"),
        ("curl -o i.sh https://h.example/Miniconda3-x.sh; sh i.sh -bp /s/c; PATH=/s/c/bin:$PATH",
         "/s/c"),
        ("source /home/e/x/bin/activate base", "/home/e/x"),
        ("shopt -s expand_aliases\nalias conda=/opt/m/bin/conda", "/opt/m"),
        ("bash setup.sh -b -p /scratch/mf\nexport PATH=/scratch/mf/bin:$PATH", ""),
    ],
)  # fmt: skip
def test_a_conda_that_the_lines_install_has_its_names(text: str, root: str) -> None:
    *_, find = script(f"{text}\nconda create -y -n lab six")
    assert (find.target.name, find.target.root) == ("lab", root)


def test_a_name_in_an_environment_yml_and_its_path_are_one(tmp_path: Path) -> None:
    text = (
        "COPY environment.yml .\nRUN conda env create -f environment.yml\n"
        "ENV PATH=/opt/conda/envs/own/bin:$PATH\nRUN pip install six"
    )
    content = "name: own\ndependencies: [idna]\n"
    found = dockerfile(tmp_path, text, **{"environment.yml": content})
    finds = [each for find in found for each in expand(find)]
    targets = Targets(detect())
    aims = {targets.of(find).environment.prefix for find in finds}
    assert (asked(finds), len(aims)) == (["idna", "six"], 1)
    assert aims.pop().endswith("/envs/own")


class TestTheSystemsPython:
    """``python3`` is what ``update-alternatives`` or a link makes of it."""

    @pytest.mark.parametrize(
        "line",
        [
            "update-alternatives --install /usr/bin/python3 python3 /usr/bin/python3.9 1",
            "update-alternatives --set python /opt/py/bin/python",
            "ln -sf /opt/py/bin/python3 /usr/bin/python",
        ],
    )
    def test_it_is_said(self, line: str, tmp_path: Path) -> None:
        (find,) = dockerfile(tmp_path, f"RUN {line}\nRUN python3 -m pip install six")
        assert line in find.note

    @pytest.mark.parametrize(
        "text",
        [
            "update-alternatives --set editor /usr/bin/vim\npip install six",
            "update-alternatives --set python3 /usr/bin/python3.9\n/opt/v/bin/pip install six",
            "update-alternatives --set python3 /opt/python\nconda activate lab\npip install six",
        ],
    )
    def test_others_are_not(self, text: str) -> None:
        (find,) = script(text)
        assert not find.note
