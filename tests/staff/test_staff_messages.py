"""Messages to check: what is known of each, and what staff decide about it."""

from __future__ import annotations

import itertools
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.aftercare.models import Injection
from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.consent import service as consent
from nurseline.messaging import outbox
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.reconcile import MISSED, NOT_THERE
from nurseline.messaging.reports import Report, apply_report
from nurseline.staff.models import StaffAudit
from nurseline.staff.queries import messages as queries
from tests.staff.conftest import TUESDAY, Browser, Desk
from tests.staff.test_staff_contacts import text_out

HOUR = timedelta(hours=1)
_numbers = itertools.count(1)
PEOPLE = ("Ada", "Ben", "Cleo", "Dan")


def agree(desk: Desk) -> None:
    """The patient has agreed to messages."""
    with desk.parts.db.begin() as session:
        record = consent.Record(desk.contact().number_hash, desk.clock.now(), "staff", "agreed", actor="x")
        consent.opt_in(session, record)


def reminder(desk: Desk, status: str, *, body: str = "How are you?", **more: object) -> uuid.UUID:
    """An aftercare message that was sent just now and is of use for twelve more hours."""
    agree(desk)
    usual = {
        "purpose": "reminder",
        "priority": 5,
        "content_id": "reminder.day3",
        "step": "day3",
        "send_before": desk.clock.now() + 12 * HOUR,
        "attempts": 1,
    }
    return text_out(desk, body, status, **{**usual, **more})


def happen(desk: Desk, message: uuid.UUID, status: str, cause: str, actor: str = "line") -> None:
    """One more line in the history of a message."""
    with desk.parts.db.begin() as session:
        at = desk.clock.now()
        session.add(OutboundEvent(subject_id=message, at=at, status=status, cause=cause, actor=actor))


def fetch(desk: Desk, message: uuid.UUID) -> OutboundMessage:
    with desk.parts.db.begin() as session:
        return session.get_one(OutboundMessage, message)


def turns(desk: Desk) -> list[OutboundMessage]:
    """Every message of the patient, the oldest first."""
    with desk.parts.db.begin() as session:
        rows = sa.select(OutboundMessage).where(OutboundMessage.contact_id == desk.contact().id)
        return list(session.scalars(rows.order_by(OutboundMessage.turn, OutboundMessage.created_at)))


def decide(browser: Browser, message: uuid.UUID, decision: str) -> str:
    """Press a button of the message's page; the text of the page that follows."""
    browser.get(f"/staff/messages/{message}")
    path = f"/staff/messages/{message}/decision"
    return browser.post(path, {"decision": decision}, follow_redirects=True).text


def test_the_list_has_the_unknown_failed_and_undelivered_ones(desk: Desk) -> None:
    text_out(desk, "arrived words", "delivered")
    text_out(desk, "failed words", "failed", error_code=30006, reason="carrier error 30006")
    text_out(desk, "undelivered words", "undelivered")
    text_out(desk, "unknown words", "unknown", reason="no answer")
    text_out(desk, "old words", "failed", created_at=desk.clock.now() - timedelta(days=31))
    page = desk.signed_in().get("/staff/messages").text
    for words in ("failed words", "undelivered words", "unknown words"):
        assert words in page
    assert "arrived words" not in page
    assert "old words" not in page
    assert page.index("unknown words") < page.index("failed words")
    assert "It may have reached the patient" in page
    assert "This number cannot be texted" in page
    assert "without a reason" in page
    assert "202-555-0123" not in page


def test_nothing_to_check_says_so(desk: Desk) -> None:
    assert "Nothing to check" in desk.signed_in().get("/staff/messages").text


def test_more_than_a_page_of_them_is_shown_page_by_page(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SHOWN", 3)
    for number in range(7):
        text_out(desk, f"words number {number}", "unknown", created_at=desk.clock.now() + number * HOUR)
    ada = desk.signed_in()
    seen = [ada.get(f"/staff/messages?page={page}").text for page in (1, 2, 3)]
    assert [page.count("words number") for page in seen] == [3, 3, 1]
    assert "Page 2 of 3, 7 messages in all." in seen[1]
    assert "words number 0" in ada.get("/staff/messages?page=99").text
    assert ada.get("/staff/messages?page=x").status_code == 200


def test_pages_go_on_from_the_unknown_ones_to_the_others_and_miss_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "SHOWN", 3)
    for number in range(8):
        status = "unknown" if number % 2 else "failed"
        text_out(desk, f"words number {number}", status, created_at=desk.clock.now() + number * HOUR)
    ada = desk.signed_in()
    seen = [
        re.findall(r"words number (\d)", ada.get(f"/staff/messages?page={page}").text) for page in (1, 2, 3)
    ]
    assert seen == [["7", "5", "3"], ["1", "6", "4"], ["2", "0"]]


def test_of_very_many_only_so_many_are_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "SHOWN", 2)
    monkeypatch.setattr(queries, "COUNTED", 4)
    for number in range(6):
        text_out(desk, f"words number {number}", "failed", created_at=desk.clock.now() + number * HOUR)
    ada = desk.signed_in()
    page = ada.get("/staff/messages?page=2").text
    assert "Page 2 of 2, more than 4 messages" in page
    assert 'rel="next"' not in page
    assert re.findall(r"words number (\d)", page) == ["3", "2"]


def test_what_is_sent_again_by_itself_is_not_for_staff_until_that_fails_too(desk: Desk) -> None:
    injection = desk_injection(desk)
    first = reminder(desk, "undelivered", injection_id=injection, error_code=30003)
    second = reminder(desk, "scheduled", injection_id=injection, turn=1)
    ada = desk.signed_in()
    assert f"/staff/messages/{first}" not in ada.get("/staff/messages").text
    with desk.parts.db.begin() as session:
        failed = sa.update(OutboundMessage).where(OutboundMessage.id == second)
        session.execute(failed.values(status="failed"))
    page = ada.get("/staff/messages").text
    assert f"/staff/messages/{second}" in page
    assert f"/staff/messages/{first}" not in page


def desk_injection(desk: Desk) -> uuid.UUID:
    """An injection to which reminders may belong."""
    made = Injection(
        id=uuid.uuid4(),
        contact_id=desk.contact().id,
        performed_at=desk.clock.now() - timedelta(hours=72, seconds=next(_numbers)),
        timezone="America/New_York",
        language="en",
        enrolled_at=desk.clock.now(),
        enrolled_by="test",
    )
    with desk.parts.db.begin() as session:
        session.add(made)
    return made.id


def test_the_page_says_in_plain_words_what_is_known(desk: Desk) -> None:
    message = reminder(desk, "unknown", reason="no answer", check_after=desk.clock.now() + HOUR)
    happen(desk, message, "sending", "request")
    happen(desk, message, "unknown", "no answer")
    for minutes in (1, 2):
        desk.clock.advance(timedelta(minutes=minutes))
        happen(desk, message, "unknown", MISSED)
    page = desk.signed_in().get(f"/staff/messages/{message}").text
    for words in (
        "Aftercare message, 72 hours",
        "How are you?",
        "It may have reached the patient: nobody knows. The carrier is being asked.",
        "Today, 10:00 AM",
        "The carrier did not answer in time.",
        "Read 2 times: the message was not there.",
        "Last read Today, 10:03 AM.",
        "Read next Today, 11:00 AM.",
        "Today, 10:00 PM",  # of use until
        "It arrived",
        "It did not arrive: send again",
        "Call the patient",
        "Leave it",
    ):
        assert words in page, words
    assert "202-555-0123" not in page


def test_one_that_the_list_does_not_hold_is_said_to_be_most_likely_lost(desk: Desk) -> None:
    message = reminder(desk, "unknown", reason=NOT_THERE)
    assert "It most likely did not arrive" in desk.signed_in().get(f"/staff/messages/{message}").text


def test_there_is_no_page_of_a_message_that_does_not_exist(desk: Desk) -> None:
    ada = desk.signed_in()
    assert ada.get(f"/staff/messages/{uuid.uuid4()}").status_code == 404
    assert ada.post(f"/staff/messages/{uuid.uuid4()}/decision", {"decision": "leave"}).status_code == 404


def test_it_arrived_ends_the_doubt_and_says_who_said_so(desk: Desk) -> None:
    message = reminder(desk, "unknown", reason="no answer", check_after=desk.clock.now())
    ada = desk.signed_in("Ada")
    page = decide(ada, message, "arrived")
    assert "Recorded: the message arrived." in page
    assert "Nothing to check" in page
    row = fetch(desk, message)
    assert (row.status, row.check_after) == ("delivered", None)
    shown = ada.get(f"/staff/messages/{message}").text
    assert "It arrived, as staff found out." in shown
    assert "<bdi>Ada</bdi>" in shown
    assert "What is to be done?" not in shown


def test_it_did_not_arrive_ends_it_and_plans_it_again(desk: Desk) -> None:
    message = reminder(desk, "unknown", reason="no answer", injection_id=desk_injection(desk))
    page = decide(desk.signed_in(), message, "again")
    assert "The message goes again" in page
    old, new = turns(desk)
    assert (old.status, old.reason) == ("failed", "staff: it did not arrive")
    assert (new.turn, new.status, new.step, new.channel) == (1, "scheduled", "day3", "text")
    assert new.send_before == old.send_before
    assert f"/staff/messages/{message}" not in desk.signed_in().get("/staff/messages").text


@pytest.mark.parametrize("status", ["failed", "undelivered"])
def test_a_failed_one_is_sent_again_and_keeps_its_end(desk: Desk, status: str) -> None:
    yesterday = desk.clock.now() - timedelta(hours=25)
    message = reminder(
        desk, status, error_code=30003, injection_id=desk_injection(desk), sending_at=yesterday
    )
    decide(desk.signed_in(), message, "again")
    old, new = turns(desk)
    assert (old.status, old.error_code) == (status, 30003)
    assert new.status == "scheduled"


def test_to_a_number_that_is_called_it_goes_again_as_a_call(desk: Desk) -> None:
    message = reminder(desk, "undelivered", error_code=30006, injection_id=desk_injection(desk))
    with desk.parts.db.begin() as session:
        session.execute(sa.update(Contact).values(channel="call"))
    ada = desk.signed_in()
    assert "As a call, in the hours for messages." in ada.get(f"/staff/messages/{message}").text
    decide(ada, message, "again")
    assert turns(desk)[1].channel == "call"


@pytest.mark.parametrize(
    ("why", "more"),
    [
        ("It is too late for this message.", {"hours": 13}),
        ("The patient has ended messages", {"stop": True}),
        ("An answer to a text is not sent again", {"purpose": "reply", "send_before": None}),
        ("This number cannot be texted", {"status": "failed", "error_code": 21211}),
        ("The carrier does not take these words", {"status": "undelivered", "error_code": 30007}),
        ("One message a day", {"status": "undelivered", "error_code": 30003, "sending_at": TUESDAY}),
    ],
)
def test_what_is_of_no_use_or_not_wanted_is_not_sent_again(
    desk: Desk, why: str, more: dict[str, object]
) -> None:
    hours, stop = more.pop("hours", 0), more.pop("stop", False)
    message = reminder(desk, **{"status": "unknown", **more})  # type: ignore[arg-type]
    desk.clock.advance(int(hours) * HOUR)  # type: ignore[call-overload]
    if stop:
        with desk.parts.db.begin() as session:
            record = consent.Record(desk.contact().number_hash, desk.clock.now(), "text", "stop")
            consent.opt_out(session, record, carrier_blocked=False)
    ada = desk.signed_in()
    page = ada.get(f"/staff/messages/{message}").text
    assert why in page
    assert "end again" not in page.replace("not sent again", "")
    status = fetch(desk, message).status
    assert why in decide(ada, message, "again")
    assert len(turns(desk)) == 1
    assert fetch(desk, message).status == status


def test_leaving_it_takes_it_from_the_list_and_a_report_that_still_comes_is_believed(desk: Desk) -> None:
    message = reminder(desk, "unknown", reason="no answer")
    page = decide(desk.signed_in(), message, "leave")
    assert "Nothing to check" in page
    row = fetch(desk, message)
    assert (row.status, row.reason) == ("unknown", "staff: left as it is")
    with desk.parts.db.begin() as session:
        report = Report("SM" + "7" * 32, "delivered", desk.clock.now(), message)
        assert apply_report(session, report)
    assert fetch(desk, message).status == "delivered"


@pytest.mark.parametrize(
    ("purpose", "reason", "words"),
    [
        ("reminder", "clinical", "Aftercare message 72 hours may not have arrived: call instead."),
        ("staff", "admin", "From staff 72 hours may not have arrived: call instead."),
    ],
)
def test_a_call_goes_into_the_queue_with_what_it_is_about(
    desk: Desk, purpose: str, reason: str, words: str
) -> None:
    message = reminder(desk, "unknown", purpose=purpose)
    page = decide(desk.signed_in(), message, "call")
    assert "The call is in the queue." in page
    assert words in page
    assert "Put here by staff" in page
    with desk.parts.db.begin() as session:
        item = session.scalars(sa.select(CallbackItem)).one()
        assert (item.reason, item.source, item.status) == (reason, "staff", "new")
    assert fetch(desk, message).reason == "staff: call instead"


def test_a_call_joins_the_item_that_is_open_for_the_number(desk: Desk) -> None:
    open_item = desk.item("clinical", "it still hurts")
    decide(desk.signed_in(), reminder(desk, "undelivered"), "call")
    with desk.parts.db.begin() as session:
        words = session.scalars(sa.select(CallbackWords).order_by(CallbackWords.id)).all()
    assert [(line.item_id, line.source) for line in words] == [(open_item, "text"), (open_item, "staff")]


def test_nobody_is_called_about_words_that_went_to_staff(desk: Desk) -> None:
    message = text_out(desk, "An emergency waits.", "failed", purpose="alert")
    ada = desk.signed_in()
    assert "Call the patient" not in ada.get(f"/staff/messages/{message}").text
    assert ada.post(f"/staff/messages/{message}/decision", {"decision": "call"}).status_code == 404
    assert fetch(desk, message).reason == ""


def test_a_decision_that_does_not_exist_is_refused(desk: Desk) -> None:
    message = reminder(desk, "unknown")
    ada = desk.signed_in()
    for wrong in ({}, {"decision": "forget"}):
        assert ada.post(f"/staff/messages/{message}/decision", wrong).status_code == 400
    assert fetch(desk, message).status == "unknown"


@pytest.mark.parametrize(
    ("status", "decision"),
    [
        *(("unknown", decision) for decision in ("arrived", "again", "call", "leave")),
        *(("failed", decision) for decision in ("again", "call", "leave")),
    ],
)
def test_of_two_decisions_one_counts_and_the_other_is_told_who_was_faster(
    desk: Desk, status: str, decision: str
) -> None:
    message = reminder(desk, status, injection_id=desk_injection(desk))
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    ben.get(f"/staff/messages/{message}")
    decide(ada, message, decision)
    told = ben.post(f"/staff/messages/{message}/decision", {"decision": "leave"}, follow_redirects=True).text
    assert "Ada was faster, so nothing was changed." in told
    with desk.parts.db.begin() as session:
        decided = sa.select(StaffAudit).where(StaffAudit.what == "decided_message")
        assert len(session.scalars(decided).all()) == 1


def test_a_failed_message_cannot_be_declared_to_have_arrived(desk: Desk) -> None:
    message = reminder(desk, "undelivered")
    decide(desk.signed_in(), message, "arrived")
    assert fetch(desk, message).status == "undelivered"


def test_a_report_that_came_first_is_told(desk: Desk) -> None:
    message = reminder(desk, "unknown")
    ada = desk.signed_in()
    ada.get(f"/staff/messages/{message}")
    with desk.parts.db.begin() as session:
        apply_report(session, Report("SM" + "8" * 32, "delivered", desk.clock.now(), message))
    path = f"/staff/messages/{message}/decision"
    told = ada.post(path, {"decision": "again"}, follow_redirects=True).text
    assert "The carrier was faster, so nothing was changed. The carrier reported: it arrived." in told
    assert len(turns(desk)) == 1


def flashes(page: str) -> str:
    """What a page tells the person about what they did."""
    return " | ".join(re.findall(r'class="flash [^>]*>([^<]*)', page)) or page


def test_of_many_who_decide_at_once_exactly_one_wins(desk: Desk) -> None:
    browsers = {name: desk.signed_in(name) for name in PEOPLE}
    decisions = dict(zip(PEOPLE, ("again", "again", "arrived", "call"), strict=True))
    for _ in range(4):
        long_ago = desk.clock.now() - timedelta(days=10)  # one a day may go
        message = reminder(desk, "unknown", injection_id=desk_injection(desk), sending_at=long_ago)
        for browser in browsers.values():
            browser.get(f"/staff/messages/{message}")
        start = threading.Barrier(len(PEOPLE))

        def press(name: str, message: uuid.UUID = message, start: threading.Barrier = start) -> str:
            start.wait()
            form = {"decision": decisions[name]}
            path = f"/staff/messages/{message}/decision"
            return browsers[name].post(path, form, follow_redirects=True).text

        with ThreadPoolExecutor(len(PEOPLE)) as pool:
            pages = list(pool.map(press, PEOPLE))
        told = [flashes(page) for page in pages]
        assert sum("was faster, so nothing was changed." in text for text in told) == len(PEOPLE) - 1, told
        with desk.parts.db.begin() as session:  # a plan that stands would replace the next message
            outbox.cancel_planned(
                session, desk.contact().number_hash, at=desk.parts.clock.now(), reason="end of a round"
            )
    assert all(one.turn < 2 for one in turns(desk))


def test_every_decision_is_written_down(desk: Desk) -> None:
    message = reminder(desk, "unknown")
    decide(desk.signed_in(), message, "leave")
    with desk.parts.db.begin() as session:
        rows = session.execute(sa.select(StaffAudit.what, StaffAudit.contact_id))
        assert ("decided_message", desk.contact().id) in [tuple(row) for row in rows]


def test_a_call_that_was_never_made_is_not_said_to_have_reached_nobody(desk: Desk) -> None:
    reminder(desk, "failed", channel="call", reason="too late after quiet hours", sending_at=None)
    page = desk.signed_in().get("/staff/messages").text
    assert "It could not go in time: the hours for messages came too late." in page
    assert "The call did not reach" not in page
