"""The policy holds wherever a package or its source is said: each place has one planted in it."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from jstackmagic.history.file import History
from jstackmagic.managers import hold
from jstackmagic.model.environment import ConfiguredChannel, Environment
from jstackmagic.model.errors import CommandFailed, Stopped
from jstackmagic.model.policy import Policy
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from support.debs import build_deb
from support.environments import make_venv
from support.verbs import verb
from support.wheels import build_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from support.wheels import WheelIndex

VENV = Environment(kind="venv", name=None, prefix="/v", python="3.12.1")
CONDA = Environment(kind="conda-prefix", name=None, prefix="/c", python="3.12.1")
DENY = Policy(deny=("bad", "bad-*"), set_in="/etc/ipython/ipython_config.py")
ALLOW = Policy(allow=("good", "mine"))
INDEX = "https://pypi.example.com/simple"
CHANNEL = "https://conda.example.com/ours"
LOCKED = Policy(sources=Sources(index_url=INDEX), locked=("index_url", "extra_index_urls"))
LOCKED_CHANNEL = Policy(sources=Sources(channels=(CHANNEL,)), locked=("channels",))


def pip(*specs: str, **fields: object) -> Request:
    return Request("install", "pip", specs, **fields)  # type: ignore[arg-type]


def conda(*specs: str, **fields: object) -> Request:
    return Request("install", "conda", specs, **fields)  # type: ignore[arg-type]


def written(folder: Path, **texts: str) -> Path:
    """A folder of files, named with ``__`` for the dot."""
    for name, text in texts.items():
        path = folder / name.replace("__", ".").replace("_in_", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Lists, projects and wheels that all come to a package called bad."""
    folder = written(
        tmp_path,
        list__txt="good\n-r nested/more.txt\n",
        nested_in_more__txt="good\n-r ../nested/../nested/last.txt\n",
        nested_in_last__txt="BAD>=1 ; python_version > '3'\n-r more.txt\n",
        fine__txt="good==1.0 --hash=sha256:" + "0a" * 32 + "\nmine[x]>=2\n",
        conda__txt="good=1.0\nours::bad=2.0\n",
        explicit__txt=f"@EXPLICIT\n{CHANNEL}/noarch/bad-1.0-0.conda\n",
        limits__txt="bad<2\n",
        project_in_pyproject__toml="[project]\nname='mine'\ndependencies=['good','bad>1']\n",
        named_in_pyproject__toml="[project]\nname='bad'\n",
        old_in_setup__cfg="[metadata]\nname = mine\n[options]\ninstall_requires =\n  bad\n",
        extra_in_pyproject__toml=(
            "[project]\nname='mine'\n[project.optional-dependencies]\nx-y=['bad']\n"
        ),
        dynamic_in_pyproject__toml=(
            "[project]\nname='mine'\n[tool.setuptools.dynamic]\ndependencies={file='needs.txt'}\n"
        ),
        dynamic_in_needs__txt="bad # a comment\n",
        poetry_in_pyproject__toml="[tool.poetry]\nname='mine'\ndependencies.bad='*'\n",
        joined__txt="good\nb\\\nad\n",
        older_in_setup__py="from setuptools import setup\nsetup(name='bad')\n",
    )
    wheel = build_wheel(folder / "w", "bad", "1.0")
    wheel.rename(folder / "good-1.0-py3-none-any.whl")
    build_wheel(folder, "mine", "1.0", requires=["bad>=1", "other; extra == 'x'"])
    return folder


DENIED = [
    pip("bad"),
    pip("Bad[x]==1"),
    pip("good", options=("bad",)),
    pip("good", options=("--no-deps", "--", "bad")),
    pip("good", options=("--no-binary", "good", "bad==1")),
    pip("good", options=("-r", "{}/list.txt")),
    pip("good", options=("-r{}/list.txt",)),
    pip("good", options=("--requirement={}/list.txt",)),
    pip("good", options=("--requirem", "{}/list.txt")),
    pip("good", options=("-qUe", "{}/project")),
    pip("-r {}/list.txt"),
    pip("-e {}/project"),
    pip("-e {}/named"),
    pip("{}/old"),
    pip("{}/older"),
    pip("{}/good-1.0-py3-none-any.whl"),
    pip("good @ file://{}/good-1.0-py3-none-any.whl"),
    pip("{}/mine-1.0-py3-none-any.whl"),
    pip("{}/extra[X_Y]"),
    pip("{}/dynamic"),
    pip("{}/poetry"),
    pip("-r {}/joined.txt"),
    pip("https://h.example/x/bad-1.0-py3-none-any.whl"),
    pip("https://h.example/bad-1.0.tar.gz"),
    pip("other @ https://h.example/bad-1.0-py3-none-any.whl"),
    pip("git+https://g.example/me/bad.git@v1"),
    pip("git+https://g.example/me/x.git#egg=bad"),
    conda("bad=1.0"),
    conda("ours::bad"),
    conda("bad[version='>1']"),
    conda(f"{CHANNEL}/noarch/bad-1.0-0.tar.bz2"),
    conda("good", options=("bad",)),
    conda("good", options=("--file", "{}/conda.txt")),
    conda("--file {}/conda.txt"),
    conda("--file {}/explicit.txt"),
    Request("install", "apt", ("good", "bad:amd64")),
    Request("install", "apt", ("bad+",)),
    Request("install", "apt", ("good",), options=("bad+",)),
    Request("install", "apt", ("good",), options=("--no-install-recommends", "bad=1.0")),
]


def filled(request: Request, folder: Path) -> Request:
    return replace(
        request,
        specs=tuple(text.replace("{}", str(folder)) for text in request.texts),  # type: ignore[arg-type]
        options=tuple(word.replace("{}", str(folder)) for word in request.options),
    )


def place(request: Request) -> Environment:
    return CONDA if request.manager == "conda" else VENV


@pytest.mark.parametrize("request_", DENIED, ids=str)
def test_a_denied_package_is_found_in_every_place(request_: Request, here: Path) -> None:
    asked = filled(request_, here)
    with pytest.raises(Stopped, match="bad") as caught:
        hold(asked, place(asked), DENY)
    assert "/etc/ipython/ipython_config.py" in str(caught.value)
    if not any(
        word in str(request_) for word in ("/project", "/old'", "/mine-", "/extra", "/dyn", "/poe")
    ):
        with pytest.raises(Stopped):
            hold(asked, place(asked), ALLOW)
    else:
        hold(asked, place(asked), ALLOW)  # what it needs is free


@pytest.mark.parametrize(
    "request_",
    [
        pip("good", "mine>=1"),
        pip("-r {}/fine.txt"),
        pip("good", "-c {}/limits.txt"),
        pip("{}/extra"),
        pip("good", options=("--no-deps", "--pre", "-C", "a=b", "--target", "/x")),
        pip("good", options=("--config-settings=a=b", "-vvv", "-U")),
        conda("good=1.0", options=("--no-deps", "--override-channels", "-y")),
        Request("install", "apt", ("good=1.0",), options=("-o", "DPkg::Lock::Timeout=3")),
    ],
    ids=str,
)
def test_what_is_allowed_goes_through_with_the_managers_own_options(
    request_: Request, here: Path
) -> None:
    asked = filled(request_, here)
    for settled in (DENY, ALLOW):
        hold(asked, place(asked), settled)
        hold(asked, place(asked), settled, planned=False)


@pytest.mark.parametrize(
    "request_",
    [
        pip("good", options=("--group", "dev")),
        pip("good", options=("--requirements-from-script", "x.py")),
        pip("good", options=("--no-such-option",)),
        pip("-r https://h.example/list.txt"),
        pip("-r {}/not-there.txt"),
        pip("{}"),
        pip("git+https://g.example/me/x.git"),
        conda("good", options=("--revision", "3")),
        conda("--file {}/not-there.txt"),
        conda("g*"),
        Request("install", "apt", ("goo*",)),
        Request("install", "apt", ("good",), options=("--solver", "3")),
    ],
    ids=str,
)
def test_what_cannot_be_followed_is_refused_where_only_some_are_allowed(
    request_: Request, here: Path
) -> None:
    asked = filled(request_, here)
    with pytest.raises(Stopped):
        hold(asked, place(asked), ALLOW)
    hold(asked, place(asked), DENY)  # its plan is held against it
    with pytest.raises(Stopped):
        hold(asked, place(asked), DENY, planned=False)
    hold(asked, place(asked), Policy())


@pytest.mark.parametrize("project", ["code", "hook"])
def test_a_project_whose_code_says_what_it_needs_waits_for_its_plan(
    project: str, tmp_path: Path
) -> None:
    written(
        tmp_path,
        code_in_setup__py="from s import setup\nsetup(name='mine', install_requires=['b' + 'ad'])",
        hook_in_pyproject__toml="[project]\nname='mine'\ndynamic=['version', 'dependencies']\n",
    )
    asked = filled(pip(f"{{}}/{project}"), tmp_path)
    hold(asked, VENV, DENY)
    hold(asked, VENV, ALLOW, planned=False)
    with pytest.raises(Stopped, match="Only its own code says what"):
        hold(asked, VENV, DENY, planned=False)


ELSEWHERE = "https://elsewhere.example/simple"
PLACES = [
    pip("six", sources=Sources(index_url=ELSEWHERE)),
    pip("six", sources=Sources(index_url=INDEX, extra_index_urls=(ELSEWHERE,))),
    pip("six", options=("-i", ELSEWHERE)),
    pip("six", sources=Sources(index_url=f"{INDEX}/../elsewhere")),
    pip("six", sources=Sources(index_url=f"{INDEX}/%2e%2e/elsewhere")),
    pip("six", sources=Sources(index_url=f"{INDEX}/elsewhere")),
    pip("six", sources=Sources(index_url=f"{INDEX}@elsewhere.example")),
    pip("six", options=(f"-i{ELSEWHERE}",)),
    pip("six", options=(f"--index-url={ELSEWHERE}",)),
    pip("six", options=("--extra-index-url", ELSEWHERE)),
    pip("six", options=("--extra", ELSEWHERE)),
    pip("six", options=("-f", "/wheels")),
    pip("six", options=("--no-index", "--find-links", ELSEWHERE)),
    pip("-r {}/index.txt"),
    pip("-r {}/links.txt"),
    pip("-r {}/nested.txt"),
    pip("-c {}/index.txt", "six"),
    pip("six @ https://elsewhere.example/six-1.0-py3-none-any.whl"),
    pip("git+https://elsewhere.example/six.git#egg=six"),
    pip("six", options=("--requirements-from-script", "x.py")),
    pip("six", options=("--proxy", "me:pw@elsewhere.example:3128")),
    pip("six", options=("--prox=http://elsewhere.example",)),
    pip("six", options=("--trusted-host", "elsewhere.example")),
    pip("-r {}/trusted.txt"),
    pip("file:///elsewhere/six-1.0-py3-none-any.whl"),
    pip("six @ file://localhost/elsewhere/six-1.0.tar.gz"),
    pip("/elsewhere/six-1.0-py3-none-any.whl"),
    pip("-e git+file:///elsewhere/six#egg=six"),
    pip("-r {}/file.txt"),
]


@pytest.mark.parametrize("request_", PLACES, ids=str)
def test_nothing_goes_past_a_locked_index(request_: Request, tmp_path: Path) -> None:
    written(
        tmp_path,
        index__txt=f"-i {ELSEWHERE}\nsix\n",
        links__txt="six\n--find-links ./wheels\n",
        nested__txt="-r index.txt\n",
        trusted__txt="--trusted-host elsewhere.example:443\nsix\n",
        file__txt="./elsewhere/six-1.0-py3-none-any.whl\n",
    )
    for planned in (True, False):
        with pytest.raises(Stopped, match=r"elsewhere|wheels|script"):
            hold(filled(request_, tmp_path), VENV, LOCKED, planned=planned)
    hold(filled(request_, tmp_path), VENV, Policy(sources=LOCKED.sources))


@pytest.mark.parametrize(
    "request_",
    [
        pip("six"),
        pip("six", sources=Sources(index_url="https://me:pw@PYPI.example.com/simple/")),
        pip("six", options=("-i", INDEX, "--no-deps", "--trusted-host", "pypi.example.com:443")),
        pip("six @ https://pypi.example.com/files/six-1.0-py3-none-any.whl"),
        pip("-r {}/same.txt"),
        pip("-e {}"),  # the user's own work comes from no index
        pip("mine @ file://{}"),
        conda("six", sources=Sources(channels=("anything",))),
    ],
    ids=str,
)
def test_a_locked_index_itself_may_be_named(request_: Request, tmp_path: Path) -> None:
    project = "[project]\nname='mine'\n"
    written(tmp_path, same__txt=f"--index-url {INDEX}/\nsix\n", pyproject__toml=project)
    hold(filled(request_, tmp_path), VENV, LOCKED)


def test_a_locked_index_of_this_machine_covers_its_own_archives() -> None:
    local = Policy(sources=Sources(index_url="file:///srv/simple"), locked=("index_url",))
    hold(pip("six @ file:///srv/simple/six/six-1.0-py3-none-any.whl"), VENV, local)
    for past in ("file:///srv/simple/../six-1.0-py3-none-any.whl", "/srv/simple2/six-1.0.tar.gz"):
        with pytest.raises(Stopped, match="srv"):
            hold(pip(f"six @ {past}" if ":" in past else past), VENV, local)


@pytest.mark.parametrize(
    "variable",
    [
        *("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_CONFIG_FILE"),
        *("PIP_PROXY", "PIP_TRUSTED_HOST"),
    ],
)
def test_a_variable_does_not_go_past_a_locked_index_either(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text(f"[global]\nextra-index-url = {ELSEWHERE}\n")
    monkeypatch.setenv(variable, str(conf) if variable == "PIP_CONFIG_FILE" else ELSEWHERE)
    where = "pip.conf" if variable == "PIP_CONFIG_FILE" else variable
    with pytest.raises(Stopped, match=rf"elsewhere.*{where}"):
        hold(pip("six"), VENV, LOCKED)
    monkeypatch.setenv("PIP_INDEX_URL", ELSEWHERE)
    if variable == "PIP_INDEX_URL":  # what the settings give is stronger than the variable
        hold(pip("six", sources=LOCKED.sources), VENV, LOCKED)


@pytest.mark.parametrize(
    "request_",
    [
        conda("six", sources=Sources(channels=("conda-forge",))),
        conda("six", sources=Sources(channels=(CHANNEL, "https://elsewhere.example/x"))),
        conda("conda-forge::six"),
        conda("six[channel=conda-forge]"),
        conda("six", sources=Sources(channels=(f"{CHANNEL}/label/elsewhere",))),
        conda("six", options=("-c", "conda-forge")),
        conda("six", options=("--channel=conda-forge",)),
        conda("six", options=("-cconda-forge",)),
        conda("six", options=("--use-local",)),
        conda("six", options=("--clone", "base")),
        conda("six", options=("--insecure",)),
        conda("six", options=("-yk",)),
        conda("six", options=("--ssl-verify", "false")),
        conda("file:///elsewhere/noarch/six-1-0.conda"),
        conda("/elsewhere/noarch/six-1-0.tar.bz2"),
        conda("https://elsewhere.example/x/noarch/six-1-0.conda"),
        conda("--file {}/channels.txt"),
    ],
    ids=str,
)
def test_nothing_goes_past_locked_channels(request_: Request, tmp_path: Path) -> None:
    written(tmp_path, channels__txt="conda-forge::six\n")
    for planned in (True, False):
        with pytest.raises(Stopped, match=r"conda-forge|elsewhere|local|clone|certif|--ssl-verify"):
            hold(filled(request_, tmp_path), CONDA, LOCKED_CHANNEL, planned=planned)
    hold(filled(request_, tmp_path), CONDA, Policy(sources=LOCKED_CHANNEL.sources))


def test_locked_channels_may_be_named_and_a_users_condarc_may_not_add_to_them(home: Path) -> None:
    for request in (
        conda("six"),
        conda("six", sources=Sources(channels=(f"{CHANNEL}/",))),
        conda(f"{CHANNEL}::six"),
        conda(f"{CHANNEL}/noarch/six-1-0.conda"),
        conda("six", options=("--override-channels", "-c", CHANNEL)),
    ):
        hold(request, CONDA, LOCKED_CHANNEL)
    theirs = replace(CONDA, channels=(ConfiguredChannel("conda-forge", str(home / ".condarc")),))
    with pytest.raises(Stopped, match="condarc"):
        hold(conda("six"), theirs, LOCKED_CHANNEL)
    ours = replace(CONDA, channels=(ConfiguredChannel("conda-forge", "/etc/conda/.condarc"),))
    hold(conda("six"), ours, LOCKED_CHANNEL)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("ssl_verify: false", False),
        ("verify_ssl: off", False),
        ("channel_alias: https://elsewhere.example", False),
        ("custom_channels: {ours: https://elsewhere.example/x}", False),
        ("custom_multichannels: {ours: [https://elsewhere.example/x]}", False),
        ("proxy_servers: {https: http://elsewhere.example:3128}", False),
        ("ssl_verify: /etc/ssl/bundle.pem", True),
        ("channel_alias: https://conda.anaconda.org/", True),
        ("custom_channels: {theirs: https://elsewhere.example/x}", True),
    ],
)
def test_no_other_answers_for_a_locked_channel_by_the_users_condarc(
    text: str, passes: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".condarc").write_text(f"{text}\n")
    locked = Policy(sources=Sources(channels=("ours",)), locked=("channels",))
    requests = (conda("ours::six"), conda("six", sources=locked.sources))
    for request in requests:
        if passes:
            hold(request, CONDA, locked)
            continue
        with pytest.raises(Stopped, match=r"elsewhere|certificate.*ssl_verify"):
            hold(request, CONDA, locked)
        hold(request, CONDA, Policy(sources=locked.sources))
    (home / ".condarc").unlink()
    hold(requests[0], CONDA, locked)
    monkeypatch.setenv("CONDA_SSL_VERIFY", "false")
    with pytest.raises(Stopped, match="certificate"):
        hold(requests[0], CONDA, locked)


@pytest.mark.dpkg
def test_a_debian_file_says_itself_what_it_is(tmp_path: Path) -> None:
    deb = build_deb(tmp_path, "bad", depends="libgood, worse (>= 2) | other")
    renamed = deb.rename(tmp_path / "good_1.0_all.deb")
    for deny in ("bad", "worse"):
        with pytest.raises(Stopped, match=deny):
            hold(Request("install", "apt", (str(renamed),)), VENV, Policy(deny=(deny,)))


# By the verbs


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_venv(tmp_path_factory.mktemp("policy") / "venv")


@pytest.mark.parametrize("name", ["list.txt", "environment.yml", "pyproject.toml", "nested.yml"])
def test_nothing_denied_is_recorded_of_a_file(
    name: str, here: Path, venv: Path, history_file: Path
) -> None:
    written(
        here,
        environment__yml="dependencies:\n- pip:\n  - good\n  - bad\n",
        pyproject__toml="[project]\nname='x'\nversion='1'\ndependencies=['good','bad']\n",
        nested__yml=f"dependencies:\n- pip:\n  - -r {here}/list.txt\n",
    )
    into = ("--prefix", venv)
    with pytest.raises(Stopped, match="bad"):
        verb("install", *into, "--record-only", "--force", "-f", here / name, policy=DENY)
    assert not history_file.exists() or not History(history_file).records()
    captured = verb("capture", *into, here / name, policy=DENY)
    assert not any("bad" in " ".join(r.request.texts) for r in captured.records)
    assert "is not allowed here" in str(captured)


def test_capture_plans_what_is_allowed_beside(here: Path, venv: Path, history_file: Path) -> None:
    cells = ["!pip install good", "!pip install bad", f"!pip install -r {here}/list.txt"]
    notebook = here / "x.ipynb"
    notebook.write_text(
        json.dumps(
            {
                "cells": [
                    {"cell_type": "code", "source": cell, "metadata": {}, "outputs": []}
                    for cell in cells
                ],
                "metadata": {},
                "nbformat": 4,
            }
        )
    )
    captured = verb("capture", "--prefix", venv, notebook, policy=DENY)
    assert [record.request.texts for record in captured.records] == [("good",)]


def test_what_was_recorded_before_is_said_on_export_and_not_replayed(
    venv: Path, tmp_path: Path, history_file: Path
) -> None:
    verb("install", "--prefix", venv, "--record-only", "pip:good", "pip:bad")
    for words in (("dockerfile",), ("pip",), ("--all", tmp_path / "all")):
        assert "bad (pip) is recorded, and" in str(verb("export", *words, policy=DENY))
        assert "is recorded, and" not in str(verb("export", *words))
    with pytest.raises(CommandFailed, match="bad is not allowed here"):
        verb("replay", "--prefix", venv, policy=DENY)


def test_undo_brings_nothing_back_that_is_denied_now(
    tmp_path: Path, wheel_index: WheelIndex, history_file: Path
) -> None:
    prefix = make_venv(tmp_path / "own")
    wheel_index.add("bad", "1.0")
    verb("install", "--prefix", prefix, "--pip", "bad", "-i", wheel_index.url)
    verb("remove", "--prefix", prefix, "--pip", "bad", policy=DENY)
    with pytest.raises(Stopped, match="bad"):
        verb("undo", policy=DENY)


def test_a_wheel_without_metadata_names_nothing(tmp_path: Path) -> None:
    wheel = tmp_path / "good-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("good.py", "")
    with pytest.raises(Stopped, match="no metadata"):
        hold(pip(str(wheel)), VENV, ALLOW)
