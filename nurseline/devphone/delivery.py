"""What becomes of a message after the carrier took it: a model per handset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from nurseline.devphone.errors import BadInput

Outcome = Literal["deliver", "sent", "fail"]
MOST_DELAY = 3600.0

# These are found out before the message leaves the carrier; the others after it was sent.
_FAILED_BEFORE_SENT = frozenset({21610, 30001, 30002, 30022, 30023, 30032, 30034, 30410})


@dataclass(frozen=True, slots=True)
class Delivery:
    """`outcome` with the error `code` when it fails; seconds until sent, and from sent to the last status."""

    outcome: Outcome = "deliver"
    code: int = 30008
    sent_after: float = 0.08
    done_after: float = 0.12

    @property
    def failure(self) -> Literal["failed", "undelivered"]:
        return "failed" if self.code in _FAILED_BEFORE_SENT else "undelivered"


def read_delivery(given: object, default: Delivery | None = None) -> Delivery:
    """A model from the control interface: {"outcome", "code", "sent_after", "done_after"}, all optional.

    Raises:
        BadInput: for an unknown key or a value that makes no sense.
    """
    base = default or Delivery()
    if not isinstance(given, dict):
        raise BadInput("delivery must be an object.")
    unknown = set(given) - {"outcome", "code", "sent_after", "done_after"}
    if unknown:
        raise BadInput(f"delivery does not know {min(unknown)!r}.")
    outcome = given.get("outcome", base.outcome)
    if outcome not in {"deliver", "sent", "fail"}:
        raise BadInput("outcome must be deliver, sent or fail.")
    code = given.get("code", base.code)
    if not isinstance(code, int) or isinstance(code, bool) or not 10000 <= code <= 99999:
        raise BadInput("code must be an error code such as 30003.")
    return Delivery(
        outcome,
        code,
        _seconds(given.get("sent_after", base.sent_after), "sent_after"),
        _seconds(given.get("done_after", base.done_after), "done_after"),
    )


def _seconds(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_DELAY:
        raise BadInput(f"{name} must be seconds from 0 to {MOST_DELAY:.0f}.")
    return float(value)
