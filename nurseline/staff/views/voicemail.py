"""Hearing a message that a caller spoke: for who may, and written down."""

from __future__ import annotations

import uuid

from flask import Response, abort

from nurseline.callbacks.models import Voicemail
from nurseline.parts import current_parts
from nurseline.staff import audit
from nurseline.staff.access import allow, blueprint, viewer

LISTENERS = frozenset(
    {"nurse", "supervisor", "admin"}
)  # a scheduler needs no medical words to set up a visit


@blueprint.get("/voicemail/<uuid:voicemail_id>.wav")
@allow(*LISTENERS)
def voicemail_sound(voicemail_id: uuid.UUID) -> Response:
    """The sound of a message."""
    parts = current_parts()
    with parts.db.begin() as session:
        row = session.get(Voicemail, voicemail_id)
        if row is None or row.audio is None:
            abort(404)
        audit.record(session, viewer().id, "heard_voicemail", at=parts.clock.now(), item_id=row.item_id)
        return Response(row.audio, mimetype=row.media_type or "audio/x-wav")
