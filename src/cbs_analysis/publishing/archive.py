"""Archives that are the same bytes for the same files, and the checksums of what is in them."""

import io
import zipfile
from collections.abc import Mapping
from hashlib import sha256

CHECKSUMS = "SHA256SUMS"
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
