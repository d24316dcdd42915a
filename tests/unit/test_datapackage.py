"""The description of the figures is valid, complete, and true of the files it describes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2] / "data"
PACKAGE = json.loads((DATA / "datapackage.json").read_text(encoding="utf-8"))
RESOURCES = {resource["name"]: resource for resource in PACKAGE["resources"]}


def test_frictionless_finds_the_package_valid() -> None:
    """The validator as a reader would run it: it holds every cell to its type and constraints."""
    command = [sys.executable, "-m", "frictionless", "validate", "data/datapackage.json", "--json"]
    done = subprocess.run(command, cwd=DATA.parent, capture_output=True, text=True, check=False)
    report = json.loads(done.stdout)
    assert report["valid"], report["errors"] or [task["errors"][:1] for task in report["tasks"]]
    assert {task["name"] for task in report["tasks"]} == set(RESOURCES)
    assert done.returncode == 0


def test_every_file_is_described_and_every_description_has_its_file() -> None:
    files = {path.relative_to(DATA).as_posix() for path in DATA.rglob("*.csv")}
    assert files == {resource["path"] for resource in RESOURCES.values()}


@pytest.mark.parametrize("table", RESOURCES)
def test_every_column_is_described_in_its_order(table: str) -> None:
    with (DATA / RESOURCES[table]["path"]).open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    fields = RESOURCES[table]["schema"]["fields"]
    assert header == [field["name"] for field in fields]
    assert all(field["description"] for field in fields)


@pytest.mark.parametrize("table", RESOURCES)
def test_every_number_has_a_unit(table: str) -> None:
    numbers = [field for field in RESOURCES[table]["schema"]["fields"] if field["type"] in ("integer", "number")]
    assert [field["name"] for field in numbers if not field.get("unit")] == []


@pytest.mark.parametrize("table", RESOURCES)
def test_every_table_says_whose_it_is_and_under_what_licence(table: str) -> None:
    resource = RESOURCES[table]
    assert all(resource[key] for key in ("title", "description", "publisher", "period", "geography", "attribution"))
    assert isinstance(resource["caveats"], list)
    text = (DATA / "LICENCE.md").read_text(encoding="utf-8")
    assert resource["path"] in text
    if "licenses" in resource:
        assert resource["attribution"] in text
