"""A file that is not what its feed says: one line, or a reason in quarantine, and the store as it was."""

import gzip
import subprocess
import sys
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_submissions import HEADER, contents, fast_folder, held, make_params, send

from cbs_analysis.errors import UserError
from cbs_analysis.records import store as store_module
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files
from cbs_analysis.records.submitted_files import LONGEST_LINE

GOOD = "A1,RJ1,44,2010-04-03,AA01"


@pytest.fixture
def place():
    with fast_folder() as folder:
        make_params(folder / "params")
        yield folder


@pytest.fixture
def store(place):
    store = Store(place / "records")
    send(store, place / "params", place / "first.csv", ["Z1,RJ9,1,2009-01-01,"])
    return store


def refused_whole(store, place, content, feed="visits", protocol="bulk", name="sent.csv"):
    path = place / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = contents(store.folder)
    with pytest.raises(UserError) as caught:
        import_files(store, feed, [path], protocol=protocol, params=place / "params")
    assert contents(store.folder) == before
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value).replace(str(path), "FILE")


def quarantined(store, place, line, feed="visits"):
    """The one refused line of three."""
    path = place / "sent.csv"
    path.write_bytes(b"\n".join([HEADER.encode(), GOOD.encode(), line, GOOD.replace("A1", "A2").encode(), b""]))
    outcome = import_files(store, feed, [path], params=place / "params")
    assert (outcome.sent, outcome.loaded, outcome.quarantined) == (3, 2, 1)
    row = store.quarantine().to_pylist()[-1]
    assert (row["file"], row["row"]) == ("sent.csv", 3)
    return row


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (HEADER.replace("age", "years"), "FILE, line 1: unknown column 'years'; valid: age"),
        (HEADER.replace("hrg_code", "hrg_cod"), "FILE, line 1: unknown column 'hrg_cod'; nearest: hrg_code"),
        (f"{HEADER},extra", "FILE, line 1: unknown column 'extra'; valid: age, cds_unique_identifier"),
        (HEADER.replace(",age", ""), "FILE, line 1: column 'age' is missing; it belongs after 'provider_code'"),
        (HEADER.replace(",age", ",provider_code"), "FILE, line 1: column 'provider_code' is duplicated"),
        (HEADER.replace("provider_code,age", "age,provider_code"), "column 2 is 'age' where 'provider_code' belongs"),
        (HEADER.replace(",", ";"), "columns are told apart by ';', where params/feeds/visits.yml says ','"),
        (HEADER.replace(",", "\t"), r"columns are told apart by '\t'"),
        (f"record_action,{HEADER}", "record_action belongs to net changes; import with --protocol net"),
        (f"Visits of April\n{HEADER}", "is not the header, which is on line 2; remove the line above it"),
        (GOOD, "FILE, line 1: is no header but a record; put one above it, cds_unique_identifier,provider_code,age"),
        ("", "FILE, line 1: is empty; the header belongs there: cds_unique_identifier,provider_code,age"),
    ],
)
def test_a_header_that_is_not_the_feeds_is_refused_with_what_would_be_right(store, place, header, said):
    assert said in refused_whole(store, place, f"{header}\n{GOOD}\n")


def test_a_file_that_cannot_be_read_is_refused_whole(store, place):
    text = f"{HEADER}\n{GOOD}\n".encode()
    whole = gzip.compress(text * 1000)
    assert "is empty" in refused_whole(store, place, b"")
    assert "is empty" in refused_whole(store, place, gzip.compress(b""))
    assert "cut off or damaged" in refused_whole(store, place, whole[:-20])
    assert "cut off or damaged" in refused_whole(store, place, whole[: len(whole) // 2])
    assert "cut off or damaged" in refused_whole(store, place, whole[:-6] + b"\0\0\0\0\0\0")
    assert "UTF-16" in refused_whole(store, place, text.decode().encode("utf-16"))
    assert "a zip archive or a workbook" in refused_whole(store, place, b"PK\x03\x04 and more")
    assert "byte 0xe9 is no utf-8" in refused_whole(store, place, b"caf\xe9" + text)
    assert "carriage return alone" in refused_whole(store, place, text.replace(b"\n", b"\r"))
    assert "starts as UTF-8 does" in refused_whole(store, place, b"\xef\xbb\xbf" + text, "own")
    assert "no record_action" in refused_whole(store, place, text, protocol="net")
    assert "is named as Parquet and is not" in refused_whole(store, place, text, name="sent.parquet")
    with pytest.raises(UserError, match="no such file"):
        import_files(store, "visits", [place / "none.csv"], params=place / "params")
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        import_files(store, "visits", [place], params=place / "params")


def test_one_bad_file_keeps_the_good_ones_of_its_submission_out(store, place):
    good, bad = place / "good.csv", place / "bad.csv"
    good.write_text(f"{HEADER}\n{GOOD}\n")
    bad.write_text("something else\n")
    before = contents(store.folder)
    with pytest.raises(UserError, match=r"bad\.csv"):
        import_files(store, "visits", [good, bad], params=place / "params")
    assert contents(store.folder) == before


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"B1,RJ1,44", "wrong number of values", "3 values, expected 5"),
        (b"", "an empty line", "the line is empty"),
        (b'B1,RJ1,44,2010-04-03,"AA01', "a quotation mark out of place", "not closed"),
        (b'B1,RJ1,44,2010-04-03,AA"1', "a quotation mark out of place", 'write "A ""B"" C"'),
        (b'"B1","RJ1","44","2010-04-03",A"A"1', "a quotation mark out of place", "inside a value"),
        (b"B1,RJ1,44,2010-04-03,A\xe91", "not utf-8", "byte 0xe9 at 23 is no utf-8"),
        (b"B1,RJ1,44,2010-04-03,A\x001", "a control character", "character 0x00 at 23"),
        (HEADER.encode(), "a second header", "a line of column names"),
        (b"B1,RJ1,44,03/04/2010,AA01", "visit_date: not a day", "is '03/04/2010'; expected a date like 2010-04-30"),
        (b"B1,RJ1,44,2010-02-30,AA01", "visit_date: not a day", "2010-02-30"),
        (b"B1,RJ1,44,,AA01", "visit_date: empty", "visit_date is empty; a value is required"),
        (b"B1, ,44,2010-04-03,AA01", "provider_code: empty", "provider_code is empty"),
        (b"B1,RJ1,44.5,2010-04-03,AA01", "age: not a whole number", "age is '44.5'; expected an integer"),
        (b"B1,RJ1,9999999999,2010-04-03,AA01", "age: not a whole number", "9999999999"),
        (b"B1,RJ1,44,2010-04-03,AA01Z9", "hrg_code: too long", "hrg_code is 'AA01Z9'; expected at most 5 characters"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_goes_to_quarantine_alone(store, place, line, reason, detail):
    row = quarantined(store, place, line)
    assert row["reason"] == reason
    assert detail in row["detail"]
    assert row["raw"] == line.decode(errors="backslashreplace")


def test_values_are_read_without_blanks_and_with_quotation_marks_where_they_belong(store, place):
    send(store, place / "params", place / "sent.csv", ['"B1", RJ1 ,+7,2010-04-03,"A""1"'])
    row = next(row for row in held(store) if row["cds_unique_identifier"] == "B1")
    assert row == {
        "cds_unique_identifier": "B1", "provider_code": "RJ1", "age": 7, "visit_date": date(2010, 4, 3),
        "hrg_code": 'A"1', "month": "2010-04", "file_id": 2, "row_number": 2,
    }  # fmt: skip


def test_windows_line_ends_a_byte_order_mark_and_gzip_are_read_as_what_they_are(store, place):
    path = place / "sent.csv.gz"
    path.write_bytes(gzip.compress(b"\xef\xbb\xbf" + f"{HEADER}\r\n{GOOD}\r\n".encode()))
    outcome = import_files(store, "visits", [path], params=place / "params")
    assert (outcome.sent, outcome.loaded) == (1, 1)


def test_a_line_of_many_megabytes_is_quarantined_in_little_memory(place):
    path = place / "long.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(f"{HEADER}\n{GOOD}\n".encode())
        for _ in range(160):
            file.write(b"x" * (1 << 20))
        file.write(f"\n{GOOD.replace('A1', 'A2')}\n".encode())
    code = (
        "import resource, sys; from pathlib import Path; from cbs_analysis.records.submissions import import_files;"
        "from cbs_analysis.records.store import Store; place = Path(sys.argv[1]);"
        "most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = most();"
        "outcome = import_files(Store(place / 'long'), 'visits', [place / 'long.csv.gz'], params=place / 'params');"
        "print(outcome.sent, outcome.loaded, outcome.quarantined, most() - before)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(place)], check=True, capture_output=True, text=True).stdout
    *counts, kilobytes = map(int, said.split())
    assert counts == [3, 2, 1]
    assert kilobytes < 100_000
    row = Store(place / "long").quarantine().to_pylist()[0]
    assert (row["row"], row["reason"], row["raw"]) == (3, "longer than 1 MB", "x" * 2000)


def test_a_line_is_too_long_by_one_byte_wherever_it_stands_in_the_file(store, place):
    longest = "x" * LONGEST_LINE
    for before in (0, 3_000_000, 4_190_000):
        filler = [f"F{number},RJ1,1,2010-04-03,{'y' * 200}" for number in range(before // 220)]
        outcome = send(store, place / "params", place / "sent.csv", [*filler, longest, f"{longest}x", GOOD])
        assert outcome.submission.reasons.get("longer than 1 MB") == 1
        assert outcome.submission.reasons.get("wrong number of values") == 1
        assert outcome.loaded + outcome.replaced == 1 and outcome.sent == len(filler) + 3


def test_a_mapping_brings_an_extract_with_other_names_codes_dates_and_constants(store, place):
    path = place / "own.csv"
    path.write_bytes(
        "Number;Remark;Day;Group\nN1;café;03/04/2010;AA01\nN2;;2010-04-03;none\nN3;;1/4/2010;none\n".encode("cp1252")
    )
    outcome = import_files(store, "own", [path], params=place / "params")
    assert (outcome.loaded, outcome.quarantined) == (2, 1)
    rows = {row["cds_unique_identifier"]: row for row in held(store)}
    assert (rows["N1"]["provider_code"], rows["N1"]["hrg_code"], rows["N1"]["age"]) == ("RJZ", "AA01", None)
    assert (rows["N3"]["visit_date"], rows["N3"]["hrg_code"]) == (date(2010, 4, 1), None)
    detail = store.quarantine().to_pylist()[0]["detail"]
    assert detail == "Day (visit_date) is '2010-04-03'; expected a date like 30/04/2010"


def visits(**columns):
    rows = {
        "cds_unique_identifier": ["B1", "B2", "B3"], "provider_code": ["RJ1", "RJ1", "RJ2"], "age": [1, None, 120],
        "visit_date": [date(2010, 4, 3), date(2010, 4, 4), date(2010, 5, 1)], "hrg_code": ["AA01", "", None],
    }  # fmt: skip
    return pa.table(rows | columns)


def parquet(place, table, **options):
    pq.write_table(table, place / "sent.parquet", **options)
    return place / "sent.parquet"


def test_parquet_is_read_as_csv_is(store, place):
    table = visits()
    as_dictionary = table.set_column(1, "provider_code", table["provider_code"].dictionary_encode())
    for each in (table, as_dictionary):
        import_files(store, "visits", [parquet(place, each, row_group_size=2)], params=place / "params")
        found = [(row["cds_unique_identifier"], row["age"], row["hrg_code"], row["row_number"]) for row in held(store)][
            :3
        ]
        assert found == [("B1", 1, "AA01", 1), ("B2", None, None, 2), ("B3", 120, None, 3)]


@pytest.mark.parametrize(
    ("columns", "refused"),
    [
        ({"age": ["1", "x", " 3 "]}, [(2, "age: not a whole number")]),
        ({"age": [1.0, None, 2.5]}, [(3, "age: not a whole number")]),
        ({"age": pa.array([1, 2, 1 << 40], pa.int64())}, [(3, "age: not a whole number")]),
        ({"visit_date": ["2010-04-03", "03/04/2010", None]}, [(2, "visit_date: not a day"), (3, "visit_date: empty")]),
        (
            {"visit_date": [datetime(2010, 4, 3), datetime(2010, 4, 3, 14, 5), datetime(2010, 5, 1)]},
            [(2, "visit_date: not a day")],
        ),
        ({"hrg_code": ["AA01", "LONGER", "B"]}, [(2, "hrg_code: too long")]),
        ({"hrg_code": pa.array(["AA01", "LONGER", "B"]).dictionary_encode()}, [(2, "hrg_code: too long")]),
        ({"provider_code": ["RJ1", "  ", None]}, [(2, "provider_code: empty"), (3, "provider_code: empty")]),
    ],
)
def test_values_of_parquet_are_held_to_the_same_rules(store, place, columns, refused):
    outcome = import_files(store, "visits", [parquet(place, visits(**columns))], params=place / "params")
    assert [(row["row"], row["reason"]) for row in store.quarantine().to_pylist()] == refused
    assert outcome.loaded == 3 - len(refused)


def test_parquet_of_other_columns_or_cut_off_is_refused_whole(store, place):
    whole = parquet(place, visits()).read_bytes()
    assert "cut off or damaged" in refused_whole(store, place, whole[:-10], name="sent.parquet")
    assert "cut off or damaged" in refused_whole(store, place, whole[:200], name="sent.parquet")
    wrong = parquet(place, visits(hrg_code=[[1], [2], [3]])).read_bytes()
    assert "column 'hrg_code' is of type list" in refused_whole(store, place, wrong, name="sent.parquet")
    number = parquet(place, visits(hrg_code=[1, 2, 3])).read_bytes()
    assert "expected text for hrg_code" in refused_whole(store, place, number, name="sent.parquet")
    more = parquet(place, visits(month=["a", "b", "c"])).read_bytes()
    assert "unknown column 'month'" in refused_whole(store, place, more, name="sent.parquet")


def test_synthetic_and_real_records_are_kept_apart(store, place):
    marked = visits().replace_schema_metadata({"cbs:synthetic": "true"})
    with pytest.raises(UserError, match=r"holds real records, and .* holds synthetic ones; name another folder"):
        import_files(store, "visits", [parquet(place, marked)], params=place / "params")
    other = Store(place / "other")
    import_files(other, "visits", [parquet(place, marked)], params=place / "params")
    assert other.is_synthetic and not store.is_synthetic
    with pytest.raises(UserError, match="is not marked as such"):
        send(other, place / "params", place / "sent.csv", [GOOD])


@pytest.mark.parametrize("files", range(4))
def test_no_space_at_any_write_leaves_the_store_as_before(store, place, monkeypatch, files):
    before, put, done = contents(store.folder), store_module.Store.put, []

    def full(self, folder, content):
        if len(done) == files:
            raise OSError(28, "No space left on device")
        done.append(put(self, folder, content))
        return done[-1]

    def no_room(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.Store, "put", full)
    monkeypatch.setattr(store_module, "write_atomically", no_room)
    rows = [GOOD, GOOD.replace("RJ1", "RJ2"), GOOD.replace("RJ1", "RJ3")]
    with pytest.raises(UserError, match="no space left on device; make room and import again; the store is as before"):
        send(store, place / "params", place / "sent.csv", rows)
    assert contents(store.folder) == before
    left = {str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file()}
    assert left == {*before, ".lock"}


def test_a_limit_on_the_size_of_files_is_one_line_too(store, place):
    before = contents(store.folder)
    code = (
        "import resource, signal, sys; from pathlib import Path; from cbs_analysis.errors import UserError;"
        "from cbs_analysis.records.submissions import import_files; from cbs_analysis.records.store import Store;"
        "place = Path(sys.argv[1]); signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600));\n"
        "try: import_files(Store(place / 'records'), 'visits', [place / 'sent.csv'], params=place / 'params')\n"
        "except UserError as error: print(error)"
    )
    (place / "sent.csv").write_text(f"{HEADER}\n{GOOD}\n")
    said = subprocess.run([sys.executable, "-c", code, str(place)], check=True, capture_output=True, text=True).stdout
    assert "file too large; the store is as before" in said
    assert contents(store.folder) == before
