"""One submission of a feed into the record store: all of its files or, where one cannot be read at all, none.

In bulk, a provider's month that is sent replaces what was there. Net changes insert, update or delete record by record;
an insert of a record that is there, and an update of one that is not, are both taken for what they then are. What was
sent is always loaded, replaced or quarantined.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from cbs_analysis.errors import UserError
from cbs_analysis.records.feeds import RecordFeed, load_feed
from cbs_analysis.records.provider_merge import ProviderMerge, ProviderResult, RowLimit, SubmittedRows
from cbs_analysis.records.quarantine import Refusals, RefusedRow
from cbs_analysis.records.store import QUARANTINE, Manifest, SentFile, Store, StoredFile, Submission
from cbs_analysis.records.store import close_month as close_month
from cbs_analysis.records.submitted_files import digest_of, is_synthetic, row_batches
from cbs_analysis.records.typed_rows import typed

LAST_SHOWN = 5
REASONS_SHOWN = 5


@dataclass(frozen=True)
class ImportOutcome:
    """What became of a submission. `first` are the first rows that were refused, each with its file's name; `known` the
    files of net changes left out because they had been imported. Where nothing changed, `submission` is the earlier one
    that was the same, or has no rows.
    """

    submission: Submission
    is_unchanged: bool = False
    first: Sequence[tuple[str, RefusedRow]] = ()
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


FEW_ROWS = 100_000
"""Rows below which a second thread costs more than it gives."""
MOST_ROWS_MERGED = 4_000_000
"""Of all providers that are merged at one time: memory grows with them. One with more is merged alone."""
Protocol = Literal["bulk", "net"]
Item = TypeVar("Item")
Made = TypeVar("Made")


def import_files(
    store: Store,
    feed: str,
    paths: Sequence[Path],
    *,
    protocol: Protocol = "bulk",
    params: Path,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> ImportOutcome:
    """Import files of one feed together, and say what became of their rows.

    `feed` is a feed or a mapping of params/feeds. `on_progress` is called with the files read so far and all of them.
    The same submission twice changes nothing: in bulk where what it made is still there, in net changes ever.
    Raises UserError in one line where a file, the mapping or the store is not as it must be; the store is then as
    before.
    """
    described = load_feed(feed, params)
    if not paths:
        raise UserError(f"no files of {feed} to import; name one or more")
    if described.is_list and protocol == "net":
        raise UserError(f"{described.name} is a list that is replaced whole; import it in bulk")
    synthetic = _are_synthetic(paths)
    with store.writing() as staging:
        _check_not_mixed(store, described, synthetic, paths)
        return _Submitted(store, described, protocol, staging, synthetic).outcome(list(paths), on_progress)


@dataclass
class _Submitted:
    """A submission on its way into the store."""

    store: Store
    feed: RecordFeed
    protocol: Protocol
    staging: Path
    synthetic: bool

    def outcome(self, paths: list[Path], on_progress: Callable[[int, int], object]) -> ImportOutcome:
        on_progress(0, len(paths))
        digests = list(_each(digest_of, paths, is_small=len(paths) == 1))
        if (before := self._before(digests)) is not None:
            on_progress(len(paths), len(paths))
            return ImportOutcome(before, is_unchanged=True)
        known = self._known_changes()
        files = self._numbered([pair for pair in zip(paths, digests, strict=True) if pair[1] not in known])
        runs = SubmittedRows(self.staging)
        refusals = Refusals(self.staging / "refused")
        sent: list[SentFile] = []
        readings = _each(lambda file: self._read(*file, runs), list(enumerate(files)), is_small=len(files) == 1)
        for done, (file, refused) in enumerate(readings, start=1 + len(paths) - len(files)):
            sent.append(file)
            refusals.extend(refused)
            on_progress(done, len(paths))
        return self._merged(sent, runs, refusals, known=len(paths) - len(files))

    def _before(self, digests: Sequence[str]) -> Submission | None:
        """The submission that was the same, where doing it again would change nothing."""
        if self.protocol == "net":
            known = self._known_changes()
            return known[digests[-1]] if all(digest in known for digest in digests) else None
        for each in reversed(self._alike()):
            if [file.digest for file in each.files] == list(digests):
                is_there = all(
                    part is not None and part.file == file
                    for provider, months in each.months.items()
                    for month, (_, file) in months.items()
                    for part in [self._part(provider, month)]
                )
                return each if is_there else None
        return None

    def _known_changes(self) -> dict[str, Submission]:
        """Files of net changes that were imported before; in bulk there are none, for they may be sent again."""
        if self.protocol == "bulk":
            return {}
        return {file.digest: each for each in self._alike() for file in each.files}

    def _alike(self) -> list[Submission]:
        of = (self.feed.name, self.feed.digest, self.protocol)
        return [each for each in self.store.submissions if (each.feed, each.mapping_digest, each.protocol) == of]

    def _part(self, provider: str, month: str) -> StoredFile | None:
        return self.store.manifest.feeds.get(self.feed.name, {}).get(provider, {}).get(month)

    def _numbered(self, files: Sequence[tuple[Path, str]]) -> list[tuple[Path, str, int]]:
        """Files with their numbers in the store: a file has the same number whenever it is sent."""
        ids = dict(self.store.manifest.file_ids)
        for _, digest in files:
            ids.setdefault(digest, max(ids.values(), default=0) + 1)
        return [(path, digest, ids[digest]) for path, digest in files]

    def _read(self, at: int, file: tuple[Path, str, int], runs: SubmittedRows) -> tuple[SentFile, Refusals]:
        path, digest, file_id = file
        refusals = Refusals(self.staging / f"refused-{at}")
        rows = 0
        for number, lot in enumerate(row_batches(path, self.feed, self.protocol == "net")):
            table, refused = typed(lot, self.feed, self.store.closed_months, file_id, str(path))
            refusals.add(path.name, sorted([*lot.refused, *refused]))
            runs.add((at, number), table)
            rows += lot.rows
        return SentFile(file_id, path.name, digest, rows), refusals

    def _merged(self, sent: list[SentFile], runs: SubmittedRows, refusals: Refusals, known: int) -> ImportOutcome:
        rows = sum(file.rows for file in sent)
        merge = ProviderMerge(self.store, self.feed, self.protocol == "bulk", {file.id: file.name for file in sent})
        names = runs.providers()
        room = RowLimit(MOST_ROWS_MERGED)

        def merged_of(name: str) -> ProviderResult:
            with room.held(runs.rows(name)):
                return merge.result(name, runs.take(name))

        merged = _each(merged_of, names, is_small=rows < FEW_ROWS)
        results = dict(sorted(zip(names, merged, strict=True)))
        counts: Counter[str] = Counter()
        for result in results.values():
            refusals.extend(result.refused(self.staging))
            counts.update(loaded=result.loaded, replaced=result.replaced, removed=result.removed)
        if rows != counts["loaded"] + counts["replaced"] + refusals.rows:
            raise AssertionError(f"{rows} rows sent are not {counts} and {refusals.rows} refused")
        manifest, id_ = self.store.manifest, len(self.store.submissions) + 1
        reasons = dict(sorted(refusals.reasons.items()))
        submission = Submission(
            id_, self.feed.name, self.feed.mapping, self.feed.digest, self.protocol, tuple(sent), rows,
            counts["loaded"], counts["replaced"], refusals.rows, counts["removed"], reasons,
            {provider: result.months for provider, result in results.items() if result.months}, self.synthetic,
        )  # fmt: skip
        if rows == 0:
            return ImportOutcome(submission, is_unchanged=True, known=known)
        written = [path for result in results.values() for path in result.written]
        if refusals.rows:
            submission = replace(submission, quarantine=self._quarantined(refusals, id_, written))
        changed = {provider: result.parts for provider, result in results.items()}
        self.store.commit(manifest.with_submission(submission, self.feed.name, changed), written)
        return ImportOutcome(submission, first=tuple(refusals.first), known=known)

    def _quarantined(self, refusals: Refusals, submission: int, written: list[Path]) -> StoredFile:
        draft = self.staging / f"{QUARANTINE}.parquet"
        refusals.write(draft, submission, self.feed.name)
        folder = self.store.folder / QUARANTINE
        folder.mkdir(exist_ok=True)
        name = f"{submission}-{digest_of(draft)}.parquet"
        size = draft.stat().st_size
        written.append(draft.replace(folder / name))
        return StoredFile(name, refusals.rows, size)


def _are_synthetic(paths: Iterable[Path]) -> bool:
    """Whether the files say that they are made up: all of them or none."""
    said = {path: is_synthetic(path) for path in paths}
    if len(set(said.values())) > 1:
        made_up = next(path for path, synthetic in said.items() if synthetic)
        real = next(path for path, synthetic in said.items() if not synthetic)
        raise UserError(
            f"{made_up} holds synthetic records and {real} does not say so; keep them in stores of their own"
        )
    return any(said.values())


def _check_not_mixed(store: Store, feed: RecordFeed, synthetic: bool, paths: Sequence[Path]) -> None:
    """Real records among synthetic ones would go wherever synthetic ones may. Lists are of nobody."""
    lists = {each.feed for each in store.submissions if set(each.months) <= {""}}
    for each in store.submissions:
        if not feed.is_list and each.feed not in lists and each.is_synthetic != synthetic:
            held = "synthetic" if each.is_synthetic else "real"
            given = "holds synthetic ones" if synthetic else "is not marked as such"
            raise UserError(
                f"record store {store.folder}: holds {held} records, and {paths[0]} {given}; "
                "name another folder in CBS_RECORDS"
            )


def _each(make: Callable[[Item], Made], items: Sequence[Item], is_small: bool) -> Iterator[Made]:
    """What is made of each item, in order, by as many threads as there are processors."""
    if is_small or len(items) < 2:
        yield from map(make, items)
        return
    pool = ThreadPoolExecutor(min(len(items), os.cpu_count() or 1))
    try:
        yield from pool.map(make, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
