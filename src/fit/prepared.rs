//! All of a fit that comes before its training: columns → inputs → scaled rows, networks, and what each member is trained on.

use ndarray::Array2;
use polars::prelude::PolarsResult;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::data::{
    encoders, Columns, Counting, Encoding, FeatureStatistics, Frequencies, Inputs, Labels, Scaling, Surprisals, Totals,
};
use crate::engine::{Job, Member, Shape, Training, Weights};
use crate::model::check_writable;
use crate::options::Options;

use super::batches;
use super::feature_bagging::draw_inputs;
use super::start::Start;
use super::task::{Fit, Given};
use super::training_rows::{in_content_order, training_rows};
use super::warnings::{self, Warning};

/// A fit before its training.
pub struct Prepared {
    pub options: Options,
    /// Scaled training rows `[n, inputs]`, in the order of their contents
    pub rows: Array2<f32>,
    /// The same as the networks learn them, where these are to meet values of categories that they have not seen
    pub learned: Option<Array2<f32>>,
    /// Which of them are known to be anomalies, with labels
    pub anomalies: Option<Vec<bool>>,
    /// Which of them the model that the fit starts from has seen
    replayed: Option<Vec<bool>>,
    /// The same rows, categories as codes
    pub columns: Columns,
    pub labels: Option<Labels>,
    pub frequencies: Vec<Option<Frequencies>>,
    pub inputs: Inputs,
    pub scaling: Scaling,
    pub reference: Vec<f64>,
    pub statistics: Vec<FeatureStatistics>,
    pub surprisals: Option<Surprisals>,
    /// The number of all training rows, where `rows` are a sample of them
    pub of_rows: Option<usize>,
    pub warnings: Vec<Warning>,
}

impl Prepared {
    /// A fit's rows, and its networks before their training.
    pub fn new(fit: &Fit) -> PolarsResult<(Self, Weights)> {
        let Fit { given: Given { columns, labels, totals, start }, options } = *fit;
        let start = start.as_ref();
        columns.features().iter().try_for_each(|feature| feature.check_encoding(options.encode))?;
        check_writable(columns.features())?;
        start.map_or(Ok(()), Start::check)?;
        let aligned = start.map(|start| start.model.align(columns)).transpose()?;
        let given = aligned.as_ref().unwrap_or(columns);
        let totals_features = columns.features();
        let (columns, labels) = training_rows(given, labels, options.missing)?;
        labels.as_ref().map_or(Ok(()), Labels::check_classes)?;
        let replayed = start.map(|start| start.replayed_of(given, options.missing)).transpose()?.flatten();
        let is_sampled =
            totals.is_none() && labels.is_none() && columns.rows() > MOST_ROWS && members_draw_few(options);
        let of_model = start.map(Start::totals).transpose()?;
        let counted = match (&of_model, totals) {
            (Some(of_model), Some(of_new)) => Some(of_model.plus(&of_new.align_to(totals_features, given.features()))),
            (Some(of_model), None) => Some(of_model.plus(&count(&new_rows(&columns, replayed.as_deref())?)?)),
            (None, None) if is_sampled => Some(count(&columns)?),
            (None, _) => None,
        };
        let totals = counted.as_ref().or(totals);
        let frequencies = totals.map_or_else(|| columns.frequencies(), |totals| Ok(totals.frequencies()))?;
        let warnings = warnings::of(given, columns.rows(), &frequencies)?;
        let (columns, replayed) = if is_sampled { sampled(columns, replayed, options)? } else { (columns, replayed) };
        let encoders = encoders(&frequencies);
        let (columns, labels, replayed) = in_content_order(columns.coded(&encoders)?, labels, replayed)?;
        let mut statistics = columns.statistics(&encoders, options.missing, totals)?;
        let earlier = start.and_then(Start::quantiles);
        totals.iter().for_each(|totals| totals.complete(&mut statistics, earlier));
        let inputs = match start {
            Some(start) => start.inputs(&encoders)?,
            None => Inputs::choose(columns.features(), &statistics, &encoders, options),
        };
        let scaling = match start {
            Some(start) => start.model.statistics().scaling.clone(),
            None => Scaling::fit(&statistics, &inputs, options.scaling),
        };
        let reference = inputs.reference(&statistics, &encoders);
        let encoding = Encoding { inputs: &inputs, encoders: &encoders, scaling: &scaling, reference: &reference };
        let rows = columns.scaled(&encoding)?;
        let learned = columns.with_unseen(&frequencies, totals.map_or(rows.nrows(), |totals| totals.rows))?;
        let learned = learned.map(|columns| columns.scaled(&encoding)).transpose()?;
        let surprisals = match options.combination.takes_surprisals() {
            true => {
                let earlier = start.zip(of_model.as_ref()).and_then(|(start, of_model)| start.earlier(of_model));
                let earlier = earlier.as_ref().map(|earlier| (earlier, encoders.as_slice()));
                let new = if earlier.is_some() { new_rows(&columns, replayed.as_deref())? } else { columns.clone() };
                Some(Surprisals::fit(&new, &inputs, &frequencies, options.missing, totals, earlier)?)
            }
            false => None,
        };
        let weights = match start {
            Some(start) => start.model.weights().clone(),
            None => draw_networks(rows.ncols(), &varied(&rows), options)?,
        };
        let prepared = Self {
            options: options.clone(),
            rows,
            learned,
            anomalies: labels.as_ref().map(Labels::anomalies),
            replayed,
            columns,
            labels,
            frequencies,
            inputs,
            scaling,
            reference,
            statistics,
            surprisals,
            of_rows: totals.map(|totals| totals.rows),
            warnings,
        };
        Ok((prepared, weights))
    }

    /// What each member of the networks is trained on.
    pub fn members(&self, weights: &Weights) -> PolarsResult<Vec<Member<'_>>> {
        let rows = self.learned.as_ref().unwrap_or(&self.rows);
        members(rows, self.anomalies.as_deref(), self.replayed.as_deref(), weights, &self.options)
    }

    /// The training of these networks, to be done with others.
    pub fn job(&self, weights: &Weights) -> PolarsResult<Job<'_>> {
        let members = self.members(weights)?;
        Ok(Job { weights: weights.clone(), members, training: Training(&self.options) })
    }
}

/// The most training rows that a fit looks at beyond counts and extremes, where each member draws a few of them anyway. The rank of a
/// quantile is then within 0.1 % of the rows, two standard errors of the median.
const MOST_ROWS: usize = 1_000_000;

/// Whether members draw their rows, and so few that they are as different from one another as on all rows.
fn members_draw_few(options: &Options) -> bool {
    (1..=MOST_ROWS / 100).contains(&options.max_samples)
}

/// A sample of the rows, and which of them are replayed.
fn sampled(
    columns: Columns,
    replayed: Option<Vec<bool>>,
    options: &Options,
) -> PolarsResult<(Columns, Option<Vec<bool>>)> {
    let sample = columns.content_sample(MOST_ROWS, options.seed, replayed.as_deref())?;
    let replayed = replayed.map(|replayed| sample.iter().flatten().map(|row| replayed[row as usize]).collect());
    Ok((columns.gather(&sample)?, replayed))
}

/// The rows that are not replayed.
fn new_rows(columns: &Columns, replayed: Option<&[bool]>) -> PolarsResult<Columns> {
    let Some(replayed) = replayed else { return Ok(columns.clone()) };
    columns.filter(&replayed.iter().map(|replayed| !replayed).collect::<Vec<bool>>())
}

fn count(columns: &Columns) -> PolarsResult<Totals> {
    let mut counting = Counting::new(columns.features());
    counting.add(columns)?;
    counting.totals()
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

/// Generators of its own for each member and use, so that a change of one does not move the others.
fn generators(options: &Options, purpose: u64) -> Vec<ChaCha8Rng> {
    let generator = |member| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(4 * member as u64 + purpose);
        rng
    };
    (0..options.members).map(generator).collect()
}

/// New networks on rows with this number of inputs; the inputs `varied` are not constant.
pub fn draw_networks(inputs: usize, varied: &[usize], options: &Options) -> PolarsResult<Weights> {
    let inputs = draw_inputs(inputs, varied, options, &mut generators(options, 0)[0]);
    check_size(options, inputs[0].len())?;
    Weights::draw(Shape::of(options, inputs[0].len()), inputs.concat(), &mut generators(options, 2))
}

/// What each member is trained on: scaled rows `[n, inputs]`, some of which may be known anomalies, or replayed.
pub fn members<'a>(
    rows: &'a Array2<f32>,
    anomalies: Option<&[bool]>,
    replayed: Option<&[bool]>,
    weights: &Weights,
    options: &Options,
) -> PolarsResult<Vec<Member<'a>>> {
    let member = |(member, (mut of_set, rng)): (usize, (ChaCha8Rng, ChaCha8Rng))| {
        let inputs = weights.inputs_of(member);
        let set = match anomalies {
            Some(anomalies) => batches::draw_labelled(rows.view(), anomalies, replayed, inputs, options, &mut of_set)?,
            None => batches::draw(rows.view(), replayed, inputs, options, &mut of_set)?,
        };
        Ok(Member { set, rng })
    };
    generators(options, 1).into_iter().zip(generators(options, 3)).enumerate().map(member).collect()
}
