"""One module per notebook: the functions a chapter's cells call, each of which returns one finding.

A home's own chapters live beside its notebooks, in `notebooks/`, and are imported from here as ours are.
"""

from cbs_analysis.home import home
from cbs_analysis.pack import Pack, open_pack

__all__ = ["Pack", "open_pack"]
__path__.append(str(home() / "notebooks"))
