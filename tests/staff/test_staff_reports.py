"""The reports' pages: for whom, of which day or month, and the files behind the figures."""

from __future__ import annotations

import csv
import io
import re

import pytest

from tests.reports.past import HOUR, MINUTE, Past
from tests.staff.conftest import Desk

DAY = "/staff/reports/2026-03-03"


def a_past(desk: Desk) -> None:
    """One text, one answered call, one abandoned, and an item that was called after ten minutes."""
    now = desk.clock.now()
    with desk.parts.db.begin() as session:
        past = Past(session)
        contact = past.contact(now)
        past.text(contact, now - HOUR, "recovery", answer="answer.recovery:1")
        past.call(contact, now - HOUR, "answer.risks")
        past.call(past.contact(now), now - HOUR)
        item = past.item(past.contact(now), now - 2 * HOUR, tried=10 * MINUTE, closed=HOUR)
        past.outcome(item, now - HOUR, "reached_resolved")
        past.consent(contact, now - HOUR, "opt_out", "text")
        past.sent(contact, now - HOUR, step="day1", answer="worse")
        past.sent(contact, now - HOUR, step="day3", status="failed", error_code=30005)


def row_of(page: str, name: str) -> list[str]:
    """The words of the cells beside a row's name."""
    row = page.split(f'<th scope="row">{name}</th>', 1)[1].split("</tr>", 1)[0]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in cells]


@pytest.mark.parametrize("role", ["scheduler", "nurse"])
def test_reports_are_for_supervisors_and_administrators(shared_desk: Desk, role: str) -> None:
    browser = shared_desk.signed_in("Ada", role)
    assert browser.get("/staff/reports").status_code == 403
    assert browser.get(DAY).status_code == 403
    assert browser.get(f"{DAY}/calls.csv").status_code == 403
    assert "/staff/reports" not in browser.get("/staff/queue").text


def test_a_day_shows_its_figures(desk: Desk) -> None:
    a_past(desk)
    browser = desk.signed_in("Sue", "supervisor")
    page = browser.get(DAY).text
    assert "Tuesday, March 3, 2026" in page
    assert row_of(page, "Clinical call back, on average")[:4] == ["10 min", "Within 30 minutes", "Yes", "1"]
    assert row_of(page, "Abandoned calls")[:4] == ["50.0 %", "5 % or less", "No", "2"]
    assert row_of(page, "Average speed of answer")[2] == "No call was taken"
    assert row_of(page, "Question for a nurse")[:2] == ["1", "10 min"]
    assert row_of(page, "24 hours")[:4] == ["1", "0", "0", "1"]
    assert row_of(page, "9 AM") == ["1", "2", "0"]
    assert row_of(page, "Recovery") == ["1", "100.0 %"]
    month = browser.get("/staff/reports/2026-03").text
    assert row_of(month, "Tue Mar 3") == ["1", "2", "1"]


def test_a_day_and_a_month_of_nothing_say_so(shared_desk: Desk) -> None:
    browser = shared_desk.signed_in("Sue", "supervisor")
    for key in ("2026-02-02", "2026-02"):
        page = browser.get(f"/staff/reports/{key}").text
        for words in ("No calls.", "No texts.", "Nobody asked for a person.", "No messages went."):
            assert words in page
        assert row_of(page, "Abandoned calls")[:3] == ["–", "5 % or less", "No calls"]
        assert "nan" not in page.lower().replace("provenance", "")


def test_the_first_page_is_this_month_and_forms_lead_to_days_and_months(shared_desk: Desk) -> None:
    browser = shared_desk.signed_in("Adm", "admin")
    page = browser.get("/staff/reports").text
    assert "March 2026" in page
    assert "so far" in page
    assert 'href="/staff/reports/2026-02" rel="prev"' in page
    assert 'rel="next"' not in page  # nothing to see in April yet
    assert browser.get("/staff/reports?day=2026-02-03").location == "/staff/reports/2026-02-03"
    assert browser.get("/staff/reports?month=2026-02").location == "/staff/reports/2026-02"


@pytest.mark.parametrize(
    "query",
    ["day=", "day=2026-02-30", "day=2026-02", "month=2026-02-03", "month=%F0%9F%98%80", "day=%00", "day=1-1",
     "month=" + "9" * 500, "day=0000-00-00"],
)  # fmt: skip
def test_what_is_no_day_or_month_is_said_at_the_field(shared_desk: Desk, query: str) -> None:
    browser = shared_desk.signed_in("Sue", "supervisor")
    answer = browser.get(f"/staff/reports?{query}")
    assert answer.status_code == 422
    kind = query.partition("=")[0]
    assert f"This is not a {kind}" in answer.text
    assert f'aria-describedby="{kind}-errors"' in answer.text


@pytest.mark.parametrize("path", ["x", "2026-13", "2026-03/no.csv", "2026-03-03-03", "2026-3", "9999-01"])
def test_what_does_not_exist_is_not_found(shared_desk: Desk, path: str) -> None:
    assert shared_desk.signed_in("Sue", "supervisor").get(f"/staff/reports/{path}").status_code == 404


def test_every_table_has_a_file_with_plain_values(desk: Desk) -> None:
    a_past(desk)
    browser = desk.signed_in("Sue", "supervisor")
    page = browser.get("/staff/reports/2026-03").text
    names = re.findall(r'href="/staff/reports/2026-03/(\w+)\.csv"', page)
    assert len(names) == 12
    for name in names:
        answer = browser.get(f"/staff/reports/2026-03/{name}.csv")
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}-2026-03.csv"'
        header, *rows = csv.reader(io.StringIO(answer.data.decode("utf-8-sig")))
        assert rows
        assert {len(row) for row in rows} == {len(header)}
        assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row)
    reasons = browser.get("/staff/reports/2026-03/reasons.csv").data.decode("utf-8-sig")
    (row, _all) = csv.DictReader(io.StringIO(reasons))
    assert (row["Reason"], row["Items"]) == ("Question for a nurse", "1")
    assert (row["Until tried: median (seconds)"], row["Within promise (%)"]) == ("600.0", "100.0")


def test_the_page_keeps_to_the_policy_and_names_every_chart(desk: Desk) -> None:
    a_past(desk)
    page = desk.signed_in("Sue", "supervisor").get("/staff/reports/2026-03").text
    charts = re.findall(r'<svg [^>]*role="img"[^>]*>', page)
    assert len(charts) == 6
    assert all('aria-label="' in chart for chart in charts)
    assert not re.search(r"<[^>]+ (style|on\w+)=", page)
    assert not re.search(r"<(style|script(?! src))\b", page)
