"""Which language a text is written in, from its little words (rules/tongue.toml)."""

from collections.abc import Sequence
from functools import cache

from nurseline.language.lexicon import load_toml
from nurseline.language.meaning import Language

_SPANISH_MARKS = "ñÑ¿¡"


@cache
def _words() -> tuple[frozenset[str], frozenset[str]]:
    content = load_toml("tongue")
    return frozenset(content["spanish"].split()), frozenset(content["english"].split())


def tongue(words: Sequence[str], text: str, language: str) -> Language:
    """The language of a text; when its words do not tell, the language the contact uses."""
    spanish_words, english_words = _words()
    spanish = sum(word in spanish_words for word in words) + any(mark in text for mark in _SPANISH_MARKS)
    english = sum(word in english_words for word in words)
    if spanish != english:
        return "es" if spanish > english else "en"
    return "es" if language == "es" else "en"
