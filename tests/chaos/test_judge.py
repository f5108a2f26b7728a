"""The judge of a run finds what it is there to find: each promise, broken on purpose in made-up books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.chaos import judge as rules
from tests.chaos.books import Moved, Row
from tests.chaos.carrier import Called, Taken
from tests.chaos.choices import Patient, choose
from tests.chaos.judge import Facts, judge, judge_emergencies, judge_stops
from tests.chaos.patients import Texted

NOON = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
NUMBER = "+12025551000"
WAYS = {
    "delivered": ("scheduled", "claimed", "sending", "sent", "delivered"),
    "undelivered": ("scheduled", "claimed", "sending", "sent", "undelivered"),
    "failed": ("scheduled", "claimed", "sending", "failed"),
    "sent": ("scheduled", "claimed", "sending", "sent"),
    "unknown": ("scheduled", "claimed", "sending", "unknown"),
    "skipped": ("scheduled", "claimed", "skipped"),
    "cancelled": ("scheduled", "cancelled"),
    "scheduled": ("scheduled",),
    "claimed": ("scheduled", "claimed"),
    "sending": ("scheduled", "claimed", "sending"),
}


def at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)


def row(status: str, **changed: Any) -> Row:
    history = tuple(Moved(at(n), name, "") for n, name in enumerate(WAYS[status]))
    sid = "SM1" if status in {"sent", "delivered", "undelivered"} else None
    usual = Row(
        "r1",
        NUMBER,
        "reminder",
        "reminder.day1",
        "text",
        status,
        "",
        "i1",
        "day1",
        0,
        sid,
        NOON,
        None,
        history,
    )
    return replace(usual, **changed)


def taken(status: str = "delivered", **changed: Any) -> Taken:
    return replace(Taken("r1", NUMBER, "SM1", status, at(3)), **changed)


def facts(rows: Sequence[Row], ledger: Sequence[Taken] = (), **changed: Any) -> Facts:
    return replace(
        Facts(rows, ledger, (), frozenset({"r1"}), {NUMBER: "i1"}, frozenset(), at(600)), **changed
    )


def broken(*given: Any, **changed: Any) -> dict[str, list[str]]:
    return {rule: ids for rule, ids in judge(facts(*given, **changed)).violations.items() if ids}


def test_what_the_carrier_says_too_breaks_no_promise() -> None:
    for status in ("delivered", "undelivered", "sent"):
        assert broken([row(status)], [taken(status)]) == {}
    assert broken([row("failed", sid="SM1")], [taken("failed")]) == {}
    assert broken([row("failed")]) == {}  # refused at the door
    assert broken([row("unknown")]) == {}
    week1 = row("scheduled", id="r2", step="week1", due=at(6 * 86400))
    assert broken([row("delivered"), week1], [taken()]) == {}


def test_a_reminder_that_is_nowhere_is_lost() -> None:
    assert broken([]) == {rules.LOST: ["i1"]}


@pytest.mark.parametrize("status", ["scheduled", "claimed", "sending"])
def test_a_due_reminder_that_never_came_to_an_end_is_lost(status: str) -> None:
    assert broken([row(status)]) == {rules.LOST: ["r1"]}


def test_two_messages_of_the_carrier_for_one_row_are_sent_twice() -> None:
    assert broken([row("delivered")], [taken(), taken(sid="SM2")]) == {rules.TWICE: ["r1"]}


def test_a_further_turn_goes_only_after_one_that_surely_did_not_arrive() -> None:
    second = row("delivered", id="r2", turn=1, sid="SM2")
    theirs = taken(ref="r2", sid="SM2")
    found = judge(facts([row("undelivered"), second], [taken("undelivered"), theirs]))
    assert (found.good, found.repeats) == (True, ["r2"])
    assert broken([row("delivered"), second], [taken(), theirs]) == {rules.TWICE: ["r2"]}
    assert broken([row("unknown"), second], [theirs]) == {rules.TWICE: ["r2"]}


def test_a_call_that_reads_a_reminder_is_made_once() -> None:
    text = row("undelivered")
    call = row("delivered", id="r2", turn=1, sid="CA1", channel="call")
    one, two = Called(NUMBER, "CA1", ended=True), Called(NUMBER, "CA2", ended=True)
    ledger = [taken("undelivered")]
    assert broken([text, call], ledger, calls=[one]) == {}
    twice = broken([text, call], ledger, calls=[one, two])
    assert twice == {rules.TWICE: ["r2"], rules.STRANGER: ["CA2"]}
    assert broken([text, call], ledger) == {rules.DIFFERS: ["r2"]}
    under_way = replace(call, status="sent", history=row("sent").history)
    assert broken([text, under_way], ledger, calls=[one]) == {rules.DIFFERS: ["r2"]}
    nobody_knows = row("unknown", id="r2", turn=1, channel="call")
    shown = frozenset({"r2"})
    assert broken([text, nobody_knows], ledger, shown=shown) == {}
    assert broken([text, nobody_knows], ledger, shown=shown, calls=[one]) == {rules.UNRESOLVED: ["r2"]}


def test_one_that_did_not_arrive_must_be_shown_or_go_again() -> None:
    failed = row("failed")
    again = replace(row("scheduled"), id="r2", turn=1, due=NOON + timedelta(days=1))
    assert broken([failed]) == {}
    assert broken([failed], shown=frozenset()) == {rules.HIDDEN: ["r1"]}
    assert broken([failed, again], shown=frozenset()) == {}


def test_an_unknown_one_must_be_shown_and_must_not_be_at_the_carrier() -> None:
    assert broken([row("unknown")], shown=frozenset()) == {rules.UNSHOWN: ["r1"]}
    assert broken([row("unknown")], [taken()]) == {rules.UNRESOLVED: ["r1"]}


def test_an_outcome_that_the_carrier_does_not_know_of_is_found() -> None:
    assert broken([row("delivered")]) == {rules.DIFFERS: ["r1"]}
    assert broken([row("sent")], [taken("delivered")]) == {rules.DIFFERS: ["r1"]}
    assert broken([row("delivered")], [taken(sid="SM9")]) == {rules.DIFFERS: ["r1"]}
    assert broken([row("failed")], [taken("delivered")]) == {rules.DIFFERS: ["r1"]}


def test_a_message_of_the_carrier_that_no_row_asked_for_is_found() -> None:
    theirs = [taken(), taken(ref="r7", sid="SM7"), taken(ref=None, sid="SM8")]
    assert broken([row("delivered")], theirs) == {rules.STRANGER: ["SM7", "SM8"]}


@pytest.mark.parametrize("status", ["skipped", "cancelled"])
def test_only_a_stop_may_leave_a_reminder_out(status: str) -> None:
    opted_out = row(status, reason="opted out")
    assert broken([opted_out], ended=frozenset({NUMBER})) == {}
    assert broken([opted_out]) == {rules.UNLAWFUL: ["r1"]}
    assert broken([row(status, reason="too late")], ended=frozenset({NUMBER})) == {rules.UNLAWFUL: ["r1"]}
    assert broken([opted_out], [taken()], ended=frozenset({NUMBER})) == {rules.NEVER: ["r1"]}


def test_nothing_is_left_out_of_a_run_because_it_came_too_late() -> None:
    left_out = row("skipped", reason="too late after one message a day")
    again = replace(left_out, id="r2", turn=1)
    assert broken([left_out]) == {rules.UNLAWFUL: ["r1"]}
    assert broken([row("undelivered"), again], [taken("undelivered")]) == {rules.UNLAWFUL: ["r2"]}


def test_a_reminder_of_another_day_must_not_have_gone() -> None:
    later = row("scheduled", due=at(86400))
    assert broken([later], [taken()]) == {rules.NEVER: ["r1"]}


@pytest.mark.parametrize(
    "way",
    [
        ("scheduled", "sending", "sent", "delivered"),
        (
            "scheduled",
            "claimed",
            "sending",
            "unknown",
            "scheduled",
            "claimed",
            "sending",
            "sent",
            "delivered",
        ),
        ("scheduled", "claimed", "sending", "sent"),
        ("delivered",),
        (),
    ],
)
def test_a_history_that_the_table_of_moves_does_not_know_is_illegal(way: tuple[str, ...]) -> None:
    history = tuple(Moved(at(n), name, "") for n, name in enumerate(way))
    assert broken([row("delivered", history=history)], [taken()]) == {rules.ILLEGAL: ["r1"]}


def test_a_note_in_a_history_is_no_move_and_time_does_not_go_backwards() -> None:
    way = row("unknown").history
    assert broken([row("unknown", history=(*way, Moved(at(90), "unknown", "looked up")))]) == {}
    back = (*way[:-1], Moved(at(-60), "unknown", ""))
    assert broken([row("unknown", history=back)]) == {rules.ILLEGAL: ["r1"]}


def texted(text: str, *replies: str, **changed: Any) -> Texted:
    patient = Patient(NUMBER, "America/New_York", 0.0, text=text)  # type: ignore[arg-type]
    return replace(Texted(patient, at(10), replies, well=True, whole=True), **changed)


def test_nothing_goes_after_a_stop_but_what_was_on_its_way() -> None:
    stop, recorded = [texted("stop")], frozenset({NUMBER})
    late = taken(created=at(11))
    on_its_way = facts([row("delivered")], [late])
    assert not any(judge_stops(stop, on_its_way, recorded).values())
    let_go_later = tuple(
        replace(moved, at=moved.at + timedelta(seconds=20)) for moved in row("delivered").history
    )
    after = facts([row("delivered", history=let_go_later)], [late])
    assert judge_stops(stop, after, recorded)[rules.AFTER_STOP] == ["SM1"]
    assert judge_stops(stop, facts([], [taken(ref="r9", created=at(11))]), recorded)[rules.AFTER_STOP] == [
        "SM1"
    ]
    assert judge_stops(stop, on_its_way, frozenset())[rules.UNHEARD] == ["i1"]


def test_an_emergency_is_answered_raised_and_alerted() -> None:
    alert = row("delivered", id="r3", purpose="alert", content=rules.ALERT, injection=None, step=None)
    well, raised = [texted("emergency", "Call 911 now")], frozenset({NUMBER})
    assert not any(judge_emergencies(well, facts([alert]), raised).values())
    assert judge_emergencies([texted("emergency", "Hello")], facts([alert]), raised)[rules.UNANSWERED] == [
        "i1"
    ]
    assert judge_emergencies(well, facts([alert]), frozenset())[rules.NO_ITEM] == ["i1"]
    assert judge_emergencies(well, facts([]), raised)[rules.NO_ALERT]


def test_a_seed_decides_everything_and_another_decides_otherwise() -> None:
    assert choose(7, 300) == choose(7, 300)
    assert choose(7, 300) != choose(8, 300)
    full = choose(7, 3000)
    assert len({patient.number for patient in full.patients}) == 3000
    assert {patient.text for patient in full.patients} == {"", "stop", "emergency"}
    assert [strike.at for strike in full.strikes] == sorted(strike.at for strike in full.strikes)
