"""Why a meaning was chosen, in words a nurse can check."""

from functools import cache

from rapidfuzz.fuzz import token_set_ratio
from rapidfuzz.process import extract

from nurseline.language.emergency import rule_titles
from nurseline.language.examples_file import EXAMPLES, Example, read_examples
from nurseline.language.lexicon import FUNCTION_WORDS
from nurseline.language.meaning import Evidence, Meaning

_CAUSES = {
    "negated": "but it is denied",
    "past": "but it was long ago",
    "resolved": "but it has passed",
    "general": "but it is asked in general or as a what-if",
    "figure": "but it is a figure of speech",
    "beside": "beside a joke about a price, or of an animal",
    "usual": "as it always is, or said with a laugh",
    "asleep": "said of sleep",
    "doubted": "but the text as a whole does not sound like one",
    "elsewhere": "somebody else's, in a message about a visit",
}
_TOPIC_WORDS = {
    "what": "what the injection is",
    "conditions": "which conditions are treated",
    "expect": "what to expect during treatment",
    "recovery": "soreness and recovery",
    "onset": "when it starts to work",
    "duration": "how long relief lasts",
    "risks": "risks and side effects",
    "suitability": "whether it is right for them",
    "schedule": "getting an appointment for an injection",
    "nurse": "talking to a person",
    "clinical": "a medical question the clinic's text does not answer",
    "admin": "the office: visits, money, papers",
    "menu": "a greeting or the menu",
    "thanks": "thanks or a plain ok",
    "help": "help",
    "stop": "no more messages",
    "start": "messages again",
    "wrong_number": "a wrong number",
    "language": "the language",
}
_LEAST_ALIKE = 55


def sentence(meaning: Meaning) -> str:
    """One sentence: what was understood and from which words."""
    if meaning.tier == "emergency":
        start = "Emergency"
    elif meaning.tier == "urgent":
        start = "A nurse should call the same day"
    elif meaning.choice is not None:
        return f"The message is only the number {meaning.choice}."
    elif meaning.command is not None:
        return f"The message is only the menu word '{meaning.command}'."
    elif meaning.topic == "unknown" and meaning.daypart is not None:
        return f"The message is only a time of day: {meaning.daypart}."
    elif meaning.topic == "unknown":
        start = "Not sure what is asked"
    else:
        start = f"Asks about {_TOPIC_WORDS.get(meaning.topic, meaning.topic)}"
    if meaning.tier == "review":
        start += ", and staff should look at it"
    if meaning.second_topic:
        start += f"; also about {_TOPIC_WORDS.get(meaning.second_topic, meaning.second_topic)}"
    telling = [item for item in meaning.evidence if not _says_little(item)] or meaning.evidence
    reasons = list(dict.fromkeys(_reason(item) for item in telling))
    return f"{start}: {'; '.join(reasons)}." if reasons else f"{start}."


def _says_little(evidence: Evidence) -> bool:
    """Whether a reason is of use to a program only: words like "the", or two groups of ours that met."""
    words = evidence.words.casefold().split()
    return "_" in evidence.words or FUNCTION_WORDS.issuperset(words) or "#" in words


def _reason(evidence: Evidence) -> str:
    rule, _, cause = evidence.rule.partition(" (")
    title = rule_titles().get(rule)
    if rule == "tier-model":
        return f"it reads like the red-flag examples: '{evidence.words}'"
    if title is None:
        return f"the words '{evidence.words}'"
    lowered = _CAUSES.get(cause.rstrip(")"))
    return f"'{evidence.words}' ({title.lower()}{', ' + lowered if lowered else ''})"


@cache
def _build_examples() -> tuple[Example, ...]:
    return tuple(row for path in sorted(EXAMPLES.glob("build-*.tsv")) for row in read_examples(path))


def nearest(text: str, count: int = 2) -> list[Example]:
    """The examples of the build files most like a text; none when nothing is alike."""
    rows = _build_examples()
    found = extract(
        text.lower()[:300],
        [row.text.lower() for row in rows],
        scorer=token_set_ratio,
        limit=count,
        score_cutoff=_LEAST_ALIKE,
    )
    return [rows[index] for _, _, index in found]
