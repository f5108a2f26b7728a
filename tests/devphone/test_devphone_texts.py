"""Texts from handsets, what the line may answer, opt-outs, and what becomes of a message."""

import re
import threading

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from werkzeug.wrappers import Response

from tests.support.waiting import wait_for

INBOUND = {
    "ToCountry", "ToState", "ToCity", "ToZip", "FromCountry", "FromState", "FromCity", "FromZip",
    "SmsMessageSid", "SmsSid", "MessageSid", "AccountSid", "SmsStatus", "ApiVersion", "From", "To",
    "Body", "NumMedia", "NumSegments",
}  # fmt: skip


def statuses(line):
    return [asked.form["MessageStatus"] for asked in line.at("/status")]


def model(phone, handset=None, **delivery):
    url = f"{phone.url}/phone/api/handsets/{handset or phone.handset}"
    answer = requests.put(url, json={"delivery": delivery}, timeout=10)
    assert answer.ok, answer.text


# What the line is told


def test_a_text_reaches_the_line_signed_and_complete(phone, line):
    phone.text("Is it sore? 😀")
    (asked,) = line.at("/sms")
    assert asked.signed
    assert set(asked.form) == INBOUND
    assert (asked.form["Body"], asked.form["NumMedia"], asked.form["NumSegments"]) == (
        "Is it sore? 😀",
        "0",
        "1",
    )
    assert asked.form["FromCity"] == asked.form["ToZip"] == ""
    assert asked.form["SmsSid"] == asked.form["SmsMessageSid"] == asked.form["MessageSid"]
    assert asked.form["SmsStatus"] == "received"
    assert asked.headers["User-Agent"] == "TwilioProxy/1.1"
    assert re.fullmatch(r"[0-9a-f-]{36}", asked.headers["I-Twilio-Idempotency-Token"])


def test_a_picture_comes_with_its_address_and_type(phone, line):
    phone.text("", media=[{"content_type": "image/png"}, {"content_type": "image/jpeg", "data": "AAEC"}])
    (asked,) = line.at("/sms")
    assert asked.form["NumMedia"] == "2"
    assert asked.form["MediaContentType1"] == "image/jpeg"
    assert asked.form["MediaUrl0"].startswith(phone.url)
    account = phone.exchange.settings
    media = requests.get(asked.form["MediaUrl1"], auth=(account.account_sid, account.auth_token), timeout=10)
    assert media.content == b"\x00\x01\x02"


# What the line may answer


def test_replies_are_messages_of_their_own_with_callbacks(phone, line):
    line.says(
        "/sms",
        '<Response><Message statusCallback="/status?ref=7">One</Message><Message>Two</Message></Response>',
    )
    answered = phone.text("hi")
    assert [(r["body"], r["direction"]) for r in answered["replies"]] == [
        ("One", "outbound-reply"),
        ("Two", "outbound-reply"),
    ]
    wait_for(lambda: sorted(statuses(line)) == ["delivered", "sent"])
    assert all(asked.signed and asked.args == {"ref": "7"} for asked in line.at("/status"))
    assert phone.codes() == []


def test_body_and_media_and_line_breaks_are_kept(phone, line):
    line.says(
        "/sms", "<Response><Message><Body>One\nTwo</Body><Media>/picture.png</Media></Message></Response>"
    )
    (reply,) = phone.text("hi")["replies"]
    assert reply["body"] == "One\nTwo"
    assert reply["media"] == [{"url": f"{line.url}/picture.png", "content_type": None}]


def test_plain_text_is_sent_to_the_patient_as_it_is(phone, line):
    line.says("/sms", Response("OK", mimetype="text/plain"))
    assert [reply["body"] for reply in phone.text("hi")["replies"]] == ["OK"]


def test_a_redirect_verb_and_a_redirect_status_are_followed(phone, line):
    line.says(
        "/sms", '<Response><Message>One</Message><Redirect method="GET">/more?x=1</Redirect></Response>'
    )
    line.says("/more", Response(status=302, headers={"Location": "/last"}))
    line.says("/last", "<Response><Message>Two</Message></Response>")
    assert [reply["body"] for reply in phone.text("hi")["replies"]] == ["One", "Two"]
    (more,) = line.at("/more")
    assert (more.method, more.signed, more.args["x"], more.args["Body"]) == ("GET", True, "1", "hi")


def xml(text):
    return f"<Response>{text}</Response>"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Response("{}", mimetype="application/json"), 12300),
        (Response("x", headers={"Content-Type": ""}), 12300),
        (Response("x", mimetype="audio/wav"), 12300),
        (Response("", mimetype="text/xml"), 11770),
        (Response("<Response/>", status=500, mimetype="text/xml"), 11200),
        (Response("<Response/>", status=404, mimetype="text/xml"), 11200),
        (Response(f"<Response><!--{'x' * 65536}--></Response>", mimetype="text/xml"), 11750),
        (Response(status=302, headers={"Location": "/sms"}), 11215),
        ("<Response><Message>open", 12100),
        ("<!DOCTYPE r [<!ENTITY a 'b'>]><Response/>", 12100),
        ("<response/>", 12102),
        ("<Message>no root</Message>", 12102),
        (xml("<Say>hello</Say>"), 14110),
        (xml("<message>hello</message>"), 14110),
        (xml("<Message colour='red'>hello</Message>"), 12200),
        (xml("<Message><Text>hello</Text></Message>"), 12200),
        (xml("loose words"), 12200),
        (xml("<Message/>"), 14103),
        (xml("<Message>  </Message>"), 14103),
        (xml(f"<Message>{'x' * 1601}</Message>"), 21617),
        (xml("<Message to='nobody'>hello</Message>"), 14101),
        (xml("<Message from='+12015550199'>hello</Message>"), 14102),
        (xml("<Message method='PUT'>hello</Message>"), 14104),
        (xml("<Message statusCallback='http://under_score/'>hello</Message>"), 14105),
        (xml("<Redirect/>"), 14106),
    ],
)
def test_an_answer_the_carrier_cannot_use_is_a_complaint_and_sends_nothing(phone, line, answer, code):
    line.says("/sms", answer)
    answered = phone.text("hi")
    assert answered["replies"] == []
    assert [entry["code"] for entry in answered["entries"]] == [code]
    assert answered["entries"][0]["sid"] == answered["message"]["sid"]


def test_a_refused_connection_is_tried_again_once_and_then_only_noted(phone, line, free_port):
    phone.exchange.texting.sms_url = f"http://127.0.0.1:{free_port}/sms"
    assert [entry["code"] for entry in phone.text("hi")["entries"]] == [11205]


def test_a_complaint_about_a_text_is_shown_with_it_after_many_about_others(phone, line):
    for _ in range(600):
        phone.exchange.ledger.note(11200, "The line answered with status 503.", sid="SM0")
    line.says("/sms", xml("<Message/>"))
    assert [entry["code"] for entry in phone.text("hi")["entries"]] == [14103]


def test_a_slow_answer_is_given_up(phone, line):
    release = threading.Event()

    def slow(_asked):
        release.wait(10)
        return "<Response/>"

    line.says("/sms", slow)
    phone.exchange.texting.sms_url += "#rt=100"
    codes = [entry["code"] for entry in phone.text("hi")["entries"]]
    release.set()
    assert codes == [11200]


def test_retries_follow_the_fragment_and_keep_the_token(phone, line):
    line.says(
        "/sms", Response(status=503), Response(status=503), "<Response><Message>at last</Message></Response>"
    )
    phone.exchange.texting.sms_url += "#rc=2&rp=5xx"
    assert [reply["body"] for reply in phone.text("hi")["replies"]] == ["at last"]
    assert len({asked.headers["I-Twilio-Idempotency-Token"] for asked in line.at("/sms")}) == 1
    assert phone.codes() == []


def test_the_fallback_is_asked_with_the_error(phone, line):
    line.says("/sms", Response(status=500))
    line.says("/fallback", "<Response><Message>Please call</Message></Response>")
    phone.exchange.texting.fallback_url = f"{line.url}/fallback"
    assert [reply["body"] for reply in phone.text("hi")["replies"]] == ["Please call"]
    (asked,) = line.at("/fallback")
    assert (asked.form["ErrorCode"], asked.form["ErrorUrl"]) == ("11200", f"{line.url}/sms")


# Opt-outs


@pytest.mark.parametrize(
    "word", ["STOP", "stop", " Stop ", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"]
)
def test_a_stop_word_blocks_the_pair_is_answered_and_still_passed_on(phone, line, word):
    line.says("/sms", "<Response><Message>You are opted out.</Message></Response>")
    answered = phone.text(word)
    assert [(r["by_carrier"], r["body"][:29]) for r in answered["replies"]] == [
        (True, "You have successfully been un")
    ]
    assert line.at("/sms")[0].form["Body"] == word
    assert [entry["code"] for entry in answered["entries"]] == [21610]
    with pytest.raises(TwilioRestException) as caught:
        phone.send("a reminder")
    assert (caught.value.status, caught.value.code) == (400, 21610)
    phone.send("another handset", to="+12025550124")


@pytest.mark.parametrize("word", ["START", "yes", "Unstop"])
def test_a_start_word_opens_the_pair_again(phone, word):
    phone.text("STOP")
    answered = phone.text(word)
    assert [r["by_carrier"] for r in answered["replies"]] == [True]
    assert phone.send("welcome back").status == "queued"


@pytest.mark.parametrize(
    "words", ["STOP PLEASE", "please stop", "stop.", "cancelled", "yesterday", "helpful"]
)
def test_a_keyword_inside_a_sentence_is_none(phone, words):
    assert phone.text(words)["replies"] == []
    assert phone.send("still allowed").status == "queued"


@pytest.mark.parametrize("word", ["HELP", "info"])
def test_help_is_answered_by_the_carrier_unless_opted_out(phone, word):
    assert [r["by_carrier"] for r in phone.text(word)["replies"]] == [True]
    phone.text("STOP")
    assert phone.text(word)["replies"] == []


def test_yes_is_an_ordinary_word_for_who_never_opted_out(phone):
    assert phone.text("YES")["replies"] == []


def test_an_opted_out_handset_fails_later_when_a_service_sends(phone, line):
    phone.text("STOP")
    sent = phone.client.messages.create(
        to=phone.handset,
        messaging_service_sid="MG" + "0" * 32,
        body="x",
        status_callback=f"{line.url}/status",
    )
    assert sent.status == "accepted"
    wait_for(lambda: statuses(line) == ["failed"])
    assert line.at("/status")[0].form["ErrorCode"] == "21610"


# What becomes of a message


def test_a_message_is_sent_and_delivered_and_each_step_is_reported(phone, line):
    sid = phone.send("hello", status_callback=f"{line.url}/status?ref=12#rc=2&rp=all").sid
    wait_for(lambda: sorted(statuses(line)) == ["delivered", "sent"])
    last = next(asked for asked in line.at("/status") if asked.form["MessageStatus"] == "delivered")
    assert last.signed
    assert last.url == f"{line.url}/status?ref=12"
    assert (last.form["MessageSid"], last.form["SmsSid"], last.form["SmsStatus"]) == (sid, sid, "delivered")
    assert re.fullmatch(r"\d{10}", last.form["RawDlrDoneDate"])
    assert "ErrorCode" not in last.form
    assert phone.client.messages(sid).fetch().date_sent is not None
    assert phone.codes() == []


@pytest.mark.parametrize(
    ("delivery", "expected"),
    [
        ({"outcome": "fail", "code": 30003}, ["sent", "undelivered"]),
        ({"outcome": "fail", "code": 30006}, ["sent", "undelivered"]),
        ({"outcome": "fail", "code": 30001}, ["failed"]),
    ],
)
def test_a_handset_can_be_made_to_fail(phone, line, delivery, expected):
    model(phone, **delivery)
    sid = phone.send("x", status_callback=f"{line.url}/status").sid
    wait_for(lambda: sorted(statuses(line)) == expected)
    assert line.at("/status")[-1].form["ErrorCode"] == str(delivery["code"])
    fetched = phone.client.messages(sid).fetch()
    assert (fetched.status, fetched.error_code) == (expected[-1], delivery["code"])


def test_some_carriers_never_say_delivered(phone, line):
    model(phone, outcome="sent")
    silent = phone.send("x", status_callback=f"{line.url}/status").sid
    other = phone.send("y", to="+12025550124").sid
    wait_for(lambda: phone.client.messages(other).fetch().status == "delivered")
    wait_for(lambda: phone.client.messages(silent).fetch().status == "sent")
    assert statuses(line) == ["sent"]


def test_through_a_service_a_sender_is_chosen_before_it_is_queued(phone, line):
    sent = phone.client.messages.create(
        to=phone.handset,
        messaging_service_sid="MG" + "0" * 32,
        body="x",
        status_callback=f"{line.url}/status",
    )
    assert (sent.status, sent.from_, sent.num_segments) == ("accepted", None, "0")
    wait_for(lambda: sorted(statuses(line)) == ["delivered", "queued", "sent"])
    assert sent.fetch().from_ == phone.number
    assert all(asked.form["MessagingServiceSid"] == "MG" + "0" * 32 for asked in line.at("/status"))


def test_a_status_callback_that_fails_is_a_complaint(phone, line):
    line.says("/status", Response(status=500))
    phone.send("x", status_callback=f"{line.url}/status")
    wait_for(lambda: phone.codes() == [11200, 11200])


def test_threads_opt_outs_and_unfinished_messages_survive_a_restart(start, line):
    first = start()
    first.text("hello")
    first.text("STOP", sender="+12025550124")
    model(first, sent_after=600)
    sid = first.send("on its way", status_callback=f"{line.url}/status").sid
    first.stop()
    second = start()
    bodies = [m["body"] for m in second.get(f"/handsets/{second.handset}/messages")["messages"]]
    assert bodies == ["hello", "on its way"]
    with pytest.raises(TwilioRestException):
        second.send("x", to="+12025550124")
    second.stop()
    third = start()
    model(third, sent_after=0)
    third.stop()
    fourth = start()
    wait_for(lambda: fourth.client.messages(sid).fetch().status == "delivered")


def test_asking_again_shows_only_what_changed(phone):
    phone.text("one")
    first = phone.get("/handsets/+12025550123/messages")
    assert [m["body"] for m in first["messages"]] == ["one"]
    phone.text("two")
    second = phone.get("/handsets/+12025550123/messages", since=first["rev"])
    assert [m["body"] for m in second["messages"]] == ["two"]
    assert phone.get("/handsets/+12025550123/messages", since=second["rev"])["messages"] == []
