"""Simulated hospital records: nobody's, with totals as published and with truths that are known.

A home describes them in `params/simulation`; one without that folder has none.
"""

from cbs_analysis.simulation.extracts import Extracts, SimulatedRecords, simulated_records, write_extracts
from cbs_analysis.simulation.providers import TrueEffects
from cbs_analysis.simulation.scenario import Scenario, read_scenario
from cbs_analysis.simulation.world import World, is_simulated, load_world

__all__ = [
    "Extracts",
    "Scenario",
    "SimulatedRecords",
    "TrueEffects",
    "World",
    "is_simulated",
    "load_world",
    "read_scenario",
    "simulated_records",
    "write_extracts",
]
