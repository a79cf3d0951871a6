"""What every test stands on: an isolated home, and the real parts of `support` as fixtures."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import re
import shutil
import signal
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from uv import find_uv_bin

from support import cache, dpkg, engine, ours, stacks, tiers
from support.acceptance import make as make_acceptance
from support.channel import Unfeasible
from support.environments import Root, create_environment, make_root, make_venv, share_bytecode, uv
from support.machine import Unavailable, has_sudo
from support.wheels import WheelIndex
from support.workers import ByModule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import DockerClient
    from playwright.sync_api import BrowserContext, Page
    from xdist.remote import Producer

    from support.acceptance import Acceptance
    from support.standin_conda import StandIn
    from support.tiers import Channel

# a slow machine is no bug, and a run is to be repeatable: the same examples each time
settings.register_profile("jstackmagic", deadline=None, derandomize=True, max_examples=15)
settings.load_profile("jstackmagic")

# a background job's are ignored, and Python leaves it so: as in the foreground, for all children
signal.signal(signal.SIGINT, signal.default_int_handler)
for _number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_number, signal.SIG_DFL)

# Isolation

_FOREIGN = (
    *("CONDA_", "MAMBA_", "PIXI_", "PIP_", "UV_", "VIRTUAL_ENV", "PYTHON", "XDG_"),
    *("JSTACKMAGIC_", "IPYTHON", "JUPYTER", "NB_", "GRANT_SUDO", "DOCKER_STACKS_"),
)
"""Beginnings of variables that would change what a test sees."""

_KEPT = {
    *("PIP_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL", "PIP_PROXY", "PIP_TRUSTED_HOST"),
    *("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
}
"""How the package index is reached from here."""


@pytest.fixture(scope="session", autouse=True)
def _session_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hides the user's home and settings for the whole run; downloads alone are still shared."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_FOREIGN) and name not in _KEPT:
                patch.delenv(name)
        patch.setenv(cache.VARIABLE, str(cache.ROOT))
        patch.setenv("UV_CACHE_DIR", cache.output(find_uv_bin(), "cache", "dir"))
        patch.setenv("PIP_CACHE_DIR", str(cache.ROOT / "pip"))
        patch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        # pip asks a rustc that it finds for its version, at each run
        folders = [
            f for f in os.environ["PATH"].split(os.pathsep) if not shutil.which("rustc", path=f)
        ]
        patch.setenv("PATH", os.pathsep.join(folders))
        patch.setenv("APT_CONFIG", str(dpkg.apt_config(tmp_path_factory.mktemp("apt"))))
        _set_home(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def home(
    _session_environ: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """An empty home folder of this test's own."""
    home = tmp_path_factory.mktemp("home")
    _set_home(monkeypatch, home)
    return home


def _set_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    patch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    patch.setenv("XDG_CONFIG_DIRS", str(home / "etc/xdg"))  # pip reads the machine's settings there
    patch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
    patch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    patch.setenv("CONDARC", str(home / ".condarc"))
    patch.setenv("JSTACKMAGIC_HISTORY", str(home / "history.jsonl"))


@pytest.fixture
def history_file(home: Path) -> Path:
    """The history file that $JSTACKMAGIC_HISTORY names; it does not exist yet."""
    return Path(os.environ["JSTACKMAGIC_HISTORY"])


# Channels


@pytest.fixture(scope="session")
def shim_channel(_session_environ: None) -> Channel:
    """A channel whose Python is a link to the running one: environments in a tenth of a second."""
    return tiers.shim()


@pytest.fixture(scope="session")
def full_channel(_session_environ: None) -> Channel:
    """A channel whose Python is a copy of the running one and hosts a kernel."""
    try:
        return tiers.full()
    except Unfeasible as reason:
        pytest.skip(str(reason))


# Environments


@pytest.fixture
def conda_env(shim_channel: Channel, tmp_path: Path) -> Callable[..., Path]:
    """Makes conda environments: `conda_env("python", "six")` returns the prefix.

    Keywords: `name` (of the folder), `channel` (the shim channel unless given).
    """
    numbers = count(1)

    def make(*specs: str, name: str = "", channel: Channel = shim_channel) -> Path:
        prefix = tmp_path / (name or f"environment{next(numbers)}")
        return create_environment(prefix, *specs, channels=[channel.url], packages=channel.packages)

    return make


@pytest.fixture
def conda_root(shim_channel: Channel, tmp_path: Path) -> Root:
    """A conda root without a conda executable; its base has a shim of Python."""
    return make_root(tmp_path / "root", "python", channels=[shim_channel.url])


@pytest.fixture
def recording_conda(conda_root: Root) -> StandIn:
    """A recording stand-in for conda, where `conda_root`'s executable would be."""
    return conda_root.stand_in("conda")


@pytest.fixture(scope="session")
def full_root(full_channel: Channel, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A conda root of full Pythons, for the whole run; make environments in it, leave its base."""
    return make_root(
        tmp_path_factory.mktemp("full") / "root", "python", "pip", channels=[full_channel.url]
    )


@pytest.fixture(scope="session")
def jstackmagic_wheel(_session_environ: None) -> Path:
    """This repository as a wheel."""
    return ours.wheel()


@pytest.fixture(scope="session")
def make_kernel_env(full_root: Root, jstackmagic_wheel: Path) -> Callable[..., Path]:
    """Makes named environments that host a kernel with jstackmagic in it, for tests that change
    them: `make_kernel_env("one", "six")` returns the prefix."""

    def make(name: str, *specs: str) -> Path:
        prefix = full_root.create(name, "python", "ipykernel", "pip", *specs)
        uv("pip", "install", f"{jstackmagic_wheel}[all]", prefix=prefix)
        share_bytecode(prefix)
        return prefix

    return make


@pytest.fixture(scope="session")
def kernel_env(make_kernel_env: Callable[..., Path]) -> Path:
    """The prefix of a named environment, never activated, whose kernel has jstackmagic. It is one
    for the whole run: a test that changes it makes its own with `make_kernel_env`."""
    return make_kernel_env("analysis")


@pytest.fixture(scope="session")
def make_ipython_env(
    jstackmagic_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Virtual environments with jstackmagic, a kernel and one IPython: `make_ipython_env("<9")`
    returns the prefix. Each is one for the whole run: a test undoes what it changes there."""

    @functools.cache
    def make(version: str) -> Path:
        prefix = make_venv(tmp_path_factory.mktemp("ipython") / f"with ipython {version[-1]}")
        wheel = f"{jstackmagic_wheel}[all]"
        uv("pip", "install", wheel, "ipykernel", f"ipython{version}", prefix=prefix)
        share_bytecode(prefix)
        return prefix

    return make


# Packages


@pytest.fixture
def wheel_index(tmp_path: Path) -> Iterator[WheelIndex]:
    """A package index on the loopback address, empty at first."""
    with WheelIndex(tmp_path / "wheels") as index:
        yield index


# Histories


@pytest.fixture(scope="session")
def acceptance(
    shim_channel: Channel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Acceptance]:
    """A real history with all that an export may meet; read it and leave it as it is."""
    made, indexes = make_acceptance(tmp_path_factory.mktemp("acceptance"), shim_channel)
    yield made
    for index in indexes:
        index.stop()


# Docker


@pytest.fixture(scope="session")
def docker_engine(_session_environ: None) -> Iterator[DockerClient]:
    """A real engine: the one that DOCKER_HOST names, or a private one, stopped at the end."""
    try:
        with engine.engine() as client:
            yield client
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def stacks_image(docker_engine: DockerClient, full_channel: Channel) -> str:
    """The tag of a stand-in for an image of the Docker Stacks."""
    try:
        return stacks.image(docker_engine)
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def jstackmagic_image(
    docker_engine: DockerClient, stacks_image: str, jstackmagic_wheel: Path
) -> str:
    """The same with jstackmagic in its base environment."""
    return stacks.image_with(docker_engine, stacks_image, jstackmagic_wheel)


@pytest.fixture
def docker_host(docker_engine: DockerClient, monkeypatch: pytest.MonkeyPatch) -> DockerClient:
    """The engine, where a program looks for it."""
    monkeypatch.setenv("DOCKER_HOST", engine.host())
    return docker_engine


# Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[BrowserContext]:
    """A Chromium."""
    from support.browser import chromium

    try:
        with chromium() as context:
            yield context
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def page(browser: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The browser's page, as the test before left it; a picture of what it shows is kept."""
    from support import pictures
    from support.browser import SIZE

    page = browser.pages[0]
    page.set_viewport_size(SIZE)
    yield page
    pictures.take(page, f"end-of-{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}")


# Several workers


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    return ByModule(config, log)


# Options and markers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        default="3",
        metavar="N",
        help="at how many calls an operation gets a fault in tests/faults, or: all",
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is collected stays to the end: Python need not look through it for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


_TOO_LATE = pytest.StashKey[TimeoutError]()
_INSTALLED = pytest.StashKey[Path]()


def pytest_sessionstart(session: pytest.Session) -> None:
    folder = TemporaryDirectory(prefix="installed-")
    session.config.add_cleanup(folder.cleanup)
    with dpkg.turn(alone=False, name="what is installed"):  # another run may be at dpkg
        session.stash[_INSTALLED] = dpkg.copied(Path(folder.name))


@pytest.hookimpl(wrapper=True, tryfirst=True)  # pytest-timeout's clock begins after the wait
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """A test that looks at dpkg runs while nobody changes what it sees there; all others see what
    was installed when the run began, as they would find and record what tests do beside them."""
    changes, looks = item.get_closest_marker("apt"), item.get_closest_marker("dpkg")
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if changes or looks:
            alone = bool(changes or looks.kwargs.get("changes"))
            try:
                stack.enter_context(dpkg.turn(alone=alone, name=item.nodeid))
            except TimeoutError as error:
                item.stash[_TOO_LATE] = error
        else:
            patch.setenv("DPKG_ADMINDIR", str(item.session.stash[_INSTALLED]))
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if _TOO_LATE in item.stash:
        raise item.stash[_TOO_LATE]
    if item.get_closest_marker("apt"):
        reason = _why_no_apt()
        if reason:
            pytest.skip(reason)


def _why_no_apt() -> str | None:
    if shutil.which("apt-get") is None:
        return "there is no apt-get"
    return None if has_sudo() else "apt-get needs root, or sudo without a password"
