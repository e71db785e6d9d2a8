//! Hyper-parameters of a fit: unchecked as they arrive, checked once, and only then usable.
//!
//! | option | `paper` | `default` | range | meaning |
//! |---|---|---|---|---|
//! | `loss_weight` | 0.2 | 0.2 | 0 to 1 | w of eq. 4: the share of the noise-detection loss |
//! | `noise_std` | 1.0 | 1.0 | above 0, at most 1000 | standard deviation of the noise, in the scaled space |
//! | `noise_fraction` | 0.02 | 0.02 | above 0, at most 0.5 | share of the rows that become X0 (§5.1) |
//! | `synthetic_fraction` | 0.05 | 0.05 | above 0, at most 0.9 | share of synthetic rows in the training set |
//! | `neighbors` | 5 | 5 | 1 to 1,000 | k of SMOTE |
//! | `hidden` | \[32, 16\] | \[32, 16\] | 1 to 8 widths of 1 to 4,096 | widths of the hidden layers of ND and encoder |
//! | `latent` | 16 | 16 | 1 to 4,096 | width of z1 |
//! | `epochs` | 200 | 200 | 1 to 1,000,000 | passes over the training set |
//! | `min_steps` | 0 | 2,000 | 0 to 100,000,000 | epochs are added until there are so many optimiser steps |
//! | `batch_size` | 128 | 128 | 1 to 1,000,000 | rows a step |
//! | `learning_rate` | 1e-4 | 1e-3 | above 0, at most 1 | Adam's step size |
//! | `seed` | 0 | 0 | 0 to 2⁶³ − 1 | seed of every random draw |
//! | `missing` | `null` | `null` | `null`, `impute`, `error` | what a null, NaN or infinity in a feature does |
//!
//! A value outside its range is a `ComputeError` that names the option, the value and the range.

use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

use polars::prelude::{polars_bail, PolarsResult};
use serde::{Deserialize, Serialize};

/// A named set of defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The paper's method, to the letter of `docs/architecture.md`.
    Paper,
    /// The same network, trained long enough on a small table to have learned it.
    Default,
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

/// Options as a caller gives them: anything may be absent, or wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UncheckedOptions {
    pub preset: Option<String>,
    pub seed: Option<i64>,
    pub missing: Option<String>,
    pub loss_weight: Option<f64>,
    pub noise_std: Option<f64>,
    pub noise_fraction: Option<f64>,
    pub synthetic_fraction: Option<f64>,
    pub neighbors: Option<i64>,
    pub hidden: Option<Vec<i64>>,
    pub latent: Option<i64>,
    pub epochs: Option<i64>,
    pub min_steps: Option<i64>,
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
    pub loss_weight: f64,
    pub noise_std: f64,
    pub noise_fraction: f64,
    pub synthetic_fraction: f64,
    pub neighbors: usize,
    pub hidden: Vec<i64>,
    pub latent: i64,
    pub epochs: usize,
    pub min_steps: usize,
    pub batch_size: usize,
    pub learning_rate: f64,
}

impl Options {
    /// The defaults of a preset.
    pub fn preset(preset: Preset) -> Self {
        let (min_steps, learning_rate) = match preset {
            Preset::Paper => (0, 1e-4),
            // 200 epochs of a table of a few hundred rows are a few hundred steps: at the paper's rate, nothing is learned.
            Preset::Default => (2_000, 1e-3),
        };
        Self {
            preset,
            seed: 0,
            missing: Missing::Null,
            loss_weight: 0.2,
            noise_std: 1.0,
            noise_fraction: 0.02,
            synthetic_fraction: 0.05,
            neighbors: 5,
            hidden: vec![32, 16],
            latent: 16,
            epochs: 200,
            min_steps,
            batch_size: 128,
            learning_rate,
        }
    }
}

impl Options {
    /// Whether the network's widths, as read from a file, are ones that a checked request could have had.
    pub fn has_valid_widths(&self) -> bool {
        widths_in_range(&self.hidden) && widths_in_range(&[self.latent])
    }
}

impl UncheckedOptions {
    /// Fill in the preset's defaults and check each value against its range.
    pub fn check(self) -> PolarsResult<Options> {
        let preset = match self.preset.as_deref() {
            None | Some("default") => Preset::Default,
            Some("paper") => Preset::Paper,
            Some(other) => polars_bail!(ComputeError:
                "anorand: preset must be \"default\" or \"paper\", got {other:?}"),
        };
        let missing = match self.missing.as_deref() {
            None | Some("null") => Missing::Null,
            Some("impute") => Missing::Impute,
            Some("error") => Missing::Error,
            Some(other) => polars_bail!(ComputeError:
                "anorand: missing must be \"null\", \"impute\" or \"error\", got {other:?}"),
        };
        let of = Options::preset(preset);
        let options = Options {
            preset,
            missing,
            seed: integer("seed", self.seed, of.seed as i64, 0..=i64::MAX)? as u64,
            loss_weight: closed("loss_weight", self.loss_weight, of.loss_weight, 0.0, 1.0)?,
            noise_std: half_open("noise_std", self.noise_std, of.noise_std, 1000.0)?,
            noise_fraction: half_open("noise_fraction", self.noise_fraction, of.noise_fraction, 0.5)?,
            synthetic_fraction: half_open("synthetic_fraction", self.synthetic_fraction, of.synthetic_fraction, 0.9)?,
            neighbors: integer("neighbors", self.neighbors, of.neighbors as i64, 1..=1_000)? as usize,
            hidden: widths("hidden", self.hidden, of.hidden)?,
            latent: integer("latent", self.latent, of.latent, 1..=MAX_WIDTH)?,
            epochs: integer("epochs", self.epochs, of.epochs as i64, 1..=1_000_000)? as usize,
            min_steps: integer("min_steps", self.min_steps, of.min_steps as i64, 0..=100_000_000)? as usize,
            batch_size: integer("batch_size", self.batch_size, of.batch_size as i64, 1..=1_000_000)? as usize,
            learning_rate: half_open("learning_rate", self.learning_rate, of.learning_rate, 1.0)?,
        };
        Ok(options)
    }
}

const MAX_WIDTH: i64 = 4_096;
const MAX_LAYERS: usize = 8;

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

fn widths(name: &str, given: Option<Vec<i64>>, default: Vec<i64>) -> PolarsResult<Vec<i64>> {
    let value = given.unwrap_or(default);
    if !widths_in_range(&value) {
        return out_of_range(name, format!("{value:?}"), format!("1 to {MAX_LAYERS} widths from 1 to {MAX_WIDTH}"));
    }
    Ok(value)
}

fn widths_in_range(widths: &[i64]) -> bool {
    (1..=MAX_LAYERS).contains(&widths.len()) && widths.iter().all(|width| (1..=MAX_WIDTH).contains(width))
}

fn out_of_range<T>(name: &str, value: impl Display + Debug, expected: String) -> PolarsResult<T> {
    polars_bail!(ComputeError: "anorand: {name} must be {expected}, got {value}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_is_the_default_preset() {
        let options = UncheckedOptions::default().check().unwrap();
        assert_eq!(options, Options::preset(Preset::Default));
    }

    #[test]
    fn the_paper_preset_is_the_papers_section_6() {
        let given = UncheckedOptions { preset: Some("paper".into()), ..Default::default() };
        let options = given.check().unwrap();
        assert_eq!((options.hidden, options.latent), (vec![32, 16], 16));
        assert_eq!((options.epochs, options.batch_size, options.min_steps), (200, 128, 0));
        assert_eq!((options.learning_rate, options.loss_weight), (1e-4, 0.2));
    }

    #[test]
    fn an_error_names_the_option_the_value_and_the_range() {
        let given = UncheckedOptions { loss_weight: Some(1.5), ..Default::default() };
        let message = given.check().unwrap_err().to_string();
        assert!(message.contains("loss_weight must be a number from 0 to 1, got 1.5"), "{message}");
    }

    #[test]
    fn not_a_number_is_outside_every_range() {
        for given in [
            UncheckedOptions { loss_weight: Some(f64::NAN), ..Default::default() },
            UncheckedOptions { noise_std: Some(f64::NAN), ..Default::default() },
            UncheckedOptions { learning_rate: Some(f64::INFINITY), ..Default::default() },
        ] {
            assert!(given.check().is_err());
        }
    }

    #[test]
    fn hidden_needs_at_least_one_positive_width() {
        for hidden in [vec![], vec![0], vec![32, -1], vec![1; 9]] {
            let given = UncheckedOptions { hidden: Some(hidden), ..Default::default() };
            assert!(given.check().unwrap_err().to_string().contains("hidden"));
        }
    }
}
