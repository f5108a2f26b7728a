"""What lowers an alarm: negation, the far past, "what if", figures of speech. Cues are in rules/context.toml.

Each hit of a rule is judged by itself, so that a negated sign never hides another one.
"""

from collections.abc import Sequence
from typing import Literal

from nurseline.language.lexicon import Hit, Lexicon, group_entries, load_toml
from nurseline.language.normalise import Word
from nurseline.language.patterns import Finder, Match

Cause = Literal["negated", "past", "resolved", "general", "figure"]

_GROUPS = (
    "negation now_true not_a_negation scope_end new_statement list_goes_on after_negation resolved "
    "not_resolved past present general general_weak not_general general_anywhere condition_question "
    "own_now figure figure_after figure_bleeding figure_mention"
).split()
_REACH = 12  # half words a negation reaches
_IF_REACH = 14  # half words from "what if" to the sign
_OWN_AFTER = 6  # half words after "if ..." from which "I have ..." is a statement again
# One of these before "fine", "good", "bien" makes it no good news: "can't breathe good", "no respiro bien".
_SPOILERS = frozenset(
    "no not nor ni sin without cant cannot isnt doesnt dont wont barely hardly hard trouble never "
    "unable difficult arent wasnt aint casi apenas problem problems less".split()
)


def add_context(lexicon: Lexicon) -> dict[str, dict[str, str]]:
    """Put the cues into the lexicon; give back what each cause lowers a tier to."""
    content = load_toml("context")
    for name in _GROUPS:
        lexicon.add(f"@{name}", group_entries(content[name]), exact=True)
    lowered: dict[str, dict[str, str]] = content["lowered"]
    return lowered


def _starts_inside(hit: Hit, others: Sequence[Hit]) -> bool:
    return any(other.first <= hit.first <= other.last for other in others)


class Context:
    """The cues of one text, and the judgement of a match."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder
        self._words: Sequence[Word] = finder.words
        cue = {name: finder.hits(f"@{name}") for name in _GROUPS}
        self._cue = cue
        self._negations = [hit for hit in cue["negation"] if not _starts_inside(hit, cue["not_a_negation"])]
        self._ifs = [hit for hit in cue["general"] if not _starts_inside(hit, cue["not_general"])]
        self._weak_ifs = [hit for hit in cue["general_weak"] if not _starts_inside(hit, cue["not_general"])]
        self._ends = sorted({hit.first for hit in cue["scope_end"]})
        self._new = sorted({hit.first for hit in cue["new_statement"]})
        self._goes_on = {hit.first for hit in cue["list_goes_on"]}

    def cause(self, match: Match, signs: Sequence[Hit]) -> Cause | None:
        """Why a match is no alarm now, or None. `signs` are all signs of the text, in order."""
        if self._is_figure(match):
            return "figure"
        if self._negated(match, signs):
            return "negated"
        if self._is_past(match):
            return "past"
        if self._is_general(match):
            return "general"
        if self._is_resolved(match):
            return "resolved"
        return None

    def _is_figure(self, match: Match) -> bool:
        """A part of the match lies inside a figure of speech ("dying" in "dying to get in")."""
        figures = [*self._cue["figure"], *self._cue.get(f"figure_{match.rule.split('-')[0]}", ())]
        end = Hit(match.last, match.last)
        if any(
            after.first > match.last and self._finder.gap(end, after) <= 8
            for after in self._cue["figure_after"]
        ):
            return True
        return any(
            figure.first <= part.last and part.first <= figure.last
            for figure in figures
            for part in match.parts
        )

    # ------------------------------------------------------------------ negation
    def _negated(self, match: Match, signs: Sequence[Hit]) -> bool:
        if self._denied_after(match):
            return True
        if any(hit.first > match.last for hit in self._cue["now_true"]):
            return False
        inside = {index for part in match.parts for index in range(part.first, part.last + 1)}
        for cue in self._negations:
            if cue.first in inside or cue.first > match.last:
                continue
            for part in match.parts:
                if cue.last < part.first and self._reaches(cue, part, match.last, signs):
                    return True
        return False

    def _reaches(self, cue: Hit, part: Hit, last: int, signs: Sequence[Hit]) -> bool:
        words = self._words
        if words[part.first].sentence != words[cue.last].sentence or self._finder.gap(cue, part) > _REACH:
            return self._listed(cue, part)
        between = range(cue.last + 1, part.first)
        if any(end in between for end in self._ends):
            return False
        if words[cue.last + 1].after_comma:
            return False
        return self._same_list(cue, part, last, signs)

    def _same_list(self, cue: Hit, part: Hit, last: int, signs: Sequence[Hit]) -> bool:
        """After a first negated sign only "or", "and", commas go on; "I", "my", "can't" begin anew."""
        earlier = [sign.last for sign in signs if cue.last < sign.first and sign.last < part.first]
        if not earlier:
            return True
        start = min(earlier)
        if any(start < new <= part.first for new in self._new):
            return False
        joined = any(start < index < part.first for index in self._goes_on)
        commas = any(self._words[index].after_comma for index in range(start + 1, part.first + 1))
        return joined or (commas and self._item_ends(last))

    def _item_ends(self, last: int) -> bool:
        """Whether a comma, "or" or the end follows: "no fever, chest pain" goes on, "chest pain since 3" not."""
        if last + 1 >= len(self._words):
            return True
        following = self._words[last + 1]
        ends = following.sentence != self._words[last].sentence or following.after_comma
        return ends or last + 1 in self._goes_on or last + 1 in self._ends

    def _listed(self, cue: Hit, part: Hit) -> bool:
        """A long list under one negation: "no fever, chills, redness, swelling, drainage or chest pain"."""
        words = self._words
        if words[part.first].sentence != words[cue.last].sentence or part.first - cue.last > 16:
            return False
        between = range(cue.last + 1, part.first)
        if any(index in self._ends or index in self._new for index in between) or part.first in self._new:
            return False
        commas = sum(words[index].after_comma for index in between)
        return commas >= 2 or (commas >= 1 and any(index in self._goes_on for index in between))

    def _denied_after(self, match: Match) -> bool:
        for hit in self._cue["after_negation"]:
            if 0 <= self._finder.gap(Hit(match.first, match.last), hit) <= 2 and hit.first > match.last:
                near = self._words[max(0, match.first - 3) : hit.first]
                if not any(word.plain in _SPOILERS for word in near):
                    return self._words[hit.first].sentence == self._words[match.last].sentence
        return False

    # ------------------------------------------------------------------ past, general, resolved
    def _same_clause(self, hit: Hit, match: Match) -> bool:
        """In the same sentence with no "but" or "now" in between."""
        if self._words[hit.first].sentence != self._words[match.first].sentence:
            return False
        low, high = (hit.last, match.first) if hit.last < match.first else (match.last, hit.first)
        return not any(low < end < high for end in self._ends)

    def _is_past(self, match: Match) -> bool:
        pasts = [hit for hit in self._cue["past"] if self._same_clause(hit, match)]
        if not pasts:
            return False
        nearest = min(self._distance(hit, match) for hit in pasts)
        now = [self._distance(hit, match) for hit in self._cue["present"] if self._same_clause(hit, match)]
        return nearest <= 24 and not any(distance < nearest for distance in now)

    def _distance(self, hit: Hit, match: Match) -> int:
        if hit.last < match.first:
            return self._finder.gap(hit, Hit(match.first, match.first))
        return max(0, self._finder.gap(Hit(match.last, match.last), hit))

    def _is_general(self, match: Match) -> bool:
        start = Hit(match.first, match.first)
        sentence = self._words[match.first].sentence
        own = self._cue["own_now"]
        for hit in self._ifs:
            if hit.first >= match.first or self._words[hit.first].sentence != sentence:
                continue
            if self._finder.gap(hit, start) > _IF_REACH or any(
                hit.last < end < match.first for end in self._ends
            ):
                continue
            stated = any(
                hit.last < mine.first <= match.first and self._finder.gap(hit, mine) >= _OWN_AFTER
                for mine in own
                if self._words[mine.first].plain not in ("my", "its")
            )
            if not stated:
                return True
        for hit in self._weak_ifs:
            if hit.first >= match.first or not self._same_clause(hit, match):
                continue
            if self._finder.gap(hit, start) <= _IF_REACH and not any(
                hit.last < mine.first <= match.first for mine in own
            ):
                return True
        mine_before = any(mine.first <= match.first and self._same_clause(mine, match) for mine in own)
        if mine_before:
            return self._asks_about_condition(match)
        return any(self._same_clause(hit, match) for hit in self._cue["general_anywhere"])

    def _asks_about_condition(self, match: Match) -> bool:
        """ "I have seizures, is it safe": a condition someone lives with, when nothing says it is now."""
        if match.rule not in _CONDITIONS:
            return False
        return bool(self._cue["condition_question"]) and not self._cue["present"]

    def _is_resolved(self, match: Match) -> bool:
        for hit in self._cue["resolved"]:
            if any(abs(again.first - hit.last) <= 4 for again in self._cue["not_resolved"]):
                continue
            inside = match.first <= hit.first <= match.last and not _starts_inside(hit, match.parts)
            after = hit.first > match.last and not any(
                match.last < end < hit.first for end in self._ends if end != hit.first - 1
            )
            close = after and self._finder.gap(Hit(match.last, match.last), hit) <= 12
            before = hit.last < match.first and self._finder.gap(hit, Hit(match.first, match.first)) <= 2
            if inside or close or before:
                return True
        return False


# Rules whose sign is also the name of a long-standing condition.
_CONDITIONS = frozenset(
    (
        "seizure",
        "fainting",
        "heart",
        "allergy",
        "stroke",
        "rash",
        "cannot-move",
        "sugar",
        "numbness",
        "infection",
    )
)
