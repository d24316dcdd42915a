"""Archives that are the same bytes for the same files, with the checksums of what is in them.

The archive of a pack holds its files of every other format, its executed notebooks, and a read-me; that of an edition
all packs, a folder each.
"""

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.formats import FORMATS, Format, published_folder
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, licence_texts

CHECKSUMS = "SHA256SUMS"
README = "README.txt"
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can name
READABLE = 0o100644 << 16
LEVEL = 6


def checksums(files: Mapping[str, bytes]) -> bytes:
    """A line for each file, by name, as `sha256sum --check` reads them."""
    lines = (f"{sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    return "".join(lines).encode("utf-8", "surrogateescape")


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as a zip archive, in the order of their names, without a clock or an owner in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, EARLIEST)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, READABLE, 3
            archive.writestr(entry, content, compresslevel=LEVEL)
    return out.getvalue()


def write_archive(path: Path, pack: ExecutedPack, context: EditionContext, local: LocalCommentary) -> None:
    """Write the archive of a pack to `path`: of its files that were published, an archive as the folder of its name."""
    parts: dict[str, bytes] = {}
    for entry, content in _published(pack, context.edition.name):
        if zipfile.is_zipfile(io.BytesIO(content)) and entry.ending.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(content)) as inner:
                parts |= {f"{entry.name}/{name}": inner.read(name) for name in inner.namelist()}
        else:
            parts[entry.file_name(context.edition.name, pack.area_code)] = content
    parts |= _notebooks(pack)
    parts[README] = read_me(pack, context).encode("utf-8", "replace")
    path.write_bytes(zipped({**parts, CHECKSUMS: checksums(parts)}))


def edition_archive(packs: Mapping[str, ExecutedPack], edition: str) -> bytes:
    """The archive of all packs, a folder each."""
    files: dict[str, bytes] = {}
    for code, pack in packs.items():
        parts = {entry.file_name(edition, code): content for entry, content in _published(pack, edition)}
        files |= {f"{code}/{name}": content for name, content in {**parts, **_notebooks(pack)}.items()}
    return zipped({**files, CHECKSUMS: checksums(files)})


def read_me(pack: ExecutedPack, context: EditionContext) -> str:
    """What is in the archive of a pack, in plain text."""
    area, edition = context.geography.area(pack.area_code), context.edition
    about = [entry.about for entry in FORMATS.values() if entry.about]
    label = synthetic.summary(pack.findings, "this pack", "finding")
    parts = [
        [f"{area.name}: {edition.title}"],
        [
            *about,
            "notebooks/ holds the executed notebooks, from which all of it is made.",
            *([label] if label else []),
            f"{CHECKSUMS} holds their checksums (sha256sum --check {CHECKSUMS}).",
        ],
        [f"Edition {edition.name}, made by cbs-analysis {pack.version}.", *licence_texts(pack.findings)],
    ]
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _published(pack: ExecutedPack, edition: str) -> list[tuple[Format, bytes]]:
    folder = published_folder(edition, pack.area_code)
    return [
        (entry, (folder / entry.file_name(edition, pack.area_code)).read_bytes())
        for entry in FORMATS.values()
        if not entry.holds_others
    ]


def _notebooks(pack: ExecutedPack) -> dict[str, bytes]:
    return {f"notebooks/{chapter.path.name}": chapter.path.read_bytes() for chapter in pack.chapters}
