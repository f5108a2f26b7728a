"""The phone's own control interface under /phone/api: what a person does with a handset.

JSON in, JSON out; a mistake is 400 (404 for something unknown) with {"error": "one sentence"}. Times are ISO
8601 in UTC. `rev` counts changes: ask again with ?since=REV to get only what changed. Every path and shape
stands in the room's docstring.
"""

from __future__ import annotations

import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from nurseline.devphone import codes, reading
from nurseline.devphone.delivery import read_delivery
from nurseline.devphone.errors import BadInput
from nurseline.devphone.exchange import Exchange, exchange_of
from nurseline.devphone.ledger import Entry
from nurseline.devphone.message_store import Message
from nurseline.devphone.numbers import texting_party

blueprint = Blueprint("control", __name__, url_prefix="/phone/api")
DEFAULT_HANDSET = "+12025550123"
LONGEST_WAIT = 20.0


def exchange() -> Exchange:
    return exchange_of(current_app)


def iso(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def handset(raw: object) -> str:
    """A handset's number, which may not be the line's own."""
    number = texting_party(raw)
    if number == exchange().settings.number:
        raise BadInput("That is the line's own number; choose another for the handset.")
    return number


def shown_message(message: Message) -> dict[str, Any]:
    types = (
        {row["sid"]: row["content_type"] for row in exchange().texting.store.media(message.sid)}
        if message.media
        else {}
    )
    media = []
    for url in message.media:
        sid = url.rsplit("/", 1)[-1]
        media.append({"url": f"/phone/media/{sid}" if sid in types else url, "content_type": types.get(sid)})
    return {
        "sid": message.sid,
        "rev": message.rev,
        "direction": message.direction,
        "from": message.sender,
        "to": message.recipient,
        "body": message.body,
        "status": message.status,
        "segments": message.segments,
        "media": media,
        "error_code": message.error_code,
        "error": None if message.error_code is None else codes.text(message.error_code),
        "by_carrier": message.by_carrier,
        "at": iso(message.created),
        "changed": iso(message.updated),
    }


def shown_entry(entry: Entry) -> dict[str, Any]:
    return {**asdict(entry), "at": iso(entry.at)}


@blueprint.errorhandler(BadInput)
def _bad_input(error: BadInput) -> tuple[Response, int]:
    return jsonify({"error": str(error)}), error.status


@blueprint.get("/info")
def info() -> Response:
    settings = exchange().settings
    return jsonify(number=settings.number, line_url=settings.line_url, default_handset=DEFAULT_HANDSET)


@blueprint.get("/handsets")
def handsets() -> Response:
    ledger = exchange().ledger
    found = []
    for row in ledger.rows("SELECT number FROM handsets ORDER BY added, number"):
        number = row["number"]
        thread = exchange().texting.store.thread(number, 0, 1)
        found.append(
            {
                "number": number,
                "blocked": ledger.blocked(exchange().settings.number, number),
                "model": ledger.model(number),
                "last": shown_message(thread[0]) if thread else None,
            }
        )
    return jsonify(handsets=found)


@blueprint.put("/handsets/<number>")
def set_handset(number: str) -> Response:
    """How the handset behaves from now on; keys that are not given stay."""
    party = handset(number)
    given = reading.body("delivery", "call", "pace")
    model = exchange().ledger.model(party)
    if "delivery" in given:
        model["delivery"] = asdict(read_delivery(given["delivery"], exchange().texting.default_delivery))
    if "call" in given:
        model["call"] = reading.answering(given["call"])
    if "pace" in given:
        model["pace"] = reading.pace(given["pace"])
    exchange().ledger.set_model(party, model)
    return jsonify(number=party, model=model)


@blueprint.put("/carrier")
def set_carrier() -> Response:
    """How handsets without a model of their own behave."""
    given = reading.body("delivery")
    texting = exchange().texting
    if "delivery" in given:
        texting.default_delivery = read_delivery(given["delivery"], texting.default_delivery)
    return jsonify(delivery=asdict(texting.default_delivery))


@blueprint.get("/handsets/<number>/messages")
def thread(number: str) -> Response:
    party = handset(number)
    latest = exchange().ledger.latest
    found = exchange().texting.store.thread(party, reading.since())
    return jsonify(
        messages=[shown_message(message) for message in found],
        rev=max([latest, *(message.rev for message in found)]),
        blocked=exchange().ledger.blocked(exchange().settings.number, party),
    )


@blueprint.get("/messages")
def every_message() -> Response:
    """Every message that changed since, at most 1000: the ledger to compare a database with."""
    found = exchange().texting.store.select(["rev > ?"], [reading.since()], "rev", 1000)
    return jsonify(
        messages=[shown_message(m) for m in found], rev=found[-1].rev if found else reading.since()
    )


@blueprint.post("/messages")
def send() -> tuple[Response, int]:
    """A handset texts the line. With wait (the default) the answer holds what the line did with it."""
    given = reading.body("from", "body", "media", "wait")
    sender = handset(given.get("from"))
    pictures = reading.pictures(given.get("media", []))
    text = reading.words(given.get("body", ""), "body", empty=bool(pictures))
    wait = reading.flag(given.get("wait", True), "wait")
    texting = exchange().texting
    message, post = texting.receive(sender, text, pictures)
    done = threading.Event()

    def work() -> None:
        try:
            post()
        finally:
            done.set()

    exchange().background.soon(work)
    shown: dict[str, Any] = {"message": shown_message(message)}
    if wait:
        shown["answered"] = done.wait(LONGEST_WAIT)
        answers = texting.store.select(
            ["recipient = ?", "direction = 'outbound-reply'", "seq > ?"], [sender, message.seq], "seq", 100
        )
        shown["replies"] = [shown_message(answer) for answer in answers]
        shown["entries"] = [shown_entry(e) for e in exchange().ledger.entries_of(message.sid)]
    return jsonify(shown), 201


@blueprint.get("/debugger")
def debugger() -> Response:
    entries = exchange().ledger.entries(reading.since())
    return jsonify(
        entries=[shown_entry(e) for e in entries], latest=entries[-1].id if entries else reading.since()
    )


@blueprint.delete("/debugger")
def clear_debugger() -> Response:
    exchange().ledger.clear_entries()
    return jsonify(entries=[])
