"""What the README says exists."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from nurseline.commands import cli
from nurseline.config import Settings

PROJECT = Path(__file__).parents[1]
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_has_each_setting_once_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(name.upper() for name in Settings.model_fields)


def test_every_make_target_it_names_exists() -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"`?make ([a-z]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_command_it_names_exists() -> None:
    for words in set(re.findall(r"python -m nurseline ([a-z -]+?)(?: --|`)", README)):
        found = CliRunner().invoke(cli, [*words.split(), "--help"])
        assert found.exit_code == 0, words


def test_every_room_it_names_exists_and_every_room_is_named() -> None:
    named = set(re.findall(r"^\| `((?:nurseline|workers)[a-z/]*)/` \|", README, re.MULTILINE))
    rooms = {f"nurseline/{p.parent.name}" for p in (PROJECT / "nurseline").glob("*/__init__.py")} | {
        "workers"
    }
    assert named == rooms


def test_every_picture_it_shows_exists() -> None:
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (PROJECT / path).is_file(), path
