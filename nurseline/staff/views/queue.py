"""The queue, and the part of it that refreshes by itself."""

from __future__ import annotations

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.staff.access import allow, blueprint, passive, viewer
from nurseline.staff.pages import standstill
from nurseline.staff.queries.items import Queue, queue_page


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
    page = _page()
    return render_template("staff/queue.html", queue=page, fingerprint=_fingerprint(page))


@blueprint.get("/queue/rows")
@allow()
@passive
def queue_rows() -> ResponseReturnValue:
    """The list alone, for the page's own refresh; 304 while nothing has changed."""
    page = _page()
    response = make_response()
    response.set_etag(fingerprint := _fingerprint(page))
    if request.if_none_match.contains(fingerprint):
        response.status_code = 304
        return response
    response.set_data(render_template("staff/_queue_rows.html", queue=page))
    return response


def _page() -> Queue:
    parts = current_parts()
    with parts.db.begin() as session:
        return queue_page(session, viewer().id, now=parts.clock.now())


def _fingerprint(page: Queue) -> str:
    """Changes with all that the refreshed part shows."""
    return f"{page.fingerprint}-{len(standstill())}"
