"""Letters on data quality, to every trust whose records break a rule and every PCT that pays for such records."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cbs_analysis.records.breaks_in_feeds import breaks
from cbs_analysis.records.checking_records import Checked
from cbs_analysis.records.derived_tables import Held
from cbs_analysis.records.letter_tables import find
from cbs_analysis.records.pct_feedback import errors_by_trust, write_pct_feedback
from cbs_analysis.records.query_letter import write_query_letter
from cbs_analysis.records.references import OUTSIDE


def write_letters(checked: Checked, held: Held, folder: Path, is_synthetic: bool) -> tuple[int, int]:
    """Write `trusts/<code>.xlsx` for each known trust with records to correct, and `pcts/<code>.xlsx` for each known
    PCT that pays for such records; how many of each. Counts in them are exact: they are for who sent or pays for the
    records. The entry for all providers outside London gets none. Raises OSError where one cannot be written.
    """
    with _in_place_of(folder.resolve()) as draft:
        return _write_all(checked, held, draft, is_synthetic)


@contextmanager
def _in_place_of(folder: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of another once all is in it: no letter of records that have since
    been corrected stays to be sent, and none goes before there are others.
    """
    draft = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    yield draft
    if folder.exists():
        shutil.rmtree(folder)
    draft.rename(folder)


def _write_all(checked: Checked, held: Held, folder: Path, is_synthetic: bool) -> tuple[int, int]:
    providers = held.references.providers.set_index("provider_code")
    names = providers["provider_name"]
    of_trusts = find(checked, held.rules, names[providers["kind"] != OUTSIDE], "provider_code")
    months = breaks(checked, held.rules)
    trusts = sorted({*of_trusts.rules["code"]})
    for code in trusts:
        write_query_letter(folder / "trusts" / f"{code}.xlsx", of_trusts, months, code, is_synthetic)
    pct_names = held.references.commissioners.set_index("commissioner_code")["commissioner_name"]
    of_pcts = find(checked, held.rules, pct_names, "commissioner_code")
    errors = errors_by_trust(checked, held.rules, names)
    pcts = sorted({*of_pcts.rules["code"]})
    for code in pcts:
        write_pct_feedback(folder / "pcts" / f"{code}.xlsx", of_pcts, errors, code, is_synthetic)
    return len(trusts), len(pcts)
