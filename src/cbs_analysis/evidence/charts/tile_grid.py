"""Areas as a map of equal tiles on a drawing: where they lie, how they look, and where there is room at the edge."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from cbs_analysis.evidence import theme
from cbs_analysis.evidence.charts.layout import text_width, wrap
from cbs_analysis.evidence.charts.map_labels import Box, halo
from cbs_analysis.evidence.charts.marks import Layer, Note, inline, notes

WIDEST, HEIGHT, GAP = 96.0, 68.0, 4.0
"""The widest that a tile is drawn, how high it is, and what is free between two."""
NAME, NAME_LINE = 12, 13.0
X, Y = alt.X("x:Q", scale=None, axis=None), alt.Y("y:Q", scale=None, axis=None)
# The box that stands for what is not on the map.
EDGE_HALF_WIDTH, EDGE_HALF_HEIGHT = 36.0, 28.0


class Grid:
    """The places of tiles on the drawing. `tiles`: x and y, column and row from the top left."""

    def __init__(self, tiles: pd.DataFrame) -> None:
        self.left, self.top = float(tiles["x"].min()), float(tiles["y"].min())
        self.columns = int(tiles["x"].max() - self.left) + 1
        self.rows = int(tiles["y"].max() - self.top) + 1
        taken = {(round(x - self.left), round(y - self.top)) for x, y in zip(tiles["x"], tiles["y"], strict=True)}
        last, lowest = self.columns - 1, self.rows - 1
        corners = [(0, lowest), (last, lowest), (0, 0), (last, 0)]
        self.free = [corner for corner in dict.fromkeys(corners) if corner not in taken]
        self.pitch = min((theme.WIDTH - 4) / self.columns, WIDEST)

    @property
    def width(self) -> float:
        return self.pitch * self.columns

    @property
    def height(self) -> float:
        return HEIGHT * self.rows

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The middle of a tile, or a place beside it, in chart units."""
        return (x - self.left + 0.5) * self.pitch, (y - self.top + 0.5) * HEIGHT

    def edge(self) -> tuple[float, float]:
        """A column and row that no tile has, each time another: a free corner, or one of a new row below."""
        if not self.free:
            self.free, self.rows = [(column, self.rows) for column in range(self.columns)], self.rows + 1
        column, row = self.free.pop(0)
        return column + self.left, row + self.top

    def name_box(self, name: str, x: float, y: float) -> tuple[Box, list[str]]:
        """Where the name of a tile stands, at its top, and its lines."""
        lines = wrap(name, self.pitch - GAP - 2, NAME)[:3]
        left, top = self.at(x, y)
        width = max(text_width(line, NAME, bold=True) for line in lines)
        box = Box(left - width / 2, top - HEIGHT / 2 + GAP + 1, width, NAME_LINE * len(lines))
        return box, lines


def tile_layer(tiles: pd.DataFrame, grid: Grid, own: Collection[str]) -> Layer:
    """Squares, those of `own` with an edge of the area's colour, which lies over its neighbours'."""
    half, tall = (grid.pitch - GAP) / 2, (HEIGHT - GAP) / 2
    rows = []
    for name, x, y in zip(tiles["name"], tiles["x"], tiles["y"], strict=True):
        fill, stroke, weight = (
            (theme.AREA_TINT, theme.AREA_COLOUR, 2.5) if name in own else (theme.BAND, theme.GRID, 1.0)
        )
        rows.append(_row(grid.at(x, y), half, tall, name, fill, stroke, weight))
    return _rectangles("tiles", sorted(rows, key=lambda row: float(row["weight"])))


def edge_boxes(places: pd.DataFrame) -> list[Layer]:
    """What stands for places that are not on the map, dashed so that it is no tile: `left`, `top` and `name`."""
    rows = [
        _row((left, top), EDGE_HALF_WIDTH, EDGE_HALF_HEIGHT, name, theme.WHITE, theme.INK, 1.2)
        for left, top, name in zip(places["left"], places["top"], places["name"], strict=True)
    ]
    return [_rectangles("edge", rows, strokeDash=[5, 3])] if rows else []


def tile_names(tiles: pd.DataFrame, grid: Grid, own: Collection[str] = ()) -> list[Layer]:
    """Names at the top of tiles; those of `own` bold and with an edge of white, since lines start below them."""
    texts = []
    for name, x, y in zip(tiles["name"], tiles["x"], tiles["y"], strict=True):
        box, lines = grid.name_box(name, x, y)
        colour = theme.AREA_COLOUR if name in own else theme.MUTED
        texts += [
            Note(
                box.left + box.width / 2,
                box.top + NAME_LINE * (i + 0.5),
                line,
                colour,
                "center",
                bold=name in own,
                size=NAME,
            )
            for i, line in enumerate(lines)
        ]
    return [*halo(texts, "own_edges"), *notes(texts, "own_names")] if own else notes(texts, "tile_names")


def _row(
    middle: tuple[float, float], half: float, tall: float, name: str, fill: str, stroke: str, weight: float
) -> dict[str, Any]:
    x, y = middle
    corners = {"x": x - half, "x2": x + half, "y": y - tall, "y2": y + tall}
    return {**corners, "fill": fill, "stroke": stroke, "weight": weight, "tip": name}


def _rectangles(name: str, rows: Sequence[Mapping[str, Any]], **mark: Any) -> Layer:
    layer: Layer = (
        alt.Chart(inline(name, rows))
        .mark_rect(cornerRadius=3, **mark)
        .encode(
            x=X,
            y=Y,
            x2=alt.X2("x2:Q"),
            y2=alt.Y2("y2:Q"),
            fill=alt.Fill("fill:N", scale=None),
            stroke=alt.Stroke("stroke:N", scale=None),
            strokeWidth=alt.StrokeWidth("weight:Q", scale=None),
            tooltip=alt.Tooltip("tip:N"),
        )
    )
    return layer
