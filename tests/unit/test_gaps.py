"""A month missing in the middle is a gap everywhere: in tables, limits, charts and forecasts, and it is said."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_chapters import every_finding

from cbs_analysis.chapters import emergency_care, open_pack, outlook, planned_care
from cbs_analysis.evidence.finding import Finding
from cbs_analysis.home import data_dir, params_dir

GONE = "2009-10"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str], bool]], None]:
    """A handbook of its own, whose activity return lacks the lines chosen."""

    def without(chosen: Callable[[str], bool]) -> None:
        shutil.copytree(data_dir(), tmp_path / "data")
        shutil.copytree(params_dir(), tmp_path / "params")
        table = tmp_path / "data" / "published" / "monthly_activity_return.csv"
        lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
        table.write_text("".join(line for line in lines if not chosen(line)), encoding="utf-8")
        monkeypatch.setenv("CBS_HOME", str(tmp_path))

    return without


def test_a_month_missing_everywhere_is_a_gap_that_is_said_and_not_bridged(
    home: Callable[[Callable[[str], bool]], None],
) -> None:
    home(lambda line: line.startswith(GONE))
    finding = planned_care.activity(open_pack("5LE", "2011-12"), "gp_referrals")
    assert finding.table is not None
    month = finding.table.frame.set_index("month").loc["October 2009"]
    assert month[["count", "value"]].isna().all()
    assert month["note"] == "missing"
    assert month["special_cause"] == "Not assessed"
    assert any("October 2009" in caveat and "not filled in" in caveat for caveat in finding.caveats)


def test_a_gap_in_the_year_compared_leaves_no_total_and_the_statement_says_why(
    home: Callable[[Callable[[str], bool]], None],
) -> None:
    home(lambda line: line.startswith("2010-10") and ",5LE," in line)
    pack = open_pack("5LE", "2011-12")
    finding = planned_care.activity(pack, "gp_referrals")
    assert finding.value is None
    assert "the year is not complete" in finding.statement
    sector = next(item for item in finding.comparisons if item.comparator_code == "SEL")
    assert sector.value is None, "a sector with a gap in it has no total either"
    assert planned_care.daycase_rate(pack).value is None
    assert emergency_care.nonelective_growth(pack).value is None


def test_a_forecast_leaves_the_gap_out_and_names_it(home: Callable[[Callable[[str], bool]], None]) -> None:
    home(lambda line: line.startswith(GONE) and ",5LE," in line)
    finding = outlook.forecast(open_pack("5LE", "2011-12"), "gp_referrals")
    assert finding.value is not None
    assert any("October 2009" in caveat for caveat in finding.caveats)


def test_figures_that_cannot_be_checked_are_flagged_not_believed(
    home: Callable[[Callable[[str], bool]], None],
) -> None:
    home(lambda line: line.startswith("2008-10"))
    pack = open_pack("5C3", "2011-12")
    finding = emergency_care.admission_ratio(pack)
    assert finding.flagged
    assert "cannot be checked" in finding.flag_reason
    assert emergency_care.plausibility(pack).chart is None
    assert all(item.value is None for item in finding.comparisons if item.comparator != "England")


def test_a_missing_month_is_never_read_as_nothing_to_win(home: Callable[[Callable[[str], bool]], None]) -> None:
    home(lambda line: line.startswith("2010-10") and ",5LE," in line)
    assert "figures are missing" in planned_care.daycase_opportunity(open_pack("5LE", "2011-12")).statement


def test_a_month_missing_for_everybody_in_the_year_compared_stops_no_finding(
    home: Callable[[Callable[[str], bool]], None],
) -> None:
    home(lambda line: line.startswith("2010-08"))
    for code in ("5LE", "LON"):
        pack = open_pack(code, "2011-12")
        for chapter in ("planned_care", "emergency_care", "outlook"):
            for finding in every_finding(pack, chapter):
                assert isinstance(finding, Finding)
                assert "nan" not in finding.statement
        assert "figures are missing" in planned_care.daycase_rate(pack).statement


def test_too_many_gaps_give_no_forecast_and_a_reason(home: Callable[[Callable[[str], bool]], None]) -> None:
    home(lambda line: ",5LE," in line and line.startswith(("2008", "2009")))
    finding = outlook.forecast(open_pack("5LE", "2011-12"), "gp_referrals")
    assert finding.value is None
    assert finding.statement.startswith("No forecast of Southwark's GP referrals")
    assert finding.chart is None
