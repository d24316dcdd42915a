"""Which records break which rule: every row rule in one pass over a feed, and what else can be counted on the way.

A record's rules are bits of one number, and records are grouped by provider, commissioner, month and that number. A
record that breaks a rule stays a group of its own, so the same pass gives counts, denominators, value and the records
to show. Records that break a window rule are found first and join the pass as one more lookup.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from ibis.expr import datatypes as dt
from ibis.expr import types as ir
from numpy.typing import NDArray

from cbs_analysis.errors import UserError
from cbs_analysis.records.quality_rules import FILE, KEY, QualityRule, all_of, columns_in, of_feed, predicate
from cbs_analysis.records.reference_data import ReferenceData, referenced

MOST_MARKS = 62
"""Of one feed: rules of records, those among them with `applies`, and measures each have a bit of one number."""
PERSON = "person_pseudonym"
PLACE = ("provider_code", "commissioner_code", "month")
BETWEEN = "\x1f"
FAILURE_COLUMNS = ("feed", "rule", *PLACE, KEY, PERSON, "price_gbp", "found")
COUNT_COLUMNS = ("feed", "rule", *PLACE, "records", "failed", "value_gbp")
MEASURE_COLUMNS = ("feed", "rule", "measure", *PLACE, "records")
ARRIVED_COLUMNS = ("feed", *PLACE, "records", "price_gbp")


@dataclass(frozen=True)
class QualityResults:
    """What the rules found. Codes that are empty in a record are "" here.

    `failures`, an Arrow table, one row a record and rule it breaks, but for rules that are only counted: feed, rule,
    provider_code, commissioner_code, month, cds_unique_identifier, person_pseudonym, price_gbp (null in outpatients and
    A&E, whose prices are not published), and `found`, the values of the rule's fields in words.
    `counts`: feed, rule, provider_code, commissioner_code, month, records (those the rule applies to), failed and
    value_gbp (prices of the failed, where the rule puts them at stake).
    `measures`: records that series and totals count: feed, rule, measure, provider, commissioner, month, records.
    `arrived`: all records and their prices by feed, provider, commissioner and month.
    """

    failures: pa.Table
    counts: pd.DataFrame
    measures: pd.DataFrame
    arrived: pd.DataFrame


def check_records(
    tables: Mapping[str, ir.Table], references: ReferenceData, rules: Sequence[QualityRule]
) -> QualityResults:
    """Hold the records of each feed against every rule that is told record by record, and count for the others.

    `tables` has a table a feed, with the feed's fields and `month`; a key stands once a provider. Rules
    of other feeds are left out. Raises UserError where a feed has more than 62 rules and measures.
    """
    parts = [
        _Pass(feed, tuple(rules)).over(tables[feed], references)
        for feed in tables
        if any(rule.feed == feed for rule in rules)
    ]
    return QualityResults(
        pa.concat_tables([part.failures for part in parts]) if parts else _no_failures(),
        *(
            _stacked([getattr(part, name) for part in parts], columns)
            for name, columns in (
                ("counts", COUNT_COLUMNS), ("measures", MEASURE_COLUMNS), ("arrived", ARRIVED_COLUMNS),
            )
        ),
    )  # fmt: skip


def failing(table: ir.Table, rule: QualityRule) -> ir.BooleanValue:
    """Whether each record breaks a row rule, or a window rule; unknown counts as not. `table` has what it names."""
    return _breaks(table, rule).fill_null(False)


def window_failures(table: ir.Table, rule: QualityRule, shared: NDArray[np.int64] | None = None) -> ir.Table:
    """The records that break a window rule: provider_code and key, one row each.

    Only records to which the rule applies are in its windows; of those, where `shared` is given, only records whose
    hash is among them (`shared_hashes`).
    """
    seen = _seen_by(table, rule)
    if shared is not None:
        alike = ibis.memtable(pa.table({"alike": pa.array(shared, pa.int64())}))
        seen = seen.mutate(alike=_hash(seen, rule.among)).semi_join(alike, "alike")
    marked = seen.mutate(breaks=predicate(str(rule.predicate), seen, windows=True))
    return marked.filter(marked["breaks"].fill_null(False)).select(PLACE[0], KEY)


def shared_hashes(table: ir.Table, rule: QualityRule) -> NDArray[np.int64]:
    """Hashes of the fields of `among` that more than one record has: a window need not sort the others.

    Sorting one number a record here takes less time and memory than grouping the records by their fields there.
    """
    seen = _seen_by(table, rule)
    hashes = np.sort(seen.select(alike=_hash(seen, rule.among)).to_pyarrow()["alike"].to_numpy())
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _seen_by(table: ir.Table, rule: QualityRule) -> ir.Table:
    used = dict.fromkeys([PLACE[0], KEY, *rule.among, *columns_in(str(rule.predicate))])
    return (table.filter(predicate(rule.applies, table)) if rule.applies else table).select(*used)


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def _hashed(value) -> dt.uint64:  # type: ignore[no-untyped-def]
    """The backend's own hash of a value of any type, itself a number where the value is empty."""


def _hash(table: ir.Table, fields: Sequence[str]) -> ir.IntegerValue:
    """One number for what stands in these fields. Records alike have the same; a few others may share it."""
    # Shifted, so that two fields that hold the same do not cancel out; and to fit a signed number.
    parts = [_hashed(table[name]) >> place for place, name in enumerate(fields, start=1)]
    return reduce(lambda one, other: one ^ other, parts).cast("int64")


def _breaks(table: ir.Table, rule: QualityRule) -> ir.BooleanValue:
    return all_of([predicate(sql, table, windows=True) for sql in (rule.applies, rule.predicate) if sql is not None])


class _Pass:
    """One feed's pass: its rules and measures, and the bit of each."""

    def __init__(self, feed: str, rules: tuple[QualityRule, ...]) -> None:
        self.feed = feed
        self.rules = of_feed(rules, feed, "row", "window")
        self.narrowed = [rule for rule in self.rules if rule.applies]
        self.counted = [
            (rule, name, sql) for rule in of_feed(rules, feed, "series", "total") for name, sql in rule.measures.items()
        ]
        self.first_applies = len(self.rules)
        self.first_counted = self.first_applies + len(self.narrowed)
        if (used := self.first_counted + len(self.counted)) > MOST_MARKS:
            raise UserError(
                f"{FILE}: feed {feed} has {len(self.rules)} rules of records, {len(self.narrowed)} keys `applies` and "
                f"{len(self.counted)} measures; {used} together, there may be at most {MOST_MARKS}"
            )
        told = [sql for rule in self.rules for sql in (rule.predicate, rule.applies) if sql]
        told += [sql for _, _, sql in self.counted]
        self.named = {"price_gbp", *(name for sql in told for name in columns_in(sql))}
        shown = [rule for rule in self.rules if not rule.is_only_counted]
        self.shown_bits = sum(1 << self.rules.index(rule) for rule in shown)
        self.shown_fields = list(dict.fromkeys([KEY, PERSON, *(name for rule in shown for name in rule.fields)]))

    def over(self, table: ir.Table, references: ReferenceData) -> QualityResults:
        lacking = [name for name in (*PLACE, KEY, PERSON) if name not in table.columns]
        table = table.mutate(**{name: ibis.null("string") for name in lacking}) if lacking else table
        grouped = self.grouped(table, references, self.windows(table)).to_pyarrow()
        grouped = grouped.sort_by([(name, "ascending") for name in (*PLACE, "record", "marks")])
        places, place = _places(grouped)
        return QualityResults(
            self._failures(grouped),
            self._counts(grouped, places, place),
            self._measures(grouped, places, place),
            self._arrived(grouped, places, place),
        )

    def windows(self, table: ir.Table) -> pd.DataFrame:
        """Records that break window rules: provider_code, key, and the rules' bits as one number."""
        # A shortcut of one machine: elsewhere no hash of every record is to come here, and sorting is spread.
        is_here = ibis.get_backend(table).name == "duckdb"
        found = [
            window_failures(table, rule, shared_hashes(table, rule) if rule.among and is_here else None)
            .execute()
            .assign(bits=1 << place)
            for place, rule in enumerate(self.rules)
            if rule.kind == "window"
        ]
        stacked = pd.concat(found) if found else pd.DataFrame({PLACE[0]: [], KEY: [], "bits": []}, dtype=object)
        # A key that a provider sent twice would stand twice here, and must not double the records that it is joined to.
        once = stacked.drop_duplicates().groupby([PLACE[0], KEY], as_index=False)["bits"].sum()
        return once.astype({"bits": "int64", PLACE[0]: str, KEY: str})

    def grouped(self, table: ir.Table, references: ReferenceData, broken: pd.DataFrame) -> ir.Table:
        """Records grouped by place, by what they break, what applies and what they count for; each that breaks a rule
        to be shown on its own, with the fields that the rules look at in one text, `record`.
        """
        flagged = self._flagged(table, references, broken)
        return flagged.group_by([*PLACE, "marks", "record"]).agg(
            records=flagged.count(), price_gbp=flagged["price_gbp"].sum()
        )

    def _flagged(self, table: ir.Table, references: ReferenceData, broken: pd.DataFrame) -> ir.Table:
        full = referenced(table, self.feed, references, self.named)
        if len(broken):
            lookup = ibis.memtable(broken.rename(columns={PLACE[0]: "of_provider", KEY: "of_key"}))
            joined = full.left_join(lookup, [full[PLACE[0]] == lookup["of_provider"], full[KEY] == lookup["of_key"]])
            full = joined.select(*full.columns, from_windows=lookup["bits"].fill_null(0))
        else:
            full = full.mutate(from_windows=ibis.literal(0, "int64"))
        bits = [(bit, _breaks(full, rule)) for bit, rule in enumerate(self.rules) if rule.kind == "row"]
        bits += [
            (self.first_applies + place, predicate(str(rule.applies), full)) for place, rule in enumerate(self.narrowed)
        ]
        bits += [(self.first_counted + place, predicate(sql, full)) for place, (_, _, sql) in enumerate(self.counted)]
        flagged = full.select(
            **{f"shown_{name}": full[name] for name in self.shown_fields},
            **{name: full[name].fill_null("") for name in PLACE},
            price_gbp=full["price_gbp"] if "price_gbp" in full.columns else ibis.null("float64"),
            marks=_number(bits) + full["from_windows"],
        )
        is_shown = (flagged["marks"] & self.shown_bits) != 0
        # A condition and not a filter: the texts are put together for the records to be shown alone.
        texts = [_as_text(flagged[f"shown_{name}"]) for name in self.shown_fields]
        record = ibis.literal(BETWEEN).join(texts)
        return flagged.mutate(record=ibis.ifelse(is_shown, record, ibis.null("string")))

    def _failures(self, grouped: pa.Table) -> pa.Table:
        shown = grouped.filter(pc.is_valid(grouped["record"]))
        fields = _apart(shown["record"], self.shown_fields)
        marks = shown["marks"].to_numpy()
        parts = []
        for bit, rule in enumerate(self.rules):
            rows = np.flatnonzero(marks >> bit & 1)
            if rule.is_only_counted or not len(rows):
                continue
            taken = {name: fields[name].take(rows) for name in dict.fromkeys([KEY, PERSON, *rule.fields])}
            columns = {
                "feed": pa.repeat(self.feed, len(rows)),
                "rule": pa.repeat(rule.id, len(rows)),
                **{name: shown[name].take(rows) for name in PLACE},
                KEY: taken[KEY],
                PERSON: pc.if_else(pc.equal(taken[PERSON], ""), pa.scalar(None, pa.string()), taken[PERSON]),
                "price_gbp": shown["price_gbp"].take(rows),
                "found": _in_words(taken, rule.fields),
            }
            parts.append(pa.table(columns).cast(_no_failures().schema))
        return pa.concat_tables(parts) if parts else _no_failures()

    def _counts(self, grouped: pa.Table, places: pd.DataFrame, place: NDArray[np.int64]) -> pd.DataFrame:
        marks, records = grouped["marks"].to_numpy(), grouped["records"].to_numpy()
        price = _prices(grouped)
        arrived = _sums(place, records, len(places))
        parts = []
        for bit, rule in enumerate(self.rules):
            failed = (marks >> bit & 1).astype(bool)
            can = marks >> self.first_applies + self.narrowed.index(rule) & 1 if rule.applies else None
            value = np.where(failed, price, 0) if rule.value == "price" else np.zeros_like(price)
            sums = {
                "records": arrived if can is None else _sums(place, records * can, len(places)),
                "failed": _sums(place, records * failed, len(places)),
                "value_gbp": np.bincount(place, value, len(places)),
            }
            kept = sums["records"] > 0
            labels = {"feed": self.feed, "rule": rule.id}
            parts.append(_tidy(places[kept], labels, {name: values[kept] for name, values in sums.items()}))
        return _stacked(parts, COUNT_COLUMNS)

    def _arrived(self, grouped: pa.Table, places: pd.DataFrame, place: NDArray[np.int64]) -> pd.DataFrame:
        sums = {
            "records": _sums(place, grouped["records"], len(places)),
            "price_gbp": np.bincount(place, _prices(grouped), len(places)),
        }
        return _tidy(places, {"feed": self.feed}, sums)

    def _measures(self, grouped: pa.Table, places: pd.DataFrame, place: NDArray[np.int64]) -> pd.DataFrame:
        marks, records = grouped["marks"].to_numpy(), grouped["records"].to_numpy()
        parts = []
        for bit, (rule, name, _) in enumerate(self.counted, start=self.first_counted):
            sums = _sums(place, records * (marks >> bit & 1), len(places))
            labels = {"feed": self.feed, "rule": rule.id, "measure": name}
            parts.append(_tidy(places[sums > 0], labels, {"records": sums[sums > 0]}))
        return _stacked(parts, MEASURE_COLUMNS)


def _number(flags: Sequence[tuple[int, ir.BooleanValue]]) -> ir.IntegerValue:
    """Conditions as bits of one number; unknown is 0."""
    bits = [ibis.ifelse(flag, ibis.literal(1 << bit, "int64"), ibis.literal(0, "int64")) for bit, flag in flags]
    return sum(bits[1:], bits[0]) if bits else ibis.literal(0, "int64")


def _as_text(value: ir.Value) -> ir.StringValue:
    """A field as text, empty where it is, without the sign that is put between fields."""
    text = value.replace(BETWEEN, " ") if isinstance(value, ir.StringValue) else value.cast("string")
    return text.fill_null("")


def _apart(records: pa.ChunkedArray, fields: Sequence[str]) -> dict[str, pa.Array]:
    """The fields of each record, from the one text that they came in."""
    parts = pc.split_pattern(pc.cast(records, pa.string()).combine_chunks(), BETWEEN).flatten()
    return {name: parts.take(np.arange(at, len(parts), len(fields))) for at, name in enumerate(fields)}


def _in_words(taken: Mapping[str, pa.Array], fields: Sequence[str]) -> pa.Array:
    """The fields' names and values, such as `person_gender_code 1; hrg_code empty`."""
    parts = [
        pc.binary_join_element_wise(name, pc.if_else(pc.equal(taken[name], ""), "empty", taken[name]), " ")
        for name in fields
    ]
    return pc.binary_join_element_wise(*parts, "; ")


def _places(grouped: pa.Table) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """Each provider, commissioner and month once, in order, and which of them each row is of."""
    frame = grouped.select(PLACE).to_pandas(strings_to_categorical=True)
    codes = frame.groupby(list(PLACE), sort=True, observed=True).ngroup().to_numpy()
    first = np.unique(codes, return_index=True)[1]
    return frame.iloc[first].reset_index(drop=True), codes


def _sums(place: NDArray[np.int64], values: object, length: int) -> NDArray[np.int64]:
    weights = values.to_numpy() if isinstance(values, pa.ChunkedArray) else np.asarray(values)
    return np.rint(np.bincount(place, weights, length)).astype(np.int64)


def _prices(grouped: pa.Table) -> NDArray[np.float64]:
    """Prices of each group of records; 0 where they have none."""
    return np.nan_to_num(pc.cast(grouped["price_gbp"], pa.float64()).to_numpy(zero_copy_only=False))


def _tidy(places: pd.DataFrame, labels: Mapping[str, str], sums: Mapping[str, NDArray[np.generic]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{name: pd.Categorical.from_codes(np.zeros(len(places), "int8"), [text]) for name, text in labels.items()},
            **{name: places[name].array for name in PLACE},
            **sums,
        }
    )


def _stacked(parts: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Frames one below the other, their text kept as categories of all of them."""
    parts = [part for part in parts if len(part)] or parts[:1]
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in columns})
    if len(parts) == 1:
        return parts[0][list(columns)]
    made = {}
    for name in columns:
        values = [part[name] for part in parts]
        is_text = isinstance(values[0].dtype, pd.CategoricalDtype)
        made[name] = pd.api.types.union_categoricals(values) if is_text else np.concatenate(values)
    return pd.DataFrame(made)


def _no_failures() -> pa.Table:
    types = dict.fromkeys(FAILURE_COLUMNS, pa.string()) | {"price_gbp": pa.float64()}
    return pa.schema(types.items()).empty_table()
