"""What trusts and PCTs are told: rates beside the others', the dearest examples, and workbooks for a spreadsheet."""

from dataclasses import replace

import ibis
import numpy as np
import openpyxl
import pandas as pd
import pandas_rules
import pytest
from test_quality_rules import stored

from cbs_analysis.errors import UserError
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.records.derived_tables import OpenedStore
from cbs_analysis.records.feedback import feedback, trend, worst_examples
from cbs_analysis.records.letters import LABEL, letter_findings, write_letters, write_query_letter
from cbs_analysis.records.quality_checks import COUNT_COLUMNS, QualityResults, _no_failures, check_records
from cbs_analysis.records.quality_rules import KEY, load_rules
from cbs_analysis.records.quality_tables import financial_years
from cbs_analysis.records.reference_data import load_reference_data
from cbs_analysis.stats.intervals import proportion_interval

RULES = load_rules(params_dir())
HOSTILE = "=cmd|' /C calc'!A1"
ELSEWHERE = "../5A4"


@pytest.fixture(scope="module")
def records():
    references = load_reference_data(data_dir(), pandas_rules.practices())
    frame = pandas_rules.random_records("apc", 4000, 11, references)
    frame.loc[frame.index[:50], "primary_diagnosis_icd10"] = HOSTILE
    frame.loc[frame.index[50:150], "provider_code"] = "OUT"
    frame.loc[frame.index[150:200], "provider_code"] = HOSTILE
    frame.loc[frame.index[200:250], "commissioner_code"] = ELSEWHERE
    return frame, references


@pytest.fixture(scope="module")
def checked(records):
    frame, references = records
    found = check_records({"apc": stored(ibis.duckdb.connect(threads=1), "apc", frame)}, references, RULES)
    return replace(found, measures=measures())


def measures():
    """Elective spells of two years, 2,000 a month at each of three trusts, but for one month of one."""
    months = pd.period_range("2009-04", "2011-03", freq="M").strftime("%Y-%m")
    every = pd.DataFrame([(code, month) for code in ("RJ1", "RJ7", "RRV") for month in months])
    every.columns = ["provider_code", "month"]
    labels = {"feed": "apc", "rule": "apc_break", "measure": "elective_spells", "commissioner_code": "5A4"}
    gone = (every["provider_code"] == "RJ1") & (every["month"] == "2010-05")
    return every.assign(records=np.where(gone, 300, 2000), **labels)


def test_feedback_gives_count_rate_limits_and_the_rate_of_the_others(checked, records):
    frame, _ = records
    table = feedback(checked, RULES)
    row = table[(table["rule"] == "apc_hrg_missing") & (table["code"] == "RJ1")].iloc[0]
    missing, own = frame["hrg_code"].isin([None, ""]), frame["provider_code"] == "RJ1"
    assert (row["failed"], row["records"]) == ((missing & own).sum(), own.sum())
    assert row["rate_per_1000"] == pytest.approx(1000 * (missing & own).sum() / own.sum())
    assert row["others_per_1000"] == round(1000 * (missing & ~own).sum() / (~own).sum(), 1)
    lower, upper = proportion_interval((missing & own).sum(), own.sum())
    assert (row["lower_per_1000"], row["upper_per_1000"]) == pytest.approx((1000 * lower, 1000 * upper))


def test_the_rate_of_others_is_withheld_where_it_would_tell_how_few_of_their_records_fail(checked):
    def others(**failed):
        rows = [("apc", "apc_hrg_missing", code, "5A4", "2010-05", 100, fails, 0.0) for code, fails in failed.items()]
        return feedback(replace(checked, counts=pd.DataFrame(rows, columns=COUNT_COLUMNS)), RULES)["others_per_1000"]

    assert others(RJ1=0, RJ7=5, RRV=9).fillna(-1).tolist() == [70.0, 45.0, -1]
    assert others(RJ1=5, RJ7=0, RRV=0).fillna(-1).tolist() == [0.0, -1, -1]
    assert others(RJ1=50, RJ7=60).isna().all(), "beside one other alone its own rate would be told"


def test_feedback_says_who_is_far_above_the_others_and_not_who_is_a_little():
    codes = [f"R{place:02d}" for place in range(20)]
    failed = np.array([50 + place % 7 for place in range(19)] + [400])
    counts = pd.DataFrame(
        {"feed": "apc", "rule": "apc_hrg_missing", "provider_code": codes, "commissioner_code": "5A4",
         "month": "2009-04", "records": 10_000, "failed": failed, "value_gbp": 0.0}
    )[list(COUNT_COLUMNS)]  # fmt: skip
    table = feedback(QualityResults(_no_failures(), counts, pd.DataFrame(), pd.DataFrame()), RULES)
    assert table["standing"].tolist() == ["like others"] * 19 + ["higher"]
    alone = feedback(QualityResults(_no_failures(), counts.head(2), pd.DataFrame(), pd.DataFrame()), RULES)
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
def folder(checked, records, tmp_path_factory):
    path = tmp_path_factory.mktemp("letters")
    written = write_letters(checked, OpenedStore(None, {}, records[1], RULES), path / "letters", is_synthetic=True)
    assert written == (len(list(path.rglob("trusts/*.xlsx"))), len(list(path.rglob("pcts/*.xlsx"))))
    return path / "letters"


@pytest.fixture(scope="module")
def books(folder):
    return {path.relative_to(folder).as_posix(): openpyxl.load_workbook(path) for path in folder.rglob("*.xlsx")}


@pytest.fixture(scope="module")
def letter(books):
    return books["trusts/RJ1.xlsx"]


@pytest.fixture(scope="module")
def pct(records):
    return records[1].commissioners["commissioner_code"].iloc[0]


@pytest.fixture(scope="module")
def summary(books, pct):
    return books[f"pcts/{pct}.xlsx"]


@pytest.fixture(scope="module")
def of_trusts(checked, records):
    names = records[1].providers.set_index("provider_code")["provider_name"].drop("OUT")
    return letter_findings(checked, RULES, names, "provider_code")


def cells(book):
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


def text(sheet):
    return " ".join(str(row[0]) for row in sheet.iter_rows(values_only=True) if row[0])


def table(sheet):
    rows = list(sheet.iter_rows(values_only=True))
    heads = next(row for row in rows if row[0] == "Feed")
    return pd.DataFrame(rows[rows.index(heads) + 1 :], columns=heads)


def no_months():
    return pd.DataFrame(columns=["feed", "rule", "provider_code"], dtype=str)


def test_letters_go_to_known_trusts_in_london_and_known_pcts_and_to_nobody_else(folder, books, checked, records):
    assert {"OUT", HOSTILE, "RX9"} < set(checked.failures["provider_code"].to_pylist())
    assert {"XXX", "Q36", "", ELSEWHERE} < set(checked.failures["commissioner_code"].to_pylist())
    pcts = records[1].commissioners["commissioner_code"].head(3)
    expected = {"trusts/RJ1.xlsx", "trusts/RJ7.xlsx", "trusts/RRV.xlsx", *(f"pcts/{code}.xlsx" for code in pcts)}
    assert set(books) == expected
    assert {path.suffix for path in folder.parent.rglob("*") if path.is_file()} == {".xlsx"}


def test_a_letter_lists_every_failing_record_of_the_trust_with_its_rule_and_what_would_be_right(letter, checked):
    assert letter.sheetnames == ["Letter", "Rules", "By year", "Months to check", "Records to correct"]
    listed = table(letter["Records to correct"])
    own = checked.failures.to_pandas().query("provider_code == 'RJ1'")
    assert len(listed) == len(own)
    assert {*zip(listed["Rule id"], listed["Record key"], strict=True)} == {*zip(own["rule"], own[KEY], strict=True)}
    assert listed.loc[listed["Rule id"] == "apc_hrg_missing", "Value found"].eq("hrg_code empty").all()
    assert listed["What would be right"].notna().all()


@pytest.mark.parametrize("by", ["provider_code", "commissioner_code"])
def test_by_year_has_the_counts_and_rates_of_every_rule_that_failed_but_for_measures(by, letter, summary, pct, checked):
    book, code = (letter, "RJ1") if by == "provider_code" else (summary, pct)
    shown = table(book["By year"]).set_index("Rule id")
    counts = checked.counts.astype({"rule": str, "month": str})
    own = counts[(counts[by] == code) & ~counts["rule"].isin(["apc_late_submission", "apc_zero_day_emergency"])]
    years = own["month"].map(lambda month: "2009/10" if month <= "2010-03" else "2010/11")
    sums = own.groupby(["rule", years])[["records", "failed"]].sum().unstack("month", fill_value=0)
    sums = sums[sums["failed"].sum(axis=1) > 0]
    assert set(shown.index) == set(sums.index)
    for year in ("2009/10", "2010/11"):
        failed, records = sums[("failed", year)], sums[("records", year)]
        assert shown[f"{year} to correct"].fillna(0).to_dict() == failed.to_dict()
        rates = (1000 * failed / records).fillna(0)
        assert shown[f"{year} per 1,000"].fillna(0).to_dict() == pytest.approx(rates.to_dict())
    assert table(book["Rules"]).set_index("Rule id")["To correct"].to_dict() == sums["failed"].sum(axis=1).to_dict()


def test_months_that_stand_out_are_told_to_the_trust_that_sent_them_alone(letter, books):
    shown = table(letter["Months to check"])
    assert shown.iloc[0, :5].tolist() == [
        "Admitted patient care", "A month far from the usual", "2010-05", "elective spells", 300,
    ]  # fmt: skip
    assert len(shown) == 1 and shown["Records expected"].iloc[0] == pytest.approx(2000, rel=0.1)
    assert "Months to check has 1 month of a feed" in text(letter["Letter"])
    other = books["trusts/RJ7.xlsx"]
    assert other.sheetnames == ["Letter", "Rules", "By year", "Records to correct"]
    assert "Months to check" not in text(other["Letter"])


def test_a_pct_is_told_the_records_with_errors_of_each_trust_and_what_they_cost(summary, pct, checked, records):
    frame, references = records
    errors = {rule.id for rule in RULES if rule.severity == "error"}
    priced = {rule.id for rule in RULES if rule.severity == "error" and rule.value == "price"}
    own = checked.failures.to_pandas().query("commissioner_code == @pct")
    once = own[own["rule"].isin(errors)].drop_duplicates(["provider_code", KEY])
    dear = own[own["rule"].isin(priced)].drop_duplicates(["provider_code", KEY])
    shown = table(summary["By trust"]).astype({"Trust code": object}).fillna({"Trust code": ""})
    beside = shown.set_index("Trust code")
    paid = frame["provider_code"].fillna("")[frame["commissioner_code"] == pct].value_counts()
    assert beside["Records"].to_dict() == paid.to_dict()
    assert beside["With errors"].to_dict() == once["provider_code"].value_counts().to_dict()
    assert beside["Spells in question"].to_dict() == dear["provider_code"].value_counts().to_dict()
    assert beside["Their price (GBP)"].to_dict() == pytest.approx(
        dear.groupby("provider_code")["price_gbp"].sum().to_dict()
    )
    rates = 1000 * shown["With errors"] / shown["Records"]
    assert shown["Rate per 1,000"].tolist() == pytest.approx(rates.tolist())
    assert shown["With errors"].is_monotonic_decreasing
    names = references.providers.set_index("provider_code")["provider_name"]
    assert beside.loc["OUT", "Trust"] == names["OUT"] and beside.loc["RX9", "Trust"] == "not a provider that we know"


def test_a_pcts_summary_says_who_it_is_to_what_it_pays_for_and_that_it_is_not_to_be_passed_on(
    summary, pct, checked, records
):
    frame, references = records
    assert summary.sheetnames == ["Summary", "Rules", "By trust", "By year", "Worst examples"]
    said = text(summary["Summary"])
    name = references.commissioners.set_index("commissioner_code")["commissioner_name"][pct]
    own = frame[frame["commissioner_code"] == pct]
    value = checked.counts.query("commissioner_code == @pct").groupby("rule", observed=True)["value_gbp"].sum()
    assert f"Data quality feedback: {name}" in said
    assert f"{len(own):,} hospital records that {name} ({pct}) pays for" in said
    assert f"{own['month'].min()} to {own['month'].max()}" in said
    assert f"The value at stake adds to {value.sum():,.0f} pounds" in said
    assert all(f" {worth:,.0f} pounds at stake" in said for worth in value.nlargest(5))
    assert "Counts here are exact" in said and "Do not pass this workbook on" in said


def test_a_pct_is_compared_with_other_pcts_and_not_with_codes_that_nobody_has(summary, pct, checked, records):
    row = table(summary["Rules"]).set_index("Rule id").loc["apc_hrg_missing"]
    others = records[1].commissioners["commissioner_code"].drop(0)
    counts = checked.counts[checked.counts["commissioner_code"].isin(others)].query("rule == 'apc_hrg_missing'")
    rate = 1000 * counts["failed"].sum() / counts["records"].sum()
    assert row["Other PCTs per 1,000"] == pytest.approx(rate, abs=0.05)


def test_a_pcts_examples_are_the_ten_dearest_of_each_rule_with_their_trust(summary, pct, checked):
    shown = table(summary["Worst examples"])
    own = checked.failures.to_pandas().query("commissioner_code == @pct")
    assert shown["Rule id"].value_counts().to_dict() == own["rule"].value_counts().clip(upper=10).to_dict()
    dearest = own[own["rule"] == "apc_lsoa_missing"].nlargest(10, "price_gbp")
    assert shown.loc[shown["Rule id"] == "apc_lsoa_missing", "Price (GBP)"].tolist() == dearest["price_gbp"].tolist()
    trusts = own.set_index(["rule", KEY])["provider_code"]
    keys = zip(shown["Rule id"], shown["Record key"], strict=True)
    assert shown["Trust"].fillna("").tolist() == [trusts[key] for key in keys]


def test_nobody_is_told_a_record_that_it_neither_sent_nor_pays_for(books, checked):
    every = checked.failures.to_pandas()
    columns = {"trusts": ("provider_code", "Records to correct"), "pcts": ("commissioner_code", "Worst examples")}
    for name, book in books.items():
        kind, code = name.removesuffix(".xlsx").split("/")
        by, sheet = columns[kind]
        not_its_own = set(every.loc[every[by] != code, KEY]) - set(every.loc[every[by] == code, KEY])
        assert len(table(book[sheet])) > 0
        assert not not_its_own & {cell.value for cell in cells(book)}


def test_every_sheet_of_synthetic_records_says_so_and_none_of_real_records(books, checked, records, pct, tmp_path):
    assert all(sheet["A1"].value == LABEL for book in books.values() for sheet in book)
    write_letters(checked, OpenedStore(None, {}, records[1], RULES), tmp_path, is_synthetic=False)
    for name in ("trusts/RJ1.xlsx", f"pcts/{pct}.xlsx"):
        assert not any("SYNTHETIC" in str(cell.value) for cell in cells(openpyxl.load_workbook(tmp_path / name)))


def test_no_cell_is_a_formula_whatever_stands_in_a_record(books, letter, summary):
    for book in (letter, summary):
        assert any(HOSTILE in str(cell.value) for cell in cells(book))
    assert HOSTILE in table(summary["By trust"])["Trust code"].tolist()
    assert not [cell for book in books.values() for cell in cells(book) if cell.data_type == "f"]


def test_the_same_records_give_the_same_workbooks_byte_for_byte(folder, checked, records, tmp_path):
    write_letters(checked, OpenedStore(None, {}, records[1], RULES), tmp_path, is_synthetic=True)
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.xlsx")}
    assert again == {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.xlsx")}


def test_a_letter_too_long_to_correct_by_hand_lists_some_of_every_rule(of_trusts, checked, tmp_path, monkeypatch):
    monkeypatch.setattr("cbs_analysis.records.letters.MOST_RECORDS", 100)
    path = tmp_path / "short.xlsx"
    write_query_letter(path, of_trusts, no_months(), "RJ1", is_synthetic=False)
    sheet = openpyxl.load_workbook(path)["Records to correct"]
    own = checked.failures.to_pandas().query("provider_code == 'RJ1'")
    assert sheet["A1"].value.startswith(f"100 of {len(own):,} are listed")
    assert len(table(sheet)) == 100 and set(table(sheet)["Rule id"]) == set(own["rule"])


def test_a_letter_to_a_trust_that_sent_nothing_is_refused(of_trusts, tmp_path):
    with pytest.raises(UserError, match="provider: no record is of 'RJ11'; nearest: RJ1"):
        write_query_letter(tmp_path / "x.xlsx", of_trusts, no_months(), "RJ11", is_synthetic=True)
    assert not (tmp_path / "x.xlsx").exists()
