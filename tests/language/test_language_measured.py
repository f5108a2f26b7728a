"""Floors on the measured split, which neither rules nor models were made from."""

import pytest

from nurseline.language import understand
from nurseline.language.evaluate import Share, judge, measures
from nurseline.language.examples_file import EXAMPLES, Example, read_examples
from nurseline.language.train import build_examples

FLOORS = {
    "en": {
        "emergency recognised": 0.985,
        "urgent recognised": 0.95,
        "opt-outs honoured": 0.97,
        "ordinary: right topic": 0.90,
    },
    "es": {
        "emergency recognised": 0.97,
        "urgent recognised": 0.92,
        "opt-outs honoured": 0.95,
        "ordinary: right topic": 0.87,
    },
}
CEILINGS = {
    "en": {
        "ordinary with 911 words": 0.005,
        "decoys with 911 words": 0.08,
        "opt-out decoys opted out": 0.02,
        "ordinary: wrong topic as if sure": 0.04,
    },
    "es": {
        "ordinary with 911 words": 0.01,
        "decoys with 911 words": 0.10,
        "opt-out decoys opted out": 0.03,
        "ordinary: wrong topic as if sure": 0.05,
    },
}


def never_trained_on() -> list[Example]:
    """The measured examples, without those that happen to be among the ones built on too."""
    texts = {row.text.lower() for row in build_examples()}
    files = sorted([*EXAMPLES.glob("measure-*.tsv"), *EXAMPLES.glob("fresh*.tsv")])
    return [row for path in files for row in read_examples(path) if row.text.lower() not in texts]


@pytest.fixture(scope="module", params=["en", "es"])
def measured(request: pytest.FixtureRequest) -> tuple[str, dict[str, Share]]:
    rows = [row for row in never_trained_on() if row.lang == request.param]
    shares, _ = measures(judge(rows, understand))
    return request.param, {share.name: share for share in shares}


def test_the_measured_split_reaches_its_floors(measured: tuple[str, dict[str, Share]]) -> None:
    language, shares = measured
    short = {
        name: shares[name].value for name, floor in FLOORS[language].items() if shares[name].value < floor
    }
    assert short == {}


def test_the_measured_split_stays_under_its_ceilings(measured: tuple[str, dict[str, Share]]) -> None:
    language, shares = measured
    over = {
        name: shares[name].value for name, most in CEILINGS[language].items() if shares[name].value > most
    }
    assert over == {}


def test_there_are_enough_examples_to_build_on_and_to_measure_on() -> None:
    built, kept = build_examples(), never_trained_on()
    assert sum(row.lang == "en" for row in built + kept) >= 1500
    assert sum(row.lang == "es" for row in built + kept) >= 600
    assert sum(row.lang == "en" for row in kept) >= 1500
    assert sum(row.lang == "es" for row in kept) >= 1000


def test_the_families_of_writers_who_saw_nothing_are_not_trained_on() -> None:
    texts = {row.text.lower() for row in build_examples()}
    fresh = [row for path in sorted(EXAMPLES.glob("fresh*.tsv")) for row in read_examples(path)]
    told = [row.text for row in fresh if len(row.text.split()) > 6]  # short ones anybody may write
    assert len(told) >= 900
    shared = [text for text in told if text.lower() in texts]
    assert len(shared) <= len(told) * 0.005, shared
