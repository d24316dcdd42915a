"""One run at a time has an edition: a second waits for the first, and none for one that was killed."""

import multiprocessing
import os
import threading
import time
from pathlib import Path

import pytest

from cbs_analysis.runner.executed_notebooks import held

EDITION = "e"


@pytest.fixture
def build(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


def _hold(build: str, started, may_end) -> None:
    os.environ["CBS_BUILD"] = build
    with held(EDITION):
        started.set()
        may_end.wait(30)


def test_a_second_run_waits_for_the_first_says_so_once_and_then_goes_on(build):
    context = multiprocessing.get_context("fork")
    started, may_end = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(build), started, may_end))
    other.start()
    waited, got = [], threading.Event()

    def second() -> None:
        with held(EDITION, lambda: waited.append(time.monotonic())):
            got.set()

    thread = threading.Thread(target=second)
    try:
        assert started.wait(10)
        thread.start()
        assert not got.wait(0.3)
        assert len(waited) == 1
    finally:
        may_end.set()
        other.join(10)
    assert got.wait(10)
    thread.join(10)
    assert len(waited) == 1


def test_another_edition_is_not_waited_for_and_a_free_one_neither(build):
    waited = []
    with held(EDITION, lambda: waited.append(1)), held("other", lambda: waited.append(1)):
        pass
    with held(EDITION, lambda: waited.append(1)):
        pass
    assert waited == []


def test_an_edition_whose_run_was_killed_is_free(build):
    context = multiprocessing.get_context("fork")
    started, may_end = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(build), started, may_end))
    other.start()
    assert started.wait(10)
    other.kill()
    other.join(10)
    waited = []
    with held(EDITION, lambda: waited.append(1)):
        assert waited == []
