"""Enrolling an injection: what is planned, what is refused, and that nothing is half-stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from markupsafe import escape

from nurseline.aftercare.models import Injection
from nurseline.consent import service as consent
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Browser, Desk

GOOD = {
    "number": "(202) 555-0123",
    "performed_on": "2026-03-02",
    "performed_at": "14:30",
    "timezone": "America/New_York",
    "language": "en",
    "agreed": "y",
}


def enrol(browser: Browser, **changed: str | None) -> tuple[int, str]:
    """Open the form and send it; the status and where it led, or the page with errors."""
    page = browser.get("/staff/injections/new").text
    form = {**GOOD, "wording_seen": page.split('name="wording_seen" value="')[1].split('"')[0], **changed}
    answer = browser.post("/staff/injections/new", {k: v for k, v in form.items() if v is not None})
    return answer.status_code, answer.location or answer.text


def errors_of(page: str, field: str) -> str:
    """The errors that stand next to a field."""
    found = re.search(rf'id="{field}-errors">(.*?)</ul>', page, re.DOTALL)
    return " ".join(re.sub("<[^>]+>", " ", found[1]).split()) if found else ""


def rows(desk: Desk) -> dict[str, int]:
    """How many rows there are of all that enrolling writes."""
    with desk.parts.db.begin() as session:
        tables = (Contact, Injection, OutboundMessage, ConsentEvent)
        return {
            t.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(t)) or 0 for t in tables
        }


def test_three_messages_are_planned_and_shown_with_their_times(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    status, location = enrol(ada)
    assert status == 302
    page = ada.get(location).text
    assert "Enrolled. This is what was planned." in page
    for time in ("Tue, Mar 3, 2:30 PM EST", "Thu, Mar 5, 2:30 PM EST", "Mon, Mar 9, 3:30 PM EDT"):
        assert time in page
    with desk.parts.db.begin() as session:
        due = session.scalars(
            sa.select(OutboundMessage.send_after).order_by(OutboundMessage.send_after)
        ).all()
        performed = datetime(2026, 3, 2, 19, 30, tzinfo=UTC)
        assert due == [performed + timedelta(hours=hours) for hours in (24, 72, 168)]


@pytest.mark.parametrize(
    ("chosen", "channel"), [("call", "call"), ("text", "text"), ("", "text"), (None, "text")]
)
def test_the_patient_chooses_how_the_messages_come(desk: Desk, chosen: str | None, channel: str) -> None:
    ada = desk.signed_in("Ada")
    status, location = enrol(ada, channel=chosen)
    assert status == 302
    with desk.parts.db.begin() as session:
        contact = session.scalars(sa.select(Contact)).one()
        assert contact.channel == channel
    page = ada.get(f"/staff/contacts/{contact.id}").text
    assert f"By {channel}" in page
    assert location


def test_a_way_that_is_not_offered_is_refused(desk: Desk) -> None:
    status, page = enrol(desk.signed_in("Ada"), channel="carrier pigeon")
    assert status == 422
    assert "Choose from the list" in errors_of(page, "channel")
    assert rows(desk)["injections"] == 0


def test_the_agreement_is_kept_with_its_wording_version_and_who_asked(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    enrol(ada)
    wording = desk.parts.say("consent.wording", "en")
    with desk.parts.db.begin() as session:
        event = session.scalars(sa.select(ConsentEvent)).one()
        assert (event.kind, event.words, event.wording_version) == (
            "opt_in",
            wording.text,
            str(wording.version),
        )
        audited = session.scalars(sa.select(StaffAudit).where(StaffAudit.what == "enrolled_injection")).one()
        assert audited.staff_id == event.actor
        assert audited.injection_id == session.scalars(sa.select(Injection.id)).one()


def test_the_wording_and_the_risk_stand_on_the_form_and_the_box_is_empty(desk: Desk) -> None:
    page = desk.signed_in().get("/staff/injections/new").text
    wording = desk.parts.say("consent.wording", "en")
    assert str(escape(wording.text)) in page
    assert f"version {wording.version}" in page
    assert "Risk note:" in page
    box = re.search(r'<input[^>]*name="agreed"[^>]*>', page)
    assert box is not None
    assert "checked" not in box[0]


def test_what_comes_too_late_is_left_out_with_the_reason(desk: Desk) -> None:
    ada = desk.signed_in()
    _, location = enrol(ada, performed_on="2026-02-28", performed_at="10:00")
    page = ada.get(location).text
    assert "Left out" in page
    assert "It was too late for it when the injection was enrolled" in page
    assert rows(desk)["outbound_messages"] == 2


def test_a_message_due_at_night_is_shown_for_the_morning(desk: Desk) -> None:
    ada = desk.signed_in()
    _, location = enrol(ada, performed_on="2026-03-02", performed_at="22:15")
    page = ada.get(location).text
    assert "Wed, Mar 4, 9:00 AM EST" in page
    assert "due Tue, Mar 3, 10:15 PM EST, which is outside the hours for messages" in page


def test_the_time_is_read_in_the_chosen_zone(desk: Desk) -> None:
    ada = desk.signed_in()
    enrol(ada, timezone="Pacific/Honolulu", performed_on="2026-03-02", performed_at="14:30")
    with desk.parts.db.begin() as session:
        injection = session.scalars(sa.select(Injection)).one()
        assert injection.performed_at == datetime(2026, 3, 3, 0, 30, tzinfo=UTC)
        assert injection.timezone == "Pacific/Honolulu"


def test_any_zone_of_the_world_can_be_chosen_and_american_ones_come_first(desk: Desk) -> None:
    page = desk.signed_in().get("/staff/injections/new").text
    zones = re.findall(r'<option (?:selected )?value="([A-Z][^"]*/[^"]*)"', page)
    assert zones[0] == "America/New_York"
    assert zones.index("Pacific/Pago_Pago") < zones.index("Africa/Abidjan")
    assert {"Europe/Madrid", "America/Kentucky/Louisville", "Asia/Manila"} <= set(zones)
    assert len(zones) == len(set(zones)) > 300


NUMBERS = [
    ("", "Write the patient&#39;s phone number."),
    ("anonymous", "Write the patient&#39;s phone number."),
    ("12345", "too short for a phone number"),
    ("911", "too short for a phone number"),
    ("800-555-0199", "toll-free"),
    ("+1 888 555 1234", "toll-free"),
    ("+44 7911 123456", "from a country that the line does not text"),
    ("+1 876 555 0123", "cannot be texted|from a country"),
    ("202-555-012", "not a phone number"),
    ("202-555-0123 ext. 5", "not a phone number"),
    ("call me", "not a phone number"),
    ("😀😀😀", "not a phone number"),
    ("مرحبا", "not a phone number"),
    ("202\x00555\x000123", "a character that is not text"),
    ("2" * 1600, "too long"),
    ("'; DROP TABLE contacts; --", "not a phone number"),
]


@pytest.mark.parametrize(("number", "words"), NUMBERS)
def test_a_number_that_is_no_patients_phone_is_refused_next_to_its_field(
    shared_desk: Desk, number: str, words: str
) -> None:
    status, page = enrol(shared_desk.signed_in(), number=number)
    assert status == 422
    assert re.search(words, errors_of(page, "number")), errors_of(page, "number")
    assert set(rows(shared_desk).values()) == {0}
    assert 'value="14:30"' in page
    assert 'value="2026-03-02"' in page
    assert re.search(r"<input checked[^>]*agreed", page)


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"performed_on": ""}, "performed_on", "Give the date."),
        ({"performed_on": None}, "performed_on", "Give the date."),
        ({"performed_on": "02.03.2026"}, "performed_on", "This is not a date."),
        ({"performed_on": "2026-02-30"}, "performed_on", "This is not a date."),
        ({"performed_on": "0026-03-02"}, "performed_on", "Check the year."),
        ({"performed_on": "2026-03-04"}, "performed_on", "in the future"),
        ({"performed_on": "2026-01-04"}, "performed_on", "too long ago"),
        ({"performed_on": "\x00"}, "performed_on", "This is not a date."),
        ({"performed_at": ""}, "performed_at", "Give the time of day."),
        ({"performed_at": "25:00"}, "performed_at", "This is not a time of day."),
        ({"performed_at": "😀" * 400}, "performed_at", "This is not a time of day."),
        ({"timezone": ""}, "timezone", "Choose a time zone"),
        ({"timezone": "Mars/Olympus"}, "timezone", "Choose a time zone"),
        ({"timezone": "../../etc/passwd"}, "timezone", "Choose a time zone"),
        ({"timezone": "a\x00b"}, "timezone", "Choose a time zone"),
        ({"language": "xx"}, "language", "Choose a language"),
        ({"language": None}, "language", "Choose a language"),
        ({"agreed": None}, "agreed", "Messages need the patient&#39;s agreement."),
        ({"wording_seen": "en:0"}, "agreed", "These words have changed"),
    ],
)
def test_a_wrong_field_is_told_next_to_it_and_nothing_is_stored(
    shared_desk: Desk, changed: dict[str, str | None], field: str, words: str
) -> None:
    status, page = enrol(shared_desk.signed_in(), **changed)
    assert status == 422
    assert words in errors_of(page, field), errors_of(page, field)
    assert set(rows(shared_desk).values()) == {0}
    assert "(202) 555-0123" in page


def test_all_errors_are_told_at_once(desk: Desk) -> None:
    _, page = enrol(
        desk.signed_in(), number="1", performed_on="", performed_at="x", timezone="x", agreed=None
    )
    for field in ("number", "performed_on", "performed_at", "timezone", "agreed"):
        assert errors_of(page, field), field


def test_a_time_that_clocks_skipped_is_refused_and_one_that_came_twice_is_explained(desk: Desk) -> None:
    ada = desk.signed_in()
    desk.clock.instant = datetime(2026, 3, 9, 14, 0, tzinfo=UTC)
    ada = desk.signed_in("Ben")
    _, page = enrol(ada, performed_on="2026-03-08", performed_at="02:30")
    assert "Clocks skipped this time" in errors_of(page, "performed_at")
    desk.clock.instant = datetime(2026, 11, 2, 15, 0, tzinfo=UTC)
    ada = desk.signed_in("Cleo")
    _, location = enrol(ada, performed_on="2026-11-01", performed_at="01:30")
    page = ada.get(location).text
    assert "Clocks showed that time twice that night. The first one was taken." in page
    assert "1:30 AM EDT" in page


def test_the_same_injection_is_not_enrolled_twice(desk: Desk) -> None:
    ada = desk.signed_in()
    enrol(ada)
    before = rows(desk)
    _, page = enrol(ada, number="2025550123")
    assert "This injection is enrolled already." in errors_of(page, "performed_on")
    assert rows(desk) == before


def test_a_number_that_ended_messages_is_refused_with_the_way_back(desk: Desk) -> None:
    contact = desk.contact()
    with desk.parts.db.begin() as session:
        record = consent.Record(contact.number_hash, desk.clock.now(), "text", "STOP")
        consent.opt_out(session, record, carrier_blocked=True)
    before = rows(desk)
    status, page = enrol(desk.signed_in())
    assert status == 422
    assert "must text START" in errors_of(page, "number")
    assert rows(desk) == before


def test_only_languages_that_the_clinic_offers_can_be_chosen(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk()
    page = desk.signed_in().get("/staff/injections/new").text
    offered = page.split('name="language"')[1].split("</select>")[0]
    assert offered.count("<option") == len(desk.parts.languages)


def test_enrolled_injections_are_listed_with_what_became_of_their_messages(desk: Desk) -> None:
    ada = desk.signed_in("Ada")
    assert "No injection is enrolled yet." in ada.get("/staff/injections").text
    enrol(ada)
    with desk.parts.db.begin() as session:
        session.execute(
            sa.update(OutboundMessage)
            .where(OutboundMessage.step == "day1")
            .values(status="skipped", reason="opted out or no consent")
        )
    page = ada.get("/staff/injections").text
    assert "Mon, Mar 2, 2:30 PM EST" in page
    assert "•••-0123" in page
    assert "202-555-0123" not in page
    assert "Opted out or no consent" in page
    assert page.count("state-scheduled") == 2
    assert "Ada" in page


def test_every_error_of_the_service_reads_as_a_sentence(desk: Desk) -> None:
    _, future = enrol(desk.signed_in(), performed_on="2026-03-04")
    assert errors_of(future, "performed_on").startswith("This is in the future; ")
