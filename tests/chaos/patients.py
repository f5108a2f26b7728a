"""The people of a run: enrolled before it, and some of them text while it lasts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from nurseline.aftercare.many import Entry, enrol_many
from nurseline.aftercare.service import Enrolled, Enrolment
from nurseline.parts import Parts
from tests.chaos.carrier import Carrier
from tests.chaos.choices import Patient

AT_ONCE = 200  # injections enrolled in one transaction
PER_INJECTION = 0.003  # seconds that enrolling one takes, about
PAUSE = 3.0  # before somebody who got no answer texts again
DAY = timedelta(hours=24)


def enrol_all(parts: Parts, patients: Sequence[Patient]) -> dict[str, str]:
    """Enrol an injection of about 24 hours ago for each; injection by number."""
    begins = datetime.now(UTC) + timedelta(seconds=5 + PER_INJECTION * len(patients))
    made: dict[str, str] = {}
    wording = parts.say("consent.wording", "en")
    agreed = (wording.text, str(wording.version), "chaos")
    for start in range(0, len(patients), AT_ONCE):
        some = patients[start : start + AT_ONCE]
        entries = [
            Entry(p.number, Enrolment(begins + timedelta(seconds=p.due) - DAY, p.zone, "en", True, *agreed))
            for p in some
        ]
        with parts.db.begin() as session:
            came = enrol_many(session, parts.keyring, entries, now=parts.clock.now(), steps=parts.steps)
        for patient, one in zip(some, came, strict=True):
            assert isinstance(one, Enrolled), one
            made[patient.number] = str(one.injection_id)
    return made


@dataclass(frozen=True, slots=True)
class Texted:
    """One text of a patient. ``well``: the line took it; ``whole``: while its database was there."""

    patient: Patient
    ended: datetime
    replies: tuple[str, ...]
    well: bool
    whole: bool


@dataclass
class Texting:
    """Patients who text, each in a thread, again until the line has taken it."""

    carrier: Carrier
    away: Callable[[float, float], bool]  # whether the database was taken away between two instants
    done: list[Texted] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(6, "patient"))
    _tasks: list[Future[None]] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def begin(self, patient: Patient) -> None:
        """This patient texts now."""
        self._tasks.append(self._pool.submit(self._text, patient))

    def waiting(self) -> int:
        """How many have not been taken by the line yet."""
        for task in self._tasks:
            if task.done():
                task.result()  # an error of ours must not look like patience
        return sum(not task.done() for task in self._tasks)

    def stop(self) -> None:
        """Nobody texts any more."""
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def of(self, kind: str) -> Iterable[Texted]:
        return [one for one in self.done if one.patient.text == kind]

    def _text(self, patient: Patient) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            try:
                replies, well = self.carrier.text(patient.number, patient.words)
            except OSError:
                replies, well = [], False
            whole = not self.away(began, time.monotonic())
            self.done.append(Texted(patient, datetime.now(UTC), tuple(replies), well, whole))
            if well and whole:
                return
            self._over.wait(PAUSE)
