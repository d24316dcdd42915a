"""The run record says what became of every notebook, whichever run made it; files are whole or absent."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cbs_analysis.errors import DataError
from cbs_analysis.files import write_atomically
from cbs_analysis.run_record import Journal
from cbs_analysis.runner import NotebookRecord, read_run, run_path

OFFERED = (("5LE", "care"), ("5LE", "outlook"), ("SEL", "care"))
DONE = NotebookRecord("5LE", "care", "done", 1.5)
FAILED = NotebookRecord("SEL", "care", "failed", 2.5, 7, "ValueError", "no such month\nsecond line", "line 1\nline 2")


def record_outcome(edition, record, offered):
    """One run of one notebook."""
    journal = Journal(edition, offered)
    journal.append(record)
    journal.fold()


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


def test_what_was_recorded_is_read_back(build):
    record_outcome("2011-12", FAILED, OFFERED)
    assert read_run("2011-12").notebooks == (FAILED,)
    assert read_run("2011-12").failed == (FAILED,)


def test_what_is_only_in_the_journal_is_read_too_and_is_the_later_word(build):
    record_outcome("2011-12", FAILED, OFFERED)
    journal, later = Journal("2011-12", OFFERED), replace(FAILED, status="done", seconds=9.0)
    journal.append(later)
    journal.append(DONE)
    assert read_run("2011-12").notebooks == (later, DONE)
    journal.fold()
    assert read_run("2011-12").notebooks == (DONE, later)
    assert [path.name for path in run_path("2011-12").parent.iterdir()] == ["run.json"]


def test_a_journal_that_a_run_left_is_folded_by_the_next(build):
    Journal("2011-12", OFFERED).append(FAILED)
    Journal("2011-12", OFFERED).append(DONE)
    assert json.loads(run_path("2011-12").read_text(encoding="utf-8"))["notebooks"][0]["message"] == FAILED.message
    Journal("2011-12", OFFERED).fold()
    assert read_run("2011-12").notebooks == (DONE, FAILED)
    assert [path.name for path in run_path("2011-12").parent.iterdir()] == ["run.json"]


@pytest.mark.parametrize("kept", [1, 20, -1, -2])
def test_a_last_line_that_was_cut_off_is_left_out_and_the_lines_before_it_count(build, kept):
    journal = Journal("2011-12", OFFERED)
    journal.append(replace(FAILED, message="Ynys Môn"))
    whole = run_path("2011-12").with_name("run.journal").read_bytes()
    journal.append(DONE)
    path = run_path("2011-12").with_name("run.journal")
    second = path.read_bytes().removeprefix(whole).rstrip(b"\n")
    path.write_bytes(whole + second[:kept])
    assert [record.message for record in read_run("2011-12").notebooks] == ["Ynys Môn"]


def test_the_record_on_disk_has_the_fields_that_others_read(build):
    record_outcome("2011-12", replace(FAILED, made_from={"notebook": "abc"}, digest="def"), OFFERED)
    content = json.loads((build / "editions" / "2011-12" / "run.json").read_text(encoding="utf-8"))
    assert content["edition"] == "2011-12"
    assert content["made_from"] == [{"notebook": "abc"}]
    assert read_run("2011-12").notebooks[0].made_from == {"notebook": "abc"}
    assert content["version"]
    assert content["notebooks"] == [
        {
            "area_code": "SEL",
            "chapter": "care",
            "status": "failed",
            "seconds": 2.5,
            "cell": 7,
            "error": "ValueError",
            "message": "no such month\nsecond line",
            "traceback": "line 1\nline 2",
            "made_from": 0,
            "digest": "def",
        }
    ]


def test_a_partial_run_is_laid_over_earlier_ones_in_pack_order(build):
    for record in (FAILED, DONE, replace(DONE, chapter="outlook")):
        record_outcome("2011-12", record, OFFERED)
    record_outcome("2011-12", replace(FAILED, status="done", cell=None, error=None), OFFERED)
    run = read_run("2011-12")
    assert [record.key for record in run.notebooks] == list(OFFERED)
    assert run.failed == ()


def test_what_the_edition_no_longer_offers_is_dropped(build):
    record_outcome("2011-12", FAILED, OFFERED)
    record_outcome("2011-12", DONE, OFFERED[:2])
    assert read_run("2011-12").notebooks == (DONE,)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "1"}', '{"version": "1", "notebooks": [{}]}'])
def test_a_file_that_is_no_run_record_is_said_to_readers_and_counts_as_none_for_the_next_run(build, text):
    write_atomically(run_path("2011-12"), text)
    with pytest.raises(DataError, match=r"2011-12/run.json: not a run record; run cbs packs again"):
        read_run("2011-12")
    record_outcome("2011-12", DONE, OFFERED)
    assert read_run("2011-12").notebooks == (DONE,)


@pytest.mark.parametrize("read", ["read_text", "read_bytes"])
def test_what_a_run_folds_in_the_middle_of_a_reading_is_not_missed(build, monkeypatch, read):
    record_outcome("2011-12", DONE, OFFERED)
    journal = Journal("2011-12", OFFERED)
    journal.append(FAILED)
    stock = getattr(Path, read)

    def and_folded_then(path, **how):
        monkeypatch.setattr(Path, read, stock)
        content = stock(path, **how)
        journal.fold()
        return content

    monkeypatch.setattr(Path, read, and_folded_then)
    assert read_run("2011-12").notebooks == (DONE, FAILED)
    assert not run_path("2011-12").with_name("run.journal").exists()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (FAILED, "cell 7: ValueError: no such month"),
        (replace(FAILED, cell=None, message=None), "ValueError"),
        (replace(FAILED, message="  \n"), "cell 7: ValueError"),
        (DONE, ""),
    ],
)
def test_a_failure_is_told_in_one_line(record, reason):
    assert record.reason == reason


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "page.txt"
    write_atomically(path, "first")
    write_atomically(path, "Ynys Môn")
    assert path.read_text(encoding="utf-8") == "Ynys Môn"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_draft(tmp_path):
    path = tmp_path / "page.txt"
    write_atomically(path, "first")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "half of it \ud800")
    assert path.read_text(encoding="utf-8") == "first"
    assert list(tmp_path.iterdir()) == [path]
