"""Checks of CreateMessage and UpdateMessage, and the filters of ListMessage.

https://www.twilio.com/docs/messaging/api/message-resource and the error pages of the codes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from nurseline.devphone import codes
from nurseline.devphone.errors import RestError
from nurseline.devphone.ledger import Value
from nurseline.devphone.message_store import Message
from nurseline.devphone.numbers import MAGIC_FROM, MAGIC_FROM_ERRORS, MAGIC_TO_ERRORS, e164
from nurseline.devphone.signing import usable_address
from nurseline.devphone.texting import Texting

MOST_CHARACTERS = 1600
Form = Mapping[str, str]


def create(form: Form, media: list[str], texting: Texting, number: str, list_lag: float = 0.0) -> Message:
    """Checks in the order of who, from whom, what, and takes the message.

    Lists show it after `list_lag` seconds.

    Raises:
        RestError: with Twilio's code for what is wrong.
    """
    recipient = _recipient(form)
    service = form.get("MessagingServiceSid", "").strip() or None
    if service is None:
        _sender(form, number, recipient)
    elif not re.fullmatch(r"MG[0-9a-zA-Z]{32}", service):
        raise RestError(21701, f"The Messaging Service {service} does not exist")
    body = form.get("Body", "")
    _content(body, media)
    callback = form.get("StatusCallback", "").strip() or None
    if callback and not usable_address(callback):
        raise RestError(21609, f"The StatusCallback URL {callback[:200]} is not a valid URL.")
    due = _schedule(form, service)
    if service is None and texting.blocked(recipient):
        raise RestError(21610, codes.text(21610))
    return texting.send(
        recipient=recipient,
        body=body,
        direction="outbound-api",
        status_callback=callback,
        media=media,
        service=service,
        due=due,
        list_lag=list_lag,
    )


def _recipient(form: Form) -> str:
    raw = form.get("To", "").strip()
    if not raw:
        raise RestError(21604, "A 'To' phone number is required.")
    number = e164(raw)
    code = MAGIC_TO_ERRORS.get(number or "", 0)
    if number is None or code == 21211:
        raise RestError(21211, f"The 'To' number {raw} is not a valid phone number.")
    if code:
        raise RestError(code, codes.text(code))
    return number


def _sender(form: Form, number: str, recipient: str) -> None:
    raw = form.get("From", "").strip()
    if not raw:
        raise RestError(21603, "A 'From' phone number is required.")
    sender = e164(raw)
    code = MAGIC_FROM_ERRORS.get(sender or "", 0)
    if sender is None or code == 21212:
        raise RestError(
            21212,
            f"The 'From' number {raw} is not a valid phone number, shortcode, or alphanumeric sender ID.",
        )
    if code == 21611:
        raise RestError(code, codes.text(code))
    if sender not in {number, MAGIC_FROM}:
        raise RestError(
            21606,
            f"The 'From' phone number provided ({raw}) is not a valid message-capable Twilio phone number "
            "for this destination/account.",
        )
    if recipient == sender:
        raise RestError(21266, f"'To' and 'From' number cannot be the same: {recipient}")


def _content(body: str, media: list[str]) -> None:
    if not body and not media:
        raise RestError(21602, "Message body is required.")
    if len(body) > MOST_CHARACTERS:
        raise RestError(21617, "The concatenated message body exceeds the 1600 character limit.")
    if len(media) > 10 or not all(usable_address(url) for url in media):
        raise RestError(21620, "Invalid media URL(s)")


def _schedule(form: Form, service: str | None) -> float | None:
    """When a scheduled message is released: a service, 300 seconds to 35 days ahead."""
    kind, at = form.get("ScheduleType", ""), form.get("SendAt", "")
    if not kind and not at:
        return None
    if kind != "fixed":
        raise RestError(35112, "ScheduleType must be 'fixed'.")
    if service is None:
        raise RestError(35118, "MessagingServiceSid is required to schedule a message")
    if not at:
        raise RestError(35111, "SendAt is required to schedule a message")
    try:
        due = _instant(at)
    except ValueError:
        raise RestError(35114, "SendAt is not a valid ISO 8601 date") from None
    if not 300 <= due - time.time() <= 35 * 86400:
        raise RestError(
            35114, "SendAt time must be between 300 seconds and 35 days (3024000 seconds) in the future"
        )
    return due


def update(form: Form, found: Message, texting: Texting) -> Message:
    """Redacts (Body="") or cancels (Status=canceled).

    Raises:
        RestError: for anything else, or when it can no longer be done.
    """
    if form.get("Status"):
        if form["Status"] != "canceled":
            raise RestError(20001, "Status must be canceled")
        canceled = texting.cancel(found.sid)
        if canceled is None:
            raise RestError(30409, "The message cannot be canceled in its current state")
        return canceled
    if "Body" in form:
        if form["Body"]:
            raise RestError(20001, "Body can only be updated to an empty string")
        if found.status not in {"delivered", "undelivered", "failed", "canceled", "sent", "received"}:
            raise RestError(20009, "Cannot redact a message that is not yet finished")
        texting.store.change(found.sid, body="")
        return texting.store.get(found.sid) or found
    return found


def conditions(arguments: Mapping[str, str]) -> tuple[list[str], list[Value]]:
    """The WHERE of ListMessage: To, From, DateSent, DateSent<, DateSent>.

    Raises:
        RestError: for a date that is none.
    """
    where: list[str] = ["(listed IS NULL OR listed <= ?)"]
    values: list[Value] = [time.time()]
    for key, column in (("To", "recipient"), ("From", "sender")):
        if arguments.get(key):
            where.append(f"{column} = ?")
            values.append(e164(arguments[key]) or arguments[key])
    add_dates(arguments, "DateSent", "sent", where, values)
    return where, values


def add_dates(
    arguments: Mapping[str, str], name: str, column: str, where: list[str], values: list[Value]
) -> None:
    """Adds the conditions of NAME, NAME< and NAME>: a day without sign is that UTC day."""
    for key, text in arguments.items():
        if key not in {name, f"{name}<", f"{name}>"} or not text:
            continue
        try:
            at = _instant(text)
        except ValueError:
            raise RestError(20001, f"{name} is not a valid date") from None
        day = re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None
        if key.endswith("<"):
            where.append(f"{column} <= ?")
            values.append(at + (86399 if day else 0))
        elif key.endswith(">"):
            where.append(f"{column} >= ?")
            values.append(at)
        else:
            where.append(f"{column} >= ? AND {column} < ?")
            values += [at, at + (timedelta(days=1).total_seconds() if day else 1)]


def _instant(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
