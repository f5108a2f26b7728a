"""The net under the rules: two small trained models that weigh a whole text, by its words and by its sense.

It raises what no rule knows, and lowers two things only: a bare mention ("my heart", "breathe") in a text
that it finds plainly ordinary goes to review; and the signs of a longer story go to a nurse the same day
when neither the whole text nor any clause of it looks like an emergency at all, and nothing says that it is
now or meant in earnest. Words of crisis are never lowered here.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache

from nurseline.language.emergency import Alarm
from nurseline.language.encoder import plain
from nurseline.language.features import tier_features
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
DENIED = 0.02  # an emergency of the rules that the models all but deny
NO_EMERGENCY = 0.05  # of a whole story under which the signs in it are doubted
NO_CLAUSE = 0.2  # and of its most alarming clause
_STORY = 6  # words
SURE_WITHOUT_A_WORD = 0.8  # an urgent text without one word of the red-flag groups
PLAINLY_NOTHING = 0.99  # by its words, where no rule saw anything
PLAIN = 0.12  # under this a bare mention is for review
# Groups that say how much, not what.
_DEGREES = frozenset(
    "lots bad_breathing bad_long severe growing too_many worst wont_stop still_numb spreading short_of want "
    "odd intend count_high racing".split()
)
_NEVER_DOUBTED = "crisis"
_NOW = frozenset("now rn currently ahora ahorita orita".split())
_LONGEST_STORY = 120  # words
_JOINTS = frozenset("but and so because pero y porque que".split())


@cache
def _model() -> LinearModel:
    return load_model(TIER_MODEL_FILE)


def chances(using: Reader, look: Look) -> dict[str, float]:
    """How likely each tier is, by both models: the mean of what they say, as odds."""
    return _with_sense(look, _by_words(using, look))


def _by_words(using: Reader, look: Look) -> dict[str, float]:
    return {guess.label: guess.probability for guess in _model().guesses(_features(using, look))}


def _with_sense(look: Look, by_words: Mapping[str, float]) -> dict[str, float]:
    by_sense = load_sense().guesses([plain(look.reading.words)])[0]
    both = {label: math.sqrt(chance * by_sense[label]) for label, chance in by_words.items()}
    whole = sum(both.values())
    return {label: chance / whole for label, chance in both.items()}


def weigh(using: Reader, look: Look, alarm: Alarm) -> Alarm:
    """The alarm of the rules, with what the model adds."""
    if not any(word.plain.isalpha() and word.plain not in FUNCTION_WORDS for word in look.reading.words):
        return alarm
    by_words = _by_words(using, look)
    if alarm.tier == "none" and by_words["none"] > PLAINLY_NOTHING:
        return alarm  # the sense of the text, which costs most, could change nothing
    chance = _with_sense(look, by_words)
    any_alarm = chance["emergency"] + chance["urgent"]
    if alarm.tier == "emergency":
        if alarm.bare and any_alarm < PLAIN:
            return Alarm("review", alarm.evidence, lowered=True)
        return (
            Alarm("urgent", alarm.evidence, lowered=True) if _doubted(using, look, alarm, chance) else alarm
        )
    enough = STILL_AN_EMERGENCY[alarm.tier] if alarm.lowered else SURE_EMERGENCY[look.language]
    if chance["emergency"] >= enough and not _told_by_numbers_alone(using, look):
        return _raised(using, look, alarm, "emergency")
    if alarm.lowered or alarm.tier == "urgent" or any_alarm < SURE_ALARM:
        return alarm
    return _alone(using, look, alarm, any_alarm)


def certain_emergency(using: Reader, look: Look) -> Alarm | None:
    """The alarm of a text that wants no more messages and is all but surely an emergency too."""
    certain = chances(using, look)["emergency"] >= CERTAIN_EMERGENCY
    if not certain or _told_by_numbers_alone(using, look):
        return None
    return _raised(using, look, Alarm("none", ()), "emergency")


def _alone(using: Reader, look: Look, alarm: Alarm, any_alarm: float) -> Alarm:
    """What the models alone make of a text that they find alarming, but no emergency."""
    if not any(group[0] not in "=@" and "." not in group and group not in _DEGREES for group in look.hits):
        return _raised(using, look, alarm, "urgent") if any_alarm >= SURE_WITHOUT_A_WORD else alarm
    if _told_by_numbers_alone(using, look):
        return alarm
    if look.finder.hits("@resolved") and not look.finder.hits("@not_resolved"):
        return Alarm("review", (*_raised(using, look, alarm, "urgent").evidence,), lowered=True)
    return _raised(using, look, alarm, "urgent")


def _doubted(using: Reader, look: Look, alarm: Alarm, chance: Mapping[str, float]) -> bool:
    """Whether the models speak against an emergency of the rules: all but surely, or of a story."""
    if any(item.rule.startswith(_NEVER_DOUBTED) for item in alarm.evidence):
        return False
    if chance["emergency"] < DENIED:
        return True
    return chance["emergency"] < NO_EMERGENCY and _is_story(using, look)


def _is_story(using: Reader, look: Look) -> bool:
    """Whether a text is long enough to tell a story and no clause of it looks like an emergency."""
    words = look.reading.words
    if look.finder.hits("@serious") or not _NOW.isdisjoint(word.plain for word in words):
        return False
    if not _STORY <= len(words) <= _LONGEST_STORY:
        return False
    starts = [at for at, word in enumerate(words) if _begins_clause(words, at, word)]
    clauses = [words[start:end] for start, end in zip(starts, [*starts[1:], len(words)], strict=True)]
    return all(_clause_chance(using, look, clause) < NO_CLAUSE for clause in clauses)


def _begins_clause(words: Sequence[Word], at: int, word: Word) -> bool:
    return at == 0 or word.after_comma or word.sentence != words[at - 1].sentence or word.plain in _JOINTS


def _clause_chance(using: Reader, look: Look, clause: Sequence[Word]) -> float:
    """How likely a clause, read by itself, is an emergency."""
    hits = using.lexicon.find(clause)
    seen = tier_features(clause, hits, using.lexicon.corrected, look.reading.asks, using.signs)
    return next(guess.probability for guess in _model().guesses(seen) if guess.label == "emergency")


def _told_by_numbers_alone(using: Reader, look: Look) -> bool:
    """Whether nothing but a number ("48") speaks for an alarm."""
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
