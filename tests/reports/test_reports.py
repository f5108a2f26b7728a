"""The figures of a report against a past that was worked out by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nurseline.parts import Parts
from nurseline.reports import charts, periods
from nurseline.reports.figures import Items, Report, Share, Spread, ending, waited
from nurseline.reports.queries import report
from tests.reports.past import DAY, HOUR, MINUTE, Past
from tests.support.line import clock, parts, same_environment  # noqa: F401 - fixtures

NEW_YORK = ZoneInfo("America/New_York")
TEN = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # Tuesday, 10 in the morning in New York
NOW = TEN + 10 * DAY
SECOND = timedelta(seconds=1)


@pytest.fixture
def past(parts: Parts) -> Iterator[Past]:  # noqa: F811
    with parts.db.begin() as session:
        yield Past(session)
        session.rollback()


def figures(past: Past, key: str = "2026-03-03", now: datetime = NOW) -> Report:
    period = periods.read(key, NEW_YORK)
    assert period is not None
    return report(past.session, period, now=now)


def test_nothing_happened_is_a_report_of_zeros(past: Past) -> None:
    found = figures(past, "2026-03")
    assert (found.items, found.by_reason) == (Items(), {})
    assert (found.calls.total, found.calls.share("abandoned").percent) == (0, None)
    assert (found.callbacks, found.repeats.percent) == (Spread(), None)
    assert found.reminders("day1").answered.percent is None
    assert len(found.by_day["texts"]) == 31
    assert sum(found.by_hour["items"]) == 0


def test_times_to_a_try_and_to_a_person_are_medians_and_ninetieths_by_reason(past: Past) -> None:
    for tried, spoke in ((10, 10), (20, 50), (30, None), (None, None)):
        minutes = [None if one is None else one * MINUTE for one in (tried, spoke)]
        past.item(past.contact(TEN), TEN, tried=minutes[0], spoke=minutes[1])
    past.item(past.contact(TEN), TEN, "schedule", tried=HOUR)
    found = figures(past)
    clinical = found.by_reason["clinical"]
    assert clinical.asked == 4
    assert clinical.attempt == Spread(3, 1200, pytest.approx(1680), 1200)  # between 20 and 30: 28 min
    assert clinical.contact == Spread(2, 1800, pytest.approx(2760), 1800)
    assert (found.items.asked, found.items.attempt.count, found.items.attempt.median) == (5, 4, 1500)
    assert found.callbacks == Spread(3, 1200, pytest.approx(1680), 1200)  # scheduling is not clinical


def test_the_share_within_promise_counts_what_was_due_or_kept(past: Past) -> None:
    kept = {"tried": HOUR}
    past.item(past.contact(TEN), TEN, **kept)
    past.item(past.contact(TEN), TEN, tried=5 * HOUR)  # too late
    past.item(past.contact(TEN), TEN)  # nobody tried, and it is past
    past.item(past.contact(TEN), TEN, promise=30 * DAY)  # not due yet
    past.item(past.contact(TEN), TEN, closed=HOUR, outcome="patient_called_back")
    past.item(past.contact(TEN), TEN, closed=HOUR, outcome="duplicate")  # no case of its own
    past.item(past.contact(TEN), TEN, status="cancelled", **kept)
    past.item(past.contact(TEN), TEN, source="staff")  # a follow-up: nobody asked
    found = figures(past).by_reason["clinical"]
    assert found.promise == Share(2, 4)
    assert found.late == 1
    assert found.asked == 7


def test_what_was_closed_unreached_is_a_share_of_what_was_closed(past: Past) -> None:
    past.item(past.contact(TEN), TEN, closed=DAY, outcome="unreached_closed")
    past.item(past.contact(TEN), TEN, closed=DAY)
    past.item(past.contact(TEN), TEN)
    assert figures(past).items.unreached == Share(1, 2)


def test_an_emergency_that_was_joined_to_an_older_item_waited_since_it_was_asked_for(past: Past) -> None:
    ada = past.contact(TEN)
    answered = {"tried": 2 * DAY + 3 * MINUTE, "spoke": 2 * DAY + 4 * MINUTE}
    stays = past.item(ada, TEN - 2 * DAY, "emergency", closed=3 * DAY, **answered)  # was about scheduling
    past.item(ada, TEN, "emergency", closed=MINUTE, outcome="duplicate", merged_into=stays.id)
    today, before = figures(past), figures(past, "2026-03-01")
    assert today.by_reason["emergency"].contact == Spread(1, 240, 240, 240)
    assert before.by_reason["emergency"].attempt == Spread(1, 180, 180, 180)
    assert (today.callbacks, before.callbacks) == (Spread(), Spread(1, 180, 180, 180))  # one call, once


def test_a_try_before_another_item_was_joined_stays_the_first(past: Past) -> None:
    ada = past.contact(TEN)
    stays = past.item(ada, TEN, "clinical", tried=HOUR)
    past.item(ada, TEN + 2 * HOUR, "schedule", closed=3 * HOUR, outcome="duplicate", merged_into=stays.id)
    found = figures(past)
    assert found.by_reason["clinical"].attempt == Spread(1, 3600, 3600, 3600)
    assert found.by_reason["schedule"].attempt == Spread()  # nobody has called since


def test_who_was_put_through_at_once_was_not_called_back(past: Past) -> None:
    talked = past.item(past.contact(TEN), TEN, "nurse", tried=MINUTE, spoke=MINUTE)
    past.event(talked, TEN + MINUTE, "spoke with staff for 0 min 40 s")
    past.item(past.contact(TEN), TEN, "nurse", tried=40 * MINUTE)
    found = figures(past)
    assert found.callbacks.average == 2400
    assert found.by_reason["nurse"].attempt.count == 2


def test_each_call_has_one_ending(past: Past) -> None:
    ada, ben, cal, dan, eve = (past.contact(TEN) for _ in range(5))
    past.call(ada, TEN, "voice.menu.aftercare", "answer.recovery voice.followup")
    past.call(ben, TEN)  # hung up during the greeting
    past.call(cal, TEN, "voice.menu.about")  # hung up in the list
    past.call(dan, TEN, "nurse.done", lasted=MINUTE)
    asked = past.item(dan, TEN + 10 * SECOND, "nurse", source="call")
    past.event(asked, TEN + 10 * SECOND, "requested by call")
    past.call(dan, TEN + HOUR, "nurse.already")  # asks again: no new item
    past.call(eve, TEN, "voice.connecting", "voice.still_connecting")
    wanted = past.item(eve, TEN + 10 * SECOND, "nurse", source="call")
    past.event(wanted, TEN + 10 * SECOND, "requested by call")
    past.event(wanted, TEN + 35 * SECOND, "taken by Front desk")
    lasting = past.call(ada, TEN)
    lasting.ended_at = None
    past.session.flush()
    calls = figures(past).calls
    assert dict(calls.endings) == {"line": 1, "abandoned": 2, "callback": 2, "person": 1}
    assert calls.share("abandoned") == Share(2, 6)
    assert calls.speed == Spread(1, 25, 25, 25)  # from the words, over two telephones, until 1 was pressed


def test_a_caller_without_number_who_asked_is_not_abandoned(past: Past) -> None:
    call = past.call(None, TEN, "voice.ask_number")
    item = past.item(None, TEN + 90 * SECOND, "nurse", source="call", number_key=f"call:{call.call_sid}")
    past.event(item, TEN + 90 * SECOND, "requested by call")  # kept as the caller hung up
    assert dict(figures(past).calls.endings) == {"callback": 1}


def test_a_call_of_ours_is_no_call_of_a_patient(past: Past) -> None:
    contact = past.contact(TEN)
    past.call(contact, TEN).message_id = past.sent(contact, TEN).id
    past.session.flush()
    found = figures(past)
    assert found.calls.total == 0
    assert sum(found.by_hour["calls"]) == 0


def test_texts_of_a_day_are_answered_by_the_line_or_come_to_staff(past: Past) -> None:
    ada, ben, cal = (past.contact(TEN) for _ in range(3))
    past.text(ada, TEN, "recovery", answer="answer.recovery:1 followup:1")
    past.text(ada, TEN + HOUR, "thanks", answer="thanks:1")
    past.text(ben, TEN, "risks", answer="answer.risks:1")
    past.item(ben, TEN + HOUR, "nurse", source="call")  # was not helped, and called
    past.text(cal, TEN, "stop")
    past.item(cal, TEN - 2 * DAY, closed=HOUR)  # long closed
    found = figures(past)
    assert (found.conversations.total, found.conversations.line, found.conversations.staff) == (3, 1, 1)
    assert found.topics == {"recovery": 1, "risks": 1, "stop": 1, "thanks": 1}


def test_who_asks_again_within_72_hours_of_a_closed_item_counts_as_a_repeat(past: Past) -> None:
    ada, ben = past.contact(TEN), past.contact(TEN)
    past.item(ada, TEN - 4 * DAY, closed=DAY)  # closed exactly 72 hours before
    past.item(ada, TEN, "schedule")
    past.item(ben, TEN - 5 * DAY, closed=DAY)
    past.item(ben, TEN, "schedule")
    assert figures(past).repeats == Share(1, 2)


def test_red_flags_count_texts_and_the_time_until_a_person_spoke(past: Past) -> None:
    ada = past.contact(TEN)
    past.text(ada, TEN, "emergency", "emergency")
    past.text(ada, TEN, "recovery", "urgent")
    past.item(ada, TEN, "emergency", tried=2 * MINUTE, spoke=3 * MINUTE)
    found = figures(past)
    assert found.topics == {"emergency": 1, "urgent": 1}
    assert found.by_reason["emergency"].contact == Spread(1, 180, 180, 180)


def test_delivery_stands_by_status_and_error_and_answers_by_step(past: Past) -> None:
    ada = past.contact(TEN)
    for answer in ("well", "well", "worse", "silence", None):
        past.sent(ada, TEN, step="day1", answer=answer)
    past.sent(ada, TEN, step="day1", status="undelivered", error_code=30006)
    past.sent(ada, TEN, step="week1", status="unknown")
    past.sent(ada, TEN, step="day3", status="skipped", sending_at=None)  # never went
    found = figures(past)
    day1 = found.reminders("day1")
    assert (day1.arrived, day1.waiting, day1.answered) == (5, 1, Share(3, 4))
    assert {name: count for name, count in day1.answers.items() if count} == {
        "well": 2,
        "worse": 1,
        "silence": 1,
    }
    assert found.deliveries() == {("delivered", None): 5, ("undelivered", 30006): 1, ("unknown", None): 1}


def test_a_message_made_weeks_before_it_went_is_counted_when_it_went(past: Past) -> None:
    ada = past.contact(TEN)
    planned = past.sent(ada, TEN - 20 * DAY)
    planned.sending_at = TEN
    past.session.flush()
    assert figures(past).deliveries() == {("delivered", None): 1}


def test_consent_counts_numbers_and_wrong_numbers_once(past: Past) -> None:
    ada, ben = past.contact(TEN), past.contact(TEN)
    for method in ("text", "carrier"):
        past.consent(ada, TEN, "opt_out", method)
    past.consent(ben, TEN, "opt_out", "text")
    past.consent(ben, TEN - DAY, "opt_in", "staff")
    past.text(ada, TEN, "wrong_number")
    past.outcome(past.item(ada, TEN), TEN, "wrong_number")
    found = figures(past)
    assert (found.opt_outs, found.opt_outs_all, found.opt_ins) == ({"text": 2, "carrier": 1}, 2, 0)
    assert found.wrong_numbers == 1
    assert found.outcomes == {"wrong_number": 1}
    assert figures(past, "2026-03").opt_ins == 1


def test_hours_and_days_are_the_clinics(past: Past) -> None:
    ada = past.contact(TEN)
    late = datetime(2026, 3, 4, 4, 59, tzinfo=UTC)  # 11:59 PM on March 3 in New York
    past.text(ada, late)
    past.text(ada, late + MINUTE)
    found = figures(past)
    assert (found.by_hour["texts"][23], sum(found.by_hour["texts"])) == (1, 1)
    month = figures(past, "2026-03").by_day["texts"]
    assert [day.day for day, count in month.items() if count] == [3, 4]


@pytest.mark.parametrize(
    ("key", "hours", "start"),
    [("2026-03-08", 23, 5), ("2026-11-01", 25, 4), ("2026-03-03", 24, 5), ("2026-03", 743, 5)],
)
def test_days_on_which_clocks_change_are_shorter_or_longer(key: str, hours: int, start: int) -> None:
    period = periods.read(key, NEW_YORK)
    assert period is not None
    assert (period.hours_long, period.start.hour, period.key) == (hours, start, key)


def test_both_hours_between_one_and_two_in_autumn_are_of_that_day(past: Past) -> None:
    ada = past.contact(TEN)
    first = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    past.text(ada, first)
    past.text(ada, first + HOUR)
    past.text(ada, first + 23 * HOUR)  # 11:30 PM, within the 25th hour
    found = figures(past, "2026-11-01")
    assert (found.by_hour["texts"][1], found.by_hour["texts"][23]) == (2, 1)


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-02-30", "20260303", "2026-W01-1", "٢٠٢٦-03", "1999-01"]
)
def test_what_is_no_period_is_none(text: str) -> None:
    assert periods.read(text, NEW_YORK) is None


def test_periods_follow_each_other_and_stop_at_the_edges() -> None:
    month = periods.read("2026-01", NEW_YORK)
    assert month is not None
    assert month.before is not None
    assert (month.before.key, month.following and month.following.key) == ("2025-12", "2026-02")
    first, last = periods.read("2000-01-01", NEW_YORK), periods.read("2100-12", NEW_YORK)
    assert first is not None
    assert last is not None
    assert (first.before, last.following) == (None, None)


def test_an_ending_is_the_first_that_fits() -> None:
    assert ending(taken=True, asked=True, heard=[]) == "person"
    assert ending(taken=False, asked=False, heard=["answer.risks", "nurse.already"]) == "callback"
    assert ending(taken=False, asked=False, heard=["voice.emergency_first", "voice.menu"]) == "abandoned"


def test_the_wait_begins_with_the_last_words_that_a_person_is_being_connected() -> None:
    said = [
        (TEN, {"voice.connecting"}),
        (TEN + MINUTE, {"voice.connecting"}),
        (TEN + HOUR, {"voice.connecting"}),
    ]
    assert waited(TEN + MINUTE + 20 * SECOND, said) == 20
    assert waited(TEN, [(TEN, {"voice.menu"})]) is None


def test_a_chart_holds_its_words_escaped_and_neither_style_nor_script() -> None:
    drawn = charts.columns([0, 3, 1], {0: "<b>"}, 'calls "<i>"')
    assert "<b>" not in drawn
    assert 'aria-label="calls &#34;&lt;i&gt;&#34;"' in drawn
    assert not re.search(r"style|script|href| on\w+=|fill=", drawn)
    assert len(re.findall('class="chart-bar"', drawn)) == 2
    assert "chart-bar" not in charts.columns([0] * 24, {}, "none")
    assert 'aria-hidden="true"' in charts.bar(0, 0)
