"""The web app on a database of its own, called as the carrier calls it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from nurseline.app import create_app
from nurseline.clock import SetClock
from nurseline.config import load_settings
from nurseline.messaging.rate import NoLimit
from nurseline.parts import Parts
from tests.support.line import FakeGateway, fetch, make_contact, make_injection
from tests.support.settings import SECRETS
from tests.webhooks.support import BASE, OLD_TOKEN, PATIENT, TOKEN, TUESDAY, Carrier, OurCall, Place


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


@pytest.fixture
def place(carrier: Carrier) -> Place:
    """Enrol a patient a day after the injection and make the call that is due; `by`: who will answer."""

    def make(by: str | None = "human", **changed: object) -> OurCall:
        parts, gateway = carrier.parts, FakeGateway()
        contact = make_contact(parts, PATIENT)
        performed = {"performed_at": carrier.clock.now() - timedelta(hours=24), "channel": "call"}
        make_injection(parts, contact, **{**performed, **changed})
        replace(parts.sender, gateway=gateway, rate=NoLimit()).send_due()
        (asked,) = gateway.calls
        row = fetch(parts, asked.reference)
        assert row.provider_sid is not None
        return OurCall(carrier, row.id, row.provider_sid, by)

    return make
