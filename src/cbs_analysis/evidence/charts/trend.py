"""The area beside its comparators over time, and what comes next.

For the reader who asks "are we moving like the others?" and "what should we plan for?". `lines` names each series at
the end of its line; `fan` draws a forecast with its uncertainty. A missing value is a gap in the line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import Linear, linear, number_text, spread, text_width, thin, wrap
from cbs_analysis.evidence.charts.marks import (
    Layer,
    Note,
    axis_room,
    finish,
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
from cbs_analysis.evidence.charts.months import (
    HALF_MONTH,
    by_month,
    iso,
    milliseconds,
    month_axis,
    month_name,
    months,
)

HEIGHT = 320
MOST_MARKED = 13
MOST_NAMED_PEERS = 3
LABEL_ROOM = 150


@dataclass(frozen=True)
class _Steps:
    """The positions along a line chart: keys in order, the axis, how a position is named, how it is written as data."""

    keys: list[Any]
    axis: alt.X
    names: list[str]
    field: str
    data: list[str]


def _steps(values: pd.Series, kind: str) -> tuple[_Steps, pd.Series]:
    """All positions from the first to the last, absent ones among them, and the frame's own keys."""
    if kind == "month":
        keyed = pd.Series(months(values), index=values.index)
        span = list(pd.period_range(keyed.min(), keyed.max(), freq="M"))
        axis = month_axis(span[0], span[-1])
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
        axis=alt.Axis(values=[names[i] for i in thin(names, most)], title=None, labelAngle=0, grid=False),
    )
    return _Steps(span, axis, names, "step", names), keyed


def lines(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    x_title: str = "",
    value_title: str,
    value_format: str = ",.1f",
    x_type: Literal["year", "month", "ordinal"] = "year",
    reference: tuple[str, float] | None = None,
    peers_label: str = "Other areas",
    zero: bool = False,
    height: int = HEIGHT,
    description: str = "",
) -> alt.LayerChart:
    """The area's line beside its comparators', each named at its end with its last value.

    `frame`: x, series, value, role (see `theme.styles`); `lower` and `upper`, where given, are drawn as a band for the
    area. `x` is a year, a month or, as `ordinal`, any label in the order of first appearance. A year or month that is
    missing breaks the line. `reference` is a labelled level line. More than three peers are drawn but not named.
    """
    require(frame, "x", "series", "value", "role")
    named = frame.assign(series=frame["series"].map(plain))
    look = theme.styles(zip(named["series"], named["role"], strict=True))
    steps, keyed = _steps(named["x"], x_type)
    wide = _wide(named.assign(x=keyed), steps, "value")
    band = _band(named.assign(x=keyed), steps)
    levels = [reference[1]] if reference else []
    shown = [*wide.to_numpy().ravel(), *levels, *band["lower"], *band["upper"]]
    scale = linear(shown, zero=zero, number=value_format)
    peers = [n for n in wide.columns if look[n] in (theme.PEER, theme.FLAGGED)]
    labelled = [n for n in wide.columns if n not in peers or len(peers) <= MOST_NAMED_PEERS]
    ends = _ends(wide[labelled], look, scale, height, value_format, reference)
    left = axis_room(scale)
    width = theme.WIDTH - left - min(max((text_width(t, bold=b) for t, _, _, b in ends), default=0) + 16, LABEL_ROOM)
    key_layers: list[Layer] = []
    if len(peers) > MOST_NAMED_PEERS:
        key_layers = key([(peers_label, marker(theme.PEER) | {"shape": "stroke", "size": 300})], -left, -36)
    steps.axis.axis.title = plain(x_title) or None
    layers = [
        *_reference_rule(reference, scale),
        *_band_layer(band, steps, scale),
        *_line_layers(wide, look, steps, scale, value_format),
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


def _band(frame: pd.DataFrame, steps: _Steps) -> pd.DataFrame:
    """Lower and upper of the area at each position; no rows where the frame has none."""
    area = frame[frame["role"] == "area"]
    if not {"lower", "upper"} <= set(frame.columns) or area[["lower", "upper"]].isna().all(axis=None):
        return pd.DataFrame({"lower": [], "upper": []})
    return area.set_index("x")[["lower", "upper"]].reindex(steps.keys)


def _band_layer(band: pd.DataFrame, steps: _Steps, scale: Linear) -> list[Layer]:
    if band.empty:
        return []
    rows = [
        {steps.field: place, "value": lower, "upper": upper}
        for place, lower, upper in zip(steps.data, band["lower"], band["upper"], strict=True)
    ]
    chart = alt.Chart(inline("interval", rows)).mark_area(color=theme.OUTER_BAND, opacity=0.8)
    return [chart.encode(x=steps.axis, y=value_y(scale), y2="upper:Q")]


def _reference_rule(reference: tuple[str, float] | None, scale: Linear) -> list[Layer]:
    if reference is None:
        return []
    rule = alt.Chart(inline("reference", [{"value": reference[1]}])).mark_rule(color=theme.RULE, strokeWidth=1.5)
    return [rule.encode(y=value_y(scale))]


def _line_layers(
    wide: pd.DataFrame, look: Mapping[str, theme.Style], steps: _Steps, scale: Linear, number: str
) -> list[Layer]:
    """Peers first, then comparators, the area on top; markers on every value, or on the last of a long series."""
    back_first = sorted(wide.columns, key=lambda n: (look[n] is theme.AREA, look[n] in theme.COMPARATORS))
    layers: list[Layer] = []
    markers: list[dict[str, Any]] = []
    for i, name in enumerate(back_first):
        values, style = wide[name], look[name]
        rows = [
            {steps.field: place, "value": value} for place, value in zip(steps.data, values, strict=True)
        ]
        layers.append(
            alt.Chart(inline(f"line_{i}", rows))
            .mark_line(
                color=style.colour, strokeWidth=style.stroke_width, strokeDash=list(style.dash), strokeJoin="round"
            )
            .encode(x=steps.axis, y=value_y(scale))
        )
        for j in _marked(values, every=len(values) <= MOST_MARKED and style is not theme.PEER):
            tip = f"{name}, {steps.names[j]}: {number_text(values.iloc[j], number)}"
            shape = marker(style) | ({"size": 16} if style is theme.PEER else {})
            markers.append({steps.field: steps.data[j], "value": values.iloc[j], **shape, "tip": tip})
    if markers:
        layers.append(point_layer("values", markers, steps.axis, value_y(scale)))
    return layers


def _marked(values: pd.Series, *, every: bool) -> list[int]:
    """Positions that get a marker: all that have a value, or the last and any that no line reaches."""
    known = values.notna().to_numpy()
    present = [j for j in range(len(values)) if known[j]]
    if every:
        return present
    alone = [j for j in present if not (j and known[j - 1]) and not (j + 1 < len(known) and known[j + 1])]
    return sorted({*alone, *present[-1:]})


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
        Note(width + 10, y - theme.LINE_HEIGHT * text.count("\n") / 2, text, colour, bold=bold, limit=LABEL_ROOM)
        for (text, _, colour, bold), y in zip(ends, places, strict=True)
    ]


def fan(
    history: pd.DataFrame,
    forecast: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    value_format: str = ",.0f",
    history_label: str = "Published",
    actual: pd.DataFrame | None = None,
    actual_label: str = "What happened",
    zero: bool = False,
    height: int = HEIGHT,
    description: str = "",
) -> alt.LayerChart:
    """A monthly series and its forecast, with the ranges that hold 80% and 95% of what may come.

    `history`: month, value. `forecast`: month, value, lower_80, upper_80, lower_95, upper_95. `actual`: month, value,
    where what happened is known (a backtest). A month missing from the history breaks its line.
    """
    require(history, "month", "value")
    require(forecast, "month", "value", "lower_80", "upper_80", "lower_95", "upper_95")
    past, ahead = by_month(history), by_month(forecast)
    known = by_month(actual) if actual is not None else None
    first, last = min(past.index[0], ahead.index[0]), max(past.index[-1], ahead.index[-1])
    seen = [*past["value"], *ahead["lower_95"], *ahead["upper_95"], *(known["value"] if known is not None else [])]
    scale = linear(seen, zero=zero, number=value_format)
    left = axis_room(scale)
    width = theme.WIDTH - left - 14
    x, y = month_axis(first, last), value_y(scale)
    entries = [
        (history_label, _stroke(theme.INK)),
        ("Forecast", _stroke(theme.AREA_COLOUR)),
        ("80% range", swatch(theme.INNER_BAND)),
        ("95% range", swatch(theme.OUTER_BAND)),
    ]
    if known is not None:
        entries.insert(1, (actual_label, marker(theme.AREA) | {"fill": theme.WHITE, "size": 60}))
    key_layers = key(entries, -left, -36)
    start = (milliseconds(ahead.index[0], -HALF_MONTH) - milliseconds(first, -HALF_MONTH)) / (
        milliseconds(last, HALF_MONTH) - milliseconds(first, -HALF_MONTH)
    )
    layers = [
        _range(ahead, "95", theme.OUTER_BAND, x, scale),
        _range(ahead, "80", theme.INNER_BAND, x, scale),
        _boundary(start * width, height),
        _month_line("history", past["value"], x, y, color=theme.INK, strokeWidth=2),
        _month_line("forecast", ahead["value"], x, y, color=theme.AREA_COLOUR, strokeWidth=3, strokeDash=[7, 3]),
        *_month_markers(past, ahead, known, x, y, value_format),
        *notes([Note(-left, -20, plain(value_title)), *_boundary_notes(start * width, width, ahead.index[0])]),
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


def _stroke(colour: str) -> dict[str, Any]:
    return {"shape": "stroke", "fill": colour, "stroke": colour, "size": 300}


def _range(ahead: pd.DataFrame, level: str, colour: str, x: alt.X, scale: Linear) -> Layer:
    rows = [
        {"month": iso(month), "value": lower, "upper": upper}
        for month, lower, upper in zip(ahead.index, ahead[f"lower_{level}"], ahead[f"upper_{level}"], strict=True)
    ]
    chart = alt.Chart(inline(f"range_{level}", rows)).mark_area(color=colour, line=False)
    return chart.encode(x=x, y=value_y(scale), y2="upper:Q")


def _month_line(name: str, values: pd.Series, x: alt.X, y: alt.Y, **mark: Any) -> Layer:
    rows = [{"month": iso(month), "value": value} for month, value in values.items()]
    return alt.Chart(inline(name, rows)).mark_line(**mark).encode(x=x, y=y)


def _boundary(place: float, height: float) -> Layer:
    return (
        alt.Chart(inline("boundary", [{"x": place, "y": 0, "y2": height}]))
        .mark_rule(color=theme.RULE, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None), y2="y2:Q")
    )


def _boundary_notes(place: float, width: float, start: pd.Period) -> list[Note]:
    text = f"from {start.strftime('%b %Y')}"
    right = place + text_width(text, theme.SMALL_SIZE) <= width
    return [Note(place if right else width, -14, text, theme.MUTED, "left" if right else "right", italic=True, size=14)]


def _month_markers(
    past: pd.DataFrame, ahead: pd.DataFrame, known: pd.DataFrame | None, x: alt.X, y: alt.Y, number: str
) -> list[Layer]:
    """Markers on the forecast and on what happened, and on months of history that no line reaches."""
    small = {"shape": "circle", "fill": theme.AREA_COLOUR, "stroke": theme.AREA_COLOUR, "size": 22}
    rows = [
        {
            "month": iso(month),
            "value": r.value,
            **small,
            "tip": f"{month_name(month)}: {number_text(r.value, number)} forecast, 95% range "
            f"{number_text(r.lower_95, number)} to {number_text(r.upper_95, number)}",
        }
        for month, r in zip(ahead.index, ahead.itertuples(index=False), strict=True)
        if pd.notna(r.value)
    ]
    shown = [(past["value"], _marked(past["value"], every=False)[:-1], small | {"fill": theme.INK, "stroke": theme.INK})]
    if known is not None:
        hollow = marker(theme.AREA) | {"fill": theme.WHITE, "size": 60}
        shown.append((known["value"], _marked(known["value"], every=True), hollow))
    for values, places, look in shown:
        for j in places:
            tip = f"{month_name(values.index[j])}: {number_text(values.iloc[j], number)}"
            rows.append({"month": iso(values.index[j]), "value": values.iloc[j], **look, "tip": tip})
    return [point_layer("months", rows, x, y)] if rows else []
