"""What a person does in a notebook: real cells, a real kernel, a real environment, never activated.

The environment is a named one of a conda root with no conda executable in reach.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.debs import build_deb, make_repository, make_system
from support.dpkg import apt_get
from support.kernels import Cell, Kernel, Server, Sockets, clean_environ, write_kernelspec
from support.slow import slow_channel
from support.tiers import PYMONGO, SIX
from support.wheels import WheelIndex, build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.environments import Root
    from support.tiers import Channel


pytestmark = pytest.mark.dpkg  # what others do with apt would be found, and recorded


@pytest.fixture(scope="module")
def prefix(make_kernel_env: Callable[..., Path]) -> Path:
    """The environment these tests change."""
    return make_kernel_env("chapter", "setuptools", "wheel")


@pytest.fixture(autouse=True)
def channels(home: Path, full_channel: Channel) -> None:
    """The user's own condarc names the channel."""
    (home / ".condarc").write_text(json.dumps({"channels": [full_channel.url]}))


@pytest.fixture(scope="module")
def shared_kernel(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel of that environment with the extension loaded."""
    with Kernel(prefix, cwd=tmp_path_factory.mktemp("shared")) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        # what other tests do with apt meanwhile would be found and recorded
        kernel.run("%config JStackMagic.capture = False").check()
        yield kernel


@pytest.fixture
def kernel(shared_kernel: Kernel, tmp_path: Path) -> Kernel:
    """It, with this test's folders and history, and no name or six of another test's."""
    environ = {name: os.environ[name] for name in HOMES}
    shared_kernel.run(
        "%reset -f\nimport os, sys\n"
        f"os.chdir({str(tmp_path)!r}); os.environ.update({environ!r})\n"
        "sys.modules.pop('six', None); del os, sys"
    ).check()
    return shared_kernel


HOMES = (
    "HOME",
    "CONDARC",
    "JSTACKMAGIC_HISTORY",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)

# quick to tell its metadata, slow to build
SLOW_SETUP = """\
import sys, time, setuptools
if "bdist_wheel" in sys.argv:
    time.sleep(60)
setuptools.setup(name="slow", version="1")
"""


def installed(prefix: Path) -> set[str]:
    """What lies in an environment, by the names of its metadata."""
    records = {path.stem for path in (prefix / "conda-meta").glob("*.json")}
    return records | {path.name for path in prefix.glob("lib/python3*/site-packages/*.dist-info")}


def test_the_chapters_story(
    kernel: Kernel, prefix: Path, full_root: Root, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    """import fails, %envinstall, it imports, pip too, the history, the Dockerfile."""
    wheel_index.add("twitter", "1.19.6")
    base = installed(full_root.prefix)
    assert kernel.run("import pymongo").error_name == "ModuleNotFoundError"

    result = kernel.run("%envinstall pymongo").check()
    assert "conda install --yes" in result.shown
    assert not result.stdout, "the manager's own words are folded"
    assert "pymongo" in result.shown
    assert "<table" in result.html
    assert "no restart is needed" in result.shown
    assert (
        kernel.run("import pymongo; pymongo.__file__")
        .check()
        .text.strip("'")
        .startswith(str(prefix))
    )

    result = kernel.run(f"%envinstall --pip twitter --index-url {wheel_index.url}").check()
    assert "twitter" in result.shown
    kernel.run("import twitter").check()

    history = kernel.run("%envhistory").check().shown
    assert "pymongo" in history
    assert "twitter" in history

    dockerfile = kernel.run("%envexport dockerfile --from base:1").check().shown
    assert f"'pymongo={PYMONGO[1]}'" in dockerfile or f"pymongo={PYMONGO[1]}" in dockerfile
    assert "twitter==1.19.6" in dockerfile
    assert installed(full_root.prefix) == base, "and no other environment was touched"


@pytest.mark.apt
def test_one_cell_installs_with_conda_pip_and_apt(
    kernel: Kernel, prefix: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("one-pure", "1.0")
    if shutil.which("hello"):
        apt_get("remove", "--yes", "hello")
    cell = (
        f"%%envinstall --index-url {wheel_index.url}\n"
        "# three managers\nconda: demo-tool\npip:\none-pure\napt:\nhello\n"
    )
    result = kernel.run(cell, timeout=200).check()
    assert shutil.which("hello")
    assert any(name.startswith("demo-tool-2.0") for name in installed(prefix))
    kernel.run("import demo_tool, one_pure").check()
    records = json.loads(kernel.run("%envhistory --json").check().stdout)
    assert [record["request"]["manager"] for record in records] == ["apt", "conda", "pip"]
    assert len({record["id"].split(".")[0] for record in records}) == 1, "one transaction"
    dockerfile = kernel.run("%envexport dockerfile --from base:1").check().shown
    order = [dockerfile.index(word) for word in ("hello", "demo-tool", "one-pure")]
    assert order == sorted(order)
    assert result.displays
    kernel.run("%envremove apt:hello demo-tool one-pure", timeout=120).check()
    assert not shutil.which("hello")
    empty = kernel.run("%envexport dockerfile --from base:1").check().shown
    assert "hello" not in empty
    assert "demo-tool" not in empty


def test_conda_is_asked_first_and_pip_takes_what_no_channel_has(
    kernel: Kernel, prefix: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("only-on-pip", "3.0")
    line = f"%envinstall demo-tool only-on-pip --index-url {wheel_index.url}"
    result = kernel.run(line).check()
    assert "No channel here has only-on-pip" in result.shown
    names = installed(prefix)
    assert any(name.startswith("demo-tool-") for name in names)
    assert any(name.startswith("only_on_pip-3.0") for name in names)
    kernel.run("%envremove demo-tool only-on-pip").check()


def test_the_kernels_own_prefix_decides_and_never_conda_prefix(
    prefix: Path, full_root: Root, tmp_path: Path
) -> None:
    environ = {
        "CONDA_PREFIX": str(full_root.prefix),
        "CONDA_DEFAULT_ENV": "base",
        "PATH": f"{full_root.prefix / 'bin'}:{os.environ['PATH']}",
    }
    with Kernel(prefix, cwd=tmp_path, environ=environ) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        info = json.loads(kernel.run("%envinfo --json").check().stdout)
        assert info["environments"][0]["prefix"] == str(prefix)
        assert info["environments"][0]["name"] == "chapter"
        kernel.run("%envinstall demo-tool").check()
        assert any(name.startswith("demo-tool-") for name in installed(prefix))
        assert not any(name.startswith("demo-tool-") for name in installed(full_root.prefix))
        kernel.run("%envremove demo-tool").check()


def test_a_server_in_another_environment_and_in_the_background_decides_nothing(
    prefix: Path, home: Path, tmp_path: Path
) -> None:
    """Its environment is activated, as in an image; its kernel is of another one. And what it
    ignores its kernels begin with, and what they start could."""
    serving = Path(sys.prefix)
    project = tmp_path / "slow project"
    project.mkdir()
    (project / "setup.py").write_text(SLOW_SETUP)
    write_kernelspec(home / ".local/share/jupyter/kernels/chapter", prefix)
    environ = clean_environ(
        CONDA_PREFIX=str(serving),
        CONDA_DEFAULT_ENV="serving",
        JUPYTER_NO_CONFIG="1",  # of the programs that are there, the server alone
        PATH=f"{serving / 'bin'}:{os.environ['PATH']}",
        JUPYTER_RUNTIME_DIR=str(tmp_path / "runtime"),
    )
    before = installed(prefix)
    with (
        slow_channel(tmp_path / "slow", pause=2) as url,
        Server(serving, environ=environ, folder=tmp_path, background=True) as server,
    ):
        client = server.start_kernel("chapter")
        sockets = Sockets(client)
        Cell(sockets, "%load_ext jstackmagic").wait().check()
        info = json.loads(Cell(sockets, "%envinfo --json").wait().check().stdout)
        assert info["environments"][0]["prefix"] == str(prefix)
        Cell(sockets, "%envinstall demo-tool").wait().check()
        assert any(name.startswith("demo-tool-") for name in installed(prefix))
        assert not any(name.startswith("demo-tool-") for name in installed(serving))
        Cell(sockets, "%envremove demo-tool").wait().check()
        for code, begun, error in (
            ("import time; print('begun', flush=True); time.sleep(600)", "begun", "Keyboard"),
            (f"%envinstall --pip --force '{project}' -- --no-build-isolation", "Building", ""),
            (f"%envinstall --conda -c {url} large", "large", ""),
        ):
            cell = Cell(sockets, code)
            cell.wait_for(begun)
            time.sleep(0.5)
            server.interrupt(client)
            result = cell.wait()
            assert result.error_name == f"{error}Interrupt{'' if error else 'ed'}", result.shown
    assert installed(prefix) == before


def test_asking_for_what_is_there_changes_nothing_and_says_so(kernel: Kernel, prefix: Path) -> None:
    kernel.run("%envinstall six").check()
    before = installed(prefix)
    result = kernel.run("%envinstall six 'six>=1'").check()
    assert "already there" in result.shown
    assert "$ " not in result.shown, "nothing was run"
    assert installed(prefix) == before


def test_a_version_comparison_is_no_redirection(kernel: Kernel, tmp_path: Path) -> None:
    kernel.run('%envinstall "six>=1.16"').check()
    kernel.run("%envinstall six>=1.16").check()
    assert list(tmp_path.glob("=*")) == []
    assert "six>=1.16" in kernel.run("%envhistory --json").check().stdout


@pytest.mark.parametrize("spec", ["'six;touch pwned'", "'$(touch pwned)'", "'`touch pwned`'"])
@pytest.mark.parametrize("manager", ["--conda", "--pip", "--apt", ""])
def test_no_spec_reaches_a_shell(kernel: Kernel, tmp_path: Path, spec: str, manager: str) -> None:
    result = kernel.run(f"%envinstall {manager} {spec}")
    assert result.status == "error"
    assert "Traceback" not in result.traceback
    assert not (tmp_path / "pwned").exists()


def test_variables_expand_as_in_any_magic(kernel: Kernel) -> None:
    kernel.run("name, options = 'six', '--conda'").check()
    kernel.run("%envinstall {name}").check()
    kernel.run("%envinstall $options {name}").check()
    records = json.loads(kernel.run("%envhistory --json").check().stdout)
    assert all(record["request"]["specs"] == ["six"] for record in records)
    assert records


def test_a_failed_install_stops_run_all_with_a_short_message(kernel: Kernel) -> None:
    result = kernel.run("%envinstall --conda no-such-package-at-all")
    assert result.status == "error"
    assert result.error_name == "CommandFailed"
    assert "no-such-package-at-all" in result.traceback
    assert "Traceback" not in result.traceback
    assert len(result.traceback.splitlines()) < 25
    assert "\x1b[31mCommandFailed" in result.traceback, "red"
    assert "→ See the record: %envhistory" in result.traceback.splitlines()[-1], "what to type"
    assert kernel.run("1 + 1").check().text == "2"


def test_a_failed_pip_shows_pips_own_words_and_sets_the_exit_code(
    kernel: Kernel, wheel_index: WheelIndex
) -> None:
    result = kernel.run(f"%envinstall --pip nowhere-to-be-had --index-url {wheel_index.url}")
    assert result.status == "error"
    assert "No matching distribution found for nowhere-to-be-had" in result.traceback
    assert kernel.run("_exit_code").check().text in ("1", "'1'")


def test_the_exit_code_of_a_good_install_is_zero(kernel: Kernel) -> None:
    kernel.run("_exit_code = 7\n%envinstall six").check()
    assert kernel.run("_exit_code").check().text == "0"


def test_restart_advice_names_the_module_and_both_versions(kernel: Kernel, prefix: Path) -> None:
    kernel.run(f"%envinstall --force --conda six={SIX[0]}").check()
    kernel.run("import six").check()
    result = kernel.run(f"%envinstall --conda six={SIX[1]}").check()
    assert "Restart the kernel: six was imported" in result.shown
    assert SIX[0] in result.shown
    assert SIX[1] in result.shown
    assert "no restart is needed" not in result.shown


def test_what_was_just_installed_can_be_imported_at_once(
    kernel: Kernel, prefix: Path, tmp_path: Path
) -> None:
    """A failed import before, a .pth file, and a new portion of a namespace package."""
    wheels = tmp_path / "wheels"
    modules = {"spacious/first.py": "x = 1\n"}
    first = build_wheel(wheels, "spacious-first", "1.0", modules=modules)
    second = build_wheel(
        wheels,
        "spacious-second",
        "1.0",
        modules={
            "spacious/second.py": "x = 2\n",
            "spacious_path.pth": str(tmp_path / "by-pth") + "\nimport spacious_finder\n",
            "spacious_finder.py": "",
        },
    )
    (tmp_path / "by-pth").mkdir()
    (tmp_path / "by-pth" / "reached_by_pth.py").write_text("x = 3\n")
    kernel.run(f"%envinstall {first}").check()
    kernel.run("import spacious.first").check()
    assert kernel.run("import spacious.second").error_name == "ModuleNotFoundError"
    result = kernel.run(f"%envinstall {second}").check()
    assert "no restart is needed" in result.shown, "what its .pth loads is not an older one"
    kernel.run("import spacious.second, reached_by_pth").check()
    kernel.run("%envremove spacious-first spacious-second").check()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("%envremove ipykernel", "would remove ipykernel"),
        ("%envremove --conda python", "this kernel's Python"),
        ("%envinstall --pip ipykernel==6.0.0 --index-url {index}", "would downgrade ipykernel"),
        ("%envinstall --pip --upgrade six==99 --index-url {index}", "which conda installed"),
    ],
)
def test_guards_stop_before_anything_happens(
    kernel: Kernel, prefix: Path, wheel_index: WheelIndex, line: str, words: str
) -> None:
    wheel_index.add("ipykernel", "6.0.0")
    wheel_index.add("six", "99")
    kernel.run("%envinstall six").check()
    before = installed(prefix)
    result = kernel.run(line.format(index=wheel_index.url))
    assert result.status == "error"
    assert result.error_name == "Stopped"
    assert words in result.traceback
    assert "--force" in result.traceback
    assert installed(prefix) == before


def test_a_dry_run_shows_the_plan_and_does_nothing(
    kernel: Kernel, prefix: Path, history_file: Path
) -> None:
    kernel.run("%envremove --force --conda pymongo")
    before, lines = installed(prefix), history_file.read_text() if history_file.exists() else ""
    result = kernel.run("%envinstall --dry-run --conda pymongo").check()
    assert "conda install --yes" in result.shown
    assert PYMONGO[1] in result.shown
    assert installed(prefix) == before
    assert (history_file.read_text() if history_file.exists() else "") == lines


def test_record_only_reaches_the_dockerfile_and_installs_nothing(
    kernel: Kernel, prefix: Path
) -> None:
    before = installed(prefix)
    kernel.run("%envinstall --record-only pip:recorded apt:graphviz conda:kept").check()
    dockerfile = kernel.run("%envexport dockerfile --from base:1").check().shown
    assert all(word in dockerfile for word in ("recorded", "graphviz", "kept"))
    assert installed(prefix) == before


def test_output_streams_while_the_install_runs(
    kernel: Kernel, tmp_path: Path, prefix: Path
) -> None:
    """A build that waits shows its first words before it ends, and can be interrupted."""
    project = tmp_path / "slow project"
    project.mkdir()
    (project / "setup.py").write_text(SLOW_SETUP)
    before = installed(prefix)
    cell = kernel.start(f"%envinstall --pip --force '{project}' -- --no-build-isolation")
    cell.wait_for("Building wheel")
    time.sleep(0.5)
    kernel.interrupt()
    result = cell.wait()
    assert result.status == "error"
    assert result.error_name == "Interrupted"
    assert "is as it was" in result.traceback
    assert installed(prefix) == before
    records = json.loads(kernel.run("%envhistory --json").check().stdout)
    assert records[-1]["status"] == "interrupted"


def test_what_the_manager_said_is_one_line_that_opens_and_whole_in_the_record(
    kernel: Kernel, wheel_index: WheelIndex
) -> None:
    wheel_index.add("talkative", "1.0")
    line = f"%envinstall --engine pip --pip talkative --index-url {wheel_index.url}"
    log, result = kernel.run(line).check().displays
    assert log["text/plain"].startswith("$ ")
    assert len(log["text/plain"].splitlines()) == 1
    assert "<details><summary>" in log["text/html"], "closed"
    assert "Successfully installed talkative-1.0" in log["text/html"]
    assert "Successfully installed" not in result["text/html"]

    record = json.loads(kernel.run("%envhistory --json").check().stdout)[-1]
    said = record["outcome"]["log"]
    assert said.startswith("Looking in indexes")
    assert "\nSuccessfully installed talkative-1.0" in said
    assert said not in kernel.run(f"%envhistory {record['id']}").check().shown
    assert said in kernel.run(f"%envhistory {record['id']} --log").check().shown
    kernel.run("%envremove talkative").check()


def test_json_is_alone_on_standard_output(kernel: Kernel) -> None:
    kernel.run("%envremove demo-tool")
    result = kernel.run("%envinstall demo-tool --json").check()
    assert json.loads(result.stdout)["changed"] is True
    assert "conda install" in result.shown.replace(result.stdout, ""), "the command is shown"


def test_a_kernel_killed_in_the_middle_leaves_an_interrupted_record(
    prefix: Path, tmp_path: Path
) -> None:
    project = tmp_path / "slow"
    project.mkdir()
    (project / "setup.py").write_text(SLOW_SETUP)
    with Kernel(prefix, cwd=tmp_path) as kernel:
        kernel.leave_in(tmp_path)
        kernel.run("%load_ext jstackmagic").check()
        line = f"%envinstall --pip --force {project} -- --no-build-isolation"
        kernel.start(line).wait_for("Building wheel")
        kernel.kill()
    with Kernel(prefix, cwd=tmp_path) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        records = json.loads(kernel.run("%envhistory --json").check().stdout)
    assert [record["status"] for record in records] == ["interrupted"], records


def test_another_environment_is_a_target_by_name_prefix_and_kernelspec(
    kernel: Kernel, full_root: Root, home: Path
) -> None:
    other = full_root.create("other", "python", "pip")
    write_kernelspec(home / ".local/share/jupyter/kernels/other", other)
    for target in ("--name other", f"--prefix {other}", "--kernel other"):
        kernel.run(f"%envinstall {target} demo-tool").check()
        assert any(name.startswith("demo-tool-") for name in installed(other)), target
        kernel.run(f"%envremove {target} demo-tool").check()
        assert not any(name.startswith("demo-tool-") for name in installed(other)), target
    info = json.loads(kernel.run("%envinfo --all-kernels --json").check().stdout)
    assert str(other) in {found["prefix"] for found in info["environments"]}


def test_an_environment_without_a_python_that_could_import_us_is_a_target(
    kernel: Kernel, full_root: Root, full_channel: Channel
) -> None:
    only_r = full_root.create("only-r", "r-base")
    info = json.loads(kernel.run("%envinfo --name only-r --json").check().stdout)
    assert info["environments"][0]["python"] is None
    result = kernel.run("%envinstall --name only-r --pip six")
    assert result.status == "error"
    assert "has no Python" in result.traceback
    kernel.run("%envinstall --name only-r r-demo").check()
    assert any(name.startswith("r-demo-1.0") for name in installed(only_r))


def test_secrets_reach_neither_screen_nor_file_nor_export(
    kernel: Kernel, tmp_path: Path, history_file: Path
) -> None:
    with WheelIndex(tmp_path / "private", user="me", password="s3cret-token") as index:
        index.add("private-thing", "1.0")
        line = f"%envinstall --pip private-thing --extra-index-url {index.url_with_credentials}"
        result = kernel.run(line).check()
    kernel.run("import private_thing").check()
    export = kernel.run("%envexport dockerfile --from base:1").check().shown
    shown = kernel.run("%envhistory").check().shown + kernel.run("%envhistory --json").stdout
    everywhere = result.shown + export + shown + history_file.read_text()
    assert "s3cret-token" not in everywhere
    assert "--mount=type=secret" in export
    kernel.run("%envremove private-thing").check()


def test_the_result_is_a_value_shown_once(kernel: Kernel) -> None:
    kernel.run("%envremove demo-tool")  # whether it is there or not
    result = kernel.run("change = %envinstall --conda demo-tool").check()
    assert [data["text/plain"].split()[0] for data in result.displays] == ["$", "Installed"]
    assert not result.data
    assert kernel.run("[p.name for p in change.change.added]").check().text == "['demo-tool']"
    assert kernel.run("change").check().displays, "and shows itself again when asked"
    last = kernel.run("%envinstall demo-tool").check()
    assert len(last.displays) == 1
    assert not last.data, "the output prompt does not repeat it"


def test_help_is_the_docstring_and_the_options(kernel: Kernel) -> None:
    for code in ("%envinstall --help", "%envhistory -h"):
        assert "usage: %env" in kernel.run(code).check().shown


def test_a_usage_error_tells_what_to_type(kernel: Kernel) -> None:
    result = kernel.run("%envinstall --nonsense six")
    assert result.error_name == "UsageError"
    assert "--help" in result.traceback
    assert kernel.run("%%envinfo\nx").error_name == "UsageError"
    assert "pymongo" in kernel.run("%envinstall").traceback


def test_it_unloads_and_reloads_cleanly(kernel: Kernel) -> None:
    kernel.run("%unload_ext jstackmagic").check()
    assert "not found" in kernel.run("%envinfo").shown
    kernel.run("%load_ext jstackmagic\n%reload_ext jstackmagic\n%envinfo").check()


FAILS_TO_BUILD = """
import pathlib

def prepare_metadata_for_build_wheel(folder, settings=None):
    made = pathlib.Path(folder, "broken-1.0.dist-info")
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\\nName: broken\\nVersion: 1.0\\n")
    return made.name

def build_wheel(folder, settings=None, metadata=None):
    raise SystemExit("it does not build")
"""


def content(folder: Path) -> dict[str, bytes]:
    """Every file of an environment but bytecode, locks and conda's log of its changes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and path.name not in ("history", ".lock", "jstackmagic.lock", "jstackmagic.bytecode")
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="apt-get needs root")
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="there is no apt-get")
def test_nothing_stays_of_a_cell_whose_last_step_fails(
    prefix: Path, wheel_index: WheelIndex, tmp_path: Path
) -> None:
    """apt, conda and pip in one cell: what the first two did is undone when pip fails."""
    project = tmp_path / "broken"
    project.mkdir()
    (project / "backend.py").write_text(FAILS_TO_BUILD)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    wheel_index.add("plain", "1.0")
    tool = build_deb(tmp_path, "tool", files={"usr/share/tool/x": "x"})
    system = tmp_path / "system"
    environ = make_system(system, make_repository(tmp_path / "repository", tool))
    with Kernel(prefix, cwd=tmp_path, environ=environ) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        kernel.run(f"%envinstall --conda six={SIX[0]}").check()
        before, status = content(prefix), (system / "var/lib/dpkg/status").read_bytes()
        history = kernel.run("%envexport dockerfile --from example.com/x:1").check().shown
        failed = kernel.run(
            f"%%envinstall -i {wheel_index.url}\napt:\ntool\nconda:\nsix={SIX[1]}\ndemo-tool\n"
            f"pip:\nplain\n{project}"
        )
        assert failed.error_name == "CommandFailed", failed.shown
        assert "it does not build" in failed.shown
        assert "Taken back: apt, conda." in failed.shown
        assert content(prefix) == before
        assert (system / "var/lib/dpkg/status").read_bytes() == status
        assert not (system / "usr/share/tool").exists()
        assert kernel.run("%envexport dockerfile --from example.com/x:1").check().shown == history
        assert "Cut off" not in kernel.run("%envinfo").check().shown
