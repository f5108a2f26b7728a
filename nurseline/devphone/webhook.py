"""Requests to the line: signed, with Twilio's limits, retries and content rules.

Limits: connect 5 s, read 15 s, total 15 s, 64 kB, 10 redirects; one retry, and only when the connection
failed. https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides, /docs/api/errors/11200
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode, urljoin, urlsplit

import requests

from nurseline.devphone import codes
from nurseline.devphone.faults import Faults
from nurseline.devphone.ledger import Ledger
from nurseline.devphone.signing import (
    Channel,
    Overrides,
    Params,
    signature,
    signed_url,
    split_overrides,
    usable_address,
)

MOST_BYTES = 64 * 1024
MOST_REDIRECTS = 10
TWIML_TYPES = frozenset({"text/xml", "application/xml", "text/html"})

Kind = Literal["twiml", "text", "audio"]


class WebhookFailed(Exception):  # noqa: N818 - the line failed, not this program
    """The line did not give a usable answer; `code` is the debugger's."""

    def __init__(self, code: int, detail: str, retry_kind: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_kind = retry_kind


@dataclass(frozen=True, slots=True)
class Answer:
    """What the line answered, and the address of the document after redirects."""

    status: int
    content_type: str
    body: str
    url: str

    @property
    def kind(self) -> Kind:
        """How the carrier reads it.

        Raises:
            WebhookFailed: 12300 for a content type it does not take, 11770 for an empty body.
        """
        if self.content_type in TWIML_TYPES or self.content_type == "text/plain":
            if not self.body.strip() and self.content_type != "text/plain":
                raise WebhookFailed(11770, "The answer had no body.")
            return "text" if self.content_type == "text/plain" else "twiml"
        if self.content_type.startswith("audio/"):
            return "audio"
        raise WebhookFailed(12300, f"The answer's content type is {self.content_type or 'missing'}.")


class Webhooks:
    """The carrier's side of HTTP."""

    def __init__(self, token: str, ledger: Ledger, faults: Faults) -> None:
        self._token = token
        self._ledger = ledger
        self._faults = faults

    def document(
        self, url: str, params: Params, channel: Channel, *, method: str, sid: str, key: str
    ) -> Answer:
        """Requests the document that answers an event; a fault may post it twice, and one answer is lost.

        Raises:
            WebhookFailed: as `ask`.
        """
        token, times = str(uuid.uuid4()), self._faults.of_webhook(key)

        def lost() -> None:
            with contextlib.suppress(WebhookFailed):
                self.ask(url, params, channel, method=method, sid=sid, token=token)

        if times == "once":
            return self.ask(url, params, channel, method=method, sid=sid, token=token)
        other = threading.Thread(target=lost, daemon=True)
        other.start()
        if times == "twice":
            other.join()
        try:
            return self.ask(url, params, channel, method=method, sid=sid, token=token)
        finally:
            other.join()

    def ask(
        self,
        url: str,
        params: Params,
        channel: Channel,
        *,
        method: str = "POST",
        sid: str | None = None,
        token: str | None = None,
    ) -> Answer:
        """Requests a document.

        Raises:
            WebhookFailed: after the retries the address allows; not yet in the debugger.
        """
        if not usable_address(url):
            raise WebhookFailed(11100, f"{url[:200]!r} is not an address the carrier can call.")
        clean, overrides = split_overrides(url)
        if overrides.wrong:
            self._ledger.note(
                11243,
                codes.text(11243),
                detail=", ".join(overrides.wrong),
                url=clean,
                sid=sid,
                level="warning",
            )
        token = token or str(uuid.uuid4())
        for attempt in range(overrides.retries + 1):
            try:
                return self._once(clean, params, channel, method, overrides, token)
            except WebhookFailed as failure:
                if attempt == overrides.retries or not overrides.retries_after(failure.retry_kind):
                    raise
        raise AssertionError("unreachable")

    def tell(
        self, url: str, params: Params, channel: Channel, *, method: str = "POST", sid: str | None = None
    ) -> None:
        """Sends a status callback; what goes wrong is only logged."""
        try:
            answer = self.ask(url, params, channel, method=method, sid=sid)
            if channel == "voice" and answer.body.strip() and answer.content_type not in TWIML_TYPES:
                raise WebhookFailed(
                    12300,
                    f"The status callback was answered with {answer.content_type or 'no content type'}.",
                )
        except WebhookFailed as failure:
            self.log(failure, url=url, sid=sid)

    def log(self, failure: WebhookFailed, *, url: str | None = None, sid: str | None = None) -> None:
        self._ledger.note(failure.code, codes.text(failure.code), detail=failure.detail, url=url, sid=sid)

    def _once(
        self, url: str, params: Params, channel: Channel, method: str, overrides: Overrides, token: str
    ) -> Answer:
        ends = time.monotonic() + overrides.total
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(url, params, channel, method, overrides, token, ends)
            with response:
                target = response.headers.get("Location")
                if response.status_code in {301, 302, 303, 307, 308} and target:
                    # What was posted is lost on the way: Twilio asks the new address with GET.
                    url, params, method = urljoin(url, target), [], "GET"
                    continue
                body = self._read(response, ends)
                if not 200 <= response.status_code < 300:
                    kind = "4xx" if response.status_code < 500 else "5xx"
                    raise WebhookFailed(11200, f"The line answered with status {response.status_code}.", kind)
                content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                return Answer(response.status_code, content_type, body, url)
        raise WebhookFailed(11215, f"More than {MOST_REDIRECTS} redirects.")

    def _send(
        self,
        url: str,
        params: Params,
        channel: Channel,
        method: str,
        overrides: Overrides,
        token: str,
        ends: float,
    ) -> requests.Response:
        data = None
        if method == "GET" and params:
            url += ("&" if urlsplit(url).query else "?") + urlencode(params)
            params = []
        headers = {
            "User-Agent": "TwilioProxy/1.1",
            "Accept": "*/*",
            "Connection": "close",
            "I-Twilio-Idempotency-Token": token,
            "X-Twilio-Signature": signature(self._token, signed_url(url, channel), params),
        }
        if method == "POST":
            data = urlencode(params)
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        left = max(0.05, ends - time.monotonic())
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.request(
                    method,
                    url,
                    data=data,
                    headers=headers,
                    allow_redirects=False,
                    stream=True,
                    timeout=(min(overrides.connect, left), min(overrides.read, left)),
                )
            except requests.exceptions.RequestException as error:
                raise _failure(error) from error

    @staticmethod
    def _read(response: requests.Response, ends: float) -> str:
        data = b""
        try:
            for chunk in response.iter_content(16384):
                data += chunk
                if len(data) > MOST_BYTES:
                    raise WebhookFailed(11750, f"The answer is longer than {MOST_BYTES} bytes.")
                if time.monotonic() > ends:
                    raise WebhookFailed(11200, "The answer took too long.", "rt")
        except requests.exceptions.RequestException as error:
            raise _failure(error) from error
        return data.decode("utf-8", errors="replace")


def _failure(error: requests.exceptions.RequestException) -> WebhookFailed:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return WebhookFailed(11205, "No connection within the time limit.", "ct")
    if isinstance(error, requests.exceptions.Timeout):
        return WebhookFailed(11200, "No answer within the time limit.", "rt")
    if isinstance(error, requests.exceptions.SSLError):
        return WebhookFailed(11220, "The TLS handshake failed.", "ct")
    if isinstance(error, requests.exceptions.ConnectionError):
        reason = repr(error)
        if "NameResolutionError" in reason:
            return WebhookFailed(11210, "The host name has no address.", "ct")
        if "NewConnectionError" in reason or "Connection refused" in reason:
            return WebhookFailed(11205, "The connection was refused.", "ct")
        return WebhookFailed(11200, "The connection ended before an answer came.", "5xx")
    return WebhookFailed(11200, type(error).__name__)
