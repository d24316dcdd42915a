"""The charts of the evidence packs, one function a kind: tidy frame in, Vega-Lite chart out.

Each takes its title from the caller, who knows the point; carries its data; and looks as `evidence.theme`
says.
"""

from cbs_analysis.evidence.charts.control import control
from cbs_analysis.evidence.charts.fan import fan
from cbs_analysis.evidence.charts.flows import flow_map, placed
from cbs_analysis.evidence.charts.funnel import funnel
from cbs_analysis.evidence.charts.parts import age_profile, components, distribution
from cbs_analysis.evidence.charts.ranked import ranked_intervals
from cbs_analysis.evidence.charts.trend import lines

__all__ = [
    "age_profile",
    "components",
    "control",
    "distribution",
    "fan",
    "flow_map",
    "funnel",
    "lines",
    "placed",
    "ranked_intervals",
]
