"""What leaves a home for the hub's service, and what does not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from jstackmagic.history.lines import decode
from jstackmagic.model.environment import EnvironmentRef
from jstackmagic.model.errors import Stopped, UsageError
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.policy import Policy
from jstackmagic.model.request import Request
from jstackmagic.model.sources import Sources
from jstackmagic.report.person import Filter, Person
from jstackmagic.sending import servicepolicy
from jstackmagic.sending.outbox import Outbox, Unreachable
from jstackmagic.sending.reduced import reduced
from jstackmagic.sending.servicepolicy import with_served
from jstackmagic.session import Session
from support.people import WHO, Home
from support.verbs import verb

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = ("ada", "secret", "thesis", "corp.example", "/home", "jovyan", "4f1d0c9a7e52")


@pytest.fixture
def ada(tmp_path: Path) -> Home:
    """With everything private in her history."""
    home = Home(tmp_path, "ada")
    who = replace(
        WHO, user="ada", host="4f1d0c9a7e52", notebook="/home/ada/thesis.ipynb", image="base:1"
    )
    thesis = EnvironmentRef("conda-named", "thesis", "/home/ada/envs/thesis", "3.12.4")
    request = Request(
        "install",
        "pip",
        ("pandas[excel]>=2", "./secret-1.0.whl", "git+https://corp.example/secret.git#egg=secret"),
        sources=Sources(("https://corp.example/conda",), "https://corp.example/simple"),
    )
    record = home.history.note(
        "running", request, thesis, transaction="ab12cd34", step=1, context=who,
        commands=("pip install secret",),
    )  # fmt: skip
    added = (
        Package("pip", "pandas", "2.3", source="https://corp.example/simple", size=9),
        Package("pip", "secret", "1.0", source="file:///home/ada/secret-1.0.whl"),
        Package("pip", "secretly", "1.0", source="file:///home/ada/secretly", editable=True),
    )
    outcome = Outcome(
        "failed", 1, 2.0, Change(added), added, message="/home/ada: No space left", log="secret"
    )
    home.history.end(record, outcome)
    return home


def lines(home: Home, *, details: bool = False) -> list[dict[str, object]]:
    raw = home.history.content().splitlines(keepends=True)
    return [line for each in raw if (line := reduced(each, "salt", details=details))]


def test_nothing_private_leaves(ada: Home) -> None:
    begin, end = lines(ada)
    assert not [each for each in PRIVATE if each in json.dumps([begin, end])]
    assert begin["request"] == {
        "action": "install", "manager": "pip", "specs": ["pandas[excel]>=2"], "channels": [],
    }  # fmt: skip
    assert end["outcome"]["message"] == "no space"  # type: ignore[index]
    assert begin["context"] == {"image": "base:1"}


def test_it_stays_a_history_that_is_counted_alike(ada: Home) -> None:
    ada.installs("conda", "numpy>=2", "2.1")
    ada.installs("pip", "six==1.17.0", "1.17.0")
    ada.installs("apt", "tree=2.1.0-1", "2.1.0-1")
    ada.removes("pip", "six", "1.17.0")
    ada.waits("libgl1", "plots")
    own, theirs = Person(Filter()), Person(Filter())
    for raw in ada.history.content().splitlines(keepends=True):
        own.take(raw)
    for line in lines(ada):
        raw = json.dumps(line).encode() + b"\n"
        decode(raw)
        theirs.take(raw)
    one, other = own.tally(), theirs.tally()
    assert other.waits == one.waits
    assert (other.users, other.records, other.images) == (one.users, one.records, one.images)
    for name in (("conda", "numpy"), ("pip", "six"), ("apt", "tree")):
        mine, sent = one.uses[name], other.uses[name]
        assert (mine.installs, mine.standing, mine.asked, mine.got, mine.bytes) == (
            *(sent.installs, sent.standing, sent.asked, sent.got, sent.bytes),
        )


def test_details_leave_where_both_said_so(ada: Home) -> None:
    begin, _ = lines(ada, details=True)
    assert begin["environment"]["name"] == "thesis"  # type: ignore[index]
    assert begin["context"]["notebook"] == "/home/ada/thesis.ipynb"  # type: ignore[index]
    assert "https://corp.example/simple" in json.dumps(begin)


def test_a_line_that_is_none_is_passed_over() -> None:
    for raw in (b"", b"[]\n", b'{"v":9}\n', b"\xff\n", b"[" * 3000):
        assert reduced(raw, "salt") is None


# The outbox


def test_the_history_is_the_spool(ada: Home) -> None:
    outbox = Outbox(ada.history.path, "http://127.0.0.1:9", "token")
    with pytest.raises(Unreachable):
        outbox.send()
    assert outbox.state().at == 0
    assert outbox.sent() == []
    with pytest.raises(Unreachable, match="not the address"):
        Outbox(ada.history.path, "file:///etc/passwd").send()
    with pytest.raises(Unreachable, match="port"):  # HTTP's client reads no user in an address
        Outbox(ada.history.path, "http://me:hunter2@h.example").send()


def test_another_history_is_sent_from_its_beginning(ada: Home) -> None:
    outbox = Outbox(ada.history.path, "")
    outbox.keep(at=ada.history.path.stat().st_size, salt="x")
    assert outbox.state().at
    assert len(outbox.sent()) == 2
    ada.history.path.write_text("{}\n")
    assert outbox.state().at == 0


def test_a_user_s_no_outlives_a_batch_that_is_under_way(
    ada: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = Outbox(ada.history.path, "http://hub")
    outbox.keep(details=True, policy={"details": True})

    def says_no_meanwhile(_self: Outbox, path: str, body: object = None) -> None:
        assert "thesis" in json.dumps(body)
        Outbox(ada.history.path, "").keep(details=False)

    monkeypatch.setattr(Outbox, "_ask", says_no_meanwhile)  # in the place of another process
    assert outbox.send() == 2
    assert not outbox.state().details
    assert "thesis" in json.dumps(outbox.sent())  # what went is shown as it went
    ada.installs("pip", "six")
    monkeypatch.setattr(Outbox, "_ask", lambda *_: None)
    outbox.send()
    assert "thesis" not in json.dumps(outbox.sent()[2:])


def test_a_state_that_somebody_broke_is_a_new_one(ada: Home) -> None:
    outbox = Outbox(ada.history.path, "")
    for broken in ('{"policy": []}', '{"at": "x"}', "[", '{"decisions": {"a": 3}}'):
        ada.history.path.with_name("history.jsonl.hub").write_text(broken)
        assert outbox.state().at == 0
        assert outbox.news() == []


def test_a_decision_is_said_once(ada: Home) -> None:
    outbox = Outbox(ada.history.path, "")
    said = {"apt:libgl1": {"state": "refused", "why": "no plots"}}
    outbox.keep(decisions=said)
    assert outbox.news() == ["Your request for apt:libgl1 was refused: no plots"]
    assert outbox.news() == []


def test_the_service_s_policy_is_on_top_with_its_reason(ada: Home) -> None:
    served = {
        "deny": ["telnetlib3"], "reasons": {"telnetlib3": "Use ssh"}, "managers": ["conda", "pip"],
        "channels": ["conda-forge"], "index_url": "https://pypi.example.com/simple",
        "locked": ["index_url", "history", "channels"], "unknown": 1, "cooldown_days": 7,
    }  # fmt: skip
    path = ada.history.path
    Outbox(path, "http://hub").keep(policy=served)
    policy = with_served(Policy(deny=("acme-*",), hub_url="http://hub"), path)
    assert policy.deny == ("acme-*", "telnetlib3")
    assert policy.managers == ("conda", "pip")
    assert policy.sources.channels == ("conda-forge",)
    assert policy.locked == ("index_url", "channels", "extra_index_urls")
    assert policy.cooldown_days == 7
    stricter = with_served(Policy(cooldown_days=30, hub_url="http://hub"), path)
    assert stricter.cooldown_days == 30
    for wrong in ({}, {"deny": 3, "reasons": [], "index_url": 7}):
        Outbox(path, "http://hub").keep(policy=wrong)
        assert with_served(Policy(), path) == Policy()
    Outbox(Session().history.path, "http://hub").keep(policy=served)
    denied = with_served(Policy(hub_url="http://hub"), Session().history.path)
    with pytest.raises(Stopped, match="telnetlib3 is not allowed here: Use ssh") as raised:
        verb("install", "--record-only", "pip:telnetlib3", policy=denied)
    assert "the hub's policy" in str(raised.value)


def test_the_first_policy_is_fetched_once_and_a_silent_hub_is_said(
    ada: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def silent(_self: Outbox, path: str, body: object = None, seconds: float = 0) -> Any:
        asked.append(seconds)
        raise Unreachable("timed out")

    monkeypatch.setattr(Outbox, "_ask", silent)  # a socket that never answers takes as long
    monkeypatch.setattr(servicepolicy, "_first", {})
    said: list[str] = []
    for _ in range(2):
        settings = Policy(hub_url="http://hub")
        assert with_served(settings, ada.history.path, said.append) == settings
    assert said == ["The hub's policy is not known yet: timed out. Only the settings here apply."]
    (seconds,) = asked
    assert 0 < seconds <= 5
    monkeypatch.setattr(
        Outbox, "_ask", lambda *_, **__: {"policy": {"deny": ["six"]}, "decisions": {}}
    )
    monkeypatch.setattr(servicepolicy, "_first", {})
    for _ in range(2):
        assert with_served(settings, ada.history.path, said.append).deny == ("six",)
    monkeypatch.setattr(Outbox, "_ask", silent)  # the last one holds while the service is down
    assert with_served(settings, ada.history.path, said.append).deny == ("six",)
    assert (len(said), len(asked)) == (1, 1)
    # a home without a history, and one that cannot be written to, know it as well
    new = ada.history.path.with_name("new") / "history.jsonl"
    sealed = ada.history.path / "below-a-file.jsonl"
    monkeypatch.setattr(
        Outbox, "_ask", lambda *_, **__: {"policy": {"deny": ["six"]}, "decisions": {}}
    )
    for path in (new, sealed):
        monkeypatch.setattr(servicepolicy, "_first", {})
        for _ in range(2):
            assert with_served(settings, path).deny == ("six",)
    assert Outbox(new, "").state().fetched


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (b"{", "truncated"),
        (b'{"cooldown-days": 7}', "unknown field `cooldown-days`"),
        (b'{"cooldown_days": -1}', ">= 0.0"),
        (b'{"deny": "six"}', "Expected `array`"),
        (b'{"locked": ["index_url"]}', "locks index_url, and sets no value"),
    ],
)
def test_a_policy_s_slip_is_found_where_it_is_written(wrong: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        servicepolicy.read_served(wrong)


# Requests


def test_a_request_is_recorded_with_its_reason_and_reaches_the_dockerfile() -> None:
    verb("request", "apt:libnone9", "--why", "OpenCV\nneeds  it")
    (record,) = Session().history.records()
    assert (record.status, record.notes) == ("planned", ("why: OpenCV needs it",))
    (row,) = verb("request").to_json()
    assert (row["package"], row["why"], row["state"]) == (
        "apt:libnone9",
        "OpenCV needs it",
        "waits",
    )
    exported = verb("export", "dockerfile", "--from", "base:1")
    assert "'libnone9'" in exported.text
    assert "apt: libnone9: why: OpenCV needs it" in exported.artifact.notes
    said = {"apt:libnone9": {"state": "approved", "why": "in the image of Monday"}}
    Outbox(Session().history.path, "").keep(decisions=said)
    assert verb("request").to_json()[0]["state"] == "approved: in the image of Monday"
    with pytest.raises(UsageError, match="A reason needs a package"):
        verb("request", "--why", "nothing")


def test_an_install_that_no_line_holds_is_sent_without_what_nobody_asked_for(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, "ada")
    record = home.note("running", Request("install", "pip", ("anaconda",)))
    asked = Package("pip", "anaconda", "1")
    all_of_it = (asked, *(Package("pip", f"package-{n}", "1", size=9_999) for n in range(2_000)))
    home.history.end(record, Outcome("ok", 0, 2.0, Change(all_of_it), (asked,)))
    record = home.note("running", Request("install", "pip", tuple(f"p{n}" for n in range(20_000))))
    begun, end, endless = (reduced(each, "s") for each in home.history.content().splitlines(True))
    assert endless is None  # the next one is not held up by it
    assert begun
    assert end
    assert len(json.dumps(end)) < 1_000
    person = Person(Filter())
    for line in (begun, end):
        person.take(json.dumps(line).encode())
    assert person.tally().uses["pip", "anaconda"].installs == 1
