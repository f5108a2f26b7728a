"""Accounts as administrators keep them: invitations, roles, closing, and that an administrator remains."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import CallbackItem
from nurseline.staff import people, second_step
from nurseline.staff.models import StaffAudit, StaffSession, StaffUser
from nurseline.staff.people import PeopleError
from tests.staff.conftest import PASSWORD, Browser, Desk
from tests.support.waiting import wait_for

NEW = "amber lantern forty-two"


def invited(admin: Browser, email: str = "new@example.org", **form: Any) -> str:
    """Invite somebody; the path of the link that the page shows."""
    admin.get("/staff/people")
    answer = admin.post("/staff/people", {"email": email, "name": "Nia", "roles": ["nurse"], **form})
    assert answer.status_code == 200, answer.text
    return link_on(answer.text)


def link_on(page: str) -> str:
    """The path of the one-time link on a page."""
    found = re.search(r'class="one-time">http://127\.0\.0\.1:8000(/staff/invitation/[\w-]+)<', page)
    assert found
    return found[1]


def of(desk: Desk, email: str) -> StaffUser:
    """The account with this address."""
    with desk.parts.db.begin() as session:
        return session.scalars(sa.select(StaffUser).where(StaffUser.email == email)).one()


def audited(desk: Desk) -> list[str]:
    """What was written down, in order."""
    with desk.parts.db.begin() as session:
        return list(session.scalars(sa.select(StaffAudit.what).order_by(StaffAudit.id)))


def test_somebody_invited_sets_a_password_and_is_signed_in_and_the_link_works_once(desk: Desk) -> None:
    admin = desk.signed_in("Ada", "admin")
    path = invited(admin, " New@Example.org ", roles=["nurse", "supervisor"])
    assert "invited" in admin.get("/staff/people").text
    assert desk.browser().sign_in("new@example.org", "a wrong guess").status_code == 200
    guest = desk.browser()
    assert "Nia" in guest.get(path).text
    done = guest.post(path, {"new": NEW, "again": NEW}, follow_redirects=True)
    assert done.request.path == "/staff/queue"
    user = of(desk, "new@example.org")
    assert {role.name for role in user.roles} == {"nurse", "supervisor"}
    for again in (desk.browser().get(path), guest.post(path, {"new": NEW, "again": NEW})):
        assert again.status_code == 410
    assert desk.browser().sign_in("new@example.org", NEW).status_code == 302
    assert "account_invited" in audited(desk)
    assert "invitation_taken" in audited(desk)


def test_the_link_is_shown_once_and_kept_as_a_hash(desk: Desk) -> None:
    admin = desk.signed_in("Ada", "admin")
    secret = invited(admin).rsplit("/", 1)[1]
    user = of(desk, "new@example.org")
    for path in ("/staff/people", f"/staff/people/{user.id}"):
        assert secret not in admin.get(path).text
    with desk.parts.db.begin() as session:
        row = session.execute(sa.text("SELECT * FROM staff_users WHERE id = :id"), {"id": user.id}).one()
    assert secret not in str(row)


def test_an_old_a_renewed_and_a_cancelled_link_open_nothing(desk: Desk) -> None:
    admin = desk.signed_in("Ada", "admin")
    first = invited(admin)
    user = of(desk, "new@example.org")
    admin.get(f"/staff/people/{user.id}")
    second = link_on(admin.post(f"/staff/people/{user.id}/invite").text)
    assert desk.browser().get(first).status_code == 410
    guest = desk.browser()
    assert guest.get(second).status_code == 200
    desk.clock.advance(timedelta(days=3))
    assert guest.post(second, {"new": NEW, "again": NEW}).status_code == 410
    admin = desk.signed_in("Ben", "admin")
    admin.get(f"/staff/people/{user.id}")
    third = link_on(admin.post(f"/staff/people/{user.id}/invite").text)
    assert desk.browser().get(third).status_code == 200
    admin.get(f"/staff/people/{user.id}")
    assert (
        "The invitation is cancelled."
        in admin.post(f"/staff/people/{user.id}/cancel", follow_redirects=True).text
    )
    assert desk.browser().get(third).status_code == 410
    assert admin.get(f"/staff/people/{user.id}").status_code == 404
    invited(admin)  # the address is free again


def test_of_two_who_use_one_link_at_once_one_sets_the_password(desk: Desk) -> None:
    path = invited(desk.signed_in("Ada", "admin"))
    guests = [desk.browser(), desk.browser()]
    for guest in guests:
        guest.get(path)
    start, codes = threading.Barrier(2), [0, 0]

    def send(number: int) -> None:
        start.wait()
        codes[number] = guests[number].post(path, {"new": NEW, "again": NEW}).status_code

    threads = [threading.Thread(target=send, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [302, 410]


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("short", "short", "The password is too short"),
        ("password1234", "password1234", "on the list of those tried first"),
        (NEW, "another lantern", "This is not the same as above."),
        ("\0" * 14, "\0" * 14, "cannot be typed"),
        ("x" * 5000, "x" * 5000, "too long"),
        ("", "", "too short"),
        ("new@example.org!", "new@example.org!", "holds the email address"),
    ],
)
def test_the_rules_for_passwords_hold_for_who_is_invited(desk: Desk, new: str, again: str, said: str) -> None:
    path = invited(desk.signed_in("Ada", "admin"))
    guest = desk.browser()
    guest.get(path)
    answer = guest.post(path, {"new": new, "again": again})
    assert answer.status_code == 422
    assert said in answer.text
    assert not new or f'value="{new}"' not in answer.text
    assert not of(desk, "new@example.org").active


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"email": ""}, "This is not an email address."),
        ({"email": "nobody"}, "This is not an email address."),
        ({"email": "a\0@example.org"}, "This is not an email address."),
        ({"email": "e" * 400 + "@example.org"}, "This is too long"),
        ({"name": ""}, "Write a name that can be shown"),
        ({"name": "two\nlines"}, "Write a name that can be shown"),
        ({"name": "\0"}, "Write a name that can be shown"),
        ({"name": "n" * 81}, "This is too long"),
        ({"roles": []}, "Choose at least one role"),
        ({"roles": ["owner"]}, "Choose at least one role"),
        ({"roles": ["nurse", "\0"]}, "Choose at least one role"),
    ],
)
def test_what_cannot_be_an_account_is_said_at_the_field_and_nothing_is_kept(
    desk: Desk, form: dict[str, Any], said: str
) -> None:
    admin = desk.signed_in("Ada", "admin")
    admin.get("/staff/people")
    whole = {"email": "new@example.org", "name": "Nia", "roles": ["nurse"], **form}
    answer = admin.post("/staff/people", whole)
    assert answer.status_code == 422
    assert said in answer.text
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(StaffUser)) == 1


def test_an_address_that_has_an_account_cannot_be_invited_again(desk: Desk) -> None:
    admin, ben = desk.signed_in("Ada", "admin"), desk.account("Ben")
    admin.get("/staff/people")
    answer = admin.post("/staff/people", {"email": ben.email, "name": "Bea", "roles": ["nurse"]})
    assert answer.status_code == 422
    assert "There is an account with this address already." in answer.text


def test_a_name_of_any_letters_is_shown_as_it_is(desk: Desk) -> None:
    admin = desk.signed_in("Ada", "admin")
    invited(admin, name="مريم 😀 O'Neil <b>")
    assert "مريم 😀 O&#39;Neil &lt;b&gt;" in admin.get("/staff/people").text


def test_roles_count_from_the_next_page_on(desk: Desk) -> None:
    admin, ben = desk.signed_in("Ada", "admin"), desk.browser()
    user = desk.account("Ben", "nurse")
    ben.sign_in(user.email)
    assert ben.get("/staff/people").status_code == 403
    admin.get(f"/staff/people/{user.id}")
    admin.post(f"/staff/people/{user.id}/roles", {"roles": ["admin"]})
    assert ben.get("/staff/people").status_code == 200
    ben.post(f"/staff/people/{user.id}/roles", {"roles": ["scheduler"]})
    assert ben.get("/staff/people").status_code == 403
    assert audited(desk).count("roles_changed") == 2


def test_closing_an_account_ends_its_sessions_and_opening_it_lets_it_in_again(desk: Desk) -> None:
    admin, ben = desk.signed_in("Ada", "admin"), desk.browser()
    user = desk.account("Ben")
    ben.sign_in(user.email)
    assert ben.get("/staff/queue").status_code == 200
    admin.get(f"/staff/people/{user.id}")
    admin.post(f"/staff/people/{user.id}/disable")
    assert ben.get("/staff/queue").status_code == 302
    assert desk.browser().sign_in(user.email).status_code == 200
    admin.post(f"/staff/people/{user.id}/enable")
    assert ben.get("/staff/queue").status_code == 302
    assert desk.browser().sign_in(user.email).status_code == 302


def test_the_last_administrator_cannot_be_closed_or_made_less(desk: Desk) -> None:
    admin = desk.signed_in("Ada", "admin")
    with desk.parts.db.begin() as session:
        ada = session.scalars(sa.select(StaffUser)).one()
    closed = desk.account("Cleo", "admin")
    with desk.parts.db.begin() as session:
        session.execute(sa.update(StaffUser).where(StaffUser.id == closed.id).values(active=False))
    admin.get(f"/staff/people/{ada.id}")
    answer = admin.post(f"/staff/people/{ada.id}/roles", {"roles": ["nurse"]})
    assert answer.status_code == 422
    assert "This is the last administrator." in answer.text
    refused = admin.post(f"/staff/people/{ada.id}/disable", follow_redirects=True)
    assert "This is the last administrator." in refused.text
    assert admin.get("/staff/people").status_code == 200
    ben = desk.account("Ben", "admin")
    admin.get(f"/staff/people/{ben.id}")
    assert (
        "The account is closed" in admin.post(f"/staff/people/{ben.id}/disable", follow_redirects=True).text
    )


def test_who_gives_the_administrators_role_away_is_led_to_a_page_that_they_may_see(desk: Desk) -> None:
    user = desk.account("Ada", "admin")
    desk.account("Ben", "admin")
    admin = desk.signed_in(user)
    admin.get(f"/staff/people/{user.id}")
    done = admin.post(f"/staff/people/{user.id}/roles", {"roles": ["nurse"]}, follow_redirects=True)
    assert (done.status_code, done.request.path) == (200, "/staff/account")
    assert "The roles are kept." in done.text


def test_an_item_of_somebody_whose_account_is_closed_is_free_at_once(desk: Desk) -> None:
    ben = desk.account("Ben")
    emergency, done = desk.item("emergency"), desk.item("schedule")
    browser = desk.signed_in(ben)
    for item in (emergency, done):
        browser.post(f"/staff/items/{item}/claim")
    browser.post(f"/staff/items/{done}/outcome", {"outcome": "spam_or_test"})
    other = desk.item("nurse")
    desk.signed_in("Ada").post(f"/staff/items/{other}/claim")
    admin = desk.signed_in("Eve", "admin")
    admin.get(f"/staff/people/{ben.id}")
    admin.post(f"/staff/people/{ben.id}/disable")
    with desk.parts.db.begin() as session:
        stand = [session.get_one(CallbackItem, item) for item in (emergency, done, other)]
        assert [one.status for one in stand] == ["new", "done", "claimed"]
        assert stand[0].claimed_by is None


def test_two_administrators_cannot_close_each_other_at_the_same_moment(desk: Desk) -> None:
    ada, ben = desk.account("Ada", "admin"), desk.account("Ben", "admin")
    said: list[str] = []

    def close(other: uuid.UUID, me: uuid.UUID) -> None:
        try:
            with desk.parts.db.begin() as session:
                user = session.get_one(StaffUser, other, with_for_update=True)
                people.disable(session, user, now=desk.clock.now(), actor=str(me))
            said.append("closed")
        except PeopleError as error:
            said.append(str(error))

    def waits_or_is_done() -> bool:
        here = "datname = current_database() AND wait_event_type = 'Lock'"
        with desk.parts.db.begin() as session:
            return bool(
                said or session.scalar(sa.text(f"SELECT count(*) FROM pg_stat_activity WHERE {here}"))
            )

    second = threading.Thread(target=close, args=[ada.id, ben.id])
    with desk.parts.db.begin() as session:
        people.disable(session, session.get_one(StaffUser, ben.id), now=desk.clock.now(), actor=str(ada.id))
        session.flush()  # done, and not yet to be seen by the other
        second.start()
        wait_for(waits_or_is_done, 10, "the second administrator to wait")
    second.join()
    assert said == [people.LAST_ADMIN]
    with desk.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).where(StaffUser.active)) == 1


def test_resetting_the_second_step_forgets_it_ends_the_sessions_and_is_written_down(desk: Desk) -> None:
    admin, user = desk.signed_in("Ada", "admin"), desk.account("Ben")
    ben = desk.browser()
    ben.sign_in(user.email)
    assert ben.get("/staff/queue").status_code == 200
    with desk.parts.db.begin() as session:
        second_step.turn_on(session.get_one(StaffUser, user.id), second_step.new_secret(), 0)
    admin.get(f"/staff/people/{user.id}")
    admin.post(f"/staff/people/{user.id}/reset-second-step")
    assert ben.get("/staff/queue").status_code == 302
    fresh = of(desk, user.email)
    assert (fresh.tf_totp_secret, fresh.mf_recovery_codes, fresh.totp_counter) == (None, None, None)
    assert audited(desk)[-1] == "second_step_reset"
    assert desk.browser().sign_in(user.email, PASSWORD).location == "/staff/queue"


def test_an_administrator_signs_somebody_out_everywhere(desk: Desk) -> None:
    admin, user = desk.signed_in("Ada", "admin"), desk.account("Ben")
    browsers = [desk.browser() for _ in range(2)]
    for browser in browsers:
        browser.sign_in(user.email)
        assert browser.get("/staff/queue").status_code == 200
    admin.get(f"/staff/people/{user.id}")
    admin.post(f"/staff/people/{user.id}/end-sessions")
    assert [browser.get("/staff/queue").status_code for browser in browsers] == [302, 302]
    with desk.parts.db.begin() as session:
        still = sa.select(StaffSession).where(
            StaffSession.user_id == user.id, StaffSession.ended_at.is_(None)
        )
        assert session.scalars(still).all() == []


def test_pages_of_people_refuse_what_does_not_exist_and_forms_of_other_sites(desk: Desk) -> None:
    admin, user = desk.signed_in("Ada", "admin"), desk.account("Ben")
    admin.get("/staff/people")
    for path in (
        f"{uuid.uuid4()}/disable",
        f"{uuid.uuid4()}/roles",
        f"{uuid.uuid4()}/invite",
        f"{user.id}/x",
    ):
        assert admin.post(f"/staff/people/{path}", {"roles": ["nurse"]}).status_code == 404, path
    assert admin.post(f"/staff/people/{user.id}/invite").status_code == 404  # has an account already
    refused = admin.post(f"/staff/people/{user.id}/cancel", follow_redirects=True)
    assert "has opened the account already" in refused.text
    for path in ("people", f"people/{user.id}/disable", f"people/{user.id}/roles"):
        assert admin.client.post(f"/staff/{path}", data={"roles": "nurse"}).status_code == 400, path
    path = invited(admin)
    assert desk.browser().client.post(path, data={"new": NEW, "again": NEW}).status_code == 400
