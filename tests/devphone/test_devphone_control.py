"""The control interface says what is wrong with a request, and lets only the phone's own page in."""

import pytest
import requests

GOOD = {"from": "+12025550123", "body": "hello"}


def send(phone, path, method="POST", **more):
    return requests.request(method, f"{phone.url}/phone/api{path}", timeout=10, **more)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "not a phone number"),
        ({"from": 7, "body": "x"}, "not a phone number"),
        ({"from": "nobody", "body": "x"}, "not a phone number"),
        ({"from": "+1202555012", "body": "x"}, "not a phone number"),
        ({"from": "anonymous", "body": "x"}, "not a phone number"),
        ({"from": "+12015550123", "body": "x"}, "the line's own number"),
        ({**GOOD, "body": ""}, "empty"),
        ({**GOOD, "body": "   \n"}, "empty"),
        ({**GOOD, "body": None}, "must be text"),
        ({**GOOD, "body": ["x"]}, "must be text"),
        ({**GOOD, "body": "a\0b"}, "NUL"),
        ({**GOOD, "body": "\ud83d"}, "half of a character"),
        ({**GOOD, "body": "x" * 1601}, "1600"),
        ({**GOOD, "media": "x"}, "must be a list"),
        ({**GOOD, "media": [{}] * 11}, "at most 10"),
        ({**GOOD, "media": ["x"]}, "object"),
        ({**GOOD, "media": [{"content_type": "nonsense"}]}, "media type"),
        ({**GOOD, "media": [{"data": "?"}]}, "base64"),
        ({**GOOD, "wait": "yes"}, "true or false"),
        ({**GOOD, "colour": "red"}, "'colour' is not known"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_with_a_sentence(phone, line, body, says):
    answer = send(phone, "/messages", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert says in answer.json()["error"]
    assert line.asked == []
    assert phone.get("/messages")["messages"] == []


@pytest.mark.parametrize(
    "body", ["é" * 1600, "😀" * 1600, "مرحبا", "\u202eabc", "<b>&amp;</b>", "line\nbreak", "'; --"]
)
def test_any_words_a_person_can_type_arrive_as_they_are(phone, line, body):
    assert phone.text(body)["message"]["body"] == body
    assert line.at("/sms")[0].form["Body"] == body
    assert line.at("/sms")[0].signed


@pytest.mark.parametrize("sender", ["+442071838750", "+18005550100", "72345", "(202) 555-0123"])
def test_foreign_toll_free_and_short_numbers_can_text(phone, line, sender):
    phone.text("hello", sender)
    expected = "+12025550123" if sender.startswith("(") else sender
    assert line.at("/sms")[0].form["From"] == expected


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/calls", {}, 400, "not a phone number"),
        ("/calls", {"from": "+12015550123"}, 400, "own number"),
        ("/calls", {"from": "+12025550123", "pace": "fast"}, 400, "hand or real"),
        ("/calls", {"from": "+12025550123", "hidden": 1}, 400, "true or false"),
        ("/calls/CA0/press", {"digits": "1"}, 404, "no such call"),
        ("/calls/CA0/hangup", {}, 404, "no such call"),
        ("/calls/SID/press", {}, 400, "keys"),
        ("/calls/SID/press", {"digits": ""}, 400, "keys"),
        ("/calls/SID/press", {"digits": "12a"}, 400, "keys"),
        ("/calls/SID/press", {"digits": "١"}, 400, "keys"),
        ("/calls/SID/press", {"digits": 1}, 400, "keys"),
        ("/calls/SID/press", {"digits": "1" * 41}, 400, "keys"),
        ("/calls/SID/speak", {"text": ""}, 400, "empty"),
        ("/calls/SID/speak", {"text": "a\0"}, 400, "NUL"),
        ("/calls/SID/speak", {"text": "x" * 1001}, 400, "1000"),
        ("/calls/SID/speak", {"text": "x", "confidence": 1.5}, 400, "0 to 1"),
        ("/calls/SID/speak", {"text": "x", "confidence": True}, 400, "0 to 1"),
        ("/calls/SID/answer", {}, 409, "does not ring"),
        ("/calls/SID/answer", {"by": "dog"}, 400, "human, machine, fax or unknown"),
        ("/calls/SID/dance", {}, 404, "nothing the phone can do"),
    ],
)
def test_a_call_that_cannot_go_on_like_that_is_refused_with_a_sentence(phone, line, path, body, status, says):
    line.says("/voice", "<Response><Gather numDigits='9'/></Response>")
    sid = phone.call()["sid"]
    answer = send(phone, path.replace("SID", sid), json=body)
    assert (answer.status_code, says in answer.json()["error"]) == (status, True), answer.text
    assert phone.get(f"/calls/{sid}")["phase"] == "listening"
    assert len(phone.get("/calls")["calls"]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/handsets/nobody", {}),
        ("/handsets/+12025550123", {"delivery": "never"}),
        ("/handsets/+12025550123", {"delivery": {"outcome": "maybe"}}),
        ("/handsets/+12025550123", {"delivery": {"code": 1}}),
        ("/handsets/+12025550123", {"delivery": {"sent_after": -1}}),
        ("/handsets/+12025550123", {"delivery": {"speed": 1}}),
        ("/handsets/+12025550123", {"call": {"answer": "perhaps"}}),
        ("/handsets/+12025550123", {"call": {"after": "soon"}}),
        ("/handsets/+12025550123", {"pace": 3}),
        ("/carrier", {"delivery": {"done_after": 1e9}}),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(phone, path, body):
    answer = send(phone, path, "PUT", json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/plain", b'{"from": "+12025550123", "body": "x"}'),
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b'"x"'),
        ("application/x-www-form-urlencoded", b"from=1"),
    ],
)
def test_only_a_json_object_is_read(phone, line, kind, data):
    answer = send(phone, "/messages", data=data, headers={"Content-Type": kind})
    assert (answer.status_code, set(answer.json())) == (400, {"error"})
    assert line.asked == []


@pytest.mark.parametrize("since", ["x", "-1", "1.5", "9" * 30, "١"])
def test_a_counter_that_is_none_is_refused(phone, since):
    assert send(phone, f"/messages?since={since}", "GET").status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "phone.example.org"},
        {"Host": "127.0.0.1.example.org"},
        {"Origin": "http://evil.example.org"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_other_sites_in_the_browser_are_kept_out(phone, line, headers):
    for method, path in (("POST", "/messages"), ("GET", "/messages"), ("DELETE", "/debugger")):
        answer = send(phone, path, method, json=GOOD, headers=headers)
        assert answer.status_code == 403
    assert line.asked == []


def test_the_debugger_can_be_emptied(phone, line):
    line.says("/sms", "no xml")
    phone.text("hi")
    assert phone.codes() == [12100]
    send(phone, "/debugger", "DELETE")
    assert phone.codes() == []


def test_the_page_allows_nothing_from_outside_and_nothing_inline(phone):
    page = requests.get(phone.url, timeout=10)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<style" not in page.text
    assert "style=" not in page.text
    assert "onclick" not in page.text
    assert "http" not in page.text.replace(phone.exchange.settings.line_url, "")
    for asset in ("phone.css", "phone.js", "call.js", "thread.js", "api.js", "speech.js", "icon.svg"):
        assert requests.get(f"{phone.url}/static/{asset}", timeout=10).ok
