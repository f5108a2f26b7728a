"""Calls in the control interface: what a person with a handset does, and what they hear."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import Any

from flask import Response, jsonify, request

from nurseline.devphone import reading
from nurseline.devphone.call import FINAL, PICKED_UP, Call, Line, transcript
from nurseline.devphone.control import blueprint, exchange, handset, iso, shown_entry, shown_message
from nurseline.devphone.errors import BadInput
from nurseline.devphone.numbers import calling_party
from nurseline.devphone.runner import Elapsed, Event, Key, Refused, Skip, Speech

LONGEST_WAIT = 20.0
MOST_KEYS = 40
MOST_WORDS = 1000


def shown_call(call: Call) -> dict[str, Any]:
    wait = call.wait
    waiting = None
    if wait is not None and wait.phase != "ended":
        waiting = {"phase": wait.phase, "seconds": wait.seconds, "digits": call.digits}
        if wait.listening:
            waiting |= asdict(wait.listening)
    return {
        "sid": call.sid,
        "direction": call.direction,
        "from": call.caller,
        "to": call.callee,
        "parent": call.parent,
        "legs": list(call.legs),
        "status": call.status,
        "phase": call.phase,
        "pace": call.pace,
        "ended": call.status in FINAL,
        "answered": call.answered_at is not None,
        "answered_by": call.answered_by,
        "seconds": round(call.clock(), 2) if call.status not in FINAL else None,
        "duration": call.duration,
        "at": iso(call.created),
        "waiting": waiting,
        "lines": [asdict(line) for line in list(call.lines)],
    }


def _stored(row: dict[str, Any]) -> dict[str, Any]:
    """A call of an earlier run, in the same shape."""
    call = Call(row["direction"], row["caller"], row["callee"], parent=row["parent"], sid=row["sid"])
    call.status, call.phase, call.answered_by = row["status"], "ended", row["answered_by"]
    call.created, call.duration, call.answered_at = row["created"], row["duration"], row["started"]
    call.lines = [Line(**line) for line in json.loads(row["lines"])]
    return shown_call(call)


def _live(sid: str) -> Call:
    found = exchange().calls.find(sid)
    if found is None:
        if exchange().calls.stored(sid):
            raise BadInput("The call has ended.", 409)
        raise BadInput("There is no such call.", 404)
    return found


def _after(call: Call, heard: int, status: int = 200) -> tuple[Response, int]:
    """The call when it stands still again, with what the line said since."""
    settled = exchange().calls.settle(call, LONGEST_WAIT)
    shown = shown_call(call)
    shown["settled"] = settled
    shown["said"] = [line["text"] for line in shown["lines"][heard:] if line["kind"] == "say"]
    return jsonify(shown), status


@blueprint.post("/calls")
def start_call() -> tuple[Response, int]:
    """A handset calls the line. By hand (the default) no time passes until something is done."""
    given = reading.body("from", "pace", "hidden")
    caller = calling_party(given.get("from"))
    if caller == exchange().settings.number:
        raise BadInput("That is the line's own number; choose another for the handset.")
    pace = reading.pace(given.get("pace", "hand"))
    hidden = reading.flag(given.get("hidden", False), "hidden")
    return _after(exchange().calls.dial_line(caller, pace, hidden=hidden), 0, 201)


@blueprint.get("/calls")
def list_calls() -> Response:
    """Calls of this run, oldest first; ?handset=NUMBER and ?active=1 narrow them."""
    found = exchange().calls.all()
    if "handset" in request.args:
        found = exchange().calls.of_handset(calling_party(request.args["handset"]))
    if request.args.get("active") == "1":
        found = [call for call in found if call.status not in FINAL]
    return jsonify(calls=[shown_call(call) for call in found])


@blueprint.get("/calls/<sid>")
def show_call(sid: str) -> Response:
    call = exchange().calls.find(sid)
    if call:
        return jsonify(shown_call(call))
    row = exchange().calls.stored(sid)
    if row is None:
        raise BadInput("There is no such call.", 404)
    return jsonify(_stored(row))


@blueprint.get("/calls/<sid>/text")
def call_text(sid: str) -> Response:
    call = exchange().calls.find(sid)
    row = None if call else exchange().calls.stored(sid)
    if call is None and row is None:
        raise BadInput("There is no such call.", 404)
    lines = list(call.lines) if call else [Line(**line) for line in json.loads((row or {})["lines"])]
    return Response(transcript(lines), mimetype="text/plain")


def _do(sid: str, *events: Event) -> tuple[Response, int]:
    call = _live(sid)
    heard = len(call.lines)
    for event in events:
        exchange().calls.post(call, event)
    return _after(call, heard)


@blueprint.post("/calls/<sid>/press")
def press(sid: str) -> tuple[Response, int]:
    """Keys, one after the other."""
    digits = reading.body("digits").get("digits")
    if not isinstance(digits, str) or not re.fullmatch(rf"[0-9*#]{{1,{MOST_KEYS}}}", digits, re.ASCII):
        raise BadInput(f"digits must be 1 to {MOST_KEYS} of the keys 0-9, * and #.")
    return _do(sid, *(Key(digit) for digit in digits))


@blueprint.post("/calls/<sid>/speak")
def speak(sid: str) -> tuple[Response, int]:
    """Words, as the recogniser would write them down; confidence 0 to 1, null to leave it out."""
    given = reading.body("text", "confidence")
    text = reading.words(given.get("text"), "text", MOST_WORDS)
    confidence = given.get("confidence", 0.9)
    number = isinstance(confidence, int | float) and not isinstance(confidence, bool)
    if confidence is not None and not (number and 0 <= confidence <= 1):
        raise BadInput("confidence must be a number from 0 to 1, or null.")
    return _do(sid, Speech(text, confidence))


@blueprint.post("/calls/<sid>/silence")
def silence(sid: str) -> tuple[Response, int]:
    """Nothing is said until the line stops waiting; words that are being said are skipped first."""
    call = _live(sid)
    reading.body()
    if call.phase in {"speaking", "pausing"}:
        exchange().calls.post(call, Skip())
        exchange().calls.settle(call, LONGEST_WAIT)
    return _do(sid, Elapsed())


@blueprint.post("/calls/<sid>/skip")
def skip(sid: str) -> tuple[Response, int]:
    """Skips words and pauses until the line listens."""
    reading.body()
    return _do(sid, Skip())


@blueprint.post("/calls/<sid>/hangup")
def hangup(sid: str) -> tuple[Response, int]:
    call = _live(sid)
    reading.body()
    heard = len(call.lines)
    if call.status in FINAL:
        raise BadInput("The call has ended.", 409)
    exchange().calls.hang_up(call, "handset")
    return _after(call, heard)


@blueprint.post("/calls/<sid>/answer")
def answer(sid: str) -> tuple[Response, int]:
    """Picks up a handset that rings: by a "human" (the default), "machine", "fax" or who is "unknown"."""
    by = reading.body("by").get("by", "human")
    if by not in PICKED_UP:
        raise BadInput("by must be human, machine, fax or unknown.")
    call = _ringing(sid)
    heard = len(call.lines)
    exchange().calls.pick_up(call, by)
    return _after(call, heard)


@blueprint.post("/calls/<sid>/decline")
def decline(sid: str) -> tuple[Response, int]:
    reading.body()
    _ringing(sid)
    return _do(sid, Refused("busy"))


def _ringing(sid: str) -> Call:
    call = _live(sid)
    if call.phase != "ringing" or call.direction == "inbound":
        raise BadInput("That call does not ring at a handset.", 409)
    return call


def current(number: str) -> Call | None:
    """The call the handset is in, else its last one of this run."""
    found = exchange().calls.of_handset(number)
    active = [call for call in found if call.status not in FINAL]
    known = active or found
    return known[-1] if known else None


@blueprint.get("/handsets/<number>/poll")
def poll(number: str) -> Response:
    """What the page shows: changed messages, the call, new debugger lines. Asked about once a second."""
    party = handset(number)
    latest = exchange().ledger.latest
    messages = exchange().texting.store.thread(party, reading.since())
    call = current(party)
    entries = exchange().ledger.entries(reading.since("entries"))
    return jsonify(
        messages=[shown_message(message) for message in messages],
        rev=max([latest, *(message.rev for message in messages)]),
        blocked=exchange().ledger.blocked(exchange().settings.number, party),
        call=shown_call(call) if call else None,
        entries=[shown_entry(entry) for entry in entries],
        latest=entries[-1].id if entries else reading.since("entries"),
    )
