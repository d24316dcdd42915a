"""What a feed of records consists of, and how a trust's own extract is mapped onto it: the files of `params/feeds`.

A file that lists `fields` describes a feed as commissioners receive it. A file that names a `feed` maps an extract onto
that feed: the columns of the extract in their order, the field that each fills, and constants for fields it lacks.
"""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Key

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.parameters import read_keys, validated

PROVIDER = "provider_code"
ACTION = "record_action"
"""The column of a net change submission that says what becomes of the record."""
ACTIONS = ("insert", "update", "delete")
DELIMITERS = (",", ";", "\t", "|", "^", "~")
ENCODINGS = ("utf-8", "cp1252", "iso8859-1", "iso8859-15", "ascii")
"""Those in which the first 128 characters are single bytes, so that lines can be told apart before they are decoded."""
FORMAT_CODES = frozenset("dmyYbB")
SAMPLE_DAY = date(2010, 4, 3)
"""A day that reads as another one where day and month change places."""

FieldType = Literal["text", "integer", "date"]


class FeedDescription(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeedField(FeedDescription):
    """One field of a feed. `longest` is the most characters that a text may have."""

    name: str = Key(pattern=r"^[a-z][a-z0-9_]*$")
    type: FieldType
    means: str
    required: bool = False
    longest: int | None = Key(default=None, ge=1)
    unit: str | None = None


class FeedColumn(FeedDescription):
    """One column of an extract: its name there, the field that it fills (null where it is left out), and what its
    values stand for; a value that is not listed stays as it is.
    """

    name: str = Key(min_length=1)
    field: str | None
    values: dict[str, str] = {}


class FileFormat(FeedDescription):
    """How a file of the feed is written."""

    title: str
    delimiter: Literal[",", ";", "\t", "|", "^", "~"] = ","
    encoding: str = "utf-8"
    dates: tuple[str, ...] = Key(default=("%Y-%m-%d",), min_length=1)


class StandardFeed(FileFormat):
    short_title: str | None = None
    record: str
    key: str
    month_of: str | None = None
    fields: tuple[FeedField, ...] = Key(min_length=1)


class MappedFeed(FileFormat):
    feed: str
    header: bool = True
    columns: tuple[FeedColumn, ...] = Key(min_length=1)
    constants: dict[str, str] = {}


@dataclass(frozen=True)
class RecordFeed:
    """A feed, and the files that it is read from.

    `name` is the feed's, `mapping` that of the file of params/feeds that was asked for: the same for a feed as
    commissioners receive it. `columns` are those of a file in their order; `constants` fill fields that no column does.
    A feed without `month_of` is a list that is replaced whole.
    """

    name: str
    mapping: str
    record: str
    key: str
    month_of: str | None
    fields: tuple[FeedField, ...]
    delimiter: str
    encoding: str
    dates: tuple[str, ...]
    header: bool
    columns: tuple[FeedColumn, ...]
    constants: Mapping[str, str]

    @cached_property
    def by_name(self) -> dict[str, FeedField]:
        return {field.name: field for field in self.fields}

    @property
    def is_list(self) -> bool:
        return self.month_of is None

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields that together name one record."""
        return (self.key,) if self.is_list else (PROVIDER, self.key)

    @property
    def has_action(self) -> bool:
        return ACTION in self.constants or any(column.field == ACTION for column in self.columns)

    @cached_property
    def digest(self) -> str:
        """Of everything that decides how a file is read. Classes go by the names that they had when stores first noted
        it, so that a store still knows what was imported before.
        """
        text = (
            repr(self).replace("RecordFeed(", "Feed(").replace("FeedField(", "Field(").replace("FeedColumn(", "Column(")
        )
        return blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def is_mapped(self) -> bool:
        return self.mapping != self.name


def feed_names(params: Path) -> list[str]:
    return sorted(path.stem for path in (params / "feeds").glob("*.yml"))


def record_feeds(params: Path) -> dict[str, str]:
    """The feeds of records, as commissioners receive them, with what letters call each; no lists, no mappings."""
    feeds = {}
    for name in feed_names(params):
        if "feed" not in (values := read_keys(params, f"feeds/{name}.yml")):
            standard = validated(StandardFeed, values, f"params/feeds/{name}.yml")
            if standard.month_of is not None:
                feeds[name] = standard.short_title or standard.title
    return feeds


def load_feed(name: str, params: Path) -> RecordFeed:
    """The feed or mapping of this name. Raises UserError naming the file, the key and the nearest valid value."""
    if name not in (names := feed_names(params)):
        raise UserError(f"feed: {name!r} is not in params/feeds; {nearest(name, names)}")
    shown, values = f"params/feeds/{name}.yml", read_keys(params, f"feeds/{name}.yml")
    if "feed" not in values:
        return _standard(name, validated(StandardFeed, values, shown), shown)
    mapped = validated(MappedFeed, values, shown)
    others = [other for other in names if "feed" not in read_keys(params, f"feeds/{other}.yml")]
    if mapped.feed not in others:
        raise UserError(f"{shown}: feed: no feed {mapped.feed!r} in params/feeds; {nearest(mapped.feed, others)}")
    return _mapped(name, mapped, load_feed(mapped.feed, params), shown)


def like(formats: Iterable[str]) -> str:
    """Formats of dates as a reader knows them, by an example of each."""
    return " or ".join(date(2010, 4, 30).strftime(each) for each in formats)


def day(text: str, formats: Iterable[str]) -> date | None:
    """The day that a text names in the first of the formats that it is written in; None where it is in none."""
    for each in formats:
        try:
            return datetime.strptime(text, each).date()
        except ValueError:
            continue
    return None


def whole_number(text: str) -> int | None:
    """A number of at most nine digits, or None."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def _standard(name: str, values: StandardFeed, shown: str) -> RecordFeed:
    _check_written(values, shown)
    types = {field.name: field for field in values.fields}
    _once([field.name for field in values.fields], f"{shown}: fields", "field")
    if values.key not in types:
        raise UserError(f"{shown}: key: no field {values.key!r}; {nearest(values.key, types)}")
    if not types[values.key].required:
        raise UserError(f"{shown}: key: {values.key} must be a field with required: true")
    if values.month_of is not None:
        of = types.get(values.month_of)
        if of is None or of.type != "date" or not of.required:
            days = [field.name for field in values.fields if field.type == "date" and field.required]
            raise UserError(
                f"{shown}: month_of: no required date field {values.month_of!r}; {nearest(values.month_of, days)}"
            )
        if PROVIDER not in types or not types[PROVIDER].required:
            raise UserError(f"{shown}: fields: a feed with months needs a required field {PROVIDER}")
    columns = tuple(FeedColumn(name=field.name, field=field.name) for field in values.fields)
    return RecordFeed(
        name, name, values.record, values.key, values.month_of, values.fields, values.delimiter,
        codecs.lookup(values.encoding).name, values.dates, True, columns, {},
    )  # fmt: skip


def _mapped(name: str, values: MappedFeed, onto: RecordFeed, shown: str) -> RecordFeed:
    _check_written(values, shown)
    known = [*onto.by_name, ACTION]
    for column in values.columns:
        if column.field is not None and column.field not in known:
            raise UserError(
                f"{shown}: columns, {column.name}: no field {column.field!r} in feed {onto.name}; "
                f"{nearest(column.field, known)}"
            )
    _once([column.name for column in values.columns], f"{shown}: columns", "column")
    filled = [column.field for column in values.columns if column.field is not None]
    _once(filled, f"{shown}: columns", "field")
    for field, value in values.constants.items():
        if field not in known:
            raise UserError(f"{shown}: constants: no field {field!r} in feed {onto.name}; {nearest(field, known)}")
        if field in filled:
            raise UserError(f"{shown}: constants: {field} has a column already; leave one of the two out")
        _check_value(value, onto.by_name.get(field), values.dates, f"{shown}: constants, {field}")
    for column in values.columns:
        if column.field is not None:
            for value in column.values.values():
                _check_value(value, onto.by_name.get(column.field), values.dates, f"{shown}: columns, {column.name}")
    for needed in onto.fields:
        if needed.required and needed.name not in filled and needed.name not in values.constants:
            raise UserError(f"{shown}: columns: none fills {needed.name}, which feed {onto.name} requires; add it")
    return RecordFeed(
        onto.name, name, onto.record, onto.key, onto.month_of, onto.fields, values.delimiter,
        codecs.lookup(values.encoding).name, values.dates, values.header, values.columns, dict(values.constants),
    )  # fmt: skip


def _check_written(values: FileFormat, shown: str) -> None:
    try:
        known = codecs.lookup(values.encoding).name in ENCODINGS
    except LookupError:
        known = False
    if not known:
        raise UserError(
            f"{shown}: encoding: {values.encoding!r} is not one that is read; {nearest(values.encoding, ENCODINGS)}"
        )
    for each in values.dates:
        codes = {part[:1] for part in each.split("%")[1:]}
        if not codes <= FORMAT_CODES or day(SAMPLE_DAY.strftime(each), [each]) != SAMPLE_DAY:
            raise UserError(f"{shown}: dates: {each!r} does not name a day; write it like %d/%m/%Y")
    for number, first in enumerate(values.dates):
        for second in values.dates[number + 1 :]:
            if day(SAMPLE_DAY.strftime(first), [second]) not in (None, SAMPLE_DAY):
                raise UserError(
                    f"{shown}: dates: {SAMPLE_DAY.strftime(first)} is one day by {first} and another by {second}; "
                    "leave one of the two out"
                )


def _check_value(value: str, field: FeedField | None, dates: tuple[str, ...], shown: str) -> None:
    """A value that the mapping itself gives must be one that the field can hold."""
    if field is None:
        if value not in ACTIONS:
            raise UserError(f"{shown}: {value!r} is not a valid action; {nearest(value, ACTIONS)}")
    elif field.type == "integer" and value and whole_number(value) is None:
        raise UserError(f"{shown}: {value!r} is not a whole number")
    elif field.type == "date" and value and day(value, dates) is None:
        raise UserError(f"{shown}: {value!r} is not a day written like {like(dates)}")
    elif field.type == "text" and field.longest is not None and len(value) > field.longest:
        raise UserError(f"{shown}: {value!r} is longer than the {field.longest} characters of {field.name}")


def _once(names: list[str], shown: str, noun: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{shown}: {noun} {name!r} is duplicated; name each once")


def columns_of(
    names: Sequence[str], feed: RecordFeed, net: bool, where: str, second_line: Sequence[str] | None
) -> Sequence[FeedColumn]:
    """The columns of a file by the names that it gives them, in its order, which must be the feed's.

    A file of net changes to a feed as commissioners receive it may have the column of actions at any place.
    `second_line` are the values of the line below a header. Raises UserError naming the first column that is wrong.
    """
    _check_protocol(names, feed, net, where)
    columns = list(feed.columns)
    if not feed.is_mapped and ACTION in names:
        columns.insert(names.index(ACTION), FeedColumn(name=ACTION, field=ACTION))
    wanted = [column.name for column in columns]
    if list(names) != wanted:
        raise UserError(f"{where}: {_wrong(names, wanted, feed, second_line)}")
    return columns


def check_no_other_header(feed: RecordFeed, net: bool, path: Path) -> None:
    """A file without a header has the columns of its mapping, and so the actions that the mapping has."""
    _check_protocol([column.name for column in feed.columns], feed, net, str(path))


def _check_protocol(names: Sequence[str], feed: RecordFeed, net: bool, where: str) -> None:
    of = f"params/feeds/{feed.mapping}.yml"
    has_action = feed.has_action or (not feed.is_mapped and ACTION in names)
    if net and not has_action:
        right = f"map a column to {ACTION} in {of}" if feed.is_mapped else f"add a column {ACTION}"
        raise UserError(f"{where}: no {ACTION}, so what a net change is cannot be told; {right}, or import in bulk")
    if not net and has_action:
        raise UserError(f"{where}: {ACTION} belongs to net changes; import with --protocol net, or leave it out")


def _wrong(names: Sequence[str], wanted: Sequence[str], feed: RecordFeed, second_line: Sequence[str] | None) -> str:
    of = f"params/feeds/{feed.mapping}.yml"
    if second_line is not None and list(second_line) == list(wanted):
        return "is not the header, which is on line 2; remove the line above it"
    if len(names) < len(wanted):
        text = feed.delimiter.join(names)
        for other in DELIMITERS:
            told = [name.strip().strip('"') for name in text.split(other)]
            if other != feed.delimiter and len(set(told) & set(wanted)) > max(1, len(set(names) & set(wanted))):
                return f"columns are told apart by {other!r}, where {of} says {feed.delimiter!r}; map it, or save it so"
    if not any(names):
        return f"is empty; the header belongs there: {feed.delimiter.join(wanted[:3])}..."
    if not set(names) & set(wanted) and any(name[:1].isdigit() for name in names):
        return f"is no header but a record; put one above it, {feed.delimiter.join(wanted[:3])}..."
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        return f"column {name[:60]!r} is duplicated; name each once"
    unknown = [name for name in names if name not in wanted]
    missing = [name for name in wanted if name not in names]
    if unknown:
        return f"unknown column {unknown[0][:60]!r}; {nearest(unknown[0][:60], missing or wanted)}"
    if missing:
        at = wanted.index(missing[0])
        place = f"after {wanted[at - 1]!r}" if at else "first"
        return f"column {missing[0]!r} is missing; it belongs {place}, as {of} has it"
    at = next(at for at, name in enumerate(names) if name != wanted[at])
    return f"column {at + 1} is {names[at]!r} where {wanted[at]!r} belongs; the order is that of {of}"
