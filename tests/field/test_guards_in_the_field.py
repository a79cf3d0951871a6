"""What people typed by mistake, or what others had pinned, owned or closed: it stops, in words."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic import commands, managers
from jstackmagic.capture.cells import CellReader
from jstackmagic.capture.commandlines import recognise
from jstackmagic.install.guards import check_plan
from jstackmagic.managers import EngineOptions
from jstackmagic.managers.conda.rattler import condahistory
from jstackmagic.managers.conda.spec import loose_pins
from jstackmagic.managers.pip import harm
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import CommandFailed, Stopped, UsageError
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Plan
from jstackmagic.model.request import Request
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import debian_owners, read_packages
from support.environments import make_venv, settled
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.environments import Root


class TestAVerbTypedAsAPackage:
    """A7: *install* is a package on public indexes, and never meant."""

    @pytest.mark.parametrize(
        ("words", "meant"),
        [
            (["install", "pandas"], "%envinstall pandas"),
            (["--pip", "pip", "install", "six"], "%envinstall six"),
            (["%conda", "install", "numpy>=1.20"], "%envinstall 'conda:numpy>=1.20'"),
            (["sudo", "apt-get", "install", "vim"], "%envinstall apt:vim"),
            (["--apt", "install", "vim"], "%envinstall apt:vim"),
            (["remove", "pandas"], "%envremove pandas"),
            (["uv", "add", "httpx"], "%envinstall httpx"),
            (["Install", "pandas"], "%envinstall pandas"),
            (["pip install six"], "%envinstall six"),
            (["envinstall", "six"], "%envinstall six"),
            (["envremove", "six"], "%envremove six"),
            (["upgrade", "six"], "%envinstall --upgrade six"),
            (["pipenv", "install", "six"], "%envinstall six"),
            (["npm", "install", "left-pad"], "%envinstall left-pad"),
            (["sudo", "dnf", "install", "graphviz"], "%envinstall graphviz"),
            (["pip3.11", "install", "six"], "%envinstall six"),
        ],
    )
    def test_it_is_asked_about(self, words: list[str], meant: str, history_file: Path) -> None:
        with pytest.raises(UsageError) as caught:
            verb("install", "--record-only", *words)
        assert f"Did you mean: {meant}?" in str(caught.value)
        assert not history_file.exists()

    @pytest.mark.parametrize(
        ("words", "advice"),
        [
            (["requirements.txt"], "%envinstall -f requirements.txt"),
            (["six", "binder/environment.yml"], "%envinstall -f binder/environment.yml"),
            (["six,", "idna"], "%envinstall six idna"),
            (["numpy", "1.26.4"], "%envinstall numpy==1.26.4"),
            (["--apt", "vim", "9.1"], "%envinstall vim=9.1"),
        ],
    )
    def test_a_list_and_commas(self, words: list[str], advice: str, history_file: Path) -> None:
        with pytest.raises(UsageError) as caught:
            verb("install", "--record-only", *words)
        assert advice in str(caught.value)
        assert not history_file.exists()

    def test_also_in_a_cell(self, history_file: Path) -> None:
        session = Session(cell="pip install six\n")
        with pytest.raises(UsageError, match="Did you mean: %envinstall six"):
            commands.execute("install", ["--record-only"], session)
        assert not history_file.exists()

    @pytest.mark.parametrize(
        "line",
        [
            "python -m pip install six",
            "pip install --user six",
            "python3.11 -m pip install six",
            "--prefix /opt/lab -y python -m pip install six",
        ],
    )
    def test_also_with_options_of_the_manager_s(self, line: str, history_file: Path) -> None:
        with pytest.raises(UsageError, match="Did you mean: %envinstall six"):
            verb("install", *line.split())
        assert not history_file.exists()

    @pytest.mark.parametrize(
        ("words", "specs"),
        [
            (["--pip", "npm", "six"], ["npm", "six"]),  # PyPI has a package of that name
            (["--pip", "conda >=4", "six"], ["conda >=4", "six"]),
            (["--pip", "pip", "six"], ["pip", "six"]),  # pip itself is a package
            (["pip:install", "pip:six"], ["install", "six"]),  # the manager is named: it is meant
            (["--pip", "install==1.3.5", "six"], ["install==1.3.5", "six"]),
            (["--pip", "--force", "install", "six"], ["install", "six"]),
            (["--pip", "six", "install"], ["six", "install"]),
        ],
    )
    def test_a_package_of_that_name_can_be_had(
        self, words: list[str], specs: list[str], history_file: Path
    ) -> None:
        verb("install", "--record-only", *words)
        begun = json.loads(history_file.read_text().splitlines()[0])
        assert begun["request"]["specs"] == specs

    @pytest.mark.parametrize(
        ("line", "specs"),
        [
            ("pip install -U -q install databricks-sdk mlflow", ("databricks-sdk", "mlflow")),
            ("conda install -y conda install numpy", ("numpy",)),
            ("apt-get install -y apt-get install graphviz", ("graphviz",)),
        ],
    )
    def test_captured_it_is_left_out_and_said(self, line: str, specs: tuple[str, ...]) -> None:
        (found,) = recognise(line, folder="/w")
        assert found.request is not None
        assert found.request.texts == specs
        assert "typed twice" in found.note

    @pytest.mark.parametrize(
        ("line", "way"),
        [
            ("pip install requirements.txt", "%envinstall -f requirements.txt"),
            ("pip install -U ./docker/requirements-dev.txt", "-f ./docker/requirements-dev.txt"),
            ("conda install -y environment.yml", "%envinstall -f environment.yml"),
            ("uv pip install pyproject.toml", "%envinstall --pip -f pyproject.toml"),
            # packages, whatever the name
            ("pip install requirements-parser", ""),
            ("pip install -r requirements.txt", ""),
            ("pip install environment", ""),
        ],
    )
    def test_a_list_without_its_option_is_no_package(self, line: str, way: str) -> None:
        (found,) = recognise(line)
        assert (found.request is None) is bool(way)
        assert found.reason.endswith(way)

    @pytest.mark.parametrize(
        "line", ["pip install pip six", "pip install -U pip", "pip install install"]
    )
    def test_captured_packages_stay_packages(self, line: str) -> None:
        (found,) = recognise(line, folder="/w")
        assert found.request is not None
        assert found.request.texts[0] in ("pip", "install")
        assert not found.note


class TestPins:
    """C2: ``conda-meta/pinned`` holds what is asked, and is named with its file and date."""

    def pin(self, prefix: Path, text: str) -> str:
        path = prefix / "conda-meta/pinned"
        path.write_text(text, newline="")
        return str(path)

    def test_a_pin_installs_nothing_and_reads_windows_lines(
        self, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("python")
        python = read_packages(detect(prefix), ("conda",)).get("conda", "python")
        assert python is not None
        text = f"# ours\r\npython {python.version}  # as tested\r\nattrs >=1\r\n"
        self.pin(prefix, text)
        assert detect(prefix).pins == (f"python {python.version}", "attrs >=1")
        result = verb("install", "--conda", "--prefix", prefix, "six")
        assert [package.name for package in result.change.added] == ["six"]

    @pytest.mark.parametrize("asked", ["demo-tool=1", "demo-tool=0.5"])
    def test_what_is_asked_against_a_pin_names_it_and_its_file(
        self, conda_env: Callable[..., Path], asked: str
    ) -> None:
        prefix = conda_env("python")
        path = self.pin(prefix, "demo-tool >=2.0\nsix <3\n")
        with pytest.raises(CommandFailed) as caught:
            verb("install", "--conda", "--prefix", prefix, "--dry-run", asked)
        words = str(caught.value)
        assert "demo-tool >=2.0" in words
        assert "six <3" not in words
        assert path in words
        assert time.strftime("%Y-%m-%d") in words

    @pytest.mark.parametrize("line", ["[", "six >=", "${X} <1", "* >1"])
    def test_one_that_cannot_be_read_names_its_file(
        self, conda_env: Callable[..., Path], line: str
    ) -> None:
        prefix = conda_env("python")
        path = self.pin(prefix, f"attrs >=1\n{line}\n")
        with pytest.raises(Stopped) as caught:
            verb("install", "--conda", "--prefix", prefix, "--dry-run", "six")
        assert repr(line) in str(caught.value)
        assert path in str(caught.value)

    @pytest.mark.parametrize("engine", ["rattler", "conda"])
    @pytest.mark.parametrize(
        ("line", "write"),
        [
            ("- six <1", "Write: six <1"),
            ("-six", "Write: six"),
            ("pip:six <1", "Write: six <1"),
            ("six <1;", "Write: six <1"),
            ("-c conda-forge", "Take that line out."),
        ],
    )
    def test_one_that_holds_nothing_is_said(
        self, conda_root: Root, line: str, write: str, engine: str
    ) -> None:
        path = self.pin(conda_root.prefix, f"demo-tool >=1\n# ours\n{line}\n")
        conda_root.stand_in("conda")
        environment = detect(conda_root.prefix)
        choice = managers.get("conda").choose(environment, engine)
        request = Request("install", "conda", ("demo-tool",))
        made = managers.engine(choice, EngineOptions(thorough=False)).plan(request, environment)
        (note,) = [note for note in made.notes if "holds nothing" in note]
        assert note.startswith(f"The pin {line} holds nothing")
        assert f"{path}, line 3" in note
        assert note.endswith(write)

    @pytest.mark.parametrize(
        "line", ["attrs >=1", "conda-forge::attrs", "attrs 26.*  # - as tested", "x-y.z_1 <2"]
    )
    def test_one_that_holds_is_not(self, conda_env: Callable[..., Path], line: str) -> None:
        prefix = conda_env("python")
        self.pin(prefix, f"{line}\n")
        assert not list(loose_pins(detect(prefix)))

    @pytest.mark.parametrize("text", [b"# \xfc\nsix <1\n", b"\xef\xbb\xbfsix <1\n"])
    def test_another_encoding_is_no_trouble(
        self, conda_env: Callable[..., Path], text: bytes
    ) -> None:
        prefix = conda_env("python")
        (prefix / "conda-meta/pinned").write_bytes(text)
        with pytest.raises(CommandFailed, match="A pin stands in the way: six <1"):
            verb("install", "--conda", "--prefix", prefix, "--dry-run", "six")

    def test_a_pin_that_what_is_there_does_not_keep_moves_nothing(
        self, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("python")
        path = self.pin(prefix, "python=3.1.*\n")
        result = verb("install", "--conda", "--prefix", prefix, "--dry-run", "six")
        (step,) = result.done
        assert [package.name for package in step.plan.change.added] == ["six"]
        assert not step.plan.change.changed
        (note,) = [note for note in step.plan.notes if "pinned" in note]
        assert path in note
        assert "stays as it is" in note


class TestCondasOwnHistory:
    """C6: odd specs stop nothing, and an old wish that is in the way is named with its date."""

    ODD = (
        "['*[md5=0123456789abcdef0123456789abcdef]', 'six']",
        "['python[version=\\'>=3.8,<3.9.0a0\\']']",
        "['conda-forge/linux-64::attrs==1.0=py_0', 'defaults::']",
        "mkl@, blas *=openblas",
        "[",
        "['https://conda.example.com/noarch/tool-1.0-0.tar.bz2']",
        "",
    )

    def test_an_old_wish_in_the_way_is_named_with_its_date(
        self, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("python", "six=1.17.0")
        with pytest.raises(CommandFailed) as caught:
            verb("install", "--conda", "--prefix", prefix, "--dry-run", "demo-needs-old-six")
        words = str(caught.value)
        assert f"six=1.17.0 was asked for on {time.strftime('%Y-%m-%d')}" in words
        assert "%envinstall demo-needs-old-six six" in words

    def test_odd_specs_are_no_trouble_and_no_wish_is_lost(
        self, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("python", "six")
        with (prefix / "conda-meta/history").open("a") as history:
            for number, odd in enumerate(self.ODD):
                history.write(f"==> 2024-01-0{number + 1} 10:00:00 <==\n# update specs: {odd}\n")
        assert "six" in condahistory.requested(str(prefix))
        assert condahistory.asked_on(str(prefix))["six"].startswith("2024-01-01")
        result = verb("install", "--conda", "--prefix", prefix, "--dry-run", "demo-tool")
        assert not result.done[0].plan.change.removed


SYSTEM = Environment(
    kind="system",
    name=None,
    prefix="/usr",
    python="3.11.2",
    executable="/usr/bin/python3",
    site_packages=("/usr/lib/python3/dist-packages",),
)


class TestDebiansDistributions:
    """C3: what Debian installed is Debian's to change."""

    def plan(self, change: Change, where: Environment = SYSTEM) -> Plan:
        return Plan(Request("install", "pip", ("x",)), where, "pip", (), change=change)

    @pytest.fixture(autouse=True)
    def _blinker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        owners = {"blinker": ("1.4", "python3-blinker")}
        monkeypatch.setattr(
            harm,
            "debian_owners",
            lambda names, _: {name: owners[name] for name in names if name in owners},
        )

    @pytest.mark.parametrize(
        "change",
        [
            Change(changed=((Package("pip", "blinker", "1.4"), Package("pip", "blinker", "1.9")),)),
            Change(added=(Package("pip", "flask", "3.0"), Package("pip", "blinker", "1.9"))),
            Change(removed=(Package("pip", "blinker", "1.4"),)),
        ],
    )
    def test_pip_leaves_them_alone(self, change: Change) -> None:
        with pytest.raises(Stopped, match=r"blinker 1\.4, which Debian installed") as caught:
            check_plan(self.plan(change))
        assert "python3-blinker" in str(caught.value)
        assert "-m venv" in str(caught.value)

    def test_a_virtual_environment_above_it_has_its_own(self) -> None:
        change = Change(added=(Package("pip", "blinker", "1.9"),))
        check_plan(self.plan(change, replace(SYSTEM, kind="venv", prefix="/e")))

    def test_others_may_come(self) -> None:
        check_plan(self.plan(Change(added=(Package("pip", "flask", "3.0"),))))


@pytest.mark.skipif(shutil.which("dpkg-query") is None, reason="there is no dpkg here")
def test_dpkg_says_whose_a_distribution_is() -> None:
    listed = subprocess.run(
        ["dpkg-query", "-S", "/usr/lib/python3/dist-packages/*-info"],
        capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    if not listed:
        pytest.skip("Debian installed no distribution here")
    debian, path = listed[0].split(": ", 1)
    name = path.rpartition("/")[2].partition("-")[0].lower().replace("_", "-")
    assert debian_owners([name, "no-such"], SYSTEM)[name][1] == debian.partition(":")[0]


@contextmanager
def umask(number: int) -> Iterator[None]:
    before = os.umask(number)
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("mask", [0o027, 0o077])
class TestModes:
    """C4: What root installs under a tight umask is for all who may enter the environment."""

    def closed(self, prefix: Path) -> list[str]:
        """The files and folders that others cannot read."""
        found = []
        for path in prefix.rglob("*"):
            mode = path.lstat().st_mode
            need = 0o005 if stat.S_ISDIR(mode) else 0o004
            mine = not path.is_symlink() and path.name not in (".lock", "pyvenv.cfg")
            if mine and mode & need != need:
                found.append(f"{stat.filemode(mode)} {path.relative_to(prefix)}")
        return found

    def test_condas_records_and_files(self, conda_env: Callable[..., Path], mask: int) -> None:
        prefix = conda_env("python")
        before = set(self.closed(prefix))
        prefix.chmod(0o755)
        with umask(mask):
            verb(
                "install", "--conda", "--prefix", prefix, "--engine", "rattler", "six", "demo-tool"
            )
            settled(prefix)
        ours = [line for line in self.closed(prefix) if line not in before]
        assert not [line for line in ours if "jstackmagic" not in line]
        (record,) = prefix.glob("conda-meta/six-*.json")
        assert stat.S_IMODE(record.stat().st_mode) & 0o044 == 0o044
        assert os.access(prefix / "bin/demo-tool", os.X_OK)
        assert (prefix / "bin/demo-tool").stat().st_mode & 0o001

    @pytest.mark.parametrize("engine", ["uv", "pip"])
    def test_pips_files(self, tmp_path: Path, engine: str, mask: int) -> None:
        prefix = make_venv(tmp_path / "shared")
        prefix.chmod(0o755)
        before = set(self.closed(prefix))
        with umask(mask):
            verb("install", "--pip", "--prefix", prefix, "--engine", engine, "six")
        assert [line for line in self.closed(prefix) if line not in before] == []

    def test_an_environment_of_one_stays_closed(
        self, conda_env: Callable[..., Path], mask: int
    ) -> None:
        prefix = conda_env("python")
        prefix.chmod(0o700)
        with umask(mask):
            verb("install", "--conda", "--prefix", prefix, "six")
        (module,) = prefix.rglob("six.py")
        assert stat.S_IMODE(prefix.stat().st_mode) == 0o700
        assert module.exists()

    def test_condas_history_keeps_its_mode(self, conda_env: Callable[..., Path], mask: int) -> None:
        prefix = conda_env("python")
        (prefix / "conda-meta/history").chmod(0o664)
        with umask(mask):
            verb("install", "--conda", "--prefix", prefix, "six")
        assert stat.S_IMODE((prefix / "conda-meta/history").stat().st_mode) == 0o664


class TestOneDashBeforeAWord:
    """``-upgrade`` is seven options of one letter each, which no manager takes."""

    @pytest.mark.parametrize(
        ("line", "meant"),
        [
            ("pip install -upgrade pip", "--upgrade"),
            ("pip install six -user", "--user"),
            ("pip3 install six -no-cache-dir", "--no-cache-dir"),
            ("pip install -index-url https://i.example.com/s six", "--index-url"),
            ("uv pip install -upgrade six", "--upgrade"),
            ("conda install six -yes", "--yes"),
            ("mamba create -name lab python", "--name"),
            ("apt-get install -yes vim", "--yes"),
            ("pip install -xv six", "no option -x"),
            ("pip instal six", "install is one"),
            ("conda instal six", "install is one"),
            ("apt-get isntall vim", "install is one"),
        ],
    )
    def test_is_said(self, line: str, meant: str) -> None:
        (find,) = recognise(line, folder="/w")
        assert find.request is None
        assert meant in find.reason

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ("pip install -qqU six", "six"),
            ("pip install -rlist.txt", "-r /w/list.txt"),
            ("pip install -e.", "-e /w"),
            ("pip install -- six", "six"),
            ("conda install -cconda-forge -yq six", "six"),
            ("mamba install -yn lab six", "six"),
            ("apt-get -yqq install vim", "vim"),
            ("uv pip install -qU six", "six"),
        ],
    )
    def test_letters_are_letters(self, line: str, expected: str) -> None:
        (find,) = recognise(line, folder="/w")
        assert find.request is not None
        assert find.request.texts == (expected,)

    @pytest.mark.parametrize("line", ["pip list", "pip inspect", "conda info", "apt-get update"])
    def test_other_commands_are_no_slips(self, line: str) -> None:
        assert list(recognise(line)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%envinstall install six", "is the command itself"),
        ("%envinstall install", "is the command itself"),
        ("%envinstall pip install -r list.txt", "is the command itself"),
        ("%envinstall conda install", "is the command itself"),
        ("%envinstall six, idna", "not by commas"),
        ("%envinstall requirements.txt", "a list of packages"),
    ],
)
def test_a_notebook_s_line_is_refused_as_the_magic_refuses_it(line: str, said: str) -> None:
    (find,) = CellReader().read(line)
    assert find.request is None
    assert said in find.reason


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["install"], "%envinstall NAME"),
        (["pip", "install"], "%envinstall NAME"),
        (["conda", "update"], "%envinstall --upgrade conda:NAME"),
        (["-r", "list.txt", "add"], "%envinstall NAME"),
        (["--pip", "uninstall"], "%envremove NAME"),
    ],
)
def test_a_verb_alone_is_no_package(words: list[str], meant: str) -> None:
    with pytest.raises(UsageError, match="is the command itself") as caught:
        verb("install", "--dry-run", *words)
    assert meant in str(caught.value)


@pytest.mark.parametrize("line", ["pip install install", "pip install update==1"])
def test_pip_takes_it_for_one(line: str) -> None:
    (find,) = recognise(line)
    assert find.request is not None
    assert find.request.texts == (line.rpartition(" ")[2],)


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("https://github.example.com/o/r", "git+https://github.example.com/o/r"),
        ("'r @ https://gitlab.example.com/o/r/-/tree/v1'", "git+https://gitlab.example.com/o/r@v1"),
        ("git+git@github.example.com:o/r.git", "git+ssh://git@github.example.com/o/r.git"),
        ("https://github.example.com/o/r/archive/main.zip", ""),
        ("git+https://github.example.com/o/r", ""),
        ("https://github.example.com/o/r/tarball/master", ""),
    ],
)
def test_a_page_is_no_package(spec: str, meant: str) -> None:
    (find,) = recognise(f"pip install {spec}")
    assert (find.request is None) is bool(meant)
    assert find.reason.endswith(meant)
