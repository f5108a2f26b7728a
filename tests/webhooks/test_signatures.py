"""Only the carrier can call the webhooks."""

from __future__ import annotations

import pytest

from tests.webhooks.support import OLD_TOKEN, Carrier, new_sid

WEBHOOKS = ["/sms", "/voice", "/voice/step/1", "/voice/status", "/status"]


@pytest.mark.parametrize("path", WEBHOOKS)
@pytest.mark.parametrize("signature", ["", "nonsense", "L/OH5YylLD5NRKLltdqwSvS0BnU="])
def test_a_request_without_a_valid_signature_is_refused(carrier: Carrier, path: str, signature: str) -> None:
    answer = carrier.post(path, {"MessageSid": new_sid("SM"), "CallSid": new_sid("CA")}, signature=signature)
    assert answer.status_code == 403


def test_a_signature_of_another_address_is_refused(carrier: Carrier) -> None:
    from twilio.request_validator import RequestValidator

    form = {"MessageSid": new_sid("SM"), "From": "+12025550123", "Body": "hi"}
    other = RequestValidator(carrier.token).compute_signature("https://elsewhere.example.org/sms", form)
    assert carrier.post("/sms", form, signature=other).status_code == 403


def test_the_host_header_does_not_matter_only_the_configured_address(carrier: Carrier) -> None:
    form = {"MessageSid": new_sid("SM"), "From": "+12025550123", "Body": "hi", "To": "+15005550006"}
    from twilio.request_validator import RequestValidator

    signed = RequestValidator(carrier.token).compute_signature("https://line.example.org/sms", form)
    answer = carrier.client.post(
        "/sms",
        data=form,
        headers={
            "X-Twilio-Signature": signed,
            "Host": "internal:8000",
            "X-Forwarded-Host": "evil.example.org",
        },
    )
    assert answer.status_code == 200


def test_the_token_before_a_rotation_is_still_accepted(carrier: Carrier) -> None:
    carrier.token = OLD_TOKEN
    assert carrier.text("hi")


def test_empty_and_unknown_fields_are_signed_over_and_accepted(carrier: Carrier) -> None:
    assert carrier.text("menu", FromCity="", ToZip="", SomethingNew="42")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/sms", {"From": "+12025550123", "Body": "no sid"}),
        ("/sms", {"MessageSid": "SM123", "Body": "short sid"}),
        ("/sms", {"MessageSid": "x" * 5000, "Body": "long sid"}),
        ("/voice", {"From": "+12025550123"}),
        ("/voice/step/3", {"CallSid": "CA\x00" + "0" * 31}),
        ("/voice/status", {"CallSid": "CA" + "0" * 32, "CallStatus": "<b>"}),
        ("/status", {"MessageSid": "SM" + "0" * 32}),
        ("/status", {"MessageStatus": "sent"}),
        ("/status?ref=not-an-id", {"MessageSid": "SM" + "0" * 32, "MessageStatus": "sent"}),
    ],
)
def test_a_form_that_cannot_be_told_apart_is_refused_without_a_trace(
    carrier: Carrier, path: str, form: dict[str, str]
) -> None:
    answer = carrier.post(path, form)
    assert answer.status_code == 400
    assert b"Traceback" not in answer.data


def test_a_body_above_the_limit_is_refused(carrier: Carrier) -> None:
    form = {"MessageSid": new_sid("SM"), "From": "+12025550123", "Body": "x" * 100_000}
    answer = carrier.client.post("/sms", data=form, headers={"X-Twilio-Signature": "whatever"})
    assert answer.status_code in {403, 413}


def test_a_get_is_not_a_webhook(carrier: Carrier) -> None:
    assert carrier.client.get("/sms").status_code == 405
