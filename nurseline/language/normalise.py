"""From raw text to plain words, the same for every reader in this room.

`read` turns any Unicode text into `Word`s: lower case, no accents, no apostrophes, texting spellings
spelled out, each with its place in the message and the span of the original text it came from.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

LONGEST = 5000  # characters looked at; of a longer text the beginning and the end
_HEAD = 4000

# Rules ask how near two words are. A sentence end counts as that many words in between.
SENTENCE_GAP = 3

_APOSTROPHES = frozenset("'\u2019\u2018\u02bc\u00b4`\u2032\u201b\u0301")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\u20e3]")
_TOKEN = re.compile(r"[a-z0-9]+(?:[.:/][0-9]+)*|\n|[^\w\s]|\w", re.ASCII)
_REPEATS = re.compile(r"([a-z])\1{2,}")
_LEET_WORD = re.compile(r"(?=(?:[0-9]*[a-z]){2})[a-z01345]*[a-z][01345][a-z][a-z01345]*")
_LEET = str.maketrans("01345", "oieas")
_SENTENCE_END = frozenset(".!?;\n\u2026()\u00bf\u00a1")
_COMMA = frozenset(",:\u2014\u2013-\u3001\uff0c")


@dataclass(frozen=True, slots=True)
class Word:
    """One word: plain form, place (a sentence end leaves a gap), original span, what stands before it."""

    plain: str
    place: int
    start: int
    end: int
    sentence: int
    after_comma: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A text that was read: the words in order, other signs (emoji), and whether it has a question mark."""

    text: str
    words: tuple[Word, ...]
    signs: tuple[str, ...]
    asks: bool

    def said(self, first: int, last: int) -> str:
        """The patient's own words from word `first` to word `last`, both included."""
        if not self.words:
            return " ".join(self.text.split())[:160]
        return " ".join(self.text[self.words[first].start : self.words[last].end].split())[:160]


@lru_cache(maxsize=4096)
def _plain_mark(mark: str) -> str:
    if mark in _APOSTROPHES or _INVISIBLE.match(mark):
        return ""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", mark).casefold())
    return "".join(m for m in folded if not unicodedata.combining(m) and m not in _APOSTROPHES)


def plain_letters(text: str) -> tuple[str, list[int]]:
    """Lower case without accents and apostrophes; beside each letter the index it came from."""
    pieces: list[str] = []
    origin: list[int] = []
    for index, mark in enumerate(text):
        piece = _plain_mark(mark)
        pieces.append(piece)
        origin.extend([index] * len(piece))
    return "".join(pieces), origin


def shorten(text: str) -> str:
    """At most LONGEST characters: the beginning and the end, where people put what matters."""
    if len(text) <= LONGEST:
        return text
    return text[:_HEAD] + "\n" + text[-(LONGEST - _HEAD - 1) :]


def _plain_token(token: str) -> str:
    token = _REPEATS.sub(r"\1", token)[:40]
    if _LEET_WORD.fullmatch(token):
        return token.translate(_LEET)
    return token


def _spelled(tokens: list[re.Match[str]], index: int) -> int:
    """How many tokens from here spell one word letter by letter ("s t o p", "s.t.o.p"); 0 if fewer than 3."""
    count, letters = 0, 0
    while index + count < len(tokens):
        text = tokens[index + count].group()
        if len(text) == 1 and "a" <= text <= "z":
            letters += 1
        elif text not in ".-" or not letters:
            break
        count += 1
        if letters > 15:
            break
    return count if letters >= 4 else 0


def read(text: str, shorthand: Mapping[str, str]) -> Reading:
    """Read a text. `shorthand` maps a texting spelling to the words it stands for."""
    text = shorten(text)
    plain, origin = plain_letters(text)
    tokens = list(_TOKEN.finditer(plain))
    words: list[Word] = []
    signs: list[str] = []
    place, sentence, comma, index = 0, 0, False, 0
    while index < len(tokens):
        token = tokens[index].group()
        first = tokens[index]
        run = _spelled(tokens, index) if len(token) == 1 else 0
        if run:
            last = tokens[index + run - 1]
            token = "".join(m.group() for m in tokens[index : index + run] if m.group().isalpha())
            index += run
        else:
            last = first
            index += 1
        if not token[0].isascii() or not token[0].isalnum():
            comma = comma or token in _COMMA
            if token in _SENTENCE_END:
                place += SENTENCE_GAP if words and words[-1].sentence == sentence else 0
                sentence += bool(words) and words[-1].sentence == sentence
            elif token not in _COMMA:
                signs.append(token)
            continue
        start, end = origin[first.start()], origin[last.end() - 1] + 1
        for part in shorthand.get(_plain_token(token), _plain_token(token)).split():
            words.append(Word(part, place, start, end, sentence, comma))
            place += 1
            comma = False
    return Reading(text, _mended(words), tuple(signs), "?" in plain or "\u00bf" in text)


_SPLIT_CONTRACTIONS = frozenset(
    (
        "can",
        "don",
        "won",
        "didn",
        "doesn",
        "isn",
        "couldn",
        "wasn",
        "haven",
        "aren",
        "hasn",
        "shouldn",
        "wouldn",
        "ain",
    )
)


# "will not" is read as "wont", so that rules need one form only.
_CONTRACTED = {
    "can": "cant", "will": "wont", "do": "dont", "does": "doesnt", "did": "didnt", "is": "isnt",
    "are": "arent", "was": "wasnt", "were": "werent", "have": "havent", "has": "hasnt", "had": "hadnt",
    "would": "wouldnt", "could": "couldnt", "should": "shouldnt",
}  # fmt: skip


def contract(phrase: str) -> str:
    """A phrase of a rule file in the form texts are read in: "do not call" is "dont call"."""
    words: list[str] = []
    for word in phrase.split():
        if word == "not" and words and words[-1] in _CONTRACTED:
            words[-1] = _CONTRACTED[words[-1]]
        else:
            words.append(word)
    return " ".join(words)


def _mended(words: list[Word]) -> tuple[Word, ...]:
    """Join what dictation and typing took apart: "can t" and "can not" are "cant"."""
    mended: list[Word] = []
    for word in words:
        before = mended[-1] if mended else None
        joined = None
        if before is not None and before.place == word.place - 1 and not word.after_comma:
            if word.plain == "t" and before.plain in _SPLIT_CONTRACTIONS:
                joined = before.plain + "t"
            elif word.plain == "not":
                joined = _CONTRACTED.get(before.plain)
            elif word.plain == "m" and before.plain == "i":
                joined = "im"
            elif word.plain == "self" and before.plain in ("my", "him", "her", "it", "your"):
                joined = before.plain + "self"
        if joined and before is not None:
            mended[-1] = Word(
                joined, before.place, before.start, word.end, before.sentence, before.after_comma
            )
        else:
            mended.append(word)
    return tuple(mended)
