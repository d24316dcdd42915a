"""A chapter reads what it declares and nothing else, by whatever road; a table that is read again is read as it is."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cbs_analysis import pack as packs
from cbs_analysis import tables
from cbs_analysis.chapters.findings import Basis, Chapter
from cbs_analysis.errors import UndeclaredSourceError, UserError
from cbs_analysis.pack import open_pack
from cbs_analysis.tables import declared

OPEN = "population_change"
SHUT = "population_by_age"
CHECKOUT = Path(__file__).resolve().parents[2]
DESCRIBED = {
    entry["name"]: entry["path"]
    for entry in json.loads((CHECKOUT / "data" / "datapackage.json").read_text(encoding="utf-8"))["resources"]
}
ROADS = {
    "pandas": pd.read_csv,
    "pandas, its python engine": lambda path: pd.read_csv(path, engine="python"),
    "pandas, mapped": lambda path: pd.read_csv(path, memory_map=True),
    "pandas, a handle": lambda path: pd.read_csv(Path(path).open(encoding="utf-8")),  # noqa: SIM115
    "pandas, a text of the path": lambda path: pd.read_csv(str(path)),
    "open": lambda path: open(path, encoding="utf-8").close(),  # noqa: PTH123
    "open, bytes": lambda path: open(os.fsencode(path), "rb").close(),  # noqa: PTH123
    "os.open": lambda path: os.close(os.open(path, os.O_RDONLY)),
    "pathlib's text": lambda path: path.read_text(encoding="utf-8"),
    "pathlib's bytes": lambda path: path.read_bytes(),
    "numpy": lambda path: np.fromfile(path, dtype=np.uint8),
    "a relative path": lambda path: Path(os.path.relpath(path)).read_bytes(),
    "a way round": lambda path: (path.parent / ".." / path.parent.name / path.name).read_bytes(),
    "another working folder": lambda path: (os.chdir(path.parent), Path(path.name).read_bytes()),
}


@pytest.fixture
def data(make_home, monkeypatch) -> Path:
    """The data folder of a home; what the process was held to is put back after the test."""
    home = make_home(first=["1"])
    monkeypatch.chdir(home)
    monkeypatch.setattr(declared, "_held", None)
    monkeypatch.setattr(tables, "_read", {})
    return home / "data"


def file_of(data: Path, table: str) -> Path:
    return data / "published" / f"{table}.csv"


@pytest.mark.parametrize("road", ROADS)
def test_a_file_of_a_table_that_is_not_declared_is_refused_by_every_road(data, road):
    declared.hold_to([OPEN], data)
    with pytest.raises(UndeclaredSourceError) as caught:
        ROADS[road](file_of(data, SHUT))
    assert f"data/published/{SHUT}.csv is read but not declared" in str(caught.value)
    assert "add its table to the list `tables` in the notebook" in str(caught.value)


@pytest.mark.parametrize("road", ROADS)
def test_a_declared_table_and_the_reference_tables_are_open_to_every_road(data, road):
    declared.hold_to([OPEN], data)
    ROADS[road](file_of(data, OPEN))
    ROADS[road](data / "reference" / "areas.csv")


def test_the_description_of_the_data_and_what_lies_outside_are_open(data):
    declared.hold_to([], data)
    assert (data / "datapackage.json").read_text(encoding="utf-8")
    assert (data.parent / "params" / "indicators.yml").read_text(encoding="utf-8")
    beside = data.parent / "data of ours.csv"
    beside.write_text("x")
    assert beside.read_text() == "x"


def test_a_file_of_the_folder_that_no_table_has_is_refused_too(data):
    (data / "published" / "notes.csv").write_text("x")
    declared.hold_to([OPEN, SHUT], data)
    with pytest.raises(UndeclaredSourceError, match=r"published/notes.csv"):
        (data / "published" / "notes.csv").read_text()


def test_what_a_process_is_held_to_can_be_changed(data):
    declared.hold_to([OPEN], data)
    declared.hold_to([SHUT], data)
    assert file_of(data, SHUT).read_bytes()
    with pytest.raises(UndeclaredSourceError):
        file_of(data, OPEN).read_bytes()


def test_a_data_folder_that_is_a_link_is_held_like_any_other(data):
    data.rename(data.parent / "figures")
    data.symlink_to(data.parent / "figures")
    declared.hold_to([OPEN], data)
    assert file_of(data, OPEN).read_bytes()
    with pytest.raises(UndeclaredSourceError):
        file_of(data, SHUT).read_bytes()


def test_a_link_from_elsewhere_to_a_table_that_is_not_declared_is_refused(data):
    link = data.parent / "link.csv"
    link.symlink_to(file_of(data, SHUT))
    declared.hold_to([OPEN], data)
    with pytest.raises(UndeclaredSourceError):
        link.read_bytes()


def test_a_table_that_is_a_link_is_held_like_any_other(data):
    for table in (OPEN, SHUT):
        elsewhere = data.parent / f"{table} of elsewhere.csv"
        file_of(data, table).rename(elsewhere)
        file_of(data, table).symlink_to(elsewhere)
    declared.hold_to([OPEN], data)
    assert file_of(data, OPEN).read_bytes()
    with pytest.raises(UndeclaredSourceError):
        file_of(data, SHUT).read_bytes()


@pytest.mark.parametrize("table", DESCRIBED)
def test_a_table_is_read_where_it_is_declared_and_a_reference_table_anywhere(data, table):
    declared.hold_to([] if DESCRIBED[table].startswith("reference/") else [table], data)
    assert len(tables.read(table, data))


def test_a_read_of_an_undeclared_table_names_it_even_where_it_was_read_before(data):
    age(data)
    tables.read(SHUT, data)
    declared.hold_to([OPEN], data)
    with pytest.raises(UndeclaredSourceError, match=rf"'{SHUT}' is read but not declared: add it to the list `tables`"):
        tables.read(SHUT, data)


def test_a_pack_reads_what_it_was_opened_for_and_the_reference_tables(data):
    pack = open_pack("5LE", "2011-12", [OPEN])
    assert len(pack.read(OPEN))
    assert len(pack.read("areas"))
    with pytest.raises(UndeclaredSourceError, match=rf"'{SHUT}' is read but not declared: add it to the list `tables`"):
        pack.read(SHUT)
    assert declared._held is None, "outside a notebook only the pack is held, not the process"


def test_a_pack_that_was_opened_for_nothing_in_particular_reads_everything(data):
    assert len(open_pack("5LE", "2011-12").read(SHUT))


def test_a_pack_opened_for_a_table_that_is_none_says_which_is_nearest(data):
    with pytest.raises(UserError, match=r"no table 'population_chnage'; nearest: population_change"):
        open_pack("5LE", "2011-12", ["population_chnage"])


def test_in_a_notebook_the_whole_kernel_is_held(data, monkeypatch):
    monkeypatch.setattr(packs, "_is_notebook", lambda: True)
    open_pack("5LE", "2011-12", [OPEN])
    with pytest.raises(UndeclaredSourceError):
        pd.read_csv(file_of(data, SHUT))
    with pytest.raises(UndeclaredSourceError):
        tables.read(SHUT, data)


def test_a_finding_does_not_cite_a_table_whose_description_is_not_part_of_the_key(data):
    pack = open_pack("5LE", "2011-12", [OPEN])
    with pytest.raises(UndeclaredSourceError):
        Chapter("care", "monitoring").finding(
            pack, "one", title="One", statement="One is one.", basis=Basis("2010/11", [SHUT])
        )


def test_a_table_in_a_folder_that_is_a_link_is_read_again_when_it_changed(data):
    age(data)
    (data / "reference").rename(data.parent / "elsewhere")
    (data / "reference").symlink_to(data.parent / "elsewhere")
    assert "Southwark" in tables.read("areas", data).to_string()
    path = data.parent / "elsewhere" / "areas.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("Southwark", "Southwalk"), encoding="utf-8")
    assert "Southwalk" in tables.read("areas", data).to_string()


def age(data: Path) -> None:
    """Let every file have been changed an hour ago."""
    for path in data.rglob("*"):
        os.utime(path, (path.stat().st_atime - 3600, path.stat().st_mtime - 3600))
        os.utime(path, (1_000_000_000, 1_000_000_000))


@pytest.fixture
def reads(data, monkeypatch) -> list[str]:
    """Which tables were read from their files, and not from memory."""
    read, real = [], tables._checked
    monkeypatch.setattr(tables, "_checked", lambda table, folder: (read.append(table), real(table, folder))[1])
    return read


def test_a_table_is_read_once_while_no_file_changes(data, reads):
    age(data)
    first, second = tables.read("areas", data), tables.read("areas", data)
    assert reads == ["areas"]
    assert first.equals(second)


@pytest.mark.parametrize("seconds_ago", [0, 60])
def test_a_table_whose_file_changed_is_read_again(data, reads, seconds_ago):
    age(data)
    path = data / "reference" / "areas.csv"
    before = tables.read("areas", data)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Southwark", "Southwalk"), encoding="utf-8")
    stamp = path.stat().st_mtime_ns - seconds_ago * 10**9
    os.utime(path, ns=(stamp, stamp))
    after = tables.read("areas", data)
    assert reads == ["areas", "areas"]
    assert "Southwalk" in after.to_string() and "Southwalk" not in before.to_string()


def test_a_change_within_one_tick_of_the_clock_is_seen(data):
    age(data)
    path = data / "reference" / "areas.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("Southwark", "Southwalk"), encoding="utf-8")
    stamp = path.stat().st_mtime_ns
    assert "Southwalk" in tables.read("areas", data).to_string()
    path.write_text(text.replace("Southwark", "Southwick"), encoding="utf-8")
    os.utime(path, ns=(stamp, stamp))
    assert "Southwick" in tables.read("areas", data).to_string()


def test_a_table_that_is_gone_or_broken_since_is_not_answered_from_memory(data):
    age(data)
    tables.read(OPEN, data)
    file_of(data, OPEN).unlink()
    with pytest.raises(UserError, match=OPEN):
        tables.read(OPEN, data)


def test_another_home_has_its_own_tables(data, reads, tmp_path):
    age(data)
    tables.read("areas", data)
    data.rename(tmp_path / "moved")
    tables.read("areas", tmp_path / "moved")
    assert reads == ["areas", "areas"]


def test_what_one_caller_adds_drops_or_renames_another_does_not_see(data, reads):
    age(data)
    first = tables.read("areas", data)
    columns, rows = list(first.columns), len(first)
    first["new"] = 1
    first[columns[1]] = "changed"
    first.drop(columns=columns[2], inplace=True)
    first.rename(columns={columns[0]: "renamed"}, inplace=True)
    first.index = first.index + 10
    second = tables.read("areas", data)
    assert reads == ["areas"]
    assert list(second.columns) == columns
    assert len(second) == rows
    assert second.index[0] == 0
    assert "changed" not in set(second[columns[1]])
