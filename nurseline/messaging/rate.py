"""How fast a sender may go: a token bucket in Redis that all workers of one sender share.

Carriers limit a sender by segments a second (Twilio, "rate limits"): a local number 1, toll-free 3, a short
code 100, A2P 10DLC as its campaign says. Allowance is taken before messages are claimed, so nothing waits in
the hands of a worker; what was not used goes back, and what a message took beyond it becomes debt.

Redis may vanish. Without it each worker keeps a bucket of its own with its share of the rate, and asks again
some seconds later; a Redis that lost everything gives a fresh bucket that starts empty.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Protocol

import redis
import structlog
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from nurseline.messaging.outbox import Lane
from nurseline.outcomes import CROWDED_LONGEST

log = structlog.get_logger(__name__)

BURST_SECONDS = 5.0  # of saved-up allowance: workers look every second, and nothing may get lost between
LEAST_BURST = 3.0  # segments: one message has up to three, also where the rate is below one a second
RESERVE_SECONDS = 1.0  # of allowance that reminders leave to what is urgent
REDIS_SECONDS = 0.3
REDIS_PAUSE_SECONDS = 5.0  # for which Redis is left alone after it failed
SHARERS_UNKNOWN = 4  # worker processes among which the rate is shared, as long as Redis has not told
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0  # after the carrier answered that it was too much
FORGET_SECONDS = 10.0  # after which the next such answer counts as the first again
# No pause ends further ahead than this, but one that a clock set which has been put back since. One second
# more than is ever set, for a clock that is put back a little.
LONGEST_QUIET_SECONDS = max(LONGEST_PAUSE_SECONDS, CROWDED_LONGEST) + 1.0

# Redis's own clock is the one clock of all workers.
SCRIPT = """
local now = redis.call('TIME')
now = now[1] + now[2] / 1000000
local op, rate, capacity, longest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at', 'quiet', 'strikes')
local tokens, at = tonumber(kept[1] or 0), tonumber(kept[2] or now)
local quiet, strikes = tonumber(kept[3] or 0), tonumber(kept[4] or 0)
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate)
if quiet > now + longest then quiet = now end
local granted = 0
if op == 'take' then
  local wanted, floor = tonumber(ARGV[5]), tonumber(ARGV[6])
  redis.call('ZADD', KEYS[2], now, ARGV[7])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60)
  if quiet <= now then
    if rate == 0 then
      granted = wanted
    else
      granted = math.max(0, math.min(wanted, math.floor(tokens - floor)))
      tokens = tokens - granted
    end
  end
elseif op == 'settle' then
  tokens = math.min(capacity, tokens + tonumber(ARGV[5]))
else
  local least, severe, jitter = tonumber(ARGV[5]), ARGV[6] == '1', tonumber(ARGV[7])
  if quiet > now then
    quiet = math.max(quiet, now + least)
  else
    strikes = severe and (now - quiet < tonumber(ARGV[10]) and strikes + 1 or 1) or 0
    local pause = math.min(tonumber(ARGV[9]), tonumber(ARGV[8]) * 2 ^ math.max(0, strikes - 1)) * jitter
    quiet = now + math.max(pause, least)
    tokens = math.min(tokens, 0)
  end
end
local function text(number) return string.format('%.6f', number) end
redis.call('HSET', KEYS[1], 'tokens', text(tokens), 'at', text(now), 'quiet', text(quiet), 'strikes', strikes)
redis.call('EXPIRE', KEYS[1], 3600)
redis.call('EXPIRE', KEYS[2], 3600)
return {granted, redis.call('ZCARD', KEYS[2])}
"""


class Rate(Protocol):
    """Allowance to send, counted in segments."""

    def take(self, lane: Lane, wanted: int) -> int:
        """Up to ``wanted`` segments that may go now; 0 if none may. Never waits long."""

    def settle(self, taken: int, used: int) -> None:
        """Of ``taken`` segments ``used`` went: the rest is given back, what was too little becomes debt."""

    def back_off(self, at_least: float, *, severe: bool) -> None:
        """The carrier wants fewer requests: everybody pauses, at least this many seconds.

        ``severe``: most of the requests were turned away, so the pause grows from time to time.
        """


class NoLimit:
    """As fast as the carrier answers, for whoever has no Redis."""

    def take(self, lane: Lane, wanted: int) -> int:  # noqa: ARG002 - the same for every lane
        return wanted

    def settle(self, taken: int, used: int) -> None:
        """Nothing is counted."""

    def back_off(self, at_least: float, *, severe: bool) -> None:
        """Each message waits by itself."""


@dataclass
class _Own:
    """The bucket of one process, for as long as Redis is away."""

    rate: float
    tokens: float = 0.0
    at: float = field(default_factory=time.monotonic)
    quiet: float = 0.0

    def take(self, wanted: int, floor: float) -> int:
        now = time.monotonic()
        self.tokens = min(_capacity(self.rate), self.tokens + (now - self.at) * self.rate)
        self.at = now
        if now < self.quiet:
            return 0
        if not self.rate:
            return wanted
        granted = max(0, min(wanted, math.floor(self.tokens - floor)))
        self.tokens -= granted
        return granted


class SharedRate:
    """The allowance of one sender, ``per_second`` segments; 0 for no limit but the carrier's own 429."""

    def __init__(self, redis_url: str, sender: str, per_second: float) -> None:
        """``sender``: whatever names it; only a hash of it goes to Redis."""
        # One more try where a connection that lay idle has gone; none where Redis is silent.
        retry = Retry(NoBackoff(), 1, supported_errors=(NoConnectionError,))
        client = redis.Redis.from_url(
            redis_url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, retry=retry
        )
        self._script = client.register_script(SCRIPT)
        key = f"nurseline:rate:{{{hashlib.sha256(sender.encode()).hexdigest()[:16]}}}"
        self._keys = [key, f"{key}:workers"]
        self._rate = per_second
        self._given = (per_second, _capacity(per_second), LONGEST_QUIET_SECONDS)
        self._worker = uuid.uuid4().hex
        self._sharers = SHARERS_UNKNOWN
        self._own: _Own | None = None  # while Redis is away
        self._away_until = 0.0

    def take(self, lane: Lane, wanted: int) -> int:
        """See `Rate`. What is urgent may run into debt; reminders leave it a reserve."""
        answer = self._ask("take", wanted, self._floor(lane, self._rate), self._worker)
        if answer is not None:
            self._sharers = max(1, int(answer[1]))
            return int(answer[0])
        own = self._alone()
        return own.take(wanted, self._floor(lane, own.rate))

    def settle(self, taken: int, used: int) -> None:
        """See `Rate`."""
        if not self._rate or taken == used:
            return
        if self._own is not None:
            self._own.tokens += taken - used
        else:
            self._ask("settle", taken - used)

    def back_off(self, at_least: float, *, severe: bool) -> None:
        """See `Rate`. The pause is the same for all workers, and jittered from time to time."""
        log.warning("rate.backing_off")
        at_least = min(at_least, CROWDED_LONGEST)  # a longer pause would not be believed
        jitter = random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        told = (at_least, int(severe), jitter, PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, FORGET_SECONDS)
        if self._ask("quiet", *told) is None:
            own = self._alone()
            own.quiet = max(own.quiet, time.monotonic() + max(at_least, PAUSE_SECONDS * jitter))
            own.tokens = min(own.tokens, 0.0)

    def _ask(self, op: str, *more: Any) -> Any:
        """What Redis answers; None if it is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            answer = self._script(keys=self._keys, args=[op, *self._given, *more])
        except (RedisError, OSError):
            log.warning("rate.redis_away")
            self._away_until = time.monotonic() + REDIS_PAUSE_SECONDS
            return None
        self._own = None
        return answer

    def _alone(self) -> _Own:
        if self._own is None:  # empty at first: a Redis that comes and goes must not give anything away
            self._own = _Own(self._rate / self._sharers)
        return self._own

    @staticmethod
    def _floor(lane: Lane, rate: float) -> float:
        return -_capacity(rate) if lane == "urgent" else RESERVE_SECONDS * rate


def _capacity(rate: float) -> float:
    return max(LEAST_BURST + RESERVE_SECONDS * rate, BURST_SECONDS * rate)
