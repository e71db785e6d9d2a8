"""Rarity: of new clean rows, the share above the lines of 10⁻², 10⁻³ and 10⁻⁴.

A model is fitted on clean rows of a table, and other clean rows of the same table are scored. `Model.threshold(line)`
says above which score one row in 1 / line should lie. The factor between the share of the new rows above it and the
line is the error of a table; 1 is none. A line is measured where at least three new rows should be above it.

Tables are made, eleven kinds of them in sizes from 50 to 20,000 rows, or are training rows of sets whose rows are
normal. Half of the tables are those that constants may be chosen by.
"""
