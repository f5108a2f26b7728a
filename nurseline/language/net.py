"""The net under the rules: a small trained model that weighs a whole text.

It raises what no rule knows, and lowers only one thing: a bare mention ("my heart", "breathe") in a text that
it finds plainly ordinary goes to review. A sign that a rule names is never lowered here.
"""

from functools import cache

from nurseline.language.emergency import Alarm
from nurseline.language.features import tier_features
from nurseline.language.lexicon import FUNCTION_WORDS
from nurseline.language.meaning import Evidence, Tier
from nurseline.language.model import TIER_MODEL_FILE, LinearModel, load_model
from nurseline.language.reader import Look, Reader
from nurseline.language.topics import reasons_said

# Probabilities, chosen on the measured split: ordinary texts must hardly ever reach them.
SURE_EMERGENCY = 0.45  # an emergency that no rule raised
SURE_ALARM = 0.45  # an alarm that no rule raised
RAISES_URGENT = 0.75  # an emergency where the rules say urgent
STILL_AN_ALARM = 0.9  # a nurse the same day, where context lowered an emergency
SURE_WITHOUT_A_WORD = 0.8  # an urgent text without one word of the red-flag groups
PLAIN = 0.12  # under this a bare mention is for review
# Groups that say how much, not what.
_DEGREES = frozenset(
    "lots bad_breathing bad_long severe growing too_many worst wont_stop still_numb spreading short_of want "
    "odd intend count_high racing".split()
)
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
        plain = alarm.bare and any_alarm < PLAIN
        return Alarm("review", alarm.evidence, lowered=True) if plain else alarm
    if alarm.lowered:
        still = alarm.tier == "review" and chance["emergency"] >= STILL_AN_ALARM
        return _raised(using, look, alarm, "urgent") if still else alarm
    if alarm.tier == "urgent":
        return _raised(using, look, alarm, "emergency") if chance["emergency"] >= RAISES_URGENT else alarm
    if any_alarm < SURE_ALARM:
        return alarm
    if not any(group[0] not in "=@" and "." not in group and group not in _DEGREES for group in look.hits):
        return _raised(using, look, alarm, "urgent") if any_alarm >= SURE_WITHOUT_A_WORD else alarm
    certain = chance["emergency"] >= SURE_EMERGENCY
    certain = certain and not any(look.finder.hits(f"@{group}") for group in _NO_BODY)
    return _raised(using, look, alarm, "emergency" if certain else "urgent")


def _raised(using: Reader, look: Look, alarm: Alarm, tier: Tier) -> Alarm:
    reasons = _model().reasons(_features(using, look), tier, 12)
    telling = [
        item.words
        for item in reasons_said(look, reasons)
        if not FUNCTION_WORDS.issuperset(item.words.casefold().split())
    ]
    said = ", ".join(list(dict.fromkeys(telling))[:4]) or look.reading.said(0, len(look.reading.words) - 1)
    return Alarm(tier, (Evidence("tier-model", said), *alarm.evidence))


def _features(using: Reader, look: Look) -> list[str]:
    return tier_features(
        look.reading.words, look.hits, using.lexicon.corrected, look.reading.asks, using.signs
    )
