"""How fast a sender may go."""

from __future__ import annotations

from typing import Protocol

from nurseline.messaging.outbox import Lane


class Rate(Protocol):
    """Allowance to send, counted in segments and shared by all workers of one sender."""

    def take(self, lane: Lane, wanted: int) -> int:
        """Up to ``wanted`` segments that may go now; 0 if none may. Never waits."""

    def settle(self, taken: int, used: int) -> None:
        """Of ``taken`` segments ``used`` went: the rest is given back, what was too little becomes debt."""

    def back_off(self, at_least: float, *, severe: bool) -> None:
        """The carrier wants fewer requests: everybody pauses, at least this many seconds.

        ``severe``: most of the requests were turned away, so the pause grows from time to time.
        """


class NoLimit:
    """As fast as the carrier answers."""

    def take(self, lane: Lane, wanted: int) -> int:  # noqa: ARG002 - the same for every lane
        return wanted

    def settle(self, taken: int, used: int) -> None:
        """Nothing is counted."""

    def back_off(self, at_least: float, *, severe: bool) -> None:
        """Each message waits by itself."""
