"""Counting how often something is tried, over all processes: limits on sign-ins and on other systems.

Counters live in Redis and may vanish; without Redis each process counts for itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)
Told = TypeVar("Told")
REDIS_SECONDS = 0.3
REDIS_PAUSE = 30.0  # seconds for which Redis is left alone after it failed


class Counters:
    """Moving windows. Never raises and never waits long for Redis."""

    def __init__(self, redis_url: str) -> None:
        """``redis_url``: where counters are shared between processes, if it answers."""
        shared = RedisStorage(redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
        self._shared = MovingWindowRateLimiter(shared)
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._away_until = 0.0

    def ask(self, question: Callable[[MovingWindowRateLimiter], Told]) -> Told:
        """The answer of the shared counters; of this process's own while Redis is away."""
        if time.monotonic() >= self._away_until:
            try:
                return question(self._shared)
            except (RedisError, OSError):
                log.warning("throttle.redis_away")
                self._away_until = time.monotonic() + REDIS_PAUSE
        return question(self._own)

    def hit(self, item: RateLimitItem, key: str) -> bool:
        """Count one more; False if it is one too many."""
        return self.ask(lambda limiter: limiter.hit(item, key))

    def test(self, item: RateLimitItem, key: str) -> bool:
        """Whether one more would be let through; counts nothing."""
        return self.ask(lambda limiter: limiter.test(item, key))

    def clear(self, item: RateLimitItem, key: str) -> None:
        """Forget what was counted, here and in Redis."""
        self._own.clear(item, key)
        self.ask(lambda limiter: limiter.clear(item, key))
