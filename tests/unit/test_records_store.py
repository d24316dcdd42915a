"""What the store is to those who read it, and how it guards what it holds."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import ibis
import pytest
from record_submissions import contents, fast_folder, make_params, send

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.home import params_dir
from cbs_analysis.records.feeds import load_feed
from cbs_analysis.records.provider_merge import RowLimit
from cbs_analysis.records.store import Store, stored_schema
from cbs_analysis.records.submissions import import_files, status

ROWS = ["A1,RJ1,1,2010-04-01,", "A2,RJ1,x,2010-04-01,", "A3,RJ2,1,2010-05-01,X"]


@pytest.fixture
def place():
    with fast_folder() as folder:
        make_params(folder / "params")
        yield folder


@pytest.fixture
def store(place):
    store = Store(place / "records")
    send(store, place / "params", place / "sent.csv", ROWS)
    return store


def test_files_lie_by_feed_provider_and_month_and_are_found_by_them(store):
    shown = [str(path.parent.relative_to(store.folder)) for path in store.files("visits")]
    assert shown == ["feed=visits/provider=RJ1/month=2010-04", "feed=visits/provider=RJ2/month=2010-05"]
    assert len(store.files("visits", providers=["RJ2"])) == len(store.files("visits", months=["2010-04"])) == 1
    assert store.files("visits", ["RJ2"], ["2010-04"]) == store.files("apc") == []


def test_a_table_has_the_fields_then_month_file_and_row(store):
    table = store.table("visits", ibis.duckdb.connect())
    assert table.columns == (
        "cds_unique_identifier", "provider_code", "age", "visit_date", "hrg_code", "month", "file_id", "row_number",
    )  # fmt: skip
    rows = table.order_by("row_number").execute().to_dict("records")
    assert [(row["month"], row["file_id"], row["row_number"]) for row in rows] == [("2010-04", 1, 2), ("2010-05", 1, 4)]


@pytest.mark.parametrize("feed", ["apc", "op", "ae"])
def test_an_empty_store_has_tables_with_every_column_and_no_row(tmp_path, feed):
    store = Store(tmp_path / "none")
    table = store.table(feed, ibis.duckdb.connect())
    assert list(table.columns) == stored_schema(load_feed(feed, params_dir())).names
    assert table.count().execute() == 0
    assert store.practices().columns.tolist() == ["gp_practice_code", "pct_code"] and store.practices().empty
    assert not (tmp_path / "none").exists() and not store.is_synthetic and store.received().empty


def test_a_provider_whose_code_is_no_name_for_a_folder_is_kept_all_the_same(store, place):
    rows = [f"B{number},{code},1,2010-04-01," for number, code in enumerate(["../X", "..", "a/b", "%2F", "é"])]
    outcome = send(store, place / "params", place / "sent.csv", rows)
    assert outcome.loaded == 5
    found = store.table("visits", ibis.duckdb.connect()).provider_code.execute()
    assert {"../X", "..", "a/b", "%2F", "é", "RJ1", "RJ2"} == set(found)
    assert all(store.folder in path.resolve().parents for path in store.files("visits"))


def test_what_was_sent_and_refused_is_told_by_feed_and_reason(store, place):
    send(store, place / "params", place / "sent.csv", ["A1,RJ1,y,2010-04-01,", "A1,RJ1,1,2010-04-01,"])
    assert store.received().to_dict("records") == [
        {"feed": "visits", "sent": 5, "loaded": 2, "replaced": 1, "quarantined": 2}
    ]
    assert store.refused().to_dict("records") == [{"feed": "visits", "reason": "age: not a whole number", "rows": 2}]
    assert [row["submission"] for row in store.quarantine().to_pylist()] == [1, 2]
    said = status(store)
    assert (
        "visits: 2 records of 2 providers, 2010-04 to 2010-05; ever sent 5 rows in = 2 loaded + 1 replaced + " in said
    )
    assert "2. visits, bulk, sent.csv: 2 rows in = 0 loaded + 1 replaced + 1 quarantined" in said


def test_the_sentence_of_an_import_shows_the_sum_and_the_first_refusals(place):
    outcome = send(Store(place / "other"), place / "params", place / "sent.csv", ROWS)
    first, why, such, where = outcome.sentence().split("\n")
    assert first == "visits: 3 rows in = 2 loaded + 0 replaced + 1 quarantined"
    assert why == "Quarantined: 1 age: not a whole number; such as"
    assert such == "  sent.csv, line 3: age is 'x'; expected an integer"
    assert where.startswith("All of them: quarantine/")


def test_progress_is_told_by_files(store, place):
    told = []
    paths = []
    for number in range(3):
        paths.append(place / f"{number}.csv")
        paths[-1].write_text((place / "sent.csv").read_text().replace("A", f"B{number}"))
    import_files(
        store, "visits", paths, params=place / "params", on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_a_store_of_a_newer_version_is_left_alone_with_one_line(store, place):
    manifest = store.folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 2, "more": []}))
    before = contents_as_they_lie(store)
    with pytest.raises(UserError, match="of format 2, and this version of cbs reads up to 1; update cbs"):
        Store(store.folder)
    with pytest.raises(UserError, match="of format 2"):
        send(store, place / "params", place / "sent.csv", ["B1,RJ1,1,2010-04-01,"])
    assert contents_as_they_lie(store) == before


@pytest.mark.parametrize(
    "broken",
    ["", "{", "[]", '{"version": 1}', '{"version": 1, "feeds": {"visits": 3}, "submissions": [], "closed": []}'],
)
def test_a_broken_manifest_is_one_line(store, broken):
    (store.folder / "manifest.json").write_text(broken)
    with pytest.raises(DataError, match=r"manifest\.json is broken"):
        Store(store.folder)


def test_a_file_that_is_missing_or_cut_off_is_one_line_and_nothing_is_written(store, place):
    path = store.files("visits")[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for said in (f"has {len(whole) - 1:,} bytes where it had {len(whole):,}", "is missing"):
        with pytest.raises(DataError, match=said):
            Store(store.folder).table("visits", ibis.duckdb.connect())
        with pytest.raises(DataError, match=said):
            send(store, place / "params", place / "sent.csv", ["B1,RJ1,1,2010-04-01,"])
        path.unlink(missing_ok=True)


def test_a_folder_that_holds_something_else_is_left_alone(place):
    (place / "thesis").mkdir()
    (place / "thesis" / "chapter.tex").write_text("words")
    with pytest.raises(
        UserError, match=r"holds chapter\.tex and no manifest\.json; name a record store or a new folder"
    ):
        Store(place / "thesis")


def test_what_a_stopped_import_left_goes_at_the_next_write(store, place):
    left = [store.folder / ".staging" / "0-0.arrow", store.files("visits")[0].with_name("0123.parquet")]
    left[0].parent.mkdir()
    for path in left:
        path.write_bytes(b"half")
    before = contents(store.folder)
    assert send(store, place / "params", place / "sent.csv").is_unchanged
    assert contents(store.folder) == before
    assert not any(path.exists() for path in left)


def test_a_second_writer_is_told_to_wait_and_a_reader_is_not(store, place):
    inside, done = threading.Event(), threading.Event()

    def write():
        with Store(store.folder).writing():
            inside.set()
            done.wait(20)

    writer = threading.Thread(target=write)
    writer.start()
    inside.wait(20)
    try:
        with pytest.raises(UserError, match="another command is writing to it; wait until it has ended"):
            send(store, place / "params", place / "sent.csv", ["B1,RJ1,1,2010-04-01,"])
        assert Store(store.folder).table("visits", ibis.duckdb.connect()).count().execute() == 2
    finally:
        done.set()
        writer.join()
    assert send(store, place / "params", place / "sent.csv").loaded == 1


def test_the_same_content_has_the_same_state_and_other_content_another(store, place):
    states = [store.state]
    for rows in (ROWS, ["B1,RJ1,1,2010-04-01,"]):
        send(store, place / "params", place / "sent.csv", rows)
        states.append(store.state)
        assert Store(store.folder).state == store.state
    assert states[0] == states[1] != states[2]


def contents_as_they_lie(store):
    return {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


def test_providers_are_merged_at_one_time_while_there_is_room_and_a_large_one_alone():
    room, held, most = RowLimit(10), [], []
    lock = threading.Lock()

    def work(rows):
        with room.held(rows):
            with lock:
                held.append(rows)
                most.append(tuple(held))
            sleep(0.01)
            with lock:
                held.remove(rows)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [25, 4, 5, 6, 3, 12, 2]))
    assert len(most) == 7
    assert all(sum(each) <= 10 or len(each) == 1 for each in most)
    assert any(len(each) > 1 for each in most)
