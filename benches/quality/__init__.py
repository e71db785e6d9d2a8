"""Detection quality of AnoRand against PyOD's detectors on labelled data sets.

The protocol of a set and seed: at most 10,000 rows are drawn, split 70/30 stratified by label; a detector is fitted on
the unlabelled 70 % and scores the 30 %. PyOD's detectors get their defaults, on features that are min-max scaled by the
training rows. With `--novelty`, half of the normal rows train, and all others are scored.
`benches/common/baselines.json` keeps their results; delete it to measure them again.
"""
