"""(g) How long a caller waits for the next words while fifty people are on the line.

Each caller calls, hears, thinks for a second or so and presses a key or says something, until hanging up and
calling again, as people do. Timed is what the carrier waits for: from its signed request to the last byte of
the answer, over a connection of its own. The web process runs as the Procfile starts it. The baseline is
``/healthz``, asked in between: the same server and connection without a call behind it.
"""

from __future__ import annotations

import http.client
import itertools
import random
import time
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator

from nurseline.db import upgrade
from nurseline.local import ports, ready
from tests.bench.line import NOWHERE, START_SECONDS
from tests.bench.report import Figure, Found, quantile
from tests.bench.servers import Servers
from tests.chaos.crew import procfile
from tests.support.processes import Processes
from tests.support.settings import SECRETS, settings_for_tests
from tests.support.waiting import wait_for

TITLE = "calls at once"
MEDIAN_MS, P99_MS = 15.0, 60.0
KEYS = ("1", "2", "3", "4", "*", "#", "7")
WORDS = ("how long does it last", "what are the risks", "i want to schedule", "my arm is sore", "menu")
STEPS = 12  # then the caller hangs up
STAGGER = 3.0  # seconds within which the first calls begin


@dataclass(frozen=True, slots=True)
class Sizes:
    """``calls`` at once for ``seconds``; a caller thinks for half to one and a half ``thinks`` seconds."""

    calls: int = 50
    seconds: float = 45.0
    thinks: float = 1.5


@dataclass
class Waits:
    """Seconds that callers waited, and that ``/healthz`` took."""

    answers: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


class Caller:
    """One person after another on one line."""

    def __init__(self, number: int, url: str, seed: int, waits: Waits) -> None:
        self._from = f"+1202555{number:04d}"
        self._url = urllib.parse.urlsplit(url)
        self._validator = RequestValidator(SECRETS["TWILIO_AUTH_TOKEN"])
        self._random = random.Random(seed)
        self._sids = (f"CA{seed:016x}{count:016x}" for count in itertools.count())
        self._waits = waits

    def call_until(self, over: Event, sizes: Sizes) -> None:
        """Call again and again."""
        over.wait(self._random.random() * STAGGER)
        while not over.is_set():
            for _ in self._one_call():
                self._healthz()
                if over.wait(sizes.thinks * self._random.uniform(0.5, 1.5)):
                    return

    def _one_call(self) -> Iterator[None]:
        """One call; yields where the caller thinks."""
        sid = next(self._sids)
        path, more = "/voice", {"CallStatus": "ringing"}
        for _ in range(STEPS):
            document = self._ask(path, {"CallSid": sid, "From": self._from, "Direction": "inbound", **more})
            yield
            gather = document.find(".//Gather") if document is not None else None
            if gather is None:
                break
            path = self._path(gather.get("action", ""))
            more = {"CallStatus": "in-progress", **self._answer(gather.get("input", "dtmf"))}
        self._ask("/voice/status", {"CallSid": sid, "From": self._from, "CallStatus": "completed"})

    def _answer(self, wanted: str) -> dict[str, str]:
        if "speech" in wanted and self._random.random() < 0.4:
            return {"SpeechResult": self._random.choice(WORDS), "Confidence": "0.9"}
        return {"Digits": self._random.choice(KEYS)}

    def _path(self, address: str) -> str:
        parts = urllib.parse.urlsplit(address)
        return urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))

    def _ask(self, path: str, params: dict[str, str]) -> ElementTree.Element | None:
        params = {"AccountSid": SECRETS["TWILIO_ACCOUNT_SID"], "To": "+15005550006", **params}
        address = f"{self._url.scheme}://{self._url.netloc}{path}"
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Twilio-Signature": self._validator.compute_signature(address, params),
        }
        status, body, took = self._request("POST", path, urllib.parse.urlencode(params), headers)
        self._waits.answers.append(took)
        if status not in {200, 204}:
            self._waits.wrong.append(f"{path}: {status}")
        return ElementTree.fromstring(body) if status == 200 and body else None

    def _healthz(self) -> None:
        self._waits.bare.append(self._request("GET", "/healthz", None, {})[2])

    def _request(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> tuple[int, bytes, float]:
        connection = http.client.HTTPConnection(self._url.netloc, timeout=30)
        try:
            started = time.perf_counter()
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
            return response.status, content, time.perf_counter() - started
        finally:
            connection.close()


def measure(servers: Servers, sizes: Sizes) -> Found:
    """Callers for a while, after a few that warm the processes up."""
    running = Processes(servers.folder / "logs-calls")
    with servers.database() as database_url, servers.broker() as broker:
        port = ports.free_port()
        env = settings_for_tests(
            database_url=database_url,
            redis_url=broker.urls[0],
            port=port,
            phone_port=NOWHERE,
            state=servers.folder,
            LOG_LEVEL="WARNING",
        )
        upgrade(database_url)
        try:
            running.start("web", ["/bin/sh", "-c", procfile()["web"]], env)
            url = env["PUBLIC_BASE_URL"]
            wait_for(lambda: ready.web_answers(f"{url}/healthz"), START_SECONDS, "the web process")
            _call(url, Sizes(calls=8, seconds=min(3.0, sizes.seconds), thinks=0.1), seed=10_000)
            waits = _call(url, sizes, seed=0)
        finally:
            running.stop_all()
    return _found(waits, sizes)


def _call(url: str, sizes: Sizes, seed: int) -> Waits:
    waits, over = Waits(), Event()
    callers = [Caller(number, url, seed + number, waits) for number in range(sizes.calls)]
    with ThreadPoolExecutor(sizes.calls) as pool:
        ends = [pool.submit(caller.call_until, over, sizes) for caller in callers]
        time.sleep(sizes.seconds)
        over.set()
        for end in ends:
            end.result()
    if waits.wrong:
        raise RuntimeError(f"{len(waits.wrong)} answers were none, the first: {waits.wrong[0]}")
    return waits


def _found(waits: Waits, sizes: Sizes) -> Found:
    found = Found("g", TITLE)
    for name, share, most in (("median", 0.5, MEDIAN_MS), ("p99", 0.99, P99_MS)):
        bare = quantile(waits.bare, share) * 1000
        found.figures.append(
            Figure(
                f"{sizes.calls} calls at once: {name}",
                quantile(waits.answers, share) * 1000,
                "ms",
                bare,
                "of /healthz",
                at_most=most,
                of="value",
            )
        )
    found.details = {"answers": len(waits.answers), "max_ms": max(waits.answers) * 1000}
    return found
