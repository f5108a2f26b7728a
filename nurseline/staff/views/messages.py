"""Messages that a person should look at."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.staff.access import allow, blueprint
from nurseline.staff.queries.messages import messages_to_check


@blueprint.get("/messages")
@allow()
def messages() -> ResponseReturnValue:
    """Messages of unknown outcome, failed, or not delivered."""
    parts = current_parts()
    page = request.args.get("page", 1, type=int)
    with parts.db.begin() as session:
        checks = messages_to_check(session, now=parts.clock.now(), page=page)
    return render_template("staff/messages.html", checks=checks)
