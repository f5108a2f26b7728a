"""The line as a walk needs it: everything a caller can meet is switched on."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from nurseline.app import create_app
from nurseline.clinic import service as clinic
from nurseline.clock import SetClock
from nurseline.local.postgres import Postgres
from nurseline.parts import Parts
from tests.support.line import settings_for
from tests.support.settings import SECRETS
from tests.walk.graph import Graph, explore
from tests.walk.steps import Caller

_numbers = itertools.count(1)
BASE = "https://line.example.org"
IN_HOURS = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # Tuesday, 10 in the morning in New York
OUT_OF_HOURS = IN_HOURS + timedelta(hours=12)
# When, from which number, and whether a second language is offered.
WAYS = {
    "in hours": (IN_HOURS, "+12025550123", True),
    "out of hours": (OUT_OF_HOURS, "+12025550123", True),
    "in hours, number hidden": (IN_HOURS, "anonymous", False),
    "out of hours, number hidden": (OUT_OF_HOURS, "anonymous", False),
}


def walk(database_url: str, instant: datetime, number: str, spanish: bool) -> Graph:
    """Walk one kind of call."""
    settings = settings_for(database_url, voicemail=True, offer_unsigned_languages=spanish)
    app = create_app(settings, clock=SetClock(instant))
    parts: Parts = app.extensions["nurseline"]
    with parts.db.begin() as session:
        for phone in clinic.phones(session):
            clinic.remove_phone(session, phone.id)
        for last in ("71", "72"):
            desk = clinic.Phone(f"Phone {last}", f"+120255501{last}")
            clinic.keep_phone(session, desk, settings.zone, now=instant, staff="test")
    caller = Caller(app.test_client(), parts, SECRETS["TWILIO_AUTH_TOKEN"], BASE, number)
    graph = explore(caller)
    parts.db.engine.dispose()
    return graph


# Between them they hold every place of a call; `python -m tests.walk` walks the other two as well.
@pytest.fixture(scope="module", params=["in hours", "out of hours, number hidden"])
def graph(request: pytest.FixtureRequest, postgres_server: Postgres, migrated_template: str) -> Graph:
    """Each kind of call, walked once for all tests."""
    name = f"walk_{next(_numbers)}"
    postgres_server.create(name, template=migrated_template)
    found = walk(postgres_server.url(name), *WAYS[request.param])
    postgres_server.drop(name)
    return found
