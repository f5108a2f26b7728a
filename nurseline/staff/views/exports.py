"""Lists for a spreadsheet, for supervisors and administrators. Every one is recorded.

Whole numbers, names and words stand only in the lists of an administrator who asks for them.
"""

from __future__ import annotations

from datetime import timedelta

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer
from nurseline.staff.csv_file import download
from nurseline.staff.page_rows import page_rows
from nurseline.staff.queries.lists import injections, open_items

LISTS = ("items", "injections")
DAYS = (7, 30, 90, 366)


@blueprint.get("/exports")
@allow("supervisor", "admin")
def exports() -> ResponseReturnValue:
    """The lists there are."""
    return render_template("staff/exports.html", may_see_whole=_may_see_whole(), days=DAYS)


@blueprint.post("/exports/<name>")
@allow("supervisor", "admin")
def export(name: str) -> ResponseReturnValue:
    """One list as a CSV file."""
    if name not in LISTS:
        abort(404)
    whole = request.form.get("whole") == "yes"
    if whole and not _may_see_whole():
        abort(403)
    days = request.form.get("days", 30, type=int)
    if days not in DAYS:
        abort(400)
    parts = current_parts()
    now = parts.clock.now()
    with page_rows() as session:
        if name == "items":
            header, rows = open_items(session, parts.settings.zone, now=now, whole=whole)
        else:
            header, rows = injections(session, parts.steps, now - timedelta(days=days), whole=whole)
        audit.record(session, viewer().id, "exported_numbers" if whole else "exported", at=now)
    day = now.astimezone(parts.settings.zone).date().isoformat()
    return download(f"{'open-items' if name == 'items' else name}-{day}.csv", [str(c) for c in header], rows)


def _may_see_whole() -> bool:
    return "admin" in viewer().roles
