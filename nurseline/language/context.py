"""What lowers an alarm: negation, the far past, "what if", figures of speech. Cues are in rules/context.toml.

Each hit of a rule is judged by itself, so that a negated sign never hides another one.
"""

from collections.abc import Sequence
from functools import cache
from typing import Literal

from nurseline.language.cues import LONGEST_CUE, Sorted, starts_inside
from nurseline.language.lexicon import Hit, Lexicon, group_entries, load_toml
from nurseline.language.normalise import Word
from nurseline.language.patterns import Finder, Match

Cause = Literal[
    "negated", "past", "resolved", "general", "figure", "partly", "beside", "usual", "asleep", "elsewhere"
]

_GROUPS = (
    "negation now_true not_a_negation scope_end new_statement list_goes_on after_negation resolved "
    "not_resolved past present general general_weak not_general general_anywhere condition_question "
    "own_now usual not_usual asleep elsewhere thing not_figure figure figure_after figure_before "
    "figure_whole figure_bleeding figure_mention contrast not_past serious"
).split()
_REACH = 12  # half words a negation reaches
_IF_REACH = 14  # half words from "what if" to the sign
_OWN_AFTER = 6  # half words after "if ..." from which "I have ..." is a statement again
_FAR = 30  # words around a sign in which cues are looked for
_LONGEST_LIST = 16  # words under one negation
_PAST_REACH = 24  # half words
_RESOLVED_REACH = 14  # half words
_MINE = frozenset("my his her their our mi su mis sus".split())
_OF_SOMEBODY = frozenset(
    "i im me my mi yo he she hes shes we mom dad mother father wife husband son daughter kid baby mama papa "
    "grandma grandpa esposo esposa hijo hija abuela abuelo tia tio suegra suegro hermana hermano nino".split()
)
_DOUBLED = 2  # words from a "no" to a sign that is a "no" itself
_SLEEP_REACH = 16  # half words from "passed out" to "slept"
_SUBJECT_REACH = 8  # half words from "my dog" to what happens to it
# After these "it's my ..." is still denied: "i dont think it's my heart".
_THINKING = frozenset("think believe say said feel like that if know creo que pienso siento si".split())
_AFTER_A_LIST = frozenset("just only but solo pero".split())
_AFTER_BIEN = frozenset(
    "y e o pero ya gracias hoy ahora solo nomas todo todos a al de del en con desde".split()
)
_SLEEPY = frozenset("passed pass passing knocked cai caigo cayo quede".split())
_QUESTION_VERBS = frozenset("is are es son".split())
_GOOD = frozenset("good ok okay fine bien better mejor".split())
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


@cache
def _figures_with_mine() -> frozenset[str]:
    """The figures of speech that have a "my" of their own: "off my chest"."""
    content = load_toml("context")
    phrases = [
        phrase for name in _GROUPS if name.startswith("figure") for phrase in group_entries(content[name])
    ]
    return frozenset(phrase for phrase in phrases if not _MINE.isdisjoint(phrase.split()))


class Context:
    """The cues of one text, and the judgement of a match. Only cues near a match are looked at."""

    def __init__(self, finder: Finder, signs: Sequence[Hit]) -> None:
        self._finder = finder
        self._words: Sequence[Word] = finder.words
        self._signs = Sorted(signs)
        cue = {name: finder.hits(f"@{name}") for name in _GROUPS}
        misread = Sorted(cue["not_a_negation"])
        self._cue = {name: Sorted(hits) for name, hits in cue.items()}
        mistaken = self._cue["not_figure"]
        self._cue["figure"] = Sorted([hit for hit in cue["figure"] if not mistaken.covers(hit)])
        age = self._cue["not_past"]
        self._cue["past"] = Sorted([hit for hit in cue["past"] if not age.covers(hit)])
        self._negations = Sorted([hit for hit in cue["negation"] if not self._misread(hit, misread)])
        no_if = self._cue["not_general"]
        self._ifs = Sorted([hit for hit in cue["general"] if not no_if.covers(hit)])
        self._weak_ifs = Sorted([hit for hit in cue["general_weak"] if not no_if.covers(hit)])

    def _misread(self, hit: Hit, misread: "Sorted") -> bool:
        """A "no" that denies nothing; "ni" goes on with it: "no me pasa ni la saliva"."""
        if misread.covers(hit):
            return True
        emphasis = self._words[hit.first].plain == "ni" and not self._words[hit.first].after_comma
        return emphasis and any(
            hit.first - 2 <= other.last < hit.first
            for other in misread.starting(hit.first - LONGEST_CUE, hit.first - 1)
        )

    def cause(self, match: Match) -> Cause | None:
        """Why a match is no alarm now, or None."""
        figure = self._figure(match)
        if figure is not None:
            return figure
        if self._negated(match):
            return "negated"
        if self._is_past(match):
            return "past"
        if self._is_general(match) and not self._has("now_true", match.last + 1, match.last + _FAR):
            return "general"
        if self._is_resolved(match):
            return "resolved"
        return self._is_harmless(match)

    def _has(self, group: str, first: int, last: int) -> bool:
        """Whether a cue of the group begins from word `first` to word `last`."""
        return self._cue[group].any_from(first, last)

    def _gap_before(self, hit: Hit, match: Match) -> int:
        return self._finder.gap(hit, Hit(match.first, match.first))

    def _gap_after(self, match: Match, hit: Hit) -> int:
        return self._finder.gap(Hit(match.last, match.last), hit)

    def _figure(self, match: Match) -> Cause | None:
        """Whether it lies in figures of speech ("dying" in "dying to get in"), wholly or partly."""
        if self._cue["serious"].hits:
            return None
        if any(hit.first == 0 and hit.last == len(self._words) - 1 for hit in self._cue["figure_whole"].hits):
            return "figure"
        own = self._cue.get(f"figure_{match.rule.split('-')[0]}")
        groups = [self._cue["figure"], *([own] if own is not None else [])]
        inside = [part for part in match.parts if self._inside_figure(part, groups)]
        if not inside:
            return "beside" if self._beside_figure(match) else None
        return "figure" if len(inside) == len(match.parts) else "partly"

    def _beside_figure(self, match: Match) -> bool:
        """A price or a laugh right after it, an animal before it. Signs nobody jokes with are left alone."""
        if self._of_something_else(match):
            return True
        if match.rule.split("-")[0] not in _JOKED_WITH:
            return False
        after = self._cue["figure_after"].starting(match.last + 1, match.last + 8)
        return any(
            self._gap_after(match, hit) <= 8 and not self._comma(match.last, hit.first) for hit in after
        )

    def _inside_figure(self, part: Hit, groups: Sequence["Sorted"]) -> bool:
        return any(
            figure.first <= part.last
            and part.first <= figure.last
            and self._one_piece(figure)
            and not (group is self._cue["figure_mention"] and self._spoiled(figure))
            for group in groups
            for figure in group.starting(part.first - LONGEST_CUE, part.last)
        )

    def _spoiled(self, figure: Hit, reach: int = 2) -> bool:
        """A "not" right before good news: "no estoy respirando bien"."""
        near = self._words[max(0, figure.first - reach) : figure.first]
        sentence = self._words[figure.first].sentence
        return any(word.plain in _SPOILERS and word.sentence == sentence for word in near)

    def _one_piece(self, figure: Hit) -> bool:
        """A figure stands within one clause and has no "my" that is not its own: "its sore, my throat"."""
        if self._comma(figure.first, figure.last):
            return False
        words = [word.plain for word in self._words[figure.first : figure.last + 1]]
        return _MINE.isdisjoint(words) or any(
            set(words) & _MINE <= set(phrase.split()) for phrase in _figures_with_mine() if words[0] in phrase
        )

    def _of_something_else(self, match: Match) -> bool:
        """The sign is said of an animal, or a price is what caused it: "my dog had a seizure"."""
        for hit in self._cue["figure_before"].starting(match.first - LONGEST_CUE, match.first - 1):
            between = {word.plain for word in self._words[hit.last + 1 : match.first]}
            near = hit.last < match.first and self._gap_before(hit, match) <= _SUBJECT_REACH
            if near and self._same_clause(hit, match) and between.isdisjoint(_OF_SOMEBODY):
                return not self._comma(hit.last, match.first)
        return False

    def _comma(self, first: int, last: int) -> bool:
        """Whether a comma or a sentence end stands between two words."""
        words = self._words
        return words[first].sentence != words[last].sentence or any(
            words[index].after_comma for index in range(first + 1, last + 1)
        )

    # ------------------------------------------------------------------ negation
    def _negated(self, match: Match) -> bool:
        if not match.rule.startswith("crisis") and self._denied_after(match):
            return True
        if self._has("now_true", match.last + 1, match.last + _FAR):
            return False
        inside = {index for part in match.parts for index in range(part.first, part.last + 1)}
        own = any(hit.first in inside for hit in self._cue["negation"].starting(match.first, match.last))
        return any(
            cue.first not in inside
            and cue.last < part.first
            and not (own and cue.last + _DOUBLED >= match.first)  # "aint got no feeling": one "no" said twice
            and self._reaches(cue, part, match.last)
            for part in match.parts
            for cue in self._negations.starting(part.first - _LONGEST_LIST, part.first - 1)
        )

    def _reaches(self, cue: Hit, part: Hit, last: int) -> bool:
        words = self._words
        if words[part.first].sentence != words[cue.last].sentence or self._finder.gap(cue, part) > _REACH:
            return self._listed(cue, part)
        if self._has("scope_end", cue.last + 1, part.first - 1) or words[cue.last + 1].after_comma:
            return False
        if self._new_clause(cue, part, last):
            return False
        return self._same_list(cue, part, last)

    def _new_clause(self, cue: Hit, part: Hit, last: int) -> bool:
        """A statement of its own after a comma or a contrast: "not my arm, my chest hurts"."""
        words = self._words
        commas = [index for index in range(cue.last + 1, part.first + 1) if words[index].after_comma]
        if commas and self._has("new_statement", commas[-1], last):
            return True
        contrasts = self._cue["contrast"].starting(cue.last + 2, part.first)
        return any(words[hit.first - 1].plain not in _THINKING for hit in contrasts)

    def _same_list(self, cue: Hit, part: Hit, last: int) -> bool:
        """After a first negated sign only "or", "and", commas go on; "I", "my", "can't" begin anew."""
        signs = self._signs.starting(cue.last + 1, part.first - 1)
        earlier = [sign.last for sign in signs if sign.last < part.first]
        if not earlier:
            return True
        start = min(earlier)
        if self._has("new_statement", start + 1, part.first):
            return False
        joined = self._has("list_goes_on", start + 1, part.first - 1)
        commas = any(self._words[index].after_comma for index in range(start + 1, part.first + 1))
        return joined or (commas and self._item_ends(last))

    def _item_ends(self, last: int) -> bool:
        """Whether a comma, "or" or the end follows: "no fever, chest pain" yes, "chest pain since 3" no."""
        if last + 1 >= len(self._words):
            return True
        following = self._words[last + 1]
        ends = following.sentence != self._words[last].sentence or following.after_comma
        return ends or following.plain in _AFTER_A_LIST or self._has("list_goes_on", last + 1, last + 1)

    def _listed(self, cue: Hit, part: Hit) -> bool:
        """A long list under one negation: "no fever, chills, redness, swelling, drainage or chest pain"."""
        words = self._words
        if words[part.first].sentence != words[cue.last].sentence or part.first - cue.last > _LONGEST_LIST:
            return False
        start, end = cue.last + 1, part.first - 1
        if self._has("scope_end", start, end) or self._has("new_statement", start, part.first):
            return False
        commas = sum(words[index].after_comma for index in range(start, part.first))
        return commas >= 2 or (commas >= 1 and self._has("list_goes_on", start, end))

    def _denied_after(self, match: Match) -> bool:
        """ "Breathing is fine": good news right after the sign, with nothing before that spoils it."""
        if match.first and self._words[match.first - 1].plain in _QUESTION_VERBS:
            return False  # "is pus normal" asks, it does not deny
        named = match.parts[0]
        if match.rule.startswith("mention-") and self._has("after_negation", named.last + 1, named.last + 1):
            return True  # "heart fine, just sore": the good word belongs to the part named
        for hit in self._cue["after_negation"].starting(match.last + 1, match.last + 4):
            if self._is_very(hit):
                continue
            near = self._words[max(0, match.first - 3) : hit.first]
            same = self._words[hit.first].sentence == self._words[match.last].sentence
            if (
                same
                and self._gap_after(match, hit) <= 2
                and all(word.plain not in _SPOILERS for word in near)
            ):
                return True
        return False

    def _is_very(self, hit: Hit) -> bool:
        """ "Bien" before another word means "very": "me silba bien feo"."""
        words = self._words
        if words[hit.last].plain != "bien" or hit.last + 1 >= len(words):
            return False
        following = words[hit.last + 1]
        same = following.sentence == words[hit.last].sentence and not following.after_comma
        return same and following.plain not in _AFTER_BIEN

    def _is_harmless(self, match: Match) -> Cause | None:
        """It has always been so, "passed out" means sleep, or the ambulance was for somebody else."""
        sentence = self._words[match.first].sentence
        if self._cue["elsewhere"].hits and self._is_anothers(match):
            return "elsewhere"
        if match.rule == "fainting" and self._words[match.first].plain in _SLEEPY:
            near = self._cue["asleep"].starting(match.first, match.last + _FAR)
            if any(self._gap_after(match, hit) <= _SLEEP_REACH for hit in near):
                return "asleep"
        if match.rule.split("-")[0] not in _JOKED_WITH:
            return None
        usual = self._cue["usual"].starting(match.first - _FAR, match.last + _FAR)
        same = [hit for hit in usual if self._words[hit.first].sentence == sentence]
        if same and not self._has("not_usual", match.first - _FAR, match.last + _FAR):
            return "usual"
        return None

    def _is_anothers(self, match: Match) -> bool:
        """An ambulance, or the heart attack of someone named before: it moves a visit, no more."""
        if match.rule == "generic":
            return True
        before = self._finder.hits("relative")
        return match.rule in ("heart", "stroke") and any(
            match.first - LONGEST_CUE <= hit.first < match.first for hit in before
        )

    # ------------------------------------------------------------------ past, general, resolved
    def _same_clause(self, hit: Hit, match: Match) -> bool:
        """In the same sentence with no "but" or "now" in between."""
        if self._words[hit.first].sentence != self._words[match.first].sentence:
            return False
        low, high = (hit.last, match.first) if hit.last < match.first else (match.last, hit.first)
        return not self._has("scope_end", low + 1, high - 1)

    def _around(self, group: str, match: Match) -> list[Hit]:
        hits = self._cue[group].starting(match.first - _FAR, match.last + _FAR)
        return [hit for hit in hits if self._same_clause(hit, match)]

    def _distance(self, hit: Hit, match: Match) -> int:
        if hit.last < match.first:
            return self._gap_before(hit, match)
        return max(0, self._gap_after(match, hit))

    def _is_past(self, match: Match) -> bool:
        pasts = self._around("past", match)
        if not pasts:
            return False
        nearest = min(self._distance(hit, match) for hit in pasts)
        return nearest <= _PAST_REACH and not any(
            self._distance(hit, match) < nearest for hit in self._around("present", match)
        )

    def _is_general(self, match: Match) -> bool:
        if any(self._asks_if(hit, match) for hit in self._ifs.starting(match.first - _FAR, match.first - 1)):
            return True
        for hit in self._weak_ifs.starting(match.first - _FAR, match.first - 1):
            near = self._same_clause(hit, match) and self._gap_before(hit, match) <= _IF_REACH
            if near and not self._has("own_now", hit.last + 1, match.first):
                return True
        if any(mine.first <= match.first for mine in self._around("own_now", match)):
            return self._asks_about_condition(match)
        return bool(self._around("general_anywhere", match))

    def _asks_if(self, hit: Hit, match: Match) -> bool:
        """ "What if", "can it": in general, unless a statement of one's own follows before the sign."""
        words = self._words
        if words[hit.first].sentence != words[match.first].sentence:
            return False
        if self._gap_before(hit, match) > _IF_REACH or self._has("scope_end", hit.last + 1, match.first - 1):
            return False
        own = self._cue["own_now"].starting(hit.last + 1, match.first)
        return not any(
            words[mine.first].after_comma
            or (self._finder.gap(hit, mine) >= _OWN_AFTER and words[mine.first].plain not in ("my", "its"))
            for mine in own
        )

    def _asks_about_condition(self, match: Match) -> bool:
        """ "I have seizures, is it safe": a condition someone lives with, when nothing says it is now."""
        if match.rule not in _CONDITIONS:
            return False
        return bool(self._cue["condition_question"].hits) and not self._cue["present"].hits

    def _no_good_news(self, hit: Hit) -> bool:
        """ "Can't breathe good since noon": the good word belongs to what is wrong."""
        return self._words[hit.first].plain in _GOOD and self._spoiled(hit, 4)

    def _is_resolved(self, match: Match) -> bool:
        for hit in self._cue["resolved"].starting(match.first - LONGEST_CUE, match.last + _FAR):
            if self._has("not_resolved", hit.last - 4, hit.last + 4) or self._no_good_news(hit):
                continue
            inside = match.first <= hit.first <= match.last and not starts_inside(hit, match.parts)
            after = hit.first > match.last and not self._has("scope_end", match.last + 1, hit.first - 4)
            close = after and self._gap_after(match, hit) <= _RESOLVED_REACH
            before = hit.last < match.first and self._gap_before(hit, match) <= 2
            if inside or close or before:
                return True
        return False


# Rules whose sign people use as a joke about a price: "heart attack when I saw the bill".
_JOKED_WITH = frozenset(
    "generic heart mention fainting stroke breathing seizure swallowing crisis bleeding vomiting fever bad "
    "worse weakness numbness help confusion sugar".split()
)
# Rules whose sign is also the name of a long-standing condition.
_CONDITIONS = frozenset(
    "seizure fainting heart allergy stroke rash cannot-move sugar numbness infection".split()
)
