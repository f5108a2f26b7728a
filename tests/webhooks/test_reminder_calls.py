"""What is said, heard and noted on a call that reads a reminder."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackWords
from nurseline.consent.models import ConsentEvent
from nurseline.content.checks import LONGEST_SPEECH
from nurseline.messaging.models import Call, CallStep, OutboundMessage
from nurseline.messaging.rate import NoLimit
from nurseline.webhooks import reminder_calls
from tests.support.line import FakeGateway
from tests.webhooks.support import BASE, PATIENT, Carrier, OurCall, Place, heard, items, new_sid

NAME = "Your Clinic"
PLEASE_CALL = "This is Your Clinic. Please call 2 0 2, 5 5 5, 0 1 0 0. Thank you."
MACHINES = ["machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax"]


def ends(document: ET.Element) -> bool:
    return document.find("Hangup") is not None


# Who answered


def test_a_person_hears_who_calls_then_the_emergency_sentence_then_one_question(place: Place) -> None:
    call = place()
    document = call.ask()
    said = heard(document)
    assert re.match(rf"This is {NAME}\. In an emergency, hang up and call nine one one\. How are you", said)
    assert re.findall(r"press (\d)", said) == ["1", "2", "3", "9"]
    assert len(said.split()) <= LONGEST_SPEECH, "twenty seconds"
    gather = document.find("Gather")
    assert gather is not None
    assert gather.attrib["action"] == f"{BASE}/voice/reminder/1?ref={call.message}"
    assert (gather.attrib["input"], gather.attrib["numDigits"]) == ("dtmf speech", "1")
    assert int(gather.attrib["timeout"]) >= 10
    assert [child.tag for child in document] == ["Gather", "Redirect"]
    assert not ends(document)


@pytest.mark.parametrize("by", MACHINES)
def test_a_machine_hears_please_call_and_nothing_else(place: Place, by: str) -> None:
    document = place(by).ask()
    assert heard(document) == PLEASE_CALL
    assert ends(document)
    assert document.find("Gather") is None


@pytest.mark.parametrize("by", ["unknown", None, ""])
def test_until_a_key_is_pressed_nobody_is_known_to_be_a_person(place: Place, by: str | None) -> None:
    call = place(by)
    assert call.says() == f"This is {NAME}. To go on, press 1."
    greeting = "you have reached the home of pat leave a message after the tone"
    assert call.says(SpeechResult=greeting) == f"This is {NAME}. To go on, press 1."
    assert call.row.body is None, "its words were not said to anybody"
    assert "How are you after your visit" in call.key("1")


def test_where_no_key_comes_please_call_is_all_that_is_left_behind(place: Place) -> None:
    call = place("unknown")
    call.ask()
    assert not ends(call.silence())
    assert not ends(call.silence())
    last = call.silence()
    assert (heard(last), ends(last)) == (PLEASE_CALL, True)
    call.report("completed", 60)
    assert (call.row.status, call.row.reason) == ("undelivered", "no person answered")


def test_emergency_words_count_also_before_a_key_proves_a_person(place: Place) -> None:
    call = place("unknown")
    call.ask()
    assert "call nine one one" in call.says(SpeechResult="I can't breathe")
    assert [item.reason for item in items(call.carrier)] == ["emergency"]


@pytest.mark.parametrize("key", ["0", "9", "*"])
def test_the_keys_that_always_work_do_so_before_the_question_too(place: Place, key: str) -> None:
    call = place("unknown")
    call.ask()
    said = call.key(key)
    expected = {
        "0": "A nurse will call you",
        "9": "no more automatic texts or calls",
        "*": "To go on, press 1.",
    }
    assert expected[key] in said
    assert "How are you" not in said


# What is heard


@pytest.mark.parametrize(
    ("given", "answer", "words", "reason"),
    [
        ({"Digits": "1"}, "well", "We are glad to hear it", None),
        ({"Digits": "2"}, "question", "A nurse will call you", "nurse"),
        ({"Digits": "3"}, "worse", "We are sorry to hear that", "clinical"),
        ({"SpeechResult": "doing well"}, "well", "We are glad to hear it", None),
        ({"SpeechResult": "not so good"}, "worse", "We are sorry to hear that", "clinical"),
    ],
)
def test_an_answer_is_noted_for_this_reminder_and_leads_to_the_same_item_as_a_text(
    place: Place, given: dict[str, str], answer: str, words: str, reason: str | None
) -> None:
    call = place()
    call.ask()
    assert words in call.says(**given)
    assert (call.row.answer, call.row.status) == (answer, "delivered")
    raised = [(item.reason, item.source, item.contact.number) for item in items(call.carrier) if item.contact]
    assert raised == ([(reason, "reminder", PATIENT)] if reason else [])


def test_an_answer_belongs_to_the_reminder_that_was_read_not_to_a_newer_one(place: Place) -> None:
    older = place()
    older.ask()
    older.carrier.clock.advance(timedelta(hours=48))
    sender = replace(older.carrier.parts.sender, gateway=FakeGateway(), rate=NoLimit())
    assert sender.send_due() == 1
    older.key("1")
    with older.carrier.parts.db.begin() as session:
        answered = session.scalars(sa.select(OutboundMessage).where(OutboundMessage.answer.is_not(None)))
        assert [row.id for row in answered] == [older.message]


def test_emergency_words_are_answered_at_once_and_raise_an_alarm(place: Place) -> None:
    call = place()
    call.ask()
    assert call.says(SpeechResult="I can't breathe").startswith("This may be an emergency. Hang up and call")
    (item,) = items(call.carrier)
    assert (item.reason, item.priority) == ("emergency", 0)
    with call.carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(CallbackWords.words)).all() == ["I can't breathe"]
        alerts = sa.select(sa.func.count()).where(OutboundMessage.purpose == "alert")
        assert session.scalar(alerts) == 2


def test_nine_one_one_by_keys_is_an_emergency(place: Place) -> None:
    call = place()
    call.ask()
    call.key("9")
    call.key("1")
    assert "nine one one now" in call.key("1")
    assert items(call.carrier)[0].reason == "emergency"


@pytest.mark.parametrize("before", ["", "1", "2", "#", "*", "0"])
def test_nine_ends_all_messages_wherever_the_call_stands(place: Place, before: str) -> None:
    call = place()
    call.ask()
    for key in before:
        call.key(key)
    assert call.key("9").startswith("You will get no more automatic texts or calls from us.")
    with call.carrier.parts.db.begin() as session:
        event = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.kind == "opt_out")).one()
        assert (event.method, event.words, event.provider_sid) == ("key", "9", call.sid)
        left = session.scalars(sa.select(OutboundMessage.status).where(OutboundMessage.step != "day1"))
        assert list(left) == ["cancelled", "cancelled"]


def test_an_opt_out_in_words_is_one_too(place: Place) -> None:
    call = place()
    call.ask()
    assert "press 1 or say yes" in call.says(SpeechResult="stop calling me")
    assert "no more automatic texts or calls" in call.says(SpeechResult="yes")
    with call.carrier.parts.db.begin() as session:
        event = session.scalars(sa.select(ConsentEvent).where(ConsentEvent.kind == "opt_out")).one()
        assert (event.method, event.words) == ("speech", "stop calling me\nyes")


def test_star_repeats_the_question_and_zero_asks_for_a_person(place: Place) -> None:
    call = place()
    question = call.says()
    assert call.key("*") == question
    assert "A nurse will call you" in call.key("0")
    assert [item.reason for item in items(call.carrier)] == ["nurse"]


def test_silence_is_helped_twice_and_ends_with_please_call(place: Place) -> None:
    call = place()
    call.ask()
    first, second, third = call.silence(), call.silence(), call.silence()
    assert heard(first).startswith("We did not hear you. Take your time. If you are doing well, press 1.")
    assert "press a key on your phone" in heard(second)
    assert not ends(first)
    assert not ends(second)
    assert (heard(third), ends(third)) == (PLEASE_CALL, True)
    assert call.row.status == "delivered"
    assert call.row.answer in {None, "silence"}
    assert items(call.carrier) == [], "nobody who did not call us is called back for being silent"


def test_who_ended_messages_and_stays_silent_is_not_called_back(place: Place) -> None:
    call = place()
    call.ask()
    call.key("9")
    assert not ends(call.silence())
    assert "For a nurse, press 0" in heard(call.silence())
    last = call.silence()
    assert (heard(last), ends(last)) == ("Thank you. Goodbye.", True)
    assert items(call.carrier) == []


def test_who_asked_for_a_visit_and_falls_silent_is_called_all_the_same(place: Place) -> None:
    call = place()
    call.ask()
    for key in "#4":
        call.key(key)
    for _ in range(3):
        call.silence()
    assert [item.reason for item in items(call.carrier)] == ["schedule"]


def test_what_is_not_understood_gets_the_question_again_and_then_a_person_is_offered(place: Place) -> None:
    call = place()
    call.ask()
    said = call.key("7")
    assert said.startswith("Sorry, we did not get that. If you are doing well, press 1.")
    assert said.count("Sorry") == 1
    offered = call.ask(Digits="8")
    assert "For a call from a nurse, press 1" in heard(offered)
    gather = offered.find("Gather")
    assert gather is not None
    assert gather.attrib["input"] == "dtmf speech", "keys alone choose, alarms are heard"


@pytest.mark.parametrize("keys", ["7", "#", "99", "ABC", "😀", "\x00", "1" * 1600])
def test_any_input_gets_words_and_never_a_dead_end(place: Place, keys: str) -> None:
    call = place()
    call.ask()
    assert call.ask(Digits=keys).find("Gather") is not None


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_prompt_of_such_a_call_is_said_in_twenty_seconds(
    place: Place, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    call = place(language=language)
    both = replace(call.carrier.parts, languages=("en", "es"))
    monkeypatch.setitem(call.carrier.client.application.extensions, "nurseline", both)
    documents = [call.ask(), call.silence(), call.silence(), *(call.ask(Digits=key) for key in "7*2")]
    for document in documents:
        said = heard(document)
        assert said
        assert len(said.split()) <= LONGEST_SPEECH, said
        gather = document.find("Gather")
        assert gather is not None
        assert gather.attrib["action"].startswith(f"{BASE}/voice/reminder/")


def test_a_call_that_goes_round_without_end_ends_with_a_recorded_callback(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reminder_calls, "MOST_STEPS", 3)
    call = place()
    for key in ["", "*", "*"]:
        assert not ends(call.ask(Digits=key))
    last = call.ask(Digits="*")
    assert ends(last)
    assert "A nurse will call you" in heard(last)
    assert [item.reason for item in items(call.carrier)] == ["nurse"]


# Languages


def test_spanish_is_spoken_only_where_it_is_offered(place: Place, carrier: Carrier) -> None:
    call = place(language="es")
    document = call.ask()
    assert heard(document).startswith(f"This is {NAME}"), "no second language is signed"
    assert {say.attrib["language"] for say in document.iter("Say")} == {"en-US"}


def test_a_spanish_call_is_spanish_from_the_first_word(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    call = place(language="es")
    both = replace(call.carrier.parts, languages=("en", "es"))
    monkeypatch.setitem(call.carrier.client.application.extensions, "nurseline", both)
    document = call.ask()
    assert heard(document).startswith(
        f"Le llama {NAME}. En una emergencia, cuelgue y llame al nueve uno uno."
    )
    gather = document.find("Gather")
    assert gather is not None
    assert gather.attrib["language"] == "es-US"
    assert {say.attrib["language"] for say in document.iter("Say")} == {"es-US"}
    assert "Lo sentimos" in call.key("3")


# What is kept


def test_the_words_that_were_said_and_their_version_stand_in_the_message(place: Place) -> None:
    call = place()
    assert call.row.body is None
    said = call.says()
    version = call.carrier.parts.content.get("reminder.day1").version
    assert (call.row.body, call.row.content_version) == (said, str(version))
    with call.carrier.parts.db.begin() as session:
        kept = session.scalars(sa.select(Call)).one()
        assert (kept.call_sid, kept.message_id, kept.contact_id) == (
            call.sid,
            call.message,
            call.row.contact_id,
        )


def test_a_repeated_request_gets_the_same_document_and_does_nothing_twice(place: Place) -> None:
    call = place()
    call.ask()
    first = call.key("2")
    assert heard(call.again(Digits="2")) == first
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: heard(call.again(Digits="2")), range(4))) == {first}
    assert len(items(call.carrier)) == 1
    with call.carrier.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(CallStep)) == 2


def test_hanging_up_in_the_middle_of_a_request_does_not_lose_it(place: Place) -> None:
    call = place()
    call.ask()
    call.key("#")
    assert "What time of day" in call.key("4")
    call.report("completed", 40)
    call.report("completed", 40)
    assert [item.reason for item in items(call.carrier)] == ["schedule"]


@pytest.mark.parametrize("reference", ["", "no-id", str(uuid.UUID(int=5))])
def test_a_call_that_nobody_knows_says_please_call(carrier: Carrier, reference: str) -> None:
    stray = OurCall(carrier, uuid.uuid4(), new_sid("CA"))
    answer = carrier.post(f"/voice/reminder?ref={reference}", stray.form())
    assert heard(ET.fromstring(answer.data)) == PLEASE_CALL
    ended = carrier.post(f"/voice/reminder/status?ref={reference}", stray.form("completed"))
    assert ended.status_code == 200


def test_a_request_that_is_not_signed_is_refused(place: Place) -> None:
    call = place()
    path = f"/voice/reminder?ref={call.message}"
    assert call.carrier.post(path, call.form(), signature="forged").status_code == 403


def test_a_fault_of_ours_tells_a_machine_no_more_than_please_call(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    call = place()
    monkeypatch.setattr(reminder_calls, "opened", broken)
    assert call.says() == PLEASE_CALL
    assert items(call.carrier) == []


def test_a_fault_of_ours_after_a_key_keeps_the_request_of_the_person_called(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    call = place()
    call.ask()
    monkeypatch.setattr(reminder_calls, "opened", broken)
    assert "A nurse will call you" in call.key("2")
    (item,) = items(call.carrier)
    assert item.contact is not None
    assert item.contact.number == PATIENT, "not the line's own number"
