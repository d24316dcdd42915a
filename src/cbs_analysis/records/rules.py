"""The rules that hospital records are held against, read from `params/quality_rules.yml` and checked before use.

For whoever checks, counts or explains records. What each key of a rule means is said at the head of that file.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import ibis
from ibis.expr import types as ir
from pydantic import BaseModel, ConfigDict, Field

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import read_yaml, validated
from cbs_analysis.records.feeds import load_feed
from cbs_analysis.records.predicates import PredicateError, partitions_in, predicate

FILE = "params/quality_rules.yml"
FEEDS = ("apc", "op", "ae")
KEY = "cds_unique_identifier"
TYPES = {"text": "string", "integer": "int32", "date": "date"}
REFERENCE_COLUMNS = {
    "provider_is_known": "boolean",
    "commissioner_is_known": "boolean",
    "practice_is_known": "boolean",
    "practice_pct_code": "string",
    "lsoa_is_known": "boolean",
}
OF_SPECIALTIES = {"tfc_is_known": "boolean"}
OF_SPELLS = {
    "nights": "int64",
    "hrg_is_known": "boolean",
    "hrg_min_age": "int32",
    "hrg_max_age": "int32",
    "price_gbp": "float64",
}

Feed = Literal["apc", "op", "ae"]
Kind = Literal["row", "window", "series", "total"]
Severity = Literal["error", "warning", "information"]
NEEDS = {
    "row": ("predicate",),
    "window": ("predicate",),
    "series": ("measures", "days"),
    "total": ("measures",),
}
MAY_HAVE = {"window": ("among",)}


class Rule(BaseModel):
    """One rule. `predicate`, `applies` and the values of `measures` are SQL, checked against the feed's columns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    feed: Feed
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


def load_rules(params: Path) -> tuple[Rule, ...]:
    """Every rule, in the order of the file.

    Raises UserError, one line that names the file, the rule and the key, where a rule lacks or misspells a key, two
    have one id, or an expression is not one over the feed's fields, the reference columns and the known functions.
    """
    rules: dict[str, Rule] = {}
    for number, values in enumerate(_entries(params), start=1):
        shown = f"{FILE}, rule {number}"
        if not isinstance(values, dict):
            raise UserError(f"{shown}: must be keys with values, not {values!r}")
        rule = validated(Rule, values, f"{FILE}, {values['id']}" if isinstance(values.get("id"), str) else shown)
        if rule.id in rules:
            raise UserError(f"{FILE}, {rule.id}: id: stands twice; each rule needs its own")
        _check(rule, params)
        rules[rule.id] = rule
    return tuple(rules.values())


def of_feed(rules: tuple[Rule, ...], feed: str, *kinds: str) -> list[Rule]:
    """The feed's rules of these kinds, in order."""
    return [rule for rule in rules if rule.feed == feed and rule.kind in kinds]


def feed_types(params: Path, feed: str) -> dict[str, str]:
    """The feed's fields in order with their Ibis types, as `params/feeds/<feed>.yml` describes them."""
    return dict(_feed_types(params.resolve(), feed))


def columns(params: Path, feed: str) -> dict[str, str]:
    """What an expression of this feed may name, with types: its fields, `month`, and the reference columns."""
    types = {**feed_types(params, feed), "month": "string", **REFERENCE_COLUMNS}
    if feed in ("apc", "op"):
        types |= OF_SPECIALTIES
    return types | OF_SPELLS if feed == "apc" else types


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


def _check(rule: Rule, params: Path) -> None:
    shown = f"{FILE}, {rule.id}"
    for key in NEEDS[rule.kind]:
        if not getattr(rule, key):
            raise UserError(f"{shown}: {key}: missing; a rule of kind {rule.kind} needs it")
    all_keys = {key for keys in (*NEEDS.values(), *MAY_HAVE.values()) for key in keys}
    for key in sorted(all_keys - {*NEEDS[rule.kind], *MAY_HAVE.get(rule.kind, ())}):
        if getattr(rule, key):
            raise UserError(f"{shown}: {key}: has no place in a rule of kind {rule.kind}; leave it out")
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


def _check_windows(rule: Rule, shown: str) -> None:
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
