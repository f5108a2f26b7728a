"""Which language a text is written in, from its little words."""

from collections.abc import Sequence

from nurseline.language.meaning import Language

_SPANISH = frozenset(
    "el la los las un una unos unas de del al que y o en por para con sin mi mis tu su sus se me te le lo nos es son esta "
    "estan estoy soy eres ser estar fue era hay he ha han tengo tiene tienen tener puedo puede pueden poder quiero quiere "
    "quieren como cuando cuanto cuanta cuantos cuantas donde quien porque pero muy mas si ya hoy ayer manana ahora "
    "gracias hola buenos buenas dias tardes noches favor cita inyeccion inyecciones dolor duele duelen pecho aire "
    "respirar cabeza fiebre sangre brazo pierna cuello espalda hombro cara garganta lengua doctor enfermera ayuda "
    "necesito siento sintoma pastillas medicina numero equivocado alto basta pare parar espanol nada todo todos desde "
    "hasta despues antes todavia sigo sigue esto eso esta este ese cual cuales bien mal mejor peor poco mucho mucha "
    "mama papa esposo esposa hijo hija abuela abuelo senora senorita hielo calor cuesta abren cierran direccion horario "
    "seguro mensajes mandar manden llamen llamar enviar envien escriban ambulancia emergencia morir vivir matarme sobredosis "
    "ronchas mareo mareado mareada desmaye desmayo moreton sangrando sangra hinchado hinchada rojo caliente sirve "
    "efecto efectos secundarios riesgos gatillo puntos cuidados banarme manejar trabajar comer tomar otra vez quisiera "
    "jaja adios perdon disculpe oiga ando traigo dio salio puse pusieron ponen da van voy va dejen quiten borren cancelar "
    "baja menu uno dos tres cuatro cinco embarazada diabetico diabetica azucar presion precio".split()
)
_ENGLISH = frozenset(
    "the a an of to and or in on at for with without my your his her their its it is are was were be been am i im ive you "
    "he she they we this that these those have has had do does did dont doesnt didnt can cant could would should will "
    "wont what when where who how why which not no yes but if so just from about after before since still more than "
    "there here get got getting feel feels feeling hurt hurts pain shot shots injection injections need want please "
    "thanks thank hello hi hey call me stop text texts help nurse doctor appointment today tomorrow yesterday day days "
    "week weeks how long much many take any some all out up down back now really very too long last work start".split()
)
# In both lists these words say little.
_BOTH = frozenset("me no a he has to doctor menu stop la la".split())


def tongue(words: Sequence[str], text: str, language: str) -> Language:
    """The language of a text; when its words do not tell, the language the contact uses."""
    spanish = sum(1 for word in words if word in _SPANISH and word not in _BOTH)
    english = sum(1 for word in words if word in _ENGLISH and word not in _BOTH)
    if any(mark in text for mark in "ñ¿¡Ñ"):
        spanish += 1
    if spanish != english:
        return "es" if spanish > english else "en"
    return "es" if language == "es" else "en"
