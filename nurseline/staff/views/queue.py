"""The queue, the part of it that keeps itself up to date, and the button that hands out the next item."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from nurseline.callbacks import rights, work
from nurseline.callbacks.marks import queue_mark
from nurseline.callbacks.promises import REASONS, Reason
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, passive, viewer, when_locked
from nurseline.staff.page_rows import page_rows
from nurseline.staff.pages import standstill
from nurseline.staff.queries.queue import VIEWS, Choice, alarms, numbers_of, queue_page

OFFICE: tuple[Reason, ...] = ("schedule", "admin")  # only nurses assess (clinic rules 4)
NOTHING = "There is nothing to take now."
NOTHING_FOR_OFFICE = "There is nothing about scheduling or the office to take now."
PRINTED = 300  # rows on paper
DIGITS = 6  # of the number of a page


@blueprint.get("")
@blueprint.get("/")
@allow()
def home() -> ResponseReturnValue:
    """The first page after signing in."""
    return redirect(url_for("staff.queue"))


@blueprint.get("/queue")
@allow()
def queue() -> ResponseReturnValue:
    """Open items, what to do next first."""
    now = current_parts().clock.now()
    with page_rows() as session:
        mark = _mark(session)
        page = queue_page(session, viewer().id, _choice(), now=now)
    return render_template("staff/queue.html", queue=page, mark=mark)


@blueprint.get("/queue/rows")
@allow()
@passive
def queue_rows() -> ResponseReturnValue:
    """The list alone, for the page's own refresh; 304 while nothing has changed."""
    now = current_parts().clock.now()
    with page_rows() as session:
        response, known = _marked(_mark(session))
        if known:
            return response
        page = queue_page(session, viewer().id, _choice(), now=now)
    response.set_data(render_template("staff/_queue_rows.html", queue=page))
    return response


@blueprint.get("/queue/mark")
@allow()
@passive
@when_locked
def queue_news() -> ResponseReturnValue:
    """Whether the queue has changed: 304 if not, else its mark and the emergencies nobody has taken.

    Every open page asks for it once or twice a second, so nothing is done here that takes time. It names no
    patient, so that an emergency is heard from a locked desk, too.
    """
    parts = current_parts()
    with parts.db.begin() as session:
        mark = _mark(session, all_of_it=False)
        response, known = _marked(mark)
        if known:
            return response
        response.set_data(f'{{"mark": "{mark}", "alarms": {alarms(session)}}}')
    response.mimetype = "application/json"
    return response


@blueprint.get("/queue/print")
@allow()
def print_queue() -> ResponseReturnValue:
    """The open items as a list on paper, for when the power fails; numbers masked."""
    return _to_print(numbers=False)


@blueprint.post("/queue/print")
@allow("nurse", "supervisor", "admin")
def print_numbers() -> ResponseReturnValue:
    """The same list with the patients' numbers, since it must be usable; each is written down as printed."""
    return _to_print(numbers=True)


def _to_print(*, numbers: bool) -> str:
    parts, person = current_parts(), viewer()
    now = parts.clock.now()
    with page_rows() as session:
        page = queue_page(session, person.id, Choice(), now=now, limit=PRINTED)
        contacts = {row.contact_id: row.id for row in page.rows if row.contact_id} if numbers else {}
        known = numbers_of(session, contacts)
        for contact_id, item_id in contacts.items():
            audit.record(session, person.id, "printed_number", at=now, item_id=item_id, contact_id=contact_id)
    may_reveal = bool(person.roles - {"scheduler"})
    return render_template(
        "staff/queue_print.html", queue=page, numbers=known, revealed=numbers, may_reveal=may_reveal
    )


@blueprint.post("/queue/next")
@allow()
def take_next() -> ResponseReturnValue:
    """Claim what is to be done next, and open it: of many who ask at once, each gets another item."""
    return open_next()


def open_next() -> ResponseReturnValue:
    """Hand the best item to the viewer and lead to its page, or to the queue if there is none."""
    parts, person = current_parts(), viewer()
    reasons = REASONS if rights.assesses(person.roles) else OFFICE
    with page_rows() as session:
        item = work.take_next(session, person.staff, now=parts.clock.now(), reasons=reasons)
        item_id = item.id if item else None
    if item_id is None:
        flash(NOTHING if reasons is REASONS else NOTHING_FOR_OFFICE, "info")
        return redirect(url_for("staff.queue"))
    return redirect(url_for("staff.item", item_id=item_id))


def _choice() -> Choice:
    """What the address asks for; what it says wrongly is left out."""
    view, reason = request.args.get("view", ""), request.args.get("reason", "")
    page = request.args.get("page", "1")
    return Choice(
        view if view in VIEWS else "all",
        reason if reason in REASONS else "",
        int(page) if page.isascii() and page.isdigit() and len(page) <= DIGITS else 1,
    )


def _mark(session: Session, *, all_of_it: bool = True) -> str:
    """Changes with all that the list shows. Read before the rows: what is committed later changes it.

    ``all_of_it`` False: only the queue's own part, which is the beginning of the whole mark.
    """
    mark = queue_mark(session, current_parts().clock.now())
    return f"{mark}-{len(standstill())}" if all_of_it else mark


def _marked(mark: str) -> tuple[Response, bool]:
    """An answer that carries the mark, and whether the browser has seen it (then the answer is complete)."""
    response = make_response()
    response.set_etag(mark)
    known = request.if_none_match.contains(mark)
    if known:
        response.status_code = 304
    return response, known
