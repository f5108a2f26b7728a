"""What came of asking the carrier to send a message. Shared by the carrier and messaging rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RefusalClass = Literal[
    "recipient",  # this number gets nothing, now or later
    "no_texts",  # a landline: it can be called
    "opted_out",
    "configuration",  # our account, number or registration: a person must look
    "content",  # these words: a person must look
    "later",  # once more, later
    "now",  # never processed: try again after a pause
    "ambiguous",  # the carrier itself does not know
    "unlisted",
]
NO_TEXTS = frozenset({21614, 30006})  # Twilio: not a mobile number; landline or unreachable carrier
CROWDED_LONGEST = 60.0  # seconds; a carrier that asks for more is asked again all the same


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

    ``wait_seconds``: how long to wait at least. ``crowded``: the carrier wants fewer requests from everybody,
    for how many seconds at least (`CROWDED_LONGEST` at most); 0 if it did not say, None if that is not the
    reason.
    """

    why: str
    wait_seconds: float
    crowded: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether the carrier has it (timeout after the request, dropped connection, 5xx)."""

    why: str


SendOutcome = Accepted | Refused | NotSent | Ambiguous


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one message stands at the carrier, when we ask instead of waiting for a report.

    ``status``: the carrier's own word. ``made_at``: when the carrier took the message, by its clock.
    ``error_code`` and ``meaning``: of one that failed. ``seconds``: how long a call lasted from its answer.
    """

    sid: str
    status: str
    made_at: datetime | None = None
    error_code: int | None = None
    meaning: RefusalClass | None = None
    seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What the carrier's list holds that may be a certain message of ours, oldest first.

    ``complete`` False: the list was too long to be read to its end, or hides the words of some messages,
    so that what was not found may be there all the same.
    """

    found: Sequence[Standing]
    complete: bool = True
