"""A query letter to every trust whose records break a rule."""

from pathlib import Path

from cbs_analysis.warehouse.checking_records import Checked
from cbs_analysis.warehouse.preparing import Held
from cbs_analysis.warehouse.query_letter import write_query_letter


def write_letters(checked: Checked, held: Held, folder: Path, is_synthetic: bool) -> int:
    """Write `<provider>.xlsx` for each known trust with records to correct; how many. Counts in them are exact: they
    are for the trust that sent the records. Raises OSError where one cannot be written.
    """
    names = held.references.providers.set_index("provider_code")["provider_name"]
    asked = sorted(set(checked.failures["provider_code"].to_pylist()) & set(names.index))
    for code in asked:
        write_query_letter(folder / f"{code}.xlsx", checked, held.rules, code, names[code], is_synthetic)
    return len(asked)
