"""(f) Fifty people on a thousand items: nobody gets what somebody else has, and everybody is told truly.

First each asks for the next item until there is none. Then, on new items, several people each want the same
one at once, as on a page that all of them see. Every answer is compared with who has the item in the end.
The baseline is one person alone who takes the same number one after the other.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import sqlalchemy as sa

from nurseline.app import build
from nurseline.callbacks import service, work
from nurseline.callbacks.models import CallbackEvent, CallbackItem
from nurseline.callbacks.promises import REASONS, promised_at
from nurseline.callbacks.service import QueueError, Staff
from nurseline.config import load_settings
from nurseline.parts import Parts
from tests.bench.line import NOWHERE, settings
from tests.bench.report import Figure, Found, quantile
from tests.bench.servers import Servers

TITLE = "claim race"
PROCESSES = 5  # pools of connections, as five web processes have them


@dataclass(frozen=True, slots=True)
class Sizes:
    """``people`` on ``items``; ``rivals`` want the same item at once."""

    people: int = 50
    items: int = 1000
    rivals: int = 5


@dataclass
class Answers:
    """What one person was told. ``took``: seconds of each answer."""

    staff: Staff
    got: list[uuid.UUID] = field(default_factory=list)
    refused: list[tuple[uuid.UUID, str]] = field(default_factory=list)
    took: list[float] = field(default_factory=list)


Wants = Callable[[Parts, Answers], None]


def measure(servers: Servers, sizes: Sizes) -> Found:
    """The three races, one after another, in one database."""
    with servers.database() as database_url:
        env = settings(servers.folder, database_url, "redis://127.0.0.1:6379/0", NOWHERE)
        made = [build(load_settings(**{name.lower(): value for name, value in env.items()}))]
        made += [build(made[0].settings) for _ in range(PROCESSES - 1)]
        try:
            return _measured(made, sizes)
        finally:
            for parts in made:
                parts.db.engine.dispose()


def _measured(made: Sequence[Parts], sizes: Sizes) -> Found:
    raise_items(made[0], "alone", sizes.items)
    alone, alone_seconds = race(made, 1, _all_of_them)
    items = raise_items(made[0], "next", sizes.items)
    people, seconds = race(made, sizes.people, _all_of_them)
    faults = judge(made[0], items, people)
    wanted = raise_items(made[0], "same", sizes.items)
    rivals, _ = race(made, sizes.people, _some_of(wanted, sizes))
    faults += judge(made[0], wanted, rivals)
    took = [one for person in people for one in person.took]
    one_by_one = [one for person in alone for one in person.took]
    found = Found("f", TITLE)
    found.figures = [
        Figure("taken twice, lost, or told wrongly", len(faults), "items", at_most=0, of="value"),
        Figure("next items", sizes.items / seconds, "items/s", sizes.items / alone_seconds, "one person"),
        Figure(
            f"95% of {sizes.people} people at once are answered in",
            1000 * quantile(took, 0.95),
            "ms",
            1000 * quantile(one_by_one, 0.95),
            "one person",
        ),
    ]
    refused = sum(len(person.refused) for person in rivals)
    found.details = {"faults": faults[:20], "refused": refused}
    return found


def raise_items(parts: Parts, name: str, count: int) -> list[uuid.UUID]:
    """So many new items of all reasons, each of a caller of its own."""
    now = parts.clock.now()
    with parts.db.begin() as session:
        return [
            service.request(
                session,
                service.Request(
                    (reason := REASONS[number % len(REASONS)]),
                    "call",
                    "",
                    promised_at(reason, now, parts.hours),
                    f"call:{name}{number}",
                ),
                now=now,
            ).item_id
            for number in range(count)
        ]


def race(made: Sequence[Parts], people: int, want: Wants) -> tuple[list[Answers], float]:
    """Let them all go at once; what each was told, and how many seconds it took."""
    answers = [Answers(Staff(f"staff-{number}", f"Nurse {number}")) for number in range(people)]
    start = Barrier(people)

    def go(number: int) -> None:
        start.wait()
        want(made[number % len(made)], answers[number])

    began = time.perf_counter()
    with ThreadPoolExecutor(people) as pool:
        list(pool.map(go, range(people)))
    return answers, time.perf_counter() - began


def _all_of_them(parts: Parts, mine: Answers) -> None:
    while True:
        began = time.perf_counter()
        with parts.db.begin() as session:
            item = work.take_next(session, mine.staff, now=parts.clock.now())
        mine.took.append(time.perf_counter() - began)
        if item is None:
            return
        mine.got.append(item.id)


def _some_of(wanted: Sequence[uuid.UUID], sizes: Sizes) -> Wants:
    groups = max(1, sizes.people // sizes.rivals)

    def want(parts: Parts, mine: Answers) -> None:
        group = int(mine.staff.id.removeprefix("staff-")) % groups
        for item_id in wanted[group::groups]:
            try:
                with parts.db.begin() as session:
                    service.claim(session, item_id, mine.staff, now=parts.clock.now())
                mine.got.append(item_id)
            except QueueError as error:
                mine.refused.append((item_id, str(error)))

    return want


def judge(parts: Parts, items: Sequence[uuid.UUID], people: Sequence[Answers]) -> list[str]:
    """What was not as it was told, in words."""
    with parts.db.begin() as session:
        rows = session.scalars(sa.select(CallbackItem).where(CallbackItem.id.in_(items))).all()
        claims = sa.select(CallbackEvent.subject_id).where(
            CallbackEvent.subject_id.in_(items), CallbackEvent.status == "claimed"
        )
        times = Counter(session.scalars(claims))
    holder = {row.id: row.claimed_name for row in rows}
    told = [(item, person.staff.name) for person in people for item in person.got]
    faults = [f"{item}: told {name}, {holder[item]} has it" for item, name in told if holder[item] != name]
    faults += [f"{item}: nobody has it" for item, name in holder.items() if name is None]
    faults += [f"{item}: claimed {times[item]} times" for item in items if times[item] != 1]
    faults += [
        f"{item}: refused with {said!r}, {holder[item]} has it"
        for person in people
        for item, said in person.refused
        if said != f"{holder[item]} has this item."
    ]
    return faults
