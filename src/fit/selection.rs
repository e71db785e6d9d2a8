//! A choice among candidate options that needs no labels: by how well each tells rows that it has not seen from noise.
//!
//! A share of the rows is held out. Each candidate is fitted on the rest. It then scores the held-out rows and the same number
//! of anomalies, uniform in the box of the held-out rows; its criterion is the AUC-ROC between the two. With labels, the held-out known
//! anomalies are those to be told from the other held-out rows. Chosen is the first candidate within one standard error of the
//! best, so that chance decides little: the value that one would take without a choice comes first. It is then fitted on all
//! rows, as it would be alone.

use ndarray::{Array2, ArrayView1};
use polars::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::data::{Columns, Labels};
use crate::engine::Device;
use crate::model::{Candidate, Model};
use crate::options::Options;
use crate::pool;
use crate::scoring;

use super::beside;
use super::recipe::fit_many;
use super::task::{Fit, Fitted, Given};
use super::training_rows::{in_content_order, training_rows};

/// One row of `ONE_IN` is held out, and at most `MOST` rows.
const ONE_IN: usize = 5;
const MOST: usize = 2_000;

/// A fit whose options are chosen among candidates. There is at least one; a single one is fitted as it is.
#[derive(Clone, Copy)]
pub struct Choice<'a> {
    pub given: Given<'a>,
    pub candidates: &'a [Options],
}

/// Fit the best of the candidates, by how well each tells held-out rows from noise, or from known anomalies.
///
/// # Errors
/// As [`crate::fit()`], and `NoData` for too few rows to hold some out.
pub fn fit_best(
    columns: &Columns,
    labels: Option<&Labels>,
    candidates: &[Options],
    device: Device,
) -> PolarsResult<Fitted> {
    Choice { given: Given::table(columns, labels), candidates }.fit(device)
}

impl Choice<'_> {
    /// The best candidate, fitted.
    pub fn fit(self, device: Device) -> PolarsResult<Fitted> {
        let fitted = fit_best_of_each(vec![self], device)?.pop();
        fitted.unwrap_or_else(|| polars_bail!(ComputeError: "anorand: nothing was fitted"))
    }
}

/// The best candidate of each choice, fitted. Each has its own error; an error of the whole is the device's.
pub fn fit_best_of_each(choices: Vec<Choice>, device: Device) -> PolarsResult<Vec<PolarsResult<Fitted>>> {
    let fitted =
        beside(judge(choices, device)?, |judged| fit_many(judged.into_iter().map(Judged::fit).collect(), device))?;
    let fitted = fitted.into_iter().map(|fitted| {
        let (Judged { candidates, .. }, Fitted { model, warnings }) = fitted?;
        let model = if candidates.is_empty() { model } else { model.with_candidates(candidates) };
        // Warnings of the candidates would say the same again.
        Ok(Fitted { model, warnings })
    });
    Ok(fitted.collect())
}

/// A choice that has been made.
struct Judged<'a> {
    choice: Choice<'a>,
    chosen: usize,
    /// What each candidate reached, if there are several
    candidates: Vec<Candidate>,
}

impl Judged<'_> {
    /// The chosen candidate's fit on all rows.
    fn fit(&self) -> Fit<'_> {
        Fit { given: self.choice.given, options: &self.choice.candidates[self.chosen] }
    }
}

/// The candidates of each choice that has several are fitted, all of them together, and compared.
fn judge(choices: Vec<Choice>, device: Device) -> PolarsResult<Vec<PolarsResult<Judged>>> {
    let contests = pool::map(choices, |choice| Ok(Contest::of(choice)))?;
    let judged = beside(contests, |contests| {
        let fits = contests.iter().flat_map(|contest| contest.fits()).collect();
        let splits = contests.iter().flat_map(|contest| contest.fits().filter_map(|_| contest.split.as_ref()));
        let fitted = splits.zip(fit_many(fits, device)?).collect();
        let criterion = |(split, fitted): (&Split, PolarsResult<Fitted>)| split.criterion(&fitted?.model, device);
        let mut criteria = pool::map(fitted, |fitted| Ok(criterion(fitted)))?.into_iter();
        let of_contest = |contest: &&Contest| criteria.by_ref().take(contest.fits().count()).collect();
        Ok(contests.iter().map(of_contest).collect())
    })?;
    Ok(judged.into_iter().map(|judged| judged.map(|(contest, criteria)| contest.judged(criteria))).collect())
}

/// A choice, and what its candidates are compared on if there are several.
struct Contest<'a> {
    choice: Choice<'a>,
    split: Option<Split>,
    /// The candidates as they are compared
    compared: Vec<Options>,
}

impl<'a> Contest<'a> {
    fn of(choice: Choice<'a>) -> PolarsResult<Self> {
        let [first, others @ ..] = choice.candidates else {
            polars_bail!(ComputeError: "anorand: there is no candidate to fit");
        };
        if others.is_empty() {
            return Ok(Self { choice, split: None, compared: vec![] });
        }
        let (usable, labels) = training_rows(choice.given.columns, choice.given.labels, first.missing)?;
        let (ordered, labels, _) = in_content_order(usable, labels, None)?;
        let split = Split::draw(&ordered, labels.as_ref(), first.seed)?;
        // A network that learns to be like the ensemble is judged by it.
        let compared = |options: &Options| Options { distil: false, ..options.clone() };
        Ok(Self { choice, split: Some(split), compared: choice.candidates.iter().map(compared).collect() })
    }

    /// A fit of each candidate on the rows that are not held out.
    fn fits(&self) -> impl Iterator<Item = Fit<'_>> {
        self.split.iter().flat_map(|split| {
            let (columns, labels) = &split.fitted;
            let given = Given::table(columns, labels.as_ref());
            self.compared.iter().map(move |options| Fit { given, options })
        })
    }

    /// From the criterion of each candidate.
    fn judged(self, criteria: Vec<f64>) -> Judged<'a> {
        let candidate = |(options, criterion): (&Options, f64)| Candidate { options: options.clone(), criterion };
        let candidates: Vec<Candidate> = self.choice.candidates.iter().zip(criteria).map(candidate).collect();
        let chosen = self.split.map_or(0, |split| first_of_the_best(&candidates, split.compared_rows()));
        Judged { choice: self.choice, chosen, candidates }
    }
}

/// Rows to fit candidates on, and rows held out.
struct Split {
    fitted: (Columns, Option<Labels>),
    held: (Columns, Option<Labels>),
    seed: u64,
}

impl Split {
    /// By the seed alone, so that all candidates get the same rows.
    fn draw(columns: &Columns, labels: Option<&Labels>, seed: u64) -> PolarsResult<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Members use the streams from 0 on.
        rng.set_stream(u64::MAX);
        let anomalous = |row: usize| labels.is_some_and(|labels| labels.is_anomaly(row));
        let (mut held, mut fitted) = (vec![], vec![]);
        // Known anomalies are held out in the same share as other rows.
        for known in [false, true] {
            let mut rows: Vec<IdxSize> =
                (0..columns.rows()).filter(|row| anomalous(*row) == known).map(|row| row as IdxSize).collect();
            rows.shuffle(&mut rng);
            let count = (rows.len() / ONE_IN).min(MOST);
            polars_ensure!(count > 0 || (known && labels.is_none()), NoData:
                "anorand: a choice among candidates needs at least {ONE_IN} {} without a missing value, got {}: give one value \
                 of each option", if known { "labelled anomalies" } else { "rows" }, rows.len());
            fitted.extend(rows.split_off(count));
            held.extend(rows);
        }
        // A fit brings them into an order of its own; this one is quick to gather.
        fitted.sort_unstable();
        let part = |rows: Vec<IdxSize>| -> PolarsResult<(Columns, Option<Labels>)> {
            let labels = labels.map(|labels| labels.gather(&rows));
            Ok((columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, rows))?, labels))
        };
        Ok(Self { fitted: part(fitted)?, held: part(held)?, seed })
    }

    /// The number of rows of the smaller class that is compared, which bounds what the criterion can tell.
    fn compared_rows(&self) -> usize {
        let (columns, labels) = &self.held;
        let anomalies = labels.as_ref().map(|labels| labels.count(Some(true)));
        anomalies.map_or(columns.rows(), |anomalies| anomalies.min(columns.rows() - anomalies))
    }

    /// How well a model tells the held-out rows from anomalies.
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
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::MAX - 1);
        let scores = |rows: &Array2<f32>| -> PolarsResult<Vec<f32>> {
            let heads = scoring::heads_of_model(model, rows.view(), device)?;
            Ok(model.metadata().combiner.scores_of_networks(&heads))
        };
        Ok(auc_roc(&scores(&rows)?, &scores(&anomalies_of(&rows, &mut rng))?))
    }
}

/// The first candidate whose criterion is within one standard error of the highest, on `rows` rows of the smaller class.
fn first_of_the_best(judged: &[Candidate], rows: usize) -> usize {
    let best = judged.iter().map(|candidate| candidate.criterion).fold(0.0, f64::max);
    let error = (best * (1.0 - best) / rows.max(1) as f64).sqrt();
    judged.iter().position(|candidate| candidate.criterion >= best - error).unwrap_or(0)
}

/// Anomalies in the same number as the rows, uniform in their box.
fn anomalies_of(rows: &Array2<f32>, rng: &mut impl Rng) -> Array2<f32> {
    let ends = |column: ArrayView1<f32>| {
        column.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
    };
    let ends: Vec<(f32, f32)> = rows.columns().into_iter().map(ends).collect();
    Array2::from_shape_fn(rows.dim(), |(_, j)| ends[j].0 + rng.random::<f32>() * (ends[j].1 - ends[j].0))
}

/// The probability that a random one of `higher` is above a random one of `lower`; equal ones count half.
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

    fn options(loss_weight: f64) -> Options {
        Options { loss_weight, max_features: 1.0, kept_rows: 0, ..Options::preset(Preset::Default) }
    }

    #[test]
    fn the_best_candidate_is_fitted_as_if_alone() {
        let columns = Columns::from_frame(&frame()).unwrap();
        let untrained = Options { learning_rate: 1e-12, ..options(0.2) };
        let candidates = [untrained, options(0.2)];
        let chosen = fit_best(&columns, None, &candidates, Device::Cpu).unwrap().model;
        let alone = fit_best(&columns, None, &candidates[1..], Device::Cpu).unwrap().model;
        assert_eq!(chosen.weights(), alone.weights());
        assert_eq!(chosen.metadata().options, candidates[1]);
        let judged = chosen.metadata().candidates.as_ref().unwrap();
        assert!(judged[1].criterion > judged[0].criterion + 0.1, "{judged:?}");
        assert!(alone.metadata().candidates.is_none());
    }

    #[test]
    fn a_missing_value_is_named_with_its_row_in_the_callers_table() {
        let frame = df!("a" => [Some(9.0), Some(8.0), None, Some(7.0)]).unwrap();
        let refused = |loss_weight| Options { missing: Missing::Error, ..options(loss_weight) };
        let candidates = [refused(0.2), refused(0.5)];
        let columns = Columns::from_frame(&frame).unwrap();
        let message = fit_best(&columns, None, &candidates, Device::Cpu).err().unwrap().to_string();
        assert!(message.contains("in row 2"), "{message}");
    }

    #[test]
    fn with_labels_known_anomalies_decide() {
        let columns = Columns::from_frame(&frame()).unwrap();
        let labels = Series::new("y".into(), (0..400).map(|row| row % 20 == 3).collect::<Vec<_>>());
        let labels = Labels::from_series(&labels).unwrap();
        let candidates = [options(0.2), options(0.8)];
        let model = fit_best(&columns, Some(&labels), &candidates, Device::Cpu).unwrap().model;
        assert_eq!(model.metadata().candidates.as_ref().unwrap().len(), 2);
        let few = Series::new("y".into(), (0..400).map(|row| row < 3).collect::<Vec<_>>());
        let few = Labels::from_series(&few).unwrap();
        let message = fit_best(&columns, Some(&few), &candidates, Device::Cpu).err().unwrap().to_string();
        assert!(message.contains("at least 5 labelled anomalies"), "{message}");
    }

    #[test]
    fn the_first_of_those_that_are_as_good_is_chosen() {
        let judged = |criteria: &[f64]| -> Vec<Candidate> {
            criteria.iter().map(|criterion| Candidate { options: options(0.2), criterion: *criterion }).collect()
        };
        // One standard error of 0.9 on 100 rows is 0.03.
        assert_eq!(first_of_the_best(&judged(&[0.88, 0.9, 0.5]), 100), 0);
        assert_eq!(first_of_the_best(&judged(&[0.86, 0.9, 0.89]), 100), 1);
        assert_eq!(first_of_the_best(&judged(&[0.88, 0.9]), 10_000), 1);
        assert_eq!(first_of_the_best(&judged(&[1.0, 1.0]), 100), 0);
    }

    #[test]
    fn anomalies_lie_in_the_box_of_the_rows() {
        let rows = Array2::from_shape_fn((50, 2), |(row, feature)| (row * (feature + 1)) as f32);
        let noise = anomalies_of(&rows, &mut ChaCha8Rng::seed_from_u64(0));
        assert!(noise.column(0).iter().all(|value| (0.0..=49.0).contains(value)));
        assert!(noise.column(1).iter().any(|value| *value > 60.0));
    }
}
