//! Hyper-parameters of a fit: unchecked as they arrive, checked once, and only then usable.
//!
//! | option | `paper` | `default` | range | meaning |
//! |---|---|---|---|---|
//! | `members` | 1 | 20 | 1 to 1,000 | m, the number of networks of the ensemble, whose heads are averaged |
//! | `max_samples` | 0 | 256 | 0 to 2³¹ | rows that a member is trained on, drawn for it, at most half of them; 0: all |
//! | `max_features` | 1 | 0.3 | above 0, at most 1 | share of the features that a member sees, drawn for it; at least 2 |
//! | `scaling` | `minmax` | `minmax` | `minmax`, `asinh` | how features are scaled; see [`ScalingKind`] |
//! | `noise` | `smote` | `uniform` | `smote`, `uniform` | how synthetic anomalies are made |
//! | `noise_std` | 1.0 | 1.0 | above 0, at most 1000 | `smote`: standard deviation of the noise, in the scaled space |
//! | `noise_margin` | 0.5 | 0.5 | 0 to 1000 | `uniform`: how far the noise reaches beyond the data, in its ranges |
//! | `noise_fraction` | 0.02 | 0.02 | above 0, at most 0.5 | `smote`: share of the rows that become X0 (§5.1) |
//! | `neighbors` | 5 | 5 | 1 to 1,000 | `smote`: k |
//! | `synthetic_fraction` | 0.05 | 0.5 | above 0, at most 0.9 | share of synthetic rows in the training set |
//! | `loss_weight` | 0.2 | 0.2 | 0 to 1 | w of eq. 4: the share of the noise-detection loss |
//! | `hidden` | \[32, 16\] | \[32, 16\] | 1 to 8 widths of 1 to 4,096 | widths of the hidden layers of ND and encoder |
//! | `latent` | 16 | 16 | 1 to 4,096 | width of z1 |
//! | `epochs` | 200 | 1 | 1 to 1,000,000 | passes over a member's rows |
//! | `min_steps` | 0 | 300 | 0 to 100,000,000 | least number of optimiser steps: epochs are added until it is reached |
//! | `max_epochs` | 1,000,000 | 100 | 1 to 1,000,000 | upper bound on epochs; avoids overfitting small tables |
//! | `batch_size` | 128 | 128 | 2 to 1,000,000 | rows a step, synthetic ones included |
//! | `learning_rate` | 1e-4 | 3e-3 | above 0, at most 1 | Adam's step size |
//! | `schedule` | `constant` | `cosine` | `constant`, `cosine` | the step size stays, or falls to 0 along a cosine |
//! | `combination` | `probability` | `robust` | `probability`, `robust` | what eq. 7 and 8 combine; see [`Combination`] |
//! | `seed` | 0 | 0 | 0 to 2⁶³ − 1 | seed of every random draw |
//! | `missing` | `null` | `null` | `null`, `impute`, `error` | what a null, NaN or infinity in a feature does |
//! | `encode` | `frequency` | `frequency` | `frequency`, `error` | what becomes of a String, Categorical or Enum feature |
//!
//! With labels, `default` is another: `scaling` `asinh`, 6 `members`, `max_samples` 0, `max_features` 1, `synthetic_fraction` 0.1
//! (noise, beside as many known anomalies as other rows), `loss_weight` 0.5, `hidden` \[64, 32\], `min_steps` 1,500 without a bound, and
//! `combination` `probability`.
//!
//! All members together have at most 2²⁷ parameters, which `members`, `hidden`, `latent` and the number of features decide.
//!
//! A value outside its range is a `ComputeError` that names the option, the value and the range.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

use polars::prelude::{polars_bail, polars_ensure, polars_err, PolarsResult};
use serde::de::{DeserializeOwned, Deserializer, Error, IntoDeserializer, Visitor};
use serde::{forward_to_deserialize_any, Deserialize, Serialize};

/// A named set of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// An ensemble of the paper's networks, each on a few rows and features, with noise all around the data.
    Default,
    /// The paper's method and its hyper-parameters.
    Paper,
}

/// How synthetic anomalies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Noise {
    /// §5.1: some rows, grown by SMOTE, disturbed with Gaussian noise, once for the whole training.
    Smote,
    /// Uniform in the data's box, widened by `noise_margin` of its range on each side, fresh in each epoch: it covers the
    /// space, so that a row far from all others looks like noise, wherever it lies.
    Uniform,
}

/// What becomes of the learning rate during the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    Constant,
    Cosine,
}

/// What eq. 7 and 8 combine into a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Combination {
    /// The heads' probabilities, as in the paper.
    Probability,
    /// The heads before their sigmoids, which would make all clear anomalies alike, from their medians on.
    Robust,
}

/// What a null, NaN or infinity in a feature does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// A fit skips the row; its score is null.
    Null,
    /// The feature's training median stands in.
    Impute,
    /// An error that names the column and the row.
    Error,
}

/// How features are scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalingKind {
    /// The training range becomes \[0, 1\].
    Minmax,
    /// asinh of the distance from the median in robust standard deviations: heavy tails do not squeeze the rest.
    Asinh,
}

/// What becomes of a String, Categorical or Enum feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encode {
    /// A value counts as its log-frequency in the training rows.
    Frequency,
    /// An error that names the column.
    Error,
}

/// Options as a caller gives them: anything may be absent, or wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UncheckedOptions {
    pub preset: Option<String>,
    pub seed: Option<i64>,
    pub missing: Option<String>,
    pub encode: Option<String>,
    pub scaling: Option<String>,
    pub members: Option<i64>,
    pub max_samples: Option<i64>,
    pub max_features: Option<f64>,
    pub noise: Option<String>,
    pub schedule: Option<String>,
    pub combination: Option<String>,
    pub loss_weight: Option<f64>,
    pub noise_std: Option<f64>,
    pub noise_margin: Option<f64>,
    pub noise_fraction: Option<f64>,
    pub synthetic_fraction: Option<f64>,
    pub neighbors: Option<i64>,
    pub hidden: Option<Vec<i64>>,
    pub latent: Option<i64>,
    pub epochs: Option<i64>,
    pub min_steps: Option<i64>,
    pub max_epochs: Option<i64>,
    pub batch_size: Option<i64>,
    pub learning_rate: Option<f64>,
}

/// Checked options. Every field is within its range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    pub preset: Preset,
    pub seed: u64,
    pub missing: Missing,
    pub encode: Encode,
    pub scaling: ScalingKind,
    pub members: usize,
    pub max_samples: usize,
    pub max_features: f64,
    pub noise: Noise,
    pub schedule: Schedule,
    pub combination: Combination,
    pub loss_weight: f64,
    pub noise_std: f64,
    pub noise_margin: f64,
    pub noise_fraction: f64,
    pub synthetic_fraction: f64,
    pub neighbors: usize,
    pub hidden: Vec<usize>,
    pub latent: usize,
    pub epochs: usize,
    pub min_steps: usize,
    /// Models from before there was a bound had none.
    #[serde(default = "unbounded")]
    pub max_epochs: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
}

impl Options {
    /// The defaults of a preset.
    pub fn preset(preset: Preset) -> Self {
        let paper = Self {
            preset: Preset::Paper,
            seed: 0,
            missing: Missing::Null,
            encode: Encode::Frequency,
            scaling: ScalingKind::Minmax,
            members: 1,
            max_samples: 0,
            max_features: 1.0,
            noise: Noise::Smote,
            schedule: Schedule::Constant,
            combination: Combination::Probability,
            loss_weight: 0.2,
            noise_std: 1.0,
            noise_margin: 0.5,
            noise_fraction: 0.02,
            synthetic_fraction: 0.05,
            neighbors: 5,
            hidden: vec![32, 16],
            latent: 16,
            epochs: 200,
            min_steps: 0,
            max_epochs: MAX_EPOCHS as usize,
            batch_size: 128,
            learning_rate: 1e-4,
        };
        match preset {
            Preset::Paper => paper,
            Preset::Default => Self {
                preset: Preset::Default,
                members: 20,
                max_samples: 256,
                max_features: 0.3,
                noise: Noise::Uniform,
                schedule: Schedule::Cosine,
                combination: Combination::Robust,
                synthetic_fraction: 0.5,
                epochs: 1,
                min_steps: 300,
                max_epochs: 100,
                learning_rate: 3e-3,
                ..paper
            },
        }
    }
}

impl Options {
    /// The defaults of a preset for a fit with labels.
    pub fn with_labels(preset: Preset) -> Self {
        let unlabelled = Self::preset(preset);
        match preset {
            // The labels take the place of the synthetic rows, and nothing else changes (§6, table 2).
            Preset::Paper => unlabelled,
            Preset::Default => Self {
                scaling: ScalingKind::Asinh,
                members: 6,
                max_samples: 0,
                max_features: 1.0,
                synthetic_fraction: 0.1,
                loss_weight: 0.5,
                hidden: vec![64, 32],
                min_steps: 1_500,
                // Known anomalies are to be learned by heart.
                max_epochs: MAX_EPOCHS as usize,
                // Anomalies that are known need no order among those that are clear.
                combination: Combination::Probability,
                ..unlabelled
            },
        }
    }

    /// The number of passes over a member's rows, each of `batches` batches.
    pub fn epochs_of(&self, batches: usize) -> usize {
        self.epochs.max(self.min_steps.div_ceil(batches.max(1)).min(self.max_epochs))
    }

    /// The number of rows that a member is trained on, of a table with `rows` rows, where none is known to be an anomaly.
    pub fn rows_of_member(&self, rows: usize) -> usize {
        match self.max_samples {
            0 => rows,
            // Half of a small table at most: members that all have seen an anomaly would take it for normal.
            most => most.min(rows.div_ceil(2)).max(2),
        }
    }

    /// The number of features that a member sees, of a table with `features` features: at least two where there are two.
    pub fn features_of_member(&self, features: usize) -> usize {
        ((features as f64 * self.max_features).round() as usize).max(2).min(features)
    }

    /// The numbers of real rows and of rows of uniform noise in a batch; at least one of each.
    pub fn batch_shares(&self) -> (usize, usize) {
        let noise = (self.batch_size as f64 * self.synthetic_fraction).round() as usize;
        let noise = noise.clamp(1, self.batch_size - 1);
        (self.batch_size - noise, noise)
    }

    /// An error if the whole ensemble has more parameters than a fit may ask for, from those of one network.
    pub fn check_parameters(&self, of_one: usize) -> PolarsResult<()> {
        let all = of_one.saturating_mul(self.members);
        polars_ensure!(all <= MAX_PARAMETERS, ComputeError:
            "anorand: members={}, hidden={:?} and latent={} make {all} parameters, expected at most {MAX_PARAMETERS}: ask for \
             fewer members or narrower layers", self.members, self.hidden, self.latent);
        Ok(())
    }

    /// An error that names an option beyond its range, as a file may have one.
    pub fn check_ranges(&self) -> PolarsResult<()> {
        // By way of what a caller gives, which has the same names, so that no range is written twice.
        let given = serde_json::to_value(self).and_then(serde_json::from_value::<UncheckedOptions>);
        let given = given.map_err(|error| polars_err!(ComputeError: "anorand: the options can't be read ({error})"))?;
        given.check(false).map(drop)
    }

    /// Whether the network's widths, as read from a file, are ones that a checked request could have had.
    pub fn has_valid_widths(&self) -> bool {
        widths_in_range(&self.hidden) && widths_in_range(&[self.latent])
    }
}

impl UncheckedOptions {
    /// Fill in the preset's defaults, for a fit with labels or without, and check each value against its range.
    pub fn check(self, labelled: bool) -> PolarsResult<Options> {
        let preset = choice("preset", self.preset, Preset::Default)?;
        let of = if labelled { Options::with_labels(preset) } else { Options::preset(preset) };
        // An explicit `min_steps` lifts the default `max_epochs`.
        let max_epochs = if self.min_steps.is_some() { MAX_EPOCHS } else { of.max_epochs as i64 };
        let options = Options {
            preset,
            missing: choice("missing", self.missing, of.missing)?,
            encode: choice("encode", self.encode, of.encode)?,
            scaling: choice("scaling", self.scaling, of.scaling)?,
            seed: integer("seed", self.seed, of.seed as i64, 0..=i64::MAX)? as u64,
            members: integer("members", self.members, of.members as i64, 1..=1_000)? as usize,
            max_samples: integer("max_samples", self.max_samples, of.max_samples as i64, 0..=1 << 31)? as usize,
            max_features: half_open("max_features", self.max_features, of.max_features, 1.0)?,
            noise: choice("noise", self.noise, of.noise)?,
            schedule: choice("schedule", self.schedule, of.schedule)?,
            combination: choice("combination", self.combination, of.combination)?,
            loss_weight: closed("loss_weight", self.loss_weight, of.loss_weight, 0.0, 1.0)?,
            noise_std: half_open("noise_std", self.noise_std, of.noise_std, 1000.0)?,
            noise_margin: closed("noise_margin", self.noise_margin, of.noise_margin, 0.0, 1000.0)?,
            noise_fraction: half_open("noise_fraction", self.noise_fraction, of.noise_fraction, 0.5)?,
            synthetic_fraction: half_open("synthetic_fraction", self.synthetic_fraction, of.synthetic_fraction, 0.9)?,
            neighbors: integer("neighbors", self.neighbors, of.neighbors as i64, 1..=1_000)? as usize,
            hidden: widths("hidden", self.hidden, of.hidden)?,
            latent: integer("latent", self.latent, of.latent as i64, 1..=MAX_WIDTH)? as usize,
            epochs: integer("epochs", self.epochs, of.epochs as i64, 1..=MAX_EPOCHS)? as usize,
            min_steps: integer("min_steps", self.min_steps, of.min_steps as i64, 0..=100_000_000)? as usize,
            max_epochs: integer("max_epochs", self.max_epochs, max_epochs, 1..=MAX_EPOCHS)? as usize,
            batch_size: integer("batch_size", self.batch_size, of.batch_size as i64, 2..=1_000_000)? as usize,
            learning_rate: half_open("learning_rate", self.learning_rate, of.learning_rate, 1.0)?,
        };
        Ok(options)
    }
}

const MAX_EPOCHS: i64 = 1_000_000;
const MAX_WIDTH: i64 = 4_096;
const MAX_LAYERS: usize = 8;
/// Half a gibibyte of weights; training one network takes four times its own.
const MAX_PARAMETERS: usize = 1 << 27;

fn unbounded() -> usize {
    MAX_EPOCHS as usize
}

/// The value that a name stands for, as serde knows it.
fn choice<T: DeserializeOwned>(name: &str, given: Option<String>, default: T) -> PolarsResult<T> {
    let Some(given) = given else { return Ok(default) };
    let parsed: Result<T, serde::de::value::Error> = T::deserialize(given.as_str().into_deserializer());
    parsed.or_else(|_| {
        let quoted: Vec<String> = names_of::<T>().iter().map(|name| format!("{name:?}")).collect();
        out_of_range(name, format!("{given:?}"), quoted.join(" or "))
    })
}

/// The names of an enum's variants.
fn names_of<T: DeserializeOwned>() -> &'static [&'static str] {
    /// Is asked for one of the variants, and keeps their names.
    struct Asked<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Asked<'_> {
        type Error = serde::de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Self::Error::custom("no value"))
        }

        fn deserialize_enum<V: Visitor<'de>>(
            self,
            _: &'static str,
            variants: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = variants;
            self.deserialize_any(visitor)
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
            newtype_struct seq tuple tuple_struct map struct identifier ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    let _ = T::deserialize(Asked(&mut names));
    names
}

fn integer(name: &str, given: Option<i64>, default: i64, range: RangeInclusive<i64>) -> PolarsResult<i64> {
    let value = given.unwrap_or(default);
    if !range.contains(&value) {
        return out_of_range(name, value, format!("a whole number from {} to {}", range.start(), range.end()));
    }
    Ok(value)
}

fn closed(name: &str, given: Option<f64>, default: f64, low: f64, high: f64) -> PolarsResult<f64> {
    let value = given.unwrap_or(default);
    if !(low..=high).contains(&value) {
        return out_of_range(name, value, format!("a number from {low} to {high}"));
    }
    Ok(value)
}

/// A number above 0, at most `high`. NaN fails as well.
fn half_open(name: &str, given: Option<f64>, default: f64, high: f64) -> PolarsResult<f64> {
    let value = given.unwrap_or(default);
    if !(value > 0.0 && value <= high) {
        return out_of_range(name, value, format!("a number above 0 and at most {high}"));
    }
    Ok(value)
}

fn widths(name: &str, given: Option<Vec<i64>>, default: Vec<usize>) -> PolarsResult<Vec<usize>> {
    let Some(value) = given else { return Ok(default) };
    let widths: Vec<usize> = value.iter().filter_map(|width| usize::try_from(*width).ok()).collect();
    if widths.len() != value.len() || !widths_in_range(&widths) {
        return out_of_range(name, format!("{value:?}"), format!("1 to {MAX_LAYERS} widths from 1 to {MAX_WIDTH}"));
    }
    Ok(widths)
}

fn widths_in_range(widths: &[usize]) -> bool {
    (1..=MAX_LAYERS).contains(&widths.len()) && widths.iter().all(|width| (1..=MAX_WIDTH as usize).contains(width))
}

fn out_of_range<T>(name: &str, value: impl Display + Debug, expected: String) -> PolarsResult<T> {
    polars_bail!(ComputeError: "anorand: {name} must be {expected}, got {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_is_the_default_preset() {
        let options = UncheckedOptions::default().check(false).unwrap();
        assert_eq!(options, Options::preset(Preset::Default));
    }

    #[test]
    fn the_paper_preset_is_the_papers_section_6() {
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        let options = given.check(false).unwrap();
        assert_eq!((options.hidden, options.latent), (vec![32, 16], 16));
        assert_eq!((options.epochs, options.batch_size, options.min_steps), (200, 128, 0));
        assert_eq!((options.learning_rate, options.loss_weight), (1e-4, 0.2));
    }

    #[test]
    fn few_rows_are_not_gone_through_without_end() {
        let default = Options::preset(Preset::Default);
        assert_eq!([1, 2, 4, 5, 1_000].map(|batches| default.epochs_of(batches)), [100, 100, 75, 60, 1]);
        assert_eq!(Options { epochs: 120, ..default }.epochs_of(1), 120);
        let asked = UncheckedOptions { min_steps: Some(500), ..Default::default() };
        assert_eq!(asked.clone().check(false).unwrap().epochs_of(1), 500);
        let bounded = UncheckedOptions { max_epochs: Some(20), ..asked };
        assert_eq!(bounded.check(false).unwrap().epochs_of(1), 20);
        assert_eq!(Options::with_labels(Preset::Default).epochs_of(1), 1_500);
    }

    #[test]
    fn a_model_from_before_the_bound_had_none() {
        let mut written = serde_json::to_value(Options::preset(Preset::Default)).unwrap();
        written.as_object_mut().unwrap().remove("max_epochs");
        let read: Options = serde_json::from_value(written).unwrap();
        assert_eq!(read, Options { max_epochs: 1_000_000, ..Options::preset(Preset::Default) });
    }

    #[test]
    fn options_of_a_file_are_checked_against_the_same_ranges() {
        for preset in [Preset::Paper, Preset::Default] {
            Options::preset(preset).check_ranges().unwrap();
            Options::with_labels(preset).check_ranges().unwrap();
        }
        let default = || Options::preset(Preset::Default);
        for (options, named) in [
            (Options { seed: u64::MAX, ..default() }, "options can't be read"),
            (Options { members: 0, ..default() }, "members must be"),
            (Options { loss_weight: -0.1, ..default() }, "loss_weight must be"),
            (Options { hidden: vec![], ..default() }, "hidden must be"),
            (Options { max_epochs: usize::MAX, ..default() }, "options can't be read"),
        ] {
            let message = options.check_ranges().unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn an_error_names_the_option_the_value_and_the_range() {
        let given = UncheckedOptions { loss_weight: Some(1.5), ..Default::default() };
        let message = given.check(false).unwrap_err().to_string();
        assert!(message.contains("loss_weight must be a number from 0 to 1, got 1.5"), "{message}");
    }

    #[test]
    fn an_unknown_name_is_an_error_with_all_names() {
        let given = UncheckedOptions { missing: Some("drop".into()), ..Default::default() };
        let message = given.check(false).unwrap_err().to_string();
        assert!(message.contains("missing must be \"null\" or \"impute\" or \"error\", got \"drop\""), "{message}");
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        assert_eq!(given.check(false).unwrap().preset, Preset::Paper);
    }

    #[test]
    fn not_a_number_is_outside_every_range() {
        for given in [
            UncheckedOptions { loss_weight: Some(f64::NAN), ..Default::default() },
            UncheckedOptions { noise_std: Some(f64::NAN), ..Default::default() },
            UncheckedOptions { learning_rate: Some(f64::INFINITY), ..Default::default() },
        ] {
            assert!(given.check(false).is_err());
        }
    }

    #[test]
    fn hidden_needs_at_least_one_positive_width() {
        for hidden in [vec![], vec![0], vec![32, -1], vec![1; 9]] {
            let given = UncheckedOptions { hidden: Some(hidden), ..Default::default() };
            assert!(given.check(false).unwrap_err().to_string().contains("hidden"));
        }
    }
}
