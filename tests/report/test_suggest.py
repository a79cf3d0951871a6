"""The next image that a report suggests; tests/hub/test_containers.py builds and proves one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import UsageError
from jstackmagic.report.folders import USUAL, histories, report_on
from jstackmagic.report.person import Filter
from jstackmagic.report.suggest import Suggestion, suggest
from support.people import WHO, Home
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path


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
        with pytest.raises(UsageError, match="no share"):
            verb("report", homes, "--suggest", "--covers", wrong)
