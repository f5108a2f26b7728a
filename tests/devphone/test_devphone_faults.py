"""Faults on purpose: what the line sees through the real SDK, and what the ledger says it was."""

import socket
import time

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from tests.support.waiting import wait_for


def callback(line, reference="r1"):
    return {"status_callback": f"{line.url}/status?ref={reference}"}


def statuses(line):
    return [asked.form["MessageStatus"] for asked in line.at("/status")]


def references(phone):
    return [message["ref"] for message in phone.ledger()[1]]


# Requests that never arrive


def test_a_refused_connection_is_an_error_and_nothing_is_stored(phone, line):
    phone.fails(refuse=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        phone.send(**callback(line))
    assert phone.ledger() == ({}, [])
    assert phone.struck() == {"refuse": 1}


def test_too_many_requests_come_in_a_row_and_nothing_is_stored(phone):
    phone.fails(seed=3, too_many={"p": 0.1, "in_a_row": 3})
    seen = ""
    for n in range(60):
        try:
            phone.send(f"number {n}")
            seen += "."
        except TwilioRestException as error:
            seen += "x" if (error.status, error.code) == (429, 20429) else "?"
    bursts = [part for part in seen.rstrip("x").split(".") if part]
    assert bursts
    assert "?" not in seen
    assert min(len(burst) for burst in bursts) >= 3
    assert len(phone.ledger()[1]) == seen.count(".")
    assert phone.struck() == {"too_many": seen.count("x")}


@pytest.mark.parametrize(("status", "code"), [(500, 20500), (503, 20503)])
def test_an_error_before_acceptance_stores_nothing(phone, status, code):
    phone.fails(error_before={"p": 1, "status": status})
    with pytest.raises(TwilioRestException) as caught:
        phone.send()
    assert (caught.value.status, caught.value.code) == (status, code)
    assert phone.ledger()[1] == []


# Requests that are accepted


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("error_after", TwilioRestException), ("drop_after", requests.exceptions.ConnectionError)],
)
def test_an_accepted_message_whose_answer_fails_is_sent_all_the_same(phone, line, fault, expected):
    phone.fails(**{fault: 1})
    with pytest.raises(expected) as caught:
        phone.send("sent all the same", **callback(line))
    if fault == "error_after":
        assert caught.value.status == 500
    wait_for(lambda: statuses(line) == ["sent", "delivered"])
    counts, (message,) = phone.ledger()
    assert counts == {"outbound-api": {"delivered": 1}}
    assert (message["ref"], message["to"], message["status"]) == ("r1", phone.handset, "delivered")
    assert message["sid"] == line.at("/status")[0].form["MessageSid"]
    assert phone.struck() == {fault: 1}


def test_a_slow_answer_outlasts_the_patience_of_the_client_and_the_message_is_there(phone, line):
    phone.fails(slow={"p": 1, "seconds": 1})
    impatient = Client(*phone.client.auth, http_client=TwilioHttpClient(timeout=0.3))
    impatient.api.base_url = phone.url
    with pytest.raises(requests.exceptions.ReadTimeout):
        impatient.messages.create(to=phone.handset, from_=phone.number, body="x", **callback(line))
    assert references(phone) == ["r1"]
    began = time.monotonic()
    assert phone.send("y").status == "queued"
    assert time.monotonic() - began >= 1


def test_a_message_appears_late_in_lists_but_can_be_fetched(phone):
    phone.fails(list_lag={"p": 1, "seconds": 0.5})
    began = time.monotonic()
    sid = phone.send("late").sid
    assert phone.client.messages.list(to=phone.handset) == []
    assert phone.client.messages(sid).fetch().body == "late"
    assert references(phone) == [None]
    wait_for(lambda: [m.sid for m in phone.client.messages.list(to=phone.handset)] == [sid])
    assert time.monotonic() - began >= 0.5


def test_an_accepted_call_can_be_hidden_too(phone):
    phone.fails(drop_after=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        phone.client.calls.create(to=phone.handset, from_=phone.number, twiml="<Response/>")
    assert len(phone.get("/calls")["calls"]) == 1
    phone.fails(refuse=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        phone.client.calls.create(to=phone.handset, from_=phone.number, twiml="<Response/>")
    assert len(phone.get("/calls")["calls"]) == 1


def test_the_next_request_after_a_dropped_connection_is_answered(phone):
    phone.send("opens the connection")
    phone.fails(drop_after=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        phone.send("dropped")
    requests.delete(f"{phone.url}/phone/api/faults", timeout=10)
    assert phone.send("well again").status == "queued"
    assert len(phone.ledger()[1]) == 3


# Status callbacks


def test_lost_callbacks_never_come_and_the_message_is_delivered(phone, line):
    phone.fails(callback_lost=1)
    sid = phone.send(**callback(line)).sid
    wait_for(lambda: phone.client.messages(sid).fetch().status == "delivered")
    wait_for(lambda: phone.struck() == {"callback_lost": 2})
    assert line.at("/status") == []


def test_doubled_callbacks_come_twice(phone, line):
    phone.fails(callback_doubled={"p": 1, "seconds": 0.01})
    phone.send(**callback(line))
    wait_for(lambda: sorted(statuses(line)) == ["delivered", "delivered", "sent", "sent"])
    assert all(asked.signed and asked.args == {"ref": "r1"} for asked in line.at("/status"))


def test_reordered_callbacks_come_after_the_last_one(phone, line):
    phone.fails(callback_reordered={"p": 1, "seconds": 30})
    phone.send(**callback(line))
    wait_for(lambda: len(line.at("/status")) == 2)
    assert statuses(line) == ["delivered", "sent"]


def test_a_callback_that_was_held_back_comes_even_if_the_last_one_never_does(phone, line):
    phone.fails(callback_reordered={"p": 1, "seconds": 0.05})
    requests.put(f"{phone.url}/phone/api/carrier", json={"delivery": {"outcome": "sent"}}, timeout=10)
    phone.send(**callback(line))
    wait_for(lambda: statuses(line) == ["sent"])


def test_an_early_callback_comes_before_the_answer(phone, line):
    requests.put(f"{phone.url}/phone/api/carrier", json={"delivery": {"sent_after": 60}}, timeout=10)
    phone.fails(callback_early=1)
    sid = phone.send(**callback(line)).sid
    assert [(a.form["MessageSid"], a.form["MessageStatus"]) for a in line.at("/status")] == [(sid, "sent")]
    wait_for(lambda: statuses(line) == ["sent", "delivered"])


def test_delayed_callbacks_come_later_than_the_status(phone, line):
    phone.fails(callback_delayed={"p": 1, "seconds": 0.4})
    sid = phone.send(**callback(line)).sid
    began = time.monotonic()
    wait_for(lambda: phone.client.messages(sid).fetch().status == "delivered")
    wait_for(lambda: statuses(line) == ["sent", "delivered"])
    assert time.monotonic() - began >= 0.35


def test_reports_of_calls_can_be_lost(phone, line):
    phone.fails(callback_lost=1)
    call = phone.client.calls.create(
        to=phone.handset,
        from_=phone.number,
        twiml="<Response/>",
        status_callback=f"{line.url}/status",
        status_callback_event=["completed"],
    )
    wait_for(lambda: phone.get(f"/calls/{call.sid}")["phase"] == "ringing", what="the handset to ring")
    phone.post(f"/calls/{call.sid}/decline")
    wait_for(lambda: phone.struck() == {"callback_lost": 1})
    assert line.at("/status") == []


# Inbound events


@pytest.mark.parametrize("at_once", [False, True])
def test_an_event_posted_twice_has_the_same_sid_and_token_and_one_answer_counts(phone, line, at_once):
    line.says("/sms", "<Response><Message>Hello</Message></Response>")
    phone.fails(webhook_twice={"p": 1, "at_once": at_once})
    answered = phone.text("hi")
    first, second = line.at("/sms")
    assert first.form == second.form
    assert first.headers["I-Twilio-Idempotency-Token"] == second.headers["I-Twilio-Idempotency-Token"]
    assert [reply["body"] for reply in answered["replies"]] == ["Hello"]


def test_a_repeat_that_is_answered_otherwise_is_what_the_patient_gets(phone, line):
    line.says("/sms", "<Response><Message>Hello</Message></Response>", "<Response/>")
    phone.fails(webhook_twice=1)
    assert phone.text("hi")["replies"] == []


def test_a_step_of_a_call_can_be_posted_twice(phone, line):
    line.says("/voice", "<Response><Gather action='/step'><Say>Press</Say></Gather></Response>")
    line.says("/step", "<Response><Hangup/></Response>")
    phone.fails(webhook_twice=1)
    call = phone.call()
    phone.post(f"/calls/{call['sid']}/press", {"digits": "1#"})
    assert [asked.form.get("Digits") for asked in line.at("/step")] == ["1", "1"]
    assert len(line.at("/voice")) == 2


# A carrier that is not there


def test_an_interface_that_is_away_refuses_connections_and_comes_back(start, line, free_port):
    phone = start(api_port=free_port)
    phone.client.api.base_url = f"http://127.0.0.1:{free_port}"
    assert phone.send("opens a connection").status == "queued"
    phone.fails(unreachable={"p": 1, "seconds": 3})
    assert phone.send("answered", **callback(line)).status == "queued"
    requests.delete(f"{phone.url}/phone/api/faults", timeout=10)

    def refused():
        with pytest.raises(requests.exceptions.ConnectionError) as caught:
            phone.send("never arrives")
        return "Connection refused" in str(caught.value)

    # The listening socket closes a moment after the answer.
    wait_for(lambda: not listens(free_port))
    assert refused()
    assert requests.get(f"{phone.url}/healthz", timeout=5).status_code == 200
    wait_for(lambda: listens(free_port))
    assert phone.send("back").status == "queued"
    assert len(phone.ledger()[1]) == 3


def listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_unreachable_needs_a_port_that_may_go_away(phone):
    answer = requests.put(f"{phone.url}/phone/api/faults", json={"unreachable": 1}, timeout=10)
    assert answer.status_code == 400
    assert "DEVPHONE_API_PORT" in answer.json()["error"]
