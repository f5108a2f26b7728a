"""Faults on purpose: whether one strikes is decided here, and counted. Without a plan nothing fails.

A decision depends on the seed, the fault, what is decided about (for a message its recipient and words), and
how often that was asked before; not on which thread was first. Only bursts of 429, which strike the account
and not a message, go by the running number of creates.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nurseline.devphone.errors import RestError
from nurseline.devphone.fault_plan import UNREACHABLE, Plan

Kind = Literal["message", "call"]
After = Literal["answer", "error", "drop"]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one create.

    `refused`: the connection is reset, or the error answered, and nothing is stored. Else it is accepted:
    `after` is what the client sees of that, after `seconds`; `early` sends the first status callback before
    the answer; for `list_lag` seconds lists do not show it. After the answer the interface is `away` so many
    seconds.
    """

    refused: Literal["reset"] | RestError | None = None
    after: After = "answer"
    error_status: int = 500
    seconds: float = 0.0
    early: bool = False
    list_lag: float = 0.0
    away: float = 0.0


@dataclass(frozen=True, slots=True)
class Posting:
    """How a status callback is posted: after each of these seconds (none: lost), or held back.

    `hold`: it waits for the callback of the last status to be posted first, so many seconds at most.
    """

    delays: tuple[float, ...] = (0.0,)
    hold: float | None = None


class Faults:
    """Asked by the REST interface at each create, and before each status callback and webhook."""

    def __init__(self, plan: Plan | None = None) -> None:
        self._lock = threading.Lock()
        self.use(plan or Plan())

    def use(self, plan: Plan) -> None:
        """Begins with this plan; all counters start again, so that the same run can be repeated."""
        with self._lock:
            self.plan = plan
            self._asked: Counter[str] = Counter()
            self._struck: Counter[str] = Counter()
            self._creates = 0

    def end(self) -> None:
        """No more faults; what was counted stays until the next plan."""
        with self._lock:
            self.plan = Plan()

    def counts(self) -> dict[str, int]:
        """How often each fault struck; those of the plan that never did are 0."""
        with self._lock:
            return {**dict.fromkeys(self.plan.rules, 0), **self._struck}

    @property
    def creates(self) -> int:
        """Creates that were asked for since the plan began."""
        return self._creates

    # --- the questions ---

    def of_create(self, kind: Kind, form: Mapping[str, str]) -> Fate:
        if not self.plan.rules:
            return Fate()
        key = f"{kind}|{form.get('To', '')}|{form.get('Body') or form.get('Url', '')}"
        nth = self._nth(f"create|{key}")
        with self._lock:
            number, self._creates = self._creates, self._creates + 1
        refused = self._refusal(key, nth, number)
        if refused is not None:
            return Fate(refused)
        after: After = "answer"
        if self._strikes("error_after", key, nth):
            after = "error"
        elif self._strikes("drop_after", key, nth):
            after = "drop"
        return Fate(
            after=after,
            error_status=int(self._value("error_after", "status", 500)),
            seconds=self._seconds_of("slow", key, nth),
            early=self._strikes("callback_early", key, nth),
            list_lag=self._seconds_of("list_lag", key, nth),
            away=self._seconds_of(UNREACHABLE, key, nth),
        )

    def of_callback(self, key: str, *, final: bool) -> Posting:
        """`key` names what is reported, `final` that no later report can overtake it."""
        if not self.plan.rules:
            return Posting()
        nth = self._nth(f"callback|{key}")
        if self._strikes("callback_lost", key, nth):
            return Posting(())
        first = self._seconds_of("callback_delayed", key, nth)
        delays: tuple[float, ...] = (first,)
        if self._strikes("callback_doubled", key, nth):
            delays = (first, first + self._value("callback_doubled", "seconds", 0.0))
        if not final and self._strikes("callback_reordered", key, nth):
            return Posting(delays, self._value("callback_reordered", "seconds", 0.0))
        return Posting(delays)

    def of_webhook(self, key: str) -> Literal["once", "twice", "at once"]:
        """How often an inbound event is posted; of two answers one is lost."""
        if not self.plan.rules or not self._strikes("webhook_twice", key, self._nth(f"webhook|{key}")):
            return "once"
        return "at once" if self._value("webhook_twice", "at_once", 0) else "twice"

    # --- deciding ---

    def _refusal(self, key: str, nth: int, number: int) -> Literal["reset"] | RestError | None:
        if self._strikes("refuse", key, nth):
            return "reset"
        length = int(self._value("too_many", "in_a_row", 0))
        if any(self._chance("too_many", "", n) for n in range(max(0, number - length + 1), number + 1)):
            self._count("too_many")
            return RestError(20429, "Too Many Requests", 429)
        if self._strikes("error_before", key, nth):
            status = int(self._value("error_before", "status", 503))
            return RestError(20503 if status == 503 else 20500, "Service is unavailable", status)
        return None

    def _nth(self, key: str) -> int:
        short = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
        with self._lock:
            self._asked[short] += 1
            return self._asked[short]

    def _chance(self, fault: str, key: str, nth: int) -> bool:
        rule = self.plan.rules.get(fault)
        if rule is None or rule.p <= 0:
            return False
        mixed = hashlib.blake2b(f"{self.plan.seed}|{fault}|{nth}|{key}".encode(), digest_size=8).digest()
        return int.from_bytes(mixed, "big") / 2**64 < rule.p

    def _strikes(self, fault: str, key: str, nth: int) -> bool:
        struck = self._chance(fault, key, nth)
        if struck:
            self._count(fault)
        return struck

    def _count(self, fault: str) -> None:
        with self._lock:
            self._struck[fault] += 1

    def _value(self, fault: str, name: str, otherwise: float) -> float:
        rule = self.plan.rules.get(fault)
        return rule.values.get(name, otherwise) if rule else otherwise

    def _seconds_of(self, fault: str, key: str, nth: int) -> float:
        return self._value(fault, "seconds", 0.0) if self._strikes(fault, key, nth) else 0.0
