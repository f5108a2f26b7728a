"""What a text leads to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from structlog.testing import CapturedCall, CapturingLogger

from nurseline.aftercare.service import Enrolment, enrol
from nurseline.callbacks.models import CallbackWords
from nurseline.consent.models import ConsentEvent
from nurseline.consent.service import state_of
from nurseline.messaging.contacts import contact_for
from nurseline.messaging.models import Contact, Conversation, InboundMessage, OutboundMessage
from nurseline.webhooks import leftovers
from tests.webhooks.support import PATIENT, Carrier, items, new_sid


def outbound(carrier: Carrier) -> list[OutboundMessage]:
    with carrier.parts.db.begin() as session:
        return list(session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.position)))


def test_the_first_reply_to_a_new_number_says_what_this_is_and_911(carrier: Carrier) -> None:
    first = carrier.text("hi")[0]
    assert "Your Clinic" in first
    assert "Emergency? Call 911" in first
    assert "Emergency? Call 911. Msg & data" not in " ".join(carrier.text("menu"))


def test_a_repeated_webhook_changes_nothing_and_gets_the_same_answer(carrier: Carrier) -> None:
    sid = new_sid("SM")
    first = carrier.text("nurse", sid=sid)
    again = carrier.text("nurse", sid=sid)
    assert first == again
    assert len(items(carrier)) == 1
    with carrier.parts.db.begin() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(InboundMessage)) == 1
        assert session.scalar(sa.select(sa.func.count()).select_from(CallbackWords)) == 1


def test_the_same_webhook_eight_times_at_once_is_handled_once(carrier: Carrier) -> None:
    sid = new_sid("SM")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: tuple(carrier.text("schedule", sid=sid)), range(8)))
    assert len(set(answers)) == 1
    assert len(outbound(carrier)) == len(answers[0])


def test_different_texts_of_one_number_at_once_are_answered_one_after_another(carrier: Carrier) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: carrier.text("nurse"), range(6)))
    assert all(answers)
    assert [item.reason for item in items(carrier)] == ["nurse"]


def test_a_promise_is_kept_in_the_queue_and_told_again_on_a_second_request(carrier: Carrier) -> None:
    (first,) = carrier.text("nurse", sender="+12025550124")[-1:]
    assert "today by 2 PM" in first  # four working hours after ten
    carrier.clock.advance(timedelta(hours=1))
    (second,) = carrier.text("nurse", sender="+12025550124")
    assert "We have your request" in second
    assert "today by 2 PM" in second


def test_an_emergency_comes_before_every_menu_and_raises_the_top_item(carrier: Carrier) -> None:
    carrier.text("schedule")
    (reply,) = carrier.text("my throat is closing up, cant breathe")
    assert "911" in reply
    carrier.text("2")
    assert items(carrier)[0].reason == "emergency"


def test_an_emergency_from_a_number_that_opted_out_alerts_staff_and_still_tries_to_answer(
    carrier: Carrier,
) -> None:
    carrier.text("STOP")
    (reply,) = carrier.text("mom cant breathe")
    assert "Call 911" in reply
    assert [item.reason for item in items(carrier)] == ["emergency"]
    alerts = [row for row in outbound(carrier) if row.purpose == "alert"]
    with carrier.parts.db.begin() as session:
        told = sorted(session.get_one(Contact, alert.contact_id).number for alert in alerts)
    assert told == ["+12025550190", "+12025550191"]
    assert {(alert.status, alert.priority) for alert in alerts} == {("scheduled", 0)}


def test_staff_are_alerted_once_for_one_open_emergency(carrier: Carrier) -> None:
    for _ in range(3):
        carrier.text("cant breathe")
    assert len([row for row in outbound(carrier) if row.purpose == "alert"]) == 2


def test_a_stop_right_after_an_emergency_is_still_a_stop(carrier: Carrier) -> None:
    carrier.text("cant breathe")
    assert carrier.text("STOP") == []
    with carrier.parts.db.begin() as session:
        ledger = state_of(session, carrier.parts.keyring.number_hash(PATIENT))
        assert ledger is not None
        assert ledger.status == "opted_out"


def test_an_opt_out_in_plain_words_is_confirmed_once_and_recorded_with_the_words(carrier: Carrier) -> None:
    (confirmation,) = carrier.text("please stop texting me")[-1:]
    assert "no more" in confirmation.lower() or "unsubscribed" in confirmation.lower()
    assert carrier.text("i said stop texting me") == []
    with carrier.parts.db.begin() as session:
        events = session.scalars(sa.select(ConsentEvent).order_by(ConsentEvent.at)).all()
        assert [event.kind for event in events] == ["opt_out", "opt_out"]
        assert events[0].words == "please stop texting me"


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop ", "UNSUBSCRIBE", "cancel", "END", "quit"])
def test_a_carrier_keyword_gets_no_answer_from_us_and_cancels_what_is_planned(
    carrier: Carrier, word: str
) -> None:
    now = carrier.clock.now()
    entry = Enrolment(now - timedelta(hours=1), "America/New_York", "en", True, "wording", "1", "test")
    with carrier.parts.db.begin() as session:
        enrol(session, contact_for(session, carrier.parts.keyring, PATIENT, at=now), entry, now=now)
    assert carrier.text(word) == []
    assert {row.status for row in outbound(carrier)} == {"cancelled"}
    assert carrier.text("START") == []
    assert {row.status for row in outbound(carrier)} == {"cancelled"}


def test_a_yes_to_an_offer_is_a_yes_and_no_opt_in(carrier: Carrier) -> None:
    carrier.text("can i take my blood thinner")
    (promised,) = carrier.text("YES")
    assert "nurse will call you" in promised
    with carrier.parts.db.begin() as session:
        assert state_of(session, carrier.parts.keyring.number_hash(PATIENT)) is None


def test_a_yes_from_a_blocked_number_is_what_the_carrier_takes_it_for(carrier: Carrier) -> None:
    carrier.text("STOP")
    assert carrier.text("YES") == []
    with carrier.parts.db.begin() as session:
        ledger = state_of(session, carrier.parts.keyring.number_hash(PATIENT))
        assert ledger is not None
        assert (ledger.status, ledger.carrier_blocked) == ("opted_in", False)


def test_opt_out_type_of_the_messaging_service_is_believed_whatever_the_words(carrier: Carrier) -> None:
    assert carrier.text("basta", OptOutType="STOP") == []
    with carrier.parts.db.begin() as session:
        ledger = state_of(session, carrier.parts.keyring.number_hash(PATIENT))
        assert ledger is not None
        assert ledger.carrier_blocked


def test_help_is_left_to_the_carrier_but_recorded(carrier: Carrier) -> None:
    assert carrier.text("HELP") == []
    with carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(InboundMessage)).one().body == "HELP"


def test_a_picture_is_told_that_it_cannot_be_seen(carrier: Carrier) -> None:
    assert any(
        "picture" in reply for reply in carrier.text("", NumMedia="1", MediaUrl0="https://x.example.org/1")
    )
    assert any("picture" in reply for reply in carrier.text("menu", NumMedia="2"))


@pytest.mark.parametrize(
    "sender", ["72345", "CLINIC", "anonymous", "", "+1", "\u202e+12025550123 \x00x" * 20]
)
def test_a_sender_that_cannot_be_answered_is_stored_and_gets_nothing(carrier: Carrier, sender: str) -> None:
    assert carrier.text("hello", sender=sender) == []
    with carrier.parts.db.begin() as session:
        assert session.scalars(sa.select(InboundMessage)).one().contact_id is None


def test_an_alarm_from_a_sender_without_a_number_still_reaches_the_queue(carrier: Carrier) -> None:
    carrier.text("i cant breathe", sender="72345")
    assert [item.reason for item in items(carrier)] == ["emergency"]


@pytest.mark.parametrize("sender", ["+18005551212", "+447911123456", "+18762001234"])
def test_toll_free_and_foreign_numbers_get_no_reply_but_an_alarm_is_answered(
    carrier: Carrier, sender: str
) -> None:
    assert carrier.text("menu", sender=sender) == []
    assert any("911" in reply for reply in carrier.text("i cant breathe", sender=sender))


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "\x00",
        "nul\x00inside",
        "😀" * 50,
        "مرحبا كيف حالك",
        "\u202eabc",
        "x" * 1600,
        "a\ud800b",
        "1" * 1600,
        "<b>&amp;",
    ],
)
def test_whatever_is_written_gets_an_answer_and_is_stored(carrier: Carrier, body: str) -> None:
    body = body.encode("utf-8", "replace").decode()
    assert carrier.text(body)
    assert carrier.text(body)


def test_half_an_hour_of_silence_returns_to_the_top_and_keeps_the_request_that_was_left(
    carrier: Carrier,
) -> None:
    carrier.text("hi")
    carrier.text("schedule")
    carrier.clock.advance(timedelta(minutes=31))
    assert leftovers.collect(carrier.parts) == 1
    assert leftovers.collect(carrier.parts) == 0
    assert [item.reason for item in items(carrier)] == ["schedule"]
    (reply,) = carrier.text("1")
    assert "morning" not in reply.lower()


def test_a_request_that_was_left_and_no_key_opens_keeps_no_other_from_staff(
    carrier: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "BATCH", 1)
    carrier.text("schedule")
    with carrier.parts.db.begin() as session:
        damaged = session.scalars(sa.select(Conversation.contact_id)).one()
        session.execute(sa.text("UPDATE conversations SET state = 'x'"))
    carrier.text("schedule", sender="+12025550199")
    carrier.clock.advance(timedelta(minutes=31))
    monkeypatch.setattr(leftovers, "log", logs := CapturingLogger())
    assert [leftovers.collect(carrier.parts) for _ in range(3)] == [1, 0, 0]
    told = {"left": str(damaged), "kind": "UndecryptableError"}
    assert logs.calls == [CapturedCall("error", ("leftover.not_read",), told)]
    assert [item.reason for item in items(carrier)] == ["schedule"]


def test_a_request_that_was_left_does_not_need_the_number_of_who_left_it(carrier: Carrier) -> None:
    carrier.text("schedule")
    with carrier.parts.db.begin() as session:
        session.execute(sa.text("UPDATE contacts SET number = 'x'"))
    carrier.clock.advance(timedelta(minutes=31))
    assert leftovers.collect(carrier.parts) == 1


def test_a_number_that_texts_without_end_is_not_answered_without_end_except_in_an_emergency(
    carrier: Carrier,
) -> None:
    for _ in range(carrier.parts.settings.replies_per_ten_minutes):
        assert carrier.text("menu")
    assert carrier.text("menu") == []
    assert any("911" in reply for reply in carrier.text("i cant breathe"))
    carrier.clock.advance(timedelta(minutes=11))
    assert carrier.text("menu")


def test_wrong_number_ends_messages_and_tells_staff(carrier: Carrier) -> None:
    carrier.text("you have the wrong number")
    assert [item.reason for item in items(carrier)] == ["admin"]
    with carrier.parts.db.begin() as session:
        ledger = state_of(session, carrier.parts.keyring.number_hash(PATIENT))
        assert ledger is not None
        assert ledger.status == "opted_out"


def test_known_and_unknown_numbers_read_the_same(carrier: Carrier) -> None:
    now = carrier.clock.now()
    entry = Enrolment(now - timedelta(hours=1), "America/New_York", "en", True, "wording", "1", "test")
    with carrier.parts.db.begin() as session:
        enrol(session, contact_for(session, carrier.parts.keyring, PATIENT, at=now), entry, now=now)
    assert carrier.text("hi") == carrier.text("hi", sender="+12025550177")
