"""A batch that is killed, crowded, out of room or out of bounds loses at most what was running, and leaves nothing
running.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batches import EDITION, Batch, notebooks, recorded, run_to_its_end, until

from cbs_analysis.runner import read_run, warm
from cbs_analysis.runner.execute import kernel_environment

KILLS = 50
AREAS = ("--area", "5LE", "--area", "SEL", "--area", "LON")
CHAPTERS = {name: [f"made = [area_code, edition, {name!r}]", "made * 50"] for name in ("one", "two")}


@pytest.fixture(scope="module")
def home(module_home) -> Path:
    return module_home(**CHAPTERS)


@pytest.fixture(scope="module")
def shared(home) -> dict[str, str]:
    """A warm process of this test's own for the batches to use, so that each is soon at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBS_HOME", str(home))
        found = warm.keep_warm(kernel_environment(home))
    yield found
    warm.close()


@pytest.fixture(scope="module")
def undisturbed(home, shared, tmp_path_factory) -> tuple[Path, float]:
    """The build folder of a run that nothing happened to, and how long it took."""
    build = tmp_path_factory.mktemp("undisturbed")
    run_to_its_end(home, build, "--area", "5LE", "--chapter", "one", **shared)
    shutil.rmtree(build / "editions")
    started = time.monotonic()
    run_to_its_end(home, build, *AREAS, **shared)
    return build, time.monotonic() - started


def test_killed_at_any_moment_it_carries_on_and_ends_as_if_undisturbed(home, shared, undisturbed, tmp_path):
    expected, seconds = undisturbed
    wanted, build, chance = notebooks(expected), tmp_path / "build", random.Random(2006)
    assert len(wanted) == 6
    shutil.copytree(expected / "cache", build / "cache")
    counts = {"before": 0, "during": 0, "after": 0}
    most = 0
    for number in range(KILLS):
        batch = Batch(home, build, *AREAS, "--jobs", str(1 + number % 3), **shared)
        time.sleep(chance.uniform(0, seconds))
        if number % 5 == 4:  # at one stroke, its workers with it
            os.killpg(batch.process.pid, signal.SIGKILL)
        batch.kill()
        until(lambda: not batch.left, f"nothing of batch {number} is left: {batch.left}")  # noqa: B023
        found = notebooks(build)
        assert found.items() <= wanted.items(), "what is there is whole"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CBS_BUILD", str(build))
            done = sum(record.status == "done" for record in read_run(EDITION).notebooks)
        assert most <= done <= len(found), "what was recorded stays recorded, and is there"
        counts["before" if done == 0 else "after" if done == len(wanted) else "during"] += 1
        most = done
        if done == len(wanted):
            run_to_its_end(home, build, *AREAS, **shared)
            assert notebooks(build) == wanted
            assert recorded(build) == recorded(expected)
            shutil.rmtree(build / "editions")
            most = 0
    run_to_its_end(home, build, *AREAS, **shared)
    assert notebooks(build) == wanted
    assert recorded(build) == recorded(expected)
    assert not list(build.rglob("*.tmp"))
    assert min(counts["before"], counts["during"], counts["after"]) > 0, counts


@pytest.fixture(scope="module")
def slow(module_home) -> Path:
    """A home whose notebooks take their time, and start a process each."""
    cell = "import subprocess, time; subprocess.Popen(['sleep', '300']); time.sleep(3)"
    return module_home(slow=[cell], last=["1"])


@pytest.mark.parametrize("end", ["its own end", "Ctrl-C", "terminated", "killed"])
def test_no_process_and_no_file_of_its_own_is_left_after_a_batch(end, slow, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    batch = Batch(slow, tmp_path, "--area", "5LE", "--area", "SEL", "--json", TMPDIR=str(scratch))
    while '"started"' not in batch.process.stdout.readline():
        pass
    until(lambda: len(batch.left) >= 5, "workers, kernels and the warm process are at work")
    signals = {"Ctrl-C": signal.SIGINT, "terminated": signal.SIGTERM, "killed": signal.SIGKILL}
    if end in signals:
        until(lambda: any(each.name() == "sleep" for each in batch.left), "a cell has started a process")
        batch.process.send_signal(signals[end])
    status, _, error = batch.ended()
    expected = {"its own end": 0, "Ctrl-C": 130, "terminated": 143, "killed": -9}
    assert status == expected[end], error
    until(lambda: not batch.left, f"nothing is left: {batch.left}", 20)
    assert list(scratch.iterdir()) == []


def test_of_two_batches_at_once_the_second_waits_and_both_are_right(home, shared, undisturbed, tmp_path):
    shutil.copytree(undisturbed[0] / "cache", tmp_path / "cache")
    both = [Batch(home, tmp_path, *AREAS, **shared) for _ in range(2)]
    (first, out, _), (second, also, _) = (batch.ended() for batch in both)
    assert (first, second) == (0, 0)
    assert sum("another run is at work on this edition" in said for said in (out, also)) == 1
    assert "6 as before" in out + also
    assert notebooks(tmp_path) == notebooks(undisturbed[0])
    assert recorded(tmp_path) == recorded(undisturbed[0])


def test_where_no_more_can_be_written_it_says_so_and_the_next_run_carries_on(module_home, shared, tmp_path):
    home = module_home(small=["1"], large=["'x' * 1_500_000"])
    options = ("--area", "5LE", "--jobs", "1")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    run_to_its_end(home, tmp_path, *options, "--chapter", "small", **shared)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))  # a file that grows further is refused
        status, out, error = Batch(home, tmp_path, *options, **shared).ended()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert status == 2, out + error
    assert "5LE large cannot be written: File too large" in error
    assert len(error.strip().splitlines()) == 1
    assert list(notebooks(tmp_path)) == ["5LE/small.ipynb"]
    assert "1 as before" in run_to_its_end(home, tmp_path, *options, **shared)
    assert list(notebooks(tmp_path)) == ["5LE/large.ipynb", "5LE/small.ipynb"]


def test_a_kernel_that_dies_is_tried_once_more_and_a_cell_that_raises_is_not(module_home, shared, tmp_path):
    counted = f"import os, pathlib, signal\nruns = pathlib.Path({str(tmp_path)!r}) / 'runs of NAME'\n"
    counted += "runs.open('a').write('x')"
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    home = module_home(
        once=[counted.replace("NAME", "once"), f"if len(runs.read_text()) == 1: {kill}"],
        always=[counted.replace("NAME", "always"), kill],
        raising=[counted.replace("NAME", "raising"), "raise LookupError('no such ward')"],
    )
    status, _, _ = Batch(home, tmp_path / "build", "--area", "5LE", **shared).ended()
    assert status == 1
    said = {one["chapter"]: (one["status"], one["error"], one["cell"]) for one in recorded(tmp_path / "build")}
    assert said == {
        "once": ("done", None, None),
        "always": ("failed", "KernelDied", 4),
        "raising": ("failed", "LookupError", 4),
    }
    assert [len((tmp_path / f"runs of {name}").read_text()) for name in said] == [2, 2, 1]


def test_a_cell_that_takes_memory_without_end_is_stopped_and_named_and_others_are_made(module_home, shared, tmp_path):
    home = module_home(greedy=["held = []", "while True: held.append(bytearray(50_000_000))"], good=["1"])
    status, out, _ = Batch(home, tmp_path, "--area", "5LE", "--memory", "0.8", "--jobs", "2", **shared).ended()
    assert status == 1
    greedy, good = recorded(tmp_path)
    assert good["status"] == "done"
    assert (greedy["error"], greedy["cell"]) == ("MemoryError", 4)
    assert "a notebook may take 0.8 GiB" in greedy["message"]
    assert "cell 4: MemoryError" in out


@pytest.mark.parametrize(
    ("cell", "status"), [("(area_code, edition)", 0), ("import time; time.time_ns()", 1), ("import os; os.getcwd()", 1)]
)
def test_an_edition_is_verified_by_running_it_twice(cell, status, module_home, shared, tmp_path):
    home = module_home(chapter=[cell])
    done = subprocess.run(
        [sys.executable, "-c", "from cbs_analysis.cli import main; main()", "verify", "--area", "5LE"],
        env={**os.environ, "CBS_HOME": str(home), "CBS_BUILD": str(tmp_path), **shared},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert f"{1 - status} of 1 notebooks are the same bytes in both places" in done.stdout
    assert ("5LE chapter: the two runs differ" in done.stdout) is bool(status)
    assert not (tmp_path / "editions").exists()
