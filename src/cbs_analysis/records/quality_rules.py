"""The data quality rules, read from `params/quality_rules.yml` and checked before use, and what a rule may say.

A rules file is data that people edit, so an expression may only compare, combine and call what stands in this module:
no statement, no subquery, no function that reads a file. As Ibis it then runs on DuckDB and on Spark alike. What each
key of a rule means is said at the head of that file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, reduce
from pathlib import Path
from typing import Any, Literal

import ibis
import sqlglot
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict, Field
from sqlglot import exp

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import read_yaml, validated
from cbs_analysis.records.feeds import load_feed, record_feeds
from cbs_analysis.records.reference_data import PRICED, STAY


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


FILE = "params/quality_rules.yml"
KEY = "cds_unique_identifier"
TYPES = {"text": "string", "integer": "int32", "date": "date"}
REFERENCE_COLUMNS = {
    ("provider_code",): {"provider_is_known": "boolean"},
    ("commissioner_code",): {"commissioner_is_known": "boolean"},
    ("gp_practice_code",): {"practice_is_known": "boolean", "practice_pct_code": "string"},
    ("lsoa_code",): {"lsoa_is_known": "boolean"},
    ("treatment_function_code",): {"tfc_is_known": "boolean"},
    ("hrg_code",): {"hrg_is_known": "boolean", "hrg_min_age": "int32", "hrg_max_age": "int32"},
    STAY: {"nights": "int64"},
    PRICED: {"price_gbp": "float64"},
}
"""Of a feed that has these fields, whatever it is: the columns that reference data give its records, with types."""

Kind = Literal["row", "window", "series", "total"]
Severity = Literal["error", "warning", "information"]
NEEDS = {
    "row": ("predicate",),
    "window": ("predicate",),
    "series": ("measures", "days"),
    "total": ("measures",),
}
MAY_HAVE = {"window": ("among",)}


class QualityRule(BaseModel):
    """One rule. `predicate`, `applies` and the values of `measures` are SQL, checked against the feed's columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    feed: str
    kind: Kind
    title: str = Field(min_length=1)
    what: str = Field(min_length=1)
    why: str = Field(min_length=1)
    severity: Severity
    fields: tuple[str, ...] = Field(min_length=1)
    right: str = Field(min_length=1)
    value: Literal["price", "none"]
    predicate: str | None = None
    applies: str | None = None
    among: tuple[str, ...] = ()
    validity: bool = False
    measures: dict[str, str] = {}
    days: Literal["working", "calendar"] | None = None

    @property
    def is_of_records(self) -> bool:
        """Whether it is told record by record, by a row or a window."""
        return self.kind in ("row", "window")

    @property
    def is_only_counted(self) -> bool:
        """Whether it is a measure, of which so many records fail that none is shown."""
        return self.severity == "information"


def load_rules(params: Path) -> tuple[QualityRule, ...]:
    """Every rule, in the order of the file.

    Raises UserError, one line that names the file, the rule and the key, where a rule lacks or misspells a key, two
    have one id, or an expression is not one over the feed's fields, the reference columns and the known functions.
    """
    rules: dict[str, QualityRule] = {}
    for number, values in enumerate(_entries(params), start=1):
        shown = f"{FILE}, rule {number}"
        if not isinstance(values, dict):
            raise UserError(f"{shown}: must be keys with values, not {values!r}")
        rule = validated(QualityRule, values, f"{FILE}, {values['id']}" if isinstance(values.get("id"), str) else shown)
        if rule.id in rules:
            raise UserError(f"{FILE}, {rule.id}: id: is duplicated; each rule needs its own")
        _check(rule, params)
        rules[rule.id] = rule
    return tuple(rules.values())


def of_feed(rules: tuple[QualityRule, ...], feed: str, *kinds: str) -> list[QualityRule]:
    """The feed's rules of these kinds, in order."""
    return [rule for rule in rules if rule.feed == feed and rule.kind in kinds]


def feed_types(params: Path, feed: str) -> dict[str, str]:
    """The feed's fields in order with their Ibis types, as `params/feeds/<feed>.yml` describes them."""
    return dict(_feed_types(params.resolve(), feed))


def columns(params: Path, feed: str) -> dict[str, str]:
    """What an expression of this feed may name, with types: its fields, `month`, and the reference columns."""
    types = feed_types(params, feed)
    given = [made for fields, made in REFERENCE_COLUMNS.items() if types.keys() >= set(fields)]
    return {**types, "month": "string", **{name: kind for made in given for name, kind in made.items()}}


def blank(params: Path, feed: str) -> ir.Table:
    """A table of no backend with the feed's columns and the reference columns, to write expressions over."""
    return ibis.table(columns(params, feed), name=feed)


@cache
def _feed_types(params: Path, feed: str) -> tuple[tuple[str, str], ...]:
    return tuple((field.name, TYPES[field.type]) for field in load_feed(feed, params).fields)


def _entries(params: Path) -> list[Any]:
    values = read_yaml(params, "quality_rules.yml")
    if not isinstance(values, list) or not values:
        raise UserError(f"{FILE}: must be a list of rules, each starting with '- id:'")
    return values


def _check(rule: QualityRule, params: Path) -> None:
    shown = f"{FILE}, {rule.id}"
    for key in NEEDS[rule.kind]:
        if not getattr(rule, key):
            raise UserError(f"{shown}: {key}: missing; a rule of kind {rule.kind} needs it")
    all_keys = {key for keys in (*NEEDS.values(), *MAY_HAVE.values()) for key in keys}
    for key in sorted(all_keys - {*NEEDS[rule.kind], *MAY_HAVE.get(rule.kind, ())}):
        if getattr(rule, key):
            raise UserError(f"{shown}: {key}: has no place in a rule of kind {rule.kind}; leave it out")
    if rule.feed not in (feeds := record_feeds(params)):
        raise UserError(f"{shown}: feed: no feed of records {rule.feed!r} in params/feeds; {nearest(rule.feed, feeds)}")
    known = feed_types(params, rule.feed)
    for key in ("fields", "among"):
        for name in getattr(rule, key):
            if name not in known:
                raise UserError(f"{shown}: {key}: no field {name!r} in feed {rule.feed}; {nearest(name, known)}")
    written = {"predicate": rule.predicate, "applies": rule.applies}
    written |= {f"measures.{name}": sql for name, sql in rule.measures.items()}
    for key, sql in written.items():
        if sql is not None:
            try:
                predicate(sql, blank(params, rule.feed), windows=rule.kind == "window" and key == "predicate")
            except PredicateError as error:
                raise UserError(f"{shown}: {key}: {error}") from None
    if rule.kind == "window":
        _check_windows(rule, shown)


def _check_windows(rule: QualityRule, shown: str) -> None:
    """Records that share `among` with no other are left out of the windows, so no window may reach beyond it."""
    partitions = partitions_in(str(rule.predicate))
    if not partitions:
        raise UserError(
            f"{shown}: predicate: looks at no other record; a rule of kind window needs OVER (PARTITION BY)"
        )
    for name in rule.among:
        if any(name not in partition for partition in partitions):
            raise UserError(
                f"{shown}: among: {name} is not in every PARTITION BY of the predicate; leave it out of among"
            )
