"""What each kind of chart promises: the right data in the right place, gaps that stay gaps."""

import re

import numpy as np
import pandas as pd
import pytest
from chart_examples import (
    MONTHS,
    age_profile,
    components,
    control,
    control_frame,
    data_of,
    distribution,
    fan,
    funnel,
    lines,
    notes_of,
    texts_of,
)

from cbs_analysis.evidence import charts, theme
from cbs_analysis.evidence.rendering import svg, vega_lite


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
