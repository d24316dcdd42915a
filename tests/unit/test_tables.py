"""A pack's tables as CSV, and the archives that they travel in."""

import csv
import io
import json
import subprocess
import zipfile

import frictionless
import pytest
from packs_made_up import HOSTILE, edited, finding, pack

from cbs_analysis.publishing.archive import CHECKSUMS, checksums, zipped
from cbs_analysis.publishing.tables import table_files


@pytest.fixture
def files():
    return table_files(pack(finding(words=HOSTILE)), edited())


def rows(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8"))))


def test_each_table_of_each_finding_is_a_file_and_the_findings_are_one(files):
    assert sorted(files) == [
        "datapackage.json", "findings.csv", "planned_care-daycases-key-figures.csv", "planned_care-daycases-table.csv",
    ]  # fmt: skip


def test_numbers_are_those_of_the_notebook_and_gaps_are_empty(files):
    first, second = rows(files["planned_care-daycases-table.csv"])
    assert first["rate"] == "80.123456789"
    assert second["rate"] == ""
    assert (first["events"], second["events"]) == ("1234", "-5")
    (found,) = rows(files["findings.csv"])
    assert (found["value"], found["comparator"], found["comparator_value"]) == ("80.123456789", "London", "78.5")
    assert found["flagged"] == "false"


def test_the_description_is_valid_and_names_publishers_and_licence(files, tmp_path):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    report = frictionless.validate(str(tmp_path / "datapackage.json"))
    assert report.valid, report.flatten(["type", "note"])
    package = json.loads(files["datapackage.json"])
    assert package["licenses"][0]["name"] == "OGL-UK-3.0"
    assert all("Department of Health" in item["sources"][0]["title"] for item in package["resources"])


def test_hostile_text_comes_through_whole(files):
    assert HOSTILE in rows(files["findings.csv"])[0]["statement"]


def test_a_carriage_return_in_a_text_is_no_end_of_a_row():
    content = table_files(pack(finding(words="one\rtwo\r\nthree")), edited())["findings.csv"]
    assert b"\r" not in content
    assert "one\ntwo\nthree" in rows(content)[0]["statement"]


def test_an_archive_is_the_same_bytes_in_any_order_and_holds_what_it_was_given():
    content = {"b.txt": b"two", "a/b.txt": b"one"}
    made = zipped(content)
    assert made == zipped(dict(reversed(content.items())))
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == content


def test_checksums_are_what_sha256sum_reads(tmp_path):
    content = {"b.txt": b"two", "a b.txt": b"one"}
    for name, written in content.items():
        (tmp_path / name).write_bytes(written)
    (tmp_path / CHECKSUMS).write_bytes(checksums(content))
    command = ["sha256sum", "--check", "--strict", CHECKSUMS]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    (tmp_path / "b.txt").write_bytes(b"three")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
