"""pip: real wheels, a real index, real environments, the target's own pip."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from uv import find_uv_bin

from jstackmagic.display.console import PlainConsole, Recording, quiet
from jstackmagic.managers import choose, engine, get
from jstackmagic.managers.pip import executable as pip
from jstackmagic.managers.pip import pipconf as _pipconfig
from jstackmagic.managers.pip import present as _distributions
from jstackmagic.managers.pip.effective import effective
from jstackmagic.model.engines import Engines
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import CommandFailed, Interrupted, InvalidSpec, Stopped
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support import tiers
from support.environments import Root, make_uv_venv, make_venv, uv
from support.wheels import WheelIndex, build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from jstackmagic.model.environment import Kind
    from jstackmagic.model.packages import Change
    from jstackmagic.model.plan import Plan

PYTHON = ".".join(map(str, sys.version_info[:3]))
LIBRARY = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"


def environment(prefix: Path, kind: Kind = "venv", python: str = PYTHON) -> Environment:
    """An environment that is no more than metadata on disk."""
    return Environment(
        kind=kind,
        name=None,
        prefix=str(prefix),
        python=python,
        executable=str(prefix / "bin/python"),
        site_packages=(str(prefix / LIBRARY),),
    )


def install(*specs: str, **details: object) -> Request:
    return Request(action="install", manager="pip", specs=specs, **details)  # type: ignore[arg-type]


def remove(*specs: str) -> Request:
    return Request(action="remove", manager="pip", specs=specs)


def carry_out(manager: pip.PipProgram, plan: Plan) -> tuple[Change, str]:
    """Runs a plan; returns the change as seen on disk and what was shown."""
    words: list[str] = []
    before = read_packages(plan.environment, ("conda", "pip"))
    assert manager.run(plan, PlainConsole(words.append)) == 0, "".join(words)
    change = read_packages(plan.environment, ("conda", "pip")) - before
    return manager.explain(plan, change), "".join(words)


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    return detect(make_venv(tmp_path / "a venv"))


@pytest.fixture
def conda(conda_env: Callable[..., Path]) -> Environment:
    return detect(conda_env("python", "pip", f"six={tiers.SIX[0]}"))


@pytest.fixture
def index(wheel_index: WheelIndex) -> WheelIndex:
    """Serves two versions of demo-app, which requires demo-library (more: demo-extra)."""
    for version in ("1.0", "2.0"):
        wheel_index.add(
            "demo-app",
            version,
            requires=["demo_library>=1", "demo-windows; sys_platform == 'win32'"],
            extras={"more": ["Demo.Extra"]},
        )
    wheel_index.add("demo-library", "1.5")
    wheel_index.add("demo-extra", "0.1")
    return wheel_index


# The command


def test_the_command_is_the_targets_own_pip_with_one_argument_a_spec(
    venv: Environment, tmp_path: Path
) -> None:
    listing = tmp_path / "with a space.txt"
    listing.write_text("demo-app\n")
    (tmp_path / "project").mkdir()
    specs = (
        *("numpy>=1.20", "pandas [test] ; python_version > '3'", f"-r {listing}"),
        *(f"-e {tmp_path}/project", "x @ https://host.example/x.whl", "git+https://host.example/r"),
    )
    request = install(
        *specs,
        upgrade=True,
        sources=Sources(
            index_url="https://me:s3cret@index.example/simple",
            extra_index_urls=("https://a.example", "https://b.example"),
        ),
        options=("--pre", "--no-cache-dir"),
    )
    plan = pip.manager().plan(request, venv)
    (command,) = plan.commands
    assert command.argv == (
        *(venv.executable, "-m", "pip", "install", "--upgrade"),
        *("--index-url", "https://me:s3cret@index.example/simple"),
        *("--extra-index-url", "https://a.example", "--extra-index-url", "https://b.example"),
        *("numpy>=1.20", "pandas [test] ; python_version > '3'", "-r", str(listing)),
        *("-e", f"{tmp_path}/project", "x @ https://host.example/x.whl"),
        *("git+https://host.example/r", "--pre", "--no-cache-dir"),
    )
    assert "'numpy>=1.20'" in str(command)
    assert "s3cret" not in str(command)
    assert plan.engine == "pip"
    assert plan.change is None


@pytest.mark.parametrize(
    ("spec", "nearest"),
    [
        ("numpy=1.20", "pip:numpy==1.20"),
        ("numpy=>1.20", "'pip:numpy>=1.20'"),
        ("numpy=<2,>1", "'pip:numpy<=2,>1'"),
        ("numpy 1.20", "pip:numpy==1.20"),
        ("numpy@1.20", "pip:numpy==1.20"),
        ("conda-forge::numpy", "conda:conda-forge::numpy"),
        ("numpy=1.20=py312_0", "conda:numpy=1.20=py312_0"),
        ("a;rm -rf x", ""),
        ("$(id)", ""),
        ("`id`", ""),
        ("numpy\npandas", ""),
        ("numpy>=1.20\n", ""),
        ("", ""),
        ("-U", ""),
        ("--index-url=https://host.example", ""),
        ("numpy pandas", ""),
        ("numpy @ pandas", ""),
        ("/no/such/wheel.whl", ""),
        ("-r /no/such/requirements.txt", ""),
        ("-e /no/such/project", ""),
    ],
)
def test_what_pip_cannot_read_is_refused_with_the_nearest_form(
    spec: str, nearest: str, venv: Environment
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        pip.manager().plan(install("six", spec), venv)
    assert caught.value.kept == "Nothing was started."
    advice = "\n".join(caught.value.advice)
    assert advice.endswith(f"%envinstall {nearest}") if nearest else not advice


def test_an_old_pip_may_be_given_an_old_version(tmp_path: Path) -> None:
    prefix = tmp_path / "stub of an environment of Python 2"
    write_dist_info(prefix, "pip", "20.3.4")
    python2 = environment(prefix, python="2.7.18")
    get("pip").check(install("pytz==2004d", "foo[bar]>=1.0-custom,<2"), python2)
    for spec in ("numpy=1.20", "a;rm -rf x", "numpy>=", "numpy>=1,,"):
        with pytest.raises(InvalidSpec):
            get("pip").check(install(spec), python2)
    write_dist_info(tmp_path / "new", "pip", "24.1")
    with pytest.raises(InvalidSpec):
        get("pip").check(install("pytz==2004d"), environment(tmp_path / "new"))


def write_dist_info(prefix: Path, name: str, version: str, *requires: str) -> None:
    folder = prefix / LIBRARY / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    (folder / "METADATA").write_text("\n".join([*lines, "", "Requires-Dist: not-a-header"]))


# Installing


def test_an_install_from_an_index_and_what_only_the_report_tells(
    venv: Environment, index: WheelIndex
) -> None:
    index.user, index.password = "somebody", "s3cr:t/"
    manager = pip.manager()
    request = install("demo-app[more]==1.0", sources=Sources(index_url=index.url_with_credentials))
    plan = manager.plan(request, venv)
    change, words = carry_out(manager, plan)

    assert [(new.name, new.version) for new in change.added] == [
        ("demo-app", "1.0"),
        ("demo-extra", "0.1"),
        ("demo-library", "1.5"),
    ]
    for package in change.added:
        assert package.source == index.url.replace("://", "://****@")
        assert package.url.startswith(f"http://127.0.0.1:{index.port}/files/{package.name[:4]}")
        assert len(package.sha256) == 64
    assert [package.requested for package in change.added] == [True, False, False]
    assert "Successfully installed" in words
    assert "s3cr" not in words
    assert "PIP_REPORT" not in str(plan.commands[0])
    resolved = manager.resolved(request, venv)
    assert [(package.name, package.version) for package in resolved] == [("demo-app", "1.0")]


@pytest.mark.parametrize(
    ("text", "sources", "options"),
    [
        ("--index-url https://i.example\nsix", Sources(index_url="https://i.example"), ("--pre",)),
        (
            "-r nested/inner.txt\n-f wheels",
            Sources(
                index_url="https://mine.example",
                extra_index_urls=("https://e.example",),
                find_links=("{}/wheels",),
            ),
            ("--pre", "--no-binary", "six"),
        ),
        (
            "--pre\n--require-hashes\n--extra-index-url https://${TOKEN}@h.example\n--nonsense",
            Sources(index_url="https://mine.example"),
            ("--pre",),
        ),
    ],
)
def test_what_a_list_says_for_itself_is_in_the_record(
    text: str, sources: Sources, options: tuple[str, ...], tmp_path: Path
) -> None:
    inner = "--extra-index-url https://e.example\n--no-binary six\n-r ../list.txt\n"
    Path(tmp_path, "nested").mkdir()
    Path(tmp_path, "nested/inner.txt").write_text(inner)
    Path(tmp_path, "list.txt").write_text(text)
    links = tuple(place.format(tmp_path) for place in sources.find_links)
    mine = Sources(index_url="https://mine.example")
    request = install(f"-r {tmp_path}/list.txt", sources=mine, options=("--pre",))
    found = effective(request, environment(tmp_path / "v"), {"PIP_CONFIG_FILE": os.devnull})
    assert (found.sources, found.options) == (replace(sources, find_links=links), options)
    assert found.specs == request.specs


def test_what_a_list_asks_for_is_named_where_it_was_there_before(tmp_path: Path) -> None:
    venv = environment(tmp_path / "v")
    folder = Path(tmp_path, "v", LIBRARY, "six-1.16.0.dist-info")
    folder.mkdir(parents=True)
    Path(folder, "METADATA").write_text("Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n")
    Path(tmp_path, "list.txt").write_text("-e ./mine\n--pre\nsix==1.16.0\nidna\n")
    found = pip.manager().resolved(install(f"-r {tmp_path}/list.txt"), venv)
    assert [(package.name, package.version) for package in found] == [("six", "1.16.0")]


def test_what_is_there_is_said_so_without_running_anything(
    venv: Environment, index: WheelIndex, tmp_path: Path
) -> None:
    manager = pip.manager()
    carry_out(
        manager, manager.plan(install("demo-app==1.0", sources=Sources(index_url=index.url)), venv)
    )
    listing = tmp_path / "requirements.txt"
    listing.write_text("# ours\nDemo_App >=1, \\\n  <3  # the app\n\ndemo-library\n")
    url = index.url
    index.stop()

    for specs in (["demo-app"], ["Demo.App>=1,<2", "demo_library"], [f"-r {listing}"]):
        plan = manager.plan(install(*specs, sources=Sources(index_url=url)), venv)
        assert plan.commands == ()
        assert plan.satisfied[0].name == "demo-app"
        assert plan.satisfied[0].version == "1.0"
        assert not plan.change
    irrelevant = manager.plan(install("other; sys_platform == 'win32'"), venv)
    assert irrelevant.commands == ()
    assert irrelevant.satisfied == ()
    (note,) = irrelevant.notes
    assert note.endswith("by its marker: other; sys_platform == 'win32'")


@pytest.mark.parametrize(
    "request_",
    [
        install("demo-app>1.0"),
        install("demo-app[more]"),
        install("demo-app", "demo-extra"),
        install("demo-app", upgrade=True),
        install("demo-app", options=("--force-reinstall",)),
        install("demo-app @ https://host.example/demo_app-1.0-py3-none-any.whl"),
    ],
)
def test_what_pip_would_have_to_look_at_is_left_to_it(request_: Request, tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    write_dist_info(prefix, "demo-app", "1.0", "demo-library>=1", "demo-extra; extra == 'more'")
    write_dist_info(prefix, "demo-library", "1.5")
    assert _distributions.satisfied(install("demo-app"), environment(prefix)) is not None
    assert _distributions.satisfied(request_, environment(prefix)) is None


def test_dependencies_are_followed_to_the_end_for_the_targets_python(tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    write_dist_info(prefix, "a", "1", "b[x]", "old; python_version < '3'")
    write_dist_info(prefix, "b", "1", "c; extra == 'x'", "a", "unused; extra == 'y'")
    write_dist_info(prefix, "c", "1.0b1", "d>=2")
    write_dist_info(prefix, "d", "2")
    request = install("a")
    assert _distributions.satisfied(request, environment(prefix))
    assert _distributions.satisfied(request, environment(prefix, python="2.7.18")) is None
    write_dist_info(prefix, "old", "1")
    assert _distributions.satisfied(request, environment(prefix, python="2.7.18"))

    metadata = next((prefix / LIBRARY).glob("d-*")) / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 2\n", "Version: 1.9\n"))
    assert _distributions.satisfied(request, environment(prefix)) is None
    metadata.unlink()  # as pip leaves it when it is killed
    assert _distributions.satisfied(request, environment(prefix)) is None


@pytest.mark.parametrize(("version", "requires"), [("2004d", "b>1"), ("1", "b >>= 1")])
def test_metadata_that_no_standard_covers_is_left_to_pip(
    version: str, requires: str, tmp_path: Path
) -> None:
    prefix = tmp_path / "environment"
    write_dist_info(prefix, "a", "1", requires)
    write_dist_info(prefix, "b", version)
    assert _distributions.satisfied(install("a"), environment(prefix)) is None


def test_pips_own_settings_are_heeded(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path / "environment"
    write_dist_info(prefix, "a", "1")
    target = environment(prefix)
    (home / ".config/pip").mkdir(parents=True)
    config = home / ".config/pip/pip.conf"
    config.write_text("[global]\nindex-url = https://host.example\n[list]\nconstraint = x\n")
    assert _distributions.satisfied(install("a"), target)
    config.write_text("[install]\nforce-reinstall = yes\n")
    assert _distributions.satisfied(install("a"), target) is None
    config.unlink()
    assert _distributions.satisfied(install("a"), target)
    (prefix / "pip.conf").write_text("[global]\nconstraint = /etc/constraints.txt\n")
    assert _distributions.satisfied(install("a"), target) is None
    (prefix / "pip.conf").unlink()
    monkeypatch.setenv("PIP_CONSTRAINT", "/etc/constraints.txt")
    assert _distributions.satisfied(install("a"), target) is None
    caps = tmp_path / "caps.txt"
    monkeypatch.setenv("PIP_CONSTRAINT", str(caps))
    caps.write_text("A<2\nother<1\n")
    assert _distributions.satisfied(install("a"), target)
    caps.write_text("a>1\n")
    assert _distributions.satisfied(install("a"), target) is None
    monkeypatch.delenv("PIP_CONSTRAINT")
    assert _distributions.satisfied(install("a", f"-c {caps}"), target) is None


def test_pips_own_settings_are_merged_as_pip_merges_them(
    venv: Environment, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip itself is asked, by the way in which its own parser reads them."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", f"{tmp_path}/one:{tmp_path}/two")
    named = tmp_path / "named.conf"
    files = {
        tmp_path / "one/pip/pip.conf": "[global]\ntimeout = 1\nretries = 1\n[install]\npre = yes\n",
        tmp_path / "two/pip/pip.conf": "[global]\ntimeout = 2\nproxy = http://two.example\n",
        home / ".pip/pip.conf": "[global]\nindex_url = https://legacy.example\nno-color = 1\n",
        home / ".config/pip/pip.conf": "[global]\nindex-url = https://user.example\npre = no\n",
        Path(venv.prefix, "pip.conf"): "[global]\nretries = 3\n[install]\nfind-links = /a /b\n",
        named: "[global]\nretries = 4\n[list]\ntimeout = 9\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://a.example https://b.example")

    def ours() -> dict[str, str]:
        found = _pipconfig.configured(venv).values()
        return {item.name: item.value for item in found}

    def theirs() -> dict[str, str]:
        code = (
            "from pip._internal.commands import create_command\n"
            "command = create_command('install')\n"
            "for key, value in command.parser._get_ordered_configuration_items():\n"
            "    print(key, value)\n"
        )
        # pip loads its configuration when it gives its defaults
        code = code.replace("for key", "command.parser.config.load()\nfor key", 1)
        done = subprocess.run(
            [str(venv.executable), "-c", code], capture_output=True, text=True, check=True
        )
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())

    assert ours() == theirs()
    assert ours()["index-url"] == "https://user.example"
    assert ours()["pre"] == "yes"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    assert ours() == theirs()
    assert "index-url" not in ours()
    assert ours()["retries"] == "4"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert ours() == theirs()
    assert "retries" not in ours()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(named))
    named.write_text("not a configuration")
    assert _pipconfig.configured(venv)[_pipconfig.UNREADABLE].source == str(named)


def test_an_install_that_fails_says_why(venv: Environment, index: WheelIndex) -> None:
    manager = pip.manager()
    recording = Recording(quiet())
    plan = manager.plan(install("no-such-thing", sources=Sources(index_url=index.url)), venv)
    assert manager.run(plan, recording) == 1
    assert "No matching distribution found for no-such-thing" in recording.log.text


def test_a_stop_while_pip_waits_for_an_index(venv: Environment) -> None:
    def stop(text: str) -> None:
        if "Looking in indexes" in text:
            signal.raise_signal(signal.SIGINT)

    with socket.create_server(("127.0.0.1", 0)) as never_answers:
        url = f"http://127.0.0.1:{never_answers.getsockname()[1]}/simple"
        manager = pip.manager()
        plan = manager.plan(install("demo-app", sources=Sources(index_url=url)), venv)
        with pytest.raises(Interrupted, match="python was interrupted and stopped") as caught:
            manager.run(plan, PlainConsole(stop))
    assert not caught.value.kept  # what is half there is looked up, not guessed


def test_local_files_projects_and_urls(
    venv: Environment, index: WheelIndex, tmp_path: Path
) -> None:
    wheel = build_wheel(tmp_path, "from-a-wheel", "1.0")
    project = write_project(tmp_path / "a project", "from-a-project")
    url = f"{index.url.removesuffix('simple/')}files/demo_library-1.5-py3-none-any.whl"
    request = install(
        str(wheel), f"-e {project}", f"demo-library @ {url}", sources=Sources(index_url=index.url)
    )
    manager = pip.manager()
    change, _ = carry_out(manager, manager.plan(request, venv))

    found = {package.name: package for package in change.added}
    assert found.keys() == {"from-a-wheel", "from-a-project", "demo-library"}
    assert found["from-a-wheel"].source == wheel.as_uri()
    assert found["from-a-project"].source == project.as_uri()
    assert found["from-a-project"].editable
    assert found["demo-library"].source == found["demo-library"].url == url
    resolved = manager.resolved(request, venv)
    assert [package.name for package in resolved] == [
        "from-a-wheel",
        "from-a-project",
        "demo-library",
    ]
    again = manager.plan(request, venv)
    assert again.commands, "a path or URL may hold something new each time"
    assert manager.plan(install("from-a-wheel"), venv).satisfied == resolved[:1]


BACKEND = """
import zipfile

def _build(folder, name, files):
    info = f"{name}-1.0.dist-info"
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\\nTag: py3-none-any\\n"
    files[f"{info}/RECORD"] = ""
    with zipfile.ZipFile(f"{folder}/{name}-1.0-py3-none-any.whl", "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return f"{name}-1.0-py3-none-any.whl"

def build_wheel(folder, settings=None, metadata=None):
    import demo_library  # a requirement of the build
    return _build(folder, NAME, {f"{NAME}.py": ""})

def build_editable(folder, settings=None, metadata=None):
    import os
    return _build(folder, NAME, {f"{NAME}.pth": os.getcwd()})
"""


def write_project(folder: Path, name: str, *requires: str) -> Path:
    """A project that needs no more than `requires` to be built."""
    folder.mkdir()
    listed = ", ".join(f'"{requirement}"' for requirement in requires)
    (folder / "pyproject.toml").write_text(
        f'[build-system]\nrequires = [{listed}]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    escaped = name.replace("-", "_")
    (folder / "backend.py").write_text(f"NAME = {escaped!r}\n{BACKEND}")
    (folder / f"{escaped}.py").touch()
    return folder


def test_what_a_build_requires_is_not_taken_for_what_was_installed(
    venv: Environment, index: WheelIndex, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "source_only-1.0", "source-only", "demo-library")
    (project / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: source-only\nVersion: 1.0\n")
    archive = tmp_path / "source_only-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(project, project.name)
    manager = pip.manager()
    change, _ = carry_out(
        manager, manager.plan(install(str(archive), sources=Sources(index_url=index.url)), venv)
    )
    (package,) = change.added
    assert (package.name, package.source) == ("source-only", archive.as_uri())
    assert package.url == archive.as_uri()


def test_a_package_from_the_public_index(venv: Environment) -> None:
    manager = pip.manager()
    change, _ = carry_out(manager, manager.plan(install("iniconfig==2.0.0"), venv))
    (package,) = change.added
    assert (package.name, package.version) == ("iniconfig", "2.0.0")
    assert package.url.endswith("iniconfig-2.0.0-py3-none-any.whl")
    assert package.sha256 == "b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374"
    code = "import iniconfig; print(iniconfig.__name__)"
    done = subprocess.run([str(venv.executable), "-c", code], check=True, capture_output=True)
    assert done.stdout == b"iniconfig\n"


# Beforehand


def test_in_a_conda_environment_the_plan_says_what_would_change(
    conda: Environment, index: WheelIndex
) -> None:
    index.add("six", "9.0")
    index.add("needs-six", "1.0", requires=["six>=9"])
    before = snapshot(conda)
    plan = pip.manager().plan(install("needs-six", sources=Sources(index_url=index.url)), conda)

    assert plan.change is not None
    (added,) = plan.change.added
    assert (added.name, added.version, added.source) == ("needs-six", "1.0", index.url)
    assert added.url.endswith("/files/needs_six-1.0-py3-none-any.whl")
    assert len(added.sha256) == 64
    ((old, new),) = plan.change.changed
    assert (old.manager, old.name, old.version) == ("conda", "six", tiers.SIX[0])
    assert (new.manager, new.name, new.version) == ("pip", "six", "9.0")
    assert snapshot(conda) == before
    assert plan.commands[0].argv[3:] == ("install", "--index-url", index.url, "needs-six")


def snapshot(target: Environment) -> set[tuple[Path, int]]:
    return {
        (path, path.stat().st_mtime_ns)
        for path in Path(target.prefix).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_what_conda_installed_satisfies_a_requirement(conda: Environment) -> None:
    plan = pip.manager().plan(install("six"), conda)
    assert plan.commands == ()
    (package,) = plan.satisfied
    assert (package.manager, package.name, package.version) == ("conda", "six", tiers.SIX[0])


def test_what_pip_finds_satisfied_in_its_dry_run_is_not_run_again(
    conda: Environment, tmp_path: Path, index: WheelIndex
) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"six=={tiers.SIX[0]}\n")
    request = install("six", f"-c {constraints}", sources=Sources(index_url=index.url))
    plan = pip.manager().plan(request, conda)
    assert plan.commands == ()
    assert [package.name for package in plan.satisfied] == ["six"]


def test_what_cannot_be_resolved_is_said_beforehand(conda: Environment, index: WheelIndex) -> None:
    index.add("demo-old", "1.0", requires=["demo-library<1"])
    index.add("demo-library", "0.5")
    index.user, index.password = "somebody", "s3cret"
    url = index.url_with_credentials
    manager = pip.manager()
    with pytest.raises(CommandFailed, match="No matching distribution found for nowhere") as caught:
        manager.plan(install("nowhere", sources=Sources(index_url=url)), conda)
    assert caught.value.kept == "Nothing was changed."
    with pytest.raises(CommandFailed) as caught:
        manager.plan(install("demo-app", "demo-old", sources=Sources(index_url=url)), conda)
    assert "conflicting dependencies" in caught.value.problem
    assert "demo-old 1.0 depends on demo-library<1" in caught.value.problem
    assert "s3cret" not in str(caught.value)


def test_why_is_short_and_without_colours_though_a_kernel_asks_for_them(
    conda: Environment, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        index.add("demo-many", f"1.{number}")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with pytest.raises(CommandFailed) as caught:
        pip.manager().plan(install("demo-many==2", sources=Sources(index_url=index.url)), conda)
    assert caught.value.problem.splitlines()[1:] == [
        "Could not find a version that satisfies the requirement demo-many==2 "
        "(from versions: …, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 1.10, 1.11)",
        "No matching distribution found for demo-many==2",
    ]


def test_elsewhere_it_is_resolved_beforehand_only_when_asked(
    venv: Environment, index: WheelIndex
) -> None:
    request = install("demo-app", sources=Sources(index_url=index.url))
    assert pip.manager().plan(request, venv).change is None
    change = pip.manager(thorough=True).plan(request, venv).change
    assert change is not None
    assert [package.name for package in change.added] == ["demo-app", "demo-library"]


def test_a_pip_too_old_to_tell_says_so_and_installs(conda: Environment, index: WheelIndex) -> None:
    uv("pip", "install", "pip==22.1.2", prefix=Path(conda.prefix))
    manager = pip.manager()
    plan = manager.plan(install("demo-library", sources=Sources(index_url=index.url)), conda)
    assert plan.change is None
    assert plan.notes == ("pip 22.1.2 cannot say what it would change; 22.2 and later can.",)
    if sys.version_info < (3, 12):  # that pip needs distutils to run
        change, _ = carry_out(manager, plan)
        (package,) = change.added
        assert (package.name, package.url) == ("demo-library", "")


def test_an_environment_of_python_2_is_a_target_like_any_other(
    tmp_path: Path, index: WheelIndex
) -> None:
    prefix = make_python2(tmp_path / "python2")
    index.add("demo-old", "1.0", tag="py2.py3-none-any", requires_python="", requires=OLD_ONLY)
    index.add("demo-back", "1.0", tag="py2-none-any", requires_python="")
    target = detect(prefix)
    assert (target.python or "").startswith("2.7")
    manager = pip.manager()
    request = install("demo-old", sources=Sources(index_url=index.url))
    change, _ = carry_out(manager, manager.plan(request, target))
    assert [package.name for package in change.added] == ["demo-back", "demo-old"]
    assert manager.plan(request, target).commands == ()
    carry_out(manager, manager.plan(remove("demo-back"), target))
    assert manager.plan(request, target).commands, "its requirement has gone"


OLD_ONLY = ("demo-back; python_version < '3'", "demo-never; python_version >= '3'")


def make_python2(prefix: Path) -> Path:
    """A virtual environment of Python 2.7, where this machine has one."""
    siblings = Path(sys.base_prefix).parent.glob("2.7*/bin/python2.7")  # as pyenv lays them out
    python = next(siblings, None) or shutil.which("python2.7")
    if python is None or subprocess.run([python, "--version"], check=False).returncode:
        pytest.skip("there is no Python 2.7 here")
    command = [find_uv_bin(), "run", "--no-project", "--no-config", "--with", "virtualenv==20.21.1"]
    command += ["virtualenv", "--python", str(python), str(prefix)]
    subprocess.run(command, check=True, capture_output=True)
    return prefix


def test_without_pip_the_way_out_is_said(tmp_path: Path, conda_env: Callable[..., Path]) -> None:
    bare = detect(make_uv_venv(tmp_path / "bare"))
    for request in (install("six"), remove("six")):
        if request.action == "remove":
            uv("pip", "install", "six", prefix=Path(bare.prefix))
        chosen = engine(choose("pip", bare, Engines(pip="pip"), request))
        with pytest.raises(Stopped, match="has no pip") as caught:
            chosen.plan(request, bare)
        way = f"%envinstall --prefix {bare.prefix} --pip pip"
        assert caught.value.advice == (f"Put one there: {way}, or !{bare.executable} -m ensurepip",)
    conda = detect(conda_env("python"))
    with pytest.raises(Stopped) as caught:
        pip.manager().plan(install("six"), conda)
    assert f"%envinstall --prefix {conda.prefix} --conda pip" in caught.value.advice[0]
    with pytest.raises(Stopped, match="has no Python"):
        pip.manager().plan(
            install("six"), Environment(kind="conda-prefix", name=None, prefix=str(tmp_path))
        )


def test_a_pip_that_is_only_seen_through_the_base_is_good_enough(
    venv: Environment, tmp_path: Path
) -> None:
    prefix = tmp_path / "onto"
    arguments = ["-m", "venv", "--without-pip", "--system-site-packages", str(prefix)]
    subprocess.run([sys.executable, *arguments], check=True)
    seen = subprocess.run(
        [prefix / "bin/python", "-m", "pip", "--version"], check=False, capture_output=True
    )
    if seen.returncode:
        pytest.skip("the Python that virtual environments stand on here has no pip")
    assert pip.manager().plan(install("no-such-thing"), detect(prefix)).commands


# Removing


def test_a_removal_is_exact_and_leaves_the_rest(venv: Environment, index: WheelIndex) -> None:
    manager = pip.manager()
    carry_out(
        manager, manager.plan(install("demo-app", sources=Sources(index_url=index.url)), venv)
    )
    plan = manager.plan(remove("Demo.App", "not-there"), venv)
    assert plan.commands[0].argv == (
        *(venv.executable, "-m", "pip", "uninstall", "--yes", "Demo.App"),
    )
    assert plan.notes == ("not-there is not installed.",)
    change, _ = carry_out(manager, plan)
    assert plan.change == change
    assert [package.name for package in change.removed] == ["demo-app"]
    with pytest.raises(Stopped, match=r"Not installed in .*: demo-app\.") as caught:
        manager.plan(remove("demo-app"), venv)
    assert caught.value.kept == "Nothing was removed."


def test_a_removal_of_what_conda_owns_is_shown_as_such(conda: Environment) -> None:
    plan = pip.manager().plan(remove("six"), conda)
    assert plan.change is not None
    assert [(package.manager, package.name) for package in plan.change.removed] == [
        ("conda", "six")
    ]


def test_a_removal_of_a_files_list(venv: Environment, index: WheelIndex, tmp_path: Path) -> None:
    manager = pip.manager()
    carry_out(
        manager, manager.plan(install("demo-app", sources=Sources(index_url=index.url)), venv)
    )
    listing = tmp_path / "requirements.txt"
    listing.write_text("demo-app\ndemo-library\n")
    change, _ = carry_out(manager, manager.plan(remove(f"-r {listing}"), venv))
    assert [package.name for package in change.removed] == ["demo-app", "demo-library"]


@pytest.mark.parametrize("spec", ["six==1.16", "six[x]", "-e /tmp", "git+https://host.example/r"])
def test_only_names_are_removed(spec: str, venv: Environment) -> None:
    with pytest.raises(InvalidSpec) as caught:
        pip.manager().plan(remove(spec), venv)
    if spec.startswith("six"):
        assert caught.value.advice == ("Remove it by its name: %envremove six",)


# The user site


def test_what_the_users_own_site_hides_is_said(
    full_root: Root, index: WheelIndex, home: Path
) -> None:
    conda = detect(full_root.create("user-site", "python", "pip"))
    manager = pip.manager()
    user_site = home / ".local" / LIBRARY
    words = ("--target", str(user_site), "--index-url", index.url, "demo-library")
    uv("pip", "install", *words, prefix=Path(conda.prefix))
    index.add("demo-library", "1.6")
    request = install(
        "demo-library==1.6", sources=Sources(index_url=index.url), options=("--ignore-installed",)
    )
    plan = manager.plan(request, conda)
    change, _ = carry_out(manager, plan)
    assert [(package.name, package.version) for package in change.added] == [
        ("demo-library", "1.6")
    ]

    (advice,) = manager.advise(plan, change)
    assert advice.startswith(f"demo-library 1.5 in {user_site}, your user site, comes before")
    code = "import demo_library; print(demo_library.__version__)"
    imported = subprocess.run([str(conda.executable), "-c", code], check=True, capture_output=True)
    assert imported.stdout == b"1.5\n"
    venv = environment(Path(conda.prefix), kind="venv")
    assert _distributions.shadowed(venv, ["demo-library"]) == ()
    os.environ["PYTHONNOUSERSITE"] = "1"
    try:
        assert _distributions.shadowed(conda, ["demo-library"]) == ()
    finally:
        del os.environ["PYTHONNOUSERSITE"]
