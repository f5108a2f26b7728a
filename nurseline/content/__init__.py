"""The clinic's words: one file per language, their loader, and what is checked about them."""

from nurseline.content.entries import (
    CLINIC_PARAMS,
    LONGEST,
    Calendar,
    Channel,
    Content,
    ContentError,
    Entry,
    Language,
    Rendered,
)
from nurseline.content.load import load_content, parse_content
from nurseline.content.moments import hours_words, longest_promise, promise_words
from nurseline.content.segments import TWO_PARTS, gsm7_length, is_gsm7, segments

__all__ = [
    "CLINIC_PARAMS",
    "LONGEST",
    "TWO_PARTS",
    "Calendar",
    "Channel",
    "Content",
    "ContentError",
    "Entry",
    "Language",
    "Rendered",
    "gsm7_length",
    "hours_words",
    "is_gsm7",
    "load_content",
    "longest_promise",
    "parse_content",
    "promise_words",
    "segments",
]
