"""A monthly series between its process limits: what is ordinary variation, and what is not.

For the reader who asks "is that a change?". Mean, limits and the months with a special cause come from the
statistics; nothing is worked out here. A month without a value is a gap in the line.
"""

from collections.abc import Mapping, Sequence
from typing import Any

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
)
from cbs_analysis.evidence.charts.marks import (
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
    value_y,
)
from cbs_analysis.evidence.charts.time_steps import (
    boundary,
    by_month,
    iso,
    month_axis,
    month_name,
    months,
)
from cbs_analysis.evidence.drawing import Drawing

HEIGHT = 300


@house_made
def control(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    value_format: str = "",
    breaks: Sequence[tuple[Any, str]] = (),
    height: int = HEIGHT,
    description: str = "",
    frequency: str = "month",
) -> Drawing:
    """A series by month, or by week, quarter or year, its mean and process limits; special causes stand out by shape
    and colour.

    `frame`: month, value, mean, lower_process_limit, upper_process_limit, special_cause (true or false). `month` is the
    start of each step. Mean and limits may change from one step to the next where the process was rebased. A missing
    month, or one without a value, breaks the line. `breaks` are (month, label): an upright line before that month.
    """
    require(frame, "month", "value", "mean", "lower_process_limit", "upper_process_limit", "special_cause")
    series = by_month(frame, frequency)
    special = series["special_cause"].map(lambda v: bool(v) if pd.notna(v) else False).astype(bool)
    seen = [*series["value"], *series["lower_process_limit"], *series["upper_process_limit"]]
    value_format = fitting_format(seen, value_format)
    scale = linear(seen, number=value_format)
    left = axis_room(scale)
    limits = _limit_texts(series, value_format)
    width = theme.WIDTH - left - 8 - max((text_width(text, theme.SMALL_SIZE) for text, _ in limits), default=0)
    entries: list[tuple[str, Mapping[str, Any]]] = [(frequency.capitalize(), {**marker(theme.AREA), "size": 45})]
    if special.any():
        entries.append((f"Unusual {frequency} (special cause)", _special_marker()))
    entries.append(("Range expected by chance", {**_band_swatch()}))
    rows_above = len({i % 2 for i in range(len(breaks))})
    key_layers = key(entries, -left, -36 - 20 * rows_above)
    stretches = _stretches(series, width)
    layers = [
        *_limits(stretches, scale),
        *_breaks(breaks, series, width, height, frequency),
        _series_line("series", series["value"], series, scale),
        _control_points(series, special, scale, value_format),
        *notes(
            [
                Note(-left, -20 - 20 * rows_above, plain(value_title)),
                *_limit_notes(limits, scale, width, height),
            ]
        ),
        *key_layers,
    ]
    return finish(
        layers, title=title, subtitle=subtitle, width=width, height=height, left=left, description=description
    )


def _special_marker() -> dict[str, Any]:
    return {"shape": "diamond", "fill": theme.SIGNAL_COLOUR, "stroke": theme.WHITE, "size": 170}


def _band_swatch() -> dict[str, Any]:
    return {"shape": "square", "fill": theme.BAND, "stroke": theme.RULE, "size": 170}


def _stretches(series: pd.DataFrame, width: float) -> list[dict[str, Any]]:
    """Runs of months that share mean and limits, and how far from the left each begins and ends."""
    columns = ["mean", "lower_process_limit", "upper_process_limit"]
    known = series[series["mean"].notna()]
    runs: list[dict[str, Any]] = []
    for month, values in zip(known.index, known[columns].to_numpy(dtype=float), strict=True):
        start, end = (boundary(m, series.index[0], series.index[-1], width) for m in (month, month + 1))
        last = runs[-1] if runs else None
        if last and last["values"] == tuple(values) and last["next"] == month:
            last.update(x2=end, next=month + 1)
        else:
            runs.append({"x": start, "x2": end, "next": month + 1, "values": tuple(values)})
    return runs


def _limits(runs: list[dict[str, Any]], scale: Linear) -> list[Layer]:
    rows = [
        {
            "x": r["x"],
            "x2": r["x2"],
            "value": r["values"][0],
            "low": r["values"][1],
            "high": r["values"][2],
        }
        for r in runs
    ]
    x = alt.X("x:Q", scale=None, axis=None)
    band = (
        alt.Chart(inline("limits", rows))
        .mark_rect(color=theme.BAND)
        .encode(x=x, x2=alt.X2("x2:Q"), y=value_y(scale, "low"), y2=alt.Y2("high:Q"))
    )
    layers = [band]
    for field, dash, colour in (
        ("value", [1, 0], "#6E6E6E"),
        ("low", [5, 4], "#A5A5A5"),
        ("high", [5, 4], "#A5A5A5"),
    ):
        layers.append(
            alt.Chart(inline("limits", rows))
            .mark_rule(color=colour, strokeDash=dash, strokeWidth=1.5)
            .encode(x=x, x2=alt.X2("x2:Q"), y=value_y(scale, field))
        )
    return layers


def _limit_texts(series: pd.DataFrame, number: str) -> list[tuple[str, float]]:
    """The latest mean and limits in figures, and where they lie; nothing where there are none."""
    latest = series[series["mean"].notna()].tail(1)
    values = [
        (word, float(value))
        for word, column in (
            ("Upper", "upper_process_limit"),
            ("Mean", "mean"),
            ("Lower", "lower_process_limit"),
        )
        for value in latest[column].dropna()
    ]
    return [(f"{word} {number_text(value, number)}", value) for word, value in values]


def _limit_notes(labels: list[tuple[str, float]], scale: Linear, width: float, height: float) -> list[Note]:
    """The latest mean and limits at the right, apart from each other."""
    centres = [height - scale.position(value, height) for _, value in labels]
    places = spread(centres, [18.0] * len(labels), 0, height)
    return [Note(width + 6, y, text, size=theme.SMALL_SIZE) for (text, _), y in zip(labels, places, strict=True)]


def _series_line(name: str, values: pd.Series, span: pd.DataFrame, scale: Linear, **mark: Any) -> Layer:
    rows = [{"month": iso(month), "value": value} for month, value in values.items()]
    look = {"color": theme.AREA_COLOUR, "strokeWidth": 2, **mark}
    layer: Layer = (
        alt.Chart(inline(name, rows))
        .mark_line(**look)
        .encode(x=month_axis(span.index[0], span.index[-1]), y=value_y(scale))
    )
    return layer


def _control_points(series: pd.DataFrame, special: pd.Series, scale: Linear, number: str) -> Layer:
    rows = []
    for month, value in series["value"].dropna().items():
        mark = _special_marker() if special[month] else {**marker(theme.AREA), "size": 34}
        tip = f"{month_name(month)}: {number_text(value, number)}" + (", special cause" if special[month] else "")
        rows.append({"month": iso(month), "value": value, **mark, "tip": tip})
    x = month_axis(series.index[0], series.index[-1])
    return point_layer("months", rows, x, value_y(scale), strokeWidth=1)


def _breaks(
    breaks: Sequence[tuple[Any, str]], series: pd.DataFrame, width: float, height: float, frequency: str
) -> list[Layer]:
    """Upright lines before the months of a break, their labels over the plot in two alternating rows."""
    if not breaks:
        return []
    rules, texts = [], []
    for i, (month, label) in enumerate(sorted(((months([m], frequency)[0], plain(t)) for m, t in breaks))):
        x = boundary(month, series.index[0], series.index[-1], width)
        y = -10 - 20 * (i % 2)
        half = text_width(label, theme.SMALL_SIZE) / 2
        rules.append({"x": x, "y": y + 9, "y2": height})
        texts.append(
            Note(
                max(min(x, width + 80 - half), half),
                y,
                label,
                theme.INK,
                "center",
                italic=True,
                size=theme.SMALL_SIZE,
            )
        )
    rule = (
        alt.Chart(inline("breaks", rules))
        .mark_rule(color=theme.INK, strokeDash=[2, 3], strokeWidth=1.5)
        .encode(x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None), y2=alt.Y2("y2:Q"))
    )
    return [rule, *notes(texts, "break_labels")]
