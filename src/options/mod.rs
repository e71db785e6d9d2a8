//! The options of a fit: unchecked as they arrive, checked once, and only then usable.
//!
//! `table.rs` has all options, with their types, ranges, defaults and meanings. `ranges.rs` has the
//! kinds of ranges, `choices.rs` the options that are names, and `by_labels.rs` decides which
//! defaults a fit takes. This file has the rules that go beyond a single option.
//!
//! Python documents 16 of the options (`FitOptions` in `_options.py`). The others are constants of
//! the presets, which only benches and tests change.
//!
//! A value outside its range is a `ComputeError` that names the option, the value and the range.
//! All members together have at most 2²⁷ parameters, which `members`, `hidden`, `latent` and the
//! number of features decide.

mod by_labels;
mod choices;
mod ranges;
mod table;

pub use by_labels::{Known, OptionsByLabels};
pub use choices::{Combination, Encode, Missing, Noise, Preset, ScalingKind, Schedule, Temporal};
pub use ranges::{Range, Whole};
pub use table::{Options, UncheckedOptions};

use polars::prelude::{polars_ensure, polars_err, PolarsResult};

use ranges::OneOf;
use table::{MOST_EPOCHS, MOST_LAYERS, MOST_WIDTH};

/// The share of the training rows that are outliers by default.
pub const DEFAULT_CONTAMINATION: f64 = 0.01;

/// The most parameters of an ensemble: half a gibibyte of weights. The training takes four times
/// that.
const MOST_PARAMETERS: usize = 1 << 27;

impl UncheckedOptions {
    /// Fills in the preset's defaults for a fit with labels or without, and checks each value
    /// against its range.
    pub fn check(self, labelled: bool) -> PolarsResult<Options> {
        let classifies = labelled && !self.asks_for_autoencoder();
        self.check_with(match (labelled, classifies) {
            (false, _) => Options::preset,
            (true, true) => Options::with_labels,
            (true, false) => Options::with_labels_and_autoencoder,
        })
    }

    /// Whether an option is given that only a training of both blocks has.
    fn asks_for_autoencoder(&self) -> bool {
        self.latent.is_some()
            || self.loss_weight.is_some_and(|loss_weight| loss_weight < 1.0)
            || self.noise.is_some()
            || self.synthetic_fraction.is_some()
    }

    /// The same for a fit that knows few anomalies, among rows that are not labelled.
    pub fn check_for_few(self) -> PolarsResult<Options> {
        match self.asks_for_autoencoder() {
            true => self.check_with(Options::with_labels_and_autoencoder),
            false => self.check_with(Options::with_few_labels),
        }
    }

    fn check_with(self, defaults: fn(Preset) -> Options) -> PolarsResult<Options> {
        let mut defaults = defaults(OneOf.check("preset", self.preset.clone(), Preset::Default)?);
        if self.min_steps.is_some() {
            defaults.max_epochs = MOST_EPOCHS;
        }
        self.checked_or(defaults)
    }

    /// The same for a fit that goes on from a model: the model's options are the defaults.
    ///
    /// Returns an error that names the first option that must agree with the model's and does not.
    pub fn check_from(self, model: &Options) -> PolarsResult<Options> {
        let mut defaults = model.clone();
        if self.min_steps.is_some() {
            defaults.max_epochs = MOST_EPOCHS;
        }
        defaults.preset = OneOf.check("preset", self.preset.clone(), model.preset)?;
        let options = self.checked_or(defaults)?;
        options.check_loss_weight()?;
        options.check_agreement(model)?;
        Ok(options)
    }
}

/// The options that say what the networks are and what they see. Weights mean nothing with others.
const FIXED_BY_WEIGHTS: [&str; 9] =
    ["preset", "missing", "encode", "temporal", "scaling", "members", "max_features", "hidden", "latent"];

impl Options {
    fn check_agreement(&self, model: &Self) -> PolarsResult<()> {
        let values = |options: &Self| {
            serde_json::to_value(options).map_err(|error| polars_err!(ComputeError: "anorand: options: {error}"))
        };
        let (ours, models) = (values(self)?, values(model)?);
        for name in FIXED_BY_WEIGHTS {
            let (ours, models) = (&ours[name], &models[name]);
            polars_ensure!(ours == models, ComputeError:
                "anorand: the model of init= was fitted with {name}={models}, got {name}={ours}; its networks only go on with the \
                 same: leave {name} out, or fit without init");
        }
        Ok(())
    }

    /// Refuses a share of the reconstruction error in the loss of networks that reconstruct nothing.
    fn check_loss_weight(&self) -> PolarsResult<()> {
        polars_ensure!(!self.classifies() || self.loss_weight == 1.0, ComputeError:
            "anorand: the networks of the model of init= have no autoencoder, so that loss_weight must be 1, got {}: leave it \
             out, or fit without init",
            self.loss_weight);
        Ok(())
    }

    /// Whether the networks are classifiers, which learn labels and nothing else.
    pub fn classifies(&self) -> bool {
        self.latent == 0
    }

    /// The number of passes over a member's rows, if a pass has this number of batches.
    pub fn epochs_of(&self, batches: usize) -> usize {
        self.epochs.max(self.min_steps.div_ceil(batches.max(1)).min(self.max_epochs))
    }

    /// The number of rows that a member is trained on, of `rows` rows without known anomalies.
    pub fn rows_of_member(&self, rows: usize) -> usize {
        match self.max_samples {
            0 => rows,
            // At most half of a small table: an anomaly that all members saw would pass for normal.
            most => most.min(rows.div_ceil(2)).max(2),
        }
    }

    /// The number of features that a member sees, of `features`: at least two if there are two.
    pub fn features_of_member(&self, features: usize) -> usize {
        ((features as f64 * self.max_features).round() as usize).max(2).min(features)
    }

    /// The numbers of real rows and of rows of uniform noise in a batch, at least one of each.
    pub fn batch_shares(&self) -> (usize, usize) {
        let noise = (self.batch_size as f64 * self.synthetic_fraction).round() as usize;
        let noise = noise.clamp(1, self.batch_size - 1);
        (self.batch_size - noise, noise)
    }

    /// The number of rows of each draw of kept rows, from `rows` training rows that are no known
    /// anomalies.
    ///
    /// If there are several draws, each has at most a sixteenth of a small table: anomalies that
    /// are like one another should not be in most of them.
    pub fn rows_of_draw(&self, rows: usize) -> usize {
        self.kept_rows.min(if self.kept_draws > 1 { rows.div_ceil(16) } else { rows })
    }

    /// Whether a distilled network takes the place of the kept rows too.
    ///
    /// The distance from the nearest row of one draw is a jagged function, which no network learns.
    /// The mean over several draws is smooth.
    pub fn distils_kept_rows(&self) -> bool {
        self.kept_draws > 1
    }

    /// Refuses an ensemble whose networks, with `per_network` parameters each, have too many in
    /// all.
    pub fn check_parameters(&self, per_network: usize) -> PolarsResult<()> {
        let all = per_network.saturating_mul(self.members);
        polars_ensure!(all <= MOST_PARAMETERS, ComputeError:
            "anorand: members={}, hidden={:?} and latent={} make {all} parameters, expected at most {MOST_PARAMETERS}: ask for \
             fewer members or narrower layers", self.members, self.hidden, self.latent);
        Ok(())
    }

    /// Checks each option against its range, for options that come from a file.
    pub fn check_ranges(&self) -> PolarsResult<()> {
        // Only a default leaves out the autoencoder.
        let this = Self { latent: self.latent.max(1), ..self.clone() };
        // The options become those of a caller, which have the same names, so that no range is
        // written twice.
        let given = serde_json::to_value(this).and_then(serde_json::from_value::<UncheckedOptions>);
        let given = given.map_err(|error| polars_err!(ComputeError: "anorand: the options can't be read ({error})"))?;
        given.check(false).map(drop)
    }

    /// Whether the widths, which come from a file, are in their ranges.
    pub fn has_valid_widths(&self) -> bool {
        valid_widths(&self.hidden, self.latent)
    }
}

/// Whether a network may have hidden layers and a latent of these widths.
pub fn valid_widths(hidden: &[usize], latent: usize) -> bool {
    // A latent of 0 is none at all.
    let in_range = |width: &usize| (1..=MOST_WIDTH as usize).contains(width);
    (1..=MOST_LAYERS).contains(&hidden.len()) && hidden.iter().chain([&latent.max(1)]).all(in_range)
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
    fn a_fit_from_a_model_has_its_options_but_for_those_that_are_given() {
        let model = Options { seed: 7, min_steps: 500, latent: 4, ..Options::preset(Preset::Default) };
        let given = UncheckedOptions { min_steps: Some(60), learning_rate: Some(0.001), ..Default::default() };
        let expected = Options { min_steps: 60, learning_rate: 0.001, max_epochs: MOST_EPOCHS, ..model.clone() };
        assert_eq!(given.check_from(&model).unwrap(), expected);
        let same = UncheckedOptions { latent: Some(4), preset: Some("default".into()), ..Default::default() };
        assert_eq!(same.check_from(&model).unwrap(), model);
        for (given, named) in [
            (UncheckedOptions { latent: Some(8), ..Default::default() }, "latent=4, got latent=8"),
            (UncheckedOptions { temporal: Some("number".into()), ..Default::default() }, "temporal=\"calendar\", got"),
            (UncheckedOptions { preset: Some("paper".into()), ..Default::default() }, "preset=\"default\", got"),
        ] {
            let message = given.check_from(&model).unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
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
        assert_eq!(Options::with_labels_and_autoencoder(Preset::Default).epochs_of(1), 1_500);
    }

    #[test]
    fn all_options_are_written_and_are_those_that_a_caller_gives() {
        let written = serde_json::to_value(Options::preset(Preset::Paper)).unwrap();
        assert_eq!(
            (&written["kept_rows"], &written["kept_draws"], &written["temporal"]),
            (&0.into(), &1.into(), &"number".into())
        );
        let given: UncheckedOptions = serde_json::from_value(written).unwrap();
        assert_eq!(given.check(false).unwrap(), Options::preset(Preset::Paper));
    }

    #[test]
    fn options_of_a_file_are_checked_against_the_same_ranges() {
        for preset in [Preset::Paper, Preset::Default, Preset::Novelty] {
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
}
