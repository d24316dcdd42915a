"""Working days against England's published bank holidays, counted by hand from a calendar."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.stats.calendar import calendar_days, period_index, periods_per_year, working_days


@pytest.mark.parametrize(
    ("month", "days"),
    [
        (
            "2011-04",
            18,
        ),  # 21 weekdays less Good Friday 22nd, Easter Monday 25th and the royal wedding on the 29th
        ("2011-05", 20),  # 22 less 2 and 30 May
        ("2012-05", 22),  # 23 less the 7th; the spring holiday moved to June
        ("2012-06", 19),  # 21 less 4 June and the Diamond Jubilee on the 5th
        ("2010-12", 21),  # 23 less 27 and 28 December, in place of the weekend's
        ("2008-03", 19),  # 21 less Good Friday 21st and Easter Monday 24th
        ("2009-06", 22),  # none
    ],
)
def test_working_days_leave_out_weekends_and_bank_holidays(month, days):
    assert working_days([month]).tolist() == [days]


def test_a_year_of_months_adds_up_to_the_years_weekdays_less_its_bank_holidays():
    months = pd.period_range("2011-01", "2011-12", freq="M")
    # 260 weekdays in 2011 and nine bank holidays, all on weekdays.
    assert working_days(months).sum() == 260 - 9
    assert calendar_days(months).sum() == 365


def test_months_are_read_from_text_dates_and_periods_alike():
    text = ["2010-02", "2012-02"]
    assert calendar_days(text).tolist() == [28, 29]
    assert np.array_equal(working_days(text), working_days(pd.to_datetime(["2010-02-01", "2012-02-15"])))
    assert np.array_equal(working_days(text), working_days(pd.Series(text)))


def test_no_months_have_no_days():
    assert working_days([]).size == 0


@pytest.mark.parametrize(
    ("period", "days", "working"),
    [
        ("2010/11", 365, 253),  # April to March: 261 weekdays less eight bank holidays
        ("2011/12", 366, 252),  # 261 less nine: the royal wedding
        ("2011", 365, 260 - 9),
        ("2011-Q2", 91, 65 - 5),  # 22 and 25 April, the wedding on the 29th, 2 and 30 May
        ("2011/12 Q1", 91, 65 - 5),
        ("2011-W17", 7, 5 - 2),  # 25 April to 1 May: Easter Monday and the wedding
        ("2011-04-25/2011-05-01", 7, 5 - 2),
        ("2011-04", 30, 18),
    ],
)
def test_weeks_quarters_and_years_financial_ones_too_have_their_days(period, days, working):
    assert calendar_days([period]).tolist() == calendar_days(period).tolist() == [days]
    assert working_days([period]).tolist() == [working]


def test_periods_of_pandas_are_taken_as_they_are():
    quarters = pd.period_range("2010Q2", "2011Q1", freq="Q")
    assert calendar_days(quarters).tolist() == [91, 92, 92, 90] and working_days(quarters).sum() == 253
    assert working_days(pd.PeriodIndex(["2011"], freq="Y-MAR")).tolist() == working_days("2010/11").tolist()
    weeks = pd.date_range("2011-04-25", periods=2, freq="W-MON")
    assert working_days(weeks).tolist() == [3, 4] and calendar_days(weeks).tolist() == [7, 7]
    assert calendar_days(pd.date_range("2011-04-01", periods=2, freq="QS-APR")).tolist() == [91, 92]


def test_bank_holidays_are_those_of_the_country_or_part_of_it_that_is_named():
    # Scotland has 2 January and St Andrew's Day, and no Easter Monday: 4 January 2011 stands in for the 2nd.
    assert working_days(["2011-01"], subdivision="SCT").tolist() == [19]
    assert working_days(["2011-01"]).tolist() == [20]
    with pytest.raises(ValueError, match="'GB' with subdivision 'XX' is not in the holidays package"):
        working_days(["2011-01"], subdivision="XX")


@pytest.mark.parametrize("period", ["Aprl", 4, None, "2010/12", "2010/4", "04/2011", "4", np.nan, 2011, True])
def test_a_period_that_cannot_be_read_is_named_and_not_guessed(period):
    for count in (working_days, calendar_days):
        with pytest.raises(ValueError, match=f"{period!r} cannot be read; write a month as 2011-04"):
            count([period])


def test_days_and_spans_of_months_are_no_periods():
    with pytest.raises(ValueError, match="dates of frequency 'D' are not periods"):
        working_days(pd.date_range("2011-04-01", periods=3, freq="D"))
    for frequency in ("D", "3M", "h"):
        with pytest.raises(ValueError, match="cannot be used; give weeks, months, quarters or years"):
            calendar_days(pd.period_range("2011-04-01", periods=3, freq=frequency))
    with pytest.raises(ValueError, match="period 1 is missing"):
        calendar_days(pd.PeriodIndex(["2011-04", None], freq="M"))


def test_an_index_of_periods_has_one_frequency_and_tells_how_many_make_a_year():
    for text, number in (("2011-W17", 52), ("2011-04", 12), ("2011-Q2", 4), ("2010/11", 1)):
        assert periods_per_year(period_index([text])) == number
    with pytest.raises(ValueError, match="period 2011Q2 is a quarter and 2011-04 a month; give one kind"):
        period_index(["2011-04", "2011-Q2"])
