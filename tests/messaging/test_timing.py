"""The decision whether a message goes, waits or is left out, on a clock that steps through weeks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurseline.aftercare.plan import plan_of
from nurseline.consent.allowed import Where
from nurseline.consent.hours import Week, both, every_day
from nurseline.consent.states import load_state_hours
from nurseline.messaging.timing import NOTHING_BEFORE, SOON, Earlier, Go, Past, Skip, Wait, decide
from tests.support.line import instants, minutes

DAY = timedelta(days=1)
NEW_YORK, HONOLULU = ZoneInfo("America/New_York"), ZoneInfo("Pacific/Honolulu")
USUAL = every_day((time(9), time(20)))
HERE = Where((NEW_YORK,), USUAL)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


TEN = utc("2026-03-03T15:00")  # in the morning in New York, a Tuesday


@pytest.mark.parametrize(
    ("went", "decision"),
    [
        ([], Go()),
        ([DAY], Go()),
        ([timedelta(hours=23)], Wait(TEN + timedelta(hours=1), "one message a day")),
        ([timedelta(hours=20)], Wait(TEN + timedelta(hours=4), "one message a day")),
        ([timedelta(0)], Wait(TEN + DAY, "one message a day")),
        # 24 hours after 21 in the evening is past the hours of that day
        ([timedelta(hours=13)], Wait(TEN + timedelta(hours=23), "one message a day")),
        ([6 * DAY, 4 * DAY, 2 * DAY], Wait(TEN + DAY, "three messages a week")),
        ([7 * DAY, 4 * DAY, 2 * DAY], Go()),
        ([6 * DAY, 4 * DAY], Go()),
        ([6 * DAY, 5 * DAY, 4 * DAY, 3 * DAY], Wait(TEN + 2 * DAY, "three messages a week")),
    ],
)
def test_what_went_before_holds_the_next_back(went: Sequence[timedelta], decision: object) -> None:
    assert decide(None, HERE, Past(went=[TEN - ago for ago in went]), TEN) == decision


@pytest.mark.parametrize("order", [1, -1])
def test_a_message_waits_for_an_earlier_one_of_its_injection(order: int) -> None:
    soon = Earlier(TEN - minutes(5), TEN + minutes(60))
    later = Earlier(TEN + minutes(90), TEN + minutes(600))
    past = Past(earlier=[soon, later][::order])
    assert decide(TEN + DAY, HERE, past, TEN) == Wait(TEN + SOON, "an earlier message comes first")
    over = Earlier(TEN - minutes(5), TEN)
    assert decide(TEN + DAY, HERE, Past(earlier=[over]), TEN) == Go()
    waiting = Earlier(TEN + minutes(90), TEN + minutes(60))
    assert decide(TEN + DAY, HERE, Past(earlier=[waiting]), TEN) == Wait(
        TEN + minutes(60), "an earlier message comes first"
    )


def test_while_one_is_on_its_way_the_next_waits_and_is_not_given_up() -> None:
    past = Past(under_way=[TEN - timedelta(seconds=1)])
    assert decide(TEN + minutes(60), HERE, past, TEN) == Wait(TEN + SOON, "another message is on its way")
    gone = Past(went=past.under_way)
    assert decide(TEN + minutes(60), HERE, gone, TEN) == Skip("too late after one message a day")


def test_one_on_its_way_for_a_day_holds_nothing_back() -> None:
    assert decide(None, HERE, Past(under_way=[TEN - DAY]), TEN) == Go()


@pytest.mark.parametrize(
    ("send_before", "why"),
    [
        (TEN, "too late"),
        (TEN - minutes(1), "too late"),
        (TEN + minutes(1), None),
    ],
)
def test_the_latest_useful_time_is_too_late_itself(send_before: datetime, why: str | None) -> None:
    assert decide(send_before, HERE, NOTHING_BEFORE, TEN) == (Skip(why) if why else Go())


def test_zones_that_share_no_hour_leave_it_out() -> None:
    nowhere = Where((NEW_YORK, ZoneInfo("Asia/Kathmandu")), every_day((time(9), time(10))))
    assert decide(None, nowhere, NOTHING_BEFORE, TEN) == Skip("no allowed hours")


def test_a_day_of_25_hours_is_one_date_and_gets_one_message() -> None:
    always = Where((NEW_YORK,), every_day((time(0), time(0))))
    first = utc("2026-11-01T04:30")  # half past midnight; 24 hours later it is half past eleven that evening
    again = decide(None, always, Past(went=[first]), first + DAY)
    assert again == Wait(utc("2026-11-02T05:00"), "one message a day")


# The simulation: injections of one number, workers that are away for a while, requests that fail or hang.

STATES = load_state_hours()
PLACES = st.one_of(
    st.sampled_from(
        [
            "America/New_York",
            "America/Phoenix",
            "Pacific/Honolulu",
            "America/St_Johns",
            "America/Havana",
            "Australia/Lord_Howe",
        ]
    ).map(lambda name: (ZoneInfo(name),)),
    st.sampled_from([(NEW_YORK, HONOLULU), (ZoneInfo("America/Denver"), ZoneInfo("America/Phoenix"))]),
)
WEEKS = st.one_of(
    st.sampled_from(["FL", "TX", "RI", "KY"]).map(lambda state: both(USUAL, STATES.weeks[state])),
    st.sampled_from([USUAL, every_day((time(0), time(0))), every_day((time(9), time(10)))]),
)
STARTS = st.one_of(
    instants(utc("2026-03-01T00:00"), utc("2026-03-09T00:00")),
    instants(utc("2026-10-24T00:00"), utc("2026-11-02T00:00")),
    instants(utc("2026-05-01T00:00"), utc("2027-05-01T00:00")),
)


@dataclass
class Row:
    injection: int
    due: datetime
    until: datetime
    next_try: datetime
    status: str = "scheduled"
    let_go: datetime | None = None


@dataclass
class Number:
    """One number, the messages planned for it, and a carrier that does as it is told."""

    where: Where
    rows: list[Row] = field(default_factory=list)

    def enrol(self, performed: datetime, now: datetime) -> None:
        injection = len(self.rows)
        self.rows += [
            Row(injection, d.send_after, d.send_before, d.send_after) for d in plan_of(performed, now)
        ]

    def past(self, mine: Row) -> Past:
        others = [row for row in self.rows if row is not mine]
        return Past(
            went=[row.let_go for row in others if row.let_go and row.status == "went"],
            under_way=[row.let_go for row in others if row.let_go and row.status == "sending"],
            earlier=[
                Earlier(row.next_try, row.until)
                for row in others
                if row.status == "scheduled" and row.injection == mine.injection and row.until < mine.until
            ],
        )

    def sweep(self, now: datetime, outcomes: st.DataObject) -> None:
        for row in self.rows:
            if row.status == "sending":
                settle(row, now, outcomes.draw(st.sampled_from(["went", "went", "not sent", "sending"])))
        for row in sorted(self.rows, key=lambda row: (row.next_try, row.until)):
            if row.status == "scheduled" and row.next_try <= now:
                self.judge(row, now)

    def judge(self, row: Row, now: datetime) -> None:
        past = self.past(row)
        match decide(row.until, self.where, past, now):
            case Go():
                check_go(self, row, now)
                row.status, row.let_go = "sending", now
            case Wait(until, why):
                assert now < until <= row.until
                if why in {"another message is on its way", "an earlier message comes first"}:
                    assert past.under_way or past.earlier
                else:
                    check_none_possible(self.where, past.went, now, until)
                row.next_try = until
            case Skip(why):
                check_none_possible(self.where, past.went, now, row.until)
                row.status = why


def settle(row: Row, now: datetime, outcome: str) -> None:
    row.status = outcome if outcome != "not sent" else "scheduled"
    if outcome == "not sent":
        row.let_go, row.next_try = None, now + minutes(7)


def possible(where: Where, went: Sequence[datetime], at: datetime) -> bool:
    """The rules once more, said in another way: hours on each clock, elapsed time, dates."""
    for zone in where.zones:
        local = at.astimezone(zone)
        span = where.week[local.weekday()]
        if span is None or local.time() < span[0] or (span[1] != time(0) and local.time() >= span[1]):
            return False
        dates = [(local.date() - before.astimezone(zone).date()).days for before in went]
        if any(days < 1 for days in dates) or sum(days < 7 for days in dates) >= 3:
            return False
    return all(at - before >= DAY for before in went) and sum(at - before < 7 * DAY for before in went) < 3


def check_go(number: Number, row: Row, now: datetime) -> None:
    others = [other.let_go for other in number.rows if other.let_go and other is not row]
    assert possible(number.where, others, now)
    assert row.due <= now < row.until
    for other in number.rows:
        if other.injection == row.injection and other.until > row.until:
            assert other.let_go is None, "a later message of the same injection went first"


def check_none_possible(where: Where, went: Sequence[datetime], now: datetime, until: datetime) -> None:
    at = now
    while at < until:
        assert not possible(where, went, at), f"could have gone at {at}"
        at += minutes(17)
    assert now >= until or not possible(where, went, until - timedelta(microseconds=1))


INJECTIONS = st.lists(st.tuples(st.integers(0, 12 * 24), st.integers(0, 60)), min_size=1, max_size=4)
OUTAGES = st.lists(st.tuples(st.integers(0, 20 * 24), st.integers(1, 40)), max_size=3)


@settings(max_examples=120, deadline=None)
@given(STARTS, PLACES, WEEKS, INJECTIONS, OUTAGES, st.integers(11, 90), st.data())
def test_through_injections_and_outages_every_rule_is_kept_and_nothing_waits_for_nothing(
    start: datetime,
    zones: tuple[ZoneInfo, ...],
    week: Week,
    injections: list[tuple[int, int]],
    outages: list[tuple[int, int]],
    step: int,
    data: st.DataObject,
) -> None:
    number = Number(Where(zones, week))
    enrolments = [(start + timedelta(hours=at), timedelta(hours=late)) for at, late in sorted(injections)]
    away = [(start + timedelta(hours=at), timedelta(hours=long)) for at, long in outages]
    now = start
    while now < start + 24 * DAY:
        while enrolments and enrolments[0][0] <= now:
            at, late = enrolments.pop(0)
            number.enrol(at - late, now)
        if not any(begin <= now < begin + long for begin, long in away):
            number.sweep(now, data)
        now += minutes(step)
    assert "scheduled" not in {row.status for row in number.rows}, "in the end nothing is left waiting"


@settings(max_examples=100, deadline=None)
@given(STARTS, st.sampled_from([NEW_YORK, ZoneInfo("America/Phoenix"), HONOLULU]), st.booleans())
def test_all_three_messages_of_a_single_injection_go_within_their_time(
    performed: datetime, zone: ZoneInfo, rhode_island: bool
) -> None:
    week = both(USUAL, STATES.weeks["RI"]) if rhode_island else USUAL
    where = Where((zone,), week)
    went: list[datetime] = []
    for due in plan_of(performed, performed):
        decision = decide(due.send_before, where, Past(went=went), due.send_after)
        if isinstance(decision, Skip):
            check_none_possible(where, went, due.send_after, due.send_before)
            assert rhode_island or due.step.name == "day1", "only the shortest of use can fall into the night"
            continue
        went.append(decision.until if isinstance(decision, Wait) else due.send_after)
    assert len(went) >= 2
