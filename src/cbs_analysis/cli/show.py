"""How the command line shows things: tables, progress and closing lines. Text from data is text, never
markup.
"""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich import progress as bars
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cbs_analysis.edition import Indicator
from cbs_analysis.geography import Geography
from cbs_analysis.runner import NotebookRecord
from cbs_analysis.sources import CheckResult

WIDTH_OF_A_FILE = 200
ROWS_NAMED = 5
STATUS_STYLES = {"passed": "green", "known difference": "yellow", "gap": "yellow", "failed": "bold red"}


def console() -> Console:
    """Standard output, without markup; wide where it is not a terminal, so that lines can be searched."""
    width = None if sys.stdout.isatty() else WIDTH_OF_A_FILE
    return Console(width=width, markup=False, highlight=False, emoji=False)


class Progress:
    """Progress over a number of notebooks: a bar at a terminal, a line for each notebook elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ended = 0
        self._console = console()
        self._bar = bars.Progress(
            bars.TextColumn("{task.description}", markup=False),
            bars.BarColumn(),
            bars.MofNCompleteColumn(),
            bars.TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("Notebooks", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, record: NotebookRecord) -> None:
        """Count one more notebook as ended. A failure is said at once."""
        self.ended += 1
        self._bar.advance(self._task)
        outcome = f"failed, {record.reason}" if record.status == "failed" else f"done, {record.seconds:.1f} s"
        line = Text(f"[{self.ended:>{len(str(self.total))}}/{self.total}] {_name(record)}: {outcome}")
        if not self._console.is_terminal:
            self._console.print(line, soft_wrap=True)
            sys.stdout.flush()
        elif record.status == "failed":
            self._console.print(line, style="red", soft_wrap=True)


def outcome(records: Sequence[NotebookRecord], folder: Path, seconds: float) -> None:
    """The closing lines of a run: how many, where, and each failure in one line."""
    out = console()
    failed = [record for record in records if record.status == "failed"]
    taken = f"{seconds // 60:.0f} min {seconds % 60:.0f} s" if seconds >= 60 else f"{seconds:.0f} s"
    made = f"{len(records) - len(failed)} of {len(records)} notebooks made in {taken}"
    out.print(f"{made}, {len(failed)} failed: {folder}", soft_wrap=True)
    for record in failed:
        out.print(Text(f"  {_name(record)}, {record.reason}"), style="red", soft_wrap=True)
    if failed:
        out.print("What ran before each error is kept beside the others as <chapter>.failed.ipynb.", soft_wrap=True)


def findings(found: Sequence[Mapping[str, Any]], indicators: Mapping[str, Indicator]) -> None:
    """A table of findings: what each says, its value with limits, and the period."""
    table = _table("Finding", "Value (95% limits)", "Period")
    for one in found:
        definition = indicators.get(one.get("indicator") or "")
        flag = " (flagged: not plausible, not compared)" if one.get("flagged") else ""
        value = _value_with_limits(one, definition.decimals if definition else None)
        table.add_row(*_texts(f"{one['statement']}{flag}", value, one.get("period") or ""))
    console().print(table)


def areas(geography: Geography) -> None:
    table = _table("Code", "Name", "Level", "In", "Members")
    for area in geography.areas.values():
        members = str(len(area.members)) if area.members else ""
        table.add_row(*_texts(area.code, area.name, area.level, area.parent or "", members))
    out = console()
    out.print(table)
    out.print(Text(f"{geography.title}: {len(geography.areas)} areas. {geography.note}".strip()))


def checks(results: Sequence[CheckResult], every_row: bool = False) -> None:
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


def _name(record: NotebookRecord) -> str:
    return f"{record.area_code} {record.chapter}"


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
