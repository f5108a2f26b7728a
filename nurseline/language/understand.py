"""Text to meaning: the emergency check first, then opt-out, short replies, whole messages and topics.

Order of decisions (the first that holds):
1. emergency or urgent (rules: emergency.py, the model under them: net.py), of the text alone or joined with
   one received within two minutes;
2. opt-out (optout.py); 3. a number, a menu word, a time of day (short.py);
4. a whole message or a strong sign (rules/topics.toml); 5. the topic model, which abstains when unsure.
"""

from dataclasses import dataclass, replace

from nurseline.language import net, short, topics
from nurseline.language.emergency import RANK, Alarm
from nurseline.language.meaning import Command, Daypart, Evidence, Language, Meaning, Topic
from nurseline.language.net import certain_emergency, weigh
from nurseline.language.reader import Look, Reader, reader
from nurseline.language.topics import (
    SURE_OPT_OUT,
    classify,
    is_about_something_else,
    opt_out_chance,
    two_topics,
    whole_message,
)

_THUMBS = frozenset("👍👌🙏😊🙂❤♥💕😀😃😁👏✅💯🤗😘💙💜🤝✔👋")
_PLEADING = frozenset("🆘🚨🚑")
_FRAGMENT = 3  # words that may be the rest of a sentence begun in the text before


@dataclass(frozen=True, slots=True)
class _Short:
    """What a short reply to a menu says, if the text is one."""

    choice: int | None
    command: Command | None
    daypart: Daypart | None

    @property
    def said(self) -> bool:
        return self.choice is not None or self.command is not None or self.daypart is not None


def understand(
    text: str, *, language: str = "en", place: str | None = None, previous: str | None = None
) -> Meaning:
    """What a text means. `previous` is a text from the same number within the last two minutes.

    Pure: the same arguments give the same meaning. Never raises, whatever the text.
    """
    using = reader()
    look = using.look(text, language)
    alarm = using.emergency.check(look.reading, look.finder)
    optout = using.optout.check(look.reading, look.finder)
    if RANK[alarm.tier] < RANK["urgent"] and optout is not None:
        optout = _kept(using, look, optout)
    if optout is not None and alarm.tier == "none" and not using.optout.is_plain(optout):
        alarm = certain_emergency(using, look) or alarm
    elif optout is None and not _short(look).said:
        alarm = _net(using, look, alarm)
    alarm = _pleading(look, alarm)
    if RANK[alarm.tier] < RANK["emergency"]:
        alarm = _joined_alarm(using, text, previous, alarm, language)
    if alarm.tier in ("emergency", "urgent"):
        if optout is not None and _means_life(using, look, alarm):
            optout = None
        second: Topic | None = "stop" if optout else None
        evidence = alarm.evidence + ((optout,) if optout else ())
        return Meaning(alarm.tier, alarm.tier, 0.95, evidence, second_topic=second, language=look.language)
    meaning = _ordinary(using, look, optout, place)
    if optout is None and meaning.topic == "unknown" and alarm.tier == "none":
        meaning = _guessed_optout(using, look, meaning)
    if meaning.topic == "unknown" and previous and not meaning.choice and not meaning.command:
        meaning = _with_previous(using, text, previous, language, place) or meaning
    return replace(meaning, tier=alarm.tier, evidence=meaning.evidence + alarm.evidence)


def load() -> None:
    """Load every rule and model now: a broken file stops the start, not the first text."""
    reader()
    net.load()
    topics.load()


def keyed(digit: str) -> Meaning:
    """A key pressed in a call: a number is a choice, 0 asks for the nurse, * repeats, # is the menu."""
    evidence = (Evidence("key", digit[:20]),)
    if digit == "*":
        return Meaning("none", "unknown", 1.0, evidence, command="repeat")
    if digit == "#":
        return Meaning("none", "menu", 1.0, evidence, command="menu")
    if digit.isascii() and digit.isdigit():
        number = int(digit[:9])
        return Meaning("none", "nurse" if number == 0 else "unknown", 1.0, evidence, choice=number)
    return Meaning("none", "unknown", 0.0, evidence)


def _means_life(using: Reader, look: Look, alarm: Alarm) -> bool:
    """Whether "end it", "no more" in a crisis is about life and not about messages."""
    crisis = any(item.rule.startswith("crisis") for item in alarm.evidence)
    return crisis and not using.optout.names_messages(look.finder)


def _net(using: Reader, look: Look, alarm: Alarm) -> Alarm:
    """What the tier model adds, for a text that is no listed whole message."""
    if whole_message(using, [word.plain for word in look.reading.words]) is not None:
        return alarm
    return weigh(using, look, alarm)


def _pleading(look: Look, alarm: Alarm) -> Alarm:
    signs = [sign for sign in look.reading.signs if sign in _PLEADING]
    if signs and RANK[alarm.tier] < RANK["emergency"] and len(look.reading.words) <= 6:
        return Alarm("emergency", (Evidence("generic", signs[0]), *alarm.evidence))
    return alarm


def _joined_alarm(using: Reader, text: str, previous: str | None, alone: Alarm, language: str) -> Alarm:
    """The alarm of a message split in two. When the first half had raised one by itself, the second half
    raises it again only if it goes on with it: another sign, or nothing that is clear by itself."""
    if not previous or not previous.strip():
        return alone
    before = using.look(previous, language)
    earlier = using.emergency.check(before.reading, before.finder)
    if RANK[earlier.tier] >= RANK["urgent"]:
        if alone.tier == "none" and not _goes_on(using, text, language):
            return alone
        again = Alarm(earlier.tier, (Evidence("message-before", previous[:160]), *earlier.evidence))
        return again if RANK[again.tier] > RANK[alone.tier] else alone
    best = alone
    for whole in (f"{previous} {text}", f"{previous}{text}"):
        look = using.look(whole, language)
        alarm = using.emergency.check(look.reading, look.finder)
        if RANK[alarm.tier] > RANK[best.tier]:
            best = alarm
    return best


def _goes_on(using: Reader, text: str, language: str) -> bool:
    """Whether a text after an alarm goes on with it: it is nothing that is clear by itself."""
    look = using.look(text, language)
    words = [word.plain for word in look.reading.words]
    if not words or _short(look).said or _optout(using, look):
        return False
    if whole_message(using, words) is not None:
        return False
    return len(words) <= _FRAGMENT or classify(using, look).topic == "unknown"


def _short(look: Look) -> _Short:
    words = [word.plain for word in look.reading.words]
    choice = short.choice(words)
    command = None if choice is not None else short.command(words)
    daypart = None if command is not None or choice is not None else short.daypart(words)
    return _Short(choice, command, daypart)


def _ordinary(using: Reader, look: Look, optout: Evidence | None, place: str | None) -> Meaning:
    language = look.language
    if optout is not None:
        return Meaning("none", "stop", 0.97, (optout,), language=language)
    if not look.reading.words:
        return _only_signs(look)
    brief = _short(look)
    if brief.said:
        return _brief_meaning(using, look, brief, place)
    found = classify(using, look)
    if found.topic == "language":
        language = _asked_for(look)
    second = two_topics(using, look, found) if found.topic != "language" else None
    topic = second[0] if second else found.topic
    return Meaning(
        "none",
        topic,
        round(found.confidence, 3),
        found.evidence,
        second_topic=second[1] if second else None,
        candidates=found.candidates,
        language=language,
    )


def _optout(using: Reader, look: Look) -> Evidence | None:
    """The opt-out of a text without an alarm."""
    found = using.optout.check(look.reading, look.finder)
    return None if found is None else _kept(using, look, found)


def _kept(using: Reader, look: Look, optout: Evidence) -> Evidence | None:
    """An opt-out of the rules, unless it names no messages and the model is sure of another subject."""
    plain = using.optout.is_plain(optout) or using.optout.names_messages(look.finder)
    return optout if plain or not is_about_something_else(using, look) else None


def _guessed_optout(using: Reader, look: Look, meaning: Meaning) -> Meaning:
    """An opt-out no rule knows, when the topic model is sure of it and nothing speaks against it."""
    if meaning.choice is not None or meaning.command is not None or using.optout.protected(look.finder):
        return meaning
    chance = opt_out_chance(using, look)
    if chance < SURE_OPT_OUT:
        return meaning
    said = look.reading.said(0, len(look.reading.words) - 1)
    evidence = (Evidence("opt-out-model", said),)
    return replace(meaning, topic="stop", confidence=round(chance, 3), evidence=evidence, candidates=())


def _brief_meaning(using: Reader, look: Look, brief: _Short, place: str | None) -> Meaning:
    thanking = (
        brief.command == "yes"
        and whole_message(using, [word.plain for word in look.reading.words]) == "thanks"
    )
    topic: Topic = "thanks" if thanking else "unknown"
    if brief.choice == 0:
        topic = "nurse"
    elif brief.command == "menu":
        topic = "menu"
    elif brief.choice is None and brief.daypart is not None and place is not None and "schedul" in place:
        topic = "schedule"
    said = look.reading.said(0, len(look.reading.words) - 1)
    return Meaning(
        "none",
        topic,
        0.95,
        (Evidence("short-reply", said),),
        choice=brief.choice,
        command=brief.command,
        daypart=brief.daypart,
        language=look.language,
    )


def _only_signs(look: Look) -> Meaning:
    signs = look.reading.signs
    evidence = (Evidence("signs", "".join(signs[:10])),)
    if signs and any(sign[0] in _THUMBS for sign in signs):
        return Meaning("none", "thanks", 0.9, evidence, language=look.language)
    return Meaning("none", "unknown", 0.0, evidence, candidates=("menu", "nurse"), language=look.language)


def _asked_for(look: Look) -> Language:
    """The language a text asks for; a text that names none asks for the one it is written in."""
    words = {word.plain for word in look.reading.words}
    spanish = bool(words & {"spanish", "espanol", "castellano", "espaniol"})
    english = bool(words & {"english", "ingles"})
    if spanish and english:
        negated = bool(words & {"no", "dont", "not", "cant"})
        return "es" if negated or look.language == "es" else "en"
    if english and words & {"no", "dont", "not"}:
        return "es"
    if spanish and words & {"no", "dont", "not"} and look.language == "en" and not words & {"hablo", "do"}:
        return "en"
    return "es" if spanish else "en" if english else look.language


def _with_previous(
    using: Reader, text: str, previous: str, language: str, place: str | None
) -> Meaning | None:
    """A question split over two texts, when neither half could be answered alone."""
    before = using.look(previous, language)
    if not before.reading.words or classify(using, before).topic != "unknown":
        return None
    look = using.look(f"{previous} {text}", language)
    meaning = _ordinary(using, look, _optout(using, look), place)
    return None if meaning.topic == "unknown" else meaning
