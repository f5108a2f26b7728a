"""The REST side of Twilio: sending one message, and finding one again."""

from __future__ import annotations

import random
import ssl
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from requests.exceptions import (
    ConnectTimeout,
    InvalidURL,
    MissingSchema,
    ProxyError,
    RequestException,
    Timeout,
)
from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
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
REQUEST_TIMEOUT = 408  # from something in between: the request may have got through
SERVER_ERROR = 500
FIRST_CODE = 10_000  # Twilio's codes have five digits; the SDK puts the HTTP status where there is none
LIST_PAGE = 50
OURS = frozenset({"outbound-api", "outbound-reply"})
CLOCKS_DIFFER = timedelta(minutes=2)
UNDER_WAY = timedelta(minutes=5)  # far above one request; a later message is another one


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with explicit time limits, no retries, and nothing logged."""

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        # The SDK compares the argument with a number, which a pair is not, but takes its own field as it is.
        self.timeout = (CONNECT_SECONDS, READ_SECONDS)
        kwargs["timeout"] = None
        return super().request(method, url, *args, **kwargs)

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Nothing: the SDK would log the patient's number."""

    def log_response(self, status_code: int, response: Response) -> None:
        """Nothing."""


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
        self._client.region = self._client.edge = None  # from the environment; they would change the address
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
        except (TwilioRestException, TwilioServiceException) as error:
            return _answered(int(error.status), error.code)
        except RequestException as error:
            return _broken(error)
        except (TwilioException, ValueError, LookupError, TypeError, AttributeError):
            return Ambiguous("the answer could not be read")  # the SDK trips over what is not its JSON
        return Accepted(str(message.sid)) if message.sid else Ambiguous("the answer had no sid")

    def find(self, *, to: str, body: str, since: datetime) -> Sequence[str]:
        """Sids, oldest first, of our messages to ``to`` with exactly ``body``, made soon after ``since``.

        Listed by recipient only: a message that is still queued has no sent date and would be missed by one.
        Raises OSError if Twilio cannot be asked.
        """
        try:
            listed = self._client.messages.list(to=to, limit=LIST_PAGE, page_size=LIST_PAGE)
        except (
            TwilioException,
            RequestException,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
        ) as error:
            raise OSError(type(error).__name__) from None  # the SDK's error names the recipient
        made = [
            (message.date_created, str(message.sid))
            for message in listed
            if message.body == body
            and message.direction in OURS
            and message.date_created is not None
            and since - CLOCKS_DIFFER <= message.date_created <= since + UNDER_WAY
        ]
        return [sid for _, sid in sorted(made)]


def _answered(status: int, code: int | None) -> SendOutcome:
    if status == TOO_MANY:
        return NotSent("too many requests", random.uniform(1.0, 3.0))  # noqa: S311 - jitter
    if status >= SERVER_ERROR or status == REQUEST_TIMEOUT:
        return Ambiguous(f"carrier answered {status}")
    known = int(code or 0)
    known = known if known >= FIRST_CODE else 0
    return Refused(known, meaning_of(known))


def _broken(error: RequestException) -> SendOutcome:
    """What a broken connection means: only what surely never arrived may be tried again."""
    if isinstance(error, ConnectTimeout | ProxyError | InvalidURL | MissingSchema):
        return NotSent("no connection", 0.0)
    # A TLS error may come after the request; a certificate that does not fit comes before it.
    never = NewConnectionError | NameResolutionError | ssl.SSLCertVerificationError
    if any(isinstance(cause, never) for cause in _causes(error)):
        return NotSent("no connection", 0.0)
    return Ambiguous("no answer" if isinstance(error, Timeout) else "connection lost")


def _causes(error: BaseException) -> Iterator[object]:
    """What the layers below wrapped into ``error``: requests over urllib3 over ssl."""
    seen: object = error
    while isinstance(seen, BaseException):
        yield seen
        inner = getattr(seen, "reason", None)
        seen = inner if isinstance(inner, BaseException) else next(iter(seen.args), None)
