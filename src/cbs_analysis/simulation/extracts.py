"""Make a synthetic London: extracts of three feeds and the truths behind them, whole or not at all.

Each PCT is made apart, from streams of random numbers of its own, by as many processes as there are: the files are the
same bytes whatever their number.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from cbs_analysis.errors import UserError
from cbs_analysis.files import keep_name, make_folder, write_atomically
from cbs_analysis.simulation.emergency_attendances import attendances_of_pct
from cbs_analysis.simulation.outpatients import appointments_of_pct
from cbs_analysis.simulation.planted_errors import (
    Planted,
    breaks_table,
    check_rules,
    errors_table,
    planted,
    without_withheld,
)
from cbs_analysis.simulation.population import Crowd, People, people_of
from cbs_analysis.simulation.providers import TrueEffects, drawn_effects, stated_effects
from cbs_analysis.simulation.random_draws import stream
from cbs_analysis.simulation.record_fields import MARK, Records, as_table, fields_of, living, write
from cbs_analysis.simulation.scenario import Setting, read_setting
from cbs_analysis.simulation.spells import SpellsMade, spells_of_pct
from cbs_analysis.simulation.stays import Models
from cbs_analysis.simulation.world import Use, load_world

Feed = Literal["apc", "op", "ae"]
FEEDS: tuple[Feed, ...] = ("apc", "op", "ae")
MADE = "made.json"
TRUTH = "truth"


@dataclass(frozen=True)
class Made:
    """What was made: the folder, and how many rows of each feed."""

    folder: Path
    rows: dict[str, int]


@dataclass(frozen=True)
class Spells:
    """A world held in memory: the table of a feed, and the true effects behind it."""

    table: pa.Table
    effects: TrueEffects


def _nobody_told(done: int, of: int) -> None:
    pass


def make(
    out: Path, *, data: Path, params: Path, areas: Sequence[str] | None = None,
    months: tuple[str, str] = ("2008-04", "2011-03"), share: float = 1.0, seed: int | None = None,
    workers: int | None = None, draw_effects: bool = False, on_progress: Callable[[int, int], None] = _nobody_told,
) -> Made:  # fmt: skip
    """Make the extracts of these PCTs (all of London where None), months and share of the published counts in `out`.

    `out` gets apc, op and ae with a Parquet file for each PCT, practices.parquet, the folder truth, and made.json last
    of all; what was there is replaced, and stays as it was where making fails. `seed` takes the place of the world's;
    with `draw_effects` providers' true effects are drawn from it. `on_progress` is told how many PCTs are done, of how
    many. Raises UserError where something asked for is not right, DataError where a table is wrong.
    """
    world = load_world(params)
    check_rules(world)
    setting = read_setting(world, data, areas, months, share)
    chosen = world.seed if seed is None else seed
    effects = effects_of(setting, chosen, draw_effects)
    fields = {feed: fields_of(params, feed) for feed in FEEDS}
    _check_replaceable(out)
    try:
        make_folder(out.parent)
        draft = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
        draft.chmod(0o755)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from None
    try:
        rows = _made(draft, setting, effects, chosen, fields, workers, on_progress)
        _write_rest(draft, setting, effects, rows, chosen)
        _put_in_place(draft, out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Made(out, rows)


def effects_of(setting: Setting, seed: int, draw_effects: bool = False) -> TrueEffects:
    """The true effects of a world: stated, or drawn from its seed where it or the caller says so."""
    if draw_effects or setting.world.effects.drawn:
        return drawn_effects(setting.world, setting.trusts.codes, seed)
    return stated_effects(setting.world, setting.trusts.codes)


def spells_of(
    setting: Setting, seed: int | None = None, *, draw_effects: bool = False, effects: TrueEffects | None = None,
    feed: Literal["apc", "op"] = "apc", fields: Sequence[tuple[str, str]] | None = None,
) -> Spells:  # fmt: skip
    """The records of a setting's PCTs in memory, the same as `make` writes but without planted errors or breaks.

    For simulations: read the setting once, and draw a world from each of many seeds. `effects` gives the true effects;
    else they are stated, or drawn from the seed. `fields` chooses columns and their types, all of them where None.
    """
    chosen = setting.world.seed if seed is None else seed
    true = effects or effects_of(setting, chosen, draw_effects)
    tables = []
    for code in setting.areas:
        pct = _Pct(setting, code, true, chosen)
        records = pct.spells().records if feed == "apc" else pct.appointments()
        tables.append(as_table(records, fields or _all_fields(records)))
    return Spells(pa.concat_tables(tables).unify_dictionaries(), true)


def _all_fields(records: Records) -> list[tuple[str, str]]:
    return [(name, "date" if name.endswith("_date") else "text") for name in records]


class _Pct:
    """One PCT on the way: its people are made once, its spells before the other feeds, which need to know who died."""

    def __init__(self, setting: Setting, code: str, effects: TrueEffects, seed: int) -> None:
        self.setting, self.code, self.effects, self.seed = setting, code, effects, seed
        rng, span = stream(seed, code, "people"), setting.months
        described = setting.world.people
        self.people: People = people_of(
            setting.places[code], described, setting.share, setting.census_day, span.last_day, rng
        )
        self.living = living(setting, code, self.people, seed)
        self._spells: SpellsMade | None = None

    def spells(self) -> SpellsMade:
        if self._spells is None:
            crowd = self._crowd("elective", "emergency")
            models = Models(self.setting, self.code, self.effects, self.people, crowd)
            self._spells = spells_of_pct(self.living, models, stream(self.seed, self.code, "apc"))
        return self._spells

    def appointments(self) -> Records:
        died_on = self.spells().died_on
        rng = stream(self.seed, self.code, "op")
        return appointments_of_pct(self.living, self.effects, self._crowd("outpatient"), died_on, rng)

    def attendances(self) -> Records:
        rng = stream(self.seed, self.code, "ae")
        return attendances_of_pct(self.living, self.spells(), self._crowd("attendance"), rng)

    def records(self, feed: Feed) -> Records:
        made = {"apc": lambda: self.spells().records, "op": self.appointments, "ae": self.attendances}
        return made[feed]()

    def _crowd(self, *uses: Use) -> Crowd:
        return Crowd(self.people, self.setting.world.people, self.setting.months.quarter_ends, uses)


@dataclass(frozen=True)
class _Task:
    """What each process needs to make any PCT of a world."""

    draft: Path
    setting: Setting
    effects: TrueEffects
    seed: int
    fields: dict[Feed, tuple[tuple[str, str], ...]]

    def run(self, code: str) -> tuple[dict[str, int], list[Planted]]:
        """Write the files of one PCT: how many rows of each feed, and the errors planted in them."""
        pct = _Pct(self.setting, code, self.effects, self.seed)
        rows: dict[str, int] = {}
        found = []
        for feed in FEEDS:
            rng = stream(self.seed, code, feed, "errors")
            records = without_withheld(pct.living, feed, pct.records(feed), rng)
            spoilt = planted(pct.living, feed, records, rng)
            table = as_table(spoilt.records, self.fields[feed])
            write(table, self.draft / feed / f"{code}.parquet")
            rows[feed] = table.num_rows
            found.append(spoilt)
        return rows, [Planted({}, each.feed, each.rules, each.keys) for each in found]


_task: list[_Task] = []


def _begin(task: _Task) -> None:
    _task[:] = [task]


def _run(code: str) -> tuple[dict[str, int], list[Planted]]:
    return _task[0].run(code)


def _made(
    draft: Path, setting: Setting, effects: TrueEffects, seed: int, fields: dict[Feed, tuple[tuple[str, str], ...]],
    workers: int | None, on_progress: Callable[[int, int], None],
) -> dict[str, int]:  # fmt: skip
    task = _Task(draft, setting, effects, seed, fields)
    by_size = sorted(setting.areas, key=lambda code: -int(setting.counts[code].sum()))
    found: dict[str, tuple[dict[str, int], list[Planted]]] = {}
    on_progress(0, len(by_size))
    for code, result in _results(task, by_size, workers):
        found[code] = result
        on_progress(len(found), len(by_size))
    ordered = [found[code] for code in sorted(found)]
    write(
        errors_table([each for _, planted_ones in ordered for each in planted_ones]),
        draft / TRUTH / "planted_errors.parquet",
    )
    return {feed: sum(rows[feed] for rows, _ in ordered) for feed in FEEDS}


def _results(
    task: _Task, codes: list[str], workers: int | None
) -> Iterator[tuple[str, tuple[dict[str, int], list[Planted]]]]:
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
            raise UserError(
                "a process that makes the synthetic London was stopped, most often for want of memory"
            ) from None
        finally:
            _stop(pool)


def _stop(pool: Executor) -> None:
    pool.shutdown(wait=True, cancel_futures=True)


def _write_rest(draft: Path, setting: Setting, effects: TrueEffects, rows: dict[str, int], seed: int) -> None:
    """Practices, truths, and last of all what was made."""
    practices = pa.table(
        {
            "gp_practice_code": [practice for practice, _ in setting.practices],
            "pct_code": [pct for _, pct in setting.practices],
        }
    )
    write(practices.replace_schema_metadata(MARK), draft / "practices.parquet")
    write(effects.table().replace_schema_metadata(MARK), draft / TRUTH / "effects.parquet")
    write(breaks_table(setting).replace_schema_metadata(MARK), draft / TRUTH / "planted_breaks.parquet")
    said = {
        "synthetic": True,
        "areas": list(setting.areas),
        "months": [setting.months.names[0], setting.months.names[-1]],
        "share": setting.share,
        "seed": seed,
        "rows": rows,
    }
    write_atomically(draft / MADE, json.dumps(said, indent=2) + "\n")


def _check_replaceable(out: Path) -> None:
    """A folder that holds something else than a synthetic London is left alone."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; name a folder for the synthetic London")
    if out.is_dir() and any(out.iterdir()) and not (out / MADE).is_file():
        raise UserError(f"{out} holds something else than a synthetic London; name an empty folder, or a new one")


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
