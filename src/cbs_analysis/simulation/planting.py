"""Errors planted in a synthetic London's records, and records withheld from them: each with its rule, for marking.

What is recorded here is the truth that the warehouse's rules are held against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.simulation.editable_records import Sheet
from cbs_analysis.simulation.place import Living
from cbs_analysis.simulation.planted_errors import BY_FEED
from cbs_analysis.simulation.record_fields import MARK, Fixed, Records, Text, strings, take
from cbs_analysis.simulation.scenario import Setting
from cbs_analysis.simulation.world import World

LETTERS = {"apc": "A", "op": "O", "ae": "E"}
DAY_OF = {"op": "appointment_date", "ae": "arrival_date"}
FOLLOW_UP = "2"


@dataclass(frozen=True)
class Planted:
    """Records with their errors; for each rule the keys, as tables of bytes, of the records that break it."""

    records: Records
    feed: str
    rules: tuple[str, ...]
    keys: tuple[NDArray[np.uint8], ...]


def check_rules(world: World) -> None:
    """Raises UserError where world.yml plants an error that nothing here knows how to plant."""
    for feed, known in BY_FEED.items():
        names = [*known, f"{feed}_duplicate"]
        for rule in getattr(world.errors, feed):
            if rule not in names:
                raise UserError(
                    f"params/simulation/world.yml: errors.{feed}: {rule!r} is no error that can be planted; "
                    f"{nearest(rule, names)}"
                )


def planted(living: Living, feed: str, records: Records, rng: np.random.Generator) -> Planted:
    """The records with the world's errors in them, those that are hardest to place first and duplicates last."""
    shares = getattr(living.setting.world.errors, feed)
    sheet = Sheet(living, LETTERS[feed], records, rng)
    found: dict[str, NDArray[np.uint8]] = {}
    own = records["cds_unique_identifier"]
    assert isinstance(own, Fixed)
    for rule, planting in BY_FEED[feed].items():
        rows = sheet.victims(shares.get(rule, 0.0), planting.fits)
        if rule.endswith("_overlap"):
            rows = _each_apart(sheet, rows)
        planting.spoil(sheet, rows)
        found[rule] = own.characters[rows]
    twin = f"{feed}_duplicate"
    found[twin] = sheet.twins(shares.get(twin, 0.0))
    return Planted(sheet.records, feed, tuple(found), tuple(found.values()))


def _each_apart(sheet: Sheet, rows: NDArray) -> NDArray:
    """Those victims of an overlap whose stay before is not a victim itself; the others are free again."""
    before = sheet.stay_before[rows]
    clash = np.isin(before, rows)
    sheet.used[rows[clash]] = False
    return rows[~clash]


def without_withheld(living: Living, feed: str, records: Records, rng: np.random.Generator) -> Records:
    """The records less those that the world withholds: of outpatients only follow-ups."""
    months = living.setting.months
    kept: NDArray | None = None
    for each in living.setting.world.breaks:
        here = [months.names.index(month) for month in each.months if month in months.names]
        if each.feed != feed or not here:
            continue
        day, provider = records[DAY_OF[feed]], records["provider_code"]
        assert isinstance(day, np.ndarray)
        assert isinstance(provider, Text)
        if kept is None:
            kept = np.ones(len(day), dtype=bool)
        rows = np.flatnonzero(provider.places == living.setting.trusts.codes.index(each.provider))
        rows = rows[np.isin(months.of(day[rows]), here)]
        if feed == "op":
            code = records["first_attendance_code"]
            assert isinstance(code, Text)
            assert isinstance(code.words, tuple)
            rows = rows[code.places[rows] == code.words.index(FOLLOW_UP)]
        kept[rows[rng.random(len(rows)) < each.share]] = False
    return records if kept is None else take(records, np.flatnonzero(kept))


def breaks_table(setting: Setting) -> pa.Table:
    """What is withheld in the setting's months: feed, rule, provider_code, month."""
    rows = sorted(
        (each.feed, f"{each.feed}_break", each.provider, month)
        for each in setting.world.breaks
        for month in each.months
        if month in setting.months.names
    )
    names = ("feed", "rule", "provider_code", "month")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def errors_table(found: Sequence[Planted]) -> pa.Table:
    """What was planted, by feed and rule: feed, rule, cds_unique_identifier."""
    parts = sorted(
        ((list(LETTERS).index(each.feed), rule, number, keys, each.feed)
         for number, each in enumerate(found)
         for rule, keys in zip(each.rules, each.keys, strict=True) if len(keys)),
        key=lambda part: part[:3],
    )  # fmt: skip
    table = pa.table(
        {
            "feed": pa.array([feed for *_, keys, feed in parts for _ in range(len(keys))], pa.string()),
            "rule": pa.array([rule for _, rule, _, keys, _ in parts for _ in range(len(keys))], pa.string()),
            "cds_unique_identifier": pa.concat_arrays([strings(keys) for *_, keys, _ in parts])
            if parts
            else pa.array([], pa.string()),
        }
    )
    return table.replace_schema_metadata(MARK)
