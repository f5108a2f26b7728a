"""Signatures under answers, settings, and the record of who saw what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from nurseline.app import build
from nurseline.clinic import reviews
from nurseline.clinic.models import ClinicSetting, ContentReview
from nurseline.commands import cli
from nurseline.config import SettingsError
from nurseline.content import load_content
from nurseline.staff.models import StaffAudit
from nurseline.staff.words import AUDIT
from tests.staff.conftest import PATIENT, TUESDAY, Browser, Desk, staff_settings

TODAY = date(2026, 3, 3)
SIGNED = {
    "reviewer": "Dr. Example",
    "reviewed_on": "2026-03-02",
    "next_review_on": "2027-03-02",
    "version": "1",
}


def sign_all(desk: Desk, language: str, *, but: str = "", version: int = 0) -> None:
    """Sign every answer of a language."""
    with desk.parts.db.begin() as session:
        for entry in load_content().language(language).entries.values():
            if entry.id != but:
                reviews.sign(
                    session,
                    (entry.id, language, entry.version + version),
                    reviewer="Dr. Example",
                    reviewed_on=TODAY,
                    next_review_on=TODAY + timedelta(days=1),
                    today=TODAY,
                    now=TUESDAY,
                    staff="test",
                )


def rows(desk: Desk) -> int:
    """How many signatures are kept."""
    with desk.parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(ContentReview)) or 0


def test_signing_an_answer_is_kept_for_its_version_and_leads_to_the_next_unsigned(desk: Desk) -> None:
    browser = desk.signed_in("Ada", "supervisor")
    assert "Unsigned <" in browser.get("/staff/content").text
    entries = list(load_content().language("en").entries.values())
    browser.get(f"/staff/content/en/{entries[0].id}")
    done = browser.post(f"/staff/content/en/{entries[0].id}", {**SIGNED, "version": str(entries[0].version)})
    assert done.location == f"/staff/content/en/{entries[1].id}"
    following = browser.get(done.location)
    assert f"Signed: {entries[0].label}." in following.text
    assert 'value="Dr. Example"' in following.text
    shown = browser.get(f"/staff/content/en/{entries[0].id}").text
    assert "Signed by <bdi>Dr. Example</bdi>, Mar 2, 2026." in shown
    with desk.parts.db.begin() as session:
        row = session.scalars(sa.select(ContentReview)).one()
        assert (row.content_id, row.version) == (entries[0].id, str(entries[0].version))
        assert session.scalar(sa.select(StaffAudit.staff_id).where(StaffAudit.what == "signed_content"))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"reviewer": ""}, "Give the reviewer&#39;s name"),
        ({"reviewer": "x" * 81}, "This is too long"),
        ({"reviewer": "\0"}, "This holds a character that is not text."),
        ({"reviewer": "a\nb"}, "Give the reviewer&#39;s name"),
        ({"reviewed_on": ""}, "Give the date."),
        ({"reviewed_on": "soon"}, "errors"),
        ({"reviewed_on": "2026-03-04"}, "Give the day of the review"),
        ({"reviewed_on": "2025-01-01"}, "Give the day of the review"),
        ({"next_review_on": "2026-03-03"}, "Choose a day ahead"),
        ({"next_review_on": "2031-01-01"}, "Choose a day ahead"),
        ({"next_review_on": "9" * 50}, "errors"),
    ],
)
def test_a_signature_that_cannot_be_is_refused_at_its_field(
    desk: Desk, changed: dict[str, str], said: str
) -> None:
    browser = desk.signed_in("Ada", "supervisor")
    browser.get("/staff/content/en/welcome")
    answer = browser.post("/staff/content/en/welcome", {**SIGNED, **changed})
    assert answer.status_code == 422
    assert said in answer.text
    assert rows(desk) == 0


def test_words_that_changed_since_the_page_was_opened_are_not_signed(desk: Desk) -> None:
    browser = desk.signed_in("Ada", "supervisor")
    browser.get("/staff/content/en/welcome")
    answer = browser.post("/staff/content/en/welcome", {**SIGNED, "version": "0"})
    assert answer.status_code == 409
    assert "The words have changed since this page was opened." in answer.text
    assert rows(desk) == 0


def test_a_signature_of_another_version_counts_for_nothing(desk: Desk) -> None:
    sign_all(desk, "en", version=1)
    page = desk.signed_in("Ada", "supervisor").get("/staff/content?show=unsigned").text
    assert page.count(">unsigned<") == len(load_content().unsigned("en"))


def test_reviews_that_are_due_are_listed(desk: Desk) -> None:
    sign_all(desk, "en", but="menu")
    browser = desk.signed_in("Ada", "supervisor")
    assert browser.get("/staff/content?show=overdue").text.count(">review overdue<") == 0
    desk.clock.advance(timedelta(days=2))
    browser = desk.signed_in("Ada", "supervisor")
    overdue = browser.get("/staff/content?show=overdue").text
    assert overdue.count(">review overdue<") == len(load_content().unsigned("en")) - 1


@pytest.mark.parametrize(
    "path",
    ["content?language=xx", "content?show=x", "content/xx/menu", "content/en/no-such", "content/en/%00"],
)
def test_answers_that_do_not_exist_are_not_found(shared_desk: Desk, path: str) -> None:
    assert shared_desk.signed_in("Ada", "supervisor").get(f"/staff/{path}").status_code == 404


def test_the_line_starts_with_signatures_of_staff_where_they_are_required(
    desk: Desk, own_database_url: str
) -> None:
    required = staff_settings(own_database_url, require_signed_content=True)
    sign_all(desk, "en", but="menu")
    with pytest.raises(SettingsError, match="1 answers have no reviewer, the first is menu"):
        build(required)
    sign_all(desk, "en")
    build(required).db.engine.dispose()


def test_without_a_database_nothing_counts_as_signed_and_the_reason_is_said() -> None:
    nowhere = staff_settings("postgresql://nobody@127.0.0.1:1/none", require_signed_content=True)
    with pytest.raises(SettingsError, match="signatures in the database could not be read"):
        build(nowhere)


def test_a_second_language_is_offered_once_every_answer_is_signed(
    desk: Desk, make_desk: Callable[..., Desk]
) -> None:
    assert desk.parts.languages == ("en",)
    sign_all(desk, "es", but="menu")
    assert make_desk().parts.languages == ("en",)
    sign_all(desk, "es")
    assert make_desk().parts.languages == ("en", "es")


def check(desk: Desk, *words: str) -> Any:
    """What `content check --json` says with the database of this desk."""
    env = {"DATABASE_URL": desk.parts.db.engine.url.render_as_string(hide_password=False)}
    return json.loads(CliRunner().invoke(cli, ["content", "check", "--json", *words], env=env).output)


def test_the_check_of_content_counts_signatures_of_staff(desk: Desk) -> None:
    assert "menu" in check(desk)["unsigned"]["en"]
    sign_all(desk, "en", but="menu")
    said = check(desk, "--require-signed", "--language", "en")
    assert said["unsigned"] == {"en": ["menu"]}
    assert said["signatures_of_staff_read"] is True
    assert not said["ok"]
    sign_all(desk, "en")
    assert check(desk, "--require-signed", "--language", "en")["ok"]


PROMISES = {"emergency_minutes": "7", "urgent_minutes": "45", "clinical_minutes": "120", "office_days": "2"}


def test_promises_are_kept_and_the_page_says_who_changed_them(desk: Desk) -> None:
    browser = desk.signed_in("Ada", "admin")
    browser.get("/staff/settings")
    done = browser.post("/staff/settings", PROMISES, follow_redirects=True)
    assert "Kept. They count for requests from now on." in done.text
    assert done.text.count("Set by <bdi>Ada</bdi>") == 4
    for name, value in PROMISES.items():
        assert f'name="{name}" type="text" value="{value}"' in done.text or f'value="{value}"' in done.text
    assert desk.parts.clinic.promises().urgent == timedelta(minutes=45)


@pytest.mark.parametrize(
    "typed", ["", "0", "61", "-5", "5.5", "five", "٥", "\0", "😀", "9" * 400, "0x5", " ", "1e1"]
)
def test_a_promise_that_cannot_be_kept_is_refused_and_shown_again(desk: Desk, typed: str) -> None:
    browser = desk.signed_in("Ada", "admin")
    browser.get("/staff/settings")
    answer = browser.post("/staff/settings", {**PROMISES, "emergency_minutes": typed})
    assert answer.status_code == 422
    assert "Write a whole number from 1 to 60." in answer.text
    assert 'value="45"' in answer.text
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(ClinicSetting)).all() == []


def test_the_settings_page_shows_no_secret(desk: Desk) -> None:
    page = desk.signed_in("Ada", "admin").get("/staff/settings").text
    kept = desk.parts.settings
    for secret in (kept.secret_key, kept.twilio_auth_token, kept.nurseline_keys, kept.database_url):
        assert secret not in page


def words_of(browser: Browser, query: str) -> list[str]:
    """What the lines of the record say, newest first."""
    page = browser.get(f"/staff/record{query}").text
    body = page.split("<tbody")[1] if "<tbody" in page else ""
    return [text for part in body.split("<td")[1:] if (text := part.split(">", 1)[1].split("<")[0].strip())]


def test_the_record_is_filtered_by_person_deed_and_day_and_shows_no_words_of_patients(desk: Desk) -> None:
    item = desk.item("nurse", "my shoulder words")
    ben = desk.signed_in("Ben")
    ben.get(f"/staff/items/{item}")
    desk.clock.advance(timedelta(days=1))
    ada = desk.signed_in("Ada", "supervisor")
    ada.get(f"/staff/contacts/{desk.contact().id}")
    page = ada.get("/staff/record").text
    assert PATIENT not in page
    assert "shoulder" not in page
    assert f'href="/staff/items/{item}"' in page
    assert AUDIT["saw_item"] in words_of(ada, "?what=saw_item")
    assert AUDIT["saw_contact"] not in words_of(ada, "?what=saw_item")
    with desk.parts.db.begin() as session:
        bens = session.scalar(sa.select(StaffAudit.staff_id).where(StaffAudit.what == "saw_item"))
    assert AUDIT["saw_contact"] not in words_of(ada, f"?person={bens}")
    assert AUDIT["saw_item"] not in words_of(ada, "?since=2026-03-04")
    assert AUDIT["saw_item"] in words_of(ada, "?since=2026-03-03&until=2026-03-03")
    assert "Nothing fits." in ada.get("/staff/record?until=2020-01-01").text


def test_the_record_is_paged_newest_first(desk: Desk) -> None:
    ada = desk.signed_in("Ada", "supervisor")
    with desk.parts.db.begin() as session:
        session.add_all(StaffAudit(at=TUESDAY, staff_id="command", what="password_set") for _ in range(120))
    seen, page = 0, ada.get("/staff/record?what=password_set").text
    for expected in (50, 50, 20):
        assert page.count("<tr role=") - 1 == expected
        seen += expected
        if 'rel="next"' in page:
            link = page.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0]
            assert "what=password_set" in link
            page = ada.get(link.replace("&amp;", "&")).text
    assert seen == 120
    assert 'rel="next"' not in page


@pytest.mark.parametrize(
    "query",
    [
        "?since=x",
        "?until=2026-13-01",
        "?since=2026-03-04&until=2026-03-03",
        "?since=%00",
        "?until=%F0%9F%98%80",
    ],
)
def test_a_day_that_is_none_is_said_at_its_field(shared_desk: Desk, query: str) -> None:
    answer = shared_desk.signed_in("Ada", "supervisor").get(f"/staff/record{query}")
    assert answer.status_code == 422
    assert 'class="errors"' in answer.text


@pytest.mark.parametrize(
    "query",
    [
        "?person=x",
        "?person=%00",
        "?what=%00",
        "?before=x",
        "?before=99999999999999999999",
        "?before=-1",
        "?before=0",
        "?since=0001-01-01&until=9999-12-31",
        "?person=" + "x" * 3000,
    ],
)
def test_nothing_in_the_address_of_the_record_breaks_it(shared_desk: Desk, query: str) -> None:
    assert shared_desk.signed_in("Ada", "supervisor").get(f"/staff/record{query}").status_code == 200
