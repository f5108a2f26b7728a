"""What the carrier posts, read into typed records. Unknown fields are ignored, impossible ones refused."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Literal

from werkzeug.datastructures import MultiDict

Form = MultiDict[str, str]

_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
_CALL_SID = re.compile(r"CA[0-9a-fA-F]{32}")
_RECORDING_SID = re.compile(r"RE[0-9a-fA-F]{32}")
_STATUS = re.compile(r"[a-z-]{1,16}")
_HEARD_LONGEST = 2000
_TRANSCRIPT_LONGEST = 5000
_SENDER_LONGEST = 100


class BadFormError(ValueError):
    """A field without which the event cannot be told apart is missing or malformed."""


@dataclass(frozen=True, slots=True)
class TextForm:
    """A text that came in. Twilio, "request parameters" of the messaging webhook."""

    message_sid: str
    sender: str
    body: str
    media: int
    opt_out_type: str


@dataclass(frozen=True, slots=True)
class RecordingForm:
    """What a caller spoke. ``recording_sid`` empty: nothing."""

    call_sid: str
    recording_sid: str
    seconds: int | None


NO_RECORDING = RecordingForm("", "", None)


@dataclass(frozen=True, slots=True)
class CallForm:
    """A request of a call. ``heard``: keys that were pressed, else what was said, else nothing.

    After another telephone rang: ``dialled`` is how that ended (Twilio, DialCallStatus), ``bridged`` whether
    both sides were connected, ``talked`` for how many seconds. ``called``: the number the caller dialled.
    """

    call_sid: str
    caller: str
    heard: str
    by_key: bool
    called: str = ""
    dialled: str = ""
    bridged: bool = False
    talked: int | None = None
    recording: RecordingForm = NO_RECORDING


@dataclass(frozen=True, slots=True)
class ReminderCallForm:
    """A request of a call of ours. ``reference``: our message's id, from the address; None if it is none.

    ``answered_by``: what the carrier heard; ``unknown`` where it cannot tell, or does not.
    """

    call_sid: str
    heard: str
    by_key: bool
    answered_by: Literal["human", "machine", "unknown"]
    reference: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class TranscriptForm:
    """What the carrier understood of a recording; empty if it failed. ``call_sid`` empty: not told."""

    recording_sid: str
    text: str
    call_sid: str


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The call's own status report."""

    call_sid: str
    status: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class DialEnd:
    """How another telephone's call ended, told to the call that rang it. ``leg_sid``: that other call's.

    It is empty where there was no such call, as of a number that could not be dialled. ``seconds``: from its
    answer to its end. Twilio, "Dial", action.
    """

    call_sid: str
    leg_sid: str
    status: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class StatusForm:
    """A status report of one message."""

    message_sid: str
    status: str
    error_code: int | None
    reference: uuid.UUID | None


def read_text(form: Form) -> TextForm:
    """Raises BadFormError without a usable MessageSid."""
    return TextForm(
        _sid(form, "MessageSid", _MESSAGE_SID),
        _clean(form.get("From", ""))[:_SENDER_LONGEST],
        _clean(form.get("Body", "")),
        min(_number(form.get("NumMedia", "")) or 0, 100),
        _clean(form.get("OptOutType", "")).upper()[:8],
    )


def read_call(form: Form) -> CallForm:
    """Raises BadFormError without a usable CallSid."""
    digits = re.sub(r"[^0-9*#]", "", form.get("Digits", ""))
    heard = digits or _clean(form.get("SpeechResult", "")).strip()
    return CallForm(
        _sid(form, "CallSid", _CALL_SID),
        _clean(form.get("From", ""))[:_SENDER_LONGEST],
        heard[:_HEARD_LONGEST],
        bool(digits),
        _clean(form.get("To", ""))[:_SENDER_LONGEST],
        form.get("DialCallStatus", "")[:16],
        form.get("DialBridged", "") == "true",
        _number(form.get("DialCallDuration", "")),
        read_recording(form),
    )


def read_reminder_call(form: Form, reference: str) -> ReminderCallForm:
    """Raises BadFormError without a usable CallSid. Twilio, "AnsweredBy" of answering machine detection."""
    call, by = read_call(form), form.get("AnsweredBy", "")
    machine = by.startswith("machine") or by == "fax"
    return ReminderCallForm(
        call.call_sid,
        call.heard,
        call.by_key,
        "human" if by == "human" else "machine" if machine else "unknown",
        read_reference(reference),
    )


def read_reference(text: str) -> uuid.UUID | None:
    """Our message's id from the address of a callback; None if it is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def read_recording(form: Form) -> RecordingForm:
    """Raises BadFormError without a usable CallSid. Without a usable RecordingSid nothing was recorded."""
    sid = form.get("RecordingSid", "")
    return RecordingForm(
        _sid(form, "CallSid", _CALL_SID),
        sid if _RECORDING_SID.fullmatch(sid) else "",
        _number(form.get("RecordingDuration", "")),
    )


def read_transcript(form: Form) -> TranscriptForm:
    """Raises BadFormError without a usable RecordingSid."""
    done = form.get("TranscriptionStatus", "") == "completed"
    text = _clean(form.get("TranscriptionText", ""))[:_TRANSCRIPT_LONGEST] if done else ""
    call_sid = form.get("CallSid", "")
    known = call_sid if _CALL_SID.fullmatch(call_sid) else ""
    return TranscriptForm(_sid(form, "RecordingSid", _RECORDING_SID), text, known)


def read_call_end(form: Form) -> CallEnd:
    """Raises BadFormError without a usable CallSid or CallStatus."""
    return CallEnd(
        _sid(form, "CallSid", _CALL_SID),
        _sid(form, "CallStatus", _STATUS),
        _number(form.get("CallDuration", "")),
    )


def read_dial_end(form: Form) -> DialEnd:
    """Raises BadFormError without a usable CallSid, or without a status."""
    leg_sid = form.get("DialCallSid", "")
    return DialEnd(
        _sid(form, "CallSid", _CALL_SID),
        leg_sid if _CALL_SID.fullmatch(leg_sid) else "",
        _sid(form, "DialCallStatus", _STATUS),
        _number(form.get("DialCallDuration", "")),
    )


def read_status(form: Form, reference: str) -> StatusForm:
    """Raises BadFormError without a usable MessageSid or MessageStatus, or with a malformed reference."""
    try:
        ours = uuid.UUID(reference) if reference else None
    except ValueError as error:
        raise BadFormError("ref") from error
    return StatusForm(
        _sid(form, "MessageSid", _MESSAGE_SID),
        _sid(form, "MessageStatus", _STATUS),
        _number(form.get("ErrorCode", "")),
        ours,
    )


def _sid(form: Form, name: str, shape: re.Pattern[str]) -> str:
    value = form.get(name, "")
    if not shape.fullmatch(value):
        raise BadFormError(name)
    return value


def _clean(text: str) -> str:
    """Without NUL and lone surrogates, which neither PostgreSQL nor a page can hold."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
