"""Statistical methods for anyone who compares areas, a small library of its own.

| module | answers |
|---|---|
| `intervals` | how sure is a count, a proportion, a mean? |
| `rates` | how many events for so many people? |
| `standardisation` | is there more of it than among people like ours? |
| `life_tables` | how long can people here expect to live? |
| `inequality` | how much worse off are the most deprived, and which fifth is an area in? |
| `funnel` | which areas stand out by more than their size explains? |
| `spc` | is this month different, or the usual ups and downs? (process charts) |
| `trend` | is it going up or down of late? |
| `breaks` | did care change, or its recording? |
| `calendar` | how many days had a week, month, quarter or year to work in? |
| `forecasting` | what should we plan for? |
| `neighbours` | who is most like us? |
| `casemix` | what would these cases come to at an average provider? |
| `shrinkage` | how much of an effect is chance, and who stands apart? |
| `potential` | what is there to win if all did as well as the best quarter? |
| `markets` | who shares a market, and which areas belong together? |

Arrays and frames in, frames out. Nothing here reads a file, knows an organisation or imports another part of
the package, so each method can be checked by hand and used on its own. The methods are the ones in common use
in public health in England; each function's docstring names its source, and the book has a page for each
family of methods, with examples that run.
"""
