"""Which environment is this: kinds, names, what governs, and never by way of a process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import jstackmagic
from jstackmagic.model.environment import CondaExecutable, ConfiguredChannel, Environment
from jstackmagic.model.errors import UnknownEnvironment, UsageError
from jstackmagic.model.packages import Package
from jstackmagic.where import revisions
from jstackmagic.where.detect import detect, find, known_names
from support.environments import make_root, make_uv_venv, make_venv

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Root
    from support.standin_conda import StandIn
    from support.tiers import Channel

SOURCE = Path(jstackmagic.__file__).parent.parent
RUNNING = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture(autouse=True)
def _no_conda_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No conda of this machine's own is found."""
    monkeypatch.setenv("PATH", str(tmp_path / "no-such-folder"))


def lay_record(prefix: Path, name: str, version: str = "1.0", **fields: object) -> None:
    """A record as conda writes it: its keys sorted, its files listed."""
    build = "h0_0"
    record = {
        "build": build,
        "build_number": 0,
        "channel": "https://conda.anaconda.org/conda-forge/linux-64",
        "depends": [],
        "extracted_package_dir": f"/opt/conda/pkgs/{name}-{version}-{build}",
        "files": [f"lib/{name}/{number}.py" for number in range(50)],
        "fn": f"{name}-{version}-{build}.conda",
        "link": {"source": f"/opt/conda/pkgs/{name}-{version}-{build}", "type": 1},
        "name": name,
        "requested_spec": name,
        "url": f"https://conda.anaconda.org/conda-forge/linux-64/{name}-{version}-{build}.conda",
        "version": version,
        **fields,
    }
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True, exist_ok=True)
    content = json.dumps(record, indent=2, sort_keys=True)
    (meta / f"{name}-{version}-{build}.json").write_text(content)


def lay_environment(prefix: Path, *, history: str = "", python: str | None = "3.12.4") -> Path:
    """A conda environment by its metadata alone."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta" / "history").write_text(history)
    if python:
        lay_record(prefix, "python", python)
        lay_executable(prefix / "bin" / "python")
        minor = ".".join(python.split(".")[:2])
        (prefix / "lib" / f"python{minor}" / "site-packages").mkdir(parents=True)
    return prefix


def lay_executable(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return path


def in_process(python: Path, code: str, **environ: str) -> str:
    """What a real process of an environment prints."""
    done = subprocess.run(
        [python, "-c", code],
        env={"PYTHONPATH": str(SOURCE), "HOME": os.environ["HOME"], **environ},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


DETECT = """\
import dataclasses, json
from jstackmagic.where.detect import detect
print(json.dumps(dataclasses.asdict(detect())))
"""


class TestRunning:
    def test_sys_prefix_decides_and_not_conda_prefix(
        self, shim_channel: Channel, tmp_path: Path
    ) -> None:
        """A kernel of B, started from a shell where A is active."""
        active, mine = (
            make_root(tmp_path / name, "python", channels=[shim_channel.url])
            for name in ("root a", "root b")
        )
        a, b = active.create("a", "python"), mine.create("b", "python")
        executables = [str(root.stand_in("conda").executable) for root in (active, mine)]
        found = json.loads(
            in_process(
                b / "bin" / "python",
                DETECT,
                CONDA_PREFIX=str(a),
                CONDA_DEFAULT_ENV="a",
                CONDA_EXE=executables[0],
                CONDA_SHLVL="1",
                PATH=f"{a}/bin{os.pathsep}{active.prefix}/condabin{os.pathsep}/usr/bin:/bin",
            )
        )
        assert found["prefix"] == str(b)
        assert (found["kind"], found["name"]) == ("conda-named", "b")
        assert found["executable"] == str(b / "bin" / "python")
        assert found["conda"]["path"] == executables[1]
        assert found["root"] == str(mine.prefix)
        assert found["site_packages"] == [str(b / sysconfig_library() / "site-packages")]

    def test_a_python_of_conda_s_own(self, full_root: Root) -> None:
        """A shim links to the running Python; this one is the environment's own."""
        prefix = full_root.create("of-its-own", "python")
        found = json.loads(in_process(prefix / "bin" / "python", DETECT, CONDA_PREFIX="/elsewhere"))
        assert (found["kind"], found["name"]) == ("conda-named", "of-its-own")
        assert found["prefix"] == str(prefix)
        assert found["python"] == RUNNING
        assert found["executable"] == str(prefix / "bin" / "python")
        assert found["site_packages"] == [str(prefix / sysconfig_library() / "site-packages")]
        assert found["base"] is None

    def test_from_outside_it_is_the_same(self, conda_root: Root) -> None:
        prefix = conda_root.create("one", "python", "six")
        inside = json.loads(in_process(prefix / "bin" / "python", DETECT))
        assert json.loads(json.dumps(dataclasses.asdict(detect(prefix)))) == inside

    def test_this_process_by_its_prefix(self) -> None:
        assert detect() == detect(sys.prefix)
        assert detect().executable == sys.executable
        assert detect().python == RUNNING

    def test_no_process_is_started(self, conda_root: Root) -> None:
        prefix = conda_root.create("one", "python")
        (prefix / ".condarc").write_text("channels:\n  - mine\n")
        guard = """\
import sys
def guard(event, arguments):
    if event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}:
        raise SystemExit(f"{event}: {arguments}")
import jstackmagic.where.detect
sys.addaudithook(guard)
"""
        in_process(prefix / "bin" / "python", guard + DETECT)

    def test_no_yaml_for_what_conda_writes(self, conda_root: Root) -> None:
        prefix = conda_root.create("one", "python")
        (conda_root.prefix / ".condarc").write_text("channels:\n  - conda-forge\noffline: true\n")
        code = DETECT + "import sys\nassert 'yaml' not in sys.modules\n"
        found = json.loads(in_process(prefix / "bin" / "python", code))
        assert found["channels"] == [
            {"channel": "conda-forge", "source": str(conda_root.prefix / ".condarc")}
        ]

    def test_400_packages_are_not_read(self, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "large")
        for number in range(400):
            lay_record(prefix, f"package{number}")
        code = f"""\
import sys
opened = []
def note(event, arguments):
    if event == "open" and str(arguments[0]).endswith(".json"):
        opened.append(arguments[0])
sys.addaudithook(note)
from jstackmagic.where.detect import detect
assert [each.channel for each in detect({str(prefix)!r}).channels] == ["conda-forge"]
print(len(opened))
"""
        assert 0 < int(in_process(Path(sys.executable), code)) < 30

    def test_it_is_quick(self, tmp_path: Path) -> None:
        """The benchmark tells how quick; here only that nothing has gone badly wrong."""
        prefix = lay_environment(tmp_path / "large")
        for number in range(400):
            lay_record(prefix, f"package{number}")
        detect(prefix)
        started = time.process_time()
        for _ in range(10):
            detect(prefix)
        assert (time.process_time() - started) / 10 < 0.05


def sysconfig_library() -> str:
    return f"lib/python{sysconfig.get_python_version()}"


class TestKinds:
    def test_base(self, conda_root: Root) -> None:
        executable = str(conda_root.stand_in("conda").executable)
        found = detect(conda_root.prefix)
        assert (found.kind, found.name) == ("conda-base", "base")
        assert found.root == found.prefix == str(conda_root.prefix)
        assert found.conda == CondaExecutable("conda", executable, "in the environment itself")
        assert found.conda_target() == ("--name", "base")
        assert found.is_conda

    def test_base_whose_conda_was_dropped(self, conda_root: Root) -> None:
        found = detect(conda_root.prefix)
        assert (found.kind, found.name, found.conda) == ("conda-base", "base", None)

    def test_base_without_an_envs_folder(self, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "conda")
        lay_executable(prefix / "bin" / "conda")
        assert detect(prefix).kind == "conda-base"

    def test_named(self, conda_root: Root) -> None:
        prefix = conda_root.create("one", "python", "six")
        executable = str(conda_root.stand_in("mamba").executable)
        found = detect(prefix)
        assert found == Environment(
            kind="conda-named",
            name="one",
            prefix=str(prefix),
            python=RUNNING,
            executable=str(prefix / "bin" / "python"),
            conda=CondaExecutable(
                "mamba",
                executable,
                f"in the conda root {conda_root.prefix}, which holds the environment",
            ),
            channels=(ConfiguredChannel(conda_root.channels[0], "the installed packages"),),
            site_packages=(str(prefix / sysconfig_library() / "site-packages"),),
            root=str(conda_root.prefix),
        )

    def test_named_by_an_envs_folder_of_one_s_own(self, tmp_path: Path, home: Path) -> None:
        (home / ".condarc").write_text(f"envs_dirs:\n  - {tmp_path}/mine\n")
        found = detect(lay_environment(tmp_path / "mine" / "one"))
        assert (found.kind, found.name, found.conda_target()) == (
            "conda-named",
            "one",
            ("--name", "one"),
        )

    def test_named_at_home(self, home: Path) -> None:
        found = detect(lay_environment(home / ".conda" / "envs" / "one"))
        assert (found.kind, found.name) == ("conda-named", "one")

    def test_micromamba_s_root_is_no_environment(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        prefix = lay_environment(tmp_path / "micromamba" / "envs" / "one")
        (tmp_path / "micromamba" / "pkgs").mkdir()
        monkeypatch.setenv("MAMBA_EXE", str(lay_executable(tmp_path / "bin" / "micromamba")))
        monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(tmp_path / "micromamba"))
        found = detect(prefix)
        assert (found.kind, found.name) == ("conda-named", "one")
        assert found.conda is not None
        assert (found.conda.tool, found.conda.found) == ("micromamba", "$MAMBA_EXE")
        assert found.conda_target() == ("--name", "one")
        monkeypatch.delenv("MAMBA_ROOT_PREFIX")
        assert detect(prefix).conda_target() == ("--prefix", str(prefix))

    def test_by_prefix_only(self, conda_env: Callable[..., Path]) -> None:
        prefix = conda_env("python", name="my project")
        found = detect(prefix)
        assert (found.kind, found.name) == ("conda-prefix", None)
        assert found.conda_target() == ("--prefix", str(prefix))

    def test_pixi_s_envs_folder_is_no_root_s(self, tmp_path: Path) -> None:
        found = detect(lay_environment(tmp_path / "project" / ".pixi" / "envs" / "default"))
        assert (found.kind, found.name) == ("conda-prefix", None)

    def test_without_conda_s_history(self, conda_env: Callable[..., Path]) -> None:
        """As py-rattler leaves it."""
        prefix = conda_env("python")
        (prefix / "conda-meta" / "history").unlink()
        found = detect(prefix)
        assert found.kind == "conda-prefix"
        assert [each.source for each in found.channels] == ["the installed packages"]

    def test_venv(self, tmp_path: Path) -> None:
        prefix = make_venv(tmp_path / "my venv", pip=False)
        found = detect(prefix)
        base = os.path.realpath(sys.base_prefix)
        kind = "venv-on-conda" if (Path(base) / "conda-meta").is_dir() else "venv"
        assert (found.kind, found.name, found.conda) == (kind, None, None)
        assert found.python == RUNNING
        assert found.executable == str(prefix / "bin" / "python")
        assert found.base is not None
        assert os.path.realpath(found.base) == base
        assert found.site_packages == (str(prefix / sysconfig_library() / "site-packages"),)
        assert found.externally_managed is None
        assert not found.is_conda
        inside = json.loads(in_process(prefix / "bin" / "python", DETECT))
        assert json.loads(json.dumps(dataclasses.asdict(found))) == inside

    def test_uv_s_venv(self, tmp_path: Path) -> None:
        prefix = make_uv_venv(tmp_path / "venv")
        assert detect(prefix).python == RUNNING
        assert json.loads(in_process(prefix / "bin" / "python", DETECT)) == json.loads(
            json.dumps(dataclasses.asdict(detect(prefix)))
        )

    def test_venv_on_conda(self, full_root: Root, tmp_path: Path) -> None:
        prefix = make_venv(tmp_path / "venv", base=full_root.prefix, pip=False)
        found = detect(prefix)
        assert (found.kind, found.base) == ("venv-on-conda", str(full_root.prefix))
        assert not found.is_conda
        inside = json.loads(in_process(prefix / "bin" / "python", DETECT))
        assert (inside["kind"], inside["base"]) == ("venv-on-conda", str(full_root.prefix))

    def test_system_python_as_debian_lays_it(self, tmp_path: Path) -> None:
        usr = tmp_path / "usr"
        lay_executable(usr / "bin" / "python3.11")
        (usr / "bin" / "python3").symlink_to("python3.11")
        for folder in ("local/lib/python3.11/dist-packages", "lib/python3/dist-packages"):
            (usr / folder).mkdir(parents=True)
        (usr / "lib" / "python3.11").mkdir()
        (usr / "lib" / "python3.13").mkdir()
        marker = usr / "lib" / "python3.11" / "EXTERNALLY-MANAGED"
        marker.write_text("[externally-managed]\nError=Use apt.\n\n 100% Debian.\n")
        found = detect(usr)
        assert (found.kind, found.name, found.python) == ("system", None, "3.11")
        assert found.executable == str(usr / "bin" / "python3")
        assert found.externally_managed == "Use apt.\n\n100% Debian."
        assert found.site_packages == (
            str(usr / "local/lib/python3.11/dist-packages"),
            str(usr / "lib/python3/dist-packages"),
        )

    def test_system_python_as_fedora_lays_it(self, tmp_path: Path) -> None:
        lay_executable(tmp_path / "bin" / "python3")
        for lib in ("lib", "lib64"):
            (tmp_path / lib / "python3.13" / "site-packages").mkdir(parents=True)
        (tmp_path / "lib64/python3.13/EXTERNALLY-MANAGED").write_text("[externally-managed]\n")
        found = detect(tmp_path)
        assert found.python == "3.13"
        assert found.externally_managed == ""
        assert len(found.site_packages) == 2

    def test_the_system_s_own(self) -> None:
        python = Path("/usr/bin/python3")
        if not python.exists():
            pytest.skip("there is no /usr/bin/python3")
        found = json.loads(in_process(python, DETECT))
        code = "import sys; print(sys.prefix, sys.version.split()[0])"
        prefix, version = in_process(python, code).split()
        assert (found["kind"], found["prefix"], found["python"]) == ("system", prefix, version)
        outside = detect(prefix)
        assert version.startswith(f"{outside.python}.")
        assert list(outside.site_packages) == found["site_packages"]
        assert outside.externally_managed == found["externally_managed"]

    @pytest.mark.parametrize("exists", [True, False])
    def test_no_environment(self, exists: bool, tmp_path: Path) -> None:
        prefix = tmp_path / "nothing"
        if exists:
            prefix.mkdir()
        with pytest.raises(UnknownEnvironment) as caught:
            detect(prefix)
        assert str(prefix) in caught.value.problem
        assert ("conda-meta" in caught.value.problem) == exists
        assert "--prefix" in caught.value.advice[0]

    def test_a_path_from_home(self, home: Path) -> None:
        lay_environment(home / "project")
        assert detect("~/project").prefix == str(home / "project")


class TestWithoutOurPython:
    """Environments whose Python could not run this code."""

    def test_python_2(self, conda_env: Callable[..., Path]) -> None:
        prefix = conda_env("python=2.7")
        found = detect(prefix)
        assert found.python == "2.7.18"
        assert found.executable == str(prefix / "bin" / "python")
        assert found.site_packages == (str(prefix / "lib/python2.7/site-packages"),)

    def test_r_only(self, conda_env: Callable[..., Path]) -> None:
        found = detect(conda_env("r-base"))
        assert (found.kind, found.python, found.executable) == ("conda-prefix", None, None)
        assert found.site_packages == ()
        assert found.writable

    def test_empty(self, tmp_path: Path) -> None:
        found = detect(lay_environment(tmp_path / "empty", python=None))
        assert (found.kind, found.python) == ("conda-prefix", None)
        assert found.channels == (ConfiguredChannel("defaults", "conda's built-in default"),)

    @pytest.mark.parametrize("name", ["python-dateutil", "python-abi", "ipython"])
    def test_others_with_python_in_their_name(self, name: str, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "env", python=None)
        lay_record(prefix, name, "2.9.0")
        assert detect(prefix).python is None


class TestGoverning:
    """The order in which executables are looked for: each case takes the better ones away."""

    @pytest.fixture
    def roots(self, tmp_path: Path) -> dict[str, Path]:
        """Roots with an executable each, by what leads to them."""
        roots = {}
        for name in ("location", "history", "record", "CONDA_EXE", "MAMBA_EXE", "PATH"):
            roots[name] = lay_environment(tmp_path / "roots" / name)
            lay_executable(roots[name] / "bin" / "conda")
            (roots[name] / "pkgs").mkdir()
        return roots

    @pytest.fixture
    def prefix(self, roots: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
        """An environment that all of them lead to."""
        history = (
            "==> 2024-01-01 00:00:00 <==\n"
            f"# cmd: {roots['record']}/bin/conda create --name one python\n"
            "==> 2024-01-02 00:00:00 <==\n"
            f"# cmd: {roots['history']}/bin/conda install six\n"
            "==> 2024-01-03 00:00:00 <==\n"
            "# cmd: conda install six\n"
            "==> 2024-01-04 00:00:00 <==\n"
            "# cmd: /no/such/conda install six\n"
        )
        prefix = lay_environment(roots["location"] / "envs" / "one", history=history)
        package = f"{roots['record']}/pkgs/python-3.12.4-h0_0"
        lay_record(prefix, "python", "3.12.4", extracted_package_dir=package)
        monkeypatch.setenv("CONDA_EXE", f"{roots['CONDA_EXE']}/bin/conda")
        monkeypatch.setenv("MAMBA_EXE", f"{roots['MAMBA_EXE']}/bin/conda")
        monkeypatch.setenv("PATH", f"{roots['PATH']}/bin")
        return prefix

    def test_the_order(
        self, roots: dict[str, Path], prefix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def governed() -> str:
            found = detect(prefix).conda
            assert found is not None
            return found.path

        own = lay_executable(prefix / "condabin" / "conda")
        assert governed() == str(own)
        own.unlink()
        assert governed() == f"{roots['location']}/bin/conda"
        (roots["location"] / "bin" / "conda").unlink()
        assert governed() == f"{roots['history']}/bin/conda"
        (prefix / "conda-meta" / "history").write_text("# cmd: conda install six\n")
        assert governed() == f"{roots['record']}/bin/conda"
        lay_record(prefix, "python", "3.12.4")
        assert governed() == f"{roots['CONDA_EXE']}/bin/conda"
        monkeypatch.delenv("CONDA_EXE")
        assert governed() == f"{roots['MAMBA_EXE']}/bin/conda"
        monkeypatch.delenv("MAMBA_EXE")
        assert governed() == f"{roots['PATH']}/bin/conda"
        monkeypatch.setenv("PATH", "/nowhere")
        assert detect(prefix).conda is None

    def test_another_root_s_executable_is_given_the_prefix(
        self, roots: dict[str, Path], prefix: Path
    ) -> None:
        assert detect(prefix).conda_target() == ("--name", "one")
        (roots["location"] / "bin" / "conda").unlink()
        found = detect(prefix)
        assert found.name == "one"
        assert found.conda_target() == ("--prefix", str(prefix))

    def test_the_root_of_a_prefix_only_environment(
        self, roots: dict[str, Path], tmp_path: Path
    ) -> None:
        """Its records lead to the package cache, that to the root, that to its configuration."""
        prefix = lay_environment(tmp_path / "project")
        package = f"{roots['record']}/pkgs/python-3.12.4-h0_0"
        lay_record(prefix, "python", "3.12.4", extracted_package_dir=package)
        (roots["record"] / ".condarc").write_text("channels:\n  - of-the-root\n")
        found = detect(prefix)
        assert found.root == str(roots["record"])
        assert found.channels[0].channel == "of-the-root"
        (roots["record"] / "bin" / "conda").unlink()
        assert detect(prefix).root == str(roots["record"])

    def test_records_of_old(self, roots: dict[str, Path], tmp_path: Path) -> None:
        """conda 4.3 wrote the source behind thousands of files, and nothing else of it."""
        prefix = lay_environment(tmp_path / "project")
        meta = prefix / "conda-meta" / "python-3.12.4-h0_0.json"
        record = json.loads(meta.read_text())
        del record["extracted_package_dir"]
        record["files"] = [f"lib/python3.12/module{number}.py" for number in range(5000)]
        record["link"] = {"source": f"{roots['record']}/pkgs/python-3.12.4-h0_0", "type": 1}
        meta.write_text(json.dumps(record, indent=2, sort_keys=True))
        assert detect(prefix).root == str(roots["record"])

    def test_one_that_cannot_be_run_is_passed_over(self, conda_root: Root) -> None:
        executable = lay_executable(conda_root.prefix / "condabin" / "conda")
        executable.chmod(0o644)
        (conda_root.prefix / "bin" / "mamba").mkdir(parents=True)
        assert detect(conda_root.prefix).conda is None

    def test_conda_comes_before_mamba(self, conda_root: Root) -> None:
        for tool in ("micromamba", "mamba", "conda"):
            conda_root.stand_in(tool)
            found = detect(conda_root.prefix).conda
            assert found is not None
            assert found.tool == tool

    def test_a_venv_has_none(
        self, tmp_path: Path, recording_conda: StandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CONDA_EXE", str(recording_conda.executable))
        assert detect(make_venv(tmp_path / "venv", pip=False)).conda is None


class TestChannels:
    def test_configured_ones(self, conda_root: Root, home: Path) -> None:
        prefix = conda_root.create("one", "python")
        (conda_root.prefix / ".condarc").write_text("channels:\n  - conda-forge\n")
        (home / ".condarc").write_text("channels:\n  - mine\n")
        assert detect(prefix).channels == (
            ConfiguredChannel("mine", f"{home}/.condarc"),
            ConfiguredChannel("conda-forge", f"{conda_root.prefix}/.condarc"),
        )
        assert [each.channel for each in detect(conda_root.prefix).channels] == [
            "mine",
            "conda-forge",
        ]

    def test_credentials_are_masked(self, home: Path, tmp_path: Path) -> None:
        (home / ".condarc").write_text("channels:\n  - https://ann:s3cret@conda.example.com/x\n")
        found = detect(lay_environment(tmp_path / "env"))
        assert found.channels[0].channel == "https://****@conda.example.com/x"

    def test_of_the_history(self, tmp_path: Path) -> None:
        history = (
            "==> 2024-01-01 00:00:00 <==\n"
            "# cmd: conda create -n one python\n"
            "+conda-forge/linux-64::python-3.12.4-h0_0\n"
            "+conda-forge/noarch::six-1.16-py_0\n"
            "+https://conda.example.com/ours/linux-64::tool-1-0\n"
            "+bioconda/noarch::gone-1-0\n"
            "==> 2024-01-02 00:00:00 <==\n"
            "-bioconda/noarch::gone-1-0\n"
            "+https://repo.anaconda.com/pkgs/main/noarch::pip-24-0\n"
        )
        found = detect(lay_environment(tmp_path / "env", history=history))
        assert [each.channel for each in found.channels] == [
            "conda-forge",
            "https://conda.example.com/ours",
            "defaults",
        ]
        assert {each.source for each in found.channels} == {"the installed packages"}

    @pytest.mark.parametrize("line", ["+six", "+conda-forge/noarch::six-1.16", "-six", "+"])
    def test_a_broken_line_of_the_history_is_passed_over(self, tmp_path: Path, line: str) -> None:
        history = f"==> 2024-01-01 00:00:00 <==\n+x::pip-24-0\n{line}\n"
        prefix = lay_environment(tmp_path / "env", history=history)
        base = revisions.first(str(prefix), (), None)
        assert base == ([Package("conda", "pip", "24", "0")], "conda's first revision")

    def test_mamba_s_files_count_where_mamba_governs(self, conda_root: Root, home: Path) -> None:
        (home / ".mambarc").write_text("channels:\n  - of-mamba\n")
        conda_root.stand_in("mamba")
        assert detect(conda_root.prefix).channels[0].channel == "of-mamba"
        conda_root.stand_in("conda")
        assert detect(conda_root.prefix).channels[0].source == "the installed packages"


class TestState:
    def test_pins(self, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "env")
        (prefix / "conda-meta" / "pinned").write_text("python 3.12.*\n\n# a remark\n  numpy <2  \n")
        assert detect(prefix).pins == ("python 3.12.*", "numpy <2")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", ""),
            ('{"message": "Ask Ann."}', "Ask Ann."),
            ("{}", ""),
            ("no JSON\n", "no JSON"),
            ('["odd"]', '["odd"]'),
        ],
    )
    def test_frozen(self, text: str, message: str, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "env")
        assert detect(prefix).frozen is None
        (prefix / "conda-meta" / "frozen").write_text(text)
        assert detect(prefix).frozen == message

    def test_externally_managed_conda_environment(self, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "env")
        marker = prefix / "lib" / "python3.12" / "EXTERNALLY-MANAGED"
        marker.write_text("[externally-managed]\nError=Use conda.\nError-de=Nimm conda.\n")
        assert detect(prefix).externally_managed == "Use conda."
        marker.write_text("[broken\n")
        assert detect(prefix).externally_managed == ""

    def test_a_venv_is_not_managed_though_its_base_is(self, tmp_path: Path) -> None:
        base = tmp_path / "usr"
        lay_executable(base / "bin" / "python3")
        (base / "lib" / "python3.11").mkdir(parents=True)
        marker = base / "lib" / "python3.11" / "EXTERNALLY-MANAGED"
        marker.write_text("[externally-managed]\nError=Use apt.\n")
        venv = tmp_path / "venv"
        lay_executable(venv / "bin" / "python")
        (venv / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
        (venv / "pyvenv.cfg").write_text(f"home = {base}/bin\nversion_info = 3.11.2.final.0\n")
        found = detect(venv)
        assert (found.kind, found.python, found.base) == ("venv", "3.11.2", str(base))
        assert found.externally_managed is None
        assert detect(base).externally_managed == "Use apt."

    @pytest.mark.parametrize("folder", [".", "conda-meta", "lib/python3.12/site-packages"])
    def test_unwritable(self, folder: str, tmp_path: Path) -> None:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        prefix = lay_environment(tmp_path / "env")
        assert detect(prefix).writable
        (prefix / folder).chmod(0o555)
        assert not detect(prefix).writable
        (prefix / folder).chmod(0o755)

    def test_even_root_cannot_write_to_a_read_only_mount(self, tmp_path: Path) -> None:
        prefix = lay_environment(tmp_path / "env")
        code = (
            f"from jstackmagic.where.detect import detect; print(detect({str(prefix)!r}).writable)"
        )
        mount = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3"'
        done = subprocess.run(
            [
                "/usr/bin/unshare",
                "--mount",
                "/bin/sh",
                "-c",
                mount,
                "sh",
                prefix,
                sys.executable,
                code,
            ],
            env={"PYTHONPATH": str(SOURCE), "HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"},
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
        assert done.stdout == "False\n"
        assert detect(prefix).writable


class TestFind:
    @pytest.fixture
    def root(self, conda_root: Root, monkeypatch: pytest.MonkeyPatch) -> Root:
        """The root that the running environment belongs to."""
        monkeypatch.setattr(sys, "prefix", str(conda_root.prefix))
        lay_environment(conda_root.prefix / "envs" / "python2", python="2.7.18")
        lay_environment(conda_root.prefix / "envs" / "r", python=None)
        (conda_root.prefix / "envs" / ".pkgs").mkdir()
        return conda_root

    def test_by_name(self, root: Root) -> None:
        assert find(name="python2").prefix == str(root.prefix / "envs" / "python2")
        assert find(name="python2").python == "2.7.18"

    @pytest.mark.parametrize("name", ["base", "root"])
    def test_base_was_once_called_root(self, name: str, root: Root) -> None:
        assert find(name=name).prefix == str(root.prefix)
        assert find(name=name).name == "base"

    def test_from_a_named_environment(self, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "prefix", str(root.prefix / "envs" / "r"))
        assert find(name="base").prefix == str(root.prefix)
        assert find(name="python2").name == "python2"

    def test_from_a_venv_on_conda(
        self, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
        monkeypatch.setattr(sys, "base_prefix", str(root.prefix))
        assert find(name="python2").name == "python2"

    def test_from_anywhere_with_a_conda_in_reach(
        self, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CONDA_EXE", str(root.stand_in("conda").executable))
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
        monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "usr"))
        assert find(name="python2").name == "python2"

    def test_by_a_configured_folder(self, root: Root, home: Path, tmp_path: Path) -> None:
        (home / ".condarc").write_text(f"envs_dirs:\n  - {tmp_path}/mine\n")
        mine = lay_environment(tmp_path / "mine" / "python2")
        assert find(name="python2").prefix == str(mine)

    def test_an_ambiguous_name(self, root: Root, home: Path, tmp_path: Path) -> None:
        (home / ".condarc").write_text(f"envs_dirs:\n  - {tmp_path}/mine\n")
        lay_environment(tmp_path / "mine" / "python2")
        other = detect(root.prefix / "envs" / "python2")
        assert (other.name, other.name_is_ambiguous) == ("python2", True)
        assert other.conda_target() == ("--prefix", other.prefix)

    def test_by_conda_s_list(self, root: Root, home: Path, tmp_path: Path) -> None:
        prefixes = [lay_environment(tmp_path / name / "project") for name in ("one", "two")]
        listing = home / ".conda" / "environments.txt"
        listing.parent.mkdir()
        listing.write_text(f"{root.prefix}\n{prefixes[0]}\n/gone\n\nrelative\n")
        assert find(name="project").prefix == str(prefixes[0])
        assert known_names() == ("base", "python2", "r", "project")
        listing.write_text(f"{prefixes[0]}\n{prefixes[1]}\n")
        with pytest.raises(UnknownEnvironment, match="More than one") as caught:
            find(name="project")
        assert caught.value.advice == tuple(f"--prefix {prefix}" for prefix in prefixes)

    @pytest.mark.parametrize("name", ["pyhton2", "..", "../envs/r", ".pkgs", "", "/"])
    def test_an_unknown_name(self, name: str, root: Root) -> None:
        with pytest.raises(UnknownEnvironment) as caught:
            find(name=name)
        assert "There are: base, python2, r." in caught.value.advice
        assert ("Did you mean python2?" in caught.value.advice) == (name == "pyhton2")

    def test_known_names(self, root: Root) -> None:
        assert known_names() == ("base", "python2", "r")

    def test_without_any_conda(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("prefix", "base_prefix"):
            monkeypatch.setattr(sys, name, str(tmp_path / "usr"))
        assert known_names() == ()
        with pytest.raises(UnknownEnvironment, match="No environment is called base"):
            find(name="base")

    def test_by_prefix(self, root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root.prefix)
        assert find(prefix="envs/r").prefix == str(root.prefix / "envs" / "r")
        assert find(prefix="envs/r/").prefix == str(root.prefix / "envs" / "r")

    def test_by_neither_and_by_both(self, root: Root) -> None:
        assert find().prefix == str(root.prefix)
        with pytest.raises(UsageError):
            find(name="r", prefix="/x")


def test_the_noun_is_light() -> None:
    """What keeps history and plans imports this; detection's helpers come when they are needed."""
    code = (
        "import sys, jstackmagic.where.detect\n"
        "heavy = {'yaml', 'json', 'configparser', 'shutil', 'difflib'}\n"
        "heavy |= {'jstackmagic.where.condarc'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{code}",
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "[]\n"
