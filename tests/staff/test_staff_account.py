"""One's own account, and the lock as the server keeps it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from werkzeug.test import TestResponse

from nurseline.staff import second_step
from nurseline.staff.models import StaffSession, StaffUser
from tests.staff.conftest import PASSWORD, Browser, Desk
from tests.staff.test_staff_people import NEW, audited, of
from tests.staff.test_staff_second_step import code_of, codes_on, secret_on

SCRIPT = {"Accept": "application/json"}


def signed_in(desk: Desk, user: StaffUser) -> Browser:
    """A browser in which somebody has signed in by typing."""
    browser = desk.browser()
    assert browser.sign_in(user.email).status_code == 302
    browser.get("/staff/account")
    return browser


def unlock(browser: Browser, password: str, **form: str) -> TestResponse:
    """What the page's script gets for a password."""
    return browser.post("/staff/unlock", {"password": password, **form}, headers=SCRIPT)


def state(browser: Browser) -> dict[str, Any]:
    """What the page's script is told about the session."""
    answer = browser.get("/staff/lock/state", headers=SCRIPT)
    assert answer.status_code == 200
    return dict(answer.get_json())


def test_a_locked_session_opens_by_its_own_persons_password_alone(desk: Desk) -> None:
    ada, ben = desk.account("Ada"), desk.account("Ben")
    browser = signed_in(desk, ada)
    assert state(browser) | {"token": ""} == {"person": str(ada.id), "seconds": 900, "token": ""}
    desk.clock.advance(timedelta(minutes=15))
    assert state(browser)["seconds"] == 0
    assert browser.get("/staff/queue/rows").status_code == 401
    assert browser.post("/staff/lock/active", headers=SCRIPT).status_code == 401
    wrong = unlock(browser, "a wrong guess")
    assert (wrong.status_code, wrong.get_json()["problem"]) == (422, "That is not your password.")
    for password in ("", "\0", "😀" * 300, "x" * 5000):
        assert unlock(browser, password).status_code == 422
    assert unlock(browser, PASSWORD, person=str(ben.id)).status_code == 409
    assert state(browser)["seconds"] == 0
    assert unlock(browser, PASSWORD, person=str(ada.id)).status_code == 200
    assert state(browser)["seconds"] == 900
    assert browser.get("/staff/queue").status_code == 200
    assert audited(desk).count("unlock_failed") == 5
    assert "session_unlocked" in audited(desk)


def test_asking_for_the_state_is_no_activity_but_telling_of_it_is(desk: Desk) -> None:
    browser = signed_in(desk, desk.account())
    desk.clock.advance(timedelta(minutes=10))
    assert state(browser)["seconds"] == 300
    assert browser.post("/staff/lock/active", headers=SCRIPT).status_code == 204
    assert state(browser)["seconds"] == 900
    desk.clock.advance(timedelta(minutes=10))
    assert state(browser)["seconds"] == 300


def test_guesses_at_the_lock_are_slowed_down(desk: Desk) -> None:
    browser = signed_in(desk, desk.account())
    desk.clock.advance(timedelta(minutes=16))
    for _ in range(10):
        assert unlock(browser, "a wrong guess").status_code == 422
    blocked = unlock(browser, PASSWORD)
    assert blocked.status_code == 429
    assert blocked.get_json()["problem"] == "Too many attempts. Wait 10 minutes, then try again."


def test_after_ten_hours_or_a_sign_out_elsewhere_the_password_does_not_unlock(desk: Desk) -> None:
    user = desk.account()
    browser = signed_in(desk, user)
    desk.clock.advance(timedelta(hours=10))
    assert unlock(browser, PASSWORD).status_code == 401
    browser = signed_in(desk, user)
    desk.clock.advance(timedelta(minutes=16))
    signed_in(desk, user).post("/staff/account/sessions/end")
    assert unlock(browser, PASSWORD).status_code == 401
    assert browser.get("/staff/lock/state").status_code == 401


def test_without_a_script_the_page_asks_for_the_password_and_leads_back(desk: Desk) -> None:
    user, item = desk.account(), desk.item()
    browser = signed_in(desk, user)
    desk.clock.advance(timedelta(minutes=16))
    asked = browser.get(f"/staff/items/{item}", follow_redirects=True)
    assert asked.request.path == "/staff/locked"
    assert "I want to come again" not in asked.text
    assert "Pages" not in asked.text  # no menu
    wrong = browser.post("/staff/unlock", {"password": "no", "next": f"/staff/items/{item}"})
    assert wrong.status_code == 422
    assert "That is not your password." in wrong.text
    done = browser.post("/staff/unlock", {"password": PASSWORD, "next": f"/staff/items/{item}"})
    assert done.location == f"/staff/items/{item}"
    assert browser.get(done.location).status_code == 200
    assert browser.get("/staff/locked").location == "/staff/queue"
    foreign = browser.post("/staff/unlock", {"password": PASSWORD, "next": "https://evil.example"})
    assert foreign.location == "/staff/queue"


def test_words_sent_from_a_locked_page_are_shown_again_and_go_through_after_unlocking(desk: Desk) -> None:
    browser = signed_in(desk, desk.account("Ada", "supervisor"))
    browser.get("/staff/clinic")
    desk.clock.advance(timedelta(minutes=16))
    sent = browser.post("/staff/clinic/hours", {"hours": "Mon 08:00-12:00"})
    assert sent.status_code == 401
    assert "Mon 08:00-12:00</textarea>" in sent.text
    assert 'href="/staff/locked"' in sent.text
    browser.get("/staff/locked")
    browser.post("/staff/unlock", {"password": PASSWORD})
    again = browser.client.post("/staff/clinic/hours", data={"hours": "Mon 08:00-12:00"})
    assert "This page belongs to an earlier sign-in" in again.text
    assert 'value="Mon 08:00-12:00"' in again.text


def test_lock_now_locks_at_once_and_sign_out_works_on_a_locked_page(desk: Desk) -> None:
    browser = signed_in(desk, desk.account())
    assert browser.post("/staff/lock/now").location == "/staff/locked"
    assert browser.get("/staff/queue").location == "/staff/locked"
    browser.get("/staff/locked")
    assert "You are signed out." in browser.post("/staff/sign-out", follow_redirects=True).text
    with desk.parts.db.begin() as session:
        assert session.scalars(sa.select(StaffSession.ended_at)).one() is not None


def test_the_account_page_lists_where_one_is_signed_in_and_ends_one_or_all(desk: Desk) -> None:
    user = desk.account()
    here, there, elsewhere = (signed_in(desk, user) for _ in range(3))
    page = here.get("/staff/account").text
    ends = re.findall(r"/staff/account/sessions/([0-9a-f-]{36})/end", page)
    assert len(ends) == 2
    here.post(f"/staff/account/sessions/{ends[0]}/end")
    opened = [browser.get("/staff/queue").status_code for browser in (there, elsewhere)]
    assert sorted(opened) == [200, 302]
    here.get("/staff/account")
    gone = here.post("/staff/account/sessions/end", follow_redirects=True)
    assert "You are signed out everywhere." in gone.text
    assert [browser.get("/staff/queue").status_code for browser in (here, there, elsewhere)] == [302] * 3


def test_nobody_ends_the_session_of_somebody_else(desk: Desk) -> None:
    ben = signed_in(desk, desk.account("Ben"))
    with desk.parts.db.begin() as session:
        bens = session.scalars(sa.select(StaffSession.id)).one()
    ada = signed_in(desk, desk.account("Ada"))
    ada.post(f"/staff/account/sessions/{bens}/end")
    assert ben.get("/staff/queue").status_code == 200


def test_changing_the_password_needs_the_old_one_and_ends_every_other_session(desk: Desk) -> None:
    user = desk.account()
    here, there = signed_in(desk, user), signed_in(desk, user)
    here.get("/staff/account/password")
    for form, said in (
        ({"password": "no", "new": NEW, "again": NEW}, "That is not your password."),
        ({"password": PASSWORD, "new": "short", "again": "short"}, "The password is too short"),
        ({"password": PASSWORD, "new": NEW, "again": ""}, "This is not the same as above."),
    ):
        answer = here.post("/staff/account/password", form)
        assert answer.status_code == 422
        assert said in answer.text
    form = {"password": PASSWORD, "new": NEW, "again": NEW}
    done = here.post("/staff/account/password", form, follow_redirects=True)
    assert "Your password is changed." in done.text
    assert there.get("/staff/queue").status_code == 302
    assert here.get("/staff/queue").status_code == 200
    assert desk.browser().sign_in(user.email).status_code == 200
    assert desk.browser().sign_in(user.email, NEW).status_code == 302


def test_a_second_step_of_ones_own_needs_the_password_and_a_right_code(desk: Desk) -> None:
    user = desk.account()
    browser = signed_in(desk, user)
    secret = secret_on(browser.get("/staff/account/second-step").text)
    code = code_of(desk, secret)
    for form in ({"code": code, "password": "no"}, {"code": "000000", "password": PASSWORD}, {}):
        answer = browser.post("/staff/account/second-step", form)
        assert answer.status_code == 422
        assert secret_on(answer.text) == secret
    assert of(desk, user.email).tf_totp_secret is None
    done = browser.post("/staff/account/second-step", {"code": code, "password": PASSWORD})
    first = codes_on(done.text)
    assert len(first) == 10
    assert secret_on(browser.get("/staff/account/second-step").text) != secret
    browser.get("/staff/account/recovery-codes")
    assert browser.post("/staff/account/recovery-codes", {"password": "no"}).status_code == 422
    second = codes_on(browser.post("/staff/account/recovery-codes", {"password": PASSWORD}).text)
    assert len(second) == 10
    with desk.parts.db.begin() as session:
        assert not second_step.use_recovery_code(session, user.id, first[0])
        assert second_step.use_recovery_code(session, user.id, second[0])
    assert "9 left" in browser.get("/staff/account").text


def test_replacing_the_app_ends_every_other_session(desk: Desk) -> None:
    user = desk.account()
    here, there = signed_in(desk, user), signed_in(desk, user)
    for code, ended in (("000000", False), ("", True)):
        secret = secret_on(here.get("/staff/account/second-step").text)
        form = {"code": code or code_of(desk, secret), "password": PASSWORD}
        here.post("/staff/account/second-step", form)
        assert (there.get("/staff/queue").status_code == 302) == ended
    assert here.get("/staff/queue").status_code == 200


def test_without_an_app_there_are_no_recovery_codes_to_make(desk: Desk) -> None:
    browser = signed_in(desk, desk.account())
    assert browser.get("/staff/account/recovery-codes").location == "/staff/account/second-step"
