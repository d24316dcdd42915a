"""No count from records from 1 to 7 is shown, nor can be worked out from what is."""

import dataclasses
import itertools
import json
import math

import numpy as np
import openpyxl
import pandas as pd
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs_made_up import LOCAL, edited, finding, pack

from cbs_analysis.evidence import disclosure
from cbs_analysis.evidence.finding import Citation
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.publishing.pdf import write_pdf
from cbs_analysis.publishing.tables import table_files
from cbs_analysis.publishing.workbook import write_workbook

COLUMNS = {
    "name": Column("Trust"),
    "spells": Column("Spells", decimals=0),
    "share": Column("Share", unit="%", decimals=1),
}
FRAME = pd.DataFrame(
    {
        "name": ["A", "B", "C", "D", "E"],
        "spells": [12_346, 8, 7, 0, np.nan],
        "share": [99.4, 0.0647, 0.0566, 0.0, np.nan],
    }
)


def made(**more):
    return disclosure.table("Spells by trust", FRAME, COLUMNS, ["spells"], {"share": "spells"}, **more)


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, 0), (1, "*"), (7, "*"), (8, 10), (12, 10), (13, 15), (1_237, 1_235), (1_238, 1_240), (np.nan, None)],
)
def test_counts_from_1_to_7_are_withheld_and_others_are_rounded_to_5(count, shown):
    (cell,) = disclosure.shown_count(pd.Series([count]))
    assert cell == shown or (shown is None and math.isnan(cell))


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8))
def test_a_shown_count_is_0_or_a_multiple_of_5_from_10_within_2_of_the_true_one(counts):
    shown = disclosure.shown_count(pd.Series(counts))
    for true, cell in zip(counts, shown, strict=True):
        assert cell == "*" or (cell % 5 == 0 and abs(cell - true) <= 2 and (cell >= 10 or cell == true == 0))
        assert cell == "*" or not 1 <= true <= 7


def could_be(shown, total):
    """Every way that a column of these cells and this total can have come about, by trying all; up to 22 a cell."""
    ways = [range(1, 8) if cell == "*" else [0] if cell == 0 else range(int(cell) - 2, int(cell) + 3) for cell in shown]
    for column in itertools.product(*ways):
        if all(count >= 8 or cell in ("*", 0) for count, cell in zip(column, shown, strict=True)):
            whole = sum(column)
            if math.floor(whole / 5 + 0.5) * 5 == total:
                yield column


def rounded_total(counts):
    return math.floor(sum(counts) / 5 + 0.5) * 5


def test_without_a_second_one_a_count_can_be_worked_out():
    assert set(could_be([10, 10, "*"], 15)) == {(8, 8, 1)}
    assert disclosure.given_away(pd.Series([8, 8, 1]))
    assert disclosure.shown_count(pd.Series([8, 8, 1])).tolist().count("*") == 2


@given(st.lists(st.sampled_from([0, *range(8, 23)]), max_size=3), st.integers(1, 7))
def test_one_withheld_count_can_never_be_worked_out_from_the_others_and_the_total(others, small):
    counts = pd.Series([*others, small])
    shown = disclosure.shown_count(counts).tolist()
    total = rounded_total(counts)
    if shown.count("*") == 1 and total >= 8:
        assert len({way[-1] for way in could_be(shown, total)}) > 1
    else:
        # The total is withheld itself, or a second count is: what is left over is then of two.
        assert total < 8 or shown.count("*") == 2


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_the_rule_finds_every_column_that_gives_a_count_away_and_no_other(size):
    for others in itertools.product(range(8, 13), repeat=size - 1):
        for small in range(1, 8):
            counts = [*others, small]
            total = sum(counts)
            cells = [*(10 for _ in others), "*"]
            away = total >= 8 and len({way[-1] for way in could_be(cells, rounded_total(counts))}) == 1
            assert disclosure.given_away(pd.Series(counts)) == away, counts


def test_a_rate_on_fewer_than_8_events_is_withheld_and_a_missing_one_is_missing():
    shares = made().frame["share"].tolist()
    assert shares[:4] == [99.4, 0.1, "*", "*"]
    assert math.isnan(shares[4])


def test_a_rate_whose_events_are_not_known_is_withheld():
    frame = pd.DataFrame({"rate": [10.0], "events": [np.nan]})
    assert disclosure.suppressed(frame, [], {"rate": "events"})["rate"].tolist() == ["*"]


def test_a_rate_whose_rest_is_a_small_count_is_withheld_where_the_rest_is_a_count_of_its_own():
    frame = pd.DataFrame({"valid": [99.7, 99.0], "filled": [997, 990], "records": [1000, 1000]})
    assert disclosure.suppressed(frame, [], {"valid": "filled"})["valid"].tolist() == [99.7, 99.0]
    safe = disclosure.suppressed(frame, [], {"valid": ("filled", "records")})
    assert safe["valid"].tolist() == ["*", 99.0]


@pytest.mark.parametrize(
    ("value", "events", "decimals", "shown"),
    [
        (45.0, 9, 1, 45.0),  # one of 20 is five points
        (30.5, 61, 1, 30.5),  # one of 200 is half a point
        (33.3333, 1_000, 2, 33.35),  # one of 3,000 is 0.033, so in steps of 0.05
        (61.2345678, 60_000, 1, 61.2),
        (2_134.56, 8, 0, 2_000),  # one of eight is 267 pounds, so in steps of 500
        (0.0, 0, 1, 0.0),
    ],
)
def test_a_rate_is_read_to_no_finer_than_one_event(value, events, decimals, shown):
    assert disclosure.rounded_rate(value, events, decimals) == pytest.approx(shown)


@given(st.integers(8, 3_000), st.integers(0, 3_000))
def test_a_rate_is_off_by_little_more_than_an_event(events, rest):
    of = events + rest
    shown = disclosure.rounded_rate(100 * events / of, events)
    assert abs(shown - 100 * events / of) <= 1.25 * 100 / of + 1e-6


def test_what_a_table_holds_is_what_it_shows():
    table = made()
    resource = table.to_resource()
    assert [row["spells"] for row in resource["data"]] == [12_345, 10, "*", 0, None]
    assert "12346" not in json.dumps(resource)
    assert resource["schema"]["missingValues"] == ["", "*"]
    assert resource["notes"] == [disclosure.NOTE]
    shown = table.to_html()
    assert '<td class="cbs-number">*</td>' in shown
    assert disclosure.NOTE in shown
    assert "12,345" in shown


def test_columns_that_are_not_shown_do_not_go_along():
    frame = FRAME.assign(pseudonym="x", events=FRAME["spells"])
    held = disclosure.table("T", frame, COLUMNS, ["spells"], {"share": "events"}).frame
    assert list(held) == list(COLUMNS)


def test_withheld_cells_are_valid_in_the_csv_tables(tmp_path):
    import frictionless

    files = table_files(pack(dataclasses.replace(finding(), table=made())), edited())
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    assert "C,*,*" in files["planned_care-daycases-table.csv"].decode()
    report = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])


def test_withheld_cells_are_asterisks_in_workbook_and_pdf(tmp_path):
    known, held = edited(), pack(dataclasses.replace(finding(), table=made(), chart=None))
    write_workbook(tmp_path / "5LE.xlsx", held, known, LOCAL)
    cells = [[cell.value for cell in row] for sheet in openpyxl.load_workbook(tmp_path / "5LE.xlsx") for row in sheet]
    assert ["C", "*", "*"] in [row[:3] for row in cells]
    assert disclosure.NOTE in [value for row in cells for value in row]
    write_pdf(tmp_path / "5LE.pdf", held, known, LOCAL)
    said = " ".join(" ".join(page.extract_text().split()) for page in pypdf.PdfReader(tmp_path / "5LE.pdf").pages)
    assert "C * *" in said
    assert "12,345" in said


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "no"), (3, "fewer than 8"), (8, "10"), (1_236, "1,235"), (np.nan, "not available")],
)
def test_counts_in_sentences(count, words):
    assert disclosure.count_in_words(count) == words


def test_pounds_are_rounded_and_rest_on_8_events():
    assert disclosure.pounds(12_349, 8) == 12_300
    assert math.isnan(disclosure.pounds(12_349, 7))


def test_estimates_of_areas_keep_no_true_count_and_none_on_too_few():
    found = pd.DataFrame(
        {
            "value": [1234 / 77.701, 50.0, 4.2],
            "lower": [15.1, 40.0, np.nan],
            "upper": [16.9, 60.0, np.nan],
            "numerator": [1_234, 7, np.nan],
            "denominator": [77_701, 14, np.nan],
        }
    )
    safe = disclosure.safe_estimates(found)
    assert safe["value"].tolist()[0] == pytest.approx(15.88)  # one event more is 15.894
    assert safe["numerator"].tolist()[0] == 1_235
    assert safe.loc[1, ["value", "lower", "upper", "numerator"]].isna().all()
    assert safe.loc[1, "denominator"] == 15
    assert safe.loc[2, "value"] == 4.2


# ---- The guard


def from_records(**more):
    source = (Citation("spell_flows", "Spells", "This project", "None"),)
    return dataclasses.replace(finding(), source=source, **{"key_figures": None, "table": None, **more})


def test_a_finding_from_records_with_a_small_count_in_a_table_is_a_mistake():
    bare = Table("Spells by trust", FRAME, COLUMNS)
    with pytest.raises(disclosure.DisclosiveError, match="'spells' in 'Spells by trust' is 7"):
        disclosure.checked(from_records(table=bare))
    disclosure.checked(from_records(table=made()))


def test_tables_of_a_finding_from_records_hold_numbers_as_they_are_read():
    columns = {"name": Column("Trust"), "share": Column("Share", unit="%", decimals=1)}
    bare = Table("T", pd.DataFrame({"name": ["A", "B"], "share": [100 / 147, np.nan]}), columns)
    safe = disclosure.checked(from_records(table=bare, members=made()))
    assert [row["share"] for row in safe.table.to_resource()["data"]] == [0.7, None]
    assert safe.members.to_resource() == made().to_resource()
    published = dataclasses.replace(finding(), table=bare)
    assert disclosure.checked(published) is published


@pytest.mark.parametrize("where", ["numerator", "denominator"])
def test_a_small_numerator_or_denominator_is_a_mistake(where):
    with pytest.raises(disclosure.DisclosiveError, match=f"the {where} is 3"):
        disclosure.checked(from_records(**{where: 3.0}))


def test_ranks_shares_and_published_figures_may_be_small():
    columns = {
        "name": Column("Trust"),
        "rank": Column("Rank", decimals=0),
        "pct": Column("Share", unit="%", decimals=0),
    }
    frame = pd.DataFrame({"name": ["A"], "rank": [1], "pct": [4]})
    disclosure.checked(from_records(table=Table("T", frame, columns)))
    disclosure.checked(dataclasses.replace(finding(), numerator=3.0))
