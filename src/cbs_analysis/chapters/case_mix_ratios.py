"""Trusts and areas on the four case-mix adjusted measures: ratios with limits, outliers, and potential improvement.

For the chapter on benchmarking, and its view of one specialty. Models are fitted when records are prepared; here their
numbers are read, added up and compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from cbs_analysis.chapters import record_tables
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import number, plural
from cbs_analysis.pack import Pack
from cbs_analysis.stats import funnel, intervals, potential, rates, shrinkage

ALL = "all"
FEWEST_TRUSTS = 5
SMALLEST_EXPECTED = 30
"""Expected events below which a trust is not set beside others: its ratio says little."""


@dataclass(frozen=True)
class AdjustedMeasure:
    """A measure's words: its finding and indicator, what is counted, and what there is to gain."""

    finding: str
    indicator: str
    title: str
    noun: str
    gained: str
    high_is_good: bool = False


MEASURES: Mapping[str, AdjustedMeasure] = MappingProxyType(
    {
        "day_case": AdjustedMeasure("day_cases", "day_case_ratio", "Day cases", "day cases", "more day cases", True),
        "length_of_stay": AdjustedMeasure(
            "length_of_stay", "length_of_stay_ratio", "Nights in hospital", "nights", "fewer nights"
        ),
        "readmission": AdjustedMeasure(
            "readmissions", "readmission_ratio", "Emergency readmissions", "readmissions", "fewer readmissions"
        ),
        "follow_up": AdjustedMeasure("follow_ups", "follow_up_ratio", "Follow-ups", "follow-ups", "fewer follow-ups"),
    }
)


@dataclass(frozen=True)
class TrustRatios:
    """Trusts on one measure, by code. `table`: cases, observed, expected, ratio, lower, upper, log_ratio,
    standard_error, price_gbp, and where each lies, as `shrinkage.flags` has it.
    """

    measure: str
    table: pd.DataFrame


@dataclass(frozen=True)
class AreaPotential:
    """What an area would gain: events and pounds, each with 95% limits; NaN where there is none."""

    value: float
    lower: float
    upper: float
    pounds: float
    pounds_lower: float
    pounds_upper: float


def of_trusts(pack: Pack, measure: str, specialty: str = ALL) -> TrustRatios | None:
    """Every trust on a measure, all specialties or one; None where too few can be set beside each other."""
    return pack.common.once(("trusts", measure, specialty), lambda: _of_trusts(pack.common, measure, specialty))


def _of_trusts(pack: Pack, measure: str, specialty: str) -> TrustRatios | None:
    rows = record_tables.year_rows(pack, "benchmark_providers")
    rows = rows[(rows["measure"] == measure) & (rows["treatment_function_code"] == specialty)]
    rows = record_tables.inside(pack, rows)
    rows = rows[rows["expected"] >= SMALLEST_EXPECTED]
    rows = rows.dropna(subset=["standard_error"]).set_index("provider_code").sort_index()
    rows = rows[rows["observed"] >= disclosure.FEWEST_EVENTS]
    if len(rows) < FEWEST_TRUSTS:
        return None
    ratio = rates.ratio(rows["observed"], rows["expected"])
    lower, upper = intervals.ratio_interval(ratio, rows["standard_error"])
    log_ratio = np.log(ratio)
    judged = shrinkage.flags(log_ratio, rows["standard_error"]).drop(columns="ratio")
    return TrustRatios(measure, rows.assign(log_ratio=log_ratio, ratio=ratio, lower=lower, upper=upper).join(judged))


def of_areas(pack: Pack, measure: str) -> pd.DataFrame | None:
    """Observed over expected of every area on a measure, with 95% limits: value, lower, upper, numerator, denominator,
    by code; None where no model was made.
    """
    rows = record_tables.of_whole(pack, record_tables.year_rows(pack, "benchmark_areas"))
    rows = rows[rows["measure"] == measure]
    if rows.empty:
        return None
    sums = rows.groupby("commissioner_code")[["observed", "expected", "variance"]].sum()
    counts = sums.rename_axis("area_code").reset_index()
    rolled = pack.geography.roll_up(counts, [], list(sums.columns)).set_index("area_code")
    rolled = rolled.reindex(record_tables.every_code(pack))
    ratio = rates.ratio(rolled["observed"], rolled["expected"])
    lower, upper = intervals.ratio_interval(ratio, rates.ratio(np.sqrt(rolled["variance"]), rolled["observed"]))
    return pd.DataFrame(
        {"value": ratio, "lower": lower, "upper": upper, "numerator": rolled["observed"],
         "denominator": rolled["expected"]}
    )  # fmt: skip


def trust_table(pack: Pack, ratios: TrustRatios) -> Table:
    """Every trust: cases, observed, expected, ratio with limits, and where it stands."""
    worst = not MEASURES[ratios.measure].high_is_good
    frame = ratios.table.sort_values("ratio", ascending=not worst, kind="stable")
    frame = frame.assign(name=record_tables.named(pack, frame.index))
    columns = {
        "name": Column("Trust"),
        "cases": Column("Cases", decimals=0),
        "observed": Column("Observed", decimals=0),
        "expected": Column("Expected", decimals=0),
        "ratio": Column("Ratio", decimals=2),
        "lower": Column("95% lower limit", decimals=2),
        "upper": Column("95% upper limit", decimals=2),
        "widened": Column("Among trusts"),
    }
    frame["widened"] = frame["widened"].str.replace("not significant", "inside", regex=False)
    noun = MEASURES[ratios.measure].noun
    return disclosure.table(
        f"{noun.capitalize()} by trust, {record_tables.activity_year(pack)}", frame.reset_index(drop=True), columns,
        ["cases", "observed", "expected"], dict.fromkeys(["ratio", "lower", "upper"], "observed"),
    )  # fmt: skip


def trust_funnel(pack: Pack, ratios: TrustRatios) -> Chart:
    """Trusts by how much their ratio rests on, within limits of chance and limits widened by how much trusts differ."""
    table, measure = ratios.table, MEASURES[ratios.measure]

    def near(values: pd.Series) -> pd.Series:
        """No finer than one event more would change."""
        return pd.Series(map(disclosure.rounded_rate, values, table["observed"]), table.index)

    weight = near(1 / table["standard_error"] ** 2)
    own, year = record_tables.own_providers(pack), record_tables.activity_year(pack)
    points = pd.DataFrame(
        {
            "name": record_tables.named(pack, table.index),
            "x": weight,
            "y": near(table["ratio"]),
            "role": [record_tables.role(pack, code, own) for code in table.index],
        }
    )
    limits = {
        kind: table[[f"{kind}_{limit}" for limit in funnel.LIMIT_COLUMNS]]
        .set_axis(funnel.LIMIT_COLUMNS, axis=1)
        .apply(near)
        for kind in ("chance", "widened")
    }
    centre = float(table["centre"].iloc[0])
    drawn = charts.funnel(
        points,
        limits["chance"].assign(x=weight),
        average=centre,
        average_label=f"Trusts {number(centre, 2)}",
        widened=limits["widened"].assign(x=weight),
        title=f"{measure.title}, observed over expected",
        subtitle=f"Trusts, {year}" + ("" if pack.area.is_whole else f"; {pack.area.name}'s own in dark"),
        x_title="How much the ratio rests on (1 over its variance)",
        y_title="Observed over expected",
        peers_label="Other trusts",
        own_label=f"{pack.area.name}'s trusts",
    )
    outside = table["widened"].str.contains("99.8", regex=False).sum()
    description = (
        f"Funnel plot of {plural(len(table), 'trust')}. Ratios run from {number(table['ratio'].min(), 2)} to "
        f"{number(table['ratio'].max(), 2)}. {number(outside) if outside else 'None'} outside the 99.8% limits that "
        "allow for how much trusts differ anyway."
    )
    return Chart(drawn, description)


def potential_of(pack: Pack, ratios: TrustRatios) -> AreaPotential:
    """What the area's people would gain if each trust did as well as the best quarter."""
    potentials = pack.common.once(("potential", ratios.measure), lambda: _potential(pack.common, ratios))
    row = potentials.loc[pack.area.code]
    names = ("potential", "lower", "upper", "pounds", "pounds_lower", "pounds_upper")
    return AreaPotential(*(float(row[name]) if name in row else np.nan for name in names))


def _potential(pack: Pack, ratios: TrustRatios) -> pd.DataFrame:
    """The same for every area of the geography: see `potential.best_quarter`, its groups."""
    rows = record_tables.of_whole(pack, record_tables.year_rows(pack, "benchmark_areas"))
    rows = rows[(rows["measure"] == ratios.measure) & rows["provider_code"].isin(ratios.table.index)]
    expected = rows.pivot_table(
        index="commissioner_code", columns="provider_code", values="expected", aggfunc="sum", fill_value=0.0
    ).reindex(columns=ratios.table.index, fill_value=0.0)
    weights = pd.DataFrame(
        {code: expected.reindex(list(pack.geography.leaves(code))).sum() for code in pack.geography.areas}
    ).T
    table = ratios.table
    price = table["price_gbp"].fillna(table["price_gbp"].mean()) if table["price_gbp"].notna().any() else None
    result = potential.best_quarter(
        table["log_ratio"], table["standard_error"], table["expected"], weights=weights, price=price,
        lower_is_better=not MEASURES[ratios.measure].high_is_good,
    )  # fmt: skip
    assert result.groups is not None
    return result.groups
