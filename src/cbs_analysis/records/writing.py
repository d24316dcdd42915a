"""Puts prepared tables where chapters read them, with a description that says what they were made from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from cbs_analysis import prepared
from cbs_analysis.files import write_atomically
from cbs_analysis.records.tables import TABLES, Prepared

SYNTHETIC = "Synthetic records: made by this project, of no real person, so that their totals are the published ones."
_TYPES = {"string": "object", "integer": "int64", "number": "float64"}


def write(frames: Mapping[str, pd.DataFrame], data: Path, key: str, is_synthetic: bool, period: str) -> None:
    """Write every prepared table, then the description, which is what makes them count.

    `key` says what they were made from. Raises KeyError where a table is missing, OSError where nothing can be written.
    """
    folder = data / prepared.FOLDER
    # What no description names is no figure: a stop halfway leaves none, never half of the old and half of the new.
    (data / prepared.DESCRIPTION).unlink(missing_ok=True)
    for table, about in TABLES.items():
        write_atomically(folder / f"{table}.parquet", _parquet(frames[table], about))
    resources = [_described(table, about, is_synthetic, period) for table, about in TABLES.items()]
    description = {"profile": "data-package", "name": "prepared-from-records", "made_from": key, "resources": resources}
    write_atomically(data / prepared.DESCRIPTION, json.dumps(description, indent=1, sort_keys=True) + "\n")


def made_from(data: Path) -> str:
    """What the tables that are there were made from; empty where there are none, or not all of them."""
    try:
        package = json.loads((data / prepared.DESCRIPTION).read_text(encoding="utf-8"))
        key = str(package["made_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return key if all((data / prepared.FOLDER / f"{table}.parquet").exists() for table in TABLES) else ""


def _parquet(frame: pd.DataFrame, about: Prepared) -> bytes:
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


def _described(table: str, about: Prepared, is_synthetic: bool, period: str) -> dict[str, Any]:
    fields = [
        {"name": name, "type": kind, "description": means, **({"unit": unit} if unit else {})}
        for name, (kind, means, unit) in about.columns.items()
    ]
    return {
        "name": table,
        "path": f"{prepared.FOLDER}/{table}.parquet",
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
