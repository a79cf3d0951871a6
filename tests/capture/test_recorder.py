"""Installs that cells make without us: real cells of a real kernel, and the records they leave."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.capture import recorder, taps
from jstackmagic.capture.commandlines import recognise
from jstackmagic.capture.observe import is_served, requests_behind, share, without
from jstackmagic.capture.places import Places, is_said
from jstackmagic.capture.watcher import QUIET
from jstackmagic.export import _source
from jstackmagic.history.file import History
from jstackmagic.history.replays import Progress
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.where.debiansources import added_sources
from support import nolocks, standin_mamba
from support.debs import build_deb, make_repository
from support.environments import make_venv, uv
from support.kernels import Kernel
from support.projects import write_project
from support.tiers import SIX
from support.verbs import verb
from support.wheels import WheelIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jstackmagic.model.record import Record
    from support.environments import Root
    from support.kernels import Result
    from support.tiers import Channel

# what another worker does with apt would show here
pytestmark = pytest.mark.dpkg


SPARING = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    **dict.fromkeys(("PIP_NO_COMPILE", "PIP_NO_WARN_CONFLICTS"), "no"),  # as pip wants it said
}
"""What spares pip some time."""


# Real kernels


@pytest.fixture(scope="module")
def prefix(make_kernel_env: Callable[..., Path]) -> Path:
    """The environment these tests change."""
    prefix = make_kernel_env("captured")
    uv("pip", "install", "uv", prefix=prefix)
    return prefix


@pytest.fixture(scope="module")
def server(full_root: Root) -> Path:
    """Another environment with a pip, whose bin is on the PATH as a server's is."""
    return full_root.create("server", "python", "pip")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WheelIndex]:
    with WheelIndex(tmp_path_factory.mktemp("wheels")) as index:
        yield index


@pytest.fixture(scope="module")
def tools(
    full_root: Root, full_channel: Channel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A bin folder of stand-ins that really work: conda and its family on py-rattler, sudo without
    asking anybody."""
    folder = tmp_path_factory.mktemp("stand-ins") / "bin"
    folder.mkdir()
    condarc = full_root.prefix / ".condarc"
    condarc.write_text(json.dumps({"channels": [full_channel.url]}))
    for name in ("conda", "mamba", "micromamba"):
        script = folder / name
        script.write_text(
            f"#!/bin/sh\nCONDA_ROOT='{full_root.prefix}' exec '{sys.executable}' -I "
            f"'{standin_mamba.__file__}' \"$@\"\n"
        )
        script.chmod(0o755)
    if shutil.which("sudo") is None:
        (folder / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (folder / "sudo").chmod(0o755)
    yield folder
    condarc.unlink()  # the root is shared with other modules


@pytest.fixture(scope="module")
def shared_kernel(
    prefix: Path, index: WheelIndex, tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    """A kernel with the extension, for all tests of this module that leave it as it was."""
    environ = {
        "PATH": f"{prefix / 'bin'}:{tools}:{os.environ['PATH']}",
        **SPARING,
        "PIP_INDEX_URL": index.url,
        "UV_INDEX_URL": index.url,
        "CONDA_EXE": str(tools / "conda"),
        "CONDA_PREFIX": str(prefix),
    }
    with Kernel(prefix, cwd=tmp_path_factory.mktemp("cells"), environ=environ) as kernel:
        kernel.run("%load_ext jstackmagic\nimport os, subprocess, sys").check()
        yield kernel


@pytest.fixture
def kernel(shared_kernel: Kernel, history_file: Path) -> Kernel:
    """The shared kernel, writing to this test's own history."""
    shared_kernel.run(f"os.environ['JSTACKMAGIC_HISTORY'] = {str(history_file)!r}").check()
    return shared_kernel


@pytest.fixture
def records(history_file: Path) -> Callable[[], list[Record]]:
    """Reads the test's history, less what others do to the machine's Debian packages meanwhile."""

    def read() -> list[Record]:
        everything = History(history_file).records()
        return [r for r in everything if (r.request.manager, r.status) != ("apt", "found")]

    return read


def told(result: Result) -> list[str]:
    """The lines that were ours, less those of what others do to the machine meanwhile."""
    # apt leaves the codes there with which it took its bar away
    text = re.sub(r"\x1b(?:\[[\d;?]*[A-Za-z]|[78])", "", result.stdout)
    lines = [line for line in text.splitlines() if line.startswith("jstackmagic: ")]
    return [line for line in lines if not line.endswith("by another program (system)")]


# a start of uv takes a tenth of pip's: with it what differs is how a cell starts a program
WAYS = {
    "bang": "!pip install -q {name}",
    "bang with the kernel's own python": "!{{sys.executable}} -m pip install -q {name}",
    "bang in a chain": "!cd /tmp && uv pip install -q {name} 2>&1 | tail -1",
    "bang assigned": "words = !uv pip install -q {name}",
    "user site": "!pip install -q --user {name}",
    "percent pip": "%pip install -q {name}",
    "percent uv": "%uv pip install -q {name}",
    "system": "get_ipython().system('uv pip install -q {name}')",
    "bash cell": "%%bash\nset -e\nuv pip install -q {name}",
    "script cell": "%%script bash\nuv pip install -q {name}",
    "run": "subprocess.run([sys.executable, '-m', 'uv', 'pip', 'install', '-q', {name!r}])",
    "run in a shell": "done = subprocess.run('uv pip install -q {name}', shell=True)",
    "check_call": "subprocess.check_call(['uv', 'pip', 'install', '-q', {name!r}])",
    "os.system": "os.system('uv pip install -q {name}')",
    "computed": "wanted = '{name}'[::-1]\nos.system('uv pip ' + 'install -q ' + wanted[::-1])",
    "in a function": (
        "def ensure(name):\n    subprocess.check_output(['uv', 'pip', 'install', name])\n"
        "ensure({name!r})"
    ),
    "pty": "import pty\nstatus = pty.spawn(['uv', 'pip', 'install', '-q', {name!r}])",
    "posix_spawn": (
        "uv = os.path.join(sys.prefix, 'bin', 'uv')\n"
        "pid = os.posix_spawn(uv, ['uv', 'pip', 'install', '-q', {name!r}], os.environ)\n"
        "status = os.waitpid(pid, 0)"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_run_pip_is_recorded(
    kernel: Kernel,
    prefix: Path,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    way: str,
) -> None:
    name = f"way-{list(WAYS).index(way)}"
    index.add(name, "1.0")
    cell = WAYS[way].format(name=name)
    result = kernel.run(cell).check()
    (record,) = records()
    assert record.status == "ok"
    assert record.request.action == "install"
    assert record.request.texts == (name,)
    assert record.environment.prefix == str(prefix)
    assert record.environment.name == "captured"
    assert record.outcome is not None
    assert [package.name for package in record.outcome.change.added] == [name]
    assert [package.version for package in record.outcome.resolved] == ["1.0"]
    assert record.context.kernel == "connection", "as the file of its connection is named"
    assert record.engine == ("uv" if "uv" in WAYS[way] else "pip")
    if re.match(r"[!%](\S+ -m )?pip ", cell):
        assert record.commands == (cell.removeprefix("!"),), "as it was typed"
    assert len(told(result)) == 1, result.shown
    assert "(captured)" in told(result)[0]


def test_every_option_that_takes_a_value_is_recorded_with_it(
    kernel: Kernel,
    prefix: Path,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    tmp_path: Path,
) -> None:
    """A list, constraints, a project, a folder of links, another index: all in one real call."""
    index.add("by-index", "1.0")
    with WheelIndex(tmp_path / "links") as links:
        for name in ("by-list", "by-link"):
            for version in ("1.0", "2.0"):
                links.add(name, version)
    (tmp_path / "list.txt").write_text("by-list\n")
    (tmp_path / "limits.txt").write_text("by-list<2\n")
    project = write_project(tmp_path / "a project", "bypath")
    kernel.run(
        f"%cd -q {tmp_path}\n!pip install -q --no-build-isolation -r list.txt -c limits.txt "
        f"-e 'a project' -f links -i {index.url} by-link by-index"
    ).check()
    kernel.run("!uv pip uninstall -q bypath").check()
    install, _ = records()
    assert install.status == "ok"
    request = install.request
    paths = (f"-r {tmp_path}/list.txt", f"-c {tmp_path}/limits.txt", f"-e {project}")
    assert request.texts == (*paths, "by-link", "by-index")
    assert request.sources.index_url == index.url
    assert request.sources.find_links == (f"{tmp_path}/links",)
    assert install.outcome is not None
    added = {package.name: package.version for package in install.outcome.change.added}
    assert added == {"by-list": "1.0", "bypath": "1.0", "by-link": "2.0", "by-index": "1.0"}


def test_uv_add_is_recorded_for_the_project_it_is_of(
    kernel: Kernel,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    tmp_path: Path,
) -> None:
    """Not for the one that is active; and uv makes it, if there is none."""
    index.add("by-uv-add", "1.0")
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'mine'\nversion = '0'\nrequires-python = '>=3.8'\n"
    )
    result = kernel.run(f"%cd -q {tmp_path}\n!uv add -q by-uv-add").check()
    (record,) = records()
    assert record.status == "ok", result.shown
    # where it came from is the kernel's own setting
    from_there = Sources(index_url=index.url)
    assert record.request == Request("install", "pip", ("by-uv-add",), sources=from_there)
    assert record.environment.prefix == str(tmp_path / ".venv")
    assert record.outcome is not None
    assert [package.name for package in record.outcome.change.added] == ["by-uv-add"]


@pytest.mark.parametrize(
    ("cell", "typed"),
    [
        ("%%bash\n# a comment\nuv pip install  -q  typed", "uv pip install  -q  typed"),
        ("name = '-q ' + 'typed'\n!uv pip install $name", "uv pip install -q typed"),
    ],
)
def test_the_command_is_recorded_as_typed_or_where_it_was_computed_as_run(
    kernel: Kernel,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    cell: str,
    typed: str,
) -> None:
    index.add("typed", "1.0")
    kernel.run(cell).check()
    kernel.run("!uv pip uninstall -q typed").check()
    install, removal = records()
    assert install.commands == (typed,)
    assert removal.request == Request("remove", "pip", ("typed",))
    assert removal.outcome is not None
    assert [package.name for package in removal.outcome.change.removed] == ["typed"]


def test_an_upgrade_is_recorded_with_both_versions(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("moved", "1.0")
    kernel.run("!uv pip install -q moved").check()
    index.add("moved", "2.0")
    kernel.run("!uv pip install -q --upgrade moved").check()
    _, upgrade = records()
    assert upgrade.request.upgrade
    assert upgrade.outcome is not None
    ((old, new),) = upgrade.outcome.change.changed
    assert (old.version, new.version) == ("1.0", "2.0")


@pytest.mark.parametrize(
    "cell",
    [
        "!uv pip install -q no-such-thing",
        "!uv pip install -q no-such-thing 2>&1 | tail -1",
        "!uv pip install -q no-such-thing || true",
        "subprocess.run(['uv', 'pip', 'install', '-q', 'no-such-thing'])",
        "os.system('uv pip install -q no-such-thing')",
        "%%bash --no-raise-error\nuv pip install -q no-such-thing\necho done",
    ],
)
def test_a_failed_command_is_recorded_as_failed(
    kernel: Kernel, prefix: Path, records: Callable[[], list[Record]], cell: str
) -> None:
    result = kernel.run(cell).check()
    (record,) = records()
    assert record.status == "failed"
    assert record.environment.prefix == str(prefix)
    assert record.outcome is not None
    assert record.outcome.exit_status == 1
    assert not record.outcome.change
    assert len(told(result)) == 1
    assert "as failed" in told(result)[0]


def test_several_commands_of_one_script_are_told_apart(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("part-two", "1.0")
    index.add("part-one", "1.0", requires=["part-dependency"])
    index.add("part-dependency", "1.0")
    kernel.run(
        "%%bash\nuv pip install -q part-one\nuv pip install -q part-two\n"
        "uv pip install -q no-such-thing\nuv pip install -q part-two\n"
        "uv pip uninstall -q part-two\ntrue"
    ).check()
    found = records()
    assert len({record.transaction for record in found}) == 1
    assert [(record.request.texts[0], record.status) for record in found] == [
        ("part-one", "ok"),
        ("part-two", "ok"),
        ("no-such-thing", "failed"),
        ("part-two", "ok"),
        ("part-two", "ok"),
    ]
    added = [p.name for record in found if record.outcome for p in record.outcome.change.added]
    assert sorted(added) == ["part-dependency", "part-one"]


CONDAS = {
    "percent conda": "%conda install six={new}",
    "bang mamba by prefix": "!mamba install -y -p {prefix} six={new}",
    "bang micromamba, active": "!micromamba install -y six={new} -n captured",
    "bash cell": "%%bash\nconda install -y -n captured six={new}",
}


@pytest.mark.parametrize("way", CONDAS)
def test_each_way_to_run_a_conda_is_recorded_with_a_stand_in_for_the_program(
    kernel: Kernel, prefix: Path, records: Callable[[], list[Record]], way: str
) -> None:
    old, new = SIX if list(CONDAS).index(way) % 2 == 0 else SIX[::-1]
    if not list(prefix.glob(f"conda-meta/six-{old}-*")):
        kernel.run(f"!conda install --yes --name captured six={old}").check()
    known = len(records())
    result = kernel.run(CONDAS[way].format(new=new, prefix=prefix)).check()
    (record,) = records()[known:]
    assert record.status == "ok", result.shown
    assert record.request == Request("install", "conda", (f"six={new}",))
    assert record.environment.name == "captured"
    assert record.engine == next(
        name for name in ("micromamba", "mamba", "conda") if name in CONDAS[way]
    )
    assert record.outcome is not None
    ((before, after),) = record.outcome.change.changed
    assert (before.version, after.version) == (old, new)
    assert len(told(result)) == 1


@pytest.mark.apt
@pytest.mark.parametrize(
    ("install", "remove"),
    [
        (
            "%%bash\nset -e\nsudo apt-get -qq -y install {deb} > /dev/null",
            "subprocess.run(['sudo', 'apt-get', '-qq', 'remove', '-y', '{name}'], check=True)",
        ),
        ("!sudo dpkg -i {deb}", "!sudo apt remove -y {name}"),
    ],
)
def test_apt_is_recorded_for_the_system(
    kernel: Kernel,
    prefix: Path,
    records: Callable[[], list[Record]],
    tmp_path: Path,
    install: str,
    remove: str,
) -> None:
    name = "jstackmagic-test-captured"
    deb = build_deb(tmp_path, name)
    ours = Path(os.environ["APT_CONFIG"]).read_text()
    (tmp_path / "apt.conf").write_text(f'{ours}DPkg::Lock::Timeout "100";\n')
    kernel.run(f"os.environ['APT_CONFIG'] = {str(tmp_path / 'apt.conf')!r}").check()
    first = kernel.run(install.format(deb=deb), timeout=120).check()
    second = kernel.run(remove.format(name=name), timeout=120).check()
    installed, removed = records()
    assert installed.request == Request("install", "apt", (str(deb),))
    assert installed.environment.prefix == str(prefix)
    assert installed.engine in ("apt", "apt-get", "dpkg")
    assert installed.outcome is not None
    assert name in [package.name for package in installed.outcome.change.added]
    assert removed.request == Request("remove", "apt", (name,))
    assert removed.outcome is not None
    assert name in [package.name for package in removed.outcome.change.removed]
    assert [line.endswith("(system)") for line in told(first) + told(second)] == [True, True]


@pytest.mark.apt
@pytest.mark.skipif(os.geteuid() != 0, reason="sudo would reset the variables this needs")
@pytest.mark.parametrize("install", ["!apt-get install -y -qq {name}", "%envinstall apt:{name}"])
def test_a_package_of_an_added_source_is_exported_with_that_source(
    kernel: Kernel,
    records: Callable[[], list[Record]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    install: str,
) -> None:
    """E1: the base image lacks the source, so the export names its file."""
    name, added = "jstackmagic-test-tool", "/etc/apt/sources.list.d/jstackmagic-test.list"
    sources = tmp_path / added[1:]  # all who use apt on this machine would have it
    sources.parent.mkdir(parents=True)
    monkeypatch.setattr(_source, "added_sources", lambda: added_sources(tmp_path))
    repository = make_repository(tmp_path / "repository", build_deb(tmp_path, name))
    (tmp_path / "lists/partial").mkdir(parents=True)
    config = tmp_path / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{sources}";\nDir::Etc::sourceparts "-";\n'
        f'Dir::State::lists "{tmp_path}/lists";\nDir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\nAPT::Sandbox::User "root";\nDPkg::Lock::Timeout "100";\n'
    )
    before = f"os.environ['APT_CONFIG'] = {str(config)!r}"
    source = f'!echo "deb [trusted=yes] copy:{repository} ./" > {sources} && apt-get update -qq'
    try:
        kernel.run(f"{before}\n{source}", timeout=120).check()
        kernel.run(install.format(name=name), timeout=120).check()
        (installed,) = (record for record in records() if record.status == "ok")
        assert installed.request.texts == (name,)
        for words in (("dockerfile", "--from", "base:1"), ("binder",), ("script",)):
            notes = "\n".join(verb("export", *words).artifact.notes)
            assert added in notes
            assert f"copy:{repository}" in notes
    finally:
        kernel.run(f"!apt-get remove -y -qq {name}", timeout=120)


def test_a_lock_that_is_never_given_holds_no_cell(
    prefix: Path, index: WheelIndex, records: Callable[[], list[Record]], tmp_path: Path
) -> None:
    """F2: neither an idle cell nor a captured install hangs where flock(2) never returns."""
    index.add("without-lock", "1.0")
    variables = {**nolocks.environ(tmp_path, "hangs"), "PIP_INDEX_URL": index.url, **SPARING}
    del variables["PYTHONPATH"]  # the kernel has its own packages, not those of the tests
    with Kernel(prefix, cwd=tmp_path, environ=variables) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        kernel.run("1").check()
        kernel.run("%pip install -q without-lock").check()
        kernel.run("1").check()
    assert [(record.status, record.request.texts) for record in records()] == [
        ("ok", ("without-lock",))
    ]


def test_a_pip_of_the_servers_is_recorded_for_what_it_is_and_the_user_is_told(
    prefix: Path,
    server: Path,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    tmp_path: Path,
) -> None:
    index.add("misled", "1.0")
    environ = {
        "PATH": f"{server / 'bin'}:{os.environ['PATH']}",
        "PIP_INDEX_URL": index.url,
        **SPARING,
    }
    with Kernel(prefix, cwd=tmp_path, environ=environ) as kernel:
        # in the very cell that loads it
        result = kernel.run("%load_ext jstackmagic\n!pip install -q misled").check()
        again = kernel.run("!python3 -m pip install -q misled").check()
        meant = kernel.run(f"!{server}/bin/pip uninstall -q -y misled").check()
    install, removal = records()
    assert install.environment.prefix == str(server)
    assert install.outcome is not None
    assert [package.name for package in install.outcome.change.added] == ["misled"]
    (line,) = told(result)
    assert line == (
        "jstackmagic: pip install -q misled went to server: that pip is not this kernel's "
        "(captured); %envinstall misled reaches it"
    )
    assert len(told(again)) == 1, "it is said each time, though there was nothing to record"
    assert removal.environment.name == "server"
    assert "not this kernel's" not in told(meant)[0], "whoever names an environment means it"


def test_a_new_environment_is_recorded_as_it_was_made(
    kernel: Kernel, full_root: Root, records: Callable[[], list[Record]]
) -> None:
    kernel.run("!conda create --yes --name fresh demo-tool").check()
    kernel.run(f"!{full_root.prefix}/envs/fresh/bin/python -m pip --version").check()
    # what another test does with apt meanwhile may be found
    (record,) = (each for each in records() if each.request.manager == "conda")
    assert record.environment.name == "fresh"
    assert record.outcome is not None
    assert "demo-tool" in [package.name for package in record.outcome.change.added]


def test_what_is_there_already_is_recorded_once(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    first = kernel.run("%uv pip install -q traitlets").check()
    second = kernel.run("!uv pip install -q traitlets").check()
    (record,) = records()
    assert record.outcome is not None
    assert not record.outcome.change
    assert [package.name for package in record.outcome.resolved] == ["traitlets"]
    assert (len(told(first)), len(told(second))) == (1, 0)


def test_our_own_magics_are_not_captured_twice(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    for name in ("mixed-before", "mixed-ours", "mixed-after"):
        index.add(name, "1.0")
    kernel.run(
        "!uv pip install -q mixed-before\n%envinstall --pip mixed-ours\n"
        "!uv pip install -q mixed-after"
    ).check()
    kernel.run("1").check()
    found = records()
    assert [record.request.texts for record in found] == [
        ("mixed-before",),
        ("mixed-ours",),
        ("mixed-after",),
    ]
    for record in found:
        assert record.outcome is not None
        assert [p.name for p in record.outcome.change.added] == list(record.request.texts)


def test_a_program_that_is_not_waited_for_is_recorded_when_it_has_ended(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("behind", "1.0")
    kernel.run("process = subprocess.Popen(['uv', 'pip', 'install', '-q', 'behind'])").check()
    assert [record.status for record in records()] == ["running"]
    kernel.run("status = process.wait()").check()
    (record,) = records()
    assert record.status == "ok"
    assert record.outcome is not None
    assert [package.name for package in record.outcome.change.added] == ["behind"]


def test_a_script_that_cannot_be_read_is_found_with_its_command(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]], tmp_path: Path
) -> None:
    index.add("by-script", "1.0")
    script = tmp_path / "prepare"
    script.write_text("#!/bin/sh\nexec uv pip install -q by-script\n")
    script.chmod(0o755)
    result = kernel.run(f"!{script}").check()
    (record,) = records()
    assert record.status == "found"
    assert record.request == Request("install", "pip", ("by-script",))
    assert record.commands == (str(script),)
    assert "found by-script 1.0 installed" in told(result)[0]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("!R -e \"install.packages('forecast')\"", "conda:r-forecast"),
        ("!Rscript -e 'BiocManager::install(\"limma\")'", "conda:bioconductor-limma"),
        ("subprocess.run(['npm', 'install', '-g', 'x'], check=True)", "npm is not one of them"),
        ("!echo a a/b select true | sudo debconf-set-selections", "Debian's questions"),
    ],
)
def test_what_no_request_can_say_is_noted_once(
    kernel: Kernel, records: Callable[[], list[Record]], tmp_path: Path, cell: str, said: str
) -> None:
    for name in ("R", "Rscript", "npm", "debconf-set-selections"):
        (tmp_path / name).write_text("#!/bin/sh\ncat >/dev/null </dev/null\n")
        (tmp_path / name).chmod(0o755)
    kernel.run(f"before = os.environ['PATH']\nos.environ['PATH'] = '{tmp_path}:' + before").check()
    try:
        first = kernel.run(cell).check()
        second = kernel.run(cell).check()
    finally:
        kernel.run("os.environ['PATH'] = before").check()
    (record,) = records()
    assert record.status == "seen"
    assert said in record.notes[0]
    assert said in told(first)[0]
    assert not told(second)


@pytest.mark.parametrize(
    ("sets", "cell"),
    [
        ("", "!uv pip install -q --target {folder} by-folder"),
        ("os.environ['PIP_TARGET'] = '{folder}'", "!pip install -q by-folder"),
    ],
)
def test_an_install_into_a_folder_is_none_into_the_environment(
    kernel: Kernel,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    tmp_path: Path,
    sets: str,
    cell: str,
) -> None:
    index.add("by-folder", "1.0")
    folder = str(tmp_path / "folder")
    kernel.run(f"import os\n{sets.format(folder=folder)}").check()
    try:
        result = kernel.run(cell.format(folder=folder)).check()
    finally:
        kernel.run("os.environ.pop('PIP_TARGET', None)").check()
    assert Path(folder).is_dir()
    (record,) = records()
    assert record.status == "seen"
    assert "not into an environment" in record.notes[0]
    assert "not into an environment" in told(result)[0]


def test_one_that_changes_the_environment_is_found_and_not_noted(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]], tmp_path: Path
) -> None:
    index.add("by-mim", "1.0")
    (tmp_path / "mim").write_text("#!/bin/sh\nexec uv pip install -q by-mim\n")
    (tmp_path / "mim").chmod(0o755)
    kernel.run(f"!{tmp_path}/mim install by-mim").check()
    (record,) = records()
    assert record.status == "found"
    assert record.commands == (f"{tmp_path}/mim install by-mim",)


def test_a_command_that_only_the_shell_understands_is_recorded_with_what_it_did(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("by-variable", "1.0", requires=["along"])
    index.add("along", "1.0")
    install = f"pip install -q --extra-index-url {index.url} $WHAT"
    result = kernel.run(f"%%bash\nWHAT=by-variable\n{install}").check()
    (record,) = records()
    assert record.status == "ok"
    from_there = Sources(index_url=index.url, extra_index_urls=(index.url,))
    assert record.request == Request("install", "pip", ("by-variable",), sources=from_there)
    assert record.commands == (install,)
    assert record.outcome is not None
    assert len(record.outcome.change.added) == 2
    (line,) = told(result)
    assert line.startswith("jstackmagic: recorded pip install -q --extra-index-url ")


def test_pip_run_inside_the_kernel_is_recorded_and_what_the_text_has_beside_it_is_not(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("did-run", "1.0")
    kernel.run(
        "if False:\n    !pip install -q never-ran\n"
        "from pip._internal.cli.main import main\nstatus = main(['install', '-q', 'did-run'])"
    ).check()
    (record,) = records()
    assert record.status == "ok"
    assert record.request.texts == ("did-run",)
    assert record.outcome is not None
    assert [package.name for package in record.outcome.change.added] == ["did-run"]


def run_until(kernel: Kernel, done: Callable[[], bool]) -> Result:
    """Run a cell after the quiet that a find needs, again where the machine is too busy."""
    for _ in range(10):
        time.sleep(QUIET)
        result = kernel.run("1").check()
        if done():
            break
    return result


def test_what_another_program_did_is_found_at_the_next_cell(
    kernel: Kernel, prefix: Path, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    index.add("elsewhere", "1.0", requires=["elsewhere-dependency"])
    index.add("elsewhere-dependency", "1.0")
    kernel.run("from jstackmagic.capture import watcher\nwatcher.QUIET = 1e9").check()
    before = time.time()
    pip = [prefix / "bin" / "python", "-m", "pip"]  # uv marks all as asked for
    subprocess.run([*pip, "install", "-q", "--index-url", index.url, "elsewhere"], check=True)
    after = time.time()
    assert not told(kernel.run("1").check()), "it may still be going on"
    kernel.run(f"watcher.QUIET = {QUIET}").check()
    result = run_until(kernel, lambda: len(records()) == 1)
    (record,) = records()
    assert record.status == "found"
    assert record.request == Request("install", "pip", ("elsewhere",)), "the rest came along"
    assert record.outcome is not None
    assert len(record.outcome.change.added) == 2
    assert before - 1 <= _seconds(record.time) <= after + 1, "the time of the files"
    assert len(told(result)) == 1
    assert result.text == "1"
    uv("pip", "uninstall", "elsewhere", prefix=prefix)
    run_until(kernel, lambda: len(records()) == 2)
    assert records()[-1].request == Request("remove", "pip", ("elsewhere",))


def _seconds(moment: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def test_what_another_kernel_recorded_is_not_found_again(
    kernel: Kernel,
    prefix: Path,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    tmp_path: Path,
) -> None:
    index.add("by-the-other", "1.0")
    with Kernel(prefix, cwd=tmp_path, environ={"UV_INDEX_URL": index.url}) as other:
        other.run("%load_ext jstackmagic\n%uv pip install -q by-the-other").check()
    time.sleep(QUIET)
    assert not told(kernel.run("1").check())
    assert [record.status for record in records()] == ["ok"]


def test_a_replay_beside_a_kernel_is_told_of_and_not_found(
    shared_kernel: Kernel,
    prefix: Path,
    index: WheelIndex,
    records: Callable[[], list[Record]],
    history_file: Path,
    tmp_path: Path,
) -> None:
    index.add("comes-back", "1.0")
    verb("install", "--prefix", prefix, "--pip", "comes-back", "-i", index.url)
    uv("pip", "uninstall", "comes-back", prefix=prefix)
    history_file.write_text(re.sub(r'"time":"\d+', '"time":"2020', history_file.read_text()))
    Progress(history_file).at("pip, environment captured", 2, 2)
    with Kernel(prefix, cwd=tmp_path) as kernel:
        (line,) = told(kernel.run("%load_ext jstackmagic").check())
        assert "is being installed here (step 2 of 2: pip, environment captured)" in line
        assert not told(kernel.run("# pip: what is there is read now").check())
        verb("replay", "--prefix", prefix)  # in a process of its own, as the start-up hook's is
        lines = told(kernel.run("import comes_back").check())
        for _ in range(2):
            time.sleep(QUIET)
            lines += told(kernel.run("1").check())
        assert [line.partition(" in ")[0] for line in lines] == [
            "jstackmagic: Your history was replayed here"
        ]
        assert "replay" in kernel.run("%envinfo").check().shown
    assert [record.status for record in records()] == ["ok"]
    # what came behind the shared kernel is for it to find now, and not in the next test's history
    time.sleep(QUIET)
    shared_kernel.run("1").check()


def test_capture_can_be_switched_off_and_on(
    kernel: Kernel, index: WheelIndex, records: Callable[[], list[Record]]
) -> None:
    for name in ("unseen", "seen"):
        index.add(name, "1.0")
    assert "JStackMagic" in kernel.run("%config").check().stdout
    kernel.run("%config JStackMagic.capture = False").check()
    assert not told(kernel.run("!uv pip install -q unseen").check())
    kernel.run("%config JStackMagic.capture = True").check()
    time.sleep(QUIET)
    kernel.run("1").check()
    assert records() == []
    kernel.run("!uv pip install -q seen").check()
    assert [record.request.texts for record in records()] == [("seen",)]


def test_a_kernel_killed_in_the_middle_leaves_an_interrupted_record(
    prefix: Path, tmp_path: Path, records: Callable[[], list[Record]]
) -> None:
    project = tmp_path / "slow"
    project.mkdir()
    (project / "setup.py").write_text("import time\ntime.sleep(60)\n")
    with Kernel(prefix, cwd=tmp_path) as kernel:
        kernel.leave_in(tmp_path)
        kernel.run("%load_ext jstackmagic").check()
        kernel.start(f"%pip install --no-build-isolation {project}").wait_for("Processing")
        kernel.kill()
    (record,) = records()
    assert record.status == "interrupted"
    assert record.request.texts == (str(project),)


def test_an_interrupted_command_is_not_recorded_as_done(
    kernel: Kernel, records: Callable[[], list[Record]], tmp_path: Path
) -> None:
    project = tmp_path / "slow"
    project.mkdir()
    (project / "setup.py").write_text("import time\ntime.sleep(60)\n")
    cell = kernel.start(f"%pip install --no-build-isolation {project}")
    cell.wait_for("Processing")
    time.sleep(0.5)
    kernel.interrupt()
    result = cell.wait()
    (record,) = records()
    # IPython hangs up on a command that does not end at once; pip may end before, by itself
    assert record.status in ("interrupted", "failed")
    assert f"as {record.status} (captured)" in told(result)[0]


def test_in_terminal_ipython_too(
    prefix: Path, index: WheelIndex, tmp_path: Path, records: Callable[[], list[Record]]
) -> None:
    index.add("typed-in-terminal", "1.0")
    done = subprocess.run(
        [prefix / "bin/python", "-m", "IPython", "--simple-prompt", "--no-banner"],
        input="%load_ext jstackmagic\n!{__import__('sys').executable} -m uv pip install -q"
        " typed-in-terminal\n!python -c 'import this_is_no_install'\n",
        env={**os.environ, "UV_INDEX_URL": index.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    (record,) = records()
    assert record.status == "ok"
    assert record.environment.name == "captured"
    assert done.stdout.count("jstackmagic: recorded") == 1


def test_the_last_command_of_a_script_is_recorded(
    prefix: Path, index: WheelIndex, tmp_path: Path, records: Callable[[], list[Record]]
) -> None:
    """IPython runs a script's cells silently: no cell comes after the last one, or ends."""
    index.add("last-of-all", "1.0")
    script = tmp_path / "cells.ipy"
    script.write_text(
        "%load_ext jstackmagic\nimport subprocess, sys\n"
        "uv = [sys.executable, '-m', 'uv']\n"
        "done = subprocess.run([*uv, 'pip', 'install', '-q', 'last-of-all'])\n"
    )
    subprocess.run(
        [prefix / "bin/python", "-m", "IPython", "--no-banner", script],
        env={**os.environ, "UV_INDEX_URL": index.url},
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    (record,) = records()
    assert record.status == "ok"
    assert record.outcome is not None
    assert [package.name for package in record.outcome.change.added] == ["last-of-all"]


def test_what_goes_wrong_in_capture_is_told_once_and_breaks_nothing(
    prefix: Path, index: WheelIndex, tmp_path: Path
) -> None:
    index.add("all-the-same", "1.0")
    environ = {"UV_INDEX_URL": index.url, "JSTACKMAGIC_HISTORY": "/proc/no/history.jsonl"}
    with Kernel(prefix, cwd=tmp_path, environ=environ) as kernel:
        kernel.run("%load_ext jstackmagic").check()
        first = kernel.run("%uv pip install -q all-the-same").check()
        second = kernel.run("%uv pip uninstall -q all-the-same").check()
        kernel.run("import all_the_same")
    assert "cannot all be recorded" in first.stderr
    assert len(first.stderr.strip().splitlines()) == 1
    assert "jstackmagic" not in second.shown


def test_credentials_reach_neither_the_record_nor_the_line(
    kernel: Kernel, tmp_path: Path, history_file: Path
) -> None:
    with WheelIndex(tmp_path / "private", user="me", password="s3cret-token") as private:
        private.add("hidden", "1.0")
        url = private.url_with_credentials
        result = kernel.run(f"!uv pip install -q hidden --index-url {url}").check()
    assert "s3cret-token" not in history_file.read_text()
    assert "s3cret-token" not in result.shown
    assert "****" in history_file.read_text()


def test_unloading_leaves_nothing_behind(prefix: Path, tmp_path: Path) -> None:
    with Kernel(prefix, cwd=tmp_path) as kernel:
        kernel.run(
            "import os, pty, subprocess, ipykernel.zmqshell as zmqshell\n"
            "def starters():\n"
            "    return [os.system, os.posix_spawn, os.posix_spawnp, pty.spawn, zmqshell.system,\n"
            "            subprocess.Popen.__init__]\n"
            "shell = get_ipython()\n"
            "def type_name(thing):\n    return type(thing).__name__\n"
            "def state():\n"
            "    return starters(), 'JStackMagic' in map(type_name, shell.configurables), {\n"
            "        name: list(each) for name, each in shell.events.callbacks.items()}\n"
            "before = state()"
        ).check()
        kernel.run("%load_ext jstackmagic").check()
        assert kernel.run("state() == before").check().text == "False"
        kernel.run("%reload_ext jstackmagic\n%unload_ext jstackmagic").check()
        assert kernel.run("state() == before").check().text == "True"


# Which environment a command reaches


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("pip install six", False),
        ("pip3 install six", False),
        ("python -m pip install six", False),
        ("python3 -m pip uninstall -y six", False),
        ("uv pip install six", False),
        ("{prefix}/bin/pip install six", True),
        ("'{prefix}/bin/python' -m pip install six", True),
        (". '{prefix}/bin/activate' && pip install six", True),
        ("uv pip install --python '{prefix}' six", True),
    ],
)
def test_a_command_reaches_the_environment_its_words_and_path_tell(
    places: Places, tmp_path: Path, command: str, said: bool
) -> None:
    venv = make_venv(tmp_path / ("venv" if command.startswith("{") else "a venv"))
    shutil.copy(venv / "bin/pip", venv / "bin/pip3")
    environ = {"PATH": f"{venv / 'bin'}:{os.environ['PATH']}"}
    if command.startswith("uv"):
        environ["VIRTUAL_ENV"] = str(venv)
    (found,) = recognise(command.format(prefix=venv), folder=str(tmp_path))
    place = places.reached(found, folder=str(tmp_path), environ=environ)
    assert place is not None
    assert place.environment.prefix == str(venv)
    assert is_said(found) == said


@pytest.mark.parametrize("command", ["pip install six", "python -m pip install six"])
def test_a_launcher_is_asked_where_it_goes(places: Places, tmp_path: Path, command: str) -> None:
    """As pyenv's and asdf's, whose scripts are a shell's and choose by folder and variables."""
    venv = make_venv(tmp_path / "venv")
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("pip", "python"):
        (shims / name).write_text(f'#!/usr/bin/env bash\nexec "$CHOSEN/bin/{name}" "$@"\n')
        (shims / name).chmod(0o755)
    environ = {"PATH": f"{shims}:{os.environ['PATH']}", "CHOSEN": str(venv)}
    (found,) = recognise(command)
    place = places.reached(found, folder=str(tmp_path), environ=environ)
    assert place is not None
    assert place.environment.prefix == str(venv)


def test_a_conda_reaches_what_is_active_or_else_its_base(places: Places, conda_root: Root) -> None:
    other = conda_root.create("other", "python")
    conda_root.stand_in("conda")
    environ = {"PATH": f"{conda_root.prefix / 'condabin'}:{os.environ['PATH']}"}
    (found,) = recognise("conda install six")
    for variables, prefix in (({}, conda_root.prefix), ({"CONDA_PREFIX": str(other)}, other)):
        place = places.reached(found, folder="/", environ={**environ, **variables})
        assert place is not None
        assert place.environment.prefix == str(prefix)


def test_the_nearest_virtual_environment_is_uvs(places: Places, tmp_path: Path) -> None:
    venv = make_venv(tmp_path / ".venv", pip=False)
    inner = tmp_path / "project" / "src"
    inner.mkdir(parents=True)
    (found,) = recognise("uv add six")
    place = places.reached(found, folder=str(inner), environ={"PATH": os.environ["PATH"]})
    assert place is not None
    assert place.environment.prefix == str(venv)


def test_a_command_that_is_not_there_reaches_nothing(places: Places) -> None:
    for command in ("pip install six", "conda install six", "python -m pip install six"):
        (found,) = recognise(command)
        assert places.reached(found, folder="/", environ={"PATH": "/nowhere"}) is None


# Which command made which change


def packages(*names: str, manager: str = "pip", version: str = "1.0") -> tuple[Package, ...]:
    return tuple(Package(manager, name, version) for name in names)  # type: ignore[arg-type]


def test_a_change_is_shared_by_name_and_the_rest_goes_to_who_came_last() -> None:
    old, new = packages("moved"), packages("moved", version="2.0")
    change = Change(
        added=(*packages("a", "b", "dependency"), *packages("tool", manager="apt")),
        changed=((old[0], new[0]),),
        removed=packages("gone"),
    )
    requests = [
        Request("install", "pip", ("A==1.0", "moved>1")),
        Request("remove", "pip", ("gone",)),
        Request("install", "apt", ("tool",)),
        Request("install", "pip", ("b",)),
    ]
    parts = share(change, requests)
    assert parts == [
        Change(added=packages("a"), changed=((old[0], new[0]),)),
        Change(removed=packages("gone")),
        Change(added=packages("tool", manager="apt")),
        Change(added=packages("b", "dependency")),
    ]


@pytest.mark.parametrize(
    ("action", "manager", "spec", "served"),
    [
        ("install", "pip", "Six", True),
        ("install", "pip", "six>=1.16,<2", True),
        ("install", "pip", "six==2", False),
        ("install", "pip", "other", False),
        ("install", "pip", "by-conda", True),
        ("install", "pip", "/w/six-2.0-py3-none-any.whl", True),
        ("install", "conda", "by-conda=1", True),
        ("install", "conda", "by-conda=1.1", False),
        ("install", "conda", "by-conda==1.16.0", True),
        ("install", "conda", "by-conda=1.16.0=py_0", True),
        ("install", "conda", "six", False),
        ("install", "apt", "tool=1.16.0", True),
        ("install", "apt", "tool=2", False),
        ("remove", "pip", "six", False),
        ("remove", "pip", "other", True),
    ],
)
def test_whether_a_request_has_what_it_wants(
    action: str, manager: str, spec: str, served: bool
) -> None:
    there = PackageSet(
        (
            Package("pip", "six", "1.16.0"),
            Package("conda", "by-conda", "1.16.0"),
            Package("apt", "tool", "1.16.0"),
        )
    )
    request = Request(action, manager, (spec,))  # type: ignore[arg-type]
    assert is_served(request, there) == served


def test_what_somebody_must_have_asked_for() -> None:
    asked = Package("pip", "asked", "1.0", requested=True)
    direct = Package("pip", "direct", "1.0", source="https://example.org/d.whl", requested=True)
    project = Package("pip", "mine", "0", source="file:///w/a%20b", requested=True, editable=True)
    change = Change(
        added=(asked, direct, project, *packages("along"), *packages("tool", manager="apt")),
        removed=packages("gone", manager="conda"),
    )
    found = [request for request, _ in requests_behind(change)]
    assert found == [
        Request("install", "apt", ("tool",)),
        Request("remove", "conda", ("gone",)),
        Request("install", "pip", ("asked", "direct @ https://example.org/d.whl", "-e /w/a b")),
    ]
    parts = [part for _, part in requests_behind(change)]
    assert sum((part.added for part in parts), ()) == (
        *packages("tool", manager="apt"),
        asked,
        direct,
        project,
        *packages("along"),
    )


def test_what_others_have_told_is_left_out() -> None:
    old, new = packages("moved"), packages("moved", version="2.0")
    change = Change(
        added=packages("a", "b"), changed=((old[0], new[0]),), removed=packages("c", "d")
    )
    told_before = [
        Change(added=(*packages("a"), *new)),
        Change(removed=packages("c")),
    ]
    assert without(change, told_before) == Change(added=packages("b"), removed=packages("d"))


# The taps


class Recorder:
    """Listens, and keeps what it hears."""

    def __init__(self) -> None:
        self.starts: list[taps.Start] = []
        self.results: list[int | taps.Handle] = []

    def begins(self, start: taps.Start) -> object:
        self.starts.append(start)
        return start

    def went(self, token: object, result: int | taps.Handle) -> None:
        assert token is self.starts[-1]
        self.results.append(result)


@pytest.fixture
def heard() -> Iterator[Recorder]:
    recorder = Recorder()
    tapped = taps.Taps(recorder)
    tapped.open()
    yield recorder
    tapped.close()


def test_every_start_is_heard_once_with_its_words_folder_and_variables(
    heard: Recorder, tmp_path: Path
) -> None:
    subprocess.run(["true", "a b"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, check=True)
    subprocess.run("exit 3", shell=True, check=False)
    subprocess.run(["exit 3; true", "argument of the shell"], shell=True, check=False)
    subprocess.run("true", close_fds=False, check=True)  # by posix_spawn, where that can be
    subprocess.Popen(args=[b"true"]).wait()
    os.system("exit 4")
    assert [(start.text, start.words) for start in heard.starts] == [
        ("true 'a b'", ("true", "a b")),
        ("exit 3", None),
        ("exit 3; true", None),
        ("true", ("true",)),
        ("true", ("true",)),
        ("exit 4", None),
    ]
    assert heard.starts[0].folder == str(tmp_path)
    assert heard.starts[0].environ == {"PATH": "/usr/bin:/bin"}
    assert heard.starts[1].folder == os.getcwd()
    handles = [result for result in heard.results if isinstance(result, taps.Handle)]
    assert [handle.look() for handle in handles] == [(True, status) for status in (0, 3, 3, 0, 0)]
    assert heard.results[-1] == 4


def test_what_cannot_be_started_fails_as_without_us(heard: Recorder) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.run(["/no/such/program"], check=False)
    with pytest.raises(TypeError):
        subprocess.Popen(bufsize=1)  # type: ignore[call-overload]
    assert heard.results == [127]


def test_looking_at_a_program_takes_its_status_from_nobody() -> None:
    process = subprocess.Popen(["sh", "-c", "sleep 0.2; exit 5"])
    handle = taps.Handle(process.pid)
    assert handle.look() == (False, None)
    deadline = time.monotonic() + 60
    while not handle.look()[0]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert handle.look() == (True, 5)
    assert process.wait() == 5
    assert handle.look() == (True, None), "nobody can tell any more"
    assert taps.Handle(process.pid, process).look() == (True, 5)


def test_taps_that_somebody_else_wrapped_are_left_and_silent() -> None:
    recorder = Recorder()
    tapped = taps.Taps(recorder)
    original = os.system
    tapped.open()
    ours = os.system
    try:
        os.system = lambda command: ours(command)
        tapped.close()
        assert os.system is not original
        assert os.system("true") == 0
        assert recorder.starts == []
    finally:
        os.system = original


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_its_lines_are_written_in_every_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first magic, which takes every letter, and with no word on what cannot be."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    recorder._say("recorded ünknown … → six")
    line = written.getvalue().decode(encoding)
    assert line.startswith("jstackmagic: recorded ")
    assert line.endswith(" six\n")
