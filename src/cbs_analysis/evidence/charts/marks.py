"""The building blocks of every chart: checked frames, inline data, texts, keys and the finished drawing.

Names and titles reach the drawing as data or as literal titles only. None becomes a column name, a
tooltip's title or part of an expression, because Vega-Lite would compile those as code. Positions of texts
and keys are in chart units, with the plot's top left corner at 0, 0.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import altair as alt
import pandas as pd
from altair.utils.schemapi import debug_mode

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import Linear, text_width, wrap
from cbs_analysis.evidence.drawing import Drawing

Layer = alt.Chart
Align = Literal["left", "center", "right"]
# Charts of this package are checked against Vega-Lite's schema by its tests; checking each part of each chart that is
# drawn would take longer than drawing it.
house_made = debug_mode(False)
# Characters that no XML document may hold, and surrogates that no text should.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def require(frame: pd.DataFrame, *columns: str) -> None:
    """Raise ValueError unless the frame has these columns and a row."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"the chart's frame lacks {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise ValueError("the chart's frame has no rows")


def plain(text: object) -> str:
    """Text on one line, without characters that a page cannot hold."""
    return " ".join(_UNWRITABLE.sub("", str(text)).split())


class Rows:
    """The rows of a chart's data, which Altair passes on as they are and does not copy or look into.

    It takes whatever has these two attributes (its `SchemaLike`).
    """

    _schema: ClassVar = {"type": "array"}

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def to_dict(self, *unused: Any, **also_unused: Any) -> list[dict[str, Any]]:
        return self._rows


def inline(name: str, rows: Iterable[Mapping[str, Any]]) -> alt.InlineData:
    """Rows as data inside the chart, under a name of ours (an unnamed set would be moved away and hashed).

    Numbers that are not finite become null: a gap.
    """
    values: Any = Rows([{k: _plain_value(v) for k, v in row.items()} for row in rows])
    return alt.InlineData(name=name, values=values)


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() else float(f"{number:.10g}")


def value_y(scale: Linear, field: str = "value") -> alt.Y:
    """Upward axis on a scale of ours: light grid, no axis line; its title is written above the plot."""
    axis = alt.Axis(values=list(scale.ticks), format=scale.format, title=None, domain=False, ticks=False, grid=True)
    return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[scale.lower, scale.upper], nice=False, zero=False), axis=axis)


def axis_room(scale: Linear) -> float:
    """Width taken by the labels of an upward axis."""
    return max(text_width(format(tick, scale.format)) for tick in scale.ticks) + 8


@dataclass(frozen=True)
class Note:
    """A piece of text at a place on the drawing."""

    x: float
    y: float
    text: str
    colour: str = theme.MUTED
    align: Align = "left"
    bold: bool = False
    italic: bool = False
    size: int = theme.TEXT_SIZE
    limit: float = 0

    def layer_key(self) -> tuple[Align, bool, bool, int, float]:
        """What has to be the same for two notes to be drawn together."""
        return (self.align, self.bold, self.italic, self.size, self.limit)


def notes(items: Sequence[Note], name: str = "notes") -> list[Layer]:
    """Texts as layers, those that look alike together. `name` differs between the calls for one chart."""
    groups: dict[tuple[Align, bool, bool, int, float], list[Note]] = {}
    for item in items:
        groups.setdefault(item.layer_key(), []).append(item)
    return [_note_layer(f"{name}_{i}", group) for i, group in enumerate(groups.values())]


def _note_layer(name: str, group: list[Note]) -> Layer:
    sample = group[0]
    rows = [{"x": n.x, "y": n.y, "text": n.text, "colour": n.colour} for n in group]
    layer: Layer = (
        alt.Chart(inline(name, rows))
        .mark_text(
            align=sample.align,
            baseline="middle",
            lineBreak="\n",
            lineHeight=theme.LINE_HEIGHT,
            fontSize=sample.size,
            fontWeight="bold" if sample.bold else "normal",
            fontStyle="italic" if sample.italic else "normal",
            limit=sample.limit,
            tooltip=None,
        )
        .encode(
            x=alt.X("x:Q", scale=None, axis=None),
            y=alt.Y("y:Q", scale=None, axis=None),
            text=alt.Text("text:N"),
            color=alt.Color("colour:N", scale=None),
        )
    )
    return layer


def point_layer(name: str, rows: Sequence[Mapping[str, Any]], x: Any, y: Any, **mark: Any) -> Layer:
    """Markers whose rows carry `shape`, `fill`, `stroke`, `size`, and a `tip` to show on pointing."""
    layer: Layer = (
        alt.Chart(inline(name, rows))
        .mark_point(opacity=1, **{"strokeWidth": 1.5, **mark})
        .encode(
            x=x,
            y=y,
            shape=alt.Shape("shape:N", scale=None),
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("stroke:N", scale=None),
            size=alt.Size("size:Q", scale=None),
            **({"tooltip": alt.Tooltip("tip:N")} if rows and "tip" in rows[0] else {}),
        )
    )
    return layer


def marked(values: pd.Series, *, every: bool = False, last: bool = True) -> list[int]:
    """Positions that get a marker: all that have a value, or any that no line reaches and the last."""
    known = values.notna().to_numpy()
    present = [j for j in range(len(values)) if known[j]]
    if every:
        return present
    alone = [j for j in present if not (j and known[j - 1]) and not (j + 1 < len(known) and known[j + 1])]
    return sorted({*alone, *(present[-1:] if last else [])})


def marker(style: theme.Style) -> dict[str, Any]:
    """The columns of a marker drawn in this style."""
    return {"shape": style.shape, "fill": style.fill, "stroke": style.colour, "size": style.size}


def swatch(colour: str, size: int = 190) -> dict[str, Any]:
    """The columns of a filled square in a key."""
    return {"shape": "square", "fill": colour, "stroke": colour, "size": size}


def key(entries: Sequence[tuple[str, Mapping[str, Any]]], left: float, bottom: float) -> list[Layer]:
    """A key over the plot: (label, marker columns) side by side, in rows that end at `bottom`."""
    right = theme.WIDTH + left
    places: list[tuple[float, int]] = []
    x, row = left, 0
    for label, _ in entries:
        needed = 22 + text_width(label) + 18
        if places and x + needed - 18 > right:
            x, row = left, row + 1
        places.append((x, row))
        x += needed
    height = (row + 1) * 21
    texts, symbols = [], []
    for (label, mark), (x, line) in zip(entries, places, strict=True):
        y = bottom - height + line * 21 + 10
        symbols.append({"x": x + 8, "y": y, **mark})
        texts.append(Note(x + 22, y, plain(label), theme.INK))
    where_x, where_y = alt.X("x:Q", scale=None, axis=None), alt.Y("y:Q", scale=None, axis=None)
    return [point_layer("key_marks", symbols, where_x, where_y), *notes(texts, "key")]


def finish(
    layers: Sequence[Layer],
    *,
    title: str,
    subtitle: str,
    width: float,
    height: float,
    left: float,
    description: str = "",
) -> Drawing:
    """Layers as one chart in the house theme. `left` is the room left of the plot, where titles start."""
    heading = wrap(plain(title), theme.WIDTH, theme.TITLE_SIZE, bold=True)
    lines = wrap(plain(subtitle), theme.WIDTH)
    return Drawing(
        {
            "$schema": theme.VEGA_LITE_SCHEMA,
            "config": theme.config(),
            "description": plain(description) or ". ".join(t for t in (plain(title), plain(subtitle)) if t),
            "height": round(height),
            "layer": [layer.to_dict(validate=False, context={"top_level": False}) for layer in layers],
            "title": {"text": heading, "dx": -round(left), "offset": 15} | ({"subtitle": lines} if lines else {}),
            "width": round(width),
        }
    )
