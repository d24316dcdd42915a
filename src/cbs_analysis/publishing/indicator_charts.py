"""The charts of an indicator's page: areas in order of value with their intervals, and a funnel where counts allow it.

Values and intervals are the findings' own. The funnel's limits come from the methods library: those of chance, and for
rates and ratios of areas so large that nearly all lie outside them, a pair that allows for how much areas differ.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence import charts, rendering
from cbs_analysis.evidence.drawing import Drawing
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL
from cbs_analysis.evidence.wording import level_name, number, plural
from cbs_analysis.geography import Geography
from cbs_analysis.publishing.across import Standing
from cbs_analysis.publishing.live import figure
from cbs_analysis.stats import funnel

FEWEST_FOR_A_FUNNEL = 10
WITH_LIMITS = ("proportions", "crude-rates", "indirect-standardisation")
POINTS_ON_A_CURVE = 40
OVERDISPERSION: funnel.OverdispersionMethod = "winsorised"
WITH_INTERVALS = "; 95% intervals"
NO_INTERVAL = float("nan")


def ranked_chart(
    leaves: Sequence[Standing], groups: Sequence[Standing], indicator: Indicator, geography: Geography, period: str
) -> str:
    """Leaves and groups in one order of value, each with its interval; flagged ones apart. Empty without a value."""
    rows = [_ranked_row(each, "flagged" if each.is_flagged else "peer") for each in leaves if each.value is not None]
    rows += [_ranked_row(each, _role(each)) for each in groups if each.value is not None and not each.is_flagged]
    rows += _national(leaves, geography)
    frame = pd.DataFrame(rows, columns=["name", "value", "lower", "upper", "role"])
    known = frame[frame["role"] == "peer"]
    if known.empty:
        return ""
    lowest, highest = known.loc[known["value"].idxmin()], known.loc[known["value"].idxmax()]
    levels = level_name(geography.levels[0], plural=True)
    has_limits = frame["lower"].notna().any()
    drawing = charts.ranked_intervals(
        frame,
        title=f"{indicator.name}: from {_read(lowest['value'], indicator)} in {lowest['name']} to "
        f"{_read(highest['value'], indicator)} in {highest['name']}",
        subtitle=f"{levels} of {geography.whole.name} and their groups, {period}{WITH_INTERVALS if has_limits else ''}",
        value_title=_axis(indicator),
        value_format=_format(indicator),
    )
    alt = (
        f"Ranked dot chart of {len(frame)} areas. Highest is {highest['name']}, {_read(highest['value'], indicator)}; "
        f"lowest {lowest['name']}, {_read(lowest['value'], indicator)}. "
        f"{plural(int((frame['role'] == 'flagged').sum()), 'area')} flagged and not ranked."
    )
    return _figure(drawing, "ranked", alt, [*leaves, *groups])


def funnel_chart(leaves: Sequence[Standing], indicator: Indicator, geography: Geography, period: str) -> str:
    """Each leaf by what its value rests on, inside the limits of chance. Empty where counts or method allow none."""
    points = _counted(leaves)
    known = points[(points["role"] == "peer") & points["events"].gt(0)]
    if len(known) < FEWEST_FOR_A_FUNNEL or indicator.method not in WITH_LIMITS:
        return ""
    at = np.linspace(points["x"].min() * 0.9, points["x"].max() * 1.05, POINTS_ON_A_CURVE)
    chance, widened, average = _curves(indicator, known["events"], known["x"], at)
    levels = level_name(geography.levels[0], plural=True)
    outside = _outside(points[points["role"] == "peer"], widened if widened is not None else chance, at)
    level = level_name(geography.levels[0])
    count = plural(outside, level) if outside else f"no {level}"
    limits = "the 99.8% limits of chance"
    if widened is not None:
        limits = f"the 99.8% limits, widened by how much {levels} usually differ"
    drawing = charts.funnel(
        points,
        chance.assign(x=at),
        average=average,
        average_label=f"{levels} {_read(average, indicator)}",
        widened=None if widened is None else widened.assign(x=at),
        title=f"{indicator.name}: {count} outside {limits}",
        subtitle=f"{levels} of {geography.whole.name}, {period}; limits around the average of those not flagged",
        x_title=indicator.denominator,
        y_title=_axis(indicator),
        y_format=_format(indicator),
        peers_label=levels,
    )
    alt = (
        f"Funnel plot of {len(points)} areas around an average of {_read(average, indicator)}. "
        f"{plural(outside, 'area')} outside {limits}."
    )
    return _figure(drawing, "funnel", alt, leaves)


def _counted(leaves: Sequence[Standing]) -> pd.DataFrame:
    """The leaves whose value rests on a count: name, x (the denominator), y (the value), events and role."""
    rows = [
        (each.area.name, each.finding["denominator"], each.value, each.finding["numerator"],
         "flagged" if each.is_flagged else "peer")
        for each in leaves
        if each.finding and each.value is not None and each.finding["denominator"]
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["name", "x", "y", "events", "role"])
    return frame.astype({"x": float, "y": float, "events": float})


def _curves(
    indicator: Indicator, events: pd.Series, base: pd.Series, at: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame | None, float]:
    """Limits of chance at `at`, a second pair where the method has one, and the average, in the indicator's unit."""
    if indicator.method == "proportions":
        average = float(events.sum() / base.sum())
        return funnel.proportion_limits(at, average) * indicator.per, None, average * indicator.per
    found = funnel.around_average(events, base / indicator.per, OVERDISPERSION, at=at / indicator.per)
    return found.chance, found.widened, found.average


def _outside(points: pd.DataFrame, limits: pd.DataFrame, at: np.ndarray) -> int:
    lower, upper = (np.interp(points["x"], at, limits[f"{side}_998"]) for side in ("lower", "upper"))
    return int(((points["y"] < lower) | (points["y"] > upper)).sum())


def _ranked_row(standing: Standing, role: str) -> tuple[str, float | None, float, float, str]:
    finding = standing.finding or {}
    limits = [NO_INTERVAL if finding.get(end) is None else finding[end] for end in ("lower", "upper")]
    return standing.area.name, standing.value, limits[0], limits[1], role


def _role(standing: Standing) -> str:
    return "region" if standing.area.is_whole else "parent"


def _national(leaves: Sequence[Standing], geography: Geography) -> list[tuple[str, float | None, float, float, str]]:
    """England, as the first leaf that is held against it has it; nothing where England is the whole."""
    if geography.national.code in geography.areas:
        return []
    for each in leaves:
        for item in each.finding["comparisons"] if each.finding else ():
            if item["comparator_code"] == geography.national.code and item["value"] is not None:
                return [(item["comparator"], item["value"], NO_INTERVAL, NO_INTERVAL, "nation")]
    return []


def _figure(drawing: Drawing, name: str, alt: str, shown: Sequence[Standing]) -> str:
    label = SYNTHETIC_LABEL if any(each.is_synthetic for each in shown) else ""
    specification = rendering.labelled({**drawing.specification, "description": alt}, label)
    return figure(rendering.svg(specification, name, specification["description"]), specification)


def _axis(indicator: Indicator) -> str:
    unit = "" if indicator.unit == "ratio" or indicator.unit in indicator.name else f" ({indicator.unit})"
    return f"{indicator.name}{unit}"


def _format(indicator: Indicator) -> str:
    return f",.{indicator.decimals}f"


def _read(value: float, indicator: Indicator) -> str:
    shown = number(value, indicator.decimals)
    return f"{shown}%" if indicator.unit == "%" else shown
