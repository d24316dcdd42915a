"""What the flow map promises: who goes where, safe numbers, names that can be read."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from chart_examples import HOSTILE, data_of, flow_frames, flow_map, texts_of

from cbs_analysis.evidence import charts, theme
from cbs_analysis.evidence.charts.layout import text_width
from cbs_analysis.evidence.charts.map_labels import Box, Labelled, placed_labels
from cbs_analysis.evidence.rendering import svg, vega_lite


def london(own, fewest_share_pct=5.0, spread=1.1):
    """A made-up London: 31 tiles, 28 trusts of which several share a tile, and what lies outside."""
    rows = {0: [4], 1: [2, 3, 4, 5], 2: range(8), 3: [0, 1, 2, 3, 5, 6, 7], 4: range(1, 8), 5: range(2, 6)}
    tiles = [(x, y) for y, columns in rows.items() for x in columns]
    areas = pd.DataFrame(tiles, columns=["x", "y"]).assign(name=[f"Kensington and Area {i}" for i in range(len(tiles))])
    areas["role"] = ["area" if i in own else "peer" for i in range(len(tiles))]
    places = [*tiles[::2], *tiles[:6], *[tiles[12]] * 2, *[tiles[16]] * 2]
    trusts = pd.DataFrame(places, columns=["x", "y"]).assign(name=[f"Saint Somebody's {i}" for i in range(len(places))])
    trusts["size"] = [20_000 + 7_001 * (i % 9) for i in range(len(places))]
    outside = {"x": np.nan, "y": np.nan, "name": "Outside London", "size": 90_000}
    trusts = charts.placed(pd.concat([trusts, pd.DataFrame([outside])], ignore_index=True))
    flows = []
    for area in areas[areas["role"] == "area"].itertuples():
        pull = trusts["size"] * np.exp(-spread * np.hypot(trusts["x"] - area.x, trusts["y"] - area.y).fillna(3))
        flows += [
            {"area": area.name, "provider": name, "count": 60_000 * share, "share_pct": 100 * share}
            for name, share in zip(trusts["name"], pull / pull.sum(), strict=True)
        ]
    flows = pd.DataFrame(flows)
    return charts.flow_map(areas, trusts, flows, title="T", fewest_share_pct=fewest_share_pct), flows


def test_lines_are_as_wide_as_what_flows_and_go_from_the_tile_to_the_provider():
    widths = {row["tip"].split(" to ")[1].split(":")[0]: row["weight"] for row in data_of(flow_map(), "flows")}
    assert widths["King's"] == pytest.approx(2 * widths["Guy's"], rel=0.02)
    places = {row["tip"].split(":")[0]: (row["x"], row["y"]) for row in data_of(flow_map(), "providers")}
    for row in data_of(flow_map(), "flows"):
        if "Elsewhere" not in row["tip"]:
            assert (row["x2"], row["y2"]) in places.values()
    (tile,) = [row for row in data_of(flow_map(), "tiles") if row["tip"] == "Southwark"]
    assert all(row["x"] == pytest.approx((tile["x"] + tile["x2"]) / 2, abs=0.1) for row in data_of(flow_map(), "flows"))


def test_no_count_below_8_and_no_true_count_is_in_the_chart():
    chart = flow_map()
    assert not [row for row in data_of(chart, "flows") if "University" in row["tip"]]
    (tip,) = [row["tip"] for row in data_of(chart, "providers") if row["tip"].startswith("University")]
    assert "not available" in tip or "fewer than 8" in tip
    written = json.dumps(vega_lite(chart))
    assert not re.search(r"80,?003|90,?004|20,?001|9,?998|4,?003", written)
    assert "about 20,000 spells" in written


def test_a_small_share_has_no_line_and_the_foot_says_which():
    chart = flow_map(fewest_share_pct=20)
    assert len(data_of(chart, "flows")) == 2
    assert "20% or more of an area's spells" in " ".join(texts_of(chart))


def test_the_own_area_and_the_providers_that_treat_its_people_stand_out_without_colour():
    chart = flow_map()
    tiles = {row["tip"]: row for row in data_of(chart, "tiles")}
    assert tiles["Southwark"]["weight"] > 2 * tiles["Lambeth"]["weight"]
    circles = {row["tip"].split(":")[0]: row for row in data_of(chart, "providers")}
    assert circles["King's"]["fill"] == theme.INK
    assert circles["University"]["fill"] == theme.WHITE
    assert {"Southwark", "King's 50%", "Guy's 25%"} <= set(texts_of(chart))


def test_what_is_not_on_the_map_is_a_box_at_the_edge_where_no_tile_is():
    chart = flow_map()
    (box,) = data_of(chart, "edge")
    assert box["tip"] == "Elsewhere"
    for tile in data_of(chart, "tiles"):
        assert box["x2"] <= tile["x"] or tile["x2"] <= box["x"] or box["y2"] <= tile["y"] or tile["y2"] <= box["y"]
    assert "Elsewhere" in texts_of(chart)
    assert "10%" in texts_of(chart)


def test_without_a_flow_there_is_no_box_and_the_map_is_still_drawn():
    areas, providers, flows = flow_frames()
    chart = charts.flow_map(areas, providers, flows.head(0), title="T")
    assert len(data_of(chart, "tiles")) == 4
    with pytest.raises(AssertionError):
        data_of(chart, "edge")


@pytest.mark.parametrize(
    ("own", "share"), [([4], 3), ([16], 3), ([24, 25, 26, 27, 28, 30], 5), (range(31), 15), (range(31), 2)]
)
def test_no_name_covers_another_or_a_circle_or_leaves_the_drawing(own, share):
    chart, _ = london(set(own), share)
    boxes = []
    for i in range(3):
        try:
            rows = data_of(chart, f"names_{i}")
        except AssertionError:
            break
        layer = next(x for x in vega_lite(chart)["layer"] if x["data"].get("name") == f"names_{i}")
        across = {"left": 0.0, "center": 0.5, "right": 1.0}[layer["mark"]["align"]]
        for row in rows:
            width = text_width(row["text"], theme.SMALL_SIZE, bold=True)
            boxes.append(Box(row["x"] - across * width, row["y"] - 8, width, 16))
    assert len(boxes) >= 4
    whole = Box(-1, -1, vega_lite(chart)["width"] + 2, vega_lite(chart)["height"] + 2)
    for i, box in enumerate(boxes):
        assert whole.holds(box)
        assert not any(box.shared(other) > 0.1 for other in boxes[:i])
    for row in data_of(chart, "providers"):
        circle = Box.around(row["x"], row["y"], 0.8 * (row["size"] / np.pi) ** 0.5)
        assert not any(box.shared(circle) > 0.1 for box in boxes)


def test_the_provider_with_the_most_of_the_areas_people_is_always_named():
    for own in range(31):
        chart, flows = london({own})
        first = flows.loc[flows[flows["provider"] != "Outside London"]["count"].idxmax(), "provider"]
        assert first in " ".join(texts_of(chart)), own


def test_providers_at_one_place_are_set_apart_the_same_way_each_time_and_stay_near():
    at = pd.DataFrame({"name": list("abcdefgh"), "x": [1.0] * 7 + [np.nan], "y": [2.0] * 7 + [np.nan]})
    moved = charts.placed(at)
    pd.testing.assert_frame_equal(moved, charts.placed(at))
    xy = moved[["x", "y"]].dropna().to_numpy()
    distances = [np.hypot(*(xy[i] - xy[j])) for i in range(7) for j in range(i)]
    assert min(distances) >= 0.25
    assert np.abs(xy - [1, 2]).max() <= 0.5
    assert moved.iloc[-1][["x", "y"]].isna().all()
    assert at["x"].iloc[0] == 1.0


def test_the_map_is_told_in_words():
    said = vega_lite(flow_map())["description"]
    assert "Southwark: King's 50%, Guy's 25%, Elsewhere 10%." in said


def test_a_flow_to_an_unknown_provider_is_refused_by_name():
    areas, providers, flows = flow_frames()
    with pytest.raises(ValueError, match="'Southwark' to 'Guys': one of them has no place on the map"):
        charts.flow_map(areas, providers, flows.replace({"provider": {"Guy's": "Guys"}}), title="T")


def test_hostile_names_come_out_as_text_in_the_flow_map():
    drawn = svg(vega_lite(flow_map(HOSTILE, unit=HOSTILE)), "c", "d")
    assert "<script" not in drawn


def test_the_picture_is_no_heavier_than_other_charts():
    chart, _ = london(set(range(31)), 5)
    assert len(svg(vega_lite(chart), "c", "d")) < 60_000


def test_a_name_without_a_free_place_is_left_out():
    full = [Box(0, 0, 200, 200)]
    assert placed_labels([Labelled(100, 100, 5, ("A",))], [], full, [], Box(0, 0, 200, 200)) == []
