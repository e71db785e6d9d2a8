//! The recipe: columns → scaling → training sets → training → combiner and score quantiles → model.

use ndarray::{Array2, Axis};
use polars::prelude::{polars_bail, polars_ensure, IdxCa, IdxSize, PlSmallStr, PolarsResult};
use rand::seq::index;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{
    encoders, Columns, Counting, Encoding, FeatureStatistics, Frequencies, Inputs, Labels, Scaling, Surprisals,
    Surprise, Totals, QUANTILES,
};
use crate::engine::{self, Checkpoint, Device, Member, Shape, Training, Weights};
use crate::model::{
    check_writable, Combiner, FeatureQuantiles, LabelCounts, Metadata, Model, Report, ScoreQuantiles, Statistics,
    Vocabulary, VocabularySizes, WithinSizes, FORMAT,
};
use crate::options::{Combination, Options};
use crate::scoring;

use super::distil::{self, Student, Teacher};
use super::feature_bagging::draw_inputs;
use super::kept_rows;
use super::start::Start;
use super::training_rows::{in_content_order, training_rows};
use super::training_set;
use super::warnings::{self, Warning};

/// A model, and what its user should hear about it.
pub struct Fitted {
    pub model: Model,
    pub warnings: Vec<Warning>,
}

/// Fit a model on the rows of `columns`; with labels, known anomalies take the place of synthetic ones.
///
/// # Errors
/// `NoData` for too few rows, and `ComputeError` or `SchemaMismatch` for options, labels or a feature that can't be used, or a
/// training that diverged.
pub fn fit_with_labels(
    columns: &Columns,
    labels: Option<&Labels>,
    options: &Options,
    device: Device,
) -> PolarsResult<Fitted> {
    fit_sample(columns, labels, None, None, options, device)
}

/// The same where the rows of `columns` are a sample of a table whose `totals` are known: its counts and extremes are the model's. And
/// where the fit starts from another one's model: see [`Start`].
pub fn fit_sample(
    columns: &Columns,
    labels: Option<&Labels>,
    totals: Option<&Totals>,
    start: Option<&Start>,
    options: &Options,
    device: Device,
) -> PolarsResult<Fitted> {
    columns.features().iter().try_for_each(|feature| feature.check_encoding(options.encode))?;
    check_writable(columns.features())?;
    start.map_or(Ok(()), Start::check)?;
    let aligned = start.map(|start| start.model.align(columns)).transpose()?;
    let given = aligned.as_ref().unwrap_or(columns);
    let (columns, labels) = training_rows(given, labels, options.missing)?;
    labels.as_ref().map_or(Ok(()), Labels::check_classes)?;
    let replayed = start.map(|start| start.replayed_of(given, options.missing)).transpose()?.flatten();
    let is_sampled = totals.is_none() && labels.is_none() && columns.rows() > MOST_ROWS && members_draw_few(options);
    let of_model = start.map(Start::totals).transpose()?;
    let counted = match (&of_model, totals) {
        (Some(of_model), Some(of_new)) => Some(of_model.plus(of_new)),
        (Some(of_model), None) => Some(of_model.plus(&count(&new_rows(&columns, replayed.as_deref())?)?)),
        (None, None) if is_sampled => Some(count(&columns)?),
        (None, _) => None,
    };
    let usable = columns.rows();
    let totals = counted.as_ref().or(totals);
    let frequencies = totals.map_or_else(|| columns.frequencies(), |totals| Ok(totals.frequencies()))?;
    let mut warnings = warnings::of(given, usable, &frequencies)?;
    let (columns, replayed) = match is_sampled {
        true => {
            let sample = columns.content_sample(MOST_ROWS, options.seed)?;
            let replayed = replayed.map(|replayed| sample.iter().flatten().map(|row| replayed[row as usize]).collect());
            (columns.gather(&sample)?, replayed)
        }
        false => (columns, replayed),
    };
    let encoders = encoders(&frequencies);
    let (columns, labels, replayed) = in_content_order(columns.coded(&encoders)?, labels, replayed)?;
    let mut statistics = columns.statistics(&encoders, options.missing)?;
    totals.iter().for_each(|totals| totals.complete(&mut statistics));
    let inputs = match start {
        Some(start) => start.inputs(&encoders)?,
        None => Inputs::of(columns.features(), &statistics, &encoders, options),
    };
    let scaling = match start {
        Some(start) => start.model.statistics().scaling.clone(),
        None => Scaling::of(&statistics, &inputs, options.scaling),
    };
    let reference = inputs.reference(&statistics, &encoders);
    let encoding = Encoding { inputs: &inputs, encoders: &encoders, scaling: &scaling, reference: &reference };
    let rows = columns.scaled(&encoding)?;
    let surprisals = match options.combination {
        Combination::Surprisal => {
            let earlier = start.zip(of_model.as_ref()).and_then(|(start, of_model)| start.earlier(of_model));
            let earlier = earlier.as_ref().map(|earlier| (earlier, encoders.as_slice()));
            let new = if earlier.is_some() { new_rows(&columns, replayed.as_deref())? } else { columns.clone() };
            Some(Surprisals::fit(&new, &inputs, &frequencies, options.missing, totals, earlier)?)
        }
        _ => None,
    };

    let anomalies = labels.as_ref().map(Labels::anomalies);
    let of_rows = OfRows { anomalies: anomalies.as_deref(), replayed: replayed.as_deref() };
    let weights = match start {
        Some(start) => start.model.weights().clone(),
        None => draw_networks(rows.ncols(), &varied(&rows), options)?,
    };
    let (weights, mut training) = train(&rows, of_rows, weights, options, device)?;
    if let Some(totals) = totals {
        (training.rows, training.sampled) = (totals.rows, Some(rows.nrows()));
    }
    let scored = scored_rows(rows.nrows(), options.seed);
    let scored_count = scored.as_ref().map_or(rows.nrows(), Vec::len);
    training.scored = (scored_count < training.rows).then_some(scored_count);
    let judged = match options.distil && options.distils_kept_rows() {
        // An ensemble that only teaches has no score.
        true => distil::judged_rows(rows.nrows(), options.seed)?,
        false => scored.clone(),
    };
    let part = judged.as_ref().map(|judged| rows.select(Axis(0), judged));
    let seen = part.as_ref().unwrap_or(&rows).view();
    let kept = kept_rows::keep(&rows, &inputs.owners(), anomalies.as_deref(), seen, options)?;
    let (rows, part) = match part {
        // The others have no further use, and are many.
        Some(part) if !options.distil => {
            drop(rows);
            (part, None)
        }
        part => (rows, part),
    };
    let seen = part.as_ref().unwrap_or(&rows).view();
    let columns = match &scored {
        None => columns,
        Some(scored) => {
            let numbers = scored.iter().map(|row| *row as IdxSize).collect();
            columns.gather(&IdxCa::from_vec(PlSmallStr::EMPTY, numbers))?
        }
    };
    let surprises = surprises(surprisals.as_ref(), &columns, &inputs)?;
    let mut heads = scoring::heads(&weights, seen, device)?;
    let (weights, heads, kept, kept_odds, distilled) = if options.distil {
        let teacher = Teacher { weights: &weights, heads, kept, judged: seen, device };
        let Student { weights, mut heads, kept, kept_odds, distilled } = teacher.distil(rows.view(), options)?;
        warnings.extend(warnings::of_distillation(&distilled));
        if judged != scored {
            heads = match &scored {
                None => scoring::heads(&weights, rows.view(), device)?,
                Some(scored) => scoring::heads(&weights, rows.select(Axis(0), scored).view(), device)?,
            };
        }
        (weights, heads, kept, kept_odds, Some(distilled))
    } else {
        let (kept, kept_odds) = kept.map(|kept| kept.weighed(options.kept_weight, &mut heads.error)).unzip();
        (weights, heads, kept, kept_odds, None)
    };
    let weight = kept_odds.map_or(1.0, |odds| odds * options.kept_weight);
    let combiner = Combiner::of(&heads, surprises.as_deref().unwrap_or_default(), options.combination, weight);
    let quantiles = ScoreQuantiles::of(&combiner.scores(&heads, surprises.as_deref()));
    let metadata = Metadata {
        format: FORMAT,
        features: columns.features().to_vec(),
        encoding: Some(inputs),
        knots: surprisals.as_ref().map(Surprisals::knots),
        within: surprisals.as_ref().map(within),
        frequencies: frequencies.iter().map(|found| found.as_ref().map(sizes)).collect(),
        labels: labels.as_ref().map(counts),
        options: options.clone(),
        members: weights.members(),
        inputs: weights.shape().inputs,
        distilled,
        combiner,
        // Of a model that keeps them
        kept_odds: kept_odds.filter(|_| kept.is_some()),
        training,
        candidates: None,
    };
    let medians = statistics.iter().map(|feature| feature.median).collect();
    let in_order = |(feature, counts): (&FeatureStatistics, &Option<Frequencies>)| match counts {
        // The values of a category have no order.
        Some(_) => ([0.0; QUANTILES], [0; QUANTILES]),
        None => (feature.quantiles, feature.at_most),
    };
    let (values, at_most) = statistics.iter().zip(&frequencies).map(in_order).unzip();
    let missing = statistics.iter().map(|feature| feature.missing as u64).collect();
    let quantiles_of_features = Some(FeatureQuantiles { values, at_most, missing });
    let statistics = Statistics { scaling, medians, quantiles_of_features, reference, quantiles, surprisals, kept };
    let model = Model::new(metadata, statistics, frequencies, weights);
    // What a file is refused for, a fit does not return.
    if let Some(fault) = model.fault() {
        polars_bail!(ComputeError:
            "anorand: the fit gave a model that can't be used: {fault}; lower learning_rate (now {})", options.learning_rate);
    }
    Ok(Fitted { model, warnings })
}

/// The most training rows that a fit looks at beyond counts and extremes, where each member draws a few of them anyway. The rank of a
/// quantile is then within 0.1 % of the rows, two standard errors of the median.
const MOST_ROWS: usize = 1_000_000;

/// The rows that are not replayed.
fn new_rows(columns: &Columns, replayed: Option<&[bool]>) -> PolarsResult<Columns> {
    let Some(replayed) = replayed else { return Ok(columns.clone()) };
    columns.filter(&replayed.iter().map(|replayed| !replayed).collect::<Vec<bool>>())
}

/// Whether members draw their rows, and so few that they are as different from one another as on all rows.
fn members_draw_few(options: &Options) -> bool {
    (1..=MOST_ROWS / 100).contains(&options.max_samples)
}

fn count(columns: &Columns) -> PolarsResult<Totals> {
    let mut counting = Counting::new(columns.features());
    counting.add(columns)?;
    counting.totals()
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

fn surprises(
    surprisals: Option<&Surprisals>,
    columns: &Columns,
    inputs: &Inputs,
) -> PolarsResult<Option<Vec<Surprise>>> {
    surprisals.map(|all| all.of_training_rows(columns, inputs)).transpose()
}

/// The inputs that are not the same in all scaled rows.
fn varied(rows: &Array2<f32>) -> Vec<usize> {
    let varies = |input: &usize| {
        let column = rows.column(*input);
        column.iter().any(|number| *number != column[0])
    };
    (0..rows.ncols()).filter(varies).collect()
}

/// An error if an ensemble on that number of features has more parameters than a fit may ask for.
pub fn check_size(options: &Options, features: usize) -> PolarsResult<()> {
    options.check_parameters(Shape::of(options, features).parameters())
}

fn sizes(frequencies: &Frequencies) -> Vocabulary {
    Vocabulary::Tensors(VocabularySizes::of(frequencies))
}

fn within(surprisals: &Surprisals) -> Vec<Option<WithinSizes>> {
    surprisals.of.iter().map(|of| of.within.as_ref().map(WithinSizes::of)).collect()
}

fn counts(labels: &Labels) -> LabelCounts {
    let [anomalies, normal, unlabelled] = [Some(true), Some(false), None].map(|label| labels.count(label));
    LabelCounts { anomalies, normal, unlabelled }
}

/// What is known of each row.
#[derive(Clone, Copy, Default)]
struct OfRows<'a> {
    /// Whether it is known to be an anomaly
    anomalies: Option<&'a [bool]>,
    /// Whether the model that the fit starts from has seen it
    replayed: Option<&'a [bool]>,
}

/// Generators of its own for each member and use, so that a change of one does not move the others.
fn generators(options: &Options, purpose: u64) -> Vec<ChaCha8Rng> {
    let generator = |member| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(4 * member as u64 + purpose);
        rng
    };
    (0..options.members).map(generator).collect()
}

/// New networks on rows with this number of inputs, of which `varied` are not constant.
fn draw_networks(inputs: usize, varied: &[usize], options: &Options) -> PolarsResult<Weights> {
    let inputs = draw_inputs(inputs, varied, options, &mut generators(options, 0)[0]);
    check_size(options, inputs[0].len())?;
    Weights::draw(Shape::of(options, inputs[0].len()), inputs.concat(), &mut generators(options, 2))
}

/// Train the ensemble.
fn train(
    rows: &Array2<f32>,
    OfRows { anomalies, replayed }: OfRows,
    mut weights: Weights,
    options: &Options,
    device: Device,
) -> PolarsResult<(Weights, Report)> {
    let draw = |(member, rng): (usize, &mut ChaCha8Rng)| {
        let inputs = weights.inputs_of(member);
        match anomalies {
            Some(anomalies) => training_set::draw_labelled(rows.view(), anomalies, replayed, inputs, options, rng),
            None => training_set::draw(rows.view(), replayed, inputs, options, rng),
        }
    };
    let sets = generators(options, 1).iter_mut().enumerate().map(draw).collect::<PolarsResult<Vec<_>>>()?;
    let members = sets.into_iter().zip(generators(options, 3)).map(|(set, rng)| Member { set, rng }).collect();
    let trained = engine::train(&mut weights, members, &Training(options), device)?;
    let (course, before, after) = (trained.course, trained.before, trained.after);
    // Weights too: a unit whose weights are no longer numbers may be one that the losses do not show.
    let finite = after.cross_entropy.is_finite() && after.reconstruction.is_finite() && weights.all_finite();
    polars_ensure!(finite, ComputeError:
        "anorand: the training diverged: the loss is no longer a number; lower learning_rate (now {})",
        options.learning_rate);
    let engine::Course { normal_rows, synthetic_rows, epochs, steps } = course;
    let report = Report {
        rows: rows.nrows(),
        sampled: None,
        scored: None,
        normal_rows,
        synthetic_rows,
        epochs,
        steps,
        before,
        after,
        // What overflowed on the way, and did not at the end, has no place in a file.
        between: trained.between.into_iter().filter(Checkpoint::is_finite).collect(),
    };
    Ok((weights, report))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Preset;
    use rand::Rng;

    /// Rows on a curve, so that there is something to learn.
    fn curve(count: usize) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut rows = Array2::zeros((count, 3));
        for mut row in rows.rows_mut() {
            let t: f32 = rng.random();
            row.assign(&ndarray::aview1(&[t, t * t, 1.0 - t]));
        }
        rows
    }

    fn trained(members: usize, options: &Options) -> (Weights, Report) {
        let options = Options { members, max_features: 1.0, hidden: vec![16, 8], latent: 4, ..options.clone() };
        let networks = draw_networks(3, &[0, 1, 2], &options).unwrap();
        train(&curve(600), OfRows::default(), networks, &options, Device::Cpu).unwrap()
    }

    fn paper() -> Options {
        Options { epochs: 40, learning_rate: 1e-3, ..Options::preset(Preset::Paper) }
    }

    #[test]
    fn training_lowers_both_losses() {
        for options in [paper(), Options::preset(Preset::Default)] {
            let (_, report) = trained(1, &options);
            assert!(report.after.cross_entropy < 0.95 * report.before.cross_entropy, "{report:?}");
            assert!(report.after.reconstruction < 0.5 * report.before.reconstruction, "{report:?}");
        }
    }

    #[test]
    fn a_member_of_an_ensemble_trains_as_it_would_alone() {
        // To the bit: the ensemble's members side by side on the plugin's threads, the lone one on this thread.
        let ((together, _), (alone, _)) = (trained(3, &paper()), trained(1, &paper()));
        assert_eq!(together.member(0).unwrap(), alone.flat());
    }

    #[test]
    fn a_training_that_diverges_is_an_error() {
        // Rows of 1e30, whose squared errors are no f32.
        let rows = curve(100) * 1e30;
        let options = Options { members: 2, ..paper() };
        let networks = draw_networks(3, &[0, 1, 2], &options).unwrap();
        let error = train(&rows, OfRows::default(), networks, &options, Device::Cpu).unwrap_err();
        assert!(error.to_string().contains("diverged"), "{error}");
    }

    #[test]
    fn the_seed_decides() {
        let weights = |seed| trained(2, &Options { seed, ..paper() }).0;
        assert_eq!(weights(5), weights(5));
        assert_ne!(weights(5), weights(6));
    }

    #[test]
    fn min_steps_adds_epochs() {
        let options = Options { epochs: 1, min_steps: 50, batch_size: 300, ..paper() };
        let (_, report) = trained(1, &options);
        assert!(report.steps >= 50 && report.epochs > 1, "{report:?}");
    }
}
