"""Whatever is wrong with a file, each line is loaded, replaced or quarantined, or the store is as before."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from record_submissions import HEADER, fast_folder, held, make_params

from cbs_analysis.errors import UserError
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files

ROWS = [
    "A1,RJ1,44,2010-04-03,AA01",
    "A2,RJ1,,2010-04-09,",
    'A3,RJ2,81,2010-05-30,"B""1"',
    "A4,RJ2,0,2010-05-31,CC02",
    "A5,RJ1,102,2010-06-01,DD03",
]
WHOLE = "".join(f"{line}\n" for line in [HEADER, *ROWS]).encode()
PIECES = [
    b"",
    b'"',
    b",",
    b";",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xc3\xa9",
    b"\t",
    b" ",
    b"2010-13-01",
    b"01/04/2010",
    b"-1",
    b"9" * 40,
    b"\xef\xbb\xbf",
    b"\x1a",
    b"\r\n",
]

places = st.floats(0, 1, exclude_max=True)
change = st.one_of(
    st.tuples(st.just("insert"), places, st.sampled_from(PIECES)),
    st.tuples(st.just("replace"), places, st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("drop line"), places, st.none()),
    st.tuples(st.just("repeat line"), places, places),
    st.tuples(st.just("cut"), places, st.none()),
    st.tuples(st.just("encode"), places, st.sampled_from(["utf-16", "utf-8-sig", "cp500"])),
)


def mutated(content: bytes, kind: str, place: float, what: object) -> bytes:
    at = int(place * (len(content) + 1))
    lines = content.splitlines(keepends=True)
    line = int(place * len(lines)) if lines else 0
    if kind == "insert":
        return content[:at] + what + content[at:]
    if kind == "replace":
        return content[:at] + what + content[at + len(what) :]
    if kind == "drop line":
        return b"".join(lines[:line] + lines[line + 1 :])
    if kind == "repeat line":
        to = int(what * len(lines))
        return b"".join(lines[:to] + lines[line : line + 1] + lines[to:])
    if kind == "cut":
        return content[:at]
    return content.decode("latin-1").encode(what, errors="replace")


def data_lines(content: bytes) -> int:
    """Lines below the first, counted as `wc` counts them, with a last one that has no line feed."""
    return content.count(b"\n") + (not content.endswith(b"\n") and content != b"") - 1


def manifest_of(store):
    return (store.folder / "manifest.json").read_bytes()


def outcome_of(store, path, params):
    """What became of the file, or the line that says why it was refused."""
    try:
        return import_files(store, "visits", [path], params=params), ""
    except UserError as error:
        return None, str(error)


class World:
    """A store of a few records, begun anew now and then so that it does not grow with the number of examples."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.params, self.number = folder, make_params(folder / "params"), 0
        self.begin()

    def begin(self) -> None:
        self.number += 1
        self.store = Store(self.folder / f"records-{self.number}")
        (self.folder / "first.csv").write_bytes(WHOLE.replace(b"A5", b"A9"))
        import_files(self.store, "visits", [self.folder / "first.csv"], params=self.params)


@pytest.fixture(scope="module")
def world():
    with fast_folder() as folder:
        yield World(folder)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(change, min_size=1, max_size=4))
@example([("cut", 0.0, None)])
@example([("replace", 0.99, b"\r")])
@example([("insert", 0.999, b"\r")])
@example([("cut", 0.3, None), ("insert", 0.999, b"\n"), ("insert", 0.999, b"\n")])
@example([("insert", 0.5, b'"')])
def test_every_line_of_a_mutated_file_is_accounted_for_or_the_store_is_unchanged(world, changes):
    content = WHOLE
    for each in changes:
        content = mutated(content, *each)
    path = world.folder / "mutated.csv"
    path.write_bytes(content)
    if len(world.store.submissions) > 20:
        world.begin()
    store = world.store
    before, records = manifest_of(store), store.rows("visits")
    outcome, refusal = outcome_of(store, path, world.params)
    if outcome is None or outcome.is_unchanged:
        assert "\n" not in refusal
        assert manifest_of(store) == before
        Store(store.folder).check()
        assert outcome is None or outcome.sent == data_lines(content)
        return
    assert outcome.sent == outcome.loaded + outcome.replaced + outcome.quarantined == data_lines(content)
    assert len(held(store)) == records + outcome.loaded - outcome.removed
    refused = [row for row in store.quarantine().to_pylist() if row["submission"] == outcome.submission.id]
    assert len(refused) == outcome.quarantined
    lines = content.split(b"\n")
    for row in refused:
        assert row["raw"] == lines[row["row"] - 1].removesuffix(b"\r").decode("utf-8", errors="backslashreplace")
