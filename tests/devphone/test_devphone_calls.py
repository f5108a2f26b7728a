"""Calls of a patient walked step by step against a line that answers with TwiML."""

import time

import pytest
import requests
from werkzeug.wrappers import Response

from nurseline.devphone.interpreter import APOLOGY
from tests.devphone.documents import asked_for, xml
from tests.support.waiting import wait_for

MENU = xml(
    "<Say>If this is an emergency, hang up and call 9 1 1.</Say>"
    "<Gather numDigits='1' input='dtmf speech' action='/voice/menu' timeout='7'>"
    "<Say voice='Polly.Joanna'>For aftercare, press 1.</Say></Gather>"
    "<Say language='es-US'>Adios.</Say>"
)


@pytest.fixture
def menu(line):
    line.says("/voice", MENU)
    line.says("/voice/menu", xml("<Say>A nurse will call.</Say><Hangup/><Say>never</Say>"))


# Hearing and pressing


def test_a_call_says_its_words_and_listens(phone, line, menu):
    call = phone.call()
    assert call["said"] == ["If this is an emergency, hang up and call 9 1 1.", "For aftercare, press 1."]
    assert (call["phase"], call["status"], call["settled"]) == ("listening", "in-progress", True)
    assert call["waiting"] | {"hints": ""} == {
        "phase": "listening", "seconds": 7.0, "digits": "", "inputs": ["dtmf", "speech"], "timeout": 7.0,
        "num_digits": 1, "finish_on_key": "#", "hints": "", "language": "en-US",
    }  # fmt: skip
    assert call["lines"][1]["voice"] == "Polly.Joanna"
    (asked,) = line.at("/voice")
    assert asked.signed
    assert (asked.form["CallStatus"], asked.form["Direction"]) == ("ringing", "inbound")
    assert (asked.form["From"], asked.form["To"]) == (phone.handset, phone.number)
    assert asked.form["CallSid"] == call["sid"]
    assert asked.form["FromCity"] == ""


def test_a_key_goes_to_the_action_and_hangup_ends_the_call(phone, line, menu):
    sid = phone.call()["sid"]
    call = phone.post(f"/calls/{sid}/press", {"digits": "1"})
    assert asked_for(line)["Digits"] == "1"
    assert asked_for(line)["CallStatus"] == "in-progress"
    assert call["said"] == ["A nurse will call."]
    assert (call["ended"], call["status"]) == (True, "completed")
    assert call["duration"] > 0
    wait_for(lambda: line.at("/voice/status"))
    ended = line.at("/voice/status")[0]
    assert ended.signed
    assert (ended.form["CallStatus"], ended.form["CallDuration"]) == ("completed", str(call["duration"]))
    assert phone.codes() == []


def test_words_go_to_the_action_with_their_confidence(phone, line, menu):
    sid = phone.call()["sid"]
    phone.post(f"/calls/{sid}/speak", {"text": "my knee hurts", "confidence": 0.42})
    assert (asked_for(line)["SpeechResult"], asked_for(line)["Confidence"]) == ("my knee hurts", "0.42")
    assert "Digits" not in asked_for(line)


def test_the_confidence_may_be_absent(phone, line, menu):
    sid = phone.call()["sid"]
    phone.post(f"/calls/{sid}/speak", {"text": "hello", "confidence": None})
    assert "Confidence" not in asked_for(line)


def test_silence_falls_through_to_the_next_verb_and_the_end_hangs_up(phone, line, menu):
    sid = phone.call()["sid"]
    call = phone.post(f"/calls/{sid}/silence")
    assert call["said"] == ["Adios."]
    assert call["lines"][-2]["language"] == "es-US"
    assert call["ended"]
    assert line.at("/voice/menu") == []


def test_silence_reaches_the_action_when_asked_for(phone, line):
    line.says("/voice", xml("<Gather action='/voice/menu' actionOnEmptyResult='true'/><Say>never</Say>"))
    line.says("/voice/menu", xml(""))
    phone.post(f"/calls/{phone.call()['sid']}/silence")
    assert asked_for(line)["Digits"] == ""


def test_a_finish_key_ends_the_digits_and_is_not_among_them(phone, line):
    line.says("/voice", xml("<Gather action='/voice/menu'/>"))
    line.says("/voice/menu", xml(""))
    sid = phone.call()["sid"]
    assert phone.post(f"/calls/{sid}/press", {"digits": "20255"})["waiting"]["digits"] == "20255"
    phone.post(f"/calls/{sid}/press", {"digits": "50123#"})
    assert asked_for(line)["Digits"] == "2025550123"
    assert asked_for(line)["FinishedOnKey"] == "#"


def test_the_timeout_submits_what_was_typed(phone, line):
    line.says("/voice", xml("<Gather action='/voice/menu' finishOnKey=''/>"))
    line.says("/voice/menu", xml(""))
    sid = phone.call()["sid"]
    phone.post(f"/calls/{sid}/press", {"digits": "1#"})
    phone.post(f"/calls/{sid}/silence")
    assert asked_for(line)["Digits"] == "1#"


def test_a_finish_key_alone_is_no_input(phone, line):
    line.says("/voice", xml("<Gather action='/voice/menu'/><Say>Nothing.</Say>"))
    assert phone.post(f"/calls/{phone.call()['sid']}/press", {"digits": "#"})["said"] == ["Nothing."]
    assert line.at("/voice/menu") == []


def test_keys_are_not_heard_where_words_are_asked_for_and_the_other_way_round(phone, line):
    line.says("/voice", xml("<Gather input='speech' action='/voice/menu'/>"))
    sid = phone.call()["sid"]
    assert phone.post(f"/calls/{sid}/press", {"digits": "1"})["phase"] == "listening"
    line.says("/voice", xml("<Gather input='dtmf' action='/voice/menu'/>"))
    sid = phone.call()["sid"]
    assert phone.post(f"/calls/{sid}/speak", {"text": "one"})["phase"] == "listening"
    assert line.at("/voice/menu") == []


def test_after_a_key_words_are_not_used(phone, line):
    line.says("/voice", xml("<Gather input='dtmf speech' numDigits='2' action='/voice/menu'/>"))
    line.says("/voice/menu", xml(""))
    sid = phone.call()["sid"]
    phone.post(f"/calls/{sid}/press", {"digits": "1"})
    phone.post(f"/calls/{sid}/speak", {"text": "two"})
    phone.post(f"/calls/{sid}/press", {"digits": "2"})
    assert asked_for(line)["Digits"] == "12"


def test_without_an_action_the_same_document_is_asked_again(phone, line):
    line.says("/voice", xml("<Redirect>/voice/deeper?x=1</Redirect>"))
    line.says("/voice/deeper", xml("<Gather numDigits='1'/>"))
    phone.post(f"/calls/{phone.call()['sid']}/press", {"digits": "5"})
    assert [asked.form.get("Digits") for asked in line.at("/voice/deeper")] == [None, "5"]
    assert line.at("/voice/deeper")[1].args == {"x": "1"}


def test_a_redirect_status_at_the_action_loses_the_digits(phone, line):
    line.says("/voice", xml("<Gather numDigits='1' action='/voice/menu'/>"))
    line.says("/voice/menu", Response(status=303, headers={"Location": "/voice/next"}))
    line.says("/voice/next", xml("<Say>Hello.</Say>"))
    assert phone.post(f"/calls/{phone.call()['sid']}/press", {"digits": "1"})["said"] == ["Hello."]
    (asked,) = line.at("/voice/next")
    assert (asked.method, "Digits" in asked.form, "Digits" in asked.args) == ("GET", False, False)


def test_the_clock_by_hand_counts_what_would_have_passed(phone, line):
    line.says(
        "/voice",
        xml("<Say>one two three four five</Say><Pause length='3'/><Gather timeout='10'/><Say>end</Say>"),
    )
    call = phone.call()
    assert call["seconds"] == 5.0
    ended = phone.post(f"/calls/{call['sid']}/silence")
    assert ended["lines"][-2]["at"] == 15.0
    assert ended["duration"] == 15


def test_in_real_time_words_take_their_time_and_keys_stop_them(phone, line, menu):
    call = phone.call(pace="real")
    assert call["phase"] == "speaking"
    sid = call["sid"]
    early = phone.post(f"/calls/{sid}/press", {"digits": "1"})
    assert early["phase"] == "speaking"
    assert early["lines"][-1]["text"] == "The line was not listening for keys."
    assert phone.post(f"/calls/{sid}/skip")["phase"] == "listening"
    said = phone.post(f"/calls/{sid}/press", {"digits": "1"})["said"]
    assert said == ["A nurse will call."]


def test_in_real_time_a_timeout_runs_out_by_itself(phone, line):
    line.says("/voice", xml("<Gather timeout='1' action='/voice/menu'/><Say>Still there?</Say><Gather/>"))
    started = time.monotonic()
    sid = phone.call(pace="real")["sid"]
    wait_for(lambda: phone.get(f"/calls/{sid}")["lines"][-1]["text"] == "Still there?")
    assert time.monotonic() - started >= 1.0


def test_in_real_time_a_key_stops_a_prompt_that_listens(phone, line):
    line.says(
        "/voice", xml(f"<Gather numDigits='1' action='/voice/menu'><Say>{'word ' * 100}</Say></Gather>")
    )
    line.says("/voice/menu", xml("<Say>Heard.</Say>"))
    call = phone.call(pace="real")
    assert (call["phase"], call["waiting"]["inputs"]) == ("speaking", ["dtmf"])
    assert phone.post(f"/calls/{call['sid']}/press", {"digits": "1"})["said"] == ["Heard."]


def test_a_caller_may_hide_the_number(phone, line, menu):
    phone.call("anonymous")
    phone.call(hidden=True)
    assert [asked.form["From"] for asked in line.at("/voice")] == ["anonymous", "anonymous"]
    assert len(phone.get("/calls", handset=phone.handset)["calls"]) == 1


def test_a_caller_can_hang_up_and_the_call_is_over(phone, line, menu):
    sid = phone.call()["sid"]
    assert phone.post(f"/calls/{sid}/hangup")["status"] == "completed"
    assert "ended" in phone.post(f"/calls/{sid}/press", {"digits": "1"}, 409)["error"]
    wait_for(lambda: line.at("/voice/status"))
    text = requests.get(f"{phone.url}/phone/api/calls/{sid}/text", timeout=10).text
    assert "line: For aftercare, press 1." in text
    assert "end: The handset hangs up." in text


@pytest.mark.parametrize(
    ("reason", "status"), [("", "no-answer"), (" reason='rejected'", "no-answer"), (" reason='busy'", "busy")]
)
def test_a_rejected_call_was_never_answered(phone, line, reason, status):
    line.says("/voice", xml(f"<Reject{reason}/>"))
    call = phone.call()
    assert (call["status"], call["answered"], call["duration"]) == (status, False, 0)


def test_calls_of_an_earlier_run_can_still_be_read(start, line, menu):
    first = start()
    done = first.post(f"/calls/{first.call()['sid']}/press", {"digits": "1"})["sid"]
    cut = first.call()["sid"]
    first.stop()
    second = start()
    assert second.get(f"/calls/{done}")["lines"][-1]["kind"] == "end"
    assert second.get(f"/calls/{cut}")["status"] == "failed"


# What the line must not do


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response(status=500), 11200),
        (Response("{}", mimetype="application/json"), 12300),
        ("<Response><Say>open", 12100),
        (xml("<Shout>hello</Shout>"), 12200),
        (xml("<Say colour='red'>hello</Say>"), 12200),
        (xml("<Gather><Dial>+12025550199</Dial></Gather>"), 13320),
        (xml("<Gather timeout='0'/>"), 13313),
        (xml("<Enqueue>queue</Enqueue>"), 12200),
        (xml("<Redirect/>"), 11215),
    ],
)
def test_a_document_the_carrier_cannot_use_ends_with_its_apology(phone, line, answer, code):
    line.says("/voice", answer)
    call = phone.call()
    assert call["said"] == [APOLOGY]
    assert call["ended"]
    assert phone.codes() == [code]
    assert str(code) in next(entry["text"] for entry in call["lines"] if entry["kind"] == "error")


def test_every_problem_of_a_document_is_a_complaint(phone, line):
    line.says("/voice", xml("<Shout/><Gather timeout='0' numDigits='x'/>"))
    phone.call()
    assert sorted(phone.codes()) == [12200, 13313, 13314]


def test_the_fallback_is_asked_with_the_error(phone, line):
    line.says("/voice", Response(status=500))
    line.says("/fallback", xml("<Say>Please call back.</Say>"))
    phone.exchange.calls.fallback_url = f"{line.url}/fallback"
    assert phone.call()["said"] == ["Please call back."]
    assert asked_for(line, "/fallback")["ErrorCode"] == "11200"


def test_plain_text_is_read_out_and_then_the_line_hangs_up(phone, line):
    line.says("/voice", Response("Hello there", mimetype="text/plain"))
    call = phone.call()
    assert (call["said"], call["ended"]) == (["Hello there"], True)


def test_a_line_that_talks_in_a_circle_is_stopped(phone, line):
    line.says("/voice", xml("<Say>again</Say><Redirect/>"))
    call = phone.call()
    assert call["said"][-2:] == ["again", APOLOGY]
    assert phone.codes() == [11215]


# Recording


def test_a_recording_ends_with_a_key_and_its_words_are_transcribed(phone, line):
    line.says(
        "/voice",
        xml("<Record action='/rec' finishOnKey='#' transcribe='true' maxLength='60' transcribeCallback='/tr'"
            " recordingStatusCallback='/recstatus'/>"),
    )  # fmt: skip
    for path in ("/rec", "/tr", "/recstatus"):
        line.says(path, xml(""))
    sid = phone.call()["sid"]
    words = "my shoulder is still very sore please call me back tomorrow"
    assert phone.post(f"/calls/{sid}/speak", {"text": words})["phase"] == "recording"
    phone.post(f"/calls/{sid}/press", {"digits": "#"})
    asked = asked_for(line, "/rec")
    assert (asked["Digits"], asked["RecordingDuration"]) == ("#", "4")
    wait_for(lambda: line.at("/tr") and line.at("/recstatus"))
    assert asked_for(line, "/tr")["TranscriptionText"] == words
    assert asked_for(line, "/recstatus")["RecordingStatus"] == "completed"
    assert requests.get(asked["RecordingUrl"], timeout=10).status_code == 401
    account = phone.exchange.settings
    sound = requests.get(
        asked["RecordingUrl"] + ".wav", auth=(account.account_sid, account.auth_token), timeout=10
    )
    assert sound.content.startswith(b"RIFF")
    assert phone.client.recordings(asked["RecordingSid"]).fetch().call_sid == sid
    assert phone.client.recordings(asked["RecordingSid"]).delete()


def test_hanging_up_during_a_recording_still_asks_the_action(phone, line):
    line.says("/voice", xml("<Record action='/rec'/>"))
    line.says("/rec", xml("<Say>nobody hears this</Say>"))
    sid = phone.call()["sid"]
    call = phone.post(f"/calls/{sid}/hangup")
    assert (call["said"], call["status"]) == ([], "completed")
    assert asked_for(line, "/rec")["Digits"] == "hangup"
    assert phone.client.calls(sid).fetch().duration is not None
