"""Status callbacks of calls: which events, in which order, with which parameters.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

from nurseline.devphone.call import FINAL, Call
from nurseline.devphone.rest_shapes import date
from nurseline.devphone.signing import Params

EVENTS = ("initiated", "ringing", "answered", "completed")
_EVENT_OF = {"queued": "initiated", "ringing": "ringing", "in-progress": "answered"}

Tell = Callable[[str, Params, str, str], None]


@dataclass(slots=True)
class Report:
    """Where a call reports to, and which of its events; `told` are those that were."""

    url: str
    events: frozenset[str] = frozenset({"completed"})
    method: str = "POST"
    told: list[str] = field(default_factory=list)

    def now(self, call: Call, base: Params, tell: Tell) -> None:
        """Sends what the present status calls for, once."""
        event = "completed" if call.status in FINAL else _EVENT_OF.get(call.status)
        if event is None or event not in self.events or event in self.told:
            return
        if event == "initiated":
            base = [(name, "initiated" if name == "CallStatus" else value) for name, value in base]
        params = [*base, ("Timestamp", date(time()) or ""), ("CallbackSource", "call-progress-events")]
        params.append(("SequenceNumber", str(len(self.told))))
        if event == "completed":
            params += [
                ("CallDuration", str(call.duration or 0)),
                ("Duration", str(-(-(call.duration or 0) // 60))),
            ]
        self.told.append(event)
        tell(self.url, params, self.method, call.sid)
