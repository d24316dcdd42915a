"""What a spell can be: subchapters, HRGs, specialties and codes, as tables to draw from.

The HRGs and how often each is done come from the national cost collection; what goes with them from
`params/simulation/codes.yml`. An HRG stands only at the ages and the sex that its name or its codes allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.errors import DataError, UserError, nearest
from cbs_analysis.simulation.population import CELLS, CLASS_STARTS, FEMALE, MALE, OLDEST, by_class
from cbs_analysis.simulation.random_draws import Array, Choices, Flags, Ints
from cbs_analysis.simulation.world import Codes, Group, World

ORDINARY, DAY_CASE, EMERGENCY = 0, 1, 2
KINDS = ("elective", "daycase", "nonelective")
ADULT = 19
FEWEST, MOST = -4.0, 4.0  # no subchapter is so rarely or so often done as a day case that its logit passes these


@dataclass(frozen=True)
class Care:
    """Tables over subchapters (S), HRGs and cells (`ages.CELLS`).

    `hrgs_of`: HRGs, by (kind x S + subchapter) x CELLS + cell. `allowed`: whether such an HRG is there, as kinds x S x
    CELLS; either elective kind will do for both. `national`: episodes in England, elective and other, as 2 x S.
    `codes_of` an HRG is its list in `diagnoses` and `procedures`, which holds none where not `has_procedures`.
    """

    subchapters: tuple[str, ...]
    hrgs: tuple[str, ...]
    hrgs_of: Choices
    allowed: Flags
    national: Array
    day_case_logit: Array
    log_nights: Array
    readmitted: Array
    profiles: Array
    treats: Choices
    treats_share: Array
    treatment_functions: tuple[str, ...]
    codes_of: Ints
    diagnosis_codes: tuple[str, ...]
    diagnoses: Choices
    procedure_codes: tuple[str, ...]
    procedures: Choices
    has_procedures: Flags
    adult_only: Flags
    childrens: Flags
    obstetric: Flags

    @property
    def maternity(self) -> int:
        return self.subchapters.index("NZ")

    def key(self, kind: NDArray, subchapter: NDArray, cell: NDArray) -> NDArray:
        return (kind.astype(np.int64) * len(self.subchapters) + subchapter) * CELLS + cell


def read_care(world: World, costs: pd.DataFrame, treatment_functions: pd.DataFrame) -> Care:
    """The tables from the national cost collection and the world's codes.

    `costs`: hrg_code, hrg_name, point_of_delivery, national_activity. Raises UserError where a code is not known, or
    a subchapter of the collection is not described.
    """
    functions = tuple(treatment_functions["treatment_function_code"])
    groups = _hrgs(world, costs)
    names = tuple(sorted({code[:2] for code in groups.index}))
    for name in names:
        if name not in world.codes.subchapters:
            raise UserError(
                f"params/simulation/codes.yml: subchapters: {name!r} of the cost collection is not described"
            )
    subchapter = np.array([names.index(code[:2]) for code in groups.index])
    hrgs_of, allowed = _hrg_choices(groups, subchapter, len(names))
    described = [world.codes.subchapters[name] for name in names]
    national = np.zeros((len(KINDS), len(names)))
    for kind, column in enumerate(KINDS):
        np.add.at(national[kind], subchapter, groups[column].to_numpy())
    day, ordinary = national[DAY_CASE], national[ORDINARY]
    treats = np.zeros((len(names), len(functions)))
    for row, each in enumerate(described):
        for code, weight in each.treats.items():
            treats[row, _place(str(code), functions, f"codes.yml: subchapters.{names[row]}.treats")] = weight
    lists, diagnoses, procedures = _code_lists(world.codes, list(groups.index))
    return Care(
        subchapters=names,
        hrgs=tuple(groups.index),
        hrgs_of=hrgs_of,
        allowed=allowed,
        national=np.array([day + ordinary, national[EMERGENCY]]),
        day_case_logit=np.clip(np.log((day + 0.5) / (ordinary + 0.5)), FEWEST, MOST),
        log_nights=np.log(np.array([each.nights for each in described]).T),
        readmitted=np.array([each.readmitted for each in described]),
        profiles=_profiles(world, names),
        treats=Choices.of_table(treats),
        treats_share=treats / treats.sum(axis=1, keepdims=True),
        treatment_functions=functions,
        codes_of=lists,
        diagnosis_codes=diagnoses[0],
        diagnoses=diagnoses[1],
        procedure_codes=procedures[0],
        procedures=procedures[1],
        has_procedures=procedures[2],
        adult_only=groups["from_name"].to_numpy() == ADULT,
        childrens=groups.index.str.startswith("P"),
        obstetric=groups.index.str.startswith("NZ"),
    )


def _place(code: str, known: tuple[str, ...], where: str) -> int:
    if code not in known:
        raise UserError(f"params/simulation/{where}: {code!r} is not known; {nearest(code, known)}")
    return known.index(code)


def _hrgs(world: World, costs: pd.DataFrame) -> pd.DataFrame:
    """One row an HRG, by code: episodes by kind, whether its name gives an age, and who it is for."""
    kept = costs[~costs["hrg_code"].str.startswith(world.left_out)]
    kind = kept["point_of_delivery"].str.replace(r"_.*", "", regex=True)
    frame = kept.pivot_table(
        index="hrg_code", columns=kind, values="national_activity", aggfunc="sum", fill_value=0.0
    ).reindex(columns=list(KINDS), fill_value=0.0)
    names = kept.drop_duplicates("hrg_code").set_index("hrg_code")["hrg_name"].reindex(frame.index)
    lowest = names.str.extract(r"(\d+) years and over|between (\d+) and \d+ years").bfill(axis=1)[0]
    highest = names.str.extract(r"(\d+) years? and under|between \d+ and (\d+) years").bfill(axis=1)[0]
    resolved = [_group(world.codes, code) for code in frame.index]
    frame["from_name"] = lowest.fillna(0).astype(int)
    frame["from"] = np.maximum(frame["from_name"], [each.from_ or 0 for each in resolved])
    to = [OLDEST if each.to is None else each.to for each in resolved]
    frame["to"] = np.minimum(highest.fillna(OLDEST).astype(int), to)
    frame["sex"] = [{"male": MALE, "female": FEMALE}.get(each.sex or "", 0) for each in resolved]
    for code, low, high in zip(frame.index, frame["from"], frame["to"], strict=True):
        if low not in CLASS_STARTS or (high < OLDEST and high + 1 not in CLASS_STARTS):
            raise DataError(
                f"HRG {code} is for ages {low} to {high}, which no class of ages of the synthetic London ends at"
            )
    return frame


def _group(codes: Codes, hrg: str) -> Group:
    """What holds for an HRG: of each property, that of the longest group it starts with, else of its subchapter."""
    values: dict[str, object] = {}
    subchapter = codes.subchapters.get(hrg[:2])
    if subchapter is not None:
        values = {"diagnoses": subchapter.diagnoses, "procedures": subchapter.procedures}
    for length in range(1, len(hrg) + 1):
        if group := codes.groups.get(hrg[:length]):
            given = {key: value for key, value in group.model_dump(by_alias=True).items() if value is not None}
            if "diagnoses" in given and "procedures" not in given:
                given["procedures"] = ()
            values |= given
    return Group.model_validate(values)


def _hrg_choices(frame: pd.DataFrame, subchapter: NDArray, number: int) -> tuple[Choices, Flags]:
    activity = frame[list(KINDS)].to_numpy(dtype=np.float64)
    low, high, sex = (frame[column].to_numpy() for column in ("from", "to", "sex"))
    starts = np.repeat(CLASS_STARTS, 2)
    sexes = np.tile([MALE, FEMALE], len(CLASS_STARTS))
    fits = (low[:, None] <= starts) & (high[:, None] >= starts) & ((sex[:, None] == 0) | (sex[:, None] == sexes))
    members = [np.flatnonzero(subchapter == each) for each in range(number)]
    lists: list[tuple[NDArray, NDArray]] = []
    for kind in range(len(KINDS)):
        others = (1 - kind,) if kind < EMERGENCY else ()
        for each in range(number):
            for cell in range(CELLS):
                inside = members[each][fits[members[each], cell]]
                weights = activity[inside, kind]
                for other in others:
                    weights = weights if weights.sum() else activity[inside, other]
                done = weights > 0
                lists.append((inside[done], weights[done]))
    allowed = np.array([len(things) > 0 for things, _ in lists]).reshape(len(KINDS), number, CELLS)
    return Choices.of(lists), allowed


def _profiles(world: World, names: tuple[str, ...]) -> Array:
    """How common each subchapter is in each cell beside others, as CELLS x S."""
    columns = []
    for name in names:
        each = world.codes.subchapters[name]
        sexes = np.array([100.0 - each.women, each.women]) / 50.0
        columns.append((by_class(world.profiles[each.ages])[:, None] * sexes).ravel())
    return np.array(columns).T


Listed = tuple[tuple[str, ...], Choices, Flags]


def _code_lists(codes: Codes, hrgs: list[str]) -> tuple[Ints, Listed, Listed]:
    """The list of codes of each HRG, and the diagnoses and procedures of each list, commonest first."""
    resolved = [_group(codes, hrg) for hrg in hrgs]
    kinds = sorted({(each.diagnoses or (), each.procedures or ()) for each in resolved})
    lists = np.array([kinds.index((each.diagnoses or (), each.procedures or ())) for each in resolved], dtype=np.int32)
    return lists, _listed([kind[0] for kind in kinds]), _listed([kind[1] for kind in kinds])


def _listed(lists: list[tuple[str, ...]]) -> Listed:
    known = tuple(sorted({code for each in lists for code in each}))
    choices = Choices.of([([known.index(code) for code in each], 1.0 / (np.arange(len(each)) + 1.5)) for each in lists])
    return known, choices, np.array([len(each) > 0 for each in lists])
