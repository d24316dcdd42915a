"""Statistical methods for anyone who compares areas: intervals, rates, standardisation, funnels, process
charts, forecasts.

Arrays and frames in, frames out. Nothing here reads a file, knows an organisation or imports another part of
the package, so each method can be checked by hand and used on its own. The methods are the ones in common use
in public health in England; each function's docstring names its source, and the book has a page of method for
each.
"""
