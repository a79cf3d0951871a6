"""The parts of the image that need no engine: names, build logs, the comparison, the family."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from urllib3.exceptions import ProtocolError

from jstackmagic.cli import main
from jstackmagic.commands.image._running import Running
from jstackmagic.display.console import PlainConsole
from jstackmagic.display.html import as_html
from jstackmagic.display.parts import as_text
from jstackmagic.history.built import note_image
from jstackmagic.history.file import IMAGE_HISTORY
from jstackmagic.image import stacks
from jstackmagic.image.context import BuildContext
from jstackmagic.image.engine import commit, labels
from jstackmagic.image.engine.build import StepLines, blame
from jstackmagic.image.engine.buildlog import BuildLog, fields
from jstackmagic.image.engine.container import Container, Mount
from jstackmagic.image.engine.dockersdk import EngineError, NoEngine, connect, speaking
from jstackmagic.image.engine.mounts import mount, port
from jstackmagic.image.engine.restore import restore
from jstackmagic.image.engine.serve import Server
from jstackmagic.image.owned import Owned
from jstackmagic.image.prove.coverage import COVERAGE
from jstackmagic.image.prove.deep import is_explained
from jstackmagic.image.prove.proof import Proof, Side, Ways, absent, differences, same, unreadable
from jstackmagic.image.prove.shallow import SideView, facts, place_of
from jstackmagic.image.root import Root
from jstackmagic.image.secrets import completed, pairs
from jstackmagic.model.errors import UsageError
from jstackmagic.model.packages import Change, Package, PackageSet
from jstackmagic.model.plan import Outcome
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.record import Record
from jstackmagic.model.reference import parse, parse_tag
from jstackmagic.model.request import Request
from jstackmagic.session import Session
from jstackmagic.where.host import look
from strategies import BASE, hostile
from support.records import remember

if TYPE_CHECKING:
    from jstackmagic.model.environment import EnvironmentRef
    from jstackmagic.model.packages import ManagerName

# Names

_COMPONENT = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,2}", fullmatch=True)
_REGISTRY = st.sampled_from(
    ["", "localhost/", "localhost:5000/", "registry.example.com/", "[::1]:5000/", "REG/"]
)
_TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@st.composite
def _references(draw: st.DrawFn) -> tuple[str, str, str]:
    path = "/".join(draw(st.lists(_COMPONENT, min_size=1, max_size=3)))
    assume(not re.fullmatch("[0-9a-f]{64}", path))  # which would be an image's id
    name, tag = draw(_REGISTRY) + path, draw(st.just("") | _TAG)
    assume(len(name) <= 255)
    digest = draw(st.sampled_from(["", f"sha256:{'ab' * 32}"]))
    return name, tag, digest


@settings(max_examples=100)
@given(_references())
def test_a_name_is_read_and_written_back(parts: tuple[str, str, str]) -> None:
    name, tag, digest = parts
    text = name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
    found = parse(text)
    assert (found.name, found.tag, found.digest) == parts
    assert str(found) == text


@settings(max_examples=300)
@given(hostile)
def test_a_hostile_name_is_refused_or_harmless(text: str) -> None:
    try:
        found = parse(text)
    except UsageError:
        return
    assert re.fullmatch(r"[A-Za-z0-9._/:\[\]@-]+", text)
    assert str(found) == text
    assert not text.startswith("-")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "Analysis",
            "a b",
            "a:",
            "a:b:c",
            "a/",
            "/a",
            "a//b",
            "--rm",
            "a\n",
            "a:" + "t" * 129,
        ),
        *("a" * 256, "ab" * 32, "x@sha256:12", "a;rm", "$(id)", "http://x/y"),
    ],
)
def test_no_name(text: str) -> None:
    with pytest.raises(UsageError, match="not an image's name"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "registry"),
    [
        ("analysis:1", ""),
        ("team/analysis", ""),
        ("e.org/a", "e.org"),
        ("localhost:5/a", "localhost:5"),
    ],
)
def test_the_registry_of_a_name(text: str, registry: str) -> None:
    assert parse(text).registry == registry


def test_a_tag_is_latest_and_never_a_digest() -> None:
    assert str(parse_tag("analysis")) == "analysis:latest"
    with pytest.raises(UsageError, match="has a digest"):
        parse_tag(f"analysis@sha256:{'ab' * 32}")


# Build logs


def test_the_classic_builders_log() -> None:
    log = BuildLog()
    for second, text in enumerate(
        [
            "Step 1/3 : FROM base\n",
            " ---> 0123456789ab\n",
            "Step 2/3 : RUN pip install six\n",
            " ---> Using cache\n",
            "Step 3/3 : RUN pip install \\\n    twitter\n",
            " ---> Running in 0123456789ab\n",
            "Collec",
            "ting twitter\n  10%\r  90%\r 100%\n\x1b[31mERROR: no\x1b[0m\n",
        ]
    ):
        log.take({"stream": text}, float(second))
    log.take({"errorDetail": {"code": 1, "message": "returned 1"}, "error": "returned 1"}, 9.0)
    assert [step.number for step in log.steps] == [1, 2, 3]
    assert [step.cached for step in log.steps] == [False, True, False]
    assert [step.seconds for step in log.steps] == [2.0, 2.0, None]
    assert log.failed is log.steps[2]
    assert log.steps[2].instruction == "RUN pip install \\\n    twitter"
    assert log.steps[2].lines == ("Collecting twitter", " 100%", "ERROR: no")
    assert log.error == "returned 1"


def test_podmans_log() -> None:
    log = BuildLog()
    for text in ("STEP 1/2: FROM base\n", "STEP 2/2: RUN true\n", "--> Using cache 0123\n"):
        log.take({"stream": text}, 0.0)
    assert [(step.number, step.total, step.cached) for step in log.steps] == [
        (1, 2, False),
        (2, 2, True),
    ]


def _message(*values: tuple[int, int | bytes]) -> bytes:
    """A message of protocol buffers."""
    found = b""
    for number, value in values:
        if isinstance(value, int):
            found += _varint(number << 3) + _varint(value)
        else:
            found += _varint(number << 3 | 2) + _varint(len(value)) + value
    return found


def _varint(number: int) -> bytes:
    encoded = []
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _trace(*vertices: bytes, logs: tuple[bytes, ...] = ()) -> dict[str, str]:
    data = _message(*((1, vertex) for vertex in vertices), *((3, log) for log in logs))
    return {"id": "moby.buildkit.trace", "aux": base64.b64encode(data).decode()}


def test_buildkits_log() -> None:
    first, second = b"sha256:1", b"sha256:2"
    began, ended = _message((1, 100)), _message((1, 103), (2, 500_000_000))
    internal = _message((1, b"sha256:0"), (3, b"[internal] load build context"), (5, began))
    announced = _message((1, second), (3, b"[stage-0 2/2] RUN pip install six"))
    log = BuildLog()
    assert log.take(_trace(internal, announced), 0.0) == []
    base = _message((1, first), (3, b"[1/2] FROM base"), (4, 1), (5, began), (6, began))
    assert [step.number for step in log.take(_trace(base), 0.0)] == [1]
    log.take(_trace(_message((1, second), (3, b"[stage-0 2/2] RUN pip"), (5, began))), 0.0)
    said = (_message((1, second), (4, b"Collec")), _message((1, second), (4, b"ting six\n")))
    log.take(_trace(logs=said), 0.0)
    failed = _message(
        (1, second), (3, b"[stage-0 2/2] RUN pip"), (5, began), (6, ended), (7, b"exit code: 1")
    )
    log.take(_trace(failed), 0.0)
    log.take({"error": "exit code: 1"}, 0.0)
    assert [(step.number, step.cached, step.seconds) for step in log.steps] == [
        (1, True, 0.0),
        (2, False, 3.5),
    ]
    assert log.failed is log.steps[1]
    assert log.steps[1].lines == ("Collecting six",)


@settings(max_examples=150)
@given(st.binary(max_size=60))
def test_what_is_no_message_ends_and_raises_nothing(data: bytes) -> None:
    assert len(list(fields(data))) <= len(data)


def _shown(*, live: bool) -> str:
    written: list[str] = []
    console = PlainConsole(written.append)
    console.live = live
    progress, log = StepLines(console), BuildLog()
    for text in ("Step 1/2 : FROM base\n", "Step 2/2 : RUN true\n", "working\n"):
        progress.show(log.take({"stream": text}, 0.0))
    progress.show(log.close(61.04))
    progress.close()
    return "".join(written)


def test_a_line_a_step() -> None:
    assert _shown(live=False) == " 1/2 FROM base  0.0 s\n 2/2 RUN true  61.0 s\n"
    assert " 2/2 RUN true  working" in _shown(live=True)


def _step(manager: ManagerName, *names: str) -> RecipeStep:
    return RecipeStep(manager, BASE, install=tuple(Item(f"{name}>=1", name) for name in names))


def test_the_blame_is_on_the_spec_that_is_named() -> None:
    recipe = Recipe((_step("pip", "six", "zope-interface"), _step("conda", "pymongo")))
    log = BuildLog()
    log.take({"stream": "Step 1/1 : RUN pip install 'six==1' 'zope.interface==2'\n"}, 0.0)
    (step,) = log.steps
    assert blame(recipe, step) == "That step was to install: six>=1, zope-interface>=1"
    step.write("ERROR: No matching distribution found for zope_interface==2\n")
    assert blame(recipe, step) == "It fell over: zope-interface>=1"
    assert blame(recipe, None) == ""


# The comparison


def _package(manager: ManagerName, name: str, version: str, **details: object) -> Package:
    return Package(manager, name, version, **details)  # type: ignore[arg-type]


def _side(
    here: list[Package], image: list[Package] | None, environment: EnvironmentRef | None = BASE
) -> Side:
    there = None if image is None else PackageSet(tuple(image))
    return Side(environment, "/opt/conda", PackageSet(tuple(here)), there)


def _record(
    identity: str,
    manager: ManagerName,
    specs: tuple[str, ...],
    change: Change | None,
    *,
    action: str = "install",
) -> Record:
    return Record(
        id=identity,
        time="2026-11-23T00:00:00Z",
        status="planned" if change is None else "ok",
        request=Request(action, manager, specs),  # type: ignore[arg-type]
        environment=BASE,
        outcome=None if change is None else Outcome("ok", 0, 1.0, change),
    )


def test_equal() -> None:
    six = _package("pip", "six", "1.17.0")
    side = _side([six], [six])
    assert list(differences(side, [])) == []
    assert Proof("i", "sha256:1", (("base", 1),)).equal


def test_nothing_compared_is_not_equal() -> None:
    assert not Proof("i", "sha256:1", ()).equal


@pytest.mark.parametrize("field", ["differences", "absent", "unread", "files", "imports"])
def test_anything_found_is_not_equal(field: str) -> None:
    assert not Proof("i", "sha256:1", (("base", 1),), **{field: ("something",)}).equal  # type: ignore[arg-type]


def test_what_is_missing_there_names_the_entry_that_installed_it() -> None:
    six = _package("pip", "six", "1.17.0", requested=True)
    (found,) = differences(
        _side([six], []), [_record("a.1", "pip", ("six",), Change(added=(six,)))]
    )
    assert (found.here, found.image, found.entry) == (six, None, "a.1")
    assert "a.1 installed it here" in found.fix


def test_another_version_names_the_entry_that_has_it() -> None:
    here, there = _package("conda", "six", "1.17.0"), _package("conda", "six", "1.16.0")
    records = [_record("a.1", "conda", ("six",), Change(added=(here,)))]
    (found,) = differences(_side([here], [there]), records)
    assert found.entry == "a.1"
    assert "a.1 has 1.17.0" in found.fix


def test_what_nobody_recorded_is_to_be_recorded() -> None:
    six = _package("pip", "six", "1.17.0", requested=True)
    (found,) = differences(_side([six], []), [])
    assert found.entry == ""
    assert "%envinstall --record-only --name base pip:six==1.17.0" in found.fix


def test_what_nobody_recorded_gone_is_to_be_removed() -> None:
    six = _package("pip", "six", "1.17.0")
    (found,) = differences(_side([], [six]), [])
    assert "%envremove --record-only --name base pip:six" in found.fix


def test_a_planned_entry_counts_for_what_it_names() -> None:
    six = _package("pip", "six", "1.17.0")
    (found,) = differences(_side([], [six]), [_record("a.1", "pip", ("six>=1",), None)])
    assert found.entry == "a.1"
    assert "a.1 asks for it, and it is not installed here" in found.fix


def test_a_debian_package_is_the_systems() -> None:
    hello = _package("apt", "hello", "2.10-3", build="amd64")
    newer = _package("apt", "hello", "2.10-4", build="amd64")
    records = [
        _record("b.1", "pip", ("hello",), Change(added=(_package("pip", "hello", "1"),))),
        _record("a.1", "apt", ("hello",), Change(added=(hello,))),
        _record("c.1", "pip", ("hello",), Change(added=(_package("pip", "hello", "2"),))),
    ]
    side = Side(None, "/", PackageSet((hello,)), PackageSet((newer,)))
    (found,) = differences(side, records)
    assert (found.where, found.entry) == ("system", "a.1")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({"source": "https://c.example/f"}, {"source": "https://c.example/f/"}, True),
        ({"source": "https://c.example/f"}, {"source": "https://c.example/g"}, False),
        ({"source": "https://a:b@c.example/f"}, {"source": "https://****@c.example/f"}, True),
        ({"source": "file:///a%20b"}, {"source": "file:///a b"}, True),
        ({"build": "py_0"}, {"build": "py_1"}, False),
        ({"sha256": "a"}, {"sha256": ""}, True),
    ],
)
def test_conda_packages_by_build_and_channel(
    one: dict[str, str], other: dict[str, str], equal: bool
) -> None:
    packages = [_package("conda", "six", "1", **details) for details in (one, other)]
    assert same(*packages) is equal


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ({}, {}, True),
        ({"source": "git+https://e.org/r@1"}, {"source": "git+https://e.org/r@2"}, False),
        ({"source": "git+https://u:p@e.org/r@1"}, {"source": "git+https://e.org/r@1"}, True),
        ({"source": "git+https://e.org/r@1"}, {}, False),
        ({"source": "file:///home/a.whl"}, {"source": "file:///tmp/a.whl"}, True),
        (
            {"source": "file:///home/a.whl", "sha256": "1"},
            {"source": "file:///tmp/a.whl", "sha256": "2"},
            False,
        ),
        ({"editable": True}, {"editable": False}, False),
    ],
)
def test_distributions_by_where_they_came_from(
    one: dict[str, object], other: dict[str, object], equal: bool
) -> None:
    packages = [_package("pip", "six", "1", **details) for details in (one, other)]
    assert same(*packages) is equal


def test_a_record_that_cannot_be_read_and_an_environment_that_is_not_there() -> None:
    broken = _package("conda", "six", "1.17.0", build="0")
    (said,) = unreadable(_side([broken], None))
    assert "six in base here cannot be read" in said
    (said,) = absent([_side([], None)])
    assert "no environment base" in said


_PACKAGES = st.lists(
    st.builds(
        Package,
        manager=st.sampled_from(["conda", "pip"]),
        name=st.sampled_from(["a", "b", "c"]),
        version=st.sampled_from(["1", "2"]),
        build=st.sampled_from(["", "0"]),
        source=st.sampled_from(["", "file:///x/a.whl", "https://c.example/f"]),
        sha256=st.sampled_from(["", "1", "2"]),
    ),
    max_size=5,
    unique_by=lambda package: package.key,
)


@settings(max_examples=150)
@given(_PACKAGES, _PACKAGES)
def test_differences_are_none_exactly_where_all_are_the_same(
    here: list[Package], image: list[Package]
) -> None:
    found = list(differences(_side(here, image), []))
    by_key = {package.key: package for package in image}
    equal = by_key.keys() == {package.key for package in here} and all(
        same(package, by_key[package.key]) for package in here
    )
    assert (not found) is equal
    assert len(found) == len({(each.where, each.package.key) for each in found})


# Labels


def test_the_recipes_hash_is_of_the_text_the_base_and_every_file() -> None:
    one = labels.recipe_hash("FROM x\n", "id", [("a", b"1"), ("b", b"2")])
    assert one == labels.recipe_hash("FROM x\n", "id", [("b", b"2"), ("a", b"1")])
    others = [
        ("FROM y\n", "id", [("a", b"1"), ("b", b"2")]),
        ("FROM x\n", "other", [("a", b"1"), ("b", b"2")]),
        ("FROM x\n", "id", [("a", b"1"), ("b", b"3")]),
        ("FROM x\n", "id", [("a", b"1")]),
        ("FROM x\n", "id", [("a", b"1b\0"), ("", b"2")]),
    ]
    assert one not in {labels.recipe_hash(*other) for other in others}


def test_a_label_holds_no_credential() -> None:
    assert pairs(["org.example.source=https://h.example/r.git", "a=b=c"]) == {
        "org.example.source": "https://h.example/r.git",
        "a": "b=c",
    }
    secret = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    for word in (
        *(f"of=https://me:{secret}@h.example/r.git", f"api-token={secret}", f"of=hvs.{secret}"),
        *(
            f"of=https://s3.example/x?X-Amz-Signature={secret}",
            f"of=eyJhbGciOiJI.eyJzdWIiOiIx.{secret}",
        ),
        *(f"of=machine h.example login me password {secret}", f"of=sk_live_{secret}"),
        *(f"of=dapi{secret}", f"of=Authorization: Bearer {secret}", f"of=lin_api_{secret}"),
    ):
        with pytest.raises(UsageError, match="credential") as caught:
            pairs([word])
        assert secret not in str(caught.value)


def test_a_changed_configuration_is_named_without_its_secrets() -> None:
    secret = "0f1e2d3c4b5a69788796"
    here = SideView(Root(), {"Env": ["A=1", f"HF_TOKEN={secret}x"], "Cmd": ["x"]})
    changed = {"Env": ["A=2", f"HF_TOKEN={secret}"], "Cmd": ["x", f"--token={secret}"]}
    found = [*facts(here, SideView(Root(), changed), Ways("x"), places={})]
    assert [each.name for each in found] == ["ENV A", "ENV HF_TOKEN", "CMD"]
    assert (found[0].here, found[0].image) == ("1", "2")
    assert secret not in str(found)


def test_labels_say_only_what_is_known() -> None:
    records = [_record("a1.1", "pip", ("six",), Change())]
    found = labels.labels(
        recipe="", records=records, base="base:1", base_digest="", now="2026-11-23T00:00:00+00:00"
    )
    assert found[labels.HISTORY] == "a1.1"
    assert found[labels.BASE] == "base:1"
    assert labels.RECIPE not in found
    assert labels.BASE_DIGEST not in found


# What a commit carries


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/jovyan/.netrc", "secrets"),
        ("/home/jovyan/.ssh/id_ed25519", "secrets"),
        ("/home/jovyan/.docker/config.json", "secrets"),
        ("/home/jovyan/.local/share/jupyter/runtime/jpserver-7.json", "secrets"),
        ("/home/jovyan/.local/share/jupyter/runtime/jupyter_cookie_secret", "secrets"),
        ("/home/jovyan/.config/pip/pip.conf", "secrets"),
        ("/home/jovyan/.config/containers/auth.json", "secrets"),
        ("/home/jovyan/.streamlit/secrets.toml", "secrets"),
        ("/home/jovyan/work/application_default_credentials.json", "secrets"),
        ("/home/jovyan/.cache/pip/http/0", "caches"),
        ("/opt/conda/pkgs/six.conda", "caches"),
        ("/var/lib/apt/lists/x", "caches"),
        ("/home/jovyan/analysis.ipynb", "home"),
        ("/tmp/x", "temporary"),
        ("/opt/conda/lib/python3.13/site-packages/six.py", "packages"),
        ("/opt/conda/ssl/cert.pem", "packages"),
        ("/usr/bin/hello", "packages"),
        ("/srv/data", "other"),
    ],
)
def test_kinds_of_files(path: str, kind: str) -> None:
    assert commit.kind_of(path, prefixes=["/opt/conda"], home="/home/jovyan") == kind


def test_what_deserves_a_look_comes_first(tmp_path: Path) -> None:
    sizes = {"project/big": 30, "project/small": 1, ".netrc": 5}
    for name, size in sizes.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * size)
    changes = [{"Path": str(tmp_path / name), "Kind": 1} for name in sizes]
    changes += [{"Path": str(tmp_path / "project"), "Kind": 0}]  # a folder
    changes += [{"Path": str(tmp_path / "gone"), "Kind": 2}]
    found = commit.sort(changes, prefixes=[], home=str(tmp_path))
    assert [(each.kind, each.files, each.size) for each in found] == [
        ("secrets", 1, 5),
        ("home", 2, 31),
    ]
    assert found[1].examples == (str(tmp_path / "project/big"), str(tmp_path / "project/small"))


# The family


def test_the_family_tree() -> None:
    today, chapter = stacks.families()
    assert today.date
    assert today.source.startswith("https://")
    assert len(chapter.stacks) == 8
    tensorflow = today.get("tensorflow-notebook")
    assert tensorflow is not None
    assert tensorflow.ancestors[:3] == ("scipy-notebook", "minimal-notebook", "base-notebook")
    assert tensorflow.has("pip", "tensorflow")
    assert tensorflow.has("conda", "pandas")
    assert tensorflow.has("apt", "pandoc")
    assert not tensorflow.has("apt", "pandas")


def test_who_installed_tensorflow_is_led_to_its_stack() -> None:
    today = stacks.family_of("registry.example.com/jupyter/scipy-notebook:2026-11-02")
    best, *others = stacks.candidates(today, [("pip", "tensorflow"), ("conda", "seaborn")])
    assert today.reference(best.stack) == "jupyter/tensorflow-notebook"
    assert best.left == ()
    assert all(len(other.has) < 2 for other in others)


def test_of_two_stacks_that_have_it_the_smaller_comes_first() -> None:
    today = stacks.families()[0]
    found = [each.stack.name for each in stacks.candidates(today, [("conda", "pandas")])]
    assert found[0] == "scipy-notebook"
    assert set(found) > {"datascience-notebook", "all-spark-notebook"}


def test_the_chapters_tag_leads_to_the_chapters_family() -> None:
    chapter = stacks.family_of("jupyter/scipy-notebook:82b978b3ceeb")
    stack = stacks.stack_of("jupyter/scipy-notebook:82b978b3ceeb", chapter)
    assert stack is not None
    assert chapter.reference(stack) == "jupyter/scipy-notebook:82b978b3ceeb"
    assert stack.has("conda", "vincent")


@pytest.mark.parametrize("index", [0, 1])
def test_a_stack_is_known_by_what_it_has(index: int) -> None:
    known = stacks.families()[index]
    for stack in known.stacks:
        found = stacks.likely_stack(known, [*stack.python, "more"], [*stack.debian, "more"])
        assert found is not None
        # what a Dockerfile gets without a package manager does not show
        assert (found.python, found.debian) == (stack.python, stack.debian)
    assert stacks.likely_stack(known, [], []) is None


# No engine in reach


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A working folder, and DOCKER_HOST that leads nowhere."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_without_an_engine_the_folder_is_written_instead(
    no_engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = remember("pip", ("six",), "six", "1.17.0")
    assert main(["image", "build", "--from", "base:1", "--style", "stacks"]) == 1
    said = capsys.readouterr().err
    assert "No container engine answers" in said
    assert "docker build --tag TAG jstackmagic-image" in said
    assert "DOCKER_HOST" in said
    written = (no_engine / "jstackmagic-image/Dockerfile").read_text()
    assert "ARG BASE_IMAGE=base:1" in written
    assert "'six==1.17.0'" in written
    assert written.endswith(f"COPY jstackmagic/history.jsonl {IMAGE_HISTORY}\n")
    copied = (no_engine / "jstackmagic-image/jstackmagic/history.jsonl").read_text()
    assert json.loads(copied.splitlines()[0])["id"] == record.id


@pytest.mark.parametrize("words", [["prove"], ["run"], ["commit", "x"]])
def test_every_verb_that_needs_an_engine_says_so(
    words: list[str], no_engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember("pip", ("six",), "six", "1.17.0")
    assert main(["image", *words]) == 1
    assert "No container engine answers" in capsys.readouterr().err


def test_a_socket_that_may_not_be_used_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        monkeypatch.setattr("jstackmagic.image.engine.dockersdk.DOCKER_SOCKET", str(path))
        monkeypatch.setattr(os, "access", lambda *_: False)
        with pytest.raises(NoEngine) as raised:
            connect({})
    assert f"NB_GID={path.stat().st_gid}" in str(raised.value)


def test_nothing_asks_the_engine_unless_a_verb_of_image_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        server.setblocking(False)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        remember("pip", ("six",), "six", "1.17.0")
        for words in (["info"], ["history"], ["export", "dockerfile", "--fragment"]):
            assert main(words) == 0
        main(["export", "jupyterhub"])
        main(["export", "--all", str(tmp_path / "all")])
        assert main(["image", "suggest"]) == 0
        with pytest.raises(BlockingIOError):
            server.accept()


# What is built, and on what


@pytest.mark.parametrize("style", ["stacks", "legacy", "plain"])
def test_hadolint_has_nothing_to_say_of_what_is_sent(style: str, no_engine: Path) -> None:
    remember("pip", ("six",), "six", "1.17.0")
    remember("apt", ("hello",), "hello", "2.10-3")
    main(["image", "build", "--from", "base:1", "--style", style])
    program = shutil.which("hadolint", path=Path(sys.executable).parent)
    assert program is not None
    # the stacks' own exceptions
    ignored = [f"--ignore={rule}" for rule in ("DL3006", "DL3008", "DL3013", "DL3066")]
    command = [program, *ignored, str(no_engine / "jstackmagic-image/Dockerfile")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


# What users type


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["build", "Not A Name"], "not an image's name"),
        (["prove", "Not A Name"], "not an image's name"),
        (["run", "--rm"], "unrecognized"),
        (["commit", "a:b:c"], "not an image's name"),
        (["build", "--file", "nowhere/Dockerfile"], "There is no file"),
        ([], "required"),
        (["build", "--builder", "other"], "invalid choice"),
        (["build", "x:1", "--output", "x.tar", "--builder", "engine"], "Layers, as --output has"),
        (["build", "x:1", "--output", "x.tar", "--secret", "id=a,env=A"], "Layers, as --output"),
        (["build", "--output", "x.tar"], "Layers, as --output has them"),
        (["build", "x:1", "--builder", "layers"], "names a registry"),
    ],
)
def test_a_mistake_starts_nothing(
    words: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert main(["image", *words]) == 2
    assert problem in capsys.readouterr().err


def test_suggest(capsys: pytest.CaptureFixture[str]) -> None:
    remember("pip", ("pandas",), "pandas", "3.0")
    assert main(["image", "suggest", "--from", "registry.example.com/jupyter/base-notebook"]) == 0
    said = capsys.readouterr().out
    assert "scipy-notebook has pandas already" in said
    assert "In place of base-notebook" in said
    assert "github.com/jupyter/docker-stacks" in said


def export_on(image: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["export", "dockerfile", *(["--from", image] if image else [])]) == 0
    said = capsys.readouterr()
    return said.out + said.err


def test_an_export_says_which_stack_has_it_already(capsys: pytest.CaptureFixture[str]) -> None:
    remember("pip", ("tensorflow",), "tensorflow", "2.20")
    hint = "tensorflow-notebook has tensorflow already: jstackmagic image suggest"
    for larger, smaller in (("scipy-notebook", False), ("all-spark-notebook", True)):
        today = stacks.families()[0]
        base, other = today.get(larger), today.get("tensorflow-notebook")
        assert base is not None
        assert other is not None
        assert (other.size < base.size) is smaller
        assert hint in export_on(f"registry.example.com/jupyter/{larger}:2026-11-02", capsys)
    for image in ("jupyter/tensorflow-notebook", "example.com/other:1"):
        assert "already" not in export_on(image, capsys)


def test_where_nothing_names_the_image_its_contents_tell(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is here is made up: an image of the Docker Stacks cannot be had without a registry."""
    stack = stacks.families()[0].get("scipy-notebook")
    assert stack is not None
    python = [_package("conda", name, "1") for name in stack.python]
    python += [_package("pip", "tensorflow", "2.20")]  # of tensorflow-notebook, and not the image's
    debian = [_package("apt", name, "1") for name in stack.debian]
    here = PackageSet((*python, *debian))
    monkeypatch.setattr(stacks, "read_packages", lambda _environment: here)
    monkeypatch.setattr(stacks, "look", lambda: replace(look(), stacks=True, image=None))
    remember("pip", ("tensorflow",), "tensorflow", "2.20")
    said = export_on("", capsys)
    assert "ARG BASE_IMAGE=jupyter/scipy-notebook\n" in said
    assert "by what is in it, it is jupyter/scipy-notebook" in said
    assert "tensorflow-notebook has tensorflow already" in said


# The history that an image has


@pytest.fixture
def image_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An image's own history, of one record, where a kernel in that image looks for it."""
    path = tmp_path / "image.jsonl"
    with monkeypatch.context() as patch:
        patch.setenv("JSTACKMAGIC_HISTORY", str(path))
        remember("pip", ("six",), "six", "1.17.0")
    for module in ("history.file", "commands.history", "commands._records"):
        monkeypatch.setattr(f"jstackmagic.{module}.IMAGE_HISTORY", path)
    return path


def test_a_kernel_in_the_image_knows_its_past(
    image_history: Path, history_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["history"]) == 0
    said = capsys.readouterr().out
    assert "install six" in said
    assert f"made from ({image_history})" in said
    assert not history_file.exists()
    remember("pip", ("attrs",), "attrs", "25.3.0")
    six, attrs = Session().history.records()
    assert (six.request.texts, attrs.request.texts) == (("six",), ("attrs",))
    assert history_file.read_bytes().startswith(image_history.read_bytes())
    assert history_file.stat().st_mode & 0o777 == 0o600
    assert list(history_file.parent.glob("*.partial")) == []
    assert "'six==1.17.0'" in export_on("x:1", capsys)


def test_who_has_a_history_can_still_read_the_images(
    image_history: Path, history_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history_file.touch()
    remember("pip", ("attrs",), "attrs", "25.3.0")
    assert main(["history"]) == 0
    assert "six" not in capsys.readouterr().out
    assert main(["history", "--image"]) == 0
    assert "install six" in capsys.readouterr().out


# The secrets that a Dockerfile asks for

PRIVATE = "https://me:hunter2@pypi.example.com/simple"


def _context(**secrets: str) -> BuildContext:
    return BuildContext(Path(), parse_tag("x"), secrets=secrets)


def test_a_secret_that_this_kernels_settings_have_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _context(pip_index_url="https://****@pypi.example.com/simple")
    monkeypatch.setenv("PIP_INDEX_URL", PRIVATE)
    assert completed(asked.secrets, {}) == {"pip_index_url": PRIVATE.encode()}
    said = {"pip_index_url": b"another"}
    assert completed(asked.secrets, said) == said


def test_a_secret_that_nobody_has_stops_the_build() -> None:
    asked = _context(pip_index_url="https://****@pypi.example.com/simple")
    with pytest.raises(UsageError, match="never recorded") as raised:
        completed(asked.secrets, {"other": b""})
    assert "--secret id=pip_index_url,src=FILE" in str(raised.value)


# A server's own words


def test_a_servers_url_is_shown_with_its_token() -> None:
    """It is what the user asked for: only what is recorded or exported has no credential."""
    server = Server("ab", "name", "image:1", "http://127.0.0.1:8888/?token=0123456789abcdef")
    assert "token=0123456789abcdef" in as_text(Running(server).parts())
    assert "token=0123456789abcdef" in as_html(Running(server).parts())


@pytest.mark.parametrize(
    ("text", "published"),
    [
        ("8888", ("8888/tcp", "", None)),
        ("8889:8888", ("8888/tcp", "", 8889)),
        ("127.0.0.1:8889:8888/udp", ("8888/udp", "127.0.0.1", 8889)),
        ("127.0.0.1::8888", ("8888/tcp", "127.0.0.1", None)),
    ],
)
def test_a_port_is_read_as_docker_does(text: str, published: tuple[str, str, int | None]) -> None:
    assert port(text) == published


@pytest.mark.parametrize("text", ["", "x", "8888:", "99999", "1:2:3:4", "-1:8888"])
def test_what_is_no_port_starts_nothing(text: str) -> None:
    with pytest.raises(UsageError, match="not a port"):
        port(text)


def test_a_mount_is_read_as_docker_does() -> None:
    assert mount("/data") == ("/data", "", False)
    assert mount("/data:/home/jovyan") == ("/data", "/home/jovyan", False)
    assert mount("/data:/x:ro") == ("/data", "/x", True)
    for text in ("/data:home", "/data:/x:z"):
        with pytest.raises(UsageError, match="not a mount"):
            mount(text)


# What a failed step says


@pytest.mark.parametrize(
    ("said", "blamed"),
    [
        (
            ("Collecting six", "Collecting toolz", "ERROR: No matching distribution for toolz"),
            "toolz",
        ),
        (("Collecting six", "E: Unable to locate package toolz"), "toolz"),
        (("Collecting six", "OSError: [Errno 28] No space left on device: 'six'"), "disk"),
    ],
)
def test_a_failed_step_blames_what_its_error_names(said: tuple[str, ...], blamed: str) -> None:
    recipe = Recipe((_step("pip", "six", "toolz"),))
    log = BuildLog()
    log.take({"stream": "Step 1/1 : RUN pip install 'six==1' 'toolz==2'\n"}, 0.0)
    (step,) = log.steps
    step.write("".join(f"{line}\n" for line in said))
    found = blame(recipe, step)
    assert blamed in found
    assert "six>=1" not in found


def test_an_engine_that_went_away_is_said() -> None:
    for error in (
        ConnectionResetError("cut"),
        requests.ConnectionError("cut"),
        requests.exceptions.ChunkedEncodingError("cut"),
        ProtocolError("cut"),
        json.JSONDecodeError("", "", 0),
    ):
        with pytest.raises(EngineError, match="the engine went away"), speaking("It stopped"):
            raise error


def test_a_file_is_of_the_innermost_environment_alone() -> None:
    places = {"/opt/conda": "base", "/opt/conda/envs/python2": "python2"}
    inner, outer = (f"{prefix}/lib/six.py" for prefix in reversed(places))
    six, hello = Owned(("conda", "six")), Owned(("apt", "hello"))
    explained = {("/opt/conda", six.key), ("", hello.key)}
    assert is_explained(outer, six, explained, places)
    assert not is_explained(inner, six, explained, places)
    assert is_explained("/usr/bin/hello", hello, explained, places)
    assert place_of(inner, places) == "python2"
    assert place_of("/opt/conda-not/x", places) == "system"


def test_a_certificate_without_a_key_is_no_secret(tmp_path: Path) -> None:
    public, private = tmp_path / "ca.pem", tmp_path / "key.pem"
    public.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    private.write_text(public.read_text() + "-----BEGIN PRIVATE KEY-----\nx\n")
    changes = [{"Path": str(path), "Kind": 1} for path in (public, private)]
    (secret, *_) = commit.sort(changes, prefixes=(), home="/nowhere")
    assert (secret.kind, secret.examples) == ("secrets", (str(private),))


def test_an_export_after_a_build_knows_the_base(
    history_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember("pip", ("six",), "six", "1.17.0")
    note_image("made:1", Session().history, base="registry.example.com/base:1@sha256:" + "ab" * 32)
    assert main(["export", "dockerfile"]) == 0
    said = capsys.readouterr()
    assert "ARG BASE_IMAGE=registry.example.com/base:1@sha256:ab" in said.out
    assert "is not known" not in said.err


def test_what_follows_two_dashes_is_a_tag(
    no_engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remember("pip", ("six",), "six", "1.17.0")
    assert main(["image", "build", "--from", "base:1", "--", "my:tag"]) == 1
    assert "docker build --tag my:tag" in capsys.readouterr().err


def test_what_a_proof_compares_is_a_table_and_needs_no_engine(
    no_engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image", "prove", "--explain"]) == 0
    said = capsys.readouterr().out
    page = Path(__file__).parents[2] / "docs/image.md"
    for what, shallow, deep in COVERAGE:
        assert what in said
        assert f"| {what} | {shallow} | {deep} |" in page.read_text()


@pytest.mark.parametrize(
    "path", ["/", "//", "/usr", "/opt", "relative", "/data", "/data/x", sys.prefix]
)
def test_what_is_needed_or_mounted_is_not_put_back(path: str) -> None:
    container = Container("ab", "name", "image:1", "sha256:1", (Mount("/host", "/data"),))
    with pytest.raises(UsageError) as raised:
        restore(None, container, [path])  # type: ignore[arg-type]  # no engine is asked
    assert "Nothing was changed" in str(raised.value)
