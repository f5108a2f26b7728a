"""Reports in every order, repeated and interleaved with the request's answer and the end of the lease.

One message is sent; the carrier takes it. Before, between and after come its reports, the answer of the
request (or none: the connection or the worker died), and the end of the lease. Whatever the order, the
message ends where the carrier has it, with the carrier's sid, and was asked for once.
"""

import itertools
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nurseline.clock import SetClock
from nurseline.messaging.outbox import MOVES, SENDING_LEASE, take_back_stale
from nurseline.messaging.polling import poll_sent
from nurseline.messaging.reconcile import look_up_unknown
from nurseline.messaging.sending import Sender
from nurseline.outcomes import Accepted, Ambiguous, SendOutcome, Standing
from nurseline.parts import Parts
from tests.messaging.support import report
from tests.support.line import FakeGateway, Sent, fetch, history, make_contact, plan_one, sid

NOT_FINAL = ("queued", "sending", "sent")
LEASE_ENDS = "the lease ends"
ANSWER = "the request is answered"
ERROR = 30005  # nothing follows from it
_numbers = itertools.count(1)


class WorkerDiedError(RuntimeError):
    """The process that asked is no more."""


@dataclass(frozen=True)
class Story:
    """What happens, in order. ``events``: statuses of reports, each with or without our reference."""

    events: tuple[tuple[str, bool], ...]
    answer: str  # accepted | ambiguous | none

    @property
    def truth(self) -> str:
        """Where the carrier has the message in the end."""
        return next((status for status, _ in self.events if status in {"delivered", "undelivered"}), "sent")


@st.composite
def stories(draw: st.DrawFn) -> Story:
    final = draw(st.sampled_from([(), ("delivered",), ("undelivered",)]))
    reported = [status for status in (*NOT_FINAL, *final) for _ in range(draw(st.integers(0, 2)))]
    # A final status that is never reported is what polling and the list are for.
    unreported = [(status, True) for status in final if status not in reported]
    events: list[tuple[str, bool]] = [(status, draw(st.booleans())) for status in reported]
    events += [(ANSWER, True)] + [(LEASE_ENDS, True)] * draw(st.integers(0, 2))
    answer = draw(st.sampled_from(["accepted", "ambiguous", "none"]))
    story = Story(tuple(draw(st.permutations(events))), answer)
    return Story(story.events + tuple((f"({status})", True) for status, _ in unreported), answer)


@dataclass
class World:
    """The line, the carrier and one message."""

    parts: Parts
    sender: Sender
    gateway: FakeGateway
    clock: SetClock
    message: uuid.UUID
    body: str
    known: str

    def happens(self, event: str, *, with_reference: bool) -> None:
        """One event."""
        if event == LEASE_ENDS:
            self.clock.advance(SENDING_LEASE + timedelta(seconds=1))
            with self.parts.db.begin() as session:
                take_back_stale(session, now=self.clock.now())
            return
        more: dict[str, Any] = {"reference": self.message} if with_reference else {}
        if event == "undelivered":
            more["error_code"] = ERROR
        report(self.parts, self.known, event, **more)

    def settle(self, truth: str) -> None:
        """Time passes: leases end, and the carrier is asked as often as we ever do."""
        code, meaning = (ERROR, "recipient") if truth == "undelivered" else (None, None)
        stands = Standing(self.known, truth, self.clock.now(), code, meaning)  # type: ignore[arg-type]
        self.gateway.stands[self.known] = stands
        self.gateway.held[self.body] = [stands]
        for _ in range(3):
            self.happens(LEASE_ENDS, with_reference=False)
            look_up_unknown(self.sender)
            self.clock.advance(timedelta(hours=1))
            poll_sent(self.sender)


def play(parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock, story: Story) -> World:
    """Let a story happen; the events before the answer happen while the request is under way."""
    contact = make_contact(parts, f"+1202555{next(_numbers):04d}")
    body = f"Words {next(_numbers)}."
    message = plan_one(parts, contact, "staff", body=body)
    world = World(parts, sender, gateway, clock, message, body, sid())
    answered = story.events.index((ANSWER, True))

    def request(_: Sent) -> SendOutcome:
        for event, with_reference in story.events[:answered]:
            world.happens(event, with_reference=with_reference)
        if story.answer == "none":
            raise WorkerDiedError
        return Accepted(world.known) if story.answer == "accepted" else Ambiguous("no answer")

    gateway.script = [request]
    with suppress(WorkerDiedError):
        sender.send_due()
    for event, with_reference in story.events[answered + 1 :]:
        if not event.startswith("("):
            world.happens(event, with_reference=with_reference)
    return world


def told(*events: str, answer: str, reference: bool = True) -> Story:
    return Story(tuple((event, reference or event in {ANSWER, LEASE_ENDS}) for event in events), answer)


@pytest.fixture
def line(parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock) -> tuple[Any, ...]:
    return parts, sender, gateway, clock


@example(story=told("delivered", "queued", ANSWER, "sent", "sent", answer="accepted"))
@example(story=told("delivered", LEASE_ENDS, ANSWER, "queued", answer="ambiguous"))
@example(story=told(LEASE_ENDS, "sent", ANSWER, LEASE_ENDS, "undelivered", answer="accepted"))
@example(story=told("undelivered", "sent", ANSWER, "undelivered", answer="none", reference=False))
@example(story=told(ANSWER, LEASE_ENDS, "delivered", answer="none"))
@example(story=told("delivered", "delivered", ANSWER, answer="accepted", reference=False))
@given(story=stories())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
def test_whatever_the_order_the_message_ends_where_the_carrier_has_it(
    line: tuple[Any, ...], story: Story
) -> None:
    asked_before = len(line[2].sends)
    world = play(*line, story)
    truth = story.truth
    if truth == "sent":
        truth = next((event.strip("()") for event, _ in story.events if event.startswith("(")), "sent")
    world.settle(truth)
    row = fetch(world.parts, world.message)
    assert (row.status, row.provider_sid) == (truth, world.known)
    assert row.error_code == (ERROR if truth == "undelivered" else None)
    assert (row.claim_token, row.lease_until) == (None, None)
    assert len(world.gateway.sends) == asked_before + 1
    passed = history(world.parts, world.message)
    moves = [(before, after) for before, after in itertools.pairwise(passed) if before != after]
    assert all(before in MOVES.legal[after] for before, after in moves), passed
    assert [status for status in passed if status in {"delivered", "undelivered", "failed"}] in (
        [[]] if truth == "sent" else [[truth]]
    )


@pytest.mark.parametrize("answer", ["accepted", "ambiguous", "none"])
@pytest.mark.parametrize("final", ["delivered", "undelivered"])
def test_one_final_report_with_our_reference_is_enough_without_ever_asking_the_carrier(
    line: tuple[Any, ...], answer: str, final: str
) -> None:
    for events in itertools.permutations(["sent", final, ANSWER, LEASE_ENDS]):
        world = play(*line, told(*events, answer=answer))
        row = fetch(world.parts, world.message)
        assert (row.status, row.provider_sid, row.check_after) == (final, world.known, None), events
