"""Activity carried on for a year, and a year ago: the forecasts that the chapter on outlook speaks of.

From the Monthly Activity Return. What areas share (season, growth, the kind of day) is fitted once for a measure, and
each forecast is made once in a pack.
"""

from dataclasses import dataclass

import pandas as pd

from cbs_analysis.chapters import breaks, figures
from cbs_analysis.chapters.breaks import Counted
from cbs_analysis.pack import Pack
from cbs_analysis.stats import borrowing, forecasting

MAR = "monthly_activity_return"
HORIZON, TRAINED = 12, 24
NOUNS = {
    "elective_ordinary_admissions": "ordinary elective admissions",
    "elective_daycase_admissions": "day case admissions",
    "nonelective_admissions": "non-elective admissions",
    "gp_referrals_made": "GP referrals",
    "other_referrals_made": "other referrals",
    "first_outpatient_attendances": "first outpatient attendances",
}


@dataclass(frozen=True)
class Borrowed:
    """What all areas tell of a measure: the kind of day it runs by, and what they share, now and a year ago."""

    days: borrowing.ExposureChoice
    areas: int
    group: borrowing.Group
    group_a_year_ago: borrowing.Group


def counted(pack: Pack, measure: str, code: str) -> Counted:
    """A measure with the days it runs by, as the backtest over all areas chose."""
    return Counted((measure,), NOUNS[measure], f"forecast_{measure}", borrowed(pack, measure, code).days.chosen)


def borrowed(pack: Pack, measure: str, code: str) -> Borrowed:
    """What an area borrows: from every area of its geography; England from all of England's."""
    pack, is_national = pack.common, code == pack.geography.national.code
    leaves = _national(pack, measure) if is_national else figures.by_month(pack, measure)
    codes = sorted(leaves.columns if is_national else [area.code for area in pack.peers])
    return pack.once(("borrowed", measure, tuple(codes)), lambda: _borrowed(pack, measure, leaves[codes]))


def _national(pack: Pack, measure: str) -> pd.DataFrame:
    return figures.every_leaf(pack).pivot(index="month", columns="area_code", values=measure)


def _borrowed(pack: Pack, measure: str, leaves: pd.DataFrame) -> Borrowed:
    days = {name: count(leaves.index) for name, count in breaks.DAYS.items()}
    series = breaks.without_short_breaks(pack, measure, leaves)
    choice = borrowing.choose_exposure(series, days, TRAINED)
    found = breaks.screened_leaves(pack, measure, choice.chosen, leaves)
    starts = {code: item.starts for code, item in found.items()}
    exposure = days[choice.chosen]
    return Borrowed(
        days=choice,
        areas=len(starts),
        group=borrowing.borrow(series, exposure, starts),
        group_a_year_ago=borrowing.borrow(series, exposure, starts, train=TRAINED),
    )


def year_ahead(pack: Pack, code: str, measure: str) -> forecasting.Forecast:
    """The twelve months after the return ends."""
    pack = pack.keeper(code)

    def make() -> forecasting.Forecast:
        what = counted(pack, measure, code)
        found = breaks.screened(pack, what, code)
        months = pd.date_range(found.series.index[0], periods=len(found.series) + HORIZON, freq="MS")
        season = borrowed(pack, measure, code).group
        return forecasting.forecast(
            found.series, HORIZON, exposure=what.days(months), season=season, breaks=found.starts
        )

    return pack.once(("year ahead", measure, code), make)


def backtested(pack: Pack, code: str, measure: str) -> forecasting.Backtest:
    """The last year forecast from the two before it, beside the seasonal naive forecast."""
    pack = pack.keeper(code)

    def make() -> forecasting.Backtest:
        what = counted(pack, measure, code)
        found = breaks.screened(pack, what, code)
        days, season = what.days(found.series.index), borrowed(pack, measure, code).group_a_year_ago
        return forecasting.backtest(found.series, HORIZON, TRAINED, exposure=days, season=season, breaks=found.starts)

    return pack.once(("backtested", measure, code), make)
