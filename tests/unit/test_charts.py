"""What the charts promise: the right data in the right place, no code from names, gaps that stay gaps."""

import json
import math
import re

import altair as alt
import numpy as np
import pandas as pd
import pytest

from cbs_analysis.evidence import charts, theme
from cbs_analysis.evidence.charts.layout import (
    fitting_format,
    linear,
    number_text,
    spread,
    text_width,
    thin,
    wrap,
)
from cbs_analysis.evidence.rendering import svg, vega_lite

MONTHS = [str(month) for month in pd.period_range("2008-04", "2011-03", freq="M")]
HOSTILE = '<script>alert(1)</script> "q" \\" + alert(1) + \\" {a} $x | Ŵyŷ 🏥 {{b}} =cmd'


def ranked_frame(name="Southwark"):
    return pd.DataFrame(
        {
            "name": ["Lambeth", name, "Newham", "Ealing", "London", "England"],
            "value": [70.0, 80.0, 20.0, 75.0, 78.0, 77.0],
            "lower": [68.0, 78.0, 18.0, np.nan, 77.5, 76.9],
            "upper": [72.0, 82.0, 22.0, np.nan, 78.5, 77.1],
            "role": ["peer", "area", "flagged", "peer", "comparator", "comparator"],
        }
    )


def ranked(name="Southwark", **options):
    return charts.ranked_intervals(ranked_frame(name), title="T", value_title="Rate (%)", **options)


def funnel(name="Southwark", value_title="Ratio"):
    points = pd.DataFrame(
        {
            "name": [name, "Newham", "Ealing", "Brent"],
            "x": [900.0, 1000.0, 400.0, 600.0],
            "y": [1.4, 0.3, 1.0, 0.98],
            "role": ["area", "flagged", "peer", "peer"],
        }
    )
    x = np.linspace(300, 1100, 9)
    limits = pd.DataFrame(
        {
            "x": x,
            "lower_95": 1 - 1.96 / np.sqrt(x),
            "upper_95": 1 + 1.96 / np.sqrt(x),
            "lower_998": 1 - 3.09 / np.sqrt(x),
            "upper_998": 1 + 3.09 / np.sqrt(x),
        }
    )
    return charts.funnel(points, limits, 1.0, title="T", x_title="Expected", y_title=value_title)


def control_frame():
    return pd.DataFrame(
        {
            "month": MONTHS,
            "value": [100.0 + (7 * i) % 11 for i in range(36)],
            "mean": 105.0,
            "lower_process_limit": 90.0,
            "upper_process_limit": 120.0,
            "special_cause": [i == 20 for i in range(36)],
        }
    )


def control(frame=None, **options):
    options = {"title": "T", "value_title": "Admissions a month"} | options
    return charts.control(control_frame() if frame is None else frame, **options)


def lines(name="Southwark", x_type="month", **options):
    steps = {"month": MONTHS, "year": list(range(2001, 2011)), "ordinal": ["2003/04", "2004/05", "2005/06"]}[x_type]
    rows = [
        {"x": x, "series": series, "value": 10.0 * k + i % 5, "role": role}
        for k, (series, role) in enumerate([(name, "area"), ("London", "comparator"), ("England", "comparator")])
        for i, x in enumerate(steps)
    ]
    return charts.lines(pd.DataFrame(rows), title="T", value_title="Per 1,000", x_type=x_type, **options)


def components(name="Births"):
    rows = [
        {"year": year, "component": part, "value": value}
        for year in (2009, 2010)
        for part, value in ((name, 50.0), ("Deaths", -20.0), ("Moves", -40.0), ("Arrivals", 30.0))
    ]
    return charts.components(pd.DataFrame(rows), title="T", value_title="People")


def shares(column, bands, name="Southwark"):
    return pd.DataFrame(
        [
            {column: band, "series": series, "share_pct": 100 / len(bands) + k, "role": role}
            for k, (series, role) in enumerate([(name, "area"), ("London", "comparator"), ("England", "comparator")])
            for band in bands
        ]
    )


def age_profile(name="Southwark"):
    return charts.age_profile(shares("age_band", ["0 to 4", "5 to 9", "85+"], name), title="T")


def distribution(name="Southwark"):
    return charts.distribution(
        shares("bin", ["1 most deprived", "2", "3"], name),
        title="T",
        value_title="Share (%)",
        reference=("Even", 33.3),
    )


def fan(**options):
    history = pd.DataFrame({"month": MONTHS, "value": [100.0 + i % 7 for i in range(36)]})
    ahead = [str(m) for m in pd.period_range("2011-04", "2012-03", freq="M")]
    forecast = pd.DataFrame(
        {
            "month": ahead,
            "value": 105.0,
            "lower_80": 100.0,
            "upper_80": 110.0,
            "lower_95": 95.0,
            "upper_95": 115.0,
        }
    )
    return charts.fan(options.pop("history", history), forecast, title="T", value_title="Referrals", **options)


EVERY_KIND = {
    "ranked_intervals": ranked,
    "funnel": funnel,
    "control": control,
    "lines": lines,
    "components": components,
    "age_profile": age_profile,
    "distribution": distribution,
    "fan": fan,
}
KINDS = pytest.mark.parametrize("make", EVERY_KIND.values(), ids=EVERY_KIND.keys())


def data_of(chart, name):
    """The rows of the data set with this name, wherever in the specification it stands."""
    found = []

    def walk(node):
        if isinstance(node, dict):
            if node.get("name") == name and "values" in node:
                found.append(node["values"])
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(vega_lite(chart))
    assert found, f"no data set named {name}"
    return found[0]


def notes_of(chart):
    """Every text on the drawing but its titles and axes, with its place."""
    rows = []
    for prefix in ("notes", "key", "reference_label", "break_labels"):
        for i in range(8):
            try:
                rows += data_of(chart, f"{prefix}_{i}")
            except AssertionError:
                break
    return rows


def texts_of(chart):
    return [row["text"] for row in notes_of(chart)]


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


def test_the_area_and_points_beyond_the_limits_are_named_in_a_funnel_and_the_rest_are_not():
    texts = texts_of(funnel())
    assert "Southwark" in texts
    assert "Newham" in texts
    assert "Brent" not in texts
    assert {"95%", "99.8%", "Flagged", "Other areas"} <= set(texts)


def test_the_members_of_a_sector_share_one_entry_in_a_funnels_key():
    points = pd.DataFrame(
        {
            "name": ["Bexley", "Lambeth", "Brent"],
            "x": [400.0, 600.0, 900.0],
            "y": 1.0,
            "role": ["area", "area", "peer"],
        }
    )
    limits = pd.DataFrame({"x": [300.0, 950.0], "lower_95": 0.9, "upper_95": 1.1, "lower_998": 0.8, "upper_998": 1.2})
    chart = charts.funnel(points, limits, 1.0, title="T", x_title="Expected", y_title="Ratio")
    assert [row["text"] for row in data_of(chart, "key_0")] == ["Members", "Other areas"]


def test_a_missing_month_and_a_month_without_a_value_break_the_control_line():
    frame = control_frame()
    frame.loc[5, "value"] = np.nan
    chart = control(frame.drop(index=[15]))
    values = {row["month"]: row["value"] for row in data_of(chart, "series")}
    assert len(values) == 36
    assert [month for month, value in values.items() if value is None] == ["2008-09-01", "2009-07-01"]
    longest = max(re.findall(r' d="([^"]+)"', svg(vega_lite(chart), "c", "d")), key=lambda path: path.count("L"))
    assert longest.count("M") == 3


def test_special_causes_differ_by_shape_and_by_colour():
    points = {row["tip"]: row for row in data_of(control(), "months")}
    special = [row for tip, row in points.items() if tip.endswith("special cause")]
    assert len(special) == 1
    assert special[0]["month"] == "2009-12-01"
    usual = next(row for tip, row in points.items() if not tip.endswith("special cause"))
    assert special[0]["shape"] != usual["shape"]
    assert special[0]["fill"] != usual["fill"]


def test_rebased_limits_are_drawn_as_steps():
    frame = control_frame()
    frame.loc[24:, ["mean", "lower_process_limit", "upper_process_limit"]] = [205.0, 190.0, 220.0]
    chart = control(frame, breaks=[("2010-04", "recording changed")])
    steps = data_of(chart, "limits")
    assert [(row["low"], row["value"], row["high"]) for row in steps] == [(90, 105, 120), (190, 205, 220)]
    assert steps[0]["x"] == 0
    assert steps[0]["x2"] == steps[1]["x"] == data_of(chart, "breaks")[0]["x"]
    assert "recording changed" in texts_of(chart)
    assert "Mean 205" in texts_of(chart)


def test_a_month_given_twice_is_refused():
    frame = pd.concat([control_frame(), control_frame().tail(1)])
    with pytest.raises(ValueError, match="month 2011-03 appears twice"):
        control(frame)


@pytest.mark.parametrize("spelling", [str, pd.Period, lambda m: pd.Timestamp(f"{m}-01"), lambda m: f"{m}-01"])
def test_months_may_be_spelt_in_any_usual_way(spelling):
    frame = control_frame().assign(month=[spelling(m) for m in MONTHS])
    assert vega_lite(control(frame)) == vega_lite(control())


def test_each_line_is_named_at_its_end_with_its_last_value():
    texts = [text.replace("\n", " ") for text in texts_of(lines(x_type="year"))]
    assert {"Southwark 4.0", "London 14.0", "England 24.0"} <= set(texts)


def test_labels_of_lines_that_end_together_do_not_overlap():
    rows = [
        {"x": year, "series": series, "value": 50 + year - 2001, "role": role}
        for series, role in (("Southwark", "area"), ("London", "comparator"), ("England", "comparator"))
        for year in range(2001, 2011)
    ]
    chart = charts.lines(pd.DataFrame(rows), title="T", value_title="V", x_type="year")
    ends = [row["y"] for row in notes_of(chart) if row["text"].endswith("59.0")]
    assert len(ends) == 3
    assert np.diff(sorted(ends)).min() >= 18


def test_a_year_that_is_missing_is_a_gap_and_not_a_shorter_axis():
    frame = pd.DataFrame({"x": [2001, 2002, 2005], "series": "Southwark", "value": [1.0, 2.0, 3.0], "role": "area"})
    chart = charts.lines(frame, title="T", value_title="V", x_type="year")
    assert [(row["step"], row["value"]) for row in data_of(chart, "line_0")] == [
        ("2001", 1), ("2002", 2), ("2003", None), ("2004", None), ("2005", 3)
    ]  # fmt: skip


def test_limits_of_the_area_are_drawn_as_a_band_for_each_of_its_parts():
    frame = pd.DataFrame(
        {
            "x": [2001, 2002] * 2,
            "series": ["Sutton"] * 2 + ["Merton"] * 2,
            "value": [1.0, 2.0, 3.0, 4.0],
            "lower": [0.5, 1.5, 2.5, 3.5],
            "upper": [1.5, 2.5, 3.5, 4.5],
            "role": "area",
        }
    )
    chart = charts.lines(frame, title="T", value_title="V", x_type="year")
    assert [row["upper"] for row in data_of(chart, "interval_1")] == [3.5, 4.5]
    assert len({row["fill"] for row in data_of(chart, "values")}) == 2


def test_two_values_for_one_place_on_a_line_are_refused():
    frame = pd.DataFrame({"x": [2001, 2001], "series": "Southwark", "value": [1.0, 2.0], "role": "area"})
    with pytest.raises(ValueError, match="series 'Southwark' has two values at 2001"):
        charts.lines(frame, title="T", value_title="V", x_type="year")


def test_components_stack_away_from_zero_and_the_balance_is_their_sum():
    chart = components()
    bars = [(row["value"], row["end"]) for row in data_of(chart, "components") if row["band"] == "2010"]
    assert bars == [(0, 50), (0, -20), (-20, -60), (50, 80)]
    assert [row["value"] for row in data_of(chart, "balance")] == [20, 20]


def test_the_balance_is_left_out_where_a_component_is_not_known():
    frame = pd.DataFrame(
        {
            "year": [2009, 2009, 2010, 2010],
            "component": ["Births", "Deaths"] * 2,
            "value": [5.0, -2.0, 6.0, np.nan],
        }
    )
    chart = charts.components(frame, title="T", value_title="People")
    assert [row["value"] for row in data_of(chart, "balance")] == [3, None]
    assert len(data_of(chart, "balances")) == 1


def test_age_bands_keep_their_order_with_the_oldest_at_the_top():
    heights = {row["tip"].split(": ")[0]: row["y"] for row in data_of(age_profile(), "area")}
    assert heights["Southwark, 85+"] < heights["Southwark, 5 to 9"] < heights["Southwark, 0 to 4"]


def test_the_area_is_bars_and_its_comparators_are_markers():
    chart = distribution()
    assert [row["band"] for row in data_of(chart, "area")] == ["1 most deprived", "2", "3"]
    assert {row["shape"] for row in data_of(chart, "comparators")} == {theme.REGION.shape, theme.NATION.shape}


def test_a_forecast_shows_both_ranges_and_starts_where_the_history_ends():
    chart = fan()
    assert data_of(chart, "range_80")[0] == {"month": "2011-04-01", "value": 100, "upper": 110}
    assert data_of(chart, "range_95")[-1] == {"month": "2012-03-01", "value": 95, "upper": 115}
    assert {"80% range", "95% range", "Forecast", "from Apr 2011"} <= set(texts_of(chart))


def test_a_gap_in_the_history_of_a_forecast_is_not_bridged():
    history = pd.DataFrame({"month": ["2010-10", "2010-12", "2011-01", "2011-03"], "value": [1.0, 2.0, 3.0, 4.0]})
    values = [row["value"] for row in data_of(fan(history=history), "history")]
    assert values == [1, None, 2, 3, None, 4]
    lone = [row["month"] for row in data_of(fan(history=history), "months") if row["month"] < "2011-04"]
    assert lone == ["2010-10-01", "2011-03-01"]


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


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.12, 0.93], (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([1040, 2960], (1000, 1500, 2000, 2500, 3000)),
        ([-7400, 12300], (-10000, -5000, 0, 5000, 10000, 15000)),
    ],
)
def test_ticks_are_round_and_hold_the_data(values, ticks):
    assert linear(values).ticks == pytest.approx(ticks)


def test_a_scale_over_one_value_or_none_still_has_a_length():
    for values in ([5.0, 5.0], [0.0], [], [math.nan]):
        scale = linear(values)
        assert scale.upper > scale.lower


def test_numbers_are_written_with_a_true_minus_sign():
    assert number_text(-1234.56, ",.1f") == "\N{MINUS SIGN}1,234.6"
    assert number_text(0.256, ".0%") == "26%"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([7_322_400, 8_061_495], "8,061,495"),
        ([14.1, 16.23], "16.2"),
        ([0.34, 1.16], "1.16"),
        ([0.5, 0.55], "0.550"),
    ],
)
def test_without_a_format_the_range_of_the_values_decides_the_decimals(values, shown):
    assert number_text(values[-1], fitting_format([*values, math.nan])) == shown
    assert fitting_format(values, ".0%") == ".0%"


def test_spreading_keeps_order_and_moves_nothing_that_has_room():
    assert spread([10, 50, 90], [20, 20, 20], 0, 100) == [10, 50, 90]
    placed = spread([50, 51, 52], [20, 20, 20], 0, 100)
    assert placed == pytest.approx([31, 51, 71])
    assert spread([99, 98], [20, 20], 0, 100) == pytest.approx([90, 70])


def test_wrapping_keeps_every_word_and_the_width():
    text = "Southwark does fewer planned admissions as day cases than London and England"
    parts = wrap(text, 200)
    assert " ".join(parts) == text
    assert all(text_width(part) <= 200 for part in parts)
    assert wrap("", 200) == []


def test_thinning_keeps_the_last_of_the_labels():
    assert thin(list(range(10)), 5) == [0, 3, 6, 9]
    assert thin(["only"], 4) == [0]
