"""Phone numbers as people and carriers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.phone import PhoneNumber, national, parse, spoken


@pytest.mark.parametrize(
    "raw",
    [
        "+12025550123",
        "12025550123",
        "2025550123",
        "(202) 555-0123",
        "202.555.0123",
        " 202 555 0123 ",
        "+1-202-555-0123",
        "tel:+1-202-555-0123",
        "\uff0b12025550123",
        "202\u00a0555\u00a00123",
        "\u202a+12025550123\u202c",  # copied out of a contact card, with marks of direction
    ],
)
def test_one_number_in_many_spellings_is_one_number(raw: str) -> None:
    assert parse(raw) == PhoneNumber("+12025550123", "US", "person")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ("", "anonymous"),
        ("   ", "anonymous"),
        ("anonymous", "anonymous"),
        ("Anonymous", "anonymous"),
        ("unknown", "anonymous"),
        ("RESTRICTED", "anonymous"),
        ("+266696687", "anonymous"),
        ("24273", "short_code"),
        ("911", "short_code"),
        ("+18005551212", "toll_free"),
        ("+18885550123", "toll_free"),
        ("+19005550123", "toll_free"),
        ("+442071838750", "foreign"),
        ("+16135550123", "foreign"),  # Ottawa
        ("+18765550123", "foreign"),  # Jamaica shares +1
        ("+525512345678", "foreign"),
        ("+1", "invalid"),
        ("+1202555", "invalid"),
        ("+120255501234567", "invalid"),
        ("123-5550", "invalid"),
        ("2025550123 ext 5", "invalid"),
        ("2025550\x00", "short_code"),
        ("call me", "invalid"),
        ("\U0001f642", "invalid"),
        ("AMZN-ALERT", "invalid"),
        ("client:bob", "invalid"),
        ("sip:bob@example.org", "invalid"),
        ("+1202555012\u0663" * 9, "invalid"),
        ("0" * 1600, "invalid"),
        ("'; DROP TABLE contacts; --", "invalid"),
    ],
)
def test_what_a_sender_is(raw: str, kind: str) -> None:
    assert parse(raw).kind == kind


@pytest.mark.parametrize("raw", ["24273", "anonymous", "call me", "", "+1"])
def test_what_cannot_be_dialled_has_no_number(raw: str) -> None:
    number = parse(raw)
    assert (number.e164, number.region, number.can_reply) == ("", "", False)
    assert number.masked == "no number"


def test_only_people_of_the_chosen_regions_get_replies() -> None:
    assert parse("+12025550123").can_reply
    assert not parse("+18005551212").can_reply
    assert not parse("+442071838750").can_reply
    assert not parse("+16132345678").can_reply
    assert parse("+16132345678", regions=frozenset({"US", "CA"})).can_reply
    assert parse("+442071838750", regions=frozenset({"GB"})).can_reply
    assert not parse("+12025550123", regions=frozenset({"GB"})).can_reply


@given(st.one_of(st.text(max_size=60), st.from_regex(r"\+?[0-9 ().x-]{0,20}", fullmatch=True)))
def test_reading_never_fails_and_reading_again_changes_nothing(raw: str) -> None:
    number = parse(raw)
    assert (number.e164 == "") == (number.kind in {"anonymous", "invalid", "short_code"})
    if number.e164:
        assert number.e164.startswith("+")
        assert number.e164[1:].isdigit()
        assert len(number.e164) <= 16
        assert parse(number.e164) == number
        assert number.e164[-4:] in number.masked
        assert number.e164[:-4] not in number.masked
    assert national(number.e164 or raw) is not None


def test_a_number_as_it_is_written_and_said() -> None:
    assert national("+12025550123") == "202-555-0123"
    assert national("+442071838750") == "+44 20 7183 8750"
    assert national("nonsense") == "nonsense"
    assert spoken("+12025550123") == "2 0 2, 5 5 5, 0 1 2 3"


def test_a_masked_number_shows_its_last_four_digits_only() -> None:
    assert parse("+12025550123").masked == "(•••) •••-0123"
