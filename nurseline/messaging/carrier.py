"""The carrier, as far as messaging needs it. `nurseline.carrier` has the real one."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Protocol

from nurseline.outcomes import Listing, SendOutcome, Standing


class Gateway(Protocol):
    """Asks the carrier, with time limits of its own."""

    def send(self, *, to: str, body: str, reference: uuid.UUID) -> SendOutcome:
        """Ask once for a text. Never raises for what the network or the carrier does."""

    def call(self, *, to: str, reference: uuid.UUID) -> SendOutcome:
        """Ask once for a call that reads the message ``reference``. Never raises, like `send`."""

    def find(self, *, to: str, body: str, since: datetime) -> Listing:
        """Messages with this body that the carrier got from us soon after ``since``.

        Raises OSError if it cannot be asked.
        """

    def look(self, sid: str) -> Standing | None:
        """Where the message ``sid`` stands now; None if the carrier does not know it.

        Raises OSError if it cannot be asked.
        """

    def find_calls(self, *, to: str, since: datetime) -> Listing:
        """Our calls to this number that the carrier made soon after ``since``.

        Raises OSError if it cannot be asked.
        """

    def look_at_call(self, sid: str) -> Standing | None:
        """Where the call ``sid`` stands now; None if the carrier does not know it.

        Raises OSError if it cannot be asked.
        """
