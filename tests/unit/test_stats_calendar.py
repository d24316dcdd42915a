"""Working days against England's published bank holidays, counted by hand from a calendar."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.stats.calendar import calendar_days, working_days


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


@pytest.mark.parametrize("month", ["Aprl", 4, None])
def test_a_month_that_cannot_be_read_is_named(month):
    with pytest.raises(ValueError, match=f"{month!r} cannot be read"):
        working_days([month])
