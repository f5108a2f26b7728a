"""Calls and recordings in the REST interface.

https://www.twilio.com/docs/voice/api/call-resource and the error pages of the codes.
"""

from __future__ import annotations

import io
import re
import wave
from typing import Any

from flask import Response, jsonify, make_response, request

from nurseline.devphone import codes, rest_shapes
from nurseline.devphone.call import FINAL, Call
from nurseline.devphone.calls import Outgoing
from nurseline.devphone.errors import RestError
from nurseline.devphone.interpreter import Fetch, Inline, Target
from nurseline.devphone.ledger import Value
from nurseline.devphone.numbers import MAGIC_CALL_ERRORS, MAGIC_FROM, e164
from nurseline.devphone.reports import EVENTS, Report
from nurseline.devphone.rest import (
    account,
    blueprint,
    create,
    exchange,
    listing,
    not_found,
    paging,
)
from nurseline.devphone.rest_messages import add_dates
from nurseline.devphone.signing import usable_address

MOST_TWIML = 4000
NUMBER_SID = "PN" + "0" * 32


class _Row(dict[str, Any]):
    """A row of the ledger that a page can take its sequence number from."""

    @property
    def seq(self) -> int:
        return int(self["seq"])


@blueprint.post("/Calls.json")
def create_call() -> Response:
    return create("call", lambda _fate: make_response(_shown(exchange().calls.call_out(_wanted()).sid), 201))


def _wanted() -> Outgoing:
    """The form, checked.

    Raises:
        RestError: with Twilio's code for what is wrong.
    """
    form = request.form
    timeout = form.get("Timeout", "60")
    if not re.fullmatch(r"[0-9]{1,3}", timeout, re.ASCII) or not 1 <= int(timeout) <= 600:
        raise RestError(21208, "Invalid Timeout")
    fallback = form.get("FallbackUrl") or None
    if fallback and not usable_address(fallback):
        raise RestError(21205, "FallbackUrl is not a valid URL")
    detection = form.get("MachineDetection", "")
    if detection not in {"", "Enable", "DetectMessageEnd"}:
        raise RestError(20001, "MachineDetection must be Enable or DetectMessageEnd")
    asynchronous = form.get("AsyncAmd", "").lower() == "true"
    return Outgoing(
        to=_called(form.get("To", "").strip()),
        shown=_calling(form.get("From", "").strip()),
        target=_target(required=True) or Inline(""),
        timeout=float(timeout),
        report=_report(),
        fallback=fallback,
        machine_detection=detection,
        async_detection=form.get("AsyncAmdStatusCallback") if asynchronous else None,
    )


def _called(raw: str) -> str:
    if not raw:
        raise RestError(21201, "No 'To' number is specified")
    number = e164(raw)
    if number is None:
        raise RestError(21211, f"The phone number you are attempting to call, {raw}, is not valid.")
    if number in MAGIC_CALL_ERRORS:
        code = MAGIC_CALL_ERRORS[number]
        raise RestError(code, codes.text(code))
    return number


def _calling(raw: str) -> str:
    if not raw:
        raise RestError(21213, "A 'From' phone number is required")
    number = e164(raw)
    if number is None or number == "+15005550001":
        raise RestError(21212, f"The source phone number provided, {raw}, is not valid.")
    if number not in {exchange().settings.number, MAGIC_FROM}:
        raise RestError(
            21210, f"The source phone number provided, {raw}, is not yet verified for your account."
        )
    return number


def _target(*, required: bool) -> Target | None:
    """The document of a call: Twiml or Url."""
    form = request.form
    if form.get("Twiml"):
        if len(form["Twiml"]) > MOST_TWIML:
            raise RestError(20001, f"Twiml may have at most {MOST_TWIML} characters")
        return Inline(form["Twiml"])
    url, method = form.get("Url", ""), form.get("Method", "POST").upper()
    if not url and not required:
        return None
    if not usable_address(url):
        raise RestError(21205, "Url is not a valid URL: " + (url[:200] or "it is missing"))
    if method not in {"GET", "POST"}:
        raise RestError(21209, "Method must be GET or POST")
    return Fetch(url, method)


def _report() -> Report | None:
    form = request.form
    url = form.get("StatusCallback", "")
    if not url:
        return None
    if not usable_address(url):
        raise RestError(21609, f"The StatusCallback URL {url[:200]} is not a valid URL.")
    events = {part for given in form.getlist("StatusCallbackEvent") for part in given.split()} or {
        "completed"
    }
    if not events <= set(EVENTS):
        raise RestError(21626, "StatusCallbackEvent has an unknown event")
    return Report(url, frozenset(events), form.get("StatusCallbackMethod", "POST").upper())


def _row(sid: str) -> dict[str, Any]:
    found = exchange().calls.stored(sid)
    if found is None:
        raise not_found()
    return found


def _shown(sid: str) -> Response:
    return jsonify(rest_shapes.call(_row(sid), account(), NUMBER_SID))


@blueprint.get("/Calls/<sid>.json")
def fetch_call(sid: str) -> Response:
    return _shown(sid)


@blueprint.get("/Calls.json")
def list_calls() -> Response:
    number, size, below = paging(request.args)
    where: list[str] = []
    values: list[Value] = []
    for key, column in (
        ("To", "callee"),
        ("From", "caller"),
        ("Status", "status"),
        ("ParentCallSid", "parent"),
    ):
        if request.args.get(key):
            where.append(f"{column} = ?")
            values.append((e164(request.args[key]) if key in {"To", "From"} else None) or request.args[key])
    add_dates(request.args, "StartTime", "started", where, values)
    add_dates(request.args, "EndTime", "ended", where, values)
    if below is not None:
        where.append("seq < ?")
        values.append(below)
    # The conditions hold column names of this room; values go in as parameters.
    sql = f"SELECT * FROM calls WHERE {' AND '.join(where) or '1'} ORDER BY seq DESC LIMIT {size + 1:d}"  # noqa: S608
    rows = [_Row(dict(row)) for row in exchange().ledger.rows(sql, values)]
    return listing("calls", lambda row: rest_shapes.call(row, account(), NUMBER_SID), rows, number, size)


@blueprint.post("/Calls/<sid>.json")
def update_call(sid: str) -> Response:
    """Ends the call (Status) or sends it to another document (Url, Twiml)."""
    row, status = _row(sid), request.form.get("Status", "")
    call = exchange().calls.find(sid)
    if status not in {"", "completed", "canceled"}:
        raise RestError(20001, "Status must be completed or canceled")
    target = None if status else _target(required=False)
    if call is None or row["status"] in FINAL:
        raise RestError(21220, "Call is not in-progress. Cannot redirect.")
    if status:
        _stop(call, status)
    elif target:
        if call.answered_at is None:
            raise RestError(21220, "Call is not in-progress. Cannot redirect.")
        exchange().calls.divert(call, target)
    exchange().calls.settle(call, 1.0)
    return _shown(sid)


def _stop(call: Call, status: str) -> None:
    if status == "canceled" and call.answered_at is not None:
        raise RestError(21220, "Call is in-progress. Cannot cancel.")
    exchange().calls.hang_up(call, "line", "completed" if call.answered_at is not None else "canceled")


@blueprint.delete("/Calls/<sid>.json")
def delete_call(sid: str) -> Response:
    if _row(sid)["status"] not in FINAL:
        raise RestError(20009, "A call in progress cannot be deleted", 409)
    exchange().ledger.write("DELETE FROM calls WHERE sid = ?", [sid])
    return Response(status=204)


def _recording(sid: str) -> Any:
    rows = exchange().ledger.rows("SELECT * FROM recordings WHERE sid = ?", [sid])
    if not rows:
        raise not_found()
    return rows[0]


@blueprint.get("/Recordings/<sid>.json")
def fetch_recording(sid: str) -> Response:
    return jsonify(rest_shapes.recording(_recording(sid), account()))


@blueprint.delete("/Recordings/<sid>.json")
def delete_recording(sid: str) -> Response:
    _recording(sid)
    exchange().ledger.write("DELETE FROM recordings WHERE sid = ?", [sid])
    return Response(status=204)


@blueprint.get("/Recordings/<sid>")
@blueprint.get("/Recordings/<sid>.wav")
def recording_file(sid: str) -> Response:
    """Silence of the right length: the phone has no sound of its own."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 8000 * int(_recording(sid)["duration"]))
    return Response(file.getvalue(), mimetype="audio/wav")
