"""Which tables are made from hospital records, small enough for a chapter to read, and where they lie.

`cbs records ready` writes them to `data/prepared`, each a Parquet file, with a description beside them that says from
which records they were made. They are figures like any other: declared by a notebook, stamped, sent along to a cluster;
only that they are made and not committed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cbs_analysis.errors import DataError

FOLDER = "prepared"
DESCRIPTION = f"{FOLDER}/datapackage.json"
TABLES = (
    "records_received", "records_refused", "records_months", "records_against_return", "records_completeness",
    "records_breaks", "records_with_errors", "quality_counts", "quality_rules", "spell_flows", "outpatient_flows",
    "benchmark_providers", "benchmark_areas", "benchmark_models",
)  # fmt: skip
FEWEST_EVENTS = 8
"""The smallest count of records that anybody is shown but those who sent them or pay for them."""
MISSING = f"data/{FOLDER} is not there or lacks tables; make them from hospital records: cbs records ready"


def descriptions(data: Path) -> Mapping[str, dict[str, Any]]:
    """Each prepared table that is there, described as in `datapackage.json`; none where nothing was prepared."""
    try:
        package = json.loads((data / DESCRIPTION).read_text(encoding="utf-8"))
        return {entry["name"]: entry for entry in package["resources"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"data/{DESCRIPTION} is broken; cbs records ready makes it anew") from None
