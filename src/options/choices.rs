//! The options that are one of a few names. serde reads and writes the names; nothing else spells them.

use serde::{Deserialize, Serialize};

/// A named set of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// An ensemble of the paper's networks. Each sees a few rows and features, and noise all around the data.
    Default,
    /// The paper's method and its hyper-parameters.
    Paper,
    /// `Default` for training rows that are normal: the model keeps some of them beside the networks.
    Novelty,
}

/// How synthetic anomalies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// §5.1: some rows, grown by SMOTE, with Gaussian noise added; drawn once for the whole training.
    Smote,
    /// Uniform in the data's box, which `noise_margin` widens on each side; drawn anew in each epoch. It covers the space, so
    /// that a row far from all others looks like noise wherever it lies.
    Uniform,
}

/// How the learning rate changes during the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It stays.
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
    /// The heads before their sigmoids, counted from their medians. The sigmoids would make all clear anomalies equal.
    Robust,
    /// The same, joined with the surprisals of the row's values, each in its own column.
    Surprisal,
    /// As the paper's, but for values far more surprising than any of the training rows': these have the highest scores.
    Novelties,
}

impl Combination {
    /// Whether it looks at the surprisals of values.
    pub fn takes_surprisals(self) -> bool {
        matches!(self, Self::Surprisal | Self::Novelties)
    }
}

/// What a null, NaN or infinity in a feature does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// A fit skips the row; its score is null.
    Null,
    /// It is information: every row trains and has a score. Where few training rows lack a value, one that does is surprising; where
    /// many do, the networks see which.
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
    /// The same, on a range that is held to the quartiles; beyond it, by the logarithm of the distance.
    Robust,
    /// asinh of the distance from the median in robust standard deviations: heavy tails do not squeeze the other values.
    Asinh,
}

/// What a String, Categorical or Enum feature becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// A value counts as its log-frequency in the training rows.
    Frequency,
    /// The same, and frequent values have an input of their own, which is 1 for them and 0 for others.
    Onehot,
    /// It is an error that names the column.
    Error,
}

/// What a Date, Datetime or Time feature becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Temporal {
    /// What recurs in it: the hour of the day, the day of the week and of the month, the month of the year.
    Calendar,
    /// The time since 1970, or since midnight.
    Number,
}
