"""One module per notebook: the functions a chapter's cells call, each of which returns one finding."""

from cbs_analysis.pack import Pack, open_pack

__all__ = ["Pack", "open_pack"]
