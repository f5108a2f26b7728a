"""Signing in, staying signed in, and being signed out."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from nurseline.staff import sessions
from nurseline.staff.models import StaffAudit, StaffSession, StaffUser
from tests.staff.conftest import PASSWORD, Desk

WRONG = "That email address and password do not fit together."


def test_who_is_not_signed_in_sees_no_page(desk: Desk) -> None:
    stranger = desk.browser()
    paths = ("", "/queue", "/messages", "/injections", "/injections/new", f"/items/{desk.item()}")
    for path in (*paths, f"/contacts/{desk.contact().id}"):
        answer = stranger.get(f"/staff{path}")
        assert answer.status_code == 302, path
        assert answer.location.startswith("/staff/sign-in"), path
    assert stranger.get("/staff/queue/rows").status_code == 401
    assert stranger.post(f"/staff/items/{desk.item()}/claim").location.startswith("/staff/sign-in")


def test_signing_in_leads_to_the_page_that_was_asked_for(desk: Desk) -> None:
    user, item = desk.account(), desk.item()
    browser = desk.browser()
    asked = browser.get(f"/staff/items/{item}", follow_redirects=True)
    assert f'name="next" value="/staff/items/{item}"' in asked.text
    answer = browser.post(
        "/staff/sign-in", {"email": user.email, "password": PASSWORD, "next": f"/staff/items/{item}"}
    )
    assert answer.location == f"/staff/items/{item}"
    assert browser.get(answer.location).status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/staff/\\evil",
        "evil",
        "javascript:alert(1)",
        "/sms",
    ],
)
def test_signing_in_never_leads_elsewhere(desk: Desk, target: str) -> None:
    user = desk.account()
    browser = desk.browser()
    shown = browser.get("/staff/sign-in", query_string={"next": target}, follow_redirects=True)
    assert target not in shown.text
    answer = browser.sign_in(user.email, next=target)
    assert answer.location in {"/staff/sign-in", "/staff/queue"}


def test_every_wrong_sign_in_reads_the_same(desk: Desk) -> None:
    user, gone = desk.account("Ada"), desk.account("Ben")
    with desk.parts.db.begin() as session:
        session.execute(sa.update(StaffUser).where(StaffUser.id == gone.id).values(active=False))
    tries = [
        (user.email, "not the password"),
        ("nobody@example.org", PASSWORD),
        (gone.email, PASSWORD),
        ("", ""),
        ("no address", PASSWORD),
        ("a\0b@example.org", PASSWORD),
        (user.email, "\0"),
        (user.email, "x" * 5000),
        ("\u202e😀@example.org", "مرور"),
        ("e" * 2000 + "@example.org", PASSWORD),
    ]
    for email, password in tries:
        answer = desk.browser().sign_in(email, password)
        assert answer.status_code == 200, (email, password)
        assert WRONG in answer.text, (email, password)
        assert "not exist" not in answer.text.lower()


def test_an_address_is_the_same_in_capitals_and_with_blanks(desk: Desk) -> None:
    user = desk.account(email="mixed@example.org")
    assert desk.browser().sign_in(" MIXED@Example.org ").status_code == 302
    assert user.email == "mixed@example.org"


def test_fifteen_idle_minutes_lock_the_session_and_looking_at_the_refreshed_list_does_not_count(
    desk: Desk,
) -> None:
    browser = desk.signed_in()
    desk.clock.advance(timedelta(minutes=14))
    assert browser.get("/staff/queue/rows").status_code == 200
    desk.clock.advance(timedelta(seconds=61))
    assert browser.get("/staff/queue/rows").status_code == 401
    answer = browser.get("/staff/messages", follow_redirects=True)
    assert answer.request.path == "/staff/locked"
    assert "Ada, your password opens this page again." in " ".join(re.sub("<[^>]+>", "", answer.text).split())


def test_working_keeps_the_session_alive_but_not_beyond_ten_hours(desk: Desk) -> None:
    browser = desk.signed_in()
    for _ in range(42):
        desk.clock.advance(timedelta(minutes=14))
        assert browser.get("/staff/queue").status_code == 200
    desk.clock.advance(timedelta(minutes=12))
    answer = browser.get("/staff/queue", follow_redirects=True)
    assert "You were signed out after ten hours." in answer.text


def test_signing_out_ends_the_session_on_the_server_too(desk: Desk) -> None:
    browser = desk.signed_in()
    stolen = browser.client.get_cookie("nurseline")
    assert stolen is not None
    answer = browser.post("/staff/sign-out", follow_redirects=True)
    assert "You are signed out." in answer.text
    thief = desk.browser()
    thief.client.set_cookie("nurseline", stolen.value)
    assert thief.get("/staff/queue").status_code == 302


def test_a_session_that_was_ended_or_belongs_to_another_account_opens_nothing(desk: Desk) -> None:
    ada, ben = desk.account("Ada"), desk.account("Ben")
    now = desk.clock.now()
    with desk.parts.db.begin() as session:
        mine = sessions.open_session(session, ada.id, now=now)
        assert sessions.check(session, mine, ada.id, now=now, activity=True) is None
        assert sessions.check(session, mine, ben.id, now=now, activity=True) == "ended"
        sessions.end_all(session, ada.id, now=now)
        session.expire_all()
        assert sessions.check(session, mine, ada.id, now=now, activity=True) == "ended"


def test_a_new_uniquifier_or_a_closed_account_ends_the_session_at_once(desk: Desk) -> None:
    for change in ({"fs_uniquifier": "another"}, {"active": False}):
        browser = desk.signed_in()
        with desk.parts.db.begin() as session:
            last = session.scalars(sa.select(StaffSession).order_by(StaffSession.created_at.desc())).all()
            ids = [row.user_id for row in last]
            session.execute(sa.update(StaffUser).where(StaffUser.id.in_(ids)).values(**change))
        assert browser.get("/staff/queue").status_code == 302, change
        with desk.parts.db.begin() as session:
            session.execute(sa.delete(StaffUser))


def test_guessing_is_slowed_down_for_strangers_but_not_for_the_owners_own_computer(desk: Desk) -> None:
    user = desk.account()
    own = desk.browser()
    assert own.sign_in(user.email).status_code == 302
    own.post("/staff/sign-out")
    stranger = desk.browser()
    for _ in range(10):
        assert WRONG in stranger.sign_in(user.email, "a wrong guess").text
    blocked = desk.browser().sign_in(user.email)
    assert blocked.status_code == 200
    assert "Too many attempts. Wait 10 minutes, then try again." in blocked.text
    assert own.sign_in(user.email).status_code == 302


def test_one_address_cannot_try_many_accounts_without_end(desk: Desk) -> None:
    answers = [desk.browser().sign_in(f"n{i}@example.org", "\0").text for i in range(61)]
    assert all(WRONG in answer for answer in answers[:60])
    assert "Too many attempts" in answers[60]


def test_sign_in_works_and_counts_while_redis_is_there_and_after_it_is_gone(
    make_desk: Callable[..., Desk], redis_url: str
) -> None:
    with_redis = make_desk(redis_url=redis_url)
    user = with_redis.account()
    for _ in range(10):
        with_redis.browser().sign_in(user.email, "a wrong guess")
    another_process = make_desk(redis_url=redis_url)
    assert "Too many attempts" in another_process.browser().sign_in(user.email).text
    without = make_desk(redis_url="redis://127.0.0.1:1/0")
    assert without.browser().sign_in(user.email).status_code == 302


def test_sign_ins_and_failures_are_written_down_without_passwords(desk: Desk) -> None:
    user = desk.account()
    browser = desk.browser()
    browser.sign_in(user.email, "a wrong guess")
    browser.sign_in(user.email)
    browser.get("/staff/queue")
    browser.post("/staff/sign-out")
    with desk.parts.db.begin() as session:
        seen = session.scalars(
            sa.select(StaffAudit.what).where(StaffAudit.staff_id == str(user.id)).order_by(StaffAudit.id)
        ).all()
    assert seen == ["sign_in_failed", "signed_in", "signed_out"]
