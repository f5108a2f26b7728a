"""The graph as a page that a nurse can check, with a picture: docs/calls.md and docs/pictures/calls.svg."""

from __future__ import annotations

import html
import json
import textwrap
from dataclasses import dataclass

from tests.walk.graph import Graph
from tests.walk.steps import ALARM, CONSENT, HANG_UP, KEYS, RIGHT, SILENCE, WRONG

TITLES = {
    "menu": "Main menu",
    "aftercare": "After your injection",
    "about": "About the injections",
    "topic": "An answer",
    "schedule_time": "Best time of day",
    "offer_person": "A call is offered",
    "unsure": "Which one is it?",
    "text_consent": "May we text it?",
    "confirm_stop": "No more messages?",
    "confirm_wrong": "A wrong number?",
    "confirm_start": "Messages again?",
    "record_consent": "May we record?",
    "recording": "A message is recorded",
    "connecting": "A telephone rings",
    "done": "Request taken",
    "callback_number": "Which number?",
    "confirm_number": "Is it right?",
}
WIDE, HIGH, ACROSS, DOWN = 250, 126, 380, 146
NAMES = {
    RIGHT["en"]: "a topic by name",
    WRONG["en"]: "not understood",
    ALARM["en"]: "an emergency",
    **{words: f'"{words}"' for words in CONSENT["en"]},
}


@dataclass(frozen=True)
class Place:
    """One place of a call: its first words, and where each thing heard leads."""

    name: str
    said: str
    leads: dict[str, tuple[str, ...]]  # place -> what leads there

    @property
    def title(self) -> str:
        return TITLES.get(self.name, self.name)


def places(graph: Graph) -> list[Place]:
    """Each place once, as a caller first comes to it, in English."""
    found: dict[str, Place] = {}
    for number, point in enumerate(graph.points):
        state = json.loads(point.state)
        fresh = state["misses"] == state["silences"] == 0
        if point.language != "en" or not fresh or state["place"] in found:
            continue
        leads: dict[str, list[str]] = {}
        for way in graph.ways[number]:
            if way.to is None or way.what == HANG_UP:
                continue
            after = json.loads(graph.points[way.to].state)["place"]
            leads.setdefault(after, []).append(NAMES.get(way.what, way.what))
        found[state["place"]] = Place(
            state["place"], point.document.said, {place: tuple(heard) for place, heard in leads.items()}
        )
    return list(found.values())


def page(graphs: dict[str, Graph]) -> str:
    """The page: for each kind of call each place, its words, and what leads where."""
    parts = [PREFACE]
    for kind, graph in graphs.items():
        parts.append(f"## {kind[:1].upper()}{kind[1:]}\n")
        parts.append(f"{len(graph.points)} points, {sum(map(len, graph.ways))} steps tried.\n")
        for place in places(graph):
            parts.append(f"### {place.title}\n\n> {place.said}\n\n| what is heard | leads to |\n|---|---|")
            parts += [f"| {_keys(heard)} | {TITLES.get(to, to)} |" for to, heard in place.leads.items()]
            parts.append("")
    return "\n".join(parts)


def picture(graph: Graph) -> str:
    """The places as one SVG, in columns by how many steps away they are.

    Ways that lead on are arrows; those that lead back or across stand as words in the box they leave from.
    """
    every = places(graph)
    at = _layout(every)
    wide = max(x for x, _ in at.values()) + WIDE + 20
    high = max(y for _, y in at.values()) + HIGH + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif">',
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto"><path d="M0 0 8 4 0 8z" fill="#4a6a7c"/></marker></defs>',
        f'<rect width="{wide}" height="{high}" fill="#fff"/>',
    ]
    arriving: dict[str, int] = {}
    lines += [line for place in every for line in _arrows(place, at, arriving)]
    lines += [line for place in every for line in _box(place, at)]
    return "\n".join([*lines, "</svg>", ""])


def _layout(every: list[Place]) -> dict[str, tuple[int, int]]:
    leads = {place.name: [to for to in place.leads if to != place.name] for place in every}
    depth, queue = {every[0].name: 0}, [every[0].name]
    while queue:
        here = queue.pop(0)
        for to in leads.get(here, []):
            if to not in depth:
                depth[to] = depth[here] + 1
                queue.append(to)
    rows: dict[int, int] = {}
    at = {}
    for name, column in sorted(depth.items(), key=lambda pair: pair[1]):
        row = rows.get(column, 0)
        rows[column] = row + 1
        at[name] = (20 + column * ACROSS, 20 + row * DOWN)
    return at


def _shown(place: Place, to: str) -> str:
    """What leads from a place to another, as far as a picture tells it: keys, and what happens by itself."""
    shown = [what for what in place.leads[to] if what in KEYS or what not in (*NAMES.values(), SILENCE)]
    return "" if to == place.name or (to == "menu" and shown == ["#"]) else _keys(tuple(shown))


def _arrows(place: Place, at: dict[str, tuple[int, int]], arriving: dict[str, int]) -> list[str]:
    """Arrows to places further on. ``arriving``: how many there are already at each, for their labels."""
    lines = []
    x, y = at[place.name]
    for to in place.leads:
        label = _shown(place, to)
        if not label or to not in at or at[to][0] <= x:
            continue
        tx, ty = at[to]
        arriving[to] = arriving.get(to, 0) + 1
        x1, y1, y2 = x + WIDE, y + HIGH // 2, ty + 16 * arriving[to]
        bend = (tx - x1) // 2
        curve = f"M{x1} {y1}C{x1 + bend} {y1} {tx - bend} {y2} {tx} {y2}"
        lines.append(f'<path d="{curve}" fill="none" stroke="#4a6a7c" marker-end="url(#to)"/>')
        said = f'<text x="{tx - 10}" y="{y2 - 3}" text-anchor="end" font-size="11" stroke="#fff"'
        lines.append(f'{said} stroke-width="3" paint-order="stroke">{html.escape(label)}</text>')
    return lines


def _box(place: Place, at: dict[str, tuple[int, int]]) -> list[str]:
    x, y = at[place.name]
    words = textwrap.shorten(place.said, 66, placeholder=" …")
    lines = [
        f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="8" fill="#eef4f7" stroke="#4a6a7c"/>',
        f'<text x="{x + 12}" y="{y + 22}" font-size="15" font-weight="bold">',
        f"{html.escape(place.title)}</text>",
    ]
    back = [
        f"{_shown(place, to)}: {TITLES.get(to, to)}"
        for to in place.leads
        if _shown(place, to) and to in at and at[to][0] <= x
    ]
    shown = [(line, "#1b2b34") for line in textwrap.wrap(words, 38)[:2]] + [
        (line, "#4a6a7c") for line in back
    ]
    for row, (line, colour) in enumerate(shown[:6]):
        where = f'x="{x + 12}" y="{y + 41 + 15 * row}"'
        lines.append(f'<text {where} font-size="12" fill="{colour}">{html.escape(line)}</text>')
    return lines


def _keys(heard: tuple[str, ...]) -> str:
    return ", ".join("pound" if one == "#" else "star" if one == "*" else one for one in heard)


PREFACE = f"""# Every call there can be

Made by `python -m tests.walk` from the documents that the line gives the carrier: at each point every key,
a phrase that is understood, one that is not, an emergency, silence and hanging up are tried, to the end, in
both languages. Read it as a nurse would: are these the right words, and does each key lead where it should?

![The places of a call and the keys that lead from one to the next](pictures/calls.svg)

Pound leads to the main menu and star repeats from everywhere; zero leads to a person. Words are understood
wherever keys are. "{ALARM["en"]}" gets the words for an emergency, and an item at the top of the queue, at
every prompt. After three silences ({SILENCE}, 10 seconds each) a call back is recorded.
"""
