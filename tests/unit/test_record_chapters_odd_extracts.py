"""Chapters made from hospital records say something true, or why they cannot, of any extract however odd it is."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest
from derived_tables import (
    GROUP,
    LEAF,
    NEIGHBOUR,
    TRUST,
    every_table,
    extracts,
    packs_of,
    results,
    rows_of,
    sentences,
    single_leaf,
    stored,
    whole,
    with_one_similar_area,
)

from cbs_analysis.chapters import benchmarking, data_quality, providers_and_market, record_tables
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import WITHHELD
from cbs_analysis.geography import Area, similar_code

NO_NUMBER = re.compile(r"\b(nan|NaN|inf)\b|not available")
YEAR = "2010/11"


def holds(result: Finding | Note) -> None:
    """The result is a note of one sentence, or a finding whose sentences, numbers and chart hold no missing number."""
    for text in sentences(result):
        assert not NO_NUMBER.search(text), text
    if isinstance(result, Note):
        assert result.text.endswith(".")
        assert result.text.count(". ") == 0
        return
    json.dumps(result.to_json(), allow_nan=False)
    if result.chart:
        json.dumps(result.chart.specification, allow_nan=False)


@pytest.mark.parametrize("name", extracts())
def test_every_finding_holds_for_a_leaf_a_group_the_whole_and_a_geography_of_one_area(name, tmp_path):
    tables = stored(extracts()[name], tmp_path)
    for pack in [*packs_of(tables), *packs_of(tables, single_leaf())]:
        for result in results(pack).values():
            holds(result)


def test_one_trust_tells_no_groups_of_areas_apart(tmp_path):
    for pack in packs_of(stored(extracts()["one trust"], tmp_path)):
        result = providers_and_market.self_containment(pack)
        assert isinstance(result, Note)
        assert "No groups of areas can be told" in result.text


def test_without_a_published_return_a_note_says_so(tmp_path):
    for pack in packs_of(stored(extracts()["no published return"], tmp_path)):
        result = data_quality.against_return(pack)
        assert result == Note("There is no published activity return to compare the records with.")


def test_a_share_of_no_error_is_told_from_one_that_is_not_known(tmp_path):
    leaf, *_ = packs_of(stored(extracts()["no errors"], tmp_path))
    assert data_quality.errors(leaf).statement.startswith("Not one of Southwark's spells holds an error in")
    leaf, *_ = packs_of(stored(extracts()["all zero"], tmp_path))
    assert data_quality.errors(leaf).statement.endswith("too few records, or none.")


def test_without_a_list_of_lead_commissioners_the_other_findings_stand(tmp_path, monkeypatch):
    monkeypatch.setattr(record_tables, "LEADS", "no_such_table")
    monkeypatch.setattr(providers_and_market, "LEADS", "no_such_table")
    monkeypatch.setattr("cbs_analysis.chapters.patient_flows.LEADS", "no_such_table")
    leaf, *_ = packs_of(stored(every_table(), tmp_path))
    assert isinstance(providers_and_market.lead_commissioner(leaf), Note)
    result = providers_and_market.who_treats(leaf)
    assert "no_such_table" not in [each.table for each in result.source]
    assert result.chart is not None


# ---- Words come from the geography, the edition and the data


def test_no_word_of_the_published_edition_is_said_of_another_geography(tmp_path):
    frames = {
        name: frame.replace({"financial_year": {YEAR: "2030/31"}}) if "financial_year" in frame else frame
        for name, frame in every_table().items()
    }
    months = {"2010": "2030", "2011": "2031", "2009": "2029", "2008": "2028"}
    for name, frame in frames.items():
        if "month" in frame:
            frames[name] = frame.assign(month=frame["month"].map(lambda month: months[month[:4]] + month[4:]))
    frames["quality_rules"] = frames["quality_rules"].assign(title="Something is wrong")
    tables = stored(frames, tmp_path)
    providers = whole().read("providers")
    tables["providers"] = providers.assign(short_name=[f"Hospital {code}" for code in providers["provider_code"]])
    geography = with_one_similar_area()
    words = {geography.areas[LEAF].level: ("integrated care board", "integrated care boards")}
    words[geography.areas[GROUP].level] = ("county", "counties")

    def renamed(area: Area) -> Area:
        one, several = words.get(area.level, ("land", "lands"))
        return replace(
            area, name=f"Area {area.code}", level=one.replace(" ", "_"), level_name=one, level_plural=several
        )

    [(code, similar)] = geography.groups.items()
    named = replace(
        geography,
        areas={code: renamed(area) for code, area in geography.areas.items()},
        groups={code: replace(similar, name="Similar integrated care boards")},
        title="Counties",
        nation=replace(geography.nation, name="Nation"),
    )
    # What the data say: when beds were counted, leads named and people estimated, and what published groupings are.
    given = [record_tables.period_of(whole(), table) for table in ("beds", "lead_commissioners_2006")]
    given += ["Five sectors of 2006", "Six sectors of 2009/10", "mid-2010"]
    for pack in packs_of(tables, named, periods={**whole().edition.periods, "activity": "2030/31"}):
        for name, result in results(pack).items():
            assert isinstance(result, Finding), name
            data = result.to_json()
            own = {key: data[key] for key in ("title", "statement", "period", "caveats", "table", "members")}
            text = json.dumps([own, sentences(result), result.chart and result.chart.specification])
            for words in given:
                text = text.replace(words, "")
            assert not re.search(r"\b(PCTs?|London|England|[Ss]ectors?|2006|2010|2011|2010/11)\b", text), (name, text)
        if pack.area.is_leaf:
            assert "the integrated care boards like it" in data_quality.late(pack).statement


# ---- Counts of 1 to 7 stay withheld


def flows(**spells: int) -> dict[str, pd.DataFrame]:
    """All tables, with an area's spells of one specialty at trusts by their codes, and no other."""
    row = {"financial_year": YEAR, "commissioner_code": LEAF, "treatment_function_code": "320", "kind": "day case",
           "bed_days": 0, "price_gbp": 1000.0}  # fmt: skip
    frame = pd.DataFrame([{**row, "provider_code": code, "spells": n, "priced": n} for code, n in spells.items()])
    return {**every_table(), "spell_flows": frame}


@pytest.mark.parametrize("rest", [1, 3, 7])
def test_a_main_trust_that_has_all_but_a_few_spells_does_not_give_those_few_away(rest, tmp_path):
    leaf, *_ = packs_of(stored(flows(RJZ=95, RJ1=rest), tmp_path))
    treats = providers_and_market.who_treats(leaf)
    assert "gave nearly all of Southwark's spells" in treats.statement
    assert treats.table.frame["share"].tolist() == [WITHHELD]
    assert treats.value is None
    assert treats.chart is None
    assert isinstance(providers_and_market.concentration(leaf), Note)
    assert isinstance(providers_and_market.by_specialty(leaf), Note)
    assert benchmarking.service(leaf).table.frame["share"].tolist() == [WITHHELD]


def test_a_main_trust_whose_rest_is_no_small_count_has_its_share(tmp_path):
    leaf, *_ = packs_of(stored(flows(RJZ=95, RJ1=8), tmp_path))
    assert providers_and_market.who_treats(leaf).table.frame["share"].tolist() == [92.0, 8.0]
    assert isinstance(providers_and_market.concentration(leaf), Finding)


def test_a_catchment_that_rests_on_few_spells_is_withheld(tmp_path):
    *_, all_areas = packs_of(stored(flows(RJZ=95, RJ1=8, RAL=5), tmp_path))
    shown = providers_and_market.catchments(all_areas).table
    assert shown.frame["people"].tolist()[-1] == WITHHELD
    assert WITHHELD not in shown.frame["people"].tolist()[:-1]
    assert shown.notes


def test_a_share_of_errors_that_leaves_a_few_spells_over_is_withheld(tmp_path):
    frames = dict(rows_of(every_table(), "provider_code", TRUST))
    rows = frames["records_with_errors"]
    frames["records_with_errors"] = rows.assign(with_errors=(rows["records"] - 3).clip(lower=0))
    frames["records_with_errors"] = frames["records_with_errors"].query("feed == 'apc' and financial_year == @YEAR")
    own = frames["records_with_errors"].query("commissioner_code == @LEAF")
    assert own["records"].sum() - own["with_errors"].sum() == 3
    leaf, *_ = packs_of(stored(frames, tmp_path))
    result = data_quality.errors(leaf)
    assert result.value is None
    assert "%" not in result.statement


def test_rows_that_could_not_be_read_cannot_be_worked_out_from_those_sent(tmp_path):
    frames = dict(every_table())
    row = {"feed": "ae", "sent": 17, "loaded": 8, "replaced": 8, "quarantined": 1}
    frames["records_received"] = pd.DataFrame([row])
    leaf, *_ = packs_of(stored(frames, tmp_path))
    shown = data_quality.arrived(leaf).table.frame.iloc[-1]
    assert [shown["loaded"], shown["replaced"], shown["quarantined"]].count(WITHHELD) == 2


def test_the_similar_group_is_part_of_what_is_tested(tmp_path):
    leaf, group, everyone = packs_of(stored(extracts()["nothing"], tmp_path))
    assert leaf.geography.groups[similar_code(LEAF)].members == (NEIGHBOUR,)
    assert (leaf.area.is_leaf, group.area.code, everyone.area.is_whole) == (True, GROUP, True)
