//! The choice of `loss_weight` among several values, which needs no labels: the paper's search.
//!
//! One row in five is held out, and a model with each value is fitted on the other rows. Each model
//! scores the held-out rows, and as many rows of noise, uniform in the box of the held-out rows.
//! Its criterion is the AUC-ROC between the two. With labels, the held-out known anomalies take the
//! place of the noise.
//!
//! The first value within one standard error of the best is chosen, so that chance decides little:
//! callers put the value first that they would take without a choice. The fit on all rows is then
//! the same as with that value alone.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView1};
use polars::prelude::*;
use rand::seq::SliceRandom;
use rand::Rng;

use crate::data::{Columns, Labels};
use crate::engine::Device;
use crate::model::Model;
use crate::options::Options;
use crate::pool;
use crate::scoring;

use super::recipe::fit_many;
use super::streams::Stream;
use super::task::{Fit, Fitted, Given};
use super::training_rows::TrainingRows;
use super::try_map_ok;

/// One row of `ONE_IN` is held out, but at most `MOST` rows.
const ONE_IN: usize = 5;
const MOST: usize = 2_000;

/// A fit that may choose its `loss_weight`.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    pub given: Given<'a>,
    pub options: &'a Options,
    /// The values to choose from. With fewer than two, `options` are taken as they are.
    pub loss_weights: &'a [f64],
}

impl Choice<'_> {
    /// Chooses, and fits with the chosen value.
    ///
    /// # Errors
    /// As [`crate::fit()`], and `NoData` for too few rows to hold some out.
    pub fn fit(self, device: Device) -> PolarsResult<Fitted> {
        let fitted = fit_choices(vec![self], device)?.pop();
        fitted.unwrap_or_else(|| polars_bail!(ComputeError: "anorand: nothing was fitted"))
    }
}

/// Chooses and fits several times, each with its own error. Returns `Err` only if the device fails.
pub fn fit_choices(choices: Vec<Choice>, device: Device) -> PolarsResult<Vec<PolarsResult<Fitted>>> {
    let chosen = choose(choices, device)?;
    let fitted = try_map_ok(chosen, |chosen| fit_many(chosen.into_iter().map(Chosen::fit).collect(), device))?;
    // The fits on a part of the rows would only warn of the same things again.
    Ok(fitted.into_iter().map(|fitted| fitted.map(|(_, fitted)| fitted)).collect())
}

/// A choice that has been made.
struct Chosen<'a> {
    given: Given<'a>,
    options: Cow<'a, Options>,
}

impl Chosen<'_> {
    /// The fit on all rows.
    fn fit(&self) -> Fit<'_> {
        Fit { given: self.given, options: &self.options }
    }
}

/// Makes the choices: the fits that they compare run together.
fn choose(choices: Vec<Choice>, device: Device) -> PolarsResult<Vec<PolarsResult<Chosen>>> {
    let contests = pool::map(choices, |choice| Ok(Contest::new(choice)))?;
    let chosen = try_map_ok(contests, |contests| {
        let fits = contests.iter().flat_map(|contest| contest.fits()).collect();
        let splits = contests.iter().flat_map(|contest| contest.fits().filter_map(|_| contest.split.as_ref()));
        let fitted = splits.zip(fit_many(fits, device)?).collect();
        let criterion = |(split, fitted): (&Split, PolarsResult<Fitted>)| split.criterion(&fitted?.model, device);
        let mut criteria = pool::map(fitted, |fitted| Ok(criterion(fitted)))?.into_iter();
        let per_contest = |contest: &&Contest| criteria.by_ref().take(contest.compared.len()).collect();
        Ok(contests.iter().map(per_contest).collect())
    })?;
    Ok(chosen.into_iter().map(|chosen| chosen.map(|(contest, criteria)| contest.choose(criteria))).collect())
}

/// A choice, with the rows and the options that it compares.
struct Contest<'a> {
    choice: Choice<'a>,
    /// None if there is only one value.
    split: Option<Split>,
    /// The options with each value.
    compared: Vec<Options>,
}

impl<'a> Contest<'a> {
    fn new(choice: Choice<'a>) -> PolarsResult<Self> {
        let Choice { given, options, loss_weights } = choice;
        if loss_weights.len() < 2 {
            return Ok(Self { choice, split: None, compared: vec![] });
        }
        let rows = TrainingRows::usable(given.columns, given.labels, options.missing)?.in_content_order()?;
        let split = Split::draw(&rows, options.seed)?;
        // The ensembles are compared: a distilled network learns to be like its ensemble.
        let with = |loss_weight: &f64| Options { loss_weight: *loss_weight, distil: false, ..options.clone() };
        Ok(Self { choice, split: Some(split), compared: loss_weights.iter().map(with).collect() })
    }

    /// The fits with each value on the rows that are not held out.
    fn fits(&self) -> impl Iterator<Item = Fit<'_>> {
        self.split.iter().flat_map(|split| {
            let (columns, labels) = &split.fitted;
            let given = Given::table(columns, labels.as_ref());
            self.compared.iter().map(move |options| Fit { given, options })
        })
    }

    /// Chooses by the criterion of each value.
    fn choose(self, criteria: Vec<f64>) -> Chosen<'a> {
        let Choice { given, options, loss_weights } = self.choice;
        let options = match self.split {
            None => Cow::Borrowed(options),
            Some(split) => {
                let best = first_of_the_best(&criteria, split.compared_rows());
                Cow::Owned(Options { loss_weight: loss_weights[best], ..options.clone() })
            }
        };
        Chosen { given, options }
    }
}

/// Rows to fit on, and rows held out.
struct Split {
    fitted: (Columns, Option<Labels>),
    held: (Columns, Option<Labels>),
    seed: u64,
}

impl Split {
    /// Draws by the seed alone, so that all values are compared on the same rows.
    fn draw(rows: &TrainingRows, seed: u64) -> PolarsResult<Self> {
        let (columns, labels) = (&rows.columns, rows.labels.as_ref());
        let mut rng = Stream::HeldOut.generator(seed);
        let anomalous = |row: usize| labels.is_some_and(|labels| labels.is_anomaly(row));
        let (mut held, mut fitted) = (vec![], vec![]);
        // The same share of the known anomalies and of the other rows is held out.
        for known in [false, true] {
            let mut rows: Vec<IdxSize> =
                (0..columns.rows()).filter(|row| anomalous(*row) == known).map(|row| row as IdxSize).collect();
            rows.shuffle(&mut rng);
            let count = (rows.len() / ONE_IN).min(MOST);
            polars_ensure!(count > 0 || (known && labels.is_none()), NoData:
                "anorand: a choice among values of loss_weight needs at least {ONE_IN} {} without a missing value, got {}: give one \
                 value", if known { "labelled anomalies" } else { "rows" }, rows.len());
            fitted.extend(rows.split_off(count));
            held.extend(rows);
        }
        // A fit brings the rows into an order of its own; this one is quick to gather.
        fitted.sort_unstable();
        let part = |rows: Vec<IdxSize>| -> PolarsResult<(Columns, Option<Labels>)> {
            let labels = labels.map(|labels| labels.gather(&rows));
            Ok((columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?, labels))
        };
        Ok(Self { fitted: part(fitted)?, held: part(held)?, seed })
    }

    /// The number of held-out rows in the smaller of the two classes that the criterion compares.
    fn compared_rows(&self) -> usize {
        let (columns, labels) = &self.held;
        let anomalies = labels.as_ref().map(|labels| labels.count(Some(true)));
        anomalies.map_or(columns.rows(), |anomalies| anomalies.min(columns.rows() - anomalies))
    }

    /// How well a model tells the held-out rows from anomalies or noise.
    fn criterion(&self, model: &Model, device: Device) -> PolarsResult<f64> {
        let (held, labels) = &self.held;
        if let Some(labels) = labels {
            let scores: Vec<f32> = scoring::score(model, held, device)?.iter().map(Option::unwrap_or_default).collect();
            let (anomalies, others): (Vec<_>, Vec<_>) =
                scores.iter().zip(labels.anomalies()).partition(|(_, anomaly)| *anomaly);
            let scores = |rows: Vec<(&f32, bool)>| rows.into_iter().map(|(score, _)| *score).collect::<Vec<f32>>();
            return Ok(auc_roc(&scores(others), &scores(anomalies)));
        }
        let rows = model.scaled_rows(held)?;
        let mut rng = Stream::HeldOutNoise.generator(self.seed);
        let scores = |rows: &Array2<f32>| -> PolarsResult<Vec<f32>> {
            let heads = scoring::heads_of_model(model, rows.view(), device)?;
            Ok(model.metadata().combiner.scores_of_networks(&heads))
        };
        Ok(auc_roc(&scores(&rows)?, &scores(&noise_around(&rows, &mut rng))?))
    }
}

/// The place of the first criterion within one standard error of the highest, on `rows` rows of the
/// smaller class.
fn first_of_the_best(criteria: &[f64], rows: usize) -> usize {
    let best = criteria.iter().copied().fold(0.0, f64::max);
    let error = (best * (1.0 - best) / rows.max(1) as f64).sqrt();
    criteria.iter().position(|criterion| *criterion >= best - error).unwrap_or(0)
}

/// Draws as many rows of noise as there are rows, uniform in their box.
fn noise_around(rows: &Array2<f32>, rng: &mut impl Rng) -> Array2<f32> {
    let ends = |column: ArrayView1<f32>| {
        column.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
    };
    let ends: Vec<(f32, f32)> = rows.columns().into_iter().map(ends).collect();
    Array2::from_shape_fn(rows.dim(), |(_, j)| ends[j].0 + rng.random::<f32>() * (ends[j].1 - ends[j].0))
}

/// The probability that a random number of `higher` is above a random one of `lower`. Equal numbers
/// count half.
fn auc_roc(lower: &[f32], higher: &[f32]) -> f64 {
    let mut all: Vec<(f32, bool)> =
        lower.iter().map(|score| (*score, false)).chain(higher.iter().map(|score| (*score, true))).collect();
    all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut won) = (0usize, 0.0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let high = equal.iter().filter(|(_, high)| *high).count();
        let low = equal.len() - high;
        won += high as f64 * (below as f64 + low as f64 / 2.0);
        below += low;
    }
    won / (lower.len() * higher.len()).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Missing, Preset};

    #[test]
    fn the_auc_counts_pairs() {
        assert_eq!(auc_roc(&[0.1, 0.2], &[0.3, 0.4]), 1.0);
        assert_eq!(auc_roc(&[0.3, 0.4], &[0.1, 0.2]), 0.0);
        assert_eq!(auc_roc(&[0.1, 0.3], &[0.2, 0.3]), (1.0 + 0.0 + 1.0 + 0.5) / 4.0);
        assert_eq!(auc_roc(&[0.5; 3], &[0.5; 4]), 0.5);
    }

    fn frame() -> DataFrame {
        let t: Vec<f64> = (0..400).map(|at| f64::from(at) / 40.0).collect();
        let double: Vec<f64> = t.iter().map(|t| 2.0 * t).collect();
        df!("t" => t, "double" => double).unwrap()
    }

    fn options() -> Options {
        Options { max_features: 1.0, kept_rows: 0, ..Options::preset(Preset::Default) }
    }

    fn fitted(labels: Option<&Labels>, options: &Options, loss_weights: &[f64]) -> PolarsResult<Model> {
        let columns = Columns::from_frame(&frame()).unwrap();
        let given = Given::table(&columns, labels);
        Ok(Choice { given, options, loss_weights }.fit(Device::Cpu)?.model)
    }

    #[test]
    fn the_fit_with_the_chosen_value_is_the_one_with_that_value_alone() {
        let chosen = fitted(None, &options(), &[0.0, 0.9]).unwrap();
        let chosen_options = &chosen.metadata().options;
        assert!([0.0, 0.9].contains(&chosen_options.loss_weight));
        let alone = fitted(None, chosen_options, &[]).unwrap();
        assert_eq!((chosen.weights(), chosen.metadata()), (alone.weights(), alone.metadata()));
    }

    #[test]
    fn the_choice_does_not_depend_on_distillation() {
        let plain = fitted(None, &options(), &[0.9, 0.1]).unwrap();
        let distilled = fitted(None, &Options { distil: true, ..options() }, &[0.9, 0.1]).unwrap();
        assert!(distilled.metadata().distilled.is_some());
        assert_eq!(plain.metadata().options.loss_weight, distilled.metadata().options.loss_weight);
    }

    #[test]
    fn a_missing_value_is_named_with_its_row_in_the_callers_table() {
        let frame = df!("a" => [Some(9.0), Some(8.0), None, Some(7.0)]).unwrap();
        let options = Options { missing: Missing::Error, ..options() };
        let columns = Columns::from_frame(&frame).unwrap();
        let given = Given::table(&columns, None);
        let choice = Choice { given, options: &options, loss_weights: &[0.2, 0.5] };
        let message = choice.fit(Device::Cpu).err().unwrap().to_string();
        assert!(message.contains("in row 2"), "{message}");
    }

    #[test]
    fn with_labels_known_anomalies_decide() {
        let labels = |anomalous: fn(i32) -> bool| {
            Labels::from_series(&Series::new("y".into(), (0..400).map(anomalous).collect::<Vec<_>>())).unwrap()
        };
        let model = fitted(Some(&labels(|row| row % 20 == 3)), &options(), &[0.2, 0.8]).unwrap();
        assert!([0.2, 0.8].contains(&model.metadata().options.loss_weight));
        let error = fitted(Some(&labels(|row| row < 3)), &options(), &[0.2, 0.8]).err().unwrap();
        assert!(error.to_string().contains("at least 5 labelled anomalies"), "{error}");
    }

    #[test]
    fn the_first_of_those_that_are_as_good_is_chosen() {
        // One standard error of 0.9 on 100 rows is 0.03.
        assert_eq!(first_of_the_best(&[0.88, 0.9, 0.5], 100), 0);
        assert_eq!(first_of_the_best(&[0.86, 0.9, 0.89], 100), 1);
        assert_eq!(first_of_the_best(&[0.88, 0.9], 10_000), 1);
        assert_eq!(first_of_the_best(&[1.0, 1.0], 100), 0);
    }

    #[test]
    fn the_noise_lies_in_the_box_of_the_rows() {
        let rows = Array2::from_shape_fn((50, 2), |(row, feature)| (row * (feature + 1)) as f32);
        let noise = noise_around(&rows, &mut Stream::HeldOutNoise.generator(0));
        assert!(noise.column(0).iter().all(|value| (0.0..=49.0).contains(value)));
        assert!(noise.column(1).iter().any(|value| *value > 60.0));
    }
}
