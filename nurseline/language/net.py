"""The net under the rules: a small trained model that weighs a whole text.

It raises what no rule knows, and lowers two things only: a bare mention ("my heart", "breathe") in a text
that it finds plainly ordinary goes to review; and the signs of a longer story go to a nurse the same day
when neither the whole text nor any clause of it looks like an emergency at all, and nothing says that it is
now or meant in earnest. Words of crisis are never lowered here.
"""

from collections.abc import Mapping, Sequence
from functools import cache

from nurseline.language.emergency import Alarm
from nurseline.language.features import tier_features
from nurseline.language.lexicon import FUNCTION_WORDS
from nurseline.language.meaning import Evidence, Tier
from nurseline.language.model import TIER_MODEL_FILE, LinearModel, load_model
from nurseline.language.normalise import Word
from nurseline.language.reader import Look, Reader
from nurseline.language.topics import reasons_said

# Probabilities, chosen with each writer's examples held out of training in turn: ordinary texts must hardly
# ever reach them.
SURE_EMERGENCY = {"en": 0.75, "es": 0.65}  # an emergency that no rule raised; Spanish has fewer examples
SURE_ALARM = 0.45  # an alarm that no rule raised
RAISES_URGENT = 0.5  # an emergency where the rules say urgent
STILL_AN_EMERGENCY = {"urgent": 0.8, "review": 0.95}  # where context lowered an emergency to that
CERTAIN_EMERGENCY = 0.9  # one that needs no word of the red-flag groups, and that an opt-out does not hide
NO_EMERGENCY = 0.05  # of a whole story under which the signs in it are doubted
NO_CLAUSE = 0.2  # and of its most alarming clause
_STORY = 6  # words
SURE_WITHOUT_A_WORD = 0.8  # an urgent text without one word of the red-flag groups
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
# Figures of speech, things, animals, somebody else: beside them the model alone raises no 911 words.
_NO_BODY = ("figure", "figure_before", "figure_after", "thing", "elsewhere")


@cache
def _model() -> LinearModel:
    return load_model(TIER_MODEL_FILE)


def chances(using: Reader, look: Look) -> dict[str, float]:
    """How likely each tier is, by the model."""
    return {guess.label: guess.probability for guess in _model().guesses(_features(using, look))}


def weigh(using: Reader, look: Look, alarm: Alarm) -> Alarm:
    """The alarm of the rules, with what the model adds."""
    if not any(word.plain.isalpha() and word.plain not in FUNCTION_WORDS for word in look.reading.words):
        return alarm
    chance = chances(using, look)
    any_alarm = chance["emergency"] + chance["urgent"]
    if alarm.tier == "emergency":
        if alarm.bare and any_alarm < PLAIN:
            return Alarm("review", alarm.evidence, lowered=True)
        doubted = chance["emergency"] < NO_EMERGENCY and _is_story(using, look, alarm)
        return Alarm("urgent", alarm.evidence, lowered=True) if doubted else alarm
    if not alarm.lowered and _is_certain(using, look, chance):
        return _raised(using, look, alarm, "emergency")
    if alarm.lowered:
        still = chance["emergency"] >= STILL_AN_EMERGENCY.get(alarm.tier, 2)
        return _raised(using, look, alarm, "emergency") if still else alarm
    if alarm.tier == "urgent":
        return _raised(using, look, alarm, "emergency") if chance["emergency"] >= RAISES_URGENT else alarm
    return alarm if any_alarm < SURE_ALARM else _alone(using, look, alarm, chance)


def certain_emergency(using: Reader, look: Look) -> Alarm | None:
    """The alarm of a text that wants no more messages and is all but surely an emergency too."""
    certain = _is_certain(using, look, chances(using, look))
    return _raised(using, look, Alarm("none", ()), "emergency") if certain else None


def _is_certain(using: Reader, look: Look, chance: Mapping[str, float]) -> bool:
    return chance["emergency"] >= CERTAIN_EMERGENCY and not _told_by_numbers_alone(using, look)


def _alone(using: Reader, look: Look, alarm: Alarm, chance: Mapping[str, float]) -> Alarm:
    """An alarm that the model alone raises, as far as it may."""
    any_alarm = chance["emergency"] + chance["urgent"]
    if not any(group[0] not in "=@" and "." not in group and group not in _DEGREES for group in look.hits):
        return _raised(using, look, alarm, "urgent") if any_alarm >= SURE_WITHOUT_A_WORD else alarm
    if _told_by_numbers_alone(using, look):
        return alarm
    if look.finder.hits("@resolved") and not look.finder.hits("@not_resolved"):
        return Alarm("review", (*_raised(using, look, alarm, "urgent").evidence,), lowered=True)
    certain = chance["emergency"] >= SURE_EMERGENCY[look.language]
    certain = certain and not any(look.finder.hits(f"@{group}") for group in _NO_BODY)
    return _raised(using, look, alarm, "emergency" if certain else "urgent")


def _is_story(using: Reader, look: Look, alarm: Alarm) -> bool:
    """Whether a text is long enough to tell a story and no clause of it looks like an emergency."""
    words = look.reading.words
    if any(item.rule.startswith(_NEVER_DOUBTED) for item in alarm.evidence):
        return False
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
