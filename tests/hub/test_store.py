"""The service's database, on SQLite and on PostgreSQL, and what it says of advisories."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.hub import main as hub
from jstackmagic.hub.advisory import of_expression, of_folder
from jstackmagic.hub.counts import LiveReport
from jstackmagic.hub.store import Database, HeldRow, checked
from jstackmagic.model.errors import UsageError
from jstackmagic.report import person
from jstackmagic.sending.reduced import reduced
from support.machine import Unavailable
from support.people import Home
from support.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.cluster)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        yield Database(f"sqlite:///{tmp_path}/records.sqlite")
        return
    try:
        with postgres() as url:
            store = Database(url)
            yield store
            store.engine.dispose()
    except Unavailable as reason:
        pytest.skip(str(reason))


def take(store: Database, home: Home) -> int:
    raw = home.history.content().splitlines(keepends=True)
    lines = [line for each in raw if (line := reduced(each, "salt"))]
    return store.take(home.folder.name, [checked(json.dumps(line).encode()) for line in lines])[0]


def test_a_person_s_records_come_once_and_go_at_once(store: Database, tmp_path: Path) -> None:
    ada, bob = Home(tmp_path, "ada"), Home(tmp_path, 'bob\'s "home"; --')
    ada.installs("pip", "pandas", "2.3")
    assert take(store, ada) == 2
    ada.installs("pip", "pandas", "2.4")
    ada.removes("conda", "numpy")
    bob.installs("pip", "pandas", "2.3")
    bob.waits("libgl1", "π")
    assert take(store, ada) == 4
    assert take(store, ada) == 0
    assert take(store, bob) == 3
    name = bob.folder.name
    assert set(store.held("pandas")) == {
        HeldRow("ada", "pip", "pandas", "2.4"),
        HeldRow(name, "pip", "pandas", "2.3"),
    }
    (now,) = store.months("pip", "pandas").values()
    assert now == {"2.4": 1, "2.3": 1}
    assert store.asked(name) == {("apt", "libgl1")}
    assert store.held("numpy") == []
    live = LiveReport(store, 1)
    live.refresh()
    assert live.everything.uses["pip", "pandas"].users == 2
    assert [row[:3] for row in live.waits()] == [("apt", "libgl1", name)]
    live.forget(store.erase(name))
    assert live.everything.uses["pip", "pandas"].users == 1
    assert store.people() == ["ada"]
    assert store.erase("nobody") is None
    ada.removes("pip", "pandas", "2.4")
    take(store, ada)
    assert store.held("pandas") == []
    assert store.drop_older(-1) == 8
    assert store.months("pip", "pandas") == {}
    live.refresh(everybody=True)
    assert live.everything.records == 0


def test_who_is_erased_while_the_counts_are_taken_is_in_none(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ada", "bob"):
        home = Home(tmp_path, name)
        home.installs("pip", "six")
        take(store, home)
    live, read = LiveReport(store, 1), store.tallies

    def read_before_the_end(people: Any = None) -> Any:
        found = list(read(people))
        live.forget(store.erase("ada"))
        return iter(found)

    monkeypatch.setattr(store, "tallies", read_before_the_end)
    live.refresh()
    assert live.everything.uses["pip", "six"].users == 1


def test_counts_that_could_not_be_taken_are_taken_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Database(f"sqlite:///{tmp_path}/records.sqlite")
    live = LiveReport(store, 1)
    live.refresh()
    home = Home(tmp_path, "ada")
    home.installs("pip", "six")
    take(store, home)
    live.moved(1)
    with monkeypatch.context() as away:
        away.setattr(store, "people", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            live.refresh()
    live.refresh()
    assert live.everything.uses["pip", "six"].users == 1


def test_who_names_more_than_anybody_has_takes_no_one_else_away(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, eve = Home(tmp_path, "ada"), Home(tmp_path, "eve")
    ada.installs("pip", "six")
    for number in range(9):
        eve.waits(f"name-{number}")
    take(store, eve)
    take(store, ada)
    monkeypatch.setattr(person, "MAX_NAMES", 5)
    live = LiveReport(store, 1)
    live.refresh()
    assert set(live.everything.uses) == {("pip", "six")}
    assert not list(live.waits())


def test_decisions_and_images(store: Database) -> None:
    for state in ("refused", "approved"):
        store.decide("apt", "libgl1", state, "x" * 900, "root")
    (said,) = store.decisions().values()
    assert (said["state"], said["by"], len(said["why"])) == ("approved", "root", 500)
    store.push("ada", "lab/a:1")
    store.push("bob", "lab/a:1")  # who came later does not take it
    store.offer("lab/a:1", offered=True)
    assert store.images() == [("lab/a:1", "ada", True)]
    store.erase("ada")
    assert store.images() == []
    store.erase("root")
    assert [(each["state"], each["by"]) for each in store.decisions().values()] == [
        ("approved", "")
    ]


def test_the_migrations_run_once_and_find_their_tables_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/records.sqlite"
    store = Database(url)
    store.push("ada", "lab/a:1")
    assert Database(url).people() == ["ada"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--database", "nonsense"), "--database cannot be used: Could not parse"),
        (("--database", "postgresql+nosuch://me:s3cret@h/d"), "cannot be used"),
        (("--database", "oracle+nosuch://me:s3cret@h/d"), "cannot be used"),
        (("--database", "sqlite:////no/such/folder/x.sqlite"), "unable to open database file"),
        (("--policy", "policy.json"), "policy.json: It is no policy: "),
        (("--policy", "none.json"), "none.json: "),
    ],
)
def test_a_mistake_of_who_starts_it_is_a_sentence(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.json").write_text('{"deny": 3}')
    monkeypatch.setattr(sys, "argv", ["jstackmagic-hub", *words])
    with pytest.raises(SystemExit, match="JUPYTERHUB_API_TOKEN is not set"):
        hub()
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "t")
    with pytest.raises(SystemExit) as ended:
        hub()
    assert said in str(ended.value)
    assert "s3cret" not in str(ended.value)


@pytest.mark.parametrize(
    ("expression", "version", "affected"),
    [
        ("jupyter-server-proxy<4.1.1", "4.1.0", True),
        ("jupyter-server-proxy<4.1.1", "4.1.1", False),
        ("jupyter-server-proxy<4.1.1", "4.1.1rc1", True),
        ("Jupyter_Server.Proxy", "1.0", True),
        ("six>=1,<2", "2.0", False),
        ("six", "1:2.1-3", None),  # Debian's, which compares in another way
    ],
)
def test_an_expression(expression: str, version: str, affected: bool | None) -> None:
    assert of_expression(expression).affects(version) is affected


def test_osv_s_events(tmp_path: Path) -> None:
    events = [
        {"introduced": "1.0"},
        {"fixed": "1.4"},
        {"introduced": "2"},
        {"last_affected": "2.3"},
    ]
    affected = {
        "package": {"ecosystem": "PyPI", "name": "a"},
        "ranges": [{"type": "ECOSYSTEM", "events": [*events, {"introduced": "3"}]}],
        "versions": ["0.5"],
    }
    other = {"package": {"ecosystem": "npm", "name": "a"}}
    osv = {"id": "X", "affected": [affected, other]}
    (tmp_path / "a.json").write_text(json.dumps(osv))
    (tmp_path / "b.json").write_text('{"affected": [{"package": {"ecosystem": "PyPI"}}]}')
    ((found,), problems) = of_folder(tmp_path)
    assert len(problems) == 1
    bad = {"0.5", "1.0", "1.3", "2.3", "3.1"}
    assert {v for v in (*bad, "0.9", "1.4", "2.4", "0.4") if found.affects(v)} == bad
    with pytest.raises(UsageError):
        of_expression("<4")
