"""Where an area's people are treated: areas as tiles, providers as circles, and what flows from one to the other.

For the reader who asks "which hospitals do our people go to?". From hospital records, so whatever it is given, numbers
are made safe to show first (see `evidence.disclosure`). Lines are told by their width and end in named circles, so that
nothing depends on colour. Places are columns and rows of the tile map, from the top left.
"""

import math
from collections.abc import Collection, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from cbs_analysis.evidence import disclosure, theme
from cbs_analysis.evidence.charts import tile_grid
from cbs_analysis.evidence.charts.layout import number_text, wrap
from cbs_analysis.evidence.charts.map_labels import Box, Labelled, along, halo, placed_labels
from cbs_analysis.evidence.charts.marks import (
    Layer,
    Note,
    finish,
    house_made,
    inline,
    key,
    notes,
    plain,
    point_layer,
    require,
)
from cbs_analysis.evidence.charts.tile_grid import Grid, X, Y
from cbs_analysis.evidence.drawing import Drawing

LARGEST_RADIUS, SMALLEST_RADIUS = 13.0, 3.5
WIDEST_LINE, THINNEST_LINE = 13.0, 1.0
LABEL_WIDTH = 150
MOST_NAMED = 14
# Where circles of one tile lie from its middle, in tiles: below its name, and clear of the middle, where lines start.
SPOTS = ((0.27, 0.18), (-0.27, 0.18), (0.0, 0.3), (-0.34, -0.1), (0.34, -0.1))
NEAREST = 0.28
_KEY_LINE = 484  # a marker of this size is 22 units wide
_START = {"shape": "square", "fill": theme.AREA_COLOUR, "stroke": theme.WHITE, "size": 50}
Points = np.ndarray[Any, np.dtype[np.float64]]


def placed(places: pd.DataFrame) -> pd.DataFrame:
    """The frame with x and y moved so that circles do not hide one another: those at one place go around it, in the
    frame's order, and any that are still too near are moved apart. Rows without a place keep none.
    """
    require(places, "x", "y")
    known = places[["x", "y"]].notna().all(axis=1).to_numpy()
    at = places.loc[known, ["x", "y"]].to_numpy(dtype=float)
    alike: dict[tuple[float, float], list[int]] = {}
    for i, (x, y) in enumerate(at):
        alike.setdefault((round(float(x), 2), round(float(y), 2)), []).append(i)
    for members in alike.values():
        for turn, i in enumerate(members):
            at[i] += SPOTS[turn] if len(members) <= len(SPOTS) else _on_a_ring(turn / len(members))
    moved = places.astype({"x": float, "y": float})
    moved.loc[known, ["x", "y"]] = _apart(at)
    return moved


def _on_a_ring(turn: float) -> tuple[float, float]:
    return 0.4 * math.cos(2 * math.pi * turn), 0.4 * math.sin(2 * math.pi * turn)


def _apart(at: Points) -> Points:
    """Points moved away from each other until no two are nearer than NEAREST, or for as long as is sensible."""
    for _ in range(100):
        away = at[:, None] - at[None, :]
        distance = np.hypot(away[..., 0], away[..., 1])
        np.fill_diagonal(distance, np.inf)
        short = np.clip(NEAREST - distance, 0, None)
        if not (short > 1e-6).any():
            break
        at = at + (away / np.maximum(distance, 1e-9)[..., None] * short[..., None] / 2).sum(axis=1)
    return at


@house_made
def flow_map(
    areas: pd.DataFrame,
    providers: pd.DataFrame,
    flows: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    unit: str = "spells",
    fewest_share_pct: float = 5,
    most_named: int = MOST_NAMED,
    description: str = "",
) -> Drawing:
    """Tiles, circles as large as their providers, and lines as wide as what flows.

    `areas`: name, x, y (column and row of its tile), role (`area` is the pack's own, `peer` any other). `providers`:
    name, x, y (in tiles, not necessarily whole; see `placed`), size (how many it treats in all); one without a place is
    a box at the edge. `flows`: area, provider, count, share_pct (of the area's). Flows below `fewest_share_pct`, or of
    fewer than eight, are left out. At most `most_named` providers are named, those with the most of the own areas'
    people first, and none whose name would cover another; every name shows on pointing. Raises ValueError where a flow
    is from or to what has no place.
    """
    require(areas, "name", "x", "y", "role")
    require(providers, "name", "x", "y", "size")
    if len(flows):
        require(flows, "area", "provider", "count", "share_pct")
    tiles = areas.assign(name=areas["name"].map(plain)).reset_index(drop=True)
    theme.styles(zip(tiles["name"], tiles["role"], strict=True))
    own = set(tiles.loc[tiles["role"].map(theme.is_own), "name"])
    # Where every area is the pack's own, none is told apart.
    marked = own if len(own) < len(tiles) else set()
    drawn = _safe_flows(flows, own, fewest_share_pct)
    grid = Grid(tiles)
    circles = _circles(providers, drawn, grid)
    lines = _line_rows(drawn, tiles, circles, grid, unit)
    layers = [
        tile_grid.tile_layer(tiles, grid, marked),
        *tile_grid.tile_names(tiles[~tiles["name"].isin(marked)], grid),
        *tile_grid.edge_boxes(circles[circles["is_edge"]]),
        *_line_layers(lines, opacity=0.8 if len(own) == 1 else 0.55),
        point_layer("providers", _symbols(circles, drawn, unit), X, Y),
        *(tile_grid.tile_names(tiles[tiles["name"].isin(marked)], grid, marked) if marked else []),
        *_provider_names(_named(circles, drawn, most_named), circles, lines, tiles, grid, marked),
        *_footnote(grid, unit, fewest_share_pct),
        *key(_key(circles, drawn, unit), 0, -10),
    ]
    return finish(
        layers, title=title, subtitle=subtitle, width=grid.width, height=grid.height, left=0,
        description=description or _described(title, drawn),
    )  # fmt: skip


def _safe_flows(flows: pd.DataFrame, own: Collection[str], fewest_share_pct: float) -> pd.DataFrame:
    """Flows that are drawn, the own areas' last and the widest of them first; counts as they may be shown."""
    safe = flows.assign(
        area=flows["area"].map(plain),
        provider=flows["provider"].map(plain),
        count=disclosure.rounded(flows["count"].astype(float)),
    )
    safe = safe[safe["count"].gt(0) & safe["share_pct"].ge(fewest_share_pct)]
    safe = safe.assign(is_own=safe["area"].isin(list(own)))
    return safe.sort_values(["is_own", "count", "area", "provider"], ascending=[True, False, True, True], kind="stable")


def _circles(providers: pd.DataFrame, drawn: pd.DataFrame, grid: Grid) -> pd.DataFrame:
    """Providers with their place on the drawing, their radius, and what they have of the own areas' people. One that is
    not on the map is there only where a line ends in it.
    """
    found = providers.assign(
        name=providers["name"].map(plain), size=disclosure.rounded(providers["size"].astype(float))
    )
    found["is_edge"] = found[["x", "y"]].isna().any(axis=1)
    found = found[~found["is_edge"] | found["name"].isin(drawn["provider"])].reset_index(drop=True)
    for i in found.index[found["is_edge"]]:
        found.loc[i, ["x", "y"]] = grid.edge()
    found[["left", "top"]] = [grid.at(x, y) for x, y in zip(found["x"], found["y"], strict=True)]
    radius = LARGEST_RADIUS * np.sqrt(found["size"].fillna(0) / _largest(found))
    found["radius"] = radius.clip(SMALLEST_RADIUS, LARGEST_RADIUS).round(1)
    found["of_own"] = found["name"].map(drawn[drawn["is_own"]].groupby("provider")["count"].sum()).fillna(0)
    return found


def _largest(circles: pd.DataFrame) -> float:
    sizes = circles.loc[~circles["is_edge"], "size"].dropna()
    return float(max([*sizes, 1.0]))


def _line_rows(
    drawn: pd.DataFrame, tiles: pd.DataFrame, circles: pd.DataFrame, grid: Grid, unit: str
) -> list[dict[str, Any]]:
    """A line a flow, from the middle of its tile to its provider, those of other areas first and in grey."""
    starts = {name: grid.at(x, y) for name, x, y in zip(tiles["name"], tiles["x"], tiles["y"], strict=True)}
    ends = {name: (x, y) for name, x, y in zip(circles["name"], circles["left"], circles["top"], strict=True)}
    rows = []
    for flow in drawn.itertuples(index=False):
        if flow.area not in starts or flow.provider not in ends:
            raise ValueError(f"a flow from {flow.area!r} to {flow.provider!r}: one of them has no place on the map")
        (x, y), (x2, y2) = starts[flow.area], ends[flow.provider]
        share, count = number_text(flow.share_pct, ".0f"), number_text(flow.count, ",.0f")
        rows.append(
            {
                **{name: round(place, 1) for name, place in (("x", x), ("y", y), ("x2", x2), ("y2", y2))},
                "weight": _line_width(flow.count, drawn),
                "colour": theme.AREA_COLOUR if flow.is_own else theme.PEER.colour,
                "tip": f"{flow.area} to {flow.provider}: {share}%, about {count} {plain(unit)}",
            }
        )
    return rows


def _line_width(count: float, drawn: pd.DataFrame) -> float:
    return round(max(WIDEST_LINE * count / float(drawn["count"].max()), THINNEST_LINE), 1)


def _line_layers(rows: Sequence[dict[str, Any]], opacity: float) -> list[Layer]:
    """Lines, and a square where any of them start."""
    if not rows:
        return []
    lines: Layer = (
        alt.Chart(inline("flows", rows))
        .mark_rule(opacity=opacity)
        .encode(
            x=X,
            y=Y,
            x2=alt.X2("x2:Q"),
            y2=alt.Y2("y2:Q"),
            color=alt.Color("colour:N", scale=None),
            strokeWidth=alt.StrokeWidth("weight:Q", scale=None),
            tooltip=alt.Tooltip("tip:N"),
        )
    )
    starts = {(row["x"], row["y"]): {**_START, "fill": row["colour"]} for row in rows}
    return [lines, point_layer("starts", [{"x": x, "y": y, **mark} for (x, y), mark in starts.items()], X, Y)]


def _symbol(radius: float, *, is_reached: bool) -> dict[str, Any]:
    """A circle: full where a line ends in it, else hollow."""
    fill, stroke = (theme.INK, theme.WHITE) if is_reached else (theme.WHITE, theme.RULE)
    return {"shape": "circle", "fill": fill, "stroke": stroke, "size": round(math.pi * radius**2)}


def _symbols(circles: pd.DataFrame, drawn: pd.DataFrame, unit: str) -> list[dict[str, Any]]:
    """The circles, the larger first so that no smaller one is hidden."""
    reached = set(drawn["provider"])
    ordered = circles[~circles["is_edge"]].sort_values(["size", "name"], ascending=[False, True], kind="stable")
    return [
        {
            "x": round(item.left, 1),
            "y": round(item.top, 1),
            **_symbol(item.radius, is_reached=item.name in reached),
            "tip": f"{item.name}: {disclosure.count_in_words(item.size)} {plain(unit)} in all",
        }
        for item in ordered.itertuples(index=False)
    ]


def _named(circles: pd.DataFrame, drawn: pd.DataFrame, most: int) -> dict[str, str]:
    """Providers that are to be named, the most important first, and what is written: with its share, of one area."""
    wanted = circles[circles["of_own"].gt(0)].sort_values(["of_own", "name"], ascending=[False, True], kind="stable")
    names = [*wanted.loc[~wanted["is_edge"], "name"].head(most), *circles.loc[circles["is_edge"], "name"]]
    own = drawn[drawn["is_own"]]
    share = own.set_index("provider")["share_pct"] if own["area"].nunique() == 1 else {}
    return {name: f"{name} {number_text(share[name], '.0f')}%" if name in share else name for name in names}


def _provider_names(
    named: dict[str, str],
    circles: pd.DataFrame,
    lines: Sequence[dict[str, Any]],
    tiles: pd.DataFrame,
    grid: Grid,
    marked: Collection[str],
) -> list[Layer]:
    inside, edge = circles[~circles["is_edge"]].set_index("name"), circles[circles["is_edge"]]
    asked = []
    for name, text in named.items():
        if name in inside.index:
            x, y, radius = (float(inside.at[name, column]) for column in ("left", "top", "radius"))
            asked.append(Labelled(x, y, radius, _balanced(text)))
    titles = {
        name: grid.name_box(name, x, y)[0] for name, x, y in zip(tiles["name"], tiles["x"], tiles["y"], strict=True)
    }
    keep = [box for name, box in titles.items() if name in marked]
    keep += [Box.around(x, y, tile_grid.EDGE_HALF_WIDTH) for x, y in zip(edge["left"], edge["top"], strict=True)]
    rather_not = [box for name, box in titles.items() if name not in marked]
    rather_not += [box for row in lines for box in along(*(row[end] for end in ("x", "y", "x2", "y2", "weight")))]
    round_ = [Box.around(*circle) for circle in zip(inside["left"], inside["top"], inside["radius"], strict=True)]
    found = placed_labels(asked, round_, keep, rather_not, Box(0, 0, grid.width, grid.height))
    boxed = [note for name, x, y in zip(edge["name"], edge["left"], edge["top"], strict=True)
             for note in _in_a_box(named[name], x, y)]  # fmt: skip
    return [*halo(found, "name_edges"), *notes([*found, *boxed], "names")]


def _balanced(text: str) -> tuple[str, ...]:
    """A name as few lines, none much longer than another."""
    lines = wrap(text, LABEL_WIDTH, theme.SMALL_SIZE, bold=True)
    for width in range(LABEL_WIDTH - 6, 40, -6):
        narrower = wrap(text, width, theme.SMALL_SIZE, bold=True)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return tuple(lines)


def _in_a_box(text: str, x: float, y: float) -> list[Note]:
    lines = wrap(text, 2 * tile_grid.EDGE_HALF_WIDTH - 6, theme.SMALL_SIZE, bold=True)
    first = y - 16 * (len(lines) - 1) / 2
    return [
        Note(x, first + 16 * i, line, theme.INK, "center", bold=True, size=theme.SMALL_SIZE)
        for i, line in enumerate(lines)
    ]


def _footnote(grid: Grid, unit: str, fewest_share_pct: float) -> list[Layer]:
    said = f"Tiles are areas, circles trusts. Lines are {fewest_share_pct:g}% or more of an area's {plain(unit)}."
    lines = wrap(said, grid.width, theme.SMALL_SIZE)
    return notes(
        [Note(0, grid.height + 16 + 18 * i, line, size=theme.SMALL_SIZE) for i, line in enumerate(lines)], "foot"
    )


def _key(circles: pd.DataFrame, drawn: pd.DataFrame, unit: str) -> list[tuple[str, dict[str, Any]]]:
    """How large a circle and how wide a line is, by a round number of each."""
    size = _round_below(_largest(circles))
    radius = LARGEST_RADIUS * math.sqrt(size / _largest(circles))
    entries = [(f"Trust with {number_text(size, ',.0f')} {unit}", _symbol(radius, is_reached=True))]
    if len(drawn):
        count = _round_below(float(drawn["count"].max()))
        half = round(_line_width(count, drawn) / math.sqrt(_KEY_LINE), 2)
        line = {"shape": f"M-1,-{half}L1,-{half}L1,{half}L-1,{half}Z", "size": _KEY_LINE}
        entries.append((f"{number_text(count, ',.0f')} {unit} of an area",
                        {**line, "fill": theme.AREA_COLOUR, "stroke": theme.AREA_TINT}))  # fmt: skip
    return entries


def _round_below(value: float) -> float:
    """The largest of 1, 2 or 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(max(value, 1.0)))
    return max(step * power for step in (1, 2, 5) if step * power <= max(value, 1.0))


def _described(title: str, drawn: pd.DataFrame) -> str:
    """The map in words: of each own area the three trusts where most of its people go."""
    said = []
    for area, rows in drawn[drawn["is_own"]].groupby("area", sort=True):
        first = zip(rows["provider"].head(3), rows["share_pct"].head(3), strict=True)
        said.append(f"{area}: {', '.join(f'{provider} {share:.0f}%' for provider, share in first)}")
    return (
        ". ".join([plain(title), "A map of areas as tiles, with lines to the trusts that treat their people", *said])
        + "."
    )
