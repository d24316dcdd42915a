"""The same expressions on Spark: rules, features and cells over the small world's records, against DuckDB."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
import pytest

from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.records import case_mix
from cbs_analysis.records.quality_checks import check_records
from cbs_analysis.records.quality_rules import load_rules
from cbs_analysis.records.reference_data import load_reference_data, referenced

pyspark = pytest.importorskip("pyspark") if os.environ.get("CBS_SPARK") != "required" else __import__("pyspark")
if os.environ.get("CBS_SPARK") != "required" and shutil.which("java") is None:
    pytest.skip("Spark needs Java; install it, or run make spark where it is", allow_module_level=True)

PCT = "5LE"


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    session = (
        pyspark.sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    yield ibis.pyspark.connect(session)
    session.stop()


def _spells(connection: Any) -> Any:
    world = Path(os.environ["CBS_HOME"]) / "build" / "synthetic"
    table = connection.read_parquet(str(world / "apc" / f"{PCT}.parquet"), table_name="apc")
    return table.mutate(month=table.discharge_date.strftime("%Y-%m") if connection.name == "duckdb" else
                        table.discharge_date.cast("string").substr(0, 7))  # fmt: skip


def _results(connection: Any) -> dict[str, pd.DataFrame]:
    """What one backend makes of the same spells."""
    world = Path(os.environ["CBS_HOME"]) / "build" / "synthetic"
    references = load_reference_data(data_dir(), pd.read_parquet(world / "practices.parquet"))
    rules = tuple(rule for rule in load_rules(params_dir()) if rule.feed == "apc")
    spells = _spells(connection)
    checked = check_records({"apc": spells}, references, rules)
    lsoas = ibis.memtable(case_mix.deprivation(data_dir()))
    found = case_mix.spells(referenced(spells, "apc", references), lsoas)
    counts = checked.counts.groupby("rule", observed=True)[["records", "failed", "value_gbp"]].sum().reset_index()
    return {
        "rules": counts.astype({"rule": str}).sort_values("rule", ignore_index=True),
        "flows": _ordered(case_mix.spell_flows(found).execute()),
        "cells": _ordered(case_mix.spell_cells(found, pd.Timestamp("2011-03-31").date())),
    }


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    keys = [name for name in frame if frame[name].dtype == object]
    return frame.sort_values(keys, ignore_index=True)


def test_rules_flows_and_cells_are_the_same_on_spark_as_on_duckdb(spark: Any) -> None:
    ours, theirs = _results(ibis.duckdb.connect()), _results(spark)
    for name in ours:
        pd.testing.assert_frame_equal(ours[name], theirs[name][list(ours[name])], check_dtype=False, rtol=1e-9)
        assert len(ours[name]) > 20
