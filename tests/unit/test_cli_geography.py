"""`cbs geography redraw`: any grouping becomes a geography and an edition; homes of an older layout are refused."""

import json
from pathlib import Path

import pytest
import six_areas
import yaml
from typer.testing import CliRunner

from cbs_analysis import redrawing
from cbs_analysis.cli.geography import app
from cbs_analysis.edition import load_edition
from cbs_analysis.errors import UserError
from cbs_analysis.geography import load_geography
from cbs_analysis.layouts import refuse_older_layout
from cbs_analysis.tables import check_tables

GROUPS = "area,group\nW1,North End\nBirch,North End\nw3,Été\nW4,Été\nElm,Été\nW6,East End\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return six_areas.make(tmp_path / "home")


@pytest.fixture
def redraw(home, tmp_path):
    def run(text: str = GROUPS, name: str = "", title: str = "", edition: str = "county") -> redrawing.Redrawn:
        file = tmp_path / "Our groups.csv"
        file.write_text(text, encoding="utf-8")
        return redrawing.redraw(file, name, edition, title, home / "data", home / "params")

    return run


def test_groups_become_a_geography_with_the_leaves_and_the_whole_as_they_were(home, redraw):
    result = redraw()
    there = load_geography("our_groups", home / "data")
    assert not result.was_there
    assert {area.name: area.members for area in there.areas.values() if area.level == "group"} == {
        "North End": ("W1", "W2"),
        "Été": ("W3", "W4", "W5"),
        "East End": ("W6",),
    }
    assert there.whole.code == "ALLW"
    assert {area.level for area in there.peers} == {"ward"}
    assert there.levels == ("ward", "group", "county")
    assert there.year == 2023
    assert there.nation is None
    assert load_geography("places", home / "data").at_level("place")[0].members == ("W1", "W2", "W3")
    assert {result.status for result in check_tables(home / "data")} == {"passed"}


def test_the_edition_is_a_copy_with_its_comments_over_the_new_geography(home, redraw):
    redraw(title="Three groups")
    text = (home / "params" / "editions" / "our_groups.yml").read_text(encoding="utf-8")
    expected = (
        six_areas.EDITION.replace("title: Arbour evidence", "title: 'Arbour evidence: Three groups'")
        .replace("[places]", "[our_groups]")
        .replace("[place, county]", "[group, county]")
    )
    assert text == expected
    edition = load_edition("our_groups", home / "params")
    assert edition.geography == "our_groups"
    assert edition.chapters_at("our_groups", "group") == ("outlook",)
    assert load_geography("our_groups", home / "data").title == "Three groups"


def test_the_nation_of_the_geography_is_kept(tmp_path):
    base = load_geography("sector_2009", six_areas.CHECKOUT / "data")
    groups = {"One": [area.code for area in base.peers[:9]], "Two": [area.code for area in base.peers[9:]]}
    rows = redrawing._rows("two", "Two", groups, base, six_areas.CHECKOUT / "data")
    assert rows["geography_names"][0]["nation_code"] == "ENG"


def test_codes_come_from_names_and_clash_with_nothing(home):
    groups = ["West Ward", "Ward", "East", "east wing", "Never Again", "Not", "No", "東", "12 Trees", "Anna's Bay"]
    codes = redrawing._codes(groups, "group", home / "data")
    assert codes["West Ward"] == "WW"
    assert len(set(codes.values())) == len(groups)
    taken = {cell for lines in six_areas.FILES.values() for line in lines for cell in line.upper().split(",")}
    assert not taken & set(codes.values())
    assert codes["Never Again"] != "NA"
    for code in codes.values():
        assert code.isascii() and code.isalnum() and code.isupper()
        assert 2 <= len(code) <= 9
        assert isinstance(yaml.safe_load(code), str)
        with pytest.raises(ValueError, match="could not convert"):
            float(code)


def test_the_same_file_again_changes_nothing(home, redraw):
    redraw()
    before = six_areas.files(home)
    assert redraw().was_there
    assert six_areas.files(home) == before


@pytest.mark.parametrize("stopped_before", range(1, 5))
def test_a_run_that_was_killed_between_two_files_is_completed_by_the_same_again(
    home, redraw, monkeypatch, tmp_path, stopped_before
):
    whole = six_areas.make(tmp_path / "whole")
    (tmp_path / "Our groups.csv").write_text(GROUPS, encoding="utf-8")
    redrawing.redraw(tmp_path / "Our groups.csv", "", "county", "", whole / "data", whole / "params")
    with monkeypatch.context() as patched:
        patched.setattr(redrawing, "_write", lambda changed: [
            path.write_text(text, encoding="utf-8") for path, text in list(changed.items())[:stopped_before]
        ])  # fmt: skip
        redraw()
    redraw()
    assert six_areas.files(home) == six_areas.files(whole)


def test_a_file_that_cannot_be_written_leaves_all_as_it_was(home, redraw, monkeypatch):
    before, write = six_areas.files(home), redrawing.write_atomically

    def fails_at_the_edition(path, content):
        if path == home / "params" / "editions" / "our_groups.yml":
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(redrawing, "write_atomically", fails_at_the_edition)
    with pytest.raises(UserError, match="No space left on device; nothing was changed"):
        redraw()
    assert six_areas.files(home) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GROUPS.replace("W6,East End\n", ""), "W6 (Fir) is in no group; each area must be in one"),
        (GROUPS.replace("W4", "W9"), "line 5: 'W9' is not one of the 6 wards of places; nearest: W"),
        (GROUPS.replace("W4", "W1"), "line 5: 'W1' is duplicated; it is on line 2 already"),
        (GROUPS.replace("W4,Été", "W4,"), "line 5: group is empty"),
        (GROUPS.replace("W4,Été", ",Été"), "line 5: area is empty"),
        (GROUPS.replace("area,group", "code,place"), "the columns are code, place; they must be area, group"),
        (GROUPS.replace("East End", "Ash"), "group 'Ash' has the name of the area or group 'Ash'"),
        (GROUPS.replace("East End", "north end"), "group 'north end' has the name of the area or group 'North End'"),
        (GROUPS.replace("East End", "Arbour"), "has the name of the area or group 'Arbour'"),
        ("area,group\n" + "".join(f"{code},One\n" for code in six_areas.LEAVES), "there is one group"),
        (GROUPS.replace(",", ";"), "separated by semicolons"),
        ("", "is empty"),
    ],
)
def test_a_list_that_is_no_grouping_is_one_line_and_nothing_is_written(home, redraw, text, words):
    before = six_areas.files(home)
    with pytest.raises(UserError) as error:
        redraw(text)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert six_areas.files(home) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "places"}, "geography 'places' is there already with other groups or title"),
        ({"name": "county"}, "params/editions/county.yml is another edition"),
        ({"name": "Our groups"}, "must be small letters"),
        ({"edition": "contry"}, "'contry' is not in params/editions; nearest: county"),
    ],
)
def test_a_name_that_is_taken_or_unknown_is_one_line_and_nothing_is_written(home, redraw, options, words):
    before = six_areas.files(home)
    with pytest.raises(UserError, match=words):
        redraw(**options)
    assert six_areas.files(home) == before


def test_a_broken_reference_table_is_one_line_and_nothing_is_written(home, redraw):
    with (home / "data" / "reference" / "areas.csv").open("a", encoding="utf-8") as file:
        file.write("W7,Gorse\n")
    before = six_areas.files(home)
    with pytest.raises(UserError, match=r"areas\.csv, line 11: 2 values, must be 6"):
        redraw()
    assert six_areas.files(home) == before


def test_other_groups_under_the_same_name_are_refused(home, redraw):
    redraw()
    before = six_areas.files(home)
    with pytest.raises(UserError, match="is there already with other groups"):
        redraw(GROUPS.replace("W4,Été", "W4,North End"))
    with pytest.raises(UserError, match="is there already with other groups or title"):
        redraw(title="Another title")
    assert six_areas.files(home) == before


def test_a_geography_drawn_over_a_drawn_one_has_codes_of_its_own(home, redraw):
    redraw()
    second = redraw(GROUPS.replace("W4,Été", "W4,North End"), name="second", edition="our_groups")
    first = load_geography("our_groups", home / "data")
    assert not {area.code for area in second.groups} & set(first.areas)
    assert load_edition("second", home / "params").geographies == ("second",)
    assert {result.status for result in check_tables(home / "data")} == {"passed"}


def test_the_command_says_what_it_made_and_alone_lists_its_commands(home, tmp_path, monkeypatch):
    monkeypatch.setenv("CBS_HOME", str(home))
    file = tmp_path / "ours.csv"
    file.write_text(GROUPS, encoding="utf-8")
    result = CliRunner().invoke(app, ["redraw", str(file), "--edition", "county"])
    assert result.exit_code == 0
    assert "6 areas in 3 groups: NE North End (2), ETE Été (3), EE East End (1)" in result.stdout
    assert "cbs packs --edition ours" in result.stdout
    again = CliRunner().invoke(app, ["redraw", str(file), "--edition", "county"])
    assert "there already; nothing was changed" in again.stdout
    assert "redraw" in CliRunner().invoke(app, []).output


def notebook(*sources: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": source.splitlines(True)} for source in sources]})


OLD = notebook('area_code = "none"', 'sources = ["beds"]\npack = open_pack(area_code, edition, sources)')


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (
            "data/reference/boroughs.csv",
            "code\n",
            "data/reference/boroughs.csv is of an older layout: .*area_parts.csv",
        ),
        ("data/reference/pct_successions.csv", "code\n", "pct_successions.csv is .*rename it area_successions.csv"),
        ("data/reference/areas.csv", "area_code,area_name,ons_code,kind\n", "ons_code is of an older layout"),
        ("data/reference/areas.csv", "area_code,area_name\n", "column kind is missing"),
        ("notebooks/beds.ipynb", OLD, r"notebooks/beds\.ipynb, cell 2: the list `sources` .*call it `tables`"),
        ("build/editions/county/W1/beds.ipynb", OLD, "was built by an older version.*remove it and run cbs packs"),
    ],
)
def test_what_is_of_an_older_layout_is_named_with_its_remedy(home, monkeypatch, file, text, words):
    monkeypatch.delenv("CBS_BUILD", raising=False)
    refuse_older_layout(home)
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    (home / file).write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=words) as error:
        refuse_older_layout(home)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "cells",
    [
        ['tables = ["beds"]\npack = open_pack(area_code, edition, tables)', "sources = 1"],
        ["# sources = a word in a comment"],
        ["if sources == 1:\n    pass"],
        ["other_sources = 1"],
    ],
)
def test_a_notebook_that_only_mentions_sources_is_not_of_an_older_layout(home, monkeypatch, cells):
    monkeypatch.delenv("CBS_BUILD", raising=False)
    (home / "notebooks").mkdir()
    (home / "notebooks" / "beds.ipynb").write_text(notebook(*cells), encoding="utf-8")
    (home / "notebooks" / "broken.ipynb").write_text("{", encoding="utf-8")
    refuse_older_layout(home)


@pytest.mark.parametrize("command", [["packs", "--edition", "county"], ["check"], ["publish", "--edition", "county"]])
def test_commands_refuse_an_older_home_before_anything_else(home, monkeypatch, command):
    from cbs_analysis import cli

    monkeypatch.setenv("CBS_HOME", str(home))
    (home / "data" / "reference" / "boroughs.csv").write_text("code\n")
    result = CliRunner().invoke(cli.app, command)
    assert isinstance(result.exception, UserError)
    assert "boroughs.csv is of an older layout" in str(result.exception)
