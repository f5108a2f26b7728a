"""What came of asking the carrier to send a message. Shared by the carrier and messaging rooms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RefusalClass = Literal["recipient", "opted_out", "configuration", "content", "later", "unlisted"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has the message under ``sid``."""

    sid: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The carrier said no and has not kept the message. ``code``: Twilio error code, 0 if it gave none."""

    code: int
    meaning: RefusalClass


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request surely never arrived (no connection, 429): it may be tried again.

    ``wait_seconds``: how long to wait at least.
    """

    why: str
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether the carrier has it (timeout after the request, dropped connection, 5xx)."""

    why: str


SendOutcome = Accepted | Refused | NotSent | Ambiguous
