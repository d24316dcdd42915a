"""A month is closed when its figures are agreed: records of it that are sent from there on are refused."""

from __future__ import annotations

import re
from dataclasses import replace

from cbs_analysis.errors import UserError
from cbs_analysis.records.store import Store


def close_month(store: Store, month: str) -> None:
    """Close a month, YYYY-MM, for every feed and provider; what is there stays. Closing it again changes nothing.

    Raises UserError where it is no month, or the store cannot be written.
    """
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month, re.ASCII):
        raise UserError(f"month: {month!r} is not a month; write it like 2010-03")
    with store.writing():
        if month not in store.closed_months:
            store.commit(replace(store.manifest, closed=sorted([*store.closed_months, month])), [])
