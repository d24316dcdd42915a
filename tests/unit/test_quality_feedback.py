"""What trusts are told: rates beside the others', the dearest examples, and a letter that a spreadsheet opens."""

import ibis
import numpy as np
import openpyxl
import pandas as pd
import pandas_rules
import pytest
from test_quality_rules import stored

from cbs_analysis.errors import UserError
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.stats.intervals import proportion_interval
from cbs_analysis.warehouse.checking_records import COUNT_COLUMNS, Checked, _no_failures, check_records
from cbs_analysis.warehouse.completeness import financial_years
from cbs_analysis.warehouse.feedback import feedback, trend, worst_examples
from cbs_analysis.warehouse.query_letter import LABEL, write_query_letter
from cbs_analysis.warehouse.references import load_references
from cbs_analysis.warehouse.rules import KEY, load_rules

RULES = load_rules(params_dir())
HOSTILE = "=cmd|' /C calc'!A1"


@pytest.fixture(scope="module")
def records():
    references = load_references(data_dir(), pandas_rules.practices())
    frame = pandas_rules.random_records("apc", 4000, 11, references)
    frame.loc[frame.index[:50], "primary_diagnosis_icd10"] = HOSTILE
    return frame, references


@pytest.fixture(scope="module")
def checked(records):
    frame, references = records
    return check_records({"apc": stored(ibis.duckdb.connect(threads=1), "apc", frame)}, references, RULES)


def test_feedback_gives_count_rate_limits_and_the_rate_of_the_others(checked, records):
    frame, _ = records
    table = feedback(checked, RULES)
    row = table[(table["rule"] == "apc_hrg_missing") & (table["code"] == "RJ1")].iloc[0]
    missing, own = frame["hrg_code"].isin([None, ""]), frame["provider_code"] == "RJ1"
    assert (row["failed"], row["records"]) == ((missing & own).sum(), own.sum())
    assert row["rate_per_1000"] == pytest.approx(1000 * (missing & own).sum() / own.sum())
    assert row["others_per_1000"] == pytest.approx(1000 * (missing & ~own).sum() / (~own).sum())
    lower, upper = proportion_interval((missing & own).sum(), own.sum())
    assert (row["lower_per_1000"], row["upper_per_1000"]) == pytest.approx((1000 * lower, 1000 * upper))


def test_feedback_says_who_is_far_above_the_others_and_not_who_is_a_little():
    codes = [f"R{place:02d}" for place in range(20)]
    failed = np.array([50 + place % 7 for place in range(19)] + [400])
    counts = pd.DataFrame(
        {"feed": "apc", "rule": "apc_hrg_missing", "provider_code": codes, "commissioner_code": "5A4",
         "month": "2009-04", "records": 10_000, "failed": failed, "value_gbp": 0.0}
    )[list(COUNT_COLUMNS)]  # fmt: skip
    table = feedback(Checked(_no_failures(), counts, pd.DataFrame(), pd.DataFrame()), RULES)
    assert table["standing"].tolist() == ["like others"] * 19 + ["higher"]
    alone = feedback(Checked(_no_failures(), counts.head(2), pd.DataFrame(), pd.DataFrame()), RULES)
    assert alone["standing"].tolist() == ["not judged"] * 2


def test_feedback_is_given_to_commissioners_too(checked, records):
    frame, _ = records
    table = feedback(checked, RULES, by="commissioner_code")
    row = table[(table["rule"] == "apc_lsoa_missing") & (table["code"] == "XXX")].iloc[0]
    assert row["records"] == (frame["commissioner_code"] == "XXX").sum()


def test_the_trend_has_a_row_a_financial_year(checked, records):
    frame, _ = records
    table = trend(checked)
    own = table[(table["rule"] == "apc_hrg_missing") & (table["code"] == "RJ7")]
    ends = frame.loc[frame["provider_code"] == "RJ7", "discharge_date"].dt.to_period("Y-MAR").dt.year
    expected = ends.map(lambda year: f"{year - 1}/{year % 100:02d}").value_counts().sort_index()
    assert dict(zip(own["financial_year"], own["records"], strict=True)) == expected.to_dict()
    assert financial_years(pd.Series(["2009-03", "2009-04", "2010-01", ""])).tolist() == [
        "2008/09",
        "2009/10",
        "2009/10",
        "",
    ]


def test_the_worst_examples_are_the_dearest_of_each_rule(checked):
    table = worst_examples(checked, "RJ1", 3)
    assert table.groupby("rule").size().max() == 3
    every = checked.failures.to_pandas().query("provider_code == 'RJ1' and rule == 'apc_lsoa_missing'")
    dearest = every["price_gbp"].sort_values(ascending=False).head(3).tolist()
    assert table.loc[table["rule"] == "apc_lsoa_missing", "price_gbp"].tolist() == dearest


@pytest.fixture(scope="module")
def letter(checked, tmp_path_factory):
    path = tmp_path_factory.mktemp("letters") / "RJ1.xlsx"
    write_query_letter(path, checked, RULES, "RJ1", "Guy's and St Thomas'", is_synthetic=True)
    return path


def cells(sheet):
    return [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]


def test_a_letter_lists_every_failing_record_of_the_trust_with_its_rule_and_what_would_be_right(letter, checked):
    book = openpyxl.load_workbook(letter)
    assert book.sheetnames == ["Letter", "Rules", "Records to correct"]
    rows = list(book["Records to correct"].iter_rows(values_only=True))
    heads = next(row for row in rows if row[0] == "Feed")
    listed = pd.DataFrame(rows[rows.index(heads) + 1 :], columns=heads)
    own = checked.failures.to_pandas().query("provider_code == 'RJ1'")
    pairs = {*zip(own["rule"], own[KEY], strict=True)}
    assert len(listed) == len(own)
    assert {*zip(listed["Rule id"], listed["Record key"], strict=True)} == pairs
    assert listed.loc[listed["Rule id"] == "apc_hrg_missing", "Value found"].eq("hrg_code empty").all()
    assert listed["What would be right"].notna().all()


def test_every_sheet_of_a_letter_of_synthetic_records_says_so_and_one_of_real_records_does_not(
    letter, checked, tmp_path
):
    assert all(sheet["A1"].value == LABEL for sheet in openpyxl.load_workbook(letter))
    real = tmp_path / "real.xlsx"
    write_query_letter(real, checked, RULES, "RJ1", "Guy's and St Thomas'", is_synthetic=False)
    assert not any("SYNTHETIC" in str(cell.value) for sheet in openpyxl.load_workbook(real) for cell in cells(sheet))


def test_no_cell_of_a_letter_is_a_formula_whatever_stands_in_a_record(letter):
    found = [cell for sheet in openpyxl.load_workbook(letter) for cell in cells(sheet)]
    assert any(HOSTILE in str(cell.value) for cell in found)
    assert not [cell for cell in found if cell.data_type == "f"]


def test_the_same_records_give_the_same_letter_byte_for_byte(letter, checked, tmp_path):
    again = tmp_path / "again.xlsx"
    write_query_letter(again, checked, RULES, "RJ1", "Guy's and St Thomas'", is_synthetic=True)
    assert again.read_bytes() == letter.read_bytes()


def test_a_letter_too_long_to_correct_by_hand_lists_some_of_every_rule(checked, tmp_path, monkeypatch):
    monkeypatch.setattr("cbs_analysis.warehouse.query_letter.MOST_RECORDS", 100)
    path = tmp_path / "short.xlsx"
    write_query_letter(path, checked, RULES, "RJ1", "Guy's", is_synthetic=False)
    rows = list(openpyxl.load_workbook(path)["Records to correct"].iter_rows(values_only=True))
    own = checked.failures.to_pandas().query("provider_code == 'RJ1'")
    assert rows[0][0].startswith(f"100 of {len(own):,} are listed")
    assert {row[-1] for row in rows[2:]} == set(own["rule"])


def test_a_letter_to_a_trust_that_sent_nothing_is_refused(checked, tmp_path):
    with pytest.raises(UserError, match="no record is of 'RJ11'; nearest: RJ1"):
        write_query_letter(tmp_path / "x.xlsx", checked, RULES, "RJ11", "Nobody", is_synthetic=True)
    assert not (tmp_path / "x.xlsx").exists()
