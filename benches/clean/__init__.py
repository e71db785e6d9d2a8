"""Sets whose training rows are normal: how many anomalies each detector finds, and what each part of a score is worth.

A set is a file NAME.parquet with features f0, f1, …, `part` ("train": normal rows, or "test") and `label` (1 is an
anomaly), as those of OddBench are.
"""
