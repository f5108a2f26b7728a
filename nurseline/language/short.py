"""Short replies to a menu: a number, a menu word, yes or no, a time of day (rules/short.toml)."""

from collections.abc import Sequence
from functools import cache
from typing import Any, get_args

from nurseline.language.lexicon import load_toml
from nurseline.language.meaning import Command, Daypart
from nurseline.language.normalise import contract

_LONGEST_COMMAND = 9  # words
_LONGEST_DAYPART = 16
_NOON, _EVENING = 12, 17
_LAST_AFTERNOON_HOUR = 6  # a bare "1" to "6" is an hour of the afternoon


class _Tables:
    """The content of rules/short.toml."""

    def __init__(self) -> None:
        content: dict[str, Any] = load_toml("short")
        self.commands: dict[str, Command] = {
            contract(phrase): command
            for command in get_args(Command)
            for phrase in content["commands"][command]["phrases"]
        }
        self.numbers = {
            word: int(value) for value, words in content["numbers"].items() for word in words.split()
        }
        self.around_a_number = frozenset(content["around_a_number"]["words"].split())
        self.alone_only = frozenset(content["around_a_number"]["alone_only"].split())
        self.dayparts: dict[str, Daypart] = {
            word: part for part in get_args(Daypart) for word in content["dayparts"][part].split()
        }
        self.any_phrases = tuple(content["dayparts"]["any_phrases"])
        self.around_a_daypart = frozenset(content["around_a_daypart"]["words"].split())
        self.polite = frozenset(content["polite"]["words"].split())


@cache
def _tables() -> _Tables:
    return _Tables()


def choice(words: Sequence[str]) -> int | None:
    """The number, when the message is nothing but a number ("1", "1.", "one", "#1", "option 2", "uno")."""
    tables = _tables()
    found: list[int] = []
    for word in words:
        if word.isascii() and word.isdigit() and len(word) <= 2:
            found.append(int(word))
        elif word in tables.numbers and (word not in tables.alone_only or _names_an_option(words)):
            found.append(tables.numbers[word])
        elif word not in tables.around_a_number:
            return None
    if len(found) == 2 and words[-1] in ("one", "uno", "una"):
        return found[0]  # "the second one"
    if not found and words and words[-1] in tables.numbers:
        return tables.numbers[words[-1]]
    return found[0] if len(set(found)) == 1 else None


def _names_an_option(words: Sequence[str]) -> bool:
    """Whether a doubtful number word ("to", "second") is surely a number here: alone, or "the second one"."""
    return len(words) == 1 or "option" in words or (words[0] in ("the", "la", "el") and len(words) <= 3)


def command(words: Sequence[str]) -> Command | None:
    """The menu command, when the message is nothing but that."""
    if not words or len(words) > _LONGEST_COMMAND:
        return None
    tables = _tables()
    whole = " ".join(words)
    if whole in tables.commands:
        return tables.commands[whole]
    return tables.commands.get(" ".join(word for word in words if word not in tables.polite))


def daypart(words: Sequence[str]) -> Daypart | None:
    """The time of day, when the message is nothing but that ("mornings", "after 3pm", "por la tarde")."""
    if not words or len(words) > _LONGEST_DAYPART:
        return None
    tables = _tables()
    whole = " ".join(words)
    if words[0] == "good" or whole.startswith(("buenos dias", "buenas")):
        return None
    found: Daypart | None = None
    for word, following in zip(words, [*words[1:], ""], strict=True):
        part = tables.dayparts.get(word) or _clock(word, following)
        if part is None and word not in tables.around_a_daypart and not _is_clock(word):
            return None
        if part is not None and found in (None, "any"):
            found = part
    if found in (None, "any") and any(phrase in whole for phrase in tables.any_phrases):
        return "any"
    return found


def _is_clock(word: str) -> bool:
    digits = word.rstrip("apm").replace(":", "").replace("h", "")
    return digits.isascii() and digits.isdigit() and len(word) <= len("12:30pm")


def _clock(word: str, following: str) -> Daypart | None:
    """A clock time as a time of day: "9am", "9" with "am" after it, "3pm", "17:00"."""
    digits = word.rstrip("apm").split(":")[0]
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 2 or not _is_clock(word):
        return None
    hour, mark = int(digits), word.lstrip("0123456789:") or following
    if mark == "am":
        return "morning"
    if (mark == "pm" and hour < _NOON) or (mark != "pm" and 1 <= hour <= _LAST_AFTERNOON_HOUR):
        hour += _NOON
    if hour > 23:
        return None
    return "morning" if hour < _NOON else "afternoon" if hour < _EVENING else "evening"
