"""Spanish word forms: what a written word may stand for, so that a rule needs one form only.

`forms` gives other forms of the same word (diminutives, gerunds, participles, imperfects, attached pronouns);
`sound` gives a spelling key that is the same for words that sound the same (h dropped, b/v, s/z/c, k/qu/c,
ll/y/i, ch/x), for texts written by ear.
"""

import re
from functools import lru_cache

_STEM = 3  # letters a stem must keep
_SMALL = re.compile(r"(?:ecit|cit|it|isim)([oa]s?)$")
_CLITIC = re.compile(r"(?<=[rdo])(?:me|te|se|le|nos|les)?(?:me|te|se|le|lo|la|los|las|nos|les)$")
_VERB = (
    ("ando", "a"), ("aba", "a"), ("aban", "a"), ("ado", "a"),
    ("iendo", "e"), ("ia", "e"), ("ian", "e"), ("ido", "e"),
)  # fmt: skip
_ENDINGS = {"a": ("ar", "a", "o", "an"), "e": ("er", "ir", "e", "o", "en")}
_SOUNDS = (
    (re.compile("ch"), "x"),
    (re.compile("sh"), "x"),
    (re.compile("h"), ""),
    (re.compile("v"), "b"),
    (re.compile("gu(?=[ei])"), "g"),
    (re.compile("g(?=[ei])"), "j"),
    (re.compile("c(?=[ei])|z"), "s"),
    (re.compile("qu|q|c"), "k"),
    (re.compile("ll|y"), "i"),
    (re.compile(r"(.)\1+"), r"\1"),
)


@lru_cache(maxsize=20000)
def forms(word: str) -> tuple[str, ...]:
    """Other forms of a word, if it is built like Spanish; some of them may be no words at all."""
    found: list[str] = []
    bare = _CLITIC.sub("", word)
    if bare != word and len(bare) > _STEM + 1 and bare.endswith(("r", "ndo")):
        found.append(bare)
        found += _verb_forms(bare)
    found += _verb_forms(word)
    if match := _SMALL.search(word):
        found += _grown(word[: match.start()], match[1])
    return tuple(dict.fromkeys(form for form in found if form != word))


def _verb_forms(word: str) -> list[str]:
    for ending, kind in _VERB:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _STEM:
            return [stem + other for other in _ENDINGS[kind]]
    return []


def _grown(stem: str, ending: str) -> list[str]:
    """The word a diminutive was made of: "calientita" of "caliente", "boquita" of "boca"."""
    if len(stem) < _STEM:
        return []
    stems = [stem]
    if stem.endswith("qu"):
        stems.append(stem[:-2] + "c")
    if stem.endswith("gu"):
        stems.append(stem[:-1])
    if stem.endswith("c"):
        stems.append(stem[:-1] + "z")
    plural = "s" if ending.endswith("s") else ""
    return [one + last + plural for one in stems for last in (ending[0], "e", "o", "a")] + stems


@lru_cache(maxsize=20000)
def sound(word: str) -> str:
    """How a word sounds, as a key."""
    for pattern, key in _SOUNDS:
        word = pattern.sub(key, word)
    return word
