"""`python -m nurseline content check`."""

import json

from click.testing import CliRunner

from nurseline.content import ContentError, load_content
from nurseline.content import commands as room
from nurseline.content.checks import Problem

CHECK = ["check"]


def run(*options: str):
    return CliRunner().invoke(room.content, [*CHECK, *options])


def test_good_words_pass_and_unsigned_ones_are_listed():
    result = run()
    assert result.exit_code == 0, result.output
    assert "all checks passed" in result.output
    assert "answer.risks" in result.output


def test_requiring_signatures_fails_while_one_is_missing():
    result = run("--require-signed")
    assert result.exit_code == (1 if any(map(load_content().unsigned, load_content().languages)) else 0)


def test_a_program_can_read_the_result():
    data = json.loads(run("--json", "--language", "en").output)
    assert data["ok"] is True
    assert data["problems"] == []
    assert set(data["unsigned"]) == {"en"}
    assert data["entries"]["en"] == len(load_content().by_language["en"].entries)


def test_a_problem_is_one_line_and_exit_code_one(monkeypatch):
    fault = Problem("en", "menu", "length", "400 septets")
    monkeypatch.setattr(room, "problems", lambda _content: [fault])
    result = run()
    assert result.exit_code == 1
    assert "en menu: length: 400 septets" in result.output
    assert json.loads(run("--json").output)["problems"][0]["id"] == "menu"


def test_a_broken_file_is_one_line_and_no_stack_trace(monkeypatch):
    def broken():
        raise ContentError("en.toml", "menu", "text must be words")

    monkeypatch.setattr(room, "load_content", broken)
    result = run()
    assert result.exit_code == 1
    assert "en.toml: menu: text must be words" in result.output
    assert json.loads(run("--json").output)["ok"] is False


def test_an_unknown_language_is_told():
    result = run("--language", "xx")
    assert result.exit_code == 1
    assert "xx.toml: no content in this language" in result.output
