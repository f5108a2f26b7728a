"""The sense of a whole text: what it means in words that no example holds."""

import subprocess
import sys

import numpy as np
import pytest

from nurseline.language import understand
from nurseline.language.encoder import WIDTH, vectors
from nurseline.language.sense import load_sense

_MOST_MEMORY = 150  # MB


def test_a_text_is_nearer_to_its_meaning_in_the_other_language_than_to_other_texts() -> None:
    spanish, english, hours, animal = vectors(
        ["no puedo respirar", "i can not breathe", "what are your hours", "my goldfish died"]
    )
    assert float(spanish @ english) > 0.6
    assert float(spanish @ hours) < 0.4
    assert float(spanish @ animal) < 0.4


@pytest.mark.parametrize("text", ["", "x", "\u0627\u0644\u0633", "0 0 0", "word " * 2000])
def test_any_text_has_a_vector_of_length_one(text: str) -> None:
    (vector,) = vectors([text])
    assert vector.shape == (WIDTH,)
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-3)


def test_a_text_means_the_same_alone_and_among_others() -> None:
    alone = vectors(["my tongue is too big for my mouth"])[0]
    among = vectors(["thank you", "my tongue is too big for my mouth", "hello " * 100])[1]
    assert float(alone @ among) == pytest.approx(1, abs=1e-4)


def test_guesses_are_probabilities_of_the_tiers() -> None:
    for guess in load_sense().guesses(["i cannot get air", "what time do you open", ""]):
        assert set(guess) == {"emergency", "urgent", "none"}
        assert sum(guess.values()) == pytest.approx(1, abs=1e-4)


TALK = (
    "the nurse at the front was so kind and we talked about her garden and the tomatoes and how the rain "
    "came late this year and then my son drove me home the long way past the lake where the geese sit "
)


def test_a_sign_is_doubted_where_the_whole_text_says_that_nothing_is_wrong() -> None:
    meaning = understand("911 is our house number on elm street please note it")
    assert meaning.tier == "urgent"
    assert meaning.evidence[0].rule == "generic (doubted)"


@pytest.mark.parametrize(
    "text",
    [
        "i want to kill myself, thanks for the lovely cookies and the parking",
        TALK * 5 + "and now i cant breathe",
        TALK * 5 + "my throat is closing up",
        TALK + "and my husband has chest pain and sweats",
        "ocupo el 911 es emergencia no tengo saldo pa llamar",
        "My oxygen thing reads 84 it usually says 97. Batteries are new.",
    ],
)
def test_words_of_crisis_a_wish_for_911_low_oxygen_and_a_sign_in_a_long_story_are_never_doubted(
    text: str,
) -> None:
    assert understand(text).tier == "emergency"


def test_an_alarm_sign_is_not_doubted_by_models_that_cannot_see_it() -> None:
    assert understand("\U0001f691 please call my house").tier == "emergency"
    assert understand("\U0001f198 the appointment").tier == "emergency"


def test_words_of_crisis_are_kept_beside_many_other_signs() -> None:
    meaning = understand(
        "cant breathe chest pain throat closing passed out face drooping, i took all my pills to kill myself"
    )
    assert meaning.tier == "emergency"
    assert meaning.evidence[0].rule.startswith("crisis")


def test_low_oxygen_beside_many_other_signs_is_kept_so_that_it_is_not_doubted() -> None:
    meaning = understand(
        "cant breathe chest pain throat closing passed out face drooping, my oxygen reads 84, new batteries"
    )
    assert meaning.tier == "emergency"
    assert meaning.evidence[0].rule == "low-oxygen"


def test_reading_texts_costs_a_process_less_memory_than_it_may() -> None:
    code = (
        "import resource; from pathlib import Path; import flask, sqlalchemy, celery\n"
        "def used(): return int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize()\n"
        "before = used()\n"
        "from nurseline import language\n"
        "language.load(); language.understand('my arm is a bit sore today')\n"
        "print((used() - before) / 2**20)"
    )
    grown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert float(grown.stdout) < _MOST_MEMORY
