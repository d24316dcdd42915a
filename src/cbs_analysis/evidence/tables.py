"""Tables as evidence: a frame whose columns say what they are, shown as HTML, text and a tabular data resource."""

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from cbs_analysis.evidence.wording import MISSING, number

WITHHELD = "*"
"""A cell of a number that is there and may not be shown; see `evidence.disclosure`."""


@dataclass(frozen=True)
class Column:
    """What a column is called on the page, its unit, and to how many decimals it is read (None: text)."""

    title: str
    unit: str = ""
    decimals: int | None = None

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Table:
    """A titled frame. `columns` gives the shown columns in order; numbers in `frame` are never rounded.

    Rows whose `emphasis` label (the first column) matches are set in bold. `notes` say how to read it, below it.
    """

    title: str
    frame: pd.DataFrame
    columns: Mapping[str, Column]
    emphasis: str = field(default="")
    notes: tuple[str, ...] = ()

    def to_html(self) -> str:
        """An accessible table: a caption, column headers and a row header in the first column."""
        head = "".join(
            f'<th scope="col"{_align(column)}>{html.escape(column.heading)}</th>' for column in self.columns.values()
        )
        body = "".join(self._row(row) for row in self.frame.to_dict("records"))
        return (
            f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="{html.escape(self.title)}">'
            f'<table class="cbs-table"><caption>{html.escape(self.title)}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
            + "".join(f'<p class="cbs-table-note">{html.escape(note)}</p>' for note in self.notes)
        )

    def _row(self, row: Mapping[Any, Any]) -> str:
        cells = []
        for place, (name, column) in enumerate(self.columns.items()):
            text = html.escape(shown(row[name], column))
            cells.append(f'<th scope="row">{text}</th>' if place == 0 else f"<td{_align(column)}>{text}</td>")
        first = str(row[next(iter(self.columns))])
        mark = ' class="cbs-emphasis"' if self.emphasis and first == self.emphasis else ""
        return f"<tr{mark}>{''.join(cells)}</tr>"

    def to_resource(self) -> dict[str, Any]:
        """The table as a tabular data resource: a schema with titles, units and the decimals that numbers are read to,
        and the rows, numbers unrounded.
        """
        fields = [
            {
                "name": name,
                "title": column.title,
                "type": "string" if column.decimals is None else "number",
                **({"unit": column.unit} if column.unit else {}),
                **({} if column.decimals is None else {"decimals": column.decimals}),
            }
            for name, column in self.columns.items()
        ]
        rows = [{name: plain(row[name]) for name in self.columns} for row in self.frame.to_dict("records")]
        withheld = any(value == WITHHELD for row in rows for value in row.values())
        return {
            "profile": "tabular-data-resource",
            "title": self.title,
            "schema": {"fields": fields, **({"missingValues": ["", WITHHELD]} if withheld else {})},
            "data": rows,
            **({"notes": list(self.notes)} if self.notes else {}),
        }


def shown(value: Any, column: Column) -> str:
    """A cell as a reader sees it."""
    value = plain(value)
    if value is None or value == "":
        return MISSING if column.decimals is not None else ""
    if column.decimals is None or value == WITHHELD:
        return str(value)
    return number(float(value), column.decimals)


def shown_cell(value: Any, field: Mapping[str, Any]) -> str:
    """A cell of a tabular data resource as a reader sees it, by its field; see `Table.to_resource`."""
    if field["type"] != "number" or value == WITHHELD:
        return "" if value is None else str(value)
    return MISSING if value is None else number(float(value), field.get("decimals", 0))


def plain(value: Any) -> Any:
    """A value as JSON holds it: no NaN, no numpy, months as YYYY-MM."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m")
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _align(column: Column) -> str:
    return "" if column.decimals is None else ' class="cbs-number"'
