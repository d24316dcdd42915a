"""A synthetic London: hospital records of nobody, whose totals are the published ones and whose truths are known."""
