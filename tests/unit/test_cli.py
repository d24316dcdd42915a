"""The command line: what is asked wrongly is answered in one line with its exit status, and text stays
text.
"""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from cbs_analysis import cli
from cbs_analysis.cli import show
from cbs_analysis.runner import NotebookRecord
from cbs_analysis.tables.schema_checks import CheckResult

COMMANDS = ["packs", "verify", "publish", "findings", "areas", "check"]
HOSTILE = "[red]St Mary's[/] [/] {x} <b>| Ynys Môn"


@pytest.fixture
def call(monkeypatch, capfd):
    """Run `cbs` as its entry point does; returns (exit status, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cbs", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


@pytest.fixture
def home(make_home, monkeypatch):
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: [])
    return make_home(first=["1"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["packs", "--area", "5LX"], ["5LX", "5LE"]),
        (["packs", "--edition", "2012"], ["2012", "2011-12"]),
        (["packs", "--chapter", "fisrt"], ["fisrt", "first"]),
        (["areas", "--geography", "turnberg"], ["turnberg", "turnberg_2006"]),
        (["findings", "--area", "5LX"], ["5LX", "5LE"]),
        (["findings", "--area", "5LE"], ["5LE", "cbs packs"]),
        (["publish", "--edition", "2012"], ["2012", "2011-12"]),
        (["publish", "--only", "pfd"], ["'pfd' is not a format", "choose from site, workbook, pdf, tables, zip"]),
    ],
)
def test_a_mistake_in_an_option_is_one_line_and_status_2_and_writes_nothing(home, call, arguments, words):
    status, out, err = call(*arguments)
    assert status == 2
    assert out == ""
    assert err.startswith("cbs: ")
    assert err.count("\n") == 1
    assert all(word in err for word in words)
    assert not (home / "build").exists()


@pytest.mark.parametrize("arguments", [["packs", "--bogus"], ["packs", "--jobs", "0"], ["packs", "--timeout", "x"]])
def test_an_option_that_does_not_exist_or_fit_is_status_2(call, arguments):
    status, _, err = call(*arguments)
    assert status == 2
    assert arguments[1] in err


def test_a_failed_source_is_one_line_and_status_1(home, call, monkeypatch):
    failed = CheckResult("return", "no row twice", "failed", "2 exceptions", ("2008-04 5LE: twice",))
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: [failed])
    assert call("packs") == (1, "", "cbs: return: no row twice: 2008-04 5LE: twice\n")
    assert not (home / "build").exists()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command):
    shown = CliRunner().invoke(cli.app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"\n    cbs {command}" in shown.output


def test_the_version_is_the_packages_own(call):
    status, out, _ = call("--version")
    assert status == 0
    assert out.startswith("cbs-analysis ")


def test_the_command_starts_without_loading_the_libraries_of_its_commands():
    loaded = "import sys, cbs_analysis.cli; print(*{'pandas', 'papermill', 'altair', 'rich'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_check_lists_every_check_and_names_the_rows_that_failed(home, call, monkeypatch):
    results = [
        CheckResult("areas", "keys", "passed", "3 rows"),
        CheckResult("return", "totals", "known difference", "1 exception", ("2009-06 Q34",)),
        CheckResult("return", HOSTILE, "failed", "1 exception", (HOSTILE,)),
    ]
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: results)
    status, out, _ = call("check")
    assert status == 1
    assert f"failed: return: {HOSTILE}" in out
    assert "3 checks: 1 passed, 1 known difference, 1 failed" in out
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: results[:2])
    assert call("check")[0] == 0


def test_areas_are_listed_with_level_and_parent(home, call):
    status, out, _ = call("areas", "--geography", "turnberg_2006")
    rows = [line.split() for line in out.splitlines()]
    assert status == 0
    assert ["5LE", "Southwark", "pct", "SE"] in rows
    assert sum("sector" in row for row in rows) == 5


@pytest.fixture
def found(monkeypatch):
    finding = {
        "id": "planned_care.gp_referrals",
        "statement": HOSTILE,
        "indicator": "gp_referrals_per_1000",
        "value": 1234.56789,
        "lower": 1200.1,
        "upper": 1300.9,
        "unit": "per 1,000",
        "period": "2010/11",
        "flagged": False,
    }
    bare = {**finding, "statement": "No value", "indicator": None, "value": None, "flagged": True}
    pack = SimpleNamespace(findings=[finding, bare], failures=())
    monkeypatch.setattr("cbs_analysis.publishing.packs.read_pack", lambda edition, area: pack)
    return [finding, bare]


def test_findings_as_json_are_nothing_but_json_with_numbers_unrounded(home, call, found):
    status, out, err = call("findings", "--area", "5LE", "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == found


def test_findings_of_a_pack_with_a_failed_chapter_say_so_beside_the_json(home, call, monkeypatch):
    failure = SimpleNamespace(chapter="outlook", cell=3, reason="ValueError: no")
    pack = SimpleNamespace(findings=[], failures=(failure,))
    monkeypatch.setattr("cbs_analysis.publishing.packs.read_pack", lambda edition, area: pack)
    status, out, err = call("findings", "--area", "5LE", "--json")
    assert (status, json.loads(out)) == (1, [])
    assert "5LE outlook is not among these findings: ValueError: no" in err


def test_findings_show_statement_value_limits_and_period_as_they_are(home, call, found):
    status, out, _ = call("findings", "--area", "5LE")
    assert status == 0
    first = next(line for line in out.splitlines() if "Ynys" in line)
    assert HOSTILE in first
    assert "(1,200" in first
    assert first.rstrip().endswith("per 1,000  2010/11")
    assert "flagged" in out


def test_a_run_closes_with_counts_place_and_each_failure_in_one_line(tmp_path, capfd):
    failed = NotebookRecord("SEL", "care", "failed", 2.0, 7, "ValueError", f"{HOSTILE}\nmore", "trace")
    show.outcome([NotebookRecord("5LE", "care", "done", 1.0), failed], 0, tmp_path, 75.0)
    out, _ = capfd.readouterr()
    assert f"1 of 2 notebooks made in 1 min 15 s, 1 failed: {tmp_path}" in out
    assert f"  SEL care, cell 7: ValueError: {HOSTILE}\n" in out
    assert "trace" not in out


def test_a_run_that_found_notebooks_as_they_would_be_says_how_many(tmp_path, capfd):
    records = [
        NotebookRecord("5LE", chapter, "done", 1.0, made_from={"edition": "1"})
        for chapter in ("care", "outlook", "need")
    ]
    show.outcome(records, 2, tmp_path, 4.0)
    assert capfd.readouterr().out == f"1 of 3 notebooks made in 4 s, 2 as before, 0 failed: {tmp_path}\n"
