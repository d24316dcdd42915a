"""A trust's own extract, brought by a mapping alone: the same three chapters, from CSV files with other columns, order,
dates and codes.
"""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from homes import CHAPTERS, CHECKOUT, cbs, findings, linked_home, world

from cbs_analysis.runner.cache_keys import declared_tables

FEEDS = {"apc": "discharge_date", "op": "appointment_date", "ae": "arrival_date"}
PCTS = ("5LE", "5LD", "5LF", "5A7", "5A8", "TAK", "5LG", "5K7")
SEXES = {"1": "M", "2": "F"}


def _extract(home: Path, feed: str) -> Path:
    """A year of some PCTs' records as a trust would write them, and the mapping that says how."""
    rows = pd.concat([pd.read_parquet(world() / feed / f"{pct}.parquet") for pct in PCTS])
    day = pd.to_datetime(rows[FEEDS[feed]])
    rows = rows[(day >= "2010-04-01") & (day <= "2011-03-31")]
    whole = rows.select_dtypes("number").columns
    rows = rows.astype(dict.fromkeys(whole, "Int64"))
    fields = list(reversed(rows.columns))
    for name in fields:
        if name.endswith("_date"):
            rows[name] = pd.to_datetime(rows[name]).dt.strftime("%d/%m/%Y")
    rows["person_gender_code"] = rows["person_gender_code"].astype(object).replace(SEXES)
    path = home / f"{feed}.csv"
    rows[fields].rename(columns=lambda name: f"Our {name}").to_csv(path, sep="|", index=False, encoding="cp1252")
    codes = {"person_gender_code": {word: code for code, word in SEXES.items()}}
    mapping = {
        "title": f"Our {feed}", "feed": feed, "delimiter": "|", "encoding": "cp1252", "dates": ["%d/%m/%Y"],
        "header": True,
        "columns": [
            {"name": f"Our {name}", "field": name, **({"values": codes[name]} if name in codes else {})}
            for name in fields
        ],
    }  # fmt: skip
    (home / "params" / "feeds" / f"our_{feed}.yml").write_text(yaml.safe_dump(mapping), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own, whose records came by mapping from the small world's."""
    folder = linked_home(tmp_path_factory.mktemp("mapped") / "home")
    practices = folder / "practices.csv"
    pd.read_parquet(world() / "practices.parquet").to_csv(practices, index=False)
    cbs(folder, "records", "import", "practices", str(practices))
    for feed in FEEDS:
        said = cbs(folder, "records", "import", f"our_{feed}", str(_extract(folder, feed)))
        assert "0 quarantined" in said
    cbs(folder, "records", "ready")
    return folder


def test_every_table_that_the_chapters_read_is_there_and_not_labelled_synthetic(home: Path) -> None:
    described = json.loads((home / "build" / "records" / "derived" / "datapackage.json").read_text(encoding="utf-8"))
    tables = {entry["name"]: entry for entry in described["resources"]}
    for chapter in CHAPTERS:
        read = set(declared_tables(CHECKOUT / "notebooks" / f"{chapter}.ipynb"))
        assert {table for table in read if table.startswith(("records_", "quality_", "benchmark_"))} <= set(tables)
    assert not any(entry["synthetic"] for entry in tables.values())


def test_the_chapters_are_made_of_a_mapped_extract(home: Path) -> None:
    for found in findings(home, ["5LE", "SEL", "LON"]).values():
        assert {finding["chapter"] for finding in found} == set(CHAPTERS)
        assert len(found) >= 15
        assert not any(finding["synthetic"] for finding in found)
