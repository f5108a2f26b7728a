"""A caller who wants a person in opening hours: the clinic's telephones ring, one after another."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.clinic import service as clinic
from nurseline.messaging.models import OutboundMessage
from tests.webhooks.support import TUESDAY, Carrier, heard, new_sid

DESK, NURSE = "+12025550171", "+12025550172"
CALLER = "+12025550123"


def staffed(carrier: Carrier, *numbers: str, shift: str = "") -> None:
    parts = carrier.parts
    with parts.db.begin() as session:
        for number in numbers:
            phone = clinic.Phone(f"Phone {number[-2:]}", number, shift)
            clinic.keep_phone(session, phone, parts.settings.zone, now=TUESDAY, staff="test")


def ask_for_a_person(carrier: Carrier, **more: str) -> tuple[str, ET.Element]:
    sid = new_sid("CA")
    carrier.call(sid, 0, **more)
    return sid, carrier.call(sid, 1, Digits="0", **more)


def whisper(carrier: Carrier, document: ET.Element, key: str | None = "1") -> list[ET.Element]:
    """What whoever picks up hears, and what follows their key."""
    number = document.find("Dial/Number")
    assert number is not None
    path = number.attrib["url"].removeprefix("https://line.example.org")
    form = {"CallSid": new_sid("CA"), "CallStatus": "in-progress"}
    said = ET.fromstring(carrier.post(path, form).data)
    if key is None:
        return [said]
    after = ET.fromstring(carrier.post(f"{path}/key", {**form, "Digits": key}).data)
    return [said, after]


def after_ringing(carrier: Carrier, sid: str, step: int, status: str, **more: str) -> ET.Element:
    return carrier.call(sid, step, DialCallStatus=status, DialBridged="false", **more)


def item(carrier: Carrier) -> CallbackItem:
    with carrier.parts.db.begin() as session:
        return session.scalars(sa.select(CallbackItem)).one()


def causes(carrier: Carrier) -> list[str]:
    with carrier.parts.db.begin() as session:
        return list(session.scalars(sa.select(CallbackEvent.cause).order_by(CallbackEvent.id)))


def alerts(carrier: Carrier) -> int:
    query = sa.select(sa.func.count()).where(OutboundMessage.content_id == "alert.nobody")
    with carrier.parts.db.begin() as session:
        return session.scalar(query) or 0


def test_the_first_telephone_rings_and_shows_the_clinics_number(carrier: Carrier) -> None:
    staffed(carrier, DESK, NURSE)
    sid, document = ask_for_a_person(carrier)
    assert "stay on the line" in heard(document)
    dial = document.find("Dial")
    assert dial is not None
    assert [n.text for n in dial] == [DESK]
    assert dial.attrib["callerId"] == "+15005550006", "not the patient's number"
    assert dial.attrib["action"].endswith("/voice/step/2")
    assert item(carrier).reason == "nurse", "stored before it rings: hanging up loses nothing"
    assert sid


def test_whoever_picks_up_must_press_1_so_that_a_mailbox_never_takes_a_patient(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    _, document = ask_for_a_person(carrier)
    said, taken = whisper(carrier, document)
    assert "nurse line call" in heard(said)
    assert said[-1].tag == "Hangup", "silence ends the leg"
    assert list(taken) == [], "an empty document connects both sides"
    assert whisper(carrier, document, "5")[1][0].tag == "Hangup"
    assert causes(carrier)[-1] == "taken by Phone 71"


def test_nobody_answers_at_the_first_so_the_next_one_rings_and_then_the_place_is_kept(
    carrier: Carrier,
) -> None:
    staffed(carrier, DESK, NURSE)
    sid, _ = ask_for_a_person(carrier)
    second = after_ringing(carrier, sid, 2, "no-answer")
    assert "still looking" in heard(second)
    assert [n.text for n in second.iter("Number")] == [NURSE]
    last = after_ringing(carrier, sid, 3, "busy")
    assert last.find("Dial") is None
    assert "keep your place" in heard(last)
    assert "A nurse will call you" in heard(last)
    assert item(carrier).status == "new"
    assert last.find("Gather") is not None, "nobody waiting is hung up on"


def test_a_telephone_that_was_picked_up_by_a_mailbox_does_not_count_as_a_talk(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid, _ = ask_for_a_person(carrier)
    assert "keep your place" in heard(after_ringing(carrier, sid, 2, "completed"))


def test_after_a_talk_the_item_stays_open_and_says_so(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid, document = ask_for_a_person(carrier)
    whisper(carrier, document)
    form = {"DialCallStatus": "completed", "DialBridged": "true", "DialCallDuration": "125"}
    after = carrier.call(sid, 2, **form)
    assert "You can hang up now" in heard(after)
    assert causes(carrier)[-2:] == ["taken by Phone 71", "spoke with staff for 2 min 5 s"]
    assert item(carrier).status == "new", "staff record what came of it"
    assert item(carrier).first_contact_at is not None, "the reports count it as reached"
    assert heard(carrier.call(sid, 2, **form)) == heard(after)


def test_a_repeated_result_of_ringing_gets_the_same_document(carrier: Carrier) -> None:
    staffed(carrier, DESK, NURSE)
    sid, _ = ask_for_a_person(carrier)
    first = after_ringing(carrier, sid, 2, "no-answer")
    again = after_ringing(carrier, sid, 2, "no-answer")
    assert ET.tostring(first) == ET.tostring(again)


def test_who_hung_up_is_not_connected_any_more(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid, document = ask_for_a_person(carrier)
    carrier.post("/voice/status", {"CallSid": sid, "CallStatus": "completed", "CallDuration": "20"})
    (said,) = whisper(carrier, document, None)
    assert [child.tag for child in said] == ["Hangup"]
    assert item(carrier).status == "new"


def test_out_of_hours_nothing_rings_and_the_callback_is_recorded(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    carrier.clock.instant = TUESDAY + timedelta(hours=12)
    _, document = ask_for_a_person(carrier)
    assert document.find("Dial") is None
    assert "not at work now" in heard(document)
    assert "will call you" in heard(document)
    assert alerts(carrier) == 0


def test_nobody_on_shift_in_opening_hours_is_an_alarm_and_a_callback_never_an_endless_ring(
    carrier: Carrier,
) -> None:
    staffed(carrier, DESK, shift="Mon-Fri 20:00-22:00")
    _, document = ask_for_a_person(carrier)
    assert document.find("Dial") is None
    assert "will call you" in heard(document)
    assert alerts(carrier) == 2, "everybody on the alert list"
    ask_for_a_person(carrier, caller="+12025550124")
    assert alerts(carrier) == 2, "once an hour"
    carrier.clock.instant = TUESDAY + timedelta(minutes=61)
    ask_for_a_person(carrier, caller="+12025550125")
    assert alerts(carrier) == 4


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (CALLER, ("my wound is red and hot and has pus and I have a fever",)),
        (CALLER, ("can I take ibuprofen with my blood thinner", "yes")),
        ("anonymous", ("I want to talk to a nurse",)),
    ],
)
def test_nobody_on_shift_is_an_alarm_for_whatever_somebody_on_shift_would_take(
    carrier: Carrier, caller: str, words: tuple[str, ...]
) -> None:
    staffed(carrier, DESK, shift="Mon-Fri 20:00-22:00")
    sid = new_sid("CA")
    carrier.call(sid, 0, caller=caller)
    for step, said in enumerate(words, start=1):
        carrier.call(sid, step, caller=caller, SpeechResult=said)
    assert alerts(carrier) == 2


def test_a_request_while_somebody_is_on_shift_is_no_alarm(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid = new_sid("CA")
    for step in range(4):
        carrier.call(sid, step)
    assert item(carrier).reason == "nurse", "silent three times"
    assert alerts(carrier) == 0


def test_a_clinic_without_telephones_takes_callbacks_and_raises_no_alarm(carrier: Carrier) -> None:
    _, document = ask_for_a_person(carrier)
    assert document.find("Dial") is None
    assert alerts(carrier) == 0


def test_a_hidden_number_is_connected_and_asked_for_a_number_only_when_nobody_answers(
    carrier: Carrier,
) -> None:
    staffed(carrier, DESK)
    sid, document = ask_for_a_person(carrier, caller="anonymous")
    assert document.find("Dial") is not None
    missed = after_ringing(carrier, sid, 2, "no-answer", caller="anonymous")
    assert "key in the number" in heard(missed)
    confirm = carrier.call(sid, 3, caller="anonymous", Digits="2025550144")
    assert "If that is right" in heard(confirm)
    done = carrier.call(sid, 4, caller="anonymous", Digits="1")
    assert done.find("Dial") is None, "they have all just rung"
    assert "A nurse will call you" in heard(done)
    assert item(carrier).reason == "nurse"


def test_words_before_the_ringing_can_be_cut_short_and_the_same_telephone_rings(carrier: Carrier) -> None:
    staffed(carrier, DESK, NURSE)
    sid = new_sid("CA")
    carrier.call(sid, 0)
    document = carrier.call(sid, 1, SpeechResult="how long until it works and I want to talk to a nurse")
    assert [verb.tag for verb in document] == ["Gather", "Dial"]
    cut = carrier.call(sid, 2, Digits="1")
    assert heard(cut) == "One moment, please."
    assert [n.text for n in cut.iter("Number")] == [DESK]
    alarm = carrier.call(sid, 3, SpeechResult="I can't breathe")
    assert "nine one one now" in heard(alarm)


def test_a_spoken_wish_for_a_nurse_rings_too_and_a_spoken_emergency_does_not(carrier: Carrier) -> None:
    staffed(carrier, DESK)
    sid = new_sid("CA")
    carrier.call(sid, 0)
    assert carrier.call(sid, 1, SpeechResult="Can I talk to a nurse please").find("Dial") is not None
    sid = new_sid("CA")
    carrier.call(sid, 0, caller="+12025550124")
    alarm = carrier.call(sid, 1, caller="+12025550124", SpeechResult="I can't breathe")
    assert alarm.find("Dial") is None
    assert "call nine one one now" in heard(alarm)


def test_words_are_listened_to_at_each_step_and_keys_alone_count_after_two_misunderstandings(
    carrier: Carrier,
) -> None:
    sid = new_sid("CA")
    first = carrier.call(sid, 0).find("Gather")
    assert first is not None
    assert first.attrib["input"] == "dtmf speech"
    assert "side effects" in first.attrib["hints"].lower()
    carrier.call(sid, 1, SpeechResult="purple elephants")
    gather = carrier.call(sid, 2, SpeechResult="purple elephants").find("Gather")
    assert gather is not None
    assert gather.attrib["input"] == "dtmf speech", "for alarms"
    assert "We will call you" not in heard(carrier.call(sid, 3, SpeechResult="yes"))
    assert item(carrier).reason == "nurse", "not understood three times"


def test_who_calls_again_hears_the_promise_and_nothing_that_a_number_does_not_prove(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, Digits="4")
    carrier.call(sid, 2, Digits="1")
    again = heard(carrier.call(new_sid("CA"), 0))
    assert "We have a request from this number. We will call you" in again
    assert "visit. " not in again.split("press")[0], "not what the request was about"
    carrier.clock.instant = TUESDAY + timedelta(days=4)
    assert "We have a request" not in heard(carrier.call(new_sid("CA"), 0)), "a promise that has passed"


@pytest.mark.parametrize("path", ["/voice/whisper/{0}/{0}", "/voice/whisper/{0}/{0}/key"])
def test_a_whisper_for_no_call_hangs_up(carrier: Carrier, path: str) -> None:
    answer = carrier.post(path.format(uuid.uuid4()), {"CallSid": new_sid("CA"), "Digits": "1"})
    assert [child.tag for child in ET.fromstring(answer.data)] == ["Hangup"]


# The answer by text


def texted(carrier: Carrier) -> list[str]:
    query = sa.select(OutboundMessage.body).where(OutboundMessage.purpose == "confirmation")
    with carrier.parts.db.begin() as session:
        return [body or "" for body in session.scalars(query.order_by(OutboundMessage.id))]


def hear_and_agree(carrier: Carrier, caller: str = CALLER) -> ET.Element:
    sid = new_sid("CA")
    carrier.call(sid, 0, caller=caller)
    assert "To get this by text, press 2" in heard(carrier.call(sid, 1, caller=caller, Digits="2"))
    assert "data rates may apply" in heard(carrier.call(sid, 2, caller=caller, Digits="2"))
    assert texted(carrier) == [] or caller, "nothing is sent before the caller agrees"
    return carrier.call(sid, 3, caller=caller, Digits="1")


def test_an_answer_by_text_is_of_use_for_the_rest_of_the_day_only(carrier: Carrier) -> None:
    hear_and_agree(carrier)
    query = sa.select(OutboundMessage.send_before).where(OutboundMessage.purpose == "confirmation")
    with carrier.parts.db.begin() as session:
        assert session.scalars(query).one() == carrier.clock.instant + timedelta(hours=12)


def test_an_answer_is_texted_to_who_asks_after_the_words_of_consent(carrier: Carrier) -> None:
    assert "on its way" in heard(hear_and_agree(carrier))
    sent = " ".join(texted(carrier))
    assert sent.startswith("Your Clinic nurse line. You asked for this by phone.")
    assert "bruise" in sent
    assert "STOP" in sent


def test_the_text_is_not_offered_to_who_cannot_or_will_not_get_it(carrier: Carrier) -> None:
    carrier.text("STOP", sender=CALLER)
    for caller in (CALLER, "anonymous", "+18005550123"):
        sid = new_sid("CA")
        carrier.call(sid, 0, caller=caller)
        assert "by text" not in heard(carrier.call(sid, 1, caller=caller, Digits="2")), caller


def test_a_number_is_not_flooded_by_somebody_who_shows_it_as_theirs(carrier: Carrier) -> None:
    for _ in range(3):
        hear_and_agree(carrier)
    sid = new_sid("CA")
    carrier.call(sid, 0)
    assert "by text" not in heard(carrier.call(sid, 1, Digits="2"))
