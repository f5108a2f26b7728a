"""The line's parts on a real database with a clock that tests set, and a carrier that does as it is told."""

import itertools
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from nurseline.aftercare.service import Enrolled, Enrolment, enrol
from nurseline.app import build
from nurseline.clock import SetClock
from nurseline.config import Settings, load_settings
from nurseline.consent import service as consent
from nurseline.messaging import outbox
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, OutboundEvent, OutboundMessage
from nurseline.messaging.rate import NoLimit
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Listing, SendOutcome, Standing
from nurseline.parts import Parts
from nurseline.tables import Base
from nurseline.webhooks.effects import Party, begin_messages, end_messages
from tests.support.settings import SECRETS

TUESDAY = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # 10 in the morning in New York
NUMBER, OTHER_NUMBER = "+12025550123", "+12025550124"
ZONE = "America/New_York"
STAFF = "staff-1"
_sids = itertools.count(1)
Given = TypeVar("Given")


def settings_for(database_url: str, **overrides: Any) -> Settings:
    """Complete, valid settings; nothing needs to stand in the environment."""
    needed: dict[str, Any] = {
        "database_url": database_url,
        "public_base_url": "https://line.example.org",
        "nurseline_keys": SECRETS["NURSELINE_KEYS"],
        "secret_key": SECRETS["SECRET_KEY"],
        "twilio_account_sid": SECRETS["TWILIO_ACCOUNT_SID"],
        "twilio_auth_token": SECRETS["TWILIO_AUTH_TOKEN"],
        "twilio_from": "+15005550006",
        "clinic_name": "Your Clinic",
        "clinic_phone": "+12025550100",
        "clinic_timezone": ZONE,
        "segments_per_second": 0,  # tests of the rate bring their own
    }
    return load_settings(**{**needed, **overrides})


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """Take back what a test put into the environment: the command line reads the settings of a local run."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def clock() -> SetClock:
    """Stands still on a Tuesday at 10 in the morning in New York."""
    return SetClock(TUESDAY)


@pytest.fixture
def parts(database_url: str, clock: SetClock) -> Iterator[Parts]:
    """The line's parts, wired as in a process, on empty tables."""
    made = build(settings_for(database_url), clock=clock)
    tables = ", ".join(f'"{table.name}"' for table in Base.metadata.sorted_tables)
    with made.db.begin() as session:
        session.execute(sa.text(f"TRUNCATE {tables} RESTART IDENTITY CASCADE"))
    yield made
    made.db.engine.dispose()


def sid(prefix: str = "SM") -> str:
    """A sid of the carrier's form that no other test uses."""
    return f"{prefix}{next(_sids):032x}"


@dataclass(frozen=True)
class Sent:
    """One request to the carrier."""

    to: str
    body: str
    reference: uuid.UUID


Script = SendOutcome | BaseException | Callable[[Sent], SendOutcome]


@dataclass
class FakeGateway:
    """Records what it is asked to send, and answers as scripted, then with ``Accepted``.

    ``script``: outcomes in order; an exception is raised, a callable is asked while the request is under way.
    ``held``: what `find` gives, by body: sids, or where each stands; ``complete``: whether the list is whole.
    ``stands``: what `look` gives, by sid. ``down``: both raise OSError. ``calls``: what it was asked to call;
    ``calls_held``: what `find_calls` gives.
    """

    script: list[Script] = field(default_factory=list)
    sends: list[Sent] = field(default_factory=list)
    calls: list[Sent] = field(default_factory=list)
    calls_held: list[Standing] = field(default_factory=list)
    held: dict[str, list[str | Standing]] = field(default_factory=dict)
    complete: bool = True
    looked_up: list[tuple[str, str, datetime]] = field(default_factory=list)
    stands: dict[str, Standing] = field(default_factory=dict)
    looked_at: list[str] = field(default_factory=list)
    down: bool = False
    _lock: Lock = field(default_factory=Lock)

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        return self._asked(Sent(to, body, reference), self.sends, "SM")

    def call(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        return self._asked(Sent(to, "", reference), self.calls, "CA")

    def _asked(self, sent: Sent, kept: list[Sent], prefix: str) -> SendOutcome:
        with self._lock:
            kept.append(sent)
            answer = self.script.pop(0) if self.script else Accepted(sid(prefix))
        if isinstance(answer, BaseException):
            raise answer
        return answer(sent) if callable(answer) else answer

    def find(self, *, to: str, body: str, since: datetime) -> Listing:
        if self.down:
            raise OSError
        self.looked_up.append((to, body, since))
        held = [
            one if isinstance(one, Standing) else Standing(one, "sent", since)
            for one in self.held.get(body, [])
        ]
        return Listing(held, complete=self.complete)

    def look(self, sid: str) -> Standing | None:
        if self.down:
            raise OSError
        self.looked_at.append(sid)
        return self.stands.get(sid)

    def find_calls(self, *, to: str, since: datetime) -> Listing:
        if self.down:
            raise OSError
        self.looked_up.append((to, "", since))
        return Listing(self.calls_held, complete=self.complete)

    def look_at_call(self, sid: str) -> Standing | None:
        return self.look(sid)


@pytest.fixture
def gateway() -> FakeGateway:
    """A carrier that accepts everything unless scripted."""
    return FakeGateway()


@pytest.fixture
def sender(parts: Parts, gateway: FakeGateway) -> Sender:
    """The real sending logic with the scripted carrier."""
    return replace(parts.sender, rate=NoLimit(), gateway=gateway)


def make_contact(parts: Parts, number: str = NUMBER, *, agreed: bool = False) -> Contact:
    """The contact with this number; ``agreed``: it has opted in."""
    with parts.db.begin() as session:
        contact = contact_for(session, parts.keyring, number, at=parts.clock.now())
        if agreed:
            consent.opt_in(session, record(parts, contact))
        session.refresh(contact, ["number"])  # tests read it afterwards
        return contact


def record(parts: Parts, contact: Contact, method: str = "staff", words: str = "agreed") -> consent.Record:
    """What goes into the ledger of consent for a contact."""
    actor = STAFF if method == "staff" else "patient"
    return consent.Record(contact.number_hash, parts.clock.now(), method, words, actor=actor)


def enrolment(parts: Parts, **changed: Any) -> Enrolment:
    """What staff enter for an injection performed just now."""
    usual = Enrolment(parts.clock.now(), ZONE, "en", True, "I agree to follow-up texts.", "1", STAFF)
    return replace(usual, **changed)


def make_injection(parts: Parts, contact: Contact, **changed: Any) -> Enrolled:
    """Enrol an injection of this contact."""
    with parts.db.begin() as session:
        return enrol(session, contact, enrolment(parts, **changed), now=parts.clock.now())


def say_stop(parts: Parts, contact: Contact) -> None:
    """The patient texts STOP, as the webhook of texts carries it out."""
    with parts.db.begin() as session:
        end_messages(parts, session, _party(contact, "STOP"), "carrier", carrier_blocked=True)


def say_start(parts: Parts, contact: Contact) -> None:
    """The patient texts START, as the webhook of texts carries it out."""
    with parts.db.begin() as session:
        begin_messages(parts, session, _party(contact, "START"), "carrier")


def _party(contact: Contact, words: str) -> Party:
    return Party(contact, contact.number_hash, "text", sid(), words)


def plan_one(parts: Parts, contact: Contact, purpose: str = "reminder", **changed: Any) -> uuid.UUID:
    """One message that is due now, with words of its own unless told otherwise."""
    usual = outbox.Plan(purpose, "test.words", "en", parts.clock.now(), body="Words for one patient.")
    with parts.db.begin() as session:
        (made,) = outbox.plan(session, contact, [replace(usual, **changed)], at=parts.clock.now())
        return made


def fetch(parts: Parts, message_id: uuid.UUID) -> OutboundMessage:
    """The message as it stands in the database."""
    with parts.db.begin() as session:
        return session.get_one(OutboundMessage, message_id)


def messages_of(parts: Parts, contact: Contact) -> list[OutboundMessage]:
    """Every message of a contact, in order of its time."""
    query = sa.select(OutboundMessage).where(OutboundMessage.contact_id == contact.id)
    with parts.db.begin() as session:
        return list(session.scalars(query.order_by(OutboundMessage.send_after)))


def history(parts: Parts, message_id: uuid.UUID) -> list[str]:
    """The statuses a message had, in order."""
    query = sa.select(OutboundEvent.status).where(OutboundEvent.subject_id == message_id)
    with parts.db.begin() as session:
        return list(session.scalars(query.order_by(OutboundEvent.id)))


def at_once(*calls: Callable[[], Given]) -> list[Given | BaseException]:
    """Run the calls in one thread each, all let go at the same moment; what each gave or raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Given]) -> Given | BaseException:
        start.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001, RUF100 - given back to the test, which judges it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def instants(first: datetime, last: datetime) -> st.SearchStrategy[datetime]:
    """Any second between two instants, in UTC."""
    seconds = int((last - first).total_seconds())
    return st.integers(0, seconds).map(lambda after: first + timedelta(seconds=after))


def minutes(count: float) -> timedelta:
    """A span of minutes."""
    return timedelta(minutes=count)
