"""Calls with somebody else: staff whom the line dials, and calls that the line makes itself."""

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from werkzeug.wrappers import Response

from nurseline.devphone.interpreter import APOLOGY
from tests.devphone.documents import asked_for, xml
from tests.support.waiting import wait_for

STAFF = "+12025550199"


def model(phone, number, **more):
    answer = requests.put(f"{phone.url}/phone/api/handsets/{number}", json=more, timeout=10)
    assert answer.ok, answer.text


# Other parties


DIAL = xml(
    "<Dial timeout='20' action='/dialled'><Number url='/whisper' statusCallback='/legs'"
    f" statusCallbackEvent='initiated ringing answered completed'>{STAFF}</Number></Dial>"
)


@pytest.fixture
def dialling(line):
    line.says("/voice", DIAL)
    line.says("/dialled", xml("<Say>Thank you.</Say>"))
    line.says(
        "/whisper", xml("<Gather numDigits='1' action='/pressed'><Say>Press 1.</Say></Gather><Hangup/>")
    )
    line.says("/pressed", xml(""))
    line.says("/legs", Response(status=204))


def test_a_leg_hears_the_whisper_is_connected_and_reported(phone, line, dialling):
    call = phone.call()
    assert call["phase"] == "dialling"
    (leg,) = call["legs"]
    assert phone.get(f"/calls/{leg}")["direction"] == "outbound-dial"
    assert phone.post(f"/calls/{leg}/answer")["said"] == ["Press 1."]
    assert phone.get(f"/calls/{call['sid']}")["phase"] == "dialling"
    assert phone.post(f"/calls/{leg}/press", {"digits": "1"})["phase"] == "bridged"
    phone.post(f"/calls/{call['sid']}/speak", {"text": "hello nurse"})
    assert phone.get(f"/calls/{leg}")["lines"][-1]["text"] == "hello nurse"
    phone.post(f"/calls/{leg}/hangup")
    ended = phone.get(f"/calls/{call['sid']}")
    assert ended["lines"][-2]["text"] == "Thank you."
    result = asked_for(line, "/dialled")
    assert (result["DialCallStatus"], result["DialCallSid"], result["DialBridged"]) == (
        "completed",
        leg,
        "true",
    )
    assert line.at("/whisper")[0].form["ParentCallSid"] == call["sid"]
    wait_for(lambda: len(line.at("/legs")) == 4)
    reports = sorted(line.at("/legs"), key=lambda asked: asked.form["SequenceNumber"])
    assert [r.form["CallStatus"] for r in reports] == ["initiated", "ringing", "in-progress", "completed"]
    assert phone.codes() == []


@pytest.mark.parametrize(("what", "status"), [("decline", "busy"), ("silence", "no-answer")])
def test_nobody_there_is_told_to_the_action(phone, line, dialling, what, status):
    call = phone.call()
    phone.post(f"/calls/{call['legs'][0] if what == 'decline' else call['sid']}/{what}")
    assert asked_for(line, "/dialled")["DialCallStatus"] == status
    assert phone.get(f"/calls/{call['sid']}")["lines"][-2]["text"] == "Thank you."


def test_a_machine_that_does_not_press_is_not_connected(phone, line, dialling):
    call = phone.call()
    leg = call["legs"][0]
    phone.post(f"/calls/{leg}/answer", {"by": "machine"})
    phone.post(f"/calls/{leg}/silence")
    assert asked_for(line, "/dialled")["DialCallStatus"] == "no-answer"


def test_a_caller_who_gives_up_stops_the_ringing(phone, line, dialling):
    call = phone.call()
    phone.post(f"/calls/{call['sid']}/hangup")
    wait_for(lambda: phone.get(f"/calls/{call['legs'][0]}")["status"] == "canceled")
    assert asked_for(line, "/dialled")["DialCallStatus"] == "canceled"


def test_several_numbers_ring_and_the_first_that_answers_wins(phone, line):
    line.says(
        "/voice", xml(f"<Dial><Number>{STAFF}</Number><Number>+12025550198</Number></Dial><Say>after</Say>")
    )
    call = phone.call()
    first, second = call["legs"]
    phone.post(f"/calls/{second}/answer")
    assert phone.get(f"/calls/{first}")["status"] == "canceled"
    phone.post(f"/calls/{second}/hangup")
    assert phone.get(f"/calls/{call['sid']}")["lines"][-2]["text"] == "after"


# Calls from the line


def out(phone, line, **more):
    return phone.client.calls.create(
        to=phone.handset, from_=phone.number, status_callback=f"{line.url}/calls",
        status_callback_event=["initiated", "ringing", "answered", "completed"], **more,
    )  # fmt: skip


@pytest.fixture
def outward(phone, line):
    model(phone, phone.handset, pace="hand")
    line.says("/calls", Response(status=204))
    line.says(
        "/out", xml("<Gather numDigits='1' action='/voice/menu'><Say>This is the nurse line.</Say></Gather>")
    )
    line.says("/voice/menu", xml("<Say>Goodbye.</Say>"))


def reports(line):
    return [
        asked.form["CallStatus"]
        for asked in sorted(line.at("/calls"), key=lambda a: a.form["SequenceNumber"])
    ]


def test_the_line_calls_the_handset_rings_and_answers(phone, line, outward):
    sid = out(phone, line, url=f"{line.url}/out").sid
    wait_for(lambda: phone.get(f"/calls/{sid}")["phase"] == "ringing")
    assert phone.client.calls(sid).fetch().status == "ringing"
    assert phone.post(f"/calls/{sid}/answer")["said"] == ["This is the nurse line."]
    assert line.at("/out")[0].signed
    assert line.at("/out")[0].form["Direction"] == "outbound-api"
    phone.post(f"/calls/{sid}/press", {"digits": "1"})
    assert phone.client.calls(sid).fetch().status == "completed"
    wait_for(lambda: reports(line) == ["initiated", "ringing", "in-progress", "completed"])


@pytest.mark.parametrize(
    ("answer", "status"), [("busy", "busy"), ("no-answer", "no-answer"), ("failed", "failed")]
)
def test_a_handset_can_be_told_not_to_answer(phone, line, outward, answer, status):
    model(phone, phone.handset, call={"answer": answer, "after": 0})
    sid = out(phone, line, url=f"{line.url}/out").sid
    wait_for(lambda: phone.client.calls(sid).fetch().status == status)
    assert line.at("/out") == []
    wait_for(lambda: reports(line)[-1:] == [status])


@pytest.mark.parametrize(
    ("answer", "detection", "by"),
    [
        ("human", "Enable", "human"),
        ("machine", "Enable", "machine_start"),
        ("machine", "DetectMessageEnd", "machine_end_beep"),
        ("fax", "DetectMessageEnd", "fax"),
        ("unknown", "DetectMessageEnd", "unknown"),
    ],
)
def test_who_answered_is_told_when_asked(phone, line, outward, answer, detection, by):
    model(phone, phone.handset, call={"answer": answer, "after": 0})
    sid = out(phone, line, url=f"{line.url}/out", machine_detection=detection).sid
    wait_for(lambda: line.at("/out"))
    assert line.at("/out")[0].form["AnsweredBy"] == by
    assert phone.client.calls(sid).fetch().answered_by == by


def test_a_call_in_progress_is_sent_to_other_words_or_ended(phone, line, outward):
    sid = out(phone, line, url=f"{line.url}/out").sid
    wait_for(lambda: phone.get(f"/calls/{sid}")["phase"] == "ringing")
    phone.post(f"/calls/{sid}/answer")
    phone.client.calls(sid).update(
        twiml="<Response><Say>One moment.</Say><Pause length='9'/><Gather/></Response>"
    )
    wait_for(lambda: "One moment." in [entry["text"] for entry in phone.get(f"/calls/{sid}")["lines"]])
    assert phone.client.calls(sid).update(status="completed").status == "completed"
    with pytest.raises(TwilioRestException) as caught:
        phone.client.calls(sid).update(status="completed")
    assert caught.value.code == 21220


def test_a_ringing_call_can_be_cancelled(phone, line, outward):
    sid = out(phone, line, url=f"{line.url}/out").sid
    wait_for(lambda: phone.get(f"/calls/{sid}")["phase"] == "ringing")
    assert phone.client.calls(sid).update(status="canceled").status == "canceled"


def test_words_given_with_the_call_have_no_address_for_a_relative_action(phone, line, outward):
    sid = out(phone, line, twiml="<Response><Gather numDigits='1' action='/voice/menu'/></Response>").sid
    wait_for(lambda: phone.get(f"/calls/{sid}")["phase"] == "ringing")
    phone.post(f"/calls/{sid}/answer")
    assert phone.post(f"/calls/{sid}/press", {"digits": "1"})["said"] == [APOLOGY]
    assert phone.codes() == [11100]


# Who answered a dialled number


@pytest.mark.parametrize(("by", "told"), [("human", "human"), ("machine", "machine_start")])
def test_who_answered_a_dialled_number_is_told_while_both_are_connected(phone, line, by, told):
    detection = "machineDetection='Enable' amdStatusCallback='/heard'"
    line.says("/voice", xml(f"<Dial><Number {detection}>{STAFF}</Number></Dial>"))
    line.says("/heard", Response(status=204))
    call = phone.call()
    assert phone.post(f"/calls/{call['legs'][0]}/answer", {"by": by})["phase"] == "bridged"
    heard = wait_for(lambda: asked_for(line, "/heard"))
    assert (heard["AnsweredBy"], heard["CallSid"]) == (told, call["legs"][0])
    assert phone.codes() == []


def test_a_detection_without_an_address_to_tell_is_complained_about(phone, line):
    line.says("/voice", xml(f"<Dial><Number machineDetection='Enable'>{STAFF}</Number></Dial>"))
    phone.post(f"/calls/{phone.call()['legs'][0]}/answer")
    assert phone.codes() == [21262]


def test_a_detection_of_another_kind_breaks_the_rules(phone, line):
    line.says("/voice", xml(f"<Dial><Number machineDetection='true'>{STAFF}</Number></Dial>"))
    assert phone.call()["said"] == [APOLOGY]
    assert phone.codes() == [12200]
