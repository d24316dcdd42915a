"""What became of a submission, and what the store holds, in words for whoever sent it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cbs_analysis.records.manifest import Manifest, Submission
from cbs_analysis.records.quarantine import Refused
from cbs_analysis.records.store import QUARANTINE, Store

LAST_SHOWN = 5
REASONS_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What became of a submission. `first` are the first rows that were refused, each with its file's name; `known` the
    files of net changes left out because they had been imported. Where nothing changed, `submission` is the earlier one
    that was the same, or has no rows.
    """

    submission: Submission
    is_unchanged: bool = False
    first: Sequence[tuple[str, Refused]] = ()
    known: int = 0

    @property
    def sent(self) -> int:
        return self.submission.sent

    @property
    def loaded(self) -> int:
        return self.submission.loaded

    @property
    def replaced(self) -> int:
        return self.submission.replaced

    @property
    def quarantined(self) -> int:
        return self.submission.quarantined

    @property
    def removed(self) -> int:
        return self.submission.removed

    def sentence(self) -> str:
        """One line of counts and, where rows were refused, why, with the first of them."""
        of, feed = self.submission, self.submission.mapping
        if self.is_unchanged:
            why = f"these files are submission {of.id} already" if of.sent else "no rows in them"
            return f"{feed}: nothing changed; {why}: {counts(of)}"
        lines = [f"{feed}: {counts(of)}"]
        if of.removed:
            lines[0] += f"; {_number(of.removed, 'record')} removed"
        if self.known:
            lines[0] += f"; {_number(self.known, 'file')} left out, imported before"
        if of.quarantine is not None:
            reasons = sorted(of.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
            shown = ", ".join(f"{rows:,} {reason}" for reason, rows in reasons[:REASONS_SHOWN])
            lines.append(f"Quarantined: {shown}{', ...' if len(reasons) > REASONS_SHOWN else ''}; such as")
            lines += [f"  {file}, line {each.row}: {each.detail}" for file, each in self.first]
            lines.append(f"All of them: {QUARANTINE}/{of.quarantine.file} in the record store")
        return "\n".join(lines)


def counts(of: Submission) -> str:
    return f"{of.sent:,} rows in = {of.loaded:,} loaded + {of.replaced:,} replaced + {of.quarantined:,} quarantined"


def named(store: Store) -> str:
    """Which store it is, and whether anything in it is made up."""
    return f"Record store {store.folder}{', synthetic records of nobody' if store.is_synthetic else ''}"


def status(store: Store) -> str:
    """What a store holds by feed, and what became of what was sent."""
    store.check()
    if not store.submissions:
        return f"Record store {store.folder}: empty"
    lines = [named(store)]
    lines += [_feed(store.manifest, feed) for feed in sorted(store.manifest.feeds)]
    lines.append(f"{_number(len(store.submissions), 'submission')}; the last of them:")
    for each in store.submissions[-LAST_SHOWN:]:
        files = each.files[0].name + (f" and {len(each.files) - 1} more" if len(each.files) > 1 else "")
        removed = f"; {each.removed:,} removed" if each.removed else ""
        lines.append(f"  {each.id}. {each.mapping}, {each.protocol}, {files}: {counts(each)}{removed}")
    if store.closed_months:
        lines.append(f"Closed months: {', '.join(store.closed_months)}")
    return "\n".join(lines)


def _feed(manifest: Manifest, feed: str) -> str:
    parts = list(manifest.parts(feed))
    rows = sum(part.rows for _, _, part in parts)
    months = sorted({month for _, month, _ in parts})
    of = [each for each in manifest.submissions if each.feed == feed]
    sums = {name: sum(getattr(each, name) for each in of) for name in ("sent", "loaded", "replaced", "quarantined")}
    where = ""
    if months and months[0]:
        where = f" of {_number(len({provider for provider, _, _ in parts}), 'provider')}, {months[0]} to {months[-1]}"
    ever = (
        f"{sums['sent']:,} rows in = {sums['loaded']:,} loaded + {sums['replaced']:,} replaced + "
        f"{sums['quarantined']:,} quarantined"
    )
    return f"  {feed}: {_number(rows, 'record')}{where}; ever sent {ever}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
