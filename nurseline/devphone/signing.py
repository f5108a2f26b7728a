"""Signing of webhooks and the overrides in a webhook's address.

Signature: https://www.twilio.com/docs/usage/webhooks/webhooks-security
Overrides: https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, urlsplit, urlunsplit

Channel = Literal["text", "voice"]
Params = list[tuple[str, str]]

_RETRY_KINDS = frozenset({"4xx", "5xx", "ct", "rt", "all"})


@dataclass(frozen=True, slots=True)
class Overrides:
    """Connection settings of one webhook; times in seconds."""

    connect: float = 5.0
    read: float = 15.0
    total: float = 15.0
    retries: int = 1
    retry_on: frozenset[str] = frozenset({"ct"})
    wrong: tuple[str, ...] = ()

    def retries_after(self, kind: str) -> bool:
        return "all" in self.retry_on or kind in self.retry_on


def signature(token: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """The X-Twilio-Signature of a form sent to this address (base64 of HMAC-SHA1)."""
    distinct = sorted(set(params))
    text = url + "".join(key + value for key, value in distinct)
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def signed_url(url: str, channel: Channel) -> str:
    """The address as signed: no fragment, no user; the port stays except for voice on https."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if channel == "voice" and parts.scheme == "https" and parts.port:
        host = re.sub(r":[0-9]+$", "", host)
    return urlunsplit((parts.scheme, host, parts.path, parts.query, ""))


def split_overrides(url: str) -> tuple[str, Overrides]:
    """The address that is requested, and what its fragment asks for; wrong overrides are named."""
    parts = urlsplit(url)
    clean = urlunsplit((parts.scheme, parts.netloc, parts.path, parts.query, ""))
    if not parts.fragment:
        return clean, Overrides()
    given = dict(parse_qsl(parts.fragment, keep_blank_values=True))
    wrong: list[str] = []

    def number(key: str, low: int, high: int, default: int) -> int:
        text = given.get(key)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or not low <= int(text) <= high:
            wrong.append(f"{key}={text}")
            return default
        return int(text)

    kinds = frozenset(given.get("rp", "ct").split(","))
    if not kinds <= _RETRY_KINDS:
        wrong.append(f"rp={given['rp']}")
        kinds = frozenset({"ct"})
    return clean, Overrides(
        connect=number("ct", 100, 10000, 5000) / 1000,
        read=number("rt", 100, 15000, 15000) / 1000,
        total=number("tt", 100, 15000, 15000) / 1000,
        retries=number("rc", 0, 5, 1),
        retry_on=kinds,
        wrong=tuple(wrong),
    )


def usable_address(url: str) -> bool:
    """Whether the carrier would call it: http(s), a host without underscore, at most 4000 characters."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if len(url) > 4000 or parts.scheme not in {"http", "https"} or not host:
        return False
    return "_" not in host and not re.search(r"[\s\x00-\x1f]", url)
