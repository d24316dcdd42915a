"""From executed notebooks to a book: for commissioners who read packs, and for analysts who take findings further.

Everything here is read out of executed notebooks and the handbook's own descriptions, so no page can disagree with them.
"""
