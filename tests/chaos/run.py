"""One run, from empty servers to the verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from nurseline.app import build
from nurseline.config import load_settings
from nurseline.db import upgrade
from nurseline.local import state
from nurseline.local.ports import free_port
from nurseline.messaging.models import OutboundMessage
from nurseline.parts import Parts
from nurseline.wakeups import HOUSEKEEPING, Publisher
from tests.chaos import judge as rules
from tests.chaos.books import Books
from tests.chaos.carrier import Carrier, Taken
from tests.chaos.choices import ALERTED, FULL, SEGMENTS, SEGMENTS_SMALL, Choices, Patient, choose
from tests.chaos.crew import Crew
from tests.chaos.patients import Texting, enrol_all
from tests.chaos.report import Result
from tests.chaos.servers import Servers
from tests.chaos.settle import MOVING, Left, Quiet
from tests.chaos.storm import Diary, Storm
from tests.support.processes import Processes
from tests.support.settings import settings_for_tests
from tests.support.waiting import wait_for

# Seconds: the whole of a full run stays below ten minutes.
STORM_LIMIT, QUIET_LIMIT, HOUR_LIMIT = 220.0, 240.0, 60.0
HOUR = timedelta(minutes=65)
LAG = 8.0  # seconds of quiet after which no request is under way and the carrier's list shows everything
ENDED = "process ended by itself"
LOOKING = ("tidy", "look_up_unknown", "poll_sent")  # what beat asks for now and then


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run happens: its folder, and the servers that were given, if any."""

    folder: Path
    environment: Mapping[str, str]


class Run:
    """The parts of one run. Use `whole`."""

    def __init__(self, choices: Choices, place: Place, stack: ExitStack) -> None:
        self.choices, self.diary = choices, Diary()
        self.servers = Servers(state.prepare(place.folder / "state"), place.environment)
        stack.callback(self.servers.close)
        upgrade(self.servers.postgres.url)
        processes = Processes(place.folder / "logs")
        stack.callback(processes.stop_all)
        self.env = self._environment(place.folder)
        small = choices.small
        self.crew = Crew(processes, self.env, workers=2 if small else 3, beats=2)
        self.processes = processes
        self.carrier = Carrier(f"http://127.0.0.1:{self.env['DEVPHONE_PORT']}")
        self.parts = self._parts()
        stack.callback(self.parts.db.engine.dispose)
        self.books = Books(self.parts)
        self.texting = Texting(self.carrier, self.diary.away)
        stack.callback(self.texting.stop)
        self._passed = 0.0

    def _environment(self, folder: Path) -> dict[str, str]:
        port, phone_port, api_port = free_port(), free_port(), free_port()
        small = self.choices.small
        return settings_for_tests(
            database_url=self.servers.postgres.line_url,
            redis_url=self.servers.redis.line_url,
            port=port,
            phone_port=phone_port,
            state=folder / "state",
            STATE_HOURS="0",
            ALERT_NUMBERS=ALERTED,
            DEVPHONE_API_PORT=str(api_port),
            DEVPHONE_LEDGER="memory",
            TWILIO_API_BASE_URL=f"http://127.0.0.1:{api_port}",
            SEGMENTS_PER_SECOND=str(SEGMENTS_SMALL if small else SEGMENTS),
            WEB_PROCESSES="1" if small else "2",
            WORKER_PROCESSES="1" if small else "2",
            TMPDIR=str(folder),  # killed workers leave folders there
        )

    def _parts(self) -> Parts:
        direct = {**self.env, "DATABASE_URL": self.servers.postgres.url}
        return build(load_settings(**{name.lower(): value for name, value in direct.items()}))

    def prepare(self) -> dict[str, str]:
        """Everybody is enrolled and the first processes answer; the injections by number."""
        phone = self.crew.start("phone")
        self.processes.wait_until_answers(phone, f"{self.carrier.url}/healthz", 120)
        for patient in self.choices.patients:
            self._handset(patient)
        blocked = sum(patient.blocked for patient in self.choices.patients)
        wait_for(lambda: self.carrier.complaints() >= blocked, 60, "the line to have missed every STOP")
        web = self.crew.start("web")
        self.processes.wait_until_answers(web, f"{self.env['PUBLIC_BASE_URL']}/healthz", 120)
        injections = enrol_all(self.parts, self.choices.patients)
        self.diary.note(f"{len(injections)} injections enrolled")
        return injections

    def _handset(self, patient: Patient) -> None:
        if patient.blocked:  # nobody listens yet, so only the carrier knows of it
            self.carrier.ask("POST", "/messages", {"from": patient.number, "body": "STOP", "wait": False})
        model: dict[str, Any] = {"delivery": patient.delivery} if patient.delivery else {}
        if patient.call:
            model |= {"call": {"answer": patient.call, "after": 1.0}, "pace": "real"}
        if model:
            self.carrier.ask("PUT", f"/handsets/{patient.number}", model)

    def storm(self) -> dict[str, int]:
        """All faults; how often each of the carrier's struck."""
        self.carrier.fail(self.choices.carrier)
        self.crew.start_missing()
        self.diary.note(f"{len(self.crew.posts)} processes started: {', '.join(self.crew.posts)}")
        storm = Storm(self.choices, self.crew, self.servers, self.books, self.texting, self.diary)
        storm.blow(STORM_LIMIT)
        struck = self.carrier.calm()
        self.crew.start_missing()
        self.diary.note("quiet: no more faults")
        return struck

    def quiet(self) -> Left:
        """Wait until nothing is left to happen; what is left."""
        found = self._settle("settled", QUIET_LIMIT)
        if found.none:
            self._pass_an_hour()
            found = self._settle("settled an hour later", HOUR_LIMIT)
        return found

    def _settle(self, what: str, limit: float) -> Left:
        quiet = Quiet(self.books, self.carrier, self._pass_time, self._final, self.texting.waiting)
        self._passed = 0.0
        found = quiet.settle(limit)
        self.diary.note(what if found.none else f"not {what}: {found}")
        return found

    def _pass_an_hour(self) -> None:
        """Let an hour pass for what waits to be sent once more; the carrier's queue has room by then."""
        for patient in self.choices.patients:
            if patient.delivery and patient.delivery.get("code") == FULL:
                self.carrier.ask("PUT", f"/handsets/{patient.number}", {"delivery": {"outcome": "deliver"}})
        m, now = OutboundMessage, datetime.now(UTC)
        later = sa.update(m).execution_options(synchronize_session=False)
        next_turns = (m.turn > 0, m.status == "scheduled", m.send_after <= now + HOUR)
        with self.parts.db.begin() as session:
            session.execute(later.where(*next_turns).values(send_after=now))

    def _pass_time(self, elapsed: float) -> None:
        """Let hours pass: the carrier is asked now about what it would be asked later.

        ``elapsed``: seconds of quiet. The short version does not wait for leases and for beat either.
        """
        for name, code in self.crew.look_after():
            self.diary.note(f"{name} ended by itself with {code}; started again")
        m, now, small = OutboundMessage, datetime.now(UTC), self.choices.small
        if elapsed < LAG or elapsed - self._passed < (4.0 if small else 15.0):
            return
        self._passed = elapsed
        later = sa.update(m).execution_options(synchronize_session=False)
        with self.parts.db.begin() as session:
            session.execute(later.where(m.check_after > now).values(check_after=now))
            if small:
                session.execute(
                    later.where(m.lease_until > now, m.status == "sending").values(lease_until=now)
                )
        if small:
            publisher = Publisher(self.servers.redis.url)
            for task in LOOKING:
                publisher.send(task, HOUSEKEEPING)

    def _final(self, one: Taken) -> bool:
        return one.status not in MOVING and (one.status != "sent" or one.to in self._silent)

    @property
    def _silent(self) -> frozenset[str]:
        """Numbers of whose messages the carrier never learns what became."""
        silent = {"outcome": "sent"}
        return frozenset(p.number for p in self.choices.patients if p.delivery == silent)

    def verdict(self, injections: dict[str, str]) -> tuple[rules.Verdict, dict[str, list[str]], rules.Facts]:
        """Compare the ledgers."""
        books = self.books
        hashes = {number: books.hash_of(number) for number in injections}
        recorded, items = books.opted_out(), books.emergencies()
        facts = rules.Facts(
            books.rows(),
            self.carrier.taken(),
            self.carrier.calls(),
            frozenset(books.shown_to_staff()),
            injections,
            frozenset(p.number for p in self.choices.patients if p.text == "stop" or p.blocked),
            datetime.now(UTC),
        )
        ended = frozenset(number for number, key in hashes.items() if key in recorded)
        raised = frozenset(number for number, key in hashes.items() if key in items)
        texts = rules.judge_stops(self.texting.of("stop"), facts, ended)
        texts |= rules.judge_emergencies(self.texting.of("emergency"), facts, raised)
        return rules.judge(facts), texts, facts


def whole(seed: int, reminders: int, place: Place) -> tuple[Result, Diary]:
    """One run with all choices of this seed."""
    began = time.monotonic()
    with ExitStack() as stack:
        run = Run(choose(seed, reminders), place, stack)
        injections = run.prepare()
        struck = run.storm()
        calm_at = time.monotonic()
        left = run.quiet()
        verdict, texts, facts = run.verdict(injections)
        ended = [f"{post.name}:{code}" for post in run.crew.posts.values() for code in post.ended]
        violations = {
            **verdict.violations,
            **texts,
            ENDED: ended,
            "not settled": [] if left.none else [str(left)],
        }
        shown: dict[str, Any] = {
            "reminders due": dict(verdict.statuses),
            "other messages": dict(Counter(r.purpose for r in facts.rows if r.purpose != "reminder")),
            "texts and calls of the carrier": f"{len(facts.taken)} and {len(facts.calls)}",
            "lawful repeats": len(verdict.repeats),
            "faults of the carrier": struck,
            "texts of patients": len(run.texting.done),
            "largest backward step of a history, s": round(verdict.furthest_back, 3),
            "seconds until settled": round(time.monotonic() - calm_at),
            "seconds in all": round(time.monotonic() - began),
        }
        return Result(seed, reminders, shown, violations), run.diary
