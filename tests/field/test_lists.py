"""Lists as people have them: saved by PowerShell, frozen in Anaconda, broken by a merge."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from jstackmagic import commands
from jstackmagic.capture import Found, files, lists, own
from jstackmagic.capture.cells import CellReader
from jstackmagic.capture.commandlines import recognise
from jstackmagic.model.errors import InvalidSpec, UsageError
from jstackmagic.model.sources import Sources
from support.channel import platform_subdir
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from jstackmagic.capture.files import Reading


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file below the test's folder, from text or bytes."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def asked(reading: Reading) -> list[tuple[str, tuple[str, ...]]]:
    return [(r.manager, tuple(map(str, r.specs))) for r in reading.requests]


def texts(found: Found) -> tuple[str, ...]:
    assert found.request is not None
    return tuple(map(str, found.request.specs))


def problems(reading: Reading) -> dict[int, str]:
    return {each.line: each.reason for each in reading.problems}


def captured(path: Path) -> Any:
    """What ``capture --dry-run`` makes of a file: its finds as JSON."""
    return verb("capture", "--dry-run", path).to_json()["found"]


def expanded(line: str, folder: Path) -> list[Found]:
    """What a shell line comes to, the lists that it names read."""
    return [each for found in recognise(line, folder=str(folder)) for each in lists.expand(found)]


class TestDecodings:
    """B1."""

    @pytest.mark.parametrize(
        "data",
        [
            b"\xff\xfe" + "six==1.16.0\r\nflask\r\n".encode("utf-16-le"),
            b"\xfe\xff" + "six==1.16.0\nflask\n".encode("utf-16-be"),
            "# -*- coding: latin-1 -*-\n# für alle\nsix==1.16.0\nflask\n".encode("latin-1"),
            b"\xef\xbb\xbfsix==1.16.0\nflask\n",
        ],
    )
    def test_as_pip_decodes(self, write: Callable[..., Path], data: bytes) -> None:
        path = write("requirements.txt", data)
        assert asked(files.read(path)) == [("pip", ("six==1.16.0", "flask"))]
        (found,) = captured(path)
        assert found["command"] == "six==1.16.0 flask"
        more = write("more.txt", "-r requirements.txt\nidna\n")
        assert asked(files.read(more)) == [("pip", ("six==1.16.0", "flask", "idna"))]

    def test_what_it_cannot_be_is_said(self, write: Callable[..., Path]) -> None:
        with pytest.raises(InvalidSpec, match="line 2"):
            files.read(write("requirements.txt", "six\n# für\n".encode("latin-1")))


class TestFrozenInAnaconda:
    """B2."""

    TEXT = (
        "Babel @ file:///tmp/build/80754af9/babel_1607110387436/work\n"
        "certifi @ file:///croot/certifi_1690232220950/work/certifi\n"
        "flask==2.0\n"
        "idna @ file:///home/conda/feedstock_root/build_artifacts/idna_1713279365350/work\n"
        "mkl-service @ file:///C:/ci/mkl-service_1645634525/work\n"
        "numpy @ file:///work/ci_py311/numpy_and_numpy_base_1676830000000/work\n"
    )

    def test_each_such_line_and_no_other(self, write: Callable[..., Path]) -> None:
        path = write("requirements.txt", self.TEXT)
        reading = files.read(path)
        assert asked(reading) == [("pip", ("flask==2.0",))]
        assert set(problems(reading)) == {1, 2, 4, 5, 6}
        assert all("--format=freeze" in reason for reason in problems(reading).values())
        assert "write Babel" in problems(reading)[1]
        assert [each["command"] for each in captured(path) if each["request"]] == ["flask==2.0"]

    def test_one_that_is_here_stays(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("work_1607110387436/work/pyproject.toml", "[project]\nname = 'mine'\n")
        line = f"mine @ file://{tmp_path}/work_1607110387436/work"
        reading = files.read(write("requirements.txt", f"{line}\nsix\n"))
        assert asked(reading) == [("pip", (line, "six"))]
        assert not reading.problems

    def test_behind_a_command(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("requirements.txt", self.TEXT)
        found = expanded("pip install -r requirements.txt", tmp_path)
        assert [texts(f) for f in found if f.request] == [("flask==2.0",)]
        assert sum("requirements.txt:1:" in f.reason for f in found) == 1

    def test_another_machines_wheel(self, write: Callable[..., Path]) -> None:
        text = "x @ file:///home/her/wheels/x-1.0-py3-none-any.whl\nsix\n"
        reading = files.read(write("requirements.txt", text))
        assert "There is no /home/her/wheels" in problems(reading)[1]


class TestCondasListUnderPipsName:
    """B3."""

    TEXT = "# mine\n\n_libgcc_mutex=0.1=main\nnumpy=1.19.2=py38h54aff64_0\nsympy=1.12=pypi_0\n"

    def test_it_is_read_as_condas(self, write: Callable[..., Path]) -> None:
        reading = files.read(write("requirements.txt", self.TEXT))
        specs = ("_libgcc_mutex=0.1=main", "numpy=1.19.2=py38h54aff64_0")
        assert asked(reading) == [("conda", specs), ("pip", ("sympy==1.12",))]
        assert any("name=version=build" in note for note in reading.notes)

    def test_a_command_of_pips(self, write: Callable[..., Path], tmp_path: Path) -> None:
        write("requirements.txt", self.TEXT)
        (found,) = expanded("pip install -r requirements.txt", tmp_path)
        assert found.request is None
        assert "pip refuses it" in found.reason
        assert "%envinstall -f" in found.reason
        first, *_ = expanded("conda install --file requirements.txt", tmp_path)
        assert first.request is not None

    def test_single_lines_of_it_are_not_a_list_of_condas(self, write: Callable[..., Path]) -> None:
        reading = files.read(write("requirements.txt", "six==1.16\nnumpy=1.19\nflask\nidna>=3\n"))
        assert asked(reading) == [("pip", ("six==1.16", "flask", "idna>=3"))]
        assert "write numpy==1.19" in problems(reading)[2]

    def test_the_table_of_conda_list(self, write: Callable[..., Path]) -> None:
        text = (
            "# packages in environment at /opt/conda:\n#\n"
            "# Name                    Version                   Build  Channel\n"
            "numpy                     1.26.4          py311h64a7726_0    conda-forge\n"
            "sympy                     1.12                     pypi_0    pypi\n"
        )
        reading = files.read(write("packages.txt", text))
        assert asked(reading) == [
            ("conda", ("numpy=1.26.4=py311h64a7726_0",)),
            ("pip", ("sympy==1.12",)),
        ]


class TestOptionsBehindARequirement:
    """B4 and B6."""

    LINE = "torch==1.8.0+cu111 -f https://download.example.com/whl/torch_stable.html"

    def test_it_is_taken_off_and_said(self, write: Callable[..., Path]) -> None:
        path = write("requirements.txt", f"{self.LINE}\nsix\n")
        reading = files.read(path)
        assert asked(reading) == [("pip", ("torch==1.8.0+cu111", "six"))]
        assert any("a line of its own" in note for note in reading.notes)

    def test_in_an_environment_yml(self, write: Callable[..., Path]) -> None:
        text = f"dependencies:\n- python\n- pip:\n  - {self.LINE}\n"
        reading = files.read(write("environment.yml", text))
        assert ("pip", ("torch==1.8.0+cu111",)) in asked(reading)
        assert any("a line of its own" in note for note in reading.notes)

    def test_what_one_requirement_can_have_stays_with_it(self, write: Callable[..., Path]) -> None:
        digest = "a" * 64
        text = f"six --config-settings=a=b\nidna==3.0 --hash=sha256:{digest}\nflask -C c=d\n"
        reading = files.read(write("requirements.txt", text))
        assert [(tuple(map(str, r.specs)), r.options) for r in reading.requests] == [
            ((f"idna==3.0 --hash=sha256:{digest}",), ()),
            (("six",), ("--config-settings", "a=b")),
            (("flask",), ("--config-settings", "c=d")),
        ]

    def test_a_hyphen_in_a_marker_or_a_name_is_no_option(self, write: Callable[..., Path]) -> None:
        lines = ('scikit-learn ; platform_machine == "x-y"', "pkg @ https://h.example/a-f-b.zip")
        reading = files.read(write("requirements.txt", "\n".join(lines)))
        assert asked(reading) == [("pip", lines)]
        assert not reading.notes

    def test_options_have_no_markers(self, write: Callable[..., Path]) -> None:
        text = (
            "--extra-index-url https://a.example.com/simple ; sys_platform == 'linux'\n"
            "--extra-index-url https://b.example.com/simple ; sys_platform == 'darwin'\nsix\n"
        )
        reading = files.read(write("requirements.txt", text))
        (request,) = reading.requests
        assert asked(reading) == [("pip", ("six",))]
        assert request.sources.extra_index_urls == (
            "https://a.example.com/simple",
            "https://b.example.com/simple",
        )
        assert any("Options have no markers" in note for note in reading.notes)


class TestOneBadLineCostsOneLine:
    @pytest.mark.parametrize(
        ("line", "meant"),
        [
            ("numpy=1.19", "write numpy==1.19"),
            ("numpy = 1.19", "write numpy==1.19"),
            ("numpy=>1.19", "Write numpy>=1.19"),
            ("conda-forge::idna", "write idna"),
            ("idna==${ABSENT_VERSION}", "ABSENT_VERSION is not set"),
            ("!pip install idna", "write idna"),
            ("- idna", "write idna"),
            ("* idna", "write idna"),
            ("sudo apt-get install -y graphviz", "%envinstall apt:graphviz"),
            ("<<<<<<< HEAD", "merge conflict"),
            ("idna    3.4", "Write idna==3.4"),
            ("idna,", "Write idna"),
            ("idna requests", "write 2 lines"),
            ("--unheard-of", "no option"),
            ("-upgrade", "no option -upgrade"),
            ("--no-deps", "a list cannot hold it"),
            ("./gone", "There is no"),
            ("-c gone.txt", "There is no"),
            ("-r absent.txt", "cannot be read"),
            ("git+https://****@git.example.com/r.git", "credential"),
        ],
    )
    def test_with_its_number_and_what_to_write(
        self, write: Callable[..., Path], line: str, meant: str
    ) -> None:
        path = write("requirements.txt", f"six\n{line}\nflask\n")
        reading = files.read(path)
        assert asked(reading) == [("pip", ("six", "flask"))]
        assert meant in problems(reading)[2], problems(reading)
        found = captured(path)
        assert any(meant in each.get("reason", "") and each["line"] == 2 for each in found)

    def test_a_line_of_an_included_list(self, write: Callable[..., Path]) -> None:
        write("base.txt", "idna\n\nfoo=1\n-r deep/none.txt\n")
        reading = files.read(write("requirements.txt", "six\n-r base.txt\n"))
        assert asked(reading) == [("pip", ("six", "idna"))]
        assert [found.line for found in reading.problems] == [2, 2]
        first, second = (found.reason for found in reading.problems)
        assert first == "In base.txt, line 3: It is conda's form: write foo==1"
        assert second.startswith("In base.txt, line 4: It includes ")

    def test_install_says_it_and_does_the_rest(self, write: Callable[..., Path]) -> None:
        path = write("requirements.txt", "no-such-thing-1\nnumpy=1.19\n")
        assert files.formats()["requirements"].recognises(path)
        reading = files.read(path)
        assert reading.problems[0].command == "numpy=1.19"


class TestAnotherPlatforms:
    """B7."""

    OTHER = "win-64" if platform_subdir() != "win-64" else "linux-64"

    @pytest.mark.parametrize(
        "text",
        [
            f"# platform: {OTHER}\n@EXPLICIT\nhttps://c.example.com/noarch/boto-2.45.0-py_0.tar.bz2\n",
            f"@EXPLICIT\nhttps://c.example.com/pkgs/free/{OTHER}/boto-2.45.0-py27_0.tar.bz2\n",
            "@EXPLICIT\nhttps://c.example.com/noarch/tz-1-0.conda\n"
            f"https://c.example.com/{OTHER}/boto-2.45.0-py27_0.tar.bz2\n",
            "# This file may be used to create an environment using:\n"
            f"# platform: {OTHER}\nnumpy=1.19.2=py38_0\n",
        ],
    )
    def test_it_stops_before_anything(self, write: Callable[..., Path], text: str) -> None:
        path = write("list.txt", text)
        with pytest.raises(InvalidSpec, match=f"{self.OTHER}, and this machine"):
            files.read(path)
        with pytest.raises(UsageError, match=self.OTHER):
            verb("install", "--dry-run", "-f", path)

    def test_this_machines_and_noarch(self, write: Callable[..., Path]) -> None:
        here = platform_subdir()
        urls = [
            f"https://c.example.com/{here}/a-1-0.conda",
            "https://c.example.com/noarch/win-64-like-1-0.conda",
            "https://c.example.com/osx-64/label/linux/noarch/b-1-0.conda",
        ]
        reading = files.read(write("list.txt", "@EXPLICIT\n" + "\n".join(urls)))
        assert asked(reading) == [("conda", tuple(urls))]

    def test_a_token_that_conda_masked(  # B8
        self, write: Callable[..., Path]
    ) -> None:
        url = "https://repo.example.com/t/<TOKEN>/channels/stable/noarch/my-1.0-0.conda"
        with pytest.raises(InvalidSpec, match="<TOKEN>"):
            files.read(write("list.txt", f"@EXPLICIT\n{url}\n"))


class TestBrokenEnvironmentYml:
    """B12."""

    HEAD = "channels:\n- conda-forge\ndependencies:\n- python=3.11\n"

    @pytest.mark.parametrize(
        ("tail", "line", "meant"),
        [
            ("- pip\n    - flask\n", 5, "- pip:"),
            ("- numpy: 1.26\n", 5, "Write - numpy=1.26"),
            ("- sel(linux): numpy\n", 5, "- numpy"),
            ("- {{ name }}\n", 5, "template"),
            ("- numpy: '>=1.2'\n", 5, "Write - numpy>=1.2"),
            ("- pip:\n  - flask: 2\n", 6, "line for pip"),
            ("- pip:\n  - yes\n  - six\n", 6, "put it in quotes"),
            ("- pip:\n  - 3.10\n", 6, "put it in quotes"),
            ("- true\n", 5, "put it in quotes"),
        ],
    )
    def test_an_item(self, write: Callable[..., Path], tail: str, line: int, meant: str) -> None:
        reading = files.read(write("environment.yml", self.HEAD + tail))
        assert ("conda", ("python=3.11",)) in asked(reading)
        assert meant in problems(reading)[line]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("dependencies:\n<<<<<<< HEAD\n- a\n=======\n- b\n>>>>>>> x\n", "Line 2 .* merge"),
            ("dependencies:\n\t- a\n", "Line 2 .* tab"),
            ("dependencies:\n - a\n- b\n", "line 3"),
            ("dependencies:\n  python: 3.8\n", "not a list"),
            ("dependencies:\n- a\ndependencies:\n- b\n", "Line 3 .* second time"),
            ("dependencies:\n- pip: - a\n", "below its key"),
            ("dependencies: !include x\n", "!include is a tag of another"),
            ("dependencies:\n{% if x %}\n- a\n", "a template"),
        ],
    )
    def test_the_whole(self, write: Callable[..., Path], text: str, said: str) -> None:
        with pytest.raises(InvalidSpec, match=said):
            files.read(write("environment.yml", text))

    def test_a_string_where_a_list_is_meant(self, write: Callable[..., Path]) -> None:
        text = "channels: conda-forge\ndependencies :\n- numpy\n- pip: flask\n"
        reading = files.read(write("environment.yml", text))
        assert asked(reading) == [("conda", ("numpy",)), ("pip", ("flask",))]
        assert reading.requests[0].sources.channels == ("conda-forge",)

    def test_a_selector_and_a_template_s_name(self, write: Callable[..., Path]) -> None:
        text = "name: {{ name }}\ndependencies:\n- gcc  # [linux]\n- six  # [why]\n"
        reading = files.read(write("environment.yml", text))
        assert asked(reading) == [("conda", ("gcc", "six"))]
        assert reading.found[0].target.name == ""
        said = ("Line 3: conda reads over # [linux], and takes gcc everywhere.",)
        assert reading.notes == said
        empty = files.read(write("environment.yml", "dependencies:\n"))
        assert empty.notes == ("The dependencies of the environment.yml are empty.",)

    def test_empty_and_repeated_sections(self, write: Callable[..., Path]) -> None:
        text = "dependencies:\n- numpy\n- pip:\n- pip:\n  - six\n- pip:\n  - flask\n"
        reading = files.read(write("environment.yml", text))
        assert asked(reading) == [("conda", ("numpy",)), ("pip", ("six", "flask"))]
        assert not reading.problems

    def test_conda_stores(self, write: Callable[..., Path]) -> None:
        text = (
            "name: lab\nchannels: [conda-forge]\ndescription: ''\nprefix: null\nvariables: null\n"
            "dependencies:\n- numpy\n- pip: [six]\n"
        )
        reading = files.read(write("environment.yaml", text))
        assert asked(reading) == [("conda", ("numpy",)), ("pip", ("six",))]
        assert not reading.notes
        inner = "".join(f"  {line}\n" for line in text.splitlines())
        below = files.read(write("store.yaml", f"specification:\n{inner}"))
        assert asked(below) == asked(reading)

    def test_a_cell_says_the_line(self) -> None:
        from jstackmagic.model.cell import read_cell

        with pytest.raises(InvalidSpec, match="Line 3"):
            read_cell("dependencies:\n- numpy\n- python: 3.8\n")


class TestItemsThatAreNoSpecs:
    """Lines that conda and pip refuse; those beside them are read."""

    @pytest.mark.parametrize(
        ("item", "said"),
        [
            ("numpy, scipy", "Write 2 items"),
            ("numpy scipy", "Write 2 items"),
            ("-c conda-forge foo", "channels: - conda-forge; write - foo"),
            ("conda-forge:bar", "- conda-forge::bar"),
            ("'pip install baz'", "below - pip: - baz"),
            ("conda install baz", "write - baz"),
            ("python=${PYVER}", "no ${PYVER}"),
            ("python {{ PY }}", "{{ PY }}"),
            ("1.5", "a version without a name"),
            ("six>=", "no package"),
            ("toolz=>1", "Write - toolz>=1"),
            ("toolz ~1.0", "no package"),
            ("toolz=^1", "no package"),
            ("dask[array]", "below - pip:"),
            ("pip: 'six, idna'", "write 2 lines"),
            ("pip: [six idna]", "write 2 lines"),
            ("pip: [idna = 3.4]", "idna==3.4"),
            ("pip: ['pip install q']", "write q"),
            ("pip: [python==3.11]", "conda:python=3.11"),
            ("pip: ['-U six']", "a list cannot hold it"),
            ("npm: [left-pad]", "conda knows no section npm"),
        ],
    )
    def test_a_problem_each(self, write: Callable[..., Path], item: str, said: str) -> None:
        reading = files.read(write("environment.yml", f"dependencies:\n- six\n- {item}\n- idna\n"))
        assert asked(reading) == [("conda", ("six", "idna"))]
        assert said in problems(reading)[3]

    @pytest.mark.parametrize(
        "item",
        [
            *(
                "python >=3.8,<3.9",
                "numpy 1.19",
                "numpy 1.19 py38_0",
                "numpy 1.19.*",
                "numpy = 1.19",
            ),
            *("conda-forge::scipy", "conda-forge/linux-64::scipy>=1", "lab/label/x::scipy>=1|2"),
            *("pytorch[version='>=1.8',build=*cuda*]", "numpy=1.19=*openblas*", "python=3.*"),
            *("numpy !=1.2", "_libgcc_mutex=0.1=main", "7zip", "python~=3.8", "jpeg 9e", "r-base"),
            *(
                "numpy ^1.*$",
                "numpy >=1.8,<2|>3",
                "numpy >= 1.8, < 2",
                "blas=*=openblas",
                "tzdata=2023c",
            ),
            *(
                "https://c.example.com/linux-64/x-1-0.tar.bz2",
                "numpy=1.19.2=py38h54aff64_0",
                "z==1",
            ),
        ],
    )
    def test_a_spec_stays(self, write: Callable[..., Path], item: str) -> None:
        reading = files.read(write("environment.yml", f'dependencies:\n- "{item}"\n'))
        assert asked(reading) == [("conda", (item,))]
        assert not reading.problems

    def test_comments_inside_an_item(self, write: Callable[..., Path]) -> None:
        text = 'dependencies:\n- "numpy>1  # x"\n- pip: ["six>=1  # note", "a @ https://h.example/a#b"]\n'
        reading = files.read(write("environment.yml", text))
        assert [specs for _, specs in asked(reading)] == [
            ("numpy>1",),
            ("six>=1", "a @ https://h.example/a#b"),
        ]

    @pytest.mark.parametrize(
        ("channels", "kept", "lost"),
        [
            ("['{{ channel }}', '$CHANNEL', lab]", ("lab",), 2),
            ("lab, more", ("lab", "more"), 0),
            (
                "[lab, 'https://c.example.com/a%2Fb%2Fc']",
                ("lab", "https://c.example.com/a%2Fb%2Fc"),
                0,
            ),
        ],
    )
    def test_channels(
        self, write: Callable[..., Path], channels: str, kept: tuple[str, ...], lost: int
    ) -> None:
        text = f"channels: {channels}\ndependencies: [six]\n"
        reading = files.read(write("environment.yml", text))
        assert reading.requests[0].sources.channels == kept
        assert len(reading.problems) == lost

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("python==3.11", "conda:python=3.11"),
            ("python>=3.9", "pip installs no Python"),
            ("python=3.9", "pip installs no Python"),
            ("pkg-resources==0.0.0", "Debian's setuptools"),
            ("python-apt==2.4.0+ubuntu2", "apt:python3-apt"),
            ("distro-info===1.1build1", "apt:python3-distro-info"),
            ("ubuntu-drivers-common==0.0.0", "apt:ubuntu-drivers-common"),
            ("import os", "a line of Python"),
            ("apt-get install baz", "%envinstall apt:baz"),
            ("ufw==0.36.1", "apt:ufw"),
            ("https://github.example.com/o/r", "write git+https://github.example.com/o/r"),
            (
                "r @ https://gitlab.example.com/o/r/-/tree/v1/",
                "git+https://gitlab.example.com/o/r@v1",
            ),
            ("https://github.example.com/o/r/blob/v1/x.whl", "/o/r/raw/v1/x.whl"),
            ("pywin32==305" if sys.platform != "win32" else "pyobjc", "alone"),
            ("https://h.example.com/t-1-cp38-cp38-other_64.whl", "write t==1"),
            (r"C:\Users\me\x.whl", "a path of Windows"),
            ("a>=1.0 <2.0", "Write a>=1.0,<2.0"),
            ('a=="1.0"', "Write a==1.0"),
            ("a ; python_version < 3.8", "write a ; python_version < '3.8'"),
        ],
    )
    def test_no_index_has_it(self, write: Callable[..., Path], line: str, said: str) -> None:
        reading = files.read(write("requirements.txt", f"six\n{line}\nidna\n"))
        assert asked(reading) == [("pip", ("six", "idna"))]
        assert said in problems(reading)[2]

    @pytest.mark.parametrize(
        "line",
        [
            *("python-dateutil==2.8", "torch==2.1+cu118", "x==0.0.0", "pythonnet", "y==1.0.dev1"),
            *("https://github.example.com/o/r/archive/v1.zip", "https://h.example.com/o/r"),
            "git+https://github.example.com/o/r.git",
            "pywin32 ; sys_platform == 'win32'",
            "https://h.example.com/t-1-py3-none-any.whl",
        ],
    )
    def test_an_index_may_have_it(self, write: Callable[..., Path], line: str) -> None:
        assert asked(files.read(write("requirements.txt", f"{line}\n"))) == [("pip", (line,))]

    def test_other_forms_of_the_file(self, write: Callable[..., Path]) -> None:
        flow = write("environment.yml", '{"name": "x", "dependencies": ["numpy"]}')
        assert asked(files.read(flow)) == [("conda", ("numpy",))]
        with pytest.raises(InvalidSpec, match="no dependencies") as raised:
            files.read(write("environment.yml", "dependancies:\n- numpy\n"))
        assert "write dependencies:" in str(raised.value.advice)
        reading = files.read(write("environment.yml", "channel: [a]\ndependencies: [b]\n"))
        assert any("write channels:" in note for note in reading.notes)
        with pytest.raises(InvalidSpec) as raised:
            files.read(write("environment.yml", "dependencies:\n- numpy\n  pip:\n  - six\n"))
        assert "- pip:" in str(raised.value.advice)


class TestLocksIndexes:
    """The index of a locked package is asked, or noted."""

    def lock(self, *indexes: str) -> str:
        return 'lock-version = "1.0"\ncreated-by = "x"\n' + "".join(
            f'[[packages]]\nname = "p{n}"\nversion = "1"\n'
            + (f'index = "{index}"\n' if index else "")
            + f'sdist = {{url = "https://f.example.com/p{n}-1.tar.gz",'
            f' hashes = {{sha256 = "{str(n) * 64}"}}}}\n'
            for n, index in enumerate(indexes)
        )

    @pytest.mark.parametrize(
        ("indexes", "default", "extra"),
        [
            (("https://u:pw@a.example.com/simple",) * 2, "https://u:pw@a.example.com/simple", ()),
            (
                ("https://a.example.com/s", "https://b.example.com/s"),
                "https://a.example.com/s",
                ("https://b.example.com/s",),
            ),
            (("", "https://b.example.com/s"), "", ("https://b.example.com/s",)),
            (("", ""), "", ()),
            ((PYPI_SIMPLE_ENDPOINT,) * 2, "", ()),
            ((f"{PYPI_SIMPLE_ENDPOINT}/", "https://b.example.com/s"), "",
             ("https://b.example.com/s",)),
        ],
    )  # fmt: skip
    def test_pylock(
        self,
        write: Callable[..., Path],
        indexes: tuple[str, ...],
        default: str,
        extra: tuple[str, ...],
    ) -> None:
        (request,) = files.read(write("pylock.toml", self.lock(*indexes))).requests
        assert request.sources.index_url == default
        assert request.sources.extra_index_urls == extra

    @pytest.mark.parametrize(
        ("manager", "said"), [("pip", "has from files.example.com."), ("conda", "")]
    )
    def test_conda_lock(self, write: Callable[..., Path], manager: str, said: str) -> None:
        here = platform_subdir()
        file = {"pip": "idna-3.4-py3-none-any.whl", "conda": f"{here}/idna-3.4-0.conda"}[manager]
        package = {
            "name": "idna",
            "version": "3.4",
            "manager": manager,
            "platform": here,
            "url": f"https://u:pw@files.example.com/{file}",
            "hash": {"sha256": "a" * 64},
        }
        text = f"metadata: {json.dumps({'platforms': [here]})}\npackage: {json.dumps([package])}\n"
        notes = files.read(write("conda-lock.yml", text)).notes
        assert [note for note in notes if said and note.endswith(said)] == list(notes)
        assert bool(notes) is bool(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("renv.lock", "R's packages"),
        ("package.json", "npm's packages"),
    ],
)
def test_a_list_of_another_tool(write: Callable[..., Path], name: str, said: str) -> None:
    reading = files.read(write(name, "version = 1\n"))
    assert [said in found.reason for found in reading.found] == [True]
    with pytest.raises(UsageError) as caught:
        verb("install", "--dry-run", "-f", reading.path)
    assert said in caught.value.reason  # why nothing is installed


@pytest.mark.parametrize(
    ("name", "planned"),
    [
        ("constraints.txt", []),
        ("dev-constraints-3.11.txt", []),
        ("requirements.txt", [("pip", ("six==1",))]),
        ("unconstrained.txt", [("pip", ("six==1",))]),
    ],
)
def test_constraints_install_nothing(
    write: Callable[..., Path], name: str, planned: list[object]
) -> None:
    reading = files.read(write(name, "six==1\n"))
    assert asked(reading) == planned
    assert any("--constraint" in note for note in reading.notes) is not bool(planned)


@pytest.mark.parametrize(
    ("text", "said"),
    [("python-3.10\n", "conda:python=3.10"), ("python-3.12.1\n", "3.12.1"), ("r-4.1\n", "r-4.1")],
)
def test_a_runtime_txt_names_no_package(write: Callable[..., Path], text: str, said: str) -> None:
    reading = files.read(write("runtime.txt", text))
    assert not reading.found
    assert said in reading.notes[0]
    with pytest.raises(UsageError):
        verb("install", "--dry-run", "-f", write("runtime.txt", text))


class TestListsThatLinesChange:
    """A list here that the lines before its use change is read as it lies here, with a note."""

    @pytest.mark.parametrize(
        "line",
        [
            "sed -i '/torch/d' requirements.txt",
            "pip freeze > requirements.txt",
            "echo idna >> requirements.txt",
            "uv export -o requirements.txt",
            "uv pip compile requirements.in --output-file=requirements.txt",
            "poetry export -o requirements.txt",
            "pip-compile -o requirements.txt",
        ],
    )
    def test_a_note(self, write: Callable[..., Path], tmp_path: Path, line: str) -> None:
        write("requirements.txt", "six\n")
        found = expanded(f"{line}\npip install -r requirements.txt", tmp_path)
        (use,) = [each for each in found if "install -r" in each.command]
        assert use.request is not None
        assert f"writes {tmp_path}/requirements.txt: it is read as it lies here now." in use.note

    @pytest.mark.parametrize(
        "line",
        [
            "sed -n '/torch/p' requirements.txt",
            "echo six > requirements.txt",
            "pip freeze > other.txt",
            "cat requirements.txt",
            "cp requirements.txt other.txt",
        ],
    )
    def test_none_for_one_that_stays(
        self, write: Callable[..., Path], tmp_path: Path, line: str
    ) -> None:
        write("requirements.txt", "six\n")
        found = expanded(f"{line}\npip install -r requirements.txt", tmp_path)
        (use,) = [each for each in found if "install -r" in each.command]
        assert "lies here now" not in use.note


class TestProjects:
    """A8 and B14."""

    TEXT = (
        "[project]\nname = 'mine'\nversion = '1'\ndependencies = ['six']\n"
        "[project.optional-dependencies]\nserver = ['flask']\nplot = ['bokeh']\n"
    )

    @pytest.mark.parametrize(
        ("words", "specs"),
        [
            ("", ("six",)),
            ("--extra server", ("six", "flask")),
            ("--all-extras", ("six", "flask", "bokeh")),
        ],
    )
    def test_uv_reads_a_pyproject(
        self, write: Callable[..., Path], tmp_path: Path, words: str, specs: tuple[str, ...]
    ) -> None:
        write("pyproject.toml", self.TEXT)
        line = f"uv pip install --system --no-cache -r pyproject.toml {words}"
        (found,) = expanded(line, tmp_path)
        assert found.request is not None
        assert texts(found) == specs
        (refused,) = expanded("pip install -r pyproject.toml", tmp_path)
        assert refused.reason.startswith("pip reads no pyproject.toml")

    def test_uv_reads_a_script_and_a_setup_cfg(
        self, write: Callable[..., Path], tmp_path: Path
    ) -> None:
        write("job.py", "# /// script\n# dependencies = ['six']\n# ///\n")
        text = "[options]\ninstall_requires =\n    idna\n    six>1\n"
        write("setup.cfg", f"{text}[options.extras_require]\nx = flask\n")
        (script,) = expanded("uv pip install -r job.py", tmp_path)
        assert texts(script) == ("six",)
        (config,) = expanded("uv pip install -r setup.cfg --extra x", tmp_path)
        assert texts(config) == ("idna", "six>1", "flask")

    @pytest.mark.parametrize(
        ("words", "specs"), [("", ("six",)), ("--extra dev", ("six", "ruff", "pytest>8"))]
    )
    def test_extras_that_setuptools_takes_from_files(
        self, write: Callable[..., Path], tmp_path: Path, words: str, specs: tuple[str, ...]
    ) -> None:
        write("dev.txt", "ruff\npytest>8\n")
        write(
            "pyproject.toml",
            "[project]\ndependencies = ['six']\ndynamic = ['optional-dependencies']\n"
            "[tool.setuptools.dynamic.optional-dependencies]\n"
            "dev = {file = ['dev.txt']}\ngone = {file = 'gone.txt'}\n",
        )
        (found,) = expanded(f"uv pip install -r pyproject.toml {words}", tmp_path)
        assert texts(found) == specs

    @pytest.mark.parametrize(
        ("more", "note"),
        [
            (
                "[tool.pixi.feature.gpu.dependencies]\nc2 = '*'\nc3 = '*'\n",
                "Its feature gpu is left aside: c2, c3.",
            ),
            (
                "[tool.hatch.envs.default]\ndependencies = ['ruff>1']\n",
                "[tool.hatch.envs.default.dependencies] is left aside: ruff>1.",
            ),
            (
                "[tool.pdm.dev-dependencies]\ntest = ['pytest']\n",
                "[tool.pdm.dev-dependencies] is left aside: test.",
            ),
            ("requires-python = '>=3.13'\n", "It is for Python >=3.13."),
            ("[tool.setuptools.dynamic]\ndependencies = {file = 'x'}\n", ""),
        ],
    )
    def test_what_other_tools_list_is_named(
        self, write: Callable[..., Path], more: str, note: str
    ) -> None:
        text = f"[project]\nname = 'mine'\ndependencies = ['six']\n{more}"
        reading = files.read(write("pyproject.toml", text))
        assert asked(reading) == [("pip", ("six",))]
        assert list(reading.notes) == [note] * bool(note)

    def test_a_place_that_poetry_adds_to_a_project(self, write: Callable[..., Path]) -> None:
        text = (
            "[project]\nname = 'mine'\ndependencies = ['foo>=1', 'bar', 'six']\n"
            "[tool.poetry.dependencies]\nfoo = {source = 'lab'}\nsix = {version = '^1'}\n"
            "bar = {git = 'https://h.example/bar.git', rev = 'v1'}\n"
            "[[tool.poetry.source]]\nname = 'lab'\nurl = 'https://lab.example/simple'\n"
        )
        reading = files.read(write("pyproject.toml", text))
        bar = "bar @ git+https://h.example/bar.git@v1"
        assert asked(reading) == [("pip", ("foo>=1", bar, "six"))]
        assert reading.requests[0].sources.extra_index_urls == ("https://lab.example/simple",)
        assert any("foo from the index lab" in note for note in reading.notes)

    def test_poetrys_versions_by_environment(self, write: Callable[..., Path]) -> None:
        text = (
            "[tool.poetry.dependencies]\na = [{version = '^1', python = '<3.10'},"
            " {version = '^2', python = '>=3.10'}]\nb = 'latest'\nc = '=1.0'\n"
        )
        reading = files.read(write("pyproject.toml", text))
        first, second = "a>=1,<2 ; python_version < '3.10'", "a>=2,<3 ; python_version >= '3.10'"
        assert asked(reading) == [("pip", (first, second, "c==1.0"))]
        assert [found.command for found in reading.problems] == ["b = 'latest'"]

    def test_what_a_project_s_tool_fills_in(self, write: Callable[..., Path]) -> None:
        text = "[project]\ndependencies = ['six', 'foo @ {root:uri}/foo', '-r x.txt']\n"
        reading = files.read(write("pyproject.toml", text))
        assert asked(reading) == [("pip", ("six",))]
        first, second = (found.reason for found in reading.problems)
        assert "{root:uri} is filled in by" in first
        assert "an option" in second

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("setup.cfg", "[options]\ninstall_requires = file: requirements.in\n"),
            (
                "pyproject.toml",
                "[project]\nname = 'x'\ndynamic = ['dependencies']\n"
                "[tool.setuptools.dynamic]\ndependencies = {file = ['requirements.in']}\n",
            ),
        ],
    )
    def test_setuptools_files(self, write: Callable[..., Path], name: str, text: str) -> None:
        write("requirements.in", "six  # why\n\nfoo=1\n")
        reading = files.read(write(name, text))
        assert asked(reading) == [("pip", ("six",))]
        assert [found.command for found in reading.problems] == ["foo=1"]
        write("requirements.in", "six\n").unlink()
        with pytest.raises(InvalidSpec, match="cannot be read"):
            files.read(write(name, text))

    def test_a_pipfiles_file(self, write: Callable[..., Path]) -> None:
        text = "[packages]\nq = {file = 'https://h.example/q.zip'}\nsix = '*'\n"
        reading = files.read(write("Pipfile", text))
        assert asked(reading) == [("pip", ("q @ https://h.example/q.zip", "six"))]

    def test_one_that_is_missing_has_its_own_line(self, write: Callable[..., Path]) -> None:
        text = "[tool.poetry.dependencies]\nsix = '*'\nlib = {path = 'lib'}\n"
        first, second = captured(write("pyproject.toml", text))
        assert first["command"].startswith("six")
        assert second["command"].endswith("/lib")
        assert "There is no" in second["reason"]

    def test_poetrys_platform_and_uvs_sources_by_marker(self, write: Callable[..., Path]) -> None:
        text = (
            "[tool.poetry.dependencies]\nmac = {version = '^1', platform = 'darwin'}\n"
            "pre = {version = '*', allow-prereleases = true}\n"
        )
        reading = files.read(write("pyproject.toml", text))
        assert asked(reading) == [("pip", ("mac>=1,<2 ; sys_platform == 'darwin'", "pre"))]
        assert any("--pre" in note for note in reading.notes)
        text = (
            "[project]\nname = 'mine'\ndependencies = ['torch', 'six']\n[tool.uv.sources]\n"
            "torch = [{index = 'cu', marker = \"sys_platform == 'win32'\"}, "
            "{url = 'https://h.example/torch-2-py3-none-any.whl',"
            " marker = \"os_name == 'posix'\"}]\n"
            "six = [{index = 'cu', marker = \"sys_platform == 'win32'\"}]\n"
        )
        reading = files.read(write("pyproject.toml", text))
        wheel = "torch @ https://h.example/torch-2-py3-none-any.whl"
        assert asked(reading) == [("pip", (wheel, "six"))]
        assert any("has six from other places, and from none" in note for note in reading.notes)

    @pytest.mark.parametrize(
        ("sources", "expected"),
        [
            (
                "{url='https://h.example/a.tar.gz', marker=\"python_version < '3.99'\"},"
                "{git='https://h.example/a.git', marker=\"python_version >= '3.99'\"}",
                (
                    "a @ https://h.example/a.tar.gz ; python_version < '3.99'",
                    "a @ git+https://h.example/a.git ; python_version >= '3.99'",
                ),
            ),
            (
                "{index='cu', marker=\"python_version >= '3.99'\"},"
                "{url='https://h.example/a.tar.gz'}",
                ("a>1 ; python_version >= '3.99'", "a @ https://h.example/a.tar.gz"),
            ),
            (
                "{url='https://h.example/a.tar.gz', marker=\"python_version > '2'\"},"
                "{path='../a', marker=\"os_name == 'none'\"}",
                ("a @ https://h.example/a.tar.gz",),
            ),
        ],
    )
    def test_a_source_for_some_pythons_is_left_to_the_target(
        self, sources: str, expected: tuple[str, ...], write: Callable[..., Path]
    ) -> None:
        project = "[project]\nname = 'm'\ndependencies = ['a>1']\n"
        path = write("pyproject.toml", f"{project}[tool.uv.sources]\na = [{sources}]\n")
        assert asked(files.read(path)) == [("pip", expected)]

    def test_a_locks_wheel_beside_it(self, write: Callable[..., Path]) -> None:
        wheel = "e-1.0-py3-none-any.whl"
        text = (
            "lock-version = '1.0'\ncreated-by = 'x'\n[[packages]]\nname = 'e'\nversion = '1.0'\n"
            f"[[packages.wheels]]\nname = '{wheel}'\npath = '{wheel}'\n"
            f"hashes = {{sha256 = '{'0a' * 32}'}}\n"
        )
        lock = write("pylock.toml", text)
        ((_, ((spec,))),) = asked(files.read(lock))
        assert str(lock.parent / wheel) in spec
        assert "e==1.0" not in spec

    def test_poetrys(self, write: Callable[..., Path]) -> None:
        text = (
            "[tool.poetry]\nname = 'x'\n[tool.poetry.dependencies]\npython = '^3.9'\n"
            "six = '^1.16'\nidna = {version = '~3.4', extras = ['all']}\n"
            "lab = {git = 'https://git.example.com/lab.git', tag = 'v1'}\n"
            "odd = '^1 || ^2'\nback = '=>1'\nbig = {version = '1', optional = true}\n"
        )
        reading = files.read(write("pyproject.toml", text))
        lab = "lab @ git+https://git.example.com/lab.git@v1"
        assert asked(reading) == [("pip", ("six>=1.16,<2", "idna[all]>=3.4,<3.5", lab))]
        assert any("poetry's" in note for note in reading.notes)
        assert [each.command.split()[0] for each in reading.problems] == ["odd", "back"]

    @pytest.mark.parametrize(
        ("source", "index", "extra"),
        [
            ("[[tool.poetry.source]]\nname = 'lab'\nurl = '{}'\n", "", True),
            ("[[tool.poetry.source]]\nname = 'l'\nurl = '{}'\npriority = 'default'\n", "{}", False),
            ("[[tool.poetry.source]]\nname = 'lab'\nurl = '{}'\ndefault = true\n", "{}", False),
            ("[[tool.poetry.source]]\nname = 'l'\nurl = '{}'\npriority = 'primary'\n", "{}", False),
            (
                "[[tool.poetry.source]]\nname = 'PyPI'\npriority = 'primary'\n"
                "[[tool.poetry.source]]\nname = 'l'\nurl = '{}'\npriority = 'primary'\n",
                "",
                True,
            ),
            ("[tool.uv]\nindex-url = '{}'\n", "{}", False),
            ("[tool.uv]\nextra-index-url = ['{}']\n", "", True),
            ("[tool.uv.pip]\nindex-url = '{}'\n", "{}", False),
            ("[tool.uv]\npackage = true\n", "", False),
            ("[[tool.pdm.source]]\nname = 'pypi'\nurl = '{}'\n", "{}", False),
            ("[[tool.pdm.source]]\nname = 'lab'\nurl = '{}'\n", "", True),
        ],
    )
    def test_the_indexes_of_a_project_s_tool(
        self, write: Callable[..., Path], source: str, index: str, extra: bool
    ) -> None:
        url = "https://pypi.example.com/simple"
        text = f"[project]\ndependencies = ['six']\n{source.format(url)}"
        (request,) = files.read(write("pyproject.toml", text)).requests
        assert request.sources.index_url == index.format(url)
        assert request.sources.extra_index_urls == ((url,) if extra else ())

    @pytest.mark.parametrize("table", ["[tool.uv]", "[tool.uv.pip]"])
    def test_uvs_settings_are_read_or_noted(
        self, write: Callable[..., Path], tmp_path: Path, table: str
    ) -> None:
        text = (
            f"{table}\nconstraint-dependencies = ['six<2']\nno-index = true\n"
            "find-links = ['./dist', 'https://l.example.com/x.html']\n"
            "[[tool.uv.index]]\nname = 'flat'\nurl = '../flat'\nformat = 'flat'\n"
        )
        reading = files.read(write("p/pyproject.toml", f"[project]\ndependencies=['six']\n{text}"))
        (request,) = reading.requests
        links = (f"{tmp_path}/p/dist", "https://l.example.com/x.html", f"{tmp_path}/flat")
        assert request.sources.find_links == links
        assert request.options == ("--no-index",)
        assert any("constraint-dependencies, six<2" in note for note in reading.notes)
        block = "".join(f"# {line}\n" for line in ("dependencies=['six']", *text.splitlines()))
        script = files.read(write("p/job.py", f"# /// script\n{block}# ///\n"))
        assert script.requests == reading.requests

    @pytest.mark.parametrize(("name", "known"), [("lab", True), ("other", False)])
    def test_the_index_of_one_package(
        self, write: Callable[..., Path], name: str, known: bool
    ) -> None:
        url = "https://u:pw@pypi.example.com/simple"
        text = (
            f"[tool.poetry.dependencies]\nbaz = {{version = '*', source = '{name}'}}\n"
            f"[[tool.poetry.source]]\nname = 'lab'\nurl = '{url}'\n"
        )
        reading = files.read(write("pyproject.toml", text))
        (request,) = reading.requests
        assert request.sources.extra_index_urls == (url,)
        assert any("is not in this file" in note for note in reading.notes) is not known

    def test_setuptools_list_on_one_line(self, write: Callable[..., Path]) -> None:
        text = "[options]\ninstall_requires = six; idna>3\n"
        assert asked(files.read(write("setup.cfg", text))) == [("pip", ("six", "idna>3"))]

    @pytest.mark.parametrize("text", ["[tool.ruff]\nx = 1\n", "[project]\nname = 'x'\n", ""])
    def test_never_an_empty_success(self, write: Callable[..., Path], text: str) -> None:
        reading = files.read(write("pyproject.toml", text))
        assert not reading.requests
        assert reading.notes

    def test_uvs_sources(self, write: Callable[..., Path], tmp_path: Path) -> None:
        text = (
            "[project]\ndependencies = ['six>1', 'near', 'other', 'Lab.X[a]']\n[tool.uv.sources]\n"
            "six = {git = 'https://git.example.com/six', tag = '1'}\nnear = {path = '../near'}\n"
            "other = {index = 'lab'}\nlab-x = {workspace = true}\n"
        )
        reading = files.read(write("p/pyproject.toml", text))
        six = "six @ git+https://git.example.com/six@1"
        assert asked(reading) == [("pip", (six, f"{tmp_path}/near", "other"))]
        assert [each.command for each in reading.problems] == ["Lab.X[a]"]
        assert any("six from git+" in note for note in reading.notes)
        block = "".join(f"# {line}\n" for line in text.splitlines() if line != "[project]")
        script = files.read(write("p/job.py", f"# /// script\n{block}# ///\n"))
        assert asked(script) == asked(reading)


class TestNotebooksOwnMetadata:
    """B15."""

    def notebook(self, **metadata: object) -> str:
        cells = [{"cell_type": "code", "source": ["import six"], "metadata": {}, "outputs": []}]
        return json.dumps({"cells": cells, "nbformat": 4, "metadata": metadata})

    def test_uvs(self, write: Callable[..., Path]) -> None:
        uv = {"dependencies": ["requests", "pandas>=2"], "requires-python": ">=3.11"}
        path = write("n.ipynb", self.notebook(uv=uv))
        assert asked(files.read(path)) == [("pip", ("requests", "pandas>=2"))]
        assert "It is for Python >=3.11." in files.read(path).notes
        assert [each["command"] for each in captured(path)] == ["requests pandas>=2"]

    def test_condas(self, write: Callable[..., Path]) -> None:
        conda = {"dependencies": ["numpy=1.26", {"pip": ["six"]}], "channels": ["conda-forge"]}
        reading = files.read(write("n.ipynb", self.notebook(conda=conda)))
        assert asked(reading) == [("conda", ("numpy=1.26",)), ("pip", ("six",))]
        assert reading.requests[0].sources.channels == ("conda-forge",)

    def test_thoths(self, write: Callable[..., Path]) -> None:
        listed = {
            "packages": {"pandas": "*", "six": "==1.16"},
            "sources": [{"url": "https://p.example.com/simple"}],
        }
        thoth = {"requirements": json.dumps(listed)}
        reading = files.read(write("n.ipynb", self.notebook(dependencies=thoth)))
        assert asked(reading) == [("pip", ("pandas", "six==1.16"))]
        assert reading.requests[0].sources.index_url == "https://p.example.com/simple"

    @pytest.mark.parametrize(
        ("listed", "kept", "lost"),
        [
            (["a1==1.0", "-r /Workspace/x.txt"], ("a1==1.0",), ["-r /Workspace/x.txt"]),
            (["/Volumes/m/x-1-py3-none-any.whl", "b"], ("b",), ["/Volumes/m/x-1-py3-none-any.whl"]),
            (["--extra-index-url https://p.example.com/simple", "c"], ("c",), []),
        ],
    )
    def test_databricks(
        self, write: Callable[..., Path], listed: list[str], kept: tuple[str, ...], lost: list[str]
    ) -> None:
        own = {"environmentMetadata": {"dependencies": listed, "environment_version": "2"}}
        metadata = {"application/vnd.databricks.v1+notebook": own}
        reading = files.read(write("n.ipynb", self.notebook(**metadata)))
        assert asked(reading) == [("pip", kept)]
        assert [each.command for each in reading.problems] == lost
        own["environmentMetadata"]["dependencies"] = []
        assert files.reader(write("m.ipynb", self.notebook(**metadata))) is None

    def test_one_that_only_speaks_of_dependencies(self, write: Callable[..., Path]) -> None:
        text = self.notebook(widgets={"dependencies": ["x"]}, uv={"exclude-newer": "2024"})
        assert files.reader(write("n.ipynb", text)) is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sudo apt update", "no commands"),
        ("ppa:lab/tools", "add-apt-repository"),
        ("curl,", "Write curl"),
        ("libc6>=2", "libc6=VERSION"),
        ("linux-headers-$(uname -r)", "No shell reads"),
        ("apt-get install vim", "write vim"),
        ("sudo apt install -y git curl", "write git curl"),
        ("./x.deb", "a .deb is a file"),
    ],
)
def test_commands_and_files_in_apt_txt(write: Callable[..., Path], line: str, said: str) -> None:
    reading = files.read(write("apt.txt", f"apt-utils\n{line}\ngit\n"))
    assert asked(reading) == [("apt", ("apt-utils", "git"))]
    assert said in problems(reading)[2]


class TestAptTxt:
    def test_patterns_and_a_release(self, write: Callable[..., Path]) -> None:
        text = "# tools\n-t bookworm-backports git\nlibboost-*-dev\ngraphviz  # why\nNo_Package\n"
        reading = files.read(write("apt.txt", text))
        (request,) = reading.requests
        assert tuple(map(str, request.specs)) == ("git", "libboost-*-dev", "graphviz")
        assert request.options == ("-t", "bookworm-backports")
        assert any("libboost-*-dev" in note for note in reading.notes)
        assert set(problems(reading)) == {5}

    def test_other_options_and_names_with_signs(self, write: Callable[..., Path]) -> None:
        text = "-y --no-install-recommends g++ libstdc++6\n--reinstall-nothing x11-apps\ngcc-\n"
        reading = files.read(write("apt.txt", text))
        (request,) = reading.requests
        assert tuple(map(str, request.specs)) == ("g++", "libstdc++6", "x11-apps")
        assert request.options == ("--no-install-recommends",)
        assert sorted(problems(reading)) == [1, 2, 3]


def test_what_is_written_into_a_list_is_what_export_gives(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a list of PowerShell's to pip's: the names are there, and no list is copied."""
    monkeypatch.setenv("JSTACKMAGIC_HISTORY", os.fspath(tmp_path / "history.jsonl"))
    path = write("requirements.txt", b"\xff\xfe" + "six==1.16.0\r\n".encode("utf-16-le"))
    verb("capture", path)
    made = verb("export", "pip", "-o", tmp_path / "out.txt", "--pin", "spec")
    assert made is not None
    assert "six==1.16.0" in (tmp_path / "out.txt").read_text()


class TestPathsOfAList:
    """pip's are relative to where it runs; a list is often captured from another folder."""

    def test_one_that_is_beside_the_list_alone(self, write: Callable[..., Path]) -> None:
        write("w/x-1-py3-none-any.whl", "")
        write("sub/setup.py", "")
        path = write("requirements.txt", "./w/x-1-py3-none-any.whl\n-e ./sub\nfile:./sub\n./no\n")
        reading = files.read(path)
        sub = str(path.parent / "sub")
        assert asked(reading) == [
            ("pip", (f"{path.parent}/w/x-1-py3-none-any.whl", f"-e {sub}", sub))
        ]
        assert "-e ./sub is relative to the list" in " ".join(reading.notes)
        assert "There is no " in problems(reading)[4]

    def test_one_in_both(
        self, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("here/setup.py", "")
        write("there/setup.cfg", "")
        monkeypatch.chdir(tmp_path / "here")
        reading = files.read(write("there/requirements.txt", "-e .\n"))
        assert asked(reading) == [("pip", (f"-e {tmp_path}/here",))]
        assert f"not what is in {tmp_path}/there" in reading.notes[0]

    def test_one_where_pip_runs(
        self, write: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("setup.py", "")
        monkeypatch.chdir(tmp_path)
        reading = files.read(write("requirements/dev.txt", "-e .[dev]\n"))
        assert asked(reading) == [("pip", (f"-e {tmp_path}[dev]",))]
        assert reading.notes == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("six\u00a0==1", "the character U+00A0"),
        ("numpy–2", "the character U+2013"),
        ("six=={{ v }}", "{{ v }} is a template's, which pip does not fill in"),
        ("git+git@h.example:o/q.git#egg=q", "write git+ssh://git@h.example/o/q.git#egg=q"),
        ("$ pip install six", "no commands: write six"),
        ("dependencies=['six']", "pip reads no requirement in it."),
        ("idna = 3.4", "conda's form: write idna==3.4"),
        ("six ; python_version < '3'  # für alt", ""),
    ],
)
def test_what_a_line_of_pip_s_was_meant_as(
    write: Callable[..., Path], line: str, said: str
) -> None:
    assert said in problems(files.read(write("requirements.txt", f"{line}\n"))).get(1, "")


def test_parentheses_of_a_requirement(write: Callable[..., Path]) -> None:
    text = "[project]\ndependencies=['six (>=1,<2)', 'a[b] (==1) ; os_name == \"nt\"', 'c @ https://h.e/(1).zip']"
    reading = files.read(write("pyproject.toml", text))
    assert asked(reading)[0][1] == (
        "six>=1,<2",
        'a[b]==1 ; os_name == "nt"',
        "c @ https://h.e/(1).zip",
    )


def test_an_explicit_index_counts_where_a_package_is_from_it(write: Callable[..., Path]) -> None:
    index = "[[tool.uv.index]]\nname='{0}'\nurl='https://{0}.example.com'\nexplicit=true\n"
    text = (
        "[project]\ndependencies=['a']\n[tool.uv.sources]\n"
        "a=[{index='cu', marker=\"os_name!='nt'\"},"
        "{index='cpu', marker=\"os_name=='nt'\"}]\n"
        + "".join(map(index.format, ("cu", "cpu", "no")))
    )
    (request,) = files.read(write("pyproject.toml", text)).requests
    assert request.sources.extra_index_urls == ("https://cu.example.com",)


def test_a_list_that_repo2docker_does_not_read_is_said(write: Callable[..., Path]) -> None:
    write("binder/environment.yml", "dependencies: [numpy]\n")
    folder = write("binder/requirements.txt", "six\n").parent.parent
    assert files.read(folder).notes == (
        "repo2docker reads environment.yml, and so not requirements.txt.",
    )


def test_yaml_s_merge_of_a_mapping(write: Callable[..., Path]) -> None:
    text = "x: &x {channels: [lab], name: a}\n<<: *x\nname: b\ndependencies: [six]\n"
    (found,) = files.read(write("environment.yml", text)).found
    assert found.request is not None
    assert (found.target.name, found.request.sources.channels) == ("b", ("lab",))


class TestTextsThatAreNoLists:
    def test_it_is_said_once(self, write: Callable[..., Path]) -> None:
        text = "Notes of the release\n" + "- open the page that was built\n" * 5 + "Done!\n"
        with pytest.raises(InvalidSpec, match="in 7 of its 7 lines, as in line 1: Notes of the"):
            files.read(write("notes.txt", text))

    @pytest.mark.parametrize(
        "text",
        [
            "Notes of a release\nsix\n" + "more words that say nothing\n" * 6,  # one is a package
            "babel @ file:///croot/babel_1690232220950/work\n" * 8,
            "pip install six==1 idna==2\n" * 8,
            "!\n?\n",
        ],
    )
    def test_a_list_that_is_broken_is_read_line_by_line(
        self, write: Callable[..., Path], text: str
    ) -> None:
        assert files.read(write("requirements.txt", text)).problems


@pytest.mark.parametrize("name", ["a\x00b.txt", "x" * 300 + ".txt", "no/such.txt"])
def test_a_list_of_a_name_that_no_file_has(write: Callable[..., Path], name: str) -> None:
    reading = files.read(write("requirements.txt", f"-r {name}\nsix\n"))
    assert asked(reading) == [("pip", ("six",))]
    assert "which cannot be read" in problems(reading)[1]


@pytest.mark.parametrize(
    ("text", "planned", "said"),
    [
        ("a\n<<<<<<< HEAD\nsix==1\n=======\nsix==2\n>>>>>>> x\nb\n", ["a", "b"], "merge conflict"),
        ("foo 0.1 /home/me/foo\n", [], "Write foo==0.1"),
        ("<!DOCTYPE html><html><body>\n", [], "It is a web page"),
        ("404: Not Found", [], "It is a web page"),
        ("m<>3\n", [], "Write m!=3"),
        ('six = "*"\nidna = ">=3"\n', [], "It is TOML's form: write six"),
        ("n @ file:///D:/bld/n_1/work\n", [], "build folder of conda's"),
        ("six\ridna\r", ["six", "idna"], ""),  # as an old Mac ends its lines
        ("six\x0cidna\n", ["six", "idna"], ""),  # as pip splits them
        ("Name Version Build\na 1.16 py37_0\nsix 1 pypi_0 pypi\n", ["a=1.16=py37_0", "six==1"], ""),
        ("name: x\ndependencies:\n  - numpy\n", ["numpy"], ""),
        ("dependencies\nsix\n", ["dependencies", "six"], ""),  # a package of that name
    ],
)  # fmt: skip
def test_other_contents_under_pips_name(
    text: str, planned: list[str], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "requirements.txt"
    path.write_bytes(text.encode())
    reading = files.read(path)
    assert [each for request in reading.requests for each in request.texts] == planned
    assert [said in each.reason for each in reading.problems[:1]] == [True] * bool(said)


_A, _B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
_UV = f"""\
version = 1
[[package]]
name = "demo"
version = "0.1"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "web", extra = ["more"] }},
    {{ name = "old", marker = "python_full_version < '3'" }},
    {{ name = "own" }},
]
[package.optional-dependencies]
big = [{{ name = "huge" }}]
[package.dev-dependencies]
dev = [{{ name = "two", version = "2" }}]
docs = [{{ name = "sphinx" }}]
[[package]]
name = "web"
version = "1.0"
source = {{ registry = "https://lab.example.com/simple" }}
dependencies = [{{ name = "own" }}]
sdist = {{ url = "https://lab.example.com/web.tar.gz", hash = "{_A}" }}
wheels = [{{ url = "https://lab.example.com/web.whl", hash = "{_B}" }}]
[package.optional-dependencies]
more = [{{ name = "two", version = "2" }}]
[[package]]
name = "own"
version = "3"
source = {{ git = "https://git.example.com/own.git?rev=v3&subdirectory=py#0a1b2c" }}
[[package]]
name = "two"
version = "1"
source = {{ registry = "https://lab.example.com/simple" }}
[[package]]
name = "two"
version = "2"
source = {{ registry = "https://lab.example.com/simple" }}
wheels = [{{ url = "https://lab.example.com/two.whl", hash = "{_A}" }}]
"""
_UV_OF_PYTHONS = """\
[[package]]
name = "demo"
source = {{ virtual = "." }}
dependencies = [
    {{ name = "top" }},
    {{ name = "new", marker = "python_full_version >= '3.99'" }},
    {{ name = "win", marker = "sys_platform == 'win32' and python_full_version >= '3.99'" }},
]
[[package]]
name = "top"
version = "1"
source = {{ registry = "https://pypi.org/simple" }}
dependencies = [
    {{ name = "deep", marker = "{marker}" }},
    {{ name = "any", marker = "os_name != 'none'" }},
    {{ name = "top" }},
]
[[package]]
name = "new"
version = "2"
source = {{ registry = "https://pypi.org/simple" }}
dependencies = [{{ name = "deep", marker = "python_full_version < '3.100'" }}, {{ name = "any" }}]
[[package]]
name = "deep"
version = "3"
source = {{ registry = "https://pypi.org/simple" }}
dependencies = [{{ name = "new" }}]
[[package]]
name = "any"
version = "4"
source = {{ registry = "https://pypi.org/simple" }}
"""


@pytest.mark.parametrize(
    ("marker", "pythons"),
    [
        ("python_full_version < '3.5'", "3.4.0 3.99.1"),
        ("python_full_version == '3.11.4'", "3.11.4 3.99.1"),
        ("implementation_name == 'pypy'", "3.99.1"),
    ],
)
def test_a_lock_leaves_pythons_version_to_the_target(
    marker: str, pythons: str, write: Callable[..., Path]
) -> None:
    ((_, specs),) = asked(files.read(write("uv.lock", _UV_OF_PYTHONS.format(marker=marker))))
    markers = {each.name: each.marker for each in map(Requirement, specs)}
    assert sorted(markers) == ["any", "deep", "new", "top"]
    assert markers["any"] is markers["top"] is None
    deep = markers["deep"]
    assert deep is not None
    every = ("3.4.0", "3.11.3", "3.11.4", "3.99.1", "3.100.0")
    holds = [
        each
        for each in every
        if deep.evaluate({"python_full_version": each, "implementation_name": "cpython"})
    ]
    assert " ".join(holds) == pythons


def test_a_lock_that_lacks_a_package_is_no_traceback(write: Callable[..., Path]) -> None:
    text = _UV_OF_PYTHONS.format(marker="").replace('name = "any"\nversion', 'name = "x"\nversion')
    with pytest.raises(InvalidSpec, match="not read here, without 'any'"):
        files.read(write("uv.lock", text))


_POETRY = f"""\
[[package]]
name = "web"
version = "1.0"
optional = false
groups = ["main", "dev"]
files = [{{file = "web.whl", hash = "{_A}"}}]
[package.source]
type = "legacy"
url = "https://lab.example.com/simple"
reference = "lab"
[[package]]
name = "old"
version = "2"
optional = false
groups = ["main"]
markers = {{main = "python_version < \\"3\\""}}
files = []
[[package]]
name = "own"
version = "3"
optional = false
groups = ["main"]
files = []
develop = false
[package.source]
type = "git"
url = "https://git.example.com/own.git"
reference = "main"
resolved_reference = "0a1b2c"
[[package]]
name = "huge"
version = "1"
optional = true
groups = ["main"]
files = []
[[package]]
name = "pytest"
version = "8"
optional = false
groups = ["dev"]
files = []
"""
_PDM = f"""\
[[package]]
name = "web"
version = "1.0"
groups = ["default"]
marker = "os_name == 'posix'"
files = [{{file = "web.whl", hash = "{_A}"}}]
[[package]]
name = "own"
version = "3"
groups = ["default"]
git = "https://git.example.com/own.git"
revision = "0a1b2c"
[[package]]
name = "pytest"
version = "8"
groups = ["dev"]
"""
_PIPENV = {
    "_meta": {"sources": [{"name": "lab", "url": "https://lab.example.com/simple"}]},
    "default": {
        "web": {"version": "==1.0", "hashes": [_A], "markers": "python_version >= '3'"},
        "own": {"git": "https://git.example.com/own.git", "ref": "0a1b2c"},
        "here": {"path": ".", "editable": True},
    },
    "develop": {"pytest": {"version": "==8"}},
}
_OWN = "own @ git+https://git.example.com/own.git@0a1b2c"


@pytest.mark.parametrize(
    ("name", "text", "planned", "notes"),
    [
        (
            "uv.lock",
            _UV,
            [
                (f"web==1.0 --hash={_B} --hash={_A}", f"two==2 --hash={_A}"),
                (f"{_OWN}#subdirectory=py",),
            ],
            ["Its group docs is left aside.", "Its extra big is left aside."],
        ),
        (
            "poetry.lock",
            _POETRY,
            [(f"web==1.0 --hash={_A}",), ('old==2 ; python_version < "3"', _OWN)],
            ["Its group dev is left aside.", "huge is of an extra, and left aside."],
        ),
        (
            "pdm.lock",
            _PDM,
            [(f"web==1.0 ; os_name == 'posix' --hash={_A}",), (_OWN,)],
            ["Its group dev is left aside."],
        ),
        (
            "Pipfile.lock",
            json.dumps(_PIPENV),
            [(f"web==1.0 ; python_version >= '3' --hash={_A}",), (_OWN, "-e {folder}")],
            ["Its develop packages are left aside."],
        ),
    ],
)  # fmt: skip
def test_what_another_tool_has_locked(
    name: str, text: str, planned: list[tuple[str, ...]], notes: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    reading = files.read(tmp_path / name)
    listed = [tuple(each.format(folder=tmp_path) for each in part) for part in planned]
    assert [each.texts for each in reading.requests] == listed
    assert {each.options for each in reading.requests} == {("--no-deps",)}
    assert (list(reading.notes), reading.problems) == (notes, ())
    lab = "" if name == "pdm.lock" else "https://lab.example.com/simple"
    assert {each.sources.index_url for each in reading.requests} == {lab}


def test_a_lock_of_pixi(tmp_path: Path) -> None:
    conda = "https://c.example.com/ch/noarch/a-1-0.conda"
    lock = {
        "version": 6,
        "environments": {
            "default": {
                "indexes": ["https://lab.example.com/simple"],
                "packages": {
                    platform_subdir(): [{"conda": conda}, {"pypi": "https://f.example.com/b.whl"}],
                    "win-64": [{"conda": "https://c.example.com/ch/win-64/w-1-0.conda"}],
                },
            }
        },
        "packages": [
            {"conda": conda, "sha256": "a" * 64},
            {
                "pypi": "https://f.example.com/b.whl", "name": "b",
                "version": "2", "sha256": "b" * 64,
            },
        ],
    }  # fmt: skip
    (tmp_path / "pixi.lock").write_text(json.dumps(lock))
    reading = files.read(tmp_path / "pixi.lock")
    assert asked(reading) == [("conda", (f"{conda}#{_A}",)), ("pip", (f"b==2 --hash={_B}",))]
    del lock["environments"]["default"]["packages"][platform_subdir()]  # type: ignore[index]
    (tmp_path / "pixi.lock").write_text(json.dumps(lock))
    with pytest.raises(InvalidSpec, match="locks win-64"):
        files.read(tmp_path / "pixi.lock")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("uv.lock", "version = 1\n", "uv export"),
        ("poetry.lock", "[[package]]\nname = 'a'\nversion = '1'\n", "poetry export"),
        ("pdm.lock", "[[package]]\nname = 'a'\nversion = '1'\n", "pdm export"),
        ("Pipfile.lock", "{}", "pipenv requirements"),
        ("pixi.lock", "version: 1", "pixi workspace export"),
    ],
)
def test_a_lock_that_says_less_is_named_with_the_command(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InvalidSpec) as caught:
        files.read(tmp_path / name)
    assert said in str(caught.value.advice)


@pytest.mark.parametrize(
    ("entry", "spec"),
    [
        ("{version = '>=1', sys_platform = \"== 'win32'\"}", "foo>=1 ; sys_platform == 'win32'"),
        ("{version = '*', python_version = \"< '3'\"}", "foo ; python_version < '3'"),
        ("'>=1 <2'", "foo>=1,<2"),
        ("{version = '*', sys_platforms = 'no marker'}", "foo"),
    ],
)
def test_what_a_pipfile_says_in_keys_of_their_own(entry: str, spec: str, tmp_path: Path) -> None:
    (tmp_path / "Pipfile").write_text(f"[packages]\nfoo = {entry}\n")
    assert asked(files.read(tmp_path / "Pipfile")) == [("pip", (spec,))]


def test_a_masked_token_of_a_channel(tmp_path: Path) -> None:
    path = tmp_path / "environment.yml"
    text = "channels: ['https://c.example.com/t/{}/ch']\ndependencies: [six]\n"
    path.write_text(text.format("<TOKEN>"))
    with pytest.raises(InvalidSpec, match="conda masked a token"):
        files.read(path)
    path.write_text(text.format("${TOKEN}"))
    assert asked(files.read(path)) == [("conda", ("six",))]


class TestPixi:
    """pixi.toml and [tool.pixi]: what its default environment has on this platform."""

    HERE = platform_subdir()

    @staticmethod
    def sources(reading: Reading) -> dict[str, Sources]:
        return {each.manager: each.sources for each in reading.requests}

    @pytest.mark.parametrize(
        ("entry", "spec"),
        [
            ('numpy = "*"', "numpy"),
            ('python = "3.12.*"', "python=3.12.*"),
            ('six = "1.16.0"', "six==1.16.0"),
            ('numpy = ">=1.26, <2"', "numpy>=1.26,<2"),
            ('numpy = "1.26|1.27"', "numpy==1.26|1.27"),
            ('torch = { version = ">=2", channel = "pytorch" }', "pytorch::torch>=2"),
            (
                'jaxlib = { version = "0.4.*", build = "*cuda*" }',
                "jaxlib[version='0.4.*',build='*cuda*']",
            ),
            (
                f'x = {{ url = "https://c.example.com/{HERE}/x-1-0.conda", md5 = "ab" }}',
                f"https://c.example.com/{HERE}/x-1-0.conda#ab",
            ),
        ],
    )
    def test_a_dependency_is_a_match_spec(
        self, write: Callable[..., Path], entry: str, spec: str
    ) -> None:
        manifest = files.read(write("pixi.toml", f"[dependencies]\n{entry}\n"))
        assert asked(manifest) == [("conda", (spec,))]
        project = files.read(write("pyproject.toml", f"[tool.pixi.dependencies]\n{entry}\n"))
        assert asked(project) == [("conda", (spec,))]
        assert [each.line for each in (*manifest.found, *project.found)] == [1, 1]

    @pytest.mark.parametrize(
        ("entry", "spec"),
        [
            ('flask = { version = "*", extras = ["async"] }', "flask[async]"),
            ('mine = { url = "file:./sub" }', "{}/sub"),
            ('mine = { path = "sub", editable = true, extras = ["a"] }', "-e {}/sub[a]"),
            (
                'x = { git = "https://git.example.com/o/x.git", rev = "abc" }',
                "x @ git+https://git.example.com/o/x.git@abc",
            ),
            ('x = { url = "https://f.example.com/x-1.zip" }', "x @ https://f.example.com/x-1.zip"),
            (
                'x = { version = ">1", env-markers = "python_version < \'3.12\'" }',
                "x>1 ; python_version < '3.12'",
            ),
        ],
    )
    def test_a_pypi_dependency(self, write: Callable[..., Path], entry: str, spec: str) -> None:
        path = write("pixi.toml", f"[pypi-dependencies]\n{entry}\n")
        assert asked(files.read(path)) == [("pip", (spec.format(path.parent),))]

    @pytest.mark.parametrize(
        ("text", "line", "reason"),
        [
            ('a = "*"\nb = { path = "../b" }', 3, "pixi builds it from ../b"),
            ("b = { version = 1 }", 2, 'write b = "1"'),
            ('b = { version = "1", track = "x" }', 2, "no track"),
            ('[tasks]\ngo = "pip install -e ."', 3, "pixi run go"),
            ('[tasks.go]\ncmd = "conda install -y x"', 2, "pixi run go"),
            ('[target.unix.tasks]\ngo = "pip install x"', 3, "pixi run go"),
            ('b = "1.2.3 py_0"', 2, 'Write b = {version = "1.2.3", build = "py_0"}'),
            ('b = "* *mkl"', 2, 'Write b = {version = "*", build = "*mkl"}'),
            ('a = "~=1.0"\nb = "=>1"', 3, "Write b = '>=1'"),
            ('b = "^1"', 2, "Write b = '>=1,<2'"),
            ('[pypi-dependencies]\na = "==1.*"\nb = "=>1"', 4, "Write b = '>=1'"),
            ('[pypi-dependencies]\na = ""\nb = "^1"', 4, "Write b = '>=1,<2'"),
            ('[pypi-dependencies]\nb = "1.0"', 3, "Write b = '==1.0'"),
            ('[pypi-dependencies]\nb = ">=1 <2"', 3, "Write b = '>=1,<2'"),
            (
                '[pypi-dependencies]\nb = {version = "~1.2", extras = ["x"]}',
                3,
                "Write b = {version = '>=1.2,<1.3', extras = ['x']}",
            ),
            ("[pypi-dependencies]\nb = {version = 1}", 3, "Write b = {version = '==1'}"),
            ('[pypi-dependencies]\nb = "none!"', 3, "pixi does not take this version."),
            ("b = true", 2, 'write b = "*"'),
            ("b = 3", 2, 'write b = "3"'),
            ("b = 3.10", 2, "put it in quotes"),
        ],
    )
    def test_what_no_request_can_carry_has_its_line(
        self, write: Callable[..., Path], text: str, line: int, reason: str
    ) -> None:
        reading = files.read(write("pixi.toml", f"[dependencies]\n{text}\n"))
        assert [(each.line, reason in each.reason) for each in reading.problems] == [(line, True)]

    @pytest.mark.parametrize(
        ("text", "specs", "note"),
        [
            (f"[target.{HERE}.dependencies]\na = '2'\n", "a==2 b", ""),
            ("[target.linux.dependencies]\nc = '*'\n", "a==1 b c", ""),
            (
                f"[target.{HERE}.dependencies]\na = '3'\n[target.unix.dependencies]\na = '2'\n",
                "a==3 b",
                "",
            ),
            ("[target.win-64.dependencies]\nc = '*'\n", "a==1 b", "not for this machine: c"),
            ("[host-dependencies]\nc = '*'\na = '0'\n", "a==1 b c", ""),
            ("[constraints]\nc = '*'\n", "a==1 b", "[constraints] is left aside: c"),
            ("[feature.x.dependencies]\nc = '*'\n", "a==1 b", "feature x is left aside: c"),
            (
                "[feature.x.dependencies]\nc = '*'\n[environments]\ndefault = ['x']\n",
                "a==1 b c",
                "",
            ),
            (
                "[feature.x]\ndependencies = {c = '*'}\n[environments]\n"
                "default = {features = ['x'], no-default-feature = true}\n",
                "c",
                "without its default feature: a, b.",
            ),
            ("[environments]\ndefault = ['x']\n", "a==1 b", "[feature.x] is of its default"),
            (
                "[target.unix.activation]\nscripts = ['a.sh']\n[target.win-64.tasks]\nx = 'y'\n",
                "a==1 b",
                "[target.unix.activation] is left aside: scripts.",
            ),
            ("[target.unix.dependencies]\nc = '>= 1, < 2'\n", "a==1 b c>=1,<2", ""),
        ],
    )
    def test_the_default_environment_on_this_platform(
        self, write: Callable[..., Path], text: str, specs: str, note: str
    ) -> None:
        reading = files.read(write("pixi.toml", f"[dependencies]\na = '1'\nb = '*'\n{text}"))
        assert sorted(asked(reading)[0][1]) == specs.split()
        assert [note in each for each in reading.notes] == [True] * bool(note)

    @pytest.mark.parametrize(
        ("text", "channels", "variables"),
        [
            ("channels = ['b', 'a']\n", ("b", "a"), ()),
            (
                "channels = [{channel = 'low', priority = -1}, 'a', {channel='b', priority=2}]\n",
                ("b", "a", "low"),
                (),
            ),
            (
                "channels = ['a']\n[feature.x]\nchannels = ['nvidia', 'a']\n"
                "[environments]\ndefault = ['x']\n",
                ("nvidia", "a"),
                (),
            ),
            ("[system-requirements]\ncuda = '12'\n", (), ("CONDA_OVERRIDE_CUDA=12",)),
            (
                f"platforms = [{{platform = '{HERE}', cuda = '12.4'}}]\n",
                (),
                ("CONDA_OVERRIDE_CUDA=12.4",),
            ),
            ("platforms = [{platform = 'win-64', cuda = '12.4'}]\n", (), ()),
        ],
    )
    def test_channels_and_cuda(
        self,
        write: Callable[..., Path],
        text: str,
        channels: tuple[str, ...],
        variables: tuple[str, ...],
    ) -> None:
        tables = "[dependencies]\na = '*'\n[pypi-dependencies]\nb = '*'\n[workspace]\n"
        sources = self.sources(files.read(write("pixi.toml", tables + text)))
        assert sources == {
            "conda": Sources(channels, variables=variables),
            "pip": Sources(),
        }

    def test_uv_passes_over_it(self, write: Callable[..., Path], tmp_path: Path) -> None:
        text = "[project]\ndependencies = ['six']\n[tool.pixi.dependencies]\nnumpy = '*'\n"
        write("pyproject.toml", text)
        (found,) = expanded("uv pip install -r pyproject.toml", tmp_path)
        assert texts(found) == ("six",)

    def test_the_indexes_are_those_of_the_whole_project(self, write: Callable[..., Path]) -> None:
        path = write(
            "pyproject.toml",
            "[project]\ndependencies = ['idna']\n[tool.pixi.pypi-dependencies]\n"
            "torch = {version = '==2', index = 'https://u:secret@cu.example.com/whl'}\n"
            "[tool.pixi.pypi-options]\nindex-url = 'https://a.example.com/simple'\n"
            "extra-index-urls = ['https://b.example.com', {url = 'https://c.example.com'}]\n"
            "find-links = [{path = 'wheels'}]\nindex-strategy = 'unsafe-best-match'\n",
        )
        reading = files.read(path)
        assert asked(reading) == [("pip", ("idna", "torch==2"))]
        cu = "https://u:secret@cu.example.com/whl"
        assert self.sources(reading)["pip"] == Sources(
            index_url="https://a.example.com/simple",
            extra_index_urls=("https://b.example.com", "https://c.example.com", cu),
            find_links=(str(path.parent / "wheels"),),
        )
        said = " ".join(reading.notes)
        assert "index-strategy" in said
        assert "cu.example.com" in said
        assert "secret" not in said


@pytest.mark.parametrize(
    ("words", "specs"),
    [
        ("-r list.txt", [("pip", ("-r {}/list.txt",))]),
        ("-f list.txt --engine uv --record-only six", [("pip", ("six", "-r {}/list.txt"))]),
        ("--file environment.yml", [("conda", ("numpy",)), ("pip", ("idna",))]),
        ("-y -q -f pixi.toml -n lab", [("conda", ("scipy",))]),
        ("--group dev six", [("", ()), ("pip", ("six",))]),
        ("--missing old.ipynb", [("", ())]),
    ],
)
def test_what_our_own_line_in_a_notebook_names(
    write: Callable[..., Path], tmp_path: Path, words: str, specs: list[tuple[str, Any]]
) -> None:
    write("list.txt", "six\n")
    write("environment.yml", "name: x\ndependencies: [numpy, pip: [idna]]\n")
    write("pixi.toml", "[dependencies]\nscipy = '*'\n")
    read = CellReader(folder=str(tmp_path)).read(f"%envinstall {words}")
    finds = [each for found in read for each in lists.expand(found)]
    assert [each.request.manager if each.request else "" for each in finds] == [m for m, _ in specs]
    wanted = [tuple(spec.format(tmp_path) for spec in each) for _, each in specs]
    assert [texts(each) if each.request else () for each in finds] == wanted
    assert {each.target.name for each in finds if each.request} <= {"lab", ""}


def test_a_notebook_reads_our_line_with_all_its_options() -> None:
    """An option that is not known has its value taken for a package."""
    known = {
        word
        for action in commands.parser("install", magic=True)._actions
        for word in action.option_strings
    }
    assert known - set(own._OPTIONS.names) == set()
