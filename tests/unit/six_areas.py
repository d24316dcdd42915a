"""A small home for tests of commands: six areas in two places, no nation, one edition with a comment on each line."""

import json
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
REFERENCE = ("areas", "area_kinds", "geographies", "geography_names", "area_parts", "area_successions")
LEAVES = {"W1": "Ash", "W2": "Birch", "W3": "Cedar", "W4": "Dogwood", "W5": "Elm", "W6": "Fir"}
FILES = {
    "areas": ["area_code,area_name,kind,organisation_name,tile_column,tile_row",
              *(f"{code},{name},ward,,," for code, name in LEAVES.items()),
              "EAST,East,place,,,", "WEST,West,place,,,", "ALLW,Arbour,county,,,"],
    "area_kinds": ["kind,name,plural_name", "ward,ward,wards", "place,place,places", "county,county,counties"],
    "geographies": ["geography,area_code,level,parent_code",
                    *(f"places,{code},ward,{'EAST' if code < 'W4' else 'WEST'}" for code in LEAVES),
                    "places,EAST,place,ALLW", "places,WEST,place,ALLW", "places,ALLW,county,"],
    "geography_names": ["geography,title,year,nation_code,note", "places,Two places,2023,,"],
    "area_parts": ["part_code,area_code,weight"],
    "area_successions": ["predecessor_code,successor_code,from_month"],
}  # fmt: skip
EDITION = """# What the county asks.
title: Arbour evidence   # shown on every page
prospectus_year: 2024/25
geographies: [places]    # the edition's own first
chapters:
  - name: planned_care   # for wards alone
    levels: [ward]
  - {name: outlook, geographies: [places], levels: [place, county]}

periods:
  activity: 2023/24
"""


def make(home: Path) -> Path:
    """Write the home's data and params."""
    for table, lines in FILES.items():
        path = home / "data" / "reference" / f"{table}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    package = json.loads((CHECKOUT / "data" / "datapackage.json").read_text(encoding="utf-8"))
    package["resources"] = [resource for resource in package["resources"] if resource["name"] in REFERENCE]
    text = json.dumps(package, indent=2, ensure_ascii=False) + "\n"
    (home / "data" / "datapackage.json").write_text(text, encoding="utf-8")
    (home / "params" / "editions").mkdir(parents=True)
    (home / "params" / "editions" / "county.yml").write_text(EDITION, encoding="utf-8")
    return home


def files(home: Path) -> dict[str, bytes]:
    """Every file of a home with what it holds."""
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*") if path.is_file()}
