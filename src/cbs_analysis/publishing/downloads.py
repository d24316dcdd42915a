"""What readers take along: for each pack a workbook, a PDF, its tables and an archive; for the edition an archive.

Kept in `build/published/<edition>/<area>/`, with checksums. A file is made again only where something that it is made
from has changed. The site offers those that are there and up to date.
"""

import json
import multiprocessing
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import cbs_analysis
from cbs_analysis.edition import LocalCommentary, load_commentary
from cbs_analysis.files import remove_drafts, write_atomically
from cbs_analysis.home import build_dir, data_dir, files_under, params_dir
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.archive import CHECKSUMS, checksums, zipped
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack

RECORD = "made.json"
SECONDS_TO_WRITE = 3600  # a draft that is older is no writer's any more
ENDINGS = {"workbook": ".xlsx", "pdf": ".pdf", "tables": "-tables.zip", "zip": ".zip"}
LABELS = {
    "workbook": "Workbook (Excel)",
    "pdf": "Report (PDF)",
    "tables": "Tables (CSV)",
    "zip": "Everything, with notebooks (zip)",
}
KINDS = tuple(ENDINGS)
MAKERS = ("xlsxwriter", "typst", "font-source-sans-pro", "cbs-analysis")
SOURCES = (".py", ".typ")


@dataclass(frozen=True)
class Download:
    """A file that a reader can take along: 'workbook', 'pdf', 'tables' or 'zip'; `size` in bytes."""

    kind: str
    path: Path
    label: str
    size: int


@dataclass(frozen=True)
class Published:
    """What became of a run: how many files were made, how many were as before, and by area what went wrong."""

    made: int
    kept: int
    failed: Mapping[str, str]


def published_folder(edition: str, code: str = "") -> Path:
    return build_dir() / "published" / edition / code


def offered(edited: Edited, packs: Mapping[str, ExecutedPack]) -> dict[str, list[Download]]:
    """Files that are there and made from what is there now, in reading order: by area, and under an empty code what is
    there for the edition.
    """
    keys = {code: made_from(edited, pack) for code, pack in packs.items()}
    found = {code: _offered(edited.edition.name, code, keys[code]) for code in packs}
    return {"": _offered(edited.edition.name, "", _of_all(keys)), **found}


def publish(
    edited: Edited,
    packs: Mapping[str, ExecutedPack],
    kinds: Iterable[str] = KINDS,
    only: Sequence[str] = (),
    on_made: Callable[[str], None] = lambda code: None,
) -> Published:
    """Make what is missing or out of date: of the packs in `only`, or of all and then the edition's archive.

    A pack that fails keeps the files it had and does not stop the others. `on_made` is told each pack that has ended.
    """
    wanted = set(kinds)
    wanted |= set(KINDS) if "zip" in wanted else set()
    name, keys = edited.edition.name, {code: made_from(edited, pack) for code, pack in packs.items()}
    remove_drafts(published_folder(name), older_than=SECONDS_TO_WRITE)
    _forget_others(name, packs)
    due = {
        code: [kind for kind in KINDS if kind in wanted - _current(name, code, keys[code]).keys()]
        for code in only or packs
    }
    failed = _make_all(edited, packs, {code: due[code] for code in due if due[code]}, keys, on_made)
    made = sum(len(due[code]) for code in due if code not in failed)
    kept = sum(len(wanted) - len(due[code]) for code in due)
    if "zip" in wanted and not only and not failed:
        is_new = _make_edition(edited, packs, keys)
        made, kept = made + is_new, kept + (not is_new)
    return Published(made, kept, failed)


def made_from(edited: Edited, pack: ExecutedPack) -> str:
    """One digest of everything that a pack's files are made from."""
    digest = blake2b(_shared(edited.edition.name, str(params_dir()), str(data_dir())).encode(), digest_size=16)
    made = sorted(edited.made_by.items()), pack.version, pack.failures, [chapter.name for chapter in pack.chapters]
    digest.update(repr(made).encode())
    commentary = params_dir() / "areas" / f"{pack.area_code}.yml"
    for path in [chapter.path for chapter in pack.chapters] + [commentary] * commentary.exists():
        digest.update(b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _shared(edition: str, params: str, data: str) -> str:
    """What all packs' files are made from: choices, areas, this package, the libraries that write."""
    package = Path(cbs_analysis.__file__).parent
    sources = [path for path in files_under(package) if path.suffix in SOURCES]
    files = [
        *(Path(params, "editions", f"{edition}.yml"), Path(params, "indicators.yml")),
        *files_under(Path(data, "reference")),
    ]
    digest = blake2b(" ".join(version(name) for name in MAKERS).encode(), digest_size=16)
    for path in [*sources, *files]:
        digest.update(os.fsencode(path.name) + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _of_all(keys: Mapping[str, str]) -> str:
    return blake2b(repr(sorted(keys.items())).encode(), digest_size=16).hexdigest()


def _offered(edition: str, code: str, key: str) -> list[Download]:
    folder = published_folder(edition, code)
    paths = {kind: folder / name for kind, name in _current(edition, code, key).items()}
    return [Download(kind, paths[kind], LABELS[kind], paths[kind].stat().st_size) for kind in KINDS if kind in paths]


def _current(edition: str, code: str, key: str) -> dict[str, str]:
    """The names of files that are there and were made from what `key` stands for, by kind."""
    folder = published_folder(edition, code)
    return {
        kind: file_name(code, edition, kind)
        for kind, made in _record(folder).items()
        if kind in ENDINGS and made == key and (folder / file_name(code, edition, kind)).exists()
    }


def file_name(code: str, edition: str, kind: str) -> str:
    return f"{f'{code}-' if code else ''}{edition}{ENDINGS[kind]}"


def _record(folder: Path) -> dict[str, str]:
    """Of each kind, what its file was made from; empty where nothing is known."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _forget_others(edition: str, packs: Mapping[str, ExecutedPack]) -> None:
    """Remove files of areas that are no longer among the packs."""
    folder = published_folder(edition)
    for other in folder.iterdir() if folder.exists() else ():
        if other.is_dir() and other.name not in packs:
            rmtree(other)


def _make_all(
    edited: Edited,
    packs: Mapping[str, ExecutedPack],
    due: Mapping[str, Sequence[str]],
    keys: Mapping[str, str],
    on_made: Callable[[str], None],
) -> dict[str, str]:
    """Make each pack's files, several packs at once; gives what went wrong by area."""
    failed: dict[str, str] = {}
    if not due:
        return failed
    params, folder = params_dir(), published_folder(edited.edition.name)
    workers = min(len(due), os.cpu_count() or 1)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        asked = {}
        for code, kinds in due.items():
            local = load_commentary(code, params)
            asked[pool.submit(make_pack, folder / code, edited, packs[code], local, kinds, keys[code])] = code
        for done in as_completed(asked):
            if error := done.exception():
                failed[asked[done]] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            on_made(asked[done])
    return dict(sorted(failed.items()))


def make_pack(
    folder: Path, edited: Edited, pack: ExecutedPack, local: LocalCommentary, kinds: Sequence[str], key: str
) -> None:
    """Write a pack's files of these kinds, each whole or not at all, and record what they were made from: last, so that
    what was cut off is made again, with its checksum.
    """
    names = {kind: file_name(pack.area_code, edited.edition.name, kind) for kind in KINDS}
    for kind in kinds:
        content = _content(kind, folder, names, edited, pack, local)
        write_atomically(folder / names[kind], content)
        files = {name: (folder / name).read_bytes() for name in names.values() if (folder / name).exists()}
        write_atomically(folder / CHECKSUMS, checksums(files))
        write_atomically(folder / RECORD, json.dumps({**_record(folder), kind: key}, indent=1) + "\n")


def _content(
    kind: str, folder: Path, names: Mapping[str, str], edited: Edited, pack: ExecutedPack, local: LocalCommentary
) -> bytes:
    from cbs_analysis.publishing.pdf import write_pdf
    from cbs_analysis.publishing.tables import table_files
    from cbs_analysis.publishing.workbook import write_workbook

    if kind == "tables":
        return zipped(table_files(pack, edited))
    if kind == "zip":
        parts = {names[part]: (folder / names[part]).read_bytes() for part in ("workbook", "pdf")}
        parts |= {f"tables/{name}": content for name, content in table_files(pack, edited).items()}
        parts |= {f"notebooks/{chapter.path.name}": chapter.path.read_bytes() for chapter in pack.chapters}
        parts["README.txt"] = _read_me(edited, pack).encode("utf-8", "replace")
        return zipped({**parts, CHECKSUMS: checksums(parts)})
    write = write_workbook if kind == "workbook" else write_pdf
    with TemporaryDirectory(prefix="cbs-publish-") as work:
        draft = Path(work) / names[kind]
        write(draft, pack, edited, local)
        return draft.read_bytes()


def _about_synthetic(pack: ExecutedPack) -> str:
    sentence = synthetic.in_a_sentence(pack.findings, "this pack", "finding")
    return f"{sentence}\n" if sentence else ""


def _read_me(edited: Edited, pack: ExecutedPack) -> str:
    area = edited.geography.area(pack.area_code)
    return (
        f"{area.name}: {edited.edition.title}\n\n"
        "The workbook and the PDF hold the messages, indicators and findings. tables/ holds every table as CSV,\n"
        "described in datapackage.json. notebooks/ holds the executed notebooks, from which all of it is made.\n"
        f"{_about_synthetic(pack)}"
        "SHA256SUMS holds their checksums (sha256sum --check SHA256SUMS).\n\n"
        f"Edition {edited.edition.name}, made by cbs-analysis {pack.version}. Contains public sector information\n"
        "licensed under the Open Government Licence v3.0; datapackage.json names the publishers.\n"
    )


def _make_edition(edited: Edited, packs: Mapping[str, ExecutedPack], keys: Mapping[str, str]) -> bool:
    """The archive of all packs, a folder each; false where it is up to date."""
    name, key = edited.edition.name, _of_all(keys)
    if "zip" in _current(name, "", key):
        return False
    folder, files = published_folder(name), dict[str, bytes]()
    for code, pack in packs.items():
        parts = {file_name(code, name, kind): folder / code for kind in KINDS if kind != "zip"}
        files |= {f"{code}/{part}": (place / part).read_bytes() for part, place in parts.items()}
        files |= {f"{code}/notebooks/{chapter.path.name}": chapter.path.read_bytes() for chapter in pack.chapters}
    archive = file_name("", name, "zip")
    content = zipped({**files, CHECKSUMS: checksums(files)})
    write_atomically(folder / archive, content)
    write_atomically(folder / CHECKSUMS, checksums({archive: content}))
    write_atomically(folder / RECORD, json.dumps({"zip": key}, indent=1) + "\n")
    return True
