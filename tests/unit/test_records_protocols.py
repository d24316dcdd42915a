"""Bulk replacement and net change against a plain dictionary of records, and what a submission sent twice does."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_submissions import adds_up, contents, fast_folder, held, keys, make_params, send

from cbs_analysis.errors import UserError
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import close_month, import_files

MONTHS = ("2010-04", "2010-05", "2010-06")


@pytest.fixture(scope="module")
def place():
    with fast_folder() as folder:
        make_params(folder / "params")
        yield folder


@pytest.fixture
def store(place):
    number = len(list(place.iterdir()))
    return Store(place / f"records-{number}")


@pytest.fixture
def params(place):
    return place / "params"


def test_bulk_replaces_the_months_that_are_sent_and_leaves_the_others(store, params, place):
    file = place / "sent.csv"
    first = send(
        store,
        params,
        file,
        ["A1,RJ1,1,2010-04-01,", "A2,RJ1,1,2010-04-02,", "B1,RJ1,1,2010-05-01,", "C1,RJ2,1,2010-04-01,"],
    )
    second = send(store, params, file, ["A2,RJ1,7,2010-04-02,", "A3,RJ1,1,2010-04-03,"])
    assert (first.loaded, first.replaced, first.quarantined, first.removed) == (4, 0, 0, 0)
    assert (second.loaded, second.replaced, second.quarantined, second.removed) == (1, 1, 0, 1)
    assert keys(store) == {
        ("RJ1", "A2", "2010-04"), ("RJ1", "A3", "2010-04"), ("RJ1", "B1", "2010-05"), ("RJ2", "C1", "2010-04"),
    }  # fmt: skip
    assert {row["age"] for row in held(store) if row["cds_unique_identifier"] == "A2"} == {7}


def test_the_last_row_of_a_key_stands_and_the_earlier_count_as_replaced(store, params, place):
    outcome = send(
        store, params, place / "sent.csv", ["A1,RJ1,1,2010-04-01,", "A1,RJ1,2,2010-05-01,", "A1,RJ2,3,2010-04-01,"]
    )
    assert (outcome.sent, outcome.loaded, outcome.replaced) == (3, 2, 1)
    assert {(row["provider_code"], row["age"], row["row_number"]) for row in held(store)} == {
        ("RJ1", 2, 3),
        ("RJ2", 3, 4),
    }


def test_a_record_that_moves_to_another_month_leaves_the_old_one(store, params, place):
    send(store, params, place / "sent.csv", ["A1,RJ1,1,2010-04-01,", "A2,RJ1,1,2010-04-01,"])
    moved = send(store, params, place / "net.csv", ["update,A1,RJ1,1,2010-05-01,"], "net")
    assert (moved.loaded, moved.replaced, moved.removed) == (0, 1, 0)
    assert keys(store) == {("RJ1", "A1", "2010-05"), ("RJ1", "A2", "2010-04")}
    send(store, params, place / "sent.csv", ["A2,RJ1,1,2010-06-01,"])
    assert keys(store) == {("RJ1", "A1", "2010-05"), ("RJ1", "A2", "2010-06")}
    assert [month for _, month, _ in store.manifest.parts("visits")] == ["2010-05", "2010-06"]


def test_a_delete_needs_only_the_key_and_one_of_no_record_is_quarantined(store, params, place):
    send(store, params, place / "sent.csv", ["A1,RJ1,1,2010-04-01,"])
    outcome = send(
        store, params, place / "net.csv", ["delete,A1,RJ1,,,", "delete,A9,RJ1,,,", "delete,A1,RJ1,,,"], "net"
    )
    assert (outcome.loaded, outcome.replaced, outcome.quarantined, outcome.removed) == (0, 1, 2, 1)
    assert keys(store) == set()
    refused = [(row["row"], row["reason"]) for row in store.quarantine().to_pylist()]
    assert refused == [(3, "no such record"), (4, "no such record")]


def test_the_same_submission_twice_changes_nothing(store, params, place):
    file, changes = place / "sent.csv", place / "net.csv"
    send(store, params, file, ["A1,RJ1,1,2010-04-01,", "A2,RJ1,x,2010-04-01,"])
    before = contents(store.folder)
    again = send(store, params, file)
    assert again.is_unchanged and adds_up(again) and (again.loaded, again.quarantined) == (1, 1)
    send(store, params, changes, ["update,A1,RJ1,5,2010-04-01,", "delete,A8,RJ1,,,"], "net")
    assert contents(store.folder) != before
    before = contents(store.folder)
    assert send(store, params, changes, protocol="net").is_unchanged
    assert contents(store.folder) == before
    assert not send(store, params, file).is_unchanged, "the month holds something else by now"
    assert held(store)[0]["age"] == 1


def test_net_changes_that_were_imported_are_left_out_of_a_later_submission(store, params, place):
    first, second = place / "one.csv", place / "two.csv"
    send(store, params, first, ["insert,A1,RJ1,1,2010-04-01,"], "net")
    (place / "more").mkdir(exist_ok=True)
    send(Store(place / "more"), params, second, ["insert,A2,RJ1,1,2010-04-01,"], "net")
    outcome = import_files(store, "visits", [first, second], protocol="net", params=params)
    assert (outcome.sent, outcome.known) == (1, 1)
    assert "1 file left out" in outcome.sentence()


def test_the_same_files_in_the_same_order_make_the_same_store(place, params):
    states = []
    for name in ("same-1", "same-2"):
        store = Store(place / name)
        send(store, params, place / "sent.csv", ["A1,RJ1,1,2010-04-01,", "A2,RJ2,1,2010-04-01,"])
        send(store, params, place / "net.csv", ["delete,A1,RJ1,,,", "insert,A3,RJ1,1,2010-06-30,X"], "net")
        states.append((store.state, contents(store.folder)))
    assert states[0] == states[1]


def test_a_closed_month_takes_nothing_and_loses_nothing(store, params, place):
    send(store, params, place / "sent.csv", ["A1,RJ1,1,2010-04-01,", "A2,RJ1,1,2010-05-01,"])
    close_month(store, "2010-04")
    rows = ["A1,RJ1,9,2010-04-01,", "A3,RJ1,9,2010-04-01,", "A1,RJ1,9,2010-06-01,", "A4,RJ1,9,2010-05-01,"]
    outcome = send(store, params, place / "sent.csv", rows)
    assert (outcome.loaded, outcome.replaced, outcome.quarantined, outcome.removed) == (1, 0, 3, 1)
    assert outcome.submission.reasons == {"its record is in a closed month": 1, "month closed": 2}
    assert keys(store) == {("RJ1", "A1", "2010-04"), ("RJ1", "A4", "2010-05")}
    net = send(store, params, place / "net.csv", ["delete,A1,RJ1,,,"], "net")
    assert net.quarantined == 1 and ("RJ1", "A1", "2010-04") in keys(store)


@pytest.mark.parametrize("month", ["2010-4", "2010-13", "April", "2010-04-01", ""])
def test_a_month_to_close_is_a_month(store, month):
    with pytest.raises(UserError, match="write it like 2010-03"):
        close_month(store, month)


def test_a_list_is_replaced_whole(store, params, place):
    file = place / "practices.csv"
    file.write_text("gp_practice_code,pct_code\nF1,5LE\nF2,5LE\n")
    import_files(store, "practices", [file], params=params)
    file.write_text("gp_practice_code,pct_code\nF2,5K5\nF3,5K5\nF4,\n")
    outcome = import_files(store, "practices", [file], params=params)
    assert (outcome.loaded, outcome.replaced, outcome.quarantined, outcome.removed) == (1, 1, 1, 1)
    assert store.practices().to_dict("list") == {"gp_practice_code": ["F2", "F3"], "pct_code": ["5K5", "5K5"]}
    with pytest.raises(UserError, match="replaced whole"):
        import_files(store, "practices", [file], protocol="net", params=params)


class Model:
    """The same protocols, one row after the other, over a dictionary of months and ages by provider and key."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], tuple[str, int]] = {}
        self.closed: set[str] = set()

    def send(self, rows, protocol):
        before = dict(self.records)
        good = [row for row in rows if self.allowed(row, before)]
        counts = {"quarantined": len(rows) - len(good), "replaced": 0}
        if protocol == "bulk":
            sent = {(row[1], row[3]) for row in good}
            self.records = {key: value for key, value in self.records.items() if (key[0], value[0]) not in sent}
        there = set(before)
        for action, provider, key, month, age in good:
            if action == "delete":
                counts["quarantined"] += (provider, key) not in there
                there.discard((provider, key))
                self.records.pop((provider, key), None)
            else:
                there.add((provider, key))
                self.records[provider, key] = (month, age)
        counts["loaded"] = len(set(self.records) - set(before))
        counts["replaced"] = len(rows) - counts["quarantined"] - counts["loaded"]
        counts["removed"] = len(set(before) - set(self.records))
        return counts

    def allowed(self, row, before):
        action, provider, key, month, _ = row
        if action != "delete" and month in self.closed:
            return False
        return before.get((provider, key), ("", 0))[0] not in self.closed


row = st.tuples(
    st.sampled_from(["insert", "update", "delete"]), st.sampled_from(["RJ1", "RJ2"]),
    st.sampled_from(["K1", "K2", "K3", "K4"]), st.sampled_from(MONTHS), st.integers(0, 99),
)  # fmt: skip
step = st.one_of(
    st.tuples(st.sampled_from(["bulk", "net", "net"]), st.lists(row, min_size=1, max_size=6)),
    st.tuples(st.just("close"), st.sampled_from(MONTHS)),
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(step, min_size=1, max_size=5))
def test_any_sequence_of_submissions_does_what_it_does_to_a_dictionary(place, params, steps):
    store, model = Store(place / f"model-{len(list(place.iterdir()))}"), Model()
    for number, (protocol, what) in enumerate(steps):
        if protocol == "close":
            close_month(store, what)
            model.closed.add(what)
            continue
        rows = [("insert", *each[1:]) for each in what] if protocol == "bulk" else what
        lines = [f"{key},{provider},{age},{month}-0{1 + number}," for _, provider, key, month, age in rows]
        if protocol == "net":
            lines = [f"{each[0]},{line}" for each, line in zip(rows, lines, strict=True)]
        outcome = send(store, params, Path(place / "model.csv"), lines, protocol)
        if not outcome.is_unchanged:
            expected = model.send(rows, protocol)
            assert {name: getattr(outcome, name) for name in expected} == expected
        assert adds_up(outcome)
        found = {
            (each["provider_code"], each["cds_unique_identifier"]): (each["month"], each["age"]) for each in held(store)
        }
        assert found == model.records
        assert len(keys(store)) == store.rows("visits")
