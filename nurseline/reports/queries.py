"""The figures of a period, counted by PostgreSQL in about ten statements.

Most tables have no index on time. Their ids begin with the time they were made (`nurseline.ids`), so the
lowest id of a period stands in for one; the exact instant is compared as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased
from sqlalchemy.sql import ColumnElement

from nurseline.callbacks.models import CallbackEvent, CallbackItem, CallbackOutcome
from nurseline.callbacks.service import OURS, PUT_THROUGH
from nurseline.consent.models import ConsentEvent
from nurseline.messaging.models import Call, InboundMessage, OutboundMessage
from nurseline.reports.calls import LONGEST_OPEN, calls
from nurseline.reports.figures import Conversations, Items, Report, Sent, Share, Spread
from nurseline.reports.periods import Period

AGAIN = timedelta(hours=72)
SOON_AFTER = timedelta(hours=24)  # whoever asks for a person so soon after a text was not helped by the line
CLOCKS_DIFFER = timedelta(days=1)  # the machine that made an id, and the clock of the line
PLANNED_AHEAD = timedelta(days=30)  # how long before it goes a message of ours may have been made
FIRST_TIMED = uuid.UUID("01800000-0000-0000-0000-000000000000")  # ids below it were derived, not made in time
NO_CASE = ("duplicate", "spam_or_test")  # outcomes of items that were no request of their own
CLINICAL = ("emergency", "urgent", "clinical", "nurse")


def report(session: Session, period: Period, *, now: datetime) -> Report:
    """All figures of a period as they stand now."""
    asking = _Asking(session, period, now)
    by_hour, by_day = asking.volume()
    by_reason = asking.items()
    opted, opt_outs, opt_ins = asking.consent()
    return Report(
        by_hour=by_hour,
        by_day=by_day,
        items=by_reason.pop("", Items()),
        by_reason=by_reason,
        callbacks=asking.callbacks(),
        outcomes=asking.outcomes(),
        topics=asking.topics(),
        calls=calls(session, period.start, period.end),
        conversations=asking.conversations(),
        repeats=asking.repeats(),
        sent=asking.sent(),
        opt_outs=opted,
        opt_outs_all=opt_outs,
        opt_ins=opt_ins,
        wrong_numbers=asking.wrong_numbers(),
    )


def lowest_id(instant: datetime) -> uuid.UUID:
    """The lowest id that `nurseline.ids.new_id` could make at ``instant``."""
    return uuid.UUID(int=max(0, int(instant.timestamp() * 1000)) << 80)


@dataclass(frozen=True, slots=True)
class _Asking:
    """The statements, each for one kind of figure."""

    session: Session
    period: Period
    now: datetime

    def volume(self) -> tuple[dict[str, list[int]], dict[str, dict[date, int]]]:
        """Texts, calls and items by hour of the day and by day, on the clinic's clock."""
        kinds = ("texts", "calls", "items")
        every = sa.union_all(
            self._counted("texts", InboundMessage.received_at, self._recent(InboundMessage.id)),
            self._counted("calls", Call.started_at, Call.message_id.is_(None)),
            self._counted("items", CallbackItem.created_at, _asked_for()),
        ).subquery()
        kind, hour, day = every.c.kind, every.c.hour, every.c.day
        sets = sa.func.grouping_sets(sa.tuple_(kind, hour), sa.tuple_(kind, day))
        by_hour = {one: [0] * 24 for one in kinds}
        by_day = {one: dict.fromkeys(self.period.days, 0) for one in kinds}
        query = sa.select(kind, hour, day, sa.func.count()).group_by(sets)
        for one, at_hour, on, count in self.session.execute(query):
            if at_hour is not None:
                by_hour[one][at_hour] = count
            else:
                by_day[one][on] = count
        return by_hour, by_day

    def items(self) -> dict[str, Items]:
        """What became of the items asked for, by reason; of all under the empty reason."""
        item, joining = CallbackItem, _Joining(self.period)
        kept_at = sa.func.least(
            item.first_attempt_at,
            item.first_contact_at,
            sa.case((item.status == "done", item.closed_at)),
        )
        kept, due = kept_at <= item.promised_at, item.promised_at <= self.now
        closed = item.status == "done"
        is_open = item.status.not_in(("done", "cancelled"))
        mine = _a_case()
        query = sa.select(
            sa.func.coalesce(item.reason, ""),
            sa.func.count(),
            *_spread(joining.seconds("first_attempt_at")),
            *_spread(joining.seconds("first_contact_at")),
            sa.func.count().filter(kept, mine),
            sa.func.count().filter(sa.or_(kept, due), mine),
            sa.func.count().filter(closed, item.outcome == "unreached_closed"),
            sa.func.count().filter(closed, mine),
            sa.func.count().filter(is_open, due, kept_at.is_(None)),
        )
        found = (
            joining.of(query)
            .where(*self._within(item.created_at), _asked_for())
            .group_by(sa.func.rollup(item.reason))
        )
        return {
            row[0]: Items(
                row[1],
                Spread(row[2], *_numbers(row[3:6])),
                Spread(row[6], *_numbers(row[7:10])),
                Share(row[10], row[11]),
                Share(row[12], row[13]),
                row[14],
            )
            for row in self.session.execute(found)
            if row[1]
        }

    def callbacks(self) -> Spread:
        """How long clinical items waited for the first call back. Whoever was put through waited for none."""
        item, joining = CallbackItem, _Joining(self.period)
        talked = sa.exists().where(
            CallbackEvent.subject_id == item.id,
            CallbackEvent.at == item.first_attempt_at,
            CallbackEvent.cause.startswith(PUT_THROUGH),
        )
        query = joining.of(sa.select(*_spread(joining.seconds("first_attempt_at")))).where(
            *self._within(item.created_at),
            _asked_for(),
            item.reason.in_(CLINICAL),
            item.merged_into.is_(None),  # the one call counts with the item that stayed
            ~talked,
        )
        count, *rest = self.session.execute(query).one()
        return Spread(count, *_numbers(rest))

    def outcomes(self) -> dict[str, int]:
        """Outcomes recorded in the period, most first."""
        count = sa.func.count()
        query = sa.select(CallbackOutcome.outcome, count).where(*self._within(CallbackOutcome.at))
        return self._counts(query.group_by(CallbackOutcome.outcome).order_by(count.desc(), sa.text("1")))

    def topics(self) -> dict[str, int]:
        """Texts by what they were about; those that alarm under their tier. Most first."""
        alarm = InboundMessage.tier.in_(("emergency", "urgent"))
        about = sa.case((alarm, InboundMessage.tier), else_=InboundMessage.topic).label("about")
        count = sa.func.count()
        query = sa.select(about, count).where(*self._texts())
        return self._counts(query.group_by(about).order_by(count.desc(), about))

    def conversations(self) -> Conversations:
        """The texts of one number on one day, by whether the line's answer was enough."""
        reply = OutboundMessage
        day = sa.cast(self._local(InboundMessage.received_at), sa.Date).label("day")
        texts = (
            sa.select(
                InboundMessage.contact_id.label("contact_id"),
                sa.func.min(InboundMessage.received_at).label("began"),
                sa.func.max(InboundMessage.received_at).label("ended"),
                sa.func.count(reply.id).label("answers"),
            )
            .outerjoin(
                reply,
                sa.and_(reply.in_reply_to == InboundMessage.id, reply.content_id.contains("answer.")),
            )
            .where(*self._texts(), InboundMessage.contact_id.is_not(None))
            .group_by(InboundMessage.contact_id, day)
            .subquery()
        )
        staff = sa.exists().where(
            CallbackItem.contact_id == texts.c.contact_id,
            CallbackItem.created_at <= texts.c.ended + sa.literal(SOON_AFTER, sa.Interval()),
            CallbackItem.created_at >= texts.c.began - sa.literal(LONGEST_OPEN, sa.Interval()),
            sa.or_(CallbackItem.closed_at.is_(None), CallbackItem.closed_at >= texts.c.began),
            _asked_for(),
        )
        each = sa.select(texts.c.answers, staff.label("staff")).subquery()
        line = sa.and_(each.c.answers > 0, ~each.c.staff)
        count = sa.func.count()
        row = self.session.execute(sa.select(count, count.filter(line), count.filter(each.c.staff))).one()
        return Conversations(*row)

    def repeats(self) -> Share:
        """Items asked for within 72 hours after another item of the same patient was closed."""
        before = aliased(CallbackItem)
        again = sa.exists().where(
            before.contact_id == CallbackItem.contact_id,
            before.id != CallbackItem.id,
            before.status == "done",
            before.created_at <= CallbackItem.created_at,
            before.created_at >= CallbackItem.created_at - sa.literal(LONGEST_OPEN, sa.Interval()),
            before.closed_at <= CallbackItem.created_at,
            before.closed_at >= CallbackItem.created_at - sa.literal(AGAIN, sa.Interval()),
        )
        count = sa.func.count()
        query = sa.select(count.filter(again), count).where(
            *self._within(CallbackItem.created_at), _asked_for(), CallbackItem.contact_id.is_not(None)
        )
        return Share(*self.session.execute(query).one())

    def sent(self) -> list[Sent]:
        """Messages of ours that were let go in the period."""
        row = OutboundMessage
        kinds = (row.purpose, row.step, row.status, row.error_code, row.answer)
        low = lowest_id(self.period.start - PLANNED_AHEAD)
        query = (
            sa.select(*kinds, sa.func.count())
            .where(*self._within(row.sending_at), sa.or_(row.id >= low, row.id < FIRST_TIMED))
            .group_by(*kinds)
        )
        return [Sent(*found) for found in self.session.execute(query)]

    def consent(self) -> tuple[dict[str, int], int, int]:
        """Numbers that ended messages, by how; all of them; and those that agreed."""
        event = ConsentEvent
        sets = sa.func.grouping_sets(sa.tuple_(event.kind, event.method), sa.tuple_(event.kind))
        query = sa.select(event.kind, event.method, sa.func.count(event.number_hash.distinct()))
        rows = self.session.execute(
            query.where(self._recent(event.id), *self._within(event.at)).group_by(sets)
        ).all()
        outs = {method: count for kind, method, count in rows if kind == "opt_out" and method}
        whole = {kind: count for kind, method, count in rows if not method}
        return outs, whole.get("opt_out", 0), whole.get("opt_in", 0)

    def wrong_numbers(self) -> int:
        """Numbers that were told to belong to somebody else, by text or in a call back."""
        said = sa.select(InboundMessage.contact_id).where(
            *self._texts(), InboundMessage.topic == "wrong_number", InboundMessage.contact_id.is_not(None)
        )
        recorded = (
            sa.select(CallbackItem.contact_id)
            .join(CallbackOutcome, CallbackOutcome.item_id == CallbackItem.id)
            .where(*self._within(CallbackOutcome.at), CallbackOutcome.outcome == "wrong_number")
        )
        return (
            self.session.scalar(sa.select(sa.func.count()).select_from(said.union(recorded).subquery())) or 0
        )

    def _counts(self, query: sa.Select[str, int]) -> dict[str, int]:
        return {name: count for name, count in self.session.execute(query)}  # noqa: C416 - rows, not pairs

    def _counted(
        self, kind: str, at: InstrumentedAttribute[datetime], *where: Any
    ) -> sa.Select[str, int, date]:
        local = self._local(at)
        hour = sa.cast(sa.extract("hour", local), sa.Integer).label("hour")
        named = sa.literal(kind).label("kind")
        return sa.select(named, hour, sa.cast(local, sa.Date).label("day")).where(*self._within(at), *where)

    def _local(self, at: InstrumentedAttribute[datetime]) -> ColumnElement[datetime]:
        return sa.func.timezone(self.period.zone.key, at, type_=sa.DateTime())

    def _within(self, at: Any) -> Iterator[ColumnElement[bool]]:
        yield at >= self.period.start
        yield at < self.period.end

    def _texts(self) -> Iterator[ColumnElement[bool]]:
        yield self._recent(InboundMessage.id)
        yield from self._within(InboundMessage.received_at)

    def _recent(self, row_id: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[bool]:
        return row_id >= lowest_id(self.period.start - CLOCKS_DIFFER)


class _Joining:
    """Times of items that were joined: what a closed one waited for came to the one that stayed, and that one
    waits as what it is now since the one that made it so was asked for."""

    def __init__(self, period: Period) -> None:
        joined = aliased(CallbackItem)
        self._into = aliased(CallbackItem)
        self._made = (
            sa.select(joined.merged_into, joined.reason, sa.func.min(joined.created_at).label("at"))
            .where(joined.merged_into.is_not(None), joined.created_at >= period.start)
            .group_by(joined.merged_into, joined.reason)
            .subquery()
        )

    def of(self, query: sa.Select[Any]) -> sa.Select[Any]:
        """The query, with what `seconds` needs."""
        item, made = CallbackItem, self._made
        became = sa.and_(made.c.merged_into == item.id, made.c.reason == item.reason)
        return (
            query.select_from(item)
            .outerjoin(made, became)
            .outerjoin(self._into, self._into.id == item.merged_into)
        )

    def seconds(self, name: str) -> ColumnElement[Any]:
        """How long it took until what stands in the column of this name."""
        own, theirs = getattr(CallbackItem, name), getattr(self._into, name)
        since = sa.func.greatest(CallbackItem.created_at, self._made.c.at)
        until = sa.func.coalesce(own, theirs)
        return sa.case((until >= since, _seconds(since, until)))


def _asked_for() -> ColumnElement[bool]:
    """Items that a patient asked for: not follow-ups of staff, nor alarms of the line."""
    return CallbackItem.source.not_in(sorted(OURS))


def _a_case() -> ColumnElement[bool]:
    """Items that were a request of their own, and not taken back."""
    item = CallbackItem
    no_case = sa.and_(item.outcome.is_not(None), item.outcome.in_(NO_CASE))
    return sa.and_(item.status != "cancelled", item.merged_into.is_(None), ~no_case)


def _seconds(since: Any, until: Any) -> ColumnElement[Any]:
    return sa.cast(sa.extract("epoch", until - since), sa.Double)


def _spread(seconds: ColumnElement[Any]) -> Iterator[ColumnElement[Any]]:
    """How many there are, the median, the 90th percentile, and the average."""
    yield sa.func.count(seconds)
    yield sa.func.percentile_cont(0.5).within_group(seconds)
    yield sa.func.percentile_cont(0.9).within_group(seconds)
    yield sa.func.avg(seconds)


def _numbers(values: Any) -> tuple[float | None, float | None, float | None]:
    median, ninetieth, average = (None if value is None else float(value) for value in values)
    return median, ninetieth, average
