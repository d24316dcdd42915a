"""The area beside its comparators over time, by year, month or labelled period.

For the reader who asks "are we moving like the others?". Each series is named at the end of its line, so that
no key has to be learnt. A missing value is a gap in the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import (
    Linear,
    fitting_format,
    linear,
    number_text,
    spread,
    text_width,
    thin,
    wrap,
)
from cbs_analysis.evidence.charts.marks import (
    Layer,
    Note,
    axis_room,
    finish,
    house_made,
    inline,
    key,
    marked,
    marker,
    notes,
    plain,
    point_layer,
    require,
    value_y,
)
from cbs_analysis.evidence.charts.time_steps import (
    iso,
    month_axis,
    month_name,
    months,
)
from cbs_analysis.evidence.drawing import Drawing

HEIGHT = 320
MOST_MARKED = 13
MOST_NAMED_PEERS = 3
LABEL_ROOM = 150


@dataclass(frozen=True)
class _Steps:
    """The positions along a line chart: keys in order, the axis, their names and their spelling as data."""

    keys: list[Any]
    axis: alt.X
    names: list[str]
    field: str
    data: list[str]


def _steps(values: pd.Series, kind: str, title: str | None) -> tuple[_Steps, pd.Series]:
    """All positions from the first to the last, absent ones among them, and the frame's own keys."""
    if kind == "month":
        keyed = pd.Series(months(values), index=values.index)
        span = list(pd.period_range(keyed.min(), keyed.max(), freq="M"))
        axis = month_axis(span[0], span[-1], title)
        return _Steps(span, axis, [month_name(m) for m in span], "month", [iso(m) for m in span]), keyed
    if kind == "year":
        keyed = values.astype(int)
        span = list(range(keyed.min(), keyed.max() + 1))
    elif kind == "ordinal":
        keyed = values.map(plain)
        span = list(dict.fromkeys(keyed))
    else:
        raise ValueError(f"x_type {kind!r} is not year, month or ordinal")
    names = [str(s) for s in span]
    most = 6 if max(map(len, names)) <= 7 else 4
    axis = alt.X(
        "step:O",
        scale=alt.Scale(type="point", domain=names, padding=0.3),
        axis=alt.Axis(values=[names[i] for i in thin(names, most)], title=title, labelAngle=0, grid=False),
    )
    return _Steps(span, axis, names, "step", names), keyed


@house_made
def lines(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    x_title: str = "",
    value_title: str,
    value_format: str = "",
    x_type: Literal["year", "month", "ordinal"] = "year",
    reference: tuple[str, float] | None = None,
    peers_label: str = "Other areas",
    zero: bool = False,
    height: int = HEIGHT,
    description: str = "",
) -> Drawing:
    """The area's line beside its comparators', each named at its end with its last value.

    `frame`: x, series, value, role (see `theme.styles`); `lower` and `upper`, where given, are drawn as a
    band for the area. `x` is a year, a month or, as `ordinal`, any label in the order of first appearance.
    A year or month that is missing breaks the line. `reference` is a labelled level line. Without
    `value_format` the range of the values decides the decimals. More than three peers are not named.
    """
    require(frame, "x", "series", "value", "role")
    named = frame.assign(series=frame["series"].map(plain))
    look = theme.styles(zip(named["series"], named["role"], strict=True))
    steps, keyed = _steps(named["x"], x_type, plain(x_title) or None)
    wide = _wide(named.assign(x=keyed), steps, "value")
    bands = _bands(named.assign(x=keyed), steps)
    levels = [reference[1]] if reference else []
    shown = [*wide.to_numpy().ravel(), *levels, *(v for band in bands for v in band.to_numpy().ravel())]
    value_format = fitting_format(shown, value_format)
    scale = linear(shown, zero=zero, number=value_format)
    peers = [n for n in wide.columns if look[n] in (theme.PEER, theme.FLAGGED)]
    labelled = [n for n in wide.columns if n not in peers or len(peers) <= MOST_NAMED_PEERS]
    ends = _ends(wide[labelled], look, scale, height, value_format, reference)
    left = axis_room(scale)
    width = theme.WIDTH - left - min(max((text_width(t, bold=b) for t, _, _, b in ends), default=0) + 16, LABEL_ROOM)
    key_layers: list[Layer] = []
    if len(peers) > MOST_NAMED_PEERS:
        key_layers = key([(peers_label, marker(theme.PEER) | {"shape": "stroke", "size": 260})], -left, -36)
    layers = [
        *_reference_rule(reference, scale),
        *(_band_layer(f"interval_{i}", band, steps, scale) for i, band in enumerate(bands)),
        *_line_layers(wide, look, steps, scale, value_format, unmarked=[n for n in peers if n not in labelled]),
        *notes([Note(-left, -20, plain(value_title)), *_end_notes(ends, width, height)]),
        *key_layers,
    ]
    return finish(
        layers,
        title=title,
        subtitle=subtitle,
        width=width,
        height=height,
        left=left,
        description=description,
    )


def _wide(frame: pd.DataFrame, steps: _Steps, column: str) -> pd.DataFrame:
    """Positions by series; the series in the frame's order."""
    if frame.duplicated(["x", "series"]).any():
        x, series = frame.loc[frame.duplicated(["x", "series"]), ["x", "series"]].iloc[0]
        raise ValueError(f"series {series!r} has two values at {x}")
    wide = frame.pivot(index="x", columns="series", values=column)
    return wide.reindex(index=steps.keys, columns=list(dict.fromkeys(frame["series"])))


def _bands(frame: pd.DataFrame, steps: _Steps) -> list[pd.DataFrame]:
    """Lower and upper at each position, of the area (or of each part shown as the area) that has any."""
    if not {"lower", "upper"} <= set(frame.columns):
        return []
    own = frame[frame["role"] == "area"].groupby("series", sort=False)
    bands = [series.set_index("x")[["lower", "upper"]].reindex(steps.keys) for _, series in own]
    return [band for band in bands if band.notna().any(axis=None)]


def _band_layer(name: str, band: pd.DataFrame, steps: _Steps, scale: Linear) -> Layer:
    rows = [
        {steps.field: place, "value": lower, "upper": upper}
        for place, lower, upper in zip(steps.data, band["lower"], band["upper"], strict=True)
    ]
    chart = alt.Chart(inline(name, rows)).mark_area(color=theme.OUTER_BAND, opacity=0.8)
    layer: Layer = chart.encode(x=steps.axis, y=value_y(scale), y2=alt.Y2("upper:Q"))
    return layer


def _reference_rule(reference: tuple[str, float] | None, scale: Linear) -> list[Layer]:
    if reference is None:
        return []
    rule = alt.Chart(inline("reference", [{"value": reference[1]}])).mark_rule(color=theme.RULE, strokeWidth=1.5)
    return [rule.encode(y=value_y(scale))]


def _line_layers(
    wide: pd.DataFrame,
    look: Mapping[str, theme.Style],
    steps: _Steps,
    scale: Linear,
    number: str,
    unmarked: Sequence[str],
) -> list[Layer]:
    """Peers first, then comparators, the area on top; markers on every value, or a long series's last."""
    first_own = next((name for name in wide.columns if look[name] is theme.AREA), None)
    back_first = sorted(wide.columns, key=lambda n: (look[n] is theme.AREA, look[n] in theme.COMPARATORS))
    layers: list[Layer] = []
    markers: list[dict[str, Any]] = []
    for i, name in enumerate(back_first):
        values, style = wide[name], look[name]
        rows = [{steps.field: place, "value": value} for place, value in zip(steps.data, values, strict=True)]
        layers.append(
            alt.Chart(inline(f"line_{i}", rows))
            .mark_line(
                color=style.colour,
                strokeWidth=style.stroke_width,
                strokeDash=list(style.dash),
                strokeJoin="round",
            )
            .encode(x=steps.axis, y=value_y(scale))
        )
        every = len(values) <= MOST_MARKED and style is not theme.PEER
        for j in marked(values, every=every, last=name not in unmarked):
            tip = f"{name}, {steps.names[j]}: {number_text(values.iloc[j], number)}"
            shape = marker(style) | ({"size": 16} if style is theme.PEER else {})
            if style is theme.AREA and name != first_own:
                # Two parts of one area, such as the boroughs of a trust: the second's markers are hollow.
                shape["fill"] = theme.WHITE
            markers.append({steps.field: steps.data[j], "value": values.iloc[j], **shape, "tip": tip})
    if markers:
        layers.append(point_layer("values", markers, steps.axis, value_y(scale)))
    return layers


def _ends(
    wide: pd.DataFrame,
    look: Mapping[str, theme.Style],
    scale: Linear,
    height: float,
    number: str,
    reference: tuple[str, float] | None,
) -> list[tuple[str, float, str, bool]]:
    """What is written at the right: text of one or more lines, height of its middle wanted, colour, bold."""
    wanted = [
        (name, float(wide[name].dropna().iloc[-1]), look[name].text, look[name] is theme.AREA)
        for name in wide.columns
        if wide[name].notna().any()
    ]
    if reference:
        wanted.append((plain(reference[0]), reference[1], theme.MUTED, False))
    ends = []
    for name, value, colour, bold in wanted:
        text = "\n".join(wrap(f"{name} {number_text(value, number)}", LABEL_ROOM - 16, bold=bold)[:3])
        ends.append((text, height - scale.position(value, height), colour, bold))
    return ends


def _end_notes(ends: Sequence[tuple[str, float, str, bool]], width: float, height: float) -> list[Note]:
    heights = [theme.LINE_HEIGHT * (1 + text.count("\n")) + 2.0 for text, *_ in ends]
    places = spread([wanted for _, wanted, *_ in ends], heights, -4, height + 4)
    return [
        # A text of several lines hangs from its first, so it starts that much higher.
        Note(
            width + 10,
            y - theme.LINE_HEIGHT * text.count("\n") / 2,
            text,
            colour,
            bold=bold,
            limit=LABEL_ROOM,
        )
        for (text, _, colour, bold), y in zip(ends, places, strict=True)
    ]
