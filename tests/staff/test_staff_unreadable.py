"""What no key opens: staff see and take everything else, and nothing is sent, called or stored instead."""

from __future__ import annotations

import uuid

import pytest
import sqlalchemy as sa
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.callbacks.models import CallbackItem, CallbackOutcome
from nurseline.consent.models import ConsentState
from nurseline.db import UNREADABLE, Base, Encrypted
from nurseline.messaging.models import Call, CallStep, Contact, InboundMessage, OutboundMessage
from nurseline.messaging.names import set_name
from nurseline.staff import page_rows
from nurseline.staff.models import ContactNote
from tests.staff.conftest import PATIENT, Desk, telephone
from tests.staff.test_staff_calling import with_phone
from tests.staff.test_staff_contact_changes import WISHES
from tests.staff.test_staff_enrolment import enrol
from tests.staff.test_staff_messages import decide, reminder

OTHER = "+12025550177"
ALARM = "my chest hurts"
GATE = "staff_users"  # what cannot be read of an account keeps its own person out
LISTS = ("/staff/queue", "/staff/queue/rows", "/staff/queue/print", "/staff/messages", "/staff/injections")
LISTED = (
    ("contacts", "number"),
    ("contacts", "name"),
    ("callback_words", "words"),
    ("outbound_messages", "body"),
)
EVERY = [
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Encrypted) and table.name != GATE
]


def damage(desk: Desk, *columns: tuple[str, str]) -> None:
    """Make these columns of all rows such that no key opens them."""
    with desk.parts.db.begin() as session:
        for table, column in columns:
            session.execute(sa.text(f"UPDATE {table} SET {column} = 'x' WHERE {column} IS NOT NULL"))


def stored(desk: Desk, table: str, column: str) -> set[bytes]:
    with desk.parts.db.begin() as session:
        return {bytes(cell) for cell in session.scalars(sa.text(f"SELECT {column} FROM {table}"))}


def the_contact(desk: Desk) -> uuid.UUID:
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(Contact.id)).one()


def standing(desk: Desk) -> str:
    """The status of the only item."""
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(CallbackItem.status)).one()


def much_of(desk: Desk) -> dict[str, uuid.UUID]:
    """A patient of whom much is kept: the ids of an item, an injection, and a message that failed."""
    item, failed, now = desk.item(best_time="in the morning"), reminder(desk, "failed"), desk.clock.now()
    _, injection = enrol(desk.signed_in())
    telephone(desk)
    with desk.parts.db.begin() as session:
        contact = session.get_one(Contact, desk.contact().id)
        set_name(session, desk.parts.keyring, contact, "Rosa Diaz")
        call = Call(call_sid="CA1", contact_id=contact.id, started_at=now, state="{}")
        text = InboundMessage(message_sid="SM1", contact_id=contact.id, sender=PATIENT, body="It hurts")
        text.tier, text.received_at = "urgent", now
        note = ContactNote(contact_id=contact.id, at=now, staff_id="ada", note="Likes to be called early")
        outcome = CallbackOutcome(item_id=item, at=now, staff_id="ada", outcome="left_voicemail", note="x")
        session.add_all([call, text, note, outcome])
        session.flush()
        step = CallStep(call_id=call.id, step=1, at=now, heard="pain", document="", said="[]", tier="urgent")
        session.add(step)
    return {"items": item, "messages": failed, "injections": uuid.UUID(injection.rsplit("/", 1)[1])}


@pytest.mark.parametrize("column", LISTED, ids=".".join)
def test_a_row_that_no_key_opens_hides_no_other_from_the_lists(desk: Desk, column: tuple[str, str]) -> None:
    much_of(desk)
    damage(desk, column)
    desk.item("emergency", ALARM, number=OTHER)
    ada = desk.signed_in()
    pages = [ada.get(path) for path in LISTS]
    assert [page.status_code for page in pages] == [200] * len(LISTS)
    assert all(ALARM in page.text for page in pages[:3])
    assert any(UNREADABLE in page.text for page in pages)


def test_every_page_shows_what_is_left_of_a_patient_of_whom_nothing_encrypted_can_be_read(desk: Desk) -> None:
    ids = much_of(desk)
    damage(desk, *EVERY)
    ada, root = desk.signed_in(), desk.signed_in("Root", role="admin")
    contact = f"/staff/contacts/{the_contact(desk)}"
    own = [f"/staff/{kind}/{one}" for kind, one in ids.items()]
    for path in (*LISTS, *own, contact, f"{contact}/timeline", f"/staff/items/{ids['items']}/call"):
        assert ada.get(path).status_code == 200, path
    for path in (*own, contact):
        assert UNREADABLE in ada.get(path).text, path
    assert UNREADABLE in root.get("/staff/clinic").text
    for name in ("items", "injections"):
        assert UNREADABLE in root.post(f"/staff/exports/{name}", {"whole": "yes", "days": "30"}).text
    found = ada.post("/staff/search", {"typed": "202-555-0123"}, follow_redirects=True)
    assert UNREADABLE in found.text


def test_an_item_is_claimed_given_back_taken_and_cancelled_although_its_texts_cannot_be_read(
    desk: Desk,
) -> None:
    item = desk.item("clinical", best_time="in the morning")
    damage(desk, *EVERY)
    page = f"/staff/items/{item}"
    ada, ways = desk.signed_in(role="supervisor"), []
    for path in (f"{page}/number", f"{page}/claim", f"{page}/release", "/staff/queue/next"):
        ada.get(page)
        assert ada.post(path).location in {page, "/staff/queue"}, path
        ways.append(standing(desk))
    assert ways == ["new", "claimed", "new", "claimed"]
    assert UNREADABLE in ada.get(page).text
    ada.post(f"{page}/cancel", {"cancel_why": "nobody knows what it was about"})
    assert standing(desk) == "cancelled"
    assert stored(desk, "callback_items", "best_time") == {b"x"}


def test_a_message_that_cannot_be_read_goes_from_the_list_but_is_not_sent_again(desk: Desk) -> None:
    message = reminder(desk, "failed")
    damage(desk, ("outbound_messages", "body"))
    ada = desk.signed_in()
    assert "or the number it goes to, cannot be read" in ada.get(f"/staff/messages/{message}").text
    assert "or the number it goes to, cannot be read" in decide(ada, message, "again")
    assert "nothing more is to be done" in decide(ada, message, "leave")
    assert "Nothing to check" in ada.get("/staff/messages").text
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(OutboundMessage)) == 1
    assert stored(desk, "outbound_messages", "body") == {b"x"}


def test_nobody_is_called_or_texted_at_a_number_that_cannot_be_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[object] = []
    monkeypatch.setattr(type(desk.parts.telephone), "ring_staff", lambda *_, **to: rung.append(to))
    item, ada = desk.item("nurse"), with_phone(desk)
    ada.get(f"/staff/items/{item}")
    ada.post(f"/staff/items/{item}/claim")
    button = f'action="/staff/items/{item}/call"'
    assert button in ada.get(f"/staff/items/{item}").text
    damage(desk, ("contacts", "number"))
    contact = f"/staff/contacts/{the_contact(desk)}"
    assert button not in ada.get(f"/staff/items/{item}").text
    assert ada.post(f"/staff/items/{item}/call").status_code == 500
    ada.get(contact)
    assert ada.post(f"{contact}/texts", {"words": "Hello"}).status_code == 500
    assert rung == []
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(OutboundMessage)).all() == []


def test_messages_to_a_number_that_cannot_be_read_are_ended_and_none_are_planned(desk: Desk) -> None:
    ada = desk.signed_in()
    enrol(ada)
    damage(desk, ("contacts", "number"), ("contacts", "name"))
    contact = the_contact(desk)
    page = f"/staff/contacts/{contact}"
    assert enrol(ada, number=None, contact=str(contact))[0] == 422
    ada.get(page)
    assert ada.post(f"{page}/notes", {"note": "Came in person"}).status_code == 302
    assert "no more messages" in ada.post(f"{page}/end", follow_redirects=True).text
    assert "Came in person" in ada.get(page).text
    with desk.parts.db.begin() as session:
        assert set(session.scalars(sa.select(OutboundMessage.status))) == {"cancelled"}
        assert session.scalars(sa.select(ConsentState.status)).one() == "opted_out"


def test_an_outcome_ends_messages_to_a_number_that_cannot_be_read(desk: Desk) -> None:
    item, ada = desk.item(), desk.signed_in()
    damage(desk, ("contacts", "number"))
    ada.get(f"/staff/items/{item}")
    ada.post(f"/staff/items/{item}/claim")
    assert ada.post(f"/staff/items/{item}/outcome", {"outcome": "opted_out"}).status_code == 302
    assert standing(desk) == "done"
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(ConsentState.status)).one() == "opted_out"


def test_a_name_that_could_not_be_read_stays_when_the_page_is_kept(desk: Desk) -> None:
    contact = desk.contact()
    with desk.parts.db.begin() as session:
        set_name(session, desk.parts.keyring, session.get_one(Contact, contact.id), "Rosa Diaz")
    ada = desk.signed_in()
    ada.get(f"/staff/contacts/{contact.id}")
    kept = ada.post(f"/staff/contacts/{contact.id}/about", {**WISHES, "name": str(UNREADABLE)})
    assert kept.status_code == 302
    with desk.parts.db.begin() as session:
        assert session.get_one(Contact, contact.id).name == "Rosa Diaz"


def test_a_page_writes_down_that_it_could_not_read_something(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.item()
    damage(desk, ("contacts", "number"), ("callback_words", "words"))
    monkeypatch.setattr(page_rows, "log", logs := CapturingLogger())
    desk.signed_in()  # leads to the queue
    told = {"endpoint": "staff.queue", "count": 2, "error": "UndecryptableError"}
    assert logs.calls == [CapturedCall("error", ("staff.unreadable",), told)]
