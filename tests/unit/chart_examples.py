"""One small chart of each kind, and ways to look inside a chart, for the tests of charts."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.evidence import charts
from cbs_analysis.evidence.rendering import vega_lite

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


def flow_frames(name="Southwark"):
    areas = pd.DataFrame(
        {
            "name": ["Camden", "Lambeth", name, "Lewisham"],
            "x": [1, 0, 1, 2],
            "y": [0, 1, 1, 1],
            "role": ["peer", "peer", "area", "peer"],
        }
    )
    providers = pd.DataFrame(
        {
            "name": ["King's", "Guy's", "University", "Elsewhere"],
            "x": [1.27, 0.27, 1.27, np.nan],
            "y": [1.18, 1.18, 0.18, np.nan],
            "size": [80_003, 90_004, 7, 50_000],
        }
    )
    flows = pd.DataFrame(
        {
            "area": name,
            "provider": ["King's", "Guy's", "University", "Elsewhere"],
            "count": [20_001, 9_998, 7, 4_003],
            "share_pct": [50.04, 25.0, 12.0, 10.0],
        }
    )
    return areas, providers, flows


def flow_map(name="Southwark", **options):
    return charts.flow_map(*flow_frames(name), title="T", **options)


EVERY_KIND = {
    "ranked_intervals": ranked,
    "funnel": funnel,
    "control": control,
    "lines": lines,
    "components": components,
    "age_profile": age_profile,
    "distribution": distribution,
    "fan": fan,
    "flow_map": flow_map,
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
    for prefix in ("notes", "key", "reference_label", "break_labels", "names", "own_names", "tile_names", "foot"):
        for i in range(8):
            try:
                rows += data_of(chart, f"{prefix}_{i}")
            except AssertionError:
                break
    return rows


def texts_of(chart):
    return [row["text"] for row in notes_of(chart)]
