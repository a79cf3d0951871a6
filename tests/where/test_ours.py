"""Our own packages: jstackmagic, and what is here for nothing but jstackmagic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.packages import Package
from jstackmagic.model.recipe import Item, Recipe, Step
from jstackmagic.model.spec import read
from jstackmagic.where.environment import detect
from jstackmagic.where.ours import asked_for, described, extras_here, only_ours, ours_in
from jstackmagic.where.packages import read_packages
from support.environments import make_venv, uv
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

    from support.wheels import WheelIndex

NEEDS = {
    "jstackmagic": ("docker", "ipython", "packaging"),
    "docker": ("requests",),
    "requests": ("urllib3",),
    "urllib3": (),
    "ipython": ("packaging",),
    "packaging": (),
    "pandas": ("numpy",),
    "numpy": (),
}
"""What each package of an environment needs."""


@pytest.mark.parametrize(
    ("more", "others", "ours"),
    [
        ({}, "", "jstackmagic docker requests urllib3 ipython packaging"),
        # another package needs it, or what needs it
        ({"twitter": ("requests",)}, "", "jstackmagic docker ipython packaging"),
        ({"pandas": ("packaging",)}, "", "jstackmagic docker requests urllib3 ipython"),
        ({"docker-compose": ("docker",)}, "", "jstackmagic ipython packaging"),
        # ipython of the image, and what that needs
        ({}, "ipython", "jstackmagic docker requests urllib3"),
        # the user asked for it
        ({}, "requests", "jstackmagic docker ipython packaging"),
        ({}, "urllib3", "jstackmagic docker requests ipython packaging"),
        # jstackmagic itself was asked for, or another package needs it
        ({}, "jstackmagic", ""),
        ({"lab-extension": ("jstackmagic",)}, "", ""),
        # packages that need each other
        (
            {"urllib3": ("requests",)},
            "",
            "jstackmagic docker requests urllib3 ipython packaging",
        ),
        ({"urllib3": ("requests",)}, "urllib3", "jstackmagic docker ipython packaging"),
        # what is not installed is needed in vain
        ({"docker": ("requests", "pywin32")}, "ipython", "jstackmagic docker requests urllib3"),
    ],
)
def test_which_packages_are_only_ours(
    more: dict[str, tuple[str, ...]], others: str, ours: str
) -> None:
    needs = {("pip", who): [("pip", name) for name in whom] for who, whom in (NEEDS | more).items()}
    found = only_ours(needs, {("pip", name) for name in others.split()})
    assert found == {("pip", name) for name in ours.split()}


def test_what_conda_brought_is_not_ours_and_neither_is_what_it_needs() -> None:
    own, docker, requests = ("pip", "jstackmagic"), ("conda", "docker"), ("pip", "requests")
    needs = {own: [docker], docker: [requests], requests: []}
    assert only_ours(needs, ()) == {own}


def test_without_jstackmagic_nothing_is_ours() -> None:
    assert only_ours({("pip", "docker"): [("pip", "requests")], ("pip", "requests"): []}, ()) == (
        frozenset()
    )


def test_what_a_record_asked_for_is_of_its_environment() -> None:
    here, other = (EnvironmentRef("venv", None, prefix, "3.12") for prefix in ("/a", "/b"))
    asked = Item(read("pip", "requests>=2"), "requests")
    recipe = Recipe((Step("pip", here, (asked,)),))
    assert asked_for(recipe, "/a/") == {("pip", "requests")}
    assert asked_for(recipe, other.prefix) == set()


def test_in_words() -> None:
    own = Package("pip", "jstackmagic", "0.1.0")
    docker, tqdm = Package("pip", "docker", "7"), Package("pip", "tqdm", "4")
    assert described([own]) == "jstackmagic 0.1.0"
    assert described([own, docker]) == "jstackmagic 0.1.0 and 1 package that only it needs"
    assert described([docker, tqdm]) == "2 packages that only jstackmagic needs"


@pytest.fixture
def venv(tmp_path: Path, wheel_index: WheelIndex) -> Path:
    """A virtual environment in which somebody typed ``pip install jstackmagic[fast]``."""
    wheel_index.add("packaging", "24.0")
    wheel_index.add("requests", "2.32.0")
    wheel_index.add("docker", "7.1.0", requires=["requests"])
    wheel_index.add("uv", "0.13.0")
    wheel_index.add("h2", "4.1.0")
    wheel_index.add("twitter", "1.19.6", requires=["requests"])
    wheel_index.add(
        "jstackmagic",
        "0.1.0",
        requires=["docker>=7", "packaging", "absent; python_version < '3'"],
        extras={"all": ["jstackmagic[fast,image]"], "fast": ["uv"], "image": ["h2"]},
    )
    prefix = make_venv(tmp_path / "venv")
    uv("pip", "install", "--index-url", wheel_index.url, "jstackmagic[fast]", prefix=prefix)
    return prefix


def test_in_a_real_environment(venv: Path, wheel_index: WheelIndex) -> None:
    def names(*others: str) -> list[str]:
        here = read_packages(environment, ("pip",))
        return [p.name for p in ours_in(environment, here, {("pip", name) for name in others})]

    environment = detect(str(venv))
    assert names("pip") == ["jstackmagic", "docker", "packaging", "requests", "uv"]
    assert extras_here(environment, read_packages(environment, ("pip",))) == ("fast",)
    assert verb("diff", "--prefix", venv).drifts[0].differences == ()
    shown = str(verb("diff", "--prefix", venv))
    assert "jstackmagic 0.1.0 and 4 packages that only it needs: here beside these" in shown
    verb("diff", "--adopt", "--prefix", venv)
    uv("pip", "install", "--index-url", wheel_index.url, "twitter", prefix=venv)
    drift = verb("diff", "--prefix", venv).drifts[0]
    assert {each.package.name for each in drift.differences} == {"twitter", "requests"}
    assert [each.name for each in drift.ours] == ["jstackmagic", "docker", "packaging", "uv"]


def test_what_the_user_asked_for_too_is_not_ours(venv: Path, wheel_index: WheelIndex) -> None:
    wheel_index.add("six", "1.17.0")
    verb("install", "--prefix", venv, "pip:docker", "pip:six", "-i", wheel_index.url)
    drift = verb("diff", "--prefix", venv).drifts[0]
    assert [each.name for each in drift.ours] == ["jstackmagic", "packaging", "uv"]
    assert {each.package.name for each in drift.unexplained} == {"docker", "requests"}
