//! What can be wrong with a model's numbers. A file with a right checksum may hold any numbers;
//! those that pass give every finite row a score, and every property a value.

use std::collections::HashSet;

use crate::data::{Feature, Frequencies, Scaling, MOST_ROWS};
use crate::engine::Course;
use crate::options::Options;

use super::metadata::{Metadata, Report};
use crate::model::{FeatureQuantiles, Model, Statistics};
use crate::neighbours::KeptRows;

impl Model {
    /// What is wrong with it, if anything is; its sizes fit together.
    pub fn fault(&self) -> Option<String> {
        let Metadata { features, options, combiner, training, .. } = &self.metadata;
        let Statistics { scaling, medians, reference, quantiles, ordinary, feature_quantiles, kept, .. } =
            &self.statistics;
        let owners = self.inputs().owners();
        let scaled = || {
            let mut inputs = owners.iter().enumerate();
            inputs.find_map(|(input, j)| fault_of_scaling(&features[*j], input, scaling, reference[input], medians[*j]))
        };
        self.fault_of_networks()
            .or_else(|| fault_of_options(options))
            .or_else(|| fault_of_names(features))
            .or_else(scaled)
            .or_else(|| ordinary.fault())
            .or_else(|| kept.as_ref().and_then(KeptRows::fault))
            .or_else(|| self.fault_of_odds())
            .or_else(|| combiner.fault(options.combination))
            .or_else(|| quantiles.fault())
            .or_else(|| fault_of_training(training))
            .or_else(|| fault_of_quantiles(features, feature_quantiles, training.rows))
            .or_else(|| self.fault_of_labels())
            .or_else(|| self.fault_of_frequencies())
    }

    fn fault_of_networks(&self) -> Option<String> {
        let (members, asked) = (self.metadata.members, self.metadata.options.members);
        if members != asked && self.metadata.distilled.is_none() {
            return Some(format!("it has {members} networks, but its option members={asked}"));
        }
        (!self.weights.all_finite()).then(|| "a weight of its networks is not a finite number".to_string())
    }

    fn fault_of_odds(&self) -> Option<String> {
        let Metadata { kept_odds, .. } = &self.metadata;
        let expected = self.statistics.kept.is_some();
        let usable = kept_odds.is_none_or(|odds| odds.is_finite() && odds >= 1.0);
        (kept_odds.is_some() != expected || !usable).then(|| {
            format!(
                "the odds of its kept rows are {kept_odds:?}, expected a finite number from 1 on where it keeps rows"
            )
        })
    }

    fn fault_of_labels(&self) -> Option<String> {
        let labels = self.metadata.labels.as_ref()?;
        let parts = [labels.anomalies, labels.normal, labels.unlabelled];
        let sum = parts.iter().fold(0usize, |sum, part| sum.saturating_add(*part));
        let rows = self.metadata.training.sampled.unwrap_or(self.metadata.training.rows);
        (sum != rows).then(|| format!("it counts {sum} labels in {rows} training rows"))
    }

    fn fault_of_frequencies(&self) -> Option<String> {
        let rows = self.metadata.training.rows;
        let mut named = self.metadata.features.iter().zip(&self.frequencies);
        named.find_map(|(feature, frequencies)| {
            let fault = fault_of_category(frequencies.as_ref()?, rows)?;
            Some(format!("the values of feature {:?} {fault}", feature.name))
        })
    }
}

fn fault_of_options(options: &Options) -> Option<String> {
    let error = options.check_ranges().err()?.to_string();
    Some(format!("one of its options is out of range ({})", error.trim_start_matches("anorand: ")))
}

fn fault_of_names(features: &[Feature]) -> Option<String> {
    let mut names = HashSet::with_capacity(features.len());
    let twice = features.iter().find(|feature| !names.insert(feature.name.as_str()))?;
    Some(format!("two of its features are named {:?}", twice.name))
}

fn fault_of_scaling(feature: &Feature, input: usize, scaling: &Scaling, reference: f64, median: f64) -> Option<String> {
    let (offset, scale) = (scaling.offset[input], scaling.scale[input]);
    let name = &feature.name;
    if !(offset.is_finite() && median.is_finite() && reference.is_finite()) {
        return Some(format!(
            "the scaling offset of feature {name:?} is {offset}, its median {median} and its reference {reference}, expected \
             finite numbers"
        ));
    }
    // Normal, since half of it is what a value is divided by.
    let usable = scale.is_normal() && scale > 0.0;
    (!usable).then(|| format!("the scale of feature {name:?} is {scale}, expected a finite number above 0"))
}

fn fault_of_quantiles(features: &[Feature], found: &FeatureQuantiles, rows: usize) -> Option<String> {
    let of = features.iter().zip(&found.values).zip(found.at_most.iter().zip(&found.missing));
    of.into_iter().find_map(|((feature, values), (at_most, missing))| {
        let name = &feature.name;
        if !(values.iter().all(|value| value.is_finite()) && values.is_sorted()) {
            return Some(format!(
                "the quantiles of feature {name:?} are {values:?}, expected finite numbers in rising order"
            ));
        }
        let last = at_most[at_most.len() - 1];
        let possible = at_most.is_sorted() && last.checked_add(*missing).is_some_and(|all| all <= rows as u64);
        (!possible).then(|| {
            format!("feature {name:?} has {missing} missing values and the counts {at_most:?} in {rows} training rows")
        })
    })
}

fn fault_of_training(training: &Report) -> Option<String> {
    let Report { rows, sampled, scored, normal_rows, synthetic_rows, epochs, steps, before, after, between } = training;
    if let Some(part) = sampled.iter().chain(scored).find(|part| !(1..=*rows).contains(*part)) {
        return Some(format!("{part} of {rows} training rows were sampled or scored"));
    }
    let all = [before, after].into_iter().chain(between.iter().map(|checkpoint| &checkpoint.losses));
    let mut losses = all.flat_map(|losses| [losses.cross_entropy, losses.reconstruction]);
    if let Some(loss) = losses.find(|loss| !(loss.is_finite() && *loss >= 0.0)) {
        return Some(format!("a loss of its training is {loss}, expected a finite number from 0 on"));
    }
    let course: Vec<usize> = between.iter().map(|checkpoint| checkpoint.epochs).collect();
    if course.len() > Course::MOST_CHECKPOINTS
        || !course.is_sorted()
        || course.iter().any(|at| !(1..*epochs).contains(at))
    {
        return Some(format!("the losses of its training are of the epochs {course:?} of {epochs}, which can't be"));
    }
    if *rows > MOST_ROWS {
        return Some(format!("it was fitted on {rows} rows, expected at most {MOST_ROWS}"));
    }
    // An epoch has at least one batch, and a batch at least one row.
    let possible = *rows >= 2 && *epochs >= 1 && steps >= epochs && (*normal_rows > 0 || *synthetic_rows > 0);
    (!possible).then(|| format!("its training counts {rows} rows, {epochs} epochs and {steps} steps, which can't be"))
}

fn fault_of_category(frequencies: &Frequencies, training_rows: usize) -> Option<String> {
    let Frequencies { values, counts, rare } = frequencies;
    // A column of nulls has no values.
    if (values.is_empty() && rare.values > 0) || counts.contains(&0) {
        return Some("have no counts above 0".to_string());
    }
    if !rare.is_possible() {
        return Some(format!("include {} rare ones in {} rows, which can't be", rare.values, rare.rows));
    }
    let rows = frequencies.rows();
    if rows > training_rows as u64 {
        return Some(format!("are those of {rows} rows, but there were {training_rows} training rows"));
    }
    let mut known = HashSet::with_capacity(values.len());
    let twice = values.iter().find(|value| !known.insert(value.as_str()))?;
    Some(format!("include {twice:?} twice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combiner::{Combiner, Probability, Robust};
    use crate::data::Rare;
    use crate::engine::{Checkpoint, Losses};
    use crate::model::{examples, LabelCounts, ScoreQuantiles};
    use crate::options::Combination;

    /// What is said of a model with one change.
    fn fault(change: impl FnOnce(&mut Model)) -> String {
        let mut model = examples::with_seed(1);
        change(&mut model);
        model.fault().unwrap_or_default()
    }

    fn assert_named(faults: &[(String, &str)]) {
        for (found, expected) in faults {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    fn checkpoint(epochs: usize, loss: f32) -> Checkpoint {
        Checkpoint { epochs, losses: Losses { cross_entropy: loss, reconstruction: loss } }
    }

    #[test]
    fn a_fitted_model_has_no_fault() {
        assert_eq!(fault(|_| ()), "");
    }

    #[test]
    fn faults_of_networks_options_and_features_are_named() {
        assert_named(&[
            (fault(|model| model.weights.flat_mut()[3] = f32::NAN), "a weight of its networks"),
            (fault(|model| model.metadata.members = 7), "members=2"),
            (fault(|model| model.metadata.options.loss_weight = 1.5), "loss_weight must be"),
            (fault(|model| model.metadata.features[1].name = "x".to_string()), "named \"x\""),
            (fault(|model| model.statistics.scaling.offset[0] = f64::INFINITY), "offset of feature \"x\" is inf"),
            (fault(|model| model.statistics.medians[0] = f64::NAN), "its median NaN"),
            (fault(|model| model.statistics.feature_quantiles.values[0][3] = 9.0), "quantiles of feature \"x\""),
            (fault(|model| model.statistics.feature_quantiles.values[1][20] = f64::NAN), "quantiles of feature \"y\""),
            (fault(|model| model.statistics.feature_quantiles.missing[1] = 11), "has 11 missing values"),
            (fault(|model| model.statistics.feature_quantiles.missing[0] = u64::MAX), "missing values"),
            (fault(|model| model.statistics.feature_quantiles.at_most[0][3] = 9), "the counts"),
            (fault(|model| model.statistics.scaling.scale[1] = 0.0), "the scale of feature \"y\" is 0"),
            (fault(|model| model.statistics.scaling.scale[1] = -1.0), "the scale of feature \"y\" is -1"),
            (fault(|model| model.statistics.scaling.scale[1] = 5e-324), "the scale of feature \"y\""),
        ]);
    }

    #[test]
    fn faults_of_the_score_are_named() {
        let combiner = |alpha, median, spread| {
            fault(|model| {
                model.metadata.options.combination = Combination::Robust;
                model.metadata.combiner = Combiner::Robust(Robust { alpha, median, spread });
            })
        };
        let quantile = |score: f32| {
            let mut body: Vec<f32> = (0..ScoreQuantiles::BODY).map(|k| k as f32 / 1_000.0).collect();
            body[500] = score;
            fault(|model| model.statistics.quantiles = ScoreQuantiles::from_parts(body, vec![1.0; 10], 10))
        };
        assert_named(&[
            (combiner(1.1, [0.0; 2], [1.0; 2]), "alpha is 1.1"),
            (combiner(f32::NAN, [0.0; 2], [1.0; 2]), "alpha is NaN"),
            (combiner(0.5, [0.0, f32::INFINITY], [1.0; 2]), "the medians of its heads"),
            (combiner(0.5, [0.0; 2], [1.0, 0.0]), "the spreads of its heads"),
            (combiner(0.5, [0.0; 2], [1.0, f32::INFINITY]), "the spreads of its heads"),
            (
                fault(|model| model.metadata.combiner = Combiner::Probability(Probability { alpha: 0.5 })),
                "combination=Cells",
            ),
            (quantile(2.0), "from 0 to 1"),
            (quantile(f32::NAN), "from 0 to 1"),
            (quantile(0.1), "in rising order"),
        ]);
        assert_eq!(quantile(0.5), "");
    }

    #[test]
    fn faults_of_the_training_are_named() {
        let labels = LabelCounts { anomalies: 1, normal: 0, unlabelled: usize::MAX };
        assert_named(&[
            (fault(|model| model.metadata.training.rows = 1), "1 rows"),
            (fault(|model| model.metadata.training.steps = 0), "0 steps"),
            (fault(|model| model.metadata.training.rows = MOST_ROWS + 1), "at most 281474976710656"),
            (fault(|model| model.metadata.training.between = vec![checkpoint(1, 0.1)]), "of the epochs [1] of 1"),
            (
                fault(|model| {
                    (model.metadata.training.epochs, model.metadata.training.steps) = (9, 9);
                    model.metadata.training.between = vec![checkpoint(3, f32::NAN)];
                }),
                "a loss of its training",
            ),
            (fault(|model| model.metadata.training.after.cross_entropy = f32::INFINITY), "a loss of its training"),
            (fault(|model| model.metadata.labels = Some(labels)), "labels in 10 training rows"),
        ]);
    }

    #[test]
    fn faults_of_categories_are_named() {
        let category = |change: fn(&mut Frequencies)| {
            fault(|model| change(model.frequencies[examples::CATEGORY].as_mut().unwrap()))
        };
        assert_named(&[
            (category(|of| of.counts[0] = 0), "the values of feature \"kind\" have no counts"),
            (category(|of| of.values[0] = of.values[1].clone()), "twice"),
            (category(|of| of.counts[0] = u64::MAX), "10 training rows"),
            (category(|of| of.rare = Rare { values: 2, rows: 1 }), "2 rare ones in 1 rows"),
            (category(|of| (of.values, of.counts) = (vec![], vec![])), "have no counts"),
        ]);
    }
}
