"""What a whole is made of: components of change by year, age profiles, and shares by band.

For the reader who asks "what drives it?" and "how are we made up?". Bars are the area; its comparators are
markers on the same scale, so that every difference can be read against a common line. Shares and components
come from the chapters.
"""

from collections.abc import Mapping
from typing import Any

import altair as alt
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import Linear, linear, number_text, text_width, thin, wrap
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
    swatch,
    value_y,
)
from cbs_analysis.evidence.drawing import Drawing

HEIGHT = 320
AGE_ROW = 23


@house_made
def components(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    value_format: str = ",.0f",
    net_label: str = "Net change",
    height: int = HEIGHT,
    description: str = "",
) -> Drawing:
    """What added (above the line) and what took away (below) in each year, and the balance.

    `frame`: year, component, value (signed), one row a year and component; at most six components, stacked
    in the order of first appearance. The balance is drawn for years in which every component is known.
    """
    require(frame, "year", "component", "value")
    wide = frame.assign(component=frame["component"].map(plain)).pivot(
        index="year", columns="component", values="value"
    )
    wide = wide.sort_index()[list(dict.fromkeys(frame["component"].map(plain)))]
    if len(wide.columns) > len(theme.PARTS):
        raise ValueError(f"at most {len(theme.PARTS)} components can be told apart, not {len(wide.columns)}")
    colours = dict(zip(wide.columns, theme.PARTS, strict=False))
    scale = linear([*wide.clip(lower=0).sum(axis=1), *wide.clip(upper=0).sum(axis=1)], zero=True, number=value_format)
    left = axis_room(scale)
    width = theme.WIDTH - left - 10
    balance = {"shape": "diamond", "fill": theme.WHITE, "stroke": theme.INK, "size": 90}
    entries = [(name, swatch(colour)) for name, colour in colours.items()] + [(net_label, balance)]
    key_layers = key(entries, -left, -36)
    x = _band_x([str(year) for year in wide.index], most=10)
    layers = [
        _stacks(wide, colours, x, scale),
        alt.Chart(inline("zero", [{"value": 0}])).mark_rule(color=theme.INK).encode(y=value_y(scale)),
        *_balance(wide, balance, x, scale, net_label, value_format),
        *notes([Note(-left, -20, plain(value_title))]),
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


def _band_x(names: list[str], *, most: int) -> alt.X:
    """Bars side by side, with at most this many labels; with none, the caller writes its own."""
    shown = [names[i] for i in thin(names, most)] if most else []
    return alt.X(
        "band:O",
        scale=alt.Scale(type="band", domain=names, paddingInner=0.25, paddingOuter=0.125),
        axis=alt.Axis(values=shown, title=None, labelAngle=0, ticks=False, grid=False, labels=bool(most)),
    )


def _stacks(wide: pd.DataFrame, colours: Mapping[str, str], x: alt.X, scale: Linear) -> Layer:
    rows = []
    for year, values in wide.iterrows():
        up = down = 0.0
        for name, value in values.dropna().items():
            start = up if value >= 0 else down
            row = {"band": str(year), "value": start, "end": start + value, "colour": colours[str(name)]}
            rows.append(row | {"tip": f"{name}, {year}: {number_text(value, '+,.0f')}"})
            up, down = (up + value, down) if value >= 0 else (up, down + value)
    layer: Layer = (
        alt.Chart(inline("components", rows))
        .mark_bar(stroke=theme.WHITE, strokeWidth=1)
        .encode(
            x=x,
            y=value_y(scale).stack(None),
            y2=alt.Y2("end:Q"),
            color=alt.Color("colour:N", scale=None),
            tooltip=alt.Tooltip("tip:N"),
        )
    )
    return layer


def _balance(
    wide: pd.DataFrame, look: Mapping[str, Any], x: alt.X, scale: Linear, label: str, number: str
) -> list[Layer]:
    sums = wide.sum(axis=1, skipna=False)
    rows = [{"band": str(year), "value": value} for year, value in sums.items()]
    line = alt.Chart(inline("balance", rows)).mark_line(color=theme.INK, strokeWidth=1.5).encode(x=x, y=value_y(scale))
    known = [
        {
            "band": str(year),
            "value": value,
            **look,
            "tip": f"{plain(label)}, {year}: {number_text(value, number)}",
        }
        for year, value in sums.dropna().items()
    ]
    return [line, point_layer("balances", known, x, value_y(scale))]


def _shares(frame: pd.DataFrame, band: str) -> tuple[pd.DataFrame, dict[str, theme.Style]]:
    """Bands by series, both in the frame's order, and the style of each series."""
    require(frame, band, "series", "share_pct", "role")
    named = frame.assign(series=frame["series"].map(plain), band=frame[band].map(plain))
    wide = named.pivot(index="band", columns="series", values="share_pct")
    wide = wide.reindex(index=list(dict.fromkeys(named["band"])), columns=list(dict.fromkeys(named["series"])))
    return wide, theme.styles(zip(named["series"], named["role"], strict=True))


def _share_key(look: Mapping[str, theme.Style]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, swatch(style.colour) if style is theme.AREA else _marker_on_bar(style)) for name, style in look.items()
    ]


def _marker_on_bar(style: theme.Style) -> dict[str, Any]:
    """A comparator's marker with a white edge, so that it reads on a dark bar as on the page."""
    return marker(style) | {"stroke": theme.WHITE, "fill": style.colour, "size": style.size + 40}


@house_made
def age_profile(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str = "Share of residents (%)",
    band_title: str = "Age",
    value_format: str = ".1f",
    description: str = "",
) -> Drawing:
    """Share of residents in each age band, the oldest at the top: the area as bars.

    `frame`: age_band (in order, youngest first), series, share_pct, role.
    """
    wide, look = _shares(frame, "age_band")
    scale = linear([*wide.to_numpy().ravel()], zero=True, round_ends=False, number=value_format)
    height = AGE_ROW * len(wide)
    left = max(text_width(b) for b in [*wide.index, plain(band_title)]) + 12
    width = theme.WIDTH - left - 14
    middles = {band: height - (i + 0.5) * AGE_ROW for i, band in enumerate(wide.index)}
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[scale.lower, scale.upper], nice=False),
        axis=alt.Axis(
            values=list(scale.ticks), format=scale.format, title=plain(value_title), domain=False, ticks=False
        ),
    )
    y = alt.Y("y:Q", scale=None, axis=None)
    bars, marks = _share_rows(wide, look, {band: {"y": middle} for band, middle in middles.items()}, value_format)
    key_layers = key(_share_key(look), -left, -26)
    bar_mark = alt.Chart(inline("area", bars)).mark_bar(
        color=theme.AREA_COLOUR, height=AGE_ROW * 0.72, orient="horizontal"
    )
    layers = [
        bar_mark.encode(x=x, x2=alt.XDatum(0), y=y, tooltip=alt.Tooltip("tip:N")),
        point_layer("comparators", marks, x, y, strokeWidth=1.2),
        *notes([Note(-8, middle, band, theme.INK, "right") for band, middle in middles.items()]),
        *notes([Note(-8, -12, plain(band_title), theme.MUTED, "right")], "band_title"),
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


def _share_rows(
    wide: pd.DataFrame, look: Mapping[str, theme.Style], places: Mapping[str, Mapping[str, Any]], number: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of the area's bars and of the others' markers, each placed by its band."""
    bars: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    for name in wide.columns:
        for band, share in wide[name].dropna().items():
            row = {
                **places[str(band)],
                "value": share,
                "tip": f"{name}, {band}: {number_text(share, number)}%",
            }
            if look[name] is theme.AREA:
                bars.append(row)
            else:
                marks.append(row | _marker_on_bar(look[name]))
    return bars, marks


@house_made
def distribution(
    frame: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    value_title: str,
    bin_title: str = "",
    value_format: str = ".1f",
    reference: tuple[str, float] | None = None,
    height: int = HEIGHT,
    description: str = "",
) -> Drawing:
    """Share in each bin: bars for the area, markers for its comparators.

    `frame`: bin (in order), series, share_pct, role. `reference` is a labelled level line, such as an even
    spread.
    """
    wide, look = _shares(frame, "bin")
    levels = [reference[1]] if reference else []
    scale = linear([*wide.to_numpy().ravel(), *levels], zero=True, number=value_format)
    left = axis_room(scale)
    width = theme.WIDTH - left - 10
    key_layers = key(_share_key(look), -left, -36)
    names = [str(band) for band in wide.index]
    x = _band_x(names, most=0)
    texts, depth = _bin_notes(names, width, height)
    if bin_title:
        texts.append(Note(width / 2, height + depth + 20, plain(bin_title), theme.MUTED, "center"))
    bars, marks = _share_rows(wide, look, {name: {"band": name} for name in names}, value_format)
    layers = [
        alt.Chart(inline("area", bars))
        .mark_bar(color=theme.AREA_COLOUR)
        .encode(x=x, y=value_y(scale).stack(None), tooltip=alt.Tooltip("tip:N")),
        *_level(reference, scale, width, height, value_format),
        point_layer("comparators", marks, x, value_y(scale), strokeWidth=1.2),
        *notes([Note(-left, -20, plain(value_title)), *texts]),
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


def _bin_notes(names: list[str], width: float, height: float) -> tuple[list[Note], float]:
    """Bin labels under the bars, broken into lines where narrow, and how deep they reach."""
    pitch = width / len(names)
    broken = [wrap(name, pitch - 4, theme.SMALL_SIZE)[:3] for name in names]
    texts = [
        Note((i + 0.5) * pitch, height + 14, "\n".join(parts), theme.MUTED, "center", size=theme.SMALL_SIZE)
        for i, parts in enumerate(broken)
    ]
    return texts, 14.0 + theme.LINE_HEIGHT * (max(map(len, broken)) - 1)


def _level(reference: tuple[str, float] | None, scale: Linear, width: float, height: float, number: str) -> list[Layer]:
    if reference is None:
        return []
    label, value = reference
    rule = (
        alt.Chart(inline("reference", [{"value": value}]))
        .mark_rule(color=theme.RULE, strokeDash=[5, 4], strokeWidth=1.5)
        .encode(y=value_y(scale))
    )
    y = height - scale.position(value, height) - 10
    return [
        rule,
        *notes(
            [Note(width, y, f"{plain(label)} {number_text(value, number)}", theme.MUTED, "right")],
            "reference_label",
        ),
    ]
