"""How often a sign-in may be tried: per address, per account, per known device.

Buckets empty by themselves within ten minutes, so nobody is locked out for good. A device that has
signed in to the account before has a bucket of its own, so a stranger who tries an account's address
over and over does not keep its owner out (OWASP: slow down online guessing with device cookies).
Counters live in Redis and may vanish; without Redis each process counts for itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter

from nurseline.counting import Counters

PER_ADDRESS = RateLimitItemPerMinute(60, 10, namespace="sign-in-address")
PER_ACCOUNT = RateLimitItemPerMinute(10, 10, namespace="sign-in-account")
PER_DEVICE = RateLimitItemPerMinute(10, 10, namespace="sign-in-device")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries: keys without meaning to a reader of Redis. ``device`` is empty for an unknown one."""

    address: str
    account: str
    device: str = ""

    @property
    def buckets(self) -> tuple[tuple[RateLimitItem, str], ...]:
        """What this attempt counts against."""
        if self.device:
            return ((PER_DEVICE, self.device),)
        return ((PER_ADDRESS, self.address), (PER_ACCOUNT, self.account))


class Throttle:
    """Counts sign-ins. Never raises and never waits long for Redis."""

    def __init__(self, redis_url: str) -> None:
        """``redis_url``: where counters are shared between processes, if it answers."""
        self._counters = Counters(redis_url)

    def count(self, attempt: Attempt) -> int:
        """Count an attempt; seconds to wait if it is one too many, else 0."""
        return self._counters.ask(lambda limiter: _count(limiter, attempt))

    def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of an account or device that has now signed in."""
        self._counters.clear(*attempt.buckets[-1])


def _count(limiter: MovingWindowRateLimiter, attempt: Attempt) -> int:
    for item, key in attempt.buckets:
        if not limiter.hit(item, key):
            window = limiter.get_window_stats(item, key)
            return max(1, round(window.reset_time - time.time()))
    return 0
