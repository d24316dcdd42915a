"""Which PCT leads the contract with each hospital trust for all of London.

Source: the London commissioning paper of 2006, Appendix A.
"""

from pathlib import Path

import pandas as pd

from cbs_analysis.tables.checking import CheckResult, compared, read_table

TABLE = "lead_commissioners_2006"


def load(data: Path) -> pd.DataFrame:
    return read_table(data, TABLE)


def read(data: Path) -> pd.DataFrame:
    """A row for each trust of 2006: lead_pct_code, lead_as_printed, trust_as_printed, provider_code (of 2010/11; None
    where it has none).

    Raises DataError where the file is wrong.
    """
    return load(data)


def checks(frame: pd.DataFrame, data: Path) -> list[CheckResult]:
    """Has every trust of 2006 a code in 2010/11? Where not, it is in no analysis of providers."""
    rows = [f"{row.trust_as_printed}: no code" for row in frame[frame["provider_code"].isna()].itertuples()]
    return [compared(TABLE, "every trust has a code in the bed return of 2010/11", f"{len(frame)} trusts", rows, "gap")]
