"""What staff change on a contact's page: name, wishes, notes, planned messages, the end of messages."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from markupsafe import escape

from nurseline.aftercare.changes import FOLLOWS, MOVED, STOPPED
from nurseline.consent.models import ConsentEvent, ConsentState
from nurseline.dialogue import State
from nurseline.messaging.contacts import locked_conversation
from nurseline.messaging.models import Contact, ContactNameKey, OutboundEvent, OutboundMessage
from nurseline.messaging.names import name_keys
from nurseline.messaging.outbox import MOVES, claim_due
from nurseline.messaging.timing import QUIET_HOURS
from nurseline.staff.models import ContactNote, StaffAudit
from tests.staff.conftest import Browser, Desk
from tests.staff.test_staff_contacts import text_in, text_out
from tests.staff.test_staff_enrolment import GOOD, enrol

WISHES = {"name": "", "timezone": "America/New_York", "language": "en", "channel": "text"}


def path(desk: Desk) -> str:
    return f"/staff/contacts/{desk.contact().id}"


def enrolled(desk: Desk) -> tuple[Browser, dict[str, OutboundMessage]]:
    """Somebody at the page of a patient with three planned messages, by step."""
    ada = desk.signed_in("Ada")
    assert enrol(ada)[0] == 302
    ada.get(path(desk))
    return ada, planned(desk)


def planned(desk: Desk) -> dict[str, OutboundMessage]:
    with desk.parts.db.begin() as session:
        rows = session.scalars(sa.select(OutboundMessage).where(OutboundMessage.purpose == "reminder"))
        return {row.step or "": row for row in rows}


def last_cause(desk: Desk, message: OutboundMessage) -> tuple[str, str]:
    """The last line of a message's history: why, and who."""
    with desk.parts.db.begin() as session:
        query = sa.select(OutboundEvent.cause, OutboundEvent.actor).where(
            OutboundEvent.subject_id == message.id
        )
        row = session.execute(query.order_by(OutboundEvent.id.desc()).limit(1)).one()
        return row.cause, row.actor


def move(browser: Browser, desk: Desk, message: OutboundMessage, day: str, at: str) -> tuple[int, str]:
    """Give a planned message another time; the status, and the page that followed."""
    answer = browser.post(f"{path(desk)}/planned/{message.id}/move", {"day": day, "at": at})
    return answer.status_code, browser.get(answer.location).text if answer.location else answer.text


def test_one_planned_message_is_stopped_and_the_others_stay(desk: Desk) -> None:
    ada, before = enrolled(desk)
    page = ada.post(f"{path(desk)}/planned/{before['day3'].id}/stop", follow_redirects=True).text
    assert "Stopped: this message does not go." in page
    assert {step: (row.status, row.reason) for step, row in planned(desk).items()} == {
        "day1": ("scheduled", ""),
        "day3": ("cancelled", STOPPED),
        "week1": ("scheduled", ""),
    }
    again = ada.post(f"{path(desk)}/planned/{before['day3'].id}/stop", follow_redirects=True).text
    assert "It has gone already, or was stopped before." in again


def test_all_planned_messages_are_stopped_and_the_agreement_stays(desk: Desk) -> None:
    ada, _ = enrolled(desk)
    page = ada.post(f"{path(desk)}/planned/stop", follow_redirects=True).text
    assert "Stopped: 3 planned messages." in page
    assert {row.status for row in planned(desk).values()} == {"cancelled"}
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(ConsentState.status)) == "opted_in"


def test_a_message_of_another_patient_cannot_be_stopped_from_this_page(desk: Desk) -> None:
    ada, before = enrolled(desk)
    other = desk.contact("+12025550177")
    ada.post(f"/staff/contacts/{other.id}/planned/{before['day1'].id}/stop")
    assert planned(desk)["day1"].status == "scheduled"


def test_the_end_of_messages_goes_into_the_ledger_and_cancels_what_is_planned(desk: Desk) -> None:
    ada, _ = enrolled(desk)
    page = ada.post(f"{path(desk)}/end", follow_redirects=True).text
    assert "This number has ended messages" in page
    assert {row.status for row in planned(desk).values()} == {"cancelled"}
    with desk.parts.db.begin() as session:
        event = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.kind == "opt_out")).one()
        assert event.method == "staff"
        assert event.actor == session.scalar(
            sa.select(StaffAudit.staff_id).where(StaffAudit.what == "ended_messages")
        )


def test_a_message_moves_inside_its_window_and_the_move_is_written_down(desk: Desk) -> None:
    ada, before = enrolled(desk)
    status, page = move(ada, desk, before["day3"], "2026-03-05", "18:15")
    assert status == 302
    assert "Moved: it goes Thu, Mar 5, 6:15 PM" in page
    moved = planned(desk)["day3"]
    assert moved.send_after == datetime(2026, 3, 5, 23, 15, tzinfo=UTC)
    cause, actor = last_cause(desk, moved)
    assert cause == MOVED
    assert uuid.UUID(actor)
    assert "Moved by staff." in ada.get(f"/staff/messages/{moved.id}").text


def test_a_message_that_a_worker_has_just_claimed_moves_too_and_does_not_go(desk: Desk) -> None:
    ada, before = enrolled(desk)
    desk.clock.advance(before["day1"].send_after - desk.clock.now())
    ada = desk.signed_in()
    ada.get(path(desk))
    with desk.parts.db.begin() as session:
        token, rows = claim_due(session, now=desk.clock.now(), limit=10)
    assert [row.id for row in rows] == [before["day1"].id]
    assert move(ada, desk, before["day1"], "2026-03-03", "18:00")[0] == 302
    row = planned(desk)["day1"]
    assert (row.status, row.claim_token) == ("scheduled", None)
    with desk.parts.db.begin() as session:
        mine = OutboundMessage.claim_token == token
        assert MOVES.move(session, [row.id], "sending", at=desk.clock.now(), cause="x", only_if=[mine]) == []


@pytest.mark.parametrize(
    ("step", "day", "at", "why"),
    [
        ("day1", "2026-03-03", "09:30", "That time has passed."),
        ("day3", "2026-03-05", "08:00", "It is of use from Thu, Mar 5, 8:30 AM on."),
        ("day1", "2026-03-04", "02:30", "It is of use until Tomorrow, 2:30 AM."),
        (
            "day1",
            "2026-03-03",
            "21:00",
            "From that time on there is no allowed hour while the message is of use.",
        ),
        ("week1", "2026-03-10", "03:00", "The next time they may: Tue, Mar 10, 9:00 AM."),
        ("week1", "2026-03-08", "02:30", "Clocks skipped this time that night."),
        ("day1", "tomorrow", "10:00", "This is not a date."),
        ("day1", "", "", "Give the date."),
        ("day1", "2026-03-04", "25:00", "This is not a time of day."),
        ("day1", "9999-12-31", "10:00", "Check the year."),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_the_reason_and_kept_on_the_page(
    desk: Desk, step: str, day: str, at: str, why: str
) -> None:
    ada, before = enrolled(desk)
    status, page = move(ada, desk, before[step], day, at)
    assert status == 422
    assert why in page
    assert f'value="{day}"' in page
    assert planned(desk)[step].send_after == before[step].send_after


def test_hours_are_those_where_the_patient_is_and_are_named_on_both_clocks(desk: Desk) -> None:
    ada = desk.signed_in()
    assert enrol(ada, timezone="America/Los_Angeles")[0] == 302
    ada.get(path(desk))
    status, page = move(ada, desk, planned(desk)["week1"], "2026-03-10", "10:00")
    assert status == 422
    assert "Tue, Mar 10, 12:00 PM (Tue, Mar 10, 9:00 AM where the patient is)" in page


def test_what_went_within_a_day_holds_a_move_back(desk: Desk) -> None:
    ada, before = enrolled(desk)
    sent = {"purpose": "reminder", "priority": 5, "send_before": None, "sending_at": desk.clock.now()}
    text_out(desk, "earlier", "delivered", **sent)
    status, page = move(ada, desk, before["day1"], "2026-03-03", "16:00")
    assert status == 422
    assert "of use. Choose" in page or "too soon after another message" in page


def test_a_message_that_has_gone_is_not_moved(desk: Desk) -> None:
    ada, before = enrolled(desk)
    ada.post(f"{path(desk)}/planned/{before['day1'].id}/stop")
    status, page = move(ada, desk, before["day1"], "2026-03-03", "16:00")
    assert (status, "so it cannot be moved." in page) == (302, True)


def test_planned_messages_follow_a_new_zone_and_channel_but_not_what_went(desk: Desk) -> None:
    ada, before = enrolled(desk)
    with desk.parts.db.begin() as session:
        values = {"status": "delivered", "sending_at": desk.clock.now()}
        session.execute(
            sa.update(OutboundMessage).where(OutboundMessage.id == before["day1"].id).values(**values)
        )
    wishes = {**WISHES, "timezone": "Pacific/Honolulu", "channel": "call"}
    page = ada.post(f"{path(desk)}/about", wishes, follow_redirects=True).text
    assert "Kept. 2 planned messages will follow." in page
    after = planned(desk)
    assert {step: (row.timezone, row.channel) for step, row in after.items()} == {
        "day1": ("America/New_York", "text"),
        "day3": ("Pacific/Honolulu", "call"),
        "week1": ("Pacific/Honolulu", "call"),
    }
    assert after["day3"].send_after == before["day3"].send_after  # 72 hours stay 72 hours
    assert last_cause(desk, after["day3"])[0] == FOLLOWS
    ada.post(f"{path(desk)}/about", WISHES)
    assert {(row.timezone, row.channel) for row in planned(desk).values()} == {("America/New_York", "text")}


def test_a_message_that_a_worker_has_just_claimed_follows_too_and_does_not_go_as_it_was(desk: Desk) -> None:
    ada, before = enrolled(desk)
    desk.clock.advance(before["day1"].send_after - desk.clock.now())
    ada = desk.signed_in()
    ada.get(path(desk))
    with desk.parts.db.begin() as session:
        token, rows = claim_due(session, now=desk.clock.now(), limit=10)
    assert [row.id for row in rows] == [before["day1"].id]
    page = ada.post(f"{path(desk)}/about", {**WISHES, "channel": "call"}, follow_redirects=True).text
    assert "Kept. 3 planned messages will follow." in page
    row = planned(desk)["day1"]
    assert (row.status, row.claim_token, row.channel) == ("scheduled", None, "call")
    assert last_cause(desk, row)[0] == FOLLOWS
    with desk.parts.db.begin() as session:
        mine = OutboundMessage.claim_token == token
        assert MOVES.move(session, [row.id], "sending", at=desk.clock.now(), cause="x", only_if=[mine]) == []


def test_a_message_that_waited_for_the_hours_of_the_old_zone_is_looked_at_again_at_once(desk: Desk) -> None:
    ada, before = enrolled(desk)
    later = desk.clock.now() + timedelta(hours=20)
    with desk.parts.db.begin() as session:
        ids = [before["day3"].id]
        session.execute(
            sa.update(OutboundMessage).where(OutboundMessage.id.in_(ids)).values(send_after=later)
        )
        MOVES.note(session, ids, "scheduled", at=desk.clock.now(), cause=QUIET_HOURS)
    ada.post(f"{path(desk)}/about", {**WISHES, "timezone": "America/Chicago"})
    after = planned(desk)
    assert after["day3"].send_after == desk.clock.now()
    assert after["week1"].send_after == before["week1"].send_after


def test_a_new_language_words_planned_messages_and_answers_of_the_line(make_desk: object) -> None:
    desk: Desk = make_desk(offer_unsigned_languages=True)  # type: ignore[operator]
    ada, _ = enrolled(desk)
    with desk.parts.db.begin() as session:
        locked_conversation(session, desk.contact()).state = State(place="menu").to_json()
    ada.post(f"{path(desk)}/about", {**WISHES, "language": "es"})
    assert {row.language for row in planned(desk).values()} == {"es"}
    page = ada.get(path(desk)).text
    assert str(escape(desk.parts.say("reminder.day1", "es").text)) in page
    with desk.parts.db.begin() as session:
        state = State.from_json(locked_conversation(session, desk.contact()).state)
    assert (state.language, state.place) == ("es", "menu")


def test_the_name_is_kept_encrypted_with_its_keys_and_can_be_taken_away(desk: Desk) -> None:
    ada = desk.signed_in()
    ada.get(path(desk))
    name = "Ana <b>Núñez</b>"
    page = ada.post(f"{path(desk)}/about", {**WISHES, "name": name}, follow_redirects=True).text
    assert str(escape(name)) in page
    with desk.parts.db.begin() as session:
        keys = set(session.scalars(sa.select(ContactNameKey.key)))
    assert keys == name_keys(desk.parts.keyring, name)
    ada.post(f"{path(desk)}/about", {**WISHES, "name": ""})
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(Contact.name)) is None


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "x" * 81}, "This is too long: 81 characters, 80 fit."),
        ({"name": "a\0b"}, "This holds a character that is not text."),
        ({"timezone": "Mars/Base"}, "Choose a time zone from the list."),
        ({"timezone": "../../etc/passwd"}, "Choose a time zone from the list."),
        ({"language": "xx"}, "Choose a language from the list."),
        ({"channel": "pigeon"}, "Choose from the list how the messages come."),
    ],
)
def test_wrong_wishes_are_shown_again_and_nothing_changes(
    desk: Desk, wrong: dict[str, str], why: str
) -> None:
    ada, before = enrolled(desk)
    answer = ada.post(f"{path(desk)}/about", {**WISHES, "timezone": "Pacific/Guam", "name": "Ana", **wrong})
    assert answer.status_code == 422
    assert why in answer.text
    assert planned(desk)["day1"].timezone == before["day1"].timezone
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(Contact.name)) is None


@pytest.mark.parametrize("name", ["مريم", "😀", "\u200fעברית", "O'Neil; DROP TABLE"])
def test_names_of_every_kind_are_kept(desk: Desk, name: str) -> None:
    ada = desk.signed_in()
    ada.get(path(desk))
    assert (
        str(escape(name))
        in ada.post(f"{path(desk)}/about", {**WISHES, "name": name}, follow_redirects=True).text
    )


def test_notes_are_shown_with_who_wrote_them_and_a_second_press_writes_nothing(
    desk: Desk,
) -> None:
    ada = desk.signed_in("Ada")
    ada.get(path(desk))
    for words in ("Prefers <mornings>\r\nand the son", "Prefers <mornings>\r\nand the son", "Moved away"):
        page = ada.post(f"{path(desk)}/notes", {"note": words}, follow_redirects=True).text
    assert "Prefers &lt;mornings&gt;\nand the son" in page
    assert page.index("Moved away") < page.index("Prefers")
    assert "<bdi>Ada</bdi>" in page
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ContactNote)) == 2
    with desk.parts.db.engine.connect() as raw:
        assert b"Moved" not in b"".join(
            bytes(n) for n in raw.scalars(sa.text("SELECT note FROM contact_notes"))
        )


@pytest.mark.parametrize(("note", "why"), [("", "Write the note first."), ("x" * 4001, "This is too long")])
def test_a_note_that_cannot_be_kept_is_shown_again(desk: Desk, note: str, why: str) -> None:
    ada = desk.signed_in()
    ada.get(path(desk))
    answer = ada.post(f"{path(desk)}/notes", {"note": note})
    assert answer.status_code == 422
    assert why in answer.text
    assert note in answer.text


def test_an_injection_is_enrolled_from_the_page_without_showing_the_number(desk: Desk) -> None:
    contact = desk.contact()
    ada = desk.signed_in()
    page = ada.get(f"/staff/injections/new?contact={contact.id}").text
    assert "(•••) •••-0123" in page
    assert "5550123" not in page
    assert "555-0123" not in page
    seen = re.search(r'name="wording_seen" value="([^"]+)"', page)
    assert seen is not None
    form = {**GOOD, "number": "", "contact": str(contact.id), "wording_seen": seen[1]}
    bad = ada.post("/staff/injections/new", {**form, "performed_at": "99:00"})
    assert bad.status_code == 422
    assert "(•••) •••-0123" in bad.text
    assert ada.post("/staff/injections/new", form).status_code == 302
    assert {row.contact_id for row in planned(desk).values()} == {contact.id}


@pytest.mark.parametrize("contact", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_contact_cannot_be_enrolled(desk: Desk, contact: str) -> None:
    assert desk.signed_in().get(f"/staff/injections/new?contact={contact}").status_code == 404


def test_five_hundred_entries_come_in_pages_in_few_queries(desk: Desk) -> None:
    for n in range(60):
        text_in(desk, f"words {n:03d}")
        desk.clock.advance(timedelta(seconds=1))
    ada, here = desk.signed_in(), path(desk)
    asked: list[str] = []
    engine = desk.parts.db.engine

    def note(_c: object, _cu: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    first = ada.get(here).text
    sa.event.remove(engine, "before_cursor_execute", note)
    assert len(asked) <= 26, len(asked)
    assert "Page 1 of 2, 60 entries in all." in first
    assert "words 059" in first
    assert "words 009" not in first
    second = ada.get(f"{path(desk)}?page=2").text
    assert "words 009" in second
    assert "words 010" not in second
    assert f"{here}/timeline" not in second  # an old page stays as it is
    for page in ("0", "99", "x", "-1"):
        assert ada.get(f"{path(desk)}?page={page}").status_code == 200


@pytest.mark.parametrize(
    "what",
    ["texts", "about", "notes", "planned/stop", "end", "planned/00000000-0000-0000-0000-000000000000/stop"],
)
def test_there_is_nothing_to_change_about_an_unknown_contact(desk: Desk, what: str) -> None:
    ada = desk.signed_in()
    form = {"note": "x", "words": "x", "key": str(uuid.uuid4()), **WISHES}
    path = f"/staff/contacts/00000000-0000-0000-0000-000000000000/{what}"
    assert ada.post(path, form).status_code == 404
