"""Messages that a person should look at."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue

from nurseline.parts import current_parts
from nurseline.staff.access import allow, blueprint
from nurseline.staff.queries.messages import messages_to_check


@blueprint.get("/messages")
@allow()
def messages() -> ResponseReturnValue:
    """Messages of unknown outcome, failed, or not delivered."""
    parts = current_parts()
    with parts.db.begin() as session:
        checks = messages_to_check(session, now=parts.clock.now())
    return render_template("staff/messages.html", checks=checks)
