"""What every staff page must have, and what none may let out."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask, url_for
from werkzeug.routing import Rule

from nurseline.db import Base
from nurseline.staff.access import ROLES, allow
from nurseline.staff.models import StaffRole
from tests.staff.conftest import PATIENT, Desk, telephone
from tests.staff.test_staff_contacts import text_out

BEFORE_SIGN_IN = {"staff.second_step", "staff.set_up_second_step", "staff.invitation"}


def staff_routes(app: Flask) -> list[tuple[str, frozenset[str]]]:
    """(endpoint, methods) of every page of ours."""
    rules = (rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/staff"))
    return [(rule.endpoint, frozenset(rule.methods or ()) - {"HEAD", "OPTIONS"}) for rule in rules]


IDS = {"day": "2026-12-25", "language": "en", "content_id": "menu", "secret": "x" * 43, "name": "items"}


def everything(desk: Desk) -> dict[str, list[str]]:
    """Every row of every table but those that grow by looking: what somebody saw."""
    apart = {"staff_audit", "staff_sessions", "heartbeats"}
    with desk.parts.db.begin() as session:
        return {
            table.name: sorted(map(str, session.execute(sa.select(table)).all()))
            for table in Base.metadata.sorted_tables
            if table.name not in apart
        }


def address(app: Flask, rule: Rule, **real: object) -> str:
    """An address of this rule, of something that does not exist or of what ``real`` names."""
    values: dict[str, object] = {}
    for name in rule.arguments:
        choice = re.search(rf"any\(([^)]*)\):{name}>", rule.rule)
        first = choice[1].split(",")[0].strip(" '\"") if choice else None
        values[name] = first or real.get(name) or IDS.get(name) or uuid.UUID(int=0)
    with app.test_request_context():
        return url_for(rule.endpoint, **values)


def test_every_page_says_who_may_open_it(desk: Desk) -> None:
    routes = staff_routes(desk.app)
    assert len(routes) >= 15
    for endpoint, _methods in routes:
        if endpoint in {"staff.static", "security.login"} | BEFORE_SIGN_IN:
            continue
        assert getattr(desk.app.view_functions[endpoint], "allowed_roles", None), endpoint


def test_nothing_can_be_registered_reset_or_asked_for_as_json(desk: Desk) -> None:
    endpoints = {endpoint for endpoint, _ in staff_routes(desk.app)}
    assert {e for e in endpoints if e.startswith("security.")} == {"security.login"}
    answer = desk.browser().get("/staff/sign-in", headers={"Accept": "application/json"})
    assert answer.mimetype == "text/html"


def test_a_role_that_does_not_fit_is_refused_in_plain_words(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk.signed_in("Ada", "scheduler")
    monkeypatch.setattr(desk.app.view_functions["staff.messages"], "allowed_roles", frozenset({"admin"}))
    answer = browser.get("/staff/messages")
    assert answer.status_code == 403
    assert "Not for your role" in answer.text


def test_an_account_without_any_role_opens_nothing(desk: Desk) -> None:
    browser = desk.signed_in()
    with desk.parts.db.begin() as session:
        session.execute(sa.text("DELETE FROM staff_user_roles"))
        session.execute(sa.delete(StaffRole))
    assert browser.get("/staff/queue").status_code == 403


def test_a_page_cannot_be_marked_for_a_role_that_does_not_exist() -> None:
    assert ROLES == ("scheduler", "nurse", "supervisor", "admin")
    with pytest.raises(ValueError, match="boss"):
        allow("nurse", "boss")


def test_every_form_needs_its_token(desk: Desk) -> None:
    browser, item = desk.signed_in(role="admin"), desk.item()
    message, phone = text_out(desk, "words", "unknown"), telephone(desk)
    real: dict[str, object] = {
        "item_id": item,
        "contact_id": desk.contact().id,
        "message_id": message,
        "phone_id": phone,
    }
    posts = [
        rule
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith("/staff") and "POST" in (rule.methods or ())
    ]
    assert len(posts) > 40
    before = everything(desk)
    for rule in posts:
        keeps_words = getattr(desk.app.view_functions[rule.endpoint], "keeps_words", False)
        for token in ("", "not-the-token"):
            form = {"csrf_token": token, "outcome": "no_answer", "decision": "leave"}
            answer = browser.client.post(address(desk.app, rule, **real), data=form)
            expected = {404, 409, 422} if keeps_words else {400}
            assert answer.status_code in expected, (rule.rule, answer.status_code)
            assert keeps_words or "nothing was changed" in answer.text, rule.rule
    assert everything(desk) == before


def test_the_webhooks_need_no_token_and_keep_their_own_answers(desk: Desk) -> None:
    answer = desk.app.test_client().post("/sms", data={"From": PATIENT, "Body": "hi"})
    assert answer.status_code == 403
    assert "Content-Security-Policy" not in answer.headers
    assert b"staff" not in answer.data
    assert desk.app.test_client().get("/no-such-page").status_code == 404


def test_nothing_is_changed_by_opening_an_address(desk: Desk) -> None:
    browser, item = desk.signed_in(), desk.item()
    for path in ("claim", "release", "outcome", "number"):
        assert browser.get(f"/staff/items/{item}/{path}").status_code == 405
    assert browser.get("/staff/sign-out").status_code == 405
    assert browser.get("/staff/queue").status_code == 200


def test_headers_forbid_inline_code_framing_and_keeping(desk: Desk) -> None:
    browser = desk.signed_in()
    for path in (
        "/staff/queue",
        "/staff/queue/rows",
        "/staff/sign-in",
        "/staff/nothing",
        "/staff/injections/new",
    ):
        headers = browser.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy
        for part in (
            "default-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "form-action 'self'",
        ):
            assert part in policy
        assert headers["Cache-Control"] == "no-store", path
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in headers


def test_pages_hold_no_inline_code_or_style(desk: Desk) -> None:
    browser, item = desk.signed_in(), desk.item("emergency", "<script>alert(1)</script>")
    for path in (
        "/staff/queue",
        f"/staff/items/{item}",
        f"/staff/contacts/{desk.contact().id}",
        "/staff/injections/new",
    ):
        text = browser.get(path).text
        assert "style=" not in text
        assert "<script>" not in text
        assert " onclick" not in text


def test_cookies_are_closed_to_scripts_and_to_other_sites(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(public_base_url="https://line.example.org", staff_totp_required=False)
    user = desk.account()
    client = desk.app.test_client()
    first = client.get("/staff/sign-in", base_url="https://line.example.org")
    token = first.text.split('name="csrf_token" value="')[1].split('"')[0]
    answer = client.post(
        "/staff/sign-in",
        data={"csrf_token": token, "email": user.email, "password": "violet harbor seventeen"},
        base_url="https://line.example.org",
        headers={"Referer": "https://line.example.org/staff/sign-in"},
    )
    assert answer.status_code == 302
    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert any(cookie.startswith("__Host-nurseline=") for cookie in cookies)
    for cookie in cookies:
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_pages_that_are_missing_too_large_or_broken_say_so_without_a_trace(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = desk.signed_in()
    nobody = uuid.uuid4()
    for path in (
        "/staff/nothing",
        f"/staff/items/{nobody}",
        f"/staff/contacts/{nobody}",
        f"/staff/injections/{nobody}",
        "/staff/items/1",
    ):
        answer = browser.get(path)
        assert answer.status_code == 404, path
        assert "Not found" in answer.text
    large = browser.post("/staff/injections/new", {"number": "1" * 70_000})
    assert large.status_code == 413
    assert "Too much text" in large.text

    def fail(*_args: object, **_more: object) -> None:
        raise RuntimeError(f"secret {PATIENT}")

    monkeypatch.setattr("nurseline.staff.views.messages.messages_to_check", fail)
    broken = browser.get("/staff/messages")
    assert broken.status_code == 500
    assert "Something went wrong" in broken.text
    assert "Traceback" not in broken.text
    assert PATIENT not in broken.text


def test_no_address_holds_a_number_and_no_log_line_a_number_or_words(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    browser = desk.signed_in()
    item = desk.item("nurse", "my shoulder words")
    browser.post(f"/staff/items/{item}/claim")
    page = browser.get(f"/staff/items/{item}")
    assert "202-555-0123" in page.text
    browser.post(f"/staff/items/{item}/outcome", {"outcome": "no_answer", "note": "my secret note"})
    links = [part.split('"')[0] for part in page.text.split('href="')[1:]]
    assert links
    assert not any("5550123" in link.replace("-", "") for link in links)
    written = "".join(capfd.readouterr())
    for secret in ("5550123", "0123", "shoulder", "secret note", "@example.org"):
        assert secret not in written
