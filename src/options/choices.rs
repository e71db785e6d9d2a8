//! The options that are one of a few names. Only serde reads and writes the names.

use serde::{Deserialize, Serialize};

/// A named set of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// An ensemble of the paper's networks: each sees a few rows and features, and noise all around
    /// the data.
    Default,
    /// The paper's method and its hyper-parameters.
    Paper,
    /// `Default` for training rows that are normal: the model keeps many of them.
    Novelty,
}

/// How synthetic anomalies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// The paper's (§5.1): some rows, grown by SMOTE, with Gaussian noise added. They are drawn
    /// once for the whole training.
    Smote,
    /// Uniform in the data's box, which `noise_margin` widens on each side, and drawn anew in each
    /// epoch. It covers the space, so that a row far from all others looks like noise wherever it
    /// lies.
    Uniform,
}

/// How the learning rate changes during the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays as it is.
    Constant,
    /// It falls to 0 along half a cosine wave.
    Cosine,
}

/// What eq. 7 and 8 combine into a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combination {
    /// The heads' probabilities, as in the paper.
    Probability,
    /// The heads before their sigmoids, minus their medians. Sigmoids would make all clear
    /// anomalies equal.
    Robust,
    /// The same, joined with the evidence that one of the row's values is wrong.
    Cells,
    /// The heads' probabilities, but rows with values far more surprising than any training row's
    /// have the highest scores. Fits with labels take it.
    Novelties,
}

impl Combination {
    /// Whether the score depends on the evidence against single values.
    pub fn takes_cells(self) -> bool {
        matches!(self, Self::Cells | Self::Novelties)
    }
}

/// What a null, NaN or infinity in a feature does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// A fit skips the row; its score is null.
    Null,
    /// It is information: every row trains and has a score. If few training rows lack a value, a
    /// missing one is surprising; if many do, the networks see which.
    Indicator,
    /// The feature's training median replaces it.
    Impute,
    /// It is an error that names the column and the row.
    Error,
}

/// How features are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalingKind {
    /// The training range becomes \[0, 1\].
    Minmax,
    /// The same for a range that stays near the quartiles. Beyond it, the logarithm of the distance
    /// counts.
    Robust,
    /// The asinh of the distance from the median in robust standard deviations, so that heavy tails
    /// do not squeeze the other values.
    Asinh,
}

/// What a String, Categorical or Enum feature becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// A value counts as its log-frequency in the training rows.
    Frequency,
    /// The same, and each frequent value has an input of its own, which is 1 for it and 0 for
    /// others.
    Onehot,
    /// It is an error that names the column.
    Error,
}

/// What a Date, Datetime or Time feature becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Temporal {
    /// Its cycles: the hour of the day, the day of the week and of the month, the month of the
    /// year.
    Calendar,
    /// The time since 1970, or since midnight.
    Number,
}
