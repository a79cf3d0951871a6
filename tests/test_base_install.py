"""The base install alone: no py-rattler, no uv; the environment's own pip and conda do the work."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.conda import plain
from support.environments import make_venv, share_bytecode, uv
from support.wheels import build_wheel

if TYPE_CHECKING:
    from support.environments import Root
    from support.standin_conda import StandIn


class Base:
    """A virtual environment with jstackmagic's base install, and no other PATH."""

    def __init__(self, prefix: Path, home: Path) -> None:
        self.prefix = prefix
        self.environ = {
            "PATH": f"{prefix / 'bin'}:/usr/bin:/bin",
            "HOME": str(home),
            "JSTACKMAGIC_HISTORY": str(home / "history.jsonl"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INDEX": "1",
        }

    def run(self, *words: str, status: int = 0, **environ: str) -> str:
        done = subprocess.run(
            [self.prefix / "bin" / "jstackmagic", *words],
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str) -> object:
        text = self.run(*words, "--json")
        return json.loads(text[min(i for i in map(text.find, "[{") if i >= 0) :])

    def has(self, module: str) -> bool:
        code = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        python = self.prefix / "bin" / "python"
        return subprocess.run([python, "-c", code], check=False).returncode == 0


@pytest.fixture(scope="module")
def installed(jstackmagic_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = make_venv(tmp_path_factory.mktemp("base") / "venv", pip=True)
    uv("pip", "install", "--quiet", jstackmagic_wheel, prefix=prefix)
    share_bytecode(prefix)
    return prefix


@pytest.fixture
def base(installed: Path, tmp_path: Path) -> Base:
    home = tmp_path / "home"
    home.mkdir()
    return Base(installed, home)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return build_wheel(tmp_path, "plainly", "1.0")


def test_it_brings_no_engine_and_no_format(base: Base) -> None:
    assert base.has("jstackmagic")
    assert base.has("pip_api")
    for module in ("rattler", "uv", "tomli_w", "pypi_simple", "h2"):
        assert not base.has(module), module


def test_the_main_job_with_the_environments_own_pip(base: Base, wheel: Path) -> None:
    base.run("install", "--pip", str(wheel))
    assert base.has("plainly")
    (record,) = base.json("history")  # type: ignore[misc]
    assert record["engine"] == "pip"
    assert record["outcome"]["status"] == "ok"
    assert "plainly" in base.run("export", "dockerfile", "--from", "debian:12", "--fragment")
    assert base.run("install", "--pip", str(wheel)).count("already there") == 1
    base.run("undo")
    assert not base.has("plainly")


def test_what_lacks_its_extra_says_the_one_line_to_type(base: Base, wheel: Path) -> None:
    base.run("install", "--record-only", "--pip", str(wheel))
    said = base.run("export", "pixi", status=1)
    assert "jstackmagic[" in said
    assert "Traceback" not in said
    said = base.run("install", "--pip", "--engine", "uv", "plainly", status=1)
    assert "jstackmagic[fast]" in said
    said = base.run("install", "plainly=1.0", status=1)  # conda's way to write it
    assert "is not a conda environment" in said
    assert "plainly==1.0" in said
    base.run("export", "--all", str(base.prefix.parent / "all"))
    assert (base.prefix.parent / "all" / "Dockerfile").is_file()
    readme = (base.prefix.parent / "all" / "README.md").read_text()
    assert "jstackmagic\\[formats\\]" in readme.partition("## Not written")[2]


def test_a_uv_on_path_is_used(base: Base, wheel: Path) -> None:
    from uv import find_uv_bin

    path = f"{base.environ['PATH']}:{Path(find_uv_bin()).parent}"
    base.run("install", "--pip", str(wheel), PATH=path)
    record = base.json("history")[-1]  # type: ignore[index]
    assert record["engine"] == "uv"
    base.run("undo", PATH=path)


def test_conda_is_asked_where_there_is_no_rattler(
    base: Base, conda_root: Root, recording_conda: StandIn
) -> None:
    """A stand-in: a real conda would bring a root of 200 MB; what it is asked is what matters."""
    prefix = conda_root.create("analysis", "python", "six")
    conda = {"CONDA_EXE": str(recording_conda.executable)}
    base.run("install", "--prefix", prefix, "--conda", "wheel>=0.40", **conda)
    assert [argv for argv in recording_conda.argvs if "--dry-run" not in argv][-1] == [
        *("install", "--yes", "--name", "analysis", "wheel>=0.40")
    ]
    assert base.json("history")[-1]["engine"] == "conda"  # type: ignore[index]
    base.run("install", "--prefix", prefix, "--conda", "six", **conda)
    assert "six" not in " ".join(recording_conda.argvs[-1]), "it is there already"
    base.run("remove", "--prefix", prefix, "--conda", "six", **conda)
    assert recording_conda.argvs[-1][0] == "remove"


def test_no_conda_and_no_rattler(base: Base, conda_root: Root) -> None:
    prefix = conda_root.create("analysis", "python")
    said = base.run("install", "--prefix", prefix, "--conda", "six", status=1)
    assert "No conda, mamba or micromamba governs" in said
    assert "jstackmagic[fast]" in said


SPECS = (
    *("six", "six=1.16", "six==1.16.0", "six=1.16.0", "six>=1.10,<2", "six>=1.17", "six!=1.16.0"),
    *("six 1.16.*", "six=1.16.0=pyh_0", "six=1.16.0=other", "six 1.15|1.16.0", "Six~=1.10"),
    *("six[version='>=1.2']", "six[build=pyh_0]", "conda-forge::six>1.16.0", "python"),
)


@pytest.mark.parametrize("text", SPECS)
def test_a_plain_match_is_what_rattler_says(text: str) -> None:
    from rattler import BuildString, MatchSpec, PackageRecord

    ours = plain.parse(text)
    assert ours is not None
    theirs = MatchSpec(text)
    record = PackageRecord("six", "1.16.0", BuildString("pyh_0"), 0, "noarch")
    assert ours.name.normalized == theirs.name.normalized
    assert ours.matches(record) is theirs.matches(record)


@pytest.mark.parametrize("text", ["*[md5=0]", "six[md5=00]", "openssl>=1.1.1a,<1.1.2a"])
def test_what_it_cannot_follow_matches_nothing(text: str) -> None:
    ours = plain.parse(text)
    name = text.partition(">")[0].partition("[")[0]
    record = plain.PlainRecord(plain.PlainName(name), "1.1.1k", "0")
    assert ours is None or not ours.matches(record)


def test_all_of_it_is_declared() -> None:
    """Every extra that the errors name is one that there is."""
    from configparser import ConfigParser

    from jstackmagic.model.extras import EXTRAS

    declared = ConfigParser()
    declared.read(Path(os.path.dirname(__file__), "..", "setup.cfg"))
    for distribution, extra in EXTRAS.values():
        assert distribution in declared["options.extras_require"][extra]
        assert f"\n{distribution}>" not in declared["options"]["install_requires"]
