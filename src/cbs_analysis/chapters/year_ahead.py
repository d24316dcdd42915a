"""The year ahead, and the last year as it would have been forecast: what the chapter on outlook speaks of.

What areas share (season, growth, the kind of day) is fitted once for a series, and each forecast is made once in a
pack.
"""

from dataclasses import dataclass, replace

import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import DAYS, STEP, Series, by_step, days_of, every_leaf, in_periods, series
from cbs_analysis.stats import forecasting


@dataclass(frozen=True)
class Borrowed:
    """What all areas tell of a series: the kind of day it runs by, and what they share, now and a year ago."""

    days: forecasting.ExposureChoice
    areas: int
    group: forecasting.SharedSeason
    group_a_year_ago: forecasting.SharedSeason


def forecast_series(pack: Pack, name: str, code: str) -> Series:
    """A series with the days it runs by, as the backtest over all areas chose."""
    chosen = series(pack, name)
    return replace(chosen, day=borrowed(pack, chosen, code).days.chosen)


def horizon(chosen: Series) -> int:
    """How many steps make the year ahead."""
    return chosen.frequency.per_year


def trained(chosen: Series) -> int:
    """How many steps the forecast of a year ago is made from: two years."""
    return 2 * chosen.frequency.per_year


def borrowed(pack: Pack, chosen: Series, code: str) -> Borrowed:
    """What an area borrows: from every leaf of its geography; the nation from all areas of their kind."""
    pack, is_nation = pack.common, pack.geography.is_nation(code)
    leaves = _every_area(pack, chosen) if is_nation else by_step(pack, chosen)
    codes = sorted(leaves.columns if is_nation else [area.code for area in pack.peers])
    return pack.once(
        ("borrowed", chosen.table, chosen.measures, tuple(codes)), lambda: _borrowed(pack, chosen, leaves[codes])
    )


def _every_area(pack: Pack, chosen: Series) -> pd.DataFrame:
    leaves = every_leaf(pack, chosen.table)
    total = leaves[list(chosen.measures)].sum(axis=1, skipna=False)
    return leaves.assign(total=total).pivot(index=STEP, columns="area_code", values="total")


def _borrowed(pack: Pack, chosen: Series, leaves: pd.DataFrame) -> Borrowed:
    days = {name: days_of(chosen.frequency, name, leaves.index) for name in DAYS}
    values = in_periods(chosen.frequency, recording_changes.without_short_breaks(pack, chosen, leaves))
    choice = forecasting.choose_exposure(values, days, trained(chosen))
    screened = recording_changes.screened_leaves(pack, chosen, choice.chosen, leaves)
    starts = {code: item.starts for code, item in screened.items()}
    exposure = days[choice.chosen]
    return Borrowed(
        days=choice,
        areas=len(starts),
        group=forecasting.shared_season(values, exposure, starts),
        group_a_year_ago=forecasting.shared_season(values, exposure, starts, train=trained(chosen)),
    )


def year_ahead(pack: Pack, name: str, code: str) -> forecasting.Forecast:
    """The year after the figures end."""
    pack = pack.common

    def make() -> forecasting.Forecast:
        chosen = forecast_series(pack, name, code)
        screened = recording_changes.screened(pack, chosen, code)
        ahead = horizon(chosen)
        starts = pd.date_range(
            screened.values.index[0], periods=len(screened.values) + ahead, freq=chosen.frequency.alias
        )
        season = borrowed(pack, chosen, code).group
        values = in_periods(chosen.frequency, screened.values)
        return forecasting.forecast(values, ahead, exposure=chosen.days(starts), season=season, breaks=screened.starts)

    return pack.once(("year ahead", name, code), make)


def backtested(pack: Pack, name: str, code: str) -> forecasting.Backtest:
    """The last year forecast from the two before it, beside the seasonal naive forecast."""
    pack = pack.common

    def make() -> forecasting.Backtest:
        chosen = forecast_series(pack, name, code)
        screened = recording_changes.screened(pack, chosen, code)
        days, season = chosen.days(screened.values.index), borrowed(pack, chosen, code).group_a_year_ago
        values = in_periods(chosen.frequency, screened.values)
        return forecasting.backtest(
            values, horizon(chosen), trained(chosen), exposure=days, season=season, breaks=screened.starts
        )

    return pack.once(("backtested", name, code), make)
