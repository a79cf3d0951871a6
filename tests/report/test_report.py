"""The report over the histories of many people."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given

from jstackmagic.display import json_text
from jstackmagic.model.causes import cause_of
from jstackmagic.model.errors import UsageError
from jstackmagic.report import folders, person
from jstackmagic.report.folders import USUAL, histories, report_on
from jstackmagic.report.person import Filter
from jstackmagic.report.shown import Report, coarse
from jstackmagic.report.tally import Tally, Use
from strategies import hostile
from support.people import WHO, Home
from support.verbs import verb


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    folder = tmp_path / "homes"
    folder.mkdir()
    return folder


def counted(homes: Path, **wanted: str) -> Tally:
    return report_on(histories([homes]), Filter(**wanted))


def test_what_people_install_and_what_it_costs(homes: Path) -> None:
    for name in ("ada", "bob", "eve"):
        Home(homes, name).installs("pip", "pandas>=2", "2.3")
    Home(homes, "ada").installs("pip", "pandas>=2", "2.3")
    Home(homes, "bob").installs("conda", "numpy", "2.1")
    eve = Home(homes, "eve")
    eve.removes("pip", "pandas")
    eve.removes("conda", "notebook")
    eve.installs("pip", "nowhere", fails="ERROR: No matching distribution found for nowhere")
    eve.installs("pip", "./mine-1.0.whl")
    eve.waits("libgl1", "OpenCV needs it")
    tally = counted(homes)
    pandas = tally.uses["pip", "pandas"]
    assert (tally.users, tally.records) == (3, 10)
    assert (pandas.users, pandas.installs, pandas.standing) == (3, 4, 2)
    assert (pandas.seconds, pandas.bytes) == (4.0, 6 * 2**20)
    assert (pandas.withdrawn, pandas.removed) == (1, 0)
    assert (dict(pandas.asked), dict(pandas.got)) == ({">=2": 3}, {"2.3": 2})
    assert tally.uses["conda", "notebook"].removed == 1
    assert tally.uses["pip", "mine"].standing == 0  # a file of one person is nothing for an image
    (failure,) = tally.failures
    assert failure == ("pip", "nowhere", "not found")
    wait = tally.waits["apt", "libgl1"]
    assert (wait.users, wait.why) == (1, ("OpenCV needs it",))
    assert tally.images == {WHO.image: 3}
    assert not tally.skipped


def test_what_was_undone_does_not_stand_and_what_came_after_all_does_not_wait(homes: Path) -> None:
    ada = Home(homes, "ada")
    first = ada.installs("conda", "numpy")
    ada.removes("conda", "numpy", undoes=first.id)
    ada.waits("tree")
    ada.installs("apt", "tree")
    ada.waits("graphviz")
    ada.removes("apt", "graphviz")
    ada.waits("six", manager="pip")  # replayed, and no matter for an administrator
    failed = ada.installs("pip", "toolz", fails="timed out")
    ada.history.end(failed, ada.installs("pip", "other").outcome)  # type: ignore[arg-type]
    tally = counted(homes)
    assert tally.uses["conda", "numpy"].standing == 0
    assert tally.uses["apt", "tree"].standing == 1
    assert tally.uses["pip", "toolz"].standing == 1
    assert not tally.waits


def test_only_of_a_time_an_image_an_environment(homes: Path) -> None:
    ada = Home(homes, "ada")
    ada.installs("pip", "old", time="2026-01-01T10:00:00.000Z")
    ada.installs("pip", "new", time="2026-11-01T10:00:00.000Z")
    assert set(counted(homes, since="2026-06-01T00:00:00.000").uses) == {("pip", "new")}
    assert set(counted(homes, until="2026-06-01T00:00:00.000").uses) == {("pip", "old")}
    assert counted(homes, image="*/lab/base:*").records == 2
    assert counted(homes, image="*/lab/other:*").users == 0
    assert counted(homes, environment="base").records == 2
    assert counted(homes, environment="/opt/conda").records == 2
    assert counted(homes, environment="bas").users == 0


def test_counts_of_few_people_are_hidden_and_a_difference_counts_nobody_out() -> None:
    def of(users: int) -> Use:
        slow = 30 * (users == 13)  # one person's install takes half a minute
        use = Use(users=users, installs=users, standing=users, seconds=users * 1.01 + slow)
        use.asked[">=2"] = users - 1
        return use

    for users in range(60):
        shown = coarse(Tally(users=users, uses={("pip", "six"): of(users)}), 5)
        more = coarse(Tally(users=users + 1, uses={("pip", "six"): of(users + 1)}), 5)
        assert bool(shown.uses) == (users >= 5)
        if users < 5:
            continue
        few, many = shown.uses["pip", "six"], more.uses["pip", "six"]
        assert {many.users - few.users, many.installs - few.installs} <= {0, 5}
        assert bool(few.asked) == (users > 5)
        assert f"{few.seconds:.2g}" == f"{few.seconds:g}"
        assert abs(many.seconds - few.seconds) in (0, 5, 20)  # 2 s each: not half a minute


def test_a_hostile_history_is_named_and_skipped(
    homes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good", "long", "broken", "newer", "linked", "folder", "fifo", "huge", "deep"):
        Home(homes, name).installs("pip", "six")
    path = {each.name: each / USUAL for each in homes.iterdir()}
    monkeypatch.setattr(person, "MAX_LINE", 4_000)
    monkeypatch.setattr(folders, "MAX_FILE", 20_000)
    with path["long"].open("a") as file:
        file.write("x" * 9_000 + "\n")
    with path["broken"].open("ab") as file:
        file.write(
            b'{"v":1,"event":\n\xff\xfe\n[]\n{"v":1,"event":"begin","id":"a.1","time":"","re'
        )
    with path["newer"].open("a") as file:
        file.write('{"v":2,"event":"begin","id":"a.1","time":""}\n')
    with path["deep"].open("a") as file:
        file.write('{"v":1,"notes":' + "[" * 3_000 + "\n")
    secret = tmp_path / "secret.jsonl"
    shutil.copy(path["good"], secret)
    path["linked"].unlink()
    path["linked"].symlink_to(secret)
    outside = tmp_path / "outside"
    shutil.move(path["folder"].parent, outside)
    path["folder"].parent.symlink_to(outside)
    path["fifo"].unlink()
    os.mkfifo(path["fifo"])
    os.truncate(path["huge"], 30_000)
    before = {each: each.read_bytes() for each in (path["broken"], path["good"])}
    tally = counted(homes)
    why = {Path(file).relative_to(homes).parts[0]: reason for file, reason in tally.skipped}
    assert tally.users == 5
    assert tally.uses["pip", "six"].users == 5  # what is whole beside a bad line counts
    assert why == {
        "long": "1 line of more than 0 MB",
        "broken": "3 lines of no record",
        "newer": "1 line of another schema version",
        "deep": "1 line of no record",
        "linked": "a link is on the way",
        "folder": "a link is on the way",
        "fifo": "it is no plain file",
        "huge": "it has more than 0 MB",
    }
    assert {each: each.read_bytes() for each in before} == before


def test_one_that_cannot_be_read(homes: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    Home(homes, "ada").installs("pip", "six")
    (homes / "ada" / USUAL).chmod(0)
    assert [why for _, why in counted(homes).skipped] == ["Permission denied"]


def test_a_person_with_more_names_than_anybody_has_does_not_fill_the_memory(
    homes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person, "MAX_NAMES", 5)
    for number in range(9):
        Home(homes, "eve").installs("pip", f"name-{number}")
    Home(homes, "ada").installs("pip", "six")
    tally = counted(homes)
    assert set(tally.uses) == {("pip", "six")}
    assert [why for _, why in tally.skipped] == ["it names more than 5 packages"]


def test_sizes_and_times_that_cannot_be_add_up_to_nothing(homes: Path) -> None:
    ada = Home(homes, "ada")
    ada.installs("pip", "six")
    path = homes / "ada" / USUAL
    path.write_bytes(
        path.read_bytes()
        .replace(b'"size":3145728', b'"size":-9000000000000000000')
        .replace(b'"seconds":2.0', b'"seconds":-1e300')
    )
    six = counted(homes).uses["pip", "six"]
    assert (six.installs, six.seconds, six.bytes) == (1, 0, 0)


def test_processes_count_the_same(homes: Path) -> None:
    for number in range(105):
        Home(homes, f"user-{number}").installs("pip", f"package-{number % 7}")
    found = histories([homes])
    assert report_on(found, Filter(), workers=2) == report_on(found, Filter(), workers=1)


def test_a_folder_may_be_a_home_hold_homes_or_hold_histories(homes: Path, tmp_path: Path) -> None:
    Home(homes, "ada").installs("pip", "six")
    assert len(histories([homes])) == len(histories([homes / "ada"])) == 1
    assert histories([homes, homes]) == histories([homes])
    loose = tmp_path / "loose"
    loose.mkdir()
    shutil.copy(homes / "ada" / USUAL, loose / "ada.jsonl")
    assert histories([loose]) == histories([loose / "ada.jsonl"]) == [(str(loose), "ada.jsonl")]
    with pytest.raises(UsageError, match="cannot be listed"):
        histories([homes / "nobody"])


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("PackagesNotFoundError: The following packages are not available", "not found"),
        ("E: Unable to locate package libfoo", "not found"),
        ("ERROR: ResolutionImpossible: for help visit", "conflict"),
        ("OSError: [Errno 28] No space left on device", "no space"),
        ("error: command 'gcc' failed with exit status 1", "build failed"),
        ("ReadTimeoutError: Read timed out.", "network"),
        ("something nobody has seen /home/ada/secret", "another reason"),
    ],
)
def test_why_something_failed_in_no_words_of_a_user_s(message: str, cause: str) -> None:
    assert cause_of(message) == cause


# Shown


def test_the_verb_writes_a_page_a_sheet_and_json(homes: Path, tmp_path: Path) -> None:
    for name in ("ada", "bob"):
        Home(homes, name).installs("pip", "pandas>=2")
    Home(homes, "bob").waits("graphviz", "plots")
    shown = verb("report", homes)
    assert "2 people, 3 records" in str(shown)
    assert re.search(r"pip:pandas +2 +2 +2 +4.0 s +6.0 MiB +>=2 \(2\)", str(shown))
    verb("report", homes, "-o", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert page.count("data:image/svg+xml;base64,") == 2
    verb("report", homes, "-o", tmp_path / "report.csv")
    rows = list(csv.reader((tmp_path / "report.csv").open()))
    assert any(row[1:4] == ["pip:pandas", "2", "2"] for row in rows)
    verb("report", homes, "-o", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["packages"][0]["name"] == "pandas"
    assert found["waiting"][0]["why"] == ["plots"]
    assert verb("report", homes, "--at-least", "3").to_json()["packages"] == []
    with pytest.raises(UsageError, match="html"):
        verb("report", homes, "-o", tmp_path / "report.pdf")
    assert "0 people" in str(verb("report"))  # this user's own, which is not there yet


@given(hostile)
def test_hostile_names_are_only_text(name: str) -> None:
    use = Use(users=2, installs=2, standing=2, seconds=3.0)
    tally = Tally(users=2, uses={("pip", name): use, ("pip", "<script>alert(1)</script>"): use})
    report = Report(tally)
    page = report.to_html()
    assert "<script" not in page
    assert "\x1b" not in str(report)
    json.loads(json_text(report))
    cells = [cell for row in csv.reader(report.to_csv().splitlines()) for cell in row[1:]]
    assert not [cell for cell in cells if cell[:1] in tuple("=+-@")]
