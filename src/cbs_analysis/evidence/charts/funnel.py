"""A value against what it rests on: is it further from the average than chance explains?

For the reader who asks whether a small area's high rate means anything. Each area is a dot; the curves are
the limits that 95% and 99.8% of areas would keep to if all shared the average. Where areas are so large that
nearly all lie outside those, a second pair allows for how much areas differ anyway. Points and limits come
from the chapters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import Linear, linear, number_text, spread, text_width
from cbs_analysis.evidence.charts.marks import (
    Align,
    Layer,
    Note,
    axis_room,
    finish,
    house_made,
    inline,
    key,
    marker,
    notes,
    plain,
    point_layer,
    require,
    swatch,
    value_y,
)
from cbs_analysis.evidence.drawing import Drawing

# The limits of chance where there is a second pair: a band, the 95% limits within the 99.8%.
CHANCE_BANDS = {"998": "#E2E2E2", "95": "#CBCBCB"}
WIDENED_DASHES = {"998": [1, 0], "95": [5, 4]}
# Names of ordinary areas beyond the limits: more would be read by nobody.
MOST_NAMES = 6


@dataclass(frozen=True)
class _Frame:
    """The plot: its two scales and its size in chart units."""

    x: Linear
    y: Linear
    width: float
    height: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Distance from the left and from the top."""
        return self.x.position(x, self.width), self.height - self.y.position(y, self.height)


@dataclass(frozen=True)
class _Box:
    """A rectangle taken up by a mark or a label."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "_Box") -> bool:
        """Whether the two share any ground."""
        apart_x = self.right <= other.left or other.right <= self.left
        return not apart_x and self.top < other.bottom and other.top < self.bottom


@house_made
def funnel(
    points: pd.DataFrame,
    limits: pd.DataFrame,
    average: float,
    *,
    title: str,
    subtitle: str = "",
    x_title: str,
    y_title: str,
    x_format: str = ",.0f",
    y_format: str = ",.2f",
    average_label: str = "Average",
    peers_label: str = "Other areas",
    own_label: str = "Members",
    widened: pd.DataFrame | None = None,
    reference: tuple[str, float] | None = None,
    height: int = 380,
    description: str = "",
) -> Drawing:
    """Each area by how much its value rests on (x) and the value (y), inside the limits of chance.

    `points`: name, x, y, role. `limits`: x, lower_95, upper_95, lower_998, upper_998, along the x axis.
    `average` in the units of y. `widened`: a second pair of limits with the same columns, which allows for a
    spread between areas; the first is then a band. `reference` is another labelled level line. The area,
    flagged areas and those beyond the 99.8% limits (with a second pair, its 95% limits) are named where there
    is room.
    """
    require(points, "name", "x", "y", "role")
    for given in (limits, *([widened] if widened is not None else [])):
        require(given, "x", "lower_95", "upper_95", "lower_998", "upper_998")
    shown = points[points["y"].notna() & points["x"].notna()].assign(name=lambda f: f["name"].map(plain))
    look = theme.styles(zip(shown["name"], shown["role"], strict=True))
    curves = limits.sort_values("x", kind="stable")
    outer = curves if widened is None else widened.sort_values("x", kind="stable")
    levels = [(plain(average_label), average), *([(plain(reference[0]), reference[1])] if reference else [])]
    y_values = [*shown["y"], *_visible_limits(outer, shown), *(value for _, value in levels)]
    y_scale = linear(y_values, round_ends=False, number=y_format)
    x_scale = linear([*shown["x"]], zero=curves["x"].min() <= shown["x"].min() / 2, round_ends=False, number=x_format)
    left = axis_room(y_scale)
    room = max([57, *(text_width(text, theme.SMALL_SIZE) for text, _ in levels)]) + 5
    plot = _Frame(x_scale, y_scale, theme.WIDTH - left - room, height)
    x, y = _axes(plot, plain(x_title))
    key_layers = key([*_funnel_key(shown, look, peers_label, own_label), *_limit_key(widened)], -left, -36)
    texts = [
        Note(-left, -20, plain(y_title)),
        *_limit_labels(outer, levels, plot, room),
        *_outlier_labels(shown, outer, look, plot, "998" if widened is None else "95"),
    ]
    layers = [
        *(_chance_bands(curves, x_scale, x, y) if widened is not None else []),
        *_funnel_curves(outer, levels, x_scale, x, y, widened=widened is not None),
        point_layer("areas", _funnel_rows(shown, look, x_format, y_format), x, y),
        *notes(texts),
        *key_layers,
    ]
    return finish(
        layers,
        title=title,
        subtitle=subtitle,
        width=plot.width,
        height=height,
        left=left,
        description=description,
    )


def _axes(plot: _Frame, x_title: str) -> tuple[alt.X, alt.Y]:
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[plot.x.lower, plot.x.upper], nice=False, zero=False),
        axis=alt.Axis(values=list(plot.x.ticks), format=plot.x.format, title=x_title, grid=False),
    )
    return x, value_y(plot.y)


def _visible_limits(curves: pd.DataFrame, shown: pd.DataFrame) -> list[float]:
    """The 99.8% limits where the points are: nearer zero they widen without end."""
    near = [shown["x"].min(), shown["x"].max()]
    return [
        *np.interp(near, curves["x"], curves["lower_998"]),
        *np.interp(near, curves["x"], curves["upper_998"]),
    ]


def _funnel_key(
    shown: pd.DataFrame, look: Mapping[str, theme.Style], peers_label: str, own_label: str
) -> list[tuple[str, dict[str, Any]]]:
    own = list(shown.loc[shown["role"] == "area", "name"])
    entries = [(own[0] if len(own) == 1 else own_label, marker(theme.AREA))] if own else []
    entries += [(r.name, marker(look[r.name])) for r in shown.itertuples() if theme.is_comparator(r.role)]
    if (shown["role"] == "peer").any():
        entries.append((peers_label, marker(theme.PEER)))
    if shown["role"].map(theme.is_flagged).any():
        entries.append(("Flagged", marker(theme.FLAGGED)))
    return entries


def _limit_key(widened: pd.DataFrame | None) -> list[tuple[str, dict[str, Any]]]:
    """What tells the two pairs of limits apart, where there are two."""
    if widened is None:
        return []
    line = {"shape": "stroke", "fill": theme.MUTED, "stroke": theme.MUTED, "size": 260}
    return [
        ("Chance alone (95% and 99.8%)", swatch(CHANCE_BANDS["95"])),
        ("Chance and the spread between them", line),
    ]


def _chance_bands(curves: pd.DataFrame, x_scale: Linear, x: alt.X, y: alt.Y) -> list[Layer]:
    inside = curves[curves["x"].between(x_scale.lower, x_scale.upper)]
    return [
        alt.Chart(
            inline(
                f"chance_{part}",
                [
                    {"x": r["x"], "value": r[f"lower_{part}"], "upper": r[f"upper_{part}"]}
                    for r in inside.to_dict("records")
                ],
            )
        )
        .mark_area(clip=True, color=colour, line=False)
        .encode(x=x, y=y, y2=alt.Y2("upper:Q"))
        for part, colour in CHANCE_BANDS.items()
    ]


def _funnel_curves(
    curves: pd.DataFrame, levels: Sequence[tuple[str, float]], x_scale: Linear, x: alt.X, y: alt.Y, *, widened: bool
) -> list[Layer]:
    inside = curves[curves["x"].between(x_scale.lower, x_scale.upper)]
    looks = {"95": ([4, 4], "#A5A5A5"), "998": ([1, 0], "#C4C4C4")}
    if widened:
        looks = {part: (WIDENED_DASHES[part], theme.MUTED) for part in looks}
    drawn = {
        part: [
            {"line": side, "x": limit_x, "value": value}
            for side in ("lower", "upper")
            for limit_x, value in zip(inside["x"], inside[f"{side}_{part}"], strict=True)
        ]
        for part in looks
    }
    for name, dash, (_, level) in zip(("average", "reference"), ([1, 0], [2, 3]), levels, strict=False):
        looks[name] = (dash, theme.RULE)
        drawn[name] = [{"line": name, "x": end, "value": level} for end in (x_scale.lower, x_scale.upper)]
    return [
        alt.Chart(inline(f"limits_{part}", drawn[part]))
        .mark_line(clip=True, color=colour, strokeDash=dash, strokeWidth=1.5, interpolate="monotone")
        .encode(x=x, y=y, detail=alt.Detail("line:N"))
        for part, (dash, colour) in looks.items()
    ]


def _funnel_rows(
    shown: pd.DataFrame, look: Mapping[str, theme.Style], x_format: str, y_format: str
) -> list[dict[str, Any]]:
    """One marker an area, the area itself last so that it lies on top."""
    depth = shown["role"].map({"peer": 0, "flagged": 1, "area": 3, "flagged_area": 3}).fillna(2)
    return [
        {
            "x": r.x,
            "value": r.y,
            **marker(look[r.name]),
            "tip": f"{r.name}: {number_text(r.y, y_format)} on {number_text(r.x, x_format)}",
        }
        for r in shown.assign(depth=depth).sort_values("depth", kind="stable").itertuples(index=False)
    ]


def _limit_labels(curves: pd.DataFrame, levels: Sequence[tuple[str, float]], plot: _Frame, room: float) -> list[Note]:
    """What each line is, written at its right end."""
    edge = min(plot.x.upper, curves["x"].max())
    labels = [("99.8%", "upper_998"), ("95%", "upper_95"), ("95%", "lower_95"), ("99.8%", "lower_998")]
    ends = [*levels]
    ends += [(text, float(np.interp(edge, curves["x"], curves[column]))) for text, column in labels]
    centres = [plot.place(edge, value)[1] for _, value in ends]
    placed = spread(centres, [17.0] * len(ends), 0, plot.height)
    return [
        Note(plot.width + 5, y, text, size=theme.SMALL_SIZE, limit=room)
        for (text, _), y in zip(ends, placed, strict=True)
    ]


def _outlier_labels(
    shown: pd.DataFrame, curves: pd.DataFrame, look: Mapping[str, theme.Style], plot: _Frame, beyond_limits: str
) -> list[Note]:
    """Names beside the points that matter, the area first, then by distance; none that would overlap."""
    lower = np.interp(shown["x"], curves["x"], curves[f"lower_{beyond_limits}"])
    upper = np.interp(shown["x"], curves["x"], curves[f"upper_{beyond_limits}"])
    beyond = np.maximum(lower - shown["y"], shown["y"] - upper)
    candidates = shown.assign(
        beyond=beyond, first=shown["role"].map({"area": 0, "flagged_area": 0, "flagged": 1}).fillna(2)
    )
    candidates = candidates[(candidates["beyond"] > 0) | (candidates["role"] != "peer")]
    places = {r.name: plot.place(r.x, r.y) for r in shown.itertuples(index=False)}
    taken = [_Box(x - 6, y - 6, x + 6, y + 6) for x, y in places.values()]
    taken += _on_curves(curves, plot)
    candidates = candidates.sort_values(["first", "beyond", "name"], ascending=[True, False, True])
    found: list[Note] = []
    for r in candidates.itertuples(index=False):
        if len(found) >= MOST_NAMES + (candidates["first"] < 2).sum():
            break
        note = _free_place(r.name, places[r.name], taken, look[r.name], plot, bold=theme.is_own(r.role))
        if note:
            found.append(note)
    return found


def _on_curves(curves: pd.DataFrame, plot: _Frame) -> list[_Box]:
    """The ground that the limits take up, in short pieces."""
    ends = np.linspace(plot.x.lower, plot.x.upper, 41)
    pieces = []
    for column in ("lower_95", "upper_95", "lower_998", "upper_998"):
        heights = np.interp(ends, curves["x"], curves[column])
        for i in range(len(ends) - 1):
            (left, first), (right, second) = plot.place(ends[i], heights[i]), plot.place(ends[i + 1], heights[i + 1])
            pieces.append(_Box(left, min(first, second) - 1, right, max(first, second) + 1))
    return pieces


def _free_place(
    name: str, place: tuple[float, float], taken: list[_Box], style: theme.Style, plot: _Frame, *, bold: bool
) -> Note | None:
    """The name beside its point where nothing else stands, its ground added to `taken`; or None."""
    x, y = place
    long = text_width(name, theme.SMALL_SIZE, bold=bold)
    spots: Sequence[tuple[float, float, Align]] = (
        (x + 10, y, "left"),
        (x - 10, y, "right"),
        (x, y - 15, "center"),
        (x, y + 15, "center"),
    )
    for at_x, at_y, align in spots:
        start = at_x - {"left": 0.0, "right": long, "center": long / 2}[align]
        box = _Box(start, at_y - 8, start + long, at_y + 8)
        outside = start < 0 or box.right > plot.width or box.top < 0 or box.bottom > plot.height
        if outside or any(box.meets(other) for other in taken):
            continue
        taken.append(box)
        return Note(at_x, at_y, name, style.text, align, bold=bold, size=theme.SMALL_SIZE)
    return None
