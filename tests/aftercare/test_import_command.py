"""``import-injections``: the same file, looked at and imported from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from nurseline.aftercare.models import Injection
from nurseline.commands import cli
from nurseline.parts import Parts

HEADER = "phone,date,time,consent"
GOOD = "202-555-0123,2026-03-02,14:30,yes"
BAD = "202-555-0124,never,14:30,yes"


def run(parts: Parts, *words: str) -> Result:
    return CliRunner().invoke(cli.commands["import-injections"], list(words), obj=lambda: parts)


def stored(parts: Parts) -> int:
    with parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(Injection)) or 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "injections.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n", encoding="utf-8")
    return path


def test_nothing_is_imported_unless_it_is_confirmed(parts: Parts, file: Path) -> None:
    found = run(parts, str(file))
    assert found.exit_code == 1
    assert "1 rows: 1 to enrol with 3 messages" in found.output
    assert "nothing was imported" in found.output
    assert stored(parts) == 0


def test_confirmed_it_is_imported_and_again_it_changes_nothing(parts: Parts, file: Path) -> None:
    assert "enrolled 1, already 0" in run(parts, str(file), "--yes").output
    again = run(parts, str(file), "--json")
    assert (again.exit_code, json.loads(again.output)["already"]) == (0, 1)
    assert stored(parts) == 1


def test_a_bad_row_keeps_all_out_unless_it_is_left_out(parts: Parts, file: Path) -> None:
    file.write_text(f"{HEADER}\n{GOOD}\n{BAD}\n", encoding="utf-8")
    found = run(parts, str(file), "--yes")
    assert found.exit_code == 1
    assert "line 3: date is not a date" in found.output
    assert stored(parts) == 0
    told = json.loads(run(parts, str(file), "--yes", "--json").output)
    assert told["bad"][0]["line"] == 3
    assert run(parts, str(file), "--yes", "--leave-out-bad").exit_code == 0
    assert stored(parts) == 1


def test_rows_without_a_zone_are_read_in_the_one_that_is_named(parts: Parts, file: Path) -> None:
    run(parts, str(file), "--yes", "--zone", "America/Denver")
    with parts.db.begin() as session:
        assert session.scalars(sa.select(Injection.timezone)).all() == ["America/Denver"]
    assert "--zone" in run(parts, str(file), "--zone", "Mars").output


def test_a_file_that_is_no_table_says_why_in_one_line(parts: Parts, file: Path) -> None:
    file.write_bytes(b"PK\x03\x04")
    found = run(parts, str(file), "--yes")
    assert (found.exit_code, "Excel workbook" in found.output) == (1, True)
