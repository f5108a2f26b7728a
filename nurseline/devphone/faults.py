"""The seam for faults: where a run may ask the stand-in to fail on purpose. By default nothing fails."""

# ruff: noqa: ARG002 - the arguments are for those who override

from __future__ import annotations

from typing import Literal

from nurseline.devphone.errors import RestError

After = Literal["answer", "error", "drop"]


class Faults:
    """Asked by the REST interface around each create, and by the message life for each status callback."""

    def before_create(self, kind: Literal["message", "call"]) -> RestError | None:
        """An error instead of accepting the request (429, 5xx before acceptance), or None."""
        return None

    def after_create(self, kind: Literal["message", "call"]) -> After:
        """What the client sees of an accepted request: the answer, a 500, or a dropped connection."""
        return "answer"

    def callback_delays(self, sid: str, status: str) -> tuple[float, ...]:
        """Seconds after which the callback is sent: () loses it, two values double it."""
        return (0.0,)

    def webhook_times(self, sid: str) -> int:
        """How often an inbound event is posted."""
        return 1
