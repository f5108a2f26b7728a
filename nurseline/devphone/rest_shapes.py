"""JSON of the REST interface: key sets of Twilio's OpenAPI examples, numbers as strings, RFC 2822 dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from nurseline.devphone import codes
from nurseline.devphone.message_store import Message
from nurseline.devphone.numbers import formatted

ROOT = "/2010-04-01/Accounts"
MOST_PER_PAGE = 1000


def date(at: float | None) -> str | None:
    return None if at is None else format_datetime(datetime.fromtimestamp(int(at), UTC))


def message(found: Message, account: str, *, created: bool = False) -> dict[str, Any]:
    uri = f"{ROOT}/{account}/Messages/{found.sid}"
    undecided = found.status in {"accepted", "scheduled"}
    subresources = {"media": f"{uri}/Media.json"}
    if not created:
        subresources["feedback"] = f"{uri}/Feedback.json"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": found.body,
        "date_created": date(found.created),
        "date_sent": date(found.sent),
        "date_updated": date(found.updated),
        "direction": found.direction,
        "error_code": found.error_code,
        "error_message": None if found.error_code is None else codes.text(found.error_code),
        "from": found.sender,
        "messaging_service_sid": found.service,
        "num_media": str(len(found.media)),
        # With a service the count is not known before a sender is chosen.
        "num_segments": "0" if undecided else str(found.segments),
        "price": None,
        "price_unit": "USD",
        "sid": found.sid,
        "status": found.status,
        "subresource_uris": subresources,
        "to": found.recipient,
        "uri": f"{uri}.json",
    }


_OF_CALLS = (
    "notifications", "recordings", "payments", "events", "siprec", "streams", "transcriptions",
    "user_defined_message_subscriptions", "user_defined_messages",
)  # fmt: skip


def call(row: Mapping[str, Any], account: str, number_sid: str) -> dict[str, Any]:
    uri = f"{ROOT}/{account}/Calls/{row['sid']}"
    ended = row["ended"] is not None
    return {
        "account_sid": account,
        "answered_by": row["answered_by"],
        "api_version": "2010-04-01",
        "caller_name": None,
        "date_created": date(row["created"]),
        "date_updated": date(row["updated"]),
        "direction": row["direction"],
        "duration": str(row["duration"] or 0) if ended else None,
        "end_time": date(row["ended"]),
        "forwarded_from": None,
        "from": row["caller"],
        "from_formatted": formatted(row["caller"]),
        "group_sid": None,
        "parent_call_sid": row["parent"],
        "phone_number_sid": number_sid if row["direction"] != "outbound-dial" else None,
        "price": None,
        "price_unit": "USD",
        "queue_time": "0",
        "sid": row["sid"],
        "start_time": date(row["started"]),
        "status": row["status"],
        "subresource_uris": {
            name: f"{uri}/{''.join(part.title() for part in name.split('_'))}.json" for name in _OF_CALLS
        },
        "to": row["callee"],
        "to_formatted": formatted(row["callee"]),
        "trunk_sid": None,
        "uri": f"{uri}.json",
    }


def recording(row: Mapping[str, Any], account: str) -> dict[str, Any]:
    uri = f"{ROOT}/{account}/Recordings/{row['sid']}"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "call_sid": row["call"],
        "channels": 1,
        "conference_sid": None,
        "date_created": date(row["created"]),
        "date_updated": date(row["created"]),
        "duration": str(row["duration"]),
        "encryption_details": None,
        "error_code": None,
        "media_url": uri,
        "price": None,
        "price_unit": "USD",
        "sid": row["sid"],
        "source": "RecordVerb",
        "start_time": date(row["created"]),
        "status": "completed",
        "subresource_uris": {
            "add_on_results": f"{uri}/AddOnResults.json",
            "transcriptions": f"{uri}/Transcriptions.json",
        },
        "uri": f"{uri}.json",
    }


def page(
    path: str,
    name: str,
    items: list[dict[str, Any]],
    filters: list[tuple[str, str]],
    number: int,
    size: int,
    token: str | None,
    previous: bool,
) -> dict[str, Any]:
    """One page of a list; `token` names the last row when there are more."""

    def uri(at: int, mark: str | None = None) -> str:
        query = [*filters, ("PageSize", str(size)), ("Page", str(at))]
        return f"{path}?{urlencode([*query, ('PageToken', mark)] if mark else query)}"

    start = number * size
    return {
        "end": start + len(items) - 1 if items else start,
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1, token) if token else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": uri(number - 1) if previous else None,
        name: items,
        "start": start,
        "uri": uri(number),
    }


def media(row: Any, account: str) -> dict[str, Any]:
    return {
        "account_sid": account,
        "content_type": row["content_type"],
        "date_created": date(row["created"]),
        "date_updated": date(row["created"]),
        "parent_sid": row["parent"],
        "sid": row["sid"],
        "uri": f"{ROOT}/{account}/Messages/{row['parent']}/Media/{row['sid']}.json",
    }
