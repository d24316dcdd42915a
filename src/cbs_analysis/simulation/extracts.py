"""Make the simulated records: extracts of three feeds and the truths behind them, all of them or none.

Each area is made on its own, from streams of random numbers of its own, by several processes: the files are the same
bytes whatever the number of processes.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cbs_analysis.errors import UserError
from cbs_analysis.files import keep_name, make_folder, write_atomically
from cbs_analysis.simulation.emergency_attendances import attendances_of_area
from cbs_analysis.simulation.outpatients import appointments_of_area
from cbs_analysis.simulation.planted_errors import (
    RecordsWithErrors,
    breaks_table,
    check_rules,
    errors_table,
    with_errors,
    without_withheld,
)
from cbs_analysis.simulation.population import PatientPool, people_of
from cbs_analysis.simulation.providers import TrueEffects, true_effects
from cbs_analysis.simulation.random_draws import stream
from cbs_analysis.simulation.record_fields import MARK, Records, as_table, fields_of, patients_of, write
from cbs_analysis.simulation.scenario import Scenario, read_scenario
from cbs_analysis.simulation.spells import TrueSpells, spells_of_area
from cbs_analysis.simulation.stays import StayModels
from cbs_analysis.simulation.world import Use, load_world

SimulatedFeed = Literal["apc", "op", "ae"]
FEEDS: tuple[SimulatedFeed, ...] = ("apc", "op", "ae")
Fields = Sequence[tuple[str, str]]
"""Names and types of a feed's fields."""
PRACTICES = "practices"
MADE = "made.json"
TRUTH = "truth"


@dataclass(frozen=True)
class Extracts:
    """Extracts made: their folder, and the number of rows of each feed."""

    folder: Path
    rows: dict[str, int]


@dataclass(frozen=True)
class SimulatedRecords:
    """The records of one feed in memory, and the true effects behind them."""

    table: pa.Table
    effects: TrueEffects


def write_extracts(
    out: Path, *, data: Path, params: Path, areas: Sequence[str] | None = None, months: tuple[str, str] | None = None,
    share: float = 1.0, seed: int | None = None, workers: int | None = None, draw_effects: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> Extracts:  # fmt: skip
    """Make the extracts of these areas and months (all that the world names where None), with this share of the
    published counts, in `out`.

    `out` gets apc, op and ae with a Parquet file for each area, practices.parquet, the folder truth, and made.json last
    of all. What was there is replaced, and stays as it was where making fails. `seed` replaces the world's; with
    `draw_effects` providers' true effects are drawn from it. `on_progress` gets the number of areas done, and of all.
    Raises UserError where an argument or a parameter is not valid, DataError where a table is wrong.
    """
    world = load_world(params)
    check_rules(world)
    scenario = read_scenario(world, data, areas, months, share)
    seed = world.seed if seed is None else seed
    effects = true_effects(world, scenario.providers.codes, seed, draw_effects)
    fields: dict[str, Fields] = {feed: fields_of(params, feed) for feed in (*FEEDS, PRACTICES)}
    _check_replaceable(out)
    try:
        make_folder(out.parent)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        draft.chmod(0o755)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from None
    try:
        rows = _write_feeds(_Task(draft, scenario, effects, seed, fields), workers, on_progress)
        _write_rest(draft, scenario, effects, rows, seed, fields[PRACTICES])
        _put_in_place(draft, out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Extracts(out, rows)


def simulated_records(
    scenario: Scenario, seed: int | None = None, *, draw_effects: bool = False, effects: TrueEffects | None = None,
    feed: SimulatedFeed = "apc", fields: Fields | None = None,
) -> SimulatedRecords:  # fmt: skip
    """The records of a scenario's areas in memory, the same as `write_extracts` writes but without planted errors or
    breaks.

    To judge a method: read the scenario once, and draw a world from each of many seeds. `effects` gives the true
    effects; else they are the world's, or drawn from the seed. `fields` chooses columns and their types; None: all.
    """
    seed = scenario.world.seed if seed is None else seed
    effects = effects or true_effects(scenario.world, scenario.providers.codes, seed, draw_effects)
    tables = []
    for code in scenario.areas:
        records = _AreaRecords(scenario, code, effects, seed).records(feed)
        tables.append(as_table(records, fields or _all_fields(records)))
    return SimulatedRecords(pa.concat_tables(tables).unify_dictionaries(), effects)


def _all_fields(records: Records) -> Fields:
    return [(name, "date" if name.endswith("_date") else "text") for name in records]


class _AreaRecords:
    """One area's records: its people are made first, its spells before other feeds, which need to know who died."""

    def __init__(self, scenario: Scenario, code: str, effects: TrueEffects, seed: int) -> None:
        self.scenario, self.code, self.effects, self.seed = scenario, code, effects, seed
        self.people = people_of(
            scenario.residents[code], scenario.world.people, scenario.share, scenario.census_day,
            scenario.months.last_day, stream(seed, code, "people"),
        )  # fmt: skip
        self.patients = patients_of(scenario, code, self.people, seed)

    @cached_property
    def spells(self) -> TrueSpells:
        models = StayModels(self.scenario, self.code, self.effects, self.people, self._pool("elective", "emergency"))
        return spells_of_area(self.patients, models, stream(self.seed, self.code, "apc"))

    def records(self, feed: SimulatedFeed) -> Records:
        """The records of a feed, without any error."""
        spells = self.spells
        if feed == "apc":
            return spells.records
        rng = stream(self.seed, self.code, feed)
        if feed == "op":
            return appointments_of_area(self.patients, self.effects, self._pool("outpatient"), spells.died_on, rng)
        return attendances_of_area(self.patients, spells, self._pool("attendance"), rng)

    def _pool(self, *uses: Use) -> PatientPool:
        return PatientPool(self.people, self.scenario.world.people, self.scenario.months.quarter_ends, uses)


AreaResult = tuple[dict[str, int], list[RecordsWithErrors]]
"""The number of rows of each feed of an area, and where errors are planted in it."""


@dataclass(frozen=True)
class _Task:
    """What each process needs to make any area of a world."""

    draft: Path
    scenario: Scenario
    effects: TrueEffects
    seed: int
    fields: dict[str, Fields]

    def run(self, code: str) -> AreaResult:
        """Write the files of one area."""
        area = _AreaRecords(self.scenario, code, self.effects, self.seed)
        rows: dict[str, int] = {}
        planted = []
        for feed in FEEDS:
            rng = stream(self.seed, code, feed, "errors")
            records = without_withheld(area.patients, feed, area.records(feed), rng)
            wrong = with_errors(area.patients, feed, records, rng)
            table = as_table(wrong.records, self.fields[feed])
            write(table, self.draft / feed / f"{code}.parquet")
            rows[feed] = table.num_rows
            planted.append(replace(wrong, records={}))
        return rows, planted


_task: list[_Task] = []


def _begin(task: _Task) -> None:
    _task[:] = [task]


def _run(code: str) -> AreaResult:
    return _task[0].run(code)


def _write_feeds(task: _Task, workers: int | None, on_progress: Callable[[int, int], None]) -> dict[str, int]:
    """Write the files of each area and what is planted in them; returns the number of rows of each feed."""
    by_size = sorted(task.scenario.areas, key=lambda code: -int(task.scenario.counts[code].sum()))
    results: dict[str, AreaResult] = {}
    on_progress(0, len(by_size))
    for code, result in _results(task, by_size, workers):
        results[code] = result
        on_progress(len(results), len(by_size))
    ordered = [results[code] for code in sorted(results)]
    planted = [each for _, of_area in ordered for each in of_area]
    write(errors_table(planted), task.draft / TRUTH / "planted_errors.parquet")
    return {feed: sum(rows[feed] for rows, _ in ordered) for feed in FEEDS}


def _results(task: _Task, codes: list[str], workers: int | None) -> Iterator[tuple[str, AreaResult]]:
    number = min(len(codes), workers or os.cpu_count() or 1)
    if number == 1:
        yield from ((code, task.run(code)) for code in codes)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, context, initializer=_begin, initargs=(task,)) as pool:
        waiting = {pool.submit(_run, code): code for code in codes}
        try:
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool:
            raise UserError("a process that simulates records was stopped, most often because memory ran out") from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _write_rest(
    draft: Path, scenario: Scenario, effects: TrueEffects, rows: dict[str, int], seed: int, practice_fields: Fields
) -> None:
    """Practices, truths, and last of all what was made."""
    columns = zip(*scenario.practices, strict=True)
    practices = pa.table({name: list(column) for (name, _), column in zip(practice_fields, columns, strict=True)})
    write(practices.replace_schema_metadata(MARK), draft / f"{PRACTICES}.parquet")
    write(effects.table().replace_schema_metadata(MARK), draft / TRUTH / "effects.parquet")
    write(breaks_table(scenario), draft / TRUTH / "planted_breaks.parquet")
    made = {
        "synthetic": True,
        "areas": list(scenario.areas),
        "months": [scenario.months.names[0], scenario.months.names[-1]],
        "share": scenario.share,
        "seed": seed,
        "rows": rows,
    }
    write_atomically(draft / MADE, json.dumps(made, indent=2) + "\n")


def _check_replaceable(out: Path) -> None:
    """Raises UserError where something else than simulated records is at `out`, which is left alone."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder for the simulated records")
    if out.is_dir() and any(out.iterdir()) and not (out / MADE).is_file():
        raise UserError(f"{out} holds something else than simulated records; name an empty folder, or a new one")


def _put_in_place(draft: Path, out: Path) -> None:
    if out.exists():
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.old.", suffix=".tmp", dir=out.parent))
        out.rename(old / "was")
        try:
            draft.rename(out)
        except OSError:
            (old / "was").rename(out)
            raise
        finally:
            with suppress(OSError):
                shutil.rmtree(old)
    else:
        draft.rename(out)
    keep_name(out.parent)
