"""The net under the rules: two small trained models that weigh a whole text, by its words and by its sense.

It raises what no rule knows, and lowers two things only: a bare mention ("my heart", "breathe") in a text
that it finds plainly ordinary goes to review; and the signs in a text go to a nurse the same day when each
of the two models by itself finds it no emergency at all, no clause of it looks like one, and nothing says
that it is now or meant in earnest. Words of crisis and low oxygen are never lowered here, nor a text longer
than the models read.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from nurseline.language.emergency import NEVER_DOUBTED, Alarm
from nurseline.language.encoder import plain
from nurseline.language.features import MOST_WORDS, tier_features
from nurseline.language.lexicon import FUNCTION_WORDS
from nurseline.language.meaning import Evidence, Tier
from nurseline.language.model import TIER_MODEL_FILE, LinearModel, load_model
from nurseline.language.normalise import Word
from nurseline.language.reader import Look, Reader
from nurseline.language.sense import load_sense
from nurseline.language.topics import reasons_said

# Probabilities, chosen on texts that were not trained on: ordinary texts must hardly ever reach them.
SURE_EMERGENCY = {"en": 0.6, "es": 0.5}  # an emergency that no rule raised
STILL_AN_EMERGENCY = {"urgent": 0.85, "review": 0.7, "none": 0.7}  # where context lowered one to that
SURE_ALARM = 0.45  # an alarm that no rule raised
CERTAIN_EMERGENCY = 0.7  # one that an opt-out does not hide
DENIED = 0.2  # under which each model, by itself, denies an emergency of the rules
NO_CLAUSE = 0.6  # of the most alarming clause of a story, by its words, for it to be doubted
_STORY = 6  # words
SURE_WITHOUT_A_WORD = 0.8  # an urgent text without one word of the red-flag groups
# By its words, where no rule saw anything: the costly look at its sense is left out. Of 1,540 emergencies
# that were not trained on none was over it, of ordinary texts six in ten.
PLAINLY_NOTHING = 0.99
PLAIN = 0.12  # under this a bare mention is for review
# Groups that say how much, not what.
_DEGREES = frozenset(
    "lots bad_breathing bad_long severe growing too_many worst wont_stop still_numb spreading short_of want "
    "odd intend count_high racing".split()
)
_NOW = frozenset("now rn currently ahora ahorita orita".split())
_WANTED = frozenset(
    "need help send call emergency necesito ocupo ayuda manden llamen llame emergencia".split()
)
_JOINTS = frozenset("but and so because pero y porque que".split())


@cache
def _model() -> LinearModel:
    return load_model(TIER_MODEL_FILE)


@dataclass(frozen=True, slots=True)
class Chances:
    """How likely each tier is: by the words of a text, by its sense, and the mean of both, as odds."""

    by_words: Mapping[str, float]
    by_sense: Mapping[str, float]

    @property
    def mean(self) -> dict[str, float]:
        both = {label: math.sqrt(chance * self.by_sense[label]) for label, chance in self.by_words.items()}
        whole = sum(both.values())
        return {label: chance / whole for label, chance in both.items()}

    @property
    def deny(self) -> bool:
        """Whether both models say that it is no emergency."""
        return max(self.by_words["emergency"], self.by_sense["emergency"]) < DENIED


def load() -> None:
    """Load the models now: a broken file stops the start, not the first text."""
    load_sense().guesses(["hello"])
    _model()


def _by_words(using: Reader, look: Look) -> dict[str, float]:
    return {guess.label: guess.probability for guess in _model().guesses(_features(using, look))}


def _by_sense(look: Look) -> Mapping[str, float]:
    return load_sense().guesses([plain(look.reading.words)])[0]


def weigh(using: Reader, look: Look, alarm: Alarm) -> Alarm:
    """The alarm of the rules, with what the models add."""
    if not any(word.plain.isalpha() and word.plain not in FUNCTION_WORDS for word in look.reading.words):
        return alarm
    by_words = _by_words(using, look)
    if alarm.tier == "none" and not alarm.lowered and by_words["none"] > PLAINLY_NOTHING:
        return alarm
    chances = Chances(by_words, _by_sense(look))
    mean = chances.mean
    emergency, any_alarm = mean["emergency"], 1 - mean["none"]
    if alarm.tier == "emergency":
        if alarm.bare and any_alarm < PLAIN:
            return Alarm("review", alarm.evidence, lowered=True)
        return _doubted(alarm) if chances.deny and _may_be_doubted(using, look, alarm) else alarm
    enough = STILL_AN_EMERGENCY[alarm.tier] if alarm.lowered else SURE_EMERGENCY[look.language]
    if emergency >= enough and not _told_by_numbers_alone(using, look, chances):
        return _raised(using, look, alarm, "emergency")
    if alarm.lowered or alarm.tier == "urgent" or any_alarm < SURE_ALARM:
        return alarm
    return _alone(using, look, alarm, chances)


def certain_emergency(using: Reader, look: Look) -> Alarm | None:
    """The alarm of a text that wants no more messages and is all but surely an emergency too."""
    chances = Chances(_by_words(using, look), _by_sense(look))
    if chances.mean["emergency"] < CERTAIN_EMERGENCY or _told_by_numbers_alone(using, look, chances):
        return None
    return _raised(using, look, Alarm("none", ()), "emergency")


def _alone(using: Reader, look: Look, alarm: Alarm, chances: Chances) -> Alarm:
    """What the models alone make of a text that they find alarming, but no emergency."""
    if not any(group[0] not in "=@" and "." not in group and group not in _DEGREES for group in look.hits):
        sure = 1 - chances.mean["none"] >= SURE_WITHOUT_A_WORD
        return _raised(using, look, alarm, "urgent") if sure else alarm
    if _told_by_numbers_alone(using, look, chances):
        return alarm
    if look.finder.hits("@resolved") and not look.finder.hits("@not_resolved"):
        return Alarm("review", (*_raised(using, look, alarm, "urgent").evidence,), lowered=True)
    return _raised(using, look, alarm, "urgent")


def _doubted(alarm: Alarm) -> Alarm:
    evidence = tuple(Evidence(f"{item.rule.split(' (')[0]} (doubted)", item.words) for item in alarm.evidence)
    return Alarm("urgent", evidence, lowered=True)


def _may_be_doubted(using: Reader, look: Look, alarm: Alarm) -> bool:
    """Whether a text may be doubted at all, and no clause of it looks like an emergency."""
    words = look.reading.words
    if len(words) > MOST_WORDS or any(item.rule.startswith(NEVER_DOUBTED) for item in alarm.evidence):
        return False
    said = {word.plain for word in words}
    if look.finder.hits("@serious") or said & _NOW or ("911" in said and said & _WANTED):
        return False
    starts = [at for at, word in enumerate(words) if _begins_clause(words, at, word)]
    clauses = [words[start:end] for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]
    return len(words) < _STORY or all(_clause_chance(using, look, clause) < NO_CLAUSE for clause in clauses)


def _begins_clause(words: Sequence[Word], at: int, word: Word) -> bool:
    return at == 0 or word.after_comma or word.sentence != words[at - 1].sentence or word.plain in _JOINTS


def _clause_chance(using: Reader, look: Look, clause: Sequence[Word]) -> float:
    """How likely a clause, read by itself, is an emergency."""
    hits = using.lexicon.find(clause)
    seen = tier_features(clause, hits, using.lexicon.corrected, look.reading.asks, using.signs)
    return next(guess.probability for guess in _model().guesses(seen) if guess.label == "emergency")


def _told_by_numbers_alone(using: Reader, look: Look, chances: Chances) -> bool:
    """Whether nothing but a number ("48") speaks for an alarm: no other word, and not the sense."""
    if chances.by_sense["emergency"] >= SURE_EMERGENCY[look.language]:
        return False
    telling = _telling(look, _model().reasons(_features(using, look), "emergency", 12))
    return bool(telling) and not any(letter.isalpha() for words in telling for letter in words)


def _telling(look: Look, reasons: Sequence[str]) -> list[str]:
    return [
        item.words
        for item in reasons_said(look, reasons)
        if not FUNCTION_WORDS.issuperset(item.words.casefold().split())
    ]


def _raised(using: Reader, look: Look, alarm: Alarm, tier: Tier) -> Alarm:
    telling = _telling(look, _model().reasons(_features(using, look), tier, 12))
    said = ", ".join(list(dict.fromkeys(telling))[:4]) or look.reading.said(0, len(look.reading.words) - 1)
    return Alarm(tier, (Evidence("tier-model", said), *alarm.evidence))


def _features(using: Reader, look: Look) -> list[str]:
    return tier_features(
        look.reading.words, look.hits, using.lexicon.corrected, look.reading.asks, using.signs
    )
