"""JSON of the REST interface: the key sets of Twilio's OpenAPI examples, numbers as strings, dates RFC 2822."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from nurseline.devphone import codes
from nurseline.devphone.message_store import Message

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
        return f"{path}?{urlencode(query + [('PageToken', mark)] if mark else query)}"

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
