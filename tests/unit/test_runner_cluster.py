"""Inputs travel to a cluster whole: packed here, unpacked there, and known by their digest. Without a cluster."""

import os
import shutil
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cbs_analysis.errors import UserError
from cbs_analysis.files import stamp
from cbs_analysis.runner import Job, Limits, NotebookRecord, Result, cluster
from cbs_analysis.runner.cache_keys import digest_of_home, files_of_home, made_with


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    home = tmp_path / "home"
    for name, text in {
        "params/editions/e.yml": "title: Ynys Môn\n",
        "params/indicators.yml": "",
        "data/published/a.csv": "code\n" * 100,
        "data/a name with spaces.csv": "x",
        "notebooks/care.ipynb": "{}",
        "build/editions/e/run.json": "made",
        "README.md": "about",
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text, encoding="utf-8")
    there = tmp_path / "worker"
    there.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(there))
    monkeypatch.setattr(cluster, "_homes", {})
    return home


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_of_home(folder)}


def test_what_is_unpacked_is_what_was_packed_and_nothing_else_travels(home, tmp_path):
    there = cluster._unpack(digest_of_home(home), cluster.packed(home))
    assert contents(there) == contents(home)
    assert not (there / "build").exists() and not (there / "README.md").exists()
    assert there.parent == tmp_path / "worker"
    assert list((tmp_path / "worker").iterdir()) == [there], "no draft is left"


def test_a_second_worker_of_the_machine_uses_what_the_first_unpacked(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    first = cluster._unpack(digest, inputs)
    mark = first.stat().st_ino
    assert cluster._unpack(digest, inputs) == first
    assert first.stat().st_ino == mark
    assert list((tmp_path / "worker").iterdir()) == [first]


def test_workers_that_unpack_at_the_same_time_do_not_disturb_each_other(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    with ThreadPoolExecutor(8) as threads:
        (there,) = set(threads.map(lambda _: cluster._unpack(digest, inputs), range(16)))
    assert contents(there) == contents(home)
    assert list((tmp_path / "worker").iterdir()) == [there]


def test_other_inputs_go_into_a_folder_of_their_own(home):
    first = cluster._unpack(digest_of_home(home), cluster.packed(home))
    (home / "params" / "indicators.yml").write_text("more")
    second = cluster._unpack(digest_of_home(home), cluster.packed(home))
    assert first != second
    assert (first / "params" / "indicators.yml").read_text() == ""
    assert (second / "params" / "indicators.yml").read_text() == "more"


def test_inputs_that_are_not_what_their_digest_says_are_refused_and_leave_nothing_behind(home, tmp_path):
    with pytest.raises(UserError, match=r"the code here is not that of the batch, or its inputs came damaged; set the"):
        cluster._unpack("0ther", cluster.packed(home))
    assert list((tmp_path / "worker").iterdir()) == []


def test_where_the_shared_folder_was_changed_a_worker_keeps_one_of_its_own(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    shared = cluster._unpack(digest, inputs)
    (shared / "data" / "published" / "a.csv").write_text("tampered")
    own = cluster._unpack(digest, inputs)
    assert own != shared
    assert contents(own) == contents(home)
    assert own.name.startswith(cluster.UNPACKED), "so that it is removed in time"


def test_what_was_made_while_inputs_were_changed_here_is_dropped_and_made_again(home):
    distributed = pytest.importorskip("distributed")
    digest, inputs = digest_of_home(home), cluster.packed(home)
    job = Job("e", "5LE", "care", home / "notebooks" / "care.ipynb", home / "build" / "care.ipynb", home)

    def work(given: Job, limits: Limits) -> Result:
        path = given.home / "data" / "published" / "a.csv"
        content = path.read_bytes()
        path.write_text("another")
        path.write_bytes(content)
        return Result(NotebookRecord(given.area_code, given.chapter, "done", 1.0), b"made")

    with pytest.raises(distributed.Reschedule):
        cluster.work_at(digest, inputs, work, job, Limits(7))


def test_a_home_elsewhere_with_the_same_inputs_is_read_where_the_batch_has_it(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    copy = shutil.copytree(home, tmp_path / "copy")
    assert cluster._home_with(digest, inputs, home) == home
    assert cluster._home_with(digest, inputs, copy) == copy


def test_inputs_that_change_while_they_are_packed_are_said(home, monkeypatch):
    def packed_meanwhile(folder: Path) -> bytes:
        (folder / "params" / "indicators.yml").write_text("more")
        return b""

    monkeypatch.setattr(cluster, "packed", packed_meanwhile)
    with pytest.raises(UserError, match="were changed while they were packed; run it again"):
        cluster._packed_with_digest(home)


def test_an_archive_that_was_cut_off_leaves_nothing_behind(home, tmp_path):
    with pytest.raises(zipfile.BadZipFile):
        cluster._unpack(digest_of_home(home), cluster.packed(home)[:-30])
    assert list((tmp_path / "worker").iterdir()) == []


def test_a_worker_with_the_same_home_reads_it_there_and_another_unpacks_once(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    job = Job("e", "5LE", "care", home / "notebooks" / "care.ipynb", home / "build" / "care.ipynb", home)
    seen = []

    def work(given: Job, limits: Limits) -> Result:
        seen.append((given, limits))
        return Result(NotebookRecord(given.area_code, given.chapter, "done", 1.0), b"made")

    assert cluster.work_at(digest, inputs, work, job, Limits(7)).notebook == b"made"
    assert seen == [(job, Limits(7))]
    cluster._homes.clear()
    shutil.move(home, tmp_path / "away")
    for _ in range(2):
        cluster.work_at(digest, inputs, work, job, Limits(7))
    there = tmp_path / "worker" / f"cbs-inputs-{digest}"
    assert [given.home for given, _ in seen[1:]] == [there, there]
    assert seen[1][0].template == there / "notebooks" / "care.ipynb"
    assert seen[1][0].template.exists()
    assert seen[1][0].output == job.output, "where a notebook goes is the batch's affair"


def test_what_a_worker_found_once_is_not_believed_for_ever(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    table = home / "data" / "published" / "a.csv"
    assert cluster._home_with(digest, inputs, home) == home
    content = table.read_bytes()
    table.write_text("another")
    there = tmp_path / "worker" / f"cbs-inputs-{digest}"
    assert cluster._home_with(digest, inputs, home) == there
    table.write_bytes(content)
    assert cluster._home_with(digest, inputs, home) == there, "which still holds them"
    shutil.rmtree(there)
    assert cluster._home_with(digest, inputs, home) == home
    (home / "data" / "reference").mkdir()
    (home / "data" / "reference" / "more.csv").write_text("x")
    assert cluster._home_with(digest, inputs, home) == there


def test_a_home_that_was_read_once_is_not_read_again_for_each_notebook(home, monkeypatch):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    cluster._home_with(digest, inputs, home)
    monkeypatch.setattr(cluster, "digest_of_home", lambda folder: pytest.fail("read again"))
    assert cluster._home_with(digest, inputs, home) == home


def test_inputs_of_long_ago_are_removed_and_those_in_use_are_not(home, tmp_path):
    old, used = (tmp_path / "worker" / f"cbs-inputs-{name}" for name in ("old", "used"))
    for folder in (old, used):
        folder.mkdir()
    os.utime(old, (0, 0))
    there = cluster._unpack(digest_of_home(home), cluster.packed(home))
    assert sorted((tmp_path / "worker").iterdir()) == sorted([there, used])


def test_a_worker_whose_code_was_changed_after_its_start_says_to_restart_it(tmp_path, monkeypatch):
    module = tmp_path / "module.py"
    module.write_text("as it was")
    monkeypatch.setattr(cluster, "_code", {module: stamp(module)})
    assert cluster.made_with_here() == made_with()
    module.write_text("as it is now")
    with pytest.raises(UserError, match="its code was changed after it was started; restart it"):
        cluster.made_with_here()


def test_a_home_at_the_same_path_with_other_figures_is_not_read(home, tmp_path):
    digest, inputs = digest_of_home(home), cluster.packed(home)
    (home / "data" / "published" / "a.csv").write_text("another")
    assert cluster._home_with(digest, inputs, home) == tmp_path / "worker" / f"cbs-inputs-{digest}"


class Workers:
    """A client's view of workers that answer what they are made with, or why they cannot."""

    def __init__(self, answers):
        self.answers = answers

    def run(self, function, on_error):
        assert (function, on_error) == (cluster.made_with_here, "return")
        return self.answers


def test_workers_with_this_code_and_these_libraries_will_do():
    cluster._check_workers(Workers({"tcp://w:1": made_with(), "tcp://w:2": dict(made_with())}), "tcp://s:1")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "tcp://s:1 has no workers; start some with `dask worker tcp://s:1`"),
        ({"tcp://w:1": {"libraries": "x"}}, "worker tcp://w:1 differs in its package and libraries; set it up"),
        ({"tcp://w:1": {**made_with(), "libraries": "x"}}, "libraries; set it up from the same checkout and lock file"),
        ({"tcp://w:1": {**made_with(), "package": "x"}}, "worker tcp://w:1 differs in its package; set it up"),
        ({"tcp://w:1": ImportError("no cbs")}, "worker tcp://w:1 cannot run cbs-analysis: no cbs"),
    ],
)
def test_workers_that_will_not_do_are_named_with_what_to_do(answers, said):
    with pytest.raises(UserError) as caught:
        cluster._check_workers(Workers(answers), "tcp://s:1")
    assert said in str(caught.value)
