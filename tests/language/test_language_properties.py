"""No text crashes the reading, time grows with length only, writing style does not change the tier."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nurseline.language import keyed, understand
from nurseline.language.encoder import vectors
from nurseline.language.examples_file import EXAMPLES, read_examples
from nurseline.language.meaning import TIERS, TOPICS

WORDS = (
    "cant breathe no not never what if chest pain pain stop texting me fever, . ? and but heart attack no "
    "puedo respirar the my how long does it last 10 101.5 aaaaa"
).split()


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=400), st.sampled_from(["en", "es"]), st.none() | st.text(max_size=60))
def test_any_unicode_has_a_meaning(text: str, language: str, previous: str | None) -> None:
    meaning = understand(text, language=language, previous=previous)
    assert meaning.tier in TIERS
    assert meaning.topic in TOPICS
    assert 0.0 <= meaning.confidence <= 1.0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60), st.sampled_from(["", "es", "en", "de"]))
def test_any_run_of_known_words_has_a_meaning(words: list[str], place: str) -> None:
    understand(" ".join(words), place=place, previous=" ".join(words[:5]))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=4))
def test_any_key_has_a_meaning(digit: str) -> None:
    assert keyed(digit).tier == "none"


def _sample(step: int) -> list[str]:
    rows = [row for path in sorted(Path(EXAMPLES).glob("measure-*.tsv")) for row in read_examples(path)]
    return [row.text for row in rows][::step]


@pytest.mark.parametrize("text", _sample(9))
def test_capitals_accents_and_spaces_do_not_change_the_tier(text: str) -> None:
    tier = understand(text).tier
    accented = text.replace("a", "á").replace("e", "é").replace("i", "í").replace("o", "ó").replace("u", "ü")
    for variant in (text.upper(), text.title(), f"  {text.replace(' ', '   ')}  ", accented):
        assert understand(variant).tier == tier, variant


def _seconds(text: str) -> float:
    start = time.thread_time()
    understand(text)
    return time.thread_time() - start


def _grows_no_faster_than_length(short: str, long: str, rounds: int = 20) -> bool:
    """Whether a text four times as long takes less than nine times as long, by the best of some rounds.

    Four times squared would be sixteen. A busy machine slows single rounds, so the best ones are compared.
    """
    best_short = best_long = float("inf")
    for _ in range(rounds):
        best_short, best_long = min(best_short, _seconds(short)), min(best_long, _seconds(long))
        if best_long < 9 * best_short + 0.05:
            return True
    return False


@pytest.mark.parametrize(
    "unit",
    [
        "a", "no ", "no chest pain ", "cant ", "cant breathe ", "stop texting me ", "what if i ",
        "my the a ", "breathe cant breathe hurts ", "? ", "aá", "1 ",
        "pain but no pain and no pain or pain, ", "so really very just like ", "took all my pills ",
        "I CAN'T ", "\n", "é", "xqzwv ", "s t o p ", "cant, ",
        "numb weak numb weak ", "how long does it last and ", "😀",
    ],
)  # fmt: skip
def test_time_grows_with_the_length_and_nothing_else(unit: str) -> None:
    short = (unit * 1250)[:1250]
    long = (unit * 5000)[:5000]
    understand(short), understand(long)
    assert _grows_no_faster_than_length(short, long)


def test_reading_a_message_costs_no_more_than_a_few_times_its_vector() -> None:
    texts = _sample(16)
    understand("my arm is sore")

    def least(work: Callable[[str], object], text: str) -> float:
        taken = []
        for _ in range(3):
            start = time.thread_time()
            work(text)
            taken.append(time.thread_time() - start)
        return min(taken)

    whole = statistics.median(least(understand, text) for text in texts)
    vector = statistics.median(least(lambda said: vectors([said]), text) for text in texts)
    assert whole < 5 * vector


def test_a_very_long_text_keeps_its_end() -> None:
    assert understand("blah " * 3000 + "i cant breathe").tier == "emergency"
