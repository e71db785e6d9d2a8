//! The one table of options: a new option is a new entry.
//!
//! The structs, the defaults, the checks and the documentation of the fields come from it.
//! `tests/options/test_option_table.py` reads it, and compares it with Python's `FitOptions` and
//! `Internals`, and with what the plugin does.

use polars::prelude::PolarsResult;
use serde::{Deserialize, Serialize};

use super::choices::{Combination, Encode, Missing, Noise, Preset, ScalingKind, Schedule, Temporal};
use super::ranges::{Between, Flag, OneOf, Positive, Range, Whole, Widths};

/// The largest allowed number of epochs. As `max_epochs`, it is no bound.
pub const MOST_EPOCHS: usize = 1_000_000;
pub const MOST_LAYERS: usize = 8;
pub const MOST_WIDTH: i64 = 4_096;

/// The options in which the preset `novelty` differs from `default`, without labels. On the sets of
/// docs/quality.md, distances alone are better than equal parts of all parts of the score, and a
/// little of the other parts is better than none.
const NOVELTY_KEPT_ROWS: usize = 4_096;
const NOVELTY_KEPT_DRAWS: usize = 1;
const NOVELTY_KEPT_NEIGHBORS: usize = 5;
const NOVELTY_KEPT_WEIGHT: f64 = 2.0;

/// The options in which a fit with labels differs if it trains an autoencoder. Known anomalies are
/// half of each batch, and a share of noise is added.
const JOINT_HIDDEN: [usize; 2] = [64, 32];
const JOINT_LATENT: usize = 16;
const JOINT_LOSS_WEIGHT: f64 = 0.5;
const JOINT_EPOCHS: usize = 1;
const JOINT_MIN_STEPS: usize = 1_500;
const JOINT_BATCH_SIZE: usize = 128;
const JOINT_LEARNING_RATE: f64 = 3e-3;

/// Makes both structs of options, and all functions that go through every option, from the entries
/// of the table. An entry is:
///
/// ```text
/// /// meaning
/// name: type as given => type when checked, in range,
///     paper value of `paper`, default value of `default`, labelled the same with labels;
/// ```
macro_rules! options {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident: $given:ty => $type:ty, in $range:expr,
            paper $paper:expr, default $default:expr, labelled $labelled:expr;
    )+) => {
        /// Options as a caller gives them: any of them may be absent or wrong.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct UncheckedOptions {
            pub preset: Option<String>,
            $(pub $name: Option<$given>,)+
        }

        /// Checked options. Every field is within its range.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Options {
            /// The set of defaults for the options that were not given.
            pub preset: Preset,
            $(
                $(#[doc = $meaning])+
                #[doc = ""]
                #[doc = concat!(
                    "`", stringify!($range), "`; by default `", stringify!($default), "`, with labels `", stringify!($labelled),
                    "`, for the paper `", stringify!($paper), "`.",
                )]
                pub $name: $type,
            )+
        }

        impl Options {
            /// The defaults of a preset.
            pub fn preset(preset: Preset) -> Self {
                match preset {
                    Preset::Paper => Self { preset, $($name: $paper,)+ },
                    Preset::Default => Self { preset, $($name: $default,)+ },
                    Preset::Novelty => Self {
                        preset,
                        kept_rows: NOVELTY_KEPT_ROWS,
                        kept_draws: NOVELTY_KEPT_DRAWS,
                        kept_neighbors: NOVELTY_KEPT_NEIGHBORS,
                        kept_weight: NOVELTY_KEPT_WEIGHT,
                        ..Self::preset(Preset::Default)
                    },
                }
            }

            /// The defaults of a preset for a fit with labels.
            pub fn with_labels(preset: Preset) -> Self {
                match preset {
                    // Labelled rows replace the synthetic ones, and nothing else changes (§6, table
                    // 2).
                    Preset::Paper => Self::preset(preset),
                    Preset::Default | Preset::Novelty => Self { preset, $($name: $labelled,)+ },
                }
            }

            /// The defaults of a preset for a fit with labels that trains an autoencoder too.
            pub fn with_labels_and_autoencoder(preset: Preset) -> Self {
                match preset {
                    Preset::Paper => Self::preset(preset),
                    Preset::Default | Preset::Novelty => Self {
                        hidden: JOINT_HIDDEN.to_vec(),
                        latent: JOINT_LATENT,
                        loss_weight: JOINT_LOSS_WEIGHT,
                        epochs: JOINT_EPOCHS,
                        min_steps: JOINT_MIN_STEPS,
                        batch_size: JOINT_BATCH_SIZE,
                        learning_rate: JOINT_LEARNING_RATE,
                        ..Self::with_labels(preset)
                    },
                }
            }

            /// The defaults of a preset for a fit with few labelled anomalies: its networks learn the labels,
            /// and neighbours and cells find anomalies of other kinds, as without labels.
            pub fn with_few_labels(preset: Preset) -> Self {
                match preset {
                    Preset::Paper => Self::preset(preset),
                    Preset::Default | Preset::Novelty => {
                        let Self { kept_rows, kept_draws, kept_neighbors, kept_weight, combination, .. } =
                            Self::preset(Preset::Default);
                        let labelled = Self::with_labels(preset);
                        Self { kept_rows, kept_draws, kept_neighbors, kept_weight, combination, ..labelled }
                    }
                }
            }
        }

        impl UncheckedOptions {
            /// Checks each value against its range. Options that are not given have the value of
            /// `defaults`.
            pub(super) fn checked_or(self, defaults: Options) -> PolarsResult<Options> {
                Ok(Options {
                    preset: defaults.preset,
                    $($name: $range.check(stringify!($name), self.$name, defaults.$name)?,)+
                })
            }
        }
    };
}

// The options are in the order in which a model file has them.
options! {
    /// The seed of every random draw.
    seed: i64 => u64, in Whole(0, i64::MAX),
        paper 0, default 0, labelled 0;

    /// What a null, NaN or infinity in a feature does.
    missing: String => Missing, in OneOf,
        paper Missing::Null, default Missing::Indicator, labelled Missing::Indicator;

    /// What a String, Categorical or Enum feature becomes.
    encode: String => Encode, in OneOf,
        paper Encode::Frequency, default Encode::Onehot, labelled Encode::Onehot;

    /// What a Date, Datetime or Time feature becomes.
    temporal: String => Temporal, in OneOf,
        paper Temporal::Number, default Temporal::Calendar, labelled Temporal::Calendar;

    /// How features are scaled.
    scaling: String => ScalingKind, in OneOf,
        paper ScalingKind::Minmax, default ScalingKind::Robust, labelled ScalingKind::Asinh;

    /// The number of networks of the ensemble, m. Their heads are averaged.
    members: i64 => usize, in Whole(1, 1_000),
        paper 1, default 5, labelled 6;

    /// The number of rows that a member is trained on, drawn for it; 0 means all rows. Without
    /// labels, at most half of all rows are drawn. With labels, this number of the rows that are no
    /// known anomalies are drawn, and all known anomalies are added.
    max_samples: i64 => usize, in Whole(0, 2_147_483_648),
        paper 0, default 256, labelled 0;

    /// The share of the features that a member sees, drawn for it. It sees at least 2 features.
    max_features: f64 => f64, in Positive(1.0),
        paper 1.0, default 0.3, labelled 1.0;

    /// The number of training rows of each draw that the model keeps; 0 means none. The distance
    /// from the nearest of them is added to the reconstruction error.
    kept_rows: i64 => usize, in Whole(0, 65_536),
        paper 0, default 32, labelled 0;

    /// The number of draws of kept rows, whose distances are averaged.
    kept_draws: i64 => usize, in Whole(1, 1_000),
        paper 1, default 5, labelled 1;

    /// The number of nearest rows of a draw whose distances are averaged. The k-th nearest has the
    /// weight 1 / √k.
    kept_neighbors: i64 => usize, in Whole(1, 5),
        paper 1, default 2, labelled 1;

    /// The weight of the distances from kept rows, where each other part of the score has the
    /// weight 1. It is multiplied with the odds that a row of shuffled values is farther from the
    /// kept rows than a training row.
    kept_weight: f64 => f64, in Positive(1000.0),
        paper 2.0, default 0.5, labelled 2.0;

    /// Whether one network takes the place of all members. It learns their heads, kept rows
    /// included.
    distil: bool => bool, in Flag,
        paper false, default false, labelled false;

    /// How synthetic anomalies are made.
    noise: String => Noise, in OneOf,
        paper Noise::Smote, default Noise::Uniform, labelled Noise::Uniform;

    /// How the learning rate changes during the training.
    schedule: String => Schedule, in OneOf,
        paper Schedule::Constant, default Schedule::Cosine, labelled Schedule::Cosine;

    /// What eq. 7 and 8 combine. Known anomalies are clear ones, which need no order among
    /// themselves. They do not teach faults of other kinds.
    combination: String => Combination, in OneOf,
        paper Combination::Probability, default Combination::Cells, labelled Combination::Novelties;

    /// The share of the noise-detection loss: w of eq. 4.
    loss_weight: f64 => f64, in Between(0.0, 1.0),
        paper 0.2, default 0.2, labelled 1.0;

    /// The standard deviation of the noise of `smote`, in the scaled space.
    noise_std: f64 => f64, in Positive(1000.0),
        paper 1.0, default 1.0, labelled 1.0;

    /// How far the noise of `uniform` reaches beyond the data on each side, in ranges of the data.
    noise_margin: f64 => f64, in Between(0.0, 1000.0),
        paper 0.5, default 0.5, labelled 0.5;

    /// The share of the rows that become X0 of `smote` (§5.1).
    noise_fraction: f64 => f64, in Positive(0.5),
        paper 0.02, default 0.02, labelled 0.02;

    /// The share of synthetic rows in the training set. With labels, there is also one known
    /// anomaly for each other row.
    synthetic_fraction: f64 => f64, in Positive(0.9),
        paper 0.05, default 0.5, labelled 0.1;

    /// The number of nearest neighbours of `smote`, k.
    neighbors: i64 => usize, in Whole(1, 1_000),
        paper 5, default 5, labelled 5;

    /// The widths of the hidden layers of ND and encoder.
    hidden: Vec<i64> => Vec<usize>, in Widths(MOST_LAYERS, MOST_WIDTH),
        paper vec![32, 16], default vec![8, 8], labelled vec![64, 64];

    /// The width of z1. With labels it is 0 by default: there is no autoencoder, and the networks are
    /// classifiers that learn the labels alone.
    latent: i64 => usize, in Whole(1, MOST_WIDTH),
        paper 16, default 4, labelled 0;

    /// The number of passes over a member's rows.
    epochs: i64 => usize, in Whole(1, 1_000_000),
        paper 200, default 1, labelled 40;

    /// The least number of optimiser steps. Epochs are added until it is reached.
    min_steps: i64 => usize, in Whole(0, 100_000_000),
        paper 0, default 300, labelled 150;

    /// The upper bound on epochs, which avoids overfitting small tables. Known anomalies, which are
    /// few, need no such bound. An explicit `min_steps` lifts the default.
    max_epochs: i64 => usize, in Whole(1, MOST_EPOCHS as i64),
        paper MOST_EPOCHS, default 100, labelled MOST_EPOCHS;

    /// The number of rows of a step, synthetic ones included.
    batch_size: i64 => usize, in Whole(2, 1_000_000),
        paper 128, default 128, labelled 256;

    /// Adam's step size.
    learning_rate: f64 => f64, in Positive(1.0),
        paper 1e-4, default 5e-3, labelled 2e-3;
}
