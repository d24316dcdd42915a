"""From the record store to the tables that chapters read: rules, cleansing, counts by PCT and trust, models.

Made once for all areas, so that a chapter only reads. What has not changed is not made again.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

import cbs_analysis
from cbs_analysis.errors import UserError
from cbs_analysis.files import digest_of_files
from cbs_analysis.home import files_under
from cbs_analysis.records import benchmarks, cells, features, flows, quality, writing
from cbs_analysis.records.breaks_in_feeds import breaks
from cbs_analysis.records.checking_records import Checked, check_records
from cbs_analysis.records.completeness import completeness, financial_years
from cbs_analysis.records.reconciling import totals
from cbs_analysis.records.references import References, load_references, referenced
from cbs_analysis.records.rules import KEY, Rule, load_rules
from cbs_analysis.records.store import Store

FEEDS = ("apc", "op", "ae")
MEMORY = "1500MB"
STEPS = ("rules", "completeness", "flows", "models", "tables")


@dataclass(frozen=True)
class Held:
    """The records of a store, ready to be asked: a connection, the table of each feed, references and rules."""

    connection: Any
    tables: dict[str, Any]
    references: References
    rules: tuple[Rule, ...]


def connect() -> Any:
    """A connection to DuckDB that keeps to the memory it may use, and writes the rest to disk."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET memory_limit = '{MEMORY}'")
    connection.raw_sql("SET preserve_insertion_order = false")
    return connection


def checked_store(store: Store, data: Path, params: Path) -> tuple[Held, Checked]:
    """Every record held against every rule. Raises UserError and DataError as `hold`."""
    held = hold(store, connect(), data, params)
    return held, check_records(held.tables, held.references, held.rules)


def hold(store: Store, connection: Any, data: Path, params: Path) -> Held:
    """Raises UserError where the store holds no spells, or the rules are wrong; DataError where a table is."""
    if not store.files("apc"):
        raise UserError(
            "the record store holds no spells; import some: cbs records import apc FILE, or cbs records ready"
        )
    tables = {feed: store.table(feed, connection) for feed in FEEDS}
    return Held(connection, tables, load_references(data, store.practices()), load_rules(params))


def key_of(store: Store, data: Path, params: Path) -> str:
    """What prepared tables are made from: the store's content, rules, figures that records are held against, code."""
    root = Path(cbs_analysis.__file__).parent
    files = [
        params / "quality_rules.yml",
        *files_under(params / "feeds"),
        *files_under(data / "published"),
        *files_under(data / "reference"),
        *sorted((root / "records").rglob("*.py")),
        *sorted((root / "stats").rglob("*.py")),
    ]
    return digest_of_files(files, store.state)


def prepare(store: Store, data: Path, params: Path, on_step: Callable[[str], object] = lambda step: None) -> bool:
    """Make the tables that chapters read; False where those that are there are of the same records, rules and code.

    `on_step` is called with each of `STEPS` as it begins. Raises UserError and DataError as `hold`.
    """
    key = key_of(store, data, params)
    if writing.made_from(data) == key:
        return False
    with closing(connect().con) as raw:
        connection = ibis.duckdb.from_connection(raw)
        held = hold(store, connection, data, params)
        frames = tables_of(held, store, data, on_step)
    months = frames["records_months"]["month"].astype(str)
    period = f"{months.min()} to {months.max()}"
    on_step("tables")
    writing.write(frames, data, key, store.is_synthetic, period)
    return True


def tables_of(held: Held, store: Store, data: Path, on_step: Callable[[str], object]) -> dict[str, pd.DataFrame]:
    """Every prepared table by name; see `warehouse.tables`."""
    on_step("rules")
    found, again = _of_rules(held)
    found |= {"records_received": store.received(), "records_refused": store.refused()}
    year = latest_year(found["records_months"].query("feed == 'apc'")["month"])
    on_step("completeness")
    found["records_completeness"] = pd.concat(
        [completeness(held.tables[feed], feed, held.references, held.rules) for feed in FEEDS]
    )
    on_step("flows")
    lsoas = ibis.memtable(features.deprivation(data))
    spells = features.spells(referenced(cleansed(held, again, "apc"), "apc", held.references), lsoas)
    appointments = features.appointments(cleansed(held, again, "op"), lsoas)
    spells = spells.select(*features.KEPT_OF_SPELLS).cache()
    found["spell_flows"] = flows.spell_flows(spells).execute()
    found["outpatient_flows"] = flows.outpatient_flows(appointments).execute()
    on_step("models")
    spells = spells.filter(spells.financial_year == year)
    like = (
        cells.spell_cells(spells, spells.discharge_date.max().execute()),
        cells.appointment_cells(appointments.filter(appointments.financial_year == year)),
    )
    prices = cells.event_prices(spells)
    return found | benchmarks.tables(*like, lambda measure: prices.get(measure, pd.Series(dtype=float)))


def _of_rules(held: Held) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The tables that say what the rules found, and of each feed the records that are another again."""
    checked = check_records(held.tables, held.references, held.rules)
    found = {
        "records_months": checked.arrived.drop(columns="price_gbp"),
        "records_against_return": totals(checked, held.references, held.rules).rename(
            columns={"commissioner_code": "area_code"}
        ),
        "records_breaks": breaks(checked, held.rules),
        "records_with_errors": quality.with_errors(checked, held.rules),
        "quality_counts": quality.counts_by_year(checked),
        "quality_rules": quality.described(held.rules),
    }
    return found, {feed: quality.duplicates(checked.failures, feed) for feed in FEEDS}


def latest_year(months: pd.Series) -> str:
    """The last financial year of which every month has records. Raises UserError where there is none."""
    years = financial_years(pd.Series(sorted(set(months.astype(str))))).value_counts()
    whole = sorted(years.index[years == 12])
    if not whole:
        raise UserError("the record store holds no whole financial year of spells; import April to March of one")
    return str(whole[-1])


def cleansed(held: Held, again: dict[str, pd.DataFrame], feed: str) -> Any:
    """A feed's records without those that are another again."""
    table = held.tables[feed]
    if again[feed].empty:
        return table
    lookup = ibis.memtable(again[feed])
    return table.anti_join(lookup, ["provider_code", KEY]).view()
