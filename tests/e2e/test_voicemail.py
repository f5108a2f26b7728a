"""A message is spoken on the phone, fetched by the worker, and gone from the carrier."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nurseline.callbacks.models import Voicemail
from tests.e2e.conftest import Line
from tests.support.waiting import wait_for

PATIENT = "+12025550123"


@pytest.mark.parametrize("line", [{"VOICEMAIL": "1", "CLINIC_HOURS": "Mon-Sun 00:00-24:00"}], indirect=True)
def test_a_spoken_message_is_fetched_and_deleted_at_the_carrier(line: Line) -> None:
    line.start_worker()
    line.start_beat()
    call = line.phone.ask("POST", "/calls", **{"from": PATIENT, "pace": "hand"})["sid"]
    for key in "011":
        line.phone.ask("POST", f"/calls/{call}/press", digits=key)
    line.phone.ask("POST", f"/calls/{call}/speak", text="please call me about my visit")
    after = line.phone.ask("POST", f"/calls/{call}/press", digits="#")
    assert "We have your message" in " ".join(after["said"])

    def fetched() -> Voicemail | None:
        with line.parts.db.begin() as session:
            return session.scalar(sa.select(Voicemail).where(Voicemail.removed_at_carrier.is_not(None)))

    row = wait_for(fetched, 90, "the message to be fetched")
    assert row is not None
    assert (row.audio or b"").startswith(b"RIFF")
    assert line.parts.recordings.fetch(row.recording_sid) is None, "deleted at the carrier"
    assert line.phone.errors() == []
