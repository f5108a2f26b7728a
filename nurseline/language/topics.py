"""Which topic a text is about: whole messages and strong signs by table, everything else by the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from nurseline.language.features import MOST_WORDS, features
from nurseline.language.meaning import TOPICS, Evidence, Topic
from nurseline.language.model import MODEL_FILE, LinearModel, load_model
from nurseline.language.normalise import Word
from nurseline.language.reader import Look, Reader, reader

# How sure the model must be. A wrong answer is worse than a question back; a nurse's call is never wrong, so
# topics that go to a person need less.
SURE_ANSWER = 0.44
SURE_PERSON = 0.36
SURE_SEGMENT = 0.6
# How sure that a text is about nothing of ours: then no guess at its topic is offered.
SURE_NOTHING = 0.3
# How sure of an opt-out that no rule knows; and of another topic, so that a rule's opt-out is doubted.
SURE_OPT_OUT = 0.55
SURE_NO_OPT_OUT = 0.6
_BESIDE_AN_OPT_OUT = ("stop", "wrong_number", "unknown")
_TO_A_PERSON: frozenset[str] = frozenset(("clinical", "nurse", "admin", "schedule"))
_CANDIDATES = 2
_NEVER_OFFERED = frozenset(("unknown", "stop", "start", "thanks", "wrong_number", "help", "language", "menu"))
_JOINTS = frozenset("and also plus y tambien ademas but pero or then e".split())
_SEGMENT_WORDS = 2
# Questions that can stand beside another in one message.
_ANSWERABLE: frozenset[str] = frozenset(
    "what conditions expect recovery onset duration risks suitability schedule nurse clinical admin".split()
)


@dataclass(frozen=True, slots=True)
class Classified:
    """The topic of a text, how sure, why, and the likeliest topics when it is unknown."""

    topic: Topic
    confidence: float
    evidence: tuple[Evidence, ...]
    candidates: tuple[Topic, ...] = ()


@cache
def _model() -> LinearModel:
    return load_model(MODEL_FILE)


def _features(using: Reader, look: Look) -> list[str]:
    return features(look.reading.words, look.hits, using.lexicon.corrected, look.reading.asks, using.signs)


def as_topic(label: str) -> Topic:
    """A label of the model or a rule file as a Topic."""
    for topic in TOPICS:
        if topic == label:
            return topic
    raise ValueError(f"{label!r} is no topic")


def classify(using: Reader, look: Look) -> Classified:
    """The topic of a whole text."""
    reading = look.reading
    topic = whole_message(using, [word.plain for word in reading.words])
    if topic is not None:
        return Classified(topic, 0.97, (Evidence(f"whole-{topic}", reading.said(0, len(reading.words) - 1)),))
    for name, rule in using.strong:
        matches = look.finder.find(rule)
        if matches:
            said = reading.said(matches[0].first, matches[0].last)
            return Classified(as_topic(name), 0.95, (Evidence(rule.id, said),))
    return _by_model(using, look)


def whole_message(using: Reader, words: Sequence[str]) -> Topic | None:
    """The topic of a message that is one of the listed phrases, apart from polite words around it."""
    if len(words) > 9:
        return None
    starts = [0]
    while starts[-1] < len(words) and words[starts[-1]] in using.polite:
        starts.append(starts[-1] + 1)
    ends = [len(words)]
    while ends[-1] > 0 and words[ends[-1] - 1] in using.polite:
        ends.append(ends[-1] - 1)
    found = (using.whole.get(" ".join(words[start:end])) for start in starts for end in ends if start < end)
    topic = next((topic for topic in found if topic is not None), None)
    return None if topic is None else as_topic(topic)


def opt_out_chance(using: Reader, look: Look) -> float:
    """How likely a text opts out, by the model."""
    guesses = _model().guesses(_features(using, look))
    return next(guess.probability for guess in guesses if guess.label == "stop")


def is_about_something_else(using: Reader, look: Look) -> bool:
    """Whether a text of a length that the model reads is surely about a topic of its own."""
    best = _model().guesses(_features(using, look))[0]
    other = best.label not in _BESIDE_AN_OPT_OUT and best.probability >= SURE_NO_OPT_OUT
    return other and len(look.reading.words) <= MOST_WORDS


def load() -> None:
    """Load the model now."""
    _model()


def _by_model(using: Reader, look: Look) -> Classified:
    seen = _features(using, look)
    ranked = _model().guesses(seen)
    best = ranked[0]
    enough = SURE_PERSON if best.label in _TO_A_PERSON else SURE_ANSWER
    reasons = reasons_said(look, _model().reasons(seen, best.label))
    candidates = tuple(as_topic(guess.label) for guess in ranked if guess.label not in _NEVER_OFFERED)[
        :_CANDIDATES
    ]
    if best.label == "unknown" and best.probability >= SURE_NOTHING:
        return Classified("unknown", best.probability, reasons)
    if best.label in ("unknown", "stop") or best.probability < enough:
        return Classified("unknown", best.probability, reasons, candidates)
    return Classified(as_topic(best.label), best.probability, reasons)


def reasons_said(look: Look, reasons: Sequence[str]) -> tuple[Evidence, ...]:
    """The reasons of a model in the patient's words."""
    found: list[Evidence] = []
    for reason in reasons:
        kind, _, name = reason.partition(":")
        if kind == "g":
            hits = look.finder.hits(f"topics.{name}") or look.finder.hits(name)
            if hits:
                found.append(Evidence(f"topic-word:{name}", look.reading.said(hits[0].first, hits[0].last)))
        elif kind == "r":
            found += _signreasons_said(look, name)
        elif kind in ("w", "p", "first"):
            found.append(Evidence("topic-model", name))
        elif kind == "x":
            found.append(Evidence("topic-model", name.replace("+", " with ")))
    return tuple(dict.fromkeys(found))


def _signreasons_said(look: Look, name: str) -> list[Evidence]:
    sign_id = "r:" + name.partition(".")[0].rstrip("+")
    rule = next((sign for sign in reader().signs if sign.id == sign_id), None)
    matches = look.finder.find(rule) if rule is not None else []
    return [Evidence(f"sign-{m.rule[2:]}", look.reading.said(m.first, m.last)) for m in matches[:1]]


# ---------------------------------------------------------------------- two questions in one message
def two_topics(using: Reader, look: Look, whole: Classified) -> tuple[Topic, Topic] | None:
    """The two questions of a message in the order asked, when both are clear; None for one question."""
    words = look.reading.words
    if len(words) < 2 * _SEGMENT_WORDS + 1 or len(words) > 60:
        return None
    found: list[Topic] = []
    for segment in _segments(words):
        topic = _segment_topic(using, look, segment)
        if topic is not None and topic not in found:
            found.append(topic)
    if len(found) < 2:
        return None
    if whole.topic != "unknown" and whole.topic not in found[:2]:
        return None
    return found[0], found[1]


def _segments(words: Sequence[Word]) -> list[Sequence[Word]]:
    segments: list[Sequence[Word]] = []
    start = 0
    for index, word in enumerate(words):
        if index > start and (
            word.plain in _JOINTS or word.sentence != words[index - 1].sentence or word.after_comma
        ):
            segments.append(words[start:index])
            start = index + 1 if word.plain in _JOINTS else index
    segments.append(words[start:])
    return [segment for segment in segments if len(segment) >= _SEGMENT_WORDS][:6]


def _segment_topic(using: Reader, look: Look, segment: Sequence[Word]) -> Topic | None:
    hits = using.lexicon.find(segment)
    seen = features(segment, hits, using.lexicon.corrected, look.reading.asks, using.signs)
    best = _model().guesses(seen)[0]
    if best.label not in _ANSWERABLE or best.probability < SURE_SEGMENT:
        return None
    return as_topic(best.label)
