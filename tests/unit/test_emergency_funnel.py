"""Emergency admission ratios about their own average: limits, counts and words, worked out again by hand."""

import math
import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson
from test_chapters import emergency, pack, pcts_of, rows
from test_similar_areas import FLAGGED

from cbs_analysis.chapters import emergency_care, plausibility
from cbs_analysis.chapters.emergency_funnel import funnel_chart, judged, sentences
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.rendering import vega_lite
from cbs_analysis.periods import Period, parse_period
from cbs_analysis.stats import funnel

YEAR = "2008/09"


def period() -> Period:
    return parse_period(YEAR)


@pytest.fixture(scope="module")
def clean() -> dict[str, tuple[float, float]]:
    """Observed and expected of each PCT that is not flagged."""
    return {code: emergency(YEAR, code) for code in sorted(pcts_of("LON") - FLAGGED)}


def spread_by_hand(clean: dict[str, tuple[float, float]]) -> tuple[float, float, float]:
    """The average, phi and tau squared, written out from Spiegelhalter (2005) and DerSimonian and Laird (1986)."""
    average = sum(o for o, _ in clean.values()) / sum(e for _, e in clean.values())
    z = sorted(2 * (math.sqrt(o) - math.sqrt(average * e)) for o, e in clean.values())
    low, high = np.percentile(z, 10), np.percentile(z, 90)
    phi = statistics.fmean(min(max(value, low), high) ** 2 for value in z)
    weights = [4 * average * e for _, e in clean.values()]
    below = sum(weights) - sum(w * w for w in weights) / sum(weights)
    return average, phi, (len(z) * phi - (len(z) - 1)) / below


def test_average_and_spread_are_those_of_the_unflagged_pcts(clean: dict[str, tuple[float, float]]) -> None:
    found = judged(pack("5LE"), plausibility.ratios(pack("5LE"), period()))
    assert found is not None
    average, phi, tau2 = spread_by_hand(clean)
    assert sorted(found.table.index) == sorted(clean)
    assert found.around.average == pytest.approx(average, rel=1e-12)
    assert found.around.phi == pytest.approx(phi, rel=1e-9)
    assert found.around.tau2 == pytest.approx(tau2, rel=1e-9)
    assert found.around.times_chance == pytest.approx(math.sqrt(phi), rel=1e-9)


def test_the_counts_outside_either_pair_of_limits_are_those_worked_out_by_hand(
    clean: dict[str, tuple[float, float]],
) -> None:
    average, phi, tau2 = spread_by_hand(clean)
    beyond = {1.959964: 0, 3.090232: 0}
    for observed, expected in clean.values():
        for z in beyond:
            reach = z * math.sqrt(1 / (4 * average * expected) + tau2)
            ratio = math.sqrt(observed / (average * expected))
            beyond[z] += not 1 - reach <= ratio <= 1 + reach
    by_chance = sum(
        poisson.cdf(o, average * e) < 0.001 or poisson.sf(o - 1, average * e) < 0.001 for o, e in clean.values()
    )
    assert by_chance == len(clean) == 26
    assert list(beyond.values()) == [2, 0]
    statement = emergency_care.admission_ratio(pack("5LE")).statement
    assert "all 26 lie outside the 99.8% limits of chance around their own average of 0.94" in statement
    assert "none lies outside 99.8% and 2 lie outside 95%; Southwark is inside." in statement
    said = emergency_care.admission_ratio(pack("5LE")).caveats[0]
    assert f"{math.sqrt(phi):.0f} times as far" in said
    assert f"is {phi:.0f})" in said


def test_a_pct_outside_the_widened_limits_is_told_so_and_a_sector_how_many_are() -> None:
    assert statement("5A5").endswith("Kingston is outside 95%, on the low side.")
    assert statement("SWL").endswith("2 of South West London's 5 among them.")
    assert statement("SEL").endswith("none of South East London's 6 among them.")


def statement(code: str) -> str:
    return emergency_care.admission_ratio(pack(code)).statement


def test_a_flagged_pct_is_not_judged_and_has_no_part() -> None:
    finding = emergency_care.admission_ratio(pack("5C3"))
    assert "City and Hackney is" not in finding.statement
    assert finding.table is not None
    frame = finding.table.frame.set_index("area")
    judged_not = frame.index[frame["chance"] == "flagged, not judged"]
    assert sorted(judged_not) == ["Barnet", "City and Hackney", "Enfield", "Newham", "Tower Hamlets"]
    assert (frame.loc[judged_not, "widened"] == "flagged, not judged").all()
    assert frame["widened"].value_counts()["low (95%)"] == 2
    assert frame.loc["Southwark", ["chance", "widened"]].tolist() == ["high (99.8%)", "inside"]


def test_where_nobody_can_be_believed_no_limits_are_drawn() -> None:
    shown = plausibility.ratios(pack("5LE"), period())
    standing = replace(shown, table=shown.table.assign(flagged=True))
    assert judged(pack("5LE"), standing) is None
    assert sentences(pack("5LE"), None) == ""
    assert funnel_chart(pack("5LE"), standing, None, YEAR) is None


def test_the_chart_has_both_pairs_of_limits_the_average_and_england() -> None:
    chart = emergency_care.admission_ratio(pack("5LE")).chart
    assert chart is not None
    drawn = str(chart.specification)
    for words in ("England 1", "PCTs 0.94", "Chance alone (95% and 99.8%)", "Chance and the spread between them"):
        assert words in drawn
    names = set(chart.specification["datasets"]) if "datasets" in chart.specification else drawn
    for name in ("chance_95", "chance_998", "limits_95", "limits_998", "limits_average", "limits_reference"):
        assert name in names
    assert "26 lie outside the 99.8% limits of chance, none outside those widened" in chart.description


def test_a_funnel_with_one_pair_of_limits_has_no_band_and_no_second_key() -> None:
    points = pd.DataFrame({"name": ["A", "B"], "x": [100.0, 400.0], "y": [1.1, 0.9], "role": ["area", "peer"]})
    limits = funnel.ratio_limits([100.0, 250.0, 400.0]).assign(x=[100.0, 250.0, 400.0])
    drawn = str(vega_lite(charts.funnel(points, limits, 1.0, title="T", x_title="X", y_title="Y")))
    assert "Chance" not in drawn and "chance_95" not in drawn and "limits_reference" not in drawn


def test_southwarks_trend_is_the_weighted_line_through_its_last_five_years() -> None:
    borough = [r for r in rows("published/emergency_admissions") if r["area_code"] == "E09000028"]
    years = sorted(borough, key=lambda r: r["financial_year"])[-5:]
    observed = np.array([float(r["admissions_observed"]) for r in years])
    expected = np.array([float(r["admissions_expected"]) for r in years])
    # The width of the Byar limits is close to that of the normal ones: 1 / error is expected over root observed.
    slope = np.polyfit(range(5), observed / expected, 1, w=expected / np.sqrt(observed))[0]
    assert f"the trend is upward, by +{slope:.3f} a year" in emergency_care.ratio_trend(pack("5LE")).statement


def test_a_trend_that_one_year_makes_is_not_named_nor_that_of_a_flagged_area() -> None:
    assert (
        "no clear trend: the slope turns when one point is left out."
        in emergency_care.ratio_trend(pack("5LF")).statement
    )
    finding = emergency_care.ratio_trend(pack("5C3"))
    assert finding.statement.endswith("No trend is named, because the figures are flagged.")
    assert finding.members is not None
    trends = finding.members.frame.set_index("area")["trend"]
    assert trends[["City and Hackney", "Southwark", "Kingston", "Lewisham"]].tolist() == [
        "flagged", "upward", "downward", "none"
    ]  # fmt: skip


def test_a_slope_is_no_trend_where_the_years_lie_unevenly_about_it_or_records_are_short() -> None:
    uneven, short = emergency_care.ratio_trend(pack("SEL")), emergency_care.ratio_trend(pack("5HY"))
    assert "by +0.005 a year (England's +0.004), but the years lie so unevenly" in uneven.statement
    assert short.statement.endswith("No trend is named, because records may be short in some of these years.")
    assert any("Hounslow in 2006/07" in caveat for caveat in short.caveats)
    assert uneven.members is not None and "Trend" not in [column.title for column in uneven.members.columns.values()]


def test_limits_around_an_average_are_those_around_1_moved_to_it() -> None:
    observed, expected = [90.0, 240.0, 160.0, 420.0], [100.0, 200.0, 200.0, 400.0]
    found = funnel.around_average(observed, expected, "winsorised")
    average = 910 / 900
    moved = funnel.overdispersion(observed, [average * e for e in expected], "winsorised")
    assert found.average == pytest.approx(average)
    assert (found.phi, found.tau2) == pytest.approx((moved.phi, moved.tau2))
    assert found.widened.to_numpy() == pytest.approx(moved.limits.to_numpy() * average)
    assert found.chance.to_numpy() == pytest.approx(
        funnel.ratio_limits([average * e for e in expected]).to_numpy() * average
    )
    elsewhere = funnel.around_average(observed, expected, "winsorised", at=pd.Series([200.0], index=["5LE"]))
    assert elsewhere.widened.loc["5LE"].tolist() == pytest.approx(found.widened.iloc[1].tolist())


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
def test_widened_limits_are_those_of_the_overdispersion_they_come_from(method: funnel.OverdispersionMethod) -> None:
    observed, expected = np.array([90, 240, 160, 420, 310.0]), np.array([100, 200, 200, 400, 300.0])
    found = funnel.overdispersion(observed, expected, method)
    again = funnel.widened_limits(expected, found.tau2, method)
    pd.testing.assert_frame_equal(again, found.limits)
    assert funnel.widened_limits([0, np.nan], found.tau2, method).isna().all(axis=None)


def test_the_mean_of_the_areas_does_not_count_as_spread_between_them() -> None:
    expected = np.array([400.0, 500, 600, 700, 800])
    low = funnel.around_average(expected * 0.5, expected, "winsorised")
    assert (low.average, low.phi, low.tau2) == pytest.approx((0.5, 0, 0))
    assert funnel.overdispersion(expected * 0.5, expected, "winsorised").phi > 100


@pytest.mark.parametrize(
    ("observed", "expected", "says"),
    [
        ([0, 0, 0], [1, 2, 3], "no area has any events"),
        ([1, 2], [1, 2], "2 areas are known"),
        ([1, 2, 3], [1, 2], "give as many of each"),
        ([1, 2, -3], [1, 2, 3], "observed: element 2 is -3"),
    ],
)
def test_an_impossible_funnel_is_refused(observed: list[float], expected: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        funnel.around_average(observed, expected, "winsorised")
    with pytest.raises(ValueError, match="tau2 is -1"):
        funnel.widened_limits([1], -1, "shmi")
