"""What patients go through, told step by step."""

import pytest

from nurseline.dialogue import (
    AnswerReminder,
    FlagReview,
    OptIn,
    OptOut,
    RequestCallback,
    SetLanguage,
    State,
    WrongNumber,
    abandoned,
    asks_yes_no,
    begin,
    hints,
    reminded,
    respond,
    silence,
)
from nurseline.language.meaning import Evidence, Meaning


def said(turn) -> list[str]:
    return [say.id for say in turn.say]


def topic(name, **more) -> Meaning:
    return Meaning(more.pop("tier", "none"), name, 1.0, **more)


def number(choice) -> Meaning:
    return Meaning("none", "unknown", 1.0, choice=choice)


def command(name) -> Meaning:
    return Meaning("none", "unknown", 1.0, command=name)


UNKNOWN = Meaning("none", "unknown", 0.0)


class Talk:
    """A conversation that remembers its state."""

    def __init__(self, channel="text", state=None, **always):
        self.channel, self.state, self.always = channel, state or State(), always

    def hear(self, meaning, words="", **more):
        turn = respond(self.state, meaning, channel=self.channel, words=words, **self.always, **more)
        self.state = turn.state
        return turn

    def quiet(self):
        turn = silence(self.state, **self.always)
        self.state = turn.state
        return turn


def test_the_first_reply_to_a_new_number_says_what_this_is():
    assert said(Talk().hear(topic("menu"), new=True)) == ["welcome", "menu"]
    assert said(Talk().hear(topic("risks"), new=True)) == ["welcome", "answer.risks", "followup.symptoms"]
    assert said(Talk().hear(UNKNOWN, "asdf", new=True)) == ["welcome", "menu"]


@pytest.mark.parametrize("name", ["stop", "start", "help", "wrong_number"])
def test_the_welcome_does_not_stand_before_an_opt_out_or_the_like(name):
    assert "welcome" not in said(Talk().hear(topic(name), new=True))


def test_the_welcome_does_not_stand_before_an_emergency():
    assert said(Talk().hear(topic("emergency", tier="emergency"), new=True)) == ["emergency"]


def test_numbers_lead_through_the_menu_and_stay_valid_after_an_answer():
    talk = Talk()
    talk.hear(topic("menu"))
    assert said(talk.hear(number(1))) == ["menu.aftercare"]
    assert said(talk.hear(number(1)))[0] == "answer.recovery"
    assert said(talk.hear(number(2)))[0] == "answer.onset"
    assert said(talk.hear(command("back"))) == ["menu.aftercare"]


def test_more_gives_the_next_part_and_then_the_list():
    talk = Talk()
    assert said(talk.hear(topic("expect"))) == ["answer.expect", "followup.more"]
    assert said(talk.hear(command("more"))) == ["answer.expect.2", "followup"]
    assert said(talk.hear(command("more"))) == ["menu.about"]


def test_two_short_questions_are_both_answered_and_long_ones_one_after_the_other():
    talk = Talk()
    assert said(talk.hear(topic("recovery", second_topic="onset")))[:1] == ["answer.recovery"]
    assert said(talk.hear(command("more")))[0] == "answer.onset"
    voice = Talk("voice")
    assert said(voice.hear(topic("onset", second_topic="duration"))) == ["answer.onset", "offer_second"]
    assert said(voice.hear(number(2)))[0] == "answer.duration"


def test_a_question_and_a_wish_in_one_message_get_both():
    turn = Talk().hear(topic("recovery", second_topic="nurse"))
    assert said(turn) == ["answer.recovery", "nurse.done"]
    assert turn.effects == (RequestCallback("nurse"),)


def test_scheduling_asks_the_time_of_day_and_then_promises():
    talk = Talk()
    asked = talk.hear(topic("schedule"))
    assert (said(asked), asked.effects) == (["schedule.ask_time"], ())
    done = talk.hear(number(2))
    assert done.effects == (RequestCallback("schedule", "afternoon"),)
    assert done.say[0].promise_for == "schedule"
    assert done.say[0].already == "schedule.already"


@pytest.mark.parametrize(
    ("meaning", "words"),
    [
        (UNKNOWN, "Tuesdays after 3, not Friday"),
        (Meaning("none", "unknown", 1.0, daypart="morning"), "mornings are best"),
        (topic("schedule"), "book me for tuesday please"),
        (Meaning("none", "unknown", 1.0, choice=4, daypart="afternoon"), "4"),
    ],
)
def test_free_words_for_the_best_time_are_kept_as_they_are(meaning, words):
    talk = Talk(state=State(place="schedule_time"))
    assert talk.hear(meaning, words).effects == (RequestCallback("schedule", words),)


def test_a_question_while_the_time_is_asked_is_answered_not_taken_as_a_time():
    talk = Talk(state=State(place="schedule_time"))
    assert said(talk.hear(topic("risks"), "side effects?"))[0] == "answer.risks"


def test_no_at_the_time_question_goes_back_without_a_request():
    turn = Talk(state=State(place="schedule_time")).hear(command("no"), "no")
    assert (said(turn), turn.effects) == (["menu"], ())


def test_a_wish_with_its_time_needs_no_question():
    turn = Talk().hear(topic("schedule", daypart="morning"), "schedule me tomorrow morning")
    assert turn.effects == (RequestCallback("schedule", "schedule me tomorrow morning"),)


def test_a_nurse_is_requested_at_once_by_word_and_by_number():
    for meaning in (topic("nurse"), number(5), number(0)):
        turn = Talk().hear(meaning)
        assert turn.effects == (RequestCallback("nurse"),)
        assert said(turn) == ["nurse.done"]


@pytest.mark.parametrize("answer", [command("yes"), topic("nurse"), number(1)])
def test_a_clinical_question_offers_a_call_and_a_yes_takes_it(answer):
    talk = Talk()
    offered = talk.hear(topic("clinical"))
    assert (said(offered), offered.effects) == (["clinical"], ())
    assert talk.hear(answer).effects == (RequestCallback("clinical"),)


def test_a_no_to_the_offer_shows_the_menu():
    talk = Talk()
    talk.hear(topic("clinical"))
    turn = talk.hear(command("no"))
    assert (said(turn), turn.effects) == (["menu"], ())


def test_a_desk_question_tells_hours_and_offers_a_call():
    talk = Talk()
    assert said(talk.hear(topic("admin"))) == ["admin.address", "admin"]
    done = talk.hear(number(1))
    assert done.effects == (RequestCallback("admin"),)
    assert said(done) == ["admin.done"]


def test_a_yes_is_known_to_be_an_answer_only_where_one_was_asked():
    talk = Talk()
    assert not asks_yes_no(talk.state)
    talk.hear(topic("clinical"))
    assert asks_yes_no(talk.state)


def test_yes_means_nothing_where_it_was_not_asked():
    turn = Talk(state=State(place="menu")).hear(command("yes"), "yes")
    assert said(turn) == ["not_understood"]
    assert turn.effects == ()


def test_two_misunderstandings_offer_a_person_and_a_third_is_answered():
    talk = Talk(state=State(place="menu"))
    assert said(talk.hear(UNKNOWN, "x")) == ["not_understood"]
    assert said(talk.hear(UNKNOWN, "y")) == ["offer_person"]
    assert said(talk.hear(UNKNOWN, "z")) == ["offer_person.again"]
    assert said(talk.hear(UNKNOWN, "z")) == ["offer_person.again"]
    assert talk.hear(number(1)).effects == (RequestCallback("nurse"),)


def test_a_word_that_is_understood_ends_the_count_of_misunderstandings():
    talk = Talk(state=State(place="menu"))
    talk.hear(UNKNOWN, "x")
    talk.hear(topic("risks"))
    assert said(talk.hear(UNKNOWN, "y")) == ["not_understood"]


def test_when_unsure_the_two_likeliest_and_a_person_are_offered():
    talk = Talk()
    turn = talk.hear(Meaning("none", "unknown", 0.3, candidates=("onset", "duration")), "when how long")
    assert said(turn) == ["unsure"]
    assert dict(turn.say[0].params) == {"first": "When it starts to work", "second": "How long relief lasts"}
    assert said(talk.hear(number(2)))[0] == "answer.duration"


def test_when_unsure_three_is_a_nurse_and_one_guess_can_be_confirmed():
    talk = Talk()
    talk.hear(Meaning("none", "unknown", 0.3, candidates=("onset", "clinical")))
    assert talk.hear(number(3)).effects == (RequestCallback("nurse"),)
    talk = Talk()
    assert said(talk.hear(Meaning("none", "unknown", 0.3, candidates=("onset",)))) == ["unsure_one"]
    assert said(talk.hear(command("yes")))[0] == "answer.onset"


def test_half_an_hour_of_silence_returns_to_the_top():
    talk = Talk()
    talk.hear(topic("menu"))
    talk.hear(number(3))
    assert said(talk.hear(number(1), idle_seconds=1799))[0] == "answer.what"
    assert said(talk.hear(number(1), idle_seconds=1801)) == ["menu.aftercare"]


def test_who_never_answers_the_time_question_is_still_called():
    talk = Talk()
    talk.hear(topic("schedule"))
    assert abandoned(talk.state, channel="text") == (RequestCallback("schedule"),)
    late = talk.hear(
        Meaning("none", "unknown", 1.0, daypart="morning"), "tomorrow morning", idle_seconds=9000
    )
    assert late.effects == (RequestCallback("schedule", "tomorrow morning"),)
    assert abandoned(State(place="menu"), channel="text") == ()


def test_the_rules_of_texting_have_their_effects():
    assert Talk().hear(topic("stop")).effects == (OptOut(),)
    assert Talk().hear(topic("start")).effects == (OptIn(),)
    assert Talk().hear(topic("wrong_number")).effects == (WrongNumber(),)
    assert said(Talk().hear(topic("help"))) == ["help"]


def test_help_keeps_the_question_that_was_open():
    talk = Talk()
    talk.hear(topic("schedule"))
    talk.hear(topic("help"))
    assert talk.hear(number(1)).effects == (RequestCallback("schedule", "morning"),)


def test_an_emergency_opts_out_too_when_the_same_message_says_stop():
    turn = Talk().hear(topic("emergency", tier="emergency", second_topic="stop"))
    assert turn.effects == (OptOut(), RequestCallback("emergency"))


def test_crisis_words_have_their_own_answer():
    turn = Talk().hear(topic("emergency", tier="emergency", evidence=(Evidence("crisis.suicide", "x"),)))
    assert said(turn) == ["crisis"]


def test_an_emergency_in_the_other_language_is_answered_in_both():
    turn = Talk().hear(topic("emergency", tier="emergency", language="es"))
    assert said(turn) == ["emergency.both"]


def test_an_emergency_is_heard_even_after_a_long_silence():
    turn = Talk(state=State(place="schedule_time")).hear(
        topic("emergency", tier="emergency"), idle_seconds=1e6
    )
    assert said(turn) == ["emergency"]


def test_review_answers_as_usual_and_tells_staff():
    turn = Talk().hear(topic("recovery", tier="review"))
    assert said(turn)[0] == "answer.recovery"
    assert turn.effects == (FlagReview(),)


@pytest.mark.parametrize(
    ("choice", "answer", "reason"), [(1, "well", None), (2, "question", "nurse"), (3, "worse", "clinical")]
)
def test_a_reminder_is_answered_by_one_number_even_hours_later(choice, answer, reason):
    talk = Talk(state=reminded(State(place="topic", language="en")))
    turn = talk.hear(number(choice), idle_seconds=20 * 3600)
    assert AnswerReminder(answer) in turn.effects
    asked = [effect.reason for effect in turn.effects if isinstance(effect, RequestCallback)]
    assert asked == ([reason] if reason else [])
    assert talk.state.place == "menu"


def test_free_words_after_a_reminder_are_read_like_any_other():
    talk = Talk(state=reminded(State()))
    assert said(talk.hear(topic("recovery")))[0] == "answer.recovery"
    talk = Talk(state=reminded(State()))
    assert said(talk.hear(UNKNOWN, "meh")) == ["reminder.unclear"]
    assert said(talk.hear(UNKNOWN, "meh")) == ["offer_person"]


def test_a_language_that_is_not_on_offer_is_told_with_the_offer_of_a_person():
    turn = Talk().hear(topic("language", language="es"))
    assert said(turn) == ["language.not_available"]
    assert turn.effects == ()


def test_writing_spanish_switches_and_is_remembered_and_english_can_be_asked_for():
    talk = Talk(languages=("en", "es"))
    turn = talk.hear(topic("onset", language="es"))
    assert SetLanguage("es") in turn.effects
    assert turn.state.language == "es"
    assert talk.hear(number(4)).state.language == "es"
    back = talk.hear(topic("language", language="en"))
    assert said(back) == ["language.changed", "menu"]
    assert back.state.language == "en"


def test_asking_for_spanish_where_it_is_on_offer_switches_the_menu():
    turn = Talk(languages=("en", "es")).hear(topic("language", language="es"))
    assert turn.effects == (SetLanguage("es"),)
    assert said(turn) == ["language.changed", "menu"]


def test_a_spanish_emergency_is_answered_in_spanish_where_it_is_on_offer():
    turn = Talk(languages=("en", "es")).hear(topic("emergency", tier="emergency", language="es"))
    assert said(turn) == ["emergency"]
    assert turn.state.language == "es"


# ---- on the phone


def test_a_call_begins_with_the_emergency_sentence_then_name_and_menu():
    turn = begin(channel="voice", language="en", new=True)
    assert said(turn) == ["voice.emergency_first", "voice.greeting", "voice.menu"]


def test_a_second_language_is_announced_only_when_it_may_be_used():
    turn = begin(channel="voice", language="en", new=True, languages=("en", "es"))
    assert said(turn)[2] == "voice.language"
    assert turn.say[2].language == "es"


def test_a_repeat_caller_hears_the_promise_that_is_open():
    turn = begin(channel="voice", language="en", new=False, open_reason="schedule")
    assert said(turn)[2] == "schedule.already"
    assert turn.say[2].promise_for == "schedule"


def test_star_repeats_pound_is_the_menu_and_zero_a_nurse():
    talk = Talk("voice", begin(channel="voice", language="en", new=False).state)
    talk.hear(number(1))
    first = talk.hear(number(1))
    assert said(first) == ["answer.recovery", "voice.followup.symptoms"]
    assert said(talk.hear(command("repeat"))) == said(first)
    assert said(talk.hear(number(1))) == said(first)  # "to hear that again, press 1"
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
    talk = Talk("voice", can_call_back=False)
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
    talk = Talk("voice", can_call_back=False)
    talk.hear(topic("nurse"))
    assert said(talk.hear(UNKNOWN, keyed)) == ["voice.number_bad"]
    assert talk.state.place == "callback_number"


def test_a_wrong_number_read_back_can_be_keyed_again_and_the_best_time_is_kept():
    talk = Talk("voice", can_call_back=False)
    talk.hear(topic("schedule"))
    talk.hear(number(1))
    talk.hear(UNKNOWN, "2025550123")
    assert said(talk.hear(number(2))) == ["voice.ask_number"]
    talk.hear(UNKNOWN, "12025550199")
    assert talk.hear(command("yes")).effects == (RequestCallback("schedule", "morning", "2025550199"),)


def test_an_anonymous_emergency_is_raised_without_asking_for_a_number():
    turn = Talk("voice", can_call_back=False).hear(topic("emergency", tier="emergency"))
    assert turn.effects == (RequestCallback("emergency"),)
    assert said(turn) == ["emergency"]


def test_an_anonymous_urgent_caller_hears_the_safety_words_before_the_number_is_asked():
    talk = Talk("voice", can_call_back=False)
    assert said(talk.hear(topic("urgent", tier="urgent"))) == ["voice.urgent_first", "voice.ask_number"]
    talk.hear(UNKNOWN, "2025550123")
    assert talk.hear(number(1)).effects == (RequestCallback("urgent", None, "2025550123"),)


def test_a_caller_who_hangs_up_before_confirming_is_called_at_the_number_heard():
    talk = Talk("voice", can_call_back=False)
    talk.hear(topic("nurse"))
    talk.hear(UNKNOWN, "2025550123")
    assert abandoned(talk.state, channel="voice") == (RequestCallback("nurse", None, "2025550123"),)


def test_nine_changes_the_language_only_where_another_is_offered():
    assert Talk("voice").hear(number(9)).state.misses == 1
    turn = Talk("voice", languages=("en", "es")).hear(number(9))
    assert turn.effects == (SetLanguage("es"),)
    assert turn.state.language == "es"


def test_thanks_after_an_answer_ends_a_call_kindly_and_a_text_does_not_ask_again():
    talk = Talk("voice")
    talk.hear(topic("risks"))
    turn = talk.hear(topic("thanks"))
    assert (said(turn), turn.ends) == (["thanks", "voice.goodbye"], True)
    assert said(Talk().hear(topic("thanks"))) == ["thanks"]


def test_nine_on_a_reminder_call_is_the_opt_out_it_announces():
    turn = Talk("voice", reminded(State()), languages=("en", "es")).hear(number(9))
    assert turn.effects == (OptOut(),)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("Doing well!", "well"),
        ("good, thanks", "well"),
        ("I'm fine", "well"),
        ("I have a question", "question"),
        ("it's getting WORSE", "worse"),
        ("not good", "worse"),
        ("not doing so well", "worse"),
        ("3 worse", "worse"),
        ("1 doing well", "well"),
        ("2. can I ask", "question"),
    ],
)
def test_a_reminder_may_be_answered_in_words(words, answer):
    turn = Talk(state=reminded(State())).hear(UNKNOWN, words)
    assert AnswerReminder(answer) in turn.effects


def test_a_reminder_may_be_answered_in_spanish_words():
    state = reminded(State(language="es"))
    turn = Talk(state=state, languages=("en", "es")).hear(UNKNOWN, "Estoy peor")
    assert AnswerReminder("worse") in turn.effects


@pytest.mark.parametrize("words", ["not sure", "good but what about the gym", "hm", "ok", ""])
def test_unclear_words_after_a_reminder_are_not_taken_as_well(words):
    turn = Talk(state=reminded(State())).hear(UNKNOWN, words)
    assert not [effect for effect in turn.effects if isinstance(effect, AnswerReminder)]


def test_a_choice_may_be_written_out_as_the_list_shows_it():
    talk = Talk(state=State(place="menu"))
    assert said(talk.hear(UNKNOWN, "About the injections")) == ["menu.about"]
    assert said(talk.hear(UNKNOWN, "are they right for me?"))[0] == "answer.suitability"


def test_a_no_after_emergency_words_is_not_met_with_you_are_welcome():
    talk = Talk(state=State(place="menu"))
    talk.hear(topic("emergency", tier="emergency"))
    assert said(talk.hear(command("no"), "no")) == ["not_understood"]


def test_speech_hints_name_the_choices_of_the_place():
    found = hints(State(place="aftercare"))
    assert {"Soreness and activity", "nurse", "repeat"} <= set(found)
    assert all(len(one) <= 100 for one in found)
