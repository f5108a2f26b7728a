"""Short replies to a menu: a number, a menu word, yes or no, a time of day."""

from collections.abc import Sequence

from nurseline.language.meaning import Command, Daypart

_NUMBERS: dict[str, int] = {
    word: value
    for value, words in enumerate(
        (
            "zero cero oh",
            "one uno una won first primero primera primer",
            "two dos to too second segundo segunda",
            "three tres tree third tercero tercera tercer",
            "four cuatro for fore fourth cuarto cuarta",
            "five cinco fifth quinto quinta",
            "six seis sixth sexto sexta",
            "seven siete seventh septimo",
            "eight ocho ate eighth octavo",
            "nine nueve ninth noveno",
        )
    )
    for word in words.split()
}
# "to" or "for" is a number only when nothing else was said.
_ALONE_ONLY = frozenset("oh won to too tree for fore ate una first second third primer".split())
_AROUND_A_NUMBER = frozenset(
    "option opcion number numero num no nr press pick choose choice select reply answer menu the la el los please pls "
    "por favor favor i want quiero would like ill take id go with elijo escojo oprimo presiono marco its es item digit "
    "dial key tecla a an my mi respuesta thanks gracias ok okay um uh that one on".split()
)

_COMMANDS: dict[str, Command] = {
    phrase: command
    for command, phrases in (
        (
            "more",
            "more|tell me more|more info|more please|read more|keep going|continue|next|go on|and|show more|mas|"
            "mas informacion|dime mas|digame mas|siguiente|continua|continuar|sigue|sigan|mas por favor|cuenteme mas|"
            "what else|anything else|que mas|more information|see more|ver mas|more details|mas detalles|go ahead|siga",
        ),
        (
            "menu",
            "menu|main menu|the menu|menu please|options|home|start over|show menu|see menu|menu principal|inicio|"
            "opciones|el menu|al menu|ver menu|ver opciones|home menu|top|volver al menu|back to menu|back to the menu|"
            "restart|list options|go to menu|main|principal|volver a empezar|show me the menu|what are my options",
        ),
        (
            "repeat",
            "repeat|repeat that|again|say again|say that again|come again|one more time|repite|repita|repetir|"
            "otra vez|de nuevo|repitelo|repitalo|what was that|what did you say|repeat please|como dijo|pardon|"
            "can you repeat that|can you say that again|puede repetir|me lo repite|que dijo|repeat it|send again|"
            "send that again|say it again|huh|please repeat|una vez mas|mande",
        ),
        (
            "yes",
            "yes|y|yeah|yep|yup|yea|ya|sure|si|sip|claro|claro que si|correct|affirmative|please do|yes please|"
            "si por favor|por supuesto|of course|ok yes|yes thanks|yess|yes i do|uh huh|absolutely|definitely|"
            "si quiero|si gracias|sure thing|sounds good|that works|dale|esta bien si|yes maam|yes sir|ye|simon|"
            "yes i would|id like that|yes that works|sure please|mhm|bueno si|asi es|correcto|yessir",
        ),
        (
            "no",
            "no|n|nope|nah|no thanks|no thank you|no gracias|not now|nop|negative|para nada|ahora no|not really|"
            "no im good|im good|no need|not today|no por ahora|naw|no i dont|no maam|no sir|no not now|not right now|"
            "nothing else|thats all|that is all|nada mas|eso es todo|no es todo|none|nah im good|no im ok",
        ),
        (
            "back",
            "back|go back|previous|regresar|volver|atras|regresa|para atras|last one|one back|back please|return|"
            "regrese|vuelve|anterior|volver atras|ir atras",
        ),
    )
    for phrase in phrases.split("|")
}

_POLITE = frozenset("please pls por favor thanks thank you gracias ok okay um uh well so bueno pues hey".split())

_DAYPARTS: dict[str, Daypart] = {
    word: daypart
    for daypart, words in (
        ("morning", "morning mornings am earlymorning early manana mananas temprano breakfast"),
        ("afternoon", "afternoon afternoons noon pm midday lunch lunchtime tarde tardes mediodia"),
        ("evening", "evening evenings night nights tonight late dinner noche noches nochecita"),
        ("any", "anytime whenever any cualquier cualquiera whatever always siempre"),
    )
    for word in words.split()
}
_AROUND_A_DAYPART = frozenset(
    "in the a an i im would like prefer id is are best better good works work fine for me at on around about after "
    "before between and or to from time times day days of any whenever please pls thanks thank you ok tomorrow today "
    "monday tuesday wednesday thursday friday next week weekday weekdays late mid only call available free can do it "
    "por la en el las los de a al una que sea cuando como gracias favor mejor prefiero hoy lunes martes miercoles "
    "jueves viernes despues antes entre y hora horas momento quieran gusten pueda puedan estoy libre disponible me "
    "queda esta bien seria si yes yeah maybe preferably usually works its does not doesnt matter dont mind care "
    "importa no igual da hrs oclock ish noon sharp then if possible possibly either really just whatever suits your "
    "you schedule right now asap soon lo mas pronto posible ya ahora mismo".split()
)
_ANY_PHRASES = (
    "doesnt matter",
    "does not matter",
    "dont care",
    "dont mind",
    "no importa",
    "da igual",
    "cuando sea",
    "cuando puedan",
    "cuando quieran",
    "cuando gusten",
    "anytime",
    "any time",
    "whenever",
    "a cualquier hora",
    "cualquier hora",
    "asap",
    "right now",
    "lo mas pronto",
    "all day",
    "todo el dia",
    "either is fine",
    "no preference",
    "up to you",
)


def choice(words: Sequence[str], signs: Sequence[str] = ()) -> int | None:
    """The number, when the message is nothing but a number ("1", "1.", "one", "#1", "option 2", "uno")."""
    found: list[int] = []
    for word in words:
        if word.isdigit() and len(word) <= 2:
            found.append(int(word))
        elif word in _NUMBERS and (len(words) == 1 or word not in _ALONE_ONLY or "option" in words):
            found.append(_NUMBERS[word])
        elif word not in _AROUND_A_NUMBER:
            return None
    if len(found) == 2 and "one" in words[-2:] and words[0] in ("the", "that"):
        return found[0]
    if not found and words and words[-1] in ("first", "second", "third", "one"):
        return _NUMBERS[words[-1]]
    return found[0] if len(set(found)) == 1 else None


def command(words: Sequence[str]) -> Command | None:
    """The menu command, when the message is nothing but that."""
    if not words or len(words) > 9:
        return None
    whole = " ".join(words)
    if whole in _COMMANDS:
        return _COMMANDS[whole]
    kept = [word for word in words if word not in _POLITE]
    return _COMMANDS.get(" ".join(kept))


def daypart(words: Sequence[str]) -> Daypart | None:
    """The time of day, when the message is nothing but that ("mornings", "after 3pm", "por la tarde")."""
    if not words or len(words) > 16:
        return None
    whole = " ".join(words)
    if "good" == words[0] or whole.startswith(("buenos dias", "buenas")):
        return None
    found: Daypart | None = None
    for index, word in enumerate(words):
        part = _DAYPARTS.get(word) or _clock(word, words[index + 1] if index + 1 < len(words) else "")
        if part is None and word not in _AROUND_A_DAYPART and not _is_clock(word):
            return None
        if part is not None and (found is None or found == "any"):
            found = part
    if any(phrase in whole for phrase in _ANY_PHRASES) and found in (None, "any"):
        return "any"
    return found


def _is_clock(word: str) -> bool:
    return word.rstrip("apm").replace(":", "").replace("h", "").isdigit() and len(word) <= 7


def _clock(word: str, following: str) -> Daypart | None:
    """A clock time as a time of day: "9am", "9" + "am", "3pm", "17:00". A bare hour 1-6 means afternoon."""
    digits = word.rstrip("apm").split(":")[0]
    if not digits.isdigit() or len(digits) > 2 or not _is_clock(word):
        return None
    hour, mark = int(digits), word.lstrip("0123456789:") or following
    if mark == "am":
        return "morning"
    if mark == "pm" and hour < 12:
        hour += 12
    elif mark != "pm" and 1 <= hour <= 6:
        hour += 12
    if hour > 23:
        return None
    return "morning" if hour < 12 else "afternoon" if hour < 17 else "evening"
