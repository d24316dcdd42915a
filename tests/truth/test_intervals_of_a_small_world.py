"""Do intervals of trusts' effects, and of what there is to win, hold the truth as often as they say? Over many small
worlds, each with effects of its own, made and modelled by the same code as London.

    make truth                  200 worlds; `make test` makes fewer
"""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest

from cbs_analysis.records import benchmarking_models, case_mix
from cbs_analysis.simulation import load_world, read_scenario, simulated_records
from cbs_analysis.stats import casemix, potential

CHECKOUT = Path(__file__).resolve().parents[2]
DATA, PARAMS = CHECKOUT / "data", CHECKOUT / "params"
WORLDS = int(os.environ.get("CBS_WORLDS", "16"))
SHARE, MONTHS = 0.012, ("2010-04", "2010-09")
FEWEST_CASES = 40
FIELDS = [
    *((name, "text") for name in (
        "cds_unique_identifier", "person_pseudonym", "commissioner_code", "lsoa_code", "provider_code",
        "person_gender_code", "admission_method_code", "discharge_method_code", "patient_classification_code",
        "treatment_function_code", "hrg_code",
    )),
    ("age_at_admission", "integer"), ("admission_date", "date"), ("discharge_date", "date"),
]  # fmt: skip
LOW, HIGH = (0.92, 0.98) if WORLDS >= 100 else (0.90, 0.99)


@dataclass(frozen=True)
class Drawn:
    """Over all worlds: for each measure whether each trust's interval held its effect, and whether each trust's, and
    all trusts', of what there is to win held that.
    """

    effects: dict[str, list[bool]]
    won: list[bool]
    all_won: list[bool]


@cache
def _drawn() -> Drawn:
    scenario = read_scenario(load_world(PARAMS), DATA, months=MONTHS, share=SHARE)
    lsoas = case_mix.deprivation(DATA)
    held: dict[str, list[bool]] = {measure.name: [] for measure in benchmarking_models.SPELL_MEASURES}
    won: list[bool] = []
    all_won: list[bool] = []
    for seed in range(1, WORLDS + 1):
        world = simulated_records(scenario, seed, draw_effects=True, fields=FIELDS)
        true = world.effects.table().to_pandas().pivot(index="provider_code", columns="measure", values="effect")
        found = _cells(world.table, lsoas)
        for measure in benchmarking_models.SPELL_MEASURES:
            fitted = _fitted(found, measure)
            units = fitted.units[fitted.units["cases"] >= FEWEST_CASES].dropna(subset=["effect_standard_error"])
            effect = true[measure.name].reindex(fitted.units.index)
            centred = effect - np.average(effect, weights=fitted.units["cases"])
            away = (units["effect"] - centred.reindex(units.index)).abs()
            held[measure.name] += (away <= 1.96 * units["effect_standard_error"]).tolist()
            if measure.name == "length_of_stay":
                each, total = _wins(units, effect.reindex(units.index))
                won += each
                all_won.append(total)
    return Drawn(held, won, all_won)


def _cells(table: object, lsoas: pd.DataFrame) -> pd.DataFrame:
    connection = ibis.duckdb.connect()
    spells = connection.create_table("spells", table)
    spells = spells.mutate(month=spells.discharge_date.strftime("%Y-%m"))
    with_features = case_mix.spells(spells, connection.create_table("lsoas", lsoas))
    return case_mix.spell_cells(with_features, with_features.discharge_date.max().execute())


def _fitted(found: pd.DataFrame, measure: benchmarking_models.BenchmarkMeasure) -> casemix.CaseMix:
    counts = [measure.cases, measure.events, *([measure.squared] if measure.squared else [])]
    keys = [*case_mix.COVARIATES, "provider_code", *([measure.within] if measure.within else [])]
    patterns = found[found[measure.cases] > 0].groupby(keys)[counts].sum().reset_index()
    return casemix.fit(
        patterns, cases=measure.cases, events=measure.events, covariates=case_mix.COVARIATES, unit="provider_code",
        family=measure.family, within=measure.within, events_squared=measure.squared,
    )  # fmt: skip


def _wins(units: pd.DataFrame, effect: pd.Series) -> tuple[list[bool], bool]:
    """Whether the intervals of nights to win hold those that the true effects would give."""
    known = units[(units["expected"] > 0) & units["standard_error"].notna()]
    gained = potential.best_quarter(known["log_ratio"], known["standard_error"], known["expected"])
    ratio = np.exp(effect.reindex(known.index))
    # Ratios are to what the average trust would give, so the true ones are scaled to the same total.
    ratio = ratio * known["observed"].sum() / (ratio * known["expected"]).sum()
    true = np.maximum(ratio - np.quantile(ratio, 0.25), 0) * known["expected"]
    each = (gained.units["lower"] <= true + 1e-9) & (true <= gained.units["upper"] + 1e-9)
    total = gained.total["lower"] <= true.sum() <= gained.total["upper"]
    return each.tolist(), bool(total)


@pytest.mark.parametrize("measure", [measure.name for measure in benchmarking_models.SPELL_MEASURES])
def test_intervals_of_trusts_effects_hold_the_truth(measure: str) -> None:
    held = _drawn().effects[measure]
    print(
        f"{measure}: {np.mean(held):.3f} of {len(held):,} intervals over {WORLDS} worlds hold the trust's true effect"
    )
    assert LOW <= np.mean(held) <= HIGH


def test_intervals_of_what_there_is_to_win_hold_the_truth() -> None:
    drawn = _drawn()
    print(f"nights to win: {np.mean(drawn.won):.3f} of {len(drawn.won):,} trusts' intervals hold the truth, and "
          f"{np.mean(drawn.all_won):.3f} of {WORLDS} of all trusts together")  # fmt: skip
    assert LOW <= np.mean(drawn.won) <= HIGH
    if WORLDS >= 100:  # one total a world: of fewer a share is not known well enough
        assert LOW <= np.mean(drawn.all_won) <= HIGH
