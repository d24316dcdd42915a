"""The rules file: what it must hold, how a mistake in it is told, and that it finds what the same rules written in
plain pandas find, on records in which everything is wrong now and then.
"""

import shutil

import ibis
import numpy as np
import pandas as pd
import pandas_rules
import pyarrow as pa
import pytest

from cbs_analysis.errors import UserError
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.records.feeds import record_feeds
from cbs_analysis.records.quality_checks import PERSON, _Pass, check_records, failing, window_failures
from cbs_analysis.records.quality_rules import (
    KEY,
    PredicateError,
    blank,
    feed_types,
    load_rules,
    of_feed,
    predicate,
)
from cbs_analysis.records.quality_tables import completeness
from cbs_analysis.records.reference_data import hrg_prices, load_reference_data, referenced

ROWS = 3000
RULES = load_rules(params_dir())
FEEDS = record_feeds(params_dir())
KINDS = {"string": pa.string(), "int32": pa.int32(), "date": pa.date32()}


@pytest.fixture(scope="module")
def references():
    return load_reference_data(data_dir(), pandas_rules.practices())


@pytest.fixture(scope="module")
def connection():
    return ibis.duckdb.connect(threads=1)


def stored(connection, feed, frame):
    """A frame of records as a table of the store: days as days, whole numbers as whole numbers."""
    columns = {}
    for name, kind in {**feed_types(params_dir(), feed), "month": "string"}.items():
        values = frame[name]
        if kind == "date":
            values = values.astype(object).where(values.notna(), None)
            columns[name] = pa.array([day if day is None else day.date() for day in values], KINDS[kind])
        elif kind == "int32":
            columns[name] = pa.array(values.astype("Int32"), KINDS[kind], from_pandas=True)
        else:
            columns[name] = pa.array(values, KINDS[kind], from_pandas=True)
    return connection.create_table(f"{feed}_records", pa.table(columns), overwrite=True)


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("seed", range(3))
def test_every_row_and_window_rule_finds_what_plain_pandas_finds(connection, references, feed, seed):
    frame = pandas_rules.random_records(feed, ROWS, seed, references)
    expected = pandas_rules.failures(feed, frame, references)
    checked = check_records({feed: stored(connection, feed, frame)}, references, RULES)
    found = checked.failures.to_pandas().groupby("rule")[KEY].apply(sorted)
    rules = of_feed(RULES, feed, "row", "window")
    assert {rule.id for rule in rules} == set(expected)
    for rule in rules:
        keys = sorted(frame.loc[expected[rule.id], KEY])
        assert keys, f"{rule.id}: no record of the test breaks it"
        assert checked.counts.loc[checked.counts["rule"] == rule.id, "failed"].sum() == len(keys), rule.id
        assert found.get(rule.id, []) == ([] if rule.is_only_counted else keys), rule.id


def test_counts_of_each_place_add_the_records_that_a_rule_applies_to_and_the_prices_of_those_that_fail(
    connection, references
):
    frame = pandas_rules.random_records("apc", ROWS, 9, references)
    checked = check_records({"apc": stored(connection, "apc", frame)}, references, RULES)
    places = ["provider_code", "commissioner_code", "month"]
    expected = pandas_rules.counts(frame, pandas_rules.failures("apc", frame, references)).stack()
    failed = checked.counts.astype(dict.fromkeys(places, str)).set_index([*places, "rule"])["failed"]
    assert failed[failed > 0].to_dict() == expected[expected > 0].to_dict()
    filled = frame.assign(commissioner_code=frame["commissioner_code"].fillna(""))
    arrived = filled.groupby(places).size()
    assert (
        checked.arrived.astype(dict.fromkeys(places, str)).set_index(places)["records"].sort_index().eq(arrived).all()
    )
    own = checked.counts.astype(dict.fromkeys(places, str)).set_index(["rule", *places])
    assert own.loc["apc_hrg_missing", "records"].sort_index().eq(arrived).all()
    day_cases = filled[filled["patient_classification_code"] == "2"].groupby(places).size()
    assert own.loc["apc_daycase_nights", "records"].sort_index().eq(day_cases).all()
    failures = checked.failures.to_pandas()
    priced = failures[failures["rule"] == "apc_sex_pregnancy"].groupby(places)["price_gbp"].sum()
    value = own.loc["apc_sex_pregnancy", "value_gbp"]
    assert value[value > 0].sort_index().eq(priced[priced > 0]).all()
    assert own.loc["apc_hrg_missing", "value_gbp"].eq(0).all()


def test_measures_count_the_records_of_series_and_totals(connection, references):
    frame = pandas_rules.random_records("op", ROWS, 5, references)
    checked = check_records({"op": stored(connection, "op", frame)}, references, RULES)
    totals = checked.measures.groupby(["rule", "measure"], observed=True)["records"].sum()
    seen = frame["first_attendance_code"].isin(["1", "3"]) & frame["attendance_status_code"].isin(["5", "6"])
    assert totals["op_total_return", "first_outpatient_attendances"] == seen.sum()
    assert totals["op_break", "follow_up_appointments"] == frame["first_attendance_code"].isin(["2", "4"]).sum()


def test_a_failure_says_what_stands_in_the_fields_of_its_rule(connection, references):
    frame = pandas_rules.random_records("apc", ROWS, 2, references)
    checked = check_records({"apc": stored(connection, "apc", frame)}, references, RULES)
    found = checked.failures.to_pandas()
    row = found[found["rule"] == "apc_sex_pregnancy"].iloc[0]
    record = frame.set_index(KEY).loc[row[KEY]]
    sex, diagnosis = record["person_gender_code"], record["primary_diagnosis_icd10"]
    assert row["found"] == f"person_gender_code {sex or 'empty'}; primary_diagnosis_icd10 {diagnosis}"
    assert (found.loc[found["rule"] == "apc_hrg_missing", "found"] == "hrg_code empty").all()
    people = found.merge(frame[[KEY, PERSON]], on=KEY)
    assert people[f"{PERSON}_x"].fillna("").eq(people[f"{PERSON}_y"].fillna("")).all()


def test_the_same_records_in_another_order_give_the_same_failures(connection, references):
    frame = pandas_rules.random_records("apc", ROWS, 3, references)
    one = check_records({"apc": stored(connection, "apc", frame)}, references, RULES)
    shuffled = frame.sample(frac=1, random_state=1)
    other = check_records({"apc": stored(connection, "apc", shuffled)}, references, RULES)
    assert one.failures.equals(other.failures)
    pd.testing.assert_frame_equal(one.counts, other.counts)


def test_a_feed_without_records_fails_nothing(connection, references):
    frame = pandas_rules.random_records("ae", 5, 3, references).iloc[:0]
    checked = check_records({"ae": stored(connection, "ae", frame)}, references, RULES)
    assert (checked.failures.num_rows, len(checked.counts), len(checked.measures)) == (0, 0, 0)


def test_prices_are_those_of_the_point_of_delivery_or_of_the_likest_that_has_one(connection, references):
    costs = pd.DataFrame(
        [
            ("AA11A", "Something, 19 years and over, with CC Score 1", "elective", 100),
            ("AA11A", "Something, 19 years and over, with CC Score 1", "nonelective_long_stay", 300),
            ("BB22B", "Another, between 2 and 18 years", "daycase", 7),
            ("CC33C", "A third, 18 years and under", "nonelective_short_stay", 9),
        ],
        columns=["hrg_code", "hrg_name", "point_of_delivery", "national_unit_cost_gbp"],
    )
    prices = hrg_prices(costs).set_index("hrg_code")
    points = ["daycase", "elective", "nonelective_short_stay", "nonelective_long_stay"]
    assert prices.loc["AA11A", points].tolist() == [100, 100, 300, 300]
    assert prices.loc["BB22B", points].tolist() == [7, 7, 7, 7]
    ages = prices[["hrg_min_age", "hrg_max_age"]].astype("Int64").fillna(-1).to_numpy().tolist()
    assert ages == [[19, -1], [2, 18], [-1, 18]]


def test_records_keep_their_number_beside_the_reference_columns(connection, references):
    for feed in FEEDS:
        table = stored(connection, feed, pandas_rules.random_records(feed, 500, 4, references))
        assert referenced(table, feed, references).count().execute() == 500


def test_the_rules_are_enough_each_with_its_own_id_and_feed():
    assert len(RULES) >= 40
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id.startswith(f"{rule.feed}_") for rule in RULES)
    assert {rule.kind for rule in RULES} == {"row", "window", "series", "total"}


class SparkOptions(ibis.config.Config):
    treat_nan_as_null: bool = False


@pytest.fixture
def spark_options(monkeypatch):
    """The options that Ibis would register if PySpark were installed; only their names matter to compile."""
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.is_of_records], ids=lambda rule: rule.id)
def test_every_rule_compiles_to_spark_sql(rule, spark_options):
    table = blank(params_dir(), rule.feed)
    if rule.kind == "window":
        assert "PARTITION BY" in ibis.to_sql(window_failures(table, rule), dialect="pyspark")
    assert ibis.to_sql(table.select(breaks=failing(table, rule)), dialect="pyspark").startswith("SELECT")


@pytest.mark.parametrize("feed", FEEDS)
def test_the_whole_pass_compiles_to_spark_sql(references, feed, spark_options):
    table = ibis.table({**feed_types(params_dir(), feed), "month": "string"}, name=feed)
    broken = pd.DataFrame({"provider_code": ["RJ1"], KEY: ["K1"], "bits": [1]})
    assert "GROUP BY" in ibis.to_sql(_Pass(feed, RULES).grouped(table, references, broken), dialect="pyspark")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("age_at_admision > 3", "no column 'age_at_admision'; nearest: age_at_admission"),
        ("age_at_admission > 'x'", "different types"),
        ("age_at_admission", "not true or false"),
        ("hrg_code = 'a'; DROP TABLE x", "must be one expression"),
        ("DROP TABLE x", "may not stand in a rule"),
        ("hrg_code IN (SELECT 1)", "may not stand in a rule"),
        ("(SELECT TRUE)", "may not stand in a rule"),
        ("read_csv('/etc/passwd') = 'x'", "function 'read_csv' may not stand in a rule"),
        ("lenght(hrg_code) > 1", "function 'lenght' may not stand in a rule; nearest: length"),
        ("row_number() OVER (ORDER BY hrg_code) > 1", "rules of kind window"),
        ("age_at_admission >", "not readable as SQL"),
        ("", "must be one expression"),
    ],
)
def test_an_expression_that_is_no_rule_is_refused_in_one_line(sql, said):
    with pytest.raises(PredicateError) as raised:
        predicate(sql, blank(params_dir(), "apc"))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def changed(tmp_path, before, after):
    """A params folder in which the rules file has been edited."""
    shutil.copytree(params_dir() / "feeds", tmp_path / "feeds")
    text = (params_dir() / "quality_rules.yml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "quality_rules.yml").write_text(text.replace(before, after, 1), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("discharge_date < admission_date\n", "dischage_date < admission_date\n",
         "apc_discharge_before_admission: predicate: no column 'dischage_date'; nearest: discharge_date"),
        ("severity: error", "severty: error", "apc_sex_pregnancy: unknown key 'severty'; nearest: severity"),
        ("severity: error", "severity: grave", "apc_sex_pregnancy: severity: input should be 'error'"),
        ("id: apc_sex_unknown", "id: apc_sex_pregnancy", "apc_sex_pregnancy: id: is duplicated"),
        ("fields: [hrg_code]", "fields: [hgr_code]", "fields: no field 'hgr_code' in feed apc; nearest: hrg_code"),
        ("  days: calendar\n", "", "ae_break: days: missing; a rule of kind series needs it"),
        ("kind: row", "kind: total", "apc_sex_pregnancy: measures: missing; a rule of kind total needs it"),
        ("kind: row", "kind: row\n  days: working", "apc_sex_pregnancy: days: has no place in a rule of kind row"),
        ("among: [person_pseudonym, arrival_date]", "among: [age_at_arrival]",
         "among: age_at_arrival is not in every PARTITION BY"),
        ("- id: apc_sex_pregnancy", "- [id: apc_sex_pregnancy", "not readable as YAML"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_rules_file_is_told_in_one_line_with_file_rule_and_key(tmp_path, before, after, said):
    with pytest.raises(UserError) as raised:
        load_rules(changed(tmp_path, before, after))
    assert str(raised.value).startswith("params/quality_rules.yml")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_rules_file_that_is_missing_or_empty_is_told(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_rules(tmp_path)
    (tmp_path / "quality_rules.yml").write_text("")
    with pytest.raises(UserError, match="must be a list of rules"):
        load_rules(tmp_path)


def test_completeness_counts_what_is_filled_and_what_can_be_true(connection, references):
    frame = pandas_rules.random_records("apc", ROWS, 6, references)
    table = stored(connection, "apc", frame)
    found = completeness(table, "apc", references, RULES).groupby("field")[["records", "filled", "valid"]].sum()
    assert list(found.loc["hrg_code"]) == [
        ROWS,
        (~frame["hrg_code"].isin([None, ""])).sum(),
        frame["hrg_code"].isin([*references.hrgs["hrg_code"], "UZ01Z"]).sum(),
    ]
    sexes = frame["person_gender_code"]
    assert list(found.loc["person_gender_code"]) == [
        ROWS,
        (~sexes.isin([None, ""])).sum(),
        sexes.isin(["1", "2"]).sum(),
    ]
    ages = frame["age_at_admission"]
    assert list(found.loc["age_at_admission"]) == [ROWS, ages.notna().sum(), ages.between(0, 120).sum()]
    days = frame["procedure_date"].notna().sum()
    assert list(found.loc["procedure_date"]) == [ROWS, days, days]
    assert (found["valid"] <= found["filled"]).all()
    assert not np.isin(["month"], found.index).any()
