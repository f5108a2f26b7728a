"""The record of who saw or did what, for supervisors and administrators. It shows no words of patients."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta

from flask import render_template, request
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.staff.access import allow, blueprint
from nurseline.staff.queries import record
from nurseline.staff.queries.record import Wanted
from nurseline.staff.rights import KEEPERS
from nurseline.staff.words import AUDIT

BIGGEST = 2**63 - 1


@blueprint.get("/record")
@allow(*KEEPERS)
def audit_page() -> ResponseReturnValue:
    """Lines of the record that fit what was chosen, fifty at a time."""
    parts = current_parts()
    typed = {name: request.args.get(name, "").strip() for name in ("person", "what", "since", "until")}
    since, until, problems = *map(_day, (typed["since"], typed["until"])), {}
    for name, found in (("since", since), ("until", until)):
        if typed[name] and found is None:
            problems[name] = "This is not a date."
    if since and until and since > until:
        problems["until"] = "This is before the first day."
    wanted = Wanted(
        staff_id=_person(typed["person"]),
        what=typed["what"] if typed["what"] in AUDIT else "",
        since=_begins(since),
        until=_begins(until + timedelta(days=1)) if until and until < date.max else None,
        before=_before(),
    )
    with parts.db.begin() as rows:
        page = record.lines(rows, wanted)
        people = record.people(rows)
    kept = {name: text for name, text in typed.items() if text}
    return render_template(
        "staff/audit.html",
        page=page,
        people=people,
        whats=AUDIT,
        typed=typed,
        kept=kept,
        problems=problems,
        paged=wanted.before is not None,
    ), 422 if problems else 200


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-01-31") else None
    except ValueError:
        return None


def _begins(day: date | None) -> datetime | None:
    """The instant at which a day begins in the clinic's zone."""
    if day is None or day.year < 1900:
        return None
    return datetime.combine(day, time(), current_parts().settings.zone).astimezone(UTC)


def _person(text: str) -> str:
    if text == "command":
        return text
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _before() -> int | None:
    text = request.args.get("before", "")
    return min(int(text), BIGGEST) if text.isascii() and text.isdigit() and len(text) < 20 else None
