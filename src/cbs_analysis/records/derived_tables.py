"""From a record store to the tables derived from it: rules, cleansing, counts by PCT and trust, models.

Made once for all areas, so that a chapter only reads, and kept in the store (`tables.derived` describes and reads
them). What has not changed is not made again.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

import cbs_analysis
from cbs_analysis.errors import UserError
from cbs_analysis.files import digest_of_files, write_atomically
from cbs_analysis.home import files_under
from cbs_analysis.records import benchmarking_models, case_mix, quality_tables
from cbs_analysis.records.feeds import record_feeds
from cbs_analysis.records.quality_checks import QualityResults, check_records
from cbs_analysis.records.quality_rules import KEY, QualityRule, load_rules
from cbs_analysis.records.quality_tables import completeness, feed_breaks, financial_years, totals
from cbs_analysis.records.reference_data import ReferenceData, load_reference_data, referenced
from cbs_analysis.records.store import Store
from cbs_analysis.tables import derived

MEMORY = "1500MB"
SYNTHETIC = "Synthetic records: made by this project, of no real person, so that their totals are the published ones."
STEPS = ("rules", "completeness", "flows", "models", "tables")
_TYPES = {"string": "object", "integer": "int64", "number": "float64"}


@dataclass(frozen=True)
class OpenedStore:
    """The records of a store, ready to be asked: a connection, the table of each feed, references and rules."""

    connection: Any
    tables: dict[str, Any]
    references: ReferenceData
    rules: tuple[QualityRule, ...]


def connect() -> Any:
    """A connection to DuckDB that keeps to the memory it may use, and writes the rest to disk."""
    connection = ibis.duckdb.connect()
    connection.raw_sql(f"SET memory_limit = '{MEMORY}'")
    connection.raw_sql("SET preserve_insertion_order = false")
    return connection


def checked_store(store: Store, data: Path, params: Path) -> tuple[OpenedStore, QualityResults]:
    """Every record held against every rule. Raises UserError and DataError as `open_store`."""
    held = open_store(store, connect(), data, params)
    return held, check_records(held.tables, held.references, held.rules)


def open_store(store: Store, connection: Any, data: Path, params: Path) -> OpenedStore:
    """Every feed of records, in the order of the rules. Raises UserError where the store holds no records, or the rules
    are wrong; DataError where a table is.
    """
    rules = load_rules(params)
    feeds = dict.fromkeys([*(rule.feed for rule in rules), *record_feeds(params)])
    if not any(store.rows(feed) for feed in feeds):
        raise UserError(
            "the record store holds no records; import some: cbs records import apc FILE, or cbs records ready"
        )
    tables = {feed: store.table(feed, connection) for feed in feeds}
    return OpenedStore(connection, tables, load_reference_data(data, store.practices()), rules)


def key_of(store: Store, data: Path, params: Path) -> str:
    """What derived tables are made from: the store's content, rules, figures that records are held against, code."""
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
    """Make the tables that chapters read; False where those in the store are of the same records, rules and code.

    `on_step` is called with each of `STEPS` as it begins. Raises UserError where the store holds no spells
    or they cannot be written, and UserError and DataError as `open_store`.
    """
    key = key_of(store, data, params)
    if _made_from(store.folder) == key:
        return False
    if not store.files("apc"):
        raise UserError(
            "the record store holds no spells; import some: cbs records import apc FILE, or cbs records ready"
        )
    with closing(connect().con) as raw:
        connection = ibis.duckdb.from_connection(raw)
        held = open_store(store, connection, data, params)
        frames = tables_of(held, store, data, on_step)
    months = frames["records_months"]["month"].astype(str)
    period = f"{months.min()} to {months.max()}"
    on_step("tables")
    try:
        write(frames, store, key, period)
    except OSError as error:
        raise UserError(
            f"record store {store.folder}: derived tables cannot be written: {error.strerror or error}"
        ) from None
    return True


def tables_of(held: OpenedStore, store: Store, data: Path, on_step: Callable[[str], object]) -> dict[str, pd.DataFrame]:
    """Every derived table by name; see `tables.derived`."""
    on_step("rules")
    found, again = _of_rules(held)
    found |= {"records_received": store.received(), "records_refused": store.refused()}
    year = latest_year(found["records_months"].query("feed == 'apc'")["month"])
    on_step("completeness")
    found["records_completeness"] = pd.concat(
        [completeness(held.tables[feed], feed, held.references, held.rules) for feed in held.tables]
    )
    on_step("flows")
    lsoas = ibis.memtable(case_mix.deprivation(data))
    spells = case_mix.spells(referenced(cleansed(held, again, "apc"), "apc", held.references), lsoas)
    appointments = case_mix.appointments(cleansed(held, again, "op"), lsoas)
    spells = spells.select(*case_mix.KEPT_OF_SPELLS).cache()
    found["spell_flows"] = case_mix.spell_flows(spells).execute()
    found["outpatient_flows"] = case_mix.outpatient_flows(appointments).execute()
    on_step("models")
    spells = spells.filter(spells.financial_year == year)
    like = (
        case_mix.spell_cells(spells, spells.discharge_date.max().execute()),
        case_mix.appointment_cells(appointments.filter(appointments.financial_year == year)),
    )
    prices = case_mix.event_prices(spells)
    return found | benchmarking_models.tables(*like, lambda measure: prices.get(measure, pd.Series(dtype=float)))


def _of_rules(held: OpenedStore) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """The tables that say what the rules found, and of each feed the records that are another again."""
    checked = check_records(held.tables, held.references, held.rules)
    found = {
        "records_months": checked.arrived.drop(columns="price_gbp"),
        "records_against_return": totals(checked, held.references, held.rules).rename(
            columns={"commissioner_code": "area_code"}
        ),
        "records_breaks": feed_breaks(checked, held.rules),
        "records_with_errors": quality_tables.with_errors(checked, held.rules),
        "quality_counts": quality_tables.counts_by_year(checked),
        "quality_rules": quality_tables.rule_descriptions(held.rules),
    }
    return found, {feed: quality_tables.duplicates(checked.failures, feed) for feed in held.tables}


def latest_year(months: pd.Series) -> str:
    """The last financial year of which every month has records. Raises UserError where there is none."""
    years = financial_years(pd.Series(sorted(set(months.astype(str))))).value_counts()
    whole = sorted(years.index[years == 12])
    if not whole:
        raise UserError("the record store holds no whole financial year of spells; import April to March of one")
    return str(whole[-1])


def cleansed(held: OpenedStore, again: dict[str, pd.DataFrame], feed: str) -> Any:
    """A feed's records without those that are another again."""
    table = held.tables[feed]
    if again[feed].empty:
        return table
    lookup = ibis.memtable(again[feed])
    return table.anti_join(lookup, ["provider_code", KEY]).view()


def write(frames: Mapping[str, pd.DataFrame], store: Store, key: str, period: str) -> None:
    """Write every derived table, then the description, which is what makes them count.

    `key` says what they were made from. Raises KeyError where a table is missing, OSError where nothing can be written.
    """
    # What no description names is no figure: a stop halfway leaves none, never half of the old and half of the new.
    (store.folder / derived.DESCRIPTION).unlink(missing_ok=True)
    for table, about in derived.TABLES.items():
        write_atomically(derived.path_of(table, store.folder), _parquet(frames[table], about))
    resources = [_described(table, about, store.is_synthetic, period) for table, about in derived.TABLES.items()]
    description = {
        "profile": "data-package", "name": "derived-from-records", "store": store.state, "made_from": key,
        "resources": resources,
    }  # fmt: skip
    write_atomically(store.folder / derived.DESCRIPTION, json.dumps(description, indent=1, sort_keys=True) + "\n")


def _made_from(store: Path) -> str:
    """What the tables that are there were made from; empty where there are none, or not all of them."""
    try:
        package = json.loads((store / derived.DESCRIPTION).read_text(encoding="utf-8"))
        key = str(package["made_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return key if all(derived.path_of(table, store).exists() for table in derived.TABLES) else ""


def _parquet(frame: pd.DataFrame, about: derived.DerivedTable) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = list(about.columns)
    # Categories are of one making of a table; what is written is text.
    typed = frame[columns].astype({name: _TYPES[kind] for name, (kind, _, _) in about.columns.items()})
    ordered = typed.sort_values(list(about.key), ignore_index=True)
    table = pa.Table.from_pandas(ordered, preserve_index=False).replace_schema_metadata(None)
    out = pa.BufferOutputStream()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue().to_pybytes()


def _described(table: str, about: derived.DerivedTable, is_synthetic: bool, period: str) -> dict[str, Any]:
    fields = [
        {"name": name, "type": kind, "description": means, **({"unit": unit} if unit else {})}
        for name, (kind, means, unit) in about.columns.items()
    ]
    return {
        "name": table,
        "path": f"{derived.FOLDER}/{table}.parquet",
        "format": "parquet",
        "title": about.title + (" (synthetic)" if is_synthetic else ""),
        "description": about.description,
        "publisher": "this handbook, from synthetic records"
        if is_synthetic
        else "this handbook, from hospital records",
        "period": period,
        "geography": "the trusts and PCTs in the records",
        "attribution": "MIT, as the code." if is_synthetic else "As agreed with those who sent the records.",
        "caveats": [*([SYNTHETIC] if is_synthetic else []), *about.caveats],
        "synthetic": is_synthetic,
        "schema": {"fields": fields, "primaryKey": list(about.key)},
    }
