"""Areas grouped in a way of one's own: a list of areas and groups becomes a geography and an edition of the home.

`redraw` takes the leaves, the whole and the nation of an edition's geography, and puts the groups of a file between
them. It adds rows to the reference tables and writes an edition that is a copy of the one given, comments and all, over
the new geography. All of it is checked before any of it is written.
"""

import csv
import io
import re
import tempfile
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from cbs_analysis.edition import edition_names, load_edition
from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.files import write_atomically
from cbs_analysis.geography import FOLDER, Area, Geography, geography_names, load_geography
from cbs_analysis.tables.csv_files import read_cells, read_header
from cbs_analysis.tables.descriptions import DESCRIPTION
from cbs_analysis.tables.schema_checks import read_table

HEADER = ["area", "group"]
GROUP_KINDS = ("group", "area_group")
"""The kind and level of drawn groups: the first that is not a level of the leaves or the whole."""
TABLES = ("area_kinds", "areas", "geographies", "geography_names")
"""In the order in which they are written: a geography is there once it has its name, so a stopped run can be repeated.
"""
LONGEST_CODE = 9
_NO_CODES = {"NA", "NAN", "NULL", "NONE", "INF", "CON", "PRN", "AUX", "NUL", "ALL"}
"""Codes that a spreadsheet, pandas or a file system reads as something else."""

Row = dict[str, str]


@dataclass(frozen=True)
class Redrawn:
    """What came of a file of groups: the geography, the edition over it, and whether both were there already."""

    geography: Geography
    edition: str
    copied_from: str
    was_there: bool

    @property
    def groups(self) -> tuple[Area, ...]:
        return tuple(area for area in self.geography.areas.values() if not area.is_leaf and not area.is_whole)


def redraw(file: Path, name: str, edition: str, title: str, data: Path, params: Path) -> Redrawn:
    """Make the groups of a file a geography and an edition called `name`, copied from `edition`.

    The file has the columns area (a code or name of a leaf) and group (any name). Without a name the file's own is
    taken, without a title one made from the name. Raises UserError or DataError, with nothing written, where the file
    is not such a list, leaves an area out, or the name stands for something else.
    """
    for table in TABLES[:2]:  # the others are as a stopped run may have left them, and checked with what is added
        read_table(data, table)
    base = load_geography(load_edition(edition, params).geography, data)
    groups = _groups(file, base)
    name = _name(name or re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_"))
    if name in geography_names(data) or name in edition_names(params):
        return _already(name, edition, title, groups, base, data, params)
    title = title or name.replace("_", " ").capitalize()
    rows = _rows(name, title, groups, base, data)
    changed = {
        data / FOLDER / f"{table}.csv": _with_rows(data / FOLDER / f"{table}.csv", rows[table])
        for table in TABLES
        if rows[table]
    }
    changed[params / "editions" / f"{name}.yml"] = _edition_text(edition, name, title, base, rows, params)
    geography = _checked(changed, name, data, params)
    _write(changed)
    return Redrawn(geography, name, edition, was_there=False)


def _groups(file: Path, base: Geography) -> dict[str, list[str]]:
    """The codes of each group's areas, groups in the order of the file."""
    shown = file.name
    if (header := read_header(file, shown)) != HEADER:
        raise DataError(f"{shown}, line 1: the columns are {', '.join(header)}; they must be {', '.join(HEADER)}")
    cells = read_cells(file, shown, HEADER)
    names = {area.name.casefold(): area.code for area in base.peers}
    codes = {area.code.casefold(): area.code for area in base.peers}
    groups: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    for line, area, group in zip(cells.index, cells["area"].str.strip(), cells["group"].str.strip(), strict=True):
        code = codes.get(area.casefold()) or names.get(area.casefold())
        if not area or not group:
            raise DataError(f"{shown}, line {line}: {'group' if area else 'area'} is empty; each row needs both")
        if code is None:
            near = nearest(area, [*(one.code for one in base.peers), *(one.name for one in base.peers)])
            raise DataError(f"{shown}, line {line}: {area!r} is not one of the {_leaves(base)}; {near}")
        if code in lines:
            raise DataError(f"{shown}, line {line}: {area!r} is duplicated; it is on line {lines[code]} already")
        lines[code] = line
        groups.setdefault(group, []).append(code)
    if absent := [area for area in base.peers if area.code not in lines]:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise DataError(f"{shown}: {absent[0].code} ({absent[0].name}) is in no group{more}; each area must be in one")
    _check_names(groups, base, shown)
    return groups


def _check_names(groups: Mapping[str, list[str]], base: Geography, shown: str) -> None:
    if len(groups) < 2:
        raise DataError(f"{shown}: there is one group; there must be at least two, or it is {base.whole.name} again")
    kept = {area.name.casefold(): area.name for area in (*base.peers, base.whole)}
    for group in groups:
        if group.casefold() in kept:
            near = kept[group.casefold()]
            raise DataError(
                f"{shown}: group {group!r} has the name of the area or group {near!r}; give it one of its own"
            )
        kept[group.casefold()] = group


def _leaves(base: Geography) -> str:
    return f"{len(base.peers)} {base.peers[0].levels()} of {base.name}"


def _name(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UserError(f"--name: {name!r} must be small letters, digits and underscores, such as our_places")
    return name


def _already(
    name: str, edition: str, title: str, groups: Mapping[str, list[str]], base: Geography, data: Path, params: Path
) -> Redrawn:
    """What is there under this name, if it is what the file says."""
    if name not in geography_names(data):
        raise UserError(f"--name: params/editions/{name}.yml is another edition; give another --name")
    there = load_geography(name, data)
    drawn = {area.name: sorted(area.members) for area in there.areas.values() if not area.is_leaf and not area.is_whole}
    is_same = drawn == {group: sorted(codes) for group, codes in groups.items()} and title in ("", there.title)
    if (
        not is_same
        or there.whole.code != base.whole.code
        or {a.code for a in there.peers} != {a.code for a in base.peers}
    ):
        raise UserError(f"--name: geography {name!r} is there already with other groups or title; give another --name")
    if name not in edition_names(params):
        file = params / "editions" / f"{name}.yml"
        text = _edition_text(edition, name, there.title, base, {"geographies": _tree_rows(there)}, params)
        _checked({file: text}, name, data, params)
        _write({file: text})
        return Redrawn(there, name, edition, was_there=False)
    if load_edition(name, params).geography != name:
        raise UserError(f"--name: params/editions/{name}.yml is an edition of another geography; give another --name")
    return Redrawn(there, name, edition, was_there=True)


def _tree_rows(geography: Geography) -> list[Row]:
    return [{"area_code": area.code, "level": area.level} for area in geography.areas.values()]


def _rows(name: str, title: str, groups: Mapping[str, list[str]], base: Geography, data: Path) -> dict[str, list[Row]]:
    """The rows that each reference table gains."""
    whole, leaf_levels = base.whole, {area.level for area in base.peers}
    kind = next(kind for kind in GROUP_KINDS if kind not in {*leaf_levels, whole.level})
    codes = _codes(groups, kind, data)
    parents = {leaf: codes[group] for group, leaves in groups.items() for leaf in leaves}
    words = {"kind": kind, "name": "group", "plural_name": "groups"}
    tree = [
        *((area.code, area.level, parents[area.code]) for area in base.peers),
        *((code, kind, whole.code) for code in codes.values()),
        (whole.code, whole.level, ""),
    ]
    note = (
        f"{len(groups)} groups of {len(base.peers)} {base.peers[0].levels()}, drawn by the analysts of this handbook."
    )
    return {
        "area_kinds": [] if kind in base.kind_words else [words],
        "areas": [{"area_code": code, "area_name": group, "kind": kind} for group, code in codes.items()],
        "geographies": [
            {"geography": name, "area_code": code, "level": level, "parent_code": parent}
            for code, level, parent in tree
        ],
        "geography_names": [
            {"geography": name, "title": title, "year": str(base.year), "note": note,
             "nation_code": base.nation.code if base.nation else ""}
        ],
    }  # fmt: skip


def _codes(groups: Iterable[str], kind: str, data: Path) -> dict[str, str]:
    """A code for each group, from the initials or the first letters of its name, that stands for nothing else; the one
    that a stopped run gave it.
    """
    named = {code for name in geography_names(data) for code in load_geography(name, data).areas}
    header, *areas = _read(data / FOLDER / "areas.csv")
    left = [dict(zip(header, row, strict=True)) for row in areas]
    given = {
        row["area_name"]: row["area_code"] for row in left if row["kind"] == kind and row["area_code"] not in named
    }
    taken = {cell.upper() for file in sorted((data / FOLDER).glob("*.csv")) for row in _read(file) for cell in row}
    codes: dict[str, str] = {}
    for group in groups:
        if group in given:
            codes[group] = given[group]
            continue
        plain = unicodedata.normalize("NFKD", group).encode("ascii", "ignore").decode()
        words = re.findall(r"[A-Z0-9]+", plain.upper().replace("'", ""))
        stem = "".join(word[0] for word in words) if len(words) > 1 else "".join(words)
        stem = re.sub(r"^[0-9]*$|^(?=[0-9])", "G", stem, count=1)[: LONGEST_CODE - 2]
        candidates = [stem, *(f"{stem[:6]}{number}" for number in range(2, 1000))]
        code = next(one for one in candidates if len(one) > 1 and one not in taken and not _reads_as_other(one))
        taken.add(code)
        codes[group] = code
    return codes


def _reads_as_other(code: str) -> bool:
    return code in _NO_CODES or not isinstance(yaml.safe_load(code), str)


def _read(file: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline="")))


def _with_rows(file: Path, rows: Iterable[Row]) -> str:
    """The text of a table with those rows after its last that it does not have."""
    text = file.read_bytes().decode("utf-8")
    header, *there = _read(file)
    added = io.StringIO(newline="")
    writer = csv.DictWriter(added, header, restval="", lineterminator="\r\n" if "\r\n" in text else "\n")
    writer.writerows(row for row in rows if [row.get(key, "") for key in header] not in there)
    return text + added.getvalue()


def _edition_text(
    edition: str, name: str, title: str, base: Geography, rows: Mapping[str, list[Row]], params: Path
) -> str:
    """The edition's file with another title and geography, and else as it is, by the places of what changes in it.

    Where its chapters name the old geography or the levels of its groups, the copy names the new ones.
    """
    text = (params / "editions" / f"{edition}.yml").read_bytes().decode("utf-8-sig")
    root = _values(yaml.compose(text, Loader=yaml.SafeLoader))
    ends = {base.whole.level, *(area.level for area in base.peers)}
    groups = next(row["level"] for row in rows["geographies"] if row["level"] not in ends)
    chapters = [_values(chapter) for chapter in root["chapters"].value if isinstance(chapter, yaml.MappingNode)]
    named = [root["geographies"], *(chapter["geographies"] for chapter in chapters if "geographies" in chapter)]
    changes = [(root["title"], yaml_text(f"{root['title'].value}: {title}"))]
    changes += [(node, name) for each in named for node in each.value if node.value == base.name]
    levels = [node for chapter in chapters if "levels" in chapter for node in chapter["levels"].value]
    changes += [(node, groups) for node in levels if node.value in set(base.levels) - ends]
    for node, new in sorted(changes, key=lambda change: -change[0].start_mark.index):
        end = node.end_mark.index
        while text[end - 1].isspace():  # where a block scalar takes the lines after it
            end -= 1
        text = text[: node.start_mark.index] + new + text[end:]
    return text


def yaml_text(text: str) -> str:
    """A text as YAML writes it on one line, in quotation marks where it needs them."""
    return yaml.safe_dump(text, allow_unicode=True, width=10_000).removesuffix("...\n").strip()


def _values(node: yaml.Node | None) -> dict[str, yaml.Node]:
    """The values of a mapping by key. The edition was read before, so it is one."""
    assert isinstance(node, yaml.MappingNode)
    return {key.value: value for key, value in node.value}


def _checked(changed: Mapping[Path, str], name: str, data: Path, params: Path) -> Geography:
    """The geography that the changed files make, read in a copy of the reference tables and editions."""
    with tempfile.TemporaryDirectory() as folder:
        copies = {data: Path(folder) / "data", params: Path(folder) / "params"}
        kept = [data / DESCRIPTION, *(data / FOLDER).glob("*.csv"), *(params / "editions").glob("*.yml")]
        for file in dict.fromkeys([*kept, *changed]):
            root = data if file.is_relative_to(data) else params
            content = changed[file].encode() if file in changed else file.read_bytes()
            write_atomically(copies[root] / file.relative_to(root), content)
        for table in TABLES:
            read_table(copies[data], table)
        load_edition(name, copies[params])
        return load_geography(name, copies[data])


def _write(changed: Mapping[Path, str]) -> None:
    """Each file in one step, and all as before where one of them cannot be written."""
    before = {file: file.read_bytes() if file.exists() else None for file in changed}
    written: list[Path] = []
    try:
        for file, text in changed.items():
            write_atomically(file, text)
            written.append(file)
    except BaseException as error:
        for file in written:
            content = before[file]
            if content is None:
                file.unlink()
            else:
                write_atomically(file, content)
        if isinstance(error, OSError):
            raise UserError(
                f"{error.filename or 'a file'} cannot be written: {error.strerror}; nothing was changed"
            ) from None
        raise
