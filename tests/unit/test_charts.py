"""What every chart promises: its data inside, no code from names, one look."""

import json
import re

import altair as alt
import numpy as np
import pandas as pd
import pytest
from chart_examples import (
    HOSTILE,
    KINDS,
    age_profile,
    components,
    control,
    data_of,
    distribution,
    fan,
    funnel,
    lines,
    ranked,
    ranked_frame,
    texts_of,
)

from cbs_analysis.evidence import charts, theme
from cbs_analysis.evidence.rendering import svg, vega_lite


@KINDS
def test_every_chart_is_vega_lite_5_with_its_data_inside_and_a_description(make):
    spec = vega_lite(make())
    assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert spec["description"]
    assert "datasets" not in spec
    written = json.dumps(spec, allow_nan=False)
    assert '"url"' not in written
    assert written.count("http") == 1


@KINDS
def test_the_same_frame_gives_the_same_specification(make):
    assert json.dumps(vega_lite(make())) == json.dumps(vega_lite(make()))


@KINDS
def test_no_chart_shows_text_smaller_than_12(make):
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg(vega_lite(make()), "c", "d"))]
    assert sizes
    assert min(sizes) >= 12


def expressions(node):
    """Everything in a compiled Vega specification that Vega would run as code."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key in ("signal", "expr", "test", "update", "init") and isinstance(child, str):
                yield child
            else:
                yield from expressions(child)
    elif isinstance(node, list):
        for child in node:
            yield from expressions(child)


def test_names_and_titles_never_become_code():
    import vl_convert

    wicked = '\\" + alert(1) + \\"'
    frame = ranked_frame(wicked)
    drawn = [
        charts.ranked_intervals(frame, title=wicked, subtitle=wicked, value_title=wicked, reference=(wicked, 75.0)),
        funnel(wicked, wicked),
        lines(wicked, x_title=wicked, reference=(wicked, 12.0)),
        components(wicked),
        age_profile(wicked),
        distribution(wicked),
        control(breaks=[("2010-01", wicked)], title=wicked, value_title=wicked),
        fan(history_label=wicked),
    ]
    for chart in drawn:
        compiled = vl_convert.vegalite_to_vega(vega_lite(chart), vl_version="5.21")
        code = list(expressions(compiled))
        assert code
        assert not [line for line in code if "alert" in line]


@pytest.mark.parametrize("make", [ranked, funnel, lines, components, age_profile, distribution])
def test_hostile_names_come_out_as_text(make):
    drawn = svg(vega_lite(make(HOSTILE)), "c", HOSTILE)
    assert "<script" not in drawn
    assert "&lt;script&gt;" in drawn


def test_areas_are_ranked_by_value_and_the_flagged_stand_below_without_a_rank():
    chart = ranked()
    heights = {row["tip"].split(":")[0]: row["y"] for row in data_of(chart, "areas")}
    assert sorted(heights, key=heights.get) == [
        "Southwark",
        "London",
        "England",
        "Ealing",
        "Lambeth",
        "Newham",
    ]
    assert "Flagged, not ranked" in texts_of(chart)
    newham = next(row for row in data_of(chart, "areas") if row["tip"].startswith("Newham"))
    assert newham["shape"] == theme.CROSSED_CIRCLE
    assert newham["fill"] == "#FFFFFF"


def test_an_area_without_limits_has_a_dot_and_no_interval():
    tips = [row["tip"] for row in data_of(ranked(), "areas")]
    assert "Ealing: 75.0" in tips
    assert "Lambeth: 70.0 (68.0 to 72.0)" in tips
    assert {"value": None, "upper": None} in [
        {k: row[k] for k in ("value", "upper")} for row in data_of(ranked(), "intervals")
    ]


def test_every_one_of_31_rows_is_named_and_has_room_for_its_name():
    frame = pd.DataFrame(
        {
            "name": [f"Area {i}" for i in range(31)],
            "value": np.arange(31.0),
            "lower": np.arange(31.0) - 1,
            "upper": np.arange(31.0) + 1,
            "role": ["area"] + ["peer"] * 30,
        }
    )
    chart = charts.ranked_intervals(frame, title="T", value_title="Rate")
    assert {f"Area {i}" for i in range(31)} <= set(texts_of(chart))
    rows = sorted(row["y"] for row in data_of(chart, "areas"))
    assert min(np.diff(rows)) >= 20
    assert len(svg(vega_lite(chart), "c", "d")) < 40_000


def test_151_rows_name_only_the_area_its_comparators_and_the_ends():
    frame = pd.DataFrame(
        {
            "name": [f"Area {i}" for i in range(151)],
            "value": np.arange(151.0),
            "lower": np.nan,
            "upper": np.nan,
            "role": ["area" if i == 70 else "peer" for i in range(151)],
        }
    )
    chart = charts.ranked_intervals(frame, title="T", value_title="Rate")
    assert {t for t in texts_of(chart) if t.startswith("Area")} == {"Area 0", "Area 70", "Area 150"}
    assert vega_lite(chart)["height"] < 800


def test_a_flagged_area_of_ones_own_is_hollow_and_keeps_its_colour():
    frame = ranked_frame().replace({"role": {"area": "flagged_area"}})
    chart = charts.ranked_intervals(frame, title="T", value_title="Rate")
    own = next(row for row in data_of(chart, "areas") if row["tip"].startswith("Southwark"))
    assert (own["stroke"], own["fill"], own["shape"]) == (theme.AREA_COLOUR, "#FFFFFF", theme.CROSSED_CIRCLE)
    lambeth = next(row for row in data_of(chart, "areas") if row["tip"].startswith("Lambeth"))
    assert own["y"] > lambeth["y"]


def test_comparators_look_the_same_in_every_chart_whatever_stands_beside_them():
    with_sector = theme.styles(
        [
            ("Bexley", "area"),
            ("South East London", "comparator"),
            ("London", "comparator"),
            ("England", "comparator"),
        ]
    )
    for_london = theme.styles([("London", "area"), ("England", "comparator")])
    assert with_sector["England"] == for_london["England"] == theme.NATION
    assert with_sector["London"] == theme.styles([("London", "london")])["London"] == theme.REGION
    assert with_sector["South East London"] == theme.PARENT
    looks = [theme.AREA, *theme.COMPARATORS]
    for quality in ("colour", "shape", "dash"):
        assert len({getattr(look, quality) for look in looks}) == len(looks)


def test_an_unknown_role_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="Southwark: role 'aera' is not one of area, peer"):
        theme.styles([("Southwark", "aera")])


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear_light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear_light, strict=True))


@pytest.mark.parametrize("colour", [s.text for s in theme.ROLES.values()] + [theme.INK, theme.MUTED])
def test_text_contrasts_with_the_page_by_at_least_4_5_to_1(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5


def test_a_frame_without_a_needed_column_is_refused_by_name():
    with pytest.raises(ValueError, match="lacks upper, role"):
        charts.ranked_intervals(ranked_frame().drop(columns=["upper", "role"]), title="T", value_title="V")


def test_nothing_to_rank_is_refused():
    with pytest.raises(ValueError, match="none of the areas has a value"):
        charts.ranked_intervals(ranked_frame().assign(value=np.nan), title="T", value_title="V")


def test_a_users_altair_theme_does_not_reach_the_chart():
    plain = vega_lite(ranked())
    with alt.theme.enable("dark"):
        assert vega_lite(ranked()) == plain
