"""A forecast with its uncertainty, after the series it was made from.

For the reader who asks "what should we plan for, and how sure is it?", and, with what happened laid over it,
"how well would that have worked?". Forecasts and their ranges come from the statistics.
"""

from typing import Any

import altair as alt
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import Linear, fitting_format, linear, number_text, text_width
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
    swatch,
    value_y,
)
from cbs_analysis.evidence.charts.time_steps import boundary, by_month, iso, month_axis, month_name
from cbs_analysis.evidence.drawing import Drawing

HEIGHT = 320


@house_made
def fan(
    history: pd.DataFrame,
    forecast: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    value_format: str = "",
    history_label: str = "Published",
    actual: pd.DataFrame | None = None,
    actual_label: str = "What happened",
    zero: bool = False,
    height: int = HEIGHT,
    description: str = "",
    frequency: str = "month",
) -> Drawing:
    """A series by month, or by week, quarter or year, and its forecast, with the ranges that hold 80% and 95% of what
    may come.

    `history`: month, value. `forecast`: month, value, lower_80, upper_80, lower_95, upper_95. `actual`: month, value,
    where what happened is known (a backtest). A month missing from the history breaks its line.
    """
    require(history, "month", "value")
    require(forecast, "month", "value", "lower_80", "upper_80", "lower_95", "upper_95")
    past, ahead = by_month(history, frequency), by_month(forecast, frequency)
    known = by_month(actual, frequency) if actual is not None else None
    first, last = min(past.index[0], ahead.index[0]), max(past.index[-1], ahead.index[-1])
    seen = [
        *past["value"],
        *ahead["lower_95"],
        *ahead["upper_95"],
        *(known["value"] if known is not None else []),
    ]
    value_format = fitting_format(seen, value_format)
    scale = linear(seen, zero=zero, number=value_format)
    left = axis_room(scale)
    width = theme.WIDTH - left - 14
    x, y = month_axis(first, last), value_y(scale)
    entries = [
        (history_label, _stroke("stroke")),
        ("Forecast", _stroke(theme.DASHES)),
        ("80% range", swatch(theme.INNER_BAND)),
        ("95% range", swatch(theme.OUTER_BAND)),
    ]
    if known is not None:
        entries.insert(1, (actual_label, marker(theme.AREA) | {"fill": theme.WHITE, "size": 60}))
    key_layers = key(entries, -left, -36)
    start = boundary(ahead.index[0], first, last, width)
    layers = [
        _range(ahead, "95", theme.OUTER_BAND, x, scale),
        _range(ahead, "80", theme.INNER_BAND, x, scale),
        _boundary(start, height),
        _month_line("history", past["value"], x, y, color=theme.AREA_COLOUR, strokeWidth=2),
        _month_line("forecast", ahead["value"], x, y, color=theme.AREA_COLOUR, strokeWidth=3, strokeDash=[7, 3]),
        *_month_markers(past, ahead, known, x, y, value_format),
        *notes([Note(-left, -20, plain(value_title)), *_boundary_notes(start, width, ahead.index[0])]),
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


def _stroke(shape: str) -> dict[str, Any]:
    return {"shape": shape, "fill": theme.AREA_COLOUR, "stroke": theme.AREA_COLOUR, "size": 260}


def _range(ahead: pd.DataFrame, level: str, colour: str, x: alt.X, scale: Linear) -> Layer:
    rows = [
        {"month": iso(month), "value": lower, "upper": upper}
        for month, lower, upper in zip(ahead.index, ahead[f"lower_{level}"], ahead[f"upper_{level}"], strict=True)
    ]
    chart = alt.Chart(inline(f"range_{level}", rows)).mark_area(color=colour, line=False)
    layer: Layer = chart.encode(x=x, y=value_y(scale), y2=alt.Y2("upper:Q"))
    return layer


def _month_line(name: str, values: pd.Series, x: alt.X, y: alt.Y, **mark: Any) -> Layer:
    rows = [{"month": iso(month), "value": value} for month, value in values.items()]
    layer: Layer = alt.Chart(inline(name, rows)).mark_line(**mark).encode(x=x, y=y)
    return layer


def _boundary(place: float, height: float) -> Layer:
    layer: Layer = (
        alt.Chart(inline("boundary", [{"x": place, "y": 0, "y2": height}]))
        .mark_rule(color=theme.RULE, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None), y2=alt.Y2("y2:Q"))
    )
    return layer


def _boundary_notes(place: float, width: float, start: pd.Period) -> list[Note]:
    text = f"from {start.start_time:%b %Y}"
    right = place + text_width(text, theme.SMALL_SIZE) <= width
    return [
        Note(
            place if right else width,
            -14,
            text,
            theme.MUTED,
            "left" if right else "right",
            italic=True,
            size=14,
        )
    ]


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
    shown = [(past["value"], marked(past["value"], last=False), small)]
    if known is not None:
        hollow = marker(theme.AREA) | {"fill": theme.WHITE, "size": 60}
        shown.append((known["value"], marked(known["value"], every=True), hollow))
    for values, places, look in shown:
        for j in places:
            tip = f"{month_name(values.index[j])}: {number_text(values.iloc[j], number)}"
            rows.append({"month": iso(values.index[j]), "value": values.iloc[j], **look, "tip": tip})
    return [point_layer("months", rows, x, y)] if rows else []
