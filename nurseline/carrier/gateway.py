"""The REST side of Twilio: sending one message, and finding one again."""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import requests
from requests.exceptions import ConnectionError as BrokenConnection
from requests.exceptions import ConnectTimeout, ProxyError, RequestException, SSLError
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from twilio.rest import Client
from urllib3.exceptions import NameResolutionError, NewConnectionError

from nurseline.carrier.errors import meaning_of
from nurseline.outcomes import Accepted, Ambiguous, NotSent, Refused, SendOutcome

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0  # above the roughly 26 s after which Twilio itself gives up
# Twilio connection overrides for callbacks: up to three tries, also after time-outs and our own 5xx.
CALLBACK_OVERRIDES = "#ct=3000&rc=3&rp=ct,rt,5xx"
TOO_MANY = 429
SERVER_ERROR = 500
LIST_PAGE = 50
CLOCKS_DIFFER = timedelta(minutes=2)


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with explicit time limits, no retries, and nothing logged."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        return super().request(method, url, *args, **kwargs)


class TwilioGateway:
    """Sends through one account. One per process: it keeps a pool of connections."""

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_base_url: str,
        public_base_url: str,
        from_number: str = "",
        messaging_service_sid: str = "",
    ) -> None:
        """``from_number`` or ``messaging_service_sid``: the sender; the service wins if both are given."""
        self._client = Client(account_sid, auth_token, http_client=_Http())
        self._client.api.base_url = api_base_url
        self._callback = f"{public_base_url}/status"
        self._sender: dict[str, str] = (
            {"messaging_service_sid": messaging_service_sid}
            if messaging_service_sid
            else {"from_": from_number}
        )

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        """Ask Twilio once to send ``body``; our reference comes back with every status callback."""
        callback = f"{self._callback}?ref={reference}{CALLBACK_OVERRIDES}"
        try:
            message = self._client.messages.create(to=to, body=body, status_callback=callback, **self._sender)
        except TwilioRestException as error:
            return _answered(error)
        except RequestException as error:
            return _broken(error)
        except TwilioException:
            return Ambiguous("the answer could not be read")
        return Accepted(str(message.sid)) if message.sid else Ambiguous("the answer had no sid")

    def find(self, *, to: str, body: str, since: datetime) -> str | None:
        """Sid of our message to ``to`` with exactly ``body``, made at or after ``since``, or None.

        Listed by recipient only: a message that is still queued has no sent date and would be missed by one.
        Raises OSError if Twilio cannot be asked.
        """
        try:
            listed = self._client.messages.list(to=to, limit=LIST_PAGE, page_size=LIST_PAGE)
        except (TwilioException, RequestException) as error:
            raise OSError(type(error).__name__) from error
        for message in listed:
            made = message.date_created
            if (
                message.body == body
                and message.direction == "outbound-api"
                and made
                and made >= since - CLOCKS_DIFFER
            ):
                return str(message.sid)
        return None


def _answered(error: TwilioRestException) -> SendOutcome:
    if error.status == TOO_MANY:
        return NotSent("too many requests", random.uniform(1.0, 3.0))  # noqa: S311 - jitter
    if error.status >= SERVER_ERROR:
        return Ambiguous(f"carrier answered {error.status}")
    code = int(error.code or 0)
    return Refused(code, meaning_of(code))


def _broken(error: RequestException) -> SendOutcome:
    if isinstance(error, ConnectTimeout | ProxyError | SSLError):
        return NotSent("no connection", 0.0)
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, BrokenConnection) and isinstance(reason, NewConnectionError | NameResolutionError):
        return NotSent("no connection", 0.0)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return NotSent("no connection", 0.0)
    return Ambiguous("no answer" if isinstance(error, requests.exceptions.Timeout) else "connection lost")
