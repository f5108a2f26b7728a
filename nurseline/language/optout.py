"""The opt-out detector: any reasonable wording of "no more messages", nothing else (rules/optout.toml)."""

from collections.abc import Sequence

from nurseline.language.lexicon import Hit, Lexicon, group_entries, load_toml
from nurseline.language.meaning import Evidence
from nurseline.language.normalise import Reading, Word, contract
from nurseline.language.patterns import Finder, Match, compile_rule

_LONGEST_KEYWORD = 10  # words
# Signs that say "stop"; the first does so alone.
_STOP_SIGNS = ("\U0001f6d1", "\u26d4", "\U0001f6ab", "\U0001f515")
_SIGNED_WORDS = 6  # words beside a stop sign
_WANTING = frozenset("thanks thank gracias yes yeah si bien good".split())
# "I'd rather you didn't text me" asks for an end, "you didn't text me" does not.
_WISHING = frozenset("rather prefer wish appreciate".split())
_OBJECT_REACH = 3  # half words from "opt out", "take me off" to what it is about
_TAKES_AN_OBJECT = frozenset(("opt-out-unsubscribe", "opt-out-remove-me"))
_BARE = frozenset("stop unsubscribe stopall optout alto basta".split())
# A final "stop" after one of these belongs to a sentence ("when does it stop").
_BEFORE_A_VERB = frozenset(
    "to wont will cant dont doesnt didnt not never it that they pain ever and or can could should would "
    "does do did the a bus full non hurting bleeding aching i you we he she this when wouldnt hasnt "
    "must might gonna wanna next first hurt ache swelling itching dolor".split()
)
# What leaves no doubt: a keyword by itself, a stop sign, "stop" as a sentence of its own.
_PLAIN_WORDS = frozenset(("opt-out-keyword", "opt-out-sign"))
_CARRIER_WORDS = frozenset("stop unsubscribe stopall optout".split())
_AFTERTHOUGHT = frozenset(
    "anymore again coming from me for good at all to my phone you guys mas nunca nada".split()
)
# After a leading "stop": a new sentence of the patient, not the object of "stop".
_NEW_SENTENCE = frozenset("i im ive we thank thanks please gracias por ya no u you yall god no".split())


class OptOutDetector:
    """Holds the compiled rules; `check` judges one text."""

    def __init__(self, lexicon: Lexicon) -> None:
        content = load_toml("optout")
        self._keywords = frozenset(contract(phrase) for phrase in content["keywords"]["phrases"])
        self._polite = frozenset(content["polite"]["words"].split())
        for name, group in content["groups"].items():
            lexicon.add(f"optout.{name}", group_entries(group), exact=True)
        lexicon.add("optout.not_optout", content["not_optout"]["phrases"], exact=True)
        lexicon.add("optout.not_ours", group_entries(content["not_ours"]))
        known = frozenset(f"optout.{name}" for name in content["groups"])
        self._rules = [
            compile_rule(f"opt-out-{name}", _qualified(rule["match"]), rule.get("near", 6), lexicon, known)
            for name, rule in content["rules"].items()
        ]
        self._at_end = frozenset(
            f"opt-out-{name}" for name, rule in content["rules"].items() if rule.get("at_end")
        )

    def check(self, reading: Reading, finder: Finder) -> Evidence | None:
        """The evidence that a text opts out, or None."""
        words = [word.plain for word in reading.words]
        sign = self._stop_sign(reading, finder)
        if sign is not None or not words:
            return sign
        if self._is_keyword(words):
            return Evidence("opt-out-keyword", reading.said(0, len(words) - 1))
        if self.protected(finder):
            return None
        for rule in self._rules:
            for match in finder.find(rule):
                if rule.id in self._at_end and not self._ends_sentence(reading.words, match.last):
                    continue
                if not self._about_something_else(match, finder):
                    return Evidence(rule.id, reading.said(match.first, match.last))
        bare = self._bare_stop(reading.words, finder)
        return None if bare is None else Evidence("opt-out-bare", reading.said(bare, bare))

    def is_plain(self, evidence: Evidence) -> bool:
        """Whether an opt-out stands by itself, so that the rest of the text cannot speak against it."""
        if evidence.rule == "opt-out-bare":
            return contract(evidence.words.casefold()).strip(".!") in _CARRIER_WORDS
        return evidence.rule in _PLAIN_WORDS

    def names_messages(self, finder: Finder) -> bool:
        """Whether the text speaks of messages or of being contacted."""
        return bool(finder.hits("optout.messages") or finder.hits("optout.contacting"))

    def protected(self, finder: Finder) -> bool:
        """Whether the text has words that make it surely no opt-out ("dont stop", "nobody called me")."""
        words, said = finder.words, finder.hits("optout.not_optout")
        return any(
            _WISHING.isdisjoint(word.plain for word in words[max(0, hit.first - 2) : hit.first])
            for hit in said
        )

    def _stop_sign(self, reading: Reading, finder: Finder) -> Evidence | None:
        """A stop sign alone, or beside nothing but politeness and words about messages."""
        sign = next((sign for sign in reading.signs if sign[0] in _STOP_SIGNS), None)
        words = [word.plain for word in reading.words]
        if sign is None or len(words) > _SIGNED_WORDS:
            return None
        polite = self._polite.issuperset(words) and not _WANTING.intersection(words)
        alone = polite and sign[0] == _STOP_SIGNS[0]
        ours = self.names_messages(finder) and not self.protected(finder) and "?" not in reading.text
        return Evidence("opt-out-sign", sign) if alone or ours else None

    def _is_keyword(self, words: Sequence[str]) -> bool:
        if len(words) > _LONGEST_KEYWORD:
            return False
        starts = [0]
        while starts[-1] < len(words) and words[starts[-1]] in self._polite:
            starts.append(starts[-1] + 1)
        ends = [len(words)]
        while ends[-1] > 0 and words[ends[-1] - 1] in self._polite:
            ends.append(ends[-1] - 1)
        return any(
            " ".join(words[start:end]) in self._keywords for start in starts for end in ends if start < end
        )

    def _ends_sentence(self, words: Sequence[Word], index: int) -> bool:
        """Whether nothing but politeness follows in the sentence."""
        rest = [word for word in words[index + 1 :] if word.sentence == words[index].sentence]
        return all(word.plain in self._polite or word.plain in _AFTERTHOUGHT for word in rest)

    def _about_something_else(self, match: Match, finder: Finder) -> bool:
        """Its own object is a visit, a medicine, a symptom: "cancel my appointment text me"."""
        if match.rule in _TAKES_AN_OBJECT and self._object_after(match, finder):
            return True
        start = Hit(match.parts[0].last, match.parts[0].last)
        second = match.parts[1].first if len(match.parts) > 1 else match.last + 3
        return any(
            hit.first > start.last and hit.first <= second and finder.gap(start, hit) <= 4
            for hit in finder.hits("optout.not_ours")
        )

    def _object_after(self, match: Match, finder: Finder) -> bool:
        """What someone wants out of is a medicine or treatment, and not messages about it."""
        end = Hit(match.last, match.last)
        ours = finder.hits("optout.messages")
        for group in ("optout.not_ours", "pills"):
            for hit in finder.hits(group):
                near = hit.first > match.last and finder.gap(end, hit) <= _OBJECT_REACH
                if near and not any(0 < said.first - hit.last <= 2 for said in ours):
                    return True
        return False

    def _bare_stop(self, words: Sequence[Word], finder: Finder) -> int | None:
        """A "stop" that is its own sentence: first ("stop, I am better") or last ("who is this stop")."""
        if len(words) > 25 or (finder.hits("optout.not_ours") and not _own_clause(words)):
            return None
        if words[0].plain in _BARE and len(words) > 1:
            following = words[1]
            if (
                following.sentence != words[0].sentence
                or following.after_comma
                or following.plain in _NEW_SENTENCE
            ):
                return 0
        last = len(words) - 1
        if words[last].plain in _BARE and last > 0:
            before = words[last - 1]
            fresh = before.sentence != words[last].sentence or words[last].after_comma
            if fresh or before.plain not in _BEFORE_A_VERB:
                return last
        return None


def _own_clause(words: Sequence[Word]) -> bool:
    first, last = words[0], words[-1]
    opens = first.plain in _BARE and (
        words[1].sentence != first.sentence or words[1].after_comma or words[1].plain == "i"
    )
    closes = last.plain in _BARE and (words[-2].sentence != last.sentence or last.after_comma)
    return opens or closes


def _qualified(lines: Sequence[str]) -> list[str]:
    """Group names of this file live under "optout." in the lexicon."""
    return [line.replace("<", "<optout.") for line in lines]
