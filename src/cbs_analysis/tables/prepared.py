"""Reads a table that was made from hospital records; see `cbs_analysis.prepared`."""

from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError
from cbs_analysis.prepared import FOLDER, MISSING, TABLES, descriptions

__all__ = ["TABLES", "read"]


def read(table: str, data: Path) -> pd.DataFrame:
    """A prepared table as it was written.

    Raises DataError where it is not there, or is not what its description says.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = data / FOLDER / f"{table}.parquet"
    described = descriptions(data).get(table)
    if described is None or not path.exists():
        raise DataError(f"{table}: {MISSING}")
    try:
        # No threads: the process may be one that kernels are forked from.
        found = pq.read_table(path, use_threads=False, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"data/{FOLDER}/{path.name} cannot be read: {str(error).splitlines()[0]}") from None
    columns = [field["name"] for field in described["schema"]["fields"]]
    if found.column_names != columns:
        raise DataError(
            f"data/{FOLDER}/{path.name}: its columns are not those described; cbs records ready makes it anew"
        )
    return found.to_pandas(use_threads=False)
