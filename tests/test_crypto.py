"""Fields at rest: what is encrypted opens with the right keys only, and numbers are found by their hash."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurseline.crypto import BadKeyError, Keyring, UndecryptableError, new_key

ONE, TWO, THREE = new_key(), new_key(), new_key()
NUMBER = "+12025550123"


@given(st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    ring = Keyring([ONE])
    assert ring.decrypt(ring.encrypt(text)) == text


@pytest.mark.parametrize("text", ["", "\x00", "\ud800 alone", "\u202eright to left", "\U0001f642" * 400])
def test_odd_text_comes_back_as_it_was(text: str) -> None:
    ring = Keyring([ONE])
    assert ring.decrypt(ring.encrypt(text)) == text


def test_the_ciphertext_shows_nothing_and_differs_each_time() -> None:
    ring = Keyring([ONE])
    first, second = ring.encrypt(NUMBER), ring.encrypt(NUMBER)
    assert first != second
    assert b"2025550123" not in first
    assert b"2025550123" not in base64.urlsafe_b64decode(first)


def test_a_new_first_key_opens_what_the_old_one_wrote_and_finds_the_same_numbers() -> None:
    old, rotated = Keyring([ONE]), Keyring([TWO, ONE])
    written = old.encrypt(NUMBER)
    assert rotated.decrypt(written) == NUMBER
    assert rotated.number_hash(NUMBER) == old.number_hash(NUMBER)
    with pytest.raises(UndecryptableError):
        old.decrypt(rotated.encrypt(NUMBER))
    assert Keyring([THREE, TWO, ONE]).decrypt(rotated.encrypt(NUMBER)) == NUMBER


def test_without_the_key_a_field_stays_closed_and_the_error_says_nothing_of_it() -> None:
    written = Keyring([ONE]).encrypt(NUMBER)
    with pytest.raises(UndecryptableError) as refused:
        Keyring([TWO]).decrypt(written)
    assert "NURSELINE_KEYS" in str(refused.value)
    assert NUMBER not in str(refused.value)


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_changed_field_does_not_open(place: int) -> None:
    ring = Keyring([ONE])
    written = bytearray(ring.encrypt(NUMBER))
    written[place] ^= 1
    with pytest.raises(UndecryptableError):
        ring.decrypt(bytes(written))


@pytest.mark.parametrize("nothing", [b"", b"plain text", b"\x80" * 100])
def test_what_was_never_encrypted_does_not_open(nothing: bytes) -> None:
    with pytest.raises(UndecryptableError):
        Keyring([ONE]).decrypt(nothing)


def test_the_hash_of_a_number_is_stable_keyed_and_of_fixed_length() -> None:
    ring = Keyring([ONE])
    assert ring.number_hash(NUMBER) == Keyring([ONE]).number_hash(NUMBER)
    assert ring.number_hash(NUMBER) != Keyring([TWO]).number_hash(NUMBER)
    assert ring.number_hash(NUMBER) != ring.number_hash(NUMBER + "0")
    assert len(ring.number_hash(NUMBER)) == len(ring.number_hash("")) == 64
    assert "5550123" not in ring.number_hash(NUMBER)


@pytest.mark.parametrize(
    "keys",
    [[], [""], ["short"], ["not base64 !!" * 4], [ONE, "x"], [ONE[:-4]], [ONE + ONE], ["\u00e9" * 44]],
    ids=["none", "empty", "short", "no base64", "second is bad", "cut", "doubled", "letters"],
)
def test_bad_keys_are_refused_without_being_shown(keys: list[str]) -> None:
    with pytest.raises(BadKeyError) as refused:
        Keyring(keys)
    for key in keys:
        assert not key or key not in str(refused.value)


def test_both_alphabets_of_base64_and_spaces_around_a_key_are_read() -> None:
    raw = b"\xfb\xff" * 16
    usual, web = base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()
    assert usual != web
    assert Keyring([f" {usual} "]).number_hash(NUMBER) == Keyring([web]).number_hash(NUMBER)


def test_a_fresh_key_is_usable_and_no_other_is_like_it() -> None:
    assert len({new_key() for _ in range(20)}) == 20
    Keyring([new_key()])
