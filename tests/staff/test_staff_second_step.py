"""The second step of signing in: codes, recovery codes, setting up, and what must not work."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from passlib.totp import TOTP

from nurseline.staff import second_step
from nurseline.staff.models import StaffAudit, StaffSession, StaffUser
from tests.staff.conftest import PASSWORD, Browser, Desk

WRONG = "That code is not right, or it was used already."


def code_of(desk: Desk, secret: str, *, steps: int = 0) -> str:
    """What the app shows now, or some steps of 30 seconds earlier or later."""
    at = int(desk.clock.now().timestamp()) + 30 * steps
    return str(TOTP(key=secret).generate(at).token)


def with_app(desk: Desk, name: str = "Ada", role: str = "nurse") -> tuple[StaffUser, str, list[str]]:
    """An account with an app: itself, the app's secret, and the recovery codes."""
    user, secret = desk.account(name, role), second_step.new_secret()
    with desk.parts.db.begin() as session:
        codes = second_step.turn_on(session.get_one(StaffUser, user.id), secret, 0)
    return user, secret, codes


def by_password(desk: Desk, user: StaffUser) -> Browser:
    """A browser that has given the password and owes the code."""
    browser = desk.browser()
    assert browser.sign_in(user.email).status_code == 302
    page = browser.get("/staff/queue", follow_redirects=True)
    assert page.request.path == "/staff/sign-in/code"
    return browser


def give(browser: Browser, code: str) -> int:
    """Send a code; the status of the answer."""
    return browser.post("/staff/sign-in/code", {"code": code}).status_code


def audited(desk: Desk, what: str) -> int:
    """How often this was written down."""
    with desk.parts.db.begin() as session:
        return session.scalar(sa.select(sa.func.count()).where(StaffAudit.what == what)) or 0


def test_a_password_alone_opens_nothing_and_the_code_leads_to_the_page_that_was_asked_for(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    browser, item = desk.browser(), desk.item()
    browser.get(f"/staff/items/{item}", follow_redirects=True)
    answer = browser.post(
        "/staff/sign-in", {"email": user.email, "password": PASSWORD, "next": f"/staff/items/{item}"}
    )
    for path in ("/staff/queue", "/staff/account", "/staff/people", answer.location):
        assert browser.get(path).location.startswith("/staff/sign-in/code"), path
    assert browser.get("/staff/queue/rows").status_code == 401
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(StaffSession)) == 0
    asked = browser.get(answer.location, follow_redirects=True)
    assert f'name="next" value="/staff/items/{item}"' in asked.text
    done = browser.post(
        "/staff/sign-in/code", {"code": code_of(desk, secret), "next": f"/staff/items/{item}"}
    )
    assert done.location == f"/staff/items/{item}"
    assert browser.get(done.location).status_code == 200


@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_a_clock_that_is_one_step_off_does_no_harm(desk: Desk, steps: int) -> None:
    user, secret, _ = with_app(desk)
    assert give(by_password(desk, user), code_of(desk, secret, steps=steps)) == 302


@pytest.mark.parametrize("steps", [-2, 2, 100])
def test_a_clock_that_is_further_off_does_not_fit(desk: Desk, steps: int) -> None:
    user, secret, _ = with_app(desk)
    assert give(by_password(desk, user), code_of(desk, secret, steps=steps)) == 422


def test_a_code_never_works_twice_nor_does_an_earlier_one(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    used, earlier = code_of(desk, secret), code_of(desk, secret, steps=-1)
    assert give(by_password(desk, user), used) == 302
    for code in (used, earlier):
        again = by_password(desk, user).post("/staff/sign-in/code", {"code": code})
        assert again.status_code == 422
        assert WRONG in again.text
    desk.clock.advance(timedelta(seconds=30))
    assert give(by_password(desk, user), code_of(desk, secret)) == 302


def at_once(*actions: Callable[[], bool]) -> list[bool]:
    """What each of several actions says that begin at the same moment."""
    start, said = threading.Barrier(len(actions)), [False] * len(actions)

    def run(number: int, action: Callable[[], bool]) -> None:
        start.wait()
        said[number] = action()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(actions)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def test_of_many_who_send_one_code_at_once_one_gets_in(desk: Desk) -> None:
    user, secret, codes = with_app(desk)
    now, code = desk.clock.now(), code_of(desk, secret)

    def by_code() -> bool:
        with desk.parts.db.begin() as session:
            return second_step.use_code(session, user.id, code, now=now)

    def by_recovery_code() -> bool:
        with desk.parts.db.begin() as session:
            return second_step.use_recovery_code(session, user.id, codes[0])

    assert sum(at_once(*[by_code] * 6)) == 1
    assert sum(at_once(*[by_recovery_code] * 6)) == 1
    with desk.parts.db.begin() as session:
        assert len(session.get_one(StaffUser, user.id).mf_recovery_codes or []) == 9


def test_two_who_read_before_either_writes_cannot_both_use_a_code(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    code, now = code_of(desk, secret), desk.clock.now()
    with desk.parts.db.begin() as late:
        seen = late.get_one(StaffUser, user.id)  # the state of before, kept while the other one acts
        with desk.parts.db.begin() as early:
            assert second_step.use_code(early, user.id, code, now=now)
        assert seen.totp_counter == 0
        assert not second_step.use_code(late, user.id, code, now=now)


def test_two_who_read_before_either_writes_cannot_both_use_a_recovery_code(desk: Desk) -> None:
    user, _, codes = with_app(desk)
    with desk.parts.db.begin() as late:
        seen = late.get_one(StaffUser, user.id)
        with desk.parts.db.begin() as early:
            assert second_step.use_recovery_code(early, user.id, codes[3])
        assert len(seen.mf_recovery_codes or []) == 10
        assert not second_step.use_recovery_code(late, user.id, codes[3])


@pytest.mark.parametrize(
    "code",
    [
        "",
        "0",
        "abcdef",
        "12345",
        "1234567",
        "\0",
        "٣٤٥٦٧٨",
        "😀" * 6,
        "1" * 5000,
        "-1",
        "1e5",
        "\u202e123456",
    ],
)
def test_what_is_no_code_is_refused_in_plain_words(desk: Desk, code: str) -> None:
    user, _, _ = with_app(desk)
    browser = by_password(desk, user)
    for field, said in (("code", WRONG), ("recovery", "That is none of your recovery codes")):
        answer = browser.post("/staff/sign-in/code", {field: code})
        assert answer.status_code == 422, field
        assert said in answer.text


def test_guessing_codes_is_slowed_down_also_for_somebody_who_knows_the_password(desk: Desk) -> None:
    user, secret, codes = with_app(desk)
    for _ in range(10):  # a new browser each time, as a program would do it
        assert give(by_password(desk, user), "000000") == 422
    blocked = by_password(desk, user)
    answer = blocked.post("/staff/sign-in/code", {"code": code_of(desk, secret)})
    assert "Too many attempts. Wait 10 minutes, then try again." in answer.text
    by_recovery = blocked.post("/staff/sign-in/code", {"recovery": codes[0]})
    assert "Too many attempts" in by_recovery.text
    assert audited(desk, "second_step_failed") == 10


def test_the_owners_own_computer_is_not_kept_out_by_guesses_of_others(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    own = desk.browser()
    own.sign_in(user.email)
    own.get("/staff/queue", follow_redirects=True)
    assert give(own, code_of(desk, secret)) == 302
    own.get("/staff/queue")
    own.post("/staff/sign-out")
    for _ in range(11):
        give(by_password(desk, user), "000000")
    desk.clock.advance(timedelta(seconds=30))
    own.sign_in(user.email)
    own.get("/staff/queue", follow_redirects=True)
    assert give(own, code_of(desk, secret)) == 302


def test_a_recovery_code_works_once_however_it_is_typed_and_is_kept_as_a_hash(desk: Desk) -> None:
    user, _, codes = with_app(desk)
    assert len(codes) == len(set(codes)) == 10
    browser = by_password(desk, user)
    typed = f" {codes[2].replace('-', ' ').upper()} "
    answer = browser.post("/staff/sign-in/code", {"recovery": typed}, follow_redirects=True)
    assert "That recovery code is used up; 9 are left." in answer.text
    again = by_password(desk, user).post("/staff/sign-in/code", {"recovery": codes[2]})
    assert again.status_code == 422
    with desk.parts.db.begin() as session:
        stored = str(session.execute(sa.text("SELECT mf_recovery_codes FROM staff_users")).all())
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored
    assert audited(desk, "recovery_code_used") == 1


def test_the_secret_is_not_readable_in_the_database(desk: Desk) -> None:
    _, secret, _ = with_app(desk)
    with desk.parts.db.begin() as session:
        kept = session.execute(sa.text("SELECT tf_totp_secret FROM staff_users")).scalar_one()
    assert secret.encode() not in bytes(kept)


def test_the_code_is_asked_for_ten_minutes_long_and_not_after_the_account_changed(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    browser = by_password(desk, user)
    desk.clock.advance(timedelta(minutes=10))
    late = browser.post("/staff/sign-in/code", {"code": code_of(desk, secret)}, follow_redirects=True)
    assert "The sign-in took too long. Start again." in late.text
    for change in ({"fs_uniquifier": "another"}, {"active": False}):
        browser = by_password(desk, user)
        with desk.parts.db.begin() as session:
            session.execute(sa.update(StaffUser).values(**change))
        assert browser.post("/staff/sign-in/code", {"code": "1"}).location.startswith("/staff/sign-in"), (
            change
        )
    assert desk.browser().get("/staff/sign-in/code").location == "/staff/sign-in"
    assert desk.browser().get("/staff/sign-in/set-up").location == "/staff/sign-in"


def test_signing_in_makes_a_new_session_and_what_was_in_the_browser_before_opens_nothing(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    browser = by_password(desk, user)
    before = browser.client.get_cookie("nurseline")
    assert before is not None
    token = browser.token
    assert give(browser, code_of(desk, secret)) == 302
    fixed = desk.browser()
    fixed.client.set_cookie("nurseline", before.value)
    assert fixed.get("/staff/queue").location.startswith("/staff/sign-in/code")
    old_token = browser.client.post("/staff/account/sessions/end", data={"csrf_token": token})
    assert old_token.status_code == 400
    assert browser.get("/staff/queue").status_code == 200


def test_the_steps_of_signing_in_refuse_forms_of_other_sites(desk: Desk) -> None:
    user, secret, _ = with_app(desk)
    browser = by_password(desk, user)
    for path in ("/staff/sign-in/code", "/staff/sign-in/set-up"):
        sent = browser.client.post(path, data={"code": code_of(desk, secret)})
        assert sent.status_code == 400, path
    assert give(browser, code_of(desk, secret)) == 302


def secret_on(page: str) -> str:
    """The secret that a page shows in letters."""
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert found
    return found[1].replace(" ", "")


def codes_on(page: str) -> list[str]:
    """The recovery codes that a page shows."""
    return re.findall(r"<li><code>([a-z0-9-]+)</code></li>", page)


def test_where_it_is_required_who_has_no_app_sets_it_up_before_anything_else(
    make_desk: Callable[..., Desk],
) -> None:
    desk = make_desk(staff_totp_required=True)
    user, browser = desk.account(), desk.browser()
    browser.sign_in(user.email)
    page = browser.get("/staff/messages", follow_redirects=True)
    assert page.request.path == "/staff/sign-in/set-up"
    assert browser.get("/staff/queue").status_code == 302
    secret = secret_on(page.text)
    assert "<svg" in page.text
    assert "style=" not in page.text
    wrong = browser.post("/staff/sign-in/set-up", {"code": "000000", "next": "/staff/messages"})
    assert wrong.status_code == 422
    assert secret_on(wrong.text) == secret
    done = browser.post("/staff/sign-in/set-up", {"code": code_of(desk, secret), "next": "/staff/messages"})
    codes = codes_on(done.text)
    assert len(codes) == 10
    assert 'href="/staff/messages"' in done.text
    assert browser.get("/staff/messages").status_code == 200
    browser.get("/staff/queue")
    browser.post("/staff/sign-out")
    again = by_password(desk, user)
    assert again.post("/staff/sign-in/code", {"code": code_of(desk, secret)}).status_code == 422
    assert again.post("/staff/sign-in/code", {"recovery": codes[9]}).status_code == 302


@pytest.mark.parametrize(
    ("address", "setting", "required"),
    [
        ("https://line.example.org", None, True),
        ("https://line.example.org", False, False),
        ("http://127.0.0.1:8000", None, False),
        ("http://127.0.0.1:8000", True, True),
    ],
)
def test_it_is_required_in_service_and_not_for_a_look(
    make_desk: Callable[..., Desk], address: str, setting: bool | None, required: bool
) -> None:
    more = {} if setting is None else {"staff_totp_required": setting}
    assert make_desk(public_base_url=address, **more).parts.settings.totp_required == required


def test_setting_up_in_two_browsers_at_once_keeps_one_app(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(staff_totp_required=True)
    user = desk.account()
    browsers, secrets = [], []
    for _ in range(2):
        browser = desk.browser()
        browser.sign_in(user.email)
        secrets.append(secret_on(browser.get("/staff/queue", follow_redirects=True).text))
        browsers.append(browser)
    assert secrets[0] != secrets[1]
    first = browsers[0].post("/staff/sign-in/set-up", {"code": code_of(desk, secrets[0])})
    assert len(codes_on(first.text)) == 10
    second = browsers[1].post("/staff/sign-in/set-up", {"code": code_of(desk, secrets[1])})
    assert second.location == "/staff/sign-in/code"
    with desk.parts.db.begin() as session:
        assert session.get_one(StaffUser, user.id).tf_totp_secret == secrets[0]
