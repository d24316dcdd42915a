"""Are there more emergency admissions than expected for the people who live here? Observed, expected, rate.

Source: Health and Social Care Information Centre, indirectly standardised for age and sex; London boroughs,
London and England. The standard is England's rates of 2008/09 in every year, so England's own ratio is 1 in
that year only.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.geography import NATIONAL
from cbs_analysis.tables import population, reference
from cbs_analysis.tables.checking import (
    CheckResult,
    column_codes,
    compared,
    complete,
    raise_failed,
    read_table,
)

TABLE = "emergency_admissions"
ROUNDING = 0.005
RATE = "standardised_rate_per_100k"
LIMITS = [
    "rate_lower_998_per_100k",
    "rate_lower_95_per_100k",
    RATE,
    "rate_upper_95_per_100k",
    "rate_upper_998_per_100k",
]


def load(data: Path) -> pd.DataFrame:
    """The table held to its description alone; `read` is what an analysis wants."""
    return read_table(data, TABLE, {"area_code": reference.ons_codes(data)})


def read(data: Path) -> pd.DataFrame:
    """Emergency admissions, one row for each financial year and area (ONS code).

    Columns: financial_year (2008/09), area_code, population, admissions_observed, admissions_expected,
    standardised_rate_per_100k, and rate_lower_95_per_100k, rate_upper_95_per_100k, rate_lower_998_per_100k,
    rate_upper_998_per_100k. Raises DataError where the file is wrong, or figures do not follow from each
    other.
    """
    frame = load(data)
    raise_failed(checks(frame, data), data)
    return frame


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Is London the sum of its boroughs, does the rate follow, and is every area and year there?"""
    return [
        *_totals(frame, data),
        _rates(frame, data),
        _limits(frame),
        _populations(frame, data),
        _complete(frame),
    ]


def _totals(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Every area that is neither a borough nor England is the whole of the boroughs: London."""
    boroughs = column_codes(data, "boroughs", "borough_code").values
    parts = frame[frame["area_code"].isin(boroughs)].groupby("financial_year")
    rows = frame[~frame["area_code"].isin(boroughs | {_england(data)})].set_index("financial_year")
    whole = rows[parts["area_code"].nunique().reindex(rows.index) == len(boroughs)]
    results = []
    for column in ("population", "admissions_observed", "admissions_expected"):
        added = parts[column].sum().reindex(whole.index)
        tolerance = ROUNDING * (len(boroughs) + 1) if column == "admissions_expected" else 0
        wrong = whole[(whole[column] - added).abs() > tolerance]
        found = [
            f"{year} {row['area_code']}: {column} is {row[column]:,.12g}, its boroughs {added[year]:,.12g}"
            for year, row in wrong.iterrows()
        ]
        results.append(compared(TABLE, f"London {column} is the sum of the boroughs", f"{len(whole)} years", found))
    return results


def _england(data: Path) -> str:
    areas = read_table(data, "areas").set_index("area_code")
    return str(areas.at[NATIONAL, "ons_code"])


def _rates(frame: pd.DataFrame, data: Path) -> CheckResult:
    rule = "rate is observed over expected times the rate of England in the standard's year"
    england = frame[frame["area_code"] == _england(data)]
    standard = england[england["admissions_observed"] == england["admissions_expected"]]
    if len(standard) != 1:
        found = f"England: {len(standard)} years with expected equal to observed; there must be one"
        return CheckResult(TABLE, rule, "failed", found, (found,))
    england_rate = float(standard[RATE].iloc[0])
    rate = frame["admissions_observed"] / frame["admissions_expected"] * england_rate
    tolerance = 2 * ROUNDING * (1 + rate / england_rate + rate / frame["admissions_expected"])
    wrong = frame[(rate - frame[RATE]).abs() > tolerance]
    rows = [
        f"{row['financial_year']} {row['area_code']}: {RATE} is {row[RATE]}, from its parts {rate[line]:.2f}"
        for line, row in wrong.iterrows()
    ]
    return compared(TABLE, f"{rule} ({standard['financial_year'].iloc[0]})", f"{len(frame)} rates", rows)


def _limits(frame: pd.DataFrame) -> CheckResult:
    falls = (frame[LIMITS].diff(axis=1).iloc[:, 1:] < 0).any(axis=1)
    rows = [f"{row.financial_year} {row.area_code}: limits out of order" for row in frame[falls].itertuples()]
    return compared(TABLE, "limits enclose the rate, the 99.8% limits the 95% ones", f"{len(frame)} rates", rows)


def _populations(frame: pd.DataFrame, data: Path) -> CheckResult:
    by_age = population.totals(population.load(data))
    years = frame.assign(mid_year=frame["financial_year"].str[:4].astype("int64"))
    both = years.merge(by_age, on=["area_code", "mid_year"])
    rows = [
        f"{row.financial_year} {row.area_code}: population is {row.population}, by age {row.persons}"
        for row in both[both["population"] != both["persons"]].itertuples()
    ]
    rule = "population is the mid-year estimate of the year in which the financial year begins"
    return compared(TABLE, rule, f"{len(both)} areas and years", rows)


def _complete(frame: pd.DataFrame) -> CheckResult:
    first = frame["financial_year"].str[:4].astype(int)
    years = [f"{year}/{(year + 1) % 100:02d}" for year in range(first.min(), first.max() + 1)]
    wanted = {"financial_year": years, "area_code": frame["area_code"].unique()}
    return complete(TABLE, "every area has every year", frame, wanted)
