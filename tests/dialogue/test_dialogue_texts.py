"""What patients who text go through, told step by step."""

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
    hints,
    reminded,
)
from nurseline.language.meaning import Evidence, Meaning
from tests.dialogue.talk import UNKNOWN, Talk, command, number, said, topic


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
    assert said(voice.hear(number(1)))[0] == "answer.duration"


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


def test_words_for_the_best_time_that_sound_like_several_topics_are_kept_and_not_asked_about():
    words = "morning, but not before ten because my daughter works nights at the hospital"
    unsure = Meaning("none", "unknown", 0.3, candidates=("clinical", "risks"))
    assert Talk(state=State(place="schedule_time")).hear(unsure, words).effects == (
        RequestCallback("schedule", words),
    )
    asked = Talk(state=State(place="schedule_time")).hear(unsure, "is it ok at the hospital?")
    assert asked.effects == ()


def test_zero_is_a_nurse_also_where_a_time_is_asked():
    talk = Talk(state=State(place="schedule_time"))
    turn = talk.hear(Meaning("none", "unknown", 1.0, choice=0, daypart="any"), "0")
    assert turn.effects == (RequestCallback("nurse"),)


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


def asked_for(turn):
    return [effect.reason for effect in turn.effects if isinstance(effect, RequestCallback)]


@pytest.mark.parametrize(
    ("first", "then", "answer", "reason"),
    [(1, 2, "question", "nurse"), (1, 3, "worse", "clinical"), (2, 3, "worse", "clinical")],
)
def test_a_number_that_says_worse_corrects_the_one_before_it(first, then, answer, reason):
    talk = Talk(state=reminded(State()))
    talk.hear(number(first))
    turn = talk.hear(number(then), idle_seconds=47 * 3600)
    assert AnswerReminder(answer) in turn.effects
    assert asked_for(turn) == [reason]


@pytest.mark.parametrize("name", ["thanks", "help"])
def test_courtesies_after_an_answer_leave_it_open_to_correction(name):
    talk = Talk(state=reminded(State()))
    talk.hear(number(1))
    talk.hear(topic(name))
    assert AnswerReminder("worse") in talk.hear(number(3)).effects


@pytest.mark.parametrize(
    ("first", "then", "shown"),
    [(3, 1, "menu.aftercare"), (3, 2, "answer.risks"), (2, 1, "menu.aftercare"), (1, 1, "menu.aftercare")],
)
def test_a_number_that_says_nothing_worse_belongs_to_the_menu(first, then, shown):
    talk = Talk(state=reminded(State()))
    talk.hear(number(first))
    turn = talk.hear(number(then))
    assert said(turn)[0] == shown
    assert turn.effects == ()


@pytest.mark.parametrize(
    ("meaning", "shown"),
    [(topic("menu"), "menu.about"), (number(1), "answer.duration"), (topic("recovery"), "menu.about")],
)
def test_a_number_after_anything_else_that_we_showed_belongs_to_that(meaning, shown):
    talk = Talk(state=reminded(State()))
    talk.hear(number(1))
    talk.hear(meaning)
    turn = talk.hear(number(3))
    assert said(turn)[0] == shown
    assert turn.effects == ()


def test_two_days_after_its_answer_a_reminder_is_no_longer_corrected():
    talk = Talk(state=reminded(State()))
    talk.hear(number(1))
    assert said(talk.hear(number(3), idle_seconds=49 * 3600)) == ["menu.about"]


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
