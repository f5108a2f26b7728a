"""What all staff pages share: headers, error pages, and how times and people are written."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, Response, current_app, g, render_template, request, session
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from nurseline.callbacks.outcomes import OUTCOMES
from nurseline.parts import current_parts
from nurseline.phone import national
from nurseline.staff import accounts, message_words, words
from nurseline.staff.access import csrf
from nurseline.staff.rights import KEEPERS
from nurseline.watch import service as watch

log = structlog.get_logger(__name__)

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; "
    "img-src 'self' data:"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
A_YEAR = "max-age=31536000"
STATIC_SECONDS = 3600
ERRORS = {
    400: (
        "That could not be read",
        "The page sent something that could not be understood; nothing was changed.",
    ),
    403: ("Not for your role", "Your account may not open this page. Ask an administrator if it should."),
    404: (
        "Not found",
        "There is no such page or item. It may have been closed, or the address is not complete.",
    ),
    405: ("Not found", "There is nothing to see at this address."),
    413: ("Too much text", "What was sent is too large, so nothing was changed. Go back and shorten it."),
    415: (
        "That could not be read",
        "The page sent something that could not be understood; nothing was changed.",
    ),
    500: (
        "Something went wrong",
        "This is our mistake, not yours. It was written down. Nothing half-done was kept.",
    ),
}
STALE_FORM = (
    "This page was open too long",
    "It belongs to another sign-in, so nothing was changed. Go back, reload the page and try again.",
)
# The pages under "Clinic": name, and endpoints of which the first is its address.
CLINIC_PAGES = (
    ("Hours and telephones", ("staff.clinic", "staff.edit_clinic_phone", "staff.clinic_phone")),
    ("Answers", ("staff.answers", "staff.answer", "staff.sign_answer")),
    ("Record", ("staff.audit_page",)),
    ("People", ("staff.people", "staff.person", "staff.invite", "staff.rights")),
    ("Settings", ("staff.settings", "staff.keep_settings")),
)
MINUTE, HOUR, DAY = 60, 3600, 86400


def is_staff_request() -> bool:
    """Whether this request is for a staff page."""
    return request.path == "/staff" or request.path.startswith("/staff/")


def install(app: Flask) -> None:
    """Add what all staff pages share to ``app``; requests for other pages pass untouched."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None)
    csrf.init_app(app)
    app.before_request(_before_sign_in)
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _explain)
    app.jinja_env.filters.update(FILTERS)
    app.context_processor(_for_templates)


def _before_sign_in() -> ResponseReturnValue | None:
    if request.blueprint != "security":
        return None
    if request.method == "POST":
        csrf.protect()
    return accounts.refuse_foreign_next()


def _add_headers(response: Response) -> Response:
    if not is_staff_request():
        return response
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "staff.static" and response.status_code in {200, 304}:
        response.headers["Cache-Control"] = f"public, max-age={STATIC_SECONDS}"
    else:
        response.headers["Cache-Control"] = "no-store"
    if current_parts().settings.public_base_url.startswith("https://"):
        response.headers["Strict-Transport-Security"] = A_YEAR
    return response


def _explain(error: HTTPException) -> ResponseReturnValue:
    if not is_staff_request() or error.code is None or error.code < 400:
        return error
    title, text = ERRORS.get(error.code, ERRORS[500])
    if isinstance(error, CSRFError):
        log.warning("staff.stale_form", endpoint=request.endpoint)
        title, text = STALE_FORM
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        kind = type(error.original_exception).__name__
        log.error("staff.error", endpoint=request.endpoint, kind=kind)
    return render_template("staff/error.html", title=title, text=text), error.code


def _for_templates() -> dict[str, Any]:
    if not is_staff_request():
        return {}
    parts = current_parts()
    return {
        "viewer": g.get("viewer"),
        "keepers": KEEPERS,
        "clinic_pages": [endpoint for _, endpoints in CLINIC_PAGES for endpoint in endpoints],
        "clinic_nav": CLINIC_PAGES,
        "may_open": _may_open,
        "now": parts.clock.now(),
        "clinic": parts.settings.clinic_name,
        "zone": parts.settings.zone,
        "zone_name": parts.clock.now().astimezone(parts.settings.zone).tzname(),
        "signed_in": accounts.SESSION_ID in session and "viewer" in g,
        "standstill": standstill,
    }


def _may_open(endpoint: str) -> bool:
    """Whether the person who looks at this page may open that one too."""
    none: frozenset[str] = frozenset()
    roles = getattr(current_app.view_functions.get(endpoint), "allowed_roles", none)
    return "viewer" in g and bool(g.viewer.roles & roles)


def standstill() -> list[watch.Silence]:
    """The queues because of which texts go late or not at all; looked up once for a page."""
    if "standstill" not in g:
        parts = current_parts()
        with parts.db.begin() as rows:
            g.standstill = watch.stale(rows, now=parts.clock.now())
    return cast("list[watch.Silence]", g.standstill)


def _zone() -> ZoneInfo:
    return current_parts().settings.zone


def clock_time(instant: datetime, zone: ZoneInfo | None = None) -> str:
    """``3:30 PM`` in the clinic's zone, or another."""
    local = instant.astimezone(zone or _zone())
    return f"{local.hour % 12 or 12}:{local.minute:02d} {'AM' if local.hour < 12 else 'PM'}"


def day(day: date) -> str:
    """``Nov 24, 2026``."""
    return f"{day:%b} {day.day}, {day.year}"


def day_and_time(instant: datetime, zone: ZoneInfo | None = None) -> str:
    """``Mon, Nov 24, 3:30 PM``, with the year where it is not this one."""
    zone = zone or _zone()
    local, now = instant.astimezone(zone), current_parts().clock.now().astimezone(zone)
    year = "" if local.year == now.year else f" {local.year}"
    return f"{local:%a}, {local:%b} {local.day}{year}, {clock_time(instant, zone)}"


def when(instant: datetime, zone: ZoneInfo | None = None) -> str:
    """Like `day_and_time`, with yesterday, today and tomorrow by name."""
    zone = zone or _zone()
    now = current_parts().clock.now()
    days = (instant.astimezone(zone).date() - now.astimezone(zone).date()).days
    name = {-1: "Yesterday", 0: "Today", 1: "Tomorrow"}.get(days)
    return f"{name}, {clock_time(instant, zone)}" if name else day_and_time(instant, zone)


def zoned(instant: datetime, zone: ZoneInfo) -> str:
    """Time of day and day in ``zone``, with the zone's short name."""
    return f"{day_and_time(instant, zone)} {instant.astimezone(zone).tzname()}"


def span(length: timedelta) -> str:
    """``4 min``, ``2 h 10 min``, ``3 days``: as long as a person would say."""
    seconds = max(0, int(length.total_seconds()))
    if seconds < MINUTE:
        return "under a minute"
    if seconds < HOUR:
        return f"{seconds // MINUTE} min"
    if seconds < DAY:
        hours, minutes = divmod(seconds // MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days = seconds // DAY
    return f"{days} day{'s' if days != 1 else ''}"


def talked(seconds: int) -> str:
    """``3 min 20 s``: how long two people spoke."""
    minutes, rest = divmod(seconds, MINUTE)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _said(key: str | None, table: str) -> str:
    return words.said(cast("dict[str, str]", getattr(words, table)), key)


def _language(code: str) -> str:
    known = current_parts().content.by_language.get(code)
    return known.name if known else code


FILTERS = {
    "language": _language,
    "when": when,
    "national": national,
    "clock": clock_time,
    "day": day,
    "zoned": zoned,
    "waited": span,
    "seconds": lambda seconds: span(timedelta(seconds=seconds)),
    "talked": talked,
    "said": _said,
    "why": message_words.why,
    "outcome": lambda key: words.said(OUTCOMES, key),
}
