"""One module per notebook: the functions a chapter's cells call, each of which returns one finding.

A home's own chapters, modules beside its notebooks, are found here too.
"""

from cbs_analysis.home import ChapterFolders
from cbs_analysis.pack import Pack, open_pack

__path__ = ChapterFolders(__path__)
__all__ = ["Pack", "open_pack"]
