"""The commands explain and evaluate."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from nurseline.language.commands import evaluate, explain_command
from nurseline.language.evaluate import Judged, Share, action, predictions
from nurseline.language.examples_file import Example
from nurseline.language.meaning import Meaning

HEADER = "text\tlang\taccept\ttier\tkind\tnote\n"


def _file(tmp_path: Path, rows: str, header: str = HEADER) -> str:
    path = tmp_path / "texts.tsv"
    path.write_text(header + rows, encoding="utf-8")
    return str(path)


def test_explain_prints_tier_topic_confidence_evidence_and_reply() -> None:
    def reply(meaning: Meaning, language: str) -> str:
        return f"[{language}] {meaning.topic}"

    result = CliRunner().invoke(explain_command(reply), ["no puedo respirar"])
    assert result.exit_code == 0
    for expected in ("emergency", "breathing", "no puedo respirar", "[es] emergency", "confidence"):
        assert expected in result.output


def test_explain_as_json_is_read_by_a_program() -> None:
    result = CliRunner().invoke(explain_command(), ["can i take tylenol", "--json"])
    content = json.loads(result.output)
    assert (content["tier"], content["topic"], content["reply"]) == ("none", "clinical", None)
    assert content["evidence"]
    assert content["sentence"].startswith("Asks about")


def test_evaluate_prints_the_shares_and_every_miss(tmp_path: Path) -> None:
    rows = "cant breathe\ten\temergency\temergency\tredflag\t\n"
    rows += "how long does it last\ten\trisks\tnone\tordinary\tmislabelled\n"
    result = CliRunner().invoke(evaluate, [_file(tmp_path, rows)])
    assert result.exit_code == 0
    assert "emergency recognised" in result.output
    assert "1/1" in result.output
    assert "'how long does it last' accepts risks" in result.output


def test_evaluate_as_json_has_intervals_kinds_and_misses(tmp_path: Path) -> None:
    rows = "stop\ten\tstop\tnone\toptout\t\nalto\tes\tstop\tnone\toptout\t\n"
    result = CliRunner().invoke(evaluate, [_file(tmp_path, rows), "--json"])
    content = json.loads(result.output)
    assert set(content) == {"en", "es"}
    honoured = next(row for row in content["es"]["shares"] if row["name"] == "opt-outs honoured")
    assert (honoured["count"], honoured["of"], len(honoured["interval"])) == (1, 1, 2)
    assert content["en"]["kinds"]["optout"]["texts"] == 1
    assert content["en"]["misses"] == []


def test_predictions_have_one_row_per_input_in_order(tmp_path: Path) -> None:
    rows = (
        "ok thx\ten\tthanks\tnone\tordinary\t\n"
        "cant breathe\ten\temergency\temergency\tredflag\t\n"
        "can i take advil\ten\tclinical\tnone\tordinary\t\n"
        "how long does it last\ten\tduration\tnone\tordinary\t\n"
        "blorp the florp\ten\tunknown\tnone\tordinary\t\n"
    )
    out = tmp_path / "out.tsv"
    CliRunner().invoke(evaluate, [_file(tmp_path, rows), "--predictions", str(out)])
    lines = [line.split("\t") for line in out.read_text(encoding="utf-8").splitlines()]
    assert lines[0] == ["text", "tier", "topic", "second_topic", "action"]
    assert [line[0] for line in lines[1:]] == [
        "ok thx",
        "cant breathe",
        "can i take advil",
        "how long does it last",
        "blorp the florp",
    ]
    assert [line[4] for line in lines[1:]] == ["silent", "emergency", "staff", "answered", "offered"]


def test_an_offer_tells_in_the_predictions_what_was_offered() -> None:
    doubtful = Example("hmm sore", "en", ("recovery",), "none", "ordinary", "")
    two = Meaning("none", "unknown", 0.3, (), candidates=("recovery", "clinical"))
    nothing = Meaning("none", "unknown", 0.5, ())
    rows = predictions(
        [Judged(doubtful, meaning, action(meaning)) for meaning in (two, nothing)]
    ).splitlines()
    assert rows[1].split("\t") == ["hmm sore", "none", "recovery", "clinical", "offered"]
    assert rows[2].split("\t") == ["hmm sore", "none", "unknown", "", "offered"]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("hi\ten\tmenu\tnone\n", 2),
        ("hi\ten\tmenu\tnone\tordinary\t\nhi\txx\tmenu\tnone\tordinary\t\n", 3),
        ("hi\ten\tnonsense\tnone\tordinary\t\n", 2),
        ("hi\ten\tmenu\tloud\tordinary\t\n", 2),
        ("hi\ten\t\tnone\tordinary\t\n", 2),
    ],
)
def test_a_malformed_file_names_the_line_and_fails(tmp_path: Path, rows: str, line: int) -> None:
    result = CliRunner().invoke(evaluate, [_file(tmp_path, rows)])
    assert result.exit_code != 0
    assert f"line {line}" in result.output


def test_a_wrong_header_or_no_file_fails_with_one_line(tmp_path: Path) -> None:
    wrong = CliRunner().invoke(evaluate, [_file(tmp_path, "", header="a\tb\n")])
    missing = CliRunner().invoke(evaluate, [str(tmp_path / "none.tsv")])
    assert wrong.exit_code != 0
    assert "line 1" in wrong.output
    assert missing.exit_code != 0
    assert len(missing.output.strip().splitlines()) == 1


def test_the_wilson_interval_of_no_misses_in_three_hundred_starts_near_ninety_nine_percent() -> None:
    low, high = Share("x", 300, 300).interval()
    assert 0.985 < low < 0.99
    assert high == pytest.approx(1.0)
