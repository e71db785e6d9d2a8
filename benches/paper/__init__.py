"""The paper's experiments, each with its picture and its numbers.

figure3, figure4   AUC on synthetic data as the loss weight w, or the noise level, varies
figure5            AUC and times on synthetic data, beside PyOD's detectors
figure7            digits, ones against a few sevens, beside autoencoders (figure 6 is examples/digits.py)
table1             real sets, without labels, beside PyOD's detectors
table2             real sets, labels given, beside scikit-learn's classifiers

`docs/reproduction.md` reads the results beside the paper's.
"""
