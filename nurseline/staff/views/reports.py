"""Reports of a day or a month, for supervisors and administrators: figures, and nothing of a patient."""

from __future__ import annotations

from flask import abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.reports import periods, queries
from nurseline.reports.periods import Period
from nurseline.staff.access import allow, blueprint
from nurseline.staff.csv_file import download
from nurseline.staff.report_cells import Table
from nurseline.staff.report_tables import tables
from nurseline.staff.rights import KEEPERS

LONGEST = 10  # characters of a date


@blueprint.get("/reports")
@allow(*KEEPERS)
def reports() -> ResponseReturnValue:
    """This month, or the day or month that was chosen."""
    parts = current_parts()
    today = parts.clock.now().astimezone(parts.settings.zone).date()
    for name in ("day", "month"):  # a chosen one gets its own address
        chosen = request.args.get(name)
        if chosen is not None:
            period = periods.read(chosen.strip(), parts.settings.zone)
            if period is not None and period.kind == name:
                return redirect(url_for("staff.report", key=period.key), 303)
            month = periods.month_of(today, parts.settings.zone)
            return _page(month, {name: chosen[: 4 * LONGEST]}), 422
    return _page(periods.month_of(today, parts.settings.zone), {})


@blueprint.get("/reports/<key>")
@allow(*KEEPERS)
def report(key: str) -> ResponseReturnValue:
    """The report of a day or month: ``2026-03-03`` or ``2026-03``."""
    return _page(_period(key), {})


@blueprint.get("/reports/<key>/<name>.csv")
@allow(*KEEPERS)
def report_csv(key: str, name: str) -> ResponseReturnValue:
    """One table of a report as a CSV file. Times are seconds, shares per cent."""
    period = _period(key)
    found = next((table for table in _tables(period) if table.key == name), None)
    if found is None:
        abort(404)
    return download(f"{name}-{period.key}.csv", found.csv_header, found.csv_rows)


def _period(key: str) -> Period:
    period = periods.read(key, current_parts().settings.zone)
    if period is None:
        abort(404)
    return period


def _tables(period: Period) -> list[Table]:
    parts = current_parts()
    with parts.db.begin() as session:
        found = queries.report(session, period, now=parts.clock.now())
    return tables(found, period)


def _page(period: Period, wrong: dict[str, str]) -> str:
    now, zone = current_parts().clock.now(), period.zone
    today = now.astimezone(zone).date()
    return render_template(
        "staff/report.html",
        period=period,
        tables=_tables(period),
        wrong=wrong,
        today=Period("day", today, zone),
        this_month=periods.month_of(today, zone),
        month=periods.month_of(period.first, zone),
        goes_on=period.start <= now < period.end,
    )
