"""The next image that a report suggests, built, and held against the people's recipes."""

from __future__ import annotations

import os
import shutil
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import UsageError
from jstackmagic.report.folders import USUAL, histories, report_on
from jstackmagic.report.nextimage import Suggestion, suggest
from jstackmagic.report.person import Filter
from support import stacks
from support.engine import host
from support.people import WHO, Home
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

    from docker import DockerClient


def suggested(homes: Path, covers: float, least: int = 1) -> Suggestion:
    return suggest(report_on(histories([homes]), Filter()), covers, least)


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    for number in range(8):
        Home(tmp_path, f"user-{number}").installs("conda", "numpy", f"2.{number // 6}")
    for number in range(4):
        Home(tmp_path, f"user-{number}").installs("pip", "pandas[excel]>=2", "2.3")
    Home(tmp_path, "user-7").installs("pip", "rare", "1.0")
    Home(tmp_path, "user-7").waits("libgl1", "plots")
    return tmp_path


def test_the_most_installed_until_enough_is_covered(homes: Path) -> None:
    some = suggested(homes, 0.6)
    assert [name for name, _ in some.baked] == [("conda", "numpy")]
    more = suggested(homes, 0.9)
    assert [name for name, _ in more.baked] == [("conda", "numpy"), ("pip", "pandas")]
    assert more.covered == pytest.approx(12 / 13)
    apt, conda, pip = more.recipe.steps
    assert [item.text for item in apt.install] == ["libgl1"]
    assert [(item.text, item.version) for item in conda.install] == [("numpy", "2.0")]
    assert [(item.text, item.version) for item in pip.install] == [("pandas[excel]", "2.3")]
    assert "12 installs" not in "".join(more.sentences())
    assert "pip:rare (1)" in "".join(more.sentences())
    assert "pip:rare" not in "".join(suggested(homes, 0.9, least=2).sentences())


def test_what_only_one_home_has_is_not_baked_in(homes: Path) -> None:
    own = EnvironmentRef("venv", None, "/home/jovyan/venv", "3.12.3")
    ada = Home(homes, "ada")
    for _ in range(40):
        ada.installs("pip", "./mine-1.0.whl")
    record = ada.installs("pip", "private", "1.0")
    path = homes / "ada" / USUAL
    path.write_text(path.read_text().replace(record.environment.prefix, own.prefix))
    baked = [name for name, _ in suggested(homes, 1.0).baked]
    assert ("pip", "mine") not in baked
    assert ("pip", "private") not in baked


def test_as_a_dockerfile(homes: Path, tmp_path: Path) -> None:
    found = verb("report", homes, "--suggest", "--covers", "90%", "-o", tmp_path / "Dockerfile")
    text = (tmp_path / "Dockerfile").read_text()
    assert "USER ${NB_UID}" in text
    assert "USER ${NB_UID}" not in verb("report", homes, "--suggest", "--style", "plain").text
    assert f"ARG BASE_IMAGE={WHO.image}" in text
    assert all(each in text for each in ("'libgl1'", "'numpy=2.0'", "'pandas[excel]==2.3'"))
    assert "92% of all installs superfluous with 2 packages" in str(found)
    for wrong in ("0", "120%", "most"):
        with pytest.raises(UsageError, match="not a share"):
            verb("report", homes, "--suggest", "--covers", wrong)


def in_container(client: DockerClient, image: str, script: str) -> str:
    """What a user's commands show in a new container of an image."""
    container = stacks.idle(client, image)
    try:
        status, shown = container.exec_run(
            ["bash", "-c", f"export JSTACKMAGIC_HISTORY=$HOME/history.jsonl; {script}"],
            user="jovyan",
            workdir="/home/jovyan",
        )
        assert status == 0, shown.decode()
        return str(shown.decode())
    finally:
        container.remove(force=True, v=True)


@pytest.mark.docker
def test_the_suggested_image_leaves_their_replays_nothing_to_do(
    docker_engine: DockerClient,
    jstackmagic_image: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three people install in containers of the same image; two need no replay in the next one."""
    monkeypatch.setenv("DOCKER_HOST", host())
    shutil.copytree(
        stacks.known(docker_engine, jstackmagic_image),
        os.environ["XDG_CACHE_HOME"],
        dirs_exist_ok=True,
    )
    homes = tmp_path / "homes"
    said = {
        "ada": "install pymongo=4.10.1 pip:twitter==1.19.6",
        "bob": "install pymongo=4.10.1",
        "eve": "install pip:twitter==1.19.6 conda:six=1.16.0",
    }
    tag = f"jstackmagic-tests/next-{os.getpid()}:1"
    for name, words in said.items():
        shown = in_container(
            docker_engine, jstackmagic_image, f"jstackmagic {words} && cat $JSTACKMAGIC_HISTORY"
        )
        path = homes / name / USUAL
        path.parent.mkdir(parents=True)
        kept = [each for each in shown.splitlines(keepends=True) if each.startswith('{"v"')]
        path.write_text("".join(kept))
    file = tmp_path / "next/Dockerfile"
    words = ("--covers", "70%", "--from", jstackmagic_image, "-o", file)
    shown = str(verb("report", homes, "--suggest", *words))
    assert "conda:six" in shown.partition("Left out")[2]
    try:
        stacks.build(docker_engine, tag, file.parent)
        found = verb("report", homes, "--against", tag)
        assert (found.people, found.exact, found.versions) == (3, 2, 2)
        assert found.left == (("conda:six", 1),)
        assert "is there already" in in_container(
            docker_engine,
            tag,
            f"echo {b64encode((homes / 'ada' / USUAL).read_bytes()).decode()} | base64 -d > h.jsonl"
            " && python -c 'import twitter, pymongo'"
            " && JSTACKMAGIC_HISTORY=$PWD/h.jsonl jstackmagic replay",
        )
        before = verb("report", homes, "--against", jstackmagic_image)
        assert (before.exact, dict(before.left)["conda:pymongo"]) == (0, 2)
    finally:
        docker_engine.images.remove(tag, force=True)
