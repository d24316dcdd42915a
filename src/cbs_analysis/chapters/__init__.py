"""One module per notebook: the functions a chapter's cells call, each of which returns one finding."""

from cbs_analysis.chapters.similar import open_pack
from cbs_analysis.pack import Pack

__all__ = ["Pack", "open_pack"]
