"""Areas side by side: where one value stands among its peers, with its uncertainty.

For the reader who asks "is that high, and can I be sure?". A flagged value is shown, hollow and crossed,
and never ranked. Values and intervals come from the chapters.
"""

from collections.abc import Mapping

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
    Align,
    Layer,
    Note,
    finish,
    house_made,
    inline,
    marker,
    notes,
    plain,
    point_layer,
    require,
)
from cbs_analysis.evidence.drawing import Drawing

ROW = 22
# Beyond this many rows only the area, its comparators and the two ends are named.
MOST_NAMED_ROWS = 45
DENSE_HEIGHT = 620
LABEL_LIMIT = 215


@house_made
def ranked_intervals(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    value_format: str = "",
    reference: tuple[str, float] | None = None,
    zero: bool = False,
    description: str = "",
) -> Drawing:
    """Areas from the highest value to the lowest, each with its interval; flagged ones below, unranked.

    `frame`: name, value, lower, upper (NaN where there is no interval), role (see `theme.styles`), one row
    an area. `reference` is a labelled upright line. `value_format` is a number format common to Python and
    D3; without it the range of the values decides. `zero` makes the axis start at zero. Above 45 rows only
    the area, its comparators and the ends are named.
    """
    require(frame, "name", "value", "lower", "upper", "role")
    if frame["value"].isna().all():
        raise ValueError("none of the areas has a value to rank")
    shown = frame[frame["value"].notna()].assign(name=lambda f: f["name"].map(plain))
    apart = shown["role"].map(theme.is_flagged)
    ranked = shown[~apart].sort_values(["value", "name"], ascending=[False, True], kind="stable")
    flagged = shown[apart].sort_values("name", kind="stable")
    # Roles are read in the caller's order: it tells the plain comparators apart.
    look = theme.styles(zip(shown["name"], shown["role"], strict=True))
    dense = len(ranked) > MOST_NAMED_ROWS
    pitch = DENSE_HEIGHT / len(ranked) if dense else ROW
    flagged_top = len(ranked) * pitch + 2 * ROW
    ordered = pd.concat([ranked, flagged], ignore_index=True)
    ordered["y"] = [(i + 0.5) * pitch for i in range(len(ranked))] + [
        flagged_top + (i + 0.5) * ROW for i in range(len(flagged))
    ]
    height = flagged_top + len(flagged) * ROW if len(flagged) else len(ranked) * pitch
    seen = [*shown["value"], *shown["lower"], *shown["upper"], *([reference[1]] if reference else [])]
    value_format = fitting_format(seen, value_format)
    scale = linear(seen, zero=zero, round_ends=False, number=value_format)
    names = _row_names(ordered, look, dense=dense, height=height)
    left = max(min(text_width(n.text, bold=n.bold), LABEL_LIMIT) for n in names) + 10
    width = theme.WIDTH - left - 14
    if len(flagged):
        names.append(Note(-8, flagged_top - ROW / 2, "Flagged, not ranked", theme.MUTED, "right", italic=True))
    layers = [
        *_highlight(ordered, pitch, left, width),
        *_reference(reference, scale, width, height, value_format),
        _intervals(ordered, look, _value_x(scale, plain(value_title)), dense=dense),
        _dots(ordered, look, _value_x(scale, plain(value_title)), value_format, dense=dense),
        *notes([*names, *_values(ordered, look, scale, width, value_format)]),
    ]
    return finish(
        layers, title=title, subtitle=subtitle, width=width, height=height, left=left, description=description
    )


def _row_names(ordered: pd.DataFrame, look: Mapping[str, theme.Style], *, dense: bool, height: float) -> list[Note]:
    named = ordered
    if dense:
        ends = {0, int((~ordered["role"].map(theme.is_flagged)).sum()) - 1}
        named = ordered[(ordered["role"] != "peer") | ordered.index.isin(ends)]
    places = spread(list(named["y"]), [min(ROW, 19.0)] * len(named), 0, height) if dense else list(named["y"])
    return [
        Note(
            -8,
            y,
            name,
            look[name].text,
            "right",
            bold=theme.is_own(role) or theme.is_comparator(role),
            limit=LABEL_LIMIT,
        )
        for name, role, y in zip(named["name"], named["role"], places, strict=True)
    ]


def _highlight(ordered: pd.DataFrame, pitch: float, left: float, width: float) -> list[Layer]:
    """A pale strip behind the area's row, so that the eye can follow it across."""
    half = max(pitch, 0.8 * ROW) / 2
    rows = [{"y": y - half, "y2": y + half} for y in ordered.loc[ordered["role"].map(theme.is_own), "y"]]
    if not rows:
        return []
    return [
        alt.Chart(inline("highlight", rows))
        .mark_rect(color=theme.AREA_TINT)
        .encode(
            x=alt.value(-left),
            x2=alt.value(width),
            y=alt.Y("y:Q", scale=None, axis=None),
            y2=alt.Y2("y2:Q"),
        )
    ]


def _reference(
    reference: tuple[str, float] | None, scale: Linear, width: float, height: float, number: str
) -> list[Layer]:
    if reference is None:
        return []
    label, value = reference
    place = scale.position(value, width)
    text = f"{plain(label)} {number_text(value, number)}"
    half = text_width(text) / 2
    rule = (
        alt.Chart(inline("reference", [{"x": place, "y": -4, "y2": height}]))
        .mark_rule(color=theme.RULE, strokeWidth=1.5, strokeDash=[5, 4])
        .encode(x=alt.X("x:Q", scale=None, axis=None), y=alt.Y("y:Q", scale=None, axis=None), y2=alt.Y2("y2:Q"))
    )
    return [
        rule,
        *notes([Note(max(min(place, width - half), half), -14, text, theme.MUTED, "center")], "reference_label"),
    ]


def _value_x(scale: Linear, title: str) -> alt.X:
    axis = alt.Axis(values=list(scale.ticks), format=scale.format, title=title, domain=False, ticks=False)
    return alt.X("value:Q", scale=alt.Scale(domain=[scale.lower, scale.upper], nice=False, zero=False), axis=axis)


def _intervals(ordered: pd.DataFrame, look: Mapping[str, theme.Style], x: alt.X, *, dense: bool) -> Layer:
    rows = [
        {
            "value": r.lower,
            "upper": r.upper,
            "y": r.y,
            "colour": look[r.name].colour,
            "weight": _weight(r.role, dense),
        }
        for r in _area_last(ordered).itertuples(index=False)
    ]
    layer: Layer = (
        alt.Chart(inline("intervals", rows))
        .mark_rule()
        .encode(
            x=x,
            x2=alt.X2("upper:Q"),
            y=alt.Y("y:Q", scale=None, axis=None),
            color=alt.Color("colour:N", scale=None),
            strokeWidth=alt.StrokeWidth("weight:Q", scale=None),
        )
    )
    return layer


def _area_last(ordered: pd.DataFrame) -> pd.DataFrame:
    """Drawing order: the area over its comparators over the rest."""
    depth = ordered["role"].map({"peer": 0, "flagged": 0, "area": 2, "flagged_area": 2}).fillna(1)
    return ordered.assign(depth=depth).sort_values("depth", kind="stable")


def _weight(role: str, dense: bool) -> float:
    return 3 if theme.is_own(role) else 1 if dense else 2


def _dots(ordered: pd.DataFrame, look: Mapping[str, theme.Style], x: alt.X, number: str, *, dense: bool) -> Layer:
    rows = []
    for r in _area_last(ordered).itertuples(index=False):
        mark = marker(look[r.name])
        if dense and r.role == "peer":
            mark["size"] = 14
        rows.append(
            {
                "value": r.value,
                "y": r.y,
                **mark,
                "tip": interval_tip(r.name, r.value, r.lower, r.upper, number),
            }
        )
    return point_layer("areas", rows, x, alt.Y("y:Q", scale=None, axis=None))


def interval_tip(name: str, value: float, lower: float, upper: float, number: str) -> str:
    """What pointing at a value shows: its name, the value, and its interval where it has one."""
    text = f"{name}: {number_text(value, number)}"
    if pd.notna(lower) and pd.notna(upper):
        text += f" ({number_text(lower, number)} to {number_text(upper, number)})"
    return text


def _values(
    ordered: pd.DataFrame, look: Mapping[str, theme.Style], scale: Linear, width: float, number: str
) -> list[Note]:
    """The value in figures beside the area and each comparator."""
    found = []
    for r in ordered.itertuples(index=False):
        if r.role != "peer" and not theme.is_flagged(r.role):
            text = number_text(r.value, number)
            # Where rows are thinner than a letter, the figures must clear the neighbours' intervals too.
            near = ordered.loc[(ordered["y"] - r.y).abs() < 9, ["value", "lower", "upper"]].to_numpy().ravel()
            ends = [scale.position(v, width) for v in near if pd.notna(v)]
            middle = scale.position(r.value, width)
            align: Align = "left"
            x = max(*ends, middle + 6) + 8
            if x + text_width(text, bold=True) > width + 10:
                x, align = min(*ends, middle - 6) - 8, "right"
            found.append(Note(x, r.y, text, look[r.name].text, align, bold=True))
    return found
