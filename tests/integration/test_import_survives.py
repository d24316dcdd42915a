"""An import that is killed at any moment leaves the store as it was before, or as it is after; two at once are one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import ibis
import pytest

from cbs_analysis.home import params_dir
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files

KILLS = 20
KEYS = "cds_unique_identifier,person_pseudonym,commissioner_code,gp_practice_code,lsoa_code,provider_code,site_code"
REST = (
    "age_at_arrival,person_gender_code,arrival_date,attendance_category_code,arrival_mode_code,referral_source_code,"
    "disposal_code,minutes_to_departure,submission_date"
)
CODE = """
import sys
from pathlib import Path
from cbs_analysis.errors import UserError
from cbs_analysis.home import params_dir
from cbs_analysis.records.submissions import import_files
from cbs_analysis.records.store import Store
print("begin", flush=True)
try:
    print(import_files(Store(Path(sys.argv[1])), "ae", [Path(sys.argv[2])], params=params_dir()).sentence(), flush=True)
except UserError as error:
    sys.exit(str(error))
"""


def attendances(path: Path, version: str, months: int) -> Path:
    """A file of 40 attendances a day of 1st to 28th, by trust and month; every tenth line cannot be read."""
    with path.open("w") as file:
        file.write(f"{KEYS},{REST}\n")
        for number in range(months * 28 * 40):
            month, trust = number % months, ("RJ1", "RJ2", "RJ7")[number % 3]
            day = f"2009-{month + 1:02d}-{number % 28 + 1:02d}"
            age = "x" if number % 10 == 0 else number % 99
            file.write(
                f"{version}{number},P{number},5LE,F85001,E01000001,{trust},{trust}01,{age},1,{day},1,2,01,03,90,{day}\n"
            )
    return path


def content(folder: Path) -> tuple[str, int, int]:
    """The state of the store, its rows as DuckDB counts them, and those of the quarantine. Every file is read."""
    store = Store(folder)
    rows = store.table("ae", ibis.duckdb.connect())
    return store.state, int(rows.count().execute()), store.quarantine().num_rows


@pytest.fixture(scope="module")
def before_and_after(tmp_path_factory):
    """A store with one submission, and what it is before and after a second."""
    folder = tmp_path_factory.mktemp("killed")
    first, second = attendances(folder / "first.csv", "A", 6), attendances(folder / "second.csv", "B", 9)
    states = []
    for sent in ([first], [first, second]):
        store = Store(folder / f"store-{len(sent)}")
        for path in sent:
            import_files(store, "ae", [path], params=params_dir())
        states.append(content(store.folder))
    return folder, first, second, states


def begin(store: Path, path: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(store), str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_an_import_killed_at_any_moment_is_not_there_or_all_there(before_and_after):
    folder, first, second, (before, after) = before_and_after
    assert before[1:] == (6 * 28 * 40 * 9 // 10, 6 * 28 * 4) and after[1] > before[1]
    store = folder / "killed"
    import_files(Store(store), "ae", [first], params=params_dir())
    usual = time_of_import(folder, first, second)
    moments = random.Random(2010)
    seen = []
    for kill in range(KILLS):
        process = begin(store, second)
        process.stdout.readline()
        time.sleep(moments.uniform(0, 1.1) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.communicate()
        now = content(store)
        seen.append(now)
        assert now in (before, after), f"kill {kill}"
        if now == after:
            (store / "manifest.json").write_bytes((folder / "store-1" / "manifest.json").read_bytes())
            for path in Store(folder / "store-1").files("ae") + list((folder / "store-1" / "quarantine").iterdir()):
                kept = store / path.relative_to(folder / "store-1")
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(path.read_bytes())
    assert before in seen
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(store), str(second)], capture_output=True, text=True, check=True
    )
    assert "rows in" in done.stdout
    assert content(store) == after
    assert sorted(str(path.relative_to(store)) for path in store.rglob("*.tmp")) == []
    assert not (store / ".staging").exists()


def time_of_import(folder: Path, first: Path, second: Path) -> float:
    """Seconds from the beginning of the import to the end of its process."""
    trial = folder / "trial"
    import_files(Store(trial), "ae", [first], params=params_dir())
    process = begin(trial, second)
    process.stdout.readline()
    started = time.perf_counter()
    process.communicate()
    assert process.returncode == 0
    return time.perf_counter() - started


def test_an_import_that_is_interrupted_cleans_up_after_itself(before_and_after):
    folder, first, second, (before, after) = before_and_after
    store = folder / "interrupted"
    import_files(Store(store), "ae", [first], params=params_dir())
    process = begin(store, second)
    process.stdout.readline()
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert content(store) in (before, after)
    assert not (store / ".staging").exists()


def test_of_two_imports_at_once_each_is_whole_or_is_told_to_wait(before_and_after):
    folder, first, second, (_, after) = before_and_after
    store = folder / "two"
    processes = [begin(store, path) for path in (first, second, first, second)]
    said = [(process.communicate(), process.returncode) for process in processes]
    assert any(status == 0 for _, status in said)
    for (_, error), status in said:
        assert status == 0 or "another command is writing to it" in error
    for path in (first, second):
        import_files(Store(store), "ae", [path], params=params_dir())
    assert content(store)[1] == after[1]
