"""The faults of processes and servers, one after the other, by how much of the work is done."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.books import Books
from tests.chaos.choices import Choices, Strike
from tests.chaos.crew import Crew, Post
from tests.chaos.patients import Texting
from tests.chaos.servers import Servers

TICK = 0.1
PATIENCE = 30.0  # seconds without any progress after which the next fault strikes all the same
# Seconds to wait for so many messages in flight before a fault that is to meet some.
IN_FLIGHT_WITHIN, IN_FLIGHT = 6.0, 5
MARGIN = 6.0  # a request that began so long before an outage may still have met it
# What is done to servers of our own only; of given ones the network fails instead.
BY_HAND = frozenset({"redis killed", "postgres restarted", "postgres crashed"})


@dataclass
class Diary:
    """What happened when, for people; and when the database was away, for the judge."""

    began: float = field(default_factory=time.monotonic)
    lines: list[tuple[float, str]] = field(default_factory=list)
    outages: list[tuple[float, float]] = field(default_factory=list)

    def note(self, what: str) -> None:
        at = time.monotonic() - self.began
        self.lines.append((round(at, 1), what))
        print(f"  {at:6.1f} s  {what}", flush=True)

    def away(self, began: float, ended: float) -> bool:
        """Whether the database was taken away at some time between two instants (monotonic clock)."""
        return any(start - MARGIN < ended and began < end + MARGIN for start, end in list(self.outages))


@dataclass
class Storm:
    """One run's faults. Everything happens on the thread that calls `blow`."""

    choices: Choices
    crew: Crew
    servers: Servers
    books: Books
    texting: Texting
    diary: Diary
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: itertools.count[int] = field(default_factory=itertools.count)
    _away: set[str] = field(default_factory=set)

    def blow(self, limit_seconds: float) -> None:
        """Let every fault strike and every patient text, then mend everything."""
        strikes, texts = list(self.choices.strikes), list(self.choices.texts)
        ends, moved, share, last = time.monotonic() + limit_seconds, time.monotonic(), 0.0, -1
        while (strikes or texts) and time.monotonic() < ends:
            self._mend_what_is_due()
            self._look_after()
            progress = self.books.progress()
            if progress is not None and progress[0] != last:
                last, moved = progress[0], time.monotonic()
                share = last / len(self.choices.patients)
            while texts and texts[0][0] <= share:
                self.texting.begin(texts.pop(0)[1])
            waited = time.monotonic() - moved
            if waited > PATIENCE and texts:
                self.texting.begin(texts.pop(0)[1])
            if strikes and not self._in_trouble(strikes[0]) and (strikes[0].at <= share or waited > PATIENCE):
                if waited > PATIENCE:
                    self.diary.note(f"nothing moved for {waited:.0f} s")
                self._strike(strikes.pop(0), share)
                moved = time.monotonic()
            time.sleep(TICK)
        for strike in strikes:
            self.diary.note(f"no time left for: {strike.kind}")
        for _, patient in texts:
            self.texting.begin(patient)
        while self._later:
            self._mend_what_is_due()
            time.sleep(TICK)

    def _strike(self, strike: Strike, share: float) -> None:
        name, _, what = strike.kind.partition(" ")
        do = getattr(self, f"_{strike.kind.replace(' ', '_')}")
        flying = self._in_flight() if name in {"redis", "postgres"} or "worker" in what else None
        told: str | None = do(strike)
        text = f"{told or strike.kind}{f' for {strike.seconds:.1f} s' if strike.seconds else ''}"
        flight = "" if flying is None else f", {flying} messages in flight"
        self.diary.note(f"{text} ({share:.0%} gone{flight})")

    def _in_flight(self) -> int:
        """How many messages are under way; waits a little for some."""
        ends = time.monotonic() + IN_FLIGHT_WITHIN
        while True:
            progress = self.books.progress()
            if (progress and progress[1] >= IN_FLIGHT) or time.monotonic() > ends:
                return progress[1] if progress else 0
            time.sleep(0.05)

    def _after(self, seconds: float, mend: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), mend))

    def _mend_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()

    def _look_after(self) -> None:
        for name, code in self.crew.look_after():
            self.diary.note(f"{name} ended by itself with {code}; started again")

    # --- processes ---

    def _post(self, role: str, which: float) -> Post | None:
        there = [post for post in self.crew.of(role) if post.running and not post.frozen and not post.leaving]
        return there[int(which * len(there))] if there else None

    def _kill(self, role: str, strike: Strike) -> str:
        post = self._post(role, strike.which)
        if post is None:
            return f"nobody there for {strike.kind}"
        self.crew.kill(post)
        self._after(strike.seconds, lambda: self._start(post))
        return f"kill -9 {post.name}"

    def _start(self, post: Post) -> None:
        if not post.running:
            self.crew.start(post.name)

    def _kill_worker(self, strike: Strike) -> str:
        return self._kill("worker", strike)

    def _kill_urgent(self, strike: Strike) -> str:
        return self._kill("urgent", strike)

    def _kill_beat(self, strike: Strike) -> str:
        return self._kill("beat", strike)

    def _kill_web(self, strike: Strike) -> str:
        return self._kill("web", strike)

    def _kill_child(self, strike: Strike) -> str:
        post = self._post("worker", strike.which)
        child = self.crew.kill_child(post, strike.which) if post else None
        return f"kill -9 a child of {post.name}" if post and child else "no worker has a child"

    def _stop_worker(self, strike: Strike) -> str:
        post = self._post("worker", strike.which)
        if post is None:
            return "nobody there to stop"
        self.crew.ask_to_end(post)
        return f"{post.name} asked to end"

    def _freeze_worker(self, strike: Strike) -> str:
        post = self._post("worker", strike.which)
        if post is None:
            return "nobody there to freeze"
        self.crew.freeze(post)
        self._after(strike.seconds, lambda: self.crew.thaw(post))
        return f"{post.name} stopped in mid-step (SIGSTOP)"

    # --- servers: each is in one trouble at a time ---

    def _in_trouble(self, strike: Strike) -> bool:
        return strike.kind.partition(" ")[0] in self._away

    def _trouble(
        self, server: str, strike: Strike, begin: Callable[[], object], end: Callable[[], None]
    ) -> str:
        self._away.add(server)
        began = time.monotonic()
        if server == "postgres":
            self.diary.outages.append((began, began + 3600))
        begin()

        def mend() -> None:
            end()
            self._away.discard(server)
            if server == "postgres":
                self.diary.outages[-1] = (began, time.monotonic())

        self._after(strike.seconds, mend)
        given = not getattr(self.servers, server).ours
        return f"{server} out of reach" if given and strike.kind in BY_HAND else strike.kind

    def _redis_flushed(self, strike: Strike) -> str:
        return self._trouble("redis", strike, self.servers.redis.flush, lambda: None)

    def _redis_killed(self, strike: Strike) -> str:
        return self._trouble("redis", strike, self.servers.redis.kill, self.servers.redis.start_again)

    def _redis_refusing(self, strike: Strike) -> str:
        proxy = self.servers.redis.proxy
        return self._trouble("redis", strike, proxy.refuse, proxy.mend)

    def _redis_silent(self, strike: Strike) -> str:
        proxy = self.servers.redis.proxy
        return self._trouble("redis", strike, proxy.silence, proxy.mend)

    def _postgres_restarted(self, strike: Strike) -> str:
        server = self.servers.postgres
        return self._trouble("postgres", strike, server.restart, server.start_again)

    def _postgres_crashed(self, strike: Strike) -> str:
        server = self.servers.postgres
        return self._trouble("postgres", strike, server.crash, server.start_again)

    def _postgres_cut(self, strike: Strike) -> str:
        return self._trouble("postgres", strike, self.servers.postgres.proxy.cut, lambda: None)

    def _postgres_silent(self, strike: Strike) -> str:
        proxy = self.servers.postgres.proxy
        return self._trouble("postgres", strike, proxy.silence, proxy.mend)
