"""What both telephones hear when staff call a patient back, and what the reports about them lead to."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from nurseline.callbacks import calling
from nurseline.callbacks import service as callbacks
from nurseline.callbacks.models import CallbackAttempt, CallbackItem
from nurseline.callbacks.promises import REASONS, Reason
from nurseline.callbacks.service import Staff
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact
from tests.webhooks.support import BASE, Carrier, heard, new_sid

ADA = Staff("staff-a", "Ada")
PATIENT, OWN_PHONE, CLINIC = "+12025550123", "+12025550199", "+15005550006"
NAME = "Vera Testname"
MOST_WORDS = 50  # 20 seconds


@dataclass
class Call:
    """A call that Ada began; what the carrier posts about it."""

    carrier: Carrier
    item: uuid.UUID
    id: uuid.UUID
    staff_sid: str = field(default_factory=lambda: new_sid("CA"))
    patient_sid: str = field(default_factory=lambda: new_sid("CA"))

    def post(self, what: str, **form: str) -> TestResponse:
        given = {"CallSid": self.staff_sid, "From": CLINIC, "To": OWN_PHONE, "CallStatus": "in-progress"}
        return self.carrier.post(f"/voice/callback{what}?ref={self.id}", {**given, **form})

    def staff(self, what: str = "", **form: str) -> ET.Element:
        answer = self.post(what, **form)
        assert answer.status_code == 200
        return ET.fromstring(answer.data)

    def patient(self, status: str, **form: str) -> None:
        more = {"CallSid": self.patient_sid, "ParentCallSid": self.staff_sid, "To": PATIENT}
        assert self.post("/patient/status", **{**more, "CallStatus": status, **form}).status_code == 200

    @property
    def row(self) -> CallbackAttempt:
        with self.carrier.parts.db.begin() as session:
            return session.get_one(CallbackAttempt, self.id)


def begun(carrier: Carrier, reason: Reason = "nurse", name: str | None = None) -> Call:
    now = carrier.clock.now()
    with carrier.parts.db.begin() as session:
        contact = contact_for(session, carrier.parts.keyring, PATIENT, at=now)
        contact.name = name
        wish = callbacks.Request(reason, "text", "please call", now, contact.number_hash, contact)
        item = callbacks.request(session, wish, now=now).item_id
        callbacks.claim(session, item, ADA, now=now)
        attempt = calling.start(session, item, ADA, regions=frozenset({"US"}), now=now)
        return Call(carrier, item, attempt.id)


@pytest.fixture
def call(carrier: Carrier) -> Call:
    return begun(carrier, name=NAME)


def verbs(document: ET.Element) -> list[str]:
    return [verb.tag for verb in document]


# The staff member's telephone


def test_whoever_picks_up_is_asked_for_a_key_and_hears_no_name_and_no_reason(call: Call) -> None:
    document = call.staff()
    gather = document.find("Gather")
    assert gather is not None
    assert gather.attrib["numDigits"] == "1"
    assert gather.attrib["actionOnEmptyResult"] == "true"
    assert gather.attrib["action"] == f"{BASE}/voice/callback/key/1?ref={call.id}"
    said = heard(document)
    assert said.count("Your Clinic nurse line: your call back. To be connected, press 1.") == 2
    for secret in (NAME, "asked for", "0 1 2 3", PATIENT):
        assert secret not in ET.tostring(document, "unicode")


def test_1_says_who_is_called_and_why_and_rings_the_patient_from_the_clinics_number(call: Call) -> None:
    document = call.staff("/key/1", Digits="1")
    assert verbs(document) == ["Say", "Dial"]
    assert f"Calling {NAME}. They asked for a nurse." in heard(document)
    assert "If a mailbox answers, say only your name, Your Clinic, and please call." in heard(document)
    dial, number = document.find("Dial"), document.find("Dial/Number")
    assert dial is not None
    assert number is not None
    assert (number.text, dial.attrib["callerId"]) == (PATIENT, CLINIC)
    assert dial.attrib["action"] == f"{BASE}/voice/callback/after?ref={call.id}"
    assert "answerOnBridge" not in dial.attrib, "the staff member's call is answered already"
    assert number.attrib["machineDetection"] == "Enable"
    for name in ("statusCallback", "amdStatusCallback"):
        assert number.attrib[name].startswith(f"{BASE}/voice/callback/patient/")
        assert PATIENT[1:] not in number.attrib[name]
    assert call.row.result == "dialled"


@pytest.mark.parametrize("name", [None, "", "  ", "+1 (202)", "\u200b"])
def test_without_a_name_the_end_of_the_number_is_said(carrier: Carrier, name: str | None) -> None:
    document = begun(carrier, name=name).staff("/key/1", Digits="1")
    assert "Calling the number ending in 0 1 2 3." in heard(document)


@pytest.mark.parametrize("name", ["{who} {x}", "A\x0bB", "x" * 79, "\u0410\u043d\u043d\u0430 <b>&"])
def test_any_name_can_be_said(carrier: Carrier, name: str) -> None:
    call = begun(carrier, name="-")
    with carrier.parts.db.begin() as session:
        session.execute(sa.update(Contact).values(name=name))
    document = call.staff("/key/1", Digits="1")
    assert verbs(document) == ["Say", "Dial"]


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_its_words_and_no_prompt_is_too_long(carrier: Carrier, reason: Reason) -> None:
    call = begun(carrier, reason)
    for document in (call.staff(), call.staff("/key/1", Digits="1")):
        for say in document.iter("Say"):
            assert say.attrib["language"] == "en-US"
            assert len((say.text or "").split()) <= MOST_WORDS


def test_a_repeated_request_gets_the_same_document(call: Call) -> None:
    first, again = call.post(""), call.post("")
    assert first.data == again.data
    first, again = call.post("/key/1", Digits="1"), call.post("/key/1", Digits="1")
    assert b"<Dial" in first.data
    assert first.data == again.data


def test_a_key_that_is_not_1_is_asked_again_and_ends_at_the_third(call: Call) -> None:
    for times in (1, 2):
        document = call.staff(f"/key/{times}", Digits="5")
        gather = document.find("Gather")
        assert gather is not None
        assert gather.attrib["action"].endswith(f"/key/{times + 1}?ref={call.id}")
    assert verbs(call.staff("/key/3", Digits="*")) == ["Hangup"]
    assert call.row.result == "staff_declined"


def test_a_mailbox_presses_nothing_and_is_hung_up_on(call: Call) -> None:
    call.staff()
    assert verbs(call.staff("/key/1", Digits="")) == ["Hangup"]
    assert call.row.result == "staff_no_answer"
    assert verbs(call.staff("/key/1", Digits="1")) == ["Say", "Hangup"], "what comes late rings nobody"


@pytest.mark.parametrize(
    ("status", "words", "result"),
    [
        ("no-answer", "Nobody answered.", "no_answer"),
        ("busy", "The line was busy.", "busy"),
        ("failed", "The call did not go through.", "failed"),
        ("completed", "The call has ended.", "connected"),
    ],
)
def test_after_the_patients_call_the_staff_member_hears_how_it_ended(
    call: Call, status: str, words: str, result: str
) -> None:
    call.staff("/key/1", Digits="1")
    more = {"DialBridged": "true", "DialCallDuration": "75"} if status == "completed" else {}
    form = {"DialCallSid": call.patient_sid, "DialCallStatus": status, **more}
    for _ in range(2):
        document = call.staff("/after", **form)
        assert verbs(document) == ["Say", "Hangup"]
        assert heard(document).startswith(words)
    assert (call.row.result, call.row.seconds) == (result, 75 if result == "connected" else None)
    with call.carrier.parts.db.begin() as session:
        assert session.get_one(CallbackItem, call.item).status == "claimed"


def test_a_number_that_could_not_be_dialled_has_no_call_and_is_told_all_the_same(call: Call) -> None:
    call.staff("/key/1", Digits="1")
    document = call.staff("/after", DialCallStatus="failed")
    assert heard(document).startswith("The call did not go through.")
    assert (call.row.result, call.row.patient_call_sid) == ("failed", None)


def test_a_call_that_is_not_needed_any_more_says_so_and_rings_nobody(call: Call) -> None:
    with call.carrier.parts.db.begin() as session:
        callbacks.release(session, call.item, ADA, now=call.carrier.clock.now())
    for what, keys in (("", {}), ("/key/1", {"Digits": "1"})):
        document = call.staff(what, **keys)
        assert verbs(document) == ["Say", "Hangup"]
        assert "not needed any more" in heard(document)


# Reports


def test_reports_of_both_telephones_are_kept_whatever_their_order(call: Call) -> None:
    call.staff("/key/1", Digits="1")
    call.patient("completed", CallDuration="42")
    call.patient("in-progress")
    assert call.post("/patient/heard", CallSid=call.patient_sid, AnsweredBy="human").status_code == 200
    call.staff("/status", CallStatus="completed", CallDuration="60")
    assert (call.row.result, call.row.seconds) == ("connected", 42)
    assert (call.row.staff_call_sid, call.row.patient_call_sid) == (call.staff_sid, call.patient_sid)


@pytest.mark.parametrize("by", ["machine_start", "machine_end_beep", "fax"])
def test_a_machine_is_noted(call: Call, by: str) -> None:
    call.staff("/key/1", Digits="1")
    call.post("/patient/heard", CallSid=call.patient_sid, AnsweredBy=by)
    assert calling.stage(call.row, call.carrier.clock.now()) == "machine"
    call.patient("completed", CallDuration="20")
    assert call.row.result == "machine"


@pytest.mark.parametrize("by", ["human", "unknown", ""])
def test_who_may_be_a_person_is_no_machine(call: Call, by: str) -> None:
    call.staff("/key/1", Digits="1")
    call.patient("in-progress")
    call.post("/patient/heard", CallSid=call.patient_sid, AnsweredBy=by)
    assert call.row.result == "connected"


ADDRESSES = ["", "/key/1", "/after", "/status", "/patient/status", "/patient/heard"]


@pytest.mark.parametrize("what", ADDRESSES)
def test_without_a_signature_nothing_happens(call: Call, what: str) -> None:
    path = f"/voice/callback{what}?ref={call.id}"
    form = {"CallSid": call.staff_sid, "Digits": "1", "CallStatus": "completed"}
    assert call.carrier.post(path, form, signature="wrong").status_code == 403
    assert call.row.result == ""


@pytest.mark.parametrize("what", ADDRESSES)
@pytest.mark.parametrize("reference", ["", "?ref=", "?ref=x", "?ref=1%00"])
def test_without_a_reference_nothing_can_be_told_apart(carrier: Carrier, what: str, reference: str) -> None:
    form = {
        "CallSid": new_sid("CA"),
        "CallStatus": "completed",
        "DialCallSid": new_sid("CA"),
        "DialCallStatus": "busy",
    }
    assert carrier.post(f"/voice/callback{what}{reference}", form).status_code == 400


def test_a_reference_that_nobody_knows_rings_nobody(carrier: Carrier) -> None:
    stranger = Call(carrier, uuid.uuid4(), uuid.uuid4())
    assert verbs(stranger.staff("/key/1", Digits="1")) == ["Say", "Hangup"]
    stranger.patient("completed")
    stranger.staff("/status", CallStatus="completed")


def test_when_something_breaks_the_staff_member_hears_so_and_the_patient_is_not_called(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(calling, "pressed", broken)
    document = call.staff("/key/1", Digits="1")
    assert verbs(document) == ["Say", "Hangup"]
    assert heard(document).startswith("The call did not go through.")
    monkeypatch.setattr(calling, "staff_moved", broken)
    assert call.post("/status", CallStatus="completed").status_code == 503, "the carrier tries again"
