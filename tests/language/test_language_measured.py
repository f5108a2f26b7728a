"""Floors on the measured split, which neither rules nor models were made from."""

from pathlib import Path

import pytest

from nurseline.language import understand
from nurseline.language.evaluate import Share, judge, measures
from nurseline.language.examples_file import EXAMPLES, read_examples
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


@pytest.fixture(scope="module", params=["en", "es"])
def measured(request: pytest.FixtureRequest) -> tuple[str, dict[str, Share]]:
    files = sorted(EXAMPLES.glob(f"measure-{request.param}*.tsv"))
    rows = [row for path in files for row in read_examples(path)]
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


def test_there_are_enough_examples_and_none_is_in_both_splits() -> None:
    built = build_examples()
    kept = [row for path in sorted(Path(EXAMPLES).glob("measure-*.tsv")) for row in read_examples(path)]
    texts = {row.text.lower() for row in built}
    assert sum(row.lang == "en" for row in built + kept) >= 1500
    assert sum(row.lang == "es" for row in built + kept) >= 600
    shared = [row.text for row in kept if row.text.lower() in texts]
    assert len(shared) <= len(kept) * 0.12, shared
