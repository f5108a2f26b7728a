"""Charts as SVG that stands in the page: classes only, since our policy allows no style of its own.

The library writes text and attributes as they are given, so everything that is not a number is escaped here.
Each chart has a name for those who do not see it; the figures themselves stand in the table beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import svg
from markupsafe import Markup, escape

WIDE, HIGH, FOOT, HEAD = 480, 150, 24, 18  # units of a chart of columns
LONG, THIN = 200, 10  # units of a bar


def columns(values: Sequence[int], ticks: Mapping[int, str], name: str) -> Markup:
    """A column for each value. ``ticks``: position → label below it; ``name``: what it shows, in words."""
    top, room = max([*values, 1]), HIGH - FOOT - HEAD
    step = WIDE / max(len(values), 1)
    floor = HIGH - FOOT
    drawn: list[svg.Element] = [svg.Line(class_=["chart-floor"], x1=0, x2=WIDE, y1=floor, y2=floor)]
    for place, value in enumerate(values):
        if value:
            tall = max(room * value / top, 1.5)
            drawn.append(
                svg.Rect(
                    class_=["chart-bar"],
                    x=_n(place * step + step * 0.12),
                    y=_n(floor - tall),
                    width=_n(step * 0.76),
                    height=_n(tall),
                )
            )
    if any(values):
        drawn.append(_most(values, top, step, room))
    for place, label in ticks.items():
        x = place * step + step / 2
        drawn.append(_text(label, x, HIGH - 6, step, "chart-tick"))
    return _svg(drawn, name, ["chart"], WIDE, HIGH)


def bar(part: float, whole: float, kind: str = "") -> Markup:
    """A bar of ``part`` within ``whole``; only beside a number, so it is silent for screen readers."""
    return stacked({kind: part}, whole)


def stacked(parts: Mapping[str, float], whole: float) -> Markup:
    """Parts beside each other within ``whole``. ``parts``: class suffix → size. Silent, as `bar`."""
    drawn: list[svg.Element] = [svg.Rect(class_=["chart-rail"], x=0, y=0, width=LONG, height=THIN)]
    at = 0.0
    for kind, size in parts.items():
        long = LONG * size / whole if whole else 0
        if long:
            names = ["chart-bar", f"chart-{kind}"] if kind else ["chart-bar"]
            drawn.append(svg.Rect(class_=names, x=_n(at), y=0, width=_n(long), height=THIN))
        at += long
    return _svg(drawn, "", ["chart-line"], LONG, THIN, stretched=True)


def _most(values: Sequence[int], top: int, step: float, room: float) -> svg.Element:
    """The highest value above its column."""
    return _text(f"{top:,}", values.index(top) * step + step / 2, HIGH - FOOT - room - 4, step, "chart-most")


def _text(words: str, x: float, y: float, step: float, kind: str) -> svg.Element:
    """Words centred at ``x``, or held inside the chart at its edges."""
    edge = 40
    anchor = "start" if x < edge else "end" if x > WIDE - edge else "middle"
    x = x - step / 2 if anchor == "start" else x + step / 2 if anchor == "end" else x
    return svg.Text(class_=[kind, f"chart-{anchor}"], x=_n(x), y=_n(y), text=str(escape(words)))


def _n(number: float) -> Decimal:
    return round(Decimal(number), 2)


def _svg(
    drawn: list[svg.Element], name: str, names: list[str], wide: int, high: int, *, stretched: bool = False
) -> Markup:
    about = {"role": "img", "aria-label": str(escape(name))} if name else {"aria-hidden": "true"}
    picture = svg.SVG(
        class_=names,
        viewBox=svg.ViewBoxSpec(0, 0, wide, high),
        preserveAspectRatio=svg.PreserveAspectRatio("none") if stretched else None,
        xmlns=None,
        extra=about,
        elements=drawn,
    )
    return Markup(picture.as_str())  # noqa: S704 - all words in it are escaped above
