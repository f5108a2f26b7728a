"""From turns to words: promises, packing into messages, what was sent in which version."""

import re

import pytest

from nurseline.content import ContentError, gsm7_length, load_content
from nurseline.dialogue import (
    Promise,
    RequestCallback,
    Say,
    State,
    Turn,
    begin,
    compose,
    fill,
    promises_needed,
    respond,
)
from nurseline.dialogue.compose import spoken_seconds
from nurseline.language.meaning import Meaning

FACTS = {
    "clinic": "The clinic",
    "phone": "202-555-0100",
    "phone_spoken": "2 0 2, 5 5 5, 0 1 0 0",
    "address": "1 Main Street",
    "hours": "Mon-Fri 08:00-17:00",
}


def heard(topic, place="menu", **more):
    return respond(State(place=place), Meaning("none", topic, 1.0), channel="text", **more)


def test_a_promise_is_filled_into_the_words():
    turn = heard("nurse")
    assert promises_needed(turn) == ("nurse",)
    filled = fill(turn, {"nurse": Promise("today by 4:30 PM")})
    (message,) = compose(filled, FACTS, channel="text")
    assert message.text.startswith("A nurse will call you today by 4:30 PM.")
    assert message.versions == "nurse.done:1"


def test_an_item_that_was_open_before_gets_its_own_words():
    filled = fill(heard("nurse"), {"nurse": Promise("today by 4:30 PM", already=True)})
    assert [say.id for say in filled.say] == ["nurse.already"]


def test_out_of_hours_the_words_say_so_once():
    filled = fill(heard("nurse"), {"nurse": Promise("Monday, March 9 by 9 AM", closed=True)})
    (message,) = compose(filled, FACTS, channel="text")
    assert message.text.startswith(
        "Our nurses are not at work now.\nA nurse will call you Monday, March 9 by 9 AM."
    )


def test_without_a_promise_no_time_is_told():
    filled = fill(heard("nurse"), {})
    (message,) = compose(filled, FACTS, channel="text")
    assert "A nurse will call you." in message.text


def test_what_is_repeated_holds_the_promise_too():
    turn = respond(State(), Meaning("none", "nurse", 1.0), channel="voice")
    filled = fill(turn, {"nurse": Promise("today by 4:30 PM")})
    again = respond(filled.state, Meaning("none", "unknown", 0.0, command="repeat"), channel="voice")
    assert promises_needed(again) == ()
    assert "today by 4:30 PM" in compose(again, FACTS, channel="voice")[0].text


def test_the_welcome_is_a_message_of_its_own_and_the_rest_is_packed():
    messages = compose(heard("risks", new=True), FACTS, channel="text")
    assert len(messages) == 2
    assert messages[0].versions == "welcome:1"
    assert gsm7_length(messages[0].text) <= 160
    assert gsm7_length(messages[1].text) <= 306


def test_words_that_do_not_fit_together_become_two_messages():
    says = (Say("answer.risks"), Say("answer.expect"), Say("followup"))
    messages = compose(Turn(State(), says), FACTS, channel="text")
    assert [message.entries for message in messages] == [
        (("answer.risks", 1),),
        (("answer.expect", 1), ("followup", 1)),
    ]


def test_an_address_the_clinic_never_gave_is_left_out():
    turn = heard("admin")
    (with_address,) = compose(turn, FACTS, channel="text")
    assert with_address.text.startswith("We are at 1 Main Street.")
    (without,) = compose(turn, {**FACTS, "address": ""}, channel="text")
    assert without.text.startswith("We are open Mon-Fri 8 AM-5 PM.")


def test_a_missing_fact_is_an_error_not_a_hole():
    with pytest.raises(ContentError, match=r"needs a value for \{phone\}"):
        compose(heard("admin"), {**FACTS, "phone": ""}, channel="text")


def test_on_a_call_each_language_is_said_by_its_own_voice():
    says = (Say("voice.greeting"), Say("voice.language", language="en"), Say("voice.menu"))
    messages = compose(Turn(State(), says), FACTS, channel="voice", content=load_content())
    assert [message.language for message in messages] == ["en"]
    assert "This is The clinic. For English, press 9. For aftercare" in messages[0].text


def test_a_request_and_its_promise_go_together():
    turn = respond(State(place="schedule_time"), Meaning("none", "unknown", 1.0, choice=1), channel="text")
    assert turn.effects == (RequestCallback("schedule", "morning"),)
    assert promises_needed(turn) == ("schedule",)


def test_what_is_too_long_for_one_prompt_goes_on_in_the_next():
    says = (Say("answer.risks"), Say("voice.followup.symptoms"), Say("voice.language", language="es"))
    messages = compose(Turn(State(), says), FACTS, channel="voice", content=load_content())
    assert [(one.language, one.breath) for one in messages] == [("en", 0), ("en", 1), ("es", 1)]
    assert "".join(one.text for one in messages).startswith("The risk is small.")


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("open_reason", [None, "nurse"])
def test_the_first_choice_of_a_call_comes_within_nine_seconds_also_where_the_clinic_has_a_long_name(
    language, open_reason
):
    facts = {**FACTS, "clinic": "Northside Spine Pain Center"}
    turn = begin(channel="voice", language=language, languages=("en", "es"), open_reason=open_reason)
    turn = fill(turn, {"nurse": Promise("tomorrow by 12 PM")})
    said = " ".join(one.text for one in compose(turn, facts, channel="voice", content=load_content()))
    first = re.search(r"(For|Para) [\w ]+, (press|marque) [0-8]", said)
    assert spoken_seconds(said[: first.start()]) <= 9


def test_nurses_who_are_all_busy_are_at_work():
    says = (Say("voice.nobody_free"), Say("nurse.done", promise_for="nurse", already="nurse.already"))
    filled = fill(Turn(State(), says), {"nurse": Promise("today by 5 PM", closed=True)})
    assert [one.id for one in filled.say] == ["voice.nobody_free", "nurse.done"]
