"""What readers can download: the files of each pack in every format, and one archive of the edition.

Kept in `build/published/<edition>/<area>/`, with checksums. A file is made again only where something that it is made
from has changed. The site offers those that are there and up to date.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import cbs_analysis
from cbs_analysis.evidence.wording import number
from cbs_analysis.files import remove_drafts, write_atomically
from cbs_analysis.home import files_under, params_dir
from cbs_analysis.parameters import LocalCommentary, load_commentary
from cbs_analysis.publishing.archive import CHECKSUMS, checksums, edition_archive
from cbs_analysis.publishing.formats import FORMATS, Format, published_folder, wanted_formats
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack

RECORD = "made.json"
SECONDS_TO_WRITE = 3600  # a draft that is older is no writer's any more
SOURCES = (".py", ".typ")


@dataclass(frozen=True)
class Download:
    """A file that a reader can download, its format's name and label, and its size in bytes."""

    format: str
    path: Path
    label: str
    size: int

    @property
    def size_in_words(self) -> str:
        """'84 kB', '1.2 MB'."""
        return f"{number(self.size / 1e6, 1)} MB" if self.size >= 1e6 else f"{number(max(self.size / 1e3, 1))} kB"


@dataclass(frozen=True)
class Outcome:
    """What became of a run: how many files were made, how many were as before, and by area what went wrong."""

    made: int
    kept: int
    failed: Mapping[str, str]


def offered(context: EditionContext, packs: Mapping[str, ExecutedPack]) -> dict[str, list[Download]]:
    """Files that are there and made from what is there now, in the order of the formats: by area, and under an empty
    code what is there for the edition.
    """
    keys = {code: made_from(context, pack) for code, pack in packs.items()}
    edition = context.edition.name
    return {"": _offered(edition, "", _of_all(keys)), **{code: _offered(edition, code, keys[code]) for code in packs}}


def publish(
    context: EditionContext,
    packs: Mapping[str, ExecutedPack],
    formats: Sequence[str] | None = None,
    only: Sequence[str] = (),
    on_made: Callable[[str], None] = lambda code: None,
) -> Outcome:
    """Make what is missing or out of date in these formats, or all: of the packs in `only`, or of all and then the
    edition's archive.

    A pack that fails keeps the files it had and does not stop the others. `on_made` is told each pack that has ended.
    """
    wanted = wanted_formats(None if formats is None else tuple(formats))
    name, keys = context.edition.name, {code: made_from(context, pack) for code, pack in packs.items()}
    remove_drafts(published_folder(name), older_than=SECONDS_TO_WRITE)
    _forget_others(name, packs)
    due = {
        code: [entry for entry in wanted if entry.name not in _current(name, code, keys[code])]
        for code in only or packs
    }
    failed = _make_all(context, packs, {code: due[code] for code in due if due[code]}, keys, on_made)
    made = sum(len(due[code]) for code in due if code not in failed)
    kept = sum(len(wanted) - len(due[code]) for code in due)
    for entry in wanted:
        if entry.holds_others and not only and not failed:
            is_new = _make_edition(entry, packs, name, _of_all(keys))
            made, kept = made + is_new, kept + (not is_new)
    return Outcome(made, kept, failed)


def made_from(context: EditionContext, pack: ExecutedPack) -> str:
    """One digest of everything that a pack's files are made from."""
    digest = blake2b(_code_and_libraries(tuple(FORMATS.values())).encode(), digest_size=16)
    shared = asdict(context.edition), asdict(context.geography), list(context.indicators.items())
    made = sorted(context.made_by.items()), pack.version, pack.failures, [chapter.name for chapter in pack.chapters]
    digest.update(repr((shared, made)).encode("utf-8", "surrogatepass"))
    commentary = params_dir() / "areas" / f"{pack.area_code}.yml"
    for path in [chapter.path for chapter in pack.chapters] + [commentary] * commentary.exists():
        digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _code_and_libraries(formats: tuple[Format, ...]) -> str:
    """What all packs' files are made by: this package, and the libraries that write."""
    package = Path(cbs_analysis.__file__).parent
    libraries = ("cbs-analysis", *(library for entry in formats for library in entry.libraries))
    digest = blake2b(" ".join(version(name) for name in libraries).encode(), digest_size=16)
    for path in files_under(package):
        if path.suffix in SOURCES:
            digest.update(os.fsencode(path.name) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _of_all(keys: Mapping[str, str]) -> str:
    return blake2b(repr(sorted(keys.items())).encode(), digest_size=16).hexdigest()


def _offered(edition: str, code: str, key: str) -> list[Download]:
    current = _current(edition, code, key)
    return [
        Download(entry.name, current[entry.name], entry.label, current[entry.name].stat().st_size)
        for entry in FORMATS.values()
        if entry.name in current
    ]


def _current(edition: str, code: str, key: str) -> dict[str, Path]:
    """The files that are there and were made from what `key` stands for, by the names of their formats."""
    folder = published_folder(edition, code)
    paths = {name: folder / FORMATS[name].file_name(edition, code) for name in _record(folder) if name in FORMATS}
    return {name: path for name, path in paths.items() if _record(folder)[name] == key and path.exists()}


def _record(folder: Path) -> dict[str, str]:
    """Of each format, what its file was made from; empty where nothing is known."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _forget_others(edition: str, packs: Iterable[str]) -> None:
    """Remove files of areas that are no longer among the packs."""
    folder = published_folder(edition)
    for other in folder.iterdir() if folder.exists() else ():
        if other.is_dir() and other.name not in packs:
            rmtree(other)


def _make_all(
    context: EditionContext,
    packs: Mapping[str, ExecutedPack],
    due: Mapping[str, Sequence[Format]],
    keys: Mapping[str, str],
    on_made: Callable[[str], None],
) -> dict[str, str]:
    """Make each pack's files, several packs at once; gives what went wrong by area."""
    failed: dict[str, str] = {}
    if not due:
        return failed
    params, folder = params_dir(), published_folder(context.edition.name)
    workers, spawn = min(len(due), os.cpu_count() or 1), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=FORMATS.update, initargs=(dict(FORMATS),)) as pool:
        asked = {}
        for code, formats in due.items():
            local = load_commentary(code, params)
            asked[pool.submit(make_pack, folder / code, context, packs[code], local, formats, keys[code])] = code
        for done in as_completed(asked):
            if error := done.exception():
                failed[asked[done]] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            on_made(asked[done])
    return dict(sorted(failed.items()))


def make_pack(
    folder: Path,
    context: EditionContext,
    pack: ExecutedPack,
    local: LocalCommentary,
    formats: Sequence[Format],
    key: str,
) -> None:
    """Write a pack's files in these formats, each whole or not at all, and record what they were made from: last, so
    that what was cut off is made again, with its checksum.
    """
    names = [entry.file_name(context.edition.name, pack.area_code) for entry in FORMATS.values()]
    for entry in formats:
        name = entry.file_name(context.edition.name, pack.area_code)
        with TemporaryDirectory(prefix="cbs-publish-") as work:
            draft = Path(work) / name
            entry.write(draft, pack, context, local)
            content = draft.read_bytes()
        write_atomically(folder / name, content)
        files = {other: (folder / other).read_bytes() for other in names if (folder / other).exists()}
        write_atomically(folder / CHECKSUMS, checksums(files))
        write_atomically(folder / RECORD, json.dumps({**_record(folder), entry.name: key}, indent=1) + "\n")


def _make_edition(entry: Format, packs: Mapping[str, ExecutedPack], edition: str, key: str) -> bool:
    """The archive of all packs, a folder each; false where it is up to date."""
    if entry.name in _current(edition, "", key):
        return False
    folder, name = published_folder(edition), entry.file_name(edition)
    content = edition_archive(packs, edition)
    write_atomically(folder / name, content)
    write_atomically(folder / CHECKSUMS, checksums({name: content}))
    write_atomically(folder / RECORD, json.dumps({entry.name: key}, indent=1) + "\n")
    return True
