"""The staff pages on a database of their own, with accounts, patients and a clock that stands still."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nurseline.app import create_app
from nurseline.callbacks import service
from nurseline.callbacks.promises import Reason
from nurseline.clinic import service as clinic
from nurseline.clock import SetClock
from nurseline.config import Settings, load_settings
from nurseline.local.postgres import Postgres
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact
from nurseline.parts import Parts
from nurseline.staff import passwords, sessions
from nurseline.staff.accounts import SESSION_ID
from nurseline.staff.commands import insert_account
from nurseline.staff.models import StaffUser
from tests.support.settings import SECRETS

TUESDAY = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # 10 in the morning in New York
PASSWORD = "violet harbor seventeen"
PATIENT = "+12025550123"
_numbers = itertools.count(1)
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


@cache
def password_hash() -> str:
    """What is stored for `PASSWORD`; made once, since it is slow on purpose."""
    return passwords.hashed(PASSWORD)


class Browser:
    """A signed-in, or not signed-in, person's browser: sends the token of the last page with each form."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.token = ""

    def get(self, path: str, **more: Any) -> TestResponse:
        """Open a page."""
        return self._keep(self.client.get(path, **more))

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """Send a form of the last page."""
        return self._keep(self.client.post(path, data={"csrf_token": self.token, **(form or {})}, **more))

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> TestResponse:
        """Open the sign-in page and send it."""
        self.get("/staff/sign-in")
        return self.post("/staff/sign-in", {"email": email, "password": password, **more})

    def _keep(self, response: TestResponse) -> TestResponse:
        found = _TOKEN.search(response.text)
        self.token = found[1] if found else self.token
        return response


@dataclass
class Desk:
    """The app with what tests do to it beside clicking."""

    app: Flask
    parts: Parts
    clock: SetClock

    def browser(self) -> Browser:
        """A browser of its own."""
        return Browser(self.app.test_client())

    def account(self, name: str = "Ada", role: str = "nurse", email: str = "") -> StaffUser:
        """A new account with `PASSWORD`."""
        email = email or f"{name.lower()}{next(_numbers)}@example.org"
        with self.parts.db.begin() as session:
            return insert_account(
                session, self.parts, email=email, name=name, role=role, password_hash=password_hash()
            )

    def signed_in(self, who: str | StaffUser = "Ada", role: str = "nurse") -> Browser:
        """The browser of somebody, or of a new person, who has signed in without the slow password check."""
        browser, user = self.browser(), who if isinstance(who, StaffUser) else self.account(who, role)
        with self.parts.db.begin() as session:
            session_id = sessions.open_session(session, user.id, now=self.clock.now())
        with browser.client.session_transaction() as cookie:
            cookie.update({"_user_id": user.fs_uniquifier, "_fresh": True, SESSION_ID: str(session_id)})
        assert browser.get("/staff/queue").status_code == 200
        return browser

    def contact(self, number: str = PATIENT) -> Contact:
        """A contact with this number."""
        with self.parts.db.begin() as session:
            return contact_for(session, self.parts.keyring, number, at=self.clock.now())

    def item(
        self,
        reason: Reason = "schedule",
        words: str = "I want to come again",
        *,
        number: str | None = PATIENT,
        promised: timedelta = timedelta(hours=4),
        best_time: str = "",
        source: str = "text",
    ) -> uuid.UUID:
        """An item in the queue."""
        now = self.clock.now()
        with self.parts.db.begin() as session:
            contact = contact_for(session, self.parts.keyring, number, at=now) if number else None
            key = contact.number_hash if contact else f"CA{next(_numbers):032x}"
            wish = service.Request(reason, source, words, now + promised, key, contact, best_time)
            return service.request(session, wish, now=now).item_id


def staff_settings(database_url: str, **changed: Any) -> Settings:
    """Settings of a clinic in New York."""
    return load_settings(
        **{
            "database_url": database_url,
            "redis_url": "redis://127.0.0.1:1/0",  # none: sign-in must not need it
            "public_base_url": "http://127.0.0.1:8000",
            "nurseline_keys": SECRETS["NURSELINE_KEYS"],
            "secret_key": SECRETS["SECRET_KEY"],
            "twilio_account_sid": SECRETS["TWILIO_ACCOUNT_SID"],
            "twilio_auth_token": SECRETS["TWILIO_AUTH_TOKEN"],
            "twilio_from": "+15005550006",
            "clinic_name": "Your Clinic",
            "clinic_phone": "+12025550100",
            "clinic_timezone": "America/New_York",
            **changed,
        }
    )


@pytest.fixture(scope="module")
def shared_desk(postgres_server: Postgres, migrated_template: str) -> Iterator[Desk]:
    """An app that several tests share: only for tests that store nothing."""
    name = f"shared_desk_{next(_numbers)}"
    postgres_server.create(name, template=migrated_template)
    clock = SetClock(TUESDAY)
    app = create_app(staff_settings(postgres_server.url(name)), clock=clock)
    shared = Desk(app, app.extensions["nurseline"], clock)
    yield shared
    shared.parts.db.engine.dispose()
    postgres_server.drop(name)


@pytest.fixture
def make_desk(own_database_url: str) -> Iterator[Callable[..., Desk]]:
    """Make the app with changed settings."""
    made: list[Desk] = []

    def make(**changed: Any) -> Desk:
        clock = SetClock(TUESDAY)
        app = create_app(staff_settings(own_database_url, **changed), clock=clock)
        desk = Desk(app, app.extensions["nurseline"], clock)
        made.append(desk)
        return desk

    yield make
    for desk in made:
        desk.parts.db.engine.dispose()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """The app of a clinic in New York, on a Tuesday at ten."""
    return make_desk()


def telephone(desk: Desk) -> uuid.UUID:
    """A telephone of the clinic that rings for callers."""
    with desk.parts.db.begin() as session:
        phone = clinic.Phone("Front desk", "+12025550171")
        return clinic.keep_phone(session, phone, desk.parts.settings.zone, now=desk.clock.now(), staff="test")
