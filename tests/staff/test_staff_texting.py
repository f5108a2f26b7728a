"""Texting a patient from their page: exact words, their cost, to whom, once, and never past a colleague."""

from __future__ import annotations

import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from markupsafe import escape

from nurseline.consent import service as consent
from nurseline.messaging.models import Call, OutboundEvent, OutboundMessage
from nurseline.messaging.outbox import claim_due
from nurseline.messaging.rate import NoLimit
from nurseline.staff.models import StaffAudit
from nurseline.staff.texting import cost_of
from tests.staff.conftest import PATIENT, Browser, Desk
from tests.staff.test_staff_contacts import text_in
from tests.staff.test_staff_messages import agree
from tests.support.line import FakeGateway

NIGHT = timedelta(hours=12)  # from ten in the morning to ten at night


def path(desk: Desk) -> str:
    return f"/staff/contacts/{desk.contact().id}"


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', page)
    return found[1] if found else ""


def form_of(browser: Browser, desk: Desk) -> dict[str, str]:
    """What the form of the page carries by itself."""
    page = browser.get(path(desk)).text
    return {"key": hidden(page, "key"), "seen": hidden(page, "seen"), "ready": ""}


def send(browser: Browser, desk: Desk, words: str = "", **more: str) -> tuple[int, str]:
    """Open the page, write and send; the status and the page that followed."""
    form = {**form_of(browser, desk), "words": words, **more}
    answer = browser.post(f"{path(desk)}/texts", form)
    if answer.status_code == 302:
        return 302, browser.get(answer.location).text
    return answer.status_code, answer.text


def texts(desk: Desk) -> list[OutboundMessage]:
    """What staff wrote, the oldest first."""
    with desk.parts.db.begin() as session:
        first = sa.select(sa.func.min(OutboundEvent.id)).where(OutboundEvent.subject_id == OutboundMessage.id)
        rows = sa.select(OutboundMessage).where(OutboundMessage.purpose == "staff")
        return list(session.scalars(rows.order_by(first.scalar_subquery())))


def end(desk: Desk) -> None:
    """The patient ends messages."""
    with desk.parts.db.begin() as session:
        record = consent.Record(desk.contact().number_hash, desk.clock.now(), "text", "stop")
        consent.opt_out(session, record, carrier_blocked=False)


def test_own_words_go_into_the_outbox_with_the_clinics_name_and_stand_in_the_timeline(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in("Ada")
    status, page = send(ada, desk, "Please bring your <list>.")
    assert status == 302
    (text,) = texts(desk)
    assert text.body == "Your Clinic: Please bring your <list>."
    assert (text.status, text.priority, text.send_after) == ("scheduled", 1, desk.clock.now())
    assert text.content_id == "staff.opening:1 staff.words"
    assert "On its way: 1 part, about $0.012." in page
    assert "Your Clinic: Please bring your &lt;list&gt;." in page
    assert re.search(r"<bdi>Ada</bdi>: <span [^>]+>About to go", page)
    with desk.parts.db.engine.connect() as raw:
        stored = raw.scalar(sa.text("SELECT body FROM outbound_messages"))
    assert b"bring your" not in bytes(stored)  # kept encrypted
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).where(StaffAudit.what == "texted_patient")) == 1


def test_a_ready_reply_goes_in_the_clinics_words_with_its_version_and_the_911_line(desk: Desk) -> None:
    agree(desk)
    send(desk.signed_in(), desk, ready="staff.reply.call")
    (text,) = texts(desk)
    assert text.body == "Your Clinic: Please call us at 202-555-0100. Emergency? Call 911."
    assert text.content_id == "staff.opening:1 staff.reply.call:1 staff.emergency:1"


def test_a_ready_reply_that_was_changed_counts_as_own_words(desk: Desk) -> None:
    agree(desk)
    send(desk.signed_in(), desk, "Please call us at noon.", ready="staff.reply.call")
    assert texts(desk)[0].content_id == "staff.opening:1 staff.words"


def test_replies_come_in_the_language_of_the_patient(make_desk: object) -> None:
    desk = make_desk(offer_unsigned_languages=True)  # type: ignore[operator]
    agree(desk)
    ada = desk.signed_in()
    ada.get(path(desk))
    wishes = {"name": "", "timezone": "", "language": "es", "channel": "text"}
    assert ada.post(f"{path(desk)}/about", wishes).status_code == 302
    send(ada, desk, ready="staff.reply.call")
    (text,) = texts(desk)
    assert text.body == "Your Clinic: Por favor llame al 202-555-0100. ¿Emergencia? Llame al 911."
    assert text.language == "es"


def test_at_night_and_after_grave_words_every_text_ends_with_the_911_line(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    send(ada, desk, "See you then.")
    text_in(desk, "my throat is closing", tier="emergency")
    send(ada, desk, "A nurse calls you.")
    desk.clock.advance(2 * NIGHT + timedelta(hours=1))
    ada = desk.signed_in()
    send(ada, desk, "All well?")
    desk.clock.advance(NIGHT)
    ada = desk.signed_in("Ben")
    send(ada, desk, "Good night.")
    send(ada, desk, "Call 911 if it gets worse.")
    assert [text.body for text in texts(desk)] == [
        "Your Clinic: See you then.",
        "Your Clinic: A nurse calls you. Emergency? Call 911.",
        "Your Clinic: All well?",
        "Your Clinic: Good night. Emergency? Call 911.",
        "Your Clinic: Call 911 if it gets worse.",
    ]


def test_what_is_looked_over_shows_the_exact_words_and_the_cost_and_is_not_sent(desk: Desk) -> None:
    agree(desk)
    status, page = send(desk.signed_in(), desk, "Tschüß ☺ " * 12, look="1", emergency="y")
    assert status == 200
    assert "3 parts, about $0.035." in page
    assert "These letters make it longer: ☺" in page
    assert "☺ Tschüß ☺ Emergency? Call 911." in page
    assert texts(desk) == []


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("", "Write something, or choose a ready reply."),
        (" \n ", "Write something, or choose a ready reply."),
        ("x" * 1001, "This is too long: 1001 characters, 1000 fit."),
        ("a\0b", "This holds a character that is not text."),
        ("😀" * 400, "parts; 5 go in one text."),
    ],
)
def test_what_cannot_go_is_shown_again_with_the_reason(desk: Desk, words: str, why: str) -> None:
    agree(desk)
    status, page = send(desk.signed_in(), desk, words)
    assert status == 422
    assert why in page
    assert str(escape(words.strip().replace("\0", "")[:5])) in page
    assert texts(desk) == []


@pytest.mark.parametrize("words", ["مرحبا", "😀", "{clinic} %s {{ 7 }}", "a\r\nb", "\u202eabc"])
def test_words_of_every_kind_go_as_they_were_typed(desk: Desk, words: str) -> None:
    agree(desk)
    assert send(desk.signed_in(), desk, words)[0] == 302
    assert texts(desk)[0].body == f"Your Clinic: {words}".replace("\r\n", "\n")


def test_a_number_that_ended_messages_is_not_texted_and_the_page_says_so(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    form = {**form_of(ada, desk), "words": "are you well?"}
    end(desk)
    text_in(desk, "one more thing")  # writing again starts nothing
    answer = ada.post(f"{path(desk)}/texts", form)
    assert answer.status_code == 422
    assert "This number has ended messages, so it is not texted." in answer.text
    assert "are you well?" in answer.text
    assert texts(desk) == []
    page = ada.get(path(desk)).text
    assert "This number has ended messages" in page
    assert 'id="text-form"' not in page


def test_a_stop_that_comes_before_the_text_is_sent_wins(desk: Desk) -> None:
    agree(desk)
    send(desk.signed_in(), desk, "are you well?")
    end(desk)
    carrier = FakeGateway()
    sender = replace(desk.parts.sender, gateway=carrier, rate=NoLimit())
    assert sender.send_due() == 1
    assert carrier.sends == []
    assert [(text.status, text.reason) for text in texts(desk)] == [("skipped", "opted out or no consent")]


def test_a_number_that_never_agreed_is_only_answered(desk: Desk) -> None:
    ada = desk.signed_in()
    assert "This number never agreed to messages." in ada.get(path(desk)).text
    text_in(desk, "may I drive?")
    assert send(ada, desk, "A nurse will call.")[0] == 302
    desk.clock.advance(timedelta(days=3, minutes=1))
    ada = desk.signed_in("Ben")
    status, page = send(ada, desk, "Still there?")
    assert (status, "within 3 days after it wrote" in page) == (422, True)
    desk.item("nurse")  # what they asked for is open
    assert send(ada, desk, "We try again.")[0] == 302
    assert len(texts(desk)) == 2


def test_a_caller_may_be_answered_but_our_own_call_gives_no_leave(desk: Desk) -> None:
    patient = desk.contact()
    ada = desk.signed_in()

    def call(sid: str, **more: object) -> None:
        with desk.parts.db.begin() as session:
            new = {
                "id": uuid.uuid4(),
                "call_sid": sid,
                "contact_id": patient.id,
                "started_at": desk.clock.now(),
            }
            session.add(Call(**new, **more))

    call("CA" + "2" * 32, message_id=None)
    assert send(ada, desk, "We missed your call.")[0] == 302
    desk.clock.advance(timedelta(days=4))
    ada = desk.signed_in()
    call("CA" + "3" * 32, message_id=texts(desk)[0].id)
    assert send(ada, desk, "Hello?")[0] == 422


def test_a_staff_text_goes_at_night_and_before_reminders(desk: Desk) -> None:
    agree(desk)
    desk.clock.advance(NIGHT + timedelta(hours=3))  # one at night
    send(desk.signed_in(), desk, "We got your message.")
    with desk.parts.db.begin() as session:
        _, rows = claim_due(session, now=desk.clock.now(), limit=10, lane="urgent")
    assert [row.purpose for row in rows] == ["staff"]


def test_pressed_twice_it_goes_once(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    form = {**form_of(ada, desk), "words": "Once only"}
    assert ada.post(f"{path(desk)}/texts", form).status_code == 302
    again = ada.post(f"{path(desk)}/texts", form, follow_redirects=True)
    assert "This was sent already, so it was not sent again." in again.text
    assert len(texts(desk)) == 1


def test_pressed_many_times_at_once_it_goes_once(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    form = {"csrf_token": ada.token, **form_of(ada, desk), "words": "Once only"}
    form["csrf_token"] = ada.token
    cookie = ada.client.get_cookie("nurseline")
    assert cookie is not None
    start = threading.Barrier(4)

    def press(_: int) -> int:
        client = desk.app.test_client()
        client.set_cookie("nurseline", cookie.value)
        start.wait()
        return client.post(f"{path(desk)}/texts", data=form).status_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(press, range(4))) == [302] * 4
    assert len(texts(desk)) == 1


def test_other_words_under_the_same_form_are_not_taken_for_the_same(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    form = {**form_of(ada, desk), "words": "First"}
    ada.post(f"{path(desk)}/texts", form)
    answer = ada.post(f"{path(desk)}/texts", {**form, "words": "Second"})
    assert answer.status_code == 409
    assert "A text went from this form already, with other words." in answer.text
    assert hidden(answer.text, "key") != form["key"]
    assert [text.body for text in texts(desk)] == ["Your Clinic: First"]


def test_who_writes_while_a_colleague_answers_is_shown_the_answer_first(desk: Desk) -> None:
    agree(desk)
    ada, ben = desk.signed_in("Ada"), desk.signed_in("Ben")
    form = {**form_of(ben, desk), "words": "Come at three."}
    send(ada, desk, "Come at two.")
    answer = ben.post(f"{path(desk)}/texts", form)
    assert answer.status_code == 409
    told = answer.text[answer.text.index("Not sent yet:") :]
    assert "Your Clinic: Come at two." in told
    assert "<bdi>Ada</bdi>" in told
    assert "Come at three." in told
    again = {**form, "seen": hidden(answer.text, "seen")}
    assert ben.post(f"{path(desk)}/texts", again).status_code == 302
    assert [text.body for text in texts(desk)] == ["Your Clinic: Come at two.", "Your Clinic: Come at three."]


def test_what_the_patient_wrote_meanwhile_is_shown_first_but_own_texts_are_not(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in("Ada")
    form = {**form_of(ada, desk), "words": "Rest a little."}
    send(ada, desk, "From another tab.")
    text_in(desk, "it is much worse now")
    answer = ada.post(f"{path(desk)}/texts", form)
    assert answer.status_code == 409
    told = answer.text[answer.text.index("Not sent yet:") : answer.text.index('id="text-form"')]
    assert "it is much worse now" in told
    assert "From another tab." not in told


def test_the_timeline_asks_by_itself_and_gets_only_news(desk: Desk) -> None:
    agree(desk)
    ada = desk.signed_in()
    page = ada.get(path(desk)).text
    tag = re.search(r'data-etag="([^"]+)"', page)
    assert tag is not None
    same = ada.get(f"{path(desk)}/timeline", headers={"If-None-Match": f'"{tag[1]}"'})
    assert (same.status_code, same.data) == (304, b"")
    text_in(desk, "I can not breathe", tier="emergency")
    news = ada.get(f"{path(desk)}/timeline", headers={"If-None-Match": f'"{tag[1]}"'})
    assert news.status_code == 200
    assert "I can not breathe" in news.text
    assert "Emergency words</strong> in a text" in news.text
    assert news.headers["ETag"] != f'"{tag[1]}"'


@pytest.mark.parametrize("what", ["status", "note", "consent", "item", "plan"])
def test_every_change_gives_the_timeline_another_mark(desk: Desk, what: str) -> None:
    agree(desk)
    ada = desk.signed_in()
    send(ada, desk, "Hello")
    before = ada.get(f"{path(desk)}/timeline").headers["ETag"]
    assert ada.get(f"{path(desk)}/timeline").headers["ETag"] == before
    match what:
        case "status":
            with desk.parts.db.begin() as session:
                claim_due(session, now=desk.clock.now(), limit=1)
        case "note":
            ada.post(f"{path(desk)}/notes", {"note": "called the son"})
        case "consent":
            end(desk)
        case "item":
            desk.item("nurse")
        case "plan":
            with desk.parts.db.begin() as session:
                session.execute(sa.update(OutboundMessage).values(language="es"))
    assert ada.get(f"{path(desk)}/timeline").headers["ETag"] != before


def test_watching_the_timeline_is_no_activity(desk: Desk) -> None:
    ada = desk.signed_in()
    desk.clock.advance(timedelta(minutes=10))
    assert ada.get(f"{path(desk)}/timeline").status_code == 200
    desk.clock.advance(timedelta(minutes=6))
    assert ada.get(f"{path(desk)}/timeline").status_code == 401


def test_grave_words_stand_at_the_top_with_the_request(desk: Desk) -> None:
    text_in(desk, "I passed out", tier="emergency")
    item = desk.item("emergency", "I passed out")
    desk.clock.advance(timedelta(minutes=1))
    for n in range(60):
        text_in(desk, f"more {n}")
    page = desk.signed_in().get(path(desk)).text
    top = page[page.index('id="grave"') : page.index('id="compose"')]
    assert "I passed out" in top
    assert f"/staff/items/{item}" in top


def test_what_a_text_costs_is_said_as_people_read_it() -> None:
    assert [cost_of(n, 0.0118) for n in (0, 1, 9)] == ["$0.00", "$0.012", "$0.11"]


def test_the_number_never_stands_in_the_page_of_a_text(desk: Desk) -> None:
    agree(desk)
    assert PATIENT[2:] not in send(desk.signed_in(), desk, "Hello")[1]
