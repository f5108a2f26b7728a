"""The web app on a database of its own, called as the carrier calls it: with real signatures."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from nurseline.app import create_app
from nurseline.clock import SetClock
from nurseline.config import load_settings
from nurseline.parts import Parts
from tests.support.settings import SECRETS

BASE = "https://line.example.org"
TOKEN = SECRETS["TWILIO_AUTH_TOKEN"]
OLD_TOKEN = "the-token-before-" + "0" * 15
TUESDAY = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # 10 in the morning in New York
_numbers = itertools.count(1)


@dataclass
class Carrier:
    """Posts signed forms to the app."""

    client: FlaskClient
    parts: Parts
    clock: SetClock
    token: str = TOKEN
    calls: dict[str, int] = field(default_factory=dict)

    def post(self, path: str, form: dict[str, Any], *, signature: str | None = None) -> TestResponse:
        """One webhook request."""
        signed = RequestValidator(self.token).compute_signature(BASE + path, form)
        given = signed if signature is None else signature
        return self.client.post(path, data=form, headers={"X-Twilio-Signature": given})

    def text(
        self, body: str, *, sender: str = "+12025550123", sid: str | None = None, **more: str
    ) -> list[str]:
        """A text comes in; the bodies of the replies."""
        form = {
            "MessageSid": sid or new_sid("SM"),
            "From": sender,
            "To": "+15005550006",
            "Body": body,
            "NumMedia": "0",
        }
        answer = self.post("/sms", {**form, **more})
        assert answer.status_code == 200, answer.status_code
        return [message.text or "" for message in ET.fromstring(answer.data).iter("Message")]

    def call(self, sid: str, step: int, *, caller: str = "+12025550123", **more: str) -> ET.Element:
        """One request of a call; the TwiML."""
        path = "/voice" if step == 0 else f"/voice/step/{step}"
        form = {"CallSid": sid, "From": caller, "To": "+15005550006", "CallStatus": "in-progress", **more}
        answer = self.post(path, form)
        assert answer.status_code == 200, answer.status_code
        return ET.fromstring(answer.data)


def new_sid(prefix: str) -> str:
    """A sid of the carrier's form that no other test uses."""
    return f"{prefix}{next(_numbers):032x}"


def heard(document: ET.Element) -> str:
    """All that a caller hears of one document."""
    return " ".join(say.text or "" for say in document.iter("Say"))


@pytest.fixture
def carrier(own_database_url: str) -> Iterator[Carrier]:
    clock = SetClock(TUESDAY)
    settings = load_settings(
        database_url=own_database_url,
        redis_url="redis://127.0.0.1:1/0",  # none: no webhook may need it
        public_base_url=BASE,
        nurseline_keys=SECRETS["NURSELINE_KEYS"],
        secret_key=SECRETS["SECRET_KEY"],
        twilio_account_sid=SECRETS["TWILIO_ACCOUNT_SID"],
        twilio_auth_token=TOKEN,
        twilio_auth_token_previous=OLD_TOKEN,
        twilio_from="+15005550006",
        clinic_name="Your Clinic",
        clinic_phone="+12025550100",
        clinic_timezone="America/New_York",
        alert_numbers="+12025550190, 202-555-0191",
    )
    app = create_app(settings, clock=clock)
    parts: Parts = app.extensions["nurseline"]
    yield Carrier(app.test_client(), parts, clock)
    parts.db.engine.dispose()
