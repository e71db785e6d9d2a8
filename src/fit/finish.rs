//! All of a fit that comes after its training: heads → kept rows or a student → combiner and
//! quantiles of the scores → model.

use ndarray::{Array2, Axis};
use polars::prelude::{polars_bail, polars_ensure, IdxCa, IdxSize, PlSmallStr, PolarsResult};
use rand::seq::index;

use crate::cells::Given;
use crate::combiner::{Combiner, Heads, Weighting};
use crate::data::{encoders, Encoding, FeatureStatistics, Frequencies, Kind, Labels, QUANTILES};
use crate::engine::{Checkpoint, Course, Device, Trained, Weights};
use crate::model::{
    Distilled, FeatureQuantiles, LabelCounts, Metadata, Model, Ordinary, Report, ScoreQuantiles, Statistics,
    VocabularySizes, FORMAT,
};
use crate::neighbours::{keep, Kept, KeptRows};
use crate::options::Options;
use crate::robust::{quantile_of_sorted, sorted};
use crate::scoring;

use super::distil::{self, Student, Teacher};
use super::prepared::{Encoded, FittedCells, Prepared};
use super::streams::Stream;
use super::task::Fitted;
use super::warnings;

/// The share of the training rows that explanations may compare with. With fewer, such as those below
/// the median, a table of a few kinds of rows would lack some of these kinds.
const ORDINARY: f64 = 0.9;

/// The networks of a model, and the heads that they and its kept rows give the scored rows.
struct Judged {
    weights: Weights,
    heads: Heads,
    kept: Option<KeptRows>,
    kept_odds: Option<f64>,
    distilled: Option<Distilled>,
}

impl Prepared {
    /// Makes the model of trained networks. The device scores training rows for it.
    pub fn finish(mut self, weights: Weights, trained: Trained, device: Device) -> PolarsResult<Fitted> {
        self.encoded.learned = None;
        let scored = scored_rows(self.encoded.rows.nrows(), self.options.seed);
        let report = self.report(trained, &weights, scored.as_deref())?;
        let judged = self.judge(weights, scored.as_deref(), device)?;
        if let Some(scored) = &scored {
            let numbers = scored.iter().map(|row| *row as IdxSize).collect();
            let numbers = IdxCa::from_vec(PlSmallStr::EMPTY, numbers);
            self.columns = self.columns.gather(&numbers)?;
            self.texts = self.texts.map(|texts| texts.gather(&numbers)).transpose()?;
            if let Some(cells) = &mut self.cells {
                cells.select(scored);
            }
        }
        let (combiner, scores) = self.combine(&judged);
        let (quantiles, ordinary) = (ScoreQuantiles::from_scores(&scores), self.ordinary(&scores)?);

        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(judged.distilled.as_ref().and_then(warnings::distillation_warning));
        let learning_rate = self.options.learning_rate;
        let model = self.into_model(judged, combiner, (quantiles, ordinary), report);
        // A fit does not return what the reader of a file would refuse.
        if let Some(fault) = model.fault() {
            polars_bail!(ComputeError:
                "anorand: the fit gave a model that can't be used: {fault}; lower learning_rate (now {learning_rate})");
        }
        Ok(Fitted { model, warnings })
    }

    /// What the training did, and on how many rows.
    fn report(&self, trained: Trained, weights: &Weights, scored: Option<&[usize]>) -> PolarsResult<Report> {
        let rows = self.encoded.rows.nrows();
        let mut report = report(trained, weights, rows, &self.options)?;
        if let Some(all) = self.all_rows {
            (report.rows, report.sampled) = (all, Some(rows));
        }
        let scored = scored.map_or(rows, <[usize]>::len);
        report.scored = (scored < report.rows).then_some(scored);
        Ok(report)
    }

    /// How the parts of the score are combined, and the training rows' scores.
    fn combine(&self, judged: &Judged) -> (Combiner, Vec<f32>) {
        let usual = self.cells.as_ref().map_or(&[][..], |cells| &cells.without_itself);
        // The cells don't look at the hour or the weekday of a time by itself, and the networks do.
        let kinds = || self.columns.features().iter().map(|feature| feature.kind);
        let has_times = kinds().any(Kind::recurs);
        let odds = judged.kept_odds;
        let weighting = Weighting {
            error: odds.map_or(1.0, |odds| odds * self.options.kept_weight),
            odds,
            networks: has_times.then_some(1.0),
            only_numbers: kinds().all(|kind| kind == Kind::Number),
        };
        let combiner = Combiner::fit(&judged.heads, usual, self.options.combination, weighting);
        let as_scored = self.cells.as_ref().map(|cells| cells.as_scored.as_slice());
        let scores = combiner.scores(&judged.heads, as_scored);
        (combiner, scores)
    }

    /// Chooses training rows that do not score among the highest tenth, evenly in the order of their contents.
    fn ordinary(&self, scores: &[f32]) -> PolarsResult<Ordinary> {
        let high = quantile_of_sorted(&sorted(scores), ORDINARY);
        let below: Vec<usize> = (0..scores.len()).filter(|row| f64::from(scores[*row]) <= high).collect();
        let count = below.len().min(Ordinary::most(self.encoded.inputs.count()));
        let chosen = (0..count).map(|at| below[at * below.len() / count] as IdxSize).collect();
        let chosen = IdxCa::from_vec(PlSmallStr::EMPTY, chosen);
        let columns = self.columns.gather(&chosen)?;
        let encoders = encoders(&self.frequencies);
        let Encoded { inputs, scaling, reference, .. } = &self.encoded;
        let rows = columns.scaled(&Encoding { inputs, encoders: &encoders, scaling, reference })?;
        let rows = rows.into_raw_vec_and_offset().0;
        let Some(FittedCells { cells, .. }) = &self.cells else { return Ok(Ordinary { rows, ..Ordinary::default() }) };
        let texts = self.texts.as_ref().map(|texts| texts.gather(&chosen)).transpose()?;
        let given = Given::read(&columns, texts.as_ref(), &self.frequencies, None)?;
        let evidence = cells.evidence(&given.columns())?;
        Ok(Ordinary { rows, evidence: evidence.rows, parts: evidence.parts })
    }

    fn into_model(
        self,
        judged: Judged,
        combiner: Combiner,
        (quantiles, ordinary): (ScoreQuantiles, Ordinary),
        report: Report,
    ) -> Model {
        let Judged { weights, kept, kept_odds, distilled, heads: _ } = judged;
        let Encoded { statistics, inputs, scaling, reference, .. } = self.encoded;
        let all_inputs = inputs.count();
        let metadata = Metadata {
            format: FORMAT,
            features: self.columns.features().to_vec(),
            encoding: inputs,
            cells: self.cells.as_ref().map(|fitted| fitted.cells.metadata()),
            ordinary: ordinary.rows.len() / all_inputs.max(1),
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
            // Only for a model that keeps rows.
            kept_odds: kept_odds.filter(|_| kept.is_some()),
            training: report,
        };
        let statistics = Statistics {
            medians: statistics.iter().map(|feature| feature.median).collect(),
            feature_quantiles: feature_quantiles(&statistics, &self.frequencies),
            scaling,
            reference,
            quantiles,
            cells: self.cells.map(|fitted| fitted.cells),
            ordinary,
            kept,
        };
        Model::new(metadata, statistics, self.frequencies, weights)
    }

    /// Computes the heads of the scored rows, and what the model keeps.
    ///
    /// This takes the scaled rows: of many rows, those that are not scored are freed before the
    /// scoring.
    fn judge(&mut self, weights: Weights, scored: Option<&[usize]>, device: Device) -> PolarsResult<Judged> {
        let rows = std::mem::take(&mut self.encoded.rows);
        if self.options.distil {
            return self.judge_student(weights, &rows, scored, device);
        }
        let (seen, kept) = match scored {
            None => {
                let kept = self.keep(&rows, &rows)?;
                (rows, kept)
            }
            Some(scored) => {
                let seen = rows.select(Axis(0), scored);
                let kept = self.keep(&seen, &rows)?;
                (seen, kept)
            }
        };
        let mut heads = scoring::heads(&weights, seen.view(), device)?;
        let (kept, kept_odds) = kept.map(|kept| kept.weighed(self.options.kept_weight, &mut heads.error)).unzip();
        Ok(Judged { weights, heads, kept, kept_odds, distilled: None })
    }

    /// The same for one network that takes the place of the ensemble.
    fn judge_student(
        &self,
        weights: Weights,
        rows: &Array2<f32>,
        scored: Option<&[usize]>,
        device: Device,
    ) -> PolarsResult<Judged> {
        let options = &self.options;
        let judged = match options.distils_kept_rows() {
            // An ensemble that only teaches needs no scores of its own.
            true => distil::judged_rows(rows.nrows(), options.seed)?,
            false => scored.map(<[usize]>::to_vec),
        };
        let part = judged.as_ref().map(|judged| rows.select(Axis(0), judged));
        let seen = part.as_ref().unwrap_or(rows);
        let kept = self.keep(seen, rows)?;
        let mut student = distilled(weights, kept, rows, seen, options, device)?;
        if judged.as_deref() != scored {
            let part = scored.map(|scored| rows.select(Axis(0), scored));
            student.heads = scoring::heads(&student.weights, part.as_ref().unwrap_or(rows).view(), device)?;
        }
        Ok(student)
    }

    /// The rows that the model keeps, with their distances from the rows `seen`.
    fn keep(&self, seen: &Array2<f32>, rows: &Array2<f32>) -> PolarsResult<Option<Kept>> {
        let mut rng = Stream::Kept.generator(self.options.seed);
        let (owners, anomalies) = (self.encoded.inputs.owners(), self.anomalies.as_deref());
        keep(rows, &owners, anomalies, seen.view(), &self.options, &mut rng)
    }
}

/// Trains one network to take the place of an ensemble.
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

/// What a training did, as the model reports it; an error if the training diverged.
pub fn report(trained: Trained, weights: &Weights, rows: usize, options: &Options) -> PolarsResult<Report> {
    let Trained { course, before, after, between } = trained;
    // The weights are checked too, since the losses need not show a unit whose weights are no
    // longer numbers.
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
        // A file has no place for a checkpoint that overflowed, even if the end is finite.
        between: between.into_iter().filter(Checkpoint::is_finite).collect(),
    })
}

/// The most training rows that are scored for α and for the quantiles of the scores. The standard
/// error of a share of 1 % is then 0.01 %.
const MOST_SCORED: usize = 1_000_000;

/// Draws the rows to score; None for all. The rows are in the order of their contents, so that it
/// does not matter where they stood in the table.
fn scored_rows(rows: usize, seed: u64) -> Option<Vec<usize>> {
    if rows <= MOST_SCORED {
        return None;
    }
    let mut scored = index::sample(&mut Stream::Scored.generator(seed), rows, MOST_SCORED).into_vec();
    scored.sort_unstable();
    Some(scored)
}

fn feature_quantiles(statistics: &[FeatureStatistics], frequencies: &[Option<Frequencies>]) -> FeatureQuantiles {
    let in_order = |(feature, counts): (&FeatureStatistics, &Option<Frequencies>)| match counts {
        // The values of a category have no order, so that they have no quantiles.
        Some(_) => ([0.0; QUANTILES], [0; QUANTILES]),
        None => (feature.quantiles, feature.at_most),
    };
    let (values, at_most) = statistics.iter().zip(frequencies).map(in_order).unzip();
    let missing = statistics.iter().map(|feature| feature.missing as u64).collect();
    FeatureQuantiles { values, at_most, missing }
}

fn counts(labels: &Labels) -> LabelCounts {
    let [anomalies, normal, unlabelled] = [Some(true), Some(false), None].map(|label| labels.count(label));
    LabelCounts { anomalies, normal, unlabelled }
}
