"""The emergency detector: which tier a text has, and why.

Rules find the signs (rules/emergency.toml), context lowers them (rules/context.toml), the highest tier that
is left counts. Recall comes first: nothing but a stated rule lowers a sign.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from nurseline.language.context import Context, add_context
from nurseline.language.lexicon import FUNCTION_WORDS, Hit, Lexicon, group_entries, load_toml
from nurseline.language.meaning import Evidence, Tier
from nurseline.language.normalise import Reading
from nurseline.language.patterns import Finder, Match, Rule, compile_rule

RANK: dict[Tier, int] = {"none": 0, "review": 1, "urgent": 2, "emergency": 3}
_MOST_EVIDENCE = 4
NEVER_DOUBTED = ("crisis", "low-oxygen")  # how rules begin; the models see no number but "#"
_FRAGMENT = 3  # words


@dataclass(frozen=True, slots=True)
class Alarm:
    """The tier of a text, with the matches it rests on.

    `lowered` says a sign was there and was lowered, `bare` that an emergency rests on bare mentions only.
    """

    tier: Tier
    evidence: tuple[Evidence, ...]
    lowered: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class _TieredRule:
    rule: Rule
    tier: Tier


class EmergencyDetector:
    """Holds the compiled rules; `check` judges one text."""

    def __init__(self, lexicon: Lexicon) -> None:
        concepts = load_toml("concepts")
        for name, group in concepts.items():
            lexicon.add(name, group_entries(group))
        self._lowered = add_context(lexicon)
        known = frozenset(concepts)
        self._rules = [
            _TieredRule(compile_rule(name, rule["match"], rule.get("near", 6), lexicon, known), rule["tier"])
            for name, rule in load_toml("emergency").items()
        ]

    def check(self, reading: Reading, finder: Finder) -> Alarm:
        """The tier of a text, every sign judged by itself."""
        found: list[tuple[_TieredRule, Match]] = [
            (tiered, match) for tiered in self._rules for match in finder.find(tiered.rule)
        ]
        if not found:
            return Alarm("none", ())
        signs = sorted(
            {Hit(match.first, match.last) for _, match in found}, key=lambda sign: (sign.first, sign.last)
        )
        context = Context(finder, signs)
        best: Tier = "none"
        evidence: dict[tuple[Tier, str], Evidence] = {}
        lowered = False
        for tiered, match in found:
            cause = context.cause(match)
            tier = tiered.tier if cause is None else self._lower(tiered, cause)
            lowered = lowered or cause is not None
            if RANK[tier] > RANK[best]:
                best = tier
            name = match.rule if cause is None else f"{match.rule} ({cause})"
            words = reading.said(match.first, match.last)
            kept = evidence.get((tier, name))
            if kept is None or len(words) < len(kept.words):
                evidence[(tier, name)] = Evidence(name, words)
        if best == "emergency" and _bare_mention(reading, (match for _, match in found)):
            best, lowered = "review", True
            evidence = {("review", item.rule): item for item in evidence.values()}
        said = [item for (tier, _), item in evidence.items() if tier == best]
        chosen = tuple(sorted(said, key=_may_be_cut))[:_MOST_EVIDENCE]
        bare = best == "emergency" and all(item.rule.startswith("mention-") for item in chosen)
        return Alarm(best, chosen, lowered, bare)

    def _lower(self, tiered: _TieredRule, cause: str) -> Tier:
        group: str = tiered.tier
        for name in (tiered.rule.id, tiered.rule.id.split("-")[0]):
            if name in self._lowered:
                group = name
                break
        lowered = self._lowered[group][cause]
        for tier in RANK:
            if tier == lowered:
                return tier
        raise ValueError(f"unknown tier {lowered!r} in rules/context.toml")


def _may_be_cut(evidence: Evidence) -> bool:
    """What is never doubted, and the words of crisis that get words of their own, must not be cut away."""
    return not evidence.rule.startswith(NEVER_DOUBTED)


def _bare_mention(reading: Reading, matches: Iterable[Match]) -> bool:
    """A fragment that only names the part ("breathe", "my tongue is") and says nothing of it."""
    if len(reading.words) > _FRAGMENT:
        return False
    named: set[int] = set()
    for match in matches:
        if not match.rule.startswith("mention-") or len(match.parts) > 1:
            return False
        named.update(range(match.first, match.last + 1))
    return all(at in named or word.plain in FUNCTION_WORDS for at, word in enumerate(reading.words))


@cache
def rule_titles() -> dict[str, str]:
    """What each rule stands for, by its id."""
    titles = {name: str(rule["title"]) for name, rule in load_toml("emergency").items()}
    return titles | {
        f"opt-out-{name}": str(rule["title"]) for name, rule in load_toml("optout")["rules"].items()
    }
