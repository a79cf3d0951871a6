"""The parts the other tests stand on are real ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from jstackmagic.where.metadata import dpkg_folder
from support import machine
from support.channel import PLACEHOLDER, PYTHON_MINOR, ChannelBuilder, File, platform_subdir
from support.debs import without
from support.environments import add_packages, create_environment, make_uv_venv, make_venv, uv
from support.forked_kernels import OURS
from support.kernels import Kernel
from support.locks import held
from support.standin_conda import StandIn, dry_run_answer
from support.wheels import WheelIndex
from support.workers import LONGEST, TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.environments import Root
    from support.tiers import Channel


def output(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def python(prefix: Path, code: str) -> str:
    return output(prefix / "bin" / "python", "-c", code)


def record(prefix: Path, name: str) -> dict[str, Any]:
    (path,) = prefix.glob(f"conda-meta/{name}-[0-9]*.json")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


class TestShimEnvironment:
    def test_its_python_runs_in_it(self, conda_env: Callable[..., Path]) -> None:
        prefix = conda_env("python", "six=1.16")
        code = "import sys, six; print(sys.prefix, six.__version__, six.__file__, sep='\\n')"
        inside, version, file = python(prefix, code).splitlines()
        assert Path(inside) == prefix
        assert version == "1.16.0"
        assert Path(file).is_relative_to(prefix)

    def test_history_and_records_are_conda_s(
        self, conda_env: Callable[..., Path], shim_channel: Channel
    ) -> None:
        prefix = conda_env("python", "six=1.16")
        add_packages(
            prefix,
            "six=1.17",
            channels=[shim_channel.url],
            packages=shim_channel.packages,
        )
        history = (prefix / "conda-meta" / "history").read_text()
        assert f"-{shim_channel.url}/noarch::six-1.16.0-pyhd_0\n" in history
        assert f"+{shim_channel.url}/noarch::six-1.17.0-pyhd_0\n" in history
        assert "# update specs: ['six=1.17']" in history
        six = record(prefix, "six")
        assert six["version"] == "1.17.0"
        assert six["url"] == f"{shim_channel.url}/noarch/six-1.17.0-pyhd_0.conda"
        assert record(prefix, "python")["requested_specs"] == ["python"]

    def test_pip_installs_into_it(
        self, conda_env: Callable[..., Path], wheel_index: WheelIndex
    ) -> None:
        prefix = conda_env("python", "pip")
        wheel_index.add("Some.Thing", "1.5", scripts={"some-thing": "some_thing:main"})
        output(prefix / "bin" / "pip", "install", "--index-url", wheel_index.url, "some-thing")
        assert python(prefix, "import some_thing; print(some_thing.__version__)") == "1.5"
        assert (prefix / "bin" / "some-thing").exists()


def test_an_environment_of_python_27(conda_env: Callable[..., Path]) -> None:
    prefix = conda_env("python=2.7", "six")
    assert record(prefix, "python")["build"].startswith("stub")
    assert (prefix / "lib/python2.7/site-packages/six.py").exists()


def test_an_environment_without_python(conda_env: Callable[..., Path]) -> None:
    prefix = conda_env("r-base")
    assert (prefix / "bin" / "R").exists()
    assert not (prefix / "bin" / "python").exists()


class TestChannel:
    def test_it_works_from_a_path_with_a_space(self, tmp_path: Path, shim_channel: Channel) -> None:
        moved = shutil.copytree(shim_channel.folder, tmp_path / "a channel")
        prefix = create_environment(
            tmp_path / "an environment",
            "python",
            "demo-tool=1.0",
            "demo-library",
            channels=[moved.as_uri()],
            packages=tmp_path / "all packages",
        )
        assert "%20" in str(record(prefix, "demo-tool")["url"])
        assert output(prefix / "bin" / "demo-tool") == "demo-tool 1.0"
        assert output(prefix / "bin" / "demo-where") == str(prefix)

    def test_the_prefix_is_replaced_in_text_and_in_binaries(
        self, conda_env: Callable[..., Path]
    ) -> None:
        prefix = conda_env("demo-library")
        assert (prefix / "share/demo-library/prefix.txt").read_text() == f"{prefix}/share\n"
        binary = (prefix / "lib/libdemo.so").read_bytes()
        assert binary.startswith(f"\0{prefix}/lib\0".encode())
        assert len(binary) == len(PLACEHOLDER) + len(b"\0/lib\0\1")

    def test_a_package_of_one_s_own(self, tmp_path: Path) -> None:
        builder = ChannelBuilder(tmp_path / "own")
        link = File(link="data.txt")
        archive = builder.add_package(
            "own",
            "3.1",
            build="h1_4",
            build_number=4,
            files={"share/data.txt": "hi", "share/l": link},
        )
        builder.add_package("old", "1", noarch="generic", archive=".tar.bz2")
        builder.index()
        assert archive == tmp_path / "own" / platform_subdir() / "own-3.1-h1_4.conda"
        prefix = create_environment(
            tmp_path / "p",
            "own=3.1=h1_4",
            "old",
            channels=[builder.url],
            packages=tmp_path / "pkgs",
        )
        assert (prefix / "share" / "l").read_text() == "hi"
        assert record(prefix, "own")["build_number"] == 4
        assert record(prefix, "old")["fn"] == "old-1-0.tar.bz2"


@pytest.fixture(scope="module")
def prefix(full_root: Root) -> Path:
    return full_root.create("support", "python", "ipykernel", "pip", "six")


class TestFullEnvironment:
    def test_its_python_is_its_own(self, prefix: Path) -> None:
        code = "import sys, six; print(sys.prefix, sys.base_prefix, six.__file__, sep='\\n')"
        inside, base, six = python(prefix, code).splitlines()
        assert Path(inside) == Path(base) == prefix
        assert Path(six).is_relative_to(prefix)
        assert (
            not (prefix / "bin" / "python")
            .resolve()
            .samefile(Path(sys.base_prefix, "bin", f"python{PYTHON_MINOR}"))
        )

    def test_its_packages_go_where_conda_s_go(self, prefix: Path) -> None:
        purelib = python(prefix, "import sysconfig; print(sysconfig.get_path('purelib'))")
        assert Path(purelib) == prefix / "lib" / f"python{PYTHON_MINOR}" / "site-packages"
        assert purelib in python(prefix, "import sys; print(sys.path)")

    def test_nothing_in_it_names_the_placeholder_or_the_original(self, prefix: Path) -> None:
        code = "import sysconfig; print(sysconfig.get_config_vars())"
        printed = python(prefix, code)
        assert PLACEHOLDER not in printed
        assert str(prefix) in printed

    def test_scripts_start_its_python(self, prefix: Path) -> None:
        first_lines = (prefix / "bin" / "pip").read_text().splitlines()[:2]
        assert str(prefix / "bin" / "python") in "\n".join(first_lines)
        assert f"{prefix}/lib/" in output(prefix / "bin" / "pip", "--version")

    def test_its_record_leads_to_the_root(self, prefix: Path, full_root: Root) -> None:
        link = record(prefix, "python")["link"]
        assert Path(link["source"]).parent.parent == full_root.prefix

    def test_a_venv_stands_on_it(self, prefix: Path, tmp_path: Path) -> None:
        folder = make_venv(tmp_path / "venv", base=prefix)
        assert python(folder, "import sys; print(sys.base_prefix)") == str(prefix)

    def test_its_kernel_runs_cells(self, prefix: Path, tmp_path: Path) -> None:
        with Kernel(prefix, cwd=tmp_path, environ={"CONDA_PREFIX": "/elsewhere"}) as kernel:
            result = kernel.run(
                "import os, sys\nprint(sys.prefix)\n"
                "print(os.environ['CONDA_PREFIX'], file=sys.stderr)\n"
                "display({'text/html': '<b>hi</b>', 'text/plain': 'hi'}, raw=True)\nos.getcwd()"
            ).check()
            assert result.stdout == f"{prefix}\n"
            assert result.stderr == "/elsewhere\n"
            assert result.text == repr(str(tmp_path))
            assert result.html == "<b>hi</b>"
            failed = kernel.run("1 / 0")
            assert (failed.status, failed.error_name) == ("error", "ZeroDivisionError")
            cell = kernel.start("import time\nprint('started')\ntime.sleep(600)")
            cell.wait_for("started")
            kernel.interrupt()
            assert cell.wait().error_name == "KeyboardInterrupt"
            kernel.run("cell_of_before = True").check()
            before = kernel.pid
            kernel.restart()
            assert kernel.run("cell_of_before").error_name == "NameError"
            assert kernel.pid != before

    def test_a_kernel_has_jstackmagic(self, kernel_env: Path) -> None:
        with Kernel(kernel_env) as kernel:
            file = kernel.run("import jstackmagic; jstackmagic.__file__").check().text
        assert str(kernel_env) in file

    @pytest.mark.parametrize("name", ["one", "other"])
    def test_a_kernel_starts_in_its_users_home(
        self, name: str, kernel_env: Path, tmp_path: Path
    ) -> None:
        """Though it is forked from a process that was started in another's."""
        site = tmp_path / f".local/lib/python{PYTHON_MINOR}/site-packages"
        site.mkdir(parents=True)
        (site / f"of_{name}.py").touch()
        home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
        code = f"import os, site, sys, jedi, of_{name}\nprint(jedi.settings.cache_directory)"
        with Kernel(kernel_env, environ=home) as kernel:
            shown = kernel.run(f"{code}\nprint(*sys.path, sep=os.linesep)").check().stdout
        cache, *path = shown.splitlines()
        assert cache.startswith(str(tmp_path))
        homes = [each for each in path if "/.local/" in each]
        assert homes == [str(site)]
        assert path.index(str(site)) < path.index(
            str(kernel_env / f"lib/python{PYTHON_MINOR}/site-packages")
        )

    def test_a_kernel_has_what_a_start_would_import(
        self, make_ipython_env: Callable[[str], Path], tmp_path: Path
    ) -> None:
        """Though it is forked: a file that was read is another one now."""
        prefix = make_ipython_env(">=9")
        started = prefix / f"lib/python{PYTHON_MINOR}/site-packages/started.pth"
        code = "import sys; hasattr(sys, 'started')"
        try:
            with Kernel(prefix) as first:
                assert first.run(code).check().text == "False"
                started.write_text("import sys; sys.started = True\n")
                with Kernel(prefix) as second:
                    assert second.run(code).check().text == "True"
                assert first.run(code).check().text == "False", "it runs on"
        finally:
            started.unlink()


class TestVirtualEnvironments:
    def test_venv_has_pip(self, tmp_path: Path) -> None:
        prefix = make_venv(tmp_path / "a venv")
        code = "import sys, pip; print(sys.prefix != sys.base_prefix, pip.__file__)"
        different, pip = python(prefix, code).split(" ", 1)
        assert different == "True"
        assert Path(pip).is_relative_to(prefix)

    def test_uv_s_has_none(self, tmp_path: Path) -> None:
        prefix = make_uv_venv(tmp_path / "venv")
        assert python(prefix, "import importlib.util as u; print(u.find_spec('pip'))") == "None"


class TestWheelIndex:
    def test_extras_requirements_and_credentials(self, tmp_path: Path) -> None:
        prefix = make_uv_venv(tmp_path / "venv")
        with WheelIndex(tmp_path / "wheels", user="me", password="p@ss/word") as index:
            index.add("outer", "1.0", requires=["middle>=2"], extras={"more": ["inner"]})
            for name, version in (("middle", "1.0"), ("middle", "2.0"), ("inner", "1.0")):
                index.add(name, version)
            install = ("pip", "install", "--no-cache", "outer[more]", "--index-url")
            with pytest.raises(AssertionError, match="401"):
                uv(*install, index.url, prefix=prefix)
            uv(*install, index.url_with_credentials, prefix=prefix)
            assert "/simple/outer/" in index.requests
        code = "import outer, middle, inner; print(middle.__version__)"
        assert python(prefix, code) == "2.0"

    def test_it_can_go_away(self, wheel_index: WheelIndex) -> None:
        wheel_index.add("thing", "1.0")
        url = f"{wheel_index.url}thing/"
        with urlopen(url) as response:
            assert b"thing-1.0-py3-none-any.whl#sha256=" in response.read()
        wheel_index.stop()
        with pytest.raises(URLError, match="refused"):
            urlopen(url)


class TestStandIn:
    def test_it_records_and_answers(self, tmp_path: Path) -> None:
        conda = StandIn(tmp_path / "a folder", "mamba")
        six = dry_run_answer(tmp_path, link=["six-1.17.0-pyhd_0"], unlink=["linux-64/x-1-h_2"])
        conda.answer("install", output="50%\r100%\ndone\n", status=3)
        conda.answer("install", "--dry-run", output=six)
        assert json.loads(output(conda.executable, "install", "--dry-run", "six>1 2")) == six
        done = subprocess.run(
            [conda.executable, "install", "six"], capture_output=True, check=False
        )
        assert (done.stdout, done.returncode) == (b"50%\r100%\ndone\n", 3)
        assert output(conda.executable, "list") == ""
        assert conda.argvs == [["install", "--dry-run", "six>1 2"], ["install", "six"], ["list"]]
        assert conda.calls[0].cwd == os.getcwd()

    def test_it_can_be_interrupted(self, recording_conda: StandIn) -> None:
        recording_conda.answer(output="working\n", seconds=600)
        with subprocess.Popen(
            [recording_conda.executable, "install"], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "working\n"
            process.send_signal(2)
            assert process.wait() == 130
        assert recording_conda.signals == ["SIGINT"]


def test_the_home_is_not_the_user_s(home: Path, history_file: Path) -> None:
    assert Path.home() == home
    assert not list(home.iterdir())
    assert history_file.is_relative_to(home)
    assert "CONDA_PREFIX" not in os.environ


# Locks, and who waits for them


HOLD = """
import sys, time
from pathlib import Path
from support.locks import held

with held(Path(sys.argv[1]), seconds=1, alone=sys.argv[2] == "alone", name="the other test"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a process that holds a lock; it is ended afterwards."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLD, str(tmp_path / "lock"), how]
        environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        started.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout is not None
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_who_waits_too_long_is_told_who_holds_the_lock(
    holder: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    pids = {holder("shared").pid, holder("shared").pid}
    with held(tmp_path / "lock", seconds=0, alone=False):
        pass
    with pytest.raises(TimeoutError) as caught, held(tmp_path / "lock", seconds=0.2):
        pass
    for pid in pids:
        assert f"process {pid} (the other test)" in str(caught.value)
    assert str(os.getpid()) not in str(caught.value)


def test_a_lock_is_free_when_its_holder_was_killed(
    holder: Callable[[str], subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = holder("alone")
    with pytest.raises(TimeoutError), held(tmp_path / "lock", seconds=0):
        pass
    process.kill()
    with held(tmp_path / "lock", seconds=5):
        pass


def test_no_lock_is_taken_twice(tmp_path: Path) -> None:
    with held(tmp_path / "lock", seconds=5, alone=False):
        with pytest.raises(RuntimeError, match="already"), held(tmp_path / "lock", seconds=5):
            pass
        thread = threading.Thread(target=take_shared, args=[tmp_path / "lock"])
        thread.start()
        thread.join()
    with held(tmp_path / "lock", seconds=0):
        pass


def take_shared(path: Path) -> None:
    with held(path, seconds=0, alone=False):
        pass


# Skips


def test_a_disk_without_room_stops_the_run_before_the_first_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine._require_room(tmp_path, tmp_path / "no such folder")
    monkeypatch.setattr(machine, "_ROOM", shutil.disk_usage(tmp_path).total + 1)
    with pytest.raises(SystemExit, match=r"GB of free disk below .*Nothing was run"):
        machine._require_room(tmp_path)


def test_a_skip_that_is_not_on_the_list_fails_the_run(tmp_path: Path) -> None:
    allowed_one, other = "there is no conda on the PATH", "there is no luck here"
    (tmp_path / "test_it.py").write_text(
        f"import pytest\n@pytest.mark.parametrize('reason', {[allowed_one, other]})\n"
        "def test_it(reason):\n    pytest.skip(reason)\n"
    )
    allowed = Path(__file__).with_name("skips.txt")
    # with a base of its own: at its end it would remove what earlier runs have left in the other
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "support.skips", "test_it.py"]
    command += ["--basetemp", str(tmp_path / "base"), "-p", "no:hypothesispytest"]
    done = subprocess.run(
        [*command, "--skips-allowed", str(allowed)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(allowed.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"    1 {allowed_one}\n" in done.stdout
    assert f"    1 {other}  <- not allowed\n" in done.stdout


class TestWhatSparesTime:
    """A name that is no longer there would be left out in silence."""

    @pytest.mark.parametrize("name", OURS)
    def test_what_a_forked_kernel_has_imported_is_there(self, name: str) -> None:
        assert find_spec(name) is not None

    def test_the_modules_that_are_begun_first_are_there(self) -> None:
        stems = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
        assert {f"test_{name}" for name in LONGEST if name not in TOGETHER} <= stems
        assert {f"test_{name}" for names in TOGETHER.values() for name in names} <= stems


def test_what_others_do_with_apt_is_out_of_sight() -> None:
    assert dpkg_folder() != Path("/var/lib/dpkg")
    assert not (dpkg_folder() / "updates").is_symlink(), "it would be taken for an interrupted one"


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt-get")
def test_apt_on_a_copy_waits_for_no_lock_of_the_machine_s(tmp_path: Path) -> None:
    """Not for its archives' either, for which apt has no time limit: it would just fail."""
    environ = {**os.environ, **without(tmp_path, "no-such")}
    words = ("apt-config", "shell", "archives", "Dir::Cache::archives/d")
    said = subprocess.run(words, check=True, capture_output=True, text=True, env=environ).stdout
    assert Path(said.partition("=")[2].strip("'\n")) == tmp_path / "archives"
    assert (tmp_path / "archives/partial").is_dir()


@pytest.mark.dpkg
def test_but_not_of_a_test_that_looks() -> None:
    assert dpkg_folder() == Path("/var/lib/dpkg")
