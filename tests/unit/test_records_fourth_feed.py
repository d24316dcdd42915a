"""A feed that the package does not know: its description and its rules alone bring it everywhere records go."""

import shutil

import openpyxl
import pytest
import yaml

from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.records.derived_tables import checked_store
from cbs_analysis.records.letters import write_letters
from cbs_analysis.records.quality_checks import check_records
from cbs_analysis.records.quality_tables import completeness, counts_by_year, rule_descriptions, with_errors
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files, status

COMMUNITY = """
title: Community contacts of every kind
short_title: Community contacts
record: contact
key: cds_unique_identifier
month_of: contact_date
fields:
  - {name: cds_unique_identifier, type: text, required: true, longest: 35, means: Key}
  - {name: commissioner_code, type: text, longest: 5, means: PCT}
  - {name: gp_practice_code, type: text, longest: 6, means: Practice}
  - {name: provider_code, type: text, required: true, longest: 5, means: Trust}
  - {name: contact_date, type: date, required: true, means: Day}
  - {name: minutes, type: integer, unit: minutes, means: Minutes}
"""
RULES = [
    {
        "id": "community_minutes", "feed": "community", "kind": "row", "title": "No time at all", "what": "Below 1.",
        "why": "Contacts without time are not contacts.", "severity": "error", "fields": ["minutes"],
        "right": "Minutes from 1", "value": "none", "predicate": "minutes < 1", "validity": True,
    },
    {
        "id": "community_practice", "feed": "community", "kind": "row", "title": "Practice not known",
        "what": "The practice is in no list.", "why": "It cannot be told whose it is.", "severity": "warning",
        "fields": ["gp_practice_code"], "right": "A code", "value": "none", "predicate": "NOT practice_is_known",
    },
]  # fmt: skip
HEADER = "cds_unique_identifier,commissioner_code,gp_practice_code,provider_code,contact_date,minutes"


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home") / "params"
    (folder / "editions").mkdir(parents=True)
    shutil.copytree(params_dir() / "feeds", folder / "feeds")
    (folder / "feeds" / "community.yml").write_text(COMMUNITY)
    known = (params_dir() / "quality_rules.yml").read_text(encoding="utf-8")
    (folder / "quality_rules.yml").write_text(known + "\n" + yaml.safe_dump(RULES))
    return folder


@pytest.fixture(scope="module")
def store(params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    rows = [f"C{number},5LE,G85001,RJZ,2010-{4 + number % 9:02d}-05,{number % 10}" for number in range(100)]
    (folder / "sent.csv").write_text("\n".join([HEADER, *rows, "bad line", ""]))
    (folder / "practices.csv").write_text("gp_practice_code,pct_code\nG85001,5LE\n")
    store = Store(folder / "records")
    import_files(store, "practices", [folder / "practices.csv"], params=params)
    outcome = import_files(store, "community", [folder / "sent.csv"], params=params)
    assert (outcome.loaded, outcome.quarantined) == (100, 1)
    return store


@pytest.fixture
def checked(store, params, monkeypatch):
    monkeypatch.setattr("cbs_analysis.records.letters.params_dir", lambda: params)
    return checked_store(store, data_dir(), params)


def test_a_fourth_feed_is_in_the_status_and_in_what_was_received(store):
    assert "community: 100 records of 1 provider, 2010-04 to 2010-12" in status(store)
    received = store.received().set_index("feed")
    assert received.loc["community"].to_list() == [101, 100, 0, 1]
    assert store.refused().query("feed == 'community'")["rows"].sum() == 1


def test_its_rules_are_checked_and_are_in_every_table_of_data_quality(checked):
    held, results = checked
    counts = counts_by_year(results).query("rule == 'community_minutes'")
    assert counts[["records", "failed"]].sum().to_list() == [100, 10]
    assert results.arrived.query("feed == 'community'")["records"].sum() == 100
    errors = with_errors(results, held.rules).query("feed == 'community'")
    assert errors[["records", "with_errors"]].sum().to_list() == [100, 10]
    assert "community_practice" in set(rule_descriptions(held.rules)["rule"])
    filled = completeness(held.tables["community"], "community", held.references, held.rules)
    of_minutes = filled[filled["field"] == "minutes"][["records", "filled", "valid"]].sum()
    assert of_minutes.to_list() == [100, 100, 90]


def test_it_is_in_the_letters_under_its_own_title(checked, tmp_path):
    held, results = checked
    assert write_letters(results, held, tmp_path / "letters", is_synthetic=False) == (1, 1)
    for path in ("trusts/RJZ.xlsx", "pcts/5LE.xlsx"):
        sheet = openpyxl.load_workbook(tmp_path / "letters" / path)["Rules"]
        assert [row[:2] for row in sheet.iter_rows(min_row=2, values_only=True)] == [
            ("Community contacts", "No time at all")
        ]


def test_the_records_of_all_feeds_are_checked_in_the_order_of_the_rules(checked):
    held, _ = checked
    assert list(held.tables) == ["apc", "op", "ae", "community"]
    assert check_records({"ae": held.tables["ae"]}, held.references, held.rules).arrived.empty
