"""How evidence looks: findings, comparisons, tables, charts and wording."""
