"""The content files a nurse reads, and the models made from the examples."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nurseline.language.emergency import rule_titles
from nurseline.language.encoder import plain, vectors
from nurseline.language.explain import sentence
from nurseline.language.lexicon import RULES, Lexicon, load_toml
from nurseline.language.meaning import TOPICS
from nurseline.language.model import MODEL_FILE, TIER_MODEL_FILE, load_model
from nurseline.language.normalise import read
from nurseline.language.patterns import Finder, compile_rule
from nurseline.language.reader import reader
from nurseline.language.sense import SENSE_MODEL_FILE, load_sense
from nurseline.language.train import build_examples, looks
from nurseline.language.understand import understand


def test_every_emergency_rule_has_a_title_a_tier_and_a_source() -> None:
    for name, rule in load_toml("emergency").items():
        assert rule["title"], name
        assert rule["tier"] in ("emergency", "urgent", "review"), name
        assert rule["source"].startswith("clinic reference"), name
        assert rule["match"], name
        assert rule_titles()[name] == rule["title"]


def test_phrases_of_rules_are_written_as_texts_are_read() -> None:
    for path in sorted(RULES.glob("*.toml")):
        content = path.read_text(encoding="utf-8")
        lines = [line for line in content.splitlines() if not line.startswith(("#", "title", "source"))]
        wrong = [line for line in lines if any(mark in line for mark in "áéíóúñ’")]
        assert wrong == [], path.name


def test_a_rule_that_names_an_unknown_group_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown group"):
        compile_rule("x", ["<nothing> + pain"], 6, Lexicon(), frozenset({"pain"}))


@pytest.mark.parametrize(
    "line", ["stop|two words|quit", "<pain> .. no|any point|reason", "a|b c|d .. <pain>"]
)
def test_a_rule_line_that_joins_alternatives_by_mistake_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="> between two lists"):
        compile_rule("x", [line], 6, Lexicon(), frozenset({"pain"}))


def test_a_group_that_holds_a_gap_is_refused_because_it_would_never_be_found() -> None:
    with pytest.raises(ValueError, match="stand together"):
        Lexicon().add("wont_wake", ["no .. abre"])


def test_alternatives_may_be_two_words_or_follow_each_other() -> None:
    lexicon = Lexicon()
    rule = compile_rule("x", ["in_front|under > traffic|train"], 6, lexicon, frozenset())
    for text, found in (
        ("in front traffic", True), ("under train", True), ("in traffic", False), ("front under", False),
    ):  # fmt: skip
        words = read(text, {}).words
        assert bool(Finder(words, lexicon.find(words)).find(rule)) is found, text


def test_the_models_are_small_and_speak_of_known_topics() -> None:
    files = (MODEL_FILE, TIER_MODEL_FILE, SENSE_MODEL_FILE)
    assert sum(file.stat().st_size for file in files) < 7_000_000
    assert set(load_model(MODEL_FILE).labels) <= set(TOPICS)
    assert load_model(TIER_MODEL_FILE).labels == ("emergency", "urgent", "none")


@pytest.mark.timeout(400)
def test_training_again_gives_the_same_models(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nurseline.language import train; "
        "out = Path(sys.argv[1]); train.MODEL_FILE = out / 'a.json'; train.TIER_MODEL_FILE = out / 'b.json'; "
        "train.SENSE_MODEL_FILE = out / 'c.json'; "
        "train.main.main([], standalone_mode=False)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, timeout=300)
    assert (tmp_path / "a.json").read_bytes() == MODEL_FILE.read_bytes()
    assert (tmp_path / "b.json").read_bytes() == TIER_MODEL_FILE.read_bytes()
    read = looks(build_examples()[::50], reader())
    rows = vectors([plain(look.reading.words) for _, look in read])
    again, shipped = (
        load_sense(path).probabilities(rows) for path in (tmp_path / "c.json", SENSE_MODEL_FILE)
    )
    # Processors round differently, and a net carries that on.
    assert float(np.quantile(np.abs(again - shipped).max(axis=1), 0.99)) < 0.1


def test_a_misspelled_word_is_read_as_the_word_it_misspells() -> None:
    corrected = reader().lexicon.corrected
    assert corrected("dificulty") == "difficulty"
    assert corrected("siezures") in ("siezures", "seizures")
    assert corrected("heard") == "heard"
    assert corrected("casada") == "casada"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("i cant breathe", "Emergency"),
        ("i have a fever", "nurse should call the same day"),
        ("no chest pain", "denied"),
        ("im dying to get an appointment", "figure of speech"),
        ("heart attack 10 years ago", "long ago"),
        ("what if my throat swells", "what-if"),
        ("1", "only the number 1"),
        ("how long does it last", "how long relief lasts"),
        ("zxcv", "Not sure"),
    ],
)
def test_an_explanation_is_a_sentence_a_nurse_can_check(text: str, expected: str) -> None:
    assert expected in sentence(understand(text))
