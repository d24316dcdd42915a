"""From executed notebooks to a book, for commissioners and their analysts.

Everything here is read out of executed notebooks and the handbook's own descriptions, so no page can disagree
with them.
"""
