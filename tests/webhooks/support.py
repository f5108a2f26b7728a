"""The carrier, as tests of the webhooks play it: with real signatures."""

from __future__ import annotations

import itertools
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator
from werkzeug.test import TestResponse

from nurseline.callbacks.models import CallbackItem
from nurseline.callbacks.service import queue
from nurseline.clock import SetClock
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from tests.support.line import fetch
from tests.support.settings import SECRETS

BASE = "https://line.example.org"
TOKEN = SECRETS["TWILIO_AUTH_TOKEN"]
OLD_TOKEN = "the-token-before-" + "0" * 15
TUESDAY = datetime(2026, 3, 3, 15, 0, tzinfo=UTC)  # 10 in the morning in New York
PATIENT = "+12025550123"
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


def items(carrier: Carrier) -> list[CallbackItem]:
    """What is open in the queue, what comes first first."""
    with carrier.parts.db.begin() as session:
        return list(queue(session))


@dataclass
class OurCall:
    """A call of ours to a patient, as the carrier carries it out."""

    carrier: Carrier
    message: uuid.UUID
    sid: str
    by: str | None = "human"
    last: int = -1

    def ask(self, **more: str) -> ET.Element:
        """The next request of the call; its document."""
        self.last += 1
        return self.again(**more)

    def again(self, **more: str) -> ET.Element:
        """The same request once more."""
        path = "/voice/reminder" + (f"/{self.last}" if self.last else "")
        answer = self.carrier.post(f"{path}?ref={self.message}", {**self.form(), **more})
        assert answer.status_code == 200, answer.status_code
        return ET.fromstring(answer.data)

    def form(self, status: str = "in-progress") -> dict[str, str]:
        shown = {
            "CallSid": self.sid,
            "From": "+15005550006",
            "To": PATIENT,
            "Direction": "outbound-api",
            "CallStatus": status,
        }
        return {**shown, "AnsweredBy": self.by} if self.by else shown

    def says(self, **more: str) -> str:
        """All that is heard of the next document."""
        return heard(self.ask(**more))

    def key(self, key: str) -> str:
        return self.says(Digits=key)

    def silence(self) -> ET.Element:
        return self.ask(Digits="")

    def report(self, status: str, seconds: int | None = None) -> None:
        """A status callback."""
        duration = {} if seconds is None else {"CallDuration": str(seconds)}
        path = f"/voice/reminder/status?ref={self.message}"
        assert self.carrier.post(path, {**self.form(status), **duration}).status_code == 200

    @property
    def row(self) -> OutboundMessage:
        return fetch(self.carrier.parts, self.message)


Place = Callable[..., OurCall]
