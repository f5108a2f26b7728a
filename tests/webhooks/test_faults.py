"""When something breaks, a patient still gets true words, and the request is kept where it can be."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackWords
from nurseline.callbacks.service import queue
from nurseline.clinic import service as clinic
from nurseline.clinic.models import StaffPhone
from nurseline.messaging.models import InboundMessage, OutboundMessage
from nurseline.webhooks import calls, reception
from tests.support.line import make_contact
from tests.webhooks.support import PATIENT, TUESDAY, Carrier, heard, new_sid
from tests.webhooks.test_connecting import DESK, NURSE, ask_for_a_person, staffed


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("a secret of +12025550123 that must not be shown")


def test_a_text_that_breaks_the_line_becomes_an_item_and_says_so(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    (reply,) = carrier.text("can i come tomorrow")
    assert "911" in reply
    assert "nurse will call" in reply
    with carrier.parts.db.begin() as session:
        assert [item.reason for item in queue(session)] == ["nurse"]


def test_an_emergency_that_breaks_the_line_still_gets_the_911_words(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    (reply,) = carrier.text("i cant breathe")
    assert "Call 911 now" in reply
    with carrier.parts.db.begin() as session:
        assert [item.reason for item in queue(session)] == ["emergency"]
        told = session.scalars(sa.select(OutboundMessage.purpose)).all()
        assert told == ["alert", "alert"], "staff on call learn of it as of any other emergency"


def stored(carrier: Carrier) -> tuple[list[str], int, int]:
    """The reasons in the queue, how many texts to staff are planned, and how many texts came in."""
    alerts = sa.select(sa.func.count()).where(OutboundMessage.content_id == "alert.emergency")
    texts = sa.select(sa.func.count(InboundMessage.id))
    with carrier.parts.db.begin() as session:
        reasons = list(session.scalars(sa.select(CallbackItem.reason)))
        return reasons, session.scalar(alerts) or 0, session.scalar(texts) or 0


@pytest.mark.parametrize("damaged", ["a staff phone", "an alert number", "the patient's number", "nothing"])
def test_a_row_that_no_key_opens_costs_no_emergency(carrier: Carrier, damaged: str) -> None:
    parts = carrier.parts
    hashes = {
        "an alert number": parts.keyring.number_hash(make_contact(parts, "+12025550190").number),
        "the patient's number": parts.keyring.number_hash(make_contact(parts, PATIENT).number),
    }
    with parts.db.begin() as session:
        for name, number in (("Desk", DESK), ("Nurse", NURSE)):
            phone = clinic.Phone(name, number, on_call=True)
            clinic.keep_phone(session, phone, parts.settings.zone, now=TUESDAY, staff="test")
        if damaged == "a staff phone":
            session.execute(sa.text("UPDATE staff_phones SET number = 'x' WHERE name = 'Desk'"))
        bad = {"hash": hashes.get(damaged, "")}
        session.execute(
            sa.text("UPDATE contacts SET number = 'x', name = 'x' WHERE number_hash = :hash"), bad
        )
    (reply,) = carrier.text("I have chest pain and cannot breathe")
    assert "Call 911 now" in reply
    told = 3 if damaged == "a staff phone" else 4  # two numbers on the list, two on call
    assert stored(carrier) == (["emergency"], told, 1)


def test_an_emergency_stands_in_the_queue_even_if_nobody_can_be_told(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clinic, "on_call", broken)
    (reply,) = carrier.text("i cant breathe")
    assert "Call 911 now" in reply
    assert stored(carrier) == (["emergency"], 0, 0)


def test_a_phone_that_no_key_opens_is_passed_over(carrier: Carrier) -> None:
    staffed(carrier, DESK, NURSE)
    with carrier.parts.db.begin() as session:
        session.execute(sa.text("UPDATE staff_phones SET number = 'x' WHERE name = 'Phone 71'"))
    assert [number.text for number in ask_for_a_person(carrier)[1].iter("Number")] == [NURSE]


def test_without_a_database_the_patient_is_told_to_call_and_nothing_is_promised(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    (reply,) = carrier.text("nurse")
    assert "202-555-0100" in reply
    assert "911" in reply
    assert "will call you" not in reply


@pytest.mark.parametrize("words", ["STOP", "please stop texting me"])
def test_a_wish_to_end_messages_is_not_answered_but_asked_for_again(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    form = {"MessageSid": new_sid("SM"), "From": "+12025550123", "Body": words}
    answer = carrier.post("/sms", form)
    assert (answer.status_code, b"Message" in answer.data) == (503, False)


def test_a_status_report_that_cannot_be_stored_asks_the_carrier_to_try_again(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    answer = carrier.post("/status", {"MessageSid": new_sid("SM"), "MessageStatus": "delivered"})
    assert answer.status_code == 503


def test_a_call_that_breaks_the_line_hears_words_and_not_a_carriers_error(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "begin", broken)
    said = heard(carrier.call(new_sid("CA"), 0))
    assert "nine one one" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"SpeechResult": "no puedo respirar"}, ("nine one one now", "nueve uno uno ahora")),
        ({"Digits": "0"}, ("nurse will call you", "enfermera le va a llamar")),
    ],
)
def test_the_last_words_of_a_broken_step_are_said_in_every_language_and_the_line_still_listens(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    words: dict[str, str],
    said: tuple[str, str],
) -> None:
    monkeypatch.setenv("OFFER_UNSIGNED_LANGUAGES", "1")
    carrier: Carrier = request.getfixturevalue("carrier")
    sid = new_sid("CA")
    carrier.call(sid, 0)
    with monkeypatch.context() as patch:
        patch.setattr(calls, "respond", broken)
        document = carrier.call(sid, 1, **words)
    assert all(one in heard(document) for one in said)
    assert [verb.tag for verb in document] == ["Gather", "Gather", "Hangup"]
    assert {gather.attrib["action"] for gather in document.iter("Gather")} == {
        "https://line.example.org/voice/step/2"
    }
    assert "After your" not in heard(carrier.call(sid, 2, Digits="1")), "what works again goes on"


def test_blanks_are_no_words(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    assert "did not hear you" in heard(carrier.call(sid, 1, SpeechResult=" " * 1999))
    monkeypatch.setattr(calls, "silence", broken)
    carrier.call(sid, 2, SpeechResult=" " * 1999)
    with carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(CallbackWords.words)).all() == []


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [("/voice/step/1001", {}, 404), ("/voice", {"SpeechResult": "x" * 2**20}, 413)],
)
def test_what_reaches_no_step_of_a_call_is_answered_in_its_own_grammar(
    carrier: Carrier, path: str, form: dict[str, str], status: int
) -> None:
    answer = carrier.post(path, {"CallSid": new_sid("CA"), **form})
    assert (answer.status_code, answer.mimetype) == (status, "text/xml")
    assert "nine one one" in heard(ET.fromstring(answer.data))


def test_a_phone_whose_hours_cannot_be_read_is_passed_over_and_staff_are_told_once(carrier: Carrier) -> None:
    staffed(carrier, DESK, NURSE)
    with carrier.parts.db.begin() as session:
        session.execute(sa.update(StaffPhone).where(StaffPhone.name == "Phone 71").values(shift="whenever"))
    for _ in range(2):
        document = ask_for_a_person(carrier)[1]
        assert [number.text for number in document.iter("Number")] == [NURSE]
    with carrier.parts.db.begin() as session:
        told = session.scalars(sa.select(OutboundMessage.content_id)).all()
    assert told == ["alert.shift", "alert.shift"], "one for each number on the list"


def test_what_broke_is_logged_by_kind_and_place_only(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    carrier.text("can i come tomorrow")
    logged = caplog.text
    assert "RuntimeError" in logged
    assert "+1202555" not in logged
    assert "tomorrow" not in logged
