"""How the database finds the rows of each statement: by a key or the index on due rows.

Also when it has counted at some quiet moment: nothing was scheduled, nobody was sending. A partial index on
one of those statuses then looks empty, and whoever names its status in an update reads all rows in it by now.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from nurseline.clock import SetClock
from nurseline.consent import service as consent
from nurseline.messaging import outbox
from nurseline.messaging.models import OutboundMessage
from nurseline.messaging.outbox import MOVES
from nurseline.messaging.sending import Sender
from nurseline.outcomes import NotSent
from nurseline.parts import Parts
from nurseline.staff.queries.messages import messages_to_check
from nurseline.transitions import Each
from tests.messaging.support import STATUSES
from tests.support.line import FakeGateway, make_contact, minutes, plan_one

KEYS = {"pk_outbound_messages", "pk_contacts", "pk_consent_states", "uq_contacts_number_hash"}
REPORTS = {"ix_outbound_provider_sid", "pk_delivery_reports"}
OF_A_NUMBER = {
    "ix_outbound_contact",
    "uq_outbound_messages_injection_id_step_turn",
    "uq_injections_contact_id_performed_at",
}
Plan = dict[str, Any]


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


@contextmanager
def explained(session: Session) -> Iterator[list[tuple[str, list[Plan]]]]:
    """Every statement of ``session`` on our tables, with the nodes of its plan."""
    seen: list[tuple[str, list[Plan]]] = []
    connection = session.connection()

    def explain(conn: sa.Connection, cursor: Any, sql: str, given: Any, _context: Any, many: bool) -> None:
        if (
            not many
            and "outbound_messages" in sql
            and sql.lstrip()[:6] in {"SELECT", "UPDATE", "WITH m", "WITH p"}
        ):
            cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", given)
            (plan,) = cursor.fetchone()
            found = plan if isinstance(plan, list) else json.loads(plan)
            seen.append((re.sub(r"\s+", " ", sql), list(nodes(found[0]["Plan"]))))

    sa.event.listen(connection.engine, "before_cursor_execute", explain)
    try:
        yield seen
    finally:
        sa.event.remove(connection.engine, "before_cursor_execute", explain)


@pytest.fixture
def counted_when_quiet(parts: Parts) -> None:
    """Statistics that know none of the rows that are now due, claimed or going."""
    contact = make_contact(parts, agreed=True)
    for _ in range(30):
        plan_one(parts, contact)
    with parts.db.begin() as session:
        session.execute(sa.update(OutboundMessage).values({"status": "delivered"}))
    with parts.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def indexes_of(seen: list[tuple[str, list[Plan]]]) -> set[str]:
    return {node["Index Name"] for _, found in seen for node in found if "Index Name" in node}


@contextmanager
def no_whole_tables(parts: Parts) -> Iterator[tuple[Session, list[tuple[str, list[Plan]]]]]:
    """A transaction whose plans use indexes although the tables of a test are too small for them."""
    with parts.db.begin() as session:
        session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        with explained(session) as seen:
            yield session, seen


@pytest.mark.usefixtures("counted_when_quiet")
@pytest.mark.parametrize("to", [status for status in STATUSES if status in MOVES.legal])
def test_a_move_finds_its_rows_by_their_ids_alone(parts: Parts, to: str) -> None:
    ids = [plan_one(parts, make_contact(parts)) for _ in range(3)]
    each = [Each(i, "test", {"reason": "test"}, {"attempts": 0}) for i in ids]
    with no_whole_tables(parts) as (session, seen):
        MOVES.move(session, ids, to, at=parts.clock.now(), cause="test")
        MOVES.move_each(session, each, to, at=parts.clock.now())
    assert len(seen) == 2
    assert indexes_of(seen) == {"pk_outbound_messages"}


@pytest.mark.usefixtures("counted_when_quiet")
@pytest.mark.parametrize("lane", ["urgent", "reminders"])
def test_a_claim_reads_the_index_on_due_rows_and_nothing_behind_them(parts: Parts, lane: outbox.Lane) -> None:
    plan_one(parts, make_contact(parts))
    with no_whole_tables(parts) as (session, seen):
        outbox.claim_due(session, now=parts.clock.now(), limit=10, lane=lane)
    ((_, found),) = seen
    assert indexes_of(seen) <= {"ix_outbound_due", *KEYS}
    (due,) = [node for node in found if node.get("Index Name") == "ix_outbound_due"]
    assert "send_after" in due["Index Cond"], "the range ends with what is due"
    assert "priority" in due["Index Cond"], "and begins with its lane"


@pytest.mark.usefixtures("counted_when_quiet")
def test_a_whole_cycle_of_a_worker_and_the_sweep_of_stale_rows_use_keys(
    parts: Parts, sender: Sender, gateway: FakeGateway, clock: SetClock
) -> None:
    for number in range(3):
        plan_one(parts, make_contact(parts, f"+1202555015{number}", agreed=True))
    gateway.script = [NotSent("no connection", 0.0)]
    run = sender.run(limit=10)
    begin = run.db.begin
    seen_all: list[tuple[str, list[Plan]]] = []

    @contextmanager
    def watched() -> Iterator[Session]:
        with begin() as session:
            session.execute(sa.text("SET LOCAL enable_seqscan = off"))
            with explained(session) as seen:
                yield session
            seen_all.extend(seen)

    run.db.begin = watched  # type: ignore[method-assign]
    assert run.go() == 3
    clock.advance(minutes(60))
    with no_whole_tables(parts) as (session, seen):
        outbox.take_back_stale(session, now=clock.now())
    assert indexes_of(seen) <= KEYS | {"ix_outbound_lease"}
    assert len(seen_all) >= 5
    assert indexes_of(seen_all) <= KEYS | OF_A_NUMBER | {"ix_outbound_due"} | REPORTS


@pytest.mark.usefixtures("counted_when_quiet")
def test_a_stop_reads_only_the_rows_of_its_number(parts: Parts) -> None:
    contact = make_contact(parts, "+12025550160", agreed=True)
    plan_one(parts, contact)
    with no_whole_tables(parts) as (session, seen):
        consent.hold_all(session, [contact.number_hash])
        outbox.cancel_planned(session, contact.number_hash, at=parts.clock.now(), reason="test")
    assert indexes_of(seen) <= KEYS | OF_A_NUMBER


@pytest.mark.usefixtures("counted_when_quiet")
def test_what_staff_are_to_check_is_read_along_its_index(parts: Parts) -> None:
    with no_whole_tables(parts) as (session, seen):
        messages_to_check(session, now=parts.clock.now())
    assert seen
    assert all("ix_outbound_to_check" in indexes_of([one]) for one in seen)
