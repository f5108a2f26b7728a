"""What callers go through, told step by step."""

from dataclasses import replace

import pytest

from nurseline.content import load_content
from nurseline.dialogue import (
    Can,
    OptIn,
    OptOut,
    RequestCallback,
    SendText,
    SetLanguage,
    State,
    WrongNumber,
    abandoned,
    begin,
    connected,
    recorded,
    reminded,
    respond,
)
from nurseline.language import keyed
from tests.dialogue.talk import UNKNOWN, Talk, command, number, said, topic


def test_a_call_begins_with_the_emergency_sentence_then_name_and_menu():
    turn = begin(channel="voice", language="en", new=True)
    assert said(turn) == ["voice.emergency_first", "voice.greeting", "voice.menu"]


def test_a_second_language_is_announced_only_when_it_may_be_used():
    turn = begin(channel="voice", language="en", new=True, languages=("en", "es"))
    assert said(turn)[2] == "voice.language"
    assert turn.say[2].language == "es"


def test_a_repeat_caller_hears_the_promise_that_is_open():
    turn = begin(channel="voice", language="en", new=False, open_reason="schedule")
    assert said(turn)[2:] == ["voice.for_a_nurse", "voice.open_request", "voice.menu.after_nurse"]
    assert turn.say[3].promise_for == "schedule"


def test_star_repeats_pound_is_the_menu_and_zero_a_nurse():
    talk = Talk("voice", begin(channel="voice", language="en", new=False).state)
    talk.hear(number(1))
    first = talk.hear(number(1))
    assert said(first) == ["answer.recovery", "voice.followup.symptoms"]
    assert said(talk.hear(command("repeat"))) == said(first)
    assert said(talk.hear(number(1))) != said(first)
    assert said(talk.hear(command("menu"))) == ["voice.menu"]
    assert talk.hear(topic("nurse")).effects == (RequestCallback("nurse"),)


def test_repeat_still_gives_the_answer_after_a_silence():
    talk = Talk("voice")
    talk.hear(topic("risks"))
    talk.quiet()
    assert said(talk.hear(command("repeat")))[0] == "answer.risks"


def test_silence_is_helped_twice_and_then_a_callback_is_recorded():
    talk = Talk("voice", begin(channel="voice", language="en", new=False).state)
    assert said(talk.quiet()) == ["voice.silence.1", "voice.menu"]
    assert said(talk.quiet()) == ["voice.silence.2", "voice.menu"]
    third = talk.quiet()
    assert third.effects == (RequestCallback("nurse"),)
    assert said(third)[:2] == ["voice.silence.3", "voice.callback_recorded"]
    assert not third.ends
    talk.quiet()
    assert talk.quiet().ends


def test_silence_at_the_time_question_records_the_visit():
    talk = Talk("voice", State(place="schedule_time"))
    talk.quiet()
    talk.quiet()
    assert talk.quiet().effects == (RequestCallback("schedule"),)


def test_silence_after_an_emergency_repeats_its_words_not_the_menu():
    talk = Talk("voice")
    talk.hear(topic("emergency", tier="emergency"))
    assert said(talk.quiet()) == ["emergency"]
    talk.quiet()
    assert talk.quiet().ends


def test_three_misunderstandings_on_a_call_record_a_callback():
    talk = Talk("voice", State(place="menu"))
    assert said(talk.hear(UNKNOWN)) == ["not_understood", "voice.menu"]
    second = talk.hear(UNKNOWN)
    assert said(second) == ["offer_person"]
    assert second.keys_only
    assert talk.hear(UNKNOWN).effects == (RequestCallback("nurse"),)


def test_an_anonymous_caller_keys_in_a_number_that_is_read_back():
    talk = Talk("voice", can=Can(call_back=False))
    asked = talk.hear(topic("nurse"))
    assert said(asked) == ["voice.ask_number"]
    assert asked.keys > 1
    assert asked.effects == ()
    read_back = talk.hear(UNKNOWN, "(202) 555-0123")
    assert dict(read_back.say[0].params) == {"number_spoken": "2 0 2, 5 5 5, 0 1 2 3"}
    assert read_back.keys == 1
    assert talk.hear(number(1)).effects == (RequestCallback("nurse", None, "2025550123"),)
    again = talk.hear(topic("nurse"))  # the number is known now
    assert again.effects == (RequestCallback("nurse", None, "2025550123"),)


@pytest.mark.parametrize("keyed", ["123", "0000000000", "20255501234", "1202555012", "999", "112025550123"])
def test_a_number_that_cannot_be_one_is_asked_for_again(keyed):
    talk = Talk("voice", can=Can(call_back=False))
    talk.hear(topic("nurse"))
    assert said(talk.hear(UNKNOWN, keyed)) == ["voice.number_bad"]
    assert talk.state.place == "callback_number"


def test_a_wrong_number_read_back_can_be_keyed_again_and_the_best_time_is_kept():
    talk = Talk("voice", can=Can(call_back=False))
    talk.hear(topic("schedule"))
    talk.hear(number(1))
    talk.hear(UNKNOWN, "2025550123")
    assert said(talk.hear(number(2))) == ["voice.ask_number"]
    talk.hear(UNKNOWN, "12025550199")
    assert talk.hear(command("yes")).effects == (RequestCallback("schedule", "morning", "2025550199"),)


def test_an_anonymous_emergency_is_raised_without_asking_for_a_number():
    turn = Talk("voice", can=Can(call_back=False)).hear(topic("emergency", tier="emergency"))
    assert turn.effects == (RequestCallback("emergency"),)
    assert said(turn) == ["emergency"]


def test_an_anonymous_urgent_caller_hears_the_safety_words_before_the_number_is_asked():
    talk = Talk("voice", can=Can(call_back=False))
    assert said(talk.hear(topic("urgent", tier="urgent"))) == ["voice.urgent_first", "voice.ask_number"]
    talk.hear(UNKNOWN, "2025550123")
    assert talk.hear(number(1)).effects == (RequestCallback("urgent", None, "2025550123"),)


def test_a_caller_who_hangs_up_before_confirming_is_called_at_the_number_heard():
    talk = Talk("voice", can=Can(call_back=False))
    talk.hear(topic("nurse"))
    talk.hear(UNKNOWN, "2025550123")
    assert abandoned(talk.state, channel="voice") == (RequestCallback("nurse", None, "2025550123"),)


def test_nine_changes_the_language_only_where_another_is_offered():
    assert Talk("voice").hear(number(9)).state.misses == 1
    turn = Talk("voice", languages=("en", "es")).hear(number(9))
    assert turn.effects == (SetLanguage("es"),)
    assert turn.state.language == "es"


@pytest.mark.parametrize("words", ["bye", "okay thank you goodbye", "Adiós", "gracias, hasta luego"])
def test_only_a_goodbye_ends_a_call(words):
    talk = Talk("voice")
    talk.hear(topic("risks"))
    turn = talk.hear(topic("thanks"), words)
    assert (said(turn), turn.ends) == (["thanks", "voice.goodbye"], True)


def test_thanks_after_an_answer_leaves_the_call_open_and_a_text_does_not_ask_again():
    talk = Talk("voice")
    talk.hear(topic("risks"))
    turn = talk.hear(topic("thanks"), "thank you")
    assert (said(turn), turn.ends) == (["thanks", "voice.anything_else"], False)
    assert said(Talk().hear(topic("thanks"))) == ["thanks"]


def test_no_after_an_answer_hangs_nobody_up():
    talk = Talk("voice")
    talk.hear(topic("risks"))
    for _ in range(3):
        turn = talk.hear(command("no"), "no")
        assert (said(turn), turn.ends) == (["voice.anything_else"], False)
    assert said(talk.hear(command("menu"))) == ["voice.menu"]


@pytest.mark.parametrize(
    ("name", "asks", "effect", "told"),
    [
        ("stop", "voice.confirm_stop", OptOut(), "optout.confirmed"),
        ("wrong_number", "voice.confirm_wrong", WrongNumber(), "wrong_number"),
        ("start", "voice.confirm_start", OptIn(), "optin.confirmed"),
    ],
)
def test_a_spoken_word_of_consent_counts_once_it_is_confirmed(name, asks, effect, told):
    for confirmed in (number(1), command("yes")):
        talk = Talk("voice")
        turn = talk.hear(topic(name))
        assert (said(turn), turn.effects) == ([asks], ())
        assert abandoned(talk.state, channel="voice") == ()
        turn = talk.hear(confirmed)
        assert (said(turn), turn.effects) == ([told], (effect,))
    for other in (command("no"), command("menu"), topic("unknown"), number(2), topic(name)):
        talk = Talk("voice")
        talk.hear(topic(name))
        assert talk.hear(other, "hello").effects == ()
    assert Talk().hear(topic(name)).effects == (effect,), "by text at once"


def test_an_alarm_on_a_call_ends_no_messages():
    alarm = topic("emergency", tier="emergency", second_topic="stop")
    assert OptOut() not in Talk("voice").hear(alarm).effects
    assert OptOut() in Talk().hear(alarm).effects


def test_one_more_is_only_offered_where_there_is_more_to_hear():
    talk = Talk("voice")
    assert said(talk.hear(topic("expect"))) == ["answer.expect", "voice.followup.more"]
    assert said(talk.hear(number(1))) == ["answer.expect.2", "voice.followup"]
    assert said(talk.hear(number(1))) == ["voice.menu.about"]


def test_who_does_not_choose_after_an_answer_hears_the_rest_of_the_choices():
    talk = Talk("voice")
    talk.hear(topic("onset"))
    assert said(talk.quiet())[1:] == ["voice.followup.symptoms", "voice.followup.rest"]
    assert talk.hear(number(3)).state.place == "schedule_time"


def test_the_way_to_a_nurse_is_told_once_after_a_silence():
    for place in ("menu", "schedule_time", "callback_number"):
        talk = Talk("voice", State(place=place))
        talk.quiet()
        words = [load_content().get(one).template("voice") for one in said(talk.quiet())]
        assert " ".join(words).count("For a nurse, press 0") == 1, place


def test_zero_while_a_number_is_asked_for_leaves_a_request_and_tells_ours():
    talk = Talk("voice", can=Can(call_back=False, record=True))
    talk.hear(number(0))
    turn = talk.hear(number(0), "0")
    assert said(turn) == ["voice.no_number", "voice.anything_else.record"]
    assert turn.effects == (RequestCallback("nurse"),)


def test_telephones_that_were_all_busy_do_not_ring_again_for_the_number_that_was_keyed_in():
    talk = Talk("voice", can=Can(call_back=False, connect=True))
    assert talk.hear(number(0)).then == "connect"
    talk.state = connected(talk.state, reached=False, can=talk.always["can"]).state
    talk.hear(topic("unknown"), "2025550123")
    turn = talk.hear(number(1))
    assert (turn.then, turn.effects) == ("listen", (RequestCallback("nurse", None, "2025550123"),))
    assert talk.hear(number(0)).then == "connect", "asked for anew"


@pytest.mark.parametrize("heard", [number(1), number(0), topic("nurse"), UNKNOWN, command("no")])
def test_words_before_the_ringing_are_cut_short_and_it_rings(heard):
    talk = Talk("voice", can=Can(connect=True))
    talk.hear(topic("onset", second_topic="nurse"))
    turn = talk.hear(heard, "hello there")
    assert (said(turn), turn.then) == (["voice.one_moment"], "connect")
    assert talk.hear(command("menu")).then == "listen"


def test_nine_on_a_reminder_call_is_the_opt_out_it_announces():
    turn = Talk("voice", reminded(State()), languages=("en", "es")).hear(number(9))
    assert turn.effects == (OptOut(),)


def test_after_the_language_key_the_way_back_is_said() -> None:
    both = ("en", "es")
    start = begin(channel="voice", languages=both)
    turn = respond(start.state, keyed("9"), channel="voice", words="9", languages=both)
    assert turn.state.language == "es"
    assert [say.id for say in turn.say if say.language == "en"] == ["voice.language"]


IN_HOURS = Can(connect=True, record=True, text=True)


def test_who_wants_a_person_in_hours_is_put_through_and_stored_first():
    talk = Talk("voice", can=IN_HOURS)
    turn = talk.hear(number(0))
    assert (turn.then, turn.state.place, said(turn)) == ("connect", "connecting", ["voice.connecting"])
    assert turn.effects == (RequestCallback("nurse"),)
    spoke = connected(turn.state, reached=True, can=IN_HOURS)
    assert (spoke.state.place, spoke.effects) == ("done", ())
    missed = connected(turn.state, reached=False, can=IN_HOURS)
    assert said(missed)[:2] == ["voice.nobody_free", "nurse.done"]
    assert missed.then == "listen"


def test_fever_in_hours_is_put_through_after_the_words_of_safety():
    turn = Talk("voice", can=IN_HOURS).hear(topic("urgent", tier="urgent"))
    assert (said(turn), turn.then) == (["voice.urgent_first", "voice.connecting"], "connect")
    assert turn.effects == (RequestCallback("urgent"),)
    assert said(connected(turn.state, reached=False))[1] == "urgent"


def test_a_hidden_number_is_put_through_without_a_question_and_asked_only_when_nobody_answers():
    talk = Talk("voice", can=replace(IN_HOURS, call_back=False))
    turn = talk.hear(number(0))
    assert (turn.then, turn.effects) == ("connect", ())
    missed = connected(turn.state, reached=False, can=Can(call_back=False))
    assert (missed.state.place, said(missed)) == (
        "callback_number",
        ["voice.nobody_free", "voice.ask_number"],
    )


def test_a_visit_or_a_bill_rings_nobody():
    talk = Talk("voice", can=IN_HOURS)
    talk.hear(topic("schedule"))
    assert talk.hear(number(1)).then == "listen"
    talk.hear(topic("admin"))
    assert talk.hear(command("yes")).then == "listen"


def test_an_answer_is_texted_once_the_caller_agreed_to_its_cost():
    talk = Talk("voice", can=IN_HOURS)
    answered = talk.hear(topic("duration"))
    assert said(answered)[-1] == "voice.followup.text"
    assert said(talk.hear(number(2))) == ["voice.text_consent"]
    turn = talk.hear(number(1))
    assert turn.effects == (SendText(("answer.duration",)),)
    assert said(turn)[0] == "voice.text_sent"


def test_a_caller_who_does_not_agree_gets_no_text_and_no_recording():
    for place in ("text_consent", "record_consent"):
        for heard in (command("no"), command("menu")):
            talk = Talk("voice", state=State(place=place, topic="duration", part=1), can=IN_HOURS)
            turn = talk.hear(heard)
            assert (turn.effects, turn.then) == ((), "listen")
            assert turn.state.place in ("done", "menu")


def test_a_message_is_recorded_after_the_request_and_only_with_consent():
    talk = Talk("voice", can=Can(record=True))
    assert said(talk.hear(number(0)))[-1] == "voice.anything_else.record"
    asked = talk.hear(number(1))
    assert (said(asked), asked.then) == (["voice.record_consent"], "listen")
    turn = talk.hear(number(1))
    assert (said(turn), turn.then, turn.state.place) == (["voice.record_now"], "record", "recording")
    assert said(recorded(turn.state, kept=True)) == ["voice.record_done", "voice.anything_else"]
    assert said(recorded(turn.state, kept=False))[0] == "voice.record_empty"


def test_what_the_line_cannot_do_is_not_offered():
    talk = Talk("voice")
    assert said(talk.hear(topic("duration")))[-1] == "voice.followup"
    assert talk.hear(number(0)).then == "listen"
    assert talk.state.recall("record") is None
