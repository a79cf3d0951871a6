"""A fourth manager, in one module and one entry of the list, gets what the other three have."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from jstackmagic.image.installed import packages_of
from jstackmagic.image.layers.gather import Gathered, gather
from jstackmagic.image.prove.proof import Side, Ways, differences, unreadable
from jstackmagic.image.root import Root, apply, archive
from jstackmagic.managers.needs import broken_by, needed
from jstackmagic.model import managers
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import CommandFailed, InvalidSpec
from jstackmagic.model.ledger import Ledger
from jstackmagic.model.packages import Change, Need, Package, PackageSet
from jstackmagic.model.plan import Outcome
from jstackmagic.model.policy import Policy
from jstackmagic.model.record import Record
from jstackmagic.model.request import Request
from jstackmagic.model.spec import read, read_all
from jstackmagic.restore.kept import Store
from jstackmagic.session import Session
from jstackmagic.where import baseline
from jstackmagic.where.detect import detect
from jstackmagic.where.metadata import files_of
from jstackmagic.where.ours import dependants
from jstackmagic.workers.cargo import load
from support import toymanager
from support.environments import make_venv
from support.verbs import verb

if TYPE_CHECKING:
    from jstackmagic.model.environment import Environment


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managers, "MANAGERS", (*managers.MANAGERS, toymanager.LISTED))


@pytest.fixture
def venv(tmp_path: Path, home: Path) -> Environment:
    return detect(make_venv(tmp_path / "venv", pip=False))


def toys(environment: Environment) -> dict[str, str]:
    return {each.name: each.version for each in toymanager.installed(environment, Path("/"))}


def test_install_record_and_undo(venv: Environment) -> None:
    where = ("--prefix", venv.prefix)
    verb("install", *where, "toy:robot==1.0", "toy:train")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}
    (record,) = Session().history.records()
    assert (record.request.manager, record.engine) == ("toy", "toy")
    assert [package.version for package in record.outcome.resolved] == ["1.0", "1.1"]
    verb("install", *where, "--toy", "robot")
    assert toys(venv)["robot"] == "2.0"
    verb("undo")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}
    verb("remove", *where, "toy:train")
    assert toys(venv) == {"robot": "1.0"}
    verb("undo")
    assert toys(venv) == {"robot": "1.0", "train": "1.1"}


def test_what_it_refuses_changes_nothing(venv: Environment) -> None:
    with pytest.raises(CommandFailed, match="There is no toy doll: 404"):
        verb("install", "--prefix", venv.prefix, "toy:doll")
    with pytest.raises(InvalidSpec, match="is no toy"):
        verb("install", "--prefix", venv.prefix, "--record-only", "toy:a-b")
    assert toys(venv) == {}


def test_replay(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot==1.0")
    Path(venv.prefix, "toys", "robot").unlink()
    verb("replay")
    assert toys(venv) == {"robot": "1.0"}


def test_it_says_how_a_place_is_restored(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = type(toymanager.MANAGER)
    monkeypatch.setattr(toy, "exactness", ("asked",))
    monkeypatch.setattr(toy, "alone", lambda _, removal: replace(removal, options=("--alone",)))
    verb("install", "--prefix", venv.prefix, "toy:train")
    Path(venv.prefix, "toys", "train").unlink()
    verb("replay")
    assert Session().history.records()[-1].request.texts == ("train",), "not train==1.1"
    verb("undo")
    assert Session().history.records()[-1].request.options == ("--alone",)


@pytest.mark.parametrize("form", ["dockerfile", "script"])
def test_export(venv: Environment, form: str) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot")
    options = ("--from", "debian:12") if form == "dockerfile" else ()
    said = str(verb("export", form, *options))
    assert f"toys install '{venv.prefix}'" in said
    assert "robot==2.0" in said


def test_it_is_taken_for_no_other_managers(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot")
    assert '"purl": "pkg:generic/robot@2.0"' in str(verb("export", "sbom"))
    robot = toymanager.installed(venv, Path("/"))[0]
    assert toymanager.MANAGER.reinstall(robot, venv.prefix, f"{venv.prefix}/toys/robot") == ""


def test_diff(venv: Environment) -> None:
    where = ("--prefix", venv.prefix)
    verb("install", *where, "toy:robot")
    Path(venv.prefix, "toys", "train").write_text("1.0")
    drift = verb("diff", *where).drifts[0]
    assert drift.evidence["toy"] == "what venv puts into a new environment"
    recorded = {each.package.name: bool(each.record) for each in drift.differences}
    assert recorded == {"robot": True, "train": False}


def test_a_file_says_when_a_toy_came(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot", "toy:train")
    os.utime(Path(venv.prefix, "toys", "robot"), (1000, 1000))
    elsewhere = replace(venv, kind="system")
    here = PackageSet(toymanager.installed(venv, Path("/")))
    base = baseline.of(elsewhere, here, ("toy",), begun=2000)
    assert [each.name for each in base.packages.packages] == ["robot"]


def test_what_no_file_tells_is_not_taken_for_the_beginning(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = (*managers.MANAGERS[:-1], replace(toymanager.LISTED, metadata=""))
    monkeypatch.setattr(managers, "MANAGERS", listed)
    verb("install", "--prefix", venv.prefix, "toy:robot")
    here = PackageSet(toymanager.installed(venv, Path("/")))
    base = baseline.of(replace(venv, kind="system"), here, ("toy",), begun=2000)
    assert (base.packages.packages, dict(base.evidence)) == ((), {})


def test_its_folder_can_read_its_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = replace(toymanager.LISTED, name="other", spec=f"{toymanager.__name__}:spec")
    monkeypatch.setattr(managers, "MANAGERS", (*managers.MANAGERS, own))
    assert (read("other", "robot@2").name, read("other", "robot@2").version) == ("robot", "2")
    assert read("toy", "robot==2").version == "2"


def test_prove_reads_it_in_an_image(venv: Environment) -> None:
    """The image's archive, as the engine streams it."""
    verb("install", "--prefix", venv.prefix, "toy:robot")
    here = PackageSet(toymanager.installed(venv, Path("/")))
    root, files = Root(), ("pyvenv.cfg", "toys/robot", "share/toys.txt")
    apply(root, archive(_tar({f"{venv.prefix}/{name}": b"1.0" for name in files})))
    assert f"{venv.prefix}/share/toys.txt" not in root.contents
    image = packages_of(root, venv.prefix)
    side = Side(venv.ref, venv.prefix, here, image)
    (found,) = differences(side, Session().history.records())
    assert found.here is not None
    assert found.image is not None
    assert (found.here.version, found.image.version) == ("2.0", "1.0")
    assert found.entry == Session().history.records()[0].id


def test_its_files_go_into_a_layer_as_it_says(venv: Environment) -> None:
    where, folder = ("--prefix", venv.prefix), f"{venv.prefix}/toys"
    base, brought = Root(), [f"{folder}/{name}" for name in ("robot", "doll", "duck")]
    apply(base, archive(_tar(dict.fromkeys((f"{venv.prefix}/pyvenv.cfg", *brought), b"0.9"))))
    Path(folder).mkdir()
    for path in brought:
        Path(path).write_text("0.9")
    history = Session().history

    def gathered() -> Gathered:
        return gather(Ledger.of(history.records()), history.content(), base, (0, 0))

    verb("install", *where, "toy:robot==2.0", "toy:train==1.0")
    verb("remove", *where, "toy:doll")
    (layer,) = (each for each in gathered().layers if each.manager == "toy")
    assert {item.path: item.content for item in layer.items if item.kind == "file"} == {
        f"{folder}/robot": b"2.0, asked as robot==2.0",
        f"{folder}/train": b"1.0, asked as train==1.0",
    }
    assert tuple(layer.gone) == (f"{folder}/doll",), "no record moved the duck"
    verb("install", *where, "toy:robot==0")
    assert gathered().faults == ["robot is a draft: it is in no image."]


def test_a_manager_that_lists_no_files_has_no_layer(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(toymanager.MANAGER), "layered")
    verb("install", "--prefix", venv.prefix, "toy:robot")
    history = Session().history
    found = gather(Ledger.of(history.records()), history.content(), Root(), (0, 0))
    assert found.faults == ["toy keeps no list of the files of robot."]


def test_its_reader_says_what_needs_a_package_and_what_it_owns(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot", "toy:train")
    here = PackageSet(toymanager.installed(venv, Path("/")))
    assert dependants(venv, here) == {}
    monkeypatch.setattr(toymanager, "NEEDS", {"train": ("robot", "rail"), "doll": ("robot",)})
    assert dependants(venv, here) == {("toy", "robot"): [("toy", "train")]}, "none is here"
    robot = here.by_key["toy", "robot"]
    assert files_of(robot, venv) == (f"{venv.prefix}/toys/robot",)
    assert files_of(replace(robot, manager="none"), venv) == (), "an unlisted manager's"


def test_its_reader_says_what_could_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    venv = EnvironmentRef("venv", None, "/w/venv", "3.11.4")
    side = Side(venv, "/w/venv", PackageSet((Package("toy", "robot", "2.0"),)), None)
    assert list(unreadable(side, Ways(can_restore=True))) == []
    monkeypatch.setattr(type(toymanager.shelf), "is_whole", lambda _, package: False)
    (said,) = unreadable(side, Ways(can_restore=True))
    assert said.endswith("%envimage restore /w/venv/toys/robot")


def test_a_removal_says_what_it_leaves(venv: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    where = ("--prefix", venv.prefix)
    monkeypatch.setattr(toymanager, "NEEDS", {"train": ("robot",)})
    monkeypatch.setattr(
        toymanager._Shelf, "resolved", lambda *_: toymanager.installed(venv, Path("/"))
    )
    Path(venv.prefix, "toys").mkdir()
    Path(venv.prefix, "toys", "robot").write_text("2.0")
    verb("install", *where, "toy:train")
    assert "toy:robot" not in str(verb("remove", *where, "toy:train"))
    verb("install", *where, "toy:train")
    monkeypatch.setattr(type(toymanager.MANAGER), "leaves_needed", True)
    assert f"%envremove --prefix {venv.prefix} toy:robot" in str(
        verb("remove", *where, "toy:train")
    )


def test_it_is_not_sent_to_workers_and_that_is_said(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot")
    cargo = load(Session().history, venv, Policy())
    assert cargo.left_out == ("robot is not sent: toy's packages are not.",)


@pytest.mark.parametrize(
    ("content_with", "version"), [((), ""), (("conda",), ""), (("conda", "pip"), "3.0")]
)
def test_another_managers_package_serves_it(
    monkeypatch: pytest.MonkeyPatch, content_with: tuple[str, ...], version: str
) -> None:
    """As conda's package of a name serves pip."""
    listing = replace(toymanager.LISTED, content_with=content_with)
    monkeypatch.setattr(managers, "MANAGERS", (*managers.MANAGERS[:-1], listing))
    request = Request("install", "toy", read_all("toy", ("robot",)))
    change = Change(added=(Package("pip", "robot", "3.0"),))
    venv = EnvironmentRef("venv", None, "/w/venv", "3.11.4")
    record = Record("a.1", "2026-01-01", "ok", request, venv, outcome=Outcome("ok", 0, 0.0, change))
    (step,) = Ledger.of([record]).recipe().steps
    assert step.install[0].version == version


def test_it_says_what_holds_a_package(venv: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(venv.prefix, "toys").mkdir()
    Path(venv.prefix, "toys", "robot").write_text("2.0")
    here, empty = PackageSet(toymanager.installed(venv, Path("/"))), PackageSet()
    monkeypatch.setattr(
        type(toymanager.MANAGER), "pinned", lambda _, package: f"{package.name}@{package.version}"
    )
    (found,) = differences(Side(venv.ref, venv.prefix, here, empty), ())
    assert found.fix.endswith("toy:robot@2.0")


@pytest.mark.parametrize(("version", "known"), [("2.0", True), ("1.0", False)])
def test_a_base_image_brings_it(venv: Environment, version: str, known: bool) -> None:
    base = Root()
    apply(base, archive(_tar({f"{venv.prefix}/toys/robot": version.encode()})))
    robot = Package("toy", "robot", "2.0")
    side = Side(venv.ref, venv.prefix, PackageSet((robot,)), PackageSet())
    assert Ways(base=base).brought(side, robot) is known


def test_it_says_its_name_of_what_an_import_needs(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        type(toymanager.MANAGER), "name_of", lambda _, package: f"toy-{package}", raising=False
    )
    with pytest.raises(CommandFailed) as caught:
        verb("install", "--prefix", venv.prefix, "toy:cv2")
    assert any("imported as: %envinstall toy-opencv-python" in line for line in caught.value.advice)


def _tar(files: dict[str, bytes]) -> io.BytesIO:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as made:
        for path, content in files.items():
            member = tarfile.TarInfo(path[1:])
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    held.seek(0)
    return held


def test_it_says_what_needs_a_package(venv: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot", "toy:train==1.0")
    here, train = PackageSet(toymanager.installed(venv, Path("/"))), ("toy", "train")
    assert needed(here, venv) == set()
    need = Need(("toy", "robot"), "train 1.0", train, lambda each: each.version == "1.0")
    monkeypatch.setattr(
        type(toymanager.MANAGER), "needs", lambda _, whom, here, there: [need] * (train in whom)
    )
    assert needed(here, venv) == {train}
    assert broken_by({train: None}, here, venv) == [need]
    assert broken_by({train: Package("toy", "train", "1.1")}, here, venv) == [need]
    assert broken_by({train: Package("toy", "train", "1.0")}, here, venv) == []


def test_keep_and_replay_from_what_is_kept(venv: Environment) -> None:
    verb("install", "--prefix", venv.prefix, "toy:robot==1.0")
    verb("replay", "--keep")
    kept = Store.beside(Session().history).folder / "toy"
    assert [file.name for file in kept.iterdir()] == ["robot-1.0"]
    for lost, options in ((False, ("--from", str(kept))), (True, ())):
        Path(venv.prefix, "toys", "robot").unlink()
        if lost:
            (kept / "robot-1.0").unlink()
        done = verb("replay").done
        assert [each.plan.request.options for each in done] == [options]
        assert toys(venv) == {"robot": "1.0"}


def test_a_manager_without_archives_says_so(
    venv: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(toymanager.MANAGER), "archives")
    verb("install", "--prefix", venv.prefix, "toy:robot")
    assert "toy has no archives to keep." in str(verb("replay", "--keep"))
