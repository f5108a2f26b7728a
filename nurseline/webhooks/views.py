"""The addresses that the carrier calls: /sms, /voice, /voice/step/N, /voice/status, /status.

Of calls that the line makes: /voice/reminder, /voice/reminder/N, /voice/reminder/status. Of calls of staff
to patients: /voice/callback, its key/N, after and status, and patient/status and patient/heard.
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from nurseline.carrier import twiml
from nurseline.carrier.errors import meaning_of
from nurseline.carrier.gateway import CALLBACK_OVERRIDES
from nurseline.messaging.reports import Report, apply_report
from nurseline.parts import current_parts
from nurseline.watch import service as watch
from nurseline.webhooks.callback_calls import (
    broken_callback,
    patient_heard,
    patient_status,
    staff_answered,
    staff_pressed,
    staff_returned,
    staff_status,
)
from nurseline.webhooks.calls import answer_call, end_call
from nurseline.webhooks.connecting import taken_document, whisper_document
from nurseline.webhooks.forms import (
    BadFormError,
    read_call,
    read_call_end,
    read_dial_end,
    read_recording,
    read_reference,
    read_reminder_call,
    read_status,
    read_text,
    read_transcript,
)
from nurseline.webhooks.guard import EMPTY, webhook
from nurseline.webhooks.last_resort import call_document, text_document
from nurseline.webhooks.reception import receive_text
from nurseline.webhooks.reminder_calls import answer_reminder_call, broken_document, end_reminder_call
from nurseline.webhooks.voicemail import receive_recording, receive_transcript

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/sms")
@webhook(text_document)
def sms() -> str:
    """A text came in."""
    parts = current_parts()
    replies = receive_text(parts, read_text(request.form))
    callback = f"{parts.settings.public_base_url}/status?ref="
    told = [twiml.Reply(reply.body, f"{callback}{reply.id}{CALLBACK_OVERRIDES}") for reply in replies]
    return twiml.messages(told)


@blueprint.post("/voice")
@webhook(call_document)
def voice() -> str:
    """A call begins."""
    return answer_call(current_parts(), read_call(request.form), 0)


@blueprint.post("/voice/step/<int(max=1000):step>")
@webhook(call_document)
def voice_step(step: int) -> str:
    """A caller pressed keys, spoke, or was silent."""
    return answer_call(current_parts(), read_call(request.form), step)


@blueprint.post("/voice/whisper/<uuid:call>/<uuid:phone>")
@webhook(None)
def whisper(call: uuid.UUID, phone: uuid.UUID) -> str:
    """Somebody picked up a telephone of the clinic that rings for a caller."""
    return whisper_document(current_parts(), call, phone)


@blueprint.post("/voice/whisper/<uuid:call>/<uuid:phone>/key")
@webhook(None)
def whisper_key(call: uuid.UUID, phone: uuid.UUID) -> str:
    """Whoever picked up pressed a key."""
    return taken_document(current_parts(), call, phone, request.form.get("Digits", ""))


@blueprint.post("/voice/recording")
@webhook(None)
def recording() -> str:
    """A recording is ready at the carrier."""
    receive_recording(current_parts(), read_recording(request.form))
    return EMPTY


@blueprint.post("/voice/transcript")
@webhook(None)
def transcript() -> str:
    """The carrier has written down what a recording says."""
    receive_transcript(current_parts(), read_transcript(request.form))
    return EMPTY


@blueprint.post("/voice/status")
@webhook(None)
def voice_status() -> str:
    """A call ended."""
    end_call(current_parts(), read_call_end(request.form))
    return EMPTY


@blueprint.post("/voice/reminder")
@webhook(broken_document)
def reminder_call() -> str:
    """A call of ours was answered, by whomever."""
    form = read_reminder_call(request.form, request.args.get("ref", ""))
    return answer_reminder_call(current_parts(), form, 0)


@blueprint.post("/voice/reminder/<int(max=1000):step>")
@webhook(broken_document)
def reminder_call_step(step: int) -> str:
    """Somebody we called pressed keys, spoke, or was silent."""
    form = read_reminder_call(request.form, request.args.get("ref", ""))
    return answer_reminder_call(current_parts(), form, step)


@blueprint.post("/voice/reminder/status")
@webhook(None)
def reminder_call_status() -> str:
    """A call of ours moved on or ended."""
    end_reminder_call(current_parts(), read_call_end(request.form), request.args.get("ref", ""))
    return EMPTY


@blueprint.post("/voice/callback")
@webhook(broken_callback)
def callback_answered() -> str:
    """A staff member who calls a patient back picked up."""
    return staff_answered(current_parts(), read_call(request.form), _reference())


@blueprint.post("/voice/callback/key/<int(max=10):times>")
@webhook(broken_callback)
def callback_pressed(times: int) -> str:
    """They pressed a key, or none."""
    return staff_pressed(current_parts(), read_call(request.form), _reference(), times)


@blueprint.post("/voice/callback/after")
@webhook(broken_callback)
def callback_after() -> str:
    """The patient's call ended before theirs."""
    return staff_returned(current_parts(), read_dial_end(request.form), _reference())


@blueprint.post("/voice/callback/status")
@webhook(None)
def callback_status() -> str:
    """Their call moved on or ended."""
    staff_status(current_parts(), read_call_end(request.form), _reference())
    return EMPTY


@blueprint.post("/voice/callback/patient/status")
@webhook(None)
def callback_patient_status() -> str:
    """The patient's call moved on or ended."""
    patient_status(current_parts(), read_call_end(request.form), _reference())
    return EMPTY


@blueprint.post("/voice/callback/patient/heard")
@webhook(None)
def callback_patient_heard() -> str:
    """The carrier knows who answered the patient's telephone."""
    call_sid, answered_by = read_call(request.form).call_sid, request.form.get("AnsweredBy", "")
    patient_heard(current_parts(), call_sid, answered_by, _reference())
    return EMPTY


def _reference() -> uuid.UUID:
    """What the request is about, from its address. Raises BadFormError where it says nothing."""
    reference = read_reference(request.args.get("ref", ""))
    if reference is None:
        raise BadFormError("ref")
    return reference


@blueprint.post("/status")
@webhook(None)
def status() -> str:
    """A message of ours moved on."""
    form = read_status(request.form, request.args.get("ref", ""))
    parts = current_parts()
    code = form.error_code
    meaning = meaning_of(code) if code else None
    report = Report(form.message_sid, form.status, parts.clock.now(), form.reference, code, meaning)
    with parts.db.begin() as session:
        apply_report(session, report, alarm=parts.sender.alarm)
    return EMPTY


@blueprint.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Whether this process can reach its database: 200 or 503."""
    try:
        with current_parts().db.begin() as session:
            session.execute(sa.text("SELECT 1"))
    except SQLAlchemyError:
        return jsonify(status="no database"), 503
    return jsonify(status="ok"), 200


@blueprint.get("/healthz/queues")
def healthz_queues() -> tuple[Response, int]:
    """Whether every queue of the workers is worked: 200 or 503, with seconds since the last sign of each."""
    parts = current_parts()
    now = parts.clock.now()
    try:
        with parts.db.begin() as session:
            signs, silent = watch.last_signs(session), watch.silent(session, now=now)
    except SQLAlchemyError:
        return jsonify(status="no database"), 503
    seconds = {queue: at and (now - at).total_seconds() for queue, at in signs.items()}
    return jsonify(status="silent" if silent else "ok", seconds=seconds), 503 if silent else 200
