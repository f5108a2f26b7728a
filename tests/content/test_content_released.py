"""Once a release is recorded, words change only together with their version."""

import pytest
from click.testing import CliRunner

from nurseline.content import commands as room
from nurseline.content import load_content, parse_content
from nurseline.content.checks import Problem
from nurseline.content.load import FOLDER
from nurseline.content.released import changed_unraised, read_released, write_released

ENGLISH = (FOLDER / "en.toml").read_text("utf-8")
ENTRY = """
[entry.thanks]
label = "You are welcome"
section = "menu"
version = 1
text = "You are welcome."""


@pytest.fixture
def released(tmp_path):
    assert ENTRY in ENGLISH
    write_released(parse_content({"en.toml": ENGLISH}), tmp_path / "released.json")
    return read_released(tmp_path / "released.json")


def faults(entry, released):
    changed = parse_content({"en.toml": ENGLISH.replace(ENTRY, entry)})
    return [(language, name) for language, name, _detail in changed_unraised(changed, released)]


def test_the_released_words_are_no_fault(released):
    assert faults(ENTRY, released) == []


def test_other_words_under_the_released_version_are_a_fault(released):
    assert faults(ENTRY.replace("You are welcome.", "Glad to help."), released) == [("en", "thanks")]


def test_other_spoken_words_under_the_released_version_are_a_fault(released):
    said = 'voice = "You are welcome. We are here when you need us."'
    changed = parse_content({"en.toml": ENGLISH.replace(said, 'voice = "You are welcome."')})
    assert [name for _code, name, _detail in changed_unraised(changed, released)] == ["thanks"]


def test_other_words_under_a_higher_version_are_no_fault(released):
    raised = ENTRY.replace("You are welcome.", "Glad to help.").replace("version = 1", "version = 2")
    assert faults(raised, released) == []


def test_a_version_cannot_go_back(released):
    with_higher = {"en": {**released["en"], "thanks": (2, released["en"]["thanks"][1])}}
    assert faults(ENTRY, with_higher) == [("en", "thanks")]


def test_an_entry_that_is_new_since_the_release_is_no_fault(released):
    earlier = {"en": {name: known for name, known in released["en"].items() if name != "thanks"}}
    assert faults(ENTRY, earlier) == []


def test_the_recorded_release_is_part_of_the_check(monkeypatch):
    recorded = {"en": {"menu": (1, "other words")}}
    monkeypatch.setattr("nurseline.content.checks.read_released", lambda: recorded)
    result = CliRunner().invoke(room.content, ["check"])
    assert result.exit_code == 1
    assert "en menu: version: the words differ" in result.output


def test_faulty_words_cannot_be_released(monkeypatch):
    written = []
    monkeypatch.setattr(room, "write_released", written.append)
    monkeypatch.setattr(room, "problems", lambda _content: [Problem("en", "menu", "length", "too long")])
    assert CliRunner().invoke(room.content, ["release"]).exit_code == 1
    assert written == []
    monkeypatch.setattr(room, "problems", lambda _content: [])
    assert CliRunner().invoke(room.content, ["release"]).exit_code == 0
    assert written == [load_content()]
