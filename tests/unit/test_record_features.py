"""Features of records: hand-made spells, and what each is by the definitions in words."""

import datetime

import ibis
import pandas as pd
import pytest

from cbs_analysis.records import case_mix

DAY = datetime.date


def _spell(key: str, person: str | None, admitted: str, discharged: str, method: str = "21", **more: object) -> dict:
    return {
        "cds_unique_identifier": key,
        "person_pseudonym": person,
        "commissioner_code": "5LE",
        "gp_practice_code": "X00001",
        "lsoa_code": "E01000001",
        "provider_code": "RJZ",
        "age_at_admission": 70,
        "person_gender_code": "1",
        "admission_date": DAY.fromisoformat(admitted),
        "admission_method_code": method,
        "discharge_date": DAY.fromisoformat(discharged),
        "discharge_method_code": "1",
        "patient_classification_code": "1",
        "treatment_function_code": "320",
        "hrg_code": "EB01Z",
        "month": discharged[:7],
        "price_gbp": 100.0,
        **more,
    }


def _spells(*rows: dict) -> pd.DataFrame:
    lsoas = ibis.memtable(pd.DataFrame({"lsoa_code": ["E01000001"], "deprivation_fifth": ["2"]}))
    return case_mix.spells(ibis.memtable(pd.DataFrame(list(rows))), lsoas)


@pytest.mark.parametrize(
    ("month", "year"), [("2010-04", "2010/11"), ("2011-03", "2010/11"), ("2009-12", "2009/10"), ("2000-01", "1999/00")]
)
def test_a_financial_year_begins_in_april(month: str, year: str) -> None:
    found = _spells(_spell("1", "p", f"{month}-01", f"{month}-02")).execute()
    assert found["financial_year"].tolist() == [year]


@pytest.mark.parametrize(
    ("age", "band"), [(0, "0-4"), (4, "0-4"), (5, "5-18"), (18, "5-18"), (19, "19-44"), (85, "85+"), (120, "85+")]
)
def test_age_bands_begin_where_they_say(age: int, band: str) -> None:
    found = _spells(_spell("1", "p", "2010-04-01", "2010-04-02", age_at_admission=age)).execute()
    assert found["age_band"].tolist() == [band]


@pytest.mark.parametrize("age", [-1, 121])
def test_an_impossible_age_has_no_band(age: int) -> None:
    assert (
        _spells(_spell("1", "p", "2010-04-01", "2010-04-02", age_at_admission=age)).execute()["age_band"].isna().all()
    )


def test_kinds_of_admission_are_those_of_the_return() -> None:
    found = _spells(
        _spell("1", "a", "2010-04-01", "2010-04-01", "11", patient_classification_code="2"),
        _spell("2", "b", "2010-04-01", "2010-04-03", "12"),
        _spell("3", "c", "2010-04-01", "2010-04-03", "31"),
        _spell("4", "d", "2010-04-01", "2010-04-03", None),
    ).execute()
    kinds = dict(zip(found["cds_unique_identifier"], found["kind"], strict=True))
    assert kinds == {"1": "day case", "2": "elective ordinary", "3": "non-elective", "4": None}


def test_a_readmission_is_an_emergency_within_thirty_days_by_any_provider() -> None:
    found = case_mix.with_readmission(
        _spells(
            _spell("1", "a", "2010-04-01", "2010-04-05"),
            _spell("2", "a", "2010-05-05", "2010-05-06", provider_code="RJ1"),  # day 30
            _spell("3", "b", "2010-04-01", "2010-04-05"),
            _spell("4", "b", "2010-05-06", "2010-05-07"),  # day 31
            _spell("5", "c", "2010-04-01", "2010-04-05"),
            _spell("6", "c", "2010-04-07", "2010-04-08", "11"),  # planned
            _spell("7", "c", "2010-04-20", "2010-04-22"),  # after the planned one, within 30 days of both
            _spell("8", None, "2010-04-01", "2010-04-05"),
            _spell("9", None, "2010-04-06", "2010-04-07"),
        )
    ).execute()
    again = dict(zip(found["cds_unique_identifier"], found["is_readmitted"], strict=True))
    assert {key for key, value in again.items() if value is True or value == 1} == {"1", "5", "6"}
    assert pd.isna(again["8"]) and pd.isna(again["9"])


def test_cells_count_stays_day_cases_and_readmissions_apart() -> None:
    spells = _spells(
        _spell("1", "a", "2010-04-01", "2010-04-05"),
        _spell("2", "a", "2010-04-20", "2010-04-22"),
        _spell("3", "b", "2010-04-02", "2010-04-02", "11", patient_classification_code="2"),
        _spell("4", "c", "2010-04-02", "2010-04-09", "11"),
        _spell("5", "d", "2010-04-02", "2010-04-09", "11", discharge_method_code="4"),
        _spell("6", "e", "2010-04-02", "2010-04-03", person_gender_code="9"),
    )
    found = case_mix.spell_cells(spells, DAY(2010, 12, 31)).set_index("case_mix")
    emergency, elective = found.loc["EB emergency"], found.loc["EB elective"]
    assert (emergency["spells"], emergency["nights"], emergency["nights_squared"]) == (2, 6, 20)
    assert (emergency["judged"], emergency["readmitted"]) == (2, 1)
    assert (elective["spells"], elective["electives"], elective["day_cases"]) == (2, 3, 1)
    assert elective["judged"] == 1, "who died is not judged"


def test_flows_count_spells_nights_and_prices_by_who_pays_and_who_treats() -> None:
    spells = _spells(
        _spell("1", "a", "2010-04-01", "2010-04-05"),
        _spell("2", "b", "2010-04-01", "2010-04-03"),
        _spell("3", "c", "2010-04-02", "2010-04-02", provider_code="RJ1"),
    )
    found = case_mix.spell_flows(spells).execute().set_index("provider_code")
    assert found.loc["RJZ", ["spells", "bed_days", "price_gbp"]].tolist() == [2, 6, 200.0]
    assert found.loc["RJ1", ["spells", "bed_days", "price_gbp"]].tolist() == [1, 0, 100.0]
