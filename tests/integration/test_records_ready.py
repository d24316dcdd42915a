"""What `cbs records ready` makes, makes anew and leaves alone; and chapters from what little one trust sent."""

from pathlib import Path

import pandas as pd
import pytest
from homes import CHAPTERS, cbs, findings, linked_home, world

YEAR = ("--from", "2010-04", "--to", "2011-03")
PCTS = ("5LE", "5LD", "5A7")
TRUST, NAMED = "RJZ", "King's"


def test_a_set_of_simulated_records_is_made_once_and_anew_where_another_is_asked_for(tmp_path: Path) -> None:
    home = linked_home(tmp_path / "home")
    asked = ("records", "ready", *YEAR, "--area", "5A4", "--area", "5A5")
    first = cbs(home, *asked, "--share", "0.02")
    assert "Simulated records" in first
    assert "made:" in first
    again = cbs(home, *asked, "--share", "0.02")
    assert "Simulated records" not in again
    assert "as before" in again
    before = cbs(home, "records", "status")
    assert "synthetic" in before
    (home / "build" / "synthetic-records" / ".made_from").unlink()
    assert "Simulated records" in cbs(home, *asked, "--share", "0.02"), "what was cut off is made anew"
    assert cbs(home, "records", "status") == before, "and is the same"
    assert "Simulated records" in cbs(home, *asked, "--share", "0.03")
    assert cbs(home, "records", "status") != before


@pytest.fixture(scope="module")
def one_trust(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where one trust sent its spells of a year, and nobody anything else."""
    home = linked_home(tmp_path_factory.mktemp("trust") / "home")
    rows = pd.concat([pd.read_parquet(world() / "apc" / f"{pct}.parquet") for pct in PCTS])
    day = pd.to_datetime(rows["discharge_date"])
    rows = rows[(day >= "2010-04-01") & (day <= "2011-03-31") & (rows["provider_code"] == TRUST)]
    rows = rows.astype(dict.fromkeys(rows.select_dtypes("number").columns, "Int64"))
    rows.to_csv(home / "spells.csv", index=False)
    pd.read_parquet(world() / "practices.parquet").to_csv(home / "practices.csv", index=False)
    cbs(home, "records", "import", "practices", str(home / "practices.csv"))
    said = cbs(home, "records", "import", "apc", str(home / "spells.csv"))
    assert f"{len(rows):,}" in said
    assert "0 quarantined" in said
    return home


def test_records_that_were_imported_take_the_place_of_a_set_of_simulated_records_and_are_never_made_anew(
    one_trust: Path,
) -> None:
    synthetic = one_trust / "build" / "synthetic-records"
    synthetic.mkdir(parents=True)
    (synthetic / ".made_from").write_text("another world", encoding="utf-8")
    before = cbs(one_trust, "records", "status")
    assert "Simulated" not in cbs(one_trust, "records", "ready")
    assert cbs(one_trust, "records", "status") == before
    assert [path.name for path in synthetic.iterdir()] == [".made_from"]
    said = cbs(one_trust, "records", "ready", "--share", "0.05", status=2)
    assert "holds imported records" in said
    assert len(said.splitlines()) == 1


def test_chapters_of_one_trust_say_what_they_can_and_no_more(one_trust: Path) -> None:
    cbs(one_trust, "records", "ready")
    for area, found in findings(one_trust, ["5LE", "SEL", "5LA"]).items():
        assert {finding["chapter"] for finding in found} <= set(CHAPTERS)
        assert not any(finding["synthetic"] for finding in found)
        # Of one trust nothing can be set beside others, and an area whose people it did not treat has no spell here.
        assert "benchmarking" not in {finding["chapter"] for finding in found if finding["value"] is not None}
        text = " ".join(finding["statement"] for finding in found)
        assert (NAMED in text) == (area != "5LA")
        assert "nan" not in text
