"""Text to meaning: the emergency check first, then opt-out, short replies and topics."""

import re

from nurseline.language import short
from nurseline.language.meaning import Evidence, Meaning, Tier, Topic
from nurseline.language.normalise import read

_FIRST = {
    "emergency": r"cant br?eath?e?|hard to breath|trouble breathing|short of breath|gasping|wheezing|chest (pain|hurt|pressure|tight)|heart attack|throat (is )?(closing|swelling|swollen|tight)|(tongue|lips|face) (is |are )?(swollen|swelling|swoll)|passed out|blacked out|fainted|seizure|unresponsive|bleeding (wont|will not) stop|(wont|cant) stop bleeding|gushing|cant (swallow|walk|move)|face (is )?droop|911|ambulance|emergency|no puedo respirar|falta (el|de) aire|me ahogo|dolor (de|en el) pecho|duele el pecho|no para de sangrar|me desmaye|emergencia|no puedo tragar|garganta",
    "crisis": r"kill myself|\bkms\b|end it all|want to die|dont want to live|suicid|overdose|too many pills|quiero matarme|me quiero morir|sobredosis",
    "urgent": r"fever|chills|\bpus\b|oozing|draining|red streak|spreading redness|hot to (the )?touch|fiebre|calentura|escalofrios|supura",
}
_STOP = r"^(stop|stopall|unsubscribe|unsuscribe|cancel|end|quit|revoke|optout|opt out|remove|alto|pare|parar|basta|detener|cancelar|no mas|baja)( please| pls| thank you| thanks| all)*$|stop (texting|messaging|calling|contacting|sending)|(take|remove) me (off|from)|lose my number|revoke my consent|no me (manden|escriban|envien|llamen|texteen|molesten)|no (quiero|deseo) (mas )?(mensajes|textos)|dont (text|message|contact) me"
_TOPICS: tuple[tuple[Topic, str], ...] = (
    ("start", r"^(start|unstop)$"),
    ("help", r"^(help|ayuda|info)$"),
    ("wrong_number", r"wrong number|numero equivocado|equivoco de numero"),
    ("language", r"espanol|english|spanish|ingles"),
    ("thanks", r"^(ok |okay )?(thx|thanks|thank you|gracias|muchas gracias|ok)$"),
    ("menu", r"^(hi|hello|hey|hola|menu|good morning|buenos dias|buenas tardes)$|who is this"),
    ("admin", r"cost|price|insurance|medicare|address|hours|what time|appointment|\bappt\b|refill|records|cuesta|seguro|horario"),
    ("schedule", r"schedule|make an? (appt|appointment)|book|necesito una cita|agendar"),
    ("nurse", r"nurse|real person|human|call me|talk to|enfermera|llamar"),
    ("clinical", r"\bice\b|heat|shower|bath|drive|work\b|gym|exercise|tylenol|ibuprofen|aspirin|pregnan|diabet|alcohol|beer|hielo|calor|manejar|ibuprofeno|banar"),
    ("duration", r"how long (do|does|will) (it|they|these|the relief).* last|cuanto dura"),
    ("onset", r"start working|kick in|work right away|immediately|efecto"),
    ("recovery", r"sore|hurt|pain|bruise|duele|dolor"),
    ("risks", r"side effect|risk|danger|numb|dizzy|riesgo|efectos secundarios"),
    ("conditions", r"what conditions|treat"),
    ("suitability", r"right for me|good candidate|para mi"),
    ("expect", r"what to expect|what happens|during"),
    ("what", r"what (is|are)|que es|trigger point"),
)
_RANK: dict[Tier, int] = {"none": 0, "review": 1, "urgent": 2, "emergency": 3}
_SPANISH = frozenset("que no el la los las de me mi es por una un para puedo tengo cuanto como cuando hola gracias duele".split())


def understand(
    text: str, *, language: str = "en", place: str | None = None, previous: str | None = None
) -> Meaning:
    """What a text means. `previous` is a text from the same number within the last two minutes."""
    reading = read(text, {})
    words = [word.plain for word in reading.words]
    whole = " ".join(words)
    joined = " ".join(word.plain for word in read((previous or "") + " " + text, {}).words)
    spoken = "es" if sum(word in _SPANISH for word in words) * 3 > len(words) or language == "es" else "en"
    for name, pattern in _FIRST.items():
        match = re.search(pattern, whole) or re.search(pattern, joined)
        if match:
            tier: Tier = "urgent" if name == "urgent" else "emergency"
            topic: Topic = "urgent" if name == "urgent" else "emergency"
            return Meaning(tier, topic, 0.9, (Evidence(f"{name}-seed", match.group()),), language=spoken)
    if match := re.search(_STOP, whole):
        return Meaning("none", "stop", 0.9, (Evidence("stop-seed", match.group()),), language=spoken)
    part, number, order = short.daypart(words), short.choice(words), short.command(words)
    topic = "nurse" if number == 0 else "menu" if order == "menu" else "unknown"
    if part is None and number is None and order is None:
        for candidate, pattern in _TOPICS:
            if match := re.search(pattern, whole):
                evidence = (Evidence(f"{candidate}-seed", match.group()),)
                return Meaning("none", candidate, 0.7, evidence, language=spoken)
    return Meaning("none", topic, 0.5, choice=number, command=order, daypart=part, language=spoken)


def keyed(digit: str) -> Meaning:
    """A key pressed in a call: a number is a choice, 0 asks for the nurse, * repeats, # is the menu."""
    if digit == "*":
        return Meaning("none", "unknown", 1.0, (Evidence("key", digit),), command="repeat")
    if digit == "#":
        return Meaning("none", "menu", 1.0, (Evidence("key", digit),), command="menu")
    if digit.isascii() and digit.isdigit():
        topic: Topic = "nurse" if int(digit) == 0 else "unknown"
        return Meaning("none", topic, 1.0, (Evidence("key", digit),), choice=int(digit))
    return Meaning("none", "unknown", 0.0, (Evidence("key", digit),))
