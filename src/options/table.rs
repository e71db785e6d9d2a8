//! The one table of options: a new option is a new entry. Structs, defaults, checks and the documentation of the fields come
//! from it; `tests/options/test_option_table.py` reads it, and compares it with the Python side and with what the plugin does.

use polars::prelude::PolarsResult;
use serde::{Deserialize, Serialize};

use super::choices::{Combination, Encode, Missing, Noise, Preset, ScalingKind, Schedule, Temporal};
use super::ranges::{Between, Flag, OneOf, Positive, Range, Whole, Widths};

/// No bound on epochs: more than these are not allowed anyway.
pub const MOST_EPOCHS: usize = 1_000_000;
pub const MOST_LAYERS: usize = 8;
pub const MOST_WIDTH: i64 = 4_096;

/// The options of the preset `novelty` without labels in which it differs from `default`. On the sets of docs/quality.md, distances
/// alone are better than equal parts of all, and a little of the others is better than none.
const NOVELTY_KEPT_ROWS: usize = 4_096;
const NOVELTY_KEPT_DRAWS: usize = 1;
const NOVELTY_KEPT_NEIGHBORS: usize = 5;
const NOVELTY_KEPT_WEIGHT: f64 = 2.0;

/// The options in which a fit with few labelled anomalies differs from `default`: known anomalies, half of each batch, are told
/// from the others by all features, and by more rows than an ensemble without labels sees.
const FEW_MAX_SAMPLES: usize = 1_000;
const FEW_MAX_FEATURES: f64 = 1.0;
const FEW_SYNTHETIC_FRACTION: f64 = 0.1;
const FEW_LOSS_WEIGHT: f64 = 0.5;

/// Makes the two structs of options, and all that goes through every option, from the entries of the table. An entry:
///
/// ```text
/// /// meaning
/// name: type as given => type when checked, in range,
///     paper default of the paper's preset, default of the other one, labelled the same with labels;
/// ```
macro_rules! options {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident: $given:ty => $type:ty, in $range:expr,
            paper $paper:expr, default $default:expr, labelled $labelled:expr;
    )+) => {
        /// Options as a caller gives them: anything may be absent, or wrong.
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
            /// The named set of defaults that the other options were taken from where none was given.
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
                    // The labels take the place of the synthetic rows, and nothing else changes (§6, table 2).
                    Preset::Paper => Self::preset(preset),
                    Preset::Default | Preset::Novelty => Self { preset, $($name: $labelled,)+ },
                }
            }

            /// The defaults of a preset for a fit with few labelled anomalies.
            pub fn with_few_labels(preset: Preset) -> Self {
                match preset {
                    Preset::Paper => Self::preset(preset),
                    Preset::Default | Preset::Novelty => Self {
                        preset,
                        max_samples: FEW_MAX_SAMPLES,
                        max_features: FEW_MAX_FEATURES,
                        synthetic_fraction: FEW_SYNTHETIC_FRACTION,
                        loss_weight: FEW_LOSS_WEIGHT,
                        ..Self::preset(Preset::Default)
                    },
                }
            }
        }

        impl UncheckedOptions {
            /// Each value, checked against its range; where none is given, that of `defaults`.
            pub(super) fn checked_or(self, defaults: Options) -> PolarsResult<Options> {
                Ok(Options {
                    preset: defaults.preset,
                    $($name: $range.check(stringify!($name), self.$name, defaults.$name)?,)+
                })
            }
        }
    };
}

// In the order in which a model file has them.
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

    /// m, the number of networks of the ensemble, whose heads are averaged.
    members: i64 => usize, in Whole(1, 1_000),
        paper 1, default 20, labelled 6;

    /// The number of rows that a member is trained on, drawn for it: at most half of all, or with labels this number of those that
    /// are no known anomalies, beside all that are. 0 means all rows.
    max_samples: i64 => usize, in Whole(0, 2_147_483_648),
        paper 0, default 256, labelled 0;

    /// The share of the features that a member sees, drawn for it; at least 2 features.
    max_features: f64 => f64, in Positive(1.0),
        paper 1.0, default 0.3, labelled 1.0;

    /// The number of training rows of a draw that the model keeps; the distance from the nearest of them is added to the
    /// reconstruction error. 0 means none.
    kept_rows: i64 => usize, in Whole(0, 65_536),
        paper 0, default 32, labelled 0;

    /// The number of draws of kept rows, whose distances are averaged.
    kept_draws: i64 => usize, in Whole(1, 1_000),
        paper 1, default 20, labelled 1;

    /// The number of nearest rows of a draw whose distances are averaged, the k-th nearest with the weight 1 / √k.
    kept_neighbors: i64 => usize, in Whole(1, 5),
        paper 1, default 2, labelled 1;

    /// The weight of the distances from kept rows beside each other part of a score, before it is multiplied with the odds that a row of shuffled
    /// values is farther from them than a training row.
    kept_weight: f64 => f64, in Positive(1000.0),
        paper 2.0, default 0.5, labelled 2.0;

    /// Whether one network that has learned the heads of all members, kept rows included, takes their place.
    distil: bool => bool, in Flag,
        paper false, default false, labelled false;

    /// How synthetic anomalies are made.
    noise: String => Noise, in OneOf,
        paper Noise::Smote, default Noise::Uniform, labelled Noise::Uniform;

    /// How the learning rate changes during the training.
    schedule: String => Schedule, in OneOf,
        paper Schedule::Constant, default Schedule::Cosine, labelled Schedule::Cosine;

    /// What eq. 7 and 8 combine. Known anomalies are clear ones, which need no order among themselves; faults of other kinds are not
    /// what they teach.
    combination: String => Combination, in OneOf,
        paper Combination::Probability, default Combination::Surprisal, labelled Combination::Novelties;

    /// w of eq. 4: the share of the noise-detection loss.
    loss_weight: f64 => f64, in Between(0.0, 1.0),
        paper 0.2, default 0.2, labelled 0.5;

    /// For `smote`: the standard deviation of the noise, in the scaled space.
    noise_std: f64 => f64, in Positive(1000.0),
        paper 1.0, default 1.0, labelled 1.0;

    /// For `uniform`: how far the noise reaches beyond the data on each side, in ranges of the data.
    noise_margin: f64 => f64, in Between(0.0, 1000.0),
        paper 0.5, default 0.5, labelled 0.5;

    /// For `smote`: the share of the rows that become X0 (§5.1).
    noise_fraction: f64 => f64, in Positive(0.5),
        paper 0.02, default 0.02, labelled 0.02;

    /// The share of synthetic rows in the training set. With labels, known anomalies are there beside them, one for each
    /// other row.
    synthetic_fraction: f64 => f64, in Positive(0.9),
        paper 0.05, default 0.5, labelled 0.1;

    /// For `smote`: k, the number of nearest neighbours.
    neighbors: i64 => usize, in Whole(1, 1_000),
        paper 5, default 5, labelled 5;

    /// The widths of the hidden layers of ND and encoder.
    hidden: Vec<i64> => Vec<usize>, in Widths(MOST_LAYERS, MOST_WIDTH),
        paper vec![32, 16], default vec![32, 16], labelled vec![64, 32];

    /// The width of z1.
    latent: i64 => usize, in Whole(1, MOST_WIDTH),
        paper 16, default 16, labelled 16;

    /// The number of passes over a member's rows.
    epochs: i64 => usize, in Whole(1, 1_000_000),
        paper 200, default 1, labelled 1;

    /// The least number of optimiser steps: epochs are added until it is reached.
    min_steps: i64 => usize, in Whole(0, 100_000_000),
        paper 0, default 300, labelled 1_500;

    /// The upper bound on epochs; avoids overfitting small tables. Known anomalies, which are few, need no such bound. An
    /// explicit `min_steps` lifts the default.
    max_epochs: i64 => usize, in Whole(1, MOST_EPOCHS as i64),
        paper MOST_EPOCHS, default 100, labelled MOST_EPOCHS;

    /// The number of rows of a step, synthetic ones included.
    batch_size: i64 => usize, in Whole(2, 1_000_000),
        paper 128, default 128, labelled 128;

    /// Adam's step size.
    learning_rate: f64 => f64, in Positive(1.0),
        paper 1e-4, default 3e-3, labelled 3e-3;
}
