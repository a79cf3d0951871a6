"""The ledger: carried on from record to record, it says what it says when folded at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from jstackmagic.model.ledger import Ledger, Move
from jstackmagic.model.packages import Change, Package
from jstackmagic.model.plan import Outcome
from jstackmagic.model.record import Record
from jstackmagic.model.request import Request
from strategies import BASE, World, worlds

if TYPE_CHECKING:
    from collections.abc import Sequence

SIX = Package("pip", "six", "1.17.0")


def record(name: str, **facts: object) -> Record:
    facts = {"status": "ok", "request": Request("install", "pip", ("six",)), **facts}
    return Record(id=name, time="2026-11-01T12:00:00Z", environment=BASE, **facts)  # type: ignore[arg-type]


def installed(name: str, **facts: object) -> Record:
    return record(name, outcome=Outcome("ok", 0, 0.1, Change(added=(SIX,)), (SIX,)), **facts)


def views(ledger: Ledger) -> tuple[object, ...]:
    """All that a ledger says."""
    return (
        ledger.recipe(),
        ledger.recipe().holdings,
        ledger.present(),
        ledger.moves(),
        {key: move.record for key, move in ledger.moves().items()},
        ledger.origins(),
        ledger.taken_back(),
        ledger.latest(),
        ledger.places(),
        ledger.records,
    )


def undone(records: Sequence[Record], number: int) -> Record:
    """What takes one back, without anything to be seen of it."""
    taken = records[number]
    opposite = "remove" if taken.request.action == "install" else "install"
    request = replace(taken.request, action=opposite)
    return replace(
        taken, id=f"undo{number}.1", undoes=taken.id, request=request, status="ok", outcome=None
    )


@given(worlds(), st.data())
def test_what_is_carried_on_is_what_is_folded_at_once(world: World, data: st.DataObject) -> None:
    records = list(world.records)
    assume(records)
    for number in data.draw(st.lists(st.integers(0, len(records) - 1), max_size=2, unique=True)):
        records.append(undone(records, number))
    carried = Ledger()
    for each in records:
        running = replace(each, status="running", outcome=None)
        if data.draw(st.booleans()):
            carried.add(running)
        if data.draw(st.booleans()):
            views(carried)
        carried.add(each)
    assert views(carried) == views(Ledger.of(records))


@given(worlds(), st.data())
def test_the_order_of_the_ends_does_not_matter(world: World, data: st.DataObject) -> None:
    """Two kernels install at once: what began first may end last."""
    carried = Ledger.of(replace(r, status="running", outcome=None) for r in world.records)
    for each in data.draw(st.permutations(world.records)):
        carried.add(each)
        if data.draw(st.booleans()):
            views(carried)
    assert views(carried) == views(Ledger.of(world.records))


def test_a_new_record_costs_its_own_entry_alone() -> None:
    applied: list[str] = []

    class Counted(Ledger):
        pass

    ledger = Counted.of(installed(f"a{number}.1") for number in range(50))
    ledger.moves()
    (account, entered) = next(iter(ledger._accounts.values()))
    assert entered == 50
    apply = account.apply

    def counting(record: Record, *, void: bool) -> None:
        applied.append(record.id)
        apply(record, void=void)

    account.apply = counting  # type: ignore[method-assign]
    ledger.add(record("b.1", status="running"))
    ledger.moves()
    ledger.add(installed("b.1"))
    assert ledger.moves()["/opt/conda", "pip", "six"] == Move(None, SIX)
    assert applied == ["b.1", "b.1"], "once as it began, once as it ended"


def test_an_undo_of_several_steps_leaves_nothing_in_the_recipe() -> None:
    """One record brought a package and moved another: two requests take it back."""
    back = replace(SIX, version="1.16.0")
    first = record("a.1", outcome=Outcome("ok", 0, 0.1, Change(changed=((back, SIX),))))
    undo = [
        record("b.1", undoes="a.1", outcome=Outcome("ok", 0, 0.1, Change(changed=((SIX, back),)))),
        record("b.2", undoes="a.1", request=Request("remove", "pip", ("other",))),
    ]
    ledger = Ledger.of([first, *undo])
    assert not ledger.recipe().steps
    again = [record("c.1", undoes="b.1"), record("c.2", undoes="b.2")]
    for each in again:
        ledger.add(each)
    assert [item.text for step in ledger.recipe().steps for item in step.install] == ["six"]
    assert not any(step.remove for step in ledger.recipe().steps)


def test_what_was_asked_for_stands_until_it_is_taken_back() -> None:
    ledger = Ledger.of([installed("a.1")])
    asked = Request("install", "pip", ("six",))
    assert ledger.asks_for(asked, BASE.prefix)
    assert ledger.asks_for(asked, f"{BASE.prefix}/"), "the same prefix"
    assert not ledger.asks_for(asked, "/elsewhere")
    assert not ledger.asks_for(Request("install", "pip", ("six", "attrs")), BASE.prefix)
    gone = Outcome("ok", 0, 0.1, Change(removed=(SIX,)))
    ledger.add(
        record("b.1", request=Request("remove", "pip", ("six",)), undoes="a.1", outcome=gone)
    )
    assert not ledger.asks_for(asked, BASE.prefix)
    assert ledger.present() == ()
    assert ledger.moves() == {}
    assert ledger.taken_back() == {"a.1": "b.1"}


def test_who_moved_a_package_last_is_known() -> None:
    newer = replace(SIX, version="1.18.0")
    change = Change(changed=((SIX, newer),))
    ledger = Ledger.of(
        [installed("a.1"), record("b.1", outcome=Outcome("ok", 0, 0.1, change, (newer,)))]
    )
    (move,) = ledger.moves().values()
    assert (move.before, move.left, move.record) == (None, newer, "b.1")
