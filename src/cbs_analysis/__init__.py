"""Reproducible evidence packs for health commissioning.

Notebooks import what they call from the rooms of this package: `cbs_analysis.chapters` first of all,
`cbs_analysis.stats` for the methods on their own.
"""

from importlib.metadata import version

__version__ = version("cbs-analysis")
