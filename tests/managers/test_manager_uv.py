"""uv in pip's place: real wheels, real indexes, real environments, and pip beside it."""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.display.console import PlainConsole
from jstackmagic.managers import EngineOptions, choose, engine
from jstackmagic.managers.pip.uv import terms as _uvterms
from jstackmagic.model.engines import Engines
from jstackmagic.model.errors import CommandFailed, Stopped
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from support import tiers
from support.environments import make_uv_venv, make_venv
from support.verbs import verb
from support.wheels import WheelIndex, build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from jstackmagic.model.environment import Environment
    from jstackmagic.model.packages import Change
    from jstackmagic.model.plan import Plan

LIBRARY = f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
UV, PIP = Engines(pip="uv"), Engines(pip="pip")


def install(*specs: str, **details: Any) -> Request:
    return Request(action="install", manager="pip", specs=specs, **details)


def carry_out(
    request: Request, environment: Environment, engines: Engines = UV
) -> tuple[Plan, Change, str]:
    """Plans and runs; returns what was planned, what was seen on disk and what was shown."""
    manager = engine(choose("pip", environment, engines, request))
    plan = manager.plan(request, environment)
    words: list[str] = []
    before = read_packages(environment, ("conda", "pip"))
    assert manager.run(plan, PlainConsole(words.append)) == 0, "".join(words)
    change = read_packages(environment, ("conda", "pip")) - before
    return plan, manager.explain(plan, change), "".join(words)


def versions(environment: Environment) -> dict[str, str]:
    there = read_packages(environment, ("pip",)).packages
    return {package.name: package.version for package in there if package.name != "pip"}


@pytest.fixture
def bare(tmp_path: Path) -> Environment:
    """A virtual environment without pip."""
    return detect(make_uv_venv(tmp_path / "bare"))


@pytest.fixture
def venv(tmp_path: Path) -> Environment:
    return detect(make_venv(tmp_path / "a venv"))


@pytest.fixture
def index(wheel_index: WheelIndex) -> WheelIndex:
    """Serves two versions of app, which needs library, of which there are two as well."""
    for version in ("1.0", "2.0"):
        wheel_index.add("app", version, requires=["library>=1"])
        wheel_index.add("library", version)
    return wheel_index


@pytest.fixture
def other_index(tmp_path: Path) -> Iterator[WheelIndex]:
    with WheelIndex(tmp_path / "other wheels") as index:
        yield index


# Without pip


def test_an_environment_without_pip(bare: Environment, index: WheelIndex) -> None:
    plan, change, words = carry_out(
        install("app==1.0", sources=Sources(index_url=index.url)), bare, Engines()
    )
    assert plan.engine == "uv"
    assert [str(command) for command in plan.commands] == [
        f"{bare.executable} -m pip install --index-url {index.url} app==1.0"
    ]
    assert versions(bare) == {"app": "1.0", "library": "2.0"}
    assert plan.change is not None
    assert [(p.name, p.version) for p in plan.change.added] == [("app", "1.0"), ("library", "2.0")]
    for package in change.added:
        assert package.source == index.url
        assert package.url.startswith(f"http://127.0.0.1:{index.port}/files/{package.name}-")
        assert len(package.sha256) == 64
    assert [package.requested for package in change.added] == [True, False]
    assert "Installed" in words
    assert "\r" not in words
    verb("remove", "--prefix", bare.prefix, "--pip", "app")
    assert versions(bare) == {"library": "2.0"}
    removal = Session().history.records()[-1]
    assert (removal.engine, removal.status) == ("uv", "ok")
    assert removal.commands[0].endswith("-m pip uninstall --yes app")


def test_uv_puts_pip_there_for_what_only_pip_does(bare: Environment, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="has no pip") as caught:
        verb("install", "--prefix", bare.prefix, "-e", tmp_path)
    assert f"%envinstall --prefix {bare.prefix} --pip pip" in caught.value.advice[0]


def test_what_lies_on_disk_is_what_pip_writes(
    venv: Environment, tmp_path: Path, index: WheelIndex
) -> None:
    twin = detect(make_venv(tmp_path / "twin"))
    local = build_wheel(tmp_path / "local", "local", "1.0", requires=["library"])
    request = install("app", str(local), sources=Sources(index_url=index.url))
    for target, engines in ((venv, UV), (twin, PIP)):
        carry_out(request, target, engines)

    def files(target: Environment) -> dict[str, str]:
        found = {}
        for path in Path(target.prefix, LIBRARY).glob("*.dist-info/*"):
            if not path.parent.name.startswith("pip-") and path.is_file():
                found[f"{path.parent.name}/{path.name}"] = path.read_text().replace(" ", "")
        return found

    ours, theirs = files(venv), files(twin)
    assert ours.keys() - theirs.keys() == {"local-1.0.dist-info/uv_cache.json"}
    for name, text in theirs.items():
        if name.endswith("/RECORD"):  # pip compiles, and both hash INSTALLER
            lines = [line for line in text.splitlines() if ".pyc" not in line]
            listed = {line.split(",")[0] for line in ours[name].splitlines()}
            assert {name for name in listed if not name.endswith("uv_cache.json")} == {
                line.split(",")[0] for line in lines
            }
        elif name.endswith("/INSTALLER"):
            assert (ours[name].strip(), text.strip()) == ("uv", "pip")
        elif name.endswith("/direct_url.json"):
            assert local.as_uri() in ours[name]
            assert local.as_uri() in text
        else:
            assert ours[name] == text, name


def test_the_wheel_that_was_taken_is_told_from_its_brothers(
    bare: Environment, index: WheelIndex
) -> None:
    minor = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    index.add("tagged", "1.0")
    index.add("tagged", "1.0", tag=f"{minor}-none-any")
    index.add("tagged", "1.0", tag="py2-none-any")
    request = install("tagged", sources=Sources(index_url=index.url))
    manager = engine(choose("pip", bare, UV, request), EngineOptions(exact=True))
    plan = manager.plan(request, bare)
    assert plan.change is not None
    (planned,) = plan.change.added
    assert planned.url.endswith(f"tagged-1.0-{minor}-none-any.whl")
    _, change, _ = carry_out(request, bare)
    assert (change.added[0].url, change.added[0].sha256) == (planned.url, planned.sha256)


# As pip does it


def test_an_upgrade_moves_what_is_named_and_no_more(
    venv: Environment, tmp_path: Path, index: WheelIndex
) -> None:
    twin = detect(make_venv(tmp_path / "twin"))
    old = install("app==1.0", "library==1.0", sources=Sources(index_url=index.url))
    new = install("app", upgrade=True, sources=Sources(index_url=index.url))
    for target, engines in ((venv, UV), (twin, PIP)):
        carry_out(old, target, engines)
        carry_out(new, target, engines)
    assert versions(venv) == versions(twin) == {"app": "2.0", "library": "1.0"}


def test_the_best_version_of_all_indexes(
    bare: Environment, index: WheelIndex, other_index: WheelIndex
) -> None:
    other_index.add("app", "3.0")
    request = install(
        "app", sources=Sources(index_url=index.url, extra_index_urls=(other_index.url,))
    )
    carry_out(request, bare)
    assert versions(bare)["app"] == "3.0"


def test_pips_own_configuration_is_handed_on(
    bare: Environment,
    index: WheelIndex,
    other_index: WheelIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The site's mirror is asked, with its password, and nothing else; nobody sees the password."""
    index.user, index.password = "me", "s3cret"
    other_index.add("app", "9")
    url = index.url.replace("//", "//me:s3cret@")
    caps = tmp_path / "caps.txt"
    caps.write_text("library<2\n")
    Path(bare.prefix, "pip.conf").write_text(f"[global]\nindex-url = {url}\nconstraint = {caps}\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", other_index.url)
    monkeypatch.setenv("UV_INDEX", other_index.url)
    (tmp_path / "uv.toml").write_text(f'index-url = "{other_index.url}"\n')
    monkeypatch.chdir(tmp_path)
    plan, change, words = carry_out(install("app"), bare, Engines())
    assert plan.engine == "uv"
    assert versions(bare) == {"app": "2.0", "library": "1.0"}
    assert other_index.requests == []
    assert all(f"127.0.0.1:{index.port}" in package.url for package in change.added)
    told = words + repr(change) + repr(plan.commands) + repr([each.argv for each in plan.detail])  # type: ignore[attr-defined]
    assert "s3cret" not in told
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", f"/no/such/folder {index.folder}")
    index.stop()
    carry_out(install("app==1.0", options=("--force-reinstall",)), bare)
    assert versions(bare)["app"] == "1.0"


SERVED: list[Request] = [
    install("six", "numpy>=1.20 ; python_version > '3'", "pandas[test]"),
    install("x @ https://host.example/x-1-py3-none-any.whl#sha256=abc"),
    install("https://host.example/x-1-py3-none-any.whl"),
    install("six", upgrade=True, options=("--pre", "--no-deps")),
    install("six", options=("--no-index", "--find-links", "/there", "--only-binary=:all:")),
    install("six==1.17.0 --hash=sha256:00"),
    install(
        "six",
        sources=Sources(index_url="http://a.example"),
        options=("--trusted-host", "a.example"),
    ),
]

LEFT: list[tuple[Request, str]] = [
    (install("-e /project"), "a project to edit"),
    (install("/project"), "is to be built"),
    (install("git+https://host.example/repository"), "is to be built"),
    (install("x @ https://host.example/x-1.tar.gz"), "is to be built"),
    (install("six===1.0"), "compares versions as text"),
    (install("pytz==2004d-1-x"), "older than PEP 440"),
    (install("six", options=("--user",)), "--user is an option for pip"),
    (install("six", options=("--target", "/there")), "--target is an option for pip"),
    (install("six", options=("--config-settings=a=b",)), "is an option for pip"),
    (install("six", sources=Sources(index_url="http://host.example/simple")), "pip does not trust"),
    (install("-r https://host.example/list.txt"), "holds more than requirements by name"),
]


@pytest.mark.parametrize("request_", SERVED)
def test_what_is_the_same_to_both(request_: Request, bare: Environment) -> None:
    assert _uvterms.translate(bare, request_).reasons == ()


@pytest.mark.parametrize(("request_", "reason"), LEFT)
def test_what_is_left_to_pip(request_: Request, reason: str, bare: Environment) -> None:
    assert reason in " ".join(_uvterms.translate(bare, request_).reasons)
    assert choose("pip", bare, Engines(), request_).engine == "pip"
    with pytest.raises(Stopped, match="would not do the same") as caught:
        choose("pip", bare, UV, request_)
    assert "--engine pip" in caught.value.advice[0]


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("PIP_USER", "1", False),
        ("PIP_USER", "0", False),
        ("PIP_TARGET", "/there", False),
        ("PIP_PREFER_BINARY", "1", True),
        ("PIP_UPGRADE_STRATEGY", "eager", True),
        ("PIP_KEYRING_PROVIDER", "import", True),
        ("PIP_KEYRING_PROVIDER", "subprocess", False),
        ("PIP_REQUIRE_VIRTUALENV", "1", False),
        ("PIP_PROGRESS_BAR", "off", False),
        ("PIP_ONLY_BINARY", ":all:", False),
        ("PIP_INDEX_URL", "http://host.example/simple", True),
        ("PIP_CONSTRAINT", "/no/such/file", True),
        ("PIP_SOMETHING_NEW", "1", True),
    ],
)
def test_which_settings_leave_it_to_pip(
    name: str, value: str, left: bool, bare: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert bool(_uvterms.translate(bare, install("six")).reasons) is left
    if name == "PIP_INDEX_URL":
        monkeypatch.setenv("PIP_TRUSTED_HOST", "host.example")
        assert _uvterms.translate(bare, install("six")).reasons == ()


def test_which_environments_are_left_to_pip(
    bare: Environment, home: Path, tmp_path: Path, conda_env: Callable[..., Path]
) -> None:
    def reasons(environment: Environment) -> str:
        return " ".join(_uvterms.translate(environment).reasons)

    assert reasons(bare) == ""
    assert "too old" in reasons(replace(bare, python="3.6.1"))
    assert "you alone" in reasons(replace(bare, writable=False))
    assert "rules of its own" in reasons(replace(bare, externally_managed="no"))
    config = Path(bare.prefix, "pyvenv.cfg")
    config.write_text(config.read_text().replace("packages = false", "packages = true"))
    assert "below this environment" in reasons(bare)
    conda = detect(conda_env("python"))
    assert reasons(conda) == ""
    (home / ".local" / LIBRARY / "six-1.0.dist-info").mkdir(parents=True)
    assert "user site" in reasons(conda)


def test_the_network_is_reached_as_pip_reaches_it(
    bare: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    settings = {"TIMEOUT": "7", "RETRIES": "2", "CERT": "/bundle.pem", "TRUSTED_HOST": "a b:8"}
    settings |= {"PROXY": "proxy.example:3128", "CLIENT_CERT": "/client.pem", "NO_CACHE_DIR": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    variables = _uvterms.places(bare).variables
    assert variables.items() >= {
        ("UV_HTTP_TIMEOUT", "7"),
        ("UV_HTTP_RETRIES", "2"),
        ("SSL_CERT_FILE", "/bundle.pem"),
        ("SSL_CLIENT_CERT", "/client.pem"),
        ("UV_INSECURE_HOST", "a b:8"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
        ("UV_NO_CACHE", "1"),
    }
    monkeypatch.delenv("PIP_CERT")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert _uvterms.places(bare).variables["SSL_CERT_DIR"] == str(tmp_path)


def test_the_options_of_a_list_of_requirements(bare: Environment, index: WheelIndex) -> None:
    digest = hashlib.sha256(next(index.folder.glob("library-1.0-*")).read_bytes()).hexdigest()
    where = ("--no-index", "--find-links", str(index.folder))
    index.stop()
    wrong = install(f"library==1.0 --hash=sha256:{'0' * 64}", options=where)
    manager = engine(choose("pip", bare, UV, wrong))
    words: list[str] = []
    assert manager.run(manager.plan(wrong, bare), PlainConsole(words.append)) != 0
    assert "Hash mismatch" in "".join(words)
    assert versions(bare) == {}
    _, change, _ = carry_out(install(f"library==1.0 --hash=sha256:{digest}", options=where), bare)
    (library,) = change.added
    assert (library.requested, library.sha256) == (True, digest)


# Where uv finds no way


def test_pip_is_asked_before_the_user_is_told(venv: Environment, index: WheelIndex) -> None:
    """pip takes a dependency by URL from an index's package, and uv does not."""
    wheel = build_wheel(index.folder, "by-url", "1.0")
    url = index.url.replace("simple/", f"files/{wheel.name}")
    index.add("needs-url", "1.0", requires=[f"by-url @ {url}"])
    request = install("needs-url", sources=Sources(index_url=index.url))
    with pytest.raises(CommandFailed, match="uv cannot install this"):
        carry_out(request, venv)
    plan, change, _ = carry_out(request, venv, Engines())
    assert plan.engine == "pip"
    assert "uv found no way; pip does it." in plan.notes
    assert versions(venv) == {"by-url": "1.0", "needs-url": "1.0"}
    assert all(package.sha256 for package in change.added)


def test_without_a_network_pip_is_not_asked_too(
    venv: Environment, index: WheelIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_RETRIES", "0")
    url = index.url
    index.stop()
    with pytest.raises(CommandFailed, match="uv cannot install this"):
        carry_out(install("not-yet-cached", sources=Sources(index_url=url)), venv, Engines())


def test_what_nobody_can_do_is_told(bare: Environment, index: WheelIndex) -> None:
    with pytest.raises(CommandFailed, match="no-such-thing") as caught:
        carry_out(install("no-such-thing", sources=Sources(index_url=index.url)), bare, Engines())
    assert caught.value.kept == "Nothing was changed."


def test_conda_s_packages_are_guarded(
    conda_env: Callable[..., Path], wheel_index: WheelIndex
) -> None:
    wheel_index.add("six", "99")
    wheel_index.add("needs-six", "1.0", requires=["six>=99"])
    prefix = conda_env("python", f"six={tiers.SIX[0]}")
    words = ("--prefix", prefix, "--pip", "needs-six", "-i", wheel_index.url, "--engine", "uv")
    with pytest.raises(Stopped, match=rf"overwrite six {tiers.SIX[0]}, which conda installed"):
        verb("install", *words)
    assert versions(detect(prefix)) == {}
    verb("install", "--prefix", prefix, "--pip", "needs-six==1.0", "-i", wheel_index.url, "--force")
    assert versions(detect(prefix))["needs-six"] == "1.0"
    assert "UV_" not in "".join(record.commands[0] for record in Session().history.records())
    assert os.path.exists(prefix / LIBRARY / "needs_six-1.0.dist-info")
