"""Every odd end of a file, and every odd file of a lot: loaded, quarantined, or refused in one line; counts add up."""

import gzip
import io
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from record_submissions import HEADER, adds_up, contents, fast_folder, held, make_params, write

from cbs_analysis.errors import UserError
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files

GOOD = "A1,RJ1,44,2010-04-03,AA01"
BOM = "\ufeff"
WITHOUT_HEADER = """
title: Visits without a header
feed: visits
header: false
columns:
  - {name: a, field: cds_unique_identifier}
  - {name: b, field: provider_code}
  - {name: c, field: age}
  - {name: d, field: visit_date}
  - {name: e, field: hrg_code}
"""

ENDS = {
    "one carriage return": (f"{HEADER}\n{GOOD}\n\r", 1, {"an empty line": 1}),
    "one empty line below the header": (f"{HEADER}\n\n", 0, {"an empty line": 1}),
    "no line feed": (f"{HEADER}\n{GOOD}", 1, {}),
    "Windows line ends": (f"{HEADER}\r\n{GOOD}\r\n", 1, {}),
    "Windows line ends, none at the end": (f"{HEADER}\r\n{GOOD}", 1, {}),
    "carriage returns doubled": (f"{HEADER}\r\r\n{GOOD}\r\r\n", 0, {"a control character": 1}),
    "a NUL": (f"{HEADER}\n{GOOD}\n\0", 1, {"a control character": 1}),
    "a block of NULs": (f"{HEADER}\n{GOOD}\n" + "\0" * 4096, 1, {"a control character": 1}),
    "the end mark of DOS": (f"{HEADER}\n{GOOD}\n\x1a", 1, {"a control character": 1}),
    "a form feed": (f"{HEADER}\n{GOOD}\n\f", 1, {"a control character": 1}),
    "blanks": (f"{HEADER}\n{GOOD}\n   \n", 1, {"an empty line": 1}),
    "delimiters alone": (f"{HEADER}\n{GOOD}\n,,,,\n", 1, {"cds_unique_identifier: empty": 1}),
    "a quoted line feed": (f'{HEADER}\n{GOOD}\nA2,RJ1,1,2010-04-03,"A\n', 1, {"a quotation mark out of place": 1}),
    "a quoted line feed, closed": (
        f'{HEADER}\n{GOOD}\nA2,RJ1,1,2010-04-03,"A\n"\n', 1, {"a quotation mark out of place": 2},
    ),
    "half a character": (f"{HEADER}\n{GOOD}\n".encode() + b"\xc3", 1, {"not utf-8": 1}),
    "a byte order mark in the middle": (f"{HEADER}\n{BOM}{GOOD}\n", 0, {"a control character": 1}),
    "a byte order mark at the end": (f"{HEADER}\n{GOOD}\n{BOM}", 1, {"a control character": 1}),
}  # fmt: skip
WITHOUT_ROWS = {
    "only a header": HEADER,
    "only a header with a line feed": f"{HEADER}\n",
    "only a header with a carriage return": f"{HEADER}\r",
    "only a header after a byte order mark": f"{BOM}{HEADER}\r\n",
}
NO_RECORDS = {
    "nothing": ("", "is empty"),
    "a byte order mark alone": (BOM, "is empty"),
    "a line feed alone": ("\n", "is empty"),
    "a carriage return alone": ("\r", "is empty"),
    "blanks alone": (" ", "is empty"),
    "a NUL alone": ("\0", "unknown column"),
    "two byte order marks": (f"{BOM}{BOM}{HEADER}\n{GOOD}\n", "unknown column"),
    "carriage returns for line feeds": (f"{HEADER}\r{GOOD}\r", "carriage return alone"),
}


def encoded(content):
    return content if isinstance(content, bytes) else content.encode()


@pytest.fixture
def place():
    with fast_folder() as folder:
        make_params(folder / "params")
        (folder / "params" / "feeds" / "bare.yml").write_text(WITHOUT_HEADER)
        yield folder


def sent(place, content, feed="visits", also=()):
    path = place / "sent.csv"
    path.write_bytes(encoded(content))
    store = Store(place / "records")
    return store, import_files(store, feed, [*also, path], params=place / "params")


@pytest.mark.parametrize("compress", [encoded, lambda content: gzip.compress(encoded(content))], ids=["plain", "gzip"])
@pytest.mark.parametrize("end", ENDS)
def test_every_line_of_a_file_with_an_odd_end_is_accounted_for(place, end, compress):
    content, loaded, reasons = ENDS[end]
    store, outcome = sent(place, compress(content))
    assert (outcome.loaded, outcome.submission.reasons) == (loaded, reasons)
    assert adds_up(outcome) and len(held(store)) == loaded
    assert [row["reason"] for row in store.quarantine().to_pylist()] == [
        reason for reason, rows in reasons.items() for _ in range(rows)
    ]


@pytest.mark.parametrize("end", [end for end in ENDS if end != "a byte order mark in the middle"])
def test_so_it_is_in_a_file_without_a_header_and_in_one_of_many_files(place, end):
    content, loaded, reasons = ENDS[end]
    below = encoded(content).partition(b"\n")[2]
    _, outcome = sent(place, below, "bare", [write(place / "other.csv", ["Z1,RJ9,1,2009-01-01,"], header=None)])
    assert (outcome.loaded, outcome.quarantined) == (1 + loaded, sum(reasons.values()))
    assert adds_up(outcome)


@pytest.mark.parametrize("content", WITHOUT_ROWS.values(), ids=WITHOUT_ROWS)
def test_a_file_without_rows_changes_nothing_and_stops_no_other(place, content):
    store, outcome = sent(place, content)
    assert (outcome.sent, outcome.is_unchanged, len(store.submissions)) == (0, True, 0)
    store, outcome = sent(place, content, also=[write(place / "other.csv", ["Z1,RJ9,1,2009-01-01,"])])
    assert (outcome.sent, outcome.loaded) == (1, 1)
    assert [file.rows for file in store.submissions[0].files] == [1, 0]


@pytest.mark.parametrize("compress", [encoded, lambda content: gzip.compress(encoded(content))], ids=["plain", "gzip"])
@pytest.mark.parametrize(("content", "message"), NO_RECORDS.values(), ids=NO_RECORDS)
def test_a_file_without_a_header_line_is_refused_in_one_line(place, content, message, compress):
    also = [write(place / "other.csv", ["Z1,RJ9,1,2009-01-01,"])]
    for others in ([], also):
        with pytest.raises(UserError, match=message) as caught:
            sent(place, compress(content), also=others)
        assert "\n" not in str(caught.value) and "sent.csv" in str(caught.value)
        assert contents(place / "records") == {}


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        ("\n", {"an empty line": 1}),
        ("\r", {"an empty line": 1}),
        (BOM, {"an empty line": 1}),
        ("\0", {"a control character": 1}),
        (f"{GOOD}\r{GOOD}\r", {"a control character": 1}),
    ],
)
def test_where_no_header_is_expected_a_line_that_is_no_record_is_quarantined(place, content, reasons):
    _, outcome = sent(place, content, "bare")
    assert (outcome.sent, outcome.submission.reasons) == (1, reasons)


def as_parquet(table, **options):
    content = io.BytesIO()
    pq.write_table(table, content, **options)
    return content.getvalue()


def visits(**columns):
    rows = {
        "cds_unique_identifier": ["B1", "B2", "B3"], "provider_code": ["RJ1", "RJ1", "RJ2"], "age": [1, None, 120],
        "visit_date": [date(2010, 4, 3), date(2010, 4, 4), date(2010, 5, 1)], "hrg_code": ["AA01", "", None],
    }  # fmt: skip
    return pa.table(rows | columns)


def in_row_groups(*tables):
    content = io.BytesIO()
    with pq.ParquetWriter(content, visits().schema) as writer:
        for table in tables:
            writer.write_table(table)
    return content.getvalue()


def test_parquet_without_rows_or_with_empty_row_groups_is_read_as_what_it_is(place):
    for content in (as_parquet(visits().slice(0, 0)), in_row_groups()):
        store, outcome = sent(place, content)
        assert (outcome.sent, outcome.is_unchanged, len(store.submissions)) == (0, True, 0)
    _, outcome = sent(place, in_row_groups(visits().slice(0, 0), visits(), visits().slice(0, 0)))
    assert (outcome.sent, outcome.loaded) == (3, 3)
    with pytest.raises(UserError, match="is empty"):
        sent(place, as_parquet(pa.table({})))


@pytest.mark.parametrize(
    "days",
    [
        pa.array([2**31 - 1, -(2**31), 14700], pa.date32()),
        pa.array([2**53, -(2**53), 14700 * 86_400_000], pa.date64()),
        pa.array([2**62, -(2**62), 14700 * 86_400_000_000], pa.timestamp("us")),
        pa.array([2**40, -(2**40), 14700 * 86_400], pa.timestamp("s")),
        pa.array([3_000_000 * 86_400, -800_000 * 86_400, 14700 * 86_400], pa.timestamp("s")),
    ],
    ids=["date32", "date64", "microseconds", "seconds", "midnights"],
)
def test_days_of_parquet_beyond_any_calendar_are_quarantined(place, days):
    store, outcome = sent(place, as_parquet(visits(visit_date=days)))
    assert (outcome.loaded, outcome.submission.reasons) == (1, {"visit_date: not a day": 2})
    assert adds_up(outcome) and len(held(store)) == 1


@pytest.mark.parametrize(
    "values", [pa.nulls(3), pa.array([1, 2, 3], pa.float32()), pa.array([1.0, 2.0, float("nan")], pa.float16())]
)
def test_numbers_of_parquet_of_any_width_are_read(place, values):
    _, outcome = sent(place, as_parquet(visits(age=values)))
    assert (outcome.loaded, outcome.quarantined) == (3, 0)
