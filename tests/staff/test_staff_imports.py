"""A file of injections is looked at row by row, and imported only once somebody confirms it."""

from __future__ import annotations

import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from nurseline.aftercare import handed_in
from nurseline.aftercare.files import MOST_BYTES
from nurseline.aftercare.models import Injection, InjectionFile
from nurseline.messaging.models import Contact, OutboundMessage
from nurseline.staff.models import StaffAudit
from tests.staff.conftest import Browser, Desk

HEADER = "phone,date,time,consent,name,reference"
GOOD = [
    "202-555-0123,2026-03-02,14:30,yes,Ann Bell,V-1",
    "202-555-0124,3/1/2026,9:00 AM,Y,José Núñez,V-2",
]
BAD = "202-555-0125,2026-02-30,14:30,yes,Cal Dorn,V-3"
LATE = "202-555-0126,2025-12-01,14:30,yes,Eve Fox,V-4"
_MARK = re.compile(r'name="mark" value="([^"]+)"')


def hand_in(browser: Browser, *rows: str, content: bytes | None = None, name: str = "a.csv") -> TestResponse:
    """Choose a file and send it; the page that comes of it."""
    browser.get("/staff/imports")
    sent = content if content is not None else "\n".join((HEADER, *rows)).encode()
    parts = (
        b'Content-Disposition: form-data; name="csrf_token"\r\n\r\n' + browser.token.encode(),
        b'Content-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: text/csv\r\n\r\n%b" % (name.encode(), sent),
    )
    body = b"".join(b"--edge-of-parts\r\n" + part + b"\r\n" for part in parts) + b"--edge-of-parts--\r\n"
    kind = "multipart/form-data; boundary=edge-of-parts"
    return browser._keep(
        browser.client.post("/staff/imports", data=body, content_type=kind, follow_redirects=True)
    )


def confirm(browser: Browser, page: TestResponse, **changed: str) -> TestResponse:
    """Tick the agreement and confirm the file of this page."""
    mark = _MARK.search(page.text)
    form = {"mark": mark[1] if mark else "", "agreed": "yes", **changed}
    return browser.post(f"{page.request.path}/confirm", form, follow_redirects=True)


def count(desk: Desk, model: Any) -> int:
    with desk.parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def files(desk: Desk) -> list[InjectionFile]:
    with desk.parts.db.begin() as session:
        return list(session.scalars(sa.select(InjectionFile).order_by(InjectionFile.at)))


def test_looking_imports_nothing_and_shows_every_bad_row_and_what_the_good_ones_do(desk: Desk) -> None:
    page = hand_in(desk.signed_in(), *GOOD, BAD, LATE)
    assert "<strong>2 injections</strong> would be enrolled, with 5 messages" in page.text
    assert "<strong>2 rows are</strong> bad" in page.text
    assert "Is a day that the calendar does not have" in page.text
    assert "2026-02-30" in page.text
    assert "too long ago" in page.text
    assert re.findall(r"Line </span>(\d+)", page.text) == ["4", "5"]
    assert "202-555-012" not in page.text
    assert (count(desk, Injection), count(desk, Contact), count(desk, OutboundMessage)) == (0, 0, 0)


def test_confirming_enrols_all_good_rows_and_forgets_the_file(desk: Desk) -> None:
    browser = desk.signed_in()
    page = confirm(browser, hand_in(browser, *GOOD, BAD))
    assert "Imported: 2 injections enrolled. 1 bad row left out." in page.text
    assert (count(desk, Injection), count(desk, OutboundMessage)) == (2, 5)
    (row,) = files(desk)
    assert (row.content, row.enrolled) == (None, 2)
    with desk.parts.db.begin() as session:
        names = set(session.scalars(sa.select(Contact.name)))
        recorded = set(session.scalars(sa.select(StaffAudit.what)))
    assert names == {"Ann Bell", "José Núñez"}
    assert {"handed_in_file", "imported_injections"} <= recorded


def test_the_same_file_again_enrols_nothing(desk: Desk) -> None:
    browser = desk.signed_in()
    confirm(browser, hand_in(browser, *GOOD))
    page = hand_in(browser, *GOOD)
    assert "<strong>2 rows are</strong> enrolled already" in page.text
    assert "Everything in this file is enrolled already." in page.text
    assert not _MARK.search(page.text)
    more = hand_in(browser, GOOD[1], "202-555-0127,2026-03-02,10:00,yes,,")
    assert "Imported: 1 injection enrolled. 1 was enrolled already." in confirm(browser, more).text
    assert count(desk, Injection) == 3


def test_confirming_twice_imports_once(desk: Desk) -> None:
    browser = desk.signed_in()
    page = hand_in(browser, *GOOD)
    confirm(browser, page)
    again = confirm(browser, page)
    assert "not kept any more" in again.text
    assert count(desk, Injection) == 2


def test_confirmed_in_two_windows_at_once_it_is_imported_once(desk: Desk) -> None:
    first = desk.signed_in()
    page = hand_in(first, *GOOD)
    second = desk.browser()
    with first.client.session_transaction() as mine, second.client.session_transaction() as other:
        other.update(mine)
    second.get(page.request.path)
    start = Barrier(2)

    def press(browser: Browser) -> str:
        start.wait()
        return confirm(browser, page).text

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(press, [first, second]))
    assert sum("Imported: 2 injections" in text for text in told) == 1
    assert sum("not kept any more" in text for text in told) == 1
    assert count(desk, Injection) == 2


def test_what_changed_since_the_look_is_looked_at_again(desk: Desk) -> None:
    browser = desk.signed_in()
    page = hand_in(browser, "202-555-0123,2026-03-02,14:30,yes,,")
    desk.clock.advance(timedelta(minutes=10))
    colleague = desk.signed_in("Ben")
    confirm(colleague, hand_in(colleague, "202-555-0123,2026-03-02,14:30,yes,,"))
    again = confirm(browser, page)
    assert "has changed since you looked" in again.text
    assert "<strong>1 row is</strong> enrolled already" in again.text
    assert count(desk, Injection) == 1


def test_without_the_tick_nothing_is_imported(desk: Desk) -> None:
    browser = desk.signed_in()
    page = confirm(browser, hand_in(browser, *GOOD), agreed="")
    assert page.status_code == 422
    assert "Tick this" in page.text
    assert count(desk, Injection) == 0
    assert (
        "Imported: 2"
        in browser.post(
            page.request.path, {"mark": _MARK.search(page.text)[1], "agreed": "yes"}, follow_redirects=True
        ).text
    )  # type: ignore[index]


def test_a_file_is_kept_encrypted_and_shown_to_nobody_else(desk: Desk) -> None:
    browser = desk.signed_in("Ada")
    page = hand_in(browser, *GOOD)
    with desk.parts.db.begin() as session:
        raw = session.execute(sa.text("SELECT content FROM injection_files")).scalar_one()
    assert b"555" not in bytes(raw)
    assert b"Ann" not in bytes(raw)
    other = desk.signed_in("Ben")
    assert "not kept any more" in other.get(page.request.path, follow_redirects=True).text
    other.post(f"{page.request.path}/give-up")
    assert files(desk)[0].content is not None
    assert "Imported" not in confirm(other, page).text
    assert count(desk, Injection) == 0


def test_a_file_given_up_is_forgotten(desk: Desk) -> None:
    browser = desk.signed_in()
    page = hand_in(browser, *GOOD)
    assert "Given up" in browser.post(f"{page.request.path}/give-up", follow_redirects=True).text
    assert [row.content for row in files(desk)] == [None]


def test_a_file_that_waits_too_long_is_forgotten(desk: Desk) -> None:
    browser = desk.signed_in()
    page = hand_in(browser, *GOOD)
    desk.clock.advance(handed_in.KEPT_FOR)
    late = desk.signed_in("Ben")
    with desk.parts.db.begin() as session:
        assert handed_in.waiting(session, uuid.uuid4(), staff="x", now=desk.clock.now()) is None
        assert handed_in.forget_old(session, now=desk.clock.now()) == 1
    assert "not kept any more" in late.get(page.request.path, follow_redirects=True).text
    assert [row.content for row in files(desk)] == [None]


def test_a_new_file_takes_the_place_of_one_that_waits(desk: Desk) -> None:
    browser = desk.signed_in()
    hand_in(browser, GOOD[0])
    hand_in(browser, GOOD[1])
    assert [row.content is None for row in files(desk)] == [True, False]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (b"PK\x03\x04\0\0", "This is an Excel workbook"),
        (b"a,b\n1,2\n", "does not name the columns"),
        (b"x" * (MOST_BYTES + 1), "larger than 2 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_at_the_field_and_not_kept(
    desk: Desk, content: bytes, reason: str
) -> None:
    page = hand_in(desk.signed_in(), content=content)
    assert page.status_code == 422
    assert 'id="file-errors"' in page.text
    assert reason in page.text
    assert not files(desk)


def test_no_file_chosen_is_told(desk: Desk) -> None:
    assert "Choose a file." in hand_in(desk.signed_in(), content=b"", name="").text


def test_far_too_much_is_refused_unread(desk: Desk) -> None:
    page = hand_in(desk.signed_in(), content=b"x" * (3 * MOST_BYTES))
    assert page.status_code == 413


def test_other_forms_keep_their_limit(desk: Desk) -> None:
    browser = desk.signed_in()
    assert browser.post("/staff/search", {"typed": "x" * 70_000}).status_code == 413


def test_five_thousand_rows_are_looked_at(desk: Desk) -> None:
    rows = [f"202-555-{number:04d},never,14:30,yes,," for number in range(5_000)]
    page = hand_in(desk.signed_in(), *rows)
    assert page.status_code == 200
    assert page.text.count("Is not a date") == 5_000


def test_what_a_file_holds_is_shown_as_text(desk: Desk) -> None:
    page = hand_in(desk.signed_in(), "202-555-0123,<script>alert(1)</script>,14:30,yes,,")
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text


def test_a_number_that_ended_messages_is_a_bad_row(desk: Desk) -> None:
    browser = desk.signed_in()
    desk.contact("+12025550123")
    with desk.parts.db.begin() as session:
        session.execute(
            sa.text(
                "INSERT INTO consent_states (number_hash, status, carrier_blocked, since)"
                " VALUES (:h, 'opted_out', true, now())"
            ),
            {"h": desk.parts.keyring.number_hash("+12025550123")},
        )
    page = hand_in(browser, *GOOD)
    assert "the patient must text START" in page.text
    assert "Imported: 1 injection" in confirm(browser, page).text


def test_the_template_can_be_handed_in(desk: Desk) -> None:
    browser = desk.signed_in()
    template = browser.get("/staff/imports/template.csv")
    assert template.headers["Content-Disposition"] == 'attachment; filename="injections.csv"'
    page = hand_in(browser, content=template.data)
    assert "1 row in the file" in page.text
