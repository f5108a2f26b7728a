"""What the models see of a text: its words, pairs of words, word groups and shapes of questions.

The tier model sees more: which group stands shortly before which ("cant" before a limb), and pieces of words,
so that a spelling or a verb form it never met still says something.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

from nurseline.language.lexicon import LIGHT, Hits
from nurseline.language.normalise import Word
from nurseline.language.patterns import Finder, Rule

MOST_WORDS = 120  # of a text that the models read; more would only blur it
_MOST_NEIGHBOURS = 12
_NEIGHBOUR_REACH = 4  # words
_PIECE = 4  # letters


def features(
    words: Sequence[Word], hits: Hits, corrected: Callable[[str], str], asks: bool, signs: Sequence[Rule]
) -> list[str]:
    """The names of the features a text has, each once, in a stable order. `signs` are shapes of questions."""
    plain = ["#" if word.plain[0].isdigit() else corrected(word.plain) for word in words[:MOST_WORDS]]
    found = [f"w:{word}" for word in plain]
    content = [word for word in plain if word not in LIGHT]
    found += [f"p:{first} {second}" for first, second in pairwise(plain)]
    found += [f"p:{first} {second}" for first, second in pairwise(content)]
    groups = [
        group.removeprefix("topics.")
        for group in hits
        if group[0] not in "=@" and not group.startswith("optout.")
    ]
    found += [f"g:{group}" for group in groups]
    questions = [group for group in groups if group in _COMBINED]
    found += [f"x:{one}+{two}" for one in questions for two in groups if one != two]
    finder = Finder(words, hits)
    for sign in signs:
        lines = finder.lines(sign)
        found += (
            [sign.id] * bool(lines)
            + [f"{sign.id}.{line}" for line in lines]
            + [f"{sign.id}+"] * (len(lines) > 1)
        )
    if plain:
        found += [f"first:{plain[0]}", f"length:{min(len(plain), 12) // 3}"]
    if asks:
        found.append("asks")
    return list(dict.fromkeys(found))


def tier_features(
    words: Sequence[Word], hits: Hits, corrected: Callable[[str], str], asks: bool, signs: Sequence[Rule]
) -> list[str]:
    """The features of `features`, with neighbouring groups and pieces of words."""
    found = features(words, hits, corrected, asks, signs)
    places = sorted(
        (hit.first, hit.last, group)
        for group, group_hits in hits.items()
        if group[0] != "=" and not group.startswith("optout.")
        for hit in group_hits
        if hit.first < MOST_WORDS
    )
    for at, (_, last, group) in enumerate(places):
        found += [
            f"n:{group}>{other}"
            for first, _, other in places[at + 1 : at + 1 + _MOST_NEIGHBOURS]
            if 0 < first - last <= _NEIGHBOUR_REACH
        ]
    for word in words[:MOST_WORDS]:
        if len(word.plain) >= _PIECE and word.plain.isalpha():
            edged = f"^{corrected(word.plain)}$"
            found += [f"c:{edged[at : at + _PIECE]}" for at in range(len(edged) - _PIECE + 1)]
    return list(dict.fromkeys(found))


# Groups whose company says more than they do alone ("can I" + a medicine, "how long" + "last").
_COMBINED = frozenset(
    "may_i how_long how_often when what_is treat_word right_for_me after_word book money the_thing".split()
)
