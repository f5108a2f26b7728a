"""Every page against the table of what each role may do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from flask import Flask
from werkzeug.routing import Rule

from nurseline.staff.audit import What
from nurseline.staff.rights import RIGHTS, ROLE_WORDS, Right
from nurseline.staff.words import AUDIT
from tests.staff.conftest import Desk
from tests.staff.test_staff_security import BEFORE_SIGN_IN, address


def room_of(app: Flask, endpoint: str) -> str:
    """The module in `staff.views` that a page stands in."""
    return app.view_functions[endpoint].__module__.rpartition(".")[2]


def pages(app: Flask) -> Iterator[Rule]:
    """Every address of the staff pages behind the sign-in."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("staff.") and rule.endpoint not in {"staff.static"} | BEFORE_SIGN_IN:
            yield rule


def right_of(app: Flask, endpoint: str) -> Right:
    """The one line of the table that a page falls under."""
    room = room_of(app, endpoint)
    single = [right for right in RIGHTS if endpoint in right.pages]
    found = single or [right for right in RIGHTS if room in right.views]
    assert len(found) == 1, f"{endpoint}: {room} stands in {len(found)} lines of rights.RIGHTS"
    return found[0]


def test_every_page_stands_in_the_table_and_is_open_to_the_roles_that_stand_there(shared_desk: Desk) -> None:
    app = shared_desk.app
    for rule in pages(app):
        allowed = app.view_functions[rule.endpoint].allowed_roles  # type: ignore[attr-defined]
        assert allowed == right_of(app, rule.endpoint).roles, rule.endpoint
    rooms = {room_of(app, rule.endpoint) for rule in pages(app)}
    assert {room for right in RIGHTS for room in right.views} <= rooms


@pytest.mark.parametrize("role", list(ROLE_WORDS))
def test_each_role_opens_what_the_table_says_and_nothing_else(desk: Desk, role: str) -> None:
    browser, asked = desk.signed_in("Ada", role), 0
    for rule in sorted(pages(desk.app), key=lambda rule: rule.rule):
        may = role in right_of(desk.app, rule.endpoint).roles
        for method in sorted((rule.methods or set()) & {"GET", "POST"}):
            if rule.endpoint == "staff.lock_state":
                continue  # a script's own
            # Without the token of a form nothing is done; who may not open it is told so first.
            sent = browser.client.open(address(desk.app, rule), method=method)
            asked += 1
            assert (sent.status_code != 403) == may, (rule.endpoint, method, sent.status_code)
            assert sent.status_code < 500, rule.endpoint
            assert "/sign-in" not in (sent.location or ""), rule.endpoint
    assert asked > 60


def test_the_page_with_the_table_says_the_same(shared_desk: Desk) -> None:
    page = shared_desk.signed_in("Ada", "admin").get("/staff/people/rights").text
    for right in RIGHTS:
        row = page.split(f'<th scope="row">{right.what.replace(chr(39), "&#39;")}</th>')[1].split("</tr>")[0]
        assert row.count(">yes<") == len(right.roles), right.what


def test_everything_that_is_written_down_has_words(shared_desk: Desk) -> None:
    assert set(AUDIT) == set(get_args(What))
    assert shared_desk.signed_in("Ada", "supervisor").get("/staff/record").status_code == 200
