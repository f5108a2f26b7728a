"""Callers without caller ID: whom they are called back at, and what is kept of what they said."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem, CallbackWords, Voicemail
from nurseline.messaging.models import Call, Contact
from tests.webhooks.support import TUESDAY, Carrier, heard, new_sid
from tests.webhooks.test_connecting import DESK, causes, staffed, whisper

HIDDEN = "anonymous"
NUMBER = "2025550173"
URGENT = "my wound is red hot and has pus and I have a fever"
EMERGENCY = "I can't breathe"


def begin(carrier: Carrier, *steps: dict[str, str], caller: str = HIDDEN) -> tuple[str, str]:
    """A call, step by step; its sid, and what was heard last."""
    sid = new_sid("CA")
    said = heard(carrier.call(sid, 0, caller=caller))
    for number, step in enumerate(steps, start=1):
        said = heard(carrier.call(sid, number, caller=caller, **step))
    return sid, said


def keys(*pressed: str) -> list[dict[str, str]]:
    return [{"Digits": one} for one in pressed]


def says(words: str) -> dict[str, str]:
    return {"SpeechResult": words}


def hang_up(carrier: Carrier, sid: str) -> None:
    carrier.post("/voice/status", {"CallSid": sid, "CallStatus": "completed", "CallDuration": "31"})


def items(carrier: Carrier) -> list[tuple[str, str]]:
    """Reason and number of each item."""
    query = sa.select(CallbackItem.reason, Contact.number).join(Contact, isouter=True)
    with carrier.parts.db.begin() as session:
        return sorted((reason, number or "") for reason, number in session.execute(query))


def words(carrier: Carrier) -> list[str]:
    with carrier.parts.db.begin() as session:
        return list(session.scalars(sa.select(CallbackWords.words).order_by(CallbackWords.id)))


def test_a_message_and_its_alarm_go_to_the_number_that_was_confirmed(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("VOICEMAIL", "1")
    carrier: Carrier = request.getfixturevalue("carrier")
    recorded = {"RecordingSid": new_sid("RE"), "RecordingDuration": "9", "Digits": "#"}
    sid, _ = begin(carrier, *keys("0", NUMBER, "1", "1", "1"), recorded)
    assert items(carrier) == [("nurse", f"+1{NUMBER}")]
    form = {"TranscriptionStatus": "completed", "TranscriptionText": "help I cannot breathe"}
    carrier.post("/voice/transcript", {**form, "CallSid": sid, "RecordingSid": recorded["RecordingSid"]})
    assert items(carrier) == [("emergency", f"+1{NUMBER}"), ("nurse", f"+1{NUMBER}")]
    with carrier.parts.db.begin() as session:
        kept = session.scalars(sa.select(Voicemail)).one()
        assert kept.item_id in set(session.scalars(sa.select(CallbackItem.id)))
        call = session.scalars(sa.select(Call)).one()
        assert call.contact_id is not None, "the patient's page shows the call"


def test_the_words_that_led_to_a_request_are_stored_with_it(carrier: Carrier) -> None:
    begin(carrier, says(URGENT), *keys(NUMBER, "1"))
    assert items(carrier) == [("urgent", f"+1{NUMBER}")]
    assert words(carrier) == [URGENT]


def test_the_question_that_a_call_was_offered_for_is_stored_with_it(carrier: Carrier) -> None:
    question = "can I take ibuprofen with my blood thinner"
    begin(carrier, says(question), *keys("1"), caller="+12025550123")
    assert (items(carrier)[0][0], words(carrier)) == ("clinical", [question])


@pytest.mark.parametrize(
    ("step", "reason", "said"), [(says(URGENT), "urgent", [URGENT]), ({"Digits": "0"}, "nurse", [])]
)
@pytest.mark.parametrize("ringing", [True, False])
def test_who_hangs_up_before_giving_a_number_is_not_forgotten(
    carrier: Carrier, step: dict[str, str], reason: str, said: list[str], ringing: bool
) -> None:
    if ringing:
        staffed(carrier, DESK)
    sid, last = begin(carrier, step)
    assert ("stay on the line" in last) == ringing
    assert items(carrier) == []
    for _ in range(2):
        hang_up(carrier, sid)
    assert (items(carrier), words(carrier)) == ([(reason, "")], said)


def test_an_emergency_is_heard_while_a_number_is_asked_for(carrier: Carrier) -> None:
    sid = begin(carrier, {"Digits": "0"})[0]
    document = carrier.call(sid, 2, caller=HIDDEN, SpeechResult="purple elephants")
    gather = document.find("Gather")
    assert gather is not None
    assert gather.attrib["input"] == "dtmf speech"
    assert "did not work" in heard(document)
    alarm = carrier.call(sid, 3, caller=HIDDEN, SpeechResult=EMERGENCY)
    assert "call nine one one now" in heard(alarm)
    assert items(carrier) == [("emergency", "")]


def test_an_emergency_is_heard_after_two_misunderstandings_and_a_topic_is_not(carrier: Carrier) -> None:
    twice = (says("purple elephants"), says("zorp klax"))
    assert "nine one one now" in begin(carrier, *twice, says(EMERGENCY), caller="+12025550123")[1]
    other = begin(carrier, *twice, says("side effects"), caller="+12025550124")[1]
    assert "bruise" not in other
    assert "A nurse will call you" in other


@pytest.mark.parametrize(
    "number", ["9005551234", "8005551234", "8765551234", "4165550123", "2025550100", "5005550006"]
)
def test_a_number_that_the_line_does_not_call_is_not_read_back(carrier: Carrier, number: str) -> None:
    assert "did not work" in begin(carrier, *keys("0", number))[1]


def test_a_step_after_the_end_of_its_call_leaves_the_request_at_once(carrier: Carrier) -> None:
    carrier.clock.instant = TUESDAY + timedelta(minutes=1)
    sid, _ = begin(carrier, caller="+12025550123")
    hang_up(carrier, sid)
    carrier.call(sid, 1, Digits="4")
    assert items(carrier) == [("schedule", "+12025550123")]


def test_a_hidden_caller_who_is_taken_leaves_an_item_that_wants_an_outcome(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid = new_sid("CA")
    carrier.call(sid, 0, caller=HIDDEN)
    whisper(carrier, carrier.call(sid, 1, caller=HIDDEN, SpeechResult=URGENT))
    talked = {"DialCallStatus": "completed", "DialBridged": "true", "DialCallDuration": "90"}
    carrier.call(sid, 2, caller=HIDDEN, **talked)
    hang_up(carrier, sid)
    assert (items(carrier), words(carrier)) == ([("urgent", "")], [URGENT])
    assert causes(carrier)[-2:] == ["taken by Phone 71", "spoke with staff for 1 min 30 s"]
    with carrier.parts.db.begin() as session:
        left = session.scalars(sa.select(CallbackItem)).one()
        assert left.status == "new"
        assert left.first_contact_at is not None


@pytest.mark.parametrize("before", [False, True], ids=["first request", "one was open"])
def test_of_a_hidden_caller_one_item_stays_open_once_a_number_is_confirmed(
    carrier: Carrier, before: bool
) -> None:
    if before:
        begin(carrier, *keys("0"), caller=f"+1{NUMBER}")
    begin(carrier, *keys("0", "0", "0", NUMBER, "1"))
    with carrier.parts.db.begin() as session:
        still_open = session.scalars(sa.select(CallbackItem).where(CallbackItem.status == "new")).all()
        assert [one.reason for one in still_open] == ["nurse"]
        assert still_open[0].contact is not None
        assert still_open[0].contact.number == f"+1{NUMBER}"


def test_zero_instead_of_a_number_leaves_a_request_and_tells_where_to_call(carrier: Carrier) -> None:
    sid, said = begin(carrier, *keys("0", "0"))
    assert "2 0 2, 5 5 5, 0 1 0 0" in said
    hang_up(carrier, sid)
    assert items(carrier) == [("nurse", "")]
