"""What the outlook promises: a method that beats repeating last year, limits that hold, and one group for all areas."""

from functools import cache

import numpy as np
import pytest
from test_chapters import FORECAST

from cbs_analysis import pack as packs
from cbs_analysis.chapters import open_pack, outlook, recording_changes, year_ahead
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import DAYS, by_step, series
from cbs_analysis.stats import forecasting


@cache
def london() -> Pack:
    return open_pack("LON", "2011-12")


def test_over_londons_areas_the_error_is_a_seventh_below_the_naive_and_the_limits_hold() -> None:
    pack = london()
    found = [year_ahead.backtested(pack, name, area.code) for name in FORECAST for area in pack.peers]
    assert len(found) == 31 * 6
    assert np.mean([item.mase for item in found]) < 0.86 * np.mean([item.naive_mase for item in found])
    assert 0.92 < np.mean([item.coverage_95 for item in found]) < 0.98
    assert 0.72 < np.mean([item.coverage_80 for item in found]) < 0.88


def test_those_who_stay_a_night_run_by_calendar_days_and_planned_work_by_working_days() -> None:
    pack = london()
    chosen = {name: year_ahead.forecast_series(pack, name, "5LE").day for name in FORECAST}
    nights = {name for name, day in chosen.items() if day == "calendar day"}
    assert nights == {"nonelective", "elective_ordinary"}
    assert set(chosen.values()) == {"calendar day", "working day"}


def test_the_kind_of_day_and_its_error_are_said() -> None:
    said = " ".join(outlook.forecast(open_pack("5LE", "2011-12"), "elective_daycase").caveats)
    assert "Forecast per working day: over 31 areas the error of a year ago (MASE) was 0.9" in said
    assert "per calendar day" in said
    table = outlook.backtest(london()).table
    assert table is not None
    assert table.frame.set_index("measure")["day"]["Non-elective admissions"] == "calendar day"


def test_the_group_is_fitted_once_for_all_areas(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    fit = forecasting.shared_season
    monkeypatch.setattr(forecasting, "shared_season", lambda *args, **kept: fits.append(1) or fit(*args, **kept))
    monkeypatch.setattr(packs, "_opened", {})
    pack = open_pack("5LE", "2011-12")
    for code in ("5LE", "5LF", "SEL", "LON"):
        year_ahead.year_ahead(pack, "gp_referrals", code)
        year_ahead.backtested(pack, "gp_referrals", code)
    assert len(fits) == 2, "with the last year and without it"


@pytest.mark.parametrize("name", ["other_referrals", "nonelective"])
def test_leaves_are_screened_alike_by_themselves_and_in_the_group(name: str) -> None:
    pack = london()
    chosen = year_ahead.forecast_series(pack, name, "LON")
    codes = [area.code for area in pack.peers]
    together = recording_changes.screened_leaves(pack, chosen, chosen.day, by_step(pack, chosen)[codes])
    for code in codes:
        alone = recording_changes.screened(pack, chosen, code)
        assert together[code].starts == alone.starts
        assert together[code].values.equals(alone.values)
        assert together[code].broken.equals(alone.broken)


def test_a_step_in_some_areas_is_no_growth_for_the_others() -> None:
    pack = london()
    chosen = series(pack, "gp_referrals")
    raw = by_step(pack, chosen)[[area.code for area in pack.peers]]
    days = DAYS["working day"](raw.index)
    screened = year_ahead.borrowed(pack, chosen, "LON").group
    assert screened.growth < forecasting.shared_season(raw, days).growth
