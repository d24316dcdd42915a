"""Tables derived from records are read from the store in use, while they are of what it holds, and from no other."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cbs_analysis import tables
from cbs_analysis.errors import DataError
from cbs_analysis.home import data_dir
from cbs_analysis.runner.cache_keys import CacheKeys, digest_of_home, named_files
from cbs_analysis.tables import derived, descriptions

TABLE = "records_received"


def make_store(folder: Path, is_synthetic: bool, rows: int = 1) -> Path:
    """A store as far as derived tables go: a manifest with one submission, and one table derived from it."""
    (folder / "derived").mkdir(parents=True)
    manifest = {"version": 1, "submissions": [{"is_synthetic": is_synthetic, "sent": rows}]}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    about = derived.TABLES[TABLE]
    entry = {
        "name": TABLE, "path": f"derived/{TABLE}.parquet", "title": "T", "publisher": "P", "period": "2010",
        "geography": "G", "attribution": "A", "caveats": [], "description": "D",
        "schema": {
            "fields": [{"name": name, "type": kind, "description": means} for name, (kind, means, _) in
                       about.columns.items()],
            "primaryKey": list(about.key),
        },
    }  # fmt: skip
    stamp = derived.store_stamp(folder)
    assert stamp is not None
    package = {"store": stamp.digest, "made_from": "key", "resources": [entry]}
    (folder / derived.DESCRIPTION).write_text(json.dumps(package), encoding="utf-8")
    counts = {name: [rows] for name in list(about.columns)[1:]}
    pq.write_table(pa.table({"feed": ["apc"], **counts}), derived.path_of(TABLE, folder))
    return folder


@pytest.fixture
def home(make_home, monkeypatch):
    monkeypatch.delenv("CBS_RECORDS", raising=False)
    folder = make_home(chapter=[f"tables = ['{TABLE}']"], other=["tables = []"])
    make_store(folder / "build" / "synthetic-records", is_synthetic=True)
    return folder


def key_of(home, chapter="chapter"):
    return CacheKeys(home, "2011-12").parts(chapter)


def test_the_store_in_use_is_the_one_named_then_the_imported_one_then_the_simulated_one(home, tmp_path, monkeypatch):
    assert derived.store_in_use() == home / "build" / "synthetic-records"
    assert descriptions.table_description(TABLE).synthetic
    real = make_store(home / "build" / "records", is_synthetic=False, rows=2)
    assert derived.store_in_use() == real
    named = make_store(tmp_path / "named", is_synthetic=True, rows=3)
    monkeypatch.setenv("CBS_RECORDS", str(named))
    assert derived.store_in_use() == named
    monkeypatch.setenv("CBS_RECORDS", str(tmp_path / "empty"))
    assert derived.store_in_use() == home / "build" / "synthetic-records"


def test_tables_of_one_store_never_show_in_a_build_of_another(home, tmp_path, monkeypatch):
    """Real records came without the label "synthetic", and simulated ones would have gone without it too."""
    assert tables.read(TABLE, data_dir())["sent"].tolist() == [1]
    monkeypatch.setenv("CBS_RECORDS", str(make_store(tmp_path / "real", is_synthetic=False, rows=2)))
    assert tables.read(TABLE, data_dir())["sent"].tolist() == [2]
    assert not descriptions.table_description(TABLE).synthetic
    monkeypatch.delenv("CBS_RECORDS")
    assert tables.read(TABLE, data_dir())["sent"].tolist() == [1]
    assert descriptions.table_description(TABLE).synthetic


def test_tables_moved_to_another_store_are_refused(home, tmp_path, monkeypatch):
    other = make_store(tmp_path / "other", is_synthetic=False, rows=2)
    shutil.rmtree(other / "derived")
    shutil.copytree(home / "build" / "synthetic-records" / "derived", other / "derived")
    monkeypatch.setenv("CBS_RECORDS", str(other))
    assert derived.descriptions() == {}
    with pytest.raises(DataError, match=r"records_received: was derived before the store last changed .*records ready"):
        tables.read(TABLE, data_dir())
    with pytest.raises(DataError, match="was derived before the store last changed"):
        descriptions.table_description(TABLE)


def test_after_another_import_they_are_not_read_until_they_are_derived_again(home):
    manifest = home / "build" / "synthetic-records" / "manifest.json"
    manifest.write_text(manifest.read_text(encoding="utf-8") + " ", encoding="utf-8")
    with pytest.raises(DataError, match="was derived before the store last changed"):
        derived.read(TABLE)
    with pytest.raises(DataError, match=r"notebooks/chapter\.ipynb: records_received: was derived before"):
        key_of(home)
    assert key_of(home, "other")


def test_where_there_are_none_the_error_says_how_to_make_them(home):
    shutil.rmtree(home / "build" / "synthetic-records" / "derived")
    with pytest.raises(DataError, match=r"is not derived yet .*cbs records ready"):
        derived.read(TABLE)


def test_whether_a_table_is_synthetic_is_what_the_stores_manifest_says(home):
    description = home / "build" / "synthetic-records" / derived.DESCRIPTION
    package = json.loads(description.read_text(encoding="utf-8"))
    for given in ({}, {"synthetic": False}):
        package["resources"][0] |= given
        description.write_text(json.dumps(package), encoding="utf-8")
        assert descriptions.table_description(TABLE).synthetic


def test_the_key_of_a_notebook_that_reads_them_changes_with_the_store(home, tmp_path, monkeypatch):
    before, other = key_of(home), key_of(home, "other")
    everything = digest_of_home(home)
    monkeypatch.setenv("CBS_RECORDS", str(make_store(tmp_path / "named", is_synthetic=True)))
    assert key_of(home) == before, "another folder with the same store is the same input"
    monkeypatch.setenv("CBS_RECORDS", str(make_store(tmp_path / "real", is_synthetic=False)))
    after = key_of(home)
    assert {part for part in after if after[part] != before[part]} == {f"figures: {TABLE}"}
    assert key_of(home, "other") == other
    assert digest_of_home(home) != everything


def test_a_copy_of_the_home_has_them_with_the_manifest_that_they_are_checked_against(home, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    for name, path in named_files(home).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy / name)
    assert digest_of_home(copy, copy / "records") == digest_of_home(home)
    monkeypatch.setenv("CBS_RECORDS", str(copy / "records"))
    monkeypatch.setenv("CBS_HOME", str(copy))
    assert derived.read(TABLE)["sent"].tolist() == [1]


def test_a_process_held_to_its_sources_opens_no_other_derived_table(home):
    code = (
        "from cbs_analysis.tables import declared, derived; from cbs_analysis.home import data_dir;"
        f"declared.hold_to({{}}, data_dir()); open(derived.path_of('{TABLE}'), 'rb')"
    )
    done = subprocess.run([sys.executable, "-c", code.format("[]")], capture_output=True, text=True, check=False)
    assert "derived/records_received.parquet is read but not declared" in done.stderr
    subprocess.run([sys.executable, "-c", code.format(f"['{TABLE}']")], check=True)
