"""Dirty tables that people keep, with a list of their wrong cells.

A table is read as a user reads it: types are inferred, an empty cell is a null, and columns that only number the rows
are left out. Each method is fitted on all rows, without labels, and ranks the same rows. Four figures come out:

row AUC    the AUC-ROC of the rows' scores, where a row with a wrong cell is an anomaly
p@1%       of the highest 1 % of the rows, the share that have a wrong cell
first      of the rows among these that have one, the share in which the highest cell is wrong
cell AP    the average precision of all cells' evidence, where a wrong cell is an anomaly

The first two are null for a table in which all rows have a wrong cell.
"""
