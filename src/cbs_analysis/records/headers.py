"""Are a file's columns those of its feed? If not, one line says which is not, and what would be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.records.feeds import ACTION, DELIMITERS, Column, Feed


def columns_of(
    names: Sequence[str], feed: Feed, net: bool, where: str, second_line: Sequence[str] | None
) -> Sequence[Column]:
    """The columns of a file by the names that it gives them, in its order, which must be the feed's.

    A file of net changes to a feed as commissioners receive it may have the column of actions at any place.
    `second_line` are the values of the line below a header. Raises UserError naming the first column that is wrong.
    """
    _check_protocol(names, feed, net, where)
    columns = list(feed.columns)
    if not feed.is_mapped and ACTION in names:
        columns.insert(names.index(ACTION), Column(name=ACTION, field=ACTION))
    wanted = [column.name for column in columns]
    if list(names) != wanted:
        raise UserError(f"{where}: {_wrong(names, wanted, feed, second_line)}")
    return columns


def check_no_other_header(feed: Feed, net: bool, path: Path) -> None:
    """A file without a header has the columns of its mapping, and so the actions that the mapping has."""
    _check_protocol([column.name for column in feed.columns], feed, net, str(path))


def _check_protocol(names: Sequence[str], feed: Feed, net: bool, where: str) -> None:
    of = f"params/feeds/{feed.mapping}.yml"
    has_action = feed.has_action or (not feed.is_mapped and ACTION in names)
    if net and not has_action:
        right = f"map a column to {ACTION} in {of}" if feed.is_mapped else f"add a column {ACTION}"
        raise UserError(f"{where}: no {ACTION}, so what a net change is cannot be told; {right}, or import in bulk")
    if not net and has_action:
        raise UserError(f"{where}: {ACTION} belongs to net changes; import with --protocol net, or leave it out")


def _wrong(names: Sequence[str], wanted: Sequence[str], feed: Feed, second_line: Sequence[str] | None) -> str:
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
        return f"column {name[:60]!r} stands twice; each belongs once"
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
