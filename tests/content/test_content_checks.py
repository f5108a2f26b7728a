"""Each check notices the fault it is there for."""

import pytest

from nurseline.content import load_content, parse_content
from nurseline.content.checks import problems
from nurseline.content.load import FOLDER

ENGLISH = (FOLDER / "en.toml").read_text("utf-8")


def faults(old: str, new: str) -> set[tuple[str, str]]:
    assert old in ENGLISH
    found = problems(parse_content({"en.toml": ENGLISH.replace(old, new, 1)}))
    return {(problem.id, problem.rule) for problem in found}


@pytest.mark.parametrize(
    ("old", "new", "entry", "rule"),
    [
        ("We can only use English", "We can’t but use English", "language.not_available", "alphabet"),
        ("How are you after your visit?", "How are you today, after your visit?", "reminder.day1", "length"),
        ("This may be an emergency. Call 911 now.", "It may be an emergency. " * 8, "emergency", "length"),
        (
            "This may be an emergency. Call 911 now. Do",
            "This may be an emergency. Do",
            "emergency",
            "emergency",
        ),
        ("Call or text 988 now", "Call or text us now", "crisis", "emergency"),
        ("Reply NURSE, SCHEDULE or MENU", "Reply NURSE, INFO or MENU", "followup", "menu words"),
        ('label = "Side effects"', 'label = "Info"', "answer.risks", "menu words"),
        ("Patients tend to feel", "Patients tend to utilize", "answer.expect", "plain words"),
        ("within 72 hours", "within 48 hours", "answer.recovery", "claims"),
        ("within 72 hours", "within 72 days", "answer.recovery", "claims"),
        ("24 to 72 hours", "24 to 96 hours", "answer.onset", "claims"),
        ("up to 1 week", "up to two weeks", "answer.onset", "claims"),
        ("are usually not severe", "are never severe", "answer.risks", "claims"),
        ("neck, back, arms and legs", "neck, back, jaw and legs", "answer.conditions", "claims"),
        ("some other muscle problems", "headaches", "answer.conditions", "claims"),
        ("Most people go back", "All people go back", "answer.recovery", "claims"),
        ('"there is minimal risk"', '"there is no risk"', "answer.risks", "claims"),
        ("Checking on you.", "Is your pain less?", "reminder.day3", "reminder"),
        (
            "Call {phone}. Emergency? Call 911. STOP to end.",
            "Emergency? Call 911. STOP.",
            "reminder.day1",
            "reminder",
        ),
        ("You can hang up now. For the main menu, press pound", "Press #", "voice.anything_else", "speech"),
        (
            "If this is an emergency, hang up and call nine one one",
            "If this is an emergency, hang up and call 911",
            "voice.emergency_first",
            "speech",
        ),
        ("To hear this again, press star.", "So it goes on and on." * 6, "voice.menu", "speech"),
        ("{clinic} nurse line.", "{klinic} nurse line.", "welcome", "slots"),
        ('[entry."voice.goodbye"]', '[entry."voice.farewell"]', "voice.goodbye", "ids"),
    ],
)
def test_a_fault_is_noticed(old, new, entry, rule):
    assert (entry, rule) in faults(old, new)


def test_hard_words_raise_the_grade():
    easy = "It depends on how your body responds and the type of medicine you get."
    hard = "Occasionally patients experience considerable immediate alleviation of muscular discomfort."
    found = faults(easy, hard)
    assert ("answer.duration", "reading") in found


def test_a_second_language_must_have_the_same_entries_and_slots():
    other = (
        ENGLISH.replace('code = "en"', 'code = "es"')
        .replace("{promise}", "{phone}", 1)
        .replace('[entry."voice.goodbye"]', '[entry."voice.adios"]')
    )
    found = {
        (p.language, p.id, p.rule) for p in problems(parse_content({"en.toml": ENGLISH, "es.toml": other}))
    }
    assert ("es", "voice.goodbye", "ids") in found
    assert ("es", "voice.adios", "ids") in found
    assert ("es", "schedule.done", "ids") in found


def test_the_real_files_have_no_fault():
    assert problems(load_content()) == []
