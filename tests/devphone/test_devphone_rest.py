"""The REST interface, asked by the real SDK and by hand."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest import Client

from tests.support.waiting import wait_for

# The key sets of the examples in Twilio's OpenAPI file (messages and calls).
MESSAGE_KEYS = {
    "account_sid", "api_version", "body", "date_created", "date_sent", "date_updated", "direction",
    "error_code", "error_message", "from", "messaging_service_sid", "num_media", "num_segments",
    "price", "price_unit", "sid", "status", "subresource_uris", "to", "uri",
}  # fmt: skip
CALL_KEYS = {
    "account_sid", "answered_by", "api_version", "caller_name", "date_created", "date_updated",
    "direction", "duration", "end_time", "forwarded_from", "from", "from_formatted", "group_sid",
    "parent_call_sid", "phone_number_sid", "price", "price_unit", "queue_time", "sid", "start_time",
    "status", "subresource_uris", "to", "to_formatted", "trunk_sid", "uri",
}  # fmt: skip
CALL_SUBRESOURCES = {
    "events", "notifications", "payments", "recordings", "siprec", "streams", "transcriptions",
    "user_defined_message_subscriptions", "user_defined_messages",
}  # fmt: skip
PAGE_KEYS = {
    "end",
    "first_page_uri",
    "next_page_uri",
    "page",
    "page_size",
    "previous_page_uri",
    "start",
    "uri",
}
MEDIA_KEYS = {"account_sid", "content_type", "date_created", "date_updated", "parent_sid", "sid", "uri"}
SERVICE = "MG" + "0" * 32
RFC_2822 = r"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} \+0000"


def root(phone) -> str:
    return f"{phone.url}/2010-04-01/Accounts/{phone.exchange.settings.account_sid}"


def auth(phone) -> tuple[str, str]:
    return phone.exchange.settings.account_sid, phone.exchange.settings.auth_token


def test_a_message_is_created_queued_and_can_be_fetched(phone):
    created = phone.send("hello")
    assert (created.status, created.direction, created.num_segments, created.error_code) == (
        "queued",
        "outbound-api",
        "1",
        None,
    )
    assert re.fullmatch("SM[0-9a-f]{32}", created.sid)
    assert phone.client.messages(created.sid).fetch().body == "hello"


def test_responses_have_exactly_the_keys_of_the_documented_examples(phone):
    form = {"To": phone.handset, "From": phone.number, "Body": "hello"}
    created = requests.post(f"{root(phone)}/Messages.json", form, auth=auth(phone), timeout=10)
    assert created.status_code == 201
    assert set(created.json()) == MESSAGE_KEYS
    assert set(created.json()["subresource_uris"]) == {"media"}
    assert re.fullmatch(RFC_2822, created.json()["date_created"])
    fetched = requests.get(phone.url + created.json()["uri"], auth=auth(phone), timeout=10).json()
    assert set(fetched) == MESSAGE_KEYS
    assert set(fetched["subresource_uris"]) == {"media", "feedback"}
    listed = requests.get(f"{root(phone)}/Messages.json", auth=auth(phone), timeout=10).json()
    assert set(listed) == PAGE_KEYS | {"messages"}
    assert set(listed["messages"][0]) == MESSAGE_KEYS
    assert created.headers["Twilio-Request-Id"].startswith("RQ")


def test_calls_have_exactly_the_keys_of_the_documented_examples(phone):
    form = {"To": phone.handset, "From": phone.number, "Twiml": "<Response/>"}
    created = requests.post(f"{root(phone)}/Calls.json", form, auth=auth(phone), timeout=10)
    assert created.status_code == 201
    assert set(created.json()) == CALL_KEYS
    assert set(created.json()["subresource_uris"]) == CALL_SUBRESOURCES
    listed = requests.get(f"{root(phone)}/Calls.json", auth=auth(phone), timeout=10).json()
    assert set(listed) == PAGE_KEYS | {"calls"}
    assert set(listed["calls"][0]) == CALL_KEYS


def test_media_of_a_text_are_listed_and_need_the_account(phone):
    sid = phone.text("see", media=[{"content_type": "image/png"}])["message"]["sid"]
    listed = requests.get(f"{root(phone)}/Messages/{sid}/Media.json", auth=auth(phone), timeout=10).json()
    assert set(listed) == PAGE_KEYS | {"media_list"}
    assert set(listed["media_list"][0]) == MEDIA_KEYS
    file = phone.url + listed["media_list"][0]["uri"].removesuffix(".json")
    assert requests.get(file, timeout=10).status_code == 401
    assert requests.get(file, auth=auth(phone), timeout=10).content.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "not a number"}, 21211),
        ({"To": "+1202555"}, 21211),
        ({"To": "12345"}, 21211),
        ({"To": "+11025550123"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550002"}, 21612),
        ({"To": "+15005550003"}, 21408),
        ({"To": "+15005550004"}, 21610),
        ({"To": "+15005550009"}, 21614),
        ({"From": ""}, 21603),
        ({"From": "nobody at all"}, 21212),
        ({"From": "+12015550199"}, 21606),
        ({"From": "+15005550001"}, 21212),
        ({"From": "+15005550007"}, 21606),
        ({"From": "+15005550008"}, 21611),
        ({"To": "+12015550123"}, 21266),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"MediaUrl": "file:///etc/passwd"}, 21620),
        ({"StatusCallback": "/relative"}, 21609),
        ({"StatusCallback": "http://under_score.example.org/"}, 21609),
        ({"MessagingServiceSid": "MG1"}, 21701),
        ({"ScheduleType": "fixed", "SendAt": "2030-01-01T00:00:00Z"}, 35118),
        ({"MessagingServiceSid": SERVICE, "ScheduleType": "fixed"}, 35111),
        ({"MessagingServiceSid": SERVICE, "ScheduleType": "fixed", "SendAt": "soon"}, 35114),
        ({"MessagingServiceSid": SERVICE, "ScheduleType": "fixed", "SendAt": "2020-01-01T00:00:00Z"}, 35114),
    ],
)
def test_what_is_wrong_with_a_message_has_twilios_code(phone, changed, code):
    form = {"To": phone.handset, "From": phone.number, "Body": "hello", **changed}
    answer = requests.post(f"{root(phone)}/Messages.json", form, auth=auth(phone), timeout=10)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "more_info", "status"}
    assert answer.json()["code"] == code
    assert answer.json()["more_info"] == f"https://www.twilio.com/docs/errors/{code}"
    assert phone.get("/messages")["messages"] == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"To": ""}, 21201),
        ({"To": "nobody"}, 21211),
        ({"To": "+15005550004"}, 21216),
        ({"From": ""}, 21213),
        ({"From": "+12015550199"}, 21210),
        ({"Url": ""}, 21205),
        ({"Url": "not an address"}, 21205),
        ({"Timeout": "0"}, 21208),
        ({"Timeout": "601"}, 21208),
        ({"StatusCallback": "nowhere"}, 21609),
        ({"MachineDetection": "Maybe"}, 20001),
        ({"Twiml": "x" * 4001}, 20001),
    ],
)
def test_what_is_wrong_with_a_call_has_twilios_code(phone, line, changed, code):
    form = {"To": phone.handset, "From": phone.number, "Url": f"{line.url}/voice", **changed}
    answer = requests.post(f"{root(phone)}/Calls.json", form, auth=auth(phone), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert phone.get("/calls")["calls"] == []


def test_a_wrong_password_is_401_and_20003(phone):
    client = Client(phone.exchange.settings.account_sid, "wrong")
    client.api.base_url = phone.url
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to=phone.handset, from_=phone.number, body="x")
    assert (caught.value.status, caught.value.code) == (401, 20003)


@pytest.mark.parametrize(
    "path", ["/Messages/SM0.json", "/Calls/CA0.json", "/Recordings/RE0.json", "/messages.json"]
)
def test_what_does_not_exist_is_404_and_20404(phone, path):
    answer = requests.get(root(phone) + path, auth=auth(phone), timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_another_account_is_not_found(phone):
    other = f"{phone.url}/2010-04-01/Accounts/AC{'f' * 32}/Messages.json"
    assert requests.get(other, auth=auth(phone), timeout=10).json()["code"] == 20404


def test_lists_are_newest_first_filtered_and_paged(phone):
    sids = [phone.send(f"number {n}").sid for n in range(5)]
    other = phone.send("other", to="+12025550124").sid
    assert [m.sid for m in phone.client.messages.list(page_size=2)] == [other, *reversed(sids)]
    assert [m.sid for m in phone.client.messages.list(to="+12025550124")] == [other]
    assert [m.sid for m in phone.client.messages.list(limit=1)] == [other]
    assert phone.client.messages.list(from_="+12025550124") == []
    with pytest.raises(TwilioException):
        phone.client.messages.list(page_size=1001)


def test_the_date_filter_leaves_out_what_is_not_sent_yet(phone):
    requests.put(f"{phone.url}/phone/api/carrier", json={"delivery": {"sent_after": 600}}, timeout=10)
    phone.send("still queued")
    phone.text("an inbound text has a date at once")
    hour = timedelta(hours=1)
    now = datetime.now(UTC)
    found = phone.client.messages.list(date_sent_after=now - hour)
    assert [message.direction for message in found] == ["inbound"]
    assert phone.client.messages.list(date_sent_before=now - hour) == []
    assert len(phone.client.messages.list(date_sent=now.date().isoformat())) == 1


def test_a_body_can_be_redacted_and_a_message_deleted(phone):
    sid = phone.send("private").sid
    wait_for(lambda: phone.client.messages(sid).fetch().status == "delivered")
    assert phone.client.messages(sid).update(body="").body == ""
    assert phone.client.messages(sid).delete()
    with pytest.raises(TwilioRestException) as caught:
        phone.client.messages(sid).fetch()
    assert caught.value.status == 404


def test_a_scheduled_message_can_be_cancelled_once(phone):
    message = phone.client.messages.create(
        to=phone.handset,
        messaging_service_sid=SERVICE,
        body="later",
        schedule_type="fixed",
        send_at=datetime.now(UTC) + timedelta(hours=1),
    )
    assert (message.status, message.num_segments, message.from_) == ("scheduled", "0", None)
    assert message.update(status="canceled").status == "canceled"
    with pytest.raises(TwilioRestException):
        message.update(status="canceled")


def test_a_repeated_create_makes_two_messages(phone):
    assert phone.send("same").sid != phone.send("same").sid
    assert len(phone.get("/messages")["messages"]) == 2
