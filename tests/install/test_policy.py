"""What an administrator settles, Tab in conda environments, and the names that pip is asked for."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from jstackmagic import config
from jstackmagic.commands import _complete, parser
from jstackmagic.commands import names as verbs
from jstackmagic.managers import hold
from jstackmagic.managers.conda.rattler import available
from jstackmagic.managers.pip.spec import own_name as name_for_pip
from jstackmagic.model import policy
from jstackmagic.model.environment import Environment
from jstackmagic.model.errors import JStackMagicError, Stopped
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Plan
from jstackmagic.model.policy import Policy
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.session import Session
from jstackmagic.where.detect import detect
from support.verbs import verb

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.environments import Root
    from support.tiers import Channel
    from support.wheels import WheelIndex


HERE = Environment(kind="venv", name=None, prefix="/v", python="3.12.1")


def complete(verb: str, words: list[str], token: str) -> list[str]:
    """What a terminal offers."""
    return _complete.complete(verb, words, token, Session())


def asks(manager: str, *specs: str, action: str = "install") -> Request:
    return Request(action=action, manager=manager, specs=specs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settled", "request_"),
    [
        (Policy(managers=("conda",)), asks("pip", "six")),
        (Policy(managers=("conda",)), asks("pip", "six", action="remove")),
        (Policy(deny=("six",)), asks("pip", "Six>=1")),
        (Policy(deny=("zope_*",)), asks("pip", "Zope.Interface[test]")),
        (Policy(deny=("six",)), asks("conda", "conda-forge::six=1.16")),
        (Policy(deny=("six",)), asks("pip", "six @ https://example.com/six.whl")),
        (Policy(deny=("apt:telnet",)), asks("apt", "telnet")),
        (Policy(allow=("numpy",)), asks("pip", "numpy", "six")),
        (Policy(allow=("pip:numpy",)), asks("conda", "numpy")),
        (Policy(allow=("*",), deny=("six",)), asks("pip", "six")),
        (Policy(allow=("numpy",)), asks("pip", "-r /w/list.txt")),
        (Policy(allow=("numpy",)), asks("pip", "-e /w/project")),
    ],
)
def test_what_is_stopped(settled: Policy, request_: Request) -> None:
    with pytest.raises(Stopped) as caught:
        hold(request_, HERE, settled)
    assert "Nothing was changed" in str(caught.value)


@pytest.mark.parametrize(
    ("settled", "request_"),
    [
        (Policy(), asks("apt", "telnet")),
        (Policy(deny=("six",)), asks("pip", "six", action="remove")),
        (Policy(deny=("apt:six",)), asks("pip", "six")),
        (Policy(deny=("si",)), asks("pip", "six")),
        (Policy(allow=("num*",)), asks("conda", "numpy>=1.20")),
        (Policy(allow=("pip:numpy",)), asks("pip", "numpy")),
        (Policy(deny=("six",)), asks("pip", "-r /w/list.txt")),
    ],
)
def test_what_is_not(settled: Policy, request_: Request) -> None:
    hold(request_, HERE, settled)


def test_a_denied_package_does_not_come_as_a_dependency() -> None:
    where = Environment(kind="venv", name=None, prefix="/v", python="3.12.1")
    coming = Package("pip", "left-pad", "1.0")
    for change in (
        Change(added=(coming,)),
        Change(changed=((replace(coming, version="0"), coming),)),
    ):
        plan = Plan(asks("pip", "x"), where, "pip", (), change)
        with pytest.raises(Stopped, match="left-pad"):
            policy.check_plan(plan, Policy(deny=("left-*",)))
        policy.check_plan(plan, Policy(deny=("right-*",)))
    gone = Plan(asks("pip", "x"), where, "pip", (), Change(removed=(coming,)))
    policy.check_plan(gone, Policy(deny=("left-*",)))


def test_channels_and_index_that_are_asked_where_the_line_names_none(
    conda_env: Callable[..., Path],
    shim_channel: Channel,
    wheel_index: WheelIndex,
) -> None:
    prefix = conda_env("python", "pip")
    wheel_index.add("only-there", "1.0")
    ours = Policy(sources=Sources((shim_channel.url,), wheel_index.url))
    into = ("install", "--prefix", prefix, "--record-only")
    done = verb(*into, "six", "only-there", policy=ours)
    by_manager = {item.plan.request.manager: item.plan.request for item in done.done}
    assert by_manager["conda"].sources.channels == (shim_channel.url,)
    assert by_manager["pip"].sources.index_url == wheel_index.url
    done = verb(*into, "pip:other", "-i", "https://example.com/simple", policy=ours)
    assert done.done[0].plan.request.sources.index_url == "https://example.com/simple"
    done = verb(
        *into, "six", policy=Policy(managers=("pip",), sources=Sources(index_url=wheel_index.url))
    )
    assert done.done[0].plan.request.manager == "pip", "conda may not be used"


def test_the_nearer_file_is_the_stronger_and_the_systems_locks_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {name: tmp_path / name / "ipython_config.py" for name in ("etc", "usr", "user")}
    for file in files.values():
        file.parent.mkdir()
    folders = (str(tmp_path / "etc"), str(tmp_path / "usr"))
    monkeypatch.setattr(config, "system_folders", lambda: folders)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (tmp_path / "user").rename(tmp_path / "profile_default")
    files["user"] = tmp_path / "profile_default/ipython_config.py"
    files["etc"].write_text(
        "c.JStackMagic.deny.append('one')\nc.JStackMagic.index_url = 'https://a.example.com'\n"
        "c.JStackMagic.locked = ['deny']"
    )
    files["usr"].write_text("c.JStackMagic.index_url = 'https://b.example.com'")
    files["user"].write_text(
        "c.JStackMagic.deny = []\nc.JStackMagic.locked = ['index_url']\n"
        "c.JStackMagic.channels = ['mine']"
    )
    settled = config.from_files()
    assert settled.deny == ("one",)
    assert settled.sources.index_url == "https://b.example.com"
    assert settled.sources.channels == ("mine",)
    assert set(settled.locked) == {"deny", "locked"}
    files["usr"].write_text("raise SystemError('not ours')")
    assert config.from_files().sources.index_url == "https://a.example.com", (
        "what is not ours is not run"
    )
    files["usr"].write_text("c.JStackMagic.managers = ['brew']")
    with pytest.raises(JStackMagicError, match="cannot be"):
        config.from_files()
    files["usr"].write_text("c.JStackMagic.managers = [")
    with pytest.raises(JStackMagicError, match=r"usr/ipython_config\.py cannot be read"):
        config.from_files()


def test_the_history_stays_where_an_administrator_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORK", str(tmp_path))
    session = Session(settings=partial(Policy, history="$WORK/kept.jsonl"))
    assert session.history.path == Path(os.environ["JSTACKMAGIC_HISTORY"])
    session = Session(settings=partial(Policy, history="$WORK/kept.jsonl", locked=("history",)))
    assert session.history.path == tmp_path / "kept.jsonl"
    monkeypatch.delenv("JSTACKMAGIC_HISTORY")
    session = Session(settings=partial(Policy, history="$WORK/kept.jsonl"))
    assert session.history.path == tmp_path / "kept.jsonl"


def test_conda_names_are_pips_where_pip_is_asked(
    conda_env: Callable[..., Path], shim_channel: Channel, home: Path
) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    done = verb("install", "--prefix", conda_env("python", "pip"), "opencv>=4", "--record-only")
    assert done.done[0].plan.request.texts == ("opencv-python>=4",)
    assert "as opencv-python>=4" in str(done)


@pytest.mark.parametrize(
    ("spec", "for_pip"),
    [
        ("pytorch", "torch"),
        ("python-graphviz", "graphviz"),
        ("docker-py==7", "docker==7"),
        ("numpy", "numpy"),
        ("graphviz", "graphviz"),
        ("acme", "acme"),
        ("flask", "flask"),
    ],
)
def test_names_for_pip(spec: str, for_pip: str) -> None:
    assert name_for_pip(spec) == for_pip


def test_tab_knows_the_channels_and_environments_on_this_disk(
    conda_root: Root, shim_channel: Channel, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    prefix = conda_root.create("tabbed", "python", "six")
    monkeypatch.setenv("CONDA_EXE", str(conda_root.prefix / "bin/conda"))
    into = ["--prefix", str(prefix)]
    assert complete("install", into, "conda:demo-t") == ["conda:demo-tool"]
    assert "demo-tool" in complete("install", into, "demo-")
    assert "pytorch" in complete("install", into, "pytor"), (
        "under conda's name in conda's environment"
    )
    assert "six" in complete("remove", into, "s")
    assert complete("remove", into, "nothing-like-it") == []
    (home / ".conda").mkdir()
    (home / ".conda/environments.txt").write_text(f"{prefix}\n{conda_root.prefix}\n")
    assert "tabbed" in complete("install", ["--name"], "tab")


def test_tab_reads_what_conda_keeps_of_a_remote_channel(conda_root: Root, home: Path) -> None:
    url = "https://conda.example.com/ours"
    (home / ".condarc").write_text(json.dumps({"channels": [url]}))
    kept = conda_root.prefix / "pkgs/cache"
    kept.mkdir(parents=True)
    (kept / "1a2b.json").write_text(
        json.dumps({"packages": {"a-1-0.tar.bz2": {"name": "ours-solver", "version": "1"}}})
    )
    (kept / "1a2b.info.json").write_text(json.dumps({"url": f"{url}/noarch/repodata.json"}))
    (kept / "ffff.json").write_text('{"packages": {"b": {"name": "ours-other"}}}')
    (kept / "ffff.info.json").write_text(
        '{"url": "https://other.example.com/x/noarch/repodata.json"}'
    )
    into = ["--prefix", str(conda_root.prefix)]
    assert complete("install", into, "ours-") == ["ours-solver"]


def test_tab_reads_what_rattler_keeps_and_asks_no_network(
    conda_env: Callable[..., Path], shim_channel: Channel, home: Path
) -> None:
    folder = unquote(urlsplit(shim_channel.url).path)
    prefix = conda_env("python")
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        channels = {"channels": [f"http://127.0.0.1:{server.server_port}/"]}
        (home / ".condarc").write_text(json.dumps(channels))
        assert "demo-tool" not in complete("install", ["--prefix", str(prefix)], "demo-t")
        assert available(["six"], detect(prefix))["six"]
        server.shutdown()
    assert complete("install", ["--prefix", str(prefix)], "demo-t") == ["demo-tool"]


def test_tab_gives_paths_where_a_path_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/base.txt").touch()
    monkeypatch.chdir(tmp_path)
    assert complete("install", ["-r"], "li") == ["lists/"]
    assert complete("install", ["-r"], "lists/b") == ["lists/base.txt"]
    assert complete("install", [], "--requirement=lists/b") == ["--requirement=lists/base.txt"]


@pytest.mark.parametrize("name", verbs())
def test_every_option_of_every_verb_is_completed(name: str) -> None:
    def options(made: Any, words: list[str]) -> None:
        for action in made._actions:
            if isinstance(action.choices, dict):
                assert set(complete(name, words, "")) == set(action.choices)
                for choice, sub in action.choices.items():
                    options(sub, [*words, choice])
                return
        wanted = {each for each in made._option_string_actions if each.startswith("--")}
        assert wanted <= set(complete(name, words, "--"))

    options(parser(name, magic=True), [])


def test_what_another_environment_lacks_of_a_notebooks_imports(
    conda_env: Callable[..., Path], shim_channel: Channel, home: Path, tmp_path: Path
) -> None:
    (home / ".condarc").write_text(json.dumps({"channels": [shim_channel.url]}))
    prefix = conda_env("python", "six")
    script = tmp_path / "steps.py"
    script.write_text(
        "# %%\nimport six, sys, tomllib\n# %%\nimport cv2\nfrom google.cloud import storage\n"
    )
    done = verb("install", "--prefix", prefix, "--missing", script, "--record-only")
    asked = {item.plan.request.manager: item.plan.request.texts for item in done.done}
    assert asked == {"pip": ("opencv-python", "google-cloud-storage")}
