"""Series of made-up homes by week, quarter and year: counts, totals, gaps, words; two geographies in one edition."""

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.chapters import Pack, open_pack, outlook, planned_care
from cbs_analysis.edition import load_edition
from cbs_analysis.errors import UserError
from cbs_analysis.pack.series import STEP, counts, days_of, every_leaf, of_area, period_totals, series, series_totals
from cbs_analysis.periods import FREQUENCIES, Frequency, parse_period
from cbs_analysis.starter import write_home
from cbs_analysis.tables import check_tables

DISTRICTS = [f"E0900000{number}" for number in range(1, 7)]
NORTH, SOUTH = DISTRICTS[:3], DISTRICTS[3:]
QUARTERS = [f"{year}-Q{quarter}" for year in range(2021, 2025) for quarter in range(1, 5)]
MakeHome = Callable[..., Path]


def count(place: int, step: int) -> int:
    """A made-up count of a district in a step: larger districts, a season of four steps, no chance."""
    return 400 * (place + 2) + 40 * (step % 4) + (7 * step + 13 * place) % 11


def write_rows(path: Path, rows: Iterable[dict[str, object]]) -> None:
    table = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def read_rows(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def replace_activity(home: Path, column: str, frequency: str, kind: str, steps: list[str], without: Iterable[str] = ()):
    """The example's activity in other steps: a row a district and step, less those in `without`, as 'step code'."""
    path = home / "data" / "published" / "activity.csv"
    measures = [name for name in read_rows(path)[0] if name not in ("month", "area_code")]
    gone = set(without)
    write_rows(
        path,
        (
            {column: step, "area_code": code, **dict.fromkeys(measures, count(place, number))}
            for number, step in enumerate(steps)
            for place, code in enumerate(DISTRICTS)
            if f"{step} {code}" not in gone
        ),
    )
    description = home / "data" / "datapackage.json"
    package = json.loads(description.read_text(encoding="utf-8"))
    [table] = [each for each in package["resources"] if each["name"] == "activity"]
    [time] = [field for field in table["schema"]["fields"] if field.get("frequency")]
    old = time["name"]
    time |= {"name": column, "type": kind, "frequency": frequency, "example": steps[0]}
    table["schema"]["primaryKey"] = [column if name == old else name for name in table["schema"]["primaryKey"]]
    description.write_text(json.dumps(package), encoding="utf-8")


def set_periods(home: Path, **periods: str) -> None:
    path = home / "params" / "editions" / "first.yml"
    text = path.read_text(encoding="utf-8")
    for name, period in periods.items():
        [line] = [each for each in text.splitlines() if each.startswith(f"  {name}: ")]
        text = text.replace(f"{line}\n", f"  {name}: {period}\n")
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeHome:
    def make(*activity: object, without: Iterable[str] = (), **periods: str) -> Path:
        home = tmp_path / "home"
        write_home(home, with_example=True)
        if activity:
            replace_activity(home, *activity, without=without)
        set_periods(home, **periods)
        monkeypatch.setenv("CBS_HOME", str(home))
        return home

    return make


def quarterly(make_home: MakeHome, *without: str) -> Path:
    return make_home("quarter", "quarter", "string", QUARTERS, without=without, activity="2024", outlook="2025")


def pack(code: str = "MERIDIAN") -> Pack:
    return open_pack(code, "first")


def test_a_quarterly_table_passes_its_checks_and_is_counted_by_quarter(make_home: MakeHome) -> None:
    home = quarterly(make_home)
    assert [result for result in check_tables(home / "data") if result.status == "failed"] == []
    chosen = series(pack(), "gp_referrals")
    assert chosen.frequency.name == "quarter"
    frame = counts(pack(), "activity")
    assert list(frame[STEP].unique()) == list(pd.date_range("2021-01-01", "2024-10-01", freq="QS"))
    assert of_area(pack(), chosen, "E09000002").tolist() == [count(1, step) for step in range(16)]
    north = [sum(count(place, step) for place in range(3)) for step in range(16)]
    assert of_area(pack(), chosen, "NORTH").tolist() == north


@pytest.mark.parametrize(
    ("frequency", "starts", "calendar", "working"),
    [
        (FREQUENCIES["week"], ["2024-05-06", "2024-05-13"], [7, 7], [4, 5]),
        (FREQUENCIES["month"], ["2024-02-01", "2024-05-01"], [29, 31], [21, 21]),
        (FREQUENCIES["quarter"], ["2024-01-01", "2024-04-01"], [91, 91], [63, 62]),
        (FREQUENCIES["year"], ["2023-01-01", "2024-01-01"], [365, 366], [251, 254]),
        (FREQUENCIES["year"].starting(4), ["2022-04-01", "2023-04-01"], [365, 366], [251, 250]),
    ],
    ids=["week", "month", "quarter", "year", "financial year"],
)
def test_days_of_a_step_are_those_from_its_first_to_its_last(
    frequency: Frequency, starts: list[str], calendar: list[int], working: list[int]
) -> None:
    """Working days are counted by hand: weekdays less England's bank holidays."""
    index = pd.DatetimeIndex(starts)
    assert days_of(frequency, "calendar day", index).tolist() == calendar
    assert days_of(frequency, "working day", index).tolist() == working


def test_a_periods_total_is_that_of_its_four_quarters(make_home: MakeHome) -> None:
    quarterly(make_home)
    chosen = series(pack(), "elective_admissions")
    total = series_totals(pack(), chosen, parse_period("2024"))
    assert total["E09000001"] == 2 * sum(count(0, step) for step in range(12, 16))
    assert total["MERIDIAN"] == 2 * sum(count(place, step) for place in range(6) for step in range(12, 16))
    one = period_totals(pack(), "activity", parse_period("2024-Q2"))
    assert one.loc["E09000001", "gp_referrals"] == count(0, 13)
    financial = series_totals(pack(), chosen, parse_period("2023/24"))
    assert financial["E09000001"] == 2 * sum(count(0, step) for step in range(9, 13))


def test_a_missing_quarter_is_a_gap_in_every_area_that_holds_it(make_home: MakeHome) -> None:
    quarterly(make_home, "2024-Q2 E09000002")
    chosen, gap = series(pack(), "gp_referrals"), pd.Timestamp("2024-04-01")
    for code in ("E09000002", "NORTH", "MERIDIAN"):
        values = of_area(pack(), chosen, code)
        assert np.isnan(values[gap])
        assert values.notna().sum() == 15
        assert np.isnan(series_totals(pack(), chosen, parse_period("2024"))[code])
        assert series_totals(pack(), chosen, parse_period("2023"))[code] > 0
    assert of_area(pack(), chosen, "SOUTH").notna().all()
    caveats = " ".join(planned_care.activity(pack("E09000002"), "gp_referrals").caveats)
    assert "Missing, shown as a gap and not filled in: April to June 2024." in caveats


def test_a_quarter_that_no_area_has_is_a_row_of_gaps(make_home: MakeHome) -> None:
    quarterly(make_home, *(f"2022-Q3 {code}" for code in DISTRICTS))
    values = of_area(pack(), series(pack(), "gp_referrals"), "E09000005")
    assert values.index[values.isna()].tolist() == [pd.Timestamp("2022-07-01")]


@pytest.mark.parametrize("code", ["E09000002", "NORTH", "MERIDIAN"])
def test_the_rate_and_process_chart_of_a_quarterly_series_speak_of_quarters(make_home: MakeHome, code: str) -> None:
    quarterly(make_home)
    finding = planned_care.activity(pack(code), "gp_referrals")
    assert finding.value is not None
    assert finding.numerator == of_area(pack(), series(pack(), "gp_referrals"), code).tail(4).sum()
    assert finding.table is not None and finding.chart is not None
    assert finding.table.frame["month"].tolist()[-1] == "October to December 2024"
    assert finding.table.columns["month"].title == "Quarter"
    specification = json.dumps(finding.chart.specification)
    words = " ".join([finding.statement, finding.table.title, finding.chart.description, *finding.caveats])
    assert "quarter" in finding.statement and "quarter" in specification
    assert "month" not in words.casefold()
    texts = {text.casefold() for text in texts_in(finding.chart.specification)}
    assert not [text for text in texts if "month" in text and text not in ("month", "month:t")]


def test_too_few_quarters_for_limits_are_called_quarters(make_home: MakeHome) -> None:
    make_home("quarter", "quarter", "string", QUARTERS[-8:], activity="2024")
    finding = planned_care.activity(pack("E09000002"), "gp_referrals")
    assert "Where fewer than 12 quarters were recorded alike, no process limits are drawn." in finding.caveats
    assert "Too few quarters were recorded alike to say which stand out." in finding.statement


def texts_in(node: object) -> Iterable[str]:
    """Every text in a specification but names of fields, which nobody reads."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key not in ("field", "groupby", "sort", "as", "expr", "calculate", "signal", "name", "$schema"):
                yield from texts_in(child)
    elif isinstance(node, list):
        for child in node:
            yield from texts_in(child)
    elif isinstance(node, str):
        yield node


def test_a_quarterly_forecast_is_of_four_quarters_and_says_so(make_home: MakeHome) -> None:
    quarterly(make_home)
    finding = outlook.forecast(pack("E09000002"), "gp_referrals")
    assert finding.value is not None and finding.table is not None
    assert finding.table.frame["month"].tolist() == ["January to March 2025", "April to June 2025",
                                                     "July to September 2025", "October to December 2025"]  # fmt: skip
    assert finding.value == pytest.approx(finding.table.frame["value"].sum(), rel=1e-9)
    assert 0.8 < finding.value / sum(count(1, step) for step in range(12, 16)) < 1.2


def test_a_yearly_table_is_counted_by_calendar_year(make_home: MakeHome) -> None:
    years = [str(year) for year in range(2015, 2025)]
    make_home("year", "year", "integer", years, activity="2024", outlook="2025")
    chosen = series(pack(), "gp_referrals")
    assert of_area(pack(), chosen, "E09000003").tolist() == [count(2, step) for step in range(10)]
    assert series_totals(pack(), chosen, parse_period("2024"))["E09000003"] == count(2, 9)
    finding = planned_care.activity(pack("E09000003"), "gp_referrals")
    assert finding.numerator == count(2, 9)
    assert "month" not in finding.statement


def test_a_yearly_table_of_financial_years_starts_where_they_do(make_home: MakeHome) -> None:
    years = [f"{year}/{(year + 1) % 100:02d}" for year in range(2015, 2025)]
    make_home("financial_year", "year", "string", years, activity="2024/25")
    chosen = series(pack(), "gp_referrals")
    values = of_area(pack(), chosen, "E09000003")
    assert values.tolist() == [count(2, step) for step in range(10)]
    assert values.index[-1] == pd.Timestamp("2024-04-01")
    assert chosen.frequency.label(values.index[-1]) == "2024/25"
    assert series_totals(pack(), chosen, parse_period("2024/25"))["E09000003"] == count(2, 9)
    finding = planned_care.activity(pack("E09000003"), "gp_referrals")
    assert finding.numerator == count(2, 9) and finding.chart is not None


def test_a_weekly_table_by_date_is_counted_by_week(make_home: MakeHome) -> None:
    weeks = [f"{day:%Y-%m-%d}" for day in pd.date_range("2022-01-03", "2024-12-30", freq="W-MON")]
    make_home("week_beginning", "week", "string", weeks, without=["2024-07-01 E09000001"], activity="2024")
    chosen = series(pack(), "gp_referrals")
    values = of_area(pack(), chosen, "E09000004")
    assert values.tolist() == [count(3, step) for step in range(len(weeks))]
    assert set(values.index.weekday) == {0}
    assert len(parse_period("2024").steps(chosen.frequency)) == 53
    assert np.isnan(series_totals(pack(), chosen, parse_period("2024"))["E09000001"])
    expected = [count(3, step) for step, week in enumerate(weeks) if week.startswith("2024")]
    assert series_totals(pack(), chosen, parse_period("2024"))["E09000004"] == sum(expected)
    caveats = " ".join(planned_care.activity(pack("E09000001"), "gp_referrals").caveats)
    assert "week of 1 July 2024" in caveats


def test_a_step_that_is_not_one_names_file_column_and_value(make_home: MakeHome) -> None:
    make_home("quarter", "quarter", "string", [*QUARTERS, "2025-05"], activity="2024")
    with pytest.raises(UserError) as caught:
        counts(pack(), "activity")
    assert str(caught.value) == "data/published/activity.csv: quarter: '2025-05' is not a quarter"


def test_a_series_of_no_name_is_refused_with_the_nearest(make_home: MakeHome) -> None:
    make_home()
    with pytest.raises(UserError, match=r"params/series.yml: no series 'gp_referal'; nearest: gp_referrals"):
        series(pack(), "gp_referal")


def add_trusts(home: Path) -> None:
    """A second geography, of two trusts with codes of their own, that each own half of the activity."""
    reference = home / "data" / "reference"
    for name, rows in {
        "area_kinds": [{"kind": "trust", "name": "trust", "plural_name": "trusts"},
                       {"kind": "alliance", "name": "alliance", "plural_name": "alliances"}],
        "areas": [
            {"area_code": code, "area_name": title, "kind": kind, "organisation_name": "", "tile_column": "",
             "tile_row": ""}
            for code, title, kind in (("RA1", "Riverside", "trust"), ("RA2", "Hillside", "trust"),
                                      ("ALL", "Meridian hospitals", "alliance"))
        ],
        "geography_names": [
            {"geography": "trusts", "title": "Trusts", "year": 2024, "nation_code": "", "note": "Made up."}
        ],
        "geographies": [{"geography": "trusts", "area_code": "RA1", "level": "trust", "parent_code": "ALL"},
                        {"geography": "trusts", "area_code": "RA2", "level": "trust", "parent_code": "ALL"},
                        {"geography": "trusts", "area_code": "ALL", "level": "alliance", "parent_code": ""}],
    }.items():  # fmt: skip
        write_rows(reference / f"{name}.csv", [*read_rows(reference / f"{name}.csv"), *rows])
    activity = home / "data" / "published" / "activity.csv"
    table = read_rows(activity)
    own = [row | {"area_code": f"RA{1 + place}"} for row in table for place in range(2)
           if row["area_code"] == DISTRICTS[place]]  # fmt: skip
    write_rows(activity, [*table, *own])
    description = home / "data" / "datapackage.json"
    package = json.loads(description.read_text(encoding="utf-8"))
    for each in package["resources"]:
        for field in each["schema"]["fields"]:
            if each["name"] == "activity" and field.get("areaKinds"):
                field["areaKinds"] = [*field["areaKinds"], "trust"]
                field.get("constraints", {}).pop("pattern", None)
    description.write_text(json.dumps(package), encoding="utf-8")
    edition = home / "params" / "editions" / "first.yml"
    text = edition.read_text(encoding="utf-8").replace("geographies: [main]", "geographies: [main, trusts]")
    offered = "{name: outlook, geographies: [trusts], levels: [trust]}"
    edition.write_text(text.replace("  - outlook\n", f"  - {offered}\n"), encoding="utf-8")


def test_two_geographies_in_one_edition_have_their_own_areas_and_figures(make_home: MakeHome) -> None:
    home = make_home()
    add_trusts(home)
    assert [result for result in check_tables(home / "data") if result.status == "failed"] == []
    trust, district = pack("RA1"), pack("E09000001")
    assert (trust.geography.name, district.geography.name) == ("trusts", "main")
    assert [area.code for area in trust.peers] == ["RA1", "RA2"]
    assert [area.code for area in trust.comparators] == ["ALL"]
    assert trust.similar is None and district.similar is not None
    chosen = series(trust, "gp_referrals")
    assert set(every_leaf(trust, "activity")["area_code"]) == {"RA1", "RA2"}
    assert of_area(trust, chosen, "RA1").equals(of_area(district, chosen, "E09000001").rename("RA1"))
    both = of_area(district, chosen, "E09000001") + of_area(district, chosen, "E09000002")
    assert of_area(trust, chosen, "ALL").tolist() == both.tolist()
    assert set(every_leaf(district, "activity")["area_code"]) == set(DISTRICTS)


def test_a_chapter_is_offered_at_the_level_of_the_geography_that_it_names(make_home: MakeHome) -> None:
    home = make_home()
    add_trusts(home)
    edition = load_edition("first", home / "params")
    others = ("population_and_need", "planned_care", "emergency_care")
    assert edition.chapters_at("trusts", "trust") == (*others, "outlook")
    assert edition.chapters_at("trusts", "alliance") == others
    assert edition.chapters_at("main", "district") == others
    assert edition.chapters_at("main", "system") == others


def test_geographies_that_share_a_code_are_refused(make_home: MakeHome) -> None:
    home = make_home()
    add_trusts(home)
    path = home / "data" / "reference" / "geographies.csv"
    write_rows(path, [*read_rows(path), {"geography": "trusts", "area_code": "E09000001", "level": "trust",
                                         "parent_code": "ALL"}])  # fmt: skip
    with pytest.raises(UserError, match=r"geographies: 'E09000001' is in both main and trusts"):
        pack("RA1")
