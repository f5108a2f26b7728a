"""When something breaks, a patient still gets true words, and the request is kept where it can be."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from nurseline.callbacks.service import queue
from nurseline.messaging.models import OutboundMessage
from nurseline.webhooks import calls, reception
from tests.webhooks.conftest import Carrier, heard, new_sid


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("a secret of +12025550123 that must not be shown")


def test_a_text_that_breaks_the_line_becomes_an_item_and_says_so(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    (reply,) = carrier.text("can i come tomorrow")
    assert "911" in reply
    assert "nurse will call" in reply
    with carrier.parts.db.begin() as session:
        assert [item.reason for item in queue(session)] == ["nurse"]


def test_an_emergency_that_breaks_the_line_still_gets_the_911_words(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    (reply,) = carrier.text("i cant breathe")
    assert "Call 911 now" in reply
    with carrier.parts.db.begin() as session:
        assert [item.reason for item in queue(session)] == ["emergency"]
        told = session.scalars(sa.select(OutboundMessage.purpose)).all()
        assert told == ["alert", "alert"], "staff on call learn of it as of any other emergency"


def test_without_a_database_the_patient_is_told_to_call_and_nothing_is_promised(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    (reply,) = carrier.text("nurse")
    assert "202-555-0100" in reply
    assert "911" in reply
    assert "will call you" not in reply


@pytest.mark.parametrize("words", ["STOP", "please stop texting me"])
def test_a_wish_to_end_messages_is_not_answered_but_asked_for_again(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    form = {"MessageSid": new_sid("SM"), "From": "+12025550123", "Body": words}
    answer = carrier.post("/sms", form)
    assert (answer.status_code, b"Message" in answer.data) == (503, False)


def test_a_status_report_that_cannot_be_stored_asks_the_carrier_to_try_again(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(carrier.parts.db), "begin", broken)
    answer = carrier.post("/status", {"MessageSid": new_sid("SM"), "MessageStatus": "delivered"})
    assert answer.status_code == 503


def test_a_call_that_breaks_the_line_hears_words_and_not_a_carriers_error(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "begin", broken)
    said = heard(carrier.call(new_sid("CA"), 0))
    assert "nine one one" in said
    assert "secret" not in said


def test_what_broke_is_logged_by_kind_and_place_only(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reception, "respond", broken)
    carrier.text("can i come tomorrow")
    logged = caplog.text
    assert "RuntimeError" in logged
    assert "+1202555" not in logged
    assert "tomorrow" not in logged
