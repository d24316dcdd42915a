"""A rule's SQL expression as an Ibis expression: what a rule may say, and in which words.

A rules file is data that people edit, so an expression may only compare, combine and call what stands in this module:
no statement, no subquery, no function that reads a file. As Ibis it then runs on DuckDB and on Spark alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import ibis
import sqlglot
from ibis.expr import types as ir
from sqlglot import exp

from cbs_analysis.errors import nearest


class PredicateError(ValueError):
    """An expression that is no rule. Its text says what is wrong and what would be right, without saying where."""


_OPERATORS: Mapping[type[exp.Expression], Callable[[Any, Any], Any]] = {
    exp.And: lambda one, other: one & other,
    exp.Or: lambda one, other: one | other,
    exp.EQ: lambda one, other: one == other,
    exp.NEQ: lambda one, other: one != other,
    exp.GT: lambda one, other: one > other,
    exp.GTE: lambda one, other: one >= other,
    exp.LT: lambda one, other: one < other,
    exp.LTE: lambda one, other: one <= other,
    exp.Add: lambda one, other: one + other,
    exp.Sub: lambda one, other: one - other,
}
_FUNCTIONS: Mapping[type[exp.Expression], str] = {
    exp.Left: "left", exp.Substring: "substr", exp.Length: "length", exp.Upper: "upper", exp.Lower: "lower",
    exp.Trim: "trim", exp.Abs: "abs", exp.Coalesce: "coalesce", exp.StartsWith: "starts_with",
    exp.RegexpLike: "regexp_matches", exp.DateDiff: "date_diff", exp.LastDay: "last_day",
}  # fmt: skip
_IN_WINDOWS: Mapping[type[exp.Expression], str] = {
    exp.RowNumber: "row_number", exp.Max: "max", exp.Min: "min", exp.Count: "count",
}  # fmt: skip
FUNCTIONS = (*_FUNCTIONS.values(), *_IN_WINDOWS.values())


def predicate(sql: str, table: ir.Table, windows: bool = False) -> ir.BooleanValue:
    """The expression over the table's columns, true, false or unknown a row. `windows` allows functions with OVER.

    Raises PredicateError where `sql` is not one boolean expression over known columns and the functions of this module.
    """
    try:
        found = sqlglot.parse(sql, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        said = str(error).partition("\n")[0].removesuffix(".")
        raise PredicateError(f"{shortened(sql)!r} is not readable as SQL: {' '.join(said.split())}") from None
    if len(found) != 1 or found[0] is None:
        raise PredicateError(f"{shortened(sql)!r} must be one expression, without semicolons")
    try:
        value = _Translation(table, windows).value(found[0])
    except (ibis.common.exceptions.IbisError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, PredicateError):
            raise
        raise PredicateError(f"{shortened(sql)!r} compares or combines values of different types") from None
    if isinstance(value, bool):
        value = ibis.literal(value)
    if not isinstance(value, ir.BooleanValue):
        raise PredicateError(f"{shortened(sql)!r} is not true or false; it must be a comparison")
    return value


def columns_in(sql: str) -> list[str]:
    """The columns that an expression names, each once."""
    return list(dict.fromkeys(found.name for found in sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Column)))


def partitions_in(sql: str) -> list[set[str]]:
    """The columns that each window of an expression is partitioned by."""
    windows = sqlglot.parse_one(sql, dialect="duckdb").find_all(exp.Window)
    return [{each.name for each in window.args.get("partition_by") or ()} for window in windows]


def shortened(sql: str) -> str:
    """An expression on one line, short enough for a message."""
    text = " ".join(sql.split())
    return text if len(text) <= 60 else f"{text[:57]}..."


class _Translation:
    """Translates one expression. Literals stay Python values until they meet a column."""

    def __init__(self, table: ir.Table, windows: bool) -> None:
        self._table, self._windows = table, windows

    def value(self, node: exp.Expression) -> Any:
        made = self._plain(node)
        return ~made if node.args.get("negate") else made

    def _plain(self, node: exp.Expression) -> Any:
        kind = type(node)
        if kind in _OPERATORS:
            return _OPERATORS[kind](self.value(node.this), self.value(node.expression))
        if kind in _FUNCTIONS:
            return self._call(node)
        match node:
            case exp.Paren():
                return self.value(node.this)
            case exp.Column():
                return self._column(node)
            case exp.Literal():
                return str(node.this) if node.is_string else _number(node.this)
            case exp.Boolean():
                return bool(node.this)
            case exp.Neg() if isinstance(node.this, exp.Literal):
                return -_number(node.this.this)
            case exp.Not():
                return ~self.value(node.this)
            case exp.Is() if isinstance(node.expression, exp.Null):
                return self.value(node.this).isnull()
            case exp.Between():
                return self.value(node.this).between(*(self.value(node.args[end]) for end in ("low", "high")))
            case exp.In() if node.expressions:
                # Comparisons: of a longer list DuckDB would make a join, which takes three times as long.
                value = self.value(node.this)
                return reduce(lambda one, other: one | other, [value == self.value(each) for each in node.expressions])
            case exp.Like() if isinstance(node.expression, exp.Literal):
                return self.value(node.this).like(str(node.expression.this))
            case exp.Window():
                return self._over(node)
        return self._refuse(node)

    def _column(self, node: exp.Column) -> Any:
        if node.table or node.name not in self._table.columns:
            raise PredicateError(f"no column {node.sql()!r}; {nearest(node.name, self._table.columns)}")
        return self._table[node.name]

    def _call(self, node: exp.Expression) -> Any:
        this = self.value(node.this)
        match node:
            case exp.Left():
                return this.left(self.value(node.expression))
            case exp.Substring():
                return this.substr(self.value(node.args["start"]) - 1, self.value(node.args["length"]))
            case exp.StartsWith():
                return this.startswith(self.value(node.expression))
            case exp.RegexpLike():
                return this.re_search(self.value(node.expression))
            case exp.Coalesce():
                return ibis.coalesce(this, *(self.value(each) for each in node.expressions))
            case exp.DateDiff():
                if str(node.args.get("unit")).upper() != "DAY":
                    raise PredicateError("date_diff counts days here: date_diff('day', from, to)")
                return this.delta(self.value(node.expression), unit="day")
            case exp.LastDay():
                return (this.truncate("M") + ibis.interval(months=1) - ibis.interval(days=1)).cast("date")
            case exp.Length() | exp.Upper() | exp.Lower() | exp.Abs():
                return getattr(this, _FUNCTIONS[type(node)])()
        return this.strip()

    def _over(self, node: exp.Window) -> Any:
        if not self._windows:
            raise PredicateError("OVER looks at other records; that is for rules of kind window")
        groups = [self.value(each) for each in node.args.get("partition_by") or ()]
        order = node.args.get("order")
        by = [_ordered(self.value(each.this), each) for each in (order.expressions if order else ())]
        match node.this:
            case exp.RowNumber():
                return ibis.row_number().over(group_by=groups, order_by=by) + 1
            case exp.Max() | exp.Min():
                made = getattr(self.value(node.this.this), _IN_WINDOWS[type(node.this)])()
            case exp.Count():
                made = self._table.count()
            case _:
                return self._refuse(node.this)
        return made.over(group_by=groups, order_by=by or None, rows=_rows(node.args.get("spec")))

    def _refuse(self, node: exp.Expression) -> Any:
        if isinstance(node, exp.Func):
            name = node.sql(dialect="duckdb").partition("(")[0].lower()
            raise PredicateError(f"function {name!r} may not stand in a rule; {nearest(name, FUNCTIONS)}")
        raise PredicateError(
            f"{shortened(node.sql(dialect='duckdb'))!r} may not stand in a rule; compare fields instead"
        )


def all_of(parts: list[ir.BooleanValue]) -> ir.BooleanValue:
    """True where every part is."""
    return reduce(lambda one, other: one & other, parts)


def _ordered(value: Any, node: exp.Ordered) -> Any:
    return value.desc() if node.args.get("desc") else value.asc()


def _rows(spec: exp.WindowSpec | None) -> tuple[int | None, int | None]:
    """The frame of a window, in rows from this one: before it negative, None without end."""
    if spec is None:
        return None, None
    if spec.args.get("kind") != "ROWS":
        raise PredicateError("a window's frame must be in ROWS")
    return _edge(spec, "start"), _edge(spec, "end")


def _edge(spec: exp.WindowSpec, end: str) -> int | None:
    value, side = spec.args.get(end), spec.args.get(f"{end}_side")
    if value == "UNBOUNDED":
        return None
    if value == "CURRENT ROW":
        return 0
    number = int(str(value))
    return -number if side == "PRECEDING" else number


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)
