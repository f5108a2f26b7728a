"""The REST side of Twilio: sending one message, finding one again, and asking where one stands."""

from __future__ import annotations

import random
import ssl
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from requests.adapters import HTTPAdapter
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
from nurseline.outcomes import (
    CROWDED_LONGEST,
    Accepted,
    Ambiguous,
    Listing,
    NotSent,
    Refused,
    SendOutcome,
    Standing,
)

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0  # above the roughly 26 s after which Twilio itself gives up
PROMPT = (2.0, 5.0)  # seconds to connect and to read, where somebody waits for the answer on a page
# Twilio connection overrides for callbacks: up to three tries, also after time-outs and our own 5xx.
CALLBACK_OVERRIDES = "#ct=3000&rc=3&rp=ct,rt,5xx"
TOO_MANY = 429
REQUEST_TIMEOUT = 408  # from something in between: the request may have got through
SERVER_ERROR = 500
FIRST_CODE = 10_000  # Twilio's codes have five digits; the SDK puts the HTTP status where there is none
NOT_FOUND = 404
LIST_PAGE = 200
LIST_MOST = 1000  # messages to one number that are read at most; a patient has a few dozen
OURS = frozenset({"outbound-api", "outbound-reply"})
CLOCKS_DIFFER = timedelta(minutes=2)
UNDER_WAY = timedelta(minutes=5)  # far above one request; a later message is another one
NO_CALLING_NUMBER = 21213  # Twilio's "'From' phone number is required"
RING_SECONDS = 30  # five or six rings; the carrier's own default is 60
# The start settles a create of unknown outcome, the end tells what became of the call; who answered comes
# with the request for the document.
CALL_EVENTS = ["initiated", "completed"]
TRIAL = "Sent from your Twilio trial account - "  # a trial account puts this before every body
# What Twilio's Smart Encoding puts in place of signs that look alike.
PLAIN_SIGNS = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2013": "-",
        "\u2014": "-",
        "\u00a0": " ",
        "\u2026": "...",
    }
)
# What the SDK raises for answers that are errors, or no answers.
UNREADABLE = (TwilioException, RequestException, ValueError, LookupError, TypeError, AttributeError)


class _Http(TwilioHttpClient):  # type: ignore[misc]
    """The SDK's client with explicit time limits, no retries, and nothing logged."""

    def __init__(self, width: int, limits: tuple[float, float] | None) -> None:
        super().__init__()
        self._limits = limits
        # The SDK keeps ten connections; with more threads than that each further request would open its own.
        for scheme in ("https://", "http://"):
            self.session.mount(scheme, HTTPAdapter(pool_maxsize=width))
        self._seen = threading.local()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Response:
        # The SDK compares the argument with a number, which a pair is not, but takes its own field as it is.
        self.timeout = self._limits or (CONNECT_SECONDS, READ_SECONDS)
        kwargs["timeout"] = None
        self._seen.retry_after = None
        response = super().request(method, url, *args, **kwargs)
        self._seen.retry_after = (response.headers or {}).get("Retry-After")  # the SDK's errors have none
        return response

    @property
    def retry_after(self) -> float:
        """Seconds for which the last answer to this thread asked to be left alone; 0 if it did not."""
        said = str(getattr(self._seen, "retry_after", None) or "")
        return min(float(said), CROWDED_LONGEST) if said.isdecimal() else 0.0

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
        width: int = 10,
        limits: tuple[float, float] | None = None,
    ) -> None:
        """``from_number`` or ``messaging_service_sid``: the sender; the service wins if both are given.

        ``width``: connections that are kept open, one for each request at once. ``limits``: seconds to
        connect and to wait for an answer, where the usual ones are too long.
        """
        self._http = _Http(width, limits)
        self._client = Client(account_sid, auth_token, http_client=self._http)
        self._client.api.base_url = api_base_url
        self._client.region = self._client.edge = None  # from the environment; they would change the address
        self._base = public_base_url
        self._from = from_number
        self._sender: dict[str, str] = (
            {"messaging_service_sid": messaging_service_sid}
            if messaging_service_sid
            else {"from_": from_number}
        )

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        """Ask Twilio once to send ``body``; our reference comes back with every status callback."""
        callback = f"{self._base}/status?ref={reference}{CALLBACK_OVERRIDES}"
        return _asked(
            self._http,
            lambda: self._client.messages.create(to=to, body=body, status_callback=callback, **self._sender),
        )

    def call(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        """Ask Twilio once to call; what is said comes from our webhook, whose address carries the reference.

        The document is fetched only after the carrier has found out who answered (synchronous
        ``MachineDetection``): before that nothing may be said that is not meant for a machine. With
        ``DetectMessageEnd`` a machine is left to finish its greeting, so that our words are recorded whole;
        a person is recognised as fast as with ``Enable``.
        """
        answered_by = {"machine_detection": "DetectMessageEnd"}
        return self._call(to, "/voice/reminder", "/voice/reminder/status", reference, **answered_by)

    def ring_staff(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        """Ask Twilio once to ring a staff member's telephone, so that they are connected with a patient.

        Who answers is asked to press a key, so no machine needs to be recognised.
        """
        return self._call(to, "/voice/callback", "/voice/callback/status", reference)

    def _call(self, to: str, document: str, status: str, reference: uuid.UUID, **more: Any) -> SendOutcome:
        """Ask once for a call from the clinic's number; without one it is refused."""
        if not self._from:
            return Refused(NO_CALLING_NUMBER, meaning_of(NO_CALLING_NUMBER))
        reference_part = f"?ref={reference}{CALLBACK_OVERRIDES}"
        return _asked(
            self._http,
            lambda: self._client.calls.create(
                to=to,
                from_=self._from,
                url=f"{self._base}{document}{reference_part}",
                method="POST",
                status_callback=f"{self._base}{status}{reference_part}",
                status_callback_event=CALL_EVENTS,
                timeout=RING_SECONDS,
                **more,
            ),
        )

    def find(self, *, to: str, body: str, since: datetime) -> Listing:
        """Our messages to ``to`` with exactly ``body``, made soon after ``since``, oldest first.

        Listed by recipient only: a message that is still queued has no sent date and would be missed by one.
        Raises OSError if Twilio cannot be asked.
        """
        with _asking():
            listed = self._client.messages.list(to=to, limit=LIST_MOST, page_size=LIST_PAGE)
            near = _made_soon_after(since, listed)
            found = [_standing(one) for one in near if _plain(one.body) == _plain(body)]
        hidden = any(not one.body for one in near)  # redacted
        return Listing(found, complete=len(listed) < LIST_MOST and not hidden)

    def look(self, sid: str) -> Standing | None:
        """Where a message stands now; None if Twilio knows none with this sid.

        Raises OSError if Twilio cannot be asked.
        """
        try:
            with _asking():
                return _standing(self._client.messages(sid).fetch())
        except _NotThereError:
            return None

    def find_calls(self, *, to: str, since: datetime) -> Listing:
        """Our calls to ``to``, made soon after ``since``, oldest first.

        Listed by the number called only: one that still waits has no start time. Raises OSError if Twilio
        cannot be asked.
        """
        with _asking():
            listed = self._client.calls.list(to=to, limit=LIST_MOST, page_size=LIST_PAGE)
            found = [_standing_of_call(one) for one in _made_soon_after(since, listed)]
        return Listing(found, complete=len(listed) < LIST_MOST)

    def look_at_call(self, sid: str) -> Standing | None:
        """Where a call stands now; None if Twilio knows none with this sid.

        Raises OSError if Twilio cannot be asked.
        """
        try:
            with _asking():
                return _standing_of_call(self._client.calls(sid).fetch())
        except _NotThereError:
            return None


class _NotThereError(OSError):
    """Twilio answered that there is no such thing."""


@contextmanager
def _asking() -> Iterator[None]:
    """Every way in which Twilio may fail to tell us something, as one kind of error without its words."""
    try:
        yield
    except UNREADABLE as error:
        there = not isinstance(error, TwilioRestException) or error.status != NOT_FOUND
        kind = OSError if there else _NotThereError
        raise kind(type(error).__name__) from None  # the SDK's error names the recipient


def _plain(body: str | None) -> str:
    """The words without what Twilio may have changed about them."""
    return (body or "").removeprefix(TRIAL).translate(PLAIN_SIGNS)


def _standing(message: Any) -> Standing:
    if not message.sid or not message.status:
        raise ValueError("no message")
    code = None if message.error_code is None else int(message.error_code)
    meaning = None if code is None else meaning_of(code)
    return Standing(str(message.sid), str(message.status), message.date_created, code, meaning)


def _standing_of_call(call: Any) -> Standing:
    if not call.sid or not call.status:
        raise ValueError("no call")
    seconds = None if call.duration is None else int(call.duration)
    return Standing(str(call.sid), str(call.status), call.date_created, seconds=seconds)


def _asked(http: _Http, create: Callable[[], Any]) -> SendOutcome:
    """What became of one create, whatever the network and the carrier did."""
    try:
        made = create()
    except (TwilioRestException, TwilioServiceException) as error:
        return _answered(int(error.status), error.code, http.retry_after)
    except RequestException as error:
        return _broken(error)
    except (TwilioException, ValueError, LookupError, TypeError, AttributeError):
        return Ambiguous("the answer could not be read")  # the SDK trips over what is not its JSON
    return Accepted(str(made.sid)) if made.sid else Ambiguous("the answer had no sid")


def _made_soon_after(since: datetime, found: Iterable[Any]) -> list[Any]:
    """Those that we made at about ``since``, oldest first."""
    ours = [
        one
        for one in found
        if one.direction in OURS
        and one.date_created is not None
        and since - CLOCKS_DIFFER <= one.date_created <= since + UNDER_WAY
    ]
    return sorted(ours, key=lambda one: (one.date_created, one.sid))


def _answered(status: int, code: int | None, retry_after: float) -> SendOutcome:
    if status == TOO_MANY:
        wait = retry_after + random.uniform(1.0, 3.0)  # noqa: S311 - jitter
        return NotSent("too many requests", wait, crowded=retry_after)
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
