"""What the analyses find in a sector's simulated records, compared with the truth: errors, breaks, trusts' effects.

    make truth                      one sector, as in CI
    CBS_TRUTH=london make truth     all of London

The world is made, imported, checked and modelled by the same code as any other, and what came of it is printed.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from cbs_analysis.geography import load_geography
from cbs_analysis.records.derived_tables import OpenedStore, checked_store, prepare
from cbs_analysis.records.quality_checks import QualityResults
from cbs_analysis.records.quality_tables import feed_breaks
from cbs_analysis.records.store import Store
from cbs_analysis.records.submissions import import_files
from cbs_analysis.simulation import load_world, write_extracts
from cbs_analysis.stats import shrinkage
from cbs_analysis.tables.derived import path_of

CHECKOUT = Path(__file__).resolve().parents[2]
DATA, PARAMS = CHECKOUT / "data", CHECKOUT / "params"
SECTOR = "SEL"
BY_CHANCE = ("apc_duplicate", "op_duplicate", "ae_duplicate")
MEASURES = ("day_case", "length_of_stay", "readmission", "follow_up")
IS_LONDON = os.environ.get("CBS_TRUTH") == "london"
PART = 0.3
FEWEST_RECORDS = 300
"""A month, below which chance alone moves a trust's count too far to judge."""
FEWEST_CASES = 1000
"""Cases of a trust below which chance hides even a large effect: such a trust is no test of who is flagged."""


@dataclass(frozen=True)
class Marked:
    """A world's truths, what the rules found in it, and the table of trusts that chapters read."""

    truth: Path
    held: OpenedStore
    checked: QualityResults
    trusts: pd.DataFrame


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """A sector's records of three years, or London's."""
    areas = None if IS_LONDON else load_geography("sector_2009", DATA).leaves(SECTOR)
    return _marked(tmp_path_factory.mktemp("truth"), areas=areas)


@pytest.fixture(scope="module")
def trusts(tmp_path_factory: pytest.TempPathFactory) -> Marked:
    """One year of all of London, part of it where not all is asked for: a sector alone has too few trusts to say which
    of them stand apart.
    """
    months = ("2010-04", "2011-03")
    return _marked(tmp_path_factory.mktemp("trusts"), months=months, share=1.0 if IS_LONDON else PART)


def _marked(folder: Path, **world: Any) -> Marked:
    """A world made, imported, checked and prepared."""
    write_extracts(folder / "world", data=DATA, params=PARAMS, **world)
    store = Store(folder / "records")
    import_files(store, "practices", [folder / "world" / "practices.parquet"], protocol="bulk", params=PARAMS)
    for feed in ("apc", "op", "ae"):
        import_files(store, feed, sorted((folder / "world" / feed).glob("*.parquet")), protocol="bulk", params=PARAMS)
    home = folder / "data"
    home.mkdir()
    for path in DATA.iterdir():
        (home / path.name).symlink_to(path)
    held, checked = checked_store(store, DATA, PARAMS)
    prepare(store, home, PARAMS)
    return Marked(
        folder / "world" / "truth", held, checked, pd.read_parquet(path_of("benchmark_providers", store.folder))
    )


def test_every_planted_error_is_found_and_next_to_nothing_else(world: Marked) -> None:
    planted = pq.read_table(world.truth / "planted_errors.parquet")
    rules = planted["rule"].unique().to_pylist()
    keys = ["rule", "cds_unique_identifier"]
    is_planted = pc.is_in(world.checked.failures["rule"], value_set=planted["rule"].unique())
    found = world.checked.failures.filter(is_planted).select(keys)
    true, said = (table.select(keys).to_pandas().drop_duplicates() for table in (planted, found))
    both = true.merge(said, on=keys).groupby("rule").size()
    frame = pd.DataFrame({"planted": true.groupby("rule").size(), "found": said.groupby("rule").size(), "both": both})
    frame = frame.fillna(0).assign(recall=frame["both"] / frame["planted"], precision=frame["both"] / frame["found"])
    print(frame.to_string())
    assert len(frame) == len(rules) > 40
    bar = np.where(frame.index.isin(BY_CHANCE), 0.9, 1.0)
    assert (frame["recall"] >= bar).all()
    assert (frame["precision"] >= 0.95).all()


def test_planted_breaks_are_found(world: Marked) -> None:
    planted = pd.read_parquet(world.truth / "planted_breaks.parquet")
    found = feed_breaks(world.checked, world.held.rules)
    found = found[found["rule"].isin(planted["rule"].unique()) & (found["expected"] >= FEWEST_RECORDS)]
    usual = world.checked.measures.groupby(["rule", "provider_code", "month"], observed=True)["records"].sum()
    usual = usual.groupby(["rule", "provider_code"], observed=True).median().rename("usual").reset_index()
    due = planted.merge(usual, on=["rule", "provider_code"]).query("usual >= @FEWEST_RECORDS")
    both = due.merge(found, on=["rule", "provider_code", "month"])
    print(
        f"{len(due)} breaks of {len(planted)} planted are of trusts that sent enough; {len(found)} found, "
        f"{len(both)} both"
    )
    print(found.to_string())
    assert len(due) > 0
    assert len(both) >= 0.9 * len(due)
    assert len(both) >= 0.95 * len(found)


def test_trusts_far_from_the_others_are_flagged_and_hardly_any_other(trusts: Marked) -> None:
    effects = pd.read_parquet(trusts.truth / "effects.parquet")
    spread = load_world(PARAMS).effects.spread
    far, flagged_far, near, flagged_near = 0, 0, 0, 0
    for measure in MEASURES:
        rows = trusts.trusts.query("measure == @measure and treatment_function_code == 'all'")
        rows = rows[(rows["provider_code"] != "OUT") & (rows["cases"] >= FEWEST_CASES)].set_index("provider_code")
        flags = shrinkage.flags(np.log(rows["observed"] / rows["expected"]), rows["standard_error"])
        true = effects[effects["measure"] == measure].set_index("provider_code")["effect"].reindex(rows.index)
        sd = spread[measure]
        is_far = (true - true.median()).abs() > 2 * sd
        is_flagged = flags["widened"].str.contains("99.8", regex=False)
        print(f"{measure}: {is_far.sum()} of {len(rows)} trusts far, {(is_far & is_flagged).sum()} of them flagged, "
              f"{(~is_far & is_flagged).sum()} others flagged")  # fmt: skip
        far, flagged_far = far + is_far.sum(), flagged_far + (is_far & is_flagged).sum()
        near, flagged_near = near + (~is_far).sum(), flagged_near + (~is_far & is_flagged).sum()
    assert flagged_far >= 0.8 * far > 0
    assert flagged_near < max(1, 0.01 * near) + 1e-9
