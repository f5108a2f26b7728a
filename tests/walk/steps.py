"""Taking one step of a call from any point of it, through the real web app with real signatures."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import sqlalchemy as sa
from flask.testing import FlaskClient
from twilio.request_validator import RequestValidator

from nurseline.callbacks.models import CallbackItem
from nurseline.devphone.twiml import Element, read
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Call
from nurseline.parts import Parts

KEYS = tuple("1234567890*#")
WORDS_A_MINUTE = 150  # clinic rules 6: the speed of the voice
RIGHT = {"en": "side effects", "es": "efectos secundarios"}
WRONG = {"en": "purple elephants", "es": "elefantes morados"}
ALARM = {"en": "I can't breathe", "es": "no puedo respirar"}
# Words of consent: on a call they are asked back.
CONSENT = {
    "en": ("stop texting me", "wrong number", "start"),
    "es": ("ya no me manden mensajes", "numero equivocado", "start"),
}
SILENCE, HANG_UP = "silence", "hangs up"
ANSWERED, NOBODY = "somebody answers", "nobody answers"
SPOKE, SAID_NOTHING = "speaks a message", "says nothing"
# What a step may store, in an order in which it can be deleted.
STORED = (
    "voicemails", "callback_words", "callback_events", "callback_items", "outbound_events",
    "outbound_messages", "consent_events", "consent_states",
)  # fmt: skip


@dataclass(frozen=True)
class Document:
    """One answer of the line, as the carrier reads it."""

    text: str

    @cached_property
    def verbs(self) -> tuple[Element, ...]:
        return read(self.text, "voice").verbs

    @property
    def problems(self) -> list[str]:
        """What the carrier's grammar does not allow."""
        return [f"{one.code} {one.detail}" for one in read(self.text, "voice").problems]

    def all(self, name: str) -> list[Element]:
        """Every element of a name, in the order of the document."""
        return [one for one in self._every(self.verbs) if one.name == name]

    @property
    def said(self) -> str:
        return " ".join(one.text for one in self.all("Say"))

    @property
    def prompts(self) -> list[str]:
        """What is said between two moments at which the caller can choose, or at which something happens.

        Words inside a <Gather> can be cut short by a key and are followed by a moment to press or speak.
        """
        prompts = [""]
        for verb in self.verbs:
            said = verb.text if verb.name == "Say" else " ".join(say.text for say in verb.children)
            prompts[-1] = f"{prompts[-1]} {said}".strip()
            if verb.name in {"Gather", "Dial", "Record"}:
                prompts.append("")
        return [prompt for prompt in prompts if prompt]

    @property
    def kind(self) -> str:
        """What the line does after its words: listens, rings, records, or ends the call."""
        for name, kind in (("Dial", "rings"), ("Record", "records"), ("Gather", "listens")):
            if self.all(name):
                return kind
        return "ends"

    @property
    def addresses(self) -> list[str]:
        """Every address that the carrier will ask."""
        named = ("action", "url", "statusCallback", "recordingStatusCallback", "transcribeCallback")
        found = [one.attributes[n] for one in self._every(self.verbs) for n in named if n in one.attributes]
        return found + [one.text for one in self.all("Redirect")]

    @property
    def shape(self) -> str:
        """The document without what differs from call to call: step numbers, ids, moments."""
        plain = re.sub(r"/voice/step/\d+", "/voice/step/N", self.text)
        return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", plain)

    def _every(self, elements: tuple[Element, ...]) -> list[Element]:
        return [one for element in elements for one in (element, *self._every(element.children))]


@dataclass(frozen=True)
class Point:
    """Where a call stands: its stored state, and what the line said last."""

    state: str  # JSON, without what was said last
    document: Document
    language: str

    @property
    def key(self) -> tuple[str, int, int]:
        """What two points have in common that cannot go on differently."""
        state = json.loads(self.state)
        return self.document.shape, state["misses"], state["silences"]

    @property
    def fresh_menu(self) -> bool:
        """Whether the caller is at the main menu and was understood so far."""
        state = json.loads(self.state)
        return state["place"] == "menu" and not state["misses"] and not state["silences"]

    @property
    def answered(self) -> bool:
        """Whether the line has just given an answer, or the words of an emergency."""
        state = json.loads(self.state)
        return state["place"] == "topic" or any(name == "alarm" for name, _ in state["memory"])


@dataclass
class Caller:
    """Takes steps as one caller. ``number`` "anonymous": no caller ID."""

    client: FlaskClient
    parts: Parts
    token: str
    base: str
    number: str
    count: int = 0

    def first(self) -> Point:
        """The first words of a call."""
        return self._after(self._sid(), "/voice", {})

    def step(self, at: Point, what: str) -> Point | None:
        """What follows when the caller does ``what`` at a point; None after a hang-up."""
        sid = self._resume(at)
        if what == HANG_UP:
            self._post("/voice/status", {"CallSid": sid, "CallStatus": "completed", "CallDuration": "9"})
            return None
        action = next(one for one in at.document.addresses if "/voice/step/" in one)
        return self._after(sid, action.removeprefix(self.base), _form(what))

    def taken_back(self) -> tuple[str, ...]:
        """What the last step put into the queue, taken back: each step meets the same queue."""
        with self.parts.db.begin() as session:
            reasons = tuple(session.scalars(sa.select(CallbackItem.reason)))
            left = "SELECT 1 FROM outbound_messages UNION SELECT 1 FROM consent_events"
            if reasons or session.execute(sa.text(left)).first():
                for table in STORED:
                    session.execute(sa.text(f"DELETE FROM {table}"))
        return reasons

    def _resume(self, at: Point) -> str:
        """A call that stands at this point."""
        sid, now = self._sid(), self.parts.clock.now()
        with self.parts.db.begin() as session:
            known = self.number != "anonymous"
            contact = contact_for(session, self.parts.keyring, self.number, at=now) if known else None
            session.add(
                Call(
                    id=uuid.uuid4(),
                    call_sid=sid,
                    contact_id=contact.id if contact else None,
                    state=at.state,
                    started_at=now - timedelta(minutes=1),
                    pending=_pending(at.state),
                )
            )
        return sid

    def _after(self, sid: str, path: str, form: dict[str, str]) -> Point:
        text = self._post(path, {"CallSid": sid, "CallStatus": "in-progress", **form})
        with self.parts.db.begin() as session:
            state = session.scalars(sa.select(Call.state).where(Call.call_sid == sid)).one()
        return Point(state, Document(text), json.loads(state)["language"])

    def _post(self, path: str, form: dict[str, str]) -> str:
        complete = {"From": self.number, "To": "+15005550006", **form}
        signature = RequestValidator(self.token).compute_signature(self.base + path, complete)
        answer = self.client.post(path, data=complete, headers={"X-Twilio-Signature": signature})
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.get_data(as_text=True)

    def _sid(self) -> str:
        self.count += 1
        return f"CA{uuid.uuid4().hex}"


def _form(what: str) -> dict[str, str]:
    if what in KEYS:
        return {"Digits": what}
    ring = {"DialCallSid": f"CA{'0' * 32}"}
    fixed = {
        SILENCE: {},
        ANSWERED: {**ring, "DialCallStatus": "completed", "DialBridged": "true", "DialCallDuration": "60"},
        NOBODY: {**ring, "DialCallStatus": "no-answer", "DialBridged": "false"},
        SPOKE: {"RecordingSid": f"RE{uuid.uuid4().hex}", "RecordingDuration": "9", "Digits": "#"},
        SAID_NOTHING: {"RecordingDuration": "0"},
    }
    if what in fixed:
        return fixed[what]
    digits = what.replace(" ", "")
    return {"Digits": digits} if digits.isdigit() else {"SpeechResult": what, "Confidence": "0.9"}


def _pending(state: str) -> bool:
    return json.loads(state).get("place") in {"schedule_time", "confirm_number"} if state else False
