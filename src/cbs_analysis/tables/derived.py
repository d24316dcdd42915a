"""Tables derived from hospital records, small enough for a chapter to read: what each holds, and how it is read.

`cbs records ready` makes them (`records.derived_tables`) in the folder `derived` of the record store whose records they
count, each a Parquet file, with a description that has a stamp of the store's manifest. They are read from the store in
use and from no other, and only while they are of what it holds now. A notebook declares them like any other table.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cbs_analysis.errors import DataError
from cbs_analysis.files import stamp
from cbs_analysis.home import records_dir, synthetic_records_dir

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "derived"
DESCRIPTION = f"{FOLDER}/datapackage.json"
MANIFEST = "manifest.json"
"""The file of a record store that says what it holds: `records.store` writes it."""
FEWEST_EVENTS = 8
"""The smallest count of records that anybody is shown but those who sent them or pay for them."""


@dataclass(frozen=True)
class StoreStamp:
    """What a record store's manifest says: its digest, and whether the store has submissions, and simulated ones."""

    digest: str
    is_used: bool
    is_synthetic: bool


def store_in_use(of: Path | None = None) -> Path:
    """The record store that derived tables are read from, of the home or of another: that of imported records
    (`CBS_RECORDS`, else `build/records`) where anything was imported, else the simulated one.
    """
    own = store_stamp(records_dir(of))
    return records_dir(of) if own is not None and own.is_used else synthetic_records_dir(of)


def store_stamp(store: Path) -> StoreStamp | None:
    """None where the folder holds no record store. Raises DataError where its manifest is broken."""
    return _store_stamp(store, stamp(store / MANIFEST))


def descriptions(store: Path | None = None) -> Mapping[str, dict[str, Any]]:
    """Each derived table of the store in use, or of another, described as in `datapackage.json`, with a `path` in the
    store; none where there are none, or they are not of what the store holds now. `synthetic` is the store's own word.

    Raises DataError where the description is broken.
    """
    folder = store or store_in_use()
    now, package = store_stamp(folder), _package(folder)
    if now is None or package is None or package["store"] != now.digest:
        return {}
    return {entry["name"]: {**entry, "synthetic": now.is_synthetic} for entry in package["resources"]}


def missing(table: str, store: Path | None = None) -> DataError:
    """The error for a derived table that cannot be read: there are none, or they are not of the store as it is now."""
    folder = store or store_in_use()
    is_old = _package(folder) is not None
    why = "was derived before the store last changed" if is_old else "is not derived yet"
    return DataError(f"{table}: {why} (record store {folder.name}); make it from hospital records: cbs records ready")


def path_of(table: str, store: Path | None = None) -> Path:
    """The file of a derived table in the store in use, or in another."""
    return (store or store_in_use()) / FOLDER / f"{table}.parquet"


def files(store: Path | None = None) -> list[Path]:
    """All that reading derived tables needs: the store's manifest, the description and the tables, where there are any.

    They lie in the store, so that they can be copied with their places in it.
    """
    folder = store or store_in_use()
    if not (folder / DESCRIPTION).exists():
        return []
    tables = [path_of(table, folder) for table in TABLES]
    return [path for path in (folder / MANIFEST, folder / DESCRIPTION, *tables) if path.exists()]


def read(table: str, store: Path | None = None) -> "pd.DataFrame":
    """A derived table as it was written.

    Raises DataError where it is not there, not of the store in use, or not what its description says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = path_of(table, store)
    described = descriptions(store).get(table)
    if described is None or not path.exists():
        raise missing(table, store)
    try:
        # No threads: the process may be one that kernels are forked from.
        found = pq.read_table(path, use_threads=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{FOLDER}/{path.name} cannot be read: {str(error).splitlines()[0]}") from None
    columns = [field["name"] for field in described["schema"]["fields"]]
    if found.column_names != columns:
        raise DataError(f"{FOLDER}/{path.name}: its columns are not those described; cbs records ready makes it again")
    return found.to_pandas(use_threads=False)


@lru_cache(maxsize=8)
def _store_stamp(store: Path, changed: tuple[int, ...]) -> StoreStamp | None:
    try:
        content = (store / MANIFEST).read_bytes()
        submissions = json.loads(content)["submissions"]
        is_synthetic = any(each["is_synthetic"] for each in submissions)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(
            f"record store {store}: {MANIFEST} is broken; put it back from a copy, or remove the store, then import"
        ) from None
    return StoreStamp(blake2b(content, digest_size=16).hexdigest(), bool(submissions), is_synthetic)


def _package(store: Path) -> dict[str, Any] | None:
    try:
        package = json.loads((store / DESCRIPTION).read_text(encoding="utf-8"))
        resources = [{**entry, "name": entry["name"]} for entry in package["resources"]]
        return {"store": package["store"], "resources": resources}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"record store {store}: {DESCRIPTION} is broken; cbs records ready makes it again") from None


@dataclass(frozen=True)
class DerivedTable:
    """What a derived table holds: title, what it is, and its columns in order, each (kind, meaning, unit)."""

    title: str
    description: str
    columns: dict[str, tuple[str, str, str]]
    key: tuple[str, ...]
    caveats: tuple[str, ...] = ()


_YEAR = ("string", "Financial year of discharge or appointment", "")
_FEED = ("string", "Feed of records, such as apc, op or ae", "")
_PROVIDER = ("string", "Code of the trust", "")
_COMMISSIONER = ("string", "Code of the PCT that pays, as recorded", "")
_SPECIALTY = ("string", "Treatment function, as recorded", "")
_MONTH = ("string", "Month of discharge, appointment or arrival, YYYY-MM", "")
_RECORDS = ("integer", "Records", "records")

PRICES = (
    "Pounds are national mean costs of 2024/25 by healthcare resource group: later groups and later prices. Use them "
    "to weigh one kind of care against another, and not as what was paid."
)
CLEANSED = "Duplicates, as the quality rules find them, are left out."
MODEL = (
    "Expected numbers are from a regression on age, sex, deprivation and case mix; what is not recorded is not "
    "adjusted for."
)

TABLES: dict[str, DerivedTable] = {
    "records_received": DerivedTable(
        "Records received",
        "What was sent to the record store by feed, and what became of it.",
        {
            "feed": _FEED,
            "sent": ("integer", "Rows sent", "rows"),
            "loaded": ("integer", "Rows that became new records", "rows"),
            "replaced": ("integer", "Rows that took the place of a record or of an earlier row", "rows"),
            "quarantined": ("integer", "Rows that could not be read", "rows"),
        },
        ("feed",),
    ),
    "records_refused": DerivedTable(
        "Rows refused",
        "Why rows could not be read, by feed.",
        {"feed": _FEED, "reason": ("string", "Why", ""), "rows": ("integer", "Rows", "rows")},
        ("feed", "reason"),
    ),
    "records_months": DerivedTable(
        "Records by month",
        "Records in the store by feed, trust, commissioner and month.",
        {
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "month": _MONTH,
            "records": _RECORDS,
        },
        ("feed", "provider_code", "commissioner_code", "month"),
    ),
    "records_against_return": DerivedTable(
        "Records beside the activity return",
        "Records as the Monthly Activity Return counts them, beside what it published.",
        {
            "area_code": ("string", "Code of the PCT", ""),
            "month": _MONTH,
            "measure": ("string", "Measure of the return", ""),
            "records": _RECORDS,
            "published": ("number", "Published count", "admissions or attendances"),
        },
        ("area_code", "month", "measure"),
        (
            "The return counts by PCT code as recorded: a record with a wrong commissioner is in no PCT's count.",
            CLEANSED,
        ),
    ),
    "records_completeness": DerivedTable(
        "Completeness and validity",
        "How many records have each field filled, and filled with a value that can be true.",
        {
            "feed": _FEED,
            "field": ("string", "Field of the feed", ""),
            "provider_code": _PROVIDER,
            "financial_year": _YEAR,
            "records": _RECORDS,
            "filled": ("integer", "Records with the field filled", "records"),
            "valid": ("integer", "Records with a value that can be true", "records"),
        },
        ("feed", "field", "provider_code", "financial_year"),
    ),
    "records_breaks": DerivedTable(
        "Breaks in what arrives",
        "Months in which a trust sent far fewer or more records than its other months lead one to expect.",
        {
            "rule": ("string", "Quality rule", ""),
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "month": _MONTH,
            "records": _RECORDS,
            "expected": ("number", "Records expected from the trust's other months", "records"),
        },
        ("rule", "provider_code", "month"),
    ),
    "records_with_errors": DerivedTable(
        "Records with an error",
        "Records with at least one error, by feed, trust, commissioner and year.",
        {
            "feed": _FEED,
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "financial_year": _YEAR,
            "records": _RECORDS,
            "price_gbp": ("number", "Price of all of them that have one", "GBP"),
            "with_errors": ("integer", "Records with at least one error", "records"),
            "in_question": ("integer", "Records whose whole price is in question", "records"),
            "in_question_gbp": ("number", "Price of those", "GBP"),
        },
        ("feed", "provider_code", "commissioner_code", "financial_year"),
        (PRICES,),
    ),
    "quality_counts": DerivedTable(
        "Records that break each rule",
        "Records that each quality rule applies to, and those that break it, by trust, commissioner and year.",
        {
            "feed": _FEED,
            "rule": ("string", "Quality rule", ""),
            "provider_code": _PROVIDER,
            "commissioner_code": _COMMISSIONER,
            "financial_year": _YEAR,
            "records": ("integer", "Records that the rule applies to", "records"),
            "failed": ("integer", "Records that break it", "records"),
            "value_gbp": ("number", "Price of those records, where the rule puts it in question", "GBP"),
        },
        ("feed", "rule", "provider_code", "commissioner_code", "financial_year"),
        (PRICES,),
    ),
    "quality_rules": DerivedTable(
        "Quality rules",
        "What each rule asks, why it matters, and how much.",
        {
            "rule": ("string", "Quality rule", ""),
            "feed": _FEED,
            "kind": ("string", "row, window, series or total", ""),
            "severity": ("string", "error, warning or information", ""),
            "title": ("string", "What is wrong, in few words", ""),
            "what": ("string", "What is wrong", ""),
            "why": ("string", "Why it matters", ""),
        },
        ("rule",),
    ),
    "spell_flows": DerivedTable(
        "Spells by PCT, trust and specialty",
        "Admitted spells by year, PCT that pays, trust, specialty and kind of admission.",
        {
            "financial_year": _YEAR,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "treatment_function_code": _SPECIALTY,
            "kind": ("string", "elective ordinary, day case or non-elective", ""),
            "spells": ("integer", "Spells", "spells"),
            "bed_days": ("integer", "Nights of those spells", "bed days"),
            "price_gbp": ("number", "Price of those spells that have one", "GBP"),
            "priced": ("integer", "Spells that have a price", "spells"),
        },
        ("financial_year", "commissioner_code", "provider_code", "treatment_function_code", "kind"),
        (CLEANSED, PRICES),
    ),
    "outpatient_flows": DerivedTable(
        "Outpatient appointments by PCT, trust and specialty",
        "Appointments by year, PCT that pays, trust and specialty.",
        {
            "financial_year": _YEAR,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "treatment_function_code": _SPECIALTY,
            "appointments": ("integer", "Appointments", "appointments"),
            "first": ("integer", "First attendances", "attendances"),
            "follow_up": ("integer", "Follow-up attendances", "attendances"),
            "not_seen": ("integer", "Appointments not attended or cancelled", "appointments"),
        },
        ("financial_year", "commissioner_code", "provider_code", "treatment_function_code"),
        (CLEANSED,),
    ),
    "benchmark_providers": DerivedTable(
        "Trusts on four measures, allowing for whom they treat",
        "Observed and expected by trust, for all specialties together and for each.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "treatment_function_code": ("string", "Treatment function, or all", ""),
            "provider_code": _PROVIDER,
            "cases": ("integer", "Spells or first attendances measured", "cases"),
            "observed": ("number", "Day cases, nights, readmissions or follow-ups", "events"),
            "expected": ("number", "The same at the average trust's effect", "events"),
            "standard_error": ("number", "Standard error of the logarithm of observed over expected", "log ratio"),
            "price_gbp": ("number", "Mean price of one event more, NaN where none is known", "GBP"),
        },
        ("financial_year", "measure", "treatment_function_code", "provider_code"),
        (CLEANSED, MODEL, PRICES),
    ),
    "benchmark_areas": DerivedTable(
        "PCTs on four measures, allowing for who they are and where they are treated",
        "Observed and expected by PCT, trust and specialty.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "treatment_function_code": _SPECIALTY,
            "commissioner_code": _COMMISSIONER,
            "provider_code": _PROVIDER,
            "cases": ("integer", "Spells or first attendances measured", "cases"),
            "observed": ("number", "Day cases, nights, readmissions or follow-ups", "events"),
            "expected": ("number", "The same at the average trust's effect", "events"),
            "variance": ("number", "Variance of observed by chance", "events squared"),
        },
        ("financial_year", "measure", "treatment_function_code", "commissioner_code", "provider_code"),
        (CLEANSED, MODEL),
    ),
    "benchmark_models": DerivedTable(
        "Case-mix models",
        "The coefficients of each model, and how well it fits.",
        {
            "financial_year": _YEAR,
            "measure": ("string", "day_case, length_of_stay, readmission or follow_up", ""),
            "term": ("string", "Covariate, or what is said of the model", ""),
            "level": ("string", "Level of the covariate", ""),
            "estimate": ("number", "Coefficient, or the number itself", "log odds or log ratio"),
            "standard_error": ("number", "Its standard error", "log odds or log ratio"),
        },
        ("financial_year", "measure", "term", "level"),
        (MODEL,),
    ),
}
