"""The table of Twilio's error codes."""

import collections
from typing import get_args

import pytest

from nurseline.carrier import errors
from nurseline.carrier.errors import meaning_of
from nurseline.outcomes import RefusalClass


def test_no_code_stands_in_the_table_twice() -> None:
    codes = [code for group in errors._BY_CLASS.values() for code in group]
    assert [code for code, times in collections.Counter(codes).items() if times > 1] == []
    assert len(codes) == len(errors._CLASS_OF)


def test_every_kind_of_refusal_but_the_unlisted_has_codes() -> None:
    assert set(errors._BY_CLASS) == set(get_args(RefusalClass)) - {"unlisted"}


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        (21610, "opted_out"),
        (21211, "recipient"),
        (21614, "no_texts"),
        (30006, "no_texts"),
        (20003, "configuration"),
        (21408, "configuration"),
        (30034, "configuration"),
        (21617, "content"),
        (30007, "content"),
        (30003, "later"),
        (20429, "now"),
        (30410, "ambiguous"),
        (0, "unlisted"),
        (-1, "unlisted"),
        (999999, "unlisted"),
    ],
)
def test_what_a_code_means(code: int, meaning: str) -> None:
    assert meaning_of(code) == meaning
