"""The carrier's ledger against the database: what was promised, row by row. Pure: no I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from nurseline.messaging.outbox import MOVES
from tests.chaos.books import AHEAD, Row
from tests.chaos.carrier import Called, Taken
from tests.chaos.patients import Texted

# The carrier's word for a state, and ours.
OUR_WORD = {
    "accepted": "sent",
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
CALL_OVER = frozenset({"delivered", "undelivered", "failed"})
FIRST = frozenset({"scheduled", "sending", "skipped"})  # how a row may begin
SURELY_NOT = frozenset({"failed", "undelivered"})
ALERT = "alert.emergency"
OPTED_OUT = "opted out"
# An instant is read before its row's lock is had; a wait for it may turn two of them round.
BACK = timedelta(seconds=15)

LOST = "lost"
TWICE = "sent twice"
UNSHOWN = "unknown and not shown to staff"
HIDDEN = "did not arrive, and neither sent again nor shown to staff"
UNRESOLVED = "unknown though the carrier has it"
DIFFERS = "status differs from the carrier's"
ILLEGAL = "history not legal"
UNLAWFUL = "left out without a lawful reason"
NEVER = "sent though it was not to go"
STRANGER = "the carrier has what the database does not know"
AFTER_STOP = "sent after a STOP"
UNHEARD = "STOP not recorded"
UNANSWERED = "emergency not answered with 911"
NO_ITEM = "emergency without an item"
NO_ALERT = "emergency without an alert"
RULES = (LOST, TWICE, UNSHOWN, HIDDEN, UNRESOLVED, DIFFERS, ILLEGAL, UNLAWFUL, NEVER, STRANGER)
TEXT_RULES = (AFTER_STOP, UNHEARD, UNANSWERED, NO_ITEM, NO_ALERT)


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is compared. ``injections``: by number; ``ended``: numbers that ended messages."""

    rows: Sequence[Row]
    taken: Sequence[Taken]
    calls: Sequence[Called]
    shown: frozenset[str]
    injections: Mapping[str, str]
    ended: frozenset[str]
    until: datetime  # when the run was quiet


@dataclass
class Verdict:
    """Violations by rule (ids only), and counts worth showing."""

    violations: dict[str, list[str]] = field(default_factory=lambda: {rule: [] for rule in RULES})
    statuses: Counter[str] = field(default_factory=Counter)
    repeats: list[str] = field(default_factory=list)  # lawful further turns that went
    furthest_back: float = 0.0  # seconds between two instants of a history that are the wrong way round

    @property
    def good(self) -> bool:
        return not any(self.violations.values())

    def add(self, rule: str, *ids: str) -> None:
        self.violations.setdefault(rule, []).extend(ids)


def judge(facts: Facts) -> Verdict:
    """Compare it all."""
    verdict = Verdict()
    carrier: dict[str, list[Taken]] = defaultdict(list)
    for one in facts.taken:
        carrier[one.ref or ""].append(one)
    known = {row.id for row in facts.rows}
    verdict.add(STRANGER, *(one.sid for one in facts.taken if one.ref not in known))
    _judge_presence(facts, verdict)
    for row in facts.rows:
        _judge_history(row, verdict)
        if row.injection and row.turn == 0 and row.due <= facts.until + AHEAD:
            verdict.statuses[row.status] += 1
        if row.purpose != "reply":
            _judge_row(row, carrier.get(row.id, []), facts, verdict)
    _judge_failures(facts, verdict)
    _judge_calls(facts, verdict)
    _judge_repeats(facts.rows, carrier, verdict)
    return verdict


def _judge_presence(facts: Facts, verdict: Verdict) -> None:
    there = {row.injection for row in facts.rows if row.step == "day1" and row.turn == 0}
    verdict.add(LOST, *(injection for injection in facts.injections.values() if injection not in there))


def _judge_row(row: Row, taken: Sequence[Taken], facts: Facts, verdict: Verdict) -> None:
    """One message that the line sends by itself, and what the carrier has of it."""
    if len(taken) > 1:
        verdict.add(TWICE, row.id)
    match row.status:
        case "scheduled" | "claimed" | "sending":
            if row.due <= facts.until + AHEAD:
                verdict.add(LOST, row.id)
        case "skipped" | "cancelled":
            if not _lawful(row, facts):
                verdict.add(UNLAWFUL, row.id)
        case "unknown":
            if row.id not in facts.shown:
                verdict.add(UNSHOWN, row.id)
        case _:
            if row.channel == "text":
                _judge_outcome(row, taken, verdict)
            return
    if taken:
        verdict.add(UNRESOLVED if row.status == "unknown" else NEVER, row.id)


def _lawful(row: Row, facts: Facts) -> bool:
    """Whether a message was left out for a reason that there is in a run."""
    return row.reason.startswith(OPTED_OUT) and row.to in facts.ended


def _judge_outcome(row: Row, taken: Sequence[Taken], verdict: Verdict) -> None:
    """A message that has an outcome: it is the carrier's, under the carrier's sid."""
    if not taken:
        # Refused at the door: the carrier keeps nothing, and neither may we say that it did.
        if row.status != "failed" or row.sid is not None:
            verdict.add(DIFFERS, row.id)
    elif OUR_WORD[taken[0].status] != row.status or row.sid != taken[0].sid:
        verdict.add(DIFFERS, row.id)


def _judge_failures(facts: Facts, verdict: Verdict) -> None:
    """A reminder that did not arrive goes once more, or somebody sees it."""
    turns = {(row.injection, row.step, row.turn) for row in facts.rows}
    for row in facts.rows:
        if row.purpose != "reminder" or row.status not in SURELY_NOT or row.id in facts.shown:
            continue
        if (row.injection, row.step, row.turn + 1) not in turns:
            verdict.add(HIDDEN, row.id)


def _judge_calls(facts: Facts, verdict: Verdict) -> None:
    """Calls carry no reference in the carrier's list: they are compared by number and sid."""
    rows: dict[str, list[Row]] = defaultdict(list)
    made: dict[str, list[Called]] = defaultdict(list)
    for row in facts.rows:
        if row.channel == "call":
            rows[row.to].append(row)
    for call in facts.calls:
        made[call.to].append(call)
    for number, calls in made.items():
        of_unknown = sum(row.status == "unknown" for row in rows[number])
        strange = {call.sid for call in calls} - {row.sid for row in rows[number]}
        if len(calls) > len(rows[number]):
            verdict.add(TWICE, *(row.id for row in rows[number]))
        if len(strange) > of_unknown:
            verdict.add(STRANGER, *strange)
        elif strange:
            verdict.add(UNRESOLVED, *(row.id for row in rows[number] if row.status == "unknown"))
    over = {call.sid: call.ended for call in facts.calls}
    for row in (row for of_number in rows.values() for row in of_number):
        if row.sid and over.get(row.sid) is not (row.status in CALL_OVER):
            verdict.add(DIFFERS, row.id)


def _judge_history(row: Row, verdict: Verdict) -> None:
    if not row.history or row.history[0].status not in FIRST or row.history[-1].status != row.status:
        verdict.add(ILLEGAL, row.id)
        return
    for before, after in pairwise(row.history):
        back = before.at - after.at
        verdict.furthest_back = max(verdict.furthest_back, back.total_seconds())
        moved = before.status in MOVES.legal.get(after.status, frozenset())
        if not (moved or before.status == after.status) or back > BACK:  # a status again is only a note
            verdict.add(ILLEGAL, row.id)
            return


def _judge_repeats(rows: Sequence[Row], carrier: Mapping[str, Sequence[Taken]], verdict: Verdict) -> None:
    """Of one step at most one text goes, but for a turn that follows one which surely did not arrive."""
    steps: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.injection and row.step:
            steps[row.injection, row.step].append(row)
    for turns in steps.values():
        turns.sort(key=lambda row: row.turn)
        for before, after in pairwise(turns):
            went = bool(carrier.get(after.id))
            surely = before.status in SURELY_NOT and all(
                OUR_WORD[one.status] in SURELY_NOT for one in carrier.get(before.id, [])
            )
            if not surely:
                verdict.add(TWICE if went else ILLEGAL, after.id)
            elif went:
                verdict.repeats.append(after.id)


def judge_stops(texts: Iterable[Texted], facts: Facts, recorded: frozenset[str]) -> dict[str, list[str]]:
    """Nothing goes to a number after its STOP was answered but what was on its way by then.

    ``recorded``: numbers with an opt-out in the ledger of consent.
    """
    found: dict[str, list[str]] = {AFTER_STOP: [], UNHEARD: []}
    by_id = {row.id: row for row in facts.rows}
    to: dict[str, list[Taken]] = defaultdict(list)
    for one in facts.taken:
        to[one.to].append(one)
    for number, ended in _ended(texts).items():
        if number not in recorded:
            found[UNHEARD].append(facts.injections[number])
        for one in to[number]:
            row = by_id.get(one.ref or "")
            if one.created > ended and (row is None or _let_go(row) > ended):
                found[AFTER_STOP].append(one.sid)
    return found


def _ended(texts: Iterable[Texted]) -> dict[str, datetime]:
    """When the line had taken the STOP of each number."""
    return {one.patient.number: one.ended for one in texts if one.well and one.whole}


def _let_go(row: Row) -> datetime:
    """When a row was marked as sending, for the last time."""
    never = datetime.max.replace(tzinfo=UTC)
    befores = [None, *(moved.status for moved in row.history)]
    moves = zip(befores, row.history, strict=False)  # a status again is only a note
    return max(
        (moved.at for before, moved in moves if moved.status == "sending" != before),
        default=never,
    )


def judge_emergencies(
    texts: Iterable[Texted], facts: Facts, with_item: frozenset[str]
) -> dict[str, list[str]]:
    """Each answer has the 911 words; each emergency is an item, and each item has alerted staff."""
    found: dict[str, list[str]] = {UNANSWERED: [], NO_ITEM: [], NO_ALERT: []}
    numbers = set()
    for one in texts:
        numbers.add(one.patient.number)
        if one.well and not any("911" in reply for reply in one.replies):
            found[UNANSWERED].append(facts.injections[one.patient.number])
    found[NO_ITEM] = sorted(facts.injections[number] for number in numbers - with_item)
    alerts = sum(row.content == ALERT for row in facts.rows)
    if alerts < len(numbers & with_item):
        found[NO_ALERT].append(f"{len(numbers & with_item)} items, {alerts} alerts")
    return found
