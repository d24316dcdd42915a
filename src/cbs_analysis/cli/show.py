"""How the command line shows things: tables and closing lines. Text from data is text, never
markup.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cbs_analysis.geography import Geography
    from cbs_analysis.runner import Job, NotebookRecord
    from cbs_analysis.tables.schema_checks import CheckResult

WIDTH_OF_A_FILE = 200
ROWS_NAMED = 5
STATUS_STYLES = {"passed": "green", "known difference": "yellow", "gap": "yellow", "failed": "bold red"}


def console() -> Console:
    """Standard output, without markup; wide where it is not a terminal, so that lines can be searched."""
    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Console(width=width, markup=False, highlight=False, emoji=False)


def outcome(records: "Sequence[NotebookRecord]", cached: int, folder: Path, seconds: float) -> None:
    """The closing lines of a run: how many, where, and each failure in one line."""
    out = console()
    failed = [record for record in records if record.status == "failed"]
    taken = f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"
    made = f"{len(records) - len(failed) - cached} of {len(records)} notebooks made in {taken}"
    as_before = f", {cached} as before" if cached else ""
    out.print(f"{made}{as_before}, {len(failed)} failed: {folder}", soft_wrap=True)
    if doubtful := sum(record.status == "done" and not record.made_from for record in records):
        out.print(f"{doubtful} of them from files that were changed meanwhile: run cbs packs again", style="yellow")
    for record in failed:
        out.print(Text(f"  {record.area_code} {record.chapter}, {record.reason}"), style="red", soft_wrap=True)
    if failed:
        first = folder / failed[0].area_code / f"{failed[0].chapter}.failed.ipynb"
        if first.exists():
            out.print(f"What ran before an error is kept, with the error under its cell, as in {first}", soft_wrap=True)


def reasons(explained: "Sequence[tuple[Job, str]]") -> None:
    """Each notebook with the reason why it would run, then how many would."""
    out = console()
    for job, reason in explained:
        line = Text(f"{job.area_code} {job.chapter}: {reason or 'as it is'}")
        out.print(line, style="" if reason else "dim", soft_wrap=True)
    due = sum(bool(reason) for _, reason in explained)
    out.print(f"{due} of {len(explained)} notebooks would run")


def findings(found: Sequence[Mapping[str, Any]]) -> None:
    """A table of findings: what each says, its value with limits, and the period."""
    table = _table("Finding", "Value (95% limits)", "Period")
    for one in found:
        definition = one.get("definition")
        flag = " (flagged: not plausible, not compared)" if one.get("flagged") else ""
        value = _value_with_limits(one, definition["decimals"] if definition else None)
        table.add_row(*_texts(f"{one['statement']}{flag}", value, one.get("period") or ""))
    console().print(table)


def areas(geography: "Geography") -> None:
    table = _table("Code", "Name", "Level", "In", "Members")
    for area in geography.areas.values():
        members = str(len(area.members)) if area.members else ""
        table.add_row(*_texts(area.code, area.name, area.level, area.parent or "", members))
    out = console()
    out.print(table)
    out.print(Text(f"{geography.title}: {len(geography.areas)} areas. {geography.note}".strip()))


def checks(results: "Sequence[CheckResult]", every_row: bool = False) -> None:
    """A table of every check, then the rows that failed ones are about, then how many there are of each
    kind.
    """
    table = _table("Table", "Rule", "Status", "Found")
    for result in results:
        status = Text(result.status, style=STATUS_STYLES.get(result.status, ""))
        table.add_row(Text(result.table), Text(result.rule), status, Text(result.found))
    out = console()
    out.print(table)
    for result in results:
        named = result.rows if every_row else result.rows[:ROWS_NAMED] if result.status == "failed" else ()
        for row in named:
            style = STATUS_STYLES.get(result.status, "")
            out.print(Text(f"{result.status}: {result.table}: {row}"), style=style, soft_wrap=True)
    counts = Counter(result.status for result in results)
    out.print(f"{len(results)} checks: " + ", ".join(f"{counts[status]} {status}" for status in counts))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _texts(*cells: str) -> list[Text]:
    return [Text(cell) for cell in cells]


def _value_with_limits(finding: Mapping[str, Any], decimals: int | None) -> str:
    value, lower, upper = (finding.get(key) for key in ("value", "lower", "upper"))
    if value is None:
        return ""
    limits = ""
    if lower is not None and upper is not None:
        limits = f" ({_number(lower, decimals)} to {_number(upper, decimals)})"
    return f"{_number(value, decimals)}{limits} {finding.get('unit') or ''}".strip()


def _number(value: float, decimals: int | None) -> str:
    if decimals is None:
        decimals = 0 if abs(value) >= 1000 or value == int(value) else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of what is done, of how many, while a terminal shows it; gives what is to be called with both numbers."""
    from rich import progress as bars

    out = console()
    bar = bars.Progress(
        bars.BarColumn(bar_width=24),
        bars.MofNCompleteColumn(),
        bars.TextColumn(what, markup=False),
        bars.TimeElapsedColumn(),
        console=out,
        transient=True,
        disable=not out.is_terminal,
    )
    with bar:
        task = bar.add_task("", total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
        sys.stdout.flush()
