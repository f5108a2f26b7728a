"""<Dial>: rings other numbers at the same time, plays the whisper, connects the first that is ready.

https://www.twilio.com/docs/voice/twiml/dial and /number. Not documented, and assumed here: with a whisper,
the others keep ringing until one side has heard it to the end.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from nurseline.devphone.call import Call, Wait
from nurseline.devphone.interpreter import Fetch, action
from nurseline.devphone.numbers import e164
from nurseline.devphone.runner import Elapsed, Event, HungUp, Key, LegEnded, LegReady, Speech
from nurseline.devphone.signing import Params
from nurseline.devphone.twiml import Element
from nurseline.devphone.webhook import WebhookFailed


class Legs(Protocol):
    """Who makes and ends the calls to the other side."""

    def ring_leg(
        self, parent: Call, number: str, shown: str, noun: Element | None, base: str, timeout: float
    ) -> Call: ...

    def ask_quietly(self, call: Call, fetch: Fetch) -> None: ...

    def end_leg(self, sid: str, status: str) -> None: ...

    def leg(self, sid: str) -> Call: ...


def dial(legs: Legs, call: Call, verb: Element, base: str) -> Generator[Wait, Event, Params]:
    """Carries out the verb; what it returns are the parameters for its action."""
    others = [child.name for child in verb.children if child.name != "Number"]
    if others:
        raise WebhookFailed(12200, f"This phone does not dial <{others[0]}>.")
    shown = verb.attributes.get("callerId") or call.caller
    timeout = float(verb.attributes.get("timeout", "30"))
    nouns: list[tuple[str, Element | None]] = [(child.text, child) for child in verb.children] or [
        (verb.text, None)
    ]
    ringing = [
        legs.ring_leg(call, e164(number) or number, e164(shown) or shown, noun, base, timeout).sid
        for number, noun in nouns
    ]
    call.add("note", f"Rings {', '.join(number for number, _ in nouns)}.")
    try:
        ready = yield from _wait_for_one(legs, call, ringing, timeout)
        if ready is not None:
            call.answer()
            yield from _bridge(legs, call, ready, verb)
    except HungUp:
        for sid in ringing:
            legs.end_leg(sid, "canceled")
        if "action" in verb.attributes:
            bridged = any(legs.leg(sid).phase == "bridged" for sid in ringing)
            result = [
                ("DialCallSid", ringing[-1]),
                ("DialCallStatus", "completed" if bridged else "canceled"),
            ]
            legs.ask_quietly(call, action(verb, base, result))
        raise
    leg = legs.leg(ready or ringing[-1])
    if call.pace == "hand":
        call.pass_time(leg.clock())
    return _result(leg, ready is not None)


def _wait_for_one(
    legs: Legs, call: Call, ringing: list[str], timeout: float
) -> Generator[Wait, Event, str | None]:
    """The leg that is ready to be connected, or None when none was."""
    left = set(ringing)
    ends = call.clock() + timeout
    while left:
        event = yield Wait("dialling", max(0.0, ends - call.clock()))
        if isinstance(event, LegReady) and event.sid in left:
            for sid in left - {event.sid}:
                legs.end_leg(sid, "canceled")
            return event.sid
        if isinstance(event, LegEnded):
            left.discard(event.sid)
        elif isinstance(event, Elapsed):
            for sid in left:
                legs.end_leg(sid, "no-answer")
            return None
        elif isinstance(event, Key):
            call.add("keys", event.digit)
    return None


def _bridge(legs: Legs, call: Call, ready: str, verb: Element) -> Generator[Wait, Event, None]:
    """Both sides talk, until one hangs up or the time limit is reached."""
    other = legs.leg(ready)
    call.add("note", f"Connected with {other.callee}.")
    other.add("note", f"Connected with {other.caller}.")
    limit = float(verb.attributes.get("timeLimit", "14400"))
    ends = call.clock() + limit
    while True:
        event = yield Wait("bridged", max(0.0, ends - call.clock()))
        if isinstance(event, LegEnded) and event.sid == ready:
            call.add("note", "The other side hung up.")
            return
        if isinstance(event, Elapsed):
            legs.end_leg(ready, "completed")
            return
        if isinstance(event, Speech):
            call.add("speech", event.text)
            other.add("say", event.text)
        elif isinstance(event, Key):
            call.add("keys", event.digit)
            if event.digit == "*" and verb.attributes.get("hangupOnStar") == "true":
                legs.end_leg(ready, "completed")
                return


def _result(leg: Call, bridged: bool) -> Params:
    params = [("DialCallSid", leg.sid), ("DialBridged", "true" if bridged else "false")]
    if bridged:
        return [*params, ("DialCallStatus", "completed"), ("DialCallDuration", str(leg.duration or 0))]
    # A leg that was picked up and never connected hung up during the whisper.
    status = leg.status if leg.status in {"busy", "no-answer", "failed", "canceled"} else "no-answer"
    return [*params, ("DialCallStatus", status)]
