"""What a pip or a uv that was cut off leaves is found and taken away, and nothing else."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from jstackmagic.managers.pip.cutoff import clear, left_over, note, sentences
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Plan
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read_all
from jstackmagic.where.detect import detect
from support.environments import PYTHON, make_uv_venv, uv
from support.wheels import build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    files = {"app/__init__.py": "x = 1\n", "app/data/table.csv": "a,b\n"}
    for version in ("1.0", "2.0"):
        build_wheel(tmp_path / "wheels", "app", version, modules=files)
    build_wheel(tmp_path / "wheels", "other", "1.0")
    return make_uv_venv(tmp_path / "venv")


def site(venv: Path) -> Path:
    return venv / f"lib/{PYTHON}/site-packages"


def install(venv: Path, *specs: str) -> None:
    links = str(venv.parent / "wheels")
    uv("pip", "install", "--no-index", "--find-links", links, *specs, prefix=venv)


def noted(venv: Path) -> tuple[dict[str, tuple[str, ...]], int]:
    """What is written down before an install of app 2.0."""
    environment = detect(venv)
    request = Request("install", "pip", read_all("pip", ["app"]))
    change = Change(added=(Package("pip", "app", "2.0"),))
    marks = note(Plan(request, environment, "uv", (), change=change))
    time.sleep(0.03)  # a file's time has the grain of the kernel's clock
    since = time.time_ns()
    time.sleep(0.03)
    return marks, since


def without_metadata(venv: Path) -> None:
    (site(venv) / "app-2.0.dist-info/METADATA").unlink()


def twice(venv: Path) -> None:
    shutil.copytree(site(venv) / "app-2.0.dist-info", site(venv) / "app-1.0.dist-info")


def short(venv: Path) -> None:
    (site(venv) / "app/data/table.csv").unlink()


def changed(venv: Path) -> None:
    path = site(venv) / "app/__init__.py"
    path.unlink()  # a link into uv's cache
    path.write_text("x = 0\n")


def not_finished(venv: Path) -> None:
    record = site(venv) / "app-2.0.dist-info/RECORD"
    lines = [line for line in record.read_text().splitlines() if "INSTALLER" not in line]
    record.write_text("\n".join(lines))


def strays(venv: Path) -> None:
    shutil.rmtree(site(venv) / "app-2.0.dist-info")
    for number in range(200):
        (site(venv) / f"app/stray{number}.py").write_text("")


def aside(venv: Path) -> None:
    (site(venv) / "app").rename(site(venv) / "~pp")
    (site(venv) / "app-2.0.dist-info").rename(site(venv) / "~pp-2.0.dist-info")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (without_metadata, "app: it has no METADATA"),
        (twice, "app: two of it: app-1.0.dist-info, app-2.0.dist-info"),
        (short, "app: 1 of its"),
        (changed, "app: 1 of its"),
        (not_finished, "app: its installation was not finished"),
        (strays, "Files of no package: "),
        (aside, "Files of no package: "),
    ],
)
def test_what_is_half_there_is_said_and_taken_away(
    venv: Path, damage: Callable[[Path], None], said: str
) -> None:
    install(venv, "other")
    (site(venv) / "mine.py").write_text("of the user\n")
    marks, since = noted(venv)
    before = {*site(venv).iterdir()}
    install(venv, "app")
    damage(venv)
    left = left_over(detect(venv), marks, since)
    assert any(said in each for each in sentences(left, detect(venv)))
    clear(left)
    assert {*site(venv).iterdir()} == before
    install(venv, "app")
    assert not sentences(left_over(detect(venv), marks, since), detect(venv))


def test_the_clock_was_set_back_meanwhile(venv: Path) -> None:
    """As after a machine's sleep: what came has an earlier time than the beginning."""
    marks, since = noted(venv)
    before = {*site(venv).iterdir()}
    install(venv, "app")
    strays(venv)
    clear(left_over(detect(venv), marks, since + 3600 * 10**9))
    assert {*site(venv).iterdir()} == before


def test_what_is_whole_is_left_alone(venv: Path) -> None:
    """Also what came meanwhile and belongs to a package, and what a package made itself."""
    marks, since = noted(venv)
    install(venv, "app", "other")
    left = left_over(detect(venv), marks, since)
    assert (left.broken, left.folders, left.files) == ({}, (), ())
    assert sentences(left, detect(venv)) == ()


def test_a_file_of_the_user_beside_a_broken_package_stays(venv: Path) -> None:
    install(venv, "app==1.0")
    mine = site(venv) / "app/mine.txt"
    mine.write_text("notes\n")
    marks, since = noted(venv)
    (site(venv) / "app/__init__.py").unlink()
    left = left_over(detect(venv), marks, since)
    assert "app" in left.broken
    clear(left)
    assert mine.read_text() == "notes\n"
    assert os.listdir(site(venv) / "app") == ["mine.txt"]


def test_a_probe_of_rattlers_that_links_to_a_folder_stops_no_repair(tmp_path: Path) -> None:
    from jstackmagic.managers.conda.rattler.journal import Journal
    from jstackmagic.managers.conda.rattler.linking import _sweep

    metadata = tmp_path / "conda-meta"
    metadata.mkdir()
    (metadata / "prefix_record_abcdef").touch()
    (tmp_path / "symtest_ae308b5f-6de9-40ed-a7ab-896d1ff54abf").symlink_to(metadata)
    (tmp_path / ".refprobe-abcdef").mkdir()
    empty = tmp_path / "lib/app-1.0.dist-info"
    empty.mkdir(parents=True)
    _sweep(str(tmp_path), Journal(folders=("lib/app-1.0.dist-info",)))
    assert [path.name for path in tmp_path.rglob("*")] == ["conda-meta"]
