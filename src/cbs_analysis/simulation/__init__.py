"""A synthetic London: hospital records of nobody, whose totals are the published ones and whose truths are known."""

from cbs_analysis.simulation.extracts import Made, Spells, make, spells_of
from cbs_analysis.simulation.providers import TrueEffects
from cbs_analysis.simulation.scenario import Setting, read_setting
from cbs_analysis.simulation.world import World, load_world

__all__ = ["Made", "Setting", "Spells", "TrueEffects", "World", "load_world", "make", "read_setting", "spells_of"]
