"""How hard a text is to read, by the published formulas.

English: Flesch-Kincaid grade (Kincaid 1975), the American school grade that can read it. Spanish:
Fernandez Huerta (1959), 0 to 100, from 80 on easy. Both score a whole topic: single messages are too
short to score by themselves. Syllables are counted by rule.
"""

import re

_SENTENCE_END = re.compile(r"[.!?:]+(?=\s|$)|\n")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|\d+")
_SLOT = re.compile(r"\{[a-z_]+\}")
_VOWELS = re.compile(r"[aeiouy]+")
# Pairs of vowels that are two syllables: relia-ble, me-dia, are-a, usu-al; but so-cial, na-tion, peo-ple.
_TWO = re.compile(r"(?<![ct])ia|iu|(?<![cstx])io|(?<!p)eo|ua(?!r)|[aeiouy]ing$|ea(?=s?$)")
# An "e" that is not heard: at the end, in -es and -ed except after the sounds that need it, before -ness.
_SILENT = re.compile(r"[^aeiouyl]e$|[^aeiouylcgshxz]es$|[^dtaeiouy]ed$|[aeiouy]les?$")
_SILENT_INSIDE = re.compile(r"(?<=[^aeiou])e(?=(?:ness|ment|ful|less|ly|thing|one|where)s?$)")
_STRONG = "aeoáéó"
_WEAK = "iuüy"


def sentences(text: str) -> list[str]:
    """The sentences; a line of a list counts as one."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def words(text: str) -> list[str]:
    """The words and numbers; a slot counts as one short word."""
    return _WORD.findall(_SLOT.sub("name", text))


def english_syllables(word: str) -> int:
    """Syllables of an English word, by rule; a number counts one per digit group."""
    plain = word.lower().replace("’", "'").split("'")[0]
    if not plain.isalpha():
        return 1
    plain = _SILENT_INSIDE.sub("", plain)
    count = len(_VOWELS.findall(plain)) + len(_TWO.findall(plain))
    if count > 1 and _SILENT.search(plain):
        count -= 1
    return max(count, 1)


def spanish_syllables(word: str) -> int:
    """Syllables of a Spanish word: vowel groups, where two strong or a stressed weak vowel part."""
    plain = re.sub(r"qu|gu(?=[eéií])", "q", word.lower())
    plain = re.sub(r"y(?=[aeiouáéíóúü])", "j", plain)
    count, before = 0, ""
    for char in plain:
        if char in _STRONG or char in "íú":
            count += 0 if before and before in _WEAK else 1
            if char in "íú" and before in _WEAK:
                count += 1
        elif char in _WEAK:
            count += 0 if before and before in _STRONG + _WEAK else 1
        before = char
    return max(count, 1)


def flesch_kincaid_grade(text: str) -> float:
    """School grade of an English text; 0 for one without words."""
    found, parts = words(text), sentences(text)
    if not found or not parts:
        return 0.0
    syllables = sum(map(english_syllables, found))
    return 0.39 * len(found) / len(parts) + 11.8 * syllables / len(found) - 15.59


def fernandez_huerta(text: str) -> float:
    """Ease of a Spanish text, 100 is easiest; 100 for one without words."""
    found, parts = words(text), sentences(text)
    if not found or not parts:
        return 100.0
    syllables = sum(map(spanish_syllables, found))
    return 206.84 - 60.0 * syllables / len(found) - 1.02 * len(found) / len(parts)
