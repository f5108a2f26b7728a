"""What a call hears and leads to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Call, CallStep, Contact
from nurseline.webhooks import calls, leftovers
from tests.webhooks.support import Carrier, heard, items, new_sid


def test_the_emergency_sentence_is_the_first_thing_heard(carrier: Carrier) -> None:
    said = heard(carrier.call(new_sid("CA"), 0))
    assert said.startswith("If this is an emergency, hang up and call nine one one")
    assert "espa" not in said, "no second language is signed"


def test_the_menu_is_walked_by_keys(carrier: Carrier) -> None:
    sid = new_sid("CA")
    assert "press 2" in heard(carrier.call(sid, 0))
    assert "bruise" in heard(carrier.call(sid, 1, Digits="2"))
    assert "For side effects, press 2" in heard(carrier.call(sid, 2, Digits="#"))
    assert "What time of day" in heard(carrier.call(sid, 3, Digits="4"))
    assert "We will call you" in heard(carrier.call(sid, 4, Digits="2"))
    assert [(item.reason, item.source) for item in items(carrier)] == [("schedule", "call")]


def test_a_repeated_step_gets_the_same_document_and_does_nothing_twice(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    first = heard(carrier.call(sid, 1, Digits="0"))
    assert heard(carrier.call(sid, 1, Digits="0")) == first
    with ThreadPoolExecutor(6) as pool:
        again = set(pool.map(lambda _: heard(carrier.call(sid, 1, Digits="0")), range(6)))
    assert again == {first}
    assert len(items(carrier)) == 1


def test_every_key_of_a_menu_is_told_to_the_line_also_pound(carrier: Carrier) -> None:
    gather = carrier.call(new_sid("CA"), 0).find("Gather")
    assert gather is not None
    assert gather.attrib["finishOnKey"] == "", (
        "with the default, pound would end the input and count as silence"
    )


def test_nine_one_one_by_keys_is_an_emergency(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, Digits="9")
    carrier.call(sid, 2, Digits="1")
    assert "nine one one" in heard(carrier.call(sid, 3, Digits="1"))
    assert items(carrier)[0].reason == "emergency"


def test_nine_one_one_by_keys_is_said_in_both_languages_and_leaves_the_callers_own(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("OFFER_UNSIGNED_LANGUAGES", "1")
    carrier: Carrier = request.getfixturevalue("carrier")
    sid = new_sid("CA")
    for step, key in enumerate(("", "9", "1")):
        carrier.call(sid, step, Digits=key)
    alarm = carrier.call(sid, 3, Digits="1")
    assert "call nine one one" in heard(alarm)
    assert "nueve uno uno" in heard(alarm)
    gather = alarm.find("Gather")
    assert gather is not None
    assert gather.attrib["language"] == "en-US"
    again = heard(carrier.call(new_sid("CA"), 0))
    assert again.startswith("If this is an emergency"), "not in Spanish because of the 9"
    with carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(Contact.language)).all()[0] == "en"


def test_a_call_that_goes_round_without_end_ends_with_a_recorded_callback(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "MOST_STEPS", 5)
    sid = new_sid("CA")
    for step in range(5):
        assert carrier.call(sid, step, Digits="*" if step else "").find("Hangup") is None
    last = carrier.call(sid, 5, Digits="*")
    assert last.find("Hangup") is not None
    assert "will call you" in heard(last)
    assert [item.reason for item in items(carrier)] == ["nurse"]


def test_star_repeats_and_zero_reaches_a_nurse(carrier: Carrier) -> None:
    sid = new_sid("CA")
    menu = heard(carrier.call(sid, 0))
    assert menu.endswith(heard(carrier.call(sid, 1, Digits="*")))
    assert "A nurse will call you" in heard(carrier.call(sid, 2, Digits="0"))


def test_three_silences_record_a_callback_and_do_not_hang_up(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    for step in (1, 2):
        document = carrier.call(sid, step)
        assert document.find("Hangup") is None
        assert document.find("Gather") is not None
    document = carrier.call(sid, 3)
    assert "A nurse will call you" in heard(document)
    assert document.find("Hangup") is None
    assert [item.reason for item in items(carrier)] == ["nurse"]


def test_every_prompt_waits_at_least_ten_seconds_and_can_be_interrupted(carrier: Carrier) -> None:
    gather = carrier.call(new_sid("CA"), 0).find("Gather")
    assert gather is not None
    assert int(gather.attrib["timeout"]) >= 10
    assert gather.find("Say") is not None


def test_a_caller_without_a_number_keys_one_in_for_the_callback(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0, caller="anonymous")
    assert "number" in heard(carrier.call(sid, 1, caller="anonymous", Digits="0"))
    assert "2 0 2" in heard(carrier.call(sid, 2, caller="anonymous", Digits="2025550188")).replace(",", "")
    carrier.call(sid, 3, caller="anonymous", Digits="1")
    (item,) = items(carrier)
    assert item.contact is not None
    assert item.contact.number == "+12025550188"


@pytest.mark.parametrize("keys", ["5", "123", "9" * 40, "**##", "0000000000"])
def test_a_number_that_is_none_is_not_taken(carrier: Carrier, keys: str) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0, caller="anonymous")
    carrier.call(sid, 1, caller="anonymous", Digits="0")
    document = carrier.call(sid, 2, caller="anonymous", Digits=keys)
    assert document.find("Gather") is not None
    assert items(carrier) == []


def test_hanging_up_in_the_middle_of_a_request_does_not_lose_it(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, Digits="4")
    ended = {"CallSid": sid, "CallStatus": "completed", "CallDuration": "31"}
    assert carrier.post("/voice/status", ended).status_code == 200
    assert carrier.post("/voice/status", ended).status_code == 200
    assert [item.reason for item in items(carrier)] == ["schedule"]
    with carrier.parts.db.begin() as session:
        call = session.scalars(sa.select(Call)).one()
        assert (call.carrier_status, call.seconds) == ("completed", 31)


def test_a_request_left_in_a_call_that_no_key_opens_keeps_no_other_from_staff(carrier: Carrier) -> None:
    for caller in ("+12025550123", "+12025550199"):
        carrier.call(sid := new_sid("CA"), 0, caller=caller)
        carrier.call(sid, 1, caller=caller, Digits="4")
        with carrier.parts.db.begin() as session:
            session.execute(sa.text("UPDATE calls SET state = 'x' WHERE (SELECT count(*) FROM calls) = 1"))
    carrier.clock.advance(calls.FORGOTTEN + timedelta(minutes=1))
    assert [leftovers.collect(carrier.parts) for _ in range(2)] == [1, 0]
    assert [item.reason for item in items(carrier)] == ["schedule"]


def test_what_a_caller_heard_is_recorded_with_its_versions(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, Digits="2")
    with carrier.parts.db.begin() as session:
        steps = session.scalars(sa.select(CallStep).order_by(CallStep.step)).all()
        assert [step.heard for step in steps] == ["", "2"]
        assert "answer.risks:1" in steps[1].said


@pytest.mark.parametrize("keys", ["", "7", "99", "ABC", "😀", "\x00", "1" * 1600])
def test_any_key_gets_a_prompt_and_never_a_dead_end(carrier: Carrier, keys: str) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    document = carrier.call(sid, 1, Digits=keys)
    assert document.find("Gather") is not None


def test_an_end_of_an_unknown_call_is_taken_calmly(carrier: Carrier) -> None:
    assert (
        carrier.post("/voice/status", {"CallSid": new_sid("CA"), "CallStatus": "completed"}).status_code
        == 200
    )


def test_an_opt_in_on_a_call_is_written_down_as_spoken_also_after_an_opt_out(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, SpeechResult="stop")
    carrier.call(sid, 2, SpeechResult="yes")
    carrier.call(sid, 3, SpeechResult="start")
    assert "again" in heard(carrier.call(sid, 4, SpeechResult="yes please"))
    with carrier.parts.db.begin() as session:
        events = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.id)).all()
        assert [(one.kind, one.method, one.words) for one in events] == [
            ("opt_out", "speech", "stop\nyes"),
            ("opt_in", "speech", "start\nyes please"),
        ]


@pytest.mark.parametrize("word", ["stop", "wrong number", "start"])
def test_a_spoken_word_of_consent_changes_nothing_until_it_is_confirmed(carrier: Carrier, word: str) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    assert "press 1 or say yes" in heard(carrier.call(sid, 1, SpeechResult=word))
    carrier.call(sid, 2, SpeechResult=word)
    carrier.post("/voice/status", {"CallSid": sid, "CallStatus": "completed", "CallDuration": "31"})
    with carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(ConsentEvent)).all() == []
    assert items(carrier) == []


def test_an_opt_out_confirmed_by_key_is_written_down_with_the_words_and_the_key(carrier: Carrier) -> None:
    sid = new_sid("CA")
    carrier.call(sid, 0)
    carrier.call(sid, 1, SpeechResult="stop calling me")
    assert "no more automatic texts or calls" in heard(carrier.call(sid, 2, Digits="1"))
    with carrier.parts.db.begin() as session:
        event = session.scalars(sa.select(ConsentEvent)).one()
        assert (event.kind, event.method, event.words) == ("opt_out", "key", "stop calling me\n1")


def test_a_step_asks_the_database_only_for_what_it_needs(carrier: Carrier) -> None:
    asked: list[str] = []
    engine = carrier.parts.db.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    sid = new_sid("CA")
    carrier.call(sid, 0)
    asked.clear()
    for step, key in enumerate(("1", "#", "9", "*"), start=1):
        carrier.call(sid, step, Digits=key)
    carrier.call(sid, 5)
    tables = ("staff_phones", "consent_states", "outbound_messages", "callback_items")
    assert [one for one in asked if any(table in one for table in tables)] == []
    carrier.call(sid, 6, Digits="0")
    assert any("staff_phones" in one for one in asked)
