"""Segments are counted as the carrier bills them."""

import pytest

from nurseline.devphone import segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("a" * 1600, 11),
        ("€" * 80, 1), ("€" * 81, 2), ("á" * 70, 1), ("á" * 71, 2), ("á" * 134, 2), ("á" * 135, 3),
        ("😀" * 35, 1), ("😀" * 36, 2), ("é" * 160, 1), ("line\nbreak", 1),
        # An escaped character is not cut in two at the end of a part, nor is a surrogate pair.
        ("a" * 152 + "€" + "a" * 152, 3), ("á" * 66 + "😀" + "á" * 66, 3),
    ],
)  # fmt: skip
def test_segments_are_counted_like_the_carrier(text, expected):
    assert segments.count(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("it's", True), ("it’s", False), ("[~]", True), ("привет", False)]
)
def test_gsm7_is_told_from_ucs2(text, expected):
    assert segments.is_gsm7(text) is expected
