"""Periods as published tables write them, and the weeks, months, quarters and years that series run in."""

import pandas as pd
import pytest

from cbs_analysis.periods import FREQUENCIES, Period, parse_period, step_starts

WEEK, MONTH, QUARTER, YEAR = (FREQUENCIES[name] for name in ("week", "month", "quarter", "year"))


def dates(*texts: str) -> list[pd.Timestamp]:
    return [pd.Timestamp(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "first", "last", "year", "span"),
    [
        ("2010/11", "2010-04", "2011-03", 2010, "April 2010 to March 2011"),
        ("1999/00", "1999-04", "2000-03", 1999, "April 1999 to March 2000"),
        ("2010", "2010-01", "2010-12", 2010, "January 2010 to December 2010"),
        ("mid-2010", "2010-01", "2010-12", 2010, "January 2010 to December 2010"),
        ("2008-2010", "2008-01", "2010-12", 2008, "January 2008 to December 2010"),
        ("2010-2010", "2010-01", "2010-12", 2010, "January 2010 to December 2010"),
        ("2010-Q1", "2010-01", "2010-03", 2010, "January 2010 to March 2010"),
        ("2010-Q3", "2010-07", "2010-09", 2010, "July 2010 to September 2010"),
        ("2010-Q4", "2010-10", "2010-12", 2010, "October 2010 to December 2010"),
        ("2010-04", "2010-04", "2010-04", 2010, "April 2010"),
        ("2010-12", "2010-12", "2010-12", 2010, "December 2010"),
    ],
)
def test_each_form_has_its_months(text: str, first: str, last: str, year: int, span: str) -> None:
    period = parse_period(text)
    assert [period.start, period.end] == dates(first, last)
    assert (period.year, period.span) == (year, span)
    assert str(period) == period.label == text


@pytest.mark.parametrize(
    ("starts", "first", "last"),
    [(1, "2010-01", "2010-12"), (7, "2010-07", "2011-06"), (10, "2010-10", "2011-09"), (12, "2010-12", "2011-11")],
)
def test_a_financial_year_starts_in_the_month_that_the_edition_says(starts: int, first: str, last: str) -> None:
    period = parse_period("2010/11", starts)
    assert [period.start, period.end] == dates(first, last)
    assert len(period.steps(MONTH)) == 12


def test_the_start_of_a_financial_year_moves_no_other_period() -> None:
    for text in ("2010", "mid-2010", "2008-2010", "2010-Q3", "2010-04"):
        assert parse_period(text, 7) == parse_period(text)


@pytest.mark.parametrize(
    "text",
    [
        "Index of Multiple Deprivation 2010",
        "2010-13",
        "2010-00",
        "2010-Q5",
        "10/11",
        "soon",
        "2010/2011",
        "mid-2010-2012",
    ],
)
def test_anything_else_is_a_label_without_dates(text: str) -> None:
    period = parse_period(text)
    assert period == Period(text)
    assert period.span == text
    for use in (lambda: period.year, lambda: period.steps(MONTH), period.earlier):
        with pytest.raises(ValueError, match=r"is a label: it has no dates"):
            use()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2010/12", "a financial year is two consecutive years, such as 2010/11"),
        ("2010/10", "a financial year is two consecutive years, such as 2010/11"),
        ("1999/01", "a financial year is two consecutive years, such as 1999/00"),
        ("2010-2008", "the years 2010-2008 run backwards"),
    ],
)
def test_years_that_do_not_follow_each_other_are_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_period(text)


@pytest.mark.parametrize(
    ("text", "years", "before"),
    [
        ("2010/11", 1, "2009/10"),
        ("2000/01", 1, "1999/00"),
        ("2010/11", 11, "1999/00"),
        ("2010", 2, "2008"),
        ("mid-2010", 9, "mid-2001"),
        ("2008-2010", 3, "2005-2007"),
        ("2010-Q3", 1, "2009-Q3"),
        ("2012-02", 1, "2011-02"),
    ],
)
def test_an_earlier_period_is_of_the_same_kind_and_length(text: str, years: int, before: str) -> None:
    assert parse_period(text).earlier(years) == parse_period(before)


def test_an_earlier_financial_year_starts_in_the_same_month() -> None:
    assert parse_period("2010/11", 7).earlier() == parse_period("2009/10", 7)


def test_steps_are_those_that_begin_within_the_period() -> None:
    year = parse_period("2010/11")
    assert list(year.steps(MONTH))[:2] + list(year.steps(MONTH))[-1:] == dates("2010-04-01", "2010-05-01", "2011-03-01")
    assert list(year.steps(QUARTER)) == dates("2010-04-01", "2010-07-01", "2010-10-01", "2011-01-01")
    weeks = year.steps(WEEK)
    assert [weeks[0], weeks[-1], len(weeks)] == [*dates("2010-04-05", "2011-03-28"), 52]
    assert set(weeks.weekday) == {0}
    assert list(parse_period("2008-2010").steps(YEAR)) == dates("2008-01-01", "2009-01-01", "2010-01-01")
    assert list(parse_period("2010-Q3").steps(QUARTER)) == dates("2010-07-01")
    assert list(parse_period("2010-04").steps(MONTH)) == dates("2010-04-01")
    assert len(parse_period("2010-04").steps(QUARTER)) == 1
    assert len(parse_period("2010-05").steps(QUARTER)) == 0, "no quarter begins in May"


def test_a_last_month_belongs_whole_to_its_period() -> None:
    assert parse_period("2010-05").steps(WEEK)[-1] == pd.Timestamp("2010-05-31")


@pytest.mark.parametrize(
    ("name", "start", "label", "short", "after"),
    [
        ("week", "2010-04-05", "week of 5 April 2010", "week of 5 April 2010", "2010-04-12"),
        ("month", "2010-04-01", "April 2010", "Apr 2010", "2010-05-01"),
        ("quarter", "2010-10-01", "October to December 2010", "October to December 2010", "2011-01-01"),
        ("year", "2010-01-01", "2010", "2010", "2011-01-01"),
    ],
)
def test_a_step_has_words_and_one_after_it(name: str, start: str, label: str, short: str, after: str) -> None:
    frequency, begins = FREQUENCIES[name], pd.Timestamp(start)
    assert frequency.label(begins) == label
    assert frequency.short_label(begins) == short
    assert frequency.after(begins) == pd.Timestamp(after)


@pytest.mark.parametrize(
    ("frequency", "first", "last", "words"),
    [
        (WEEK, "2010-04-05", "2010-04-19", "week of 5 April 2010 to week of 19 April 2010"),
        (WEEK, "2010-04-05", "2010-04-05", "week of 5 April 2010"),
        (MONTH, "2010-04-01", "2011-03-01", "April 2010 to March 2011"),
        (MONTH, "2010-04-01", "2010-04-01", "April 2010"),
        (QUARTER, "2010-01-01", "2010-07-01", "January to September 2010"),
        (QUARTER, "2010-04-01", "2011-01-01", "April 2010 to March 2011"),
        (QUARTER, "2010-04-01", "2010-04-01", "April to June 2010"),
        (YEAR, "2008-01-01", "2010-01-01", "2008 to 2010"),
    ],
)
def test_a_span_of_steps_goes_from_the_first_to_the_end_of_the_last(frequency, first, last, words) -> None:
    assert frequency.span(pd.DatetimeIndex(dates(last, first))) == words


def test_a_frequency_knows_how_many_steps_make_a_year() -> None:
    assert {name: each.per_year for name, each in FREQUENCIES.items()} == {
        "week": 52, "month": 12, "quarter": 4, "year": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "values", "starts"),
    [
        ("month", ["2010-04", "2010-05"], ["2010-04-01", "2010-05-01"]),
        ("month", ["2010-04-30", "2010-05-01"], ["2010-04-01", "2010-05-01"]),
        ("quarter", ["2010-Q2", "2010-Q1"], ["2010-04-01", "2010-01-01"]),
        ("quarter", ["2010-05-17"], ["2010-04-01"]),
        ("year", [2010, 2011], ["2010-01-01", "2011-01-01"]),
        ("year", ["2010/11", "2011/12"], ["2010-04-01", "2011-04-01"]),
        ("year", ["mid-2010", "2008-2010"], ["2010-01-01", "2008-01-01"]),
        ("year", ["2010-12-31"], ["2010-01-01"]),
        ("week", ["2010-04-05", "2010-04-11", "2010-04-12"], ["2010-04-05", "2010-04-05", "2010-04-12"]),
    ],
)
def test_a_tables_own_spelling_names_the_step_that_it_lies_in(
    name: str, values: list[object], starts: list[str]
) -> None:
    found = step_starts(pd.Series(values, index=range(10, 10 + len(values))), FREQUENCIES[name])
    assert list(found) == dates(*starts)
    assert list(found.index) == list(range(10, 10 + len(values))), "rows keep their places"


def test_dates_are_taken_as_they_are_and_financial_years_start_where_the_edition_says() -> None:
    given = pd.Series(dates("2010-04-01", "2010-05-01"))
    assert step_starts(given, MONTH).equals(given)
    assert list(step_starts(pd.Series(["2010/11"]), YEAR, 7)) == dates("2010-07-01")


@pytest.mark.parametrize(("name", "value"), [("month", "April"), ("quarter", "2010-Q5"), ("year", "last year")])
def test_a_value_that_names_no_step_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"'{value}' is not a {name}"):
        step_starts(pd.Series([value]), FREQUENCIES[name])


@pytest.mark.parametrize(
    ("name", "value"), [("month", "2010-Q2"), ("month", "2010"), ("quarter", "2010-04"), ("week", "2010-04"),
                        ("week", "2010"), ("year", "2010-04")]
)  # fmt: skip
def test_a_step_of_another_length_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"'{value}' is not a {name}"):
        step_starts(pd.Series([value]), FREQUENCIES[name])


@pytest.mark.parametrize("value", ["2010-02-30", "2010-13-01"])
def test_a_date_that_is_not_one_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=f"'{value}' is not a month"):
        step_starts(pd.Series([value]), MONTH)
