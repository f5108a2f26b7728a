"""The second language says the same as the first, in letters a text message can carry."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from nurseline.content import is_gsm7, load_content, parse_content, promise_words, segments
from nurseline.content.checks import problems
from nurseline.content.claims import unaccented
from nurseline.content.load import FOLDER

ENGLISH = (FOLDER / "en.toml").read_text("utf-8")
SPANISH = (FOLDER / "es.toml").read_text("utf-8")
CONTENT = load_content()


def faults(old: str, new: str) -> set[tuple[str, str]]:
    assert old in SPANISH
    found = problems(parse_content({"en.toml": ENGLISH, "es.toml": SPANISH.replace(old, new, 1)}))
    return {(problem.id, problem.rule) for problem in found if problem.language == "es"}


@pytest.mark.parametrize(
    ("old", "new", "entry", "rule"),
    [
        ("antes de 72 horas", "antes de 48 horas", "answer.recovery", "claims"),
        ("hasta 1 semana", "hasta dos semanas", "answer.onset", "claims"),
        ("no son efectos graves", "nunca son efectos graves", "answer.risks", "claims"),
        ("cuello, la espalda", "cuello, la cabeza", "answer.conditions", "claims"),
        ("otros problemas de los musculos", "migrañas", "answer.conditions", "claims"),
        ("un musculo no se puede", "un músculo no se puede", "answer.what", "alphabet"),
        ("Responda ENFERMERA, CITA o MENU", "Responda ENFERMERA, PARAR o MENU", "followup", "menu words"),
        ("{clinic}: ¿Qué tal sigue?", "{clinic}: ¿Qué tal su dolor?", "reminder.day1", "reminder"),
        ('"there is minimal risk",', "", "answer.risks", "ids"),
        (
            "Le llamaremos {promise} para hacer su cita. Responda",
            "Le llamaremos. Responda",
            "schedule.done",
            "ids",
        ),
    ],
)
def test_a_fault_in_the_spanish_words_is_noticed(old, new, entry, rule):
    assert (entry, rule) in faults(old, new)


def test_spoken_words_keep_their_accents_and_texted_ones_fit_the_alphabet():
    for entry in CONTENT.by_language["es"].entries.values():
        if entry.id.startswith("answer."):
            assert is_gsm7(entry.text)
            assert unaccented(entry.template("voice")) == unaccented(entry.text)
    assert "músculo" in CONTENT.render("answer.what", "es", channel="voice").text


def test_emergency_words_are_there_in_both_languages():
    for code in ("en", "es"):
        both = CONTENT.render("emergency.both", code).text
        assert "Call 911 now." in both
        assert "Llame al 911 ahora mismo." in both
    assert "988" in CONTENT.get("crisis", "es").text


def test_a_promise_in_spanish_has_its_article(spanish_moment):
    due, now, text, voice = spanish_moment
    assert promise_words(due, now, CONTENT, "es") == text
    assert promise_words(due, now, CONTENT, "es", channel="voice") == voice


@pytest.fixture(
    params=[
        ((6, 16, 30), "hoy antes de las 4:30 PM", "hoy antes de las 4:30 de la tarde"),
        ((6, 13, 0), "hoy antes de la 1 PM", "hoy antes de la 1 de la tarde"),
        ((7, 9, 0), "mañana antes de las 9 AM", "mañana antes de las 9 de la mañana"),
        ((6, 19, 0), "hoy antes de las 7 PM", "hoy antes de las 7 de la noche"),
        ((6, 18, 55), "hoy antes de las 6:55 PM", "hoy antes de las 6:55 de la tarde"),
        ((7, 0, 30), "esta noche antes de las 12:30 AM", "esta noche antes de las 12:30 de la madrugada"),
        ((7, 6, 0), "mañana antes de las 6 AM", "mañana antes de las 6 de la mañana"),
        (
            (14, 9, 0),
            "el sabado 14 de marzo antes de las 9 AM",
            "el sábado 14 de marzo antes de las 9 de la mañana",
        ),
    ]
)
def spanish_moment(request):
    zone = ZoneInfo("America/Chicago")
    (day, hour, minute), text, voice = request.param
    now = datetime(2026, 3, 6, 8, 0, tzinfo=zone)
    return datetime(2026, 3, day, hour, minute, tzinfo=zone), now, text, voice


def test_every_key_of_a_spoken_english_prompt_is_in_the_spanish_one():
    for entry in CONTENT.by_language["en"].entries.values():
        spanish = CONTENT.get(entry.id, "es")
        english_keys = re.findall(r"press (\d|pound|star)", entry.template("voice"))
        keys = re.findall(r"marque (\d|el signo de número|asterisco)", spanish.template("voice"))
        names = {"el signo de número": "pound", "asterisco": "star"}
        assert sorted(names.get(key, key) for key in keys) == sorted(english_keys), entry.id


def test_every_number_of_a_texted_list_is_in_the_spanish_one():
    for entry in CONTENT.by_language["en"].entries.values():
        numbered = re.findall(r"^(\d) ", entry.text, re.MULTILINE)
        assert re.findall(r"^(\d) ", CONTENT.get(entry.id, "es").text, re.MULTILINE) == numbered, entry.id


def test_a_promise_and_an_urgent_order_can_be_heard_in_one_way_only():
    """ "Le llamamos" is also "we called you", and "ahora" alone is "in a while" in parts of Latin America."""
    for entry in CONTENT.by_language["es"].entries.values():
        for said in (entry.text, entry.voice or ""):
            assert "llamamos {promise}" not in said, entry.id
            assert not re.search(r"(911|988|nueve uno uno|nueve ocho ocho) ahora(?! mismo)", said), entry.id
            assert "{promise}" not in said or re.search(r"llama(remos)? \{promise\}", said), entry.id


def test_a_spanish_reader_is_told_the_way_to_a_nurse_where_spanish_is_not_on_offer():
    text = CONTENT.render("language.not_available", "en").text
    assert "Para una enfermera, responda 1." in text
    assert "Reply 1 and a nurse will call you." in text
    assert segments(text) == 1
