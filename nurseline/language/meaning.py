"""What a text from a patient means to the line: the one shape that leaves this room."""

from dataclasses import dataclass
from typing import Literal, get_args

Tier = Literal["emergency", "urgent", "review", "none"]
Topic = Literal[
    "what",
    "conditions",
    "expect",
    "recovery",
    "onset",
    "duration",
    "risks",
    "suitability",
    "schedule",
    "nurse",
    "clinical",
    "admin",
    "menu",
    "thanks",
    "help",
    "stop",
    "start",
    "wrong_number",
    "language",
    "unknown",
    "emergency",
    "urgent",
]
Command = Literal["more", "menu", "repeat", "yes", "no", "back"]
Daypart = Literal["morning", "afternoon", "evening", "any"]
Language = Literal["en", "es"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something was decided: the rule or phrase id and the words of the patient that matched it."""

    rule: str
    words: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """A text read by the line.

    `tier` says how fast a person must see it; `topic` which answer it gets; `confidence` is 0..1 for the
    topic (for an emergency or urgent text: for the tier). `second_topic` is a second question in the same
    message; with tier emergency or urgent it is `stop` when the same message also opts out. `candidates`
    are the likeliest topics when the topic is `unknown`. `choice` is set when the message is only a number.
    `language` is what the text is written in, or what it asks for when the topic is `language`.
    """

    tier: Tier
    topic: Topic
    confidence: float
    evidence: tuple[Evidence, ...] = ()
    second_topic: Topic | None = None
    candidates: tuple[Topic, ...] = ()
    choice: int | None = None
    command: Command | None = None
    daypart: Daypart | None = None
    language: Language = "en"


TIERS: tuple[Tier, ...] = get_args(Tier)
TOPICS: tuple[Topic, ...] = get_args(Topic)
