"""The whole graph: every point of a call that can be reached, and every way on from it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.walk.steps import (
    ALARM,
    ANSWERED,
    CONSENT,
    HANG_UP,
    KEYS,
    NOBODY,
    RIGHT,
    SAID_NOTHING,
    SILENCE,
    SPOKE,
    WRONG,
    Caller,
    Document,
    Point,
)

CUT_SHORT = ("1", "0", "*", "#", "purple elephants")  # while the words before the ringing are said
TEN_DIGITS = "202 555 0144"


@dataclass(frozen=True)
class Way:
    """One thing a caller does at a point, and where it leads. ``to`` None: the caller has gone."""

    what: str
    to: int | None
    reasons: tuple[str, ...]  # what it put into the queue


@dataclass
class Graph:
    """Points by number, in the order in which they were found, and the ways on from each."""

    points: list[Point] = field(default_factory=list)
    ways: list[list[Way]] = field(default_factory=list)

    def steps_to_a_person(self) -> list[int]:
        """From each point the fewest steps to a ringing telephone or a recorded callback."""
        far = [99] * len(self.points)
        for number, point in enumerate(self.points):
            if point.document.kind in {"rings", "ends"}:
                far[number] = 0
        changed = True
        while changed:
            changed = False
            for number, ways in enumerate(self.ways):
                reached = [1 if way.reasons else 1 + far[way.to] for way in ways if way.to is not None]
                best = min([far[number], *reached])
                if best < far[number]:
                    far[number], changed = best, True
        return far


def tries(point: Point) -> tuple[str, ...]:
    """What can be tried at a point."""
    match point.document.kind:
        case "rings":
            before = (*CUT_SHORT, ALARM[point.language]) if point.document.all("Gather") else ()
            return (ANSWERED, NOBODY, *before, HANG_UP)
        case "records":
            return (SPOKE, SAID_NOTHING, HANG_UP)
        case "ends":
            return ()
    said = (RIGHT[point.language], WRONG[point.language], ALARM[point.language])
    if takes_a_number(point.document):
        return (TEN_DIGITS, "55501", "0", ALARM[point.language], SILENCE, HANG_UP)
    if point.fresh_menu:  # they lead to the same question from everywhere
        said += CONSENT[point.language]
    by_word = "speech" in point.document.all("Gather")[0].attributes.get("input", "")
    return (*KEYS, *(said if by_word else ()), SILENCE, HANG_UP)


def takes_a_number(document: Document) -> bool:
    """Whether the caller keys in a whole number here."""
    return document.kind == "listens" and "numDigits" not in document.all("Gather")[-1].attributes


def explore(caller: Caller) -> Graph:
    """Try everything at every point. Each step meets an empty queue, so that what it adds is its own."""
    graph = Graph()
    known: dict[tuple[str, int, int], int] = {}

    def number_of(point: Point) -> int:
        if point.key not in known:
            known[point.key] = len(graph.points)
            graph.points.append(point)
            graph.ways.append([])
            queue.append(known[point.key])
        return known[point.key]

    queue: deque[int] = deque()
    number_of(caller.first())
    while queue:
        here = queue.popleft()
        for what in tries(graph.points[here]):
            after = caller.step(graph.points[here], what)
            to = number_of(after) if after is not None else None
            graph.ways[here].append(Way(what, to, caller.taken_back()))
    return graph


def unserved(graph: Graph) -> set[int]:
    """The points a caller can come to without an answer, a person or a recorded callback on the way."""
    found, left = {0}, [0]
    while left:
        for way in graph.ways[left.pop()]:
            if way.to is None or way.to in found or way.reasons or way.what == ANSWERED:
                continue
            if not graph.points[way.to].answered:
                found.add(way.to)
                left.append(way.to)
    return found
