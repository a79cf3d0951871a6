"""Our own packages: jstackmagic, and what is here for nothing but jstackmagic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.export._own import Own
from jstackmagic.export.dockerfile import render
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import ExportError
from jstackmagic.model.packages import Package
from jstackmagic.model.recipe import Item, Recipe, RecipeStep
from jstackmagic.model.spec import read
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import read_packages
from jstackmagic.where.ours import asked_for, described, extras_here, only_ours, ours_in
from support.environments import make_venv, uv
from support.verbs import verb
from support.wheels import build_wheel

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
    recipe = Recipe((RecipeStep("pip", here, (asked,)),))
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
    requested = {each.package.name: each.package.requested for each in drift.differences}
    assert requested == {"docker": True, "requests": False, "six": True}, "uv itself marks all"
    assert drift.unexplained == (), "what the record asked for needs the other"


def test_the_layer_that_puts_us_into_an_image(venv: Path) -> None:
    step = Own.at(detect(str(venv)), Recipe()).step()
    assert step is not None
    artifact = render(Recipe(), base_image="debian:12", own=step)
    assert "'jstackmagic[fast]==0.1.0'" in artifact.text
    (versions,) = artifact.files
    assert versions.source == b"docker==7.1.0\npackaging==24.0\nrequests==2.32.0\nuv==0.13.0\n"
    assert f"COPY {versions.name} /tmp/{versions.name}\n" in artifact.text


@pytest.mark.parametrize("origin", ["wheel", "project"])
def test_what_came_from_a_file_goes_there_as_that_file(tmp_path: Path, origin: str) -> None:
    prefix = make_venv(tmp_path / "venv", pip=False)
    if origin == "wheel":
        place = build_wheel(tmp_path / "my wheels", "jstackmagic", "0.1.0")
        uv("pip", "install", place, prefix=prefix)
    else:
        place = tmp_path / "project"
        place.mkdir()
        (place / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            '[project]\nname = "jstackmagic"\nversion = "0.1.0"\n'
            "[tool.setuptools]\npy-modules = []\n"
        )
        uv("pip", "install", "--editable", place, prefix=prefix)
    own = Own.at(detect(str(prefix)), Recipe())
    artifact = render(Recipe(), base_image="debian:12", own=own.step())
    (file,) = artifact.files
    assert file.source == str(place)
    assert f"COPY {file.name} " in artifact.text
    assert ("--editable" in artifact.text) is (origin == "project")


def test_whether_an_image_will_have_us(venv: Path) -> None:
    environment = detect(str(venv))
    own = Own.at(environment, Recipe())
    who = "jstackmagic 0.1.0 and 4 packages that only it needs"
    assert own.in_image(added=True) == f"The image will have {who}."
    assert own.in_image(added=False) == (
        f"The image will not have {who}: --with-jstackmagic puts them there."
    )
    assert own.in_file() == f"{who} are not in this."
    item = Item(read("pip", "jstackmagic"), "jstackmagic", "0.1.0")
    asked = Own.at(environment, Recipe((RecipeStep("pip", environment.ref, (item,)),)))
    assert asked.in_image(added=True) == "The image will have jstackmagic: a record asks for it."
    assert (asked.step(), asked.in_file()) == (None, "")


def test_where_we_are_not_installed_nothing_is_said_and_nothing_put_there(tmp_path: Path) -> None:
    own = Own.at(detect(str(make_venv(tmp_path / "venv", pip=False))), Recipe())
    assert (own.in_image(added=False), own.in_file()) == ("", "")
    with pytest.raises(ExportError, match="jstackmagic is not installed in"):
        own.step()
