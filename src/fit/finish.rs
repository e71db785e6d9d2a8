//! All of a fit that comes after its training: heads → kept rows or a student → combiner and score quantiles → model.

use ndarray::{Array2, Axis};
use polars::prelude::{polars_bail, polars_ensure, IdxCa, IdxSize, PlSmallStr, PolarsResult};
use rand::seq::index;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::combiner::{Combiner, Heads};
use crate::data::{FeatureStatistics, Frequencies, Labels, Surprisals, QUANTILES};
use crate::engine::{Checkpoint, Course, Device, Trained, Weights};
use crate::model::{
    Distilled, FeatureQuantiles, LabelCounts, Metadata, Model, Report, ScoreQuantiles, Statistics, VocabularySizes,
    WithinSizes, FORMAT,
};
use crate::neighbours::{keep, Kept, KeptRows};
use crate::options::Options;
use crate::scoring;

use super::distil::{self, Student, Teacher};
use super::prepared::Prepared;
use super::task::Fitted;
use super::warnings;

/// The networks of a model, and what they and its kept rows make of the scored rows.
struct Judged {
    weights: Weights,
    heads: Heads,
    kept: Option<KeptRows>,
    kept_odds: Option<f64>,
    distilled: Option<Distilled>,
}

impl Prepared {
    /// The model of trained networks. It scores training rows on the device.
    pub fn finish(mut self, weights: Weights, trained: Trained, device: Device) -> PolarsResult<Fitted> {
        self.learned = None;
        let mut report = report(trained, &weights, self.rows.nrows(), &self.options)?;
        if let Some(all) = self.of_rows {
            (report.rows, report.sampled) = (all, Some(self.rows.nrows()));
        }
        let scored = scored_rows(self.rows.nrows(), self.options.seed);
        let scored_count = scored.as_ref().map_or(self.rows.nrows(), Vec::len);
        report.scored = (scored_count < report.rows).then_some(scored_count);

        let Judged { weights, heads, kept, kept_odds, distilled } = self.judge(weights, scored.as_deref(), device)?;
        if let Some(scored) = &scored {
            let numbers = scored.iter().map(|row| *row as IdxSize).collect();
            self.columns = self.columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, numbers))?;
        }
        let surprises = self.surprisals.as_ref().map(|all| all.of_training_rows(&self.columns, &self.inputs));
        let surprises = surprises.transpose()?;
        let weight = kept_odds.map_or(1.0, |odds| odds * self.options.kept_weight);
        let combination = self.options.combination;
        let combiner = Combiner::fit(&heads, surprises.as_deref().unwrap_or_default(), combination, weight);
        let quantiles = ScoreQuantiles::from_scores(&combiner.scores(&heads, surprises.as_deref()));
        self.warnings.extend(distilled.as_ref().and_then(warnings::of_distillation));

        let learning_rate = self.options.learning_rate;
        let metadata = Metadata {
            format: FORMAT,
            features: self.columns.features().to_vec(),
            encoding: self.inputs,
            knots: self.surprisals.as_ref().map(Surprisals::knots),
            within: self.surprisals.as_ref().map(within),
            frequencies: self
                .frequencies
                .iter()
                .map(|found| found.as_ref().map(VocabularySizes::from_frequencies))
                .collect(),
            labels: self.labels.as_ref().map(counts),
            options: self.options,
            members: weights.members(),
            inputs: weights.shape().inputs,
            distilled,
            combiner,
            // Of a model that keeps them
            kept_odds: kept_odds.filter(|_| kept.is_some()),
            training: report,
            candidates: None,
        };
        let statistics = Statistics {
            medians: self.statistics.iter().map(|feature| feature.median).collect(),
            feature_quantiles: feature_quantiles(&self.statistics, &self.frequencies),
            scaling: self.scaling,
            reference: self.reference,
            quantiles,
            surprisals: self.surprisals,
            kept,
        };
        let model = Model::new(metadata, statistics, self.frequencies, weights);
        // What a file is refused for, a fit does not return.
        if let Some(fault) = model.fault() {
            polars_bail!(ComputeError:
                "anorand: the fit gave a model that can't be used: {fault}; lower learning_rate (now {learning_rate})");
        }
        Ok(Fitted { model, warnings: self.warnings })
    }

    /// Takes the rows: where there are many, those that are not judged have no further use, and go before the others are.
    fn judge(&mut self, weights: Weights, scored: Option<&[usize]>, device: Device) -> PolarsResult<Judged> {
        let rows = std::mem::take(&mut self.rows);
        let options = &self.options;
        let keep = |seen: &Array2<f32>, rows: &Array2<f32>| {
            keep(rows, &self.inputs.owners(), self.anomalies.as_deref(), seen.view(), options)
        };
        if options.distil {
            let judged = match options.distils_kept_rows() {
                // An ensemble that only teaches has no score.
                true => distil::judged_rows(rows.nrows(), options.seed)?,
                false => scored.map(<[usize]>::to_vec),
            };
            let part = judged.as_ref().map(|judged| rows.select(Axis(0), judged));
            let seen = part.as_ref().unwrap_or(&rows);
            let kept = keep(seen, &rows)?;
            let mut student = distilled(weights, kept, &rows, seen, options, device)?;
            if judged.as_deref() != scored {
                let part = scored.map(|scored| rows.select(Axis(0), scored));
                student.heads = scoring::heads(&student.weights, part.as_ref().unwrap_or(&rows).view(), device)?;
            }
            return Ok(student);
        }
        let (seen, kept) = match scored {
            None => {
                let kept = keep(&rows, &rows)?;
                (rows, kept)
            }
            Some(scored) => {
                let seen = rows.select(Axis(0), scored);
                let kept = keep(&seen, &rows)?;
                (seen, kept)
            }
        };
        let mut heads = scoring::heads(&weights, seen.view(), device)?;
        let (kept, kept_odds) = kept.map(|kept| kept.weighed(options.kept_weight, &mut heads.error)).unzip();
        Ok(Judged { weights, heads, kept, kept_odds, distilled: None })
    }
}

/// One network in the place of an ensemble, on the rows that are seen of all rows.
fn distilled(
    teacher: Weights,
    kept: Option<Kept>,
    rows: &Array2<f32>,
    seen: &Array2<f32>,
    options: &Options,
    device: Device,
) -> PolarsResult<Judged> {
    let heads = scoring::heads(&teacher, seen.view(), device)?;
    let teacher = Teacher { weights: &teacher, heads, kept, judged: seen.view(), device };
    let Student { weights, heads, kept, kept_odds, distilled } = teacher.distil(rows.view(), options)?;
    Ok(Judged { weights, heads, kept, kept_odds, distilled: Some(distilled) })
}

/// What a training did, as a model says it; an error if it diverged.
pub fn report(trained: Trained, weights: &Weights, rows: usize, options: &Options) -> PolarsResult<Report> {
    let Trained { course, before, after, between } = trained;
    // Weights too: a unit whose weights are no longer numbers may be one that the losses do not show.
    let finite = after.cross_entropy.is_finite() && after.reconstruction.is_finite() && weights.all_finite();
    polars_ensure!(finite, ComputeError:
        "anorand: the training diverged: the loss is no longer a number; lower learning_rate (now {})",
        options.learning_rate);
    let Course { normal_rows, synthetic_rows, epochs, steps } = course;
    Ok(Report {
        rows,
        sampled: None,
        scored: None,
        normal_rows,
        synthetic_rows,
        epochs,
        steps,
        before,
        after,
        // What overflowed on the way, and did not at the end, has no place in a file.
        between: between.into_iter().filter(Checkpoint::is_finite).collect(),
    })
}

/// The most training rows that are scored for α and the quantiles of the scores: a share of 1 % is then met to 0.01 %, one standard error.
const MOST_SCORED: usize = 1_000_000;

/// The rows to be scored, of rows in the order of their contents, so that it does not matter where they stood; None for all.
fn scored_rows(rows: usize, seed: u64) -> Option<Vec<usize>> {
    if rows <= MOST_SCORED {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Members use the streams from 0 on, a choice among candidates the last two.
    rng.set_stream(u64::MAX - 2);
    let mut scored = index::sample(&mut rng, rows, MOST_SCORED).into_vec();
    scored.sort_unstable();
    Some(scored)
}

fn feature_quantiles(statistics: &[FeatureStatistics], frequencies: &[Option<Frequencies>]) -> FeatureQuantiles {
    let in_order = |(feature, counts): (&FeatureStatistics, &Option<Frequencies>)| match counts {
        // The values of a category have no order.
        Some(_) => ([0.0; QUANTILES], [0; QUANTILES]),
        None => (feature.quantiles, feature.at_most),
    };
    let (values, at_most) = statistics.iter().zip(frequencies).map(in_order).unzip();
    let missing = statistics.iter().map(|feature| feature.missing as u64).collect();
    FeatureQuantiles { values, at_most, missing }
}

fn within(surprisals: &Surprisals) -> Vec<Option<WithinSizes>> {
    surprisals.of.iter().map(|of| of.within.as_ref().map(WithinSizes::from_within)).collect()
}

fn counts(labels: &Labels) -> LabelCounts {
    let [anomalies, normal, unlabelled] = [Some(true), Some(false), None].map(|label| labels.count(label));
    LabelCounts { anomalies, normal, unlabelled }
}
