"""The files of params/feeds say what a feed is; a wrong one is refused with file, key and what would be right."""

import shutil
from datetime import date

import pyarrow.parquet as pq
import pytest
import yaml
from record_submissions import OWN, VISITS, make_params

from cbs_analysis.errors import UserError
from cbs_analysis.home import params_dir
from cbs_analysis.records.feeds import feed_names, load_feed
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files

PARAMS = params_dir()


@pytest.fixture
def params(tmp_path):
    return make_params(tmp_path / "params")


def refused(params, name, text):
    (params / "feeds" / f"{name}.yml").write_text(text)
    with pytest.raises(UserError) as caught:
        load_feed(name, params)
    assert "\n" not in str(caught.value)
    assert f"params/feeds/{name}.yml" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["apc", "op", "ae", "practices"])
def test_the_feeds_of_the_handbook_have_the_fields_that_their_files_list(name):
    listed = yaml.safe_load((PARAMS / "feeds" / f"{name}.yml").read_text())
    feed = load_feed(name, PARAMS)
    assert [field.name for field in feed.fields] == [field["name"] for field in listed["fields"]]
    assert feed.is_list == (name == "practices")
    assert [column.name for column in feed.columns] == [field.name for field in feed.fields]


def test_what_a_field_means_may_have_commas_in_it():
    assert (
        load_feed("apc", PARAMS).by_name["person_pseudonym"].means
        == "A pseudonym of the person, the same in every feed"
    )


def test_the_example_of_a_trusts_extract_maps_onto_admitted_patient_care():
    feed = load_feed("example_trust", PARAMS)
    assert (feed.name, feed.mapping, feed.constants) == ("apc", "example_trust", {"provider_code": "RJZ"})
    filled = {column.field for column in feed.columns} | set(feed.constants)
    assert {field.name for field in feed.fields} <= filled


def test_the_example_reads_a_line_as_its_trust_would_write_it(tmp_path):
    header = [column.name for column in load_feed("example_trust", PARAMS).columns]
    line = "S1;P1;;64;F;5LE;F85001;E01000001;RJZ01;30/03/2010;21;19;03/04/2010;1;19;ORD;300;J18.9;I10X;;;DZ11A;4;"
    file = tmp_path / "rjz.csv"
    file.write_text(f"{';'.join(header)}\n{line}\n{line.replace('S1', 'S2').replace('30/03/2010', '2010-03-30')}\n")
    store = Store(tmp_path / "records")
    outcome = import_files(store, "example_trust", [file], params=PARAMS)
    assert (outcome.loaded, outcome.quarantined) == (1, 1)
    row = pq.ParquetFile(store.files("apc")[0]).read().to_pylist()[0]
    assert (row["provider_code"], row["person_gender_code"], row["patient_classification_code"]) == ("RJZ", "2", "1")
    assert (row["month"], row["discharge_date"], row["procedure_date"]) == ("2010-04", date(2010, 4, 3), None)
    assert row["secondary_diagnosis_icd10"] == "I10X" and row["length_of_stay_days"] == 4


def test_every_file_of_the_folder_is_a_feed_or_a_mapping():
    for name in feed_names(PARAMS):
        assert load_feed(name, PARAMS).mapping == name


def test_an_unknown_feed_is_answered_with_the_nearest(params):
    with pytest.raises(UserError, match="feed: 'visit' is not in params/feeds; nearest: visits"):
        load_feed("visit", params)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("field: hrg_code", "field: hrg", "columns, Group: no field 'hrg' in feed visits; nearest: hrg_code"),
        ("name: Group", "name: Day", "columns: column 'Day' is duplicated"),
        ("field: null", "field: visit_date", "columns: field 'visit_date' is duplicated"),
        (", field: null", "", "columns.1.field: field required"),
        ("constants: {provider_code: RJZ}", "", "none fills provider_code, which feed visits requires"),
        ("{provider_code: RJZ}", "{provider: RJZ}", "constants: no field 'provider'"),
        ("{provider_code: RJZ}", "{provider_code: RJZ, hrg_code: X}", "constants: hrg_code has a column already"),
        ("{provider_code: RJZ}", "{provider_code: TOOLONG}", "'TOOLONG' is longer than the 5 characters"),
        ("{provider_code: RJZ}", "{provider_code: RJZ, age: old}", "'old' is not a whole number"),
        ('{none: ""}', "{none: 1}", "put it in quotation marks"),
        ("feed: visits", "feed: visit", "no feed 'visit' in params/feeds; nearest: visits"),
        ("feed: visits", "feed: own", "no feed 'own' in params/feeds"),
        ('delimiter: ";"', 'delimiter: "x"', "delimiter: input should be ',', ';'"),
        ("encoding: cp1252", "encoding: utf-16", "'utf-16' is not one that is read; nearest: utf-8"),
        ("encoding: cp1252", "encoding: klingon", "'klingon' is not one that is read; valid: ascii"),
        ('["%d/%m/%Y"]', '["%d/%m"]', "'%d/%m' does not name a day; write it like %d/%m/%Y"),
        ('["%d/%m/%Y"]', '["%d/%m/%Y", "%m/%d/%Y"]', "03/04/2010 is one day by %d/%m/%Y and another by %m/%d/%Y"),
        ("feed: visits", "feed: visits\ntypo: 1", "unknown key 'typo'; "),
        ("name: Group, field", "name: Group, fields", "unknown key 'columns.3.fields'; nearest: field"),
        ("feed: visits", "feed: [", "not readable as YAML"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_wrong_is_refused_with_what_would_be_right(params, old, new, said):
    assert old in OWN
    assert said in refused(params, "own", OWN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("month_of: visit_date", "month_of: visit", "no required date field 'visit'; nearest: visit_date"),
        ("key: cds_unique_identifier", "key: cds", "key: no field 'cds'"),
        ("type: integer", "type: number", "fields.2.type"),
        ("name: age", "name: hrg_code", "fields: field 'hrg_code' is duplicated"),
        ("longest: 5, means: Trust", "longest: 0, means: Trust", "fields.1.longest"),
        ("means: Trust", "means: Trust, or hospital", "text that holds a comma belongs in quotation marks"),
    ],
)
def test_a_feed_that_is_wrong_is_refused_with_what_would_be_right(params, old, new, said):
    assert old in VISITS
    assert said in refused(params, "visits", VISITS.replace(old, new))


def test_a_feed_read_otherwise_is_not_the_same_feed(params, tmp_path):
    before = load_feed("own", params).digest
    assert load_feed("own", shutil.copytree(params, tmp_path / "copy")).digest == before
    (params / "feeds" / "own.yml").write_text(OWN.replace("%d/%m/%Y", "%Y%m%d"))
    assert load_feed("own", params).digest != before
