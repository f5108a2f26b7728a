"""A conversation that remembers its state, and short names for meanings."""

from nurseline.dialogue import State, respond, silence
from nurseline.language.meaning import Meaning


def said(turn) -> list[str]:
    return [say.id for say in turn.say]


def topic(name, **more) -> Meaning:
    return Meaning(more.pop("tier", "none"), name, 1.0, **more)


def number(choice) -> Meaning:
    return Meaning("none", "unknown", 1.0, choice=choice)


def command(name) -> Meaning:
    return Meaning("none", "unknown", 1.0, command=name)


UNKNOWN = Meaning("none", "unknown", 0.0)


class Talk:
    """A conversation that remembers its state."""

    def __init__(self, channel="text", state=None, **always):
        self.channel, self.state, self.always = channel, state or State(), always

    def hear(self, meaning, words="", **more):
        turn = respond(self.state, meaning, channel=self.channel, words=words, **self.always, **more)
        self.state = turn.state
        return turn

    def quiet(self):
        turn = silence(self.state, **self.always)
        self.state = turn.state
        return turn
