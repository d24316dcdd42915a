"""How the command line shows what quality rules found: a table, a line a rule, the most broken first."""

from typing import TYPE_CHECKING

from cbs_analysis.cli.show import console

if TYPE_CHECKING:
    from cbs_analysis.records.derived_tables import OpenedStore
    from cbs_analysis.records.quality_checks import QualityResults


def rules(checked: "QualityResults", held: "OpenedStore") -> None:
    """Every rule that records break: how many do, of how many, and what is in question."""
    from rich.table import Table
    from rich.text import Text

    from cbs_analysis.records.quality_tables import feed_breaks, totals

    columns = ["records", "failed", "value_gbp"]
    counts = checked.counts.groupby("rule", observed=True)[columns].sum()
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("Rule", "Severity", "What is wrong"):
        table.add_column(name)
    for name in ("Records", "Break it", "Per 1,000", "In question"):
        table.add_column(name, justify="right")
    for rule in held.rules:
        if rule.id not in counts.index or not counts.loc[rule.id, "failed"]:
            continue
        records, failed, value = counts.loc[rule.id, columns]
        shown = (
            f"{records:,.0f}",
            f"{failed:,.0f}",
            f"{1000 * failed / records:.2f}",
            f"£{value:,.0f}" if value else "",
        )
        table.add_row(*(Text(cell) for cell in (rule.id, rule.severity, rule.title, *shown)))
    out = console()
    out.print(table)
    months, sums = feed_breaks(checked, held.rules), totals(checked, held.references, held.rules)
    beyond = int(sums["is_beyond_tolerance"].sum())
    out.print(
        f"{len(months):,} months of a trust stand out; {beyond:,} of {len(sums):,} totals are not the published ones"
    )
